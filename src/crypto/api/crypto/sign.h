/* SPDX-License-Identifier: ISC */
/* Signature primitives, raw: numbers in, numbers out, no SSH framing (room `key` does that). Private keys are opaque handles
 * made from their numbers. Every signature made by RSA or ECDSA is verified before it leaves (TRUST 29). */
#ifndef CRYPTO_SIGN_H
#define CRYPTO_SIGN_H

#include "base/secret.h"
#include "base/wr.h"
#include "crypto/hash.h"

#define ED25519_PUBLIC 32
#define ED25519_SEED   32
#define ED25519_SIG    64

/* public_key from seed. */
MUST_USE enum err ed25519_public(const uint8_t seed[ED25519_SEED], uint8_t public_key[ED25519_PUBLIC]);
MUST_USE enum err ed25519_sign(const uint8_t seed[ED25519_SEED], struct bytes msg, uint8_t sig[ED25519_SIG]);
/* Refuses S >= L (RFC 8032 5.1.7). */
MUST_USE enum verdict ed25519_verify(const uint8_t public_key[ED25519_PUBLIC], struct bytes msg, struct bytes sig);

struct ec_curve {
    const char *name;           /* "nistp256" */
    const char *key_name;       /* "ecdsa-sha2-nistp256" */
    const struct hash_alg *hash;
    size_t bits, field_len;     /* 256/32, 384/48, 521/66 */
    int nid;                    /* libcrypto's number */
    const char *group;          /* libcrypto's name */
};
extern const struct ec_curve ec_nistp256, ec_nistp384, ec_nistp521;

/* A fresh key: point (uncompressed, 1 + 2 * field_len) and scalar (field_len, big endian). */
MUST_USE enum err ecdsa_generate(const struct ec_curve *curve, struct wr *point, struct secret *scalar);
/* Is the point on the curve, not infinity, uncompressed, of full length? */
MUST_USE enum verdict ec_point_check(const struct ec_curve *curve, struct bytes point);
/* Does scalar belong to point? */
MUST_USE enum verdict ecdsa_pair_check(const struct ec_curve *curve, struct bytes point, struct bytes scalar);
/* r and s as unsigned big endian numbers appended to r and s. Hashes msg with the curve's hash. */
MUST_USE enum err ecdsa_sign(const struct ec_curve *curve, struct bytes point, struct bytes scalar, struct bytes msg,
                             struct wr *r, struct wr *s);
MUST_USE enum verdict ecdsa_verify(const struct ec_curve *curve, struct bytes point, struct bytes msg, struct bytes r,
                                   struct bytes s);

/* RSA; numbers unsigned big endian. Bounds on sizes are the caller's (limits.h) but checked again. */
struct rsa_public {
    struct bytes n, e;
};
struct rsa_private {
    struct bytes n, e, d, iqmp, p, q;
};
/* The six numbers, each freshly allocated; bits as asked, e = 65537. */
struct rsa_numbers {
    struct secret n, e, d, iqmp, p, q;
};
void rsa_numbers_clear(struct rsa_numbers *k);
MUST_USE enum err rsa_generate(size_t bits, struct rsa_numbers *out);
/* Are the numbers of one key consistent (n = p*q, d*e = 1, iqmp)? */
MUST_USE enum verdict rsa_check(const struct rsa_private *key);
/* d mod (p - 1) and d mod (q - 1), big endian: the two numbers that PKCS#1 files hold and OpenSSH's leave out. */
MUST_USE enum err rsa_crt(const struct rsa_private *key, struct secret *dp, struct secret *dq);
/* q^-1 mod p, big endian: the number that Dropbear's files leave out. */
MUST_USE enum err rsa_inverse(struct bytes p, struct bytes q, struct secret *out);
/* PKCS#1 v1.5 (RFC 8017 8.2) with hash sha256, sha512 or sha1; blinded; the signature has n's length. */
MUST_USE enum err rsa_sign(const struct rsa_private *key, const struct hash_alg *hash, struct bytes msg, struct wr *sig);
/* sig shorter than the modulus is taken as left-padded with zeros, longer is BAD. */
MUST_USE enum verdict rsa_verify(const struct rsa_public *key, const struct hash_alg *hash, struct bytes msg, struct bytes sig);
size_t rsa_bits(struct bytes n);

/* Key file ciphers ("aes256-ctr", "aes256-cbc", ... by OpenSSH's names), in place. */
struct file_cipher {
    const char *name;
    size_t key_len, iv_len, block_len, tag_len;
};
const struct file_cipher *file_cipher_find(struct bytes name);
const char *file_cipher_name(size_t i);         /* NULL past the end: for ssh-keygen -Z and -Q */
/* encrypt: data.n a multiple of block_len, tag appended to `tag` for AEAD. decrypt: ERR_PASSPHRASE on a bad tag. */
MUST_USE enum err file_cipher_run(const struct file_cipher *alg, bool encrypt, const uint8_t *key, const uint8_t *iv,
                                  struct span data, uint8_t *tag);

/* bcrypt_pbkdf as OpenBSD's (crypto/pq-like own code; libcrypto has none). */
MUST_USE enum err bcrypt_pbkdf(struct bytes pass, struct bytes salt, uint32_t rounds, struct span key);

/* HMAC-SHA1 for hashed known_hosts. */
MUST_USE enum err hmac_sha1(struct bytes key, struct bytes msg, uint8_t out[20]);

/* libcrypto's generator as a random record; reseed it from the kernel (every child first, TRUST 7). */
struct random;
extern const struct random random_libcrypto;
MUST_USE enum err random_reseed(void);
/* What a jail would forbid later: reads openssl.cnf, loads libcrypto's provider, seeds its generators. Enough for a process that makes one
 * connection. */
MUST_USE enum err crypto_load(void);
/* That, and what libcrypto would otherwise do on first use: fetches, curve tables, a rehearsed exchange and signature (some milliseconds).
 * For a process whose children would each pay for it. */
MUST_USE enum err crypto_warm(void);
const char *crypto_version(void);               /* "OpenSSL 3.0.19 27 Jan 2026" */

#endif
