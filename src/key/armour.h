/* SPDX-License-Identifier: ISC */
/* Base64 between BEGIN and END lines (RFC 7468), in ways that tell nothing of what it holds. */
#ifndef KEY_ARMOUR_H
#define KEY_ARMOUR_H

#include "base/wr.h"

/* "-----BEGIN label-----" is the first thing in text. */
bool armour_is(struct bytes text, const char *label);
/* The decoded bytes; only white space may follow the END line. ERR_FORMAT, ERR_TRUNCATED, ERR_TRAILING, ERR_TOO_LONG (KEY_FILE_MAX). */
MUST_USE enum err armour_parse(struct bytes text, const char *label, struct wr *out);
void armour_write(struct wr *w, const char *label, size_t width, struct bytes data);

#endif
