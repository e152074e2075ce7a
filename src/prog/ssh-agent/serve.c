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
#include "base/limits.h"
#include "os/clock.h"
#include "os/hide.h"
#include "os/log.h"
#include "os/process.h"

#define CLIENTS_MAX 1000
#define READ_START  4096
#define WORK_LOOK_US 1000000        /* a token's helper that hangs is noticed by looking at it */
#define PAUSE_US     100000         /* before the system is asked again for what it has not got */

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
    struct ask ask;                 /* of a CONFIRM, or for a PIN */
    struct ask notice;              /* that a token wants to be touched */
    struct token_work work;         /* of a TOKEN_SIGN */
    bool works;
    unsigned pins_asked;            /* for it */
    bool over;
};

static const struct serve *setup;
static struct agent *ring;
static int signals;
static struct client *clients[CLIENTS_MAX];
static size_t clients_n;
static bool work_ended;             /* a token is free: who waits for it may go on */
static uint64_t full_until_us;      /* no descriptor or memory for another client: the listener rests for a while; 0: it does not */

static uint64_t now_us(void)
{
    return clock_read_us(CLOCK_BOOTTIME);   /* lives end on time though the machine slept */
}

/* ---- clients ---- */

static void client_free(struct client *c)
{
    ask_stop(&c->ask);
    ask_stop(&c->notice);
    token_work_drop(&c->work);
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
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) full_until_us = now_us() + PAUSE_US;
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
    c->ask = c->notice = ASK_NONE;
    clients[clients_n++] = c;
}

/* ---- questions ---- */

static bool askpass_begin(struct ask *a, enum ask_kind kind, const struct wr *text)
{
    enum err e = wr_done(text);
    ask_stop(a);
    if (e == ERR_NONE) e = ask_start(kind, (const char *)text->p, a);
    if (e != ERR_NONE && kind != ASK_NOTICE) log_line(LOG_LEVEL_ERROR, "nobody could be asked about a key: %s", err_text(e));
    return e == ERR_NONE;
}

static bool confirm_begin(struct client *c, const struct agent_question *q)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(65536);
    ask_text_write(&text, q, setup->hash);
    return askpass_begin(&c->ask, ASK_CONFIRM, &text);
}

static void notice_begin(struct client *c, const struct agent_question *q)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(65536);
    struct sk_private half;
    if (!q->priv || !privkey_sk(q->priv, &half) || !(half.flags & SK_PRESENCE)) return;
    ask_key_write(&text, "Confirm user presence for key", q, setup->hash);
    (void)askpass_begin(&c->notice, ASK_NOTICE, &text);
}

static bool work_begin(struct client *c, const struct agent_question *q)
{
    if (token_sign_begin(&c->work, q) != ERR_NONE) return false;
    c->works = true;
    c->pins_asked = 0;
    notice_begin(c, q);
    return true;
}

static bool load_begin(struct client *c, const struct agent_question *q)
{
    c->works = token_load_begin(&c->work, q) == ERR_NONE;
    return c->works;
}

/* Begin on the open question. True: it is answered already, as *yes and `said` have it. */
static bool question_begin(struct client *c, bool *yes, struct wr *said)
{
    const struct agent_question *q = agent_question(c->conn);
    char path[PATH_MAX], real[PATH_MAX];
    *yes = false;
    switch (q->kind) {
    case AGENT_CONFIRM: return !confirm_begin(c, q);
    case AGENT_TOKEN_KEYS: return !load_begin(c, q);
    case AGENT_TOKEN_SIGN: return !work_begin(c, q);
    case AGENT_WAIT:
        c->wait_until_us = q->until_us;
        return false;
    case AGENT_PATH:
        *yes = bytes_to_str(q->provider, path, sizeof path) == ERR_NONE && realpath(path, real);
        if (*yes) wr_text(said, real);
        return true;
    }
    return true;
}

/* Answers as long as answers are at hand; then either the reply stands in c->out or c->waits. */
static void step_follow(struct client *c, enum agent_step step)
{
    bool yes;
    while (step == AGENT_ASKS) {
        struct wr said CLEANUP(wr_clear) = wr_heap(AGENT_MESSAGE_MAX);
        if (!question_begin(c, &yes, &said)) {
            c->waits = true;
            return;
        }
        step = agent_answer(ring, c->conn, yes, wr_bytes(&said), now_us(), &c->out);
    }
    c->waits = false;
    if (wr_done(&c->out) != ERR_NONE) c->over = true;
}

static void question_end(struct client *c, bool yes, struct bytes said)
{
    c->wait_until_us = 0;
    c->works = false;
    ask_stop(&c->notice);
    enum agent_step step = agent_answer(ring, c->conn, yes, said, now_us(), &c->out);
    token_work_drop(&c->work);
    step_follow(c, step);
}

/* ---- a token at work ---- */

static bool pin_begin(struct client *c)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(65536);
    ask_stop(&c->notice);
    ask_key_write(&text, "Enter PIN for key", agent_question(c->conn), setup->hash);
    return askpass_begin(&c->ask, ASK_TEXT, &text);
}

static void work_turn(struct client *c)
{
    struct wr sig CLEANUP(wr_clear) = wr_heap(AGENT_MESSAGE_MAX);
    enum err e = token_sign_end(&c->work, &sig);
    if (e == ERR_AGAIN) return;
    work_ended = true;
    if (e == ERR_PASSPHRASE && c->work.priv && c->pins_asked++ < SK_ASKS_MAX && pin_begin(c)) c->works = false;
    else question_end(c, e == ERR_NONE, wr_bytes(&sig));
}

static void ask_ended(struct client *c, bool yes)
{
    if (c->ask.kind == ASK_CONFIRM) {
        question_end(c, yes, bytes_str(NULL));
        return;
    }
    struct bytes pin = bytes_of(c->ask.said, c->ask.said_n);
    c->works = yes && pin.n && token_sign_again(&c->work, pin) == ERR_NONE;
    ask_stop(&c->ask);
    if (c->works) notice_begin(c, agent_question(c->conn));
    else question_end(c, false, bytes_str(NULL));
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
enum { CLIENT_SLOTS = 4 };      /* its socket, its askpass's end and words, its token */
static struct pollfd polls[SLOTS + CLIENT_SLOTS * CLIENTS_MAX];
static size_t polls_n;
static size_t polls_of[CLIENTS_MAX];        /* where a client's begin: only its socket, where there is nothing else of it */

static short client_events(const struct client *c)
{
    if (c->out.n > c->sent && !c->waits) return POLLOUT;
    return c->waits ? POLLRDHUP : POLLIN;
}

/* Few more than there are descriptors: poll() takes no more entries than the process may have of those. */
static void polls_set(void)
{
    polls[SLOT_LISTENER] = (struct pollfd){clients_n < CLIENTS_MAX && !full_until_us ? setup->listener : -1, POLLIN, 0};
    polls[SLOT_SIGNALS] = (struct pollfd){signals, POLLIN, 0};
    polls[SLOT_PARENT] = (struct pollfd){setup->parent, POLLIN, 0};
    polls_n = SLOTS;
    for (size_t i = 0; i < clients_n; i++) {
        struct pollfd *p = &polls[polls_n];
        const struct client *c = clients[i];
        bool more = c->ask.pid || c->works;
        polls_of[i] = polls_n;
        polls_n += more ? CLIENT_SLOTS : 1;
        p[0] = (struct pollfd){c->fd, client_events(c), 0};
        if (!more) continue;
        p[1] = (struct pollfd){c->ask.pid ? c->ask.pidfd : -1, POLLIN, 0};
        p[2] = (struct pollfd){c->ask.pid ? c->ask.pipe : -1, POLLIN, 0};
        p[3] = (struct pollfd){c->works ? token_fd(&c->work) : -1, POLLIN, 0};
    }
}

/* Until the next life or wait ends; -1: for ever. */
static int patience_ms(void)
{
    uint64_t first = agent_deadline(ring), now = now_us();
    if (full_until_us && full_until_us < first) first = full_until_us;
    for (size_t i = 0; i < clients_n; i++) {
        uint64_t until = clients[i]->wait_until_us;
        if (clients[i]->works) until = work_ended ? now : now + WORK_LOOK_US;
        if (until && until < first) first = until;
    }
    work_ended = false;
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
        else if (c->works) work_turn(c);
        else if (c->ask.pid && (p[1].revents || p[2].revents) && ask_turn(&c->ask, &yes)) ask_ended(c, yes);
        else if (c->wait_until_us && c->wait_until_us <= now_us()) question_end(c, true, bytes_str(NULL));
        return;
    }
    if (p[0].revents & POLLOUT) client_write(c);
    else if (p[0].revents & (POLLIN | POLLHUP | POLLERR)) client_read(c);
    if (!c->over && !c->waits && c->out.n > c->sent) client_write(c);
}

static void clients_turn(void)
{
    size_t left = 0;
    for (size_t i = 0; i < clients_n; i++) client_turn(clients[i], &polls[polls_of[i]]);
    for (size_t i = 0; i < clients_n; i++) {
        if (clients[i]->over) {
            client_free(clients[i]);
            full_until_us = 0;
        } else {
            clients[left++] = clients[i];
        }
    }
    clients_n = left;
}

/* True: a signal that ends us. */
static bool signals_turn(void)
{
    for (int sig; (sig = signals_next(signals)) != 0;) {
        if (sig != SIGUSR1) return true;
        agent_clear(ring);
    }
    return false;
}

bool serve_signals(bool interruptible)
{
    const int list[] = {SIGTERM, SIGHUP, SIGUSR1, SIGINT};
    if (!interruptible) signal(SIGINT, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    if (signals_open(list, interruptible ? 4 : 3, &signals) == ERR_NONE) return true;
    fprintf(stderr, "ssh-agent: cannot watch for signals: %s\n", strerror(errno));
    return false;
}

bool serve_ring(const struct serve *s)
{
    setup = s;
    ring = agent_new(&s->setup);
    return ring != NULL;
}

/* What the system cannot do now is no reason to lose the keys: nothing is ready then, and a little later it is asked again. */
static void wait_for_any(void)
{
    const struct timespec pause = {0, PAUSE_US * 1000};
    polls_set();
    if (poll(polls, polls_n, patience_ms()) < 0 && errno != EINTR) {
        polls_set();
        nanosleep(&pause, NULL);
    }
    if (full_until_us && full_until_us <= now_us()) full_until_us = 0;
}

int serve(const struct serve *s)
{
    int status = 2;
    for (;;) {
        process_hide_more();
        wait_for_any();
        agent_expire(ring, now_us());
        if (polls[SLOT_SIGNALS].revents && signals_turn()) break;
        if (polls[SLOT_PARENT].revents) {
            status = 0;
            break;
        }
        clients_turn();
        tokens_tidy(ring);
        if (polls[SLOT_LISTENER].revents) client_accept();
    }
    place_remove(s->place);
    while (clients_n) client_free(clients[--clients_n]);
    agent_clear(ring);
    tokens_tidy(ring);
    agent_free(ring);
    return status;
}
