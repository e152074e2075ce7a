/* SPDX-License-Identifier: ISC */
#include "crypto/hash.h"

#include <stdlib.h>

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

/* ---- in pieces ---- */

struct hash_run {
    EVP_MD_CTX *ctx;
};

void hash_drop(struct hash_run *run)
{
    if (!run) return;
    EVP_MD_CTX_free(run->ctx);
    free(run);
}

struct hash_run *hash_start(const struct hash_alg *alg)
{
    EVP_MD *md = evp_md(alg);
    struct hash_run *run = md ? calloc(1, sizeof *run) : NULL;
    if (!run) return NULL;
    run->ctx = EVP_MD_CTX_new();
    if (run->ctx && EVP_DigestInit_ex2(run->ctx, md, NULL) == 1) return run;
    hash_drop(run);
    return NULL;
}

enum err hash_add(struct hash_run *run, struct bytes data)
{
    return data.n == 0 || EVP_DigestUpdate(run->ctx, data.p, data.n) == 1 ? ERR_NONE : ERR_CRYPTO;
}

enum err hash_end(struct hash_run *run, uint8_t *out)
{
    bool good = EVP_DigestFinal_ex(run->ctx, out, NULL) == 1;
    hash_drop(run);
    return good ? ERR_NONE : ERR_CRYPTO;
}
