/* SPDX-License-Identifier: ISC */
/* A flow: the descriptors of one channel, what waits for them, and how bytes pass between them and the conn. The pump
 * decides when; a flow knows how. */
#ifndef KIT_FLOW_H
#define KIT_FLOW_H

#include <sys/uio.h>

#include "kit/pump.h"

#define BULK_READ       262144      /* one readv, one write */
#define BULK_ROOMS      64          /* packets a readv may fill: 4 KiB ones still make 256 KiB */
#define GATHER_MAX      16          /* views written by one writev */
#define PIPE_USUAL      65536       /* what a pipe holds when nobody asked for more */
#define BULK_FROM       16384       /* a read of that much makes a source a bulk one */

/* Bytes that a descriptor would not take: in order, from head on. Bounded by the channel's window. */
struct queue {
    uint8_t *p;
    size_t head, n, cap;
};

struct sink {
    int fd;
    bool blocked;                   /* EAGAIN was seen; ppoll says when to go on */
    bool grown;                     /* its pipe was found full once and made larger */
    struct queue queue;
};

struct source {
    int fd;
    bool ready;                     /* worth a read */
    bool given;                     /* there was one: its end counts */
    bool grown;                     /* as of a sink */
};

struct flow {
    uint32_t chan;
    bool orphan;                    /* the channel is gone; what was received is still written */
    bool peer_eof;
    bool sources_over;              /* their end was seen: EOF is due, the program to be told */
    bool tell_sources;              /* the program was not told yet */
    bool finish;                    /* an empty source has ended */
    bool late;                      /* something waited when the channel closed: the program waits for it */
    int lost;                       /* the errno that lost data, else 0 */
    bool bulk;                      /* its last read was a large one: comes after the small ones */
    enum pump_fd_kind kind;
    struct pump_ends ends;          /* is_pty, keep_open, hold_eof */
    struct sink sink[2];            /* by enum stream */
    struct source source[2];
    bool held;                      /* sources are read by pump_pull() only */
    uint64_t active_us;             /* when bytes of it moved last, either way */
    uint64_t drained_us;            /* when its sinks took something last */
    pump_filter *filter;
    void *filter_ctx;
    pump_sorter *sorter;            /* of STREAM_DATA */
    void *sorter_ctx;
};

struct flow *flow_new(uint32_t chan, const struct pump_ends *ends);
/* Closes what is to be closed. */
void flow_free(struct flow *f);
/* Frees it without closing a descriptor: they go back to the program. */
void flow_release(struct flow *f);

/* Received data, n views of one stream, to its sink; what would block is copied. ERR_NOMEM. `lost` is the caller's to look at. */
MUST_USE enum err flow_deliver(struct flow *f, struct conn *c, enum stream s, struct iovec *iov, size_t n);
/* Write what waits. True if it changed anything. */
bool flow_drain(struct flow *f, struct conn *c, enum stream s);
/* Nothing waits for any sink. */
bool flow_drained(const struct flow *f);
/* The peer's EOF: sinks close when their queues are empty. */
void flow_peer_eof(struct flow *f);
/* The peer reads no more (eow@openssh.com): sources close, so that who writes into them learns it. A terminal's user may still type. */
void flow_peer_eow(struct flow *f);
/* The channel is gone: sources close now, sinks when drained. */
void flow_orphan(struct flow *f);

/* From now on a source that is empty has ended; both are worth a look. */
void flow_finish(struct flow *f);

/* Read the source into at most `max` bytes of packets, until it is empty. Returns the bytes read; *filtered: the filter took some out. */
size_t flow_fill(struct flow *f, struct conn *c, enum stream s, size_t max, bool *filtered);
bool flow_sources_ended(const struct flow *f);

#endif
