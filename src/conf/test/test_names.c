/* SPDX-License-Identifier: ISC */
/* Destinations, tokens, forward specifications, units; and defects of the past that this room could repeat. */
#include "fake_world.h"

#include <stdlib.h>

#include "../option.h"
#include "conf/destination.h"
#include "conf/parse.h"
#include "conf/ssh.h"
#include "conf/sshd.h"
#include "conf/token.h"

static struct fake f;

static void destinations(void **state)
{
    (void)state;
    static const struct { const char *text, *user, *host; uint32_t port; } good[] = {
        {"host", "", "host", 0}, {"bob@host", "bob", "host", 0}, {"a@b@host", "a@b", "host", 0}, {"::1", "", "::1", 0},
        {"fe80::1%eth0", "", "fe80::1%eth0", 0}, {"DOM\\bob@h", "DOM\\bob", "h", 0}, {"machine$@h", "machine$", "h", 0},
        {"ssh://host", "", "host", 0}, {"ssh://bob@host:2222", "bob", "host", 2222}, {"ssh://bob@host:2222/", "bob", "host", 2222},
        {"ssh://[::1]:22", "", "::1", 22}, {"ssh://bob%40x@h", "bob@x", "h", 0}, {"ssh://bob;fp=x@h", "bob", "h", 0}, {"ssh://h%65y", "", "hey", 0}};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct destination d;
        if (destination_parse(good[i].text, &d) != ERR_NONE) fail_msg("%s refused", good[i].text);
        assert_string_equal(d.user, good[i].user);
        assert_string_equal(d.host, good[i].host);
        assert_int_equal(d.port, good[i].port);
    }
    static const char *const bad[] = {"", "@host", "bob@", "-oProxyCommand=x", "bob@-x", "-x@h", "ssh://", "ssh://h:", "ssh://h:0", "ssh://h:65536",
        "ssh://h:22x", "ssh://h/path", "ssh://u:p@h", "ssh://::1", "ssh://[::1", "ssh://h%0", "ssh://h%zz", "ssh://-x", "ssh://%2dx", "h h", "a;b",
        "ssh://@h", "a`b@h", "a\nb@h", "h\tx"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct destination d;
        if (destination_parse(bad[i], &d) != ERR_USAGE) fail_msg("%s taken", bad[i]);
    }
    struct destination hop;
    assert_int_equal(destination_parse_hop(BYTES_LIT("bob@h:33"), &hop), ERR_NONE);
    assert_int_equal(hop.port, 33);
    assert_int_equal(destination_parse_hop(BYTES_LIT("[::1]:33"), &hop), ERR_NONE);
    assert_string_equal(hop.host, "::1");
    assert_int_equal(destination_parse_hop(BYTES_LIT("h:x"), &hop), ERR_USAGE);
}

static void destinations_with_a_path(void **state)
{
    (void)state;
    char path[DESTINATION_PATH_MAX], long_path[DESTINATION_PATH_MAX + 8];
    struct destination d;
    static const struct { const char *text, *host, *path; } good[] = {
        {"h", "h", ""}, {"u@h/", "h", ""}, {"h//etc", "h", "/etc"}, {"[::1]:22/a/b%20c%2F", "::1", "a/b c/"}, {"h%65y/%C3%bc", "hey", "\xc3\xbc"}};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        if (destination_parse_path(good[i].text, &d, path) != ERR_NONE) fail_msg("%s refused", good[i].text);
        assert_string_equal(d.host, good[i].host);
        assert_string_equal(path, good[i].path);
    }
    static const char *const bad[] = {"", "/x", "h:x/y", "h/%", "h/%4", "h/%00", "h/%zz", "h%00/x"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (destination_parse_path(bad[i], &d, path) != ERR_USAGE) fail_msg("%s taken", bad[i]);
    snprintf(long_path, sizeof long_path, "h/%0*d", DESTINATION_PATH_MAX - 1, 0);
    assert_int_equal(destination_parse_path(long_path, &d, path), ERR_NONE);
    snprintf(long_path, sizeof long_path, "h/%0*d", DESTINATION_PATH_MAX, 0);
    assert_int_equal(destination_parse_path(long_path, &d, path), ERR_USAGE);
}

static void the_colon_before_a_path_is_found(void **state)
{
    (void)state;
    static const struct { const char *text; int at; } rows[] = {
        {"h:p", 1}, {"h:", 1}, {"u@h:p:q", 3}, {"[::1]:p", 5}, {"u@[::1]:p", 7}, {"a:b@[::1]:p", 1}, {"h", -1}, {":p", -1}, {"./h:p", -1},
        {"[::1]", -1}, {"[::1:p", -1}, {"", -1}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *colon = destination_colon(rows[i].text);
        if ((colon ? (int)(colon - rows[i].text) : -1) != rows[i].at) fail_msg("%s", rows[i].text);
    }
}

/* TRUST T13: no text that a shell, an option parser or a terminal acts on comes through as a user or host. */
static void names_for_shells_are_refused(void **state)
{
    (void)state;
    static const char *const everywhere[] = {"-oProxyCommand=x", "$(id)", "`id`", "a;b", "a|b", "a&b", "a>b", "a<b", "a\nb", "a\rb", "a\x1b[31m", "a\x7f",
        "a'b", "a\"b", "(a)", "{a,b}", "${IFS}", "$HOME", "a\x01", "a\\"};
    for (size_t i = 0; i < COUNT_OF(everywhere); i++) {
        if (user_valid(everywhere[i])) fail_msg("user %s", everywhere[i]);
        if (host_valid(everywhere[i])) fail_msg("host %s", everywhere[i]);
    }
    assert_false(host_valid("a b") || host_valid("") || host_valid("a,b") || host_valid("a\\b") || host_valid("a\tb"));
    assert_false(user_valid("a -oX") || user_valid("a\\ b"));
    assert_true(user_valid("bob") && user_valid("bob@example.org") && user_valid("b\xc3\xb6" "b") && user_valid("a b") && user_valid("a.b-c_d+e"));
    assert_true(host_valid("h.example.org") && host_valid("::1") && host_valid("fe80::1%eth0") && host_valid("xn--bcher-kva"));
}

static void tokens_follow_their_sets(void **state)
{
    (void)state;
    fake_world(&f);
    struct ssh_conf *c = ssh_conf_new();
    fake_add(&f, "/home/me/.ssh/config", "Hostname real.example\nPort 2222\nUser bob\nHostKeyAlias alias\nProxyCommand none\n");
    const struct ssh_conf_ask ask = {.host = "foo"};
    assert_int_equal(ssh_conf_load(c, &f.w, &ask), ERR_NONE);
    assert_int_equal(ssh_conf_finish(c, &f.w), ERR_NONE);
    struct tokens t;
    assert_int_equal(ssh_conf_tokens(c, &f.w, "abcd", &t), ERR_NONE);
    static const struct { const char *text, *set, *out; } good[] = {
        {"%% %C %d %h %i %j %k %L %l %n %p %r %u", token_set_common, "% abcd /home/me real.example 1000  alias here here.example.org foo 2222 bob me"},
        {"x%hy", token_set_hostname, "xreal.exampley"}, {"%h %n %p %r", token_set_proxy, "real.example foo 2222 bob"}, {"", token_set_common, ""},
        {"~/k", token_set_common, "/home/me/k"}, {"~bob/k", token_set_common, "/home/bob/k"}, {"${WHERE}/x", token_set_common, "/from/env/x"},
        {"a~b $x", token_set_common, "a~b $x"}};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct wr w CLEANUP(wr_clear) = wr_heap(4096);
        assert_int_equal(token_expand(good[i].text, good[i].set, &t, TOKEN_ENV | TOKEN_TILDE, &f.w, &w, NULL), ERR_NONE);
        if (!bytes_is(wr_bytes(&w), good[i].out)) fail_msg("%s: %.*s", good[i].text, (int)w.n, (const char *)w.p);
    }
    static const struct { const char *text, *set; } bad[] = {{"%q", token_set_common}, {"%", token_set_common},
        {"%u", token_set_hostname}, {"%C", token_set_proxy},
        {"%T", token_set_common}, {"%H", token_set_known_hosts_command}, {"${NOT_SET}", token_set_common},
        {"${open", token_set_common}, {"~eve/x", token_set_common},
        {"%\xff", token_set_common}};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct wr w CLEANUP(wr_clear) = wr_heap(4096);
        const char *why = NULL;
        if (token_expand(bad[i].text, bad[i].set, &t, TOKEN_ENV | TOKEN_TILDE, &f.w, &w, &why) != ERR_USAGE) fail_msg("%s taken", bad[i].text);
        assert_non_null(why);
        assert_int_equal(w.n, 0);
    }
    struct wr h CLEANUP(wr_clear) = wr_heap(4096);
    ssh_conf_hash_text(c, &f.w, &h);
    assert_true(bytes_is(wr_bytes(&h), "here.example.orgreal.example2222bob"));
    ssh_conf_free(c);
}

/* The sets of ssh_config(5) and sshd_config(5), letter by letter. */
static void token_sets_are_the_manuals(void **state)
{
    (void)state;
    static const struct { const char *set, *letters; } rows[] = {{token_set_common, "CdhijkLlnpru"}, {token_set_known_hosts_command, "CdfHhIijKkLlnprtu"},
        {token_set_hostname, "h"}, {token_set_local_command, "CdfHhIijKkLlnprTtu"}, {token_set_proxy, "hnpr"}, {token_set_keys_command, "CDfhktUu"},
        {token_set_user_file, "hUu"}, {token_set_principals_command, "CDFfhiKksTtUu"}, {token_set_rdomain, "D"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(strlen(rows[i].set), strlen(rows[i].letters));
        for (const char *p = rows[i].letters; *p; p++) assert_non_null(strchr(rows[i].set, *p));
    }
}

static void forwards(void **state)
{
    (void)state;
    static const struct { const char *text; bool dynamic, remote; const char *lh, *lp; unsigned lport; const char *ch, *cp; unsigned cport; } good[] = {
        {"80:h:81", false, false, NULL, NULL, 80, "h", NULL, 81}, {"a:80:h:81", false, false, "a", NULL, 80, "h", NULL, 81},
        {"*:80:[::1]:81", false, false, "*", NULL, 80, "::1", NULL, 81}, {"[::]:80:h:81", false, false, "::", NULL, 80, "h", NULL, 81},
        {":80:h:81", false, false, "", NULL, 80, "h", NULL, 81}, {"/a:/b", false, false, NULL, "/a", 0, NULL, "/b", 0},
        {"80:/b", false, false, NULL, NULL, 80, NULL, "/b", 0}, {"a:80:/b", false, false, "a", NULL, 80, NULL, "/b", 0},
        {"/a:h:81", false, false, NULL, "/a", 0, "h", NULL, 81}, {"0:h:81", false, true, NULL, NULL, 0, "h", NULL, 81},
        {"1080", true, false, NULL, NULL, 1080, NULL, NULL, 0}, {"a:1080", true, false, "a", NULL, 1080, NULL, NULL, 0},
        {"[::1]:1080", true, true, "::1", NULL, 1080, NULL, NULL, 0}, {"/s\\:x:/b", false, false, NULL, "/s:x", 0, NULL, "/b", 0}};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        char store[100];
        struct conf_forward w;
        if (conf_forward_parse(good[i].text, good[i].dynamic, good[i].remote, store, &w) != ERR_NONE) fail_msg("%s refused", good[i].text);
        const char *got[4] = {w.listen_host, w.listen_path, w.connect_host, w.connect_path}, *want[4] = {good[i].lh, good[i].lp, good[i].ch, good[i].cp};
        for (int k = 0; k < 4; k++)
            if (!got[k] != !want[k] || (got[k] && strcmp(got[k], want[k]) != 0)) fail_msg("%s part %d: %s", good[i].text, k, got[k] ? got[k] : "NULL");
        assert_int_equal(w.listen_port, good[i].lport);
        assert_int_equal(w.connect_port, good[i].cport);
    }
    static const struct { const char *text; bool dynamic, remote; } bad[] = {{"", true, false}, {"80", false, false}, {"80:h", false, false},
        {"80:h:0", false, false},
        {"80:h:65536", false, false}, {"0:h:80", false, false}, {"a:b:c:d:e", false, false}, {"80:h:80", true, false},
        {"x", true, false}, {"[::1:80:h:1", false, false},
        {"4294967295:h:1", false, false}, {"80::1", false, false}, {"-1:h:1", false, false}, {"80:h:80:", false, false}};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char store[100];
        struct conf_forward w;
        if (conf_forward_parse(bad[i].text, bad[i].dynamic, bad[i].remote, store, &w) != ERR_FORMAT) fail_msg("%s taken", bad[i].text);
    }
}

static void units(void **state)
{
    (void)state;
    static const struct { const char *text; int64_t s; } times[] = {{"0", 0}, {"90", 90}, {"90s", 90}, {"1m", 60}, {"1h30m", 5400},
        {"1D", 86400}, {"2w1d", 1296000},
        {"2147483647", 2147483647}, {"", -1}, {"m", -1}, {"1x", -1}, {"-1", -1}, {"2147483648", -1}, {"9999999w", -1}, {"1h m", -1}, {"1.5", -1}};
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        int64_t v = -1;
        enum err e = conf_time_s(bytes_str(times[i].text), &v);
        if ((e == ERR_NONE) != (times[i].s >= 0) || v != times[i].s) fail_msg("%s", times[i].text);
    }
    static const struct { const char *text; uint64_t n; bool ok; } sizes[] = {{"16", 16, true}, {"1k", 1024, true}, {"2M", 2097152, true},
        {"3G", 3221225472, true},
        {"default", 0, true}, {"", 0, false}, {"G", 0, false}, {"1T", 0, false}, {"99999999999G", 0, false}, {"-1", 0, false}};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        uint64_t v = 0;
        enum err e = conf_size_bytes(bytes_str(sizes[i].text), &v);
        if ((e == ERR_NONE) != sizes[i].ok || v != sizes[i].n) fail_msg("%s", sizes[i].text);
    }
}

/* ---- HISTORY.md ---- */

static const char *load(const char *user, const char *host, const char *text)
{
    static char port[100];
    fake_world(&f);
    struct ssh_conf *c = ssh_conf_new();
    const struct ssh_conf_ask ask = {.host = host};
    fake_add(&f, "/home/me/.ssh/config", text);
    enum err e = user ? ssh_conf_set(c, &f.w, "User", user) : ERR_NONE;
    if (e == ERR_NONE) e = ssh_conf_load(c, &f.w, &ask);
    if (e == ERR_NONE) e = ssh_conf_finish(c, &f.w);
    snprintf(port, sizeof port, "%u", e == ERR_NONE ? c->port : 0);
    ssh_conf_free(c);
    return port;
}

static void cve_2026_35386_user_never_reaches_match_exec_unchecked(void **state)
{
    (void)state;
    static const char *const users[] = {"a;touch x", "$(touch x)", "a\nb", "-x", "`x`", "a|b"};
    for (size_t i = 0; i < COUNT_OF(users); i++) {
        assert_string_equal(load(users[i], "foo", "Match exec \"check %r\"\nPort 9\n"), "0");
        assert_string_equal(f.ran, "");
        assert_non_null(strstr(f.said, "remote username contains invalid characters"));
    }
    assert_string_equal(load("bob", "foo", "Match exec \"check %r\"\nPort 9\n"), "9");
    assert_string_equal(f.ran, "check bob\n");
}

static void cve_2023_51385_host_never_reaches_match_exec_unchecked(void **state)
{
    (void)state;
    assert_string_equal(load(NULL, "`touch x`", "Match exec \"check %h\"\nPort 9\n"), "0");
    assert_string_equal(f.ran, "");
    assert_string_equal(load(NULL, "foo", "Hostname $(x)\nMatch exec \"check %h\"\nPort 9\n"), "0");
    assert_string_equal(f.ran, "");
}

static void cve_2025_61984_control_characters_in_user(void **state)
{
    (void)state;
    struct destination d;
    assert_int_equal(destination_parse("a\nb@h", &d), ERR_USAGE);
    assert_int_equal(destination_parse("ssh://a%0ab@h", &d), ERR_USAGE);
    assert_int_equal(destination_parse("ssh://a%1b@h", &d), ERR_USAGE);
}

static void cve_2025_61985_nul_in_uri(void **state)
{
    (void)state;
    struct destination d = {.port = 7};
    assert_int_equal(destination_parse("ssh://bob%00x@h", &d), ERR_USAGE);
    assert_int_equal(destination_parse("ssh://h%00.example", &d), ERR_USAGE);
    assert_int_equal(d.port, 7);
}

static void cve_2017_1000117_leading_dash_in_host(void **state)
{
    (void)state;
    struct destination d;
    assert_int_equal(destination_parse("ssh://-oProxyCommand=x/", &d), ERR_USAGE);
    assert_int_equal(destination_parse("ssh://%2doProxyCommand=x/", &d), ERR_USAGE);
}

static void fix_0a0ef4515_jump_hosts_are_checked(void **state)
{
    (void)state;
    static const char *const hops[] = {"-oProxyCommand=x", "a;b", "u$(x)@h", "h,-x", "h:port", "`x`@h", "a b"};
    for (size_t i = 0; i < COUNT_OF(hops); i++) {
        fake_world(&f);
        struct ssh_conf *c = ssh_conf_new();
        char text[100];
        snprintf(text, sizeof text, "ProxyJump %s", hops[i]);
        if (ssh_conf_option(c, &f.w, text) != ERR_USAGE || !strstr(f.said, "Invalid ProxyJump")) fail_msg("%s taken: %s", hops[i], f.said);
        ssh_conf_free(c);
    }
}

static struct sshd_conf *server(const char *text, const char *user)
{
    fake_world(&f);
    struct sshd_rows *r = sshd_rows_new();
    struct sshd_conf *c = NULL;
    const struct sshd_peer peer = {.user = user};
    if (sshd_rows_parse(r, &f.w, "conf", bytes_str(text)) == ERR_NONE) assert_int_equal(sshd_conf_for(r, &f.w, user ? &peer : NULL, &c), ERR_NONE);
    sshd_rows_free(r);
    return c;
}

static void fix_683d0abe5_max_startups_first_wins(void **state)
{
    (void)state;
    struct sshd_conf *c = server("MaxStartups 3\nMaxStartups 50:30:100\n", NULL);
    assert_int_equal(c->max_startups.begin, 3);
    assert_int_equal(c->max_startups.full, 3);
    sshd_conf_free(c);
}

static void fix_caa6d7d19_rekey_limit_counts_in_match(void **state)
{
    (void)state;
    struct sshd_conf *c = server("RekeyLimit 1G 1h\nMatch user bob\nRekeyLimit 1M 1m\n", "bob");
    assert_int_equal(c->rekey_limit.bytes, 1 << 20);
    assert_int_equal(c->rekey_limit.time_s, 60);
    sshd_conf_free(c);
}

/* Not built yet: then it must be refused in Match as well, not passed over. */
static void fix_caa6d7d19_channel_timeout_counts_in_match(void **state)
{
    (void)state;
    const struct option *o = options_find(&sshd_table, "ChannelTimeout");
    assert_true(o->flags & OPT_MATCH);
    struct sshd_conf *c = server("Match user bob\nChannelTimeout session=5m\n", "bob");
    if (o->built == MORE) assert_null(c);
    else assert_int_equal(c->channel_timeout.v[0].time_s, 300);
    sshd_conf_free(c);
}

/* Dropbear once read "gatewayports=no" as yes. */
static void no_means_no_for_every_flag(void **state)
{
    (void)state;
    const struct table *tables[] = {&ssh_table, &sshd_table};
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < tables[k]->n; i++) {
            const struct option *o = &tables[k]->rows[i];
            if (o->kind != &kind_flag) continue;
            static const struct { const char *text; bool value; } words[] = {{"no", false}, {"NO", false}, {"false", false}, {"yes", true}, {"true", true}};
            for (size_t v = 0; v < COUNT_OF(words); v++) {
                struct conf_priv *priv;
                _Alignas(16) static uint8_t conf[8192];
                fake_world(&f);
                memset(conf, 1, sizeof conf);
                assert_int_equal(conf_priv_new(tables[k], NULL, &priv), ERR_NONE);
                struct line l = {.file = "t", .keyword = o->name, .rest = words[v].text, .pool = priv->pool, .world = &f.w,
                                 .server = tables[k]->server};
                assert_int_equal(option_words(&l), ERR_NONE);
                enum err e = o->kind->parse(&l, o, conf);
                if (e == ERR_NONE && *FIELD(conf, bool, o->at) != words[v].value) fail_msg("%s %s", o->name, words[v].text);
                bool only_yes_and_no = (tables[k]->server || strcmp(o->name, "Compression") == 0) && v != 0 && v != 1 && v != 3;
                if ((e != ERR_NONE) != only_yes_and_no) fail_msg("%s %s: %s", o->name, words[v].text, err_name(e));
                conf_priv_free(priv);
            }
        }
}

/* Dropbear 2026.92: 0xffffffff was "any port". */
static void permit_ports_are_bounded(void **state)
{
    (void)state;
    static const char *const bad[] = {"PermitListen 4294967295", "PermitListen a:4294967296", "PermitOpen a:-1", "PermitOpen a:0", "PermitOpen a:65536"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_null(server(bad[i], NULL));
        assert_non_null(strstr(f.said, "bad port number"));
    }
}

/* CVE-2026-0967: a pattern of many stars must not take exponential time. */
static void cve_2026_0967_star_patterns(void **state)
{
    (void)state;
    char text[2000] = "Host ";
    for (int i = 0; i < 300; i++) strcat(text, "*a");
    strcat(text, "b\nPort 9\n");
    char host[900];
    memset(host, 'a', sizeof host);
    host[sizeof host - 1] = 0;
    assert_string_equal(load(NULL, host, text), "22");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(destinations), cmocka_unit_test(destinations_with_a_path), cmocka_unit_test(the_colon_before_a_path_is_found),
        cmocka_unit_test(names_for_shells_are_refused), cmocka_unit_test(tokens_follow_their_sets),
        cmocka_unit_test(token_sets_are_the_manuals), cmocka_unit_test(forwards), cmocka_unit_test(units),
        cmocka_unit_test(cve_2026_35386_user_never_reaches_match_exec_unchecked), cmocka_unit_test(cve_2023_51385_host_never_reaches_match_exec_unchecked),
        cmocka_unit_test(cve_2025_61984_control_characters_in_user), cmocka_unit_test(cve_2025_61985_nul_in_uri),
        cmocka_unit_test(cve_2017_1000117_leading_dash_in_host), cmocka_unit_test(fix_0a0ef4515_jump_hosts_are_checked),
        cmocka_unit_test(fix_683d0abe5_max_startups_first_wins), cmocka_unit_test(fix_caa6d7d19_rekey_limit_counts_in_match),
        cmocka_unit_test(fix_caa6d7d19_channel_timeout_counts_in_match), cmocka_unit_test(no_means_no_for_every_flag),
        cmocka_unit_test(permit_ports_are_bounded), cmocka_unit_test(cve_2026_0967_star_patterns),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
