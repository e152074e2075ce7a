/* SPDX-License-Identifier: ISC */
/* Kinds whose value is text: one word, a file name, a command, a list. */
#include "option.h"

static bool is_none(const struct option *o, const char *text)
{
    return (o->flags & OPT_NONE_NULL) && conf_word_is(text, "none");
}

/* ---- one text ---- */

static enum err text_parse(struct line *l, const struct option *o, void *conf)
{
    const char *word;
    TRY(option_need(l, &word));
    *FIELD(conf, const char *, o->at) = is_none(o, word) ? NULL : word;
    return ERR_NONE;
}

void option_dump_text_field(const struct option *o, const void *conf, struct wr *out)
{
    const char *text = *FIELD_CONST(conf, const char *, o->at);
    if (text || (o->flags & OPT_SHOW_NONE)) option_dump_value(o, text ? text : "none", out);
}

const struct kind kind_text = {.size = sizeof(const char *), .parse = text_parse, .dump = option_dump_text_field};

/* A server file: ~ is a home directory, a relative name starts where sshd was started. */
enum err option_path(struct line *l, const char *word, const char **out)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(65536);
    const struct conf_world *world = l->world;
    if (l->preset) {
        wr_text(&w, word);
    } else if (word[0] == '~' && world->user_home) {
        size_t n = strcspn(word + 1, "/");
        char user[256];
        if (bytes_to_str(bytes_of(word + 1, n), user, sizeof user) != ERR_NONE || world->user_home(world->ctx, n ? user : NULL, &w) != ERR_NONE)
            return option_bad(l, "No such user %.*s", (int)n, word + 1);
        wr_text(&w, word + 1 + n);
    } else if (word[0] != '/' && world->cwd && !conf_word_is(word, "none")) {
        wr_textf(&w, "%s/%s", world->cwd, word);
    } else {
        wr_text(&w, word);
    }
    TRY(wr_done(&w));
    const char *copy = conf_pool_text(l->pool, wr_bytes(&w));
    if (!copy) return ERR_NOMEM;
    *out = copy;
    return ERR_NONE;
}

static enum err path_parse(struct line *l, const struct option *o, void *conf)
{
    const char *word, *path = NULL;
    TRY(option_need(l, &word));
    if (!is_none(o, word)) TRY(option_path(l, word, &path));
    *FIELD(conf, const char *, o->at) = path;
    return ERR_NONE;
}

const struct kind kind_path = {.size = sizeof(const char *), .parse = path_parse, .dump = option_dump_text_field};

/* The rest of the line, as it stands. */
static enum err command_parse(struct line *l, const struct option *o, void *conf)
{
    *FIELD(conf, const char *, o->at) = is_none(o, l->rest) ? NULL : l->rest;
    return ERR_NONE;
}

const struct kind kind_command = {.size = sizeof(const char *), .parse = command_parse, .dump = option_dump_text_field};

static enum err absolute_command_parse(struct line *l, const struct option *o, void *conf)
{
    if (!conf_word_is(l->rest, "none") && l->rest[0] != '/') return option_bad(l, "%s must be an absolute path", l->keyword);
    return command_parse(l, o, conf);
}

const struct kind kind_absolute_command = {.size = sizeof(const char *), .parse = absolute_command_parse, .dump = option_dump_text_field};

/* What follows our name in the ident line: one line of printable text. */
static enum err addendum_parse(struct line *l, const struct option *o, void *conf)
{
    if (!text_printable(bytes_str(l->rest))) return option_bad(l, "Invalid VersionAddendum");
    return command_parse(l, o, conf);
}

const struct kind kind_addendum = {.size = sizeof(const char *), .parse = addendum_parse, .dump = option_dump_text_field};

/* ---- lists ---- */

static enum err texts_parse(struct line *l, const struct option *o, void *conf)
{
    struct conf_texts *t = FIELD(conf, struct conf_texts, o->at);
    const char *word = option_word(l);
    if (!word || !*word) return l->server ? option_bad(l, "missing argument for %s.", l->keyword) : option_bad(l, "Missing argument.");
    bool none = (o->flags & OPT_NONE_NULL) && l->words == 1 && conf_word_is(word, "none");
    for (; word && !none; word = option_word(l)) {
        if (!*word) return option_bad(l, "keyword %s empty argument", l->keyword);
        TRY(conf_texts_add(l->pool, t, word));
    }
    return ERR_NONE;
}

static void texts_dump_lines(const struct option *o, const struct conf_texts *t, struct wr *out)
{
    for (size_t i = 0; i < t->n; i++) option_dump_value(o, t->v[i], out);
}

static void texts_dump(const struct option *o, const void *conf, struct wr *out)
{
    const struct conf_texts *t = FIELD_CONST(conf, struct conf_texts, o->at);
    if (!(o->flags & OPT_ONE_LINE)) {
        texts_dump_lines(o, t, out);
        return;
    }
    if (t->n == 0 && !(o->flags & OPT_SHOW_NONE)) return;
    option_dump_name(o, out);
    for (size_t i = 0; i < t->n; i++) {
        wr_u8(out, ' ');
        wr_text(out, t->v[i]);
    }
    wr_text(out, t->n ? "\n" : " none\n");
}

/* Several words, one list. */
const struct kind kind_texts = {.size = sizeof(struct conf_texts), .parse = texts_parse, .dump = texts_dump};

static enum err list_parse(struct line *l, const struct option *o, void *conf)
{
    const char *word;
    struct conf_texts *t = FIELD(conf, struct conf_texts, o->at);
    TRY(option_need(l, &word));
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->v[i], word) == 0) return ERR_NONE;
    return conf_texts_add(l->pool, t, word);
}

/* One word a line, each line adds one; the same word twice counts once. */
const struct kind kind_list = {.size = sizeof(struct conf_texts), .parse = list_parse, .dump = texts_dump};
