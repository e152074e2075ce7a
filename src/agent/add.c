/* SPDX-License-Identifier: ISC */
/* Adding keys (RFC 9987 3.2): a private key with its constraints, or the keys of a token. */
#include <stdlib.h>

#include "base/text.h"
#include "impl.h"

#define PROVIDER_MAX 4096               /* a path */

static void identity_drop(struct identity **id)
{
    identity_free(*id);
}

/* A life that the request gives, else the agent's default. */
static uint64_t death_of(const struct call *k, const struct constraints *c)
{
    uint64_t life = c->has_lifetime ? c->lifetime_us : k->a->setup.lifetime_us;
    return life == 0 && !c->has_lifetime ? UINT64_MAX : k->now_us + life;
}

/* Into the ring, unless one that this connection may not see stands in its place. */
static enum err put(struct call *k, struct identity **id)
{
    const struct identity *old = ring_find(k->a, pubkey_blob((*id)->pub));
    if (old && !key_visible(k->c, old)) return ERR_DENIED;
    struct identity *mine = *id;
    *id = NULL;
    return ring_put(k->a, mine);
}

/* The file name of a provider as the file system has it, held against what is allowed. ERR_AGAIN: asked. */
static enum err provider_check(struct call *k, struct bytes name)
{
    struct answers *ans = &k->c->answers;
    if (k->c->bind_tried && !k->a->setup.remote_providers) return ERR_DENIED;
    if (!ans->have_path) {
        question_open(k, AGENT_PATH)->provider = name;
        return ERR_AGAIN;
    }
    struct bytes path = secret_bytes(&ans->path);
    if (path.n == 0 || path.p[0] != '/' || memchr(path.p, 0, path.n)) return ERR_FORMAT;
    struct bytes allowed = bytes_str(k->a->setup.provider_allow);
    return pattern_list_match(path, allowed, false) == MATCH_YES ? ERR_NONE : ERR_DENIED;
}

/* The new key must be the one that its certificate speaks of; privkey_read_any() saw to that. */
static enum err key_read(struct call *k, struct identity *id)
{
    TRY(privkey_read(&k->r, &id->priv));
    return pubkey_parse(pubkey_blob(privkey_public(id->priv)), &id->pub);
}

enum err do_add(struct call *k)
{
    struct identity *id CLEANUP(identity_drop) = calloc(1, sizeof *id);
    if (!id) return ERR_NOMEM;
    TRY(key_read(k, id));
    struct bytes comment = rd_string(&k->r);
    TRY(k->r.err);
    TRY(secret_copy(&id->comment, comment));
    if (k->type == MSG_ADD) TRY(rd_done(&k->r));
    else TRY(constraints_parse(&k->r, &id->limits));
    if (id->limits.has_certs) return ERR_UNSUPPORTED;       /* they go with tokens only */
    if (id->limits.sk_provider) return ERR_UNSUPPORTED;     /* no sk key */
    id->death_us = death_of(k, &id->limits);
    id->cost = k->size;
    TRY(put(k, &id));
    wr_u8(k->reply, MSG_SUCCESS);
    return ERR_NONE;
}

/* ---- tokens ---- */

/* One key of a token; the constraints are parsed once more for it, since each key owns its own. */
static enum err token_key_put(struct call *k, struct rd constraints, struct bytes blob, struct bytes comment, const char *provider)
{
    struct identity *id CLEANUP(identity_drop) = calloc(1, sizeof *id);
    if (!id) return ERR_NOMEM;
    TRY(pubkey_parse(blob, &id->pub));
    TRY(secret_copy(&id->comment, comment));
    TRY(constraints_parse(&constraints, &id->limits));
    id->provider = strdup(provider);
    if (!id->provider) return ERR_NOMEM;
    id->death_us = death_of(k, &id->limits);
    id->cost = k->size;
    return put(k, &id);
}

static enum err token_keys_put(struct call *k, struct rd constraints, const char *provider)
{
    struct rd list = rd_init(secret_bytes(&k->c->answers.token));
    size_t added = 0;
    for (size_t n = 0; list.n > 0 && n < AGENT_KEYS_MAX; n++) {
        struct bytes blob = rd_string(&list), comment = rd_string(&list);
        TRY(list.err);
        added += token_key_put(k, constraints, blob, comment, provider) == ERR_NONE;
    }
    return added ? ERR_NONE : ERR_NOT_FOUND;
}

/* string provider, string PIN. */
static enum err token_read(struct call *k, struct bytes *provider, struct bytes *pin)
{
    struct bytes name = rd_string_max(&k->r, PROVIDER_MAX);
    struct bytes number = rd_string_max(&k->r, PASSWORD_MAX);
    TRY(k->r.err);
    if (name.n == 0 || memchr(name.p, 0, name.n)) return ERR_FORMAT;
    *provider = name;
    *pin = number;
    return ERR_NONE;
}

static void text_drop(char **s)
{
    free(*s);
}

enum err do_add_token(struct call *k)
{
    char *path CLEANUP(text_drop) = NULL;
    struct constraints trial CLEANUP(constraints_clear) = {0};
    struct bytes name, pin;
    TRY(token_read(k, &name, &pin));
    struct rd constraints = k->r, look = k->r;
    if (k->type == MSG_ADD_TOKEN) TRY(rd_done(&k->r));
    TRY(constraints_parse(&look, &trial));
    if (trial.sk_provider) return ERR_UNSUPPORTED;
    TRY(provider_check(k, name));
    path = bytes_dup_str(secret_bytes(&k->c->answers.path));
    if (!path) return ERR_NOMEM;
    if (!k->c->answers.have_token) {
        struct agent_question *q = question_open(k, AGENT_TOKEN_KEYS);
        q->provider = secret_bytes(&k->c->answers.path);
        q->pin = pin;
        return ERR_AGAIN;
    }
    TRY(token_keys_put(k, constraints, path));
    wr_u8(k->reply, MSG_SUCCESS);
    return ERR_NONE;
}

/* How many there were. */
static size_t token_keys_remove(struct call *k, struct bytes provider)
{
    size_t removed = 0;
    for (struct identity *id = k->a->ring, *next; id; id = next) {
        next = id->next;
        if (id->priv || !id->provider || !bytes_is(provider, id->provider) || !key_visible(k->c, id)) continue;
        ring_remove(k->a, id);
        removed++;
    }
    return removed;
}

enum err do_remove_token(struct call *k)
{
    struct bytes name, pin;
    TRY(token_read(k, &name, &pin));
    TRY(rd_done(&k->r));
    if (!k->c->answers.have_path) {
        question_open(k, AGENT_PATH)->provider = name;
        return ERR_AGAIN;
    }
    if (!k->c->answers.have_token) {
        struct bytes path = secret_bytes(&k->c->answers.path);
        if (token_keys_remove(k, path) == 0) return ERR_NOT_FOUND;
        question_open(k, AGENT_TOKEN_FORGET)->provider = path;
        return ERR_AGAIN;
    }
    wr_u8(k->reply, MSG_SUCCESS);
    return ERR_NONE;
}
