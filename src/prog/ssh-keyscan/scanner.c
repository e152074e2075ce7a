/* SPDX-License-Identifier: ISC */
/* The process that reads what peers send. It is jailed before the first byte, holds no secret, opens nothing: connected sockets come
 * in, results go out. The core verifies that a host has the key it shows, so nobody's key is printed for a host that only repeats it. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/conn.h"
#include "crypto/algs.h"
#include "crypto/sign.h"
#include "key/key.h"
#include "keyscan.h"
#include "os/clock.h"
#include "os/jail.h"
#include "os/message.h"
#include "os/process.h"

#define READ_MAX      32768     /* a read: a flood fills no more of the input's room */
#define PATIENCE      12        /* times the time-out for one connection in all, however it drips */
#define LIST_MAX      64
#define MMAP_FROM     65536     /* buffers of a connection: pages of their own, which only cost when they are touched */

struct scan {
    struct conn *c;
    uint32_t tag;
    uint64_t quiet_us, end_us;  /* when it has been silent, or has taken, too long */
};

static struct {
    int ctl;
    struct scan *scan;          /* beside the pollfd of the same number; 0 is ctl */
    struct pollfd *poll;
    size_t n, cap;
    uint64_t timeout_us;
} s;

static const struct kex_alg *kex_list[LIST_MAX + 1];
static char algs[KINDS_MAX][NAME_LIST_MAX];

/* ---- to the outer process ---- */

static void send_message(const struct wr *w)
{
    if (wr_done(w) != ERR_NONE || message_send(s.ctl, w->p, w->n, NULL, 0, true) != ERR_NONE) _exit(1);
}

static void send_text(enum scan_type type, const char *text)
{
    uint8_t room[1024];
    struct wr w = wr_span((struct span){room, sizeof room});
    wr_u8(&w, (uint8_t)type);
    wr_cstring(&w, text);
    send_message(&w);
}

static void send_trace(struct conn *c)
{
    struct trace t;
    while (conn_trace(c, &t))
        if (t.type == TRACE_KEX_CHOSEN) send_text(SCAN_LINE, t.text);
}

static void finish(size_t i, enum scan_end end, struct bytes blob, int code)
{
    static uint8_t room[RESULT_MAX];
    struct scan *a = &s.scan[i];
    struct bytes ident = a->c ? conn_facts(a->c)->ident_peer : (struct bytes){0};
    struct wr w = wr_span((struct span){room, sizeof room});
    if (a->c && settings.verbose) send_trace(a->c);
    wr_u8(&w, SCAN_RESULT);
    wr_u32(&w, a->tag);
    wr_u32(&w, end);
    wr_u32(&w, (uint32_t)code);
    wr_bool(&w, ident.n > 0);
    wr_string(&w, ident);
    wr_string(&w, blob);
    send_message(&w);
    close(s.poll[i].fd);
    conn_free(a->c);
    s.n--;
    s.scan[i] = s.scan[s.n], s.poll[i] = s.poll[s.n];
}

/* ---- one connection ---- */

static enum scan_end why_ended(const struct conn_facts *f)
{
    bool gone = f->failure == ERR_PEER_GONE || f->failure == ERR_DISCONNECTED;
    return gone && f->kex == NULL ? END_CLOSED : END_NO_KEY;
}

/* Turns the crank until nothing moves. True: it is over, and was told. */
static bool advance(size_t i, uint64_t now)
{
    struct conn *c = s.scan[i].c;
    for (;;) {
        struct event ev;
        enum err e = conn_next(c, now, &ev);
        if (e) {
            finish(i, why_ended(conn_facts(c)), (struct bytes){0}, 0);
            return true;
        }
        if (ev.type == EV_HOSTKEY_CHECK) {
            finish(i, END_KEY, ev.hostkey.key, 0);
            return true;
        }
        if (ev.type == EV_NONE) return false;
        if (ev.question) {      /* nothing else is asked before a host key */
            finish(i, END_NO_KEY, (struct bytes){0}, 0);
            return true;
        }
    }
}

static bool flush(size_t i)
{
    struct conn *c = s.scan[i].c;
    for (;;) {
        struct bytes b = conn_output_peek(c);
        if (b.n == 0) return true;
        ssize_t n = send(s.poll[i].fd, b.p, b.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) conn_output_consume(c, (size_t)n);
        else if (errno == EAGAIN) return true;
        else if (errno != EINTR) return false;
    }
}

/* Returns whether it goes on. A write that fails is not the end: what the peer said before is still to be read. */
static bool serve(size_t i, uint64_t now)
{
    struct scan *a = &s.scan[i];
    if (s.poll[i].revents & ~POLLOUT) {
        struct span room = conn_input_reserve(a->c);
        ssize_t n = recv(s.poll[i].fd, room.p, room.n < READ_MAX ? room.n : READ_MAX, MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            /* Who closes without a look at our ident does it this way. */
            bool closed = errno == ECONNRESET && conn_facts(a->c)->ident_peer.n == 0;
            finish(i, closed ? END_CLOSED : END_ERROR, (struct bytes){0}, errno);
            return false;
        }
        if (n >= 0) {
            conn_input_commit(a->c, (size_t)n);
            a->quiet_us = now + s.timeout_us;
        }
    }
    if (advance(i, now)) return false;
    (void)flush(i);
    unsigned wants = conn_wants(a->c);
    s.poll[i].events = (short)((wants & WANT_READ ? POLLIN : 0) | (wants & WANT_WRITE ? POLLOUT : 0));
    return true;
}

/* ---- new ones ---- */

static struct conn *conn_make(unsigned kind)
{
    struct conn_setup setup = {.role = ROLE_CLIENT, .random = random_libcrypto, .software = "OpenSSH-keyscan", .kex = kex_list, .ciphers = cipher_all,
                               .macs = mac_all, .hostkey_algs = bytes_str(algs[kind]), .trace = settings.verbose > 0};
    return algs[kind][0] ? conn_new(&setup) : NULL;
}

static bool room_for_one(void)
{
    if (s.n < s.cap) return true;
    size_t cap = s.cap * 2;
    struct scan *scan = realloc(s.scan, cap * sizeof *scan);
    if (scan) s.scan = scan;
    struct pollfd *poll = realloc(s.poll, cap * sizeof *poll);
    if (poll) s.poll = poll;
    if (scan && poll) s.cap = cap;
    return scan && poll;
}

static void begin(uint32_t tag, uint32_t kind, int fd, uint64_t now)
{
    if (!room_for_one() || kind >= kind_count) _exit(1);
    size_t i = s.n++;
    s.scan[i] = (struct scan){.tag = tag, .quiet_us = now + s.timeout_us, .end_us = now + PATIENCE * s.timeout_us, .c = conn_make(kind)};
    s.poll[i] = (struct pollfd){.fd = fd};
    if (s.scan[i].c) (void)serve(i, now);
    else finish(i, END_NO_KEY, (struct bytes){0}, 0);
}

static void take_tasks(uint64_t now)
{
    for (;;) {
        struct message m;
        uint8_t text[8];
        enum err e = message_recv(s.ctl, text, sizeof text, false, &m);
        if (e == ERR_AGAIN) return;
        if (e == ERR_PEER_GONE) _exit(0);
        if (e || m.n != 8 || m.fd_count != 1) _exit(1);
        begin(get_u32(text), get_u32(text + 4), m.fd[0], now);
    }
}

/* ---- the loop ---- */

static uint64_t first_deadline(void)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 1; i < s.n; i++) {
        uint64_t t = s.scan[i].quiet_us < s.scan[i].end_us ? s.scan[i].quiet_us : s.scan[i].end_us;
        if (t < first) first = t;
    }
    return first;
}

static NORETURN void run(void)
{
    for (;;) {
        uint64_t first = first_deadline(), now = clock_us();
        struct timespec t = clock_span(first <= now ? 0 : first - now);
        if (ppoll(s.poll, s.n, first == UINT64_MAX ? NULL : &t, NULL) < 0) continue;
        /* Silent is who had nothing to read when we looked: how long others then keep us busy is not their fault. */
        now = clock_us();
        for (size_t i = s.n; i-- > 1;) {        /* from the end: the last takes the place of one that is over */
            if (s.poll[i].revents) (void)serve(i, now);
            else if (s.scan[i].quiet_us <= now) finish(i, END_SILENT, (struct bytes){0}, 0);
            if (i < s.n && s.scan[i].end_us <= now) finish(i, END_SILENT, (struct bytes){0}, 0);
        }
        if (s.poll[0].revents) take_tasks(now);
    }
}

/* ---- start ---- */

/* "ssh-rsa" or its certificate's name; that of "sk-ssh-ed25519@openssh.com" has its "@openssh.com" at the end, too. */
static void alg_write(struct wr *w, struct bytes name)
{
    static const char domain[] = "@openssh.com";
    size_t n = sizeof domain - 1;
    if (settings.certs && name.n > n && bytes_is(bytes_of(name.p + name.n - n, n), domain)) name.n -= n;
    wr_raw(w, name);
    if (settings.certs) wr_text(w, "-cert-v01@openssh.com");
}

/* What is quick comes first: nothing is kept secret here, and a host gets the same question whatever it would choose. */
static void kex_fill(void)
{
    static const char first[] = "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521";
    struct bytes name;
    size_t n = 0;
    for (size_t pos = 0; names_next(bytes_str(first), &pos, &name);)
        if (kex_find(name)) kex_list[n++] = kex_find(name);
    for (size_t i = 0; kex_all[i] && n < LIST_MAX; i++)
        if (!names_has(bytes_str(first), bytes_str(kex_all[i]->name))) kex_list[n++] = kex_all[i];
}

static void algs_fill(void)
{
    struct bytes name;
    for (size_t k = 0; k < kind_count; k++) {
        struct wr w = wr_span((struct span){(uint8_t *)algs[k], sizeof algs[k] - 1});
        for (size_t pos = 0; names_next(bytes_str(kinds[k].algs), &pos, &name);) {
            uint8_t room[128];
            struct wr full = wr_span((struct span){room, sizeof room});
            alg_write(&full, name);
            if (!sig_alg_find(wr_bytes(&full))) continue;
            if (w.n > 0) wr_u8(&w, ',');
            wr_raw(&w, wr_bytes(&full));
        }
    }
}

static void jail(void)
{
    char why[200] = "";
    struct jail_report report;
    const struct jail_how how = jail_who();
    if (jail_enter(&how, &report, why, sizeof why) == ERR_NONE && jail_filter(JAIL_FILTER_TRANSPORT) == ERR_NONE) return;
    send_text(SCAN_FAILED, why);
    _exit(1);
}

static NORETURN void scanner_main(int ctl)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; fd++) dup2(null, fd);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int sig = SIGHUP; sig <= SIGTERM; sig += SIGTERM - SIGHUP) signal(sig, SIG_DFL);
    if (fds_close_except(&ctl, 1) != ERR_NONE) _exit(1);
    s.ctl = ctl, s.cap = 256, s.n = 1;
    s.timeout_us = settings.timeout_s * 1000000ULL;
    s.scan = calloc(s.cap, sizeof *s.scan);
    s.poll = calloc(s.cap, sizeof *s.poll);
    if (!s.scan || !s.poll) _exit(1);
    s.poll[0] = (struct pollfd){.fd = ctl, .events = POLLIN};
    mallopt(M_MMAP_THRESHOLD, MMAP_FROM);
    kex_fill();
    algs_fill();
    jail();
    if (random_reseed() != ERR_NONE) _exit(1);
    send_text(SCAN_READY, "");
    run();
}

int scanner_start(void)
{
    int pair[2];
    uint8_t room[1024];
    struct message m;
    if (crypto_warm() != ERR_NONE) fatal("libcrypto does not work");
    if (message_pair(pair) != ERR_NONE) fatal("socketpair: %s", strerror(errno));
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) fatal("fork: %s", strerror(errno));
    if (pid == 0) {
        close(pair[0]);
        scanner_main(pair[1]);
    }
    close(pair[1]);
    if (message_recv(pair[0], room, sizeof room, true, &m) != ERR_NONE || m.n < 5 || room[0] != SCAN_READY)
        fatal("no jail for what peers send: %.*s", m.n > 5 ? (int)(m.n - 5) : 0, (const char *)room + 5);
    return pair[0];
}
