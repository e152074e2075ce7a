/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/text.h"
#include "cert_made.h"

/* ---- believing ---- */

static void a_certificate_holds_for_its_kind_and_time(void **state)
{
    (void)state;
    static const struct {
        enum cert_kind kind, want;
        uint64_t now;
        const char *principals, *critical, *algs, *why;
    } rows[] = {
        {CERT_USER, CERT_USER, 1000, "a", "", "ssh-ed25519", NULL},
        {CERT_USER, CERT_USER, 1999, "a", "", "rsa-sha2-512,ssh-ed25519", NULL},
        {CERT_USER, CERT_USER, 999, "a", "", "ssh-ed25519", "Certificate invalid: not yet valid"},
        {CERT_USER, CERT_USER, 2000, "a", "", "ssh-ed25519", "Certificate invalid: expired"},
        {CERT_HOST, CERT_USER, 1000, "a", "", "ssh-ed25519", "Certificate invalid: not a user certificate"},
        {CERT_USER, CERT_HOST, 1000, "a", "", "ssh-ed25519", "Certificate invalid: not a host certificate"},
        {CERT_HOST, CERT_HOST, 1000, "a", "", "ssh-ed25519", NULL},
        {CERT_USER, CERT_USER, 1000, "", "", "ssh-ed25519", "Certificate lacks principal list"},
        {CERT_HOST, CERT_HOST, 1000, "", "", "ssh-ed25519", "Certificate lacks principal list"},
        {CERT_USER, CERT_USER, 1000, "a,b", "", "ssh-ed25519", "Certificate invalid: a principal contains a separator"},
        {CERT_USER, CERT_USER, 1000, "c|a,b", "", "ssh-ed25519", "Certificate invalid: a principal contains a separator"},
        {CERT_USER, CERT_USER, 1000, "a", "", "", "Certificate signed with disallowed algorithm"},
        {CERT_USER, CERT_USER, 1000, "a", "", "ssh-ed*", "Certificate signed with disallowed algorithm"},
        {CERT_USER, CERT_USER, 1000, "a", "", "ssh-ed25519-cert-v01@openssh.com,rsa-sha2-512", "Certificate signed with disallowed algorithm"},
        {CERT_USER, CERT_USER, 1000, "a", "force-command=x|source-address=::1|verify-required", "ssh-ed25519", NULL},
        {CERT_USER, CERT_USER, 1000, "a", "force-commanD=x", "ssh-ed25519", "Certificate contains unsupported critical options"},
        {CERT_USER, CERT_USER, 1000, "a", "permit-pty", "ssh-ed25519", "Certificate contains unsupported critical options"},
        {CERT_HOST, CERT_HOST, 1000, "a", "force-command=x", "ssh-ed25519", "Certificate contains unsupported critical options"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct pubkey *k CLEANUP(pubkey_drop) = cert_with(rows[i].kind, rows[i].principals, rows[i].critical, "unknown@example.com");
        const char *why = NULL;
        enum verdict v = cert_check(pubkey_cert(k), rows[i].want, rows[i].now, bytes_str(rows[i].algs), &why);
        if ((v == VERDICT_GOOD) != (rows[i].why == NULL) || (why && strcmp(why, rows[i].why) != 0)) fail_msg("row %zu: %s", i, why ? why : "good");
    }
}

/* CVE-2026-35414, CVE-2024-7594: no list, pattern or empty name stands for somebody. */
static void principals_match_as_openssh_10_3_says(void **state)
{
    (void)state;
    static const struct {
        const char *principals, *name;
        bool user, host;
    } rows[] = {
        {"alice", "alice", true, true},
        {"alice", "Alice", false, true},
        {"ALICE", "alice", false, true},
        {"alice", "alic", false, false},
        {"alice", "alicee", false, false},
        {"bob|alice", "alice", true, true},
        {"", "alice", false, false},
        {"*", "alice", false, true},
        {"*", "*", true, true},
        {"a?ice", "alice", false, true},
        {"*.example.com", "a.example.com", false, true},
        {"*.example.com", "example.com", false, false},
        {"alice,bob", "alice", false, false},
        {"alice,bob", "bob", false, false},
        {"alice,bob", "alice,bob", false, false},
        {"!bob", "alice", false, false},
        {"alice", "", false, false},
        {"a b", "a b", true, true},
        {"a b", "a", false, false},
        {"alice|alice", "alice", true, true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct pubkey *user CLEANUP(pubkey_drop) = cert_with(CERT_USER, rows[i].principals, "", "");
        struct pubkey *host CLEANUP(pubkey_drop) = cert_with(CERT_HOST, rows[i].principals, "", "");
        if (cert_has_principal(pubkey_cert(user), bytes_str(rows[i].name)) != rows[i].user) fail_msg("row %zu as user", i);
        if (cert_has_principal(pubkey_cert(host), bytes_str(rows[i].name)) != rows[i].host) fail_msg("row %zu as host", i);
    }
    struct wr p CLEANUP(wr_clear) = wr_heap(100);
    wr_cstring(&p, "");
    struct raw raw = {.kind = CERT_USER, .principals = wr_bytes(&p)};
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    assert_int_equal(raw_parse(&raw, &k), ERR_NONE);
    assert_false(cert_has_principal(pubkey_cert(k), BYTES_LIT("")));
    assert_false(cert_has_principal(pubkey_cert(k), BYTES_LIT("alice")));
}

static void nothing_is_permitted_but_by_an_extension(void **state)
{
    (void)state;
    static const char *const names[] = {"permit-X11-forwarding", "permit-agent-forwarding", "permit-port-forwarding", "permit-pty", "permit-user-rc",
                                        "no-touch-required"};
    static struct key_options o;
    for (unsigned set = 0; set < 1U << COUNT_OF(names); set++) {
        char text[256] = "", *end = text;
        static const unsigned sorted[] = {5, 0, 1, 2, 3, 4};
        for (size_t i = 0; i < COUNT_OF(names); i++)
            if (set >> sorted[i] & 1) end += sprintf(end, "%s%s", end == text ? "" : "|", names[sorted[i]]);
        struct pubkey *k CLEANUP(pubkey_drop) = cert_with(CERT_USER, "a", "", text);
        const char *why = NULL;
        assert_int_equal(cert_key_options(pubkey_cert(k), &o, &why), ERR_NONE);
        const uint8_t got[] = {o.permit_x11_forwarding, o.permit_agent_forwarding, o.permit_port_forwarding, o.permit_pty, o.permit_user_rc,
                               o.no_touch_required};
        for (size_t i = 0; i < COUNT_OF(names); i++) assert_int_equal(got[i], set >> i & 1);
        assert_true(!o.has_command && !o.has_from && !o.has_source_address && !o.verify_required && !o.cert_authority && o.tunnel == KEY_TUNNEL_NONE);
        assert_true(key_options_check(&o) == VERDICT_GOOD);
    }
}

static void bad_options_refuse_the_certificate(void **state)
{
    (void)state;
    static const struct {
        enum cert_kind kind;
        const char *critical, *extensions, *why;
    } rows[] = {
        {CERT_USER, "force-command=", "", NULL},
        {CERT_USER, "verify-required", "unknown=x", NULL},
        {CERT_USER, "source-address=10.0.0.0/8", "permit-pty", NULL},
        {CERT_USER, "force-command", "", "Certificate option corrupt"},
        {CERT_USER, "force-command:x", "", "Certificate option corrupt"},
        {CERT_USER, "verify-required=x", "", "Certificate option corrupt"},
        {CERT_USER, "verify-required:x", "", "Certificate option corrupt"},
        {CERT_USER, "source-address=", "", "Certificate source-address contents invalid"},
        {CERT_USER, "source-address=*", "", "Certificate source-address contents invalid"},
        {CERT_USER, "source-address=10.0.0.1/8", "", "Certificate source-address contents invalid"},
        {CERT_USER, "unknown", "", "Certificate critical option is not supported"},
        {CERT_USER, "", "permit-pty:x", "Certificate option corrupt (extra data)"},
        {CERT_HOST, "", "", "not a user certificate"},
    };
    static struct key_options o;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct pubkey *k CLEANUP(pubkey_drop) = cert_with(rows[i].kind, "a", rows[i].critical, rows[i].extensions);
        const char *why = NULL;
        enum err e = cert_key_options(pubkey_cert(k), &o, &why);
        if ((e == ERR_NONE) != (rows[i].why == NULL) || (why && strcmp(why, rows[i].why) != 0)) fail_msg("row %zu: %s", i, why ? why : "good");
    }
    char longest[KEY_COMMAND_MAX + 64] = "force-command=";
    size_t n = strlen(longest);
    memset(longest + n, 'x', KEY_COMMAND_MAX - 1);
    struct pubkey *fits CLEANUP(pubkey_drop) = cert_with(CERT_USER, "a", longest, "");
    strcat(longest, "x");
    struct pubkey *over CLEANUP(pubkey_drop) = cert_with(CERT_USER, "a", longest, "");
    const char *why = NULL;
    assert_int_equal(cert_key_options(pubkey_cert(fits), &o, &why), ERR_NONE);
    assert_int_equal(cert_key_options(pubkey_cert(over), &o, &why), ERR_TOO_LONG); /* never a command cut short */
}

static void source_lists_hold_addresses_only(void **state)
{
    (void)state;
    static const char *const good[] = {"1.2.3.4", "1.2.3.4/32", "10.0.0.0/8,192.0.2.1", "::1", "2001:db8::/32", "0.0.0.0/0", "::/0"};
    static const char *const bad[] = {"", ",", "1.2.3.4,", ",1.2.3.4", "1.2.3.4,,::1", "*", "1.2.3.*", "!1.2.3.4", "1.2.3.4/", "1.2.3.4/33", "::1/129",
                                      "1.2.3.4/24", "1.2.3", "1234", "abc", "host", "1.2.3.4 ", "fe80::1%eth0", "1.2.3.4/2/2", "1.2.3.4/-1"};
    for (size_t i = 0; i < COUNT_OF(good); i++)
        if (cert_source_check(bytes_str(good[i])) != VERDICT_GOOD) fail_msg("%s", good[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (cert_source_check(bytes_str(bad[i])) == VERDICT_GOOD) fail_msg("%s", bad[i]);
    assert_true(cert_source_check(BYTES_LIT("1.2.3.4\0")) == VERDICT_BAD);
}

static void time_show(struct wr *w, uint64_t at_s)
{
    wr_textf(w, "<%llu>", (unsigned long long)at_s);
}

static void validities_are_shown_in_openssh_s_words(void **state)
{
    (void)state;
    static const struct {
        uint64_t after, before;
        const char *text;
    } rows[] = {{0, CERT_FOREVER, "forever"}, {0, 5, "before <5>"}, {5, CERT_FOREVER, "after <5>"}, {5, 6, "from <5> to <6>"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct wr w CLEANUP(wr_clear) = wr_heap(200);
        cert_validity_write(&w, rows[i].after, rows[i].before, time_show);
        assert_true(bytes_is(wr_bytes(&w), rows[i].text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_holds_for_its_kind_and_time),
        cmocka_unit_test(principals_match_as_openssh_10_3_says),
        cmocka_unit_test(nothing_is_permitted_but_by_an_extension),
        cmocka_unit_test(bad_options_refuse_the_certificate),
        cmocka_unit_test(source_lists_hold_addresses_only),
        cmocka_unit_test(validities_are_shown_in_openssh_s_words),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
