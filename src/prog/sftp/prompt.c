/* SPDX-License-Identifier: ISC */
/* The prompt for people: libedit's editing and history, and what the tab key completes. */
#include <glob.h>
#include <histedit.h>
#include <stdlib.h>
#include <unistd.h>

#include "listing.h"
#include "shell.h"

#define HISTORY_LINES 100
#define SHOWN_MAX     2000      /* candidates that a second tab shows */

struct prompt_editor {
    EditLine *el;
    History *history;
    HistEvent event;
    struct shell *shell;
    char *line;
};

static char *prompt_text(EditLine *el)
{
    static char text[] = "sftp> ";
    (void)el;
    return text;
}

/* ---- what could stand there ---- */

struct candidates {
    struct entries list;        /* whole words; for paths with a slash behind a folder */
};

static void commands_collect(const char *start, struct candidates *out)
{
    for (const struct command_row *r = command_rows; r->word; r++)
        if (strncasecmp(r->word, start, strlen(start)) == 0)
            (void)!entries_add(&out->list, bytes_str(r->word), (struct bytes){0}, &(struct sftp_attrs){0});
}

static void path_add(struct candidates *out, const char *path, bool dir)
{
    char *marked = dir ? path_join(path, "") : must(strdup(path));
    (void)!entries_add(&out->list, bytes_str(marked), (struct bytes){0}, &(struct sftp_attrs){0});
    free(marked);
}

static char *pattern_of(const char *word)
{
    char *name = must(words_escape(word)), *pattern = NULL;
    if (asprintf(&pattern, "%s*", name) < 0) pattern = NULL;
    free(name);
    return must(pattern);
}

static void local_collect(const char *word, struct candidates *out)
{
    char *pattern = pattern_of(word);
    glob_t g = {0};
    if (glob(pattern, 0, NULL, &g) == 0)
        for (size_t i = 0; i < g.gl_pathc; i++) path_add(out, g.gl_pathv[i], local_is_dir(g.gl_pathv[i]));
    globfree(&g);
    free(pattern);
}

/* Relative words stay relative. */
static void remote_collect(struct shell *s, const char *word, struct candidates *out)
{
    char *short_pattern = pattern_of(word), *pattern = pattern_absolute(s, short_pattern);
    struct link_glob g = {0};
    enum err e = link_glob(s->link, pattern, false, &g);
    if (e != ERR_NONE && e != ERR_BUDGET) line_broke(s, e);
    for (size_t i = 0; i < g.count; i++) {
        struct sftp_attrs a;
        bool dir = remote_match_attrs(s, g.paths[i], &g.attrs[i], &a) && attrs_dir(&a);
        path_add(out, word[0] == '/' ? g.paths[i] : path_without(g.paths[i], s->cwd), dir);
    }
    link_glob_done(&g);
    free(short_pattern);
    free(pattern);
}

/* Which side the word at `index` is on; flags do not count as words. */
static char side_of(const struct words *w, size_t index)
{
    const struct command_row *row = w->count ? command_find(w->v[0]) : NULL;
    size_t argument = 0;
    if (!row) return '-';
    for (size_t i = 1; i < index; i++) argument += w->v[i][0] != '-';
    if (row->verb == VERB_LLS) return 'l';
    return argument < 2 ? row->sides[argument] : '-';
}

/* ---- what is put in ---- */

static size_t common_length(const struct entries *e)
{
    size_t n = strlen(e->v[0].name);
    for (size_t i = 1; i < e->count; i++) {
        size_t k = 0;
        while (k < n && e->v[i].name[k] == e->v[0].name[k]) k++;
        n = k;
    }
    while (n && ((unsigned char)e->v[0].name[n] & 0xc0) == 0x80) n--;      /* not in the middle of a character */
    return n;
}

/* Control characters cannot be typed: how much of the text can. */
static size_t typed_length(const char *text, size_t n)
{
    size_t k = 0;
    while (k < n && (unsigned char)text[k] >= 0x20 && text[k] != 0x7f) k++;
    return k;
}

/* The text as it must be typed there: behind backslashes, or within the quotes that are open. */
static char *typed_form(const char *text, size_t n, char quote)
{
    char *out = must(malloc(2 * n + 1)), *put = out;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (quote ? c == (unsigned char)quote : strchr(" \"'#\\?[*", c) != NULL) *put++ = '\\';
        *put++ = (char)c;
    }
    *put = 0;
    return out;
}

/* What they have in common up to the last slash is not shown. */
static void show_all(struct candidates *c, const char *word)
{
    const char *slash = strrchr(word, '/');
    size_t skip = slash ? (size_t)(slash + 1 - word) : 0;
    struct wr w CLEANUP(wr_clear) = wr_heap(1 << 24);
    size_t more = c->list.count > SHOWN_MAX ? c->list.count - SHOWN_MAX : 0;
    struct entries shown = {.v = must(calloc(c->list.count, sizeof *shown.v)), .count = c->list.count - more};
    for (size_t i = 0; i < shown.count; i++) shown.v[i].name = c->list.v[i].name + skip;
    wr_u8(&w, '\n');
    columns_write(&w, &shown, terminal_width(STDOUT_FILENO), 0);
    free(shown.v);
    if (more) wr_textf(&w, "... and %zu more\n", more);
    (void)!fwrite(w.p, 1, w.n, stdout);
    fflush(stdout);
}

/* Replaces the typed word by what all candidates begin with; a word that is whole gets its quote and a blank. */
static unsigned char insert(struct prompt_editor *e, struct candidates *c, const char *word, size_t typed_n, char quote)
{
    size_t common = common_length(&c->list), n = typed_length(c->list.v[0].name, common);
    bool whole = c->list.count == 1 && n == common, dir = n && c->list.v[0].name[n - 1] == '/';
    if (n <= strlen(word) && !whole) {
        show_all(c, word);
        return CC_REDISPLAY;
    }
    char *form = typed_form(c->list.v[0].name, n, quote), tail[3] = {0};
    if (whole && !dir && quote) tail[0] = quote, tail[1] = ' ';
    else if (whole && !dir) tail[0] = ' ';
    el_deletestr(e->el, (int)typed_n);
    bool good = el_insertstr(e->el, form) == 0 && (!tail[0] || el_insertstr(e->el, tail) == 0);
    free(form);
    return good ? CC_REFRESH : CC_ERROR;
}

/* The word that is being typed at the end of `line`. */
static unsigned char complete_line(struct prompt_editor *e, const char *line)
{
    struct words w = {0};
    struct candidates c = {0};
    unsigned char result = CC_ERROR;
    if (words_split(line, true, &w) != ERR_NONE) return CC_ERROR;
    bool fresh = w.ended || w.count == 0;
    size_t index = fresh ? w.count : w.count - 1, from = fresh ? strlen(line) : w.at[index];
    char *word = must(strdup(fresh ? "" : w.v[index]));
    words_unescape(word);
    char side = index == 0 ? 'c' : side_of(&w, index);
    if (side == 'c') commands_collect(word, &c);
    else if (side == 'l') local_collect(word, &c);
    else if (side == 'r') remote_collect(e->shell, word, &c);
    entries_sort(&c.list, ORDER_NAME, false);
    size_t quote = w.quote && line[from] == w.quote;
    if (c.list.count && (!w.quote || quote)) result = insert(e, &c, word, strlen(line) - from - quote, w.quote);
    entries_clear(&c.list);
    words_clear(&w);
    free(word);
    return result;
}

static unsigned char complete(EditLine *el, int ch)
{
    struct prompt_editor *e = NULL;
    (void)ch;
    if (el_get(el, EL_CLIENTDATA, (void *)&e) != 0 || !e) return CC_ERROR;
    const LineInfo *info = el_line(el);
    char *line = must(strndup(info->buffer, (size_t)(info->cursor - info->buffer)));
    const char *start = line + strspn(line, "-@ \t");
    unsigned char result = complete_line(e, start);
    free(line);
    return result;
}

/* ---- lines ---- */

struct prompt_editor *editor_new(struct shell *s)
{
    struct prompt_editor *e = must(calloc(1, sizeof *e));
    e->shell = s;
    e->el = el_init("sftp", stdin, stdout, stderr);
    e->history = history_init();
    if (!e->el || !e->history) {
        editor_free(e);
        return NULL;
    }
    history(e->history, &e->event, H_SETSIZE, HISTORY_LINES);
    el_set(e->el, EL_HIST, history, e->history);
    el_set(e->el, EL_PROMPT, prompt_text);
    el_set(e->el, EL_EDITOR, "emacs");
    el_set(e->el, EL_TERMINAL, NULL);
    el_set(e->el, EL_SIGNAL, 1);
    el_set(e->el, EL_CLIENTDATA, e);
    el_set(e->el, EL_ADDFN, "sftp-complete", "complete commands and names", complete);
    el_set(e->el, EL_BIND, "^I", "sftp-complete", NULL);
    el_set(e->el, EL_BIND, "\\e[1;5C", "em-next-word", NULL);
    el_set(e->el, EL_BIND, "\\e[1;5D", "ed-prev-word", NULL);
    el_set(e->el, EL_BIND, "^w", "ed-delete-prev-word", NULL);
    el_source(e->el, NULL);     /* the user's ~/.editrc */
    return e;
}

const char *editor_line(struct prompt_editor *e)
{
    int n = 0;
    const char *line = el_gets(e->el, &n);
    free(e->line);
    e->line = NULL;
    if (!line || n <= 0) return NULL;
    history(e->history, &e->event, H_ENTER, line);
    e->line = must(strdup(line));
    e->line[strcspn(e->line, "\n")] = 0;
    return e->line;
}

void editor_free(struct prompt_editor *e)
{
    if (!e) return;
    if (e->history) history_end(e->history);
    if (e->el) el_end(e->el);
    free(e->line);
    free(e);
}
