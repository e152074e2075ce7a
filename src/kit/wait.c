/* SPDX-License-Identifier: ISC */
/* What the pump waits for: one poll set, made anew each time from what is wanted now. */
#include "wait.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "os/clock.h"

#define TRIM_AFTER_US   1000000     /* idle for that long: buffers go back to the kernel */
#define PAGE            4096

enum err array_grow(void **array, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap) return ERR_NONE;
    size_t bigger = *cap ? *cap : 8;
    while (bigger < need) bigger *= 2;
    void *grown = realloc(*array, bigger * size);
    if (!grown) return ERR_NOMEM;
    *array = grown, *cap = bigger;
    return ERR_NONE;
}

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
    bool in = !p->in_ended && !p->in_ready && !pump_pause_us(p) && (conn_wants(p->conn) & WANT_READ);
    bool out = p->out_blocked && conn_output_peek(p->conn).n;
    bool both = in && out && p->fd_in == p->fd_out;
    if (in) poll_add(p, p->fd_in, both ? POLLIN | POLLOUT : POLLIN, who);
    if (out && !both) poll_add(p, p->fd_out, POLLOUT, who);
}

static void poll_add_flow(struct pump *p, struct flow *f, bool sources)
{
    size_t waiting = conn_output_peek(p->conn).n;
    if (f->orphan || f->held || (f->bulk && waiting >= p->quantum)) sources = false;
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

enum err wait_all(struct pump *p, uint64_t now_us, bool wait, const void *mask, struct pump_ready *out, bool *got)
{
    TRY(poll_build(p, true));
    uint64_t until = min_u64(conn_deadline(p->conn), p->alarm_us);
    uint64_t pause = pump_pause_us(p);
    if (pause) until = min_u64(until, pause);
    if (!p->trimmed) until = min_u64(until, now_us + TRIM_AFTER_US);
    struct timespec timeout = clock_span(!wait || until <= now_us ? 0 : until - now_us);
    bool forever = wait && until == UINT64_MAX;
    int n = ppoll(p->polls, p->poll_count, forever ? NULL : &timeout, mask);
    p->moved = 0;
    if (n < 0 && errno != EINTR) return ERR_SYSTEM;
    if (n < 0) {
        *out = (struct pump_ready){.what = PUMP_SIGNAL};
        *got = true;
        return ERR_NONE;
    }
    if (n == 0 && wait && !p->trimmed && clock_us() >= now_us + TRIM_AFTER_US) pump_trim(p);
    for (size_t i = 0; i < p->poll_count; i++) poll_note(p, &p->polls[i], &p->whos[i]);
    *got = poll_watched(p, out);
    return ERR_NONE;
}

bool wait_sinks(struct pump *p, uint64_t until_us, const void *mask)
{
    uint64_t now_us = clock_us();
    if (now_us >= until_us || poll_build(p, false) != ERR_NONE) return false;
    struct timespec timeout = clock_span(until_us - now_us);
    if (ppoll(p->polls, p->poll_count, until_us == UINT64_MAX ? NULL : &timeout, mask) < 0) return false;
    for (size_t i = 0; i < p->poll_count; i++) poll_note(p, &p->polls[i], &p->whos[i]);
    return true;
}
