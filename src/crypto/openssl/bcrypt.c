/* SPDX-License-Identifier: ISC */
/* bcrypt_pbkdf as OpenBSD defined it (its man page bcrypt_pbkdf(3); OpenSSH's key files use it): PBKDF2's frame around a hash
 * that runs Blowfish's expensive key schedule under SHA-512 digests of password and salt.
 *
 * Blowfish looks up tables by secret bytes. That is its definition (a waiver of the constant-time rule); it runs where a
 * person opens their own key, never where a peer could time it. Nothing else here depends on a secret. */
#include "base/limits.h"
#include "crypto/hash.h"
#include "crypto/sign.h"

#include "blowfish.h"

enum { DIGEST = 64, BLOCK = 32, SALT_MAX = 1024, KEY_MAX = 1024, MIX_ROUNDS = 64, CIPHER_ROUNDS = 64 };

/* Everything secret, so that one wipe ends it. */
struct work {
    struct blowfish state;
    uint8_t pass[DIGEST], salt[DIGEST], block[BLOCK], sum[BLOCK];
    uint8_t counted[SALT_MAX + 4];
};

static inline uint32_t mix(const struct blowfish *b, uint32_t x)
{
    return ((b->s[0][x >> 24] + b->s[1][x >> 16 & 255]) ^ b->s[2][x >> 8 & 255]) + b->s[3][x & 255];
}

/* One 64-bit block in words. */
static inline void encrypt(const struct blowfish *b, uint32_t w[2])
{
    uint32_t l = w[0] ^ b->p[0], r = w[1];
    for (unsigned i = 1; i <= 16; i += 2) {
        r ^= mix(b, l) ^ b->p[i];
        l ^= mix(b, r) ^ b->p[i + 1];
    }
    w[0] = r ^ b->p[17], w[1] = l;
}

/* The next word of a 64-byte digest read round and round. */
static inline uint32_t cycle(const uint8_t digest[DIGEST], unsigned i)
{
    return get_u32(digest + 4 * (i % (DIGEST / 4)));
}

/* Blowfish's key schedule; the block that runs through it is xored with the salt's words on the way (NULL: with nothing). */
static void expand(struct blowfish *b, const uint8_t *salt, const uint8_t key[DIGEST])
{
    uint32_t w[2] = {0, 0};
    unsigned at = 0;
    for (unsigned i = 0; i < 18; i++) b->p[i] ^= cycle(key, i);
    for (unsigned i = 0; i < 18 + 4 * 256; i += 2, at += 2) {
        if (salt) w[0] ^= cycle(salt, at), w[1] ^= cycle(salt, at + 1);
        encrypt(b, w);
        uint32_t *to = i < 18 ? b->p + i : &b->s[(i - 18) / 256][(i - 18) % 256];
        to[0] = w[0], to[1] = w[1];
    }
}

/* work.pass and work.salt into work.block. */
static void bcrypt_hash(struct work *w)
{
    static const char text[] = "OxychromaticBlowfishSwatDynamite";
    uint32_t data[BLOCK / 4];
    w->state = blowfish_pi;
    expand(&w->state, w->salt, w->pass);
    for (unsigned i = 0; i < MIX_ROUNDS; i++) {
        expand(&w->state, NULL, w->salt);
        expand(&w->state, NULL, w->pass);
    }
    for (unsigned i = 0; i < BLOCK / 4; i++) data[i] = get_u32((const uint8_t *)text + 4 * i);
    for (unsigned i = 0; i < BLOCK / 4; i += 2)
        for (unsigned round = 0; round < CIPHER_ROUNDS; round++) encrypt(&w->state, data + i);
    /* the words come out little endian */
    for (unsigned i = 0; i < BLOCK; i++) w->block[i] = (uint8_t)(data[i / 4] >> 8 * (i % 4));
    wipe(data, sizeof data);
}

/* One output block: the xor of `rounds` chained hashes. work.counted holds the salt and the block number. */
static enum err pbkdf_block(struct work *w, size_t counted_len, uint32_t rounds)
{
    TRY(hash_digest(&hash_sha512, bytes_of(w->counted, counted_len), w->salt));
    bcrypt_hash(w);
    memcpy(w->sum, w->block, BLOCK);
    for (uint32_t r = 1; r < rounds; r++) {
        TRY(hash_digest(&hash_sha512, bytes_of(w->block, BLOCK), w->salt));
        bcrypt_hash(w);
        for (unsigned i = 0; i < BLOCK; i++) w->sum[i] ^= w->block[i];
    }
    return ERR_NONE;
}

static enum err pbkdf(struct work *w, struct bytes pass, struct bytes salt, uint32_t rounds, struct span key)
{
    size_t blocks = (key.n + BLOCK - 1) / BLOCK;
    memcpy(w->counted, salt.p, salt.n);
    TRY(hash_digest(&hash_sha512, pass, w->pass));
    for (size_t b = 0; b < blocks; b++) {
        put_u32(w->counted + salt.n, (uint32_t)b + 1);
        TRY(pbkdf_block(w, salt.n + 4, rounds));
        /* unlike PBKDF2, a block's bytes are dealt out over the whole key */
        for (size_t i = 0; i < BLOCK && i * blocks + b < key.n; i++) key.p[i * blocks + b] = w->sum[i];
    }
    return ERR_NONE;
}

enum err bcrypt_pbkdf(struct bytes pass, struct bytes salt, uint32_t rounds, struct span key)
{
    if (!pass.n || !salt.n || salt.n > SALT_MAX || !key.n || key.n > KEY_MAX) return ERR_USAGE;
    if (rounds < 1 || rounds > BCRYPT_ROUNDS_MAX) return ERR_RANGE;
    struct secret room CLEANUP(secret_clear) = {0};
    TRY(secret_new(&room, sizeof(struct work)));
    return pbkdf((struct work *)(void *)room.p, pass, salt, rounds, key);
}
