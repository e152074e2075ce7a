/* SPDX-License-Identifier: ISC */
/* libcrypto's algorithms, fetched once a process and kept: a fetch takes locks and string compares, far too much for a packet. */
#ifndef OSSL_FETCH_H
#define OSSL_FETCH_H

#include "libcrypto.h"

#include "crypto/hash.h"

enum cipher_id {
    ID_AES_128_GCM, ID_AES_256_GCM, ID_AES_128_CTR, ID_AES_192_CTR, ID_AES_256_CTR, ID_AES_128_CBC, ID_AES_192_CBC, ID_AES_256_CBC,
    ID_AES_128_ECB, ID_CHACHA20, ID_3DES_CBC, CIPHER_ID_COUNT
};
enum mac_id { ID_POLY1305, MAC_ID_COUNT };

/* NULL: libcrypto has no such algorithm or no memory. Owned by this file. */
EVP_CIPHER *evp_cipher(enum cipher_id id);
EVP_MAC *evp_mac(enum mac_id id);
EVP_MD *evp_md(const struct hash_alg *alg);

/* CLEANUP() functions. */
void evp_pkey_clear(EVP_PKEY **p);
void evp_pkey_ctx_clear(EVP_PKEY_CTX **p);
void evp_md_ctx_clear(EVP_MD_CTX **p);
void evp_cipher_ctx_clear(EVP_CIPHER_CTX **p);

#endif
