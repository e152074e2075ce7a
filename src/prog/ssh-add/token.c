/* SPDX-License-Identifier: ISC */
/* Keys on tokens: PKCS#11 modules, which the agent loads through its helper (-s, -e), and resident keys of FIDO authenticators (-K). */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "add.h"
#include "base/limits.h"
#include "kit/sk.h"

/* Certificates for the token's keys, packed as the message has them. */
static bool certs_read(int n, char **paths, struct wr *out)
{
    for (int i = 0; i < n; i++) {
        struct pubkey *cert CLEANUP(pubkey_drop) = NULL;
        struct wr comment CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
        enum err e = public_load(paths[i], &cert, &comment);
        if (e != ERR_NONE || !pubkey_cert(cert)) {
            say("Failed to load certificate \"%s\": %s", paths[i], e == ERR_NONE ? "invalid format" : reason(e));
            return false;
        }
        wr_string(out, pubkey_blob(cert));
    }
    return wr_done(out) == ERR_NONE;
}

static bool pin_ask(const char *text, struct secret *out)
{
    struct prompt p = {.text = text, .stdin_too = true};
    return prompt_ask(&p, out) == ERR_NONE;
}

/* The agent looks from its own folder: a name that is a path here is made a whole one. */
static const char *path_whole(const char *provider, char room[PATH_MAX])
{
    return strchr(provider, '/') && realpath(provider, room) ? room : provider;
}

static int card_say(enum err e, bool add, const char *provider)
{
    if (e != ERR_NONE) {
        tell("Could not %s card \"%s\": %s", add ? "add" : "remove", provider, agent_reason(e));
        return 1;
    }
    if (!o.quiet) tell("Card %s: %s", add ? "added" : "removed", provider);
    return 0;
}

int job_token_add(const char *provider, int certs_n, char **paths)
{
    struct secret pin CLEANUP(secret_clear) = {0};
    struct wr certs CLEANUP(wr_clear) = wr_heap(AGENT_MESSAGE_MAX), w CLEANUP(wr_clear) = wr_heap(REQUEST_MAX);
    struct agent_limits limits = limits_of(o.lifetime_s, NULL);
    char room[PATH_MAX];
    if (!certs_read(certs_n, paths, &certs) || !pin_ask("Enter passphrase for PKCS#11: ", &pin)) return 1;
    agent_token_add_write(&w, bytes_str(path_whole(provider, room)), secret_bytes(&pin), &limits, wr_bytes(&certs), o.certs_only);
    enum err e = wr_done(&w);
    return card_say(e == ERR_NONE ? agent_command(o.agent, wr_bytes(&w)) : e, true, provider);
}

int job_token_remove(const char *provider)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(REQUEST_MAX);
    char room[PATH_MAX];
    agent_token_remove_write(&w, bytes_str(path_whole(provider, room)), bytes_str(""));
    enum err e = wr_done(&w);
    return card_say(e == ERR_NONE ? agent_command(o.agent, wr_bytes(&w)) : e, false, provider);
}

/* ---- -K ---- */

static enum err pin_for_sk(void *ctx, struct secret *out)
{
    (void)ctx;
    return pin_ask("Enter PIN for authenticator: ", out) ? ERR_NONE : ERR_DENIED;
}

static int resident_add(const struct sk_resident *r)
{
    char comment[512];
    struct agent_limits limits = limits_of(o.lifetime_s, o.sk_provider ? o.sk_provider : "internal");
    struct sk_private half;
    struct wr fp CLEANUP(wr_clear) = wr_heap(1024);
    if (!privkey_sk(r->key, &half)) return 1;
    snprintf(comment, sizeof comment, "%.*s", (int)(half.application.n < 400 ? half.application.n : 400), (const char *)half.application.p);
    pubkey_fingerprint_write(&fp, privkey_public(r->key), o.hash);
    enum err e = key_send(NULL, r->key, bytes_str(comment), &limits);
    const char *type = pubkey_short_name(privkey_public(r->key));
    if (e != ERR_NONE) {
        say("Unable to add key %s %.*s: %s", type, (int)fp.n, (const char *)fp.p, agent_reason(e));
        return 1;
    }
    if (o.quiet) return 0;
    tell("Resident identity added: %s %.*s", type, (int)fp.n, (const char *)fp.p);
    limits_say(o.lifetime_s);
    return 0;
}

int job_residents(void)
{
    const struct sk_how how = {.libexec_dir = LIBEXEC_DIR, .verbose = o.verbose, .provider = o.sk_provider, .ask_pin = pin_for_sk};
    struct sk_resident *list;
    size_t n;
    int status = 0;
    if (sk_residents(&how, &list, &n) != ERR_NONE) {
        say("Unable to load resident keys: %s", sk_why());
        return 1;
    }
    for (size_t i = 0; i < n; i++)
        if (resident_add(&list[i]) != 0) status = 1;
    if (n == 0) tell("No keys to download");
    sk_residents_free(list, n);
    return status || n == 0;
}
