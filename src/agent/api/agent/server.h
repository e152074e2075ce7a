/* SPDX-License-Identifier: ISC */
/* The agent itself (RFC 9987 and OpenSSH's PROTOCOL.agent): a ring of keys and what is known of each connection to it. Pure: requests come
 * in as messages, answers go out as messages, time comes in as `now_us` (a clock that does not stop while the machine sleeps), and
 * what only a person, a file system or a token can say leaves as a question. */
#ifndef AGENT_SERVER_H
#define AGENT_SERVER_H

#include "agent/agent.h"
#include "base/random.h"
#include "base/secret.h"
#include "key/key.h"

#define AGENT_RING_MAX         (16u << 20)  /* bytes of all requests that added keys */
#define AGENT_SESSION_ID_MAX   128          /* as OpenSSH */
#define AGENT_BINDINGS_MAX     16           /* hops on one connection, as OpenSSH */
#define AGENT_DESTINATIONS_MAX 1024         /* of one key, as OpenSSH */
#define AGENT_CERTS_MAX        1024         /* beside the keys of one token, as OpenSSH */

struct agent_setup {
    const struct random *random;
    uint64_t lifetime_us;           /* of keys added without one; 0: for ever */
    bool restrict_websafe;          /* sk keys of applications outside websafe_allow sign only what is plainly SSH */
    const char *websafe_allow;      /* pattern list; NULL: "ssh:*" */
    const char *provider_allow;     /* pattern list of canonical paths */
    bool remote_providers;          /* connections that are bound to a session may name providers */
};

struct agent;
struct agent_conn;                  /* one connection: its bindings and its open question */

/* The strings of setup must live as long. NULL: out of memory. free wipes every key. */
struct agent *agent_new(const struct agent_setup *setup);
void agent_free(struct agent *a);
struct agent_conn *agent_conn_new(void);
void agent_conn_free(struct agent_conn *c);

/* Seconds since 1970, against which certificates of hosts are held; to be set before agent_take(). */
void agent_wall_clock(struct agent *a, uint64_t now_s);

enum agent_step {
    AGENT_REPLIED,                  /* the answer stands in `reply`, whole with its length */
    AGENT_ASKS                      /* see agent_question(); until agent_answer() take nothing more from this connection */
};
/* One request without its length. Any bytes are answered; those that are wrong with SSH_AGENT_FAILURE. The caller wipes request
 * and reply. A failed `reply` writer means: end the connection. */
enum agent_step agent_take(struct agent *a, struct agent_conn *c, struct bytes request, uint64_t now_us, struct wr *reply);

enum agent_question_kind {
    AGENT_CONFIRM,                  /* may key be used for this purpose? */
    AGENT_WAIT,                     /* nothing to decide: answer yes when until_us has come (wrong passwords cost time) */
    AGENT_PATH,                     /* bytes of the answer: the canonical path of provider; no: there is no such file */
    AGENT_TOKEN_KEYS,               /* load the keys of provider with pin. Bytes: for each a string blob and a string comment */
    AGENT_TOKEN_SIGN                /* bytes: a signature blob over data, by the token that has key */
};
enum agent_purpose { AGENT_FOR_OTHER, AGENT_FOR_LOGIN, AGENT_FOR_SSHSIG };
struct agent_hop {
    struct bytes hostkey;           /* proved by its signature over the session id */
    struct bytes name;              /* as a destination constraint of the key calls it; empty: none does */
    bool forwarding;
};
struct agent_question {
    enum agent_question_kind kind;
    const struct pubkey *key;
    struct bytes comment;           /* raw */
    /* CONFIRM: who asks. The hops in order from this machine; none: a program here that did not say for whom */
    struct agent_hop hops[AGENT_BINDINGS_MAX];
    size_t hops_n;
    bool bind_failed;               /* it tried to say for whom, and the proof was bad */
    enum agent_purpose purpose;
    struct bytes user;              /* LOGIN: the user name to be logged in */
    bool login_proved;              /* LOGIN: the text is for the session of the last hop */
    struct bytes sshsig_namespace;  /* SSHSIG */
    /* TOKEN_SIGN */
    const struct privkey *priv;     /* an sk key's handle; NULL: a PKCS#11 key */
    const struct sig_alg *alg;
    struct bytes data;
    /* PATH, TOKEN_* */
    struct bytes provider;          /* a path, no NUL inside; empty: the built-in one */
    struct bytes pin;
    uint64_t until_us;              /* WAIT */
};
/* After AGENT_ASKS; its views live until the next call that has to do with this agent. */
const struct agent_question *agent_question(const struct agent_conn *c);
/* The answer. The request is looked at again as a whole, so that what changed meanwhile (locked, removed, expired) counts; it may ask
 * a further question. bytes are copied. */
enum agent_step agent_answer(struct agent *a, struct agent_conn *c, bool yes, struct bytes bytes, uint64_t now_us, struct wr *reply);

/* When the next key's life ends (UINT64_MAX: none); drop those whose time has come. agent_take() does so by itself. */
uint64_t agent_deadline(const struct agent *a);
void agent_expire(struct agent *a, uint64_t now_us);
/* Drop every key (a signal asked for it). */
void agent_clear(struct agent *a);
size_t agent_key_count(const struct agent *a);
/* Is there a key on a token of this provider? */
bool agent_uses_provider(const struct agent *a, const char *path);

#endif
