/* SPDX-License-Identifier: ISC */
/* The program's state and its parts. Errors go to stderr as OpenSSH's do, one line each, safe for a terminal. */
#ifndef PROG_SFTP_SHELL_H
#define PROG_SFTP_SHELL_H

#include <signal.h>
#include <stdio.h>

#include "command.h"
#include "kit/copy.h"
#include "kit/link.h"
#include "kit/remote.h"

#define SSH_ARGS_MAX 512

struct options {
    const char *ssh;                    /* -S */
    char *ssh_args[SSH_ARGS_MAX];       /* what goes on to it */
    size_t ssh_arg_count;
    const char *server;                 /* -D */
    const char *subsystem;              /* -s */
    const char *batch;                  /* -b */
    char *user, *host, *path;           /* the destination; user, path NULL: none. For the heap's */
    const char *path2;
    uint32_t port;                      /* 0: none */
    bool resume, fsync, preserve, recursive, noisy, quiet_asked, forward_agent, verify, atomic;
    uint32_t buffer;
    unsigned requests;
    uint64_t limit_kbit;
    unsigned verbose;
};

struct shell {
    const struct options *options;
    struct remote remote;
    struct link *link;
    char *cwd, *start;                  /* on the server */
    bool quiet, progress, batch, interactive;
    FILE *input;
    struct id_names *users, *groups;
};

extern volatile sig_atomic_t interrupted;

/* A line on stderr; a line on stdout. What is in it may come from a peer. */
void fail(const char *fmt, ...) PRINTF_LIKE(1, 2);
void tell(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* A line on stderr, and the end of the program with 255. */
NORETURN void die(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The same with 1, as for wrong arguments. */
NORETURN void usage(void);
void *must(void *p);                    /* dies when it is NULL: out of memory */

/* options.c: ends the program where they are wrong. */
void options_parse(int argc, char **argv, struct options *out);

/* paths.c: for the caller to free. */
char *path_join(const char *dir, const char *name);
char *path_absolute(const struct shell *s, const char *path);
char *pattern_absolute(const struct shell *s, const char *pattern);     /* the current folder's name in it is escaped */
const char *path_base(char *path);                                      /* like basename(3): may change path */
const char *path_without(const char *path, const char *prefix);         /* prefix NULL: path */
bool local_is_dir(const char *path);

/* remote.c: one request. A failure has been told unless `silent`. */
bool remote_status(struct shell *s, const struct sftp_op *op, bool silent, const char *fmt, ...) PRINTF_LIKE(4, 5);
bool remote_attrs(struct shell *s, enum sftp_verb stat_or_lstat, const char *path, bool silent, struct sftp_attrs *out);
bool remote_is_dir(struct shell *s, const char *path);
/* What a glob's match is: the link's target where there is one. `known`: what the glob told. */
bool remote_match_attrs(struct shell *s, const char *path, const struct sftp_attrs *known, struct sftp_attrs *out);
/* The line broke: says so, and ends the program. */
NORETURN void line_broke(struct shell *s, enum err e);
bool attrs_dir(const struct sftp_attrs *a);

/* A command's work: 0, -1 after an error. Rows in run.c. */
int remote_cd(struct shell *s, const struct command *c);
int remote_copy(struct shell *s, const struct command *c);
int remote_df(struct shell *s, const struct command *c);
int remote_link(struct shell *s, const struct command *c);
int remote_mkdir(struct shell *s, const struct command *c);
int remote_rename(struct shell *s, const struct command *c);
int remote_rmdir(struct shell *s, const struct command *c);
/* modes.c: verbs for all that a pattern matches. */
int remote_rm(struct shell *s, const struct command *c);
int remote_chmod(struct shell *s, const struct command *c);
int remote_chown(struct shell *s, const struct command *c);
/* ls.c */
int remote_ls(struct shell *s, const struct command *c);
size_t terminal_width(int fd);      /* cells; 80 where it is no terminal */
/* transfer.c */
int transfer_get(struct shell *s, const struct command *c);
int transfer_put(struct shell *s, const struct command *c);
/* local.c */
int local_cd(struct shell *s, const struct command *c);
int local_ls(struct shell *s, const struct command *c);
int local_mkdir(struct shell *s, const struct command *c);
int local_pwd(struct shell *s, const struct command *c);
int local_shell(struct shell *s, const struct command *c);
int local_umask(struct shell *s, const struct command *c);

/* ids.c: names of numbers, where the server tells them. NULL: not known. */
void ids_ask(struct shell *s, const struct sftp_attrs *attrs, size_t count, size_t stride);
const char *id_user(const struct shell *s, uint32_t uid);
const char *id_group(const struct shell *s, uint32_t gid);
void ids_free(struct shell *s);

/* run.c: one line. false: the program ends; *status is what with. */
enum turn { TURN_ON, TURN_QUIT, TURN_FAILED };
enum turn line_run(struct shell *s, const char *line, bool abort_on_failure, bool echo);

/* prompt.c: lines from a person, with editing and completion. NULL: the end. The view lives until the next call. */
struct prompt_editor;
struct prompt_editor *editor_new(struct shell *s);     /* NULL: the terminal cannot */
const char *editor_line(struct prompt_editor *e);
void editor_free(struct prompt_editor *e);

#endif
