/* SPDX-License-Identifier: ISC */
/* The primitives on a pipe: each input line is an operation and its arguments in hex ("-": empty), each output line its answer
 * ("GOOD", "BAD", "ERR name", or fields in hex). Scripts hold it against known answers and other implementations. */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "crypto/algs.h"
#include "crypto/pq.h"
#include "crypto/sign.h"

#include "ec.h"
#include "mldsa.h"
#include "share.h"

enum { ARGS_MAX = 8, LINE_BYTES = 1 << 20 };

struct call {
    struct bytes arg[ARGS_MAX];
    const char *word[ARGS_MAX];     /* the same as text */
    size_t n;
};

static void say_hex(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++) printf("%02x", b.p[i]);
    fputs(b.n ? " " : "- ", stdout);
}

static void say_err(enum err e)
{
    printf("ERR %s", err_name(e));
}

static void say_verdict(enum verdict v)
{
    fputs(v == VERDICT_GOOD ? "GOOD" : "BAD", stdout);
}

/* A random record that plays back given bytes. */
static enum err play_back(void *ctx, struct span out)
{
    struct bytes *left = ctx;
    if (left->n < out.n) return ERR_RANDOM;
    memcpy(out.p, left->p, out.n);
    left->p += out.n, left->n -= out.n;
    return ERR_NONE;
}

static const struct mlkem *set_of(const char *name)
{
    return strcmp(name, "768") == 0 ? &mlkem_768 : &mlkem_1024;
}

static void op_mlkem_keygen(const struct call *c)   /* set seed -> ek dk */
{
    static uint8_t ek[MLKEM_PUBLIC_MAX], dk[MLKEM_SECRET_MAX];
    const struct mlkem *set = set_of(c->word[0]);
    if (c->arg[1].n != MLKEM_SEED) return say_err(ERR_LENGTH);
    mlkem_keygen(set, c->arg[1].p, ek, dk);
    say_hex(bytes_of(ek, set->public_len));
    say_hex(bytes_of(dk, set->secret_len));
}

static void op_mlkem_encaps(const struct call *c)   /* set ek m -> c K */
{
    static uint8_t ct[MLKEM_CIPHER_MAX], shared[MLKEM_SHARED];
    const struct mlkem *set = set_of(c->word[0]);
    if (c->arg[1].n != set->public_len || c->arg[2].n != MLKEM_RANDOM) return say_err(ERR_LENGTH);
    enum err e = mlkem_encaps(set, c->arg[1].p, c->arg[2].p, ct, shared);
    if (e != ERR_NONE) return say_err(e);
    say_hex(bytes_of(ct, set->cipher_len));
    say_hex(bytes_of(shared, sizeof shared));
}

static void op_mlkem_decaps(const struct call *c)   /* set dk c -> K */
{
    static uint8_t shared[MLKEM_SHARED];
    const struct mlkem *set = set_of(c->word[0]);
    if (c->arg[1].n != set->secret_len || c->arg[2].n != set->cipher_len) return say_err(ERR_LENGTH);
    enum err e = mlkem_decaps(set, c->arg[1].p, c->arg[2].p, shared);
    if (e != ERR_NONE) return say_err(e);
    say_hex(bytes_of(shared, sizeof shared));
}

static void op_mldsa_public(const struct call *c)   /* seed -> pk */
{
    static uint8_t pk[MLDSA44_PUBLIC];
    if (c->arg[0].n != MLDSA44_SEED) return say_err(ERR_LENGTH);
    mldsa44_public(c->arg[0].p, pk);
    say_hex(bytes_of(pk, sizeof pk));
}

static void op_mldsa_sign(const struct call *c)     /* seed rnd ctx msg -> sig */
{
    static uint8_t sig[MLDSA44_SIG];
    if (c->arg[0].n != MLDSA44_SEED || c->arg[1].n != MLDSA44_RANDOM) return say_err(ERR_LENGTH);
    enum err e = mldsa44_sign(c->arg[0].p, c->arg[2], c->arg[3], c->arg[1].p, sig);
    if (e != ERR_NONE) return say_err(e);
    say_hex(bytes_of(sig, sizeof sig));
}

static void op_mldsa_sign_mu(const struct call *c)  /* seed rnd mu -> sig */
{
    static uint8_t sig[MLDSA44_SIG];
    if (c->arg[0].n != MLDSA44_SEED || c->arg[1].n != MLDSA44_RANDOM || c->arg[2].n != MLDSA44_MU) return say_err(ERR_LENGTH);
    mldsa44_sign_mu(c->arg[0].p, c->arg[2].p, c->arg[1].p, sig);
    say_hex(bytes_of(sig, sizeof sig));
}

static void op_mldsa_verify(const struct call *c)   /* pk ctx msg sig -> verdict */
{
    say_verdict(c->arg[0].n == MLDSA44_PUBLIC ? mldsa44_verify(c->arg[0].p, c->arg[1], c->arg[2], c->arg[3]) : VERDICT_BAD);
}

static const struct kex_alg *client;        /* kex_start leaves these for kex_end */
static struct kex_state *client_state;

static void op_kex_start(const struct call *c)      /* method random -> client_public */
{
    static uint8_t room[KEX_PUBLIC_MAX];
    struct bytes left = c->arg[1];
    struct random random = {&left, play_back};
    struct wr w = wr_span((struct span){room, sizeof room});
    if (client_state) client->free(client_state);
    client_state = NULL;
    client = kex_find(bytes_str(c->word[0]));
    if (!client) return say_err(ERR_NO_KEX);
    enum err e = client->start(client, &random, NULL, &w, &client_state);
    if (e != ERR_NONE) return say_err(e);
    say_hex(wr_bytes(&w));
}

static void op_kex_end(const struct call *c)        /* server_public -> secret */
{
    struct secret secret CLEANUP(secret_clear) = {0};
    if (!client_state) return say_err(ERR_STATE);
    enum err e = client->finish(client_state, c->arg[0], &secret);
    if (e != ERR_NONE) return say_err(e);
    say_hex(secret_bytes(&secret));
}

static void op_kex_reply(const struct call *c)      /* method random client_public -> server_public secret */
{
    static uint8_t room[KEX_PUBLIC_MAX];
    const struct kex_alg *alg = kex_find(bytes_str(c->word[0]));
    struct bytes left = c->arg[1];
    struct random random = {&left, play_back};
    struct wr w = wr_span((struct span){room, sizeof room});
    struct secret secret CLEANUP(secret_clear) = {0};
    if (!alg) return say_err(ERR_NO_KEX);
    enum err e = alg->reply(alg, &random, NULL, c->arg[2], &w, &secret);
    if (e != ERR_NONE) return say_err(e);
    say_hex(wr_bytes(&w));
    say_hex(secret_bytes(&secret));
}

static void op_ed25519_verify(const struct call *c) /* public msg sig -> verdict */
{
    if (c->arg[0].n != ED25519_PUBLIC) return say_verdict(VERDICT_BAD);
    say_verdict(ed25519_verify(c->arg[0].p, c->arg[1], c->arg[2]));
}

static void op_aead_seal(const struct call *c)      /* cipher key iv seq packet -> packet and tag */
{
    const struct cipher_alg *alg = cipher_find(bytes_str(c->word[0]));
    if (!alg || c->arg[1].n != alg->key_len || c->arg[2].n != alg->iv_len || c->arg[3].n != 4) return say_err(ERR_LENGTH);
    struct cipher *cipher = alg->new(alg, CIPHER_SEAL, c->arg[1].p, c->arg[2].p);
    uint8_t *p = malloc(c->arg[4].n + alg->tag_len);
    if (!cipher || !p) abort();
    memcpy(p, c->arg[4].p, c->arg[4].n);
    enum err e = alg->seal(cipher, get_u32(c->arg[3].p), p, c->arg[4].n);
    if (e != ERR_NONE) say_err(e);
    else say_hex(bytes_of(p, c->arg[4].n + alg->tag_len));
    alg->free(cipher);
    free(p);
}

static const struct ec_curve *curve_of(const char *name)
{
    return strcmp(name, "256") == 0 ? &ec_nistp256 : strcmp(name, "384") == 0 ? &ec_nistp384 : &ec_nistp521;
}

static const struct hash_alg *hash_of(const char *name)
{
    return strcmp(name, "SHA-1") == 0 ? &hash_sha1 : strcmp(name, "SHA-256") == 0 ? &hash_sha256 : &hash_sha512;
}

static void op_ecdh(const struct call *c)           /* curve scalar point -> x */
{
    uint8_t x[SHARE_SECRET_MAX];
    const struct ec_curve *curve = curve_of(c->word[0]);
    EVP_PKEY *key CLEANUP(evp_pkey_clear) = ec_key(curve, (struct bytes){0}, c->arg[1]);
    EVP_PKEY *peer CLEANUP(evp_pkey_clear) = c->arg[2].n ? ec_key(curve, c->arg[2], (struct bytes){0}) : NULL;
    if (!key) return say_err(ERR_KEY_INVALID);
    enum err e = peer ? share_derive(key, peer, x, curve->field_len) : ERR_KEX;
    if (e != ERR_NONE) return say_err(e);
    say_hex(bytes_of(x, curve->field_len));
}

static void op_ec_point(const struct call *c)       /* curve point -> verdict */
{
    say_verdict(ec_point_check(curve_of(c->word[0]), c->arg[1]));
}

static void op_ecdsa_verify(const struct call *c)   /* curve point msg r s -> verdict */
{
    say_verdict(ecdsa_verify(curve_of(c->word[0]), c->arg[1], c->arg[2], c->arg[3], c->arg[4]));
}

static void op_rsa_verify(const struct call *c)     /* hash n e msg sig -> verdict */
{
    struct rsa_public key = {c->arg[1], c->arg[2]};
    say_verdict(rsa_verify(&key, hash_of(c->word[0]), c->arg[3], c->arg[4]));
}

static void op_mac(const struct call *c)            /* mac key seq msg -> tag */
{
    uint8_t tag[MAC_TAG_MAX];
    const struct mac_alg *alg = mac_find(bytes_str(c->word[0]));
    if (!alg || c->arg[1].n != alg->key_len || c->arg[2].n != 4) return say_err(ERR_LENGTH);
    struct mac *m = alg->new(alg, c->arg[1].p);
    if (!m) abort();
    enum err e = alg->tag(m, get_u32(c->arg[2].p), c->arg[3].p, c->arg[3].n, tag);
    if (e != ERR_NONE) say_err(e);
    else say_hex(bytes_of(tag, alg->tag_len));
    alg->free(m);
}

static void op_stream(const struct call *c)         /* cipher key iv data -> data */
{
    const struct cipher_alg *alg = cipher_find(bytes_str(c->word[0]));
    if (!alg || !alg->crypt || c->arg[1].n != alg->key_len || c->arg[2].n != alg->iv_len) return say_err(ERR_LENGTH);
    struct cipher *cipher = alg->new(alg, CIPHER_SEAL, c->arg[1].p, c->arg[2].p);
    struct secret data CLEANUP(secret_clear) = {0};
    if (!cipher || secret_copy(&data, c->arg[3]) != ERR_NONE || alg->crypt(cipher, data.p, data.n) != ERR_NONE) abort();
    say_hex(secret_bytes(&data));
    alg->free(cipher);
}

static void op_bcrypt(const struct call *c)         /* rounds length pass salt -> key */
{
    struct secret key CLEANUP(secret_clear) = {0};
    if (secret_new(&key, (size_t)atoi(c->word[1])) != ERR_NONE) abort();
    enum err e = bcrypt_pbkdf(c->arg[2], c->arg[3], (uint32_t)atoi(c->word[0]), (struct span){key.p, key.n});
    if (e != ERR_NONE) return say_err(e);
    say_hex(secret_bytes(&key));
}

static const struct {
    const char *name;
    size_t args;
    void (*run)(const struct call *c);
} ops[] = {
    {"mlkem_keygen", 2, op_mlkem_keygen}, {"mlkem_encaps", 3, op_mlkem_encaps}, {"mlkem_decaps", 3, op_mlkem_decaps},
    {"mldsa_public", 1, op_mldsa_public}, {"mldsa_sign", 4, op_mldsa_sign}, {"mldsa_sign_mu", 3, op_mldsa_sign_mu},
    {"mldsa_verify", 4, op_mldsa_verify}, {"kex_start", 2, op_kex_start}, {"kex_end", 1, op_kex_end}, {"kex_reply", 3, op_kex_reply},
    {"ed25519_verify", 3, op_ed25519_verify},
    {"aead_seal", 5, op_aead_seal}, {"ecdh", 3, op_ecdh}, {"ec_point", 2, op_ec_point}, {"ecdsa_verify", 5, op_ecdsa_verify},
    {"rsa_verify", 5, op_rsa_verify}, {"mac", 4, op_mac}, {"stream", 4, op_stream}, {"bcrypt", 4, op_bcrypt},
};

static void run_line(char *line)
{
    struct call c = {0};
    struct wr room[ARGS_MAX] = {0};
    char *save = NULL, *name = strtok_r(line, " \n", &save);
    for (char *word; c.n < ARGS_MAX && (word = strtok_r(NULL, " \n", &save)); c.n++) {
        room[c.n] = wr_heap(LINE_BYTES);
        c.word[c.n] = word;
        if (strcmp(word, "-") != 0 && hex_parse(bytes_str(word), &room[c.n]) == ERR_NONE) c.arg[c.n] = wr_bytes(&room[c.n]);
    }
    size_t i = 0;
    while (name && i < COUNT_OF(ops) && strcmp(ops[i].name, name) != 0) i++;
    if (!name || i == COUNT_OF(ops) || ops[i].args != c.n) fputs("ERR unknown operation", stdout);
    else ops[i].run(&c);
    putchar('\n');
    fflush(stdout);
    for (i = 0; i < c.n; i++) wr_clear(&room[i]);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    while (getline(&line, &cap, stdin) > 0) run_line(line);
    if (client_state) client->free(client_state);
    free(line);
    return 0;
}
