/* SPDX-License-Identifier: ISC */
/* ssh-ed25519 (RFC 8709). */
#include "key_type.h"

static void read_public(struct pubkey *k, struct rd *r)
{
    k->point = rd_string_n(r, ED25519_PUBLIC);
    k->bits = 256;
}

static enum err check_public(const struct pubkey *k UNUSED)
{
    return ERR_NONE; /* any 32 bytes; what is no point fails to verify anything */
}

static enum verdict verify(const struct pubkey *k, const struct sig_alg *alg UNUSED, struct bytes msg, struct bytes sig)
{
    if (sig.n != ED25519_SIG) return VERDICT_BAD;
    return ed25519_verify(k->point.p, msg, sig);
}

static enum err generate(struct privkey *k, size_t bits UNUSED, const struct random *random, struct wr *public_fields)
{
    uint8_t public_key[ED25519_PUBLIC];
    TRY(secret_new(&k->scalar, ED25519_SEED));
    TRY(random_fill(random, k->scalar.p, ED25519_SEED));
    TRY(ed25519_public(k->scalar.p, public_key));
    wr_string(public_fields, bytes_of(public_key, sizeof public_key));
    return wr_done(public_fields);
}

static enum err sign(const struct privkey *k, const struct sig_alg *alg UNUSED, struct bytes msg, struct wr *out)
{
    uint8_t sig[ED25519_SIG];
    TRY(ed25519_sign(k->scalar.p, msg, sig));
    wr_raw(out, bytes_of(sig, sizeof sig));
    return wr_done(out);
}

/* PROTOCOL.key: string public, string seed || public. */
static void read_private(struct privkey *k, struct rd *r, struct wr *public_fields)
{
    struct bytes public_key = rd_string_n(r, ED25519_PUBLIC);
    struct bytes both = rd_string_n(r, ED25519_SEED + ED25519_PUBLIC);
    if (r->err != ERR_NONE) return;
    if (!bytes_equal(public_key, bytes_of(both.p + ED25519_SEED, ED25519_PUBLIC))) {
        rd_fail(r, ERR_KEY_INVALID);
        return;
    }
    enum err e = secret_copy(&k->scalar, bytes_of(both.p, ED25519_SEED));
    if (e != ERR_NONE) rd_fail(r, e);
    wr_string(public_fields, public_key);
}

static enum verdict check_pair(const struct privkey *k)
{
    uint8_t public_key[ED25519_PUBLIC];
    if (ed25519_public(k->scalar.p, public_key) != ERR_NONE) return VERDICT_BAD;
    return bytes_verify(public_key, k->pub->point.p, sizeof public_key);
}

static void write_private(const struct privkey *k, struct wr *w)
{
    wr_string(w, k->pub->point);
    wr_u32(w, ED25519_SEED + ED25519_PUBLIC);
    wr_raw(w, secret_bytes(&k->scalar));
    wr_raw(w, k->pub->point);
}

const struct key_type key_type_ed25519 = {
    .name = "ssh-ed25519",
    .short_name = "ED25519",
    .read_public = read_public,
    .check_public = check_public,
    .verify = verify,
    .generate = generate,
    .sign = sign,
    .read_private = read_private,
    .check_pair = check_pair,
    .write_private = write_private,
};
