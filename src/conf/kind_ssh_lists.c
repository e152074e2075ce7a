/* SPDX-License-Identifier: ISC */
/* Lists of the client with rules of their own. */
#include "conf/destination.h"
#include "conf/ssh.h"
#include "option.h"

static void one_line_dump(const struct option *o, const struct conf_texts *t, const char *empty, struct wr *out)
{
    option_dump_name(o, out);
    for (size_t i = 0; i < t->n; i++) {
        wr_u8(out, ' ');
        wr_text(out, t->v[i]);
    }
    if (t->n == 0) wr_textf(out, " %s", empty);
    wr_u8(out, '\n');
}

static bool lone_none(const struct line *l)
{
    return l->words == 1 && conf_word_is(l->word[0], "none");
}

/* ---- CanonicalDomains ---- */

static bool domain_char(uint8_t c)
{
    char k = ascii_lower((char)c);
    return (k >= 'a' && k <= 'z') || (k >= '0' && k <= '9') || k == '-' || k == '_' || k == '.';
}

static enum err check_domain(const struct line *l, const char *name)
{
    char first = ascii_lower(name[0]);
    bool alnum = (first >= 'a' && first <= 'z') || (first >= '0' && first <= '9') || first == '_';
    if (!alnum && *name) return option_bad(l, "domain name \"%.100s\" starts with invalid character", name);
    for (const char *p = name; *p; p++)
        if (!domain_char((uint8_t)*p)) return option_bad(l, "domain name \"%.100s\" contains invalid characters", name);
    return strstr(name, "..") ? option_bad(l, "domain name \"%.100s\" contains consecutive separators", name) : ERR_NONE;
}

static enum err domains_parse(struct line *l, const struct option *o, void *conf)
{
    struct conf_texts t = {0};
    const char *word;
    TRY(option_need(l, &word));
    for (; word && !lone_none(l); word = option_word(l)) {
        TRY(check_domain(l, word));
        TRY(conf_texts_add(l->pool, &t, word));
    }
    *FIELD(conf, struct conf_texts, o->at) = t;
    return ERR_NONE;
}

static void domains_dump(const struct option *o, const void *conf, struct wr *out)
{
    one_line_dump(o, FIELD_CONST(conf, struct conf_texts, o->at), "none", out);
}

const struct kind kind_domains = {.size = sizeof(struct conf_texts), .parse = domains_parse, .dump = domains_dump};

/* ---- CanonicalizePermittedCNAMEs sources:targets ... ---- */

static enum err cnames_parse(struct line *l, const struct option *o, void *conf)
{
    struct conf_texts t = {0};
    const char *word;
    TRY(option_need(l, &word));
    for (; word && !lone_none(l); word = option_word(l)) {
        const char *colon = strchr(word, ':');
        if (strcmp(word, "*") != 0 && (!colon || colon == word || !colon[1])) return option_bad(l, "Invalid permitted CNAME \"%s\"", word);
        TRY(conf_texts_add(l->pool, &t, strcmp(word, "*") == 0 ? "*:*" : word));
    }
    *FIELD(conf, struct conf_texts, o->at) = t;
    return ERR_NONE;
}

const struct kind kind_cnames = {.size = sizeof(struct conf_texts), .parse = cnames_parse, .dump = domains_dump};

/* ---- SendEnv PATTERN ...; -PATTERN takes away ---- */

static void env_remove(struct conf_texts *t, const char *pattern)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->n; i++)
        if (!pattern_match(bytes_str(t->v[i]), bytes_str(pattern))) t->v[kept++] = t->v[i];
    t->n = kept;
}

static enum err send_env_parse(struct line *l, const struct option *o, void *conf)
{
    struct conf_texts *t = FIELD(conf, struct conf_texts, o->at);
    const char *word;
    TRY(option_need(l, &word));
    for (; word; word = option_word(l)) {
        if (!*word || strchr(word, '=')) return option_bad(l, "Invalid environment name.");
        if (word[0] == '-') env_remove(t, word + 1);
        else TRY(conf_texts_add(l->pool, t, word));
    }
    return ERR_NONE;
}

static void send_env_dump(const struct option *o, const void *conf, struct wr *out)
{
    const struct conf_texts *t = FIELD_CONST(conf, struct conf_texts, o->at);
    for (size_t i = 0; i < t->n; i++) option_dump_value(o, t->v[i], out);
}

const struct kind kind_send_env = {.size = sizeof(struct conf_texts), .parse = send_env_parse, .dump = send_env_dump};

/* ---- PermitRemoteOpen host:port ..., any, none ---- */

static enum err check_target(const struct line *l, const char *word)
{
    struct bytes host, port;
    uint64_t v;
    enum err e = host_port_parse(bytes_str(word), &host, &port);
    if (e == ERR_NONE && host.n == 0) return option_bad(l, "missing host in %s", l->keyword);
    if (e != ERR_NONE || !(bytes_is(port, "*") || (text_to_u64(port, 65535, &v) == ERR_NONE && v > 0)))
        return option_bad(l, "bad port number in %s", l->keyword);
    return ERR_NONE;
}

static enum err remote_open_parse(struct line *l, const struct option *o, void *conf)
{
    struct conf_texts t = {0};
    const char *word;
    TRY(option_need(l, &word));
    if (l->words == 1 && conf_word_is(word, "any")) word = NULL;
    for (; word; word = option_word(l)) {
        if (!lone_none(l)) TRY(check_target(l, word));
        TRY(conf_texts_add(l->pool, &t, word));
    }
    l->used = l->words;
    *FIELD(conf, struct conf_texts, o->at) = t;
    return ERR_NONE;
}

static void remote_open_dump(const struct option *o, const void *conf, struct wr *out)
{
    one_line_dump(o, FIELD_CONST(conf, struct conf_texts, o->at), "any", out);
}

const struct kind kind_remote_open = {.size = sizeof(struct conf_texts), .parse = remote_open_parse, .dump = remote_open_dump};

/* ---- ProxyJump hop[,hop...] ---- */

static enum err jump_parse(struct line *l, const struct option *o, void *conf)
{
    const char **to = FIELD(conf, const char *, o->at);
    *to = NULL;
    if (conf_word_is(l->rest, "none")) return ERR_NONE;
    struct bytes hop;
    size_t hops = 0;
    for (size_t pos = 0; names_next(bytes_str(l->rest), &pos, &hop); hops++) {
        struct destination d;
        if (destination_parse_hop(hop, &d) != ERR_NONE) return option_bad(l, "Invalid ProxyJump \"%s\"", l->rest);
    }
    if (hops == 0) return option_bad(l, "Invalid ProxyJump \"%s\"", l->rest);
    *to = l->rest;
    return ERR_NONE;
}

const struct kind kind_jump = {.size = sizeof(const char *), .parse = jump_parse, .dump = option_dump_text_field};

/* ---- IdentityFile: one a line, each once; a list the user began has no defaults ---- */

#define IDENTITIES_MAX 100  /* as OpenSSH */

static enum err identity_parse(struct line *l, const struct option *o, void *conf)
{
    struct conf_texts *t = FIELD(conf, struct conf_texts, o->at);
    const char *word;
    TRY(option_need(l, &word));
    for (; word; word = l->preset ? option_word(l) : NULL) {
        bool known = false;
        if (t->n >= IDENTITIES_MAX) return option_bad(l, "Too many identity files specified (max %d)", IDENTITIES_MAX);
        for (size_t i = 0; i < t->n; i++) known |= strcmp(t->v[i], word) == 0;
        if (!known) TRY(conf_texts_add(l->pool, t, word));
    }
    if (o->at2 && !l->preset) *FIELD(conf, bool, o->at2) = true;
    return ERR_NONE;
}

const struct kind kind_identity = {.size = sizeof(struct conf_texts), .size2 = sizeof(bool), .parse = identity_parse, .dump = send_env_dump};
