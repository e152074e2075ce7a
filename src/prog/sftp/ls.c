/* SPDX-License-Identifier: ISC */
/* `ls`: a folder, or what a pattern matches. */
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "listing.h"
#include "shell.h"

#define PATTERNS_MAX 1000       /* what braces may stand for */
#define HIDDEN_MAX   1000000    /* names left out; then they are shown, so that an endless listing meets the limit of those */

static enum order order_of(const struct command *c)
{
    if (c->flags['f']) return ORDER_NONE;
    return c->flags['t'] ? ORDER_TIME : c->flags['S'] ? ORDER_SIZE : ORDER_NAME;
}

static bool is_long(const struct command *c)
{
    return c->flags['l'] || c->flags['n'];
}

size_t terminal_width(int fd)
{
    struct winsize ws;
    return ioctl(fd, TIOCGWINSZ, &ws) == 0 && ws.ws_col ? ws.ws_col : 80;
}

/* Our own line where we know more, or less, than the server's says. */
static void long_write(struct shell *s, const struct command *c, struct wr *w, const struct entry *e)
{
    bool numbers = c->flags['n'], own = numbers || c->flags['h'] || !e->longname ||
                                        sftp_client_has(link_client(s->link), SFTP_VERB_USERS_GROUPS);
    if (own) long_line_write(w, e, c->flags['h'], numbers ? NULL : id_user(s, e->attrs.uid), numbers ? NULL : id_group(s, e->attrs.gid), time(NULL));
    else (void)name_write(w, bytes_str(e->longname));
    wr_u8(w, '\n');
}

static void show(struct shell *s, const struct command *c, struct entries *list, size_t extra, int terminal)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(1 << 30);
    entries_sort(list, order_of(c), c->flags['r']);
    if (!is_long(c)) {
        columns_write(&w, list, c->flags['1'] ? 0 : terminal_width(terminal), extra);
        (void)!fwrite(w.p, 1, w.n, stdout);
        return;
    }
    if (!c->flags['n'] && list->count) ids_ask(s, &list->v[0].attrs, list->count, sizeof *list->v);
    for (size_t i = 0; i < list->count && !interrupted; i++) {
        long_write(s, c, &w, &list->v[i]);
        (void)!fwrite(w.p, 1, w.n, stdout);
        w.n = 0;
    }
}

/* ---- a folder ---- */

/* Its entries, each with `before` (what the shown name begins with). */
static bool folder_read(struct shell *s, const char *path, const char *before, bool all, struct entries *out)
{
    struct link_list *l = NULL;
    struct sftp_name n;
    uint32_t status = SSH_FX_OK;
    bool more = true;
    size_t hidden = 0;
    enum err e = link_list_open(s->link, path, &status, &l);
    if (e == ERR_NONE && status != SSH_FX_OK) {
        fail("remote readdir(\"%s\"): %s", path, link_status_text(status));
        return false;
    }
    while (e == ERR_NONE && !interrupted) {
        e = link_list_next(l, &status, &n, &more);
        if (e != ERR_NONE || !more) break;
        if (n.name.p[0] == '.' && !all && ++hidden < HIDDEN_MAX) continue;
        char *name = must(bytes_dup_str(n.name)), *shown = *before ? path_join(before, name) : NULL;
        e = entries_add(out, bytes_str(shown ? shown : name), n.longname, &n.attrs);
        free(name);
        free(shown);
    }
    if (l) link_list_close(l);
    if (e == ERR_BUDGET || e == ERR_NOMEM) fail("remote readdir(\"%s\"): %s", path, err_text(e));
    else if (e != ERR_NONE) line_broke(s, e);
    if (e == ERR_NONE && !interrupted && status != SSH_FX_EOF && status != SSH_FX_OK) {
        fail("Couldn't read directory: %s", link_status_text(status));
        return false;
    }
    return e == ERR_NONE;
}

static int folder_show(struct shell *s, const struct command *c, const char *path, const char *strip)
{
    struct entries list = {0};
    bool good = folder_read(s, path, path_without(path, strip), c->flags['a'], &list);
    if (good && !interrupted) show(s, c, &list, 0, STDIN_FILENO);
    entries_clear(&list);
    return good ? 0 : -1;
}

/* ---- a pattern ---- */

/* Adds what one pattern matches: with a slash behind a folder's name, as glob marks it. *only: the folder, when it is the only match. */
static enum err pattern_read(struct shell *s, const char *pattern, const char *strip, struct entries *list, char **only)
{
    struct link_glob g = {0};
    TRY(link_glob(s->link, pattern, true, &g));
    enum err e = ERR_NONE;
    for (size_t i = 0; i < g.count && e == ERR_NONE && !interrupted; i++) {
        struct sftp_attrs a = {0};
        if (!remote_match_attrs(s, g.paths[i], &g.attrs[i], &a)) continue;
        bool dir = attrs_dir(&a), first = list->count == 0;
        size_t n = strlen(g.paths[i]);
        char *marked = dir && n && g.paths[i][n - 1] != '/' ? path_join(g.paths[i], "") : must(strdup(g.paths[i]));
        const char *shown = path_without(marked, strip);
        e = entries_add(list, bytes_str(*shown ? shown : marked), (struct bytes){0}, &a);
        free(*only);
        *only = dir && first ? must(strdup(g.paths[i])) : NULL;
        free(marked);
    }
    link_glob_done(&g);
    return e;
}

/* The columns are as wide as whole paths, as OpenSSH's are. */
static int matches_show(struct shell *s, const struct command *c, const char *pattern, const char *strip)
{
    struct entries list = {0};
    struct patterns all = {0};
    char *only = NULL;
    int status = 0;
    enum err e = braces_expand(pattern, PATTERNS_MAX, &all);
    for (size_t i = 0; i < all.count && e == ERR_NONE; i++) e = pattern_read(s, all.v[i], strip, &list, &only);
    patterns_clear(&all);
    if (e == ERR_BUDGET) fail("Can't ls: Too many matches for \"%s\"", pattern);
    else if (e != ERR_NONE) line_broke(s, e);
    else if (list.count == 0 && !interrupted) fail("Can't ls: \"%s\" not found", pattern);
    else if (only && list.count == 1) status = folder_show(s, c, only, strip);
    else if (!interrupted) show(s, c, &list, strip ? strlen(strip) + 1 : 0, STDOUT_FILENO);
    if (e != ERR_NONE || list.count == 0) status = -1;
    entries_clear(&list);
    free(only);
    return status;
}

int remote_ls(struct shell *s, const struct command *c)
{
    if (!c->path) return folder_show(s, c, s->cwd, s->cwd);
    char *pattern = pattern_absolute(s, c->path);
    int status = matches_show(s, c, pattern, c->path[0] == '/' ? NULL : s->cwd);
    free(pattern);
    return status;
}
