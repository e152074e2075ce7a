/* SPDX-License-Identifier: ISC */
#include "os/helper.h"

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "os/log.h"
#include "os/message.h"

static char why[1024];

static bool is_socket(int fd)
{
    int type;
    socklen_t n = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_SEQPACKET;
}

static void harden(void)
{
    struct rlimit none = {0, 0};
    prctl(PR_SET_DUMPABLE, 0);
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_PDEATHSIG, SIGKILL);       /* foreign code that hangs must not outlive who started us */
    if (getppid() == 1) _exit(1);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN);                /* ^C at a terminal is for who started us; its end is ours */
    signal(SIGQUIT, SIG_IGN);
}

void helper_init(const char *name, int argc, char **argv)
{
    unsigned verbose = 0;
    int letter;
    while ((letter = getopt(argc, argv, "v")) != -1) {
        if (letter != 'v') {
            fprintf(stderr, "usage: %s [-v]\n", name);
            exit(1);
        }
        verbose++;
    }
    if (!is_socket(HELPER_FD)) {
        fprintf(stderr, "%s: not to be started by hand\n", name);
        exit(1);
    }
    harden();
    log_open(name, LOG_AUTH, STDERR_FILENO);
    log_set_level(verbose == 0 ? LOG_LEVEL_ERROR : verbose == 1 ? LOG_LEVEL_DEBUG1 : verbose == 2 ? LOG_LEVEL_DEBUG2 : LOG_LEVEL_DEBUG3);
}

uint8_t helper_next(struct span room, struct rd *out)
{
    struct message m;
    wipe(room.p, room.n);
    if (message_recv(HELPER_FD, room.p, room.n, true, &m) != ERR_NONE) _exit(0);
    message_close_fds(&m);
    *out = rd_init(bytes_of(room.p, m.n));
    return rd_u8(out);
}

void helper_answer(struct wr *w)
{
    if (wr_done(w) != ERR_NONE || message_send(HELPER_FD, w->p, w->n, NULL, 0, true) != ERR_NONE) _exit(1);
    wr_clear(w);
}

void helper_fail(struct wr *w, enum err e)
{
    wr_u32(w, (uint32_t)e);
    wr_cstring(w, because_said() ? why : err_text(e));
    helper_answer(w);
}

void because(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    log_line(LOG_LEVEL_DEBUG1, "%s", why);
}

bool because_said(void)
{
    return why[0] != 0;
}

void because_nothing(void)
{
    why[0] = 0;
}
