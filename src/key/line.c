/* SPDX-License-Identifier: ISC */
#include "line.h"

#include "base/limits.h"
#include "base/rd.h"
#include "base/text.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

struct bytes line_skip(struct bytes b)
{
    while (b.n && is_blank(b.p[0])) b.p++, b.n--;
    return b;
}

struct bytes line_take(struct bytes *rest)
{
    size_t n = 0;
    while (n < rest->n && rest->p[n] != '\n' && rest->p[n] != '\r') n++;
    struct bytes line = bytes_of(rest->p, n);
    if (n < rest->n) n += rest->p[n] == '\r' && n + 1 < rest->n && rest->p[n + 1] == '\n' ? 2 : 1;
    rest->p += n, rest->n -= n;
    return line;
}

enum err line_begin(struct bytes line, size_t max, struct bytes *rest)
{
    if (line.n > max) return ERR_TOO_LONG;
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    line = line_skip(line);
    if (line.n == 0 || line.p[0] == '#') return ERR_NOT_FOUND;
    if (memchr(line.p, 0, line.n) || memchr(line.p, '\n', line.n)) return ERR_FORMAT;
    *rest = line;
    return ERR_NONE;
}

struct bytes line_word(struct bytes *rest)
{
    struct bytes b = line_skip(*rest);
    size_t n = 0;
    while (n < b.n && !is_blank(b.p[n])) n++;
    *rest = bytes_of(b.p + n, b.n - n);
    return bytes_of(b.p, n);
}

struct bytes key_blob_type(struct bytes blob)
{
    struct rd r = rd_init(blob);
    return rd_string(&r);
}

bool line_has_blob(struct bytes type, struct bytes base64, struct bytes blob)
{
    uint8_t room[PUBKEY_BLOB_MAX];
    if (blob.n == 0 || blob.n > sizeof room || base64.n != (blob.n + 2) / 3 * 4) return false;
    if (!bytes_equal(key_blob_type(blob), type)) return false;
    struct wr w = wr_span((struct span){room, sizeof room});
    return base64_parse(base64, &w) == ERR_NONE && bytes_equal(wr_bytes(&w), blob);
}
