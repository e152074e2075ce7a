/* SPDX-License-Identifier: ISC */
/* The client's jailed half on one page: what it holds, and which file does what.
 *   main.c     jail, start, the loop
 *   ask.c      messages from the UI
 *   event.c    events of the conn
 *   session.c  the session channel and forwards
 *   silence.c  ChannelTimeout
 *   hostkeys.c further keys of the server, and their proofs
 *   obscure.c  ObscureKeystrokeTiming
 *   escape.c   ~ at the beginning of a line (pure)
 *   report.c   facts, debug lines and failures for the UI */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include "core/conn.h"
#include "escape.h"
#include "kit/lane.h"
#include "kit/pump.h"
#include "priv/client.h"

#define ASKED_MAX   64      /* forwarded and agent opens that wait for the UI */
#define NO_CHAN     UINT32_MAX

/* A message that outlives the next one: its own copy of the datagram. */
struct kept {
    uint8_t *p;
    size_t n;
    struct cm_message m;    /* type valid if p */
};

struct transport {
    int ctl;                /* to the UI */
    struct conn *conn;
    struct pump *pump;
    unsigned trace_level;
    bool socket_given;
    /* login */
    struct kept auth, session;
    bool auth_waits;        /* `auth` was not handed to the conn yet */
    bool kex_done, kex_told, authenticated;
    uint32_t prompts;       /* open question, 0: none */
    size_t prompt_count;
    /* the session */
    uint32_t chan;          /* NO_CHAN before it is opened and after it is gone */
    unsigned step;          /* session requests sent so far */
    bool opened, attached, over;
    unsigned channels;      /* ours and the peer's that are not over */
    struct lane *lane;      /* NULL: none, or its other end has gone */
    struct escape escape;
    bool escapes_on;
    uint64_t wake_us;       /* when this turn wants the pump to wake us; UINT64_MAX: never */
    struct {                /* ObscureKeystrokeTiming */
        uint64_t interval_us;       /* 0: not here */
        uint64_t next_us, until_us; /* the next tick; when chaff ends. next 0: nobody types */
        size_t sent;                /* bytes of the last read that went into the channel */
    } obscure;
    /* ChannelTimeout, a channel each; since_us 0: not open */
    uint64_t since_us[CHANNELS_MAX];
    uint32_t timeout_s[CHANNELS_MAX];
    bool silence;           /* any is set */
    bool abandoned[CHANNELS_MAX];   /* closed for its silence: nobody waits for the peer's CLOSE */
    /* forwards */
    uint8_t half[CHANNELS_MAX]; /* a channel's ends that are over: HALF_* */
    unsigned listens;       /* asked of the server: only then forwarded-tcpip is let through */
    bool agent_wanted, agent_asked;     /* agent forwarding: by the UI, of the server; only then its channels are let through */
    uint32_t agent_timeout_s;
    struct { uint32_t question, chan, timeout_s; } asked[ASKED_MAX];
    /* hostkeys-00@openssh.com */
    bool hostkeys_told;     /* the first one counts */
    bool proofs_due;        /* the UI looks at them, or the server proves some: a session that is over waits, until: */
    uint64_t proofs_until_us;
    bool prove_waits;       /* the UI wants us to stand still after CM_PROVED */
    /* server alive */
    uint64_t alive_us, alive_at;
    uint64_t packets_seen;
    unsigned unanswered;
    /* the peer's DISCONNECT */
    bool disconnected;
    uint32_t reason;
    char reason_text[1024];
};

/* ask.c: handle one message of the UI. ERR_PEER_GONE: it is gone. */
MUST_USE enum err ask_handle(struct transport *t, const struct cm_message *m);
/* Receive and handle all that is there; if `until` is not CM_COUNT, wait for a message of that type first and hand it out. */
MUST_USE enum err ask_take(struct transport *t, enum cm_type until, struct cm_message *out);
/* Hand the kept authentication request to the conn, if there is one and the time has come. */
MUST_USE enum err ask_auth(struct transport *t);

/* event.c */
MUST_USE enum err event_handle(struct transport *t, const struct event *ev);

/* session.c */
MUST_USE enum err session_open(struct transport *t);
/* Open its channel in one flight with the request that should log us in; forget that where it did not. */
MUST_USE enum err session_open_early(struct transport *t);
void session_forget_early(struct transport *t);
/* Go on where a full buffer or a key exchange stopped it. */
MUST_USE enum err session_step(struct transport *t);
MUST_USE enum err session_opened(struct transport *t, uint32_t chan);
MUST_USE enum err session_refused(struct transport *t, const struct event *ev);
MUST_USE enum err session_request(struct transport *t, const struct event *ev);
MUST_USE enum err session_request_done(struct transport *t, const struct event *ev);
/* Messages of the lane. */
MUST_USE enum err session_lane(struct transport *t);
MUST_USE enum err session_escape(struct transport *t);
MUST_USE enum err session_alive(struct transport *t, uint64_t now_us);
MUST_USE enum err direct_open(struct transport *t, const struct cm_message *m);
MUST_USE enum err forward_ask(struct transport *t, const struct event *ev);
MUST_USE enum err forward_answer(struct transport *t, const struct cm_message *m);
enum { TAG_PTY = 1, TAG_COMMAND, TAG_ALIVE, TAG_PROVE, TAG_LISTEN = 0x10000 };

/* hostkeys.c: the server says which keys it has; the UI asks for proofs; the proofs. */
MUST_USE enum err hostkeys_told(struct transport *t, const struct event *ev);
MUST_USE enum err hostkeys_prove(struct transport *t, const struct cm_message *m);
MUST_USE enum err hostkeys_proved(struct transport *t, bool ok, struct bytes sigs);
/* All else is over: is there an update to wait for? */
bool hostkeys_pending(struct transport *t, uint64_t now_us);

/* One direction of a forward is over; with both, the channel closes (a session waits for the peer's CLOSE instead). */
enum { HALF_OURS = 1, HALF_PEER = 2 };
void forward_half(struct transport *t, uint32_t chan, uint8_t which);

/* Wake up at this time at the latest. */
void wake_at(struct transport *t, uint64_t us);

/* silence.c: a channel is open, is gone; end what was silent for too long by now. */
void silence_begin(struct transport *t, uint32_t chan, uint32_t timeout_s);
void silence_end(struct transport *t, uint32_t chan);
void silence_check(struct transport *t, uint64_t now_us);

/* obscure.c: the session stands; bytes were read from the terminal; a tick, if it is time. */
void obscure_begin(struct transport *t);
void obscure_typed(struct transport *t, size_t n);
MUST_USE enum err obscure_tick(struct transport *t, uint64_t now_us);

/* report.c */
MUST_USE enum err report_verbosity(struct transport *t, bool more);     /* ~v, ~V */
void report_line(struct transport *t, unsigned level, const char *fmt, ...) PRINTF_LIKE(3, 4);
void report_trace(struct transport *t);
MUST_USE enum err report_kex(struct transport *t);
void report_failure(struct transport *t, enum err e);

#endif
