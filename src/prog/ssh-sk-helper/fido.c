/* SPDX-License-Identifier: ISC */
/* The provider that is built in: authenticators on USB, by libfido2, behind the same three functions as a library's. */
#include "fido.h"

#include <fido/credman.h>       /* after fido.h of ours */
#include <stdlib.h>

#include "base/rd.h"

#define USER_LEN  32
#define POINT_LEN 65

static int code_of(int fido)
{
    switch (fido) {
    case FIDO_OK: return 0;
    case FIDO_ERR_UNSUPPORTED_OPTION:
    case FIDO_ERR_UNSUPPORTED_ALGORITHM: return SSH_SK_ERR_UNSUPPORTED;
    case FIDO_ERR_PIN_REQUIRED:
    case FIDO_ERR_PIN_INVALID:
    case FIDO_ERR_OPERATION_DENIED: return SSH_SK_ERR_PIN_REQUIRED;
    default: return SSH_SK_ERR_GENERAL;
    }
}

static const char *option(struct sk_option **options, const char *name)
{
    for (size_t i = 0; options && options[i]; i++)
        if (strcmp(options[i]->name, name) == 0) return options[i]->value;
    return NULL;
}

static int cose_alg(uint32_t alg)
{
    return alg == SSH_SK_ED25519 ? COSE_EDDSA : COSE_ES256;
}

static uint8_t *copied(const void *p, size_t n, size_t *len)
{
    uint8_t *to = p ? malloc(n ? n : 1) : NULL;
    if (to && n) memcpy(to, p, n);
    *len = to ? n : 0;
    return to;
}

/* ---- enrolling ---- */

/* libfido2 has a point as its two coordinates. */
static int public_key(uint32_t alg, const fido_cred_t *cred, struct sk_enroll_response *r)
{
    const unsigned char *p = fido_cred_pubkey_ptr(cred);
    size_t n = fido_cred_pubkey_len(cred);
    if (alg == SSH_SK_ED25519) {
        if (n != 32) return SSH_SK_ERR_GENERAL;
        r->public_key = copied(p, n, &r->public_key_len);
    } else {
        uint8_t point[POINT_LEN] = {4};
        if (!p || n != POINT_LEN - 1) return SSH_SK_ERR_GENERAL;
        memcpy(point + 1, p, n);
        r->public_key = copied(point, sizeof point, &r->public_key_len);
    }
    return r->public_key ? 0 : SSH_SK_ERR_GENERAL;
}

static int enrolled(uint32_t alg, const fido_cred_t *cred, uint8_t flags, struct sk_enroll_response *r)
{
    r->flags = flags;
    r->key_handle = copied(fido_cred_id_ptr(cred), fido_cred_id_len(cred), &r->key_handle_len);
    r->signature = copied(fido_cred_sig_ptr(cred), fido_cred_sig_len(cred), &r->signature_len);
    r->attestation_cert = copied(fido_cred_x5c_ptr(cred), fido_cred_x5c_len(cred), &r->attestation_cert_len);
    r->authdata = copied(fido_cred_authdata_ptr(cred), fido_cred_authdata_len(cred), &r->authdata_len);
    return public_key(alg, cred, r);
}

/* Is there a resident key of this application and user already? FIDO_OK: yes; FIDO_ERR_NO_CREDENTIALS: no. */
static int resident_find(fido_dev_t *dev, const char *application, const uint8_t user[USER_LEN], const char *pin)
{
    static const unsigned char nothing[32];
    fido_assert_t *a = fido_assert_new();
    int code = FIDO_ERR_INTERNAL;
    if (a && fido_assert_set_clientdata(a, nothing, sizeof nothing) == FIDO_OK && fido_assert_set_rp(a, application) == FIDO_OK &&
        fido_assert_set_up(a, FIDO_OPT_FALSE) == FIDO_OK &&
        fido_assert_set_uv(a, !pin && fido_option(dev, "uv") != -1 ? FIDO_OPT_TRUE : FIDO_OPT_OMIT) == FIDO_OK)
        code = fido_dev_get_assert(dev, a, pin);
    if (code == FIDO_OK) {
        code = FIDO_ERR_NO_CREDENTIALS;
        for (size_t i = 0; i < fido_assert_count(a); i++)
            if (fido_assert_user_id_len(a, i) == USER_LEN && memcmp(fido_assert_user_id_ptr(a, i), user, USER_LEN) == 0) code = FIDO_OK;
    }
    fido_assert_free(&a);
    return code;
}

/* What is protected by a PIN must stay so when somebody else has the authenticator. */
static int protect(fido_dev_t *dev, fido_cred_t *cred, uint8_t flags)
{
    if (!(flags & (SSH_SK_RESIDENT_KEY | SSH_SK_USER_VERIFICATION_REQD))) return FIDO_OK;
    if (!fido_dev_supports_cred_prot(dev)) return FIDO_ERR_UNSUPPORTED_OPTION;
    return fido_cred_set_prot(cred, flags & SSH_SK_USER_VERIFICATION_REQD ? FIDO_CRED_PROT_UV_REQUIRED : FIDO_CRED_PROT_UV_OPTIONAL_WITH_ID);
}

/* The new key's attestation, where there is one, must be true. */
static int attested(const fido_cred_t *cred)
{
    const char *format = fido_cred_fmt(cred);
    if (fido_cred_x5c_ptr(cred)) return fido_said("fido_cred_verify", fido_cred_verify(cred));
    if (format && strcmp(format, "none") == 0) return FIDO_OK;
    return fido_said("fido_cred_verify_self", fido_cred_verify_self(cred));
}

struct wish {
    uint32_t alg;
    struct bytes challenge;
    const char *application, *pin;
    uint8_t flags, user[USER_LEN];
};

static int make(fido_dev_t *dev, fido_cred_t *cred, const struct wish *w)
{
    int code = fido_cred_set_type(cred, cose_alg(w->alg));
    if (code == FIDO_OK) code = fido_cred_set_clientdata(cred, w->challenge.p, w->challenge.n);
    if (code == FIDO_OK) code = fido_cred_set_rk(cred, w->flags & SSH_SK_RESIDENT_KEY ? FIDO_OPT_TRUE : FIDO_OPT_OMIT);
    if (code == FIDO_OK) code = fido_cred_set_user(cred, w->user, USER_LEN, "openssh", "openssh", NULL);
    if (code == FIDO_OK) code = fido_cred_set_rp(cred, w->application, NULL);
    if (code == FIDO_OK) code = protect(dev, cred, w->flags);
    if (code == FIDO_OK) code = fido_dev_make_cred(dev, cred, w->pin);
    if (code != FIDO_OK) return code_of(fido_said("fido_dev_make_cred", code));
    return code_of(attested(cred));
}

static int enroll_on(fido_dev_t *dev, const struct wish *w, struct sk_enroll_response **out)
{
    if ((w->flags & SSH_SK_RESIDENT_KEY) && !(w->flags & SSH_SK_FORCE_OPERATION)) {
        int found = resident_find(dev, w->application, w->user, w->pin);
        if (found == FIDO_OK) return SSH_SK_ERR_CREDENTIAL_EXISTS;
        if (found != FIDO_ERR_NO_CREDENTIALS) return code_of(fido_said("looking for the same resident key", found));
    }
    fido_cred_t *cred = fido_cred_new();
    struct sk_enroll_response *r = calloc(1, sizeof *r);
    int code = cred && r ? make(dev, cred, w) : SSH_SK_ERR_GENERAL;
    if (code == 0) code = enrolled(w->alg, cred, w->flags, r);
    fido_cred_free(&cred);
    if (code == 0) *out = r;
    return code;
}

static int enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application, uint8_t flags, const char *pin,
                  struct sk_option **options, struct sk_enroll_response **out)
{
    struct wish w = {.alg = alg, .challenge = {challenge, challenge_len}, .application = application, .pin = pin, .flags = flags};
    const struct credential any = {.application = application};
    const char *user = option(options, "user");
    if (user && bytes_to_str(bytes_str(user), (char *)w.user, sizeof w.user) != ERR_NONE) {
        because("the user name is too long");
        return SSH_SK_ERR_GENERAL;
    }
    fido_dev_t *dev = fido_device_open(option(options, "device"), &any);
    if (!dev) return SSH_SK_ERR_DEVICE_NOT_FOUND;
    int code = enroll_on(dev, &w, out);
    fido_done(&dev);
    return code;
}

/* ---- signing ---- */

/* ECDSA: SEQUENCE { INTEGER r, INTEGER s } of less than 128 bytes (X9.62). */
static int numbers(struct bytes der, struct sk_sign_response *r)
{
    struct rd rd = rd_init(der);
    bool good = rd_u8(&rd) == 0x30;
    uint8_t n = rd_u8(&rd);
    good = good && n < 128 && n == rd.n;
    struct bytes part[2];
    for (size_t i = 0; i < 2; i++) {
        good = good && rd_u8(&rd) == 2;
        part[i] = rd_raw(&rd, rd_u8(&rd));
        while (part[i].n > 1 && part[i].p[0] == 0) part[i].p++, part[i].n--;
    }
    if (!good || rd_done(&rd) != ERR_NONE) return SSH_SK_ERR_GENERAL;
    r->sig_r = copied(part[0].p, part[0].n, &r->sig_r_len);
    r->sig_s = copied(part[1].p, part[1].n, &r->sig_s_len);
    return r->sig_r && r->sig_s ? 0 : SSH_SK_ERR_GENERAL;
}

static int signature(uint32_t alg, const fido_assert_t *a, struct sk_sign_response *r)
{
    struct bytes sig = bytes_of(fido_assert_sig_ptr(a, 0), fido_assert_sig_len(a, 0));
    r->flags = fido_assert_flags(a, 0);
    r->counter = fido_assert_sigcount(a, 0);
    if (alg != SSH_SK_ED25519) return numbers(sig, r);
    r->sig_r = copied(sig.p, sig.n, &r->sig_r_len);
    return r->sig_r && sig.n == 64 ? 0 : SSH_SK_ERR_GENERAL;
}

struct task {
    uint32_t alg;
    struct bytes text;
    struct credential key;
    uint8_t flags;
    const char *pin;
};

static int ask_signature(fido_dev_t *dev, fido_assert_t *a, const struct task *t)
{
    bool verify = !t->pin && (t->flags & SSH_SK_USER_VERIFICATION_REQD);
    if (verify && fido_option(dev, "uv") != 1) return SSH_SK_ERR_PIN_REQUIRED;
    int code = fido_assert_set_clientdata(a, t->text.p, t->text.n);
    if (code == FIDO_OK) code = fido_assert_set_rp(a, t->key.application);
    if (code == FIDO_OK) code = fido_assert_allow_cred(a, t->key.handle.p, t->key.handle.n);
    if (code == FIDO_OK) code = fido_assert_set_up(a, t->flags & SSH_SK_USER_PRESENCE_REQD ? FIDO_OPT_TRUE : FIDO_OPT_FALSE);
    if (code == FIDO_OK && verify) code = fido_assert_set_uv(a, FIDO_OPT_TRUE);
    if (code == FIDO_OK) code = fido_dev_get_assert(dev, a, t->pin);
    return code_of(fido_said("fido_dev_get_assert", code));
}

static int sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application, const uint8_t *key_handle, size_t key_handle_len,
                uint8_t flags, const char *pin, struct sk_option **options, struct sk_sign_response **out)
{
    const struct task t = {alg, bytes_of(data, data_len), {application, bytes_of(key_handle, key_handle_len)}, flags, pin};
    /* a key that needs a PIN is not to be found without one */
    bool hidden = pin || (flags & SSH_SK_USER_VERIFICATION_REQD);
    const struct credential any = {.application = application};
    fido_dev_t *dev = fido_device_open(option(options, "device"), hidden ? &any : &t.key);
    if (!dev) return SSH_SK_ERR_DEVICE_NOT_FOUND;
    fido_assert_t *a = fido_assert_new();
    struct sk_sign_response *r = calloc(1, sizeof *r);
    int code = a && r ? ask_signature(dev, a, &t) : SSH_SK_ERR_GENERAL;
    if (code == 0) code = signature(alg, a, r);
    if (code == 0) *out = r;
    fido_assert_free(&a);
    fido_done(&dev);
    return code;
}

/* ---- resident keys ---- */

struct found {
    struct sk_resident_key **list;
    size_t n;
};

static int resident_add(struct found *f, const char *application, size_t slot, const fido_cred_t *cred, bool verifies_itself)
{
    struct sk_resident_key *k = calloc(1, sizeof *k), **more = reallocarray(f->list, f->n + 1, sizeof *more);
    if (more) f->list = more;
    if (!k || !more) return SSH_SK_ERR_GENERAL;
    int type = fido_cred_type(cred);
    if (type != COSE_ES256 && type != COSE_EDDSA) return 0;
    k->alg = type == COSE_EDDSA ? SSH_SK_ED25519 : SSH_SK_ECDSA;
    k->slot = slot;
    k->application = strdup(application);
    k->user_id = copied(fido_cred_user_id_ptr(cred), fido_cred_user_id_len(cred), &k->user_id_len);
    if (fido_cred_prot(cred) == FIDO_CRED_PROT_UV_REQUIRED && !verifies_itself) k->flags |= SSH_SK_USER_VERIFICATION_REQD;
    int code = enrolled(k->alg, cred, k->flags, &k->key);
    if (code == 0) f->list[f->n++] = k;
    return code;
}

static int residents_of(fido_dev_t *dev, const char *application, const char *pin, struct found *f)
{
    fido_credman_rk_t *keys = fido_credman_rk_new();
    bool verifies_itself = fido_option(dev, "uv") != -1;
    int code = keys ? code_of(fido_said("fido_credman_get_dev_rk", fido_credman_get_dev_rk(dev, application, keys, pin))) : SSH_SK_ERR_GENERAL;
    for (size_t i = 0; code == 0 && i < fido_credman_rk_count(keys); i++)
        if (fido_credman_rk(keys, i)) code = resident_add(f, application, i, fido_credman_rk(keys, i), verifies_itself);
    fido_credman_rk_free(&keys);
    return code;
}

static int residents_on(fido_dev_t *dev, const char *pin, struct found *f)
{
    fido_credman_metadata_t *about = fido_credman_metadata_new();
    fido_credman_rp_t *applications = fido_credman_rp_new();
    int code = SSH_SK_ERR_GENERAL;
    if (about && applications) {
        code = code_of(fido_said("fido_credman_get_dev_metadata", fido_credman_get_dev_metadata(dev, about, pin)));
        if (code == 0 && fido_credman_rk_existing(about) > 0)
            code = code_of(fido_said("fido_credman_get_dev_rp", fido_credman_get_dev_rp(dev, applications, pin)));
        for (size_t i = 0; code == 0 && i < fido_credman_rp_count(applications); i++) {
            const char *id = fido_credman_rp_id(applications, i);
            if (id && strncmp(id, "ssh:", 4) == 0) code = residents_of(dev, id, pin, f);
        }
    }
    fido_credman_rp_free(&applications);
    fido_credman_metadata_free(&about);
    return code;
}

static int residents(const char *pin, struct sk_option **options, struct sk_resident_key ***out, size_t *n)
{
    const struct credential any = {0};
    struct found f = {0};
    fido_dev_t *dev = fido_device_open(option(options, "device"), &any);
    if (!dev) return SSH_SK_ERR_DEVICE_NOT_FOUND;
    int code = pin ? residents_on(dev, pin, &f) : SSH_SK_ERR_PIN_REQUIRED;
    fido_done(&dev);
    *out = f.list, *n = f.n;
    return code;
}

const struct provider provider_fido = {enroll, sign, residents};
