/* SPDX-License-Identifier: ISC */
/* What the helpers for keys on tokens and authenticators say, heard by ssh, ssh-agent and ssh-keygen: whatever it is, no signature comes out
 * that does not verify, no key that is none. */
#include <stdlib.h>

#include "base/limits.h"
#include "crypto/sign.h"
#include "fake.h"
#include "kit/pkcs11.h"
#include "kit/pkcs11_wire.h"
#include "kit/sk.h"
#include "kit/sk_wire.h"
#include "targets.h"

#define TEXT BYTES_LIT("to be signed")

static enum err pin_give(void *ctx, const char *label, bool again, struct secret *out)
{
    (void)ctx, (void)again;
    for (; *label; label++) MUST((unsigned char)*label >= 0x20);
    return secret_copy(out, BYTES_LIT("1234"));
}

static void sign_by(struct pkcs11 *p, const struct pkcs11_key *k)
{
    for (const struct sig_alg *a = sig_algs; a->name; a++) {
        struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
        if (strcmp(a->key_type, pubkey_type(k->pub)) != 0 || pkcs11_sign(p, k, a, TEXT, &sig) != ERR_NONE) continue;
        MUST(pubkey_verify(k->pub, a, TEXT, wr_bytes(&sig)) == VERDICT_GOOD);
    }
}

void fuzz_pkcs11_client(struct bytes in)
{
    const struct pkcs11_how how = {.libexec_dir = "/", .pin = pin_give};
    struct pkcs11 *p CLEANUP(pkcs11_drop) = NULL;
    fake_messages = rd_init(in);
    fake_output = (struct bytes){0};
    if (pkcs11_open(&how, "/m.so", (struct bytes){0}, &p) != ERR_NONE) {
        MUST(*pkcs11_why());
        return;
    }
    for (size_t i = 0; i < pkcs11_count(p); i++) {
        const struct pkcs11_key *k = pkcs11_key(p, i);
        for (const char *c = k->label; *c; c++) MUST((unsigned char)*c >= 0x20);
        MUST(pkcs11_find(p, k->pub) == k);
        if (i < 3) sign_by(p, k);
    }
}

static enum err sk_pin_give(void *ctx, struct secret *out)
{
    (void)ctx;
    return secret_copy(out, BYTES_LIT("1234"));
}

/* Its private half is known here, so that seeds are answered truly; nobody else has it. */
static struct privkey *sk_key(const uint8_t seed[ED25519_SEED])
{
    static const struct sk_private half = {SK_PRESENCE, BYTES_LIT("ssh:"), BYTES_LIT("handle"), {0}};
    struct privkey *k = NULL;
    uint8_t pub[ED25519_PUBLIC];
    MUST(ed25519_public(seed, pub) == ERR_NONE);
    MUST(privkey_sk_new("sk-ssh-ed25519@openssh.com", bytes_of(pub, sizeof pub), &half, &k) == ERR_NONE);
    return k;
}

static const uint8_t seed_of_key[ED25519_SEED] = {7};

static void sk_sign_try(const struct sk_how *how)
{
    struct privkey *k CLEANUP(privkey_drop) = sk_key(seed_of_key);
    struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
    const struct sig_alg *alg = sig_alg_find(bytes_str(pubkey_type(privkey_public(k))));
    if (sk_sign(how, k, alg, TEXT, &sig) != ERR_NONE) MUST(*sk_why());
    else MUST(pubkey_verify(privkey_public(k), alg, TEXT, wr_bytes(&sig)) == VERDICT_GOOD);
}

static void sk_residents_try(const struct sk_how *how)
{
    struct sk_resident *list = NULL;
    size_t n = 0;
    if (sk_residents(how, &list, &n) != ERR_NONE) return;
    for (size_t i = 0; i < n; i++) {
        struct sk_private half;
        MUST(list[i].key && privkey_sk(list[i].key, &half) && half.application.n >= 4 && memcmp(half.application.p, "ssh:", 4) == 0);
    }
    sk_residents_free(list, n);
}

/* The first byte: what is asked. */
void fuzz_sk_client(struct bytes in)
{
    const struct sk_how how = {.libexec_dir = "/", .ask_pin = sk_pin_give};
    struct sk_plan plan = {.type = "sk-ssh-ed25519@openssh.com", .application = "ssh:", .challenge = TEXT};
    if (in.n < 1) return;
    fake_messages = rd_init(bytes_of(in.p + 1, in.n - 1));
    fake_output = (struct bytes){0};
    if (in.p[0] % 4 == 0) {
        sk_sign_try(&how);
    } else if (in.p[0] % 4 == 1) {
        sk_residents_try(&how);
    } else {
        struct privkey *k CLEANUP(privkey_drop) = NULL;
        struct wr attestation CLEANUP(wr_clear) = wr_heap(8 * SKW_FIELD_MAX);
        if (in.p[0] % 4 == 3) plan.type = "sk-ecdsa-sha2-nistp256@openssh.com";
        if (sk_enroll(&how, &plan, &random_libcrypto, &k, &attestation) == ERR_NONE)
            MUST(strcmp(pubkey_type(privkey_public(k)), plan.type) == 0);
    }
}

/* ---- seeds ---- */

static void put(struct wr *out, struct wr *message)
{
    wr_string(out, wr_bytes(message));
    wr_clear(message);
}

/* Ed25519 signs the text itself. */
bool seed_pkcs11_client(unsigned i, struct wr *out)
{
    struct wr blob CLEANUP(wr_clear) = wr_heap(200), m;
    uint8_t pub[ED25519_PUBLIC], sig[ED25519_SIG];
    if (i > 2) return false;
    MUST(ed25519_public(seed_of_key, pub) == ERR_NONE && ed25519_sign(seed_of_key, TEXT, sig) == ERR_NONE);
    wr_cstring(&blob, "ssh-ed25519"), wr_string(&blob, bytes_of(pub, sizeof pub));
    if (i == 1) m = wr_heap(99), wr_u8(&m, P11_NEED_PIN), wr_cstring(&m, "card\x1b"), wr_bool(&m, false), put(out, &m);
    m = wr_heap(999), wr_u8(&m, P11_KEY), wr_u32(&m, 0), wr_string(&m, wr_bytes(&blob)), wr_cstring(&m, "label"), put(out, &m);
    m = wr_heap(99), wr_u8(&m, P11_LISTED), wr_u32(&m, 1), put(out, &m);
    m = wr_heap(999);
    if (i == 2) wr_u8(&m, P11_FAILED), wr_u32(&m, ERR_DENIED), wr_cstring(&m, "because");
    else wr_u8(&m, P11_SIGNATURE), wr_string(&m, bytes_of(sig, sizeof sig));
    put(out, &m);
    return true;
}

static void sk_answer_write(struct wr *m)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(200);
    uint8_t sig[ED25519_SIG], hash[32];
    MUST(hash_digest(&hash_sha256, BYTES_LIT("ssh:"), hash) == ERR_NONE);
    wr_raw(&text, bytes_of(hash, 32)), wr_u8(&text, 1), wr_u32(&text, 9);
    MUST(hash_digest(&hash_sha256, TEXT, hash) == ERR_NONE);
    wr_raw(&text, bytes_of(hash, 32));
    MUST(ed25519_sign(seed_of_key, wr_bytes(&text), sig) == ERR_NONE);
    wr_u8(m, SKW_SIGNED), wr_u8(m, 1), wr_u32(m, 9), wr_string(m, bytes_of(sig, sizeof sig)), wr_cstring(m, "");
}

bool seed_sk_client(unsigned i, struct wr *out)
{
    uint8_t pub[ED25519_PUBLIC];
    struct wr m = wr_heap(1000);
    MUST(ed25519_public(seed_of_key, pub) == ERR_NONE);
    wr_u8(out, i == 3 ? 0 : (uint8_t)i);
    switch (i) {
    case 0: sk_answer_write(&m); break;
    case 1:
        wr_u8(&m, SKW_RESIDENT), wr_u8(&m, SKW_ED25519), wr_u8(&m, 4), wr_cstring(&m, "ssh:a"), wr_cstring(&m, "user");
        wr_string(&m, bytes_of(pub, sizeof pub)), wr_cstring(&m, "handle"), put(out, &m);
        m = wr_heap(9), wr_u8(&m, SKW_LOADED), wr_u32(&m, 1);
        break;
    case 2:
        wr_u8(&m, SKW_ENROLLED), wr_u8(&m, 1), wr_string(&m, bytes_of(pub, sizeof pub)), wr_cstring(&m, "handle");
        for (int k = 0; k < 3; k++) wr_cstring(&m, "attestation");
        break;
    case 3: wr_u8(&m, SKW_NEED_PIN), put(out, &m), m = wr_heap(1000), sk_answer_write(&m); break;
    default: wr_clear(&m); return false;
    }
    put(out, &m);
    return true;
}
