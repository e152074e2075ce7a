/* SPDX-License-Identifier: ISC */
/* Keys on authenticators and composite ones. The first byte: 0 to 2 a signature blob under a fixed key by each algorithm; 3 a key as in the inner
 * part of a key file; 4 a browser's signature that is truly signed, over flags, origin, client data and extensions that the input has. */
#include <stdlib.h>

#include "base/limits.h"
#include "base/rd.h"
#include "base/text.h"
#include "crypto/sign.h"
#include "key/sk.h"
#include "targets.h"

#define ED  "sk-ssh-ed25519@openssh.com"
#define EC  "sk-ecdsa-sha2-nistp256@openssh.com"
#define MSG BYTES_LIT("the message?>~")
#define HEAD "{\"type\":\"webauthn.get\",\"challenge\":\"dGhlIG1lc3NhZ2U_Pn4\",\"origin\":\""

static const struct sk_private half = {SK_PRESENCE, BYTES_LIT("ssh:"), BYTES_LIT("handle"), {0}};

/* An ECDSA key that lives as long as the process: what is signed must verify, which key it is does not matter. */
static const struct pubkey *ec_key(struct wr *point, struct secret *scalar)
{
    static struct privkey *made;
    static struct wr kept_point;
    static struct secret kept_scalar;
    if (!made) {
        kept_point = wr_heap(100);
        if (ecdsa_generate(&ec_nistp256, &kept_point, &kept_scalar) != ERR_NONE) abort();
        if (privkey_sk_new(EC, wr_bytes(&kept_point), &half, &made) != ERR_NONE) abort();
    }
    *point = kept_point;
    *scalar = kept_scalar;
    return privkey_public(made);
}

static void signature(unsigned which, struct bytes sig)
{
    static const uint8_t ed_public[ED25519_PUBLIC] = {0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7};
    struct privkey *k CLEANUP(privkey_drop) = NULL;
    struct wr point;
    struct secret scalar;
    struct sig_facts facts = {.counter = 7};
    const struct pubkey *pub = ec_key(&point, &scalar);
    if (which == 0) {
        if (privkey_sk_new(ED, bytes_of(ed_public, sizeof ed_public), &half, &k) != ERR_NONE) abort();
        pub = privkey_public(k);
    }
    const struct sig_alg *alg = sig_alg_find(bytes_str(which == 2 ? SIG_WEBAUTHN : pubkey_type(pub)));
    if (pubkey_verify_facts(pub, alg, MSG, sig, &facts) == VERDICT_GOOD) abort();
    if (facts.sk || facts.counter != 7) abort();
}

/* What can be read can be written, and is then the same. */
static void private_part(struct bytes in)
{
    struct rd r = rd_init(in);
    struct privkey *k CLEANUP(privkey_drop) = NULL, *again CLEANUP(privkey_drop) = NULL;
    struct wr w CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    if (privkey_read(&r, &k) != ERR_NONE) return;
    privkey_write(k, &w);
    struct rd back = rd_init(wr_bytes(&w));
    if (wr_done(&w) != ERR_NONE || privkey_read(&back, &again) != ERR_NONE || rd_done(&back) != ERR_NONE) abort();
    if (!bytes_equal(pubkey_blob(privkey_public(k)), pubkey_blob(privkey_public(again)))) abort();
}

static void hash_put(struct wr *w, struct bytes b)
{
    uint8_t hash[32];
    if (hash_digest(&hash_sha256, b, hash) != ERR_NONE) abort();
    wr_raw(w, bytes_of(hash, sizeof hash));
}

/* Good exactly if flags and extensions agree and the client data begins as it must. */
static void browser(struct bytes in)
{
    struct rd r = rd_init(in);
    uint8_t flags = rd_u8(&r);
    struct bytes origin = rd_string(&r), data = rd_string(&r), extensions = rd_string(&r);
    struct wr point, text CLEANUP(wr_clear) = wr_heap(1 << 16), sig CLEANUP(wr_clear) = wr_heap(1 << 17), head CLEANUP(wr_clear) = wr_heap(1 << 16);
    struct wr a CLEANUP(wr_clear) = wr_heap(64), b CLEANUP(wr_clear) = wr_heap(64);
    struct secret scalar;
    if (rd_done(&r) != ERR_NONE) return;
    const struct pubkey *pub = ec_key(&point, &scalar);
    hash_put(&text, half.application);
    wr_u8(&text, flags), wr_u32(&text, 1);
    wr_raw(&text, extensions);
    hash_put(&text, data);
    if (ecdsa_sign(&ec_nistp256, wr_bytes(&point), secret_bytes(&scalar), wr_bytes(&text), &a, &b) != ERR_NONE) abort();
    wr_cstring(&sig, SIG_WEBAUTHN);
    size_t mark = wr_begin(&sig);
    wr_mpint(&sig, wr_bytes(&a)), wr_mpint(&sig, wr_bytes(&b));
    wr_end(&sig, mark);
    wr_u8(&sig, flags), wr_u32(&sig, 1);
    wr_string(&sig, origin), wr_string(&sig, data), wr_string(&sig, extensions);
    wr_text(&head, HEAD), wr_raw(&head, origin), wr_u8(&head, '"');
    if (wr_done(&sig) != ERR_NONE || wr_done(&head) != ERR_NONE) return;
    bool plain = !origin.n || (!memchr(origin.p, '"', origin.n) && !memchr(origin.p, 0, origin.n));
    bool begins = data.n >= head.n && memcmp(data.p, head.p, head.n) == 0;
    bool agree = !(flags & 0x40) && !!(flags & 0x80) == (extensions.n > 0);
    bool good = pubkey_verify_facts(pub, sig_alg_find(BYTES_LIT(SIG_WEBAUTHN)), MSG, wr_bytes(&sig), NULL) == VERDICT_GOOD;
    if (good != (plain && begins && agree && sig.n <= SIGNATURE_MAX)) abort();
}

void fuzz_sk(struct bytes in)
{
    if (in.n < 1) return;
    struct bytes rest = {in.p + 1, in.n - 1};
    unsigned which = in.p[0] % 5;
    if (which < 3) signature(which, rest);
    else if (which == 3) private_part(rest);
    else browser(rest);
}

static void seed_private(unsigned i, struct wr *out)
{
    struct privkey *k CLEANUP(privkey_drop) = NULL;
    static const uint8_t ed_public[ED25519_PUBLIC] = {1};
    struct wr point;
    struct secret scalar;
    (void)ec_key(&point, &scalar);
    enum err e = i == 0   ? privkey_generate("ssh-mldsa44-ed25519@openssh.com", 0, &random_libcrypto, &k)
                 : i == 1 ? privkey_sk_new(ED, bytes_of(ed_public, sizeof ed_public), &half, &k) : privkey_sk_new(EC, wr_bytes(&point), &half, &k);
    if (e != ERR_NONE) abort();
    privkey_write(k, out);
}

static void seed_signature(unsigned i, struct wr *out)
{
    static const uint8_t zeros[64];
    wr_cstring(out, i == 0 ? ED : i == 1 ? EC : SIG_WEBAUTHN);
    size_t mark = wr_begin(out);
    if (i == 0) wr_raw(out, bytes_of(zeros, 64));
    else wr_mpint(out, BYTES_LIT("\x12\x34")), wr_mpint(out, BYTES_LIT("\x56\x78"));
    wr_end(out, mark);
    wr_u8(out, SK_PRESENCE), wr_u32(out, 9);
    if (i == 2) wr_cstring(out, "https://a"), wr_cstring(out, HEAD "https://a\"}"), wr_cstring(out, "");
}

bool seed_sk(unsigned i, struct wr *out)
{
    if (i > 7) return false;
    wr_u8(out, (uint8_t)(i < 3 ? i : i < 6 ? 3 : 4));
    if (i < 3) seed_signature(i, out);
    else if (i < 6) seed_private(i - 3, out);
    else {
        wr_u8(out, i == 6 ? 0x01 : 0x85);
        wr_cstring(out, "https://a"), wr_cstring(out, HEAD "https://a\",\"crossOrigin\":false}"), wr_cstring(out, i == 6 ? "" : "ext");
    }
    return true;
}
