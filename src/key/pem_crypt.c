/* SPDX-License-Identifier: ISC */
/* Encryption of PEM and PKCS#8 private keys. The headers of RFC 1421 come with a key derived by one MD5: nothing to choose, only to read
 * and, where it is asked for by -m PEM, to write. */
#include <stdio.h>

#include "base/text.h"
#include "crypto/kdf.h"
#include "key_format.h"
#include "pem.h"

enum { MD5_LEN = 16, KEY_MAX = 64, DEK_SALT = 8, SALT_LEN = 16, ROUNDS = 200000 };

/* The ciphers of both, by the name of DEK-Info and the object identifier; `ours` is file_cipher_find()'s. */
static const struct row {
    const char *dek, *ours;
    struct bytes oid;
} ciphers[] = {
    {"AES-128-CBC", "aes128-cbc", BYTES_LIT("\x60\x86\x48\x01\x65\x03\x04\x01\x02")},
    {"AES-192-CBC", "aes192-cbc", BYTES_LIT("\x60\x86\x48\x01\x65\x03\x04\x01\x16")},
    {"AES-256-CBC", "aes256-cbc", BYTES_LIT("\x60\x86\x48\x01\x65\x03\x04\x01\x2a")},
    {"DES-EDE3-CBC", "3des-cbc", BYTES_LIT("\x2a\x86\x48\x86\xf7\x0d\x03\x07")},
};
#define AES128 (&ciphers[0])
#define AES256 (&ciphers[2])

static const struct bytes oid_pbes2 = BYTES_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d"),
                          oid_pbkdf2 = BYTES_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c"),
                          oid_scrypt = BYTES_LIT("\x2b\x06\x01\x04\x01\xda\x47\x04\x0b"),
                          oid_hmac_sha256 = BYTES_LIT("\x2a\x86\x48\x86\xf7\x0d\x02\x09");

/* ---- RFC 1421 ---- */

static const struct file_cipher *row_cipher(const struct row *row)
{
    return row ? file_cipher_find(bytes_str(row->ours)) : NULL;
}

/* MD5 of the block before, passphrase and salt, again and again (openssl's EVP_BytesToKey with one round); then the IV. */
static enum err dek_key(const struct file_cipher *c, struct bytes iv, struct bytes passphrase, struct secret *out)
{
    uint8_t digest[MD5_LEN];
    TRY(secret_new(out, c->key_len + c->iv_len));
    for (size_t at = 0; at < c->key_len; at += MD5_LEN) {
        struct bytes parts[] = {bytes_of(digest, at ? sizeof digest : 0), passphrase, bytes_of(iv.p, DEK_SALT)};
        TRY(hash_md5.digest(&hash_md5, parts, COUNT_OF(parts), digest));
        size_t n = c->key_len - at < MD5_LEN ? c->key_len - at : MD5_LEN;
        memcpy(out->p + at, digest, n);
    }
    wipe(digest, sizeof digest);
    memcpy(out->p + c->key_len, iv.p, iv.n);
    return ERR_NONE;
}

static struct bytes header_find(const struct armour_headers *h, const char *name)
{
    for (size_t i = 0; i < h->n; i++)
        if (bytes_is(h->name[i], name)) return h->value[i];
    return (struct bytes){0};
}

enum err pem_open(const struct armour_headers *headers, struct bytes passphrase, struct wr *data)
{
    struct bytes dek = header_find(headers, "DEK-Info");
    const uint8_t *comma = dek.n ? memchr(dek.p, ',', dek.n) : NULL;
    struct secret key CLEANUP(secret_clear) = {0};
    uint8_t iv[16];
    struct wr iv_w = wr_span((struct span){iv, sizeof iv});
    if (!bytes_is(header_find(headers, "Proc-Type"), "4,ENCRYPTED") || !comma) return ERR_FORMAT;
    struct bytes name = bytes_of(dek.p, (size_t)(comma - dek.p)), hex = bytes_of(comma + 1, dek.n - name.n - 1);
    const struct row *row = NULL;
    for (size_t i = 0; i < COUNT_OF(ciphers); i++)
        if (bytes_is(name, ciphers[i].dek)) row = &ciphers[i];
    const struct file_cipher *c = row_cipher(row);
    if (!c) return ERR_UNSUPPORTED;
    TRY(hex_parse(hex, &iv_w));
    if (iv_w.n != c->iv_len) return ERR_FORMAT;
    if (passphrase.n == 0) return ERR_PASSPHRASE;
    TRY(dek_key(c, wr_bytes(&iv_w), passphrase, &key));
    return cbc_open(row->ours, secret_bytes(&key), (struct span){data->p, data->n}, &data->n);
}

enum err pem_seal(struct bytes data, struct bytes passphrase, const struct random *random, char *headers, size_t headers_n, struct wr *out)
{
    const struct file_cipher *c = row_cipher(AES128);
    struct secret key CLEANUP(secret_clear) = {0};
    uint8_t iv[16];
    char hex[33];
    if (!c) return ERR_UNSUPPORTED;
    TRY(random_fill(random, iv, sizeof iv));
    for (size_t i = 0; i < sizeof iv; i++) snprintf(hex + 2 * i, 3, "%02X", iv[i]);
    int n = snprintf(headers, headers_n, "Proc-Type: 4,ENCRYPTED\nDEK-Info: %s,%s\n\n", AES128->dek, hex);
    if (n < 0 || (size_t)n >= headers_n) return ERR_NOSPACE;
    TRY(dek_key(c, bytes_of(iv, sizeof iv), passphrase, &key));
    return cbc_seal(AES128->ours, secret_bytes(&key), data, out);
}

/* ---- PBES2 ---- */

static uint64_t small_number(struct rd *r, size_t max)
{
    uint64_t v = 0;
    struct bytes b = der_number(r, max);
    for (size_t i = 0; i < b.n; i++) v = v << 8 | b.p[i];
    return v;
}

static const struct hash_alg *prf_find(struct bytes oid)
{
    static const struct {
        uint8_t last;
        const struct hash_alg *hash;
    } rows[] = {{7, &hash_sha1}, {9, &hash_sha256}, {10, &hash_sha384}, {11, &hash_sha512}};
    if (oid.n != oid_hmac_sha256.n || memcmp(oid.p, oid_hmac_sha256.p, oid.n - 1) != 0) return NULL;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (oid.p[oid.n - 1] == rows[i].last) return rows[i].hash;
    return NULL;
}

/* What a file asks for; views into it. */
struct kdf {
    const struct hash_alg *hash;        /* NULL: scrypt */
    struct bytes salt;
    uint64_t rounds, n, block, lanes;
};
struct pbes2 {
    struct kdf kdf;
    const struct row *row;
    struct bytes iv, data;
};

/* RFC 8018 A.2 and RFC 7914 7 end with a key length that may be missing; it must be the cipher's. */
static enum err length_check(struct rd *r, size_t key_len)
{
    bool there = r->err == ERR_NONE && r->n && r->p[0] == DER_INTEGER;
    uint64_t len = there ? small_number(r, 2) : key_len;
    if (r->err != ERR_NONE) return r->err;
    return len == key_len ? ERR_NONE : ERR_FORMAT;
}

/* A.2: salt, rounds, [key length], [pseudorandom function, HMAC-SHA1 where it is missing] */
static enum err pbkdf2_parse(struct rd *r, size_t key_len, struct kdf *out)
{
    struct kdf k = {.hash = &hash_sha1, .salt = der_take(r, DER_OCTETS)};
    k.rounds = small_number(r, 8);
    TRY(length_check(r, key_len));
    struct bytes prf = der_take_optional(r, DER_SEQUENCE);
    TRY(rd_done(r));
    if (prf.n) {
        struct rd in = rd_init(prf);
        k.hash = prf_find(der_take(&in, DER_OID));
        der_take_optional(&in, DER_NULL);
        TRY(rd_done(&in));
    }
    if (!k.hash) return ERR_UNSUPPORTED;
    if (k.rounds < 1 || k.rounds > PBKDF2_ROUNDS_MAX) return ERR_RANGE;
    *out = k;
    return ERR_NONE;
}

/* RFC 7914 7: salt, N, r, p, [key length]; scrypt() itself holds them against the limits */
static enum err scrypt_parse(struct rd *r, size_t key_len, struct kdf *out)
{
    struct kdf k = {.salt = der_take(r, DER_OCTETS)};
    k.n = small_number(r, 8), k.block = small_number(r, 8), k.lanes = small_number(r, 8);
    TRY(length_check(r, key_len));
    TRY(rd_done(r));
    *out = k;
    return ERR_NONE;
}

static enum err kdf_parse(struct bytes name, struct bytes params, size_t key_len, struct kdf *out)
{
    struct rd r = rd_init(params);
    bool is_scrypt = bytes_equal(name, oid_scrypt);
    if (!is_scrypt && !bytes_equal(name, oid_pbkdf2)) return ERR_UNSUPPORTED;
    TRY(is_scrypt ? scrypt_parse(&r, key_len, out) : pbkdf2_parse(&r, key_len, out));
    return out->salt.n <= KDF_SALT_MAX ? ERR_NONE : ERR_FORMAT;
}

static enum err kdf_run(const struct kdf *k, struct bytes passphrase, struct span key)
{
    if (k->hash) return pbkdf2(k->hash, passphrase, k->salt, (uint32_t)k->rounds, key);
    return scrypt(passphrase, k->salt, k->n, k->block, k->lanes, key);
}

static enum err pbes2_parse(struct bytes der, struct pbes2 *out)
{
    struct pbes2 p = {0};
    struct rd top = rd_init(der);
    struct rd info = rd_init(der_take(&top, DER_SEQUENCE));
    struct rd alg = rd_init(der_take(&info, DER_SEQUENCE));
    p.data = der_take(&info, DER_OCTETS);
    struct bytes scheme = der_take(&alg, DER_OID);
    if (alg.err == ERR_NONE && info.err == ERR_NONE && !bytes_equal(scheme, oid_pbes2)) return ERR_UNSUPPORTED;
    struct rd params = rd_init(der_take(&alg, DER_SEQUENCE));
    struct rd kdf = rd_init(der_take(&params, DER_SEQUENCE));
    struct rd cipher = rd_init(der_take(&params, DER_SEQUENCE));
    struct bytes kdf_name = der_take(&kdf, DER_OID), kdf_params = der_take(&kdf, DER_SEQUENCE);
    struct bytes name = der_take(&cipher, DER_OID);
    for (size_t i = 0; i < COUNT_OF(ciphers); i++)
        if (bytes_equal(name, ciphers[i].oid)) p.row = &ciphers[i];
    const struct file_cipher *c = row_cipher(p.row);
    if (cipher.err == ERR_NONE && !c) return ERR_UNSUPPORTED;
    p.iv = der_take(&cipher, DER_OCTETS);
    const struct rd *all[] = {&top, &info, &alg, &params, &kdf, &cipher};
    for (size_t i = 0; i < COUNT_OF(all); i++) TRY(rd_done(all[i]));
    if (!c || p.iv.n != c->iv_len) return ERR_FORMAT;
    TRY(kdf_parse(kdf_name, kdf_params, c->key_len, &p.kdf));
    *out = p;
    return ERR_NONE;
}

enum err pbes2_open(struct bytes der, struct bytes passphrase, struct wr *out)
{
    struct pbes2 p;
    struct secret key CLEANUP(secret_clear) = {0};
    TRY(pbes2_parse(der, &p));
    const struct file_cipher *c = row_cipher(p.row);
    if (passphrase.n == 0) return ERR_PASSPHRASE;
    TRY(secret_new(&key, c->key_len + c->iv_len));
    TRY(kdf_run(&p.kdf, passphrase, (struct span){key.p, c->key_len}));
    memcpy(key.p + c->key_len, p.iv.p, p.iv.n);
    wr_raw(out, p.data);
    TRY(wr_done(out));
    return cbc_open(p.row->ours, secret_bytes(&key), (struct span){out->p, out->n}, &out->n);
}

static void put_count(struct wr *w, uint32_t v)
{
    uint8_t b[4];
    put_u32(b, v);
    der_put_number(w, bytes_of(b, sizeof b));
}

/* { PBES2, { { PBKDF2, { salt, rounds, { HMAC-SHA256, NULL } } }, { cipher, iv } } } */
static enum err pbes2_algorithm(struct bytes salt, struct bytes iv, struct wr *out)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(1024), in CLEANUP(wr_clear) = wr_heap(1024), both CLEANUP(wr_clear) = wr_heap(1024);
    der_put(&in, DER_OID, oid_hmac_sha256), der_put(&in, DER_NULL, bytes_of(NULL, 0));
    der_put(&w, DER_OCTETS, salt), put_count(&w, ROUNDS), der_put(&w, DER_SEQUENCE, wr_bytes(&in));
    in.n = 0;
    der_put(&in, DER_OID, oid_pbkdf2), der_put(&in, DER_SEQUENCE, wr_bytes(&w));
    der_put(&both, DER_SEQUENCE, wr_bytes(&in));
    in.n = w.n = 0;
    der_put(&in, DER_OID, AES256->oid), der_put(&in, DER_OCTETS, iv);
    der_put(&both, DER_SEQUENCE, wr_bytes(&in));
    der_put(&w, DER_OID, oid_pbes2), der_put(&w, DER_SEQUENCE, wr_bytes(&both));
    TRY(wr_done(&in));
    TRY(wr_done(&both));
    return der_sequence_write(out, &w);
}

enum err pbes2_seal(struct bytes data, struct bytes passphrase, const struct random *random, struct wr *out)
{
    const struct file_cipher *c = row_cipher(AES256);
    struct wr in CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX), sealed CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    struct secret key CLEANUP(secret_clear) = {0};
    uint8_t salt[SALT_LEN];
    if (!c) return ERR_UNSUPPORTED;
    TRY(secret_new(&key, c->key_len + c->iv_len));
    TRY(random_fill(random, salt, sizeof salt));
    TRY(random_fill(random, key.p + c->key_len, c->iv_len));
    TRY(pbkdf2(&hash_sha256, passphrase, bytes_of(salt, sizeof salt), ROUNDS, (struct span){key.p, c->key_len}));
    TRY(cbc_seal(AES256->ours, secret_bytes(&key), data, &sealed));
    TRY(pbes2_algorithm(bytes_of(salt, sizeof salt), bytes_of(key.p + c->key_len, c->iv_len), &in));
    der_put(&in, DER_OCTETS, wr_bytes(&sealed));
    return der_sequence_write(out, &in);
}
