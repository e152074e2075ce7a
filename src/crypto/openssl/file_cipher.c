/* SPDX-License-Identifier: ISC */
/* The ciphers of openssh-key-v1 files (PROTOCOL.key): the whole private part is one message, nothing is associated data. */
#include "crypto/sign.h"

#include "chacha.h"
#include "fetch.h"

enum kind { KIND_PLAIN, KIND_GCM, KIND_CHACHA };

struct row {
    struct file_cipher pub;     /* first: file_cipher_run gets from it to the row */
    enum cipher_id id;
    enum kind kind;
};

static const struct row rows[] = {
    {{"aes256-ctr", 32, 16, 16, 0}, ID_AES_256_CTR, KIND_PLAIN},
    {{"aes192-ctr", 24, 16, 16, 0}, ID_AES_192_CTR, KIND_PLAIN},
    {{"aes128-ctr", 16, 16, 16, 0}, ID_AES_128_CTR, KIND_PLAIN},
    {{"aes256-cbc", 32, 16, 16, 0}, ID_AES_256_CBC, KIND_PLAIN},
    {{"aes192-cbc", 24, 16, 16, 0}, ID_AES_192_CBC, KIND_PLAIN},
    {{"aes128-cbc", 16, 16, 16, 0}, ID_AES_128_CBC, KIND_PLAIN},
    {{"aes256-gcm@openssh.com", 32, 12, 16, 16}, ID_AES_256_GCM, KIND_GCM},
    {{"aes128-gcm@openssh.com", 16, 12, 16, 16}, ID_AES_128_GCM, KIND_GCM},
    {{"chacha20-poly1305@openssh.com", 64, 0, 8, 16}, ID_CHACHA20, KIND_CHACHA},
    {{"3des-cbc", 24, 8, 8, 0}, ID_3DES_CBC, KIND_PLAIN},
};

const struct file_cipher *file_cipher_find(struct bytes name)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (bytes_is(name, rows[i].pub.name)) return &rows[i].pub;
    return NULL;
}

const char *file_cipher_name(size_t i)
{
    return i < COUNT_OF(rows) ? rows[i].pub.name : NULL;
}

static enum err run_evp(const struct row *row, bool encrypt, const uint8_t *key, const uint8_t *iv, struct span data, uint8_t *tag)
{
    EVP_CIPHER *evp = evp_cipher(row->id);
    EVP_CIPHER_CTX *ctx CLEANUP(evp_cipher_ctx_clear) = EVP_CIPHER_CTX_new();
    bool gcm = row->kind == KIND_GCM;
    uint8_t rest[16];
    int done;
    if (!evp || !ctx || EVP_CipherInit_ex2(ctx, evp, key, iv, encrypt, NULL) != 1) return ERR_CRYPTO;
    if (EVP_CIPHER_CTX_set_padding(ctx, 0) != 1) return ERR_CRYPTO;
    if (gcm && !encrypt && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag) != 1) return ERR_CRYPTO;
    if (EVP_CipherUpdate(ctx, data.p, &done, data.p, (int)data.n) != 1) return ERR_CRYPTO;
    if (EVP_CipherFinal_ex(ctx, rest, &done) != 1) return gcm && !encrypt ? ERR_PASSPHRASE : ERR_CRYPTO;
    if (gcm && encrypt && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag) != 1) return ERR_CRYPTO;
    return ERR_NONE;
}

enum err file_cipher_run(const struct file_cipher *alg, bool encrypt, const uint8_t *key, const uint8_t *iv, struct span data,
                         uint8_t *tag)
{
    const struct row *row = (const struct row *)(const void *)alg;
    if (data.n > INT32_MAX || data.n % alg->block_len != 0 || (alg->tag_len && !tag)) return ERR_LENGTH;
    if (row->kind == KIND_CHACHA) return chacha_file_run(encrypt, key, data, tag);
    return run_evp(row, encrypt, key, iv, data, tag);
}
