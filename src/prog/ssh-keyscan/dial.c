/* SPDX-License-Identifier: ISC */
/* Connecting, and the loop of the outer process. An attempt is one host, one kind of key, one connection; it goes through its host's
 * addresses, and if none answers on to the next name of the host's list. */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/rd.h"
#include "keyscan.h"
#include "os/clock.h"
#include "os/message.h"

#define SPARE_FDS     64        /* what the process needs besides */
#define RESOLVE_AHEAD 512       /* names looked up before anybody waits for them */

enum state { FREE, CONNECTING, HANDING, SCANNING };

struct attempt {
    struct host *host;
    unsigned kind;
    enum state state;
    int fd;
    size_t address;             /* the next one to try */
    uint64_t deadline_us;
};

static struct {
    struct attempt *slot;
    size_t slots, used, handing;
    uint32_t *unused;           /* a stack of free slots */
    struct host *ready, **ready_end;
    struct pollfd *poll;
    uint32_t *polled;           /* slot of each */
    int scanner;
    bool more, found;
} d;

/* ---- hosts ---- */

static void host_release(struct host *h)
{
    if (--h->users > 0) return;
    free(h->names);
    free(h->output);
    free(h->name);
    free(h);
}

static void host_begin(char *names, char *output, size_t from, unsigned wanted);

/* What is left of the list after a name that did not answer; for one kind, or all. */
static void host_go_on(const struct host *h, unsigned wanted)
{
    if (!h->names[h->rest]) return;
    char *names = strdup(h->names), *output = h->output ? strdup(h->output) : NULL;
    if (!names || (h->output && !output)) fatal("out of memory");
    host_begin(names, output, h->rest, wanted);
}

static void host_resolved(struct host *h)
{
    if (h->error == 0 && h->addresses > 0) {
        h->next = NULL;
        *d.ready_end = h;
        d.ready_end = &h->next;
        return;
    }
    say("getaddrinfo %s: %s", h->name, h->error == EAI_SYSTEM ? strerror(h->system_error) : gai_strerror(h->error));
    host_go_on(h, h->kinds);
    host_release(h);
}

/* Takes names and output over. */
static void host_begin(char *names, char *output, size_t from, unsigned wanted)
{
    struct host *h = calloc(1, sizeof *h);
    size_t n = strcspn(names + from, ",");
    if (!h || !(h->name = strndup(names + from, n))) fatal("out of memory");
    h->names = names, h->output = output, h->kinds = wanted, h->users = 1;
    h->rest = from + n + (names[from + n] == ',');
    if (resolve(h)) host_resolved(h);
}

/* Hosts with something to start; asks for more of them while none is there. */
static struct host *host_ready(void)
{
    char *names, *output;
    while (!d.ready && d.more && resolve_pending() < RESOLVE_AHEAD) {
        d.more = source_next(&names, &output);
        if (d.more) host_begin(names, output, 0, settings.kinds);
    }
    return d.ready;
}

/* ---- attempts ---- */

static void attempt_end(struct attempt *a, bool go_on)
{
    if (a->fd >= 0) close(a->fd);
    if (go_on) host_go_on(a->host, 1u << a->kind);
    host_release(a->host);
    d.handing -= a->state == HANDING;
    *a = (struct attempt){.fd = -1};
    d.unused[--d.used] = (uint32_t)(a - d.slot);
}

/* To the scanner, as soon as it takes it; then the socket is no more ours. */
static void attempt_hand(struct attempt *a)
{
    uint8_t m[8];
    put_u32(m, (uint32_t)(a - d.slot));
    put_u32(m + 4, a->kind);
    d.handing += a->state != HANDING;
    a->state = HANDING;
    enum err e = message_send(d.scanner, m, sizeof m, &a->fd, 1, false);
    if (e == ERR_AGAIN || (e == ERR_SYSTEM && (errno == ETOOMANYREFS || errno == ENOBUFS))) return;
    if (e != ERR_NONE) fatal("the scanning process is gone");
    close(a->fd);
    a->fd = -1, a->state = SCANNING;
    d.handing--;
}

/* The next address that takes a connection at all; false: there is none, and the attempt is over. */
static bool attempt_connect(struct attempt *a)
{
    const struct host *h = a->host;
    while (a->address < h->addresses) {
        size_t i = a->address++;
        if (a->fd >= 0) close(a->fd);
        a->fd = socket(h->address[i].ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        a->state = CONNECTING;
        a->deadline_us = clock_us() + settings.timeout_s * 1000000ULL;
        if (a->fd < 0) continue;
        if (connect(a->fd, (const struct sockaddr *)&h->address[i], h->address_n[i]) == 0) {
            attempt_hand(a);
            return true;
        }
        if (errno == EINPROGRESS) return true;
        debug("connect to %s: %s", h->name, strerror(errno));
    }
    attempt_end(a, true);
    return false;
}

static void attempts_start(void)
{
    struct host *h;
    while (d.used < d.slots && (h = host_ready())) {
        unsigned kind = (unsigned)__builtin_ctz(h->kinds);
        struct attempt *a = &d.slot[d.unused[d.used++]];
        *a = (struct attempt){.host = h, .kind = kind, .fd = -1};
        h->kinds &= h->kinds - 1;
        if (h->kinds) {
            h->users++;
        } else {
            d.ready = h->next;
            if (!d.ready) d.ready_end = &d.ready;
        }
        attempt_connect(a);
    }
}

static void connected(struct attempt *a)
{
    int code = 0;
    socklen_t n = sizeof code;
    if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &code, &n) != 0) code = errno;
    if (code == 0) {
        attempt_hand(a);
        return;
    }
    debug("connect to %s: %s", a->host->name, strerror(code));
    attempt_connect(a);
}

/* ---- the scanner's answers ---- */

static void on_result(const struct scan_result *r)
{
    if (r->tag >= d.slots || d.slot[r->tag].state != SCANNING) fatal("the scanning process broke its protocol");
    struct attempt *a = &d.slot[r->tag];
    const char *name = a->host->name;
    if (r->greeted) show_ident(a->host, r->ident);
    if (r->end == END_KEY) d.found |= show_key(a->host, a->kind, r->blob);
    else if (r->end == END_CLOSED) say("%s: Connection closed by remote host", name);
    else if (r->end == END_ERROR) say("read (%s): %s", name, strerror((int)r->code));
    else debug("%s: %s %s", name, r->end == END_SILENT ? "timed out, " : "no key: ", kinds[a->kind].name);
    attempt_end(a, !r->greeted && r->end != END_KEY);
}

static void on_message(struct bytes m)
{
    struct rd r = rd_init(m);
    uint8_t type = rd_u8(&r);
    if (type == SCAN_LINE) {
        struct bytes text = rd_string(&r);
        debug("%.*s", (int)text.n, (const char *)text.p);
        return;
    }
    struct scan_result got;
    if (scan_result_parse(m, &got) != ERR_NONE) fatal("the scanning process broke its protocol");
    on_result(&got);
}

static void scanner_read(void)
{
    static uint8_t room[RESULT_MAX];
    for (;;) {
        struct message m;
        enum err e = message_recv(d.scanner, room, sizeof room, false, &m);
        if (e == ERR_AGAIN) return;
        if (e != ERR_NONE) fatal("the scanning process is gone");
        message_close_fds(&m);
        on_message(bytes_of(room, m.n));
    }
}

/* ---- the loop ---- */

static void hand_waiting(void)
{
    for (size_t i = 0; i < d.slots && d.handing > 0; i++)
        if (d.slot[i].state == HANDING) attempt_hand(&d.slot[i]);
}

/* Fills d.poll: scanner, resolver, then what connects. Milliseconds until the first gives up. */
static size_t poll_set(int *wait_ms)
{
    size_t n = 2;
    uint64_t first = UINT64_MAX, now = clock_us();
    d.poll[0] = (struct pollfd){.fd = d.scanner, .events = (short)(POLLIN | (d.handing ? POLLOUT : 0))};
    d.poll[1] = (struct pollfd){.fd = resolve_fd(), .events = POLLIN};
    for (size_t i = 0, seen = 0; i < d.slots && seen < d.used; i++) {
        seen += d.slot[i].state != FREE;
        if (d.slot[i].state != CONNECTING) continue;
        d.polled[n] = (uint32_t)i;
        d.poll[n++] = (struct pollfd){.fd = d.slot[i].fd, .events = POLLOUT};
        if (d.slot[i].deadline_us < first) first = d.slot[i].deadline_us;
    }
    *wait_ms = first == UINT64_MAX ? -1 : first <= now ? 0 : (int)((first - now) / 1000 + 1);
    if (d.handing && (*wait_ms < 0 || *wait_ms > 50)) *wait_ms = 50;        /* ETOOMANYREFS wakes nobody */
    return n;
}

static void turn(void)
{
    int wait_ms;
    struct host *h;
    size_t n = poll_set(&wait_ms);
    if (poll(d.poll, n, wait_ms) < 0 && errno != EINTR) fatal("poll: %s", strerror(errno));
    uint64_t now = clock_us();
    for (size_t i = 2; i < n; i++) {
        struct attempt *a = &d.slot[d.polled[i]];
        if (d.poll[i].revents) connected(a);
        else if (a->deadline_us <= now) attempt_connect(a);
    }
    scanner_read();
    hand_waiting();
    while ((h = resolve_done())) host_resolved(h);
}

static size_t slots_possible(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur < 2 * SPARE_FDS) return 16;
    return l.rlim_cur - SPARE_FDS < SLOTS_MAX ? (size_t)l.rlim_cur - SPARE_FDS : SLOTS_MAX;
}

bool dial_all(int scanner)
{
    d.scanner = scanner, d.more = true, d.ready_end = &d.ready;
    d.slots = slots_possible();
    d.slot = calloc(d.slots, sizeof *d.slot);
    d.unused = calloc(d.slots, sizeof *d.unused);
    d.poll = calloc(d.slots + 2, sizeof *d.poll);
    d.polled = calloc(d.slots + 2, sizeof *d.polled);
    if (!d.slot || !d.unused || !d.poll || !d.polled) fatal("out of memory");
    for (size_t i = 0; i < d.slots; i++) d.unused[i] = (uint32_t)i, d.slot[i].fd = -1;
    for (attempts_start(); d.used > 0 || resolve_pending() > 0 || d.ready; attempts_start()) turn();
    return d.found;
}
