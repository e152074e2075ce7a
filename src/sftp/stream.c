/* SPDX-License-Identifier: ISC */
#include "stream.h"

#define KEEP 65536      /* an idle stream holds no more than this */

struct stream stream_new(size_t max)
{
    return (struct stream){.w = wr_heap(max)};
}

struct wr *stream_begin(struct stream *s)
{
    if (s->head && s->head >= s->w.n - s->head) {
        memmove(s->w.p, s->w.p + s->head, s->w.n - s->head);
        s->w.n -= s->head;
        s->head = 0;
    }
    return &s->w;
}

size_t stream_waiting(const struct stream *s)
{
    return s->w.n - s->head;
}

struct bytes stream_peek(const struct stream *s)
{
    return stream_waiting(s) ? bytes_of(s->w.p + s->head, stream_waiting(s)) : (struct bytes){0};
}

void stream_consume(struct stream *s, size_t n)
{
    size_t waiting = stream_waiting(s);
    s->head += n < waiting ? n : waiting;
    if (s->head < s->w.n) return;
    s->head = s->w.n = 0;
    if (s->w.cap > KEEP && s->w.err == ERR_NONE) {
        size_t max = s->w.max;
        wr_clear(&s->w);
        s->w = wr_heap(max);
    }
}
