/* SPDX-License-Identifier: ISC */
#include "numbers.h"

void bn_clear(BIGNUM **bn)
{
    BN_clear_free(*bn);
}

void bn_ctx_clear(BN_CTX **ctx)
{
    BN_CTX_free(*ctx);
}

void numbers_clear(struct numbers *s)
{
    for (size_t i = 0; i < NUMBERS_MAX; i++) secret_clear(&s->value[i]);
    *s = (struct numbers){0};
}

static void add(struct numbers *s, OSSL_PARAM param)
{
    if (s->n == NUMBERS_MAX) s->err = ERR_USAGE;
    if (s->err == ERR_NONE) s->param[s->n++] = param;
}

void numbers_add_bn(struct numbers *s, const char *name, const BIGNUM *bn)
{
    if (!bn || s->n == NUMBERS_MAX) s->err = ERR_CRYPTO;
    if (s->err != ERR_NONE) return;
    struct secret *value = &s->value[s->n];
    size_t len = (size_t)BN_num_bytes(bn) + 1;      /* libcrypto wants native byte order, and room even for zero */
    s->err = secret_new(value, len);
    if (s->err == ERR_NONE && BN_bn2nativepad(bn, value->p, (int)len) < 0) s->err = ERR_CRYPTO;
    if (s->err == ERR_NONE) add(s, OSSL_PARAM_construct_BN(name, value->p, len));
}

void numbers_add(struct numbers *s, const char *name, struct bytes unsigned_be)
{
    BIGNUM *bn CLEANUP(bn_clear) = unsigned_be.n > INT32_MAX ? NULL : BN_bin2bn(unsigned_be.p, (int)unsigned_be.n, NULL);
    numbers_add_bn(s, name, bn);
}

void numbers_add_octets(struct numbers *s, const char *name, struct bytes octets)
{
    add(s, (OSSL_PARAM){name, OSSL_PARAM_OCTET_STRING, (void *)(uintptr_t)octets.p, octets.n, OSSL_PARAM_UNMODIFIED});
}

void numbers_add_text(struct numbers *s, const char *name, const char *text)
{
    add(s, (OSSL_PARAM){name, OSSL_PARAM_UTF8_STRING, (void *)(uintptr_t)text, strlen(text), OSSL_PARAM_UNMODIFIED});
}

EVP_PKEY *numbers_key(struct numbers *s, const char *type, int selection)
{
    EVP_PKEY_CTX *ctx CLEANUP(evp_pkey_ctx_clear) = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;
    if (s->err != ERR_NONE || !ctx || EVP_PKEY_fromdata_init(ctx) != 1) return NULL;
    s->param[s->n] = OSSL_PARAM_construct_end();
    return EVP_PKEY_fromdata(ctx, &key, selection, s->param) == 1 ? key : NULL;
}

enum err key_number(const EVP_PKEY *key, const char *name, size_t width, struct secret *out)
{
    BIGNUM *bn CLEANUP(bn_clear) = NULL;
    if (EVP_PKEY_get_bn_param(key, name, &bn) != 1) return ERR_CRYPTO;
    size_t len = (size_t)BN_num_bytes(bn);
    if (len < width) len = width;
    TRY(secret_new(out, len));
    return BN_bn2binpad(bn, out->p, (int)len) == (int)len ? ERR_NONE : ERR_CRYPTO;
}
