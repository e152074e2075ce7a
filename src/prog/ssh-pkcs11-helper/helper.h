/* SPDX-License-Identifier: ISC */
/* ssh-pkcs11-helper on one page: what it holds, and which file does what.
 *   main.c     start
 *   serve.c    requests and answers
 *   module.c   is this file a module? loading it
 *   token.c    slots, logging in, finding and using keys
 *   object.c   public key objects and certificates as SSH key blobs
 *   x509.c     the public key in a certificate (pure) */
#ifndef PKCS11_HELPER_H
#define PKCS11_HELPER_H

#define CRYPTOKI_GNU
#include <p11-kit/pkcs11.h>

#include "kit/pkcs11_wire.h"
#include "os/helper.h"
#include "os/log.h"

#define SLOTS_MAX    64
#define KEY_ID_MAX   256
#define BLOB_MAX     8192
#define RAW_SIG_MAX  2048           /* RSA 16384 */

/* ---- serve.c ---- */
/* Waits for one request and answers it. Ends the process when who started us is gone or breaks the protocol. */
void serve(void);
/* Asks for a PIN; pin[P11_PIN_MAX] is the caller's to wipe. ERR_PASSPHRASE: none is to be had. */
MUST_USE enum err pin_ask(const char *label, bool for_signature, unsigned char *pin, size_t *n);

/* ---- module.c ---- */
/* Follows links, looks into the file, loads it and calls C_Initialize. */
MUST_USE enum err module_load(const char *provider, struct ck_function_list **out);
/* "CKR_PIN_INCORRECT" or its number. */
const char *rv_name(ck_rv_t rv);

/* ---- token.c ---- */
struct slot {
    ck_slot_id_t id;
    ck_session_handle_t session;
    char label[40];
    bool login_required, pin_pad, logged_in;
};

enum key_kind { KEY_RSA, KEY_EC, KEY_ED25519 };
struct key {
    size_t slot;
    enum key_kind kind;
    unsigned char id[KEY_ID_MAX];
    size_t id_n;
};

struct tokens {
    struct ck_function_list *f;
    struct slot slot[SLOTS_MAX];
    size_t slots;
    struct key key[P11_KEYS_MAX];
    size_t keys;
    bool may_ask;
};

extern struct tokens tokens;        /* serve.c: of the one provider */

/* Every token's keys, each sent as P11_KEY as it is found. */
MUST_USE enum err tokens_load(struct tokens *t, struct bytes pin, bool may_ask);
MUST_USE enum err tokens_sign(struct tokens *t, uint32_t key, struct bytes input, struct wr *out);

/* ---- object.c ---- */
struct found {
    enum key_kind kind;
    struct wr blob;                 /* heap */
    char label[P11_LABEL_MAX];      /* raw, as all labels here: who shows them escapes */
    size_t label_n;
    unsigned char id[KEY_ID_MAX];
    size_t id_n;
};
/* The key of a public key object or of a certificate. ERR_UNSUPPORTED: of a kind that SSH has no use for. */
MUST_USE enum err object_read(struct ck_function_list *f, ck_session_handle_t s, ck_object_handle_t o, bool certificate, struct found *out);

/* ---- x509.c ---- */
/* The subject's public key as an SSH key blob. Nothing else of the certificate is looked at: it is no more than where the key stands. */
MUST_USE enum err x509_key_write(struct bytes der, struct wr *blob, enum key_kind *kind);
/* An OCTET STRING's content, or the bytes themselves where the module leaves the wrapping out. */
struct bytes der_octets(struct bytes b);
/* By the DER form of a curve's OID: 0 where it is none of ours. */
const char *curve_name(struct bytes oid_der, size_t *point_n);
void ec_blob_write(struct wr *blob, const char *curve, struct bytes point);
bool is_ed25519(struct bytes params);

#endif
