/* SPDX-License-Identifier: ISC */
/* NIST curves (RFC 5656): keys and ECDSA. */
#include "ec.h"

#include "numbers.h"

const struct ec_curve ec_nistp256 = {"nistp256", "ecdsa-sha2-nistp256", &hash_sha256, 256, 32, NID_X9_62_prime256v1, "P-256"};
const struct ec_curve ec_nistp384 = {"nistp384", "ecdsa-sha2-nistp384", &hash_sha384, 384, 48, NID_secp384r1, "P-384"};
const struct ec_curve ec_nistp521 = {"nistp521", "ecdsa-sha2-nistp521", &hash_sha512, 521, 66, NID_secp521r1, "P-521"};

static size_t point_len(const struct ec_curve *curve)
{
    return 1 + 2 * curve->field_len;
}

/* Uncompressed only: RFC 5656 3.1 leaves the compressed form optional and OpenSSH refuses it. */
static bool point_shape_ok(const struct ec_curve *curve, struct bytes point)
{
    return point.n == point_len(curve) && point.p[0] == 4;
}

EVP_PKEY *ec_key(const struct ec_curve *curve, struct bytes point, struct bytes scalar)
{
    struct numbers list CLEANUP(numbers_clear) = {0};
    if (point.n && !point_shape_ok(curve, point)) return NULL;
    if (scalar.n > curve->field_len + 1) return NULL;
    numbers_add_text(&list, OSSL_PKEY_PARAM_GROUP_NAME, curve->group);
    if (point.n) numbers_add_octets(&list, OSSL_PKEY_PARAM_PUB_KEY, point);
    if (scalar.n) numbers_add(&list, OSSL_PKEY_PARAM_PRIV_KEY, scalar);
    return numbers_key(&list, "EC", scalar.n ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY);
}

enum err ec_key_point(const struct ec_curve *curve, const EVP_PKEY *key, uint8_t *out)
{
    size_t n = 0, want = point_len(curve);
    if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, out, want, &n) != 1) return ERR_CRYPTO;
    return n == want && out[0] == 4 ? ERR_NONE : ERR_CRYPTO;
}

enum err ecdsa_generate(const struct ec_curve *curve, struct wr *point, struct secret *scalar)
{
    EVP_PKEY *key CLEANUP(evp_pkey_clear) = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve->group);
    uint8_t *room = wr_room(point, point_len(curve));
    if (!room) return ERR_NOSPACE;
    if (!key) return ERR_CRYPTO;
    TRY(ec_key_point(curve, key, room));
    return key_number(key, OSSL_PKEY_PARAM_PRIV_KEY, curve->field_len, scalar);
}

enum verdict ec_point_check(const struct ec_curve *curve, struct bytes point)
{
    if (!point_shape_ok(curve, point)) return VERDICT_BAD;
    EVP_PKEY *key CLEANUP(evp_pkey_clear) = ec_key(curve, point, (struct bytes){0});
    EVP_PKEY_CTX *ctx CLEANUP(evp_pkey_ctx_clear) = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    return ctx && EVP_PKEY_public_check(ctx) == 1 ? VERDICT_GOOD : VERDICT_BAD;
}

enum verdict ecdsa_pair_check(const struct ec_curve *curve, struct bytes point, struct bytes scalar)
{
    if (!point_shape_ok(curve, point) || !scalar.n) return VERDICT_BAD;
    EVP_PKEY *key CLEANUP(evp_pkey_clear) = ec_key(curve, point, scalar);
    EVP_PKEY_CTX *ctx CLEANUP(evp_pkey_ctx_clear) = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    return ctx && EVP_PKEY_check(ctx) == 1 ? VERDICT_GOOD : VERDICT_BAD;
}

static void ecdsa_sig_clear(ECDSA_SIG **sig)
{
    ECDSA_SIG_free(*sig);
}

static void wr_bn(struct wr *w, const BIGNUM *bn)
{
    uint8_t *room = wr_room(w, (size_t)BN_num_bytes(bn));
    if (room) BN_bn2bin(bn, room);
}

enum err ecdsa_sign(const struct ec_curve *curve, struct bytes point, struct bytes scalar, struct bytes msg, struct wr *r,
                    struct wr *s)
{
    uint8_t der[160];       /* two numbers of 67 bytes and their headers */
    const uint8_t *p = der;
    size_t n = sizeof der;
    EVP_PKEY *key CLEANUP(evp_pkey_clear) = ec_key(curve, point, scalar);
    EVP_MD_CTX *ctx CLEANUP(evp_md_ctx_clear) = EVP_MD_CTX_new();
    if (!scalar.n || !key) return ERR_KEY_INVALID;
    if (!ctx || EVP_DigestSignInit_ex(ctx, NULL, curve->hash->name, NULL, NULL, key, NULL) != 1) return ERR_CRYPTO;
    if (EVP_DigestSign(ctx, der, &n, msg.p, msg.n) != 1) return ERR_CRYPTO;
    ECDSA_SIG *sig CLEANUP(ecdsa_sig_clear) = d2i_ECDSA_SIG(NULL, &p, (long)n);
    if (!sig) return ERR_CRYPTO;
    size_t r_at = r->n, s_at = s->n;
    wr_bn(r, ECDSA_SIG_get0_r(sig)), wr_bn(s, ECDSA_SIG_get0_s(sig));
    TRY(wr_done(r));
    TRY(wr_done(s));
    /* a fault while signing could give the key away (TRUST 29) */
    struct bytes r_made = {r->p + r_at, r->n - r_at}, s_made = {s->p + s_at, s->n - s_at};
    return ecdsa_verify(curve, point, msg, r_made, s_made) == VERDICT_GOOD ? ERR_NONE : ERR_CRYPTO;
}

enum verdict ecdsa_verify(const struct ec_curve *curve, struct bytes point, struct bytes msg, struct bytes r, struct bytes s)
{
    uint8_t der[160], *p = der;
    if (!point_shape_ok(curve, point) || r.n > curve->field_len || s.n > curve->field_len) return VERDICT_BAD;
    EVP_PKEY *key CLEANUP(evp_pkey_clear) = ec_key(curve, point, (struct bytes){0});
    EVP_MD_CTX *ctx CLEANUP(evp_md_ctx_clear) = EVP_MD_CTX_new();
    ECDSA_SIG *sig CLEANUP(ecdsa_sig_clear) = ECDSA_SIG_new();
    BIGNUM *bn_r = BN_bin2bn(r.p, (int)r.n, NULL), *bn_s = BN_bin2bn(s.p, (int)s.n, NULL);
    if (!key || !ctx || !sig || !bn_r || !bn_s || ECDSA_SIG_set0(sig, bn_r, bn_s) != 1) {
        BN_free(bn_r), BN_free(bn_s);
        return VERDICT_BAD;
    }
    int n = i2d_ECDSA_SIG(sig, NULL);       /* sig owns the numbers now */
    if (n <= 0 || (size_t)n > sizeof der || i2d_ECDSA_SIG(sig, &p) != n) return VERDICT_BAD;
    if (EVP_DigestVerifyInit_ex(ctx, NULL, curve->hash->name, NULL, NULL, key, NULL) != 1) return VERDICT_BAD;
    return EVP_DigestVerify(ctx, der, (size_t)n, msg.p, msg.n) == 1 ? VERDICT_GOOD : VERDICT_BAD;
}
