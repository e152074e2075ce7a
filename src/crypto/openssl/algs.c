/* SPDX-License-Identifier: ISC */
/* Order of preference as OpenSSH 10.5's; what it does not offer by default follows at the end of each list. */
#include "crypto/algs.h"

const struct kex_alg *const kex_all[] = {
    &kex_mlkem768x25519_sha256,
    &kex_curve25519_sha256,
    &kex_curve25519_sha256_libssh,
    NULL,
};

const struct cipher_alg *const cipher_all[] = {
    &cipher_chacha20_poly1305,
    &cipher_aes128_gcm,
    &cipher_aes256_gcm,
    NULL,
};

const struct mac_alg *const mac_all[] = {
    NULL,
};

#define KEX_BOTH "mlkem768x25519-sha256,curve25519-sha256,curve25519-sha256@libssh.org"
const char kex_default_client[] = KEX_BOTH;
const char kex_default_server[] = KEX_BOTH;
const char cipher_default[] = "chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com";
const char mac_default[] = "";

const struct kex_alg *kex_find(struct bytes name)
{
    for (size_t i = 0; kex_all[i]; i++)
        if (bytes_is(name, kex_all[i]->name)) return kex_all[i];
    return NULL;
}

const struct cipher_alg *cipher_find(struct bytes name)
{
    for (size_t i = 0; cipher_all[i]; i++)
        if (bytes_is(name, cipher_all[i]->name)) return cipher_all[i];
    return NULL;
}

const struct mac_alg *mac_find(struct bytes name)
{
    for (size_t i = 0; mac_all[i]; i++)
        if (bytes_is(name, mac_all[i]->name)) return mac_all[i];
    return NULL;
}
