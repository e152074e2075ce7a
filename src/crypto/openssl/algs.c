/* SPDX-License-Identifier: ISC */
/* Order of preference as OpenSSH 10.5's; what it does not offer by default follows at the end of each list. */
#include "crypto/algs.h"

const struct kex_alg *const kex_all[] = {
    &kex_mlkem768x25519_sha256,
    &kex_sntrup761x25519_sha512,
    &kex_sntrup761x25519_sha512_openssh,
    &kex_curve25519_sha256,
    &kex_curve25519_sha256_libssh,
    &kex_ecdh_nistp256,
    &kex_ecdh_nistp384,
    &kex_ecdh_nistp521,
    &kex_dh_gex_sha256,
    &kex_dh_group16_sha512,
    &kex_dh_group18_sha512,
    &kex_dh_group14_sha256,
    &kex_mlkem768nistp256_sha256,
    &kex_mlkem1024nistp384_sha384,
    NULL,
};

const struct cipher_alg *const cipher_all[] = {
    &cipher_chacha20_poly1305,
    &cipher_aes128_gcm,
    &cipher_aes256_gcm,
    &cipher_aes128_ctr,
    &cipher_aes192_ctr,
    &cipher_aes256_ctr,
    &cipher_aes256_cbc,
    &cipher_aes192_cbc,
    &cipher_aes128_cbc,
    &cipher_3des_cbc,
    NULL,
};

const struct mac_alg *const mac_all[] = {
    &mac_umac_64_etm,
    &mac_umac_128_etm,
    &mac_hmac_sha2_256_etm,
    &mac_hmac_sha2_512_etm,
    &mac_hmac_sha1_etm,
    &mac_umac_64,
    &mac_umac_128,
    &mac_hmac_sha2_256,
    &mac_hmac_sha2_512,
    &mac_hmac_sha1,
    NULL,
};

#define KEX_BOTH \
    "mlkem768x25519-sha256,sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,curve25519-sha256,curve25519-sha256@libssh.org," \
    "ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521"
const char kex_default_client[] = KEX_BOTH
    ",diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,diffie-hellman-group14-sha256";
const char kex_default_server[] = KEX_BOTH;
const char cipher_default[] =
    "chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr";
const char mac_default[] =
    "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,"
    "hmac-sha1-etm@openssh.com,umac-64@openssh.com,umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1";

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
