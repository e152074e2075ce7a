/* SPDX-License-Identifier: ISC */
/* The client's options, in the order of `ssh -G`. */
#include "conf/ssh.h"
#include "option.h"

extern const char forward_local, forward_remote, forward_dynamic;

static const struct word yes_no_ask[] = {{"false", CONF_NO}, {"true", CONF_YES}, {"yes", CONF_YES}, {"no", CONF_NO}, {"ask", CONF_ASK}, {NULL, 0}};
static const struct word family[] = {{"inet", CONF_AF_INET}, {"inet6", CONF_AF_INET6}, {"any", CONF_AF_ANY}, {NULL, 0}};
static const struct word canonicalize[] = {{"true", SSH_CANONICALIZE_YES}, {"false", SSH_CANONICALIZE_NO},      {"yes", SSH_CANONICALIZE_YES},
                                           {"no", SSH_CANONICALIZE_NO},    {"always", SSH_CANONICALIZE_ALWAYS}, {NULL, 0}};
static const struct word master[] = {{"true", SSH_MASTER_YES}, {"yes", SSH_MASTER_YES},   {"false", SSH_MASTER_NO}, {"no", SSH_MASTER_NO},
                                     {"auto", SSH_MASTER_AUTO}, {"ask", SSH_MASTER_ASK}, {"autoask", SSH_MASTER_AUTO_ASK}, {NULL, 0}};
static const struct word pubkey[] = {{"true", SSH_PUBKEY_YES}, {"false", SSH_PUBKEY_NO},        {"yes", SSH_PUBKEY_YES},
                                     {"no", SSH_PUBKEY_NO},    {"unbound", SSH_PUBKEY_UNBOUND}, {"host-bound", SSH_PUBKEY_HOST_BOUND}, {NULL, 0}};
static const struct word tty[] = {{"true", SSH_TTY_YES}, {"false", SSH_TTY_NO},    {"yes", SSH_TTY_YES},
                                  {"no", SSH_TTY_NO},    {"force", SSH_TTY_FORCE}, {"auto", SSH_TTY_AUTO}, {NULL, 0}};
static const struct word session[] = {{"none", SSH_SESSION_NONE}, {"subsystem", SSH_SESSION_SUBSYSTEM}, {"default", SSH_SESSION_DEFAULT}, {NULL, 0}};
static const struct word strict[] = {{"true", SSH_STRICT_YES}, {"false", SSH_STRICT_NO}, {"yes", SSH_STRICT_YES},        {"no", SSH_STRICT_NO},
                                     {"ask", SSH_STRICT_ASK},  {"off", SSH_STRICT_NO},   {"accept-new", SSH_STRICT_NEW}, {NULL, 0}};
static const struct word tunnel[] = {{"ethernet", CONF_TUNNEL_ETHERNET}, {"point-to-point", CONF_TUNNEL_POINT_TO_POINT}, {"true", CONF_TUNNEL_POINT_TO_POINT},
                                     {"yes", CONF_TUNNEL_POINT_TO_POINT}, {"false", CONF_TUNNEL_NO}, {"no", CONF_TUNNEL_NO}, {NULL, 0}};
static const struct word yes_no[] = {{"yes", 1}, {"no", 0}, {NULL, 0}};
static const struct word weak[] = {{"yes", 1}, {"true", 1}, {"no", 0}, {"false", 0}, {"no-pq-kex", 0}, {NULL, 0}};
#define WORDS(name) static const struct words name##_words = {name, NULL, NULL}
WORDS(yes_no_ask); WORDS(family); WORDS(canonicalize); WORDS(master); WORDS(pubkey); WORDS(tty); WORDS(session); WORDS(strict); WORDS(tunnel);
WORDS(weak); WORDS(yes_no);

static const struct algs_arg ciphers = {ALGS_CIPHERS, false}, macs = {ALGS_MACS, false}, kex = {ALGS_KEX, false}, keys = {ALGS_KEYS, false},
                             cas = {ALGS_CA, false};

#define AT(field) offsetof(struct ssh_conf, field)
#define FLAG(name, field, preset, built, help) {name, &kind_flag, AT(field), 0, preset, 0, built, NULL, 0, 0, help}
#define WORD(name, field, set, preset, built, help) {name, &kind_word, AT(field), 0, preset, 0, built, &set##_words, 0, 0, help}
#define NUMBER(name, built, field, preset, min, max, help) {name, &kind_number, AT(field), 0, preset, 0, built, NULL, min, max, help}
#define TEXT(name, field, flags, built, help) {name, &kind_text, AT(field), 0, NULL, flags, built, NULL, 0, 0, help}
#define COMMAND(name, field, built, help) {name, &kind_command, AT(field), 0, NULL, OPT_REST | OPT_NONE_NULL, built, NULL, 0, 0, help}
#define ALGS(name, field, at2, which, built, help) {name, &kind_algs, AT(field), at2, NULL, 0, built, &which, 0, 0, help}
#define OPTION(name, kind, field, preset, flags, built, arg, help) {name, &kind, AT(field), 0, preset, flags, built, arg, 0, 0, help}
#define PAIR(name, kind, field, field2, preset, flags, built, help) {name, &kind, AT(field), AT(field2), preset, flags, built, NULL, 0, 0, help}

static const struct option rows[] = {
    TEXT("User", user, 0, BUILT, "name to log in as"),
    TEXT("Hostname", hostname, 0, BUILT, "real host to connect to"),
    OPTION("Port", kind_port, port, "22", 0, BUILT, NULL, "port to connect to"),
    WORD("AddressFamily", address_family, family, "any", BUILT, "address family to connect with"),
    FLAG("BatchMode", batch_mode, "no", BUILT, "never ask the user"),
    FLAG("CanonicalizeFallbackLocal", canonicalize_fallback_local, "yes", LESS, "use the name as given when no canonical one is found"),
    WORD("CanonicalizeHostname", canonicalize_hostname, canonicalize, "no", LESS, "rewrite host names to their canonical form"),
    FLAG("CheckHostIP", check_host_ip, "no", BUILT, "check the host's address in known_hosts too"),
    {"Compression", &kind_flag, AT(compression), 0, "no", 0, BUILT, &yes_no_words, 0, 0, "compress the connection"},
    WORD("ControlMaster", control_master, master, "no", LESS, "share one connection"),
    FLAG("EnableSSHKeysign", enable_ssh_keysign, "no", LESS, "host-based authentication may use ssh-keysign"),
    FLAG("ClearAllForwardings", clear_all_forwardings, "no", BUILT, "drop all forwardings of files and command line"),
    FLAG("ExitOnForwardFailure", exit_on_forward_failure, "no", BUILT, "end when a forwarding cannot be set up"),
    OPTION("FingerprintHash", kind_fingerprint, fingerprint_hash, "SHA256", 0, BUILT, NULL, "hash of displayed fingerprints"),
    FLAG("ForwardX11", forward_x11, "no", LESS, "forward X11"),
    FLAG("ForwardX11Trusted", forward_x11_trusted, "no", LESS, "give remote X11 clients full access"),
    FLAG("GatewayPorts", gateway_ports, "no", BUILT, "other hosts may use local forwardings"),
    FLAG("GSSAPIAuthentication", gssapi_authentication, "no", ABSENT, "log in by GSSAPI"),
    FLAG("GSSAPIDelegateCredentials", gssapi_delegate_credentials, "no", ABSENT, "forward GSSAPI credentials"),
    FLAG("HashKnownHosts", hash_known_hosts, "no", BUILT, "hash names added to known_hosts"),
    FLAG("HostbasedAuthentication", hostbased_authentication, "no", LESS, "log in by the host's key"),
    FLAG("IdentitiesOnly", identities_only, "no", BUILT, "only the configured keys, whatever an agent offers"),
    FLAG("KbdInteractiveAuthentication", kbd_interactive_authentication, "yes", BUILT, "log in by questions and answers"),
    FLAG("NoHostAuthenticationForLocalhost", no_host_authentication_for_localhost, "no", BUILT, "do not check host keys of this machine"),
    FLAG("PasswordAuthentication", password_authentication, "yes", BUILT, "log in by password"),
    FLAG("PermitLocalCommand", permit_local_command, "no", LESS, "LocalCommand may run"),
    FLAG("ProxyUseFdpass", proxy_use_fdpass, "no", BUILT, "ProxyCommand passes a connected descriptor"),
    WORD("PubkeyAuthentication", pubkey_authentication, pubkey, "yes", BUILT, "log in by public key"),
    WORD("RequestTTY", request_tty, tty, "auto", BUILT, "ask for a terminal"),
    WORD("SessionType", session_type, session, "default", BUILT, "shell or command, subsystem, or none"),
    FLAG("StdinNull", stdin_null, "no", BUILT, "standard input is empty"),
    FLAG("ForkAfterAuthentication", fork_after_authentication, "no", BUILT, "go to the background after login"),
    FLAG("StreamLocalBindUnlink", stream_local_bind_unlink, "no", LESS, "remove an old socket file first"),
    WORD("StrictHostKeyChecking", strict_host_key_checking, strict, "ask", BUILT, "what to do with unknown host keys"),
    FLAG("TCPKeepAlive", tcp_keep_alive, "yes", BUILT, "TCP keepalive"),
    WORD("Tunnel", tunnel, tunnel, "no", LESS, "tunnel device forwarding"),
    WORD("VerifyHostKeyDNS", verify_host_key_dns, yes_no_ask, "no", BUILT, "look for host keys in DNS"),
    FLAG("VisualHostKey", visual_host_key, "no", BUILT, "show the host key as a picture"),
    WORD("UpdateHostKeys", update_host_keys, yes_no_ask, NULL, BUILT, "learn further host keys of known hosts"),
    FLAG("EnableEscapeCommandline", enable_escape_commandline, "no", LESS, "~C opens a command line"),
    {"WarnWeakCrypto", &kind_flag, AT(warn_weak_crypto), 0, "yes", 0, BUILT, &weak_words, 0, 0, "warn of weak algorithms"},
    NUMBER("CanonicalizeMaxDots", LESS, canonicalize_max_dots, "1", 0, 0, "names with more dots stay as they are"),
    NUMBER("ConnectionAttempts", BUILT, connection_attempts, "1", 0, 0, "tries to connect, one a second"),
    OPTION("ForwardX11Timeout", kind_time, forward_x11_timeout_s, "1200", 0, LESS, NULL, "untrusted X11 ends after this time"),
    NUMBER("NumberOfPasswordPrompts", BUILT, number_of_password_prompts, "3", 0, 0, "password tries"),
    NUMBER("ServerAliveCountMax", BUILT, server_alive_count_max, "3", 0, 0, "unanswered alive messages before giving up"),
    OPTION("ServerAliveInterval", kind_time, server_alive_interval_s, "0", 0, BUILT, NULL, "silence before asking whether the server lives"),
    NUMBER("RequiredRSASize", BUILT, required_rsa_size_bits, "1024", 0, 0, "smallest RSA key taken, in bits"),
    TEXT("BindAddress", bind_address, 0, BUILT, "local address to connect from"),
    TEXT("BindInterface", bind_interface, 0, BUILT, "local interface to connect from"),
    ALGS("Ciphers", ciphers, 0, ciphers, BUILT, "ciphers in order of preference"),
    TEXT("ControlPath", control_path, OPT_NONE_NULL, LESS, "socket for connection sharing"),
    ALGS("HostKeyAlgorithms", host_key_algorithms, AT(host_key_algorithms_set), keys, BUILT, "host key algorithms in order of preference"),
    TEXT("HostKeyAlias", host_key_alias, 0, BUILT, "name to look up host keys by"),
    ALGS("HostbasedAcceptedAlgorithms", hostbased_accepted_algorithms, 0, keys, LESS, "algorithms for host-based login"),
    TEXT("IdentityAgent", identity_agent, 0, BUILT, "socket of the agent"),
    TEXT("IgnoreUnknown", ignore_unknown, 0, BUILT, "unknown options to pass over"),
    TEXT("KbdInteractiveDevices", kbd_interactive_devices, 0, BUILT, "submethods of keyboard-interactive"),
    ALGS("KexAlgorithms", kex_algorithms, 0, kex, BUILT, "key exchange methods in order of preference"),
    ALGS("CASignatureAlgorithms", ca_signature_algorithms, 0, cas, BUILT, "algorithms certificates may be signed with"),
    COMMAND("LocalCommand", local_command, LESS, "local command to run after login"),
    COMMAND("RemoteCommand", remote_command, BUILT, "command to run on the server"),
    OPTION("LogLevel", kind_log_level, log_level, "INFO", 0, BUILT, NULL, "how much to say"),
    ALGS("MACs", macs, 0, macs, BUILT, "MACs in order of preference"),
    TEXT("PKCS11Provider", pkcs11_provider, OPT_NONE_NULL, BUILT, "PKCS#11 library"),
    OPTION("SecurityKeyProvider", kind_text, security_key_provider, "internal", OPT_NONE_NULL, BUILT, NULL, "FIDO library"),
    TEXT("PreferredAuthentications", preferred_authentications, 0, BUILT, "login methods in order of preference"),
    ALGS("PubkeyAcceptedAlgorithms", pubkey_accepted_algorithms, 0, keys, BUILT, "signature algorithms for public key login"),
    OPTION("RevokedHostKeys", kind_texts, revoked_host_keys, NULL, OPT_NONE_NULL | OPT_ONE_LINE, BUILT, NULL, "lists of revoked host keys"),
    OPTION("XAuthLocation", kind_text, xauth_location, "/usr/bin/xauth", 0, LESS, NULL, "xauth program"),
    COMMAND("KnownHostsCommand", known_hosts_command, BUILT, "program that prints host keys"),
    TEXT("Tag", tag, 0, BUILT, "name for Match tagged"),
    OPTION("RefuseConnection", kind_text, refuse_connection, NULL, 0, BUILT, NULL, "do not connect, say this"),
    OPTION("VersionAddendum", kind_addendum, version_addendum, NULL, OPT_REST | OPT_NONE_NULL, BUILT, NULL, "text after the version in the ident line"),
    OPTION("DynamicForward", kind_forward, dynamic_forward, NULL, OPT_APPEND, LESS, &forward_dynamic, "local SOCKS port"),
    OPTION("LocalForward", kind_forward, local_forward, NULL, OPT_APPEND, BUILT, &forward_local, "local port to a remote address"),
    OPTION("RemoteForward", kind_forward, remote_forward, NULL, OPT_APPEND, BUILT, &forward_remote, "remote port to a local address"),
    PAIR("IdentityFile", kind_identity, identity_file, identity_file_set,
         "~/.ssh/id_rsa ~/.ssh/id_ecdsa ~/.ssh/id_ecdsa_sk ~/.ssh/id_ed25519 ~/.ssh/id_ed25519_sk ~/.ssh/id_mldsa44_ed25519", OPT_APPEND, BUILT,
         "private key files"),
    OPTION("CanonicalDomains", kind_domains, canonical_domains, NULL, 0, LESS, NULL, "domains to look for canonical names in"),
    OPTION("CertificateFile", kind_identity, certificate_file, NULL, OPT_APPEND, BUILT, NULL, "user certificates"),
    OPTION("GlobalKnownHostsFile", kind_texts, global_known_hosts_file, "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2",
           OPT_NONE_NULL | OPT_ONE_LINE | OPT_SHOW_NONE, BUILT, NULL, "host key lists of the system"),
    OPTION("UserKnownHostsFile", kind_texts, user_known_hosts_file, "~/.ssh/known_hosts ~/.ssh/known_hosts2",
           OPT_NONE_NULL | OPT_ONE_LINE | OPT_SHOW_NONE, BUILT, NULL, "host key lists of the user"),
    OPTION("SendEnv", kind_send_env, send_env, NULL, OPT_APPEND, BUILT, NULL, "environment variables to send"),
    OPTION("SetEnv", kind_set_env, set_env, NULL, 0, BUILT, NULL, "environment variables to set on the server"),
    OPTION("LogVerbose", kind_texts, log_verbose, NULL, OPT_ONE_LINE | OPT_SHOW_NONE | OPT_NONE_NULL, LESS, NULL, "source lines to log more of"),
    OPTION("ChannelTimeout", kind_channel_timeout, channel_timeout, NULL, 0, BUILT, NULL, "close silent channels"),
    OPTION("PermitRemoteOpen", kind_remote_open, permit_remote_open, NULL, 0, MORE, NULL, "targets of remote SOCKS forwarding"),
    PAIR("AddKeysToAgent", kind_add_keys, add_keys_to_agent, add_keys_to_agent_s, "no", 0, BUILT, "give used keys to the agent"),
    PAIR("ForwardAgent", kind_forward_agent, forward_agent, forward_agent_socket, "no", 0, BUILT, "let the server use the agent"),
    {"ConnectTimeout", &kind_time, AT(connect_timeout_s), 0, "none", 0, BUILT, NULL, -1, 1, "longest wait for the connection"},
    OPTION("TunnelDevice", kind_tunnel_device, tunnel_device, "any:any", 0, LESS, NULL, "tunnel devices"),
    OPTION("CanonicalizePermittedCNAMEs", kind_cnames, canonicalize_permitted_cnames, NULL, OPT_DUMP_AS, LESS,
           "canonicalizePermittedcnames", "names CNAMEs may lead to"),
    PAIR("ControlPersist", kind_persist, control_persist, control_persist_s, "no", 0, LESS, "keep the shared connection open"),
    OPTION("EscapeChar", kind_escape, escape_char, "~", 0, BUILT, NULL, "escape character"),
    OPTION("IPQoS", kind_ipqos, ipqos, "ef cs0", 0, BUILT, NULL, "type of service of packets"),
    OPTION("RekeyLimit", kind_rekey, rekey_limit, "default none", 0, BUILT, NULL, "data and time before new keys"),
    OPTION("StreamLocalBindMask", kind_mask, stream_local_bind_mask, "0177", 0, LESS, NULL, "umask of socket files"),
    OPTION("ObscureKeystrokeTiming", kind_obscure, obscure_keystroke_timing_ms, "yes", 0, BUILT, NULL, "hide the rhythm of typing"),
    OPTION("SyslogFacility", kind_facility, syslog_facility, "USER", 0, LESS, NULL, "facility of log lines"),
    COMMAND("ProxyCommand", proxy_command, BUILT, "command whose input and output is the connection"),
    OPTION("ProxyJump", kind_jump, proxy_jump, NULL, OPT_REST, BUILT, NULL, "hosts to jump over"),
};

static const struct alias aliases[] = {
    {"challengeresponseauthentication", "KbdInteractiveAuthentication"},
    {"skeyauthentication", "KbdInteractiveAuthentication"},
    {"tisauthentication", "KbdInteractiveAuthentication"},
    {"dsaauthentication", "PubkeyAuthentication"},
    {"identityfile2", "IdentityFile"},
    {"keepalive", "TCPKeepAlive"},
    {"hostbasedkeytypes", "HostbasedAcceptedAlgorithms"},
    {"pubkeyacceptedkeytypes", "PubkeyAcceptedAlgorithms"},
    {"smartcarddevice", "PKCS11Provider"},
    {"protocol", NULL}, {"cipher", NULL}, {"fallbacktorsh", NULL}, {"globalknownhostsfile2", NULL}, {"rhostsauthentication", NULL},
    {"userknownhostsfile2", NULL}, {"useroaming", NULL}, {"usersh", NULL}, {"useprivilegedport", NULL},
    /* Debian's OpenSSH knows these; its configuration files name them */
    {"gssapikeyexchange", ""}, {"gssapitrustdns", ""}, {"gssapirenewalforcesrekey", ""}, {"gssapikexalgorithms", ""},
    {"gssapiclientidentity", ""}, {"gssapiserveridentity", ""},
    {"afstokenpassing", ""}, {"kerberosauthentication", ""}, {"kerberostgtpassing", ""}, {"rsaauthentication", ""},
    {"rhostsrsaauthentication", ""}, {"compressionlevel", ""},
};

const struct table ssh_table = {rows, COUNT_OF(rows), aliases, COUNT_OF(aliases), sizeof(struct ssh_conf), false};
