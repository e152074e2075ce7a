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

/* Line by line, so that no step depends on the secret characters. */
static enum err body_parse(struct bytes body, struct wr *out)
{
    struct wr flat CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    while (body.n) {
        const uint8_t *nl = memchr(body.p, '\n', body.n);
        size_t n = nl ? (size_t)(nl - body.p) : body.n, keep = n;
        while (keep && is_blank(body.p[keep - 1])) keep--;
        wr_raw(&flat, bytes_of(body.p, keep));
        n += nl != NULL;
        body.p += n, body.n -= n;
    }
    TRY(wr_done(&flat));
    return base64_parse(wr_bytes(&flat), out);
}

enum err armour_parse(struct bytes text, const char *label, struct wr *out)
{
    char end_line[64];
    int end_n = snprintf(end_line, sizeof end_line, "\n-----END %s-----", label);
    if (text.n > KEY_FILE_MAX) return ERR_TOO_LONG;
    if (!armour_is(text, label)) return ERR_FORMAT;
    size_t head = strlen("-----BEGIN ") + strlen(label) + strlen("-----");
    struct bytes body = bytes_of(text.p + head, text.n - head);
    const uint8_t *end = memmem(body.p, body.n, end_line, (size_t)end_n);
    if (!end) return ERR_TRUNCATED;
    for (const uint8_t *p = end + end_n; p < text.p + text.n; p++)
        if (!is_blank(*p)) return ERR_TRAILING;
    body.n = (size_t)(end - body.p);
    return body_parse(body, out);
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
