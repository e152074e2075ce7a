/* SPDX-License-Identifier: ISC */
#include "key/authorized_keys.h"

#include "base/limits.h"
#include "base/text.h"
#include "line.h"

/* The end of an option list: the first blank outside quotes. SIZE_MAX: a quote stays open. */
static size_t options_end(struct bytes b)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < b.n && (quoted || (b.p[i] != ' ' && b.p[i] != '\t')); i++) {
        if (b.p[i] == '\\' && i + 1 < b.n && b.p[i + 1] == '"') i++;
        else if (b.p[i] == '"') quoted = !quoted;
    }
    return quoted ? SIZE_MAX : i;
}

/* Do these two words look like a key: base64 of a blob that begins with the name? Only its head is decoded. */
static bool is_key(struct bytes type, struct bytes base64)
{
    uint8_t room[96];
    struct wr w = wr_span((struct span){room, sizeof room});
    size_t n = (4 + type.n + 2) / 3 * 4;
    if (type.n == 0 || type.n > 64 || base64.n < n) return false;
    return base64_parse(bytes_of(base64.p, n), &w) == ERR_NONE && w.n >= 4 + type.n && get_u32(room) == type.n &&
           memcmp(room + 4, type.p, type.n) == 0;
}

enum err authorized_line_parse(struct bytes line, struct authorized_line *out)
{
    struct authorized_line l = {0};
    struct bytes rest;
    TRY(line_begin(line, AUTHORIZED_LINE_MAX, &rest));
    struct bytes whole = rest;
    l.type = line_word(&rest);
    l.base64 = line_word(&rest);
    if (!is_key(l.type, l.base64)) {
        size_t n = options_end(whole);
        if (n == SIZE_MAX) return ERR_FORMAT;
        l.options = bytes_of(whole.p, n);
        rest = bytes_of(whole.p + n, whole.n - n);
        l.type = line_word(&rest);
        l.base64 = line_word(&rest);
        if (!is_key(l.type, l.base64)) return ERR_FORMAT;
    }
    l.comment = line_skip(rest);
    *out = l;
    return ERR_NONE;
}

bool authorized_line_has_blob(const struct authorized_line *l, struct bytes blob)
{
    return line_has_blob(l->type, l->base64, blob);
}
