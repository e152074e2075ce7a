/* SPDX-License-Identifier: ISC */
/* The program at the other end of our pipes: ssh with a subsystem or a command, or a server on this machine. Its signals and its end. */
#ifndef KIT_REMOTE_H
#define KIT_REMOTE_H

#include <sys/types.h>

#include "base/bytes.h"

#define REMOTES_MAX 2                   /* scp -3 has two at once */

struct remote_setup {
    const char *program;                /* -S: looked up in PATH when it has no slash. NULL: `ssh` beside our own program file, else in PATH */
    char *const *args;                  /* options for ssh, each one argument, in their order, ended by NULL. "-p PORT", "-l USER", "-s" and "--" are
                                         * added behind them from the fields below, as OpenSSH's scp and sftp do */
    const char *user, *host;            /* user NULL: none given. The host is not judged here: host_valid() and user_valid() are the caller's */
    uint32_t port;                      /* 0: none given */
    const char *command;                /* remote command, or the subsystem's name (or path) */
    bool subsystem;                     /* -s */
    const char *server;                 /* -D: run this instead, nothing of the above counts; split at blanks as OpenSSH does */
    bool lane;                          /* offer ssh a lane (sftp/lane.h): for SFTP only */
    bool ignore_interrupt;              /* the child does not see ^C (sftp's prompt outlives it) */
};

struct remote {
    int fd_in, fd_out;                  /* read from it, write to it: non-blocking pipes of up to 1 MiB, ours alone; -1: closed */
    int fd_lane;                        /* our end of the lane, for link_set_lane(); -1: none */
    pid_t pid;                          /* 0: ended and waited for */
};

/* Start it. stderr stays ours. ERR_SYSTEM with errno: it could not be executed (or no descriptors are left). From then on SIGTERM, SIGHUP and, unless
 * ignore_interrupt, SIGINT end it and us (status 1); SIGTSTP, SIGTTIN and SIGTTOU stop it and us; its SIGPIPE is an error of the write. */
MUST_USE enum err remote_start(const struct remote_setup *setup, struct remote *out);

/* Close the pipes and wait. Its exit status, 255 if a signal ended it or it was ended already. */
int remote_end(struct remote *r);
/* End it now (SIGTERM), then the same. */
int remote_kill(struct remote *r);

#endif
