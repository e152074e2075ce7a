/* SPDX-License-Identifier: ISC */
/* The form of a certificate (draft-ietf-sshm-cert-01 2.1): taking it apart, without any cryptography. */
#include "base/limits.h"
#include "base/rd.h"
#include "cert_form.h"

/* A row a certificate type; a new plain type brings its certificate form with one. */
static const struct cert_form forms[] = {
    {"ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519", "ED25519-CERT", 1},
    {"ecdsa-sha2-nistp256-cert-v01@openssh.com", "ecdsa-sha2-nistp256", "ECDSA-CERT", 2},
    {"ecdsa-sha2-nistp384-cert-v01@openssh.com", "ecdsa-sha2-nistp384", "ECDSA-CERT", 2},
    {"ecdsa-sha2-nistp521-cert-v01@openssh.com", "ecdsa-sha2-nistp521", "ECDSA-CERT", 2},
    {"ssh-rsa-cert-v01@openssh.com", "ssh-rsa", "RSA-CERT", 2},
    {"ssh-mldsa44-ed25519-cert-v01@openssh.com", "ssh-mldsa44-ed25519@openssh.com", "MLDSA44-ED25519-CERT", 1},
    {"sk-ssh-ed25519-cert-v01@openssh.com", "sk-ssh-ed25519@openssh.com", "ED25519-SK-CERT", 2},
    {"sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", "ECDSA-SK-CERT", 3},
};

const struct cert_form *cert_form_find(struct bytes type)
{
    for (size_t i = 0; i < COUNT_OF(forms); i++)
        if (bytes_is(type, forms[i].type)) return &forms[i];
    return NULL;
}

const struct cert_form *cert_form_of_plain(const char *plain_type)
{
    for (size_t i = 0; i < COUNT_OF(forms); i++)
        if (strcmp(plain_type, forms[i].plain_type) == 0) return &forms[i];
    return NULL;
}

const char *cert_type_plain(struct bytes type)
{
    const struct cert_form *form = cert_form_find(type);
    return form ? form->plain_type : NULL;
}

/* ---- walks ---- */

bool cert_name_next(struct bytes *rest, struct bytes *name)
{
    struct rd r = rd_init(*rest);
    if (rest->n == 0) return false;
    struct bytes one = rd_string(&r);
    if (r.err != ERR_NONE) return false;
    *name = one;
    *rest = rd_rest(&r);
    return true;
}

bool cert_option_next(struct bytes *rest, struct cert_option *out)
{
    struct rd r = rd_init(*rest);
    if (rest->n == 0) return false;
    struct cert_option o = {.name = rd_string(&r), .data = rd_string(&r)};
    if (r.err != ERR_NONE) return false;
    *rest = rd_rest(&r);
    struct rd inner = rd_init(o.data);
    struct bytes text = rd_string(&inner);
    if (o.data.n && rd_done(&inner) == ERR_NONE) o.text = text;
    *out = o;
    return true;
}

int cert_option_order(struct bytes a, struct bytes b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* ---- the whole ---- */

static bool has_nul(struct bytes b)
{
    return b.n && memchr(b.p, 0, b.n);
}

static enum err principals_count(struct bytes packed, size_t *out)
{
    struct bytes name;
    size_t n = 0;
    while (cert_name_next(&packed, &name)) {
        if (has_nul(name)) return ERR_FORMAT;
        if (++n > CERT_PRINCIPALS_MAX) return ERR_RANGE;
    }
    *out = n;
    return packed.n ? ERR_FORMAT : ERR_NONE;
}

/* 2.1: "lexically ordered by name", and "each named option MUST appear only once". */
static enum err options_order(struct bytes packed)
{
    struct cert_option o;
    struct bytes before = {0};
    for (bool first = true; cert_option_next(&packed, &o); first = false) {
        if (has_nul(o.name) || (!first && cert_option_order(before, o.name) >= 0)) return ERR_FORMAT;
        before = o.name;
    }
    return packed.n ? ERR_FORMAT : ERR_NONE;
}

/* The algorithm that a signature blob names, if the CA's type has it. */
static const char *signature_alg(struct bytes signature, struct bytes ca_type)
{
    struct bytes name = key_blob_type(signature);
    for (const struct sig_alg *a = sig_algs; a->name; a++)
        if (bytes_is(name, a->sig_name) && bytes_is(ca_type, a->key_type)) return a->sig_name;
    return NULL;
}

/* What was read since the reader stood at `from`. */
static struct bytes read_since(const struct rd *from, const struct rd *now)
{
    return bytes_of(from->p, from->n - now->n);
}

enum err cert_fields_parse(struct bytes blob, struct cert *out)
{
    if (blob.n > PUBKEY_BLOB_MAX) return ERR_TOO_LONG;
    const struct rd start = rd_init(blob);
    struct rd r = start;
    const struct cert_form *form = cert_form_find(rd_string(&r));
    if (!form) return ERR_KEY_TYPE;
    struct cert c = {.type = form->type, .plain_type = form->plain_type};
    rd_string(&r); /* nonce */
    const struct rd fields = r;
    for (unsigned i = 0; i < form->fields; i++) rd_string(&r);
    c.plain_fields = read_since(&fields, &r);
    c.serial = rd_u64(&r);
    uint32_t kind = rd_u32(&r);
    c.key_id = rd_string(&r);
    c.principals = rd_string(&r);
    c.valid_after = rd_u64(&r);
    c.valid_before = rd_u64(&r);
    c.critical = rd_string(&r);
    c.extensions = rd_string(&r);
    rd_string(&r); /* reserved */
    c.ca_blob = rd_string(&r);
    c.body = read_since(&start, &r);
    c.signature = rd_string(&r);
    TRY(rd_done(&r));

    if ((kind != CERT_USER && kind != CERT_HOST) || has_nul(c.key_id)) return ERR_FORMAT;
    c.kind = (enum cert_kind)kind;
    TRY(principals_count(c.principals, &c.principals_n));
    TRY(options_order(c.critical));
    TRY(options_order(c.extensions));
    if (c.signature.n > SIGNATURE_MAX) return ERR_TOO_LONG;
    /* No row of a certificate type has a CA's signature: nested certificates end here. */
    if (cert_type_plain(key_blob_type(c.ca_blob))) return ERR_KEY_TYPE;
    c.ca_alg = signature_alg(c.signature, key_blob_type(c.ca_blob));
    if (!c.ca_alg) return ERR_KEY_TYPE;
    *out = c;
    return ERR_NONE;
}

void cert_plain_write(const struct cert *c, struct wr *out)
{
    wr_cstring(out, c->plain_type);
    wr_raw(out, c->plain_fields);
}
