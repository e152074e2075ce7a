/* SPDX-License-Identifier: ISC */
/* What the parts of the agent share: the ring, the constraints, the bindings. */
#ifndef AGENT_IMPL_H
#define AGENT_IMPL_H

#include "agent/server.h"
#include "base/limits.h"

enum message {
    MSG_FAILURE = 5, MSG_SUCCESS = 6, MSG_LIST = 11, MSG_LIST_ANSWER = 12, MSG_SIGN = 13, MSG_SIGN_RESPONSE = 14, MSG_ADD = 17,
    MSG_REMOVE = 18, MSG_REMOVE_ALL = 19, MSG_ADD_TOKEN = 20, MSG_REMOVE_TOKEN = 21, MSG_LOCK = 22, MSG_UNLOCK = 23,
    MSG_ADD_CONSTRAINED = 25, MSG_ADD_TOKEN_CONSTRAINED = 26, MSG_EXTENSION = 27, MSG_EXTENSION_FAILURE = 28,
    MSG_EXTENSION_RESPONSE = 29
};

/* ---- constraints (constrain.c) ---- */

struct hop_key {
    struct pubkey *key;
    bool ca;
};
struct hop {
    struct bytes user, host;            /* owned */
    struct hop_key *keys;
    size_t keys_n;
};
struct destination {
    struct hop from, to;
};
struct constraints {
    bool has_lifetime, confirm;
    uint64_t lifetime_us;
    struct destination *dests;
    size_t dests_n;
    bool has_certs, certs_only;
    struct bytes sk_provider;           /* view into the request; empty: not said */
    struct bytes certs;                 /* likewise: packed key blobs */
};
/* All constraints up to the end of r. Anything unknown, twice, or malformed is an error: never a weaker key (RFC 9987 3.2.7). */
MUST_USE enum err constraints_parse(struct rd *r, struct constraints *out);
void constraints_clear(struct constraints *c);
/* May a key with these destinations go from one host key to another? from NULL: this machine; to NULL: to any at all; user NULL: any.
 * The constraint that says so, or NULL. */
const struct destination *destination_find(const struct constraints *c, const struct pubkey *from, const struct pubkey *to, const struct bytes *user);
/* One as ssh-add takes it: "src>user@dst". */
void destination_write(struct wr *w, const struct destination *d);

/* ---- the ring (ring.c) ---- */

struct identity {
    struct identity *next;
    struct pubkey *pub;                 /* what is listed: a key or a certificate */
    struct privkey *priv;               /* NULL: in a PKCS#11 token */
    struct secret comment;
    char *provider;                     /* a token's library or an sk provider; NULL: none */
    struct constraints limits;
    uint64_t death_us;                  /* UINT64_MAX: never */
    uint64_t used_us;                   /* of the last signature */
    uint32_t uses;
    char used_for[256];                 /* the last purpose, in words */
    size_t cost;                        /* bytes of the request that brought it */
};
void identity_free(struct identity *id);

struct lock {
    bool on;
    uint8_t salt[16], hash[32];
    uint32_t failures;
    uint64_t next_try_us;
};

struct agent {
    struct agent_setup setup;
    struct identity *ring;
    size_t keys_n, cost, list_size;     /* list_size: bytes of the answer to a list */
    struct lock lock;
    uint64_t wall_s;                    /* for certificates of hosts */
};
struct identity *ring_find(const struct agent *a, struct bytes blob);
/* Put in, in the place of one with the same blob or at the end; takes id. ERR_BUDGET: the ring is full (id is freed). */
MUST_USE enum err ring_put(struct agent *a, struct identity *id);
void ring_remove(struct agent *a, struct identity *id);

/* ---- connections (bind.c) ---- */

struct binding {
    struct pubkey *hostkey;
    uint8_t session_id[AGENT_SESSION_ID_MAX];
    size_t session_id_n;
    bool forwarding;
};
/* What was already answered for the request at hand. */
struct answers {
    bool confirmed, waited, said_no;
    struct secret path, token;
    bool have_path, have_token;
};
struct agent_conn {
    struct binding bindings[AGENT_BINDINGS_MAX];
    size_t bindings_n;
    bool bind_tried;
    bool forwarded;                     /* some hop forwards: what asks is not this machine's */
    bool asking;
    struct secret request;              /* the one that waits for an answer */
    struct answers answers;
    struct agent_question question;
};
MUST_USE enum err session_bind(struct agent_conn *c, struct rd *r, uint64_t wall_s);
/* May this connection see the key? */
bool key_visible(const struct agent_conn *c, const struct identity *id);

/* What a text to be signed is (signed.c). Views into it. */
struct purpose {
    enum agent_purpose kind;
    struct bytes session_id, user, hostkey;     /* LOGIN; hostkey empty: not bound to a host */
    struct bytes space;                         /* SSHSIG */
};
struct purpose purpose_find(struct bytes data, struct bytes key_blob);
/* May this connection have that signed by the key? */
bool sign_permitted(const struct agent_conn *c, const struct identity *id, const struct purpose *p);
/* Is the login text for the session and host of the last binding? */
bool login_proved(const struct agent_conn *c, const struct purpose *p);

/* ---- requests ---- */

struct call {
    struct agent *a;
    struct agent_conn *c;
    struct rd r;                        /* after the type */
    size_t size;                        /* of the whole request */
    uint8_t type;
    uint64_t now_us;
    struct wr *reply;                   /* inside the answer's length */
};
/* Handlers: ERR_NONE: the answer is written. ERR_AGAIN: a question is open. Else: failure. */
MUST_USE enum err do_add(struct call *k);               /* add.c */
MUST_USE enum err do_add_token(struct call *k);
MUST_USE enum err do_remove_token(struct call *k);
MUST_USE enum err do_sign(struct call *k);              /* sign.c */
MUST_USE enum err do_lock(struct call *k);              /* lock.c */
MUST_USE enum err do_unlock(struct call *k);
MUST_USE enum err do_facts(struct call *k);             /* facts.c */

/* Open a question: fills kind, the handler the rest. */
struct agent_question *question_open(struct call *k, enum agent_question_kind kind);

#endif
