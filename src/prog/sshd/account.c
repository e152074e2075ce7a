/* SPDX-License-Identifier: ISC */
/* Accounts: what passwd, group and shadow say of a name, as one fixed-size value. */
#include <grp.h>
#include <malloc.h>
#include <pwd.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "os/user.h"
#include "sshd/account.h"

#define DAY_S 86400

static bool copy(char *to, size_t size, const char *from)
{
    return bytes_to_str(bytes_str(from), to, size) == ERR_NONE;
}

/* Days left of a warning period, or -1. */
static int32_t days_left(long end, long today, long warn)
{
    return warn > 0 && end >= today && end - today <= warn ? (int32_t)(end - today) : -1;
}

/* malloc overwrites what is freed meanwhile: the buffer through which the file was read */
void shadow_begin(void)
{
    (void)mallopt(M_PERTURB, 0xff);
    setspent();
}

void shadow_end(void)
{
    endspent();
    (void)mallopt(M_PERTURB, 0);
}

void shadow_read(const char *name, void (*use)(const struct spwd *entry, void *arg), void *arg)
{
    (void)mallopt(M_PERTURB, 0xff);
    struct spwd *s = getspnam(name);
    if (s) use(s, arg);
    if (s) wipe(s->sp_pwdp, strlen(s->sp_pwdp));
    shadow_end();
}

/* shadow(5): numbers are days since 1970; -1 is "not set". The rules are those of OpenSSH without PAM. */
static void shadow_apply(const struct spwd *s, void *arg)
{
    struct account *a = arg;
    long today = (long)(time(NULL) / DAY_S);
    a->shadow = true;
    a->locked = s->sp_pwdp[0] == '!';
    a->no_password = s->sp_pwdp[0] == 0;
    a->expired = s->sp_expire >= 0 && today > s->sp_expire;
    if (s->sp_expire >= 0) a->expires_days = days_left(s->sp_expire, today, s->sp_warn);
    if (s->sp_lstchg == 0) {
        a->must_change = true;      /* forced by root */
    } else if (s->sp_lstchg > 0 && s->sp_max >= 0) {
        a->must_change = today > s->sp_lstchg + s->sp_max;
        a->password_days = days_left(s->sp_lstchg + s->sp_max, today, s->sp_warn);
    }
}

static void groups_read(struct account *a)
{
    int n = ACCOUNT_GROUPS_MAX;
    if (getgrouplist(a->name, a->gid, a->groups, &n) >= 0)
        a->groups_n = (uint32_t)n;
    else
        a->groups_n = ACCOUNT_GROUPS_MAX + 1;      /* too many: the system is asked again where they matter */
}

static bool account_fill(const struct passwd *pw, struct account *a)
{
    if (!copy(a->name, sizeof a->name, pw->pw_name) || !copy(a->home, sizeof a->home, pw->pw_dir) ||
        !copy(a->shell, sizeof a->shell, pw->pw_shell && pw->pw_shell[0] ? pw->pw_shell : "/bin/sh"))
        return false;
    if (pw->pw_uid == (uid_t)-1 || pw->pw_gid == (gid_t)-1) return false;
    a->uid = pw->pw_uid;
    a->gid = pw->pw_gid;
    /* the rare hash in passwd itself; "x" and "*" there say nothing */
    a->locked = pw->pw_passwd && pw->pw_passwd[0] == '!';
    return true;
}

static bool name_usable(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n >= sizeof((struct account *)0)->name) return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f) return false;
    return true;
}

void account_find(const char *name, struct account *out)
{
    struct account a = {.uid = (uid_t)-1, .gid = (gid_t)-1, .expires_days = -1, .password_days = -1};
    /* a name that cannot exist is looked up under one that does not: the same work */
    const char *ask = name_usable(name) ? name : "!";
    const struct passwd *pw = getpwnam(ask);
    a.valid = pw && account_fill(pw, &a);
    if (!a.valid) copy(a.name, sizeof a.name, ask);
    groups_read(&a);
    shadow_read(a.name, shadow_apply, &a);

    if (!a.valid) {
        a = (struct account){.uid = (uid_t)-1, .gid = (gid_t)-1, .expires_days = -1, .password_days = -1};
        escape_str(bytes_str(name), a.name, sizeof a.name);
    }
    *out = a;
}

enum err account_become(const struct account *a)
{
    if (!a->valid) return ERR_DENIED;
    bool listed = a->groups_n <= ACCOUNT_GROUPS_MAX;
    return user_become(a->name, a->uid, a->gid, listed ? a->groups : NULL, listed ? a->groups_n : 0);
}
