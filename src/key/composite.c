/* SPDX-License-Identifier: ISC */
/* ssh-mldsa44-ed25519@openssh.com: a post-quantum and a classical key side by side, one signature of each (draft-miller-sshm-mldsa44-ed25519-
 * composite-sigs-00 over draft-ietf-lamps-pq-composite-sigs-18). Whoever forges must break both. */
#include "crypto/pq.h"
#include "key_type.h"

#define PREFIX "CompositeAlgorithmSignatures2025"
#define LABEL  "COMPSIG-MLDSA44-Ed25519-SHA512"

enum {
    SEEDS = MLDSA44_SEED + ED25519_SEED,
    PUBLIC = MLDSA44_PUBLIC + ED25519_PUBLIC,
    SIG = MLDSA44_SIG + ED25519_SIG,
    M_PRIME = sizeof PREFIX - 1 + sizeof LABEL - 1 + 1 + 64,
};

/* Section 3.2 there, with SSH's context, which is empty: prefix, label, its length, hash. */
static enum err m_prime(struct bytes msg, uint8_t out[M_PRIME])
{
    static const uint8_t head[M_PRIME - 64] = PREFIX LABEL;    /* and a zero byte */
    memcpy(out, head, sizeof head);
    return hash_digest(&hash_sha512, msg, out + sizeof head);
}

static void read_public(struct pubkey *k, struct rd *r)
{
    k->point = rd_string_n(r, PUBLIC);
    k->bits = 256; /* what OpenSSH shows */
}

static enum err check_public(const struct pubkey *k UNUSED)
{
    return ERR_NONE; /* any bytes of this length */
}

static enum verdict verify(const struct pubkey *k, const struct sig_alg *alg UNUSED, struct bytes msg, struct bytes sig)
{
    uint8_t text[M_PRIME];
    if (sig.n != SIG || m_prime(msg, text) != ERR_NONE) return VERDICT_BAD;
    struct bytes pq = bytes_of(sig.p, MLDSA44_SIG), classical = bytes_of(sig.p + MLDSA44_SIG, ED25519_SIG), t = bytes_of(text, sizeof text);
    if (mldsa44_verify(k->point.p, BYTES_LIT(LABEL), t, pq) != VERDICT_GOOD) return VERDICT_BAD;
    return ed25519_verify(k->point.p + MLDSA44_PUBLIC, t, classical);
}

static enum err public_of(const struct secret *seeds, uint8_t out[PUBLIC])
{
    mldsa44_public(seeds->p, out);
    return ed25519_public(seeds->p + MLDSA44_SEED, out + MLDSA44_PUBLIC);
}

static enum err generate(struct privkey *k, size_t bits UNUSED, const struct random *random, struct wr *public_fields)
{
    uint8_t public_key[PUBLIC];
    TRY(secret_new(&k->scalar, SEEDS));
    TRY(random_fill(random, k->scalar.p, SEEDS));
    TRY(public_of(&k->scalar, public_key));
    wr_string(public_fields, bytes_of(public_key, sizeof public_key));
    return wr_done(public_fields);
}

static enum err sign(const struct privkey *k, const struct sig_alg *alg UNUSED, struct bytes msg, struct wr *out)
{
    uint8_t text[M_PRIME], rnd[MLDSA44_RANDOM], sig[SIG];
    TRY(m_prime(msg, text));
    TRY(random_fill(&random_libcrypto, rnd, sizeof rnd));
    enum err e = mldsa44_sign(k->scalar.p, BYTES_LIT(LABEL), bytes_of(text, sizeof text), rnd, sig);
    wipe(rnd, sizeof rnd);
    TRY(e);
    TRY(ed25519_sign(k->scalar.p + MLDSA44_SEED, bytes_of(text, sizeof text), sig + MLDSA44_SIG));
    wr_raw(out, bytes_of(sig, sizeof sig));
    return wr_done(out);
}

/* string public, string seeds. */
static void read_private(struct privkey *k, struct rd *r, struct wr *public_fields)
{
    struct bytes public_key = rd_string_n(r, PUBLIC);
    struct bytes seeds = rd_string_n(r, SEEDS);
    if (r->err != ERR_NONE) return;
    enum err e = secret_copy(&k->scalar, seeds);
    if (e != ERR_NONE) rd_fail(r, e);
    wr_string(public_fields, public_key);
}

static enum verdict check_pair(const struct privkey *k)
{
    uint8_t public_key[PUBLIC];
    if (public_of(&k->scalar, public_key) != ERR_NONE) return VERDICT_BAD;
    return bytes_verify(public_key, k->pub->point.p, sizeof public_key);
}

static void write_private(const struct privkey *k, struct wr *w)
{
    wr_string(w, k->pub->point);
    wr_string(w, secret_bytes(&k->scalar));
}

const struct key_type key_type_mldsa44_ed25519 = {
    .name = "ssh-mldsa44-ed25519@openssh.com",
    .short_name = "MLDSA44-ED25519",
    .read_public = read_public,
    .check_public = check_public,
    .verify = verify,
    .generate = generate,
    .sign = sign,
    .read_private = read_private,
    .check_pair = check_pair,
    .write_private = write_private,
};
