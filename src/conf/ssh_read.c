/* SPDX-License-Identifier: ISC */
/* Reading ssh_config(5): lines, Host, Match, Include, the order of files. */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "ssh_read.h"

struct ssh_conf *ssh_conf_new(void)
{
    struct ssh_conf *c = calloc(1, sizeof *c);
    if (c && conf_priv_new(&ssh_table, NULL, &c->priv) == ERR_NONE) return c;
    free(c);
    return NULL;
}

void ssh_conf_free(struct ssh_conf *c)
{
    if (!c) return;
    conf_priv_free(c->priv);
    free(c);
}

static bool row_set(const struct ssh_conf *c, const char *keyword)
{
    const struct option *o = options_find(&ssh_table, keyword);
    return o && c->priv->set[o - ssh_table.rows];
}

bool ssh_conf_is_set(const struct ssh_conf *c, const char *keyword)
{
    return row_set(c, keyword);
}

/* ProxyCommand and ProxyJump exclude each other: whichever came first stands. */
static bool displaced(const struct ssh_conf *c, const struct option *o)
{
    return (conf_word_is(o->name, "ProxyCommand") && row_set(c, "ProxyJump")) || (conf_word_is(o->name, "ProxyJump") && row_set(c, "ProxyCommand"));
}

static enum err apply(struct ssh_conf *c, struct line *l, bool active)
{
    const struct option *o = options_find(&ssh_table, l->keyword);
    if (!o) return options_unknown(&ssh_table, l, c->ignore_unknown);
    return options_apply(&ssh_table, c, c->priv, o, l, active && !displaced(c, o));
}

static void lower(char *s)
{
    for (; *s; s++) *s = ascii_lower(*s);
}

/* Keyword and rest of a text into *l; keyword "" for an empty line. */
static enum err line_begin(struct line *l, struct bytes text)
{
    char *keyword, *rest;
    enum err e = option_split(text, l->pool, &keyword, &rest);
    if (e == ERR_FORMAT) return option_bad(l, "NUL in line");
    TRY(e);
    lower(keyword);
    l->keyword = keyword, l->rest = rest;
    return ERR_NONE;
}

static bool is_block(const char *keyword)
{
    return conf_word_is(keyword, "host") || conf_word_is(keyword, "match") || conf_word_is(keyword, "include");
}

enum err ssh_conf_option(struct ssh_conf *c, const struct conf_world *w, const char *text)
{
    struct line l = {.file = "command-line", .pool = c->priv->pool, .world = w};
    TRY(line_begin(&l, bytes_str(text)));
    if (is_block(l.keyword)) {
        conf_tell(w, CONF_SAY_ERROR, "%c%s directive not supported as a command-line option", l.keyword[0] & ~0x20, l.keyword + 1);
        return ERR_USAGE;
    }
    return *l.keyword ? apply(c, &l, true) : ERR_NONE;
}

enum err ssh_conf_set(struct ssh_conf *c, const struct conf_world *w, const char *keyword, const char *value)
{
    const struct option *o = options_find(&ssh_table, keyword);
    if (!o) return ERR_USAGE;
    struct line l = {.file = "command-line", .keyword = keyword, .pool = c->priv->pool, .world = w, .fresh = true};
    size_t i = (size_t)(o - ssh_table.rows);
    if ((c->priv->set[i] && !(o->flags & OPT_APPEND)) || displaced(c, o)) return ERR_NONE;
    l.rest = conf_pool_str(l.pool, value);
    l.word = conf_pool_alloc(l.pool, sizeof *l.word);
    if (!l.rest || !l.word) return ERR_NOMEM;
    l.word[0] = l.rest, l.words = 1;
    TRY(o->kind->parse(&l, o, c));
    c->priv->set[i] = true;
    return options_check_built(&ssh_table, c, c->priv, o, &l);
}

/* ---- files ---- */

static enum err read_file(struct ssh_reader *r, const char *path, bool *active);

/* Host patterns: any hit counts, a negated hit ends it. */
static bool host_hit(const struct ssh_reader *r, const struct line *l)
{
    bool hit = false;
    for (size_t i = 0; i < l->words; i++) {
        const char *pattern = l->word[i];
        bool negated = pattern[0] == '!';
        if (!pattern_match(bytes_str(r->host), bytes_str(pattern + negated))) continue;
        if (negated) return false;
        hit = true;
    }
    return hit;
}

/* An Include argument as an absolute pattern. */
static enum err include_pattern(struct ssh_reader *r, struct line *l, const char *word, const char **out)
{
    const struct conf_world *w = r->w;
    struct wr path CLEANUP(wr_clear) = wr_heap(65536);
    const char *text = word;
    if (strpbrk(word, "%$")) TRY(ssh_early_expand(r, l, word, &text));
    if (text[0] == '~') {
        if (!r->user_files) return option_bad(l, "bad include path %s.", word);
        struct tokens none = {{0}};
        if (token_expand(text, "", &none, TOKEN_TILDE, w, &path, NULL) != ERR_NONE) return option_bad(l, "bad include path %s.", word);
    } else if (text[0] != '/' && r->user_files) {
        wr_textf(&path, "%.2000s/.ssh/%.2000s", w->home ? w->home : "", text);
    } else if (text[0] != '/') {
        wr_textf(&path, "%.2000s/%.2000s", w->etc_dir ? w->etc_dir : "/etc/ssh", text);
    } else {
        wr_text(&path, text);
    }
    TRY(wr_done(&path));
    *out = conf_pool_text(l->pool, wr_bytes(&path));
    return *out ? ERR_NONE : ERR_NOMEM;
}

static enum err include_matches(struct ssh_reader *r, struct bytes paths, bool active)
{
    while (paths.n) {
        const uint8_t *end = memchr(paths.p, 0, paths.n);
        if (!end) return ERR_FORMAT;
        bool inner = active;
        enum err e = conf_is_folder(r->w, (const char *)paths.p) ? ERR_NONE : read_file(r, (const char *)paths.p, &inner);
        if (e != ERR_NONE && e != ERR_NOT_FOUND) return e;
        paths.n -= (size_t)(end + 1 - paths.p), paths.p = end + 1;
    }
    return ERR_NONE;
}

static enum err include(struct ssh_reader *r, struct line *l, bool active)
{
    const char *word = option_word(l);
    if (!word) return option_bad(l, "Missing argument.");
    for (; word; word = option_word(l)) {
        const char *pattern;
        struct wr paths CLEANUP(wr_clear) = wr_heap(CONF_FILE_MAX);
        TRY(include_pattern(r, l, word, &pattern));
        if (r->w->glob && r->w->glob(r->w->ctx, pattern, &paths) != ERR_NONE) return option_bad(l, "glob failed for %s.", pattern);
        TRY(include_matches(r, wr_bytes(&paths), active));
    }
    return ERR_NONE;
}

/* fatal: the line ends reading at once (an included file's own verdict). */
static enum err one_line(struct ssh_reader *r, struct line *l, bool enclosing, bool *active, bool *fatal)
{
    if (!is_block(l->keyword)) return apply(r->c, l, *active);
    if (!l->rest[0]) return option_bad(l, "no argument after keyword \"%s\"", l->keyword);
    TRY(option_words(l));
    if (conf_word_is(l->keyword, "host")) {
        *active = enclosing && host_hit(r, l);
        return ERR_NONE;
    }
    if (conf_word_is(l->keyword, "match")) {
        *active = false;
        return ssh_match(r, l, !enclosing, active);
    }
    size_t before = l->used;
    enum err e = include(r, l, *active);
    *fatal = e != ERR_NONE && l->used > before;
    return e;
}

static enum err read_lines(struct ssh_reader *r, const char *path, struct bytes text, bool *active)
{
    bool enclosing = *active;
    unsigned bad = 0;
    for (unsigned number = 1; text.n; number++) {
        const uint8_t *nl = memchr(text.p, '\n', text.n);
        struct bytes one = {text.p, nl ? (size_t)(nl - text.p) : text.n};
        text.p += one.n + (nl != NULL), text.n -= one.n + (nl != NULL);
        struct line l = {.file = path, .number = number, .pool = r->c->priv->pool, .world = r->w};
        bool fatal = false;
        enum err e = one.n > CONF_LINE_MAX ? option_bad(&l, "line too long") : line_begin(&l, one);
        if (e == ERR_NONE && *l.keyword) e = one_line(r, &l, enclosing, active, &fatal);
        if (fatal || (e != ERR_NONE && e != ERR_USAGE)) return e;
        bad += e != ERR_NONE;
    }
    if (bad == 0) return ERR_NONE;
    conf_tell(r->w, CONF_SAY_ERROR, "%s: terminating, %u bad configuration options", path, bad);
    return ERR_USAGE;
}

static enum err read_file(struct ssh_reader *r, const char *path, bool *active)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(CONF_FILE_MAX);
    if (r->depth > CONF_INCLUDE_DEPTH) {
        conf_tell(r->w, CONF_SAY_ERROR, "Too many recursive configuration includes");
        return ERR_USAGE;
    }
    enum err e = r->w->read_file(r->w->ctx, path, (r->check_owner ? CONF_READ_CHECK_OWNER : 0) | (r->depth ? CONF_READ_INCLUDED : 0), &text);
    if (e == ERR_DENIED) conf_tell(r->w, CONF_SAY_ERROR, "Bad owner or permissions on %s", path);
    else if (e != ERR_NONE && e != ERR_NOT_FOUND) conf_tell(r->w, CONF_SAY_ERROR, "Can't open user config file %s: %s", path, conf_file_error(e));
    if (e != ERR_NONE) return e == ERR_NOT_FOUND ? e : ERR_USAGE;
    conf_tell(r->w, CONF_SAY_DEBUG, "Reading configuration data %s", path);
    r->depth++;
    e = read_lines(r, path, wr_bytes(&text), active);
    r->depth--;
    return e;
}

static enum err read_one(struct ssh_reader *r, const char *path, bool user, bool check)
{
    bool active = true;
    r->user_files = user, r->check_owner = check;
    return read_file(r, path, &active);
}

static enum err read_all(struct ssh_reader *r)
{
    char path[4096];
    const char *only = r->ask->config_file;
    if (only && conf_word_is(only, "none")) return ERR_NONE;
    if (only) {
        enum err e = read_one(r, only, true, false);
        if (e == ERR_NOT_FOUND) conf_tell(r->w, CONF_SAY_ERROR, "Can't open user config file %s: No such file or directory", only);
        return e;
    }
    if (r->w->home) {
        snprintf(path, sizeof path, "%s/.ssh/config", r->w->home);
        enum err e = read_one(r, path, true, true);
        if (e != ERR_NONE && e != ERR_NOT_FOUND) return e;
    }
    snprintf(path, sizeof path, "%s/ssh_config", r->w->etc_dir ? r->w->etc_dir : "/etc/ssh");
    enum err e = read_one(r, path, false, false);
    return e == ERR_NOT_FOUND ? ERR_NONE : e;
}

enum err ssh_conf_load(struct ssh_conf *c, const struct conf_world *w, const struct ssh_conf_ask *ask)
{
    struct ssh_reader r = {.c = c, .w = w, .ask = ask, .host = ask->host};
    if (!c->host) c->host = conf_pool_str(c->priv->pool, ask->host);
    if (!c->host) return ERR_NOMEM;
    TRY(read_all(&r));
    bool canonical = c->canonicalize_hostname != SSH_CANONICALIZE_NO;
    if (!r.wants_second && !canonical) return ERR_NONE;
    /* Second pass: the same files with the name that the first pass led to. */
    struct line l = {.file = "Hostname", .pool = c->priv->pool, .world = w};
    if (c->hostname) {
        struct tokens t = {{0}};
        struct wr name CLEANUP(wr_clear) = wr_heap(65536);
        t.t['h'] = ask->host;
        if (token_expand(c->hostname, token_set_hostname, &t, 0, w, &name, NULL) != ERR_NONE) return option_bad(&l, "bad %s", c->hostname);
        r.host = conf_pool_text(l.pool, wr_bytes(&name));
        if (!r.host) return ERR_NOMEM;
    }
    r.second_pass = true, r.canonical_pass = canonical;
    return read_all(&r);
}

/* ---- defaults ---- */

static enum err expand_hostname(struct ssh_conf *c, const struct conf_world *w)
{
    struct tokens t = {{0}};
    struct wr name CLEANUP(wr_clear) = wr_heap(65536);
    t.t['h'] = c->host;
    if (token_expand(c->hostname ? c->hostname : "%h", token_set_hostname, &t, 0, w, &name, NULL) != ERR_NONE) {
        conf_tell(w, CONF_SAY_ERROR, "bad Hostname %s", c->hostname);
        return ERR_USAGE;
    }
    c->hostname = conf_pool_text(c->priv->pool, wr_bytes(&name));
    return c->hostname ? ERR_NONE : ERR_NOMEM;
}

enum err ssh_conf_finish(struct ssh_conf *c, const struct conf_world *w)
{
    struct pool *pool = c->priv->pool;
    if (!c->host) c->host = c->hostname ? c->hostname : "";
    TRY(expand_hostname(c, w));
    if (!c->user && w->local_user && !(c->user = conf_pool_str(pool, w->local_user))) return ERR_NOMEM;
    bool own_known_hosts = row_set(c, "UserKnownHostsFile"), update = row_set(c, "UpdateHostKeys");
    TRY(options_fill(&ssh_table, c, c->priv, w));
    /* New host keys are learnt by default only into the default file, and not where DNS vouches for keys. */
    if (!update) c->update_host_keys = !own_known_hosts && c->verify_host_key_dns == CONF_NO ? CONF_YES : CONF_NO;
    if (c->clear_all_forwardings) c->local_forward.n = c->remote_forward.n = c->dynamic_forward.n = 0;
    return ERR_NONE;
}

void ssh_conf_dump(const struct ssh_conf *c, struct wr *out)
{
    wr_text(out, "host ");
    wr_text(out, c->host ? c->host : "");
    wr_u8(out, '\n');
    options_dump(&ssh_table, c, out);
}
