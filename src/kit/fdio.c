/* SPDX-License-Identifier: ISC */
#include "fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#define PIPE_BULK (1 << 20)     /* fs.pipe-max-size of an unprivileged process */

static bool fd_is_ready(int fd, short events)
{
    struct pollfd one = {.fd = fd, .events = events};
    const struct timespec at_once = {0};
    return ppoll(&one, 1, &at_once, NULL) == 1;
}

ssize_t fd_readv(int fd, enum pump_fd_kind kind, struct iovec *iov, size_t n)
{
    if (kind == PUMP_FD_BLOCKING && !fd_is_ready(fd, POLLIN)) return -EAGAIN;
    for (;;) {
        struct msghdr msg = {.msg_iov = iov, .msg_iovlen = n};
        ssize_t r = kind == PUMP_FD_SOCKET ? recvmsg(fd, &msg, MSG_DONTWAIT) : readv(fd, iov, (int)n);
        if (r >= 0) return r;
        if (errno != EINTR) return -errno;
        if (kind == PUMP_FD_BLOCKING) return -EAGAIN;   /* somebody else may have taken what ppoll saw */
    }
}

/* Cut the list to `max` bytes; how many entries are left of it. */
static size_t iov_cut(struct iovec *iov, size_t n, size_t max)
{
    for (size_t i = 0; i < n; i++) {
        if (iov[i].iov_len >= max) {
            iov[i].iov_len = max;
            return i + 1;
        }
        max -= iov[i].iov_len;
    }
    return n;
}

ssize_t fd_writev(int fd, enum pump_fd_kind kind, struct iovec *iov, size_t n)
{
    if (kind == PUMP_FD_BLOCKING) {
        if (!fd_is_ready(fd, POLLOUT)) return -EAGAIN;
        n = iov_cut(iov, n, PIPE_BUF);
    }
    for (;;) {
        const struct msghdr msg = {.msg_iov = iov, .msg_iovlen = n};
        ssize_t r = kind == PUMP_FD_SOCKET ? sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) : writev(fd, iov, (int)n);
        if (r > 0) return r;
        if (r == 0) return -EAGAIN;
        if (errno != EINTR) return -errno;
        if (kind == PUMP_FD_BLOCKING) return -EAGAIN;
    }
}

ssize_t fd_read(int fd, enum pump_fd_kind kind, struct span out)
{
    struct iovec one = {.iov_base = out.p, .iov_len = out.n};
    return fd_readv(fd, kind, &one, 1);
}

ssize_t fd_write(int fd, enum pump_fd_kind kind, struct bytes in)
{
    union { const uint8_t *in; void *out; } unconst = {.in = in.p};   /* iovec serves both directions */
    struct iovec one = {.iov_base = unconst.out, .iov_len = in.n};
    return fd_writev(fd, kind, &one, 1);
}

bool fd_error_loses(int fd, int error)
{
    struct termios t;
    switch (error) {
    case EIO: return ioctl(fd, TCGETS, &t) != 0 && errno == ENOTTY;     /* of a terminal: it was hung up */
    case ENOSPC: case EDQUOT: case EFBIG: case ENOMEM: case ENOBUFS: return true;
    default: return false;
    }
}

void fd_pipe_grow(int fd)
{
    (void)fcntl(fd, F_SETPIPE_SZ, PIPE_BULK);
}
