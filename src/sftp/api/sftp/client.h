/* SPDX-License-Identifier: ISC */
/* The client's half of SFTP: many requests under way at once, replies in any order, bounded memory, no files. File data never passes
 * through the output: after a WRITE's head the program sends the bytes itself; a DATA reply's bytes may be taken from the
 * stream by the program (splice), or from here. */
#ifndef SFTP_CLIENT_H
#define SFTP_CLIENT_H

#include "sftp/message.h"

struct sftp_client;

#define SFTP_ASKED_MAX 4096             /* requests under way at once */

struct sftp_client *sftp_client_new(void);      /* NULL: out of memory; INIT waits in the output */
void sftp_client_free(struct sftp_client *c);

/* ---- asking ---- */

/* Queues a request; op->id is ignored, `tag` comes back with the reply. ERR_AGAIN: too many are under way, too much output waits, the server's VERSION
 * has not come, or a WRITE's data is due. ERR_UNSUPPORTED: an extension the server did not announce. WRITE: op->length bytes are due from the
 * program next: when peek is empty, it sends them itself and tells by data_sent(), in as many parts as it likes. */
MUST_USE enum err sftp_client_ask(struct sftp_client *c, const struct sftp_op *op, uint64_t tag);
/* The latest request, a READ, may be answered by a note of the lane: its id. */
uint32_t sftp_client_lane(struct sftp_client *c);
size_t sftp_client_data_due(const struct sftp_client *c);
void sftp_client_data_sent(struct sftp_client *c, size_t n);
/* Requests without a reply; could one more be asked now? */
unsigned sftp_client_asked(const struct sftp_client *c);
bool sftp_client_can_ask(const struct sftp_client *c);

struct bytes sftp_client_peek(const struct sftp_client *c);
void sftp_client_consume(struct sftp_client *c, size_t n);

/* ---- replies ---- */

/* Room to read the stream into (never empty unless a reply waits to be taken); n bytes have come. */
struct span sftp_client_reserve(struct sftp_client *c);
void sftp_client_commit(struct sftp_client *c, size_t n);

struct sftp_answer {
    enum sftp_verb verb;                /* what was asked */
    uint64_t tag;
    struct sftp_result result;          /* views live until the next call but data_peek */
    bool ready;                         /* false: none is there yet */
    bool placed;                        /* a note of the lane (lane.h) came for it: DATA's result.data.n bytes are in their file, none are to be taken */
    int place_error;                    /* 0, or why no more of them are there than so many */
    bool version;                       /* this was VERSION: from now on requests can be asked */
};
/* The next reply. After DATA its result.data.n bytes (result.data.p is NULL) are to be taken before the next call: either from data_peek() as they
 * come in through reserve/commit, or straight from the stream once data_peek() is empty; data_taken() tells how many were. Unknown ids,
 * replies of a wrong kind, DATA longer than asked and messages that are too long are errors: the server is not to be trusted any more. */
MUST_USE enum err sftp_client_next(struct sftp_client *c, struct sftp_answer *out);
size_t sftp_client_data_left(const struct sftp_client *c);
struct bytes sftp_client_data_peek(const struct sftp_client *c);
void sftp_client_data_taken(struct sftp_client *c, size_t n);

/* ---- what the server is like ---- */

bool sftp_client_has(const struct sftp_client *c, enum sftp_verb verb);
uint32_t sftp_client_version(const struct sftp_client *c);      /* 0: not known yet */

#endif
