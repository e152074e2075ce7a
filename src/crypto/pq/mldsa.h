/* SPDX-License-Identifier: ISC */
/* ML-DSA-44 from the message representative mu on: what known-answer tests ask for directly. */
#ifndef PQ_MLDSA_H
#define PQ_MLDSA_H

#include "crypto/pq.h"

#define MLDSA44_MU 64

/* Algorithm 7 Sign_internal from step 7 on; rnd all zero: the deterministic variant. */
void mldsa44_sign_mu(const uint8_t seed[MLDSA44_SEED], const uint8_t mu[MLDSA44_MU], const uint8_t rnd[MLDSA44_RANDOM],
                     uint8_t sig[MLDSA44_SIG]);
/* Algorithm 8 Verify_internal from step 8 on. */
MUST_USE enum verdict mldsa44_verify_mu(const uint8_t public_key[MLDSA44_PUBLIC], const uint8_t mu[MLDSA44_MU], struct bytes sig);

#endif
