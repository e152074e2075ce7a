/* SPDX-License-Identifier: ISC */
/* The table of key types. Apart from that of algorithms, so that a program that only names them links no cryptography. */
#include "key_type.h"

const struct key_type *key_type_find(struct bytes name)
{
    static const struct key_type *const rows[] = {
        &key_type_ed25519, &key_type_ecdsa256, &key_type_ecdsa384, &key_type_ecdsa521, &key_type_rsa,
        &key_type_mldsa44_ed25519, &key_type_sk_ed25519, &key_type_sk_ecdsa,
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (bytes_is(name, rows[i]->name)) return rows[i];
    return NULL;
}
