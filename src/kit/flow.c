/* SPDX-License-Identifier: ISC */
#include "flow.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fdio.h"

#define QUEUE_KEEP 65536            /* an empty queue keeps no more than that */
#define PTY_MORE   1024             /* a pty gives 4 KiB at most: after that much there may be more */

/* ---- queue ---- */

static void queue_clear(struct queue *q)
{
    if (q->p) wipe(q->p, q->cap);
    free(q->p);
    *q = (struct queue){0};
}

static enum err queue_add(struct queue *q, const void *p, size_t n)
{
    if (q->cap - q->head - q->n < n && q->head != 0) {
        memmove(q->p, q->p + q->head, q->n);
        q->head = 0;
    }
    if (q->cap - q->n < n) {
        size_t cap = q->cap ? q->cap : QUEUE_KEEP;
        while (cap - q->n < n) cap *= 2;
        uint8_t *bigger = malloc(cap);
        if (!bigger) return ERR_NOMEM;
        struct queue old = *q;
        if (old.n) memcpy(bigger, old.p, old.n);
        *q = (struct queue){.p = bigger, .n = old.n, .cap = cap};
        queue_clear(&old);
    }
    memcpy(q->p + q->head + q->n, p, n);
    q->n += n;
    return ERR_NONE;
}

static void queue_take(struct queue *q, size_t n)
{
    q->head += n, q->n -= n;
    if (q->n != 0) return;
    q->head = 0;
    if (q->cap > QUEUE_KEEP) queue_clear(q);
}

/* ---- descriptors ---- */

/* Does the number stand in a place of this flow still? */
static bool flow_holds(const struct flow *f, int fd)
{
    for (int i = 0; i < 2; i++)
        if (f->sink[i].fd == fd || f->source[i].fd == fd) return true;
    return false;
}

/* The flow is done with a place. A socket that is read still gets its write side shut. */
static void place_close(struct flow *f, int *place, bool is_sink)
{
    int fd = *place;
    *place = -1;
    if (fd < 0 || f->ends.keep_open) return;
    if (!flow_holds(f, fd)) close(fd);
    else if (is_sink && !f->ends.is_pty) (void)shutdown(fd, SHUT_WR);   /* ENOTSOCK: nothing to shut */
}

static void sink_close(struct flow *f, enum stream s)
{
    queue_clear(&f->sink[s].queue);
    place_close(f, &f->sink[s].fd, true);
}

struct flow *flow_new(uint32_t chan, const struct pump_ends *ends)
{
    struct flow *f = calloc(1, sizeof(*f));
    if (!f) return NULL;
    f->chan = chan, f->kind = ends->kind, f->ends = *ends;
    f->sink[STREAM_DATA].fd = ends->sink, f->sink[STREAM_STDERR].fd = ends->sink_err;
    f->source[STREAM_DATA] = (struct source){.fd = ends->source, .given = ends->source >= 0};
    f->source[STREAM_STDERR] = (struct source){.fd = ends->source_err, .given = ends->source_err >= 0};
    return f;
}

void flow_release(struct flow *f)
{
    queue_clear(&f->sink[0].queue), queue_clear(&f->sink[1].queue);
    free(f);
}

void flow_free(struct flow *f)
{
    for (int i = 0; i < 2; i++) {
        place_close(f, &f->source[i].fd, false);
        place_close(f, &f->sink[i].fd, true);
    }
    flow_release(f);
}

/* ---- towards the sinks ---- */

static void flow_consumed(const struct flow *f, struct conn *c, size_t n)
{
    if (!f->orphan && n) chan_consumed(c, f->chan, n);
}

static void loss_note(struct flow *f, int fd, int error)
{
    if (!f->lost && !f->ends.is_pty && fd_error_loses(fd, error)) f->lost = error;
}

/* The sink's reader is gone (EPIPE, or EIO of a pty): what came for it is dropped, so that the window does not close over the
 * rest of the channel, and an OpenSSH peer is told. */
static void sink_broken(struct flow *f, struct conn *c, enum stream s, int error)
{
    loss_note(f, f->sink[s].fd, error);
    flow_consumed(f, c, f->sink[s].queue.n);
    sink_close(f, s);
    if (s == STREAM_DATA && !f->orphan) chan_eow(c, f->chan);
}

/* Step over the first n bytes of a list; the entries left, moved to its front. */
static size_t iov_advance(struct iovec *iov, size_t count, size_t n)
{
    size_t i = 0;
    while (i < count && n >= iov[i].iov_len) n -= iov[i++].iov_len;
    if (i < count) {
        iov[i].iov_base = (uint8_t *)iov[i].iov_base + n;
        iov[i].iov_len -= n;
    }
    memmove(iov, iov + i, (count - i) * sizeof(*iov));
    return count - i;
}

static size_t iov_total(const struct iovec *iov, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) total += iov[i].iov_len;
    return total;
}

/* A pipe that is filled or emptied whole carries bulk. */
static void pipe_tune(const struct flow *f, int fd, bool *grown, size_t moved)
{
    if (*grown || moved < PIPE_USUAL || f->kind == PUMP_FD_SOCKET) return;
    *grown = true;
    fd_pipe_grow(fd);
}

/* Write as much as goes. The list is consumed. */
static size_t sink_write(struct flow *f, struct conn *c, enum stream s, struct iovec *iov, size_t count)
{
    struct sink *sink = &f->sink[s];
    while (count && !sink->blocked) {
        size_t asked = iov_total(iov, count);
        struct iovec copy[GATHER_MAX];              /* fd_writev may cut it */
        memcpy(copy, iov, count * sizeof(*iov));
        ssize_t n = fd_writev(sink->fd, f->kind, copy, count);
        if (n > 0) {
            flow_consumed(f, c, (size_t)n);
            count = iov_advance(iov, count, (size_t)n);
            pipe_tune(f, sink->fd, &sink->grown, (size_t)n);
            sink->blocked = (size_t)n < asked && f->kind != PUMP_FD_BLOCKING;
        } else if (n == -EAGAIN) {
            sink->blocked = true;
        } else {
            flow_consumed(f, c, asked);
            sink_broken(f, c, s, (int)-n);
            return 0;
        }
    }
    return count;
}

MUST_USE static enum err sink_put(struct flow *f, struct conn *c, enum stream s, struct iovec *iov, size_t n)
{
    struct sink *sink = &f->sink[s];
    if (sink->fd < 0) {
        flow_consumed(f, c, iov_total(iov, n));
        return ERR_NONE;
    }
    if (sink->queue.n == 0) n = sink_write(f, c, s, iov, n);
    for (size_t i = 0; i < n; i++) TRY(queue_add(&sink->queue, iov[i].iov_base, iov[i].iov_len));
    return ERR_NONE;
}

MUST_USE static enum err sorted_put(struct flow *f, struct conn *c, struct pump_sorted *s)
{
    size_t n = s->n;
    flow_consumed(f, c, s->gone);
    s->n = s->gone = 0;
    return n ? sink_put(f, c, STREAM_DATA, s->out, n) : ERR_NONE;
}

enum err flow_deliver(struct flow *f, struct conn *c, enum stream s, struct iovec *iov, size_t n)
{
    if (!f->sorter || s != STREAM_DATA || f->sink[s].fd < 0) return sink_put(f, c, s, iov, n);
    struct pump_sorted sorted;
    sorted.n = sorted.gone = 0;
    for (size_t i = 0; i < n; i++) {
        struct bytes in = bytes_of(iov[i].iov_base, iov[i].iov_len);
        while (!f->sorter(f->sorter_ctx, &in, &sorted)) TRY(sorted_put(f, c, &sorted));
    }
    while (!f->sorter(f->sorter_ctx, NULL, &sorted)) TRY(sorted_put(f, c, &sorted));
    return sorted_put(f, c, &sorted);
}

bool flow_drain(struct flow *f, struct conn *c, enum stream s)
{
    struct sink *sink = &f->sink[s];
    bool moved = false;
    while (sink->fd >= 0 && sink->queue.n && !sink->blocked) {
        ssize_t n = fd_write(sink->fd, f->kind, (struct bytes){sink->queue.p + sink->queue.head, sink->queue.n});
        if (n > 0) {
            if ((size_t)n < sink->queue.n && f->kind != PUMP_FD_BLOCKING) sink->blocked = true;
            queue_take(&sink->queue, (size_t)n);
            flow_consumed(f, c, (size_t)n);
            moved = true;
        } else if (n == -EAGAIN) {
            sink->blocked = true;
        } else {
            sink_broken(f, c, s, (int)-n);
            moved = true;
        }
    }
    if (f->peer_eof && sink->fd >= 0 && sink->queue.n == 0 && !f->ends.is_pty) sink_close(f, s);
    return moved;
}

bool flow_drained(const struct flow *f)
{
    return f->sink[0].queue.n == 0 && f->sink[1].queue.n == 0;
}

void flow_peer_eof(struct flow *f)
{
    f->peer_eof = true;
    for (int s = 0; s < 2; s++)
        if (f->sink[s].queue.n == 0 && !f->ends.is_pty) sink_close(f, (enum stream)s);
}

void flow_peer_eow(struct flow *f)
{
    for (int s = 0; s < 2 && !f->ends.is_pty; s++) {
        f->source[s].ready = false;
        place_close(f, &f->source[s].fd, false);
    }
}

void flow_orphan(struct flow *f)
{
    f->orphan = f->peer_eof = true;
    for (int s = 0; s < 2; s++) place_close(f, &f->source[s].fd, false);
    for (int s = 0; s < 2; s++)     /* a terminal is hung up at once, whether somebody reads it or not */
        if (f->sink[s].queue.n == 0 || f->ends.is_pty) sink_close(f, (enum stream)s);
}

/* ---- from the sources ---- */

static void source_end(struct flow *f, enum stream s)
{
    f->source[s].ready = false;
    place_close(f, &f->source[s].fd, false);
}

/* Read until the rooms are full or the descriptor is empty. A short read means empty, unless it was so long that a writer
 * beside us may have filled it again meanwhile. *ended: end of file or an error (EIO of a pty whose last user left). */
static size_t source_read(struct flow *f, struct source *src, struct iovec *iov, size_t count, bool *ended)
{
    size_t got = 0;
    while (count) {
        size_t asked = iov_total(iov, count);
        ssize_t n = fd_readv(src->fd, f->kind, iov, count);
        if (n == -EAGAIN) {
            src->ready = false;
            *ended = f->finish;
            break;
        }
        if (n <= 0) {
            if (n < 0) loss_note(f, src->fd, (int)-n);
            *ended = true;
            break;
        }
        got += (size_t)n;
        pipe_tune(f, src->fd, &src->grown, (size_t)n);
        count = iov_advance(iov, count, (size_t)n);
        if (!f->finish && (size_t)n < asked && n < (f->ends.is_pty ? PTY_MORE : BULK_FROM)) {
            src->ready = false;
            break;
        }
    }
    return got;
}

size_t flow_fill(struct flow *f, struct conn *c, enum stream s, size_t max, bool *filtered)
{
    struct source *src = &f->source[s];
    struct span room[BULK_ROOMS];
    struct iovec iov[BULK_ROOMS];
    size_t want = f->filter ? 1 : BULK_ROOMS;
    size_t rooms = chan_reserve_v(c, f->chan, s, 0, room, want), total = 0, used = 0;
    for (; used < rooms && total < max; used++) {
        size_t n = room[used].n < max - total ? room[used].n : max - total;
        iov[used] = (struct iovec){.iov_base = room[used].p, .iov_len = n};
        total += n;
    }
    if (total == 0) return 0;
    bool ended = false;
    size_t got = source_read(f, src, iov, used, &ended), sent = got;
    if (f->filter && got) sent = f->filter(f->filter_ctx, f->chan, room[0].p, got);
    if (sent < got) *filtered = true;
    chan_commit(c, f->chan, s, sent);
    if (got) f->bulk = got >= BULK_FROM;
    if (ended) source_end(f, s);
    return got;
}

void flow_finish(struct flow *f)
{
    f->finish = true;
    for (int s = 0; s < 2; s++) f->source[s].ready = f->source[s].fd >= 0;
}

bool flow_sources_ended(const struct flow *f)
{
    return f->source[0].fd < 0 && f->source[1].fd < 0;
}
