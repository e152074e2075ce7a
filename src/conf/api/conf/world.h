/* SPDX-License-Identifier: ISC */
/* What reading a configuration needs of the outside world: conf itself makes no system calls. The program fills this record
 * (os/conf_world.h has the real one; tests and fuzzers pass tables). */
#ifndef CONF_WORLD_H
#define CONF_WORLD_H

#include "base/wr.h"

enum conf_say {
    CONF_SAY_ERROR,     /* to stderr or the log, as OpenSSH's error() */
    CONF_SAY_WARNING,   /* shown at the default log level: "Deprecated option", "not supported" */
    CONF_SAY_DEBUG
};

/* Known names and default lists of the algorithm options, comma separated. NULL in the world: conf_algs_openssh. Names that
 * are known but not built stay in the lists; the program takes those it has. */
struct conf_algs {
    const char *ciphers_known, *ciphers_default;
    const char *macs_known, *macs_default;
    const char *kex_known, *kex_default_client, *kex_default_server;
    const char *key_known, *key_default;            /* signature algorithm names */
    const char *ca_default;                         /* CASignatureAlgorithms */
};
extern const struct conf_algs conf_algs_openssh;    /* OpenSSH 10.5's */
extern const struct conf_algs conf_algs_aes;        /* the same but for aes128-gcm, which comes first: a client's where the CPU has AES */

#define CONF_READ_CHECK_OWNER 1U    /* refuse (ERR_DENIED) a file not owned by us or root, or writable by group or others */
#define CONF_READ_INCLUDED 2U       /* nobody named it: a FIFO is not waited for */

struct conf_world {
    void *ctx;
    /* A whole file, at most CONF_FILE_MAX. ERR_NOT_FOUND: no such file; ERR_DENIED: CHECK_OWNER fails; ERR_UNSUPPORTED: not a
     * regular file; ERR_TOO_LONG; else ERR_SYSTEM. */
    enum err (*read_file)(void *ctx, const char *path, unsigned flags, struct wr *out);
    /* Paths that match a glob pattern, sorted, each followed by a NUL, folders with a / at their end. No match: writes nothing. */
    enum err (*glob)(void *ctx, const char *pattern, struct wr *out);
    /* Run a command by the user's shell (Match exec): its exit status. */
    enum err (*exec)(void *ctx, const char *command, int *exit_status);
    /* An environment variable or NULL. */
    const char *(*env)(void *ctx, const char *name);
    /* Names of the groups of a user, each followed by a NUL (Match Group). ERR_NOT_FOUND: no such user. */
    enum err (*user_groups)(void *ctx, const char *user, struct wr *out);
    /* Home directory of a user; NULL user: our own. ERR_NOT_FOUND. */
    enum err (*user_home)(void *ctx, const char *user, struct wr *out);
    /* Text addresses of our network interfaces, each followed by a NUL (Match localnetwork). */
    enum err (*local_addresses)(void *ctx, struct wr *out);
    /* SHA-1 of a text in hex (%C). May be NULL: %C is then refused in Include and Match exec. */
    enum err (*hash)(void *ctx, struct bytes text, char hex[41]);
    /* One line without newline for people. May be NULL. */
    void (*say)(void *ctx, enum conf_say what, const char *text);

    /* facts; never NULL where the client parses */
    const char *local_user;         /* %u, Match localuser */
    uint32_t local_uid;             /* %i */
    const char *local_host;         /* %l: gethostname() */
    const char *home;               /* %d */
    const char *version;            /* Match version: "OpenSSH_10.5" */
    const char *etc_dir;            /* NULL: "/etc/ssh" */
    const char *cwd;                /* relative file names of sshd_config start here; NULL: they stay as they are */
    const struct conf_algs *algs;   /* NULL: conf_algs_openssh */
};

#endif
