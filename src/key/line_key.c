/* SPDX-License-Identifier: ISC */
/* Lines made keys. Apart from line.c, so that a program that only compares blobs links no cryptography. */
#include "base/limits.h"
#include "base/text.h"
#include "key/authorized_keys.h"
#include "line.h"

enum err line_blob(struct bytes type, struct bytes base64, struct wr *out)
{
    TRY(base64_parse(base64, out));
    return type.n && bytes_equal(key_blob_type(wr_bytes(out)), type) ? ERR_NONE : ERR_FORMAT;
}

enum err line_key(struct bytes type, struct bytes base64, struct pubkey **out)
{
    struct wr blob CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX);
    TRY(line_blob(type, base64, &blob));
    return pubkey_parse(wr_bytes(&blob), out);
}

enum err authorized_line_key(const struct authorized_line *l, struct pubkey **out)
{
    return line_key(l->type, l->base64, out);
}
