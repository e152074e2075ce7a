/* SPDX-License-Identifier: ISC */
/* Preloaded into a program: ^C comes just before its first read from the terminal, where a signal is most easily lost. */
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t read(int fd, void *buf, size_t n);

__attribute__((visibility("default"))) ssize_t read(int fd, void *buf, size_t n)
{
    static bool sent;
    if (!sent && isatty(fd)) {
        sent = true;
        kill(getpid(), SIGINT);
    }
    return syscall(SYS_read, fd, buf, n);
}
