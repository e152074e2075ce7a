/* SPDX-License-Identifier: ISC */
/* Adding keys (RFC 9987 3.2): a private key with its constraints, or the keys of a token. */
#include <stdlib.h>

#include "base/text.h"
#include "impl.h"
#include "key/cert.h"

#define PROVIDER_MAX 4096               /* a path */

static void identity_drop(struct identity **id)
{
    identity_free(*id);
}

/* ssh-add gives each certificate a life that ends soon after the certificate: nobody's wish to have the key for longer than the agent's default. */
static bool life_is_certs(const struct call *k, const struct identity *id)
{
    const struct cert *cert = pubkey_cert(id->pub);
    return cert && k->a->wall_s + id->limits.lifetime_us / 1000000 >= cert->valid_before;
}

/* A life that the request gives, else the agent's default. */
static uint64_t death_of(const struct call *k, const struct identity *id)
{
    uint64_t given = id->limits.lifetime_us, own = k->a->setup.lifetime_us;
    if (!id->limits.has_lifetime) return own == 0 ? UINT64_MAX : k->now_us + own;
    return k->now_us + (own && own < given && life_is_certs(k, id) ? own : given);
}

/* Into the ring, unless one that this connection may not see stands in its place. */
static enum err put(struct call *k, struct identity **id)
{
    const struct identity *old = ring_find(k->a, pubkey_blob((*id)->pub));
    if (old && !key_visible(k->c, old)) return ERR_DENIED;
    struct identity *mine = *id;
    *id = NULL;
    mine->limits.sk_provider = mine->limits.certs = (struct bytes){0};     /* the request will not be there any more */
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

static enum err key_read(struct call *k, struct identity *id)
{
    TRY(privkey_read_any(&k->r, &id->pub, &id->priv));
    return id->pub ? ERR_NONE : pubkey_parse(pubkey_blob(privkey_public(id->priv)), &id->pub);
}

/* A library for an authenticator's key; "internal" is the built-in way. */
static enum err sk_provider_take(struct call *k, struct identity *id)
{
    struct bytes name = id->limits.sk_provider;
    if (name.n == 0) return ERR_NONE;
    if (!pubkey_is_sk(id->pub)) return ERR_UNSUPPORTED;
    if (text_equal_fold(name, BYTES_LIT("internal"))) return ERR_NONE;
    TRY(provider_check(k, name));
    id->provider = bytes_dup_str(secret_bytes(&k->c->answers.path));
    return id->provider ? ERR_NONE : ERR_NOMEM;
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
    TRY(sk_provider_take(k, id));
    id->death_us = death_of(k, id);
    id->cost = k->size;
    TRY(put(k, &id));
    wr_u8(k->reply, MSG_SUCCESS);
    return ERR_NONE;
}

/* ---- tokens ---- */

/* What a request for a token's keys says of each of them; its parts are views. */
struct token_plan {
    struct rd constraints;              /* parsed anew for each key, since each owns its own */
    struct bytes certs;
    bool certs_only;
    const char *provider;
};

static enum err token_key_put(struct call *k, const struct token_plan *plan, struct bytes blob, struct bytes comment)
{
    struct identity *id CLEANUP(identity_drop) = calloc(1, sizeof *id);
    struct rd constraints = plan->constraints;
    if (!id) return ERR_NOMEM;
    TRY(pubkey_parse_any(blob, &id->pub));
    TRY(secret_copy(&id->comment, comment));
    TRY(constraints_parse(&constraints, &id->limits));
    id->provider = strdup(plan->provider);
    if (!id->provider) return ERR_NOMEM;
    id->death_us = death_of(k, id);
    id->cost = k->size;
    return put(k, &id);
}

/* The certificates that came along for this key. How many were added. */
static size_t token_certs_put(struct call *k, const struct token_plan *plan, struct bytes blob, struct bytes comment)
{
    struct rd list = rd_init(plan->certs);
    size_t added = 0;
    for (size_t n = 0; list.n > 0 && n < AGENT_CERTS_MAX; n++) {
        struct pubkey *cert CLEANUP(pubkey_drop) = NULL;
        struct bytes it = rd_string(&list);
        if (list.err != ERR_NONE || pubkey_parse_any(it, &cert) != ERR_NONE || !pubkey_cert(cert)) continue;
        if (bytes_equal(pubkey_blob(pubkey_plain(cert)), blob)) added += token_key_put(k, plan, it, comment) == ERR_NONE;
    }
    return added;
}

static enum err token_keys_put(struct call *k, const struct token_plan *plan)
{
    struct rd list = rd_init(secret_bytes(&k->c->answers.token));
    size_t added = 0;
    for (size_t n = 0; list.n > 0 && n < AGENT_KEYS_MAX; n++) {
        struct bytes blob = rd_string(&list), comment = rd_string(&list);
        TRY(list.err);
        added += token_certs_put(k, plan, blob, comment);
        if (!plan->certs_only) added += token_key_put(k, plan, blob, comment) == ERR_NONE;
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
    struct rd look = k->r;
    if (k->type == MSG_ADD_TOKEN) TRY(rd_done(&k->r));
    TRY(constraints_parse(&look, &trial));
    if (trial.sk_provider.n) return ERR_UNSUPPORTED;
    TRY(provider_check(k, name));
    path = bytes_dup_str(secret_bytes(&k->c->answers.path));
    if (!path) return ERR_NOMEM;
    if (!k->c->answers.have_token) {
        struct agent_question *q = question_open(k, AGENT_TOKEN_KEYS);
        q->provider = secret_bytes(&k->c->answers.path);
        q->pin = pin;
        return ERR_AGAIN;
    }
    TRY(token_keys_put(k, &(struct token_plan){k->r, trial.certs, trial.certs_only, path}));
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
    if (token_keys_remove(k, secret_bytes(&k->c->answers.path)) == 0) return ERR_NOT_FOUND;
    wr_u8(k->reply, MSG_SUCCESS);
    return ERR_NONE;
}
