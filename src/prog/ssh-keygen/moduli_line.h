/* SPDX-License-Identifier: ISC */
/* One line of moduli(5), or of candidates for it. */
#ifndef KEYGEN_MODULI_LINE_H
#define KEYGEN_MODULI_LINE_H

#include "base/wr.h"

enum { TYPE_SAFE = 2, TYPE_SOPHIE_GERMAIN = 4 };
enum { TEST_COMPOSITE = 1, TEST_SIEVE = 2, TEST_MILLER_RABIN = 4 };
#define MODULI_TIME_LEN 14

/* The fields behind the time (type, tests, tries, size, generator), and p, from q where that is what the line holds. False: nothing to test. */
bool moduli_line_parse(struct bytes line, uint64_t field[5], struct wr *p);

#endif
