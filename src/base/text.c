/* SPDX-License-Identifier: ISC */
#include "base/text.h"

#include <arpa/inet.h>

/* ---- the escaper ---- */

/* Length of the well-formed UTF-8 sequence at b, its code point in *cp; 0 if there is none. */
static size_t utf8_next(struct bytes b, uint32_t *cp)
{
    uint8_t c = b.p[0];
    size_t k = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
    if (k == 0 || k > b.n) return 0;
    uint32_t v = k == 1 ? c : c & (0xffU >> (k + 1));
    for (size_t i = 1; i < k; i++) {
        if ((b.p[i] & 0xc0) != 0x80) return 0;
        v = v << 6 | (b.p[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (v < least[k] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000)) return 0;
    *cp = v;
    return k;
}

/* Code points that steer a display instead of showing something: C1, zero width, line separators, bidi, tags, unassigned ends. */
static bool code_point_steers(uint32_t cp)
{
    static const uint32_t bad[][2] = {
        {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},     {0x180e, 0x180e},   {0x200b, 0x200f},
        {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xfff0, 0xfffb},
        {0xfffe, 0xffff}, {0xe0000, 0xe0fff}, {0xe000, 0xf8ff}, {0xf0000, 0x10ffff},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (cp >= bad[i][0] && cp <= bad[i][1]) return true;
    return false;
}

/* The next piece of b in its safe form: its length in b, its form in out[0..*n). */
static size_t escape_one(struct bytes b, const char *keep, uint8_t out[4], size_t *n)
{
    uint8_t c = b.p[0];
    uint32_t cp = 0;
    size_t k = utf8_next(b, &cp);
    bool plain = k == 1 ? (c >= 0x20 && c < 0x7f && c != '\\') || (c && strchr(keep, c)) : k > 1 && !code_point_steers(cp);
    if (plain) {
        memcpy(out, b.p, k);
        *n = k;
        return k;
    }
    if (c == '\\') {
        out[0] = out[1] = '\\';
        *n = 2;
        return 1;
    }
    out[0] = '\\', out[1] = (uint8_t)('0' + (c >> 6)), out[2] = (uint8_t)('0' + (c >> 3 & 7)), out[3] = (uint8_t)('0' + (c & 7));
    *n = 4;
    return 1;
}

void escape_write(struct wr *w, struct bytes text, const char *keep)
{
    while (text.n) {
        uint8_t out[4];
        size_t n, k = escape_one(text, keep, out, &n);
        wr_raw(w, bytes_of(out, n));
        text.p += k, text.n -= k;
    }
}

const char *escape_str(struct bytes text, char *buf, size_t cap)
{
    size_t at = 0;
    while (text.n) {
        uint8_t out[4];
        size_t n, k = escape_one(text, "", out, &n);
        if (at + n + 1 > cap) break;
        memcpy(buf + at, out, n);
        at += n;
        text.p += k, text.n -= k;
    }
    buf[at] = 0;
    return buf;
}

/* ---- name-lists ---- */

bool names_next(struct bytes list, size_t *pos, struct bytes *name)
{
    while (*pos < list.n) {
        const uint8_t *from = list.p + *pos;
        const uint8_t *comma = memchr(from, ',', list.n - *pos);
        size_t n = comma ? (size_t)(comma - from) : list.n - *pos;
        *pos += n + (comma != NULL);
        if (n == 0) continue;
        *name = bytes_of(from, n);
        return true;
    }
    return false;
}

bool names_has(struct bytes list, struct bytes name)
{
    struct bytes one;
    for (size_t pos = 0; names_next(list, &pos, &one);)
        if (bytes_equal(one, name)) return true;
    return false;
}

bool names_common(struct bytes first, struct bytes second, struct bytes *name)
{
    struct bytes one;
    for (size_t pos = 0; names_next(first, &pos, &one);)
        if (names_has(second, one)) {
            *name = one;
            return true;
        }
    return false;
}

/* ---- patterns ---- */

static bool match_core(struct bytes t, struct bytes p, bool fold)
{
    size_t i = 0, j = 0, star = SIZE_MAX, mark = 0;
    while (i < t.n) {
        char a = (char)t.p[i], b = j < p.n ? (char)p.p[j] : 0;
        bool same = j < p.n && (b == '?' || (fold ? ascii_lower(a) == ascii_lower(b) : a == b));
        if (j < p.n && b == '*') {
            star = j++, mark = i; /* only the last star is ever widened: no exponential search */
        } else if (same) {
            i++, j++;
        } else if (star != SIZE_MAX) {
            j = star + 1, i = ++mark;
        } else {
            return false;
        }
    }
    while (j < p.n && p.p[j] == '*') j++;
    return j == p.n;
}

bool pattern_match(struct bytes text, struct bytes pattern)
{
    return match_core(text, pattern, false);
}

enum match pattern_list_match(struct bytes text, struct bytes list, bool fold)
{
    enum match got = MATCH_NO;
    struct bytes one;
    for (size_t pos = 0; names_next(list, &pos, &one);) {
        bool negated = one.p[0] == '!';
        if (negated) one.p++, one.n--;
        if (!match_core(text, one, fold)) continue;
        if (negated) return MATCH_NEGATED;
        got = MATCH_YES;
    }
    return got;
}

/* ---- addresses ---- */

struct address {
    uint8_t b[16];
    size_t bits; /* 32 or 128; 0: not an address */
};

static struct address address_parse(struct bytes t)
{
    struct address a = {0};
    char s[80];
    if (bytes_to_str(t, s, sizeof s) != ERR_NONE) return a;
    char *zone = strchr(s, '%');
    if (zone) *zone = 0;
    if (inet_pton(AF_INET, s, a.b) == 1) {
        a.bits = 32;
    } else if (inet_pton(AF_INET6, s, a.b) == 1) {
        static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
        a.bits = 128;
        if (memcmp(a.b, mapped, 12) == 0) memmove(a.b, a.b + 12, 4), a.bits = 32;
    }
    return a;
}

static bool address_in(const struct address *a, const struct address *net, size_t len)
{
    if (a->bits == 0 || a->bits != net->bits) return false;
    if (memcmp(a->b, net->b, len / 8) != 0) return false;
    uint8_t mask = (uint8_t)(0xff00 >> (len % 8));
    return len % 8 == 0 || ((a->b[len / 8] ^ net->b[len / 8]) & mask) == 0;
}

static enum err address_one(const struct address *a, struct bytes text, struct bytes one, bool *hit)
{
    const uint8_t *slash = memchr(one.p, '/', one.n);
    struct bytes host = {one.p, slash ? (size_t)(slash - one.p) : one.n};
    struct address net = address_parse(host);
    uint64_t len = net.bits;
    if (slash) {
        if (net.bits == 0) return ERR_FORMAT;
        TRY(text_to_u64(bytes_of(slash + 1, one.n - host.n - 1), net.bits, &len));
        for (size_t i = len; i < net.bits; i++) /* a block with host bits set is a mistake, as OpenSSH says */
            if (net.b[i / 8] >> (7 - i % 8) & 1) return ERR_FORMAT;
    }
    *hit = net.bits ? address_in(a, &net, len) : match_core(text, one, true);
    return ERR_NONE;
}

enum err address_list_match(const char *address, struct bytes list, enum match *out)
{
    struct bytes text = bytes_str(address), one;
    struct address a = address_parse(text);
    enum match got = MATCH_NO;
    for (size_t pos = 0; names_next(list, &pos, &one);) {
        bool negated = one.p[0] == '!', hit = false;
        if (negated) one.p++, one.n--;
        TRY(address_one(&a, text, one, &hit));
        if (hit && got != MATCH_NEGATED) got = negated ? MATCH_NEGATED : MATCH_YES;
    }
    *out = got;
    return ERR_NONE;
}

/* ---- small ones ---- */

enum err text_to_u64(struct bytes t, uint64_t max, uint64_t *out)
{
    if (t.n == 0) return ERR_FORMAT;
    uint64_t v = 0;
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] < '0' || t.p[i] > '9') return ERR_FORMAT;
        unsigned d = t.p[i] - '0';
        if (d > max || v > (max - d) / 10) return ERR_RANGE;
        v = v * 10 + d;
    }
    *out = v;
    return ERR_NONE;
}

static bool unit_s(uint8_t c, uint64_t *out)
{
    static const struct {
        char letter;
        uint64_t s;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (units[i].letter == ascii_lower((char)c)) {
            *out = units[i].s;
            return true;
        }
    return false;
}

enum err text_to_seconds(struct bytes t, uint64_t max, uint64_t *out)
{
    if (t.n == 0) return ERR_FORMAT;
    uint64_t sum = 0;
    for (size_t i = 0; i < t.n;) {
        size_t digits = 0;
        while (i + digits < t.n && t.p[i + digits] >= '0' && t.p[i + digits] <= '9') digits++;
        uint64_t v, unit = 1;
        TRY(text_to_u64(bytes_of(t.p + i, digits), max, &v));
        i += digits;
        if (i < t.n && !unit_s(t.p[i++], &unit)) return ERR_FORMAT;
        if (v > (max - sum) / unit) return ERR_RANGE;
        sum += v * unit;
    }
    *out = sum;
    return ERR_NONE;
}

bool text_printable(struct bytes t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] < 0x20 || t.p[i] > 0x7e) return false;
    return true;
}

bool text_equal_fold(struct bytes a, struct bytes b)
{
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++)
        if (ascii_lower((char)a.p[i]) != ascii_lower((char)b.p[i])) return false;
    return true;
}
