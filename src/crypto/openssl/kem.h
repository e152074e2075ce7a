/* SPDX-License-Identifier: ISC */
/* The post-quantum half of a hybrid key exchange, over crypto/pq.h. */
#ifndef OSSL_KEM_H
#define OSSL_KEM_H

#include "crypto/pq.h"

enum { KEM_SECRET_MAX = MLKEM_SECRET_MAX, KEM_SHARED = 32 };

struct kem {
    const struct mlkem *set;    /* NULL: sntrup761 */
    size_t public_len, cipher_len;
    enum err (*keygen)(const struct kem *kem, const struct random *random, uint8_t *public_key, uint8_t *secret_key);
    enum err (*encaps)(const struct kem *kem, const struct random *random, const uint8_t *public_key, uint8_t *ciphertext,
                       uint8_t shared[KEM_SHARED]);
    enum err (*decaps)(const struct kem *kem, const uint8_t *secret_key, const uint8_t *ciphertext, uint8_t shared[KEM_SHARED]);
};

extern const struct kem kem_mlkem768, kem_mlkem1024, kem_sntrup761;

#endif
