/* SPDX-License-Identifier: ISC */
/* Revocation lists from bytes: PROTOCOL.krl, and lines of public keys. */
#include <stdlib.h>

#include "base/rd.h"
#include "key/known_hosts.h"
#include "krl_list.h"
#include "line.h"

/* ---- certificate sections ---- */

static void read_list(struct krl *k, struct krl_ca *ca, struct rd *r)
{
    while (r->err == ERR_NONE && r->n) {
        uint64_t serial = rd_u64(r);
        enum err e = r->err == ERR_NONE ? krl_add_serials(k, ca, serial, serial) : ERR_NONE;
        if (e != ERR_NONE) rd_fail(r, e);
    }
}

static void read_range(struct krl *k, struct krl_ca *ca, struct rd *r)
{
    uint64_t lo = rd_u64(r), hi = rd_u64(r);
    enum err e = r->err == ERR_NONE ? krl_add_serials(k, ca, lo, hi) : ERR_NONE;
    if (e != ERR_NONE) rd_fail(r, e);
}

/* The number's bits, from the lowest, say of the serials from the offset on whether they are revoked. */
static enum err bitmap_add(struct krl *k, struct krl_ca *ca, uint64_t offset, struct bytes bits)
{
    while (bits.n && bits.p[0] == 0) bits.p++, bits.n--;
    for (size_t at = 0; at < bits.n; at++) {
        uint8_t byte = bits.p[bits.n - 1 - at];
        for (unsigned i = 0; byte >> i; i++) {
            if (!(byte >> i & 1)) continue;
            uint64_t serial = offset + 8 * at + i;
            if (serial < offset) return ERR_RANGE;
            TRY(krl_add_serials(k, ca, serial, serial));
        }
    }
    return ERR_NONE;
}

static void read_bitmap(struct krl *k, struct krl_ca *ca, struct rd *r)
{
    uint64_t offset = rd_u64(r);
    struct bytes bits = rd_string(r);
    if (r->err != ERR_NONE) return;
    enum err e = bits.n && (bits.p[0] & 0x80) ? ERR_FORMAT : bitmap_add(k, ca, offset, bits);
    if (e != ERR_NONE) rd_fail(r, e);
}

static void read_key_ids(struct krl *k, struct krl_ca *ca, struct rd *r)
{
    (void)k;
    while (r->err == ERR_NONE && r->n) {
        struct bytes id = rd_string(r);
        enum err e = r->err == ERR_NONE ? krl_add_key_id(ca, id) : ERR_NONE;
        if (e != ERR_NONE) rd_fail(r, e);
    }
}

/* Extensions may be passed over when they are not critical; we know none. */
static void read_extension(struct rd *r)
{
    struct bytes name = rd_string(r);
    bool critical = rd_bool(r);
    rd_string(r);
    if (r->err != ERR_NONE || r->n) return; /* left over: the caller's rd_done() */
    if (name.n && memchr(name.p, 0, name.n)) rd_fail(r, ERR_FORMAT);
    if (critical) rd_fail(r, ERR_UNSUPPORTED);
}

static void read_cert_extension(struct krl *k, struct krl_ca *ca, struct rd *r)
{
    (void)k, (void)ca;
    read_extension(r);
}

static const struct {
    enum krl_cert_section type;
    void (*read)(struct krl *k, struct krl_ca *ca, struct rd *r);
} cert_rows[] = {{KRL_SERIAL_LIST, read_list}, {KRL_SERIAL_RANGE, read_range}, {KRL_SERIAL_BITMAP, read_bitmap}, {KRL_KEY_ID, read_key_ids},
                 {KRL_CERT_EXTENSION, read_cert_extension}};

static enum err cert_part(struct krl *k, struct krl_ca *ca, uint8_t type, struct bytes data)
{
    for (size_t i = 0; i < COUNT_OF(cert_rows); i++) {
        if (cert_rows[i].type != type) continue;
        struct rd r = rd_init(data);
        cert_rows[i].read(k, ca, &r);
        return rd_done(&r);
    }
    return ERR_UNSUPPORTED;
}

/* string ca_key, string reserved; then parts of byte type, string data */
static enum err read_certificates(struct krl *k, struct rd *r)
{
    struct krl_ca *ca;
    struct bytes blob = rd_string(r);
    rd_string(r);
    if (r->err != ERR_NONE) return r->err;
    TRY(krl_ca_entry(k, blob, &ca));
    while (r->n) {
        uint8_t type = rd_u8(r);
        struct bytes data = rd_string(r);
        if (r->err != ERR_NONE) return r->err;
        TRY(cert_part(k, ca, type, data));
    }
    return ERR_NONE;
}

/* ---- sections ---- */

static enum err read_strings(struct blobs *s, size_t n, struct rd *r)
{
    while (r->n) {
        struct bytes b = n ? rd_string_n(r, n) : rd_string(r);
        if (r->err != ERR_NONE) return r->err;
        TRY(blobs_add(s, b));
    }
    return ERR_NONE;
}

static enum err section(struct krl *k, uint8_t type, struct bytes data)
{
    struct rd r = rd_init(data);
    switch (type) {
    case KRL_CERTIFICATES: TRY(read_certificates(k, &r)); break;
    case KRL_EXPLICIT_KEY: TRY(read_strings(&k->keys, 0, &r)); break;
    case KRL_FP_SHA1: TRY(read_strings(&k->hashes[KRL_SHA1], hash_sha1.len, &r)); break;
    case KRL_FP_SHA256: TRY(read_strings(&k->hashes[KRL_SHA256], hash_sha256.len, &r)); break;
    case KRL_EXTENSION: read_extension(&r); break;
    default: return ERR_UNSUPPORTED; /* signatures, too: nobody says which keys may make them */
    }
    return rd_done(&r);
}

bool krl_is(struct bytes text)
{
    return text.n >= 8 && get_u64(text.p) == KRL_MAGIC;
}

static enum err parse_into(struct krl *k, struct bytes file)
{
    struct rd r = rd_init(file);
    rd_u64(&r);
    if (rd_u32(&r) != KRL_FORMAT) rd_fail(&r, ERR_UNSUPPORTED);
    k->version = rd_u64(&r);
    k->made_s = rd_u64(&r);
    rd_u64(&r);     /* flags: none are defined */
    rd_string(&r);  /* reserved */
    k->comment = rd_string(&r);
    if (r.err == ERR_NONE && k->comment.n && memchr(k->comment.p, 0, k->comment.n)) rd_fail(&r, ERR_FORMAT);
    while (r.err == ERR_NONE && r.n) {
        uint8_t type = rd_u8(&r);
        struct bytes data = rd_string(&r);
        if (r.err == ERR_NONE) TRY(section(k, type, data));
    }
    return rd_done(&r);
}

enum err krl_parse(struct bytes text, struct krl **out)
{
    struct krl *k CLEANUP(krl_drop) = NULL;
    struct bytes file;
    if (!krl_is(text)) return ERR_VERSION;
    if (text.n > KRL_FILE_MAX) return ERR_TOO_LONG;
    k = krl_new();
    if (!k) return ERR_NOMEM;
    TRY(krl_keep(k, text, &file));
    TRY(parse_into(k, file));
    krl_settle(k);
    *out = k;
    k = NULL;
    return ERR_NONE;
}

/* ---- a list of keys ---- */

static enum err key_line(struct krl *k, struct bytes line)
{
    struct pubkey *key CLEANUP(pubkey_drop) = NULL;
    struct pubkey_line view;
    struct bytes rest;
    enum err e = line_begin(line, KNOWN_LINE_MAX, &rest);
    if (e == ERR_NOT_FOUND) return ERR_NONE;
    TRY(e);
    e = pubkey_line_parse_any(rest, &view, &key);
    if (e == ERR_KEY_TOO_SMALL) return ERR_NONE; /* no such key is ever accepted */
    TRY(e);
    return krl_revoke_key(k, key);
}

enum err revoked_parse(struct bytes text, struct krl **out)
{
    struct krl *k CLEANUP(krl_drop) = NULL;
    struct line_walk walk = {.rest = text};
    struct bytes line;
    if (krl_is(text)) return krl_parse(text, out);
    if (text.n > KRL_FILE_MAX) return ERR_TOO_LONG;
    k = krl_new();
    if (!k) return ERR_NOMEM;
    while (line_next(&walk, &line)) TRY(key_line(k, line));
    krl_settle(k);
    *out = k;
    k = NULL;
    return ERR_NONE;
}
