/* SPDX-License-Identifier: ISC */
/* SHA-256 (FIPS 180-4) for log lines: the warden and listener link no cryptographic library. Nothing secret goes through it. */
#ifndef SSHD_SHA256_H
#define SSHD_SHA256_H

#include "base/bytes.h"

void sha256_sum(struct bytes in, uint8_t out[32]);

#endif
