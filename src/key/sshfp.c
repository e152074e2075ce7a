/* SPDX-License-Identifier: ISC */
#include "key/sshfp.h"

#include "base/rd.h"
#include "base/text.h"

static const struct hash_alg *const hashes[] = {[SSHFP_SHA1] = &hash_sha1, [SSHFP_SHA256] = &hash_sha256};

/* RFC 4255 3.1.1, RFC 6594 5.1, RFC 7479 */
uint8_t sshfp_algorithm(const struct pubkey *k)
{
    static const struct {
        const char *type;
        uint8_t number;
    } rows[] = {{"ssh-rsa", 1},
                {"ecdsa-sha2-nistp256", 3},
                {"ecdsa-sha2-nistp384", 3},
                {"ecdsa-sha2-nistp521", 3},
                {"ssh-ed25519", 4}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (strcmp(pubkey_type(k), rows[i].type) == 0) return rows[i].number;
    return 0;
}

enum err sshfp_write(const struct pubkey *k, const char *host, enum sshfp_hash hash, bool generic, struct wr *out)
{
    uint8_t digest[HASH_MAX], algorithm = sshfp_algorithm(k);
    size_t n = hashes[hash]->len;
    if (algorithm == 0) return ERR_UNSUPPORTED;
    for (const char *c = host; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) return ERR_FORMAT;
    TRY(hash_digest(hashes[hash], pubkey_blob(k), digest));
    wr_text(out, host);
    if (generic) wr_textf(out, " IN TYPE%u \\# %zu %02x %02x ", SSHFP_RR_TYPE, 2 + n, algorithm, hash);
    else wr_textf(out, " IN SSHFP %u %u ", algorithm, (unsigned)hash);
    hex_write(out, bytes_of(digest, n));
    wr_u8(out, '\n');
    return wr_done(out);
}

/* RFC 4255 3.1: one byte algorithm, one byte fingerprint type, the fingerprint. */
enum err sshfp_count(const struct pubkey *k, struct bytes rdata, struct sshfp_count *out)
{
    uint8_t digest[HASH_MAX], own = sshfp_algorithm(k);
    struct rd r = rd_init(rdata);
    uint8_t algorithm = rd_u8(&r), hash = rd_u8(&r);
    struct bytes said = rd_rest(&r);
    bool known = hash == SSHFP_SHA1 || hash == SSHFP_SHA256;
    if (rd_done(&r) != ERR_NONE || own == 0 || algorithm != own || !known || said.n != hashes[hash]->len) {
        out->other++;
        return ERR_NONE;
    }
    TRY(hash_digest(hashes[hash], pubkey_blob(k), digest));
    if (bytes_verify(digest, said.p, said.n) == VERDICT_GOOD) out->same++;
    else out->different++;
    return ERR_NONE;
}

enum sshfp_result sshfp_judge(const struct sshfp_count *c)
{
    if (c->different) return SSHFP_MISMATCH;
    return c->same ? SSHFP_MATCH : SSHFP_NONE;
}
