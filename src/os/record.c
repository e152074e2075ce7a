/* SPDX-License-Identifier: ISC */
#include "os/record.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <lastlog.h>
#include <paths.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include <utmpx.h>

/* utmp's texts need no NUL when they fill their field */
static void put_field(char *field, size_t n, const char *text)
{
    size_t len = text ? strnlen(text, n) : 0;
    memset(field, 0, n);
    if (len > 0) memcpy(field, text, len);
}
#define PUT(field, text) put_field(field, sizeof(field), text)

static const char *line_name(const char *line)
{
    return strncmp(line, "/dev/", 5) == 0 ? line + 5 : line;
}

static void put_now(struct utmpx *u)
{
    struct timeval now;
    gettimeofday(&now, NULL);
    u->ut_tv.tv_sec = (__typeof__(u->ut_tv.tv_sec))now.tv_sec;
    u->ut_tv.tv_usec = (__typeof__(u->ut_tv.tv_usec))now.tv_usec;
}

static void put_address(struct utmpx *u, const char *address)
{
    struct in6_addr a6;
    struct in_addr a4;
    if (!address) return;
    if (inet_pton(AF_INET, address, &a4) == 1)
        memcpy(&u->ut_addr_v6[0], &a4, sizeof a4);
    else if (inet_pton(AF_INET6, address, &a6) == 1)
        memcpy(u->ut_addr_v6, &a6, sizeof a6);
}

static struct utmpx entry_make(const struct record *r, short type)
{
    struct utmpx u = {.ut_type = type, .ut_pid = r->pid};
    const char *line = line_name(r->line);
    size_t n = strlen(line);
    PUT(u.ut_line, line);
    put_field(u.ut_id, sizeof u.ut_id, n > sizeof u.ut_id ? line + n - sizeof u.ut_id : line);     /* the last four, as other programs do */
    put_now(&u);
    return u;
}

static bool utmp_put(const struct utmpx *u)
{
    setutxent();
    bool ok = pututxline(u) != NULL;
    endutxent();
    updwtmpx(_PATH_WTMP, u);
    return ok;
}

static void lastlog_put(const struct record *r, const struct utmpx *u)
{
    struct lastlog l = {.ll_time = u->ut_tv.tv_sec};
    PUT(l.ll_line, line_name(r->line));
    PUT(l.ll_host, r->host);
    int fd = open(_PATH_LASTLOG, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) return;
    ssize_t done = pwrite(fd, &l, sizeof l, (off_t)r->uid * (off_t)sizeof l);
    (void)done;     /* a full disk must not stop a login */
    close(fd);
}

bool record_login(const struct record *r)
{
    if (geteuid() != 0) return false;
    struct utmpx u = entry_make(r, USER_PROCESS);
    PUT(u.ut_user, r->user);
    PUT(u.ut_host, r->host);
    put_address(&u, r->address);
    lastlog_put(r, &u);
    return utmp_put(&u);
}

void record_logout(const struct record *r)
{
    if (geteuid() != 0) return;
    struct utmpx u = entry_make(r, DEAD_PROCESS);
    utmp_put(&u);
}

int64_t record_last(uid_t uid, char *host, size_t host_size)
{
    struct lastlog l = {0};
    host[0] = 0;
    int fd = open(_PATH_LASTLOG, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return 0;
    ssize_t n = pread(fd, &l, sizeof l, (off_t)uid * (off_t)sizeof l);
    close(fd);
    if (n != (ssize_t)sizeof l) return 0;
    size_t len = strnlen(l.ll_host, sizeof l.ll_host);
    if (len >= host_size) len = host_size - 1;
    memcpy(host, l.ll_host, len);
    host[len] = 0;
    return l.ll_time;
}

void record_failed(const char *user, const char *host, const char *address, pid_t pid)
{
    struct stat st;
    struct utmpx u = {.ut_type = LOGIN_PROCESS, .ut_pid = pid};
    if (geteuid() != 0) return;
    int fd = open("/var/log/btmp", O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 && (st.st_mode & 07) == 0) {
        PUT(u.ut_line, "ssh:notty");
        PUT(u.ut_user, user);
        PUT(u.ut_host, host);
        put_now(&u);
        put_address(&u, address);
        ssize_t done = write(fd, &u, sizeof u);
        (void)done;
    }
    close(fd);
}
