/* SPDX-License-Identifier: ISC */
#include "os/cpu.h"

bool cpu_has_aes(void)
{
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
}
