/* SPDX-License-Identifier: ISC */
/* A cheap key exchange, a seeded generator, and cipher records that note the size and kind of each packet they seal. */
#include "duo.h"

#include <stdlib.h>

uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->s += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
    return n ? rng_next(r) % n : 0;
}

static enum err rng_fill(void *ctx, struct span out)
{
    for (size_t i = 0; i < out.n;) {
        uint64_t v = rng_next(ctx);
        for (int k = 0; k < 8 && i < out.n; k++, v >>= 8) out.p[i++] = (uint8_t)v;
    }
    return ERR_NONE;
}

struct random rng_random(struct rng *r)
{
    return (struct random){.ctx = r, .fill = rng_fill};
}

/* ---- kex ---- */

struct kex_state {
    uint8_t share[32];
};

static enum err cheap_secret(const uint8_t *client, const uint8_t *server, struct secret *out)
{
    const struct bytes parts[] = {{client, 32}, {server, 32}};
    uint8_t digest[HASH_MAX];
    TRY(hash_sha256.digest(&hash_sha256, parts, 2, digest));
    TRY(secret_new(out, 36));
    put_u32(out->p, 32);
    memcpy(out->p + 4, digest, 32);
    return ERR_NONE;
}

static enum err cheap_start(const struct kex_alg *alg, const struct random *random, const struct kex_group *group,
                            struct wr *public_value, struct kex_state **out)
{
    (void)alg, (void)group;
    struct kex_state *s = malloc(sizeof(*s));
    if (!s) return ERR_NOMEM;
    enum err e = random_fill(random, s->share, sizeof(s->share));
    wr_raw(public_value, (struct bytes){s->share, sizeof(s->share)});
    if (e == ERR_NONE) *out = s;
    else free(s);
    return e;
}

static enum err cheap_finish(struct kex_state *s, struct bytes server_public, struct secret *out)
{
    return server_public.n == 32 ? cheap_secret(s->share, server_public.p, out) : ERR_KEX;
}

static enum err cheap_reply(const struct kex_alg *alg, const struct random *random, const struct kex_group *group,
                            struct bytes client_public, struct wr *public_value, struct secret *out)
{
    (void)alg, (void)group;
    uint8_t share[32];
    if (client_public.n != 32) return ERR_KEX;
    TRY(random_fill(random, share, sizeof(share)));
    wr_raw(public_value, (struct bytes){share, sizeof(share)});
    TRY(wr_done(public_value));
    return cheap_secret(client_public.p, share, out);
}

static void cheap_free(struct kex_state *s)
{
    free(s);
}

const struct kex_alg kex_cheap = {.name = "cheap@test", .shape = KEX_SHAPE_ECDH, .hash = &hash_sha256, .start = cheap_start,
                                  .finish = cheap_finish, .reply = cheap_reply, .free = cheap_free};

const struct kex_alg kex_cheap_other = {.name = "other@test", .shape = KEX_SHAPE_ECDH, .hash = &hash_sha256, .start = cheap_start,
                                        .finish = cheap_finish, .reply = cheap_reply, .free = cheap_free};

struct duo_algs duo_algs(const struct kex_alg *kex, const struct cipher_alg *cipher, const struct mac_alg *mac)
{
    return (struct duo_algs){.kex = {kex ? kex : &kex_cheap, NULL}, .cipher = {cipher, NULL},
                             .mac = {mac ? mac : &mac_hmac_sha2_256_etm, NULL}};
}

/* ---- spies ---- */

void notes_add(struct notes *l, struct note n)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->p = realloc(l->p, l->cap * sizeof(*l->p));
        if (!l->p) abort();
    }
    l->p[l->n++] = n;
}

struct spy {
    struct cipher_alg alg;
    const struct cipher_alg *real;
    struct duo_side *side;
};
_Static_assert(sizeof(struct spy) <= 128, "a spy fits its place in struct duo_side");

struct cipher {
    const struct spy *spy;
    struct cipher *real;
    enum cipher_dir dir;
};

static struct cipher *spy_new(const struct cipher_alg *alg, enum cipher_dir dir, const uint8_t *key, const uint8_t *iv)
{
    const struct spy *spy = (const struct spy *)alg;    /* its first member */
    struct cipher *c = malloc(sizeof(*c));
    if (!c) return NULL;
    *c = (struct cipher){.spy = spy, .real = spy->real->new(spy->real, dir, key, iv), .dir = dir};
    if (c->real) return c;
    free(c);
    return NULL;
}

static void spy_free(struct cipher *c)
{
    c->spy->real->free(c->real);
    free(c);
}

static void spy_note(const struct cipher *c, const uint8_t *packet, size_t n, size_t tag)
{
    struct duo_side *s = c->spy->side;
    notes_add(&s->sent, (struct note){.number = packet[5], .len = (uint32_t)(n - 5 - packet[4]), .size = n + tag});
    s->sealed += n + tag;
}

static enum err spy_crypt(struct cipher *c, uint8_t *p, size_t n)
{
    const struct mac_alg *mac = conn_facts(c->spy->side->c)->mac_out;
    if (c->dir == CIPHER_SEAL) spy_note(c, mac->etm ? p - 4 : p, mac->etm ? n + 4 : n, mac->tag_len);
    return c->spy->real->crypt(c->real, p, n);
}

static enum err spy_length(struct cipher *c, uint32_t seq, const uint8_t *head, uint32_t *out)
{
    return c->spy->real->length(c->real, seq, head, out);
}

static enum err spy_seal(struct cipher *c, uint32_t seq, uint8_t *p, size_t n)
{
    spy_note(c, p, n, c->spy->alg.tag_len);
    return c->spy->real->seal(c->real, seq, p, n);
}

static enum verdict spy_open(struct cipher *c, uint32_t seq, uint8_t *p, size_t n)
{
    return c->spy->real->open(c->real, seq, p, n);
}

const struct cipher_alg *spy_cipher(struct duo_side *side, int which, const struct cipher_alg *real)
{
    const struct spy made = {.alg = *real, .real = real, .side = side};
    memcpy(side->spies[which], &made, sizeof(made));
    struct spy *spy = (struct spy *)(void *)side->spies[which];
    spy->alg.new = spy_new, spy->alg.free = spy_free, spy->alg.crypt = spy_crypt;
    spy->alg.length = spy_length, spy->alg.seal = spy_seal, spy->alg.open = spy_open;
    return &spy->alg;
}
