/* SPDX-License-Identifier: ISC */
/* The inside of the desk, shared by desk.c (what is asked and answered) and desk_local.c (what an open descriptor is enough for). */
#ifndef KIT_DESK_IMPL_H
#define KIT_DESK_IMPL_H

#include "kit/file_desk.h"

enum desk_kind { SLOT_FREE, SLOT_OPENING, SLOT_FILE, SLOT_FOLDER };

struct desk_slot {
    uint8_t kind;
    bool closing;                       /* CLOSE came: when nothing is out about it, it is done */
    uint8_t handle_n, handle[8];        /* the executor's */
    unsigned busy;                      /* questions and hashes that are out about this file */
    int fd;
    uint32_t close_id;
    uint64_t bytes_read, bytes_written;
};

/* A question to the executor, or what is done when it was answered. */
struct desk_asked {
    uint32_t id;                        /* the peer's */
    uint8_t verb;
    bool silent;                        /* the peer is not told */
    unsigned slot, slot2;
    struct desk_check *check;
};

#define NO_SLOT UINT32_MAX

/* Hashing under way, or waiting for its file. */
struct desk_check {
    struct desk_check *next;
    uint32_t id;
    unsigned slot;                      /* NO_SLOT: a file of its own */
    int fd;
    const char *name;                   /* the algorithm's, as the peer says it */
    const struct hash_alg *alg;
    uint64_t at, left, block, block_left;
    bool to_end;
    struct hash_run *run;
    struct wr hashes;
};

struct desk {
    struct desk_setup setup;
    struct sftp_server *engine;
    enum err err;                       /* sticky */
    bool hold, stepping;
    size_t consumed;
    struct wr queue;                    /* what came and could not be worked off; from queue_at on */
    size_t queue_at;

    struct desk_slot *slots;
    unsigned slot_count, slot_hint;
    struct desk_asked asked[DESK_ASKED_MAX];
    unsigned asked_at, asked_n, opens_out, fds_out, setstats_out;

    bool stalled;                       /* `now` waits: for room (READ), or for a file about which a question is out */
    struct sftp_event now;
    struct wr now_data;                 /* a WRITE that stalled: its bytes */
    int write_error;                    /* of the parts of a WRITE so far */
    bool write_running;

    uint8_t *scratch;                   /* a reply that no room could hold at once */
    size_t scratch_at, scratch_n;

    struct desk_check *checks, **checks_end;
};

/* desk.c */
void desk_slot_settle(struct desk *d, unsigned slot);           /* after busy went down */
bool desk_may_tell(const struct desk *d);                       /* may the end of a hashed file be told to the executor? */

/* desk_local.c */
void desk_write(struct desk *d, const struct sftp_event *ev);
void desk_fstat(struct desk *d, const struct sftp_event *ev);
void desk_check_handle(struct desk *d, const struct sftp_event *ev);
/* For CHECK_FILE_NAME: prepared now, run when its descriptor has come. NULL: answered already. */
struct desk_check *desk_check_new(struct desk *d, const struct sftp_op *op);
void desk_check_begin(struct desk *d, struct desk_check *c, int fd);
void desk_check_free(struct desk_check *c);

#endif
