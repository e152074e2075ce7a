/* SPDX-License-Identifier: ISC */
/* Certificates as keys: parsed with all signatures, and written. */
#include <stdlib.h>

#include "cert_form.h"
#include "key_type.h"
#include "line.h"

#define NONCE_LEN 32

/* ---- parsing ---- */

static enum err signature_check(const struct cert *c)
{
    for (const struct sig_alg *a = sig_algs; a->name; a++) {
        if (strcmp(a->sig_name, c->ca_alg) != 0 || strcmp(a->key_type, pubkey_type(c->ca)) != 0) continue;
        return pubkey_verify_facts(c->ca, a, c->body, c->signature, NULL) == VERDICT_GOOD ? ERR_NONE : ERR_SIGNATURE;
    }
    return ERR_KEY_TYPE;
}

static enum err cert_fill(struct pubkey *k)
{
    struct wr plain CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX);
    TRY(cert_fields_parse(pubkey_blob(k), &k->cert));
    cert_plain_write(&k->cert, &plain);
    TRY(wr_done(&plain));
    TRY(pubkey_parse(wr_bytes(&plain), &k->plain));
    TRY(pubkey_parse(k->cert.ca_blob, &k->ca));
    k->type = k->plain->type;
    k->bits = k->plain->bits;
    k->cert.ca = k->ca;
    return signature_check(&k->cert);
}

enum err pubkey_parse_any(struct bytes blob, struct pubkey **out)
{
    if (blob.n > PUBKEY_BLOB_MAX) return ERR_TOO_LONG;
    if (!cert_form_find(key_blob_type(blob))) return pubkey_parse(blob, out);
    struct pubkey *k CLEANUP(pubkey_drop) = calloc(1, sizeof *k);
    if (!k) return ERR_NOMEM;
    k->blob = malloc(blob.n);
    if (!k->blob) return ERR_NOMEM;
    memcpy(k->blob, blob.p, blob.n);
    k->blob_n = blob.n;
    TRY(cert_fill(k));
    *out = k;
    k = NULL;
    return ERR_NONE;
}

const struct cert *pubkey_cert(const struct pubkey *k)
{
    return k->plain ? &k->cert : NULL;
}

const struct pubkey *pubkey_plain(const struct pubkey *k)
{
    return k->plain ? k->plain : k;
}

void pubkey_fingerprint_write(struct wr *w, const struct pubkey *k, enum fingerprint how)
{
    fingerprint_write(w, pubkey_blob(pubkey_plain(k)), how);
}

enum err pubkey_line_parse_any(struct bytes line, struct pubkey_line *view, struct pubkey **out)
{
    struct pubkey_line v;
    struct wr blob CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX);
    TRY(pubkey_line_split(line, &v));
    TRY(line_blob(v.type, v.base64, &blob));
    TRY(pubkey_parse_any(wr_bytes(&blob), out));
    *view = v;
    return ERR_NONE;
}

/* ---- writing ---- */

static bool name_is_bad(struct bytes b)
{
    return b.n == 0 || memchr(b.p, 0, b.n) || memchr(b.p, ',', b.n);
}

static void principals_write(struct wr *out, const struct cert_plan *plan)
{
    size_t mark = wr_begin(out);
    if (plan->principals_n > CERT_PRINCIPALS_MAX) wr_fail(out, ERR_RANGE);
    for (size_t i = 0; i < plan->principals_n && out->err == ERR_NONE; i++) {
        if (name_is_bad(plan->principals[i])) wr_fail(out, ERR_FORMAT);
        wr_string(out, plan->principals[i]);
    }
    wr_end(out, mark);
}

static int by_name(const void *a, const void *b)
{
    const struct cert_option *const *x = a, *const *y = b;
    return cert_option_order((*x)->name, (*y)->name);
}

static enum err options_write(struct wr *out, const struct cert_option *options, size_t n)
{
    const struct cert_option **sorted = calloc(n + 1, sizeof *sorted);
    if (!sorted) return ERR_NOMEM;
    for (size_t i = 0; i < n; i++) sorted[i] = &options[i];
    qsort(sorted, n, sizeof *sorted, by_name);
    size_t mark = wr_begin(out);
    for (size_t i = 0; i < n; i++) {
        bool twice = i > 0 && bytes_equal(sorted[i]->name, sorted[i - 1]->name);
        if (twice || name_is_bad(sorted[i]->name)) wr_fail(out, ERR_FORMAT);
        wr_string(out, sorted[i]->name);
        wr_string(out, sorted[i]->data);
    }
    wr_end(out, mark);
    free(sorted);
    return wr_done(out);
}

enum err cert_body_write(const struct cert_plan *plan, const struct pubkey *subject, const struct pubkey *ca, const struct random *random,
                         struct wr *out)
{
    const struct cert_form *form = cert_form_of_plain(pubkey_type(subject));
    if (!form || pubkey_cert(ca)) return ERR_KEY_TYPE;
    if (plan->valid_after >= plan->valid_before) return ERR_RANGE;
    if (plan->key_id.n && memchr(plan->key_id.p, 0, plan->key_id.n)) return ERR_FORMAT;
    struct rd r = rd_init(pubkey_blob(subject));
    uint8_t nonce[NONCE_LEN];
    TRY(random_fill(random, nonce, sizeof nonce));
    rd_string(&r);

    wr_cstring(out, form->type);
    wr_string(out, bytes_of(nonce, sizeof nonce));
    wr_raw(out, rd_rest(&r));
    wr_u64(out, plan->serial);
    wr_u32(out, plan->kind);
    wr_string(out, plan->key_id);
    principals_write(out, plan);
    wr_u64(out, plan->valid_after);
    wr_u64(out, plan->valid_before);
    TRY(options_write(out, plan->critical, plan->critical_n));
    TRY(options_write(out, plan->extensions, plan->extensions_n));
    wr_string(out, bytes_of(NULL, 0)); /* reserved */
    wr_string(out, pubkey_blob(ca));
    return wr_done(out);
}

enum err cert_write(struct bytes body, struct bytes signature, struct wr *out)
{
    wr_raw(out, body);
    wr_string(out, signature);
    return wr_done(out);
}
