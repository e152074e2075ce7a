/* SPDX-License-Identifier: ISC */
/* The pump: drives one conn over a socket and moves channel data between the conn and descriptors, without copies. The
 * program turns it with pump_next(), gets the events that are its own to decide, and attaches descriptors to channels.
 * One ppoll a round only when nothing moves; reads drain until EAGAIN; one write a flush. */
#ifndef KIT_PUMP_H
#define KIT_PUMP_H

#include <sys/uio.h>

#include "core/conn.h"

struct pump;

/* How a descriptor may be used. The pump never changes a descriptor's flags. BLOCKING works with anything, but costs two system
 * calls for 4 KiB written: give NONBLOCK for regular files and /dev/null (they never block), SOCKET for sockets, and for an
 * inherited pipe or terminal a description of our own, opened with O_NONBLOCK from /proc/self/fd/N, where that may be opened.
 * SIGPIPE must be ignored. */
enum pump_fd_kind {
    PUMP_FD_NONBLOCK,   /* O_NONBLOCK is set on a description of our own */
    PUMP_FD_SOCKET,     /* a socket: MSG_DONTWAIT does it */
    PUMP_FD_BLOCKING    /* inherited, shared with others: poll first, then one read, or one write of at most PIPE_BUF */
};

/* fd_in and fd_out: the connection (the same number for a socket; two with ProxyCommand or sshd -i). The pump owns neither. */
struct pump *pump_new(struct conn *c, int fd_in, int fd_out, enum pump_fd_kind kind);
void pump_free(struct pump *p);
struct conn *pump_conn(const struct pump *p);

/* Descriptors of a channel; -1: none. sink gets the peer's DATA, sink_err its STDERR; source is sent as DATA, source_err as
 * STDERR. The pump closes a descriptor when it is done with it (a number may stand in several places), sends EOF when all
 * sources ended, closes `sink` when the peer's EOF was written out. */
struct pump_ends {
    int sink, sink_err, source, source_err;
    enum pump_fd_kind kind;
    bool is_pty;            /* sink == source is a pty master: EIO on read is its end; sink is not closed on EOF */
    bool keep_open;         /* descriptors belong to the program (a client's 0, 1, 2): never closed */
    bool hold_eof;          /* the program sends EOF itself (escape filter, exit order) */
};
MUST_USE enum err pump_attach(struct pump *p, uint32_t chan, const struct pump_ends *ends);
/* The program consumes or makes this channel's data itself from now on: EV_CHANNEL_DATA comes out of pump_next(). The
 * descriptors are the program's again; bytes that their sink does not take at once are dropped. */
void pump_detach(struct pump *p, uint32_t chan);
/* All bytes received for the channel so far were written to its sinks; also asked after its end, until the number is used again. */
bool pump_drained(const struct pump *p, uint32_t chan);
/* All sources ended (EOF seen). */
bool pump_sources_ended(const struct pump *p, uint32_t chan);

/* When bytes of this channel moved last, in either direction, or when it was attached (monotonic us). 0: it is not. */
uint64_t pump_active_us(const struct pump *p, uint32_t chan);
/* Be done with this channel at once: its descriptors close, what waits for them is dropped. The program closes the channel. */
void pump_drop(struct pump *p, uint32_t chan);

/* Whoever this channel's sources were opened for has ended: what they hold is still sent, then they count as ended, although others may
 * keep them open (a background job on a terminal). */
void pump_finish(struct pump *p, uint32_t chan);

/* A filter between source and channel for the client's escape characters: gets what was read in place, rewrites it, returns
 * the new length (<= n). NULL: none. It must not call the conn; what it found out it notes in ctx, and when it took bytes
 * away, pump_next() returns with PUMP_FILTERED and the channel in event.chan. */
typedef size_t pump_filter(void *ctx, uint32_t chan, uint8_t *data, size_t n);
void pump_set_filter(struct pump *p, uint32_t chan, pump_filter *filter, void *ctx);

/* A sorter between channel and sink: it takes views of DATA as they come and says which bytes go to the sink after all, in their order; the others it
 * has put elsewhere (kit/lane.h). False: no room in `out` for more, call again with the rest. in NULL: the views are about to go. Neither may it
 * call the conn. For each byte taken either one goes to the sink or one is `gone`. */
#define PUMP_SORTED_MAX 16
struct pump_sorted {
    struct iovec out[PUMP_SORTED_MAX];
    size_t n;
    uint8_t room[PUMP_SORTED_MAX][16];  /* for bytes of the sorter's own: an entry of `out` each */
    size_t gone;
};
typedef bool pump_sorter(void *ctx, struct bytes *in, struct pump_sorted *out);
void pump_set_sorter(struct pump *p, uint32_t chan, pump_sorter *sorter, void *ctx);

/* Keystrokes at times of the program's choice: while a channel is held its sources are not read; pump_pull() reads once what is there. *cut: the
 * filter took bytes away (as PUMP_FILTERED). pump_hold() may be called from the filter. */
void pump_hold(struct pump *p, uint32_t chan, bool held);
void pump_pull(struct pump *p, uint32_t chan, bool *cut);

/* Other descriptors to wait for (the privilege channel): reported in `ready`, not read. events: POLLIN, POLLOUT; 0 forgets it. */
MUST_USE enum err pump_watch(struct pump *p, int fd, short events);
/* The program makes this channel's data itself: PUMP_ROOM tells when it may send `room` bytes or more, or when the peer's window is all that is in the
 * way of so many and some may be sent. Again and again, until it asks for 0. */
MUST_USE enum err pump_want_room(struct pump *p, uint32_t chan, size_t room);
/* Wake up once at this time (monotonic us) with PUMP_TIME; UINT64_MAX: no such time. */
void pump_alarm(struct pump *p, uint64_t at_us);

enum pump_what {
    PUMP_EVENT, PUMP_FD, PUMP_TIME,
    PUMP_SIGNAL,            /* ppoll was interrupted (EINTR) */
    PUMP_FILTERED,          /* the filter of channel event.chan took bytes away */
    PUMP_SOURCES_ENDED,     /* all sources of channel event.chan ended; EOF is on its way (unless hold_eof) */
    PUMP_ROOM,              /* see pump_want_room(): channel event.chan */
    PUMP_DRAINED            /* the channel event.chan was closed before its sinks had everything: now they have */
};
struct pump_ready {
    enum pump_what what;
    struct event event;     /* EVENT */
    int fd;                 /* FD */
    short revents;
};
/* Blocks until there is something for the program; DATA of attached channels is all that it keeps to itself. Errors are
 * conn_next()'s; the DISCONNECT has been flushed as far as the socket takes it at once. `mask`: signal mask during the wait
 * (as ppoll), NULL: none. */
MUST_USE enum err pump_next(struct pump *p, const void *mask, struct pump_ready *out);
/* Write what the conn holds now; without waiting. */
void pump_flush(struct pump *p);
/* After pump_next() failed: wait, at most until then (monotonic us), till what was received has been written to the sinks. Also
 * returns when a signal interrupts it. True: all is written. */
bool pump_linger(struct pump *p, uint64_t until_us, const void *mask);
/* Why the connection broke (ECONNRESET, ...); 0: it did not, or the peer closed it in order. */
int pump_socket_errno(const struct pump *p);
/* Why a descriptor of a channel lost data (ENOSPC, EIO of a disk, ENOMEM), after which pump_next() fails with ERR_SYSTEM; else 0. */
int pump_data_errno(const struct pump *p);

#endif
