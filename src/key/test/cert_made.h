/* SPDX-License-Identifier: ISC */
/* Certificates made by hand for the tests: every field as a test wants it, and a true signature over it. */
#ifndef KEY_CERT_MADE_H
#define KEY_CERT_MADE_H

#include "key/cert.h"

#define TYPES 6
extern const char *const types[TYPES];

/* A key of the type, made when first asked for; which: 0 or 1. */
const struct privkey *made(const char *type, unsigned which);
/* The certified key and its CA where nothing else is said. */
const struct pubkey *subject(void);
const struct privkey *authority(void);
/* The first algorithm of its type. */
const struct sig_alg *alg_for(const struct privkey *k);

struct raw {
    uint32_t kind;
    const char *key_id;
    size_t key_id_n;                    /* 0: strlen */
    struct bytes principals, critical, extensions;      /* packed */
    uint64_t after, before;
    struct bytes ca_blob;               /* empty: the authority's */
    struct bytes tail;                  /* behind the signature */
};
void raw_write(const struct raw *raw, struct wr *out);
enum err raw_parse(const struct raw *raw, struct pubkey **out);

/* "a|b|c" as packed strings; "" is none. */
struct bytes packed(struct wr *room, const char *text);
/* Names with empty data; "name=text": a string in it; "name:raw": raw data. */
struct bytes options(struct wr *room, const char *text);
/* A good certificate of 1000 <= time < 2000 but for what is given. */
struct pubkey *cert_with(enum cert_kind kind, const char *principals, const char *critical, const char *extensions);

#endif
