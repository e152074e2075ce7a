/* SPDX-License-Identifier: ISC */
#include "sshd/md5.h"

/* RFC 1321 3.4: 2^32 times the sine of 1 to 64 */
static const uint32_t K[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1,
    0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453,
    0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942,
    0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05,
    0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d,
    0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static uint32_t mixed(unsigned round, const uint32_t s[4])
{
    switch (round) {
    case 0: return (s[1] & s[2]) | (~s[1] & s[3]);
    case 1: return (s[1] & s[3]) | (s[2] & ~s[3]);
    case 2: return s[1] ^ s[2] ^ s[3];
    default: return s[2] ^ (s[1] | ~s[3]);
    }
}

static void block_add(uint32_t h[4], const uint8_t p[64])
{
    static const uint8_t turns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    static const uint8_t step[4] = {1, 5, 3, 7}, from[4] = {0, 1, 5, 0};
    uint32_t s[4];
    memcpy(s, h, sizeof s);
    for (unsigned i = 0; i < 64; i++) {
        unsigned round = i / 16, n = turns[round][i % 4], word = (from[round] + step[round] * i) % 16;
        uint32_t v = s[0] + mixed(round, s) + K[i] + le32(p + (size_t)4 * word);
        s[0] = s[3], s[3] = s[2], s[2] = s[1];
        s[1] += v << n | v >> (32 - n);
    }
    for (unsigned i = 0; i < 4; i++) h[i] += s[i];
}

void md5_sum(struct bytes in, uint8_t out[16])
{
    uint32_t h[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    uint8_t last[128] = {0};
    size_t whole = in.n / 64 * 64, rest = in.n - whole, pad = rest < 56 ? 64 : 128;
    for (size_t i = 0; i < whole; i += 64) block_add(h, in.p + i);
    if (rest > 0) memcpy(last, in.p + whole, rest);
    last[rest] = 0x80;
    for (unsigned i = 0; i < 8; i++) last[pad - 8 + i] = (uint8_t)((uint64_t)in.n * 8 >> 8 * i);
    for (size_t i = 0; i < pad; i += 64) block_add(h, last + i);
    for (unsigned i = 0; i < 16; i++) out[i] = (uint8_t)(h[i / 4] >> 8 * (i % 4));
}
