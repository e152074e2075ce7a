/* SPDX-License-Identifier: ISC */
#include "words.h"

#include <stdlib.h>

static const char special[] = "?[*\\";     /* what a glob reads differently */
static const char blanks[] = " \t\r\n\f\v";

struct splitter {
    struct words *w;
    char *put;
    bool inside;        /* in a word */
    char quote;
};

static bool in_set(char c, const char *set)
{
    return c && strchr(set, c);
}

static void word_end(struct splitter *s)
{
    if (s->inside) *s->put++ = 0;
    s->inside = false;
}

static enum err word_begin(struct splitter *s, size_t at)
{
    if (s->inside) return ERR_NONE;
    if (s->w->count == WORDS_MAX) return ERR_TOO_LONG;
    s->w->at[s->w->count] = at;
    s->w->v[s->w->count++] = s->put;
    s->inside = true;
    return ERR_NONE;
}

/* What stands at line[i] inside quotes; how many bytes were taken. A backslash escapes the quote itself; else it stays, with what follows it. */
static size_t quoted_take(struct splitter *s, const char *line, size_t i)
{
    if (line[i] == s->quote) {
        s->quote = 0;
        return 1;
    }
    if (line[i] == '\\' && line[i + 1] == s->quote) {
        *s->put++ = line[i + 1];
        return 2;
    }
    if (line[i] == '\\' && line[i + 1] && !in_set(line[i + 1], "?[*")) {
        *s->put++ = '\\';
        *s->put++ = line[i + 1];
        return 2;
    }
    if (in_set(line[i], "?[*") || (line[i] == '\\' && line[i + 1])) *s->put++ = '\\';
    *s->put++ = line[i];
    return 1;
}

/* A backslash outside quotes. What a glob reads differently keeps it; at the end of the line it escapes nothing. */
static size_t escape_take(struct splitter *s, const char *line, size_t i)
{
    char next = line[i + 1];
    if (next == 0) return 1;
    if (in_set(next, special)) *s->put++ = '\\';
    *s->put++ = next;
    return 2;
}

static enum err line_take(struct splitter *s, const char *line)
{
    size_t i = 0;
    while (line[i] && !(line[i] == '#' && !s->quote)) {
        if (s->quote) {
            i += quoted_take(s, line, i);
            continue;
        }
        if (in_set(line[i], blanks)) {
            word_end(s);
            i++;
            continue;
        }
        TRY(word_begin(s, i));
        if (line[i] == '\'' || line[i] == '"') s->quote = line[i++];
        else if (line[i] == '\\') i += escape_take(s, line, i);
        else *s->put++ = line[i++];
    }
    s->w->ended = !s->inside || line[i] == '#';
    return ERR_NONE;
}

enum err words_split(const char *line, bool open_end, struct words *out)
{
    size_t n = strlen(line);
    if (n > WORDS_LINE_MAX) return ERR_TOO_LONG;
    struct words w = {.text = malloc(2 * n + 2)};   /* every byte escaped, each word's NUL takes a blank's place */
    if (!w.text) return ERR_NOMEM;
    struct splitter s = {.w = &w, .put = w.text};
    enum err e = line_take(&s, line);
    word_end(&s);
    w.quote = s.quote;
    if (e == ERR_NONE && s.quote && !open_end) e = ERR_FORMAT;
    if (e != ERR_NONE) free(w.text);
    else *out = w;
    return e;
}

void words_clear(struct words *w)
{
    free(w->text);
    *w = (struct words){0};
}

void words_unescape(char *word)
{
    char *put = word;
    for (const char *p = word; *p; p++) {
        if (*p == '\\' && in_set(p[1], special)) p++;
        *put++ = *p;
    }
    *put = 0;
}

char *words_escape(const char *name)
{
    char *s = malloc(2 * strlen(name) + 1), *put = s;
    if (!s) return NULL;
    for (const char *p = name; *p; p++) {
        if (in_set(*p, special)) *put++ = '\\';
        *put++ = *p;
    }
    *put = 0;
    return s;
}

/* ---- braces ---- */

void patterns_clear(struct patterns *p)
{
    for (size_t i = 0; i < p->count; i++) free(p->v[i]);
    free(p->v);
    *p = (struct patterns){0};
}

/* Takes over s. */
static enum err patterns_add(struct patterns *p, size_t max, char *s)
{
    char **v = s && p->count < max ? realloc(p->v, (p->count + 1) * sizeof *v) : NULL;
    if (!v) {
        free(s);
        return s && p->count == max ? ERR_BUDGET : ERR_NOMEM;
    }
    p->v = v;
    p->v[p->count++] = s;
    return ERR_NONE;
}

/* The end of the alternative that begins at s: its comma or its closing brace; NULL: there is none. */
static const char *alternative_end(const char *s)
{
    unsigned depth = 0;
    for (; *s; s++) {
        if (*s == '\\' && s[1]) s++;
        else if (*s == '{') depth++;
        else if (depth == 0 && (*s == ',' || *s == '}')) return s;
        else if (*s == '}') depth--;
    }
    return NULL;
}

static const char *braces_end(const char *s)
{
    do s = alternative_end(s + 1);
    while (s && *s == ',');
    return s;
}

/* The first brace that opens alternatives; NULL: there is none. */
static const char *braces_find(const char *s)
{
    for (; *s; s++) {
        if (*s == '\\' && s[1]) s++;
        else if (*s == '{' && s[1] != '}' && braces_end(s)) return s;
    }
    return NULL;
}

static char *join(const char *head, size_t head_n, const char *middle, size_t middle_n, const char *tail)
{
    size_t tail_n = strlen(tail);
    char *s = malloc(head_n + middle_n + tail_n + 1);
    if (!s) return NULL;
    memcpy(s, head, head_n);
    memcpy(s + head_n, middle, middle_n);
    memcpy(s + head_n + middle_n, tail, tail_n + 1);
    return s;
}

/* One pattern becomes those with its first braces gone. */
static enum err braces_step(const char *pattern, const char *open, size_t max, struct patterns *out)
{
    const char *close = braces_end(open), *from = open + 1;
    for (;;) {
        const char *to = alternative_end(from);
        TRY(patterns_add(out, max, join(pattern, (size_t)(open - pattern), from, (size_t)(to - from), close + 1)));
        if (to == close) return ERR_NONE;
        from = to + 1;
    }
}

enum err braces_expand(const char *pattern, size_t max, struct patterns *out)
{
    struct patterns now = {0};
    enum err e = patterns_add(&now, max, strdup(pattern));
    bool more = true;
    /* Each pass opens one pair in each pattern: a pattern has fewer pairs than bytes, so this ends. */
    while (e == ERR_NONE && more) {
        struct patterns next = {0};
        more = false;
        for (size_t i = 0; i < now.count && e == ERR_NONE; i++) {
            const char *open = braces_find(now.v[i]);
            more |= open != NULL;
            e = open ? braces_step(now.v[i], open, max, &next) : patterns_add(&next, max, strdup(now.v[i]));
        }
        patterns_clear(&now);
        now = next;
    }
    if (e != ERR_NONE) patterns_clear(&now);
    else *out = now;
    return e;
}
