/* SPDX-License-Identifier: ISC */
/* Reads and writes that never wait, on the three kinds of descriptors that a pump meets (pump.h). Only system calls of the
 * face's filter are made: readv, writev, recvmsg, sendmsg, ppoll, shutdown, close, ioctl(TCGETS). */
#ifndef KIT_FDIO_H
#define KIT_FDIO_H

#include <sys/types.h>
#include <sys/uio.h>

#include "kit/pump.h"

/* Bytes moved (> 0); 0: end of file (reads only); a negative errno. -EAGAIN: nothing now. EIO of a pty is the caller's to judge. */
ssize_t fd_readv(int fd, enum pump_fd_kind kind, struct iovec *iov, size_t n);
/* A BLOCKING descriptor takes at most PIPE_BUF a call, and only when ppoll promised that it has the room. */
ssize_t fd_writev(int fd, enum pump_fd_kind kind, struct iovec *iov, size_t n);
ssize_t fd_read(int fd, enum pump_fd_kind kind, struct span out);
ssize_t fd_write(int fd, enum pump_fd_kind kind, struct bytes in);

/* Whether this errno of a read or write of a channel's descriptor means that data were lost, so that the rest must not look whole: a full
 * or broken disk, no memory. All others are the way in which the other side of a descriptor goes away. */
bool fd_error_loses(int fd, int error);

/* Ask for the largest pipe an ordinary user may have, so that bulk needs few system calls. Done to a pipe that was found
 * full; anything else, and a user whose pipe memory is used up, keeps what it has. */
void fd_pipe_grow(int fd);

#endif
