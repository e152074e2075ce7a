/* SPDX-License-Identifier: ISC */
/* The older forms of private key files: PKCS#1 RSAPrivateKey (RFC 8017 A.1.2), SEC1 ECPrivateKey (RFC 5915) and PKCS#8 (RFC 5958) around
 * them. What is read is put into the form of OpenSSH's own files and checked as those are. */
#include "pem.h"

#include "armour.h"
#include "base/text.h"
#include "der.h"

#define LABEL_RSA   "RSA PRIVATE KEY"
#define LABEL_EC    "EC PRIVATE KEY"
#define LABEL_PKCS8 "PRIVATE KEY"
#define WIDTH       64
#define NUMBER_MAX  (RSA_BITS_MAX / 8)

static const struct bytes oid_rsa = BYTES_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"),
                          oid_ec = BYTES_LIT("\x2a\x86\x48\xce\x3d\x02\x01"), oid_ed25519 = BYTES_LIT("\x2b\x65\x70");

static const struct curve_row {
    struct bytes oid;
    const struct key_type *type;
} curves[] = {
    {BYTES_LIT("\x2a\x86\x48\xce\x3d\x03\x01\x07"), &key_type_ecdsa256},
    {BYTES_LIT("\x2b\x81\x04\x00\x22"), &key_type_ecdsa384},
    {BYTES_LIT("\x2b\x81\x04\x00\x23"), &key_type_ecdsa521},
};

/* ---- reading ---- */

/* version 0, n, e, d, p, q, d mod (p-1), d mod (q-1), q^-1 mod p */
static void read_rsa(struct rd *r, struct wr *section)
{
    struct rd in = rd_init(der_take(r, DER_SEQUENCE));
    struct bytes version = der_number(&in, 1);
    struct bytes n = der_number(&in, NUMBER_MAX);
    struct bytes e = der_number(&in, NUMBER_MAX);
    struct bytes d = der_number(&in, NUMBER_MAX);
    struct bytes p = der_number(&in, NUMBER_MAX);
    struct bytes q = der_number(&in, NUMBER_MAX);
    der_number(&in, NUMBER_MAX);
    der_number(&in, NUMBER_MAX);
    struct bytes iqmp = der_number(&in, NUMBER_MAX);
    if (rd_done(&in) != ERR_NONE || !bytes_equal(version, bytes_of("", 1))) {
        rd_fail(r, ERR_FORMAT);
        return;
    }
    wr_cstring(section, key_type_rsa.name);
    wr_mpint(section, n), wr_mpint(section, e), wr_mpint(section, d), wr_mpint(section, iqmp), wr_mpint(section, p);
    wr_mpint(section, q);
}

/* version 1, the scalar, [0] the curve (in PKCS#8 it stands outside), [1] the point */
static void read_ec(struct rd *r, struct bytes outer_curve, struct wr *section)
{
    const struct key_type *type = NULL;
    struct rd in = rd_init(der_take(r, DER_SEQUENCE));
    struct bytes version = der_number(&in, 1);
    struct bytes scalar = der_take(&in, DER_OCTETS);
    struct rd parameters = rd_init(der_take_optional(&in, DER_CONTEXT_0));
    struct rd point_in = rd_init(der_take_optional(&in, DER_CONTEXT_1));
    struct bytes curve = der_take_optional(&parameters, DER_OID);
    struct bytes point = der_take_optional(&point_in, DER_BITS);
    if (curve.n == 0) curve = outer_curve;
    for (size_t i = 0; i < COUNT_OF(curves); i++)
        if (bytes_equal(curve, curves[i].oid)) type = curves[i].type;
    if (rd_done(&in) != ERR_NONE || rd_done(&parameters) != ERR_NONE || rd_done(&point_in) != ERR_NONE || !bytes_is(version, "\1")) {
        rd_fail(r, ERR_FORMAT);
    } else if (!type || point.n < 2 || point.p[0] != 0) {
        rd_fail(r, ERR_UNSUPPORTED);    /* another curve, or no point: it could be computed, but nobody leaves it out */
    } else {
        wr_cstring(section, type->name);
        wr_cstring(section, type->curve->name);
        wr_string(section, bytes_of(point.p + 1, point.n - 1));
        wr_mpint(section, scalar);
    }
}

static void read_ed25519(struct rd *r, struct wr *section)
{
    struct bytes seed = der_take(r, DER_OCTETS);
    uint8_t public_key[ED25519_PUBLIC];
    if (seed.n != ED25519_SEED || ed25519_public(seed.p, public_key) != ERR_NONE) {
        rd_fail(r, ERR_FORMAT);
        return;
    }
    wr_cstring(section, key_type_ed25519.name);
    wr_string(section, bytes_of(public_key, sizeof public_key));
    wr_u32(section, ED25519_SEED + ED25519_PUBLIC);
    wr_raw(section, seed);
    wr_raw(section, bytes_of(public_key, sizeof public_key));
}

/* version, {algorithm, parameters}, the key as octets, [0] attributes */
static void read_pkcs8(struct rd *r, struct wr *section)
{
    struct rd in = rd_init(der_take(r, DER_SEQUENCE));
    der_number(&in, 1);
    struct rd alg = rd_init(der_take(&in, DER_SEQUENCE));
    struct rd key = rd_init(der_take(&in, DER_OCTETS));
    struct bytes name = der_take(&alg, DER_OID);
    struct bytes curve = der_take_optional(&alg, DER_OID);
    if (in.err != ERR_NONE || alg.err != ERR_NONE) rd_fail(r, ERR_FORMAT);
    else if (bytes_equal(name, oid_rsa)) read_rsa(&key, section);
    else if (bytes_equal(name, oid_ec)) read_ec(&key, curve, section);
    else if (bytes_equal(name, oid_ed25519)) read_ed25519(&key, section);
    else rd_fail(r, ERR_UNSUPPORTED);
    if (rd_done(&key) != ERR_NONE) rd_fail(r, rd_done(&key));
}

static void read_ec_alone(struct rd *r, struct wr *section)
{
    read_ec(r, bytes_of(NULL, 0), section);
}

static const struct form {
    const char *label;
    void (*read)(struct rd *r, struct wr *section);
} forms[] = {{LABEL_RSA, read_rsa}, {LABEL_EC, read_ec_alone}, {LABEL_PKCS8, read_pkcs8}};

bool pem_is_encrypted(struct bytes text)
{
    if (armour_is(text, "ENCRYPTED PRIVATE KEY")) return true;
    const uint8_t *nl = text.n ? memchr(text.p, '\n', text.n) : NULL; /* RFC 1421 headers follow the first line */
    return nl && bytes_starts(bytes_of(nl + 1, text.n - (size_t)(nl - text.p) - 1), "Proc-Type:");
}

bool pem_is(struct bytes text)
{
    for (size_t i = 0; i < COUNT_OF(forms); i++)
        if (armour_is(text, forms[i].label)) return true;
    return armour_is(text, "ENCRYPTED PRIVATE KEY");
}

enum err pem_parse(struct bytes text, struct privkey **out)
{
    const struct form *form = NULL;
    for (size_t i = 0; i < COUNT_OF(forms); i++)
        if (armour_is(text, forms[i].label)) form = &forms[i];
    if (!form || pem_is_encrypted(text)) return ERR_UNSUPPORTED;
    struct wr data CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX), section CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    TRY(armour_parse(text, form->label, &data));
    struct rd r = rd_init(wr_bytes(&data));
    form->read(&r, &section);
    TRY(rd_done(&r));
    TRY(wr_done(&section));
    r = rd_init(wr_bytes(&section));
    return privkey_read(&r, out);
}

/* ---- writing ---- */

static enum err write_rsa(const struct privkey *k, struct wr *out)
{
    const struct rsa_private key = {secret_bytes(&k->rsa.n),    secret_bytes(&k->rsa.e), secret_bytes(&k->rsa.d),
                                    secret_bytes(&k->rsa.iqmp), secret_bytes(&k->rsa.p), secret_bytes(&k->rsa.q)};
    struct secret dp CLEANUP(secret_clear) = {0}, dq CLEANUP(secret_clear) = {0};
    struct wr in CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    TRY(rsa_crt(&key, &dp, &dq));
    der_put_small(&in, 0);
    der_put_number(&in, key.n), der_put_number(&in, key.e), der_put_number(&in, key.d), der_put_number(&in, key.p);
    der_put_number(&in, key.q), der_put_number(&in, secret_bytes(&dp)), der_put_number(&in, secret_bytes(&dq));
    der_put_number(&in, key.iqmp);
    TRY(wr_done(&in));
    der_put(out, DER_SEQUENCE, wr_bytes(&in));
    return wr_done(out);
}

static struct bytes curve_oid(const struct key_type *type)
{
    for (size_t i = 0; i < COUNT_OF(curves); i++)
        if (curves[i].type == type) return curves[i].oid;
    return (struct bytes){0};
}

static enum err write_ec(const struct privkey *k, bool with_curve, struct wr *out)
{
    struct wr in CLEANUP(wr_clear) = wr_heap(1024), part CLEANUP(wr_clear) = wr_heap(1024), bits CLEANUP(wr_clear) = wr_heap(1024);
    der_put_small(&in, 1);
    der_put(&in, DER_OCTETS, secret_bytes(&k->scalar));
    if (with_curve) {
        der_put(&part, DER_OID, curve_oid(k->type));
        der_put(&in, DER_CONTEXT_0, wr_bytes(&part));
        part.n = 0;
    }
    wr_u8(&bits, 0); /* unused bits */
    wr_raw(&bits, k->pub->point);
    der_put(&part, DER_BITS, wr_bytes(&bits));
    der_put(&in, DER_CONTEXT_1, wr_bytes(&part));
    TRY(wr_done(&bits));
    TRY(wr_done(&part));
    TRY(wr_done(&in));
    der_put(out, DER_SEQUENCE, wr_bytes(&in));
    return wr_done(out);
}

static enum err write_pkcs8(const struct privkey *k, struct wr *out)
{
    struct wr in CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX), alg CLEANUP(wr_clear) = wr_heap(64), key CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    der_put(&alg, DER_OID, k->type->curve ? oid_ec : oid_rsa);
    if (k->type->curve) der_put(&alg, DER_OID, curve_oid(k->type));
    else der_put(&alg, DER_NULL, bytes_of(NULL, 0));
    TRY(k->type->curve ? write_ec(k, false, &key) : write_rsa(k, &key));
    der_put_small(&in, 0);
    der_put(&in, DER_SEQUENCE, wr_bytes(&alg));
    der_put(&in, DER_OCTETS, wr_bytes(&key));
    TRY(wr_done(&alg));
    TRY(wr_done(&in));
    der_put(out, DER_SEQUENCE, wr_bytes(&in));
    return wr_done(out);
}

enum err pem_write(const struct privkey *k, enum privkey_format format, struct wr *out)
{
    struct wr data CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    bool pkcs8 = format == PRIVKEY_PKCS8, ec = k->type->curve != NULL;
    if (!ec && k->type != &key_type_rsa) return ERR_UNSUPPORTED;
    TRY(pkcs8 ? write_pkcs8(k, &data) : ec ? write_ec(k, true, &data) : write_rsa(k, &data));
    armour_write(out, pkcs8 ? LABEL_PKCS8 : ec ? LABEL_EC : LABEL_RSA, WIDTH, wr_bytes(&data));
    return wr_done(out);
}
