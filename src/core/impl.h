/* SPDX-License-Identifier: ISC */
/* The inside of struct conn, shared by core's files and nobody else. */
#ifndef CORE_IMPL_H
#define CORE_IMPL_H

#include "core/conn.h"
#include "base/wr.h"
#include "base/rd.h"

/* Message numbers (RFC 4250 4.1.2; 192 and 193: OpenSSH's PROTOCOL 1.11). */
enum {
    MSG_DISCONNECT = 1, MSG_IGNORE, MSG_UNIMPLEMENTED, MSG_DEBUG, MSG_SERVICE_REQUEST, MSG_SERVICE_ACCEPT, MSG_EXT_INFO,
    MSG_KEXINIT = 20, MSG_NEWKEYS = 21,
    MSG_KEX_INIT = 30, MSG_KEX_REPLY = 31, MSG_GEX_GROUP = 31, MSG_GEX_INIT = 32, MSG_GEX_REPLY = 33, MSG_GEX_REQUEST = 34,
    MSG_USERAUTH_REQUEST = 50, MSG_USERAUTH_FAILURE, MSG_USERAUTH_SUCCESS, MSG_USERAUTH_BANNER,
    MSG_USERAUTH_60 = 60, MSG_USERAUTH_INFO_RESPONSE = 61,
    MSG_GLOBAL_REQUEST = 80, MSG_REQUEST_SUCCESS, MSG_REQUEST_FAILURE,
    MSG_CHANNEL_OPEN = 90, MSG_CHANNEL_OPEN_CONFIRMATION, MSG_CHANNEL_OPEN_FAILURE, MSG_CHANNEL_WINDOW_ADJUST,
    MSG_CHANNEL_DATA, MSG_CHANNEL_EXTENDED_DATA, MSG_CHANNEL_EOF, MSG_CHANNEL_CLOSE, MSG_CHANNEL_REQUEST,
    MSG_CHANNEL_SUCCESS, MSG_CHANNEL_FAILURE,
    MSG_PING = 192, MSG_PONG = 193
};

/* How far the connection has come. */
enum stage { STAGE_IDENT, STAGE_FIRST_KEX, STAGE_SERVICE, STAGE_AUTH, STAGE_OPEN, STAGE_DEAD };

/* Where the inbound side of a key exchange stands: what the peer may send. */
enum kex_phase {
    KEX_NONE,       /* no exchange, or only we have sent KEXINIT */
    KEX_EXCHANGE,   /* the peer's KEXINIT is in: its method's messages */
    KEX_NEWKEYS     /* the peer's NEWKEYS is next */
};

/* One direction's packet protection. */
struct direction {
    const struct cipher_alg *cipher_alg;    /* NULL: none yet */
    struct cipher *cipher;
    const struct mac_alg *mac_alg;          /* NULL with an AEAD */
    struct mac *mac;
    const struct compress_alg *compress_alg;
    struct compress *compress;              /* NULL: none or not begun */
    uint32_t seq;
    uint64_t bytes, packets;                /* under the present keys */
    uint64_t bytes_max;
};

#define KEX_LISTS 10

/* What one key exchange needs; wiped when it is over. */
struct kex {
    struct wr init_local, init_peer;        /* KEXINIT payloads, for the exchange hash */
    const struct kex_alg *alg;
    struct bytes hostkey_alg;               /* view into own lists */
    const struct conn_hostkey *hostkey;     /* server */
    size_t hostkey_index;
    const struct cipher_alg *cipher[2];     /* [0] client to server, [1] server to client */
    const struct mac_alg *mac[2];
    const struct compress_alg *compress[2];
    const struct kex_alg *started;          /* client: method the share below belongs to */
    struct kex_state *state;                /* client: the share */
    struct wr client_public, server_public, gex, hostkey_blob, signature;
    struct secret shared;
    uint8_t hash[HASH_MAX];
    uint8_t expect;                         /* the one method message the peer may send next */
    bool skip_guess;                        /* the peer's next packet is a wrong guess */
    bool guess_sent, guess_wrong;           /* client: our guess */
    uint32_t gex_min, gex_want, gex_max;
};

/* Own requests that wait for their answer, in order of sending. chan: CHAN_GLOBAL for global ones. */
#define CHAN_GLOBAL UINT32_MAX
struct outstanding {
    uint32_t chan, tag;
};

enum chan_state { CHAN_FREE, CHAN_OPENING, CHAN_ASKED, CHAN_OPEN };
enum {
    CHAN_EOF_SENT = 1, CHAN_EOF_RCVD = 2, CHAN_CLOSE_SENT = 4, CHAN_CLOSE_RCVD = 8,
    CHAN_WANT_EXIT = 16, CHAN_WANT_EOF = 32, CHAN_WANT_CLOSE = 64, CHAN_WANT_EOW = 128,
    CHAN_CLOSED_SHOWN = 256,    /* EV_CHANNEL_CLOSED went out: free at the next step */
    CHAN_IS_SESSION = 512, CHAN_STARTED = 1024, /* server: one of shell, exec, subsystem was accepted or asked */
    CHAN_EOW_SENT = 2048, CHAN_CORE_DUMPED = 4096,
    CHAN_CLOSE_HELD = 8192      /* our CLOSE waits for the exit, whatever the peer does */
};

struct channel {
    enum chan_state state;
    unsigned flags;
    uint32_t remote;                        /* the peer's number */
    uint32_t generation;                    /* of CHAN_ASKED's question */
    uint32_t remote_window, remote_packet_max;
    uint32_t local_window;                  /* what the peer may still send */
    uint32_t window_max;                    /* what we grow it back to */
    uint32_t unconsumed;                    /* received, not yet passed on by the program */
    uint32_t consumed;                      /* passed on, not yet given back to the peer */
    uint64_t round_start_us;                /* bytes within one round trip: window growth */
    uint32_t round_bytes;
    uint32_t exit_status;
    const char *exit_signal;                /* NULL: status */
    void *user;
};

enum question_kind { ASK_NONE, ASK_HOSTKEY, ASK_SIGN_KEX, ASK_SIGN_AUTH, ASK_GEX, ASK_AUTH, ASK_PROMPTS, ASK_CHANNEL_REQUEST,
                     ASK_GLOBAL };

#define TRACE_RING 256

struct conn {
    struct conn_setup setup;
    struct conn_facts facts;
    enum stage stage;
    uint64_t now_us;
    enum err failure;

    /* buffers */
    uint8_t *in, *out;
    size_t in_head, in_tail;                /* unopened input */
    size_t in_view;                         /* bytes of the packet whose view is out: dropped at the next step */
    size_t in_need;                         /* input needed before the next packet can be opened */
    bool in_block_open;                     /* STREAM: the first block at in_head is decrypted already */
    uint32_t in_len;                        /* chained: the length found in it, or one made up in its place */
    uint32_t in_made_up;                    /* chained: all ones where it was made up; 0 else */
    bool in_refused;                        /* chained: the packet at in_head is bad; how it was must not show */
    bool in_ended;                          /* the peer closed */
    size_t out_head, out_tail;
    uint8_t *scratch_in, *scratch_out;      /* compression only */
    uint8_t pad[512];                       /* random bytes for padding, used up and refilled */
    size_t pad_left;
    struct wr pend;                         /* control messages that wait for our NEWKEYS: u32 length, payload */
    size_t pend_head;
    bool msg_queued;                        /* the message being written goes there */
    size_t msg_mark;

    /* transport */
    struct direction rx, tx;
    struct wr ident_local, ident_peer;
    unsigned pre_lines;
    enum kex_phase kex_phase;
    bool kex_out;                           /* our KEXINIT is out, our NEWKEYS not yet */
    bool kex_in;                            /* the peer's KEXINIT is in, its NEWKEYS not yet */
    bool rekey_wanted;
    struct kex kex;
    struct secret keys[6];                  /* IV, key, MAC: client to server, then server to client */
    uint64_t kex_deadline_us, rekey_at_us;
    uint64_t gone_at_us;                    /* server: the peer closed while a question is open; it is waited for no longer than that */
    uint8_t session_id[HASH_MAX];
    size_t session_id_len;
    struct wr hostkey_seen;                 /* client: the key accepted at first */
    bool strict, first_kex_done, ext_info_peer, ext_info_sent, ext_info_late;
    unsigned packets_before_kexinit, unimplemented;
    uint32_t packets_since_newkeys;
    uint64_t rtt_us, rtt_mark_us;           /* least round trip seen in the handshake; start of a sample */
    uint64_t open_mark_us;                  /* a channel was confirmed then: its first message comes a round trip later; 0: none awaited */
    uint32_t open_mark_chan;
    struct wr sig_algs_peer;

    /* the open question */
    enum question_kind ask;
    uint32_t ask_id, ask_seq, ask_chan;

    /* authentication */
    bool service_requested, service_accepted, auth_running, auth_sign_due, auth_sent_sign;
    enum auth_method auth_method;
    bool kbdint_running;
    size_t kbdint_prompts;
    struct wr auth_request;                 /* client: the request being signed: session id string, then the payload */
    size_t auth_payload_at;
    struct wr auth_alg, auth_key;           /* client: of the running public key try */
    struct wr auth_text;                    /* server: signed_text */

    /* connection */
    struct channel *chans;
    uint32_t chan_cap;
    unsigned opens_asked, dirty;            /* dirty: a channel has bits to flush, or windows to give */
    uint32_t generation;
    uint64_t window_total;
    struct outstanding outstanding[REQUESTS_PENDING_MAX];
    size_t outstanding_n;
    bool no_more_sessions;
    struct { uint32_t chan; enum stream stream; size_t head, count, room; } reserve;

    struct trace *trace;
    unsigned trace_head, trace_n, trace_lost;
};

/* ---- conn.c ---- */
/* Ends the connection: notes the failure, puts a DISCONNECT into the output where one is due. Returns e. */
enum err conn_fail(struct conn *c, enum err e, bool by_peer, const char *where);
uint32_t conn_ask(struct conn *c, enum question_kind kind);
static inline bool is_server(const struct conn *c) { return c->setup.role == ROLE_SERVER; }

/* ---- trace.c ---- */
void trace_add(struct conn *c, enum trace_type t, uint32_t a, uint32_t b, struct bytes text);

/* ---- ident.c ---- */
enum err ident_send(struct conn *c);
enum err ident_receive(struct conn *c, bool *done);

/* ---- packet.c ---- */
struct payload {
    uint8_t *p;
    size_t n;
};
/* The next packet, opened in place; *have false: more input is needed. */
enum err packet_open(struct conn *c, struct payload *out, bool *have);
/* Room for a payload of at most `max` bytes at the output's end; NULL: no room. */
uint8_t *packet_begin(struct conn *c, size_t max);
/* Seals what was written there. */
enum err packet_end(struct conn *c, size_t n);
size_t packet_overhead(const struct conn *c);           /* most bytes a packet has beyond its payload */
size_t packet_size(const struct direction *d, size_t payload);  /* sealed size of a payload with least padding */
enum err packet_seal_at(struct conn *c, uint8_t *packet, size_t payload);
size_t out_room(struct conn *c);                        /* free bytes at the end, after closing the gap in front if that helps */
void direction_clear(struct direction *d);

/* Messages: w = msg_begin(c, number); wr_...; TRY(msg_end(c, &w)). Queued behind a running key exchange where it must. */
struct wr msg_begin(struct conn *c, uint8_t number);
enum err msg_end(struct conn *c, struct wr *w);
enum err msg_simple(struct conn *c, uint8_t number);
/* Moves queued messages out as room allows. */
enum err pend_flush(struct conn *c);
static inline bool pend_empty(const struct conn *c) { return c->pend_head == c->pend.n; }

/* ---- gate.c ---- */
/* Admit one packet and run its handler: at most one event. */
enum err gate_pass(struct conn *c, struct payload p, struct event *out);

/* ---- kexinit.c, kex.c ---- */
enum err kexinit_send(struct conn *c);
enum err on_kexinit(struct conn *c, struct rd *r, struct event *ev);
enum err kex_begin(struct conn *c);                     /* both KEXINITs are known, the choice is made */
enum err kex_guess(struct conn *c);                     /* client: compute (and send) the first share ahead */
enum err on_kex_message(struct conn *c, struct rd *r, struct event *ev);
enum err on_newkeys(struct conn *c, struct rd *r, struct event *ev);
enum err kex_answer(struct conn *c, const struct answer *a);
void kex_clear(struct conn *c);

/* ---- transport.c ---- */
typedef enum err handler(struct conn *c, struct rd *r, struct event *ev);
handler on_disconnect, on_ignore, on_unimplemented, on_debug, on_service_request, on_service_accept, on_ext_info, on_ping, on_pong;
enum err ext_info_send(struct conn *c);

/* ---- auth_*.c ---- */
handler on_userauth_request, on_userauth_info_response, on_userauth_failure, on_userauth_success, on_userauth_banner,
    on_userauth_60;
enum err auth_answer_server(struct conn *c, const struct answer *a);
enum err auth_answer_client(struct conn *c, const struct answer *a);
enum err auth_sign_event(struct conn *c, struct event *ev);
enum err auth_finish(struct conn *c);                   /* authentication succeeded: stage open, delayed compression */

/* ---- channel.c, chan_request.c, global.c ---- */
handler on_channel_open, on_channel_open_confirmation, on_channel_open_failure, on_window_adjust, on_channel_data, on_channel_eof,
    on_channel_close, on_channel_request, on_channel_reply, on_channel_reply_failure, on_global_request, on_global_reply,
    on_global_reply_failure;
struct channel *chan_find(const struct conn *c, uint32_t number);       /* NULL: not in use */
enum err chan_flush(struct conn *c, struct event *ev);
enum err chan_answer_open(struct conn *c, uint32_t question, const struct answer *a);
enum err chan_answer_request(struct conn *c, const struct answer *a);
enum err global_answer(struct conn *c, const struct answer *a);
enum err outstanding_add(struct conn *c, uint32_t chan, uint32_t tag);
bool outstanding_take(struct conn *c, uint32_t chan, uint32_t *tag);
void outstanding_forget(struct conn *c, uint32_t chan);
void chans_free(struct conn *c);
bool chan_may_talk(const struct conn *c);               /* may connection messages be written now? */

#endif
