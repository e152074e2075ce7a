/* SPDX-License-Identifier: ISC */
#include "der.h"

static size_t take_length(struct rd *r)
{
    uint8_t first = rd_u8(r);
    if (first < 0x80) return first;
    size_t n = first & 0x7f, v = 0;
    if (n == 0 || n > 3) {
        rd_fail(r, ERR_FORMAT);
        return 0;
    }
    for (size_t i = 0; i < n; i++) v = v << 8 | rd_u8(r);
    if (v < 0x80 || v >> (8 * (n - 1)) == 0) rd_fail(r, ERR_FORMAT);
    return v;
}

struct bytes der_take(struct rd *r, enum der_tag tag)
{
    if (rd_u8(r) != tag) rd_fail(r, ERR_FORMAT);
    return rd_raw(r, take_length(r));
}

struct bytes der_take_optional(struct rd *r, enum der_tag tag)
{
    if (r->err != ERR_NONE || r->n == 0 || r->p[0] != tag) return (struct bytes){0};
    return der_take(r, tag);
}

struct bytes der_number(struct rd *r, size_t max)
{
    struct bytes b = der_take(r, DER_INTEGER);
    if (b.n == 0) rd_fail(r, ERR_FORMAT);
    return b.n == 1 && b.p[0] == 0 ? b : rd_number(r, b, max);      /* zero has a byte here */
}

void der_put(struct wr *w, enum der_tag tag, struct bytes content)
{
    size_t n = content.n;
    wr_u8(w, (uint8_t)tag);
    if (n >= 0x10000) wr_u8(w, 0x83), wr_u8(w, (uint8_t)(n >> 16)), wr_u8(w, (uint8_t)(n >> 8));
    else if (n >= 0x100) wr_u8(w, 0x82), wr_u8(w, (uint8_t)(n >> 8));
    else if (n >= 0x80) wr_u8(w, 0x81);
    wr_u8(w, (uint8_t)n);
    wr_raw(w, content);
    if (n >= 0x1000000) wr_fail(w, ERR_TOO_LONG);
}

enum err der_sequence_write(struct wr *w, const struct wr *parts)
{
    TRY(wr_done(parts));
    der_put(w, DER_SEQUENCE, wr_bytes(parts));
    return wr_done(w);
}

void der_put_number(struct wr *w, struct bytes b)
{
    struct wr padded CLEANUP(wr_clear) = wr_heap(1 << 16);
    while (b.n > 1 && b.p[0] == 0) b.p++, b.n--;
    if (b.n == 0 || (b.p[0] & 0x80)) wr_u8(&padded, 0);
    wr_raw(&padded, b);
    if (padded.err != ERR_NONE) wr_fail(w, padded.err);
    der_put(w, DER_INTEGER, wr_bytes(&padded));
}

void der_put_small(struct wr *w, uint8_t v)
{
    der_put_number(w, bytes_of(&v, 1));
}
