/* SPDX-License-Identifier: ISC */
/* Match of ssh_config(5). */
#include "conf/destination.h"
#include "criteria.h"
#include "ssh_read.h"

struct asked {
    struct ssh_reader *r;
    struct line *l;
    const struct criterion *c;
};

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

static const char *user_now(const struct ssh_reader *r)
{
    return r->c->user ? r->c->user : or_empty(r->w->local_user);
}

/* The host name as far as it is known: Hostname may already stand in for the argument. */
static enum err host_now(struct asked *a, const char **out)
{
    const char *named = a->r->c->hostname;
    *out = a->r->host;
    if (a->r->second_pass || !named) return ERR_NONE;
    struct tokens t = {{0}};
    t.t['h'] = a->r->host;
    struct wr w CLEANUP(wr_clear) = wr_heap(65536);
    if (token_expand(named, token_set_hostname, &t, 0, a->r->w, &w, NULL) != ERR_NONE) return option_bad(a->l, "bad Hostname %s", named);
    *out = conf_pool_text(a->l->pool, wr_bytes(&w));
    return *out ? ERR_NONE : ERR_NOMEM;
}

static bool list_hit(const char *text, const char *list, bool fold)
{
    return pattern_list_match(bytes_str(text), bytes_str(list), fold) == MATCH_YES;
}

static enum err by_host(struct asked *a, bool *hit)
{
    const char *host;
    TRY(host_now(a, &host));
    *hit = list_hit(host, a->c->arg, true);
    return ERR_NONE;
}

static enum err by_original_host(struct asked *a, bool *hit)
{
    *hit = list_hit(a->r->ask->host, a->c->arg, true);
    return ERR_NONE;
}

static enum err by_user(struct asked *a, bool *hit)
{
    *hit = list_hit(user_now(a->r), a->c->arg, false);
    return ERR_NONE;
}

static enum err by_local_user(struct asked *a, bool *hit)
{
    *hit = list_hit(or_empty(a->r->w->local_user), a->c->arg, false);
    return ERR_NONE;
}

static enum err by_tag(struct asked *a, bool *hit)
{
    *hit = list_hit(or_empty(a->r->c->tag), a->c->arg, false);
    return ERR_NONE;
}

static enum err by_command(struct asked *a, bool *hit)
{
    *hit = list_hit(or_empty(a->r->ask->command), a->c->arg, false);
    return ERR_NONE;
}

static enum err by_version(struct asked *a, bool *hit)
{
    *hit = list_hit(or_empty(a->r->w->version), a->c->arg, false);
    return ERR_NONE;
}

static enum err by_session_type(struct asked *a, bool *hit)
{
    const struct ssh_conf *c = a->r->c;
    const char *command = a->r->ask->command;
    const char *type = a->r->ask->session_type;
    if (!type)
        type = c->session_type == SSH_SESSION_SUBSYSTEM ? "subsystem" : c->session_type == SSH_SESSION_NONE ? "none"
               : command && *command ? "exec" : "shell";
    *hit = list_hit(type, a->c->arg, false);
    return ERR_NONE;
}

static enum err by_local_network(struct asked *a, bool *hit)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(1 << 20);
    enum match m;
    *hit = false;
    if (address_list_match("0.0.0.0", bytes_str(a->c->arg), &m) != ERR_NONE) return option_bad(a->l, "Invalid network list \"%s\"", a->c->arg);
    const struct conf_world *world = a->r->w;
    if (!world->local_addresses || world->local_addresses(world->ctx, &w) != ERR_NONE) return ERR_NONE;
    for (size_t at = 0; at < w.n; at += strlen((const char *)w.p + at) + 1) {
        if (!memchr(w.p + at, 0, w.n - at)) break;
        if (address_list_match((const char *)w.p + at, bytes_str(a->c->arg), &m) == ERR_NONE && m == MATCH_YES) *hit = true;
    }
    return ERR_NONE;
}

enum err ssh_early_expand(struct ssh_reader *r, struct line *l, const char *text, const char **out)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(65536), facts CLEANUP(wr_clear) = wr_heap(65536);
    struct asked a = {r, l, NULL};
    const char *bad = NULL;
    char hex[41];
    struct ssh_conf now = *r->c;    /* the values known so far, with what they would default to */
    TRY(host_now(&a, &now.hostname));
    now.host = r->ask->host;
    now.user = user_now(r);
    if (now.port == 0) now.port = 22;
    ssh_conf_hash_text(&now, r->w, &facts);
    TRY(wr_done(&facts));
    bool hashed = r->w->hash && r->w->hash(r->w->ctx, wr_bytes(&facts), hex) == ERR_NONE;
    struct tokens t;
    TRY(ssh_conf_tokens(&now, r->w, hashed ? hex : NULL, &t));
    /* TRUST 18: no name reaches a shell before it was looked at (CVE-2026-35386, CVE-2025-61984) */
    if (!user_valid(now.user)) return option_bad(l, "remote username contains invalid characters");
    if (!host_valid(now.hostname) || !host_valid(now.host)) return option_bad(l, "hostname contains invalid characters");
    enum err e = token_expand(text, token_set_common, &t, TOKEN_ENV, r->w, &w, &bad);
    if (e == ERR_USAGE) return option_bad(l, "cannot expand \"%s\": %s", text, or_empty(bad));
    TRY(e);
    *out = conf_pool_text(l->pool, wr_bytes(&w));
    return *out ? ERR_NONE : ERR_NOMEM;
}

static enum err by_exec(struct asked *a, bool *hit)
{
    const char *command;
    int status = -1;
    *hit = false;
    TRY(ssh_early_expand(a->r, a->l, a->c->arg, &command));
    if (!a->r->w->exec) return option_bad(a->l, "Match exec is not possible here");
    *hit = a->r->w->exec(a->r->w->ctx, command, &status) == ERR_NONE && status == 0;
    conf_tell(a->r->w, CONF_SAY_DEBUG, "command returned status %d", status);
    return ERR_NONE;
}

enum { FIRST_WITHOUT_ARG = 10, ROW_ALL = FIRST_WITHOUT_ARG, ROW_CANONICAL, ROW_FINAL, ROW_EXEC = 9 };

static const struct criterion_row names[] = {
    {"host", true},    {"originalhost", true}, {"user", true},    {"localuser", true}, {"tagged", true}, {"command", true},
    {"version", true}, {"sessiontype", true},  {"localnetwork", true}, {"exec", true}, {"all", false},   {"canonical", false},
    {"final", false},  {NULL, false},
};
static enum err (*const tests[])(struct asked *, bool *) = {by_host, by_original_host, by_user, by_local_user, by_tag, by_command,
                                                            by_version, by_session_type, by_local_network, by_exec};

static enum err test_one(struct asked *a, size_t row, bool skip_exec, bool *hit)
{
    struct ssh_reader *r = a->r;
    *hit = false;
    if (row == ROW_ALL) {
        if (a->l->used < a->l->words) return option_bad(a->l, "'all' cannot be combined with other Match attributes");
        *hit = true;
    } else if (row == ROW_CANONICAL) {
        *hit = r->canonical_pass;
    } else if (row == ROW_FINAL) {
        r->wants_second = true;
        *hit = r->second_pass;
    } else if (row != ROW_EXEC || !skip_exec) {
        return tests[row](a, hit);
    }
    return ERR_NONE;
}

enum err ssh_match(struct ssh_reader *r, struct line *l, bool dry, bool *out)
{
    bool result = true;
    for (;;) {
        struct criterion c;
        size_t row;
        bool hit;
        enum err e = criteria_next(l, names, &c, &row);
        if (e == ERR_NOT_FOUND) break;
        struct asked a = {r, l, &c};
        bool skip = dry || !result;     /* a command runs only where it decides */
        if (e == ERR_NONE) e = test_one(&a, row, skip, &hit);
        if (e == ERR_USAGE) return option_bad(l, "Bad Match condition");
        TRY(e);
        result &= (row == ROW_EXEC && skip) ? false : hit != c.negated;
    }
    *out = result && !dry;
    return ERR_NONE;
}
