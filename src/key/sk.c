/* SPDX-License-Identifier: ISC */
/* sk-ssh-ed25519@openssh.com and sk-ecdsa-sha2-nistp256@openssh.com (PROTOCOL.u2f), with the browser's form of the latter's signatures. */
#include "key/sk.h"

#include <stdlib.h>

#include "base/text.h"
#include "key_type.h"

enum { HASH_LEN = 32, NUMBER_LEN = 32, FLAG_ATTESTED = 0x40, FLAG_EXTENSIONS = 0x80 };

/* ---- public halves ---- */

static void read_application(struct pubkey *k, struct rd *r)
{
    k->application = rd_string(r);
    if (k->application.n && memchr(k->application.p, 0, k->application.n)) rd_fail(r, ERR_KEY_INVALID);
    k->bits = 256;
}

static void ed25519_read_public(struct pubkey *k, struct rd *r)
{
    k->point = rd_string_n(r, ED25519_PUBLIC);
    read_application(k, r);
}

static void ecdsa_read_public(struct pubkey *k, struct rd *r)
{
    struct bytes curve = rd_string(r);
    if (r->err == ERR_NONE && !bytes_is(curve, ec_nistp256.name)) rd_fail(r, ERR_KEY_INVALID);
    k->point = rd_string_max(r, 1 + 2 * NUMBER_LEN);
    read_application(k, r);
}

static enum err ed25519_check_public(const struct pubkey *k UNUSED)
{
    return ERR_NONE; /* as ssh-ed25519 */
}

static enum err ecdsa_check_public(const struct pubkey *k)
{
    return ec_point_check(&ec_nistp256, k->point) == VERDICT_GOOD ? ERR_NONE : ERR_KEY_INVALID;
}

/* ---- verifying ---- */

/* What an authenticator signs: SHA256(application) || flags || counter || extensions || SHA256(message). */
static enum err signed_text(const struct pubkey *k, const struct sig_facts *facts, struct bytes extensions, struct bytes msg, struct wr *out)
{
    uint8_t digest[HASH_LEN];
    TRY(hash_digest(&hash_sha256, k->application, digest));
    wr_raw(out, bytes_of(digest, sizeof digest));
    wr_u8(out, facts->flags);
    wr_u32(out, facts->counter);
    wr_raw(out, extensions);
    TRY(hash_digest(&hash_sha256, msg, digest));
    wr_raw(out, bytes_of(digest, sizeof digest));
    return wr_done(out);
}

static void read_facts(struct rd *r, struct sig_facts *out)
{
    out->flags = rd_u8(r);
    out->counter = rd_u32(r);
}

static enum verdict ed25519_verify_sk(const struct pubkey *k, const struct sig_alg *alg UNUSED, struct bytes msg, struct bytes sig,
                                      struct rd *rest, struct sig_facts *out)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(256);
    read_facts(rest, out);
    if (rd_done(rest) != ERR_NONE || sig.n != ED25519_SIG) return VERDICT_BAD;
    if (signed_text(k, out, (struct bytes){0}, msg, &text) != ERR_NONE) return VERDICT_BAD;
    return ed25519_verify(k->point.p, wr_bytes(&text), sig);
}

/* Base64 for URLs (RFC 4648 5), without padding. */
static void base64url_write(struct wr *w, struct bytes b)
{
    size_t from = w->n;
    base64_write(w, b);
    if (w->err != ERR_NONE) return;
    while (w->n > from && w->p[w->n - 1] == '=') w->n--;
    for (size_t i = from; i < w->n; i++) w->p[i] = w->p[i] == '+' ? '-' : w->p[i] == '/' ? '_' : w->p[i];
}

/* A browser does not have the message signed but a text of its own, clientData, in which the message must stand first, as the challenge. The
 * standard fixes how that text begins (WebAuthn level 2, 5.8.1.1), so that no JSON needs to be read. */
static enum verdict client_data_check(struct bytes msg, struct bytes origin, struct bytes client_data)
{
    struct wr head CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
    if (origin.n && (memchr(origin.p, '"', origin.n) || memchr(origin.p, 0, origin.n))) return VERDICT_BAD;
    wr_text(&head, "{\"type\":\"webauthn.get\",\"challenge\":\"");
    base64url_write(&head, msg);
    wr_text(&head, "\",\"origin\":\"");
    wr_raw(&head, origin);
    wr_u8(&head, '"');
    if (wr_done(&head) != ERR_NONE || client_data.n < head.n) return VERDICT_BAD;
    return bytes_equal(wr_bytes(&head), bytes_of(client_data.p, head.n)) ? VERDICT_GOOD : VERDICT_BAD;
}

static enum verdict ecdsa_verify_sk(const struct pubkey *k, const struct sig_alg *alg, struct bytes msg, struct bytes sig, struct rd *rest,
                                    struct sig_facts *out)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
    struct bytes extensions = {0};
    read_facts(rest, out);
    if (strcmp(alg->sig_name, SIG_WEBAUTHN) == 0) {
        struct bytes origin = rd_string(rest), client_data = rd_string(rest);
        extensions = rd_string(rest);
        if (rest->err != ERR_NONE || client_data_check(msg, origin, client_data) != VERDICT_GOOD) return VERDICT_BAD;
        if (out->flags & FLAG_ATTESTED || !(out->flags & FLAG_EXTENSIONS) != (extensions.n == 0)) return VERDICT_BAD;
        msg = client_data;
    }
    struct rd numbers = rd_init(sig);
    struct bytes r = rd_mpint(&numbers, NUMBER_LEN), s = rd_mpint(&numbers, NUMBER_LEN);
    if (rd_done(rest) != ERR_NONE || rd_done(&numbers) != ERR_NONE || r.n == 0 || s.n == 0) return VERDICT_BAD;
    if (signed_text(k, out, extensions, msg, &text) != ERR_NONE) return VERDICT_BAD;
    return ecdsa_verify(&ec_nistp256, k->point, wr_bytes(&text), r, s);
}

/* ---- private halves ---- */

static void write_public(const struct pubkey *k, struct wr *w)
{
    if (k->type == &key_type_sk_ecdsa) wr_cstring(w, ec_nistp256.name);
    wr_string(w, k->point);
    wr_string(w, k->application);
}

/* The public fields, byte flags, string handle, string reserved. */
static void read_private(struct privkey *k, struct rd *r, struct wr *public_fields)
{
    if (k->type == &key_type_sk_ecdsa) wr_string(public_fields, rd_string(r));
    struct bytes point = rd_string_max(r, 1 + 2 * NUMBER_LEN), application = rd_string(r);
    uint8_t flags = rd_u8(r);
    struct bytes handle = rd_string_max(r, SK_HANDLE_MAX), reserved = rd_string_max(r, SK_HANDLE_MAX);
    if (r->err != ERR_NONE) return;
    wr_string(public_fields, point);
    wr_string(public_fields, application);
    k->sk_flags = flags;
    enum err e = secret_copy(&k->scalar, handle);
    if (e == ERR_NONE) e = secret_copy(&k->sk_reserved, reserved);
    if (e != ERR_NONE) rd_fail(r, e);
}

static enum verdict check_pair(const struct privkey *k UNUSED)
{
    return VERDICT_GOOD; /* only the authenticator knows */
}

static void write_private(const struct privkey *k, struct wr *w)
{
    write_public(k->pub, w);
    wr_u8(w, k->sk_flags);
    wr_string(w, secret_bytes(&k->scalar));
    wr_string(w, secret_bytes(&k->sk_reserved));
}

bool privkey_sk(const struct privkey *k, struct sk_private *out)
{
    if (!k->type->verify_sk) return false;
    *out = (struct sk_private){k->sk_flags, k->pub->application, secret_bytes(&k->scalar), secret_bytes(&k->sk_reserved)};
    return true;
}

enum err privkey_sk_new(const char *type, struct bytes public_key, const struct sk_private *half, struct privkey **out)
{
    const struct key_type *row = key_type_find(bytes_str(type));
    if (!row || !row->verify_sk) return ERR_KEY_TYPE;
    if (half->handle.n > SK_HANDLE_MAX || half->reserved.n > SK_HANDLE_MAX) return ERR_TOO_LONG;
    struct privkey *k CLEANUP(privkey_drop) = calloc(1, sizeof *k);
    if (!k) return ERR_NOMEM;
    k->type = row;
    k->sk_flags = half->flags;
    TRY(secret_copy(&k->scalar, half->handle));
    TRY(secret_copy(&k->sk_reserved, half->reserved));
    struct wr fields CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX);
    const struct pubkey shown = {.type = row, .point = public_key, .application = half->application};
    write_public(&shown, &fields);
    TRY(privkey_set_public(k, &fields));
    *out = k;
    k = NULL;
    return ERR_NONE;
}

enum err privkey_sk_set_flags(struct privkey *k, uint8_t flags)
{
    if (!k->type->verify_sk) return ERR_KEY_TYPE;
    k->sk_flags = flags;
    return ERR_NONE;
}

enum err sk_signature_write(const struct pubkey *k, const struct sk_answer *a, struct wr *out)
{
    bool ec = k->type == &key_type_sk_ecdsa;
    if (!ec && k->type != &key_type_sk_ed25519) return ERR_KEY_TYPE;
    if (ec ? a->r.n == 0 || a->r.n > NUMBER_LEN || a->s.n == 0 || a->s.n > NUMBER_LEN : a->r.n != ED25519_SIG) return ERR_SIGNATURE;
    wr_cstring(out, k->type->name);
    if (ec) {
        size_t mark = wr_begin(out);
        wr_mpint(out, a->r);
        wr_mpint(out, a->s);
        wr_end(out, mark);
    } else {
        wr_string(out, a->r);
    }
    wr_u8(out, a->flags);
    wr_u32(out, a->counter);
    return wr_done(out);
}

const struct key_type key_type_sk_ed25519 = {
    .name = "sk-ssh-ed25519@openssh.com",
    .short_name = "ED25519-SK",
    .read_public = ed25519_read_public,
    .check_public = ed25519_check_public,
    .verify_sk = ed25519_verify_sk,
    .read_private = read_private,
    .check_pair = check_pair,
    .write_private = write_private,
};

const struct key_type key_type_sk_ecdsa = {
    .name = "sk-ecdsa-sha2-nistp256@openssh.com",
    .short_name = "ECDSA-SK",
    .read_public = ecdsa_read_public,
    .check_public = ecdsa_check_public,
    .verify_sk = ecdsa_verify_sk,
    .read_private = read_private,
    .check_pair = check_pair,
    .write_private = write_private,
};
