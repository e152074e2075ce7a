/* SPDX-License-Identifier: ISC */
/* ecdsa-sha2-nistp256/384/521 (RFC 5656). */
#include "key_type.h"

/* 3.1: string curve name, string point. */
static void read_public(struct pubkey *k, struct rd *r)
{
    const struct ec_curve *curve = k->type->curve;
    struct bytes name = rd_string(r);
    if (r->err == ERR_NONE && !bytes_is(name, curve->name)) rd_fail(r, ERR_KEY_INVALID);
    k->point = rd_string_max(r, 1 + 2 * curve->field_len);
    k->bits = curve->bits;
}

static enum err check_public(const struct pubkey *k)
{
    return ec_point_check(k->type->curve, k->point) == VERDICT_GOOD ? ERR_NONE : ERR_KEY_INVALID;
}

/* 3.1.2: mpint r, mpint s. */
static enum verdict verify(const struct pubkey *k, const struct sig_alg *alg UNUSED, struct bytes msg, struct bytes sig)
{
    struct rd rd = rd_init(sig);
    struct bytes r = rd_mpint(&rd, k->type->curve->field_len);
    struct bytes s = rd_mpint(&rd, k->type->curve->field_len);
    if (rd_done(&rd) != ERR_NONE || r.n == 0 || s.n == 0) return VERDICT_BAD;
    return ecdsa_verify(k->type->curve, k->point, msg, r, s);
}

static enum err generate(struct privkey *k, size_t bits UNUSED, const struct random *random UNUSED, struct wr *public_fields)
{
    uint8_t room[160];
    struct wr point = wr_span((struct span){room, sizeof room});
    TRY(ecdsa_generate(k->type->curve, &point, &k->scalar));
    TRY(wr_done(&point));
    wr_cstring(public_fields, k->type->curve->name);
    wr_string(public_fields, wr_bytes(&point));
    return wr_done(public_fields);
}

static enum err sign(const struct privkey *k, const struct sig_alg *alg UNUSED, struct bytes msg, struct wr *out)
{
    uint8_t r_room[72], s_room[72];
    struct wr r = wr_span((struct span){r_room, sizeof r_room}), s = wr_span((struct span){s_room, sizeof s_room});
    TRY(ecdsa_sign(k->type->curve, k->pub->point, secret_bytes(&k->scalar), msg, &r, &s));
    TRY(wr_done(&r));
    TRY(wr_done(&s));
    wr_mpint(out, wr_bytes(&r));
    wr_mpint(out, wr_bytes(&s));
    return wr_done(out);
}

/* PROTOCOL.key: string curve, string point, mpint scalar. */
static void read_private(struct privkey *k, struct rd *r, struct wr *public_fields)
{
    size_t len = k->type->curve->field_len;
    struct bytes name = rd_string(r);
    struct bytes point = rd_string_max(r, 1 + 2 * len);
    struct bytes scalar = rd_mpint(r, len);
    if (r->err != ERR_NONE) return;
    enum err e = secret_new(&k->scalar, len);
    if (e != ERR_NONE) {
        rd_fail(r, e);
        return;
    }
    if (scalar.n) memcpy(k->scalar.p + len - scalar.n, scalar.p, scalar.n);
    wr_string(public_fields, name);
    wr_string(public_fields, point);
}

static enum verdict check_pair(const struct privkey *k)
{
    return ecdsa_pair_check(k->type->curve, k->pub->point, secret_bytes(&k->scalar));
}

static void write_private(const struct privkey *k, struct wr *w)
{
    wr_cstring(w, k->type->curve->name);
    wr_string(w, k->pub->point);
    wr_mpint(w, secret_bytes(&k->scalar));
}

#define ROW(bits) \
    const struct key_type key_type_ecdsa##bits = { \
        .name = "ecdsa-sha2-nistp" #bits, \
        .short_name = "ECDSA", \
        .curve = &ec_nistp##bits, \
        .pem = true, \
        .read_public = read_public, \
        .check_public = check_public, \
        .verify = verify, \
        .generate = generate, \
        .sign = sign, \
        .read_private = read_private, \
        .check_pair = check_pair, \
        .write_private = write_private, \
    }
ROW(256);
ROW(384);
ROW(521);
