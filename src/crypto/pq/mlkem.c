/* SPDX-License-Identifier: ISC */
/* ML-KEM (FIPS 203). The matrix A is never stored: each element is sampled where it is used. */
#include "crypto/pq.h"

#include "keccak.h"
#include "mask.h"
#include "mlkem_poly.h"

const struct mlkem mlkem_768 = {"ML-KEM-768", 3, 2, 10, 4, 1184, 2400, 1088};
const struct mlkem mlkem_1024 = {"ML-KEM-1024", 4, 2, 11, 5, 1568, 3168, 1568};

struct vec {
    struct poly at[MLKEM_K_MAX];
};

/* Everything secret an operation keeps on the stack, in one piece so that one wipe ends it. */
struct work {
    struct vec s, r;
    struct poly t, u, v;
    uint8_t seed[64], message[32], other[32];
    uint8_t ciphertext[MLKEM_CIPHER_MAX];
};

/* Algorithm 13 K-PKE.KeyGen. */
static void pke_keygen(const struct mlkem *set, const uint8_t d[32], uint8_t *public_key, uint8_t *secret_key, struct work *w)
{
    unsigned k = set->k;
    uint8_t *rho = public_key + k * POLY_BYTES;
    sha3_512(bytes_of(d, 32), bytes_of(&set->k, 1), w->seed);
    memcpy(rho, w->seed, 32);
    for (unsigned i = 0; i < k; i++) {
        poly_noise(w->seed + 32, (uint8_t)i, &w->s.at[i]);
        poly_ntt(&w->s.at[i]);
        poly_write(&w->s.at[i], secret_key + i * POLY_BYTES);
    }
    for (unsigned i = 0; i < k; i++) {
        w->t = (struct poly){0};
        for (unsigned j = 0; j < k; j++) {
            poly_uniform(rho, (uint8_t)i, (uint8_t)j, &w->u);
            poly_product(&w->t, &w->u, &w->s.at[j]);
        }
        poly_to_montgomery(&w->t);
        poly_noise(w->seed + 32, (uint8_t)(k + i), &w->v);
        poly_ntt(&w->v);
        poly_add(&w->t, &w->v);
        poly_reduce(&w->t);
        poly_write(&w->t, public_key + i * POLY_BYTES);
    }
}

/* Algorithm 14 K-PKE.Encrypt; seed is its r. */
static void pke_encrypt(const struct mlkem *set, const uint8_t *public_key, const uint8_t message[32], const uint8_t seed[32],
                        uint8_t *ciphertext, struct work *w)
{
    unsigned k = set->k;
    const uint8_t *rho = public_key + k * POLY_BYTES;
    for (unsigned i = 0; i < k; i++) {
        poly_noise(seed, (uint8_t)i, &w->r.at[i]);
        poly_ntt(&w->r.at[i]);
    }
    for (unsigned i = 0; i < k; i++) {
        w->t = (struct poly){0};
        for (unsigned j = 0; j < k; j++) {
            poly_uniform(rho, (uint8_t)j, (uint8_t)i, &w->u);      /* transposed */
            poly_product(&w->t, &w->u, &w->r.at[j]);
        }
        poly_ntt_inverse(&w->t);
        poly_noise(seed, (uint8_t)(k + i), &w->v);
        poly_add(&w->t, &w->v);
        poly_reduce(&w->t);
        poly_compress(&w->t, set->du, ciphertext + 32 * set->du * i);
    }
    w->t = (struct poly){0};
    for (unsigned i = 0; i < k; i++) {
        poly_read(public_key + i * POLY_BYTES, &w->u);
        poly_product(&w->t, &w->u, &w->r.at[i]);
    }
    poly_ntt_inverse(&w->t);
    poly_noise(seed, (uint8_t)(2 * k), &w->v);
    poly_add(&w->t, &w->v);
    poly_decompress(message, 1, &w->v);
    poly_add(&w->t, &w->v);
    poly_reduce(&w->t);
    poly_compress(&w->t, set->dv, ciphertext + 32 * set->du * k);
}

/* Algorithm 15 K-PKE.Decrypt. */
static void pke_decrypt(const struct mlkem *set, const uint8_t *secret_key, const uint8_t *ciphertext, uint8_t message[32],
                        struct work *w)
{
    w->t = (struct poly){0};
    for (unsigned i = 0; i < set->k; i++) {
        poly_decompress(ciphertext + 32 * set->du * i, set->du, &w->u);
        poly_ntt(&w->u);
        poly_read(secret_key + i * POLY_BYTES, &w->v);
        poly_product(&w->t, &w->v, &w->u);
    }
    poly_ntt_inverse(&w->t);
    poly_decompress(ciphertext + 32 * set->du * set->k, set->dv, &w->v);
    poly_sub(&w->v, &w->t);
    poly_reduce(&w->v);
    poly_compress(&w->v, 1, message);
}

/* 7.2: every coefficient is below q. The key is public: an early exit tells nothing. */
static enum err public_key_check(const struct mlkem *set, const uint8_t *public_key)
{
    struct poly p;
    for (unsigned i = 0; i < set->k; i++) {
        poly_read(public_key + i * POLY_BYTES, &p);
        for (unsigned j = 0; j < MLKEM_N; j++)
            if (p.c[j] >= MLKEM_Q) return ERR_KEX;
    }
    return ERR_NONE;
}

void mlkem_keygen(const struct mlkem *set, const uint8_t seed[MLKEM_SEED], uint8_t *public_key, uint8_t *secret_key)
{
    struct work w;
    uint8_t *copy = secret_key + set->k * POLY_BYTES, *hash = copy + set->public_len;
    pke_keygen(set, seed, public_key, secret_key, &w);
    memcpy(copy, public_key, set->public_len);
    sha3_256(bytes_of(public_key, set->public_len), hash);
    memcpy(hash + 32, seed + 32, 32);
    wipe(&w, sizeof w);
}

enum err mlkem_encaps(const struct mlkem *set, const uint8_t *public_key, const uint8_t m[MLKEM_RANDOM], uint8_t *ciphertext,
                      uint8_t shared[MLKEM_SHARED])
{
    struct work w;
    uint8_t hash[32];
    TRY(public_key_check(set, public_key));
    sha3_256(bytes_of(public_key, set->public_len), hash);
    sha3_512(bytes_of(m, 32), bytes_of(hash, 32), w.seed);
    pke_encrypt(set, public_key, m, w.seed + 32, ciphertext, &w);
    memcpy(shared, w.seed, MLKEM_SHARED);
    wipe(&w, sizeof w);
    return ERR_NONE;
}

enum err mlkem_decaps(const struct mlkem *set, const uint8_t *secret_key, const uint8_t *ciphertext, uint8_t shared[MLKEM_SHARED])
{
    struct work w;
    const uint8_t *public_key = secret_key + set->k * POLY_BYTES, *hash = public_key + set->public_len;
    uint8_t check[32];
    sha3_256(bytes_of(public_key, set->public_len), check);
    if (memcmp(check, hash, sizeof check) != 0) return ERR_KEX;
    pke_decrypt(set, secret_key, ciphertext, w.message, &w);
    sha3_512(bytes_of(w.message, 32), bytes_of(hash, 32), w.seed);
    shake256(bytes_of(hash + 32, 32), bytes_of(ciphertext, set->cipher_len), (struct span){w.other, 32});
    pke_encrypt(set, public_key, w.message, w.seed + 32, w.ciphertext, &w);
    /* implicit rejection: whether the ciphertext was honest must not show, not even in time */
    uint32_t differ = 0;
    for (size_t i = 0; i < set->cipher_len; i++) differ |= (uint32_t)(ciphertext[i] ^ w.ciphertext[i]);
    uint8_t mask = (uint8_t)mask_opaque((0 - differ) >> 24);       /* 0xff if they differ: differ is at most 255 */
    for (size_t i = 0; i < MLKEM_SHARED; i++) shared[i] = (uint8_t)(w.seed[i] ^ (mask & (w.seed[i] ^ w.other[i])));
    wipe(&w, sizeof w);
    return ERR_NONE;
}
