/* SPDX-License-Identifier: ISC */
/* The forms of private key files, a row each; privkey_file.c goes through them. */
#ifndef KEY_FORMAT_H
#define KEY_FORMAT_H

#include "key_type.h"

struct key_format {
    enum privkey_format id;
    bool (*is)(struct bytes text);              /* by its beginning */
    bool (*encrypted)(struct bytes text);
    enum err (*parse)(struct bytes text, struct bytes passphrase, struct privkey **out, struct wr *comment);
    enum err (*public)(struct bytes text, struct pubkey **out);     /* NULL: it has no clear half */
    enum err (*write)(const struct privkey *k, struct bytes comment, const struct privkey_file_how *how, const struct random *random,
                      struct wr *out);          /* NULL: only read */
};
extern const struct key_format key_format_openssh, key_format_pem, key_format_pkcs8, key_format_ppk, key_format_dropbear, key_format_sshcom;

/* What the readers have found, put as the private fields of openssh-key-v1 (which privkey_read() takes): one way to check a key. */
void section_rsa(struct wr *section, struct bytes n, struct bytes e, struct bytes d, struct bytes iqmp, struct bytes p, struct bytes q);
void section_ecdsa(struct wr *section, const struct key_type *type, struct bytes point, struct bytes scalar);
void section_ed25519(struct wr *section, struct bytes seed);
/* The section to a key; ERR_TRAILING if something is left. */
MUST_USE enum err section_key(const struct wr *section, struct privkey **out);

/* Decrypt data in place with a CBC cipher and take its padding (RFC 8018 6.1.1) off: *n is what is left. ERR_PASSPHRASE: bad padding. */
MUST_USE enum err cbc_open(const char *cipher, struct bytes key_iv, struct span data, size_t *n);
/* Append data with its padding, encrypted. */
MUST_USE enum err cbc_seal(const char *cipher, struct bytes key_iv, struct bytes data, struct wr *out);

/* After a decryption without a check of its own: what does not parse was opened with a wrong passphrase. */
static inline enum err err_decrypted(enum err e)
{
    return e == ERR_FORMAT || e == ERR_TRUNCATED || e == ERR_TRAILING || e == ERR_TOO_LONG ? ERR_PASSPHRASE : e;
}

#endif
