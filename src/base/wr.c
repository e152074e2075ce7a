/* SPDX-License-Identifier: ISC */
#include "base/wr.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct wr wr_span(struct span s)
{
    return (struct wr){.p = s.p, .cap = s.n};
}

struct wr wr_heap(size_t max)
{
    return (struct wr){.max = max};
}

void wr_fail(struct wr *w, enum err e)
{
    if (w->err == ERR_NONE) w->err = e;
}

static bool wr_grow(struct wr *w, size_t need)
{
    size_t cap = w->cap ? w->cap : 256;
    while (cap < need) cap *= 2;
    if (cap > w->max) cap = w->max;
    uint8_t *p = malloc(cap);
    if (!p) {
        wr_fail(w, ERR_NOMEM);
        return false;
    }
    if (w->n) memcpy(p, w->p, w->n);
    wipe(w->p, w->n);
    free(w->p);
    w->p = p, w->cap = cap;
    return true;
}

uint8_t *wr_room(struct wr *w, size_t n)
{
    if (w->err != ERR_NONE) return NULL;
    if (n > w->cap - w->n) {
        if (w->max == 0 || n > w->max - w->n) {
            wr_fail(w, ERR_NOSPACE);
            return NULL;
        }
        if (!wr_grow(w, w->n + n)) return NULL;
    }
    uint8_t *at = w->p + w->n;
    w->n += n;
    return at;
}

void wr_raw(struct wr *w, struct bytes b)
{
    uint8_t *p = b.n ? wr_room(w, b.n) : NULL;
    if (p) memcpy(p, b.p, b.n);
}

void wr_u8(struct wr *w, uint8_t v)
{
    wr_raw(w, bytes_of(&v, 1));
}

void wr_bool(struct wr *w, bool v)
{
    wr_u8(w, v ? 1 : 0);
}

void wr_u32(struct wr *w, uint32_t v)
{
    uint8_t *p = wr_room(w, 4);
    if (p) put_u32(p, v);
}

void wr_u64(struct wr *w, uint64_t v)
{
    uint8_t *p = wr_room(w, 8);
    if (p) put_u64(p, v);
}

void wr_text(struct wr *w, const char *s)
{
    wr_raw(w, bytes_str(s));
}

void wr_textf(struct wr *w, const char *fmt, ...)
{
    char line[4096];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof line) {
        wr_fail(w, ERR_TOO_LONG);
        return;
    }
    wr_raw(w, bytes_of(line, (size_t)n));
}

void wr_string(struct wr *w, struct bytes b)
{
    if (b.n > UINT32_MAX) {
        wr_fail(w, ERR_TOO_LONG);
        return;
    }
    wr_u32(w, (uint32_t)b.n);
    wr_raw(w, b);
}

void wr_cstring(struct wr *w, const char *s)
{
    wr_string(w, bytes_str(s));
}

void wr_mpint(struct wr *w, struct bytes b)
{
    while (b.n && b.p[0] == 0) b.p++, b.n--;
    bool sign = b.n && (b.p[0] & 0x80);
    wr_u32(w, (uint32_t)(b.n + sign));
    if (sign) wr_u8(w, 0);
    wr_raw(w, b);
}

size_t wr_begin(struct wr *w)
{
    size_t mark = w->n;
    wr_u32(w, 0);
    return mark;
}

void wr_end(struct wr *w, size_t mark)
{
    if (w->err == ERR_NONE) put_u32(w->p + mark, (uint32_t)(w->n - mark - 4));
}

enum err wr_done(const struct wr *w)
{
    return w->err;
}

void wr_clear(struct wr *w)
{
    if (w->p) wipe(w->p, w->n);
    if (w->max) free(w->p);
    *w = (struct wr){0};
}
