/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/text.h"
#include "key/authorized_keys.h"
#include "samples.h"

static struct key_options parsed(const char *text)
{
    struct key_options o;
    const char *why = NULL;
    enum err e = key_options_parse(bytes_str(text), &o, &why);
    if (e != ERR_NONE) fail_msg("%s: %s", text, why);
    assert_true(key_options_check(&o) == VERDICT_GOOD);
    return o;
}

static void lines_come_apart(void **state)
{
    (void)state;
    struct authorized_line l;
    struct wr blob CLEANUP(wr_clear) = wr_heap(1000);
    assert_int_equal(base64_parse(BYTES_LIT(SAMPLE_BLOB64), &blob), ERR_NONE);
    assert_int_equal(authorized_line_parse(BYTES_LIT(SAMPLE_PUB), &l), ERR_NONE);
    assert_true(l.options.n == 0 && l.comment.n == 0 && authorized_line_has_blob(&l, wr_bytes(&blob)));
    assert_int_equal(authorized_line_parse(BYTES_LIT("\t no-pty,command=\"a \\\"b c\\\" d\"\t " SAMPLE_PUB " my key\r"), &l), ERR_NONE);
    assert_true(bytes_is(l.options, "no-pty,command=\"a \\\"b c\\\" d\"") && bytes_is(l.comment, "my key"));
    assert_true(authorized_line_has_blob(&l, wr_bytes(&blob)));
    assert_int_equal(authorized_line_parse(BYTES_LIT("restrict " SAMPLE_OTHER), &l), ERR_NONE);
    assert_false(authorized_line_has_blob(&l, wr_bytes(&blob)));
    /* a key type we do not know is still a line without options */
    assert_int_equal(authorized_line_parse(BYTES_LIT("ssh-dss AAAAB3NzaC1kc3MAAAAA c"), &l), ERR_NONE);
    assert_true(l.options.n == 0 && bytes_is(l.type, "ssh-dss"));
    static const struct {
        struct bytes line;
        enum err err;
    } rows[] = {
        {BYTES_LIT(""), ERR_NOT_FOUND},
        {BYTES_LIT(" # " SAMPLE_PUB), ERR_NOT_FOUND},
        {BYTES_LIT("ssh-ed25519"), ERR_FORMAT},
        {BYTES_LIT("restrict"), ERR_FORMAT},
        {BYTES_LIT("restrict ssh-ed25519"), ERR_FORMAT},
        {BYTES_LIT("command=\"x " SAMPLE_PUB), ERR_FORMAT},
        {BYTES_LIT("a b " SAMPLE_PUB), ERR_FORMAT},
        {BYTES_LIT("no-pty\0 " SAMPLE_PUB), ERR_FORMAT},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) assert_int_equal(authorized_line_parse(rows[i].line, &l), rows[i].err);
}

/* A key inside a quoted command is no key of the line. */
static void quoted_keys_are_not_keys(void **state)
{
    (void)state;
    struct authorized_line l;
    assert_int_equal(authorized_line_parse(BYTES_LIT("command=\"a " SAMPLE_OTHER " b\" " SAMPLE_PUB), &l), ERR_NONE);
    struct wr blob CLEANUP(wr_clear) = wr_heap(1000);
    assert_int_equal(base64_parse(BYTES_LIT(SAMPLE_BLOB64), &blob), ERR_NONE);
    assert_true(authorized_line_has_blob(&l, wr_bytes(&blob)));
}

/* Dropbear 2026.92: the rest of a long line was taken for the next line, without the options before it. */
static void the_rest_of_a_long_line_is_no_line(void **state)
{
    (void)state;
    for (size_t n = AUTHORIZED_LINE_MAX - 300; n < 2 * AUTHORIZED_LINE_MAX + 300; n += 97) {
        struct wr w CLEANUP(wr_clear) = wr_heap(1 << 20);
        wr_text(&w, "restrict,command=\"");
        while (w.n < n) wr_u8(&w, ' ');
        wr_text(&w, "\" " SAMPLE_PUB " ");
        while (w.n < 3 * AUTHORIZED_LINE_MAX) wr_text(&w, SAMPLE_PUB " ");
        wr_text(&w, "\n" SAMPLE_OTHER);
        struct line_walk walk = {.rest = wr_bytes(&w)};
        struct bytes line;
        struct authorized_line l;
        assert_true(line_next(&walk, &line));
        assert_int_equal(authorized_line_parse(line, &l), ERR_TOO_LONG);
        assert_true(line_next(&walk, &line));
        assert_int_equal(authorized_line_parse(line, &l), ERR_NONE);
        assert_int_equal(walk.number, 2);
        assert_false(line_next(&walk, &line));
    }
}

static void every_option_has_its_effect(void **state)
{
    (void)state;
    struct key_options o = parsed("");
    assert_true(o.permit_pty && o.permit_port_forwarding && o.permit_agent_forwarding && o.permit_x11_forwarding && o.permit_user_rc);
    assert_true(!o.restricted && !o.has_command && !o.has_from && !o.has_principals && o.tunnel == KEY_TUNNEL_NONE);
    o = parsed("restrict");
    assert_true(!o.permit_pty && !o.permit_port_forwarding && !o.permit_agent_forwarding && !o.permit_x11_forwarding);
    assert_true(!o.permit_user_rc && o.restricted);
#define ONE(no, yes, field) \
    assert_false(parsed(no).field); \
    assert_true(parsed("restrict," yes).field); \
    assert_false(parsed(yes ",restrict").field)
    ONE("no-pty", "pty", permit_pty);
    ONE("No-Port-Forwarding", "PORT-forwarding", permit_port_forwarding);
    ONE("no-agent-forwarding", "agent-forwarding", permit_agent_forwarding);
    ONE("no-X11-forwarding", "x11-forwarding", permit_x11_forwarding);
    ONE("no-user-rc", "user-rc", permit_user_rc);
    assert_true(parsed("no-touch-required").no_touch_required && !parsed("no-touch-required,touch-required").no_touch_required);
    assert_true(parsed("verify-required").verify_required && !parsed("verify-required,no-verify-required").verify_required);
    assert_true(parsed("cert-authority").cert_authority);
    o = parsed("command=\"echo \\\"a b\\\" \\\\ 'c',d\",principals=\"x,y\",from=\"10.0.0.0/8,!10.1.1.1,*.example.org\"");
    assert_string_equal(o.command, "echo \"a b\" \\\\ 'c',d");
    assert_string_equal(o.principals, "x,y");
    assert_string_equal(o.from, "10.0.0.0/8,!10.1.1.1,*.example.org");
    o = parsed("command=\"\"");
    assert_true(o.has_command && o.command[0] == 0);
    assert_int_equal(parsed("tunnel=\"7\"").tunnel, 7);
    assert_int_equal(parsed("tunnel=\"any\"").tunnel, KEY_TUNNEL_ANY);
}

static void environment_strings_add_up(void **state)
{
    (void)state;
    struct key_options o = parsed("environment=\"A=1\",environment=\"B_2=x=y \\\"z\\\"\",environment=\"A=2\",environment=\"AB=\"");
    size_t pos = 0;
    assert_string_equal(key_options_environment(&o, &pos), "A=1");
    assert_string_equal(key_options_environment(&o, &pos), "B_2=x=y \"z\"");
    assert_string_equal(key_options_environment(&o, &pos), "AB=");
    assert_null(key_options_environment(&o, &pos));
    assert_int_equal(o.environment_n, 3);
}

static void permit_lists(void **state)
{
    (void)state;
    struct key_options o = parsed("permitopen=\"host:80\",permitopen=\"[2001:db8::1]:443\",permitopen=\"h:*\",permitopen=\"*:1\","
                                  "permitlisten=\"8080\",permitlisten=\"localhost:*\",permitlisten=\"*\"");
    static const struct key_permit open[] = {{"host", 80}, {"2001:db8::1", 443}, {"h", KEY_PORT_ANY}, {"*", 1}},
                                   listen[] = {{"*", 8080}, {"localhost", KEY_PORT_ANY}, {"*", KEY_PORT_ANY}};
    assert_int_equal(o.permit_open_n, 4);
    assert_memory_equal(o.permit_open, open, sizeof open);
    assert_int_equal(o.permit_listen_n, 3);
    assert_memory_equal(o.permit_listen, listen, sizeof listen);
}

static void commas_too_many_are_no_options(void **state)
{
    (void)state;
    static const char *const rows[] = {"no-pty,", ",no-pty", "no-pty,,no-user-rc", ",", "no-pty,,"};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct key_options o = parsed(rows[i]);
        assert_int_equal(o.permit_pty, strstr(rows[i], "no-pty") == NULL);
        assert_int_equal(o.permit_user_rc, strstr(rows[i], "no-user-rc") == NULL);
        assert_true(o.permit_x11_forwarding);
    }
}

static void refused_lists_say_why(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"no-such-option", "unknown key option"},
        {"ptyx", "unknown key option"},
        {"no-restrict", "unknown key option"},
        {"no-cert-authority", "unknown key option"},
        {"no-command=\"x\"", "unknown key option"},
        {"command", "unknown key option"},
        {"pty=\"yes\"", "unknown key option"},
        {"command=x", "missing start quote"},
        {"command=", "missing start quote"},
        {"command=\"x", "missing end quote"},
        {"command=\"x\\\"", "missing end quote"},
        {"command=\"x\"pty", "unknown key option"},
        {"command=\"x\",command=\"y\"", "multiple \"command\" clauses"},
        {"from=\"a\",from=\"b\"", "multiple \"from\" clauses"},
        {"from=\"10.0.0.0/33\"", "invalid \"from\" list"},
        {"principals=\"a\",principals=\"b\"", "multiple \"principals\" clauses"},
        {"environment=\"x\"", "invalid environment string"},
        {"environment=\"=x\"", "invalid environment string"},
        {"environment=\"A B=x\"", "invalid environment string"},
        {"permitopen=\"host\"", "missing permission port"},
        {"permitopen=\"80\"", "missing permission port"},
        {"permitopen=\":80\"", "invalid permission hostname"},
        {"permitopen=\"[::1:80\"", "invalid permission hostname"},
        {"permitopen=\"[::1]\"", "missing permission port"},
        {"permitopen=\"h:0\"", "invalid permission port"},
        {"permitopen=\"h:-1\"", "invalid permission port"},
        {"permitopen=\"h:80x\"", "invalid permission port"},
        {"tunnel=\"\"", "invalid tun device"},
        {"tunnel=\"-1\"", "invalid tun device"},
        {"tunnel=\"4294967295\"", "invalid tun device"},
        {"expiry-time=\"\"", "invalid expires time"},
        {"expiry-time=\"20201301\"", "invalid expires time"},
        {"expiry-time=\"20230229\"", "invalid expires time"},
        {"expiry-time=\"2023010112345\"", "invalid expires time"},
        {"expiry-time=\"19700101Z\"", "invalid expires time"},
    };
    struct key_options untouched, o;
    memset(&o, 0x5a, sizeof o);
    memset(&untouched, 0x5a, sizeof untouched);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *why = NULL;
        assert_int_not_equal(key_options_parse(bytes_str(rows[i].text), &o, &why), ERR_NONE);
        assert_string_equal(why, rows[i].why);
        assert_memory_equal(&o, &untouched, sizeof o);
    }
}

/* Dropbear 2026.92/93: 0xffffffff was taken for "any port". */
static void port_numbers_do_not_wrap(void **state)
{
    (void)state;
    static const char *const ports[] = {"65536", "65616", "4294967295", "4294967296", "4294967376", "18446744073709551696", "0x50", "+80", " 80"};
    for (size_t i = 0; i < COUNT_OF(ports); i++) {
        struct key_options o;
        const char *why;
        struct wr w CLEANUP(wr_clear) = wr_heap(100);
        wr_textf(&w, "permitopen=\"h:%s\"", ports[i]);
        assert_int_equal(key_options_parse(wr_bytes(&w), &o, &why), ERR_FORMAT);
        w.n = 0;
        wr_textf(&w, "permitlisten=\"%s\"", ports[i]);
        assert_int_equal(key_options_parse(wr_bytes(&w), &o, &why), ERR_FORMAT);
    }
}

static enum err filled(const char *before, char fill, size_t n, const char *after, struct key_options *o)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(1 << 20);
    const char *why;
    wr_text(&w, before);
    for (size_t i = 0; i < n; i++) wr_u8(&w, (uint8_t)fill);
    wr_text(&w, after);
    return key_options_parse(wr_bytes(&w), o, &why);
}

static void values_over_their_limit_refuse_the_line(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after;
        size_t max;
        enum err err;
    } rows[] = {
        {"command=\"", "\"", KEY_COMMAND_MAX - 1, ERR_TOO_LONG},
        {"from=\"", "\"", KEY_FROM_MAX - 1, ERR_TOO_LONG},
        {"principals=\"", "\"", KEY_PRINCIPALS_MAX - 1, ERR_TOO_LONG},
        {"environment=\"A=", "\"", KEY_ENVIRONMENT_MAX - 3, ERR_TOO_LONG},
        {"permitopen=\"", ":1\"", KEY_PERMIT_HOST_MAX - 1, ERR_FORMAT},
    };
    static struct key_options o;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(filled(rows[i].before, 'x', rows[i].max, rows[i].after, &o), ERR_NONE);
        assert_true(key_options_check(&o) == VERDICT_GOOD);
        assert_int_equal(filled(rows[i].before, 'x', rows[i].max + 1, rows[i].after, &o), rows[i].err);
    }
    struct wr w CLEANUP(wr_clear) = wr_heap(1 << 20);
    const char *why;
    for (int i = 0; i < KEY_PERMIT_MAX; i++) wr_text(&w, i ? ",permitopen=\"h:1\"" : "permitopen=\"h:1\"");
    assert_int_equal(key_options_parse(wr_bytes(&w), &o, &why), ERR_NONE);
    wr_text(&w, ",permitopen=\"h:1\"");
    assert_int_equal(key_options_parse(wr_bytes(&w), &o, &why), ERR_TOO_LONG);
}

static void expiry_times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool utc;
        int64_t at;
    } rows[] = {
        {"20200101Z", true, 1577836800}, {"202002291230Z", true, 1582979400}, {"20240301000001z", true, 1709251201},
        {"19700102", false, 86400},      {"21000301Z", true, 4107542400},     {"99991231235959Z", true, 253402300799},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool utc;
        int64_t at;
        assert_int_equal(key_time_parse(bytes_str(rows[i].text), &utc, &at), ERR_NONE);
        assert_true(utc == rows[i].utc && at == rows[i].at);
    }
    struct key_options o = parsed("expiry-time=\"20300101Z\",expiry-time=\"20200101Z\"");
    assert_int_equal(o.expiry_utc, 1577836800);
    assert_false(key_options_expired(&o, 1577836800, 0));
    assert_true(key_options_expired(&o, 1577836801, 0));
    o = parsed("expiry-time=\"20200101\""); /* midnight where the wall clock is an hour ahead: an hour earlier */
    assert_false(key_options_expired(&o, 1577836800 - 3600, 3600));
    assert_true(key_options_expired(&o, 1577836801 - 3600, 3600));
    assert_false(key_options_expired(&o, 1577836801, -3600));
    o = parsed("");
    assert_false(key_options_expired(&o, INT64_MAX / 2, 0));
}

/* What a reader sends is not believed: each broken invariant is seen. */
static void the_receivers_check_sees_broken_options(void **state)
{
    (void)state;
    static struct key_options good, o;
    good = parsed("command=\"x\",environment=\"A=1\",environment=\"B=2\",permitopen=\"h:1\",permitlisten=\"2\",principals=\"p\",from=\"*\"");
#define BREAK(change) \
    o = good; \
    change; \
    assert_true(key_options_check(&o) == VERDICT_BAD)
    BREAK(o.permit_pty = 2);
    BREAK(o.has_command = 255);
    BREAK(o.tunnel = -2);
    BREAK(memset(o.command, 'x', sizeof o.command));
    BREAK(memset(o.from, 'x', sizeof o.from));
    BREAK(memset(o.principals, 'x', sizeof o.principals));
    BREAK(o.environment_n = 1);
    BREAK(o.environment_n = 0xffffffff);
    BREAK(o.environment_used = 0xffffffff);
    BREAK(o.environment_used = 7);
    BREAK(o.environment[1] = '-');
    BREAK(o.permit_open_n = KEY_PERMIT_MAX + 1);
    BREAK(o.permit_open_n = 2);
    BREAK(o.permit_listen[0].port = 65536);
    BREAK(memset(o.permit_open[0].host, 'x', KEY_PERMIT_HOST_MAX));
    BREAK(o.expiry_utc = -1);
    assert_true(key_options_check(&good) == VERDICT_GOOD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_apart),
        cmocka_unit_test(quoted_keys_are_not_keys),
        cmocka_unit_test(the_rest_of_a_long_line_is_no_line),
        cmocka_unit_test(every_option_has_its_effect),
        cmocka_unit_test(environment_strings_add_up),
        cmocka_unit_test(permit_lists),
        cmocka_unit_test(commas_too_many_are_no_options), cmocka_unit_test(refused_lists_say_why),
        cmocka_unit_test(port_numbers_do_not_wrap),
        cmocka_unit_test(values_over_their_limit_refuse_the_line),
        cmocka_unit_test(expiry_times),
        cmocka_unit_test(the_receivers_check_sees_broken_options),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
