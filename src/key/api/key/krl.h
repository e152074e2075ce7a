/* SPDX-License-Identifier: ISC */
/* What is revoked: key revocation lists (PROTOCOL.krl), binary, and files of public keys, one a line. Pure. */
#ifndef KEY_KRL_H
#define KEY_KRL_H

#include "key/cert.h"

struct krl;

/* Whole file, either form. A KRL with an unknown critical section, a signature section or any defect is an error, never an empty list. */
MUST_USE enum err revoked_parse(struct bytes text, struct krl **out);
void krl_free(struct krl *k);
void krl_drop(struct krl **k);      /* for CLEANUP() */

/* VERDICT_GOOD: the key is not revoked: neither it (for a certificate: the key inside, and the certificate by serial, key id, and its CA key),
 * nor by its hashes. Callers that cannot parse the list must refuse the key. */
MUST_USE enum verdict krl_check(const struct krl *k, const struct pubkey *key);

#endif
