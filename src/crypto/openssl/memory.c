/* SPDX-License-Identifier: ISC */
#include "crypto/memory.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "base/attr.h"

static bool refused;

static void *noted(void *p, size_t n)
{
    if (!p && n) refused = true;
    return p;
}

static void *take(size_t n, const char *file UNUSED, int line UNUSED)
{
    return n ? noted(malloc(n), n) : NULL;
}

static void give(void *p, const char *file UNUSED, int line UNUSED)
{
    free(p);
}

static void *change(void *p, size_t n, const char *file UNUSED, int line UNUSED)
{
    if (n) return noted(realloc(p, n), n);
    free(p);
    return NULL;
}

bool crypto_memory_watch(void)
{
    return CRYPTO_set_mem_functions(take, change, give) == 1;
}

bool crypto_memory_refused(void)
{
    return refused;
}
