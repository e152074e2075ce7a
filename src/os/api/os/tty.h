/* SPDX-License-Identifier: ISC */
/* The terminal a person sits at: raw mode with a restore that no way out can miss, and the window's size. */
#ifndef OS_TTY_H
#define OS_TTY_H

#include <termios.h>

#include "base/bytes.h"

struct tty_size {
    uint32_t cols, rows, xpixels, ypixels;
};

/* Put the terminal `fd` into raw mode (cfmakeraw as OpenSSH does it: no echo, no signals, 8 bit); what it was is remembered and
 * restored by tty_restore(), by exit() and by the caller's signal handlers. Calling it again is fine.
 * ERR_SYSTEM: not a terminal. */
MUST_USE enum err tty_raw(int fd);
/* Back to what it was before tty_raw(); nothing if it is not raw. Safe in a signal handler. */
void tty_restore(void);
bool tty_is_raw(void);
/* The settings before raw mode (or now, if it is not raw): what a pty at the other end should start with. ERR_SYSTEM. */
MUST_USE enum err tty_settings(int fd, struct termios *out);
/* The window's size, zeros where it is unknown. ERR_SYSTEM: not a terminal. */
MUST_USE enum err tty_size_get(int fd, struct tty_size *out);

#endif
