/* SPDX-License-Identifier: ISC */
/* Where the socket is: ~/.ssh/agent/s.HOST.agent.RANDOM as OpenSSH names it, a folder in /tmp, a path that was given, or the one place of
 * this login. HOST is a hash of the machine's name, since a home folder may be on several. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agentd.h"
#include "crypto/hash.h"
#include "crypto/sign.h"

#define HOST_LETTERS   10
#define RANDOM_LETTERS 10
#define STALE_AGE_S    3600
#define BACKLOG        128

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

static void say(const char *what, const char *path)
{
    fprintf(stderr, "ssh-agent: %s %s: %s\n", what, path, strerror(errno));
}

static void letters_from(const uint8_t *p, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++) out[i] = letters[p[i] % (sizeof letters - 1)];
    out[n] = 0;
}

static bool host_letters(char out[HOST_LETTERS + 1])
{
    char name[1025];
    uint8_t hash[HASH_MAX];
    if (gethostname(name, sizeof name) != 0) return false;
    name[sizeof name - 1] = 0;
    if (hash_digest(&hash_sha512, bytes_str(name), hash) != ERR_NONE) return false;
    letters_from(hash, HOST_LETTERS, out);
    return true;
}

static const char *home(void)
{
    const char *h = getenv("HOME");
    if (h && *h) return h;
    const struct passwd *pw = getpwuid(getuid());
    return pw ? pw->pw_dir : NULL;
}

static bool folder_make(const char *path)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST) return true;
    say("cannot make folder", path);
    return false;
}

/* ~/.ssh/agent, made where it is missing. */
static bool home_folder(char *out, size_t cap, bool make)
{
    const char *h = home();
    if (!h) {
        fprintf(stderr, "ssh-agent: no home folder\n");
        return false;
    }
    int n = snprintf(out, cap, "%s/.ssh", h);
    if (n < 0 || (size_t)n + sizeof "/agent" > cap) {
        fprintf(stderr, "ssh-agent: the name of the home folder is too long for a socket: %s\n", h);
        return false;
    }
    if (make && !folder_make(out)) return false;
    memcpy(out + n, "/agent", sizeof "/agent");
    return !make || folder_make(out);
}

static bool path_set(struct place *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
static bool path_set(struct place *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(p->path, sizeof p->path, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof p->path) return true;
    fprintf(stderr, "ssh-agent: the path of the socket is too long\n");
    return false;
}

static bool tmp_choose(struct place *p)
{
    const char *tmp = getenv("TMPDIR");
    int n = snprintf(p->folder, sizeof p->folder, "%s/ssh-XXXXXXXXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (n < 0 || (size_t)n >= sizeof p->folder || !mkdtemp(p->folder)) {
        say("cannot make folder", p->folder);
        p->folder[0] = 0;
        return false;
    }
    return path_set(p, "%s/agent.%ld", p->folder, (long)getpid());
}

static bool home_choose(struct place *p, bool login)
{
    char folder[108], host[HOST_LETTERS + 1], tail[RANDOM_LETTERS + 1] = "";
    uint8_t random[RANDOM_LETTERS];
    if (!home_folder(folder, sizeof folder, true)) return false;
    if (!host_letters(host) || random_fill(&random_libcrypto, random, sizeof random) != ERR_NONE) {
        fprintf(stderr, "ssh-agent: cannot name the socket\n");
        return false;
    }
    letters_from(random, RANDOM_LETTERS, tail);
    return login ? path_set(p, "%s/login.%s", folder, host) : path_set(p, "%s/s.%s.agent.%s", folder, host, tail);
}

/* From the root, since the agent goes there. */
static bool given_choose(struct place *p, const char *given)
{
    char here[PATH_MAX];
    if (given[0] == '/' || !getcwd(here, sizeof here)) return path_set(p, "%s", given);
    return path_set(p, "%s/%s", here, given);
}

bool place_choose(enum place_kind kind, const char *given, struct place *out)
{
    *out = (struct place){0};
    if (kind == PLACE_GIVEN) return given_choose(out, given);
    return kind == PLACE_TMP ? tmp_choose(out) : home_choose(out, kind == PLACE_LOGIN);
}

static bool address_set(const char *path, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof out->sun_path) return false;
    memcpy(out->sun_path, path, strlen(path) + 1);
    return true;
}

int place_listen(struct place *p)
{
    struct sockaddr_un a;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old = umask(0177);
    bool bound = fd >= 0 && address_set(p->path, &a) && bind(fd, (struct sockaddr *)&a, sizeof a) == 0;
    umask(old);
    p->bound = bound;
    if (bound && listen(fd, BACKLOG) == 0) return fd;
    say("cannot listen at", p->path);
    if (fd >= 0) close(fd);
    return -1;
}

void place_remove(const struct place *p)
{
    if (p->bound) unlink(p->path);
    if (p->folder[0]) rmdir(p->folder);
}

/* 1: connected, the descriptor is in *out; 0: nobody listens; -1: there may be someone. */
static int try_connect(const char *path, int *out)
{
    struct sockaddr_un a;
    int fd = address_set(path, &a) ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
    if (fd < 0) return -1;
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) {
        *out = fd;
        return 1;
    }
    int error = errno;
    close(fd);
    errno = error;
    return error == ECONNREFUSED || error == ENOENT ? 0 : -1;
}

pid_t place_listener(const char *path)
{
    int fd;
    struct ucred cred;
    socklen_t n = sizeof cred;
    int there = try_connect(path, &fd);
    if (there != 1) return there;
    bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0;
    close(fd);
    if (!known) return -1;
    return cred.uid == getuid() && cred.pid > 0 ? cred.pid : 0;
}

static bool stale(int folder, const char *folder_name, const char *name, const char *prefix)
{
    struct stat st;
    char path[512];
    int fd;
    if (strncmp(name, prefix, strlen(prefix)) != 0) return false;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISSOCK(st.st_mode) || st.st_mtime > time(NULL) - STALE_AGE_S) return false;
    int n = snprintf(path, sizeof path, "%s/%s", folder_name, name);
    if (n < 0 || (size_t)n >= sizeof path) return false;
    int there = try_connect(path, &fd);
    if (there == 1) close(fd);
    return there == 0;
}

void place_clean(bool every_host)
{
    char folder[108], host[HOST_LETTERS + 1], prefix[32] = "";
    if (!home_folder(folder, sizeof folder, false) || !host_letters(host)) return;
    if (!every_host) snprintf(prefix, sizeof prefix, "s.%s.", host);
    DIR *d = opendir(folder);
    if (!d) return;
    for (const struct dirent *e; (e = readdir(d));)
        if (stale(dirfd(d), folder, e->d_name, prefix)) unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
}

int place_lock(void)
{
    char folder[108], host[HOST_LETTERS + 1], path[160];
    if (!home_folder(folder, sizeof folder, true)) return -1;
    if (!host_letters(host)) {
        fprintf(stderr, "ssh-agent: cannot name the lock\n");
        return -1;
    }
    snprintf(path, sizeof path, "%s/.login.%s.lock", folder, host);
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX) == 0) return fd;
    say("cannot lock", path);
    if (fd >= 0) close(fd);
    return -1;
}
