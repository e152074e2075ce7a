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
#include "key/known_hosts.h"
#include "samples.h"

/* host.example.org and [host.example.org]:2222, hashed by OpenSSH */
#define HASHED      "|1|qK6CMtI0vwzfPeUDoG6ciKd1sbU=|6UTjLfKj3sZsgNjS4LnIj8EHEEU="
#define HASHED_PORT "|1|YPKnLIM3GfrgchW1Is4MHzzprro=|Ew0rVtBdvtjQFJskxYBQswqSm4U="

static void lines_come_apart(void **state)
{
    (void)state;
    struct known_line l;
    assert_int_equal(known_line_parse(BYTES_LIT("  a,b*\tssh-ed25519  AAAA  the comment \r"), &l), ERR_NONE);
    assert_true(l.marker == KNOWN_PLAIN && !l.hashed);
    assert_true(bytes_is(l.hosts, "a,b*") && bytes_is(l.type, "ssh-ed25519"));
    assert_true(bytes_is(l.base64, "AAAA") && bytes_is(l.comment, "the comment "));
    assert_int_equal(known_line_parse(BYTES_LIT("@cert-authority *.x ssh-rsa AAAA"), &l), ERR_NONE);
    assert_true(l.marker == KNOWN_CA && bytes_is(l.hosts, "*.x") && l.comment.n == 0);
    assert_int_equal(known_line_parse(BYTES_LIT("@revoked\t" HASHED " sk-x@y.z k"), &l), ERR_NONE);
    assert_true(l.marker == KNOWN_REVOKED && l.hashed);
}

/* OpenSSH c991273c1: a line that ends early was read behind its end. Each in memory of its exact size. */
static void truncated_known_hosts_lines_are_bad(void **state)
{
    (void)state;
    static const char whole[] = "@revoked host ssh-ed25519 AAAA";
    for (size_t n = 0; n < sizeof whole - 5; n++)
        for (size_t skip = 0; skip <= 9; skip += 9) {
            if (n < skip) continue;
            struct known_line l;
            char *own = malloc(n - skip + 1);
            memcpy(own, whole + skip, n - skip);
            enum err want = n == skip ? ERR_NOT_FOUND : ERR_FORMAT;
            assert_int_equal(known_line_parse(bytes_of(own, n - skip), &l), want);
            own[n - skip] = ' ';
            assert_int_equal(known_line_parse(bytes_of(own, n - skip + 1), &l), want);
            free(own);
        }
}

static void bad_lines_are_bad(void **state)
{
    (void)state;
    static const struct {
        struct bytes line;
        enum err err;
    } rows[] = {
        {BYTES_LIT("# comment"), ERR_NOT_FOUND},
        {BYTES_LIT(" \t "), ERR_NOT_FOUND},
        {BYTES_LIT("@unknown host ssh-ed25519 AAAA"), ERR_FORMAT},
        {BYTES_LIT("@revoked @revoked host ssh-ed25519 AAAA"), ERR_FORMAT},
        {BYTES_LIT("@cert-authority"), ERR_FORMAT},
        {BYTES_LIT("host ssh-ed25519"), ERR_FORMAT},
        {BYTES_LIT("host ssh-ed25519 # AAAA"), ERR_FORMAT},
        {BYTES_LIT("host 1024 35 123456789"), ERR_FORMAT}, /* the first protocol's form */
        {BYTES_LIT("-----BEGIN OPENSSH PRIVATE KEY-----"), ERR_FORMAT},
        {BYTES_LIT("host ssh-new@example.org AAAA"), ERR_NONE},
        {BYTES_LIT("ho\0st ssh-ed25519 AAAA"), ERR_FORMAT},
        {BYTES_LIT("host ssh-ed25519 AAAA\nevil ssh-ed25519 AAAA"), ERR_FORMAT},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct known_line l;
        assert_int_equal(known_line_parse(rows[i].line, &l), rows[i].err);
    }
}

static enum match matches(const char *hosts, const char *host)
{
    struct known_line l = {.hosts = bytes_str(hosts), .hashed = hosts[0] == '|'};
    return known_line_match(&l, bytes_str(host));
}

static void hosts_match_as_in_openssh(void **state)
{
    (void)state;
    static const struct {
        const char *hosts, *host;
        enum match want;
    } rows[] = {
        {"a", "a", MATCH_YES},
        {"a", "A", MATCH_YES},
        {"A", "a", MATCH_YES},
        {"a,b,c", "c", MATCH_YES},
        {"*.x", "a.x", MATCH_YES},
        {"*.x", "x", MATCH_NO},
        {"a?", "ab", MATCH_YES},
        {"*,!b", "a", MATCH_YES},
        {"*,!b", "b", MATCH_NEGATED},
        {"!b,*", "b", MATCH_NEGATED},
        {"[a]:2222", "[a]:2222", MATCH_YES},
        {"[a]:2222", "a", MATCH_NO},
        {"a", "[a]:2222", MATCH_NO},
        {"[a]:*", "[a]:22", MATCH_YES},
        {"*", "", MATCH_NO},
        {HASHED, "host.example.org", MATCH_YES},
        {HASHED, "HOST.example.org", MATCH_YES},
        {HASHED, "host.example.or", MATCH_NO},
        {HASHED, "[host.example.org]:2222", MATCH_NO},
        {HASHED_PORT, "[host.example.org]:2222", MATCH_YES},
        {"|1|", "a", MATCH_NO},
        {"|1|qK6CMtI0vwzfPeUDoG6ciKd1sbU=", "host.example.org", MATCH_NO},
        {"|1|qK6CMtI0vwzfPeUDoG6ciKd1sbU=|", "host.example.org", MATCH_NO},
        {"|1||6UTjLfKj3sZsgNjS4LnIj8EHEEU=", "host.example.org", MATCH_NO},
        {"|2|qK6CMtI0vwzfPeUDoG6ciKd1sbU=|6UTjLfKj3sZsgNjS4LnIj8EHEEU=", "host.example.org", MATCH_NO},
        {HASHED "," HASHED, "host.example.org", MATCH_NO},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) assert_int_equal(matches(rows[i].hosts, rows[i].host), rows[i].want);
    char *huge = malloc(KNOWN_HOST_MAX + 2);
    memset(huge, 'a', KNOWN_HOST_MAX + 1);
    huge[KNOWN_HOST_MAX + 1] = 0;
    assert_int_equal(matches("*", huge), MATCH_NO);
    assert_int_equal(matches(HASHED, huge), MATCH_NO);
    free(huge);
}

static void written_lines_are_found_again(void **state)
{
    (void)state;
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    struct pubkey_line v;
    struct wr host CLEANUP(wr_clear) = wr_heap(200), hash CLEANUP(wr_clear) = wr_heap(200), w CLEANUP(wr_clear) = wr_heap(2000);
    assert_int_equal(pubkey_line_parse(BYTES_LIT(SAMPLE_PUB), &v, &k), ERR_NONE);
    known_host_write(&host, BYTES_LIT("Example.ORG"), 2022);
    assert_true(bytes_is(wr_bytes(&host), "[example.org]:2022"));
    assert_int_equal(known_hash_write(&hash, wr_bytes(&host), &random_libcrypto), ERR_NONE);
    assert_int_equal(known_line_write(&w, KNOWN_PLAIN, wr_bytes(&hash), k, BYTES_LIT("c")), ERR_NONE);
    assert_int_equal(known_line_write(&w, KNOWN_REVOKED, BYTES_LIT("*"), k, bytes_of(NULL, 0)), ERR_NONE);
    struct line_walk walk = {.rest = wr_bytes(&w)};
    struct known_hit h;
    struct known_query q = {.host = BYTES_LIT("[EXAMPLE.org]:2022"), .blob = pubkey_blob(k)};
    assert_true(known_next(&walk, &q, &h));
    assert_true(h.host && h.line.hashed && h.key == KNOWN_SAME_KEY && bytes_is(h.line.comment, "c"));
    assert_true(known_next(&walk, &q, &h));
    assert_true(h.host && h.line.marker == KNOWN_REVOKED && h.number == 2);
    assert_false(known_next(&walk, &q, &h));
}

/* wolfSSH 8ec9aa73: what a peer says must not begin a line of its own. */
static void control_characters_are_not_written(void **state)
{
    (void)state;
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    struct pubkey_line v;
    assert_int_equal(pubkey_line_parse(BYTES_LIT(SAMPLE_PUB), &v, &k), ERR_NONE);
    static const char *const hosts[] = {"", "a b", "a\nb", "a\tb", "a\rb", "\033[2J", "@revoked", "#a"};
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        struct wr w CLEANUP(wr_clear) = wr_heap(2000);
        assert_int_equal(known_line_write(&w, KNOWN_PLAIN, bytes_str(hosts[i]), k, bytes_of(NULL, 0)), ERR_FORMAT);
        assert_int_equal(w.n, 0);
    }
    struct wr w CLEANUP(wr_clear) = wr_heap(2000);
    assert_int_equal(known_line_write(&w, KNOWN_PLAIN, BYTES_LIT("a"), k, BYTES_LIT("x\n* ssh-rsa AAAA")), ERR_FORMAT);
}

static void a_long_line_is_one_line(void **state)
{
    (void)state;
    struct wr w CLEANUP(wr_clear) = wr_heap(1 << 20);
    for (size_t i = 0; i < KNOWN_LINE_MAX; i++) wr_u8(&w, i % 1000 == 999 ? ' ' : 'x');
    wr_text(&w, " evil " SAMPLE_PUB "\ngood " SAMPLE_PUB);
    struct known_query q = {.host = BYTES_LIT("evil")};
    struct known_found found = {0};
    known_search(wr_bytes(&w), 0, &q, &found);
    assert_int_equal(found.bad_n, 1);
    assert_int_equal(found.other_type_n + found.changed_n + found.same_n, 0);
    q.host = BYTES_LIT("good");
    found = (struct known_found){0};
    known_search(wr_bytes(&w), 0, &q, &found);
    assert_int_equal(found.other_type_n, 1);
    assert_int_equal(found.other_type[0].line, 2);
}

static void search_tells_what_a_client_asks(void **state)
{
    (void)state;
    static const char first[] = "# " SAMPLE_PUB "\n"
                                "host " SAMPLE_OTHER " offending\n"
                                "other,third " SAMPLE_PUB "\n"
                                "host " SAMPLE_ECDSA_PUB "\n"
                                "host ssh-ed25519 AAAA\n"
                                "host\n"
                                "@cert-authority host " SAMPLE_PUB "\n"
                                "@revoked elsewhere " SAMPLE_PUB "\n"
                                "10.0.0.1 " SAMPLE_PUB "\n"
                                "10.0.0.2 " SAMPLE_OTHER "\n";
    struct wr room CLEANUP(wr_clear) = wr_heap(1000);
    assert_int_equal(base64_parse(BYTES_LIT(SAMPLE_BLOB64), &room), ERR_NONE);
    struct known_query q = {.host = BYTES_LIT("Host"), .address = BYTES_LIT("10.0.0.1"), .blob = wr_bytes(&room)};
    struct known_found f = {0};
    known_search(BYTES_LIT(first), 3, &q, &f);
    assert_int_equal(f.changed_n, 1);
    assert_true(f.changed[0].line == 2 && f.changed[0].file == 3 && bytes_is(f.changed[0].hosts, "host"));
    assert_int_equal(f.other_type_n, 1);
    assert_true(f.other_type[0].line == 4 && bytes_is(f.other_type[0].type, "ecdsa-sha2-nistp256"));
    assert_int_equal(f.elsewhere_n, 2);
    assert_true(f.elsewhere[0].line == 3 && bytes_is(f.elsewhere[0].hosts, "other,third"));
    assert_true(f.same_n == 0 && f.revoked_n == 0 && f.ca_n == 1 && f.bad_n == 2);
    assert_true(f.address_same && !f.address_other);
    q.address = BYTES_LIT("10.0.0.2");
    known_search(BYTES_LIT("host " SAMPLE_PUB "\n10.0.0.2 " SAMPLE_OTHER), 4, &q, &f);
    assert_true(f.same_n == 1 && f.same[0].file == 4 && f.address_other);
}

/* Go CVE-2026-42508: a key that is marked must be refused though it also stands there as known. */
static void revoked_is_seen_beside_known(void **state)
{
    (void)state;
    struct wr room CLEANUP(wr_clear) = wr_heap(1000);
    assert_int_equal(base64_parse(BYTES_LIT(SAMPLE_BLOB64), &room), ERR_NONE);
    struct known_query q = {.host = BYTES_LIT("host"), .blob = wr_bytes(&room)};
    static const char *const texts[] = {"host " SAMPLE_PUB "\n@revoked * " SAMPLE_PUB "\n", "@revoked host " SAMPLE_PUB "\nhost " SAMPLE_PUB,
                                        "@revoked ho?t " SAMPLE_PUB};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct known_found f = {0};
        known_search(bytes_str(texts[i]), 0, &q, &f);
        assert_int_equal(f.revoked_n, 1);
    }
    struct known_found f = {0};
    known_search(BYTES_LIT("@revoked * " SAMPLE_OTHER "\n@revoked *,!host " SAMPLE_PUB), 0, &q, &f);
    assert_int_equal(f.revoked_n, 0);
}

static void many_lines_do_not_overflow(void **state)
{
    (void)state;
    struct wr w CLEANUP(wr_clear) = wr_heap(1 << 20);
    for (int i = 0; i < 500; i++) wr_text(&w, "host " SAMPLE_OTHER "\n");
    struct known_query q = {.host = BYTES_LIT("host"), .blob = BYTES_LIT("\0\0\0\13ssh-ed25519")};
    struct known_found f = {0};
    known_search(wr_bytes(&w), 0, &q, &f);
    assert_int_equal(f.changed_n, 500);
    assert_int_equal(f.changed[KNOWN_REFS_MAX - 1].line, KNOWN_REFS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_apart),
        cmocka_unit_test(truncated_known_hosts_lines_are_bad),
        cmocka_unit_test(bad_lines_are_bad),
        cmocka_unit_test(hosts_match_as_in_openssh),
        cmocka_unit_test(written_lines_are_found_again),
        cmocka_unit_test(control_characters_are_not_written),
        cmocka_unit_test(a_long_line_is_one_line),
        cmocka_unit_test(search_tells_what_a_client_asks),
        cmocka_unit_test(revoked_is_seen_beside_known),
        cmocka_unit_test(many_lines_do_not_overflow),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
