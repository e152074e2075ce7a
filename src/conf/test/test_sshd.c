/* SPDX-License-Identifier: ISC */
/* sshd_config(5) as a whole: order, Match, Include, one connection after the other, the blob. */
#include "fake_world.h"

#include <stdlib.h>

#include "conf/parse.h"
#include "conf/sshd.h"

static struct fake f;

static const struct sshd_peer bob = {.user = "bob", .host = "client.example.org", .address = "10.1.2.3", .local_address = "192.168.0.1",
                                     .local_port = 2222, .rdomain = "blue"};

static struct sshd_rows *rows_of(const char *text)
{
    struct sshd_rows *r = sshd_rows_new();
    assert_non_null(r);
    enum err e = sshd_rows_parse(r, &f.w, "conf", bytes_str(text));
    if (e == ERR_NONE) return r;
    sshd_rows_free(r);
    return NULL;
}

static const char *dump_for(const struct sshd_rows *r, const struct sshd_peer *peer, const char *keyword)
{
    static char buf[8192];
    struct wr out CLEANUP(wr_clear) = wr_heap(1 << 20);
    struct sshd_conf *c;
    assert_int_equal(sshd_conf_for(r, &f.w, peer, &c), ERR_NONE);
    sshd_conf_dump(c, &out);
    lines_of(&out, keyword, buf, sizeof buf);
    sshd_conf_free(c);
    return buf;
}

/* The dump's lines of a keyword; for a peer, also by way of the blob, which must say the same. */
static const char *value_for(const struct sshd_peer *peer, const char *text, const char *keyword)
{
    static char buf[8192];
    struct sshd_rows *r = rows_of(text), *again;
    if (!r) return "USAGE";
    snprintf(buf, sizeof buf, "%s", dump_for(r, peer, keyword));
    struct wr blob CLEANUP(wr_clear) = wr_heap(1 << 22);
    sshd_rows_write(r, &blob);
    assert_int_equal(wr_done(&blob), ERR_NONE);
    assert_int_equal(sshd_rows_restore(wr_bytes(&blob), &f.w, &again), ERR_NONE);
    assert_string_equal(dump_for(again, peer, keyword), buf);
    sshd_rows_free(again);
    sshd_rows_free(r);
    return buf;
}

static const char *value_of(const struct sshd_peer *peer, const char *text, const char *keyword)
{
    fake_world(&f);
    return value_for(peer, text, keyword);
}

static void the_first_value_wins(void **state)
{
    (void)state;
    assert_string_equal(value_of(NULL, "MaxAuthTries 2\nMaxAuthTries 3\n", "maxauthtries"), "maxauthtries 2");
    assert_string_equal(value_of(NULL, "AcceptEnv A\nAcceptEnv B C\n", "acceptenv"), "acceptenv A\nacceptenv B\nacceptenv C");
    assert_string_equal(value_of(NULL, "SetEnv A=b A=c\nSetEnv D=e\n", "setenv"), "setenv A=b");
    assert_string_equal(value_of(NULL, "HostKey /a\nHostKey /b\nHostKey /a\n", "hostkey"), "hostkey /a\nhostkey /b");
    assert_string_equal(value_of(NULL, "PerSourcePenalties no\nPerSourcePenalties yes\n", "persourcepenalties"), "persourcepenalties no");
    assert_non_null(strstr(value_of(NULL, "PerSourcePenalties crash:1\nPerSourcePenalties crash:2 max:3\n", "persourcepenalties"), "crash:1.000000"));
    assert_non_null(strstr(value_of(NULL, "PerSourcePenalties crash:1\nPerSourcePenalties crash:2 max:3\n", "persourcepenalties"), " max:3.000000"));
    assert_string_equal(value_of(NULL, "Subsystem a /b\nSubsystem a /c\n", "subsystem"), "USAGE");
    fake_world(&f);
    struct sshd_rows *r = sshd_rows_new();
    assert_int_equal(sshd_rows_option(r, &f.w, "MaxAuthTries=1"), ERR_NONE);
    assert_int_equal(sshd_rows_parse(r, &f.w, "conf", BYTES_LIT("MaxAuthTries 9\n")), ERR_NONE);
    assert_string_equal(dump_for(r, NULL, "maxauthtries"), "maxauthtries 1");
    sshd_rows_free(r);
}

/* Each criterion true and false. */
static void match_criteria_both_ways(void **state)
{
    (void)state;
    static const struct { const char *line; bool hit; } rows[] = {
        {"all", true}, {"user bob", true}, {"user alice", false}, {"user b*", true}, {"user !bob,*", false}, {"User BOB", false},
        {"group staff", true}, {"group other,wheel", true}, {"group nobody", false}, {"group *,!wheel", false},
        {"host *.example.org", true}, {"host CLIENT.example.org", true}, {"host x", false}, {"host !client*,*", false},
        {"address 10.0.0.0/8", true}, {"address 10.1.2.3", true}, {"address 10.1.2.*", true}, {"address 11.0.0.0/8", false},
        {"address 10.0.0.0/8,!10.1.2.3", false}, {"address ::/0", false}, {"localaddress 192.168.0.1", true}, {"localaddress 10.1.2.3", false},
        {"localport 2222", true}, {"localport 22", false}, {"rdomain blue", true}, {"rdomain red", false}, {"version OpenSSH_10.*", true},
        {"version x", false}, {"invalid-user", false}, {"user bob address 10.0.0.0/8", true}, {"user bob address 11.0.0.0/8", false},
        {"user bob group staff host *.org localport 2222", true}, {"user=bob", true}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[300];
        snprintf(text, sizeof text, "MaxAuthTries 1\nMatch %s\nMaxAuthTries 9\n", rows[i].line);
        const char *got = value_of(&bob, text, "maxauthtries");
        if (strcmp(got, rows[i].hit ? "maxauthtries 9" : "maxauthtries 1") != 0) fail_msg("Match %s: %s %s", rows[i].line, got, f.said);
        const char *global = value_of(NULL, text, "maxauthtries");
        if (strcmp(global, "maxauthtries 1") != 0) fail_msg("Match %s counts without a peer: %s", rows[i].line, global);
    }
}

static void match_knows_invalid_users_and_missing_facts(void **state)
{
    (void)state;
    const struct sshd_peer ghost = {.user = "ghost", .user_invalid = true, .address = "1.2.3.4"}, none = {0};
    static const char text[] = "MaxAuthTries 1\nMatch invalid-user\nMaxAuthTries 9\nMatch user *\nMaxAuthTries 8\nMatch group *\nMaxAuthTries 7\n";
    assert_string_equal(value_of(&ghost, text, "maxauthtries"), "maxauthtries 9");
    assert_string_equal(value_of(&bob, text, "maxauthtries"), "maxauthtries 8");
    assert_string_equal(value_of(&none, text, "maxauthtries"), "maxauthtries 1");
    assert_string_equal(value_of(&ghost, "MaxAuthTries 1\nMatch group !x\nMaxAuthTries 2\n", "maxauthtries"), "maxauthtries 1");
    static const char *const facts[] = {"host *", "address 0.0.0.0/0", "localaddress *", "localport 22", "rdomain *", "user *", "group *"};
    for (size_t i = 0; i < COUNT_OF(facts); i++) {
        char line[100];
        snprintf(line, sizeof line, "MaxAuthTries 1\nMatch %s\nMaxAuthTries 2\n", facts[i]);
        if (strcmp(value_of(&none, line, "maxauthtries"), "maxauthtries 1") != 0) fail_msg("%s matches a peer of whom nothing is known", facts[i]);
    }
}

static void match_comes_over_the_global_values(void **state)
{
    (void)state;
    assert_string_equal(value_of(&bob, "PermitRootLogin no\nMatch user bob\nPermitRootLogin yes\nMatch all\nPermitRootLogin no\n", "permitrootlogin"),
                        "permitrootlogin yes");
    assert_string_equal(value_of(&bob, "AcceptEnv A\nMatch all\nAcceptEnv D\nAcceptEnv E\n", "acceptenv"), "acceptenv D\nacceptenv E");
    assert_string_equal(value_of(&bob, "ForceCommand /x\nMatch user bob\nForceCommand none\n", "forcecommand"), "forcecommand none");
    assert_string_equal(value_of(&bob, "Subsystem a /a\nSubsystem b /b\nMatch user bob\nSubsystem b /c\nMatch all\nSubsystem b /d\nSubsystem e /e\n",
                                 "subsystem"), "subsystem a /a\nsubsystem b /c\nsubsystem e /e");
    assert_string_equal(value_of(&bob, "Match user bob\nBanner /x\nMatch user alice\nBanner /y\n", "banner"), "banner /x");
    assert_string_equal(value_of(&bob, "Match all\nCiphers aes128-ctr\n", "ciphers"), "USAGE");
    assert_non_null(strstr(f.said, "conf line 2: Directive 'Ciphers' is not allowed within a Match block"));
    assert_string_equal(value_of(&bob, "Match nonsense x\nPermitRootLogin yes\n", "permitrootlogin"), "USAGE");
}

/* Rows are evaluated any number of times, each connection for itself. */
static void many_connections_from_one_reading(void **state)
{
    (void)state;
    fake_world(&f);
    struct sshd_rows *r = rows_of("AllowUsers a\nMatch user bob\nMaxAuthTries 9\nForceCommand /bin/bob\nMatch localport 22\nMaxAuthTries 2\n");
    const struct sshd_peer at22 = {.user = "eve", .local_port = 22};
    struct sshd_conf *one, *two, *three;
    assert_int_equal(sshd_conf_for(r, &f.w, &bob, &one), ERR_NONE);
    assert_int_equal(sshd_conf_for(r, &f.w, &at22, &two), ERR_NONE);
    assert_int_equal(sshd_conf_for(r, &f.w, NULL, &three), ERR_NONE);
    assert_int_equal(one->max_auth_tries, 9);
    assert_string_equal(one->force_command, "/bin/bob");
    assert_int_equal(two->max_auth_tries, 2);
    assert_null(two->force_command);
    assert_int_equal(three->max_auth_tries, 6);
    assert_string_equal(three->allow_users.v[0], "a");
    sshd_rows_free(r); /* what was made from the rows outlives them */
    assert_string_equal(one->force_command, "/bin/bob");
    assert_string_equal(one->allow_users.v[0], "a");
    sshd_conf_free(one), sshd_conf_free(two), sshd_conf_free(three);
}

static void addresses_and_ports_combine(void **state)
{
    (void)state;
    assert_string_equal(value_of(NULL, "", "listenaddress"), "listenaddress [::]:22\nlistenaddress 0.0.0.0:22");
    assert_string_equal(value_of(NULL, "AddressFamily inet\nPort 2\n", "listenaddress"), "listenaddress 0.0.0.0:2");
    assert_string_equal(value_of(NULL, "AddressFamily inet6\n", "listenaddress"), "listenaddress [::]:22");
    assert_string_equal(value_of(NULL, "ListenAddress 1.2.3.4\nPort 33\nPort 34\nListenAddress ::2\n", "listenaddress"),
                        "listenaddress 1.2.3.4:33\nlistenaddress 1.2.3.4:34\nlistenaddress [::2]:33\nlistenaddress [::2]:34");
    assert_string_equal(value_of(NULL, "Port 22\nListenAddress 1.2.3.5:44\nListenAddress [::1]:45\nListenAddress h.example\n", "listenaddress"),
                        "listenaddress 1.2.3.5:44\nlistenaddress [::1]:45\nlistenaddress h.example:22");
    assert_string_equal(value_of(NULL, "Port 22\nPort 23\n", "port"), "port 22\nport 23");
    assert_string_equal(value_of(NULL, "ListenAddress a b\n", "port"), "USAGE");
}

static void includes_have_their_own_scope(void **state)
{
    (void)state;
    fake_world(&f);
    fake_add(&f, "/etc/ssh/d/1.conf", "MaxAuthTries 2\nMatch user bob\nMaxSessions 3\n");
    fake_add(&f, "/etc/ssh/d/2.conf", "MaxAuthTries 4\nPrintMotd no\n");
    fake_add(&f, "/m", "MaxSessions 7\nMatch user bob\nClientAliveCountMax 8\n");
    static const char text[] = "Include d/*.conf\nPrintLastLog no\nMatch user nobody\nInclude /m\nX11DisplayOffset 40\nMatch user bob\nInclude /m\n"
                               "PermitTTY no\n";
    assert_string_equal(value_for(&bob, text, "maxauthtries"), "maxauthtries 2");
    assert_string_equal(value_for(&bob, text, "printmotd"), "printmotd no");
    assert_string_equal(value_for(&bob, text, "printlastlog"), "printlastlog no");
    assert_string_equal(value_for(&bob, text, "maxsessions"), "maxsessions 3");
    assert_string_equal(value_for(&bob, text, "clientalivecountmax"), "clientalivecountmax 8");
    assert_string_equal(value_for(&bob, text, "x11displayoffset"), "x11displayoffset 10");
    assert_string_equal(value_for(&bob, text, "permittty"), "permittty no");
    const struct sshd_peer alice = {.user = "alice"};
    assert_string_equal(value_for(&alice, text, "maxsessions"), "maxsessions 10");
    assert_string_equal(value_for(&alice, text, "clientalivecountmax"), "clientalivecountmax 3");
    fake_world(&f);
    fake_add(&f, "/g", "Ciphers aes128-ctr\n");
    assert_string_equal(value_for(&bob, "Match user bob\nInclude /g\n", "ciphers"), "USAGE");
    fake_world(&f);
    fake_add(&f, "/loop", "Include /loop\n");
    assert_string_equal(value_for(&bob, "Include /loop\n", "ciphers"), "USAGE");
    assert_non_null(strstr(f.said, "Too many recursive configuration includes"));
}

static void errors_are_said_as_openssh_says_them(void **state)
{
    (void)state;
    static const struct { const char *text, *said; } rows[] = {
        {"foo bar\nbaz x\n", "conf: line 1: Bad configuration option: foo\nconf: line 2: Bad configuration option: baz\nconf: terminating, 2 bad"},
        {"Port\n", "conf line 1: no argument after keyword \"Port\"\n"},
        {"Port x\n", "conf line 1: Badly formatted port number.\n"},
        {"UseDNS maybe\n", "conf line 1: unsupported option \"maybe\".\n"},
        {"MaxAuthTries x\n", "conf line 1: MaxAuthTries integer value invalid.\n"},
        {"MaxStartups 10:101:20\n", "conf line 1: Invalid MaxStartups spec.\n"},
        {"AuthenticationMethods any none\n", "conf line 1: \"any\" must appear alone in AuthenticationMethods\n"},
        {"AuthenticationMethods foo\n", "Unknown authentication method \"foo\" in list\nconf line 1: invalid AuthenticationMethods method list.\n"},
        {"DenyUsers a@1.2.3.4/8\n", "conf line 1: invalid DenyUsers pattern: \"a@1.2.3.4/8\"\n"},
        {"PermitTunnel x\n", "conf line 1: bad PermitTunnel argument x\n"},
        {"Subsystem a /b\nSubsystem a /c\n", "conf line 2: Subsystem 'a' already defined.\n"},
        {"AuthorizedKeysCommand bin\n", "conf line 1: AuthorizedKeysCommand must be an absolute path\n"},
        {"Match\n", "conf line 1: no argument after keyword \"Match\"\n"},
        {"Match user\n", "Missing Match criteria for user\nconf line 1: Bad Match condition\n"},
        {"Match foo bar\n", "Unsupported Match attribute foo\nconf line 1: Bad Match condition\n"},
        {"Match all user x\n", "'all' cannot be combined with other Match attributes\nconf line 1: Bad Match condition\n"},
        {"Match localport x\n", "Invalid LocalPort 'x' on Match line\n"},
        {"Match address 1.2.3.4/8\n", "Invalid Match address argument '1.2.3.4/8' at line 1\n"},
        {"Match user x\nMaxSessions y\n", "conf line 2: MaxSessions integer value invalid.\n"},
        {"Port 22 23\n", "conf line 1: keyword Port extra arguments at end of line\n"},
        {"ListenAddress 1.2.3.4 rdomain\n", "conf line 1: bad ListenAddress syntax\n"},
        {"ListenAddress 1.2.3.4 rdomain x\n", "conf line 1: ListenAddress with rdomain is not supported by this version"},
        {"RDomain x\n", "conf line 1: RDomain is not supported by this version"},
        {"Match user x\nPermitOpen a:1\n", "conf line 2: PermitOpen is not supported by this version"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *got = value_of(NULL, rows[i].text, "port");
        if (strcmp(got, "USAGE") != 0) fail_msg("%s was taken", rows[i].text);
        if (!strstr(f.said, rows[i].said)) fail_msg("%s said %s", rows[i].text, f.said);
    }
    fake_world(&f);
    struct sshd_rows *r = sshd_rows_new();
    assert_int_equal(sshd_rows_option(r, &f.w, "foo bar"), ERR_USAGE);
    assert_string_equal(f.said, "command-line: line 0: Bad configuration option: foo\n");
    assert_int_equal(sshd_rows_option(r, &f.w, "Match user x"), ERR_USAGE);
    assert_int_equal(sshd_rows_read(r, &f.w, "/missing"), ERR_NOT_FOUND);
    assert_non_null(strstr(f.said, "/missing: No such file or directory"));
    sshd_rows_free(r);
}

static void unbuilt_options_warn_once(void **state)
{
    (void)state;
    assert_string_equal(value_of(NULL, "UsePAM yes\nMatch user x\nX11Forwarding yes\nMatch user y\nX11Forwarding yes\n", "usepam"), "usepam yes");
    assert_string_equal(f.said, "conf line 1: keyword UsePAM is not supported; ignored\n"
                                "conf line 3: keyword X11Forwarding is not supported; ignored\n");
    assert_string_equal(value_of(NULL, "UsePAM no\nChrootDirectory none\nPermitOpen any\nProtocol 2\n", "usepam"), "usepam no");
    assert_string_equal(f.said, "conf line 4: Deprecated option Protocol\n");
    assert_string_equal(value_of(NULL, "GSSAPIAuthentication yes\nKerberosAuthentication no\nGSSAPICleanupCredentials no\n"
                                       "IPQoS ef cs0\nX11UseLocalhost no\nUsePAM no\n", "usepam"), "usepam no");
    assert_string_equal(f.said, "conf line 1: Unsupported option GSSAPIAuthentication\n");
}

static void values_must_fit_together(void **state)
{
    (void)state;
    static const struct { const char *text, *said; } rows[] = {
        {"AuthenticationMethods publickey,password\nPasswordAuthentication no\n",
         "AuthenticationMethods cannot be satisfied by enabled authentication methods"},
        {"AuthenticationMethods publickey,password publickey\nPasswordAuthentication no\n", NULL},
        {"PasswordAuthentication no\nPubkeyAuthentication no\n", NULL},
        {"AuthorizedKeysCommand /x\n", "AuthorizedKeysCommand set without AuthorizedKeysCommandUser"},
        {"AuthorizedKeysCommand /x\nAuthorizedKeysCommandUser nobody\n", NULL}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        fake_world(&f);
        struct sshd_rows *r = rows_of(rows[i].text);
        struct sshd_conf *c;
        assert_int_equal(sshd_conf_for(r, &f.w, NULL, &c), ERR_NONE);
        assert_int_equal(sshd_conf_check(c, &f.w), rows[i].said ? ERR_USAGE : ERR_NONE);
        if (rows[i].said) assert_non_null(strstr(f.said, rows[i].said));
        sshd_conf_free(c);
        sshd_rows_free(r);
    }
}

static void users_match_with_hosts(void **state)
{
    (void)state;
    static const struct { const char *pattern; bool hit; } rows[] = {
        {"bob", true}, {"b*", true}, {"alice", false}, {"bob@client.example.org", true}, {"bob@*.ORG", true}, {"bob@10.0.0.0/8", true},
        {"bob@10.1.2.3", true}, {"bob@other", false}, {"alice@10.0.0.0/8", false}, {"*@11.0.0.0/8", false}, {"*", true}, {"*@*", true}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool hit;
        assert_int_equal(conf_user_match("bob", "client.example.org", "10.1.2.3", bytes_str(rows[i].pattern), &hit), ERR_NONE);
        if (hit != rows[i].hit) fail_msg("%s", rows[i].pattern);
    }
    bool hit;
    assert_int_equal(conf_user_match("bob", "h", "10.1.2.3", BYTES_LIT("bob@10.0.0.0/99"), &hit), ERR_FORMAT);
}

static void peers_are_parsed(void **state)
{
    (void)state;
    char good[] = "user=a,host=b,addr=1.2.3.4,laddr=5.6.7.8,lport=22,rdomain=r,invalid-user", more[] = "user=z", bad[] = "foo=a", port[] = "lport=99999";
    struct sshd_peer p = {0};
    assert_int_equal(sshd_peer_parse(good, &p), ERR_NONE);
    assert_string_equal(p.user, "a"), assert_string_equal(p.host, "b"), assert_string_equal(p.address, "1.2.3.4");
    assert_string_equal(p.local_address, "5.6.7.8"), assert_int_equal(p.local_port, 22), assert_string_equal(p.rdomain, "r");
    assert_true(p.user_invalid);
    assert_int_equal(sshd_peer_parse(more, &p), ERR_NONE);
    assert_string_equal(p.user, "z");
    assert_int_equal(sshd_peer_parse(bad, &p), ERR_USAGE);
    assert_int_equal(sshd_peer_parse(port, &p), ERR_USAGE);
}

static void damaged_blobs_are_errors(void **state)
{
    (void)state;
    fake_world(&f);
    fake_add(&f, "/inc", "Match user x\nMaxSessions 2\n");
    struct sshd_rows *r = rows_of("Port 22\nBanner x\nInclude /inc\nMatch user bob\nForceCommand a  b\n"), *again;
    struct wr blob CLEANUP(wr_clear) = wr_heap(1 << 20);
    sshd_rows_write(r, &blob);
    sshd_rows_free(r);
    size_t whole = 0;
    for (size_t n = 0; n < blob.n; n++) {
        enum err e = sshd_rows_restore(bytes_of(blob.p, n), &f.w, &again);
        if (e == ERR_NONE) {
            sshd_rows_free(again);
            assert_int_equal(blob.p[n - 1], '\n');  /* a whole number of rows; the caller knows the blob's length */
            whole++;
        }
    }
    assert_true(whole >= 2 && whole < 8);
    for (size_t i = 0; i < blob.n; i++) {
        blob.p[i] ^= 0x41;
        if (sshd_rows_restore(wr_bytes(&blob), &f.w, &again) == ERR_NONE) sshd_rows_free(again);
        blob.p[i] ^= 0x41;
    }
    /* relative names meant the folder where the text was read */
    struct fake elsewhere;
    fake_world(&elsewhere);
    elsewhere.w.cwd = "/";
    assert_int_equal(sshd_rows_restore(wr_bytes(&blob), &elsewhere.w, &again), ERR_NONE);
    assert_string_equal(dump_for(again, NULL, "banner"), "banner /cwd/x");
    sshd_rows_free(again);
}

static void hostile_files(void **state)
{
    (void)state;
    fake_world(&f);
    struct sshd_rows *r = sshd_rows_new();
    assert_int_equal(sshd_rows_parse(r, &f.w, "conf", BYTES_LIT("Port 22\0 33\nMatch \"user\nMaxSessions 1\n")), ERR_USAGE);
    assert_non_null(strstr(f.said, "conf line 1: NUL in line\nconf line 2: invalid quotes\n"));
    sshd_rows_free(r);
    size_t big = 1 << 20;
    char *text = malloc(big + 1);
    memset(text, ' ', big);
    memcpy(text, "Banner", 6);
    text[big] = 0;
    assert_string_equal(value_of(NULL, text, "banner"), "USAGE");
    free(text);
    assert_string_equal(value_of(NULL, "Banner \x1b[2J\x01 x\n", "banner"), "USAGE");
    assert_null(strchr(f.said, 0x1b));
}

/* A Match line that failed must not let what follows it become global. */
static void a_bad_match_line_hides_its_block(void **state)
{
    (void)state;
    fake_world(&f);
    struct sshd_rows *r = sshd_rows_new();
    assert_int_equal(sshd_rows_parse(r, &f.w, "conf", BYTES_LIT("Match address 1.2.3.4/8\nPermitEmptyPasswords yes\n")), ERR_USAGE);
    assert_string_equal(dump_for(r, NULL, "permitemptypasswords"), "permitemptypasswords no");
    sshd_rows_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_value_wins), cmocka_unit_test(match_criteria_both_ways),
        cmocka_unit_test(match_knows_invalid_users_and_missing_facts), cmocka_unit_test(match_comes_over_the_global_values),
        cmocka_unit_test(many_connections_from_one_reading), cmocka_unit_test(addresses_and_ports_combine),
        cmocka_unit_test(includes_have_their_own_scope), cmocka_unit_test(errors_are_said_as_openssh_says_them),
        cmocka_unit_test(unbuilt_options_warn_once), cmocka_unit_test(values_must_fit_together),
        cmocka_unit_test(users_match_with_hosts), cmocka_unit_test(peers_are_parsed),
        cmocka_unit_test(damaged_blobs_are_errors), cmocka_unit_test(hostile_files), cmocka_unit_test(a_bad_match_line_hides_its_block),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
