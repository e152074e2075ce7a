/* SPDX-License-Identifier: ISC */
/* Files that are no secrets: what stands there keeps its mode, a new one heeds the umask, and a device or pipe is written to, not replaced. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "keygen.h"
#include "os/fd.h"

enum err output_save(const char *path, struct bytes content, mode_t mode)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        mode_t mask = umask(0);
        umask(mask);
        return atomic_file_write(path, content, mode & ~mask);
    }
    if (S_ISREG(st.st_mode)) return atomic_file_write(path, content, st.st_mode & 0777);
    int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) return ERR_SYSTEM;
    enum err e = fd_write(fd, content);
    int saved = errno;
    if (close(fd) != 0 && e == ERR_NONE) return ERR_SYSTEM;
    errno = saved;
    return e;
}
