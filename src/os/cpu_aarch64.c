/* SPDX-License-Identifier: ISC */
#include <sys/auxv.h>

#include "os/cpu.h"

bool cpu_has_aes(void)
{
    unsigned long have = getauxval(AT_HWCAP);
    return (have & HWCAP_AES) && (have & HWCAP_PMULL);
}
