/* SPDX-License-Identifier: ISC */
/* MD5 (RFC 1321), only for fingerprints in log lines where FingerprintHash asks for them. Nothing is ever decided by it. */
#ifndef SSHD_MD5_H
#define SSHD_MD5_H

#include "base/bytes.h"

void md5_sum(struct bytes in, uint8_t out[16]);

#endif
