/* SPDX-License-Identifier: ISC */
/* A FIDO authenticator in software, as a provider library: what SecurityKeyProvider and ssh-keygen -w load, in OpenSSH's helper and ours.
 * The key handle holds the key. In the environment:
 *   SOFT_SK_PIN      the PIN: verification and listing want it
 *   SOFT_SK_STORE    a folder for resident keys and the counter
 *   SOFT_SK_TOUCH    a file: who wants presence waits until it is there, as a person may take a while
 *   SOFT_SK_TROUBLE  crash | hang | lie (a signature that is not good) | junk (lengths that cannot be) | refuse | gone (no device) */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/random.h"
#include "base/wr.h"
#include "crypto/sign.h"
#include "sk_api.h"

#define EXPORT  __attribute__((visibility("default")))
#define MAGIC   "SOFT"
#define HANDLE  (sizeof MAGIC + 32 + 65)    /* magic, NUL, seed or scalar, point */
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
    if (trouble("crash")) raise(SIGSEGV);
    while (trouble("hang")) pause();
    return trouble("refuse") ? SSH_SK_ERR_GENERAL : trouble("gone") ? SSH_SK_ERR_DEVICE_NOT_FOUND : 0;
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

static int make(uint32_t alg, uint8_t handle[HANDLE], uint8_t *public_key, size_t *public_n)
{
    struct wr point = wr_span((struct span){public_key, 65});
    struct secret scalar = {0};
    uint8_t *secret = handle + sizeof MAGIC;
    memset(handle, 0, HANDLE);
    memcpy(handle, MAGIC, sizeof MAGIC);
    if (alg == SSH_SK_ED25519) {
        *public_n = ED25519_PUBLIC;
        return random_fill(&random_libcrypto, secret, 32) == ERR_NONE && ed25519_public(secret, public_key) == ERR_NONE
                   ? 0 : SSH_SK_ERR_GENERAL;
    }
    if (ecdsa_generate(&ec_nistp256, &point, &scalar) != ERR_NONE) return SSH_SK_ERR_GENERAL;
    memcpy(secret, scalar.p, 32);
    memcpy(secret + 32, public_key, 65);
    *public_n = 65;
    secret_clear(&scalar);
    return 0;
}

EXPORT int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application, uint8_t flags, const char *pin,
                     struct sk_option **options, struct sk_enroll_response **out)
{
    uint8_t handle[HANDLE], public_key[65];
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

static int sign(uint32_t alg, const uint8_t *secret, struct bytes text, struct sk_sign_response *r)
{
    if (alg == SSH_SK_ED25519) {
        uint8_t sig[ED25519_SIG];
        if (ed25519_sign(secret, text, sig) != ERR_NONE) return SSH_SK_ERR_GENERAL;
        sig[9] ^= trouble("lie");
        r->sig_r = copied(sig, sizeof sig, &r->sig_r_len);
        return 0;
    }
    uint8_t a[40], b[40];
    struct wr wa = wr_span((struct span){a, sizeof a}), wb = wr_span((struct span){b, sizeof b});
    if (ecdsa_sign(&ec_nistp256, bytes_of(secret + 32, 65), bytes_of(secret, 32), text, &wa, &wb) != ERR_NONE) return SSH_SK_ERR_GENERAL;
    a[9] ^= trouble("lie");
    r->sig_r = copied(a, wa.n, &r->sig_r_len);
    r->sig_s = copied(b, wb.n, &r->sig_s_len);
    return 0;
}

EXPORT int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application, const uint8_t *key_handle, size_t key_handle_len,
                   uint8_t flags, const char *pin, struct sk_option **options UNUSED, struct sk_sign_response **out)
{
    uint8_t hash[32], room[128];
    struct wr text = wr_span((struct span){room, sizeof room});
    bool verified;
    int e = misbehave();
    if (!e) e = verify(flags & SSH_SK_USER_VERIFICATION_REQD, pin, &verified);
    if (!e) e = touch(flags & SSH_SK_USER_PRESENCE_REQD);
    if (e) return e;
    if (key_handle_len != HANDLE || memcmp(key_handle, MAGIC, sizeof MAGIC) != 0) return SSH_SK_ERR_DEVICE_NOT_FOUND;
    struct sk_sign_response *r = calloc(1, sizeof *r);
    if (!r) abort();
    r->flags = (uint8_t)((flags & SSH_SK_USER_PRESENCE_REQD) | (verified ? SSH_SK_USER_VERIFICATION_REQD : 0));
    r->counter = counter_next();
    if (hash_digest(&hash_sha256, bytes_str(application), hash) != ERR_NONE) abort();
    wr_raw(&text, bytes_of(hash, 32));
    wr_u8(&text, r->flags);
    wr_u32(&text, r->counter);
    if (hash_digest(&hash_sha256, bytes_of(data, data_len), hash) != ERR_NONE) abort();
    wr_raw(&text, bytes_of(hash, 32));
    *out = r;
    return sign(alg, key_handle + sizeof MAGIC, wr_bytes(&text), r);
}

/* ---- listing ---- */

static struct sk_resident_key *resident_read(const char *name)
{
    char path[4096], user[256] = "", application[256] = "";
    uint8_t handle[HANDLE], public_key[65], flags;
    unsigned alg;
    size_t public_n = 65;
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
    memcpy(public_key, handle + sizeof MAGIC + 32, 65);
    if (alg == SSH_SK_ED25519) public_n = ED25519_PUBLIC;
    if (alg == SSH_SK_ED25519 && ed25519_public(handle + sizeof MAGIC, public_key) != ERR_NONE) abort();
    struct sk_resident_key *k = calloc(1, sizeof *k);
    if (!k) abort();
    k->alg = alg;
    k->application = strdup(application);
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

EXPORT int sk_load_resident_keys(const char *pin, struct sk_option **options UNUSED, struct sk_resident_key ***out, size_t *n)
{
    struct dirent **names;
    bool verified;
    int e = misbehave();
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
