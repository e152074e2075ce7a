/* SPDX-License-Identifier: ISC */
#include "keccak.h"

static const uint64_t round_constants[24] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000, 0x000000000000808b, 0x0000000080000001,
    0x8000000080008081, 0x8000000000008009, 0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003, 0x8000000000008002, 0x8000000000000080,
    0x000000000000800a, 0x800000008000000a, 0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

static inline uint64_t rotate(uint64_t x, unsigned n)
{
    return x << n | x >> (-n & 63);
}

/* Rho, pi and chi for one output row: sN is the lane that pi brings to column N, rN its rotation. */
#define ROW(y, s0, r0, s1, r1, s2, r2, s3, r3, s4, r4) \
    do { \
        uint64_t b0 = rotate(in[s0] ^ d[(s0) % 5], r0), b1 = rotate(in[s1] ^ d[(s1) % 5], r1); \
        uint64_t b2 = rotate(in[s2] ^ d[(s2) % 5], r2), b3 = rotate(in[s3] ^ d[(s3) % 5], r3); \
        uint64_t b4 = rotate(in[s4] ^ d[(s4) % 5], r4); \
        out[5 * (y)] = b0 ^ (~b1 & b2); \
        out[5 * (y) + 1] = b1 ^ (~b2 & b3); \
        out[5 * (y) + 2] = b2 ^ (~b3 & b4); \
        out[5 * (y) + 3] = b3 ^ (~b4 & b0); \
        out[5 * (y) + 4] = b4 ^ (~b0 & b1); \
    } while (0)

/* One round (FIPS 202 3.2). All indices are constants, so that the compiler keeps lanes in registers. */
static inline void one_round(const uint64_t *restrict in, uint64_t *restrict out, uint64_t constant)
{
    uint64_t c[5], d[5];
    c[0] = in[0] ^ in[5] ^ in[10] ^ in[15] ^ in[20];
    c[1] = in[1] ^ in[6] ^ in[11] ^ in[16] ^ in[21];
    c[2] = in[2] ^ in[7] ^ in[12] ^ in[17] ^ in[22];
    c[3] = in[3] ^ in[8] ^ in[13] ^ in[18] ^ in[23];
    c[4] = in[4] ^ in[9] ^ in[14] ^ in[19] ^ in[24];
    d[0] = c[4] ^ rotate(c[1], 1);
    d[1] = c[0] ^ rotate(c[2], 1);
    d[2] = c[1] ^ rotate(c[3], 1);
    d[3] = c[2] ^ rotate(c[4], 1);
    d[4] = c[3] ^ rotate(c[0], 1);
    ROW(0, 0, 0, 6, 44, 12, 43, 18, 21, 24, 14);
    ROW(1, 3, 28, 9, 20, 10, 3, 16, 45, 22, 61);
    ROW(2, 1, 1, 7, 6, 13, 25, 19, 8, 20, 18);
    ROW(3, 4, 27, 5, 36, 11, 10, 17, 15, 23, 56);
    ROW(4, 2, 62, 8, 55, 14, 39, 15, 41, 21, 2);
    out[0] ^= constant;
}

static void permute(uint64_t lane[25])
{
    uint64_t other[25];
    for (unsigned i = 0; i < 24; i += 2) {
        one_round(lane, other, round_constants[i]);
        one_round(other, lane, round_constants[i + 1]);
    }
}

void keccak_init(struct keccak *k, unsigned rate)
{
    *k = (struct keccak){.rate = rate};
}

static inline uint64_t load(const uint8_t *p)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < 8; i++) v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static inline void store(uint8_t *p, uint64_t v)
{
    for (unsigned i = 0; i < 8; i++) p[i] = (uint8_t)(v >> 8 * i);
}

/* Is the next piece a whole lane? Most are. */
static inline bool whole_lane(const struct keccak *k, size_t n)
{
    return k->pos % 8 == 0 && n >= 8;
}

void keccak_absorb(struct keccak *k, struct bytes in)
{
    for (unsigned n; in.n; in.p += n, in.n -= n) {
        n = whole_lane(k, in.n) ? 8 : 1;
        k->lane[k->pos / 8] ^= n == 8 ? load(in.p) : (uint64_t)in.p[0] << 8 * (k->pos % 8);
        k->pos += n;
        if (k->pos == k->rate) permute(k->lane), k->pos = 0;
    }
}

void keccak_end(struct keccak *k, uint8_t suffix)
{
    k->lane[k->pos / 8] ^= (uint64_t)suffix << 8 * (k->pos % 8);
    k->lane[(k->rate - 1) / 8] ^= 1ULL << 63;
    k->pos = k->rate;
}

void keccak_squeeze(struct keccak *k, struct span out)
{
    for (unsigned n; out.n; out.p += n, out.n -= n) {
        if (k->pos == k->rate) permute(k->lane), k->pos = 0;
        n = whole_lane(k, out.n) ? 8 : 1;
        if (n == 8) store(out.p, k->lane[k->pos / 8]);
        else out.p[0] = (uint8_t)(k->lane[k->pos / 8] >> 8 * (k->pos % 8));
        k->pos += n;
    }
}

static void once(unsigned rate, uint8_t suffix, struct bytes a, struct bytes b, struct span out)
{
    struct keccak k;
    keccak_init(&k, rate);
    keccak_absorb(&k, a);
    keccak_absorb(&k, b);
    keccak_end(&k, suffix);
    keccak_squeeze(&k, out);
    wipe(&k, sizeof k);
}

void sha3_256(struct bytes in, uint8_t out[32])
{
    once(SHA3_256_RATE, 0x06, in, (struct bytes){0}, (struct span){out, 32});
}

void sha3_512(struct bytes a, struct bytes b, uint8_t out[64])
{
    once(SHA3_512_RATE, 0x06, a, b, (struct span){out, 64});
}

void shake256(struct bytes a, struct bytes b, struct span out)
{
    once(SHAKE256_RATE, 0x1f, a, b, out);
}
