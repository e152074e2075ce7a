/* SPDX-License-Identifier: ISC */
/* SSHFP resource records (RFC 4255, 6594, 7479): fingerprints of host keys in the DNS. Pure. */
#ifndef KEY_SSHFP_H
#define KEY_SSHFP_H

#include "base/wr.h"
#include "key/key.h"

#define SSHFP_RR_TYPE 44            /* the record's number in the DNS; its class is IN, 1 */

enum sshfp_hash { SSHFP_SHA1 = 1, SSHFP_SHA256 = 2 };

/* The number of the key's algorithm (RSA 1, ECDSA 3, Ed25519 4), 0: the DNS has none for it. A certificate has none: OpenSSH checks those
 * against its CA only. */
uint8_t sshfp_algorithm(const struct pubkey *k);

/* One record in presentation form with its newline: "host IN SSHFP 4 2 hex"; generic: as an unknown type (RFC 3597), "host IN TYPE44 \# 34 04 02
 * hex". ERR_UNSUPPORTED: sshfp_algorithm() is 0. ERR_FORMAT: the host name holds control characters. */
MUST_USE enum err sshfp_write(const struct pubkey *k, const char *host, enum sshfp_hash hash, bool generic, struct wr *out);

/* What the records of one answer say of a key. Zero it, then count each record's RDATA in wire form (algorithm, hash, digest). A record of another
 * algorithm, with an unknown hash or broken, counts as other. Whether the answer itself is to be believed (DNSSEC) is the caller's. */
struct sshfp_count {
    size_t same, different, other;
};
MUST_USE enum err sshfp_count(const struct pubkey *k, struct bytes rdata, struct sshfp_count *out);

/* SSHFP_MATCH: a record of the key's algorithm has its digest, and no other one contradicts: as OpenSSH, where RFC 6594 4.1 would not look at
 * SHA-1 records beside SHA-256 ones. */
enum sshfp_result { SSHFP_NONE, SSHFP_MATCH, SSHFP_MISMATCH };
enum sshfp_result sshfp_judge(const struct sshfp_count *c);

#endif
