/* SPDX-License-Identifier: ISC */
/* New processes. A child never inherits more than it was given: signals at their defaults and unblocked, only the listed descriptors. */
#ifndef OS_SPAWN_H
#define OS_SPAWN_H

#include <sys/types.h>

#include "base/bytes.h"

/* Run fn(arg) in a child that shares our memory until it execs or ends (as vfork does): we sleep meanwhile, nothing is copied. fn must
 * end in exec or _exit; what it returns becomes the exit status. It may use what it was given and async-signal-safe functions;
 * errors it stores in *arg are seen here afterwards. All signals are blocked while it runs; spawn_signals_default() first.
 * ERR_SYSTEM with errno. */
MUST_USE enum err spawn_call(int (*fn)(void *arg), void *arg, pid_t *out);

/* In a child: every signal to its default and unblocked. Async-signal-safe. */
void spawn_signals_default(void);

/* In a child: keep[i] becomes descriptor i, for i < n (a -1 becomes /dev/null); everything above is closed. n is at most 64. Needs no
 * memory. ERR_SYSTEM with errno. */
MUST_USE enum err spawn_keep_fds(const int *keep, size_t n);

struct spawn {
    int exe;                    /* a descriptor of the program file */
    char *const *argv, *const *envp;
    const int *fds;             /* become 0 .. fd_count-1 */
    size_t fd_count;
};

/* Start a program. ERR_SYSTEM with errno if it could not be executed. */
MUST_USE enum err spawn_exec(const struct spawn *s, pid_t *out);

/* Open (O_PATH, close-on-exec) the companion program `name`: beside our own program file (/proc/self/exe), else in
 * libexec_dir. ERR_NOT_FOUND. The descriptor goes on working when the file is replaced or deleted. */
MUST_USE enum err companion_open(const char *name, const char *libexec_dir, int *out);

/* pidfds: kill without races. open: ERR_SYSTEM with errno. */
MUST_USE enum err pidfd_of(pid_t pid, int *out);
MUST_USE enum err pidfd_kill(int pidfd, int sig);

/* Wait for that child, across EINTR. ERR_SYSTEM with errno. */
MUST_USE enum err child_wait(pid_t pid, int *status);

#endif
