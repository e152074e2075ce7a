/* SPDX-License-Identifier: ISC */
/* The ladder: each rung is tried, and each step of a rung is checked. A rung that fails half-way leaves what it did in force
 * and the next rung goes on from there: steps only ever take things away. */
#include "os/jail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAPS_END 64         /* beyond the last capability: the kernel says EINVAL there */

static const char *const rung_names[] = {"none", "namespaces", "user namespace", "chroot", "landlock"};

const char *jail_rung_name(enum jail_rung r)
{
    return (size_t)r < COUNT_OF(rung_names) ? rung_names[r] : "?";
}

/* ---- steps ---- */

static bool write_all(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = write(fd, text, strlen(text));
    return close(fd) == 0 && n == (ssize_t)strlen(text);
}

/* In a user namespace our ids must be mapped before anything else; unmapped ones only look harmless. */
static bool userns_map(uid_t uid, gid_t gid)
{
    char line[64];
    if (prctl(PR_SET_DUMPABLE, 1) != 0) return false;       /* else /proc/self/uid_map is root's */
    if (!write_all("/proc/self/setgroups", "deny")) return false;
    snprintf(line, sizeof line, "%u %u 1", (unsigned)uid, (unsigned)uid);
    if (!write_all("/proc/self/uid_map", line)) return false;
    snprintf(line, sizeof line, "%u %u 1", (unsigned)gid, (unsigned)gid);
    if (!write_all("/proc/self/gid_map", line)) return false;
    return getuid() == uid && getgid() == gid;
}

/* A tmpfs without room for anything becomes the root, the old tree goes away. */
static bool root_pivot(void)
{
    static const char *const places[] = {"/proc", "/tmp", "/run", "/dev"};
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return false;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        if (mount("none", places[i], "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, "size=4k,nr_inodes=2,mode=0555") != 0)
            continue;
        return chdir(places[i]) == 0 && syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 && chdir("/") == 0;
    }
    return false;
}

/* An empty folder that no longer exists by name: nothing can be made in it, by anyone. */
static bool root_chroot(void)
{
    char path[] = "/run/nacre-XXXXXX", other[] = "/tmp/nacre-XXXXXX";
    const char *made = mkdtemp(path);
    if (!made) made = mkdtemp(other);
    if (!made || chdir(made) != 0) return false;
    if (chmod(".", 0555) != 0 || rmdir(made) != 0) return false;
    return chroot(".") == 0 && chdir("/") == 0;
}

static bool ids_drop(uid_t uid, gid_t gid)
{
    return setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0 && setresuid(uid, uid, uid) == 0;
}

static bool caps_bounding_drop(void)
{
    for (unsigned long cap = 0; cap < CAPS_END; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0) return errno == EINVAL;
    return true;
}

static bool caps_drop(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {0};
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &head, none) == 0;
}

/* Landlock's rules as the kernel knows them (linux/landlock.h of ABI 6): a ruleset that handles everything and permits nothing. */
struct landlock_all {
    uint64_t fs, net, scope;
};

static int landlock_deny_all(void)
{
    static const uint64_t fs_bits[] = {0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff};      /* by ABI; the last for all later ones */
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1u /* LANDLOCK_CREATE_RULESET_VERSION */);
    if (abi < 1) return 0;
    struct landlock_all all = {.fs = fs_bits[(size_t)abi < COUNT_OF(fs_bits) ? (size_t)abi : COUNT_OF(fs_bits) - 1]};
    size_t size = sizeof all.fs;
    if (abi >= 4) all.net = 3, size += sizeof all.net;
    if (abi >= 6) all.scope = 3, size += sizeof all.scope;
    int rules = (int)syscall(SYS_landlock_create_ruleset, &all, size, 0u);
    if (rules < 0) return 0;
    long done = syscall(SYS_landlock_restrict_self, rules, 0u);
    close(rules);
    return done == 0 ? abi : 0;
}

/* What every rung ends with. */
static bool finish(struct jail_report *r)
{
    struct rlimit zero = {0};
    if (!caps_drop()) return false;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
    r->landlock = landlock_deny_all();
    return setrlimit(RLIMIT_CORE, &zero) == 0 && prctl(PR_SET_DUMPABLE, 0) == 0;
}

/* ---- rungs ---- */

#define SPACES (CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS)

static bool rung_namespaces(const struct jail_how *how)
{
    return unshare(SPACES) == 0 && root_pivot() && caps_bounding_drop() && ids_drop(how->uid, how->gid);
}

static bool rung_chroot(const struct jail_how *how)
{
    return root_chroot() && caps_bounding_drop() && ids_drop(how->uid, how->gid);
}

static bool rung_userns(const struct jail_how *how)
{
    (void)how;
    uid_t uid = getuid();
    gid_t gid = getgid();
    return unshare(CLONE_NEWUSER | SPACES) == 0 && userns_map(uid, gid) && root_pivot() && caps_bounding_drop();
}

static bool rung_landlock(const struct jail_how *how)
{
    (void)how;
    return true;        /* all it needs is in finish(), whose outcome jail_enter() looks at */
}

static const struct {
    enum jail_rung rung;
    bool root;
    bool (*enter)(const struct jail_how *how);
} rungs[] = {
    {JAIL_NAMESPACES, true, rung_namespaces},
    {JAIL_CHROOT, true, rung_chroot},
    {JAIL_USERNS, false, rung_userns},
    {JAIL_LANDLOCK, false, rung_landlock},
};

enum err jail_enter(const struct jail_how *how, struct jail_report *out, char *why, size_t why_cap)
{
    struct jail_report r = {.rung = JAIL_NONE};
    bool root = geteuid() == 0;
    if (root && how->uid == 0) {
        snprintf(why, why_cap, "no user id for the jail");
        return ERR_DENIED;
    }
    if (!jail_seccomp_works()) {
        snprintf(why, why_cap, "the kernel has no system call filters (seccomp)");
        return ERR_DENIED;
    }
    for (size_t i = 0; i < COUNT_OF(rungs) && r.rung == JAIL_NONE; i++) {
        if (rungs[i].root != root || (int)rungs[i].rung < how->rung_first) continue;
        errno = 0;
        if (rungs[i].enter(how)) r.rung = rungs[i].rung;
        else if (!r.note[0]) snprintf(r.note, sizeof r.note, "no %s: %s", jail_rung_name(rungs[i].rung), strerror(errno));
    }
    if (r.rung == JAIL_NONE || !finish(&r) || (r.rung == JAIL_LANDLOCK && r.landlock == 0)) {
        snprintf(why, why_cap, "neither namespaces, chroot nor Landlock hold here (%.96s)", r.note);
        return ERR_DENIED;
    }
    TRY(jail_check(&r, why, why_cap));
    *out = r;
    return ERR_NONE;
}

/* ---- the proof from inside ---- */

static bool caps_empty(bool bounding)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct d[2];
    if (syscall(SYS_capget, &head, d) != 0) return false;
    for (size_t i = 0; i < COUNT_OF(d); i++)
        if (d[i].effective | d[i].permitted | d[i].inheritable) return false;
    for (unsigned long cap = 0; bounding && cap < CAPS_END; cap++)
        if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1) return false;
    return true;
}

static bool root_empty(void)
{
    static const char *const paths[] = {"/proc/self/status", "/etc/passwd", "/dev/null", "/bin", "..", "/tmp"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0) continue;
        close(fd);
        if (strcmp(paths[i], "..") != 0) return false;
    }
    int made = open("/jail-probe", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (made >= 0) return false;
    DIR *d = opendir("/");
    size_t names = 0;
    if (!d) return errno == EACCES;
    while (readdir(d)) names++;
    closedir(d);
    return names <= 2;
}

enum err jail_check(const struct jail_report *r, char *why, size_t why_cap)
{
    uid_t ru, eu, su;
    const char *failed = NULL;
    bool dropped_bounding = r->rung != JAIL_LANDLOCK;
    if (r->rung == JAIL_NONE) failed = "no rung";
    else if (getresuid(&ru, &eu, &su) != 0 || ru == 0 || eu == 0 || su == 0) failed = "it runs as root";
    else if (!caps_empty(dropped_bounding)) failed = "it has capabilities";
    else if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) failed = "no_new_privs is not set";
    else if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0) failed = "it can be dumped";
    else if (!root_empty()) failed = "files can be reached";
    if (!failed) return ERR_NONE;
    snprintf(why, why_cap, "the jail (%s) does not hold: %s", jail_rung_name(r->rung), failed);
    return ERR_DENIED;
}
