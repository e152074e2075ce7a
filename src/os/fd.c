/* SPDX-License-Identifier: ISC */
#include "os/fd.h"

#include <errno.h>
#include <unistd.h>

void fd_close(int *fd)
{
    int saved = errno;
    if (*fd >= 0) close(*fd);
    *fd = -1;
    errno = saved;
}

enum err fd_write(int fd, struct bytes b)
{
    while (b.n) {
        ssize_t n = write(fd, b.p, b.n);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return ERR_SYSTEM;
        b.p += n, b.n -= (size_t)n;
    }
    return ERR_NONE;
}

size_t fd_fill(int fd, void *p, size_t n)
{
    size_t have = 0;
    while (have < n) {
        ssize_t got = read(fd, (uint8_t *)p + have, n - have);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        have += (size_t)got;
    }
    return have;
}

enum err fd_read(int fd, size_t max, struct wr *out)
{
    for (size_t total = 0;;) {
        uint8_t piece[16384];
        ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return ERR_SYSTEM;
        if (n == 0) return ERR_NONE;
        total += (size_t)n;
        if (total > max) return ERR_TOO_LONG;
        wr_raw(out, bytes_of(piece, (size_t)n));
        TRY(wr_done(out));
    }
}
