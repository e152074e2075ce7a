/* SPDX-License-Identifier: ISC */
/* Preloaded into a program: the FAIL_AT-th call of the kind FAIL_KIND fails with FAIL_ERRNO, or, with FAIL_ERRNO=kill, the process dies
 * there. Kinds: file; memory (allocations by the program itself); library (allocations by its libraries). FAIL_LOG gets a byte for each
 * such call, so that a test learns how many there are. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static long at = -1, count;
static int with, log_fd = -1;
static enum kind { KIND_FILE, KIND_MEMORY, KIND_LIBRARY } wanted;
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

/* Raw system calls and no allocation in here: these run inside malloc. */
static void setup(void)
{
    const char *kind = getenv("FAIL_KIND"), *log = getenv("FAIL_LOG"), *number = getenv("FAIL_AT"), *error = getenv("FAIL_ERRNO");
    at = number ? atol(number) : 0;
    wanted = !kind || strcmp(kind, "file") == 0 ? KIND_FILE : strcmp(kind, "memory") == 0 ? KIND_MEMORY : KIND_LIBRARY;
    with = error && strcmp(error, "kill") == 0 ? -1 : error ? atoi(error) : EIO;
    find_program();
    if (log) log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
}

static bool fails(enum kind kind)
{
    if (at < 0) setup();
    if (kind != wanted) return false;
    if (log_fd >= 0) syscall(SYS_write, log_fd, ".", 1);
    if (++count != at) return false;
    if (with == -1) syscall(SYS_kill, (int)syscall(SYS_getpid), SIGKILL);
    errno = kind == KIND_FILE ? with : ENOMEM;
    return true;
}

static bool memory_fails(const void *caller)
{
    if (at < 0) setup();
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

#define WRAP(result, bad, name, parameters, arguments) \
    result name parameters; \
    __attribute__((visibility("default"))) result name parameters \
    { \
        typedef result (*call) parameters; \
        NEXT(call, #name); \
        return fails(KIND_FILE) ? bad : next arguments; \
    }
WRAP(int, -1, mkostemp, (char *path, int flags), (path, flags))
WRAP(int, -1, rename, (const char *from, const char *to), (from, to))
WRAP(int, -1, link, (const char *from, const char *to), (from, to))
WRAP(int, -1, unlink, (const char *path), (path))
WRAP(int, -1, fsync, (int fd), (fd))
WRAP(int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(ssize_t, -1, read, (int fd, void *p, size_t n), (fd, p, n))
WRAP(ssize_t, -1, write, (int fd, const void *p, size_t n), (fd, p, n))
WRAP(int, -1, mkdir, (const char *path, mode_t mode), (path, mode))

