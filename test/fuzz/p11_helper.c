/* SPDX-License-Identifier: ISC */
/* ssh-pkcs11-helper between who asks it and a module that says anything. Input: a string of messages, then what the module does. */
#include <stdlib.h>

#include "fake.h"
#include "helper.h"
#include "targets.h"

static struct rd dice;

/* Mostly as it should be. */
static ck_rv_t outcome(void)
{
    static const ck_rv_t rvs[] = {CKR_PIN_INCORRECT, CKR_PIN_LOCKED, CKR_USER_ALREADY_LOGGED_IN, CKR_DEVICE_REMOVED, CKR_TOKEN_WRITE_PROTECTED, 0x7fffffff,
                                  CKR_FUNCTION_CANCELED, CKR_SESSION_HANDLE_INVALID};
    uint8_t b = rd_u8(&dice);
    return b < 224 ? CKR_OK : rvs[b % COUNT_OF(rvs)];
}

static ck_rv_t get_slot_list(unsigned char present, ck_slot_id_t *list, unsigned long *count)
{
    unsigned long n = rd_u8(&dice);
    (void)present;
    for (unsigned long i = 0; i < n && i < *count; i++) list[i] = i;
    *count = n;
    return outcome();
}

static ck_rv_t get_token_info(ck_slot_id_t id, struct ck_token_info *info)
{
    (void)id;
    *info = (struct ck_token_info){.flags = CKF_TOKEN_INITIALIZED | rd_u32(&dice)};
    struct bytes label = rd_raw(&dice, rd_u8(&dice) % (sizeof info->label + 1));
    if (label.n) memcpy(info->label, label.p, label.n);
    return outcome();
}

static ck_rv_t open_session(ck_slot_id_t id, ck_flags_t flags, void *app, ck_notify_t notify, ck_session_handle_t *s)
{
    (void)flags, (void)app, (void)notify;
    *s = id;
    return outcome();
}

static ck_rv_t close_session(ck_session_handle_t s)
{
    (void)s;
    return outcome();
}

static ck_rv_t login(ck_session_handle_t s, ck_user_type_t who, unsigned char *pin, unsigned long n)
{
    (void)s, (void)who;
    MUST(n <= P11_PIN_MAX && (pin || n == 0));
    return outcome();
}

static ck_rv_t find_init(ck_session_handle_t s, struct ck_attribute *want, unsigned long n)
{
    (void)s;
    MUST(want && n > 0);
    return outcome();
}

static ck_rv_t find_objects(ck_session_handle_t s, ck_object_handle_t *out, unsigned long most, unsigned long *count)
{
    (void)s;
    unsigned long n = rd_u8(&dice) % 40;
    for (unsigned long i = 0; i < n && i < most; i++) out[i] = i;
    *count = n;
    return outcome();
}

static ck_rv_t find_final(ck_session_handle_t s)
{
    (void)s;
    return outcome();
}

/* A first question about the length may be answered with another one than the second. */
static ck_rv_t get_attribute(ck_session_handle_t s, ck_object_handle_t o, struct ck_attribute *a, unsigned long n)
{
    struct rd before = dice;
    (void)s, (void)o;
    MUST(n == 1);
    uint8_t how = rd_u8(&dice);
    struct bytes value = rd_string(&dice);
    unsigned long room = a->value_len;
    if (a->value && value.n) memcpy(a->value, value.p, value.n < room ? value.n : room);
    a->value_len = how == 255 ? ~0UL : how == 254 ? value.n + 1 : value.n;
    if (!a->value && how < 250) dice = before;
    return how == 253 ? CKR_ATTRIBUTE_TYPE_INVALID : CKR_OK;
}

static ck_rv_t sign_init(ck_session_handle_t s, struct ck_mechanism *how, ck_object_handle_t key)
{
    (void)s, (void)key;
    MUST(how);
    return outcome();
}

static ck_rv_t sign(ck_session_handle_t s, unsigned char *data, unsigned long n, unsigned char *out, unsigned long *out_n)
{
    struct bytes made = rd_string(&dice);
    (void)s;
    MUST(data || n == 0);
    if (made.n) memcpy(out, made.p, made.n < *out_n ? made.n : *out_n);
    *out_n = made.n;
    return outcome();
}

static struct ck_function_list functions = {
    .C_GetSlotList = get_slot_list, .C_GetTokenInfo = get_token_info, .C_OpenSession = open_session, .C_CloseSession = close_session,
    .C_Login = login, .C_FindObjectsInit = find_init, .C_FindObjects = find_objects, .C_FindObjectsFinal = find_final,
    .C_GetAttributeValue = get_attribute, .C_SignInit = sign_init, .C_Sign = sign};

enum err module_load(const char *provider, struct ck_function_list **out)
{
    if (provider[0] == '!') return ERR_NOT_FOUND;
    *out = &functions;
    return ERR_NONE;
}

const char *rv_name(ck_rv_t rv)
{
    return rv == CKR_OK ? "CKR_OK" : "another";
}

void fuzz_pkcs11_helper(struct bytes in)
{
    struct rd r = rd_init(in);
    fake_messages = rd_init(rd_string(&r));
    dice = rd_init(rd_rest(&r));
    tokens = (struct tokens){0};
    if (setjmp(fake_end) == 0)
        for (;;) serve();
    MUST(tokens.keys <= P11_KEYS_MAX && tokens.slots <= SLOTS_MAX);
}

/* The certificate reader alone: what it takes for a key has a form that the other side can look at. */
void fuzz_x509(struct bytes in)
{
    struct wr blob CLEANUP(wr_clear) = wr_heap(BLOB_MAX);
    enum key_kind kind;
    size_t n;
    if (x509_key_write(in, &blob, &kind) == ERR_NONE) {
        struct rd r = rd_init(wr_bytes(&blob));
        MUST(kind <= KEY_ED25519 && rd_string(&r).n > 0);
        (void)rd_string(&r);        /* a number may be none: whoever gets it looks */
        if (kind != KEY_ED25519) (void)rd_string(&r);
        MUST(rd_done(&r) == ERR_NONE);
    }
    struct bytes inside = der_octets(in);
    MUST(inside.n <= in.n);
    (void)curve_name(inside, &n), (void)is_ed25519(inside);
}

/* ---- seeds ---- */

static void message(struct wr *w, const char *text, size_t n)
{
    wr_string(w, bytes_of(text, n));
}
#define MESSAGE(w, text) message(w, text, sizeof(text) - 1)

static void attribute(struct wr *w, struct bytes value)
{
    wr_u8(w, 0), wr_string(w, value);
}

/* A slot with a token (its flags), one object each of a public key and a certificate: their attributes as they are asked for. */
static void seed_module(struct wr *w, uint32_t flags)
{
    unsigned long ec = CKK_EC, x509 = CKC_X_509;
    uint8_t point[65] = {4, 1};
    static const uint8_t any[] = {0x30, 0x03, 0x30, 0x01, 0x00};
    wr_u8(w, 1), wr_u8(w, 0);
    wr_u32(w, flags), wr_u8(w, 4), wr_text(w, "card"), wr_u8(w, 0);
    wr_u8(w, 0);                                                    /* a session */
    for (int class = 0; class < 2; class++) {
        wr_u8(w, 0), wr_u8(w, 1), wr_u8(w, 0), wr_u8(w, 0), wr_u8(w, 0), wr_u8(w, 0);     /* found one, then none */
        attribute(w, BYTES_LIT("id")), attribute(w, BYTES_LIT("label"));
        attribute(w, class == 0 ? bytes_of(&ec, sizeof ec) : bytes_of(&x509, sizeof x509));
        if (class == 0) attribute(w, BYTES_LIT("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")), attribute(w, bytes_of(point, sizeof point));
        else attribute(w, bytes_of(any, sizeof any));
    }
    for (int i = 0; i < 4; i++) wr_u8(w, i == 1);                   /* the private key */
    wr_u8(w, 0);
    wr_string(w, BYTES_LIT("\1")), wr_u8(w, 0);
    wr_string(w, BYTES_LIT("signature")), wr_u8(w, 0);
}

bool seed_pkcs11_helper(unsigned i, struct wr *out)
{
    static const uint32_t flags[] = {0, CKF_LOGIN_REQUIRED, CKF_LOGIN_REQUIRED | CKF_PROTECTED_AUTHENTICATION_PATH};
    struct wr m CLEANUP(wr_clear) = wr_heap(1000);
    if (i >= COUNT_OF(flags)) return false;
    MESSAGE(&m, "\1\0\0\0\6/m.so!\0\0\0\4" "1234\1");
    if (i == 1) MESSAGE(&m, "\2\0\0\0\4" "1234");
    MESSAGE(&m, "\3\0\0\0\0\0\0\0\4text");
    MESSAGE(&m, "\2\0\0\0\4" "1234");
    wr_string(out, wr_bytes(&m));
    seed_module(out, flags[i]);
    return true;
}
