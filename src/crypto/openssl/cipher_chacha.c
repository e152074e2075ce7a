/* SPDX-License-Identifier: ISC */
/* chacha20-poly1305@openssh.com (draft-ietf-sshm-chacha20-poly1305): two ChaCha20 keys, K_2 = the first 32 bytes for body and
 * Poly1305 key, K_1 = the last 32 for the length; the nonce is the packet number as u64. libcrypto's ChaCha20 takes
 * counter (8 bytes, little endian) and nonce (8 bytes) as one 16-byte IV. */
#include <stdlib.h>

#include "crypto/cipher.h"

#include "chacha.h"
#include "fetch.h"

enum { TAG_LEN = 16, LENGTH_LEN = 4, IV_LEN = 16, BLOCK = 64, POLY_KEY = 32 };

struct cipher {
    EVP_CIPHER_CTX *body, *head;
    EVP_MAC_CTX *poly;
};

static void chacha_free(struct cipher *c)
{
    if (!c) return;
    EVP_CIPHER_CTX_free(c->body);
    EVP_CIPHER_CTX_free(c->head);
    EVP_MAC_CTX_free(c->poly);
    free(c);
}

static struct cipher *chacha_new(const struct cipher_alg *alg, enum cipher_dir dir, const uint8_t *key, const uint8_t *iv)
{
    (void)alg, (void)dir, (void)iv;      /* a stream cipher: both directions are the same */
    static const uint8_t zero[IV_LEN];
    EVP_CIPHER *evp = evp_cipher(ID_CHACHA20);
    EVP_MAC *mac = evp_mac(ID_POLY1305);
    struct cipher *c = calloc(1, sizeof *c);
    if (!evp || !mac || !c || !(c->body = EVP_CIPHER_CTX_new()) || !(c->head = EVP_CIPHER_CTX_new()) ||
        !(c->poly = EVP_MAC_CTX_new(mac)) || EVP_CipherInit_ex2(c->body, evp, key, zero, 1, NULL) != 1 ||
        EVP_CipherInit_ex2(c->head, evp, key + 32, zero, 1, NULL) != 1) {
        chacha_free(c);
        return NULL;
    }
    return c;
}

static bool set_nonce(EVP_CIPHER_CTX *ctx, uint32_t seq)
{
    uint8_t iv[IV_LEN] = {0};
    put_u64(iv + 8, seq);
    return EVP_CipherInit_ex2(ctx, NULL, NULL, iv, -1, NULL) == 1;
}

static bool xor_stream(EVP_CIPHER_CTX *ctx, uint8_t *out, const uint8_t *in, size_t n)
{
    int done;
    return EVP_CipherUpdate(ctx, out, &done, in, (int)n) == 1;
}

/* Block 0 of the body's key stream is the Poly1305 key; taking all 64 bytes leaves the counter at 1, where the body begins. */
static bool begin(struct cipher *c, uint32_t seq)
{
    static const uint8_t zero[BLOCK];
    uint8_t block[BLOCK];
    bool ok = set_nonce(c->body, seq) && xor_stream(c->body, block, zero, BLOCK) && EVP_MAC_init(c->poly, block, POLY_KEY, NULL) == 1;
    wipe(block, sizeof block);
    return ok;
}

static bool tag(struct cipher *c, const uint8_t *p, size_t n, uint8_t out[TAG_LEN])
{
    size_t len = TAG_LEN;
    return EVP_MAC_update(c->poly, p, n) == 1 && EVP_MAC_final(c->poly, out, &len, TAG_LEN) == 1 && len == TAG_LEN;
}

static enum err chacha_length(struct cipher *c, uint32_t seq, const uint8_t *head, uint32_t *out)
{
    uint8_t clear[LENGTH_LEN];
    if (!set_nonce(c->head, seq) || !xor_stream(c->head, clear, head, LENGTH_LEN)) return ERR_CRYPTO;
    *out = get_u32(clear);
    return ERR_NONE;
}

/* Body and tag; head bytes in front are already done and only authenticated. */
static enum err seal_body(struct cipher *c, uint8_t *p, size_t head, size_t n, uint8_t out[TAG_LEN])
{
    if (!xor_stream(c->body, p + head, p + head, n - head)) return ERR_CRYPTO;
    return tag(c, p, n, out) ? ERR_NONE : ERR_CRYPTO;
}

static enum verdict open_body(struct cipher *c, uint8_t *p, size_t head, size_t n, const uint8_t expected[TAG_LEN])
{
    uint8_t made[TAG_LEN];
    if (!tag(c, p, n, made) || bytes_verify(made, expected, TAG_LEN) != VERDICT_GOOD) return VERDICT_BAD;
    return xor_stream(c->body, p + head, p + head, n - head) ? VERDICT_GOOD : VERDICT_BAD;
}

static enum err chacha_seal(struct cipher *c, uint32_t seq, uint8_t *p, size_t n)
{
    if (n < LENGTH_LEN || n > INT32_MAX || !begin(c, seq)) return ERR_CRYPTO;
    if (!set_nonce(c->head, seq) || !xor_stream(c->head, p, p, LENGTH_LEN)) return ERR_CRYPTO;
    return seal_body(c, p, LENGTH_LEN, n, p + n);
}

static enum verdict chacha_open(struct cipher *c, uint32_t seq, uint8_t *p, size_t n)
{
    if (n < LENGTH_LEN || n > INT32_MAX || !begin(c, seq)) return VERDICT_BAD;
    return open_body(c, p, LENGTH_LEN, n, p + n);
}

enum err chacha_file_run(bool encrypt, const uint8_t *key, struct span data, uint8_t *tag_bytes)
{
    struct cipher *c = chacha_new(&cipher_chacha20_poly1305, CIPHER_SEAL, key, NULL);
    enum err e = c && begin(c, 0) ? ERR_NONE : ERR_CRYPTO;
    if (e == ERR_NONE && encrypt) e = seal_body(c, data.p, 0, data.n, tag_bytes);
    else if (e == ERR_NONE && open_body(c, data.p, 0, data.n, tag_bytes) != VERDICT_GOOD) e = ERR_PASSPHRASE;
    chacha_free(c);
    return e;
}

/* No block limit worth naming: RFC 4344's packet count comes first. The bytes are bounded by the transport's 2^40. */
const struct cipher_alg cipher_chacha20_poly1305 = {
    .name = "chacha20-poly1305@openssh.com", .cls = CIPHER_AEAD_CRYPT_LEN, .block_len = 8, .key_len = 64, .iv_len = 0,
    .tag_len = TAG_LEN, .rekey_bytes = 1ULL << 40, .new = chacha_new, .free = chacha_free, .length = chacha_length,
    .seal = chacha_seal, .open = chacha_open,
};
