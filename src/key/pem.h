/* SPDX-License-Identifier: ISC */
/* Private keys as PEM (RFC 7468) around PKCS#1, SEC1 and PKCS#8. */
#ifndef KEY_PEM_H
#define KEY_PEM_H

#include "key_type.h"

/* Is the first line a BEGIN line of such a file? */
bool pem_is(struct bytes text);
bool pem_is_encrypted(struct bytes text);
/* ERR_UNSUPPORTED: encrypted, or another kind of key. */
MUST_USE enum err pem_parse(struct bytes text, struct privkey **out);
MUST_USE enum err pem_write(const struct privkey *k, enum privkey_format format, struct wr *out);

#endif
