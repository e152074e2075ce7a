/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/text.h"
#include "crypto/algs.h"
#include "crypto/moduli.h"
#include "crypto/pq.h"
#include "crypto/sign.h"

/* Run a whole exchange; both secrets must be equal, and not empty. */
static void exchange(const struct kex_alg *alg, struct wr *client, struct wr *server, struct secret *secret)
{
    struct secret other CLEANUP(secret_clear) = {0};
    struct kex_state *s;
    assert_int_equal(alg->start(alg, &random_libcrypto, NULL, client, &s), ERR_NONE);
    assert_int_equal(alg->reply(alg, &random_libcrypto, NULL, wr_bytes(client), server, &other), ERR_NONE);
    assert_int_equal(alg->finish(s, wr_bytes(server), secret), ERR_NONE);
    alg->free(s);
    assert_true(secret->n > 16);
    assert_true(bytes_equal(secret_bytes(secret), secret_bytes(&other)));
}

static void each_kex_agrees_and_refuses_wrong_lengths(void **state)
{
    (void)state;
    for (size_t i = 0; kex_all[i]; i++) {
        const struct kex_alg *alg = kex_all[i];
        if (alg->shape == KEX_SHAPE_GEX) continue;      /* needs a group: a test of its own */
        struct wr client CLEANUP(wr_clear) = wr_heap(KEX_PUBLIC_MAX), server CLEANUP(wr_clear) = wr_heap(KEX_PUBLIC_MAX);
        struct wr more CLEANUP(wr_clear) = wr_heap(KEX_PUBLIC_MAX);
        struct secret secret CLEANUP(secret_clear) = {0};
        assert_ptr_equal(kex_find(bytes_str(alg->name)), alg);
        exchange(alg, &client, &server, &secret);
        if (alg->shape != KEX_SHAPE_ECDH) continue;
        struct bytes cut = {client.p, client.n - 1};
        assert_int_equal(alg->reply(alg, &random_libcrypto, NULL, cut, &more, &secret), ERR_KEX);
        assert_int_equal(alg->reply(alg, &random_libcrypto, NULL, (struct bytes){0}, &more, &secret), ERR_KEX);
    }
}

static void dh_refuses_numbers_out_of_range(void **state)
{
    (void)state;
    const struct kex_alg *alg = &kex_dh_group14_sha256;
    static const uint8_t zero[1] = {0}, one[1] = {1}, two[1] = {2}, few[1] = {7};
    static uint8_t huge[257];
    memset(huge, 0xff, sizeof huge);
    const struct bytes bad[] = {{0}, {zero, 1}, {one, 1}, {two, 1}, {few, 1}, {huge, 256}, {huge, 257}, {huge, sizeof huge}};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct wr w CLEANUP(wr_clear) = wr_heap(KEX_PUBLIC_MAX);
        struct secret secret CLEANUP(secret_clear) = {0};
        assert_int_equal(alg->reply(alg, &random_libcrypto, NULL, bad[i], &w, &secret), ERR_KEX);
        assert_null(secret.p);
    }
}

/* GEX takes a group from a peer: the one of group14 works, small, even and huge ones and bad generators do not. */
static void gex_checks_the_group(void **state)
{
    (void)state;
    const struct kex_alg *alg = &kex_dh_gex_sha256;
    static uint8_t p[8192 / 8 + 8], g[1] = {2}, one[1] = {1};
    for (size_t i = 0; i < sizeof p; i++) p[i] = (uint8_t)(i * 37 + 129);
    p[0] = 0xff;
    const struct { size_t bytes; uint8_t last; struct bytes g; enum err err; } cases[] = {
        {256, 0x0b, {g, 1}, ERR_NONE}, {1024, 0x0b, {g, 1}, ERR_NONE}, {256, 0x0a, {g, 1}, ERR_KEX}, {255, 0x0b, {g, 1}, ERR_KEX},
        {1025, 0x0b, {g, 1}, ERR_KEX}, {1030, 0x0b, {g, 1}, ERR_KEX}, {256, 0x0b, {one, 1}, ERR_KEX}, {256, 0x0b, {0}, ERR_KEX},
        {256, 0x0b, {p, 256}, ERR_KEX}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct wr w CLEANUP(wr_clear) = wr_heap(KEX_PUBLIC_MAX), v CLEANUP(wr_clear) = wr_heap(KEX_PUBLIC_MAX);
        struct kex_state *s = NULL;
        uint8_t saved = p[cases[i].bytes - 1];
        struct kex_group group = {{p, cases[i].bytes}, cases[i].g};
        p[cases[i].bytes - 1] = cases[i].last;
        assert_int_equal(alg->start(alg, &random_libcrypto, &group, &w, &s), cases[i].err);
        if (s) {
            struct secret a CLEANUP(secret_clear) = {0}, b CLEANUP(secret_clear) = {0};
            assert_int_equal(alg->reply(alg, &random_libcrypto, &group, wr_bytes(&w), &v, &a), ERR_NONE);
            assert_int_equal(alg->finish(s, wr_bytes(&v), &b), ERR_NONE);
            assert_true(bytes_equal(secret_bytes(&a), secret_bytes(&b)));
            alg->free(s);
        }
        p[cases[i].bytes - 1] = saved;
    }
    struct wr w CLEANUP(wr_clear) = wr_heap(KEX_PUBLIC_MAX);
    struct kex_state *s;
    assert_int_equal(alg->start(alg, &random_libcrypto, NULL, &w, &s), ERR_USAGE);
}

static void aead_opens_only_what_was_sealed(void **state)
{
    (void)state;
    uint8_t key[64], iv[16], packet[100 + 16], copy[sizeof packet];
    for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t)i;
    memset(iv, 0xff, sizeof iv);
    for (size_t a = 0; cipher_all[a]; a++) {
        const struct cipher_alg *alg = cipher_all[a];
        if (alg->cls == CIPHER_STREAM) continue;
        for (size_t flip = 0; flip <= sizeof packet * 8; flip++) {
            struct cipher *seal = alg->new(alg, CIPHER_SEAL, key, iv), *open = alg->new(alg, CIPHER_OPEN, key, iv);
            assert_true(seal && open);
            for (uint32_t seq = 0; seq < 3; seq++) {
                for (size_t i = 0; i < 100; i++) packet[i] = (uint8_t)(i + seq);
                put_u32(packet, 96);
                memcpy(copy, packet, sizeof copy);
                assert_int_equal(alg->seal(seal, seq, packet, 100), ERR_NONE);
                assert_memory_not_equal(packet + 4, copy + 4, 96);
                bool last = seq == 2 && flip < sizeof packet * 8;
                if (last) packet[flip / 8] ^= (uint8_t)(1 << flip % 8);
                uint32_t length = get_u32(packet);
                if (alg->length) assert_int_equal(alg->length(open, seq, packet, &length), ERR_NONE);
                if (!last) assert_int_equal(length, 96);
                assert_int_equal(alg->open(open, seq, packet, 100), last ? VERDICT_BAD : VERDICT_GOOD);
                if (!last) assert_memory_equal(packet + 4, copy + 4, 96);
            }
            alg->free(seal), alg->free(open);
        }
    }
}

/* SP 800-38A F.2.1, F.2.3, F.2.5; for 3DES SP 800-67's example, whose blocks stand alone: chained by hand. */
static void cbc_matches_known_answers(void **state)
{
    (void)state;
    static const struct { const struct cipher_alg *alg; const char *key, *iv, *clear, *sealed; } cases[] = {
        {&cipher_aes128_cbc, "2b7e151628aed2a6abf7158809cf4f3c", "000102030405060708090a0b0c0d0e0f",
         "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
         "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b273bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"},
        {&cipher_aes192_cbc, "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", "000102030405060708090a0b0c0d0e0f",
         "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51", "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a"},
        {&cipher_aes256_cbc, "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", "000102030405060708090a0b0c0d0e0f",
         "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51", "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"},
        {&cipher_3des_cbc, "0123456789abcdef23456789abcdef01456789abcdef0123", "0000000000000000", "54686520717566636b2062726f776e20666f78206a756d70",
         "a826fd8ce53b855fcce21c8112256fe668d5c05dd9b6b900"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct cipher_alg *alg = cases[i].alg;
        uint8_t data[64], clear[64];
        struct wr room[4] = {wr_heap(64), wr_heap(64), wr_heap(64), wr_heap(64)};
        const char *const text[] = {cases[i].key, cases[i].iv, cases[i].clear, cases[i].sealed};
        for (size_t k = 0; k < 4; k++) assert_int_equal(hex_parse(bytes_str(text[k]), &room[k]), ERR_NONE);
        size_t n = room[2].n, block = alg->block_len;
        assert_true(room[0].n == alg->key_len && room[1].n == alg->iv_len && room[3].n == n);
        memcpy(data, room[2].p, n);
        if (block == 8)
            for (size_t k = block; k < n; k++) data[k] ^= room[3].p[k - block];
        memcpy(clear, data, n);
        /* block by block, and backwards in two parts: the chain goes on from call to call */
        struct cipher *seal = alg->new(alg, CIPHER_SEAL, room[0].p, room[1].p), *open = alg->new(alg, CIPHER_OPEN, room[0].p, room[1].p);
        assert_true(seal && open);
        for (size_t k = 0; k < n; k += block) assert_int_equal(alg->crypt(seal, data + k, block), ERR_NONE);
        assert_memory_equal(data, room[3].p, n);
        assert_int_equal(alg->crypt(open, data, block), ERR_NONE);
        assert_int_equal(alg->crypt(open, data + block, n - block), ERR_NONE);
        assert_memory_equal(data, clear, n);
        assert_int_equal(alg->crypt(seal, data, block + 1), ERR_CRYPTO);
        alg->free(seal), alg->free(open);
        for (size_t k = 0; k < 4; k++) wr_clear(&room[k]);
    }
}

static void cbc_modes_are_only_for_who_asks(void **state)
{
    (void)state;
    for (size_t i = 0; cipher_all[i]; i++) {
        const struct cipher_alg *alg = cipher_all[i];
        assert_int_equal(alg->chained, strstr(alg->name, "-cbc") != NULL);
        if (alg->chained) assert_false(names_has(bytes_str(cipher_default), bytes_str(alg->name)));
        /* RFC 4344 3.2; for blocks of 8 bytes 2^16 of them would be nothing: a gigabyte, as RFC 4253 9 has it */
        if (alg->cls == CIPHER_STREAM) assert_int_equal(alg->rekey_bytes, alg->block_len == 8 ? 1ULL << 30 : 1ULL << 36);
    }
}

static void ed25519_signs_and_refuses_all_else(void **state)
{
    (void)state;
    uint8_t seed[ED25519_SEED] = {7}, public_key[ED25519_PUBLIC], sig[ED25519_SIG];
    assert_int_equal(ed25519_public(seed, public_key), ERR_NONE);
    assert_int_equal(ed25519_sign(seed, BYTES_LIT("text"), sig), ERR_NONE);
    assert_int_equal(ed25519_verify(public_key, BYTES_LIT("text"), bytes_of(sig, 64)), VERDICT_GOOD);
    assert_int_equal(ed25519_verify(public_key, BYTES_LIT("texT"), bytes_of(sig, 64)), VERDICT_BAD);
    assert_int_equal(ed25519_verify(public_key, BYTES_LIT("text"), bytes_of(sig, 63)), VERDICT_BAD);
    for (size_t i = 0; i < sizeof sig * 8; i++) {
        sig[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_equal(ed25519_verify(public_key, BYTES_LIT("text"), bytes_of(sig, 64)), VERDICT_BAD);
        sig[i / 8] ^= (uint8_t)(1 << i % 8);
    }
}

static void ecdsa_signs_and_refuses_all_else(void **state)
{
    (void)state;
    static const struct ec_curve *const curves[] = {&ec_nistp256, &ec_nistp384, &ec_nistp521};
    for (size_t i = 0; i < COUNT_OF(curves); i++) {
        const struct ec_curve *c = curves[i];
        struct wr point CLEANUP(wr_clear) = wr_heap(200), r CLEANUP(wr_clear) = wr_heap(200), s CLEANUP(wr_clear) = wr_heap(200);
        struct secret scalar CLEANUP(secret_clear) = {0};
        assert_int_equal(ecdsa_generate(c, &point, &scalar), ERR_NONE);
        assert_int_equal(scalar.n, c->field_len);
        assert_int_equal(ec_point_check(c, wr_bytes(&point)), VERDICT_GOOD);
        assert_int_equal(ecdsa_pair_check(c, wr_bytes(&point), secret_bytes(&scalar)), VERDICT_GOOD);
        assert_int_equal(ecdsa_sign(c, wr_bytes(&point), secret_bytes(&scalar), BYTES_LIT("text"), &r, &s), ERR_NONE);
        assert_int_equal(ecdsa_verify(c, wr_bytes(&point), BYTES_LIT("text"), wr_bytes(&r), wr_bytes(&s)), VERDICT_GOOD);
        assert_int_equal(ecdsa_verify(c, wr_bytes(&point), BYTES_LIT("texT"), wr_bytes(&r), wr_bytes(&s)), VERDICT_BAD);
        assert_int_equal(ecdsa_verify(c, wr_bytes(&point), BYTES_LIT("text"), wr_bytes(&s), wr_bytes(&r)), VERDICT_BAD);
        assert_int_equal(ecdsa_verify(c, wr_bytes(&point), BYTES_LIT("text"), (struct bytes){0}, (struct bytes){0}), VERDICT_BAD);
        scalar.p[c->field_len - 1] ^= 1;
        assert_int_equal(ecdsa_pair_check(c, wr_bytes(&point), secret_bytes(&scalar)), VERDICT_BAD);
        point.p[5] ^= 1;
        assert_int_equal(ec_point_check(c, wr_bytes(&point)), VERDICT_BAD);
        assert_int_equal(ec_point_check(c, BYTES_LIT("\0")), VERDICT_BAD);
    }
}

static void rsa_signs_and_refuses_all_else(void **state)
{
    (void)state;
    struct rsa_numbers k CLEANUP(rsa_numbers_clear) = {0};
    struct wr sig CLEANUP(wr_clear) = wr_heap(1000);
    assert_int_equal(rsa_generate(1023, &k), ERR_RANGE);
    assert_int_equal(rsa_generate(2048, &k), ERR_NONE);
    struct rsa_private key = {secret_bytes(&k.n), secret_bytes(&k.e), secret_bytes(&k.d), secret_bytes(&k.iqmp), secret_bytes(&k.p),
                              secret_bytes(&k.q)};
    struct rsa_public public_key = {key.n, key.e};
    assert_int_equal(rsa_bits(key.n), 2048);
    assert_int_equal(rsa_check(&key), VERDICT_GOOD);
    static const struct hash_alg *const hashes[] = {&hash_sha1, &hash_sha256, &hash_sha512};
    for (size_t i = 0; i < COUNT_OF(hashes); i++) {
        sig.n = 0;
        assert_int_equal(rsa_sign(&key, hashes[i], BYTES_LIT("text"), &sig), ERR_NONE);
        assert_int_equal(sig.n, 256);
        assert_int_equal(rsa_verify(&public_key, hashes[i], BYTES_LIT("text"), wr_bytes(&sig)), VERDICT_GOOD);
        assert_int_equal(rsa_verify(&public_key, hashes[i], BYTES_LIT("texT"), wr_bytes(&sig)), VERDICT_BAD);
        assert_int_equal(rsa_verify(&public_key, hashes[(i + 1) % 3], BYTES_LIT("text"), wr_bytes(&sig)), VERDICT_BAD);
        assert_int_equal(rsa_verify(&public_key, hashes[i], BYTES_LIT("text"), (struct bytes){0}), VERDICT_BAD);
    }
    /* every wrong number is seen, and a signature made with one never leaves */
    struct secret *const numbers[] = {&k.n, &k.d, &k.iqmp, &k.p, &k.q};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        numbers[i]->p[numbers[i]->n / 2] ^= 4;
        assert_int_equal(rsa_check(&key), VERDICT_BAD);
        if (i > 0) {        /* n stays right: the public key is what we compare with */
            sig.n = 0;
            enum err e = rsa_sign(&key, &hash_sha256, BYTES_LIT("text"), &sig);
            numbers[i]->p[numbers[i]->n / 2] ^= 4;
            if (e == ERR_NONE) assert_int_equal(rsa_verify(&public_key, &hash_sha256, BYTES_LIT("text"), wr_bytes(&sig)), VERDICT_GOOD);
        } else {
            numbers[i]->p[numbers[i]->n / 2] ^= 4;
        }
    }
    assert_int_equal(rsa_check(&key), VERDICT_GOOD);
}

static void macs_depend_on_every_input(void **state)
{
    (void)state;
    uint8_t key[64] = {1}, a[MAC_TAG_MAX], b[MAC_TAG_MAX], text[100] = {2};
    for (size_t i = 0; mac_all[i]; i++) {
        const struct mac_alg *alg = mac_all[i];
        struct mac *m = alg->new(alg, key);
        assert_non_null(m);
        assert_int_equal(alg->tag(m, 5, text, sizeof text, a), ERR_NONE);
        assert_int_equal(alg->tag(m, 6, text, sizeof text, b), ERR_NONE);
        assert_memory_not_equal(a, b, alg->tag_len);
        assert_int_equal(alg->tag(m, 5, text, sizeof text - 1, b), ERR_NONE);
        assert_memory_not_equal(a, b, alg->tag_len);
        text[50] ^= 1;
        assert_int_equal(alg->tag(m, 5, text, sizeof text, b), ERR_NONE);
        assert_memory_not_equal(a, b, alg->tag_len);
        text[50] ^= 1;
        assert_int_equal(alg->tag(m, 5, text, sizeof text, b), ERR_NONE);
        assert_memory_equal(a, b, alg->tag_len);
        alg->free(m);
    }
}

/* AES-128 of one block: the first block of a CTR stream. */
static void aes_block(const uint8_t *key, const uint8_t in[16], uint8_t out[16])
{
    memset(out, 0, 16);
    assert_int_equal(file_cipher_run(file_cipher_find(BYTES_LIT("aes128-ctr")), true, key, in, (struct span){out, 16}, NULL), ERR_NONE);
}

/* PDF of RFC 4418 for an 8-byte nonce: half a block for a 64-bit tag, chosen by the last bit. */
static void umac_pad(const uint8_t *key, const uint8_t nonce[8], size_t tag_len, uint8_t *out)
{
    uint8_t in[16] = {0}, pad_key[16], block[16];
    in[15] = 1;
    aes_block(key, in, pad_key);
    memset(in, 0, sizeof in);
    memcpy(in, nonce, 8);
    if (tag_len == 8) in[7] &= 0xfe;
    aes_block(pad_key, in, block);
    memcpy(out, tag_len == 8 && (nonce[7] & 1) ? block + 8 : block, tag_len);
}

/* RFC 4418 appendix (and its erratum for 128 bits) with its nonce, which we cannot give: both tags are compared without their pads. */
static void umac_matches_known_answers(void **state)
{
    (void)state;
    static const struct { const char *text; size_t times; const char *tag[2]; } cases[] = {
        {"a", 0, {"6e155fad26900be1", "32fedb100c79ad58f07ff7643cc60465"}}, {"a", 3, {"44b5cb542f220104", "185e4fe905cba7bd85e4c2dc3d117d8d"}},
        {"a", 1024, {"26bf2f5d60118bd9", "7a54abe04af82d60fb298c3cbd195bcb"}}, {"a", 32768, {"27f8ef643b0d118d", "7b136bd911e4b734286ef2be501f2c3c"}},
        {"a", 1 << 20, {"a4477e87e9f55853", "f8acfa3ac31cfeea047f7b115b03bef5"}},
        {"abc", 1, {"d4d7b9f6bd4fbfcf", "883c3d4b97a61976ffcf232308cba5a5"}}, {"abc", 500, {"d4cf26ddefd5c01a", "8824a260c53c66a36c9260a62cb83aa1"}}};
    static const struct mac_alg *const algs[2] = {&mac_umac_64, &mac_umac_128};
    static uint8_t text[1 << 20];
    const uint8_t *key = (const uint8_t *)"abcdefghijklmnop", *nonce = (const uint8_t *)"bcdefghi";
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t unit = strlen(cases[i].text), len = unit * cases[i].times;
        for (size_t k = 0; k < len; k++) text[k] = (uint8_t)cases[i].text[k % unit];
        for (size_t a = 0; a < 2; a++) {
            struct mac *m = algs[a]->new(algs[a], key);
            size_t n = algs[a]->tag_len;
            struct wr want CLEANUP(wr_clear) = wr_heap(16);
            assert_int_equal(hex_parse(bytes_str(cases[i].tag[a]), &want), ERR_NONE);
            static const uint32_t seqs[] = {7, 8, 9, 9, 4, 0, 0xffffffff, 0xfffffffe, 0};
            for (size_t k = 0; k < COUNT_OF(seqs); k++) {
                uint8_t tag[16], pad[16], their_pad[16], our_nonce[8];
                put_u64(our_nonce, seqs[k]);
                umac_pad(key, our_nonce, n, pad), umac_pad(key, nonce, n, their_pad);
                assert_int_equal(algs[a]->tag(m, seqs[k], text, len, tag), ERR_NONE);
                for (size_t b = 0; b < n; b++) assert_int_equal(tag[b] ^ pad[b], want.p[b] ^ their_pad[b]);
            }
            algs[a]->free(m);
        }
    }
}

static void bcrypt_matches_known_answers(void **state)
{
    (void)state;
    uint8_t key[48];
    /* made with the Python package bcrypt */
    assert_int_equal(bcrypt_pbkdf(BYTES_LIT("password"), BYTES_LIT("salt"), 4, (struct span){key, 32}), ERR_NONE);
    assert_memory_equal(key, "\x5b\xbf\x0c\xc2\x93\x58\x7f\x1c\x36\x35\x55\x5c\x27\x79\x65\x98"
                             "\xd4\x7e\x57\x90\x71\xbf\x42\x7e\x9d\x8f\xbe\x84\x2a\xba\x34\xd9", 32);
    assert_int_equal(bcrypt_pbkdf(BYTES_LIT("pass phrase"), BYTES_LIT("0123456789abcdef"), 2, (struct span){key, 48}), ERR_NONE);
    assert_memory_equal(key, "\xbc\x48\xae\x5f\x3d\x7a\x53\x58\xec\xef\x9a\x91\x8a\xb3\xf4\x98\x5d\xf3\xa2\xd6\x3a\x29\x74\x4a"
                             "\x26\xcc\x0e\x16\xbf\x1e\xb7\x3a\xc6\x99\x1a\xe6\xdf\xcf\x84\x45\xf5\x33\xfc\xdd\x9f\xe9\x46\x81", 48);
    assert_int_equal(bcrypt_pbkdf((struct bytes){0}, BYTES_LIT("salt"), 4, (struct span){key, 32}), ERR_USAGE);
    assert_int_equal(bcrypt_pbkdf(BYTES_LIT("a"), BYTES_LIT("salt"), 0, (struct span){key, 32}), ERR_RANGE);
    assert_int_equal(bcrypt_pbkdf(BYTES_LIT("a"), BYTES_LIT("salt"), 1U << 20, (struct span){key, 32}), ERR_RANGE);
}

static void file_ciphers_round_trip(void **state)
{
    (void)state;
    uint8_t key[64] = {3}, iv[16] = {4}, data[64], clear[64], tag[16];
    const char *name;
    for (size_t i = 0; i < sizeof clear; i++) clear[i] = (uint8_t)i;
    for (size_t i = 0; (name = file_cipher_name(i)); i++) {
        const struct file_cipher *c = file_cipher_find(bytes_str(name));
        assert_non_null(c);
        memcpy(data, clear, sizeof data);
        assert_int_equal(file_cipher_run(c, true, key, iv, (struct span){data, 64}, tag), ERR_NONE);
        assert_memory_not_equal(data, clear, 64);
        if (c->tag_len) {
            tag[3] ^= 1;
            uint8_t other[64];
            memcpy(other, data, sizeof other);
            assert_int_equal(file_cipher_run(c, false, key, iv, (struct span){other, 64}, tag), ERR_PASSPHRASE);
            tag[3] ^= 1;
        }
        assert_int_equal(file_cipher_run(c, false, key, iv, (struct span){data, 64}, tag), ERR_NONE);
        assert_memory_equal(data, clear, 64);
        assert_int_equal(file_cipher_run(c, true, key, iv, (struct span){data, 63}, tag), ERR_LENGTH);
    }
    assert_null(file_cipher_find(BYTES_LIT("none")));
}

static void hmac_sha1_matches_a_known_answer(void **state)
{
    (void)state;
    uint8_t out[20];    /* RFC 2202 case 2 */
    assert_int_equal(hmac_sha1(BYTES_LIT("Jefe"), BYTES_LIT("what do ya want for nothing?"), out), ERR_NONE);
    assert_memory_equal(out, "\xef\xfc\xdf\x6a\xe5\xeb\x2f\xa2\xd2\x74\x16\xd5\xf1\x84\xdf\x9c\x25\x9a\x7c\x79", 20);
}

static void hashes_match_known_answers(void **state)
{
    (void)state;
    uint8_t out[HASH_MAX];
    struct bytes parts[3] = {BYTES_LIT("a"), {0}, BYTES_LIT("bc")};
    assert_int_equal(hash_sha256.digest(&hash_sha256, parts, 3, out), ERR_NONE);
    assert_memory_equal(out, "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23"
                             "\xb0\x03\x61\xa3\x96\x17\x7a\x9c\xb4\x10\xff\x61\xf2\x00\x15\xad", 32);
    assert_int_equal(hash_digest(&hash_sha1, BYTES_LIT("abc"), out), ERR_NONE);
    assert_memory_equal(out, "\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d", 20);
}

static void default_lists_name_only_what_is_built(void **state)
{
    (void)state;
    const char *lists[] = {kex_default_client, kex_default_server, cipher_default, mac_default};
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        size_t pos = 0;
        struct bytes name;
        while (names_next(bytes_str(lists[i]), &pos, &name)) {
            bool found = i < 2 ? kex_find(name) != NULL : i == 2 ? cipher_find(name) != NULL : mac_find(name) != NULL;
            if (!found) fail_msg("%.*s", (int)name.n, (const char *)name.p);
        }
    }
}

static void warm_up_works(void **state)
{
    (void)state;
    assert_int_equal(crypto_warm(), ERR_NONE);
    assert_int_equal(random_reseed(), ERR_NONE);
    assert_non_null(strstr(crypto_version(), "OpenSSL"));
}

/* For all numbers of two bytes, with zeros before them, too. */
static void moduli_count_as_integers_do(void **state)
{
    (void)state;
    for (unsigned v = 1; v < 65536; v++) {
        const uint8_t text[] = {0, (uint8_t)(v >> 8), (uint8_t)v};
        uint8_t room[8];
        struct wr twice = wr_span((struct span){room, sizeof room});
        size_t bits = 0;
        unsigned got = 0, generator = v % 24 == 11 ? 2 : v % 10 == 3 || v % 10 == 7 ? 5 : 0;
        while (v >> bits) bits++;
        assert_int_equal(moduli_bits(bytes_of(text, sizeof text)), bits);
        assert_int_equal(moduli_generator(bytes_of(text, sizeof text)), generator);
        assert_int_equal(moduli_double(bytes_of(text, sizeof text), &twice), ERR_NONE);
        for (size_t i = 0; i < twice.n; i++) got = got << 8 | room[i];
        assert_int_equal(got, 2 * v + 1);
        assert_true(room[0] != 0);
    }
    assert_int_equal(moduli_bits(bytes_of(NULL, 0)), 0);
}

static void safe_primes_are_told_from_others(void **state)
{
    (void)state;
    for (unsigned v = 129; v < 4096; v += 2) {
        const uint8_t text[] = {(uint8_t)(v >> 8), (uint8_t)v};
        bool safe = v / 2 % 2;
        enum verdict said;
        for (unsigned d = 2; d * d <= v; d++) safe = safe && v % d && (v / 2 % d || d >= v / 2);
        assert_int_equal(moduli_check(bytes_of(text, sizeof text), 5, &said), ERR_NONE);
        assert_int_equal(said == VERDICT_GOOD, safe);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(warm_up_works), cmocka_unit_test(each_kex_agrees_and_refuses_wrong_lengths),
        cmocka_unit_test(dh_refuses_numbers_out_of_range), cmocka_unit_test(gex_checks_the_group),
        cmocka_unit_test(aead_opens_only_what_was_sealed), cmocka_unit_test(cbc_matches_known_answers),
        cmocka_unit_test(cbc_modes_are_only_for_who_asks), cmocka_unit_test(ed25519_signs_and_refuses_all_else),
        cmocka_unit_test(ecdsa_signs_and_refuses_all_else),
        cmocka_unit_test(rsa_signs_and_refuses_all_else), cmocka_unit_test(macs_depend_on_every_input),
        cmocka_unit_test(umac_matches_known_answers), cmocka_unit_test(bcrypt_matches_known_answers), cmocka_unit_test(file_ciphers_round_trip),
        cmocka_unit_test(hmac_sha1_matches_a_known_answer), cmocka_unit_test(hashes_match_known_answers),
        cmocka_unit_test(default_lists_name_only_what_is_built), cmocka_unit_test(moduli_count_as_integers_do),
        cmocka_unit_test(safe_primes_are_told_from_others),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
