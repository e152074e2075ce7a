/* SPDX-License-Identifier: ISC */
/* What the parts of ssh-agent share. */
#ifndef SSH_AGENT_AGENTD_H
#define SSH_AGENT_AGENTD_H

#include <sys/types.h>

#include "agent/server.h"
#include "key/cert.h"
#include "kit/sk.h"

/* ---- where it listens (place.c) ---- */

struct place {
    char path[108];                 /* of the socket, as large as sun_path */
    char folder[108];               /* made for it and to be removed with it; empty: none */
    bool bound;                     /* path is ours: this process made it */
};
enum place_kind { PLACE_HOME, PLACE_TMP, PLACE_GIVEN, PLACE_LOGIN };
/* Choose the path; make the folders that it needs. Errors are said on stderr. False: no. */
bool place_choose(enum place_kind kind, const char *given, struct place *out);
/* A socket listening there, mode 0600, close-on-exec and non-blocking. -1: said why. */
int place_listen(struct place *p);
/* Remove what was made for it. */
void place_remove(const struct place *p);
/* Remove sockets in ~/.ssh/agent that nobody listens to: older than an hour, of this host or (every_host) of any. */
void place_clean(bool every_host);
/* Who listens at path, if it is this user's: its process number; 0: nobody does; -1: it cannot be told, with errno. */
pid_t place_listener(const char *path);
/* The descriptor of the lock under which the agent of this login is looked for and made; -1: said why. */
int place_lock(void);

/* ---- serving (serve.c) ---- */

struct serve {
    struct agent_setup setup;
    const struct place *place;
    int listener;
    int parent;                     /* pidfd: the agent ends with that process; -1: with none */
    enum fingerprint hash;
};
/* Before the socket listens: a signal that comes from then on ends the agent in order. False: said why. */
bool serve_signals(bool interruptible);
/* The place for keys. False: no memory for it. */
bool serve_ring(const struct serve *s);
/* Serves until a signal or the parent's end; removes the socket. The exit status. */
int serve(const struct serve *s);

/* ---- asking a person (ask.c) ---- */

/* What is to be confirmed, in lines; text from elsewhere is escaped. */
void ask_text_write(struct wr *w, const struct agent_question *q, enum fingerprint hash);
/* A line that names a key: "what COMMENT FINGERPRINT". */
void ask_key_write(struct wr *w, const char *what, const struct agent_question *q, enum fingerprint hash);

enum ask_kind { ASK_CONFIRM, ASK_TEXT, ASK_NOTICE };
/* An askpass program at work. */
struct ask {
    pid_t pid;                      /* 0: none */
    enum ask_kind kind;
    int pidfd, pipe;
    char said[300];                 /* what it answered, without its newline */
    size_t said_n;
};
#define ASK_NONE ((struct ask){.pidfd = -1, .pipe = -1})
/* Start it; ERR_NOT_FOUND: nobody can be asked. */
MUST_USE enum err ask_start(enum ask_kind kind, const char *text, struct ask *out);
/* Read what it says; true when it ended: *yes, and a->said until the next call. */
bool ask_turn(struct ask *a, bool *yes);
/* End it; wipe what it said. */
void ask_stop(struct ask *a);

/* ---- tokens (token.c) ---- */

/* End the helpers of providers that no key in the ring uses, whatever they are doing: who waits for it would be refused. */
void tokens_tidy(const struct agent *ring);

/* A signature under way, or a PKCS#11 provider that is being loaded. It stays where it is until it is dropped. */
struct token_work {
    struct pkcs11 *loading;
    struct sk_signing *sk;
    struct sk_how how;
    struct privkey *priv;           /* NULL: a PKCS#11 key */
    struct pubkey *pub;
    char *provider;
    const struct sig_alg *alg;
    struct secret data, pin;
    bool module_busy, queued;
    bool is_load, joined;           /* joined: another one, with the same PIN, has loaded what we waited for */
    struct token_work *next_load;
};
/* On an error nothing is under way. */
MUST_USE enum err token_load_begin(struct token_work *w, const struct agent_question *q);
MUST_USE enum err token_sign_begin(struct token_work *w, const struct agent_question *q);
int token_fd(const struct token_work *w);
/* out: the signature, or string blob and string label of each key.
 * ERR_AGAIN: not yet; call it when token_fd() is readable and every second. ERR_PASSPHRASE of an sk key: token_sign_again(). */
MUST_USE enum err token_sign_end(struct token_work *w, struct wr *out);
MUST_USE enum err token_sign_again(struct token_work *w, struct bytes pin);
void token_work_drop(struct token_work *w);

#endif
