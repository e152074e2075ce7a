/* SPDX-License-Identifier: ISC */
/* The server's half of SFTP, without files: bytes come in, operations come out for the program to carry out, results go in, reply bytes come
 * out. File data never passes through: parts of a WRITE are views of the input, a READ's reply is made by the program in place. */
#ifndef SFTP_SERVER_H
#define SFTP_SERVER_H

#include "sftp/message.h"

struct sftp_server;

#define SFTP_HANDLES_MAX 4096           /* open at once; the program may have a lower number */
#define SFTP_UNANSWERED_MAX 1024        /* operations out at the program's; then no more input is taken */
#define SFTP_REPLIES_MAX (1024 * 1024)  /* reply bytes that wait; then no more input is taken */

struct sftp_server_setup {
    bool read_only;
    uint64_t refused;                   /* a bit a verb: answered PERMISSION_DENIED as OpenSSH does for -P and -p */
    unsigned handles_max;               /* 0: SFTP_HANDLES_MAX */
};
struct sftp_server *sftp_server_new(const struct sftp_server_setup *setup);     /* NULL: out of memory */
void sftp_server_free(struct sftp_server *s);

enum sftp_event_type {
    SFTP_EV_NONE,       /* more input is needed, or (sftp_server_full) replies must leave first */
    SFTP_EV_OP,         /* a request: carry it out and answer op.id; op.handle was looked up: slot, slot2 */
    SFTP_EV_WRITE,      /* a part of a WRITE: data at op.offset of slot; `last`: answer op.id now. Parts come in order, at least one each */
    SFTP_EV_INIT        /* the peer's INIT; VERSION has been written. For the log */
};
struct sftp_event {
    enum sftp_event_type type;
    struct sftp_op op;                  /* views live until the next call */
    unsigned slot, slot2;               /* handles as the numbers given to sftp_server_open() */
    struct bytes data;
    bool last;
    uint32_t version;                   /* INIT: the peer's */
};

/* Take some of `in`; *used bytes of it are done with (views of this event excepted) and must not be given again. LIMITS, unknown
 * requests, refused ones and bad handles are answered inside. ERR_*: the peer broke the protocol (too long, first message not INIT,
 * trailing bytes ...): end the session, after sending what waits. */
MUST_USE enum err sftp_server_next(struct sftp_server *s, struct bytes in, size_t *used, struct sftp_event *out);
/* No input is taken now: too many unanswered operations or waiting replies. */
bool sftp_server_full(const struct sftp_server *s);

/* Answer a HANDLE request with success: the program's number `slot` (< handles_max, not in use) becomes a handle on the wire. Wire
 * handles carry a generation, so that one that was closed is never another's. directory: only READDIR and CLOSE take it (and it nothing else). */
void sftp_server_open(struct sftp_server *s, uint32_t id, unsigned slot, bool directory);
/* Any other answer. A successful CLOSE must have been told by sftp_server_close() before. DATA: its bytes are copied: for small ones. */
void sftp_server_answer(struct sftp_server *s, const struct sftp_result *r);
void sftp_server_status(struct sftp_server *s, uint32_t id, uint32_t status);
/* The handle ends (at CLOSE, whatever close(2) says). */
void sftp_server_close(struct sftp_server *s, unsigned slot);
/* A READ was answered by the program itself, in place, with sftp_data_head(): only when sftp_server_peek() is empty. */
void sftp_server_answered(struct sftp_server *s, uint32_t id);

/* Reply bytes to be sent, in order. Valid until the next call. */
struct bytes sftp_server_peek(const struct sftp_server *s);
void sftp_server_consume(struct sftp_server *s, size_t n);

#endif
