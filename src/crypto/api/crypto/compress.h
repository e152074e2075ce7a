/* SPDX-License-Identifier: ISC */
/* Compression as a record (RFC 4253 6.2; zlib@openssh.com: begins after login). crypto/zlib implements it. */
#ifndef CRYPTO_COMPRESS_H
#define CRYPTO_COMPRESS_H

#include "base/bytes.h"
#include "base/err.h"

struct compress;

struct compress_alg {
    const char *name;       /* wire name: zlib@openssh.com */
    bool after_auth;
    struct compress *(*new)(const struct compress_alg *alg, bool deflate);
    void (*free)(struct compress *c);
    /* One packet's payload in, one out, flushed so that the peer can read all of it. ERR_COMPRESS: bad stream;
     * ERR_TOO_LONG: more than out.n (inflate output is thus bounded a packet: no bomb). *n: bytes made. */
    enum err (*run)(struct compress *c, struct bytes in, struct span out, size_t *n);
};

extern const struct compress_alg compress_zlib_openssh;

#endif
