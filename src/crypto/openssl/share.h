/* SPDX-License-Identifier: ISC */
/* The classical half of a key exchange: a fresh key, its public value, and the raw shared number. */
#ifndef OSSL_SHARE_H
#define OSSL_SHARE_H

#include "base/random.h"

#include "ec.h"

enum { SHARE_PUBLIC_MAX = 133, SHARE_SECRET_MAX = 66 };     /* P-521 */

struct share {
    const struct ec_curve *curve;   /* NULL for X25519 */
    size_t public_len, secret_len;
    /* A fresh key and its public value. The caller frees the key. */
    enum err (*make)(const struct share *share, const struct random *random, uint8_t *public_value, EVP_PKEY **out);
    /* The shared number with a peer's public value of public_len bytes. ERR_KEX: off the curve, low order. */
    enum err (*derive)(const struct share *share, EVP_PKEY *key, const uint8_t *peer, uint8_t *out);
};

extern const struct share share_x25519, share_nistp256, share_nistp384, share_nistp521;

/* The shared number of our key and a peer's; exactly n bytes. */
MUST_USE enum err share_derive(EVP_PKEY *key, EVP_PKEY *peer, uint8_t *out, size_t n);

#endif
