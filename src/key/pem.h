/* SPDX-License-Identifier: ISC */
/* What the files of PEM and PKCS#8 keys share: names of algorithms in DER, and encryption. */
#ifndef KEY_PEM_H
#define KEY_PEM_H

#include "armour.h"
#include "der.h"
#include "key_type.h"

/* ---- names (pem_names.c) ---- */
extern const struct bytes oid_rsa, oid_ec, oid_ed25519;
const struct key_type *curve_type(struct bytes oid);        /* NULL: not one of ours */
struct bytes curve_oid(const struct key_type *type);
/* AlgorithmIdentifier of a plain key. ERR_UNSUPPORTED: the type has none. */
MUST_USE enum err algorithm_write(const struct key_type *type, struct wr *out);

/* ---- encryption (pem_crypt.c) ---- */
/* RFC 1421 headers Proc-Type and DEK-Info, keys as openssl derives them: data is decrypted in place. */
MUST_USE enum err pem_open(const struct armour_headers *headers, struct bytes passphrase, struct wr *data);
MUST_USE enum err pem_seal(struct bytes data, struct bytes passphrase, const struct random *random, char *headers, size_t headers_n, struct wr *out);
/* EncryptedPrivateKeyInfo (RFC 5958 3) with PBES2 (RFC 8018 6.2): PBKDF2 or scrypt (RFC 7914 7), AES or triple DES in CBC. */
MUST_USE enum err pbes2_open(struct bytes der, struct bytes passphrase, struct wr *out);
MUST_USE enum err pbes2_seal(struct bytes data, struct bytes passphrase, const struct random *random, struct wr *out);

#endif
