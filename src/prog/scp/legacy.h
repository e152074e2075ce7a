/* SPDX-License-Identifier: ISC */
/* The two ends of the legacy protocol: legacy.c: the wire and its errors; source.c: who sends; sink.c: who writes. */
#ifndef SCP_LEGACY_H
#define SCP_LEGACY_H

#include "base/wr.h"

#define LEGACY_BUFFER (256 * 1024)

struct wire {
    int in, out;
    bool far;                           /* we are the far end: errors go only to the peer */
    uint8_t *buffer;                    /* LEGACY_BUFFER */
    uint8_t ahead[4096];                /* read, not used */
    size_t head, tail;
    uint64_t begun_us, moved;           /* for -l */
};

/* Everything or the end: a wire that breaks ends the program ("lost connection", 1). */
void wire_write(struct wire *w, const void *p, size_t n);
static inline void wire_ok(struct wire *w)
{
    wire_write(w, "", 1);
}
/* One byte; false: end of file. */
bool wire_byte(struct wire *w, uint8_t *out);
/* At most n bytes of data; 0: end of file. */
size_t wire_read(struct wire *w, void *p, size_t n);
/* The peer's answer to a line or a file. False: it refused (a line was shown). */
bool wire_answer(struct wire *w);
/* An error of ours: told to the peer, and here unless we are the far end; the exit status becomes 1. */
void wire_error(struct wire *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Peer text for a person. */
void wire_show(const struct wire *w, struct bytes text);
/* -l: wait until n more bytes are due. */
void wire_limit(struct wire *w, size_t n);

struct meter_line;
/* Copy names (files, folders with -r) to the peer. */
void source_send(struct wire *w, char *const *names, size_t n);
/* Write what comes below `target`. request: what was asked for, NULL: anything may come. */
void sink_receive(struct wire *w, const char *target, const char *request);

#endif
