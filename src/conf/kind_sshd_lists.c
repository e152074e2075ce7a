/* SPDX-License-Identifier: ISC */
/* Lists of the server with rules of their own. */
#include <stdio.h>

#include "base/limits.h"
#include "conf/destination.h"
#include "conf/sshd.h"
#include "option.h"

#define PORTS_MAX 256       /* as OpenSSH */
#define LISTENS_MAX 1024
#define SUBSYSTEMS_MAX 256  /* as OpenSSH */
#define FILES_MAX 256       /* host keys, certificates, revocation lists; as OpenSSH */

static void texts_dump(const struct option *o, const void *conf, struct wr *out)
{
    const struct conf_texts *t = FIELD_CONST(conf, struct conf_texts, o->at);
    for (size_t i = 0; i < t->n; i++) option_dump_value(o, t->v[i], out);
}

/* ---- Port ---- */

static enum err ports_parse(struct line *l, const struct option *o, void *conf)
{
    struct conf_texts *t = FIELD(conf, struct conf_texts, o->at);
    const char *word;
    uint64_t v;
    TRY(option_need(l, &word));
    if (t->n >= PORTS_MAX) return option_bad(l, "too many ports.");
    if (text_to_u64(bytes_str(word), 65535, &v) != ERR_NONE || v == 0) return option_bad(l, "Badly formatted port number.");
    char text[8];
    snprintf(text, sizeof text, "%u", (unsigned)v);
    return conf_texts_add(l->pool, t, text);
}

const struct kind kind_ports = {.size = sizeof(struct conf_texts), .parse = ports_parse, .dump = texts_dump};

/* ---- ListenAddress address[:port] [rdomain name] ---- */

static enum err listen_add(struct line *l, struct sshd_listens *to, const struct sshd_listen *one)
{
    if (to->n >= LISTENS_MAX) return option_bad(l, "too many listen addresses.");
    struct sshd_listen *v = conf_pool_grow(l->pool, to->v, to->n, sizeof *v);
    if (!v) return ERR_NOMEM;
    v[to->n] = *one;
    to->v = v, to->n++;
    return ERR_NONE;
}

static enum err listen_parse(struct line *l, const struct option *o, void *conf)
{
    struct sshd_listen one = {0};
    struct bytes host, port;
    uint64_t v = 0;
    const char *word, *rdomain;
    TRY(option_need(l, &word));
    if (host_port_parse(bytes_str(word), &host, &port) != ERR_NONE) return option_bad(l, "bad address:port usage");
    if (port.n && (text_to_u64(port, 65535, &v) != ERR_NONE || v == 0)) return option_bad(l, "bad port number");
    rdomain = option_word(l);
    if (rdomain) {
        if (!conf_word_is(rdomain, "rdomain") || !option_word(l)) return option_bad(l, "bad ListenAddress syntax");
        return option_bad(l, "ListenAddress with rdomain is not supported by this version, and going on without it would allow more than you ask for");
    }
    one.port = (uint16_t)v;
    one.address = conf_pool_text(l->pool, host);
    if (!one.address) return ERR_NOMEM;
    return listen_add(l, FIELD(conf, struct sshd_listens, o->at), &one);
}

static void listen_dump(const struct option *o, const void *conf, struct wr *out)
{
    const struct sshd_listens *t = FIELD_CONST(conf, struct sshd_listens, o->at);
    for (size_t i = 0; i < t->n; i++) {
        const struct sshd_listen *s = &t->v[i];
        bool six = strchr(s->address, ':') != NULL;
        option_dump_name(o, out);
        wr_textf(out, six ? " [%.1000s]" : " %.1000s", s->address);
        if (s->port) wr_textf(out, ":%u", s->port);
        wr_u8(out, '\n');
    }
}

const struct kind kind_listen = {.size = sizeof(struct sshd_listens), .parse = listen_parse, .dump = listen_dump};

/* ---- AllowUsers and its like, AcceptEnv; arg: 'u' users, 'g' groups, 'e' environment names ---- */

const char list_users = 'u', list_groups = 'g', list_env = 'e';

static enum err check_entry(const struct line *l, const struct option *o, const char *word)
{
    char what = *(const char *)o->arg;
    bool hit;
    if (what == 'u' && conf_user_match("x", "x", "0.0.0.0", bytes_str(word), &hit) != ERR_NONE)
        return option_bad(l, "invalid %s pattern: \"%.100s\"", l->keyword, word);
    if (!*word && what != 'e') return option_bad(l, "keyword %s empty argument", l->keyword);
    if (what == 'e' && (!*word || strchr(word, '='))) return option_bad(l, "Invalid environment name.");
    return ERR_NONE;
}

static enum err users_parse(struct line *l, const struct option *o, void *conf)
{
    struct conf_texts *t = FIELD(conf, struct conf_texts, o->at);
    const char *word;
    TRY(option_need(l, &word));
    for (; word; word = option_word(l)) {
        TRY(check_entry(l, o, word));
        TRY(conf_texts_add(l->pool, t, word));
    }
    return ERR_NONE;
}

const struct kind kind_users = {.size = sizeof(struct conf_texts), .parse = users_parse, .dump = texts_dump};

/* The pattern's host part also matches in CIDR form; a lone user part never sees the host. */
enum err conf_user_match(const char *user, const char *host, const char *address, struct bytes pattern, bool *out)
{
    const uint8_t *at = pattern.n ? memrchr(pattern.p, '@', pattern.n) : NULL;
    struct bytes name = at ? bytes_of(pattern.p, (size_t)(at - pattern.p)) : pattern;
    bool ok = user && pattern_match(bytes_str(user), name);
    if (at) {
        struct bytes list = bytes_of(at + 1, pattern.n - name.n - 1);
        enum match m;
        if (address_list_match(address ? address : "", list, &m) != ERR_NONE) return ERR_FORMAT;
        bool by_address = address && m == MATCH_YES;
        bool by_name = m != MATCH_NEGATED && host && pattern_list_match(bytes_str(host), list, true) == MATCH_YES;
        ok = ok && (by_address || by_name);
    }
    *out = ok;
    return ERR_NONE;
}

/* ---- AuthenticationMethods ---- */

static enum err check_methods(const struct line *l, const char *word)
{
    static const char known[] = "publickey,password,keyboard-interactive,hostbased,gssapi-with-mic";
    struct bytes list = bytes_str(word), one;
    size_t count = 0;
    for (size_t pos = 0; names_next(list, &pos, &one); count++) {
        const uint8_t *colon = memchr(one.p, ':', one.n);
        struct bytes method = {one.p, colon ? (size_t)(colon - one.p) : one.n};
        if (names_has(BYTES_LIT(known), method)) continue;
        conf_tell(l->world, CONF_SAY_ERROR, "Unknown authentication method \"%.*s\" in list", (int)(method.n > 200 ? 200 : method.n), (const char *)method.p);
        count = 0;
        break;
    }
    return count ? ERR_NONE : option_bad(l, "invalid %s method list.", l->keyword);
}

static enum err methods_parse(struct line *l, const struct option *o, void *conf)
{
    struct conf_texts t = {0};
    const char *word = option_word(l);
    bool any = l->words == 1 && conf_word_is(word, "any");
    for (; word && !any; word = option_word(l)) {
        if (conf_word_is(word, "any")) return option_bad(l, "\"any\" must appear alone in %s", l->keyword);
        TRY(check_methods(l, word));
        TRY(conf_texts_add(l->pool, &t, word));
    }
    if (!any && t.n == 0) return option_bad(l, "no %s specified", l->keyword);
    *FIELD(conf, struct conf_texts, o->at) = t;
    return ERR_NONE;
}

static void methods_dump(const struct option *o, const void *conf, struct wr *out)
{
    const struct conf_texts *t = FIELD_CONST(conf, struct conf_texts, o->at);
    option_dump_name(o, out);
    for (size_t i = 0; i < t->n; i++) {
        wr_u8(out, ' ');
        wr_text(out, t->v[i]);
    }
    wr_text(out, t->n ? "\n" : " any\n");
}

const struct kind kind_methods = {.size = sizeof(struct conf_texts), .parse = methods_parse, .dump = methods_dump};

/* ---- Subsystem name command [argument ...] ---- */

/* Words back into one text, quoted where a shell or our own splitter would divide them. */
static void write_word(struct wr *w, const char *word)
{
    bool quote = !*word || strpbrk(word, " \t\"'\\#");
    if (w->n) wr_u8(w, ' ');
    if (quote) wr_u8(w, '"');
    for (const char *p = word; *p; p++) {
        if (*p == '"' || *p == '\\') wr_u8(w, '\\');
        wr_u8(w, (uint8_t)*p);
    }
    if (quote) wr_u8(w, '"');
}

static enum err subsystem_add(struct line *l, struct sshd_subsystems *to, const struct sshd_subsystem *s)
{
    if (to->n >= SUBSYSTEMS_MAX) return option_bad(l, "too many subsystems defined.");
    struct sshd_subsystem *v = conf_pool_grow(l->pool, to->v, to->n, sizeof *v);
    if (!v) return ERR_NOMEM;
    v[to->n] = *s;
    to->v = v, to->n++;
    return ERR_NONE;
}

static enum err subsystem_parse(struct line *l, const struct option *o, void *conf)
{
    struct sshd_subsystems *to = FIELD(conf, struct sshd_subsystems, o->at);
    struct wr w CLEANUP(wr_clear) = wr_heap(CONF_LINE_MAX * 3);
    struct sshd_subsystem s = {0};
    const char *word;
    TRY(option_need(l, &s.name));
    bool known = false;
    for (size_t i = 0; i < to->n; i++) known |= strcmp(to->v[i].name, s.name) == 0;
    if (known && !l->in_match) return option_bad(l, "Subsystem '%s' already defined.", s.name);
    word = option_word(l);
    if (!word || !*word) return option_bad(l, "Missing subsystem command.");
    for (; word; word = option_word(l)) write_word(&w, word);
    TRY(wr_done(&w));
    s.command = conf_pool_text(l->pool, wr_bytes(&w));
    if (!s.command) return ERR_NOMEM;
    return known ? ERR_NONE : subsystem_add(l, to, &s); /* a later Match block's does not count: the first wins */
}

static void subsystem_dump(const struct option *o, const void *conf, struct wr *out)
{
    const struct sshd_subsystems *t = FIELD_CONST(conf, struct sshd_subsystems, o->at);
    for (size_t i = 0; i < t->n; i++) {
        option_dump_name(o, out);
        wr_u8(out, ' ');
        wr_text(out, t->v[i].name);
        wr_u8(out, ' ');
        wr_text(out, t->v[i].command);
        wr_u8(out, '\n');
    }
}

const struct kind kind_subsystem = {.size = sizeof(struct sshd_subsystems), .parse = subsystem_parse, .dump = subsystem_dump};

/* ---- files: HostKey and HostCertificate (max 1: one a line), RevokedKeys ---- */

static enum err paths_parse(struct line *l, const struct option *o, void *conf)
{
    struct conf_texts *t = FIELD(conf, struct conf_texts, o->at);
    const char *word, *path;
    TRY(option_need(l, &word));
    bool none = (o->flags & OPT_NONE_NULL) && l->words == 1 && conf_word_is(word, "none");
    for (; word && !none; word = o->max == 1 && !l->preset ? NULL : option_word(l)) {
        bool known = false;
        if (t->n >= FILES_MAX) return option_bad(l, "too many %s entries.", l->keyword);
        TRY(option_path(l, word, &path));
        for (size_t i = 0; i < t->n; i++) known |= strcmp(t->v[i], path) == 0;
        if (!known) TRY(conf_texts_add(l->pool, t, path));
    }
    if (o->at2 && !l->preset) *FIELD(conf, bool, o->at2) = true;
    return ERR_NONE;
}

static void paths_dump(const struct option *o, const void *conf, struct wr *out)
{
    const struct conf_texts *t = FIELD_CONST(conf, struct conf_texts, o->at);
    if (!(o->flags & OPT_ONE_LINE)) {
        texts_dump(o, conf, out);
        return;
    }
    if (t->n == 0) return;
    option_dump_name(o, out);
    for (size_t i = 0; i < t->n; i++) {
        wr_u8(out, ' ');
        wr_text(out, t->v[i]);
    }
    wr_u8(out, '\n');
}

const struct kind kind_paths = {.size = sizeof(struct conf_texts), .size2 = sizeof(bool), .parse = paths_parse, .dump = paths_dump};
