/* SPDX-License-Identifier: ISC */
/* Kinds whose value is a number or one of a few words. */
#include <stdio.h>

#include "option.h"

/* ---- words ---- */

/* sshd_config knows yes and no only */
static const struct word flag_word[] = {{"yes", 1}, {"no", 0}, {NULL, 0}}, client_flag_word[] = {{"yes", 1}, {"no", 0}, {"true", 1}, {"false", 0}, {NULL, 0}};
static const struct words flag_words = {flag_word, NULL, NULL}, client_flag_words = {client_flag_word, NULL, NULL};

enum err option_words_find(struct line *l, const struct words *ws, int *out)
{
    const char *text;
    TRY(option_need(l, &text));
    for (const struct word *w = ws->word; w->text; w++)
        if (conf_word_is(w->text, text)) {
            *out = w->value;
            return ERR_NONE;
        }
    if (ws->bad_before) {
        size_t n = strcspn(ws->bad_before, "\1");      /* \1 stands for the keyword as written */
        bool named = ws->bad_before[n] != 0;
        return option_bad(l, "%.*s%s%s%s%s", (int)n, ws->bad_before, named ? l->keyword : "", named ? ws->bad_before + n + 1 : "", text, ws->bad_after);
    }
    return option_bad(l, "unsupported option \"%s\".", text);
}

const char *option_words_name(const struct words *ws, int value)
{
    for (const struct word *w = ws->word; w->text; w++)
        if (w->value == value) return w->text;
    return "UNKNOWN";
}

static const struct words *flag_set(const struct option *o, bool server)
{
    return o->arg ? o->arg : server ? &flag_words : &client_flag_words;
}

static enum err flag_parse(struct line *l, const struct option *o, void *conf)
{
    int v;
    TRY(option_words_find(l, flag_set(o, l->server), &v));
    *FIELD(conf, bool, o->at) = v != 0;
    return ERR_NONE;
}

static void flag_dump(const struct option *o, const void *conf, struct wr *out)
{
    option_dump_value(o, option_words_name(flag_set(o, true), *FIELD_CONST(conf, bool, o->at)), out);
}

const struct kind kind_flag = {.size = sizeof(bool), .parse = flag_parse, .dump = flag_dump};

static enum err words_parse(struct line *l, const struct option *o, void *conf)
{
    return option_words_find(l, o->arg, FIELD(conf, int, o->at));
}

static void words_dump(const struct option *o, const void *conf, struct wr *out)
{
    option_dump_value(o, option_words_name(o->arg, *FIELD_CONST(conf, int, o->at)), out);
}

const struct kind kind_word = {.size = sizeof(int), .parse = words_parse, .dump = words_dump};

/* ---- logs ---- */

static const struct word level_word[] = {
    {"SILENT", CONF_LOG_QUIET}, {"QUIET", CONF_LOG_QUIET}, {"FATAL", CONF_LOG_FATAL},
    {"ERROR", CONF_LOG_ERROR}, {"INFO", CONF_LOG_INFO}, {"VERBOSE", CONF_LOG_VERBOSE},
    {"DEBUG", CONF_LOG_DEBUG1}, {"DEBUG1", CONF_LOG_DEBUG1}, {"DEBUG2", CONF_LOG_DEBUG2}, {"DEBUG3", CONF_LOG_DEBUG3}, {NULL, 0},
};
static const struct word facility_word[] = {
    {"DAEMON", LOG_DAEMON}, {"USER", LOG_USER}, {"AUTH", LOG_AUTH}, {"AUTHPRIV", LOG_AUTHPRIV}, {"LOCAL0", LOG_LOCAL0}, {"LOCAL1", LOG_LOCAL1},
    {"LOCAL2", LOG_LOCAL2}, {"LOCAL3", LOG_LOCAL3}, {"LOCAL4", LOG_LOCAL4}, {"LOCAL5", LOG_LOCAL5}, {"LOCAL6", LOG_LOCAL6},
    {"LOCAL7", LOG_LOCAL7}, {NULL, 0},
};
static const struct words level_words = {level_word, "unsupported log level '", "'"};
static const struct words facility_words = {facility_word, "unsupported log facility '", "'"};

static enum err level_parse(struct line *l, const struct option *o, void *conf)
{
    return option_words_find(l, &level_words, FIELD(conf, int, o->at));
}

static void level_dump(const struct option *o, const void *conf, struct wr *out)
{
    option_dump_value(o, option_words_name(&level_words, *FIELD_CONST(conf, int, o->at)), out);
}

static enum err facility_parse(struct line *l, const struct option *o, void *conf)
{
    return option_words_find(l, &facility_words, FIELD(conf, int, o->at));
}

static void facility_dump(const struct option *o, const void *conf, struct wr *out)
{
    option_dump_value(o, option_words_name(&facility_words, *FIELD_CONST(conf, int, o->at)), out);
}

const struct kind kind_log_level = {.size = sizeof(int), .parse = level_parse, .dump = level_dump};
const struct kind kind_facility = {.size = sizeof(int), .parse = facility_parse, .dump = facility_dump};

static enum err word_lookup(const struct word *w, const char *name, int *out)
{
    for (; w->text; w++)
        if (conf_word_is(w->text, name)) {
            *out = w->value;
            return ERR_NONE;
        }
    return ERR_FORMAT;
}

enum err conf_log_level(const char *name, int *out)
{
    return word_lookup(level_word, name, out);
}

enum err conf_syslog_facility(const char *name, int *out)
{
    return word_lookup(facility_word, name, out);
}

const char *conf_log_level_name(int level)
{
    return level == CONF_LOG_QUIET ? "QUIET" : level == CONF_LOG_DEBUG1 ? "DEBUG1" : option_words_name(&level_words, level);
}

static enum err fingerprint_parse(struct line *l, const struct option *o, void *conf)
{
    static const struct word word[] = {{"MD5", CONF_FP_MD5}, {"SHA256", CONF_FP_SHA256}, {NULL, 0}};
    const struct words ws = {word, l->server ? "Invalid \1 algorithm \"" : "Invalid hash algorithm \"", "\"."};
    return option_words_find(l, &ws, FIELD(conf, int, o->at));
}

static void fingerprint_dump(const struct option *o, const void *conf, struct wr *out)
{
    option_dump_value(o, *FIELD_CONST(conf, int, o->at) == CONF_FP_MD5 ? "MD5" : "SHA256", out);
}

const struct kind kind_fingerprint = {.size = sizeof(int), .parse = fingerprint_parse, .dump = fingerprint_dump};

/* ---- numbers ---- */

enum err option_number(struct line *l, const char *word, int64_t min, int64_t max, int64_t *out)
{
    bool minus = word[0] == '-';
    uint64_t v = 0;
    enum err e = text_to_u64(bytes_str(word + minus), INT64_MAX, &v);
    int64_t n = minus ? -(int64_t)v : (int64_t)v;
    const char *why = e == ERR_FORMAT ? "invalid" : e == ERR_NONE && n < min ? "too small" : e == ERR_RANGE && minus ? "too small"
                      : e == ERR_RANGE || n > max ? "too large" : NULL;
    if (why && l->server) return option_bad(l, "%s integer value %s.", l->keyword, why);
    if (why) return option_bad(l, "integer value %s.", why);
    *out = n;
    return ERR_NONE;
}

static enum err plain_number_parse(struct line *l, const struct option *o, void *conf)
{
    const char *word;
    int64_t v;
    TRY(option_need(l, &word));
    TRY(option_number(l, word, o->min, o->max ? o->max : INT32_MAX, &v));
    *FIELD(conf, uint32_t, o->at) = (uint32_t)v;
    return ERR_NONE;
}

static void number_dump(const struct option *o, const void *conf, struct wr *out)
{
    char text[24];
    snprintf(text, sizeof text, "%u", *FIELD_CONST(conf, uint32_t, o->at));
    option_dump_value(o, text, out);
}

const struct kind kind_number = {.size = sizeof(uint32_t), .parse = plain_number_parse, .dump = number_dump};

static enum err port_parse(struct line *l, const struct option *o, void *conf)
{
    const char *word;
    uint64_t v;
    TRY(option_need(l, &word));
    if (text_to_u64(bytes_str(word), 65535, &v) != ERR_NONE || v == 0) return option_bad(l, "Bad port '%s'.", word);
    *FIELD(conf, uint32_t, o->at) = (uint32_t)v;
    return ERR_NONE;
}

const struct kind kind_port = {.size = sizeof(uint32_t), .parse = port_parse, .dump = number_dump};

/* ---- times; o->min is what "none" stands for, o->max != 0: "none" is a word ---- */

static enum err time_parse(struct line *l, const struct option *o, void *conf)
{
    const char *word;
    TRY(option_need(l, &word));
    int64_t v = o->min;
    if (!(o->max && conf_word_is(word, "none")) && conf_time_s(bytes_str(word), &v) != ERR_NONE) return option_bad(l, "invalid time value.");
    *FIELD(conf, int64_t, o->at) = v;
    return ERR_NONE;
}

static void time_dump(const struct option *o, const void *conf, struct wr *out)
{
    char text[24];
    int64_t v = *FIELD_CONST(conf, int64_t, o->at);
    snprintf(text, sizeof text, "%lld", (long long)v);
    option_dump_value(o, o->max && v == o->min ? "none" : text, out);
}

const struct kind kind_time = {.size = sizeof(int64_t), .parse = time_parse, .dump = time_dump};

/* ---- umasks ---- */

static enum err mask_parse(struct line *l, const struct option *o, void *conf)
{
    const char *word;
    uint32_t v = 0;
    TRY(option_need(l, &word));
    for (const char *p = word; *p; p++) {
        if (*p < '0' || *p > '7' || v > 077) return l->server ? option_bad(l, "Invalid %s.", l->keyword) : option_bad(l, "Bad mask.");
        v = v << 3 | (uint32_t)(*p - '0');
    }
    *FIELD(conf, uint32_t, o->at) = v;
    return ERR_NONE;
}

static void mask_dump(const struct option *o, const void *conf, struct wr *out)
{
    char text[16];
    snprintf(text, sizeof text, "0%o", *FIELD_CONST(conf, uint32_t, o->at));
    option_dump_value(o, text, out);
}

const struct kind kind_mask = {.size = sizeof(uint32_t), .parse = mask_parse, .dump = mask_dump};
