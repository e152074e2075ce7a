/* SPDX-License-Identifier: ISC */
/* Private keys in agent messages (RFC 9987 3.2), beside a certificate too. Behind a certificate some types leave out those public fields
 * that it has already. */
#include "key_type.h"

/* The first `n` strings of the plain form are left out; they are the first of the public blob, for RSA in the other order. */
static const struct omission {
    const char *type;
    uint8_t n;
    bool swapped;
} omissions[] = {
    {"ecdsa-sha2-nistp256", 2, false}, {"ecdsa-sha2-nistp384", 2, false}, {"ecdsa-sha2-nistp521", 2, false},
    {"sk-ecdsa-sha2-nistp256@openssh.com", 2, false}, {"ssh-rsa", 2, true},
};

static const struct omission *omission_find(const char *type)
{
    static const struct omission none = {0};
    for (size_t i = 0; i < COUNT_OF(omissions); i++)
        if (strcmp(omissions[i].type, type) == 0) return &omissions[i];
    return &none;
}

/* The plain form: type, what was left out, the rest. */
static void plain_form_write(struct wr *w, const struct pubkey *cert, struct bytes rest)
{
    const struct omission *o = omission_find(pubkey_cert(cert)->plain_type);
    struct rd fields = rd_init(pubkey_cert(cert)->plain_fields);
    wr_cstring(w, pubkey_cert(cert)->plain_type);
    if (o->n) {
        struct bytes first = rd_string(&fields), second = rd_string(&fields);
        wr_string(w, o->swapped ? second : first);
        wr_string(w, o->swapped ? first : second);
    }
    wr_raw(w, rest);
}

static enum err certified_read(struct rd *r, struct pubkey **cert, struct privkey **out)
{
    struct pubkey *c CLEANUP(pubkey_drop) = NULL;
    struct privkey *k CLEANUP(privkey_drop) = NULL;
    struct wr form CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    rd_string(r);
    struct bytes blob = rd_string_max(r, PUBKEY_BLOB_MAX);
    TRY(r->err);
    TRY(pubkey_parse_any(blob, &c));
    if (!pubkey_cert(c)) return ERR_KEY_INVALID;
    plain_form_write(&form, c, bytes_of(r->p, r->n));
    TRY(wr_done(&form));
    struct rd plain = rd_init(wr_bytes(&form));
    TRY(privkey_read(&plain, &k));
    if (plain.n > r->n || !bytes_equal(pubkey_blob(k->pub), pubkey_blob(pubkey_plain(c)))) return ERR_KEY_INVALID;
    rd_raw(r, r->n - plain.n);
    *cert = c, *out = k;
    c = NULL, k = NULL;
    return ERR_NONE;
}

enum err privkey_read_any(struct rd *r, struct pubkey **cert, struct privkey **out)
{
    struct rd look = *r;
    if (cert_type_plain(rd_string(&look))) return certified_read(r, cert, out);
    struct privkey *k;
    TRY(privkey_read(r, &k));
    *cert = NULL, *out = k;
    return ERR_NONE;
}

void privkey_write_any(const struct pubkey *cert, const struct privkey *k, struct wr *w)
{
    struct wr form CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    if (!cert || !pubkey_cert(cert)) {
        privkey_write(k, w);
        return;
    }
    k->type->write_private(k, &form);
    if (form.err != ERR_NONE) wr_fail(w, form.err);
    struct rd fields = rd_init(wr_bytes(&form));
    for (uint8_t i = omission_find(k->type->name)->n; i > 0; i--) rd_string(&fields);
    wr_cstring(w, pubkey_type(cert));
    wr_string(w, pubkey_blob(cert));
    wr_raw(w, rd_rest(&fields));
}
