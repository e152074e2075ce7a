/* SPDX-License-Identifier: ISC */
/* Texts and books around a login that belong to no session. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "conf/sshd.h"
#include "os/record.h"
#include "sshd/login.h"

void record_failure(const char *user, const struct link_ends *link)
{
    record_failed(user, link->client_host, link->client_addr, getpid());
}

char *banner_read(const struct sshd_conf *conf)
{
    struct stat st;
    char *text = NULL;
    if (!conf->banner) return NULL;
    int fd = open(conf->banner, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) return NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) text = calloc(1, BANNER_MAX + 1);
    for (size_t n = 0; text && n < BANNER_MAX;) {
        ssize_t got = read(fd, text + n, BANNER_MAX - n);
        if (got <= 0) break;
        n += (size_t)got;
    }
    close(fd);
    return text;
}
