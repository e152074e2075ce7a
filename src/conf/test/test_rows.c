/* SPDX-License-Identifier: ISC */
/* Each option, one row: a value, what the dump says of it, and a value that is refused. An option without a row fails. */
#include "fake_world.h"

#include "../option.h"
#include "../sshd_read.h"
#include "conf/ssh.h"

#define BIG 32768

struct row {
    const char *name, *value, *dump, *bad;      /* dump: NULL: like value; bad: NULL: every text is a value */
};

static const struct row ssh_row[] = {
    {"User", "bob", NULL, "a b"},
    {"Hostname", "h.example", NULL, "a b"},
    {"Port", "2222", NULL, "0"},
    {"AddressFamily", "inet6", NULL, "inet7"},
    {"BatchMode", "yes", NULL, "maybe"},
    {"CanonicalizeFallbackLocal", "no", NULL, "x"},
    {"CanonicalizeHostname", "always", NULL, "x"},
    {"CheckHostIP", "yes", NULL, "x"},
    {"Compression", "yes", NULL, "9"},
    {"ControlMaster", "autoask", NULL, "x"},
    {"EnableSSHKeysign", "yes", NULL, "x"},
    {"ClearAllForwardings", "yes", NULL, "x"},
    {"ExitOnForwardFailure", "yes", NULL, "x"},
    {"FingerprintHash", "md5", "MD5", "sha1"},
    {"ForwardX11", "yes", NULL, "x"},
    {"ForwardX11Trusted", "yes", NULL, "x"},
    {"GatewayPorts", "yes", NULL, "clientspecified"},
    {"GSSAPIAuthentication", "yes", NULL, "x"},
    {"GSSAPIDelegateCredentials", "yes", NULL, "x"},
    {"HashKnownHosts", "yes", NULL, "x"},
    {"HostbasedAuthentication", "yes", NULL, "x"},
    {"IdentitiesOnly", "yes", NULL, "x"},
    {"KbdInteractiveAuthentication", "no", NULL, "x"},
    {"NoHostAuthenticationForLocalhost", "yes", NULL, "x"},
    {"PasswordAuthentication", "no", NULL, "x"},
    {"PermitLocalCommand", "yes", NULL, "x"},
    {"ProxyUseFdpass", "yes", NULL, "x"},
    {"PubkeyAuthentication", "host-bound", NULL, "x"},
    {"RequestTTY", "force", NULL, "x"},
    {"SessionType", "subsystem", NULL, "x"},
    {"StdinNull", "yes", NULL, "x"},
    {"ForkAfterAuthentication", "yes", NULL, "x"},
    {"StreamLocalBindUnlink", "yes", NULL, "x"},
    {"StrictHostKeyChecking", "accept-new", NULL, "x"},
    {"TCPKeepAlive", "no", NULL, "x"},
    {"Tunnel", "ethernet", NULL, "x"},
    {"VerifyHostKeyDNS", "ask", NULL, "x"},
    {"VisualHostKey", "yes", NULL, "x"},
    {"UpdateHostKeys", "ask", NULL, "x"},
    {"EnableEscapeCommandline", "yes", NULL, "x"},
    {"WarnWeakCrypto", "no-pq-kex", "no", "x"},
    {"CanonicalizeMaxDots", "3", NULL, "-1"},
    {"ConnectionAttempts", "4", NULL, "4x"},
    {"ForwardX11Timeout", "2m", "120", "2q"},
    {"NumberOfPasswordPrompts", "5", NULL, "99999999999"},
    {"ServerAliveCountMax", "7", NULL, ""},
    {"ServerAliveInterval", "1h30m", "5400", "1h30q"},
    {"RequiredRSASize", "3072", NULL, "x"},
    {"BindAddress", "10.0.0.1", NULL, "a b"},
    {"BindInterface", "eth0", NULL, "a b"},
    {"Ciphers", "aes128-ctr,3des-cbc", NULL, "aes128-ctr,nonsense"},
    {"ControlPath", "~/.ssh/%C", NULL, "a b"},
    {"HostKeyAlgorithms", "ssh-ed25519,ssh-rsa", NULL, "ssh-ed448"},
    {"HostKeyAlias", "alias", NULL, "a b"},
    {"HostbasedAcceptedAlgorithms", "ssh-ed25519", NULL, "x"},
    {"IdentityAgent", "/run/agent", NULL, "a b"},
    {"IgnoreUnknown", "foo*,bar", NULL, "a b"},
    {"KbdInteractiveDevices", "pam,bsdauth", NULL, "a b"},
    {"KexAlgorithms", "curve25519-sha256,mlkem768nistp256-sha256", NULL, "curve448"},
    {"CASignatureAlgorithms", "ssh-ed25519", NULL, "x"},
    {"LocalCommand", "echo %h \"two  words\" # no comment", NULL, "\"open"},
    {"RemoteCommand", "ls -l", NULL, "\"open"},
    {"LogLevel", "debug2", "DEBUG2", "loud"},
    {"MACs", "umac-64@openssh.com", NULL, "md4"},
    {"PKCS11Provider", "/lib/p11.so", NULL, "a b"},
    {"SecurityKeyProvider", "/lib/sk.so", NULL, "a b"},
    {"PreferredAuthentications", "password,publickey", NULL, "a b"},
    {"PubkeyAcceptedAlgorithms", "rsa-sha2-512", NULL, "x"},
    {"RevokedHostKeys", "/etc/a /etc/b", NULL, "\"\""},
    {"XAuthLocation", "/opt/xauth", NULL, "a b"},
    {"KnownHostsCommand", "/bin/kh %H", NULL, "\"open"},
    {"Tag", "work", NULL, "a b"},
    {"RefuseConnection", "\"not today\"", "not today", "a b"},
    {"VersionAddendum", "some text", NULL, "b\x01" "d"},
    {"DynamicForward", "1080", NULL, "x"},
    {"LocalForward", "8080 h:80", "8080 [h]:80", "8080"},
    {"RemoteForward", "[::1]:8080 /run/s", NULL, "99999 h:1"},
    {"IdentityFile", "~/.ssh/id_x", NULL, "a b"},
    {"CanonicalDomains", "a.example b.example", NULL, "-bad"},
    {"CertificateFile", "~/.ssh/c.pub", NULL, "a b"},
    {"GlobalKnownHostsFile", "/a /b", NULL, "\"\""},
    {"UserKnownHostsFile", "~/a ~/b", NULL, "\"\""},
    {"SendEnv", "LC_*", NULL, "A=b"},
    {"SetEnv", "A=b", NULL, "A"},
    {"LogVerbose", "kex.c:*:1000", NULL, "\"open"},
    {"ChannelTimeout", "session=5m agent-connection=none", NULL, "session"},
    {"PermitRemoteOpen", "a:80 b:*", NULL, "a"},
    {"AddKeysToAgent", "confirm 1h", "confirm 3600", "x"},
    {"ForwardAgent", "$OTHER_AGENT", NULL, "a b"},
    {"ConnectTimeout", "10", NULL, "x"},
    {"TunnelDevice", "3:any", NULL, "x"},
    {"CanonicalizePermittedCNAMEs", "a.*:b.*", NULL, "x"},
    {"ControlPersist", "10m", "600", "x"},
    {"EscapeChar", "%", NULL, "xyz"},
    {"IPQoS", "af21 0x04", "af21 le", "256"},
    {"RekeyLimit", "2M 1h", "2097152 3600", "15"},
    {"StreamLocalBindMask", "0117", NULL, "8"},
    {"ObscureKeystrokeTiming", "interval:80", NULL, "interval:0"},
    {"SyslogFacility", "local3", "LOCAL3", "x"},
    {"ProxyCommand", "nc -X 5 %h %p", NULL, "\"open"},
    {"ProxyJump", "bob@a:22,b", NULL, "-oProxyCommand=x"},
};

static const struct row sshd_row[] = {
    {"Port", "2222", NULL, "0"},
    {"AddressFamily", "inet", NULL, "x"},
    {"ListenAddress", "10.0.0.1:2222", NULL, "a:b"},
    {"UsePAM", "yes", NULL, "x"},
    {"PAMServiceName", "other", NULL, "a b"},
    {"LoginGraceTime", "1m", "60", "x"},
    {"X11DisplayOffset", "20", NULL, "x"},
    {"MaxAuthTries", "3", NULL, "x"},
    {"MaxSessions", "2", NULL, "-1"},
    {"ClientAliveInterval", "30", NULL, "x"},
    {"ClientAliveCountMax", "2", NULL, "x"},
    {"RequiredRSASize", "2048", NULL, "x"},
    {"StreamLocalBindMask", "0111", NULL, "9"},
    {"UnusedConnectionTimeout", "5m", "300", "x"},
    {"PermitRootLogin", "forced-commands-only", NULL, "maybe"},
    {"IgnoreRhosts", "shosts-only", NULL, "x"},
    {"IgnoreUserKnownHosts", "yes", NULL, "x"},
    {"HostbasedAuthentication", "yes", NULL, "x"},
    {"HostbasedUsesNameFromPacketOnly", "yes", NULL, "x"},
    {"PubkeyAuthentication", "no", NULL, "unbound"},
    {"KerberosAuthentication", "yes", NULL, "x"},
    {"KerberosOrLocalPasswd", "no", NULL, "x"},
    {"KerberosTicketCleanup", "no", NULL, "x"},
    {"KerberosGetAFSToken", "yes", NULL, "x"},
    {"GSSAPIAuthentication", "yes", NULL, "x"},
    {"GSSAPICleanupCredentials", "no", NULL, "x"},
    {"GSSAPIDelegateCredentials", "no", NULL, "x"},
    {"GSSAPIStrictAcceptorCheck", "no", NULL, "x"},
    {"PasswordAuthentication", "no", NULL, "x"},
    {"KbdInteractiveAuthentication", "no", NULL, "x"},
    {"PrintMotd", "no", NULL, "x"},
    {"PrintLastLog", "no", NULL, "x"},
    {"X11Forwarding", "yes", NULL, "x"},
    {"X11UseLocalhost", "no", NULL, "x"},
    {"PermitTTY", "no", NULL, "x"},
    {"PermitUserRC", "no", NULL, "x"},
    {"StrictModes", "no", NULL, "x"},
    {"TCPKeepAlive", "no", NULL, "x"},
    {"PermitEmptyPasswords", "yes", NULL, "x"},
    {"Compression", "no", NULL, "x"},
    {"GatewayPorts", "clientspecified", NULL, "x"},
    {"UseDNS", "yes", NULL, "x"},
    {"AllowTcpForwarding", "local", NULL, "x"},
    {"AllowAgentForwarding", "no", NULL, "x"},
    {"DisableForwarding", "yes", NULL, "x"},
    {"AllowStreamLocalForwarding", "remote", NULL, "x"},
    {"StreamLocalBindUnlink", "yes", NULL, "x"},
    {"FingerprintHash", "MD5", NULL, "x"},
    {"ExposeAuthInfo", "yes", NULL, "x"},
    {"RefuseConnection", "yes", NULL, "because"},
    {"PidFile", "/run/x.pid", NULL, "a b"},
    {"ModuliFile", "moduli", "/cwd/moduli", "a b"},
    {"XAuthLocation", "/opt/xauth", NULL, "a b"},
    {"Ciphers", "aes256-ctr", NULL, "x"},
    {"MACs", "hmac-sha2-512", NULL, "x"},
    {"Banner", "~/banner", "/home/me/banner", "a b"},
    {"ForceCommand", "/bin/sh -c \"a  b\" # c", NULL, "\"open"},
    {"ChrootDirectory", "/srv/%u", NULL, "a b"},
    {"TrustedUserCAKeys", "/etc/ca", NULL, "a b"},
    {"SecurityKeyProvider", "/lib/sk.so", NULL, "a b"},
    {"AuthorizedPrincipalsFile", "%h/principals", NULL, "a b"},
    {"VersionAddendum", "my host", NULL, "a\x02"},
    {"AuthorizedKeysCommand", "/bin/keys %u", NULL, "keys %u"},
    {"AuthorizedKeysCommandUser", "nobody", NULL, "a b"},
    {"AuthorizedPrincipalsCommand", "/bin/p %u", NULL, "p"},
    {"AuthorizedPrincipalsCommandUser", "nobody", NULL, "a b"},
    {"HostKeyAgent", "/run/agent", NULL, "a b"},
    {"KexAlgorithms", "curve25519-sha256", NULL, "x"},
    {"CASignatureAlgorithms", "ssh-ed25519", NULL, "x"},
    {"HostbasedAcceptedAlgorithms", "ssh-ed25519", NULL, "x"},
    {"HostKeyAlgorithms", "ssh-ed25519", NULL, "x"},
    {"PubkeyAcceptedAlgorithms", "ssh-ed25519", NULL, "x"},
    {"RDomain", "blue", NULL, "a b"},
    {"SshdSessionPath", "/x/s", NULL, "a b"},
    {"SshdAuthPath", "/x/a", NULL, "a b"},
    {"PerSourcePenaltyExemptList", "10.0.0.0/8,::1", NULL, "10.0.0.0/33"},
    {"LogLevel", "VERBOSE", NULL, "x"},
    {"SyslogFacility", "DAEMON", NULL, "x"},
    {"AuthorizedKeysFile", ".ssh/a /etc/keys/%u", NULL, "\"\""},
    {"RevokedKeys", "/etc/r1 /etc/r2", NULL, "\"\""},
    {"HostKey", "key", "/cwd/key", "a b"},
    {"HostCertificate", "/etc/c", NULL, "a b"},
    {"AllowUsers", "bob@10.0.0.0/8", NULL, "bob@10.0.0.0/33"},
    {"DenyUsers", "eve", NULL, "x@1.2.3.4/8"},
    {"AllowGroups", "staff", NULL, "\"\""},
    {"DenyGroups", "lost", NULL, "\"\""},
    {"AcceptEnv", "LC_*", NULL, "A=b"},
    {"SetEnv", "A=b", NULL, "A"},
    {"AuthenticationMethods", "publickey,password keyboard-interactive:pam", NULL, "publickey,psychic"},
    {"LogVerbose", "kex.c:*:1", NULL, "\"open"},
    {"ChannelTimeout", "session=1h *=none", NULL, "x"},
    {"Subsystem", "sftp /bin/s \"a b\" -x", NULL, "sftp"},
    {"MaxStartups", "5:50:20", NULL, "20:30:10"},
    {"PerSourceMaxStartups", "4", NULL, "x"},
    {"PerSourceNetBlockSize", "24:64", NULL, "33:64"},
    {"PermitTunnel", "ethernet", NULL, "x"},
    {"IPQoS", "none", "none none", "x"},
    {"RekeyLimit", "1G 1h", "1073741824 3600", "1"},
    {"PermitOpen", "a:80 [::1]:* b:1", NULL, "a"},
    {"PermitListen", "8080 localhost:90", "*:8080 localhost:90", "a:0"},
    {"PermitUserEnvironment", "LANG,LC_*", NULL, "a b"},
    {"PubkeyAuthOptions", "touch-required verify-required", NULL, "x"},
    {"PerSourcePenalties", "crash:1.5m authfail:0.25 max-sources4:9 overflow:deny-all",
     "crash:90.000000 authfail:0.250000 noauth:1.000000 invaliduser:5.000000 grace-exceeded:10.000000 refuseconnection:10.000000 "
     "max:600.000000 min:15.000000 max-sources4:9 max-sources6:65536 overflow:deny-all overflow6:deny-all", "crash"},
};

struct bench {
    const struct table *t;
    struct fake f;
    struct conf_priv *priv;
    _Alignas(16) uint8_t conf[sizeof(struct ssh_conf) + sizeof(struct sshd_conf)];
};

static void bench_begin(struct bench *b, const struct table *t)
{
    memset(b, 0, sizeof *b);
    b->t = t;
    fake_world(&b->f);
    assert_int_equal(conf_priv_new(t, NULL, &b->priv), ERR_NONE);
}

/* The kind alone, so that refused options are covered too. */
static enum err bench_parse(struct bench *b, const char *name, const char *value)
{
    const struct option *o = options_find(b->t, name);
    struct line l = {.file = "test", .number = 1, .keyword = o->name, .rest = value, .pool = b->priv->pool, .world = &b->f.w,
                     .server = b->t->server, .fresh = true};
    if (!*value) return ERR_USAGE;
    TRY(option_words(&l));
    TRY(o->kind->parse(&l, o, b->conf));
    return !(o->flags & OPT_REST) && l.used < l.words ? ERR_USAGE : ERR_NONE;
}

static const char *bench_dump(struct bench *b, const char *name, char *buf)
{
    const struct option *o = options_find(b->t, name);
    struct wr out CLEANUP(wr_clear) = wr_heap(BIG);
    o->kind->dump(o, b->conf, &out);
    assert_int_equal(wr_done(&out), ERR_NONE);
    snprintf(buf, BIG, "%.*s", (int)(out.n ? out.n - 1 : 0), (const char *)out.p);
    return buf;
}

static void check_row(const struct table *t, const struct row *r)
{
    static struct bench b;
    static char first[BIG], again[BIG], want[BIG];
    const struct option *o = options_find(t, r->name);
    if (!o) fail_msg("no option %s", r->name);
    bench_begin(&b, t);
    if (bench_parse(&b, r->name, r->value) != ERR_NONE) fail_msg("%s %s refused: %s", r->name, r->value, b.f.said);
    bench_dump(&b, r->name, first);
    conf_priv_free(b.priv);
    const char *value = strchr(first, ' ');
    snprintf(want, sizeof want, "%s", r->dump ? r->dump : r->value);
    if (!value || strcmp(value + 1, want) != 0) fail_msg("%s: dumped '%s', expected '%s'", r->name, first, want);
    if (o->flags & OPT_DUMP_AS) assert_true(strncasecmp(first, r->name, strlen(r->name)) == 0);
    else
        for (size_t i = 0; r->name[i]; i++) assert_int_equal(first[i], ascii_lower(r->name[i]));

    bool quoted = strchr(r->value, '"') && !(o->flags & OPT_REST) && strcmp(r->name, "Subsystem") != 0;
    bench_begin(&b, t);
    if (!quoted && bench_parse(&b, r->name, value + 1) != ERR_NONE) fail_msg("%s: own dump refused: %s", r->name, b.f.said);
    if (!quoted) assert_string_equal(bench_dump(&b, r->name, again), first);
    conf_priv_free(b.priv);

    bench_begin(&b, t);
    if (r->bad && bench_parse(&b, r->name, r->bad) == ERR_NONE) fail_msg("%s '%s' was taken", r->name, r->bad);
    conf_priv_free(b.priv);
}

static void check_table(const struct table *t, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) check_row(t, &rows[i]);
    for (size_t i = 0; i < t->n; i++) {
        bool found = false;
        for (size_t k = 0; k < n; k++) found |= strcasecmp(rows[k].name, t->rows[i].name) == 0;
        if (!found) fail_msg("option %s has no row in the test", t->rows[i].name);
    }
}

static void every_client_option_round_trips(void **state)
{
    (void)state;
    check_table(&ssh_table, ssh_row, COUNT_OF(ssh_row));
    assert_int_equal(ssh_table.n, 101);     /* and Host, Match, Include: the 104 keywords of 10.5 */
}

static void every_server_option_round_trips(void **state)
{
    (void)state;
    check_table(&sshd_table, sshd_row, COUNT_OF(sshd_row));
    assert_int_equal(sshd_table.n, 103);    /* and Match, Include: the 105 keywords of 10.5 */
}

static void every_option_has_help_and_a_default_that_parses(void **state)
{
    (void)state;
    const struct table *tables[] = {&ssh_table, &sshd_table};
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < tables[k]->n; i++) {
            const struct option *o = &tables[k]->rows[i];
            static struct bench b;
            static char buf[BIG];
            assert_true(o->help && strlen(o->help) > 3 && !strchr(o->help, '\t'));
            bench_begin(&b, tables[k]);
            if (options_fill_row(b.t, b.conf, b.priv, o, &b.f.w) != ERR_NONE) fail_msg("default of %s", o->name);
            bench_dump(&b, o->name, buf);
            conf_priv_free(b.priv);
            if (strchr("\n ", buf[0])) continue;
            assert_null(strstr(buf, "UNKNOWN"));
        }
}

/* The 63 of sshd_config(5) and those alone. */
static void match_allows_what_the_manual_lists(void **state)
{
    (void)state;
    static const char allowed[] =
        "AcceptEnv,AllowAgentForwarding,AllowGroups,AllowStreamLocalForwarding,AllowTcpForwarding,AllowUsers,AuthenticationMethods,"
        "AuthorizedKeysCommand,AuthorizedKeysCommandUser,AuthorizedKeysFile,AuthorizedPrincipalsCommand,AuthorizedPrincipalsCommandUser,"
        "AuthorizedPrincipalsFile,Banner,CASignatureAlgorithms,ChannelTimeout,ChrootDirectory,ClientAliveCountMax,ClientAliveInterval,"
        "DenyGroups,DenyUsers,DisableForwarding,ExposeAuthInfo,ForceCommand,GSSAPIAuthentication,GatewayPorts,HostbasedAcceptedAlgorithms,"
        "HostbasedAuthentication,HostbasedUsesNameFromPacketOnly,IPQoS,IgnoreRhosts,KbdInteractiveAuthentication,KerberosAuthentication,"
        "LogLevel,LogVerbose,MaxAuthTries,MaxSessions,PAMServiceName,PasswordAuthentication,PermitEmptyPasswords,PermitListen,PermitOpen,"
        "PermitRootLogin,PermitTTY,PermitTunnel,PermitUserRC,PubkeyAcceptedAlgorithms,PubkeyAuthOptions,PubkeyAuthentication,RDomain,"
        "RefuseConnection,RekeyLimit,RequiredRSASize,RevokedKeys,SetEnv,StreamLocalBindMask,StreamLocalBindUnlink,Subsystem,"
        "TrustedUserCAKeys,UnusedConnectionTimeout,X11DisplayOffset,X11Forwarding,X11UseLocalhost";
    size_t count = 0;
    for (size_t i = 0; i < sshd_table.n; i++) {
        const struct option *o = &sshd_table.rows[i];
        bool in = names_has(BYTES_LIT(allowed), bytes_str(o->name));
        if (in != ((o->flags & OPT_MATCH) != 0)) fail_msg("%s in Match", o->name);
        count += in;
    }
    assert_int_equal(count, 63);
}

static void old_names_still_work(void **state)
{
    (void)state;
    static const char *const old[][2] = {
        {"ChallengeResponseAuthentication", "KbdInteractiveAuthentication"}, {"SKeyAuthentication", "KbdInteractiveAuthentication"},
        {"DSAAuthentication", "PubkeyAuthentication"}, {"KeepAlive", "TCPKeepAlive"}, {"PubkeyAcceptedKeyTypes", "PubkeyAcceptedAlgorithms"}};
    for (size_t i = 0; i < COUNT_OF(old); i++) {
        assert_ptr_equal(options_find(&ssh_table, old[i][0]), options_find(&ssh_table, old[i][1]));
        assert_ptr_equal(options_find(&sshd_table, old[i][0]), options_find(&sshd_table, old[i][1]));
    }
    assert_non_null(options_find(&ssh_table, "SmartcardDevice"));
    assert_non_null(options_find(&sshd_table, "HostDSAKey"));
}

static void lists_for_completion_have_a_line_an_option(void **state)
{
    (void)state;
    struct wr out CLEANUP(wr_clear) = wr_heap(1 << 20);
    conf_list_sshd(&out);
    size_t lines = 0;
    for (size_t i = 0; i < out.n; i++) lines += out.p[i] == '\n';
    assert_int_equal(lines, sshd_table.n);
    static const char one[] = "\nMaxAuthTries\t6\tlogin tries a connection\n";
    assert_non_null(memmem(out.p, out.n, one, sizeof one - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_client_option_round_trips), cmocka_unit_test(every_server_option_round_trips),
        cmocka_unit_test(every_option_has_help_and_a_default_that_parses), cmocka_unit_test(match_allows_what_the_manual_lists),
        cmocka_unit_test(old_names_still_work), cmocka_unit_test(lists_for_completion_have_a_line_an_option),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
