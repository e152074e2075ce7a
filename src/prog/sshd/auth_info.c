/* SPDX-License-Identifier: ISC */
/* ExposeAuthInfo: what a session may know of how its user was authenticated, as a file. Root has the name, the user the file: it is made and
 * removed by a process of the user's. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/spawn.h"
#include "sshd/login.h"

/* In a process of the user's; the status says how it went. */
static bool as_user(const struct account *a, bool (*job)(const char *path, struct bytes text), const char *path, struct bytes text)
{
    int status;
    pid_t pid = fork();
    if (pid < 0) return false;
    if (pid == 0) {
        spawn_signals_default();
        if (account_become(a) != ERR_NONE) _exit(1);
        _exit(job(path, text) ? 0 : 1);
    }
    return child_wait(pid, &status) == ERR_NONE && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool write_job(const char *path, struct bytes text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    enum err e = fd_write(fd, text);
    if (close(fd) == 0 && e == ERR_NONE) return true;
    unlink(path);
    return false;
}

static bool remove_job(const char *path, struct bytes text)
{
    (void)text;
    return unlink(path) == 0;
}

enum err auth_info_write(const struct account *a, struct bytes text, char path[AUTH_INFO_PATH_MAX])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    uint8_t random[15];
    char tail[sizeof random + 1] = "";
    path[0] = 0;
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) return ERR_SYSTEM;
    for (size_t i = 0; i < sizeof random; i++) tail[i] = letters[random[i] % (sizeof letters - 1)];
    char name[AUTH_INFO_PATH_MAX];
    snprintf(name, sizeof name, "/tmp/sshauth.%s", tail);
    if (!as_user(a, write_job, name, text)) return ERR_SYSTEM;
    memcpy(path, name, sizeof name);
    return ERR_NONE;
}

void auth_info_remove(const struct account *a, const char *path)
{
    if (path[0]) (void)as_user(a, remove_job, path, (struct bytes){0});
}
