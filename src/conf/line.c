/* SPDX-License-Identifier: ISC */
/* From a line of text to words, and the messages about it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "option.h"

void conf_tell(const struct conf_world *w, enum conf_say what, const char *fmt, ...)
{
    char text[2048], safe[4096];
    if (!w->say) return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    w->say(w->ctx, what, escape_str(bytes_str(text), safe, sizeof safe));
}

enum err option_bad(const struct line *l, const char *fmt, ...)
{
    char text[1536];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    conf_tell(l->world, CONF_SAY_ERROR, "%.400s line %u: %s", l->file, l->number, text);
    return ERR_USAGE;
}

const char *option_word(struct line *l)
{
    return l->used < l->words ? l->word[l->used++] : NULL;
}

enum err option_need(struct line *l, const char **out)
{
    const char *w = option_word(l);
    if (!w || !*w) return l->server ? option_bad(l, "missing argument for %s.", l->keyword) : option_bad(l, "Missing argument.");
    *out = w;
    return ERR_NONE;
}

bool conf_word_is(const char *a, const char *b)
{
    return text_equal_fold(bytes_str(a), bytes_str(b));
}

enum err conf_texts_add(struct pool *p, struct conf_texts *t, const char *s)
{
    const char **v = conf_pool_grow(p, t->v, t->n, sizeof *v);
    char *copy = conf_pool_str(p, s);
    if (!v || !copy) return ERR_NOMEM;
    t->v = v;
    t->v[t->n++] = copy;
    return ERR_NONE;
}

/* ---- keyword and rest ---- */

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f';
}

static void skip_blanks(struct bytes *t)
{
    while (t->n && blank(t->p[0])) t->p++, t->n--;
}

/* The keyword ends at a blank or '='; one '=' may follow it. It may stand in quotes. */
static struct bytes take_keyword(struct bytes *t)
{
    struct bytes k = {t->p, 0};
    if (t->n && t->p[0] == '"') {
        const uint8_t *end = memchr(t->p + 1, '"', t->n - 1);
        if (end) {
            k = bytes_of(t->p + 1, (size_t)(end - t->p - 1));
            t->n -= (size_t)(end + 1 - t->p), t->p = end + 1;
        }
    } else {
        while (k.n < t->n && !blank(t->p[k.n]) && t->p[k.n] != '=') k.n++;
        t->p += k.n, t->n -= k.n;
    }
    skip_blanks(t);
    if (t->n && t->p[0] == '=') {
        t->p++, t->n--;
        skip_blanks(t);
    }
    return k;
}

enum err option_split(struct bytes t, struct pool *pool, char **keyword, char **rest)
{
    while (t.n && (blank(t.p[t.n - 1]) || t.p[t.n - 1] == '\n')) t.n--;
    skip_blanks(&t);
    if (t.n && memchr(t.p, 0, t.n)) return ERR_FORMAT;
    struct bytes k = {t.p, 0};
    if (t.n && t.p[0] != '#') k = take_keyword(&t);
    else t.n = 0;
    *keyword = conf_pool_text(pool, k);
    *rest = conf_pool_text(pool, t);
    return *keyword && *rest ? ERR_NONE : ERR_NOMEM;
}

/* ---- words ---- */

struct splitter {
    struct bytes in;
    size_t i;
    struct wr *out;
};

/* One word, quotes and backslashes resolved as ssh_config(5) says. false: a quote stays open. */
static bool split_word(struct splitter *s)
{
    uint8_t quote = 0;
    for (; s->i < s->in.n; s->i++) {
        uint8_t c = s->in.p[s->i], next = s->i + 1 < s->in.n ? s->in.p[s->i + 1] : 0;
        bool escapes = c == '\\' && (next == '\'' || next == '"' || next == '\\' || (!quote && next == ' '));
        if (escapes) {
            wr_u8(s->out, next);
            s->i++;
        } else if (!quote && (c == ' ' || c == '\t')) {
            break;
        } else if (!quote && (c == '"' || c == '\'')) {
            quote = c;
        } else if (quote && c == quote) {
            quote = 0;
        } else {
            wr_u8(s->out, c);
        }
    }
    wr_u8(s->out, 0);
    return quote == 0;
}

enum err conf_split(struct bytes line, bool comments, struct wr *out, size_t *count)
{
    if (line.n && memchr(line.p, 0, line.n)) return ERR_FORMAT;
    struct splitter s = {.in = line, .out = out};
    size_t n = 0;
    for (;;) {
        while (s.i < line.n && (line.p[s.i] == ' ' || line.p[s.i] == '\t')) s.i++;
        if (s.i == line.n || (comments && line.p[s.i] == '#')) break;
        if (n == CONF_WORDS_MAX) return ERR_RANGE;
        if (!split_word(&s)) return ERR_FORMAT;
        n++;
    }
    TRY(wr_done(out));
    *count = n;
    return ERR_NONE;
}

enum err option_words(struct line *l)
{
    struct bytes rest = bytes_str(l->rest);
    struct wr w CLEANUP(wr_clear) = wr_heap(2 * CONF_LINE_MAX + 2 * CONF_WORDS_MAX);
    size_t n = 0;
    enum err e = conf_split(rest, true, &w, &n);
    if (e == ERR_FORMAT) return option_bad(l, "invalid quotes");
    if (e == ERR_RANGE) return option_bad(l, "too many arguments");
    TRY(e);
    l->word = conf_pool_alloc(l->pool, (n + 1) * sizeof *l->word);
    if (!l->word) return ERR_NOMEM;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen((const char *)w.p + at);
        l->word[i] = conf_pool_text(l->pool, bytes_of(w.p + at, len));
        if (!l->word[i]) return ERR_NOMEM;
        at += len + 1;
    }
    l->words = n, l->used = 0;
    return ERR_NONE;
}

bool conf_is_folder(const struct conf_world *w, const char *path)
{
    size_t n = strlen(path);
    if (n == 0 || path[n - 1] != '/') return false;
    conf_tell(w, CONF_SAY_DEBUG, "Include: %s is a folder", path);
    return true;
}

const char *conf_file_error(enum err e)
{
    if (e == ERR_NOT_FOUND) return "No such file or directory";
    if (e == ERR_UNSUPPORTED) return "not a regular file";
    return e == ERR_TOO_LONG ? "file is too large" : err_text(e);
}
