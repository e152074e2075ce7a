/* SPDX-License-Identifier: ISC */
/* Which line of the moduli file (moduli(5)) a client gets. */
#include "sshd/moduli_file.h"

#include <sys/random.h>

#include "base/text.h"

struct modulus {
    uint32_t bits, generator;
    struct bytes hex;
};

/* Time Type Tests Tries Size Generator Modulus; Size counts bits less one. */
static bool line_parse(struct bytes line, struct modulus *out)
{
    struct bytes field[7];
    uint64_t size, generator;
    size_t n = 0;
    for (size_t i = 0; i < line.n && n < COUNT_OF(field);) {
        size_t from = i;
        while (i < line.n && line.p[i] != ' ') i++;
        field[n++] = bytes_of(line.p + from, i - from);
        while (i < line.n && line.p[i] == ' ') i++;
    }
    if (n != COUNT_OF(field) || field[0].n == 0 || field[0].p[0] == '#' || !bytes_is(field[1], "2")) return false;
    if (text_to_u64(field[4], 16383, &size) != ERR_NONE || text_to_u64(field[5], 255, &generator) != ERR_NONE) return false;
    *out = (struct modulus){(uint32_t)size + 1, (uint32_t)generator, field[6]};
    return out->bits >= 2048 && out->hex.n > 0 && out->hex.n <= 2 * sizeof((struct say_group *)0)->p && out->hex.n % 2 == 0;
}

/* RFC 4419 3: the smallest size that is at least what was wanted, within the bounds; else the largest within them. */
static bool better(uint32_t bits, uint32_t best, uint32_t want)
{
    if (best == 0) return true;
    if (best < want) return bits > best;
    return bits >= want && bits < best;
}

static bool choose(struct bytes text, const struct ask_group *ask, struct modulus *out)
{
    struct modulus best = {0}, m;
    uint32_t seen = 0;
    for (size_t at = 0; at < text.n;) {
        const uint8_t *end = memchr(text.p + at, '\n', text.n - at);
        size_t n = end ? (size_t)(end - text.p) - at : text.n - at;
        bool fits = line_parse(bytes_of(text.p + at, n), &m) && m.bits >= ask->min && m.bits <= ask->max;
        at += n + 1;
        if (!fits) continue;
        uint8_t dice[4];
        if (m.bits != best.bits && better(m.bits, best.bits, ask->want)) {
            best = m, seen = 1;
        } else if (m.bits == best.bits && getrandom(dice, sizeof dice, 0) == (ssize_t)sizeof dice && get_u32(dice) % ++seen == 0) {
            best = m;       /* each of the same size is as likely */
        }
    }
    *out = best;
    return best.bits != 0;
}

bool moduli_choose(struct bytes text, const struct ask_group *ask, struct say_group *say)
{
    struct modulus m;
    struct wr w = wr_span((struct span){say->p, sizeof say->p});
    if (!choose(text, ask, &m) || hex_parse(m.hex, &w) != ERR_NONE || wr_done(&w) != ERR_NONE) return false;
    say->p_n = (uint32_t)w.n;
    say->g[0] = (uint8_t)m.generator, say->g_n = 1;
    return true;
}
