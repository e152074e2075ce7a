/* SPDX-License-Identifier: ISC */
/* Texts and books around a login that belong to no session. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "conf/sshd.h"
#include "os/fd.h"
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
    if (text) (void)fd_fill(fd, text, BANNER_MAX);
    close(fd);
    return text;
}

void auth_line(const char *what, const char *method, const struct account *a, const struct link_ends *link, const char *detail, char *out,
    size_t size)
{
    snprintf(out, size, "%s %s for %s%.100s from %.200s port %u ssh2%s%s", what, method, a->valid ? "" : "invalid user ", a->name,
             link->client_addr, link->client_port, detail[0] ? ": " : "", detail);
}
