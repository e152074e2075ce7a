/* SPDX-License-Identifier: ISC */
/* The server's options, in the order of `sshd -T`. */
#include "conf/sshd.h"
#include "option.h"

extern const char list_users, list_groups, list_env;

static const struct word family[] = {{"inet", CONF_AF_INET}, {"inet6", CONF_AF_INET6}, {"any", CONF_AF_ANY}, {NULL, 0}};
static const struct word root[] = {{"without-password", SSHD_ROOT_PROHIBIT_PASSWORD}, {"prohibit-password", SSHD_ROOT_PROHIBIT_PASSWORD},
                                   {"forced-commands-only", SSHD_ROOT_FORCED_ONLY},   {"yes", SSHD_ROOT_YES}, {"no", SSHD_ROOT_NO}, {NULL, 0}};
static const struct word rhosts[] = {{"yes", SSHD_RHOSTS_YES}, {"no", SSHD_RHOSTS_NO}, {"shosts-only", SSHD_RHOSTS_SHOSTS}, {NULL, 0}};
static const struct word gateway[] = {{"clientspecified", SSHD_GATEWAY_CLIENT}, {"yes", SSHD_GATEWAY_YES}, {"no", SSHD_GATEWAY_NO}, {NULL, 0}};
static const struct word compression[] = {{"yes", 1}, {"delayed", 1}, {"no", 0}, {NULL, 0}};
static const struct word forwarding[] = {{"yes", CONF_FORWARDING_YES}, {"all", CONF_FORWARDING_YES}, {"no", CONF_FORWARDING_NO},
                                         {"remote", CONF_FORWARDING_REMOTE}, {"local", CONF_FORWARDING_LOCAL}, {NULL, 0}};
static const struct word tunnel[] = {{"no", CONF_TUNNEL_NO}, {"point-to-point", CONF_TUNNEL_POINT_TO_POINT}, {"ethernet", CONF_TUNNEL_ETHERNET},
                                     {"yes", CONF_TUNNEL_YES}, {NULL, 0}};
#define WORDS(name) static const struct words name##_words = {name, NULL, NULL}
WORDS(family); WORDS(root); WORDS(rhosts); WORDS(gateway); WORDS(compression); WORDS(forwarding);
static const struct words tunnel_words = {tunnel, "bad \1 argument ", ""};

static const struct algs_arg ciphers = {ALGS_CIPHERS, true}, macs = {ALGS_MACS, true}, kex = {ALGS_KEX, true}, keys = {ALGS_KEYS, true},
                             cas = {ALGS_CA, true};

#define AT(field) offsetof(struct sshd_conf, field)
#define IN_MATCH OPT_MATCH
#define FLAG(name, field, preset, flags, built, help) {name, &kind_flag, AT(field), 0, preset, flags, built, NULL, 0, 0, help}
#define WORD(name, field, set, preset, flags, built, help) {name, &kind_word, AT(field), 0, preset, flags, built, &set##_words, 0, 0, help}
#define NUMBER(name, built, field, preset, flags, min, max, help) {name, &kind_number, AT(field), 0, preset, flags, built, NULL, min, max, help}
#define OPTION(name, kind, field, preset, flags, built, arg, help) {name, &kind, AT(field), 0, preset, flags, built, arg, 0, 0, help}
#define NONE_TEXT(name, kind, field, flags, built, help) \
    {name, &kind, AT(field), 0, NULL, OPT_NONE_NULL | OPT_SHOW_NONE | (flags), built, NULL, 0, 0, help}
#define ALGS(name, built, field, which, flags, help) {name, &kind_algs, AT(field), 0, NULL, flags, built, &which, 0, 0, help}
#define LIST(name, field, what, help) {name, &kind_users, AT(field), 0, NULL, OPT_APPEND | IN_MATCH, BUILT, &list_##what, 0, 0, help}

static const struct option rows[] = {
    OPTION("Port", kind_ports, port, "22", OPT_APPEND, BUILT, NULL, "ports to listen on"),
    WORD("AddressFamily", address_family, family, "any", 0, BUILT, "address family to listen with"),
    OPTION("ListenAddress", kind_listen, listen, NULL, OPT_APPEND, BUILT, NULL, "addresses to listen on"),
    FLAG("UsePAM", use_pam, "no", 0, LESS, "PAM for accounts, sessions and questions"),
    OPTION("PAMServiceName", kind_text, pam_service_name, "sshd", IN_MATCH, LESS, NULL, "PAM service"),
    {"LoginGraceTime", &kind_time, AT(login_grace_time_s), 0, "30", 0, BUILT, NULL, 0, 0, "time to log in"},
    NUMBER("X11DisplayOffset", LESS, x11_display_offset, "10", IN_MATCH, 0, 0, "first display number for X11 forwarding"),
    NUMBER("MaxAuthTries", BUILT, max_auth_tries, "6", IN_MATCH, 0, 0, "login tries a connection"),
    NUMBER("MaxSessions", BUILT, max_sessions, "10", IN_MATCH, 0, 0, "open sessions a connection"),
    {"ClientAliveInterval", &kind_time, AT(client_alive_interval_s), 0, "0", IN_MATCH, BUILT, NULL, 0, 0, "silence before asking whether the client lives"},
    NUMBER("ClientAliveCountMax", BUILT, client_alive_count_max, "3", IN_MATCH, 0, 0, "unanswered alive messages before giving up"),
    NUMBER("RequiredRSASize", BUILT, required_rsa_size_bits, "1024", IN_MATCH, 0, 0, "smallest RSA key taken, in bits"),
    OPTION("StreamLocalBindMask", kind_mask, stream_local_bind_mask, "0177", IN_MATCH, LESS, NULL, "umask of socket files"),
    {"UnusedConnectionTimeout", &kind_time, AT(unused_connection_timeout_s), 0, "none", IN_MATCH, BUILT, NULL, 0, 1, "end connections without channels"},
    WORD("PermitRootLogin", permit_root_login, root, "prohibit-password", IN_MATCH, BUILT, "whether and how root may log in"),
    WORD("IgnoreRhosts", ignore_rhosts, rhosts, "yes", IN_MATCH, LESS, "ignore .rhosts and .shosts"),
    FLAG("IgnoreUserKnownHosts", ignore_user_known_hosts, "no", 0, LESS, "ignore the user's known_hosts"),
    FLAG("HostbasedAuthentication", hostbased_authentication, "no", IN_MATCH, LESS, "login by the client host's key"),
    FLAG("HostbasedUsesNameFromPacketOnly", hostbased_uses_name_from_packet_only, "no", IN_MATCH, LESS, "trust the name the client host gives"),
    FLAG("PubkeyAuthentication", pubkey_authentication, "yes", IN_MATCH, BUILT, "login by public key"),
    FLAG("KerberosAuthentication", kerberos_authentication, "no", IN_MATCH, ABSENT, "check passwords with Kerberos"),
    FLAG("KerberosOrLocalPasswd", kerberos_or_local_passwd, "yes", 0, ABSENT, "fall back to local passwords"),
    FLAG("KerberosTicketCleanup", kerberos_ticket_cleanup, "yes", 0, ABSENT, "remove tickets at logout"),
    FLAG("KerberosGetAFSToken", kerberos_get_afs_token, "no", 0, ABSENT, "get an AFS token"),
    FLAG("GSSAPIAuthentication", gssapi_authentication, "no", IN_MATCH, ABSENT, "login by GSSAPI"),
    FLAG("GSSAPICleanupCredentials", gssapi_cleanup_credentials, "yes", 0, ABSENT, "remove credentials at logout"),
    FLAG("GSSAPIDelegateCredentials", gssapi_delegate_credentials, "yes", 0, ABSENT, "take forwarded credentials"),
    FLAG("GSSAPIStrictAcceptorCheck", gssapi_strict_acceptor_check, "yes", 0, ABSENT, "only this host's own name"),
    FLAG("PasswordAuthentication", password_authentication, "yes", IN_MATCH, BUILT, "login by password"),
    FLAG("KbdInteractiveAuthentication", kbd_interactive_authentication, "yes", IN_MATCH, BUILT, "login by questions and answers"),
    FLAG("PrintMotd", print_motd, "yes", 0, BUILT, "print the message of the day"),
    FLAG("PrintLastLog", print_last_log, "yes", 0, BUILT, "print when the user was last here"),
    FLAG("X11Forwarding", x11_forwarding, "no", IN_MATCH, LESS, "forward X11"),
    FLAG("X11UseLocalhost", x11_use_localhost, "yes", IN_MATCH, LESS, "X11 forwarding listens on loopback only"),
    FLAG("PermitTTY", permit_tty, "yes", IN_MATCH, BUILT, "terminals are allowed"),
    FLAG("PermitUserRC", permit_user_rc, "yes", IN_MATCH, BUILT, "run ~/.ssh/rc"),
    FLAG("StrictModes", strict_modes, "yes", 0, BUILT, "check owner and mode of the user's files"),
    FLAG("TCPKeepAlive", tcp_keep_alive, "yes", 0, BUILT, "TCP keepalive"),
    FLAG("PermitEmptyPasswords", permit_empty_passwords, "no", IN_MATCH, BUILT, "empty passwords may log in"),
    {"Compression", &kind_flag, AT(compression), 0, "delayed", 0, BUILT, &compression_words, 0, 0, "compression after login"},
    WORD("GatewayPorts", gateway_ports, gateway, "no", IN_MATCH, BUILT, "remote forwardings may listen on all addresses"),
    FLAG("UseDNS", use_dns, "no", 0, MORE, "look up the client's name"),
    WORD("AllowTcpForwarding", allow_tcp_forwarding, forwarding, "yes", IN_MATCH, BUILT, "TCP forwarding"),
    FLAG("AllowAgentForwarding", allow_agent_forwarding, "yes", IN_MATCH, BUILT, "agent forwarding"),
    FLAG("DisableForwarding", disable_forwarding, "no", IN_MATCH, BUILT, "no forwarding of any kind"),
    WORD("AllowStreamLocalForwarding", allow_stream_local_forwarding, forwarding, "yes", IN_MATCH, BUILT, "socket file forwarding"),
    FLAG("StreamLocalBindUnlink", stream_local_bind_unlink, "no", IN_MATCH, LESS, "remove an old socket file first"),
    OPTION("FingerprintHash", kind_fingerprint, fingerprint_hash, "SHA256", 0, BUILT, NULL, "hash of logged fingerprints"),
    FLAG("ExposeAuthInfo", expose_auth_info, "no", IN_MATCH, BUILT, "tell the session how it was authenticated"),
    FLAG("RefuseConnection", refuse_connection, "no", IN_MATCH, BUILT, "drop the connection"),
    {"PidFile", &kind_path, AT(pid_file), 0, "/run/sshd.pid", OPT_NONE_NULL | OPT_SHOW_NONE, BUILT, NULL, 0, 0, "file for the process number"},
    OPTION("ModuliFile", kind_path, moduli_file, "/etc/ssh/moduli", 0, BUILT, NULL, "groups for Diffie-Hellman group exchange"),
    {"XAuthLocation", &kind_path, AT(xauth_location), 0, "/usr/bin/xauth", OPT_NONE_NULL | OPT_SHOW_NONE, LESS, NULL, 0, 0, "xauth program"},
    ALGS("Ciphers", BUILT, ciphers, ciphers, 0, "ciphers"),
    ALGS("MACs", BUILT, macs, macs, 0, "MACs"),
    NONE_TEXT("Banner", kind_path, banner, IN_MATCH, BUILT, "file shown before login"),
    NONE_TEXT("ForceCommand", kind_command, force_command, OPT_REST | IN_MATCH, BUILT, "command run whatever the client asks for"),
    NONE_TEXT("ChrootDirectory", kind_text, chroot_directory, IN_MATCH, BUILT, "root directory of sessions"),
    NONE_TEXT("TrustedUserCAKeys", kind_path, trusted_user_ca_keys, IN_MATCH, BUILT, "authorities whose certificates log in"),
    {"SecurityKeyProvider", &kind_path, AT(security_key_provider), 0, "internal", OPT_NONE_NULL | OPT_SHOW_NONE, BUILT, NULL, 0, 0, "FIDO library"},
    NONE_TEXT("AuthorizedPrincipalsFile", kind_text, authorized_principals_file, IN_MATCH, BUILT, "names a certificate may log in with"),
    NONE_TEXT("VersionAddendum", kind_addendum, version_addendum, OPT_REST, BUILT, "text after the version in the ident line"),
    NONE_TEXT("AuthorizedKeysCommand", kind_absolute_command, authorized_keys_command, OPT_REST | IN_MATCH, BUILT, "program that prints a user's keys"),
    NONE_TEXT("AuthorizedKeysCommandUser", kind_text, authorized_keys_command_user, IN_MATCH, BUILT, "account it runs under"),
    NONE_TEXT("AuthorizedPrincipalsCommand", kind_absolute_command, authorized_principals_command, OPT_REST | IN_MATCH, BUILT,
              "program that prints principals"),
    NONE_TEXT("AuthorizedPrincipalsCommandUser", kind_text, authorized_principals_command_user, IN_MATCH, BUILT, "account it runs under"),
    NONE_TEXT("HostKeyAgent", kind_path, host_key_agent, 0, BUILT, "agent that holds the host keys"),
    ALGS("KexAlgorithms", BUILT, kex_algorithms, kex, 0, "key exchange methods"),
    ALGS("CASignatureAlgorithms", BUILT, ca_signature_algorithms, cas, IN_MATCH, "algorithms certificates may be signed with"),
    ALGS("HostbasedAcceptedAlgorithms", LESS, hostbased_accepted_algorithms, keys, IN_MATCH, "algorithms for host-based login"),
    ALGS("HostKeyAlgorithms", BUILT, host_key_algorithms, keys, 0, "host key algorithms offered"),
    ALGS("PubkeyAcceptedAlgorithms", BUILT, pubkey_accepted_algorithms, keys, IN_MATCH, "signature algorithms for public key login"),
    {"RDomain", &kind_text, AT(rdomain), 0, NULL, OPT_NONE_NULL | IN_MATCH, MORE, NULL, 0, 0, "routing domain of sessions"},
    OPTION("SshdSessionPath", kind_path, sshd_session_path, "/usr/lib/openssh/sshd-session", 0, LESS, NULL, "taken for OpenSSH's sake"),
    OPTION("SshdAuthPath", kind_path, sshd_auth_path, "/usr/lib/openssh/sshd-auth", 0, LESS, NULL, "taken for OpenSSH's sake"),
    NONE_TEXT("PerSourcePenaltyExemptList", kind_exempt, per_source_penalty_exempt_list, 0, BUILT, "addresses never penalised"),
    OPTION("LogLevel", kind_log_level, log_level, "INFO", IN_MATCH, BUILT, NULL, "how much to log"),
    OPTION("SyslogFacility", kind_facility, syslog_facility, "AUTH", 0, BUILT, NULL, "facility of log lines"),
    OPTION("AuthorizedKeysFile", kind_texts, authorized_keys_file, ".ssh/authorized_keys .ssh/authorized_keys2",
           IN_MATCH | OPT_NONE_NULL | OPT_ONE_LINE | OPT_SHOW_NONE, BUILT, NULL, "files with keys that may log in"),
    {"RevokedKeys", &kind_paths, AT(revoked_keys), 0, NULL, IN_MATCH | OPT_NONE_NULL | OPT_ONE_LINE, BUILT, NULL, 0, 0, "keys that may not log in"},
    {"HostKey", &kind_paths, AT(host_key), AT(host_key_set),
     "/etc/ssh/ssh_host_rsa_key /etc/ssh/ssh_host_ecdsa_key /etc/ssh/ssh_host_ed25519_key /etc/ssh/ssh_host_mldsa44_ed25519_key", OPT_APPEND, BUILT,
     NULL, 0, 1, "host key files"},
    {"HostCertificate", &kind_paths, AT(host_certificate), 0, NULL, OPT_APPEND, BUILT, NULL, 0, 1, "host certificates"},
    LIST("AllowUsers", allow_users, users, "only these users"),
    LIST("DenyUsers", deny_users, users, "not these users"),
    LIST("AllowGroups", allow_groups, groups, "only users of these groups"),
    LIST("DenyGroups", deny_groups, groups, "no users of these groups"),
    LIST("AcceptEnv", accept_env, env, "environment variables taken from the client"),
    OPTION("SetEnv", kind_set_env, set_env, NULL, IN_MATCH, BUILT, NULL, "environment variables of sessions"),
    OPTION("AuthenticationMethods", kind_methods, authentication_methods, NULL, IN_MATCH, BUILT, NULL, "methods that must all succeed"),
    OPTION("LogVerbose", kind_texts, log_verbose, NULL, IN_MATCH | OPT_ONE_LINE, LESS, NULL, "source lines to log more of"),
    OPTION("ChannelTimeout", kind_channel_timeout, channel_timeout, NULL, IN_MATCH, BUILT, NULL, "close silent channels"),
    OPTION("Subsystem", kind_subsystem, subsystem, NULL, OPT_APPEND | IN_MATCH, BUILT, NULL, "named services"),
    OPTION("MaxStartups", kind_startups, max_startups, "10:30:100", 0, BUILT, NULL, "connections before login: begin, rate, full"),
    OPTION("PerSourceMaxStartups", kind_max_per_source, per_source_max_startups, "none", 0, BUILT, NULL, "connections before login of one source"),
    {"PerSourceNetBlockSize", &kind_net_block, AT(per_source_net_block_size_v4), AT(per_source_net_block_size_v6), "32:128", 0, BUILT, NULL, 0, 0,
     "how many addresses are one source"},
    WORD("PermitTunnel", permit_tunnel, tunnel, "no", IN_MATCH, LESS, "tunnel device forwarding"),
    OPTION("IPQoS", kind_ipqos, ipqos, "ef cs0", IN_MATCH, BUILT, NULL, "type of service of packets"),
    OPTION("RekeyLimit", kind_rekey, rekey_limit, "default none", IN_MATCH, BUILT, NULL, "data and time before new keys"),
    OPTION("PermitOpen", kind_permits, permit_open, "any", IN_MATCH, MORE, NULL, "targets of forwarding"),
    OPTION("PermitListen", kind_permits, permit_listen, "any", IN_MATCH, MORE, "p", "ports remote forwardings may listen on"),
    {"PermitUserEnvironment", &kind_user_env, AT(permit_user_environment), AT(permit_user_environment_list), "no", 0, BUILT, NULL, 0, 0,
     "~/.ssh/environment and key options may set variables"},
    OPTION("PubkeyAuthOptions", kind_pubkey_options, pubkey_auth_options, "none", IN_MATCH, BUILT, NULL, "what FIDO keys must prove"),
    OPTION("PerSourcePenalties", kind_penalties, per_source_penalties, "yes", OPT_APPEND, BUILT, NULL, "times unwelcome sources stay out"),
};

static const struct alias aliases[] = {
    {"hostdsakey", "HostKey"},
    {"hostbasedacceptedkeytypes", "HostbasedAcceptedAlgorithms"},
    {"pubkeyacceptedkeytypes", "PubkeyAcceptedAlgorithms"},
    {"dsaauthentication", "PubkeyAuthentication"},
    {"challengeresponseauthentication", "KbdInteractiveAuthentication"},
    {"skeyauthentication", "KbdInteractiveAuthentication"},
    {"keepalive", "TCPKeepAlive"},
    {"protocol", NULL}, {"rhostsauthentication", NULL}, {"rhostsrsaauthentication", NULL}, {"rsaauthentication", NULL},
    {"serverkeybits", NULL}, {"keyregenerationinterval", NULL}, {"checkmail", NULL}, {"uselogin", NULL}, {"verifyreversemapping", NULL},
    {"reversemappingcheck", NULL}, {"authorizedkeysfile2", NULL}, {"useprivilegeseparation", NULL}, {"pamauthenticationviakbdint", NULL},
    /* Debian's OpenSSH knows these */
    {"gssapikeyexchange", ""}, {"gssapistorecredentialsonrekey", ""}, {"gssapikexalgorithms", ""}, {"debianbanner", NULL},
    {"kerberostgtpassing", ""}, {"afstokenpassing", ""},
};

const struct table sshd_table = {rows, COUNT_OF(rows), aliases, COUNT_OF(aliases), sizeof(struct sshd_conf), true};
