/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/algs.h"
#include "crypto/sign.h"
#include "os/clock.h"
#include "transport.h"

static uint8_t buffer[CM_MESSAGE_MAX];

static void kept_clear(struct kept *k)
{
    if (k->p)
        wipe(k->p, k->n);
    free(k->p);
    *k = (struct kept){0};
}

/* A copy of the message, with views into the copy. Descriptors move along. */
static enum err kept_set(struct kept *k, const struct cm_message *m)
{
    struct kept fresh = {.p = malloc(m->datagram.n), .n = m->datagram.n};
    if (!fresh.p)
        return ERR_NOMEM;
    memcpy(fresh.p, m->datagram.p, fresh.n);
    TRY(cm_parse(bytes_of(fresh.p, fresh.n), false, 0, &fresh.m));
    memcpy(fresh.m.fds, m->fds, sizeof m->fds);
    fresh.m.fd_count = m->fd_count;
    kept_clear(k);
    *k = fresh;
    return ERR_NONE;
}

/* The records a comma separated list names, those we have. */
#define PICK(list, find, out) \
    do { \
        size_t at = 0, n = 0; \
        struct bytes name; \
        while (n + 1 < COUNT_OF(out) && names_next(list, &at, &name)) \
            if (((out)[n] = find(name)) != NULL) \
                n++; \
        (out)[n] = NULL; \
    } while (0)

static struct {     /* what a conn_setup points to: lives as long as the conn */
    const struct kex_alg *kex[48];
    const struct cipher_alg *ciphers[24];
    const struct mac_alg *macs[32];
    const struct compress_alg *compress[2];
    char software[256], hostkey_algs[NAME_LIST_MAX + 1];
} lists;

static enum err start(struct transport *t, const struct cm_message *m)
{
    const struct cm_start *s = &m->u.start;
    if (t->conn)
        return ERR_STATE;
    PICK(s->kex, kex_find, lists.kex);
    PICK(s->ciphers, cipher_find, lists.ciphers);
    PICK(s->macs, mac_find, lists.macs);
    lists.compress[0] = &compress_zlib_openssh;
    TRY(bytes_to_str(s->software, lists.software, sizeof lists.software));
    TRY(bytes_to_str(s->hostkey_algs, lists.hostkey_algs, sizeof lists.hostkey_algs));
    t->trace_level = s->trace_level;
    struct conn_setup setup = {
        .role = ROLE_CLIENT, .random = random_libcrypto, .software = lists.software, .kex = lists.kex, .ciphers = lists.ciphers,
        .macs = lists.macs, .compress = s->compress ? lists.compress : NULL, .compress_first = s->compress != 0,
        .hostkey_algs = bytes_str(lists.hostkey_algs), .rekey_bytes = s->rekey_bytes, .rekey_us = s->rekey_us,
        .guess_kex = s->guess != 0, .unbound = s->unbound != 0, .trace = s->trace_level > 0};
    t->conn = conn_new(&setup);
    if (!t->conn)
        return ERR_NOMEM;
    /* Ident line, KEXINIT and key shares are made while the UI still connects. */
    struct event ev;
    return conn_next(t->conn, clock_us(), &ev);
}

static enum err socket_given(struct transport *t, const struct cm_message *m)
{
    if (!t->conn || t->pump)
        return ERR_STATE;
    int in = m->fds[0], out = m->fd_count > 1 ? m->fds[1] : m->fds[0];
    t->pump = pump_new(t->conn, in, out, m->u.socket.is_socket ? PUMP_FD_SOCKET : PUMP_FD_NONBLOCK);
    return t->pump ? pump_watch(t->pump, t->ctl, 1 /* POLLIN */) : ERR_NOMEM;
}

enum err ask_auth(struct transport *t)
{
    static const enum auth_method methods[] = {AUTH_NONE, AUTH_PASSWORD, AUTH_PUBLICKEY, AUTH_KBDINT};
    const struct cm_auth *a = &t->auth.m.u.auth;
    if (!t->auth_waits || !t->kex_done)
        return ERR_NONE;
    if (a->method >= COUNT_OF(methods))
        return ERR_RANGE;
    struct auth_attempt try = {.user = a->user, .method = methods[a->method], .password = a->password, .new_password = a->new_password,
                               .change = a->change != 0, .alg = a->alg, .key = a->key, .sign = a->sign != 0, .devices = a->devices};
    t->auth_waits = false;
    TRY(conn_auth_try(t->conn, &try));
    return ERR_NONE;
}

static enum err auth(struct transport *t, const struct cm_message *m)
{
    TRY(kept_set(&t->auth, m));
    t->auth_waits = true;
    return ask_auth(t);
}

static enum err answers(struct transport *t, const struct cm_message *m)
{
    const struct cm_answers *a = &m->u.answers;
    if (t->prompts == 0 || a->answers.n != t->prompt_count)
        return ERR_STATE;
    struct answer answer = {.type = a->ok ? ANSWER_YES : ANSWER_NO, .answers = a->answers.v, .count = a->answers.n};
    uint32_t question = t->prompts;
    t->prompts = 0;
    return conn_answer(t->conn, question, &answer);
}

static enum err session(struct transport *t, const struct cm_message *m)
{
    const struct cm_session *s = &m->u.session;
    if (t->session.p)
        return ERR_STATE;
    TRY(kept_set(&t->session, m));
    if (s->escape != CM_NO_ESCAPE) {
        escape_init(&t->escape, (uint8_t)s->escape);
        t->escapes_on = true;
    }
    return t->authenticated ? session_open(t) : ERR_NONE;
}

static enum err winch(struct transport *t, const struct cm_message *m)
{
    const struct cm_winch *w = &m->u.winch;
    struct channel_request r = {.type = REQ_WINDOW_CHANGE, .cols = w->cols, .rows = w->rows, .xpixels = w->xpixels,
                                .ypixels = w->ypixels};
    if (!t->opened || t->over)
        return ERR_NONE;
    enum err e = chan_request(t->conn, t->chan, &r, 0);
    return e == ERR_AGAIN || e == ERR_STATE ? ERR_NONE : e;
}

static enum err listen_ask(struct transport *t, const struct cm_message *m)
{
    struct global_request g = {.type = GLOBAL_TCPIP_FORWARD, .want_reply = true, .host = m->u.listen.host, .port = m->u.listen.port};
    t->listens++;
    return conn_global(t->conn, &g, TAG_LISTEN + m->u.listen.tag);
}

static enum err agent(struct transport *t, const struct cm_message *m)
{
    if (t->opened)
        return ERR_STATE;
    t->agent_wanted = true;
    t->agent_timeout_s = m->u.agent.timeout_s;
    return ERR_NONE;
}

static enum err quit(struct transport *t, const struct cm_message *m)
{
    (void)t, (void)m;
    return ERR_PEER_GONE;
}

static enum err nothing(struct transport *t, const struct cm_message *m)
{
    (void)t, (void)m;
    return ERR_STATE;       /* an answer to nothing */
}

enum err ask_handle(struct transport *t, const struct cm_message *m)
{
    static enum err (*const handlers[CM_READY])(struct transport *, const struct cm_message *) = {
        [CM_START] = start, [CM_SOCKET] = socket_given, [CM_HOSTKEY_OK] = nothing, [CM_AUTH] = auth, [CM_ANSWERS] = answers,
        [CM_SESSION] = session, [CM_WINCH] = winch, [CM_RESUME] = nothing, [CM_QUIT] = quit, [CM_DIRECT] = direct_open,
        [CM_LISTEN] = listen_ask, [CM_FORWARD_TO] = forward_answer, [CM_AGENT] = agent, [CM_PROVE] = hostkeys_prove};
    return handlers[m->type](t, m);
}

enum err ask_take(struct transport *t, enum cm_type until, struct cm_message *out)
{
    for (;;) {
        struct cm_message m;
        enum err e = cm_recv(t->ctl, false, 0, until != CM_COUNT, buffer, &m);
        if (e == ERR_AGAIN)
            return ERR_NONE;
        TRY(e);
        if (m.type == until) {
            *out = m;
            return ERR_NONE;
        }
        TRY(ask_handle(t, &m));
    }
}
