/* SPDX-License-Identifier: ISC */
/* ssh_config(5) as a whole: order, Host, Match, Include, errors, hostile files. */
#include "fake_world.h"

#include <stdlib.h>

#include "conf/parse.h"
#include "conf/ssh.h"

static struct fake f;

/* Load `text` as ~/.ssh/config for a host; the dump's lines of one keyword. */
static const char *value_for(const struct ssh_conf_ask *ask, const char *text, const char *keyword)
{
    static char buf[8192];
    struct wr out CLEANUP(wr_clear) = wr_heap(1 << 20);
    struct ssh_conf *c = ssh_conf_new();
    assert_non_null(c);
    if (text) fake_add(&f, "/home/me/.ssh/config", text);
    buf[0] = 0;
    enum err e = ssh_conf_load(c, &f.w, ask);
    if (e == ERR_NONE) e = ssh_conf_finish(c, &f.w);
    if (e == ERR_NONE) {
        ssh_conf_dump(c, &out);
        lines_of(&out, keyword, buf, sizeof buf);
    } else {
        snprintf(buf, sizeof buf, "%s", err_name(e));
    }
    ssh_conf_free(c);
    return buf;
}

static const char *value_of(const char *text, const char *keyword)
{
    const struct ssh_conf_ask ask = {.host = "foo"};
    fake_world(&f);
    return value_for(&ask, text, keyword);
}

#define SAID(text) assert_non_null(strstr(f.said, text))

static void the_first_value_wins(void **state)
{
    (void)state;
    assert_string_equal(value_of("Port 22\nPort 23\n", "port"), "port 22");
    assert_string_equal(value_of("Host bar\nPort 1\nHost *\nPort 2\nHost foo\nPort 3\n", "port"), "port 2");
    assert_string_equal(value_of("SetEnv A=1\nSetEnv B=2\n", "setenv"), "setenv A=1");
    assert_string_equal(value_of("SendEnv A\nSendEnv B C\nSendEnv -B\n", "sendenv"), "sendenv A\nsendenv C");
    assert_string_equal(value_of("IdentityFile a\nIdentityFile b\nIdentityFile a\n", "identityfile"), "identityfile a\nidentityfile b");
    assert_string_equal(value_of("ProxyCommand nc\nProxyJump h\n", "proxycommand"), "proxycommand nc");
    assert_string_equal(value_of("UserKnownHostsFile none\n", "userknownhostsfile"), "userknownhostsfile none");
    assert_string_equal(value_of("IdentityAgent none\nIdentityAgent x\n", "identityagent"), "identityagent none");
}

static void user_file_comes_before_system_file(void **state)
{
    (void)state;
    const struct ssh_conf_ask ask = {.host = "foo"};
    fake_world(&f);
    fake_add(&f, "/etc/ssh/ssh_config", "Port 1\nUser sys\n");
    assert_string_equal(value_for(&ask, "Port 2\n", "port"), "port 2");
    fake_world(&f);
    fake_add(&f, "/etc/ssh/ssh_config", "Port 1\nUser sys\n");
    assert_string_equal(value_for(&ask, "Port 2\n", "user"), "user sys");
    const struct ssh_conf_ask only = {.host = "foo", .config_file = "/x"}, none = {.host = "foo", .config_file = "none"};
    fake_world(&f);
    fake_add(&f, "/x", "Port 3\n");
    assert_string_equal(value_for(&only, "Port 2\n", "port"), "port 3");
    fake_world(&f);
    assert_string_equal(value_for(&none, "Port 2\n", "port"), "port 22");
    assert_int_equal(f.reads, 0);
}

static void host_patterns_and_negation(void **state)
{
    (void)state;
    static const struct { const char *patterns; bool hit; } rows[] = {
        {"foo", true}, {"f?o", true}, {"bar foo", true}, {"*", true}, {"bar", false}, {"!foo *", false}, {"* !foo", false}, {"!bar", false},
        {"!bar *", true}, {"fo", false}, {"FOO", false}, {"\"foo\"", true}, {"foo # bar", true}, {"=foo", true}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[200];
        snprintf(text, sizeof text, "Host %s\nPort 99\n", rows[i].patterns);
        if ((strcmp(value_of(text, "port"), "port 99") == 0) != rows[i].hit) fail_msg("Host %s", rows[i].patterns);
    }
}

/* Each criterion true and false, plain and negated. */
static void match_criteria_both_ways(void **state)
{
    (void)state;
    static const struct { const char *line; bool hit; } rows[] = {
        {"all", true}, {"!all", false}, {"host foo", true}, {"host bar", false}, {"!host foo", false}, {"!host bar", true},
        {"host=foo", true}, {"host = foo", true}, {"host \"foo,bar\"", true}, {"host !foo,*", false}, {"host FOO", true},
        {"originalhost foo", true}, {"originalhost real.example", false}, {"!originalhost bar", true},
        {"user me", true}, {"user you", false}, {"!user you", true}, {"localuser me", true}, {"localuser root", false}, {"!localuser me", false},
        {"tagged work", false}, {"tagged \"\"", false}, {"!tagged work", true}, {"command ls", true}, {"command rm*", false},
        {"!command rm*", true}, {"version OpenSSH_10.*", true}, {"version OpenSSH_9.*", false}, {"!version *", false},
        {"sessiontype exec", true}, {"sessiontype shell", false}, {"!sessiontype shell,subsystem", true},
        {"localnetwork 10.1.0.0/16", true}, {"localnetwork 192.168.0.0/16", false}, {"!localnetwork 192.168.0.0/16", true},
        {"localnetwork fe80::/10", true}, {"canonical", false}, {"!canonical", true}, {"canonical all", false},
        {"exec true", true}, {"!exec true", false}, {"host foo user me", true}, {"host foo user you", false}, {"HOST foo User me", true},
        {"host foo all", true}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[300];
        const struct ssh_conf_ask ask = {.host = "foo", .command = "ls"};
        snprintf(text, sizeof text, "Match %s\nPort 99\n", rows[i].line);
        fake_world(&f);
        const char *got = value_for(&ask, text, "port");
        if (strcmp(got, rows[i].hit ? "port 99" : "port 22") != 0) fail_msg("Match %s: %s %s", rows[i].line, got, f.said);
    }
}

static void match_sees_what_was_set_before(void **state)
{
    (void)state;
    assert_string_equal(value_of("Hostname real.%h\nMatch host real.foo\nPort 9\n", "port"), "port 9");
    assert_string_equal(value_of("Hostname real.%h\nMatch originalhost foo\nPort 9\n", "port"), "port 9");
    assert_string_equal(value_of("User bob\nMatch user bob\nPort 9\n", "port"), "port 9");
    assert_string_equal(value_of("Tag work\nMatch tagged work,play\nPort 9\n", "port"), "port 9");
    assert_string_equal(value_of("SessionType none\nMatch sessiontype none\nPort 9\n", "port"), "port 9");
    assert_string_equal(value_of("Match sessiontype shell\nPort 9\n", "port"), "port 9");
}

static void match_final_makes_a_second_pass(void **state)
{
    (void)state;
    assert_string_equal(value_of("Match final\nPort 9\n", "port"), "port 9");
    assert_int_equal(f.reads, 4);
    assert_string_equal(value_of("Match !final\nUser a\nMatch final host real\nPort 9\nMatch all\nHostname real\n", "port"), "port 9");
    assert_string_equal(value_of("Host *\nPort 9\n", "port"), "port 9");
    assert_int_equal(f.reads, 2);
    assert_string_equal(value_of("CanonicalizeHostname yes\nMatch canonical\nPort 9\n", "port"), "port 9");
}

static void match_exec_runs_only_where_it_decides(void **state)
{
    (void)state;
    assert_string_equal(value_of("Match host bar exec \"one\"\nPort 9\nHost x\nMatch exec \"two %h %r %p %%\"\nPort 8\n", "port"), "port 8");
    assert_string_equal(f.ran, "two foo me 22 %\n");
    fake_world(&f);
    f.exit_status = 1;
    const struct ssh_conf_ask ask = {.host = "foo"};
    assert_string_equal(value_for(&ask, "Match exec x\nPort 9\n", "port"), "port 22");
    assert_string_equal(value_of("Match exec \"at ${WHERE} %C\"\nPort 9\n", "port"), "port 9");
    assert_non_null(strstr(f.ran, "at /from/env hash-of-"));
    assert_string_equal(value_of("Match exec \"%q\"\n", "port"), "USAGE");
    assert_string_equal(f.ran, "");
}

static void includes_have_their_own_scope(void **state)
{
    (void)state;
    const struct ssh_conf_ask ask = {.host = "foo"};
    fake_world(&f);
    fake_add(&f, "/home/me/.ssh/inc", "Host bar\nUser inner\n");
    assert_string_equal(value_for(&ask, "Include inc\nPort 7\n", "port"), "port 7");
    fake_world(&f);
    fake_add(&f, "/home/me/.ssh/inc", "Host foo\nUser inner\n");
    assert_string_equal(value_for(&ask, "Host zzz\nInclude inc\n", "user"), "user me");
    fake_world(&f);
    fake_add(&f, "/d/1", "User one\n"), fake_add(&f, "/d/2", "User two\nPort 5\n");
    assert_string_equal(value_for(&ask, "Include /none /d/*\n", "user"), "user one");
    fake_world(&f);
    fake_add(&f, "/from/env/foo", "Port 6\n");
    assert_string_equal(value_for(&ask, "Include ${WHERE}/%h\n", "port"), "port 6");
    fake_world(&f);
    fake_add(&f, "/etc/ssh/ssh_config", "Include x\n"), fake_add(&f, "/etc/ssh/x", "Port 4\n");
    assert_string_equal(value_for(&ask, NULL, "port"), "port 4");
    assert_string_equal(value_of("Include ~/no\nPort 3\n", "port"), "port 3");
}

static void include_cycles_end(void **state)
{
    (void)state;
    assert_string_equal(value_of("Include /home/me/.ssh/config\n", "port"), "USAGE");
    SAID("Too many recursive configuration includes");
    assert_int_equal(f.reads, 17);
}

static void errors_are_said_as_openssh_says_them(void **state)
{
    (void)state;
    static const struct { const char *text, *said; } rows[] = {
        {"foo bar\n", "/home/me/.ssh/config: line 1: Bad configuration option: foo\n/home/me/.ssh/config: terminating, 1 bad configuration options\n"},
        {"\n\nFoo=bar\nbaz x\n", "config: line 3: Bad configuration option: foo\n"},
        {"\n\nFoo=bar\nbaz x\n", "config: terminating, 2 bad configuration options\n"},
        {"Port\n", "config line 1: no argument after keyword \"port\"\n"},
        {"Port 0\n", "config line 1: Bad port '0'.\n"},
        {"Port == 36\n", "config line 1: Bad port '='.\n"},
        {"Port 22 23\n", "config line 1: keyword port extra arguments at end of line\n"},
        {"User \"bob\n", "config line 1: invalid quotes\n"},
        {"BatchMode maybe\n", "config line 1: unsupported option \"maybe\".\n"},
        {"Ciphers x\n", "config line 1: Bad SSH2 cipher spec 'x'.\n"},
        {"MACs x\n", "config line 1: Bad SSH2 MAC spec 'x'.\n"},
        {"KexAlgorithms x\n", "Unsupported KEX algorithm \"x\"\n/home/me/.ssh/config line 1: Bad SSH2 KexAlgorithms 'x'.\n"},
        {"HostKeyAlgorithms x\n", "config line 1: Bad key types 'x'.\n"},
        {"LogLevel x\n", "config line 1: unsupported log level 'x'\n"},
        {"ServerAliveInterval x\n", "config line 1: invalid time value.\n"},
        {"ServerAliveCountMax x\n", "config line 1: integer value invalid.\n"},
        {"LocalForward 80\n", "config line 1: Missing target argument.\n"},
        {"LocalForward x y\n", "config line 1: Bad forwarding specification.\n"},
        {"IdentityFile # x\n", "config line 1: Missing argument.\n"},
        {"Match\n", "config line 1: no argument after keyword \"match\"\n"},
        {"Match host\n", "Missing Match criteria for host\n/home/me/.ssh/config line 1: Bad Match condition\n"},
        {"Match foo bar\n", "Unsupported Match attribute foo\n/home/me/.ssh/config line 1: Bad Match condition\n"},
        {"Match all host x\n", "config line 1: 'all' cannot be combined with other Match attributes\n"},
        {"RSAAuthentication yes\nfoo\n", "config line 1: Unsupported option \"rsaauthentication\"\n"},
        {"Host bar\nPort x\n", "config line 2: Bad port 'x'.\n"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *got = value_of(rows[i].text, "port");
        if (strcmp(got, "USAGE") != 0) fail_msg("%s was taken", rows[i].text);
        if (!strstr(f.said, rows[i].said)) fail_msg("%s said %s", rows[i].text, f.said);
    }
}

/* Ansible looks for "Bad configuration option" to find out what ssh can do. */
static void command_line_options(void **state)
{
    (void)state;
    fake_world(&f);
    struct ssh_conf *c = ssh_conf_new();
    assert_int_equal(ssh_conf_option(c, &f.w, "foo bar"), ERR_USAGE);
    assert_string_equal(f.said, "command-line: line 0: Bad configuration option: foo\n");
    assert_int_equal(ssh_conf_option(c, &f.w, "Match all"), ERR_USAGE);
    assert_int_equal(ssh_conf_option(c, &f.w, "Port=2222"), ERR_NONE);
    assert_int_equal(ssh_conf_option(c, &f.w, "port = 9"), ERR_NONE);
    assert_int_equal(ssh_conf_set(c, &f.w, "User", "a b"), ERR_NONE);
    assert_int_equal(ssh_conf_set(c, &f.w, "LocalCommand", "echo \"x"), ERR_NONE);
    assert_int_equal(ssh_conf_option(c, &f.w, "User other"), ERR_NONE);
    assert_true(ssh_conf_is_set(c, "port") && ssh_conf_is_set(c, "USER") && !ssh_conf_is_set(c, "Hostname"));
    fake_add(&f, "/home/me/.ssh/config", "Port 22\nHostname x\n");
    const struct ssh_conf_ask ask = {.host = "foo"};
    assert_int_equal(ssh_conf_load(c, &f.w, &ask), ERR_NONE);
    assert_int_equal(ssh_conf_finish(c, &f.w), ERR_NONE);
    assert_int_equal(c->port, 2222);
    assert_string_equal(c->user, "a b");
    assert_string_equal(c->hostname, "x");
    assert_string_equal(c->local_command, "echo \"x");
    ssh_conf_free(c);
}

static void ignore_unknown_and_retired_words(void **state)
{
    (void)state;
    assert_string_equal(value_of("IgnoreUnknown fo*,ba?\nfoo x\nbar y\nPort 5\n", "port"), "port 5");
    assert_string_equal(f.said, "");
    assert_string_equal(value_of("Protocol 2\nCipher x\nUseRoaming no\nGSSAPIKeyExchange no\nPort 5\n", "port"), "port 5");
    assert_string_equal(f.said, "");
    assert_non_null(strstr(f.debug, "config line 2: Deprecated option \"cipher\""));
}

static void unbuilt_options_warn_once_or_are_refused(void **state)
{
    (void)state;
    assert_string_equal(value_of("ForwardX11 yes\nHost foo\nForwardX11 yes\nPort 5\n", "port"), "port 5");
    assert_string_equal(f.said, "/home/me/.ssh/config line 1: keyword ForwardX11 is not supported; ignored\n");
    assert_string_equal(value_of("ForwardX11 no\nTunnel no\nForwardAgent no\nPort 5\n", "port"), "port 5");
    assert_string_equal(f.said, "");
    assert_string_equal(value_of("PermitRemoteOpen localhost:1\n", "port"), "USAGE");
    SAID("line 1: PermitRemoteOpen is not supported by this version");
    assert_string_equal(value_of("PermitRemoteOpen any\nPort 5\n", "port"), "port 5");
    assert_string_equal(value_of("Host other\nPermitRemoteOpen localhost:1\n", "port"), "port 22");
}

/* Each keyword on its own: its name comes once, and only where the value asks for something. */
static void each_unbuilt_option_has_its_one_line(void **state)
{
    (void)state;
    static const struct { const char *line, *name; } loud[] = {
        {"ControlMaster auto", "ControlMaster"}, {"ControlPersist 60s", "ControlPersist"}, {"ControlPath ~/.ssh/%C", "ControlPath"},
        {"SyslogFacility AUTH", "SyslogFacility"}, {"CanonicalizeMaxDots 3", "CanonicalizeMaxDots"},
    };
    static const char quiet[] = "ControlMaster no\nControlPersist no\nControlPath none\nUpdateHostKeys no\nGSSAPIAuthentication no\n"
                                "GSSAPIDelegateCredentials no\nGSSAPIKeyExchange no\nForwardX11 no\nCanonicalizeFallbackLocal no\n"
                                "SyslogFacility USER\nForwardAgent no\nCertificateFile none\nPort 5\n";
    for (size_t i = 0; i < COUNT_OF(loud); i++) {
        char text[200], want[200];
        snprintf(text, sizeof text, "%s\n%s\nPort 5\n", loud[i].line, loud[i].line);
        snprintf(want, sizeof want, "/home/me/.ssh/config line 1: keyword %s is not supported; ignored\n", loud[i].name);
        assert_string_equal(value_of(text, "port"), "port 5");
        assert_string_equal(f.said, want);
    }
    assert_string_equal(value_of("GSSAPIAuthentication yes\nGSSAPIAuthentication yes\nPort 5\n", "port"), "port 5");
    assert_string_equal(f.said, "/home/me/.ssh/config line 1: Unsupported option \"gssapiauthentication\"\n");
    assert_string_equal(value_of(quiet, "port"), "port 5");
    assert_string_equal(f.said, "");
}

static void algorithm_lists_have_modifiers(void **state)
{
    (void)state;
    static const char preset[] = "ciphers chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr";
    char want[600];
    assert_string_equal(value_of("", "ciphers"), preset);
    snprintf(want, sizeof want, "%s,3des-cbc", preset);
    assert_string_equal(value_of("Ciphers +3des-cbc\n", "ciphers"), want);
    assert_string_equal(value_of("Ciphers +aes128-ctr\n", "ciphers"), preset);
    assert_string_equal(value_of("Ciphers -*-ctr,nonsense\n", "ciphers"),
                        "ciphers chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com");
    assert_string_equal(value_of("Ciphers ^aes256-ctr\n", "ciphers"),
                        "ciphers aes256-ctr,chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes192-ctr");
    assert_string_equal(value_of("HostKeyAlgorithms ssh-ed25519*\n", "hostkeyalgorithms"),
                        "hostkeyalgorithms ssh-ed25519-cert-v01@openssh.com,ssh-ed25519");
    assert_string_equal(value_of("Ciphers +\n", "ciphers"), "USAGE");
}

static void words_follow_openssh(void **state)
{
    (void)state;
    static const struct { const char *line, *words; } rows[] = {
        {"a b", "a|b|"}, {"  a\t b  ", "a|b|"}, {"\"a b\" c", "a b|c|"}, {"'a \"b' c", "a \"b|c|"}, {"a\\ b", "a b|"}, {"\"a\\\"b\"", "a\"b|"},
        {"a\\\\b", "a\\b|"}, {"a\\b", "a\\b|"}, {"a#b c", "a#b|c|"}, {"a #b", "a|"}, {"# a", ""}, {"\"\" b", "|b|"}, {"a\"b c\"d", "ab cd|"},
        {"'a\\'b'", "a'b|"}, {"\"a\\ b\"", "a\\ b|"}, {"\"#\" a", "#|a|"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct wr w CLEANUP(wr_clear) = wr_heap(1000);
        size_t n = 0;
        assert_int_equal(conf_split(bytes_str(rows[i].line), true, &w, &n), ERR_NONE);
        for (size_t k = 0; k < w.n; k++)
            if (w.p[k] == 0) w.p[k] = '|';
        if (!bytes_is(wr_bytes(&w), rows[i].words)) fail_msg("%s: %.*s", rows[i].line, (int)w.n, (const char *)w.p);
    }
    struct wr w CLEANUP(wr_clear) = wr_heap(1000);
    size_t n = 77;
    assert_int_equal(conf_split(BYTES_LIT("a \"b"), true, &w, &n), ERR_FORMAT);
    assert_int_equal(conf_split(BYTES_LIT("a\0b"), true, &w, &n), ERR_FORMAT);
    assert_int_equal(n, 77);
    assert_string_equal(value_of("\"Port\" 36\n", "port"), "port 36");
    assert_string_equal(value_of("pOrT\t=\t\"37\" # x\r\n", "port"), "port 37");
}

static void hostile_files(void **state)
{
    (void)state;
    const struct ssh_conf_ask ask = {.host = "foo"};
    fake_world(&f);
    f.file[f.files++] = (struct fake_file){"/home/me/.ssh/config", "Port 22\0 33\n", 12, ERR_NONE};
    assert_string_equal(value_for(&ask, NULL, "port"), "USAGE");
    SAID("line 1: NUL in line");
    size_t big = 1 << 20;
    char *text = malloc(big + 1);
    memset(text, 'a', big);
    text[big] = 0;
    assert_string_equal(value_of(text, "port"), "USAGE");
    SAID("line 1: line too long");
    for (size_t i = 0; i + 2 < big; i += 2) memcpy(text + i, "a ", 2);
    memcpy(text, "SendEnv ", 8);
    text[60000] = '\n', text[60001] = 0;
    assert_string_equal(value_of(text, "port"), "USAGE");
    SAID("line 1: too many arguments");
    free(text);
    fake_world(&f);
    f.file[f.files++] = (struct fake_file){"/home/me/.ssh/config", "", 0, ERR_DENIED};
    assert_string_equal(value_for(&ask, NULL, "port"), "USAGE");
    SAID("Bad owner or permissions on /home/me/.ssh/config");
    fake_world(&f);
    const struct ssh_conf_ask missing = {.host = "foo", .config_file = "/missing"};
    assert_string_equal(value_for(&missing, NULL, "port"), "NOT_FOUND");
    SAID("Can't open user config file /missing: No such file or directory");
    assert_string_equal(value_of("\xff\xfe Port\n", "port"), "USAGE");
    assert_string_equal(value_of("User \x1b[31m\x1b]0;x\x07 y\n", "port"), "USAGE");
    assert_null(strchr(f.said, 0x1b));
    assert_string_equal(value_of("Port 5", "port"), "port 5");
}

/* Lists that grow by every line neither copy themselves each time nor grow without end. */
static void long_lists_are_bounded(void **state)
{
    (void)state;
    size_t lines = 5000, cap = lines * 24;
    char *text = malloc(cap);
    size_t n = 0;
    for (size_t i = 0; i < lines; i++) n += (size_t)snprintf(text + n, cap - n, "SendEnv A%zu -A%zu\n", i, i / 2);
    assert_true(strlen(value_of(text, "sendenv")) > 1000);
    n = 0;
    for (size_t i = 0; i < 101; i++) n += (size_t)snprintf(text + n, cap - n, "IdentityFile f%zu\n", i);
    assert_string_equal(value_of(text, "port"), "USAGE");
    SAID("line 101: Too many identity files specified (max 100)");
    n = 0;
    for (size_t i = 1; i <= 4097; i++) n += (size_t)snprintf(text + n, cap - n, "LocalForward %zu h:1\n", i);
    assert_string_equal(value_of(text, "port"), "USAGE");
    SAID("line 4097: Too many forwardings (max 4096).");
    free(text);
}

static void defaults_depend_where_the_manual_says_so(void **state)
{
    (void)state;
    assert_string_equal(value_of("", "updatehostkeys"), "updatehostkeys true");
    assert_string_equal(value_of("UserKnownHostsFile ~/x\n", "updatehostkeys"), "updatehostkeys false");
    assert_string_equal(value_of("VerifyHostKeyDNS yes\n", "updatehostkeys"), "updatehostkeys false");
    assert_string_equal(value_of("ClearAllForwardings yes\nLocalForward 1 a:2\n", "localforward"), "");
    assert_string_equal(value_of("LocalForward 1 a:2\nLocalForward 1 a:2\n", "localforward"), "localforward 1 [a]:2");
    assert_string_equal(value_of("", "user"), "user me");
    assert_string_equal(value_of("", "hostname"), "hostname foo");
    assert_string_equal(value_of("", "host"), "host foo");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_value_wins), cmocka_unit_test(user_file_comes_before_system_file), cmocka_unit_test(host_patterns_and_negation),
        cmocka_unit_test(match_criteria_both_ways), cmocka_unit_test(match_sees_what_was_set_before),
        cmocka_unit_test(match_final_makes_a_second_pass), cmocka_unit_test(match_exec_runs_only_where_it_decides),
        cmocka_unit_test(includes_have_their_own_scope), cmocka_unit_test(include_cycles_end),
        cmocka_unit_test(errors_are_said_as_openssh_says_them), cmocka_unit_test(command_line_options),
        cmocka_unit_test(ignore_unknown_and_retired_words), cmocka_unit_test(unbuilt_options_warn_once_or_are_refused),
        cmocka_unit_test(each_unbuilt_option_has_its_one_line),
        cmocka_unit_test(algorithm_lists_have_modifiers), cmocka_unit_test(words_follow_openssh), cmocka_unit_test(hostile_files),
        cmocka_unit_test(long_lists_are_bounded),
        cmocka_unit_test(defaults_depend_where_the_manual_says_so),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
