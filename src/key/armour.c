/* SPDX-License-Identifier: ISC */
#include "armour.h"

#include <stdio.h>

#include "base/limits.h"
#include "base/text.h"

static bool is_blank(uint8_t c)
{
    return c == '\n' || c == '\r' || c == ' ' || c == '\t';
}

bool armour_is(struct bytes text, const char *label)
{
    char line[64];
    snprintf(line, sizeof line, "-----BEGIN %s-----", label);
    return bytes_starts(text, line);
}

/* Whole lines up to the END line, flattened. Only newlines and a line's first and last characters are looked at: what stands between must
 * not steer a search (memmem() indexes a table with what it searches). */
static enum err body_take(struct bytes *rest, const char *end_line, struct wr *flat)
{
    for (struct bytes body = *rest; body.n;) {
        const uint8_t *nl = memchr(body.p, '\n', body.n);
        size_t n = nl ? (size_t)(nl - body.p) : body.n;
        struct bytes line = bytes_of(body.p, n);
        if (n && line.p[0] == '-') {
            size_t end_n = strlen(end_line);
            if (!bytes_starts(line, end_line)) return ERR_FORMAT;
            *rest = bytes_of(body.p + end_n, body.n - end_n);
            return wr_done(flat);
        }
        while (line.n && is_blank(line.p[line.n - 1])) line.n--;
        wr_raw(flat, line);
        n += nl != NULL;
        body.p += n, body.n -= n;
    }
    return ERR_TRUNCATED;
}

enum err armour_parse(struct bytes text, const char *label, struct wr *out)
{
    char end_line[64];
    struct wr flat CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    snprintf(end_line, sizeof end_line, "-----END %s-----", label);
    if (text.n > KEY_FILE_MAX) return ERR_TOO_LONG;
    if (!armour_is(text, label)) return ERR_FORMAT;
    size_t head = strlen("-----BEGIN ") + strlen(label) + strlen("-----");
    struct bytes rest = bytes_of(text.p + head, text.n - head);
    TRY(body_take(&rest, end_line, &flat));
    for (size_t i = 0; i < rest.n; i++)
        if (!is_blank(rest.p[i])) return ERR_TRAILING;
    return base64_parse(wr_bytes(&flat), out);
}

void armour_write(struct wr *w, const char *label, size_t width, struct bytes data)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    base64_write(&text, data);
    if (wr_done(&text) != ERR_NONE) wr_fail(w, wr_done(&text));
    wr_textf(w, "-----BEGIN %s-----\n", label);
    for (size_t at = 0; at < text.n; at += width) {
        wr_raw(w, bytes_of(text.p + at, text.n - at < width ? text.n - at : width));
        wr_u8(w, '\n');
    }
    wr_textf(w, "-----END %s-----\n", label);
}
