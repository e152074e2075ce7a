/* SPDX-License-Identifier: ISC */
/* RSA with PKCS#1 v1.5 signatures (RFC 8017 8.2, RFC 8332). */
#include "base/limits.h"
#include "crypto/sign.h"

#include "numbers.h"

enum { EXPONENT_MAX = 8 };      /* bytes; a longer e only makes verifying dear, and libcrypto refuses it for large n */

size_t rsa_bits(struct bytes n)
{
    size_t i = 0, bits;
    while (i < n.n && n.p[i] == 0) i++;
    if (i == n.n) return 0;
    bits = 8 * (n.n - i);
    for (uint8_t top = n.p[i]; !(top & 0x80); top = (uint8_t)(top << 1)) bits--;
    return bits;
}

static bool public_ok(struct bytes n, struct bytes e)
{
    size_t bits = rsa_bits(n), e_bits = rsa_bits(e);
    return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX && n.p[n.n - 1] & 1 && e_bits > 1 && e_bits <= 8 * EXPONENT_MAX && e.p[e.n - 1] & 1;
}

static void add_public(struct numbers *list, struct bytes n, struct bytes e)
{
    numbers_add(list, OSSL_PKEY_PARAM_RSA_N, n);
    numbers_add(list, OSSL_PKEY_PARAM_RSA_E, e);
}

static BIGNUM *bn_of(struct bytes b)
{
    BIGNUM *bn = b.n <= INT32_MAX ? BN_bin2bn(b.p, (int)b.n, NULL) : NULL;
    if (bn) BN_set_flags(bn, BN_FLG_CONSTTIME);
    return bn;
}

/* d mod (prime - 1): the exponent for the Chinese remainder form, which OpenSSH's format leaves out. */
static BIGNUM *crt_exponent(struct bytes d_bytes, struct bytes prime)
{
    BIGNUM *d CLEANUP(bn_clear) = bn_of(d_bytes), *m CLEANUP(bn_clear) = bn_of(prime), *out = BN_new();
    BN_CTX *ctx CLEANUP(bn_ctx_clear) = BN_CTX_new();
    if (d && m && out && ctx && BN_sub_word(m, 1) == 1 && BN_mod(out, d, m, ctx) == 1) return out;
    BN_free(out);
    return NULL;
}

static enum err crt_bytes(struct bytes d, struct bytes prime, struct secret *out)
{
    BIGNUM *bn CLEANUP(bn_clear) = crt_exponent(d, prime);
    if (!bn) return ERR_CRYPTO;
    TRY(secret_new(out, prime.n));
    return BN_bn2binpad(bn, out->p, (int)out->n) == (int)out->n ? ERR_NONE : ERR_CRYPTO;
}

enum err rsa_crt(const struct rsa_private *key, struct secret *dp, struct secret *dq)
{
    TRY(crt_bytes(key->d, key->p, dp));
    return crt_bytes(key->d, key->q, dq);
}

enum err rsa_inverse(struct bytes p_bytes, struct bytes q_bytes, struct secret *out)
{
    BIGNUM *p CLEANUP(bn_clear) = bn_of(p_bytes), *q CLEANUP(bn_clear) = bn_of(q_bytes), *inverse CLEANUP(bn_clear) = BN_new();
    BN_CTX *ctx CLEANUP(bn_ctx_clear) = BN_CTX_new();
    if (!p || !q || !inverse || !ctx) return ERR_CRYPTO;
    if (rsa_bits(p_bytes) < 2 || rsa_bits(q_bytes) < 2 || !BN_mod_inverse(inverse, q, p, ctx)) return ERR_KEY_INVALID;
    TRY(secret_new(out, p_bytes.n));
    return BN_bn2binpad(inverse, out->p, (int)out->n) == (int)out->n ? ERR_NONE : ERR_CRYPTO;
}

static EVP_PKEY *private_key(const struct rsa_private *k)
{
    struct numbers list CLEANUP(numbers_clear) = {0};
    if (!public_ok(k->n, k->e) || !rsa_bits(k->p) || !rsa_bits(k->q)) return NULL;
    BIGNUM *dp CLEANUP(bn_clear) = crt_exponent(k->d, k->p), *dq CLEANUP(bn_clear) = crt_exponent(k->d, k->q);
    add_public(&list, k->n, k->e);
    numbers_add(&list, OSSL_PKEY_PARAM_RSA_D, k->d);
    numbers_add(&list, OSSL_PKEY_PARAM_RSA_FACTOR1, k->p);
    numbers_add(&list, OSSL_PKEY_PARAM_RSA_FACTOR2, k->q);
    numbers_add_bn(&list, OSSL_PKEY_PARAM_RSA_EXPONENT1, dp);
    numbers_add_bn(&list, OSSL_PKEY_PARAM_RSA_EXPONENT2, dq);
    numbers_add(&list, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, k->iqmp);
    return numbers_key(&list, "RSA", EVP_PKEY_KEYPAIR);
}

void rsa_numbers_clear(struct rsa_numbers *k)
{
    struct secret *const all[] = {&k->n, &k->e, &k->d, &k->iqmp, &k->p, &k->q};
    for (size_t i = 0; i < COUNT_OF(all); i++) secret_clear(all[i]);
}

enum err rsa_generate(size_t bits, struct rsa_numbers *out)
{
    if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX) return ERR_RANGE;
    EVP_PKEY *key CLEANUP(evp_pkey_clear) = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", bits);
    struct rsa_numbers made CLEANUP(rsa_numbers_clear) = {0};
    const struct { const char *name; struct secret *to; } wanted[] = {
        {OSSL_PKEY_PARAM_RSA_N, &made.n}, {OSSL_PKEY_PARAM_RSA_E, &made.e}, {OSSL_PKEY_PARAM_RSA_D, &made.d},
        {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, &made.iqmp}, {OSSL_PKEY_PARAM_RSA_FACTOR1, &made.p}, {OSSL_PKEY_PARAM_RSA_FACTOR2, &made.q}};
    if (!key) return ERR_CRYPTO;
    for (size_t i = 0; i < COUNT_OF(wanted); i++) TRY(key_number(key, wanted[i].name, 0, wanted[i].to));
    rsa_numbers_clear(out);
    *out = made;
    made = (struct rsa_numbers){0};
    return ERR_NONE;
}

/* a * b = 1 modulo m - less? */
static bool inverse_mod(const BIGNUM *a, const BIGNUM *b, BIGNUM *m, BN_ULONG less, BN_CTX *ctx)
{
    BIGNUM *t CLEANUP(bn_clear) = BN_new();
    return t && BN_sub_word(m, less) == 1 && BN_mod_mul(t, a, b, m, ctx) == 1 && BN_add_word(m, less) == 1 && BN_is_one(t);
}

enum verdict rsa_check(const struct rsa_private *key)
{
    if (!public_ok(key->n, key->e) || rsa_bits(key->p) < 2 || rsa_bits(key->q) < 2) return VERDICT_BAD;
    if (key->p.n + key->q.n > key->n.n + 4 || key->d.n > key->n.n || key->iqmp.n > key->n.n) return VERDICT_BAD;
    BIGNUM *n CLEANUP(bn_clear) = bn_of(key->n), *e CLEANUP(bn_clear) = bn_of(key->e), *d CLEANUP(bn_clear) = bn_of(key->d);
    BIGNUM *iqmp CLEANUP(bn_clear) = bn_of(key->iqmp), *p CLEANUP(bn_clear) = bn_of(key->p), *q CLEANUP(bn_clear) = bn_of(key->q);
    BIGNUM *product CLEANUP(bn_clear) = BN_new();
    BN_CTX *ctx CLEANUP(bn_ctx_clear) = BN_CTX_new();
    if (!n || !e || !d || !iqmp || !p || !q || !product || !ctx) return VERDICT_BAD;
    if (BN_mul(product, p, q, ctx) != 1 || BN_cmp(product, n) != 0) return VERDICT_BAD;
    bool ok = inverse_mod(d, e, p, 1, ctx) && inverse_mod(d, e, q, 1, ctx) && inverse_mod(iqmp, q, p, 0, ctx);
    return ok ? VERDICT_GOOD : VERDICT_BAD;
}

enum err rsa_sign(const struct rsa_private *key, const struct hash_alg *hash, struct bytes msg, struct wr *sig)
{
    EVP_PKEY *evp CLEANUP(evp_pkey_clear) = private_key(key);
    EVP_MD_CTX *ctx CLEANUP(evp_md_ctx_clear) = EVP_MD_CTX_new();
    if (!evp) return ERR_KEY_INVALID;
    size_t n = (size_t)EVP_PKEY_get_size(evp);
    uint8_t *room = wr_room(sig, n);
    if (!room) return ERR_NOSPACE;
    if (!ctx || EVP_DigestSignInit_ex(ctx, NULL, hash->name, NULL, NULL, evp, NULL) != 1) return ERR_CRYPTO;
    size_t made = n;
    if (EVP_DigestSign(ctx, room, &made, msg.p, msg.n) != 1 || made != n) return ERR_CRYPTO;
    /* a fault in one half of the remainder form would give the factors away (TRUST 29) */
    struct rsa_public public_key = {key->n, key->e};
    if (rsa_verify(&public_key, hash, msg, bytes_of(room, n)) == VERDICT_GOOD) return ERR_NONE;
    wipe(room, n);
    return ERR_CRYPTO;
}

enum verdict rsa_verify(const struct rsa_public *key, const struct hash_alg *hash, struct bytes msg, struct bytes sig)
{
    if (!public_ok(key->n, key->e)) return VERDICT_BAD;
    struct numbers list CLEANUP(numbers_clear) = {0};
    struct secret padded CLEANUP(secret_clear) = {0};
    size_t len = (rsa_bits(key->n) + 7) / 8;
    if (sig.n > len || secret_new(&padded, len) != ERR_NONE) return VERDICT_BAD;
    if (sig.n) memcpy(padded.p + len - sig.n, sig.p, sig.n);
    add_public(&list, key->n, key->e);
    EVP_PKEY *evp CLEANUP(evp_pkey_clear) = numbers_key(&list, "RSA", EVP_PKEY_PUBLIC_KEY);
    EVP_MD_CTX *ctx CLEANUP(evp_md_ctx_clear) = EVP_MD_CTX_new();
    if (!evp || !ctx || EVP_DigestVerifyInit_ex(ctx, NULL, hash->name, NULL, NULL, evp, NULL) != 1) return VERDICT_BAD;
    return EVP_DigestVerify(ctx, padded.p, padded.n, msg.p, msg.n) == 1 ? VERDICT_GOOD : VERDICT_BAD;
}
