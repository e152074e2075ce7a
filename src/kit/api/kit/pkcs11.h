/* SPDX-License-Identifier: ISC */
/* Keys on a PKCS#11 token (PKCS#11 v3.0), used through ssh-pkcs11-helper: a process of its own for each provider, the only one that
 * ever loads a module. What comes back from it is not believed: every key is parsed and checked here, every signature verified. A helper
 * that crashes, hangs or talks nonsense is ended and costs an error, never more. */
#ifndef KIT_PKCS11_H
#define KIT_PKCS11_H

#include "key/key.h"

struct pkcs11;                      /* one provider and its helper */

struct pkcs11_how {
    const char *libexec_dir;        /* where the helper is when it is not beside our program; SSH_PKCS11_HELPER in the environment names another */
    unsigned verbose;               /* -v's for the helper, whose lines go to our stderr */
    unsigned timeout_s;             /* how long the module may take for one answer (people push buttons meanwhile); 0: 120 */
    /* Asks a person for a PIN. `label` is the token's, escaped. ERR_NONE and an empty answer, or any error: none is given. NULL: nobody can be
     * asked. `again` is true when the token wants it for this one signature although it is logged in. */
    enum err (*pin)(void *ctx, const char *label, bool again, struct secret *out);
    void *ctx;
};

struct pkcs11_key {
    struct pubkey *pub;             /* a plain key; owned by the provider */
    const char *label;              /* the object's label, escaped; "" where it has none */
};

/* Start a helper with this module and list its keys: public keys and X.509 certificates (whose plain key is taken) of type RSA, ECDSA
 * (nistp256/384/521) and Ed25519 of all tokens, each key once. `provider` is a file; symbolic links are followed, what they lead to must
 * be a regular file with a PKCS#11 module in it, which is looked up before anything of it runs.
 * pin non-empty: log in with it at once. Empty, and how->pin is NULL: tokens that require a login are refused (an agent that was given
 * no PIN). Empty, and how->pin is there: it is asked when a token shows no key without, or for the first signature.
 * ERR_PASSPHRASE: wrong PIN, or none. ERR_DENIED: the PIN is locked. ERR_NOT_FOUND: no such file, no helper. ERR_FORMAT: no module.
 * ERR_TIMEOUT, ERR_PEER_GONE: it hangs, it crashed. ERR_UNSUPPORTED: the module failed; pkcs11_why() has words for each, valid until the
 * next call. No key at all is no error. */
MUST_USE enum err pkcs11_open(const struct pkcs11_how *how, const char *provider, struct bytes pin, struct pkcs11 **out);
/* The same in two halves, for a program with a loop of its own: begin starts the helper; then, whenever pkcs11_fd() is readable and every second or
 * so, end: ERR_AGAIN: not yet; any other error: it will not be, and pkcs11_close() is all that is left to do. */
MUST_USE enum err pkcs11_open_begin(const struct pkcs11_how *how, const char *provider, struct bytes pin, struct pkcs11 **out);
MUST_USE enum err pkcs11_open_end(struct pkcs11 *p);
const char *pkcs11_why(void);
/* Ends the helper. */
void pkcs11_close(struct pkcs11 *p);
void pkcs11_drop(struct pkcs11 **p);    /* for CLEANUP() */

size_t pkcs11_count(const struct pkcs11 *p);
const struct pkcs11_key *pkcs11_key(const struct pkcs11 *p, size_t i);
/* By the plain key; NULL: not there. */
const struct pkcs11_key *pkcs11_find(const struct pkcs11 *p, const struct pubkey *pub);

/* Appends a signature blob by one of this provider's keys; may ask how->pin, three times at most. Certificate algorithms make the same
 * signature as their plain ones. Waits for the token. Errors as pkcs11_open(); ERR_TOO_LONG: an Ed25519 text beyond PKCS11_TEXT_MAX. */
#define PKCS11_TEXT_MAX 131072
MUST_USE enum err pkcs11_sign(struct pkcs11 *p, const struct pkcs11_key *key, const struct sig_alg *alg, struct bytes msg, struct wr *out);

/* In two halves as above; one signature at a time a provider: ERR_STATE: one is under way. A PIN is asked for by how->pin from the second half. */
MUST_USE enum err pkcs11_sign_begin(struct pkcs11 *p, const struct pkcs11_key *key, const struct sig_alg *alg, struct bytes msg);
MUST_USE enum err pkcs11_sign_end(struct pkcs11 *p, struct wr *out);
/* Nobody wants the signature under way any more: its answer is dropped when it comes, and the next may begin. Only where how->pin is NULL. */
void pkcs11_sign_abandon(struct pkcs11 *p);
int pkcs11_fd(const struct pkcs11 *p);      /* stays the provider's; -1 once the helper is gone */

#endif
