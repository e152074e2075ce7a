/* SPDX-License-Identifier: ISC */
#include "os/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "base/text.h"

static struct {
    enum log_level level;
    int fd, facility;
    const char *tag;
} state = {LOG_LEVEL_INFO, STDERR_FILENO, LOG_AUTH, "sshd"};

static const struct {
    const char *prefix;
    int priority;
} levels[] = {
    [LOG_LEVEL_QUIET] = {"", LOG_CRIT},
    [LOG_LEVEL_FATAL] = {"fatal: ", LOG_CRIT},
    [LOG_LEVEL_ERROR] = {"error: ", LOG_ERR},
    [LOG_LEVEL_INFO] = {"", LOG_INFO},
    [LOG_LEVEL_VERBOSE] = {"", LOG_INFO},
    [LOG_LEVEL_DEBUG1] = {"debug1: ", LOG_DEBUG},
    [LOG_LEVEL_DEBUG2] = {"debug2: ", LOG_DEBUG},
    [LOG_LEVEL_DEBUG3] = {"debug3: ", LOG_DEBUG},
};

void log_open(const char *tag, int facility, int fd)
{
    state.tag = tag, state.facility = facility, state.fd = fd;
    /* Opened at once: a session's process keeps its place in the log even where /dev/log is out of reach later. */
    if (fd < 0) openlog(tag, LOG_PID | LOG_NDELAY, facility);
}

void log_reopen(void)
{
    closelog();
    log_open(state.tag, state.facility, state.fd);
}

void log_set_level(enum log_level level)
{
    state.level = level;
}

void log_set_facility(int facility)
{
    state.facility = facility;
}

enum log_level log_level(void)
{
    return state.level;
}

int log_fd(void)
{
    return state.fd;
}

void log_vline(enum log_level level, const char *fmt, va_list ap)
{
    char raw[LOG_LINE_MAX], line[LOG_LINE_MAX * 2];
    if (level > state.level || level == LOG_LEVEL_QUIET) return;
    int n = vsnprintf(raw, sizeof raw, fmt, ap);
    if (n < 0) return;
    /* Backslashes were made by the caller's own escaping: only what is still a control character is replaced here. */
    for (char *p = raw; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f) *p = '?';
    if (state.fd < 0) {
        syslog(state.facility | levels[level].priority, "%s%s", levels[level].prefix, raw);
        return;
    }
    n = snprintf(line, sizeof line, "%s%s\r\n", levels[level].prefix, raw);
    if (n > 0) (void)!write(state.fd, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

void log_line(enum log_level level, const char *fmt, ...)
{
    int saved = errno;
    va_list ap;
    va_start(ap, fmt);
    log_vline(level, fmt, ap);
    va_end(ap);
    errno = saved;
}

void log_fatal(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    log_vline(LOG_LEVEL_FATAL, fmt, ap);
    va_end(ap);
    exit(255);
}
