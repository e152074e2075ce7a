/* SPDX-License-Identifier: ISC */
#include "mlkem_poly.h"

#include "keccak.h"

/* 17^bitrev7(i) * 2^16 mod q, centred (FIPS 203 appendix A in Montgomery form). */
static const int16_t zetas[128] = {
    -1044, -758, -359, -1517, 1493, 1422, 287, 202, -171, 622, 1577, 182, 962, -1202, -1474, 1468,
    573, -1325, 264, 383, -829, 1458, -1602, -130, -681, 1017, 732, 608, -1542, 411, -205, -1571,
    1223, 652, -552, 1015, -1293, 1491, -282, -1544, 516, -8, -320, -666, -1618, -1162, 126, 1469,
    -853, -90, -271, 830, 107, -1421, -247, -951, -398, 961, -1508, -725, 448, -1065, 677, -1275,
    -1103, 430, 555, 843, -1251, 871, 1550, 105, 422, 587, 177, -235, -291, -460, 1574, 1653,
    -246, 778, 1159, -147, -777, 1483, -602, 1119, -1590, 644, -872, 349, 418, 329, -156, -75,
    817, 1097, 603, 610, 1322, -1285, -1465, 384, -1215, -136, 1218, -1335, -874, 220, -1187, -1659,
    -1185, -1530, -1278, 794, -1510, -854, -870, 478, -108, -308, 996, 991, 958, -1460, 1522, 1628,
};

static inline int16_t high(int16_t a, int16_t b)
{
    return (int16_t)((int32_t)a * b >> 16);
}

static inline int16_t low(int16_t a, int16_t b)
{
    return (int16_t)((uint32_t)(uint16_t)a * (uint16_t)b);
}

enum { Q_INV = -3327 };     /* q^-1 mod 2^16 */

/* a * b * 2^-16 mod q for |a * b| < q * 2^15; the result lies in (-q, q). All in 16 bits, so that loops become vector code. */
static inline int16_t times(int16_t a, int16_t b)
{
    return (int16_t)(high(a, b) - high(low(low(a, b), Q_INV), MLKEM_Q));
}

/* Centred representative: multiply by 2^26 / q instead of dividing. */
static inline int16_t barrett(int16_t a)
{
    int16_t t = (int16_t)((int16_t)(high(a, 20159) + (1 << 9)) >> 10);
    return (int16_t)(a - low(t, MLKEM_Q));
}

/* 0..q-1 from a reduced value. */
static inline uint16_t positive(int16_t a)
{
    return (uint16_t)(a + ((a >> 15) & MLKEM_Q));
}

void poly_uniform(const uint8_t rho[32], uint8_t row, uint8_t column, struct poly *out)
{
    struct keccak k;
    uint8_t block[SHAKE128_RATE];
    uint8_t position[2] = {column, row};
    keccak_init(&k, SHAKE128_RATE);
    keccak_absorb(&k, bytes_of(rho, 32));
    keccak_absorb(&k, bytes_of(position, 2));
    keccak_end(&k, 0x1f);
    for (size_t n = 0; n < MLKEM_N;) {
        keccak_squeeze(&k, (struct span){block, sizeof block});
        for (size_t i = 0; i < sizeof block && n < MLKEM_N; i += 3) {
            int a = block[i] | (block[i + 1] & 15) << 8, b = block[i + 1] >> 4 | block[i + 2] << 4;
            if (a < MLKEM_Q) out->c[n++] = (int16_t)a;
            if (b < MLKEM_Q && n < MLKEM_N) out->c[n++] = (int16_t)b;
        }
    }
}

void poly_noise(const uint8_t seed[32], uint8_t nonce, struct poly *out)
{
    uint8_t buf[128];
    shake256(bytes_of(seed, 32), bytes_of(&nonce, 1), (struct span){buf, sizeof buf});
    for (size_t i = 0; i < sizeof buf; i++) {
        /* two coefficients a byte: (bit0 + bit1) - (bit2 + bit3) of each half */
        unsigned pairs = (buf[i] & 0x55U) + (buf[i] >> 1 & 0x55U);
        out->c[2 * i] = (int16_t)((int)(pairs & 3) - (int)(pairs >> 2 & 3));
        out->c[2 * i + 1] = (int16_t)((int)(pairs >> 4 & 3) - (int)(pairs >> 6 & 3));
    }
    wipe(buf, sizeof buf);
}

void poly_ntt(struct poly *p)
{
    unsigned k = 1;
    for (unsigned len = 128; len >= 2; len >>= 1) {
        for (unsigned start = 0; start < MLKEM_N; start += 2 * len) {
            int16_t zeta = zetas[k++], *lo = p->c + start, *hi = lo + len;
            for (unsigned j = 0; j < len; j++) {
                int16_t t = times(zeta, hi[j]);
                hi[j] = (int16_t)(lo[j] - t);
                lo[j] = (int16_t)(lo[j] + t);
            }
        }
    }
    poly_reduce(p);
}

void poly_ntt_inverse(struct poly *p)
{
    unsigned k = 127;
    poly_reduce(p);
    for (unsigned len = 2; len <= 128; len <<= 1) {
        for (unsigned start = 0; start < MLKEM_N; start += 2 * len) {
            int16_t zeta = zetas[k--], *lo = p->c + start, *hi = lo + len;
            for (unsigned j = 0; j < len; j++) {
                int16_t t = lo[j];
                lo[j] = barrett((int16_t)(t + hi[j]));
                hi[j] = times(zeta, (int16_t)(hi[j] - t));
            }
        }
    }
    for (unsigned j = 0; j < MLKEM_N; j++) p->c[j] = times(p->c[j], 1441);     /* 2^32 / 128 mod q */
}

void poly_product(struct poly *acc, const struct poly *a, const struct poly *b)
{
    for (unsigned i = 0; i < MLKEM_N; i += 2) {
        /* modulo X^2 - zeta and X^2 + zeta in turn */
        int16_t zeta = (int16_t)(i & 2 ? -zetas[64 + i / 4] : zetas[64 + i / 4]);
        int16_t a0 = a->c[i], a1 = a->c[i + 1], b0 = b->c[i], b1 = b->c[i + 1];
        acc->c[i] = (int16_t)(acc->c[i] + times(a0, b0) + times(times(a1, b1), zeta));
        acc->c[i + 1] = (int16_t)(acc->c[i + 1] + times(a0, b1) + times(a1, b0));
    }
}

void poly_to_montgomery(struct poly *p)
{
    for (unsigned i = 0; i < MLKEM_N; i++) p->c[i] = times(p->c[i], 1353);      /* 2^32 mod q */
}

void poly_add(struct poly *p, const struct poly *q)
{
    for (unsigned i = 0; i < MLKEM_N; i++) p->c[i] = (int16_t)(p->c[i] + q->c[i]);
}

void poly_sub(struct poly *p, const struct poly *q)
{
    for (unsigned i = 0; i < MLKEM_N; i++) p->c[i] = (int16_t)(p->c[i] - q->c[i]);
}

void poly_reduce(struct poly *p)
{
    for (unsigned i = 0; i < MLKEM_N; i++) p->c[i] = barrett(p->c[i]);
}

void poly_write(const struct poly *p, uint8_t out[POLY_BYTES])
{
    for (unsigned i = 0; i < MLKEM_N / 2; i++) {
        uint16_t a = positive(p->c[2 * i]), b = positive(p->c[2 * i + 1]);
        out[3 * i] = (uint8_t)a;
        out[3 * i + 1] = (uint8_t)(a >> 8 | b << 4);
        out[3 * i + 2] = (uint8_t)(b >> 4);
    }
}

void poly_read(const uint8_t in[POLY_BYTES], struct poly *out)
{
    for (unsigned i = 0; i < MLKEM_N / 2; i++) {
        out->c[2 * i] = (int16_t)(in[3 * i] | (in[3 * i + 1] & 15) << 8);
        out->c[2 * i + 1] = (int16_t)(in[3 * i + 1] >> 4 | in[3 * i + 2] << 4);
    }
}

/* Multiplies by ceil(2^36 / q): exact for d <= 11, as the numerator times (20642679 q - 2^36) stays below 2^36. A division
 * instruction here would take a time that depends on the secret (KyberSlash). */
uint16_t mlkem_compress(uint16_t x, unsigned d)
{
    uint64_t numerator = ((uint64_t)x << d) + MLKEM_Q / 2;
    return (uint16_t)(numerator * 20642679 >> 36 & ((1U << d) - 1));
}

void poly_compress(const struct poly *p, unsigned d, uint8_t *out)
{
    uint32_t bits = 0;
    unsigned held = 0;
    for (unsigned i = 0; i < MLKEM_N; i++) {
        bits |= (uint32_t)mlkem_compress(positive(p->c[i]), d) << held;
        for (held += d; held >= 8; held -= 8, bits >>= 8) *out++ = (uint8_t)bits;
    }
}

void poly_decompress(const uint8_t *in, unsigned d, struct poly *out)
{
    uint32_t bits = 0;
    unsigned held = 0;
    for (unsigned i = 0; i < MLKEM_N; i++) {
        for (; held < d; held += 8) bits |= (uint32_t)*in++ << held;
        uint32_t y = bits & ((1U << d) - 1);
        out->c[i] = (int16_t)((y * MLKEM_Q + (1U << (d - 1))) >> d);
        bits >>= d, held -= d;
    }
}
