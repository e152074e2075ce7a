/* SPDX-License-Identifier: ISC */
#include "states.h"

#include <stdio.h>

#include "impl.h"

const struct kex_alg *probe_kex;

/* ---- the states ---- */

typedef bool reached(const struct conn *c);

static bool in_s1(const struct conn *c) { return c->stage == STAGE_FIRST_KEX && c->kex_phase == KEX_NONE; }
static bool in_s2(const struct conn *c) { return c->stage == STAGE_FIRST_KEX && c->kex_phase == KEX_EXCHANGE; }
static bool in_s3(const struct conn *c) { return c->stage == STAGE_FIRST_KEX && c->kex_phase == KEX_NEWKEYS && c->ask == ASK_NONE; }
static bool in_s4(const struct conn *c) { return c->stage == STAGE_SERVICE && c->packets_since_newkeys == 0; }
static bool in_auth(const struct conn *c) { return c->stage == STAGE_AUTH && c->ask == ASK_NONE; }
static bool in_auth_idle(const struct conn *c) { return in_auth(c) && !c->auth_running; }
static bool in_kbdint(const struct conn *c) { return in_auth(c) && c->kbdint_running; }
static bool in_c1(const struct conn *c)
{
    return c->stage == STAGE_OPEN && c->chan_cap && c->chans[0].state == CHAN_OPEN && c->ask == ASK_NONE && c->outstanding_n == 0 &&
           (c->setup.role == ROLE_CLIENT || (c->chans[0].flags & CHAN_STARTED));
}

static bool rekey_ask(struct probe *p);
static bool rekey_asked_by_peer(struct probe *p);
static bool rekey_reply(struct probe *p);
static bool say_ignore(struct probe *p);
static bool say_disconnect(struct probe *p);
static bool own_requests(struct probe *p);
static bool say_reply31(struct probe *p);

static const struct {
    const char *name;
    enum role dut;
    const char *login;
    bool lax;                   /* the peer does not offer strict key exchange */
    reached *reached;
    bool (*then)(struct probe *p);
} states[] = {
    {"s1", ROLE_SERVER, "p", false, in_s1, NULL},           {"c1", ROLE_CLIENT, "p", false, in_s1, NULL},
    {"s2", ROLE_SERVER, "p", false, in_s2, NULL},           {"c2", ROLE_CLIENT, "p", false, in_s2, NULL},
    {"s2n", ROLE_SERVER, "p", true, in_s2, NULL},           {"c2n", ROLE_CLIENT, "p", true, in_s2, NULL},
    {"s3", ROLE_SERVER, "p", false, in_s3, NULL},           {"c3", ROLE_CLIENT, "p", false, in_s2, say_reply31},
    {"s3n", ROLE_SERVER, "p", true, in_s3, NULL},           {"c3n", ROLE_CLIENT, "p", true, in_s2, say_reply31},
    {"s4", ROLE_SERVER, "p", false, in_s4, NULL},           {"c4", ROLE_CLIENT, "p", false, in_s4, NULL},
    {"s4b", ROLE_SERVER, "p", false, in_s4, say_ignore},    {"c4b", ROLE_CLIENT, "p", false, in_s4, say_ignore},
    {"a1", ROLE_SERVER, "p", false, in_auth, NULL},         {"a2", ROLE_SERVER, "k", false, in_kbdint, NULL},
    {"ca0", ROLE_CLIENT, "n", false, in_auth_idle, NULL},   {"can", ROLE_CLIENT, "n", false, in_auth, NULL},
    {"caq", ROLE_CLIENT, "qs", false, in_auth, NULL},       {"cap", ROLE_CLIENT, "p", false, in_auth, NULL},
    {"cak", ROLE_CLIENT, "k", false, in_auth, NULL},
    {"sc1", ROLE_SERVER, "p", false, in_c1, NULL},          {"cc1", ROLE_CLIENT, "p", false, in_c1, NULL},
    {"sc1o", ROLE_SERVER, "p", false, in_c1, own_requests}, {"cc1o", ROLE_CLIENT, "p", false, in_c1, own_requests},
    {"sr1", ROLE_SERVER, "p", false, in_c1, rekey_ask},     {"cr1", ROLE_CLIENT, "p", false, in_c1, rekey_ask},
    {"sr2", ROLE_SERVER, "p", false, in_c1, rekey_asked_by_peer}, {"cr2", ROLE_CLIENT, "p", false, in_c1, rekey_asked_by_peer},
    {"sr3", ROLE_SERVER, "p", false, in_c1, rekey_reply},   {"cr3", ROLE_CLIENT, "p", false, in_c1, rekey_reply},
    {"sx", ROLE_SERVER, "p", false, in_c1, say_disconnect}, {"cx", ROLE_CLIENT, "p", false, in_c1, say_disconnect},
};

/* ---- bytes between both ---- */

static void feed(struct conn *c, const uint8_t *p, size_t n)
{
    struct span room = conn_input_reserve(c);
    if (n > room.n || n == 0) return;
    memcpy(room.p, p, n);
    conn_input_commit(c, n);
}

/* The next packet (or ident line) on the peer's wire, alone. */
static size_t next_unit(const struct duo_side *s)
{
    uint64_t at = s->out.delivered;
    for (size_t i = 0; i < s->sent.n; i++) {
        if (s->sent.p[i].at == at) return s->sent.p[i].size;
        if (s->sent.p[i].at > at) return (size_t)(s->sent.p[i].at - at);
    }
    return s->out.n;
}

static bool drive(struct probe *p, reached *there)
{
    struct duo *d = p->d;
    enum role peer = (enum role)(1 - p->dut);
    duo_step(d, ROLE_CLIENT), duo_step(d, ROLE_SERVER);
    for (int i = 0; i < 200 && !there(p->c); i++) {
        if (d->side[peer].out.n) {
            duo_deliver(d, peer, next_unit(&d->side[peer]));
            duo_step(d, p->dut);
        } else {
            duo_deliver(d, p->dut, SIZE_MAX);
            duo_step(d, peer);
        }
    }
    return there(p->c);
}

/* Any payload, sealed as the peer would. */
void probe_inject(struct probe *p, struct bytes payload)
{
    if (!p->c->rx.cipher) {
        uint8_t clear[4096] = {0};
        size_t pad = 8 - (5 + payload.n) % 8;
        pad += pad < 4 ? 8 : 0;
        put_u32(clear, (uint32_t)(1 + payload.n + pad));
        clear[4] = (uint8_t)pad;
        memcpy(clear + 5, payload.p, payload.n);
        feed(p->c, clear, 5 + payload.n + pad);
        return;
    }
    p->peer->tx.seq = p->c->rx.seq;
    uint8_t *room = packet_begin(p->peer, payload.n);
    if (!room) return;
    memcpy(room, payload.p, payload.n);
    size_t before = p->peer->out_tail;
    if (packet_end(p->peer, payload.n) != ERR_NONE) return;
    feed(p->c, p->peer->out + before, p->peer->out_tail - before);
    p->peer->out_tail = before;
}

static void turn(struct conn *c, uint64_t now_us, struct event *first)
{
    for (int i = 0; i < 8; i++) {
        struct event ev;
        if (conn_next(c, now_us, &ev) != ERR_NONE || ev.type == EV_NONE) return;
        if (first && first->type == EV_NONE) *first = ev;
        if (ev.question) return;
    }
}

/* What one side has to say, to the other. */
static void pass(struct conn *from, struct conn *to)
{
    struct bytes out = conn_output_peek(from);
    feed(to, out.p, out.n);
    conn_output_consume(from, out.n);
}

/* ---- steps after a state was reached ---- */

static bool say(struct probe *p, uint8_t number)
{
    uint8_t room[4096];
    struct wr w = wr_span((struct span){room, sizeof(room)});
    probe_body(p, number, 0, &w);
    probe_inject(p, wr_bytes(&w));
    turn(p->c, p->d->now_us, NULL);
    return true;
}

static bool say_ignore(struct probe *p)
{
    return say(p, MSG_IGNORE);
}

static bool say_disconnect(struct probe *p)
{
    return say(p, MSG_DISCONNECT) && conn_facts(p->c)->failure == ERR_DISCONNECTED;
}

static bool own_requests(struct probe *p)
{
    const struct global_request g = {.type = GLOBAL_KEEPALIVE, .want_reply = true};
    const struct channel_open o = {.type = p->dut == ROLE_CLIENT ? OPEN_SESSION : OPEN_FORWARDED_TCPIP};
    const struct channel_request q = {.type = REQ_OTHER, .name = BYTES_LIT("ask@test"), .want_reply = true};
    uint32_t chan = 0;
    return conn_global(p->c, &g, 1) == ERR_NONE && chan_open(p->c, &o, &chan) == ERR_NONE && chan == 1 &&
           chan_request(p->c, 0, &q, 2) == ERR_NONE;
}

static bool rekey_ask(struct probe *p)
{
    if (conn_rekey(p->c) != ERR_NONE) return false;
    turn(p->c, p->d->now_us, NULL);
    return p->c->kex_out && p->c->kex_phase == KEX_NONE;
}

static bool rekey_asked_by_peer(struct probe *p)
{
    p->peer->tx.seq = p->c->rx.seq;
    if (conn_rekey(p->peer) != ERR_NONE) return false;
    turn(p->peer, p->d->now_us, NULL);
    pass(p->peer, p->c);
    turn(p->c, p->d->now_us, NULL);
    return p->c->kex_phase == KEX_EXCHANGE;
}

/* The server's answer to the client's share, made by the real server, up to the signature. */
static bool make_reply31(struct probe *p)
{
    struct duo_side *server = &p->d->side[ROLE_SERVER];
    struct event ev = {.type = EV_NONE};
    duo_deliver(p->d, ROLE_CLIENT, SIZE_MAX);
    p->peer->rx.seq = p->c->tx.seq - (p->c->kex.state ? (uint32_t)(p->c->stage == STAGE_OPEN ? 2 : 0) : 0);
    pass(p->c, p->peer);
    turn(p->peer, p->d->now_us, &ev);
    if (ev.type != EV_SIGN) return false;
    struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
    if (privkey_sign(server->key, sig_alg_find(ev.sign.alg), ev.sign.msg, &sig) != ERR_NONE) return false;
    struct wr w = wr_span((struct span){p->reply31, sizeof(p->reply31)});
    wr_u8(&w, MSG_KEX_REPLY);
    wr_string(&w, wr_bytes(&p->peer->kex.hostkey_blob));
    wr_string(&w, wr_bytes(&p->peer->kex.server_public));
    wr_string(&w, wr_bytes(&sig));
    p->reply31_n = w.n;
    return wr_done(&w) == ERR_NONE;
}

static bool say_reply31(struct probe *p)
{
    struct event ev = {.type = EV_NONE};
    if (!make_reply31(p)) return false;
    probe_inject(p, (struct bytes){p->reply31, p->reply31_n});
    turn(p->c, p->d->now_us, &ev);
    if (ev.type == EV_HOSTKEY_CHECK && conn_answer(p->c, ev.question, &(struct answer){.type = ANSWER_YES}) != ERR_NONE) return false;
    turn(p->c, p->d->now_us, NULL);
    return p->c->kex_phase == KEX_NEWKEYS;
}

static bool rekey_reply(struct probe *p)
{
    if (!rekey_asked_by_peer(p)) return false;
    if (p->dut == ROLE_CLIENT) return say_reply31(p);
    struct event ev = {.type = EV_NONE};
    uint8_t share[37] = {MSG_KEX_INIT, 0, 0, 0, 32};
    probe_inject(p, (struct bytes){share, sizeof(share)});
    turn(p->c, p->d->now_us, &ev);
    struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
    if (ev.type != EV_SIGN || privkey_sign(p->d->side[ROLE_SERVER].key, sig_alg_find(ev.sign.alg), ev.sign.msg, &sig) != ERR_NONE) return false;
    const struct answer yes = {.type = ANSWER_YES, .data = wr_bytes(&sig)};
    return conn_answer(p->c, ev.question, &yes) == ERR_NONE && p->c->kex_phase == KEX_NEWKEYS;
}

/* ---- doors ---- */

static bool probe_start(struct probe *p, enum role dut, const char *login, bool lax)
{
    const struct duo_plan plan = {.seed = 7, .algs = duo_algs(probe_kex, &cipher_chacha20_poly1305, NULL), .login = login, .channels = 1,
                                  .up = 1, .down = 1, .hold = true,
                                  .more_sessions = true};
    *p = (struct probe){.d = duo_new(&plan), .dut = dut};
    if (!p->d) return false;
    p->c = p->d->side[dut].c, p->peer = p->d->side[1 - dut].c;
    p->peer->first_kex_done = lax;      /* its KEXINIT then names no pseudo methods */
    return true;
}

bool probe_open(struct probe *p, const char *state, bool need31)
{
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        if (strcmp(states[i].name, state) != 0) continue;
        if (!probe_start(p, states[i].dut, states[i].login, states[i].lax)) return false;
        if (!drive(p, states[i].reached) || (states[i].then && !states[i].then(p))) return false;
        if (need31 && !p->reply31_n && !make_reply31(p)) return false;
        conn_output_consume(p->c, SIZE_MAX);
        return true;
    }
    return false;
}

void probe_close(struct probe *p)
{
    duo_free(p->d);
    p->d = NULL;
}

static bool channel_state(struct probe *p, const char *substate, uint32_t *chan)
{
    struct event ev = {.type = EV_NONE};
    if (strcmp(substate, "opening") == 0) return *chan = 1, own_requests(p);
    if (strcmp(substate, "asked") == 0) {
        *chan = 1;
        return say(p, MSG_CHANNEL_OPEN);
    }
    if (strcmp(substate, "open") == 0) return true;
    if (strcmp(substate, "eof-in") == 0) return say(p, MSG_CHANNEL_EOF);
    if (strcmp(substate, "eof-out") == 0) chan_eof(p->c, 0);
    else if (strcmp(substate, "close-sent") == 0) chan_close(p->c, 0);
    else if (strcmp(substate, "close-rcvd") == 0) return rekey_ask(p) && say(p, MSG_CHANNEL_CLOSE);    /* our CLOSE cannot leave */
    else if (strcmp(substate, "freed") == 0) say(p, MSG_CHANNEL_CLOSE);
    else return false;
    turn(p->c, p->d->now_us, &ev);
    return true;
}

bool probe_open_channel(struct probe *p, const char *substate, enum role dut, uint32_t *chan)
{
    *chan = 0;
    if (!probe_start(p, dut, "p", false) || !drive(p, in_c1) || !channel_state(p, substate, chan)) return false;
    conn_output_consume(p->c, SIZE_MAX);
    return true;
}

/* ---- one message ---- */

struct mark {                   /* what a processed message may change without a word */
    enum kex_phase phase;
    enum stage stage;
    bool kex_in, ext_info, kbdint;
    uint32_t window, flags;
};

static struct mark mark(const struct conn *c)
{
    struct mark m;
    memset(&m, 0, sizeof(m));
    m.phase = c->kex_phase, m.stage = c->stage, m.kex_in = c->kex_in, m.ext_info = c->facts.peer_ext_info, m.kbdint = c->kbdint_running;
    if (c->chan_cap) m.window = c->chans[0].remote_window, m.flags = c->chans[0].flags;
    return m;
}

char probe_say(struct probe *p, struct bytes payload, const char **why)
{
    struct trace t;
    struct event ev = {.type = EV_NONE};
    bool dead = p->c->stage == STAGE_DEAD, sent[256] = {0}, any = false;
    while (conn_trace(p->c, &t)) continue;
    conn_output_consume(p->c, SIZE_MAX);
    p->c->facts.peer_ext_info = false;
    struct mark before = mark(p->c);
    probe_inject(p, payload);
    turn(p->c, p->d->now_us, &ev);
    while (conn_trace(p->c, &t))
        if (t.type == TRACE_SENT) sent[t.a & 255] = any = true;
    struct mark after = mark(p->c);
    enum err e = conn_facts(p->c)->failure;
    *why = err_name(e);
    if (dead) return any || ev.type != EV_NONE ? 'P' : 'I';
    if (e == ERR_DISCONNECTED) return 'P';
    if (e != ERR_NONE) return sent[MSG_DISCONNECT] ? 'D' : '?';
    if (sent[MSG_UNIMPLEMENTED]) return 'U';
    return any || ev.type != EV_NONE || memcmp(&before, &after, sizeof(before)) != 0 ? 'P' : 'I';
}

/* ---- bodies ---- */

static void body_kexinit(const struct probe *p, struct wr *w)
{
    const struct duo_algs *a = &p->d->plan.algs;
    const char *const lists[] = {a->kex[0]->name, "ssh-ed25519", a->cipher[0]->name, a->cipher[0]->name, a->mac[0]->name, a->mac[0]->name,
                                 "none", "none", "", ""};
    wr_raw(w, BYTES_LIT("0123456789abcdef"));
    for (size_t i = 0; i < COUNT_OF(lists); i++) wr_cstring(w, lists[i]);
    wr_bool(w, false), wr_u32(w, 0);
}

static void body_60(const struct probe *p, struct wr *w)
{
    if (strcmp(p->d->plan.login, "qs") == 0) {
        wr_cstring(w, "ssh-ed25519"), wr_string(w, pubkey_blob(privkey_public(p->d->side[ROLE_CLIENT].key)));
    } else if (strcmp(p->d->plan.login, "k") == 0) {
        wr_cstring(w, ""), wr_cstring(w, ""), wr_cstring(w, ""), wr_u32(w, 0);
    } else {
        wr_cstring(w, "new password"), wr_cstring(w, "");
    }
}

static void body_channel(uint8_t number, uint32_t chan, struct wr *w)
{
    wr_u32(w, chan);
    switch (number) {
    case MSG_CHANNEL_OPEN_CONFIRMATION: wr_u32(w, 5), wr_u32(w, 1000), wr_u32(w, 1000); break;
    case MSG_CHANNEL_OPEN_FAILURE: wr_u32(w, 1), wr_cstring(w, "no"), wr_cstring(w, ""); break;
    case MSG_CHANNEL_WINDOW_ADJUST: wr_u32(w, 10); break;
    case MSG_CHANNEL_DATA: wr_cstring(w, "x"); break;
    case MSG_CHANNEL_EXTENDED_DATA: wr_u32(w, 1), wr_cstring(w, "x"); break;
    case MSG_CHANNEL_REQUEST: wr_cstring(w, "unknown@test"), wr_bool(w, true); break;
    default: break;
    }
}

static void body_auth(const struct probe *p, uint8_t number, struct wr *w)
{
    switch (number) {
    case MSG_USERAUTH_REQUEST: wr_cstring(w, "bob"), wr_cstring(w, "ssh-connection"), wr_cstring(w, "none"); break;
    case MSG_USERAUTH_FAILURE: wr_cstring(w, "password"), wr_bool(w, false); break;
    case MSG_USERAUTH_BANNER: wr_cstring(w, "hi"), wr_cstring(w, ""); break;
    case MSG_USERAUTH_60: body_60(p, w); break;
    case MSG_USERAUTH_INFO_RESPONSE: wr_u32(w, 1), wr_cstring(w, "x"); break;
    default: break;
    }
}

void probe_body(const struct probe *p, uint8_t number, uint32_t chan, struct wr *w)
{
    if (number == MSG_KEX_REPLY && p->reply31_n) {
        wr_raw(w, (struct bytes){p->reply31, p->reply31_n});
        return;
    }
    wr_u8(w, number);
    if (number > MSG_CHANNEL_OPEN && number <= MSG_CHANNEL_FAILURE) body_channel(number, chan, w);
    else if (number >= MSG_USERAUTH_REQUEST && number < MSG_GLOBAL_REQUEST) body_auth(p, number, w);
    else switch (number) {
    case MSG_DISCONNECT: wr_u32(w, 11), wr_cstring(w, ""), wr_cstring(w, ""); break;
    case MSG_DEBUG: wr_bool(w, false), wr_cstring(w, ""), wr_cstring(w, ""); break;
    case MSG_SERVICE_REQUEST: case MSG_SERVICE_ACCEPT: wr_cstring(w, "ssh-userauth"); break;
    case MSG_KEXINIT: body_kexinit(p, w); break;
    case MSG_NEWKEYS: case MSG_REQUEST_SUCCESS: case MSG_REQUEST_FAILURE: break;
    case MSG_KEX_INIT: wr_string(w, BYTES_LIT("0123456789abcdef0123456789abcdef")); break;
    case MSG_GLOBAL_REQUEST: wr_cstring(w, "unknown@test"), wr_bool(w, true); break;
    case MSG_CHANNEL_OPEN: wr_cstring(w, "session"), wr_u32(w, 7), wr_u32(w, 1000), wr_u32(w, 1000); break;
    case MSG_IGNORE: case MSG_PING: case MSG_PONG: wr_cstring(w, ""); break;
    default: wr_u32(w, 0);
    }
}
