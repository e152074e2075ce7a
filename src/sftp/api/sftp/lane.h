/* SPDX-License-Identifier: ISC */
/* The lane: data of READs goes into its file where it is decrypted, instead of through a pipe to the program that asked. That program (sftp, scp) sends,
 * over a socket beside the pipes, the target's descriptor, and tells before each READ where its data belongs. The process that decrypts follows the
 * framing of the replies: DATA that was told of, and that comes next in its file, is written there; in its place a note of the same length
 * as DATA's head is left in the stream. Everything else passes as it came, so that whatever is out of the ordinary is judged where it ever was.
 * This is the pure part: messages, framing, and which bytes go where. docs/decisions/lane.md. */
#ifndef SFTP_LANE_H
#define SFTP_LANE_H

#include "sftp/message.h"

#define SFTP_LANE_FILES    16       /* at once */
#define SFTP_LANE_READS    4096     /* as many as a client has under way: SFTP_ASKED_MAX */
#define SFTP_LANE_MESSAGE  29       /* bytes of each */

/* ---- messages, from who asks to who decrypts; one datagram each ---- */

enum sftp_lane_verb {
    SFTP_LANE_FILE = 1,             /* with its descriptor: file `slot` is written from `offset` to `end`, where the descriptor is closed */
    SFTP_LANE_READ,                 /* READ `id` asks for `length` bytes at `offset` of file `slot` */
    SFTP_LANE_END,                  /* of file `slot`: the descriptor is closed */
    SFTP_LANE_HELLO                 /* the only one in the other direction, once: there is somebody who follows the stream */
};

struct sftp_lane_message {
    enum sftp_lane_verb verb;
    uint32_t slot, id, length;
    uint64_t offset, end;
};

void sftp_lane_write(const struct sftp_lane_message *m, uint8_t out[SFTP_LANE_MESSAGE]);
/* ERR_FORMAT, ERR_RANGE: not one of these. */
MUST_USE enum err sftp_lane_parse(struct bytes datagram, struct sftp_lane_message *out);

/* ---- notes, in the stream of replies in place of DATA: u32 9, u8 type, u32 id, u32 value ---- */

#define SFTP_LANE_PLACED   0xf1     /* value: how many bytes were written */
#define SFTP_LANE_UNPLACED 0xf2     /* value: how many bytes were written before it failed, times 4096; and the errno */
#define SFTP_LANE_ERROR    4096

/* ---- the stream ---- */

struct sftp_lane;

struct sftp_lane *sftp_lane_new(void);          /* NULL: out of memory */
void sftp_lane_free(struct sftp_lane *l);

/* Take over FILE, READ or END. ERR_RANGE: no such slot. ERR_STATE: FILE or END amid a reply for that slot. */
MUST_USE enum err sftp_lane_take(struct sftp_lane *l, const struct sftp_lane_message *m);

enum sftp_lane_what {
    SFTP_LANE_MORE,                 /* all of the input is used */
    SFTP_LANE_PASS,                 /* hand on: out->bytes */
    SFTP_LANE_COPY,                 /* hand on: out->bytes, which lie in the lane until the next call */
    SFTP_LANE_LOOK,                 /* DATA that nobody told of: are there messages? Then call again */
    SFTP_LANE_PLACE,                /* write out->bytes to file out->slot at out->offset; more of the same reply follow each other without a gap */
    SFTP_LANE_NOTE                  /* the reply is whole: if all of it is written, and if `closes`, the descriptor closed, sftp_lane_note() tells */
};

struct sftp_lane_step {
    struct bytes bytes;
    uint32_t slot;
    uint64_t offset;
    bool closes;
};

/* The next step through the peer's bytes; *in moves on. Never reads beyond them, whatever they say: a stream that is no SFTP passes as it is. */
enum sftp_lane_what sftp_lane_next(struct sftp_lane *l, struct bytes *in, struct sftp_lane_step *out);
/* After NOTE: what became of the reply (0, or an errno and how many bytes were written before), and the bytes to hand on for it. */
void sftp_lane_note(struct sftp_lane *l, uint32_t error, size_t written, uint8_t out[SFTP_DATA_HEAD]);

#endif
