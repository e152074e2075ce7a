/* SPDX-License-Identifier: ISC */
#include "os/user.h"

#include <errno.h>
#include <grp.h>
#include <sys/resource.h>
#include <unistd.h>

static enum err user_check(uid_t uid, gid_t gid)
{
    uid_t ru, eu, su;
    gid_t rg, eg, sg;
    if (getresuid(&ru, &eu, &su) != 0 || getresgid(&rg, &eg, &sg) != 0) return ERR_SYSTEM;
    if (ru != uid || eu != uid || su != uid || rg != gid || eg != gid || sg != gid) return ERR_DENIED;
    /* the way back must be shut: for anybody but root, becoming root must fail */
    if (uid != 0 && (setuid(0) == 0 || seteuid(0) == 0 || setgid(gid == 0 ? 1 : 0) == 0)) return ERR_DENIED;
    return ERR_NONE;
}

enum err user_become(const char *name, uid_t uid, gid_t gid, const gid_t *groups, size_t n)
{
    if (uid == (uid_t)-1 || gid == (gid_t)-1) return ERR_DENIED;    /* -1 means "unchanged" to setresuid */
    if (geteuid() != 0) return geteuid() == uid && getuid() == uid ? ERR_NONE : ERR_DENIED;
    if (groups ? setgroups(n, groups) != 0 : initgroups(name, gid) != 0) return ERR_SYSTEM;
    if (setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) return ERR_SYSTEM;
    return user_check(uid, gid);
}

static struct rlimit limits[RLIM_NLIMITS];
static bool limits_known;

void limits_save(void)
{
    for (int i = 0; i < RLIM_NLIMITS; i++)
        if (getrlimit((__rlimit_resource_t)i, &limits[i]) != 0) return;
    limits_known = true;
}

enum err limits_restore(void)
{
    for (int i = 0; limits_known && i < RLIM_NLIMITS; i++) {
        struct rlimit now, want = limits[i];
        if (getrlimit((__rlimit_resource_t)i, &now) != 0) return ERR_SYSTEM;
        if (now.rlim_cur == want.rlim_cur && now.rlim_max == want.rlim_max) continue;
        if (setrlimit((__rlimit_resource_t)i, &want) == 0) continue;
        /* without CAP_SYS_RESOURCE (containers) a hard limit that went down stays down */
        want.rlim_max = now.rlim_max;
        if (want.rlim_cur > want.rlim_max) want.rlim_cur = want.rlim_max;
        if (setrlimit((__rlimit_resource_t)i, &want) != 0) return ERR_SYSTEM;
    }
    return ERR_NONE;
}
