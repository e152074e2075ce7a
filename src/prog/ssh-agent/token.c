/* SPDX-License-Identifier: ISC */
/* Keys on tokens. The agent loads no library: FIDO keys sign through a helper for each signature, PKCS#11 modules live in one helper each. */
#include <stdlib.h>
#include <strings.h>

#include "agentd.h"
#include "base/limits.h"
#include "kit/pkcs11.h"
#include "os/log.h"

#define PROVIDERS_MAX 32

struct provider {
    char *path;
    struct pkcs11 *module;
    unsigned users;                 /* signatures under way */
};
static struct provider providers[PROVIDERS_MAX];

static struct provider *provider_find(const char *path)
{
    for (size_t i = 0; i < PROVIDERS_MAX; i++)
        if (providers[i].path && strcmp(providers[i].path, path) == 0) return &providers[i];
    return NULL;
}

static void provider_close(struct provider *p)
{
    pkcs11_close(p->module);
    free(p->path);
    *p = (struct provider){0};
}

static void provider_put(const char *path, struct pkcs11 *module)
{
    struct provider *old = provider_find(path);
    if (old) {                          /* its signatures fail: nothing is under way in the new one */
        pkcs11_close(old->module);
        old->module = module;
        return;
    }
    for (size_t i = 0; i < PROVIDERS_MAX; i++) {
        if (providers[i].path) continue;
        providers[i].path = strdup(path);
        if (!providers[i].path) break;
        providers[i].module = module;
        return;
    }
    pkcs11_close(module);
}

void tokens_tidy(const struct agent *ring)
{
    for (size_t i = 0; i < PROVIDERS_MAX; i++)
        if (providers[i].path && !agent_uses_provider(ring, providers[i].path)) provider_close(&providers[i]);
}

/* ---- work ---- */

static struct token_work *loads;    /* those under way, and those that wait for one of the same provider */

static void load_unlink(const struct token_work *w)
{
    for (struct token_work **at = &loads; *at; at = &(*at)->next_load)
        if (*at == w) {
            *at = w->next_load;
            return;
        }
}

void token_work_drop(struct token_work *w)
{
    pkcs11_drop(&w->loading);
    if (w->is_load) load_unlink(w);
    sk_signing_drop(&w->sk);
    privkey_drop(&w->priv);
    pubkey_drop(&w->pub);
    secret_clear(&w->data);
    secret_clear(&w->pin);
    if (w->module_busy) {
        struct provider *p = provider_find(w->provider);
        if (p) {
            pkcs11_sign_abandon(p->module);     /* where it is not over */
            p->users--;
        }
    }
    free(w->provider);
    *w = (struct token_work){0};
}

/* The question's views end with it: what the work needs is copied. */
static enum err copy(struct token_work *w, const struct agent_question *q)
{
    w->alg = q->alg;
    TRY(secret_copy(&w->data, q->data));
    if (q->provider.n && !(w->provider = bytes_dup_str(q->provider))) return ERR_NOMEM;
    TRY(pubkey_parse(pubkey_blob(pubkey_plain(q->key)), &w->pub));
    if (!q->priv) return ERR_NONE;
    struct wr form CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    privkey_write(q->priv, &form);
    TRY(wr_done(&form));
    struct rd r = rd_init(wr_bytes(&form));
    return privkey_read(&r, &w->priv);
}

static enum err sk_start(struct token_work *w)
{
    w->how = (struct sk_how){.libexec_dir = LIBEXEC_DIR, .provider = w->provider, .pin = secret_bytes(&w->pin)};
    return sk_sign_begin(&w->how, w->priv, w->alg, secret_bytes(&w->data), &w->sk);
}

/* ---- loading a provider ---- */

/* One helper at a time for one provider: many tokens bear no second one beside it, and who comes second wants the same. */
static enum err load_start(struct token_work *w)
{
    const struct pkcs11_how how = {.libexec_dir = LIBEXEC_DIR};
    for (const struct token_work *l = loads; l; l = l->next_load)
        if (l->loading && strcmp(l->provider, w->provider) == 0) return ERR_NONE;
    enum err e = pkcs11_open_begin(&how, w->provider, secret_bytes(&w->pin), &w->loading);
    if (e != ERR_NONE) log_line(LOG_LEVEL_ERROR, "PKCS#11 provider: %s", pkcs11_why());
    return e;
}

enum err token_load_begin(struct token_work *w, const struct agent_question *q)
{
    w->provider = bytes_dup_str(q->provider);
    enum err e = w->provider ? secret_copy(&w->pin, q->pin) : ERR_NOMEM;
    w->is_load = true;
    w->next_load = loads;
    loads = w;
    if (e == ERR_NONE) e = load_start(w);
    if (e != ERR_NONE) token_work_drop(w);
    return e;
}

static enum err keys_write(const struct token_work *w, const struct pkcs11 *module, struct wr *out)
{
    for (size_t i = 0; i < pkcs11_count(module); i++) {
        const struct pkcs11_key *key = pkcs11_key(module, i);
        wr_string(out, pubkey_blob(key->pub));
        wr_cstring(out, key->label[0] ? key->label : w->provider);
    }
    return wr_done(out);
}

/* In a time that depends on the lengths only. */
static bool pin_same(const struct secret *a, const struct secret *b)
{
    unsigned differ = a->n != b->n;
    for (size_t i = 0; i < a->n && i < b->n; i++) differ |= (unsigned)(a->p[i] ^ b->p[i]);
    return differ == 0;
}

/* Who waits with the same PIN needs no helper of its own; with another one, that is to be tried. */
static void load_share(const struct token_work *w)
{
    for (struct token_work *l = loads; l; l = l->next_load)
        if (l != w && !l->loading && strcmp(l->provider, w->provider) == 0)
            l->joined = pin_same(&l->pin, &w->pin);
}

static enum err load_end(struct token_work *w, struct wr *out)
{
    const struct provider *there = w->joined ? provider_find(w->provider) : NULL;
    if (there) return keys_write(w, there->module, out);
    if (!w->loading) {
        w->joined = false;
        TRY(load_start(w));
        return ERR_AGAIN;
    }
    enum err e = pkcs11_open_end(w->loading);
    if (e == ERR_AGAIN) return e;
    if (e != ERR_NONE) {
        log_line(LOG_LEVEL_ERROR, "PKCS#11 provider %s: %s", w->provider, pkcs11_why());
        return e;
    }
    e = keys_write(w, w->loading, out);
    provider_put(w->provider, w->loading);
    w->loading = NULL;
    if (e == ERR_NONE) load_share(w);
    return e;
}

/* ---- signing ---- */

/* A module makes one signature at a time: who comes second waits. */
static enum err module_start(struct token_work *w)
{
    struct provider *p = w->provider ? provider_find(w->provider) : NULL;
    const struct pkcs11_key *key = p ? pkcs11_find(p->module, w->pub) : NULL;
    if (!key) return ERR_NOT_FOUND;
    w->queued = p->users > 0;
    if (w->queued) return ERR_NONE;
    TRY(pkcs11_sign_begin(p->module, key, w->alg, secret_bytes(&w->data)));
    p->users++;
    w->module_busy = true;
    return ERR_NONE;
}

enum err token_sign_begin(struct token_work *w, const struct agent_question *q)
{
    enum err e = copy(w, q);
    if (e == ERR_NONE) e = w->priv ? sk_start(w) : module_start(w);
    if (e == ERR_NONE) return e;
    log_line(LOG_LEVEL_ERROR, "a token cannot sign: %s", w->priv ? sk_why() : err_text(e));
    token_work_drop(w);
    return e;
}

enum err token_sign_again(struct token_work *w, struct bytes pin)
{
    TRY(secret_copy(&w->pin, pin));
    return sk_start(w);
}

int token_fd(const struct token_work *w)
{
    if (w->loading) return pkcs11_fd(w->loading);
    if (w->sk) return sk_fd(w->sk);
    const struct provider *p = w->module_busy ? provider_find(w->provider) : NULL;
    return p ? pkcs11_fd(p->module) : -1;
}

enum err token_sign_end(struct token_work *w, struct wr *out)
{
    if (w->is_load) return load_end(w, out);
    if (w->queued) {
        TRY(module_start(w));
        return ERR_AGAIN;
    }
    enum err e;
    if (w->priv) {
        e = sk_sign_end(w->sk, out);
        if (e == ERR_AGAIN) return e;
        sk_signing_drop(&w->sk);
    } else {
        struct provider *p = provider_find(w->provider);
        e = p ? pkcs11_sign_end(p->module, out) : ERR_NOT_FOUND;
        if (e == ERR_AGAIN) return e;
    }
    if (e != ERR_NONE) log_line(LOG_LEVEL_ERROR, "a token did not sign: %s", w->priv ? sk_why() : pkcs11_why());
    return e;
}
