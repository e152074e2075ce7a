/* SPDX-License-Identifier: ISC */
#ifndef OSSL_EC_H
#define OSSL_EC_H

#include "crypto/sign.h"

#include "fetch.h"

/* A key of a curve. point: uncompressed (empty: none); scalar big endian (empty: a public key). NULL: libcrypto refuses it, so
 * when the point is not on the curve. */
EVP_PKEY *ec_key(const struct ec_curve *curve, struct bytes point, struct bytes scalar);
/* The point of a key into out[0..1 + 2 * field_len). */
MUST_USE enum err ec_key_point(const struct ec_curve *curve, const EVP_PKEY *key, uint8_t *out);

#endif
