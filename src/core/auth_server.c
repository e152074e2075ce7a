/* SPDX-License-Identifier: ISC */
/* The server's half of RFC 4252 and RFC 4256: requests are parsed here and decided elsewhere. */
#include "impl.h"
#include "base/text.h"

static enum auth_method method_find(struct bytes name)
{
    static const struct {
        const char *name;
        enum auth_method method;
    } rows[] = {{"none", AUTH_NONE}, {"password", AUTH_PASSWORD}, {"publickey", AUTH_PUBLICKEY},
                {"publickey-hostbound-v00@openssh.com", AUTH_PUBLICKEY}, {"keyboard-interactive", AUTH_KBDINT},
                {"hostbased", AUTH_HOSTBASED}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (bytes_is(name, rows[i].name)) return rows[i].method;
    return AUTH_OTHER;
}

static void parse_password(struct rd *r, struct auth_try *t)
{
    t->change = rd_bool(r);
    t->password = rd_string_max(r, PASSWORD_MAX);
    if (t->change) t->new_password = rd_string_max(r, PASSWORD_MAX);
}

/* RFC 4252 7; hostbound adds the server's host key (PROTOCOL 3.1). */
static void parse_publickey(struct conn *c, struct rd *r, struct auth_try *t, struct bytes payload)
{
    t->hostbound = !bytes_is(t->method_name, "publickey");
    t->has_sig = rd_bool(r);
    t->alg = rd_string_max(r, 256);
    t->key = rd_string_max(r, PUBKEY_BLOB_MAX);
    if (t->hostbound) {
        t->hostkey = rd_string_max(r, PUBKEY_BLOB_MAX);
        if (r->err == ERR_NONE && !bytes_equal(t->hostkey, c->facts.hostkey)) rd_fail(r, ERR_PROTOCOL);
    }
    if (!t->has_sig || r->err != ERR_NONE) return;
    struct bytes signed_part = {payload.p, payload.n - r->n};
    t->sig = rd_string_max(r, SIGNATURE_MAX);
    c->auth_text.n = 0;
    wr_string(&c->auth_text, c->facts.session_id);
    wr_raw(&c->auth_text, signed_part);
    if (wr_done(&c->auth_text) != ERR_NONE) rd_fail(r, wr_done(&c->auth_text));
    t->signed_text = wr_bytes(&c->auth_text);
}

static void auth_event(struct conn *c, const struct auth_try *t, struct event *ev)
{
    *ev = (struct event){.type = EV_AUTH_TRY, .question = conn_ask(c, ASK_AUTH), .auth = *t};
    c->auth_method = t->method;
    wr_clear(&c->auth_alg), wr_clear(&c->auth_key);
    c->auth_alg = wr_heap(256), c->auth_key = wr_heap(PUBKEY_BLOB_MAX);
    wr_raw(&c->auth_alg, t->alg), wr_raw(&c->auth_key, t->key); /* for PK_OK */
}

enum err on_userauth_request(struct conn *c, struct rd *r, struct event *ev)
{
    struct bytes payload = {r->p - 1, r->n + 1};
    struct auth_try t = {0};
    c->kbdint_running = false; /* RFC 4256 3.1: a new request ends the old one */
    t.user = rd_string_max(r, USER_NAME_MAX);
    t.service = rd_string_max(r, 256);
    t.method_name = rd_string_max(r, 256);
    t.method = method_find(t.method_name);
    switch (t.method) {
    case AUTH_PASSWORD: parse_password(r, &t); break;
    case AUTH_PUBLICKEY: parse_publickey(c, r, &t, payload); break;
    case AUTH_KBDINT: rd_string(r), t.devices = rd_string_max(r, NAME_LIST_MAX); break;
    case AUTH_NONE: break;
    default: rd_rest(r); break;
    }
    TRY(rd_done(r));
    auth_event(c, &t, ev);
    return ERR_NONE;
}

enum err on_userauth_info_response(struct conn *c, struct rd *r, struct event *ev)
{
    struct auth_try t = {.method = AUTH_KBDINT, .method_name = BYTES_LIT("keyboard-interactive"), .response = true};
    uint32_t n = rd_u32(r);
    if (n != c->kbdint_prompts || n > PROMPTS_MAX) return ERR_PROTOCOL; /* RFC 4256 3.4 */
    for (uint32_t i = 0; i < n; i++) t.answers[i] = rd_string_max(r, PASSWORD_MAX);
    t.answer_count = n;
    TRY(rd_done(r));
    c->kbdint_running = false;
    auth_event(c, &t, ev);
    return ERR_NONE;
}

static enum err failure_send(struct conn *c, struct bytes methods, bool partial)
{
    struct wr w = msg_begin(c, MSG_USERAUTH_FAILURE);
    wr_string(&w, methods);
    wr_bool(&w, partial);
    return msg_end(c, &w);
}

static enum err pk_ok_send(struct conn *c)
{
    struct wr w = msg_begin(c, MSG_USERAUTH_60);
    wr_string(&w, wr_bytes(&c->auth_alg));
    wr_string(&w, wr_bytes(&c->auth_key));
    return msg_end(c, &w);
}

static enum err prompts_send(struct conn *c, const struct answer *a)
{
    if (a->count > PROMPTS_MAX) return ERR_USAGE;
    struct wr w = msg_begin(c, MSG_USERAUTH_60);
    wr_string(&w, a->name), wr_string(&w, a->instruction), wr_cstring(&w, "");
    wr_u32(&w, (uint32_t)a->count);
    for (size_t i = 0; i < a->count; i++) wr_string(&w, a->prompts[i].text), wr_bool(&w, a->prompts[i].echo);
    c->kbdint_running = true, c->kbdint_prompts = a->count;
    return msg_end(c, &w);
}

enum err auth_finish(struct conn *c)
{
    struct direction *both[] = {&c->rx, &c->tx};
    c->stage = STAGE_OPEN;
    c->facts.authenticated = true;
    c->auth_running = c->kbdint_running = false;
    for (int i = 0; i < 2; i++) { /* zlib@openssh.com begins now */
        struct direction *d = both[i];
        if (!d->compress_alg || d->compress) continue;
        d->compress = d->compress_alg->new(d->compress_alg, i == 1);
        if (!d->compress) return ERR_NOMEM;
    }
    wr_clear(&c->auth_request), wr_clear(&c->auth_text), wr_clear(&c->auth_alg), wr_clear(&c->auth_key);
    return ERR_NONE;
}

enum err auth_answer_server(struct conn *c, const struct answer *a)
{
    switch (a->type) {
    case ANSWER_YES:
        TRY(msg_simple(c, MSG_USERAUTH_SUCCESS));
        return auth_finish(c);
    case ANSWER_NO: return failure_send(c, a->data, false);
    case ANSWER_PARTIAL: return failure_send(c, a->data, true);
    case ANSWER_PK_OK: return c->auth_method == AUTH_PUBLICKEY ? pk_ok_send(c) : ERR_USAGE;
    case ANSWER_PROMPTS: return c->auth_method == AUTH_KBDINT ? prompts_send(c, a) : ERR_USAGE;
    case ANSWER_PASSWD_CHANGE: {
        if (c->auth_method != AUTH_PASSWORD) return ERR_USAGE;
        struct wr w = msg_begin(c, MSG_USERAUTH_60);
        wr_string(&w, a->data), wr_cstring(&w, "");
        return msg_end(c, &w);
    }
    }
    return ERR_USAGE;
}

enum err conn_banner(struct conn *c, struct bytes text)
{
    if (!is_server(c) || c->stage != STAGE_AUTH) return ERR_STATE;
    if (text.n > 16384) return ERR_TOO_LONG;
    struct wr w = msg_begin(c, MSG_USERAUTH_BANNER);
    wr_string(&w, text), wr_cstring(&w, "");
    return msg_end(c, &w);
}
