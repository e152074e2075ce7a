/* SPDX-License-Identifier: ISC */
/* What a warden tells the listener: this connection has logged in, it counts against MaxStartups no more. */
#ifndef SSHD_REPORT_H
#define SSHD_REPORT_H

#include <stdint.h>

struct report {
    uint32_t serial;
};

#endif
