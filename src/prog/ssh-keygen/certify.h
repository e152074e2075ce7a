/* SPDX-License-Identifier: ISC */
/* What the files of `-s` share: the certificate that the command line asks for. */
#ifndef SSH_KEYGEN_CERTIFY_H
#define SSH_KEYGEN_CERTIFY_H

#include "key/cert.h"
#include "keygen.h"

struct option_list {
    struct cert_option at[OPTION_EXTRA_MAX + 8];
    size_t n;
};

struct certify {
    uint64_t serial;
    bool serial_steps;                      /* -z +N: the next file gets the next number */
    uint64_t valid_after, valid_before;
    struct option_list critical, extensions;
    struct bytes principals[CERT_PRINCIPALS_MAX];
    size_t principals_n;
};

/* Each stops the program on a value it does not understand. */
void certify_validity(const char *text, uint64_t now_s, struct certify *out);       /* -V; NULL: always */
void certify_options(const struct options *o, struct certify *out);                /* -O */

/* Local time as OpenSSH shows it: 2026-11-21T06:00:00. */
void time_show(struct wr *w, uint64_t at_s);
const char *time_text(uint64_t at_s, char room[64]);

#endif
