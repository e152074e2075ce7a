/* SPDX-License-Identifier: ISC */
/* Keyed hashes and key derivation that key files other than OpenSSH's own need. Costs are the caller's to bound (limits.h). */
#ifndef CRYPTO_KDF_H
#define CRYPTO_KDF_H

#include "crypto/hash.h"

/* HMAC (RFC 2104) over parts[0..n) into out[0..hash->len). */
MUST_USE enum err hmac_digest(const struct hash_alg *hash, struct bytes key, const struct bytes *parts, size_t n, uint8_t *out);

/* RFC 8018 5.2 with HMAC of this hash. */
MUST_USE enum err pbkdf2(const struct hash_alg *hash, struct bytes pass, struct bytes salt, uint32_t rounds, struct span key);

/* RFC 7914: cost n (a power of 2), block size r, parallelism p. Takes 128 * n * r bytes of memory. */
MUST_USE enum err scrypt(struct bytes pass, struct bytes salt, uint64_t n, uint64_t r, uint64_t p, struct span key);

/* RFC 9106, version 0x13. In crypto/argon2, which not every program links: weak, so ask argon2_there() first. It runs in one thread,
 * however many lanes. */
enum argon2_kind { ARGON2D, ARGON2I, ARGON2ID };
struct argon2_cost {
    enum argon2_kind kind;
    uint32_t kib, passes, lanes;        /* memory in KiB, at least 8 a lane */
};
MUST_USE WEAK enum err argon2_derive(const struct argon2_cost *cost, struct bytes pass, struct bytes salt, struct span key);
static inline bool argon2_there(void)
{
    return argon2_derive != NULL;
}

#endif
