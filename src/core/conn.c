/* SPDX-License-Identifier: ISC */
/* The connection as its program sees it: made, fed, cranked, ended. */
#include "impl.h"
#include "base/text.h"

#include <stdlib.h>

#define BULK_LIMIT (OUT_BUFFER - OUT_CONTROL)
#define REPLY_MAX  40960    /* the largest reply to one packet: host key blob + public value + signature, or a pong */

struct conn *conn_new(const struct conn_setup *setup)
{
    if (!setup->random.fill || !setup->software || !setup->kex || !setup->ciphers || !setup->macs) return NULL;
    struct conn *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->setup = *setup;
    c->in = aligned_alloc(4096, IN_BUFFER);
    c->out = aligned_alloc(4096, OUT_BUFFER);
    if (setup->trace) c->trace = calloc(TRACE_RING, sizeof *c->trace);
    if (setup->compress && setup->compress[0]) c->scratch_in = malloc(PACKET_MAX), c->scratch_out = malloc(PACKET_MAX + 64);
    c->pend = wr_heap(REKEY_QUEUE_MAX);
    c->ident_local = wr_heap(IDENT_MAX - 2), c->ident_peer = wr_heap(IDENT_MAX);
    c->hostkey_seen = wr_heap(PUBKEY_BLOB_MAX), c->sig_algs_peer = wr_heap(NAME_LIST_MAX);
    c->auth_request = wr_heap(PACKET_MAX), c->auth_text = wr_heap(PACKET_MAX);
    c->auth_alg = wr_heap(256), c->auth_key = wr_heap(PUBKEY_BLOB_MAX);
    c->kex_deadline_us = UINT64_MAX, c->rekey_at_us = UINT64_MAX, c->gone_at_us = UINT64_MAX;
    wr_text(&c->ident_local, "SSH-2.0-");
    wr_text(&c->ident_local, setup->software);
    if (!c->setup.channels_max || c->setup.channels_max > CHANNELS_MAX) c->setup.channels_max = CHANNELS_MAX;
    if (!c->setup.window) c->setup.window = WINDOW_START;
    bool scratch = !setup->compress || !setup->compress[0] || (c->scratch_in && c->scratch_out);
    bool text = wr_done(&c->ident_local) == ERR_NONE && text_printable(wr_bytes(&c->ident_local));
    if (!c->in || !c->out || !text || !scratch || (setup->trace && !c->trace) || ident_send(c) != ERR_NONE) {
        conn_free(c);
        return NULL;
    }
    c->facts.ident_local = wr_bytes(&c->ident_local);
    return c;
}

void conn_free(struct conn *c)
{
    if (!c) return;
    kex_clear(c);
    for (size_t i = 0; i < COUNT_OF(c->keys); i++) secret_clear(&c->keys[i]);
    if (c->rx.compress) c->rx.compress_alg->free(c->rx.compress);
    if (c->tx.compress) c->tx.compress_alg->free(c->tx.compress);
    direction_clear(&c->rx), direction_clear(&c->tx);
    struct wr *owned[] = {&c->pend, &c->ident_local, &c->ident_peer, &c->hostkey_seen, &c->sig_algs_peer, &c->auth_request,
                          &c->auth_text, &c->auth_alg, &c->auth_key};
    for (size_t i = 0; i < COUNT_OF(owned); i++) wr_clear(owned[i]);
    chans_free(c);
    free(c->trace);
    if (c->scratch_in) wipe(c->scratch_in, PACKET_MAX);
    if (c->scratch_out) wipe(c->scratch_out, PACKET_MAX);
    free(c->scratch_in), free(c->scratch_out);
    /* Only touched bytes are wiped: an idle connection's buffers stay untouched pages. */
    if (c->in) wipe(c->in, c->in_tail);
    if (c->out) wipe(c->out, c->out_tail);
    free(c->in), free(c->out);
    wipe(c, sizeof *c);
    free(c);
}

/* ---- the four doors ---- */

/* Move what is left of the input to the front once the tail gets short; not while a view is out. */
static void input_tidy(struct conn *c)
{
    if (c->in_view) return;
    if (c->in_head == c->in_tail) {
        c->in_head = c->in_tail = 0;
    } else if (c->in_head && IN_BUFFER - c->in_tail < IN_BUFFER / 2) {
        memmove(c->in, c->in + c->in_head, c->in_tail - c->in_head);
        c->in_tail -= c->in_head, c->in_head = 0;
    }
}

struct span conn_input_reserve(struct conn *c)
{
    if (c->stage == STAGE_DEAD || c->in_ended) return (struct span){0};
    input_tidy(c);
    return (struct span){c->in + c->in_tail, IN_BUFFER - c->in_tail};
}

void conn_input_commit(struct conn *c, size_t n)
{
    if (n == 0) c->in_ended = true;
    else if (n <= IN_BUFFER - c->in_tail) c->in_tail += n;
}

struct bytes conn_output_peek(const struct conn *c)
{
    return bytes_of(c->out + c->out_head, c->out_tail - c->out_head);
}

void conn_output_consume(struct conn *c, size_t n)
{
    size_t have = c->out_tail - c->out_head;
    c->out_head += n < have ? n : have;
    if (c->out_head == c->out_tail) c->out_head = c->out_tail = 0;
}

/* ---- ending ---- */

static enum err disconnect_send(struct conn *c, uint32_t reason, struct bytes text)
{
    struct wr w = msg_begin(c, MSG_DISCONNECT);
    wr_u32(&w, reason);
    wr_string(&w, text);
    wr_cstring(&w, "");
    return msg_end(c, &w);
}

enum err conn_fail(struct conn *c, enum err e, bool by_peer, const char *where)
{
    if (c->stage == STAGE_DEAD) return c->failure;
    c->failure = c->facts.failure = e;
    c->facts.failure_by_peer = by_peer;
    c->facts.failure_where = where;
    bool gone = e == ERR_PEER_GONE || e == ERR_DISCONNECTED;
    if (c->stage == STAGE_IDENT) {
        static const char no[] = "Invalid SSH identification string.\r\n";
        if (e == ERR_VERSION && is_server(c) && out_room(c) >= sizeof no) {
            memcpy(c->out + c->out_tail, no, sizeof no - 1);
            c->out_tail += sizeof no - 1;
        }
    } else if (!gone && e != ERR_BY_APPLICATION && err_reason(e)) {
        (void)!disconnect_send(c, err_reason(e), bytes_str(err_text(e)));
    }
    c->stage = STAGE_DEAD;
    c->ask = ASK_NONE;
    return e;
}

void conn_disconnect(struct conn *c, uint32_t reason, struct bytes text)
{
    if (c->stage == STAGE_DEAD) return;
    if (c->stage != STAGE_IDENT) (void)!disconnect_send(c, reason, text);
    (void)conn_fail(c, ERR_BY_APPLICATION, false, "disconnect");
}

/* ---- the crank ---- */

uint32_t conn_ask(struct conn *c, enum question_kind kind)
{
    c->ask = kind;
    c->ask_seq = (c->ask_seq + 1) & 0x7fffffff;
    if (!c->ask_seq) c->ask_seq = 1;
    return c->ask_id = c->ask_seq;
}

static bool rekey_due(const struct conn *c)
{
    if (c->stage != STAGE_OPEN || c->kex_out || c->kex_in) return false;
    bool bytes = c->tx.bytes >= c->tx.bytes_max || c->rx.bytes >= c->rx.bytes_max;
    bool packets = c->tx.packets >= REKEY_PACKETS_MAX || c->rx.packets >= REKEY_PACKETS_MAX;
    return c->rekey_wanted || bytes || packets || c->now_us >= c->rekey_at_us;
}

static enum err begin(struct conn *c)
{
    TRY(kexinit_send(c));
    c->rtt_mark_us = c->now_us;
    return is_server(c) ? ERR_NONE : kex_guess(c);
}

/* Before packets: the ident lines. A client's KEXINIT leaves with its ident line, without waiting for the peer's (RFC 4253 4.2).
 * A server waits: a peer that is no SSH client shall get nothing but the ident line (TRUST 25). */
static enum err step_ident(struct conn *c, bool *ready)
{
    if (!is_server(c) && !c->kex_out) TRY(begin(c));
    TRY(ident_receive(c, ready));
    if (!*ready) return ERR_NONE;
    c->stage = STAGE_FIRST_KEX;
    return is_server(c) ? begin(c) : ERR_NONE;
}

/* A peer that is gone may have said more before, so an open question is waited for; but not for ever, as nothing else would end this
 * connection. A client's questions wait for a person. */
static bool given_up(struct conn *c)
{
    if (!c->in_ended || c->ask == ASK_NONE || !is_server(c)) c->gone_at_us = UINT64_MAX;
    else if (c->gone_at_us == UINT64_MAX) c->gone_at_us = c->now_us + PEER_GONE_GRACE_US;
    return c->now_us >= c->gone_at_us;
}

/* Everything that is due without new input. */
static enum err step_duties(struct conn *c, struct event *ev)
{
    if (c->now_us >= c->kex_deadline_us) return ERR_TIMEOUT;
    if (given_up(c)) return ERR_PEER_GONE;
    if (rekey_due(c) && out_room(c) >= REPLY_MAX) {
        c->rekey_wanted = false;
        trace_add(c, TRACE_REKEY, 0, 0, (struct bytes){0});
        TRY(kexinit_send(c));
    }
    TRY(pend_flush(c));
    if (c->auth_sign_due) return auth_sign_event(c, ev);
    return c->dirty ? chan_flush(c, ev) : ERR_NONE;
}

/* Is there room for the largest reply to one more packet? (law 3) Replies behind a key exchange have their own list, and end the
 * connection where it ends: to wait for room in it would be to wait for a packet that is not read. */
static bool reply_room(struct conn *c)
{
    return out_room(c) >= REPLY_MAX;
}

static enum err step_packets(struct conn *c, struct event *ev)
{
    while (ev->type == EV_NONE && c->ask == ASK_NONE && reply_room(c)) {
        struct payload p;
        bool have;
        c->in_view = 0;
        TRY(packet_open(c, &p, &have));
        if (!have) break;
        trace_add(c, TRACE_RECEIVED, p.p[0], (uint32_t)p.n, (struct bytes){0});
        TRY(gate_pass(c, p, ev));
        if (c->dirty && ev->type == EV_NONE) TRY(chan_flush(c, ev));
    }
    return ERR_NONE;
}

static enum err step(struct conn *c, struct event *ev)
{
    if (c->stage == STAGE_IDENT) {
        bool ready = false;
        TRY(step_ident(c, &ready));
        if (!ready) return c->in_ended ? ERR_PEER_GONE : ERR_NONE;
    }
    TRY(step_duties(c, ev));
    if (ev->type == EV_NONE) TRY(step_packets(c, ev));
    if (ev->type != EV_NONE) return ERR_NONE;
    return c->in_ended && c->ask == ASK_NONE && reply_room(c) ? ERR_PEER_GONE : ERR_NONE;
}

enum err conn_next(struct conn *c, uint64_t now_us, struct event *out)
{
    struct event ev = {.type = EV_NONE};
    c->now_us = now_us;
    if (c->stage == STAGE_DEAD) return c->failure;
    enum err e = step(c, &ev);
    if (e != ERR_NONE) {
        bool own = e == ERR_NOMEM || e == ERR_CRYPTO || e == ERR_RANDOM || e == ERR_BY_APPLICATION;
        return conn_fail(c, e, !own, c->facts.failure_where ? c->facts.failure_where : "packet");
    }
    *out = ev;
    return ERR_NONE;
}

unsigned conn_wants(const struct conn *c)
{
    unsigned w = 0;
    if (c->out_tail > c->out_head) w |= WANT_WRITE;
    if (c->stage == STAGE_DEAD) return w;
    if (c->ask != ASK_NONE) w |= WANT_ANSWER;
    if (!c->in_ended && (c->in_tail < IN_BUFFER || (c->in_head && !c->in_view))) w |= WANT_READ;
    /* A step needs room for what it may write; without, only consuming output gets us on. */
    if (OUT_BUFFER - c->out_tail < REPLY_MAX) return w;
    bool packet = c->in_tail > c->in_head && (c->in_need == 0 || c->in_tail - c->in_head >= c->in_need);
    if (c->auth_sign_due || rekey_due(c) || (c->dirty && chan_may_talk(c)) || (!c->kex_out && !pend_empty(c))) w |= WANT_STEP;
    if (c->ask == ASK_NONE && (packet || c->in_ended)) w |= WANT_STEP;
    return w;
}

uint64_t conn_deadline(const struct conn *c)
{
    if (c->stage == STAGE_DEAD) return UINT64_MAX;
    uint64_t rekey = c->stage == STAGE_OPEN && !c->kex_out && !c->kex_in ? c->rekey_at_us : UINT64_MAX;
    uint64_t own = c->kex_deadline_us < rekey ? c->kex_deadline_us : rekey;
    return c->ask != ASK_NONE && c->gone_at_us < own ? c->gone_at_us : own;
}

/* ---- answers ---- */

enum err conn_answer(struct conn *c, uint32_t question, const struct answer *a)
{
    if (c->stage == STAGE_DEAD) return c->failure;
    if (question & 0x80000000) return chan_answer_open(c, question, a);
    if (c->ask == ASK_NONE || question != c->ask_id) return ERR_USAGE;
    enum question_kind kind = c->ask;
    c->ask = ASK_NONE;
    enum err e;
    switch (kind) {
    case ASK_HOSTKEY: case ASK_SIGN_KEX: case ASK_GEX: e = kex_answer(c, a); break;
    case ASK_AUTH: e = auth_answer_server(c, a); break;
    case ASK_SIGN_AUTH: case ASK_PROMPTS: e = auth_answer_client(c, a); break;
    case ASK_CHANNEL_REQUEST: e = chan_answer_request(c, a); break;
    case ASK_GLOBAL: e = global_answer(c, a); break;
    default: e = ERR_USAGE;
    }
    if (e == ERR_USAGE) c->ask = kind;  /* nothing changed: the question stands */
    else if (e != ERR_NONE) (void)conn_fail(c, e, false, "answer");
    return e;
}

enum err conn_rekey(struct conn *c)
{
    if (c->stage != STAGE_OPEN) return ERR_STATE;
    c->rekey_wanted = !c->kex_out;
    return ERR_NONE;
}

enum err conn_ping(struct conn *c, struct bytes data)
{
    if (!c->facts.peer_ping || c->stage != STAGE_OPEN) return ERR_UNSUPPORTED;
    if (data.n > 1024) return ERR_TOO_LONG;
    if (out_room(c) < REPLY_MAX) return ERR_AGAIN;
    struct wr w = msg_begin(c, MSG_PING);
    wr_string(&w, data);
    return msg_end(c, &w);
}

bool conn_idle_buffers(struct conn *c, struct span *in, struct span *out)
{
    *in = (struct span){c->in, IN_BUFFER}, *out = (struct span){c->out, OUT_BUFFER};
    return c->in_head == c->in_tail && c->out_head == c->out_tail;
}

const struct conn_facts *conn_facts(const struct conn *c)
{
    return &c->facts;
}
