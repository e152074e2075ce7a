/* SPDX-License-Identifier: ISC */
/* Pseudo terminals, opened by the user whose they are. */
#ifndef OS_PTY_H
#define OS_PTY_H

#include "base/bytes.h"

struct pty {
    int master, slave;          /* close on exec; slave is not a controlling terminal yet */
    char name[64];              /* "/dev/pts/3" */
};
/* ERR_SYSTEM with errno. */
MUST_USE enum err pty_open(struct pty *out);
void pty_close(struct pty *p);

/* This process becomes a session leader with the terminal as its controlling one. ERR_SYSTEM. */
MUST_USE enum err pty_control(int slave);

/* Window size; numbers above 65535 are cut to it. Errors do not matter. */
void pty_resize(int fd, uint32_t cols, uint32_t rows, uint32_t width_px, uint32_t height_px);

/* Root: make the terminal the user's, group tty (if there is one) and mode 0620, else 0600, where devpts did not do so itself. Works on
 * the descriptor: no name, no race. ERR_SYSTEM. */
MUST_USE enum err pty_own(int slave, uint32_t uid, uint32_t gid);

#endif
