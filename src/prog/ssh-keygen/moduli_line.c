/* SPDX-License-Identifier: ISC */
#include "moduli_line.h"

#include "base/text.h"
#include "crypto/moduli.h"

/* The next word as a number. */
static bool number_take(struct bytes *rest, unsigned radix, uint64_t *out)
{
    uint64_t v = 0;
    size_t n = 0;
    while (rest->n && rest->p[0] == ' ') rest->p++, rest->n--;
    for (; n < rest->n && rest->p[n] != ' '; n++) {
        int c = ascii_lower((char)rest->p[n]), digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
        if (digit >= (int)radix || v > UINT32_MAX) return false;
        v = v * radix + (unsigned)digit;
    }
    rest->p += n, rest->n -= n;
    *out = v;
    return n > 0;
}

bool moduli_line_parse(struct bytes line, uint64_t field[5], struct wr *p)
{
    if (line.n < MODULI_TIME_LEN || line.p[0] == '!' || line.p[0] == '#') return false;
    struct bytes rest = bytes_of(line.p + MODULI_TIME_LEN, line.n - MODULI_TIME_LEN);
    uint8_t room[MODULI_BITS_MAX / 8 + 8];
    uint8_t even_room[MODULI_BITS_MAX / 4 + 16];
    struct wr number = wr_span((struct span){room, sizeof room}), even = wr_span((struct span){even_room, sizeof even_room});
    for (int i = 0; i < 5; i++)
        if (!number_take(&rest, i == 4 ? 16 : 10, &field[i])) return false;
    if (field[1] & TEST_COMPOSITE) return false;
    while (rest.n && rest.p[0] == ' ') rest.p++, rest.n--;
    if (rest.n % 2) wr_u8(&even, '0');
    wr_raw(&even, rest);
    if (hex_parse(wr_bytes(&even), &number) != ERR_NONE || number.n == 0) return false;
    if (field[0] != TYPE_SOPHIE_GERMAIN) {
        wr_raw(p, wr_bytes(&number));
        return wr_done(p) == ERR_NONE;
    }
    field[3]++, field[4] = 0;
    return moduli_double(wr_bytes(&number), p) == ERR_NONE;
}
