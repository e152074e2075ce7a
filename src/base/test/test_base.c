/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/secret.h"
#include "base/rd.h"
#include "base/text.h"
#include "base/wr.h"

static void rd_reads_what_wr_wrote(void **state)
{
    (void)state;
    struct wr w CLEANUP(wr_clear) = wr_heap(100);
    wr_u8(&w, 7), wr_bool(&w, true), wr_u32(&w, 0x01020304), wr_u64(&w, 0x1122334455667788);
    wr_cstring(&w, "hello"), wr_mpint(&w, BYTES_LIT("\0\0\x80")), wr_mpint(&w, (struct bytes){0});
    assert_int_equal(wr_done(&w), ERR_NONE);
    struct rd r = rd_init(wr_bytes(&w));
    assert_int_equal(rd_u8(&r), 7);
    assert_true(rd_bool(&r));
    assert_int_equal(rd_u32(&r), 0x01020304);
    assert_true(rd_u64(&r) == 0x1122334455667788);
    assert_true(bytes_is(rd_string(&r), "hello"));
    assert_true(bytes_is(rd_mpint(&r, 1), "\x80"));
    assert_int_equal(rd_mpint(&r, 1).n, 0);
    assert_int_equal(rd_done(&r), ERR_NONE);
}

static void rd_errors_stick(void **state)
{
    (void)state;
    struct rd r = rd_init(BYTES_LIT("\0\0\0\5abc"));
    assert_int_equal(rd_string(&r).n, 0);
    assert_int_equal(rd_u8(&r), 0);
    assert_int_equal(rd_done(&r), ERR_TRUNCATED);
    r = rd_init(BYTES_LIT("ab"));
    rd_u8(&r);
    assert_int_equal(rd_done(&r), ERR_TRAILING);
    const struct { struct bytes in; enum err err; } mpints[] = {
        {BYTES_LIT("\0\0\0\1\x80"), ERR_FORMAT}, {BYTES_LIT("\0\0\0\1\0"), ERR_FORMAT}, {BYTES_LIT("\0\0\0\2\0\x7f"), ERR_FORMAT},
        {BYTES_LIT("\0\0\0\3\1\2\3"), ERR_TOO_LONG}, {BYTES_LIT("\0\0\0\3\0\xff\2"), ERR_NONE}, {BYTES_LIT("\xff\xff\xff\xff" "a"), ERR_TRUNCATED}};
    for (size_t i = 0; i < COUNT_OF(mpints); i++) {
        r = rd_init(mpints[i].in);
        rd_mpint(&r, 2);
        assert_int_equal(rd_done(&r), mpints[i].err);
    }
}

static void wr_keeps_to_its_room(void **state)
{
    (void)state;
    uint8_t buf[4];
    struct wr w = wr_span((struct span){buf, 4});
    wr_u32(&w, 1), wr_u8(&w, 1);
    assert_int_equal(wr_done(&w), ERR_NOSPACE);
    assert_int_equal(w.n, 4);
    struct wr h CLEANUP(wr_clear) = wr_heap(1000);
    for (int i = 0; i < 1000; i++) wr_u8(&h, (uint8_t)i);
    assert_int_equal(wr_done(&h), ERR_NONE);
    wr_u8(&h, 0);
    assert_int_equal(wr_done(&h), ERR_NOSPACE);
    assert_int_equal(h.p[999], 999 & 255);
}

static void base64_round_trips_and_refuses(void **state)
{
    (void)state;
    uint8_t all[256];
    for (int i = 0; i < 256; i++) all[i] = (uint8_t)i;
    for (size_t n = 0; n <= 256; n++) {
        struct wr t CLEANUP(wr_clear) = wr_heap(1000), b CLEANUP(wr_clear) = wr_heap(1000);
        base64_write(&t, bytes_of(all, n));
        assert_int_equal(base64_parse(wr_bytes(&t), &b), ERR_NONE);
        assert_true(bytes_equal(wr_bytes(&b), bytes_of(all, n)));
    }
    struct wr t CLEANUP(wr_clear) = wr_heap(100);
    base64_write(&t, BYTES_LIT("\xfb\xef\xff Man"));
    assert_true(bytes_is(wr_bytes(&t), "++//IE1hbg=="));
    static const char *bad[] = {"a", "ab", "abc", "a===", "ab=c", "abd=", "ab c", "abc\n", "====", "YQ==YQ==", "YR=="};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct wr b CLEANUP(wr_clear) = wr_heap(100);
        assert_int_equal(base64_parse(bytes_str(bad[i]), &b), ERR_FORMAT);
    }
}

static void patterns_match_in_linear_time(void **state)
{
    (void)state;
    assert_true(pattern_match(BYTES_LIT("abc"), BYTES_LIT("a*c")));
    assert_true(pattern_match(BYTES_LIT("abc"), BYTES_LIT("*?c*")));
    assert_false(pattern_match(BYTES_LIT("abc"), BYTES_LIT("a?")));
    assert_true(pattern_match(BYTES_LIT(""), BYTES_LIT("*")));
    assert_int_equal(pattern_list_match(BYTES_LIT("host.x"), BYTES_LIT("*.x,!host.*"), false), MATCH_NEGATED);
    assert_int_equal(pattern_list_match(BYTES_LIT("HOST"), BYTES_LIT("a,host"), true), MATCH_YES);
    /* CVE class 2026-0967: '*a*a*a...' against a long text; exponential search would never end. */
    static char text[4000], pat[400];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < sizeof pat; i++) pat[i] = i % 2 ? 'a' : '*';
    pat[sizeof pat - 1] = 'b';
    assert_false(pattern_match(bytes_of(text, sizeof text), bytes_of(pat, sizeof pat)));
}

static void addresses_match_blocks(void **state)
{
    (void)state;
    enum match m;
    assert_int_equal(address_list_match("10.1.2.3", BYTES_LIT("10.0.0.0/8"), &m), ERR_NONE);
    assert_int_equal(m, MATCH_YES);
    assert_int_equal(address_list_match("10.1.2.3", BYTES_LIT("10.0.0.0/8,!10.1.0.0/16"), &m), ERR_NONE);
    assert_int_equal(m, MATCH_NEGATED);
    assert_int_equal(address_list_match("::ffff:10.1.2.3", BYTES_LIT("10.1.2.3"), &m), ERR_NONE);
    assert_int_equal(m, MATCH_YES);
    assert_int_equal(address_list_match("fe80::1%eth0", BYTES_LIT("fe80::/10"), &m), ERR_NONE);
    assert_int_equal(m, MATCH_YES);
    assert_int_equal(address_list_match("192.168.7.1", BYTES_LIT("192.168.*"), &m), ERR_NONE);
    assert_int_equal(m, MATCH_YES);
    assert_int_equal(address_list_match("1.2.3.4", BYTES_LIT("0.0.0.0/0"), &m), ERR_NONE);
    assert_int_equal(m, MATCH_YES);
    assert_int_equal(address_list_match("::1", BYTES_LIT("0.0.0.0/0"), &m), ERR_NONE);
    assert_int_equal(m, MATCH_NO);
    assert_int_not_equal(address_list_match("1.2.3.4", BYTES_LIT("1.2.3.4/33"), &m), ERR_NONE);
    assert_int_not_equal(address_list_match("1.2.3.4", BYTES_LIT("1.2.3.4/8"), &m), ERR_NONE);
}

static void peer_text_is_escaped(void **state)
{
    (void)state;
    char buf[64];
    assert_string_equal(escape_str(BYTES_LIT("a\x1b[31m\r\n\\"), buf, sizeof buf), "a\\033[31m\\015\\012\\\\");
    assert_string_equal(escape_str(BYTES_LIT("gr\xc3\xbc\xc3\x9f"), buf, sizeof buf), "gr\xc3\xbc\xc3\x9f");
    assert_string_equal(escape_str(BYTES_LIT("\xc2\x9b" "x"), buf, sizeof buf), "\\302\\233x");           /* C1 CSI */
    assert_string_equal(escape_str(BYTES_LIT("\xe2\x80\xae"), buf, sizeof buf), "\\342\\200\\256");       /* bidi override */
    assert_string_equal(escape_str(BYTES_LIT("\xff\xc3"), buf, sizeof buf), "\\377\\303");
    assert_string_equal(escape_str(BYTES_LIT("abc\x01"), buf, 5), "abc");
    struct wr w CLEANUP(wr_clear) = wr_heap(100);
    escape_write(&w, BYTES_LIT("a\n\tb\r"), "\n\t");
    assert_true(bytes_is(wr_bytes(&w), "a\n\tb\\015"));
    w.n = 0;
    escape_write(&w, BYTES_LIT("a\\b\\\x1b"), "\\");
    assert_true(bytes_is(wr_bytes(&w), "a\\b\\\\033"));
}

static void times_are_the_sum_of_their_parts(void **state)
{
    (void)state;
    uint64_t s = 0;
    static const struct { const char *text; uint64_t s; } good[] = {
        {"0", 0}, {"90", 90}, {"1h30m", 5400}, {"2W", 1209600}, {"1d1", 86401}, {"1m1m", 120}, {"100s", 100}, {"1209600", 1209600}};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_int_equal(text_to_seconds(bytes_str(good[i].text), 1209600, &s), ERR_NONE);
        assert_int_equal(s, good[i].s);
    }
    static const char *const bad[] = {"", "h", "1x", "-1", "1h ", "1.5h", "m1"}, *const large[] = {"1209601", "2w1s", "3w", "99999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) assert_int_equal(text_to_seconds(bytes_str(bad[i]), 1209600, &s), ERR_FORMAT);
    for (size_t i = 0; i < COUNT_OF(large); i++) assert_int_equal(text_to_seconds(bytes_str(large[i]), 1209600, &s), ERR_RANGE);
}

static void verdicts_have_one_yes(void **state)
{
    (void)state;
    assert_int_equal(bytes_verify((const uint8_t *)"abc", (const uint8_t *)"abc", 3), VERDICT_GOOD);
    assert_int_equal(bytes_verify((const uint8_t *)"abc", (const uint8_t *)"abd", 3), VERDICT_BAD);
    assert_int_not_equal(VERDICT_GOOD, 1);
    for (int e = 0; e < ERR_COUNT; e++) assert_int_not_equal(VERDICT_GOOD, e);
}

static void numbers_are_bounded(void **state)
{
    (void)state;
    uint64_t v;
    assert_int_equal(text_to_u64(BYTES_LIT("65535"), 65535, &v), ERR_NONE);
    assert_int_equal(v, 65535);
    assert_int_equal(text_to_u64(BYTES_LIT("65536"), 65535, &v), ERR_RANGE);
    assert_int_equal(text_to_u64(BYTES_LIT("18446744073709551615"), UINT64_MAX, &v), ERR_NONE);
    assert_int_equal(text_to_u64(BYTES_LIT("18446744073709551616"), UINT64_MAX, &v), ERR_RANGE);
    assert_int_equal(text_to_u64(BYTES_LIT("-1"), 10, &v), ERR_FORMAT);
    assert_int_equal(text_to_u64(BYTES_LIT(""), 10, &v), ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rd_reads_what_wr_wrote), cmocka_unit_test(rd_errors_stick), cmocka_unit_test(wr_keeps_to_its_room),
        cmocka_unit_test(base64_round_trips_and_refuses), cmocka_unit_test(patterns_match_in_linear_time),
        cmocka_unit_test(addresses_match_blocks), cmocka_unit_test(peer_text_is_escaped), cmocka_unit_test(verdicts_have_one_yes),
        cmocka_unit_test(times_are_the_sum_of_their_parts),
        cmocka_unit_test(numbers_are_bounded),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
