/* SPDX-License-Identifier: ISC */
#include "crypto/kdf.h"

#include "base/limits.h"
#include "fetch.h"

static void mac_free(EVP_MAC **m)
{
    EVP_MAC_free(*m);
}

static void mac_ctx_free(EVP_MAC_CTX **c)
{
    EVP_MAC_CTX_free(*c);
}

enum err hmac_digest(const struct hash_alg *hash, struct bytes key, const struct bytes *parts, size_t n, uint8_t *out)
{
    EVP_MAC *mac CLEANUP(mac_free) = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx CLEANUP(mac_ctx_free) = mac ? EVP_MAC_CTX_new(mac) : NULL;
    char name[16];
    TRY(bytes_to_str(bytes_str(hash->name), name, sizeof name));
    OSSL_PARAM param[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0), OSSL_PARAM_construct_end()};
    /* a NULL key would mean "the one set before" */
    if (!ctx || EVP_MAC_init(ctx, key.n ? key.p : (const uint8_t *)"", key.n, param) != 1) return ERR_CRYPTO;
    for (size_t i = 0; i < n; i++)
        if (parts[i].n && EVP_MAC_update(ctx, parts[i].p, parts[i].n) != 1) return ERR_CRYPTO;
    size_t made = 0;
    return EVP_MAC_final(ctx, out, &made, hash->len) == 1 && made == hash->len ? ERR_NONE : ERR_CRYPTO;
}

enum err pbkdf2(const struct hash_alg *hash, struct bytes pass, struct bytes salt, uint32_t rounds, struct span key)
{
    EVP_MD *md = evp_md(hash);
    if (rounds < 1 || rounds > PBKDF2_ROUNDS_MAX) return ERR_RANGE;
    if (pass.n > INT32_MAX || salt.n > KDF_SALT_MAX || key.n > KDF_SALT_MAX) return ERR_TOO_LONG;
    if (!md) return ERR_CRYPTO;
    const char *text = pass.n ? (const char *)pass.p : "";
    return PKCS5_PBKDF2_HMAC(text, (int)pass.n, salt.p, (int)salt.n, (int)rounds, md, (int)key.n, key.p) == 1 ? ERR_NONE : ERR_CRYPTO;
}

enum err scrypt(struct bytes pass, struct bytes salt, uint64_t n, uint64_t r, uint64_t p, struct span key)
{
    if (n < 2 || (n & (n - 1)) || r < 1 || p < 1 || n > SCRYPT_WORK_MAX || r > SCRYPT_WORK_MAX || p > SCRYPT_WORK_MAX) return ERR_RANGE;
    if (n * r > SCRYPT_BYTES_MAX / 128 || n * r > SCRYPT_WORK_MAX / p) return ERR_RANGE;
    const char *text = pass.n ? (const char *)pass.p : "";
    /* its own bound counts some more than the table */
    return EVP_PBE_scrypt(text, pass.n, salt.p, salt.n, n, r, p, SCRYPT_BYTES_MAX + (1 << 30), key.p, key.n) == 1 ? ERR_NONE : ERR_CRYPTO;
}
