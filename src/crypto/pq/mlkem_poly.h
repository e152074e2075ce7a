/* SPDX-License-Identifier: ISC */
/* Polynomials over Z_3329 modulo X^256 + 1 for ML-KEM (FIPS 203 4). No branch, index or division depends on a coefficient,
 * except in poly_uniform, whose input is public. */
#ifndef PQ_MLKEM_POLY_H
#define PQ_MLKEM_POLY_H

#include "base/bytes.h"

enum { MLKEM_Q = 3329, MLKEM_N = 256, POLY_BYTES = 384, MLKEM_K_MAX = 4 };

struct poly {
    int16_t c[MLKEM_N];     /* signed representatives; how far reduced: see each function */
};

/* Algorithm 7 SampleNTT: the element (row, column) of the matrix A from the public seed rho. */
void poly_uniform(const uint8_t rho[32], uint8_t row, uint8_t column, struct poly *out);
/* Algorithm 8 SamplePolyCBD with eta = 2 over PRF(seed, nonce). */
void poly_noise(const uint8_t seed[32], uint8_t nonce, struct poly *out);
/* Algorithms 9 and 10. ntt: |in| < 3329, out reduced. inverse: takes what poly_product left and removes its Montgomery factor. */
void poly_ntt(struct poly *p);
void poly_ntt_inverse(struct poly *p);
/* acc += a * b * 2^-16 in the NTT domain (algorithm 11); a and b reduced, at most MLKEM_K_MAX products summed. */
void poly_product(struct poly *acc, const struct poly *a, const struct poly *b);
/* p *= 2^16, which undoes poly_product's factor. */
void poly_to_montgomery(struct poly *p);
void poly_add(struct poly *p, const struct poly *q);
void poly_sub(struct poly *p, const struct poly *q);
/* Into -1664..1664. */
void poly_reduce(struct poly *p);
/* Algorithms 5 and 6 with d = 12; read leaves values below 4096 as they are. */
void poly_write(const struct poly *p, uint8_t out[POLY_BYTES]);
void poly_read(const uint8_t in[POLY_BYTES], struct poly *out);
/* Compress_d then ByteEncode_d (32 * d bytes), and back (4.2.1). */
void poly_compress(const struct poly *p, unsigned d, uint8_t *out);
void poly_decompress(const uint8_t *in, unsigned d, struct poly *out);
/* One number: round(2^d / q * x) mod 2^d for 0 <= x < q. */
uint16_t mlkem_compress(uint16_t x, unsigned d);

#endif
