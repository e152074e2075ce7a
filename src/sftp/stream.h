/* SPDX-License-Identifier: ISC */
/* Bytes that wait to leave: written at the end, consumed at the front, moved down only when half of them is waste. */
#ifndef SFTP_STREAM_H
#define SFTP_STREAM_H

#include "base/wr.h"

struct stream {
    struct wr w;
    size_t head;        /* bytes of w that have left */
};

struct stream stream_new(size_t max);
/* Where the next message is written; call before each. */
struct wr *stream_begin(struct stream *s);
size_t stream_waiting(const struct stream *s);
struct bytes stream_peek(const struct stream *s);
/* n at most what waits. What is empty gives a large heap block back. */
void stream_consume(struct stream *s, size_t n);

#endif
