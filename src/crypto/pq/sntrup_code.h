/* SPDX-License-Identifier: ISC */
/* The byte forms of sntrup761's polynomials. */
#ifndef PQ_SNTRUP_CODE_H
#define PQ_SNTRUP_CODE_H

#include "sntrup_poly.h"

enum { SMALL_BYTES = 191, RQ_BYTES = 1158, ROUNDED_BYTES = 1007 };

/* Coefficients -1..1, four a byte. */
void small_write(const int16_t in[SNTRUP_P], uint8_t out[SMALL_BYTES]);
void small_read(const uint8_t in[SMALL_BYTES], int16_t out[SNTRUP_P]);
/* Any coefficients of Z_q; multiples of 3 only (ciphertexts). Reading is for public data: its time depends on it. */
void rq_write(const int16_t in[SNTRUP_P], uint8_t out[RQ_BYTES]);
void rq_read(const uint8_t in[RQ_BYTES], int16_t out[SNTRUP_P]);
void rounded_write(const int16_t in[SNTRUP_P], uint8_t out[ROUNDED_BYTES]);
void rounded_read(const uint8_t in[ROUNDED_BYTES], int16_t out[SNTRUP_P]);

#endif
