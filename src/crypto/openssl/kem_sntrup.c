/* SPDX-License-Identifier: ISC */
#include "kem.h"

static enum err ntru_keygen(const struct kem *kem, const struct random *random, uint8_t *public_key, uint8_t *secret_key)
{
    (void)kem;
    return sntrup761_keygen(random, public_key, secret_key);
}

static enum err ntru_encaps(const struct kem *kem, const struct random *random, const uint8_t *public_key, uint8_t *ciphertext,
                            uint8_t shared[KEM_SHARED])
{
    (void)kem;
    return sntrup761_encaps(random, public_key, ciphertext, shared);
}

static enum err ntru_decaps(const struct kem *kem, const uint8_t *secret_key, const uint8_t *ciphertext, uint8_t shared[KEM_SHARED])
{
    (void)kem;
    return sntrup761_decaps(secret_key, ciphertext, shared);
}

const struct kem kem_sntrup761 = {NULL, SNTRUP761_PUBLIC, SNTRUP761_CIPHER, ntru_keygen, ntru_encaps, ntru_decaps};
