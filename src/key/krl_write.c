/* SPDX-License-Identifier: ISC */
/* Revocation lists as bytes (PROTOCOL.krl) and as text. */
#include "base/text.h"
#include "krl_list.h"

/* ---- the file ---- */

static void put_strings(struct wr *w, const struct blobs *s)
{
    for (size_t i = 0; i < s->n; i++) wr_string(w, s->v[i]);
}

/* A section of strings; none where there are no strings. */
static void put_section(struct wr *w, uint8_t type, const struct blobs *s)
{
    if (s->n == 0) return;
    wr_u8(w, type);
    size_t mark = wr_begin(w);
    put_strings(w, s);
    wr_end(w, mark);
}

static enum err put_ca(struct wr *w, const struct krl_ca *ca)
{
    wr_u8(w, KRL_CERTIFICATES);
    size_t mark = wr_begin(w);
    wr_string(w, ca->key ? pubkey_blob(ca->key) : bytes_of(NULL, 0));
    wr_string(w, bytes_of(NULL, 0)); /* reserved */
    TRY(serials_write(ca->serials.v, ca->serials.n, w));
    put_section(w, KRL_KEY_ID, &ca->key_ids);
    wr_end(w, mark);
    return wr_done(w);
}

enum err krl_write(struct krl *k, uint64_t now_s, struct wr *out)
{
    krl_settle(k);
    wr_u64(out, KRL_MAGIC);
    wr_u32(out, KRL_FORMAT);
    wr_u64(out, k->version);
    wr_u64(out, now_s);
    wr_u64(out, 0);                      /* flags */
    wr_string(out, bytes_of(NULL, 0));   /* reserved */
    wr_string(out, k->comment);
    for (size_t i = 0; i < k->cas_n; i++) TRY(put_ca(out, &k->cas[i]));
    put_section(out, KRL_EXPLICIT_KEY, &k->keys);
    put_section(out, KRL_FP_SHA1, &k->hashes[KRL_SHA1]);
    put_section(out, KRL_FP_SHA256, &k->hashes[KRL_SHA256]);
    return wr_done(out);
}

/* ---- the text ---- */

static void hashes_show(struct wr *w, const struct blobs *s, const char *before)
{
    for (size_t i = 0; i < s->n; i++) {
        wr_text(w, before);
        hex_write(w, s->v[i]);
        wr_u8(w, '\n');
    }
}

static void ca_show(struct wr *w, const struct krl_ca *ca)
{
    if (ca->key) {
        wr_textf(w, "\n# CA key %s ", pubkey_type(ca->key));
        fingerprint_write(w, pubkey_blob(ca->key), FINGERPRINT_SHA256);
        wr_u8(w, '\n');
    } else {
        wr_text(w, "\n# Wildcard CA\n");
    }
    for (size_t i = 0; i < ca->serials.n; i++) {
        const struct run *r = &ca->serials.v[i];
        wr_textf(w, "serial: %llu", (unsigned long long)r->lo);
        if (r->hi != r->lo) wr_textf(w, "-%llu", (unsigned long long)r->hi);
        wr_u8(w, '\n');
    }
    for (size_t i = 0; i < ca->key_ids.n; i++) {
        wr_text(w, "id: ");
        escape_write(w, ca->key_ids.v[i], "\\");
        wr_u8(w, '\n');
    }
}

/* The words are OpenSSH's. SHA-1 hashes have no word in a specification, so they are comments. */
enum err krl_spec_write(struct krl *k, size_t *unread, struct wr *out)
{
    *unread = 0;
    krl_settle(k);
    for (size_t i = 0; i < k->keys.n; i++) {
        struct pubkey *key CLEANUP(pubkey_drop) = NULL;
        if (pubkey_parse_any(k->keys.v[i], &key) != ERR_NONE) {
            ++*unread;
            continue;
        }
        wr_text(out, "hash: ");
        fingerprint_write(out, pubkey_blob(key), FINGERPRINT_SHA256);
        wr_textf(out, " # %s\n", pubkey_type(key));
    }
    hashes_show(out, &k->hashes[KRL_SHA256], "hash: SHA256:");
    hashes_show(out, &k->hashes[KRL_SHA1], "# hash SHA1:");
    for (size_t i = 0; i < k->cas_n; i++) ca_show(out, &k->cas[i]);
    return wr_done(out);
}
