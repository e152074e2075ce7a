/* SPDX-License-Identifier: ISC */
/* The two sides, their wires and what turns them. */
#include "duo.h"

#include <stdlib.h>

#define START_US 1000000000u

/* ---- wires ---- */

static void wire_add(struct wire *w, const uint8_t *p, size_t n)
{
    if (w->written >= w->cut_at) {
        w->written += n;
        return;
    }
    if (w->head && w->head + w->n + n > w->cap) {
        memmove(w->p, w->p + w->head, w->n);
        w->head = 0;
    }
    if (w->n + n > w->cap) {
        while (w->n + n > w->cap) w->cap = w->cap ? w->cap * 2 : 16384;
        w->p = realloc(w->p, w->cap);
        if (!w->p) abort();
    }
    memcpy(w->p + w->head + w->n, p, n);
    if (w->flip_mask && w->flip_at >= w->written && w->flip_at < w->written + n)
        w->p[w->head + w->n + (size_t)(w->flip_at - w->written)] ^= w->flip_mask;
    w->written += n, w->n += n;
    if (w->written > w->cut_at) {
        w->n -= (size_t)(w->written - w->cut_at);
        w->ended = true;
    }
}

void duo_end(struct duo *d, enum role from)
{
    d->side[from].out.ended = true;
}

size_t duo_deliver(struct duo *d, enum role from, size_t n)
{
    struct wire *w = &d->side[from].out;
    struct duo_side *to = &d->side[1 - from];
    size_t moved = 0;
    if (w->delivered < w->split_at && n > w->split_at - w->delivered) n = (size_t)(w->split_at - w->delivered);
    while (n && w->n) {
        struct span room = conn_input_reserve(to->c);
        size_t take = n < w->n ? n : w->n;
        if (to->over) room = (struct span){0};
        if (take > room.n) take = room.n;
        if (take == 0 && !to->over) break;
        if (to->over) take = n < w->n ? n : w->n;           /* nobody reads any more */
        else memcpy(room.p, w->p + w->head, take), conn_input_commit(to->c, take);
        w->head += take, w->n -= take, n -= take, moved += take, w->delivered += take;
    }
    if (w->n == 0) w->head = 0;
    if (w->n == 0 && w->ended && !w->end_delivered && !to->over) {
        conn_input_commit(to->c, 0);
        w->end_delivered = true;
        moved++;
    }
    return moved;
}

/* ---- sides ---- */

static enum err keys_make(struct duo_side *s, const struct duo_plan *plan, struct rng *rng)
{
    struct random random = rng_random(rng);
    const char *type = s->role == ROLE_SERVER && plan->hostkey ? plan->hostkey : "ssh-ed25519";
    return privkey_generate(type, strcmp(type, "ssh-rsa") ? 0 : 2048, &random, &s->key);
}

static enum err side_init(struct duo *d, enum role role)
{
    static const char ed25519[] = "ssh-ed25519";
    const struct duo_plan *plan = &d->plan;
    struct duo_side *s = &d->side[role];
    s->role = role, s->rng.s = rng_next(&d->rng);
    s->out.cut_at = UINT64_MAX;
    TRY(keys_make(s, plan, &s->rng));
    const struct pubkey *pub = privkey_public(s->key);
    const char *type = plan->hostkey ? plan->hostkey : ed25519;
    strncpy(s->hostkey_algs, strcmp(type, "ssh-rsa") ? type : "rsa-sha2-512,rsa-sha2-256", sizeof(s->hostkey_algs) - 1);
    s->hostkey = (struct conn_hostkey){.blob = pubkey_blob(pub), .algs = bytes_str(s->hostkey_algs)};
    s->ciphers[0] = spy_cipher(s, 0, plan->algs.cipher[0]);
    bool wrong = role == ROLE_CLIENT && plan->guess_wrong;
    s->kexes[0] = wrong ? &kex_cheap_other : plan->algs.kex[0], s->kexes[1] = wrong ? plan->algs.kex[0] : NULL;
    const struct conn_setup setup = {
        .role = role, .random = rng_random(&s->rng), .software = role == ROLE_CLIENT ? "OpenSSH_sim client" : "OpenSSH_sim",
        .kex = s->kexes, .ciphers = s->ciphers, .macs = plan->algs.mac, .compress = plan->compress,
        .compress_first = plan->compress != NULL,
        .hostkey_algs = bytes_str(s->hostkey_algs), .hostkeys = &s->hostkey, .hostkey_count = 1,
        .sig_algs = BYTES_LIT("ssh-ed25519,rsa-sha2-512"), .rekey_bytes = plan->rekey_bytes, .window = plan->window,
        .guess_kex = plan->guess_kex, .trace = true};
    s->c = conn_new(&setup);
    return s->c ? ERR_NONE : ERR_NOMEM;
}

struct duo *duo_new(const struct duo_plan *plan)
{
    struct duo *d = calloc(1, sizeof(*d));
    if (!d) return NULL;
    d->plan = *plan, d->rng.s = plan->seed, d->now_us = START_US;
    if (side_init(d, ROLE_CLIENT) == ERR_NONE && side_init(d, ROLE_SERVER) == ERR_NONE) return d;
    duo_free(d);
    return NULL;
}

void duo_free(struct duo *d)
{
    if (!d) return;
    for (int i = 0; i < 2; i++) {
        struct duo_side *s = &d->side[i];
        conn_free(s->c);
        privkey_free(s->key);
        free(s->out.p), free(s->sent.p), free(s->received.p);
    }
    free(d);
}

/* ---- what left: notes of clear packets, places of all ---- */

static void note_places(struct duo_side *s, struct bytes out)
{
    size_t clear = out.n - s->sealed, at = 0;
    struct note fresh[64];
    size_t n = 0;
    if (s->out.written == 0 && clear) {             /* the ident line */
        const uint8_t *nl = memchr(out.p, '\n', clear);
        at = nl ? (size_t)(nl - out.p) + 1 : clear;
    }
    while (at + 6 <= clear && n < 64) {
        size_t size = 4 + (size_t)get_u32(out.p + at);
        fresh[n++] = (struct note){.number = out.p[at + 5], .len = (uint32_t)(size - 5 - out.p[at + 4]), .size = size,
                                   .at = s->out.written + at, .clear = true};
        at += size;
    }
    size_t sealed = s->sent.n - s->clear_seen;      /* notes made while sealing; the clear ones came before them */
    for (size_t i = 0; i < n; i++) notes_add(&s->sent, fresh[i]);
    if (n && sealed) {
        struct note *from = s->sent.p + s->clear_seen;
        memmove(from + n, from, sealed * sizeof(*from));
        memcpy(from, fresh, n * sizeof(*from));
    }
    uint64_t place = s->out.written + clear;
    for (size_t i = s->clear_seen + n; i < s->sent.n; i++) {
        s->sent.p[i].at = place;
        place += s->sent.p[i].size;
    }
    s->clear_seen = s->sent.n;
    s->sealed = 0;
}

static bool side_flush(struct duo *d, struct duo_side *s)
{
    struct bytes out = conn_output_peek(s->c);
    size_t limit = d->plan.wire_max;
    if (out.n == 0) return false;
    if (limit) {                                    /* no notes are kept with a bounded wire */
        size_t room = s->out.n < limit ? limit - s->out.n : 0;
        if (out.n > room) out.n = room;
        if (out.n == 0) return false;
    } else {
        note_places(s, out);
    }
    wire_add(&s->out, out.p, out.n);
    conn_output_consume(s->c, out.n);
    return true;
}

static void side_trace(struct duo_side *s)
{
    struct trace t;
    while (conn_trace(s->c, &t)) {
        if (t.type == TRACE_RECEIVED) notes_add(&s->received, (struct note){.number = (uint8_t)t.a, .len = t.b});
    }
}

static void side_rekey(struct duo *d, struct duo_side *s)
{
    uint64_t packets = conn_facts(s->c)->packets_out;
    unsigned once = d->plan.rekey_once[s->role], every = d->plan.rekey_every[s->role];
    if (s->over || !conn_facts(s->c)->authenticated) return;
    bool due = (once && packets >= once && s->rekeys_asked == 0) || (every && packets >= s->rekey_mark + every);
    if (!due || conn_rekey(s->c) != ERR_NONE) return;
    s->rekeys_asked++;
    s->rekey_mark = packets + 8;                    /* the exchange itself takes some */
}

bool duo_step(struct duo *d, enum role who)
{
    struct duo_side *s = &d->side[who];
    bool moved = false;
    for (bool again = !s->over; again && !s->over;) {
        struct event ev;
        side_rekey(d, s);
        s->err = conn_next(s->c, d->now_us, &ev);
        side_trace(s);
        again = false;
        if (s->err != ERR_NONE) {
            s->over = moved = true;
            s->out.ended = true;
        } else if (ev.type != EV_NONE) {
            s->events++;
            script_event(d, s, &ev);
            again = moved = true;
        } else if (script_work(d, s)) {
            again = moved = true;
        }
        if (side_flush(d, s)) moved = true;
        if (conn_wants(s->c) & WANT_STEP && !s->over && moved) again = again || !d->plan.wire_max;
    }
    if (s->over && side_flush(d, s)) moved = true;
    return moved;
}

/* ---- schedules ---- */

static bool both_over(const struct duo *d)
{
    return d->side[0].over && d->side[1].over;
}

/* Everything that can move without chance, once. */
static bool turn_all(struct duo *d)
{
    bool moved = false;
    d->without_chance = true;
    for (int i = 0; i < 2; i++) {
        moved |= duo_deliver(d, (enum role)i, SIZE_MAX) != 0;
        moved |= duo_step(d, (enum role)(1 - i));
    }
    d->without_chance = false;
    return moved;
}

/* Nothing moves: only time can help. */
static bool skip_time(struct duo *d)
{
    uint64_t next = UINT64_MAX;
    for (int i = 0; i < 2; i++) {
        uint64_t at = d->side[i].over ? UINT64_MAX : conn_deadline(d->side[i].c);
        if (at < next) next = at;
    }
    if (next == UINT64_MAX || next < d->now_us) return false;
    d->now_us = next;
    return true;
}

bool duo_run_plain(struct duo *d)
{
    duo_step(d, ROLE_CLIENT), duo_step(d, ROLE_SERVER);
    while (!both_over(d))
        if (!turn_all(d) && !(skip_time(d) && turn_all(d))) return false;
    return true;
}

static bool turn_some(struct duo *d)
{
    enum role who = (enum role)rng_below(&d->rng, 2);
    static const size_t pieces[] = {1, 3, 16, 100, 1000, 32768, 300000};
    size_t n = pieces[rng_below(&d->rng, COUNT_OF(pieces))];
    d->now_us += rng_below(&d->rng, 1000);
    switch (rng_below(&d->rng, 3)) {
    case 0: return duo_deliver(d, who, 1 + rng_below(&d->rng, n)) != 0;
    case 1: return duo_deliver(d, who, SIZE_MAX) != 0;
    default: return duo_step(d, who);
    }
}

bool duo_run(struct duo *d)
{
    unsigned idle = 0;
    duo_step(d, ROLE_CLIENT), duo_step(d, ROLE_SERVER);
    while (!both_over(d)) {
        idle = turn_some(d) ? 0 : idle + 1;
        if (idle < 20) continue;
        if (!turn_all(d) && !(skip_time(d) && turn_all(d))) return false;
        idle = 0;
    }
    return true;
}

void duo_hang_up(struct duo *d)
{
    duo_end(d, ROLE_CLIENT), duo_end(d, ROLE_SERVER);
    for (int i = 0; i < 1000 && !both_over(d); i++) (void)turn_all(d);
}

/* ---- what must hold ---- */

/* The server's last EV_CHANNEL_CLOSED may be overtaken by the client's DISCONNECT while a rekey holds our side back. */
bool duo_complete(const struct duo *d)
{
    const struct duo_side *c = &d->side[ROLE_CLIENT], *s = &d->side[ROLE_SERVER];
    unsigned ended = 0;
    for (unsigned i = 0; i < d->plan.channels; i++) ended += s->chan[i].ending;
    return c->finished && ended == d->plan.channels && c->ended == d->plan.channels && c->err == ERR_BY_APPLICATION &&
           (s->err == ERR_DISCONNECTED || s->err == ERR_PEER_GONE);
}

static size_t first_sealed(const struct notes *l)
{
    size_t i = 0;
    while (i < l->n && l->p[i].number != 21) i++;
    return i + 1;
}

bool duo_prefix(const struct duo *d, enum role from)
{
    const struct notes *sent = &d->side[from].sent, *got = &d->side[1 - from].received;
    size_t i = first_sealed(sent), k = first_sealed(got);
    for (; k < got->n; i++, k++)
        if (i >= sent->n || sent->p[i].number != got->p[k].number || sent->p[i].len != got->p[k].len) return false;
    return true;
}

const char *duo_wrong(struct duo *d)
{
    const struct conn_facts *f[2] = {conn_facts(d->side[0].c), conn_facts(d->side[1].c)};
    for (int i = 0; i < 2; i++)
        if (d->side[i].wrong) return d->side[i].wrong;
    bool both = f[0]->authenticated && f[1]->authenticated;
    if (both && !bytes_equal(f[0]->session_id, f[1]->session_id)) return "logged in with unlike session ids";
    if (f[0]->authenticated && !f[1]->authenticated) return "the client is logged in, the server does not know";
    if (!d->plan.wire_max && !d->plan.compress)
        for (int i = 0; i < 2; i++)
            if (!duo_prefix(d, (enum role)i)) return "received packets are no beginning of the sent ones";
    return NULL;
}
