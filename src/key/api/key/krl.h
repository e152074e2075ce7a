/* SPDX-License-Identifier: ISC */
/* What is revoked: key revocation lists (PROTOCOL.krl), binary, and files of public keys, one a line. Pure. */
#ifndef KEY_KRL_H
#define KEY_KRL_H

#include "key/cert.h"

struct krl;

/* A whole file is read up to here, as OpenSSH does. */
#define KRL_FILE_MAX    134217728
/* Runs of revoked serial numbers in memory: more are refused (ERR_TOO_LONG), since one bit of a file can become one run of 16 bytes. */
#define KRL_RUNS_MAX    4194304
#define KRL_KEY_ID_MAX  65536

/* ---- asking ---- */

/* Whole file, either form. A KRL with an unknown critical section, a signature section or any defect is an error, never an empty list; so is a
 * line that is no key, comment or blank. (Keys too small for any use are passed over.) */
MUST_USE enum err revoked_parse(struct bytes text, struct krl **out);
void krl_free(struct krl *k);
void krl_drop(struct krl **k);      /* for CLEANUP() */

/* VERDICT_GOOD: the key is not revoked: neither it (for a certificate: the key inside, and the certificate by serial, key id, and its CA key),
 * nor by its hashes. Callers that cannot parse the list must refuse the key. */
MUST_USE enum verdict krl_check(const struct krl *k, const struct pubkey *key);

/* ---- the binary form ---- */

/* An empty list; NULL: out of memory. */
struct krl *krl_new(void);
/* Does it begin as a KRL does? */
bool krl_is(struct bytes text);
/* The binary form only. ERR_VERSION: krl_is() is false. ERR_FORMAT, ERR_TRUNCATED, ERR_TRAILING, ERR_TOO_LONG: a defect. ERR_UNSUPPORTED: another
 * format version, a signature, an unknown section or critical extension. */
MUST_USE enum err krl_parse(struct bytes text, struct krl **out);
/* The whole file. now_s, seconds since 1970, is written into it as the time it was made. Serial numbers take the least room that lists, ranges
 * and bitmaps (of at most 16384 numbers: OpenSSH reads no longer ones) can give. The same content gives the same bytes, but for the order of CAs,
 * which stays that in which they came. */
MUST_USE enum err krl_write(struct krl *k, uint64_t now_s, struct wr *out);

struct krl_facts {
    uint64_t version, made_s;       /* made_s: 0 for one that was never written */
    struct bytes comment;           /* raw; lives as long as the list, or until it is set anew */
};
struct krl_facts krl_facts(const struct krl *k);
void krl_set_version(struct krl *k, uint64_t version);
/* ERR_FORMAT: it holds a NUL. */
MUST_USE enum err krl_set_comment(struct krl *k, struct bytes comment);
/* All that it revokes, as lines of a specification (ssh-keygen(1), KEY REVOCATION LISTS), with comment lines that name keys and CAs, safe for a
 * terminal. Keys appear by their SHA-256 hash; *unread: how many keys are of kinds not known here, and left out. */
MUST_USE enum err krl_spec_write(struct krl *k, size_t *unread, struct wr *out);

/* ---- making one; twice the same is once ---- */

/* A CA: its plain key; NULL: certificates of any CA. Serials are lo..hi, both included. ERR_RANGE: lo is 0, which CAs give to certificates without
 * a number, or hi < lo. */
MUST_USE enum err krl_revoke_serials(struct krl *k, const struct pubkey *ca, uint64_t lo, uint64_t hi);
/* ERR_FORMAT: it holds a NUL. */
MUST_USE enum err krl_revoke_key_id(struct krl *k, const struct pubkey *ca, struct bytes key_id);
/* The key itself; for a certificate the key inside. */
MUST_USE enum err krl_revoke_key(struct krl *k, const struct pubkey *key);
/* A certificate, by its CA and serial, or key id where the serial is 0; a plain key as krl_revoke_key(). */
MUST_USE enum err krl_revoke_cert(struct krl *k, const struct pubkey *key);
/* A key by its hash. ERR_FORMAT: the length is not the hash's. */
enum krl_hash { KRL_SHA1, KRL_SHA256 };
MUST_USE enum err krl_revoke_hash(struct krl *k, enum krl_hash hash, struct bytes digest);

#endif
