/* SPDX-License-Identifier: ISC */
/* The sticky reader: the only way peer bytes become values (RFC 4251 5). After the first error every further read
 * returns zero or empty and the error stays, so that a parse function is a plain column of reads which ends with
 * rd_done(). Views point into the input and live as long as it. */
#ifndef BASE_RD_H
#define BASE_RD_H

#include "base/bytes.h"

struct rd {
    const uint8_t *p;
    size_t n;
    enum err err;
};

struct rd rd_init(struct bytes in);
uint8_t rd_u8(struct rd *r);
bool rd_bool(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);

/* n raw bytes. */
struct bytes rd_raw(struct rd *r, size_t n);

/* A string: u32 length, bytes. */
struct bytes rd_string(struct rd *r);

/* A string of exactly n bytes, else ERR_FORMAT. */
struct bytes rd_string_n(struct rd *r, size_t n);

/* A string of at most max bytes, else ERR_TOO_LONG. */
struct bytes rd_string_max(struct rd *r, size_t max);

/* A positive mpint of at most max bytes, returned big endian without the leading zero; zero is an empty view.
 * Negative or not in shortest form: ERR_FORMAT. */
struct bytes rd_mpint(struct rd *r, size_t max);
/* The same of bytes that r gave, by another length than a string's. */
struct bytes rd_number(struct rd *r, struct bytes b, size_t max);

/* All that is left. */
struct bytes rd_rest(struct rd *r);

/* Mark the input as bad for a reason the caller found; the first error wins. */
void rd_fail(struct rd *r, enum err e);

/* ERR_NONE only when no read failed and nothing is left. */
MUST_USE enum err rd_done(const struct rd *r);

#endif
