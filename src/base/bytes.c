/* SPDX-License-Identifier: ISC */
#include "base/bytes.h"

#include <stdlib.h>

enum verdict bytes_verify(const uint8_t *a, const uint8_t *b, size_t n)
{
    const volatile uint8_t *x = a, *y = b;
    uint8_t diff = 0;
    for (size_t i = 0; i < n; i++) diff |= x[i] ^ y[i];
    return diff == 0 ? VERDICT_GOOD : VERDICT_BAD;
}

void wipe(void *p, size_t n)
{
    if (n) explicit_bzero(p, n);
}

enum err bytes_to_str(struct bytes b, char *dst, size_t cap)
{
    if (b.n >= cap) return ERR_TOO_LONG;
    if (b.n && memchr(b.p, 0, b.n)) return ERR_FORMAT;
    if (b.n) memcpy(dst, b.p, b.n);
    dst[b.n] = 0;
    return ERR_NONE;
}

char *bytes_dup_str(struct bytes b)
{
    if (b.n && memchr(b.p, 0, b.n)) return NULL;
    char *s = malloc(b.n + 1);
    if (!s) return NULL;
    if (b.n) memcpy(s, b.p, b.n);
    s[b.n] = 0;
    return s;
}
