/* SPDX-License-Identifier: ISC */
/* As much of X.509 (RFC 5280 4.1) as it takes to find the key. */
#include "base/rd.h"
#include "helper.h"

enum { INTEGER = 0x02, BITS = 0x03, OCTETS = 0x04, OID = 0x06, SEQUENCE = 0x30, VERSION = 0xa0 };

static const struct {
    const char *name;
    size_t point_n;
    struct bytes oid;           /* with tag and length, as CKA_EC_PARAMS holds it */
} curves[] = {
    {"nistp256", 65, BYTES_LIT("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")},
    {"nistp384", 97, BYTES_LIT("\x06\x05\x2b\x81\x04\x00\x22")},
    {"nistp521", 133, BYTES_LIT("\x06\x05\x2b\x81\x04\x00\x23")},
};
static const struct bytes oid_rsa = BYTES_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"), oid_ec = BYTES_LIT("\x2a\x86\x48\xce\x3d\x02\x01"),
                          oid_ed25519 = BYTES_LIT("\x2b\x65\x70");

static struct bytes take(struct rd *r, uint8_t tag)
{
    if (rd_u8(r) != tag) rd_fail(r, ERR_FORMAT);
    size_t first = rd_u8(r), n = first;
    if (first >= 0x80) {
        if (first == 0x80 || first > 0x83) rd_fail(r, ERR_FORMAT);
        n = 0;
        for (size_t i = first & 0x7f; i > 0 && r->err == ERR_NONE; i--) n = n << 8 | rd_u8(r);
    }
    return rd_raw(r, n);
}

struct bytes der_octets(struct bytes b)
{
    struct rd r = rd_init(b);
    struct bytes inside = take(&r, OCTETS);
    return rd_done(&r) == ERR_NONE ? inside : b;
}

const char *curve_name(struct bytes oid_der, size_t *point_n)
{
    for (size_t i = 0; i < COUNT_OF(curves); i++)
        if (bytes_equal(oid_der, curves[i].oid)) {
            *point_n = curves[i].point_n;
            return curves[i].name;
        }
    return NULL;
}

/* RFC 8410's OID, or the name that PKCS#11 v3.0 2.3.10 writes as a PrintableString. */
bool is_ed25519(struct bytes params)
{
    return bytes_equal(params, BYTES_LIT("\x06\x03\x2b\x65\x70")) || bytes_equal(params, BYTES_LIT("\x13\x0c" "edwards25519")) ||
           bytes_equal(params, BYTES_LIT("\x06\x09\x2b\x06\x01\x04\x01\xda\x47\x0f\x01"));
}

void ec_blob_write(struct wr *blob, const char *curve, struct bytes point)
{
    size_t mark = wr_begin(blob);
    wr_text(blob, "ecdsa-sha2-");
    wr_text(blob, curve);
    wr_end(blob, mark);
    wr_cstring(blob, curve);
    wr_string(blob, point);
}

static enum err rsa_write(struct bytes bits, struct wr *blob)
{
    struct rd r = rd_init(bits), s;
    s = rd_init(take(&r, SEQUENCE));
    TRY(rd_done(&r));
    struct bytes n = take(&s, INTEGER), e = take(&s, INTEGER);
    TRY(rd_done(&s));
    if (n.n == 0 || e.n == 0) return ERR_FORMAT;
    wr_cstring(blob, "ssh-rsa");
    wr_mpint(blob, e);
    wr_mpint(blob, n);
    return wr_done(blob);
}

static enum err ec_write(struct bytes params, struct bytes bits, struct wr *blob)
{
    size_t point_n;
    const char *curve = curve_name(params, &point_n);
    if (!curve || bits.n != point_n) return ERR_UNSUPPORTED;
    ec_blob_write(blob, curve, bits);
    return wr_done(blob);
}

/* SubjectPublicKeyInfo */
static enum err spki_write(struct bytes spki, struct wr *blob, enum key_kind *kind)
{
    struct rd r = rd_init(spki), alg;
    alg = rd_init(take(&r, SEQUENCE));
    struct bytes bits = take(&r, BITS);
    TRY(rd_done(&r));
    struct bytes oid = take(&alg, OID), params = rd_rest(&alg);
    if (alg.err != ERR_NONE || bits.n < 2 || bits.p[0] != 0) return ERR_FORMAT;
    bits = bytes_of(bits.p + 1, bits.n - 1);
    if (bytes_equal(oid, oid_rsa)) {
        *kind = KEY_RSA;
        return rsa_write(bits, blob);
    }
    if (bytes_equal(oid, oid_ec)) {
        *kind = KEY_EC;
        return ec_write(params, bits, blob);
    }
    if (!bytes_equal(oid, oid_ed25519) || bits.n != 32) return ERR_UNSUPPORTED;
    *kind = KEY_ED25519;
    wr_cstring(blob, "ssh-ed25519");
    wr_string(blob, bits);
    return wr_done(blob);
}

enum err x509_key_write(struct bytes der, struct wr *blob, enum key_kind *kind)
{
    struct rd outer = rd_init(der), cert, tbs;
    cert = rd_init(take(&outer, SEQUENCE));         /* tokens pad: what follows it does not matter */
    TRY(outer.err);
    tbs = rd_init(take(&cert, SEQUENCE));
    TRY(cert.err);
    if (tbs.n > 0 && tbs.p[0] == VERSION) (void)take(&tbs, VERSION);
    (void)take(&tbs, INTEGER);                      /* serialNumber */
    for (int i = 0; i < 4; i++) (void)take(&tbs, SEQUENCE);     /* signature, issuer, validity, subject */
    struct bytes spki = take(&tbs, SEQUENCE);
    TRY(tbs.err);
    return spki_write(spki, blob, kind);
}
