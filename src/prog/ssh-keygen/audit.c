/* SPDX-License-Identifier: ISC */
#include "audit.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/limits.h"
#include "base/text.h"
#include "key/cert.h"
#include "key/known_hosts.h"

enum { DEPTH_MAX = 8, DAY_S = 86400 };

/* Twice over all files: first what touches keys (revocation lists, certificates), then the keys. */
typedef void visit(struct audit *a, const char *path, struct bytes text, const struct stat *st, bool named);

static void *grow(void *list, size_t n, size_t size)
{
    void *more = reallocarray(list, n + 1, size);
    if (!more) fatal("memory allocation failed");
    return more;
}

static char *copied(const char *text)
{
    char *copy = strdup(text);
    if (!copy) fatal("memory allocation failed");
    return copy;
}

void audit_unreadable(struct audit *a, const char *path, enum err e)
{
    need_sound(e, path);
    const char *why = reason(e);
    for (size_t i = 0; i < a->refused_n; i++)
        if (strcmp(a->refused[i], path) == 0) return;
    say("%s: %s", path, why);
    a->unread = true;
    a->refused = grow(a->refused, a->refused_n, sizeof *a->refused);
    a->refused[a->refused_n++] = copied(path);
}

/* ---- what touches keys ---- */

static void krl_add(struct audit *a, const char *path, struct bytes text)
{
    struct krl *krl = NULL;
    enum err e = revoked_parse(text, &krl);
    need_sound(e, path);
    if (e != ERR_NONE) {
        say("%s: this revocation list cannot be read: %s", path, reason(e));
        a->unread = true;
        return;
    }
    a->krls = grow(a->krls, a->krls_n, sizeof *a->krls);
    a->krls[a->krls_n++] = (struct audit_krl){copied(path), krl};
}

static void collect(struct audit *a, const char *path, struct bytes text, const struct stat *st, bool named)
{
    struct line_walk walk = {.rest = text};
    struct bytes line;
    (void)st, (void)named;
    if (krl_is(text)) {
        krl_add(a, path, text);
        return;
    }
    while (!privkey_file_is(text) && line_next(&walk, &line)) {
        struct pubkey *k CLEANUP(pubkey_drop) = NULL;
        struct pubkey_line view;
        enum err e = pubkey_line_parse_any(line, &view, &k);
        need_sound(e, path);
        if (e != ERR_NONE || !pubkey_cert(k)) continue;
        a->certs = grow(a->certs, a->certs_n, sizeof *a->certs);
        a->certs[a->certs_n++] = (struct audit_cert){copied(path), k};
        k = NULL;
    }
}

static void show(struct audit *a, const char *path, struct bytes text, const struct stat *st, bool named)
{
    if (audit_file(a, path, text, st) || krl_is(text) || !named) return;
    say("%s: no keys in it", path);
    a->unread = true;
}

/* ---- walking ---- */

static void walk_file(struct audit *a, const char *path, bool named, visit *what)
{
    struct secret text CLEANUP(secret_clear) = {0};
    struct stat st;
    enum err e = file_read(path, named ? CONF_FILE_MAX : KEY_FILE_MAX, false, &text, &st);
    if (e == ERR_NONE) what(a, path, secret_bytes(&text), &st, named);
    else if (named || e == ERR_SYSTEM || e == ERR_NOMEM) audit_unreadable(a, path, e);   /* sockets and large files in a folder are no keys */
}

static int visible(const struct dirent *e)
{
    return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

static void walk(struct audit *a, const char *path, unsigned depth, visit *what)
{
    struct dirent **entries;
    struct stat st;
    /* a link to a folder is followed only where it was named: no rings */
    if (depth == 0 ? stat(path, &st) != 0 : lstat(path, &st) != 0) {
        audit_unreadable(a, path, ERR_SYSTEM);
        return;
    }
    if (!S_ISDIR(st.st_mode)) {
        if (depth == 0 || S_ISREG(st.st_mode) || (S_ISLNK(st.st_mode) && stat(path, &st) == 0 && S_ISREG(st.st_mode)))
            walk_file(a, path, depth == 0, what);
        return;
    }
    int n = scandir(path, &entries, visible, alphasort);
    if (n < 0) audit_unreadable(a, path, ERR_SYSTEM);
    for (int i = 0; i < n; i++) {
        char *below = NULL;
        if (depth < DEPTH_MAX) {
            if (asprintf(&below, "%s%s%s", path, path[strlen(path) - 1] == '/' ? "" : "/", entries[i]->d_name) < 0) fatal("memory allocation failed");
            walk(a, below, depth + 1, what);
        }
        free(below);
        free(entries[i]);
    }
    if (n >= 0) free(entries);
}

/* ---- the job ---- */

static void take_extra(struct audit *a, const char *text)
{
    struct secret list CLEANUP(secret_clear) = {0};
    uint64_t days;
    if (strncmp(text, "krl=", 4) == 0) {
        enum err e = file_read(text + 4, KRL_FILE_MAX, false, &list, NULL);
        if (e != ERR_NONE) fatal("%s: %s", text + 4, reason(e));
        krl_add(a, text + 4, secret_bytes(&list));
        if (a->unread) exit(255);       /* the answers would be wrong */
    } else if (strncmp(text, "blacklist=", 10) == 0) {
        enum err e = file_read(text + 10, KRL_FILE_MAX, false, &a->bad_keys, NULL);
        if (e != ERR_NONE) fatal("%s: %s", text + 10, reason(e));
    } else if (strncmp(text, "max-age=", 8) == 0) {
        if (text_to_u64(bytes_str(text + 8), 1000000, &days) != ERR_NONE) fatal("Invalid number of days: %s", text + 8);
        a->age_s_max = days * DAY_S;
    } else {
        fatal("Option \"%s\" is unsupported for --audit", text);
    }
}

static void audit_done(struct audit *a)
{
    for (size_t i = 0; i < a->krls_n; i++) free(a->krls[i].path), krl_free(a->krls[i].krl);
    for (size_t i = 0; i < a->certs_n; i++) free(a->certs[i].path), pubkey_free(a->certs[i].key);
    for (size_t i = 0; i < a->refused_n; i++) free(a->refused[i]);
    free(a->krls), free(a->certs), free(a->refused);
    secret_clear(&a->bad_keys);
}

int job_audit(struct options *o)
{
    time_t now = time(NULL);
    struct tm tm;
    struct audit a = {.o = o, .now_s = (uint64_t)now};
    if (localtime_r(&now, &tm)) a.utc_offset = (int32_t)tm.tm_gmtoff;
    if (o->rest_n == 0) fatal("Name the files and folders to audit");
    for (size_t i = 0; i < o->extra_n; i++) take_extra(&a, o->extra[i]);
    for (int i = 0; i < o->rest_n; i++) walk(&a, o->rest[i], 0, collect);
    for (int i = 0; i < o->rest_n; i++) walk(&a, o->rest[i], 0, show);
    printf("%zu key%s, %zu with flaws\n", a.shown, a.shown == 1 ? "" : "s", a.flawed);
    audit_done(&a);
    return a.unread ? 255 : a.flawed ? 1 : 0;
}
