/* SPDX-License-Identifier: ISC */
/* The client's escapes (ssh(1), ESCAPE CHARACTERS): pure, byte for byte. */
#ifndef ESCAPE_H
#define ESCAPE_H

#include "core/conn.h"

#define ESCAPE_CARRY 64

enum escape_act { ESCAPE_NONE, ESCAPE_QUIT, ESCAPE_SUSPEND, ESCAPE_HELP, ESCAPE_BREAK, ESCAPE_REKEY, ESCAPE_LIST, ESCAPE_UNKNOWN,
                  ESCAPE_MORE, ESCAPE_LESS };

struct escape {
    uint8_t mark;               /* the escape character */
    bool inside;                /* not at the beginning of a line: no escape can begin here */
    bool held;                  /* an escape character was seen and kept back */
    uint8_t unknown;            /* what followed, for ESCAPE_UNKNOWN */
    enum escape_act acts[8];    /* what is to be done, in order */
    size_t act_count;
    uint8_t carry[ESCAPE_CARRY];/* bytes that did not fit where they were read; to be sent before anything else */
    size_t carry_n;
};

void escape_init(struct escape *e, uint8_t mark);
/* Filters data[0..n) in place and returns the new length, at most n. What a kept-back escape character pushed out is in
 * carry; then the result is less than n, so that the caller gets its turn. */
size_t escape_filter(struct escape *e, uint8_t *data, size_t n);
/* The next thing to do; ESCAPE_NONE: no more. */
enum escape_act escape_next(struct escape *e);
/* Text of ~?, lines ended by \r\n. */
const char *escape_help(void);

#endif
