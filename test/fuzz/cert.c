/* SPDX-License-Identifier: ISC */
/* Certificates. The first byte: 0 a blob as it is, 1 all before the CA's key, which is then signed truly so that what is behind the
 * signature's check is reached, 2 a line. */
#include <stdlib.h>

#include "base/limits.h"
#include "base/text.h"
#include "crypto/sign.h"
#include "key/cert.h"
#include "targets.h"

static const uint8_t ca_seed[ED25519_SEED] = {1};

static void ca_blob_write(struct wr *w)
{
    uint8_t pub[ED25519_PUBLIC];
    if (ed25519_public(ca_seed, pub) != ERR_NONE) abort();
    wr_cstring(w, "ssh-ed25519"), wr_string(w, (struct bytes){pub, sizeof(pub)});
}

static void signature_write(struct wr *w, struct bytes body)
{
    uint8_t sig[ED25519_SIG];
    if (ed25519_sign(ca_seed, body, sig) != ERR_NONE) abort();
    wr_cstring(w, "ssh-ed25519"), wr_string(w, (struct bytes){sig, sizeof(sig)});
}

void fuzz_cert_sign(struct bytes start, struct wr *out)
{
    struct wr ca CLEANUP(wr_clear) = wr_heap(200), sig CLEANUP(wr_clear) = wr_heap(200);
    size_t from = out->n;
    ca_blob_write(&ca);
    wr_raw(out, start), wr_string(out, wr_bytes(&ca));
    if (out->err != ERR_NONE) return;
    signature_write(&sig, bytes_of(out->p + from, out->n - from));
    wr_string(out, wr_bytes(&sig));
}

static bool name_fits(struct bytes b)
{
    return b.n && !memchr(b.p, ',', b.n);
}

/* What was read can be written, and is then read the same; but for names and times that are never written. */
static void write_again(const struct pubkey *k)
{
    static struct bytes principals[CERT_PRINCIPALS_MAX];
    static struct cert_option critical[PUBKEY_BLOB_MAX / 8], extensions[PUBKEY_BLOB_MAX / 8];
    const struct cert *c = pubkey_cert(k);
    struct cert_plan plan = {.kind = c->kind, .serial = c->serial, .valid_after = c->valid_after, .valid_before = c->valid_before, .key_id = c->key_id,
                             .principals = principals, .critical = critical, .extensions = extensions};
    struct bytes rest = c->principals;
    bool fits = c->valid_after < c->valid_before;
    while (cert_name_next(&rest, &principals[plan.principals_n])) fits &= name_fits(principals[plan.principals_n++]);
    for (rest = c->critical; cert_option_next(&rest, &critical[plan.critical_n]);) fits &= name_fits(critical[plan.critical_n++].name);
    for (rest = c->extensions; cert_option_next(&rest, &extensions[plan.extensions_n]);) fits &= name_fits(extensions[plan.extensions_n++].name);
    if (plan.principals_n != c->principals_n) abort();

    struct wr ca CLEANUP(wr_clear) = wr_heap(200), body CLEANUP(wr_clear) = wr_heap(4 * PUBKEY_BLOB_MAX), sig CLEANUP(wr_clear) = wr_heap(200);
    struct wr blob CLEANUP(wr_clear) = wr_heap(4 * PUBKEY_BLOB_MAX);
    struct pubkey *authority CLEANUP(pubkey_drop) = NULL;
    struct cert again;
    ca_blob_write(&ca);
    if (pubkey_parse(wr_bytes(&ca), &authority) != ERR_NONE) abort();
    enum err e = cert_body_write(&plan, pubkey_plain(k), authority, &random_libcrypto, &body);
    if ((e == ERR_NONE) != fits) abort();
    if (!fits || body.n > PUBKEY_BLOB_MAX - 200) return;
    signature_write(&sig, wr_bytes(&body));
    if (cert_write(wr_bytes(&body), wr_bytes(&sig), &blob) != ERR_NONE || cert_fields_parse(wr_bytes(&blob), &again) != ERR_NONE) abort();
    if (again.serial != c->serial || again.valid_before != c->valid_before || !bytes_equal(again.key_id, c->key_id) ||
        !bytes_equal(again.principals, c->principals) || !bytes_equal(again.critical, c->critical) || !bytes_equal(again.extensions, c->extensions))
        abort();
}

static void use(const struct pubkey *k)
{
    const struct cert *c = pubkey_cert(k);
    struct key_options *o = malloc(sizeof(*o));
    struct wr w CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX), plain CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    const char *why = NULL;
    if (!o) return;
    pubkey_fingerprint_write(&w, k, FINGERPRINT_SHA256);
    cert_plain_write(c, &plain);
    if (!bytes_equal(wr_bytes(&plain), pubkey_blob(pubkey_plain(k))) || pubkey_cert(c->ca)) abort();
    if (cert_check(c, CERT_USER, 1000, BYTES_LIT("ssh-ed25519"), &why) == VERDICT_GOOD && (c->kind != CERT_USER || c->principals_n == 0)) abort();
    if (cert_has_principal(c, BYTES_LIT("")) || (c->principals_n == 0 && cert_has_principal(c, BYTES_LIT("alice")))) abort();
    if (cert_key_options(c, o, &why) == ERR_NONE && (c->kind != CERT_USER || key_options_check(o) != VERDICT_GOOD)) abort();
    free(o);
    write_again(k);
}

void fuzz_cert(struct bytes in)
{
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    struct wr blob CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    struct pubkey_line line;
    struct cert fields;
    if (in.n < 1 || in.n > PUBKEY_BLOB_MAX) return;
    struct bytes rest = {in.p + 1, in.n - 1};
    enum err e = ERR_NONE;
    if (in.p[0] % 3 == 2) {
        e = pubkey_line_parse_any(rest, &line, &k);
    } else {
        if (in.p[0] % 3 == 1) fuzz_cert_sign(rest, &blob);
        else wr_raw(&blob, rest);
        enum err form = cert_fields_parse(wr_bytes(&blob), &fields);
        e = pubkey_parse_any(wr_bytes(&blob), &k);
        if (e == ERR_NONE && pubkey_cert(k) && form != ERR_NONE) abort();
        if (in.p[0] % 3 == 1 && e == ERR_SIGNATURE) abort(); /* what was signed is what is read */
    }
    if (e == ERR_NONE && pubkey_cert(k)) use(k);
}

bool seed_cert(unsigned i, struct wr *out)
{
    static const struct {
        enum cert_kind kind;
        size_t principals, critical, extensions;
    } rows[] = {{CERT_USER, 1, 2, 3}, {CERT_HOST, 2, 0, 0}, {CERT_USER, 0, 0, 1}};
    static const struct bytes principals[] = {{(const uint8_t *)"alice", 5}, {(const uint8_t *)"*.example.com", 13}};
    static const struct cert_option critical[] = {
        {.name = {(const uint8_t *)"force-command", 13}, .data = {(const uint8_t *)"\0\0\0\4true", 8}},
        {.name = {(const uint8_t *)"source-address", 14}, .data = {(const uint8_t *)"\0\0\0\nfe80::/10,", 13}},
    };
    static const struct cert_option extensions[] = {{.name = {(const uint8_t *)"permit-pty", 10}},
                                                    {.name = {(const uint8_t *)"x@example.com", 13}, .data = {(const uint8_t *)"data", 4}},
                                                    {.name = {(const uint8_t *)"no-touch-required", 17}}};
    if (i >= 2 * COUNT_OF(rows)) return false;
    const struct cert_plan plan = {
        .kind = rows[i / 2].kind, .valid_before = 2000, .key_id = BYTES_LIT("id"), .principals = principals, .principals_n = rows[i / 2].principals,
        .critical = critical, .critical_n = rows[i / 2].critical, .extensions = extensions, .extensions_n = rows[i / 2].extensions,
    };
    struct wr ca CLEANUP(wr_clear) = wr_heap(200), body CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX);
    struct pubkey *key CLEANUP(pubkey_drop) = NULL;
    ca_blob_write(&ca);
    if (pubkey_parse(wr_bytes(&ca), &key) != ERR_NONE || cert_body_write(&plan, key, key, &random_libcrypto, &body) != ERR_NONE) return false;
    struct bytes start = bytes_of(body.p, body.n - 4 - ca.n);
    wr_u8(out, i % 2 ? 1 : 0);
    if (i % 2) wr_raw(out, start);
    else fuzz_cert_sign(start, out);
    return true;
}
