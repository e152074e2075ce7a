/* SPDX-License-Identifier: ISC */
/* The environment of a session: what a client may send, and what a session gets. */
#include <limits.h>
#include <paths.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "os/fd.h"
#include "conf/sshd.h"
#include "sshd/keyfile.h"
#include "sshd/session.h"

/* Debian's OpenSSH is built with these. */
#define PATH_USER "/usr/local/bin:/usr/bin:/bin:/usr/games"
#define PATH_ROOT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#define FILE_BYTES_MAX 131072
#define FILE_LINES_MAX 1000

/* ---- "env" requests ---- */

static bool name_accepted(const struct sshd_conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->accept_env.n; i++)
        if (pattern_match(bytes_str(name), bytes_str(conf->accept_env.v[i]))) return true;
    return false;
}

/* Takes a name's old value out of the text. */
static void env_remove(struct session_env *e, const char *name)
{
    size_t len = strlen(name), at = 0;
    while (at < e->n) {
        size_t entry = strlen(e->text + at) + 1;
        if (strncmp(e->text + at, name, len) == 0 && e->text[at + len] == '=') {
            memmove(e->text + at, e->text + at + entry, e->n - at - entry);
            e->n -= entry;
        } else {
            at += entry;
        }
    }
}

enum err session_env_add(struct session_env *e, const struct sshd_conf *conf, const char *name, const char *value)
{
    size_t name_n = strlen(name), value_n = strlen(value), need;
    if (name_n == 0 || strchr(name, '=') || !name_accepted(conf, name)) return ERR_DENIED;
    if (name_n > SESSION_ENV_BYTES_MAX || value_n > SESSION_ENV_BYTES_MAX) return ERR_NOSPACE;
    env_remove(e, name);
    need = e->n + name_n + value_n + 2;
    if (need > SESSION_ENV_BYTES_MAX) return ERR_NOSPACE;
    if (need > e->cap) {
        size_t cap = need < 1024 ? 1024 : need * 2;
        char *text = realloc(e->text, cap);
        if (!text) return ERR_NOMEM;
        e->text = text;
        e->cap = cap;
    }
    char *at = e->text + e->n;
    memcpy(at, name, name_n);
    at[name_n] = '=';
    memcpy(at + name_n + 1, value, value_n + 1);
    e->n = need;
    return ERR_NONE;
}

void session_env_done(struct session_env *e)
{
    free(e->text);
    *e = (struct session_env){0};
}

/* ---- a list ---- */

static NORETURN void die_nomem(void)
{
    static const char text[] = "sshd: out of memory\n";
    ssize_t done = write(2, text, sizeof text - 1);
    (void)done;
    _exit(1);
}

static char **environ_find(const struct environ_list *l, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < l->n; i++)
        if (strncmp(l->v[i], name, n) == 0 && l->v[i][n] == '=') return &l->v[i];
    return NULL;
}

void environ_set(struct environ_list *l, const char *name, const char *value)
{
    char *text = NULL, **slot = environ_find(l, name);
    if (asprintf(&text, "%s=%s", name, value) < 0) die_nomem();
    if (slot) {
        free(*slot);
        *slot = text;
        return;
    }
    if (l->n + 2 > l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 32;
        char **v = realloc(l->v, cap * sizeof *v);
        if (!v) die_nomem();
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = text;
    l->v[l->n] = NULL;
}

const char *environ_get(const struct environ_list *l, const char *name)
{
    char **slot = environ_find(l, name);
    return slot ? strchr(*slot, '=') + 1 : NULL;
}

/* "NAME=VALUE" as one text; false: no '=' in it. allow: a pattern list of names. */
static bool environ_put(struct environ_list *l, const char *text, const char *allow)
{
    char name[1024];
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || (size_t)(equals - text) >= sizeof name) return false;
    memcpy(name, text, (size_t)(equals - text));
    name[equals - text] = 0;
    if (!allow || pattern_list_match(bytes_str(name), bytes_str(allow), false) == MATCH_YES) environ_set(l, name, equals + 1);
    return true;
}

static void lines_put(struct environ_list *l, char *text, const char *path, const char *allow)
{
    unsigned number = 0;
    for (char *line = text, *next; line && number < FILE_LINES_MAX; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        number++;
        line += strspn(line, " \t");
        if (*line == 0 || *line == '#') continue;
        if (!environ_put(l, line, allow)) fprintf(stderr, "Bad line %u in %.100s\n", number, path);
    }
}

/* A regular file's text, NUL-terminated, for the caller to free; NULL: there is none. */
static char *text_read(const char *path, const struct account *a)
{
    char note[256] = "";
    int fd;
    if (keyfile_open(a, path, false, note, sizeof note, &fd) != ERR_NONE) return NULL;
    char *text = calloc(1, FILE_BYTES_MAX + 1);
    if (!text) die_nomem();
    (void)fd_fill(fd, text, FILE_BYTES_MAX);
    close(fd);
    return text;
}

void environ_file(struct environ_list *l, const char *path, const struct account *a, const char *allow)
{
    char *text = text_read(path, a);
    if (text) lines_put(l, text, path, allow);
    free(text);
}

/* One line of /etc/environment: [export] NAME=VALUE, VALUE perhaps in quotes. */
static void system_line(struct environ_list *l, char *line)
{
    line += strspn(line, " \t");
    if (strncmp(line, "export ", 7) == 0) line += 7 + strspn(line + 7, " \t");
    size_t n = strcspn(line, "\r\n");
    while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t')) n--;
    line[n] = 0;
    char *value = strchr(line, '=');
    if (line[0] == '#' || !value || value == line) return;
    *value++ = 0;
    n = strlen(value);
    if (n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n - 1] == value[0]) {
        value[n - 1] = 0;
        value++;
    }
    environ_set(l, line, value);
}

void environ_system(struct environ_list *l, const char *path, const struct account *a)
{
    char *text = text_read(path, a);
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        system_line(l, line);
    }
    free(text);
}

/* ---- a session's ---- */

static void environ_setf(struct environ_list *l, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void environ_setf(struct environ_list *l, const char *name, const char *fmt, ...)
{
    char value[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(value, sizeof value, fmt, ap);
    va_end(ap);
    environ_set(l, name, value);
}

static void put_client(struct environ_list *l, const struct session_env *e)
{
    for (size_t at = 0; e && at < e->n; at += strlen(e->text + at) + 1) environ_put(l, e->text + at, NULL);
}

static void put_login(struct environ_list *l, const struct session_spec *spec)
{
    const struct account *a = spec->account;
    environ_set(l, "USER", a->name);
    environ_set(l, "LOGNAME", a->name);
    environ_set(l, "HOME", a->home);
    environ_set(l, "PATH", a->uid == 0 ? PATH_ROOT : PATH_USER);
    environ_setf(l, "MAIL", "%.200s/%.200s", _PATH_MAILDIR, a->name);
    environ_set(l, "SHELL", a->shell);
    if (spec->pty && spec->pty->term[0]) environ_set(l, "TERM", spec->pty->term);
}

/* With UsePAM an administrator counts on pam_env(8): the system's variables and its language. */
static void put_system(struct environ_list *l, const struct session_spec *spec)
{
    if (!spec->conf->use_pam) return;
    environ_system(l, "/etc/environment", spec->account);
    environ_system(l, "/etc/default/locale", spec->account);
}

static void put_user_files(struct environ_list *l, const struct session_spec *spec)
{
    char path[PATH_MAX];
    const char *allow = spec->conf->permit_user_environment_list, *text;
    if (!spec->conf->permit_user_environment && !allow) return;
    size_t pos = 0;
    while (spec->options && (text = key_options_environment(spec->options, &pos)) != NULL) environ_put(l, text, allow);
    snprintf(path, sizeof path, "%.1000s/.ssh/environment", spec->account->home);
    environ_file(l, path, spec->account, allow);
}

void environ_build(struct environ_list *l, const struct session_spec *spec, const struct session_plan *plan, const char *tty)
{
    const struct link_ends *k = spec->link;
    const char *tz = getenv("TZ");
    if (tz) environ_set(l, "TZ", tz);
    put_client(l, spec->env);
    put_login(l, spec);
    put_system(l, spec);
    put_user_files(l, spec);
    for (size_t i = 0; i < spec->conf->set_env.n; i++) environ_put(l, spec->conf->set_env.v[i], NULL);
    /* last, so that nobody but the server says where a login came from */
    environ_setf(l, "SSH_CLIENT", "%.50s %u %u", k->client_addr, k->client_port, k->server_port);
    environ_setf(l, "SSH_CONNECTION", "%.50s %u %.50s %u", k->client_addr, k->client_port, k->server_addr, k->server_port);
    if (tty) environ_set(l, "SSH_TTY", tty);
    if (spec->auth_info) environ_set(l, "SSH_USER_AUTH", spec->auth_info);
    if (spec->agent_path) environ_set(l, "SSH_AUTH_SOCK", spec->agent_path);
    if (plan->original) environ_set(l, "SSH_ORIGINAL_COMMAND", plan->original);
}
