/* SPDX-License-Identifier: ISC */
#include "kit/pkcs11.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/rd.h"
#include "base/text.h"
#include "helper.h"
#include "kit/pkcs11_wire.h"

#define HELPER     "ssh-pkcs11-helper"
#define INPUT_MAX  (PKCS11_TEXT_MAX + 64)

struct key {
    struct pkcs11_key pub;
    uint32_t id;                    /* the helper's number */
};

struct pkcs11 {
    struct pkcs11_how how;
    struct helper helper;
    struct key *key;
    size_t keys;
    unsigned asks;                  /* PINs asked for since the request */
    /* the signature under way */
    const struct key *signer;
    unsigned abandoned;             /* answers still to come that nobody wants */
    const struct sig_alg *alg;
    struct secret text;
    uint8_t in[P11_MESSAGE_MAX];
};

static char why[256];

const char *pkcs11_why(void)
{
    return why;
}

static enum err fail(enum err e, const char *text)
{
    snprintf(why, sizeof why, "%s", text);
    return e;
}

/* ---- the helper ---- */

static enum err helper_lost(struct pkcs11 *p, enum err e)
{
    helper_end(&p->helper);
    return fail(e, e == ERR_TIMEOUT     ? "the PKCS#11 module does not answer"
                   : e == ERR_PEER_GONE ? "the PKCS#11 module crashed"
                                        : HELPER " does not keep to its protocol");
}

/* ---- messages ---- */

static enum err request_send(struct pkcs11 *p, const struct wr *w)
{
    TRY(wr_done(w));
    if (p->helper.fd < 0) return fail(ERR_PEER_GONE, "the PKCS#11 module is gone");
    enum err e = helper_send(&p->helper, wr_bytes(w), p->how.timeout_s);
    return e ? helper_lost(p, e) : ERR_NONE;
}

static enum err pin_send(struct pkcs11 *p, struct bytes pin)
{
    uint8_t room[P11_PIN_MAX + 8];
    struct wr w = wr_span((struct span){room, sizeof room});
    wr_u8(&w, P11_PIN);
    wr_string(&w, pin.n <= P11_PIN_MAX ? pin : bytes_of(NULL, 0));
    enum err e = request_send(p, &w);
    wipe(room, sizeof room);
    return e;
}

static enum err on_need_pin(struct pkcs11 *p, struct rd *r)
{
    char label[P11_LABEL_MAX];
    CLEANUP(secret_clear) struct secret pin = {0};
    struct bytes name = rd_string(r);
    bool again = rd_bool(r);
    if (rd_done(r) != ERR_NONE || p->asks++ >= 2 * P11_ASKS_MAX) return helper_lost(p, ERR_PROTOCOL);
    escape_str(name, label, sizeof label);
    if (!p->how.pin || p->how.pin(p->how.ctx, label, again, &pin) != ERR_NONE) secret_clear(&pin);
    return pin_send(p, secret_bytes(&pin));
}

static enum err on_failed(struct pkcs11 *p, struct rd *r)
{
    enum err code;
    return helper_failure(r, why, sizeof why, &code) == ERR_NONE ? code : helper_lost(p, ERR_PROTOCOL);
}

/* The next message that is not about a PIN; *r stands behind its type. wait: until the deadline. */
static enum err answer_recv(struct pkcs11 *p, bool wait, enum p11_type *type, struct rd *r)
{
    for (;;) {
        struct bytes m;
        if (p->helper.fd < 0) return fail(ERR_PEER_GONE, "the PKCS#11 module is gone");
        enum err e = helper_recv(&p->helper, wait, (struct span){p->in, sizeof p->in}, &m);
        if (e) return e == ERR_AGAIN ? e : helper_lost(p, e);
        *r = rd_init(m);
        *type = (enum p11_type)rd_u8(r);
        if (p->abandoned > 0 && (*type == P11_FAILED || *type == P11_SIGNATURE)) {
            p->abandoned--;
            continue;
        }
        if (*type == P11_FAILED) return on_failed(p, r);
        if (*type != P11_NEED_PIN) return ERR_NONE;
        TRY(on_need_pin(p, r));
    }
}

/* ---- keys ---- */

size_t pkcs11_count(const struct pkcs11 *p)
{
    return p->keys;
}

const struct pkcs11_key *pkcs11_key(const struct pkcs11 *p, size_t i)
{
    return i < p->keys ? &p->key[i].pub : NULL;
}

const struct pkcs11_key *pkcs11_find(const struct pkcs11 *p, const struct pubkey *pub)
{
    for (size_t i = 0; i < p->keys; i++)
        if (bytes_equal(pubkey_blob(p->key[i].pub.pub), pubkey_blob(pub))) return &p->key[i].pub;
    return NULL;
}

/* A key that is not one of ours in kind or size is left out; the same key as public key and in a certificate counts once. */
static enum err key_take(struct pkcs11 *p, struct rd *r)
{
    char label[P11_LABEL_MAX];
    struct pubkey *pub;
    uint32_t id = rd_u32(r);
    struct bytes blob = rd_string(r), name = rd_string(r);
    if (rd_done(r) != ERR_NONE || p->keys == P11_KEYS_MAX) return helper_lost(p, ERR_PROTOCOL);
    enum err e = pubkey_parse(blob, &pub);
    if (e == ERR_NOMEM) return fail(e, "out of memory");
    if (e != ERR_NONE) return ERR_NONE;
    if (pkcs11_find(p, pub)) {
        pubkey_free(pub);
        return ERR_NONE;
    }
    struct key *more = realloc(p->key, (p->keys + 1) * sizeof *more);
    char *copy = strdup(escape_str(name, label, sizeof label));
    if (more) p->key = more;
    if (!more || !copy) {
        free(copy);
        pubkey_free(pub);
        return fail(ERR_NOMEM, "out of memory");
    }
    p->key[p->keys++] = (struct key){.pub = {.pub = pub, .label = copy}, .id = id};
    return ERR_NONE;
}

static enum err list(struct pkcs11 *p, bool wait)
{
    enum p11_type type;
    struct rd r;
    for (;;) {
        TRY(answer_recv(p, wait, &type, &r));
        if (type != P11_KEY) break;
        TRY(key_take(p, &r));
    }
    (void)rd_u32(&r);
    return type == P11_LISTED && rd_done(&r) == ERR_NONE ? ERR_NONE : helper_lost(p, ERR_PROTOCOL);
}

static enum err load_begin(struct pkcs11 *p, const char *provider, struct bytes pin)
{
    CLEANUP(wr_clear) struct wr w = wr_heap(8192);
    if (pin.n > P11_PIN_MAX) return fail(ERR_PASSPHRASE, "the PIN is too long");
    wr_u8(&w, P11_LOAD);
    wr_cstring(&w, provider);
    wr_string(&w, pin);
    wr_bool(&w, p->how.pin != NULL);
    const struct helper_how start = {HELPER, "SSH_PKCS11_HELPER", p->how.libexec_dir, p->how.verbose};
    TRY(helper_start(&start, why, sizeof why, &p->helper));
    return request_send(p, &w);
}

static enum err explained(enum err e)
{
    return e && e != ERR_AGAIN && !why[0] ? fail(e, err_text(e)) : e;
}

enum err pkcs11_open_begin(const struct pkcs11_how *how, const char *provider, struct bytes pin, struct pkcs11 **out)
{
    CLEANUP(pkcs11_drop) struct pkcs11 *p = calloc(1, sizeof *p);
    if (!p) return fail(ERR_NOMEM, "out of memory");
    why[0] = 0;
    p->helper = (struct helper)HELPER_NONE;
    p->how = *how;
    TRY(explained(load_begin(p, provider, pin)));
    *out = p;
    p = NULL;
    return ERR_NONE;
}

enum err pkcs11_open_end(struct pkcs11 *p)
{
    return explained(list(p, false));
}

enum err pkcs11_open(const struct pkcs11_how *how, const char *provider, struct bytes pin, struct pkcs11 **out)
{
    CLEANUP(pkcs11_drop) struct pkcs11 *p = NULL;
    TRY(pkcs11_open_begin(how, provider, pin, &p));
    TRY(explained(list(p, true)));
    *out = p;
    p = NULL;
    return ERR_NONE;
}

void pkcs11_close(struct pkcs11 *p)
{
    if (!p) return;
    helper_end(&p->helper);
    for (size_t i = 0; i < p->keys; i++) {
        pubkey_free(p->key[i].pub.pub);
        free((char *)(uintptr_t)p->key[i].pub.label);
    }
    free(p->key);
    secret_clear(&p->text);
    wipe(p->in, sizeof p->in);
    free(p);
}

void pkcs11_drop(struct pkcs11 **p)
{
    pkcs11_close(*p);
}

int pkcs11_fd(const struct pkcs11 *p)
{
    return p->helper.fd;
}

/* ---- signing ---- */

/* RFC 8017 9.2, note 1: what the signature of an RSA key pads and raises to d. */
static const struct digest_info {
    const char *alg;
    const struct hash_alg *hash;
    struct bytes prefix;
} digest_infos[] = {
    {"rsa-sha2-256", &hash_sha256, BYTES_LIT("\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20")},
    {"rsa-sha2-512", &hash_sha512, BYTES_LIT("\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40")},
    {"ssh-rsa", &hash_sha1, BYTES_LIT("\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14")},
};
static const struct {
    const char *alg;
    const struct hash_alg *hash;
} ecdsa_hashes[] = {{"ecdsa-sha2-nistp256", &hash_sha256}, {"ecdsa-sha2-nistp384", &hash_sha384}, {"ecdsa-sha2-nistp521", &hash_sha512}};

static enum err hash_write(struct wr *w, const struct hash_alg *hash, struct bytes msg)
{
    uint8_t digest[HASH_MAX];
    TRY(hash_digest(hash, msg, digest));
    wr_raw(w, bytes_of(digest, hash->len));
    return wr_done(w);
}

/* What the token gets: by the algorithm's signature name, so that certificates sign as their keys do. */
static enum err input_write(struct wr *w, const struct sig_alg *alg, struct bytes msg)
{
    for (size_t i = 0; i < COUNT_OF(digest_infos); i++)
        if (strcmp(digest_infos[i].alg, alg->sig_name) == 0) {
            wr_raw(w, digest_infos[i].prefix);
            return hash_write(w, digest_infos[i].hash, msg);
        }
    for (size_t i = 0; i < COUNT_OF(ecdsa_hashes); i++)
        if (strcmp(ecdsa_hashes[i].alg, alg->sig_name) == 0) return hash_write(w, ecdsa_hashes[i].hash, msg);
    if (strcmp(alg->sig_name, "ssh-ed25519") != 0) return ERR_KEY_TYPE;
    if (msg.n > PKCS11_TEXT_MAX) return ERR_TOO_LONG;
    wr_raw(w, msg);
    return wr_done(w);
}

/* The row with the plain key's type and the same signatures. */
static const struct sig_alg *plain_alg(const struct pubkey *pub, const struct sig_alg *alg)
{
    for (const struct sig_alg *a = sig_algs; a->name; a++)
        if (strcmp(a->key_type, pubkey_type(pub)) == 0 && strcmp(a->sig_name, alg->sig_name) == 0) return a;
    return NULL;
}

enum err pkcs11_sign_begin(struct pkcs11 *p, const struct pkcs11_key *key, const struct sig_alg *alg, struct bytes msg)
{
    CLEANUP(wr_clear) struct wr w = wr_heap(INPUT_MAX);
    if (p->signer) return ERR_STATE;
    why[0] = 0;
    const struct key *k = NULL;
    for (size_t i = 0; i < p->keys; i++)
        if (&p->key[i].pub == key) k = &p->key[i];
    const struct sig_alg *plain = k ? plain_alg(key->pub, alg) : NULL;
    if (!plain) return fail(ERR_KEY_TYPE, "this key does not sign by this algorithm");
    TRY(secret_copy(&p->text, msg));
    wr_u8(&w, P11_SIGN);
    wr_u32(&w, k->id);
    size_t mark = wr_begin(&w);
    TRY(input_write(&w, plain, msg));
    wr_end(&w, mark);
    TRY(request_send(p, &w));
    p->signer = k, p->alg = plain, p->asks = 0;
    return ERR_NONE;
}

/* Tokens may shorten an RSA signature's leading zeros away; SSH wants the modulus's length (RFC 8332 3). */
static enum err signature_write(struct wr *w, const struct pubkey *pub, const struct sig_alg *alg, struct bytes raw)
{
    static const uint8_t zeros[8];
    wr_cstring(w, alg->sig_name);
    size_t mark = wr_begin(w);
    if (strcmp(alg->key_type, "ssh-rsa") == 0) {
        size_t full = (pubkey_bits(pub) + 7) / 8;
        if (raw.n > full || full - raw.n > sizeof zeros) return ERR_SIGNATURE;
        wr_raw(w, bytes_of(zeros, full - raw.n));
        wr_raw(w, raw);
    } else if (strcmp(alg->key_type, "ssh-ed25519") == 0) {
        wr_raw(w, raw);
    } else {
        if (raw.n == 0 || raw.n % 2 != 0) return ERR_SIGNATURE;
        wr_mpint(w, bytes_of(raw.p, raw.n / 2));
        wr_mpint(w, bytes_of(raw.p + raw.n / 2, raw.n / 2));
    }
    wr_end(w, mark);
    return wr_done(w);
}

static enum err signature_take(struct pkcs11 *p, enum p11_type type, struct rd *r, struct wr *out)
{
    CLEANUP(wr_clear) struct wr blob = wr_heap(SIGNATURE_MAX);
    struct bytes raw = rd_string(r);
    const struct pubkey *pub = p->signer->pub.pub;
    if (type != P11_SIGNATURE || rd_done(r) != ERR_NONE) return helper_lost(p, ERR_PROTOCOL);
    if (signature_write(&blob, pub, p->alg, raw) != ERR_NONE ||
        pubkey_verify(pub, p->alg, secret_bytes(&p->text), wr_bytes(&blob)) != VERDICT_GOOD)
        return fail(ERR_SIGNATURE, "the token's signature is not good");
    wr_raw(out, wr_bytes(&blob));
    return wr_done(out);
}

static enum err sign_end(struct pkcs11 *p, bool wait, struct wr *out)
{
    enum p11_type type;
    struct rd r;
    if (!p->signer) return ERR_STATE;
    enum err e = answer_recv(p, wait, &type, &r);
    if (e == ERR_AGAIN) return e;
    if (!e) e = signature_take(p, type, &r, out);
    p->signer = NULL;
    secret_clear(&p->text);
    return explained(e);
}

enum err pkcs11_sign_end(struct pkcs11 *p, struct wr *out)
{
    return sign_end(p, false, out);
}

void pkcs11_sign_abandon(struct pkcs11 *p)
{
    if (!p->signer) return;
    p->signer = NULL;
    p->abandoned++;
    secret_clear(&p->text);
}

enum err pkcs11_sign(struct pkcs11 *p, const struct pkcs11_key *key, const struct sig_alg *alg, struct bytes msg, struct wr *out)
{
    TRY(pkcs11_sign_begin(p, key, alg, msg));
    return sign_end(p, true, out);
}
