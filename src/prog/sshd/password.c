/* SPDX-License-Identifier: ISC */
/* Passwords: the warden fetches the hash, sshd-auth compares. Every question, also the hopeless, is asked of sshd-auth with a hash
 * that is real or one that no password fits, so that who asks learns nothing from the time. */
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/sshd.h"
#include "os/clock.h"
#include "os/message.h"
#include "os/spawn.h"
#include "sshd/account.h"

/* ---- what an unknown user's password is worked on with ---- */

static char setting_usual[AUTH_SETTING_MAX];    /* empty: not known, sshd-auth takes the system's default */

/* The part of a hash that says how to work: all up to the digest. Empty: not a hash of a kind with parts. */
static void setting_of(const char *hash, char out[AUTH_SETTING_MAX])
{
    const char *end = strrchr(hash, '$');
    size_t n = hash[0] == '$' && end > hash ? (size_t)(end - hash) + 1 : 0;
    if (strncmp(hash, "$2", 2) == 0) n = strlen(hash) > 29 ? 29 : 0;       /* bcrypt: salt and digest are one text */
    out[0] = 0;
    if (n > 0 && n < AUTH_SETTING_MAX) {
        memcpy(out, hash, n);
        out[n] = 0;
    }
}

/* crypt(5): "$id$" */
static size_t kind_length(const char *setting)
{
    const char *second = setting[0] == '$' ? strchr(setting + 1, '$') : NULL;
    return second ? (size_t)(second - setting) + 1 : 0;
}

void password_setting_choose(const char *const *hashes, size_t n, char out[AUTH_SETTING_MAX])
{
    size_t best = 0;
    out[0] = 0;
    for (size_t i = 0; i < n; i++) {
        char setting[AUTH_SETTING_MAX];
        size_t alike = 0;
        setting_of(hashes[i], setting);
        size_t kind = kind_length(setting);
        for (size_t k = 0; kind > 0 && k < n; k++) alike += strncmp(hashes[k], setting, kind) == 0;
        if (alike <= best) continue;
        best = alike;
        memcpy(out, setting, AUTH_SETTING_MAX);
    }
}

#define ACCOUNTS_LOOKED_AT 200

void password_init(void)
{
    static char *hashes[ACCOUNTS_LOOKED_AT];
    size_t n = 0;
    shadow_begin();
    for (struct spwd *s; n < ACCOUNTS_LOOKED_AT && (s = getspent()) != NULL;) {
        const char *hash = s->sp_pwdp + strspn(s->sp_pwdp, "!");
        if (hash[0] == '$' && (hashes[n] = strdup(hash)) != NULL) n++;
        wipe(s->sp_pwdp, strlen(s->sp_pwdp));
    }
    password_setting_choose((const char *const *)hashes, n, setting_usual);
    while (n-- > 0) {
        wipe(hashes[n], strlen(hashes[n]));
        free(hashes[n]);
    }
    shadow_end();
}

/* ---- asking ---- */

static void hash_take(const struct spwd *entry, void *arg)
{
    struct auth_question *q = arg;
    if (bytes_to_str(bytes_str(entry->sp_pwdp), q->hash, sizeof q->hash) == ERR_NONE) q->hash_n = (uint32_t)strlen(q->hash);
}

/* Without shadow, a hash in passwd itself; everybody may read that. */
static void hash_fill(const struct account *a, struct auth_question *q)
{
    const char *name = a->valid ? a->name : "!";
    shadow_read(name, hash_take, q);
    const struct passwd *pw = a->shadow ? NULL : getpwnam(name);
    if (pw && bytes_to_str(bytes_str(pw->pw_passwd), q->hash, sizeof q->hash) == ERR_NONE) q->hash_n = (uint32_t)strlen(q->hash);
}

static enum err auth_spawn(int auth_exe, int sock, pid_t *out)
{
    static char name[] = "sshd-auth", locale[] = "LC_ALL=C";
    char *const argv[] = {name, NULL}, *const envp[] = {locale, NULL};
    const int fds[] = {sock, -1, -1};
    const struct spawn s = {.exe = auth_exe, .argv = argv, .envp = envp, .fds = fds, .fd_count = 3};
    return spawn_exec(&s, out);
}

static enum err question_send(struct auth_question *q, int auth_exe, struct password_ask *out)
{
    int pair[2];
    pid_t pid = 0;
    TRY(message_pair(pair));
    enum err e = message_send(pair[0], q, sizeof *q, NULL, 0, true);
    if (e == ERR_NONE) e = auth_spawn(auth_exe, pair[1], &pid);
    close(pair[1]);
    if (e != ERR_NONE) {
        close(pair[0]);
        return e;
    }
    out->pid = pid;
    out->fd = pair[0];
    return ERR_NONE;
}

enum err password_start(const struct account *a, bool allowed, const struct sshd_conf *conf, struct bytes password, int auth_exe,
                        struct password_ask *out)
{
    struct auth_question q = {.magic = AUTH_MAGIC};
    struct password_ask ask = {.fd = -1, .may = a->valid && allowed};
    hash_fill(a, &q);
    memcpy(q.setting, setting_usual, sizeof q.setting);
    q.setting_n = (uint32_t)strlen(q.setting);
    if (a->valid && q.hash_n == 0 && password.n == 0) {
        /* no hash and no password: crypt has no say in it */
        ask.pid = 0;
        if (ask.may && a->shadow && a->no_password && conf->permit_empty_passwords) {
            *out = ask;
            return ERR_NONE;
        }
        ask.may = false;
    }
    if (password.n == 0 && !conf->permit_empty_passwords) ask.may = false;
    if (password.n > PASSWORD_MAX || (password.n > 0 && memchr(password.p, 0, password.n))) {
        ask.may = false;
        password.n = password.n > PASSWORD_MAX ? PASSWORD_MAX : strlen((const char *)password.p);
    }
    if (password.n > 0) memcpy(q.password, password.p, password.n);
    q.password_n = (uint32_t)strlen(q.password);
    enum err e = question_send(&q, auth_exe, &ask);
    wipe(&q, sizeof q);
    if (e == ERR_NONE) *out = ask;
    return e;
}

static enum err answer_read(int fd, unsigned timeout_ms, uint64_t *answer)
{
    struct message got;
    TRY(message_wait(fd, clock_us() + (uint64_t)timeout_ms * 1000));
    TRY(message_recv(fd, answer, sizeof *answer, false, &got));
    message_close_fds(&got);
    return got.n == sizeof *answer ? ERR_NONE : ERR_FORMAT;
}

enum err password_finish(struct password_ask *p, unsigned timeout_ms, enum verdict *out)
{
    uint64_t answer = AUTH_NO;
    *out = VERDICT_BAD;
    if (p->pid == 0) {          /* the empty password of an account without one, permitted: decided at the start */
        if (p->may) *out = VERDICT_GOOD;
        p->may = false;
        return ERR_NONE;
    }
    enum err e = answer_read(p->fd, timeout_ms, &answer);
    bool may = p->may;
    password_drop(p);
    if (e == ERR_NONE && answer == AUTH_YES && may) *out = VERDICT_GOOD;
    return e;
}

void password_drop(struct password_ask *p)
{
    int status;
    if (p->pid > 0) {
        kill(p->pid, SIGKILL);
        if (child_wait(p->pid, &status) != ERR_NONE) status = 0;
    }
    if (p->fd >= 0) close(p->fd);
    *p = (struct password_ask){.fd = -1};
}
