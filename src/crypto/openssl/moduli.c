/* SPDX-License-Identifier: ISC */
#define OPENSSL_SUPPRESS_DEPRECATED     /* only the older call takes a number of trials */
#include "crypto/moduli.h"

#include <stdlib.h>

#include "numbers.h"

enum { SMALL_MAX = 65536, WINDOW = 1 << 19 };   /* primes up to the square root of any limit; odd numbers a window */

static BIGNUM *bn_of(struct bytes b)
{
    return b.n <= MODULI_BITS_MAX / 8 + 8 ? BN_bin2bn(b.p, (int)b.n, NULL) : NULL;
}

static enum err bn_put(const BIGNUM *bn, struct wr *out)
{
    uint8_t *room = wr_room(out, (size_t)BN_num_bytes(bn));
    if (!room) return out->err;
    BN_bn2bin(bn, room);
    return ERR_NONE;
}

enum err moduli_start(size_t bits, struct wr *out)
{
    BIGNUM *bn CLEANUP(bn_clear) = BN_new();
    if (bits < 2 || bits > MODULI_BITS_MAX) return ERR_RANGE;
    if (!bn || BN_rand(bn, (int)bits, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ODD) != 1) return ERR_CRYPTO;
    return bn_put(bn, out);
}

enum err moduli_add(struct bytes base, uint64_t add, struct wr *out)
{
    BIGNUM *bn CLEANUP(bn_clear) = bn_of(base);
    if (!bn || BN_add_word(bn, add) != 1) return ERR_CRYPTO;
    return bn_put(bn, out);
}

static struct bytes without_zeros(struct bytes b)
{
    while (b.n && b.p[0] == 0) b.p++, b.n--;
    return b;
}

enum err moduli_double(struct bytes q, struct wr *out)
{
    q = without_zeros(q);
    if (q.n == 0) return ERR_RANGE;
    if (q.p[0] & 0x80) wr_u8(out, 1);
    for (size_t i = 0; i < q.n; i++) wr_u8(out, (uint8_t)(q.p[i] << 1 | (i + 1 < q.n ? q.p[i + 1] >> 7 : 1)));
    return wr_done(out);
}

size_t moduli_bits(struct bytes number)
{
    number = without_zeros(number);
    size_t bits = 8 * number.n;
    for (unsigned high = number.n ? number.p[0] : 0x80; !(high & 0x80); high <<= 1) bits--;
    return bits;
}

unsigned moduli_generator(struct bytes p)
{
    unsigned r = 0;         /* modulo 120, which both rules follow from */
    for (size_t i = 0; i < p.n; i++) r = (r * 256 + p.p[i]) % 120;
    if (r % 24 == 11) return 2;
    return r % 10 == 3 || r % 10 == 7 ? 5 : 0;
}

/* 2 to the power of n - 1 is 1 modulo n for every odd prime, and for hardly any other number. */
static enum err fermat_check(const BIGNUM *n, BN_CTX *ctx, enum verdict *out)
{
    BIGNUM *exponent CLEANUP(bn_clear) = BN_dup(n), *r CLEANUP(bn_clear) = BN_new();
    if (!exponent || !r || BN_sub_word(exponent, 1) != 1 || BN_mod_exp_mont_word(r, 2, exponent, n, ctx, NULL) != 1) return ERR_CRYPTO;
    *out = BN_is_one(r) ? VERDICT_GOOD : VERDICT_BAD;
    return ERR_NONE;
}

static enum err prime_check(const BIGNUM *n, unsigned trials, BN_CTX *ctx, enum verdict *out)
{
    int prime = BN_is_prime_ex(n, (int)trials, ctx, NULL);
    if (prime < 0) return ERR_CRYPTO;
    *out = prime == 1 ? VERDICT_GOOD : VERDICT_BAD;
    return ERR_NONE;
}

enum err moduli_check(struct bytes p_bytes, unsigned trials, enum verdict *out)
{
    BIGNUM *p CLEANUP(bn_clear) = bn_of(p_bytes), *q CLEANUP(bn_clear) = BN_new();
    BN_CTX *ctx CLEANUP(bn_ctx_clear) = BN_CTX_new();
    if (!p || !q || !ctx || trials > INT32_MAX || BN_rshift1(q, p) != 1) return ERR_CRYPTO;
    enum verdict v = BN_is_odd(p) && BN_is_odd(q) && BN_num_bits(p) >= 8 ? VERDICT_GOOD : VERDICT_BAD;
    if (v == VERDICT_GOOD) TRY(fermat_check(q, ctx, &v));
    if (v == VERDICT_GOOD) TRY(fermat_check(p, ctx, &v));
    if (v == VERDICT_GOOD) TRY(prime_check(p, trials, ctx, &v));
    if (v == VERDICT_GOOD) TRY(prime_check(q, trials, ctx, &v));
    *out = v;
    return ERR_NONE;
}

/* ---- the sieve ---- */

struct sieve {
    const BIGNUM *base;
    uint8_t *composite;
    size_t n;
    uint32_t primes;
};

/* Marks each i below n with base + 2i = residue modulo the odd prime l, where base is r modulo l. */
static void strike(struct sieve *s, uint64_t l, uint64_t r, uint64_t residue)
{
    uint64_t d = (residue + l - r) % l;         /* 2i = d */
    for (uint64_t i = d % 2 ? (d + l) / 2 : d / 2; i < s->n; i += l) s->composite[i / 8] |= (uint8_t)(1 << i % 8);
}

static bool strike_prime(struct sieve *s, uint32_t l)
{
    BN_ULONG r = BN_mod_word(s->base, l);
    if (r == (BN_ULONG)-1) return false;
    strike(s, l, r, 0);                         /* l divides q */
    strike(s, l, r, (l - 1) / 2);               /* l divides 2q + 1 */
    s->primes++;
    return true;
}

/* The odd primes below SMALL_MAX, by Eratosthenes; their number. */
static size_t small_primes(uint16_t *out)
{
    static const size_t half = SMALL_MAX / 2;
    uint8_t *struck = calloc(half, 1);
    size_t n = 0;
    if (!struck) return 0;
    for (size_t i = 1; i < half; i++) {         /* i stands for 2i + 1 */
        if (struck[i]) continue;
        size_t p = 2 * i + 1;
        out[n++] = (uint16_t)p;
        for (size_t j = p * p / 2; j < half; j += p) struck[j] = 1;
    }
    free(struck);
    return n;
}

/* All primes of the window of odd numbers that begins with `from`. */
static bool strike_window(struct sieve *s, uint64_t from, uint64_t limit, const uint16_t *small, size_t small_n, uint8_t *struck)
{
    memset(struck, 0, WINDOW);
    for (size_t k = 0; k < small_n; k++) {
        uint64_t p = small[k], first = p * p;
        if (first >= from + 2 * (uint64_t)WINDOW) break;
        if (first < from) first = (from + p - 1) / p * p;
        if (first % 2 == 0) first += p;
        for (uint64_t j = (first - from) / 2; j < WINDOW; j += p) struck[j] = 1;
    }
    for (uint64_t j = 0; j < WINDOW && from + 2 * j < limit; j++)
        if (!struck[j] && !strike_prime(s, (uint32_t)(from + 2 * j))) return false;
    return true;
}

enum err moduli_sieve(struct bytes base, uint32_t limit, uint8_t *composite, size_t n, uint32_t *primes)
{
    BIGNUM *bn CLEANUP(bn_clear) = bn_of(base);
    struct sieve s = {bn, composite, n, 0};
    uint16_t *small = malloc(SMALL_MAX / 2 * sizeof *small);
    uint8_t *struck = malloc(WINDOW);
    size_t small_n = small ? small_primes(small) : 0;
    bool good = bn && struck && small_n && BN_is_odd(bn) && BN_num_bits(bn) > 33;
    for (uint64_t from = 3; good && from < limit; from += 2 * (uint64_t)WINDOW) good = strike_window(&s, from, limit, small, small_n, struck);
    free(small), free(struck);
    if (!good) return bn && BN_is_odd(bn) ? ERR_NOMEM : ERR_RANGE;
    *primes = s.primes;
    return ERR_NONE;
}
