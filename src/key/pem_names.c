/* SPDX-License-Identifier: ISC */
/* Object identifiers of key types (RFC 8017 A.1, RFC 5480 2.1.1, RFC 8410 3). */
#include "pem.h"

const struct bytes oid_rsa = BYTES_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"), oid_ec = BYTES_LIT("\x2a\x86\x48\xce\x3d\x02\x01"),
                   oid_ed25519 = BYTES_LIT("\x2b\x65\x70");

static const struct curve_row {
    struct bytes oid;
    const struct key_type *type;
} curves[] = {
    {BYTES_LIT("\x2a\x86\x48\xce\x3d\x03\x01\x07"), &key_type_ecdsa256},
    {BYTES_LIT("\x2b\x81\x04\x00\x22"), &key_type_ecdsa384},
    {BYTES_LIT("\x2b\x81\x04\x00\x23"), &key_type_ecdsa521},
};

const struct key_type *curve_type(struct bytes oid)
{
    for (size_t i = 0; i < COUNT_OF(curves); i++)
        if (bytes_equal(oid, curves[i].oid)) return curves[i].type;
    return NULL;
}

struct bytes curve_oid(const struct key_type *type)
{
    for (size_t i = 0; i < COUNT_OF(curves); i++)
        if (curves[i].type == type) return curves[i].oid;
    return (struct bytes){0};
}

enum err algorithm_write(const struct key_type *type, struct wr *out)
{
    struct wr alg CLEANUP(wr_clear) = wr_heap(64);
    struct bytes curve = curve_oid(type);
    if (curve.n) {
        der_put(&alg, DER_OID, oid_ec);
        der_put(&alg, DER_OID, curve);
    } else if (type == &key_type_rsa) {
        der_put(&alg, DER_OID, oid_rsa);
        der_put(&alg, DER_NULL, bytes_of(NULL, 0));
    } else if (type == &key_type_ed25519) {
        der_put(&alg, DER_OID, oid_ed25519);
    } else {
        return ERR_UNSUPPORTED;
    }
    return der_sequence_write(out, &alg);
}
