/* SPDX-License-Identifier: ISC */
#include "pool.h"

#include <stdalign.h>
#include <stdlib.h>

#define CHUNK 4000

struct chunk {
    struct chunk *next;
    size_t used, cap;
    alignas(max_align_t) uint8_t data[];
};

struct pool {
    struct pool *parent;
    struct chunk *chunks;
    unsigned owners;
};

struct pool *conf_pool_new(struct pool *parent)
{
    struct pool *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->owners = 1;
    p->parent = parent ? conf_pool_keep(parent) : NULL;
    return p;
}

struct pool *conf_pool_keep(struct pool *p)
{
    p->owners++;
    return p;
}

void conf_pool_drop(struct pool *p)
{
    while (p && --p->owners == 0) {
        struct pool *parent = p->parent;
        for (struct chunk *c = p->chunks, *next; c; c = next) {
            next = c->next;
            free(c);
        }
        free(p);
        p = parent;
    }
}

void *conf_pool_alloc(struct pool *p, size_t n)
{
    n = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct chunk *c = p->chunks;
    if (!c || n > c->cap - c->used) {
        size_t cap = n > CHUNK ? n : CHUNK;
        c = calloc(1, sizeof *c + cap);
        if (!c) return NULL;
        c->cap = cap;
        c->next = p->chunks;
        p->chunks = c;
    }
    void *at = c->data + c->used;
    c->used += n;
    return at;
}

void *conf_pool_grow(struct pool *p, void *array, size_t n, size_t size)
{
    if (n & (n - 1)) return array;
    void *larger = conf_pool_alloc(p, (n ? n * 2 : 1) * size);
    if (larger && n) memcpy(larger, array, n * size);
    return larger;
}

char *conf_pool_text(struct pool *p, struct bytes b)
{
    if (b.n && memchr(b.p, 0, b.n)) return NULL;
    char *s = conf_pool_alloc(p, b.n + 1);
    if (s && b.n) memcpy(s, b.p, b.n);
    return s;
}

char *conf_pool_str(struct pool *p, const char *s)
{
    return conf_pool_text(p, bytes_str(s));
}
