/* SPDX-License-Identifier: ISC */
#ifndef SK_HELPER_FIDO_H
#define SK_HELPER_FIDO_H

/* libfido2's header brings libcrypto's, whose struct has the name of an error of ours. */
#define ERR_STATE libcrypto_err_state
#include <fido.h>
#undef ERR_STATE

#include "helper.h"

struct credential {                 /* the key that an authenticator should have; handle.n 0: any authenticator */
    const char *application;
    struct bytes handle;
};
/* The authenticator at device, else the one that has the credential, else the only one, else the one that the person touches first. NULL: none.
 * Close with fido_done(). */
fido_dev_t *fido_device_open(const char *device, const struct credential *wanted);
void fido_done(fido_dev_t **dev);
/* An option of CTAP2's getInfo: 1 on, 0 off, -1 unknown. */
int fido_option(fido_dev_t *dev, const char *name);
/* FIDO_OK or another of libfido2's codes; with words through because(). */
int fido_said(const char *call, int code);

#endif
