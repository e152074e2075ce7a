/* SPDX-License-Identifier: ISC */
/* Memory that fails at the nth request, n = 1, 2, ... until none is made any more (TRUST T06): each operation must end with its
 * right result or with an error, never with a wrong one, a crash or a leak (the asan build sees leaks). libcrypto's memory comes
 * from hooks, ours through the linker's --wrap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "crypto/algs.h"
#include "crypto/sign.h"

#include "libcrypto.h"

enum { NEVER = -1, REQUESTS_MAX = 100000 };

static long left = NEVER;       /* requests until failure */
static bool once;               /* only that one fails; else all from it on */
static long requests;           /* seen since reset */

static bool fails(void)
{
    requests++;
    if (left == NEVER) return false;
    if (left > 0) {
        left--;
        return false;
    }
    if (once) left = NEVER;
    return true;
}

static void *hook_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return fails() ? NULL : malloc(n ? n : 1);
}

static void *hook_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return fails() ? NULL : realloc(p, n);
}

static void hook_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    free(p);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

/* An operation, run often: true when it succeeded. It checks by itself that a success is a right one. */
typedef bool operation(const void *arg);

static void walk(const char *name, operation *op, const void *arg)
{
    for (int mode = 0; mode < 2; mode++) {
        long n = 0;
        for (bool hit = true; hit; n++) {
            left = n, once = mode == 0, requests = 0;
            bool done = op(arg);
            hit = requests > n;
            left = NEVER;
            if (!done && !hit) fail_msg("%s fails without a fault", name);
            if (n > REQUESTS_MAX) fail_msg("%s never ends asking", name);
        }
        if (!op(arg)) fail_msg("%s does not recover from a fault", name);
    }
}

static bool kex(const void *arg)
{
    const struct kex_alg *alg = arg;
    uint8_t room[2][KEX_PUBLIC_MAX];
    struct wr client = wr_span((struct span){room[0], sizeof room[0]}), server = wr_span((struct span){room[1], sizeof room[1]});
    struct secret a CLEANUP(secret_clear) = {0}, b CLEANUP(secret_clear) = {0};
    struct kex_state *s;
    if (alg->start(alg, &random_libcrypto, NULL, &client, &s) != ERR_NONE) return false;
    bool ok = alg->reply(alg, &random_libcrypto, NULL, wr_bytes(&client), &server, &b) == ERR_NONE &&
              alg->finish(s, wr_bytes(&server), &a) == ERR_NONE;
    alg->free(s);
    if (ok) assert_true(bytes_equal(secret_bytes(&a), secret_bytes(&b)));
    else assert_true(!a.p || !b.p);
    return ok;
}

static void key_exchanges(void **state)
{
    (void)state;
    /* one of each make; the larger curves and groups run the same code, only longer */
    static const struct kex_alg *const algs[] = {&kex_mlkem768x25519_sha256, &kex_sntrup761x25519_sha512, &kex_ecdh_nistp256, &kex_dh_group14_sha256};
    for (size_t i = 0; i < COUNT_OF(algs); i++) walk(algs[i]->name, kex, algs[i]);
}

static bool cipher(const void *arg)
{
    const struct cipher_alg *alg = arg;
    uint8_t key[64] = {1}, iv[16] = {2}, p[64 + 16] = {0};
    struct cipher *seal = alg->new(alg, CIPHER_SEAL, key, iv), *open = alg->new(alg, CIPHER_OPEN, key, iv);
    bool ok = seal && open;
    if (ok && alg->crypt) ok = alg->crypt(seal, p, 64) == ERR_NONE && alg->crypt(open, p, 64) == ERR_NONE;
    else if (ok) ok = alg->seal(seal, 7, p, 64) == ERR_NONE && alg->open(open, 7, p, 64) == VERDICT_GOOD;
    if (ok)
        for (size_t i = 4; i < 64; i++) assert_int_equal(p[i], 0);
    alg->free(seal), alg->free(open);
    return ok;
}

static bool mac(const void *arg)
{
    const struct mac_alg *alg = arg;
    static uint8_t first[MAC_TAG_MAX], tag[MAC_TAG_MAX];
    static const struct mac_alg *of;
    uint8_t key[64] = {1};
    struct mac *m = alg->new(alg, key);
    bool ok = m && alg->tag(m, 1, key, sizeof key, tag) == ERR_NONE;
    alg->free(m);
    if (ok && of != alg) of = alg, memcpy(first, tag, sizeof tag);
    if (ok) assert_memory_equal(first, tag, alg->tag_len);
    return ok;
}

static void packets(void **state)
{
    (void)state;
    for (size_t i = 0; cipher_all[i]; i++) walk(cipher_all[i]->name, cipher, cipher_all[i]);
    for (size_t i = 0; mac_all[i]; i++) walk(mac_all[i]->name, mac, mac_all[i]);
}

static bool ed25519(const void *arg)
{
    (void)arg;
    uint8_t seed[ED25519_SEED] = {1}, public_key[ED25519_PUBLIC], sig[ED25519_SIG];
    if (ed25519_public(seed, public_key) != ERR_NONE || ed25519_sign(seed, BYTES_LIT("text"), sig) != ERR_NONE) return false;
    assert_int_equal(ed25519_verify(public_key, BYTES_LIT("other"), bytes_of(sig, sizeof sig)), VERDICT_BAD);
    return ed25519_verify(public_key, BYTES_LIT("text"), bytes_of(sig, sizeof sig)) == VERDICT_GOOD;
}

static bool ecdsa(const void *arg)
{
    const struct ec_curve *curve = arg;
    uint8_t room[3][133];
    struct wr point = wr_span((struct span){room[0], 133}), r = wr_span((struct span){room[1], 133}), s = wr_span((struct span){room[2], 133});
    struct secret scalar CLEANUP(secret_clear) = {0};
    if (ecdsa_generate(curve, &point, &scalar) != ERR_NONE) return false;
    if (ecdsa_sign(curve, wr_bytes(&point), secret_bytes(&scalar), BYTES_LIT("text"), &r, &s) != ERR_NONE) return false;
    assert_int_equal(ecdsa_verify(curve, wr_bytes(&point), BYTES_LIT("other"), wr_bytes(&r), wr_bytes(&s)), VERDICT_BAD);
    return ecdsa_verify(curve, wr_bytes(&point), BYTES_LIT("text"), wr_bytes(&r), wr_bytes(&s)) == VERDICT_GOOD &&
           ecdsa_pair_check(curve, wr_bytes(&point), secret_bytes(&scalar)) == VERDICT_GOOD;
}

static bool rsa(const void *arg)
{
    const struct rsa_private *key = arg;
    const struct rsa_public public_key = {key->n, key->e};
    uint8_t room[256];
    struct wr sig = wr_span((struct span){room, sizeof room});
    if (rsa_check(key) != VERDICT_GOOD || rsa_sign(key, &hash_sha256, BYTES_LIT("text"), &sig) != ERR_NONE) return false;
    assert_int_equal(rsa_verify(&public_key, &hash_sha256, BYTES_LIT("other"), wr_bytes(&sig)), VERDICT_BAD);
    return rsa_verify(&public_key, &hash_sha256, BYTES_LIT("text"), wr_bytes(&sig)) == VERDICT_GOOD;
}

static void signatures(void **state)
{
    (void)state;
    struct rsa_numbers k CLEANUP(rsa_numbers_clear) = {0};
    assert_int_equal(rsa_generate(1024, &k), ERR_NONE);
    struct rsa_private key = {secret_bytes(&k.n), secret_bytes(&k.e), secret_bytes(&k.d), secret_bytes(&k.iqmp), secret_bytes(&k.p),
                              secret_bytes(&k.q)};
    walk("ed25519", ed25519, NULL);
    walk("ecdsa", ecdsa, &ec_nistp256);
    walk("rsa", rsa, &key);
}

static bool key_files(const void *arg)
{
    const struct file_cipher *alg = arg;
    uint8_t key[64] = {0}, iv[16] = {2}, data[64] = {0}, tag[16], mark[20];
    if (bcrypt_pbkdf(BYTES_LIT("p"), BYTES_LIT("s"), 1, (struct span){key, 32}) != ERR_NONE) return false;
    if (hmac_sha1(BYTES_LIT("k"), BYTES_LIT("m"), mark) != ERR_NONE) return false;
    if (file_cipher_run(alg, true, key, iv, (struct span){data, 64}, tag) != ERR_NONE) return false;
    if (file_cipher_run(alg, false, key, iv, (struct span){data, 64}, tag) != ERR_NONE) return false;
    for (size_t i = 0; i < 64; i++) assert_int_equal(data[i], 0);
    return true;
}

static void files(void **state)
{
    (void)state;
    const char *name;
    for (size_t i = 0; (name = file_cipher_name(i)); i++) walk(name, key_files, file_cipher_find(bytes_str(name)));
}

/* SPEED: what runs for each packet asks for no memory. */
static void packets_ask_for_no_memory(void **state)
{
    (void)state;
    static uint8_t p[2048];
    uint8_t key[64] = {1}, iv[16] = {2}, tag[MAC_TAG_MAX];
    uint32_t length;
    for (size_t i = 0; cipher_all[i]; i++) {
        const struct cipher_alg *alg = cipher_all[i];
        struct cipher *seal = alg->new(alg, CIPHER_SEAL, key, iv), *open = alg->new(alg, CIPHER_OPEN, key, iv);
        for (uint32_t seq = 0; seq < 4; seq++) {
            if (seq == 1) requests = 0;     /* the first packet may set something up */
            if (alg->crypt) assert_int_equal(alg->crypt(seal, p, 1024), ERR_NONE);
            else assert_int_equal(alg->seal(seal, seq, p, 1024), ERR_NONE);
            if (alg->length) assert_int_equal(alg->length(open, seq, p, &length), ERR_NONE);
            if (alg->open) assert_int_equal(alg->open(open, seq, p, 1024), VERDICT_GOOD);
        }
        if (requests) fail_msg("%s: %ld requests", alg->name, requests);
        alg->free(seal), alg->free(open);
    }
    for (size_t i = 0; mac_all[i]; i++) {
        struct mac *m = mac_all[i]->new(mac_all[i], key);
        for (uint32_t seq = 0; seq < 4; seq++) {
            if (seq == 1) requests = 0;
            assert_int_equal(mac_all[i]->tag(m, seq, p, 1024, tag), ERR_NONE);
        }
        if (requests) fail_msg("%s: %ld requests", mac_all[i]->name, requests);
        mac_all[i]->free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_ask_for_no_memory), cmocka_unit_test(key_exchanges), cmocka_unit_test(packets), cmocka_unit_test(signatures),
        cmocka_unit_test(files),
    };
    if (CRYPTO_set_mem_functions(hook_malloc, hook_realloc, hook_free) != 1 || crypto_warm() != ERR_NONE) return 1;
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
