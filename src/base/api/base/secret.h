/* SPDX-License-Identifier: ISC */
/* A secret: heap bytes that are wiped when let go, never printed, never copied without a name for it. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/bytes.h"

struct secret {
    uint8_t *p;
    size_t n;
};

/* Make `s` hold n zero bytes (its old content is wiped and freed). ERR_NOMEM. */
MUST_USE enum err secret_new(struct secret *s, size_t n);

/* Make `s` a copy of b. ERR_NOMEM. */
MUST_USE enum err secret_copy(struct secret *s, struct bytes b);

/* Wipe and free; safe on a zeroed one; fits CLEANUP(). */
void secret_clear(struct secret *s);

static inline struct bytes secret_bytes(const struct secret *s)
{
    return (struct bytes){s->p, s->n};
}

#endif
