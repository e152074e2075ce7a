/* SPDX-License-Identifier: ISC */
/* The room's own view of a key: one row a key type, and what hangs on it. */
#ifndef KEY_TYPE_H
#define KEY_TYPE_H

#include "base/limits.h"
#include "base/rd.h"
#include "crypto/sign.h"
#include "key/cert.h"
#include "key/key.h"

struct pubkey {
    const struct key_type *type;
    uint8_t *blob;
    size_t blob_n;
    size_t bits;
    struct bytes point;         /* ed25519: the 32 bytes; ecdsa: the uncompressed point; rsa: the modulus; composite: both keys. Into blob. */
    struct bytes exponent;      /* rsa only */
    struct bytes application;   /* sk only */
    /* A certificate: the key inside and its CA's; `type` and `bits` are the key's, `point` and `exponent` only in `plain`. */
    struct pubkey *plain, *ca;
    struct cert cert;
};

struct privkey {
    const struct key_type *type;
    struct pubkey *pub;
    struct secret scalar;       /* ed25519: the seed; ecdsa: the scalar, field_len bytes; composite: both seeds; sk: the key handle */
    struct rsa_numbers rsa;
    struct secret sk_reserved;  /* sk only, as the next */
    uint8_t sk_flags;
};

struct key_type {
    const char *name, *short_name;
    const struct ec_curve *curve;       /* ecdsa only */
    bool pem;                           /* has a form as PEM and PKCS#8 that OpenSSH writes; else only OpenSSH's own */
    /* After the type name: the public fields of a blob into k. */
    void (*read_public)(struct pubkey *k, struct rd *r);
    enum err (*check_public)(const struct pubkey *k);
    /* Verify the inner signature (the second string of a signature blob). */
    enum verdict (*verify)(const struct pubkey *k, const struct sig_alg *alg, struct bytes msg, struct bytes sig);
    /* Instead of that, for keys whose signature blob has more fields: rest stands behind the inner signature. NULL: no such key. */
    enum verdict (*verify_sk)(const struct pubkey *k, const struct sig_alg *alg, struct bytes msg, struct bytes sig, struct rd *rest,
                              struct sig_facts *out);
    /* Make fresh secret numbers in k and write the public fields. NULL: only an authenticator can. */
    enum err (*generate)(struct privkey *k, size_t bits, const struct random *random, struct wr *public_fields);
    /* The inner signature as raw bytes (to be put in a string). NULL likewise. */
    enum err (*sign)(const struct privkey *k, const struct sig_alg *alg, struct bytes msg, struct wr *out);
    /* After the type name: the private fields of an openssh-key-v1 section; public fields go to public_fields. */
    void (*read_private)(struct privkey *k, struct rd *r, struct wr *public_fields);
    /* Do the secret numbers belong to k->pub? */
    enum verdict (*check_pair)(const struct privkey *k);
    void (*write_private)(const struct privkey *k, struct wr *w);
};

extern const struct key_type key_type_ed25519, key_type_ecdsa256, key_type_ecdsa384, key_type_ecdsa521, key_type_rsa, key_type_mldsa44_ed25519,
    key_type_sk_ed25519, key_type_sk_ecdsa;
const struct key_type *key_type_find(struct bytes name);
/* ecdsa-sha2-nistp*, and nothing built on them. */
static inline bool curve_is_plain(const struct key_type *type)
{
    return type == &key_type_ecdsa256 || type == &key_type_ecdsa384 || type == &key_type_ecdsa521;
}

/* Parse the public half from its fields as if a peer had sent it, into k->pub. */
MUST_USE enum err privkey_set_public(struct privkey *k, const struct wr *fields);

#endif
