/* SPDX-License-Identifier: ISC */
/* Private keys of ssh.com's suite, RSA without passphrase: all that OpenSSH's -i reads. Its numbers have lengths in bits. */
#include "key_format.h"
#include "rfc4716.h"

#define MAGIC      0x3f6ff9eb
#define NUMBER_MAX (RSA_BITS_MAX / 8)

static struct bytes number(struct rd *r)
{
    uint32_t bits = rd_u32(r);
    if (bits > 8 * NUMBER_MAX) rd_fail(r, ERR_TOO_LONG);
    struct bytes b = rd_raw(r, bits / 8 + (bits % 8 != 0));
    while (b.n && b.p[0] == 0) b.p++, b.n--;
    return b;
}

/* One byte, or three where the first is below 30. */
static struct bytes exponent(struct rd *r)
{
    struct rd before = *r;
    struct bytes b = rd_raw(&before, rd_u8(r) < 30 ? 3 : 1);
    *r = before;
    while (b.n && b.p[0] == 0) b.p++, b.n--;
    return b;
}

/* u32 magic, u32 length, string type, string cipher, u32 length, u32, u32, then e, d, n, u, q, p */
static enum err parse_data(struct bytes data, struct privkey **out)
{
    struct wr section CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    struct rd r = rd_init(data);
    if (rd_u32(&r) != MAGIC) return ERR_FORMAT;
    rd_u32(&r);
    struct bytes type = rd_string(&r), cipher = rd_string(&r);
    rd_u32(&r), rd_u32(&r), rd_u32(&r);
    if (r.err != ERR_NONE) return r.err;
    if (!bytes_is(cipher, "none") || !memmem(type.p, type.n, "rsa", 3)) return ERR_UNSUPPORTED;
    struct bytes e = exponent(&r), d = number(&r), n = number(&r), u = number(&r), q = number(&r), p = number(&r);
    TRY(rd_done(&r));
    section_rsa(&section, n, e, d, u, p, q);
    return section_key(&section, out);
}

static enum err parse_file(struct bytes text, struct bytes passphrase UNUSED, struct privkey **out, struct wr *comment)
{
    struct wr data CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    TRY(rfc4716_parse(text, RFC4716_PRIVATE, &data, comment));
    return parse_data(wr_bytes(&data), out);
}

static bool is(struct bytes text)
{
    return rfc4716_is(text, RFC4716_PRIVATE);
}

static bool encrypted(struct bytes text UNUSED)
{
    return false;       /* those are not read */
}

const struct key_format key_format_sshcom = {PRIVKEY_SSHCOM, is, encrypted, parse_file, NULL, NULL};
