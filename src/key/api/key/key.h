/* SPDX-License-Identifier: ISC */
/* Public and private keys, their signatures and their names. */
#ifndef KEY_KEY_H
#define KEY_KEY_H

#include "base/random.h"
#include "base/rd.h"
#include "base/secret.h"
#include "base/wr.h"
#include "crypto/hash.h"

/* A row a signature algorithm: the names that travel in KEXINIT, in USERAUTH_REQUEST and in the signature blob. */
struct sig_alg {
    const char *name;           /* "rsa-sha2-256", "rsa-sha2-256-cert-v01@openssh.com" */
    const char *key_type;       /* "ssh-rsa", "ssh-rsa-cert-v01@openssh.com": the first string of the key blob */
    const char *sig_name;       /* "rsa-sha2-256": the first string of the signature blob */
};
/* The plain ones in OpenSSH's default order, then those of certificates; ended by a NULL name. ssh-rsa (SHA-1) is the last of each and in no
 * default list. Whoever walks or searches them and cannot handle certificates leaves those out by sig_alg_is_cert(). */
extern const struct sig_alg sig_algs[];
const struct sig_alg *sig_alg_find(struct bytes name);
/* Is it for keys that are certificates? */
bool sig_alg_is_cert(const struct sig_alg *alg);
/* The algorithm that a certificate's private key signs with: "rsa-sha2-512" for "rsa-sha2-512-cert-v01@openssh.com"; a plain one itself. */
const struct sig_alg *sig_alg_plain(const struct sig_alg *alg);
/* Comma separated defaults of plain keys, and those with certificates before them: HostKeyAlgorithms = PubkeyAcceptedAlgorithms. */
extern const char sig_algs_default[], sig_algs_default_any[];
/* All plain ones but SHA-1: what a CA may have signed with where its key was named and no option could list algorithms. */
extern const char sig_algs_sound[];

struct pubkey;                  /* parsed and checked; owns its blob */

/* RFC 4253 6.6, 5656, 8709. Checks sizes (limits.h), points, exponents. ERR_KEY_TYPE, ERR_KEY_INVALID, ERR_KEY_TOO_SMALL. */
MUST_USE enum err pubkey_parse(struct bytes blob, struct pubkey **out);
void pubkey_free(struct pubkey *k);
void pubkey_drop(struct pubkey **k);            /* for CLEANUP() */
struct bytes pubkey_blob(const struct pubkey *k);
const char *pubkey_type(const struct pubkey *k);        /* "ssh-ed25519" */
const char *pubkey_short_name(const struct pubkey *k);  /* "ED25519", as fingerprint lines show it */
size_t pubkey_bits(const struct pubkey *k);             /* 256, 384, 521, 3072 ... */
/* A signature blob over msg. `alg` is the algorithm that was agreed: a blob that names another one is BAD (RFC 8332). */
MUST_USE enum verdict pubkey_verify(const struct pubkey *k, const struct sig_alg *alg, struct bytes msg, struct bytes sig);
/* The same, and what the signature itself states; out may be NULL. Of a key on a FIDO authenticator (PROTOCOL.u2f) pubkey_verify() wants the
 * user's presence stated; this one leaves flags and counter to the caller: to one that knows no-touch-required and verify-required (a
 * server), or to whom a touch does not matter (host keys, an agent's answer). */
struct sig_facts {
    bool sk;                    /* below means something */
    uint8_t flags;              /* SK_PRESENCE, SK_VERIFY of key/sk.h */
    uint32_t counter;
};
MUST_USE enum verdict pubkey_verify_facts(const struct pubkey *k, const struct sig_alg *alg, struct bytes msg, struct bytes sig,
                                          struct sig_facts *out);
bool pubkey_is_sk(const struct pubkey *k);
struct bytes pubkey_application(const struct pubkey *k);        /* "ssh:"; empty for other keys. Holds no NUL */

/* The type name of a key blob (its first string) without parsing the rest; empty when there is none. */
struct bytes key_blob_type(struct bytes blob);

/* "SHA256:base64" (no padding; SHA1, SHA384, SHA512 likewise) or "MD5:aa:bb:..". */
enum fingerprint { FINGERPRINT_SHA256, FINGERPRINT_MD5, FINGERPRINT_SHA1, FINGERPRINT_SHA384, FINGERPRINT_SHA512 };
/* By the hash's name, letter case aside; false: no such. */
bool fingerprint_find(struct bytes name, enum fingerprint *out);
void fingerprint_write(struct wr *w, struct bytes blob, enum fingerprint how);
/* The SHA-1 of the blob as five-letter words ("xesyh-...-xaxax"). */
void bubblebabble_write(struct wr *w, struct bytes blob);
/* The 11 lines of random art with its frame, each ended by \n except the last. */
void randomart_write(struct wr *w, struct bytes blob, enum fingerprint how, const struct pubkey *k);

struct privkey;                 /* owns secrets; wiped when freed */

/* type: "ssh-ed25519", "ecdsa-sha2-nistp256" ..., "ssh-rsa", "ssh-mldsa44-ed25519@openssh.com"; bits only for RSA. ERR_TOKEN: such keys are
 * made by an authenticator. */
MUST_USE enum err privkey_generate(const char *type, size_t bits, const struct random *random, struct privkey **out);
void privkey_free(struct privkey *k);
void privkey_drop(struct privkey **k);
const struct pubkey *privkey_public(const struct privkey *k);
/* Appends a signature blob (string alg, string sig), ready to be sent as a string. ERR_TOKEN: the key is on an authenticator, which
 * ssh-sk-helper must ask (key/sk.h). */
MUST_USE enum err privkey_sign(const struct privkey *k, const struct sig_alg *alg, struct bytes msg, struct wr *out);

/* A private key as an agent message (RFC 9987 3.2) and the section of an openssh-key-v1 file hold it: string type, then the type's fields.
 * read: checked, and its halves belong together; r goes on behind it. write: the writer is the caller's to wipe. */
MUST_USE enum err privkey_read(struct rd *r, struct privkey **out);
void privkey_write(const struct privkey *k, struct wr *w);

/* The one door for private key files: openssh-key-v1 (PROTOCOL.key), PEM (RFC 8017 A.1.2, RFC 5915, RFC 1421 encryption), PKCS#8 (RFC 5958,
 * PBES2 of RFC 8018), PuTTY's PPK v2 and v3, Dropbear's, and ssh.com's without passphrase. parse: a whole file; `comment` gets the comment, raw
 * (PEM, PKCS#8 and Dropbear's have none). ERR_PASSPHRASE: encrypted and passphrase is empty or wrong (privkey_file_encrypted() tells
 * which). ERR_UNSUPPORTED: a cipher, KDF or format that is not ours; Argon2 in a program without crypto/argon2. ERR_RANGE: the file asks
 * for a costlier KDF than limits.h allows. */
MUST_USE enum err privkey_file_parse(struct bytes text, struct bytes passphrase, struct privkey **out, struct wr *comment);
MUST_USE enum err privkey_file_public(struct bytes text, struct pubkey **out);   /* the clear half, or of an unencrypted file the key's own */
bool privkey_file_encrypted(struct bytes text);
enum privkey_format { PRIVKEY_OPENSSH, PRIVKEY_PEM, PRIVKEY_PKCS8, PRIVKEY_PPK, PRIVKEY_DROPBEAR, PRIVKEY_SSHCOM };
bool privkey_file_is(struct bytes text);                        /* begins as one of them does */
enum privkey_format privkey_file_format(struct bytes text);     /* by its first line only; PRIVKEY_OPENSSH when it is none */
struct privkey_file_how {
    enum privkey_format format;
    struct bytes passphrase;    /* empty: not encrypted */
    const char *cipher;         /* PRIVKEY_OPENSSH only; NULL: aes256-ctr */
    uint32_t rounds;            /* of bcrypt; 0: 24 */
};
/* PEM and PKCS#8 for a type that has no such form (ed25519 in PEM) write OpenSSH's format, as OpenSSH does. ERR_UNSUPPORTED: PuTTY or Dropbear has
 * no form for this type, or no passphrases (Dropbear). Comments that the format cannot hold are lost. */
MUST_USE enum err privkey_file_write(const struct privkey *k, struct bytes comment, const struct privkey_file_how *how,
                                     const struct random *random, struct wr *out);

/* Public key files in forms besides the one line: RFC 4716, SubjectPublicKeyInfo ("PUBLIC KEY", RFC 5480, 8410), PKCS#1 ("RSA PUBLIC KEY"). */
enum pubkey_format { PUBKEY_LINE, PUBKEY_RFC4716, PUBKEY_SPKI, PUBKEY_PKCS1 };
enum pubkey_format pubkey_file_format(struct bytes text);       /* by how it begins; PUBKEY_LINE when it is none of the others */
/* A whole file in any of the forms; a line: the first that is a key. comment (may be NULL) gets what the file says, raw. */
MUST_USE enum err pubkey_file_parse(struct bytes text, struct pubkey **out, struct wr *comment);
/* PUBKEY_PKCS1 writes SubjectPublicKeyInfo for all but RSA keys, as OpenSSH does. ERR_UNSUPPORTED: no form for this type. */
MUST_USE enum err pubkey_file_write(const struct pubkey *k, enum pubkey_format format, struct bytes comment, struct wr *out);

/* "type base64 comment" (one line, no newline). Views point into the line. */
struct pubkey_line {
    struct bytes type, base64, comment;
};
MUST_USE enum err pubkey_line_parse(struct bytes line, struct pubkey_line *view, struct pubkey **out);
void pubkey_line_write(struct wr *w, const struct pubkey *k, struct bytes comment);

#endif
