/* SPDX-License-Identifier: ISC */
#include "conf/token.h"

#include <stdio.h>

#include "option.h"

#define EXPANDED_MAX 65536

const char token_set_common[] = "CdhijkLlnpru";
const char token_set_known_hosts_command[] = "CdhijkLlnprufHIKt";
const char token_set_hostname[] = "h";
const char token_set_local_command[] = "CdhijkLlnprufHIKtT";
const char token_set_proxy[] = "hnpr";
const char token_set_keys_command[] = "CDfhktUu";
const char token_set_user_file[] = "hUu";
const char token_set_principals_command[] = "CDFfhiKksTtUu";
const char token_set_rdomain[] = "D";

struct expansion {
    const char *set;
    const struct tokens *t;
    const struct conf_world *w;
    struct wr *out;
    const char *bad;
};

static enum err expand_token(struct expansion *x, char letter)
{
    if (letter == '%') {
        wr_u8(x->out, '%');
        return ERR_NONE;
    }
    const char *value = letter > 0 && strchr(x->set, letter) ? x->t->t[(int)letter] : NULL;
    if (!value) {
        x->bad = "unknown key or key without a value";
        return ERR_USAGE;
    }
    wr_text(x->out, value);
    return ERR_NONE;
}

/* "${NAME}" at p; *used gets its length. */
static enum err expand_env(struct expansion *x, const char *p, size_t *used)
{
    char name[256];
    const char *end = strchr(p, '}');
    x->bad = "environment variable name is not closed or too long";
    if (!end || bytes_to_str(bytes_of(p + 2, (size_t)(end - p - 2)), name, sizeof name) != ERR_NONE) return ERR_USAGE;
    const char *value = x->w->env ? x->w->env(x->w->ctx, name) : NULL;
    x->bad = "environment variable has no value";
    if (!value) return ERR_USAGE;
    x->bad = NULL;
    wr_text(x->out, value);
    *used = (size_t)(end - p) + 1;
    return ERR_NONE;
}

/* "~" or "~user" at the start; *used gets its length. */
static enum err expand_tilde(struct expansion *x, const char *p, size_t *used)
{
    char user[256];
    size_t n = strcspn(p + 1, "/");
    x->bad = "no such user";
    if (!x->w->user_home || bytes_to_str(bytes_of(p + 1, n), user, sizeof user) != ERR_NONE) return ERR_USAGE;
    if (x->w->user_home(x->w->ctx, n ? user : NULL, x->out) != ERR_NONE) return ERR_USAGE;
    x->bad = NULL;
    *used = n + 1;
    return ERR_NONE;
}

static enum err expand_at(struct expansion *x, const char *p, unsigned flags, size_t *used)
{
    *used = 1;
    if (*p == '%') {
        *used = 2;
        x->bad = "ends in %";
        if (!p[1]) return ERR_USAGE;
        x->bad = NULL;
        return expand_token(x, p[1]);
    }
    if ((flags & TOKEN_ENV) && p[0] == '$' && p[1] == '{') return expand_env(x, p, used);
    wr_u8(x->out, (uint8_t)*p);
    return ERR_NONE;
}

enum err token_expand(const char *text, const char *set, const struct tokens *t, unsigned flags, const struct conf_world *w,
                      struct wr *out, const char **bad)
{
    struct wr made CLEANUP(wr_clear) = wr_heap(EXPANDED_MAX);
    struct expansion x = {set, t, w, &made, NULL};
    enum err e = ERR_NONE;
    size_t used = 0;
    if ((flags & TOKEN_TILDE) && text[0] == '~') {
        e = expand_tilde(&x, text, &used);
        text += used;
    }
    while (e == ERR_NONE && *text && made.err == ERR_NONE) {
        e = expand_at(&x, text, flags, &used);
        text += e == ERR_NONE ? used : 0;
    }
    if (bad) *bad = x.bad;
    TRY(e);
    TRY(wr_done(&made));
    wr_raw(out, wr_bytes(&made));
    return wr_done(out);
}

/* ---- the client's ---- */

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

/* %j: what ProxyJump says, or nothing */
static const char *jump_text(const struct ssh_conf *c)
{
    return or_empty(c->proxy_jump);
}

void ssh_conf_hash_text(const struct ssh_conf *c, const struct conf_world *w, struct wr *out)
{
    wr_text(out, or_empty(w->local_host));
    wr_text(out, or_empty(c->hostname));
    wr_textf(out, "%u", c->port);
    wr_text(out, or_empty(c->user ? c->user : w->local_user));
    wr_text(out, jump_text(c));
}

enum err ssh_conf_tokens(struct ssh_conf *c, const struct conf_world *w, const char *conn_hash, struct tokens *out)
{
    struct pool *p = c->priv->pool;
    char port[16], uid[16];
    const char *host = or_empty(w->local_host);
    snprintf(port, sizeof port, "%u", c->port);
    snprintf(uid, sizeof uid, "%u", w->local_uid);
    struct tokens t = {{0}};
    t.t['C'] = conn_hash ? conf_pool_str(p, conn_hash) : NULL;
    t.t['d'] = or_empty(w->home);
    t.t['h'] = c->hostname;
    t.t['i'] = conf_pool_str(p, uid);
    t.t['j'] = jump_text(c);
    t.t['k'] = c->host_key_alias ? c->host_key_alias : c->host;
    t.t['L'] = conf_pool_text(p, bytes_of(host, strcspn(host, ".")));
    t.t['l'] = host;
    t.t['n'] = c->host;
    t.t['p'] = conf_pool_str(p, port);
    t.t['r'] = c->user ? c->user : w->local_user;
    t.t['u'] = w->local_user;
    if (!t.t['i'] || !t.t['L'] || !t.t['p']) return ERR_NOMEM;
    *out = t;
    return ERR_NONE;
}

enum err ssh_conf_path(const struct ssh_conf *c, const struct conf_world *w, const struct tokens *t, const char *value, struct wr *out)
{
    const char *bad = NULL;
    enum err e = token_expand(value, token_set_common, t, TOKEN_ENV | TOKEN_TILDE, w, out, &bad);
    if (e == ERR_USAGE) conf_tell(w, CONF_SAY_ERROR, "%.500s: %s", value, or_empty(bad));
    (void)c;
    return e;
}
