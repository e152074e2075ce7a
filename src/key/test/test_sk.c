/* SPDX-License-Identifier: ISC */
/* Keys of FIDO authenticators, with software ones that the tests hold themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/text.h"
#include "crypto/sign.h"
#include "key/sk.h"

#define ED    "sk-ssh-ed25519@openssh.com"
#define EC    "sk-ecdsa-sha2-nistp256@openssh.com"
#define MSG   BYTES_LIT("the message")
#define COUNT 0x01020304

static uint8_t seed[ED25519_SEED] = {7}, ed_public[ED25519_PUBLIC];
static struct wr point;
static struct secret scalar;
static struct privkey *keys[2];     /* ED, EC */

static int setup(void **state)
{
    (void)state;
    const struct sk_private half = {SK_PRESENCE | SK_RESIDENT, BYTES_LIT("ssh:"), BYTES_LIT("the handle"), BYTES_LIT("kept")};
    point = wr_heap(100);
    if (ed25519_public(seed, ed_public) != ERR_NONE || ecdsa_generate(&ec_nistp256, &point, &scalar) != ERR_NONE) return -1;
    if (privkey_sk_new(ED, bytes_of(ed_public, sizeof ed_public), &half, &keys[0]) != ERR_NONE) return -1;
    return privkey_sk_new(EC, wr_bytes(&point), &half, &keys[1]) == ERR_NONE ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    privkey_drop(&keys[0]), privkey_drop(&keys[1]);
    wr_clear(&point);
    secret_clear(&scalar);
    return 0;
}

static const struct sig_alg *alg(const char *name)
{
    return sig_alg_find(bytes_str(name));
}

/* What the authenticator signs, by the letter of PROTOCOL.u2f. */
static void text_write(struct wr *w, const char *application, uint8_t flags, uint32_t counter, struct bytes extensions, struct bytes msg)
{
    uint8_t hash[32];
    assert_int_equal(hash_digest(&hash_sha256, bytes_str(application), hash), ERR_NONE);
    wr_raw(w, bytes_of(hash, 32));
    wr_u8(w, flags);
    wr_u32(w, counter);
    wr_raw(w, extensions);
    assert_int_equal(hash_digest(&hash_sha256, msg, hash), ERR_NONE);
    wr_raw(w, bytes_of(hash, 32));
}

static void numbers(struct bytes text, struct wr *r, struct wr *s)
{
    assert_int_equal(ecdsa_sign(&ec_nistp256, wr_bytes(&point), secret_bytes(&scalar), text, r, s), ERR_NONE);
}

/* A whole signature blob by key 0 or 1. */
static void soft_sign(size_t which, const char *application, uint8_t flags, uint32_t counter, struct bytes msg, struct wr *out)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(1000), r CLEANUP(wr_clear) = wr_heap(100), s CLEANUP(wr_clear) = wr_heap(100);
    uint8_t sig[ED25519_SIG];
    text_write(&text, application, flags, counter, (struct bytes){0}, msg);
    struct sk_answer a = {.flags = flags, .counter = counter};
    if (which == 0) {
        assert_int_equal(ed25519_sign(seed, wr_bytes(&text), sig), ERR_NONE);
        a.r = bytes_of(sig, sizeof sig);
    } else {
        numbers(wr_bytes(&text), &r, &s);
        a.r = wr_bytes(&r), a.s = wr_bytes(&s);
    }
    assert_int_equal(sk_signature_write(privkey_public(keys[which]), &a, out), ERR_NONE);
}

static void signatures_state_flags_and_counter(void **state)
{
    (void)state;
    for (size_t which = 0; which < 2; which++) {
        const struct pubkey *k = privkey_public(keys[which]);
        for (unsigned flags = 0; flags < 256; flags++) {
            struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
            struct sig_facts facts = {0};
            soft_sign(which, "ssh:", (uint8_t)flags, COUNT + flags, MSG, &sig);
            assert_true(pubkey_verify_facts(k, alg(pubkey_type(k)), MSG, wr_bytes(&sig), &facts) == VERDICT_GOOD);
            assert_true(facts.sk && facts.flags == flags && facts.counter == COUNT + flags);
            assert_true(pubkey_verify_facts(k, alg(pubkey_type(k)), MSG, wr_bytes(&sig), NULL) == VERDICT_GOOD);
            assert_int_equal(pubkey_verify(k, alg(pubkey_type(k)), MSG, wr_bytes(&sig)), flags & SK_PRESENCE ? VERDICT_GOOD : VERDICT_BAD);
        }
        assert_true(pubkey_is_sk(k) && bytes_is(pubkey_application(k), "ssh:") && pubkey_bits(k) == 256);
    }
    assert_string_equal(pubkey_short_name(privkey_public(keys[0])), "ED25519-SK");
    assert_string_equal(pubkey_short_name(privkey_public(keys[1])), "ECDSA-SK");
}

static void what_was_changed_is_bad(void **state)
{
    (void)state;
    for (size_t which = 0; which < 2; which++) {
        const struct pubkey *k = privkey_public(keys[which]);
        struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX), other CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
        struct sig_facts facts = {.counter = 99};
        soft_sign(which, "ssh:", SK_PRESENCE, COUNT, MSG, &sig);
        for (size_t at = 0; at < sig.n; at++) {
            sig.p[at] ^= 4;
            assert_true(pubkey_verify_facts(k, alg(pubkey_type(k)), MSG, wr_bytes(&sig), &facts) == VERDICT_BAD);
            sig.p[at] ^= 4;
            assert_true(pubkey_verify_facts(k, alg(pubkey_type(k)), MSG, bytes_of(sig.p, at), &facts) == VERDICT_BAD);
        }
        assert_int_equal(facts.counter, 99);
        assert_true(pubkey_verify(k, alg(pubkey_type(k)), BYTES_LIT("the messagf"), wr_bytes(&sig)) == VERDICT_BAD);
        wr_u8(&sig, 0);
        assert_true(pubkey_verify(k, alg(pubkey_type(k)), MSG, wr_bytes(&sig)) == VERDICT_BAD);
        soft_sign(which, "ssh:other", SK_PRESENCE, COUNT, MSG, &other);
        assert_true(pubkey_verify(k, alg(pubkey_type(k)), MSG, wr_bytes(&other)) == VERDICT_BAD);
    }
}

/* ---- the browser's form ---- */

struct web {
    const char *alg, *head, *tail, *said_origin;
    uint8_t flags;
    const char *extensions;
    enum verdict want;
};

static void web_sign(const struct web *row, struct wr *out)
{
    struct wr data CLEANUP(wr_clear) = wr_heap(1000), text CLEANUP(wr_clear) = wr_heap(1000);
    struct wr r CLEANUP(wr_clear) = wr_heap(100), s CLEANUP(wr_clear) = wr_heap(100);
    wr_text(&data, row->head);
    wr_text(&data, row->tail);
    text_write(&text, "ssh:", row->flags, COUNT, bytes_str(row->extensions), wr_bytes(&data));
    numbers(wr_bytes(&text), &r, &s);
    wr_cstring(out, row->alg);
    size_t mark = wr_begin(out);
    wr_mpint(out, wr_bytes(&r)), wr_mpint(out, wr_bytes(&s));
    wr_end(out, mark);
    wr_u8(out, row->flags);
    wr_u32(out, COUNT);
    wr_cstring(out, row->said_origin);
    wr_string(out, wr_bytes(&data));
    wr_cstring(out, row->extensions);
}

/* Base64url of "the message?>~" has both characters that differ from base64, and would have padding. */
#define WEB_MSG  BYTES_LIT("the message?>~\xff\xfe")
#define WEB_HEAD "{\"type\":\"webauthn.get\",\"challenge\":\"dGhlIG1lc3NhZ2U_Pn7__g\""

static void browsers_signatures_verify(void **state)
{
    (void)state;
    static const struct web rows[] = {
        {SIG_WEBAUTHN, WEB_HEAD, ",\"origin\":\"https://a.example\",\"crossOrigin\":false}", "https://a.example", 0x01, "", VERDICT_GOOD},
        {SIG_WEBAUTHN, WEB_HEAD, ",\"origin\":\"https://a.example\"}", "https://a.example", 0x05, "", VERDICT_GOOD},
        {SIG_WEBAUTHN, WEB_HEAD, ",\"origin\":\"https://a.example\"", "https://a.example", 0x81, "ext", VERDICT_GOOD},
        {SIG_WEBAUTHN, WEB_HEAD, ",\"origin\":\"\"}", "", 0x01, "", VERDICT_GOOD},
        /* flags that do not fit the extensions, attested data */
        {SIG_WEBAUTHN, WEB_HEAD, ",\"origin\":\"https://a.example\"}", "https://a.example", 0x01, "ext", VERDICT_BAD},
        {SIG_WEBAUTHN, WEB_HEAD, ",\"origin\":\"https://a.example\"}", "https://a.example", 0x81, "", VERDICT_BAD},
        {SIG_WEBAUTHN, WEB_HEAD, ",\"origin\":\"https://a.example\"}", "https://a.example", 0x41, "", VERDICT_BAD},
        /* another origin; one that would end its own string; a challenge of another message, or not first; the wrong ceremony */
        {SIG_WEBAUTHN, WEB_HEAD, ",\"origin\":\"https://b.example\"}", "https://a.example", 0x01, "", VERDICT_BAD},
        {SIG_WEBAUTHN, WEB_HEAD, ",\"origin\":\"a\",\"x\":\"b\"}", "a\",\"x\":\"b", 0x01, "", VERDICT_BAD},
        {SIG_WEBAUTHN, "{\"type\":\"webauthn.get\",\"challenge\":\"dGhlIG1lc3NhZ2U_Pn7__w\"", ",\"origin\":\"a\"}", "a", 0x01, "", VERDICT_BAD},
        {SIG_WEBAUTHN, "{\"type\":\"webauthn.create\",\"challenge\":\"dGhlIG1lc3NhZ2U_Pn7__g\"", ",\"origin\":\"a\"}", "a", 0x01, "", VERDICT_BAD},
        {SIG_WEBAUTHN, "{\"type\":\"webauthn.get\",\"challenge\":\"dGhlIG1lc3NhZ2U_Pn7__g==\"", ",\"origin\":\"a\"}", "a", 0x01, "", VERDICT_BAD},
        {SIG_WEBAUTHN, "{\"a\":\"b\",", WEB_HEAD ",\"origin\":\"a\"}", "a", 0x01, "", VERDICT_BAD},
        {SIG_WEBAUTHN, "", "", "a", 0x01, "", VERDICT_BAD},
        {EC, WEB_HEAD, ",\"origin\":\"a\"}", "a", 0x01, "", VERDICT_BAD},
    };
    const struct pubkey *k = privkey_public(keys[1]);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
        web_sign(&rows[i], &sig);
        if (pubkey_verify(k, alg(SIG_WEBAUTHN), WEB_MSG, wr_bytes(&sig)) != rows[i].want) fail_msg("row %zu", i);
        assert_true(pubkey_verify(k, alg(EC), WEB_MSG, wr_bytes(&sig)) == VERDICT_BAD);
        assert_true(pubkey_verify(privkey_public(keys[0]), alg(ED), WEB_MSG, wr_bytes(&sig)) == VERDICT_BAD);
        if (rows[i].want != VERDICT_GOOD) continue;
        for (size_t at = 0; at < sig.n; at++) {
            sig.p[at] ^= 4;
            assert_true(pubkey_verify(k, alg(SIG_WEBAUTHN), WEB_MSG, wr_bytes(&sig)) == VERDICT_BAD);
            sig.p[at] ^= 4;
            assert_true(pubkey_verify(k, alg(SIG_WEBAUTHN), WEB_MSG, bytes_of(sig.p, at)) == VERDICT_BAD);
        }
    }
    struct wr plain CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
    soft_sign(1, "ssh:", SK_PRESENCE, COUNT, WEB_MSG, &plain);
    assert_true(pubkey_verify(k, alg(SIG_WEBAUTHN), WEB_MSG, wr_bytes(&plain)) == VERDICT_BAD);
}

/* ---- private halves ---- */

static void files_keep_handle_flags_and_application(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct privkey *back CLEANUP(privkey_drop) = NULL;
        struct wr text CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
        struct pubkey *pub CLEANUP(pubkey_drop) = NULL;
        struct privkey_file_how how = {.rounds = 1, .format = i % 2 ? PRIVKEY_PEM : PRIVKEY_OPENSSH};
        struct sk_private half = {0};
        if (i / 2) how.passphrase = BYTES_LIT("pass");
        assert_int_equal(privkey_file_write(keys[i % 2], BYTES_LIT("c"), &how, &random_libcrypto, &text), ERR_NONE);
        assert_int_equal(privkey_file_parse(wr_bytes(&text), how.passphrase, &back, NULL), ERR_NONE);
        assert_true(privkey_sk(back, &half) && half.flags == (SK_PRESENCE | SK_RESIDENT));
        assert_true(bytes_is(half.application, "ssh:") && bytes_is(half.handle, "the handle") && bytes_is(half.reserved, "kept"));
        assert_int_equal(privkey_file_public(wr_bytes(&text), &pub), ERR_NONE);
        assert_true(bytes_equal(pubkey_blob(pub), pubkey_blob(privkey_public(keys[i % 2]))));
        assert_int_equal(privkey_sk_set_flags(back, SK_VERIFY), ERR_NONE);
        assert_true(privkey_sk(back, &half) && half.flags == SK_VERIFY);
    }
}

static void only_a_helper_signs_and_enrolls(void **state)
{
    (void)state;
    struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
    struct privkey *k CLEANUP(privkey_drop) = NULL;
    struct sk_private half;
    for (size_t i = 0; i < 2; i++) {
        const char *type = pubkey_type(privkey_public(keys[i]));
        assert_int_equal(privkey_sign(keys[i], alg(type), MSG, &sig), ERR_TOKEN);
        assert_int_equal(privkey_generate(type, 0, &random_libcrypto, &k), ERR_TOKEN);
        assert_int_equal(sig.n, 0);
    }
    assert_int_equal(privkey_generate("ssh-ed25519", 0, &random_libcrypto, &k), ERR_NONE);
    assert_false(privkey_sk(k, &half) || pubkey_is_sk(privkey_public(k)));
    assert_int_equal(privkey_sk_set_flags(k, 0), ERR_KEY_TYPE);
    assert_int_equal(sk_signature_write(privkey_public(k), &(struct sk_answer){0}, &sig), ERR_KEY_TYPE);
    assert_int_equal(pubkey_application(privkey_public(k)).n, 0);
}

static void odd_keys_and_answers_are_refused(void **state)
{
    (void)state;
    static uint8_t big[SK_HANDLE_MAX + 1];
    uint8_t off[65];
    struct privkey *k = NULL;
    struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
    const struct sk_private half = {0, BYTES_LIT("ssh:"), BYTES_LIT("h"), {0}}, nul = {0, BYTES_LIT("ssh:\0x"), BYTES_LIT("h"), {0}},
                            large = {0, BYTES_LIT("ssh:"), bytes_of(big, sizeof big), {0}};
    memcpy(off, point.p, sizeof off);
    off[64] ^= 1;
    assert_int_equal(privkey_sk_new(EC, bytes_of(off, 65), &half, &k), ERR_KEY_INVALID);
    assert_int_equal(privkey_sk_new(EC, bytes_of(off, 33), &half, &k), ERR_KEY_INVALID);
    assert_int_equal(privkey_sk_new(ED, bytes_of(off, 33), &half, &k), ERR_KEY_INVALID);
    assert_int_equal(privkey_sk_new(ED, bytes_of(off, 32), &nul, &k), ERR_KEY_INVALID);
    assert_int_equal(privkey_sk_new(ED, bytes_of(off, 32), &large, &k), ERR_TOO_LONG);
    assert_int_equal(privkey_sk_new("ssh-ed25519", bytes_of(off, 32), &half, &k), ERR_KEY_TYPE);
    assert_null(k);
    const struct sk_answer short_r = {.r = bytes_of(big, 63)}, no_s = {.r = bytes_of(big, 32)}, long_r = {.r = bytes_of(big, 33), .s = bytes_of(big, 1)};
    assert_int_equal(sk_signature_write(privkey_public(keys[0]), &short_r, &sig), ERR_SIGNATURE);
    assert_int_equal(sk_signature_write(privkey_public(keys[1]), &no_s, &sig), ERR_SIGNATURE);
    assert_int_equal(sk_signature_write(privkey_public(keys[1]), &long_r, &sig), ERR_SIGNATURE);
    assert_int_equal(sig.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_state_flags_and_counter), cmocka_unit_test(what_was_changed_is_bad),
        cmocka_unit_test(browsers_signatures_verify), cmocka_unit_test(files_keep_handle_flags_and_application),
        cmocka_unit_test(only_a_helper_signs_and_enrolls), cmocka_unit_test(odd_keys_and_answers_are_refused),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, setup, teardown);
}
