/* SPDX-License-Identifier: ISC */
/* The inside of a link, shared by link.c (bytes in and out, single requests) and the copier (many requests at once). */
#ifndef KIT_LINK_IO_H
#define KIT_LINK_IO_H

#include "kit/link.h"

#define LINK_GATHER (256 * 1024)        /* small WRITEs that leave together */
#define LINK_SMALL  (64 * 1024)         /* a WRITE up to this is gathered, a longer one spliced from its file */

/* What a WRITE's source did under it: its bytes from `at` on were not there and were filled with zeros. */
struct link_fault {
    bool lost;
    int error;                          /* 0: the file had become shorter */
    uint64_t at;
};

struct link {
    int in, out;
    enum err err;                       /* sticky */
    struct sftp_client *client;
    struct sftp_limits limits;
    uint64_t limits_asked_us;           /* the request for limits is under way since then; 0: it is not */
    uint64_t rtt_us;                    /* of that request, when there was one */

    uint8_t *gather;                    /* bytes that leave before the client's own output */
    size_t head, tail;
    struct {                            /* a long WRITE's data that leaves after the client's own output */
        int fd;                         /* -1: from another link's stream, whose mover tells by sftp_client_data_sent() */
        uint64_t at;
        size_t left;
        struct link_fault *fault;
    } bulk;
    bool no_splice;
    bool data_comes;                    /* a long DATA reply is likely next: read its head only, so that the rest can be spliced */
    bool in_ended;
    size_t chunk_max;                   /* -l: bytes a step; 0: no bound */
    uint64_t moved;                     /* bytes both ways, for -l */

    int lane;                           /* -1: none */
    bool lane_on;                       /* its other end said HELLO */
    uint32_t lane_slots;                /* in use, a bit each */

    uint8_t *data;                      /* link_call: a DATA reply's bytes */
    size_t data_cap;
};

bool link_can_ask(const struct link *l);
/* sftp_client_ask with data of at most LINK_SMALL bytes; of an open file; or that the caller moves once link_drained(). Only after link_can_ask(). */
MUST_USE enum err link_ask_data(struct link *l, const struct sftp_op *op, struct bytes data, uint64_t tag);
MUST_USE enum err link_ask_file(struct link *l, const struct sftp_op *op, int fd, uint64_t at, struct link_fault *fault, uint64_t tag);

/* Everything before a WRITE's data has left. */
bool link_drained(const struct link *l);
/* Write until it would block. *moved: at least one byte. */
MUST_USE enum err link_flush(struct link *l, bool *moved);
/* One read. */
MUST_USE enum err link_read(struct link *l, bool *moved);
/* The poll events it waits for (POLLIN, and POLLOUT while something wants to leave). */
short link_events_out(const struct link *l);

/* link_lane.c. A file that is to be written from `at` to `end` by who decrypts: its slot, -1: not this way. */
int link_lane_begin(struct link *l, int fd, uint64_t at, uint64_t end);
/* Tell of the READ that was just asked. False: it could not be told; none of this file may be told of any more. */
MUST_USE bool link_lane_read(struct link *l, int slot, uint64_t offset, uint32_t length);
void link_lane_end(struct link *l, int slot);

/* Does a name match one part of a pattern (n bytes)? Both without '/'. A leading dot only matches a dot. Linear in text times pattern: only the
 * last star is ever widened. */
bool glob_part_match(struct bytes text, const char *pattern, size_t n);

#endif
