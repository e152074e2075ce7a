/* SPDX-License-Identifier: ISC */
#include "rfc4716.h"

#include <stdio.h>

#include "armour.h"
#include "base/limits.h"
#include "base/text.h"
#include "line.h"

enum { LINE_MAX_ = 1024, WIDTH = 70 };     /* 72 bytes a line by 3; what others write is a little longer */

/* Without the blanks at its end. */
static struct bytes take_line(struct bytes *rest)
{
    struct bytes line = line_take(rest);
    while (line.n && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t')) line.n--;
    return line;
}

bool rfc4716_is(struct bytes text, const char *label)
{
    char line[64];
    snprintf(line, sizeof line, "---- BEGIN %s ----", label);
    return bytes_starts(text, line);
}

/* 3.3: "tag: value"; a line that ends with a backslash goes on in the next. */
static enum err header_take(struct bytes line, struct bytes *rest, struct wr *comment)
{
    const uint8_t *colon = memchr(line.p, ':', line.n);
    size_t name_n = colon ? (size_t)(colon - line.p) : 0;
    bool wanted = comment && text_equal_fold(bytes_of(line.p, name_n), BYTES_LIT("Comment"));
    struct wr value CLEANUP(wr_clear) = wr_heap(4 * LINE_MAX_);
    struct bytes part = bytes_of(line.p + name_n + 1, line.n - name_n - 1);
    while (part.n && part.p[0] == ' ') part.p++, part.n--;
    for (;;) {
        bool more = part.n && part.p[part.n - 1] == '\\';
        wr_raw(&value, bytes_of(part.p, part.n - more));
        if (!more) break;
        if (rest->n == 0) return ERR_TRUNCATED;
        part = take_line(rest);
    }
    TRY(wr_done(&value));
    if (!wanted) return ERR_NONE;
    struct bytes v = wr_bytes(&value);
    if (v.n >= 2 && v.p[0] == '"' && v.p[v.n - 1] == '"') v = bytes_of(v.p + 1, v.n - 2);
    wr_raw(comment, v);
    return wr_done(comment);
}

enum err rfc4716_parse(struct bytes text, const char *label, struct wr *out, struct wr *comment)
{
    char end[64];
    struct wr flat CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    struct bytes rest = text;
    bool in_headers = true;
    if (text.n > KEY_FILE_MAX) return ERR_TOO_LONG;
    if (!rfc4716_is(text, label)) return ERR_FORMAT;
    snprintf(end, sizeof end, "---- END %s ----", label);
    take_line(&rest);
    while (rest.n) {
        struct bytes line = take_line(&rest);
        if (line.n > LINE_MAX_) return ERR_TOO_LONG;
        if (bytes_is(line, end)) {
            TRY(wr_done(&flat));
            return base64_parse(wr_bytes(&flat), out);
        }
        if (in_headers && line.n && memchr(line.p, ':', line.n)) {
            TRY(header_take(line, &rest, comment));
            continue;
        }
        in_headers = false;
        wr_raw(&flat, line);
    }
    return ERR_TRUNCATED;
}

void rfc4716_write(struct wr *w, const char *label, struct bytes comment, struct bytes data)
{
    wr_textf(w, "---- BEGIN %s ----\n", label);
    if (comment.n) {
        wr_text(w, "Comment: \"");
        for (size_t i = 0; i < comment.n; i++)      /* nothing in it may begin a line */
            wr_u8(w, comment.p[i] == '\n' || comment.p[i] == '\r' ? ' ' : comment.p[i]);
        wr_text(w, "\"\n");
    }
    base64_write_lines(w, WIDTH, data);
    wr_textf(w, "---- END %s ----\n", label);
}
