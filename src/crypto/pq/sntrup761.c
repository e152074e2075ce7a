/* SPDX-License-Identifier: ISC */
/* Streamlined NTRU Prime 761 (NTRU Prime, NIST round 3; RFC 9941 uses it in SSH). A secret key is f, 1/g, the public key, rho
 * (for implicit rejection) and the public key's hash. */
#include "crypto/pq.h"

#include "mask.h"
#include "crypto/sha512.h"
#include "sntrup_code.h"

enum { P = SNTRUP_P, W = SNTRUP_W, HASH = 32, KEY_TRIES_MAX = 100 };
enum { AT_G_INVERSE = SMALL_BYTES, AT_PUBLIC = 2 * SMALL_BYTES, AT_RHO = AT_PUBLIC + RQ_BYTES, AT_HASH = AT_RHO + SMALL_BYTES };

typedef int16_t poly[P];

/* SHA-512(kind || a || b), first half. */
static void hash(uint8_t kind, struct bytes a, struct bytes b, uint8_t out[HASH])
{
    uint8_t full[64];
    sha512(bytes_of(&kind, 1), a, b, full);
    memcpy(out, full, HASH);
    wipe(full, sizeof full);
}

static inline void order(uint32_t *a, uint32_t *b)
{
    /* branchless: a mask from the borrow */
    uint32_t greater = (uint32_t)(((uint64_t)*b - *a) >> 32), both = (*a ^ *b) & greater;
    *a ^= both, *b ^= both;
}

/* Batcher's merge exchange (Knuth 5.2.2 M): which pairs are compared depends on n only. */
static void sort(uint32_t *x, unsigned n)
{
    unsigned top = 1;
    while (top < n - top) top += top;
    for (unsigned p = top; p > 0; p >>= 1) {
        for (unsigned base = 0; base + p < n; base += 2 * p)
            for (unsigned i = base; i < base + p && i + p < n; i++) order(x + i, x + i + p);
        for (unsigned q = top; q > p; q >>= 1)
            for (unsigned base = 0; base + q < n; base += 2 * p)
                for (unsigned i = base; i < base + p && i + q < n; i++) order(x + i + p, x + i + q);
    }
}

/* A random polynomial with exactly W coefficients +-1: W even and P - W numbers 1 mod 4, sorted by their random upper bits. */
static enum err short_random(const struct random *random, poly out)
{
    uint8_t raw[4 * P];
    uint32_t x[P];
    TRY(random_fill(random, raw, sizeof raw));
    for (unsigned i = 0; i < P; i++) {
        /* little endian, as the published code reads it */
        x[i] = (uint32_t)raw[4 * i] | (uint32_t)raw[4 * i + 1] << 8 | (uint32_t)raw[4 * i + 2] << 16 | (uint32_t)raw[4 * i + 3] << 24;
        x[i] = i < W ? x[i] & ~1U : (x[i] & ~3U) | 1;
    }
    sort(x, P);
    for (unsigned i = 0; i < P; i++) out[i] = (int16_t)((x[i] & 3) - 1);
    wipe(raw, sizeof raw);
    wipe(x, sizeof x);
    return ERR_NONE;
}

/* Uniform in -1..1 up to 2^-30. */
static enum err small_random(const struct random *random, poly out)
{
    uint8_t raw[4 * P];
    TRY(random_fill(random, raw, sizeof raw));
    for (unsigned i = 0; i < P; i++) {
        uint32_t x = (uint32_t)raw[4 * i] | (uint32_t)raw[4 * i + 1] << 8 | (uint32_t)raw[4 * i + 2] << 16 | (uint32_t)raw[4 * i + 3] << 24;
        out[i] = (int16_t)((int)((x & 0x3fffffff) * 3 >> 30) - 1);
    }
    wipe(raw, sizeof raw);
    return ERR_NONE;
}

/* g and its inverse over Z_3; about one g in 1000 has none (that it had none is no secret: another one is taken). */
static enum err invertible_random(const struct random *random, poly g, poly inverse)
{
    for (unsigned i = 0; i < KEY_TRIES_MAX; i++) {
        TRY(small_random(random, g));
        if (r3_inverse(g, inverse)) return ERR_NONE;
    }
    return ERR_RANDOM;
}

struct key_work {
    poly f, g, g_inverse, third;
};

static enum err make_key(const struct random *random, struct key_work *w, uint8_t *public_key, uint8_t *secret_key)
{
    TRY(invertible_random(random, w->g, w->g_inverse));
    TRY(short_random(random, w->f));
    TRY(random_fill(random, secret_key + AT_RHO, SMALL_BYTES));
    rq_inverse_third(w->f, w->third);
    small_write(w->f, secret_key);
    small_write(w->g_inverse, secret_key + AT_G_INVERSE);
    rq_product(w->g, w->third, w->f);
    rq_write(w->f, public_key);
    memcpy(secret_key + AT_PUBLIC, public_key, RQ_BYTES);
    hash(4, bytes_of(public_key, RQ_BYTES), (struct bytes){0}, secret_key + AT_HASH);
    return ERR_NONE;
}

enum err sntrup761_keygen(const struct random *random, uint8_t public_key[SNTRUP761_PUBLIC], uint8_t secret_key[SNTRUP761_SECRET])
{
    struct key_work w;
    enum err e = make_key(random, &w, public_key, secret_key);
    wipe(&w, sizeof w);
    return e;
}

/* The ciphertext of r: round(h * r) and a confirmation hash. r_bytes: r's byte form. */
static void hide(const poly r, const uint8_t public_key[SNTRUP761_PUBLIC], const uint8_t key_hash[HASH],
                 uint8_t ciphertext[SNTRUP761_CIPHER], uint8_t r_bytes[SMALL_BYTES])
{
    struct { poly h, c; uint8_t r_hash[HASH]; } w;
    small_write(r, r_bytes);
    rq_read(public_key, w.h);
    rq_product(r, w.h, w.c);
    for (unsigned i = 0; i < P; i++) w.c[i] = (int16_t)(w.c[i] - f3_freeze(w.c[i]));
    rounded_write(w.c, ciphertext);
    hash(3, bytes_of(r_bytes, SMALL_BYTES), (struct bytes){0}, w.r_hash);
    hash(2, bytes_of(w.r_hash, HASH), bytes_of(key_hash, HASH), ciphertext + ROUNDED_BYTES);
    wipe(&w, sizeof w);
}

static void session_key(uint8_t kind, const uint8_t r_bytes[SMALL_BYTES], const uint8_t ciphertext[SNTRUP761_CIPHER],
                        uint8_t shared[SNTRUP761_SHARED])
{
    uint8_t r_hash[HASH];
    hash(3, bytes_of(r_bytes, SMALL_BYTES), (struct bytes){0}, r_hash);
    hash(kind, bytes_of(r_hash, HASH), bytes_of(ciphertext, SNTRUP761_CIPHER), shared);
    wipe(r_hash, sizeof r_hash);
}

enum err sntrup761_encaps(const struct random *random, const uint8_t public_key[SNTRUP761_PUBLIC],
                          uint8_t ciphertext[SNTRUP761_CIPHER], uint8_t shared[SNTRUP761_SHARED])
{
    struct { poly r; uint8_t r_bytes[SMALL_BYTES], key_hash[HASH]; } w;
    TRY(short_random(random, w.r));
    hash(4, bytes_of(public_key, SNTRUP761_PUBLIC), (struct bytes){0}, w.key_hash);
    hide(w.r, public_key, w.key_hash, ciphertext, w.r_bytes);
    session_key(1, w.r_bytes, ciphertext, shared);
    wipe(&w, sizeof w);
    return ERR_NONE;
}

/* r from its ciphertext; something of weight W in any case. */
static void reveal(const uint8_t ciphertext[SNTRUP761_CIPHER], const uint8_t *secret_key, poly r)
{
    struct { poly c, f, g_inverse, e; } w;
    rounded_read(ciphertext, w.c);
    small_read(secret_key, w.f);
    small_read(secret_key + AT_G_INVERSE, w.g_inverse);
    rq_product(w.f, w.c, w.e);
    for (unsigned i = 0; i < P; i++) w.e[i] = f3_freeze(fq_freeze((int16_t)(3 * w.e[i])));
    r3_product(w.e, w.g_inverse, w.f);
    int32_t weight = 0;
    for (unsigned i = 0; i < P; i++) weight += w.f[i] & 1;
    int16_t wrong = (int16_t)mask_opaque((uint32_t)(((weight - W) | (W - weight)) >> 31));
    for (unsigned i = 0; i < P; i++) {
        int16_t other = i < W;      /* the polynomial taken where the weight is wrong */
        r[i] = (int16_t)(w.f[i] ^ (wrong & (w.f[i] ^ other)));
    }
    wipe(&w, sizeof w);
}

enum err sntrup761_decaps(const uint8_t secret_key[SNTRUP761_SECRET], const uint8_t ciphertext[SNTRUP761_CIPHER],
                          uint8_t shared[SNTRUP761_SHARED])
{
    struct { poly r; uint8_t r_bytes[SMALL_BYTES], again[SNTRUP761_CIPHER]; } w;
    const uint8_t *rho = secret_key + AT_RHO;
    reveal(ciphertext, secret_key, w.r);
    hide(w.r, secret_key + AT_PUBLIC, secret_key + AT_HASH, w.again, w.r_bytes);
    uint32_t differ = 0;
    for (unsigned i = 0; i < SNTRUP761_CIPHER; i++) differ |= (uint32_t)(ciphertext[i] ^ w.again[i]);
    uint8_t mask = (uint8_t)mask_opaque((0 - differ) >> 24);       /* 0xff if they differ */
    for (unsigned i = 0; i < SMALL_BYTES; i++) w.r_bytes[i] = (uint8_t)(w.r_bytes[i] ^ (mask & (w.r_bytes[i] ^ rho[i])));
    session_key((uint8_t)(1 + mask), w.r_bytes, ciphertext, shared);    /* kind 1, or 0 */
    wipe(&w, sizeof w);
    return ERR_NONE;
}
