/* SPDX-License-Identifier: ISC */
/* The inside of the pump, shared by pump.c (what moves) and wait.c (what is waited for). */
#ifndef KIT_WAIT_H
#define KIT_WAIT_H

#include <poll.h>

#include "flow.h"

struct watch {
    int fd;
    short events;
};

/* A channel whose data the program makes. */
struct maker {
    uint32_t chan;
    size_t room;
};

/* Whom an entry of the poll set belongs to. */
enum poll_what { POLL_CONN, POLL_WATCH, POLL_SINK, POLL_SOURCE };
struct poll_who {
    enum poll_what what;
    enum stream stream;
    struct flow *flow;
};

struct pump {
    struct conn *conn;
    int fd_in, fd_out;
    enum pump_fd_kind kind;
    bool in_ready, in_last, in_ended, out_blocked, out_dead, trimmed;
    int socket_errno, data_errno;
    size_t quantum;                 /* bulk bytes that may wait for the socket */
    size_t moved;                   /* bytes since the last poll */
    size_t tell;                    /* flows whose tell_sources is set */
    size_t turn;                    /* who begins: rotates over flows and watches */
    uint64_t alarm_us, now_us;      /* now: when this round began */

    struct flow **flows;            /* all, orphans too */
    size_t flow_count, flow_cap;
    struct flow **by_chan;
    size_t chan_cap;

    struct watch *watches;
    size_t watch_count, watch_cap;
    struct maker *makers;
    size_t maker_count, maker_cap, maker_turn;
    bool maker_had;                 /* the last turn was a maker's: now the flows */

    struct pollfd *polls;
    struct poll_who *whos;
    size_t poll_count, poll_cap;

    struct iovec gather[GATHER_MAX];    /* views of data events not written yet: one flow's, one stream's */
    size_t gather_count;
    struct flow *gather_flow;
    enum stream gather_stream;
};

/* Make room for `need` elements. ERR_NOMEM. */
MUST_USE enum err array_grow(void **array, size_t *cap, size_t need, size_t size);

/* Wait (or only look: !wait). True in *got: *out is for the program. */
MUST_USE enum err wait_all(struct pump *p, uint64_t now_us, bool wait, const void *mask, struct pump_ready *out, bool *got);
/* Until when the socket is not to be read, although it could be; 0: now. */
uint64_t pump_pause_us(const struct pump *p);
/* Wait until a sink may take more. False: interrupted, or it is past that time. */
bool wait_sinks(struct pump *p, uint64_t until_us, const void *mask);

#endif
