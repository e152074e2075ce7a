/* SPDX-License-Identifier: ISC */
/* Transport messages outside the key exchange: RFC 4253 10 and 11, RFC 8308, ping@openssh.com. */
#include "impl.h"

#define PING_MAX 32768

enum err on_disconnect(struct conn *c, struct rd *r, struct event *ev)
{
    uint32_t reason = rd_u32(r);
    struct bytes text = rd_string(r);
    if (r->err == ERR_NONE && r->n) rd_string(r);   /* the language tag; some leave it out */
    if (r->err != ERR_NONE) text = (struct bytes){0}, reason = 0;
    *ev = (struct event){.type = EV_DISCONNECTED, .disconnect = {reason, text}};
    (void)conn_fail(c, ERR_DISCONNECTED, true, "DISCONNECT");
    return ERR_NONE;
}

enum err on_ignore(struct conn *c, struct rd *r, struct event *ev)
{
    (void)c, (void)r, (void)ev;
    return ERR_NONE;
}

enum err on_unimplemented(struct conn *c, struct rd *r, struct event *ev)
{
    (void)c, (void)r, (void)ev;
    return ERR_NONE;
}

enum err on_debug(struct conn *c, struct rd *r, struct event *ev)
{
    (void)c;
    bool show = rd_bool(r);
    struct bytes text = rd_string(r);
    if (r->err == ERR_NONE && show) *ev = (struct event){.type = EV_DEBUG, .text = text};
    return ERR_NONE;
}

/* Some clients (paramiko) ask again before each further try to log in; RFC 4253 10 does not forbid it, and it changes nothing. */
enum err on_service_request(struct conn *c, struct rd *r, struct event *ev)
{
    (void)ev;
    struct bytes name = rd_string(r);
    TRY(rd_done(r));
    if (!bytes_is(name, "ssh-userauth")) return ERR_SERVICE;
    struct wr w = msg_begin(c, MSG_SERVICE_ACCEPT);
    wr_string(&w, name);
    c->stage = STAGE_AUTH;
    return msg_end(c, &w);
}

static void rtt_sample(struct conn *c)
{
    uint64_t us = c->now_us - c->rtt_mark_us;
    if (c->rtt_mark_us && (c->rtt_us == 0 || us < c->rtt_us)) c->rtt_us = us;
    c->rtt_mark_us = 0;
}

enum err on_service_accept(struct conn *c, struct rd *r, struct event *ev)
{
    struct bytes name = rd_string(r);
    TRY(rd_done(r));
    if (!c->service_requested || !bytes_is(name, "ssh-userauth")) return ERR_STATE;
    rtt_sample(c);
    c->service_accepted = true;
    c->stage = STAGE_AUTH;
    ev->type = EV_AUTH_READY;
    return ERR_NONE;
}

/* RFC 8308 2.4: right after NEWKEYS; a server may send a second one right before USERAUTH_SUCCESS (or, with
 * ext-info-in-auth@openssh.com, during authentication). */
static bool ext_info_allowed(struct conn *c)
{
    if (c->stage == STAGE_SERVICE && c->packets_since_newkeys == 1) return true;
    if (is_server(c) || c->ext_info_late || c->stage != STAGE_AUTH) return false;
    return c->ext_info_late = true;
}

static void ext_info_take(struct conn *c, struct bytes name, struct bytes value)
{
    trace_add(c, TRACE_EXT_INFO, 0, 0, name);
    if (bytes_is(name, "server-sig-algs") && !is_server(c) && value.n <= NAME_LIST_MAX) {
        c->sig_algs_peer.n = 0;
        wr_raw(&c->sig_algs_peer, value);
        c->facts.server_sig_algs = wr_bytes(&c->sig_algs_peer);
    } else if (bytes_is(name, "publickey-hostbound@openssh.com") && !is_server(c) && bytes_is(value, "0")) {
        c->facts.peer_hostbound = !c->setup.unbound;
    } else if (bytes_is(name, "agent-forward") && !is_server(c) && bytes_is(value, "0")) { /* RFC 9987 */
        c->facts.peer_agent_forward = true;
    } else if (bytes_is(name, "ping@openssh.com") && bytes_is(value, "0")) {
        c->facts.peer_ping = true;
    } else if (bytes_is(name, "ext-info-in-auth@openssh.com") && is_server(c) && bytes_is(value, "0")) {
        c->facts.peer_ext_info_late = true;
    }
}

enum err on_ext_info(struct conn *c, struct rd *r, struct event *ev)
{
    (void)ev;
    if (!ext_info_allowed(c)) return ERR_STATE;
    uint32_t n = rd_u32(r);
    if (n > EXT_INFO_MAX) return ERR_BUDGET;
    for (uint32_t i = 0; i < n && r->err == ERR_NONE; i++) {
        struct bytes name = rd_string(r), value = rd_string(r);
        if (r->err == ERR_NONE) ext_info_take(c, name, value);
    }
    c->facts.peer_ext_info = true;
    return rd_done(r);
}

enum err ext_info_send(struct conn *c)
{
    struct wr w = msg_begin(c, MSG_EXT_INFO);
    if (is_server(c)) {
        wr_u32(&w, (c->setup.sig_algs.n ? 4 : 3) - c->setup.agent_untold);
        if (c->setup.sig_algs.n) wr_cstring(&w, "server-sig-algs"), wr_string(&w, c->setup.sig_algs);
        wr_cstring(&w, "publickey-hostbound@openssh.com"), wr_cstring(&w, "0");
        wr_cstring(&w, "ping@openssh.com"), wr_cstring(&w, "0");
        if (!c->setup.agent_untold) wr_cstring(&w, "agent-forward"), wr_cstring(&w, "0");     /* RFC 9987: we know its names */
    } else {
        wr_u32(&w, 1);
        wr_cstring(&w, "ext-info-in-auth@openssh.com"), wr_cstring(&w, "0");
    }
    c->ext_info_sent = true;
    return msg_end(c, &w);
}

/* PROTOCOL, ext-info-in-auth@openssh.com: what was said before the user was known may be said better now. */
enum err conn_ext_info(struct conn *c, struct bytes sig_algs, bool agent)
{
    if (!is_server(c) || c->stage != STAGE_AUTH || !c->facts.peer_ext_info_late || c->ext_info_late) return ERR_STATE;
    if (sig_algs.n > NAME_LIST_MAX) return ERR_TOO_LONG;
    struct wr w = msg_begin(c, MSG_EXT_INFO);
    wr_u32(&w, 1 + agent);
    wr_cstring(&w, "server-sig-algs"), wr_string(&w, sig_algs);
    if (agent) wr_cstring(&w, "agent-forward"), wr_cstring(&w, "0");
    TRY(msg_end(c, &w));
    c->ext_info_late = true;
    return ERR_NONE;
}

enum err on_ping(struct conn *c, struct rd *r, struct event *ev)
{
    (void)ev;
    struct bytes data = rd_string_max(r, PING_MAX);
    TRY(rd_done(r));
    struct wr w = msg_begin(c, MSG_PONG);
    wr_string(&w, data);
    return msg_end(c, &w);
}

enum err on_pong(struct conn *c, struct rd *r, struct event *ev)
{
    (void)c;
    struct bytes data = rd_string(r);
    TRY(rd_done(r));
    *ev = (struct event){.type = EV_PONG, .data.bytes = data};
    return ERR_NONE;
}
