/* SPDX-License-Identifier: ISC */
/* Values for one connection: the global ones, with what the Match blocks that apply put over them. */
#include <stdio.h>
#include <stdlib.h>

#include "sshd_read.h"

/* ---- what to bind ---- */

static enum err listen_put(struct sshd_listens *to, struct pool *pool, const struct sshd_listen *from, const char *address, const char *port)
{
    uint64_t v = 0;
    TRY(text_to_u64(bytes_str(port), 65535, &v));
    struct sshd_listen *l = &to->v[to->n];
    *l = from ? *from : (struct sshd_listen){0};
    l->address = address ? conf_pool_str(pool, address) : l->address;
    l->port = (uint16_t)v;
    to->n++;
    return l->address ? ERR_NONE : ERR_NOMEM;
}

enum err sshd_listen_finish(struct sshd_conf *c, struct pool *pool)
{
    const struct sshd_listens given = c->listen;
    struct sshd_listens out = {0};
    out.v = conf_pool_alloc(pool, (given.n + 2) * c->port.n * sizeof *out.v);
    if (!out.v) return ERR_NOMEM;
    for (size_t i = 0; i < given.n; i++) {
        if (given.v[i].port) {
            out.v[out.n++] = given.v[i];
            continue;
        }
        for (size_t p = 0; p < c->port.n; p++) TRY(listen_put(&out, pool, &given.v[i], NULL, c->port.v[p]));
    }
    for (size_t p = 0; given.n == 0 && p < c->port.n; p++) {
        if (c->address_family != CONF_AF_INET) TRY(listen_put(&out, pool, NULL, "::", c->port.v[p]));
        if (c->address_family != CONF_AF_INET6) TRY(listen_put(&out, pool, NULL, "0.0.0.0", c->port.v[p]));
    }
    c->listen = out;
    return ERR_NONE;
}

/* ---- the walk over the rows ---- */

struct walk {
    const struct sshd_rows *r;
    const struct conf_world *w;
    const struct sshd_peer *peer;
    struct sshd_conf *to;           /* takes the values of Match blocks that apply */
    struct conf_priv *priv;
    struct sshd_scope scope[64], now;
    size_t depth;
};

static enum err walk_row(struct walk *k, const struct sshd_row *row)
{
    struct line l = {.file = row->file, .number = row->number, .keyword = row->keyword, .rest = row->rest, .pool = k->priv->pool,
                     .world = k->w, .server = true, .in_match = true};
    bool hit = false, enclosing = k->depth == 0 || k->scope[k->depth - 1].applies;
    switch (row->kind) {
    case ROW_ENTER:
        k->scope[k->depth++] = k->now;
        return ERR_NONE;
    case ROW_LEAVE:
        k->now = k->scope[--k->depth];
        return ERR_NONE;
    case ROW_MATCH:
        if (enclosing) {
            TRY(option_words(&l));
            TRY(sshd_match(&l, k->peer, &hit));
        }
        k->now = (struct sshd_scope){true, hit};
        return ERR_NONE;
    case ROW_OPTION:
        break;
    }
    if (!k->now.in_match || !k->now.applies) return ERR_NONE;
    return options_apply(&sshd_table, k->to, k->priv, row->option, &l, true);
}

static enum err walk_rows(struct walk *k)
{
    for (size_t i = 0; i < k->r->n; i++) TRY(walk_row(k, &k->r->row[i]));
    return ERR_NONE;
}

/* ---- joining ---- */

/* Subsystems of Match come over those of the same name; the others stay. */
static enum err join_subsystems(struct sshd_conf *c, const struct sshd_subsystems *global, struct pool *pool)
{
    struct sshd_subsystems mine = c->subsystem, all = {0};
    all.v = conf_pool_alloc(pool, (mine.n + global->n + 1) * sizeof *all.v);
    if (!all.v) return ERR_NOMEM;
    for (size_t i = 0; i < global->n; i++) {
        bool replaced = false;
        for (size_t j = 0; j < mine.n; j++) replaced |= strcmp(mine.v[j].name, global->v[i].name) == 0;
        if (!replaced) all.v[all.n++] = global->v[i];
    }
    for (size_t j = 0; j < mine.n; j++) all.v[all.n++] = mine.v[j];
    c->subsystem = all;
    return ERR_NONE;
}

static enum err overlay(const struct sshd_rows *r, const struct conf_world *w, const struct sshd_peer *peer, struct sshd_conf *c)
{
    struct conf_priv *priv;
    struct sshd_conf values = {0};
    TRY(conf_priv_new(&sshd_table, r->pool, &priv));
    struct walk k = {.r = r, .w = w, .peer = peer, .to = &values, .priv = priv, .now = {false, true}};
    enum err e = walk_rows(&k);
    if (e == ERR_NONE) {
        options_copy_set(&sshd_table, c, NULL, &values, priv);
        bool own = values.subsystem.n > 0;
        if (own) e = join_subsystems(c, &r->global.subsystem, priv->pool);
    }
    if (e != ERR_NONE) {
        conf_priv_free(priv);
        return e;
    }
    conf_priv_free(c->priv);
    c->priv = priv;
    return ERR_NONE;
}

/* Defaults go into the rows' own values once: every connection starts with a copy. */
static enum err complete(struct sshd_rows *r, const struct conf_world *w)
{
    if (r->complete) return ERR_NONE;
    TRY(options_fill(&sshd_table, &r->global, r->priv, w));
    TRY(sshd_listen_finish(&r->global, r->pool));
    r->complete = true;
    return ERR_NONE;
}

enum err sshd_conf_for(const struct sshd_rows *rows, const struct conf_world *w, const struct sshd_peer *peer, struct sshd_conf **out)
{
    struct sshd_rows *r = (struct sshd_rows *)(uintptr_t)rows;  /* the defaults are a cache */
    struct conf_world here = *w;
    here.say = NULL;            /* everything was said when the rows were read */
    here.cwd = r->cwd;
    TRY(complete(r, &here));
    struct sshd_conf *c = malloc(sizeof *c);
    if (!c) return ERR_NOMEM;
    *c = r->global;
    c->priv = NULL;
    enum err e = conf_priv_new(&sshd_table, r->pool, &c->priv);
    if (e == ERR_NONE && peer && r->has_match) e = overlay(r, &here, peer, c);
    if (e != ERR_NONE) {
        sshd_conf_free(c);
        return e;
    }
    *out = c;
    return ERR_NONE;
}

void sshd_conf_free(struct sshd_conf *c)
{
    if (!c) return;
    conf_priv_free(c->priv);
    free(c);
}

void sshd_conf_dump(const struct sshd_conf *c, struct wr *out)
{
    options_dump(&sshd_table, c, out);
}
