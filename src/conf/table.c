/* SPDX-License-Identifier: ISC */
/* Rows in use: finding them, applying a line, defaults, dump. */
#include "option.h"

#include <stdlib.h>

static const struct option *row_find(const struct table *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (conf_word_is(t->rows[i].name, name)) return &t->rows[i];
    return NULL;
}

const struct option *options_find(const struct table *t, const char *name)
{
    const struct option *o = row_find(t, name);
    if (o) return o;
    const struct alias *a = options_alias(t, name);
    return a && a->stands_for && *a->stands_for ? row_find(t, a->stands_for) : NULL;
}

const struct alias *options_alias(const struct table *t, const char *name)
{
    for (size_t i = 0; i < t->alias_n; i++)
        if (conf_word_is(t->aliases[i].name, name)) return &t->aliases[i];
    return NULL;
}

enum err conf_priv_new(const struct table *t, struct pool *parent, struct conf_priv **out)
{
    struct conf_priv *p = calloc(1, sizeof *p);
    if (!p) return ERR_NOMEM;
    p->pool = conf_pool_new(parent);
    p->set = calloc(t->n, sizeof *p->set);
    p->warned = calloc(t->n, sizeof *p->warned);
    p->scratch = calloc(1, t->conf_size);
    if (!p->pool || !p->set || !p->warned || !p->scratch) {
        conf_priv_free(p);
        return ERR_NOMEM;
    }
    *out = p;
    return ERR_NONE;
}

void conf_priv_free(struct conf_priv *p)
{
    if (!p) return;
    conf_pool_drop(p->pool);
    free(p->set);
    free(p->warned);
    free(p->scratch);
    free(p);
}

/* ---- what is not built ---- */

static bool says_no(const struct option *o, struct bytes dumped)
{
    struct wr no CLEANUP(wr_clear) = wr_heap(200), none CLEANUP(wr_clear) = wr_heap(200);
    option_dump_value(o, "no", &no);
    option_dump_value(o, "none", &none);
    return bytes_equal(dumped, wr_bytes(&no)) || bytes_equal(dumped, wr_bytes(&none));
}

/* Does the value ask for what the option does? The default does not; nor does "no", where all that is lost is a feature. */
static enum err value_asks(const struct table *t, struct conf_priv *priv, const struct option *o, const void *conf,
                           const struct conf_world *w, bool *out)
{
    struct wr is CLEANUP(wr_clear) = wr_heap(1 << 20), preset CLEANUP(wr_clear) = wr_heap(1 << 20);
    o->kind->dump(o, conf, &is);
    memset(priv->scratch, 0, t->conf_size);
    TRY(options_fill_row(t, priv->scratch, priv, o, w));
    o->kind->dump(o, priv->scratch, &preset);
    TRY(wr_done(&is));
    TRY(wr_done(&preset));
    *out = !bytes_equal(wr_bytes(&is), wr_bytes(&preset)) && (o->built == MORE || !says_no(o, wr_bytes(&is)));
    return ERR_NONE;
}

static void unsupported(const struct table *t, const struct line *l)
{
    const char *q = t->server ? "" : "\"";
    conf_tell(l->world, CONF_SAY_WARNING, "%s line %u: Unsupported option %s%s%s", l->file, l->number, q, l->keyword, q);
}

enum err options_check_built(const struct table *t, const void *conf, struct conf_priv *priv, const struct option *o, const struct line *l)
{
    if (o->built == BUILT) return ERR_NONE;
    bool asks = false;
    TRY(value_asks(t, priv, o, conf, l->world, &asks));
    if (!asks) return ERR_NONE;
    if (o->built == MORE) return option_bad(l, "%s is not supported by this version, and going on without it would allow more than you ask for", o->name);
    size_t i = (size_t)(o - t->rows);
    if (!priv->warned[i] && o->built == ABSENT) unsupported(t, l);
    else if (!priv->warned[i]) conf_tell(l->world, CONF_SAY_WARNING, "%s line %u: keyword %s is not supported; ignored", l->file, l->number, o->name);
    priv->warned[i] = true;
    return ERR_NONE;
}

/* ---- values ---- */

enum err options_apply(const struct table *t, void *conf, struct conf_priv *priv, const struct option *o, struct line *l, bool active)
{
    size_t i = (size_t)(o - t->rows);
    bool counts = active && (!priv->set[i] || (o->flags & OPT_APPEND));
    void *to = counts ? conf : priv->scratch;
    if (!counts) memset(priv->scratch, 0, t->conf_size);
    if (!l->rest[0]) return option_bad(l, "no argument after keyword \"%s\"", l->keyword);
    TRY(option_words(l));
    l->fresh = !counts || !priv->set[i];
    TRY(o->kind->parse(l, o, to));
    if (!(o->flags & OPT_REST) && l->used < l->words)
        return option_bad(l, "keyword %s extra arguments at end of line", l->keyword);
    if (counts) priv->set[i] = true;
    if (!counts && !t->server) return ERR_NONE;
    return options_check_built(t, to, priv, o, l);
}

enum err options_fill_row(const struct table *t, void *conf, struct conf_priv *priv, const struct option *o, const struct conf_world *w)
{
    struct line l = {.file = "default", .keyword = o->name, .pool = priv->pool, .world = w, .server = t->server, .fresh = true,
                     .preset = true};
    if (o->kind->fill) return o->kind->fill(&l, o, conf);
    if (!o->preset) return ERR_NONE;
    l.rest = o->preset;
    TRY(option_words(&l));
    return o->kind->parse(&l, o, conf);
}

enum err options_fill(const struct table *t, void *conf, struct conf_priv *priv, const struct conf_world *w)
{
    for (size_t i = 0; i < t->n; i++)
        if (!priv->set[i]) TRY(options_fill_row(t, conf, priv, &t->rows[i], w));
    return ERR_NONE;
}

void options_copy_set(const struct table *t, void *to, struct conf_priv *to_priv, const void *from, const struct conf_priv *from_priv)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct option *o = &t->rows[i];
        if (!from_priv->set[i]) continue;
        memcpy((char *)to + o->at, (const char *)from + o->at, o->kind->size);
        if (o->kind->size2 && o->at2) memcpy((char *)to + o->at2, (const char *)from + o->at2, o->kind->size2);
        if (to_priv) to_priv->set[i] = true;
    }
}

/* ---- out again ---- */

void option_dump_name(const struct option *o, struct wr *out)
{
    if (o->flags & OPT_DUMP_AS) wr_text(out, o->arg);
    else
        for (const char *p = o->name; *p; p++) wr_u8(out, (uint8_t)ascii_lower(*p));
}

void option_dump_value(const struct option *o, const char *text, struct wr *out)
{
    option_dump_name(o, out);
    wr_u8(out, ' ');
    wr_text(out, text);
    wr_u8(out, '\n');
}

void options_dump(const struct table *t, const void *conf, struct wr *out)
{
    for (size_t i = 0; i < t->n; i++)
        if (!(t->rows[i].flags & OPT_SILENT)) t->rows[i].kind->dump(&t->rows[i], conf, out);
}

void options_list(const struct table *t, struct wr *out)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct option *o = &t->rows[i];
        wr_textf(out, "%s\t%s\t%s\n", o->name, o->preset ? o->preset : "", o->help);
    }
}

void conf_list_ssh(struct wr *out)
{
    options_list(&ssh_table, out);
}

void conf_list_sshd(struct wr *out)
{
    options_list(&sshd_table, out);
}

enum err options_unknown(const struct table *t, struct line *l, const char *ignore)
{
    const struct alias *a = options_alias(t, l->keyword);
    if (!l->rest[0]) return option_bad(l, "no argument after keyword \"%s\"", l->keyword);
    if (a) TRY(option_words(l));
    if (a && !a->stands_for) {
        const char *q = t->server ? "" : "\"";
        conf_tell(l->world, t->server ? CONF_SAY_WARNING : CONF_SAY_DEBUG, "%s line %u: Deprecated option %s%s%s", l->file, l->number, q, l->keyword, q);
        return ERR_NONE;
    }
    if (a) {
        if (l->words != 1 || !conf_word_is(l->word[0], "no")) unsupported(t, l);
        return ERR_NONE;
    }
    if (ignore && pattern_list_match(bytes_str(l->keyword), bytes_str(ignore), true) == MATCH_YES) {
        conf_tell(l->world, CONF_SAY_DEBUG, "%s line %u: Ignored unknown option \"%s\"", l->file, l->number, l->keyword);
        return ERR_NONE;
    }
    conf_tell(l->world, CONF_SAY_ERROR, "%s: line %u: Bad configuration option: %s", l->file, l->number, l->keyword);
    return ERR_USAGE;
}
