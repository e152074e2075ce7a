/* SPDX-License-Identifier: ISC */
/* Preloaded into a program: one call of the kind FAIL_KIND fails with FAIL_ERRNO, or, with FAIL_ERRNO=kill, the process dies there. Kinds: file;
 * open (files and folders); talk (sockets, descriptors, processes); memory (allocations by the program itself); library (allocations by its
 * libraries). Which one, says the file FAIL_LOG, two numbers of 64 bits that stay mapped here through forks and closed descriptors: how
 * many calls there were, and the number of the one that fails (0: none). A test may set both while the program runs. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <stdio_ext.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GIVEN_MAX 128      /* bytes of a function that only allocates */

static struct control {
    _Atomic long count, at;
} none, *control;
static int with;
static enum kind { KIND_FILE, KIND_OPEN, KIND_TALK, KIND_MEMORY, KIND_LIBRARY } wanted;
static const char *program, *program_end;

/* Where the program itself lies, from its own headers. */
static void find_program(void)
{
    const Elf64_Phdr *h = (const void *)getauxval(AT_PHDR);
    size_t n = getauxval(AT_PHNUM);
    for (size_t i = 0; i < n; i++)
        if (h[i].p_type == PT_PHDR) program = (const char *)h - h[i].p_vaddr;
    for (size_t i = 0; i < n; i++)
        if (h[i].p_type == PT_LOAD && program + h[i].p_vaddr + h[i].p_memsz > program_end)
            program_end = program + h[i].p_vaddr + h[i].p_memsz;
}

static const struct {
    const char *name;
    enum kind kind;
} kinds[] = {{"file", KIND_FILE}, {"open", KIND_OPEN}, {"talk", KIND_TALK}, {"memory", KIND_MEMORY}, {"library", KIND_LIBRARY}};

/* Raw system calls and no allocation in here: these run inside malloc. */
static void setup(void)
{
    const char *kind = getenv("FAIL_KIND"), *log = getenv("FAIL_LOG"), *error = getenv("FAIL_ERRNO");
    long fd = log ? syscall(SYS_openat, AT_FDCWD, log, O_RDWR | O_CLOEXEC) : -1;
    control = &none;
    for (size_t i = 0; kind && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kind, kinds[i].name) == 0) wanted = kinds[i].kind;
    with = error && strcmp(error, "kill") == 0 ? -1 : error ? atoi(error) : EIO;
    find_program();
    if (fd < 0) return;
    long p = syscall(SYS_mmap, 0, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p > 0) control = (struct control *)p;       /* NOLINT: an address as the kernel gave it */
    syscall(SYS_close, fd);
}

static bool fails(enum kind kind)
{
    if (!control) setup();
    if (kind != wanted) return false;
    if (atomic_fetch_add(&control->count, 1) + 1 != atomic_load(&control->at)) return false;
    if (with == -1) syscall(SYS_kill, (int)syscall(SYS_getpid), SIGKILL);
    errno = kind == KIND_MEMORY || kind == KIND_LIBRARY ? ENOMEM : with;
    return true;
}

/* What a program gives libcrypto to allocate with allocates for the library. */
static void *(*given[2])(void);

static bool is_given(const char *caller)
{
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        const char *start = (const char *)(uintptr_t)given[i];
        if (start && caller >= start && caller < start + GIVEN_MAX) return true;
    }
    return false;
}

static bool memory_fails(const void *caller)
{
    if (!control) setup();
    if (is_given(caller)) return fails(KIND_LIBRARY);
    return fails((const char *)caller >= program && (const char *)caller < program_end ? KIND_MEMORY : KIND_LIBRARY);
}

#define NEXT(type, name) \
    static type next; \
    if (!next) next = (type)dlsym(RTLD_NEXT, name)

/* glibc's own names: dlsym() itself allocates. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t k, size_t n);
void *__libc_realloc(void *p, size_t n);
void *malloc(size_t n);
void *calloc(size_t k, size_t n);
void *realloc(void *p, size_t n);

__attribute__((visibility("default"))) void *malloc(size_t n)
{
    return memory_fails(__builtin_return_address(0)) ? NULL : __libc_malloc(n);
}

__attribute__((visibility("default"))) void *calloc(size_t k, size_t n)
{
    return memory_fails(__builtin_return_address(0)) ? NULL : __libc_calloc(k, n);
}

__attribute__((visibility("default"))) void *realloc(void *p, size_t n)
{
    return memory_fails(__builtin_return_address(0)) ? NULL : __libc_realloc(p, n);
}

#define WRAP_KIND(kind, result, bad, name, parameters, arguments) \
    result name parameters; \
    __attribute__((visibility("default"))) result name parameters \
    { \
        typedef result (*call) parameters; \
        NEXT(call, #name); \
        return fails(kind) ? bad : next arguments; \
    }
#define WRAP(result, bad, name, parameters, arguments) WRAP_KIND(KIND_FILE, result, bad, name, parameters, arguments)
#define TALK(result, bad, name, parameters, arguments) WRAP_KIND(KIND_TALK, result, bad, name, parameters, arguments)
WRAP(int, -1, mkostemp, (char *path, int flags), (path, flags))
WRAP(int, -1, rename, (const char *from, const char *to), (from, to))
WRAP(int, -1, link, (const char *from, const char *to), (from, to))
WRAP(int, -1, unlink, (const char *path), (path))
WRAP(int, -1, fsync, (int fd), (fd))
WRAP(int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(ssize_t, -1, read, (int fd, void *p, size_t n), (fd, p, n))
WRAP(ssize_t, -1, write, (int fd, const void *p, size_t n), (fd, p, n))
WRAP(int, -1, ftruncate64, (int fd, off_t n), (fd, n))
WRAP(int, -1, mkdir, (const char *path, mode_t mode), (path, mode))

TALK(int, -1, socket, (int family, int type, int protocol), (family, type, protocol))
TALK(int, -1, bind, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
TALK(int, -1, listen, (int fd, int backlog), (fd, backlog))
TALK(int, -1, accept4, (int fd, struct sockaddr *a, socklen_t *n, int flags), (fd, a, n, flags))
TALK(int, -1, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
TALK(int, -1, getsockopt, (int fd, int level, int what, void *p, socklen_t *n), (fd, level, what, p, n))
TALK(ssize_t, -1, recv, (int fd, void *p, size_t n, int flags), (fd, p, n, flags))
TALK(ssize_t, -1, send, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags))
TALK(int, -1, poll, (struct pollfd *p, nfds_t n, int t), (p, n, t))
TALK(int, -1, pipe2, (int out[2], int flags), (out, flags))
TALK(pid_t, -1, fork, (void), ())
TALK(pid_t, -1, setsid, (void), ())
TALK(char *, NULL, mkdtemp, (char *path), (path))
TALK(int, -1, flock, (int fd, int what), (fd, what))

/* Under the name that fortified builds use. */
int __poll_chk(struct pollfd *p, nfds_t n, int t, size_t room);
TALK(int, -1, __poll_chk, (struct pollfd *p, nfds_t n, int t, size_t room), (p, n, t, room))

/* Calls that the headers declare in another way, under a name of our own. */
#define OPEN(result, bad, local, name, parameters, arguments) \
    __attribute__((visibility("default"))) result local parameters __asm__(name); \
    result local parameters \
    { \
        typedef result(*call) parameters; \
        static call next; \
        if (!next) next = (call)dlsym(RTLD_NEXT, name); \
        return fails(KIND_OPEN) ? bad : next arguments; \
    }
OPEN(int, -1, wrapped_open, "open64", (const char *path, int flags, mode_t mode), (path, flags, mode))
OPEN(int, -1, wrapped_open_2, "__open64_2", (const char *path, int flags), (path, flags))
OPEN(int, -1, wrapped_openat, "openat64", (int folder, const char *path, int flags, mode_t mode), (folder, path, flags, mode))
OPEN(void *, NULL, wrapped_fopen, "fopen64", (const char *path, const char *mode), (path, mode))
OPEN(int, -1, wrapped_scandir, "scandir64", (const char *path, void *list, void *choose, void *compare), (path, list, choose, compare))

/* Nothing fails that has nothing to do. */
__attribute__((visibility("default"))) int fflush(FILE *f)
{
    typedef int (*call)(FILE *f);
    NEXT(call, "fflush");
    return f && __fpending(f) && fails(KIND_FILE) ? EOF : next(f);
}

int CRYPTO_set_mem_functions(void *(*take)(void), void *(*change)(void), void *(*give)(void));
__attribute__((visibility("default"))) int CRYPTO_set_mem_functions(void *(*take)(void), void *(*change)(void), void *(*give)(void))
{
    typedef int (*call)(void *(*take)(void), void *(*change)(void), void *(*give)(void));
    NEXT(call, "CRYPTO_set_mem_functions");
    given[0] = take, given[1] = change;
    return next ? next(take, change, give) : 0;
}
