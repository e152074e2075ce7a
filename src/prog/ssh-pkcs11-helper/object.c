/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <unistd.h>

#include "helper.h"

#define VALUE_MAX 65536             /* a certificate, the largest */

/* One attribute into the heap (the caller's to free); empty and NULL where it is missing. */
static struct bytes attribute(struct ck_function_list *f, ck_session_handle_t s, ck_object_handle_t o, ck_attribute_type_t type, void **hold)
{
    struct ck_attribute a = {.type = type};
    *hold = NULL;
    if (f->C_GetAttributeValue(s, o, &a, 1) != CKR_OK || a.value_len == 0 || a.value_len > VALUE_MAX) return (struct bytes){0};
    if (!(a.value = *hold = calloc(1, a.value_len))) _exit(1);      /* not a key less, or one without its name */
    size_t room = a.value_len;
    if (f->C_GetAttributeValue(s, o, &a, 1) != CKR_OK || a.value_len > room) return (struct bytes){0};
    return bytes_of(*hold, a.value_len);
}

static bool number(struct ck_function_list *f, ck_session_handle_t s, ck_object_handle_t o, ck_attribute_type_t type, unsigned long *out)
{
    struct ck_attribute a = {.type = type, .value = out, .value_len = sizeof *out};
    return f->C_GetAttributeValue(s, o, &a, 1) == CKR_OK && a.value_len == sizeof *out;
}

static enum err rsa_blob(struct bytes n, struct bytes e, struct found *out)
{
    if (n.n == 0 || e.n == 0) return ERR_FORMAT;
    out->kind = KEY_RSA;
    wr_cstring(&out->blob, "ssh-rsa");
    wr_mpint(&out->blob, e);
    wr_mpint(&out->blob, n);
    return wr_done(&out->blob);
}

static enum err ec_blob(struct bytes params, struct bytes point, struct found *out)
{
    size_t point_n;
    const char *curve = curve_name(params, &point_n);
    out->kind = KEY_EC;
    if (!curve) return ERR_UNSUPPORTED;
    if (point.n != point_n) point = der_octets(point);      /* 0x04 begins both forms: only the length tells them apart */
    if (point.n != point_n) return ERR_FORMAT;
    ec_blob_write(&out->blob, curve, point);
    return wr_done(&out->blob);
}

static enum err ed25519_blob(struct bytes params, struct bytes point, struct found *out)
{
    out->kind = KEY_ED25519;
    if (!is_ed25519(params)) return ERR_UNSUPPORTED;
    if (point.n != 32) point = der_octets(point);
    if (point.n != 32) return ERR_FORMAT;
    wr_cstring(&out->blob, "ssh-ed25519");
    wr_string(&out->blob, point);
    return wr_done(&out->blob);
}

/* A row a key type: which two attributes make the key, and how. */
static const struct {
    ck_key_type_t type;
    ck_attribute_type_t first, second;
    enum err (*blob)(struct bytes first, struct bytes second, struct found *out);
} kinds[] = {
    {CKK_RSA, CKA_MODULUS, CKA_PUBLIC_EXPONENT, rsa_blob},
    {CKK_EC, CKA_EC_PARAMS, CKA_EC_POINT, ec_blob},
    {CKK_EC_EDWARDS, CKA_EC_PARAMS, CKA_EC_POINT, ed25519_blob},
};

static enum err public_key(struct ck_function_list *f, ck_session_handle_t s, ck_object_handle_t o, struct found *out)
{
    unsigned long type;
    if (!number(f, s, o, CKA_KEY_TYPE, &type)) return ERR_FORMAT;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (kinds[i].type != type) continue;
        void *hold[2];
        struct bytes first = attribute(f, s, o, kinds[i].first, &hold[0]), second = attribute(f, s, o, kinds[i].second, &hold[1]);
        enum err e = kinds[i].blob(first, second, out);
        free(hold[0]);
        free(hold[1]);
        return e;
    }
    return ERR_UNSUPPORTED;
}

static enum err certificate_key(struct ck_function_list *f, ck_session_handle_t s, ck_object_handle_t o, struct found *out)
{
    unsigned long type;
    void *hold;
    if (!number(f, s, o, CKA_CERTIFICATE_TYPE, &type) || type != CKC_X_509) return ERR_UNSUPPORTED;
    enum err e = x509_key_write(attribute(f, s, o, CKA_VALUE, &hold), &out->blob, &out->kind);
    free(hold);
    return e;
}

/* Without an id no private key can be found for it: a CA's certificate, mostly. */
static enum err id_and_label(struct ck_function_list *f, ck_session_handle_t s, ck_object_handle_t o, struct found *out)
{
    void *hold;
    struct bytes b = attribute(f, s, o, CKA_ID, &hold);
    if (b.n > 0 && b.n <= sizeof out->id) memcpy(out->id, b.p, out->id_n = b.n);
    free(hold);
    if (out->id_n == 0) return ERR_UNSUPPORTED;
    b = attribute(f, s, o, CKA_LABEL, &hold);
    out->label_n = b.n < sizeof out->label ? b.n : sizeof out->label;
    if (b.n > 0) memcpy(out->label, b.p, out->label_n);
    free(hold);
    return ERR_NONE;
}

enum err object_read(struct ck_function_list *f, ck_session_handle_t s, ck_object_handle_t o, bool certificate, struct found *out)
{
    *out = (struct found){.blob = wr_heap(BLOB_MAX)};
    TRY(id_and_label(f, s, o, out));
    return certificate ? certificate_key(f, s, o, out) : public_key(f, s, o, out);
}
