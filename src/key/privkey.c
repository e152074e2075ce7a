/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "key_type.h"

#define SIGNATURE_INNER_MAX 3072        /* ML-DSA-44 and ed25519: 2484; RSA 16384: 2048 */

void privkey_free(struct privkey *k)
{
    if (!k) return;
    pubkey_free(k->pub);
    secret_clear(&k->scalar);
    rsa_numbers_clear(&k->rsa);
    secret_clear(&k->sk_reserved);
    free(k);
}

void privkey_drop(struct privkey **k)
{
    privkey_free(*k);
    *k = NULL;
}

const struct pubkey *privkey_public(const struct privkey *k)
{
    return k->pub;
}

enum err privkey_set_public(struct privkey *k, const struct wr *fields)
{
    struct wr blob CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX);
    TRY(wr_done(fields));
    wr_cstring(&blob, k->type->name);
    wr_raw(&blob, wr_bytes(fields));
    TRY(wr_done(&blob));
    return pubkey_parse(wr_bytes(&blob), &k->pub);
}

enum err privkey_generate(const char *type, size_t bits, const struct random *random, struct privkey **out)
{
    const struct key_type *row = key_type_find(bytes_str(type));
    if (!row) return ERR_KEY_TYPE;
    if (!row->generate) return ERR_TOKEN;
    struct privkey *k CLEANUP(privkey_drop) = calloc(1, sizeof *k);
    if (!k) return ERR_NOMEM;
    k->type = row;
    struct wr fields CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX);
    TRY(row->generate(k, bits, random, &fields));
    TRY(privkey_set_public(k, &fields));
    *out = k;
    k = NULL;
    return ERR_NONE;
}

enum err privkey_read(struct rd *r, struct privkey **out)
{
    const struct key_type *row = key_type_find(rd_string(r));
    if (r->err != ERR_NONE) return r->err;
    if (!row) return ERR_KEY_TYPE;
    struct privkey *k CLEANUP(privkey_drop) = calloc(1, sizeof *k);
    if (!k) return ERR_NOMEM;
    k->type = row;
    struct wr fields CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX);
    row->read_private(k, r, &fields);
    if (r->err != ERR_NONE) return r->err;
    TRY(privkey_set_public(k, &fields));
    if (row->check_pair(k) != VERDICT_GOOD) return ERR_KEY_INVALID;
    *out = k;
    k = NULL;
    return ERR_NONE;
}

void privkey_write(const struct privkey *k, struct wr *w)
{
    wr_cstring(w, k->type->name);
    k->type->write_private(k, w);
}

enum err privkey_sign(const struct privkey *k, const struct sig_alg *alg, struct bytes msg, struct wr *out)
{
    if (!alg || strcmp(alg->key_type, k->type->name) != 0) return ERR_KEY_TYPE;
    if (!k->type->sign) return ERR_TOKEN;
    uint8_t room[SIGNATURE_INNER_MAX];
    struct wr sig = wr_span((struct span){room, sizeof room});
    TRY(k->type->sign(k, alg, msg, &sig));
    TRY(wr_done(&sig));
    wr_cstring(out, alg->sig_name);
    wr_string(out, wr_bytes(&sig));
    return wr_done(out);
}
