/* SPDX-License-Identifier: ISC */
/* Two pumps over conns that only frame, joined by a socket pair. */
#ifndef KIT_TEST_PAIR_H
#define KIT_TEST_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "fake_conn.h"
#include "kit/pump.h"

#define WINDOW 2097152

struct end {
    struct conn *c;
    struct pump *p;
    unsigned eofs, eof_mask, closed;
    pthread_t thread;
};

/* Channels 0 .. n-1 are open on both. */
void pair_open(struct end e[2], uint32_t window, uint32_t channels, enum pump_fd_kind kind);
void pair_close(struct end e[2]);
/* Both ends without blocking. */
void pipe_open(int fd[2]);

#endif
