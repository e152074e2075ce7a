/* SPDX-License-Identifier: ISC */
/* Signing keys, so that they become certificates (-s). The CA's key is in a private key file or in an agent (-U). */
#include "certify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/text.h"
#include "crypto/sign.h"
#include "kit/agent_client.h"
#include "kit/pkcs11.h"

/* Who signs: a key of our own, or one that an agent or a token holds. */
struct authority {
    struct identity id;
    struct pubkey *named;               /* -U: from the public key file */
    int agent;                          /* the connection, or -1 */
    struct pkcs11 *token;               /* -D; NULL: none */
    const struct pkcs11_key *token_key;
    const struct pubkey *key;
    const struct sig_alg *alg;
};

static void authority_drop(struct authority *a)
{
    identity_drop(&a->id);
    pubkey_drop(&a->named);
    pkcs11_close(a->token);
    if (a->agent >= 0) close(a->agent);
}

/* ---- the CA ---- */

static void public_find(struct authority *a, const char *path)
{
    struct wr comment CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    enum err e = public_load(path, &a->named, &comment);
    if (e != ERR_NONE) fatal("Cannot load CA public key %s: %s", path, reason(e));
    a->key = a->named;
}

static void agent_find(struct authority *a, const char *path)
{
    struct secret answer CLEANUP(secret_clear) = {0};
    struct rd r;
    struct agent_key one;
    uint32_t count = 0;
    public_find(a, path);
    enum err e = agent_connect(getenv("SSH_AUTH_SOCK"), &a->agent);
    if (e != ERR_NONE) fatal("Cannot use public key for CA signature: %s", e == ERR_NOT_FOUND ? "agent not present" : reason(e));
    e = agent_list(a->agent, &answer, &r, &count);
    if (e != ERR_NONE) fatal("Retrieve agent key list: %s", reason(e));
    for (uint32_t i = 0; i < count && agent_list_next(&r, &one) == ERR_NONE; i++)
        if (bytes_equal(one.blob, pubkey_blob(a->key))) return;
    fatal("CA key %s not found in agent", path);
}

static void token_find_ca(const struct options *o, struct authority *a, const char *path)
{
    public_find(a, path);
    a->token = token_open(o);
    a->token_key = token_find(a->token, a->key, path);
}

static void file_find(const struct options *o, struct authority *a, const char *path)
{
    enum err e = identity_load_from(path, o->passphrase, "Enter passphrase: ", &a->id);
    if (e != ERR_NONE) fatal("Load key \"%s\": %s", path, reason(e));
    a->key = privkey_public(a->id.key);
}

/* -t names a signature algorithm of the CA's key; without it the first of the key's own, which for RSA is rsa-sha2-512. */
static const struct sig_alg *alg_choose(const char *wish, const struct pubkey *ca)
{
    const struct sig_alg *own = sig_algs;
    while (own->name && strcmp(own->key_type, pubkey_type(ca)) != 0) own++;
    if (!own->name) fatal("key type %s cannot be a CA", pubkey_short_name(ca));
    const struct sig_alg *named = wish ? sig_alg_find(bytes_str(wish)) : own;
    if (!named && strcasecmp(wish, pubkey_short_name(ca)) == 0) named = own;
    if (!named || strcmp(named->key_type, pubkey_type(ca)) != 0) fatal("CA key type %s doesn't match specified %s", pubkey_type(ca), wish);
    return named;
}

static void authority_find(const struct options *o, struct authority *out)
{
    char path[PATH_MAX];
    path_expand(o, o->ca_key, path);
    if (o->pkcs11) token_find_ca(o, out, path);
    else if (o->agent_ca) agent_find(out, path);
    else file_find(o, out, path);
    if (pubkey_cert(out->key)) fatal("a certificate (%s) cannot be a CA", path);
    out->alg = alg_choose(o->type, out->key);
}

static enum err authority_sign(const struct options *o, const struct authority *a, struct bytes body, struct wr *out)
{
    if (a->token) return pkcs11_sign(a->token, a->token_key, a->alg, body, out);
    return a->agent >= 0 ? agent_sign(a->agent, a->key, a->alg, body, out) : key_sign(o, a->id.key, a->alg, body, out);
}

/* ---- the rest of the command line ---- */

static void serial_parse(const char *text, struct certify *out)
{
    if (!text) return;
    out->serial_steps = text[0] == '+';
    text += out->serial_steps;
    if (text_to_u64(bytes_str(text), UINT64_MAX, &out->serial) != ERR_NONE) fatal("Invalid serial number \"%s\"", text);
}

static void principals_parse(const char *text, struct certify *out)
{
    for (const char *p = text; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        size_t n = strcspn(p, ",");
        if (n == 0) fatal("Empty principal name");
        if (out->principals_n == CERT_PRINCIPALS_MAX) fatal("Too many certificate principals specified");
        out->principals[out->principals_n++] = bytes_of(p, n);
    }
}

/* ---- each key ---- */

/* KEY.pub and KEY both become KEY-cert.pub. */
static void output_path(const char *path, char out[PATH_MAX + 16])
{
    size_t n = strlen(path);
    if (n >= 4 && strcmp(path + n - 4, ".pub") == 0) n -= 4;
    snprintf(out, PATH_MAX + 16, "%.*s-cert.pub", (int)n, path);
}

static enum err cert_make(const struct options *o, const struct certify *c, const struct authority *a, const struct pubkey *subject,
                          struct pubkey **out)
{
    struct wr body CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX), sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
    struct wr blob CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX);
    const struct cert_plan plan = {
        .kind = o->host_cert ? CERT_HOST : CERT_USER, .serial = c->serial, .valid_after = c->valid_after, .valid_before = c->valid_before,
        .key_id = bytes_str(o->key_id), .principals = c->principals, .principals_n = c->principals_n, .critical = c->critical.at,
        .critical_n = c->critical.n, .extensions = c->extensions.at, .extensions_n = c->extensions.n,
    };
    TRY(cert_body_write(&plan, subject, a->key, &random_libcrypto, &body));
    TRY(authority_sign(o, a, wr_bytes(&body), &sig));
    TRY(cert_write(wr_bytes(&body), wr_bytes(&sig), &blob));
    return pubkey_parse_any(wr_bytes(&blob), out); /* nothing is saved that others would refuse */
}

static void certified_say(const struct options *o, const struct cert *c, const char *path)
{
    char room[256] = "";
    struct wr w = wr_span((struct span){(uint8_t *)room, sizeof room - 1});
    cert_validity_write(&w, c->valid_after, c->valid_before, time_show);
    say("Signed %s key %s: id \"%s\" serial %llu%s%s valid %s", o->host_cert ? "host" : "user", path, o->key_id, (unsigned long long)c->serial,
        o->principals ? " for " : "", o->principals ? o->principals : "", room);
}

static void certify_one(const struct options *o, const struct certify *c, const struct authority *a, const char *name)
{
    char path[PATH_MAX], out[PATH_MAX + 16];
    struct pubkey *subject CLEANUP(pubkey_drop) = NULL, *cert CLEANUP(pubkey_drop) = NULL;
    struct wr comment CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX), line CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    path_expand(o, name, path);
    enum err e = public_load(path, &subject, &comment);
    if (e != ERR_NONE) fatal("load pubkey \"%s\": %s", path, reason(e));
    if (pubkey_cert(subject)) fatal("key \"%s\" type %s cannot be certified", path, pubkey_short_name(subject));
    e = cert_make(o, c, a, subject, &cert);
    if (e != ERR_NONE && a->agent >= 0) fatal("Couldn't certify %s via agent: %s", path, agent_reason(e));
    if (e != ERR_NONE) fatal("Couldn't certify key %s: %s", path, reason(e));
    output_path(path, out);
    pubkey_line_write(&line, cert, wr_bytes(&comment));
    wr_u8(&line, '\n');
    e = wr_done(&line);
    if (e == ERR_NONE) e = output_save(out, wr_bytes(&line), 0644);
    if (e != ERR_NONE) fatal("Unable to save public key to %s: %s", out, reason(e));
    if (!o->quiet) certified_say(o, pubkey_cert(cert), out);
}

int job_certify(struct options *o)
{
    static struct certify c;
    struct authority a CLEANUP(authority_drop) = {.agent = -1};
    if (o->rest_n < 1) {
        say("Too few arguments.");
        usage();
    }
    serial_parse(o->serial, &c);
    certify_validity(o->validity, (uint64_t)time(NULL), &c);
    if (!o->key_id) fatal("Must specify key id (-I) when certifying");
    certify_options(o, &c);
    principals_parse(o->principals, &c);
    authority_find(o, &a);
    for (int i = 0; i < o->rest_n; i++) {
        certify_one(o, &c, &a, o->rest[i]);
        if (c.serial_steps) c.serial++;
    }
    if (c.principals_n == 0 && !o->quiet) say("WARNING: without principals (-n) nobody accepts a certificate.");
    return 0;
}
