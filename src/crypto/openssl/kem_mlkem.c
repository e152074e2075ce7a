/* SPDX-License-Identifier: ISC */
/* ML-KEM by our own code: for a libcrypto that has none (before 3.5). The other choice is kem_mlkem_libcrypto.c. */
#include "kem.h"

static enum err ml_keygen(const struct kem *kem, const struct random *random, uint8_t *public_key, uint8_t *secret_key)
{
    uint8_t seed[MLKEM_SEED];
    TRY(random_fill(random, seed, sizeof seed));
    mlkem_keygen(kem->set, seed, public_key, secret_key);
    wipe(seed, sizeof seed);
    return ERR_NONE;
}

static enum err ml_encaps(const struct kem *kem, const struct random *random, const uint8_t *public_key, uint8_t *ciphertext,
                          uint8_t shared[KEM_SHARED])
{
    uint8_t m[MLKEM_RANDOM];
    TRY(random_fill(random, m, sizeof m));
    enum err e = mlkem_encaps(kem->set, public_key, m, ciphertext, shared);
    wipe(m, sizeof m);
    return e;
}

static enum err ml_decaps(const struct kem *kem, const uint8_t *secret_key, const uint8_t *ciphertext, uint8_t shared[KEM_SHARED])
{
    return mlkem_decaps(kem->set, secret_key, ciphertext, shared);
}

const struct kem kem_mlkem768 = {&mlkem_768, 1184, 1088, ml_keygen, ml_encaps, ml_decaps};
const struct kem kem_mlkem1024 = {&mlkem_1024, 1568, 1568, ml_keygen, ml_encaps, ml_decaps};
