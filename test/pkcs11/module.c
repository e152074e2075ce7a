/* SPDX-License-Identifier: ISC */
/* A PKCS#11 module that misbehaves at the place that MODULE_FAULT names: crash, hang, exit, wait (for the file
 * MODULE_UNTIL), many (more keys than anybody listens to),
 * huge (attributes without end), lie (a signature of nothing), slots (more than fit). Without it: one slot, one Ed25519 public key. */
#define CRYPTOKI_GNU
#include <p11-kit/pkcs11.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static int searched;
static unsigned long class_wanted, left;

static int fault(const char *name)
{
    const char *asked = getenv("MODULE_FAULT");
    return asked && strcmp(asked, name) == 0;
}

static void strike(const char *where)
{
    const char *at = getenv("MODULE_AT");
    if (!at || strcmp(at, where) != 0) return;
    if (fault("crash")) abort();
    if (fault("exit")) _exit(0);
    while (fault("hang")) pause();
    while (fault("wait") && access(getenv("MODULE_UNTIL"), F_OK) != 0) usleep(10000);
}

static ck_rv_t initialize(void *args)
{
    (void)args;
    strike("initialize");
    return CKR_OK;
}

static ck_rv_t slots(unsigned char present, ck_slot_id_t *list, unsigned long *count)
{
    (void)present;
    if (fault("slots")) {
        *count = 1UL << 40;
        return CKR_OK;
    }
    *list = 7;
    *count = 1;
    return CKR_OK;
}

static ck_rv_t token(ck_slot_id_t slot, struct ck_token_info *info)
{
    (void)slot;
    memset(info, 0, sizeof *info);
    memset(info->label, '\033', sizeof info->label);
    info->flags = CKF_TOKEN_INITIALIZED;
    return CKR_OK;
}

static ck_rv_t session_open(ck_slot_id_t slot, ck_flags_t flags, void *app, ck_notify_t notify, ck_session_handle_t *out)
{
    (void)slot, (void)flags, (void)app, (void)notify;
    *out = 3;
    return CKR_OK;
}

static ck_rv_t session_close(ck_session_handle_t s)
{
    (void)s;
    return CKR_OK;
}

static ck_rv_t search(ck_session_handle_t s, struct ck_attribute *want, unsigned long n)
{
    (void)s, (void)n;
    strike("search");
    memcpy(&class_wanted, want[0].value, sizeof class_wanted);
    left = class_wanted == CKO_CERTIFICATE ? 0 : fault("many") && class_wanted == CKO_PUBLIC_KEY ? 1UL << 40 : 1;
    searched = 1;
    return CKR_OK;
}

static ck_rv_t search_next(ck_session_handle_t s, ck_object_handle_t *out, unsigned long most, unsigned long *n)
{
    (void)s;
    *n = left < most ? left : most;
    for (unsigned long i = 0; i < *n; i++) out[i] = left - i;
    left -= *n;
    return searched ? CKR_OK : CKR_OPERATION_NOT_INITIALIZED;
}

static ck_rv_t search_end(ck_session_handle_t s)
{
    (void)s;
    searched = 0;
    return CKR_OK;
}

static ck_rv_t give(struct ck_attribute *a, const void *value, unsigned long n)
{
    if (a->value && a->value_len < n) return CKR_BUFFER_TOO_SMALL;
    if (a->value) memcpy(a->value, value, n);
    a->value_len = fault("huge") ? 1UL << 50 : n;
    return CKR_OK;
}

/* The point is RFC 8032's first test key. */
static ck_rv_t attributes(ck_session_handle_t s, ck_object_handle_t o, struct ck_attribute *a, unsigned long n)
{
    static const unsigned long ed = CKK_EC_EDWARDS;
    static const unsigned char point[] = "\x04\x20\xd7\x5a\x98\x01\x82\xb1\x0a\xb7\xd5\x4b\xfe\xd3\xc9\x64\x07\x3a\x0e\xe1\x72\xf3\xda\xa6\x23\x25\xaf\x02"
                                         "\x1a\x68\xf7\x07\x51\x1a";
    (void)s, (void)o, (void)n;
    strike("attributes");
    switch (a->type) {
    case CKA_KEY_TYPE: return give(a, &ed, sizeof ed);
    case CKA_EC_PARAMS: return give(a, "\x06\x03\x2b\x65\x70", 5);
    case CKA_EC_POINT: return give(a, point, 34);
    case CKA_ID: return give(a, "\1", 1);
    case CKA_LABEL: return give(a, "\033]0;evil\007\n", 10);
    default: return CKR_ATTRIBUTE_TYPE_INVALID;
    }
}

static ck_rv_t sign_init(ck_session_handle_t s, struct ck_mechanism *how, ck_object_handle_t key)
{
    (void)s, (void)how, (void)key;
    return CKR_OK;
}

static ck_rv_t sign(ck_session_handle_t s, unsigned char *data, unsigned long n, unsigned char *sig, unsigned long *sig_n)
{
    (void)s, (void)data, (void)n;
    strike("sign");
    memset(sig, 0x55, 64);
    *sig_n = 64;
    return fault("lie") ? CKR_OK : CKR_FUNCTION_FAILED;
}

EXPORT ck_rv_t C_GetFunctionList(struct ck_function_list **out);
EXPORT ck_rv_t C_GetFunctionList(struct ck_function_list **out)
{
    static struct ck_function_list list;
    list.C_Initialize = initialize;
    list.C_GetSlotList = slots;
    list.C_GetTokenInfo = token;
    list.C_OpenSession = session_open;
    list.C_CloseSession = session_close;
    list.C_FindObjectsInit = search;
    list.C_FindObjects = search_next;
    list.C_FindObjectsFinal = search_end;
    list.C_GetAttributeValue = attributes;
    list.C_SignInit = sign_init;
    list.C_Sign = sign;
    *out = &list;
    return CKR_OK;
}
