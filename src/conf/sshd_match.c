/* SPDX-License-Identifier: ISC */
/* Match of sshd_config(5), and the peer it is about. */
#include "criteria.h"
#include "sshd_read.h"

struct asked {
    struct line *l;
    const struct sshd_peer *peer;   /* NULL: check the form only */
    const char *arg;
};

static bool list_hit(const char *text, const char *list, bool fold)
{
    return text && pattern_list_match(bytes_str(text), bytes_str(list), fold) == MATCH_YES;
}

static enum err by_user(struct asked *a, bool *hit)
{
    *hit = a->peer && list_hit(a->peer->user, a->arg, false);
    return ERR_NONE;
}

static enum err by_group(struct asked *a, bool *hit)
{
    const struct conf_world *w = a->l->world;
    struct wr groups CLEANUP(wr_clear) = wr_heap(1 << 20);
    bool any = false, denied = false;
    *hit = false;
    if (!a->peer || !a->peer->user || !w->user_groups) return ERR_NONE;
    if (w->user_groups(w->ctx, a->peer->user, &groups) != ERR_NONE) return ERR_NONE;
    for (size_t at = 0; at < groups.n && memchr(groups.p + at, 0, groups.n - at); at += strlen((const char *)groups.p + at) + 1) {
        enum match m = pattern_list_match(bytes_str((const char *)groups.p + at), bytes_str(a->arg), false);
        any |= m == MATCH_YES, denied |= m == MATCH_NEGATED;
    }
    *hit = any && !denied;
    return ERR_NONE;
}

static enum err by_host(struct asked *a, bool *hit)
{
    *hit = a->peer && list_hit(a->peer->host, a->arg, true);
    return ERR_NONE;
}

static enum err address_hit(struct asked *a, const char *what, const char *address, bool *hit)
{
    enum match m;
    *hit = false;
    if (address_list_match(address ? address : "0.0.0.0", bytes_str(a->arg), &m) != ERR_NONE) {
        conf_tell(a->l->world, CONF_SAY_ERROR, "Invalid Match %s argument '%.100s' at line %u", what, a->arg, a->l->number);
        return ERR_USAGE;
    }
    *hit = address && m == MATCH_YES;
    return ERR_NONE;
}

static enum err by_address(struct asked *a, bool *hit)
{
    return address_hit(a, "address", a->peer ? a->peer->address : NULL, hit);
}

static enum err by_local_address(struct asked *a, bool *hit)
{
    return address_hit(a, "localaddress", a->peer ? a->peer->local_address : NULL, hit);
}

static enum err by_local_port(struct asked *a, bool *hit)
{
    uint64_t port;
    if (text_to_u64(bytes_str(a->arg), 65535, &port) != ERR_NONE || port == 0) {
        conf_tell(a->l->world, CONF_SAY_ERROR, "Invalid LocalPort '%s' on Match line", a->arg);
        return ERR_USAGE;
    }
    *hit = a->peer && a->peer->local_port == port;
    return ERR_NONE;
}

static enum err by_rdomain(struct asked *a, bool *hit)
{
    *hit = a->peer && list_hit(a->peer->rdomain, a->arg, false);
    return ERR_NONE;
}

static enum err by_version(struct asked *a, bool *hit)
{
    *hit = a->peer && list_hit(a->l->world->version, a->arg, false);
    return ERR_NONE;
}

static enum err by_invalid_user(struct asked *a, bool *hit)
{
    *hit = a->peer && a->peer->user_invalid;
    return ERR_NONE;
}

static enum err by_all(struct asked *a, bool *hit)
{
    if (a->l->words != 1) {
        conf_tell(a->l->world, CONF_SAY_ERROR, "'all' cannot be combined with other Match attributes");
        return ERR_USAGE;
    }
    *hit = a->peer != NULL;
    return ERR_NONE;
}

static const struct criterion_row names[] = {
    {"user", true},    {"group", true},   {"host", true},          {"address", true}, {"localaddress", true}, {"localport", true},
    {"rdomain", true}, {"version", true}, {"invalid-user", false}, {"all", false},    {NULL, false},
};
static enum err (*const tests[])(struct asked *, bool *) = {by_user, by_group, by_host, by_address, by_local_address, by_local_port,
                                                            by_rdomain, by_version, by_invalid_user, by_all};

enum err sshd_match(struct line *l, const struct sshd_peer *peer, bool *out)
{
    bool result = true;
    for (;;) {
        struct criterion c;
        size_t row;
        bool hit = false;
        enum err e = criteria_next(l, names, &c, &row);
        if (e == ERR_NOT_FOUND) break;
        struct asked a = {l, peer, c.arg};
        if (e == ERR_NONE && c.negated) {
            conf_tell(l->world, CONF_SAY_ERROR, "Unsupported Match attribute !%s", c.name);
            e = ERR_USAGE;
        }
        if (e == ERR_NONE) e = tests[row](&a, &hit);
        if (e == ERR_USAGE) return option_bad(l, "Bad Match condition");
        TRY(e);
        result &= hit;
    }
    *out = result;
    return ERR_NONE;
}

/* ---- -C ---- */

struct peer_key {
    const char *name;
    size_t at;
};

static enum err peer_word(char *word, struct sshd_peer *p)
{
    static const struct peer_key keys[] = {
        {"addr=", offsetof(struct sshd_peer, address)}, {"user=", offsetof(struct sshd_peer, user)},
        {"host=", offsetof(struct sshd_peer, host)},    {"laddr=", offsetof(struct sshd_peer, local_address)},
        {"rdomain=", offsetof(struct sshd_peer, rdomain)},
    };
    uint64_t port;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        size_t n = strlen(keys[i].name);
        if (strncmp(word, keys[i].name, n) != 0) continue;
        *FIELD(p, const char *, keys[i].at) = word + n;
        return ERR_NONE;
    }
    if (strncmp(word, "lport=", 6) == 0) {
        if (text_to_u64(bytes_str(word + 6), 65535, &port) != ERR_NONE || port == 0) return ERR_USAGE;
        p->local_port = (uint32_t)port;
        return ERR_NONE;
    }
    if (strcmp(word, "invalid-user") != 0) return ERR_USAGE;
    p->user_invalid = true;
    return ERR_NONE;
}

enum err sshd_peer_parse(char *storage, struct sshd_peer *peer)
{
    struct sshd_peer p = *peer;
    for (char *word = storage, *next; word; word = next) {
        next = strchr(word, ',');
        if (next) *next++ = 0;
        TRY(peer_word(word, &p));
    }
    *peer = p;
    return ERR_NONE;
}
