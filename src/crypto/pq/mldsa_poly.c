/* SPDX-License-Identifier: ISC */
#include "mldsa_poly.h"

#include "keccak.h"
#include "mask.h"

/* 1753^bitrev8(i) * 2^32 mod q, centred (FIPS 204 appendix B in Montgomery form); the first is not used. */
static const int32_t zetas[DSA_N] = {
    0, 25847, -2608894, -518909, 237124, -777960, -876248, 466468,
    1826347, 2353451, -359251, -2091905, 3119733, -2884855, 3111497, 2680103,
    2725464, 1024112, -1079900, 3585928, -549488, -1119584, 2619752, -2108549,
    -2118186, -3859737, -1399561, -3277672, 1757237, -19422, 4010497, 280005,
    2706023, 95776, 3077325, 3530437, -1661693, -3592148, -2537516, 3915439,
    -3861115, -3043716, 3574422, -2867647, 3539968, -300467, 2348700, -539299,
    -1699267, -1643818, 3505694, -3821735, 3507263, -2140649, -1600420, 3699596,
    811944, 531354, 954230, 3881043, 3900724, -2556880, 2071892, -2797779,
    -3930395, -1528703, -3677745, -3041255, -1452451, 3475950, 2176455, -1585221,
    -1257611, 1939314, -4083598, -1000202, -3190144, -3157330, -3632928, 126922,
    3412210, -983419, 2147896, 2715295, -2967645, -3693493, -411027, -2477047,
    -671102, -1228525, -22981, -1308169, -381987, 1349076, 1852771, -1430430,
    -3343383, 264944, 508951, 3097992, 44288, -1100098, 904516, 3958618,
    -3724342, -8578, 1653064, -3249728, 2389356, -210977, 759969, -1316856,
    189548, -3553272, 3159746, -1851402, -2409325, -177440, 1315589, 1341330,
    1285669, -1584928, -812732, -1439742, -3019102, -3881060, -3628969, 3839961,
    2091667, 3407706, 2316500, 3817976, -3342478, 2244091, -2446433, -3562462,
    266997, 2434439, -1235728, 3513181, -3520352, -3759364, -1197226, -3193378,
    900702, 1859098, 909542, 819034, 495491, -1613174, -43260, -522500,
    -655327, -3122442, 2031748, 3207046, -3556995, -525098, -768622, -3595838,
    342297, 286988, -2437823, 4108315, 3437287, -3342277, 1735879, 203044,
    2842341, 2691481, -2590150, 1265009, 4055324, 1247620, 2486353, 1595974,
    -3767016, 1250494, 2635921, -3548272, -2994039, 1869119, 1903435, -1050970,
    -1333058, 1237275, -3318210, -1430225, -451100, 1312455, 3306115, -1962642,
    -1279661, 1917081, -2546312, -1374803, 1500165, 777191, 2235880, 3406031,
    -542412, -2831860, -1671176, -1846953, -2584293, -3724270, 594136, -3776993,
    -2013608, 2432395, 2454455, -164721, 1957272, 3369112, 185531, -1207385,
    -3183426, 162844, 1616392, 3014001, 810149, 1652634, -3694233, -1799107,
    -3038916, 3523897, 3866901, 269760, 2213111, -975884, 1717735, 472078,
    -426683, 1723600, -1803090, 1910376, -1667432, -1104333, -260646, -3833893,
    -2939036, -2235985, -420899, -2286327, 183443, -976891, 1612842, -3545687,
    -554416, 3919660, -48306, -1362209, 3937738, 1400424, -846154, 1976782,
};

enum { Q_INV = 58728449 };      /* q^-1 mod 2^32 */

/* a * 2^-32 mod q for |a| < q * 2^31; the result lies in (-q, q). */
static inline int32_t montgomery(int64_t a)
{
    int32_t t = (int32_t)((uint32_t)a * (uint32_t)Q_INV);
    return (int32_t)((a - (int64_t)t * DSA_Q) >> 32);
}

static inline int32_t times(int32_t a, int32_t b)
{
    return montgomery((int64_t)a * b);
}

/* |result| <= 6283008: 2^23 is q + 8191, so that counting the multiples of 2^23 is good enough. */
static inline int32_t reduced(int32_t a)
{
    int32_t t = (a + (1 << 22)) >> 23;
    return a - t * DSA_Q;
}

/* ---- sampling ---- */

/* An extendable output over a seed and two bytes. */
static void seeded(struct keccak *k, unsigned rate, struct bytes seed, uint8_t a, uint8_t b)
{
    uint8_t tail[2] = {a, b};
    keccak_init(k, rate);
    keccak_absorb(k, seed);
    keccak_absorb(k, bytes_of(tail, sizeof tail));
    keccak_end(k, 0x1f);
}

void dsa_uniform(const uint8_t rho[32], uint8_t row, uint8_t column, struct dsa_poly *out)
{
    struct keccak k;
    uint8_t block[SHAKE128_RATE];
    seeded(&k, SHAKE128_RATE, bytes_of(rho, 32), column, row);
    for (size_t n = 0; n < DSA_N;) {
        keccak_squeeze(&k, (struct span){block, sizeof block});
        for (size_t i = 0; i < sizeof block && n < DSA_N; i += 3) {
            int32_t v = block[i] | block[i + 1] << 8 | (block[i + 2] & 0x7f) << 16;
            if (v < DSA_Q) out->c[n++] = v;
        }
    }
}

/* 2 - half mod 5 without a division: half is 0..14. */
static inline int32_t small_of(uint32_t half)
{
    return 2 - (int32_t)(half - (half * 205 >> 10) * 5);
}

void dsa_small(const uint8_t seed[64], uint16_t nonce, struct dsa_poly *out)
{
    struct keccak k;
    uint8_t block[SHAKE256_RATE];
    seeded(&k, SHAKE256_RATE, bytes_of(seed, 64), (uint8_t)nonce, (uint8_t)(nonce >> 8));
    for (size_t n = 0; n < DSA_N;) {
        keccak_squeeze(&k, (struct span){block, sizeof block});
        for (size_t i = 0; i < 2 * sizeof block && n < DSA_N; i++) {
            uint32_t half = block[i / 2] >> 4 * (i & 1) & 15U;
            if (half != 15) out->c[n++] = small_of(half);
        }
    }
    wipe(block, sizeof block);
    wipe(&k, sizeof k);
}

void dsa_mask(const uint8_t seed[64], uint16_t nonce, struct dsa_poly *out)
{
    struct keccak k;
    uint8_t packed[DSA_Z_BYTES];
    seeded(&k, SHAKE256_RATE, bytes_of(seed, 64), (uint8_t)nonce, (uint8_t)(nonce >> 8));
    keccak_squeeze(&k, (struct span){packed, sizeof packed});
    dsa_read_z(packed, out);
    wipe(packed, sizeof packed);
    wipe(&k, sizeof k);
}

void dsa_ball(const uint8_t challenge[DSA_CHALLENGE], struct dsa_poly *out)
{
    struct keccak k;
    uint8_t signs[8], j;
    keccak_init(&k, SHAKE256_RATE);
    keccak_absorb(&k, bytes_of(challenge, DSA_CHALLENGE));
    keccak_end(&k, 0x1f);
    keccak_squeeze(&k, (struct span){signs, sizeof signs});
    *out = (struct dsa_poly){0};
    for (unsigned i = DSA_N - DSA_TAU, bit = 0; i < DSA_N; i++, bit++) {
        do keccak_squeeze(&k, (struct span){&j, 1});
        while (j > i);
        out->c[i] = out->c[j];
        out->c[j] = 1 - 2 * (signs[bit / 8] >> bit % 8 & 1);
    }
}

/* ---- arithmetic ---- */

void dsa_ntt(struct dsa_poly *p)
{
    unsigned k = 0;
    for (unsigned len = 128; len > 0; len >>= 1) {
        for (unsigned start = 0; start < DSA_N; start += 2 * len) {
            int32_t zeta = zetas[++k], *lo = p->c + start, *hi = lo + len;
            for (unsigned j = 0; j < len; j++) {
                int32_t t = times(zeta, hi[j]);
                hi[j] = lo[j] - t;
                lo[j] = lo[j] + t;
            }
        }
    }
}

void dsa_ntt_inverse(struct dsa_poly *p)
{
    unsigned k = 256;
    /* sums double in each of the eight layers: 256 q still fits 31 bits */
    for (unsigned len = 1; len < DSA_N; len <<= 1) {
        for (unsigned start = 0; start < DSA_N; start += 2 * len) {
            int32_t zeta = -zetas[--k], *lo = p->c + start, *hi = lo + len;
            for (unsigned j = 0; j < len; j++) {
                int32_t t = lo[j];
                lo[j] = t + hi[j];
                hi[j] = times(zeta, t - hi[j]);
            }
        }
    }
    for (unsigned j = 0; j < DSA_N; j++) p->c[j] = times(p->c[j], 41978);      /* 2^64 / 256 mod q */
}

void dsa_product(struct dsa_poly *acc, const struct dsa_poly *a, const struct dsa_poly *b)
{
    for (unsigned i = 0; i < DSA_N; i++) acc->c[i] += times(a->c[i], b->c[i]);
}

void dsa_add(struct dsa_poly *p, const struct dsa_poly *q)
{
    for (unsigned i = 0; i < DSA_N; i++) p->c[i] += q->c[i];
}

void dsa_sub(struct dsa_poly *p, const struct dsa_poly *q)
{
    for (unsigned i = 0; i < DSA_N; i++) p->c[i] -= q->c[i];
}

void dsa_reduce(struct dsa_poly *p)
{
    for (unsigned i = 0; i < DSA_N; i++) p->c[i] = reduced(p->c[i]);
}

void dsa_positive(struct dsa_poly *p)
{
    for (unsigned i = 0; i < DSA_N; i++) {
        int32_t v = reduced(p->c[i]);
        p->c[i] = v + ((v >> 31) & DSA_Q);
    }
}

uint32_t dsa_exceeds(const struct dsa_poly *p, int32_t bound)
{
    int32_t below = -1;         /* stays negative while every |c| - bound is */
    for (unsigned i = 0; i < DSA_N; i++) {
        int32_t sign = p->c[i] >> 31, size = (p->c[i] ^ sign) - sign;
        below &= size - bound;
    }
    return ~mask_opaque((uint32_t)(below >> 31));
}

/* ---- high and low bits ---- */

void dsa_power2(struct dsa_poly *p, struct dsa_poly *low)
{
    for (unsigned i = 0; i < DSA_N; i++) {
        int32_t a = p->c[i], high = (a + (1 << (DSA_D - 1)) - 1) >> DSA_D;
        low->c[i] = a - (high << DSA_D);
        p->c[i] = high;
    }
}

/* The nearest multiple of 2 gamma2 = 190464 = 1488 * 128: with b = ceil(a / 128), b / 1488 is b * 11275 / 2^24 rounded to nearest, which a
 * test proves for every a. The last interval, whose multiple is q - 1, counts as the first, with low bits one less. */
int32_t dsa_decompose(int32_t a, int32_t *low)
{
    int32_t high = (((a + 127) >> 7) * 11275 + (1 << 23)) >> 24;
    high &= (int32_t)mask_opaque((uint32_t)((high - DSA_HIGH) >> 31));
    int32_t rest = a - high * 2 * DSA_GAMMA2;
    rest -= ((DSA_Q - 1) / 2 - rest) >> 31 & DSA_Q;
    *low = rest;
    return high;
}

/* ---- encoding ---- */

/* Numbers of `width` bits, little endian. */
static void pack(const struct dsa_poly *p, int32_t from, int32_t sign, unsigned width, uint8_t *out)
{
    uint32_t bits = 0;
    unsigned held = 0;
    for (unsigned i = 0; i < DSA_N; i++) {
        bits |= (uint32_t)(from + sign * p->c[i]) << held;
        for (held += width; held >= 8; held -= 8, bits >>= 8) *out++ = (uint8_t)bits;
    }
}

static void unpack(const uint8_t *in, unsigned width, struct dsa_poly *out)
{
    uint32_t bits = 0;
    unsigned held = 0;
    for (unsigned i = 0; i < DSA_N; i++) {
        for (; held < width; held += 8) bits |= (uint32_t)*in++ << held;
        out->c[i] = (int32_t)(bits & ((1U << width) - 1));
        bits >>= width, held -= width;
    }
}

void dsa_write_t1(const struct dsa_poly *p, uint8_t out[DSA_T1_BYTES])
{
    pack(p, 0, 1, 10, out);
}

void dsa_read_t1(const uint8_t in[DSA_T1_BYTES], struct dsa_poly *out)
{
    unpack(in, 10, out);
    for (unsigned i = 0; i < DSA_N; i++) out->c[i] <<= DSA_D;
}

void dsa_write_z(const struct dsa_poly *p, uint8_t out[DSA_Z_BYTES])
{
    pack(p, DSA_GAMMA1, -1, 18, out);
}

void dsa_read_z(const uint8_t in[DSA_Z_BYTES], struct dsa_poly *out)
{
    unpack(in, 18, out);
    for (unsigned i = 0; i < DSA_N; i++) out->c[i] = DSA_GAMMA1 - out->c[i];
}

void dsa_write_w1(const struct dsa_poly *p, uint8_t out[DSA_W1_BYTES])
{
    pack(p, 0, 1, 6, out);
}
