/* SPDX-License-Identifier: ISC */
/* The loop: one poll over the listener, the clients and what they wait for. Each client has one request at a time: while it is being
 * answered nothing more is read from it, so a client costs at most one request and one answer. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agentd.h"
#include "os/hide.h"
#include "os/log.h"
#include "os/process.h"

#define CLIENTS_MAX 1000
#define READ_START  4096

struct client {
    int fd;
    struct agent_conn *conn;
    uint8_t head[4];
    struct secret in;               /* the request, its room growing with what came */
    size_t need, got;               /* need 0: the head is not complete, got counts its bytes */
    struct wr out;
    size_t sent;
    bool waits;                     /* a question is open */
    uint64_t wait_until_us;         /* of a WAIT; 0: none */
    struct ask ask;                 /* of a CONFIRM */
    bool over;
};

static const struct serve *setup;
static struct agent *ring;
static struct client *clients[CLIENTS_MAX];
static size_t clients_n;
static bool full;                   /* no descriptor for another client: the listener rests until one goes */

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);      /* lives end on time though the machine slept */
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- clients ---- */

static void client_free(struct client *c)
{
    ask_stop(&c->ask);
    close(c->fd);
    agent_conn_free(c->conn);
    secret_clear(&c->in);
    wr_clear(&c->out);
    free(c);
}

static bool owner_fine(int fd)
{
    struct ucred cred;
    socklen_t n = sizeof cred;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) != 0) return false;
    if (cred.uid == geteuid() || cred.uid == 0) return true;
    log_line(LOG_LEVEL_ERROR, "uid mismatch: peer euid %u != uid %u", (unsigned)cred.uid, (unsigned)getuid());
    return false;
}

static void client_accept(void)
{
    int fd = accept4(setup->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        full = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
        return;
    }
    struct client *c = owner_fine(fd) ? calloc(1, sizeof *c) : NULL;
    if (c) c->conn = agent_conn_new();
    if (!c || !c->conn) {
        free(c);
        close(fd);
        return;
    }
    c->fd = fd;
    c->ask = (struct ask){.pidfd = -1, .pipe = -1};
    clients[clients_n++] = c;
}

/* ---- questions ---- */

static void confirm_begin(struct client *c, const struct agent_question *q)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(65536);
    ask_text_write(&text, q, setup->hash);
    enum err e = wr_done(&text);
    if (e == ERR_NONE) e = ask_start((const char *)text.p, &c->ask);
    if (e != ERR_NONE) log_line(LOG_LEVEL_ERROR, "nobody could be asked to confirm the use of a key: %s", err_text(e));
}

/* Begin on the open question. True: it is answered already, as *yes and `said` have it. */
static bool question_begin(struct client *c, bool *yes, char said[PATH_MAX])
{
    const struct agent_question *q = agent_question(c->conn);
    char path[PATH_MAX];
    *yes = false;
    said[0] = 0;
    switch (q->kind) {
    case AGENT_CONFIRM:
        confirm_begin(c, q);
        return c->ask.pid == 0;
    case AGENT_WAIT:
        c->wait_until_us = q->until_us;
        return false;
    case AGENT_PATH:
        *yes = bytes_to_str(q->provider, path, sizeof path) == ERR_NONE && realpath(path, said);
        return true;
    case AGENT_TOKEN_FORGET:
        *yes = true;
        return true;
    default:
        log_line(LOG_LEVEL_ERROR, "keys on tokens are not available in this version");
        return true;
    }
}

/* Answers as long as answers are at hand; then either the reply stands in c->out or c->waits. */
static void step_follow(struct client *c, enum agent_step step)
{
    char said[PATH_MAX];
    bool yes;
    while (step == AGENT_ASKS) {
        if (!question_begin(c, &yes, said)) {
            c->waits = true;
            return;
        }
        step = agent_answer(ring, c->conn, yes, bytes_str(said), now_us(), &c->out);
    }
    c->waits = false;
    if (wr_done(&c->out) != ERR_NONE) c->over = true;
}

static void question_end(struct client *c, bool yes)
{
    c->wait_until_us = 0;
    step_follow(c, agent_answer(ring, c->conn, yes, bytes_str(NULL), now_us(), &c->out));
}

/* ---- reading and writing ---- */

static void request_take(struct client *c)
{
    wr_clear(&c->out);
    c->out = wr_heap(2 * AGENT_MESSAGE_MAX);
    c->sent = 0;
    agent_wall_clock(ring, (uint64_t)time(NULL));
    enum agent_step step = agent_take(ring, c->conn, bytes_of(c->in.p, c->need), now_us(), &c->out);
    secret_clear(&c->in);
    c->need = c->got = 0;
    step_follow(c, step);
}

static bool head_take(struct client *c)
{
    c->need = get_u32(c->head);
    c->got = 0;
    if (c->need == 0 || c->need > AGENT_MESSAGE_MAX) return false;
    return secret_new(&c->in, c->need < READ_START ? c->need : READ_START) == ERR_NONE;
}

static bool room_grow(struct client *c)
{
    struct secret more = {0};
    size_t n = 2 * c->in.n < c->need ? 2 * c->in.n : c->need;
    if (secret_new(&more, n) != ERR_NONE) return false;
    memcpy(more.p, c->in.p, c->got);
    secret_clear(&c->in);
    c->in = more;
    return true;
}

static void client_read(struct client *c)
{
    uint8_t *to = c->need ? c->in.p : c->head;
    size_t room = c->need ? c->in.n : sizeof c->head;
    ssize_t n = recv(c->fd, to + c->got, room - c->got, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        c->over = true;
        return;
    }
    c->got += (size_t)n;
    if (!c->need) {
        if (c->got == sizeof c->head && !head_take(c)) c->over = true;
    } else if (c->got == c->need) {
        request_take(c);
    } else if (c->got == c->in.n && !room_grow(c)) {
        c->over = true;
    }
}

static void client_write(struct client *c)
{
    ssize_t n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n < 0) {
        c->over = true;
        return;
    }
    c->sent += (size_t)n;
    if (c->sent < c->out.n) return;
    wr_clear(&c->out);
    c->sent = 0;
}

/* ---- the loop ---- */

enum { SLOT_LISTENER, SLOT_SIGNALS, SLOT_PARENT, SLOTS };
static struct pollfd polls[SLOTS + 3 * CLIENTS_MAX];    /* a client: its socket, and its askpass's end and words */

static short client_events(const struct client *c)
{
    if (c->out.n > c->sent && !c->waits) return POLLOUT;
    return c->waits ? POLLRDHUP : POLLIN;
}

static void polls_set(int signals)
{
    polls[SLOT_LISTENER] = (struct pollfd){clients_n < CLIENTS_MAX && !full ? setup->listener : -1, POLLIN, 0};
    polls[SLOT_SIGNALS] = (struct pollfd){signals, POLLIN, 0};
    polls[SLOT_PARENT] = (struct pollfd){setup->parent, POLLIN, 0};
    for (size_t i = 0; i < clients_n; i++) {
        struct pollfd *p = &polls[SLOTS + 3 * i];
        const struct client *c = clients[i];
        p[0] = (struct pollfd){c->fd, client_events(c), 0};
        p[1] = (struct pollfd){c->ask.pid ? c->ask.pidfd : -1, POLLIN, 0};
        p[2] = (struct pollfd){c->ask.pid ? c->ask.pipe : -1, POLLIN, 0};
    }
}

/* Until the next life or wait ends; -1: for ever. */
static int patience_ms(void)
{
    uint64_t first = agent_deadline(ring), now = now_us();
    for (size_t i = 0; i < clients_n; i++)
        if (clients[i]->wait_until_us && clients[i]->wait_until_us < first) first = clients[i]->wait_until_us;
    if (first == UINT64_MAX) return -1;
    if (first <= now) return 0;
    uint64_t ms = (first - now) / 1000 + 1;
    return ms < 60000 ? (int)ms : 60000;        /* poll's clock stops while the machine sleeps: look again */
}

static void client_turn(struct client *c, const struct pollfd *p)
{
    bool yes;
    if (c->waits) {
        if (p[0].revents & (POLLRDHUP | POLLHUP | POLLERR)) c->over = true;
        else if (c->ask.pid && (p[1].revents || p[2].revents) && ask_turn(&c->ask, &yes)) question_end(c, yes);
        else if (c->wait_until_us && c->wait_until_us <= now_us()) question_end(c, true);
        return;
    }
    if (p[0].revents & POLLOUT) client_write(c);
    else if (p[0].revents & (POLLIN | POLLHUP | POLLERR)) client_read(c);
    if (!c->over && !c->waits && c->out.n > c->sent) client_write(c);
}

static void clients_turn(void)
{
    size_t left = 0;
    for (size_t i = 0; i < clients_n; i++) client_turn(clients[i], &polls[SLOTS + 3 * i]);
    for (size_t i = 0; i < clients_n; i++) {
        if (clients[i]->over) {
            client_free(clients[i]);
            full = false;
        } else {
            clients[left++] = clients[i];
        }
    }
    clients_n = left;
}

/* True: a signal that ends us. */
static bool signals_turn(int fd)
{
    for (int sig; (sig = signals_next(fd)) != 0;) {
        if (sig != SIGUSR1) return true;
        agent_clear(ring);
    }
    return false;
}

static int signals_set(void)
{
    const int signals[] = {SIGTERM, SIGHUP, SIGUSR1, SIGINT};
    int fd;
    if (!setup->interruptible) signal(SIGINT, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    return signals_open(signals, setup->interruptible ? 4 : 3, &fd) == ERR_NONE ? fd : -1;
}

int serve(const struct serve *s)
{
    setup = s;
    int signals = signals_set(), status = 2;
    ring = agent_new(&s->setup);
    if (!ring || signals < 0) return 1;
    for (;;) {
        process_hide_more();
        polls_set(signals);
        if (poll(polls, SLOTS + 3 * clients_n, patience_ms()) < 0 && errno != EINTR) break;
        agent_expire(ring, now_us());
        if (polls[SLOT_SIGNALS].revents && signals_turn(signals)) break;
        if (polls[SLOT_PARENT].revents) {
            status = 0;
            break;
        }
        clients_turn();
        if (polls[SLOT_LISTENER].revents) client_accept();
    }
    place_remove(s->place);
    while (clients_n) client_free(clients[--clients_n]);
    agent_free(ring);
    return status;
}
