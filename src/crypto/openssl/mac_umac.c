/* SPDX-License-Identifier: ISC */
/* umac-64@openssh.com, umac-128@openssh.com (RFC 4418; draft-miller-secsh-umac): the packet number is the nonce (u64), not part of
 * the message. All but AES is here; key schedules are made once. Names follow RFC 4418. */
#include <stdlib.h>

#include "crypto/mac.h"

#include "fetch.h"

enum {
    BLOCK = 16,             /* AES */
    L1_KEY = 1024,          /* bytes hashed by one NH */
    ITERS_MAX = 4,          /* 4 bytes of tag an iteration: 2 or 4 */
    MESSAGE_MAX = 1 << 24   /* above it L2-HASH would go on with 128-bit words; no packet is that long */
};
static const uint64_t P36 = (1ULL << 36) - 5, P64 = 0 - 59ULL, P64_OFFSET = 59, P64_WORD_MAX = 0 - (1ULL << 32);

struct mac {
    EVP_CIPHER_CTX *pad_aes;                                /* keyed for PDF */
    uint64_t pad_nonce;                                     /* of the block in pad; odd: none yet */
    uint8_t pad[BLOCK];
    unsigned iters;
    uint32_t l1[(L1_KEY + 16 * (ITERS_MAX - 1)) / 4];       /* iteration i begins 16 * i bytes in */
    uint64_t l2[ITERS_MAX], l3[ITERS_MAX][8];
    uint32_t l3_xor[ITERS_MAX];
};

static uint32_t load_le(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static bool aes(EVP_CIPHER_CTX *ctx, const uint8_t in[BLOCK], uint8_t out[BLOCK])
{
    int done;
    return EVP_CipherUpdate(ctx, out, &done, in, BLOCK) == 1 && done == BLOCK;
}

static EVP_CIPHER_CTX *aes_new(const uint8_t key[BLOCK])
{
    EVP_CIPHER *evp = evp_cipher(ID_AES_128_ECB);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (evp && ctx && EVP_CipherInit_ex2(ctx, evp, key, NULL, 1, NULL) == 1 && EVP_CIPHER_CTX_set_padding(ctx, 0) == 1) return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

/* RFC 4418 3.2.1; n is a multiple of BLOCK. */
static bool kdf(EVP_CIPHER_CTX *ctx, uint64_t index, uint8_t *out, size_t n)
{
    uint8_t in[BLOCK];
    put_u64(in, index);
    for (size_t i = 0; i < n / BLOCK; i++) {
        put_u64(in + 8, i + 1);
        if (!aes(ctx, in, out + i * BLOCK)) return false;
    }
    return true;
}

/* All sub-keys (5.1). */
static bool derive_keys(struct mac *m, EVP_CIPHER_CTX *ctx)
{
    struct { uint8_t pad[BLOCK], l1[L1_KEY + 16 * (ITERS_MAX - 1)], l2[24 * ITERS_MAX], l3[64 * ITERS_MAX], l3_xor[4 * ITERS_MAX]; } k;
    unsigned n = m->iters;
    bool ok = kdf(ctx, 0, k.pad, sizeof k.pad) && kdf(ctx, 1, k.l1, L1_KEY + 16 * (n - 1)) && kdf(ctx, 2, k.l2, 24 * n) &&
              kdf(ctx, 3, k.l3, 64 * n) && kdf(ctx, 4, k.l3_xor, sizeof k.l3_xor) && (m->pad_aes = aes_new(k.pad));
    for (unsigned i = 0; i < (L1_KEY + 16 * (n - 1)) / 4; i++) m->l1[i] = get_u32(k.l1 + 4 * i);
    for (unsigned i = 0; i < n; i++) {
        m->l2[i] = get_u64(k.l2 + 24 * i) & 0x01ffffff01ffffff;
        for (unsigned j = 0; j < 8; j++) m->l3[i][j] = get_u64(k.l3 + 64 * i + 8 * j) % P36;
        m->l3_xor[i] = get_u32(k.l3_xor + 4 * i);
    }
    wipe(&k, sizeof k);
    return ok;
}

static void umac_free(struct mac *m)
{
    if (!m) return;
    EVP_CIPHER_CTX_free(m->pad_aes);
    wipe(m, sizeof *m);
    free(m);
}

static struct mac *umac_new(const struct mac_alg *alg, const uint8_t *key)
{
    struct mac *m = calloc(1, sizeof *m);
    EVP_CIPHER_CTX *ctx CLEANUP(evp_cipher_ctx_clear) = aes_new(key);
    if (!m || !ctx) {
        free(m);
        return NULL;
    }
    m->iters = alg->tag_len / 4;
    m->pad_nonce = 1;
    if (derive_keys(m, ctx)) return m;
    umac_free(m);
    return NULL;
}

/* 5.2.2; n is a multiple of 32. The message's words are little endian, the key's big endian. */
static uint64_t nh(const uint32_t *key, const uint8_t *p, size_t n)
{
    uint64_t y = 0;
    for (; n; n -= 32, p += 32, key += 8)
        for (unsigned i = 0; i < 4; i++)
            y += (uint64_t)(load_le(p + 4 * i) + key[i]) * (load_le(p + 4 * i + 16) + key[i + 4]);
    return y;
}

/* 5.2: NH of one chunk of at most L1_KEY bytes, the last one padded to 32. */
static uint64_t l1_chunk(const uint32_t *key, const uint8_t *p, size_t n)
{
    size_t whole = n / 32 * 32;
    uint64_t y = nh(key, p, whole);
    if (whole < n || n == 0) {
        uint8_t rest[32] = {0};
        memcpy(rest, p + whole, n - whole);
        y += nh(key + whole / 4, rest, sizeof rest);
    }
    return y + 8 * n;
}

/* 5.3.2 with 64-bit words: y * k + m modulo 2^64 - 59; k is below 2^57. */
static uint64_t poly_step(uint64_t k, uint64_t y, uint64_t m)
{
    unsigned __int128 x = (unsigned __int128)y * k;
    uint64_t upper = (uint64_t)(x >> 64), lower = (uint64_t)x, carry;
    /* 2^64 = 59 */
    uint64_t low = lower + upper * P64_OFFSET;
    carry = low < lower;
    low += carry * P64_OFFSET;
    uint64_t sum = low + m;
    sum += (uint64_t)(sum < m) * P64_OFFSET;
    return sum;
}

static uint64_t poly(uint64_t k, uint64_t y, uint64_t m)
{
    if (m < P64_WORD_MAX) return poly_step(k, y, m);
    return poly_step(k, poly_step(k, y, P64 - 1), m - P64_OFFSET);
}

/* 5.4: 16 bytes, of which the first 8 are always 0 here, as 2-byte words times the key. */
static uint32_t l3(const uint64_t key[8], uint32_t mask, uint64_t word)
{
    uint64_t y = 0;
    for (unsigned i = 0; i < 4; i++) y += (word >> (48 - 16 * i) & 0xffff) * key[4 + i];
    return (uint32_t)(y % P36) ^ mask;
}

static uint32_t uhash(const struct mac *m, unsigned iter, const uint8_t *p, size_t n)
{
    const uint32_t *key = m->l1 + 4 * iter;
    if (n <= L1_KEY) return l3(m->l3[iter], m->l3_xor[iter], l1_chunk(key, p, n));
    uint64_t y = 1;
    for (; n > L1_KEY; n -= L1_KEY, p += L1_KEY) y = poly(m->l2[iter], y, l1_chunk(key, p, L1_KEY));
    y = poly(m->l2[iter], y, l1_chunk(key, p, n));
    return l3(m->l3[iter], m->l3_xor[iter], y >= P64 ? y - P64 : y);
}

/* 5.5 PDF. A 64-bit tag takes half a block: two packets share one, chosen by the nonce's lowest bit. */
static bool make_pad(struct mac *m, uint64_t nonce)
{
    uint8_t in[BLOCK] = {0};
    if (m->iters == 2) nonce &= ~1ULL;
    else nonce <<= 1;       /* only to tell "none yet" from a nonce */
    if (m->pad_nonce == nonce) return true;
    put_u64(in, m->iters == 2 ? nonce : nonce >> 1);
    if (!aes(m->pad_aes, in, m->pad)) return false;
    m->pad_nonce = nonce;
    return true;
}

static enum err umac_tag(struct mac *m, uint32_t seq, const uint8_t *p, size_t n, uint8_t *tag)
{
    if (n > MESSAGE_MAX || !make_pad(m, seq)) return ERR_CRYPTO;
    const uint8_t *pad = m->iters == 2 ? m->pad + 8 * (seq & 1) : m->pad;
    for (unsigned i = 0; i < m->iters; i++) put_u32(tag + 4 * i, uhash(m, i, p, n) ^ get_u32(pad + 4 * i));
    return ERR_NONE;
}

#define UMAC(wire, len, etm_) {.name = wire, .key_len = 16, .tag_len = len, .etm = etm_, .new = umac_new, .free = umac_free, .tag = umac_tag}

const struct mac_alg mac_umac_64 = UMAC("umac-64@openssh.com", 8, false);
const struct mac_alg mac_umac_128 = UMAC("umac-128@openssh.com", 16, false);
const struct mac_alg mac_umac_64_etm = UMAC("umac-64-etm@openssh.com", 8, true);
const struct mac_alg mac_umac_128_etm = UMAC("umac-128-etm@openssh.com", 16, true);
