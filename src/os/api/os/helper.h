/* SPDX-License-Identifier: ISC */
/* What helpers that load a vendor's code have in common: how they start, how they are asked and how they answer. */
#ifndef OS_HELPER_H
#define OS_HELPER_H

#include "base/rd.h"
#include "base/wr.h"

#define HELPER_FD 0                 /* descriptor of the socket (SOCK_SEQPACKET) to who started us */

/* Call first in main: takes the options ([-v...]), opens the log on stderr, and makes of us a process that is not dumped, ends with who
 * started it and lets ^C at a terminal to them. Ends the process with 1, and words, where it was not started as a helper. */
void helper_init(const char *name, int argc, char **argv);

/* The next message, waited for, into room, whose old content is wiped: its first byte is returned, a reader of the rest, which lies in
 * room, is left in out. Ends the process with 0 when who started us is gone; a message longer than room ends it too. */
uint8_t helper_next(struct span room, struct rd *out);
/* Sends what was written as one message and clears the writer, which wipes it. Ends the process with 1 where it did not fit the writer
 * or nobody is left to read it. */
void helper_answer(struct wr *w);
/* The same for a failure: behind what was written (its type) go the code and the words of because(), or the code's own (err_text). */
void helper_fail(struct wr *w, enum err e);

/* Why a request fails, for the person; at most 1023 bytes, the last one wins. Also a debug line of the log. */
void because(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Was because() called since the process began, or since because_nothing()? */
bool because_said(void);
void because_nothing(void);

#endif
