/* SPDX-License-Identifier: ISC */
/* Who may try to log in: the account's own state, and the rules of sshd_config. The texts are OpenSSH's, since log readers know them. */
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/parse.h"
#include "conf/sshd.h"
#include "sshd/login.h"

static enum verdict deny(char *reason, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);
static enum verdict deny(char *reason, size_t size, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(reason, size, fmt, ap);
    va_end(ap);
    return VERDICT_BAD;
}

/* ---- users and groups ---- */

enum hit { HIT_NO, HIT_YES, HIT_BROKEN };

static enum hit user_listed(const struct account *a, const struct link_ends *link, const struct conf_texts *list)
{
    for (size_t i = 0; i < list->n; i++) {
        bool yes = false;
        if (conf_user_match(a->name, link->client_host, link->client_addr, bytes_str(list->v[i]), &yes) != ERR_NONE) return HIT_BROKEN;
        if (yes) return HIT_YES;
    }
    return HIT_NO;
}

/* One pattern word: a negated one that fits ends the search with "no" (as OpenSSH's list of groups). */
static enum hit group_listed(const char *group, const struct conf_texts *list)
{
    for (size_t i = 0; i < list->n; i++) {
        enum match m = pattern_list_match(bytes_str(group), bytes_str(list->v[i]), false);
        if (m == MATCH_NEGATED) return HIT_NO;
        if (m == MATCH_YES) return HIT_YES;
    }
    return HIT_NO;
}

#define GROUPS_MOST 65536       /* the kernel's NGROUPS_MAX */

static enum hit groups_listed_all(const struct account *a, const struct conf_texts *list)
{
    int n = GROUPS_MOST;
    gid_t *all = calloc(GROUPS_MOST, sizeof *all);
    enum hit hit = HIT_NO;
    if (!all || getgrouplist(a->name, a->gid, all, &n) < 0) hit = HIT_BROKEN;
    for (int i = 0; hit == HIT_NO && i < n; i++) {
        const struct group *g = getgrgid(all[i]);
        if (g) hit = group_listed(g->gr_name, list);
    }
    free(all);
    return hit;
}

static enum hit groups_listed(const struct account *a, const struct conf_texts *list)
{
    if (a->groups_n > ACCOUNT_GROUPS_MAX) return groups_listed_all(a, list);
    for (uint32_t i = 0; i < a->groups_n; i++) {
        const struct group *g = getgrgid(a->groups[i]);
        if (g && group_listed(g->gr_name, list) == HIT_YES) return HIT_YES;
    }
    return HIT_NO;
}

static enum verdict lists_check(const struct account *a, const struct sshd_conf *conf, const struct link_ends *link, char *reason, size_t size)
{
    const struct {
        const struct conf_texts *list;
        enum hit (*groups)(const struct account *a, const struct conf_texts *list);     /* NULL: a list of users */
        enum hit want;                  /* any other outcome denies, a broken list always */
        const char *text;
    } rules[] = {
        {&conf->deny_users, NULL, HIT_NO, "because listed in DenyUsers"},
        {&conf->allow_users, NULL, HIT_YES, "because not listed in AllowUsers"},
        {&conf->deny_groups, groups_listed, HIT_NO, "because a group is listed in DenyGroups"},
        {&conf->allow_groups, groups_listed, HIT_YES, "because none of user's groups are listed in AllowGroups"},
    };
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        if (rules[i].list->n == 0) continue;
        enum hit hit = rules[i].groups ? rules[i].groups(a, rules[i].list) : user_listed(a, link, rules[i].list);
        if (hit != rules[i].want)
            return deny(reason, size, "User %.100s from %.100s not allowed %s", a->name, link->client_host, rules[i].text);
    }
    return VERDICT_GOOD;
}

/* ---- the account itself ---- */

static enum verdict shell_check(const struct account *a, char *reason, size_t size)
{
    struct stat st;
    if (stat(a->shell, &st) != 0)
        return deny(reason, size, "User %.100s not allowed because shell %.100s does not exist", a->name, a->shell);
    if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
        return deny(reason, size, "User %.100s not allowed because shell %.100s is not executable", a->name, a->shell);
    return VERDICT_GOOD;
}

enum verdict access_check(const struct account *a, const struct sshd_conf *conf, const struct link_ends *link, char *reason, size_t reason_size)
{
    reason[0] = 0;
    if (!a->valid)
        return deny(reason, reason_size, "Invalid user %.100s from %.100s port %u", a->name, link->client_addr, link->client_port);
    if (geteuid() != 0 && a->uid != geteuid())
        return deny(reason, reason_size, "User %.100s not allowed because this server runs as another user", a->name);
    if (a->expired) return deny(reason, reason_size, "Account %.100s has expired", a->name);
    /* With UsePAM OpenSSH leaves this to PAM, which locks passwords and not keys: cloud images count on it. No password fits a locked hash. */
    if (a->locked && !conf->use_pam) return deny(reason, reason_size, "User %.100s not allowed because account is locked", a->name);
    if (shell_check(a, reason, reason_size) != VERDICT_GOOD) return VERDICT_BAD;
    return lists_check(a, conf, link, reason, reason_size);
}

enum verdict access_root_check(const struct account *a, const struct sshd_conf *conf, const struct link_ends *link, bool by_password,
                               bool forced_command, char *reason, size_t reason_size)
{
    reason[0] = 0;
    if (!a->valid) return VERDICT_BAD;
    if (a->uid != 0) return VERDICT_GOOD;
    if (conf->permit_root_login == SSHD_ROOT_YES) return VERDICT_GOOD;
    if (conf->permit_root_login == SSHD_ROOT_PROHIBIT_PASSWORD && !by_password) return VERDICT_GOOD;
    if (conf->permit_root_login == SSHD_ROOT_FORCED_ONLY && forced_command) {
        snprintf(reason, reason_size, "Root login accepted for forced command.");
        return VERDICT_GOOD;
    }
    return deny(reason, reason_size, "ROOT LOGIN REFUSED FROM %.200s port %u", link->client_addr, link->client_port);
}
