/* SPDX-License-Identifier: ISC */
/* A home folder with an .ssh, for tests that need no root. */
#ifndef SSHD_TEST_HOME_H
#define SSHD_TEST_HOME_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sshd/login.h"

#define BLOB "\0\0\0\x0bssh-ed25519\0\0\0\x20" "abcdefghijklmnopqrstuvwxyz012345"

static const struct link_ends here = {.client_addr = "192.0.2.7", .client_host = "pc.example.org", .server_addr = "192.0.2.1",
                                      .client_port = 5022, .server_port = 22};

struct home {
    char home[64], file[128], link[128], fifo[128], folder[128];
    struct account who;
};

static inline void home_write(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, 0600), 0);
}

static inline void home_make(struct home *p)
{
    *p = (struct home){.home = "/tmp/nacre-login-XXXXXX"};
    assert_non_null(mkdtemp(p->home));
    p->who = (struct account){.name = "me", .uid = getuid(), .gid = getgid(), .valid = true};
    strcpy(p->who.home, p->home);
    snprintf(p->folder, sizeof p->folder, "%s/.ssh", p->home);
    snprintf(p->file, sizeof p->file, "%s/.ssh/authorized_keys", p->home);
    snprintf(p->link, sizeof p->link, "%s/.ssh/link", p->home);
    snprintf(p->fifo, sizeof p->fifo, "%s/.ssh/fifo", p->home);
    assert_int_equal(mkdir(p->folder, 0700), 0);
    home_write(p->file, "");
    assert_int_equal(symlink("authorized_keys", p->link), 0);
    assert_int_equal(mkfifo(p->fifo, 0600), 0);
}

static inline void home_end(struct home *p)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", p->home);
    assert_int_equal(system(command), 0);
}

#endif
