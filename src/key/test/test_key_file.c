/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/rd.h"
#include "base/text.h"
#include "crypto/sign.h"
#include "key/key.h"
#include "samples.h"

static void check_open(const char *text, const char *passphrase, const char *comment, const char *public_line)
{
    struct privkey *k CLEANUP(privkey_drop) = NULL;
    struct pubkey *clear CLEANUP(pubkey_drop) = NULL;
    struct wr said CLEANUP(wr_clear) = wr_heap(1000), line CLEANUP(wr_clear) = wr_heap(1000);
    assert_int_equal(privkey_file_parse(bytes_str(text), bytes_str(passphrase), &k, &said), ERR_NONE);
    assert_true(bytes_is(wr_bytes(&said), comment));
    pubkey_line_write(&line, privkey_public(k), bytes_of(NULL, 0));
    assert_true(bytes_is(wr_bytes(&line), public_line));
    assert_int_equal(privkey_file_public(bytes_str(text), &clear), ERR_NONE);
    assert_true(bytes_equal(pubkey_blob(clear), pubkey_blob(privkey_public(k))));
}

static void files_of_openssh_open(void **state)
{
    (void)state;
    check_open(sample_ed25519, "", "plain ed25519", SAMPLE_PUB);
    check_open(sample_ed25519, "not needed", "plain ed25519", SAMPLE_PUB);
    check_open(sample_ecdsa, "pass word", "p256 \303\244\303\266", SAMPLE_ECDSA_PUB);
    check_open(sample_gcm, "secret", "", SAMPLE_OTHER);
    assert_false(privkey_file_encrypted(bytes_str(sample_ed25519)));
    assert_true(privkey_file_encrypted(bytes_str(sample_ecdsa)));
}

static void a_wrong_passphrase_is_told_apart(void **state)
{
    (void)state;
    static const char *const files[] = {sample_ecdsa, sample_gcm}, *const wrong[] = {"", "x", "pass wor", "pass word ", "Secret"};
    for (size_t i = 0; i < COUNT_OF(files); i++)
        for (size_t j = 0; j < COUNT_OF(wrong); j++) {
            struct privkey *k = NULL;
            assert_int_equal(privkey_file_parse(bytes_str(files[i]), bytes_str(wrong[j]), &k, NULL), ERR_PASSPHRASE);
            assert_null(k);
        }
}

static void line_ends_and_spaces_do_not_matter(void **state)
{
    (void)state;
    struct wr w CLEANUP(wr_clear) = wr_heap(2000);
    for (const char *p = sample_ed25519; *p; p++) {
        if (*p == '\n') wr_text(&w, " \r");
        wr_u8(&w, (uint8_t)*p);
    }
    wr_text(&w, "\n\n \t");
    wr_u8(&w, 0);
    check_open((const char *)w.p, "", "plain ed25519", SAMPLE_PUB);
    struct privkey *k CLEANUP(privkey_drop) = NULL; /* and the last newline may be missing */
    assert_int_equal(privkey_file_parse(bytes_of(sample_ed25519, sizeof sample_ed25519 - 2), bytes_of(NULL, 0), &k, NULL), ERR_NONE);
}

static void every_type_and_cipher_goes_round(void **state)
{
    (void)state;
    static const char *const types[] = {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
                                        "ssh-mldsa44-ed25519@openssh.com"};
    for (size_t t = 0; t < COUNT_OF(types); t++) {
        struct privkey *k CLEANUP(privkey_drop) = NULL;
        assert_int_equal(privkey_generate(types[t], 1024, &random_libcrypto, &k), ERR_NONE);
        const char *cipher = NULL;
        for (size_t c = 0; c == 0 || (cipher = file_cipher_name(c - 1)); c++) {
            struct wr text CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX), said CLEANUP(wr_clear) = wr_heap(1000);
            struct privkey *back CLEANUP(privkey_drop) = NULL;
            struct privkey_file_how how = {.cipher = cipher, .rounds = 1};
            if (cipher) how.passphrase = BYTES_LIT("pass");
            assert_int_equal(privkey_file_write(k, BYTES_LIT("a comment"), &how, &random_libcrypto, &text), ERR_NONE);
            assert_int_equal(privkey_file_encrypted(wr_bytes(&text)), cipher != NULL);
            assert_int_equal(privkey_file_parse(wr_bytes(&text), how.passphrase, &back, &said), ERR_NONE);
            assert_true(bytes_is(wr_bytes(&said), "a comment"));
            assert_true(bytes_equal(pubkey_blob(privkey_public(k)), pubkey_blob(privkey_public(back))));
        }
    }
}

static void pem_and_pkcs8_go_round(void **state)
{
    (void)state;
    static const char *const types[] = {"ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-ed25519"};
    for (size_t t = 0; t < COUNT_OF(types); t++)
        for (int f = PRIVKEY_PEM; f <= PRIVKEY_PKCS8; f++) {
            struct privkey *k CLEANUP(privkey_drop) = NULL, *back CLEANUP(privkey_drop) = NULL;
            struct wr text CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX), none CLEANUP(wr_clear) = wr_heap(10);
            struct privkey_file_how how = {.format = (enum privkey_format)f};
            bool own = f == PRIVKEY_PEM && strcmp(types[t], "ssh-ed25519") == 0;
            assert_int_equal(privkey_generate(types[t], 1024, &random_libcrypto, &k), ERR_NONE);
            assert_int_equal(privkey_file_write(k, bytes_of(NULL, 0), &how, &random_libcrypto, &text), ERR_NONE);
            assert_int_equal(privkey_file_format(wr_bytes(&text)), own ? PRIVKEY_OPENSSH : how.format);
            assert_int_equal(privkey_file_parse(wr_bytes(&text), bytes_of(NULL, 0), &back, &none), ERR_NONE);
            assert_true(bytes_equal(pubkey_blob(privkey_public(k)), pubkey_blob(privkey_public(back))));
        }
}

/* Every cut and every flipped bit of a PEM key: an error, or the same key. */
static void spoiled_pem_never_gives_another_key(void **state)
{
    (void)state;
    static const char *const types[] = {"ssh-rsa", "ecdsa-sha2-nistp256"};
    for (size_t t = 0; t < COUNT_OF(types); t++)
        for (int f = PRIVKEY_PEM; f <= PRIVKEY_PKCS8; f++) {
            struct privkey *k CLEANUP(privkey_drop) = NULL;
            struct wr text CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
            struct privkey_file_how how = {.format = (enum privkey_format)f};
            assert_int_equal(privkey_generate(types[t], 1024, &random_libcrypto, &k), ERR_NONE);
            assert_int_equal(privkey_file_write(k, bytes_of(NULL, 0), &how, &random_libcrypto, &text), ERR_NONE);
            wr_u8(&text, 0);
            for (size_t i = 0; i + 1 < text.n; i++) {
                struct privkey *back CLEANUP(privkey_drop) = NULL, *cut CLEANUP(privkey_drop) = NULL;
                uint8_t was = text.p[i];
                if (i + 3 < text.n) assert_int_not_equal(privkey_file_parse(bytes_of(text.p, i), bytes_of(NULL, 0), &cut, NULL), ERR_NONE);
                text.p[i] ^= (uint8_t)(1 << i % 7);
                if (privkey_file_parse(bytes_of(text.p, text.n - 1), bytes_of(NULL, 0), &back, NULL) == ERR_NONE)
                    assert_true(bytes_equal(pubkey_blob(privkey_public(k)), pubkey_blob(privkey_public(back))));
                text.p[i] = was;
            }
        }
}

/* ---- spoiled files ---- */

static void armour(struct wr *w, struct bytes data)
{
    wr_text(w, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    base64_write(w, data);
    wr_text(w, "\n-----END OPENSSH PRIVATE KEY-----\n");
}

static enum err parse_data(struct bytes data, struct privkey **k)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    armour(&text, data);
    return privkey_file_parse(wr_bytes(&text), BYTES_LIT("pass word"), k, NULL);
}

static void sample_data(const char *text, struct wr *out)
{
    struct wr flat CLEANUP(wr_clear) = wr_heap(4000);
    for (const char *p = strchr(text, '\n'); *p != '-'; p++)
        if (*p != '\n') wr_u8(&flat, (uint8_t)*p);
    assert_int_equal(base64_parse(wr_bytes(&flat), out), ERR_NONE);
}

static void cut_or_flipped_files_never_give_another_key(void **state)
{
    (void)state;
    struct wr data CLEANUP(wr_clear) = wr_heap(4000), room CLEANUP(wr_clear) = wr_heap(1000);
    sample_data(sample_ed25519, &data);
    assert_int_equal(base64_parse(BYTES_LIT(SAMPLE_BLOB64), &room), ERR_NONE);
    for (size_t n = 0; n < data.n; n++) {
        struct privkey *k = NULL;
        assert_int_not_equal(parse_data(bytes_of(data.p, n), &k), ERR_NONE);
        assert_null(k);
    }
    for (size_t i = 0; i < 8 * data.n; i++) {
        struct privkey *k CLEANUP(privkey_drop) = NULL;
        data.p[i / 8] ^= (uint8_t)(1 << i % 8);
        if (parse_data(wr_bytes(&data), &k) == ERR_NONE) /* a flip in the comment */
            assert_true(bytes_equal(pubkey_blob(privkey_public(k)), wr_bytes(&room)));
        data.p[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    wr_u8(&data, 0);
    struct privkey *k = NULL;
    assert_int_not_equal(parse_data(wr_bytes(&data), &k), ERR_NONE);
}

static void the_clear_half_must_be_the_keys_own(void **state)
{
    (void)state;
    struct wr data CLEANUP(wr_clear) = wr_heap(4000), other CLEANUP(wr_clear) = wr_heap(4000);
    struct privkey *k = NULL;
    sample_data(sample_ed25519, &data);
    sample_data(sample_gcm, &other);
    struct bytes mine = wr_bytes(&data), theirs = wr_bytes(&other);
    const uint8_t *a = memmem(mine.p, mine.n, "ssh-ed25519", 11), *b = memmem(theirs.p, theirs.n, "ssh-ed25519", 11);
    memcpy(data.p + (a - mine.p), b, 11 + 4 + 32);
    assert_int_equal(parse_data(wr_bytes(&data), &k), ERR_KEY_INVALID);
}

/* A file cannot name a work factor that takes days. */
static void kdf_rounds_are_bounded(void **state)
{
    (void)state;
    static const struct {
        uint32_t rounds;
        enum err err;
    } rows[] = {{0, ERR_FORMAT}, {BCRYPT_ROUNDS_MAX + 1, ERR_RANGE}, {0xffffffff, ERR_RANGE}};
    struct wr data CLEANUP(wr_clear) = wr_heap(4000);
    sample_data(sample_ecdsa, &data);
    size_t at = sizeof "openssh-key-v1" + 4 + 10 + 4 + 6 + 4 + 4 + 16; /* magic, cipher, kdf, options: salt */
    assert_int_equal(get_u32(data.p + at), 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct privkey *k = NULL;
        put_u32(data.p + at, rows[i].rounds);
        assert_int_equal(parse_data(wr_bytes(&data), &k), rows[i].err);
    }
}

static void other_files_are_named_as_such(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
    } rows[] = {
        {"", ERR_FORMAT},
        {"\n", ERR_FORMAT},
        {SAMPLE_PUB "\n", ERR_FORMAT},
        {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIE\n-----END ENCRYPTED PRIVATE KEY-----\n", ERR_TRUNCATED},
        {"-----BEGIN DSA PRIVATE KEY-----\nMIIE\n-----END DSA PRIVATE KEY-----\n", ERR_UNSUPPORTED},
        {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIE\n-----END RSA PRIVATE KEY-----\n", ERR_FORMAT},
        {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: IDEA-CBC,00\n\nMIIE\n-----END RSA PRIVATE KEY-----\n", ERR_UNSUPPORTED},
        {"PuTTY-User-Key-File-1: ssh-rsa\n", ERR_UNSUPPORTED},
        {"PuTTY-User-Key-File-3: ssh-rsa\n", ERR_FORMAT},
        {"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n", ERR_TRUNCATED},
        {"-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----\n", ERR_TRUNCATED},
        {"-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----\n", ERR_FORMAT},
        {"-----BEGIN PRIVATE KEY-----\nMIL//w==\n-----END PRIVATE KEY-----\n", ERR_TRUNCATED},
        {"-----BEGIN OPENSSH PRIVATE KEY-----\n", ERR_TRUNCATED},
        {"-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----\n", ERR_TRUNCATED},
        {"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\nx", ERR_TRAILING},
        {"-----BEGIN OPENSSH PRIVATE KEY-----\nA*AA\n-----END OPENSSH PRIVATE KEY-----\n", ERR_FORMAT},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct privkey *k = NULL;
        struct pubkey *p = NULL;
        assert_int_equal(privkey_file_parse(bytes_str(rows[i].text), bytes_of(NULL, 0), &k, NULL), rows[i].err);
        assert_int_equal(privkey_file_public(bytes_str(rows[i].text), &p), rows[i].err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_openssh_open),
        cmocka_unit_test(a_wrong_passphrase_is_told_apart),
        cmocka_unit_test(line_ends_and_spaces_do_not_matter),
        cmocka_unit_test(every_type_and_cipher_goes_round),
        cmocka_unit_test(pem_and_pkcs8_go_round),
        cmocka_unit_test(spoiled_pem_never_gives_another_key),
        cmocka_unit_test(cut_or_flipped_files_never_give_another_key),
        cmocka_unit_test(the_clear_half_must_be_the_keys_own),
        cmocka_unit_test(kdf_rounds_are_bounded),
        cmocka_unit_test(other_files_are_named_as_such),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
