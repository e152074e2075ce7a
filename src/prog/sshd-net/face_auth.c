/* SPDX-License-Identifier: ISC */
#include "face.h"

#include "base/rd.h"
#include "base/text.h"
#include "key/key.h"

#include <unistd.h>

#define BANNER_PIECE 8192

/* ---- signatures with the host key ---- */

void face_sign(struct face *f, const struct event *ev)
{
    struct ask_sign ask = {.type = ASK_SIGN, .hostkey = (uint32_t)ev->sign.hostkey};
    FIELD_SET(&ask, hash, ev->sign.msg);
    FIELD_SET(&ask, alg, ev->sign.alg);
    f->sign_question = ev->question;
    face_ask(f, &ask);
}

void face_signed(struct face *f, const struct say_signed *say)
{
    struct bounded sig = FIELD(say, sig);
    const struct answer a = {.type = say->ok && sig.err == ERR_NONE ? ANSWER_YES : ANSWER_NO, .data = sig.b};
    (void)!conn_answer(f->conn, f->sign_question, &a);
    f->sign_question = 0;
}

/* ---- authentication ---- */

static void who_set(struct ask_who *w, const struct auth_try *t)
{
    FIELD_SET(w, user, t->user);
    FIELD_SET(w, service, t->service);
}

static void key_head_set(struct ask_key_head *h, const struct auth_try *t)
{
    h->has_sig = t->has_sig, h->hostbound = t->hostbound;
    who_set(&h->who, t);
    FIELD_SET(h, alg, t->alg);
    h->key_n = (uint32_t)t->key.n, h->sig_n = (uint32_t)t->sig.n;
}

static void copy(uint8_t *to, struct bytes from)
{
    if (from.n > 0) memcpy(to, from.p, from.n);
}

static void ask_key(struct face *f, const struct auth_try *t)
{
    if (t->key.n <= ASK_KEY_SMALL && t->sig.n <= ASK_SIG_SMALL) {
        struct ask_auth_key *a = &face_ask_out.AUTH_KEY;
        a->type = ASK_AUTH_KEY;
        key_head_set(&a->head, t);
        copy(a->key, t->key), copy(a->sig, t->sig);
    } else {
        struct ask_auth_key_big *a = &face_ask_out.AUTH_KEY_BIG;
        a->type = ASK_AUTH_KEY_BIG;
        key_head_set(&a->head, t);
        copy(a->key, t->key), copy(a->sig, t->sig);
    }
    face_ask(f, &face_ask_out);
}

/* A secret that is too long is cut one byte above the limit: the warden sees that, and refuses it at the usual cost. */
static void ask_secret(struct face *f, const struct auth_try *t, uint32_t kbdint, struct bytes secret)
{
    struct ask_auth_secret *a = &face_ask_out.AUTH_SECRET;
    a->type = ASK_AUTH_SECRET, a->kbdint = kbdint, a->change = t->change;
    who_set(&a->who, t);
    FIELD_SET(a, secret, secret);
    face_ask(f, &face_ask_out);
    wipe(&face_ask_out, sizeof *a);
}

static void ask_other(struct face *f, const struct auth_try *t)
{
    struct ask_auth_other *a = &face_ask_out.AUTH_OTHER;
    a->type = ASK_AUTH_OTHER;
    who_set(&a->who, t);
    FIELD_SET(a, method, t->method_name);
    face_ask(f, &face_ask_out);
}

void face_auth_try(struct face *f, const struct event *ev)
{
    const struct auth_try *t = &ev->auth;
    f->auth_question = ev->question;
    /* Names longer than any user or key can be known by nobody; what a field cannot hold goes as a method nobody knows. */
    bool fits = t->user.n <= USER_NAME_MAX && t->service.n <= ASK_SERVICE_MAX && t->alg.n <= ASK_NAME_MAX && t->key.n <= PUBKEY_BLOB_MAX &&
                t->sig.n <= SIGNATURE_MAX;
    memset(&face_ask_out, 0, sizeof face_ask_out.AUTH_KEY);
    if (fits && t->method == AUTH_PUBLICKEY) ask_key(f, t);
    else if (fits && t->method == AUTH_PASSWORD) ask_secret(f, t, 0, t->password);
    else if (fits && t->method == AUTH_KBDINT) ask_secret(f, t, t->response ? 2 : 1, t->response && t->answer_count == 1 ? t->answers[0] : (struct bytes){0});
    else ask_other(f, t);
}

/* A long banner goes in pieces: the conn holds only so much, and the peer must take it before there is room for more. */
static void banner_send(struct face *f)
{
    for (size_t at = 0; at < f->banner.n;) {
        size_t n = f->banner.n - at < BANNER_PIECE ? f->banner.n - at : BANNER_PIECE;
        enum err e = conn_banner(f->conn, bytes_of(f->banner.p + at, n));
        if (e == ERR_NONE) at += n;
        else if (e != ERR_AGAIN) break;
        else face_flush(f);
    }
    wr_clear(&f->banner);
    f->banner = (struct wr){0};
}

void face_ext(struct face *f, const struct say_ext *say)
{
    uint8_t room[sizeof say->algs];
    struct bounded algs = FIELD(say, algs);
    if (algs.err != ERR_NONE) _exit(0);
    if (!conn_facts(f->conn)->peer_ext_info_late) return;
    while (conn_ext_info(f->conn, net_sig_algs(algs.b, (struct span){room, sizeof room}), say->agent != 0) == ERR_AGAIN) face_flush(f);
}

static void auth_done(struct face *f, const struct say_auth *say)
{
    f->authenticated = true;
    f->policy = say->policy;
    face_limits_begin(f);
}

void face_auth_say(struct face *f, const struct say_auth *say)
{
    static const enum answer_type types[] = {[SAY_AUTH_NO] = ANSWER_NO, [SAY_AUTH_YES] = ANSWER_YES, [SAY_AUTH_PARTIAL] = ANSWER_PARTIAL,
                                             [SAY_AUTH_PK_OK] = ANSWER_PK_OK, [SAY_AUTH_PROMPT] = ANSWER_PROMPTS};
    struct bounded methods = FIELD(say, methods), text = FIELD(say, prompt);
    if (say->result >= COUNT_OF(types) || f->auth_question == 0 || methods.err != ERR_NONE || text.err != ERR_NONE) _exit(0);
    const struct prompt prompt = {.text = text.b, .echo = false};
    struct answer a = {.type = types[say->result], .data = methods.b};
    if (say->result == SAY_AUTH_PROMPT) a.prompts = &prompt, a.count = 1;
    uint32_t question = f->auth_question;
    f->auth_question = 0;
    banner_send(f);
    if (conn_answer(f->conn, question, &a) != ERR_NONE) _exit(0);
    if (say->result == SAY_AUTH_YES) {
        auth_done(f, say);
        face_hostkeys_announce(f);
    }
}

/* ---- host key rotation (draft-miller-sshm-hostkey-update) ---- */

/* Certificates are not announced: who knows their authority needs none. */
static bool is_cert(const struct conn_hostkey *k)
{
    struct bytes first = {0};
    size_t pos = 0;
    const struct sig_alg *alg = names_next(k->algs, &pos, &first) ? sig_alg_find(first) : NULL;
    return alg && sig_alg_is_cert(alg);
}

void face_hostkeys_announce(struct face *f)
{
    const struct conn_setup *s = &f->setup->conn;
    struct wr body CLEANUP(wr_clear) = wr_heap(FACE_CONF_MAX);
    if (!conn_facts(f->conn)->peer_is_openssh) return;
    for (size_t i = 0; i < s->hostkey_count; i++)
        if (!is_cert(&s->hostkeys[i])) wr_string(&body, s->hostkeys[i].blob);
    const struct global_request g = {.type = GLOBAL_HOSTKEYS, .name = BYTES_LIT("hostkeys-00@openssh.com"), .body = wr_bytes(&body)};
    if (wr_done(&body) == ERR_NONE) (void)!conn_global(f->conn, &g, 0);
}

/* For an RSA key the algorithm is the one that was negotiated, if that is an RSA one; else the first it can do. */
static void prove_ask(struct face *f, uint32_t hostkey)
{
    struct bytes algs = f->setup->conn.hostkeys[hostkey].algs, used = conn_facts(f->conn)->hostkey_alg, first = {0};
    size_t pos = 0;
    const struct sig_alg *agreed = sig_alg_find(used);
    if (agreed) used = bytes_str(sig_alg_plain(agreed)->name);     /* of a certificate: that of its key */
    struct ask_prove ask = {.type = ASK_PROVE, .hostkey = hostkey};
    (void)names_next(algs, &pos, &first);
    FIELD_SET(&ask, alg, names_has(algs, used) ? used : first);
    face_ask(f, &ask);
}

void face_prove(struct face *f, const struct event *ev)
{
    const struct conn_setup *s = &f->setup->conn;
    struct rd r = rd_init(ev->global.body);
    uint32_t wanted[FACE_HOSTKEYS_MAX], n = 0;
    while (r.n > 0 && r.err == ERR_NONE && n < FACE_HOSTKEYS_MAX) {
        struct bytes blob = rd_string(&r);
        uint32_t i = 0;
        while (i < s->hostkey_count && (is_cert(&s->hostkeys[i]) || !bytes_equal(blob, s->hostkeys[i].blob))) i++;
        if (i == s->hostkey_count) break;
        wanted[n++] = i;
    }
    if (rd_done(&r) != ERR_NONE || n == 0 || f->prove_question != 0) {
        face_answer(f, ev->question, false);
        return;
    }
    f->prove_question = ev->question, f->prove_left = n;
    f->proofs = wr_heap(FACE_HOSTKEYS_MAX * (SIGNATURE_OUT + 4));
    for (uint32_t i = 0; i < n; i++) prove_ask(f, wanted[i]);
}

void face_proved(struct face *f, const struct say_signed *say)
{
    struct bounded sig = FIELD(say, sig);
    if (f->prove_question == 0) return;
    if (!say->ok || sig.err != ERR_NONE) wr_fail(&f->proofs, ERR_SIGNATURE);
    wr_string(&f->proofs, sig.b);
    if (--f->prove_left > 0) return;
    struct answer a = {.type = wr_done(&f->proofs) == ERR_NONE ? ANSWER_YES : ANSWER_NO, .data = wr_bytes(&f->proofs)};
    (void)!conn_answer(f->conn, f->prove_question, &a);
    f->prove_question = 0;
    wr_clear(&f->proofs);
    f->proofs = (struct wr){0};
}

/* ---- groups for RFC 4419 ---- */

void face_gex(struct face *f, const struct event *ev)
{
    struct ask_group ask = {.type = ASK_GROUP, .question = ev->question, .min = ev->gex.min, .want = ev->gex.want, .max = ev->gex.max};
    face_ask(f, &ask);
}

void face_group(struct face *f, const struct say_group *say)
{
    struct bounded p = FIELD(say, p), g = FIELD(say, g);
    bool ok = say->ok && p.err == ERR_NONE && g.err == ERR_NONE;
    const struct answer a = {.type = ok ? ANSWER_YES : ANSWER_NO, .group = {.p = p.b, .g = g.b}};
    (void)!conn_answer(f->conn, say->question, &a);
}
