/* SPDX-License-Identifier: ISC */
/* ssh-sk-helper between who asks it and a provider that says anything. Input: a string of messages, then what the provider says. */
#include <stdlib.h>

#include "fake.h"
#include "helper.h"
#include "kit/sk_wire.h"
#include "targets.h"

#define KEYS 4

static struct rd dice;

static int outcome(void)
{
    uint8_t b = rd_u8(&dice);
    return b < 200 ? 0 : -(int)(b % 7);
}

/* A part of an answer: it may be missing, or be said to be longer than it is where it is missing. */
static uint8_t *part(size_t *n)
{
    uint8_t how = rd_u8(&dice);
    struct bytes b = rd_string(&dice);
    *n = how == 254 ? SKW_FIELD_MAX + 1 : b.n;
    return how >= 254 ? NULL : (uint8_t *)(uintptr_t)b.p;
}

static void answer_fill(struct sk_enroll_response *r)
{
    r->flags = rd_u8(&dice);
    r->public_key = part(&r->public_key_len), r->key_handle = part(&r->key_handle_len), r->signature = part(&r->signature_len);
    r->attestation_cert = part(&r->attestation_cert_len), r->authdata = part(&r->authdata_len);
}

static int enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application, uint8_t flags, const char *pin,
                  struct sk_option **options, struct sk_enroll_response **out)
{
    static struct sk_enroll_response r;
    (void)alg, (void)flags;
    MUST((challenge || !challenge_len) && application && options && (!pin || *pin));
    int code = outcome();
    answer_fill(&r);
    *out = rd_u8(&dice) == 255 ? NULL : &r;
    return code;
}

static int sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application, const uint8_t *key_handle, size_t key_handle_len,
                uint8_t flags, const char *pin, struct sk_option **options, struct sk_sign_response **out)
{
    static struct sk_sign_response r;
    (void)alg, (void)flags;
    MUST((data || !data_len) && application && (key_handle || !key_handle_len) && options && (!pin || *pin));
    int code = outcome();
    r.flags = rd_u8(&dice), r.counter = rd_u32(&dice);
    r.sig_r = part(&r.sig_r_len), r.sig_s = part(&r.sig_s_len);
    *out = rd_u8(&dice) == 255 ? NULL : &r;
    return code;
}

static int residents(const char *pin, struct sk_option **options, struct sk_resident_key ***out, size_t *n)
{
    static char name[] = "ssh:x", other[] = "https:";
    static struct sk_resident_key key[KEYS], *list[KEYS];
    MUST(options && (!pin || *pin));
    int code = outcome();
    uint8_t count = rd_u8(&dice);
    for (size_t i = 0; i < KEYS; i++) {
        uint8_t how = rd_u8(&dice);
        key[i] = (struct sk_resident_key){.alg = rd_u32(&dice), .flags = rd_u8(&dice), .application = how < 200 ? name : how < 250 ? other : NULL};
        key[i].user_id = part(&key[i].user_id_len);
        answer_fill(&key[i].key);
        list[i] = &key[i];
    }
    *out = count == 255 ? NULL : list;
    *n = count == 254 ? SKW_RESIDENTS_MAX + 1 : count % (KEYS + 1);
    return code;
}

enum err provider_load(const char *name, struct provider *out)
{
    if (name[0] == '!') return ERR_NOT_FOUND;
    *out = (struct provider){enroll, sign, residents};
    return ERR_NONE;
}

void fuzz_sk_helper(struct bytes in)
{
    struct rd r = rd_init(in);
    fake_messages = rd_init(rd_string(&r));
    dice = rd_init(rd_rest(&r));
    if (setjmp(fake_end) == 0) serve();
}

bool seed_sk_helper(unsigned i, struct wr *out)
{
    static const uint8_t types[] = {SKW_SIGN, SKW_ENROLL, SKW_LOAD};
    struct wr m CLEANUP(wr_clear) = wr_heap(1000), all CLEANUP(wr_clear) = wr_heap(1000);
    if (i >= 2 * COUNT_OF(types)) return false;
    uint8_t type = types[i / 2];
    wr_u8(&m, type), wr_cstring(&m, "sk.so"), wr_cstring(&m, "/dev/hidraw0"), wr_cstring(&m, i & 1 ? "" : "1234"), wr_bool(&m, true);
    if (type != SKW_LOAD) wr_u8(&m, SKW_ED25519), wr_cstring(&m, "ssh:"), wr_cstring(&m, "handle"), wr_u8(&m, 1), wr_cstring(&m, "text");
    wr_string(&all, wr_bytes(&m));
    wr_string(&all, BYTES_LIT("\4\0\0\0\4" "1234"));
    wr_string(out, wr_bytes(&all));
    if (i & 1) wr_u8(out, 206);                 /* a PIN is wanted: -3 */
    for (int k = 0; k < 12; k++) wr_u8(out, 1), wr_cstring(out, "12345678901234567890123456789012");
    return true;
}
