/* SPDX-License-Identifier: ISC */
/* Removing keys, and the lock. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "add.h"
#include "base/limits.h"
#include "key/known_hosts.h"
#include "os/atomic_file.h"

static int key_remove(const struct pubkey *key, const char *path, struct bytes comment)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX + 16);
    agent_remove_write(&w, pubkey_blob(key));
    enum err e = wr_done(&w) == ERR_NONE ? agent_command(o.agent, wr_bytes(&w)) : w.err;
    if (e != ERR_NONE) {
        tell("Could not remove identity \"%s\": %s", path, agent_reason(e));
        return 1;
    }
    if (!o.quiet) tell("Identity removed: %s %s (%s)", path, pubkey_short_name(key), shown(comment));
    return 0;
}

/* KEY.pub or KEY: its certificate is KEY-cert.pub. */
static int cert_remove(const char *path, const struct pubkey *plain)
{
    struct pubkey *cert CLEANUP(pubkey_drop) = NULL;
    struct wr comment CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    char stem[PATH_MAX], name[PATH_MAX + 16];
    size_t n = strlen(path);
    if (n >= 4 && strcmp(path + n - 4, ".pub") == 0) n -= 4;
    snprintf(stem, sizeof stem, "%.*s", (int)n, path);
    snprintf(name, sizeof name, "%s-cert.pub", stem);
    enum err e = cert_load(stem, &cert, &comment);
    if (e == ERR_SYSTEM && errno == ENOENT) return 0;
    if (e != ERR_NONE || !pubkey_cert(cert)) {
        say("Failed to load certificate \"%s\": %s", name, e == ERR_NONE ? "invalid format" : reason(e));
        return 1;
    }
    if (!bytes_equal(pubkey_blob(pubkey_plain(cert)), pubkey_blob(plain))) {
        say("Certificate %s does not match private key %s", name, path);
        return 1;
    }
    return key_remove(cert, name, wr_bytes(&comment));
}

int job_remove(const char *path)
{
    struct pubkey *key CLEANUP(pubkey_drop) = NULL;
    struct wr comment CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    enum err e = public_load(path, &key, &comment);
    if (e != ERR_NONE) {
        text_print(bytes_str("Bad key file "));
        text_print(bytes_str(path));
        printf(": %s\n", reason(e));
        return 1;
    }
    int plain = o.certs_only ? 0 : key_remove(key, path, wr_bytes(&comment));
    int cert = o.keys_only || pubkey_cert(key) ? 0 : cert_remove(path, key);
    return o.certs_only ? cert : plain;     /* as OpenSSH: a certificate that was not there is no failure */
}

int job_remove_stdin(void)
{
    struct secret text CLEANUP(secret_clear) = {0};
    int status = 1;
    if (file_read("-", CONF_FILE_MAX, true, &text, NULL) != ERR_NONE) return 1;
    struct line_walk walk = {.rest = secret_bytes(&text)};
    for (struct bytes line; line_next(&walk, &line);) {
        struct pubkey *key CLEANUP(pubkey_drop) = NULL;
        struct pubkey_line view;
        while (line.n && (*line.p == ' ' || *line.p == '\t')) line.p++, line.n--;
        if (line.n == 0 || *line.p == '#') continue;
        enum err e = pubkey_line_parse_any(line, &view, &key);
        if (e != ERR_NONE) say("(stdin):%zu: invalid key: %s", walk.number, reason(e));
        else if (key_remove(key, "(stdin)", view.comment) == 0) status = 0;
    }
    return status;
}

int job_remove_all(void)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(16);
    agent_remove_all_write(&w);
    if (wr_done(&w) != ERR_NONE || agent_command(o.agent, wr_bytes(&w)) != ERR_NONE) {
        tell("Failed to remove all identities.");
        return 1;
    }
    if (!o.quiet) tell("All identities removed.");
    return 0;
}

static bool password_ask(const char *text, struct secret *out)
{
    const struct prompt p = {.text = text, .stdin_too = true};
    enum err e = prompt_ask(&p, out);
    if (e != ERR_NONE) tell("No password was given: %s", e == ERR_SYSTEM ? strerror(errno) : err_text(e));
    return e == ERR_NONE;
}

static bool passphrase_ask(bool twice, struct secret *out)
{
    struct secret second CLEANUP(secret_clear) = {0};
    if (!password_ask("Enter lock password: ", out)) return false;
    if (!twice) return true;
    if (!password_ask("Again: ", &second)) return false;
    if (out->n == second.n && bytes_verify(out->p, second.p, out->n) == VERDICT_GOOD) return true;
    tell("Passwords do not match.");
    return false;
}

int job_lock(bool lock)
{
    struct secret passphrase CLEANUP(secret_clear) = {0};
    struct wr w CLEANUP(wr_clear) = wr_heap(PASSWORD_MAX + 64);
    if (!passphrase_ask(lock, &passphrase)) return 1;
    agent_lock_write(&w, lock, secret_bytes(&passphrase));
    enum err e = wr_done(&w) == ERR_NONE ? agent_command(o.agent, wr_bytes(&w)) : w.err;
    if (e != ERR_NONE) tell("Failed to %slock agent: %s", lock ? "" : "un", agent_reason(e));
    else tell("Agent %slocked.", lock ? "" : "un");
    return e != ERR_NONE;
}
