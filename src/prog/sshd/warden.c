/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/text.h"
#include "os/clock.h"
#include "os/message.h"
#include "os/process.h"
#include "os/spawn.h"
#include "sshd/report.h"
#include "sshd/warden.h"

#define PAGE 4096

static struct warden warden;
/* On pages of their own, in .bss: only what messages touch becomes memory, and it is given back (warden_trim). */
static union ask ask_in ALIGNED(PAGE);
union warden_scratch warden_scratch ALIGNED(PAGE);

/* ---- the end ---- */

NORETURN void warden_exit(struct warden *w, enum warden_exit status)
{
    if (w->face >= 0) (void)!pidfd_kill(w->face, SIGKILL);
    warden_sessions_end(w);
    exit(status);
}

NORETURN void warden_guilt(struct warden *w, const char *what, enum err e)
{
    char peer[512];
    log_line(LOG_LEVEL_ERROR, "connection from %s: its process broke the rules (%s: %s); killed%s", warden_peer(w, peer, sizeof peer), what,
             err_text(e), warden_phase(w));
    warden_exit(w, WARDEN_CRASH);
}

/* EOF without a BYE. The listener, parent of both, sees the face's signal. */
NORETURN static void face_gone(struct warden *w)
{
    char peer[512];
    log_line(LOG_LEVEL_ERROR, "connection from %s: its process ended without a word%s", warden_peer(w, peer, sizeof peer), warden_phase(w));
    warden_exit(w, WARDEN_CRASH);
}

/* ---- talking ---- */

void warden_say(struct warden *w, const void *msg, const int *fds, size_t fd_count)
{
    /* A face that is going away has its BYE on the line: it is read next. One that waits for what it will not get waits forever. */
    enum err e = say_send(w->chan, msg, fds, fd_count);
    if (e == ERR_NONE || e == ERR_PEER_GONE) return;
    log_line(LOG_LEVEL_ERROR, "cannot answer a connection's process: %s", e == ERR_SYSTEM ? strerror(errno) : err_text(e));
    warden_exit(w, WARDEN_FATAL);
}

unsigned warden_patience_ms(const struct warden *w, unsigned most)
{
    uint64_t now = clock_us();
    if (w->grace_us == UINT64_MAX) return most;
    uint64_t left_ms = w->grace_us > now ? (w->grace_us - now) / 1000 : 0;
    return left_ms < most ? (unsigned)left_ms : most;
}

enum err warden_ask_helper(struct warden *w, int line, const struct helper_ask *ask, void *answer, size_t n_answer)
{
    int fds[MESSAGE_FDS_MAX];
    enum err e = ERR_NONE;
    uint64_t deadline = clock_us() + (uint64_t)warden_patience_ms(w, 20000) * 1000;
    if (ask->fd_count >= MESSAGE_FDS_MAX) return ERR_BUDGET;
    if (ask->fd_count > 0) memcpy(fds + 1, ask->fds, ask->fd_count * sizeof *fds);
    for (int tries = 0; tries < 3; tries++) {
        int pair[2];
        struct message m;
        TRY(message_pair(pair));
        fds[0] = pair[1];
        e = message_send(line, ask->p, ask->n, fds, ask->fd_count + 1, true);
        close(pair[1]);
        if (e == ERR_NONE) e = message_wait(pair[0], deadline);
        if (e == ERR_NONE) e = message_recv(pair[0], answer, n_answer, true, &m);
        close(pair[0]);
        if (e == ERR_PEER_GONE) continue;       /* it died with our question; its successor gets it anew */
        if (e != ERR_NONE) return e;
        message_close_fds(&m);
        return m.n == n_answer ? ERR_NONE : ERR_FORMAT;
    }
    return e;
}

/* ---- the truth ---- */

/* FNV-1a: no secret hangs on it, only that a flipped bit anywhere shows. */
static uint64_t mix(uint64_t h, const void *p, size_t n)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++) h = (h ^ b[i]) * 0x100000001b3ULL;
    return h;
}

static uint64_t seal_make(const struct warden *w)
{
    static const uint64_t authenticated = 0x6a09e667f3bcc908ULL;
    uint64_t h = mix(w->seal_key ^ authenticated, w->session_id, sizeof w->session_id);
    h = mix(h, w->account.name, sizeof w->account.name);
    return mix(mix(h, &w->account.uid, sizeof w->account.uid), &w->serial, sizeof w->serial);
}

bool warden_authenticated(const struct warden *w)
{
    return w->turns.stage == AT_SESSION && w->session_id_n > 0 && w->account.valid && w->seal == seal_make(w);
}

void warden_seal(struct warden *w)
{
    const struct report r = {.serial = w->serial};
    w->seal = seal_make(w);
    w->turns.stage = AT_SESSION;
    w->grace_us = UINT64_MAX;
    (void)!message_send(w->server->report_line[1], &r, sizeof r, NULL, 0, false);
    /* What only logging in needed goes. */
    close(w->server->report_line[1]), close(w->server->verify_line[0]), close(w->server->exe_auth);
}

/* ---- what the face asks ---- */

static void take_ident(struct warden *w, const struct ask_ident *ask)
{
    struct bounded text = FIELD(ask, text);
    if (text.err != ERR_NONE) warden_guilt(w, "IDENT", text.err);
    escape_str(text.b, w->peer_ident, sizeof w->peer_ident);
    log_line(LOG_LEVEL_DEBUG1, "Remote protocol version, software: %s", w->peer_ident);
}

static void take_line(struct warden *w, const struct ask_line *ask)
{
    char text[sizeof ask->text * 4 + 1];
    struct bounded raw = FIELD(ask, text);
    if (raw.err != ERR_NONE || ask->level < 1 || ask->level > 3) warden_guilt(w, "LINE", ERR_FORMAT);
    log_line(LOG_LEVEL_VERBOSE + ask->level, "%s%s", escape_str(raw.b, text, sizeof text), warden_phase(w));
}

static void take_key(struct warden *w, const struct ask_key_head *head, const uint8_t *key, size_t key_cap, const uint8_t *sig, size_t sig_cap)
{
    struct bounded k = bounded(key, head->key_n, key_cap), s = bounded(sig, head->sig_n, sig_cap);
    if (k.err != ERR_NONE || s.err != ERR_NONE) warden_guilt(w, "AUTH_KEY", ERR_FORMAT);
    warden_auth_key(w, head, k.b, s.b);
}

static void take_start(struct warden *w, const struct ask_start *ask, size_t cap)
{
    struct bounded command = bounded(ask->command, ask->command_n, cap);
    if (command.err != ERR_NONE) warden_guilt(w, "START", command.err);
    warden_start_session(w, ask->question, ask->chan, ask->kind, command.b);
}

/* After login only: the stage in the table says so, the seal says so again. */
static void take_session(struct warden *w, const union ask *a)
{
    if (!warden_authenticated(w)) warden_guilt(w, ask_name(a->type), ERR_STATE);
    switch ((enum ask_type)a->type) {
    case ASK_PTY: warden_pty(w, &a->PTY); return;
    case ASK_ENV: warden_env(w, &a->ENV); return;
    case ASK_START: take_start(w, &a->START, sizeof a->START.command); return;
    case ASK_START_BIG: take_start(w, &a->START, sizeof a->START_BIG.command); return;
    case ASK_SIGNAL: warden_signal(w, &a->SIGNAL); return;
    case ASK_CLOSE: warden_close(w, &a->CLOSE); return;
    case ASK_CONNECT: warden_connect(w, &a->CONNECT); return;
    case ASK_LISTEN: case ASK_CANCEL: warden_listen(w, &a->LISTEN); return;
    case ASK_AGENT: warden_agent(w, &a->AGENT); return;
    case ASK_PROVE: warden_prove(w, &a->PROVE); return;
    default: warden_guilt(w, ask_name(a->type), ERR_STATE);
    }
}

static void take(struct warden *w, const union ask *a, int fd)
{
    switch ((enum ask_type)a->type) {
    case ASK_HELLO: w->face = fd, w->turns.stage = AT_KEX; return;
    case ASK_IDENT: take_ident(w, &a->IDENT); return;
    case ASK_SIGN: warden_sign(w, &a->SIGN); return;
    case ASK_GROUP: warden_group(w, &a->GROUP); return;
    case ASK_AUTH_OTHER: warden_auth_other(w, &a->AUTH_OTHER); return;
    case ASK_AUTH_SECRET: warden_auth_secret(w, &a->AUTH_SECRET); return;
    case ASK_AUTH_KEY:
        take_key(w, &a->AUTH_KEY.head, a->AUTH_KEY.key, sizeof a->AUTH_KEY.key, a->AUTH_KEY.sig, sizeof a->AUTH_KEY.sig);
        return;
    case ASK_AUTH_KEY_BIG:
        take_key(w, &a->AUTH_KEY_BIG.head, a->AUTH_KEY_BIG.key, sizeof a->AUTH_KEY_BIG.key, a->AUTH_KEY_BIG.sig, sizeof a->AUTH_KEY_BIG.sig);
        return;
    case ASK_LINE: take_line(w, &a->LINE); return;
    case ASK_BYE: warden_bye(w, &a->BYE); return;
    default: take_session(w, a); return;
    }
}

static void pages_drop(void *p, size_t n)
{
    (void)madvise(p, n & ~(size_t)(PAGE - 1), MADV_DONTNEED);      /* what shares the last page stays */
}

void warden_trim(void)
{
    pages_drop(&ask_in, sizeof ask_in);
    pages_drop(&warden_scratch, sizeof warden_scratch);
    (void)malloc_trim(0);
}

static void face_read(struct warden *w)
{
    int fd = -1;
    enum err e = ask_recv(w->chan, &w->turns, &ask_in, false, &fd);
    if (e == ERR_AGAIN) return;
    if (e == ERR_PEER_GONE) face_gone(w);
    if (e != ERR_NONE) warden_guilt(w, "message", e);
    uint32_t type = ask_in.type;
    take(w, &ask_in, fd);
    if (type == ASK_AUTH_SECRET) wipe(&ask_in, sizeof ask_in.AUTH_SECRET);
    /* An idle session holds little: a shell that stands and a key exchange that is done are when it begins. */
    if (type == ASK_START || type == ASK_START_BIG || (type == ASK_SIGN && w->turns.stage == AT_SESSION)) warden_trim();
}

/* ---- the loop ---- */

NORETURN static void grace_over(struct warden *w)
{
    log_line(LOG_LEVEL_INFO, "Timeout before authentication for connection from %s to %s, pid = %ld", w->link.client_addr, w->link.server_addr,
             (long)getpid());
    warden_exit(w, WARDEN_GRACE);
}

static size_t polls_fill(const struct warden *w, struct pollfd *p)
{
    size_t n = 0;
    p[n++] = (struct pollfd){.fd = w->chan, .events = POLLIN};
    p[n++] = (struct pollfd){.fd = w->hand_used ? w->hand.fd : -1, .events = POLLIN};
    for (size_t i = 0; i < w->session_count; i++) {
        const struct session *s = &w->sessions[i]->session;
        p[n++] = (struct pollfd){.fd = w->sessions[i]->started && s->pid > 0 ? s->pidfd : -1, .events = POLLIN};
    }
    return n;
}

NORETURN static void loop(struct warden *w)
{
    for (;;) {
        static struct pollfd p[2 + CHANNELS_MAX];
        uint64_t now = clock_us();
        if (w->grace_us <= now) grace_over(w);
        struct timespec t = clock_span(w->grace_us - now);
        size_t n = polls_fill(w, p);
        if (ppoll(p, n, w->grace_us == UINT64_MAX ? NULL : &t, NULL) <= 0) continue;
        /* Ended sessions first: a face that goes away at the same moment must not take their status with it. Backwards: they may go. */
        for (size_t i = n; i-- > 2;)
            if (p[i].revents) warden_reap(w, w->sessions[i - 2]);
        if (p[1].revents) warden_hand_read(w);
        if (p[0].revents) face_read(w);
    }
}

/* ---- the start ---- */

static void link_set(struct warden *w, int in, struct address peer)
{
    address_local(in, &w->local);
    snprintf(w->link.client_addr, sizeof w->link.client_addr, "%s", peer.text);
    snprintf(w->link.client_host, sizeof w->link.client_host, "%s", peer.text);
    snprintf(w->link.server_addr, sizeof w->link.server_addr, "%s", w->local.text);
    w->link.client_port = peer.port, w->link.server_port = w->local.port;
}

/* Keep what a warden needs; all else that the listener holds is not ours. */
static void descriptors_keep(const struct warden *w)
{
    const struct server *s = w->server;
    int keep[8] = {w->chan, s->keys_line[0], s->verify_line[0], s->report_line[1], s->exe_auth, log_fd()};
    size_t n = 5 + (log_fd() > 2);
    helpers_forget();
    if (fds_close_except(keep, n) != ERR_NONE) _exit(WARDEN_FATAL);
    if (log_fd() < 0) log_reopen();
}

NORETURN void warden_run(struct server *s, const struct warden_start *start)
{
    struct warden *w = &warden;
    w->server = s, w->serial = start->serial, w->chan = start->chan, w->face = -1;
    w->turns.stage = AT_HELLO;
    spawn_signals_default();
    link_set(w, start->in, start->from);
    descriptors_keep(w);
    admit_forget();
    hand_init(&w->hand);
    if (getrandom(&w->seal_key, sizeof w->seal_key, 0) != (ssize_t)sizeof w->seal_key) _exit(WARDEN_FATAL);
    w->grace_us = s->conf->login_grace_time_s > 0 ? clock_us() + (uint64_t)s->conf->login_grace_time_s * 1000000 : UINT64_MAX;
    title_set("[accepted]");
    log_line(LOG_LEVEL_VERBOSE, "Connection from %s port %u on %s port %u rdomain \"\"", w->link.client_addr, w->link.client_port,
             w->link.server_addr, w->link.server_port);
    if (s->conf->refuse_connection) {
        log_line(LOG_LEVEL_INFO, "Connection from %s port %u refused by configuration", w->link.client_addr, w->link.client_port);
        warden_exit(w, WARDEN_REFUSED);
    }
    loop(w);
}
