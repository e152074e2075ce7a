/* SPDX-License-Identifier: ISC */
/* What scp's parts share. main.c: the command line; place.c: where a name points; files.c: copying by SFTP; legacy.c: the protocol of rcp, both
 * ends; line.c: its lines. */
#ifndef SCP_SCP_H
#define SCP_SCP_H

#include "base/wr.h"
#include "kit/remote.h"

#define ARGS_MAX 400

struct options {
    const char *name;                   /* argv[0] */
    const char *ssh;                    /* -S */
    const char *server;                 /* -D */
    char *ssh_args[ARGS_MAX];
    size_t ssh_arg_count;
    char *both_args[ARGS_MAX];          /* -R: what the far scp is given as well */
    size_t both_arg_count;
    uint32_t port;                      /* -P */
    bool legacy, recursive, preserve, verbose, progress, third_party, lax;
    bool to_folder;                     /* the target must be a folder */
    bool resume, verify, atomic;
    uint64_t limit_kbit;
    unsigned requests;
    uint32_t buffer;
    int status;                         /* what we exit with */
};
extern struct options opt;

/* ---- place.c ---- */

struct place {
    bool remote;
    char *user, *host;                  /* user NULL: none given */
    uint32_t port;                      /* 0: none given */
    char *path;                         /* remote: "." where empty */
};
/* "path", "[user@]host:path" with [IPv6], "scp://[user@]host[:port][/path]". ERR_USAGE: a bad URI, user or host; a line was told. ERR_NOMEM. */
MUST_USE enum err place_parse(const char *text, struct place *out);
void place_done(struct place *p);
bool place_same_login(const struct place *a, const struct place *b);

/* ---- main.c ---- */

/* A line on stderr: "scp: ..." with everything escaped; the exit status becomes 1. */
void scp_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The same without our name before it, as OpenSSH has a few. */
void scp_say(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* As scp_error, then exit(255). */
NORETURN void scp_fatal(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Run ssh there; subsystem or command. A line on failure. */
bool scp_connect(const struct place *p, const char *command, bool subsystem, struct remote *out);
/* cp and the like, as argv; false: it failed. */
bool scp_run(char *const *argv);

/* ---- files.c ---- */
void files_upload(const struct place *sources, size_t n, const struct place *target);
void files_download(const struct place *sources, size_t n, const char *target);
void files_cross(const struct place *sources, size_t n, const struct place *target);
void files_end(void);

/* ---- legacy.c ---- */
void legacy_upload(const struct place *sources, size_t n, const struct place *target);
void legacy_download(const struct place *sources, size_t n, const char *target);
void legacy_cross(const struct place *sources, size_t n, const struct place *target);
/* We are the far end: -f and -t. */
void legacy_serve_source(char *const *names, size_t n);
void legacy_serve_sink(const char *target);

#endif
