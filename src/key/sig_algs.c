/* SPDX-License-Identifier: ISC */
/* The tables of signature algorithms and key types. */
#include "key_type.h"

const struct sig_alg sig_algs[] = {
    {"ssh-ed25519", "ssh-ed25519", "ssh-ed25519"},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"},
    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"},
    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521"},
    {"rsa-sha2-512", "ssh-rsa", "rsa-sha2-512"},
    {"rsa-sha2-256", "ssh-rsa", "rsa-sha2-256"},
    {"ssh-rsa", "ssh-rsa", "ssh-rsa"}, /* SHA-1: only where a user asks for it by name */
    {NULL, NULL, NULL},
};

const char sig_algs_default[] = "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,"
                                "rsa-sha2-512,rsa-sha2-256";

const struct sig_alg *sig_alg_find(struct bytes name)
{
    for (const struct sig_alg *a = sig_algs; a->name; a++)
        if (bytes_is(name, a->name)) return a;
    return NULL;
}

const struct key_type *key_type_find(struct bytes name)
{
    static const struct key_type *const rows[] = {
        &key_type_ed25519, &key_type_ecdsa256, &key_type_ecdsa384, &key_type_ecdsa521, &key_type_rsa,
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (bytes_is(name, rows[i]->name)) return rows[i];
    return NULL;
}
