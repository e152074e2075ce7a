/* SPDX-License-Identifier: ISC */
/* The request and its answer. */
#include <unistd.h>

#include "helper.h"
#include "kit/sk_wire.h"

#define NAME_MAX_LEN 4096           /* of a provider, a device, an application */
#define ASKS_MAX     3

/* A request; texts end with NUL. */
struct ask {
    enum skw_type type;
    char provider[NAME_MAX_LEN], device[NAME_MAX_LEN], application[NAME_MAX_LEN], user[NAME_MAX_LEN];
    char pin[SKW_PIN_MAX + 1];
    bool may_ask;
    uint8_t alg, flags;
    struct bytes handle, text;      /* into the message */
};

static uint8_t in[SKW_MESSAGE_MAX], out[SKW_MESSAGE_MAX];
static struct ask ask;

/* ---- messages ---- */

static struct wr answer(enum skw_type type)
{
    struct wr w = wr_span((struct span){out, sizeof out});
    wr_u8(&w, (uint8_t)type);
    return w;
}

/* The next PIN to try; ERR_PASSPHRASE: there is none. */
static enum err pin_ask(void)
{
    uint8_t room[SKW_PIN_MAX + 16];
    struct wr w = answer(SKW_NEED_PIN);
    struct rd r;
    helper_answer(&w);
    if (helper_next((struct span){room, sizeof room}, &r) != SKW_PIN) _exit(1);
    struct bytes pin = rd_string_max(&r, SKW_PIN_MAX);
    if (rd_done(&r) != ERR_NONE || bytes_to_str(pin, ask.pin, sizeof ask.pin) != ERR_NONE) _exit(1);
    wipe(room, sizeof room);
    if (ask.pin[0]) return ERR_NONE;
    because("no PIN given");
    return ERR_PASSPHRASE;
}

static void text_read(struct rd *r, char *to, size_t cap)
{
    struct bytes b = rd_string(r);
    if (r->err == ERR_NONE && bytes_to_str(b, to, cap) != ERR_NONE) rd_fail(r, ERR_FORMAT);
}

static enum err ask_read(void)
{
    struct rd r;
    ask.type = (enum skw_type)helper_next((struct span){in, sizeof in}, &r);
    text_read(&r, ask.provider, sizeof ask.provider);
    text_read(&r, ask.device, sizeof ask.device);
    text_read(&r, ask.pin, sizeof ask.pin);
    ask.may_ask = rd_bool(&r);
    if (ask.type != SKW_LOAD) {
        ask.alg = rd_u8(&r);
        text_read(&r, ask.application, sizeof ask.application);
        if (ask.type == SKW_SIGN) ask.handle = rd_string(&r);
        else text_read(&r, ask.user, sizeof ask.user);
        ask.flags = rd_u8(&r);
        ask.text = rd_string(&r);
    }
    return rd_done(&r);
}

/* ---- what a provider says ---- */

static enum err result(int code)
{
    static const struct {
        int code;
        enum err err;
        const char *text;
    } rows[] = {
        {SSH_SK_ERR_UNSUPPORTED, ERR_UNSUPPORTED, "the authenticator does not support what was asked"},
        {SSH_SK_ERR_PIN_REQUIRED, ERR_PASSPHRASE, "the authenticator wants a PIN, or another one"},
        {SSH_SK_ERR_DEVICE_NOT_FOUND, ERR_NOT_FOUND, "device not found"},
        {SSH_SK_ERR_CREDENTIAL_EXISTS, ERR_STATE, "the authenticator has such a key already"},
    };
    if (code == 0) return ERR_NONE;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].code == code) {
            if (!because_said()) because("%s", rows[i].text);
            return rows[i].err;
        }
    if (!because_said()) because("the authenticator refused (%d)", code);
    return ERR_DENIED;
}

/* Part of an answer; a provider's pointer may be NULL. */
static void put(struct wr *w, const uint8_t *p, size_t n)
{
    if (n > SKW_FIELD_MAX) wr_fail(w, ERR_TOO_LONG);
    else wr_string(w, p ? bytes_of(p, n) : (struct bytes){0});
}

static int do_sign(const struct provider *p, const char *pin, struct sk_option **options, struct wr *w)
{
    struct sk_sign_response *said = NULL;
    int code = p->sign(ask.alg, ask.text.p, ask.text.n, ask.application, ask.handle.p, ask.handle.n, ask.flags, pin, options, &said);
    if (code) return code;
    if (!said) return SSH_SK_ERR_GENERAL;
    *w = answer(SKW_SIGNED);
    wr_u8(w, said->flags);
    wr_u32(w, said->counter);
    put(w, said->sig_r, said->sig_r_len);
    put(w, said->sig_s, said->sig_s_len);
    return 0;
}

static int do_enroll(const struct provider *p, const char *pin, struct sk_option **options, struct wr *w)
{
    struct sk_enroll_response *said = NULL;
    int code = p->enroll(ask.alg, ask.text.p, ask.text.n, ask.application, ask.flags, pin, options, &said);
    if (code) return code;
    if (!said || !said->public_key || !said->key_handle) return SSH_SK_ERR_GENERAL;
    *w = answer(SKW_ENROLLED);
    wr_u8(w, said->flags);
    put(w, said->public_key, said->public_key_len);
    put(w, said->key_handle, said->key_handle_len);
    put(w, said->signature, said->signature_len);
    put(w, said->attestation_cert, said->attestation_cert_len);
    put(w, said->authdata, said->authdata_len);
    return 0;
}

/* Keys for other uses than SSH are none of our business. */
static void resident_send(const struct sk_resident_key *k)
{
    if (!k->application || strncmp(k->application, "ssh:", 4) != 0 || !k->key.public_key || !k->key.key_handle) return;
    struct wr w = answer(SKW_RESIDENT);
    wr_u8(&w, (uint8_t)k->alg);
    wr_u8(&w, k->flags);
    wr_cstring(&w, k->application);
    put(&w, k->user_id, k->user_id_len);
    put(&w, k->key.public_key, k->key.public_key_len);
    put(&w, k->key.key_handle, k->key.key_handle_len);
    helper_answer(&w);
}

static int do_load(const struct provider *p, const char *pin, struct sk_option **options, struct wr *w)
{
    struct sk_resident_key **said = NULL;
    size_t n = 0;
    int code = p->residents(pin, options, &said, &n);
    if (code) return code;
    if (n > SKW_RESIDENTS_MAX || (n && !said)) return SSH_SK_ERR_GENERAL;
    for (size_t i = 0; i < n; i++) resident_send(said[i]);
    *w = answer(SKW_LOADED);
    wr_u32(w, (uint32_t)n);
    return 0;
}

/* ---- the request ---- */

/* This process ends with its answer: what a provider allocated is not given back piece by piece. */
static enum err run_request(struct wr *w)
{
    static char device_name[] = "device", user_name[] = "user";
    struct sk_option device = {device_name, ask.device, 0}, user = {user_name, ask.user, 0}, *options[3] = {0};
    struct provider p;
    size_t n = 0;
    if (ask.device[0]) options[n++] = &device;
    if (ask.user[0]) options[n++] = &user;
    TRY(provider_load(ask.provider, &p));
    int (*const run)(const struct provider *p, const char *pin, struct sk_option **options, struct wr *w) =
        ask.type == SKW_SIGN ? do_sign : ask.type == SKW_ENROLL ? do_enroll : do_load;
    for (unsigned asks = 0;; asks++) {
        int code = run(&p, ask.pin[0] ? ask.pin : NULL, options, w);
        if (code != SSH_SK_ERR_PIN_REQUIRED || !ask.may_ask || asks == ASKS_MAX) return result(code);
        because_nothing();
        TRY(pin_ask());
    }
}

void serve(void)
{
    struct wr w = {0};
    enum err e = ask_read();
    if (!e) e = ask.type == SKW_SIGN || ask.type == SKW_ENROLL || ask.type == SKW_LOAD ? run_request(&w) : ERR_STATE;
    if (!e) e = wr_done(&w);
    if (!e) {
        helper_answer(&w);
    } else {
        w = answer(SKW_FAILED);
        helper_fail(&w, e);
    }
    wipe(ask.pin, sizeof ask.pin);
}
