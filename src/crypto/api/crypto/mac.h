/* SPDX-License-Identifier: ISC */
/* Packet MACs as records. */
#ifndef CRYPTO_MAC_H
#define CRYPTO_MAC_H

#include "base/bytes.h"
#include "base/err.h"

#define MAC_TAG_MAX 64

struct mac;                 /* keyed state */

struct mac_alg {
    const char *name;       /* wire name */
    uint8_t key_len, tag_len;
    bool etm;               /* over the ciphertext, the length in clear */
    struct mac *(*new)(const struct mac_alg *alg, const uint8_t *key);
    void (*free)(struct mac *m);
    /* Tag over seq (u32, big endian) || p[0..n) into tag[0..tag_len). umac takes seq as its nonce (u64). */
    enum err (*tag)(struct mac *m, uint32_t seq, const uint8_t *p, size_t n, uint8_t *tag);
};

extern const struct mac_alg mac_hmac_sha2_256, mac_hmac_sha2_512, mac_hmac_sha1, mac_hmac_sha2_256_etm,
    mac_hmac_sha2_512_etm, mac_hmac_sha1_etm;                               /* crypto/openssl */
extern const struct mac_alg mac_umac_64, mac_umac_128, mac_umac_64_etm, mac_umac_128_etm;   /* crypto/openssl (AES inside) */

#endif
