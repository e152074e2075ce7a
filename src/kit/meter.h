/* SPDX-License-Identifier: ISC */
/* The progress line, in the form of OpenSSH's: name, percent, bytes, rate, time left. Only on a terminal that is ours. */
#ifndef KIT_METER_H
#define KIT_METER_H

#include "base/bytes.h"

struct meter {
    bool on;
    bool shown;                 /* a line without newline stands there */
    uint64_t tick_us;           /* when it is drawn anew */
    uint64_t last_us, last_bytes;
    double rate;
    const void *of;             /* whose rate that is */
};

struct meter_facts {
    const void *of;             /* the file */
    const char *name;           /* raw: escaped here */
    uint64_t size, bytes, start; /* start: there before */
    uint64_t begun_us, now_us;
    uint64_t index, count;      /* on trees: file i of n; 0: not shown */
    bool more;                  /* n still grows */
    bool done;
};

void meter_init(struct meter *m, bool wanted);
/* Draw it; done: the last line of this file, with its newline. */
void meter_draw(struct meter *m, const struct meter_facts *f);
/* Before a line on stderr: the meter's own line is taken away. */
void meter_clear(struct meter *m);
/* Text of a meter line without control characters, NUL-terminated; cols of the terminal. For tests. */
size_t meter_format(char *out, size_t cap, const struct meter_facts *f, double rate, unsigned cols);

#endif
