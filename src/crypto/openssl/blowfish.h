/* SPDX-License-Identifier: ISC */
#ifndef OSSL_BLOWFISH_H
#define OSSL_BLOWFISH_H

#include <stdint.h>

struct blowfish {
    uint32_t p[18], s[4][256];
};

extern const struct blowfish blowfish_pi;

#endif
