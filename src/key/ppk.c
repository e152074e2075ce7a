/* SPDX-License-Identifier: ISC */
/* PuTTY's private key files, versions 2 and 3 (appendix "PPK file format" of PuTTY's manual): lines of fields, the SSH public blob, the
 * private numbers, and a MAC over all of it. */
#include "base/text.h"
#include "crypto/kdf.h"
#include "key_format.h"
#include "armour.h"
#include "line.h"

#define MAGIC     "PuTTY-User-Key-File-"
#define CIPHER    "aes256-cbc"
#define MAC_KEY_2 "putty-private-key-file-mac-key"
#define WIDTH     64

enum { KEY_LEN = 32, IV_LEN = 16, BLOCK = 16, MAC_KEY_LEN = 32, KEYS_LEN = KEY_LEN + IV_LEN + MAC_KEY_LEN, SALT_LEN = 16, SALT_MIN = 8 };
/* What we ask of a file that we write: RFC 9106's second choice, in one lane. */
static const struct argon2_cost our_cost = {ARGON2ID, 65536, 3, 1};

static const struct {
    const char *name;
    enum argon2_kind kind;
} kinds[] = {{"Argon2id", ARGON2ID}, {"Argon2i", ARGON2I}, {"Argon2d", ARGON2D}};

/* The fields of a file. Views into its text but for what was decoded. */
struct ppk {
    bool v3, encrypted;
    struct bytes type, encryption, comment;
    struct argon2_cost cost;
    uint8_t salt[64];
    size_t salt_n;
    struct bytes mac;           /* in hex */
    struct wr public, private;  /* decoded */
};

static void ppk_clear(struct ppk *p)
{
    wr_clear(&p->public);
    wr_clear(&p->private);
}

/* ---- lines ---- */

/* The value of the next line, which must be "name: value"; after an error nothing more is taken. */
static struct bytes field(struct rd *r, const char *name)
{
    struct bytes rest = bytes_of(r->p, r->n), line = line_take(&rest);
    size_t n = strlen(name);
    if (r->err != ERR_NONE) return (struct bytes){0};
    if (!bytes_starts(line, name) || line.n < n + 2 || line.p[n] != ':' || line.p[n + 1] != ' ') {
        rd_fail(r, ERR_FORMAT);
        return (struct bytes){0};
    }
    r->p = rest.p, r->n = rest.n;
    return bytes_of(line.p + n + 2, line.n - n - 2);
}

static uint32_t number_field(struct rd *r, const char *name)
{
    uint64_t v = 0;
    struct bytes text = field(r, name);
    enum err e = r->err == ERR_NONE ? text_to_u64(text, UINT32_MAX, &v) : ERR_NONE;
    if (e != ERR_NONE) rd_fail(r, e);
    return (uint32_t)v;
}

/* "name: count" and as many lines of base64. */
static void base64_field(struct rd *r, const char *name, struct wr *out)
{
    struct wr flat CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    if (r->err != ERR_NONE) return;
    uint32_t lines = number_field(r, name);
    if (r->err == ERR_RANGE) r->err = ERR_FORMAT;      /* that is for what a KDF may cost */
    if (r->err != ERR_NONE) return;
    struct bytes rest = bytes_of(r->p, r->n);
    for (uint32_t i = 0; i < lines && rest.n; i++) wr_raw(&flat, line_take(&rest));
    enum err e = wr_done(&flat);
    if (e == ERR_NONE) e = base64_parse(wr_bytes(&flat), out);
    if (e != ERR_NONE) rd_fail(r, e);
    r->p = rest.p, r->n = rest.n;
}

static void kdf_fields(struct rd *r, struct ppk *p)
{
    struct bytes name = field(r, "Key-Derivation");
    bool known = false;
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (bytes_is(name, kinds[i].name)) p->cost.kind = kinds[i].kind, known = true;
    if (r->err == ERR_NONE && !known) rd_fail(r, ERR_UNSUPPORTED);
    p->cost.kib = number_field(r, "Argon2-Memory");
    p->cost.passes = number_field(r, "Argon2-Passes");
    p->cost.lanes = number_field(r, "Argon2-Parallelism");
    struct wr salt = wr_span((struct span){p->salt, sizeof p->salt});
    enum err e = hex_parse(field(r, "Argon2-Salt"), &salt);
    if (r->err == ERR_NONE && e != ERR_NONE) rd_fail(r, e);
    p->salt_n = salt.n;
}

static enum err ppk_parse(struct bytes text, struct ppk *out)
{
    struct ppk p CLEANUP(ppk_clear) = {.public = wr_heap(PUBKEY_BLOB_MAX), .private = wr_heap(KEY_FILE_MAX)};
    struct rd r = rd_init(text);
    p.v3 = bytes_starts(text, MAGIC "3: ");
    p.type = field(&r, p.v3 ? MAGIC "3" : MAGIC "2");
    p.encryption = field(&r, "Encryption");
    p.comment = field(&r, "Comment");
    base64_field(&r, "Public-Lines", &p.public);
    p.encrypted = bytes_is(p.encryption, CIPHER);
    if (r.err == ERR_NONE && !p.encrypted && !bytes_is(p.encryption, "none")) return ERR_UNSUPPORTED;
    if (p.v3 && p.encrypted) kdf_fields(&r, &p);
    base64_field(&r, "Private-Lines", &p.private);
    p.mac = field(&r, "Private-MAC");
    while (r.err == ERR_NONE && r.n && (r.p[0] == '\n' || r.p[0] == '\r')) r.p++, r.n--;
    TRY(rd_done(&r));
    *out = p;
    p = (struct ppk){0};
    return ERR_NONE;
}

/* ---- keys and MAC ---- */

/* Version 2: SHA-1 of a counter and the passphrase, twice; the IV is zero; the MAC's key is a hash of its own. */
static enum err keys_v2(bool encrypted, struct bytes passphrase, uint8_t keys[KEYS_LEN], size_t *mac_key_n)
{
    uint8_t both[40];
    struct bytes mac_parts[] = {BYTES_LIT(MAC_KEY_2), encrypted ? passphrase : bytes_of(NULL, 0)};
    for (uint8_t i = 0; i < 2; i++) {
        uint8_t counter[4] = {0, 0, 0, i};
        struct bytes parts[] = {bytes_of(counter, sizeof counter), passphrase};
        TRY(hash_sha1.digest(&hash_sha1, parts, COUNT_OF(parts), both + 20 * i));
    }
    memset(keys, 0, KEYS_LEN);
    memcpy(keys, both, KEY_LEN);
    wipe(both, sizeof both);
    *mac_key_n = hash_sha1.len;
    return hash_sha1.digest(&hash_sha1, mac_parts, COUNT_OF(mac_parts), keys + KEY_LEN + IV_LEN);
}

/* Cipher key, IV and MAC key into keys. */
static enum err keys_derive(const struct ppk *p, struct bytes passphrase, uint8_t keys[KEYS_LEN], size_t *mac_key_n)
{
    if (!p->v3) return keys_v2(p->encrypted, passphrase, keys, mac_key_n);
    *mac_key_n = p->encrypted ? MAC_KEY_LEN : 0;
    if (!p->encrypted) return ERR_NONE;
    const struct argon2_cost *c = &p->cost;
    if (p->salt_n < SALT_MIN) return ERR_FORMAT;
    if (c->kib > ARGON2_KIB_MAX || c->lanes > ARGON2_LANES_MAX || (uint64_t)c->kib * c->passes > ARGON2_WORK_MAX) return ERR_RANGE;
    if (!argon2_there()) return ERR_UNSUPPORTED;
    return argon2_derive(c, passphrase, bytes_of(p->salt, p->salt_n), (struct span){keys, KEYS_LEN});
}

static enum err mac_make(const struct ppk *p, struct bytes mac_key, uint8_t *out)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(2 * KEY_FILE_MAX);
    wr_string(&text, p->type);
    wr_string(&text, p->encryption);
    wr_string(&text, p->comment);
    wr_string(&text, wr_bytes(&p->public));
    wr_string(&text, wr_bytes(&p->private));
    TRY(wr_done(&text));
    struct bytes all = wr_bytes(&text);
    return hmac_digest(p->v3 ? &hash_sha256 : &hash_sha1, mac_key, &all, 1, out);
}

static enum err mac_check(const struct ppk *p, struct bytes mac_key)
{
    size_t len = p->v3 ? hash_sha256.len : hash_sha1.len;
    uint8_t said[HASH_MAX], want[HASH_MAX];
    struct wr w = wr_span((struct span){said, sizeof said});
    TRY(hex_parse(p->mac, &w));
    TRY(mac_make(p, mac_key, want));
    if (w.n == len && bytes_verify(said, want, len) == VERDICT_GOOD) return ERR_NONE;
    return p->encrypted ? ERR_PASSPHRASE : ERR_KEY_INVALID;
}

/* Decrypts the private half in place and holds all against the MAC. */
static enum err ppk_open(struct ppk *p, struct bytes passphrase)
{
    struct secret keys CLEANUP(secret_clear) = {0};
    size_t mac_key_n = 0;
    TRY(secret_new(&keys, KEYS_LEN));
    if (p->encrypted && passphrase.n == 0) return ERR_PASSPHRASE;
    TRY(keys_derive(p, passphrase, keys.p, &mac_key_n));
    if (p->encrypted) {
        const struct file_cipher *c = file_cipher_find(BYTES_LIT(CIPHER));
        if (!c || p->private.n % BLOCK) return ERR_FORMAT;
        TRY(file_cipher_run(c, false, keys.p, keys.p + KEY_LEN, (struct span){p->private.p, p->private.n}, NULL));
    }
    return mac_check(p, bytes_of(keys.p + KEY_LEN + IV_LEN, mac_key_n));
}

/* ---- the key ---- */

static void section_of_rsa(struct rd *pub, struct rd *priv, struct wr *section)
{
    size_t max = RSA_BITS_MAX / 8;
    struct bytes e = rd_mpint(pub, max), n = rd_mpint(pub, max);
    struct bytes d = rd_mpint(priv, max), p = rd_mpint(priv, max), q = rd_mpint(priv, max), iqmp = rd_mpint(priv, max);
    section_rsa(section, n, e, d, iqmp, p, q);
}

static void section_of_ecdsa(const struct key_type *type, struct rd *pub, struct rd *priv, struct wr *section)
{
    rd_string(pub);
    struct bytes point = rd_string(pub);
    section_ecdsa(section, type, point, rd_mpint(priv, type->curve->field_len));
}

/* The seed as a little endian number, of which old versions leave out zeros at the end. */
static void section_of_ed25519(struct rd *pub, struct rd *priv, struct wr *section)
{
    uint8_t seed[ED25519_SEED] = {0};
    struct bytes said = rd_string_max(priv, sizeof seed);
    rd_string(pub);
    if (said.n) memcpy(seed, said.p, said.n);
    section_ed25519(section, bytes_of(seed, sizeof seed));
    wipe(seed, sizeof seed);
}

static enum err ppk_key(const struct ppk *p, struct privkey **out)
{
    struct wr section CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    struct privkey *k CLEANUP(privkey_drop) = NULL;
    struct rd pub = rd_init(wr_bytes(&p->public)), priv = rd_init(wr_bytes(&p->private));
    struct bytes name = rd_string(&pub);
    if (!bytes_equal(name, p->type)) return ERR_KEY_INVALID;
    const struct key_type *type = key_type_find(name);
    if (type == &key_type_rsa) section_of_rsa(&pub, &priv, &section);
    else if (type == &key_type_ed25519) section_of_ed25519(&pub, &priv, &section);
    else if (type && curve_is_plain(type)) section_of_ecdsa(type, &pub, &priv, &section);
    else return ERR_KEY_TYPE;
    TRY(rd_done(&pub));
    if (priv.err != ERR_NONE) return priv.err;
    if (rd_rest(&priv).n >= (p->encrypted ? BLOCK : 1)) return ERR_TRAILING;     /* padding may have any value */
    TRY(section_key(&section, &k));
    if (!bytes_equal(pubkey_blob(k->pub), wr_bytes(&p->public))) return ERR_KEY_INVALID;
    *out = k;
    k = NULL;
    return ERR_NONE;
}

static enum err parse_file(struct bytes text, struct bytes passphrase, struct privkey **out, struct wr *comment)
{
    struct ppk p CLEANUP(ppk_clear) = {0};
    struct privkey *k CLEANUP(privkey_drop) = NULL;
    TRY(ppk_parse(text, &p));
    TRY(ppk_open(&p, passphrase));
    TRY(ppk_key(&p, &k));
    if (comment) {
        wr_raw(comment, p.comment);
        TRY(wr_done(comment));
    }
    *out = k;
    k = NULL;
    return ERR_NONE;
}

static enum err public_half(struct bytes text, struct pubkey **out)
{
    struct ppk p CLEANUP(ppk_clear) = {0};
    TRY(ppk_parse(text, &p));
    return pubkey_parse(wr_bytes(&p.public), out);
}

static bool is(struct bytes text)
{
    return bytes_starts(text, MAGIC "2: ") || bytes_starts(text, MAGIC "3: ");
}

static bool encrypted(struct bytes text)
{
    struct ppk p CLEANUP(ppk_clear) = {0};
    return ppk_parse(text, &p) == ERR_NONE && p.encrypted;
}

/* ---- writing, version 3 ---- */

static enum err private_fields(const struct privkey *k, struct wr *w)
{
    if (k->type == &key_type_rsa) {
        wr_mpint(w, secret_bytes(&k->rsa.d)), wr_mpint(w, secret_bytes(&k->rsa.p)), wr_mpint(w, secret_bytes(&k->rsa.q));
        wr_mpint(w, secret_bytes(&k->rsa.iqmp));
    } else if (k->type == &key_type_ed25519) {
        wr_string(w, secret_bytes(&k->scalar));
    } else if (curve_is_plain(k->type)) {
        wr_mpint(w, secret_bytes(&k->scalar));
    } else {
        return ERR_UNSUPPORTED;
    }
    return wr_done(w);
}

/* Pads and encrypts what the MAC was made over. */
static enum err private_seal(struct ppk *p, struct bytes passphrase, const struct random *random, uint8_t mac[HASH_MAX])
{
    struct secret keys CLEANUP(secret_clear) = {0};
    size_t mac_key_n, pad = p->encrypted ? (BLOCK - p->private.n % BLOCK) % BLOCK : 0;
    TRY(secret_new(&keys, KEYS_LEN));
    if (pad) {
        uint8_t *room = wr_room(&p->private, pad);
        if (!room) return p->private.err;
        TRY(random_fill(random, room, pad));
    }
    TRY(keys_derive(p, passphrase, keys.p, &mac_key_n));
    TRY(mac_make(p, bytes_of(keys.p + KEY_LEN + IV_LEN, mac_key_n), mac));
    if (!p->encrypted) return ERR_NONE;
    const struct file_cipher *c = file_cipher_find(BYTES_LIT(CIPHER));
    if (!c) return ERR_UNSUPPORTED;
    return file_cipher_run(c, true, keys.p, keys.p + KEY_LEN, (struct span){p->private.p, p->private.n}, NULL);
}

static void base64_lines(struct wr *w, const char *name, struct bytes data)
{
    wr_textf(w, "%s: %zu\n", name, ((data.n + 2) / 3 * 4 + WIDTH - 1) / WIDTH);
    base64_write_lines(w, WIDTH, data);
}

static void ppk_write(const struct ppk *p, const uint8_t *mac, struct wr *out)
{
    wr_textf(out, MAGIC "3: %.*s\nEncryption: %.*s\nComment: ", (int)p->type.n, (const char *)p->type.p, (int)p->encryption.n,
             (const char *)p->encryption.p);
    wr_raw(out, p->comment);
    wr_u8(out, '\n');
    base64_lines(out, "Public-Lines", wr_bytes(&p->public));
    if (p->encrypted) {
        wr_textf(out, "Key-Derivation: Argon2id\nArgon2-Memory: %u\nArgon2-Passes: %u\nArgon2-Parallelism: %u\nArgon2-Salt: ", p->cost.kib,
                 p->cost.passes, p->cost.lanes);
        hex_write(out, bytes_of(p->salt, p->salt_n));
        wr_u8(out, '\n');
    }
    base64_lines(out, "Private-Lines", wr_bytes(&p->private));
    wr_text(out, "Private-MAC: ");
    hex_write(out, bytes_of(mac, hash_sha256.len));
    wr_u8(out, '\n');
}

static enum err write_file(const struct privkey *k, struct bytes comment, const struct privkey_file_how *how, const struct random *random,
                           struct wr *out)
{
    struct ppk p CLEANUP(ppk_clear) = {.v3 = true, .encrypted = how->passphrase.n > 0, .type = bytes_str(k->type->name), .comment = comment,
                                       .cost = our_cost, .salt_n = SALT_LEN, .public = wr_heap(PUBKEY_BLOB_MAX), .private = wr_heap(KEY_FILE_MAX)};
    uint8_t mac[HASH_MAX];
    for (size_t i = 0; i < comment.n; i++)
        if (comment.p[i] == '\n' || comment.p[i] == '\r') return ERR_FORMAT;
    p.encryption = bytes_str(p.encrypted ? CIPHER : "none");
    TRY(random_fill(random, p.salt, SALT_LEN));
    wr_raw(&p.public, pubkey_blob(k->pub));
    TRY(wr_done(&p.public));
    TRY(private_fields(k, &p.private));
    TRY(private_seal(&p, how->passphrase, random, mac));
    ppk_write(&p, mac, out);
    return wr_done(out);
}

const struct key_format key_format_ppk = {PRIVKEY_PPK, is, encrypted, parse_file, public_half, write_file};
