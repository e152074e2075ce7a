/* SPDX-License-Identifier: ISC */
/* Times and sizes with their letters. */
#include "conf/parse.h"

enum err conf_time_s(struct bytes t, int64_t *out)
{
    uint64_t sum;
    TRY(text_to_seconds(t, INT32_MAX, &sum));
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
