/* SPDX-License-Identifier: ISC */
/* Listings, and shell patterns over a server's names. */
#include <stdlib.h>

#include "base/text.h"
#include "link_io.h"

#define MATCHES_MAX 131072          /* names of one pattern, as OpenSSH's limit */

/* ---- listings ---- */

struct link_list {
    struct link *link;
    uint8_t handle[SFTP_HANDLE_MAX];
    size_t handle_n;
    struct bytes names;
    unsigned empty;
};

enum err link_list_open(struct link *l, const char *path, uint32_t *status, struct link_list **out)
{
    struct sftp_result r;
    TRY(link_call(l, &(struct sftp_op){.verb = SFTP_VERB_OPENDIR, .path = bytes_str(path)}, (struct bytes){0}, &r));
    *status = r.kind == SFTP_HANDLE ? SSH_FX_OK : r.status == SSH_FX_OK ? SSH_FX_FAILURE : r.status;
    *out = NULL;
    if (*status != SSH_FX_OK) return ERR_NONE;
    struct link_list *list = calloc(1, sizeof *list);
    if (!list) return ERR_NOMEM;
    list->link = l;
    list->handle_n = r.handle.n;
    memcpy(list->handle, r.handle.p, r.handle.n);
    *out = list;
    return ERR_NONE;
}

static bool name_possible(struct bytes n)
{
    return n.n && n.n <= 255 && !memchr(n.p, '/', n.n) && !memchr(n.p, 0, n.n);
}

enum err link_list_next(struct link_list *list, uint32_t *status, struct sftp_name *out, bool *more)
{
    for (;;) {
        struct sftp_result r;
        while (sftp_name_next(&list->names, out)) {
            if (!name_possible(out->name)) continue;
            if (!bytes_is(out->name, ".") && !bytes_is(out->name, "..")) list->empty = 0;
            *more = true;
            return ERR_NONE;
        }
        struct sftp_op op = {.verb = SFTP_VERB_READDIR, .handle = bytes_of(list->handle, list->handle_n)};
        *more = false;
        if (++list->empty > 1000) return list->link->err = ERR_BUDGET;
        TRY(link_call(list->link, &op, (struct bytes){0}, &r));
        *status = r.kind == SFTP_NAME ? SSH_FX_OK : r.status == SSH_FX_OK ? SSH_FX_FAILURE : r.status;
        if (*status != SSH_FX_OK) return ERR_NONE;
        list->names = r.names;
    }
}

void link_list_close(struct link_list *list)
{
    struct sftp_result r;
    if (!list) return;
    struct sftp_op op = {.verb = SFTP_VERB_CLOSE, .handle = bytes_of(list->handle, list->handle_n)};
    if (link_call(list->link, &op, (struct bytes){0}, &r) != ERR_NONE) { /* the next call tells */ }
    free(list);
}

/* ---- patterns ---- */

/* One [...] at p (behind the bracket): does c match; *end behind the closing one. NULL end: it is not closed, so '[' is a plain letter. */
static bool class_match(const char *p, const char *stop, uint8_t c, const char **end)
{
    bool not = p < stop && (*p == '!' || *p == '^'), hit = false;
    if (not) p++;
    for (bool first = true; p < stop && (*p != ']' || first); first = false) {
        if (*p == '\\' && p + 1 < stop) p++;
        uint8_t low = (uint8_t)*p++, high = low;
        if (p + 1 < stop && *p == '-' && p[1] != ']') {
            p++;
            if (*p == '\\' && p + 1 < stop) p++;
            high = (uint8_t)*p++;
        }
        hit = hit || (c >= low && c <= high);
    }
    *end = p < stop ? p + 1 : NULL;
    return hit != not;
}

bool glob_part_match(struct bytes text, const char *pattern, size_t n)
{
    const char *p = pattern, *stop = pattern + n, *star = NULL;
    size_t i = 0, mark = 0;
    if (text.n && text.p[0] == '.' && !(n && (*p == '.' || (*p == '\\' && n > 1 && p[1] == '.')))) return false;
    while (i < text.n) {
        const char *next = p + 1, *end;
        bool same = false;
        if (p < stop && *p == '*') {
            star = p++, mark = i;
            continue;
        }
        if (p < stop && *p == '?') same = true;
        else if (p < stop && *p == '[') {
            same = class_match(p + 1, stop, text.p[i], &end);
            if (end) next = end;
            else same = text.p[i] == '[';
        } else if (p < stop) {
            if (*p == '\\' && p + 1 < stop) next = p + 2, same = text.p[i] == (uint8_t)p[1];
            else same = text.p[i] == (uint8_t)*p;
        }
        if (same) i++, p = next;
        else if (star) p = star + 1, i = ++mark;
        else return false;
    }
    while (p < stop && *p == '*') p++;
    return p == stop;
}

static bool part_special(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\\') i++;
        else if (p[i] == '*' || p[i] == '?' || p[i] == '[') return true;
    }
    return false;
}

static void unescape(char *text)
{
    char *to = text;
    for (char *p = text; *p; p++) {
        if (*p == '\\' && p[1]) p++;
        *to++ = *p;
    }
    *to = 0;
}

static enum err found_add(struct link_glob *g, const char *dir, struct bytes name, bool literal, const struct sftp_attrs *attrs)
{
    size_t n = strlen(dir);
    if (n + name.n + 2 > SFTP_PATH_MAX) return ERR_NONE;
    if (g->count >= MATCHES_MAX) return ERR_BUDGET;
    if ((g->count & (g->count - 1)) == 0) {     /* doubles at each power of two */
        size_t cap = g->count ? g->count * 2 : 1;
        char **paths = realloc(g->paths, cap * sizeof *paths);
        if (paths) g->paths = paths;
        struct sftp_attrs *a = realloc(g->attrs, cap * sizeof *a);
        if (a) g->attrs = a;
        if (!paths || !a) return ERR_NOMEM;
    }
    char *path = malloc(n + name.n + 2);
    if (!path) return ERR_NOMEM;
    memcpy(path, dir, n);
    memcpy(path + n, name.p, name.n);
    path[n + name.n] = 0;
    if (literal) unescape(path + n);
    g->attrs[g->count] = attrs ? *attrs : (struct sftp_attrs){0};
    g->paths[g->count++] = path;
    return ERR_NONE;
}

static int path_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct pair {
    char *path;
    struct sftp_attrs attrs;
};

static void found_sort(struct link_glob *g)
{
    struct pair *pairs = malloc((g->count ? g->count : 1) * sizeof *pairs);
    if (!pairs) return;
    for (size_t i = 0; i < g->count; i++) pairs[i] = (struct pair){g->paths[i], g->attrs[i]};
    qsort(pairs, g->count, sizeof *pairs, path_order);
    for (size_t i = 0; i < g->count; i++) g->paths[i] = pairs[i].path, g->attrs[i] = pairs[i].attrs;
    free(pairs);
}

/* The names of one folder that match one part. last: links are kept whatever they lead to. */
static enum err folder_match(struct link *l, const char *dir, const char *part, size_t n, bool last, struct link_glob *out)
{
    struct link_list *list;
    struct sftp_name name;
    uint32_t status;
    bool more = false;
    enum err e;
    TRY(link_list_open(l, *dir ? dir : ".", &status, &list));
    if (!list) return ERR_NONE;         /* cannot be read: nothing matches there */
    while ((e = link_list_next(list, &status, &name, &more)) == ERR_NONE && more) {
        if (!glob_part_match(name.name, part, n) || bytes_is(name.name, ".") || bytes_is(name.name, "..")) continue;
        uint32_t type = name.attrs.flags & SSH_FILEXFER_ATTR_PERMISSIONS ? name.attrs.mode & 0170000 : 0;
        if (!last && type && type != 0040000 && type != 0120000) continue;
        if ((e = found_add(out, dir, name.name, false, type == 0120000 ? NULL : &name.attrs)) != ERR_NONE) break;
    }
    link_list_close(list);
    return e;
}

static enum err part_expand(struct link *l, const struct link_glob *in, const char *part, size_t n, size_t slashes, bool last, struct link_glob *out)
{
    for (size_t i = 0; i < in->count; i++) {
        if (part_special(part, n)) TRY(folder_match(l, in->paths[i], part, n, last, out));
        else TRY(found_add(out, in->paths[i], bytes_of(part, n), true, NULL));
    }
    for (size_t i = 0; slashes && i < out->count; i++) {
        size_t len = strlen(out->paths[i]);
        char *p = realloc(out->paths[i], len + slashes + 1);
        if (!p) return ERR_NOMEM;
        memset(p + len, '/', slashes);
        p[len + slashes] = 0;
        out->paths[i] = p;
    }
    return ERR_NONE;
}

/* Names behind a part with special characters may not exist: look. */
static enum err found_check(struct link *l, struct link_glob *g)
{
    size_t kept = 0;
    for (size_t i = 0; i < g->count; i++) {
        uint32_t status;
        if (!g->attrs[i].flags) TRY(link_attrs(l, SFTP_VERB_STAT, g->paths[i], &status, &g->attrs[i]));
        else status = SSH_FX_OK;
        if (status != SSH_FX_OK) {
            TRY(link_attrs(l, SFTP_VERB_LSTAT, g->paths[i], &status, &g->attrs[i]));    /* a link that leads nowhere is a name all the same */
            g->attrs[i].flags = 0;
        }
        if (status != SSH_FX_OK) {
            free(g->paths[i]);
            continue;
        }
        g->attrs[kept] = g->attrs[i];
        g->paths[kept++] = g->paths[i];
    }
    g->count = kept;
    return ERR_NONE;
}

static enum err glob_walk(struct link *l, const char *pattern, struct link_glob *g)
{
    size_t root = strspn(pattern, "/");
    enum err e = found_add(g, "", bytes_of(pattern, root), false, NULL);
    for (const char *p = pattern + root; *p && e == ERR_NONE;) {
        size_t n = strcspn(p, "/"), slashes = strspn(p + n, "/");
        struct link_glob next = {0};
        e = part_expand(l, g, p, n, slashes, !p[n + slashes], &next);
        link_glob_done(g);
        *g = next;
        p += n + slashes;
    }
    if (e == ERR_NONE) e = found_check(l, g);
    return e;
}

enum err link_glob(struct link *l, const char *pattern, bool nomatch_is_name, struct link_glob *out)
{
    struct link_glob g = {0};
    enum err e = ERR_NONE;
    if (part_special(pattern, strlen(pattern))) e = glob_walk(l, pattern, &g);
    else nomatch_is_name = true;
    if (e == ERR_NONE && g.count == 0 && nomatch_is_name) e = found_add(&g, "", bytes_str(pattern), true, NULL);
    if (e != ERR_NONE) {
        link_glob_done(&g);
        return e;
    }
    found_sort(&g);
    *out = g;
    return ERR_NONE;
}

void link_glob_done(struct link_glob *g)
{
    for (size_t i = 0; i < g->count; i++) free(g->paths[i]);
    free(g->paths);
    free(g->attrs);
    *g = (struct link_glob){0};
}
