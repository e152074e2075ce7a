/* SPDX-License-Identifier: ISC */
/* The little TAP that tests with one line a scenario need. */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/attr.h"

static unsigned tap_count, tap_failed;

PRINTF_LIKE(2, 3) UNUSED static bool tap_ok(bool good, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    printf("%sok %u - ", good ? "" : "not ", ++tap_count);
    vprintf(fmt, ap);
    putchar('\n');
    va_end(ap);
    if (!good) tap_failed++;
    fflush(stdout);
    return good;
}

UNUSED static int tap_end(void)
{
    printf("1..%u\n", tap_count);
    return tap_failed != 0;
}

/* The whole of it (NACRE_LONG=1), or the share of every test run. */
UNUSED static bool tap_long(void)
{
    const char *v = getenv("NACRE_LONG");
    return v && *v && *v != '0';
}

/* Between two edits (NACRE_QUICK=1): a part only. */
UNUSED static bool tap_quick(void)
{
    const char *v = getenv("NACRE_QUICK");
    return !tap_long() && v && *v && *v != '0';
}

/* NACRE_SEED, or the default that every run of the suite takes. */
UNUSED static unsigned long long tap_seed(unsigned long long seed)
{
    const char *v = getenv("NACRE_SEED");
    if (v && *v) seed = strtoull(v, NULL, 0);
    printf("# seed %llu (NACRE_SEED)\n", seed);
    return seed;
}

#endif
