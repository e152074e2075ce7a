/* SPDX-License-Identifier: ISC */
/* SHA-512 (FIPS 180-4) for sntrup761, since this library stands without libcrypto. Time depends on the length only. */
#ifndef PQ_SHA512_H
#define PQ_SHA512_H

#include "base/bytes.h"

/* Digest of a || b || c. */
void sha512(struct bytes a, struct bytes b, struct bytes c, uint8_t out[64]);

#endif
