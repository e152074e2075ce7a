/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/text.h"
#include "crypto/sign.h"
#include "key/krl.h"
#include "key/sshfp.h"

/* ---- keys and certificates ---- */

static const struct privkey *made(unsigned which)
{
    static struct privkey *kept[4];
    if (!kept[which]) assert_int_equal(privkey_generate("ssh-ed25519", 0, &random_libcrypto, &kept[which]), ERR_NONE);
    return kept[which];
}

static const struct pubkey *public_of(unsigned which)
{
    return privkey_public(made(which));
}

/* A certificate of key 0 by a CA with this serial and key id. */
static struct pubkey *certified(const struct privkey *ca, uint64_t serial, const char *id)
{
    const struct bytes name = BYTES_LIT("me");
    const struct cert_plan plan = {CERT_USER, serial, 0, CERT_FOREVER, bytes_str(id), &name, 1, NULL, NULL, 0, 0};
    struct wr body CLEANUP(wr_clear) = wr_heap(1 << 16), sig CLEANUP(wr_clear) = wr_heap(1 << 16), blob CLEANUP(wr_clear) = wr_heap(1 << 16);
    struct pubkey *k = NULL;
    assert_int_equal(cert_body_write(&plan, public_of(0), privkey_public(ca), &random_libcrypto, &body), ERR_NONE);
    assert_int_equal(privkey_sign(ca, sig_alg_find(BYTES_LIT("ssh-ed25519")), wr_bytes(&body), &sig), ERR_NONE);
    assert_int_equal(cert_write(wr_bytes(&body), wr_bytes(&sig), &blob), ERR_NONE);
    assert_int_equal(pubkey_parse_any(wr_bytes(&blob), &k), ERR_NONE);
    return k;
}

static bool good(const struct krl *k, const struct pubkey *key)
{
    return krl_check(k, key) == VERDICT_GOOD;
}

static bool good_serial(const struct krl *k, uint64_t serial)
{
    struct pubkey *cert CLEANUP(pubkey_drop) = certified(made(1), serial, "some id");
    return good(k, cert);
}

/* Written and read again. */
static struct krl *again(struct krl *k)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(KRL_FILE_MAX);
    struct krl *out = NULL;
    assert_int_equal(krl_write(k, 1234, &w), ERR_NONE);
    assert_int_equal(revoked_parse(wr_bytes(&w), &out), ERR_NONE);
    return out;
}

/* ---- what is revoked ---- */

static void nothing_is_revoked_by_an_empty_list(void **state)
{
    struct krl *k CLEANUP(krl_drop) = krl_new(), *read CLEANUP(krl_drop) = again(k), *text CLEANUP(krl_drop) = NULL;
    (void)state;
    assert_true(good(k, public_of(0)) && good(read, public_of(0)) && good_serial(read, 5));
    assert_int_equal(revoked_parse(BYTES_LIT(""), &text), ERR_NONE);
    assert_true(good(text, public_of(0)));
    assert_int_equal(krl_facts(read).made_s, 1234);
}

static void a_key_its_certificates_and_what_it_signed_are_revoked(void **state)
{
    struct pubkey *cert CLEANUP(pubkey_drop) = certified(made(1), 5, "id");
    (void)state;
    for (unsigned by = 0; by < 3; by++) {
        struct krl *subject CLEANUP(krl_drop) = krl_new(), *ca CLEANUP(krl_drop) = krl_new();
        uint8_t digest[HASH_MAX];
        const struct hash_alg *hash = by == 1 ? &hash_sha1 : &hash_sha256;
        for (unsigned which = 0; which < 2; which++) {
            struct krl *k = which ? ca : subject;
            assert_int_equal(hash_digest(hash, pubkey_blob(public_of(which)), digest), ERR_NONE);
            if (by == 0) assert_int_equal(krl_revoke_key(k, public_of(which)), ERR_NONE);
            else assert_int_equal(krl_revoke_hash(k, by == 1 ? KRL_SHA1 : KRL_SHA256, bytes_of(digest, hash->len)), ERR_NONE);
        }
        struct krl *subject2 CLEANUP(krl_drop) = again(subject), *ca2 CLEANUP(krl_drop) = again(ca);
        assert_true(!good(subject2, public_of(0)) && !good(subject2, cert) && good(subject2, public_of(1)));
        assert_true(good(ca2, public_of(0)) && !good(ca2, cert) && !good(ca2, public_of(1)));
        assert_true(!good(subject, cert) && !good(ca, cert));
    }
}

static void certificates_are_revoked_by_serial_and_id_of_one_ca_or_of_any(void **state)
{
    struct pubkey *five CLEANUP(pubkey_drop) = certified(made(1), 5, "a"), *zero CLEANUP(pubkey_drop) = certified(made(1), 0, "b");
    struct pubkey *other CLEANUP(pubkey_drop) = certified(made(2), 5, "b");
    (void)state;
    for (unsigned any = 0; any < 2; any++) {
        struct krl *k CLEANUP(krl_drop) = krl_new();
        const struct pubkey *ca = any ? NULL : public_of(1);
        assert_int_equal(krl_revoke_serials(k, ca, 4, 6), ERR_NONE);
        struct krl *serials CLEANUP(krl_drop) = again(k);
        assert_true(!good(serials, five) && good(serials, zero) && good(serials, other) == !any && good(serials, public_of(0)));
        assert_int_equal(krl_revoke_key_id(k, ca, BYTES_LIT("b")), ERR_NONE);
        struct krl *ids CLEANUP(krl_drop) = again(k);
        assert_true(!good(ids, five) && !good(ids, zero) && good(ids, other) == !any);
    }
    struct krl *k CLEANUP(krl_drop) = krl_new();
    assert_int_equal(krl_revoke_cert(k, five), ERR_NONE);
    assert_true(!good(k, five) && good(k, other) && good(k, zero) && good(k, public_of(0)));
    assert_int_equal(krl_revoke_cert(k, zero), ERR_NONE);
    assert_true(!good(k, zero) && good(k, other));
    assert_int_equal(krl_revoke_cert(k, public_of(0)), ERR_NONE);
    assert_true(!good(k, public_of(0)) && !good(k, other));
    assert_int_equal(krl_revoke_serials(k, NULL, 0, 1), ERR_RANGE);
    assert_int_equal(krl_revoke_serials(k, NULL, 2, 1), ERR_RANGE);
    assert_int_equal(krl_revoke_key_id(k, NULL, bytes_of("a\0b", 3)), ERR_FORMAT);
}

/* ---- serials: whatever their pattern, the same set comes back ---- */

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return *state >> 33;
}

static void spec_text(struct krl *k, struct wr *out)
{
    size_t unread;
    out->n = 0;
    assert_int_equal(krl_spec_write(k, &unread, out), ERR_NONE);
    assert_int_equal(unread, 0);
}

static void same_after_writing(struct krl *k)
{
    struct wr before CLEANUP(wr_clear) = wr_heap(KRL_FILE_MAX), after CLEANUP(wr_clear) = wr_heap(KRL_FILE_MAX);
    struct krl *read CLEANUP(krl_drop) = again(k);
    spec_text(k, &before);
    spec_text(read, &after);
    assert_true(bytes_equal(wr_bytes(&before), wr_bytes(&after)));
}

static void any_pattern_of_serials_survives(void **state)
{
    static const uint64_t gaps[] = {2, 3, 9, 70, 600, 16380, 16384, 16390, 1000000};
    static const uint64_t lengths[] = {1, 1, 2, 8, 9, 100, 16383, 16384, 16385, 1 << 20};
    uint64_t seed = 1;
    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        struct krl *k CLEANUP(krl_drop) = krl_new();
        uint64_t at = round % 3 ? 1 + next_random(&seed) % 100 : UINT64_MAX - 100000;
        for (uint64_t i = next_random(&seed) % 60; i > 0; i--) {
            uint64_t most = round % 4 ? lengths[next_random(&seed) % COUNT_OF(lengths)] : 2;
            uint64_t n = 1 + next_random(&seed) % most;
            if (at > UINT64_MAX - n) break;
            assert_int_equal(krl_revoke_serials(k, NULL, at, at + n - 1), ERR_NONE);
            uint64_t gap = 1 + next_random(&seed) % gaps[next_random(&seed) % (round % 4 ? COUNT_OF(gaps) : 3)];
            if (at + n > UINT64_MAX - gap) break;
            at += n + gap;
        }
        same_after_writing(k);
    }
}

static void serials_in_any_order_become_one_run(void **state)
{
    struct krl *k CLEANUP(krl_drop) = krl_new();
    struct wr text CLEANUP(wr_clear) = wr_heap(KRL_FILE_MAX);
    (void)state;
    for (uint64_t i = 0; i < 1000; i++) assert_int_equal(krl_revoke_serials(k, NULL, 1 + i * 607 % 1000, 1 + i * 607 % 1000), ERR_NONE);
    assert_int_equal(krl_revoke_serials(k, NULL, UINT64_MAX - 1, UINT64_MAX), ERR_NONE);
    assert_int_equal(krl_revoke_serials(k, NULL, UINT64_MAX, UINT64_MAX), ERR_NONE);
    assert_int_equal(krl_revoke_serials(k, NULL, 500, 1200), ERR_NONE);
    assert_true(good_serial(k, 1201) && !good_serial(k, 1200) && !good_serial(k, 1) && !good_serial(k, UINT64_MAX));
    spec_text(k, &text);
    assert_true(bytes_equal(wr_bytes(&text), BYTES_LIT("\n# Wildcard CA\nserial: 1-1200\nserial: 18446744073709551614-18446744073709551615\n")));
    assert_true(good_serial(k, 1201) && !good_serial(k, 1200) && !good_serial(k, 1) && !good_serial(k, UINT64_MAX));
    same_after_writing(k);
}

/* One bit a serial and a few bytes a bitmap, where lists would need eight bytes each. */
static void every_other_serial_takes_two_bits(void **state)
{
    struct krl *k CLEANUP(krl_drop) = krl_new();
    struct wr w CLEANUP(wr_clear) = wr_heap(KRL_FILE_MAX);
    (void)state;
    for (uint64_t i = 1; i < 100000; i += 2) assert_int_equal(krl_revoke_serials(k, NULL, i, i), ERR_NONE);
    assert_int_equal(krl_write(k, 0, &w), ERR_NONE);
    assert_true(w.n < 100000 / 8 + 200);
    same_after_writing(k);
}

/* ---- serials: as few bytes as in any other way, reckoned from PROTOCOL.krl ---- */

struct serials {
    uint64_t lo, hi;
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Bytes of the cheapest sections for n runs: each tried last section, for each beginning of the list. */
static size_t cheapest_sections(const struct serials *v, size_t n)
{
    size_t *cost = calloc(n + 1, sizeof *cost), out;
    assert_non_null(cost);
    for (size_t end = 1; end <= n; end++) {
        uint64_t numbers = 0;
        cost[end] = cost[end - 1] + 5 + 16;                        /* a range */
        for (size_t first = end; first-- > 0;) {
            uint64_t bits = v[end - 1].hi - v[first].lo + 1;
            numbers += v[first].hi - v[first].lo + 1;
            cost[end] = least(cost[end], cost[first] + 5 + 8 * numbers);
            if (bits <= 16384) cost[end] = least(cost[end], cost[first] + 5 + 8 + 4 + bits / 8 + 1);
        }
    }
    out = cost[n];
    free(cost);
    return out;
}

static size_t size_written(const struct serials *v, size_t n)
{
    struct krl *k CLEANUP(krl_drop) = krl_new();
    struct wr w CLEANUP(wr_clear) = wr_heap(KRL_FILE_MAX);
    for (size_t i = 0; i < n; i++) assert_int_equal(krl_revoke_serials(k, NULL, v[i].lo, v[i].hi), ERR_NONE);
    assert_int_equal(krl_write(k, 0, &w), ERR_NONE);
    return w.n - 44 - 5 - 2 * 4; /* the file's head, the section's, its two empty strings */
}

/* After 147-148, a bitmap from 1 and one from 147 cost the same; at 280 the first is a byte longer. OpenSSH's list has 73 bytes. */
static void of_two_bitmaps_of_one_cost_the_one_with_bits_left_goes_on(void **state)
{
    static const struct serials v[] = {{1, 1}, {6, 6}, {147, 148}, {180, 280}, {1023, 1023}, {22170, 22170}};
    (void)state;
    assert_int_equal(size_written(v, COUNT_OF(v)), 73);
}

/* A bitmap that is the cheapest so far, until the limit ends it: one begun later, dearer by then, still has room. */
static void a_bitmap_at_its_limit_gives_way_to_one_begun_later(void **state)
{
    struct serials v[1200] = {{1, 1}};
    (void)state;
    for (size_t i = 1; i < COUNT_OF(v); i++) v[i].lo = v[i].hi = 50 + 15 * i;
    for (size_t n = 1080; n < COUNT_OF(v); n++) assert_int_equal(size_written(v, n), cheapest_sections(v, n));
}

static void no_other_sections_would_be_smaller(void **state)
{
    static const uint64_t gaps[][3] = {{1, 8, 130}, {8, 130, 160}, {100, 140, 170}, {1, 2, 3}, {200, 4000, 16384}};
    static const uint64_t lengths[] = {1, 2, 8, 100, 170, 17000};
    uint64_t seed = 3;
    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        struct serials v[40];
        uint64_t at = 1 + next_random(&seed) % 300;
        size_t n = 1 + next_random(&seed) % COUNT_OF(v);
        for (size_t i = 0; i < n; i++) {
            v[i].lo = at;
            v[i].hi = at + next_random(&seed) % lengths[next_random(&seed) % (1 + round % COUNT_OF(lengths))];
            at = v[i].hi + 2 + next_random(&seed) % gaps[round % COUNT_OF(gaps)][next_random(&seed) % 3];
        }
        assert_int_equal(size_written(v, n), cheapest_sections(v, n));
    }
}

/* ---- files by hand ---- */

static void head_write(struct wr *w)
{
    wr_raw(w, bytes_of("SSHKRL\n", 8));
    wr_u32(w, 1), wr_u64(w, 7), wr_u64(w, 8), wr_u64(w, 0);
    wr_cstring(w, ""), wr_cstring(w, "a comment");
}

static enum err parse_with(uint8_t type, struct bytes data, struct krl **out)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(1 << 20);
    head_write(&w);
    wr_u8(&w, type);
    wr_string(&w, data);
    return revoked_parse(wr_bytes(&w), out);
}

static enum err parse_cert_with(uint8_t type, struct bytes data, struct krl **out)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(1 << 20);
    wr_cstring(&w, ""), wr_cstring(&w, "");
    wr_u8(&w, type);
    wr_string(&w, data);
    return parse_with(1, wr_bytes(&w), out);
}

static void refused(enum err got, enum err want)
{
    assert_int_equal(got, want);
}

static void a_defect_is_an_error(void **state)
{
    struct krl *k CLEANUP(krl_drop) = krl_new();
    struct wr w CLEANUP(wr_clear) = wr_heap(1 << 20);
    (void)state;
    assert_int_equal(krl_revoke_serials(k, public_of(1), 1, 5), ERR_NONE);
    assert_int_equal(krl_revoke_serials(k, public_of(1), 50, 50), ERR_NONE);
    assert_int_equal(krl_revoke_key_id(k, NULL, BYTES_LIT("an id")), ERR_NONE);
    assert_int_equal(krl_revoke_key(k, public_of(2)), ERR_NONE);
    assert_int_equal(krl_write(k, 1, &w), ERR_NONE);
    size_t whole = 0;
    for (size_t n = 0; n < w.n; n++) { /* only where a section ends is a shorter file a whole one */
        struct krl *part CLEANUP(krl_drop) = NULL;
        whole += revoked_parse(bytes_of(w.p, n), &part) == ERR_NONE;
        if (n < 8) assert_int_equal(krl_parse(bytes_of(w.p, n), &part), ERR_VERSION);
    }
    assert_int_equal(whole, 4); /* nothing, and before each of three sections */
    wr_u8(&w, 2), wr_u32(&w, 0), wr_u8(&w, 0);
    struct krl *out = NULL;
    refused(revoked_parse(wr_bytes(&w), &out), ERR_TRUNCATED);
    refused(parse_with(4, BYTES_LIT(""), &out), ERR_UNSUPPORTED);   /* a signature */
    refused(parse_with(6, BYTES_LIT(""), &out), ERR_UNSUPPORTED);
    refused(parse_with(3, BYTES_LIT("\0\0\0\x13" "0123456789012345678"), &out), ERR_FORMAT);   /* no SHA-1 hash */
    refused(parse_with(1, BYTES_LIT("\0\0\0\1x\0\0\0\0"), &out), ERR_KEY_TYPE);
    refused(parse_with(255, BYTES_LIT("\0\0\0\1a\1\0\0\0\0"), &out), ERR_UNSUPPORTED);         /* critical */
    refused(parse_with(255, BYTES_LIT("\0\0\0\1a\0\0\0\0\0x"), &out), ERR_TRAILING);
    refused(parse_cert_with(0x20, BYTES_LIT("\0\0\0\0\0\0\0\0"), &out), ERR_RANGE);            /* serial 0 */
    refused(parse_cert_with(0x20, BYTES_LIT("\0\0\0\0\0\0\0"), &out), ERR_TRUNCATED);
    refused(parse_cert_with(0x21, BYTES_LIT("\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\1"), &out), ERR_RANGE);
    refused(parse_cert_with(0x21, BYTES_LIT("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2x"), &out), ERR_TRAILING);
    refused(parse_cert_with(0x22, BYTES_LIT("\0\0\0\0\0\0\0\1\0\0\0\1\x80"), &out), ERR_FORMAT);       /* negative */
    refused(parse_cert_with(0x22, BYTES_LIT("\0\0\0\0\0\0\0\0\0\0\0\1\1"), &out), ERR_RANGE);          /* serial 0 */
    refused(parse_cert_with(0x22, BYTES_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\1\2"), &out), ERR_RANGE);
    refused(parse_cert_with(0x23, BYTES_LIT("\0\0\0\3a\0b"), &out), ERR_FORMAT);
    refused(parse_cert_with(0x24, BYTES_LIT(""), &out), ERR_UNSUPPORTED);
    refused(parse_cert_with(0x39, BYTES_LIT("\0\0\0\1a\1\0\0\0\0"), &out), ERR_UNSUPPORTED);
    assert_null(out);
}

static void what_is_not_critical_is_passed_over(void **state)
{
    struct krl *a CLEANUP(krl_drop) = NULL, *b CLEANUP(krl_drop) = NULL, *c CLEANUP(krl_drop) = NULL;
    (void)state;
    assert_int_equal(parse_with(255, BYTES_LIT("\0\0\0\1a\0\0\0\0\0"), &a), ERR_NONE);
    assert_int_equal(parse_cert_with(0x39, BYTES_LIT("\0\0\0\1a\0\0\0\0\0"), &b), ERR_NONE);
    assert_int_equal(parse_cert_with(0x22, BYTES_LIT("\xff\xff\xff\xff\xff\xff\xff\xf0\0\0\0\3\0\x80\2"), &c), ERR_NONE);
    assert_true(!good_serial(c, UINT64_MAX) && !good_serial(c, UINT64_MAX - 14) && good_serial(c, UINT64_MAX - 15));
    struct krl_facts f = krl_facts(a);
    assert_true(f.version == 7 && f.made_s == 8 && bytes_is(f.comment, "a comment"));
}

/* ---- lists of keys ---- */

static void lines_of_keys_revoke_them(void **state)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(1 << 20);
    struct pubkey *cert CLEANUP(pubkey_drop) = certified(made(1), 5, "id");
    (void)state;
    wr_text(&w, "# a comment\n\n  ");
    pubkey_line_write(&w, public_of(1), BYTES_LIT("some comment"));
    wr_text(&w, "\r\n");
    struct krl *ca CLEANUP(krl_drop) = NULL, *subject CLEANUP(krl_drop) = NULL, *none = NULL;
    assert_int_equal(revoked_parse(wr_bytes(&w), &ca), ERR_NONE);
    assert_true(!good(ca, public_of(1)) && !good(ca, cert) && good(ca, public_of(0)));
    w.n = 0;
    pubkey_line_write(&w, cert, bytes_of(NULL, 0)); /* a certificate stands for its key, and its last line needs no newline */
    assert_int_equal(revoked_parse(wr_bytes(&w), &subject), ERR_NONE);
    assert_true(good(subject, public_of(1)) && !good(subject, cert) && !good(subject, public_of(0)));
    static const char *const bad[] = {"\nnonsense", "\nssh-ed25519", "\nssh-ed25519 AAAA", "\nssh-dss AAAAB3NzaC1kc3M=", "\nhost.example "};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        size_t n = w.n;
        wr_text(&w, bad[i]);
        assert_int_not_equal(revoked_parse(wr_bytes(&w), &none), ERR_NONE);
        w.n = n;
    }
    assert_null(none);
}

/* ---- SSHFP ---- */

static void records_of_the_key_match_and_others_do_not(void **state)
{
    uint8_t rdata[2 + 32] = {4, SSHFP_SHA256};
    const struct pubkey *k = public_of(0);
    struct sshfp_count c = {0};
    (void)state;
    assert_int_equal(hash_digest(&hash_sha256, pubkey_blob(k), rdata + 2), ERR_NONE);
    assert_int_equal(sshfp_judge(&c), SSHFP_NONE);
    rdata[0] = 1;
    assert_int_equal(sshfp_count(k, bytes_of(rdata, sizeof rdata), &c), ERR_NONE);
    rdata[0] = 4;
    assert_int_equal(sshfp_count(k, bytes_of(rdata, sizeof rdata - 1), &c), ERR_NONE);
    assert_int_equal(sshfp_count(k, bytes_of(rdata, 1), &c), ERR_NONE);
    assert_true(c.other == 3 && sshfp_judge(&c) == SSHFP_NONE);
    assert_int_equal(sshfp_count(k, bytes_of(rdata, sizeof rdata), &c), ERR_NONE);
    assert_int_equal(sshfp_judge(&c), SSHFP_MATCH);
    rdata[20] ^= 1;
    assert_int_equal(sshfp_count(k, bytes_of(rdata, sizeof rdata), &c), ERR_NONE);
    assert_int_equal(sshfp_judge(&c), SSHFP_MISMATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_revoked_by_an_empty_list),
        cmocka_unit_test(a_key_its_certificates_and_what_it_signed_are_revoked),
        cmocka_unit_test(certificates_are_revoked_by_serial_and_id_of_one_ca_or_of_any),
        cmocka_unit_test(any_pattern_of_serials_survives),
        cmocka_unit_test(serials_in_any_order_become_one_run),
        cmocka_unit_test(every_other_serial_takes_two_bits),
        cmocka_unit_test(of_two_bitmaps_of_one_cost_the_one_with_bits_left_goes_on),
        cmocka_unit_test(a_bitmap_at_its_limit_gives_way_to_one_begun_later),
        cmocka_unit_test(no_other_sections_would_be_smaller),
        cmocka_unit_test(a_defect_is_an_error),
        cmocka_unit_test(what_is_not_critical_is_passed_over),
        cmocka_unit_test(lines_of_keys_revoke_them),
        cmocka_unit_test(records_of_the_key_match_and_others_do_not),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
