/* SPDX-License-Identifier: ISC */
#include "command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

const struct command_row command_rows[] = {
#define X(word, verb, flags, shape, sides) {word, VERB_##verb, flags, SHAPE_##shape, sides},
    COMMAND_TABLE(X)
#undef X
    {NULL, VERB_NOTHING, "", SHAPE_NONE, "--"},
};

const struct command_row *command_find(const char *word)
{
    for (const struct command_row *r = command_rows; r->word; r++)
        if (strcasecmp(r->word, word) == 0) return r;
    return NULL;
}

struct parser {
    struct command *c;
    const struct command_row *row;
    size_t at;                  /* the next word */
    char *why;
    size_t cap;
};

PRINTF_LIKE(2, 3) static enum err wrong(struct parser *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(p->why, p->cap, fmt, ap);
    va_end(ap);
    return ERR_USAGE;
}

/* -abc -d; ends at "--" or at a word that is no flag. */
static enum err flags_take(struct parser *p)
{
    struct words *w = &p->c->words;
    while (p->at < w->count && w->v[p->at][0] == '-' && w->v[p->at][1]) {
        const char *word = w->v[p->at++];
        if (strcmp(word, "--") == 0) break;
        for (const char *f = word + 1; *f; f++) {
            if ((unsigned char)*f >= 128 || !strchr(p->row->flags, *f)) return wrong(p, "%s: Invalid flag -%c", p->row->word, *f);
            p->c->flags[(unsigned char)*f] = true;
        }
    }
    return ERR_NONE;
}

static char *word_take(struct parser *p, bool name)
{
    struct words *w = &p->c->words;
    if (p->at == w->count) return NULL;
    char *word = w->v[p->at++];
    if (name) words_unescape(word);
    return word;
}

static enum err number_take(struct parser *p, int base)
{
    const char *word = word_take(p, false);
    char *end;
    if (word) {
        errno = 0;
        long n = strtol(word, &end, base);
        if (end != word && *end == 0 && errno == 0 && n >= 0) {
            p->c->number = (unsigned long)n;
            return ERR_NONE;
        }
    }
    return wrong(p, "You must supply a numeric argument to the %s command.", p->row->word);
}

static enum err path_take(struct parser *p, bool name)
{
    p->c->path = word_take(p, name);
    return p->c->path ? ERR_NONE : wrong(p, "You must specify a path after a %s command.", p->row->word);
}

static enum err arguments_take(struct parser *p)
{
    struct command *c = p->c;
    switch (p->row->shape) {
    case SHAPE_NONE:
    case SHAPE_LINE: return ERR_NONE;
    case SHAPE_PATH_OR_NOT: c->path = word_take(p, true); return ERR_NONE;
    case SHAPE_GLOB_OR_NOT: c->path = word_take(p, false); return ERR_NONE;
    case SHAPE_PATH: return path_take(p, true);
    case SHAPE_GLOB: return path_take(p, false);
    case SHAPE_FROM_TO:
        c->path = word_take(p, false);
        c->path2 = word_take(p, true);
        return c->path ? ERR_NONE : wrong(p, "You must specify at least one path after a %s command.", p->row->word);
    case SHAPE_TWO:
        c->path = word_take(p, true);
        c->path2 = word_take(p, true);
        return c->path2 ? ERR_NONE : wrong(p, "You must specify two paths after a %s command.", p->row->word);
    case SHAPE_NUMBER: return number_take(p, 8);
    case SHAPE_OCTAL_GLOB: TRY(number_take(p, 8)); return path_take(p, false);
    case SHAPE_DECIMAL_GLOB: TRY(number_take(p, 10)); return path_take(p, false);
    }
    return ERR_USAGE;
}

static const char *prefixes_take(const char *line, struct command *c)
{
    static const char blanks[] = " \t\r\n";
    line += strspn(line, blanks);
    for (; *line == '-' || *line == '@'; line++) {
        if (*line == '-') c->ignore_failure = true;
        else c->silent = true;
    }
    return line + strspn(line, blanks);
}

static enum err words_take(struct parser *p, const char *line)
{
    switch (words_split(line, false, &p->c->words)) {
    case ERR_NONE: return ERR_NONE;
    case ERR_FORMAT: return wrong(p, "Unterminated quoted argument");
    case ERR_TOO_LONG: return wrong(p, "Too many arguments.");
    default: return ERR_NOMEM;
    }
}

/* The rest of a line behind its first word. */
static const char *rest_of(const char *line, size_t word)
{
    line += word;
    return line + strspn(line, " \t\r\n");
}

static enum err parse(struct parser *p, const char *line)
{
    struct command *c = p->c;
    c->line = line = prefixes_take(line, c);
    if (*line == 0 || *line == '#') return ERR_NONE;
    if (*line == '!') {                     /* the shell reads the rest in its own way */
        c->verb = VERB_SHELL;
        c->rest = rest_of(line, 1);
        return ERR_NONE;
    }
    size_t first = strcspn(line, " \t\r\n");
    if (first == 3 && strncasecmp(line, "lls", 3) == 0) {
        c->verb = VERB_LLS;
        c->rest = rest_of(line, 3);
        return ERR_NONE;
    }
    TRY(words_take(p, line));
    p->row = c->words.count ? command_find(c->words.v[0]) : NULL;
    if (!p->row || p->row->shape == SHAPE_LINE) return wrong(p, "Invalid command.");
    p->at = 1;
    TRY(flags_take(p));
    TRY(arguments_take(p));
    c->verb = p->row->verb;
    return ERR_NONE;
}

enum err command_parse(const char *line, struct command *out, char *why, size_t cap)
{
    struct parser p = {.c = out, .why = why, .cap = cap};
    *out = (struct command){0};
    if (cap) why[0] = 0;
    enum err e = parse(&p, line);
    if (e != ERR_NONE) words_clear(&out->words);
    if (e != ERR_NONE) out->verb = VERB_NOTHING, out->path = out->path2 = NULL;
    return e;
}

void command_clear(struct command *c)
{
    words_clear(&c->words);
    *c = (struct command){0};
}
