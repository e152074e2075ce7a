/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypto/pq.h"

#include "keccak.h"
#include "mldsa_poly.h"
#include "mlkem_poly.h"
#include "crypto/sha512.h"
#include "sntrup_code.h"

/* A generator for tests: SHAKE128 of a counter. */
static enum err fill(void *ctx, struct span out)
{
    uint32_t *counter = ctx;
    struct keccak k;
    keccak_init(&k, SHAKE128_RATE);
    keccak_absorb(&k, bytes_of(counter, sizeof *counter));
    keccak_end(&k, 0x1f);
    keccak_squeeze(&k, out);
    ++*counter;
    return ERR_NONE;
}

static uint32_t counter;
static const struct random test_random = {&counter, fill};

static void hashes_match_known_answers(void **state)
{
    (void)state;
    uint8_t out[64];
    sha3_256(BYTES_LIT(""), out);
    assert_memory_equal(out, "\xa7\xff\xc6\xf8\xbf\x1e\xd7\x66\x51\xc1\x47\x56\xa0\x61\xd6\x62"
                             "\xf5\x80\xff\x4d\xe4\x3b\x49\xfa\x82\xd8\x0a\x4b\x80\xf8\x43\x4a", 32);
    sha512(BYTES_LIT("a"), BYTES_LIT("b"), BYTES_LIT("c"), out);
    assert_memory_equal(out, "\xdd\xaf\x35\xa1\x93\x61\x7a\xba\xcc\x41\x73\x49\xae\x20\x41\x31"
                             "\x12\xe6\xfa\x4e\x89\xa9\x7e\xa2\x0a\x9e\xee\xe6\x4b\x55\xd3\x9a", 32);
}

static void compress_equals_the_division(void **state)
{
    (void)state;
    static const unsigned ds[] = {1, 4, 5, 10, 11};
    for (size_t k = 0; k < COUNT_OF(ds); k++)
        for (uint32_t x = 0; x < MLKEM_Q; x++)
            assert_int_equal(mlkem_compress((uint16_t)x, ds[k]), ((x << ds[k]) + MLKEM_Q / 2) / MLKEM_Q % (1U << ds[k]));
}

static void mlkem_round_trips_and_rejects_implicitly(void **state)
{
    (void)state;
    static const struct mlkem *const sets[] = {&mlkem_768, &mlkem_1024};
    static uint8_t ek[MLKEM_PUBLIC_MAX], dk[MLKEM_SECRET_MAX], ct[MLKEM_CIPHER_MAX];
    uint8_t seed[MLKEM_SEED], m[MLKEM_RANDOM], a[32], b[32], c[32];
    for (size_t i = 0; i < 40; i++) {
        const struct mlkem *set = sets[i % 2];
        assert_int_equal(random_fill(&test_random, seed, sizeof seed), ERR_NONE);
        assert_int_equal(random_fill(&test_random, m, sizeof m), ERR_NONE);
        mlkem_keygen(set, seed, ek, dk);
        assert_int_equal(mlkem_encaps(set, ek, m, ct, a), ERR_NONE);
        assert_int_equal(mlkem_decaps(set, dk, ct, b), ERR_NONE);
        assert_memory_equal(a, b, 32);
        ct[i * 7] ^= 1;
        assert_int_equal(mlkem_decaps(set, dk, ct, b), ERR_NONE);
        assert_int_equal(mlkem_decaps(set, dk, ct, c), ERR_NONE);
        assert_memory_not_equal(a, b, 32);
        assert_memory_equal(b, c, 32);
        dk[set->secret_len - 40] ^= 1;      /* the stored hash */
        assert_int_equal(mlkem_decaps(set, dk, ct, b), ERR_KEX);
        memset(ek, 0xff, 3);                /* a coefficient of 4095 */
        assert_int_equal(mlkem_encaps(set, ek, m, ct, a), ERR_KEX);
    }
}

static void sntrup_freezes_are_exact(void **state)
{
    (void)state;
    for (int x = -32768; x <= 32767; x++) {
        int y = fq_freeze((int16_t)x);
        assert_in_range(y + SNTRUP_HALF, 0, 2 * SNTRUP_HALF);
        assert_int_equal((x - y) % SNTRUP_Q, 0);
        if (x < -9999 || x > 9999) continue;
        y = f3_freeze((int16_t)x);
        assert_in_range(y + 1, 0, 2);
        assert_int_equal((x - y) % 3, 0);
    }
}

/* Slow and plain: what the fast code is held against. */
static void plain_product(const int16_t *a, const int16_t *b, int modulus, int16_t *out)
{
    static int32_t sum[2 * SNTRUP_P];
    memset(sum, 0, sizeof sum);
    for (unsigned i = 0; i < SNTRUP_P; i++)
        for (unsigned j = 0; j < SNTRUP_P; j++) sum[i + j] += a[i] * b[j];
    for (unsigned i = 2 * SNTRUP_P - 2; i >= SNTRUP_P; i--) sum[i - SNTRUP_P] += sum[i], sum[i - SNTRUP_P + 1] += sum[i];
    for (unsigned i = 0; i < SNTRUP_P; i++) {
        int x = ((int)(sum[i] % modulus) + modulus) % modulus;
        out[i] = (int16_t)(x > modulus / 2 ? x - modulus : x);
    }
}

static void random_poly(unsigned modulus, int16_t *out)
{
    for (unsigned i = 0; i < SNTRUP_P; i++) {
        uint32_t x;
        assert_int_equal(random_fill(&test_random, &x, sizeof x), ERR_NONE);
        out[i] = (int16_t)((int)(x % modulus) - (int)modulus / 2);
    }
}

static void sntrup_arithmetic_matches_the_plain_one(void **state)
{
    (void)state;
    int16_t a[SNTRUP_P], b[SNTRUP_P], want[SNTRUP_P], got[SNTRUP_P];
    for (unsigned n = 0; n < 8; n++) {
        random_poly(3, a), random_poly(SNTRUP_Q, b);
        if (n == 0)
            for (unsigned i = 0; i < SNTRUP_P; i++) a[i] = 1, b[i] = SNTRUP_HALF;      /* the largest sums */
        plain_product(a, b, SNTRUP_Q, want);
        rq_product(a, b, got);
        assert_memory_equal(got, want, sizeof want);
        rq_inverse_third(a, got);
        rq_product(a, got, b);
        for (unsigned i = 0; i < SNTRUP_P; i++) assert_int_equal(b[i], i ? 0 : -1530);      /* 1/3 */
        random_poly(3, b);
        plain_product(a, b, 3, want);
        r3_product(a, b, got);
        assert_memory_equal(got, want, sizeof want);
        if (r3_inverse(b, got)) {
            r3_product(b, got, a);
            for (unsigned i = 0; i < SNTRUP_P; i++) assert_int_equal(a[i], i == 0);
        }
    }
    memset(a, 0, sizeof a);
    assert_false(r3_inverse(a, got));
}

static void sntrup_codes_round_trip(void **state)
{
    (void)state;
    int16_t a[SNTRUP_P], b[SNTRUP_P];
    uint8_t bytes[RQ_BYTES + 1];
    for (unsigned n = 0; n < 5; n++) {
        random_poly(SNTRUP_Q, a);
        bytes[RQ_BYTES] = 0x5a;
        rq_write(a, bytes), rq_read(bytes, b);
        assert_memory_equal(a, b, sizeof a);
        assert_int_equal(bytes[RQ_BYTES], 0x5a);
        for (unsigned i = 0; i < SNTRUP_P; i++) a[i] = (int16_t)(a[i] - f3_freeze(a[i]));
        bytes[ROUNDED_BYTES] = 0x5a;
        rounded_write(a, bytes), rounded_read(bytes, b);
        assert_memory_equal(a, b, sizeof a);
        assert_int_equal(bytes[ROUNDED_BYTES], 0x5a);
        random_poly(3, a);
        small_write(a, bytes), small_read(bytes, b);
        assert_memory_equal(a, b, sizeof a);
    }
}

static void sntrup_round_trips_and_rejects_implicitly(void **state)
{
    (void)state;
    static uint8_t pk[SNTRUP761_PUBLIC], sk[SNTRUP761_SECRET], ct[SNTRUP761_CIPHER];
    uint8_t a[32], b[32], c[32];
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(sntrup761_keygen(&test_random, pk, sk), ERR_NONE);
        assert_int_equal(sntrup761_encaps(&test_random, pk, ct, a), ERR_NONE);
        assert_int_equal(sntrup761_decaps(sk, ct, b), ERR_NONE);
        assert_memory_equal(a, b, 32);
        ct[i * 103] ^= 4;
        assert_int_equal(sntrup761_decaps(sk, ct, b), ERR_NONE);
        assert_int_equal(sntrup761_decaps(sk, ct, c), ERR_NONE);
        assert_memory_not_equal(a, b, 32);
        assert_memory_equal(b, c, 32);
    }
}

/* FIPS 204 7.4, by its words, for every number there is. */
static void mldsa_high_and_low_bits_are_exact(void **state)
{
    (void)state;
    struct dsa_poly p, q;
    for (int32_t a = 0; a < DSA_Q; a++) {
        int32_t low, high = dsa_decompose(a, &low), rest = a % (2 * DSA_GAMMA2);
        if (rest > DSA_GAMMA2) rest -= 2 * DSA_GAMMA2;
        bool last = a - rest == DSA_Q - 1;
        if (high != (last ? 0 : (a - rest) / (2 * DSA_GAMMA2)) || low != rest - last) fail_msg("decompose %d: %d, %d", a, high, low);
        p.c[a % DSA_N] = a;
        if (a % DSA_N != DSA_N - 1 && a != DSA_Q - 1) continue;
        dsa_power2(&p, &q);
        for (int32_t i = 0; i <= a % DSA_N; i++) {
            int32_t was = a - a % DSA_N + i;
            if ((p.c[i] << DSA_D) + q.c[i] != was || q.c[i] <= -4096 || q.c[i] > 4096) fail_msg("power2 %d: %d, %d", was, p.c[i], q.c[i]);
        }
    }
}

static void dsa_random(struct dsa_poly *out)
{
    uint32_t x[DSA_N];
    assert_int_equal(random_fill(&test_random, x, sizeof x), ERR_NONE);
    for (unsigned i = 0; i < DSA_N; i++) out->c[i] = (int32_t)(x[i] % DSA_Q);
}

static void mldsa_arithmetic_matches_the_plain_one(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 8; round++) {
        struct dsa_poly a, b, c = {0};
        int64_t want[DSA_N] = {0};
        dsa_random(&a), dsa_random(&b);
        if (round == 0)
            for (unsigned i = 0; i < DSA_N; i++) a.c[i] = b.c[i] = DSA_Q - 1;
        for (unsigned i = 0; i < DSA_N; i++)
            for (unsigned j = 0; j < DSA_N; j++) {
                int64_t v = (int64_t)a.c[i] * b.c[j] % DSA_Q;
                want[(i + j) % DSA_N] += i + j < DSA_N ? v : -v;
            }
        dsa_ntt(&a), dsa_ntt(&b);
        dsa_product(&c, &a, &b);
        dsa_ntt_inverse(&c);
        dsa_positive(&c);
        for (unsigned i = 0; i < DSA_N; i++) assert_int_equal(c.c[i], (want[i] % DSA_Q + DSA_Q) % DSA_Q);
    }
}

static void mldsa_bounds_are_seen_at_every_place(void **state)
{
    (void)state;
    struct dsa_poly p = {0};
    for (unsigned i = 0; i < DSA_N; i++) {
        static const int32_t values[] = {99, -99, 100, -100, 101, -101, 6283008, -6283008};
        for (size_t k = 0; k < COUNT_OF(values); k++) {
            p.c[i] = values[k];
            assert_int_equal(dsa_exceeds(&p, 100), k < 2 ? 0 : UINT32_MAX);
        }
        p.c[i] = 0;
    }
}

static void mldsa_signs_and_refuses_what_was_changed(void **state)
{
    (void)state;
    static uint8_t pk[MLDSA44_PUBLIC], sig[MLDSA44_SIG + 1];
    uint8_t seed[MLDSA44_SEED], rnd[MLDSA44_RANDOM];
    struct bytes ctx = BYTES_LIT("context"), msg = BYTES_LIT("a message");
    for (size_t i = 0; i < 30; i++) {
        assert_int_equal(random_fill(&test_random, seed, sizeof seed), ERR_NONE);
        assert_int_equal(random_fill(&test_random, rnd, sizeof rnd), ERR_NONE);
        mldsa44_public(seed, pk);
        assert_int_equal(mldsa44_sign(seed, ctx, msg, rnd, sig), ERR_NONE);
        assert_int_equal(mldsa44_verify(pk, ctx, msg, bytes_of(sig, MLDSA44_SIG)), VERDICT_GOOD);
        assert_int_equal(mldsa44_verify(pk, ctx, msg, bytes_of(sig, MLDSA44_SIG - 1)), VERDICT_BAD);
        assert_int_equal(mldsa44_verify(pk, ctx, msg, bytes_of(sig, MLDSA44_SIG + 1)), VERDICT_BAD);
        assert_int_equal(mldsa44_verify(pk, BYTES_LIT(""), msg, bytes_of(sig, MLDSA44_SIG)), VERDICT_BAD);
        assert_int_equal(mldsa44_verify(pk, ctx, BYTES_LIT("a messagf"), bytes_of(sig, MLDSA44_SIG)), VERDICT_BAD);
        for (size_t k = 0; k < 20; k++) {
            uint8_t *at = sig + (k < 4 ? MLDSA44_SIG - 1 - k : (i * 20 + k) * 4049 % MLDSA44_SIG), bit = (uint8_t)(1 << k % 8);
            *at ^= bit;
            assert_int_equal(mldsa44_verify(pk, ctx, msg, bytes_of(sig, MLDSA44_SIG)), VERDICT_BAD);
            *at ^= bit;
        }
        pk[i * 41] ^= 1;
        assert_int_equal(mldsa44_verify(pk, ctx, msg, bytes_of(sig, MLDSA44_SIG)), VERDICT_BAD);
    }
    uint8_t longest[256] = {0};
    assert_int_equal(mldsa44_sign(seed, bytes_of(longest, 255), msg, rnd, sig), ERR_NONE);
    assert_int_equal(mldsa44_sign(seed, bytes_of(longest, 256), msg, rnd, sig), ERR_TOO_LONG);
    assert_int_equal(mldsa44_verify(pk, bytes_of(longest, 256), msg, bytes_of(sig, MLDSA44_SIG)), VERDICT_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_match_known_answers), cmocka_unit_test(compress_equals_the_division),
        cmocka_unit_test(mlkem_round_trips_and_rejects_implicitly), cmocka_unit_test(sntrup_freezes_are_exact),
        cmocka_unit_test(sntrup_arithmetic_matches_the_plain_one), cmocka_unit_test(sntrup_codes_round_trip),
        cmocka_unit_test(sntrup_round_trips_and_rejects_implicitly), cmocka_unit_test(mldsa_high_and_low_bits_are_exact),
        cmocka_unit_test(mldsa_arithmetic_matches_the_plain_one), cmocka_unit_test(mldsa_bounds_are_seen_at_every_place),
        cmocka_unit_test(mldsa_signs_and_refuses_what_was_changed),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
