/* SPDX-License-Identifier: ISC */
/* aes128-gcm@openssh.com, aes256-gcm@openssh.com: RFC 5647 as draft-miller-sshm-aes-gcm amends it. The nonce is 4 fixed
 * bytes and a 64-bit invocation counter that starts at the derived IV; the packet number plays no part. */
#include <stdlib.h>

#include "crypto/cipher.h"

#include "fetch.h"

enum { IV_LEN = 12, TAG_LEN = 16, LENGTH_LEN = 4 };

struct cipher {
    EVP_CIPHER_CTX *ctx;
    uint8_t iv[IV_LEN];
};

static void gcm_free(struct cipher *c)
{
    if (!c) return;
    EVP_CIPHER_CTX_free(c->ctx);
    wipe(c, sizeof *c);
    free(c);
}

static struct cipher *gcm_new(const struct cipher_alg *alg, enum cipher_dir dir, const uint8_t *key, const uint8_t *iv)
{
    EVP_CIPHER *evp = evp_cipher(alg->key_len == 16 ? ID_AES_128_GCM : ID_AES_256_GCM);
    struct cipher *c = calloc(1, sizeof *c);
    if (!evp || !c || !(c->ctx = EVP_CIPHER_CTX_new()) || EVP_CipherInit_ex2(c->ctx, evp, key, iv, dir == CIPHER_SEAL, NULL) != 1) {
        gcm_free(c);
        return NULL;
    }
    memcpy(c->iv, iv, IV_LEN);
    return c;
}

/* Set this packet's nonce and step on to the next one's; feed the length as associated data. */
static bool begin(struct cipher *c, const uint8_t *p)
{
    int n;
    bool ok = EVP_CipherInit_ex2(c->ctx, NULL, NULL, c->iv, -1, NULL) == 1;
    put_u64(c->iv + 4, get_u64(c->iv + 4) + 1);
    return ok && EVP_CipherUpdate(c->ctx, NULL, &n, p, LENGTH_LEN) == 1;
}

static enum err gcm_seal(struct cipher *c, uint32_t seq, uint8_t *p, size_t n)
{
    (void)seq;
    int done;
    if (n < LENGTH_LEN || n > INT32_MAX || !begin(c, p)) return ERR_CRYPTO;
    if (EVP_CipherUpdate(c->ctx, p + LENGTH_LEN, &done, p + LENGTH_LEN, (int)(n - LENGTH_LEN)) != 1) return ERR_CRYPTO;
    if (EVP_CipherFinal_ex(c->ctx, p + n, &done) != 1) return ERR_CRYPTO;
    return EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, p + n) == 1 ? ERR_NONE : ERR_CRYPTO;
}

static enum verdict gcm_open(struct cipher *c, uint32_t seq, uint8_t *p, size_t n)
{
    (void)seq;
    int done;
    uint8_t rest[TAG_LEN];
    if (n < LENGTH_LEN || n > INT32_MAX || !begin(c, p)) return VERDICT_BAD;
    if (EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, p + n) != 1) return VERDICT_BAD;
    if (EVP_CipherUpdate(c->ctx, p + LENGTH_LEN, &done, p + LENGTH_LEN, (int)(n - LENGTH_LEN)) != 1) return VERDICT_BAD;
    /* Final compares the tags in constant time */
    return EVP_CipherFinal_ex(c->ctx, rest, &done) == 1 ? VERDICT_GOOD : VERDICT_BAD;
}

/* RFC 4344 3.2 asks for a rekey after 2^(L/4) blocks of L bits: 2^32 blocks of 16 bytes. */
#define GCM(wire, key) \
    {.name = wire, .cls = CIPHER_AEAD_CLEAR_LEN, .block_len = 16, .key_len = key, .iv_len = IV_LEN, .tag_len = TAG_LEN, \
     .rekey_bytes = 1ULL << 36, .new = gcm_new, .free = gcm_free, .seal = gcm_seal, .open = gcm_open}

const struct cipher_alg cipher_aes128_gcm = GCM("aes128-gcm@openssh.com", 16);
const struct cipher_alg cipher_aes256_gcm = GCM("aes256-gcm@openssh.com", 32);
