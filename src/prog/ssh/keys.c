/* SPDX-License-Identifier: ISC */
/* Identities: what the agent holds, what key files hold, and certificates for either, in OpenSSH's order. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "key/cert.h"
#include "key/sk.h"
#include "kit/agent_client.h"
#include "os/atomic_file.h"
#include "ui.h"

struct list {
    struct identity *first, **end;
};

static struct identity *ordered;        /* all, once they are in order */
static struct list files, certs;        /* what IdentityFile and CertificateFile name */
static int agent_fd = -1;

int identities_agent(void)
{
    return agent_fd;
}

static void append(struct list *l, struct identity *id)
{
    if (!l->end)
        l->end = &l->first;
    id->next = NULL;
    *l->end = id;
    l->end = &id->next;
}

static struct identity *add(struct list *l, enum signer signer, struct pubkey *pub, char *path)
{
    struct identity *id = calloc(1, sizeof *id);
    if (!id || !path)
        fatal("out of memory");
    id->signer = signer;
    id->pub = pub;
    id->path = path;
    append(l, id);
    return id;
}

static void drop(struct identity *id)
{
    pubkey_free(id->pub);
    free(id->path);
    free(id);
}

/* Kinds that this program can use: user certificates, and keys that RequiredRSASize takes. */
static bool usable(const struct pubkey *pub, const char *path)
{
    const struct cert *c = pubkey_cert(pub);
    const struct pubkey *plain = pubkey_plain(pub);
    if (c && c->kind != CERT_USER) {
        debug1("ignoring certificate %s: not a user certificate", path);
        return false;
    }
    if (strcmp(pubkey_type(plain), "ssh-rsa") == 0 && pubkey_bits(plain) < ui.conf->required_rsa_size_bits) {
        debug1("ignoring %s: key length is below RequiredRSASize", path);
        return false;
    }
    return true;
}

/* ---- the agent ---- */

static bool agent_open(void)
{
    const char *path = agent_path();
    bool ok = path && agent_connect(path, &agent_fd) == ERR_NONE;
    if (path && !ok)
        debug1("get_agent_identities: ssh_get_authentication_socket: %s", strerror(errno));
    return ok;
}

/* Certificates whose authority's signature is bad, and kinds we do not know, are left out. */
static void agent_keys(struct list *out)
{
    CLEANUP(secret_clear) struct secret answer = {0};
    struct rd r;
    uint32_t count;
    if (agent_list(agent_fd, &answer, &r, &count) != ERR_NONE)
        return;
    for (uint32_t i = 0; i < count; i++) {
        struct agent_key k;
        struct pubkey *pub;
        if (agent_list_next(&r, &k) != ERR_NONE)
            return;
        if (pubkey_parse_any(k.blob, &pub) != ERR_NONE)
            continue;
        if (usable(pub, show(k.comment)))
            add(out, SIGNER_AGENT, pub, strdup(show(k.comment)));
        else
            pubkey_free(pub);
    }
}

/* ---- files ---- */

/* The first line that is a key or a certificate. */
static struct pubkey *line_public(const char *path)
{
    CLEANUP(secret_clear) struct secret text = {0};
    struct pubkey *pub = NULL;
    struct pubkey_line view;
    struct bytes line;
    if (file_read(path, KEY_FILE_MAX, false, &text, NULL) != ERR_NONE)
        return NULL;
    struct line_walk walk = {.rest = secret_bytes(&text)};
    while (line_next(&walk, &line))
        if (pubkey_line_parse_any(line, &view, &pub) == ERR_NONE)
            return pub;
    return NULL;
}

/* The file may itself be a public key or a certificate; or one stands beside it; or the private file has a clear half. */
static struct pubkey *file_public(const char *path)
{
    CLEANUP(secret_clear) struct secret text = {0};
    char name[4100];
    struct pubkey *pub = line_public(path);
    snprintf(name, sizeof name, "%s.pub", path);
    if (!pub)
        pub = line_public(name);
    if (!pub && file_read(path, KEY_FILE_MAX, false, &text, NULL) == ERR_NONE && privkey_file_public(secret_bytes(&text), &pub) != ERR_NONE)
        return NULL;
    return pub;
}

static char *expanded_path(const char *what, const char *value)
{
    struct wr w = wr_heap(4096);
    if (ssh_conf_path(ui.conf, ui.world, &ui.tokens, value, &w) != ERR_NONE)
        fatal("%s %s: cannot be expanded", what, value);
    wr_u8(&w, 0);
    if (w.err != ERR_NONE)
        fatal("%s %s: too long", what, value);
    return (char *)w.p;
}

/* A public file's key where it is of use, else NULL. */
static struct pubkey *kept(struct pubkey *pub, const char *path)
{
    if (!pub || usable(pub, path))
        return pub;
    pubkey_free(pub);
    return NULL;
}

/* The certificate that stands beside a private file, unless the user named certificates. */
static void cert_beside(const char *path)
{
    char name[4110];
    snprintf(name, sizeof name, "%s-cert.pub", path);
    struct pubkey *pub = ui.conf->certificate_file.n == 0 ? kept(line_public(name), name) : NULL;
    if (pub && pubkey_cert(pub)) {
        debug1("identity file %s-cert type %s", path, pubkey_type(pub));
        add(&files, SIGNER_FILE, pub, strdup(path))->explicit_file = ui.conf->identity_file_set;
    } else {
        pubkey_free(pub);
    }
}

static void file_keys(void)
{
    const struct conf_texts *names = &ui.conf->identity_file;
    for (size_t i = 0; i < names->n; i++) {
        if (strcmp(names->v[i], "none") == 0)
            continue;
        char *path = expanded_path("IdentityFile", names->v[i]);
        struct pubkey *found = file_public(path), *pub = kept(found, path);
        debug1("identity file %s type %d", path, pub ? (int)i : -1);
        bool skip = !pub && (found || access(path, F_OK) != 0);
        if (!skip)
            add(&files, SIGNER_FILE, pub, strdup(path))->explicit_file = ui.conf->identity_file_set;
        cert_beside(path);
        free(path);
    }
}

/* A token's keys go before those in files, as OpenSSH has them. */
static void token_keys(void)
{
    size_t n = pkcs11_keys();
    for (size_t i = 0; i < n; i++) {
        const char *label;
        struct pubkey *pub;
        const struct pubkey *own = pkcs11_public(i, &label);
        if (!usable(own, label) || pubkey_parse(pubkey_blob(own), &pub) != ERR_NONE)
            continue;
        debug1("identity on a token: %s type %s", label, pubkey_type(pub));
        add(&files, SIGNER_PKCS11, pub, strdup(*label ? label : ui.conf->pkcs11_provider))->explicit_file = true;
    }
}

static void cert_files(void)
{
    const struct conf_texts *names = &ui.conf->certificate_file;
    for (size_t i = 0; i < names->n; i++) {
        if (strcmp(names->v[i], "none") == 0)
            continue;
        char *path = expanded_path("CertificateFile", names->v[i]);
        struct pubkey *pub = kept(file_public(path), path);
        debug1("certificate file %s type %s", path, pub ? pubkey_type(pub) : "-1");
        if (pub && pubkey_cert(pub)) {
            add(&certs, SIGNER_FILE, pub, path)->explicit_file = true;
            continue;
        }
        if (pub)
            debug1("key %s type %s is not a certificate", path, pubkey_type(pub));
        pubkey_free(pub);
        free(path);
    }
}

/* ---- the order ---- */

static bool same_key(const struct pubkey *a, const struct pubkey *b)
{
    return a && b && bytes_equal(pubkey_blob(a), pubkey_blob(b));
}

/* Take the file identity of this key out of the list. */
static struct identity *take(struct list *l, const struct pubkey *pub)
{
    for (struct identity **at = &l->first; *at; at = &(*at)->next)
        if (same_key((*at)->pub, pub)) {
            struct identity *id = *at;
            *at = id->next;
            if (!id->next)
                l->end = at;
            return id;
        }
    return NULL;
}

static void move_all(struct list *from, struct list *to)
{
    while (from->first) {
        struct identity *id = from->first;
        from->first = id->next;
        append(to, id);
    }
    from->end = NULL;
}

/* As OpenSSH: certificates that the user named; agent keys that a file names, too; the agent's others; keys that are only in files. */
static void put_in_order(struct list *agent)
{
    struct list out = {0}, others = {0};
    move_all(&certs, &out);
    while (agent->first) {
        struct identity *id = agent->first, *file = take(&files, id->pub);
        agent->first = id->next;
        if (file) {
            file->signer = SIGNER_AGENT;
            append(&out, file);
        }
        if (file || ui.conf->identities_only)
            drop(id);
        else
            append(&others, id);
    }
    move_all(&others, &out);
    move_all(&files, &out);
    ordered = out.first;
}

void identities_prepare(void)
{
    static bool done;
    if (!done && ui.conf->pubkey_authentication) {
        token_keys();
        file_keys();
        cert_files();
    }
    done = true;
}

struct identity *identities_load(void)
{
    static bool done;
    struct list agent = {0};
    if (done || !ui.conf->pubkey_authentication)
        return ordered;
    done = true;
    identities_prepare();
    if (agent_open()) {
        agent_bind(agent_fd, false);
        agent_keys(&agent);
    }
    put_in_order(&agent);
    return ordered;
}

/* ---- using one ---- */

const struct sig_alg *identity_alg(const struct identity *id, struct bytes server_sig_algs)
{
    size_t at = 0;
    struct bytes name;
    while (names_next(bytes_str(ui.conf->pubkey_accepted_algorithms), &at, &name)) {
        const struct sig_alg *alg = sig_alg_find(name);
        if (!alg || strcmp(alg->key_type, pubkey_type(id->pub)) != 0 || strcmp(alg->sig_name, SIG_WEBAUTHN) == 0)
            continue;                   /* the last is for browsers */
        /* Only RSA keys have more than one; only there the server's list matters (RFC 8308 3.1), which names plain ones. */
        bool rsa = strcmp(sig_alg_plain(alg)->key_type, "ssh-rsa") == 0;
        if (server_sig_algs.n == 0 || !rsa || names_has(server_sig_algs, bytes_str(alg->sig_name)))
            return alg;
    }
    return NULL;
}

/* Whose private half signs: a certificate's key may stand in the list for itself, in the agent or in another file. */
static struct identity *signing(struct identity *id)
{
    if (!pubkey_cert(id->pub))
        return id;
    for (struct identity *i = ordered; i; i = i->next)
        if (i->pub && !i->unusable && same_key(i->pub, pubkey_plain(id->pub))) {
            debug2("using private key \"%s\"%s for certificate", i->path, i->signer == SIGNER_AGENT ? " from agent" : "");
            return i;
        }
    debug1("no separate private key for certificate \"%s\"", id->path);
    return id;
}

static bool open_one(struct identity *id)
{
    if (id->unusable)
        return false;
    if (id->signer == SIGNER_FILE && !id->priv && !keyfile_open(id))
        id->unusable = true;
    return !id->unusable;
}

bool identity_open(struct identity *id)
{
    return open_one(id->pub ? signing(id) : id);
}

static bool identity_on_token(const struct identity *id)
{
    return id->priv && pubkey_is_sk(privkey_public(id->priv));
}

enum err identity_sign(struct identity *id, const struct sig_alg *alg, struct bytes msg, struct wr *out)
{
    struct identity *by = signing(id);
    const struct sig_alg *own = by == id ? alg : sig_alg_plain(alg);
    switch (by->signer) {
    case SIGNER_AGENT: return agent_sign(agent_fd, by->pub, own, msg, out);
    case SIGNER_FILE: return identity_on_token(by) ? token_sign(by, sig_alg_plain(alg), msg, out) : privkey_sign(by->priv, sig_alg_plain(alg), msg, out);
    case SIGNER_PKCS11: return pkcs11_identity_sign(by, sig_alg_plain(alg), msg, out);
    }
    return ERR_UNSUPPORTED;
}

const char *identity_why(struct identity *id, enum err e)
{
    const struct identity *by = signing(id);
    if (by->signer == SIGNER_AGENT)
        return e == ERR_DENIED ? "agent refused operation" : err_text(e);
    return identity_on_token(by) ? token_why() : err_text(e);
}
