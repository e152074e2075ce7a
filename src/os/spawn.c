/* SPDX-License-Identifier: ISC */
#include "os/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_STACK 65536
#define KEEP_MAX 64      /* 32 host keys and certificates beside a program's lines */

#ifdef NACRE_ASAN
/* Frames that were never left (the child execs) stay marked in the sanitizer's book when their memory is gone: for whoever gets it next. */
void __asan_unpoison_memory_region(const volatile void *p, size_t n);
#define FRAMES_FORGET(p, n) __asan_unpoison_memory_region(p, n)
#else
#define FRAMES_FORGET(p, n) ((void)0)
#endif

struct call {
    int (*fn)(void *arg);
    void *arg;
};

static int call_run(void *p)
{
    struct call *c = p;
    _exit(c->fn(c->arg));
}

/* CLONE_VFORK: the child has this memory until it execs, so its stack may be taken down right after. A stack of its own keeps its
 * frames from those of the sleeping parent. */
enum err spawn_call(int (*fn)(void *arg), void *arg, pid_t *out)
{
    sigset_t all, old;
    struct call call = {fn, arg};
    char *stack = mmap(NULL, CHILD_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) return ERR_SYSTEM;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    pid_t pid = clone(call_run, stack + CHILD_STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, &call);
    int saved = errno;
    sigprocmask(SIG_SETMASK, &old, NULL);
    FRAMES_FORGET(stack, CHILD_STACK);
    munmap(stack, CHILD_STACK);
    if (pid < 0) {
        errno = saved;
        return ERR_SYSTEM;
    }
    *out = pid;
    return ERR_NONE;
}

void spawn_signals_default(void)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    for (int s = 1; s < NSIG; s++)
        if (s != SIGKILL && s != SIGSTOP) (void)sigaction(s, &dfl, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Two passes: first everything out of the way above the target numbers, then down to its place. */
enum err spawn_keep_fds(const int *keep, size_t n)
{
    int high[KEEP_MAX];
    if (n > KEEP_MAX) return ERR_USAGE;
    for (size_t i = 0; i < n; i++) {
        int fd = keep[i] < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : keep[i];
        high[i] = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, (int)n);
        if (high[i] < 0) return ERR_SYSTEM;
        if (keep[i] < 0) close(fd);
    }
    for (size_t i = 0; i < n; i++) {
        if (dup2(high[i], (int)i) < 0) return ERR_SYSTEM;
    }
    if (syscall(SYS_close_range, (unsigned)n, ~0u, 0u) != 0) return ERR_SYSTEM;
    return ERR_NONE;
}

struct exec_call {
    const struct spawn *s;
    int error;
};

static int exec_run(void *p)
{
    struct exec_call *e = p;
    int keep[KEEP_MAX];
    size_t n = e->s->fd_count;
    spawn_signals_default();
    for (size_t i = 0; i < n; i++) keep[i] = e->s->fds[i];
    keep[n] = e->s->exe;
    if (spawn_keep_fds(keep, n + 1) == ERR_NONE) {
        fcntl((int)n, F_SETFD, FD_CLOEXEC);
        syscall(SYS_execveat, (int)n, "", e->s->argv, e->s->envp, AT_EMPTY_PATH);
    }
    e->error = errno;
    return 127;
}

enum err spawn_exec(const struct spawn *s, pid_t *out)
{
    struct exec_call e = {.s = s};
    pid_t pid;
    int status;
    if (s->fd_count >= KEEP_MAX) return ERR_USAGE;
    TRY(spawn_call(exec_run, &e, &pid));
    if (e.error == 0) {
        *out = pid;
        return ERR_NONE;
    }
    (void)!child_wait(pid, &status);
    errno = e.error;
    return ERR_SYSTEM;
}

static int folder_open_at(const char *folder, const char *name)
{
    int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) return -1;
    int fd = openat(dir, name, O_PATH | O_CLOEXEC);
    if (fd >= 0 && faccessat(dir, name, X_OK, 0) != 0) {
        close(fd);
        fd = -1;
    }
    close(dir);
    return fd;
}

enum err companion_open(const char *name, const char *libexec_dir, int *out)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    int fd = -1;
    if (n > 0) {
        self[n] = 0;
        char *slash = strrchr(self, '/');
        if (slash) {
            *slash = 0;
            fd = folder_open_at(slash == self ? "/" : self, name);
        }
    }
    if (fd < 0 && libexec_dir) fd = folder_open_at(libexec_dir, name);
    if (fd < 0) return ERR_NOT_FOUND;
    *out = fd;
    return ERR_NONE;
}

enum err pidfd_of(pid_t pid, int *out)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) return ERR_SYSTEM;
    *out = fd;
    return ERR_NONE;
}

enum err pidfd_kill(int pidfd, int sig)
{
    return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) == 0 ? ERR_NONE : ERR_SYSTEM;
}

enum err child_wait(pid_t pid, int *status)
{
    pid_t got;
    do {
        got = waitpid(pid, status, 0);
    } while (got < 0 && errno == EINTR);
    return got == pid ? ERR_NONE : ERR_SYSTEM;
}
