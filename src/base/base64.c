/* SPDX-License-Identifier: ISC */
/* Base64 and hex without tables: an index computed from a secret must not reach the cache (TRUST T10). */
#include "base/text.h"

static const char *const hex_digits = "0123456789abcdef";

/* 0xff where lo <= c <= hi, else 0, without branches. */
static unsigned in_range(unsigned c, unsigned lo, unsigned hi)
{
    return (((lo - 1 - c) & (c - hi - 1)) >> 8) & 0xff;
}

static uint8_t to_char(unsigned v)
{
    unsigned c = in_range(v + 1, 1, 26) & ('A' + v);
    c |= in_range(v, 26, 51) & ('a' + v - 26);
    c |= in_range(v, 52, 61) & ('0' + v - 52);
    c |= in_range(v, 62, 62) & '+';
    c |= in_range(v, 63, 63) & '/';
    return (uint8_t)c;
}

/* 0..63, or a value with bit 8 set for a character outside the alphabet. */
static unsigned from_char(unsigned c)
{
    unsigned up = in_range(c, 'A', 'Z'), low = in_range(c, 'a', 'z'), dig = in_range(c, '0', '9');
    unsigned plus = in_range(c, '+', '+'), slash = in_range(c, '/', '/');
    unsigned v = (up & (c - 'A')) | (low & (c - 'a' + 26)) | (dig & (c - '0' + 52)) | (plus & 62) | (slash & 63);
    unsigned any = up | low | dig | plus | slash;
    return v | ((~any & 0xff) << 8);
}

void base64_write(struct wr *w, struct bytes b)
{
    while (b.n) {
        size_t k = b.n < 3 ? b.n : 3;
        unsigned v = (unsigned)b.p[0] << 16 | (k > 1 ? (unsigned)b.p[1] << 8 : 0) | (k > 2 ? b.p[2] : 0);
        uint8_t *p = wr_room(w, 4);
        if (!p) return;
        p[0] = to_char(v >> 18), p[1] = to_char(v >> 12 & 63);
        p[2] = k > 1 ? to_char(v >> 6 & 63) : '=', p[3] = k > 2 ? to_char(v & 63) : '=';
        b.p += k, b.n -= k;
    }
}

enum err base64_parse(struct bytes t, struct wr *out)
{
    if (t.n % 4) return ERR_FORMAT;
    unsigned bad = 0;
    for (size_t i = 0; i < t.n; i += 4) {
        size_t pad = i + 4 < t.n ? 0 : (size_t)(t.p[i + 3] == '=') + (t.p[i + 3] == '=' && t.p[i + 2] == '=');
        unsigned v = 0;
        for (size_t j = 0; j < 4; j++) {
            unsigned d = j < 4 - pad ? from_char(t.p[i + j]) : 0;
            bad |= d >> 8;
            v = v << 6 | (d & 63);
        }
        if ((pad == 1 && (v & 0xff)) || (pad == 2 && (v & 0xffff))) return ERR_FORMAT;
        uint8_t *p = wr_room(out, 3 - pad);
        if (!p) return wr_done(out);
        p[0] = (uint8_t)(v >> 16);
        if (pad < 2) p[1] = (uint8_t)(v >> 8);
        if (pad < 1) p[2] = (uint8_t)v;
    }
    return bad ? ERR_FORMAT : ERR_NONE;
}

void hex_write(struct wr *w, struct bytes b)
{
    for (size_t i = 0; i < b.n; i++) {
        wr_u8(w, (uint8_t)hex_digits[b.p[i] >> 4]);
        wr_u8(w, (uint8_t)hex_digits[b.p[i] & 15]);
    }
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum err hex_parse(struct bytes t, struct wr *out)
{
    if (t.n % 2) return ERR_FORMAT;
    for (size_t i = 0; i < t.n; i += 2) {
        int hi = hex_value(t.p[i]), lo = hex_value(t.p[i + 1]);
        if (hi < 0 || lo < 0) return ERR_FORMAT;
        wr_u8(out, (uint8_t)(hi << 4 | lo));
    }
    return wr_done(out);
}
