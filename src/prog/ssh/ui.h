/* SPDX-License-Identifier: ISC */
/* ssh's UI process on one page: what it knows, and which file does what.
 *   main.c      the order of things
 *   options.c   the command line into struct ssh_conf
 *   query.c     -Q, -V
 *   say.c       everything that a person reads
 *   link.c      the transport: starting it, messages
 *   reach.c     connecting: TCP, ProxyCommand, ProxyJump
 *   hosts.c     known_hosts files: reading, ordering algorithms, adding lines
 *   hostkey.c   is this the host we think it is?
 *   hostcert.c  its certificate
 *   revoked.c   lists of revoked host keys
 *   update.c    UpdateHostKeys: the host's further keys
 *   dns.c       what DNS says of a host key
 *   agent.c     agent forwarding
 *   pkcs11.c    identities on tokens
 *   keys.c      identities: files, certificates and agent; signing
 *   keyfile.c   opening private key files
 *   lane.c      what sftp gives besides the pipes
 *   token.c     signing with keys on FIDO authenticators
 *   auth.c      the methods, in order
 *   session.c   what happens after login: terminal, signals, exit status
 *   forward.c   -L and -R: listeners and connects
 * This process reads no byte that the peer sent except through priv/client.h's table, and everything it shows of it is escaped. */
#ifndef SSH_UI_H
#define SSH_UI_H

#include <sys/types.h>

#include "base/secret.h"
#include "base/text.h"
#include "conf/ssh.h"
#include "conf/token.h"
#include "key/key.h"
#include "priv/client.h"

#define EXIT_OWN_ERROR 255
#define HOST_FILES_MAX 32
#define HOST_FILE_MAX (64U << 20)

struct ui {
    struct ssh_conf *conf;
    struct conf_world *world;
    struct tokens tokens;
    /* the command line */
    const char *host_arg, *config_file, *log_file;
    char *command;              /* remote command, NULL: none */
    bool dump, version, subsystem, use_stdio_forward;
    char stdio_host[1025];
    uint16_t stdio_port;
    unsigned tty_asked;         /* -t's */
    unsigned verbosity;         /* -v's */
    int lane;                   /* what sftp gave us besides the pipes; -1: nothing */
    /* the transport */
    int ctl;
    pid_t transport;
    unsigned state;             /* enum cm_state */
    uint32_t jail;
    char peer_software[256];
    /* the connection */
    bool proxied;
    pid_t proxy;                /* the command that is our connection; 0: none */
    char address[64];           /* of the peer; "" when proxied */
    uint16_t port;
    /* the host, once it is proven */
    struct secret hostkey, hostkey_sig;
    char hostkey_alg[128];
    uint8_t session_id[64];
    size_t session_id_n;
    bool host_trusted;          /* false: StrictHostKeyChecking=no let a changed key pass */
    bool password_off;          /* for the same reason */
    /* the end */
    bool exit_known, killed;
    int exit_status;
    bool pty;
};

extern struct ui ui;

/* say.c: a line for people, as OpenSSH's log.c writes it to stderr (lines end in \r\n); peer text inside must be escaped by
 * the caller (show()). Levels: conf/value.h. */
void say(int level, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define debug1(...) say(CONF_LOG_DEBUG1, __VA_ARGS__)
#define debug2(...) say(CONF_LOG_DEBUG2, __VA_ARGS__)
NORETURN void fatal(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Text as it is, to stderr even where -E sends the lines elsewhere: banners, answers to escapes. */
void say_raw(const char *text);
void say_level(int level);
void say_change(bool more);     /* by one, as somebody typed at the terminal (~v, ~V), and tell it */
void say_file(const char *path);
/* Escaped peer text, in one of a few rotating static buffers. */
const char *show(struct bytes text);
/* Restore the terminal and leave. */
NORETURN void leave(int status);

/* options.c: leaves with usage on errors. */
void options_parse(int argc, char **argv);
NORETURN void usage(void);

/* query.c */
NORETURN void query_run(const char *what);
void version_show(void);

/* link.c */
void link_start(void);
/* Send; leaves when the transport is gone. */
void link_send(enum cm_type type, const void *body, const int *fds, size_t fd_count);
/* The next message, which the table allows in this state; LINEs, FAILED and the transport's death are dealt with here. */
const struct cm_message *link_recv(void);
/* The next message if there is one, else NULL. */
const struct cm_message *link_poll(void);
/* ConnectTimeout: from now on, the host must show its key within so many seconds; 0: no limit. What then is asked of a person takes as long as it takes. */
void link_deadline(unsigned seconds);
void link_setup(void);          /* CM_START from the configuration */

/* reach.c: fills ui.address; sends CM_SOCKET. */
void reach(void);

/* lane.c: what sftp gave us besides the pipes; first of all. */
void lane_take(void);

/* hosts.c */
struct hosts {                  /* files and their texts */
    char *path[HOST_FILES_MAX];
    struct secret text[HOST_FILES_MAX];
    size_t n, user_n;           /* the user's come first */
};
struct hosts *hosts_read(void);
struct hosts *hosts_reread(void);   /* the user's files again, as they are now */
/* The host name that is looked up, as known_hosts has it: alias or name, with [..]:port. */
const char *hosts_name(void);
/* The address's form, NULL where CheckHostIP does not apply. */
const char *hosts_address(void);
/* HostKeyAlgorithms with those first for which known_hosts has keys of this host or, for certificates, an authority (unless the user
 * chose, or the best of them is among those: then the list is as it is and tells an observer nothing). */
void hosts_order_algs(struct wr *out);
/* Output of KnownHostsCommand for `why` (ORDER, HOSTNAME, ADDRESS); empty where there is none. Leaves when it fails. key NULL: none yet. */
void hosts_command(const char *why, const char *name, const struct pubkey *key, struct secret *out);
/* A name as a new line has it: hashed if HashKnownHosts. */
void hosts_text(struct wr *w, const char *host);
/* Append a line. */
MUST_USE bool hosts_add(const char *host, const char *address, const struct pubkey *key);

/* dns.c: VerifyHostKeyDNS. Fingerprints of host keys (RFC 4255), asked for by a process of its own (ssh-dns) that validates the answer: early,
 * and judged when the key is there. */
void dns_begin(const char *host);
enum dns_verdict {
    DNS_NOTHING,            /* none there, or the answer cannot be believed, or nobody could be asked */
    DNS_DIFFERS,            /* there are some, and none is the key's */
    DNS_MATCHES,            /* but no proof of it */
    DNS_MATCHES_SECURELY    /* proven by DNSSEC from a trust anchor down */
};
enum dns_verdict dns_verify(const struct pubkey *key);

/* hostkey.c: answers CM_HOSTKEY. Leaves if the host is not the one. */
void hostkey_check(const struct cm_hostkey *h);

/* update.c: the server named its keys; it proved those that were asked for. */
void update_told(const struct cm_hostkeys *h);
void update_proved(const struct cm_proved *p);

/* keys.c */
enum signer {                   /* who makes an identity's signatures; another kind is a row here, one in identity_sign() and in open_one() */
    SIGNER_FILE,                /* a private key file, opened when it is needed: priv */
    SIGNER_AGENT,
    SIGNER_PKCS11               /* a token, through ssh-pkcs11-helper: pkcs11.c */
};
struct identity {
    struct identity *next;
    enum signer signer;
    struct pubkey *pub;         /* a plain key or a certificate; NULL: not known before the private file is opened */
    char *path;                 /* private file (a certificate's own, where the user named it), or the agent's comment */
    bool explicit_file, tried, unusable;
    struct privkey *priv;
};
void identities_prepare(void);          /* read the files, early */
/* All in order; the agent is asked, bound to the host that was proven. */
struct identity *identities_load(void);
/* The signature algorithm to use with this key, by our list and what the server takes; NULL: none. */
const struct sig_alg *identity_alg(const struct identity *id, struct bytes server_sig_algs);
/* The connection to the agent that the list was made from; -1: none. */
int identities_agent(void);
/* Open the private half, asking for the passphrase where there is one. False: not to be had. */
bool identity_open(struct identity *id);
MUST_USE enum err identity_sign(struct identity *id, const struct sig_alg *alg, struct bytes msg, struct wr *out);
/* Why that failed. */
const char *identity_why(struct identity *id, enum err e);

/* token.c: the same for a key on a FIDO authenticator, whose private file is open. */
MUST_USE enum err token_sign(struct identity *id, const struct sig_alg *alg, struct bytes msg, struct wr *out);
const char *token_why(void);

/* agent.c: our agent's socket; NULL: none */
const char *agent_path(void);
/* Tell the agent which host this connection serves, so that keys restricted to destinations are listed and can be used. Its answer does not
 * matter: agents other than OpenSSH's and ours know nothing of it. */
void agent_bind(int fd, bool forwarding);
/* Ask for forwarding, if it is wanted and there is an agent; the server opens a connection to it. */
void agent_forward_plan(void);
bool agent_forward_wanted(void);
/* In a child of its own: connect, and tell the agent whom it serves. */
MUST_USE enum err agent_forward_connect(int *out);

/* keyfile.c: the private half of a file's identity; the agent may get it (AddKeysToAgent). False: not to be had, and that was said. */
bool keyfile_open(struct identity *id);

/* pkcs11.c: how many keys PKCS11Provider's tokens have; each of them, which stays theirs; a signature. */
size_t pkcs11_keys(void);
const struct pubkey *pkcs11_public(size_t i, const char **label);
MUST_USE enum err pkcs11_identity_sign(const struct identity *id, const struct sig_alg *alg, struct bytes msg, struct wr *out);

/* auth.c */
void auth_prepare(void);        /* the first try, sent ahead of the answer to the host key */
void auth_run(void);            /* until CM_AUTH_DONE */
void auth_event(const struct cm_message *m);    /* messages of the login, and of key exchanges later on */

/* session.c */
void session_plan(void);        /* CM_SESSION, before login */
NORETURN void session_run(void);
void session_terminal(bool raw);    /* false: lend it to a question */
NORETURN void failed(const struct cm_failed *f);
NORETURN void failed_to_begin(void);        /* the deadline is over */

/* forward.c */
void forward_listen(void);      /* -L listeners open, -R asked for, after login */
#define FORWARD_FDS_MAX 128
size_t forward_fds(int fds[FORWARD_FDS_MAX]);   /* to poll: listeners, and connections on their way */
void forward_ready(int fd);
void forward_listening(const struct cm_listening *l);
void forward_connect(const struct cm_forward_open *f);
void forward_agent(const struct cm_agent_open *o);
bool forward_wanted(void);

#endif
