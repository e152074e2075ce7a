/* SPDX-License-Identifier: ISC */
#include "share.h"

#include "base/secret.h"

enum err share_derive(EVP_PKEY *key, EVP_PKEY *peer, uint8_t *out, size_t n)
{
    EVP_PKEY_CTX *ctx CLEANUP(evp_pkey_ctx_clear) = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    size_t got = n;
    if (!ctx || EVP_PKEY_derive_init(ctx) != 1) return ERR_CRYPTO;
    /* No second check of the peer's key (0): ec_key saw that it is on the curve, and on curves of cofactor 1 that is all there is to
     * check; libcrypto would multiply by the group order, which doubles the cost. */
    if (EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) != 1 || EVP_PKEY_derive(ctx, out, &got) != 1 || got != n) return ERR_KEX;
    return ERR_NONE;
}

/* ---- X25519 (RFC 7748, RFC 8731): the private key comes from `random`, so that a simulator repeats itself ---- */

static enum err x25519_make(const struct share *share, const struct random *random, uint8_t *public_value, EVP_PKEY **out)
{
    struct secret seed CLEANUP(secret_clear) = {0};
    size_t n = share->public_len;
    TRY(secret_new(&seed, 32));
    TRY(random_fill(random, seed.p, seed.n));
    EVP_PKEY *key CLEANUP(evp_pkey_clear) = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, seed.p, seed.n);
    if (!key || EVP_PKEY_get_raw_public_key(key, public_value, &n) != 1 || n != share->public_len) return ERR_CRYPTO;
    *out = key;
    key = NULL;
    return ERR_NONE;
}

static enum err x25519_derive(const struct share *share, EVP_PKEY *key, const uint8_t *peer, uint8_t *out)
{
    EVP_PKEY *other CLEANUP(evp_pkey_clear) = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, peer, share->public_len);
    uint8_t all = 0;
    if (!other) return ERR_CRYPTO;
    TRY(share_derive(key, other, out, share->secret_len));
    /* RFC 8731 3: an all-zero result (low order point) ends the exchange. libcrypto refuses it too; we do not depend on that. */
    for (size_t i = 0; i < share->secret_len; i++) all |= out[i];
    return all ? ERR_NONE : ERR_KEX;
}

const struct share share_x25519 = {NULL, 32, 32, x25519_make, x25519_derive};

/* ---- NIST curves (RFC 5656 4): libcrypto draws the private key ---- */

static enum err nist_make(const struct share *share, const struct random *random, uint8_t *public_value, EVP_PKEY **out)
{
    (void)random;
    EVP_PKEY *key CLEANUP(evp_pkey_clear) = EVP_PKEY_Q_keygen(NULL, NULL, "EC", share->curve->group);
    if (!key) return ERR_CRYPTO;
    TRY(ec_key_point(share->curve, key, public_value));
    *out = key;
    key = NULL;
    return ERR_NONE;
}

/* The x coordinate at its full length, as RFC 5656 4 has it. ec_key refuses what is not on the curve. */
static enum err nist_derive(const struct share *share, EVP_PKEY *key, const uint8_t *peer, uint8_t *out)
{
    EVP_PKEY *other CLEANUP(evp_pkey_clear) = ec_key(share->curve, bytes_of(peer, share->public_len), (struct bytes){0});
    return other ? share_derive(key, other, out, share->secret_len) : ERR_KEX;
}

const struct share share_nistp256 = {&ec_nistp256, 65, 32, nist_make, nist_derive};
const struct share share_nistp384 = {&ec_nistp384, 97, 48, nist_make, nist_derive};
const struct share share_nistp521 = {&ec_nistp521, 133, 66, nist_make, nist_derive};
