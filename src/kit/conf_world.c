/* SPDX-License-Identifier: ISC */
#include "kit/conf_world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "os/fd.h"

#define GROUPS_MAX 65536

struct real {
    struct conf_world world;
    void (*say)(void *ctx, enum conf_say what, const char *text);
    void *say_ctx;
    char user[256], host[256], home[4096], shell[4096], cwd[4096];
};

static void say_text(void *ctx, enum conf_say what, const char *text)
{
    struct real *r = ctx;
    if (r->say) r->say(r->say_ctx, what, text);
    else if (what != CONF_SAY_DEBUG) fprintf(stderr, "%s\r\n", text);
}

/* ---- files ---- */

/* Pipes and /dev/null are in use (-F <(...), -F /dev/null); only where ownership counts, or nobody named it, must it be a regular file. */
static enum err read_file(void *ctx, const char *path, unsigned flags, struct wr *out)
{
    (void)ctx;
    struct stat st;
    int fd CLEANUP(fd_close) = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (flags ? O_NONBLOCK : 0));
    if (fd < 0) return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_SYSTEM;
    if (fstat(fd, &st) < 0) return ERR_SYSTEM;
    if (S_ISDIR(st.st_mode) || (S_ISFIFO(st.st_mode) && flags)) return ERR_UNSUPPORTED;
    if (flags & CONF_READ_CHECK_OWNER) {
        if (!S_ISREG(st.st_mode)) return ERR_UNSUPPORTED;
        if ((st.st_uid != 0 && st.st_uid != getuid()) || (st.st_mode & 022)) return ERR_DENIED;
    }
    return fd_read(fd, CONF_FILE_MAX, out);
}

static enum err glob_paths(void *ctx, const char *pattern, struct wr *out)
{
    (void)ctx;
    glob_t g;
    int rc = glob(pattern, GLOB_TILDE | GLOB_MARK, NULL, &g);
    if (rc == GLOB_NOMATCH) return ERR_NONE;
    if (rc != 0) return rc == GLOB_NOSPACE ? ERR_NOMEM : ERR_SYSTEM;
    for (size_t i = 0; i < g.gl_pathc; i++) wr_raw(out, bytes_of(g.gl_pathv[i], strlen(g.gl_pathv[i]) + 1));
    globfree(&g);
    return wr_done(out);
}

/* ---- Match exec ---- */

static NORETURN void run_shell(const struct real *r, const char *command)
{
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0) _exit(255);
    if (null > 2) close(null);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    const char *shell = getenv("SHELL");
    if (!shell || !*shell) shell = r->shell;
    execl(shell, shell, "-c", command, (char *)NULL);
    _exit(127);
}

static enum err exec_shell(void *ctx, const char *command, int *exit_status)
{
    const struct real *r = ctx;
    int status;
    pid_t pid = fork();
    if (pid < 0) return ERR_SYSTEM;
    if (pid == 0) run_shell(r, command);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return ERR_SYSTEM;
    if (!WIFEXITED(status)) return ERR_SYSTEM;
    *exit_status = WEXITSTATUS(status);
    return ERR_NONE;
}

/* ---- users ---- */

static const char *env_get(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

static enum err user_groups(void *ctx, const char *user, struct wr *out)
{
    (void)ctx;
    const struct passwd *pw = getpwnam(user);
    if (!pw) return ERR_NOT_FOUND;
    int n = GROUPS_MAX;
    gid_t *gids = calloc(GROUPS_MAX, sizeof *gids);
    if (!gids) return ERR_NOMEM;
    if (getgrouplist(user, pw->pw_gid, gids, &n) < 0) n = 0;
    for (int i = 0; i < n; i++) {
        const struct group *gr = getgrgid(gids[i]);
        if (gr) wr_raw(out, bytes_of(gr->gr_name, strlen(gr->gr_name) + 1));
    }
    free(gids);
    return wr_done(out);
}

static enum err user_home(void *ctx, const char *user, struct wr *out)
{
    const struct real *r = ctx;
    const struct passwd *pw = user ? getpwnam(user) : NULL;
    if (user && !pw) return ERR_NOT_FOUND;
    wr_text(out, pw ? pw->pw_dir : r->home);
    return wr_done(out);
}

/* ---- interfaces ---- */

static enum err local_addresses(void *ctx, struct wr *out)
{
    (void)ctx;
    struct ifaddrs *list;
    if (getifaddrs(&list) < 0) return ERR_SYSTEM;
    for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
        char text[INET6_ADDRSTRLEN];
        const struct sockaddr *sa = i->ifa_addr;
        if (!sa || !(i->ifa_flags & IFF_UP)) continue;
        const void *at = sa->sa_family == AF_INET    ? (const void *)&((const struct sockaddr_in *)(const void *)sa)->sin_addr
                         : sa->sa_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr
                                                     : NULL;
        if (at && inet_ntop(sa->sa_family, at, text, sizeof text)) wr_raw(out, bytes_of(text, strlen(text) + 1));
    }
    freeifaddrs(list);
    return wr_done(out);
}

/* ---- all together ---- */

static bool facts(struct real *r)
{
    errno = 0;
    const struct passwd *pw = getpwuid(getuid());
    if (!pw) {
        errno = ENOENT;
        return false;
    }
    snprintf(r->user, sizeof r->user, "%s", pw->pw_name);
    snprintf(r->home, sizeof r->home, "%s", pw->pw_dir);
    snprintf(r->shell, sizeof r->shell, "%s", pw->pw_shell && *pw->pw_shell ? pw->pw_shell : "/bin/sh");
    if (gethostname(r->host, sizeof r->host - 1) < 0) snprintf(r->host, sizeof r->host, "localhost");
    if (!getcwd(r->cwd, sizeof r->cwd)) r->cwd[0] = 0;
    return true;
}

struct conf_world *conf_world_new(void (*say)(void *ctx, enum conf_say what, const char *text), void *say_ctx)
{
    struct real *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    if (!facts(r)) {
        free(r);
        errno = ENOENT;
        return NULL;
    }
    r->say = say, r->say_ctx = say_ctx;
    r->world = (struct conf_world){
        .ctx = r, .read_file = read_file, .glob = glob_paths, .exec = exec_shell, .env = env_get, .user_groups = user_groups,
        .user_home = user_home, .local_addresses = local_addresses, .say = say_text, .local_user = r->user, .local_uid = getuid(),
        .local_host = r->host, .home = r->home, .version = "OpenSSH_10.5", .cwd = r->cwd[0] ? r->cwd : NULL};
    return &r->world;
}

void conf_world_free(struct conf_world *w)
{
    if (w) free(w->ctx);
}
