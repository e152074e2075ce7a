/* SPDX-License-Identifier: ISC */
/* Fingerprints and the random art drawn from them (the "drunken bishop" walk, as OpenSSH draws it). */
#include <stdio.h>

#include "base/text.h"
#include "key_type.h"

static const struct {
    const struct hash_alg *hash;
    const char *name;
} how_rows[] = {
    [FINGERPRINT_SHA256] = {&hash_sha256, "SHA256"}, [FINGERPRINT_MD5] = {&hash_md5, "MD5"},
    [FINGERPRINT_SHA1] = {&hash_sha1, "SHA1"},       [FINGERPRINT_SHA384] = {&hash_sha384, "SHA384"},
    [FINGERPRINT_SHA512] = {&hash_sha512, "SHA512"},
};

bool fingerprint_find(struct bytes name, enum fingerprint *out)
{
    for (size_t i = 0; i < COUNT_OF(how_rows); i++)
        if (text_equal_fold(name, bytes_str(how_rows[i].name))) {
            *out = (enum fingerprint)i;
            return true;
        }
    return false;
}

void fingerprint_write(struct wr *w, struct bytes blob, enum fingerprint how)
{
    uint8_t digest[HASH_MAX];
    const struct hash_alg *hash = how_rows[how].hash;
    enum err e = hash_digest(hash, blob, digest);
    if (e != ERR_NONE) {
        wr_fail(w, e);
        return;
    }
    wr_text(w, how_rows[how].name);
    if (how == FINGERPRINT_MD5) {
        for (size_t i = 0; i < hash->len; i++) {
            wr_u8(w, ':');
            hex_write(w, bytes_of(digest + i, 1));
        }
        return;
    }
    uint8_t room[4 * ((HASH_MAX + 2) / 3)];
    struct wr text = wr_span((struct span){room, sizeof room});
    base64_write(&text, bytes_of(digest, hash->len));
    while (text.n && text.p[text.n - 1] == '=') text.n--;
    wr_u8(w, ':');
    wr_raw(w, wr_bytes(&text));
}

/* The words of the Bubble Babble encoding: vowels carry the sum that grows along, consonants the bits between. */
void bubblebabble_write(struct wr *w, struct bytes blob)
{
    static const char vowels[] = "aeiouy", consonants[] = "bcdfghklmnprstvzx";
    uint8_t d[HASH_MAX];
    unsigned sum = 1;
    size_t n = hash_sha1.len;
    enum err e = hash_digest(&hash_sha1, blob, d);
    if (e != ERR_NONE) wr_fail(w, e);
    wr_u8(w, 'x');
    for (size_t i = 0; i <= n; i += 2) {
        bool last = i == n;     /* an even number of bytes: the last word holds the sum alone */
        unsigned a = last ? 0 : d[i];
        wr_u8(w, (uint8_t)vowels[last ? sum % 6 : ((a >> 6 & 3) + sum) % 6]);
        wr_u8(w, (uint8_t)consonants[last ? 16 : a >> 2 & 15]);
        wr_u8(w, (uint8_t)vowels[last ? sum / 6 : ((a & 3) + sum / 6) % 6]);
        if (last) break;
        wr_u8(w, (uint8_t)consonants[d[i + 1] >> 4]);
        wr_u8(w, '-');
        wr_u8(w, (uint8_t)consonants[d[i + 1] & 15]);
        sum = (sum * 5 + a * 7 + d[i + 1]) % 36;
    }
    wr_u8(w, 'x');
}

#define ART_COLUMNS 17
#define ART_ROWS    9

struct art {
    uint8_t visits[ART_ROWS][ART_COLUMNS];
};

static size_t step(size_t at, bool up, size_t last)
{
    if (up) return at < last ? at + 1 : last;
    return at > 0 ? at - 1 : 0;
}

/* Each pair of bits, lowest first, moves the bishop diagonally; walls stop it. The marks: count of visits, start, end. */
static void art_walk(struct art *a, const uint8_t *digest, size_t n, unsigned most)
{
    size_t x = ART_COLUMNS / 2, y = ART_ROWS / 2;
    for (size_t i = 0; i < n; i++)
        for (unsigned pair = 0; pair < 8; pair += 2) {
            unsigned bits = digest[i] >> pair & 3;
            x = step(x, bits & 1, ART_COLUMNS - 1);
            y = step(y, bits & 2, ART_ROWS - 1);
            if (a->visits[y][x] < most - 2) a->visits[y][x]++;
        }
    a->visits[ART_ROWS / 2][ART_COLUMNS / 2] = (uint8_t)(most - 1);
    a->visits[y][x] = (uint8_t)most;
}

static void art_border(struct wr *w, const char *title)
{
    size_t n = strlen(title), left = (ART_COLUMNS - n) / 2;
    wr_u8(w, '+');
    for (size_t i = 0; i < left; i++) wr_u8(w, '-');
    wr_text(w, title);
    for (size_t i = left + n; i < ART_COLUMNS; i++) wr_u8(w, '-');
    wr_u8(w, '+');
}

void randomart_write(struct wr *w, struct bytes blob, enum fingerprint how, const struct pubkey *k)
{
    static const char marks[] = " .o+=*BOX@%&#/^SE";
    uint8_t digest[HASH_MAX];
    const struct hash_alg *hash = how_rows[how].hash;
    enum err e = hash_digest(hash, blob, digest);
    if (e != ERR_NONE) {
        wr_fail(w, e);
        return;
    }
    struct art a = {0};
    art_walk(&a, digest, hash->len, sizeof marks - 2);

    char title[ART_COLUMNS], foot[ART_COLUMNS];
    int n = snprintf(title, sizeof title, "[%s %zu]", pubkey_short_name(k), pubkey_bits(k));
    if (n < 0 || (size_t)n >= sizeof title) snprintf(title, sizeof title, "[%s]", pubkey_short_name(k));
    snprintf(foot, sizeof foot, "[%s]", how_rows[how].name);

    art_border(w, title);
    for (size_t y = 0; y < ART_ROWS; y++) {
        wr_text(w, "\n|");
        for (size_t x = 0; x < ART_COLUMNS; x++) wr_u8(w, (uint8_t)marks[a.visits[y][x]]);
        wr_u8(w, '|');
    }
    wr_u8(w, '\n');
    art_border(w, foot);
}
