/* SPDX-License-Identifier: ISC */
/* Whole files read within bounds and replaced in one step: after a crash at any moment the old or the new content is there, never a
 * part, and a secret is never readable by others at any instant (TRUST 41, T12). */
#ifndef OS_ATOMIC_FILE_H
#define OS_ATOMIC_FILE_H

#include <limits.h>
#include <sys/stat.h>

#include "base/secret.h"

/* Replace or create `path`: a new file beside it (O_EXCL, mode 0600 from birth), content, fchmod(mode), fsync, rename, fsync of the
 * folder. ERR_SYSTEM with errno; nothing is left behind then, and `path` is as it was. */
MUST_USE enum err atomic_file_write(const char *path, struct bytes content, mode_t mode);

/* The same, and the old file stays as `backup` (a hard link, replaced if there). No old file: no backup. */
MUST_USE enum err atomic_file_replace(const char *path, const char *backup, struct bytes content, mode_t mode);

/* The same for a file that is written piece by piece, to `fd`: gone when let go without having been placed. */
struct draft {
    int fd;
    char path[PATH_MAX], place[PATH_MAX];
};
#define DRAFT_NONE {.fd = -1}
MUST_USE enum err draft_open(const char *path, struct draft *out);
MUST_USE enum err draft_place(struct draft *d, mode_t mode);
void draft_drop(struct draft *d);

/* A whole regular file of at most max bytes, without blocking on a FIFO and without trusting its size. `facts` (may be NULL) is the
 * fstat of what was read. path "-" is standard input where `stdin_too`; what is open already (/dev/stdin, /dev/fd/N, as a shell's
 * <(...) gives) may be a pipe, too. ERR_SYSTEM with errno (ENOENT, EACCES ...); ERR_DENIED: not a regular file, errno EISDIR for
 * a folder else EINVAL; ERR_TOO_LONG. */
MUST_USE enum err file_read(const char *path, size_t max, bool stdin_too, struct secret *out, struct stat *facts);
/* In words for a person, just after file_read() gave `e` (errno counts). */
const char *file_read_why(enum err e);

#endif
