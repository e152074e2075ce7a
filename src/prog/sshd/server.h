/* SPDX-License-Identifier: ISC */
/* The server as its processes share it: what the command line and the configuration say, the helpers, and what a warden
 * inherits by fork. */
#ifndef SSHD_SERVER_H
#define SSHD_SERVER_H

#include <sys/types.h>

#include "conf/sshd.h"
#include "os/socket.h"
#include "priv/face_conf.h"
#include "priv/helpers.h"

/* ---- options.c ---- */

struct options {
    int debug;                          /* -d, counted */
    bool foreground, log_stderr, inetd, quiet, test, dump, dump_only, restarted;
    const char *conf_file, *log_file;
    const char *dump_peers[32];         /* -C */
    size_t dump_peer_count;
    const char *rows[256];              /* -o, -p, -h ... as configuration lines, in their order */
    size_t row_count;
    char **argv;                        /* for a restart */
};
/* Exits on -V and on bad usage. */
void options_parse(int argc, char **argv, struct options *out);

/* ---- what all wardens share ---- */

struct hostkey {
    char *blob, *algs;                  /* public; a certificate is one more, with the algorithms of certificates */
    uint32_t index;                     /* the keys process's number for it */
    size_t blob_n;
    char path[256];
};

struct server {
    struct options options;
    struct sshd_rows *rows;
    struct sshd_conf *conf;             /* global values, no Match applied */
    struct conf_world world;
    struct hostkey hostkeys[FACE_HOSTKEYS_MAX];
    size_t hostkey_count;
    int exe_net, exe_keys, exe_auth;    /* programs, opened at start */
    int keys_line[2];                   /* [0] all wardens ask, [1] the keys process takes */
    int verify_line[2];                 /* the same for verifiers */
    int report_line[2];                 /* wardens report at [1], the listener reads [0] */
    uint64_t delay_secret;              /* random: how long a failure takes for a name */
    uid_t jail_uid;
    gid_t jail_gid;
};

/* ---- helpers.c: keys and nurseries ---- */

/* Starts sshd-keys and takes the public halves; says which files failed and why. ERR_NOT_FOUND: no key at all; ERR_DENIED: no jail. */
MUST_USE enum err keys_start(struct server *s);
/* It ended: start another one with the same files. */
void keys_restart(struct server *s);
pid_t keys_pid(void);

/* The first nursery, waited for. ERR_DENIED: its jail does not hold (the line is in the log). */
MUST_USE enum err nursery_start(struct server *s);
/* Hand a connection over: the face gets chan and in (and out where that is another one). The caller closes its copies. */
MUST_USE enum err nursery_give(struct server *s, int chan, int in, int out);
/* A child that nobody knows ended by a signal: a face or a verifier crashed. */
void nursery_renew(struct server *s, int signal);
/* Was that pid a nursery? Then it is replaced. */
bool nursery_reap(struct server *s, pid_t pid, int status);
/* For the poll set; readable: nursery_read(). -1: none. */
int nursery_spare_fd(void);
void nursery_read(struct server *s);
/* Microseconds until something that could not be started is to be tried again, by helpers_tend(); UINT64_MAX: nothing is missing. */
uint64_t helpers_patience_us(const struct server *s);
void helpers_tend(struct server *s);
void helpers_stop(void);
/* In a warden: forget and close what is the listener's. */
void helpers_forget(void);

/* ---- admit.c: who may come in ---- */

enum warden_exit {                      /* a warden's exit status tells the listener what its source deserves */
    WARDEN_OK = 0, WARDEN_FAILED = 1, WARDEN_CRASH = 2, WARDEN_GRACE = 3, WARDEN_NOAUTH = 4, WARDEN_AUTHFAIL = 5, WARDEN_INVALID_USER = 6,
    WARDEN_REFUSED = 7, WARDEN_FATAL = 255
};
/* NULL: let it in. Else why not ("past MaxStartups"); *penalty: the peer hears "Not allowed at this time". */
const char *admit_check(const struct sshd_conf *conf, const struct address *from, bool *penalty);
void admit_begin(pid_t pid, uint32_t serial, const struct address *from, const struct sshd_conf *conf);
void admit_authenticated(uint32_t serial);
/* A child ended. False: it was no unauthenticated warden of ours. */
bool admit_end(pid_t pid, int status, const struct sshd_conf *conf);
size_t admit_count(void);
void admit_forget(void);

/* ---- listener.c ---- */

/* Runs until a signal; the exit status. */
int listener_run(struct server *s, void (*ready)(void));
/* sshd -i, sshd -d: one connection. in, out: its descriptors, which are closed here. The exit status. */
int listener_single(struct server *s, int in, int out);
/* sshd -d: listen, take one connection, listen no more. */
int listener_accept_one(struct server *s);

/* ---- warden.c ---- */

struct warden_start {
    int chan;                           /* to the face */
    int in;                             /* the connection, only to ask its own address; closed by the warden */
    struct address from;                /* the peer, as accept() told it: later it may be gone */
    uint32_t serial;
};
NORETURN void warden_run(struct server *s, const struct warden_start *start);

#endif
