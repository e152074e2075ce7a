/* SPDX-License-Identifier: ISC */
/* Post-quantum key encapsulation and signatures: FIPS 203 ML-KEM, Streamlined NTRU Prime 761, FIPS 204 ML-DSA; constant-time, no system
 * calls. */
#ifndef CRYPTO_PQ_H
#define CRYPTO_PQ_H

#include "base/bytes.h"
#include "base/random.h"
#include "base/err.h"

#define MLKEM_SHARED 32
#define MLKEM_SEED   64     /* d || z */
#define MLKEM_RANDOM 32     /* m */

struct mlkem {              /* a parameter set */
    const char *name;
    uint8_t k, eta1, du, dv;
    size_t public_len, secret_len, cipher_len;  /* 768: 1184, 2400, 1088; 1024: 1568, 3168, 1568 */
};
extern const struct mlkem mlkem_768, mlkem_1024;

#define MLKEM_PUBLIC_MAX 1568
#define MLKEM_SECRET_MAX 3168
#define MLKEM_CIPHER_MAX 1568

/* FIPS 203 algorithm 16 KeyGen_internal: from seed d||z. */
void mlkem_keygen(const struct mlkem *set, const uint8_t seed[MLKEM_SEED], uint8_t *public_key, uint8_t *secret_key);
/* FIPS 203 algorithm 20 with its input check (7.2): ERR_KEX when the key's coefficients are not reduced. */
MUST_USE enum err mlkem_encaps(const struct mlkem *set, const uint8_t *public_key, const uint8_t m[MLKEM_RANDOM],
                               uint8_t *ciphertext, uint8_t shared[MLKEM_SHARED]);
/* FIPS 203 algorithm 21; implicit rejection: a wrong ciphertext yields another secret. ERR_KEX: the secret key fails its hash check (7.3). */
MUST_USE enum err mlkem_decaps(const struct mlkem *set, const uint8_t *secret_key, const uint8_t *ciphertext,
                               uint8_t shared[MLKEM_SHARED]);

#define SNTRUP761_PUBLIC 1158
#define SNTRUP761_SECRET 1763
#define SNTRUP761_CIPHER 1039
#define SNTRUP761_SHARED 32

MUST_USE enum err sntrup761_keygen(const struct random *random, uint8_t public_key[SNTRUP761_PUBLIC],
                                   uint8_t secret_key[SNTRUP761_SECRET]);
MUST_USE enum err sntrup761_encaps(const struct random *random, const uint8_t public_key[SNTRUP761_PUBLIC],
                                   uint8_t ciphertext[SNTRUP761_CIPHER], uint8_t shared[SNTRUP761_SHARED]);
MUST_USE enum err sntrup761_decaps(const uint8_t secret_key[SNTRUP761_SECRET], const uint8_t ciphertext[SNTRUP761_CIPHER],
                                   uint8_t shared[SNTRUP761_SHARED]);

#define MLDSA44_SEED   32
#define MLDSA44_PUBLIC 1312
#define MLDSA44_SIG    2420
#define MLDSA44_RANDOM 32
#define MLDSA_CTX_MAX  255

/* FIPS 204 algorithm 6: the public key of a seed (xi). The seed is all there is of a private key. */
void mldsa44_public(const uint8_t seed[MLDSA44_SEED], uint8_t public_key[MLDSA44_PUBLIC]);
/* Algorithm 2; rnd fresh for the hedged variant, all zero for the deterministic one. ERR_TOO_LONG: ctx is over 255 bytes. ERR_CRYPTO: the
 * signature did not verify (a fault of the machine) and was wiped. About 64 KiB of stack. */
MUST_USE enum err mldsa44_sign(const uint8_t seed[MLDSA44_SEED], struct bytes ctx, struct bytes msg, const uint8_t rnd[MLDSA44_RANDOM],
                               uint8_t sig[MLDSA44_SIG]);
/* Algorithm 3. sig of any length but MLDSA44_SIG is BAD. Any public key of the right length is one. */
MUST_USE enum verdict mldsa44_verify(const uint8_t public_key[MLDSA44_PUBLIC], struct bytes ctx, struct bytes msg, struct bytes sig);

#endif
