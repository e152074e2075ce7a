/* SPDX-License-Identifier: ISC */
/* The lists of packet and key exchange algorithms in OpenSSH 10.5's order of preference, ended by NULL. Which of them exist is
 * told by these alone, to `ssh -Q` too. */
#ifndef CRYPTO_ALGS_H
#define CRYPTO_ALGS_H

#include "crypto/cipher.h"
#include "crypto/compress.h"
#include "crypto/kex.h"
#include "crypto/mac.h"

/* All that is built; ended by NULL. */
extern const struct kex_alg *const kex_all[];
extern const struct cipher_alg *const cipher_all[];
extern const struct mac_alg *const mac_all[];

/* Default proposals, OpenSSH 10.5's (docs/decisions/defaults.md lists deviations), comma separated. */
extern const char kex_default_client[], kex_default_server[], cipher_default[], mac_default[];

const struct kex_alg *kex_find(struct bytes name);
const struct cipher_alg *cipher_find(struct bytes name);
const struct mac_alg *mac_find(struct bytes name);

#endif
