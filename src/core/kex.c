/* SPDX-License-Identifier: ISC */
/* Key exchange messages of both roles, the exchange hash, the keys made from it (RFC 4253 7 and 8, RFC 4419, RFC 5656). */
#include "impl.h"
#include "base/text.h"
#include "key/cert.h"

#include <stdio.h>

enum { C2S, S2C };

void kex_clear(struct conn *c)
{
    struct kex *k = &c->kex;
    struct wr *owned[] = {&k->init_local, &k->init_peer, &k->client_public, &k->server_public, &k->gex, &k->hostkey_blob, &k->signature};
    for (size_t i = 0; i < COUNT_OF(owned); i++) wr_clear(owned[i]);
    if (k->state) k->started->free(k->state);
    secret_clear(&k->shared);
    wipe(k, sizeof *k);
}

static void renew(struct wr *w, size_t max)
{
    wr_clear(w);
    *w = wr_heap(max);
}

/* ---- the client's first move ---- */

static enum err share_start(struct conn *c, const struct kex_alg *alg, const struct kex_group *group)
{
    struct kex *k = &c->kex;
    if (k->state) k->started->free(k->state), k->state = NULL;
    renew(&k->client_public, KEX_PUBLIC_MAX);
    k->started = alg;
    return alg->start(alg, &c->setup.random, group, &k->client_public, &k->state);
}

/* Our public value: as a string, or as an mpint, whose sign byte wr_mpint takes care of. */
static void write_public(struct wr *w, const struct kex_alg *alg, struct bytes v)
{
    if (alg->shape == KEX_SHAPE_ECDH) wr_string(w, v);
    else wr_mpint(w, v);
}

static void trace_dh(struct conn *c, const struct kex_alg *alg, struct bytes public_value)
{
    struct rd r = rd_init(wr_bytes(&c->kex.gex));
    struct bytes p = alg->group_bits ? (struct bytes){0} : rd_mpint(&r, 4096);
    uint32_t set = 0, bits = alg->group_bits;
    if (!c->trace || alg->shape == KEX_SHAPE_ECDH) return;
    for (size_t i = 0; i < 8 * public_value.n; i++) set += public_value.p[i / 8] >> (i % 8) & 1u;
    if (p.n) bits = (uint32_t)(8 * p.n - (size_t)__builtin_clz(p.p[0]) + 24);
    trace_add(c, TRACE_DH_BITS, set, bits, (struct bytes){0});
}

static enum err share_send(struct conn *c, uint8_t number)
{
    trace_dh(c, c->kex.started, wr_bytes(&c->kex.client_public));
    struct wr w = msg_begin(c, number);
    write_public(&w, c->kex.started, wr_bytes(&c->kex.client_public));
    return msg_end(c, &w);
}

enum err kex_guess(struct conn *c)
{
    const struct kex_alg *alg = c->setup.kex[0];
    if (alg->shape == KEX_SHAPE_GEX) return ERR_NONE;
    TRY(share_start(c, alg, NULL));
    if (!c->setup.guess_kex) return ERR_NONE;
    c->kex.guess_sent = true;
    return share_send(c, MSG_KEX_INIT);
}

/* The group that matches the strongest of what is keyed from it: cipher strength, block, IV and MAC key, in both directions, by
 * OpenSSH's table (RFC 8270: never below 2048). */
static uint32_t gex_bits(const struct kex *k)
{
    static const struct { size_t bits; uint32_t group; } table[] = {{112, 2048}, {128, 3072}, {192, 7680}, {SIZE_MAX, 8192}};
    size_t need = 0, i = 0;
    for (int d = 0; d < 2; d++) {
        const struct cipher_alg *a = k->cipher[d];
        const size_t wants[] = {a->strength ? a->strength : a->key_len, a->block_len, a->iv_len, k->mac[d] ? k->mac[d]->key_len : 0};
        for (size_t j = 0; j < COUNT_OF(wants); j++)
            if (wants[j] > need) need = wants[j];
    }
    while (8 * need > table[i].bits) i++;
    return table[i].group;
}

static enum err gex_request(struct conn *c)
{
    struct kex *k = &c->kex;
    k->gex_min = c->setup.gex_min ? c->setup.gex_min : 2048;
    k->gex_max = c->setup.gex_max ? c->setup.gex_max : 8192;
    k->gex_want = c->setup.gex_want ? c->setup.gex_want : gex_bits(k);
    struct wr w = msg_begin(c, MSG_GEX_REQUEST);
    wr_u32(&w, k->gex_min), wr_u32(&w, k->gex_want), wr_u32(&w, k->gex_max);
    TRY(msg_end(c, &w));
    char sizes[64];
    int n = snprintf(sizes, sizeof sizes, "%u<%u<%u", k->gex_min, k->gex_want, k->gex_max);
    trace_add(c, TRACE_GEX_REQUEST, 0, 0, bytes_of(sizes, (size_t)n));
    return ERR_NONE;
}

enum err kex_begin(struct conn *c)
{
    struct kex *k = &c->kex;
    bool gex = k->alg->shape == KEX_SHAPE_GEX;
    if (is_server(c)) {
        k->expect = gex ? MSG_GEX_REQUEST : MSG_KEX_INIT;
        return ERR_NONE;
    }
    k->expect = gex ? MSG_GEX_GROUP : MSG_KEX_REPLY;
    if (gex) return gex_request(c);
    if (k->guess_sent && !k->guess_wrong && k->started == k->alg) return ERR_NONE;
    if (k->started != k->alg || k->guess_wrong) TRY(share_start(c, k->alg, NULL));
    return share_send(c, MSG_KEX_INIT);
}

/* ---- exchange hash and keys ---- */

/* RFC 4253 8; RFC 4419 3 puts min, n, max, p, g before the public values. */
static enum err exchange_hash(struct conn *c)
{
    struct kex *k = &c->kex;
    const struct hash_alg *h = k->alg->hash;
    struct wr w CLEANUP(wr_clear) = wr_heap(4 * PACKET_PREAUTH_MAX);
    wr_string(&w, is_server(c) ? c->facts.ident_peer : c->facts.ident_local);
    wr_string(&w, is_server(c) ? c->facts.ident_local : c->facts.ident_peer);
    wr_string(&w, wr_bytes(is_server(c) ? &k->init_peer : &k->init_local));
    wr_string(&w, wr_bytes(is_server(c) ? &k->init_local : &k->init_peer));
    wr_string(&w, wr_bytes(&k->hostkey_blob));
    if (k->alg->shape == KEX_SHAPE_GEX) {
        wr_u32(&w, k->gex_min), wr_u32(&w, k->gex_want), wr_u32(&w, k->gex_max);
        wr_raw(&w, wr_bytes(&k->gex));
    }
    write_public(&w, k->alg, wr_bytes(&k->client_public));
    write_public(&w, k->alg, wr_bytes(&k->server_public));
    wr_raw(&w, secret_bytes(&k->shared));
    TRY(wr_done(&w));
    TRY(hash_digest(h, wr_bytes(&w), k->hash));
    if (!c->session_id_len) {
        memcpy(c->session_id, k->hash, h->len);
        c->session_id_len = h->len;
        c->facts.session_id = bytes_of(c->session_id, h->len);
    }
    c->facts.exchange_hash = bytes_of(k->hash, h->len);
    return ERR_NONE;
}

/* RFC 4253 7.2 */
static enum err derive_one(struct conn *c, char letter, size_t need, struct secret *out)
{
    struct kex *k = &c->kex;
    const struct hash_alg *h = k->alg->hash;
    struct secret s = {0};
    TRY(secret_new(&s, need + HASH_MAX));
    struct bytes first[] = {secret_bytes(&k->shared), bytes_of(k->hash, h->len), bytes_of(&letter, 1), c->facts.session_id};
    enum err e = h->digest(h, first, COUNT_OF(first), s.p);
    for (size_t have = h->len; e == ERR_NONE && have < need; have += h->len) {
        struct bytes next[] = {secret_bytes(&k->shared), bytes_of(k->hash, h->len), bytes_of(s.p, have)};
        if (have + h->len > s.n) break;
        e = h->digest(h, next, COUNT_OF(next), s.p + have);
    }
    if (e == ERR_NONE) e = secret_copy(out, bytes_of(s.p, need));
    secret_clear(&s);
    return e;
}

static enum err derive(struct conn *c)
{
    struct kex *k = &c->kex;
    for (int dir = 0; dir < 2; dir++) {
        size_t need[3] = {k->cipher[dir]->iv_len, k->cipher[dir]->key_len, k->mac[dir] ? k->mac[dir]->key_len : 0};
        for (int i = 0; i < 3; i++) TRY(derive_one(c, (char)('A' + 2 * i + dir), need[i], &c->keys[3 * dir + i]));
    }
    return ERR_NONE;
}

/* ---- taking keys into use ---- */

static enum err compress_renew(struct conn *c, struct direction *d, const struct compress_alg *alg, bool deflate)
{
    if (d->compress) d->compress_alg->free(d->compress), d->compress = NULL;
    d->compress_alg = alg;
    if (!alg || (alg->after_auth && !c->facts.authenticated)) return ERR_NONE;
    d->compress = alg->new(alg, deflate);
    return d->compress ? ERR_NONE : ERR_NOMEM;
}

static void bytes_max_set(const struct conn *c, struct direction *d)
{
    const struct cipher_alg *ca = d->cipher_alg;
    d->bytes_max = ca->rekey_bytes && ca->rekey_bytes < REKEY_BYTES_MAX ? ca->rekey_bytes : REKEY_BYTES_MAX;
    if (c->setup.rekey_bytes && c->setup.rekey_bytes < d->bytes_max) d->bytes_max = c->setup.rekey_bytes;
}

static enum err direction_switch(struct conn *c, struct direction *d, bool out)
{
    int dir = out == is_server(c) ? S2C : C2S;
    struct kex *k = &c->kex;
    const struct cipher_alg *ca = k->cipher[dir];
    const struct mac_alg *ma = k->mac[dir];
    struct cipher *cipher = ca->new(ca, out ? CIPHER_SEAL : CIPHER_OPEN, c->keys[3 * dir + 1].p, c->keys[3 * dir].p);
    struct mac *mac = ma && cipher ? ma->new(ma, c->keys[3 * dir + 2].p) : NULL;
    if (!cipher || (ma && !mac)) { /* the old keys stay: a DISCONNECT must never leave in clear */
        if (cipher) ca->free(cipher);
        return ERR_CRYPTO;
    }
    direction_clear(d);
    d->cipher_alg = ca, d->cipher = cipher, d->mac_alg = ma, d->mac = mac;
    for (int i = 0; i < 3; i++) secret_clear(&c->keys[3 * dir + i]);
    if (c->strict) d->seq = 0;
    d->bytes = d->packets = 0;
    bytes_max_set(c, d);
    TRY(compress_renew(c, d, k->compress[dir], out));
    if (out) c->facts.cipher_out = ca, c->facts.mac_out = d->mac_alg, c->facts.compress_out = k->compress[dir];
    else c->facts.cipher_in = ca, c->facts.mac_in = d->mac_alg, c->facts.compress_in = k->compress[dir];
    return ERR_NONE;
}

void conn_rekey_limits(struct conn *c, uint64_t bytes, uint64_t us)
{
    c->setup.rekey_bytes = bytes, c->setup.rekey_us = us;
    if (c->tx.cipher_alg) bytes_max_set(c, &c->tx);
    if (c->rx.cipher_alg) bytes_max_set(c, &c->rx);
    c->rekey_at_us = us ? c->now_us + us : UINT64_MAX;
}

/* Our NEWKEYS: with it, and on the first exchange EXT_INFO, in the same flight. */
static enum err newkeys_send(struct conn *c)
{
    TRY(msg_simple(c, MSG_NEWKEYS));
    TRY(direction_switch(c, &c->tx, true));
    trace_add(c, TRACE_NEWKEYS_SENT, 0, 0, (struct bytes){0});
    c->kex_out = false;
    if (!c->first_kex_done && c->ext_info_peer) TRY(ext_info_send(c));
    return pend_flush(c);
}

enum err on_newkeys(struct conn *c, struct rd *r, struct event *ev)
{
    TRY(rd_done(r));
    TRY(direction_switch(c, &c->rx, false));
    trace_add(c, TRACE_NEWKEYS_RECEIVED, 0, 0, (struct bytes){0});
    c->packets_since_newkeys = 0;
    c->facts.kex = c->kex.alg;
    c->facts.hostkey_alg = c->kex.hostkey_alg;
    if (is_server(c)) c->facts.hostkey = c->kex.hostkey->blob;
    if (c->first_kex_done) c->facts.rekeys++;
    else c->stage = STAGE_SERVICE, c->rtt_mark_us = c->now_us;
    c->first_kex_done = c->facts.kex_done = true;
    c->kex_phase = KEX_NONE, c->kex_in = false;
    c->kex_deadline_us = UINT64_MAX;
    c->rekey_at_us = c->setup.rekey_us ? c->now_us + c->setup.rekey_us : UINT64_MAX;
    c->facts.exchange_hash = (struct bytes){0};
    kex_clear(c);
    ev->type = EV_KEX_DONE;
    return ERR_NONE;
}

/* ---- server ---- */

static enum err server_gex_request(struct conn *c, struct rd *r, struct event *ev)
{
    struct kex *k = &c->kex;
    k->gex_min = rd_u32(r), k->gex_want = rd_u32(r), k->gex_max = rd_u32(r);
    TRY(rd_done(r));
    if (k->gex_min > k->gex_want || k->gex_want > k->gex_max || k->gex_max < 2048) return ERR_RANGE;
    *ev = (struct event){.type = EV_GEX_GROUP, .question = conn_ask(c, ASK_GEX), .gex = {k->gex_min, k->gex_want, k->gex_max}};
    return ERR_NONE;
}

static enum err server_gex_group(struct conn *c, const struct kex_group *group)
{
    struct kex *k = &c->kex;
    renew(&k->gex, 4096);
    wr_mpint(&k->gex, group->p), wr_mpint(&k->gex, group->g);
    TRY(wr_done(&k->gex));
    struct wr w = msg_begin(c, MSG_GEX_GROUP);
    wr_raw(&w, wr_bytes(&k->gex));
    k->expect = MSG_GEX_INIT;
    return msg_end(c, &w);
}

static void gex_group_view(struct kex *k, struct kex_group *out)
{
    struct rd r = rd_init(wr_bytes(&k->gex));
    out->p = rd_mpint(&r, 4096), out->g = rd_mpint(&r, 4096);
}

static struct bytes read_public(struct rd *r, const struct kex_alg *alg)
{
    return alg->shape == KEX_SHAPE_ECDH ? rd_string_max(r, KEX_PUBLIC_MAX) : rd_mpint(r, KEX_PUBLIC_MAX);
}

static enum err server_init(struct conn *c, struct rd *r, struct event *ev)
{
    struct kex *k = &c->kex;
    struct kex_group group = {0};
    struct bytes theirs = read_public(r, k->alg);
    TRY(rd_done(r));
    renew(&k->client_public, KEX_PUBLIC_MAX);
    wr_raw(&k->client_public, theirs);
    renew(&k->server_public, KEX_PUBLIC_MAX);
    renew(&k->hostkey_blob, PUBKEY_BLOB_MAX);
    wr_raw(&k->hostkey_blob, k->hostkey->blob);
    TRY(wr_done(&k->client_public));
    TRY(wr_done(&k->hostkey_blob));
    if (k->alg->shape == KEX_SHAPE_GEX) gex_group_view(k, &group);
    trace_dh(c, k->alg, theirs);
    TRY(k->alg->reply(k->alg, &c->setup.random, group.p.n ? &group : NULL, theirs, &k->server_public, &k->shared));
    TRY(exchange_hash(c));
    c->kex_phase = KEX_NEWKEYS;
    *ev = (struct event){.type = EV_SIGN, .question = conn_ask(c, ASK_SIGN_KEX)};
    ev->sign.msg = bytes_of(k->hash, k->alg->hash->len);
    ev->sign.alg = k->hostkey_alg, ev->sign.key_blob = k->hostkey->blob, ev->sign.hostkey = k->hostkey_index;
    return ERR_NONE;
}

static enum err server_reply(struct conn *c, struct bytes signature)
{
    struct kex *k = &c->kex;
    if (signature.n == 0 || signature.n > SIGNATURE_MAX) return ERR_SIGNATURE;
    struct wr w = msg_begin(c, k->alg->shape == KEX_SHAPE_GEX ? MSG_GEX_REPLY : MSG_KEX_REPLY);
    wr_string(&w, wr_bytes(&k->hostkey_blob));
    write_public(&w, k->alg, wr_bytes(&k->server_public));
    wr_string(&w, signature);
    TRY(msg_end(c, &w));
    TRY(derive(c));
    return newkeys_send(c);
}

/* ---- client ---- */

static enum err client_gex_group(struct conn *c, struct rd *r)
{
    struct kex *k = &c->kex;
    struct kex_group group;
    group.p = rd_mpint(r, 1025), group.g = rd_mpint(r, 1025);
    TRY(rd_done(r));
    if (group.p.n * 8 < k->gex_min || group.p.n * 8 > k->gex_max + 7 || group.p.n == 0) return ERR_KEX;
    renew(&k->gex, 4096);
    wr_mpint(&k->gex, group.p), wr_mpint(&k->gex, group.g);
    TRY(wr_done(&k->gex));
    TRY(share_start(c, k->alg, &group));
    k->expect = MSG_GEX_REPLY;
    return share_send(c, MSG_GEX_INIT);
}

/* The signature over H by the key the server showed; the algorithm must be the negotiated one. */
static enum err hostkey_verify(struct conn *c, struct bytes signature)
{
    struct kex *k = &c->kex;
    struct pubkey *key CLEANUP(pubkey_drop) = NULL;
    const struct sig_alg *alg = sig_alg_find(k->hostkey_alg);
    if (!alg) return ERR_KEY_TYPE;
    TRY(pubkey_parse_any(wr_bytes(&k->hostkey_blob), &key)); /* a certificate only under an algorithm for one, by its type */
    if (strcmp(pubkey_type(key), alg->key_type) != 0) return ERR_KEY_TYPE;
    struct bytes h = bytes_of(k->hash, k->alg->hash->len);
    return pubkey_verify_facts(key, alg, h, signature, NULL) == VERDICT_GOOD ? ERR_NONE : ERR_SIGNATURE;
}

static enum err client_finish(struct conn *c)
{
    TRY(derive(c));
    return newkeys_send(c);
}

static enum err client_reply(struct conn *c, struct rd *r, struct event *ev)
{
    struct kex *k = &c->kex;
    struct bytes blob = rd_string_max(r, PUBKEY_BLOB_MAX);
    struct bytes theirs = read_public(r, k->alg);
    struct bytes signature = rd_string_max(r, SIGNATURE_MAX);
    TRY(rd_done(r));
    renew(&k->hostkey_blob, PUBKEY_BLOB_MAX), renew(&k->server_public, KEX_PUBLIC_MAX), renew(&k->signature, SIGNATURE_MAX);
    wr_raw(&k->hostkey_blob, blob), wr_raw(&k->server_public, theirs), wr_raw(&k->signature, signature);
    trace_dh(c, k->alg, theirs);
    TRY(wr_done(&k->hostkey_blob));
    TRY(wr_done(&k->server_public));
    TRY(wr_done(&k->signature));
    if (!k->state) return ERR_STATE;
    TRY(k->alg->finish(k->state, theirs, &k->shared));
    TRY(exchange_hash(c));
    TRY(hostkey_verify(c, signature));
    c->kex_phase = KEX_NEWKEYS;
    if (c->first_kex_done) { /* a later exchange must show the key that was accepted */
        if (!bytes_equal(blob, wr_bytes(&c->hostkey_seen))) return ERR_HOSTKEY;
        return client_finish(c);
    }
    *ev = (struct event){.type = EV_HOSTKEY_CHECK, .question = conn_ask(c, ASK_HOSTKEY)};
    ev->hostkey.key = wr_bytes(&k->hostkey_blob), ev->hostkey.alg = k->hostkey_alg, ev->hostkey.sig = wr_bytes(&k->signature);
    return ERR_NONE;
}

static enum err client_accept(struct conn *c)
{
    renew(&c->hostkey_seen, PUBKEY_BLOB_MAX);
    wr_raw(&c->hostkey_seen, wr_bytes(&c->kex.hostkey_blob));
    TRY(wr_done(&c->hostkey_seen));
    c->facts.hostkey = wr_bytes(&c->hostkey_seen);
    return client_finish(c);
}

/* ---- dispatch ---- */

enum err on_kex_message(struct conn *c, struct rd *r, struct event *ev)
{
    struct kex *k = &c->kex;
    uint8_t number = r->p[-1];
    if (k->skip_guess) {
        k->skip_guess = false;
        return ERR_NONE;
    }
    if (number != k->expect) return ERR_STATE;
    bool gex = k->alg->shape == KEX_SHAPE_GEX;
    k->expect = 0;
    if (is_server(c)) return gex && number == MSG_GEX_REQUEST ? server_gex_request(c, r, ev) : server_init(c, r, ev);
    return gex && number == MSG_GEX_GROUP ? client_gex_group(c, r) : client_reply(c, r, ev);
}

enum err kex_answer(struct conn *c, const struct answer *a)
{
    if (c->kex_phase == KEX_EXCHANGE) return a->type == ANSWER_YES ? server_gex_group(c, &a->group) : ERR_KEX;
    if (is_server(c)) return a->type == ANSWER_YES ? server_reply(c, a->data) : ERR_SIGNATURE;
    return a->type == ANSWER_YES ? client_accept(c) : ERR_HOSTKEY;
}
