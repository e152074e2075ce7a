/* SPDX-License-Identifier: ISC */
#include "base/rd.h"

struct rd rd_init(struct bytes in)
{
    return (struct rd){in.p, in.n, ERR_NONE};
}

void rd_fail(struct rd *r, enum err e)
{
    if (r->err == ERR_NONE) r->err = e;
    r->n = 0;
}

struct bytes rd_raw(struct rd *r, size_t n)
{
    if (r->err != ERR_NONE || n > r->n) {
        rd_fail(r, ERR_TRUNCATED);
        return (struct bytes){0};
    }
    struct bytes b = {r->p, n};
    r->p += n, r->n -= n;
    return b;
}

uint8_t rd_u8(struct rd *r)
{
    struct bytes b = rd_raw(r, 1);
    return b.p ? b.p[0] : 0;
}

bool rd_bool(struct rd *r)
{
    return rd_u8(r) != 0;
}

uint32_t rd_u32(struct rd *r)
{
    struct bytes b = rd_raw(r, 4);
    return b.p ? get_u32(b.p) : 0;
}

uint64_t rd_u64(struct rd *r)
{
    struct bytes b = rd_raw(r, 8);
    return b.p ? get_u64(b.p) : 0;
}

struct bytes rd_string(struct rd *r)
{
    uint32_t n = rd_u32(r);
    return rd_raw(r, n);
}

struct bytes rd_string_n(struct rd *r, size_t n)
{
    struct bytes b = rd_string(r);
    if (r->err == ERR_NONE && b.n != n) {
        rd_fail(r, ERR_FORMAT);
        return (struct bytes){0};
    }
    return b;
}

struct bytes rd_string_max(struct rd *r, size_t max)
{
    struct bytes b = rd_string(r);
    if (r->err == ERR_NONE && b.n > max) {
        rd_fail(r, ERR_TOO_LONG);
        return (struct bytes){0};
    }
    return b;
}

struct bytes rd_mpint(struct rd *r, size_t max)
{
    return rd_number(r, rd_string(r), max);
}

struct bytes rd_number(struct rd *r, struct bytes b, size_t max)
{
    if (b.n == 0) return b;
    bool padded = b.p[0] == 0;
    /* RFC 4251 5, X.690 8.3.2: no negative values here, no needless leading zero. */
    if ((b.p[0] & 0x80) || (padded && (b.n == 1 || !(b.p[1] & 0x80)))) {
        rd_fail(r, ERR_FORMAT);
        return (struct bytes){0};
    }
    if (padded) b.p++, b.n--;
    if (b.n > max) {
        rd_fail(r, ERR_TOO_LONG);
        return (struct bytes){0};
    }
    return b;
}

struct bytes rd_rest(struct rd *r)
{
    return rd_raw(r, r->n);
}

enum err rd_done(const struct rd *r)
{
    if (r->err != ERR_NONE) return r->err;
    return r->n ? ERR_TRAILING : ERR_NONE;
}
