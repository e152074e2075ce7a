/* SPDX-License-Identifier: ISC */
/* Views of memory: `bytes` to read from, `span` to write to. Neither owns. Lengths are in bytes. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "base/err.h"

struct bytes {
    const uint8_t *p;
    size_t n;
};

struct span {
    uint8_t *p;
    size_t n;
};

/* The bytes of a string literal, without its NUL. */
#define BYTES_LIT(s) ((struct bytes){(const uint8_t *)(s), sizeof(s) - 1})

static inline struct bytes bytes_of(const void *p, size_t n)
{
    return (struct bytes){p, n};
}

static inline struct bytes bytes_str(const char *s)
{
    return (struct bytes){(const uint8_t *)s, s ? strlen(s) : 0};
}

static inline struct bytes span_bytes(struct span s)
{
    return (struct bytes){s.p, s.n};
}

/* Equality of public data (not constant time). */
static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool bytes_is(struct bytes a, const char *s)
{
    return bytes_equal(a, bytes_str(s));
}

static inline bool bytes_starts(struct bytes a, const char *s)
{
    size_t n = strlen(s);
    return a.n >= n && memcmp(a.p, s, n) == 0;
}

/* Equality in time that depends on n only. VERDICT_GOOD when equal. */
MUST_USE enum verdict bytes_verify(const uint8_t *a, const uint8_t *b, size_t n);

/* Zero memory in a way the compiler keeps. */
void wipe(void *p, size_t n);

/* Copy a text into a char array, always NUL-terminated. ERR_TOO_LONG if it does not fit, ERR_FORMAT if it holds a NUL. */
MUST_USE enum err bytes_to_str(struct bytes b, char *dst, size_t cap);

/* A NUL-terminated heap copy for the caller to free, or NULL (out of memory or a NUL inside). */
char *bytes_dup_str(struct bytes b);

/* Big endian numbers (RFC 4251 5). */
static inline uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void put_u32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24), p[1] = (uint8_t)(v >> 16), p[2] = (uint8_t)(v >> 8), p[3] = (uint8_t)v;
}

static inline uint64_t get_u64(const uint8_t *p)
{
    return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}

static inline void put_u64(uint8_t *p, uint64_t v)
{
    put_u32(p, (uint32_t)(v >> 32)), put_u32(p + 4, (uint32_t)v);
}

#endif
