/* SPDX-License-Identifier: ISC */
/* A server's log: syslog, stderr or a file; one line a call; peer text is escaped by the caller's use of log_text(). */
#ifndef OS_LOG_H
#define OS_LOG_H

#include <stdarg.h>

#include "base/bytes.h"

enum log_level { LOG_LEVEL_QUIET, LOG_LEVEL_FATAL, LOG_LEVEL_ERROR, LOG_LEVEL_INFO, LOG_LEVEL_VERBOSE, LOG_LEVEL_DEBUG1,
                 LOG_LEVEL_DEBUG2, LOG_LEVEL_DEBUG3 };

/* fd -1: syslog with this tag and facility (LOG_AUTH ...); else lines go to fd, each ended by \r\n as OpenSSH's. tag must live on. */
void log_open(const char *tag, int facility, int fd);
/* After a fork that closed all descriptors: syslog again, under the new process number. */
void log_reopen(void);
void log_set_level(enum log_level level);
void log_set_facility(int facility);
enum log_level log_level(void);
/* Where lines go: the descriptor, or -1 for syslog. */
int log_fd(void);

/* FATAL and ERROR get their prefix as OpenSSH writes it ("fatal: ", "error: "), DEBUGs "debug1: ". Lines above LOG_LINE_MAX are cut.
 * Control characters of the finished line are escaped. */
#define LOG_LINE_MAX 1024
void log_line(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
void log_vline(enum log_level level, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

/* As log_line(LOG_LEVEL_FATAL), then exit(255). */
NORETURN void log_fatal(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
