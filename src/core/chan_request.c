/* SPDX-License-Identifier: ISC */
/* Channel requests (RFC 4254 5.4, 6; RFC 4335; OpenSSH's PROTOCOL 2): bodies become fields, one table both ways. */
#include "impl.h"
#include "base/text.h"

typedef void body_read(struct rd *r, struct channel_request *q);
typedef void body_write(struct wr *w, const struct channel_request *q);

static void read_size(struct rd *r, struct channel_request *q)
{
    q->cols = rd_u32(r), q->rows = rd_u32(r), q->xpixels = rd_u32(r), q->ypixels = rd_u32(r);
}

static void write_size(struct wr *w, const struct channel_request *q)
{
    wr_u32(w, q->cols), wr_u32(w, q->rows), wr_u32(w, q->xpixels), wr_u32(w, q->ypixels);
}

static void read_pty(struct rd *r, struct channel_request *q)
{
    q->text = rd_string_max(r, 256);
    read_size(r, q);
    q->value = rd_string_max(r, TERM_MODES_MAX);
}

static void write_pty(struct wr *w, const struct channel_request *q)
{
    wr_string(w, q->text), write_size(w, q), wr_string(w, q->value);
}

static void read_x11(struct rd *r, struct channel_request *q)
{
    q->flag = rd_bool(r);
    q->text = rd_string_max(r, 256), q->value = rd_string_max(r, 1024);
    q->number = rd_u32(r);
}

static void write_x11(struct wr *w, const struct channel_request *q)
{
    wr_bool(w, q->flag), wr_string(w, q->text), wr_string(w, q->value), wr_u32(w, q->number);
}

static void read_env(struct rd *r, struct channel_request *q) { q->text = rd_string(r), q->value = rd_string(r); }
static void write_env(struct wr *w, const struct channel_request *q) { wr_string(w, q->text), wr_string(w, q->value); }
static void read_text(struct rd *r, struct channel_request *q) { q->text = rd_string(r); }
static void write_text(struct wr *w, const struct channel_request *q) { wr_string(w, q->text); }
static void read_number(struct rd *r, struct channel_request *q) { q->number = rd_u32(r); }
static void write_number(struct wr *w, const struct channel_request *q) { wr_u32(w, q->number); }
static void read_none(struct rd *r, struct channel_request *q) { (void)r, (void)q; }
static void write_none(struct wr *w, const struct channel_request *q) { (void)w, (void)q; }
static void read_flow(struct rd *r, struct channel_request *q) { q->flag = rd_bool(r); }
static void write_flow(struct wr *w, const struct channel_request *q) { wr_bool(w, q->flag); }
static void read_rest(struct rd *r, struct channel_request *q) { q->value = rd_rest(r); }
static void write_rest(struct wr *w, const struct channel_request *q) { wr_raw(w, q->value); }

static void read_exit_signal(struct rd *r, struct channel_request *q)
{
    q->text = rd_string(r), q->flag = rd_bool(r), q->value = rd_string(r);
    rd_string(r);
}

static void write_exit_signal(struct wr *w, const struct channel_request *q)
{
    wr_string(w, q->text), wr_bool(w, q->flag), wr_string(w, q->value), wr_cstring(w, "");
}

enum { BEFORE_START = 1, STARTS = 2 };
enum { ASKED_START = 0x10000, ASKED_SILENT = 0x20000 };     /* in conn.ask_chan, above the channel's number */

static const struct request_row {
    const char *name;
    body_read *read;
    body_write *write;
    unsigned rules;
} rows[] = {
    [REQ_PTY]           = {"pty-req",       read_pty,    write_pty,    BEFORE_START},
    [REQ_X11]           = {"x11-req",       read_x11,    write_x11,    BEFORE_START},
    [REQ_ENV]           = {"env",           read_env,    write_env,    BEFORE_START},
    [REQ_SHELL]         = {"shell",         read_none,   write_none,   STARTS},
    [REQ_EXEC]          = {"exec",          read_text,   write_text,   STARTS},
    [REQ_SUBSYSTEM]     = {"subsystem",     read_text,   write_text,   STARTS},
    [REQ_WINDOW_CHANGE] = {"window-change", read_size,   write_size,   0},
    [REQ_XON_XOFF]      = {"xon-xoff",      read_flow,   write_flow,   0},
    [REQ_SIGNAL]        = {"signal",        read_text,   write_text,   0},
    [REQ_BREAK]         = {"break",         read_number, write_number, 0},
    [REQ_EXIT_STATUS]   = {"exit-status",   read_number, write_number, 0},
    [REQ_EXIT_SIGNAL]   = {"exit-signal",   read_exit_signal, write_exit_signal, 0},
    [REQ_AUTH_AGENT]    = {"auth-agent-req@openssh.com", read_none, write_none, BEFORE_START},
    [REQ_EOW]           = {"eow@openssh.com", read_none, write_none,   0},
    [REQ_KEEPALIVE]     = {"keepalive@openssh.com", read_none, write_none, 0},
    [REQ_OTHER]         = {NULL,            read_rest,   write_rest,   0},
};

enum err chan_request(struct conn *c, uint32_t chan, const struct channel_request *q, uint32_t tag)
{
    struct channel *ch = chan_find(c, chan);
    if (!ch || ch->state != CHAN_OPEN || (ch->flags & (CHAN_CLOSE_SENT | CHAN_WANT_CLOSE)) || c->stage != STAGE_OPEN) return ERR_STATE;
    if (q->text.n + q->value.n > CHANNEL_PACKET_MAX) return ERR_TOO_LONG;
    if (out_room(c) < PACKET_PREAUTH_MAX) return ERR_AGAIN;
    if (q->want_reply) TRY(outstanding_add(c, chan, tag));
    struct wr w = msg_begin(c, MSG_CHANNEL_REQUEST);
    wr_u32(&w, ch->remote);
    bool named = q->type == REQ_OTHER || (q->type == REQ_AUTH_AGENT && q->name.n);
    wr_string(&w, named ? q->name : bytes_str(rows[q->type].name));
    wr_bool(&w, q->want_reply);
    rows[q->type].write(&w, q);
    return msg_end(c, &w);
}

static enum err reply(struct conn *c, struct channel *ch, bool ok)
{
    if (ch->flags & CHAN_CLOSE_SENT) return ERR_NONE;
    struct wr w = msg_begin(c, ok ? MSG_CHANNEL_SUCCESS : MSG_CHANNEL_FAILURE);
    wr_u32(&w, ch->remote);
    return msg_end(c, &w);
}

/* Server: one of shell, exec, subsystem a channel; what prepares it only before (TRUST 4.4). */
static bool out_of_order(const struct conn *c, const struct channel *ch, unsigned rules)
{
    if (!rules) return false;
    return !is_server(c) || !(ch->flags & CHAN_IS_SESSION) || (ch->flags & CHAN_STARTED);
}

enum err on_channel_request(struct conn *c, struct rd *r, struct event *ev)
{
    struct channel_request q = {.type = REQ_OTHER};
    uint32_t n = rd_u32(r);
    q.name = rd_string_max(r, 256);
    q.want_reply = rd_bool(r);
    for (int t = 0; t < REQ_OTHER; t++)
        if (bytes_is(q.name, rows[t].name)) q.type = (enum channel_request_type)t;
    if (bytes_is(q.name, "agent-req")) q.type = REQ_AUTH_AGENT; /* RFC 9987's name of it */
    rows[q.type].read(r, &q);
    TRY(rd_done(r));
    struct channel *ch = chan_find(c, n);
    if (!ch || ch->state != CHAN_OPEN || (ch->flags & CHAN_CLOSE_RCVD)) return ERR_STATE;
    unsigned rules = rows[q.type].rules;
    if (q.type == REQ_KEEPALIVE || out_of_order(c, ch, rules)) return q.want_reply ? reply(c, ch, false) : ERR_NONE;
    /* Our close crossed it. How a program ended is still worth to be known. */
    bool exits = q.type == REQ_EXIT_STATUS || q.type == REQ_EXIT_SIGNAL;
    if ((ch->flags & (CHAN_CLOSE_SENT | CHAN_WANT_CLOSE)) && !exits) return ERR_NONE;
    *ev = (struct event){.type = EV_CHANNEL_REQUEST, .chan = n, .request = q};
    /* What prepares or starts a session stops the street even when the peer wants no reply, as dbclient does: the data that follows at
     * once must find it running. */
    if (q.want_reply || rules) {
        ev->question = conn_ask(c, ASK_CHANNEL_REQUEST);
        c->ask_chan = n | (rules & STARTS ? ASKED_START : 0) | (q.want_reply ? 0 : ASKED_SILENT);
    }
    return ERR_NONE;
}

enum err chan_answer_request(struct conn *c, const struct answer *a)
{
    struct channel *ch = chan_find(c, c->ask_chan & 0xffff);
    if (!ch || ch->state != CHAN_OPEN) return ERR_NONE;
    if (a->type == ANSWER_YES && (c->ask_chan & ASKED_START)) ch->flags |= CHAN_STARTED;
    return c->ask_chan & ASKED_SILENT ? ERR_NONE : reply(c, ch, a->type == ANSWER_YES);
}

/* ---- replies to own requests ---- */

static enum err request_done(struct conn *c, struct rd *r, struct event *ev, bool ok)
{
    uint32_t n = rd_u32(r), tag;
    TRY(rd_done(r));
    struct channel *ch = chan_find(c, n);
    if (!ch || ch->state != CHAN_OPEN || !outstanding_take(c, n, &tag)) return ERR_STATE;
    *ev = (struct event){.type = EV_REQUEST_DONE, .chan = n, .done = {ok, tag, {0}}};
    return ERR_NONE;
}

enum err on_channel_reply(struct conn *c, struct rd *r, struct event *ev) { return request_done(c, r, ev, true); }
enum err on_channel_reply_failure(struct conn *c, struct rd *r, struct event *ev) { return request_done(c, r, ev, false); }
