/* SPDX-License-Identifier: ISC */
/* The sticky writer: values become bytes (RFC 4251 5). Over a fixed span it never allocates; over the heap it grows up
 * to a limit, and what it held before growing is wiped. After the first error nothing more is written; wr_done() says. */
#ifndef BASE_WR_H
#define BASE_WR_H

#include "base/bytes.h"

struct wr {
    uint8_t *p;
    size_t n;       /* bytes written */
    size_t cap;     /* bytes there is room for now */
    size_t max;     /* heap: the limit to grow to; 0 for a fixed span */
    enum err err;
};

struct wr wr_span(struct span s);
struct wr wr_heap(size_t max);

void wr_u8(struct wr *w, uint8_t v);
void wr_bool(struct wr *w, bool v);
void wr_u32(struct wr *w, uint32_t v);
void wr_u64(struct wr *w, uint64_t v);
void wr_raw(struct wr *w, struct bytes b);
void wr_text(struct wr *w, const char *s);            /* raw, no length */
void wr_textf(struct wr *w, const char *fmt, ...) PRINTF_LIKE(2, 3);   /* raw, no length; at most 4095 bytes a call */
void wr_string(struct wr *w, struct bytes b);
void wr_cstring(struct wr *w, const char *s);         /* string of a C string */

/* mpint of an unsigned big endian number; leading zeros are dropped, a sign byte added where needed. */
void wr_mpint(struct wr *w, struct bytes unsigned_be);

/* Room for n bytes, to be filled by the caller; NULL after an error. */
uint8_t *wr_room(struct wr *w, size_t n);

/* A string whose length is known later: mark = wr_begin(w); ...; wr_end(w, mark). */
size_t wr_begin(struct wr *w);
void wr_end(struct wr *w, size_t mark);

void wr_fail(struct wr *w, enum err e);
MUST_USE enum err wr_done(const struct wr *w);

/* What was written so far. */
static inline struct bytes wr_bytes(const struct wr *w)
{
    return (struct bytes){w->p, w->n};
}

/* Wipes what was written; frees it if it was on the heap. Safe on a zeroed writer; fits CLEANUP(). */
void wr_clear(struct wr *w);

#endif
