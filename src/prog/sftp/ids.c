/* SPDX-License-Identifier: ISC */
/* Names of users and groups, asked from the server a batch at a time and kept. */
#include <stdlib.h>

#include "shell.h"

#define ID_NAMES_MAX 65536      /* then those that are not known stay numbers */
#define ID_BATCH     512        /* in one request */

struct id_names {
    struct { uint32_t id; char *name; } *v;     /* sorted by id; name NULL: the server has none */
    size_t count;
};

static size_t place_of(const struct id_names *n, uint32_t id)
{
    size_t from = 0, to = n ? n->count : 0;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (n->v[middle].id < id) from = middle + 1;
        else to = middle;
    }
    return from;
}

static bool known(const struct id_names *n, uint32_t id)
{
    size_t i = place_of(n, id);
    return n && i < n->count && n->v[i].id == id;
}

static const char *find(const struct id_names *n, uint32_t id)
{
    return known(n, id) ? n->v[place_of(n, id)].name : NULL;
}

const char *id_user(const struct shell *s, uint32_t uid)
{
    return find(s->users, uid);
}

const char *id_group(const struct shell *s, uint32_t gid)
{
    return find(s->groups, gid);
}

static void keep(struct id_names *n, uint32_t id, struct bytes name)
{
    size_t at = place_of(n, id);
    if (known(n, id)) return;
    n->v = must(realloc(n->v, (n->count + 1) * sizeof *n->v));
    memmove(n->v + at + 1, n->v + at, (n->count - at) * sizeof *n->v);
    n->v[at].id = id;
    n->v[at].name = name.n ? bytes_dup_str(name) : NULL;
    n->count++;
}

/* The names of a reply in the order of the ids asked. */
static void keep_all(struct id_names *n, struct bytes ids, struct bytes names)
{
    struct rd id = rd_init(ids), name = rd_init(names);
    while (id.n && name.n) {
        uint32_t i = rd_u32(&id);
        keep(n, i, rd_string(&name));
    }
}

static void ask(struct shell *s, struct wr *users, struct wr *groups)
{
    struct sftp_result r;
    struct sftp_op op = {.verb = SFTP_VERB_USERS_GROUPS, .uids = wr_bytes(users), .gids = wr_bytes(groups)};
    if (users->n + groups->n == 0) return;
    enum err e = link_call(s->link, &op, (struct bytes){0}, &r);
    if (e != ERR_NONE) line_broke(s, e);
    if (r.kind == SFTP_NAMES_OF_IDS) {
        keep_all(s->users, op.uids, r.data);
        keep_all(s->groups, op.gids, r.data2);
    }
    users->n = groups->n = 0;
}

/* Not known, not in the batch yet. */
static void want(const struct id_names *n, struct wr *batch, uint32_t id)
{
    if (known(n, id) || n->count >= ID_NAMES_MAX) return;
    for (size_t i = 0; i < batch->n; i += 4)
        if (get_u32(batch->p + i) == id) return;
    wr_u32(batch, id);
}

void ids_ask(struct shell *s, const struct sftp_attrs *attrs, size_t count, size_t stride)
{
    struct wr users CLEANUP(wr_clear) = wr_heap(4 * ID_BATCH), groups CLEANUP(wr_clear) = wr_heap(4 * ID_BATCH);
    if (!sftp_client_has(link_client(s->link), SFTP_VERB_USERS_GROUPS)) return;
    if (!s->users) s->users = must(calloc(1, sizeof *s->users));
    if (!s->groups) s->groups = must(calloc(1, sizeof *s->groups));
    for (size_t i = 0; i < count; i++) {
        const struct sftp_attrs *a = (const struct sftp_attrs *)(const void *)((const char *)attrs + i * stride);
        if (!(a->flags & SSH_FILEXFER_ATTR_UIDGID)) continue;
        want(s->users, &users, a->uid);
        want(s->groups, &groups, a->gid);
        if (users.n >= 4 * (ID_BATCH - 1) || groups.n >= 4 * (ID_BATCH - 1)) ask(s, &users, &groups);
    }
    ask(s, &users, &groups);
}

static void free_names(struct id_names *n)
{
    for (size_t i = 0; n && i < n->count; i++) free(n->v[i].name);
    if (n) free(n->v);
    free(n);
}

void ids_free(struct shell *s)
{
    free_names(s->users);
    free_names(s->groups);
    s->users = s->groups = NULL;
}
