/* SPDX-License-Identifier: ISC */
/* Arithmetic of Streamlined NTRU Prime 761: polynomials modulo x^761 - x - 1 over Z_4591 and over Z_3. No branch, index or
 * division depends on a coefficient. */
#ifndef PQ_SNTRUP_POLY_H
#define PQ_SNTRUP_POLY_H

#include <stdbool.h>
#include <stdint.h>

enum { SNTRUP_P = 761, SNTRUP_Q = 4591, SNTRUP_HALF = 2295, SNTRUP_W = 286 };

/* Into -2295..2295, and into -1..1 (|x| < 10000). */
int16_t fq_freeze(int16_t x);
int16_t f3_freeze(int16_t x);
/* out = a * b over Z_4591; a in -1..1, b and out in -2295..2295. */
void rq_product(const int16_t a[SNTRUP_P], const int16_t b[SNTRUP_P], int16_t out[SNTRUP_P]);
/* out = a * b over Z_3, all in -1..1. */
void r3_product(const int16_t a[SNTRUP_P], const int16_t b[SNTRUP_P], int16_t out[SNTRUP_P]);
/* out = 1 / (3 * in) over Z_4591; in is in -1..1 and not zero (it always has an inverse). */
void rq_inverse_third(const int16_t in[SNTRUP_P], int16_t out[SNTRUP_P]);
/* out = 1 / in over Z_3. false: there is none, and out is undefined. */
bool r3_inverse(const int16_t in[SNTRUP_P], int16_t out[SNTRUP_P]);

#endif
