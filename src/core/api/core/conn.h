/* SPDX-License-Identifier: ISC */
/* One SSH connection, either role: transport (RFC 4253), authentication (RFC 4252), channels (RFC 4254). No input or
 * output of its own: the program moves bytes through four doors (input reserve/commit, output peek/consume), turns the
 * crank with conn_next() and answers the questions it gets. No threads, no callbacks, no clock, no system calls. */
#ifndef CORE_CONN_H
#define CORE_CONN_H

#include "base/limits.h"
#include "base/random.h"
#include "base/secret.h"
#include "crypto/cipher.h"
#include "crypto/compress.h"
#include "crypto/kex.h"
#include "crypto/mac.h"

struct conn;

enum role { ROLE_CLIENT, ROLE_SERVER };
enum stream { STREAM_DATA, STREAM_STDERR };

/* ---- setup ---- */

/* A host key the server can sign with; the private half is elsewhere. Views stay valid as long as the conn. */
struct conn_hostkey {
    struct bytes blob;
    struct bytes algs;          /* comma separated signature algorithms this key can make, in preference order */
};

/* Everything a connection is made from. Lists are in preference order; records and views must outlive the conn. */
struct conn_setup {
    enum role role;
    struct random random;       /* cookies, padding, key shares */
    const char *software;       /* what follows "SSH-2.0-" in our ident line: "OpenSSH_10.5 Nacre_0.1" */
    bool ident_sent;            /* the program wrote our ident line to the socket itself; the conn will not */
    const struct kex_alg *const *kex;           /* NULL-terminated, so the next three */
    const struct cipher_alg *const *ciphers;
    const struct mac_alg *const *macs;
    const struct compress_alg *const *compress; /* may be NULL: none only */
    bool compress_first;        /* prefer compression to none */
    struct bytes hostkey_algs;  /* client: accepted signature algorithms; server: unused */
    const struct conn_hostkey *hostkeys;        /* server */
    size_t hostkey_count;
    struct bytes sig_algs;      /* server: server-sig-algs for EXT_INFO; empty: none sent */
    bool agent_untold;          /* server: the first EXT_INFO does not announce RFC 9987's names of agent forwarding */
    uint64_t rekey_bytes;       /* 0: the cipher's own limit */
    uint64_t rekey_us;          /* 0: never by time */
    uint32_t gex_min, gex_want, gex_max;        /* client: RFC 4419 request; 0: 2048, 3072 (or by cipher), 8192 */
    unsigned channels_max;      /* 0: CHANNELS_MAX */
    uint32_t window;            /* initial receive window a channel; 0: WINDOW_START */
    bool unbound;               /* client: do not sign by publickey-hostbound-v00@openssh.com, although the server has it */
    bool guess_kex;             /* client: send the first kex packet with KEXINIT (first_kex_packet_follows) */
    bool trace;                 /* keep the ring conn_trace() reads */
};

struct conn *conn_new(const struct conn_setup *setup);  /* NULL: out of memory or an unusable setup */
void conn_free(struct conn *c);                         /* wipes keys and buffers; NULL is fine */

/* ---- the four doors ---- */

/* Room to read the socket into; empty while the input is full (call conn_next, consume output, answer). */
struct span conn_input_reserve(struct conn *c);
/* n bytes have arrived in it; 0: the peer closed its side. conn_next() then fails with ERR_PEER_GONE when all that came before is dealt
 * with; a server's open question holds that up for PEER_GONE_GRACE_US at most. */
void conn_input_commit(struct conn *c, size_t n);
/* What is to be written to the socket. Valid until the next call on this conn. */
struct bytes conn_output_peek(const struct conn *c);
void conn_output_consume(struct conn *c, size_t n);

/* ---- the crank ---- */

struct event;
/* One step: at most one event. EV_NONE: nothing to do until conn_wants() is served or conn_deadline() passes. An error is
 * final: repeated at each call, facts say whose fault; only peek and consume still work, to flush the DISCONNECT.
 * Views in `out` live until the next conn_next(); those of EV_CHANNEL_DATA, unless facts.compress_in is set, until the next
 * conn_input_reserve(), so that several can be written at once. now_us: a monotonic clock in microseconds. */
MUST_USE enum err conn_next(struct conn *c, uint64_t now_us, struct event *out);

enum {
    WANT_READ = 1,      /* the input has room */
    WANT_WRITE = 2,     /* the output holds bytes */
    WANT_ANSWER = 4,    /* a question stops the street */
    WANT_STEP = 8       /* conn_next can go on right now */
};
unsigned conn_wants(const struct conn *c);
/* When conn_next() must be called even if nothing else happens; UINT64_MAX: never. */
uint64_t conn_deadline(const struct conn *c);

/* ---- events ---- */

enum event_type {
    EV_NONE,
    /* both */
    EV_KEX_DONE,            /* first or a later key exchange finished; facts are new */
    EV_SIGN,                /* question: sign */
    EV_BANNER,              /* client: text */
    EV_CHANNEL_OPEN,        /* question (stays open while others go on): open */
    EV_CHANNEL_OPENED,      /* our open was confirmed: chan */
    EV_CHANNEL_REFUSED,     /* our open was refused: chan (now free), refused */
    EV_CHANNEL_DATA,        /* chan, data: consume with chan_consumed() when it has been passed on */
    EV_CHANNEL_EOF,         /* chan: the peer will send no more data */
    EV_CHANNEL_CLOSED,      /* chan: both sides closed; the number is free from the next conn_next() on */
    EV_CHANNEL_PEER_CLOSED, /* chan: the peer closed one that chan_close_hold() was called for; no data can be sent on it any more, an exit can */
    EV_CHANNEL_REQUEST,     /* chan, request; a question if request.want_reply (else question is 0) */
    EV_REQUEST_DONE,        /* the oldest own channel request with want_reply was answered: chan, done */
    EV_GLOBAL_REQUEST,      /* global; a question if global.want_reply */
    EV_GLOBAL_DONE,         /* the oldest own global request was answered: done (done.data: reply body) */
    EV_PONG,                /* data: what conn_ping() sent */
    EV_DEBUG,               /* text: a DEBUG message with always_display */
    EV_DISCONNECTED,        /* the peer sent DISCONNECT: disconnect; the next conn_next() fails with ERR_DISCONNECTED */
    /* client */
    EV_HOSTKEY_CHECK,       /* question: hostkey; the signature over H was verified by the core */
    EV_AUTH_READY,          /* ssh-userauth is available (asked for with the first auth try at the latest) */
    EV_AUTH_NEXT,           /* the last try failed or counted partly: auth_next */
    EV_PK_OK,               /* the server would take this key: pk_ok */
    EV_PROMPTS,             /* question: prompts (keyboard-interactive) */
    EV_PASSWD_CHANGE,       /* the server wants a new password: text is its prompt; try AUTH_PASSWORD with new_password */
    EV_AUTH_DONE,           /* logged in */
    /* server */
    EV_AUTH_TRY,            /* question: auth */
    EV_GEX_GROUP            /* question: gex; answer with group */
};

enum channel_request_type {     /* what a channel request's body was parsed into */
    REQ_PTY, REQ_X11, REQ_ENV, REQ_SHELL, REQ_EXEC, REQ_SUBSYSTEM, REQ_WINDOW_CHANGE, REQ_XON_XOFF, REQ_SIGNAL, REQ_BREAK,
    REQ_EXIT_STATUS, REQ_EXIT_SIGNAL, REQ_AUTH_AGENT, REQ_EOW, REQ_KEEPALIVE, REQ_OTHER
};

struct channel_request {
    enum channel_request_type type;
    bool want_reply;
    struct bytes name;                          /* as it travels: "pty-req". Sending: OTHER, and AUTH_AGENT by RFC 9987's name "agent-req" */
    struct bytes text;                          /* PTY: TERM; ENV: name; EXEC: command; SUBSYSTEM: name; SIGNAL, EXIT_SIGNAL: name without SIG */
    struct bytes value;                         /* ENV: value; PTY: encoded modes (RFC 4254 8); EXIT_SIGNAL: message; OTHER: whole body */
    uint32_t cols, rows, xpixels, ypixels;      /* PTY, WINDOW_CHANGE */
    uint32_t number;                            /* EXIT_STATUS, BREAK (ms), X11: screen */
    bool flag;                                  /* EXIT_SIGNAL: core dumped; X11: single connection */
};

enum open_type { OPEN_SESSION, OPEN_DIRECT_TCPIP, OPEN_FORWARDED_TCPIP, OPEN_X11, OPEN_AUTH_AGENT, OPEN_OTHER };
enum { OPEN_PROHIBITED = 1, OPEN_CONNECT_FAILED = 2, OPEN_UNKNOWN_TYPE = 3, OPEN_RESOURCE = 4 };   /* RFC 4254 5.1 */

struct channel_open {
    enum open_type type;
    struct bytes name;                          /* as it travels. Sending: OTHER, and AUTH_AGENT by RFC 9987's name "agent-connect" */
    struct bytes host, origin;                  /* tcpip: target (or listened) host; originator's address */
    uint32_t port, origin_port;
    struct bytes body;                          /* OTHER: type specific data */
};

enum global_type { GLOBAL_TCPIP_FORWARD, GLOBAL_CANCEL_TCPIP_FORWARD, GLOBAL_NO_MORE_SESSIONS, GLOBAL_KEEPALIVE,
                   GLOBAL_HOSTKEYS, GLOBAL_HOSTKEYS_PROVE, GLOBAL_OTHER };

struct global_request {
    enum global_type type;
    bool want_reply;
    struct bytes name;
    struct bytes host;                          /* tcpip-forward: address to bind */
    uint32_t port;
    struct bytes body;                          /* HOSTKEYS*: the key blobs as strings; OTHER: the whole body */
};

enum auth_method { AUTH_NONE, AUTH_PASSWORD, AUTH_PUBLICKEY, AUTH_KBDINT, AUTH_HOSTBASED, AUTH_OTHER };

/* A USERAUTH_REQUEST (or a keyboard-interactive response), as the server sees it. Policy is all the program's. */
struct auth_try {
    struct bytes user, service, method_name;
    enum auth_method method;
    bool response;                              /* KBDINT: answers to the prompts of the last round */
    struct bytes password, new_password;        /* PASSWORD; `change` says whether new_password was sent */
    bool change;
    bool hostbound;                             /* PUBLICKEY: publickey-hostbound-v00@openssh.com; its host key matched ours */
    bool has_sig;                               /* PUBLICKEY: false is a query */
    struct bytes alg, key, sig;
    struct bytes hostkey;                       /* hostbound: the server host key blob in the request */
    struct bytes signed_text;                   /* PUBLICKEY: session id (as string) and request, as the signature covers it */
    struct bytes devices;                       /* KBDINT */
    struct bytes answers[PROMPTS_MAX];
    size_t answer_count;
};

struct prompt {
    struct bytes text;
    bool echo;
};

struct event {
    enum event_type type;
    uint32_t chan;              /* our channel number */
    uint32_t question;          /* pass it to conn_answer(); 0: none */
    union {
        struct { enum stream stream; struct bytes bytes; } data;
        struct bytes text;      /* raw peer text: escape before showing */
        struct channel_open open;
        struct { uint32_t reason; struct bytes text; } refused, disconnect;
        struct channel_request request;
        struct { bool ok; uint32_t tag; struct bytes data; } done;      /* tag: as given with the request */
        struct global_request global;
        struct { struct bytes key, alg, sig; } hostkey, pk_ok;  /* sig: hostkey only, the server's over facts' exchange_hash */
        struct { struct bytes methods; bool partial; } auth_next;
        struct { struct bytes name, instruction; struct prompt prompt[PROMPTS_MAX]; size_t count; } prompts;
        struct auth_try auth;
        /* server: msg is the exchange hash, key the index in setup.hostkeys, alg the negotiated signature algorithm.
         * client: msg is the text to sign for the key and alg of the running AUTH_PUBLICKEY try. */
        struct { struct bytes msg, alg, key_blob; size_t hostkey; } sign;
        struct { uint32_t min, want, max; } gex;
    };
};

/* ---- answers ---- */

enum answer_type { ANSWER_YES, ANSWER_NO, ANSWER_PARTIAL, ANSWER_PK_OK, ANSWER_PROMPTS, ANSWER_PASSWD_CHANGE };

struct answer {
    enum answer_type type;      /* NO to EV_HOSTKEY_CHECK or EV_SIGN (server) ends the connection; to EV_SIGN (client) the try */
    struct bytes data;          /* SIGN: signature blob; AUTH NO/PARTIAL: methods that can continue; PASSWD_CHANGE: prompt;
                                   GLOBAL YES: reply body; CHANNEL_OPEN NO: text */
    uint32_t reason;            /* CHANNEL_OPEN NO: OPEN_* */
    struct bytes name, instruction;             /* PROMPTS to AUTH_TRY */
    const struct prompt *prompts;
    const struct bytes *answers;                /* client, EV_PROMPTS YES: one a prompt */
    size_t count;
    struct kex_group group;                     /* GEX_GROUP YES */
};

/* ERR_USAGE: no such open question, or the wrong kind of answer. ERR_AGAIN: no room (only for channel opens), ask again later. */
MUST_USE enum err conn_answer(struct conn *c, uint32_t question, const struct answer *a);

/* ---- client authentication ---- */

struct auth_attempt {
    struct bytes user, service; /* service empty: "ssh-connection" */
    enum auth_method method;
    struct bytes password, new_password;
    bool change;
    struct bytes alg, key;      /* PUBLICKEY */
    bool sign;                  /* PUBLICKEY: false asks first (EV_PK_OK), true signs (EV_SIGN) */
    struct bytes devices;       /* KBDINT */
};
/* Sends a request; before the first, SERVICE_REQUEST goes out in the same flight. May be called as soon as EV_KEX_DONE was
 * seen. ERR_STATE: one is running. */
MUST_USE enum err conn_auth_try(struct conn *c, const struct auth_attempt *a);

/* Server: a banner, before authentication succeeds. */
MUST_USE enum err conn_banner(struct conn *c, struct bytes text);

/* Server: a second EXT_INFO, once the user is known, for a client that said ext-info-in-auth@openssh.com (facts.peer_ext_info_late): what counts for
 * this user. agent: RFC 9987's names of agent forwarding are announced. Once, before authentication succeeds; else ERR_STATE. */
MUST_USE enum err conn_ext_info(struct conn *c, struct bytes sig_algs, bool agent);

/* ---- channels ---- */

/* Opens a channel; its number to *chan at once. Allowed for a client while an auth try is pending that should succeed (the
 * packets follow the request in the same flight, RFC 4252 5.3). ERR_AGAIN, ERR_BUDGET (too many). */
MUST_USE enum err chan_open(struct conn *c, const struct channel_open *what, uint32_t *chan);
/* Sends a channel request (fields as in struct channel_request; name is used for OTHER only). tag comes back in EV_REQUEST_DONE. */
MUST_USE enum err chan_request(struct conn *c, uint32_t chan, const struct channel_request *r, uint32_t tag);

/* Room for payload inside the packet being built: empty if window, out buffer or a running key exchange forbid. Between
 * reserve and commit no other call on this conn. Commit n <= reserved; 0 cancels. */
struct span chan_reserve(struct conn *c, uint32_t chan, enum stream s);
/* The payload rooms of the next packets (at most n); returns how many. Before each room lie `head` bytes of the same packet for
 * the caller to fill (out[i].p - head); they are not part of the room. Rooms are to be filled in order; chan_commit()'s n counts
 * the bytes in rooms, heads not. */
size_t chan_reserve_v(struct conn *c, uint32_t chan, enum stream s, size_t head, struct span *out, size_t n);
void chan_commit(struct conn *c, uint32_t chan, enum stream s, size_t n);
/* How many bytes chan_reserve_v could take now in all (0: wait). */
size_t chan_room(const struct conn *c, uint32_t chan);
/* The program passed on n bytes of received data: the window reopens. */
void chan_consumed(struct conn *c, uint32_t chan, size_t n);
/* Cannot fail; flushed in this order by conn_next: exit status (or signal), eof, close. */
void chan_exit_status(struct conn *c, uint32_t chan, uint32_t status);
void chan_exit_signal(struct conn *c, uint32_t chan, const char *name, bool core_dumped);   /* name without SIG; static */
void chan_eof(struct conn *c, uint32_t chan);
void chan_close(struct conn *c, uint32_t chan);
/* From now on the peer's CLOSE is not answered at once, but after chan_exit_*() or chan_close(): clients close when they saw EOF, and would
 * otherwise never learn the status of a program that ends a moment after its output (OpenSSH's server waits, too). */
void chan_close_hold(struct conn *c, uint32_t chan);
/* Tell an OpenSSH peer that we read no more (eow@openssh.com); nothing for others. */
void chan_eow(struct conn *c, uint32_t chan);
/* A word of the program's own at the channel. */
void chan_set_user(struct conn *c, uint32_t chan, void *user);
void *chan_user(const struct conn *c, uint32_t chan);

/* ---- the connection as a whole ---- */

/* A global request; with want_reply its answer comes as EV_GLOBAL_DONE in order. */
MUST_USE enum err conn_global(struct conn *c, const struct global_request *g, uint32_t tag);
MUST_USE enum err conn_ping(struct conn *c, struct bytes data);     /* ERR_UNSUPPORTED: peer has no ping@openssh.com */
MUST_USE enum err conn_rekey(struct conn *c);                       /* start a key exchange as soon as possible */
/* Other limits than setup's from now on (RekeyLimit for this user). 0: as there. */
void conn_rekey_limits(struct conn *c, uint64_t bytes, uint64_t us);
/* Send DISCONNECT and stop: conn_next() then fails with ERR_BY_APPLICATION. */
void conn_disconnect(struct conn *c, uint32_t reason, struct bytes text);
/* Our own no-more-sessions, hostkeys-00 ... are conn_global() calls. */

/* Server: no further session channels were promised by the peer (no-more-sessions@openssh.com); the core refuses them then. */

/* Give idle buffers back (the program may madvise them too): true if both are empty now. */
bool conn_idle_buffers(struct conn *c, struct span *in, struct span *out);

/* ---- facts ---- */

struct conn_facts {
    bool kex_done, authenticated, strict_kex, peer_is_openssh;
    struct bytes ident_local, ident_peer;       /* without CR LF; raw peer text */
    struct bytes session_id;
    struct bytes exchange_hash;                 /* of the latest key exchange */
    const struct kex_alg *kex;
    struct bytes hostkey_alg;                   /* negotiated signature algorithm */
    struct bytes hostkey;                       /* client: the server's key blob; server: ours */
    const struct cipher_alg *cipher_in, *cipher_out;
    const struct mac_alg *mac_in, *mac_out;     /* NULL with an AEAD */
    const struct compress_alg *compress_in, *compress_out;  /* NULL: none */
    struct bytes server_sig_algs;               /* client: from EXT_INFO; empty: not sent */
    bool peer_ping, peer_hostbound, peer_ext_info;
    bool peer_ext_info_late;                    /* server: the client takes another EXT_INFO during authentication */
    bool peer_agent_forward;                    /* client: the server announced RFC 9987's names of agent forwarding */
    uint64_t bytes_in, bytes_out, packets_in, packets_out;
    uint32_t rekeys;                            /* key exchanges finished */
    unsigned channels;                          /* in use */
    /* when conn_next() failed */
    enum err failure;
    bool failure_by_peer;                       /* the peer broke a rule or left */
    const char *failure_where;                  /* "KEXINIT", "packet", ...: static text */
    uint32_t failure_msg;                       /* message number concerned, or 0 */
    struct bytes peer_offer;                    /* the peer's list where nothing was common (ERR_NO_KEX ...) */
};
const struct conn_facts *conn_facts(const struct conn *c);

/* ---- trace: debug lines are made from these, pulled by the program from a fixed ring (oldest lost first) ---- */

enum trace_type { TRACE_SENT, TRACE_RECEIVED, TRACE_IDENT, TRACE_KEX_LOCAL, TRACE_KEX_PEER, TRACE_KEX_CHOSEN, TRACE_NEWKEYS_SENT,
                  TRACE_NEWKEYS_RECEIVED, TRACE_EXT_INFO, TRACE_REKEY, TRACE_WINDOW, TRACE_LOST, TRACE_GEX_REQUEST, TRACE_DH_BITS };
struct trace {
    enum trace_type type;
    uint32_t a, b;              /* SENT/RECEIVED: message number, payload length; WINDOW: channel, new size; LOST: how many;
                                   DH_BITS: bits set in a public value, bits of the group */
    char text[96];              /* already escaped; GEX_REQUEST: "min<want<max" as sent */
};
bool conn_trace(struct conn *c, struct trace *out);
/* Keep the ring from now on, where setup.trace did not ask for it. ERR_NOMEM. */
MUST_USE enum err conn_trace_start(struct conn *c);

/* The name of an SSH message number ("KEXINIT"), for logs and traces; "?" where it has none. */
const char *message_name(uint8_t number);

#endif
