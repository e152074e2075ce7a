/* SPDX-License-Identifier: ISC */
/* All of something through a descriptor that may block, across signals. */
#ifndef OS_FD_H
#define OS_FD_H

#include "base/wr.h"

/* Closes it where there is one, and makes it -1; errno stays. Also for CLEANUP(). */
void fd_close(int *fd);

/* ERR_SYSTEM with errno. */
MUST_USE enum err fd_write(int fd, struct bytes b);
/* Until the end or until p[0..n) is full; the bytes that came, also before an error. */
size_t fd_fill(int fd, void *p, size_t n);
/* Appends what comes until the end. ERR_TOO_LONG: more than max bytes; ERR_SYSTEM with errno; what `out` says. */
MUST_USE enum err fd_read(int fd, size_t max, struct wr *out);

#endif
