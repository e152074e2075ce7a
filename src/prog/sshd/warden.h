/* SPDX-License-Identifier: ISC */
/* A warden: root's half of one connection. It knows the truth about who is logged in; its face only claims. Everything that a face
 * sends is one of the fixed messages of priv/face.h. */
#ifndef SSHD_WARDEN_H
#define SSHD_WARDEN_H

#include "key/authorized_keys.h"
#include "os/log.h"
#include "priv/face.h"
#include "sshd/login.h"
#include "sshd/server.h"

#define METHOD_LISTS_MAX 64
#define SESSION_ID_MAX 64
#define PROVEN_KEYS_MAX 8
#define AUTH_INFO_MAX (1U << 18)

/* methods.c: AuthenticationMethods, as far as it is still to be done. */
struct methods {
    const struct sshd_conf *conf;
    const char *rest[METHOD_LISTS_MAX];     /* what a list still wants; views into the configuration */
    size_t n;                               /* 0: any one method */
};
void methods_init(struct methods *m, const struct sshd_conf *conf);
/* May this method be tried now? Enabled, and the next in some list. */
bool methods_may(const struct methods *m, const char *method);
/* It was proven: true if that is enough, else the lists are shorter now. */
bool methods_done(struct methods *m, const char *method);
/* Names that can go on, comma separated, NUL-terminated. */
void methods_text(const struct methods *m, char *out, size_t cap);

/* options.c's cousin for keys, key_merge.c: what both permit. ERR_DENIED: they contradict each other (two forced commands). */
MUST_USE enum err key_options_merge(struct key_options *into, const struct key_options *more);

/* A session channel. */
struct warden_session {
    uint32_t chan;
    bool started, closed;                   /* closed: the channel is gone, what runs may run on */
    bool has_pty;
    struct session_pty pty;
    struct session_env env;
    struct session session;
    char auth_info[AUTH_INFO_PATH_MAX];
};

/* A key that is listed. */
struct asked_key {
    struct bytes blob;                      /* its copy is the end of this */
    uint8_t sha256[32];                     /* of the key itself, without the certificate around it */
    bool plain;                             /* no restrictions: options is not there */
    struct key_options *options;            /* the line's, and the certificate's with them */
    uint32_t line;
    char where[1024], detail[1024], cert[1536];     /* for the log; cert: of a certificate, who it is and who signed it */
};

struct warden {
    struct server *server;
    uint32_t serial;
    int chan, face;                         /* face: its pidfd, or -1 */
    struct ask_turns turns;
    struct link_ends link;
    struct address local;
    uint64_t grace_us;                      /* when the time to log in is over; UINT64_MAX: never, or logged in */
    char peer_ident[IDENT_MAX * 4 + 1];     /* escaped */

    /* who wants in: all of this is flushed when the user or the service changes */
    bool user_known;
    char user[USER_NAME_MAX * 4 + 1];       /* as it goes into the log: escaped; a name with an escape in it is nobody's */
    struct ask_who who;                     /* as it came, for signed texts */
    struct account account;
    struct sshd_conf *conf;                 /* for this user */
    bool allowed;                           /* access rules: else nothing succeeds, at the usual cost */
    struct methods methods;
    struct key_options *options;            /* what the proven keys permit together; NULL: no key was needed yet */
    uint8_t proven_key[PROVEN_KEYS_MAX][32];    /* the same key does not count twice */
    size_t proven_key_count;
    bool change_password;                   /* logged in with an expired password: passwd(1) and nothing else */
    bool prompting;                         /* keyboard-interactive: a prompt is out */

    /* what was found out about a key last, so that the signature that follows a query need not ask again */
    struct asked_key *asked;
    struct wr auth_info;                    /* ExposeAuthInfo: a line for each method that succeeded */

    unsigned attempts, failures;
    bool tried;                             /* something else than "none" */

    /* the truth */
    uint32_t hostkey;                       /* that signed the first exchange hash */
    uint8_t session_id[SESSION_ID_MAX];
    size_t session_id_n;
    uint64_t seal_key;                      /* random, of this process */
    uint64_t seal;                          /* over key, user and session id once authenticated */

    struct warden_session **sessions;
    size_t session_count, session_cap;
    struct hand hand;
    bool hand_used;
    uint32_t agent_question;                /* agent forwarding was asked for, the hand has not answered; UINT32_MAX: nobody waits for it; 0: no */
};

/* What only lives from a question to its answer: large, and not wanted in an idle session. One use at a time. */
union warden_scratch {
    struct { struct keys_say got; struct say_signed say; } sign;
    struct say_banner banner;
    struct say_ext ext;
    struct say_group group;
    union { struct verify_ask small; struct verify_ask_big big; } verify;
    struct { struct judge_ask ask; struct judge_say say; struct key_options limits; } judge;
};
extern union warden_scratch warden_scratch;

/* warden.c */
/* Give back the memory that only questions needed. */
void warden_trim(void);
NORETURN void warden_exit(struct warden *w, enum warden_exit status);
/* The face broke a rule: it is killed, the line says why. */
NORETURN void warden_guilt(struct warden *w, const char *what, enum err e);
void warden_say(struct warden *w, const void *msg, const int *fds, size_t fd_count);
/* Milliseconds that a helper may take: until the end of the grace time, at most `most`. */
unsigned warden_patience_ms(const struct warden *w, unsigned most);
/* A question and the descriptors that go with it. */
struct helper_ask {
    const void *p;
    size_t n;
    const int *fds;
    size_t fd_count;
};
/* Ask a helper over its shared line; `answer` gets exactly n_answer bytes. Asks again if the helper died over it. */
MUST_USE enum err warden_ask_helper(struct warden *w, int line, const struct helper_ask *ask, void *answer, size_t n_answer);
/* Logged in, by the seal and the stage both. */
bool warden_authenticated(const struct warden *w);
void warden_seal(struct warden *w);

/* warden_auth.c, warden_key.c */
void warden_sign(struct warden *w, const struct ask_sign *ask);
void warden_prove(struct warden *w, const struct ask_prove *ask);
void warden_group(struct warden *w, const struct ask_group *ask);
void warden_auth_other(struct warden *w, const struct ask_auth_other *ask);
void warden_auth_secret(struct warden *w, const struct ask_auth_secret *ask);
void warden_auth_key(struct warden *w, const struct ask_key_head *head, struct bytes key, struct bytes sig);
void warden_flush_user(struct warden *w);

/* warden_log.c */
/* "user bob 1.2.3.4 port 5", "authenticating user ...", "invalid user ...", or only the address. */
const char *warden_peer(const struct warden *w, char *out, size_t cap);
/* " [preauth]" before login, else "". */
const char *warden_phase(const struct warden *w);
void warden_bye(struct warden *w, const struct ask_bye *bye);

/* warden_session.c */
void warden_pty(struct warden *w, const struct ask_pty *ask);
void warden_env(struct warden *w, const struct ask_env *ask);
void warden_start_session(struct warden *w, uint32_t question, uint32_t chan, uint32_t kind, struct bytes command);
void warden_signal(struct warden *w, const struct ask_signal *ask);
void warden_close(struct warden *w, const struct ask_close *ask);
void warden_connect(struct warden *w, const struct ask_connect *ask);
void warden_listen(struct warden *w, const struct ask_listen *ask);
void warden_agent(struct warden *w, const struct ask_agent *ask);
void warden_hand_read(struct warden *w);
/* A session's pidfd is readable. */
void warden_reap(struct warden *w, struct warden_session *s);
void warden_sessions_end(struct warden *w);
void warden_title(struct warden *w);

#endif
