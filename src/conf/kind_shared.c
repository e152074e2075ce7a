/* SPDX-License-Identifier: ISC */
/* Kinds of both sides with a form of their own: RekeyLimit, IPQoS, SetEnv, ChannelTimeout. */
#include <stdio.h>

#include "option.h"

/* ---- RekeyLimit: "1G 1h", "default none" ---- */

#define REKEY_LEAST 16      /* OpenSSH's: fewer bytes would rekey for ever */

static enum err rekey_parse(struct line *l, const struct option *o, void *conf)
{
    const char *word;
    struct conf_rekey v = {0};
    TRY(option_need(l, &word));
    bool minus = word[0] == '-';
    enum err e = conf_size_bytes(bytes_str(word + minus), &v.bytes);
    if (e != ERR_NONE)
        return option_bad(l, "Bad %s%snumber '%s': %s", l->server ? l->keyword : "", l->server ? " " : "", word,
                        e == ERR_RANGE ? "Numerical result out of range" : "Invalid argument");
    if (minus || (v.bytes && v.bytes < REKEY_LEAST)) return option_bad(l, "%s too small", l->server ? l->keyword : o->name);
    word = option_word(l);
    if (word && !conf_word_is(word, "none") && conf_time_s(bytes_str(word), &v.time_s) != ERR_NONE) return option_bad(l, "invalid time value.");
    *FIELD(conf, struct conf_rekey, o->at) = v;
    return ERR_NONE;
}

static void rekey_dump(const struct option *o, const void *conf, struct wr *out)
{
    const struct conf_rekey *v = FIELD_CONST(conf, struct conf_rekey, o->at);
    char text[64];
    snprintf(text, sizeof text, "%llu %lld", (unsigned long long)v->bytes, (long long)v->time_s);
    option_dump_value(o, text, out);
}

const struct kind kind_rekey = {.size = sizeof(struct conf_rekey), .parse = rekey_parse, .dump = rekey_dump};

/* ---- IPQoS: RFC 2474, RFC 2597, RFC 3246, RFC 5865, RFC 8622 code points as IP_TOS bytes ---- */

static const struct word tos_word[] = {
    {"af11", 0x28}, {"af12", 0x30}, {"af13", 0x38}, {"af21", 0x48}, {"af22", 0x50}, {"af23", 0x58}, {"af31", 0x68}, {"af32", 0x70},
    {"af33", 0x78}, {"af41", 0x88}, {"af42", 0x90}, {"af43", 0x98}, {"cs0", 0x00},  {"cs1", 0x20},  {"cs2", 0x40},  {"cs3", 0x60},
    {"cs4", 0x80},  {"cs5", 0xa0},  {"cs6", 0xc0},  {"cs7", 0xe0},  {"ef", 0xb8},   {"le", 0x04},   {"va", 0xb0},
    {"none", CONF_TOS_NONE},
    /* type of service words of RFC 1349: OpenSSH 10.1 and later take them and leave the system's default */
    {"lowdelay", CONF_TOS_NONE}, {"throughput", CONF_TOS_NONE}, {"reliability", CONF_TOS_NONE}, {NULL, 0},
};
static const struct words tos_words = {tos_word, "Bad IPQoS value: ", ""}, tos_words_server = {tos_word, "Bad \1 value: ", ""};

static bool tos_number(const char *text, int *out)
{
    uint64_t v = 0;
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    if (hex) {
        if (!text[2] || strlen(text) > 4) return false;
        for (const char *p = text + 2; *p; p++) {
            char c = ascii_lower(*p);
            if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
            v = v << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
        }
    } else if (text_to_u64(bytes_str(text), 255, &v) != ERR_NONE) {
        return false;
    }
    *out = (int)v;
    return true;
}

static enum err tos_parse(struct line *l, int *out)
{
    if (l->used < l->words && tos_number(l->word[l->used], out)) {
        l->used++;
        return ERR_NONE;
    }
    return option_words_find(l, l->server ? &tos_words_server : &tos_words, out);
}

static enum err ipqos_parse(struct line *l, const struct option *o, void *conf)
{
    struct conf_ipqos v;
    TRY(tos_parse(l, &v.interactive));
    v.bulk = v.interactive;
    if (l->used < l->words) TRY(tos_parse(l, &v.bulk));
    *FIELD(conf, struct conf_ipqos, o->at) = v;
    return ERR_NONE;
}

static const char *tos_text(int v, char *buf, size_t cap)
{
    for (const struct word *w = tos_word; w->text; w++)
        if (w->value == v) return w->text;
    snprintf(buf, cap, "0x%02x", (unsigned)v);
    return buf;
}

static void ipqos_dump(const struct option *o, const void *conf, struct wr *out)
{
    const struct conf_ipqos *v = FIELD_CONST(conf, struct conf_ipqos, o->at);
    char a[16], b[16], text[40];
    snprintf(text, sizeof text, "%s %s", tos_text(v->interactive, a, sizeof a), tos_text(v->bulk, b, sizeof b));
    option_dump_value(o, text, out);
}

const struct kind kind_ipqos = {.size = sizeof(struct conf_ipqos), .parse = ipqos_parse, .dump = ipqos_dump};

/* ---- SetEnv NAME=VALUE ...: the first value of a name counts ---- */

static bool has_name(const struct conf_texts *t, const char *assignment)
{
    size_t n = strcspn(assignment, "=");
    for (size_t i = 0; i < t->n; i++)
        if (strncmp(t->v[i], assignment, n + 1) == 0) return true;
    return false;
}

static enum err set_env_parse(struct line *l, const struct option *o, void *conf)
{
    struct conf_texts *t = FIELD(conf, struct conf_texts, o->at);
    const char *word;
    TRY(option_need(l, &word));
    for (; word; word = option_word(l)) {
        if (!strchr(word, '=') || word[0] == '=') return option_bad(l, l->server ? "Invalid environment." : "Invalid SetEnv.");
        if (!has_name(t, word)) TRY(conf_texts_add(l->pool, t, word));
    }
    return ERR_NONE;
}

static void set_env_dump(const struct option *o, const void *conf, struct wr *out)
{
    const struct conf_texts *t = FIELD_CONST(conf, struct conf_texts, o->at);
    for (size_t i = 0; i < t->n; i++) option_dump_value(o, t->v[i], out);
}

const struct kind kind_set_env = {.size = sizeof(struct conf_texts), .parse = set_env_parse, .dump = set_env_dump};

/* ---- ChannelTimeout type=interval ... ---- */

static enum err timeout_parse(struct line *l, const char *word, struct conf_channel_timeout *out)
{
    const char *eq = strchr(word, '=');
    if (!eq || eq == word) return option_bad(l, "invalid channel timeout %s", word);
    if (conf_word_is(eq + 1, "none")) out->time_s = 0;
    else if (conf_time_s(bytes_str(eq + 1), &out->time_s) != ERR_NONE) return option_bad(l, "invalid channel timeout %s", word);
    out->text = word;
    out->pattern = conf_pool_text(l->pool, bytes_of(word, (size_t)(eq - word)));
    return out->pattern ? ERR_NONE : ERR_NOMEM;
}

static enum err channel_timeout_parse(struct line *l, const struct option *o, void *conf)
{
    struct conf_channel_timeouts t = {0};
    const char *word;
    TRY(option_need(l, &word));
    if (!(l->words == 1 && conf_word_is(word, "none"))) {
        t.v = conf_pool_alloc(l->pool, l->words * sizeof *t.v);
        if (!t.v) return ERR_NOMEM;
        for (; word; word = option_word(l)) TRY(timeout_parse(l, word, &t.v[t.n++]));
    }
    *FIELD(conf, struct conf_channel_timeouts, o->at) = t;
    return ERR_NONE;
}

static void channel_timeout_dump(const struct option *o, const void *conf, struct wr *out)
{
    const struct conf_channel_timeouts *t = FIELD_CONST(conf, struct conf_channel_timeouts, o->at);
    option_dump_name(o, out);
    for (size_t i = 0; i < t->n; i++) {
        wr_u8(out, ' ');
        wr_text(out, t->v[i].text);
    }
    wr_text(out, t->n ? "\n" : " none\n");
}

uint32_t conf_channel_timeout_s(const struct conf_channel_timeouts *t, const char *type, const char *also)
{
    bool global = strcmp(type, "global") == 0;
    for (size_t i = 0; i < t->n; i++) {
        struct bytes pattern = bytes_str(t->v[i].pattern);
        bool fits = global ? strcmp(t->v[i].pattern, type) == 0 : pattern_match(bytes_str(type), pattern);
        if (!fits && also) fits = pattern_match(bytes_str(also), pattern);
        if (fits) return t->v[i].time_s < UINT32_MAX ? (uint32_t)t->v[i].time_s : UINT32_MAX;
    }
    return 0;
}

const struct kind kind_channel_timeout = {.size = sizeof(struct conf_channel_timeouts), .parse = channel_timeout_parse,
                                          .dump = channel_timeout_dump};
