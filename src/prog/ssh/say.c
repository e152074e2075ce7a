/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/tty.h"
#include "ui.h"

static int level_max = CONF_LOG_INFO;
static int fd = STDERR_FILENO;

void say_level(int level)
{
    level_max = level;
}

void say_change(bool more)
{
    static const char *const names[] = {"SILENT", "FATAL", "ERROR", "INFO", "VERBOSE", "DEBUG", "DEBUG2", "DEBUG3"};
    char text[64];
    level_max += more ? level_max < CONF_LOG_DEBUG3 : -(level_max > CONF_LOG_QUIET);
    snprintf(text, sizeof text, "%c%c [LogLevel %s]\r\n", ui.conf->escape_char, more ? 'v' : 'V', names[level_max]);
    say_raw(text);
}

void say_file(const char *path)
{
    int to = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (to < 0) {
        fprintf(stderr, "Couldn't open logfile %s: %m\n", path);
        exit(EXIT_OWN_ERROR);
    }
    fd = to;
}

void say_raw(const char *text)
{
    (void)!write(STDERR_FILENO, text, strlen(text));
}

PRINTF_LIKE(2, 0) static void line(int level, const char *fmt, va_list ap)
{
    static const char *const prefix[] = {[CONF_LOG_DEBUG1] = "debug1: ", [CONF_LOG_DEBUG2] = "debug2: ", [CONF_LOG_DEBUG3] = "debug3: "};
    char text[8192];
    if (level > level_max)
        return;
    int n = snprintf(text, sizeof text - 2, "%s", level >= CONF_LOG_DEBUG1 ? prefix[level] : "");
    int m = vsnprintf(text + n, sizeof text - 2 - (size_t)n, fmt, ap);
    size_t len = strlen(text);
    if (m < 0)
        return;
    memcpy(text + len, "\r\n", 2);
    (void)!write(fd, text, len + 2);
}

void say(int level, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    line(level, fmt, ap);
    va_end(ap);
}

void fatal(const char *fmt, ...)
{
    va_list ap;
    int keep = errno;       /* for %m */
    tty_restore();
    errno = keep;
    va_start(ap, fmt);
    line(CONF_LOG_FATAL, fmt, ap);
    va_end(ap);
    leave(EXIT_OWN_ERROR);
}

void leave(int status)
{
    tty_restore();
    if (ui.proxy > 0)
        kill(ui.proxy, SIGHUP);     /* it may not notice by itself that nobody needs it any more */
    /* It may hold files of sftp's: nothing that a server did to it may outlive us with them. All it had to say and to write is done. */
    if (ui.lane >= 0 && ui.transport > 0)
        (void)kill(ui.transport, SIGKILL);
    exit(status);
}

const char *show(struct bytes text)
{
    static char buf[4][2048];
    static unsigned turn;
    return escape_str(text, buf[turn++ % 4], sizeof buf[0]);
}
