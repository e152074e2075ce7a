/* SPDX-License-Identifier: ISC */
/* What the two processes of sshd-keys share: the slots, one a host key or certificate. */
#ifndef SSHD_KEYS_KEYS_H
#define SSHD_KEYS_KEYS_H

#include "key/key.h"
#include "priv/face_conf.h"
#include "priv/helpers.h"

/* What can be signed with. A certificate has the key of the slot that holds it. */
struct slot {
    struct privkey *priv;               /* NULL: an agent has it, or nobody */
    struct pubkey *pub;                 /* of an agent's key */
    const char *type;                   /* of the blob that travels; NULL: not a key */
    bool is_cert, is_sk;                /* is_sk: priv is a handle only, an authenticator signs */
};
extern struct slot slots[FACE_HOSTKEYS_MAX];
extern size_t slot_count;

/* Signs what was asked for, or does not, and sends the answer. */
void answer(const struct keys_ask *ask, int to);

/* ---- keeper.c: the process that starts ssh-sk-helper ---- */

/* Starts it if any slot is an authenticator's. provider: its library, or "internal". Before the jail. ERR_SYSTEM. */
MUST_USE enum err keeper_start(const char *provider);
/* Whether this process leaves authenticators to the keeper. */
bool keeper_is_asked(void);
/* Has the keeper answer the question; does not return when it is gone, as our successor starts another. */
MUST_USE enum err keeper_ask(const struct keys_ask *ask, struct wr *sig);
/* In the keeper: a signature by an authenticator. */
MUST_USE enum err keeper_sign(const struct privkey *k, const struct sig_alg *alg, struct bytes msg, struct wr *sig);

#endif
