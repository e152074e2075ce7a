/* SPDX-License-Identifier: ISC */
/* Kinds of the server with a form of their own: limits, penalties, permissions. */
#include <stdio.h>

#include "conf/destination.h"
#include "conf/sshd.h"
#include "option.h"

/* ---- MaxStartups begin[:rate:full] ---- */

/* Numbers divided by colons; returns how many, 0 for a bad form. */
static size_t colon_numbers(const char *text, uint64_t *v, size_t cap)
{
    size_t n = 0;
    for (const char *p = text;; p++) {
        size_t len = strcspn(p, ":");
        if (n == cap || text_to_u64(bytes_of(p, len), INT32_MAX, &v[n++]) != ERR_NONE) return 0;
        p += len;
        if (!*p) return n;
    }
}

static enum err startups_parse(struct line *l, const struct option *o, void *conf)
{
    const char *word;
    uint64_t v[3];
    TRY(option_need(l, &word));
    size_t n = colon_numbers(word, v, 3);
    if (n == 1) v[1] = 30, v[2] = v[0];
    if ((n != 1 && n != 3) || v[0] < 1 || v[0] > v[2] || v[1] < 1 || v[1] > 100) return option_bad(l, "Invalid %s spec.", l->keyword);
    *FIELD(conf, struct sshd_max_startups, o->at) = (struct sshd_max_startups){(uint32_t)v[0], (uint32_t)v[1], (uint32_t)v[2]};
    return ERR_NONE;
}

static void startups_dump(const struct option *o, const void *conf, struct wr *out)
{
    const struct sshd_max_startups *v = FIELD_CONST(conf, struct sshd_max_startups, o->at);
    char text[48];
    snprintf(text, sizeof text, "%u:%u:%u", v->begin, v->rate_percent, v->full);
    option_dump_value(o, text, out);
}

const struct kind kind_startups = {.size = sizeof(struct sshd_max_startups), .parse = startups_parse, .dump = startups_dump};

/* ---- PerSourceMaxStartups number|none ---- */

static enum err max_per_source_parse(struct line *l, const struct option *o, void *conf)
{
    const char *word;
    int64_t v = UINT32_MAX;
    TRY(option_need(l, &word));
    if (!conf_word_is(word, "none")) TRY(option_number(l, word, 0, INT32_MAX, &v));
    *FIELD(conf, uint32_t, o->at) = (uint32_t)v;
    return ERR_NONE;
}

static void max_per_source_dump(const struct option *o, const void *conf, struct wr *out)
{
    char text[16];
    uint32_t v = *FIELD_CONST(conf, uint32_t, o->at);
    snprintf(text, sizeof text, "%u", v);
    option_dump_value(o, v == UINT32_MAX ? "none" : text, out);
}

const struct kind kind_max_per_source = {.size = sizeof(uint32_t), .parse = max_per_source_parse, .dump = max_per_source_dump};

/* ---- PerSourceNetBlockSize v4[:v6] ---- */

static enum err net_block_parse(struct line *l, const struct option *o, void *conf)
{
    const char *word;
    uint64_t v[2] = {32, 128};
    TRY(option_need(l, &word));
    if (colon_numbers(word, v, 2) == 0 || v[0] > 32 || v[1] > 128) return option_bad(l, "Invalid %s spec.", l->keyword);
    *FIELD(conf, uint32_t, o->at) = (uint32_t)v[0];
    *FIELD(conf, uint32_t, o->at2) = (uint32_t)v[1];
    return ERR_NONE;
}

static void net_block_dump(const struct option *o, const void *conf, struct wr *out)
{
    char text[32];
    snprintf(text, sizeof text, "%u:%u", *FIELD_CONST(conf, uint32_t, o->at), *FIELD_CONST(conf, uint32_t, o->at2));
    option_dump_value(o, text, out);
}

const struct kind kind_net_block = {.size = sizeof(uint32_t), .size2 = sizeof(uint32_t), .parse = net_block_parse, .dump = net_block_dump};

/* ---- PerSourcePenalties key:value ...; each key's first value counts, over all lines ---- */

struct penalty_key {
    const char *name;
    size_t at;
    uint32_t preset;
    bool time;          /* else a number */
};
#define PENALTY(key, field, preset, time) {key, offsetof(struct sshd_penalties, field), preset, time}
static const struct penalty_key penalty_keys[] = {      /* in the order of sshd -T */
    PENALTY("crash", crash_ms, 90000, true),
    PENALTY("authfail", authfail_ms, 5000, true),
    PENALTY("noauth", noauth_ms, 1000, true),
    PENALTY("invaliduser", invaliduser_ms, 5000, true),
    PENALTY("grace-exceeded", grace_exceeded_ms, 10000, true),
    PENALTY("refuseconnection", refuseconnection_ms, 10000, true),
    PENALTY("max", max_ms, 600000, true),
    PENALTY("min", min_ms, 15000, true),
    PENALTY("max-sources4", max_sources4, 65536, false),
    PENALTY("max-sources6", max_sources6, 65536, false),
};
enum { GIVEN_OVERFLOW = 1 << 16, GIVEN_OVERFLOW6 = 1 << 17, GIVEN_ENABLED = 1 << 18 };

/* "90", "1.5", "1m30s", "0.5h" in milliseconds. */
static bool time_ms_parse(const char *p, uint32_t *out)
{
    static const struct {
        char letter;
        uint64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}, {'w', 604800000}};
    uint64_t sum = 0;
    if (!*p) return false;
    while (*p) {
        size_t whole = strspn(p, "0123456789");
        uint64_t v, unit = 1000, scale = 1;
        if (text_to_u64(bytes_of(p, whole), 1000000, &v) != ERR_NONE) return false;
        p += whole;
        if (*p == '.')
            for (p++; *p >= '0' && *p <= '9'; p++)
                if (scale < 1000) v = v * 10 + (uint64_t)(*p - '0'), scale *= 10;
        bool known = !*p;
        for (size_t i = 0; *p && i < COUNT_OF(units); i++)
            if (units[i].letter == ascii_lower(*p)) unit = units[i].ms, known = true;
        if (!known) return false;
        if (*p) p++;
        sum += v * unit / scale;
        if (sum > UINT32_MAX) return false;
    }
    *out = (uint32_t)sum;
    return true;
}

static void penalties_preset(struct sshd_penalties *p)
{
    *p = (struct sshd_penalties){.enabled = true};
    for (size_t i = 0; i < COUNT_OF(penalty_keys); i++) *FIELD(p, uint32_t, penalty_keys[i].at) = penalty_keys[i].preset;
}

static bool overflow_parse(const char *value, bool *deny)
{
    *deny = conf_word_is(value, "deny-all");
    return *deny || conf_word_is(value, "permissive");
}

static bool penalty_number(const struct penalty_key *k, const char *value, uint32_t *out)
{
    uint64_t v;
    if (k->time) return time_ms_parse(value, out);
    if (text_to_u64(bytes_str(value), INT32_MAX, &v) != ERR_NONE || v == 0) return false;
    *out = (uint32_t)v;
    return true;
}

/* One word into p, which keeps what it was given before. false: bad. */
static bool penalty_word(const char *word, struct sshd_penalties *p)
{
    bool flag;
    if (conf_word_is(word, "yes") || conf_word_is(word, "no")) {
        if (!(p->given & GIVEN_ENABLED)) p->enabled = conf_word_is(word, "yes");
        p->given |= GIVEN_ENABLED;
        return true;
    }
    size_t n = strcspn(word, ":");
    if (!word[n]) return false;
    const char *value = word + n + 1;
    for (size_t i = 0; i < COUNT_OF(penalty_keys); i++) {
        const struct penalty_key *k = &penalty_keys[i];
        if (!text_equal_fold(bytes_of(word, n), bytes_str(k->name))) continue;
        uint32_t v;
        if (!penalty_number(k, value, &v)) return false;
        if (!(p->given >> i & 1)) *FIELD(p, uint32_t, k->at) = v;
        p->given |= 1U << i;
        return true;
    }
    bool six = text_equal_fold(bytes_of(word, n), BYTES_LIT("overflow6"));
    if ((!six && !text_equal_fold(bytes_of(word, n), BYTES_LIT("overflow"))) || !overflow_parse(value, &flag)) return false;
    unsigned bit = six ? GIVEN_OVERFLOW6 : GIVEN_OVERFLOW;
    if (!(p->given & bit)) *(six ? &p->overflow6_deny_all : &p->overflow_deny_all) = flag;
    p->given |= bit;
    return true;
}

static enum err penalties_parse(struct line *l, const struct option *o, void *conf)
{
    struct sshd_penalties p = *FIELD(conf, struct sshd_penalties, o->at);
    const char *word;
    if (l->fresh) penalties_preset(&p);
    TRY(option_need(l, &word));
    for (; word; word = option_word(l))
        if (!penalty_word(word, &p)) return option_bad(l, "invalid %s argument \"%s\"", l->keyword, word);
    if (!(p.given & GIVEN_OVERFLOW6)) p.overflow6_deny_all = p.overflow_deny_all;
    *FIELD(conf, struct sshd_penalties, o->at) = p;
    return ERR_NONE;
}

static void penalties_dump(const struct option *o, const void *conf, struct wr *out)
{
    const struct sshd_penalties *p = FIELD_CONST(conf, struct sshd_penalties, o->at);
    if (!p->enabled) {
        option_dump_value(o, "no", out);
        return;
    }
    option_dump_name(o, out);
    for (size_t i = 0; i < COUNT_OF(penalty_keys); i++) {
        const struct penalty_key *k = &penalty_keys[i];
        uint32_t v = *FIELD_CONST(p, uint32_t, k->at);
        if (k->time) wr_textf(out, " %s:%u.%03u000", k->name, v / 1000, v % 1000);
        else wr_textf(out, " %s:%u", k->name, v);
    }
    wr_textf(out, " overflow:%s overflow6:%s\n", p->overflow_deny_all ? "deny-all" : "permissive",
             p->overflow6_deny_all ? "deny-all" : "permissive");
}

const struct kind kind_penalties = {.size = sizeof(struct sshd_penalties), .parse = penalties_parse, .dump = penalties_dump};

/* ---- PerSourcePenaltyExemptList: addresses and blocks ---- */

static enum err exempt_parse(struct line *l, const struct option *o, void *conf)
{
    const char *word;
    enum match m;
    TRY(option_need(l, &word));
    bool none = conf_word_is(word, "none");
    if (!none && address_list_match("0.0.0.0", bytes_str(word), &m) != ERR_NONE) return option_bad(l, "%s: invalid list", l->keyword);
    *FIELD(conf, const char *, o->at) = none ? NULL : word;
    return ERR_NONE;
}

const struct kind kind_exempt = {.size = sizeof(const char *), .parse = exempt_parse, .dump = option_dump_text_field};

/* ---- PermitOpen, PermitListen; arg != NULL: a port alone stands for any address ---- */

static enum err permit_text(struct line *l, const struct option *o, const char *word, const char **out)
{
    struct bytes host, port;
    uint64_t v;
    size_t cap = strlen(word) + 3;
    char *text = conf_pool_alloc(l->pool, cap);
    if (!text) return ERR_NOMEM;
    bool lone = o->arg && !strchr(word, ':');
    snprintf(text, cap, lone ? "*:%s" : "%s", word);
    enum err e = host_port_parse(bytes_str(text), &host, &port);
    if (e == ERR_NONE && host.n == 0) return option_bad(l, "missing host in %s", l->keyword);
    if (e != ERR_NONE || !(bytes_is(port, "*") || (text_to_u64(port, 65535, &v) == ERR_NONE && v > 0)))
        return option_bad(l, "%s bad port number", l->keyword);
    *out = text;
    return ERR_NONE;
}

static enum err permits_parse(struct line *l, const struct option *o, void *conf)
{
    struct sshd_permits p = {0};
    const char *word;
    TRY(option_need(l, &word));
    p.any = l->words == 1 && conf_word_is(word, "any");
    p.none = l->words == 1 && conf_word_is(word, "none");
    if (!p.any && !p.none) {
        p.v = conf_pool_alloc(l->pool, l->words * sizeof *p.v);
        if (!p.v) return ERR_NOMEM;
        for (; word; word = option_word(l)) TRY(permit_text(l, o, word, &p.v[p.n++]));
    }
    *FIELD(conf, struct sshd_permits, o->at) = p;
    return ERR_NONE;
}

static void permits_dump(const struct option *o, const void *conf, struct wr *out)
{
    const struct sshd_permits *p = FIELD_CONST(conf, struct sshd_permits, o->at);
    option_dump_name(o, out);
    for (size_t i = 0; i < p->n; i++) {
        wr_u8(out, ' ');
        wr_text(out, p->v[i]);
    }
    wr_text(out, p->none ? " none\n" : p->n ? "\n" : " any\n");
}

const struct kind kind_permits = {.size = sizeof(struct sshd_permits), .parse = permits_parse, .dump = permits_dump};

/* ---- PermitUserEnvironment yes|no|pattern-list ---- */

static enum err user_env_parse(struct line *l, const struct option *o, void *conf)
{
    const char *word;
    TRY(option_need(l, &word));
    bool yes = conf_word_is(word, "yes"), no = conf_word_is(word, "no");
    *FIELD(conf, bool, o->at) = !no;
    *FIELD(conf, const char *, o->at2) = yes || no ? NULL : word;
    return ERR_NONE;
}

static void user_env_dump(const struct option *o, const void *conf, struct wr *out)
{
    const char *list = *FIELD_CONST(conf, const char *, o->at2);
    option_dump_value(o, list ? list : *FIELD_CONST(conf, bool, o->at) ? "yes" : "no", out);
}

const struct kind kind_user_env = {.size = sizeof(bool), .size2 = sizeof(const char *), .parse = user_env_parse, .dump = user_env_dump};

/* ---- PubkeyAuthOptions ---- */

static const struct word pubkey_option[] = {
    {"touch-required", SSHD_PUBKEY_TOUCH_REQUIRED}, {"verify-required", SSHD_PUBKEY_VERIFY_REQUIRED}, {"none", 0}, {NULL, 0}};

static enum err pubkey_options_parse(struct line *l, const struct option *o, void *conf)
{
    static const struct words ws = {pubkey_option, "unsupported \1 option ", ""};
    unsigned v = 0;
    do {
        int bit;
        TRY(option_words_find(l, &ws, &bit));
        v = bit ? v | (unsigned)bit : 0;
    } while (l->used < l->words);
    *FIELD(conf, unsigned, o->at) = v;
    return ERR_NONE;
}

static void pubkey_options_dump(const struct option *o, const void *conf, struct wr *out)
{
    unsigned v = *FIELD_CONST(conf, unsigned, o->at);
    option_dump_name(o, out);
    for (const struct word *w = pubkey_option; w->text; w++)
        if (w->value ? (v & (unsigned)w->value) != 0 : v == 0) wr_textf(out, " %s", w->text);
    wr_u8(out, '\n');
}

const struct kind kind_pubkey_options = {.size = sizeof(unsigned), .parse = pubkey_options_parse, .dump = pubkey_options_dump};
