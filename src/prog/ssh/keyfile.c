/* SPDX-License-Identifier: ISC */
/* Private key files: opened when a server would take the key, with the passphrase where there is one. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "key/cert.h"
#include "kit/agent_client.h"
#include "os/atomic_file.h"
#include "os/prompt.h"
#include "ui.h"

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

/* AddKeysToAgent: a key that was just opened goes to the agent, under the conditions that the user wants. */
static void give_to_agent(const struct identity *id, struct bytes comment)
{
    const struct ssh_conf *c = ui.conf;
    CLEANUP(wr_clear) struct wr w = wr_heap(AGENT_MESSAGE_MAX);
    struct agent_limits limits = {.lifetime_s = (uint32_t)c->add_keys_to_agent_s, .confirm = c->add_keys_to_agent == SSH_ADD_KEYS_CONFIRM};
    char ask[4600];
    if (c->add_keys_to_agent == SSH_ADD_KEYS_NO)
        return;
    if (identities_agent() < 0) {
        debug2("no authentication agent, not adding key");
        return;
    }
    snprintf(ask, sizeof ask, "Add key %.2000s (%.2000s) to agent? ", id->path, show(comment));
    if (c->add_keys_to_agent == SSH_ADD_KEYS_ASK && !prompt_confirm(ask)) {
        debug2("user denied adding this key");
        return;
    }
    if (comment.n == 0)
        comment = bytes_str(id->path);
    agent_add_write(&w, NULL, id->priv, comment, &limits);
    enum err e = wr_done(&w);
    if (!e)
        e = agent_command(identities_agent(), wr_bytes(&w));
    if (e == ERR_NONE)
        debug1("identity added to agent: %s", id->path);
    else
        debug1("could not add identity to agent: %s (%s)", id->path, err_text(e));
}

static bool open_encrypted(struct identity *id, struct bytes text, struct wr *comment)
{
    char ask[256];
    snprintf(ask, sizeof ask, "Enter passphrase for key '%.100s': ", id->path);
    for (uint32_t i = 0; i < ui.conf->number_of_password_prompts; i++) {
        CLEANUP(secret_clear) struct secret pass = {0};
        if (prompt_secret(ask, false, &pass) != ERR_NONE || pass.n == 0) {
            debug2("no passphrase given, try next key");
            return false;
        }
        enum err e = privkey_file_parse(text, secret_bytes(&pass), &id->priv, comment);
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

static bool file_open(struct identity *id, struct wr *comment)
{
    CLEANUP(secret_clear) struct secret text = {0};
    struct stat st;
    if (file_read(id->path, KEY_FILE_MAX, false, &text, &st) != ERR_NONE) {
        say(CONF_LOG_ERROR, "Load key \"%s\": %s", id->path, strerror(errno));
        return false;
    }
    if (!permissions_fine(id->path, &st))
        return false;
    enum err e = privkey_file_parse(secret_bytes(&text), bytes_str(""), &id->priv, comment);
    if (e == ERR_PASSPHRASE)
        return !ui.conf->batch_mode && open_encrypted(id, secret_bytes(&text), comment);
    if (e != ERR_NONE)
        say(CONF_LOG_ERROR, "Load key \"%s\": %s", id->path, e == ERR_FORMAT ? "invalid format" : err_text(e));
    return e == ERR_NONE;
}

/* Is the private half that of the certificate or key we know? */
static bool belongs(const struct identity *id)
{
    return !id->pub || bytes_equal(pubkey_blob(pubkey_plain(id->pub)), pubkey_blob(privkey_public(id->priv)));
}

bool keyfile_open(struct identity *id)
{
    CLEANUP(wr_clear) struct wr comment = wr_heap(KEY_FILE_MAX);
    if (!file_open(id, &comment))
        return false;
    if (!belongs(id)) {
        say(CONF_LOG_ERROR, "identity_sign: private key %s contents do not match public", id->path);
        return false;
    }
    if (!id->pub && pubkey_parse(pubkey_blob(privkey_public(id->priv)), &id->pub) != ERR_NONE)
        return false;
    give_to_agent(id, wr_bytes(&comment));
    return true;
}
