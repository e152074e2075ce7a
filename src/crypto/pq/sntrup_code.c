/* SPDX-License-Identifier: ISC */
/* Numbers r[i] in 0..m[i]-1 are packed by pairs (NTRU Prime, "Encode" and "Decode"): r0 + m0 * r1 in 0..m0*m1-1, whose low bytes go out
 * while the modulus is 2^14 or more; what is left of all pairs is packed the same way until one number remains. */
#include "sntrup_code.h"

#include "base/bytes.h"

enum { P = SNTRUP_P, LIMIT = 16384, LEVELS = 11 };

static void encode(uint16_t r[P], uint16_t m[P], uint8_t *out)
{
    unsigned n = P;
    for (; n > 1; n = (n + 1) / 2) {
        for (unsigned i = 0; i + 1 < n; i += 2) {
            uint32_t pair = r[i] + (uint32_t)m[i] * r[i + 1], modulus = (uint32_t)m[i] * m[i + 1];
            for (; modulus >= LIMIT; modulus = (modulus + 255) >> 8, pair >>= 8) *out++ = (uint8_t)pair;
            r[i / 2] = (uint16_t)pair, m[i / 2] = (uint16_t)modulus;
        }
        if (n & 1) r[n / 2] = r[n - 1], m[n / 2] = m[n - 1];
    }
    for (uint32_t modulus = m[0]; modulus > 1; modulus = (modulus + 255) >> 8, r[0] = (uint16_t)(r[0] >> 8)) *out++ = (uint8_t)r[0];
}

/* All moduli of one level are `all` but the last one's, which is `last`. */
struct level {
    unsigned n;
    uint16_t all, last;
    const uint8_t *in;      /* the bytes that encode() put out on the way to the next level */
};

/* How many bytes a pair of moduli puts out, and what modulus is left. */
static unsigned pair_bytes(uint32_t modulus, uint16_t *left)
{
    unsigned n = 0;
    for (; modulus >= LIMIT; modulus = (modulus + 255) >> 8) n++;
    *left = (uint16_t)modulus;
    return n;
}

static void decode_level(const struct level *level, uint16_t *r)
{
    const uint8_t *in = level->in;
    uint16_t left;
    unsigned pairs = level->n / 2;
    uint16_t above[(P + 1) / 2];
    memcpy(above, r, (level->n + 1) / 2 * sizeof above[0]);
    for (unsigned i = 0; i < pairs; i++) {
        uint16_t second = 2 * i + 2 == level->n ? level->last : level->all;
        unsigned bytes = pair_bytes((uint32_t)level->all * second, &left);
        uint32_t pair = above[i];
        for (unsigned k = bytes; k > 0; k--) pair = pair << 8 | in[k - 1];
        in += bytes;
        r[2 * i] = (uint16_t)(pair % level->all);
        r[2 * i + 1] = (uint16_t)(pair / level->all % second);     /* % second: for what no encoder makes */
    }
    if (level->n & 1) r[level->n - 1] = above[pairs];
}

static void decode(const uint8_t *in, uint16_t modulus, uint16_t r[P])
{
    struct level level[LEVELS];
    unsigned depth = 0;
    struct level now = {P, modulus, modulus, in};
    while (now.n > 1) {
        level[depth++] = now;
        uint16_t all, last = now.last;
        unsigned pairs = now.n / 2, bytes = pair_bytes((uint32_t)now.all * now.all, &all) * (pairs - !(now.n & 1));
        if (!(now.n & 1)) bytes += pair_bytes((uint32_t)now.all * now.last, &last);
        now = (struct level){(now.n + 1) / 2, all, last, now.in + bytes};
    }
    uint32_t top = now.in[0];
    if (now.last > 256) top |= (uint32_t)now.in[1] << 8;
    r[0] = (uint16_t)(top % now.last);
    while (depth > 0) decode_level(&level[--depth], r);
}

void small_write(const int16_t in[P], uint8_t out[SMALL_BYTES])
{
    memset(out, 0, SMALL_BYTES);
    for (unsigned i = 0; i < P; i++) out[i / 4] |= (uint8_t)((in[i] + 1) << 2 * (i % 4));
}

void small_read(const uint8_t in[SMALL_BYTES], int16_t out[P])
{
    for (unsigned i = 0; i < P; i++) out[i] = (int16_t)((in[i / 4] >> 2 * (i % 4) & 3) - 1);
}

void rq_write(const int16_t in[P], uint8_t out[RQ_BYTES])
{
    uint16_t r[P], m[P];
    for (unsigned i = 0; i < P; i++) r[i] = (uint16_t)(in[i] + SNTRUP_HALF), m[i] = SNTRUP_Q;
    encode(r, m, out);
    wipe(r, sizeof r);
}

void rq_read(const uint8_t in[RQ_BYTES], int16_t out[P])
{
    uint16_t r[P];
    decode(in, SNTRUP_Q, r);
    for (unsigned i = 0; i < P; i++) out[i] = (int16_t)(r[i] - SNTRUP_HALF);
}

void rounded_write(const int16_t in[P], uint8_t out[ROUNDED_BYTES])
{
    uint16_t r[P], m[P];
    /* (x + 2295) / 3, exact for multiples of 3 */
    for (unsigned i = 0; i < P; i++) r[i] = (uint16_t)((in[i] + SNTRUP_HALF) * 10923 >> 15), m[i] = (SNTRUP_Q + 2) / 3;
    encode(r, m, out);
    wipe(r, sizeof r);
}

void rounded_read(const uint8_t in[ROUNDED_BYTES], int16_t out[P])
{
    uint16_t r[P];
    decode(in, (SNTRUP_Q + 2) / 3, r);
    for (unsigned i = 0; i < P; i++) out[i] = (int16_t)(r[i] * 3 - SNTRUP_HALF);
}
