/* SPDX-License-Identifier: ISC */
/* The interface between OpenSSH and a FIDO provider library (SecurityKeyProvider, ssh-keygen -w), version 10: its names, numbers and layouts.
 * What a provider returns is malloc'ed, part by part, and its caller's. Options and enrollment lists end with a NULL. */
#ifndef SK_API_H
#define SK_API_H

#include <stddef.h>
#include <stdint.h>

#define SSH_SK_VERSION_MAJOR      0x000a0000
#define SSH_SK_VERSION_MAJOR_MASK 0xffff0000

enum { SSH_SK_USER_PRESENCE_REQD = 0x01, SSH_SK_USER_VERIFICATION_REQD = 0x04, SSH_SK_FORCE_OPERATION = 0x10, SSH_SK_RESIDENT_KEY = 0x20 };
enum { SSH_SK_ECDSA = 0, SSH_SK_ED25519 = 1 };
enum { SSH_SK_ERR_GENERAL = -1, SSH_SK_ERR_UNSUPPORTED = -2, SSH_SK_ERR_PIN_REQUIRED = -3, SSH_SK_ERR_DEVICE_NOT_FOUND = -4,
       SSH_SK_ERR_CREDENTIAL_EXISTS = -5 };

struct sk_enroll_response {
    uint8_t flags;
    uint8_t *public_key;            /* ed25519: 32 bytes; ECDSA: an uncompressed point */
    size_t public_key_len;
    uint8_t *key_handle;
    size_t key_handle_len;
    uint8_t *signature;             /* of the attestation, which the next two belong to */
    size_t signature_len;
    uint8_t *attestation_cert;
    size_t attestation_cert_len;
    uint8_t *authdata;
    size_t authdata_len;
};

struct sk_sign_response {
    uint8_t flags;
    uint32_t counter;
    uint8_t *sig_r;                 /* ed25519: the whole signature */
    size_t sig_r_len;
    uint8_t *sig_s;
    size_t sig_s_len;
};

struct sk_resident_key {
    uint32_t alg;
    size_t slot;
    char *application;
    struct sk_enroll_response key;
    uint8_t flags;
    uint8_t *user_id;
    size_t user_id_len;
};

struct sk_option {
    char *name, *value;
    uint8_t required;
};

uint32_t sk_api_version(void);
/* flags: what is required of the key. data and challenge are not hashed yet. pin: NULL: none. */
int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application, uint8_t flags, const char *pin,
              struct sk_option **options, struct sk_enroll_response **out);
int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application, const uint8_t *key_handle, size_t key_handle_len,
            uint8_t flags, const char *pin, struct sk_option **options, struct sk_sign_response **out);
int sk_load_resident_keys(const char *pin, struct sk_option **options, struct sk_resident_key ***out, size_t *n);

#endif
