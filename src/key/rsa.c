/* SPDX-License-Identifier: ISC */
/* ssh-rsa keys (RFC 4253 6.6) with rsa-sha2-256, rsa-sha2-512 (RFC 8332) and SHA-1 signatures. */
#include "key_type.h"

#define NUMBER_MAX   (RSA_BITS_MAX / 8)
/* A verifier's work grows with e; libcrypto itself refuses more than 64 bits for moduli above 3072. */
#define EXPONENT_MAX 8

static const struct hash_alg *alg_hash(const struct sig_alg *alg)
{
    static const struct {
        const char *name;
        const struct hash_alg *hash;
    } rows[] = {{"rsa-sha2-256", &hash_sha256}, {"rsa-sha2-512", &hash_sha512}, {"ssh-rsa", &hash_sha1}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (strcmp(rows[i].name, alg->sig_name) == 0) return rows[i].hash;
    return NULL;
}

/* mpint e, mpint n */
static void read_public(struct pubkey *k, struct rd *r)
{
    k->exponent = rd_mpint(r, EXPONENT_MAX);
    k->point = rd_mpint(r, NUMBER_MAX);
    k->bits = r->err == ERR_NONE ? rsa_bits(k->point) : 0;
}

static enum err check_public(const struct pubkey *k)
{
    struct bytes n = k->point, e = k->exponent;
    if (k->bits < RSA_BITS_MIN) return ERR_KEY_TOO_SMALL;
    if (e.n == 0 || (e.p[e.n - 1] & 1) == 0 || (e.n == 1 && e.p[0] < 3)) return ERR_KEY_INVALID;
    return n.p[n.n - 1] & 1 ? ERR_NONE : ERR_KEY_INVALID;
}

static enum verdict verify(const struct pubkey *k, const struct sig_alg *alg, struct bytes msg, struct bytes sig)
{
    const struct hash_alg *hash = alg_hash(alg);
    struct rsa_public key = {k->point, k->exponent};
    if (!hash || sig.n == 0 || sig.n > k->point.n) return VERDICT_BAD;
    return rsa_verify(&key, hash, msg, sig);
}

static enum err generate(struct privkey *k, size_t bits, const struct random *random UNUSED, struct wr *public_fields)
{
    if (bits < RSA_BITS_MIN) return ERR_KEY_TOO_SMALL;
    if (bits > RSA_BITS_MAX) return ERR_RANGE;
    TRY(rsa_generate(bits, &k->rsa));
    wr_mpint(public_fields, secret_bytes(&k->rsa.e));
    wr_mpint(public_fields, secret_bytes(&k->rsa.n));
    return wr_done(public_fields);
}

static struct rsa_private numbers(const struct privkey *k)
{
    return (struct rsa_private){secret_bytes(&k->rsa.n),    secret_bytes(&k->rsa.e), secret_bytes(&k->rsa.d),
                                secret_bytes(&k->rsa.iqmp), secret_bytes(&k->rsa.p), secret_bytes(&k->rsa.q)};
}

static enum err sign(const struct privkey *k, const struct sig_alg *alg, struct bytes msg, struct wr *out)
{
    const struct hash_alg *hash = alg_hash(alg);
    struct rsa_private key = numbers(k);
    if (!hash) return ERR_KEY_TYPE;
    return rsa_sign(&key, hash, msg, out);
}

static void read_number(struct rd *r, struct secret *out)
{
    struct bytes b = rd_mpint(r, NUMBER_MAX);
    if (r->err != ERR_NONE) return;
    enum err e = b.n ? secret_copy(out, b) : ERR_KEY_INVALID;
    if (e != ERR_NONE) rd_fail(r, e);
}

/* PROTOCOL.key: mpint n, e, d, iqmp, p, q. */
static void read_private(struct privkey *k, struct rd *r, struct wr *public_fields)
{
    read_number(r, &k->rsa.n);
    read_number(r, &k->rsa.e);
    read_number(r, &k->rsa.d);
    read_number(r, &k->rsa.iqmp);
    read_number(r, &k->rsa.p);
    read_number(r, &k->rsa.q);
    wr_mpint(public_fields, secret_bytes(&k->rsa.e));
    wr_mpint(public_fields, secret_bytes(&k->rsa.n));
}

static enum verdict check_pair(const struct privkey *k)
{
    struct rsa_private key = numbers(k);
    return rsa_check(&key);
}

static void write_private(const struct privkey *k, struct wr *w)
{
    wr_mpint(w, secret_bytes(&k->rsa.n));
    wr_mpint(w, secret_bytes(&k->rsa.e));
    wr_mpint(w, secret_bytes(&k->rsa.d));
    wr_mpint(w, secret_bytes(&k->rsa.iqmp));
    wr_mpint(w, secret_bytes(&k->rsa.p));
    wr_mpint(w, secret_bytes(&k->rsa.q));
}

const struct key_type key_type_rsa = {
    .name = "ssh-rsa",
    .short_name = "RSA",
    .pem = true,
    .read_public = read_public,
    .check_public = check_public,
    .verify = verify,
    .generate = generate,
    .sign = sign,
    .read_private = read_private,
    .check_pair = check_pair,
    .write_private = write_private,
};
