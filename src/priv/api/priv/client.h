/* SPDX-License-Identifier: ISC */
/* What the client's two processes say to each other: the UI (tty, keys, known_hosts; trusted) and the jailed transport (the only one
 * that reads peer bytes; not trusted). One SOCK_SEQPACKET socket pair, one datagram a message: u32 type, then the fields of the message's row in
 * their order, nothing missing, nothing left. Strings are bounded a field; descriptors are counted a row. The row also says who may
 * send it and in which state of the login: a message out of turn ends the transport.
 *
 * There is no message by which the transport can ask for a signature over a text of its choice: a signature travels inside
 * CM_AUTH, made by the UI over a text of its own (ARCHITECTURE 3, TRUST 35). */
#ifndef PRIV_CLIENT_H
#define PRIV_CLIENT_H

#include "base/bytes.h"
#include "base/limits.h"

#define CM_LIST_MAX   128       /* strings in a list field: SendEnv and SetEnv together, keyboard-interactive answers */
#define CM_FDS_MAX    4
#define CM_MESSAGE_MAX 180000   /* below the kernel's default for a datagram */
#define CM_TEXT_MAX   65536
#define CM_BLOB_MAX   32768
#define CM_NAME_MAX   1024

struct cm_list {
    size_t n;
    struct bytes v[CM_LIST_MAX];
};

enum cm_type {
    /* from the UI */
    CM_START, CM_SOCKET, CM_HOSTKEY_OK, CM_AUTH, CM_ANSWERS, CM_SESSION, CM_WINCH, CM_RESUME, CM_QUIT, CM_DIRECT, CM_LISTEN, CM_FORWARD_TO,
    CM_AGENT, CM_PROVE,
    /* from the transport */
    CM_READY, CM_LINE, CM_KEX, CM_HOSTKEY, CM_AUTH_NEXT, CM_PK_OK, CM_PROMPTS, CM_PASSWD_CHANGE, CM_BANNER, CM_AUTH_DONE,
    CM_SESSION_OPEN, CM_REFUSED, CM_EXIT, CM_SUSPEND, CM_LISTENING, CM_FORWARD_OPEN, CM_AGENT_OPEN, CM_HOSTKEYS, CM_PROVED, CM_FAILED, CM_END,
    CM_COUNT
};

/* Where the UI is in the login; a row has a mask of them. */
enum cm_state {
    CM_AT_BOOT = 1,         /* transport started, not yet jailed */
    CM_AT_KEX = 2,          /* jailed; host key not yet accepted */
    CM_AT_AUTH = 4,         /* host key accepted */
    CM_AT_SESSION = 8       /* logged in */
};

/* UI: everything the conn is made from; sent before connecting, so that key shares are made meanwhile. */
struct cm_start {
    struct bytes software, kex, ciphers, macs, hostkey_algs;
    uint32_t compress, trace_level, guess, unbound;     /* flags; -v's count */
    uint64_t rekey_bytes, rekey_us;
};
/* UI: the connection. Descriptors: the socket; or two, in and out (ProxyCommand). */
struct cm_socket { uint32_t is_socket; };
struct cm_hostkey_ok { uint32_t ok; };
/* UI: one try (conn_auth_try); kept until the first key exchange is done when it comes earlier. */
struct cm_auth {
    uint32_t method;                            /* enum auth_method's order: none, password, publickey, keyboard-interactive */
    struct bytes user, alg, key, sig, password, new_password, devices;
    uint32_t change, sign;                      /* sign: `sig` is the signature */
    uint32_t pipeline;                          /* the session may be opened in the same flight */
};
struct cm_answers { uint32_t ok; struct cm_list answers; };

enum cm_session_kind { CM_SHELL, CM_EXEC, CM_SUBSYSTEM, CM_NO_SESSION, CM_STDIO_FORWARD };
/* UI: what to do after login. Three descriptors: stdin, stdout, stderr; and a lane (sftp/lane.h), if ssh was given one. */
#define SESSION_LANE 3
struct cm_session {
    uint32_t kind, pty, cols, rows, xpixels, ypixels;
    struct bytes command, term, modes, host;    /* host, port: STDIO_FORWARD */
    uint32_t port;
    struct cm_list env;                         /* NAME=value */
    uint32_t escape;                            /* character, or CM_NO_ESCAPE */
    uint32_t fd_kind;                           /* enum pump_fd_kind */
    uint32_t alive_s, alive_max;
    uint32_t session_timeout_s, direct_timeout_s, forwarded_timeout_s, global_timeout_s;    /* ChannelTimeout; 0: never */
    uint32_t obscure_ms;                        /* ObscureKeystrokeTiming; 0: no */
    uint32_t no_more_sessions, extras;          /* extras: forwards may outlive or precede the session (never end while they are open) */
};
#define CM_NO_ESCAPE 0xffffffffU
struct cm_winch { uint32_t cols, rows, xpixels, ypixels; };
struct cm_none { char unused; };
/* UI: an accepted connection (one descriptor) to be carried to host:port. */
struct cm_direct { struct bytes host, origin; uint32_t port, origin_port; };
/* UI: ask the server to listen; the answer is CM_LISTENING with the same tag. */
struct cm_listen { uint32_t tag, port; struct bytes host; };
/* UI: answer to CM_FORWARD_OPEN or CM_AGENT_OPEN, with a connected descriptor if ok. */
struct cm_forward_to { uint32_t id, ok, reason; struct bytes text; };

/* UI: ask for agent forwarding with the session; only then CM_AGENT_OPEN may come. Sent between the host's proof and the session. */
struct cm_agent { uint32_t timeout_s; };        /* ChannelTimeout agent-connection */
/* UI: answer to CM_HOSTKEYS: let the server prove that it owns these keys (packed strings; empty: nothing to prove). CM_PROVED tells the
 * outcome, unless neither keys nor `wait` are set; with `wait` the transport then stands still until CM_RESUME, so that a person can
 * answer at the terminal. Until then a session that is over waits for a moment. */
struct cm_prove { uint32_t wait; struct bytes keys; };

struct cm_ready { uint32_t jail; };             /* what the jail has: bits of enum cm_jail */
enum cm_jail { CM_JAIL_SECCOMP = 1, CM_JAIL_NNP = 2, CM_JAIL_NAMESPACES = 4, CM_JAIL_LANDLOCK = 8 };
struct cm_line { uint32_t level; struct bytes text; };  /* level: 0 always, 1-3 debug; or what was typed, without text: */
enum cm_line_typed { CM_LINE_MORE = 4, CM_LINE_LESS = 5 };  /* ~v and ~V */
struct cm_kex {
    uint32_t first, strict, post_quantum, peer_is_openssh;
    struct bytes ident_local, ident_peer, kex, hostkey_alg, cipher_in, mac_in, compress_in, cipher_out, mac_out, compress_out;
};
/* The host key, its signature and the exchange hash; the first hash is the session id from then on. */
struct cm_hostkey { struct bytes blob, alg, sig, hash; };
struct cm_auth_next { struct bytes methods, sig_algs; uint32_t partial, hostbound; };
struct cm_pk_ok { struct bytes key, alg, sig_algs; uint32_t hostbound; };
struct cm_prompts { struct bytes name, instruction, echo; struct cm_list texts; };  /* echo: a byte a prompt */
struct cm_text { struct bytes text; };
enum cm_refused_what { CM_REFUSED_OPEN, CM_REFUSED_PTY, CM_REFUSED_COMMAND, CM_REFUSED_DIRECT };
struct cm_refused { uint32_t what, chan, reason; struct bytes text; };
struct cm_exit { uint32_t signalled, status, core; struct bytes signal, text; };
struct cm_listening { uint32_t tag, ok, port; };
struct cm_forward_open { uint32_t id, port, origin_port; struct bytes host, origin; };
struct cm_agent_open { uint32_t id; };          /* the server wants a connection to the agent: CM_FORWARD_TO answers */
struct cm_hostkeys { struct bytes keys; };      /* hostkeys-00@openssh.com: the server's keys as packed strings; once a connection */
struct cm_proved { uint32_t ok; struct bytes sigs; };
/* Why the connection ended. `text`, `reason`: the peer's DISCONNECT, if there was one. */
struct cm_failed {
    uint32_t err, by_peer, msg, reason, disconnected, system_error, kex_done;
    struct bytes where, text, offer, ident_peer;
};
struct cm_end { uint64_t bytes_in, bytes_out; };

union cm_body {
    struct cm_start start;
    struct cm_socket socket;
    struct cm_hostkey_ok hostkey_ok;
    struct cm_auth auth;
    struct cm_answers answers;
    struct cm_session session;
    struct cm_winch winch;
    struct cm_direct direct;
    struct cm_listen listen;
    struct cm_forward_to forward_to;
    struct cm_agent agent;
    struct cm_prove prove;
    struct cm_ready ready;
    struct cm_line line;
    struct cm_kex kex;
    struct cm_hostkey hostkey;
    struct cm_auth_next auth_next;
    struct cm_pk_ok pk_ok;
    struct cm_prompts prompts;
    struct cm_text text;                        /* PASSWD_CHANGE, BANNER */
    struct cm_refused refused;
    struct cm_exit exit;
    struct cm_listening listening;
    struct cm_forward_open forward_open;
    struct cm_agent_open agent_open;
    struct cm_hostkeys hostkeys;
    struct cm_proved proved;
    struct cm_failed failed;
    struct cm_end end;
};

struct cm_message {
    enum cm_type type;
    union cm_body u;            /* views point into the buffer given to cm_recv() */
    struct bytes datagram;      /* the whole */
    int fds[CM_FDS_MAX];        /* the receiver owns them; close-on-exec is set */
    size_t fd_count;
};

const char *cm_name(enum cm_type type);

/* Encode and decode, pure. parse: from_transport says whose messages are expected, `state` is one CM_AT_*; a row that does not allow
 * both is ERR_STATE; sizes and counts outside the row ERR_TOO_LONG or ERR_FORMAT; left-over bytes ERR_TRAILING. fd_count is compared
 * with the row by cm_recv(). */
MUST_USE enum err cm_write(enum cm_type type, const void *body, uint8_t *buf, size_t cap, size_t *n);
MUST_USE enum err cm_parse(struct bytes datagram, bool from_transport, unsigned state, struct cm_message *out);

/* Send one message with descriptors (they stay the caller's). Waits if the socket is full. ERR_PEER_GONE, ERR_SYSTEM. */
MUST_USE enum err cm_send(int fd, enum cm_type type, const void *body, const int *fds, size_t fd_count);
/* Receive one; buf[CM_MESSAGE_MAX] is the caller's and is what the views point into. ERR_AGAIN: none there and !wait.
 * ERR_PEER_GONE: the other process ended, and all that it said was received. All else: it misbehaved. No descriptor is leaked on an error. */
MUST_USE enum err cm_recv(int fd, bool from_transport, unsigned state, bool wait, uint8_t *buf, struct cm_message *out);

#endif
