/* SPDX-License-Identifier: ISC */
/* Identities: what the agent holds and what key files hold, in OpenSSH's order. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kit/agent_client.h"
#include "os/atomic_file.h"
#include "os/prompt.h"
#include "ui.h"

static struct identity *list, **list_end = &list;
static int agent_fd = -1;

static struct identity *add(struct pubkey *pub, char *path)
{
    struct identity *id = calloc(1, sizeof *id);
    if (!id || !path)
        fatal("out of memory");
    id->pub = pub;
    id->path = path;
    *list_end = id;
    list_end = &id->next;
    return id;
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

static void agent_keys(void)
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
        if (pubkey_parse(k.blob, &pub) == ERR_NONE)     /* kinds we do not know are left out */
            add(pub, strdup(show(k.comment)))->from_agent = true;
    }
}

/* ---- files ---- */

static struct pubkey *file_public(const char *path)
{
    CLEANUP(secret_clear) struct secret text = {0};
    char name[4100];
    struct pubkey *pub = NULL;
    struct pubkey_line line;
    snprintf(name, sizeof name, "%s.pub", path);
    if (file_read(name, KEY_FILE_MAX, false, &text, NULL) == ERR_NONE) {
        struct bytes b = secret_bytes(&text);
        const uint8_t *end = memchr(b.p, '\n', b.n);
        if (end)
            b.n = (size_t)(end - b.p);
        if (pubkey_line_parse(b, &line, &pub) == ERR_NONE)
            return pub;
    }
    if (file_read(path, KEY_FILE_MAX, false, &text, NULL) == ERR_NONE
        && privkey_file_public(secret_bytes(&text), &pub) == ERR_NONE)
        return pub;
    return NULL;
}

static char *identity_path(const char *value)
{
    struct wr w = wr_heap(4096);
    if (ssh_conf_path(ui.conf, ui.world, &ui.tokens, value, &w) != ERR_NONE)
        fatal("IdentityFile %s: cannot be expanded", value);
    wr_u8(&w, 0);
    if (w.err != ERR_NONE)
        fatal("IdentityFile %s: too long", value);
    return (char *)w.p;
}

static void file_keys(void)
{
    const struct conf_texts *files = &ui.conf->identity_file;
    for (size_t i = 0; i < files->n; i++) {
        if (strcmp(files->v[i], "none") == 0)
            continue;
        char *path = identity_path(files->v[i]);
        struct pubkey *pub = file_public(path);
        debug1("identity file %s type %d", path, pub ? (int)i : -1);
        if (!pub && access(path, F_OK) != 0) {
            free(path);
            continue;
        }
        add(pub, path)->explicit_file = ui.conf->identity_file_set;
    }
}

/* What was not taken out of it goes with it. */
static void list_free(struct identity *i)
{
    while (i) {
        struct identity *next = i->next;
        pubkey_free(i->pub);
        free(i->path);
        free(i);
        i = next;
    }
}

/* Agent keys that a file names come first in the files' order, then the agent's others, then files the agent lacks. */
static struct identity *in_order(struct identity *agent, struct identity *files)
{
    struct identity *out = NULL, **end = &out;
    for (struct identity *f = files; f; f = f->next)
        for (struct identity *a = agent; a && f->pub; a = a->next)
            if (!a->tried && bytes_equal(pubkey_blob(a->pub), pubkey_blob(f->pub))) {
                a->tried = f->tried = true;         /* marks: placed */
                a->explicit_file = f->explicit_file;
                free(a->path);
                a->path = f->path;
                f->path = NULL;
                break;
            }
    for (int round = 0; round < 3; round++)
        for (struct identity *i = round == 2 ? files : agent, *next; i; i = next) {
            bool take = round == 0 ? i->tried : round == 1 ? !i->tried && !ui.conf->identities_only : !i->tried;
            next = i->next;
            if (!take)
                continue;
            struct identity *copy = malloc(sizeof *copy);
            if (!copy)
                fatal("out of memory");
            *copy = *i;
            copy->next = NULL;
            i->pub = NULL;
            i->path = NULL;
            *end = copy;
            end = &copy->next;
        }
    for (struct identity *i = out; i; i = i->next)
        i->tried = false;
    list_free(agent);
    list_free(files);
    return out;
}

void identities_prepare(void)
{
    static bool done;
    if (!done && ui.conf->pubkey_authentication)
        file_keys();
    done = true;
}

struct identity *identities_load(void)
{
    static struct identity *ordered;
    static bool done;
    if (done || !ui.conf->pubkey_authentication)
        return ordered;
    done = true;
    identities_prepare();
    struct identity *files = list;
    list = NULL;
    list_end = &list;
    if (agent_open()) {
        agent_bind(agent_fd, false);
        agent_keys();
    }
    ordered = in_order(list, files);    /* which takes both */
    list = NULL;
    list_end = &list;
    return ordered;
}

/* ---- using one ---- */

const struct sig_alg *identity_alg(const struct identity *id, struct bytes server_sig_algs)
{
    size_t at = 0;
    struct bytes name;
    while (names_next(bytes_str(ui.conf->pubkey_accepted_algorithms), &at, &name)) {
        const struct sig_alg *alg = sig_alg_find(name);
        if (!alg || strcmp(alg->key_type, pubkey_type(id->pub)) != 0)
            continue;
        /* Only RSA keys have more than one; only there the server's list matters (RFC 8308 3.1). */
        if (server_sig_algs.n == 0 || strcmp(alg->key_type, "ssh-rsa") != 0 || names_has(server_sig_algs, name))
            return alg;
    }
    return NULL;
}

static bool permissions_fine(const char *path, const struct stat *st)
{
    static const char stars[] = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@";
    if (st->st_uid != getuid() || (st->st_mode & 077) == 0)
        return true;
    say(CONF_LOG_ERROR, "%s", stars);
    say(CONF_LOG_ERROR, "@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @");
    say(CONF_LOG_ERROR, "%s", stars);
    say(CONF_LOG_ERROR, "Permissions 0%3.3o for '%s' are too open.", st->st_mode & 0777, path);
    say(CONF_LOG_ERROR, "It is required that your private key files are NOT accessible by others.");
    say(CONF_LOG_ERROR, "This private key will be ignored.");
    say(CONF_LOG_ERROR, "Load key \"%s\": bad permissions", path);
    return false;
}

static bool open_encrypted(struct identity *id, struct bytes text)
{
    char ask[256];
    snprintf(ask, sizeof ask, "Enter passphrase for key '%.100s': ", id->path);
    for (uint32_t i = 0; i < ui.conf->number_of_password_prompts; i++) {
        CLEANUP(secret_clear) struct secret pass = {0};
        CLEANUP(wr_clear) struct wr comment = wr_heap(KEY_FILE_MAX);
        if (prompt_secret(ask, false, &pass) != ERR_NONE || pass.n == 0) {
            debug2("no passphrase given, try next key");
            return false;
        }
        enum err e = privkey_file_parse(text, secret_bytes(&pass), &id->priv, &comment);
        if (e == ERR_NONE)
            return true;
        if (e != ERR_PASSPHRASE) {
            say(CONF_LOG_ERROR, "Load key \"%s\": %s", id->path, err_text(e));
            return false;
        }
        debug2("bad passphrase given, try again...");
    }
    return false;
}

static bool file_open(struct identity *id)
{
    CLEANUP(secret_clear) struct secret text = {0};
    CLEANUP(wr_clear) struct wr comment = wr_heap(KEY_FILE_MAX);
    struct stat st;
    if (file_read(id->path, KEY_FILE_MAX, false, &text, &st) != ERR_NONE) {
        say(CONF_LOG_ERROR, "Load key \"%s\": %s", id->path, strerror(errno));
        return false;
    }
    if (!permissions_fine(id->path, &st))
        return false;
    enum err e = privkey_file_parse(secret_bytes(&text), bytes_str(""), &id->priv, &comment);
    if (e == ERR_PASSPHRASE)
        return !ui.conf->batch_mode && open_encrypted(id, secret_bytes(&text));
    if (e != ERR_NONE)
        say(CONF_LOG_ERROR, "Load key \"%s\": %s", id->path, e == ERR_FORMAT ? "invalid format" : err_text(e));
    return e == ERR_NONE;
}

bool identity_open(struct identity *id)
{
    if (id->unusable)
        return false;
    if (id->from_agent || id->priv)
        return true;
    if (!file_open(id)) {
        id->unusable = true;
        return false;
    }
    const struct pubkey *pub = privkey_public(id->priv);
    if (id->pub && !bytes_equal(pubkey_blob(id->pub), pubkey_blob(pub))) {
        say(CONF_LOG_ERROR, "identity_sign: private key %s contents do not match public", id->path);
        id->unusable = true;
        return false;
    }
    if (!id->pub && pubkey_parse(pubkey_blob(pub), &id->pub) != ERR_NONE)
        id->unusable = true;
    return !id->unusable;
}

enum err identity_sign(struct identity *id, const struct sig_alg *alg, struct bytes msg, struct wr *out)
{
    return id->from_agent ? agent_sign(agent_fd, id->pub, alg, msg, out) : privkey_sign(id->priv, alg, msg, out);
}
