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
    bool files;                 /* no program: the child serves files, command has sftp-server's flags */
    bool files_only;            /* it may do nothing else, and asked for something else: a word, and the end */
};
/* ForceCommand, command="", Subsystem. ERR_DENIED: no such subsystem. */
MUST_USE enum err session_plan_make(const struct session_spec *spec, struct session_plan *out);

/* Child and warden, over a message pair: the child reports its terminal with the descriptors master and slave, and waits. */
struct session_report {
    char tty[64];
};
struct session_go {
    int64_t last_login;         /* seconds since 1970; 0: do not speak of it */
    char last_host[256];
};

/* The child's whole life up to exec. Descriptors 0, 1, 2 are the session's (or /dev/null with a pty or for files); 3 leads to the warden (with
 * a pty) or to the face (for files), 4 to the log (for files, unless it is syslog); signals are at their defaults. Never returns. */
NORETURN void session_child(const struct session_spec *spec, const struct session_plan *plan);

/* ---- session_files.c: sessions that only move files, and sessions below a folder of their own ---- */

#define SESSION_FILES_FD 3
#define SESSION_LOG_FD   4

/* Is this command sftp-server, to be served without a program? internal-sftp is; a path of sftp-server in its usual places is where the user's
 * shell would do nothing but start it. */
bool session_is_internal_sftp(const char *command);
bool session_is_sftp_server(const char *command, const struct account *a);

/* ChrootDirectory with its tokens, into out[0..cap): empty when there is none. ERR_DENIED: not a path that only root can change, or we are not
 * root; `why` gets the line for the log. */
MUST_USE enum err session_chroot_path(const struct session_spec *spec, char *out, size_t cap, char *why, size_t why_cap);
/* As root, in the child: go there. ERR_DENIED, ERR_SYSTEM: the caller must _exit. */
MUST_USE enum err session_chroot_enter(const char *path);

/* As the user: the file hand's whole life. The log was opened. Never returns. */
NORETURN void session_files_run(const struct session_spec *spec, const struct session_plan *plan, bool in_chroot);
/* Before the user's rights and root: the log, as sftp-server's flags want it. */
void session_files_log(const struct session_plan *plan);

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
