/* SPDX-License-Identifier: ISC */
#include "os/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/fd.h"

#define READ_STEP 65536

/* ---- writing ---- */

void draft_drop(struct draft *d)
{
    int saved = errno;
    if (d->fd >= 0) close(d->fd);
    if (d->path[0]) unlink(d->path);
    d->fd = -1;
    d->path[0] = 0;
    errno = saved;
}

/* The place the name leads to: a symbolic link to a key stays one. */
static enum err path_resolve(const char *path, char out[PATH_MAX])
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode) && realpath(path, out)) return ERR_NONE;
    if (strlen(path) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return ERR_SYSTEM;
    }
    memcpy(out, path, strlen(path) + 1);
    return ERR_NONE;
}

enum err draft_open(const char *path, struct draft *out)
{
    struct draft d CLEANUP(draft_drop) = DRAFT_NONE;
    TRY(path_resolve(path, d.place));
    int n = snprintf(d.path, sizeof d.path, "%s.XXXXXXXXXX", d.place);
    if (n < 0 || (size_t)n >= sizeof d.path) {
        d.path[0] = 0;
        errno = ENAMETOOLONG;
        return ERR_SYSTEM;
    }
    d.fd = mkostemp(d.path, O_CLOEXEC); /* O_EXCL, 0600 */
    if (d.fd < 0) d.path[0] = 0;
    if (d.fd < 0) return ERR_SYSTEM;
    *out = d;
    d = (struct draft)DRAFT_NONE;
    return ERR_NONE;
}

/* All of it on the disk, with its owner and mode. */
static enum err draft_finish(struct draft *d, mode_t mode)
{
    struct stat old;
    /* root may rewrite another user's file: it stays that user's. Who may not give it away keeps it. */
    if (stat(d->place, &old) == 0 && old.st_uid != geteuid() && fchown(d->fd, old.st_uid, old.st_gid) != 0 && errno != EPERM)
        return ERR_SYSTEM;
    if (fchmod(d->fd, mode) != 0 || fsync(d->fd) != 0) return ERR_SYSTEM;
    int fd = d->fd;
    d->fd = -1;
    return close(fd) == 0 ? ERR_NONE : ERR_SYSTEM;
}

/* Make the renaming itself durable. Some file systems cannot; then there is nothing more to do. */
static enum err folder_sync(const char *path)
{
    char folder[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    if (slash) snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    int fd CLEANUP(fd_close) = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno == EACCES ? ERR_NONE : ERR_SYSTEM;
    return fsync(fd) == 0 || errno == EINVAL || errno == EROFS ? ERR_NONE : ERR_SYSTEM;
}

static enum err backup_make(const char *real, const char *backup)
{
    struct stat st;
    if (stat(real, &st) != 0) return errno == ENOENT ? ERR_NONE : ERR_SYSTEM;
    if (unlink(backup) != 0 && errno != ENOENT) return ERR_SYSTEM;
    if (link(real, backup) == 0) return ERR_NONE;
    if (errno != EXDEV && errno != EPERM && errno != EMLINK && errno != EOPNOTSUPP) return ERR_SYSTEM;
    struct secret old CLEANUP(secret_clear) = {0};
    TRY(file_read(real, SIZE_MAX / 2, false, &old, NULL));
    return atomic_file_write(backup, secret_bytes(&old), st.st_mode & 0777);
}

static enum err draft_move(struct draft *d)
{
    if (rename(d->path, d->place) != 0) return ERR_SYSTEM;
    d->path[0] = 0;
    return folder_sync(d->place);
}

enum err draft_place(struct draft *d, mode_t mode)
{
    TRY(draft_finish(d, mode));
    return draft_move(d);
}

enum err atomic_file_replace(const char *path, const char *backup, struct bytes content, mode_t mode)
{
    struct draft d CLEANUP(draft_drop) = DRAFT_NONE;
    TRY(draft_open(path, &d));
    TRY(fd_write(d.fd, content));
    TRY(draft_finish(&d, mode));
    if (backup) TRY(backup_make(d.place, backup));
    return draft_move(&d);
}

enum err atomic_file_write(const char *path, struct bytes content, mode_t mode)
{
    return atomic_file_replace(path, NULL, content, mode);
}

/* ---- reading ---- */

/* Names of descriptors that are open already: to read such a pipe waits for nobody unknown. */
static bool is_open_already(const char *path)
{
    return strcmp(path, "/dev/stdin") == 0 || strncmp(path, "/dev/fd/", 8) == 0 || strncmp(path, "/proc/self/fd/", 14) == 0;
}

static enum err file_open(const char *path, bool stdin_too, int *out)
{
    bool input = stdin_too && strcmp(path, "-") == 0, open_already = input || is_open_already(path);
    int fd = input ? dup(STDIN_FILENO) : open(path, O_RDONLY | (open_already ? 0 : O_NONBLOCK) | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) return ERR_SYSTEM;
    struct stat st;
    if (fstat(fd, &st) != 0 || (!open_already && !S_ISREG(st.st_mode)) || S_ISDIR(st.st_mode)) {
        close(fd);
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
        return ERR_DENIED;
    }
    *out = fd;
    return ERR_NONE;
}

/* Grow by steps with each old piece wiped: the file may hold a secret, and its size may be a lie. */
static enum err read_all(int fd, size_t max, struct secret *room, size_t *used)
{
    for (;;) {
        if (*used == room->n) {
            struct secret more = {0};
            TRY(secret_new(&more, room->n + READ_STEP));
            if (*used) memcpy(more.p, room->p, *used);
            secret_clear(room);
            *room = more;
        }
        ssize_t n = read(fd, room->p + *used, room->n - *used);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return ERR_SYSTEM;
        if (n == 0) return ERR_NONE;
        *used += (size_t)n;
        if (*used > max) return ERR_TOO_LONG;
    }
}

enum err file_read(const char *path, size_t max, bool stdin_too, struct secret *out, struct stat *facts)
{
    int fd CLEANUP(fd_close) = -1;
    struct secret room CLEANUP(secret_clear) = {0};
    struct stat st;
    size_t used = 0;
    TRY(file_open(path, stdin_too, &fd));
    if (fstat(fd, &st) != 0) return ERR_SYSTEM;
    if (S_ISREG(st.st_mode) && (uintmax_t)st.st_size > max) return ERR_TOO_LONG;
    TRY(read_all(fd, max, &room, &used));
    TRY(secret_copy(out, bytes_of(room.p, used)));
    if (facts) *facts = st;
    return ERR_NONE;
}

const char *file_read_why(enum err e)
{
    if (e == ERR_SYSTEM || (e == ERR_DENIED && errno == EISDIR)) return strerror(errno);
    return e == ERR_DENIED ? "not a regular file" : e == ERR_TOO_LONG ? "file is too large" : err_text(e);
}
