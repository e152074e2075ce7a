/* SPDX-License-Identifier: ISC */
/* Key exchange methods as records. What travels between the two sides is two strings (or mpints, whose wire form is the same:
 * u32 length, bytes): the client's public value and the server's. The transport frames them; for the shapes DH and GEX
 * they are unsigned big endian numbers, whose sign byte is the transport's matter. The record makes and checks them
 * and yields the shared secret in the very form in which it enters the exchange hash. */
#ifndef CRYPTO_KEX_H
#define CRYPTO_KEX_H

#include "base/random.h"
#include "base/secret.h"
#include "base/wr.h"
#include "crypto/hash.h"

enum kex_shape {
    KEX_SHAPE_ECDH,     /* messages 30/31 with strings: curve25519, nistp, the hybrids */
    KEX_SHAPE_DH,       /* messages 30/31 with mpints: fixed groups */
    KEX_SHAPE_GEX       /* messages 34/31/32/33 (RFC 4419) */
};

#define KEX_PUBLIC_MAX 4096     /* the longest public value: mlkem1024 + P-384, or a group18 element, with room */

struct kex_state;               /* the client's half between its two steps; holds secrets */

/* A Diffie-Hellman group: p and generator, big endian without leading zeros. Only GEX passes one in. */
struct kex_group {
    struct bytes p, g;
};

struct kex_alg {
    const char *name;           /* wire name */
    enum kex_shape shape;
    const struct hash_alg *hash;
    bool post_quantum;
    uint16_t group_bits;        /* DH: size of its prime; 0: a group of the server's, or none */
    /* Client, first step: a fresh key; its public value is appended to public_value raw, without
     * length. For shape GEX `group` is the server's (checked here: size, safe range of g); else NULL. */
    enum err (*start)(const struct kex_alg *alg, const struct random *random, const struct kex_group *group,
                      struct wr *public_value, struct kex_state **out);
    /* Client, second step: the server's public value in, the secret out (encoded: string or mpint with its length).
     * ERR_KEX: bad length, low order, off curve, ... */
    enum err (*finish)(struct kex_state *s, struct bytes server_public, struct secret *out);
    /* Server, only step. `group` as above (the group the server sent). */
    enum err (*reply)(const struct kex_alg *alg, const struct random *random, const struct kex_group *group,
                      struct bytes client_public, struct wr *public_value, struct secret *out);
    void (*free)(struct kex_state *s);
};

extern const struct kex_alg kex_mlkem768x25519_sha256, kex_sntrup761x25519_sha512, kex_sntrup761x25519_sha512_openssh,
    kex_curve25519_sha256, kex_curve25519_sha256_libssh, kex_ecdh_nistp256, kex_ecdh_nistp384, kex_ecdh_nistp521,
    kex_mlkem768nistp256_sha256, kex_mlkem1024nistp384_sha384, kex_dh_group14_sha256, kex_dh_group16_sha512,
    kex_dh_group18_sha512, kex_dh_gex_sha256;   /* crypto/openssl */

#endif
