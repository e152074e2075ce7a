/* SPDX-License-Identifier: ISC */
/* ssh_config(5): the client's configuration. How to use it:
 *   c = ssh_conf_new(); options of the command line first (ssh_conf_option, or the field plus ssh_conf_mark), then
 *   ssh_conf_load(), which reads the files for a host, then ssh_conf_finish(), which fills in defaults. First value wins.
 * After ssh_conf_finish() every field below holds its value; before, an unset field is zero. */
#ifndef CONF_SSH_H
#define CONF_SSH_H

#include "conf/value.h"
#include "conf/world.h"

enum ssh_strict { SSH_STRICT_NO, SSH_STRICT_NEW, SSH_STRICT_YES, SSH_STRICT_ASK };
enum ssh_tty { SSH_TTY_AUTO, SSH_TTY_NO, SSH_TTY_YES, SSH_TTY_FORCE };
enum ssh_session { SSH_SESSION_DEFAULT, SSH_SESSION_NONE, SSH_SESSION_SUBSYSTEM };
enum ssh_master { SSH_MASTER_NO, SSH_MASTER_YES, SSH_MASTER_AUTO, SSH_MASTER_ASK, SSH_MASTER_AUTO_ASK };
enum ssh_canonicalize { SSH_CANONICALIZE_NO, SSH_CANONICALIZE_YES, SSH_CANONICALIZE_ALWAYS };
enum ssh_add_keys { SSH_ADD_KEYS_NO, SSH_ADD_KEYS_YES, SSH_ADD_KEYS_ASK, SSH_ADD_KEYS_CONFIRM };
enum ssh_pubkey { SSH_PUBKEY_NO = 0, SSH_PUBKEY_YES = 1, SSH_PUBKEY_UNBOUND = 2, SSH_PUBKEY_HOST_BOUND = 3 };

#define SSH_ESCAPE_NONE (-2)        /* EscapeChar none */

struct ssh_conf {
    /* where to and as whom */
    const char *host;                       /* the host as dump prints it: what the user gave */
    const char *hostname;                   /* Hostname, tokens expanded; the host argument when not set */
    const char *user;
    uint32_t port;
    int address_family;                     /* enum conf_address_family */
    const char *bind_address, *bind_interface;
    const char *host_key_alias;
    uint32_t connection_attempts;
    int64_t connect_timeout_s;              /* -1: none, the system's */
    const char *proxy_command;              /* not expanded */
    const char *proxy_jump;                 /* not expanded */
    bool proxy_use_fdpass;
    bool tcp_keep_alive;
    int64_t server_alive_interval_s;        /* 0: never */
    uint32_t server_alive_count_max;
    struct conf_ipqos ipqos;
    const char *tag;                        /* Match tagged, ssh -P */
    const char *refuse_connection;          /* if set: say it and exit 255 */
    const char *version_addendum;           /* not expanded */

    /* canonical names */
    int canonicalize_hostname;              /* enum ssh_canonicalize */
    struct conf_texts canonical_domains;
    bool canonicalize_fallback_local;
    uint32_t canonicalize_max_dots;
    struct conf_texts canonicalize_permitted_cnames;    /* each "sources:targets" */

    /* algorithms: comma separated, + - ^ already applied; may hold names we do not build */
    const char *ciphers, *macs, *kex_algorithms;
    const char *host_key_algorithms;
    bool host_key_algorithms_set;           /* the user chose: do not reorder by known_hosts */
    const char *ca_signature_algorithms, *hostbased_accepted_algorithms, *pubkey_accepted_algorithms;
    bool compression;
    struct conf_rekey rekey_limit;
    uint32_t required_rsa_size_bits;
    bool warn_weak_crypto;

    /* host keys */
    int strict_host_key_checking;           /* enum ssh_strict */
    bool check_host_ip, hash_known_hosts, no_host_authentication_for_localhost, visual_host_key;
    int verify_host_key_dns;                /* enum conf_ask */
    int update_host_keys;                   /* enum conf_ask */
    struct conf_texts global_known_hosts_file;  /* not expanded */
    struct conf_texts user_known_hosts_file;    /* not expanded: ~ and tokens by ssh_conf_path() */
    struct conf_texts revoked_host_keys;        /* not expanded */
    const char *known_hosts_command;        /* not expanded */
    int fingerprint_hash;                   /* enum conf_fingerprint_hash */

    /* authentication */
    int pubkey_authentication;              /* enum ssh_pubkey */
    bool password_authentication, kbd_interactive_authentication, hostbased_authentication;
    bool gssapi_authentication, gssapi_delegate_credentials;
    const char *kbd_interactive_devices, *preferred_authentications;
    uint32_t number_of_password_prompts;
    bool batch_mode;
    bool identities_only;
    struct conf_texts identity_file;        /* not expanded; the defaults when none was given; an entry "none" is to be skipped */
    bool identity_file_set;                 /* the user named some: a missing one deserves a word */
    struct conf_texts certificate_file;     /* not expanded; skip "none" */
    const char *identity_agent;             /* NULL: $SSH_AUTH_SOCK; "none"; else a path (not expanded) or $NAME */
    int add_keys_to_agent;                  /* enum ssh_add_keys */
    int64_t add_keys_to_agent_s;            /* lifetime, 0: for ever */
    const char *pkcs11_provider, *security_key_provider;
    bool enable_ssh_keysign;

    /* the session */
    int request_tty;                        /* enum ssh_tty */
    int session_type;                       /* enum ssh_session */
    const char *remote_command;             /* not expanded */
    const char *local_command;              /* not expanded */
    bool permit_local_command;
    bool stdin_null, fork_after_authentication;
    int escape_char;                        /* a character, or SSH_ESCAPE_NONE */
    bool enable_escape_commandline;
    struct conf_texts send_env;             /* patterns */
    struct conf_texts set_env;              /* NAME=VALUE */
    uint32_t obscure_keystroke_timing_ms;   /* 0: no */
    struct conf_channel_timeouts channel_timeout;

    /* forwarding */
    struct conf_forwards local_forward, remote_forward, dynamic_forward;    /* dynamic: RemoteForward without a target is in remote */
    bool clear_all_forwardings, exit_on_forward_failure, gateway_ports;
    struct conf_texts permit_remote_open;   /* host:port; empty: any; "none" */
    bool forward_agent;
    const char *forward_agent_socket;       /* another agent than ours: path or $NAME */
    bool forward_x11, forward_x11_trusted;
    int64_t forward_x11_timeout_s;
    const char *xauth_location;
    uint32_t stream_local_bind_mask;        /* umask bits */
    bool stream_local_bind_unlink;
    int tunnel;                             /* enum conf_tunnel */
    struct conf_tunnel_device tunnel_device;

    /* multiplexing */
    int control_master;                     /* enum ssh_master */
    const char *control_path;               /* not expanded; NULL: none */
    bool control_persist;
    int64_t control_persist_s;              /* 0: for ever */

    /* logs */
    int log_level;                          /* enum conf_log_level */
    int syslog_facility;                    /* LOG_USER ... of <syslog.h> */
    struct conf_texts log_verbose;
    const char *ignore_unknown;             /* pattern list */

    struct conf_priv *priv;                 /* which rows are set, memory; not for callers */
};

struct ssh_conf *ssh_conf_new(void);            /* NULL: out of memory */
void ssh_conf_free(struct ssh_conf *c);         /* NULL is fine; fits a CLEANUP wrapper */

/* One "-o" text: "Keyword value" or "Keyword=value". Says its error through the world ("command-line: line 0: Bad configuration
 * option: foo") and returns ERR_USAGE; the program exits 255. Host, Match and Include are refused as OpenSSH does. */
MUST_USE enum err ssh_conf_option(struct ssh_conf *c, const struct conf_world *w, const char *text);

/* The command line sets an option by its keyword and value ("port", "2222"), where the value is one argument taken as it is. */
MUST_USE enum err ssh_conf_set(struct ssh_conf *c, const struct conf_world *w, const char *keyword, const char *value);
/* Whether a keyword has a value from the command line or a file (not a default). */
bool ssh_conf_is_set(const struct ssh_conf *c, const char *keyword);

/* What Host and Match compare with. */
struct ssh_conf_ask {
    const char *host;           /* the host argument as given (after ssh:// or user@ were split off) */
    const char *command;        /* remote command, NULL: none (Match command) */
    const char *session_type;   /* "shell", "exec", "subsystem", "none" (Match sessiontype); NULL: from command and SessionType */
    const char *config_file;    /* -F: only this file; "none": none; NULL: ~/.ssh/config and /etc/ssh/ssh_config */
};
/* Read the files for this host: user's, then the system's; a second pass where CanonicalizeHostname or Match final ask for it.
 * Errors are said through the world; ERR_USAGE: bad options ("terminating, N bad configuration options" was said), exit 255.
 * A missing -F file: "Can't open user config file F: ..." and ERR_NOT_FOUND. */
MUST_USE enum err ssh_conf_load(struct ssh_conf *c, const struct conf_world *w, const struct ssh_conf_ask *ask);

/* Defaults for everything still unset; resolves algorithm list modifiers; hostname from the host argument. */
MUST_USE enum err ssh_conf_finish(struct ssh_conf *c, const struct conf_world *w);

/* The output of `ssh -G`. */
void ssh_conf_dump(const struct ssh_conf *c, struct wr *out);

#endif
