/* SPDX-License-Identifier: ISC */
/* Revocation lists, file signatures, allowed signers. */
#include <stdlib.h>

#include "key/known_hosts.h"
#include "key/krl.h"
#include "key/sshsig.h"
#include "targets.h"

static struct pubkey *sample(void)
{
    static const uint8_t line[] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJR4HctOqWx1bjC0jhhmcFwN2crLRFtrjYkH9pxynZlF";
    struct pubkey *k = NULL;
    struct pubkey_line view;
    if (pubkey_line_parse(bytes_of(line, sizeof line - 1), &view, &k) != ERR_NONE) abort();
    return k;
}

static void spec(struct krl *k, struct wr *out)
{
    size_t unread;
    if (krl_spec_write(k, &unread, out) != ERR_NONE) abort();
}

/* A list that is read comes back the same when it is written. */
void fuzz_krl(struct bytes in)
{
    struct pubkey *key CLEANUP(pubkey_drop) = sample();
    struct krl *k CLEANUP(krl_drop) = NULL, *again CLEANUP(krl_drop) = NULL;
    struct wr blob CLEANUP(wr_clear) = wr_heap(1 << 26), a CLEANUP(wr_clear) = wr_heap(1 << 26), b CLEANUP(wr_clear) = wr_heap(1 << 26);
    if (revoked_parse(in, &k) != ERR_NONE) return;
    enum verdict before = krl_check(k, key);
    if (krl_write(k, 1, &blob) != ERR_NONE || krl_parse(wr_bytes(&blob), &again) != ERR_NONE) abort();
    spec(k, &a);
    spec(again, &b);
    if (!bytes_equal(wr_bytes(&a), wr_bytes(&b)) || krl_check(again, key) != before) abort();
    if (krl_facts(k).version != krl_facts(again).version || !bytes_equal(krl_facts(k).comment, krl_facts(again).comment)) abort();
}

bool seed_krl(unsigned i, struct wr *out)
{
    struct pubkey *key CLEANUP(pubkey_drop) = sample();
    struct krl *k CLEANUP(krl_drop) = krl_new();
    uint8_t digest[32] = {1};
    if (!k || i > 3) return false;
    const struct pubkey *ca = i & 1 ? key : NULL;
    bool made = krl_revoke_serials(k, ca, 1, i < 2 ? 4 : 100000) == ERR_NONE && krl_revoke_key_id(k, ca, BYTES_LIT("an id")) == ERR_NONE;
    for (uint64_t s = 1000; made && s < 1200; s += i + 2) made = krl_revoke_serials(k, ca, s, s) == ERR_NONE;
    if (i > 1) made = made && krl_revoke_key(k, key) == ERR_NONE && krl_revoke_hash(k, KRL_SHA256, bytes_of(digest, 32)) == ERR_NONE;
    if (i > 2) made = made && krl_revoke_hash(k, KRL_SHA1, bytes_of(digest, 20)) == ERR_NONE && krl_set_comment(k, BYTES_LIT("hm")) == ERR_NONE;
    return made && krl_write(k, 1, out) == ERR_NONE;
}

/* A file in its armour, or, from a byte 0 on, a blob; no fuzzer makes a signature over a digest of zeros. */
void fuzz_sshsig(struct bytes in)
{
    static const uint8_t digest[HASH_MAX];
    struct wr blob CLEANUP(wr_clear) = wr_heap(SSHSIG_FILE_MAX), made CLEANUP(wr_clear) = wr_heap(2 * SSHSIG_FILE_MAX);
    struct wr back CLEANUP(wr_clear) = wr_heap(SSHSIG_FILE_MAX);
    struct pubkey *key CLEANUP(pubkey_drop) = NULL;
    struct sshsig s;
    if (in.n && in.p[0] == 0) wr_raw(&blob, bytes_of(in.p + 1, in.n - 1));
    else if (sshsig_armour_parse(in, &blob) != ERR_NONE) return;
    if (wr_done(&blob) != ERR_NONE) return;
    sshsig_armour_write(&made, wr_bytes(&blob));
    if (wr_done(&made) != ERR_NONE || sshsig_armour_parse(wr_bytes(&made), &back) != ERR_NONE || !bytes_equal(wr_bytes(&back), wr_bytes(&blob))) abort();
    if (sshsig_parse(wr_bytes(&blob), &s) != ERR_NONE || pubkey_parse_any(s.key_blob, &key) != ERR_NONE) return;
    bool allowed = sshsig_alg_allowed(&s, key);
    if (sshsig_verify(&s, key, digest) == VERDICT_GOOD && !allowed) abort();
}

static uint64_t zone(int64_t wall_s)
{
    return wall_s > 0 ? (uint64_t)wall_s : 0;
}

void fuzz_allowed_signers(struct bytes in)
{
    struct pubkey *key CLEANUP(pubkey_drop) = sample();
    struct line_walk walk = {.rest = in};
    struct bytes line;
    while (line_next(&walk, &line)) {
        struct signer any CLEANUP(signer_clear) = {0}, one CLEANUP(signer_clear) = {0};
        const char *why = NULL;
        uint64_t at = 0;
        bool good = signer_parse(line, bytes_of(NULL, 0), zone, &any, &why) == ERR_NONE;
        bool mine = signer_parse(line, BYTES_LIT("me"), zone, &one, &why) == ERR_NONE;
        if (mine && !good) abort();
        if (good) (void)signer_match(&any, key), (void)signer_has_namespace(&any, BYTES_LIT("file"));
        if (good && any.valid_before && any.valid_before <= any.valid_after) abort();
        (void)!signer_time_parse(line, zone, &at);
    }
}
