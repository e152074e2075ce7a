/* SPDX-License-Identifier: ISC */
/* sshd_config(5): the server's configuration. It is read once into rows (Include resolved, words split, every value checked);
 * for each connection the rows are evaluated: sshd_conf_for() gives the values with Match applied. Rows are written as one
 * text blob to hand them to a re-executed or companion process. */
#ifndef CONF_SSHD_H
#define CONF_SSHD_H

#include "conf/value.h"
#include "conf/world.h"

enum sshd_root { SSHD_ROOT_NO, SSHD_ROOT_FORCED_ONLY, SSHD_ROOT_PROHIBIT_PASSWORD, SSHD_ROOT_YES };
enum sshd_gateway { SSHD_GATEWAY_NO, SSHD_GATEWAY_YES, SSHD_GATEWAY_CLIENT };
enum sshd_rhosts { SSHD_RHOSTS_NO, SSHD_RHOSTS_YES, SSHD_RHOSTS_SHOSTS };
enum { SSHD_PUBKEY_TOUCH_REQUIRED = 1, SSHD_PUBKEY_VERIFY_REQUIRED = 2 };   /* PubkeyAuthOptions bits */

struct sshd_listen {
    const char *address;        /* as written, no brackets: an address or a name to resolve; "0.0.0.0" and "::" (V6ONLY) when none was given */
    uint16_t port;
};
struct sshd_listens {
    struct sshd_listen *v;
    size_t n;
};

struct sshd_subsystem {
    const char *name, *command;         /* command with its arguments, as written */
};
struct sshd_subsystems {
    struct sshd_subsystem *v;
    size_t n;
};

/* PermitOpen, PermitListen: none and any are both special; else entries "host:port", port may be "*". */
struct sshd_permits {
    bool any, none;             /* neither: v */
    const char **v;
    size_t n;
};

struct sshd_max_startups {
    uint32_t begin, rate_percent, full;
};

struct sshd_penalties {         /* PerSourcePenalties; times in milliseconds */
    bool enabled;
    uint32_t crash_ms, authfail_ms, invaliduser_ms, refuseconnection_ms, noauth_ms, grace_exceeded_ms, max_ms, min_ms;
    uint32_t max_sources4, max_sources6;
    bool overflow_deny_all, overflow6_deny_all;     /* false: permissive */
    unsigned given;             /* which of these a configuration named; not for callers */
};

struct sshd_conf {
    /* listening, admission */
    struct sshd_listens listen;             /* ListenAddress x Port, ready to bind; never empty after sshd_conf_for() */
    struct conf_texts port;                 /* the Port lines, as dumped */
    int address_family;                     /* enum conf_address_family */
    const char *rdomain;                    /* not expanded */
    struct sshd_max_startups max_startups;
    uint32_t per_source_max_startups;       /* UINT32_MAX: none */
    uint32_t per_source_net_block_size_v4, per_source_net_block_size_v6;    /* prefix bits */
    struct sshd_penalties per_source_penalties;
    const char *per_source_penalty_exempt_list;
    int64_t login_grace_time_s;             /* 0: none */
    bool refuse_connection;                 /* drop every connection this applies to (Match), with its penalty */
    const char *pid_file;                   /* NULL: none */
    const char *version_addendum;           /* NULL: none */
    bool use_dns, tcp_keep_alive;
    struct conf_ipqos ipqos;
    const char *sshd_session_path, *sshd_auth_path;     /* taken and dumped, not used */

    /* keys and algorithms */
    struct conf_texts host_key;             /* as written; the defaults when none was given */
    bool host_key_set;                      /* the user named some: a missing one is worth an error */
    struct conf_texts host_certificate;
    const char *host_key_agent;
    const char *host_key_algorithms, *ciphers, *macs, *kex_algorithms;      /* comma separated, + - ^ applied */
    const char *ca_signature_algorithms, *hostbased_accepted_algorithms, *pubkey_accepted_algorithms;
    const char *moduli_file;
    struct conf_rekey rekey_limit;
    uint32_t required_rsa_size_bits;
    int fingerprint_hash;                   /* enum conf_fingerprint_hash */
    bool compression;                       /* yes and delayed: after login */

    /* who may */
    struct conf_texts allow_users, deny_users, allow_groups, deny_groups;   /* patterns; users may be USER@HOST: conf/parse.h conf_user_match() */
    int permit_root_login;                  /* enum sshd_root */
    uint32_t max_auth_tries, max_sessions;
    bool strict_modes;
    struct conf_texts authentication_methods;   /* each "a,b:c,..."; empty or {"any"}: any one method */
    bool pubkey_authentication, password_authentication, kbd_interactive_authentication, hostbased_authentication;
    bool permit_empty_passwords;
    bool use_pam;
    const char *pam_service_name;
    unsigned pubkey_auth_options;           /* SSHD_PUBKEY_* */
    struct conf_texts authorized_keys_file; /* not expanded, relative to home; empty: none */
    const char *authorized_keys_command, *authorized_keys_command_user;
    const char *authorized_principals_file, *authorized_principals_command, *authorized_principals_command_user;
    const char *trusted_user_ca_keys;
    struct conf_texts revoked_keys;
    int ignore_rhosts;                      /* enum sshd_rhosts */
    bool ignore_user_known_hosts, hostbased_uses_name_from_packet_only;
    bool gssapi_authentication, gssapi_cleanup_credentials, gssapi_delegate_credentials, gssapi_strict_acceptor_check;
    bool kerberos_authentication, kerberos_or_local_passwd, kerberos_ticket_cleanup, kerberos_get_afs_token;
    const char *security_key_provider;

    /* the session */
    const char *banner;                     /* a path; NULL: none */
    const char *force_command;
    const char *chroot_directory;           /* not expanded */
    bool permit_tty, permit_user_rc, print_motd, print_last_log, expose_auth_info;
    struct conf_texts accept_env;           /* patterns */
    struct conf_texts set_env;              /* NAME=VALUE */
    bool permit_user_environment;
    const char *permit_user_environment_list;   /* pattern list of allowed names; NULL: by the flag */
    struct sshd_subsystems subsystem;
    int64_t client_alive_interval_s;        /* 0: never */
    uint32_t client_alive_count_max;
    struct conf_channel_timeouts channel_timeout;
    int64_t unused_connection_timeout_s;    /* 0: none */

    /* forwarding */
    bool disable_forwarding;                /* overrides all of these */
    bool allow_agent_forwarding;
    int allow_tcp_forwarding;               /* enum conf_forwarding */
    int allow_stream_local_forwarding;      /* enum conf_forwarding */
    int gateway_ports;                      /* enum sshd_gateway */
    struct sshd_permits permit_open, permit_listen;
    int permit_tunnel;                      /* enum conf_tunnel bits */
    bool x11_forwarding, x11_use_localhost;
    uint32_t x11_display_offset;
    const char *xauth_location;
    uint32_t stream_local_bind_mask;        /* umask bits */
    bool stream_local_bind_unlink;

    /* logs */
    int log_level;                          /* enum conf_log_level */
    int syslog_facility;                    /* LOG_AUTH ... of <syslog.h> */
    struct conf_texts log_verbose;

    struct conf_priv *priv;                 /* which rows are set, memory; not for callers */
};

/* ---- the rows ---- */

struct sshd_rows;
struct sshd_rows *sshd_rows_new(void);              /* NULL: out of memory */
void sshd_rows_free(struct sshd_rows *r);           /* NULL is fine */

/* One "-o" text; comes before the file, so it wins. ERR_USAGE with its line said ("command-line line 0: Bad configuration
 * option: foo"). */
MUST_USE enum err sshd_rows_option(struct sshd_rows *r, const struct conf_world *w, const char *text);
/* A file with everything it includes. Every line is checked, also in Match blocks; all errors are said before ERR_USAGE ("F:
 * terminating, N bad configuration options"). ERR_NOT_FOUND, ERR_SYSTEM: the file cannot be read. */
MUST_USE enum err sshd_rows_read(struct sshd_rows *r, const struct conf_world *w, const char *path);
/* The same from memory; `name` stands in messages. */
MUST_USE enum err sshd_rows_parse(struct sshd_rows *r, const struct conf_world *w, const char *name, struct bytes text);

/* Is there a Match block, so that some connections may get other values than the global ones? */
bool sshd_rows_match(const struct sshd_rows *r);

/* One blob of plain text, and back. The blob is trusted (it comes from ourselves) but a damaged one gives an error. */
void sshd_rows_write(const struct sshd_rows *r, struct wr *out);
MUST_USE enum err sshd_rows_restore(struct bytes blob, const struct conf_world *w, struct sshd_rows **out);

/* ---- values ---- */

/* A connection as Match sees it; what is NULL is unknown and matches nothing (-C: user= host= addr= laddr= lport= rdomain=). */
struct sshd_peer {
    const char *user;           /* NULL before the user name is known: only Match blocks without User/Group can apply */
    bool user_invalid;          /* no such account (Match invalid-user) */
    const char *host;           /* name of the client, or its address when UseDNS is off */
    const char *address, *local_address;
    uint32_t local_port;        /* 0: unknown */
    const char *rdomain;
};
/* "user=bob,host=h,addr=1.2.3.4,laddr=...,lport=22,rdomain=r,invalid-user" into a peer whose texts live in `storage` (cut up in place;
 * call again for a further -C, texts must stay). ERR_USAGE: bad key or number. */
MUST_USE enum err sshd_peer_parse(char *storage, struct sshd_peer *peer);

/* The values for a connection; peer NULL: the global ones (no Match applies except `all`-free lines). Free with sshd_conf_free(). Any number
 * of times a rows. ERR_USAGE: a Match cannot be evaluated; deny the connection. */
MUST_USE enum err sshd_conf_for(const struct sshd_rows *r, const struct conf_world *w, const struct sshd_peer *peer, struct sshd_conf **out);
void sshd_conf_free(struct sshd_conf *c);           /* NULL is fine */

/* What a server refuses to start with (give it the global values): AuthenticationMethods that no enabled method can satisfy, a key
 * command without its user. Says why; ERR_USAGE. */
MUST_USE enum err sshd_conf_check(const struct sshd_conf *c, const struct conf_world *w);

/* The output of `sshd -T`. */
void sshd_conf_dump(const struct sshd_conf *c, struct wr *out);

#endif
