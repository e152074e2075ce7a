/* SPDX-License-Identifier: ISC */
/* Text: encodings, name-lists, patterns, and the escaper through which peer text must pass before a person sees it. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/wr.h"

/* Base64 (RFC 4648 4) with padding. write: no line breaks. parse: strict alphabet and padding, no white space; its time depends on the
 * lengths only, so that it may read private keys. */
void base64_write(struct wr *w, struct bytes b);
MUST_USE enum err base64_parse(struct bytes text, struct wr *out);

/* Lower-case hex. */
void hex_write(struct wr *w, struct bytes b);
MUST_USE enum err hex_parse(struct bytes text, struct wr *out);

/* Peer text made safe for a terminal or a log: printable ASCII and valid printable UTF-8 (no C1, bidi controls, line or
 * paragraph separators) pass; a backslash and everything else become octal (\033) as OpenSSH's vis does. `keep` lists control
 * characters that may pass as they are ("\n\t" for banners, "" for logs), and perhaps the backslash ("\\"). */
void escape_write(struct wr *w, struct bytes text, const char *keep);
/* The same into a fixed array, cut (at a character) where it would not fit; always NUL-terminated. Returns buf. */
const char *escape_str(struct bytes text, char *buf, size_t cap);

/* One comma separated name-list (RFC 4251 5). next: the name at *pos, moving it on; false at the end. Empty names are skipped. */
bool names_next(struct bytes list, size_t *pos, struct bytes *name);
bool names_has(struct bytes list, struct bytes name);
/* The first name of `first` that `second` has too; false if there is none. */
bool names_common(struct bytes first, struct bytes second, struct bytes *name);

/* Shell-like pattern with * and ?, linear in time times length; whole text must match. */
bool pattern_match(struct bytes text, struct bytes pattern);
enum match { MATCH_NO = 0, MATCH_YES = 1, MATCH_NEGATED = -1 };
/* Comma separated patterns, each may begin with '!': a negated hit wins over all. fold: compare without letter case. */
enum match pattern_list_match(struct bytes text, struct bytes list, bool fold);

/* A network address as text (IPv4 or IPv6, no brackets, a %zone allowed on link-local) against a comma separated list of
 * addresses, CIDR blocks and wildcard patterns, each may be negated by '!'. ERR_FORMAT: the list has a bad CIDR. */
MUST_USE enum err address_list_match(const char *address, struct bytes list, enum match *out);

/* Decimal number without sign, at most max; nothing but digits. ERR_FORMAT, ERR_RANGE. */
MUST_USE enum err text_to_u64(struct bytes text, uint64_t max, uint64_t *out);

/* A time with its units, "90", "1h30m", "2w": the sum of its parts in seconds, at most max (sshd_config(5), TIME FORMATS).
 * ERR_FORMAT, ERR_RANGE. */
MUST_USE enum err text_to_seconds(struct bytes text, uint64_t max, uint64_t *out);

/* Is every byte printable ASCII (0x20..0x7e)? */
bool text_printable(struct bytes text);

/* Lower-case copy of one ASCII character, without locale. */
static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}
bool text_equal_fold(struct bytes a, struct bytes b);

#endif
