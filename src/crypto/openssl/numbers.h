/* SPDX-License-Identifier: ISC */
/* Keys from numbers: a list of libcrypto parameters that is built up from big endian numbers and wiped at the end. */
#ifndef OSSL_NUMBERS_H
#define OSSL_NUMBERS_H

#include "base/secret.h"

#include "fetch.h"

enum { NUMBERS_MAX = 10 };

struct numbers {
    OSSL_PARAM param[NUMBERS_MAX + 1];
    struct secret value[NUMBERS_MAX];
    size_t n;
    enum err err;       /* sticky */
};

void numbers_clear(struct numbers *s);
/* An unsigned big endian number. */
void numbers_add(struct numbers *s, const char *name, struct bytes unsigned_be);
void numbers_add_bn(struct numbers *s, const char *name, const BIGNUM *bn);
/* Views that must outlive the list. */
void numbers_add_octets(struct numbers *s, const char *name, struct bytes octets);
void numbers_add_text(struct numbers *s, const char *name, const char *text);
/* A key of the type ("EC", "RSA", "DH"); selection: EVP_PKEY_PUBLIC_KEY or EVP_PKEY_KEYPAIR. NULL: libcrypto refuses it. */
EVP_PKEY *numbers_key(struct numbers *s, const char *type, int selection);

void bn_clear(BIGNUM **bn);
void bn_ctx_clear(BN_CTX **ctx);
/* A number of a key into a fresh secret, big endian, at least `width` bytes (0: shortest form). */
MUST_USE enum err key_number(const EVP_PKEY *key, const char *name, size_t width, struct secret *out);

#endif
