/* SPDX-License-Identifier: ISC */
/* The agent protocol (RFC 9987), the client's end: requests as messages, answers taken apart. Pure. Requests are written whole, with
 * their u32 length; an answer is what follows its length. */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "base/rd.h"
#include "base/wr.h"
#include "key/key.h"

#define AGENT_MESSAGE_MAX 262144    /* OpenSSH's limit for an answer */
#define AGENT_KEYS_MAX    2048      /* identities listened to */

/* RFC 9987 3.6.1: flags of a signature request. */
enum { AGENT_RSA_SHA2_256 = 2, AGENT_RSA_SHA2_512 = 4 };

/* An answer without contents. ERR_DENIED: SSH_AGENT_FAILURE or SSH_AGENT_EXTENSION_FAILURE; ERR_FORMAT: anything but success. */
MUST_USE enum err agent_success_parse(struct bytes answer);

/* SSH_AGENTC_REQUEST_IDENTITIES, whole with its length. */
void agent_list_write(struct wr *w);

struct agent_key {
    struct bytes blob, comment;     /* views into the answer; comment raw */
};
/* Begin with the answer to a list: *r stands at the first key, *count says how many there are. ERR_DENIED: the agent refused;
 * ERR_FORMAT, ERR_TRUNCATED: not such an answer; ERR_BUDGET: more than AGENT_KEYS_MAX. */
MUST_USE enum err agent_list_begin(struct bytes answer, struct rd *r, uint32_t *count);
MUST_USE enum err agent_list_next(struct rd *r, struct agent_key *out);

/* SSH_AGENTC_SIGN_REQUEST, whole with its length. */
void agent_sign_write(struct wr *w, struct bytes key_blob, struct bytes data, uint32_t flags);
/* The signature blob. ERR_DENIED: the agent refused. */
MUST_USE enum err agent_sign_parse(struct bytes answer, struct bytes *out);

/* session-bind@openssh.com (PROTOCOL.agent): tells the agent which host this connection serves, with that host's proof. */
void agent_bind_write(struct wr *w, struct bytes hostkey, struct bytes session_id, struct bytes signature, bool forwarding);

/* ---- what holds for a key that is added (RFC 9987 3.2.7, PROTOCOL.agent 2) ---- */

struct agent_hop_key {
    struct bytes blob;
    bool ca;
};
struct agent_hop_spec {
    struct bytes user, host;            /* a first hop has no host and no keys; only a destination may have a user */
    const struct agent_hop_key *keys;
    size_t keys_n;
};
struct agent_destination {
    struct agent_hop_spec from, to;
};
struct agent_limits {
    uint32_t lifetime_s;                /* 0: none */
    bool confirm;
    const char *sk_provider;            /* NULL: none */
    const struct agent_destination *destinations;
    size_t destinations_n;
};
/* SSH_AGENTC_ADD_IDENTITY, or ADD_ID_CONSTRAINED where limits (may be NULL) hold anything. cert: the
 * certificate under which the key is to be listed; NULL: plainly. The writer is the caller's to wipe. */
void agent_add_write(struct wr *w, const struct pubkey *cert, const struct privkey *k, struct bytes comment,
                     const struct agent_limits *limits);
/* SSH_AGENTC_ADD_SMARTCARD_KEY or its constrained form. certs: packed blobs of certificates for the token's keys; certs_only: only these. */
void agent_token_add_write(struct wr *w, struct bytes provider, struct bytes pin, const struct agent_limits *limits, struct bytes certs,
                           bool certs_only);
void agent_token_remove_write(struct wr *w, struct bytes provider, struct bytes pin);
void agent_remove_write(struct wr *w, struct bytes key_blob);
void agent_remove_all_write(struct wr *w);
/* lock: SSH_AGENTC_LOCK, else SSH_AGENTC_UNLOCK. */
void agent_lock_write(struct wr *w, bool lock, struct bytes passphrase);

/* Extension "query" (RFC 9987 3.8.1): which others there are. begin: *r stands at the first name, each a string. ERR_DENIED: it does not say. */
void agent_query_write(struct wr *w);
MUST_USE enum err agent_query_begin(struct bytes answer, struct rd *r);

/* ---- an extension of our own: what an agent knows of its keys beside their names ----
 * Request: string "key-facts@nacre". Answer, to connections that are bound to no session: SSH_AGENT_EXTENSION_RESPONSE, string
 * "key-facts@nacre", then for each key a string that holds: string blob, string comment, u32 seconds it still lives, bool confirm,
 * u32 signatures made, u32 seconds since the last one, string what for, string provider, string (string destination ...). */
#define AGENT_FACTS_NAME "key-facts@nacre"
#define AGENT_NEVER      0xffffffffu

struct agent_facts {                    /* views into the answer; all texts raw */
    struct bytes blob, comment;
    uint32_t life_s, uses, idle_s;      /* AGENT_NEVER: lives for ever, was never used */
    bool confirm;
    struct bytes used_for, provider;
    struct bytes destinations;          /* packed strings, "src>user@dst" each */
};
void agent_facts_write(struct wr *w);
/* As the list: *r stands at the first key. ERR_DENIED: this agent does not know the extension, or not to us. */
MUST_USE enum err agent_facts_begin(struct bytes answer, struct rd *r);
MUST_USE enum err agent_facts_next(struct rd *r, struct agent_facts *out);

#endif
