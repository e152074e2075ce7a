/* SPDX-License-Identifier: ISC */
/* Finite field Diffie-Hellman: RFC 4253 8 with the groups of RFC 3526 (RFC 8268), and group exchange (RFC 4419, RFC 8270).
 * The private exponent has 512 bits: twice the strength of the strongest cipher here, and far cheaper than a full one. */
#include <stdlib.h>

#include "crypto/kex.h"

#include "numbers.h"

enum { GROUP_BITS_MIN = 2048, GROUP_BITS_MAX = 8192, EXPONENT_BYTES = 64, ONES_MIN = 4 };

struct group {
    BIGNUM *p, *g;
};

struct kex_state {
    const struct kex_alg *alg;
    struct group group;
    BIGNUM *x;
};

static void group_clear(struct group *group)
{
    BN_free(group->p), BN_free(group->g);
    *group = (struct group){0};
}

static void dh_free(struct kex_state *s)
{
    if (!s) return;
    group_clear(&s->group);
    BN_clear_free(s->x);
    free(s);
}

/* 1 < y < p - 1, and at least a few bits set: what is outside makes the secret guessable (RFC 4253 8, RFC 4419 3). */
static bool number_ok(const BIGNUM *y, const BIGNUM *p)
{
    BIGNUM *top CLEANUP(bn_clear) = BN_dup(p);
    int ones = 0;
    if (!top || BN_sub_word(top, 1) != 1 || BN_is_zero(y) || BN_is_one(y) || BN_cmp(y, top) >= 0) return false;
    for (int i = 0; i < BN_num_bits(y); i++) ones += BN_is_bit_set(y, i);
    return ones >= ONES_MIN;
}

/* A server may send any group; we look at size and shape. Whether p is prime is not tested, as by nobody: it costs seconds, and
 * a server that wants to give the secret away needs no trick for it. */
static enum err group_from_peer(const struct kex_group *from, struct group *out)
{
    struct group group CLEANUP(group_clear) = {0};
    if (from->p.n > GROUP_BITS_MAX / 8 + 1 || from->g.n > GROUP_BITS_MAX / 8 + 1) return ERR_KEX;
    group.p = BN_bin2bn(from->p.p, (int)from->p.n, NULL);
    group.g = BN_bin2bn(from->g.p, (int)from->g.n, NULL);
    if (!group.p || !group.g) return ERR_NOMEM;
    int bits = BN_num_bits(group.p);
    if (bits < GROUP_BITS_MIN || bits > GROUP_BITS_MAX || !BN_is_odd(group.p)) return ERR_KEX;
    BIGNUM *top CLEANUP(bn_clear) = BN_dup(group.p);
    if (!top || BN_sub_word(top, 1) != 1) return ERR_NOMEM;
    if (BN_is_zero(group.g) || BN_is_one(group.g) || BN_cmp(group.g, top) >= 0) return ERR_KEX;
    *out = group;
    group = (struct group){0};
    return ERR_NONE;
}

static enum err find_group(const struct kex_alg *alg, const struct kex_group *from, struct group *out)
{
    static const struct { const struct kex_alg *alg; BIGNUM *(*prime)(BIGNUM *bn); } fixed[] = {
        {&kex_dh_group14_sha256, BN_get_rfc3526_prime_2048}, {&kex_dh_group16_sha512, BN_get_rfc3526_prime_4096},
        {&kex_dh_group18_sha512, BN_get_rfc3526_prime_8192}};
    if (alg->shape == KEX_SHAPE_GEX) return from ? group_from_peer(from, out) : ERR_USAGE;
    for (size_t i = 0; i < COUNT_OF(fixed); i++) {
        if (fixed[i].alg != alg) continue;
        struct group group CLEANUP(group_clear) = {fixed[i].prime(NULL), BN_new()};
        if (from || !group.p || !group.g || BN_set_word(group.g, 2) != 1) return ERR_CRYPTO;
        *out = group;
        group = (struct group){0};
        return ERR_NONE;
    }
    return ERR_USAGE;
}

/* A fresh exponent, and g^x into public_value. */
static enum err make(struct kex_state *s, const struct random *random, struct wr *public_value)
{
    uint8_t seed[EXPONENT_BYTES];
    TRY(random_fill(random, seed, sizeof seed));
    seed[0] |= 0x80;        /* full length, so that it shows nothing */
    s->x = BN_bin2bn(seed, sizeof seed, NULL);
    wipe(seed, sizeof seed);
    BIGNUM *y CLEANUP(bn_clear) = BN_new();
    BN_CTX *ctx CLEANUP(bn_ctx_clear) = BN_CTX_new();
    if (!s->x || !y || !ctx) return ERR_NOMEM;
    BN_set_flags(s->x, BN_FLG_CONSTTIME);
    if (BN_mod_exp(y, s->group.g, s->x, s->group.p, ctx) != 1 || !number_ok(y, s->group.p)) return ERR_CRYPTO;
    uint8_t *room = wr_room(public_value, (size_t)BN_num_bytes(y));
    if (!room) return ERR_NOSPACE;
    BN_bn2bin(y, room);
    return ERR_NONE;
}

/* peer^x as an mpint (RFC 4253 8). */
static enum err share_secret(const struct kex_state *s, struct bytes peer, struct secret *out)
{
    if (peer.n > GROUP_BITS_MAX / 8 + 1) return ERR_KEX;
    BIGNUM *y CLEANUP(bn_clear) = BN_bin2bn(peer.p, (int)peer.n, NULL), *k CLEANUP(bn_clear) = BN_new();
    BN_CTX *ctx CLEANUP(bn_ctx_clear) = BN_CTX_new();
    struct secret raw CLEANUP(secret_clear) = {0}, made CLEANUP(secret_clear) = {0};
    size_t len = (size_t)BN_num_bytes(s->group.p);
    if (!y || !k || !ctx) return ERR_NOMEM;
    if (!number_ok(y, s->group.p)) return ERR_KEX;
    if (BN_mod_exp(k, y, s->x, s->group.p, ctx) != 1) return ERR_CRYPTO;
    if (!number_ok(k, s->group.p)) return ERR_KEX;
    TRY(secret_new(&raw, len));
    TRY(secret_new(&made, 4 + 1 + len));
    if (BN_bn2binpad(k, raw.p, (int)len) != (int)len) return ERR_CRYPTO;
    struct wr w = wr_span((struct span){made.p, made.n});
    wr_mpint(&w, secret_bytes(&raw));
    TRY(wr_done(&w));
    secret_clear(out);
    *out = (struct secret){made.p, w.n};
    made = (struct secret){0};
    return ERR_NONE;
}

static enum err dh_start(const struct kex_alg *alg, const struct random *random, const struct kex_group *group,
                         struct wr *public_value, struct kex_state **out)
{
    struct kex_state *s = calloc(1, sizeof *s);
    if (!s) return ERR_NOMEM;
    s->alg = alg;
    enum err e = find_group(alg, group, &s->group);
    if (e == ERR_NONE) e = make(s, random, public_value);
    if (e != ERR_NONE) {
        dh_free(s);
        return e;
    }
    *out = s;
    return ERR_NONE;
}

static enum err dh_finish(struct kex_state *s, struct bytes server_public, struct secret *out)
{
    return share_secret(s, server_public, out);
}

static enum err dh_reply(const struct kex_alg *alg, const struct random *random, const struct kex_group *group,
                         struct bytes client_public, struct wr *public_value, struct secret *out)
{
    struct kex_state *s;
    TRY(dh_start(alg, random, group, public_value, &s));
    enum err e = share_secret(s, client_public, out);
    dh_free(s);
    return e;
}

#define DH(wire, shape_, bits, hash_) \
    {.name = wire, .shape = shape_, .group_bits = bits, .hash = &(hash_), .start = dh_start, .finish = dh_finish, .reply = dh_reply, .free = dh_free}

const struct kex_alg kex_dh_group14_sha256 = DH("diffie-hellman-group14-sha256", KEX_SHAPE_DH, 2048, hash_sha256);
const struct kex_alg kex_dh_group16_sha512 = DH("diffie-hellman-group16-sha512", KEX_SHAPE_DH, 4096, hash_sha512);
const struct kex_alg kex_dh_group18_sha512 = DH("diffie-hellman-group18-sha512", KEX_SHAPE_DH, 8192, hash_sha512);
const struct kex_alg kex_dh_gex_sha256 = DH("diffie-hellman-group-exchange-sha256", KEX_SHAPE_GEX, 0, hash_sha256);
