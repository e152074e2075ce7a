/* SPDX-License-Identifier: ISC */
/* Lines: what known_hosts, authorized_keys and key files of lines share. */
#ifndef KEY_LINE_H
#define KEY_LINE_H

#include "key/key.h"

/* The next line, which LF, CR LF or CR ends; *rest moves behind it. */
struct bytes line_take(struct bytes *rest);
/* A line without CR and leading blanks. ERR_NOT_FOUND: nothing or a comment. ERR_TOO_LONG. ERR_FORMAT: it holds a NUL or a newline. */
MUST_USE enum err line_begin(struct bytes line, size_t max, struct bytes *rest);
/* The next word; *rest moves behind it. Empty at the end. */
struct bytes line_word(struct bytes *rest);
/* Without the blanks it begins with. */
struct bytes line_skip(struct bytes b);
/* "type base64" to a blob that begins with that type. */
MUST_USE enum err line_blob(struct bytes type, struct bytes base64, struct wr *out);
/* "type base64 comment", a newline at the end dropped. ERR_FORMAT: not two words. */
MUST_USE enum err pubkey_line_split(struct bytes line, struct pubkey_line *out);
/* "type base64" to a plain key whose type is that one. */
MUST_USE enum err line_key(struct bytes type, struct bytes base64, struct pubkey **out);
bool line_has_blob(struct bytes type, struct bytes base64, struct bytes blob);

#endif
