/* SPDX-License-Identifier: ISC */
/* The constraints under which a key was added (RFC 9987 3.2.7, PROTOCOL.agent 2): read, matched, written down. */
#include <stdlib.h>

#include "base/text.h"
#include "impl.h"
#include "key/cert.h"

enum { CONSTRAIN_LIFETIME = 1, CONSTRAIN_CONFIRM = 2, CONSTRAIN_EXTENSION = 255 };

static void hop_clear(struct hop *h)
{
    for (size_t i = 0; i < h->keys_n; i++) pubkey_free(h->keys[i].key);
    free(h->keys);
    free((void *)(uintptr_t)h->user.p);
    free((void *)(uintptr_t)h->host.p);
    *h = (struct hop){0};
}

static void destination_clear(struct destination *d)
{
    hop_clear(&d->from);
    hop_clear(&d->to);
}

void constraints_clear(struct constraints *c)
{
    for (size_t i = 0; i < c->dests_n; i++) destination_clear(&c->dests[i]);
    free(c->dests);
    *c = (struct constraints){0};
}

/* ---- reading ---- */

/* A name: no NUL, since others cut it there. */
static enum err text_copy(struct bytes text, struct bytes *out)
{
    char *copy;
    if (text.n == 0) return ERR_NONE;
    copy = bytes_dup_str(text);
    if (!copy) return memchr(text.p, 0, text.n) ? ERR_FORMAT : ERR_NOMEM;
    *out = bytes_of(copy, text.n);
    return ERR_NONE;
}

static enum err hop_key_add(struct hop *h, struct rd *r)
{
    struct bytes blob = rd_string_max(r, PUBKEY_BLOB_MAX);
    bool ca = rd_bool(r);
    TRY(r->err);
    struct hop_key *more = realloc(h->keys, (h->keys_n + 1) * sizeof *more);
    if (!more) return ERR_NOMEM;
    h->keys = more;
    h->keys[h->keys_n] = (struct hop_key){.ca = ca};
    TRY(pubkey_parse(blob, &h->keys[h->keys_n].key));
    h->keys_n++;
    return ERR_NONE;
}

/* string user, string host, string reserved, then key and is_ca each. */
static enum err hop_parse(struct bytes in, struct hop *out)
{
    struct rd r = rd_init(in);
    struct bytes user = rd_string(&r);
    struct bytes host = rd_string(&r);
    struct bytes reserved = rd_string(&r);
    TRY(r.err);
    if (reserved.n) return ERR_UNSUPPORTED;
    TRY(text_copy(user, &out->user));
    TRY(text_copy(host, &out->host));
    while (r.n > 0 && r.err == ERR_NONE) TRY(hop_key_add(out, &r));
    return rd_done(&r);
}

/* string from, string to, string reserved. */
static enum err destination_parse(struct bytes in, struct destination *out)
{
    struct rd r = rd_init(in);
    struct bytes from = rd_string(&r);
    struct bytes to = rd_string(&r);
    struct bytes reserved = rd_string(&r);
    TRY(rd_done(&r));
    if (reserved.n) return ERR_UNSUPPORTED;
    TRY(hop_parse(from, &out->from));
    TRY(hop_parse(to, &out->to));
    /* a first hop has neither name nor keys; any other has both, and no user */
    if ((out->from.host.n == 0) != (out->from.keys_n == 0) || out->from.user.n) return ERR_FORMAT;
    return out->to.host.n == 0 || out->to.keys_n == 0 ? ERR_FORMAT : ERR_NONE;
}

static enum err destination_add(struct constraints *c, struct bytes in)
{
    struct destination d = {0};
    if (c->dests_n >= AGENT_DESTINATIONS_MAX) return ERR_BUDGET;
    struct destination *more = realloc(c->dests, (c->dests_n + 1) * sizeof *more);
    if (!more) return ERR_NOMEM;
    c->dests = more;
    enum err e = destination_parse(in, &d);
    if (e != ERR_NONE) {
        destination_clear(&d);
        return e;
    }
    c->dests[c->dests_n++] = d;
    return ERR_NONE;
}

static enum err destinations_parse(struct rd *r, struct constraints *c)
{
    struct rd list = rd_init(rd_string(r));
    TRY(r->err);
    if (c->dests_n) return ERR_FORMAT;
    do TRY(destination_add(c, rd_string(&list))); while (list.n > 0 && list.err == ERR_NONE);
    return rd_done(&list);
}

static enum err sk_provider_parse(struct rd *r, struct constraints *c)
{
    struct bytes name = rd_string_max(r, 4096);
    TRY(r->err);
    if (c->sk_provider.n || name.n == 0 || memchr(name.p, 0, name.n)) return ERR_FORMAT;
    c->sk_provider = name;
    return ERR_NONE;
}

static enum err certs_parse(struct rd *r, struct constraints *c)
{
    bool only = rd_bool(r);
    struct bytes certs = rd_string(r);
    TRY(r->err);
    if (c->has_certs) return ERR_FORMAT;
    c->has_certs = true, c->certs_only = only, c->certs = certs;
    return ERR_NONE;
}

static enum err extension_parse(struct rd *r, struct constraints *c)
{
    static const struct {
        const char *name;
        enum err (*parse)(struct rd *r, struct constraints *c);
    } rows[] = {{"restrict-destination-v00@openssh.com", destinations_parse},
                {"sk-provider@openssh.com", sk_provider_parse},
                {"associated-certs-v00@openssh.com", certs_parse}};
    struct bytes name = rd_string(r);
    TRY(r->err);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (bytes_is(name, rows[i].name)) return rows[i].parse(r, c);
    return ERR_UNSUPPORTED;
}

static enum err one_parse(struct rd *r, struct constraints *c)
{
    switch (rd_u8(r)) {
    case CONSTRAIN_LIFETIME:
        if (c->has_lifetime) return ERR_FORMAT;
        c->has_lifetime = true;
        c->lifetime_us = (uint64_t)rd_u32(r) * 1000000;
        return r->err;
    case CONSTRAIN_CONFIRM:
        if (c->confirm) return ERR_FORMAT;
        c->confirm = true;
        return ERR_NONE;
    case CONSTRAIN_EXTENSION: return extension_parse(r, c);
    default: return ERR_UNSUPPORTED;
    }
}

enum err constraints_parse(struct rd *r, struct constraints *out)
{
    struct constraints c CLEANUP(constraints_clear) = {0};
    while (r->n > 0 && r->err == ERR_NONE) TRY(one_parse(r, &c));
    TRY(rd_done(r));
    *out = c;
    c = (struct constraints){0};
    return ERR_NONE;
}

/* ---- matching ---- */

/* A plain key stands for itself; a certificate for its CA, where it names the host. It was judged when it was bound. */
static bool hop_has(const struct hop *h, const struct pubkey *key)
{
    const struct cert *cert = pubkey_cert(key);
    const struct pubkey *what = cert ? cert->ca : key;
    for (size_t i = 0; i < h->keys_n; i++) {
        if (h->keys[i].ca != (cert != NULL) || !bytes_equal(pubkey_blob(h->keys[i].key), pubkey_blob(what))) continue;
        if (!cert || cert_has_principal(cert, h->host)) return true;
    }
    return false;
}

static bool destination_fits(const struct destination *d, const struct pubkey *from, const struct pubkey *to, const struct bytes *user)
{
    if (from ? !hop_has(&d->from, from) : d->from.keys_n != 0) return false;
    if (to && !hop_has(&d->to, to)) return false;
    return !user || d->to.user.n == 0 || pattern_match(*user, d->to.user);
}

const struct destination *destination_find(const struct constraints *c, const struct pubkey *from, const struct pubkey *to, const struct bytes *user)
{
    for (size_t i = 0; i < c->dests_n; i++)
        if (destination_fits(&c->dests[i], from, to, user)) return &c->dests[i];
    return NULL;
}

void destination_write(struct wr *w, const struct destination *d)
{
    if (d->from.host.n) {
        wr_raw(w, d->from.host);
        wr_u8(w, '>');
    }
    if (d->to.user.n) {
        wr_raw(w, d->to.user);
        wr_u8(w, '@');
    }
    wr_raw(w, d->to.host);
}
