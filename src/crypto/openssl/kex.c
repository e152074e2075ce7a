/* SPDX-License-Identifier: ISC */
/* Key exchange methods of shape ECDH: a classical share (RFC 8731, RFC 5656), a post-quantum KEM, or both
 * (RFC 9941, draft-ietf-sshm-mlkem-hybrid-kex). A hybrid's values are the KEM's followed by the share's. */
#include <stdlib.h>

#include "crypto/kex.h"
#include "crypto/pq.h"

#include "kem.h"
#include "share.h"

/* What a method is made of. kem NULL: purely classical. */
struct parts {
    const struct kex_alg *alg;
    const struct share *share;
    const struct kem *kem;
};

static const struct parts all_parts[] = {
    {&kex_mlkem768x25519_sha256, &share_x25519, &kem_mlkem768},
    {&kex_sntrup761x25519_sha512, &share_x25519, &kem_sntrup761},
    {&kex_sntrup761x25519_sha512_openssh, &share_x25519, &kem_sntrup761},
    {&kex_curve25519_sha256, &share_x25519, NULL},
    {&kex_curve25519_sha256_libssh, &share_x25519, NULL},
    {&kex_ecdh_nistp256, &share_nistp256, NULL},
    {&kex_ecdh_nistp384, &share_nistp384, NULL},
    {&kex_ecdh_nistp521, &share_nistp521, NULL},
    {&kex_mlkem768nistp256_sha256, &share_nistp256, &kem_mlkem768},
    {&kex_mlkem1024nistp384_sha384, &share_nistp384, &kem_mlkem1024},
};

struct kex_state {
    const struct parts *parts;
    EVP_PKEY *key;
    uint8_t kem_secret[KEM_SECRET_MAX];
};

static const struct parts *find_parts(const struct kex_alg *alg)
{
    for (size_t i = 0; i < COUNT_OF(all_parts); i++)
        if (all_parts[i].alg == alg) return &all_parts[i];
    return NULL;
}

static void ecdh_free(struct kex_state *s)
{
    if (!s) return;
    EVP_PKEY_free(s->key);
    wipe(s, sizeof *s);
    free(s);
}

/* The secret as it enters the exchange hash. Classical: an mpint (RFC 8731 3.1, RFC 5656 4), whose leading zeros show in its
 * length: a waiver of the constant-time rule that the protocol forces. Hybrid: the string HASH(K_PQ || K_CL). */
static enum err encode_secret(const struct parts *parts, const uint8_t *kem_shared, const uint8_t *share_shared, struct secret *out)
{
    const struct hash_alg *hash = parts->alg->hash;
    struct bytes classical = bytes_of(share_shared, parts->share->secret_len);
    struct secret s CLEANUP(secret_clear) = {0};
    uint8_t digest[HASH_MAX];
    TRY(secret_new(&s, 4 + 1 + (parts->kem ? hash->len : classical.n)));
    struct wr w = wr_span((struct span){s.p, s.n});
    if (parts->kem) {
        struct bytes both[2] = {bytes_of(kem_shared, KEM_SHARED), classical};
        enum err e = hash->digest(hash, both, 2, digest);
        if (e == ERR_NONE) wr_string(&w, bytes_of(digest, hash->len));
        wipe(digest, sizeof digest);
        TRY(e);
    } else {
        wr_mpint(&w, classical);
    }
    TRY(wr_done(&w));
    secret_clear(out);
    out->p = s.p;
    out->n = w.n;
    s = (struct secret){0};
    return ERR_NONE;
}

static enum err ecdh_start(const struct kex_alg *alg, const struct random *random, const struct kex_group *group,
                           struct wr *public_value, struct kex_state **out)
{
    const struct parts *parts = find_parts(alg);
    size_t kem_len = parts && parts->kem ? parts->kem->public_len : 0;
    if (!parts || group) return ERR_USAGE;
    struct kex_state *s = calloc(1, sizeof *s);
    if (!s) return ERR_NOMEM;
    s->parts = parts;
    uint8_t *room = wr_room(public_value, kem_len + parts->share->public_len);
    enum err e = room ? ERR_NONE : ERR_NOSPACE;
    if (e == ERR_NONE && parts->kem) e = parts->kem->keygen(parts->kem, random, room, s->kem_secret);
    if (e == ERR_NONE) e = parts->share->make(parts->share, random, room + kem_len, &s->key);
    if (e != ERR_NONE) {
        ecdh_free(s);
        return e;
    }
    *out = s;
    return ERR_NONE;
}

static enum err ecdh_finish(struct kex_state *s, struct bytes server_public, struct secret *out)
{
    const struct parts *parts = s->parts;
    size_t kem_len = parts->kem ? parts->kem->cipher_len : 0;
    uint8_t shared[2][SHARE_SECRET_MAX];
    if (server_public.n != kem_len + parts->share->public_len) return ERR_KEX;
    enum err e = parts->kem ? parts->kem->decaps(parts->kem, s->kem_secret, server_public.p, shared[0]) : ERR_NONE;
    if (e == ERR_NONE) e = parts->share->derive(parts->share, s->key, server_public.p + kem_len, shared[1]);
    if (e == ERR_NONE) e = encode_secret(parts, shared[0], shared[1], out);
    wipe(shared, sizeof shared);
    return e;
}

static enum err ecdh_reply(const struct kex_alg *alg, const struct random *random, const struct kex_group *group,
                           struct bytes client_public, struct wr *public_value, struct secret *out)
{
    const struct parts *parts = find_parts(alg);
    if (!parts || group) return ERR_USAGE;
    const struct kem *kem = parts->kem;
    size_t kem_public = kem ? kem->public_len : 0, kem_cipher = kem ? kem->cipher_len : 0;
    uint8_t shared[2][SHARE_SECRET_MAX];
    EVP_PKEY *key CLEANUP(evp_pkey_clear) = NULL;
    if (client_public.n != kem_public + parts->share->public_len) return ERR_KEX;
    uint8_t *room = wr_room(public_value, kem_cipher + parts->share->public_len);
    enum err e = room ? ERR_NONE : ERR_NOSPACE;
    if (e == ERR_NONE && kem) e = kem->encaps(kem, random, client_public.p, room, shared[0]);
    if (e == ERR_NONE) e = parts->share->make(parts->share, random, room + kem_cipher, &key);
    if (e == ERR_NONE) e = parts->share->derive(parts->share, key, client_public.p + kem_public, shared[1]);
    if (e == ERR_NONE) e = encode_secret(parts, shared[0], shared[1], out);
    wipe(shared, sizeof shared);
    return e;
}

#define ECDH(wire, hash_, pq) \
    {.name = wire, .shape = KEX_SHAPE_ECDH, .hash = &(hash_), .post_quantum = pq, .start = ecdh_start, .finish = ecdh_finish, \
     .reply = ecdh_reply, .free = ecdh_free}

const struct kex_alg kex_mlkem768x25519_sha256 = ECDH("mlkem768x25519-sha256", hash_sha256, true);
const struct kex_alg kex_sntrup761x25519_sha512 = ECDH("sntrup761x25519-sha512", hash_sha512, true);
const struct kex_alg kex_sntrup761x25519_sha512_openssh = ECDH("sntrup761x25519-sha512@openssh.com", hash_sha512, true);
const struct kex_alg kex_curve25519_sha256 = ECDH("curve25519-sha256", hash_sha256, false);
const struct kex_alg kex_curve25519_sha256_libssh = ECDH("curve25519-sha256@libssh.org", hash_sha256, false);
const struct kex_alg kex_ecdh_nistp256 = ECDH("ecdh-sha2-nistp256", hash_sha256, false);
const struct kex_alg kex_ecdh_nistp384 = ECDH("ecdh-sha2-nistp384", hash_sha384, false);
const struct kex_alg kex_ecdh_nistp521 = ECDH("ecdh-sha2-nistp521", hash_sha512, false);
const struct kex_alg kex_mlkem768nistp256_sha256 = ECDH("mlkem768nistp256-sha256", hash_sha256, true);
const struct kex_alg kex_mlkem1024nistp384_sha384 = ECDH("mlkem1024nistp384-sha384", hash_sha384, true);
