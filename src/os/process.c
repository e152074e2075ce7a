/* SPDX-License-Identifier: ISC */
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

static struct span title_room;

/* argv and environ lie one behind the other: all of it is room, once the environment lives elsewhere. */
enum err title_init(int argc, char **argv)
{
    if (argc < 1) return ERR_NONE;
    char *end = argv[argc - 1] + strlen(argv[argc - 1]) + 1;
    size_t n = 0;
    while (environ[n]) {
        if (environ[n] == end) end += strlen(environ[n]) + 1;
        n++;
    }
    char **copy = calloc(n + 1, sizeof *copy);
    if (!copy) return ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        if (!(copy[i] = strdup(environ[i]))) return ERR_NOMEM;
    environ = copy;
    title_room = (struct span){(uint8_t *)argv[0], (size_t)(end - argv[0])};
    return ERR_NONE;
}

void title_set(const char *fmt, ...)
{
    char text[256];
    va_list ap;
    if (title_room.n == 0) return;
    va_start(ap, fmt);
    int n = snprintf(text, sizeof text, "sshd: ");
    vsnprintf(text + n, sizeof text - (size_t)n, fmt, ap);
    va_end(ap);
    size_t len = strlen(text);
    if (len >= title_room.n) len = title_room.n - 1;
    memset(title_room.p, 0, title_room.n);
    memcpy(title_room.p, text, len);
}

enum err fds_sanitise(void)
{
    for (;;) {
        int fd = open("/dev/null", O_RDWR);
        if (fd < 0) return ERR_SYSTEM;
        if (fd <= 2) continue;
        close(fd);
        return ERR_NONE;
    }
}

/* keep is in any order: close the gaps between its members. */
enum err fds_close_except(const int *keep, size_t n)
{
    unsigned from = 3;
    for (;;) {
        unsigned next = ~0u;
        for (size_t i = 0; i < n; i++)
            if (keep[i] >= (int)from && (unsigned)keep[i] < next) next = (unsigned)keep[i];
        if (next > from && syscall(SYS_close_range, from, next == ~0u ? ~0u : next - 1, 0) != 0) return ERR_SYSTEM;
        if (next == ~0u) return ERR_NONE;
        from = next + 1;
    }
}

enum err daemon_begin(int *out)
{
    int line[2];
    char status = 1;
    if (pipe2(line, O_CLOEXEC) != 0) return ERR_SYSTEM;
    pid_t pid = fork();
    if (pid < 0) return ERR_SYSTEM;
    if (pid == 0) {
        close(line[0]);
        if (setsid() < 0) return ERR_SYSTEM;
        *out = line[1];
        return ERR_NONE;
    }
    close(line[1]);
    ssize_t n;
    do {
        n = read(line[0], &status, 1);
    } while (n < 0 && errno == EINTR);
    _exit(n == 1 ? status : 255);       /* it ended without a word: it said why on stderr */
}

enum err daemon_done(int line, bool keep_stderr)
{
    const char good = 0;
    if (chdir("/") != 0) return ERR_SYSTEM;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return ERR_SYSTEM;
    for (int fd = 0; fd <= (keep_stderr ? 1 : 2); fd++)
        if (dup2(null, fd) < 0) return ERR_SYSTEM;
    if (null > 2) close(null);
    ssize_t n = write(line, &good, 1);
    close(line);
    return n == 1 ? ERR_NONE : ERR_SYSTEM;
}

enum err pidfile_write(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) return ERR_SYSTEM;
    int n = dprintf(fd, "%ld\n", (long)getpid());
    return close(fd) == 0 && n > 0 ? ERR_NONE : ERR_SYSTEM;
}

enum err signals_open(const int *signals, size_t n, int *out)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < n; i++) sigaddset(&set, signals[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) return ERR_SYSTEM;
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) return ERR_SYSTEM;
    *out = fd;
    return ERR_NONE;
}

int signals_next(int fd)
{
    struct signalfd_siginfo info;
    ssize_t n = read(fd, &info, sizeof info);
    return n == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}
