/* SPDX-License-Identifier: ISC */
/* The older forms of private key files: PKCS#1 RSAPrivateKey (RFC 8017 A.1.2), SEC1 ECPrivateKey (RFC 5915) and PKCS#8 (RFC 5958) around
 * them. What is read is put into the form of OpenSSH's own files and checked as those are. */
#include "pem.h"

#include "armour.h"
#include "base/text.h"
#include "key_format.h"

#define LABEL_RSA       "RSA PRIVATE KEY"
#define LABEL_EC        "EC PRIVATE KEY"
#define LABEL_PKCS8     "PRIVATE KEY"
#define LABEL_ENCRYPTED "ENCRYPTED PRIVATE KEY"
#define WIDTH           64
#define NUMBER_MAX      (RSA_BITS_MAX / 8)

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
    section_rsa(section, n, e, d, iqmp, p, q);
}

/* version 1, the scalar, [0] the curve (in PKCS#8 it stands outside), [1] the point */
static void read_ec(struct rd *r, struct bytes outer_curve, struct wr *section)
{
    struct rd in = rd_init(der_take(r, DER_SEQUENCE));
    struct bytes version = der_number(&in, 1);
    struct bytes scalar = der_take(&in, DER_OCTETS);
    struct rd parameters = rd_init(der_take_optional(&in, DER_CONTEXT_0));
    struct rd point_in = rd_init(der_take_optional(&in, DER_CONTEXT_1));
    struct bytes curve = der_take_optional(&parameters, DER_OID);
    struct bytes point = der_take_optional(&point_in, DER_BITS);
    if (curve.n == 0) curve = outer_curve;
    const struct key_type *type = curve_type(curve);
    if (rd_done(&in) != ERR_NONE || rd_done(&parameters) != ERR_NONE || rd_done(&point_in) != ERR_NONE || !bytes_is(version, "\1")) {
        rd_fail(r, ERR_FORMAT);
    } else if (!type || point.n < 2 || point.p[0] != 0) {
        rd_fail(r, ERR_UNSUPPORTED);    /* another curve, or no point: it could be computed, but nobody leaves it out */
    } else {
        section_ecdsa(section, type, bytes_of(point.p + 1, point.n - 1), scalar);
    }
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
    else if (bytes_equal(name, oid_ed25519)) section_ed25519(section, der_take(&key, DER_OCTETS));
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
} forms[] = {{LABEL_RSA, read_rsa}, {LABEL_EC, read_ec_alone}};

static enum err der_key(struct bytes data, void (*read)(struct rd *r, struct wr *section), struct privkey **out)
{
    struct wr section CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    struct rd r = rd_init(data);
    read(&r, &section);
    TRY(rd_done(&r));
    return section_key(&section, out);
}

/* ---- PEM ---- */

/* `openssl ecparam -genkey` puts the curve in a block of its own before the key. */
static struct bytes skip_parameters(struct bytes text)
{
    static const char end[] = "-----END EC PARAMETERS-----";
    if (!armour_is(text, "EC PARAMETERS")) return text;
    for (struct bytes rest = text; rest.n;) {
        const uint8_t *nl = memchr(rest.p, '\n', rest.n);
        bool last = bytes_starts(rest, end);
        size_t n = nl ? (size_t)(nl - rest.p) + 1 : rest.n;
        rest.p += n, rest.n -= n;
        if (last) return rest;
    }
    return text;
}

static const struct form *form_find(struct bytes text)
{
    for (size_t i = 0; i < COUNT_OF(forms); i++)
        if (armour_is(text, forms[i].label)) return &forms[i];
    return NULL;
}

static bool pem_is(struct bytes text)
{
    return form_find(skip_parameters(text)) != NULL;
}

static bool pem_encrypted(struct bytes text)
{
    text = skip_parameters(text);
    const uint8_t *nl = text.n ? memchr(text.p, '\n', text.n) : NULL; /* RFC 1421 headers follow the first line */
    return nl && bytes_starts(bytes_of(nl + 1, text.n - (size_t)(nl - text.p) - 1), "Proc-Type:");
}

static enum err pem_parse(struct bytes text, struct bytes passphrase, struct privkey **out, struct wr *comment UNUSED)
{
    struct wr data CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    struct armour_headers headers;
    text = skip_parameters(text);
    const struct form *form = form_find(text);
    if (!form) return ERR_FORMAT;
    if (!pem_encrypted(text)) {
        TRY(armour_parse(text, form->label, &data));
        return der_key(wr_bytes(&data), form->read, out);
    }
    TRY(armour_parse_headers(text, form->label, &headers, &data));
    TRY(pem_open(&headers, passphrase, &data));
    return err_decrypted(der_key(wr_bytes(&data), form->read, out));
}

/* ---- PKCS#8 ---- */

static bool pkcs8_is(struct bytes text)
{
    return armour_is(text, LABEL_PKCS8) || armour_is(text, LABEL_ENCRYPTED);
}

static bool pkcs8_encrypted(struct bytes text)
{
    return armour_is(text, LABEL_ENCRYPTED);
}

static enum err pkcs8_parse(struct bytes text, struct bytes passphrase, struct privkey **out, struct wr *comment UNUSED)
{
    struct wr data CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX), clear CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    bool encrypted = pkcs8_encrypted(text);
    TRY(armour_parse(text, encrypted ? LABEL_ENCRYPTED : LABEL_PKCS8, &data));
    if (!encrypted) return der_key(wr_bytes(&data), read_pkcs8, out);
    TRY(pbes2_open(wr_bytes(&data), passphrase, &clear));
    return err_decrypted(der_key(wr_bytes(&clear), read_pkcs8, out));
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
    return der_sequence_write(out, &in);
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
    return der_sequence_write(out, &in);
}

/* RFC 8410 7: the seed as octets inside the octets. */
static enum err write_ed25519(const struct privkey *k, struct wr *out)
{
    der_put(out, DER_OCTETS, secret_bytes(&k->scalar));
    return wr_done(out);
}

static enum err write_pkcs8(const struct privkey *k, struct wr *out)
{
    struct wr in CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX), key CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    der_put_small(&in, 0);
    TRY(algorithm_write(k->type, &in));
    TRY(curve_is_plain(k->type) ? write_ec(k, false, &key) : k->type == &key_type_rsa ? write_rsa(k, &key) : write_ed25519(k, &key));
    der_put(&in, DER_OCTETS, wr_bytes(&key));
    return der_sequence_write(out, &in);
}

static enum err pkcs8_write(const struct privkey *k, struct bytes comment, const struct privkey_file_how *how, const struct random *random,
                            struct wr *out)
{
    struct wr data CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX), sealed CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    if (!k->type->pem && k->type != &key_type_ed25519) return key_format_openssh.write(k, comment, how, random, out);
    TRY(write_pkcs8(k, &data));
    if (how->passphrase.n == 0) {
        armour_write(out, LABEL_PKCS8, WIDTH, wr_bytes(&data));
        return wr_done(out);
    }
    TRY(pbes2_seal(wr_bytes(&data), how->passphrase, random, &sealed));
    armour_write(out, LABEL_ENCRYPTED, WIDTH, wr_bytes(&sealed));
    return wr_done(out);
}

static enum err pem_write(const struct privkey *k, struct bytes comment, const struct privkey_file_how *how, const struct random *random,
                          struct wr *out)
{
    struct wr data CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX), sealed CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    char headers[128];
    bool ec = curve_is_plain(k->type);
    if (!k->type->pem) return key_format_openssh.write(k, comment, how, random, out);
    const char *label = ec ? LABEL_EC : LABEL_RSA;
    TRY(ec ? write_ec(k, true, &data) : write_rsa(k, &data));
    if (how->passphrase.n == 0) {
        armour_write(out, label, WIDTH, wr_bytes(&data));
        return wr_done(out);
    }
    TRY(pem_seal(wr_bytes(&data), how->passphrase, random, headers, sizeof headers, &sealed));
    armour_write_headers(out, label, headers, WIDTH, wr_bytes(&sealed));
    return wr_done(out);
}

const struct key_format key_format_pem = {PRIVKEY_PEM, pem_is, pem_encrypted, pem_parse, NULL, pem_write};
const struct key_format key_format_pkcs8 = {PRIVKEY_PKCS8, pkcs8_is, pkcs8_encrypted, pkcs8_parse, NULL, pkcs8_write};
