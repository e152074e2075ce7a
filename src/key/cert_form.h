/* SPDX-License-Identifier: ISC */
/* What the files on certificates share. */
#ifndef KEY_CERT_FORM_H
#define KEY_CERT_FORM_H

#include "key/cert.h"

struct cert_form {
    const char *type, *plain_type, *short_name;
    unsigned fields;            /* strings and mpints of the public key: they stand between the nonce and the serial number */
};
/* By the certificate's type, by that of the plain key; NULL: none. */
const struct cert_form *cert_form_find(struct bytes type);
const struct cert_form *cert_form_of_plain(const char *plain_type);

/* The order in which options stand: by their names' bytes. */
int cert_option_order(struct bytes a, struct bytes b);

#endif
