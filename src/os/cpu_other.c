/* SPDX-License-Identifier: ISC */
#include "os/cpu.h"

bool cpu_has_aes(void)
{
    return false;
}
