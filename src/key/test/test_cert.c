/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/text.h"
#include "cert_samples.h"
#include "crypto/sign.h"
#include "key/cert.h"

#define ALGS BYTES_LIT("ssh-ed25519,rsa-sha2-512")

static const char *const types[] = {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
                                    "ssh-mldsa44-ed25519@openssh.com"};

static const struct privkey *made(const char *type, unsigned which)
{
    static struct privkey *kept[2][COUNT_OF(types)];
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (strcmp(types[i], type) == 0) {
            if (!kept[which][i]) assert_int_equal(privkey_generate(type, 2048, &random_libcrypto, &kept[which][i]), ERR_NONE);
            return kept[which][i];
        }
    fail();
    return NULL;
}

static const struct pubkey *subject(void)
{
    return privkey_public(made("ssh-ed25519", 0));
}

static const struct privkey *authority(void)
{
    return made("ssh-ed25519", 1);
}

static const struct sig_alg *alg_for(const struct privkey *k)
{
    for (const struct sig_alg *a = sig_algs; a->name; a++)
        if (strcmp(a->key_type, pubkey_type(privkey_public(k))) == 0) return a;
    return NULL;
}

/* ---- certificates by hand: every field as the test wants it, and a true signature over it ---- */

struct raw {
    uint32_t kind;
    const char *key_id;
    size_t key_id_n;                    /* 0: strlen */
    struct bytes principals, critical, extensions;      /* packed */
    uint64_t after, before;
    struct bytes ca_blob;               /* empty: the authority's */
    struct bytes tail;                  /* behind the signature */
};

static void raw_write(const struct raw *raw, struct wr *out)
{
    const struct privkey *ca = authority();
    struct bytes blob = raw->ca_blob.n ? raw->ca_blob : pubkey_blob(privkey_public(ca));
    struct bytes subject_blob = pubkey_blob(subject());
    struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
    wr_cstring(out, "ssh-ed25519-cert-v01@openssh.com");
    wr_cstring(out, "nonce");
    wr_raw(out, bytes_of(subject_blob.p + 15, subject_blob.n - 15));
    wr_u64(out, 7);
    wr_u32(out, raw->kind);
    wr_string(out, bytes_of(raw->key_id, raw->key_id_n ? raw->key_id_n : raw->key_id ? strlen(raw->key_id) : 0));
    wr_string(out, raw->principals);
    wr_u64(out, raw->after);
    wr_u64(out, raw->before ? raw->before : CERT_FOREVER);
    wr_string(out, raw->critical);
    wr_string(out, raw->extensions);
    wr_cstring(out, "whatever is reserved");
    wr_string(out, blob);
    assert_int_equal(privkey_sign(ca, sig_alg_find(BYTES_LIT("ssh-ed25519")), wr_bytes(out), &sig), ERR_NONE);
    wr_string(out, wr_bytes(&sig));
    wr_raw(out, raw->tail);
    assert_int_equal(wr_done(out), ERR_NONE);
}

static enum err raw_parse(const struct raw *raw, struct pubkey **out)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(1 << 20);
    struct cert fields;
    raw_write(raw, &w);
    enum err e = pubkey_parse_any(wr_bytes(&w), out);
    assert_int_equal(cert_fields_parse(wr_bytes(&w), &fields), e); /* a good signature: both say the same */
    return e;
}

/* "a|b|c" as packed strings; "" is none. */
static struct bytes packed(struct wr *room, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "|");
        wr_string(room, bytes_of(text, n));
        text += n + (text[n] == '|');
    }
    return wr_bytes(room);
}

/* Names with empty data; "name=text": a string in it; "name:raw": raw data. */
static struct bytes options(struct wr *room, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "|"), name = strcspn(text, "|=:");
        wr_string(room, bytes_of(text, name));
        size_t mark = wr_begin(room);
        if (name < n && text[name] == '=') wr_string(room, bytes_of(text + name + 1, n - name - 1));
        else if (name < n) wr_raw(room, bytes_of(text + name + 1, n - name - 1));
        wr_end(room, mark);
        text += n + (text[n] == '|');
    }
    return wr_bytes(room);
}

/* A good user certificate but for what is given. */
static struct pubkey *cert_with(enum cert_kind kind, const char *principals, const char *critical, const char *extensions)
{
    struct wr p CLEANUP(wr_clear) = wr_heap(1 << 16), c CLEANUP(wr_clear) = wr_heap(1 << 16), x CLEANUP(wr_clear) = wr_heap(1 << 16);
    struct raw raw = {.kind = kind, .key_id = "id", .after = 1000, .before = 2000};
    struct pubkey *k = NULL;
    raw.principals = packed(&p, principals), raw.critical = options(&c, critical), raw.extensions = options(&x, extensions);
    assert_int_equal(raw_parse(&raw, &k), ERR_NONE);
    return k;
}

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
    for (size_t i = 0; i < COUNT_OF(types) * COUNT_OF(types); i++) {
        const struct privkey *key = made(types[i / COUNT_OF(types)], 0), *ca = made(types[i % COUNT_OF(types)], 1);
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
            assert_string_equal(sig_alg_plain(a)->key_type, types[i / COUNT_OF(types)]);
            assert_int_equal(privkey_sign(key, a, BYTES_LIT("m"), &sig), ERR_KEY_TYPE);
            assert_int_equal(privkey_sign(key, sig_alg_plain(a), BYTES_LIT("m"), &sig), ERR_NONE);
            assert_true(pubkey_verify(k, a, BYTES_LIT("m"), wr_bytes(&sig)) == VERDICT_GOOD);
            assert_true(pubkey_verify(k, a, BYTES_LIT("n"), wr_bytes(&sig)) == VERDICT_BAD);
            assert_true(pubkey_verify(k, sig_alg_plain(a), BYTES_LIT("m"), wr_bytes(&sig)) == VERDICT_BAD);
            assert_true(pubkey_verify(pubkey_plain(k), a, BYTES_LIT("m"), wr_bytes(&sig)) == VERDICT_BAD);
        }
        assert_int_equal(algs, strcmp(types[i / COUNT_OF(types)], "ssh-rsa") == 0 ? 3 : 1);
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

/* ---- believing ---- */

static void a_certificate_holds_for_its_kind_and_time(void **state)
{
    (void)state;
    static const struct {
        enum cert_kind kind, want;
        uint64_t now;
        const char *principals, *critical, *algs, *why;
    } rows[] = {
        {CERT_USER, CERT_USER, 1000, "a", "", "ssh-ed25519", NULL},
        {CERT_USER, CERT_USER, 1999, "a", "", "rsa-sha2-512,ssh-ed25519", NULL},
        {CERT_USER, CERT_USER, 999, "a", "", "ssh-ed25519", "Certificate invalid: not yet valid"},
        {CERT_USER, CERT_USER, 2000, "a", "", "ssh-ed25519", "Certificate invalid: expired"},
        {CERT_HOST, CERT_USER, 1000, "a", "", "ssh-ed25519", "Certificate invalid: not a user certificate"},
        {CERT_USER, CERT_HOST, 1000, "a", "", "ssh-ed25519", "Certificate invalid: not a host certificate"},
        {CERT_HOST, CERT_HOST, 1000, "a", "", "ssh-ed25519", NULL},
        {CERT_USER, CERT_USER, 1000, "", "", "ssh-ed25519", "Certificate lacks principal list"},
        {CERT_HOST, CERT_HOST, 1000, "", "", "ssh-ed25519", "Certificate lacks principal list"},
        {CERT_USER, CERT_USER, 1000, "a,b", "", "ssh-ed25519", "Certificate invalid: a principal contains a separator"},
        {CERT_USER, CERT_USER, 1000, "c|a,b", "", "ssh-ed25519", "Certificate invalid: a principal contains a separator"},
        {CERT_USER, CERT_USER, 1000, "a", "", "", "Certificate signed with disallowed algorithm"},
        {CERT_USER, CERT_USER, 1000, "a", "", "ssh-ed*", "Certificate signed with disallowed algorithm"},
        {CERT_USER, CERT_USER, 1000, "a", "", "ssh-ed25519-cert-v01@openssh.com,rsa-sha2-512", "Certificate signed with disallowed algorithm"},
        {CERT_USER, CERT_USER, 1000, "a", "force-command=x|source-address=::1|verify-required", "ssh-ed25519", NULL},
        {CERT_USER, CERT_USER, 1000, "a", "force-commanD=x", "ssh-ed25519", "Certificate contains unsupported critical options"},
        {CERT_USER, CERT_USER, 1000, "a", "permit-pty", "ssh-ed25519", "Certificate contains unsupported critical options"},
        {CERT_HOST, CERT_HOST, 1000, "a", "force-command=x", "ssh-ed25519", "Certificate contains unsupported critical options"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct pubkey *k CLEANUP(pubkey_drop) = cert_with(rows[i].kind, rows[i].principals, rows[i].critical, "unknown@example.com");
        const char *why = NULL;
        enum verdict v = cert_check(pubkey_cert(k), rows[i].want, rows[i].now, bytes_str(rows[i].algs), &why);
        if ((v == VERDICT_GOOD) != (rows[i].why == NULL) || (why && strcmp(why, rows[i].why) != 0)) fail_msg("row %zu: %s", i, why ? why : "good");
    }
}

/* CVE-2026-35414, CVE-2024-7594: no list, pattern or empty name stands for somebody. */
static void principals_match_as_openssh_10_3_says(void **state)
{
    (void)state;
    static const struct {
        const char *principals, *name;
        bool user, host;
    } rows[] = {
        {"alice", "alice", true, true},
        {"alice", "Alice", false, true},
        {"ALICE", "alice", false, true},
        {"alice", "alic", false, false},
        {"alice", "alicee", false, false},
        {"bob|alice", "alice", true, true},
        {"", "alice", false, false},
        {"*", "alice", false, true},
        {"*", "*", true, true},
        {"a?ice", "alice", false, true},
        {"*.example.com", "a.example.com", false, true},
        {"*.example.com", "example.com", false, false},
        {"alice,bob", "alice", false, false},
        {"alice,bob", "bob", false, false},
        {"alice,bob", "alice,bob", false, false},
        {"!bob", "alice", false, false},
        {"alice", "", false, false},
        {"a b", "a b", true, true},
        {"a b", "a", false, false},
        {"alice|alice", "alice", true, true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct pubkey *user CLEANUP(pubkey_drop) = cert_with(CERT_USER, rows[i].principals, "", "");
        struct pubkey *host CLEANUP(pubkey_drop) = cert_with(CERT_HOST, rows[i].principals, "", "");
        if (cert_has_principal(pubkey_cert(user), bytes_str(rows[i].name)) != rows[i].user) fail_msg("row %zu as user", i);
        if (cert_has_principal(pubkey_cert(host), bytes_str(rows[i].name)) != rows[i].host) fail_msg("row %zu as host", i);
    }
    struct wr p CLEANUP(wr_clear) = wr_heap(100);
    wr_cstring(&p, "");
    struct raw raw = {.kind = CERT_USER, .principals = wr_bytes(&p)};
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    assert_int_equal(raw_parse(&raw, &k), ERR_NONE);
    assert_false(cert_has_principal(pubkey_cert(k), BYTES_LIT("")));
    assert_false(cert_has_principal(pubkey_cert(k), BYTES_LIT("alice")));
}

static void nothing_is_permitted_but_by_an_extension(void **state)
{
    (void)state;
    static const char *const names[] = {"permit-X11-forwarding", "permit-agent-forwarding", "permit-port-forwarding", "permit-pty", "permit-user-rc",
                                        "no-touch-required"};
    static struct key_options o;
    for (unsigned set = 0; set < 1U << COUNT_OF(names); set++) {
        char text[256] = "", *end = text;
        static const unsigned sorted[] = {5, 0, 1, 2, 3, 4};
        for (size_t i = 0; i < COUNT_OF(names); i++)
            if (set >> sorted[i] & 1) end += sprintf(end, "%s%s", end == text ? "" : "|", names[sorted[i]]);
        struct pubkey *k CLEANUP(pubkey_drop) = cert_with(CERT_USER, "a", "", text);
        const char *why = NULL;
        assert_int_equal(cert_key_options(pubkey_cert(k), &o, &why), ERR_NONE);
        const uint8_t got[] = {o.permit_x11_forwarding, o.permit_agent_forwarding, o.permit_port_forwarding, o.permit_pty, o.permit_user_rc, o.no_touch_required};
        for (size_t i = 0; i < COUNT_OF(names); i++) assert_int_equal(got[i], set >> i & 1);
        assert_true(!o.has_command && !o.has_from && !o.has_source_address && !o.verify_required && !o.cert_authority && o.tunnel == KEY_TUNNEL_NONE);
        assert_true(key_options_check(&o) == VERDICT_GOOD);
    }
}

static void bad_options_refuse_the_certificate(void **state)
{
    (void)state;
    static const struct {
        enum cert_kind kind;
        const char *critical, *extensions, *why;
    } rows[] = {
        {CERT_USER, "force-command=", "", NULL},
        {CERT_USER, "verify-required", "unknown=x", NULL},
        {CERT_USER, "source-address=10.0.0.0/8", "permit-pty", NULL},
        {CERT_USER, "force-command", "", "Certificate option corrupt"},
        {CERT_USER, "force-command:x", "", "Certificate option corrupt"},
        {CERT_USER, "verify-required=x", "", "Certificate option corrupt"},
        {CERT_USER, "verify-required:x", "", "Certificate option corrupt"},
        {CERT_USER, "source-address=", "", "Certificate source-address contents invalid"},
        {CERT_USER, "source-address=*", "", "Certificate source-address contents invalid"},
        {CERT_USER, "source-address=10.0.0.1/8", "", "Certificate source-address contents invalid"},
        {CERT_USER, "unknown", "", "Certificate critical option is not supported"},
        {CERT_USER, "", "permit-pty:x", "Certificate option corrupt (extra data)"},
        {CERT_HOST, "", "", "not a user certificate"},
    };
    static struct key_options o;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct pubkey *k CLEANUP(pubkey_drop) = cert_with(rows[i].kind, "a", rows[i].critical, rows[i].extensions);
        const char *why = NULL;
        enum err e = cert_key_options(pubkey_cert(k), &o, &why);
        if ((e == ERR_NONE) != (rows[i].why == NULL) || (why && strcmp(why, rows[i].why) != 0)) fail_msg("row %zu: %s", i, why ? why : "good");
    }
    char longest[KEY_COMMAND_MAX + 64] = "force-command=";
    size_t n = strlen(longest);
    memset(longest + n, 'x', KEY_COMMAND_MAX - 1);
    struct pubkey *fits CLEANUP(pubkey_drop) = cert_with(CERT_USER, "a", longest, "");
    strcat(longest, "x");
    struct pubkey *over CLEANUP(pubkey_drop) = cert_with(CERT_USER, "a", longest, "");
    const char *why = NULL;
    assert_int_equal(cert_key_options(pubkey_cert(fits), &o, &why), ERR_NONE);
    assert_int_equal(cert_key_options(pubkey_cert(over), &o, &why), ERR_TOO_LONG); /* never a command cut short */
}

static void source_lists_hold_addresses_only(void **state)
{
    (void)state;
    static const char *const good[] = {"1.2.3.4", "1.2.3.4/32", "10.0.0.0/8,192.0.2.1", "::1", "2001:db8::/32", "0.0.0.0/0", "::/0"};
    static const char *const bad[] = {"", ",", "1.2.3.4,", ",1.2.3.4", "1.2.3.4,,::1", "*", "1.2.3.*", "!1.2.3.4", "1.2.3.4/", "1.2.3.4/33", "::1/129",
                                      "1.2.3.4/24", "1.2.3", "1234", "abc", "host", "1.2.3.4 ", "fe80::1%eth0", "1.2.3.4/2/2", "1.2.3.4/-1"};
    for (size_t i = 0; i < COUNT_OF(good); i++)
        if (cert_source_check(bytes_str(good[i])) != VERDICT_GOOD) fail_msg("%s", good[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (cert_source_check(bytes_str(bad[i])) == VERDICT_GOOD) fail_msg("%s", bad[i]);
    assert_true(cert_source_check(BYTES_LIT("1.2.3.4\0")) == VERDICT_BAD);
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

static void time_show(struct wr *w, uint64_t at_s)
{
    wr_textf(w, "<%llu>", (unsigned long long)at_s);
}

static void validities_are_shown_in_openssh_s_words(void **state)
{
    (void)state;
    static const struct {
        uint64_t after, before;
        const char *text;
    } rows[] = {{0, CERT_FOREVER, "forever"}, {0, 5, "before <5>"}, {5, CERT_FOREVER, "after <5>"}, {5, 6, "from <5> to <6>"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct wr w CLEANUP(wr_clear) = wr_heap(200);
        cert_validity_write(&w, rows[i].after, rows[i].before, time_show);
        assert_true(bytes_is(wr_bytes(&w), rows[i].text));
    }
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
        cmocka_unit_test(a_certificate_holds_for_its_kind_and_time),
        cmocka_unit_test(principals_match_as_openssh_10_3_says),
        cmocka_unit_test(nothing_is_permitted_but_by_an_extension),
        cmocka_unit_test(bad_options_refuse_the_certificate),
        cmocka_unit_test(source_lists_hold_addresses_only),
        cmocka_unit_test(algorithm_lists_are_consistent),
        cmocka_unit_test(validities_are_shown_in_openssh_s_words),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
