/* SPDX-License-Identifier: ISC */
/* What reading sshd_config needs of the system (conf/world.h). */
#include "sshd/world.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "os/fd.h"
#include "os/log.h"

static bool trusted(const struct stat *st)
{
    return (st->st_uid == 0 || st->st_uid == geteuid()) && (st->st_mode & 022) == 0;
}

/* A pipe (-f <(...)) is waited for while somebody may write to it. */
static ssize_t read_some(int fd, char *to, size_t cap)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t got = read(fd, to, cap);
        if (got >= 0 || (errno != EINTR && errno != EAGAIN)) return got;
        if (errno == EAGAIN) (void)poll(&p, 1, -1);
    }
}

/* Other than a file only /dev/null and pipes that somebody wrote to: an empty one may be a FIFO that nobody serves, and a server with half
 * of its configuration would permit more than it should. */
static enum err read_file(void *ctx, const char *path, unsigned flags, struct wr *out)
{
    struct stat st;
    char block[4096];
    enum err e = ERR_NONE;
    size_t n = 0;
    (void)ctx;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_SYSTEM;
    if (fstat(fd, &st) != 0) e = ERR_SYSTEM;
    else if (S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode)) e = ERR_UNSUPPORTED;
    else if ((flags & CONF_READ_CHECK_OWNER) && !trusted(&st)) e = ERR_DENIED;
    while (e == ERR_NONE) {
        ssize_t got = read_some(fd, block, sizeof block);
        if (got < 0) e = ERR_SYSTEM;
        if (got <= 0) break;
        n += (size_t)got;
        if (n > CONF_FILE_MAX) e = ERR_TOO_LONG;
        else wr_raw(out, bytes_of(block, (size_t)got));
    }
    close(fd);
    return e == ERR_NONE && n == 0 && S_ISFIFO(st.st_mode) ? ERR_UNSUPPORTED : e;
}

static enum err glob_paths(void *ctx, const char *pattern, struct wr *out)
{
    glob_t g = {0};
    (void)ctx;
    int r = glob(pattern, GLOB_MARK, NULL, &g);
    for (size_t i = 0; r == 0 && i < g.gl_pathc; i++) wr_raw(out, bytes_of(g.gl_pathv[i], strlen(g.gl_pathv[i]) + 1));
    globfree(&g);
    return r == 0 || r == GLOB_NOMATCH ? ERR_NONE : ERR_SYSTEM;
}

static enum err exec_none(void *ctx, const char *command, int *status)
{
    (void)ctx, (void)command, (void)status;
    return ERR_UNSUPPORTED;         /* sshd_config has no Match exec */
}

static const char *env_none(void *ctx, const char *name)
{
    (void)ctx, (void)name;
    return NULL;
}

static enum err user_groups(void *ctx, const char *user, struct wr *out)
{
    gid_t groups[1024];
    int n = COUNT_OF(groups);
    const struct passwd *pw = getpwnam(user);
    (void)ctx;
    if (!pw) return ERR_NOT_FOUND;
    if (getgrouplist(user, pw->pw_gid, groups, &n) < 0) return ERR_TOO_LONG;
    for (int i = 0; i < n; i++) {
        const struct group *gr = getgrgid(groups[i]);
        if (gr) wr_raw(out, bytes_of(gr->gr_name, strlen(gr->gr_name) + 1));
    }
    return ERR_NONE;
}

static enum err user_home(void *ctx, const char *user, struct wr *out)
{
    (void)ctx;
    const struct passwd *pw = user ? getpwnam(user) : getpwuid(geteuid());
    if (!pw) return ERR_NOT_FOUND;
    wr_text(out, pw->pw_dir);
    return ERR_NONE;
}

static enum err addresses_none(void *ctx, struct wr *out)
{
    (void)ctx, (void)out;
    return ERR_NONE;
}

static void say(void *ctx, enum conf_say what, const char *text)
{
    (void)ctx;          /* without "error: ": so OpenSSH shows them on stderr before it has a log */
    if (what == CONF_SAY_DEBUG) log_line(LOG_LEVEL_DEBUG2, "%s", text);
    else log_line(LOG_LEVEL_INFO, "%s", text);
}

void world_init(struct conf_world *out)
{
    static char cwd[4096];      /* relative names mean what they meant at the start, also for a helper that starts later, from / */
    *out = (struct conf_world){
        .read_file = read_file, .glob = glob_paths, .exec = exec_none, .env = env_none, .user_groups = user_groups, .user_home = user_home,
        .local_addresses = addresses_none, .say = say, .local_user = "", .local_host = "", .home = "/", .version = "OpenSSH_10.5",
        .cwd = getcwd(cwd, sizeof cwd)};
}
