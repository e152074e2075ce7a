/* SPDX-License-Identifier: ISC */
/* Keys that live on a FIDO authenticator (PROTOCOL.u2f): a file holds only the handle by which the authenticator finds the key. This room
 * verifies, keeps files, and puts together what an authenticator returned; only ssh-sk-helper talks to one. */
#ifndef KEY_SK_H
#define KEY_SK_H

#include "key/key.h"

/* Signatures that a browser had made: another form, made by no program of ours. */
#define SIG_WEBAUTHN "webauthn-sk-ecdsa-sha2-nistp256@openssh.com"

/* The flags of a private key file, as the provider interface has them too; the first two with the same values in a signature. */
enum { SK_PRESENCE = 0x01, SK_VERIFY = 0x04, SK_FORCE = 0x10, SK_RESIDENT = 0x20 };
#define SK_HANDLE_MAX 8192      /* CTAP2 handles are below 1 KB; software ones may hold a wrapped key */

/* The private half: views into the key. */
struct sk_private {
    uint8_t flags;
    struct bytes application, handle, reserved;
};
/* False: a key whose secret is here. */
bool privkey_sk(const struct privkey *k, struct sk_private *out);

/* A key as an authenticator enrolled it. type: "sk-ssh-ed25519@openssh.com" or "sk-ecdsa-sha2-nistp256@openssh.com"; public_key: 32 bytes, or an
 * uncompressed point. ERR_KEY_TYPE, ERR_KEY_INVALID. */
MUST_USE enum err privkey_sk_new(const char *type, struct bytes public_key, const struct sk_private *half, struct privkey **out);
/* What the file of an sk key asks for from now on (ssh-keygen -p -O). ERR_KEY_TYPE: not such a key. */
MUST_USE enum err privkey_sk_set_flags(struct privkey *k, uint8_t flags);

/* What an authenticator answered. r: the 64 bytes of an ed25519 signature, s empty; or both numbers of an ECDSA one, big endian. */
struct sk_answer {
    uint8_t flags;
    uint32_t counter;
    struct bytes r, s;
};
/* Appends the signature blob: string type, string signature, byte flags, u32 counter. ERR_KEY_TYPE: not an sk key; ERR_SIGNATURE: sizes that
 * no signature has. Does not verify: pubkey_verify_facts(). */
MUST_USE enum err sk_signature_write(const struct pubkey *k, const struct sk_answer *a, struct wr *out);

#endif
