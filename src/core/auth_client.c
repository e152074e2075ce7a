/* SPDX-License-Identifier: ISC */
/* The client's half of RFC 4252 and RFC 4256: one request at a time, replies only to what was asked. */
#include "impl.h"
#include "base/text.h"

static const char *const method_names[] = {
    [AUTH_NONE] = "none", [AUTH_PASSWORD] = "password", [AUTH_PUBLICKEY] = "publickey", [AUTH_KBDINT] = "keyboard-interactive",
};

static enum err service_request(struct conn *c)
{
    if (c->service_requested) return ERR_NONE;
    struct wr w = msg_begin(c, MSG_SERVICE_REQUEST);
    wr_cstring(&w, "ssh-userauth");
    TRY(msg_end(c, &w));
    c->service_requested = true;
    return ERR_NONE;
}

static void write_request(struct conn *c, struct wr *w, const struct auth_attempt *a)
{
    bool hostbound = a->method == AUTH_PUBLICKEY && a->sign && c->facts.peer_hostbound;
    wr_string(w, a->user);
    wr_string(w, a->service.n ? a->service : BYTES_LIT("ssh-connection"));
    wr_cstring(w, hostbound ? "publickey-hostbound-v00@openssh.com" : method_names[a->method]);
    if (a->method == AUTH_PASSWORD) {
        wr_bool(w, a->change);
        wr_string(w, a->password);
        if (a->change) wr_string(w, a->new_password);
    } else if (a->method == AUTH_KBDINT) {
        wr_cstring(w, ""), wr_string(w, a->devices);
    } else if (a->method == AUTH_PUBLICKEY) {
        wr_bool(w, a->sign);
        wr_string(w, a->alg), wr_string(w, a->key);
        if (hostbound) wr_string(w, c->facts.hostkey);
    }
}

/* The text a signature covers: session id, then the request without the signature (RFC 4252 7). */
static enum err sign_prepare(struct conn *c, const struct auth_attempt *a)
{
    struct wr *w = &c->auth_request;
    w->n = 0;
    wr_string(w, c->facts.session_id);
    c->auth_payload_at = w->n;
    wr_u8(w, MSG_USERAUTH_REQUEST);
    write_request(c, w, a);
    return wr_done(w);
}

static enum err keep(struct wr *w, struct bytes b)
{
    w->n = 0;
    wr_raw(w, b);
    return wr_done(w);
}

enum err conn_auth_try(struct conn *c, const struct auth_attempt *a)
{
    if (is_server(c) || (c->stage != STAGE_SERVICE && c->stage != STAGE_AUTH) || c->auth_running || c->ask != ASK_NONE) return ERR_STATE;
    if (a->method > AUTH_KBDINT) return ERR_USAGE;
    if (a->user.n > USER_NAME_MAX || a->password.n > PASSWORD_MAX || a->new_password.n > PASSWORD_MAX) return ERR_TOO_LONG;
    TRY(keep(&c->auth_alg, a->alg));
    TRY(keep(&c->auth_key, a->key));
    TRY(service_request(c));
    c->auth_method = a->method;
    c->auth_running = true;
    c->auth_sent_sign = a->method == AUTH_PUBLICKEY && a->sign;
    if (c->auth_sent_sign) {
        c->auth_sign_due = true;
        return sign_prepare(c, a);
    }
    struct wr w = msg_begin(c, MSG_USERAUTH_REQUEST);
    write_request(c, &w, a);
    return msg_end(c, &w);
}

enum err auth_sign_event(struct conn *c, struct event *ev)
{
    c->auth_sign_due = false;
    *ev = (struct event){.type = EV_SIGN, .question = conn_ask(c, ASK_SIGN_AUTH)};
    ev->sign.msg = wr_bytes(&c->auth_request);
    ev->sign.alg = wr_bytes(&c->auth_alg), ev->sign.key_blob = wr_bytes(&c->auth_key);
    return ERR_NONE;
}

static enum err signed_send(struct conn *c, const struct answer *a)
{
    if (a->type != ANSWER_YES) {
        c->auth_running = false;
        return ERR_NONE;
    }
    struct bytes request = {c->auth_request.p + c->auth_payload_at + 1, c->auth_request.n - c->auth_payload_at - 1};
    struct wr w = msg_begin(c, MSG_USERAUTH_REQUEST);
    wr_raw(&w, request);
    wr_string(&w, a->data);
    return msg_end(c, &w);
}

static enum err responses_send(struct conn *c, const struct answer *a)
{
    if (a->type == ANSWER_YES && a->count != c->kbdint_prompts) return ERR_USAGE;
    size_t n = a->type == ANSWER_YES ? a->count : 0;
    struct wr w = msg_begin(c, MSG_USERAUTH_INFO_RESPONSE);
    wr_u32(&w, (uint32_t)n);
    for (size_t i = 0; i < n; i++) wr_string(&w, a->answers[i]);
    return msg_end(c, &w);
}

enum err auth_answer_client(struct conn *c, const struct answer *a)
{
    return c->auth_method == AUTH_PUBLICKEY ? signed_send(c, a) : responses_send(c, a);
}

/* ---- what the server says ---- */

enum err on_userauth_failure(struct conn *c, struct rd *r, struct event *ev)
{
    struct bytes methods = rd_string_max(r, NAME_LIST_MAX);
    bool partial = rd_bool(r);
    TRY(rd_done(r));
    if (!c->auth_running) return ERR_STATE;
    c->auth_running = false;
    *ev = (struct event){.type = EV_AUTH_NEXT, .auth_next = {methods, partial}};
    return ERR_NONE;
}

/* 52 only as the answer to a request, and only once (TRUST 4.4): a server cannot skip authentication. */
enum err on_userauth_success(struct conn *c, struct rd *r, struct event *ev)
{
    TRY(rd_done(r));
    if (!c->auth_running) return ERR_STATE;
    TRY(auth_finish(c));
    ev->type = EV_AUTH_DONE;
    return ERR_NONE;
}

enum err on_userauth_banner(struct conn *c, struct rd *r, struct event *ev)
{
    (void)c;
    struct bytes text = rd_string_max(r, PACKET_MAX);
    rd_string(r);
    TRY(rd_done(r));
    *ev = (struct event){.type = EV_BANNER, .text = text};
    return ERR_NONE;
}

static enum err pk_ok(struct conn *c, struct rd *r, struct event *ev)
{
    struct bytes alg = rd_string(r), key = rd_string(r);
    TRY(rd_done(r));
    bool asked = !c->auth_sent_sign && bytes_equal(key, wr_bytes(&c->auth_key)) && bytes_equal(alg, wr_bytes(&c->auth_alg));
    if (!asked) return ERR_PROTOCOL;
    c->auth_running = false;
    *ev = (struct event){.type = EV_PK_OK, .pk_ok = {key, alg, {0}}};
    return ERR_NONE;
}

static enum err info_request(struct conn *c, struct rd *r, struct event *ev)
{
    struct event e = {.type = EV_PROMPTS};
    e.prompts.name = rd_string(r), e.prompts.instruction = rd_string(r);
    rd_string(r);
    uint32_t n = rd_u32(r);
    if (n > PROMPTS_MAX) return ERR_BUDGET;
    for (uint32_t i = 0; i < n; i++) e.prompts.prompt[i].text = rd_string(r), e.prompts.prompt[i].echo = rd_bool(r);
    e.prompts.count = c->kbdint_prompts = n;
    TRY(rd_done(r));
    e.question = conn_ask(c, ASK_PROMPTS);
    *ev = e;
    return ERR_NONE;
}

static enum err passwd_change(struct conn *c, struct rd *r, struct event *ev)
{
    struct bytes text = rd_string(r);
    rd_string(r);
    TRY(rd_done(r));
    c->auth_running = false;
    *ev = (struct event){.type = EV_PASSWD_CHANGE, .text = text};
    return ERR_NONE;
}

enum err on_userauth_60(struct conn *c, struct rd *r, struct event *ev)
{
    if (!c->auth_running) return ERR_STATE;
    switch (c->auth_method) {
    case AUTH_PUBLICKEY: return pk_ok(c, r, ev);
    case AUTH_KBDINT: return info_request(c, r, ev);
    case AUTH_PASSWORD: return passwd_change(c, r, ev);
    default: return ERR_STATE;
    }
}
