/* SPDX-License-Identifier: ISC */
#include "os/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err pty_fill(struct pty *p)
{
    int unlock = 0;
    unsigned number;
    if (ioctl(p->master, TIOCSPTLCK, &unlock) != 0 || ioctl(p->master, TIOCGPTN, &number) != 0) return ERR_SYSTEM;
    snprintf(p->name, sizeof p->name, "/dev/pts/%u", number);
    p->slave = ioctl(p->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    return p->slave >= 0 ? ERR_NONE : ERR_SYSTEM;
}

enum err pty_open(struct pty *out)
{
    struct pty p = {.slave = -1};
    p.master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (p.master < 0) return ERR_SYSTEM;
    if (pty_fill(&p) != ERR_NONE) {
        int e = errno;
        pty_close(&p);
        errno = e;
        return ERR_SYSTEM;
    }
    *out = p;
    return ERR_NONE;
}

void pty_close(struct pty *p)
{
    if (p->master >= 0) close(p->master);
    if (p->slave >= 0) close(p->slave);
    p->master = p->slave = -1;
}

enum err pty_control(int slave)
{
    if (setsid() < 0 && getsid(0) != getpid()) return ERR_SYSTEM;
    return ioctl(slave, TIOCSCTTY, 0) == 0 ? ERR_NONE : ERR_SYSTEM;
}

void pty_resize(int fd, uint32_t cols, uint32_t rows, uint32_t width_px, uint32_t height_px)
{
#define CUT(v) (unsigned short)((v) > 65535 ? 65535 : (v))
    struct winsize w = {.ws_col = CUT(cols), .ws_row = CUT(rows), .ws_xpixel = CUT(width_px), .ws_ypixel = CUT(height_px)};
#undef CUT
    ioctl(fd, TIOCSWINSZ, &w);
}

enum err pty_own(int slave, uint32_t uid, uint32_t gid)
{
    struct stat st;
    if (fstat(slave, &st) != 0) return ERR_SYSTEM;
    if (!S_ISCHR(st.st_mode)) return ERR_DENIED;
    struct group *tty = getgrnam("tty");
    gid_t want_gid = tty ? tty->gr_gid : gid;
    mode_t want = tty ? 0620 : 0600;
    if ((st.st_uid != uid || st.st_gid != want_gid) && fchown(slave, uid, want_gid) != 0) return ERR_SYSTEM;
    if ((st.st_mode & 07777) != want && fchmod(slave, want) != 0) return ERR_SYSTEM;
    return ERR_NONE;
}
