/* SPDX-License-Identifier: ISC */
/* Polynomials over Z_8380417 modulo X^256 + 1 for ML-DSA-44 (FIPS 204 7). No branch, index or division depends on a coefficient, except
 * where a function says that its input may show. */
#ifndef PQ_MLDSA_POLY_H
#define PQ_MLDSA_POLY_H

#include "base/bytes.h"

enum {
    DSA_Q = 8380417, DSA_N = 256, DSA_D = 13,
    DSA_K = 4, DSA_L = 4,                       /* rows and columns of the matrix */
    DSA_TAU = 39, DSA_ETA = 2, DSA_BETA = DSA_TAU * DSA_ETA, DSA_OMEGA = 80,
    DSA_GAMMA1 = 1 << 17, DSA_GAMMA2 = (DSA_Q - 1) / 88,
    DSA_HIGH = 44,                              /* values that high bits take: (q - 1) / (2 gamma2) */
    DSA_CHALLENGE = 32,                         /* bytes of c~ */
    DSA_T1_BYTES = 320, DSA_Z_BYTES = 576, DSA_W1_BYTES = 192,
};

struct dsa_poly {
    int32_t c[DSA_N];       /* signed representatives; how far reduced: see each function */
};

/* ---- sampling (7.3) ---- */

/* Algorithm 30 RejNTTPoly: element (row, column) of the matrix A from the public seed rho; 0..q-1. */
void dsa_uniform(const uint8_t rho[32], uint8_t row, uint8_t column, struct dsa_poly *out);
/* Algorithm 31 RejBoundedPoly: coefficients of -2..2. Which half bytes were thrown away may show: nothing of them stays. */
void dsa_small(const uint8_t seed[64], uint16_t nonce, struct dsa_poly *out);
/* Algorithm 34 ExpandMask, one polynomial: -(gamma1 - 1)..gamma1. */
void dsa_mask(const uint8_t seed[64], uint16_t nonce, struct dsa_poly *out);
/* Algorithm 29 SampleInBall: 39 coefficients of 1 or -1, else 0. The challenge may show (it is part of the signature, and one of a try
 * that was given up tells nothing of the key). */
void dsa_ball(const uint8_t challenge[DSA_CHALLENGE], struct dsa_poly *out);

/* ---- arithmetic ---- */

/* Algorithms 41 and 42. ntt: |in| < q, |out| < 9 q. inverse: |in| < q and of what dsa_product left, whose factor 2^-32 it removes; |out| < q. */
void dsa_ntt(struct dsa_poly *p);
void dsa_ntt_inverse(struct dsa_poly *p);
/* acc += a * b * 2^-32 in the NTT domain: each product adds less than q, for |a| < 9 q and |b| < 9 q. */
void dsa_product(struct dsa_poly *acc, const struct dsa_poly *a, const struct dsa_poly *b);
void dsa_add(struct dsa_poly *p, const struct dsa_poly *q);
void dsa_sub(struct dsa_poly *p, const struct dsa_poly *q);
/* reduce: |out| <= 6283008 (below q), for |in| < 2^31 - 2^22. positive: that, and into 0..q-1. */
void dsa_reduce(struct dsa_poly *p);
void dsa_positive(struct dsa_poly *p);
/* All ones if some |c| >= bound, else 0; for coefficients that dsa_reduce left. Looks at all of them. */
uint32_t dsa_exceeds(const struct dsa_poly *p, int32_t bound);

/* ---- high and low bits (7.4) ---- */

/* Algorithm 35 Power2Round: p (0..q-1) becomes t1, low becomes t0. */
void dsa_power2(struct dsa_poly *p, struct dsa_poly *low);
/* Algorithm 36 Decompose for 0 <= a < q: returns the high bits 0..43, and the low ones into low. */
int32_t dsa_decompose(int32_t a, int32_t *low);

/* ---- encoding (7.1) ---- */

void dsa_write_t1(const struct dsa_poly *p, uint8_t out[DSA_T1_BYTES]);
/* Times 2^13, as a verifier needs it. */
void dsa_read_t1(const uint8_t in[DSA_T1_BYTES], struct dsa_poly *out);
void dsa_write_z(const struct dsa_poly *p, uint8_t out[DSA_Z_BYTES]);
void dsa_read_z(const uint8_t in[DSA_Z_BYTES], struct dsa_poly *out);
void dsa_write_w1(const struct dsa_poly *p, uint8_t out[DSA_W1_BYTES]);

#endif
