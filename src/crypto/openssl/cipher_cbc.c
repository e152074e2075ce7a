/* SPDX-License-Identifier: ISC */
/* 3des-cbc, aes128-cbc, aes192-cbc, aes256-cbc (RFC 4253 6.3): for old peers, never offered unless asked for. The last block of a
 * packet is the IV of the next; how a receiver hides what went wrong is the transport's matter. */
#include <stdlib.h>

#include "crypto/cipher.h"

#include "fetch.h"

struct cipher {
    EVP_CIPHER_CTX *ctx;
};

static void cbc_free(struct cipher *c)
{
    if (!c) return;
    EVP_CIPHER_CTX_free(c->ctx);
    free(c);
}

static enum cipher_id id_of(const struct cipher_alg *alg)
{
    if (alg->block_len == 8) return ID_3DES_CBC;
    return alg->key_len == 16 ? ID_AES_128_CBC : alg->key_len == 24 ? ID_AES_192_CBC : ID_AES_256_CBC;
}

static struct cipher *cbc_new(const struct cipher_alg *alg, enum cipher_dir dir, const uint8_t *key, const uint8_t *iv)
{
    EVP_CIPHER *evp = evp_cipher(id_of(alg));
    struct cipher *c = calloc(1, sizeof *c);
    if (!evp || !c || !(c->ctx = EVP_CIPHER_CTX_new()) || EVP_CipherInit_ex2(c->ctx, evp, key, iv, dir == CIPHER_SEAL, NULL) != 1 ||
        EVP_CIPHER_CTX_set_padding(c->ctx, 0) != 1) {
        cbc_free(c);
        return NULL;
    }
    return c;
}

/* Without padding libcrypto holds nothing back: as many bytes come out as go in. */
static enum err cbc_crypt(struct cipher *c, uint8_t *p, size_t n)
{
    int done = 0;
    if (n > INT32_MAX || EVP_CipherUpdate(c->ctx, p, &done, p, (int)n) != 1 || (size_t)done != n) return ERR_CRYPTO;
    return ERR_NONE;
}

#define CBC(wire, key, block, strong, limit) \
    {.name = wire, .cls = CIPHER_STREAM, .block_len = block, .key_len = key, .iv_len = block, .strength = strong, .chained = true, \
     .rekey_bytes = limit, .new = cbc_new, .free = cbc_free, .crypt = cbc_crypt}

const struct cipher_alg cipher_aes128_cbc = CBC("aes128-cbc", 16, 16, 0, 1ULL << 36);
const struct cipher_alg cipher_aes192_cbc = CBC("aes192-cbc", 24, 16, 0, 1ULL << 36);
const struct cipher_alg cipher_aes256_cbc = CBC("aes256-cbc", 32, 16, 0, 1ULL << 36);
/* Three keys of 56 bits, of which meeting in the middle leaves 112. 2^(64/4) blocks would be 512 KiB; docs/decisions/cbc.md. */
const struct cipher_alg cipher_3des_cbc = CBC("3des-cbc", 24, 8, 14, 1ULL << 30);
