/* SPDX-License-Identifier: ISC */
/* KEXINIT: what we offer, what the peer offers, what is chosen (RFC 4253 7.1; strict: draft-miller-sshm-strict-kex). */
#include "impl.h"
#include "base/text.h"

#define STRICT_CLIENT "kex-strict-c-v00@openssh.com"
#define STRICT_SERVER "kex-strict-s-v00@openssh.com"
#define REKEY_TIMEOUT_US 30000000   /* TRUST 33: between both KEXINITs and the peer's NEWKEYS */

enum { LIST_KEX, LIST_HOSTKEY, LIST_CIPHER_CS, LIST_CIPHER_SC, LIST_MAC_CS, LIST_MAC_SC, LIST_COMP_CS, LIST_COMP_SC, LIST_LANG_CS,
       LIST_LANG_SC };

struct proposal {
    struct bytes list[KEX_LISTS];
    bool follows;
};

/* ---- ours ---- */

static void join(struct wr *w, const char *name)
{
    if (w->n && w->p[w->n - 1] != ',') wr_u8(w, ',');
    wr_text(w, name);
}

static void write_kex_names(const struct conn *c, struct wr *w)
{
    for (size_t i = 0; c->setup.kex[i]; i++) join(w, c->setup.kex[i]->name);
    if (c->first_kex_done) return;  /* the pseudo methods mean something in the first KEXINIT only */
    join(w, is_server(c) ? "ext-info-s" : "ext-info-c");
    join(w, is_server(c) ? STRICT_SERVER : STRICT_CLIENT);
}

static void write_hostkey_names(const struct conn *c, struct wr *w)
{
    if (!is_server(c)) {
        wr_raw(w, c->setup.hostkey_algs);
        return;
    }
    for (size_t i = 0; i < c->setup.hostkey_count; i++) {
        if (i) wr_u8(w, ',');
        wr_raw(w, c->setup.hostkeys[i].algs);
    }
}

static void write_compression_names(const struct conn *c, struct wr *w)
{
    if (!c->setup.compress_first) join(w, "none");
    for (size_t i = 0; c->setup.compress && c->setup.compress[i]; i++) join(w, c->setup.compress[i]->name);
    if (c->setup.compress_first) join(w, "none");
}

static void write_list(const struct conn *c, struct wr *w, int which)
{
    uint8_t room[NAME_LIST_MAX];
    struct wr l = wr_span((struct span){room, sizeof room});
    switch (which) {
    case LIST_KEX: write_kex_names(c, &l); break;
    case LIST_HOSTKEY: write_hostkey_names(c, &l); break;
    case LIST_CIPHER_CS: case LIST_CIPHER_SC:
        for (size_t i = 0; c->setup.ciphers[i]; i++) join(&l, c->setup.ciphers[i]->name);
        break;
    case LIST_MAC_CS: case LIST_MAC_SC:
        for (size_t i = 0; c->setup.macs[i]; i++) join(&l, c->setup.macs[i]->name);
        break;
    case LIST_COMP_CS: case LIST_COMP_SC: write_compression_names(c, &l); break;
    default: break;
    }
    if (wr_done(&l) != ERR_NONE) wr_fail(w, wr_done(&l));
    wr_string(w, wr_bytes(&l));
}

static bool guess_wanted(const struct conn *c)
{
    return !is_server(c) && !c->first_kex_done && c->setup.guess_kex && c->setup.kex[0]->shape != KEX_SHAPE_GEX;
}

enum err kexinit_send(struct conn *c)
{
    uint8_t cookie[16];
    TRY(random_fill(&c->setup.random, cookie, sizeof cookie));
    wr_clear(&c->kex.init_local);
    c->kex.init_local = wr_heap(PACKET_PREAUTH_MAX);
    struct wr *w = &c->kex.init_local;
    wr_u8(w, MSG_KEXINIT);
    wr_raw(w, bytes_of(cookie, sizeof cookie));
    for (int i = 0; i < KEX_LISTS; i++) write_list(c, w, i);
    wr_bool(w, guess_wanted(c));
    wr_u32(w, 0);
    TRY(wr_done(w));
    struct wr m = msg_begin(c, MSG_KEXINIT);
    wr_raw(&m, bytes_of(w->p + 1, w->n - 1));
    TRY(msg_end(c, &m));
    c->kex_out = true;
    return ERR_NONE;
}

/* ---- the peer's ---- */

static enum err proposal_parse(struct bytes payload, struct proposal *out)
{
    struct proposal p;
    struct rd r = rd_init(payload);
    rd_u8(&r);
    rd_raw(&r, 16);
    for (int i = 0; i < KEX_LISTS; i++) p.list[i] = rd_string_max(&r, NAME_LIST_MAX);
    p.follows = rd_bool(&r);
    rd_u32(&r);
    TRY(rd_done(&r));
    *out = p;
    return ERR_NONE;
}

/* Flags that stand in the peer's first list (only its first KEXINIT counts). */
static enum err take_flags(struct conn *c, const struct proposal *peer)
{
    if (c->first_kex_done) return ERR_NONE;
    c->strict = c->facts.strict_kex = names_has(peer->list[LIST_KEX], bytes_str(is_server(c) ? STRICT_CLIENT : STRICT_SERVER));
    c->ext_info_peer = names_has(peer->list[LIST_KEX], bytes_str(is_server(c) ? "ext-info-c" : "ext-info-s"));
    return c->strict && c->packets_before_kexinit ? ERR_STRICT_KEX : ERR_NONE;
}

/* Records are found in our own lists: nothing that was not offered can be chosen. */
#define FIND(list, wanted) \
    do { \
        for (size_t i_ = 0; (list)[i_]; i_++) \
            if (bytes_is((wanted), (list)[i_]->name)) return (list)[i_]; \
        return NULL; \
    } while (0)

static const struct kex_alg *find_kex(const struct conn *c, struct bytes name) { FIND(c->setup.kex, name); }
static const struct cipher_alg *find_cipher(const struct conn *c, struct bytes name) { FIND(c->setup.ciphers, name); }
static const struct mac_alg *find_mac(const struct conn *c, struct bytes name) { FIND(c->setup.macs, name); }
static const struct compress_alg *find_compress(const struct conn *c, struct bytes name) { FIND(c->setup.compress, name); }

static enum err choose_hostkey(struct conn *c, struct bytes name)
{
    c->kex.hostkey_alg = (struct bytes){0};
    if (!is_server(c)) {
        struct bytes one;
        for (size_t pos = 0; names_next(c->setup.hostkey_algs, &pos, &one);)
            if (bytes_equal(one, name)) c->kex.hostkey_alg = one;
        return c->kex.hostkey_alg.n ? ERR_NONE : ERR_NO_HOSTKEY;
    }
    for (size_t i = 0; i < c->setup.hostkey_count; i++) {
        struct bytes one;
        for (size_t pos = 0; names_next(c->setup.hostkeys[i].algs, &pos, &one);) {
            if (!bytes_equal(one, name)) continue;
            c->kex.hostkey = &c->setup.hostkeys[i], c->kex.hostkey_index = i, c->kex.hostkey_alg = one;
            return ERR_NONE;
        }
    }
    return ERR_NO_HOSTKEY;
}

static enum err choose_direction(struct conn *c, const struct proposal *cl, const struct proposal *sv, int dir)
{
    struct kex *k = &c->kex;
    struct bytes name;
    if (!names_common(cl->list[LIST_CIPHER_CS + dir], sv->list[LIST_CIPHER_CS + dir], &name)) return ERR_NO_CIPHER;
    k->cipher[dir] = find_cipher(c, name);
    if (!k->cipher[dir]) return ERR_NO_CIPHER;
    k->mac[dir] = NULL;
    if (k->cipher[dir]->cls == CIPHER_STREAM) { /* RFC 5647 5.1 as OpenSSH reads it: an AEAD needs no MAC in common */
        if (!names_common(cl->list[LIST_MAC_CS + dir], sv->list[LIST_MAC_CS + dir], &name)) return ERR_NO_MAC;
        k->mac[dir] = find_mac(c, name);
        if (!k->mac[dir]) return ERR_NO_MAC;
    }
    if (!names_common(cl->list[LIST_COMP_CS + dir], sv->list[LIST_COMP_CS + dir], &name)) return ERR_NO_COMPRESSION;
    k->compress[dir] = bytes_is(name, "none") ? NULL : find_compress(c, name);
    if (!k->compress[dir] && !bytes_is(name, "none")) return ERR_NO_COMPRESSION;
    return ERR_NONE;
}

static enum err choose(struct conn *c, const struct proposal *own, const struct proposal *peer)
{
    const struct proposal *cl = is_server(c) ? peer : own, *sv = is_server(c) ? own : peer;
    struct bytes name;
    if (!names_common(cl->list[LIST_KEX], sv->list[LIST_KEX], &name)) return ERR_NO_KEX;
    c->kex.alg = find_kex(c, name);
    if (!c->kex.alg) return ERR_NO_KEX;
    trace_add(c, TRACE_KEX_CHOSEN, LIST_KEX, 0, name);
    if (!names_common(cl->list[LIST_HOSTKEY], sv->list[LIST_HOSTKEY], &name)) return ERR_NO_HOSTKEY;
    TRY(choose_hostkey(c, name));
    trace_add(c, TRACE_KEX_CHOSEN, LIST_HOSTKEY, 0, name);
    TRY(choose_direction(c, cl, sv, 0));
    return choose_direction(c, cl, sv, 1);
}

/* RFC 4253 7: a guess is right when both sides prefer the same key exchange and host key algorithm. */
static bool same_first(struct bytes a, struct bytes b)
{
    struct bytes x = {0}, y = {0};
    size_t i = 0, j = 0;
    return names_next(a, &i, &x) && names_next(b, &j, &y) && bytes_equal(x, y);
}

static void note_offers(struct conn *c, const struct proposal *peer)
{
    for (uint32_t i = 0; i < LIST_LANG_CS; i++) trace_add(c, TRACE_KEX_PEER, i, 0, peer->list[i]);
}

/* The list that failed. OpenSSH names that of the direction; both are the same in practice. */
static struct bytes offer_of(const struct conn *c, const struct proposal *peer, enum err e)
{
    int in = is_server(c) ? 0 : 1;
    switch (e) {
    case ERR_NO_KEX: return peer->list[LIST_KEX];
    case ERR_NO_HOSTKEY: return peer->list[LIST_HOSTKEY];
    case ERR_NO_CIPHER: return peer->list[LIST_CIPHER_CS + in];
    case ERR_NO_MAC: return peer->list[LIST_MAC_CS + in];
    case ERR_NO_COMPRESSION: return peer->list[LIST_COMP_CS + in];
    default: return (struct bytes){0};
    }
}

enum err on_kexinit(struct conn *c, struct rd *r, struct event *ev)
{
    (void)ev;
    struct bytes payload = {r->p - 1, r->n + 1};
    struct proposal own, peer;
    wr_clear(&c->kex.init_peer);
    c->kex.init_peer = wr_heap(PACKET_PREAUTH_MAX);
    wr_raw(&c->kex.init_peer, payload);
    if (wr_done(&c->kex.init_peer) != ERR_NONE) return ERR_TOO_LONG;
    TRY(proposal_parse(wr_bytes(&c->kex.init_peer), &peer));
    TRY(take_flags(c, &peer));
    if (!c->kex_out) TRY(kexinit_send(c));
    TRY(proposal_parse(wr_bytes(&c->kex.init_local), &own));
    note_offers(c, &peer);
    c->kex_in = true;
    c->kex_phase = KEX_EXCHANGE;
    if (c->stage == STAGE_OPEN) c->kex_deadline_us = c->now_us + REKEY_TIMEOUT_US;
    enum err e = choose(c, &own, &peer);
    if (e) c->facts.peer_offer = offer_of(c, &peer, e);
    TRY(e);
    bool right = same_first(own.list[LIST_KEX], peer.list[LIST_KEX]) && same_first(own.list[LIST_HOSTKEY], peer.list[LIST_HOSTKEY]);
    c->kex.skip_guess = peer.follows && !right;
    c->kex.guess_wrong = own.follows && !right;
    return kex_begin(c);
}
