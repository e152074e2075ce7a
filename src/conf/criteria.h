/* SPDX-License-Identifier: ISC */
/* The words of a Match line as pairs: criterion and argument, "host a,b", "host=a,b", "!user c". */
#ifndef CONF_CRITERIA_H
#define CONF_CRITERIA_H

#include "option.h"

struct criterion {
    const char *name;       /* without '!' */
    const char *arg;        /* NULL: there is none */
    bool negated;
};

struct criterion_row {
    const char *name;
    bool has_arg;
};

/* The next pair. rows: the known names, ended by a NULL name. ERR_NOT_FOUND: no more; ERR_USAGE: unknown name or missing argument, said. */
enum err criteria_next(struct line *l, const struct criterion_row *rows, struct criterion *out, size_t *row);

#endif
