/* SPDX-License-Identifier: ISC */
/* ML-DSA-44 (FIPS 204). A private key is its seed; what follows from it is made anew for each signature. */
#include "mldsa.h"

#include "keccak.h"
#include "mask.h"
#include "mldsa_poly.h"

_Static_assert(MLDSA44_PUBLIC == 32 + DSA_K * DSA_T1_BYTES, "public key");
_Static_assert(MLDSA44_SIG == DSA_CHALLENGE + DSA_L * DSA_Z_BYTES + DSA_OMEGA + DSA_K, "signature");

struct vec {
    struct dsa_poly at[4];
};

/* Everything an operation keeps on the stack, in one piece so that one wipe ends it. */
struct work {
    struct vec a[DSA_K];                    /* signing: the matrix, as several tries need it */
    struct vec s1, s2, t0;
    struct vec y, z, w, w1;
    struct dsa_poly c, t, u;
    uint8_t seeds[128];                     /* rho 32, rho' 64, K 32 */
    uint8_t tr[64], rho2[64];
    uint8_t public_key[MLDSA44_PUBLIC];
    uint8_t challenge[DSA_CHALLENGE], packed[DSA_K * DSA_W1_BYTES];
    uint8_t hint[DSA_K][DSA_N];
};

static const uint8_t *rho(const struct work *w)
{
    return w->seeds;
}

/* Algorithm 6 KeyGen_internal; leaves s1, s2 and t0 as they are (not in the NTT domain), z and t used. */
static void expand(const uint8_t seed[MLDSA44_SEED], struct work *w)
{
    static const uint8_t sizes[2] = {DSA_K, DSA_L};
    shake256(bytes_of(seed, MLDSA44_SEED), bytes_of(sizes, sizeof sizes), (struct span){w->seeds, sizeof w->seeds});
    for (unsigned i = 0; i < DSA_L; i++) dsa_small(w->seeds + 32, (uint16_t)i, &w->s1.at[i]);
    for (unsigned i = 0; i < DSA_K; i++) dsa_small(w->seeds + 32, (uint16_t)(DSA_L + i), &w->s2.at[i]);
    memcpy(w->public_key, rho(w), 32);
    w->z = w->s1;
    for (unsigned i = 0; i < DSA_L; i++) dsa_ntt(&w->z.at[i]);
    for (unsigned i = 0; i < DSA_K; i++) {
        w->t = (struct dsa_poly){0};
        for (unsigned j = 0; j < DSA_L; j++) {
            dsa_uniform(rho(w), (uint8_t)i, (uint8_t)j, &w->a[i].at[j]);
            dsa_product(&w->t, &w->a[i].at[j], &w->z.at[j]);
        }
        dsa_reduce(&w->t);
        dsa_ntt_inverse(&w->t);
        dsa_add(&w->t, &w->s2.at[i]);
        dsa_positive(&w->t);
        dsa_power2(&w->t, &w->t0.at[i]);
        dsa_write_t1(&w->t, w->public_key + 32 + i * DSA_T1_BYTES);
    }
}

void mldsa44_public(const uint8_t seed[MLDSA44_SEED], uint8_t public_key[MLDSA44_PUBLIC])
{
    struct work w;
    expand(seed, &w);
    memcpy(public_key, w.public_key, MLDSA44_PUBLIC);
    wipe(&w, sizeof w);
}

/* c~ = H(mu || w1). */
static void challenge_of(const uint8_t mu[MLDSA44_MU], const struct vec *w1, struct work *w, uint8_t out[DSA_CHALLENGE])
{
    for (unsigned i = 0; i < DSA_K; i++) dsa_write_w1(&w1->at[i], w->packed + i * DSA_W1_BYTES);
    shake256(bytes_of(mu, MLDSA44_MU), bytes_of(w->packed, sizeof w->packed), (struct span){out, DSA_CHALLENGE});
}

/* t = c * v for a v in the NTT domain; below q. */
static void by_challenge(struct work *w, const struct dsa_poly *v)
{
    w->t = (struct dsa_poly){0};
    dsa_product(&w->t, &w->c, v);
    dsa_ntt_inverse(&w->t);
}

/* Steps 11 to 15: a mask y, w = A y, its high bits, the challenge. */
static void commit(const uint8_t mu[MLDSA44_MU], uint16_t kappa, struct work *w)
{
    int32_t low;
    for (unsigned i = 0; i < DSA_L; i++) {
        dsa_mask(w->rho2, (uint16_t)(kappa + i), &w->y.at[i]);
        w->z.at[i] = w->y.at[i];
        dsa_ntt(&w->z.at[i]);
    }
    for (unsigned i = 0; i < DSA_K; i++) {
        w->w.at[i] = (struct dsa_poly){0};
        for (unsigned j = 0; j < DSA_L; j++) dsa_product(&w->w.at[i], &w->a[i].at[j], &w->z.at[j]);
        dsa_reduce(&w->w.at[i]);
        dsa_ntt_inverse(&w->w.at[i]);
        dsa_positive(&w->w.at[i]);
        for (unsigned n = 0; n < DSA_N; n++) w->w1.at[i].c[n] = dsa_decompose(w->w.at[i].c[n], &low);
    }
    challenge_of(mu, &w->w1, w, w->challenge);
}

/* Steps 16 to 23: z = y + c s1 and w - c s2, all of both; all ones if either would tell of the key. */
static uint32_t respond(struct work *w)
{
    uint32_t bad = 0;
    dsa_ball(w->challenge, &w->c);
    dsa_ntt(&w->c);
    for (unsigned i = 0; i < DSA_L; i++) {
        by_challenge(w, &w->s1.at[i]);
        w->z.at[i] = w->y.at[i];
        dsa_add(&w->z.at[i], &w->t);
        dsa_reduce(&w->z.at[i]);
        bad |= dsa_exceeds(&w->z.at[i], DSA_GAMMA1 - DSA_BETA);
    }
    for (unsigned i = 0; i < DSA_K; i++) {
        by_challenge(w, &w->s2.at[i]);
        dsa_sub(&w->w.at[i], &w->t);
        dsa_positive(&w->w.at[i]);
        for (unsigned n = 0; n < DSA_N; n++) dsa_decompose(w->w.at[i].c[n], &w->u.c[n]);
        bad |= dsa_exceeds(&w->u, DSA_GAMMA2 - DSA_BETA);
    }
    return bad;
}

/* Steps 24 to 28: where c t0 changes the high bits of w - c s2, which by now are w1. All ones if it is too large or there are too many. */
static uint32_t make_hint(struct work *w)
{
    uint32_t bad = 0, count = 0;
    int32_t low;
    for (unsigned i = 0; i < DSA_K; i++) {
        by_challenge(w, &w->t0.at[i]);
        dsa_reduce(&w->t);
        bad |= dsa_exceeds(&w->t, DSA_GAMMA2);
        dsa_add(&w->t, &w->w.at[i]);
        dsa_positive(&w->t);
        for (unsigned n = 0; n < DSA_N; n++) {
            uint32_t differ = (uint32_t)(dsa_decompose(w->t.c[n], &low) ^ w->w1.at[i].c[n]);
            w->hint[i][n] = (uint8_t)((0 - differ) >> 31);
            count += w->hint[i][n];
        }
    }
    return bad | (0 - ((DSA_OMEGA - count) >> 31));
}

/* Algorithm 20 HintBitPack; the hint is public by now. */
static void hint_write(const struct work *w, uint8_t out[DSA_OMEGA + DSA_K])
{
    unsigned at = 0;
    memset(out, 0, DSA_OMEGA + DSA_K);
    for (unsigned i = 0; i < DSA_K; i++) {
        for (unsigned n = 0; n < DSA_N; n++)
            if (w->hint[i][n]) out[at++] = (uint8_t)n;
        out[DSA_OMEGA + i] = (uint8_t)at;
    }
}

/* Algorithm 26 sigEncode. */
static void sig_write(const struct work *w, uint8_t sig[MLDSA44_SIG])
{
    memcpy(sig, w->challenge, DSA_CHALLENGE);
    for (unsigned i = 0; i < DSA_L; i++) dsa_write_z(&w->z.at[i], sig + DSA_CHALLENGE + i * DSA_Z_BYTES);
    hint_write(w, sig + DSA_CHALLENGE + DSA_L * DSA_Z_BYTES);
}

static void sign_ready(const uint8_t mu[MLDSA44_MU], const uint8_t rnd[MLDSA44_RANDOM], uint8_t sig[MLDSA44_SIG], struct work *w)
{
    struct keccak k;
    keccak_init(&k, SHAKE256_RATE);
    keccak_absorb(&k, bytes_of(w->seeds + 96, 32));
    keccak_absorb(&k, bytes_of(rnd, MLDSA44_RANDOM));
    keccak_absorb(&k, bytes_of(mu, MLDSA44_MU));
    keccak_end(&k, 0x1f);
    keccak_squeeze(&k, (struct span){w->rho2, sizeof w->rho2});
    wipe(&k, sizeof k);
    for (unsigned i = 0; i < DSA_K; i++) dsa_ntt(&w->s1.at[i]), dsa_ntt(&w->s2.at[i]), dsa_ntt(&w->t0.at[i]);
    /* How often it takes a new try may show (FIPS 204 3.6 counts on that): 16 bits of kappa last for more tries than anyone will see. */
    for (uint16_t kappa = 0;; kappa = (uint16_t)(kappa + DSA_L)) {
        commit(mu, kappa, w);
        if (respond(w)) continue;
        if (!make_hint(w)) break;
    }
    sig_write(w, sig);
}

void mldsa44_sign_mu(const uint8_t seed[MLDSA44_SEED], const uint8_t mu[MLDSA44_MU], const uint8_t rnd[MLDSA44_RANDOM],
                     uint8_t sig[MLDSA44_SIG])
{
    struct work w;
    expand(seed, &w);
    sign_ready(mu, rnd, sig, &w);
    wipe(&w, sizeof w);
}

/* mu = H(tr || 0 || |ctx| || ctx || msg), tr = H(public key): algorithm 2 step 10. */
static void representative(const uint8_t public_key[MLDSA44_PUBLIC], struct bytes ctx, struct bytes msg, uint8_t mu[MLDSA44_MU])
{
    struct keccak k;
    uint8_t tr[64], head[2] = {0, (uint8_t)ctx.n};
    shake256(bytes_of(public_key, MLDSA44_PUBLIC), (struct bytes){0}, (struct span){tr, sizeof tr});
    keccak_init(&k, SHAKE256_RATE);
    keccak_absorb(&k, bytes_of(tr, sizeof tr));
    keccak_absorb(&k, bytes_of(head, sizeof head));
    keccak_absorb(&k, ctx);
    keccak_absorb(&k, msg);
    keccak_end(&k, 0x1f);
    keccak_squeeze(&k, (struct span){mu, MLDSA44_MU});
}

enum err mldsa44_sign(const uint8_t seed[MLDSA44_SEED], struct bytes ctx, struct bytes msg, const uint8_t rnd[MLDSA44_RANDOM],
                      uint8_t sig[MLDSA44_SIG])
{
    struct work w;
    uint8_t mu[MLDSA44_MU];
    if (ctx.n > MLDSA_CTX_MAX) return ERR_TOO_LONG;
    expand(seed, &w);
    representative(w.public_key, ctx, msg, mu);
    sign_ready(mu, rnd, sig, &w);
    /* A fault that changed a number on the way would give the key away: what does not verify does not leave. */
    enum verdict v = mldsa44_verify_mu(w.public_key, mu, bytes_of(sig, MLDSA44_SIG));
    wipe(&w, sizeof w);
    if (v == VERDICT_GOOD) return ERR_NONE;
    wipe(sig, MLDSA44_SIG);
    return ERR_CRYPTO;
}

/* Algorithm 21 HintBitUnpack: in strict order, nothing after the last, so that a signature has one encoding only. */
static enum err hint_read(const uint8_t in[DSA_OMEGA + DSA_K], uint8_t hint[DSA_K][DSA_N])
{
    unsigned at = 0;
    memset(hint, 0, DSA_K * DSA_N);
    for (unsigned i = 0; i < DSA_K; i++) {
        unsigned first = at, end = in[DSA_OMEGA + i];
        if (end < at || end > DSA_OMEGA) return ERR_FORMAT;
        for (; at < end; at++) {
            if (at > first && in[at - 1] >= in[at]) return ERR_FORMAT;
            hint[i][in[at]] = 1;
        }
    }
    for (; at < DSA_OMEGA; at++)
        if (in[at] != 0) return ERR_FORMAT;
    return ERR_NONE;
}

/* Algorithm 40 UseHint. */
static int32_t use_hint(int32_t r, bool hint)
{
    int32_t low, high = dsa_decompose(r, &low);
    if (!hint) return high;
    if (low > 0) return high == DSA_HIGH - 1 ? 0 : high + 1;
    return high == 0 ? DSA_HIGH - 1 : high - 1;
}

/* Nothing here is secret. */
enum verdict mldsa44_verify_mu(const uint8_t public_key[MLDSA44_PUBLIC], const uint8_t mu[MLDSA44_MU], struct bytes sig)
{
    struct work w;
    uint8_t again[DSA_CHALLENGE];
    if (sig.n != MLDSA44_SIG) return VERDICT_BAD;
    if (hint_read(sig.p + DSA_CHALLENGE + DSA_L * DSA_Z_BYTES, w.hint) != ERR_NONE) return VERDICT_BAD;
    for (unsigned i = 0; i < DSA_L; i++) {
        dsa_read_z(sig.p + DSA_CHALLENGE + i * DSA_Z_BYTES, &w.z.at[i]);
        if (dsa_exceeds(&w.z.at[i], DSA_GAMMA1 - DSA_BETA)) return VERDICT_BAD;
        dsa_ntt(&w.z.at[i]);
    }
    dsa_ball(sig.p, &w.c);
    dsa_ntt(&w.c);
    for (unsigned i = 0; i < DSA_K; i++) {
        w.t = w.w.at[i] = (struct dsa_poly){0};
        for (unsigned j = 0; j < DSA_L; j++) {
            dsa_uniform(public_key, (uint8_t)i, (uint8_t)j, &w.u);
            dsa_product(&w.w.at[i], &w.u, &w.z.at[j]);
        }
        dsa_read_t1(public_key + 32 + i * DSA_T1_BYTES, &w.u);
        dsa_ntt(&w.u);
        dsa_product(&w.t, &w.c, &w.u);
        dsa_sub(&w.w.at[i], &w.t);
        dsa_reduce(&w.w.at[i]);
        dsa_ntt_inverse(&w.w.at[i]);
        dsa_positive(&w.w.at[i]);
        for (unsigned n = 0; n < DSA_N; n++) w.w1.at[i].c[n] = use_hint(w.w.at[i].c[n], w.hint[i][n]);
    }
    challenge_of(mu, &w.w1, &w, again);
    return bytes_verify(again, sig.p, sizeof again);
}

enum verdict mldsa44_verify(const uint8_t public_key[MLDSA44_PUBLIC], struct bytes ctx, struct bytes msg, struct bytes sig)
{
    uint8_t mu[MLDSA44_MU];
    if (ctx.n > MLDSA_CTX_MAX) return VERDICT_BAD;
    representative(public_key, ctx, msg, mu);
    return mldsa44_verify_mu(public_key, mu, sig);
}
