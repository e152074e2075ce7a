/* SPDX-License-Identifier: ISC */
/* The desk of an SFTP server: between a peer's bytes and whoever opens files. What needs only an open descriptor (READ, WRITE, FSTAT, CLOSE,
 * CHECK_FILE) it does itself, READs straight into the rooms of the packets that carry them; what needs a name it has the executor
 * (kit/files.h) do, across a socket or in the same process. It opens nothing. A library of its own (kit_desk_dep: base, sftp, crypto's
 * headers, libc); system calls: preadv pwrite fstat close. */
#ifndef KIT_FILE_DESK_H
#define KIT_FILE_DESK_H

#include "crypto/hash.h"
#include "sftp/server.h"

struct desk;

#define DESK_ASKED_MAX 256              /* requests out at the executor's */
#define DESK_OPENS_MAX 64               /* of them such that bring a descriptor */
#define DESK_FDS_MAX   16               /* descriptors on their way to the executor: the kernel counts them against our uid */

struct desk_setup {
    uint64_t refused;                   /* for the engine, which then tells the peer; the executor is the one that refuses */
    bool read_only;
    unsigned handles_max;               /* 0: the engine's own */
    unsigned *fds_left;                 /* descriptors that may still be taken, shared by all desks of the process */
    /* Ask the executor; answers must come in order, by desk_answer(), during this call or later. op.handle is what OPEN or OPENDIR had answered;
     * fds: descriptors that go with it, -1 where none. False: there is no executor any more. */
    bool (*ask)(void *ctx, const struct sftp_op *op, const int fds[2]);
    void *ctx;
};
struct desk *desk_new(const struct desk_setup *setup);      /* NULL: out of memory */
/* Closes all files. `close_log`, if not NULL: called with CLOSE's handle for each file whose end the executor wants to know. */
void desk_free(struct desk *d, void (*close_log)(void *ctx, struct bytes handle));

/* Bytes of the peer: worked off as far as may be now, the rest is kept. ERR_*: the peer broke the protocol, or memory ran out: send what
 * waits, then end. The error stays. */
MUST_USE enum err desk_input(struct desk *d, struct bytes in);
/* What is kept: bytes that wait for answers, or for room. */
size_t desk_backlog(const struct desk *d);
/* How many of them are done with since the last call of this. */
size_t desk_consumed(struct desk *d);
/* An answer of the executor to the oldest question; fd: what came with it, -1: none, the desk's now. ERR_PROTOCOL: it answers nothing. */
MUST_USE enum err desk_verb_due(const struct desk *d, enum sftp_verb *out);     /* to parse it by; ERR_STATE: nothing is asked */
MUST_USE enum err desk_answer(struct desk *d, const struct sftp_result *r, int fd);
/* No questions for now (the line to the executor is full), or again. */
void desk_hold(struct desk *d, bool hold);
/* What desk_input() said, or would say: answers let go on what waited. */
enum err desk_error(const struct desk *d);

/* The bytes for the peer that wait need that much room to go on; 0: nothing waits. */
size_t desk_wants(const struct desk *d);
/* Fills rooms in order; returns the bytes written. all: there will be no more room before the peer has taken these, so that a reply which does
 * not fit must begin all the same. */
size_t desk_fill(struct desk *d, const struct span *rooms, size_t n, bool all);

/* Hashes are due: desk_work() does a piece of them (a few megabytes). They wait with the questions: while desk_hold(), or too many are out. */
bool desk_working(const struct desk *d);
void desk_work(struct desk *d);

/* Nothing is asked, kept or waiting: all that came was answered, and the answers were taken. */
bool desk_idle(const struct desk *d);

#endif
