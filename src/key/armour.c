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

/* What follows the BEGIN line. */
static enum err after_begin(struct bytes text, const char *label, struct bytes *out)
{
    if (text.n > KEY_FILE_MAX) return ERR_TOO_LONG;
    if (!armour_is(text, label)) return ERR_FORMAT;
    size_t head = strlen("-----BEGIN ") + strlen(label) + strlen("-----");
    *out = bytes_of(text.p + head, text.n - head);
    return ERR_NONE;
}

static enum err body_parse(struct bytes rest, const char *label, struct wr *out)
{
    char end_line[64];
    struct wr flat CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    snprintf(end_line, sizeof end_line, "-----END %s-----", label);
    TRY(body_take(&rest, end_line, &flat));
    for (size_t i = 0; i < rest.n; i++)
        if (!is_blank(rest.p[i])) return ERR_TRAILING;
    return base64_parse(wr_bytes(&flat), out);
}

enum err armour_parse(struct bytes text, const char *label, struct wr *out)
{
    struct bytes rest;
    TRY(after_begin(text, label, &rest));
    return body_parse(rest, label, out);
}

/* The next line without blanks at its end. */
static struct bytes take_line(struct bytes *rest)
{
    const uint8_t *nl = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    struct bytes line = bytes_of(rest->p, nl ? (size_t)(nl - rest->p) : rest->n);
    size_t skip = line.n + (nl != NULL);
    rest->p += skip, rest->n -= skip;
    while (line.n && is_blank(line.p[line.n - 1])) line.n--;
    return line;
}

enum err armour_parse_headers(struct bytes text, const char *label, struct armour_headers *headers, struct wr *out)
{
    struct armour_headers h = {0};
    struct bytes rest;
    TRY(after_begin(text, label, &rest));
    take_line(&rest);
    for (;;) {
        struct bytes line = take_line(&rest);
        if (line.n == 0) break;
        const uint8_t *colon = memchr(line.p, ':', line.n);
        if (!colon || h.n == COUNT_OF(h.name)) return ERR_FORMAT;
        size_t name_n = (size_t)(colon - line.p), value_at = name_n + 1;
        while (value_at < line.n && is_blank(line.p[value_at])) value_at++;
        h.name[h.n] = bytes_of(line.p, name_n);
        h.value[h.n++] = bytes_of(line.p + value_at, line.n - value_at);
    }
    TRY(body_parse(rest, label, out));
    *headers = h;
    return ERR_NONE;
}

void armour_write(struct wr *w, const char *label, size_t width, struct bytes data)
{
    armour_write_headers(w, label, "", width, data);
}

void armour_write_headers(struct wr *w, const char *label, const char *headers, size_t width, struct bytes data)
{
    wr_textf(w, "-----BEGIN %s-----\n%s", label, headers);
    base64_write_lines(w, width, data);
    wr_textf(w, "-----END %s-----\n", label);
}

void base64_write_lines(struct wr *w, size_t width, struct bytes data)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(2 * KEY_FILE_MAX);
    base64_write(&text, data);
    if (wr_done(&text) != ERR_NONE) wr_fail(w, wr_done(&text));
    for (size_t at = 0; at < text.n; at += width) {
        wr_raw(w, bytes_of(text.p + at, text.n - at < width ? text.n - at : width));
        wr_u8(w, '\n');
    }
}
