/* SPDX-License-Identifier: ISC */
/* Inside of sessions: shared by session.c (the warden's side), session_child.c (the user's side), environ.c, tty_modes.c and their tests. */
#ifndef SSHD_SESSION_H
#define SSHD_SESSION_H

#include "sshd/login.h"

/* What is to run, with forced commands applied. */
struct session_plan {
    const char *command;        /* NULL: a login shell */
    const char *original;       /* SSH_ORIGINAL_COMMAND; NULL: none */
    bool forced, is_subsystem;
};
/* ForceCommand, command="", Subsystem. ERR_DENIED: no such subsystem, or one that is not built. */
MUST_USE enum err session_plan_make(const struct session_spec *spec, struct session_plan *out);

/* Child and warden, over a message pair: the child reports its terminal with the descriptors master and slave, and waits. */
struct session_report {
    char tty[64];
};
struct session_go {
    int64_t last_login;         /* seconds since 1970; 0: do not speak of it */
    char last_host[256];
};

/* The child's whole life up to exec. Descriptors 0, 1, 2 are the session's (or /dev/null with a pty) and 3 the way to the warden
 * (with a pty only); signals are at their defaults. Never returns. */
NORETURN void session_child(const struct session_spec *spec, const struct session_plan *plan);

/* ---- environ.c ---- */

struct environ_list {
    char **v;                   /* NULL-terminated when n > 0 */
    size_t n, cap;
};
/* Set or replace; out of memory ends the process, as it is a child about to exec. */
void environ_set(struct environ_list *l, const char *name, const char *value);
const char *environ_get(const struct environ_list *l, const char *name);
/* ~/.ssh/environment's format: NAME=VALUE lines, empty lines, comments. `allow`: a pattern list of names, NULL: all. Complaints go to stderr. */
void environ_file(struct environ_list *l, const char *path, const struct account *a, const char *allow);
/* /etc/environment's format, as pam_env(8) reads it: [export] NAME=VALUE, VALUE perhaps in quotes. */
void environ_system(struct environ_list *l, const char *path, const struct account *a);
/* Everything a session has, in OpenSSH's order. tty NULL: none. */
void environ_build(struct environ_list *l, const struct session_spec *spec, const struct session_plan *plan, const char *tty);

/* ---- tty_modes.c ---- */

/* Applies RFC 4254 8 encoded modes (and IUTF8, RFC 8160) to a terminal. Unknown opcodes below 160 are skipped; 160 and above, or a cut
 * message, end it: what came before holds. ERR_SYSTEM: not a terminal. */
MUST_USE enum err tty_modes_apply(int fd, struct bytes modes);

#endif
