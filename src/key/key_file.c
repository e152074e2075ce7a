/* SPDX-License-Identifier: ISC */
/* Private key files in OpenSSH's own format (PROTOCOL.key): armour, clear half, encrypted section. */
#include "armour.h"
#include "key_format.h"

#define LABEL       "OPENSSH PRIVATE KEY"
#define MAGIC       "openssh-key-v1" /* followed by NUL */
#define LINE_WIDTH  70
#define SALT_LEN    16
#define ROUNDS      24
#define PLAIN_BLOCK 8
#define PADDING_MAX 255     /* more than the block needs, as puttygen pads to 16: OpenSSH takes any */
#define KEY_IV_MAX  128

/* The clear half and where the rest is; views into the decoded file. */
struct envelope {
    const struct file_cipher *cipher;   /* NULL: none */
    struct bytes salt;
    uint32_t rounds;
    struct bytes public_blob;
    struct bytes section, tag;
};

/* ---- envelope ---- */

static enum err kdf_parse(struct bytes kdf, struct bytes options, struct envelope *e)
{
    if (!e->cipher) return bytes_is(kdf, "none") && options.n == 0 ? ERR_NONE : ERR_FORMAT;
    if (!bytes_is(kdf, "bcrypt")) return ERR_UNSUPPORTED;
    struct rd r = rd_init(options);
    e->salt = rd_string(&r);
    e->rounds = rd_u32(&r);
    TRY(rd_done(&r));
    if (e->salt.n == 0 || e->rounds == 0) return ERR_FORMAT;
    return e->rounds <= BCRYPT_ROUNDS_MAX ? ERR_NONE : ERR_RANGE;
}

static enum err envelope_parse(struct bytes data, struct envelope *out)
{
    struct envelope e = {0};
    struct rd r = rd_init(data);
    struct bytes magic = rd_raw(&r, sizeof MAGIC);
    struct bytes cipher = rd_string(&r);
    struct bytes kdf = rd_string(&r);
    struct bytes options = rd_string(&r);
    uint32_t keys = rd_u32(&r);
    e.public_blob = rd_string_max(&r, PUBKEY_BLOB_MAX);
    e.section = rd_string(&r);
    e.tag = rd_rest(&r);
    TRY(rd_done(&r));
    if (!bytes_equal(magic, bytes_of(MAGIC, sizeof MAGIC)) || keys != 1) return ERR_FORMAT;
    if (!bytes_is(cipher, "none")) {
        e.cipher = file_cipher_find(cipher);
        if (!e.cipher) return ERR_UNSUPPORTED;
    }
    TRY(kdf_parse(kdf, options, &e));
    size_t block = e.cipher ? e.cipher->block_len : PLAIN_BLOCK;
    if (e.section.n < block || e.section.n % block) return ERR_FORMAT;
    if (e.tag.n != (e.cipher ? e.cipher->tag_len : 0)) return ERR_FORMAT;
    *out = e;
    return ERR_NONE;
}

/* Key and IV from the passphrase, then run the cipher over data in place. */
static enum err section_crypt(const struct file_cipher *c, bool encrypt, struct bytes passphrase, struct bytes salt,
                              uint32_t rounds, struct span data, uint8_t *tag)
{
    struct secret key CLEANUP(secret_clear) = {0};
    if (c->key_len + c->iv_len > KEY_IV_MAX) return ERR_UNSUPPORTED;
    TRY(secret_new(&key, c->key_len + c->iv_len));
    TRY(bcrypt_pbkdf(passphrase, salt, rounds, (struct span){key.p, key.n}));
    return file_cipher_run(c, encrypt, key.p, key.p + c->key_len, data, tag);
}

/* ---- section ---- */

/* u32 check, u32 check, the key, string comment, padding 1 2 3 ... up to the block. */
static enum err section_parse(struct bytes section, bool encrypted, struct privkey **out, struct bytes *comment)
{
    struct rd r = rd_init(section);
    uint32_t a = rd_u32(&r), b = rd_u32(&r);
    if (a != b) return encrypted ? ERR_PASSPHRASE : ERR_FORMAT;
    struct privkey *k CLEANUP(privkey_drop) = NULL;
    TRY(privkey_read(&r, &k));
    struct bytes text = rd_string(&r);
    struct bytes padding = rd_rest(&r);
    TRY(rd_done(&r));
    if (padding.n > PADDING_MAX) return ERR_FORMAT;
    for (size_t i = 0; i < padding.n; i++)
        if (padding.p[i] != (uint8_t)(i + 1)) return ERR_FORMAT;
    *comment = text;
    *out = k;
    k = NULL;
    return ERR_NONE;
}

static enum err parse_file(struct bytes text, struct bytes passphrase, struct privkey **out, struct wr *comment)
{
    struct wr data CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    struct envelope e;
    TRY(armour_parse(text, LABEL, &data));
    TRY(envelope_parse(wr_bytes(&data), &e));
    if (e.cipher && passphrase.n == 0) return ERR_PASSPHRASE;

    struct secret section CLEANUP(secret_clear) = {0};
    TRY(secret_new(&section, e.section.n + e.tag.n));
    memcpy(section.p, e.section.p, e.section.n);
    if (e.tag.n) memcpy(section.p + e.section.n, e.tag.p, e.tag.n);
    if (e.cipher)
        TRY(section_crypt(e.cipher, false, passphrase, e.salt, e.rounds, (struct span){section.p, e.section.n},
                          section.p + e.section.n));

    struct privkey *k CLEANUP(privkey_drop) = NULL;
    struct bytes said = {0};
    TRY(section_parse(bytes_of(section.p, e.section.n), e.cipher != NULL, &k, &said));
    /* The clear half is what others were shown: it must be this key's. */
    if (!bytes_equal(pubkey_blob(k->pub), e.public_blob)) return ERR_KEY_INVALID;
    if (comment) {
        wr_raw(comment, said);
        TRY(wr_done(comment));
    }
    *out = k;
    k = NULL;
    return ERR_NONE;
}

static enum err public_half(struct bytes text, struct pubkey **out)
{
    struct wr data CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    struct envelope e;
    TRY(armour_parse(text, LABEL, &data));
    TRY(envelope_parse(wr_bytes(&data), &e));
    return pubkey_parse(e.public_blob, out);
}

static bool is(struct bytes text)
{
    return armour_is(text, LABEL);
}

static bool encrypted(struct bytes text)
{
    struct wr data CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    struct envelope e;
    return armour_parse(text, LABEL, &data) == ERR_NONE && envelope_parse(wr_bytes(&data), &e) == ERR_NONE && e.cipher;
}

static enum err section_write(const struct privkey *k, struct bytes comment, size_t block, const struct random *random,
                              struct wr *w)
{
    uint8_t check[4];
    TRY(random_fill(random, check, sizeof check));
    wr_raw(w, bytes_of(check, sizeof check));
    wr_raw(w, bytes_of(check, sizeof check));
    privkey_write(k, w);
    wr_string(w, comment);
    for (uint8_t i = 1; w->err == ERR_NONE && w->n % block; i++) wr_u8(w, i);
    return wr_done(w);
}

static enum err write_file(const struct privkey *k, struct bytes comment, const struct privkey_file_how *how, const struct random *random,
                           struct wr *out)
{
    const char *name = how->passphrase.n == 0 ? "none" : how->cipher ? how->cipher : "aes256-ctr";
    const struct file_cipher *c = how->passphrase.n ? file_cipher_find(bytes_str(name)) : NULL;
    uint32_t rounds = how->rounds ? how->rounds : ROUNDS;
    uint8_t salt[SALT_LEN], tag[32] = {0};
    if (how->passphrase.n && !c) return ERR_UNSUPPORTED;
    if (rounds > BCRYPT_ROUNDS_MAX) return ERR_RANGE;

    struct wr section CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX / 2);
    TRY(section_write(k, comment, c ? c->block_len : PLAIN_BLOCK, random, &section));
    if (c) {
        TRY(random_fill(random, salt, sizeof salt));
        TRY(section_crypt(c, true, how->passphrase, bytes_of(salt, sizeof salt), rounds, (struct span){section.p, section.n},
                          tag));
    }

    struct wr data CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    wr_raw(&data, bytes_of(MAGIC, sizeof MAGIC));
    wr_cstring(&data, name);
    wr_cstring(&data, c ? "bcrypt" : "none");
    size_t options = wr_begin(&data);
    if (c) {
        wr_string(&data, bytes_of(salt, sizeof salt));
        wr_u32(&data, rounds);
    }
    wr_end(&data, options);
    wr_u32(&data, 1);
    wr_string(&data, pubkey_blob(k->pub));
    wr_string(&data, wr_bytes(&section));
    wr_raw(&data, bytes_of(tag, c ? c->tag_len : 0));
    TRY(wr_done(&data));
    armour_write(out, LABEL, LINE_WIDTH, wr_bytes(&data));
    return wr_done(out);
}

const struct key_format key_format_openssh = {PRIVKEY_OPENSSH, is, encrypted, parse_file, public_half, write_file};
