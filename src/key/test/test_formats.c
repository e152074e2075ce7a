/* SPDX-License-Identifier: ISC */
/* Key files in other suites' forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/text.h"
#include "crypto/kdf.h"
#include "crypto/sign.h"
#include "key/key.h"

static const char *const types[] = {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"};
static struct privkey *keys[COUNT_OF(types)];

static int keys_make(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (privkey_generate(types[i], 1024, &random_libcrypto, &keys[i]) != ERR_NONE) return -1;
    return 0;
}

static int keys_free(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(types); i++) privkey_free(keys[i]);
    return 0;
}

/* puttygen 0.78 made these for this test: passphrase "pass word" */
#define PUTTY_PUBLIC "AAAAC3NzaC1lZDI1NTE5AAAAIOCaiD7aWfrIsde3XpAPiyxP8/njvmFUrPde0WAJ"
#define PUTTY_HEAD(v) \
    "PuTTY-User-Key-File-" v ": ssh-ed25519\nEncryption: aes256-cbc\nComment: a comment\nPublic-Lines: 2\n" PUTTY_PUBLIC "\ni6Mn\n"
#define PUTTY_KDF(kib, passes, lanes) \
    "Key-Derivation: Argon2id\nArgon2-Memory: " kib "\nArgon2-Passes: " passes "\nArgon2-Parallelism: " lanes "\n" \
    "Argon2-Salt: bc2fc235e17027bf700d3ff45a831b00\n"
#define PUTTY_TAIL \
    "Private-Lines: 1\nU9ORZ9C0VY0RQ8YVY4RHuVRAgCncVwcyAudjTbDWPo7RLl2C747Sv6sPuM3ywXuG\n" \
    "Private-MAC: a763c7809a4bf21868cb6191e09d5472cd17e1f113a3ffad1b140510edfd14fd\n"
static const char putty_3[] = PUTTY_HEAD("3") PUTTY_KDF("64", "2", "1") PUTTY_TAIL;
static const char putty_2[] = PUTTY_HEAD("2") "Private-Lines: 1\n6bFFOiIwAENh1RziMBGv/8BxPAfkYfE8gfZA9fmeAj7d0rgXrqcR6UgsgiPLddrm\n"
                                              "Private-MAC: 040bbe5323c7f66b0b424161465cf6058f9e5525\n";

static void files_of_putty_open(void **state)
{
    (void)state;
    static const char *const files[] = {putty_3, putty_2};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct privkey *k CLEANUP(privkey_drop) = NULL, *none = NULL;
        struct pubkey *clear CLEANUP(pubkey_drop) = NULL;
        struct wr line CLEANUP(wr_clear) = wr_heap(1000), said CLEANUP(wr_clear) = wr_heap(100);
        struct bytes text = bytes_str(files[i]);
        assert_true(privkey_file_is(text) && privkey_file_encrypted(text));
        assert_int_equal(privkey_file_format(text), PRIVKEY_PPK);
        assert_int_equal(privkey_file_parse(text, BYTES_LIT("pass word"), &k, &said), ERR_NONE);
        assert_true(bytes_is(wr_bytes(&said), "a comment"));
        pubkey_line_write(&line, privkey_public(k), bytes_of(NULL, 0));
        assert_true(bytes_is(wr_bytes(&line), "ssh-ed25519 " PUTTY_PUBLIC "i6Mn"));
        assert_int_equal(privkey_file_public(text, &clear), ERR_NONE);
        assert_true(bytes_equal(pubkey_blob(clear), pubkey_blob(privkey_public(k))));
        assert_int_equal(privkey_file_parse(text, BYTES_LIT("pass worD"), &none, NULL), ERR_PASSPHRASE);
        assert_int_equal(privkey_file_parse(text, BYTES_LIT(""), &none, NULL), ERR_PASSPHRASE);
        assert_int_equal(privkey_file_parse(bytes_of(text.p, text.n - 21), BYTES_LIT("pass word"), &none, NULL),
                         ERR_PASSPHRASE);     /* half a MAC */
    }
}

/* As dropbearconvert 2022.83 made it. */
static void a_file_of_dropbear_opens(void **state)
{
    (void)state;
    static const char hex[] = "0000001365636473612d736861322d6e69737470323536000000086e697374703235360000004104de137e6d700029c85fc8c603308d36"
                              "49784a5222887922bf7dc7cfa81d4619e13559cfb8abc8cf693e3c1d868d945c79d461b98d70ceaa2d0ab8a257af3b6c8f000000204eaa"
                              "1f75469e07ef89c04dbe2a6d856af3639928a6ed405f42d9053774f082ce";
    struct wr data CLEANUP(wr_clear) = wr_heap(1000), line CLEANUP(wr_clear) = wr_heap(1000);
    struct privkey *k CLEANUP(privkey_drop) = NULL;
    assert_int_equal(hex_parse(bytes_str(hex), &data), ERR_NONE);
    assert_int_equal(privkey_file_format(wr_bytes(&data)), PRIVKEY_DROPBEAR);
    assert_int_equal(privkey_file_parse(wr_bytes(&data), bytes_of(NULL, 0), &k, NULL), ERR_NONE);
    pubkey_line_write(&line, privkey_public(k), bytes_of(NULL, 0));
    assert_true(bytes_is(wr_bytes(&line), "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBN4Tfm1wACnIX8jGAzCNNkl4SlIiiHki"
                                          "v33Hz6gdRhnhNVnPuKvIz2k+PB2GjZRcedRhuY1wzqotCriiV687bI8="));
}

static void go_round(const struct privkey *k, enum privkey_format format, const char *passphrase)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX), said CLEANUP(wr_clear) = wr_heap(1000);
    struct privkey *back CLEANUP(privkey_drop) = NULL, *none = NULL;
    struct pubkey *clear CLEANUP(pubkey_drop) = NULL;
    const struct privkey_file_how how = {.format = format, .passphrase = bytes_str(passphrase), .rounds = 1};
    bool openssh = format == PRIVKEY_PEM && strcmp(pubkey_type(privkey_public(k)), "ssh-ed25519") == 0;
    enum err made = privkey_file_write(k, BYTES_LIT("a comment"), &how, &random_libcrypto, &text);
    if (format == PRIVKEY_DROPBEAR && how.passphrase.n) {
        assert_int_equal(made, ERR_UNSUPPORTED);
        return;
    }
    assert_int_equal(made, ERR_NONE);
    assert_int_equal(privkey_file_format(wr_bytes(&text)), openssh ? PRIVKEY_OPENSSH : format);
    assert_int_equal(privkey_file_encrypted(wr_bytes(&text)), how.passphrase.n > 0);
    assert_int_equal(privkey_file_parse(wr_bytes(&text), how.passphrase, &back, &said), ERR_NONE);
    assert_true(bytes_equal(pubkey_blob(privkey_public(k)), pubkey_blob(privkey_public(back))));
    assert_true(bytes_is(wr_bytes(&said), format == PRIVKEY_PPK || openssh ? "a comment" : ""));
    if (how.passphrase.n == 0 || format == PRIVKEY_PPK) assert_int_equal(privkey_file_public(wr_bytes(&text), &clear), ERR_NONE);
    if (how.passphrase.n == 0) return;
    assert_int_equal(privkey_file_parse(wr_bytes(&text), bytes_of(NULL, 0), &none, NULL), ERR_PASSPHRASE);
    assert_int_equal(privkey_file_parse(wr_bytes(&text), BYTES_LIT("wrong"), &none, NULL), ERR_PASSPHRASE);
}

static void every_type_goes_round_in_every_form(void **state)
{
    (void)state;
    for (size_t t = 0; t < COUNT_OF(types); t++)
        for (int f = PRIVKEY_PEM; f <= PRIVKEY_DROPBEAR; f++) {
            go_round(keys[t], (enum privkey_format)f, "");
            if (t == 0 || t == 4 || f == PRIVKEY_PEM) go_round(keys[t], (enum privkey_format)f, "pass word");    /* their KDFs cost */
        }
}

/* Each cut and a flipped bit in each byte: an error, or the same key. */
static void spoil(const struct privkey *k, enum privkey_format format, const char *passphrase)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    const struct privkey_file_how how = {.format = format, .passphrase = bytes_str(passphrase)};
    struct privkey *cut = NULL;
    assert_int_equal(privkey_file_write(k, bytes_of(NULL, 0), &how, &random_libcrypto, &text), ERR_NONE);
    for (size_t i = 0; i < text.n; i++) {
        struct privkey *back CLEANUP(privkey_drop) = NULL;
        uint8_t was = text.p[i];
        if (i + 3 < text.n) assert_int_not_equal(privkey_file_parse(bytes_of(text.p, i), how.passphrase, &cut, NULL), ERR_NONE);
        text.p[i] ^= (uint8_t)(1 << i % 7);
        if (privkey_file_parse(wr_bytes(&text), how.passphrase, &back, NULL) == ERR_NONE)
            assert_true(bytes_equal(pubkey_blob(privkey_public(k)), pubkey_blob(privkey_public(back))));
        text.p[i] = was;
    }
}

static void spoiled_files_never_give_another_key(void **state)
{
    (void)state;
    for (size_t t = 0; t < COUNT_OF(types); t++) {
        spoil(keys[t], PRIVKEY_PPK, "");
        spoil(keys[t], PRIVKEY_DROPBEAR, "");
        if (t > 0) spoil(keys[t], PRIVKEY_PEM, "pass word");
    }
}

static void what_a_kdf_may_cost_is_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        enum err err;
    } rows[] = {
        {"Argon2 of 1 GiB and 1 KiB", PUTTY_HEAD("3") PUTTY_KDF("1048577", "1", "1") PUTTY_TAIL, ERR_RANGE},
        {"Argon2 of 2^32 - 1 KiB", PUTTY_HEAD("3") PUTTY_KDF("4294967295", "1", "1") PUTTY_TAIL, ERR_RANGE},
        {"Argon2 of 2^32 KiB", PUTTY_HEAD("3") PUTTY_KDF("4294967296", "1", "1") PUTTY_TAIL, ERR_RANGE},
        {"Argon2 of many passes", PUTTY_HEAD("3") PUTTY_KDF("8192", "8193", "1") PUTTY_TAIL, ERR_RANGE},
        {"Argon2 of no pass", PUTTY_HEAD("3") PUTTY_KDF("8192", "0", "1") PUTTY_TAIL, ERR_RANGE},
        {"Argon2 of no lane", PUTTY_HEAD("3") PUTTY_KDF("8192", "1", "0") PUTTY_TAIL, ERR_RANGE},
        {"Argon2 of many lanes", PUTTY_HEAD("3") PUTTY_KDF("8192", "1", "65") PUTTY_TAIL, ERR_RANGE},
        {"Argon2 of less memory than its lanes need", PUTTY_HEAD("3") PUTTY_KDF("15", "1", "2") PUTTY_TAIL, ERR_RANGE},
    };
    static const struct {
        const char *name, *base64;
        enum err err;
    } pkcs8[] = {
        {"PBKDF2 of 2^31-1 rounds",
         "MF8wSwYJKoZIhvcNAQUNMD4wHQYJKoZIhvcNAQUMMBAECAAAAAAAAAAAAgR/////MB0GCWCGSAFlAwQBKgQQAAAAAAAAAAAAAAAAAAAAAAQQAAAAAAAAAAAAAAAAAAAAAA==", ERR_RANGE},
        {"no round",
         "MFwwSAYJKoZIhvcNAQUNMDswGgYJKoZIhvcNAQUMMA0ECAAAAAAAAAAAAgEAMB0GCWCGSAFlAwQBKgQQAAAAAAAAAAAAAAAAAAAAAAQQAAAAAAAAAAAAAAAAAAAAAA==", ERR_RANGE},
        {"scrypt N 2^30",
         "MGUwUQYJKoZIhvcNAQUNMEQwIwYJKwYBBAHaRwQLMBYECAAAAAAAAAAAAgRAAAAAAgEIAgEBMB0GCWCGSAFlAwQBKgQQAAAAAAAAAAAAAAAAAAAAAAQQAAAAAAAAAAAAAAAAAAAAAA==",
         ERR_RANGE},
        {"scrypt r 2^20",
         "MGUwUQYJKoZIhvcNAQUNMEQwIwYJKwYBBAHaRwQLMBYECAAAAAAAAAAAAgJAAAIDEAAAAgEBMB0GCWCGSAFlAwQBKgQQAAAAAAAAAAAAAAAAAAAAAAQQAAAAAAAAAAAAAAAAAAAAAA==",
         ERR_RANGE},
        {"scrypt p 2^40",
         "MGgwVAYJKoZIhvcNAQUNMEcwJgYJKwYBBAHaRwQLMBkECAAAAAAAAAAAAgJAAAIBCAIGAQAAAAAAMB0GCWCGSAFlAwQBKgQQAAAAAAAAAAAAAAAAAAAAAAQQAAAAAAAAAAAAAAAAAAAAAA==",
         ERR_RANGE},
        {"scrypt N no power of 2",
         "MGMwTwYJKoZIhvcNAQUNMEIwIQYJKwYBBAHaRwQLMBQECAAAAAAAAAAAAgJAAQIBCAIBATAdBglghkgBZQMEASoEEAAAAAAAAAAAAAAAAAAAAAAEEAAAAAAAAAAAAAAAAAAAAAA=",
         ERR_RANGE},
        {"PBES1", "MC8wGwYJKoZIhvcNAQUDMA4ECAAAAAAAAAAAAgIIAAQQAAAAAAAAAAAAAAAAAAAAAA==", ERR_UNSUPPORTED},
    };
    struct privkey *k = NULL;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        print_message("# %s\n", rows[i].name);
        assert_int_equal(privkey_file_parse(bytes_str(rows[i].text), BYTES_LIT("x"), &k, NULL), rows[i].err);
    }
    for (size_t i = 0; i < COUNT_OF(pkcs8); i++) {
        char text[1000];
        print_message("# %s\n", pkcs8[i].name);
        snprintf(text, sizeof text, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n%s\n-----END ENCRYPTED PRIVATE KEY-----\n", pkcs8[i].base64);
        assert_int_equal(privkey_file_parse(bytes_str(text), BYTES_LIT("x"), &k, NULL), pkcs8[i].err);
    }
}

/* RFC 9106 5.3 has parameters that PuTTY's files cannot carry; this is what libargon2's own tests expect of Argon2id. */
static void argon2_is_the_known_one(void **state)
{
    (void)state;
    const struct argon2_cost cost = {ARGON2ID, 65536, 2, 1};
    uint8_t out[32];
    struct wr hex CLEANUP(wr_clear) = wr_heap(100);
    assert_true(argon2_there());
    assert_int_equal(argon2_derive(&cost, BYTES_LIT("password"), BYTES_LIT("somesalt"), (struct span){out, sizeof out}), ERR_NONE);
    hex_write(&hex, bytes_of(out, sizeof out));
    assert_true(bytes_is(wr_bytes(&hex), "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"));
}

/* RFC 7914 11 and 12, RFC 4231 4.3 */
static void kdfs_are_the_known_ones(void **state)
{
    (void)state;
    uint8_t out[64];
    struct wr hex CLEANUP(wr_clear) = wr_heap(1000);
    assert_int_equal(pbkdf2(&hash_sha256, BYTES_LIT("passwd"), BYTES_LIT("salt"), 1, (struct span){out, 64}), ERR_NONE);
    hex_write(&hex, bytes_of(out, 8));
    assert_int_equal(scrypt(BYTES_LIT(""), BYTES_LIT(""), 16, 1, 1, (struct span){out, 64}), ERR_NONE);
    hex_write(&hex, bytes_of(out, 8));
    struct bytes parts[] = {BYTES_LIT("what do ya want "), BYTES_LIT("for nothing?")};
    assert_int_equal(hmac_digest(&hash_sha256, BYTES_LIT("Jefe"), parts, 2, out), ERR_NONE);
    hex_write(&hex, bytes_of(out, 8));
    assert_true(bytes_is(wr_bytes(&hex), "55ac046e56e3089f" "77d6576238657b20" "5bdcc146bf60754e"));
}

/* ---- public keys ---- */

static void public_keys_go_round_in_every_form(void **state)
{
    (void)state;
    for (size_t t = 0; t < COUNT_OF(types); t++)
        for (int f = PUBKEY_LINE; f <= PUBKEY_PKCS1; f++) {
            struct pubkey *back CLEANUP(pubkey_drop) = NULL;
            struct wr text CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX), said CLEANUP(wr_clear) = wr_heap(1000);
            const struct pubkey *k = privkey_public(keys[t]);
            int want = f == PUBKEY_PKCS1 && t != 4 ? PUBKEY_SPKI : f;
            assert_int_equal(pubkey_file_write(k, (enum pubkey_format)f, BYTES_LIT("a comment"), &text), ERR_NONE);
            assert_int_equal(pubkey_file_format(wr_bytes(&text)), want);
            assert_int_equal(pubkey_file_parse(wr_bytes(&text), &back, &said), ERR_NONE);
            assert_true(bytes_equal(pubkey_blob(k), pubkey_blob(back)));
            assert_true(bytes_is(wr_bytes(&said), f <= PUBKEY_RFC4716 ? "a comment" : ""));
            for (size_t i = 0; i + 2 < text.n && f != PUBKEY_LINE; i++) {
                struct pubkey *cut = NULL;
                assert_int_not_equal(pubkey_file_parse(bytes_of(text.p, i), &cut, NULL), ERR_NONE);
            }
        }
}

#define BLOB1 "AAAAC3NzaC1lZDI1NTE5AAAAIJR4HctOqWx1bjC0jhhmcFwN2crLRFtrjYkH"
#define BLOB2 "9pxynZlF"

/* The shapes that RFC 4716 3.3 allows and its examples show. */
static void headers_of_rfc4716(void **state)
{
    (void)state;
    static const struct {
        const char *head, *end, *comment;
    } rows[] = {
        {"", "\n", ""},
        {"Comment: plain\n", "\n", "plain"},
        {"Comment: \"with quotes\"\r\n", "\r\n", "with quotes"},
        {"COMMENT:  \"one \\\n\\\nlong line\"\n", "\n", "one long line"},
        {"Subject: me\nComment: \"a: b\"\nx-command: /home/me\n", "\n", "a: b"},
        {"Subject: me\\\nComment: no\n", "\n", ""},
        {"Comment: cr\r", "\r", "cr"},
        {"Comment: \"\n", "\n", "\""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct pubkey *k CLEANUP(pubkey_drop) = NULL;
        struct wr text CLEANUP(wr_clear) = wr_heap(2000), said CLEANUP(wr_clear) = wr_heap(1000), line CLEANUP(wr_clear) = wr_heap(1000);
        wr_textf(&text, "---- BEGIN SSH2 PUBLIC KEY ----%s%s%s%s%s%s---- END SSH2 PUBLIC KEY ----%s", rows[i].end, rows[i].head, BLOB1, rows[i].end,
                 BLOB2, rows[i].end, rows[i].end);
        assert_int_equal(pubkey_file_parse(wr_bytes(&text), &k, &said), ERR_NONE);
        assert_true(bytes_is(wr_bytes(&said), rows[i].comment));
        pubkey_line_write(&line, k, bytes_of(NULL, 0));
        assert_true(bytes_is(wr_bytes(&line), "ssh-ed25519 " BLOB1 BLOB2));
    }
}

/* As OpenSSH 9.2's ssh-keygen -B shows it. */
static void bubblebabble_of_a_key(void **state)
{
    (void)state;
    struct wr w CLEANUP(wr_clear) = wr_heap(1000), blob CLEANUP(wr_clear) = wr_heap(1000);
    assert_int_equal(base64_parse(BYTES_LIT(BLOB1 BLOB2), &blob), ERR_NONE);
    bubblebabble_write(&w, wr_bytes(&blob));
    assert_true(bytes_is(wr_bytes(&w), "xukak-muhil-zepuc-marub-syfyg-mezep-fazet-vedan-dabam-gecyt-cexex"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_putty_open),
        cmocka_unit_test(a_file_of_dropbear_opens),
        cmocka_unit_test(every_type_goes_round_in_every_form),
        cmocka_unit_test(spoiled_files_never_give_another_key),
        cmocka_unit_test(what_a_kdf_may_cost_is_bounded),
        cmocka_unit_test(argon2_is_the_known_one),
        cmocka_unit_test(kdfs_are_the_known_ones),
        cmocka_unit_test(public_keys_go_round_in_every_form),
        cmocka_unit_test(headers_of_rfc4716),
        cmocka_unit_test(bubblebabble_of_a_key),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, keys_make, keys_free);
}
