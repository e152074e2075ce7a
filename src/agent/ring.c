/* SPDX-License-Identifier: ISC */
/* The ring of keys: in the order in which they came, each blob once, each with the end of its life. */
#include <stdlib.h>

#include "impl.h"

void identity_free(struct identity *id)
{
    if (!id) return;
    pubkey_free(id->pub);
    privkey_free(id->priv);
    secret_clear(&id->comment);
    free(id->provider);
    constraints_clear(&id->limits);
    wipe(id, sizeof *id);
    free(id);
}

struct agent *agent_new(const struct agent_setup *setup)
{
    struct agent *a = calloc(1, sizeof *a);
    if (a) a->setup = *setup;
    return a;
}

void agent_free(struct agent *a)
{
    if (!a) return;
    agent_clear(a);
    wipe(a, sizeof *a);
    free(a);
}

/* What a key takes of the answer to a list. */
static size_t listed_size(const struct identity *id)
{
    return 8 + pubkey_blob(id->pub).n + id->comment.n;
}

struct identity *ring_find(const struct agent *a, struct bytes blob)
{
    for (struct identity *id = a->ring; id; id = id->next)
        if (bytes_equal(pubkey_blob(id->pub), blob)) return id;
    return NULL;
}

static struct identity **place_of(struct agent *a, const struct identity *id)
{
    struct identity **at = &a->ring;
    while (*at && *at != id) at = &(*at)->next;
    return at;
}

static void count(struct agent *a, const struct identity *id, bool in)
{
    if (in) {
        a->keys_n++, a->cost += id->cost, a->list_size += listed_size(id);
    } else {
        a->keys_n--, a->cost -= id->cost, a->list_size -= listed_size(id);
    }
}

enum err ring_put(struct agent *a, struct identity *id)
{
    struct identity *old = ring_find(a, pubkey_blob(id->pub));
    if (old) count(a, old, false);
    if (a->keys_n >= AGENT_KEYS_MAX || a->cost + id->cost > AGENT_RING_MAX || a->list_size + listed_size(id) > AGENT_MESSAGE_MAX - 5) {
        if (old) count(a, old, true);
        identity_free(id);
        return ERR_BUDGET;
    }
    struct identity **at = place_of(a, old);
    id->next = old ? old->next : NULL;
    *at = id;
    identity_free(old);
    count(a, id, true);
    return ERR_NONE;
}

void ring_remove(struct agent *a, struct identity *id)
{
    struct identity **at = place_of(a, id);
    *at = id->next;
    count(a, id, false);
    identity_free(id);
}

void agent_clear(struct agent *a)
{
    while (a->ring) ring_remove(a, a->ring);
}

size_t agent_key_count(const struct agent *a)
{
    return a->keys_n;
}

bool agent_uses_provider(const struct agent *a, const char *path)
{
    for (const struct identity *id = a->ring; id; id = id->next)
        if (id->provider && strcmp(id->provider, path) == 0) return true;
    return false;
}

uint64_t agent_deadline(const struct agent *a)
{
    uint64_t first = UINT64_MAX;
    for (const struct identity *id = a->ring; id; id = id->next)
        if (id->death_us < first) first = id->death_us;
    return first;
}

void agent_expire(struct agent *a, uint64_t now_us)
{
    for (struct identity *id = a->ring, *next; id; id = next) {
        next = id->next;
        if (id->death_us <= now_us) ring_remove(a, id);
    }
}
