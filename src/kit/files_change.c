/* SPDX-License-Identifier: ISC */
/* What changes the file system. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "files_impl.h"

/* ---- attributes: each that was sent, in this order; the last failure is told ---- */

struct times {
    struct timespec v[2];
};

static struct times times_of(const struct sftp_attrs *a)
{
    return (struct times){{{.tv_sec = a->atime_s}, {.tv_sec = a->mtime_s}}};
}

static void time_log(const char *path, const struct sftp_attrs *a)
{
    char when[64] = "", room[SHOWN_MAX];
    struct tm tm;
    time_t t = a->mtime_s;
    if (log_level() < LOG_LEVEL_INFO || !localtime_r(&t, &tm) || strftime(when, sizeof when, "%Y%m%d-%H:%M:%S", &tm) == 0) return;
    log_line(LOG_LEVEL_INFO, "set \"%s\" modtime %s", shown(path, room), when);
}

static void attrs_log(const char *path, const struct sftp_attrs *a)
{
    char room[SHOWN_MAX];
    shown(path, room);
    if (log_level() < LOG_LEVEL_INFO) return;
    if (a->flags & SSH_FILEXFER_ATTR_SIZE) log_line(LOG_LEVEL_INFO, "set \"%s\" size %llu", room, (unsigned long long)a->size);
    if (a->flags & SSH_FILEXFER_ATTR_PERMISSIONS) log_line(LOG_LEVEL_INFO, "set \"%s\" mode %04o", room, (unsigned)a->mode & 07777);
    if (a->flags & SSH_FILEXFER_ATTR_ACMODTIME) time_log(path, a);
    if (a->flags & SSH_FILEXFER_ATTR_UIDGID) log_line(LOG_LEVEL_INFO, "set \"%s\" owner %u group %u", room, a->uid, a->gid);
}

/* -1 becomes errno; 0 stays what it was. */
static void worse(int returned, int *error)
{
    if (returned != 0) *error = errno;
}

void do_setstat(struct files_call *c)
{
    const struct sftp_attrs *a = &c->op->attrs;
    const struct times t = times_of(a);
    int error = 0;
    attrs_log(c->path, a);
    if (a->flags & SSH_FILEXFER_ATTR_SIZE) worse(truncate(c->path, (off_t)a->size), &error);
    if (a->flags & SSH_FILEXFER_ATTR_PERMISSIONS) worse(chmod(c->path, a->mode & 07777), &error);
    if (a->flags & SSH_FILEXFER_ATTR_ACMODTIME) worse(utimensat(AT_FDCWD, c->path, t.v, 0), &error);
    if (a->flags & SSH_FILEXFER_ATTR_UIDGID) worse(chown(c->path, a->uid, a->gid), &error);
    call_errno(c, error);
}

void do_fsetstat(struct files_call *c)
{
    const struct sftp_attrs *a = &c->op->attrs;
    const struct times t = times_of(a);
    const struct files_entry *e = entry_find(c->f, c->op->handle);
    int error = 0;
    if (c->fd < 0) {
        call_status(c, SSH_FX_FAILURE);
        return;
    }
    attrs_log(e ? e->path : "", a);
    if (a->flags & SSH_FILEXFER_ATTR_SIZE) worse(ftruncate(c->fd, (off_t)a->size), &error);
    if (a->flags & SSH_FILEXFER_ATTR_PERMISSIONS) worse(fchmod(c->fd, a->mode & 07777), &error);
    if (a->flags & SSH_FILEXFER_ATTR_ACMODTIME) worse(futimens(c->fd, t.v), &error);
    if (a->flags & SSH_FILEXFER_ATTR_UIDGID) worse(fchown(c->fd, a->uid, a->gid), &error);
    call_errno(c, error);
}

/* The link itself; a size would mean nothing. */
void do_lsetstat(struct files_call *c)
{
    const struct sftp_attrs *a = &c->op->attrs;
    const struct times t = times_of(a);
    int error = 0;
    if (a->flags & SSH_FILEXFER_ATTR_SIZE) {
        call_status(c, SSH_FX_BAD_MESSAGE);
        return;
    }
    attrs_log(c->path, a);
    if (a->flags & SSH_FILEXFER_ATTR_PERMISSIONS) worse(fchmodat(AT_FDCWD, c->path, a->mode & 07777, AT_SYMLINK_NOFOLLOW), &error);
    if (a->flags & SSH_FILEXFER_ATTR_ACMODTIME) worse(utimensat(AT_FDCWD, c->path, t.v, AT_SYMLINK_NOFOLLOW), &error);
    if (a->flags & SSH_FILEXFER_ATTR_UIDGID) worse(fchownat(AT_FDCWD, c->path, a->uid, a->gid, AT_SYMLINK_NOFOLLOW), &error);
    call_errno(c, error);
}

void do_fsync(struct files_call *c)
{
    char room[SHOWN_MAX];
    log_line(LOG_LEVEL_VERBOSE, "fsync \"%s\"", entry_shown(c->f, c->op->handle, room, sizeof room));
    call_done(c, fsync(c->fd));
}

/* ---- names ---- */

static void log_one(const struct files_call *c, const char *what)
{
    char room[SHOWN_MAX];
    log_line(LOG_LEVEL_INFO, "%s \"%s\"", what, shown(c->path, room));
}

static void log_two(const struct files_call *c, const char *what)
{
    char room[SHOWN_MAX], room2[SHOWN_MAX];
    log_line(LOG_LEVEL_INFO, "%s old \"%s\" new \"%s\"", what, shown(c->path, room), shown(c->path2, room2));
}

void do_remove(struct files_call *c)
{
    log_one(c, "remove name");
    call_done(c, unlink(c->path));
}

void do_rmdir(struct files_call *c)
{
    log_one(c, "rmdir name");
    call_done(c, rmdir(c->path));
}

void do_mkdir(struct files_call *c)
{
    char room[SHOWN_MAX];
    mode_t mode = c->op->attrs.flags & SSH_FILEXFER_ATTR_PERMISSIONS ? c->op->attrs.mode & 07777 : 0777;
    log_line(LOG_LEVEL_INFO, "mkdir name \"%s\" mode 0%o", shown(c->path, room), (unsigned)mode);
    call_done(c, mkdir(c->path, mode));
}

/* For file systems that cannot rename without replacing: a second name, then the first one goes. A folder has to be looked at first. */
static int rename_slowly(const char *from, const char *to)
{
    struct stat st;
    if (lstat(from, &st) != 0) return -1;
    if (S_ISREG(st.st_mode) && link(from, to) == 0) {
        if (unlink(from) == 0) return 0;
        int error = errno;
        (void)unlink(to);
        errno = error;
        return -1;
    }
    if (S_ISREG(st.st_mode) && errno != EOPNOTSUPP && errno != ENOSYS && errno != EPERM && errno != EMLINK && errno != EXDEV) return -1;
    if (lstat(to, &st) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(from, to);
}

/* Version 3's RENAME never replaces: draft 6.5. */
void do_rename(struct files_call *c)
{
    log_two(c, "rename");
    int done = renameat2(AT_FDCWD, c->path, AT_FDCWD, c->path2, RENAME_NOREPLACE);
    if (done != 0 && (errno == EINVAL || errno == ENOSYS)) done = rename_slowly(c->path, c->path2);
    call_done(c, done);
}

void do_posix_rename(struct files_call *c)
{
    log_two(c, "posix-rename");
    call_done(c, rename(c->path, c->path2));
}

void do_symlink(struct files_call *c)
{
    log_two(c, "symlink");
    call_done(c, symlink(c->path, c->path2));
}

void do_hardlink(struct files_call *c)
{
    log_two(c, "hardlink");
    call_done(c, link(c->path, c->path2));
}

/* ---- copy-data ---- */

/* By hand, where the kernel cannot do it between these two. */
static ssize_t copy_slowly(int from, off_t *at, int to, off_t *to_at, size_t n)
{
    static char room[262144];
    ssize_t got = pread(from, room, n < sizeof room ? n : sizeof room, *at);
    for (ssize_t put = 0, done; put < got; put += done) {
        done = pwrite(to, room + put, (size_t)(got - put), *to_at);
        if (done == 0) errno = EIO;
        if (done <= 0) return -1;
        *to_at += done;
    }
    if (got > 0) *at += got;
    return got;
}

static bool asker_gone(const struct files *f)
{
    struct pollfd p = {.fd = f->line};
    return f->line >= 0 && poll(&p, 1, 0) > 0;
}

/* Some of these never end by themselves, like that of a device. */
static int copy_range(const struct files *f, int from, off_t at, int to, off_t to_at, uint64_t length)
{
    enum { STEP = 64 * 1024 * 1024 };
    bool kernel = true, to_end = length == 0;
    while (to_end || length > 0) {
        size_t want = to_end || length > STEP ? STEP : (size_t)length;
        ssize_t n = kernel ? copy_file_range(from, &at, to, &to_at, want, 0) : copy_slowly(from, &at, to, &to_at, want);
        /* 0 at once: files of /proc, whose size is 0, have bytes all the same */
        if (kernel && (n == 0 || (n < 0 && errno != ENOSPC && errno != EDQUOT && errno != EIO && errno != EFBIG))) {
            kernel = false;
            continue;
        }
        if (asker_gone(f)) errno = EPIPE, n = -1;
        if (n < 0) return -1;
        if (n == 0) break;
        if (!to_end) length -= (uint64_t)n;
    }
    return 0;
}

/* Within one file the copy could meet its own bytes and never end: refused, however it was opened. */
void do_copy(struct files_call *c)
{
    const struct sftp_op *op = c->op;
    char room[SHOWN_MAX], room2[SHOWN_MAX];
    struct stat from, to;
    log_line(LOG_LEVEL_INFO, "copy-data from \"%s\" off %llu len %llu to \"%s\" off %llu", entry_shown(c->f, op->handle, room, sizeof room),
             (unsigned long long)op->offset, (unsigned long long)op->length, entry_shown(c->f, op->handle2, room2, sizeof room2),
             (unsigned long long)op->offset2);
    bool far = op->offset > INT64_MAX || op->offset2 > INT64_MAX || op->length > INT64_MAX;
    if (c->fd < 0 || c->fd2 < 0 || far || fstat(c->fd, &from) != 0 || fstat(c->fd2, &to) != 0 ||
        (from.st_dev == to.st_dev && from.st_ino == to.st_ino)) {
        call_status(c, SSH_FX_FAILURE);
        return;
    }
    call_done(c, copy_range(c->f, c->fd, (off_t)op->offset, c->fd2, (off_t)op->offset2, op->length));
}
