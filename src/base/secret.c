/* SPDX-License-Identifier: ISC */
#include "base/secret.h"

#include <stdlib.h>

void secret_clear(struct secret *s)
{
    if (s->p) wipe(s->p, s->n);
    free(s->p);
    *s = (struct secret){0};
}

enum err secret_new(struct secret *s, size_t n)
{
    uint8_t *p = calloc(1, n ? n : 1);
    if (!p) return ERR_NOMEM;
    secret_clear(s);
    *s = (struct secret){p, n};
    return ERR_NONE;
}

enum err secret_copy(struct secret *s, struct bytes b)
{
    struct secret t = {0};
    TRY(secret_new(&t, b.n));
    if (b.n) memcpy(t.p, b.p, b.n);
    secret_clear(s);
    *s = t;
    return ERR_NONE;
}
