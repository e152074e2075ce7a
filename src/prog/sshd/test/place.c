/* SPDX-License-Identifier: ISC */
#include "place.h"

#include <crypt.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#define TODAY (time(NULL) / 86400)

char root_dir[64] = "/tmp/nacre-login-root-XXXXXX";
const struct link_ends here = {.client_addr = "192.0.2.7", .client_host = "pc.example.org", .server_addr = "192.0.2.1",
                               .client_port = 5022, .server_port = 22};

void sh(const char *fmt, ...)
{
    char command[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    if (system(command) != 0) {
        fprintf(stderr, "# failed: %s\n", command);
        abort();
    }
}

static void add_line(const char *file, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void add_line(const char *file, const char *fmt, ...)
{
    FILE *f = fopen(file, "a");
    va_list ap;
    if (!f) abort();
    va_start(ap, fmt);
    vfprintf(f, fmt, ap);
    va_end(ap);
    fclose(f);
}

static const struct {
    const char *name, *hash;    /* "=": crypt("secret") */
    const char *shell;
    int expire_days, changed_days_ago, max_days;        /* expire: from today; 9999: never */
} users[USERS] = {
    [BOB] = {"lt-bob", "=", "/bin/sh", 9999, 1, 99999},      [EVE] = {"lt-eve", "!=", "/bin/sh", 9999, 1, 99999},
    [OLD] = {"lt-old", "=", "/bin/sh", -1, 1, 99999},        [LAPSED] = {"lt-lapsed", "=", "/bin/sh", 9999, 100, 90},
    [FORCED] = {"lt-forced", "=", "/bin/sh", 9999, -1, 99999}, [BLANK] = {"lt-empty", "", "/bin/sh", 9999, 1, 99999},
    [STAR] = {"lt-star", "*", "/bin/sh", 9999, 1, 99999},    [HOMELESS] = {"lt-homeless", "=", "/bin/sh", 9999, 1, 99999},
    [BADSHELL] = {"lt-badshell", "=", "/etc/passwd", 9999, 1, 99999}, [NOSHELL] = {"lt-noshell", "=", "/nonexistent/sh", 9999, 1, 99999},
    [WARNED] = {"lt-warned", "=", "/bin/sh", 3, 85, 90},
};

static void user_add(int i)
{
    static struct crypt_data work;
    char hash[CRYPT_OUTPUT_SIZE + 2], *eq = strchr(users[i].hash, '=');
    snprintf(hash, sizeof hash, "%s", users[i].hash);
    if (eq) snprintf(hash + (eq - users[i].hash), sizeof hash - 2, "%s", crypt_rn("secret", "$6$saltsalt$", &work, sizeof work));
    int uid = UID_FIRST + i;
    add_line("/etc/passwd", "%s:x:%d:%d::%s/home/%s:%s\n", users[i].name, uid, uid, root_dir, users[i].name, users[i].shell);
    add_line("/etc/group", "%s:x:%d:\n", users[i].name, uid);
    long changed = users[i].changed_days_ago < 0 ? 0 : (long)TODAY - users[i].changed_days_ago;
    char expire[24] = "";
    if (users[i].expire_days != 9999) snprintf(expire, sizeof expire, "%ld", (long)TODAY + users[i].expire_days);
    add_line("/etc/shadow", "%s:%s:%ld:0:%d:7::%s:\n", users[i].name, hash, changed, users[i].max_days, expire);
    if (i == HOMELESS) return;
    sh("mkdir -p -m 755 %s/home/%s && chown %d:%d %s/home/%s", root_dir, users[i].name, uid, uid, root_dir, users[i].name);
}

static bool place_enter(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return false;
    if (!mkdtemp(root_dir)) return false;
    if (mount("tmpfs", root_dir, "tmpfs", 0, "mode=755") != 0) return false;
    sh("cp -a /etc %s/etc && mount --bind %s/etc /etc", root_dir, root_dir);
    sh("mount -t tmpfs -o mode=755 tmpfs /run && mount -t tmpfs -o mode=755 tmpfs /var/log");
    sh("touch /run/utmp /var/log/wtmp /var/log/lastlog && install -m 600 /dev/null /var/log/btmp && rm -f /etc/nologin /run/nologin /etc/ssh/sshrc");
    sh("echo 'motd of the day' > /etc/motd; mkdir %s/home", root_dir);
    for (int i = 0; i < USERS; i++) user_add(i);
    add_line("/etc/passwd", "lt-root:x:0:0::/:/bin/sh\n");
    add_line("/etc/group", "lt-crew:x:43099:lt-bob\n");
    return true;
}

bool place_make(void)
{
    unsetenv("TZ");
    if (place_enter()) return true;
    printf("TAP version 13\n1..0 # SKIP needs root and mount namespaces\n");
    return false;
}

int place_end(void **state)
{
    (void)state;
    umount2(root_dir, MNT_DETACH);
    rmdir(root_dir);
    return 0;
}

struct account find(int i)
{
    struct account a;
    account_find(users[i].name, &a);
    return a;
}
