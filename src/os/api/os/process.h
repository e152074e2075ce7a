/* SPDX-License-Identifier: ISC */
/* The process itself: title, pid file, going to the background, signal descriptors. */
#ifndef OS_PROCESS_H
#define OS_PROCESS_H

#include <sys/types.h>

#include "base/bytes.h"

/* Take over the memory of argv and environ as room for the title; the environment is moved to the heap. Call first in main.
 * ERR_NOMEM. */
MUST_USE enum err title_init(int argc, char **argv);
/* What ps shows: "sshd: " and the text. */
void title_set(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Descriptors 0-2 exist (/dev/null where they were closed). */
MUST_USE enum err fds_sanitise(void);
/* Close all above 2 except keep[0..n). */
MUST_USE enum err fds_close_except(const int *keep, size_t n);

/* Into the background, in two steps, so that a start that fails is seen by who started us. begin: we are the child, in a session of
 * its own, still with the old descriptors; the parent waits. done: 0-2 on /dev/null (2 stays if keep_stderr), chdir /, the parent
 * exits with 0. A child that ends before is the parent's exit 255. ERR_SYSTEM with errno. */
MUST_USE enum err daemon_begin(int *out);
MUST_USE enum err daemon_done(int line, bool keep_stderr);

/* "PID\n" into a file (mode 0644). ERR_SYSTEM with errno. */
MUST_USE enum err pidfile_write(const char *path);

/* A signalfd (close-on-exec, non-blocking) of signals[0..n), which are blocked. */
MUST_USE enum err signals_open(const int *signals, size_t n, int *out);
/* The next signal number from it; 0: none. */
int signals_next(int fd);

#endif
