/* SPDX-License-Identifier: ISC */
#include "crypto/hash.h"

#include "fetch.h"

static enum err digest(const struct hash_alg *alg, const struct bytes *parts, size_t n, uint8_t *out)
{
    EVP_MD *md = evp_md(alg);
    EVP_MD_CTX *ctx CLEANUP(evp_md_ctx_clear) = EVP_MD_CTX_new();
    if (!md) return ERR_CRYPTO;
    if (!ctx) return ERR_NOMEM;
    if (EVP_DigestInit_ex2(ctx, md, NULL) != 1) return ERR_CRYPTO;
    for (size_t i = 0; i < n; i++)
        if (parts[i].n && EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) != 1) return ERR_CRYPTO;
    return EVP_DigestFinal_ex(ctx, out, NULL) == 1 ? ERR_NONE : ERR_CRYPTO;
}

const struct hash_alg hash_sha1 = {"SHA1", 20, digest};
const struct hash_alg hash_sha256 = {"SHA256", 32, digest};
const struct hash_alg hash_sha384 = {"SHA384", 48, digest};
const struct hash_alg hash_sha512 = {"SHA512", 64, digest};
const struct hash_alg hash_md5 = {"MD5", 16, digest};
