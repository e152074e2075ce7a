/* SPDX-License-Identifier: ISC */
/* Reading sshd_config(5) into rows; the blob. */
#include "sshd_read.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/rd.h"

struct sshd_rows *sshd_rows_new(void)
{
    struct sshd_rows *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    if (conf_priv_new(&sshd_table, NULL, &r->priv) != ERR_NONE) {
        free(r);
        return NULL;
    }
    r->pool = r->priv->pool;
    r->now.applies = true;
    return r;
}

void sshd_rows_free(struct sshd_rows *r)
{
    if (!r) return;
    conf_priv_free(r->priv);
    free(r->row);
    free(r);
}

static enum err rows_add(struct sshd_rows *r, const struct sshd_row *one)
{
    if (r->n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 64;
        struct sshd_row *grown = realloc(r->row, cap * sizeof *grown);
        if (!grown) return ERR_NOMEM;
        r->row = grown, r->cap = cap;
    }
    r->row[r->n++] = *one;
    return ERR_NONE;
}

/* ---- one row, from a file or a blob ---- */

static enum err add_option(struct sshd_rows *r, struct line *l)
{
    const struct option *o = options_find(&sshd_table, l->keyword);
    if (!o) return options_unknown(&sshd_table, l, NULL);
    bool in_match = r->now.in_match;
    if (in_match && !(o->flags & OPT_MATCH)) return option_bad(l, "Directive '%s' is not allowed within a Match block", l->keyword);
    l->in_match = in_match;
    TRY(options_apply(&sshd_table, &r->global, r->priv, o, l, !in_match));
    const struct sshd_row one = {ROW_OPTION, l->number, o, l->file, l->keyword, l->rest};
    return rows_add(r, &one);
}

static enum err add_match(struct sshd_rows *r, struct line *l)
{
    bool hit;
    r->now.in_match = true;     /* also after an error: what follows must not become global */
    r->has_match = true;
    if (!l->rest[0]) return option_bad(l, "no argument after keyword \"%s\"", l->keyword);
    TRY(option_words(l));
    TRY(sshd_match(l, NULL, &hit));
    const struct sshd_row one = {ROW_MATCH, l->number, NULL, l->file, l->keyword, l->rest};
    return rows_add(r, &one);
}

static enum err enter(struct sshd_rows *r, const char *file)
{
    if (r->depth >= COUNT_OF(r->scope)) return ERR_RANGE;
    const struct sshd_row one = {.kind = ROW_ENTER, .file = file, .keyword = "", .rest = ""};
    TRY(rows_add(r, &one));
    r->scope[r->depth++] = r->now;
    return ERR_NONE;
}

static enum err leave(struct sshd_rows *r)
{
    if (r->depth == 0) return ERR_FORMAT;
    const struct sshd_row one = {.kind = ROW_LEAVE, .file = "", .keyword = "", .rest = ""};
    TRY(rows_add(r, &one));
    r->now = r->scope[--r->depth];
    return ERR_NONE;
}

static struct line line_of(struct sshd_rows *r, const struct conf_world *w, const char *file, unsigned number)
{
    return (struct line){.file = file, .number = number, .pool = r->pool, .world = w, .server = true, .keyword = "", .rest = ""};
}

/* ---- files ---- */

static enum err read_file(struct sshd_rows *r, const struct conf_world *w, const char *path);

static enum err include(struct sshd_rows *r, struct line *l)
{
    const struct conf_world *w = l->world;
    if (!l->rest[0]) return option_bad(l, "no argument after keyword \"%s\"", l->keyword);
    TRY(option_words(l));
    const char *word = option_word(l);
    if (!word) return option_bad(l, "missing argument for %s.", l->keyword);
    for (; word; word = option_word(l)) {
        struct wr pattern CLEANUP(wr_clear) = wr_heap(65536), paths CLEANUP(wr_clear) = wr_heap(CONF_FILE_MAX);
        if (word[0] != '/' && word[0] != '~') wr_textf(&pattern, "%.2000s/", w->etc_dir ? w->etc_dir : "/etc/ssh");
        wr_text(&pattern, word);
        wr_u8(&pattern, 0);
        TRY(wr_done(&pattern));
        if (w->glob && w->glob(w->ctx, (const char *)pattern.p, &paths) != ERR_NONE) return option_bad(l, "include \"%s\" failed", word);
        for (size_t at = 0; at < paths.n && memchr(paths.p + at, 0, paths.n - at);) {
            const char *path = conf_pool_str(r->pool, (const char *)paths.p + at);
            at += strlen((const char *)paths.p + at) + 1;
            if (!path) return ERR_NOMEM;
            if (conf_is_folder(w, path)) continue;
            TRY(enter(r, path));
            enum err e = read_file(r, w, path);
            TRY(leave(r));
            if (e != ERR_NONE && e != ERR_NOT_FOUND) return e == ERR_USAGE ? ERR_DENIED : e;    /* its errors were said */
        }
    }
    return ERR_NONE;
}

static enum err one_line(struct sshd_rows *r, struct line *l, struct bytes text)
{
    char *keyword, *rest;
    enum err e = option_split(text, r->pool, &keyword, &rest);
    if (e == ERR_FORMAT) return option_bad(l, "NUL in line");
    TRY(e);
    if (!*keyword) return ERR_NONE;
    l->keyword = keyword, l->rest = rest;
    if (conf_word_is(keyword, "include")) return include(r, l);
    return conf_word_is(keyword, "match") ? add_match(r, l) : add_option(r, l);
}

static enum err parse_lines(struct sshd_rows *r, const struct conf_world *w, const char *name, struct bytes text)
{
    unsigned bad = 0;
    const char *file = conf_pool_str(r->pool, name);
    if (!file) return ERR_NOMEM;
    if (!r->cwd && w->cwd) r->cwd = conf_pool_str(r->pool, w->cwd);
    for (unsigned number = 1; text.n; number++) {
        const uint8_t *nl = memchr(text.p, '\n', text.n);
        struct bytes one = {text.p, nl ? (size_t)(nl - text.p) : text.n};
        text.p += one.n + (nl != NULL), text.n -= one.n + (nl != NULL);
        struct line l = line_of(r, w, file, number);
        enum err e = one.n > CONF_LINE_MAX ? option_bad(&l, "line too long") : one_line(r, &l, one);
        if (e == ERR_DENIED) return ERR_USAGE;
        if (e != ERR_NONE && e != ERR_USAGE) return e;
        bad += e != ERR_NONE;
    }
    if (bad == 0) return ERR_NONE;
    conf_tell(w, CONF_SAY_ERROR, "%s: terminating, %u bad configuration options", name, bad);
    return ERR_USAGE;
}

static enum err read_file(struct sshd_rows *r, const struct conf_world *w, const char *path)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(CONF_FILE_MAX);
    if (r->depth > CONF_INCLUDE_DEPTH) {
        conf_tell(w, CONF_SAY_ERROR, "Too many recursive configuration includes");
        return ERR_USAGE;
    }
    enum err e = w->read_file(w->ctx, path, 0, &text);
    if (e != ERR_NONE && !(e == ERR_NOT_FOUND && r->depth))
        conf_tell(w, CONF_SAY_ERROR, "%s: %s", path, conf_file_error(e));
    TRY(e);
    return parse_lines(r, w, path, wr_bytes(&text));
}

enum err sshd_rows_read(struct sshd_rows *r, const struct conf_world *w, const char *path)
{
    enum err e = read_file(r, w, path);
    r->now = (struct sshd_scope){false, true};
    return e;
}

enum err sshd_rows_parse(struct sshd_rows *r, const struct conf_world *w, const char *name, struct bytes text)
{
    enum err e = parse_lines(r, w, name, text);
    r->now = (struct sshd_scope){false, true};
    return e;
}

enum err sshd_rows_option(struct sshd_rows *r, const struct conf_world *w, const char *text)
{
    struct line l = line_of(r, w, "command-line", 0);
    char *keyword, *rest;
    enum err e = option_split(bytes_str(text), r->pool, &keyword, &rest);
    if (e != ERR_NONE) return e == ERR_FORMAT ? option_bad(&l, "NUL in line") : e;
    l.keyword = keyword, l.rest = rest;
    if (!r->cwd && w->cwd) r->cwd = conf_pool_str(r->pool, w->cwd);
    if (conf_word_is(keyword, "match") || conf_word_is(keyword, "include"))
        return option_bad(&l, "%s directive not supported as a command-line option", keyword);
    return *keyword ? add_option(r, &l) : ERR_NONE;
}

/* ---- the blob: a line a row, "kind number keyword-length file-length keyword file rest" ---- */

#define BLOB_HEAD "nacre sshd_config rows 1\n"

void sshd_rows_write(const struct sshd_rows *r, struct wr *out)
{
    wr_text(out, BLOB_HEAD);
    wr_text(out, r->cwd ? r->cwd : "");
    wr_u8(out, '\n');
    for (size_t i = 0; i < r->n; i++) {
        const struct sshd_row *one = &r->row[i];
        wr_textf(out, "%c %u %zu %zu ", (char)one->kind, one->number, strlen(one->keyword), strlen(one->file));
        wr_text(out, one->keyword);
        wr_text(out, one->file);
        wr_text(out, one->rest);
        wr_u8(out, '\n');
    }
}

/* A decimal number and the blank behind it. */
static size_t blob_number(struct rd *in)
{
    size_t v = 0;
    for (unsigned digits = 0; digits < 9; digits++) {
        uint8_t c = rd_u8(in);
        if (c == ' ' && digits) return v;
        if (c < '0' || c > '9') break;
        v = v * 10 + (size_t)(c - '0');
    }
    rd_fail(in, ERR_FORMAT);
    return 0;
}

static enum err restore_row(struct sshd_rows *r, const struct conf_world *w, struct bytes text)
{
    struct rd in = rd_init(text);
    uint8_t kind = rd_u8(&in);
    if (rd_u8(&in) != ' ') rd_fail(&in, ERR_FORMAT);
    unsigned number = (unsigned)blob_number(&in);
    size_t keyword_n = blob_number(&in), file_n = blob_number(&in);
    struct bytes keyword = rd_raw(&in, keyword_n), file = rd_raw(&in, file_n), rest = rd_rest(&in);
    TRY(rd_done(&in));
    struct line l = line_of(r, w, conf_pool_text(r->pool, file), number);
    l.keyword = conf_pool_text(r->pool, keyword), l.rest = conf_pool_text(r->pool, rest);
    if (!l.file || !l.keyword || !l.rest) return ERR_FORMAT;
    switch (kind) {
    case ROW_OPTION: return add_option(r, &l);
    case ROW_MATCH: return add_match(r, &l);
    case ROW_ENTER: return enter(r, l.file);
    case ROW_LEAVE: return leave(r);
    default: return ERR_FORMAT;
    }
}

static bool next_line(struct bytes *text, struct bytes *out)
{
    const uint8_t *nl = text->n ? memchr(text->p, '\n', text->n) : NULL;
    if (!nl) return false;
    *out = bytes_of(text->p, (size_t)(nl - text->p));
    text->n -= out->n + 1, text->p += out->n + 1;
    return true;
}

static enum err restore_all(struct sshd_rows *r, struct bytes blob, const struct conf_world *w)
{
    struct bytes line;
    struct conf_world quiet = *w;
    quiet.say = NULL;
    if (!bytes_starts(blob, BLOB_HEAD)) return ERR_FORMAT;
    blob.p += sizeof BLOB_HEAD - 1, blob.n -= sizeof BLOB_HEAD - 1;
    if (!next_line(&blob, &line)) return ERR_FORMAT;
    quiet.cwd = r->cwd = line.n ? conf_pool_text(r->pool, line) : NULL;
    while (next_line(&blob, &line)) TRY(restore_row(r, &quiet, line));
    return blob.n || r->depth ? ERR_FORMAT : ERR_NONE;
}

enum err sshd_rows_restore(struct bytes blob, const struct conf_world *w, struct sshd_rows **out)
{
    struct sshd_rows *r = sshd_rows_new();
    if (!r) return ERR_NOMEM;
    enum err e = restore_all(r, blob, w);
    if (e != ERR_NONE) {
        sshd_rows_free(r);
        return e == ERR_NOMEM ? e : ERR_FORMAT;
    }
    r->now = (struct sshd_scope){false, true};
    *out = r;
    return ERR_NONE;
}

bool sshd_rows_match(const struct sshd_rows *r)
{
    return r->has_match;
}
