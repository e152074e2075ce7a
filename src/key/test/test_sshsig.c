/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/text.h"
#include "crypto/sign.h"
#include "key/sshsig.h"
#include "samples.h"

static const struct privkey *made(void)
{
    static struct privkey *kept;
    if (!kept) assert_int_equal(privkey_generate("ssh-ed25519", 0, &random_libcrypto, &kept), ERR_NONE);
    return kept;
}

static void sign(struct bytes name_space, const uint8_t *digest, struct wr *blob)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(4096), sig CLEANUP(wr_clear) = wr_heap(4096);
    const struct pubkey *key = privkey_public(made());
    assert_int_equal(sshsig_text_write(name_space, &hash_sha512, digest, &text), ERR_NONE);
    assert_int_equal(privkey_sign(made(), sshsig_alg(key), wr_bytes(&text), &sig), ERR_NONE);
    assert_int_equal(sshsig_write(key, name_space, &hash_sha512, wr_bytes(&sig), blob), ERR_NONE);
}

/* ---- signatures ---- */

static void a_signature_is_good_for_its_digest_and_namespace_only(void **state)
{
    uint8_t digest[HASH_MAX] = {7};
    struct wr blob CLEANUP(wr_clear) = wr_heap(4096);
    struct sshsig s, other;
    (void)state;
    sign(BYTES_LIT("file"), digest, &blob);
    assert_int_equal(sshsig_parse(wr_bytes(&blob), &s), ERR_NONE);
    assert_true(bytes_is(s.name_space, "file") && bytes_is(s.hash_name, "sha512") && bytes_is(sshsig_alg_name(&s), "ssh-ed25519"));
    assert_int_equal(sshsig_verify(&s, privkey_public(made()), digest), VERDICT_GOOD);
    other = s;
    other.name_space = BYTES_LIT("git");
    assert_int_equal(sshsig_verify(&other, privkey_public(made()), digest), VERDICT_BAD);
    other = s;
    other.reserved = BYTES_LIT("x");
    assert_int_equal(sshsig_verify(&other, privkey_public(made()), digest), VERDICT_BAD);
    other = s;
    other.hash_name = BYTES_LIT("sha256");
    assert_int_equal(sshsig_verify(&other, privkey_public(made()), digest), VERDICT_BAD);
    other.hash_name = BYTES_LIT("SHA512");
    assert_int_equal(sshsig_verify(&other, privkey_public(made()), digest), VERDICT_BAD);
    digest[0]++;
    assert_int_equal(sshsig_verify(&s, privkey_public(made()), digest), VERDICT_BAD);
}

static void cut_and_lengthened_signatures_are_errors(void **state)
{
    static const uint8_t digest[HASH_MAX];
    struct wr blob CLEANUP(wr_clear) = wr_heap(4096), nothing CLEANUP(wr_clear) = wr_heap(4096);
    struct sshsig s;
    (void)state;
    sign(BYTES_LIT("file"), digest, &blob);
    for (size_t n = 0; n < blob.n; n++) assert_int_not_equal(sshsig_parse(bytes_of(blob.p, n), &s), ERR_NONE);
    wr_u8(&blob, 0);
    assert_int_equal(sshsig_parse(wr_bytes(&blob), &s), ERR_TRAILING);
    blob.p[9] = 2;
    assert_int_equal(sshsig_parse(wr_bytes(&blob), &s), ERR_VERSION);
    assert_int_equal(sshsig_text_write(BYTES_LIT(""), &hash_sha512, digest, &nothing), ERR_FORMAT);
    assert_int_equal(sshsig_text_write(bytes_of("a\0b", 3), &hash_sha512, digest, &nothing), ERR_FORMAT);
}

static void the_armour_is_taken_as_openssh_takes_it(void **state)
{
#define HEAD "-----BEGIN SSH SIGNATURE-----\n"
#define TAIL "\n-----END SSH SIGNATURE-----"
    static const struct {
        const char *text;
        enum err err;
    } rows[] = {{HEAD "YWJj" TAIL "\n", ERR_NONE},        {HEAD "YWJj" TAIL, ERR_NONE},           {HEAD "YW\n\t Jj" TAIL " and more\n", ERR_NONE},
                {HEAD "YWJj-----END SSH SIGNATURE-----", ERR_FORMAT}, {"\n" HEAD "YWJj" TAIL, ERR_FORMAT}, {HEAD "YWJj\n", ERR_FORMAT},
                {HEAD "YWJ" TAIL, ERR_FORMAT},            {HEAD "YW-j" TAIL, ERR_FORMAT},         {"", ERR_FORMAT},
                {"-----BEGIN SSH SIGNATURE-----\r\nYWJj" TAIL, ERR_FORMAT}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct wr out CLEANUP(wr_clear) = wr_heap(4096);
        assert_int_equal(sshsig_armour_parse(bytes_str(rows[i].text), &out), rows[i].err);
        if (rows[i].err == ERR_NONE) assert_true(bytes_is(wr_bytes(&out), "abc"));
    }
}

/* ---- allowed signers ---- */

static uint64_t two_hours_west(int64_t wall_s)
{
    return wall_s + 7200 > 0 ? (uint64_t)wall_s + 7200 : 0;
}

static const char *wrong(const char *line)
{
    struct signer s CLEANUP(signer_clear) = {0};
    const char *why = NULL;
    enum err e = signer_parse(bytes_str(line), bytes_of(NULL, 0), two_hours_west, &s, &why);
    return e == ERR_NONE ? "none" : e == ERR_NOT_FOUND ? "nothing" : why;
}

static void lines_with_a_fault_allow_nothing(void **state)
{
    static const char *const rows[][2] = {
        {"me " SAMPLE_PUB, "none"},
        {"", "nothing"},
        {"  # me", "nothing"},
        {"me", "missing key"},
        {"me cert-authority", "missing key"},
        {"me nonsense here", "invalid key"},
        {"me namespaces=\"a " SAMPLE_PUB, "invalid options"},
        {"m\"e " SAMPLE_PUB, "invalid line"},
        {"me foo " SAMPLE_PUB, "bad options: unknown key option"},
        {"me cert-authority=\"x\" " SAMPLE_PUB, "bad options: unknown key option"},
        {"me namespaces " SAMPLE_PUB, "bad options: unknown key option"},
        {"me cert-authority, " SAMPLE_PUB, "bad options: unexpected end-of-options"},
        {"me namespaces=a " SAMPLE_PUB, "bad options: missing start quote"},
        {"me namespaces=\"a\",namespaces=\"b\" " SAMPLE_PUB, "bad options: multiple \"namespaces\" clauses"},
        {"me valid-after=\"2020\" " SAMPLE_PUB, "bad options: invalid \"valid-after\" time"},
        {"me valid-after=\"20210101\",valid-before=\"20210101\" " SAMPLE_PUB, "bad options: \"valid-before\" time is before \"valid-after\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) assert_string_equal(wrong(rows[i][0]), rows[i][1]);
}

static void options_and_times_are_read(void **state)
{
    static const char line[] = "\"me,you\" Cert-Authority,namespaces=\"a\\\"b,f*\",valid-after=\"19700101\","
                               "valid-before=\"19700102000001utc\" " SAMPLE_PUB " c";
    struct signer s CLEANUP(signer_clear) = {0}, none CLEANUP(signer_clear) = {0};
    struct pubkey *key CLEANUP(pubkey_drop) = NULL;
    struct pubkey_line view;
    const char *why = NULL;
    uint64_t at = 5;
    (void)state;
    assert_int_equal(signer_parse(bytes_str(line), BYTES_LIT("you"), two_hours_west, &s, &why), ERR_NONE);
    assert_int_equal(signer_parse(bytes_str(line), BYTES_LIT("them"), two_hours_west, &none, &why), ERR_NOT_FOUND);
    assert_true(bytes_is(s.principals, "me,you") && s.cert_authority && s.valid_after == 7200 && s.valid_before == 86401);
    assert_true(signer_has_namespace(&s, BYTES_LIT("file")) && signer_has_namespace(&s, BYTES_LIT("a\"b")) && !signer_has_namespace(&s, BYTES_LIT("a")));
    assert_int_equal(pubkey_line_parse(BYTES_LIT(SAMPLE_PUB), &view, &key), ERR_NONE);
    assert_int_equal(signer_match(&s, key), SIGNER_OTHER_KEY); /* a CA's own key signs nothing */
    s.cert_authority = false;
    assert_int_equal(signer_match(&s, key), SIGNER_KEY);
    static const char *const bad[] = {"", "Z", "20200101ZZ", "20200231", "2020010112", "19700101Z", "20200101 ", "x"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) assert_int_equal(signer_time_parse(bytes_str(bad[i]), two_hours_west, &at), ERR_FORMAT);
    assert_int_equal(at, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature_is_good_for_its_digest_and_namespace_only),
        cmocka_unit_test(cut_and_lengthened_signatures_are_errors),
        cmocka_unit_test(the_armour_is_taken_as_openssh_takes_it),
        cmocka_unit_test(lines_with_a_fault_allow_nothing),
        cmocka_unit_test(options_and_times_are_read),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
