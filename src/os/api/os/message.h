/* SPDX-License-Identifier: ISC */
/* Datagrams with descriptors over SOCK_SEQPACKET pairs: how our processes talk. One datagram is one message; a datagram that does not
 * fit, or that carries more descriptors than fit, is an error and never a shorter message. */
#ifndef OS_MESSAGE_H
#define OS_MESSAGE_H

#include "base/bytes.h"

#define MESSAGE_FDS_MAX 16      /* as many files as one datagram of a file hand brings */

struct message {
    size_t n;                   /* bytes of the datagram */
    size_t fd_count;
    int fd[MESSAGE_FDS_MAX];    /* close-on-exec; the receiver's to close */
};

/* A connected pair, close-on-exec. ERR_SYSTEM with errno. */
MUST_USE enum err message_pair(int out[2]);

/* Send p[0..n) with fds[0..fd_count) (they stay open here). Waits for room if `wait`, else ERR_AGAIN. ERR_PEER_GONE: nobody is left to
 * read it. ERR_SYSTEM with errno. Never raises SIGPIPE. */
MUST_USE enum err message_send(int sock, const void *p, size_t n, const int *fds, size_t fd_count, bool wait);

/* Receive one datagram into buf[0..cap). A signal does not interrupt it. ERR_AGAIN: none there and not `wait`; ERR_PEER_GONE: the
 * other end is closed, and all that it sent was received; ERR_TOO_LONG: longer than cap or too many descriptors (all that came are
 * closed). `out` untouched on failure. */
MUST_USE enum err message_recv(int sock, void *buf, size_t cap, bool wait, struct message *out);

/* Wait until the socket has something (or its end), at most until the monotonic time deadline_us (UINT64_MAX: for ever).
 * ERR_TIMEOUT. */
MUST_USE enum err message_wait(int sock, uint64_t deadline_us);

/* Close every descriptor that came with it. */
void message_close_fds(struct message *m);

#endif
