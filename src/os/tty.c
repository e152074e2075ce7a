/* SPDX-License-Identifier: ISC */
#include "os/tty.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct termios saved;
static volatile sig_atomic_t raw;
static int raw_fd = -1;

enum err tty_raw(int fd)
{
    static bool at_exit;
    struct termios t;
    if (raw)
        return ERR_NONE;
    if (tcgetattr(fd, &t) != 0)
        return ERR_SYSTEM;
    saved = t;
    t.c_iflag |= IGNPAR;
    t.c_iflag &= ~(tcflag_t)(ISTRIP | INLCR | IGNCR | ICRNL | IXON | IXANY | IXOFF);
    t.c_lflag &= ~(tcflag_t)(ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHONL | IEXTEN);
    t.c_oflag &= ~(tcflag_t)OPOST;
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    if (!at_exit) {
        atexit(tty_restore);
        at_exit = true;
    }
    raw_fd = fd;
    raw = 1;    /* before the change: a signal in between restores what is still there, which does no harm */
    if (tcsetattr(fd, TCSADRAIN, &t) != 0) {
        raw = 0;
        return ERR_SYSTEM;
    }
    return ERR_NONE;
}

void tty_restore(void)
{
    int keep = errno;
    if (raw) {
        tcsetattr(raw_fd, TCSADRAIN, &saved);
        raw = 0;
    }
    errno = keep;
}

bool tty_is_raw(void)
{
    return raw;
}

enum err tty_settings(int fd, struct termios *out)
{
    struct termios t;
    if (raw) {
        *out = saved;
        return ERR_NONE;
    }
    if (tcgetattr(fd, &t) != 0)
        return ERR_SYSTEM;
    *out = t;
    return ERR_NONE;
}

enum err tty_size_get(int fd, struct tty_size *out)
{
    struct winsize w;
    if (ioctl(fd, TIOCGWINSZ, &w) != 0)
        return ERR_SYSTEM;
    *out = (struct tty_size){w.ws_col, w.ws_row, w.ws_xpixel, w.ws_ypixel};
    return ERR_NONE;
}
