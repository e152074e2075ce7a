/* SPDX-License-Identifier: ISC */
/* One request, one answer: the table of what there is, and how a question stops and resumes a request. */
#include "impl.h"

static enum err do_list(struct call *k)
{
    uint32_t n = 0;
    TRY(rd_done(&k->r));
    wr_u8(k->reply, MSG_LIST_ANSWER);
    for (const struct identity *id = k->a->ring; id; id = id->next) n += key_visible(k->c, id);
    wr_u32(k->reply, k->a->lock.on ? 0 : n);
    for (const struct identity *id = k->a->ring; id && !k->a->lock.on; id = id->next) {
        if (!key_visible(k->c, id)) continue;
        wr_string(k->reply, pubkey_blob(id->pub));
        wr_string(k->reply, secret_bytes(&id->comment));
    }
    return ERR_NONE;
}

static enum err do_remove(struct call *k)
{
    struct bytes blob = rd_string_max(&k->r, PUBKEY_BLOB_MAX);
    TRY(rd_done(&k->r));
    struct identity *id = ring_find(k->a, blob);
    if (!id) return ERR_NOT_FOUND;
    if (!key_visible(k->c, id)) return ERR_DENIED;
    ring_remove(k->a, id);
    wr_u8(k->reply, MSG_SUCCESS);
    return ERR_NONE;
}

static enum err do_remove_all(struct call *k)
{
    TRY(rd_done(&k->r));
    agent_clear(k->a);
    wr_u8(k->reply, MSG_SUCCESS);
    return ERR_NONE;
}

/* ---- extensions ---- */

static enum err do_bind(struct call *k)
{
    TRY(session_bind(k->c, &k->r, k->a->wall_s));
    wr_u8(k->reply, MSG_SUCCESS);
    return ERR_NONE;
}

static enum err do_query(struct call *k);

/* A locked agent must go on hearing where a connection leads: else one through a foreign host would later pass for one of ours. */
static const struct extension {
    const char *name;
    bool when_locked;
    enum err (*handle)(struct call *k);
} extensions[] = {
    {"session-bind@openssh.com", true, do_bind},
    {"query", false, do_query},
    {AGENT_FACTS_NAME, false, do_facts},
};

/* RFC 9987 3.8.1 */
static enum err do_query(struct call *k)
{
    TRY(rd_done(&k->r));
    wr_u8(k->reply, MSG_EXTENSION_RESPONSE);
    wr_cstring(k->reply, "query");
    for (size_t i = 0; i < COUNT_OF(extensions); i++) wr_cstring(k->reply, extensions[i].name);
    return ERR_NONE;
}

/* One that we know and that fails says so by a code of its own. */
static enum err do_extension(struct call *k)
{
    struct bytes name = rd_string(&k->r);
    TRY(k->r.err);
    for (size_t i = 0; i < COUNT_OF(extensions); i++) {
        const struct extension *x = &extensions[i];
        if (!bytes_is(name, x->name)) continue;
        if (k->a->lock.on && !x->when_locked) return ERR_DENIED;
        size_t start = k->reply->n;
        if (x->handle(k) == ERR_NONE) return wr_done(k->reply);
        k->reply->n = start;
        wr_u8(k->reply, MSG_EXTENSION_FAILURE);
        return ERR_NONE;
    }
    return ERR_UNSUPPORTED;
}

/* ---- the table ---- */

static const struct row {
    uint8_t type;
    bool when_locked;
    enum err (*handle)(struct call *k);
} rows[] = {
    {MSG_LIST, true, do_list},                  /* of which a locked agent has none */
    {MSG_SIGN, false, do_sign},
    {MSG_ADD, false, do_add},
    {MSG_ADD_CONSTRAINED, false, do_add},
    {MSG_REMOVE, false, do_remove},
    {MSG_REMOVE_ALL, false, do_remove_all},
    {MSG_ADD_TOKEN, false, do_add_token},
    {MSG_ADD_TOKEN_CONSTRAINED, false, do_add_token},
    {MSG_REMOVE_TOKEN, false, do_remove_token},
    {MSG_LOCK, false, do_lock},
    {MSG_UNLOCK, true, do_unlock},
    {MSG_EXTENSION, true, do_extension},
};

static enum err dispatch(struct call *k)
{
    TRY(k->r.err);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].type != k->type) continue;
        if (k->a->lock.on && !rows[i].when_locked) return ERR_DENIED;
        TRY(rows[i].handle(k));
        return wr_done(k->reply);
    }
    return ERR_UNSUPPORTED;
}

static void request_end(struct agent_conn *c)
{
    secret_clear(&c->request);
    secret_clear(&c->answers.path);
    secret_clear(&c->answers.token);
    c->answers = (struct answers){0};
    c->asking = false;
}

static enum agent_step run(struct agent *a, struct agent_conn *c, struct bytes request, uint64_t now_us, struct wr *reply)
{
    struct call k = {.a = a, .c = c, .r = rd_init(request), .size = request.n, .now_us = now_us, .reply = reply};
    size_t mark = wr_begin(reply);
    agent_expire(a, now_us);
    k.type = rd_u8(&k.r);
    size_t start = reply->n;
    enum err e = c->answers.said_no ? ERR_DENIED : dispatch(&k);
    if (e == ERR_AGAIN) {
        reply->n = mark;
        return AGENT_ASKS;
    }
    if (e != ERR_NONE && reply->err == ERR_NONE) {
        wipe(reply->p + start, reply->n - start);
        reply->n = start;
        wr_u8(reply, MSG_FAILURE);
    }
    wr_end(reply, mark);
    return AGENT_REPLIED;
}

void agent_wall_clock(struct agent *a, uint64_t now_s)
{
    a->wall_s = now_s;
}

static enum agent_step finish(struct agent_conn *c, enum agent_step step)
{
    if (step == AGENT_REPLIED) request_end(c);
    return step;
}

/* The request is copied first: a question's views must outlive the caller's buffer. */
enum agent_step agent_take(struct agent *a, struct agent_conn *c, struct bytes request, uint64_t now_us, struct wr *reply)
{
    request_end(c);
    if (secret_copy(&c->request, request) != ERR_NONE) {
        wr_fail(reply, ERR_NOMEM);
        return AGENT_REPLIED;
    }
    return finish(c, run(a, c, secret_bytes(&c->request), now_us, reply));
}

struct agent_question *question_open(struct call *k, enum agent_question_kind kind)
{
    k->c->asking = true;
    k->c->question = (struct agent_question){.kind = kind};
    return &k->c->question;
}

const struct agent_question *agent_question(const struct agent_conn *c)
{
    return c->asking ? &c->question : NULL;
}

static enum err answer_take(struct answers *ans, enum agent_question_kind kind, struct bytes bytes)
{
    switch (kind) {
    case AGENT_CONFIRM: ans->confirmed = true; return ERR_NONE;
    case AGENT_WAIT: ans->waited = true; return ERR_NONE;
    case AGENT_PATH: ans->have_path = true; return secret_copy(&ans->path, bytes);
    default: ans->have_token = true; return secret_copy(&ans->token, bytes);
    }
}

enum agent_step agent_answer(struct agent *a, struct agent_conn *c, bool yes, struct bytes bytes, uint64_t now_us, struct wr *reply)
{
    if (!c->asking) {
        wr_fail(reply, ERR_USAGE);
        return AGENT_REPLIED;
    }
    c->asking = false;
    if (!yes || answer_take(&c->answers, c->question.kind, bytes) != ERR_NONE) c->answers.said_no = true;
    return finish(c, run(a, c, secret_bytes(&c->request), now_us, reply));
}
