/* SPDX-License-Identifier: ISC */
/* Times and sizes with their letters. */
#include "conf/parse.h"

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

enum err conf_time_s(struct bytes t, int64_t *out)
{
    if (t.n == 0) return ERR_FORMAT;
    uint64_t sum = 0;
    for (size_t i = 0; i < t.n;) {
        size_t digits = 0;
        while (i + digits < t.n && t.p[i + digits] >= '0' && t.p[i + digits] <= '9') digits++;
        uint64_t v, unit = 1;
        TRY(text_to_u64(bytes_of(t.p + i, digits), INT32_MAX, &v));
        i += digits;
        if (i < t.n && !unit_s(t.p[i++], &unit)) return ERR_FORMAT;
        sum += v * unit;
        if (sum > INT32_MAX) return ERR_RANGE;
    }
    *out = (int64_t)sum;
    return ERR_NONE;
}

enum err conf_size_bytes(struct bytes t, uint64_t *out)
{
    if (bytes_is(t, "default")) {
        *out = 0;
        return ERR_NONE;
    }
    unsigned shift = 0;
    if (t.n) switch (ascii_lower((char)t.p[t.n - 1])) {
        case 'k': shift = 10; break;
        case 'm': shift = 20; break;
        case 'g': shift = 30; break;
        default: break;
        }
    if (shift) t.n--;
    uint64_t v;
    TRY(text_to_u64(t, INT64_MAX >> shift, &v));
    *out = v << shift;
    return ERR_NONE;
}
