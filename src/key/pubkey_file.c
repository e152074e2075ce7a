/* SPDX-License-Identifier: ISC */
/* Files of public keys: lines, RFC 4716, SubjectPublicKeyInfo (RFC 5280 4.1.2.7) and PKCS#1 RSAPublicKey (RFC 8017 A.1.1). */
#include "base/text.h"
#include "key/known_hosts.h"
#include "key_format.h"
#include "pem.h"
#include "rfc4716.h"

#define LABEL_SPKI  "PUBLIC KEY"
#define LABEL_PKCS1 "RSA PUBLIC KEY"
#define WIDTH       64
#define NUMBER_MAX  (RSA_BITS_MAX / 8)

enum pubkey_format pubkey_file_format(struct bytes text)
{
    if (rfc4716_is(text, RFC4716_PUBLIC)) return PUBKEY_RFC4716;
    if (armour_is(text, LABEL_SPKI)) return PUBKEY_SPKI;
    return armour_is(text, LABEL_PKCS1) ? PUBKEY_PKCS1 : PUBKEY_LINE;
}

/* ---- reading ---- */

static void read_rsa(struct rd *r, struct wr *blob)
{
    struct rd in = rd_init(der_take(r, DER_SEQUENCE));
    struct bytes n = der_number(&in, NUMBER_MAX), e = der_number(&in, NUMBER_MAX);
    if (rd_done(&in) != ERR_NONE) rd_fail(r, ERR_FORMAT);
    wr_cstring(blob, key_type_rsa.name);
    wr_mpint(blob, e), wr_mpint(blob, n);
}

static void read_point(struct rd *r, const struct key_type *type, struct wr *blob)
{
    if (!type) rd_fail(r, ERR_UNSUPPORTED);
    if (r->err != ERR_NONE) return;
    wr_cstring(blob, type->name);
    if (type->curve) wr_cstring(blob, type->curve->name);
    wr_string(blob, rd_rest(r));
}

/* { { algorithm, parameters }, the key as bits } */
static enum err spki_parse(struct bytes der, struct wr *blob)
{
    struct rd top = rd_init(der);
    struct rd info = rd_init(der_take(&top, DER_SEQUENCE));
    struct rd alg = rd_init(der_take(&info, DER_SEQUENCE));
    struct rd key = rd_init(der_take(&info, DER_BITS));
    struct bytes name = der_take(&alg, DER_OID);
    struct bytes curve = der_take_optional(&alg, DER_OID);
    uint8_t unused_bits = rd_u8(&key);
    TRY(rd_done(&top));
    TRY(rd_done(&info));
    if (alg.err != ERR_NONE || key.err != ERR_NONE || unused_bits) return ERR_FORMAT;
    if (bytes_equal(name, oid_rsa)) read_rsa(&key, blob);
    else if (bytes_equal(name, oid_ec)) read_point(&key, curve_type(curve), blob);
    else if (bytes_equal(name, oid_ed25519)) read_point(&key, &key_type_ed25519, blob);
    else return ERR_UNSUPPORTED;
    return rd_done(&key);
}

static enum err framed_parse(struct bytes text, enum pubkey_format format, struct wr *blob, struct wr *comment)
{
    struct wr data CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    if (format == PUBKEY_RFC4716) return rfc4716_parse(text, RFC4716_PUBLIC, blob, comment);
    TRY(armour_parse(text, format == PUBKEY_SPKI ? LABEL_SPKI : LABEL_PKCS1, &data));
    if (format == PUBKEY_SPKI) return spki_parse(wr_bytes(&data), blob);
    struct rd r = rd_init(wr_bytes(&data));
    read_rsa(&r, blob);
    return rd_done(&r);
}

static enum err lines_parse(struct bytes text, struct pubkey **out, struct wr *comment)
{
    struct line_walk walk = {.rest = text};
    struct bytes line;
    enum err first = ERR_FORMAT;
    while (line_next(&walk, &line)) {
        struct pubkey_line view;
        enum err e = pubkey_line_parse(line, &view, out);
        if (e == ERR_NONE) {
            if (comment) wr_raw(comment, view.comment);
            return comment ? wr_done(comment) : ERR_NONE;
        }
        if (first == ERR_FORMAT) first = e;
    }
    return first;
}

enum err pubkey_file_parse(struct bytes text, struct pubkey **out, struct wr *comment)
{
    enum pubkey_format format = pubkey_file_format(text);
    struct wr blob CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX);
    if (text.n > KEY_FILE_MAX) return ERR_TOO_LONG;
    if (format == PUBKEY_LINE) return lines_parse(text, out, comment);
    TRY(framed_parse(text, format, &blob, comment));
    TRY(wr_done(&blob));
    return format == PUBKEY_RFC4716 ? pubkey_parse_any(wr_bytes(&blob), out) : pubkey_parse(wr_bytes(&blob), out);
}

/* ---- writing ---- */

static enum err pkcs1_write(const struct pubkey *k, struct wr *out)
{
    struct wr in CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    der_put_number(&in, k->point), der_put_number(&in, k->exponent);
    return der_sequence_write(out, &in);
}

static enum err spki_write(const struct pubkey *k, struct wr *out)
{
    struct wr in CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX), bits CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    TRY(algorithm_write(k->type, &in));
    wr_u8(&bits, 0); /* unused bits */
    if (k->type == &key_type_rsa) TRY(pkcs1_write(k, &bits));
    else wr_raw(&bits, k->point);
    TRY(wr_done(&bits));
    der_put(&in, DER_BITS, wr_bytes(&bits));
    return der_sequence_write(out, &in);
}

enum err pubkey_file_write(const struct pubkey *k, enum pubkey_format format, struct bytes comment, struct wr *out)
{
    struct wr data CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    bool pkcs1 = format == PUBKEY_PKCS1 && k->type == &key_type_rsa;
    if (format == PUBKEY_LINE) pubkey_line_write(out, k, comment);
    else if (format == PUBKEY_RFC4716) rfc4716_write(out, RFC4716_PUBLIC, comment, pubkey_blob(k));
    else {
        k = pubkey_plain(k);
        TRY(pkcs1 ? pkcs1_write(k, &data) : spki_write(k, &data));
        armour_write(out, pkcs1 ? LABEL_PKCS1 : LABEL_SPKI, WIDTH, wr_bytes(&data));
    }
    return wr_done(out);
}
