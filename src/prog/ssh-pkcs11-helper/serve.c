/* SPDX-License-Identifier: ISC */
/* Requests and answers. */
#include <unistd.h>

#include "helper.h"

static uint8_t in[P11_MESSAGE_MAX], out[P11_MESSAGE_MAX];
struct tokens tokens;

static struct wr answer(enum p11_type type)
{
    struct wr w = wr_span((struct span){out, sizeof out});
    wr_u8(&w, (uint8_t)type);
    return w;
}

/* While a request runs the only message that may come is the PIN that it asked for. */
enum err pin_ask(const char *label, bool for_signature, unsigned char *pin, size_t *n)
{
    struct wr w = answer(P11_NEED_PIN);
    struct rd r;
    wr_cstring(&w, label);
    wr_bool(&w, for_signature);
    helper_answer(&w);
    if (helper_next((struct span){in, sizeof in}, &r) != P11_PIN) _exit(1);
    struct bytes got = rd_string_max(&r, P11_PIN_MAX);
    if (rd_done(&r) != ERR_NONE) _exit(1);
    memcpy(pin, got.p, got.n);
    *n = got.n;
    wipe(in, sizeof in);
    if (got.n > 0) return ERR_NONE;
    because("no PIN given");
    return ERR_PASSPHRASE;
}

/* ---- requests ---- */

static enum err load(struct rd *r)
{
    char provider[4096];
    unsigned char pin[P11_PIN_MAX];
    struct bytes name = rd_string_max(r, sizeof provider - 1), got = rd_string_max(r, sizeof pin);
    bool may_ask = rd_bool(r);
    TRY(rd_done(r));
    TRY(bytes_to_str(name, provider, sizeof provider));
    if (tokens.f) return ERR_STATE;         /* one provider a helper */
    if (got.n > 0) memcpy(pin, got.p, got.n);
    wipe(in, sizeof in);                    /* before foreign code runs */
    enum err e = module_load(provider, &tokens.f);
    if (!e) e = tokens_load(&tokens, bytes_of(pin, got.n), may_ask);
    wipe(pin, sizeof pin);
    TRY(e);
    struct wr w = answer(P11_LISTED);
    wr_u32(&w, (uint32_t)tokens.keys);
    helper_answer(&w);
    return ERR_NONE;
}

static enum err sign(struct rd *r)
{
    static uint8_t input[P11_MESSAGE_MAX];
    uint8_t raw[RAW_SIG_MAX];
    struct wr sig = wr_span((struct span){raw, sizeof raw});
    uint32_t key = rd_u32(r);
    struct bytes text = rd_string(r);
    TRY(rd_done(r));
    memcpy(input, text.p, text.n);          /* a PIN's message comes into the same room */
    TRY(tokens_sign(&tokens, key, bytes_of(input, text.n), &sig));
    struct wr w = answer(P11_SIGNATURE);
    wr_string(&w, wr_bytes(&sig));
    helper_answer(&w);
    return ERR_NONE;
}

void serve(void)
{
    struct rd r;
    uint8_t type = helper_next((struct span){in, sizeof in}, &r);
    because_nothing();
    enum err e = type == P11_LOAD ? load(&r) : type == P11_SIGN && tokens.f ? sign(&r) : ERR_STATE;
    if (!e) return;
    struct wr w = answer(P11_FAILED);
    helper_fail(&w, e);
}
