/* SPDX-License-Identifier: ISC */
/* Base64 between BEGIN and END lines (RFC 7468), in ways that tell nothing of what it holds. */
#ifndef KEY_ARMOUR_H
#define KEY_ARMOUR_H

#include "base/wr.h"

/* "-----BEGIN label-----" is the first thing in text. */
bool armour_is(struct bytes text, const char *label);
/* The decoded bytes; only white space may follow the END line. ERR_FORMAT, ERR_TRUNCATED, ERR_TRAILING, ERR_TOO_LONG (KEY_FILE_MAX). */
MUST_USE enum err armour_parse(struct bytes text, const char *label, struct wr *out);
/* The same with the headers of RFC 1421 4.4 between BEGIN line and an empty line; views into text. */
struct armour_headers {
    struct bytes name[4], value[4];
    size_t n;
};
MUST_USE enum err armour_parse_headers(struct bytes text, const char *label, struct armour_headers *headers, struct wr *out);
/* Base64 in lines of `width` characters, each ended by a newline. */
void base64_write_lines(struct wr *w, size_t width, struct bytes data);
/* headers: "" or whole lines with the empty one behind them. */
void armour_write_headers(struct wr *w, const char *label, const char *headers, size_t width, struct bytes data);
void armour_write(struct wr *w, const char *label, size_t width, struct bytes data);

#endif
