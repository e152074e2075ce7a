/* SPDX-License-Identifier: ISC */
/* aes128-ctr, aes192-ctr, aes256-ctr (RFC 4344 4): the counter runs on from packet to packet. */
#include <stdlib.h>

#include "crypto/cipher.h"

#include "fetch.h"

struct cipher {
    EVP_CIPHER_CTX *ctx;
};

static void ctr_free(struct cipher *c)
{
    if (!c) return;
    EVP_CIPHER_CTX_free(c->ctx);
    free(c);
}

static struct cipher *ctr_new(const struct cipher_alg *alg, enum cipher_dir dir, const uint8_t *key, const uint8_t *iv)
{
    (void)dir;      /* the same either way */
    EVP_CIPHER *evp = evp_cipher(alg->key_len == 16 ? ID_AES_128_CTR : alg->key_len == 24 ? ID_AES_192_CTR : ID_AES_256_CTR);
    struct cipher *c = calloc(1, sizeof *c);
    if (!evp || !c || !(c->ctx = EVP_CIPHER_CTX_new()) || EVP_CipherInit_ex2(c->ctx, evp, key, iv, 1, NULL) != 1) {
        ctr_free(c);
        return NULL;
    }
    return c;
}

static enum err ctr_crypt(struct cipher *c, uint8_t *p, size_t n)
{
    int done;
    if (n > INT32_MAX || EVP_CipherUpdate(c->ctx, p, &done, p, (int)n) != 1) return ERR_CRYPTO;
    return ERR_NONE;
}

#define CTR(wire, key) \
    {.name = wire, .cls = CIPHER_STREAM, .block_len = 16, .key_len = key, .iv_len = 16, .rekey_bytes = 1ULL << 36, \
     .new = ctr_new, .free = ctr_free, .crypt = ctr_crypt}

const struct cipher_alg cipher_aes128_ctr = CTR("aes128-ctr", 16);
const struct cipher_alg cipher_aes192_ctr = CTR("aes192-ctr", 24);
const struct cipher_alg cipher_aes256_ctr = CTR("aes256-ctr", 32);
