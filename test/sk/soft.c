/* SPDX-License-Identifier: ISC */
/* A FIDO authenticator in software, as a provider library: what SecurityKeyProvider and ssh-keygen -w load, in OpenSSH's helper and ours. It
 * stands on libcrypto alone: foreign code, without sanitizers in any build.
 * The key handle holds the key. In the environment:
 *   SOFT_SK_PIN      the PIN: verification and listing want it
 *   SOFT_SK_STORE    a folder for resident keys and the counter
 *   SOFT_SK_TOUCH    a file: who wants presence waits until it is there, as a person may take a while
 *   SOFT_SK_TROUBLE  crash | hang | lie (a signature that is not good) | junk (lengths that cannot be) | refuse | gone (no device) |
 *                    linger (speaks while the process exits) */
#include <dirent.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sk_api.h"

#define EXPORT  __attribute__((visibility("default")))
#define MAGIC   "SOFT"
#define POINT   65
#define HANDLE  (sizeof MAGIC + 32 + POINT) /* magic, NUL, seed or scalar, point */
#define SIG_MAX 80
#define COUNTER 41

EXPORT uint32_t sk_api_version(void)
{
    return SSH_SK_VERSION_MAJOR | 7;
}

static bool trouble(const char *what)
{
    const char *t = getenv("SOFT_SK_TROUBLE");
    return t && strcmp(t, what) == 0;
}

static int misbehave(void)
{
    if (trouble("crash")) abort();
    while (trouble("hang")) pause();
    return trouble("refuse") ? SSH_SK_ERR_GENERAL : trouble("gone") ? SSH_SK_ERR_DEVICE_NOT_FOUND : 0;
}

__attribute__((destructor)) static void linger(void)
{
    if (trouble("linger")) (void)!write(STDERR_FILENO, "still here\n", 11);
}

static uint8_t *copied(const void *p, size_t n, size_t *len)
{
    uint8_t *to = malloc(n);
    if (!to) abort();
    memcpy(to, p, n);
    *len = trouble("junk") ? 1000000 : n;
    return to;
}

static const char *option(struct sk_option **options, const char *name)
{
    for (size_t i = 0; options && options[i]; i++)
        if (strcmp(options[i]->name, name) == 0) return options[i]->value;
    return NULL;
}

/* Is the person who we think it is? */
static int verify(bool wanted, const char *pin, bool *verified)
{
    const char *own = getenv("SOFT_SK_PIN");
    *verified = own && pin && strcmp(own, pin) == 0;
    return wanted && !*verified ? SSH_SK_ERR_PIN_REQUIRED : 0;
}

static int touch(bool wanted)
{
    const char *by = getenv("SOFT_SK_TOUCH");
    for (int tries = 0; wanted && by && access(by, F_OK) != 0; tries++) {
        if (tries == 12000) return SSH_SK_ERR_GENERAL;
        usleep(10000);
    }
    return 0;
}

/* ---- resident keys: a file each, named by algorithm, user and application ---- */

static const char *store(void)
{
    return getenv("SOFT_SK_STORE");
}

static void resident_path(char out[4096], uint32_t alg, const char *user, const char *application)
{
    char name[512];
    snprintf(name, sizeof name, "%u,%s,%s", alg, user ? user : "", application);
    for (char *c = name; *c; c++)
        if (*c == '/') *c = '%';
    snprintf(out, 4096, "%s/%s", store(), name);
}

static int resident_keep(uint32_t alg, const char *user, const char *application, uint8_t flags, const uint8_t *handle)
{
    char path[4096];
    if (!store()) return SSH_SK_ERR_UNSUPPORTED;
    resident_path(path, alg, user, application);
    if (access(path, F_OK) == 0 && !(flags & SSH_SK_FORCE_OPERATION)) return SSH_SK_ERR_CREDENTIAL_EXISTS;
    FILE *f = fopen(path, "w");
    if (!f || fwrite(&flags, 1, 1, f) != 1 || fwrite(handle, 1, HANDLE, f) != HANDLE || fclose(f) != 0) return SSH_SK_ERR_GENERAL;
    return 0;
}

/* ---- keys ---- */

static EVP_PKEY *ed25519_of(const uint8_t seed[32])
{
    return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
}

static bool ed25519_point(const uint8_t seed[32], uint8_t out[32])
{
    EVP_PKEY *k = ed25519_of(seed);
    size_t n = 32;
    bool good = k && EVP_PKEY_get_raw_public_key(k, out, &n) == 1;
    EVP_PKEY_free(k);
    return good;
}

/* The scalar, and behind it the point. */
static bool ecdsa_make(uint8_t secret[32 + POINT])
{
    EVP_PKEY *k = EVP_EC_gen("P-256");
    BIGNUM *scalar = NULL;
    size_t n = 0;
    bool good = k && EVP_PKEY_get_bn_param(k, OSSL_PKEY_PARAM_PRIV_KEY, &scalar) == 1 && BN_bn2binpad(scalar, secret, 32) == 32 &&
                EVP_PKEY_get_octet_string_param(k, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, secret + 32, POINT, &n) == 1 && n == POINT;
    BN_clear_free(scalar);
    EVP_PKEY_free(k);
    return good;
}

static EVP_PKEY *ecdsa_of(const uint8_t secret[32 + POINT])
{
    EVP_PKEY *k = NULL;
    BIGNUM *scalar = BN_bin2bn(secret, 32, NULL);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    bool good = scalar && ctx && b && OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
                OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, secret + 32, POINT) == 1 &&
                OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, scalar) == 1;
    OSSL_PARAM *params = good ? OSSL_PARAM_BLD_to_param(b) : NULL;
    if (!params || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &k, EVP_PKEY_KEYPAIR, params) != 1) k = NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    EVP_PKEY_CTX_free(ctx);
    BN_clear_free(scalar);
    return k;
}

/* out: SIG_MAX bytes; how many they are, 0: it failed. */
static size_t signed_by(EVP_PKEY *k, const EVP_MD *hash, const uint8_t *text, size_t text_n, uint8_t *out)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = SIG_MAX;
    if (!k || !ctx || EVP_DigestSignInit(ctx, NULL, hash, NULL, k) != 1 || EVP_DigestSign(ctx, out, &n, text, text_n) != 1) n = 0;
    EVP_MD_CTX_free(ctx);
    return n;
}

static int make(uint32_t alg, uint8_t handle[HANDLE], uint8_t *public_key, size_t *public_n)
{
    uint8_t *secret = handle + sizeof MAGIC;
    memset(handle, 0, HANDLE);
    memcpy(handle, MAGIC, sizeof MAGIC);
    if (alg == SSH_SK_ED25519) {
        *public_n = 32;
        return RAND_bytes(secret, 32) == 1 && ed25519_point(secret, public_key) ? 0 : SSH_SK_ERR_GENERAL;
    }
    if (!ecdsa_make(secret)) return SSH_SK_ERR_GENERAL;
    memcpy(public_key, secret + 32, POINT);
    *public_n = POINT;
    return 0;
}

EXPORT int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application, uint8_t flags, const char *pin,
                     struct sk_option **options, struct sk_enroll_response **out)
{
    uint8_t handle[HANDLE], public_key[POINT];
    size_t public_n;
    bool verified;
    int e = misbehave();
    if (!e) e = verify(flags & SSH_SK_USER_VERIFICATION_REQD, pin, &verified);
    if (!e) e = make(alg, handle, public_key, &public_n);
    if (!e && (flags & SSH_SK_RESIDENT_KEY)) e = resident_keep(alg, option(options, "user"), application, flags, handle);
    if (e) return e;
    struct sk_enroll_response *r = calloc(1, sizeof *r);
    if (!r) abort();
    r->flags = flags;
    r->public_key = copied(public_key, public_n, &r->public_key_len);
    r->key_handle = copied(handle, HANDLE, &r->key_handle_len);
    /* enough for a test to see that it arrives */
    r->signature = copied(challenge, challenge_len, &r->signature_len);
    r->attestation_cert = copied("certificate", 11, &r->attestation_cert_len);
    r->authdata = copied("authdata", 8, &r->authdata_len);
    *out = r;
    return 0;
}

/* Each signature its own number, where there is a place to keep it. */
static uint32_t counter_next(void)
{
    char path[4096];
    uint32_t n = COUNTER;
    if (!store()) return n;
    snprintf(path, sizeof path, "%s/.counter", store());
    FILE *f = fopen(path, "r");
    if (f && fscanf(f, "%u", &n) != 1) abort();
    if (f) fclose(f);
    f = fopen(path, "w");
    if (!f || fprintf(f, "%u", n + 1) < 0 || fclose(f) != 0) abort();
    return n + 1;
}

static void number_put(const BIGNUM *bn, uint8_t **out, size_t *n)
{
    uint8_t room[32];
    if (BN_bn2binpad(bn, room, sizeof room) != sizeof room) abort();
    *out = copied(room, sizeof room, n);
}

static int sign(uint32_t alg, const uint8_t *secret, const uint8_t *text, size_t text_n, struct sk_sign_response *r)
{
    uint8_t sig[SIG_MAX];
    const uint8_t *der = sig;
    bool ed = alg == SSH_SK_ED25519;
    EVP_PKEY *k = ed ? ed25519_of(secret) : ecdsa_of(secret);
    size_t n = signed_by(k, ed ? NULL : EVP_sha256(), text, text_n, sig);
    EVP_PKEY_free(k);
    if (n == 0) return SSH_SK_ERR_GENERAL;
    if (ed) {
        sig[9] ^= trouble("lie");
        r->sig_r = copied(sig, n, &r->sig_r_len);
        return 0;
    }
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)n);
    if (!pair) return SSH_SK_ERR_GENERAL;
    number_put(ECDSA_SIG_get0_r(pair), &r->sig_r, &r->sig_r_len);
    number_put(ECDSA_SIG_get0_s(pair), &r->sig_s, &r->sig_s_len);
    ECDSA_SIG_free(pair);
    r->sig_r[9] ^= trouble("lie");
    return 0;
}

EXPORT int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application, const uint8_t *key_handle, size_t key_handle_len,
                   uint8_t flags, const char *pin, struct sk_option **options, struct sk_sign_response **out)
{
    uint8_t text[32 + 1 + 4 + 32];
    bool verified;
    int e = misbehave();
    (void)options;
    if (!e) e = verify(flags & SSH_SK_USER_VERIFICATION_REQD, pin, &verified);
    if (!e) e = touch(flags & SSH_SK_USER_PRESENCE_REQD);
    if (e) return e;
    if (key_handle_len != HANDLE || memcmp(key_handle, MAGIC, sizeof MAGIC) != 0) return SSH_SK_ERR_DEVICE_NOT_FOUND;
    struct sk_sign_response *r = calloc(1, sizeof *r);
    if (!r) abort();
    r->flags = (uint8_t)((flags & SSH_SK_USER_PRESENCE_REQD) | (verified ? SSH_SK_USER_VERIFICATION_REQD : 0));
    r->counter = counter_next();
    SHA256((const uint8_t *)application, strlen(application), text);
    text[32] = r->flags;
    for (int i = 0; i < 4; i++) text[33 + i] = (uint8_t)(r->counter >> (24 - 8 * i));
    SHA256(data, data_len, text + 37);
    *out = r;
    return sign(alg, key_handle + sizeof MAGIC, text, sizeof text, r);
}

/* ---- listing ---- */

static struct sk_resident_key *resident_read(const char *name)
{
    char path[4096], user[256] = "", application[256] = "";
    uint8_t handle[HANDLE], public_key[POINT], flags;
    unsigned alg;
    size_t public_n = POINT;
    snprintf(path, sizeof path, "%s/%s", store(), name);
    FILE *f = fopen(path, "r");
    if (!f || fread(&flags, 1, 1, f) != 1 || fread(handle, 1, HANDLE, f) != HANDLE) abort();
    fclose(f);
    char slashed[512];
    snprintf(slashed, sizeof slashed, "%s", name);
    for (char *c = slashed; *c; c++)
        if (*c == '%') *c = '/';
    const char *comma = strrchr(slashed, ',');
    if (sscanf(slashed, "%u", &alg) != 1 || !comma) abort();
    snprintf(user, sizeof user, "%.*s", (int)(comma - slashed - 2), slashed + 2);
    snprintf(application, sizeof application, "%s", comma + 1);
    memcpy(public_key, handle + sizeof MAGIC + 32, POINT);
    if (alg == SSH_SK_ED25519) public_n = 32;
    if (alg == SSH_SK_ED25519 && !ed25519_point(handle + sizeof MAGIC, public_key)) abort();
    struct sk_resident_key *k = calloc(1, sizeof *k);
    if (!k) abort();
    k->alg = alg;
    k->application = strdup(application);
    if (!k->application) abort();
    k->flags = flags;
    k->user_id = calloc(1, 32);         /* as authenticators keep it: padded */
    if (!k->user_id) abort();
    k->user_id_len = 32;
    memcpy(k->user_id, user, strnlen(user, 32));
    k->key.public_key = copied(public_key, public_n, &k->key.public_key_len);
    k->key.key_handle = copied(handle, HANDLE, &k->key.key_handle_len);
    return k;
}

static int not_hidden(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

EXPORT int sk_load_resident_keys(const char *pin, struct sk_option **options, struct sk_resident_key ***out, size_t *n)
{
    struct dirent **names;
    bool verified;
    int e = misbehave();
    (void)options;
    if (!e) e = verify(true, pin, &verified);
    if (e) return e;
    int count = store() ? scandir(store(), &names, not_hidden, alphasort) : 0;
    if (count < 0) return SSH_SK_ERR_GENERAL;
    struct sk_resident_key **list = calloc((size_t)count + 1, sizeof *list);
    if (!list) abort();
    for (int i = 0; i < count; i++) list[i] = resident_read(names[i]->d_name);
    *out = list;
    *n = (size_t)count;
    return 0;
}
