/* SPDX-License-Identifier: ISC */
/* What a face (jailed, reads peer bytes, not trusted) may ask its warden (root, decides), and what the warden says to it. One
 * SOCK_SEQPACKET pair a connection; one datagram a message; every type has exactly one length. The table of asks is also the law of
 * turns: which stage a message belongs to and whether it may come once only. What breaks a row ends the face.
 *
 * Lengths inside a message are checked against their field by bounded(); keys, signatures and texts pass through as opaque bytes. */
#ifndef PRIV_FACE_H
#define PRIV_FACE_H

#include "base/bytes.h"
#include "base/limits.h"

/* ---- stages of a connection, as the warden knows them ---- */
enum {
    AT_HELLO = 1,           /* nothing came yet */
    AT_KEX = 2,             /* the face has shown itself; no session id yet */
    AT_AUTH = 4,            /* session id known (the first hash that was signed), nobody authenticated */
    AT_SESSION = 8,         /* authenticated */
    AT_END = 16,            /* the warden wants no more of it; only the farewell is awaited */
    AT_ANY = AT_KEX | AT_AUTH | AT_SESSION | AT_END
};

/* ---- what the face asks ---- */

/* X(name, struct, stages, once, descriptors) */
#define ASK_TABLE(X) \
    X(HELLO,        ask_hello,        AT_HELLO,              true,  1)   /* its own pidfd */ \
    X(IDENT,        ask_ident,        AT_KEX | AT_AUTH,      true,  0) \
    X(SIGN,         ask_sign,         AT_KEX | AT_SESSION,   false, 0) \
    X(AUTH_OTHER,   ask_auth_other,   AT_AUTH,               false, 0) \
    X(AUTH_SECRET,  ask_auth_secret,  AT_AUTH,               false, 0) \
    X(AUTH_KEY,     ask_auth_key,     AT_AUTH,               false, 0) \
    X(AUTH_KEY_BIG, ask_auth_key_big, AT_AUTH,               false, 0) \
    X(PTY,          ask_pty,          AT_SESSION,            false, 0) \
    X(ENV,          ask_env,          AT_SESSION,            false, 0) \
    X(START,        ask_start,        AT_SESSION,            false, 0) \
    X(START_BIG,    ask_start_big,    AT_SESSION,            false, 0) \
    X(SIGNAL,       ask_signal,       AT_SESSION,            false, 0) \
    X(CLOSE,        ask_close,        AT_SESSION,            false, 0) \
    X(CONNECT,      ask_connect,      AT_SESSION,            false, 0) \
    X(LISTEN,       ask_listen,       AT_SESSION,            false, 0) \
    X(CANCEL,       ask_listen,       AT_SESSION,            false, 0) \
    X(PROVE,        ask_prove,        AT_SESSION,            false, 0) \
    X(AGENT,        ask_agent,        AT_SESSION,            false, 0) \
    X(GROUP,        ask_group,        AT_KEX | AT_SESSION,   false, 0) \
    X(LINE,         ask_line,         AT_ANY,                false, 0) \
    X(BYE,          ask_bye,          AT_ANY,                true,  0)

enum ask_type {
#define X(name, st, stages, once, fds) ASK_##name,
    ASK_TABLE(X)
#undef X
    ASK_COUNT
};

#define ASK_SERVICE_MAX 64
#define ASK_NAME_MAX    64          /* algorithm and method names (RFC 4250 4.6.1) */
#define ASK_KEY_SMALL   1024        /* all but certificates and the longest RSA keys */
#define ASK_SIG_SMALL   1024
#define ASK_COMMAND     4096
#define ASK_COMMAND_BIG 131072      /* the kernel's own limit for one argument */
#define SIGNATURE_OUT   4096        /* a host key's signature blob: RSA 16384 and its name */

struct ask_hello { uint32_t type; };

/* The peer's ident line, for the log. */
struct ask_ident { uint32_t type, text_n; uint8_t text[IDENT_MAX + 1]; };

/* Sign an exchange hash. In AT_KEX it becomes the session id: the warden learns it from what it signs and from nowhere else. */
struct ask_sign { uint32_t type, hostkey, hash_n, alg_n; uint8_t hash[64], alg[ASK_NAME_MAX]; };

struct ask_who { uint32_t user_n, service_n; uint8_t user[USER_NAME_MAX], service[ASK_SERVICE_MAX]; };

/* "none", and methods nobody knows. */
struct ask_auth_other { uint32_t type, method_n; struct ask_who who; uint8_t method[ASK_NAME_MAX]; };

/* A password. kbdint: 0: "password"; 1: keyboard-interactive begins (no secret yet); 2: the answer to its prompt.
 * change: the peer sent a new password, too. A longer one is cut at PASSWORD_MAX + 1 bytes, which is refused. */
struct ask_auth_secret { uint32_t type, kbdint, change, secret_n; struct ask_who who; uint8_t secret[PASSWORD_MAX + 1]; };

struct ask_key_head { uint32_t has_sig, hostbound, alg_n, key_n, sig_n; struct ask_who who; uint8_t alg[ASK_NAME_MAX]; };
struct ask_auth_key { uint32_t type; struct ask_key_head head; uint8_t key[ASK_KEY_SMALL], sig[ASK_SIG_SMALL]; };
struct ask_auth_key_big { uint32_t type; struct ask_key_head head; uint8_t key[PUBKEY_BLOB_MAX], sig[SIGNATURE_MAX]; };

/* From here on: question is the face's own mark, which comes back in the answer; 0: it wants none (not for CONNECT, PROVE, GROUP). */
struct ask_pty {
    uint32_t type, question, chan, cols, rows, xpixels, ypixels, term_n, modes_n;
    uint8_t term[256], modes[TERM_MODES_MAX];
};
struct ask_env { uint32_t type, question, chan, name_n, value_n; uint8_t name[256], value[4096]; };
enum ask_kind { ASK_SHELL, ASK_EXEC, ASK_SUBSYSTEM };
struct ask_start { uint32_t type, question, chan, kind, command_n; uint8_t command[ASK_COMMAND]; };
struct ask_start_big { uint32_t type, question, chan, kind, command_n; uint8_t command[ASK_COMMAND_BIG]; };
struct ask_signal { uint32_t type, question, chan, name_n; uint8_t name[32]; };
struct ask_close { uint32_t type, chan; };                          /* the channel is gone */
struct ask_connect { uint32_t type, question, port, origin_port, host_n, origin_n; uint8_t host[256], origin[64]; };
struct ask_listen { uint32_t type, question, port, host_n; uint8_t host[256]; };
struct ask_agent { uint32_t type, question, chan; };               /* agent forwarding, once for all sessions */
struct ask_prove { uint32_t type, hostkey, alg_n; uint8_t alg[ASK_NAME_MAX]; };   /* hostkeys-prove-00: over the warden's session id */
struct ask_group { uint32_t type, question, min, want, max; };                /* a group for RFC 4419 */
struct ask_line { uint32_t type, level, text_n; uint8_t text[256]; };    /* a debug line; level 1 to 3 */

enum bye_why { BYE_CLOSED, BYE_RESET, BYE_DISCONNECT, BYE_ERROR, BYE_ALIVE, BYE_TOLD, BYE_UNUSED };
struct ask_bye {
    uint32_t type, why;
    uint32_t err, by_peer, msg;     /* ERROR: enum err, whose fault, message number */
    uint32_t reason;                /* DISCONNECT: the peer's number */
    uint32_t ident_done;            /* the peer's ident line had come */
    uint32_t text_n, where_n;
    uint8_t text[1024];             /* DISCONNECT: the peer's words; ERROR: its offer where negotiation failed; raw */
    uint8_t where[32];              /* ERROR: conn_facts.failure_where */
};

union ask {
    uint32_t type;
#define X(name, st, stages, once, fds) struct st name;
    ASK_TABLE(X)
#undef X
};

/* ---- what the warden says ---- */

/* X(name, struct, most descriptors) */
#define SAY_TABLE(X) \
    X(SIGNED,    say_signed,    0)      /* to SIGN */ \
    X(BANNER,    say_banner,    0)      /* before the AUTH it comes with; more than one for a long text */ \
    X(EXT,       say_ext,       0)      /* before the first AUTH: what the second EXT_INFO says, where settings hang on the user */ \
    X(AUTH,      say_auth,      0)      /* to AUTH_* */ \
    X(REPLY,     say_reply,     0)      /* to PTY, ENV, START that failed, SIGNAL, CANCEL, AGENT */ \
    X(STARTED,   say_started,   3)      /* to START: the terminal's master, or sink, source, source_err, or the line to a file hand */ \
    X(EXIT,      say_exit,      0) \
    X(CONNECTED, say_connected, 1)      /* to CONNECT */ \
    X(LISTENING, say_listening, 0)      /* to LISTEN */ \
    X(ACCEPTED,  say_accepted,  1) \
    X(PROVED,    say_signed,    0)      /* to PROVE */ \
    X(GROUP,     say_group,     0)      /* to GROUP */ \
    X(END,       say_end,       0)      /* disconnect */

enum say_type {
#define X(name, st, fds) SAY_##name,
    SAY_TABLE(X)
#undef X
    SAY_COUNT
};

struct say_signed { uint32_t type, ok, sig_n; uint8_t sig[SIGNATURE_OUT]; };
struct say_banner { uint32_t type, text_n; uint8_t text[8192]; };

struct say_ext { uint32_t type, agent, algs_n; uint8_t algs[2048]; };   /* PubkeyAcceptedAlgorithms; agent: forwarding is allowed */

enum say_auth_result { SAY_AUTH_NO, SAY_AUTH_YES, SAY_AUTH_PARTIAL, SAY_AUTH_PK_OK, SAY_AUTH_PROMPT };
/* What the face needs to know of the settings after login. It only saves round trips: the warden enforces them. */
struct policy {
    uint32_t client_alive_s, client_alive_max, max_sessions, unused_timeout_s;
    /* ChannelTimeout, 0: never; session: not begun yet */
    uint32_t session_timeout_s, direct_timeout_s, forwarded_timeout_s, agent_timeout_s, global_timeout_s;
    uint32_t tos_interactive, tos_bulk;             /* IPQoS; above 255: the system's */
    uint64_t rekey_bytes, rekey_s;
};
struct say_auth { uint32_t type, result, methods_n, prompt_n; uint8_t methods[256], prompt[256]; struct policy policy; };

struct say_reply { uint32_t type, question, ok; };
/* files: no program runs, the face serves SFTP with that hand. timeout: ChannelTimeout. */
struct say_started { uint32_t type, question, chan, pty, files, timeout_s; };
struct say_exit { uint32_t type, chan, by_signal, status, core; char signal[32]; };
struct say_connected { uint32_t type, question, ok, reason; char text[128]; };
struct say_listening { uint32_t type, question, ok, port; };
/* agent: a connection to the forwarded agent's socket, not to a port. */
struct say_accepted { uint32_t type, agent, port, origin_port; char host[256], origin[64]; };
struct say_group { uint32_t type, question, ok, p_n, g_n; uint8_t p[2048], g[8]; };
struct say_end { uint32_t type, reason; char text[256]; };

union say {
    uint32_t type;
#define X(name, st, fds) struct st name;
    SAY_TABLE(X)
#undef X
};

/* ---- both ends ---- */

const char *ask_name(uint32_t type);            /* "AUTH_KEY"; "?" */
const char *say_name(uint32_t type);

/* Warden: the turns taken so far. */
struct ask_turns {
    unsigned stage;             /* one of AT_*; the warden sets it */
    uint32_t seen;              /* a bit a type that came */
};

/* Warden: one message into buf. On success *fd is its descriptor or -1. ERR_AGAIN: none there and not `wait`. ERR_PEER_GONE. All other errors
 * are the face's guilt: ERR_FORMAT (type, length, descriptors), ERR_STATE (out of turn). */
MUST_USE enum err ask_recv(int chan, struct ask_turns *turns, union ask *buf, bool wait, int *fd);
/* Is this message one that may come now? What ask_recv() asks of a row; pure. n: its length, fds: its descriptors. */
MUST_USE enum err ask_check(const struct ask_turns *turns, uint32_t type, size_t n, size_t fds);
/* Face: the message's type tells its length. fd -1: none. Waits for room. */
MUST_USE enum err ask_send(int chan, const void *msg, int fd);

MUST_USE enum err say_send(int chan, const void *msg, const int *fds, size_t fd_count);
/* Face: up to 3 descriptors into fds[], unused ones -1. */
MUST_USE enum err say_recv(int chan, union say *buf, bool wait, int fds[3]);

/* A field with its length: the bytes, or ERR_FORMAT when the length is beyond the field. */
#define FIELD(msg, name) bounded((msg)->name, (msg)->name##_n, sizeof (msg)->name)
struct bounded {
    struct bytes b;
    enum err err;
};
static inline struct bounded bounded(const void *p, uint32_t n, size_t cap)
{
    return n <= cap ? (struct bounded){{p, n}, ERR_NONE} : (struct bounded){{NULL, 0}, ERR_FORMAT};
}
/* Fill a field from bytes, cut at its size. */
#define FIELD_SET(msg, name, from) ((msg)->name##_n = field_set((msg)->name, sizeof (msg)->name, (from)))
uint32_t field_set(void *field, size_t cap, struct bytes from);

#endif
