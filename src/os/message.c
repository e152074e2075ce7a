/* SPDX-License-Identifier: ISC */
#include "os/message.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/clock.h"

union control {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
};

enum err message_pair(int out[2])
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return ERR_SYSTEM;
    out[0] = pair[0], out[1] = pair[1];
    return ERR_NONE;
}

enum err message_send(int sock, const void *p, size_t n, const int *fds, size_t fd_count, bool wait)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)p, .iov_len = n};
    union control control;
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd_count > MESSAGE_FDS_MAX) return ERR_USAGE;
    if (fd_count > 0) {
        memset(&control, 0, sizeof control);
        m.msg_control = control.room, m.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_count);
    }
    ssize_t sent;
    do {
        sent = sendmsg(sock, &m, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
    } while (sent < 0 && errno == EINTR);
    if (sent == (ssize_t)n) return ERR_NONE;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return ERR_AGAIN;
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return ERR_PEER_GONE;
    return ERR_SYSTEM;
}

static void control_take(struct msghdr *m, struct message *out)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        size_t k = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < k && out->fd_count < MESSAGE_FDS_MAX; i++)
            memcpy(&out->fd[out->fd_count++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
}

void message_close_fds(struct message *m)
{
    for (size_t i = 0; i < m->fd_count; i++) close(m->fd[i]);
    m->fd_count = 0;
}

enum err message_recv(int sock, void *buf, size_t cap, bool wait, struct message *out)
{
    struct iovec iov = {.iov_base = buf, .iov_len = cap};
    union control control;
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    struct message in = {0};
    ssize_t n;
    /* ECONNRESET: the other end closed with something of ours unread. It is told once, before what that end had still sent. */
    do {
        n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    } while (n < 0 && (errno == EINTR || errno == ECONNRESET));
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return ERR_AGAIN;
    if (n < 0) return ERR_SYSTEM;
    control_take(&m, &in);
    /* No message of ours is empty, so that an empty datagram cannot be taken for the end (or the end for a datagram). */
    if (n == 0 || m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        message_close_fds(&in);
        return n == 0 ? ERR_PEER_GONE : ERR_TOO_LONG;
    }
    in.n = (size_t)n;
    *out = in;
    return ERR_NONE;
}

enum err message_wait(int sock, uint64_t deadline_us)
{
    for (;;) {
        uint64_t now = clock_us();
        struct timespec t = clock_span(deadline_us > now ? deadline_us - now : 0);
        struct pollfd p = {.fd = sock, .events = POLLIN};
        int n = ppoll(&p, 1, deadline_us == UINT64_MAX ? NULL : &t, NULL);
        if (n > 0) return ERR_NONE;
        if (n < 0 && errno != EINTR) return ERR_SYSTEM;
        if (n == 0 && clock_us() >= deadline_us) return ERR_TIMEOUT;
    }
}
