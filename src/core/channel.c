/* SPDX-License-Identifier: ISC */
/* Channels (RFC 4254 5): numbers, windows, data. What ends a channel are bits that conn_next() flushes in order. */
#include "impl.h"
#include "base/text.h"

#include <stdlib.h>

#define FLUSH_ROOM 512      /* the longest message a flush writes, sealed */
#define OPEN_QUESTION(gen, n) (0x80000000U | ((gen) & 0x1fffffU) << 10 | (n))

struct channel *chan_find(const struct conn *c, uint32_t n)
{
    return n < c->chan_cap && c->chans[n].state != CHAN_FREE ? &c->chans[n] : NULL;
}

void chans_free(struct conn *c)
{
    free(c->chans);
    c->chans = NULL, c->chan_cap = 0;
}

static enum err chan_take(struct conn *c, uint32_t *out)
{
    uint32_t n = 0;
    while (n < c->chan_cap && c->chans[n].state != CHAN_FREE) n++;
    if (n >= c->setup.channels_max) return ERR_BUDGET;
    if (n == c->chan_cap) {
        uint32_t cap = n ? n * 2 : 4;
        struct channel *p = realloc(c->chans, cap * sizeof *p);
        if (!p) return ERR_NOMEM;
        memset(p + n, 0, (cap - n) * sizeof *p);
        c->chans = p, c->chan_cap = cap;
    }
    c->chans[n] = (struct channel){.window_max = c->setup.window, .local_window = c->setup.window};
    c->window_total += c->setup.window;
    c->facts.channels++;
    *out = n;
    return ERR_NONE;
}

static void chan_release(struct conn *c, uint32_t n)
{
    outstanding_forget(c, n);
    c->window_total -= c->chans[n].window_max;
    c->chans[n] = (struct channel){0};
    c->facts.channels--;
}

bool chan_may_talk(const struct conn *c)
{
    bool early = !is_server(c) && c->auth_running && !c->auth_sign_due && c->ask == ASK_NONE && !c->tx.compress_alg;
    return (c->stage == STAGE_OPEN || (early && c->stage != STAGE_DEAD)) && !c->kex_out && pend_empty(c);
}

/* May a message that can wait behind a key exchange be written? */
static bool may_queue(const struct conn *c)
{
    bool early = !is_server(c) && c->auth_running && !c->auth_sign_due && c->ask == ASK_NONE && !c->tx.compress_alg;
    return c->stage == STAGE_OPEN || (early && c->stage >= STAGE_SERVICE && c->stage != STAGE_DEAD);
}

/* ---- opening ---- */

static const char *const open_names[] = {
    [OPEN_SESSION] = "session", [OPEN_DIRECT_TCPIP] = "direct-tcpip", [OPEN_FORWARDED_TCPIP] = "forwarded-tcpip",
    [OPEN_X11] = "x11", [OPEN_AUTH_AGENT] = "auth-agent@openssh.com",
};

enum err chan_open(struct conn *c, const struct channel_open *o, uint32_t *chan)
{
    if (!may_queue(c)) return ERR_STATE;
    if (out_room(c) < PACKET_PREAUTH_MAX + FLUSH_ROOM) return ERR_AGAIN;
    uint32_t n;
    TRY(chan_take(c, &n));
    struct channel *ch = &c->chans[n];
    ch->state = CHAN_OPENING;
    if (o->type == OPEN_SESSION) ch->flags |= CHAN_IS_SESSION;
    struct wr w = msg_begin(c, MSG_CHANNEL_OPEN);
    bool named = o->type == OPEN_OTHER || (o->type == OPEN_AUTH_AGENT && o->name.n);
    wr_string(&w, named ? o->name : bytes_str(open_names[o->type]));
    wr_u32(&w, n), wr_u32(&w, ch->local_window), wr_u32(&w, CHANNEL_PACKET_MAX);
    if (o->type == OPEN_DIRECT_TCPIP || o->type == OPEN_FORWARDED_TCPIP) wr_string(&w, o->host), wr_u32(&w, o->port);
    if (o->type == OPEN_DIRECT_TCPIP || o->type == OPEN_FORWARDED_TCPIP || o->type == OPEN_X11)
        wr_string(&w, o->origin), wr_u32(&w, o->origin_port);
    if (o->type == OPEN_OTHER) wr_raw(&w, o->body);
    TRY(msg_end(c, &w));
    *chan = n;
    return ERR_NONE;
}

enum err on_channel_open_confirmation(struct conn *c, struct rd *r, struct event *ev)
{
    uint32_t n = rd_u32(r), remote = rd_u32(r), window = rd_u32(r), max = rd_u32(r);
    rd_rest(r);
    TRY(rd_done(r));
    struct channel *ch = chan_find(c, n);
    if (!ch || ch->state != CHAN_OPENING || max == 0) return ERR_STATE;
    ch->state = CHAN_OPEN;
    ch->remote = remote, ch->remote_window = window, ch->remote_packet_max = max;
    if (ch->flags) c->dirty++;
    *ev = (struct event){.type = EV_CHANNEL_OPENED, .chan = n};
    return ERR_NONE;
}

enum err on_channel_open_failure(struct conn *c, struct rd *r, struct event *ev)
{
    uint32_t n = rd_u32(r), reason = rd_u32(r);
    struct bytes text = rd_string(r);
    if (r->err == ERR_NONE && r->n) rd_string(r);
    TRY(rd_done(r));
    struct channel *ch = chan_find(c, n);
    if (!ch || ch->state != CHAN_OPENING) return ERR_STATE;
    *ev = (struct event){.type = EV_CHANNEL_REFUSED, .chan = n, .refused = {reason, text}};
    chan_release(c, n);
    return ERR_NONE;
}

static enum err open_refuse(struct conn *c, uint32_t remote, uint32_t reason, struct bytes text)
{
    struct wr w = msg_begin(c, MSG_CHANNEL_OPEN_FAILURE);
    wr_u32(&w, remote), wr_u32(&w, reason), wr_string(&w, text), wr_cstring(&w, "");
    return msg_end(c, &w);
}

static void parse_open(struct rd *r, struct channel_open *o)
{
    o->type = OPEN_OTHER;
    for (int t = 0; t < OPEN_OTHER; t++)
        if (bytes_is(o->name, open_names[t])) o->type = (enum open_type)t;
    if (bytes_is(o->name, "agent-connect")) o->type = OPEN_AUTH_AGENT; /* RFC 9987's name of it */
    if (o->type == OPEN_DIRECT_TCPIP || o->type == OPEN_FORWARDED_TCPIP) o->host = rd_string_max(r, 1024), o->port = rd_u32(r);
    if (o->type == OPEN_DIRECT_TCPIP || o->type == OPEN_FORWARDED_TCPIP || o->type == OPEN_X11)
        o->origin = rd_string_max(r, 1024), o->origin_port = rd_u32(r);
    if (o->type == OPEN_OTHER) o->body = rd_rest(r);
}

enum err on_channel_open(struct conn *c, struct rd *r, struct event *ev)
{
    struct channel_open o = {.name = rd_string_max(r, 256)};
    uint32_t remote = rd_u32(r), window = rd_u32(r), max = rd_u32(r), n;
    parse_open(r, &o);
    TRY(rd_done(r));
    if (max < 32) return open_refuse(c, remote, OPEN_RESOURCE, BYTES_LIT("maximum packet size too small"));
    if (o.type == OPEN_SESSION && c->no_more_sessions) return open_refuse(c, remote, OPEN_PROHIBITED, BYTES_LIT("no more sessions"));
    if (c->opens_asked >= OPENS_PENDING_MAX) return open_refuse(c, remote, OPEN_RESOURCE, BYTES_LIT("too many open requests"));
    enum err e = chan_take(c, &n);
    if (e == ERR_BUDGET) return open_refuse(c, remote, OPEN_RESOURCE, BYTES_LIT("too many channels"));
    TRY(e);
    struct channel *ch = &c->chans[n];
    ch->state = CHAN_ASKED, ch->generation = ++c->generation;
    ch->remote = remote, ch->remote_window = window, ch->remote_packet_max = max;
    if (o.type == OPEN_SESSION) ch->flags |= CHAN_IS_SESSION;
    c->opens_asked++;
    *ev = (struct event){.type = EV_CHANNEL_OPEN, .chan = n, .question = OPEN_QUESTION(ch->generation, n), .open = o};
    return ERR_NONE;
}

enum err chan_answer_open(struct conn *c, uint32_t question, const struct answer *a)
{
    uint32_t n = question & 1023;
    struct channel *ch = chan_find(c, n);
    if (!ch || ch->state != CHAN_ASKED || question != OPEN_QUESTION(ch->generation, n)) return ERR_USAGE;
    if (out_room(c) < FLUSH_ROOM + a->data.n || REKEY_QUEUE_MAX - c->pend.n < FLUSH_ROOM + a->data.n) return ERR_AGAIN;
    c->opens_asked--;
    if (a->type != ANSWER_YES) {
        uint32_t remote = ch->remote;
        chan_release(c, n);
        return open_refuse(c, remote, a->reason ? a->reason : OPEN_PROHIBITED, a->data);
    }
    ch->state = CHAN_OPEN;
    if (c->open_mark_us == 0 || c->open_mark_chan == n) c->open_mark_us = c->now_us, c->open_mark_chan = n;
    struct wr w = msg_begin(c, MSG_CHANNEL_OPEN_CONFIRMATION);
    wr_u32(&w, ch->remote), wr_u32(&w, n), wr_u32(&w, ch->local_window), wr_u32(&w, CHANNEL_PACKET_MAX);
    return msg_end(c, &w);
}

/* ---- receiving ---- */

/* The channel a message is about; it must be open and not closed by the peer. */
static struct channel *open_chan(struct conn *c, uint32_t n)
{
    struct channel *ch = chan_find(c, n);
    if (c->open_mark_us && c->open_mark_chan == n) {
        uint64_t us = c->now_us - c->open_mark_us;
        if (c->rtt_us == 0 || us < c->rtt_us) c->rtt_us = us;
        c->open_mark_us = 0;
    }
    return ch && ch->state == CHAN_OPEN && !(ch->flags & CHAN_CLOSE_RCVD) ? ch : NULL;
}

enum err on_window_adjust(struct conn *c, struct rd *r, struct event *ev)
{
    (void)ev;
    uint32_t n = rd_u32(r), add = rd_u32(r);
    TRY(rd_done(r));
    struct channel *ch = open_chan(c, n);
    if (!ch) return ERR_STATE;
    if (add > UINT32_MAX - ch->remote_window) return ERR_RANGE; /* RFC 4254 5.2 */
    ch->remote_window += add;
    return ERR_NONE;
}

/* At all times local_window + unconsumed + consumed = window_max. A window grows when one round trip used up half of it or more
 * while the program kept up; the round trip is the least seen in the handshake, or between a channel's confirmation, which its first message
 * has to wait for, and that message: all that a server sees. An unread queue takes it back to its start. */
static void window_tune(struct conn *c, struct channel *ch, uint32_t n)
{
    if (c->now_us - ch->round_start_us > c->rtt_us) ch->round_start_us = c->now_us, ch->round_bytes = 0;
    ch->round_bytes += n;
    /* A program that writes several packets at once has at most one read's worth in hand. */
    uint32_t in_hand = ch->window_max / 4 < IN_BUFFER ? ch->window_max / 4 : IN_BUFFER;
    bool kept_up = ch->unconsumed <= (n > in_hand ? n : in_hand);
    if (ch->round_bytes < ch->window_max / 2 || !kept_up || c->window_total + ch->window_max > WINDOW_TOTAL_MAX) return;
    c->window_total += ch->window_max;
    ch->consumed += ch->window_max; /* the new half is given with the next adjust */
    ch->window_max *= 2;
    ch->round_bytes = 0;
    trace_add(c, TRACE_WINDOW, (uint32_t)(ch - c->chans), ch->window_max, (struct bytes){0});
}

enum err on_channel_data(struct conn *c, struct rd *r, struct event *ev)
{
    bool extended = r->p[-1] == MSG_CHANNEL_EXTENDED_DATA;
    uint32_t n = rd_u32(r), code = extended ? rd_u32(r) : 0;
    struct bytes data = rd_string(r);
    TRY(rd_done(r));
    struct channel *ch = open_chan(c, n);
    if (!ch || (ch->flags & CHAN_EOF_RCVD)) return ERR_STATE;
    if (data.n > ch->local_window || data.n > CHANNEL_PACKET_MAX) return ERR_BUDGET;
    ch->local_window -= (uint32_t)data.n;
    /* After our CLOSE the peer may not have seen it yet: its data is dropped. Only stderr is known of extended data (5.2). */
    if ((ch->flags & (CHAN_CLOSE_SENT | CHAN_WANT_CLOSE)) || data.n == 0) return ERR_NONE;
    ch->unconsumed += (uint32_t)data.n;
    if (extended && (code != 1 || is_server(c))) {
        chan_consumed(c, n, data.n);
        return ERR_NONE;
    }
    window_tune(c, ch, (uint32_t)data.n);
    *ev = (struct event){.type = EV_CHANNEL_DATA, .chan = n, .data = {extended ? STREAM_STDERR : STREAM_DATA, data}};
    return ERR_NONE;
}

enum err on_channel_eof(struct conn *c, struct rd *r, struct event *ev)
{
    uint32_t n = rd_u32(r);
    TRY(rd_done(r));
    struct channel *ch = open_chan(c, n);
    if (!ch || (ch->flags & CHAN_EOF_RCVD)) return ERR_STATE;
    ch->flags |= CHAN_EOF_RCVD;
    if (!(ch->flags & CHAN_CLOSE_SENT)) *ev = (struct event){.type = EV_CHANNEL_EOF, .chan = n};
    return ERR_NONE;
}

enum err on_channel_close(struct conn *c, struct rd *r, struct event *ev)
{
    uint32_t n = rd_u32(r);
    TRY(rd_done(r));
    struct channel *ch = open_chan(c, n);
    if (!ch) return ERR_STATE;
    ch->flags |= CHAN_CLOSE_RCVD;
    if ((ch->flags & CHAN_CLOSE_HELD) && !(ch->flags & (CHAN_CLOSE_SENT | CHAN_WANT_CLOSE))) {
        *ev = (struct event){.type = EV_CHANNEL_PEER_CLOSED, .chan = n};
        return ERR_NONE;
    }
    if (!(ch->flags & CHAN_CLOSE_SENT)) ch->flags |= CHAN_WANT_CLOSE;
    c->dirty++;
    return ERR_NONE;
}

/* ---- sending ---- */

static size_t data_head(enum stream s)
{
    return s == STREAM_STDERR ? 13 : 9;     /* type, channel, [code,] length */
}

static bool sendable(const struct conn *c, const struct channel *ch)
{
    return ch && ch->state == CHAN_OPEN && chan_may_talk(c) && c->stage == STAGE_OPEN &&
           !(ch->flags & (CHAN_EOF_SENT | CHAN_WANT_EOF | CHAN_CLOSE_SENT | CHAN_WANT_CLOSE | CHAN_CLOSE_RCVD));
}

static size_t data_max(const struct channel *ch)
{
    return ch->remote_packet_max < CHANNEL_PACKET_MAX ? ch->remote_packet_max : CHANNEL_PACKET_MAX;
}

static size_t bulk_room(struct conn *c)
{
    size_t room = out_room(c);
    return room > OUT_CONTROL ? room - OUT_CONTROL : 0;
}

size_t chan_reserve_v(struct conn *c, uint32_t chan, enum stream s, size_t head, struct span *out, size_t n)
{
    struct channel *ch = chan_find(c, chan);
    if (!sendable(c, ch) || n == 0) return 0;
    size_t max = data_max(ch), hd = data_head(s), window = ch->remote_window, room = bulk_room(c), at = c->out_tail, k = 0;
    if (max <= head) return 0;
    if (c->tx.compress) n = 1;
    size_t per = packet_size(&c->tx, hd + max) + (c->tx.compress ? max / 100 + 64 : 0);
    while (k < n && window > head && room >= packet_overhead(c) + hd + head + 1) {
        size_t take = window < max ? window : max;
        if (per > room) {
            if (k) break;   /* a short packet only where nothing else fits */
            size_t fits = room - packet_overhead(c) - hd;
            take = take < fits ? take : fits;
        }
        uint8_t *payload = c->tx.compress ? c->scratch_out : c->out + at + 5;
        out[k++] = (struct span){payload + hd + head, take - head};
        window -= take;
        at += per, room = room > per ? room - per : 0;
    }
    c->reserve.chan = chan, c->reserve.stream = s, c->reserve.head = head, c->reserve.count = k, c->reserve.room = max;
    return k;
}

struct span chan_reserve(struct conn *c, uint32_t chan, enum stream s)
{
    struct span one;
    return chan_reserve_v(c, chan, s, 0, &one, 1) ? one : (struct span){0};
}

/* One packet of n data bytes, its payload standing at c->out_tail + 5 (or in scratch). */
static enum err commit_one(struct conn *c, struct channel *ch, enum stream s, size_t n)
{
    size_t hd = data_head(s);
    uint8_t *p = c->tx.compress ? c->scratch_out : c->out + c->out_tail + 5;
    p[0] = s == STREAM_STDERR ? MSG_CHANNEL_EXTENDED_DATA : MSG_CHANNEL_DATA;
    put_u32(p + 1, ch->remote);
    if (s == STREAM_STDERR) put_u32(p + 5, 1);
    put_u32(p + hd - 4, (uint32_t)n);
    ch->remote_window -= (uint32_t)n;
    trace_add(c, TRACE_SENT, p[0], (uint32_t)(hd + n), (struct bytes){0});
    return packet_end(c, hd + n);
}

void chan_commit(struct conn *c, uint32_t chan, enum stream s, size_t n)
{
    struct channel *ch = chan_find(c, chan);
    if (!ch || chan != c->reserve.chan || s != c->reserve.stream) return;
    size_t head = c->reserve.head, most = c->reserve.room - head;
    for (size_t k = 0; n && k < c->reserve.count; k++) {
        size_t take = n < most ? n : most;
        if (take + head > ch->remote_window) break;
        enum err e = commit_one(c, ch, s, head + take);
        if (e != ERR_NONE) {
            (void)conn_fail(c, e, false, "seal");
            break;
        }
        n -= take;
    }
    c->reserve.count = 0;
}

size_t chan_room(const struct conn *c, uint32_t chan)
{
    const struct channel *ch = chan_find(c, chan);
    if (!sendable(c, ch) || ch->remote_window == 0) return 0;
    size_t used = c->out_tail == c->out_head ? 0 : c->out_tail, room = OUT_BUFFER - OUT_CONTROL;
    room = room > used + 4096 ? room - used : 0;
    return room < ch->remote_window ? room : ch->remote_window;
}

void chan_consumed(struct conn *c, uint32_t chan, size_t n)
{
    struct channel *ch = chan_find(c, chan);
    if (!ch || n > ch->unconsumed) return;
    ch->unconsumed -= (uint32_t)n, ch->consumed += (uint32_t)n;
    if (ch->unconsumed > c->setup.window && ch->window_max > c->setup.window) { /* the program cannot keep up */
        uint32_t over = ch->window_max - c->setup.window, back = ch->consumed < over ? ch->consumed : over;
        ch->consumed -= back, ch->window_max -= back, c->window_total -= back;
    }
    uint32_t due = ch->window_max / 8;
    if (ch->consumed >= due) c->dirty++;
}

/* ---- bits that leave in order ---- */

static void want(struct conn *c, uint32_t chan, unsigned bit)
{
    struct channel *ch = chan_find(c, chan);
    if (!ch || (ch->flags & (CHAN_CLOSE_SENT | CHAN_WANT_CLOSE))) return;
    ch->flags |= bit;
    c->dirty++;
}

/* The program has ended: a peer that closed before waits for nothing more. */
static void want_exit(struct conn *c, uint32_t chan)
{
    struct channel *ch = chan_find(c, chan);
    want(c, chan, CHAN_WANT_EXIT);
    if (ch) ch->flags &= ~CHAN_CLOSE_HELD;
    if (ch && (ch->flags & CHAN_CLOSE_RCVD)) want(c, chan, CHAN_WANT_CLOSE);
}

void chan_exit_status(struct conn *c, uint32_t chan, uint32_t status)
{
    struct channel *ch = chan_find(c, chan);
    if (ch) ch->exit_status = status, ch->exit_signal = NULL;
    want_exit(c, chan);
}

void chan_exit_signal(struct conn *c, uint32_t chan, const char *name, bool core_dumped)
{
    struct channel *ch = chan_find(c, chan);
    if (ch) ch->exit_signal = name, ch->flags |= core_dumped ? CHAN_CORE_DUMPED : 0;
    want_exit(c, chan);
}

void chan_eof(struct conn *c, uint32_t chan)
{
    struct channel *ch = chan_find(c, chan);
    if (ch && !(ch->flags & CHAN_EOF_SENT)) want(c, chan, CHAN_WANT_EOF);
}

void chan_close(struct conn *c, uint32_t chan)
{
    want(c, chan, CHAN_WANT_CLOSE);
}

void chan_close_hold(struct conn *c, uint32_t chan)
{
    struct channel *ch = chan_find(c, chan);
    if (ch && ch->state == CHAN_OPEN) ch->flags |= CHAN_CLOSE_HELD;
}

/* PROTOCOL 2.1: only OpenSSH understands it. */
void chan_eow(struct conn *c, uint32_t chan)
{
    struct channel *ch = chan_find(c, chan);
    if (!ch || !c->facts.peer_is_openssh || (ch->flags & (CHAN_EOW_SENT | CHAN_EOF_RCVD)) || !(ch->flags & CHAN_IS_SESSION)) return;
    ch->flags |= CHAN_EOW_SENT;
    want(c, chan, CHAN_WANT_EOW);
}

static enum err exit_send(struct conn *c, struct channel *ch)
{
    struct wr w = msg_begin(c, MSG_CHANNEL_REQUEST);
    wr_u32(&w, ch->remote);
    wr_cstring(&w, ch->exit_signal ? "exit-signal" : "exit-status");
    wr_bool(&w, false);
    if (ch->exit_signal) {
        wr_cstring(&w, ch->exit_signal), wr_bool(&w, ch->flags & CHAN_CORE_DUMPED);
        wr_cstring(&w, ""), wr_cstring(&w, "");
    } else {
        wr_u32(&w, ch->exit_status);
    }
    return msg_end(c, &w);
}

static enum err chan_message(struct conn *c, struct channel *ch, uint8_t number)
{
    struct wr w = msg_begin(c, number);
    wr_u32(&w, ch->remote);
    return msg_end(c, &w);
}

static enum err eow_send(struct conn *c, struct channel *ch)
{
    struct wr w = msg_begin(c, MSG_CHANNEL_REQUEST);
    wr_u32(&w, ch->remote), wr_cstring(&w, "eow@openssh.com"), wr_bool(&w, false);
    return msg_end(c, &w);
}

static enum err adjust_send(struct conn *c, struct channel *ch)
{
    uint32_t add = ch->consumed;
    ch->consumed = 0, ch->local_window += add;
    struct wr w = msg_begin(c, MSG_CHANNEL_WINDOW_ADJUST);
    wr_u32(&w, ch->remote), wr_u32(&w, add);
    return msg_end(c, &w);
}

/* The next thing one channel has to say; *said false: nothing (more). */
static enum err flush_one(struct conn *c, struct channel *ch, bool *said)
{
    *said = true;
    if (ch->flags & CHAN_WANT_EXIT) {
        ch->flags &= ~CHAN_WANT_EXIT;
        return exit_send(c, ch);
    }
    if (ch->flags & CHAN_WANT_EOW) {
        ch->flags &= ~CHAN_WANT_EOW;
        return eow_send(c, ch);
    }
    if (ch->flags & CHAN_WANT_EOF) {
        ch->flags = (ch->flags & ~CHAN_WANT_EOF) | CHAN_EOF_SENT;
        return chan_message(c, ch, MSG_CHANNEL_EOF);
    }
    if (ch->flags & CHAN_WANT_CLOSE) {
        ch->flags = (ch->flags & ~CHAN_WANT_CLOSE) | CHAN_CLOSE_SENT;
        return chan_message(c, ch, MSG_CHANNEL_CLOSE);
    }
    bool over = ch->flags & (CHAN_EOF_RCVD | CHAN_CLOSE_SENT | CHAN_CLOSE_RCVD);
    if (ch->consumed && ch->consumed >= ch->window_max / 8 && !over) return adjust_send(c, ch);
    *said = false;
    return ERR_NONE;
}

enum err chan_flush(struct conn *c, struct event *ev)
{
    if (!chan_may_talk(c)) return ERR_NONE;
    c->dirty = 0;
    for (uint32_t n = 0; n < c->chan_cap; n++) {
        struct channel *ch = &c->chans[n];
        if (ch->state != CHAN_OPEN) continue;
        if (ch->flags & CHAN_CLOSED_SHOWN) {
            chan_release(c, n);
            continue;
        }
        for (bool said = true; said;) {
            if (out_room(c) < FLUSH_ROOM) {
                c->dirty = 1;
                return ERR_NONE;
            }
            TRY(flush_one(c, ch, &said));
        }
        bool closed = (ch->flags & CHAN_CLOSE_SENT) && (ch->flags & CHAN_CLOSE_RCVD);
        if (!closed) continue;
        c->dirty = 1;
        if (ev->type != EV_NONE) continue;
        ch->flags |= CHAN_CLOSED_SHOWN;
        *ev = (struct event){.type = EV_CHANNEL_CLOSED, .chan = n};
    }
    return ERR_NONE;
}

void chan_set_user(struct conn *c, uint32_t chan, void *user)
{
    struct channel *ch = chan_find(c, chan);
    if (ch) ch->user = user;
}

void *chan_user(const struct conn *c, uint32_t chan)
{
    const struct channel *ch = chan_find(c, chan);
    return ch ? ch->user : NULL;
}
