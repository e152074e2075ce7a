/* SPDX-License-Identifier: ISC */
/* What a connection has proved about where it leads (session-bind@openssh.com, PROTOCOL.agent 1), and what that lets it do with a key that
 * is restricted to destinations. */
#include <stdlib.h>

#include "impl.h"
#include "key/cert.h"

struct agent_conn *agent_conn_new(void)
{
    return calloc(1, sizeof(struct agent_conn));
}

void agent_conn_free(struct agent_conn *c)
{
    if (!c) return;
    for (size_t i = 0; i < c->bindings_n; i++) pubkey_free(c->bindings[i].hostkey);
    secret_clear(&c->request);
    secret_clear(&c->answers.path);
    secret_clear(&c->answers.token);
    wipe(c, sizeof *c);
    free(c);
}

/* A host may sign with any algorithm its key has: the blob names it. */
static enum verdict host_verify(const struct pubkey *key, struct bytes session_id, struct bytes sig)
{
    struct bytes name = key_blob_type(sig);
    for (const struct sig_alg *a = sig_algs; a->name; a++)
        if (strcmp(a->key_type, pubkey_type(key)) == 0 && bytes_is(name, a->sig_name)) return pubkey_verify(key, a, session_id, sig);
    return VERDICT_BAD;
}

static struct bytes id_of(const struct binding *b)
{
    return bytes_of(b->session_id, b->session_id_n);
}

/* Is it new? ERR_NONE: yes; ERR_AGAIN: known already, fine; ERR_STATE: it must not be. */
static enum err binding_check(const struct agent_conn *c, struct bytes session_id, const struct pubkey *key)
{
    for (size_t i = 0; i < c->bindings_n; i++) {
        const struct binding *b = &c->bindings[i];
        if (!b->forwarding) return ERR_STATE;       /* bound for a login: it goes no further */
        if (!bytes_equal(id_of(b), session_id)) continue;
        return bytes_equal(pubkey_blob(b->hostkey), pubkey_blob(key)) ? ERR_AGAIN : ERR_STATE;
    }
    return c->bindings_n < AGENT_BINDINGS_MAX ? ERR_NONE : ERR_BUDGET;
}

enum err session_bind(struct agent_conn *c, struct rd *r, uint64_t wall_s)
{
    struct pubkey *key CLEANUP(pubkey_drop) = NULL;
    c->bind_tried = true;
    struct bytes blob = rd_string_max(r, PUBKEY_BLOB_MAX);
    struct bytes session_id = rd_string_max(r, AGENT_SESSION_ID_MAX);
    struct bytes sig = rd_string_max(r, SIGNATURE_MAX);
    bool forwarding = rd_bool(r);
    TRY(rd_done(r));
    if (session_id.n == 0) return ERR_FORMAT;
    TRY(pubkey_parse_any(blob, &key));
    if (host_verify(key, session_id, sig) != VERDICT_GOOD) return ERR_SIGNATURE;
    const char *why;
    if (pubkey_cert(key) && cert_check(pubkey_cert(key), CERT_HOST, wall_s, bytes_str(sig_algs_sound), &why) != VERDICT_GOOD) return ERR_HOSTKEY;
    enum err e = binding_check(c, session_id, key);
    if (e == ERR_AGAIN) return ERR_NONE;
    TRY(e);
    struct binding *b = &c->bindings[c->bindings_n++];
    *b = (struct binding){.hostkey = key, .session_id_n = session_id.n, .forwarding = forwarding};
    memcpy(b->session_id, session_id.p, session_id.n);
    key = NULL;
    return ERR_NONE;
}

/* Each hop that the connection went must be allowed; the last one, for a login, to that user. */
static bool path_permitted(const struct agent_conn *c, const struct identity *id, const struct bytes *user)
{
    const struct pubkey *from = NULL;
    for (size_t i = 0; i < c->bindings_n; i++) {
        const struct binding *b = &c->bindings[i];
        bool last = i + 1 == c->bindings_n;
        if (last && user && b->forwarding) return false;
        if (!last && !b->forwarding) return false;
        if (!destination_find(&id->limits, from, b->hostkey, last ? user : NULL)) return false;
        from = b->hostkey;
    }
    return true;
}

bool key_visible(const struct agent_conn *c, const struct identity *id)
{
    if (id->limits.dests_n == 0) return true;
    if (c->bindings_n == 0) return !c->bind_tried;      /* a program on this machine; but not one whose proof was bad */
    if (!path_permitted(c, id, NULL)) return false;
    /* Beyond a host that the key may only be used to log in to, it is not shown. */
    const struct binding *last = &c->bindings[c->bindings_n - 1];
    return !last->forwarding || destination_find(&id->limits, last->hostkey, NULL, NULL);
}

bool login_proved(const struct agent_conn *c, const struct purpose *p)
{
    if (p->kind != AGENT_FOR_LOGIN || c->bindings_n == 0) return false;
    const struct binding *last = &c->bindings[c->bindings_n - 1];
    if (last->forwarding || !bytes_equal(p->session_id, id_of(last))) return false;
    if (p->hostkey.n) return bytes_equal(p->hostkey, pubkey_blob(last->hostkey));
    return c->bindings_n == 1;      /* through a forwarded agent the signed text itself must name the host */
}

bool sign_permitted(const struct agent_conn *c, const struct identity *id, const struct purpose *p)
{
    if (id->limits.dests_n == 0) return true;
    return login_proved(c, p) && path_permitted(c, id, &p->user);
}
