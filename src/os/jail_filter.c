/* SPDX-License-Identifier: ISC */
/* System call filters as BPF programs (seccomp(2)). What a list does not name kills the process. The calls that matter for speed
 * (read, write, ppoll, sendmsg, recvmsg) are allowed without a look at arguments, which the kernel remembers in a bitmap. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include "os/jail.h"

#if defined(__x86_64__)
#define FILTER_ARCH AUDIT_ARCH_X86_64
#define DENY_OLDER DENY(fork), DENY(vfork),
#define CALLS_OLDER ALLOW(epoll_wait), ALLOW(poll), ALLOW(select), ALLOW(gettimeofday), ALLOW(time),    /* what newer machines never had */
#elif defined(__aarch64__)
#define FILTER_ARCH AUDIT_ARCH_AARCH64
#define DENY_OLDER
#define CALLS_OLDER
#else
#error "no system call filter for this machine, and nothing runs without one"
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_ARG(i) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * (i))    /* low word, little endian */
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
/* A foreign architecture's numbers mean other calls. x32 numbers have a bit set that no listed number has. */
#define BEGIN LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FILTER_ARCH, 1, 0), RETURN(SECCOMP_RET_KILL_PROCESS), LOAD(nr)
#define ALLOW(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), RETURN(SECCOMP_RET_ALLOW)
/* ... only if argument i is exactly v */
#define ALLOW_IF(call, i, v) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 4), LOAD_ARG(i), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(v), 0, 1), \
    RETURN(SECCOMP_RET_ALLOW), LOAD(nr)
/* ... only if arguments i and j are exactly v and u */
#define ALLOW_IF2(call, i, v, j, u) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 6), LOAD_ARG(i), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(v), 0, 3), \
    LOAD_ARG(j), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(u), 0, 1), RETURN(SECCOMP_RET_ALLOW), LOAD(nr)
/* ... only if argument i has none of these bits */
#define ALLOW_UNLESS(call, i, bits) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 4), LOAD_ARG(i), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (uint32_t)(bits), 1, 0), \
    RETURN(SECCOMP_RET_ALLOW), LOAD(nr)
/* ... fails with an errno instead of killing: for calls that libraries try and can do without */
#define REFUSE(call, error) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), RETURN(SECCOMP_RET_ERRNO | (error))
#define END RETURN(SECCOMP_RET_KILL_PROCESS)
/* For lists of what is forbidden, which end with ALLOW_REST: kills; fails if argument i has one of these bits. */
#define DENY(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), RETURN(SECCOMP_RET_KILL_PROCESS)
#define REFUSE_BITS(call, i, bits, error) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 4), LOAD_ARG(i), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (uint32_t)(bits), 0, 1), \
    RETURN(SECCOMP_RET_ERRNO | (error)), LOAD(nr)
/* x32 numbers, which no such list names. */
#define DENY_X32 BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1), RETURN(SECCOMP_RET_KILL_PROCESS)
#define ALLOW_REST RETURN(SECCOMP_RET_ALLOW)

/* Memory without new code, the clock, random bytes, the end. getpid: how libcrypto notices a fork. futex: its locks. */
#define CALLS_COMMON \
    ALLOW(recvmsg), ALLOW(sendmsg), ALLOW(ppoll), ALLOW(getrandom), ALLOW(getpid), ALLOW(futex), ALLOW(clock_gettime), \
    ALLOW(brk), ALLOW(munmap), ALLOW(madvise), ALLOW(mremap), ALLOW_UNLESS(mmap, 2, PROT_EXEC), ALLOW(close), \
    ALLOW(rt_sigreturn), ALLOW(restart_syscall), ALLOW(exit_group), ALLOW(exit)

/* Channel data; of a pty its size, break and echo state; half a socket closed; pipes grown under bulk; IPQoS. */
#define CALLS_TRANSPORT \
    ALLOW(read), ALLOW(write), ALLOW(readv), ALLOW(writev), ALLOW(sendto), ALLOW(recvfrom), CALLS_COMMON, \
    ALLOW_IF(ioctl, 1, TIOCSWINSZ), ALLOW_IF(ioctl, 1, TCSBRK), ALLOW_IF(ioctl, 1, TCGETS), ALLOW_IF(setsockopt, 1, IPPROTO_TCP), \
    ALLOW_IF2(setsockopt, 1, IPPROTO_IP, 2, IP_TOS), ALLOW_IF2(setsockopt, 1, IPPROTO_IPV6, 2, IPV6_TCLASS), \
    ALLOW(shutdown), ALLOW_IF(fcntl, 1, F_SETPIPE_SZ), ALLOW_IF(fcntl, 1, F_GETFL)

/* The server's also: files that were opened elsewhere, by offset and by descriptor only. */
#define CALLS_FACE CALLS_TRANSPORT, ALLOW(pwrite64), ALLOW(preadv), ALLOW(fstat)

#ifdef NACRE_ASAN
/* The sanitizer's own needs, in its build only. */
#define CALLS_SANITIZER ALLOW(sigaltstack), ALLOW(rt_sigprocmask), ALLOW(rt_sigaction), ALLOW(gettid), ALLOW(sched_yield), \
    ALLOW_UNLESS(mprotect, 2, PROT_EXEC),

/* The leak check at exit stops all threads by ptrace from a process of its own: there is neither behind a filter. Who has put one on
 * ends without that check; everybody else ends with it. */
static bool filtered;
int __lsan_is_turned_off(void);
__attribute__((visibility("default"))) int __lsan_is_turned_off(void)
{
    return filtered;
}
#define FILTERED() (filtered = true)
#else
#define CALLS_SANITIZER
#define FILTERED() ((void)0)
#endif

static struct sock_filter filter_face[] = {BEGIN, CALLS_FACE, CALLS_SANITIZER END};
/* Besides, the files that sftp and scp pass, for writing by offset only (kit/lane.h). */
static struct sock_filter filter_transport[] = {BEGIN, CALLS_TRANSPORT, ALLOW(pwritev), CALLS_SANITIZER END};

/* A face is made (clone with exactly these flags), limits itself, names itself and puts on its own filter. */
static struct sock_filter filter_nursery[] = {
    BEGIN, CALLS_FACE, ALLOW_IF(clone, 0, CLONE_PARENT | SIGCHLD), ALLOW(prlimit64), ALLOW(pidfd_open), ALLOW(seccomp),
    ALLOW_IF(prctl, 0, PR_SET_NAME), CALLS_SANITIZER END};

static struct sock_filter filter_message[] = {BEGIN, CALLS_COMMON, CALLS_SANITIZER END};
/* Besides, files that were opened elsewhere (revoked keys, authorities). */
static struct sock_filter filter_verifier[] = {BEGIN, CALLS_COMMON, ALLOW(read), CALLS_SANITIZER END};
/* Besides, the one stream that leads to an agent. */
static struct sock_filter filter_keys_agent[] = {BEGIN, CALLS_COMMON, ALLOW(sendto), ALLOW(recvfrom), CALLS_SANITIZER END};

/* Questions to name servers, by a library that waits with epoll. Its files are read before; it asks who it is, and for others in vain. */
static struct sock_filter filter_resolver[] = {
    BEGIN, CALLS_COMMON, CALLS_OLDER ALLOW(read), ALLOW(write), ALLOW(readv), ALLOW(writev), ALLOW(sendto), ALLOW(recvfrom), ALLOW(sendmmsg),
    ALLOW_IF(socket, 0, AF_INET), ALLOW_IF(socket, 0, AF_INET6), ALLOW(bind), ALLOW(connect), ALLOW(setsockopt), ALLOW(getsockopt),
    ALLOW(getsockname), ALLOW(getpeername), ALLOW(shutdown), ALLOW_IF(fcntl, 1, F_GETFL), ALLOW_IF(fcntl, 1, F_SETFL), ALLOW_IF(fcntl, 1, F_GETFD),
    ALLOW_IF(fcntl, 1, F_SETFD), ALLOW_IF(ioctl, 1, FIONBIO), ALLOW(epoll_create1), ALLOW(epoll_ctl), ALLOW(epoll_pwait), ALLOW(pselect6),
    ALLOW(pipe2), ALLOW(eventfd2), ALLOW(timerfd_create), ALLOW(timerfd_settime), ALLOW(rt_sigprocmask), ALLOW(rt_sigaction), ALLOW(clock_nanosleep),
    ALLOW(getuid), ALLOW(geteuid), ALLOW(getgid), ALLOW(getegid), ALLOW(gettid), REFUSE(openat, EACCES), REFUSE(newfstatat, EACCES),
    CALLS_SANITIZER END};

/* A user's process that works on files for a face: it starts nothing and looks into nothing. What it may open is its user's rights' matter,
 * and name services may load code and connect; behind a chroot they are not asked. */
#define DENIED_FILES DENY_X32, DENY_OLDER DENY(execve), DENY(execveat), DENY(clone3), DENY(clone), DENY(ptrace), DENY(process_vm_readv), \
    DENY(process_vm_writev), DENY(unshare), DENY(setns), DENY(mount), DENY(umount2), DENY(pivot_root), DENY(chroot), DENY(bpf), DENY(keyctl), \
    DENY(add_key), DENY(request_key), DENY(io_uring_setup), DENY(userfaultfd), DENY(perf_event_open), DENY(open_by_handle_at), DENY(personality)
static struct sock_filter filter_files[] = {BEGIN, DENIED_FILES, ALLOW_REST};
static struct sock_filter filter_files_chroot[] = {
    BEGIN, DENIED_FILES, REFUSE(socket, EACCES), REFUSE_BITS(mmap, 2, PROT_EXEC, EACCES), REFUSE_BITS(mprotect, 2, PROT_EXEC, EACCES), ALLOW_REST};

#define PROG(f) {.len = COUNT_OF(f), .filter = f}
static const struct sock_fprog programs[] = {
    [JAIL_FILTER_NURSERY] = PROG(filter_nursery), [JAIL_FILTER_FACE] = PROG(filter_face), [JAIL_FILTER_VERIFIER] = PROG(filter_verifier),
    [JAIL_FILTER_KEYS] = PROG(filter_message), [JAIL_FILTER_KEYS_AGENT] = PROG(filter_keys_agent), [JAIL_FILTER_TRANSPORT] = PROG(filter_transport),
    [JAIL_FILTER_RESOLVER] = PROG(filter_resolver), [JAIL_FILTER_FILES] = PROG(filter_files),
    [JAIL_FILTER_FILES_CHROOT] = PROG(filter_files_chroot)};

enum err jail_filter(enum jail_filter which)
{
    if ((size_t)which >= COUNT_OF(programs)) return ERR_USAGE;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &programs[which]) != 0) return ERR_SYSTEM;
    FILTERED();
    return ERR_NONE;
}

bool jail_seccomp_works(void)
{
    uint32_t action = SECCOMP_RET_KILL_PROCESS;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}
