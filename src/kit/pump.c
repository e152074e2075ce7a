/* SPDX-License-Identifier: ISC */
#include "kit/pump.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "fdio.h"
#include "os/clock.h"
#include "wait.h"

#define POLL_EVERY      2097152     /* bytes moved before the other descriptors are looked at, while there is work without poll */
#define QUANTUM_MIN     32768       /* a slow link: no more bulk than that waits in front of a keystroke */
#define PAUSE_US        10000
#define CHAN_LIMIT      65536       /* channel numbers are small indexes */

struct pump *pump_new(struct conn *c, int fd_in, int fd_out, enum pump_fd_kind kind)
{
    struct pump *p = calloc(1, sizeof(*p));
    if (!p) return NULL;
    p->conn = c, p->fd_in = fd_in, p->fd_out = fd_out, p->kind = kind;
    p->quantum = BULK_READ, p->alarm_us = UINT64_MAX;
    return p;
}

void pump_free(struct pump *p)
{
    if (!p) return;
    for (size_t i = 0; i < p->flow_count; i++) flow_free(p->flows[i]);
    free(p->flows), free(p->by_chan), free(p->watches), free(p->makers), free(p->polls), free(p->whos);
    free(p);
}

struct conn *pump_conn(const struct pump *p)
{
    return p->conn;
}

int pump_socket_errno(const struct pump *p)
{
    return p->socket_errno;
}

int pump_data_errno(const struct pump *p)
{
    return p->data_errno;
}

/* ---- flows ---- */

static struct flow *pump_flow(const struct pump *p, uint32_t chan)
{
    return chan < p->chan_cap ? p->by_chan[chan] : NULL;
}

enum err pump_attach(struct pump *p, uint32_t chan, const struct pump_ends *ends)
{
    if (chan >= CHAN_LIMIT || pump_flow(p, chan)) return ERR_USAGE;
    size_t old = p->chan_cap;
    void *array = p->by_chan;
    TRY(array_grow(&array, &p->chan_cap, chan + 1, sizeof(*p->by_chan)));
    p->by_chan = array;
    if (p->chan_cap > old) memset(p->by_chan + old, 0, (p->chan_cap - old) * sizeof(*p->by_chan));
    array = p->flows;
    TRY(array_grow(&array, &p->flow_cap, p->flow_count + 1, sizeof(*p->flows)));
    p->flows = array;
    struct flow *f = flow_new(chan, ends);
    if (!f) return ERR_NOMEM;
    f->active_us = p->now_us = clock_us();
    p->flows[p->flow_count++] = p->by_chan[chan] = f;
    return ERR_NONE;
}

static void flow_remove(struct pump *p, struct flow *f)
{
    for (size_t i = 0; i < p->flow_count; i++) {
        if (p->flows[i] != f) continue;
        p->flows[i] = p->flows[--p->flow_count];
        break;
    }
    if (pump_flow(p, f->chan) == f) p->by_chan[f->chan] = NULL;
}

void pump_detach(struct pump *p, uint32_t chan)
{
    struct flow *f = pump_flow(p, chan);
    if (!f) return;
    for (int s = 0; s < 2; s++) {
        (void)flow_drain(f, p->conn, (enum stream)s);
        chan_consumed(p->conn, chan, f->sink[s].queue.n);
    }
    flow_remove(p, f);
    flow_release(f);
}

uint64_t pump_active_us(const struct pump *p, uint32_t chan)
{
    const struct flow *f = pump_flow(p, chan);
    return f ? f->active_us : 0;
}

void pump_drop(struct pump *p, uint32_t chan)
{
    struct flow *f = pump_flow(p, chan);
    if (!f) return;
    flow_remove(p, f);
    flow_free(f);
}

bool pump_drained(const struct pump *p, uint32_t chan)
{
    for (size_t i = 0; i < p->flow_count; i++)
        if (p->flows[i]->chan == chan && !flow_drained(p->flows[i])) return false;
    return true;
}

bool pump_sources_ended(const struct pump *p, uint32_t chan)
{
    const struct flow *f = pump_flow(p, chan);
    return !f || flow_sources_ended(f);
}

void pump_finish(struct pump *p, uint32_t chan)
{
    struct flow *f = pump_flow(p, chan);
    if (f) flow_finish(f);
}

void pump_set_filter(struct pump *p, uint32_t chan, pump_filter *filter, void *ctx)
{
    struct flow *f = pump_flow(p, chan);
    if (f) f->filter = filter, f->filter_ctx = ctx;
}

void pump_set_sorter(struct pump *p, uint32_t chan, pump_sorter *sorter, void *ctx)
{
    struct flow *f = pump_flow(p, chan);
    if (f) f->sorter = sorter, f->sorter_ctx = ctx;
}

enum err pump_watch(struct pump *p, int fd, short events)
{
    size_t i = 0;
    while (i < p->watch_count && p->watches[i].fd != fd) i++;
    if (events == 0) {
        if (i < p->watch_count) p->watches[i] = p->watches[--p->watch_count];
        return ERR_NONE;
    }
    void *array = p->watches;
    TRY(array_grow(&array, &p->watch_cap, i + 1, sizeof(*p->watches)));
    p->watches = array;
    if (i == p->watch_count) p->watch_count++;
    p->watches[i] = (struct watch){.fd = fd, .events = events};
    return ERR_NONE;
}

enum err pump_want_room(struct pump *p, uint32_t chan, size_t room)
{
    size_t i = 0;
    while (i < p->maker_count && p->makers[i].chan != chan) i++;
    if (room == 0) {
        if (i < p->maker_count) p->makers[i] = p->makers[--p->maker_count];
        return ERR_NONE;
    }
    void *array = p->makers;
    TRY(array_grow(&array, &p->maker_cap, i + 1, sizeof(*p->makers)));
    p->makers = array;
    if (i == p->maker_count) p->maker_count++;
    p->makers[i] = (struct maker){.chan = chan, .room = room};
    return ERR_NONE;
}

void pump_alarm(struct pump *p, uint64_t at_us)
{
    p->alarm_us = at_us;
}

/* ---- the socket ---- */

static void pump_moved(struct pump *p, size_t n)
{
    p->moved += n;
    if (n) p->trimmed = false;
}

/* Write what the conn holds, until the socket takes no more. A link that takes it all earns a larger quantum; one that
 * does not gets as much bulk prepared as it took, so that a keystroke never queues behind more. */
static bool pump_write(struct pump *p)
{
    bool moved = false;
    while (!p->out_blocked) {
        struct bytes out = conn_output_peek(p->conn);
        if (out.n == 0) break;
        ssize_t n = p->out_dead ? (ssize_t)out.n : fd_write(p->fd_out, p->kind, out);
        if (n > 0) {
            conn_output_consume(p->conn, (size_t)n);
            pump_moved(p, (size_t)n);
            moved = true;
            if ((size_t)n < out.n && p->kind != PUMP_FD_BLOCKING) {
                p->out_blocked = true;
                p->quantum = (size_t)n > QUANTUM_MIN ? (size_t)n : QUANTUM_MIN;
            } else {
                p->quantum *= 2;
            }
            if (p->quantum > BULK_READ) p->quantum = BULK_READ;
        } else if (n == -EAGAIN) {
            p->out_blocked = true;
        } else {
            p->out_dead = true;         /* go on reading: the peer's last words may say why */
            if (n != -EPIPE) p->in_ready = p->in_last = true;   /* our own trouble, the peer knows nothing of it: only what is there already */
            if (!p->socket_errno) p->socket_errno = (int)-n;
        }
    }
    return moved;
}

void pump_flush(struct pump *p)
{
    (void)pump_write(p);
}

/* The only channel's sink is full, but its reader keeps reading: what else has come waits in the socket for a moment, which costs nothing,
 * instead of in our queue, which costs a copy. A reader that rests is no reason to leave the peer's other messages unread. */
uint64_t pump_pause_us(const struct pump *p)
{
    if (p->flow_count != 1 || flow_drained(p->flows[0])) return 0;
    uint64_t until = p->flows[0]->drained_us + PAUSE_US;
    return p->now_us < until ? until : 0;
}

static bool pump_read(struct pump *p)
{
    if (!p->in_ready || p->in_ended || pump_pause_us(p)) return false;
    struct span room = conn_input_reserve(p->conn);
    if (room.n == 0) return false;
    if (room.n > BULK_READ) room.n = BULK_READ;
    ssize_t n = fd_read(p->fd_in, p->kind, room);
    if (n == -EAGAIN && !p->out_dead) {
        p->in_ready = false;
        return false;
    }
    if (n <= 0) {
        if (n < 0 && n != -EAGAIN && !p->socket_errno) p->socket_errno = (int)-n;
        p->in_ended = true;
        n = 0;
    }
    p->in_ready = (size_t)n == room.n || p->in_last;
    conn_input_commit(p->conn, (size_t)n);
    pump_moved(p, (size_t)n);
    return true;
}

/* ---- events ---- */

/* A stream with a hole in it must not look whole to anyone: its end is the connection's. */
MUST_USE static enum err loss_check(struct pump *p, const struct flow *f)
{
    if (f->lost == 0) return ERR_NONE;
    p->data_errno = f->lost;
    return ERR_SYSTEM;
}

/* Hand the gathered views to their sink. They were opened in place, and stay where they are until the input is read again. */
MUST_USE static enum err gather_deliver(struct pump *p)
{
    size_t n = p->gather_count;
    p->gather_count = 0;
    if (n == 0) return ERR_NONE;
    p->gather_flow->active_us = p->now_us;
    if (flow_drained(p->gather_flow)) p->gather_flow->drained_us = p->now_us;
    TRY(flow_deliver(p->gather_flow, p->conn, p->gather_stream, p->gather, n));
    return loss_check(p, p->gather_flow);
}

MUST_USE static enum err gather_add(struct pump *p, struct flow *f, const struct event *ev)
{
    if (p->gather_count == GATHER_MAX || (p->gather_count && (p->gather_flow != f || p->gather_stream != ev->data.stream)))
        TRY(gather_deliver(p));
    p->gather_flow = f, p->gather_stream = ev->data.stream;
    union { const uint8_t *in; void *out; } unconst = {.in = ev->data.bytes.p};
    p->gather[p->gather_count++] = (struct iovec){.iov_base = unconst.out, .iov_len = ev->data.bytes.n};
    /* An inflated view is overwritten by the next packet's: it cannot wait. */
    return conn_facts(p->conn)->compress_in ? gather_deliver(p) : ERR_NONE;
}

/* What an event means for the descriptors, before the program hears of it. */
static void pump_note(struct pump *p, const struct event *ev)
{
    bool eow = ev->type == EV_CHANNEL_REQUEST && ev->request.type == REQ_EOW;
    bool over = ev->type == EV_CHANNEL_CLOSED || ev->type == EV_CHANNEL_PEER_CLOSED || ev->type == EV_CHANNEL_REFUSED;
    struct flow *f = over || eow || ev->type == EV_CHANNEL_EOF ? pump_flow(p, ev->chan) : NULL;
    if (!f) return;
    if (ev->type == EV_CHANNEL_EOF) {
        flow_peer_eof(f);
    } else if (eow) {
        flow_peer_eow(f);
    } else {
        flow_orphan(f);
        f->late = !flow_drained(f);
        p->by_chan[f->chan] = NULL;
    }
}

/* Turn the crank until it stands still or there is an event for the program (*out, true in *got). */
MUST_USE static enum err pump_step(struct pump *p, uint64_t now_us, struct pump_ready *out, bool *got)
{
    for (;;) {
        struct event ev = {.type = EV_NONE};
        enum err e = conn_next(p->conn, now_us, &ev);
        if (e == ERR_NONE && ev.type == EV_CHANNEL_DATA) {
            struct flow *f = pump_flow(p, ev.chan);
            if (f) {
                TRY(gather_add(p, f, &ev));
                continue;
            }
        }
        bool consumed = p->gather_count != 0;
        TRY(gather_deliver(p));
        TRY(e);
        if (ev.type == EV_NONE && consumed) continue;   /* windows that reopened are flushed by conn_next */
        if (ev.type == EV_NONE) return ERR_NONE;
        pump_note(p, &ev);
        *out = (struct pump_ready){.what = PUMP_EVENT, .event = ev};
        *got = true;
        return ERR_NONE;
    }
}

/* ---- channels ---- */

/* The last source of a channel ended: EOF goes out behind its data, the program hears of it. */
static void flow_end_sources(struct pump *p, struct flow *f)
{
    bool given = f->source[0].given || f->source[1].given;
    if (f->sources_over || f->orphan || !given || !flow_sources_ended(f)) return;
    f->sources_over = f->tell_sources = true;
    p->tell++;
    if (!f->ends.hold_eof) chan_eof(p->conn, f->chan);
}

static bool tell_next(struct pump *p, struct pump_ready *out)
{
    if (p->tell == 0) return false;
    p->tell--;
    for (size_t i = 0; i < p->flow_count; i++) {
        struct flow *f = p->flows[i];
        if (!f->tell_sources) continue;
        f->tell_sources = false;
        *out = (struct pump_ready){.what = PUMP_SOURCES_ENDED, .event = {.chan = f->chan}};
        return !f->orphan;
    }
    return false;
}

void pump_hold(struct pump *p, uint32_t chan, bool held)
{
    struct flow *f = pump_flow(p, chan);
    if (f) f->held = held;
}

/* One flow's turn at its sources. Keystrokes always, bulk only while little waits for the socket. */
static bool pump_fill_flow(struct pump *p, struct flow *f, uint32_t *filtered)
{
    bool moved = false;
    for (int s = 0; s < 2; s++) {
        struct source *src = &f->source[s];
        size_t waiting = conn_output_peek(p->conn).n;
        if (src->fd < 0 || !src->ready || f->orphan || (f->bulk && waiting >= p->quantum)) continue;
        bool cut = false;
        size_t max = f->bulk && p->quantum < BULK_READ ? p->quantum : BULK_READ;
        size_t got = flow_fill(f, p->conn, (enum stream)s, max, &cut);
        if (cut) *filtered = f->chan;
        if (got || src->fd < 0) moved = true;
        if (got) f->active_us = p->now_us;
        pump_moved(p, got);
    }
    flow_end_sources(p, f);
    return moved;
}

void pump_pull(struct pump *p, uint32_t chan, bool *cut)
{
    struct flow *f = pump_flow(p, chan);
    uint32_t filtered = UINT32_MAX;
    if (!f || f->orphan) return;
    for (int s = 0; s < 2; s++) f->source[s].ready = f->source[s].fd >= 0;
    (void)pump_fill_flow(p, f, &filtered);
    *cut = filtered != UINT32_MAX;
}

/* All flows, those with little to say first; who begins among the others rotates. */
static bool pump_fill(struct pump *p, uint32_t *filtered)
{
    bool moved = false;
    size_t n = p->flow_count;
    for (size_t i = 0; i < n; i++)
        if (!p->flows[i]->bulk && !p->flows[i]->held && pump_fill_flow(p, p->flows[i], filtered)) moved = true;
    for (size_t i = 0; i < n; i++) {
        struct flow *f = p->flows[(i + p->turn) % n];
        if (f->bulk && !f->held && pump_fill_flow(p, f, filtered)) moved = true;
    }
    p->turn++;
    return moved;
}

/* A channel whose program makes its data, and that may send now: while little waits for the socket, and by turns with the flows. */
static bool maker_next(struct pump *p, struct pump_ready *out)
{
    size_t waiting = conn_output_peek(p->conn).n;
    if (p->maker_had || waiting >= p->quantum) return false;
    for (size_t i = 0; i < p->maker_count; i++) {
        const struct maker *m = &p->makers[(i + p->maker_turn) % p->maker_count];
        size_t room = chan_room(p->conn, m->chan);
        if (room == 0 || (room < m->room && waiting > 0)) continue;
        *out = (struct pump_ready){.what = PUMP_ROOM, .event = {.chan = m->chan}};
        p->maker_turn++, p->maker_had = true;
        return true;
    }
    return false;
}

/* Queues that ppoll found writable; flows that are over go. True in *got: a program waits for one of those. */
static bool pump_drain(struct pump *p, struct pump_ready *out, bool *got)
{
    bool moved = false;
    for (size_t i = 0; i < p->flow_count; i++) {
        struct flow *f = p->flows[i];
        for (int s = 0; s < 2; s++) {
            size_t before = f->sink[s].queue.n;
            if (before && flow_drain(f, p->conn, (enum stream)s)) moved = true, f->active_us = f->drained_us = p->now_us;
            pump_moved(p, before - f->sink[s].queue.n);
        }
        if (!f->orphan || !flow_drained(f)) continue;
        *out = (struct pump_ready){.what = PUMP_DRAINED, .event = {.chan = f->chan}};
        *got = f->late;
        flow_remove(p, f);
        flow_free(f);
        if (*got) return true;
        i--;
    }
    return moved;
}

bool pump_linger(struct pump *p, uint64_t until_us, const void *mask)
{
    for (;;) {
        bool drained = true;
        struct pump_ready none;
        bool got = false;
        do got = false, (void)pump_drain(p, &none, &got);
        while (got);
        for (size_t i = 0; i < p->flow_count; i++)
            if (!flow_drained(p->flows[i])) drained = false;
        if (drained || !wait_sinks(p, until_us, mask)) return drained;
    }
}

/* ---- the loop ---- */

static bool alarm_due(struct pump *p, uint64_t now_us, struct pump_ready *out)
{
    if (now_us < p->alarm_us) return false;
    p->alarm_us = UINT64_MAX;
    *out = (struct pump_ready){.what = PUMP_TIME};
    return true;
}

enum err pump_next(struct pump *p, const void *mask, struct pump_ready *out)
{
    for (;;) {
        uint64_t now_us = p->now_us = clock_us();
        bool got = false;
        enum err e = pump_step(p, now_us, out, &got);
        if (e != ERR_NONE) (void)pump_write(p);
        TRY(e);
        if (got || tell_next(p, out) || alarm_due(p, now_us, out)) return ERR_NONE;
        uint32_t filtered = UINT32_MAX;
        bool moved = pump_drain(p, out, &got);
        if (got || maker_next(p, out)) return ERR_NONE;
        moved |= pump_fill(p, &filtered) || p->maker_had;
        moved |= pump_write(p);
        p->maker_had = false;
        for (size_t i = 0; i < p->flow_count; i++) TRY(loss_check(p, p->flows[i]));
        if (filtered != UINT32_MAX) {
            *out = (struct pump_ready){.what = PUMP_FILTERED, .event = {.chan = filtered}};
            return ERR_NONE;
        }
        moved |= pump_read(p);
        if (moved && p->moved < POLL_EVERY) continue;
        TRY(wait_all(p, now_us, !moved, mask, out, &got));
        if (got) return ERR_NONE;
    }
}
