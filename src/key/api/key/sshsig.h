/* SPDX-License-Identifier: ISC */
/* Signatures over files (PROTOCOL.sshsig, version 1), and the lines of allowed_signers files (ssh-keygen(1), ALLOWED SIGNERS). Pure: the file is
 * hashed by the caller, in pieces (crypto/hash.h). */
#ifndef KEY_SSHSIG_H
#define KEY_SSHSIG_H

#include "key/cert.h"

/* ---- the signature ---- */

#define SSHSIG_FILE_MAX 262144      /* an armoured signature: certificate, signature, and base64's third more, with room */

/* sha256 and sha512 only; letter case counts. NULL: another. */
const struct hash_alg *sshsig_hash_find(struct bytes name);
/* Its name in a signature: "sha512". */
const char *sshsig_hash_name(const struct hash_alg *hash);

struct sshsig {                     /* all views point into the blob */
    struct bytes key_blob;          /* a plain key or a certificate: pubkey_parse_any() */
    struct bytes name_space, reserved, hash_name, signature;
};

/* "-----BEGIN SSH SIGNATURE-----" to the END line; what follows that is not looked at. ERR_FORMAT. */
MUST_USE enum err sshsig_armour_parse(struct bytes text, struct wr *out);
void sshsig_armour_write(struct wr *w, struct bytes blob);

/* ERR_VERSION: a later version than 1. ERR_FORMAT: no signature, or a namespace that is empty or holds a NUL. */
MUST_USE enum err sshsig_parse(struct bytes blob, struct sshsig *out);

/* What is signed: namespace, reserved and hash name, and the digest of the file. */
MUST_USE enum err sshsig_text_write(struct bytes name_space, const struct hash_alg *hash, const uint8_t *digest, struct wr *out);
/* The algorithm to sign with: a key's own, of RSA keys always rsa-sha2-512. A certificate's is its key's. NULL: this kind of key cannot sign. */
const struct sig_alg *sshsig_alg(const struct pubkey *key);
/* The blob, from a signature over that text made by privkey_sign(), an agent or a token. key: what the signature shows, maybe a certificate. */
MUST_USE enum err sshsig_write(const struct pubkey *key, struct bytes name_space, const struct hash_alg *hash, struct bytes signature, struct wr *out);

/* Is the signature by `key` (of s->key_blob) over a file with this digest? Of RSA signatures only those with SHA-2 (PROTOCOL.sshsig 5). Neither the
 * namespace nor the key's right to sign is judged; s->hash_name must be a known one. */
MUST_USE enum verdict sshsig_verify(const struct sshsig *s, const struct pubkey *key, const uint8_t *digest);
/* The name of the algorithm that the signature itself carries; empty: none. */
struct bytes sshsig_alg_name(const struct sshsig *s);
bool sshsig_alg_allowed(const struct sshsig *s, const struct pubkey *key);

/* ---- allowed_signers ---- */

#define SIGNER_LINE_MAX 65536
#define SIGNER_ALWAYS   0           /* no valid-after, no valid-before */

/* Wall clock seconds (as if UTC) to seconds since 1970: the time zone is the caller's. */
typedef uint64_t wall_to_utc(int64_t wall_s);

struct signer {
    struct bytes principals;        /* a pattern list; into the line */
    struct pubkey *key;             /* owned; a line may name a certificate, too */
    bool cert_authority, has_namespaces;
    struct bytes namespaces;        /* a pattern list, unquoted; owned by `text` */
    uint64_t valid_after, valid_before;     /* seconds since 1970; both ends are good */
    struct wr text;
};
void signer_clear(struct signer *s);        /* for CLEANUP() */

/* One line without its newline. `only`: where it is not empty, a line whose principals do not match it is ERR_NOT_FOUND, whatever else stands in
 * it. ERR_NOT_FOUND: blank, a comment, or another principal's. ERR_FORMAT or ERR_TOO_LONG: *why (static text, OpenSSH's words) says what is
 * wrong; such a line allows nothing. */
MUST_USE enum err signer_parse(struct bytes line, struct bytes only, wall_to_utc *zone, struct signer *out, const char **why);

enum signer_hit { SIGNER_OTHER_KEY, SIGNER_KEY, SIGNER_CA };
/* Is the line about this key: is it the key itself (SIGNER_KEY), or, where the line is a cert-authority, the CA of this certificate (SIGNER_CA)?
 * A certificate is never SIGNER_KEY but by a line with the very same certificate. */
enum signer_hit signer_match(const struct signer *s, const struct pubkey *key);
bool signer_has_namespace(const struct signer *s, struct bytes name_space);
/* YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, then nothing (wall clock), Z or UTC. ERR_FORMAT; the year 1970's first second is none. */
MUST_USE enum err signer_time_parse(struct bytes text, wall_to_utc *zone, uint64_t *out);

#endif
