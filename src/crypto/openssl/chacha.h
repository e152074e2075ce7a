/* SPDX-License-Identifier: ISC */
#ifndef OSSL_CHACHA_H
#define OSSL_CHACHA_H

#include "base/bytes.h"

/* chacha20-poly1305@openssh.com over data that has no length in front, as key files use it: packet number 0, key[64], tag[16].
 * ERR_PASSPHRASE: decrypting, and the tag is wrong; the data is untouched then. */
MUST_USE enum err chacha_file_run(bool encrypt, const uint8_t *key, struct span data, uint8_t *tag);

#endif
