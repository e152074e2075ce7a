/* SPDX-License-Identifier: ISC */
/* ML-KEM by a libcrypto that has it (3.5 and later; the build looks). The secret key kept between the two steps is the 64-byte seed.
 * Seeds and messages come from the caller's record, as with our own code, so that a simulator repeats itself. */
#include "kem.h"
#include "numbers.h"

static EVP_PKEY *key_of(const struct kem *kem, const char *param, int selection, const uint8_t *p, size_t n)
{
    struct numbers list CLEANUP(numbers_clear) = {0};
    numbers_add_octets(&list, param, bytes_of(p, n));
    return numbers_key(&list, kem->set->name, selection);
}

static enum err ml_keygen(const struct kem *kem, const struct random *random, uint8_t *public_key, uint8_t *secret_key)
{
    size_t n = 0;
    TRY(random_fill(random, secret_key, MLKEM_SEED));
    EVP_PKEY *key CLEANUP(evp_pkey_clear) = key_of(kem, OSSL_PKEY_PARAM_ML_KEM_SEED, EVP_PKEY_KEYPAIR, secret_key, MLKEM_SEED);
    if (!key || EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, public_key, kem->public_len, &n) != 1) return ERR_CRYPTO;
    return n == kem->public_len ? ERR_NONE : ERR_CRYPTO;
}

static enum err ml_encaps(const struct kem *kem, const struct random *random, const uint8_t *public_key, uint8_t *ciphertext,
                          uint8_t shared[KEM_SHARED])
{
    uint8_t m[MLKEM_RANDOM];
    size_t cipher_len = kem->cipher_len, shared_len = KEM_SHARED;
    TRY(random_fill(random, m, sizeof m));
    OSSL_PARAM params[2] = {OSSL_PARAM_construct_octet_string(OSSL_KEM_PARAM_IKME, m, sizeof m), OSSL_PARAM_construct_end()};
    /* import refuses coefficients that are not reduced (FIPS 203 7.2) */
    EVP_PKEY *key CLEANUP(evp_pkey_clear) = key_of(kem, OSSL_PKEY_PARAM_PUB_KEY, EVP_PKEY_PUBLIC_KEY, public_key, kem->public_len);
    EVP_PKEY_CTX *ctx CLEANUP(evp_pkey_ctx_clear) = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    bool ok = ctx && EVP_PKEY_encapsulate_init(ctx, params) == 1 &&
              EVP_PKEY_encapsulate(ctx, ciphertext, &cipher_len, shared, &shared_len) == 1;
    wipe(m, sizeof m);
    return ok && cipher_len == kem->cipher_len && shared_len == KEM_SHARED ? ERR_NONE : ERR_KEX;
}

static enum err ml_decaps(const struct kem *kem, const uint8_t *secret_key, const uint8_t *ciphertext, uint8_t shared[KEM_SHARED])
{
    size_t n = KEM_SHARED;
    EVP_PKEY *key CLEANUP(evp_pkey_clear) = key_of(kem, OSSL_PKEY_PARAM_ML_KEM_SEED, EVP_PKEY_KEYPAIR, secret_key, MLKEM_SEED);
    EVP_PKEY_CTX *ctx CLEANUP(evp_pkey_ctx_clear) = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    if (!ctx || EVP_PKEY_decapsulate_init(ctx, NULL) != 1) return ERR_CRYPTO;
    return EVP_PKEY_decapsulate(ctx, shared, &n, ciphertext, kem->cipher_len) == 1 && n == KEM_SHARED ? ERR_NONE : ERR_CRYPTO;
}

const struct kem kem_mlkem768 = {&mlkem_768, 1184, 1088, ml_keygen, ml_encaps, ml_decaps};
const struct kem kem_mlkem1024 = {&mlkem_1024, 1568, 1568, ml_keygen, ml_encaps, ml_decaps};
