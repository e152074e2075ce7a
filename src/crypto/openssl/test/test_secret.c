/* SPDX-License-Identifier: ISC */
/* Run under valgrind: secrets are marked undefined, so that each branch or index that depends on one is reported as an error
 * (TRUST T10). What must show is made defined again where it leaves; secret.supp lists the waivers, each with its reason. */
#include <stdio.h>
#include <stdlib.h>
#include <valgrind/memcheck.h>

#include "base/text.h"
#include "crypto/algs.h"
#include "crypto/pq.h"
#include "crypto/sign.h"

#include "mldsa.h"
#include "sntrup_poly.h"

#define HIDE(p, n) VALGRIND_MAKE_MEM_UNDEFINED(p, n)
#define SHOW(p, n) VALGRIND_MAKE_MEM_DEFINED(p, n)

/* A random record whose bytes are secret. */
static enum err hidden_fill(void *ctx, struct span out)
{
    enum err e = random_libcrypto.fill(ctx, out);
    HIDE(out.p, out.n);
    return e;
}
static const struct random hidden = {NULL, hidden_fill};

static void must(bool ok)
{
    if (!ok) abort();
}

static void mlkem_of(const struct mlkem *set)
{
    static uint8_t ek[MLKEM_PUBLIC_MAX], dk[MLKEM_SECRET_MAX], ct[MLKEM_CIPHER_MAX];
    uint8_t seed[MLKEM_SEED] = {1}, m[MLKEM_RANDOM] = {2}, a[32], b[32];
    size_t own = set->secret_len - set->public_len - 64;        /* the secret vector; behind it the public key, its hash, z */
    HIDE(seed, sizeof seed);
    mlkem_keygen(set, seed, ek, dk);
    SHOW(ek, sizeof ek), SHOW(dk, sizeof dk);
    HIDE(m, sizeof m);
    must(mlkem_encaps(set, ek, m, ct, a) == ERR_NONE);
    SHOW(ct, sizeof ct);
    HIDE(dk, own), HIDE(dk + set->secret_len - 32, 32);
    must(mlkem_decaps(set, dk, ct, b) == ERR_NONE);
    SHOW(a, 32), SHOW(b, 32);
    must(memcmp(a, b, 32) == 0);
    ct[5] ^= 1;
    must(mlkem_decaps(set, dk, ct, b) == ERR_NONE);
    SHOW(b, 32), SHOW(dk, sizeof dk);
    must(memcmp(a, b, 32) != 0);
}

static void case_mlkem(void)
{
    mlkem_of(&mlkem_768);
    mlkem_of(&mlkem_1024);
}

/* The seed, and what is drawn for a signature. Enough signatures for tries that are given up. */
static void case_mldsa(void)
{
    static uint8_t pk[MLDSA44_PUBLIC], sig[MLDSA44_SIG];
    uint8_t seed[MLDSA44_SEED] = {3}, mu[MLDSA44_MU] = {4}, rnd[MLDSA44_RANDOM] = {5};
    HIDE(seed, sizeof seed);
    mldsa44_public(seed, pk);
    SHOW(pk, sizeof pk);
    for (uint8_t i = 0; i < 6; i++) {
        mu[1] = i;
        HIDE(rnd, sizeof rnd);
        mldsa44_sign_mu(seed, mu, rnd, sig);
        SHOW(sig, sizeof sig);
        must(mldsa44_verify_mu(pk, mu, bytes_of(sig, sizeof sig)) == VERDICT_GOOD);
    }
}

static void case_sntrup(void)
{
    static uint8_t pk[SNTRUP761_PUBLIC], sk[SNTRUP761_SECRET], ct[SNTRUP761_CIPHER];
    uint8_t a[32], b[32];
    must(sntrup761_keygen(&random_libcrypto, pk, sk) == ERR_NONE);
    must(sntrup761_encaps(&hidden, pk, ct, a) == ERR_NONE);
    SHOW(ct, sizeof ct);
    HIDE(sk, 382), HIDE(sk + 382 + SNTRUP761_PUBLIC, 191);      /* f and 1/g; rho */
    must(sntrup761_decaps(sk, ct, b) == ERR_NONE);
    SHOW(a, 32), SHOW(b, 32);
    must(memcmp(a, b, 32) == 0);
    ct[5] ^= 1;
    must(sntrup761_decaps(sk, ct, b) == ERR_NONE);
    SHOW(b, 32), SHOW(sk, sizeof sk);
    must(memcmp(a, b, 32) != 0);
}

/* Key generation's two inversions; whether g had an inverse is no secret, as another g is taken then. */
static void case_sntrup_inverses(void)
{
    int16_t g[SNTRUP_P], out[SNTRUP_P];
    for (unsigned i = 0; i < SNTRUP_P; i++) g[i] = (int16_t)(i * i % 7 % 3) - 1;
    HIDE(g, sizeof g);
    bool found = r3_inverse(g, out);
    SHOW(&found, sizeof found);
    rq_inverse_third(g, out);
    SHOW(out, sizeof out);
}

static void kex_of(const struct kex_alg *alg)
{
    uint8_t room[2][KEX_PUBLIC_MAX];
    struct wr client = wr_span((struct span){room[0], sizeof room[0]}), server = wr_span((struct span){room[1], sizeof room[1]});
    struct secret a = {0}, b = {0};
    struct kex_state *s;
    must(alg->start(alg, &hidden, NULL, &client, &s) == ERR_NONE);
    SHOW(client.p, client.n);
    must(alg->reply(alg, &hidden, NULL, wr_bytes(&client), &server, &b) == ERR_NONE);
    SHOW(server.p, server.n);
    must(alg->finish(s, wr_bytes(&server), &a) == ERR_NONE);
    SHOW(&a.n, sizeof a.n), SHOW(&b.n, sizeof b.n), SHOW(a.p, a.n), SHOW(b.p, b.n);
    must(bytes_equal(secret_bytes(&a), secret_bytes(&b)));
    alg->free(s);
    secret_clear(&a), secret_clear(&b);
}

static void case_x25519(void)
{
    kex_of(&kex_curve25519_sha256);
}

static void case_hybrid(void)
{
    kex_of(&kex_sntrup761x25519_sha512);
}

static void case_tags(void)
{
    uint8_t a[16] = {1}, b[16] = {1};
    HIDE(a, sizeof a);
    enum verdict v = bytes_verify(a, b, sizeof a);
    SHOW(&v, sizeof v);
    must(v == VERDICT_GOOD);
}

/* A private key's text. That it was valid may show; which characters it has may not. */
static void case_base64(void)
{
    char text[] = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5eg==";
    uint8_t room[64];
    struct wr w = wr_span((struct span){room, sizeof room});
    HIDE(text, sizeof text - 3);        /* the padding's place follows from the length */
    enum err e = base64_parse(bytes_of(text, sizeof text - 1), &w);
    SHOW(&e, sizeof e), SHOW(&w, sizeof w), SHOW(room, sizeof room);
    must(e == ERR_NONE && w.n == 52 && room[0] == 'A');
}

static void case_macs_and_ciphers(void)
{
    uint8_t key[64] = {1}, iv[16] = {2}, packet[68 + 16] = {0}, tag[MAC_TAG_MAX];
    HIDE(key, sizeof key);
    for (size_t i = 0; mac_all[i]; i++) {
        struct mac *m = mac_all[i]->new(mac_all[i], key);
        must(m && mac_all[i]->tag(m, 1, packet, 68, tag) == ERR_NONE);
        mac_all[i]->free(m);
    }
    for (size_t i = 0; cipher_all[i]; i++) {
        const struct cipher_alg *alg = cipher_all[i];
        struct cipher *c = alg->new(alg, CIPHER_SEAL, key, iv);
        must(c && (alg->seal ? alg->seal(c, 1, packet, 68) : alg->crypt(c, packet, 64)) == ERR_NONE);
        alg->free(c);
    }
}

int main(void)
{
    static const struct { const char *name; void (*run)(void); } cases[] = {
        {"ML-KEM makes a key, encapsulates and decapsulates", case_mlkem}, {"ML-DSA makes a key and signs", case_mldsa},
        {"sntrup761 encapsulates and decapsulates", case_sntrup},
        {"sntrup761's inverses", case_sntrup_inverses}, {"X25519", case_x25519}, {"a hybrid key exchange", case_hybrid},
        {"comparing tags", case_tags}, {"reading base64", case_base64}, {"packet MACs and ciphers", case_macs_and_ciphers}};
    if (!RUNNING_ON_VALGRIND) {
        puts("1..0 # SKIP only says something under valgrind");
        return 0;
    }
    printf("1..%zu\n", COUNT_OF(cases) + 1);
    int failed = 0;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        unsigned before = (unsigned)VALGRIND_COUNT_ERRORS;
        cases[i].run();
        unsigned errors = (unsigned)VALGRIND_COUNT_ERRORS - before;
        failed += errors > 0;
        printf("%s %zu - no branch or index depends on a secret: %s\n", errors ? "not ok" : "ok", i + 1, cases[i].name);
        fflush(stdout);
    }
    /* the alarm itself must work */
    unsigned before = (unsigned)VALGRIND_COUNT_ERRORS;
    volatile uint8_t secret = 1, *p = &secret;
    HIDE(&secret, 1);
    if (*p) puts("# a branch on a secret");
    bool seen = (unsigned)VALGRIND_COUNT_ERRORS > before;
    printf("%s %zu - a planted branch on a secret is seen\n", seen ? "ok" : "not ok", COUNT_OF(cases) + 1);
    return failed || !seen;
}
