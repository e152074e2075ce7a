/* SPDX-License-Identifier: ISC */
/* Dropbear's private key files: no frame, no passphrase, no comment; the type's name and the numbers as SSH strings. */
#include "key_format.h"

#define NUMBER_MAX (RSA_BITS_MAX / 8)

/* string type, then: mpint e, n, d, p, q / string curve, string point, mpint scalar / u32 64, seed, public key */
static const struct key_type *begin(struct bytes text, struct rd *r)
{
    *r = rd_init(text);
    const struct key_type *type = key_type_find(rd_string_max(r, 64));
    return r->err == ERR_NONE && type && (type == &key_type_rsa || type == &key_type_ed25519 || curve_is_plain(type)) ? type : NULL;
}

static void read_rsa(struct rd *r, struct wr *section)
{
    struct bytes e = rd_mpint(r, NUMBER_MAX), n = rd_mpint(r, NUMBER_MAX), d = rd_mpint(r, NUMBER_MAX), p = rd_mpint(r, NUMBER_MAX);
    struct bytes q = rd_mpint(r, NUMBER_MAX);
    struct secret iqmp CLEANUP(secret_clear) = {0};
    if (r->err != ERR_NONE) return;
    enum err err = p.n && q.n ? rsa_inverse(p, q, &iqmp) : ERR_KEY_INVALID;
    if (err != ERR_NONE) rd_fail(r, err);
    section_rsa(section, n, e, d, secret_bytes(&iqmp), p, q);
}

static void read_ecdsa(const struct key_type *type, struct rd *r, struct wr *section)
{
    struct bytes curve = rd_string(r), point = rd_string(r), scalar = rd_mpint(r, type->curve->field_len);
    if (r->err == ERR_NONE && !bytes_is(curve, type->curve->name)) rd_fail(r, ERR_KEY_INVALID);
    section_ecdsa(section, type, point, scalar);
}

/* The seed and the public half, which must be the seed's. */
static void read_ed25519(struct rd *r, struct wr *section)
{
    struct bytes both = rd_string_n(r, ED25519_SEED + ED25519_PUBLIC);
    if (r->err != ERR_NONE) return;
    section_ed25519(section, bytes_of(both.p, ED25519_SEED));
    if (section->err == ERR_NONE && memcmp(section->p + section->n - ED25519_PUBLIC, both.p + ED25519_SEED, ED25519_PUBLIC) != 0)
        rd_fail(r, ERR_KEY_INVALID);
}

static enum err parse_file(struct bytes text, struct bytes passphrase UNUSED, struct privkey **out, struct wr *comment UNUSED)
{
    struct wr section CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    struct rd r;
    const struct key_type *type = begin(text, &r);
    if (!type) return ERR_KEY_TYPE;
    if (type == &key_type_rsa) read_rsa(&r, &section);
    else if (type == &key_type_ed25519) read_ed25519(&r, &section);
    else read_ecdsa(type, &r, &section);
    TRY(rd_done(&r));
    return section_key(&section, out);
}

static bool is(struct bytes text)
{
    struct rd r;
    return begin(text, &r) != NULL;
}

static bool encrypted(struct bytes text UNUSED)
{
    return false;
}

static enum err write_file(const struct privkey *k, struct bytes comment UNUSED, const struct privkey_file_how *how,
                           const struct random *random UNUSED, struct wr *out)
{
    bool rsa = k->type == &key_type_rsa, ed25519 = k->type == &key_type_ed25519;
    if (how->passphrase.n || (!rsa && !ed25519 && !curve_is_plain(k->type))) return ERR_UNSUPPORTED;
    wr_cstring(out, k->type->name);
    if (rsa) {
        wr_mpint(out, secret_bytes(&k->rsa.e)), wr_mpint(out, secret_bytes(&k->rsa.n)), wr_mpint(out, secret_bytes(&k->rsa.d));
        wr_mpint(out, secret_bytes(&k->rsa.p)), wr_mpint(out, secret_bytes(&k->rsa.q));
    } else if (ed25519) {
        wr_u32(out, ED25519_SEED + ED25519_PUBLIC);
        wr_raw(out, secret_bytes(&k->scalar)), wr_raw(out, k->pub->point);
    } else {
        wr_cstring(out, k->type->curve->name);
        wr_string(out, k->pub->point);
        wr_mpint(out, secret_bytes(&k->scalar));
    }
    return wr_done(out);
}

const struct key_format key_format_dropbear = {PRIVKEY_DROPBEAR, is, encrypted, parse_file, NULL, write_file};
