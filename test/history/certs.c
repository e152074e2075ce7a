/* SPDX-License-Identifier: ISC */
/* Old defects with certificates: whoever they were made out to, and by whom. */
#include "history.h"

#include "base/limits.h"
#include "crypto/sign.h"
#include "key/cert.h"

struct hall {
    struct privkey *user, *ca;
};

static bool hall_open(struct hall *h)
{
    return privkey_generate("ssh-ed25519", 0, &random_libcrypto, &h->user) == ERR_NONE &&
           privkey_generate("ssh-ed25519", 0, &random_libcrypto, &h->ca) == ERR_NONE;
}

static void hall_close(struct hall *h)
{
    privkey_drop(&h->user);
    privkey_drop(&h->ca);
}

/* Sign what stands in body, and read the whole. */
static enum err finish(const struct hall *h, const struct wr *body, struct pubkey **out)
{
    struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX), blob CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX);
    TRY(privkey_sign(h->ca, sig_alg_find(BYTES_LIT("ssh-ed25519")), wr_bytes(body), &sig));
    TRY(cert_write(wr_bytes(body), wr_bytes(&sig), &blob));
    return pubkey_parse_any(wr_bytes(&blob), out);
}

static enum err body_begin(const struct hall *h, enum cert_kind kind, const char *principal, struct wr *body)
{
    const struct bytes name = bytes_str(principal);
    const struct cert_plan plan = {.kind = kind, .valid_before = CERT_FOREVER, .key_id = BYTES_LIT("id"), .principals = &name, .principals_n = name.n > 0};
    return cert_body_write(&plan, privkey_public(h->user), privkey_public(h->ca), &random_libcrypto, body);
}

/* A certificate for one principal ("": none), in which each ';' has become a ','; our own writer would not. */
static struct pubkey *made_out_to(const struct hall *h, enum cert_kind kind, const char *principal)
{
    struct wr body CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX);
    struct pubkey *k = NULL;
    size_t n = strlen(principal);
    if (body_begin(h, kind, principal, &body) != ERR_NONE) return NULL;
    uint8_t *at = n ? memmem(body.p, body.n, principal, n) : NULL;
    for (size_t i = 0; at && i < n; i++)
        if (at[i] == ';') at[i] = ',';
    return finish(h, &body, &k) == ERR_NONE ? k : NULL;
}

/* Nobody may pass with it, under any of these names. */
static bool lets_nobody_in(enum cert_kind kind, const char *principal, const char *const *names, size_t n)
{
    struct hall h = {0};
    struct pubkey *k CLEANUP(pubkey_drop) = hall_open(&h) ? made_out_to(&h, kind, principal) : NULL;
    const char *why = NULL;
    bool good = k && cert_check(pubkey_cert(k), kind, 1000, bytes_str(sig_algs_default), &why) != VERDICT_GOOD && why;
    for (size_t i = 0; i < n; i++) good &= k && !cert_has_principal(pubkey_cert(k), bytes_str(names[i]));
    hall_close(&h);
    return good;
}

bool openssh_2026_35414(void)
{
    static const char *const names[] = {"alice", "root", "alice,root", "", "*"};
    return lets_nobody_in(CERT_USER, "alice;root", names, COUNT_OF(names)) && lets_nobody_in(CERT_HOST, "alice;root", names, COUNT_OF(names)) &&
           lets_nobody_in(CERT_USER, "alice;", names, COUNT_OF(names)) && lets_nobody_in(CERT_USER, ";root", names, COUNT_OF(names));
}

bool vault_2024_7594(void)
{
    static const char *const names[] = {"alice", "root", "", "*"};
    return lets_nobody_in(CERT_USER, "", names, COUNT_OF(names)) && lets_nobody_in(CERT_HOST, "", names, COUNT_OF(names));
}

/* 10.3: a pattern stands for hosts only. */
bool user_principals_are_no_patterns(void)
{
    static const char *const patterns[] = {"*", "?lice", "al*", "!root"};
    struct hall h = {0};
    bool good = hall_open(&h);
    for (size_t i = 0; good && i < COUNT_OF(patterns); i++) {
        struct pubkey *k CLEANUP(pubkey_drop) = made_out_to(&h, CERT_USER, patterns[i]);
        good = k && !cert_has_principal(pubkey_cert(k), BYTES_LIT("alice"));
    }
    hall_close(&h);
    return good;
}

bool teleport_2025_49825(void)
{
    struct hall h = {0};
    struct wr body CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX);
    struct pubkey *k = NULL, *ca CLEANUP(pubkey_drop) = NULL;
    bool good = hall_open(&h) && (ca = made_out_to(&h, CERT_USER, "alice")) && body_begin(&h, CERT_USER, "root", &body) == ERR_NONE;
    if (good) {
        body.n -= 4 + pubkey_blob(privkey_public(h.ca)).n;
        wr_string(&body, pubkey_blob(ca));      /* the certified key, signing as if it were a CA */
        struct hall user = {.ca = h.user};
        good = finish(&user, &body, &k) != ERR_NONE && finish(&h, &body, &k) != ERR_NONE;
    }
    pubkey_free(k);
    hall_close(&h);
    return good;
}
