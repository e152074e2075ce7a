/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "base/text.h"
#include "transport.h"

typedef enum err handler(struct transport *t, const struct event *ev);

static enum err on_kex_done(struct transport *t, const struct event *ev)
{
    (void)ev;
    if (!t->kex_told)
        TRY(report_kex(t));
    t->kex_told = false;
    t->kex_done = true;
    /* The first request leaves in one flight with NEWKEYS. */
    return ask_auth(t);
}

/* The street stands still until the UI has looked at the key, a person asked perhaps; so may we. */
static enum err on_hostkey(struct transport *t, const struct event *ev)
{
    const struct conn_facts *f = conn_facts(t->conn);
    struct cm_hostkey h = {ev->hostkey.key, ev->hostkey.alg, ev->hostkey.sig, f->exchange_hash};
    struct cm_message m;
    uint32_t question = ev->question;
    if (f->kex)
        TRY(report_kex(t));
    report_trace(t);
    TRY(cm_send(t->ctl, CM_HOSTKEY, &h, NULL, 0));
    TRY(ask_take(t, CM_HOSTKEY_OK, &m));
    struct answer a = {.type = m.u.hostkey_ok.ok ? ANSWER_YES : ANSWER_NO};
    return conn_answer(t->conn, question, &a);
}

static enum err on_auth_next(struct transport *t, const struct event *ev)
{
    const struct conn_facts *f = conn_facts(t->conn);
    session_forget_early(t);
    struct cm_auth_next n = {ev->auth_next.methods, f->server_sig_algs, ev->auth_next.partial, f->peer_hostbound};
    return cm_send(t->ctl, CM_AUTH_NEXT, &n, NULL, 0);
}

static enum err on_pk_ok(struct transport *t, const struct event *ev)
{
    const struct conn_facts *f = conn_facts(t->conn);
    struct cm_pk_ok p = {ev->pk_ok.key, ev->pk_ok.alg, f->server_sig_algs, f->peer_hostbound};
    return cm_send(t->ctl, CM_PK_OK, &p, NULL, 0);
}

/* The UI signed before we asked: its own text, not ours. */
static enum err on_sign(struct transport *t, const struct event *ev)
{
    const struct cm_auth *a = &t->auth.m.u.auth;
    struct answer answer = {.type = t->auth.p && a->sig.n ? ANSWER_YES : ANSWER_NO};
    if (answer.type == ANSWER_YES)
        answer.data = a->sig;
    TRY(conn_answer(t->conn, ev->question, &answer));
    return answer.type == ANSWER_YES && a->pipeline ? session_open_early(t) : ERR_NONE;
}

static enum err on_prompts(struct transport *t, const struct event *ev)
{
    struct cm_prompts p = {.name = ev->prompts.name, .instruction = ev->prompts.instruction};
    uint8_t echo[PROMPTS_MAX];
    for (size_t i = 0; i < ev->prompts.count; i++) {
        echo[i] = ev->prompts.prompt[i].echo;
        p.texts.v[p.texts.n++] = ev->prompts.prompt[i].text;
    }
    p.echo = bytes_of(echo, p.texts.n);
    t->prompts = ev->question;
    t->prompt_count = p.texts.n;
    return cm_send(t->ctl, CM_PROMPTS, &p, NULL, 0);
}

static enum err send_text(struct transport *t, enum cm_type type, struct bytes text)
{
    struct cm_text m = {{text.p, text.n < CM_TEXT_MAX ? text.n : CM_TEXT_MAX}};
    return cm_send(t->ctl, type, &m, NULL, 0);
}

static enum err on_passwd_change(struct transport *t, const struct event *ev)
{
    return send_text(t, CM_PASSWD_CHANGE, ev->text);
}

static enum err on_banner(struct transport *t, const struct event *ev)
{
    struct bytes rest = ev->text;
    while (rest.n > 0 && !t->authenticated) {
        struct bytes part = {rest.p, rest.n < CM_TEXT_MAX ? rest.n : CM_TEXT_MAX};
        TRY(send_text(t, CM_BANNER, part));
        rest = bytes_of(rest.p + part.n, rest.n - part.n);
    }
    return ERR_NONE;
}

static enum err on_auth_done(struct transport *t, const struct event *ev)
{
    struct cm_none none = {0};
    (void)ev;
    t->authenticated = true;
    TRY(cm_send(t->ctl, CM_AUTH_DONE, &none, NULL, 0));
    return t->session.p ? session_open(t) : ERR_NONE;
}

static enum err on_opened(struct transport *t, const struct event *ev)
{
    return session_opened(t, ev->chan);
}

static enum err on_closed(struct transport *t, const struct event *ev)
{
    bool abandoned = ev->chan < CHANNELS_MAX && t->abandoned[ev->chan];
    t->channels -= !abandoned;
    if (ev->chan < CHANNELS_MAX) {
        t->half[ev->chan] = 0;
        t->abandoned[ev->chan] = false;
    }
    silence_end(t, ev->chan);
    if (ev->chan == t->chan && t->opened)
        t->over = true;
    return ERR_NONE;
}

static enum err on_eof(struct transport *t, const struct event *ev)
{
    forward_half(t, ev->chan, HALF_PEER);
    return ERR_NONE;
}

static enum err on_global(struct transport *t, const struct event *ev)
{
    struct answer no = {.type = ANSWER_NO};     /* keepalive@openssh.com wants any answer; hostkeys-00 wants none */
    char name[128];
    if (ev->global.type == GLOBAL_HOSTKEYS)
        TRY(hostkeys_told(t, ev));
    report_line(t, 1, "client_input_global_request: rtype %s want_reply %d",
                escape_str(ev->global.name, name, sizeof name), ev->global.want_reply);
    return ev->question ? conn_answer(t->conn, ev->question, &no) : ERR_NONE;
}

static enum err on_global_done(struct transport *t, const struct event *ev)
{
    if (ev->done.tag == TAG_PROVE)
        return hostkeys_proved(t, ev->done.ok, ev->done.data);
    if (ev->done.tag < TAG_LISTEN)
        return ERR_NONE;                        /* keepalive: that something came is all */
    struct cm_listening l = {.tag = ev->done.tag - TAG_LISTEN, .ok = ev->done.ok};
    if (ev->done.data.n >= 4)                   /* the port, where we left the choice to the server (RFC 4254 7.1) */
        l.port = get_u32(ev->done.data.p);
    return cm_send(t->ctl, CM_LISTENING, &l, NULL, 0);
}

static enum err on_debug(struct transport *t, const struct event *ev)
{
    char text[512];
    report_line(t, 1, "Remote: %s", escape_str(ev->text, text, sizeof text));
    return ERR_NONE;
}

static enum err on_disconnected(struct transport *t, const struct event *ev)
{
    t->disconnected = true;
    t->reason = ev->disconnect.reason;
    size_t n = ev->disconnect.text.n < sizeof t->reason_text - 1 ? ev->disconnect.text.n : sizeof t->reason_text - 1;
    memcpy(t->reason_text, ev->disconnect.text.p, n);
    return ERR_NONE;
}

enum err event_handle(struct transport *t, const struct event *ev)
{
    static handler *const handlers[] = {
        [EV_KEX_DONE] = on_kex_done, [EV_HOSTKEY_CHECK] = on_hostkey, [EV_AUTH_NEXT] = on_auth_next, [EV_PK_OK] = on_pk_ok,
        [EV_SIGN] = on_sign, [EV_PROMPTS] = on_prompts, [EV_PASSWD_CHANGE] = on_passwd_change, [EV_BANNER] = on_banner,
        [EV_AUTH_DONE] = on_auth_done, [EV_CHANNEL_OPENED] = on_opened, [EV_CHANNEL_REFUSED] = session_refused,
        [EV_CHANNEL_OPEN] = forward_ask, [EV_CHANNEL_REQUEST] = session_request, [EV_REQUEST_DONE] = session_request_done,
        [EV_CHANNEL_EOF] = on_eof, [EV_CHANNEL_CLOSED] = on_closed, [EV_GLOBAL_REQUEST] = on_global, [EV_GLOBAL_DONE] = on_global_done,
        [EV_DEBUG] = on_debug, [EV_DISCONNECTED] = on_disconnected, [EV_GEX_GROUP] = NULL};
    return (size_t)ev->type < COUNT_OF(handlers) && handlers[ev->type] ? handlers[ev->type](t, ev) : ERR_NONE;
}
