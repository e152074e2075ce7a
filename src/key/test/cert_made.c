/* SPDX-License-Identifier: ISC */
#include "cert_made.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/limits.h"
#include "crypto/sign.h"

const char *const types[TYPES] = {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
                                    "ssh-mldsa44-ed25519@openssh.com"};

const struct privkey *made(const char *type, unsigned which)
{
    static struct privkey *kept[2][TYPES];
    for (size_t i = 0; i < TYPES; i++)
        if (strcmp(types[i], type) == 0) {
            if (!kept[which][i]) assert_int_equal(privkey_generate(type, 2048, &random_libcrypto, &kept[which][i]), ERR_NONE);
            return kept[which][i];
        }
    fail();
    return NULL;
}

const struct pubkey *subject(void)
{
    return privkey_public(made("ssh-ed25519", 0));
}

const struct privkey *authority(void)
{
    return made("ssh-ed25519", 1);
}

const struct sig_alg *alg_for(const struct privkey *k)
{
    for (const struct sig_alg *a = sig_algs; a->name; a++)
        if (strcmp(a->key_type, pubkey_type(privkey_public(k))) == 0) return a;
    return NULL;
}

void raw_write(const struct raw *raw, struct wr *out)
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

enum err raw_parse(const struct raw *raw, struct pubkey **out)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(1 << 20);
    struct cert fields;
    raw_write(raw, &w);
    enum err e = pubkey_parse_any(wr_bytes(&w), out);
    assert_int_equal(cert_fields_parse(wr_bytes(&w), &fields), e); /* a good signature: both say the same */
    return e;
}

struct bytes packed(struct wr *room, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "|");
        wr_string(room, bytes_of(text, n));
        text += n + (text[n] == '|');
    }
    return wr_bytes(room);
}

struct bytes options(struct wr *room, const char *text)
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

struct pubkey *cert_with(enum cert_kind kind, const char *principals, const char *critical, const char *extensions)
{
    struct wr p CLEANUP(wr_clear) = wr_heap(1 << 16), c CLEANUP(wr_clear) = wr_heap(1 << 16), x CLEANUP(wr_clear) = wr_heap(1 << 16);
    struct raw raw = {.kind = kind, .key_id = "id", .after = 1000, .before = 2000};
    struct pubkey *k = NULL;
    raw.principals = packed(&p, principals), raw.critical = options(&c, critical), raw.extensions = options(&x, extensions);
    assert_int_equal(raw_parse(&raw, &k), ERR_NONE);
    return k;
}
