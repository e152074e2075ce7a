/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/rd.h"
#include "base/text.h"
#include "crypto/sign.h"
#include "key/key.h"
#include "samples.h"

static const char *const types[] = {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
                                    "ssh-mldsa44-ed25519@openssh.com"};

static struct privkey *made(const char *type)
{
    static struct privkey *kept[COUNT_OF(types)];
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (strcmp(types[i], type) == 0) {
            if (!kept[i]) assert_int_equal(privkey_generate(type, 2048, &random_libcrypto, &kept[i]), ERR_NONE);
            return kept[i];
        }
    fail();
    return NULL;
}

static struct bytes decoded(const char *base64, struct wr *room)
{
    assert_int_equal(base64_parse(bytes_str(base64), room), ERR_NONE);
    return wr_bytes(room);
}

/* ---- signatures ---- */

static void each_type_signs_and_verifies(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        const struct privkey *k = made(types[i]);
        for (const struct sig_alg *a = sig_algs; a->name; a++) {
            struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
            enum err e = privkey_sign(k, a, BYTES_LIT("message"), &sig);
            if (strcmp(a->key_type, types[i]) != 0) {
                assert_int_equal(e, ERR_KEY_TYPE);
                continue;
            }
            assert_int_equal(e, ERR_NONE);
            assert_true(pubkey_verify(privkey_public(k), a, BYTES_LIT("message"), wr_bytes(&sig)) == VERDICT_GOOD);
            assert_true(pubkey_verify(privkey_public(k), a, BYTES_LIT("messagf"), wr_bytes(&sig)) == VERDICT_BAD);
            for (size_t at = 0; at < sig.n; at += sig.n < 200 ? 1 : 7) {
                sig.p[at] ^= 1;
                assert_true(pubkey_verify(privkey_public(k), a, BYTES_LIT("message"), wr_bytes(&sig)) == VERDICT_BAD);
                sig.p[at] ^= 1;
                assert_true(pubkey_verify(privkey_public(k), a, BYTES_LIT("message"), bytes_of(sig.p, at)) == VERDICT_BAD);
            }
        }
    }
}

/* RFC 8332: what was agreed counts; SHA-1 only when it was asked for. */
static void a_signature_under_another_name_is_bad(void **state)
{
    (void)state;
    const struct privkey *k = made("ssh-rsa");
    const struct sig_alg *const algs[] = {sig_alg_find(BYTES_LIT("rsa-sha2-256")), sig_alg_find(BYTES_LIT("rsa-sha2-512")),
                                          sig_alg_find(BYTES_LIT("ssh-rsa"))};
    for (size_t i = 0; i < 3; i++) {
        struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
        assert_int_equal(privkey_sign(k, algs[i], BYTES_LIT("m"), &sig), ERR_NONE);
        for (size_t j = 0; j < 3; j++)
            assert_true((pubkey_verify(privkey_public(k), algs[j], BYTES_LIT("m"), wr_bytes(&sig)) == VERDICT_GOOD) == (i == j));
        assert_true(pubkey_verify(privkey_public(k), NULL, BYTES_LIT("m"), wr_bytes(&sig)) == VERDICT_BAD);
    }
    assert_false(names_has(bytes_str(sig_algs_default), BYTES_LIT("ssh-rsa")));
}

/* CVE-2026-3706, TinySSH 20260301. L = 2^252 + 27742317777372353535851937790883648493, little endian. */
static void ed25519_s_not_below_l_is_refused(void **state)
{
    (void)state;
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                      [31] = 0x10};
    const struct privkey *k = made("ssh-ed25519");
    const struct sig_alg *alg = sig_alg_find(BYTES_LIT("ssh-ed25519"));
    struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
    assert_int_equal(privkey_sign(k, alg, BYTES_LIT("m"), &sig), ERR_NONE);
    uint8_t *s = sig.p + sig.n - 32;
    unsigned carry = 0;
    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)s[i] + order[i];
        s[i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_true(pubkey_verify(privkey_public(k), alg, BYTES_LIT("m"), wr_bytes(&sig)) == VERDICT_BAD);
}

/* ---- blobs ---- */

static void known_keys_have_known_fingerprints(void **state)
{
    (void)state;
    static const struct {
        enum fingerprint how;
        const char *text;
    } rows[] = {
        {FINGERPRINT_SHA256, "SHA256:Tovws5edBC7tElPMuIzStooe/D146erfgr0pp0V5idM"},
        {FINGERPRINT_MD5, "MD5:dc:3f:9a:ed:a9:20:93:06:1a:6c:e9:09:3f:8e:88:50"},
        {FINGERPRINT_SHA1, "SHA1:2GjWf+sY7AwMSDyjPN5KkoKERNE"},
        {FINGERPRINT_SHA512, "SHA512:jX2ffYKSgZxekeah03R+CdQnyloNub3HUYN6nfEb9diTYYx5Rr/5nHCSQ2RltGgcrm7jwN6hBxfRpmePiKJl3w"},
    };
    struct wr room CLEANUP(wr_clear) = wr_heap(1000);
    struct bytes blob = decoded(SAMPLE_BLOB64, &room);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct wr w CLEANUP(wr_clear) = wr_heap(1000);
        fingerprint_write(&w, blob, rows[i].how);
        assert_true(bytes_is(wr_bytes(&w), rows[i].text));
    }
}

static void random_art_is_openssh_s(void **state)
{
    (void)state;
    static const char want[] = "+--[ED25519 256]--+\n|                 |\n|                 |\n|       +         |\n"
                               "|      = *        |\n|   ..B ES.       |\n|. . =oO+o..      |\n| o o+o==o+ .     |\n"
                               "| .o++B+o+ o      |\n|o.o*O*=+         |\n+----[SHA256]-----+";
    struct wr room CLEANUP(wr_clear) = wr_heap(1000), w CLEANUP(wr_clear) = wr_heap(1000);
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    assert_int_equal(pubkey_parse(decoded(SAMPLE_BLOB64, &room), &k), ERR_NONE);
    randomart_write(&w, pubkey_blob(k), FINGERPRINT_SHA256, k);
    assert_true(bytes_is(wr_bytes(&w), want));
}

/* The defects of others with short keys: Go 2021-43565, 2025-47913, 2026-46597; russh 0363fde. Every prefix, each in memory of its own
 * so that a read behind it is seen, and every length field set to odd values. */
static void short_and_odd_keys_are_errors(void **state)
{
    (void)state;
    static const uint32_t odd[] = {0, 1, 2, 0x7fff, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff};
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        struct bytes blob = pubkey_blob(privkey_public(made(types[i])));
        struct pubkey *k = NULL;
        for (size_t n = 0; n < blob.n; n++) {
            uint8_t *own = malloc(n ? n : 1);
            memcpy(own, blob.p, n);
            assert_int_not_equal(pubkey_parse(bytes_of(own, n), &k), ERR_NONE);
            free(own);
        }
        uint8_t *longer = malloc(blob.n + 1);
        memcpy(longer, blob.p, blob.n);
        longer[blob.n] = 0;
        assert_int_equal(pubkey_parse(bytes_of(longer, blob.n + 1), &k), ERR_KEY_INVALID);
        for (size_t at = 0; at + 4 < blob.n; at += 4 + get_u32(blob.p + at))
            for (size_t j = 0; j < COUNT_OF(odd); j++) {
                memcpy(longer, blob.p, blob.n);
                put_u32(longer + at, odd[j]);
                assert_int_not_equal(pubkey_parse(bytes_of(longer, blob.n), &k), ERR_NONE);
            }
        free(longer);
        assert_null(k);
    }
}

static void ecdsa_points_off_the_curve_are_refused(void **state)
{
    (void)state;
    for (size_t i = 1; i <= 3; i++) {
        struct bytes blob = pubkey_blob(privkey_public(made(types[i])));
        struct pubkey *k = NULL;
        uint8_t bad[300];
        memcpy(bad, blob.p, blob.n);
        bad[blob.n - 1] ^= 1;
        assert_int_equal(pubkey_parse(bytes_of(bad, blob.n), &k), ERR_KEY_INVALID);
        /* infinity, and the compressed form */
        struct rd r = rd_init(blob);
        struct bytes name = rd_string(&r), curve = rd_string(&r), point = rd_string(&r);
        uint8_t packed[80];
        memcpy(packed, point.p, point.n / 2 + 1);
        packed[0] = (uint8_t)(2 | (point.p[point.n - 1] & 1));
        const struct bytes forms[] = {BYTES_LIT("\0"), bytes_of(packed, point.n / 2 + 1), bytes_of(NULL, 0)};
        for (size_t j = 0; j < COUNT_OF(forms); j++) {
            struct wr w CLEANUP(wr_clear) = wr_heap(400);
            wr_string(&w, name), wr_string(&w, curve), wr_string(&w, forms[j]);
            assert_int_equal(pubkey_parse(wr_bytes(&w), &k), ERR_KEY_INVALID);
        }
        /* the name of another curve inside */
        struct wr w CLEANUP(wr_clear) = wr_heap(400);
        wr_string(&w, name), wr_cstring(&w, i == 1 ? "nistp384" : "nistp256"), wr_string(&w, point);
        assert_int_equal(pubkey_parse(wr_bytes(&w), &k), ERR_KEY_INVALID);
    }
}

static enum err rsa_parse(struct bytes e, size_t n_len, uint8_t first, uint8_t last)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(4 << 20);
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    uint8_t *n = malloc(n_len);
    memset(n, 0x55, n_len);
    n[0] = first, n[n_len - 1] = last;
    wr_cstring(&w, "ssh-rsa"), wr_mpint(&w, e), wr_mpint(&w, bytes_of(n, n_len));
    free(n);
    return pubkey_parse(wr_bytes(&w), &k);
}

/* CVE-2025-58181, CVE-2026-39829: a modulus of millions of bits, an exponent as long. */
static void rsa_numbers_are_bounded(void **state)
{
    (void)state;
    struct bytes e = BYTES_LIT("\1\0\1");
    assert_int_equal(rsa_parse(e, 128, 0x80, 1), ERR_NONE);
    assert_int_equal(rsa_parse(e, 128, 0x7f, 1), ERR_KEY_TOO_SMALL);
    assert_int_equal(rsa_parse(e, RSA_BITS_MAX / 8, 0xff, 1), ERR_NONE);
    assert_int_equal(rsa_parse(e, RSA_BITS_MAX / 8 + 1, 1, 1), ERR_KEY_INVALID);
    assert_int_equal(rsa_parse(e, 1 << 20, 0xff, 1), ERR_TOO_LONG);
    assert_int_equal(rsa_parse(e, 256, 0x80, 2), ERR_KEY_INVALID); /* even modulus */
    assert_int_equal(rsa_parse(BYTES_LIT(""), 256, 0x80, 1), ERR_KEY_INVALID);
    assert_int_equal(rsa_parse(BYTES_LIT("\1"), 256, 0x80, 1), ERR_KEY_INVALID);
    assert_int_equal(rsa_parse(BYTES_LIT("\1\0\0"), 256, 0x80, 1), ERR_KEY_INVALID);
    assert_int_equal(rsa_parse(BYTES_LIT("\1\0\0\0\0\0\0\0\1"), 256, 0x80, 1), ERR_KEY_INVALID);
}

/* ---- lines ---- */

static void public_lines(void **state)
{
    (void)state;
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    struct pubkey_line v;
    assert_int_equal(pubkey_line_parse(BYTES_LIT(" \t" SAMPLE_PUB "\t a comment \r\n"), &v, &k), ERR_NONE);
    assert_true(bytes_is(v.comment, "a comment ") && bytes_is(v.type, "ssh-ed25519") && bytes_is(v.base64, SAMPLE_BLOB64));
    struct wr w CLEANUP(wr_clear) = wr_heap(1000);
    pubkey_line_write(&w, k, BYTES_LIT("x y"));
    assert_true(bytes_is(wr_bytes(&w), SAMPLE_PUB " x y"));
    const struct bytes bad[] = {BYTES_LIT(""),
                                BYTES_LIT("ssh-ed25519"),
                                BYTES_LIT("ssh-ed25519 "),
                                BYTES_LIT("ssh-ed25519 AAAA"),
                                BYTES_LIT("ssh-ed25519 " SAMPLE_BLOB64 "="),
                                BYTES_LIT("ssh-rsa " SAMPLE_BLOB64),
                                BYTES_LIT("ecdsa-sha2-nistp256 " SAMPLE_BLOB64),
                                BYTES_LIT("ssh-ed25519" SAMPLE_BLOB64)};
    struct pubkey *none = NULL;
    for (size_t i = 0; i < COUNT_OF(bad); i++) assert_int_not_equal(pubkey_line_parse(bad[i], &v, &none), ERR_NONE);
    assert_null(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_signs_and_verifies),
        cmocka_unit_test(a_signature_under_another_name_is_bad),
        cmocka_unit_test(ed25519_s_not_below_l_is_refused),
        cmocka_unit_test(known_keys_have_known_fingerprints),
        cmocka_unit_test(random_art_is_openssh_s),
        cmocka_unit_test(short_and_odd_keys_are_errors),
        cmocka_unit_test(ecdsa_points_off_the_curve_are_refused),
        cmocka_unit_test(rsa_numbers_are_bounded),
        cmocka_unit_test(public_lines),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
