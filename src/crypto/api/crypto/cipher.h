/* SPDX-License-Identifier: ISC */
/* Packet ciphers as records. A record says how a packet is laid out and holds the functions that work on it in place;
 * the transport (core) asks nothing else about an algorithm. */
#ifndef CRYPTO_CIPHER_H
#define CRYPTO_CIPHER_H

#include "base/bytes.h"
#include "base/err.h"

struct cipher;              /* one direction's keyed state */

enum cipher_class {
    CIPHER_STREAM,          /* encrypts all or (with an etm MAC) all but the length; needs a MAC: aes-ctr, the cbc modes */
    CIPHER_AEAD_CLEAR_LEN,  /* length is associated data: aes-gcm (RFC 5647 as OpenSSH does it) */
    CIPHER_AEAD_CRYPT_LEN   /* length encrypted under a key of its own: chacha20-poly1305 */
};

enum cipher_dir { CIPHER_OPEN, CIPHER_SEAL };

struct cipher_alg {
    const char *name;       /* wire name */
    enum cipher_class cls;
    uint8_t block_len;      /* padding granularity, and the first read of a STREAM packet: 16; 8 for chacha */
    uint8_t key_len, iv_len;
    uint8_t tag_len;        /* 0 for STREAM */
    uint8_t strength;       /* bytes of it where they are not key_len: 14 for 3des; 0: key_len */
    bool chained;           /* STREAM: a block decrypts by itself and the one before, so what goes wrong with a length must not show (CBC) */
    uint64_t rekey_bytes;   /* RFC 4344 3.2: bytes under one key before a rekey is due: 2^(block bits/4) blocks, bounded; 1 GiB for 8-byte blocks */
    /* NULL: out of memory or libcrypto failed. key[key_len], iv[iv_len] are copied. Wiped by free. */
    struct cipher *(*new)(const struct cipher_alg *alg, enum cipher_dir dir, const uint8_t *key, const uint8_t *iv);
    void (*free)(struct cipher *c);
    /* STREAM: en- or decrypts p[0..n) in place, going on from the call before; n is a multiple of block_len. */
    enum err (*crypt)(struct cipher *c, uint8_t *p, size_t n);
    /* AEAD_CRYPT_LEN: the packet length that head[0..4) hides, without changing anything. (Others: read it in clear.) */
    enum err (*length)(struct cipher *c, uint32_t seq, const uint8_t *head, uint32_t *out);
    /* AEAD. p[0..4) is the length in clear, p[4..n) the body; sealed in place, the tag goes to p[n..n+tag_len). */
    enum err (*seal)(struct cipher *c, uint32_t seq, uint8_t *p, size_t n);
    /* AEAD. p[0..n) as received, the tag behind it. GOOD: the body p[4..n) is now plaintext. BAD: p's body is undefined. */
    enum verdict (*open)(struct cipher *c, uint32_t seq, uint8_t *p, size_t n);
};

/* chacha20-poly1305@openssh.com aes128-gcm@openssh.com aes256-gcm@openssh.com aes128-ctr aes192-ctr aes256-ctr
 * aes128-cbc aes192-cbc aes256-cbc 3des-cbc */
extern const struct cipher_alg cipher_chacha20_poly1305, cipher_aes128_gcm, cipher_aes256_gcm, cipher_aes128_ctr,
    cipher_aes192_ctr, cipher_aes256_ctr, cipher_aes128_cbc, cipher_aes192_cbc, cipher_aes256_cbc, cipher_3des_cbc;   /* crypto/openssl */

#endif
