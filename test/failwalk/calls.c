/* SPDX-License-Identifier: ISC */
/* Loaded into every program of a room by its /etc/ld.so.preload: one system call of one of our processes fails. Which, says a file
 * beside this module, FILE.ctl, that is mapped here at the start and stays mapped through forks and jails: no process needs a
 * descriptor, an environment or a system call to learn it. Programs that are not in the folder named there are left alone.
 * A process is named by its program and by how many forks lie between it and the program's start. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define DEPTHS 3
#define LOG_MAX 2048

static const char *const programs[] = {"ssh", "ssh-transport", "sshd", "sshd-net", "sshd-keys", "sshd-auth"};
#define PROGRAMS (sizeof programs / sizeof programs[0])

/* How a call may fail: see the columns of CALLS. */
enum mode { MODE_NONE, MODE_EINTR, MODE_SHORT, MODE_FAIL, MODE_NO_FDS };

/* The test reads and writes this with the same layout. */
struct control {
    char folder[256];           /* of our programs, with a slash at its end */
    int32_t armed;              /* count and log; 0: leave all alone */
    int32_t program, depth;     /* whose calls */
    int32_t at;                 /* the number of the call that fails; 0: none */
    int32_t mode;
    _Atomic int32_t fired;      /* 1 + the failed call's place in CALLS */
    _Atomic int32_t count[PROGRAMS][DEPTHS];
    uint8_t log[PROGRAMS][DEPTHS][LOG_MAX];     /* the calls' places in CALLS */
    _Atomic int32_t crypts;     /* passwords hashed, and with what setting the last time */
    char setting[256];
};

static struct control *control;
static int program, depth;
static pid_t self;

/* In which ways a call may fail: interrupted before it has done anything, having done less than asked for, with the errno named. */
enum { E = 1, S = 2, F = 4 };
/* name, ways, errno */
#define CALLS(X) \
    X(read, E | S | F, EIO) X(write, E | S | F, ENOSPC) X(readv, E | S | F, EIO) X(writev, E | S | F, ENOSPC) X(pread64, E | F, EIO) \
    X(pwrite64, E | F, ENOSPC) X(recvmsg, E | S | F, ENOMEM) X(sendmsg, E | S | F, ENOBUFS) X(send, E | F, ENOBUFS) \
    X(ppoll, E | F, ENOMEM) X(poll, E | F, ENOMEM) X(open64, F, EMFILE) X(openat64, F, EMFILE) X(faccessat, F, ENOMEM) \
    X(socket, F, EMFILE) X(socketpair, F, EMFILE) X(pipe2, F, ENFILE) X(accept4, E | F, EMFILE) X(connect, E | F, ENOBUFS) \
    X(dup, F, EMFILE) X(dup2, F, EMFILE) X(fcntl64, F, EMFILE) X(ioctl, F, EIO) X(fstat64, F, ENOMEM) X(stat64, F, ENOMEM) \
    X(lstat64, F, ENOMEM) X(readlink, F, ENOMEM) X(fork, F, EAGAIN) X(clone, F, ENOMEM) X(execve, F, ENOMEM) X(fexecve, F, ENOMEM) \
    X(waitpid, E, EINTR) X(setresuid, F, EAGAIN) X(setresgid, F, ENOMEM) X(setgroups, F, ENOMEM) X(initgroups, F, ENOMEM) \
    X(setuid, F, EAGAIN) X(seteuid, F, EAGAIN) X(setgid, F, EAGAIN) X(setsid, F, EPERM) X(setrlimit64, F, EPERM) X(prctl, F, EINVAL) \
    X(unshare, F, ENOSPC) X(mount, F, ENOMEM) X(umount2, F, EBUSY) X(chroot, F, EPERM) X(chdir, F, EACCES) X(signalfd, F, EMFILE) \
    X(memfd_create, F, EMFILE) X(mmap64, F, ENOMEM) X(madvise, F, ENOMEM) X(getrandom, F, ENOSYS) X(setsockopt, F, ENOBUFS) \
    X(getsockname, F, ENOBUFS) X(getpeername, F, ENOTCONN) X(fchown, F, EPERM) X(fchmod, F, EPERM) X(shutdown, F, ENOTCONN) \
    X(close_range, F, ENOMEM) X(getpwnam, F, EMFILE) X(getpwuid, F, EMFILE) X(getspnam, F, EMFILE) X(getaddrinfo, F, EMFILE) \
    X(sys_clone, F, EAGAIN) X(sys_execveat, F, ENOMEM) X(sys_close_range, F, ENOMEM) X(sys_pidfd_open, F, EMFILE) \
    X(sys_seccomp, F, ENOMEM) X(sys_capset, F, EPERM) X(sys_pivot_root, F, EINVAL) X(sys_pidfd_send_signal, F, EPERM)

#define NAME_ID(name, ways, error) ID_##name,
enum id { CALLS(NAME_ID) ID_COUNT };
#define NAME_WAYS(name, ways, error) [ID_##name] = {ways, error},
static const struct {
    uint8_t ways;
    int error;
} calls[] = {CALLS(NAME_WAYS)};

/* For the test, by ctypes. */
__attribute__((visibility("default"))) const char *fail_call_name(int id);
__attribute__((visibility("default"))) int fail_call_ways(int id);

#define NAME_TEXT(name, ways, error) #name,
const char *fail_call_name(int id)
{
    static const char *const names[] = {CALLS(NAME_TEXT)};
    return id >= 0 && id < ID_COUNT ? names[id] : NULL;
}

int fail_call_ways(int id)
{
    return id >= 0 && id < ID_COUNT ? calls[id].ways : 0;
}

static bool control_open(const char *path)
{
    char exe[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    int fd = n > 0 ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return false;
    exe[n] = 0;
    struct control *c = mmap(NULL, sizeof *c, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (c == MAP_FAILED) return false;
    size_t head = strlen(c->folder);
    for (size_t i = 0; i < PROGRAMS; i++)
        if (strncmp(exe, c->folder, head) == 0 && strcmp(exe + head, programs[i]) == 0) {
            program = (int)i;
            self = getpid();
            control = c;
            return true;
        }
    munmap(c, sizeof *c);
    return false;
}

__attribute__((constructor)) static void begin(void)
{
    Dl_info info;
    char path[4096];
    if (!dladdr((void *)(uintptr_t)begin, &info)) return;
    snprintf(path, sizeof path, "%s.ctl", info.dli_fname);
    (void)control_open(path);
}

/* Which call of the program's own (not of its libraries) this is, and whether and how it is to fail. A child that shares our memory
 * until it execs has another pid and stands a fork further down. */
static enum mode take(enum id id)
{
    if (!control || !control->armed) return MODE_NONE;
    int d = depth + (getpid() != self);
    if (d >= DEPTHS) return MODE_NONE;
    int n = atomic_fetch_add(&control->count[program][d], 1);
    if (n < LOG_MAX) control->log[program][d][n] = (uint8_t)id;
    if (control->program != program || control->depth != d || control->at != n + 1) return MODE_NONE;
    static const uint8_t needs[] = {[MODE_EINTR] = E, [MODE_SHORT] = S, [MODE_FAIL] = F, [MODE_NO_FDS] = F};
    if (!(calls[id].ways & needs[control->mode]) || (control->mode == MODE_NO_FDS && id != ID_recvmsg)) return MODE_NONE;
    atomic_store(&control->fired, 1 + (int)id);
    errno = control->mode == MODE_EINTR ? EINTR : calls[id].error;
    return (enum mode)control->mode;
}

static bool fails(enum id id)
{
    enum mode m = take(id);
    return m == MODE_EINTR || m == MODE_FAIL;
}

static void forked(long pid)
{
    if (pid != 0) return;
    self = getpid();
    depth++;
}

/* The wrapper of NAME has another name in C, so that no header's declaration is in its way. */
#define DEFINE(result, name, parameters) \
    result wrap_##name parameters __asm__(#name); \
    __attribute__((visibility("default"))) result wrap_##name parameters
#define NEXT(result, name, parameters) \
    typedef result(*next_type) parameters; \
    static next_type next; \
    if (!next) next = (next_type)dlsym(RTLD_NEXT, #name)
#define WRAP(result, bad, name, parameters, arguments) \
    DEFINE(result, name, parameters) \
    { \
        NEXT(result, name, parameters); \
        return fails(ID_##name) ? bad : next arguments; \
    }

WRAP(ssize_t, -1, pread64, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
WRAP(ssize_t, -1, pwrite64, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))
WRAP(ssize_t, -1, send, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags))
WRAP(int, -1, ppoll, (struct pollfd *p, nfds_t n, const struct timespec *t, const void *mask), (p, n, t, mask))
WRAP(int, -1, poll, (struct pollfd *p, nfds_t n, int t), (p, n, t))
WRAP(int, -1, open64, (const char *path, int flags, mode_t mode), (path, flags, mode))
WRAP(int, -1, openat64, (int dir, const char *path, int flags, mode_t mode), (dir, path, flags, mode))
WRAP(int, -1, faccessat, (int dir, const char *path, int mode, int flags), (dir, path, mode, flags))
WRAP(int, -1, socket, (int family, int type, int protocol), (family, type, protocol))
WRAP(int, -1, socketpair, (int family, int type, int protocol, int *out), (family, type, protocol, out))
WRAP(int, -1, pipe2, (int *out, int flags), (out, flags))
WRAP(int, -1, accept4, (int fd, void *a, void *n, int flags), (fd, a, n, flags))
WRAP(int, -1, dup, (int fd), (fd))
WRAP(int, -1, dup2, (int fd, int to), (fd, to))
WRAP(int, -1, fcntl64, (int fd, int what, long arg), (fd, what, arg))
WRAP(int, -1, ioctl, (int fd, unsigned long what, void *arg), (fd, what, arg))
WRAP(int, -1, fstat64, (int fd, void *out), (fd, out))
WRAP(int, -1, stat64, (const char *path, void *out), (path, out))
WRAP(int, -1, lstat64, (const char *path, void *out), (path, out))
WRAP(ssize_t, -1, readlink, (const char *path, char *out, size_t n), (path, out, n))
WRAP(int, -1, execve, (const char *path, char *const *argv, char *const *envp), (path, argv, envp))
WRAP(int, -1, fexecve, (int fd, char *const *argv, char *const *envp), (fd, argv, envp))
WRAP(pid_t, -1, waitpid, (pid_t pid, int *status, int flags), (pid, status, flags))
WRAP(int, -1, setresuid, (uid_t r, uid_t e, uid_t s), (r, e, s))
WRAP(int, -1, setresgid, (gid_t r, gid_t e, gid_t s), (r, e, s))
WRAP(int, -1, setgroups, (size_t n, const gid_t *list), (n, list))
WRAP(int, -1, initgroups, (const char *user, gid_t gid), (user, gid))
WRAP(int, -1, setuid, (uid_t u), (u))
WRAP(int, -1, seteuid, (uid_t u), (u))
WRAP(int, -1, setgid, (gid_t g), (g))
WRAP(pid_t, -1, setsid, (void), ())
WRAP(int, -1, setrlimit64, (int what, const void *limit), (what, limit))
WRAP(int, -1, prctl, (int what, long a, long b, long c, long d), (what, a, b, c, d))
WRAP(int, -1, unshare, (int flags), (flags))
WRAP(int, -1, mount, (const char *from, const char *to, const char *type, unsigned long flags, const void *data), (from, to, type, flags, data))
WRAP(int, -1, umount2, (const char *path, int flags), (path, flags))
WRAP(int, -1, chroot, (const char *path), (path))
WRAP(int, -1, chdir, (const char *path), (path))
WRAP(int, -1, signalfd, (int fd, const void *mask, int flags), (fd, mask, flags))
WRAP(int, -1, memfd_create, (const char *name, unsigned flags), (name, flags))
WRAP(void *, MAP_FAILED, mmap64, (void *at, size_t n, int prot, int flags, int fd, off_t off), (at, n, prot, flags, fd, off))
WRAP(int, -1, madvise, (void *at, size_t n, int advice), (at, n, advice))
WRAP(ssize_t, -1, getrandom, (void *p, size_t n, unsigned flags), (p, n, flags))
WRAP(int, -1, setsockopt, (int fd, int level, int what, const void *p, socklen_t n), (fd, level, what, p, n))
WRAP(int, -1, getsockname, (int fd, void *a, void *n), (fd, a, n))
WRAP(int, -1, getpeername, (int fd, void *a, void *n), (fd, a, n))
WRAP(int, -1, fchown, (int fd, uid_t u, gid_t g), (fd, u, g))
WRAP(int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(int, -1, shutdown, (int fd, int how), (fd, how))
WRAP(int, -1, close_range, (unsigned from, unsigned to, int flags), (from, to, flags))
WRAP(struct passwd *, NULL, getpwnam, (const char *name), (name))
WRAP(struct passwd *, NULL, getpwuid, (uid_t uid), (uid))
WRAP(void *, NULL, getspnam, (const char *name), (name))
WRAP(int, EAI_SYSTEM, getaddrinfo, (const char *host, const char *port, const void *hints, void *out), (host, port, hints, out))

/* Under the names that fortified builds use. */
DEFINE(int, __ppoll_chk, (struct pollfd *p, nfds_t n, const struct timespec *t, const void *mask, size_t room))
{
    NEXT(int, __ppoll_chk, (struct pollfd *, nfds_t, const struct timespec *, const void *, size_t));
    return fails(ID_ppoll) ? -1 : next(p, n, t, mask, room);
}

DEFINE(int, __open64_2, (const char *path, int flags))
{
    NEXT(int, __open64_2, (const char *, int));
    return fails(ID_open64) ? -1 : next(path, flags);
}

/* ---- those that may do less ---- */

/* A signalfd gives whole records or nothing. */
#define SIGNALFD_RECORD 128

DEFINE(ssize_t, read, (int fd, void *p, size_t n))
{
    NEXT(ssize_t, read, (int, void *, size_t));
    enum mode m = n == SIGNALFD_RECORD && control && control->mode == MODE_SHORT ? MODE_NONE : take(ID_read);
    return m == MODE_SHORT ? next(fd, p, n > 0) : m != MODE_NONE ? -1 : next(fd, p, n);
}

DEFINE(ssize_t, write, (int fd, const void *p, size_t n))
{
    NEXT(ssize_t, write, (int, const void *, size_t));
    enum mode m = take(ID_write);
    return m == MODE_SHORT ? next(fd, p, n > 0) : m != MODE_NONE ? -1 : next(fd, p, n);
}

/* The first byte of the first part that has one. */
static struct iovec first(const struct iovec *v, size_t n)
{
    while (n > 1 && v->iov_len == 0) v++, n--;
    return (struct iovec){v->iov_base, v->iov_len > 0};
}

DEFINE(ssize_t, readv, (int fd, const struct iovec *v, int n))
{
    NEXT(ssize_t, readv, (int, const struct iovec *, int));
    enum mode m = take(ID_readv);
    struct iovec one;
    return m == MODE_SHORT ? (one = first(v, (size_t)n), next(fd, &one, 1)) : m != MODE_NONE ? -1 : next(fd, v, n);
}

DEFINE(ssize_t, writev, (int fd, const struct iovec *v, int n))
{
    NEXT(ssize_t, writev, (int, const struct iovec *, int));
    enum mode m = take(ID_writev);
    struct iovec one;
    return m == MODE_SHORT ? (one = first(v, (size_t)n), next(fd, &one, 1)) : m != MODE_NONE ? -1 : next(fd, v, n);
}

/* Streams are what our programs send on without waiting and receive from without asking for descriptors; a datagram is never cut. */
DEFINE(ssize_t, sendmsg, (int fd, const struct msghdr *h, int flags))
{
    NEXT(ssize_t, sendmsg, (int, const struct msghdr *, int));
    enum mode m = take(ID_sendmsg);
    if (m == MODE_NONE) return next(fd, h, flags);
    if (m != MODE_SHORT) return -1;
    bool stream = (flags & MSG_DONTWAIT) && program != 2 && program != 4;
    struct iovec one = first(h->msg_iov, h->msg_iovlen);
    struct msghdr cut = {.msg_iov = &one, .msg_iovlen = 1};
    return next(fd, stream ? &cut : h, flags);
}

/* NO_FDS: our table of descriptors is full, so that the kernel drops those that came (recvmsg(2), MSG_CTRUNC). */
static void fds_drop(struct msghdr *h)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            close(fd);
        }
        h->msg_flags |= MSG_CTRUNC;
    }
    h->msg_controllen = 0;
}

DEFINE(ssize_t, recvmsg, (int fd, struct msghdr *h, int flags))
{
    NEXT(ssize_t, recvmsg, (int, struct msghdr *, int));
    enum mode m = take(ID_recvmsg);
    if (m == MODE_EINTR || m == MODE_FAIL) return -1;
    if (m == MODE_SHORT && !(flags & MSG_CMSG_CLOEXEC)) {
        struct iovec one = first(h->msg_iov, h->msg_iovlen);
        struct msghdr cut = {.msg_iov = &one, .msg_iovlen = 1};
        return next(fd, &cut, flags);
    }
    ssize_t n = next(fd, h, flags);
    if (m == MODE_NO_FDS && n >= 0) fds_drop(h);
    return n;
}

/* Interrupted, it goes on by itself (connect(2)). */
DEFINE(int, connect, (int fd, const void *a, socklen_t n))
{
    NEXT(int, connect, (int, const void *, socklen_t));
    enum mode m = take(ID_connect);
    if (m == MODE_FAIL) return -1;
    int done = next(fd, a, n);
    if (m == MODE_EINTR && done == 0) {
        errno = EINTR;
        return -1;
    }
    return done;
}

/* ---- no system call, but work that must not tell who exists ---- */

DEFINE(char *, crypt_rn, (const char *phrase, const char *setting, void *data, int size))
{
    NEXT(char *, crypt_rn, (const char *, const char *, void *, int));
    if (control && control->armed) {
        atomic_fetch_add(&control->crypts, 1);
        snprintf(control->setting, sizeof control->setting, "%s", setting);
    }
    return next(phrase, setting, data, size);
}

/* ---- those after which there are two ---- */

DEFINE(pid_t, fork, (void))
{
    NEXT(pid_t, fork, (void));
    if (fails(ID_fork)) return -1;
    pid_t pid = next();
    forked(pid);
    return pid;
}

DEFINE(int, clone, (int (*fn)(void *), void *stack, int flags, void *arg, void *a, void *b, void *c))
{
    NEXT(int, clone, (int (*)(void *), void *, int, void *, void *, void *, void *));
    return fails(ID_clone) ? -1 : next(fn, stack, flags, arg, a, b, c);
}

DEFINE(long, syscall, (long number, long a, long b, long c, long d, long e, long f))
{
    static const struct {
        long number;
        enum id id;
    } known[] = {{SYS_clone, ID_sys_clone}, {SYS_execveat, ID_sys_execveat}, {SYS_close_range, ID_sys_close_range},
                 {SYS_pidfd_open, ID_sys_pidfd_open}, {SYS_seccomp, ID_sys_seccomp}, {SYS_capset, ID_sys_capset},
                 {SYS_pivot_root, ID_sys_pivot_root}, {SYS_pidfd_send_signal, ID_sys_pidfd_send_signal}};
    NEXT(long, syscall, (long, long, long, long, long, long, long));
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].number == number && fails(known[i].id)) return -1;
    long got = next(number, a, b, c, d, e, f);
    if (number == SYS_clone) forked(got);
    return got;
}
