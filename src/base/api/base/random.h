/* SPDX-License-Identifier: ISC */
/* Where random bytes come from: a record that the program fills (libcrypto's generator, the kernel, a simulator's seed). */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include "base/bytes.h"

struct random {
    void *ctx;
    /* Fill out.p[0..out.n). ERR_RANDOM: give up, never go on with less. */
    enum err (*fill)(void *ctx, struct span out);
};

MUST_USE static inline enum err random_fill(const struct random *r, void *p, size_t n)
{
    return r->fill(r->ctx, (struct span){p, n});
}

#endif
