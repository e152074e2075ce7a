/* SPDX-License-Identifier: ISC */
#include "crypto/sign.h"

#include "fetch.h"

static EVP_PKEY *private_key(const uint8_t seed[ED25519_SEED])
{
    return EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, seed, ED25519_SEED);
}

enum err ed25519_public(const uint8_t seed[ED25519_SEED], uint8_t public_key[ED25519_PUBLIC])
{
    EVP_PKEY *key CLEANUP(evp_pkey_clear) = private_key(seed);
    size_t n = ED25519_PUBLIC;
    if (!key) return ERR_CRYPTO;
    return EVP_PKEY_get_raw_public_key(key, public_key, &n) == 1 && n == ED25519_PUBLIC ? ERR_NONE : ERR_CRYPTO;
}

enum err ed25519_sign(const uint8_t seed[ED25519_SEED], struct bytes msg, uint8_t sig[ED25519_SIG])
{
    EVP_PKEY *key CLEANUP(evp_pkey_clear) = private_key(seed);
    EVP_MD_CTX *ctx CLEANUP(evp_md_ctx_clear) = EVP_MD_CTX_new();
    size_t n = ED25519_SIG;
    if (!key || !ctx || EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, key, NULL) != 1) return ERR_CRYPTO;
    return EVP_DigestSign(ctx, sig, &n, msg.p, msg.n) == 1 && n == ED25519_SIG ? ERR_NONE : ERR_CRYPTO;
}

/* libcrypto refuses S >= L (RFC 8032 5.1.7); a test holds it to that. */
enum verdict ed25519_verify(const uint8_t public_key[ED25519_PUBLIC], struct bytes msg, struct bytes sig)
{
    if (sig.n != ED25519_SIG) return VERDICT_BAD;
    EVP_PKEY *key CLEANUP(evp_pkey_clear) = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, public_key, ED25519_PUBLIC);
    EVP_MD_CTX *ctx CLEANUP(evp_md_ctx_clear) = EVP_MD_CTX_new();
    if (!key || !ctx || EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, key, NULL) != 1) return VERDICT_BAD;
    return EVP_DigestVerify(ctx, sig.p, sig.n, msg.p, msg.n) == 1 ? VERDICT_GOOD : VERDICT_BAD;
}
