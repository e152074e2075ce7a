/* SPDX-License-Identifier: ISC */
/* Hash functions as records. */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include "base/bytes.h"

#define HASH_MAX 64

struct hash_alg {
    const char *name;   /* "SHA256", "SHA384", "SHA512", "SHA1", "MD5" (fingerprints only) */
    size_t len;
    /* Digest of the concatenation of parts[0..n) into out[0..len). */
    enum err (*digest)(const struct hash_alg *alg, const struct bytes *parts, size_t n, uint8_t *out);
};

extern const struct hash_alg hash_sha1, hash_sha256, hash_sha384, hash_sha512, hash_md5;   /* crypto/openssl */

MUST_USE static inline enum err hash_digest(const struct hash_alg *alg, struct bytes data, uint8_t *out)
{
    return alg->digest(alg, &data, 1, out);
}

/* In pieces. start: NULL: out of memory, or the library has no such hash. end: into out[0..alg->len); it frees the run, whatever it returns, as
 * does drop (NULL is fine). */
struct hash_run;
struct hash_run *hash_start(const struct hash_alg *alg);
MUST_USE enum err hash_add(struct hash_run *run, struct bytes data);
MUST_USE enum err hash_end(struct hash_run *run, uint8_t *out);
void hash_drop(struct hash_run *run);

#endif
