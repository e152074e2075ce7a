/* SPDX-License-Identifier: ISC */
/* All texts and lists of one configuration: allocated one by one, let go together. Counted, because configurations made from the
 * same rows share what did not change. */
#ifndef CONF_POOL_H
#define CONF_POOL_H

#include "base/bytes.h"

struct pool;

struct pool *conf_pool_new(struct pool *parent);     /* NULL: out of memory. A parent is kept alive as long as the pool. */
struct pool *conf_pool_keep(struct pool *p);         /* one owner more */
void conf_pool_drop(struct pool *p);                 /* one owner less; the last frees */

void *conf_pool_alloc(struct pool *p, size_t n);     /* zeroed and aligned; NULL: out of memory */
/* Room for one more element behind n: the same array, or a larger copy (room doubles at 1, 2, 4 ...). NULL: out of memory. An array that
 * shrank in place may go on growing. */
void *conf_pool_grow(struct pool *p, void *array, size_t n, size_t size);
char *conf_pool_text(struct pool *p, struct bytes b);    /* NUL-terminated copy; NULL also when b holds a NUL */
char *conf_pool_str(struct pool *p, const char *s);

#endif
