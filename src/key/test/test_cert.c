/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/text.h"
#include "cert_made.h"
#include "cert_samples.h"
#include "crypto/sign.h"

#define ALGS BYTES_LIT("ssh-ed25519,rsa-sha2-512")

/* ---- parsing ---- */

static void sample_parse(const char *base64, struct pubkey **out)
{
    struct wr blob CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX);
    struct pubkey *none = NULL;
    assert_int_equal(base64_parse(bytes_str(base64), &blob), ERR_NONE);
    assert_int_equal(pubkey_parse(wr_bytes(&blob), &none), ERR_KEY_TYPE); /* who does not ask for certificates gets none */
    assert_int_equal(pubkey_parse_any(wr_bytes(&blob), out), ERR_NONE);
}

static void fingerprint_is(const struct pubkey *k, const char *want)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(200);
    pubkey_fingerprint_write(&w, k, FINGERPRINT_SHA256);
    assert_true(bytes_is(wr_bytes(&w), want));
}

static void openssh_s_certificates_are_read(void **state)
{
    (void)state;
    struct pubkey *user CLEANUP(pubkey_drop) = NULL, *host CLEANUP(pubkey_drop) = NULL;
    struct bytes name;
    sample_parse(cert_sample_user, &user);
    const struct cert *c = pubkey_cert(user);
    assert_string_equal(pubkey_type(user), "ecdsa-sha2-nistp256-cert-v01@openssh.com");
    assert_string_equal(pubkey_short_name(user), "ECDSA-CERT");
    assert_int_equal(pubkey_bits(user), 256);
    fingerprint_is(user, CERT_SAMPLE_KEY);
    fingerprint_is(pubkey_plain(user), CERT_SAMPLE_KEY);
    fingerprint_is(c->ca, CERT_SAMPLE_CA);
    assert_true(c->kind == CERT_USER && c->serial == 42 && bytes_is(c->key_id, "an id") && c->principals_n == 2);
    assert_true(c->valid_after == 1735689600 && c->valid_before == 2051222400);
    assert_string_equal(c->ca_alg, "ssh-ed25519");
    struct bytes rest = c->principals;
    assert_true(cert_name_next(&rest, &name) && bytes_is(name, "alice"));
    assert_true(cert_name_next(&rest, &name) && bytes_is(name, "bob"));
    assert_false(cert_name_next(&rest, &name));

    static struct key_options o;
    const char *why = NULL;
    assert_int_equal(cert_key_options(c, &o, &why), ERR_NONE);
    assert_true(o.has_command && strcmp(o.command, "echo \"hi\"") == 0);
    assert_true(o.has_source_address && strcmp(o.source_address, "192.0.2.0/24,2001:db8::/32") == 0 && !o.has_from);
    assert_true(o.permit_pty && o.permit_port_forwarding && o.permit_agent_forwarding && o.permit_user_rc && !o.permit_x11_forwarding);
    assert_true(key_options_check(&o) == VERDICT_GOOD);
    o.source_address[0] = '*';
    assert_true(key_options_check(&o) == VERDICT_BAD);

    sample_parse(cert_sample_host, &host);
    c = pubkey_cert(host);
    assert_true(c->kind == CERT_HOST && c->valid_after == 0 && c->valid_before == CERT_FOREVER && c->critical.n == 0 && c->extensions.n == 0);
    assert_string_equal(c->ca_alg, "rsa-sha2-512");
    fingerprint_is(host, CERT_SAMPLE_CA);
    assert_true(cert_check(c, CERT_HOST, 0, ALGS, &why) == VERDICT_GOOD);
    assert_true(cert_check(c, CERT_HOST, UINT64_MAX, ALGS, &why) == VERDICT_GOOD);
}

static void lines_take_certificates_only_where_asked(void **state)
{
    (void)state;
    struct wr line CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX), again CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    struct pubkey_line view;
    wr_textf(&line, "ecdsa-sha2-nistp256-cert-v01@openssh.com %s a comment", cert_sample_user);
    assert_int_equal(pubkey_line_parse(wr_bytes(&line), &view, &k), ERR_KEY_TYPE);
    assert_int_equal(pubkey_line_parse_any(wr_bytes(&line), &view, &k), ERR_NONE);
    assert_true(bytes_is(view.comment, "a comment"));
    pubkey_line_write(&again, k, view.comment);
    assert_true(bytes_equal(wr_bytes(&line), wr_bytes(&again)));
    line.p[0] = 's'; /* the word before it is not the blob's type */
    struct pubkey *none = NULL;
    assert_int_equal(pubkey_line_parse_any(wr_bytes(&line), &view, &none), ERR_FORMAT);
}

static void cut_and_altered_certificates_are_errors(void **state)
{
    (void)state;
    struct wr blob CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX);
    struct pubkey *k = NULL;
    assert_int_equal(base64_parse(bytes_str(cert_sample_user), &blob), ERR_NONE);
    for (size_t n = 0; n < blob.n; n++) {
        uint8_t *own = malloc(n ? n : 1); /* memory of its own: a read behind it is seen */
        memcpy(own, blob.p, n);
        assert_int_not_equal(pubkey_parse_any(bytes_of(own, n), &k), ERR_NONE);
        free(own);
    }
    for (size_t i = 0; i < blob.n; i++) {
        blob.p[i] ^= 1;
        assert_int_not_equal(pubkey_parse_any(wr_bytes(&blob), &k), ERR_NONE);
        blob.p[i] ^= 1;
    }
    wr_u8(&blob, 0);
    assert_int_not_equal(pubkey_parse_any(wr_bytes(&blob), &k), ERR_NONE);
}

static void malformed_certificates_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t kind;
        const char *key_id;
        size_t key_id_n;
        const char *principals, *critical, *extensions, *tail;
        bool good;
    } rows[] = {
        {CERT_USER, "id", 0, "a", "", "", "", true},
        {CERT_USER, "", 0, "", "", "", "", true},
        {CERT_HOST, "id", 0, "a|a", "a|b", "a|b|c", "", true},
        {CERT_USER, "id", 0, "a", "permit-X|permit-a", "", "", true},   /* bytes, not letters */
        {CERT_USER, "id", 0, "a", "a|aa|ab", "", "", true},
        {0, "id", 0, "a", "", "", "", false},
        {3, "id", 0, "a", "", "", "", false},
        {0x100 | CERT_USER, "id", 0, "a", "", "", "", false},
        {CERT_USER, "i\0d", 3, "a", "", "", "", false},
        {CERT_USER, "id", 0, "a", "", "", "x", false},
        {CERT_USER, "id", 0, "a", "b|a", "", "", false},
        {CERT_USER, "id", 0, "a", "a|a", "", "", false},
        {CERT_USER, "id", 0, "a", "a=x|a=y", "", "", false},
        {CERT_USER, "id", 0, "a", "", "b|a", "", false},
        {CERT_USER, "id", 0, "a", "", "a|a", "", false},
        {CERT_USER, "id", 0, "a", "", "ab|a", "", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct wr p CLEANUP(wr_clear) = wr_heap(1 << 16), c CLEANUP(wr_clear) = wr_heap(1 << 16), x CLEANUP(wr_clear) = wr_heap(1 << 16);
        struct raw raw = {.kind = rows[i].kind, .key_id = rows[i].key_id, .key_id_n = rows[i].key_id_n, .tail = bytes_str(rows[i].tail)};
        struct pubkey *k CLEANUP(pubkey_drop) = NULL;
        raw.principals = packed(&p, rows[i].principals);
        raw.critical = options(&c, rows[i].critical);
        raw.extensions = options(&x, rows[i].extensions);
        enum err e = raw_parse(&raw, &k);
        if ((e == ERR_NONE) != rows[i].good) fail_msg("row %zu: %s", i, err_name(e));
    }
}

static void odd_packed_fields_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct bytes principals, critical;
    } rows[] = {
        {BYTES_LIT("\0\0\0\1"), {0}},
        {BYTES_LIT("\0\0\0\1ab"), {0}},
        {BYTES_LIT("\0\0\0\3a\0b"), {0}},
        {BYTES_LIT("\0\0\0\2a\0"), {0}},
        {BYTES_LIT("\xff\xff\xff\xff"), {0}},
        {{0}, BYTES_LIT("\0\0\0\1a")},
        {{0}, BYTES_LIT("\0\0\0\1a\0\0\0\1")},
        {{0}, BYTES_LIT("\0\0\0\3a\0b\0\0\0\0")},
        {{0}, BYTES_LIT("\0\0\0\1a\0\0\0\0x")},
    };
    struct pubkey *k = NULL;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct raw raw = {.kind = CERT_USER, .principals = rows[i].principals, .critical = rows[i].critical};
        assert_int_not_equal(raw_parse(&raw, &k), ERR_NONE);
        raw.extensions = rows[i].critical, raw.critical = (struct bytes){0};
        assert_int_not_equal(raw_parse(&raw, &k), ERR_NONE);
    }
}

static void no_more_than_256_principals(void **state)
{
    (void)state;
    for (size_t n = CERT_PRINCIPALS_MAX; n <= CERT_PRINCIPALS_MAX + 1; n++) {
        struct wr p CLEANUP(wr_clear) = wr_heap(1 << 16);
        struct pubkey *k CLEANUP(pubkey_drop) = NULL;
        for (size_t i = 0; i < n; i++) wr_cstring(&p, "x");
        struct raw raw = {.kind = CERT_USER, .principals = wr_bytes(&p)};
        assert_int_equal(raw_parse(&raw, &k), n <= CERT_PRINCIPALS_MAX ? ERR_NONE : ERR_RANGE);
    }
}

/* CVE-2025-49825 and its like: the key that signs must not itself be certified. */
static void a_certificate_is_no_ca(void **state)
{
    (void)state;
    struct wr w CLEANUP(wr_clear) = wr_heap(1 << 16);
    struct raw inner = {.kind = CERT_USER, .key_id = "ca"};
    struct pubkey *k = NULL, *ca CLEANUP(pubkey_drop) = NULL;
    raw_write(&inner, &w);
    struct raw outer = {.kind = CERT_USER, .key_id = "user", .ca_blob = wr_bytes(&w)};
    assert_int_equal(raw_parse(&outer, &k), ERR_KEY_TYPE);
    assert_int_equal(pubkey_parse_any(wr_bytes(&w), &ca), ERR_NONE);
    struct wr body CLEANUP(wr_clear) = wr_heap(1 << 16);
    const struct cert_plan plan = {.kind = CERT_USER, .valid_before = 1};
    assert_int_equal(cert_body_write(&plan, subject(), ca, &random_libcrypto, &body), ERR_KEY_TYPE);
    assert_int_equal(cert_body_write(&plan, ca, subject(), &random_libcrypto, &body), ERR_KEY_TYPE);
}

static void another_ca_s_signature_is_refused(void **state)
{
    (void)state;
    struct raw raw = {.kind = CERT_USER, .ca_blob = pubkey_blob(subject())}; /* signed by the authority, not by this one */
    struct wr w CLEANUP(wr_clear) = wr_heap(1 << 16);
    struct cert fields;
    struct pubkey *k = NULL;
    raw_write(&raw, &w);
    assert_int_equal(pubkey_parse_any(wr_bytes(&w), &k), ERR_SIGNATURE);
    assert_int_equal(cert_fields_parse(wr_bytes(&w), &fields), ERR_NONE); /* which proves nothing, and says so */
    assert_null(fields.ca);
    raw.ca_blob = pubkey_blob(privkey_public(made("ecdsa-sha2-nistp256", 1))); /* the signature's algorithm is not this key's */
    w.n = 0;
    raw_write(&raw, &w);
    assert_int_equal(pubkey_parse_any(wr_bytes(&w), &k), ERR_KEY_TYPE);
}

/* ---- making ---- */

static enum err certify(const struct cert_plan *plan, const struct pubkey *key, const struct privkey *ca, const struct sig_alg *alg, struct wr *out)
{
    struct wr body CLEANUP(wr_clear) = wr_heap(1 << 16), sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
    TRY(cert_body_write(plan, key, privkey_public(ca), &random_libcrypto, &body));
    TRY(privkey_sign(ca, alg, wr_bytes(&body), &sig));
    return cert_write(wr_bytes(&body), wr_bytes(&sig), out);
}

static void every_type_certifies_every_type(void **state)
{
    (void)state;
    const struct bytes names[] = {BYTES_LIT("one"), BYTES_LIT("two")};
    const struct cert_option critical[] = {{.name = BYTES_LIT("z"), .data = BYTES_LIT("\0\0\0\1x")}, {.name = BYTES_LIT("b")}};
    const struct cert_option extensions[] = {{.name = BYTES_LIT("permit-pty")}, {.name = BYTES_LIT("permit-X11-forwarding")}, {.name = BYTES_LIT("a")}};
    const struct cert_plan plan = {.kind = CERT_HOST, .serial = UINT64_MAX, .valid_after = 5, .valid_before = 6, .key_id = BYTES_LIT("the id"),
                                   .principals = names, .principals_n = 2, .critical = critical, .critical_n = 2, .extensions = extensions, .extensions_n = 3};
    for (size_t i = 0; i < TYPES * TYPES; i++) {
        const struct privkey *key = made(types[i / TYPES], 0), *ca = made(types[i % TYPES], 1);
        struct wr blob CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX), sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
        struct pubkey *k CLEANUP(pubkey_drop) = NULL;
        assert_int_equal(certify(&plan, privkey_public(key), ca, alg_for(ca), &blob), ERR_NONE);
        assert_int_equal(pubkey_parse_any(wr_bytes(&blob), &k), ERR_NONE);
        const struct cert *c = pubkey_cert(k);
        assert_true(c->kind == CERT_HOST && c->serial == UINT64_MAX && c->valid_after == 5 && c->valid_before == 6 && bytes_is(c->key_id, "the id"));
        assert_true(bytes_equal(pubkey_blob(pubkey_plain(k)), pubkey_blob(privkey_public(key))));
        assert_true(bytes_equal(pubkey_blob(c->ca), pubkey_blob(privkey_public(ca))));
        struct bytes rest = c->extensions;
        struct cert_option o;
        static const char *const order[] = {"a", "permit-X11-forwarding", "permit-pty"};
        for (size_t j = 0; j < 3; j++) assert_true(cert_option_next(&rest, &o) && bytes_is(o.name, order[j]) && o.data.n == 0);
        rest = c->critical;
        assert_true(cert_option_next(&rest, &o) && bytes_is(o.name, "b"));
        assert_true(cert_option_next(&rest, &o) && bytes_is(o.name, "z") && bytes_is(o.text, "x") && o.data.n == 5);

        size_t algs = 0;
        for (const struct sig_alg *a = sig_algs; a->name; a++) {
            sig.n = 0;
            bool ours = strcmp(a->key_type, pubkey_type(k)) == 0;
            assert_false(ours && !sig_alg_is_cert(a));
            if (!ours) continue;
            algs++;
            assert_string_equal(sig_alg_plain(a)->key_type, types[i / TYPES]);
            assert_int_equal(privkey_sign(key, a, BYTES_LIT("m"), &sig), ERR_KEY_TYPE);
            assert_int_equal(privkey_sign(key, sig_alg_plain(a), BYTES_LIT("m"), &sig), ERR_NONE);
            assert_true(pubkey_verify(k, a, BYTES_LIT("m"), wr_bytes(&sig)) == VERDICT_GOOD);
            assert_true(pubkey_verify(k, a, BYTES_LIT("n"), wr_bytes(&sig)) == VERDICT_BAD);
            assert_true(pubkey_verify(k, sig_alg_plain(a), BYTES_LIT("m"), wr_bytes(&sig)) == VERDICT_BAD);
            assert_true(pubkey_verify(pubkey_plain(k), a, BYTES_LIT("m"), wr_bytes(&sig)) == VERDICT_BAD);
        }
        assert_int_equal(algs, strcmp(types[i / TYPES], "ssh-rsa") == 0 ? 3 : 1);
    }
}

static void what_cannot_be_good_is_not_made(void **state)
{
    (void)state;
    const struct bytes comma[] = {BYTES_LIT("a,b")}, nul[] = {BYTES_LIT("a\0b")}, empty[] = {BYTES_LIT("")};
    const struct cert_option twice[] = {{.name = BYTES_LIT("b")}, {.name = BYTES_LIT("a")}, {.name = BYTES_LIT("b")}}, unnamed[] = {{.name = {0}}};
    static struct bytes many[CERT_PRINCIPALS_MAX + 1];
    for (size_t i = 0; i < COUNT_OF(many); i++) many[i] = BYTES_LIT("x");
    const struct {
        struct cert_plan plan;
        enum err e;
    } rows[] = {
        {{.valid_before = 1}, ERR_NONE},
        {{.valid_after = 1, .valid_before = 1}, ERR_RANGE},
        {{.valid_after = 2, .valid_before = 1}, ERR_RANGE},
        {{.valid_before = 1, .key_id = BYTES_LIT("a\0")}, ERR_FORMAT},
        {{.valid_before = 1, .principals = comma, .principals_n = 1}, ERR_FORMAT},
        {{.valid_before = 1, .principals = nul, .principals_n = 1}, ERR_FORMAT},
        {{.valid_before = 1, .principals = empty, .principals_n = 1}, ERR_FORMAT},
        {{.valid_before = 1, .principals = many, .principals_n = CERT_PRINCIPALS_MAX}, ERR_NONE},
        {{.valid_before = 1, .principals = many, .principals_n = CERT_PRINCIPALS_MAX + 1}, ERR_RANGE},
        {{.valid_before = 1, .critical = twice, .critical_n = 2}, ERR_NONE},
        {{.valid_before = 1, .critical = twice, .critical_n = 3}, ERR_FORMAT},
        {{.valid_before = 1, .extensions = twice, .extensions_n = 3}, ERR_FORMAT},
        {{.valid_before = 1, .extensions = unnamed, .extensions_n = 1}, ERR_FORMAT},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct wr out CLEANUP(wr_clear) = wr_heap(1 << 16);
        struct cert_plan plan = rows[i].plan;
        plan.kind = CERT_USER;
        enum err e = certify(&plan, subject(), authority(), alg_for(authority()), &out);
        if (e != rows[i].e) fail_msg("row %zu: %s", i, err_name(e));
    }
}

/* "ssh-rsa-cert-v01@openssh.com" is older than RSA with SHA-2: a signature of any RSA name is good under it; under all others only their own. */
static void only_the_oldest_name_of_certified_rsa_means_any_hash(void **state)
{
    static const char *const made_with[] = {"ssh-rsa", "rsa-sha2-256", "rsa-sha2-512"};
    static const char *const said[] = {"ssh-rsa-cert-v01@openssh.com", "rsa-sha2-256-cert-v01@openssh.com", "rsa-sha2-512-cert-v01@openssh.com"};
    const struct bytes names[] = {BYTES_LIT("one")};
    const struct cert_plan plan = {.kind = CERT_USER, .valid_before = 6, .principals = names, .principals_n = 1};
    const struct privkey *key = made("ssh-rsa", 0);
    struct wr blob CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX);
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    (void)state;
    assert_int_equal(certify(&plan, privkey_public(key), authority(), alg_for(authority()), &blob), ERR_NONE);
    assert_int_equal(pubkey_parse_any(wr_bytes(&blob), &k), ERR_NONE);
    for (size_t i = 0; i < 9; i++) {
        struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
        assert_int_equal(privkey_sign(key, sig_alg_find(bytes_str(made_with[i / 3])), BYTES_LIT("text"), &sig), ERR_NONE);
        enum verdict want = i % 3 == 0 || i / 3 == i % 3 ? VERDICT_GOOD : VERDICT_BAD;
        assert_int_equal(pubkey_verify(k, sig_alg_find(bytes_str(said[i % 3])), BYTES_LIT("text"), wr_bytes(&sig)), want);
        assert_int_equal(pubkey_verify(k, sig_alg_find(bytes_str(said[i % 3])), BYTES_LIT("texT"), wr_bytes(&sig)), VERDICT_BAD);
    }
}

static void algorithm_lists_are_consistent(void **state)
{
    (void)state;
    struct bytes name;
    size_t certs = 0;
    for (const struct sig_alg *a = sig_algs; a->name; a++) {
        const struct sig_alg *plain = sig_alg_plain(a);
        assert_true(plain && !sig_alg_is_cert(plain) && strcmp(plain->name, a->sig_name) == 0 && strcmp(plain->sig_name, a->sig_name) == 0);
        const char *type = cert_type_plain(bytes_str(a->key_type));
        assert_int_equal(type != NULL, sig_alg_is_cert(a));
        if (type) assert_string_equal(type, plain->key_type);
        certs += sig_alg_is_cert(a);
        bool listed = names_has(bytes_str(sig_algs_default_any), bytes_str(a->name));
        bool by_name_only = strcmp(a->sig_name, "ssh-rsa") == 0 || strcmp(a->sig_name, "ssh-mldsa44-ed25519@openssh.com") == 0;
        assert_int_equal(listed, !by_name_only);
        assert_int_equal(names_has(bytes_str(sig_algs_default), bytes_str(a->name)), listed && !sig_alg_is_cert(a));
    }
    assert_true(certs >= 7);
    for (size_t pos = 0; names_next(bytes_str(sig_algs_default_any), &pos, &name);) assert_non_null(sig_alg_find(name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openssh_s_certificates_are_read),
        cmocka_unit_test(lines_take_certificates_only_where_asked),
        cmocka_unit_test(cut_and_altered_certificates_are_errors),
        cmocka_unit_test(malformed_certificates_are_refused),
        cmocka_unit_test(odd_packed_fields_are_refused),
        cmocka_unit_test(no_more_than_256_principals),
        cmocka_unit_test(a_certificate_is_no_ca),
        cmocka_unit_test(another_ca_s_signature_is_refused),
        cmocka_unit_test(every_type_certifies_every_type),
        cmocka_unit_test(what_cannot_be_good_is_not_made),
        cmocka_unit_test(only_the_oldest_name_of_certified_rsa_means_any_hash),
        cmocka_unit_test(algorithm_lists_are_consistent),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
