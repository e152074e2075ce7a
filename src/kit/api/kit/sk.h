/* SPDX-License-Identifier: ISC */
/* Keys on FIDO authenticators, used through ssh-sk-helper: a process of its own for each operation, the only program that speaks to an
 * authenticator or loads a provider's library. What comes back from it is not believed: keys are parsed and checked here, signatures
 * verified. A helper that crashes, hangs or talks nonsense is ended and costs an error, never more. */
#ifndef KIT_SK_H
#define KIT_SK_H

#include "key/sk.h"

struct sk_how {
    const char *libexec_dir;        /* where the helper is when not beside our program; SSH_SK_HELPER in the environment names another */
    unsigned verbose;               /* -v's for the helper, whose lines go to our stderr */
    unsigned timeout_s;             /* for one answer, with people who push buttons; 0: 120 */
    const char *provider;           /* NULL or "internal": USB authenticators by libfido2; else a library file (SecurityKeyProvider) */
    const char *device;             /* NULL: whichever fits */
    struct bytes pin;               /* already known; empty: asked for when the authenticator wants it */
    /* Asks a person for the PIN, SK_ASKS_MAX times at most. ERR_NONE and an empty answer, or any error: none is given. NULL: nobody can be
     * asked. */
    enum err (*ask_pin)(void *ctx, struct secret *out);
    void *ctx;
};
#define SK_ASKS_MAX 3

/* Errors of all below. ERR_PASSPHRASE: a PIN is needed, or it is wrong. ERR_NOT_FOUND: no authenticator, no helper, no library. ERR_FORMAT: the
 * library is none, or of another version. ERR_STATE: (enrolling) there is such a resident key already: SK_FORCE overwrites it.
 * ERR_UNSUPPORTED: the authenticator cannot do this. ERR_DENIED: it refused, or another failure of it. ERR_TIMEOUT, ERR_PEER_GONE: the
 * helper hangs, it crashed. ERR_SIGNATURE, ERR_KEY_INVALID: it answered with what is no signature of this key, no key.
 * Words for each, valid until the next call: */
const char *sk_why(void);

/* Appends a signature blob over msg by an sk key (privkey_sk()); alg: its plain algorithm or that of its certificate. Waits for the touch.
 * ERR_KEY_TYPE: no sk key, another algorithm, or webauthn, which only browsers make. */
MUST_USE enum err sk_sign(const struct sk_how *how, const struct privkey *k, const struct sig_alg *alg, struct bytes msg, struct wr *out);

/* The same in two halves, for a program with a loop of its own. end: call it when sk_fd() is readable, and every second or so (it ends a
 * helper that hangs): ERR_AGAIN: not yet; all else ends the matter. drop ends it at any time. how's texts, key and alg must live on. */
struct sk_signing;
MUST_USE enum err sk_sign_begin(const struct sk_how *how, const struct privkey *k, const struct sig_alg *alg, struct bytes msg,
                                struct sk_signing **out);
int sk_fd(const struct sk_signing *s);
MUST_USE enum err sk_sign_end(struct sk_signing *s, struct wr *out);
void sk_signing_drop(struct sk_signing **s);

struct sk_plan {
    const char *type;               /* "sk-ssh-ed25519@openssh.com" ... */
    const char *application;        /* "ssh:" and more */
    const char *user;               /* for resident keys; NULL: none */
    uint8_t flags;                  /* SK_PRESENCE ... */
    struct bytes challenge;         /* what an attestation covers; empty: 32 random bytes from random */
};
/* A new key. attestation, where not NULL, gets the blob that ssh-keygen -O write-attestation writes ("ssh-sk-attest-v01"). */
MUST_USE enum err sk_enroll(const struct sk_how *how, const struct sk_plan *plan, const struct random *random, struct privkey **out,
                            struct wr *attestation);

/* All resident keys of an authenticator whose application begins with "ssh:". Freed by sk_residents_free(). */
struct sk_resident {
    struct privkey *key;
    struct secret user;             /* as given when it was made; zeros for none, as OpenSSH does */
};
MUST_USE enum err sk_residents(const struct sk_how *how, struct sk_resident **out, size_t *n);
void sk_residents_free(struct sk_resident *list, size_t n);

#endif
