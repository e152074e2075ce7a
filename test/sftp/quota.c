/* SPDX-License-Identifier: ISC */
/* Preloaded into sftp and sftp-server: regular files together hold NACRE_QUOTA bytes, then each write fails as a used up quota makes it. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static long left = -1;

/* How many of n bytes may be written to fd; 0: none. */
static size_t allowed(int fd, size_t n)
{
    struct stat st;
    if (left < 0) {
        const char *text = getenv("NACRE_QUOTA");
        left = text ? atol(text) : 0;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) return n;
    if (n > (size_t)left) n = (size_t)left;
    left -= (long)n;
    if (n == 0) errno = EDQUOT;
    return n;
}

/* pwrite64() by its symbol, as the programs are built with 64-bit offsets. */
__attribute__((visibility("default"))) ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite64");
    n = allowed(fd, n);
    return n ? real(fd, p, n, at) : -1;
}

__attribute__((visibility("default"))) ssize_t splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags)
{
    ssize_t (*real)(int, off64_t *, int, off64_t *, size_t, unsigned) = dlsym(RTLD_NEXT, "splice");
    size_t may = allowed(out, n);
    if (may == 0) return -1;
    ssize_t done = real(in, in_at, out, out_at, may, flags);
    struct stat st;
    if (fstat(out, &st) == 0 && S_ISREG(st.st_mode)) left += (long)may - (done > 0 ? (long)done : 0);
    return done;
}
