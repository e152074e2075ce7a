/* SPDX-License-Identifier: ISC */
/* Certificates v01 (draft-ietf-sshm-cert-01): a `struct pubkey` whose blob is the certificate. pubkey_parse() never makes one: who wants
 * to take certificates says so by calling pubkey_parse_any(). Fingerprints are those of the plain key inside, as OpenSSH's:
 * pubkey_fingerprint_write().
 *
 * A certificate's pubkey_type() is "ssh-ed25519-cert-v01@openssh.com", its short name "ED25519-CERT"; pubkey_verify() takes only the
 * algorithms of that type (sig_algs has their rows) and verifies with the plain key. To sign under such an algorithm, sign with the
 * private key of the plain one and sig_alg_plain(). */
#ifndef KEY_CERT_H
#define KEY_CERT_H

#include "key/authorized_keys.h"
#include "key/key.h"

enum cert_kind { CERT_USER = 1, CERT_HOST = 2 };
#define CERT_PRINCIPALS_MAX 256
#define CERT_FOREVER        UINT64_MAX

struct cert {                       /* all views point into the blob it was read from: the one of the pubkey that owns it */
    enum cert_kind kind;
    uint64_t serial;
    struct bytes key_id;            /* any bytes but NUL: escape it before showing it */
    struct bytes principals;        /* packed strings: cert_name_next() */
    size_t principals_n;
    uint64_t valid_after, valid_before;     /* seconds since 1970, good while after <= now < before; before may be CERT_FOREVER */
    struct bytes critical, extensions;      /* packed name and data pairs in order: cert_option_next() */
    const struct pubkey *ca;        /* the plain key that signed, owned by the certificate; NULL from cert_fields_parse() */
    const char *ca_alg;             /* the algorithm of its signature: "rsa-sha2-512" */
    struct bytes ca_blob;           /* the CA's key as it stands in the certificate */
    const char *type, *plain_type;  /* "ssh-rsa-cert-v01@openssh.com", "ssh-rsa" */
    struct bytes plain_fields;      /* what follows the type's name in a blob of the plain key */
    struct bytes body, signature;   /* what the CA signed, and its signature blob */
};

/* A plain key or a certificate. A certificate is well formed (known kind, at most CERT_PRINCIPALS_MAX principals, no NUL in them or in the
 * key id, options in strict order and none twice, nothing left over), its CA is a plain key, and the CA's signature over it is good
 * (ERR_SIGNATURE if not). Whether it is to be believed here and now: cert_check(). */
MUST_USE enum err pubkey_parse_any(struct bytes blob, struct pubkey **out);
const struct cert *pubkey_cert(const struct pubkey *k);         /* NULL: a plain key */
const struct pubkey *pubkey_plain(const struct pubkey *k);      /* the certified key, or k itself */

/* A private key in an agent's message (RFC 9987 3.2): as privkey_read() and privkey_write() have it, or behind the certificate it goes with.
 * read: *cert is NULL for a plain key; ERR_KEY_INVALID: the certificate is another key's. */
MUST_USE enum err privkey_read_any(struct rd *r, struct pubkey **cert, struct privkey **out);
void privkey_write_any(const struct pubkey *cert, const struct privkey *k, struct wr *w);

/* The same form without any cryptography: no key in it is checked and no signature verified, `ca` is NULL. For processes that hold no
 * libcrypto and judge what a verifier found good, or must say what was refused. ERR_KEY_TYPE: not a certificate. */
MUST_USE enum err cert_fields_parse(struct bytes blob, struct cert *out);
/* Appends the blob of the plain key inside. */
void cert_plain_write(const struct cert *c, struct wr *out);
/* The plain type's name for that of a certificate type: "ssh-rsa" for "ssh-rsa-cert-v01@openssh.com"; NULL: no certificate type. */
const char *cert_type_plain(struct bytes type);

/* "type base64 comment", a plain key's line or a certificate's; else as pubkey_line_parse(). */
MUST_USE enum err pubkey_line_parse_any(struct bytes line, struct pubkey_line *view, struct pubkey **out);
/* FINGERPRINT of the plain key: what fingerprint_write() gives for its blob. */
void pubkey_fingerprint_write(struct wr *w, const struct pubkey *k, enum fingerprint how);

/* Walks; *rest begins as the packed field. False at the end. */
bool cert_name_next(struct bytes *rest, struct bytes *name);
struct cert_option {
    struct bytes name, data;
    struct bytes text;              /* data as a single string, where it is one (force-command, source-address); else empty */
};
bool cert_option_next(struct bytes *rest, struct cert_option *out);

/* Kind, time, at least one principal and none with a comma, no critical option this kind does not know, and the CA's algorithm in
 * ca_algs (CASignatureAlgorithms: exact names). *why gets OpenSSH's words when it is not good (static text). No principal is compared. */
MUST_USE enum verdict cert_check(const struct cert *c, enum cert_kind kind, uint64_t now_s, struct bytes ca_algs, const char **why);
/* Is the name among the principals? User: equal bytes. Host: letter case aside, and a principal may be a pattern with * and ?. An empty
 * list or name matches nothing. */
bool cert_has_principal(const struct cert *c, struct bytes name);
/* A user certificate's critical options and extensions in the form of a line's options: nothing is permitted but what an extension
 * permits; source-address goes to source_address. ERR_FORMAT, ERR_TOO_LONG: an unknown critical option or bad data; *why says it. */
MUST_USE enum err cert_key_options(const struct cert *c, struct key_options *out, const char **why);
/* A source-address list: comma separated addresses and CIDR blocks, at least one, no patterns, nothing negated. */
MUST_USE enum verdict cert_source_check(struct bytes list);
/* "forever", "before TIME", "after TIME", "from TIME to TIME" as OpenSSH shows a validity; `time_write` appends a local time, since this
 * room knows no time zone. */
void cert_validity_write(struct wr *w, uint64_t valid_after, uint64_t valid_before, void (*time_write)(struct wr *w, uint64_t at_s));

/* ---- making one ---- */

struct cert_plan {
    enum cert_kind kind;
    uint64_t serial, valid_after, valid_before;
    struct bytes key_id;
    const struct bytes *principals;
    size_t principals_n;
    const struct cert_option *critical, *extensions;    /* name and data; in any order */
    size_t critical_n, extensions_n;
};
/* What the CA signs: all but the signature. Then cert_write() with the signature blob, made by privkey_sign(), an agent or a token.
 * ERR_KEY_TYPE: subject or CA is a certificate. ERR_RANGE: too many principals, an empty time. ERR_FORMAT: an option twice, a NUL, a
 * comma in a principal or nothing in it. */
MUST_USE enum err cert_body_write(const struct cert_plan *plan, const struct pubkey *subject, const struct pubkey *ca, const struct random *random,
                                  struct wr *out);
MUST_USE enum err cert_write(struct bytes body, struct bytes signature, struct wr *out);

#endif
