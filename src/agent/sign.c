/* SPDX-License-Identifier: ISC */
/* Signing (RFC 9987 3.6): may this connection have this signed by that key, does a person say yes, then the signature. */
#include <stdio.h>

#include "base/text.h"
#include "impl.h"
#include "key/cert.h"

static void hops_show(const struct agent_conn *c, const struct identity *id, struct agent_question *q)
{
    const struct pubkey *from = NULL;
    for (size_t i = 0; i < c->bindings_n; i++) {
        const struct binding *b = &c->bindings[i];
        const struct destination *d = destination_find(&id->limits, from, b->hostkey, NULL);
        q->hops[i] = (struct agent_hop){pubkey_blob(b->hostkey), d ? d->to.host : (struct bytes){0}, b->forwarding};
        from = b->hostkey;
    }
    q->hops_n = c->bindings_n;
    q->bind_failed = c->bind_tried && c->bindings_n == 0;
}

static enum err confirm_ask(struct call *k, const struct identity *id, const struct purpose *p)
{
    struct agent_question *q = question_open(k, AGENT_CONFIRM);
    q->key = id->pub;
    q->comment = secret_bytes(&id->comment);
    hops_show(k->c, id, q);
    q->purpose = p->kind;
    q->user = p->user;
    q->login_proved = login_proved(k->c, p);
    q->sshsig_namespace = p->space;
    return ERR_AGAIN;
}

/* RFC 9987 3.6.1, RFC 8332: flags choose among an RSA key's algorithms; the first of the others is the only one. */
static const struct sig_alg *alg_choose(const char *type, uint32_t flags)
{
    const char *want = NULL;
    if (strcmp(type, "ssh-rsa") == 0)
        want = flags & AGENT_RSA_SHA2_256 ? "rsa-sha2-256" : flags & AGENT_RSA_SHA2_512 ? "rsa-sha2-512" : "ssh-rsa";
    for (const struct sig_alg *a = sig_algs; a->name; a++)
        if (strcmp(a->key_type, type) == 0 && (!want || strcmp(a->name, want) == 0)) return a;
    return NULL;
}

static void used(struct identity *id, const struct call *k, const struct purpose *p)
{
    char text[200];
    bool login = p->kind == AGENT_FOR_LOGIN;
    id->uses++;
    id->used_us = k->now_us;
    const char *words = escape_str(login ? p->user : p->space, text, sizeof text);
    snprintf(id->used_for, sizeof id->used_for, "%s%s", login ? "login as " : p->kind == AGENT_FOR_SSHSIG ? "signature for " : "",
             p->kind == AGENT_FOR_OTHER ? "other data" : words);
}

/* A signature that a fault has spoiled may give the key away: none leaves unverified. */
static enum err sign_here(const struct identity *id, const struct sig_alg *alg, struct bytes data, struct wr *sig)
{
    TRY(privkey_sign(id->priv, alg, data, sig));
    return pubkey_verify(privkey_public(id->priv), alg, data, wr_bytes(sig)) == VERDICT_GOOD ? ERR_NONE : ERR_SIGNATURE;
}

/* What a token gives is believed only when it fits. Whether it was touched is for who gets the signature to judge. */
static enum err sign_by_token(struct call *k, const struct identity *id, const struct sig_alg *alg, struct bytes data, struct wr *sig)
{
    const struct answers *ans = &k->c->answers;
    const struct pubkey *plain = pubkey_plain(id->pub);
    if (ans->have_token) {
        wr_raw(sig, secret_bytes(&ans->token));
        TRY(wr_done(sig));
        return pubkey_verify_facts(plain, alg, data, wr_bytes(sig), NULL) == VERDICT_GOOD ? ERR_NONE : ERR_SIGNATURE;
    }
    struct agent_question *q = question_open(k, AGENT_TOKEN_SIGN);
    q->key = id->pub;
    q->priv = id->priv;
    q->comment = secret_bytes(&id->comment);
    q->alg = alg;
    q->data = data;
    q->provider = bytes_str(id->provider);
    return ERR_AGAIN;
}

/* A browser's key in a forwarded agent must not log in to web sites: with it only what is plainly SSH is signed. */
static bool websafe(const struct agent *a, const struct pubkey *key, const struct purpose *p)
{
    if (!a->setup.restrict_websafe || !pubkey_is_sk(key) || p->kind != AGENT_FOR_OTHER) return true;
    struct bytes allowed = bytes_str(a->setup.websafe_allow ? a->setup.websafe_allow : "ssh:*");
    return pattern_list_match(pubkey_application(key), allowed, false) == MATCH_YES;
}

enum err do_sign(struct call *k)
{
    struct bytes blob = rd_string_max(&k->r, PUBKEY_BLOB_MAX);
    struct bytes data = rd_string(&k->r);
    uint32_t flags = rd_u32(&k->r);
    TRY(rd_done(&k->r));
    struct identity *id = ring_find(k->a, blob);
    if (!id) return ERR_NOT_FOUND;
    struct purpose p = purpose_find(data, blob);
    if (!sign_permitted(k->c, id, &p) || !websafe(k->a, id->pub, &p)) return ERR_DENIED;
    const struct sig_alg *alg = alg_choose(pubkey_type(pubkey_plain(id->pub)), flags);
    if (!alg) return ERR_KEY_TYPE;
    if (id->limits.confirm && !k->c->answers.confirmed) return confirm_ask(k, id, &p);
    struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
    bool here = id->priv && !pubkey_is_sk(id->pub);
    TRY(here ? sign_here(id, alg, data, &sig) : sign_by_token(k, id, alg, data, &sig));
    used(id, k, &p);
    wr_u8(k->reply, MSG_SIGN_RESPONSE);
    wr_string(k->reply, wr_bytes(&sig));
    return ERR_NONE;
}
