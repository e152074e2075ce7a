/* SPDX-License-Identifier: ISC */
/* Signatures over files (PROTOCOL.sshsig). */
#include "key/sshsig.h"

#include <stdlib.h>

#include "armour.h"
#include "base/limits.h"
#include "base/rd.h"
#include "base/text.h"

#define LABEL   "SSH SIGNATURE"
#define BEGIN   "-----BEGIN " LABEL "-----\n"
#define END     "\n-----END " LABEL "-----"
#define WIDTH   70
#define MAGIC   BYTES_LIT("SSHSIG")
#define VERSION 1

static const struct {
    const char *name;
    const struct hash_alg *hash;
} hashes[] = {{"sha256", &hash_sha256}, {"sha512", &hash_sha512}};

const struct hash_alg *sshsig_hash_find(struct bytes name)
{
    for (size_t i = 0; i < COUNT_OF(hashes); i++)
        if (bytes_is(name, hashes[i].name)) return hashes[i].hash;
    return NULL;
}

const char *sshsig_hash_name(const struct hash_alg *hash)
{
    for (size_t i = 0; i < COUNT_OF(hashes); i++)
        if (hashes[i].hash == hash) return hashes[i].name;
    return "";
}

/* ---- the armour ---- */

/* Other than in key files the base64 may hold white space anywhere and text may follow the END line, as OpenSSH has it. */
enum err sshsig_armour_parse(struct bytes text, struct wr *out)
{
    struct wr flat CLEANUP(wr_clear) = wr_heap(SSHSIG_FILE_MAX);
    size_t head = strlen(BEGIN);
    if (text.n > SSHSIG_FILE_MAX) return ERR_TOO_LONG;
    if (!bytes_starts(text, BEGIN)) return ERR_FORMAT;
    const uint8_t *from = text.p + head - 1, *end = memmem(from, text.n - head + 1, END, strlen(END));
    if (!end) return ERR_FORMAT;
    for (; from < end; from++)
        if (!memchr(" \t\n\v\f\r", *from, 6)) wr_u8(&flat, *from);
    TRY(wr_done(&flat));
    return base64_parse(wr_bytes(&flat), out);
}

void sshsig_armour_write(struct wr *w, struct bytes blob)
{
    armour_write(w, LABEL, WIDTH, blob);
}

/* ---- the blob ---- */

/* 2.: byte[6] magic, uint32 version, string publickey, namespace, reserved, hash_algorithm, signature */
enum err sshsig_parse(struct bytes blob, struct sshsig *out)
{
    struct sshsig s = {0};
    struct rd r = rd_init(blob);
    if (!bytes_equal(rd_raw(&r, MAGIC.n), MAGIC)) return ERR_FORMAT;
    if (rd_u32(&r) > VERSION) return r.err == ERR_NONE ? ERR_VERSION : ERR_FORMAT;
    s.key_blob = rd_string(&r);
    s.name_space = rd_string(&r);
    s.reserved = rd_string(&r);
    s.hash_name = rd_string(&r);
    s.signature = rd_string(&r);
    TRY(rd_done(&r));
    if (s.name_space.n == 0 || memchr(s.name_space.p, 0, s.name_space.n)) return ERR_FORMAT;
    *out = s;
    return ERR_NONE;
}

/* 3.: what is signed; without a version, so that a signature over another thing never is one */
static enum err signed_text(struct bytes name_space, struct bytes reserved, const struct hash_alg *hash, const uint8_t *digest, struct wr *out)
{
    wr_raw(out, MAGIC);
    wr_string(out, name_space);
    wr_string(out, reserved);
    wr_cstring(out, sshsig_hash_name(hash));
    wr_string(out, bytes_of(digest, hash->len));
    return wr_done(out);
}

enum err sshsig_text_write(struct bytes name_space, const struct hash_alg *hash, const uint8_t *digest, struct wr *out)
{
    if (name_space.n == 0 || memchr(name_space.p, 0, name_space.n)) return ERR_FORMAT;
    return signed_text(name_space, bytes_of(NULL, 0), hash, digest, out);
}

enum err sshsig_write(const struct pubkey *key, struct bytes name_space, const struct hash_alg *hash, struct bytes signature, struct wr *out)
{
    wr_raw(out, MAGIC);
    wr_u32(out, VERSION);
    wr_string(out, pubkey_blob(key));
    wr_string(out, name_space);
    wr_string(out, bytes_of(NULL, 0));
    wr_cstring(out, sshsig_hash_name(hash));
    wr_string(out, signature);
    return wr_done(out);
}

/* ---- algorithms ---- */

const struct sig_alg *sshsig_alg(const struct pubkey *key)
{
    const char *type = pubkey_type(pubkey_plain(key));
    return sig_alg_find(bytes_str(strcmp(type, "ssh-rsa") == 0 ? "rsa-sha2-512" : type));
}

struct bytes sshsig_alg_name(const struct sshsig *s)
{
    return key_blob_type(s->signature);
}

/* The algorithm of that name for keys of this kind; SHA-1 is none (2.: "MUST NOT"). */
static const struct sig_alg *alg_of(const struct sshsig *s, const struct pubkey *key)
{
    struct bytes name = sshsig_alg_name(s);
    const char *type = pubkey_type(pubkey_plain(key));
    for (const struct sig_alg *a = sig_algs; a->name; a++)
        if (strcmp(a->key_type, type) == 0 && bytes_is(name, a->sig_name) && strcmp(a->sig_name, "ssh-rsa") != 0) return a;
    return NULL;
}

bool sshsig_alg_allowed(const struct sshsig *s, const struct pubkey *key)
{
    return alg_of(s, key) != NULL;
}

enum verdict sshsig_verify(const struct sshsig *s, const struct pubkey *key, const uint8_t *digest)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(SSHSIG_FILE_MAX);
    const struct hash_alg *hash = sshsig_hash_find(s->hash_name);
    if (!hash || signed_text(s->name_space, s->reserved, hash, digest, &text) != ERR_NONE) return VERDICT_BAD;
    /* No touch of an authenticator is asked for, as by OpenSSH: who signs files in a batch has switched that off. */
    return pubkey_verify_facts(pubkey_plain(key), alg_of(s, key), wr_bytes(&text), s->signature, NULL);
}
