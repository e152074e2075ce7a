/* SPDX-License-Identifier: ISC */
#include "kit/sk.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/limits.h"
#include "base/rd.h"
#include "base/text.h"
#include "helper.h"
#include "kit/sk_wire.h"

#define HELPER    "ssh-sk-helper"
#define ED25519   "sk-ssh-ed25519@openssh.com"
#define ECDSA     "sk-ecdsa-sha2-nistp256@openssh.com"

/* One helper and the one thing it was asked. */
struct ask {
    const struct sk_how *how;
    struct helper helper;
    unsigned asks;                  /* PINs asked for */
    uint8_t in[SKW_MESSAGE_MAX];
};

static char why[512];

const char *sk_why(void)
{
    return why;
}

static enum err fail(enum err e, const char *text)
{
    snprintf(why, sizeof why, "%s", text);
    return e;
}

/* ---- the helper ---- */

static void ask_drop(struct ask **p)
{
    struct ask *a = *p;
    *p = NULL;
    if (!a) return;
    helper_end(&a->helper);
    wipe(a->in, sizeof a->in);
    free(a);
}

static enum err lost(enum err e)
{
    return fail(e, e == ERR_TIMEOUT     ? "the authenticator does not answer"
                   : e == ERR_PEER_GONE ? HELPER " ended without an answer"
                                        : HELPER " does not keep to its protocol");
}

/* ---- messages ---- */

static enum err send_to(struct ask *a, const struct wr *w)
{
    if (w->err != ERR_NONE) return fail(w->err, "too long for " HELPER);
    enum err e = helper_send(&a->helper, wr_bytes(w), a->how->timeout_s);
    return e ? lost(e) : ERR_NONE;
}

/* A request's beginning. */
static struct wr request(const struct sk_how *how, enum skw_type type)
{
    struct wr w = wr_heap(SKW_MESSAGE_MAX);
    bool internal = !how->provider || strcasecmp(how->provider, "internal") == 0;
    wr_u8(&w, (uint8_t)type);
    wr_cstring(&w, internal ? "" : how->provider);
    wr_cstring(&w, how->device ? how->device : "");
    wr_string(&w, how->pin);
    wr_bool(&w, how->ask_pin != NULL);
    if (how->pin.n > SKW_PIN_MAX) wr_fail(&w, ERR_TOO_LONG);
    return w;
}

static enum err ask_begin(const struct sk_how *how, const struct wr *w, struct ask **out)
{
    const struct helper_how start = {HELPER, "SSH_SK_HELPER", how->libexec_dir, how->verbose};
    struct ask *a CLEANUP(ask_drop) = calloc(1, sizeof *a);
    why[0] = 0;
    if (!a) return fail(ERR_NOMEM, "out of memory");
    a->helper = (struct helper)HELPER_NONE;
    a->how = how;
    TRY(helper_start(&start, why, sizeof why, &a->helper));
    TRY(send_to(a, w));
    *out = a;
    a = NULL;
    return ERR_NONE;
}

static enum err on_need_pin(struct ask *a, struct rd *r)
{
    uint8_t room[SKW_PIN_MAX + 8];
    struct secret pin CLEANUP(secret_clear) = {0};
    struct wr w = wr_span((struct span){room, sizeof room});
    if (rd_done(r) != ERR_NONE || !a->how->ask_pin || a->asks++ >= SK_ASKS_MAX) return lost(ERR_PROTOCOL);
    if (a->how->ask_pin(a->how->ctx, &pin) != ERR_NONE || pin.n > SKW_PIN_MAX || (pin.n && memchr(pin.p, 0, pin.n))) secret_clear(&pin);
    wr_u8(&w, SKW_PIN);
    wr_string(&w, secret_bytes(&pin));
    enum err e = send_to(a, &w);
    wipe(room, sizeof room);
    return e;
}

static enum err on_failed(struct rd *r)
{
    enum err code;
    return helper_failure(r, why, sizeof why, &code) == ERR_NONE ? code : lost(ERR_PROTOCOL);
}

/* The next message that is not about a PIN, which must be of one of two types; *r stands behind its type. wait: until the deadline. */
static enum err answer_recv(struct ask *a, bool wait, enum skw_type this, enum skw_type or_that, enum skw_type *type, struct rd *r)
{
    for (;;) {
        struct bytes m;
        enum err e = helper_recv(&a->helper, wait, (struct span){a->in, sizeof a->in}, &m);
        if (e) return e == ERR_AGAIN ? e : lost(e);
        *r = rd_init(m);
        *type = (enum skw_type)rd_u8(r);
        if (*type == SKW_FAILED) return on_failed(r);
        if (*type == this || *type == or_that) return ERR_NONE;
        if (*type != SKW_NEED_PIN) return lost(ERR_PROTOCOL);
        TRY(on_need_pin(a, r));
    }
}

/* ---- signing ---- */

struct sk_signing {
    struct ask *ask;
    const struct privkey *key;
    const struct sig_alg *alg;      /* the plain key's */
    struct secret text;
};

void sk_signing_drop(struct sk_signing **s)
{
    if (!*s) return;
    ask_drop(&(*s)->ask);
    secret_clear(&(*s)->text);
    free(*s);
    *s = NULL;
}

int sk_fd(const struct sk_signing *s)
{
    return s->ask->helper.fd;
}

static uint8_t alg_number(const char *type)
{
    return strcmp(type, ED25519) == 0 ? SKW_ED25519 : SKW_ECDSA;
}

enum err sk_sign_begin(const struct sk_how *how, const struct privkey *k, const struct sig_alg *alg, struct bytes msg, struct sk_signing **out)
{
    struct sk_private half;
    const char *type = pubkey_type(privkey_public(k));
    why[0] = 0;
    if (!privkey_sk(k, &half) || strcmp(alg->sig_name, type) != 0) return fail(ERR_KEY_TYPE, "this key does not sign by this algorithm");
    if (msg.n > SKW_TEXT_MAX) return fail(ERR_TOO_LONG, "too long to be signed by an authenticator");
    struct sk_signing *s CLEANUP(sk_signing_drop) = calloc(1, sizeof *s);
    if (!s) return fail(ERR_NOMEM, "out of memory");
    s->key = k;
    s->alg = sig_alg_find(bytes_str(type));
    TRY(secret_copy(&s->text, msg));
    struct wr w CLEANUP(wr_clear) = request(how, SKW_SIGN);
    wr_u8(&w, alg_number(type));
    wr_string(&w, half.application);
    wr_string(&w, half.handle);
    wr_u8(&w, half.flags);
    wr_string(&w, msg);
    TRY(ask_begin(how, &w, &s->ask));
    *out = s;
    s = NULL;
    return ERR_NONE;
}

static enum err sign_end(struct sk_signing *s, bool wait, struct wr *out)
{
    struct wr blob CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
    const struct pubkey *pub = privkey_public(s->key);
    enum skw_type type;
    struct rd r;
    TRY(answer_recv(s->ask, wait, SKW_SIGNED, SKW_SIGNED, &type, &r));
    struct sk_answer a = {.flags = rd_u8(&r), .counter = rd_u32(&r)};
    a.r = rd_string(&r);
    a.s = rd_string(&r);
    if (rd_done(&r) != ERR_NONE) return lost(ERR_PROTOCOL);
    if (sk_signature_write(pub, &a, &blob) != ERR_NONE ||
        pubkey_verify_facts(pub, s->alg, secret_bytes(&s->text), wr_bytes(&blob), NULL) != VERDICT_GOOD)
        return fail(ERR_SIGNATURE, "the authenticator's signature is not good");
    wr_raw(out, wr_bytes(&blob));
    return wr_done(out);
}

enum err sk_sign_end(struct sk_signing *s, struct wr *out)
{
    return sign_end(s, false, out);
}

enum err sk_sign(const struct sk_how *how, const struct privkey *k, const struct sig_alg *alg, struct bytes msg, struct wr *out)
{
    struct sk_signing *s CLEANUP(sk_signing_drop) = NULL;
    TRY(sk_sign_begin(how, k, alg, msg, &s));
    return sign_end(s, true, out);
}

/* ---- enrolling ---- */

struct enrolled {
    uint8_t flags;
    struct bytes public_key, handle, signature, certificate, authdata;
};

static void attestation_write(const struct enrolled *e, struct wr *w)
{
    wr_cstring(w, "ssh-sk-attest-v01");
    wr_string(w, e->certificate);
    wr_string(w, e->signature);
    wr_string(w, e->authdata);
    wr_u32(w, 0);                       /* reserved: flags, string */
    wr_string(w, (struct bytes){0});
}

static enum err enroll_request(const struct sk_how *how, const struct sk_plan *plan, const struct random *random, struct ask **out)
{
    uint8_t fresh[32];
    struct bytes challenge = plan->challenge;
    if (challenge.n == 0) {
        TRY(random_fill(random, fresh, sizeof fresh));
        challenge = bytes_of(fresh, sizeof fresh);
    }
    struct wr w CLEANUP(wr_clear) = request(how, SKW_ENROLL);
    wr_u8(&w, alg_number(plan->type));
    wr_cstring(&w, plan->application);
    wr_cstring(&w, plan->user ? plan->user : "");
    wr_u8(&w, plan->flags);
    wr_string(&w, challenge);
    return ask_begin(how, &w, out);
}

enum err sk_enroll(const struct sk_how *how, const struct sk_plan *plan, const struct random *random, struct privkey **out,
                   struct wr *attestation)
{
    struct ask *a CLEANUP(ask_drop) = NULL;
    enum skw_type type;
    struct rd r;
    if (strcmp(plan->type, ED25519) != 0 && strcmp(plan->type, ECDSA) != 0) return fail(ERR_KEY_TYPE, "not a key type of authenticators");
    TRY(enroll_request(how, plan, random, &a));
    TRY(answer_recv(a, true, SKW_ENROLLED, SKW_ENROLLED, &type, &r));
    struct enrolled said = {.flags = rd_u8(&r)};
    said.public_key = rd_string(&r);
    said.handle = rd_string(&r);
    said.signature = rd_string(&r);
    said.certificate = rd_string(&r);
    said.authdata = rd_string(&r);
    if (rd_done(&r) != ERR_NONE) return lost(ERR_PROTOCOL);
    /* FORCE was for this time only */
    const struct sk_private half = {(uint8_t)(said.flags & ~SK_FORCE), bytes_str(plan->application), said.handle, {0}};
    if (privkey_sk_new(plan->type, said.public_key, &half, out) != ERR_NONE) return fail(ERR_KEY_INVALID, "the authenticator's answer is no key");
    if (attestation) attestation_write(&said, attestation);
    return ERR_NONE;
}

/* ---- resident keys ---- */

void sk_residents_free(struct sk_resident *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        privkey_free(list[i].key);
        secret_clear(&list[i].user);
    }
    free(list);
}

/* A key that is none, or not for SSH, is left out. */
static enum err resident_take(struct rd *r, struct sk_resident *to, size_t *n)
{
    uint8_t alg = rd_u8(r), flags = rd_u8(r);
    struct bytes application = rd_string(r), user = rd_string(r), public_key = rd_string(r), handle = rd_string(r);
    if (rd_done(r) != ERR_NONE) return lost(ERR_PROTOCOL);
    const struct sk_private half = {(uint8_t)((flags & SK_VERIFY) | SK_PRESENCE | SK_RESIDENT), application, handle, {0}};
    if (alg > SKW_ED25519 || !bytes_starts(application, "ssh:")) return ERR_NONE;
    enum err e = privkey_sk_new(alg == SKW_ED25519 ? ED25519 : ECDSA, public_key, &half, &to->key);
    if (e == ERR_NOMEM) return fail(e, "out of memory");
    if (e != ERR_NONE) return ERR_NONE;
    (*n)++;
    return secret_copy(&to->user, user) == ERR_NONE ? ERR_NONE : fail(ERR_NOMEM, "out of memory");
}

static enum err residents_recv(struct ask *a, struct sk_resident *list, size_t *n)
{
    enum skw_type type;
    struct rd r;
    for (;;) {
        TRY(answer_recv(a, true, SKW_RESIDENT, SKW_LOADED, &type, &r));
        if (type == SKW_LOADED) break;
        if (*n == SKW_RESIDENTS_MAX) return lost(ERR_PROTOCOL);
        TRY(resident_take(&r, &list[*n], n));
    }
    (void)rd_u32(&r);
    return rd_done(&r) == ERR_NONE ? ERR_NONE : lost(ERR_PROTOCOL);
}

enum err sk_residents(const struct sk_how *how, struct sk_resident **out, size_t *n)
{
    struct ask *a CLEANUP(ask_drop) = NULL;
    struct wr w CLEANUP(wr_clear) = request(how, SKW_LOAD);
    TRY(ask_begin(how, &w, &a));
    struct sk_resident *list = calloc(SKW_RESIDENTS_MAX, sizeof *list);
    size_t count = 0;
    enum err e = list ? residents_recv(a, list, &count) : fail(ERR_NOMEM, "out of memory");
    if (e) {
        sk_residents_free(list, list ? count : 0);
        return e;
    }
    *out = list;
    *n = count;
    return ERR_NONE;
}
