/* SPDX-License-Identifier: ISC */
/* The door for private key files: which form, and what the readers of the forms share. */
#include "key_format.h"

static const struct key_format *const formats[] = {&key_format_openssh, &key_format_pem, &key_format_pkcs8, &key_format_ppk,
                                                   &key_format_sshcom, &key_format_dropbear};

static const struct key_format *find(struct bytes text)
{
    for (size_t i = 0; i < COUNT_OF(formats); i++)
        if (formats[i]->is(text)) return formats[i];
    return NULL;
}

bool privkey_file_is(struct bytes text)
{
    return find(text) != NULL;
}

enum privkey_format privkey_file_format(struct bytes text)
{
    const struct key_format *f = find(text);
    return f ? f->id : PRIVKEY_OPENSSH;
}

bool privkey_file_encrypted(struct bytes text)
{
    const struct key_format *f = find(text);
    return f && f->encrypted(text);
}

/* A kind of armour that is not ours is told from garbage. */
static enum err unknown(struct bytes text)
{
    return bytes_starts(text, "-----BEGIN ") || bytes_starts(text, "PuTTY-User-Key-File-") ? ERR_UNSUPPORTED : ERR_FORMAT;
}

enum err privkey_file_parse(struct bytes text, struct bytes passphrase, struct privkey **out, struct wr *comment)
{
    const struct key_format *f = find(text);
    if (!f) return unknown(text);
    if (text.n > KEY_FILE_MAX) return ERR_TOO_LONG;
    return f->parse(text, passphrase, out, comment);
}

enum err privkey_file_public(struct bytes text, struct pubkey **out)
{
    const struct key_format *f = find(text);
    if (!f) return unknown(text);
    if (text.n > KEY_FILE_MAX) return ERR_TOO_LONG;
    if (f->public) return f->public(text, out);
    struct privkey *k CLEANUP(privkey_drop) = NULL;
    TRY(f->parse(text, (struct bytes){0}, &k, NULL));
    return pubkey_parse(pubkey_blob(k->pub), out);
}

enum err privkey_file_write(const struct privkey *k, struct bytes comment, const struct privkey_file_how *how,
                            const struct random *random, struct wr *out)
{
    for (size_t i = 0; i < COUNT_OF(formats); i++)
        if (formats[i]->id == how->format) return formats[i]->write ? formats[i]->write(k, comment, how, random, out) : ERR_UNSUPPORTED;
    return ERR_USAGE;
}

/* ---- sections ---- */

void section_rsa(struct wr *section, struct bytes n, struct bytes e, struct bytes d, struct bytes iqmp, struct bytes p, struct bytes q)
{
    wr_cstring(section, key_type_rsa.name);
    wr_mpint(section, n), wr_mpint(section, e), wr_mpint(section, d), wr_mpint(section, iqmp), wr_mpint(section, p);
    wr_mpint(section, q);
}

void section_ecdsa(struct wr *section, const struct key_type *type, struct bytes point, struct bytes scalar)
{
    wr_cstring(section, type->name);
    wr_cstring(section, type->curve->name);
    wr_string(section, point);
    wr_mpint(section, scalar);
}

void section_ed25519(struct wr *section, struct bytes seed)
{
    uint8_t public_key[ED25519_PUBLIC];
    enum err e = seed.n == ED25519_SEED ? ed25519_public(seed.p, public_key) : ERR_FORMAT;
    if (e != ERR_NONE) {
        wr_fail(section, e);
        return;
    }
    wr_cstring(section, key_type_ed25519.name);
    wr_string(section, bytes_of(public_key, sizeof public_key));
    wr_u32(section, ED25519_SEED + ED25519_PUBLIC);
    wr_raw(section, seed);
    wr_raw(section, bytes_of(public_key, sizeof public_key));
}

enum err section_key(const struct wr *section, struct privkey **out)
{
    struct privkey *k CLEANUP(privkey_drop) = NULL;
    TRY(wr_done(section));
    struct rd r = rd_init(wr_bytes(section));
    TRY(privkey_read(&r, &k));
    TRY(rd_done(&r));
    *out = k;
    k = NULL;
    return ERR_NONE;
}

/* ---- CBC with padding ---- */

static enum err cbc_run(const char *name, bool encrypt, struct bytes key_iv, struct span data, size_t *block_len)
{
    const struct file_cipher *c = file_cipher_find(bytes_str(name));
    if (!c || key_iv.n != c->key_len + c->iv_len) return ERR_UNSUPPORTED;
    if (data.n == 0 || data.n % c->block_len) return ERR_FORMAT;
    *block_len = c->block_len;
    return file_cipher_run(c, encrypt, key_iv.p, key_iv.p + c->key_len, data, NULL);
}

enum err cbc_open(const char *cipher, struct bytes key_iv, struct span data, size_t *n)
{
    size_t block;
    TRY(cbc_run(cipher, false, key_iv, data, &block));
    size_t pad = data.p[data.n - 1];
    bool good = pad >= 1 && pad <= block;
    for (size_t i = 0; good && i < pad; i++) good = data.p[data.n - 1 - i] == pad;
    if (!good) return ERR_PASSPHRASE;
    *n = data.n - pad;
    return ERR_NONE;
}

enum err cbc_seal(const char *cipher, struct bytes key_iv, struct bytes data, struct wr *out)
{
    const struct file_cipher *c = file_cipher_find(bytes_str(cipher));
    if (!c) return ERR_UNSUPPORTED;
    size_t pad = c->block_len - data.n % c->block_len;
    uint8_t *room = wr_room(out, data.n + pad);
    if (!room) return out->err;
    if (data.n) memcpy(room, data.p, data.n);
    memset(room + data.n, (int)pad, pad);
    return cbc_run(cipher, true, key_iv, (struct span){room, data.n + pad}, &pad);
}
