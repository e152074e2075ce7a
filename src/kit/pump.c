/* SPDX-License-Identifier: ISC */
#include "kit/pump.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "fdio.h"
#include "flow.h"

#define POLL_EVERY      2097152     /* bytes moved before the other descriptors are looked at, while there is work without poll */
#define QUANTUM_MIN     32768       /* a slow link: no more bulk than that waits in front of a keystroke */
#define TRIM_AFTER_US   1000000     /* idle for that long: buffers go back to the kernel */
#define CHAN_LIMIT      65536       /* channel numbers are small indexes */
#define PAGE            4096

struct watch {
    int fd;
    short events;
};

/* Whom an entry of the poll set belongs to. */
enum poll_what { POLL_CONN, POLL_WATCH, POLL_SINK, POLL_SOURCE };
struct poll_who {
    enum poll_what what;
    enum stream stream;
    struct flow *flow;
};

struct pump {
    struct conn *conn;
    int fd_in, fd_out;
    enum pump_fd_kind kind;
    bool in_ready, in_ended, out_blocked, out_dead, trimmed;
    int socket_errno;
    size_t quantum;                 /* bulk bytes that may wait for the socket */
    size_t moved;                   /* bytes since the last poll */
    size_t tell;                    /* flows whose tell_sources is set */
    size_t turn;                    /* who begins: rotates over flows and watches */
    uint64_t alarm_us;

    struct flow **flows;            /* all, orphans too */
    size_t flow_count, flow_cap;
    struct flow **by_chan;
    size_t chan_cap;

    struct watch *watches;
    size_t watch_count, watch_cap;
    struct pollfd *polls;
    struct poll_who *whos;
    size_t poll_count, poll_cap;

    struct iovec gather[GATHER_MAX];    /* views of data events not written yet: one flow's, one stream's */
    size_t gather_count;
    struct flow *gather_flow;
    enum stream gather_stream;
};

uint64_t pump_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

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
    free(p->flows), free(p->by_chan), free(p->watches), free(p->polls), free(p->whos);
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

/* Make room for one more element. */
MUST_USE static enum err array_grow(void **array, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap) return ERR_NONE;
    size_t bigger = *cap ? *cap : 8;
    while (bigger < need) bigger *= 2;
    void *grown = realloc(*array, bigger * size);
    if (!grown) return ERR_NOMEM;
    *array = grown, *cap = bigger;
    return ERR_NONE;
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

void pump_set_filter(struct pump *p, uint32_t chan, pump_filter *filter, void *ctx)
{
    struct flow *f = pump_flow(p, chan);
    if (f) f->filter = filter, f->filter_ctx = ctx;
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
            if (!p->socket_errno) p->socket_errno = (int)-n;
        }
    }
    return moved;
}

void pump_flush(struct pump *p)
{
    (void)pump_write(p);
}

static bool pump_read(struct pump *p)
{
    if (!p->in_ready || p->in_ended) return false;
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
    p->in_ready = (size_t)n == room.n;
    conn_input_commit(p->conn, (size_t)n);
    pump_moved(p, (size_t)n);
    return true;
}

/* ---- events ---- */

/* Hand the gathered views to their sink. They were opened in place, and stay where they are until the input is read again. */
MUST_USE static enum err gather_deliver(struct pump *p)
{
    size_t n = p->gather_count;
    p->gather_count = 0;
    return n ? flow_deliver(p->gather_flow, p->conn, p->gather_stream, p->gather, n) : ERR_NONE;
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
    struct flow *f = ev->type == EV_CHANNEL_EOF || ev->type == EV_CHANNEL_CLOSED || ev->type == EV_CHANNEL_PEER_CLOSED || ev->type == EV_CHANNEL_REFUSED
        ? pump_flow(p, ev->chan) : NULL;
    if (!f) return;
    if (ev->type == EV_CHANNEL_EOF) {
        flow_peer_eof(f);
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
        pump_moved(p, got);
    }
    flow_end_sources(p, f);
    return moved;
}

/* All flows, those with little to say first; who begins among the others rotates. */
static bool pump_fill(struct pump *p, uint32_t *filtered)
{
    bool moved = false;
    size_t n = p->flow_count;
    for (size_t i = 0; i < n; i++)
        if (!p->flows[i]->bulk && pump_fill_flow(p, p->flows[i], filtered)) moved = true;
    for (size_t i = 0; i < n; i++) {
        struct flow *f = p->flows[(i + p->turn) % n];
        if (f->bulk && pump_fill_flow(p, f, filtered)) moved = true;
    }
    p->turn++;
    return moved;
}

/* Queues that ppoll found writable; flows that are over go. True in *got: a program waits for one of those. */
static bool pump_drain(struct pump *p, struct pump_ready *out, bool *got)
{
    bool moved = false;
    for (size_t i = 0; i < p->flow_count; i++) {
        struct flow *f = p->flows[i];
        for (int s = 0; s < 2; s++) {
            size_t before = f->sink[s].queue.n;
            if (before && flow_drain(f, p->conn, (enum stream)s)) moved = true;
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

/* ---- waiting ---- */

static void poll_add(struct pump *p, int fd, short events, struct poll_who who)
{
    p->polls[p->poll_count] = (struct pollfd){.fd = fd, .events = events};
    p->whos[p->poll_count++] = who;
}

/* Room in the poll set for all that there may be. */
MUST_USE static enum err poll_room(struct pump *p)
{
    size_t need = 2 + p->watch_count + 4 * p->flow_count, cap = p->poll_cap;
    void *array = p->polls;
    TRY(array_grow(&array, &cap, need, sizeof(*p->polls)));
    p->polls = array;
    array = p->whos;
    TRY(array_grow(&array, &p->poll_cap, need, sizeof(*p->whos)));
    p->whos = array;
    p->poll_count = 0;
    return ERR_NONE;
}

static void poll_add_conn(struct pump *p)
{
    const struct poll_who who = {.what = POLL_CONN};
    bool in = !p->in_ended && !p->in_ready && (conn_wants(p->conn) & WANT_READ);
    bool out = p->out_blocked && conn_output_peek(p->conn).n;
    bool both = in && out && p->fd_in == p->fd_out;
    if (in) poll_add(p, p->fd_in, both ? POLLIN | POLLOUT : POLLIN, who);
    if (out && !both) poll_add(p, p->fd_out, POLLOUT, who);
}

static void poll_add_flow(struct pump *p, struct flow *f, bool sources)
{
    size_t waiting = conn_output_peek(p->conn).n;
    if (f->orphan || (f->bulk && waiting >= p->quantum)) sources = false;
    for (int s = 0; s < 2; s++) {
        struct poll_who who = {.stream = (enum stream)s, .flow = f, .what = POLL_SINK};
        if (f->sink[s].blocked && f->sink[s].queue.n) poll_add(p, f->sink[s].fd, POLLOUT, who);
        who.what = POLL_SOURCE;
        const struct source *src = &f->source[s];
        if (sources && src->fd >= 0 && !src->ready && chan_room(p->conn, f->chan)) poll_add(p, src->fd, POLLIN, who);
    }
}

/* Only descriptors from which something is wanted: the others would report a hang-up again and again. Watched ones first. */
MUST_USE static enum err poll_build(struct pump *p, bool all)
{
    TRY(poll_room(p));
    for (size_t i = 0; all && i < p->watch_count; i++)
        poll_add(p, p->watches[i].fd, p->watches[i].events, (struct poll_who){.what = POLL_WATCH});
    if (all) poll_add_conn(p);
    for (size_t i = 0; i < p->flow_count; i++) poll_add_flow(p, p->flows[i], all);
    return ERR_NONE;
}

static void poll_note(struct pump *p, const struct pollfd *one, const struct poll_who *who)
{
    if (one->revents == 0) return;
    if (who->what == POLL_SINK) who->flow->sink[who->stream].blocked = false;
    if (who->what == POLL_SOURCE) who->flow->source[who->stream].ready = true;
    if (who->what != POLL_CONN) return;
    if (one->fd == p->fd_out && (one->revents & (POLLOUT | POLLERR | POLLHUP))) p->out_blocked = false;
    if (one->fd == p->fd_in && (one->revents & ~POLLOUT)) p->in_ready = true;
}

/* A watched descriptor that is ready; only one a time, since what the program does about it may settle another. */
static bool poll_watched(struct pump *p, struct pump_ready *out)
{
    for (size_t i = 0; i < p->watch_count; i++) {
        size_t at = (i + p->turn) % p->watch_count;
        if (p->polls[at].revents == 0) continue;
        *out = (struct pump_ready){.what = PUMP_FD, .fd = p->polls[at].fd, .revents = p->polls[at].revents};
        p->turn++;
        return true;
    }
    return false;
}

static void pump_trim(struct pump *p)
{
    struct span buffers[2] = {{0}, {0}};
    p->trimmed = true;
    if (!conn_idle_buffers(p->conn, &buffers[0], &buffers[1])) return;
    for (int i = 0; i < 2; i++) {
        uintptr_t begin = ((uintptr_t)buffers[i].p + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
        uintptr_t end = ((uintptr_t)buffers[i].p + buffers[i].n) & ~(uintptr_t)(PAGE - 1);
        if (buffers[i].n && end > begin) (void)madvise(buffers[i].p + (begin - (uintptr_t)buffers[i].p), end - begin, MADV_DONTNEED);
    }
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Wait (or only look). True: *out is for the program. */
MUST_USE static enum err pump_poll(struct pump *p, uint64_t now_us, bool wait, const void *mask, struct pump_ready *out, bool *got)
{
    TRY(poll_build(p, true));
    uint64_t until = min_u64(conn_deadline(p->conn), p->alarm_us);
    if (!p->trimmed) until = min_u64(until, now_us + TRIM_AFTER_US);
    uint64_t us = !wait || until <= now_us ? 0 : until - now_us;
    struct timespec timeout = {.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};
    bool forever = wait && until == UINT64_MAX;
    int n = ppoll(p->polls, p->poll_count, forever ? NULL : &timeout, mask);
    p->moved = 0;
    if (n < 0 && errno != EINTR) return ERR_SYSTEM;
    if (n < 0) {
        *out = (struct pump_ready){.what = PUMP_SIGNAL};
        *got = true;
        return ERR_NONE;
    }
    if (n == 0 && wait && !p->trimmed && pump_now_us() >= now_us + TRIM_AFTER_US) pump_trim(p);
    for (size_t i = 0; i < p->poll_count; i++) poll_note(p, &p->polls[i], &p->whos[i]);
    *got = poll_watched(p, out);
    return ERR_NONE;
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
        uint64_t now_us = pump_now_us();
        if (drained || now_us >= until_us || poll_build(p, false) != ERR_NONE) return drained;
        uint64_t us = until_us - now_us;
        struct timespec timeout = {.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};
        if (ppoll(p->polls, p->poll_count, until_us == UINT64_MAX ? NULL : &timeout, mask) < 0) return false;
        for (size_t i = 0; i < p->poll_count; i++) poll_note(p, &p->polls[i], &p->whos[i]);
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
        uint64_t now_us = pump_now_us();
        bool got = false;
        enum err e = pump_step(p, now_us, out, &got);
        if (e != ERR_NONE) (void)pump_write(p);
        TRY(e);
        if (got || tell_next(p, out) || alarm_due(p, now_us, out)) return ERR_NONE;
        uint32_t filtered = UINT32_MAX;
        bool moved = pump_drain(p, out, &got);
        if (got) return ERR_NONE;
        moved |= pump_fill(p, &filtered);
        moved |= pump_write(p);
        if (filtered != UINT32_MAX) {
            *out = (struct pump_ready){.what = PUMP_FILTERED, .event = {.chan = filtered}};
            return ERR_NONE;
        }
        moved |= pump_read(p);
        if (moved && p->moved < POLL_EVERY) continue;
        TRY(pump_poll(p, now_us, !moved, mask, out, &got));
        if (got) return ERR_NONE;
    }
}
