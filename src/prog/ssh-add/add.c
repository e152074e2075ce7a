/* SPDX-License-Identifier: ISC */
/* Adding: a private key file, its passphrase, the certificate beside it. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "add.h"
#include "base/limits.h"
#include "base/text.h"
#include "key/sk.h"
#include "os/atomic_file.h"

#define CERT_GRACE_S 300            /* a certificate stays this much longer than it is valid, as OpenSSH has it */

static struct secret last;          /* the passphrase that opened the file before */

void passphrases_forget(void)
{
    secret_clear(&last);
}

/* ---- opening the file ---- */

static bool permissions_fine(const char *path, const struct stat *st)
{
    static const char stars[] = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@";
    if (st->st_uid != getuid() || (st->st_mode & 077) == 0) return true;
    say("%s", stars);
    say("@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @");
    say("%s", stars);
    say("Permissions 0%3.3o for '%s' are too open.", (unsigned)st->st_mode & 0777, path);
    say("It is required that your private key files are NOT accessible by others.");
    say("This private key will be ignored.");
    return false;
}

struct opened {
    struct privkey *key;
    struct wr comment;
};

static void opened_drop(struct opened *k)
{
    privkey_drop(&k->key);
    wr_clear(&k->comment);
}

static enum err parse(struct bytes text, struct bytes passphrase, struct opened *out)
{
    wr_clear(&out->comment);
    out->comment = wr_heap(KEY_FILE_MAX);
    return privkey_file_parse(text, passphrase, &out->key, &out->comment);
}

static enum err open_asking(struct bytes text, const char *name, struct opened *out)
{
    char prompt[1100];
    for (bool again = false;; again = true) {
        const char *words = o.confirm ? " (will confirm each use)" : "";
        if (again) snprintf(prompt, sizeof prompt, "Bad passphrase, try again for %.900s%s: ", shown(bytes_str(name)), words);
        else snprintf(prompt, sizeof prompt, "Enter passphrase for %.900s%s: ", shown(bytes_str(name)), words);
        passphrases_forget();
        struct prompt p = {.text = prompt, .stdin_too = true};
        if (prompt_ask(&p, &last) != ERR_NONE || last.n == 0) return ERR_PASSPHRASE;
        enum err e = parse(text, secret_bytes(&last), out);
        if (e != ERR_PASSPHRASE) return e;
    }
}

static enum err open_text(struct bytes text, const char *name, struct opened *out)
{
    enum err e = parse(text, bytes_str(""), out);
    if (e == ERR_PASSPHRASE && last.n) e = parse(text, secret_bytes(&last), out);
    return e == ERR_PASSPHRASE ? open_asking(text, name, out) : e;
}

/* True: *out is open. What failed has been said. */
static bool file_open(const char *path, const char *name, struct opened *out)
{
    struct secret text CLEANUP(secret_clear) = {0};
    struct stat st;
    bool from_stdin = strcmp(path, "-") == 0;
    enum err e = file_read(path, KEY_FILE_MAX, true, &text, &st);
    if (e == ERR_SYSTEM) {
        tell("%s: %s", name, strerror(errno));
        return false;
    }
    if (e == ERR_NONE && !from_stdin && !permissions_fine(path, &st)) return false;
    if (e == ERR_NONE) e = open_text(secret_bytes(&text), name, out);
    if (e == ERR_PASSPHRASE) debug(1, "no passphrase for %s", name);
    else if (e != ERR_NONE) tell("Error loading key \"%s\": %s", name, reason(e));
    return e == ERR_NONE;
}

/* ---- telling the agent ---- */

struct agent_limits limits_of(uint32_t lifetime_s, const char *sk_provider)
{
    return (struct agent_limits){.lifetime_s = lifetime_s, .confirm = o.confirm, .sk_provider = sk_provider,
                                 .destinations = o.limits, .destinations_n = o.destinations_n};
}

enum err key_send(const struct pubkey *cert, const struct privkey *k, struct bytes comment, const struct agent_limits *limits)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(REQUEST_MAX);
    agent_add_write(&w, cert, k, comment, limits);
    TRY(wr_done(&w));
    return agent_command(o.agent, wr_bytes(&w));
}

void limits_say(uint32_t lifetime_s)
{
    if (lifetime_s) tell("Lifetime set to %u seconds", lifetime_s);
    if (o.confirm) tell("The user must confirm each use of the key");
}

static const char *provider_of(const struct privkey *k)
{
    struct sk_private half;
    if (!privkey_sk(k, &half)) return NULL;
    return o.sk_provider ? o.sk_provider : "internal";
}

static int plain_add(const struct opened *k, const char *name)
{
    struct bytes comment = k->comment.n ? wr_bytes(&k->comment) : bytes_str(name);
    struct agent_limits limits = limits_of(o.lifetime_s, provider_of(k->key));
    enum err e = key_send(NULL, k->key, comment, &limits);
    if (e != ERR_NONE) {
        tell("Could not add identity \"%s\": %s", name, agent_reason(e));
        return 1;
    }
    if (o.quiet) return 0;
    tell("Identity added: %s (%s)", name, shown(comment));
    limits_say(o.lifetime_s);
    return 0;
}

/* ---- the certificate ---- */

/* No longer than the certificate is good, if that is asked for. False: it is over already. */
static bool cert_lifetime(const struct cert *c, uint32_t *life)
{
    uint64_t now = (uint64_t)time(NULL);
    if (o.keep_expired || c->valid_before == CERT_FOREVER) return true;
    if (c->valid_before + CERT_GRACE_S <= now) return false;
    uint64_t left = c->valid_before + CERT_GRACE_S - now;
    if (left < UINT32_MAX && (*life == 0 || left < *life)) *life = (uint32_t)left;
    return true;
}

static int cert_add(const struct opened *k, const char *path)
{
    struct pubkey *cert CLEANUP(pubkey_drop) = NULL;
    struct wr said CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    char name[4200];
    uint32_t life = o.lifetime_s;
    snprintf(name, sizeof name, "%s-cert.pub", path);
    enum err e = cert_load(path, &cert, &said);
    if (e == ERR_SYSTEM && errno == ENOENT) return o.certs_only ? 1 : 0;
    if (e != ERR_NONE || !pubkey_cert(cert)) {
        say("Failed to load certificate \"%s\": %s", name, e == ERR_NONE ? "invalid format" : reason(e));
        return 1;
    }
    if (!bytes_equal(pubkey_blob(pubkey_plain(cert)), pubkey_blob(privkey_public(k->key)))) {
        say("Certificate %s does not match private key %s", name, path);
        return 1;
    }
    if (!cert_lifetime(pubkey_cert(cert), &life)) {
        say("Certificate %s has expired", name);
        return 1;
    }
    struct agent_limits limits = limits_of(life, provider_of(k->key));
    e = key_send(cert, k->key, k->comment.n ? wr_bytes(&k->comment) : bytes_str(path), &limits);
    if (e != ERR_NONE) {
        say("Certificate %s (%s) add failed: %s", name, shown(pubkey_cert(cert)->key_id), agent_reason(e));
        return 1;
    }
    if (o.quiet) return 0;
    tell("Certificate added: %s (%s)", name, shown(pubkey_cert(cert)->key_id));
    limits_say(life);
    return 0;
}

int job_add(const char *path)
{
    struct opened k CLEANUP(opened_drop) = {0};
    const char *name = strcmp(path, "-") == 0 ? "(stdin)" : path;
    if (!file_open(path, name, &k)) return 1;
    if (!o.certs_only && plain_add(&k, name) != 0) return 1;
    if (o.keys_only || strcmp(path, "-") == 0) return 0;
    int cert = cert_add(&k, path);
    return o.certs_only ? cert : 0;         /* as OpenSSH: the key is there */
}
