/* SPDX-License-Identifier: ISC */
/* zlib@openssh.com (RFC 4253 6.2; draft-miller-secsh-compression-delayed): one zlib stream a direction, flushed a packet. */
#include "crypto/compress.h"

#include <stdlib.h>
#include <zlib.h>

enum { LEVEL = 6 };     /* as OpenSSH's */

struct compress {
    z_stream z;
    bool deflate;
    bool begun;         /* the stream is initialised */
};

static void zlib_free(struct compress *c)
{
    if (!c) return;
    if (c->begun && c->deflate) deflateEnd(&c->z);
    else if (c->begun) inflateEnd(&c->z);
    wipe(c, sizeof *c);
    free(c);
}

static struct compress *zlib_new(const struct compress_alg *alg, bool deflate_)
{
    (void)alg;
    struct compress *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->deflate = deflate_;
    if ((deflate_ ? deflateInit(&c->z, LEVEL) : inflateInit(&c->z)) != Z_OK) {
        zlib_free(c);
        return NULL;
    }
    c->begun = true;
    return c;
}

static enum err run_deflate(z_stream *z)
{
    unsigned waiting = 0;
    int bits = 0;
    if (deflate(z, Z_PARTIAL_FLUSH) != Z_OK) return ERR_COMPRESS;
    if (z->avail_in == 0 && z->avail_out > 0) return ERR_NONE;
    /* the room is full to the last byte: was that all? */
    if (z->avail_in == 0 && deflatePending(z, &waiting, &bits) == Z_OK && waiting == 0) return ERR_NONE;
    return ERR_TOO_LONG;
}

static enum err run_inflate(z_stream *z)
{
    int r = inflate(z, Z_SYNC_FLUSH);
    if (r != Z_OK) return ERR_COMPRESS;     /* so when the peer ends its stream, or a dictionary is asked for */
    if (z->avail_out > 0) return z->avail_in == 0 ? ERR_NONE : ERR_COMPRESS;
    /* full to the last byte: fine only if not one more comes out (a bomb stops here) */
    uint8_t more;
    z->next_out = &more, z->avail_out = 1;
    r = inflate(z, Z_SYNC_FLUSH);
    if (z->avail_out == 0) return ERR_TOO_LONG;
    return (r == Z_OK || r == Z_BUF_ERROR) && z->avail_in == 0 ? ERR_NONE : ERR_COMPRESS;
}

static enum err zlib_run(struct compress *c, struct bytes in, struct span out, size_t *n)
{
    if (in.n > UINT32_MAX || out.n > UINT32_MAX || !in.n || !out.n) return ERR_COMPRESS;
    c->z.next_in = (Bytef *)(uintptr_t)in.p, c->z.avail_in = (uInt)in.n;      /* zlib reads only */
    c->z.next_out = out.p, c->z.avail_out = (uInt)out.n;
    uLong before = c->z.total_out;
    TRY(c->deflate ? run_deflate(&c->z) : run_inflate(&c->z));
    *n = (size_t)(c->z.total_out - before);
    return ERR_NONE;
}

const struct compress_alg compress_zlib_openssh = {"zlib@openssh.com", true, zlib_new, zlib_free, zlib_run};
