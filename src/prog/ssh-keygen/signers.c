/* SPDX-License-Identifier: ISC */
/* The file of allowed signers: who may sign, and as whom. */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/text.h"
#include "certify.h"
#include "key/known_hosts.h"
#include "signature.h"

/* OpenSSH's exit statuses of match-principals: its error numbers as a byte. */
#define STATUS_NOT_FOUND 210
#define STATUS_SYSTEM    232
#define STATUS_FORMAT    252

struct signers {
    const char *path;
    struct secret text;
    struct line_walk walk;
};

static void signers_close(struct signers *s)
{
    secret_clear(&s->text);
}

static bool signers_open(const char *path, struct signers *s)
{
    s->path = path;
    enum err e = file_read(path, CONF_FILE_MAX, false, &s->text, NULL);
    if (e != ERR_NONE) say("Unable to open allowed keys file \"%s\": %s", path, reason(e));
    s->walk.rest = secret_bytes(&s->text);
    return e == ERR_NONE;
}

/* The next line for `only` (NULL: for anybody). ERR_NOT_FOUND: the end; other errors: a bad line, which was said. */
static enum err signers_next(struct signers *s, const char *only, struct signer *out)
{
    struct bytes line;
    const char *why;
    while (line_next(&s->walk, &line)) {
        enum err e = signer_parse(line, bytes_str(only), wall_here, out, &why);
        if (e == ERR_NOT_FOUND) continue;
        if (e != ERR_NONE) say("%s:%zu: %s", s->path, s->walk.number, why);
        return e == ERR_NONE ? ERR_NONE : ERR_FORMAT;
    }
    return ERR_NOT_FOUND;
}

static bool in_time(const struct signers *f, const struct signer *s, uint64_t at_s)
{
    char now[64], limit[64];
    if (s->valid_after != SIGNER_ALWAYS && at_s < s->valid_after) {
        say("%s:%zu: key is not yet valid: verify time %s < valid-after %s", f->path, f->walk.number, time_text(at_s, now), time_text(s->valid_after, limit));
        return false;
    }
    if (s->valid_before != SIGNER_ALWAYS && at_s > s->valid_before) {
        say("%s:%zu: key has expired: verify time %s > valid-before %s", f->path, f->walk.number, time_text(at_s, now), time_text(s->valid_before, limit));
        return false;
    }
    return true;
}

/* ---- verify ---- */

static bool cert_allows(const struct signers *f, const struct pubkey *key, const char *principal, uint64_t at_s)
{
    const char *why = "Certificate invalid: name is not a listed principal";
    const struct cert *c = pubkey_cert(key);
    if (cert_check(c, CERT_USER, at_s, bytes_str(sig_algs_sound), &why) == VERDICT_GOOD && cert_has_principal(c, bytes_str(principal))) return true;
    say("%s:%zu: certificate not authorized: %s", f->path, f->walk.number, why);
    return false;
}

static bool line_allows(const struct signers *f, const struct signer *s, const struct pubkey *key, const char *principal, const char *name_space,
                        uint64_t at_s)
{
    enum signer_hit hit = signer_match(s, key);
    if (hit == SIGNER_OTHER_KEY || (hit == SIGNER_CA && !cert_allows(f, key, principal, at_s))) return false;
    if (!signer_has_namespace(s, bytes_str(name_space))) {
        say("%s:%zu: key is not permitted for use in signature namespace \"%s\"", f->path, f->walk.number, name_space);
        return false;
    }
    return in_time(f, s, at_s);
}

bool signer_allowed(const char *path, const struct pubkey *key, const char *principal, const char *name_space, uint64_t at_s)
{
    struct signers f CLEANUP(signers_close) = {0};
    bool allowed = false;
    if (!principal[0] || !signers_open(path, &f)) return false;
    while (!allowed) {
        struct signer s CLEANUP(signer_clear) = {0};
        enum err e = signers_next(&f, principal, &s);
        if (e == ERR_NOT_FOUND) break;
        allowed = e == ERR_NONE && line_allows(&f, &s, key, principal, name_space, at_s);
    }
    return allowed;
}

/* ---- find-principals ---- */

static void name_put(struct wr *out, struct bytes name)
{
    wr_raw(out, name);
    wr_u8(out, ',');
}

/* The certificate's principals that a pattern of the line lets through. */
static bool cert_names(const struct signers *f, const struct signer *s, const struct pubkey *key, uint64_t at_s, struct wr *out)
{
    const char *why = NULL;
    const struct cert *c = pubkey_cert(key);
    struct bytes pattern, name;
    bool good = cert_check(c, CERT_USER, at_s, bytes_str(sig_algs_sound), &why) == VERDICT_GOOD;
    for (size_t at = 0; good && names_next(s->principals, &at, &pattern);)
        for (struct bytes rest = c->principals; cert_name_next(&rest, &name);)
            if (name.n && pattern_match(name, pattern)) name_put(out, name);
    if (out->n == 0) say("%s:%zu: no valid principals found", f->path, f->walk.number);
    return out->n > 0;
}

static bool line_names(const struct signers *f, const struct signer *s, const struct pubkey *key, uint64_t at_s, struct wr *out)
{
    enum signer_hit hit = signer_match(s, key);
    struct bytes name;
    if (hit == SIGNER_OTHER_KEY || (hit == SIGNER_CA && !cert_names(f, s, key, at_s, out))) return false;
    if (!in_time(f, s, at_s)) return false;
    for (size_t at = 0; hit == SIGNER_KEY && names_next(s->principals, &at, &name);) name_put(out, name);
    return true;
}

static void names_print(struct bytes names)
{
    struct bytes name;
    for (size_t at = 0; names_next(names, &at, &name);) {
        text_print(name);
        printf("\n");
    }
}

int principals_find(const struct options *o, const struct sig_options *s)
{
    struct signers f CLEANUP(signers_close) = {0};
    struct wr blob CLEANUP(wr_clear) = wr_heap(SSHSIG_FILE_MAX), names CLEANUP(wr_clear) = wr_heap(CONF_FILE_MAX);
    struct pubkey *key CLEANUP(pubkey_drop) = NULL;
    struct sshsig sig;
    bool found = false, usable = signature_load(o->ca_key, &blob, &sig) && pubkey_parse_any(sig.key_blob, &key) == ERR_NONE &&
                                 signers_open(o->file, &f);
    while (usable && !found) {
        struct signer one CLEANUP(signer_clear) = {0};
        enum err e = signers_next(&f, NULL, &one);
        if (e == ERR_NOT_FOUND) break;
        names.n = 0;
        found = e == ERR_NONE && line_names(&f, &one, key, s->verify_time_s, &names) && wr_done(&names) == ERR_NONE;
    }
    if (found) names_print(wr_bytes(&names));
    else fprintf(stderr, "No principal matched.\n");
    return found ? 0 : 255;
}

/* ---- match-principals ---- */

int principals_match(const struct options *o, const struct sig_options *s)
{
    struct signers f CLEANUP(signers_close) = {0};
    struct wr text CLEANUP(wr_clear) = wr_heap(2 * (size_t)CONF_FILE_MAX);
    struct line_walk walk = {0};
    struct bytes line;
    int status = STATUS_NOT_FOUND;
    (void)s;
    if (!signers_open(o->file, &f)) status = STATUS_SYSTEM;
    while (status == STATUS_NOT_FOUND && o->key_id[0]) {
        struct signer one CLEANUP(signer_clear) = {0};
        enum err e = signers_next(&f, o->key_id, &one);
        if (e == ERR_NOT_FOUND) break;
        if (e != ERR_NONE) status = STATUS_FORMAT;
        wr_raw(&text, one.principals);
        wr_u8(&text, '\n');
    }
    if (status == STATUS_NOT_FOUND && text.n && wr_done(&text) == ERR_NONE) {
        for (walk.rest = wr_bytes(&text); line_next(&walk, &line);) {
            text_print(line);
            printf("\n");
        }
        return 0;
    }
    fprintf(stderr, "No principal matched.\n");
    return status;
}
