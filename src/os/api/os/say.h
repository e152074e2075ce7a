/* SPDX-License-Identifier: ISC */
/* Words for a person at a terminal: what could steer it is escaped, whoever the text came from (base/text.h). */
#ifndef OS_SAY_H
#define OS_SAY_H

#include <stdarg.h>
#include <stdio.h>

#include "base/bytes.h"

/* A whole line at once: `before` and `end` as they are, between them the text, escaped but for what stands in `keep`. What waits in stdout
 * comes first. errno stays. */
void say_line(FILE *f, const char *before, const char *keep, const char *end, const char *fmt, va_list ap) PRINTF_LIKE(5, 0);

/* A small program's own words: a line on stderr that ends with CR LF, as OpenSSH's log lines do; a backslash stays. */
void say(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The same, and the end with status 255. */
NORETURN void fatal(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Text to stdout. A backslash stays as it is, since names and comments that have one must come out as they were. */
void text_print(struct bytes text);

#endif
