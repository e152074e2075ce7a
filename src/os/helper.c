/* SPDX-License-Identifier: ISC */
#include "os/helper.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "os/log.h"

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
