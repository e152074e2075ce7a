/* SPDX-License-Identifier: ISC */
/* Certificates v01 (draft-ietf-sshm-cert-01): a `struct pubkey` whose blob is the certificate. pubkey_parse() never makes one: who wants
 * to take certificates says so by calling pubkey_parse_any(). Fingerprints are those of the plain key inside, as OpenSSH's. */
#ifndef KEY_CERT_H
#define KEY_CERT_H

#include "key/authorized_keys.h"
#include "key/key.h"

enum cert_kind { CERT_USER = 1, CERT_HOST = 2 };
#define CERT_PRINCIPALS_MAX 256
#define CERT_FOREVER        UINT64_MAX

struct cert {                       /* all views point into the blob of the pubkey that owns it */
    enum cert_kind kind;
    uint64_t serial;
    struct bytes key_id;
    struct bytes principals;        /* packed strings: cert_name_next() */
    size_t principals_n;
    uint64_t valid_after, valid_before;     /* seconds since 1970, good while after <= now < before; before may be CERT_FOREVER */
    struct bytes critical, extensions;      /* packed name and data pairs in order: cert_option_next() */
    const struct pubkey *ca;        /* the plain key that signed, owned by the certificate */
    const char *ca_alg;             /* the algorithm of its signature: "rsa-sha2-512" */
};

/* A plain key or a certificate. A certificate is well formed (known kind, at most CERT_PRINCIPALS_MAX principals, options in strict order
 * and none twice, nothing left over), its CA is a plain key, and the CA's signature over it is good (ERR_SIGNATURE if not).
 * Whether it is to be believed here and now: cert_check(). */
MUST_USE enum err pubkey_parse_any(struct bytes blob, struct pubkey **out);
const struct cert *pubkey_cert(const struct pubkey *k);         /* NULL: a plain key */
const struct pubkey *pubkey_plain(const struct pubkey *k);      /* the certified key, or k itself */

/* Walks; *rest begins as the packed field. False at the end. */
bool cert_name_next(struct bytes *rest, struct bytes *name);
struct cert_option {
    struct bytes name, data;
    struct bytes text;              /* data as a single string, where it is one (force-command, source-address); else empty */
};
bool cert_option_next(struct bytes *rest, struct cert_option *out);

/* Kind, time, at least one principal and none with a separator or NUL, the CA's algorithm in ca_algs (CASignatureAlgorithms, exact names),
 * and no critical option this kind does not know. *why gets OpenSSH's words when it is not good. No principal is compared. */
MUST_USE enum verdict cert_check(const struct cert *c, enum cert_kind kind, uint64_t now_s, struct bytes ca_algs, const char **why);
/* Is the name among the principals? User: equal bytes. Host: letter case aside, and a principal may be a pattern with * and ?. */
bool cert_has_principal(const struct cert *c, struct bytes name);
/* A user certificate's critical options and extensions in the form of a line's options: nothing is permitted but what an extension
 * permits. ERR_FORMAT: an unknown critical option or bad data; *why says which. */
MUST_USE enum err cert_key_options(const struct cert *c, struct key_options *out, const char **why);

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
/* What the CA signs: all but the signature. Then cert_write() with the signature blob, made by privkey_sign(), an agent or a token. */
MUST_USE enum err cert_body_write(const struct cert_plan *plan, const struct pubkey *subject, const struct pubkey *ca, const struct random *random,
                                  struct wr *out);
MUST_USE enum err cert_write(struct bytes body, struct bytes signature, struct wr *out);

#endif
