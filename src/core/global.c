/* SPDX-License-Identifier: ISC */
/* Global requests (RFC 4254 4, 7.1; OpenSSH's PROTOCOL 2.2, 2.5) and the list of own requests that wait for an answer. */
#include "impl.h"

/* ---- outstanding ---- */

enum err outstanding_add(struct conn *c, uint32_t chan, uint32_t tag)
{
    if (c->outstanding_n == REQUESTS_PENDING_MAX) return ERR_AGAIN;
    c->outstanding[c->outstanding_n++] = (struct outstanding){chan, tag};
    return ERR_NONE;
}

static void outstanding_drop(struct conn *c, size_t i)
{
    memmove(c->outstanding + i, c->outstanding + i + 1, (--c->outstanding_n - i) * sizeof *c->outstanding);
}

bool outstanding_take(struct conn *c, uint32_t chan, uint32_t *tag)
{
    for (size_t i = 0; i < c->outstanding_n; i++) {
        if (c->outstanding[i].chan != chan) continue;
        *tag = c->outstanding[i].tag;
        outstanding_drop(c, i);
        return true;
    }
    return false;
}

void outstanding_forget(struct conn *c, uint32_t chan)
{
    for (size_t i = c->outstanding_n; i-- > 0;)
        if (c->outstanding[i].chan == chan) outstanding_drop(c, i);
}

/* ---- global requests ---- */

static const char *const names[] = {
    [GLOBAL_TCPIP_FORWARD] = "tcpip-forward", [GLOBAL_CANCEL_TCPIP_FORWARD] = "cancel-tcpip-forward",
    [GLOBAL_NO_MORE_SESSIONS] = "no-more-sessions@openssh.com", [GLOBAL_KEEPALIVE] = "keepalive@openssh.com",
    [GLOBAL_HOSTKEYS] = "hostkeys-00@openssh.com", [GLOBAL_HOSTKEYS_PROVE] = "hostkeys-prove-00@openssh.com",
};

static bool is_forward(enum global_type t)
{
    return t == GLOBAL_TCPIP_FORWARD || t == GLOBAL_CANCEL_TCPIP_FORWARD;
}

enum err conn_global(struct conn *c, const struct global_request *g, uint32_t tag)
{
    if (c->stage != STAGE_OPEN) return ERR_STATE;
    if (g->body.n > CHANNEL_PACKET_MAX || g->host.n > 1024) return ERR_TOO_LONG;
    if (out_room(c) < PACKET_PREAUTH_MAX) return ERR_AGAIN;
    if (g->want_reply) TRY(outstanding_add(c, CHAN_GLOBAL, tag));
    struct wr w = msg_begin(c, MSG_GLOBAL_REQUEST);
    wr_string(&w, g->type == GLOBAL_OTHER ? g->name : bytes_str(names[g->type]));
    wr_bool(&w, g->want_reply);
    if (is_forward(g->type)) wr_string(&w, g->host), wr_u32(&w, g->port);
    else wr_raw(&w, g->body);
    return msg_end(c, &w);
}

enum err on_global_request(struct conn *c, struct rd *r, struct event *ev)
{
    struct global_request g = {.type = GLOBAL_OTHER, .name = rd_string_max(r, 256)};
    g.want_reply = rd_bool(r);
    for (int t = 0; t < GLOBAL_OTHER; t++)
        if (bytes_is(g.name, names[t])) g.type = (enum global_type)t;
    if (is_forward(g.type)) g.host = rd_string_max(r, 1024), g.port = rd_u32(r);
    else g.body = rd_rest(r);
    TRY(rd_done(r));
    if (g.type == GLOBAL_NO_MORE_SESSIONS && is_server(c)) c->no_more_sessions = true;
    if (g.type == GLOBAL_KEEPALIVE) return g.want_reply ? msg_simple(c, MSG_REQUEST_FAILURE) : ERR_NONE; /* any answer shows life */
    *ev = (struct event){.type = EV_GLOBAL_REQUEST, .global = g};
    if (g.want_reply) ev->question = conn_ask(c, ASK_GLOBAL);
    return ERR_NONE;
}

enum err global_answer(struct conn *c, const struct answer *a)
{
    if (a->type != ANSWER_YES) return msg_simple(c, MSG_REQUEST_FAILURE);
    struct wr w = msg_begin(c, MSG_REQUEST_SUCCESS);
    wr_raw(&w, a->data);
    return msg_end(c, &w);
}

static enum err global_done(struct conn *c, struct rd *r, struct event *ev, bool ok)
{
    uint32_t tag;
    struct bytes data = ok ? rd_rest(r) : (struct bytes){0};    /* a failure has no body (RFC 4254 4) */
    TRY(rd_done(r));
    if (!outstanding_take(c, CHAN_GLOBAL, &tag)) return ERR_STATE;
    *ev = (struct event){.type = EV_GLOBAL_DONE, .done = {ok, tag, data}};
    return ERR_NONE;
}

enum err on_global_reply(struct conn *c, struct rd *r, struct event *ev) { return global_done(c, r, ev, true); }
enum err on_global_reply_failure(struct conn *c, struct rd *r, struct event *ev) { return global_done(c, r, ev, false); }
