/* SPDX-License-Identifier: ISC */
/* What a login needs on the server: accounts, access rules, authorized keys, passwords, sessions, the hand. Called by the warden
 * (root, one per connection), or by an ordinary user's sshd for that user alone. Whatever reads text that a user wrote runs in
 * a process of that user: the warden gets fixed-size answers. Nothing here logs: texts for the log are handed back, free of
 * control characters where they hold foreign text. No function keeps a pointer it was given. The children made here are waited for by
 * pid: the caller must not wait for any child (waitpid(-1)) nor ignore SIGCHLD. */
#ifndef SSHD_LOGIN_H
#define SSHD_LOGIN_H

#include <signal.h>
#include <sys/types.h>

#include "base/bytes.h"

struct sshd_conf;               /* conf/sshd.h: the settings of this connection, Match blocks applied */
struct key_options;             /* key/authorized_keys.h: fixed size, no pointers */
struct judge_say;               /* priv/helpers.h: what the verifier says of a certificate */

/* Once, at the start of the program (after every re-execution), before it changes any resource limit: sessions get these limits back. Also loads
 * what look-ups of users need, for all children. */
void login_init(void);

/* ---- both ends of the connection ---- */

struct link_ends {
    char client_addr[64];       /* numeric; "UNKNOWN" when there is none (sshd -i on a socketpair; the ports are 65535 then) */
    char client_host[256];      /* what UseDNS found, else the same as client_addr */
    char server_addr[64];
    uint16_t client_port, server_port;
};

/* ---- accounts (account.c) ---- */

#define ACCOUNT_GROUPS_MAX 128

struct account {
    char name[256], home[1024], shell[256];     /* shell empty in passwd: /bin/sh */
    uid_t uid;                  /* of an account that is not valid: (uid_t)-1, never used */
    gid_t gid;
    gid_t groups[ACCOUNT_GROUPS_MAX];           /* with the primary one */
    uint32_t groups_n;          /* more than ACCOUNT_GROUPS_MAX: the list is not held, account_become() asks the system again */
    bool valid;                 /* the system knows it */
    bool shadow;                /* its shadow entry could be read: the four below mean something */
    bool locked;                /* hash begins with '!' */
    bool expired;               /* sp_expire has passed */
    bool must_change;           /* the password has expired: the session may only change it, as OpenSSH does */
    bool no_password;           /* the hash is empty */
    int32_t expires_days, password_days;        /* days left when a warning is due; -1: no warning */
};

/* Looks the name up (getpwnam, getgrouplist, getspnam). A name that is unknown, too long, or holds a control character gives an
 * invalid account with the same work done; only the fields name (escaped) and valid say anything then. Cannot fail: a system
 * error is an invalid account. */
void account_find(const char *name, struct account *out);

/* In a child: become the account for good: groups, gid, uid (real, effective, saved), checked to be irrevocable. As an ordinary user:
 * only checks that it is that user. ERR_SYSTEM or ERR_DENIED: the caller must _exit. */
MUST_USE enum err account_become(const struct account *a);

/* ---- access rules (access.c) ---- */

/* VERDICT_GOOD: the rules let this account try to log in (valid, AllowUsers, DenyUsers, AllowGroups, DenyGroups with USER@HOST, shell there and
 * executable, not locked (unless UsePAM),
     not expired; an ordinary user's sshd: the own account only). Else `reason` gets OpenSSH's line ("User bob from
 * 10.0.0.1 not allowed because not listed in AllowUsers", "Invalid user bob from 10.0.0.1 port 22"), to be logged once; the warden then treats
 * the user like an unknown one in everything the peer sees. reason is "" when nothing is to be said. */
MUST_USE enum verdict access_check(const struct account *a, const struct sshd_conf *conf, const struct link_ends *link, char *reason,
                                   size_t reason_size);

/* PermitRootLogin, asked when a method would succeed. Always good for others than uid 0. by_password: password and
 * keyboard-interactive. forced_command: the key's options hold command= (or a certificate's force-command). reason: "ROOT LOGIN REFUSED
 * FROM ... port ..." when BAD; "Root login accepted for forced command." when good by that alone; else "". */
MUST_USE enum verdict access_root_check(const struct account *a, const struct sshd_conf *conf, const struct link_ends *link,
                                        bool by_password, bool forced_command, char *reason, size_t reason_size);

/* ---- authorized keys and principals (keyfile.c, keycommand.c): a one-shot reader process as the user ---- */

struct keys_answer {
    enum verdict found;         /* VERDICT_GOOD: the key (or the certificate's CA, or one of its principals) is listed, from= and expiry-time= hold */
    bool plain;                 /* found, and the line has no options: NULL may stand for *options, which is large */
    bool refuses;               /* a line for a principal of the certificate that does not let it in: no other source may, either */
    char file[1024];            /* where, for "Accepted key ... found at FILE:LINE" */
    uint32_t line;
    bool is_error;              /* the note is one that an administrator must see */
    char note[1024];            /* when not empty: a line for the log whatever was found ("Authentication refused: bad ownership ...") */
};

enum keys_source {
    KEYS_FILES,                 /* AuthorizedKeysFile, as the user */
    KEYS_COMMAND,               /* AuthorizedKeysCommand's output, as `runner` */
    KEYS_PRINCIPALS_FILE,       /* AuthorizedPrincipalsFile, as the user */
    KEYS_PRINCIPALS_COMMAND     /* AuthorizedPrincipalsCommand's output, as `runner` */
};
/* Is the key blob listed there? Starts the reader, waits at most timeout_ms, ends it in any case, and with it what it started. The
 * files are opened as the user; StrictModes, regular files only, size bounded. options: untouched unless found is good. For an
 * account that is invalid or `allowed` false the answer is "no" after like work. ERR_SYSTEM, ERR_TIMEOUT: treat as "no". */
struct keys_question {
    enum keys_source source;
    const struct account *runner;       /* of commands: who runs them */
    const struct judge_say *cert;       /* the blob is a certificate; NULL: a plain key */
    const struct account *account;
    bool allowed;               /* access_check() was good */
    const struct sshd_conf *conf;
    const struct link_ends *link;
    struct bytes blob;          /* opaque */
    unsigned timeout_ms;
};
MUST_USE enum err keys_ask(const struct keys_question *q, struct key_options *options, struct keys_answer *out);

/* "SHA256:..." of a key blob, or "MD5:.." (how: enum conf_fingerprint_hash), for log lines. Always NUL-terminated. */
void blob_fingerprint(struct bytes blob, int how, char out[64]);

/* ---- passwords (password.c): a one-shot sshd-auth process ---- */

struct password_ask {
    pid_t pid;                  /* 0: none was started */
    int fd;                     /* readable when the answer is there; -1: none */
    bool may;                   /* what the rules say, whatever crypt says */
};

/* Starts the check of a password for the account. auth_exe: descriptor of sshd-auth, opened at start (fexecve). The shadow
 * hash goes to the child and is wiped here. An unknown, refused (allowed false) or locked account, an empty password without PermitEmptyPasswords,
 * and a password above PASSWORD_MAX cost the same and end BAD. PermitRootLogin is the caller's (access_root_check). */
MUST_USE enum err password_start(const struct account *a, bool allowed, const struct sshd_conf *conf, struct bytes password,
                                 int auth_exe, struct password_ask *out);
/* The answer; waits at most timeout_ms for it, then ends the child. Call once for each start. ERR_TIMEOUT, ERR_SYSTEM: *out is BAD. */
MUST_USE enum err password_finish(struct password_ask *p, unsigned timeout_ms, enum verdict *out);
/* Give up (the peer is gone). Safe on a finished one. */
void password_drop(struct password_ask *p);

/* ---- sessions (session.c, environ.c, records.c) ---- */

/* Variables the client asked for and AcceptEnv let through. Grows on the heap, bounded. */
#define SESSION_ENV_BYTES_MAX 32768
struct session_env {
    char *text;                 /* NAME=VALUE\0 ... */
    size_t n, cap;
};
/* "env" request. ERR_DENIED: not in AcceptEnv (or a name with '=', an empty one). ERR_NOSPACE: the bound; ERR_NOMEM. A name that came
 * before is replaced. */
MUST_USE enum err session_env_add(struct session_env *e, const struct sshd_conf *conf, const char *name, const char *value);
void session_env_done(struct session_env *e);

enum session_kind { SESSION_SHELL, SESSION_EXEC, SESSION_SUBSYSTEM };

struct session_pty {
    char term[256];             /* TERM; empty: not set */
    uint32_t cols, rows, width_px, height_px;
    uint8_t modes[1024];        /* RFC 4254 8, as received */
    uint32_t modes_n;
};

struct session_spec {
    const struct account *account;
    const struct sshd_conf *conf;
    const struct key_options *options;          /* intersection over all that was proven; NULL: no restriction */
    const struct link_ends *link;
    const struct session_env *env;              /* or NULL */
    enum session_kind kind;
    const char *command;        /* EXEC: the command; SUBSYSTEM: its name; SHELL: ignored. NUL-terminated, otherwise opaque */
    const struct session_pty *pty;              /* NULL: none. (Whether one may be had: session_pty_check().) */
    const char *agent_path;     /* SSH_AUTH_SOCK; NULL: no agent was forwarded */
    const char *auth_info;      /* SSH_USER_AUTH, from auth_info_write(); NULL: none */
    bool change_password;       /* logged in by password and account->must_change: run passwd(1) and nothing else */
    int log_fd;                 /* where the log goes; below 1: syslog */
    const char *notices;        /* printed first with a pty and no command, e.g. what the login has to say; or NULL */
    unsigned timeout_ms;        /* for the child to report that its terminal stands */
};

struct session {
    pid_t pid;                  /* also its process group and session id; 0: none */
    int pidfd;                  /* readable when it ended */
    char tty[64];               /* "/dev/pts/3"; empty: none */
    bool forced;                /* runs a forced command: no signals from the client */
    bool is_subsystem;
    bool recorded;              /* in utmp */
    /* Descriptors for the face; the warden passes them on and closes them (session_ends_close). pty: only `master`, else
     * the three others. */
    int master, sink, source, source_err;       /* -1 where there is none; write ours to sink, read output from source */
    int files;                  /* instead: the line to a file hand (kit/files.h) */
};

/* PermitTTY, no-pty/restrict: may this login have a terminal? */
MUST_USE enum verdict session_pty_check(const struct sshd_conf *conf, const struct key_options *options);

/* Starts the shell, command or subsystem as the account. The child becomes the user, opens the terminal (or gets pipes that the user owns),
 * applies modes and size, waits until the login is recorded, builds the environment, runs rc files, and executes with signals at default,
 * limits of a login and descriptors 0-2 only. ForceCommand and command= are obeyed here. Errors: ERR_DENIED (no such subsystem, pty not
 * permitted), ERR_SYSTEM (fork, pty), ERR_TIMEOUT; nothing is left running then. Failures after that point are told to the user on the
 * session's own stderr and end it with 1 or 254, as OpenSSH does. */
MUST_USE enum err session_start(const struct session_spec *spec, struct session *out);
/* Closes master, sink, source, source_err, files here. */
void session_ends_close(struct session *s);

struct session_exit {
    bool by_signal;
    uint32_t status;            /* exit status, or */
    char signal[16];            /* "TERM" without SIG, RFC 4254 6.10; all others "SIG@openssh.com" */
    bool core;
};
/* Never waits. ERR_AGAIN: it still runs. ERR_NONE: it ended and was reaped; pid and pidfd are gone. Records the logout of its terminal. */
MUST_USE enum err session_reap(struct session *s, const struct account *a, struct session_exit *out);
/* "signal" request: to the process group, sent by a process of the user. ERR_DENIED (forced command, subsystem), ERR_UNSUPPORTED (name). */
MUST_USE enum err session_signal(const struct session *s, const struct account *a, const char *name);
/* The connection is over: logout recorded, descriptors closed. What runs on without a terminal runs on, as with OpenSSH; the end of a
 * terminal's master hangs its processes up. */
void session_close(struct session *s, const struct account *a);
/* What follows "sshd: " in the process title: "bob@pts/3,pts/4" or "bob@notty", "bob [priv]" is the caller's. */
void session_title(const struct account *a, const struct session *sessions, size_t n, char *out, size_t size);

#define AUTH_INFO_PATH_MAX 32
/* ExposeAuthInfo: a file in /tmp that is the user's from birth, for one session. `path` gets its name, "" where it could not be written
 * (errno). remove: "" is fine. */
MUST_USE enum err auth_info_write(const struct account *a, struct bytes text, char path[AUTH_INFO_PATH_MAX]);
void auth_info_remove(const struct account *a, const char *path);

/* ---- records and texts (records.c) ---- */

/* Counts a failed login in btmp (root only; silently nothing where there is no file). */
void record_failure(const char *user, const struct link_ends *link);
/* The Banner file's text, at most BANNER_MAX bytes, NUL-terminated in a heap buffer; NULL: none, or not readable. */
char *banner_read(const struct sshd_conf *conf);

/* "Accepted publickey for bob from 10.0.0.1 port 5022 ssh2: ED25519 SHA256:..." and its kin: what is one of Accepted, Failed, Postponed,
 * Partial; method "publickey", "password", "keyboard-interactive/pam" ...; detail what follows "ssh2: ", or "". Written to out. */
void auth_line(const char *what, const char *method, const struct account *a, const struct link_ends *link, const char *detail,
               char *out, size_t size);

/* ---- the hand (hand.c): opens forward targets and listeners as the user ---- */

struct hand {
    pid_t pid;                  /* 0: not running; hand_* start it when needed */
    int fd;                     /* to poll while >= 0; may change with every call */
    uint32_t sent, listeners;   /* requests without an answer; listeners that stand */
    char agent[128];            /* the path of the forwarded agent's socket; empty: none */
};
void hand_init(struct hand *h);
/* Ends it with all its listeners, and removes the agent's socket, as the user. */
void hand_close(struct hand *h, const struct account *a);

/* May the login forward? AllowTcpForwarding, DisableForwarding, no-port-forwarding/restrict, permitopen=, permitlisten=. */
MUST_USE enum verdict forward_open_check(const struct sshd_conf *conf, const struct key_options *options, const char *host, uint32_t port);
MUST_USE enum verdict forward_listen_check(const struct sshd_conf *conf, const struct key_options *options, const struct account *a,
                                           const char *host, uint32_t port);

#define HAND_HOST_MAX 256
/* tag comes back in the news. The checks above come first. ERR_BUDGET: too many at once; ERR_TOO_LONG: host; ERR_SYSTEM. */
MUST_USE enum err hand_connect(struct hand *h, const struct account *a, const struct sshd_conf *conf, uint32_t tag, const char *host,
                               uint16_t port);
/* host as the client sent it ("" all, "localhost", an address), read by GatewayPorts; port 0: the system picks. */
MUST_USE enum err hand_listen(struct hand *h, const struct account *a, const struct sshd_conf *conf, uint32_t tag, const char *host,
                              uint16_t port);
/* May the login forward its agent? AllowAgentForwarding, DisableForwarding, no-agent-forwarding/restrict, a certificate. */
MUST_USE enum verdict forward_agent_check(const struct sshd_conf *conf, const struct key_options *options);
/* A socket in ~/.ssh/agent, a folder for the user only, as OpenSSH 10.1 has it. Answered by AGENT_STANDS or REFUSED. ERR_TOO_LONG: no socket
 * fits below that home. */
MUST_USE enum err hand_agent(struct hand *h, const struct account *a, uint32_t tag);
/* Answered by CLOSED or REFUSED. */
MUST_USE enum err hand_cancel(struct hand *h, uint32_t tag, const char *host, uint16_t port);

enum hand_what {
    HAND_NOTHING,               /* nothing for the caller */
    HAND_CONNECTED,             /* fd: the target's socket, non-blocking */
    HAND_REFUSED,               /* connect, listen or cancel failed: text says why */
    HAND_LISTENING,             /* port: the one bound */
    HAND_CLOSED,                /* the listener is gone */
    HAND_ACCEPTED,              /* fd: a new connection to listener host:port (as asked); from origin_host:origin_port */
    HAND_AGENT_STANDS,          /* its socket listens: h->agent says where */
    HAND_AGENT_ACCEPTED,        /* fd: a new connection to it */
    HAND_GONE                   /* the hand ended against its will: the connection must end too */
};
struct hand_news {
    enum hand_what what;
    uint32_t tag;
    int fd;                     /* for the face; the caller passes it on and closes it; -1: none */
    uint16_t port, origin_port;
    char host[HAND_HOST_MAX], origin_host[64];
    char text[128];
};
/* One message when h->fd is readable. Never waits. ERR_AGAIN: none. */
MUST_USE enum err hand_receive(struct hand *h, const struct account *a, struct hand_news *out);

#endif
