/* SPDX-License-Identifier: ISC */
/* ssh-sk-helper on one page: which file does what.
 *   main.c       start
 *   serve.c      the one request, PINs, the answer
 *   provider.c   loading a provider's library
 *   fido.c       the provider of our own: authenticators by libfido2
 *   fido_open.c  which of the authenticators that are plugged in */
#ifndef SK_HELPER_H
#define SK_HELPER_H

#include "os/helper.h"
#include "os/log.h"
#include "sk_api.h"

/* ---- serve.c ---- */
/* Waits for the request and answers it. Ends the process when who started us is gone or breaks the protocol. */
void serve(void);

/* ---- provider.c ---- */
struct provider {
    int (*enroll)(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application, uint8_t flags, const char *pin,
                  struct sk_option **options, struct sk_enroll_response **out);
    int (*sign)(uint32_t alg, const uint8_t *data, size_t data_len, const char *application, const uint8_t *key_handle,
                size_t key_handle_len, uint8_t flags, const char *pin, struct sk_option **options, struct sk_sign_response **out);
    int (*residents)(const char *pin, struct sk_option **options, struct sk_resident_key ***out, size_t *n);
};
/* "" and "internal": libfido2. A name with a slash is a file, which is looked at before it is loaded; one without is looked for where
 * libraries are. ERR_NOT_FOUND, ERR_FORMAT. */
MUST_USE enum err provider_load(const char *name, struct provider *out);

/* ---- fido.c ---- */
extern const struct provider provider_fido;

#endif
