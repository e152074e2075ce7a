/* SPDX-License-Identifier: ISC */
/* Written so that the compiler makes vector code of the loops: everything is 16 bits wide and in straight runs.
 *
 * Inverses come from the constant-time extended gcd of Bernstein and Yang ("Fast constant-time gcd computation and modular
 * inversion", 2019): 2p - 1 division steps on the reversed polynomials. Signs and constant factors of (f, v) and of
 * (g, r) are let run free, since only the quotient v / f counts; so a swap costs no negation and a Montgomery factor no repair. */
#include "sntrup_poly.h"

#include "base/bytes.h"

#include "mask.h"

enum { P = SNTRUP_P, Q = SNTRUP_Q, STEPS = 2 * P - 1, ROWS = 4, ROWS_A_REDUCTION = 12, PADDED = 768 };

static inline int16_t high(int16_t a, int16_t b)
{
    return (int16_t)((int32_t)a * b >> 16);
}

static inline int16_t low(int16_t a, int16_t b)
{
    return (int16_t)((uint32_t)(uint16_t)a * (uint16_t)b);
}

/* Near 0 (|result| < 2400) for any x: subtracts q times round(x / 4599). What is within +-2295 stays. */
static inline int16_t reduce(int16_t x)
{
    int16_t t = (int16_t)((int16_t)(high(x, 228) + 8) >> 4);
    return (int16_t)(x - low(t, Q));
}

int16_t fq_freeze(int16_t x)
{
    x = reduce(x);
    x = (int16_t)(x - (Q & -(x > SNTRUP_HALF)));
    return (int16_t)(x + (Q & -(x < -SNTRUP_HALF)));
}

int16_t f3_freeze(int16_t x)
{
    return (int16_t)(x - 3 * ((10923 * (int32_t)x + 16384) >> 15));
}

/* The product before reduction modulo x^p - x - 1, four rows of it at a time; rows of +-2295 are summed in 16 bits until they
 * could overflow. b is padded with ROWS - 1 zeros on the left. */
static void multiply(const int16_t a[P], const int16_t b[P], int16_t sum[2 * PADDED])
{
    int16_t rows[PADDED] = {0}, padded[PADDED + ROWS] = {0};
    memcpy(rows, a, P * sizeof a[0]);
    memcpy(padded + ROWS - 1, b, P * sizeof b[0]);
    memset(sum, 0, 2 * PADDED * sizeof sum[0]);
    for (unsigned j = 0; j < P; j += ROWS) {
        int16_t a0 = rows[j], a1 = rows[j + 1], a2 = rows[j + 2], a3 = rows[j + 3], *to = sum + j;
        const int16_t *from = padded;
        for (unsigned i = 0; i < PADDED; i++) {
            int16_t one = (int16_t)(low(a0, from[i + 3]) + low(a1, from[i + 2]));
            int16_t two = (int16_t)(low(a2, from[i + 1]) + low(a3, from[i]));
            to[i] = (int16_t)(to[i] + one + two);
        }
        if ((j + ROWS) % ROWS_A_REDUCTION != 0) continue;
        int16_t *touched = sum + j + ROWS - ROWS_A_REDUCTION;
        for (unsigned i = 0; i < PADDED + ROWS_A_REDUCTION - ROWS; i++) touched[i] = reduce(touched[i]);
    }
    for (unsigned i = 0; i < 2 * PADDED; i++) sum[i] = reduce(sum[i]);
    wipe(rows, sizeof rows);
    wipe(padded, sizeof padded);
}

/* x^p = x + 1 */
static inline int16_t folded(const int16_t *sum, unsigned i)
{
    return (int16_t)(sum[i] + sum[i + P] + (i ? sum[i + P - 1] : 0));
}

void rq_product(const int16_t a[P], const int16_t b[P], int16_t out[P])
{
    int16_t sum[2 * PADDED];
    multiply(a, b, sum);
    for (unsigned i = 0; i < P; i++) out[i] = fq_freeze(folded(sum, i));
    wipe(sum, sizeof sum);
}

void r3_product(const int16_t a[P], const int16_t b[P], int16_t out[P])
{
    int16_t sum[2 * PADDED];        /* at most 761: reduce() leaves that alone */
    multiply(a, b, sum);
    for (unsigned i = 0; i < P; i++) out[i] = f3_freeze(folded(sum, i));
    wipe(sum, sizeof sum);
}

/* ---- inverse over Z_q ---- */

/* -1 where x is not a multiple of q, |x| < 2q; else 0. */
static inline int16_t nonzero_mask(int16_t x)
{
    uint32_t u = (uint16_t)fq_freeze(x);
    return (int16_t)(-(int32_t)((0 - u) >> 31));
}

/* a * b * 2^-16 mod q. With |a|, |b| < 5600 the result is below 2800, so that differences of two keep to that bound.
 * b_inv = b * q^-1 mod 2^16. */
static inline int16_t montgomery(int16_t a, int16_t b, int16_t b_inv)
{
    return (int16_t)(high(a, b) - high(low(a, b_inv), Q));
}

enum { Q_INV = 15631 };     /* q^-1 mod 2^16 */

/* One step on n coefficients of two polynomials: lower becomes f0 * lower - g0 * top, moved down by `down` places; where swap
 * is set, top becomes what lower was. */
static inline void step(int16_t *top, int16_t *lower, unsigned n, unsigned down, int16_t f0, int16_t g0, int16_t swap)
{
    int16_t f0_inv = low(f0, Q_INV), g0_inv = low(g0, Q_INV), *to = lower - down;
    for (unsigned i = 0; i < n; i++) {
        int16_t f = top[i], g = lower[i];
        to[i] = (int16_t)(montgomery(g, f0, f0_inv) - montgomery(f, g0, g0_inv));
        top[i] = (int16_t)(f ^ (swap & (f ^ g)));
    }
}

static int16_t fq_times(int16_t a, int16_t b)
{
    int32_t x = (int32_t)a * b;
    x -= Q * (int32_t)(((int64_t)x * 935519 + (1LL << 31)) >> 32);      /* 2^32 / q */
    return fq_freeze((int16_t)x);
}

/* x^(q - 2) */
static int16_t fq_inverse(int16_t x)
{
    int16_t out = 1;
    for (int bit = 12; bit >= 0; bit--) {
        out = fq_times(out, out);
        if ((Q - 2) >> bit & 1) out = fq_times(out, x);     /* q is no secret */
    }
    return out;
}

struct rq_gcd {
    int16_t f[PADDED], r[PADDED];
    int16_t g[PADDED];                  /* from index 1 on: index 0 takes the coefficient that moves out, always 0 */
    int16_t v[PADDED + STEPS];     /* multiplied by x each step: its start moves down instead */
};

void rq_inverse_third(const int16_t in[P], int16_t out[P])
{
    struct rq_gcd s = {.f = {[0] = 1, [P - 1] = -1, [P] = -1}, .r = {-1530}};       /* 1/3 */
    int16_t *v = s.v + STEPS, *g = s.g + 1;
    int32_t delta = 1;
    for (unsigned i = 0; i < P; i++) g[P - 1 - i] = in[i];
    for (unsigned n = 0; n < STEPS; n++) {
        /* low coefficients of f and g that later steps can still see, and coefficients v and r can have by now */
        unsigned seen = STEPS - n < P + 1 ? STEPS - n : P + 1, grown = n + 1 < P + 1 ? n + 1 : P + 1;
        int16_t f0 = s.f[0], g0 = g[0];
        int32_t swap = (int32_t)mask_opaque((uint32_t)((-delta >> 31) & nonzero_mask(g0)));
        *--v = 0;
        delta = (delta ^ (swap & (delta ^ -delta))) + 1;
        step(s.f, g, seen, 1, f0, g0, (int16_t)swap);
        g[seen - 1] = 0;
        step(v, s.r, grown, 0, f0, g0, (int16_t)swap);
    }
    int16_t scale = fq_inverse(fq_freeze(s.f[0]));
    for (unsigned i = 0; i < P; i++) out[i] = fq_times(scale, fq_freeze(v[P - 1 - i]));
    wipe(&s, sizeof s);
}

/* ---- inverse over Z_3: coefficients as bits of two words, one for +1 and one for -1 ---- */

enum { WORDS = 12 };        /* 768 bits */

struct trits {
    uint64_t plus[WORDS], minus[WORDS];
};

static void trits_set(struct trits *t, unsigned i, int16_t x)
{
    t->plus[i / 64] |= (uint64_t)(x & 1 & ~(x >> 1)) << i % 64;
    t->minus[i / 64] |= (uint64_t)(x >> 1 & 1) << i % 64;
}

static int16_t trits_get(const struct trits *t, unsigned i)
{
    return (int16_t)((int)(t->plus[i / 64] >> i % 64 & 1) - (int)(t->minus[i / 64] >> i % 64 & 1));
}

/* lower += factor * top, where the factor is given as two masks; where swap is set, top becomes what lower was. */
static void trits_step(struct trits *top, struct trits *lower, uint64_t plus, uint64_t minus, uint64_t swap)
{
    for (unsigned i = 0; i < WORDS; i++) {
        uint64_t fp = top->plus[i], fm = top->minus[i], gp = lower->plus[i], gm = lower->minus[i];
        uint64_t p = (fp & plus) | (fm & minus), m = (fm & plus) | (fp & minus);
        lower->plus[i] = (gp & ~(p | m)) | (p & ~(gp | gm)) | (gm & m);
        lower->minus[i] = (gm & ~(p | m)) | (m & ~(gp | gm)) | (gp & p);
        top->plus[i] = fp ^ (swap & (fp ^ gp));
        top->minus[i] = fm ^ (swap & (fm ^ gm));
    }
}

static void shift_down(uint64_t w[WORDS])
{
    for (unsigned i = 0; i < WORDS - 1; i++) w[i] = w[i] >> 1 | w[i + 1] << 63;
    w[WORDS - 1] >>= 1;
}

static void shift_up(uint64_t w[WORDS])
{
    for (unsigned i = WORDS - 1; i > 0; i--) w[i] = w[i] << 1 | w[i - 1] >> 63;
    w[0] <<= 1;
}

bool r3_inverse(const int16_t in[P], int16_t out[P])
{
    struct { struct trits f, g, v, r; } s = {0};
    int32_t delta = 1;
    trits_set(&s.f, 0, 1), trits_set(&s.f, P - 1, -1), trits_set(&s.f, P, -1);
    trits_set(&s.r, 0, 1);
    for (unsigned i = 0; i < P; i++) trits_set(&s.g, P - 1 - i, in[i]);
    for (unsigned n = 0; n < STEPS; n++) {
        shift_up(s.v.plus), shift_up(s.v.minus);
        /* factor = -f[0] * g[0]; f[0] is never 0 */
        int32_t factor = -trits_get(&s.f, 0) * trits_get(&s.g, 0);
        uint64_t plus = 0 - (uint64_t)(factor & 1 & ~(factor >> 1)), minus = 0 - (uint64_t)(factor >> 1 & 1);
        int32_t swap32 = (int32_t)mask_opaque((uint32_t)(-delta >> 31) & (uint32_t)(plus | minus));
        uint64_t swap = (uint64_t)(int64_t)swap32;
        delta = (delta ^ (swap32 & (delta ^ -delta))) + 1;
        trits_step(&s.f, &s.g, plus, minus, swap);
        trits_step(&s.v, &s.r, plus, minus, swap);
        shift_down(s.g.plus), shift_down(s.g.minus);
    }
    int16_t sign = trits_get(&s.f, 0);
    for (unsigned i = 0; i < P; i++) out[i] = (int16_t)(sign * trits_get(&s.v, P - 1 - i));
    wipe(&s, sizeof s);
    return delta == 0;
}
