/* SPDX-License-Identifier: ISC */
/* Keys on tokens (-I, PKCS11Provider): ssh-pkcs11-helper asks the token, we ask the person. */
#include <stdio.h>

#include "key/cert.h"
#include "kit/pkcs11.h"
#include "os/prompt.h"
#include "ui.h"

static struct pkcs11 *provider;

static enum err pin_ask(void *ctx, const char *label, bool again, struct secret *out)
{
    char text[400];
    (void)ctx;
    if (ui.conf->batch_mode)
        return ERR_DENIED;
    snprintf(text, sizeof text, "Enter PIN for '%.200s'%s: ", label, again ? " (for this signature)" : "");
    return prompt_secret(text, false, out);
}

size_t pkcs11_keys(void)
{
    const struct pkcs11_how how = {.libexec_dir = LIBEXEC_DIR, .pin = pin_ask,
                                   .verbose = ui.conf->log_level >= CONF_LOG_DEBUG3   ? 3
                                              : ui.conf->log_level >= CONF_LOG_DEBUG2 ? 2
                                              : ui.conf->log_level >= CONF_LOG_DEBUG1 ? 1 : 0};
    const char *path = ui.conf->pkcs11_provider;
    if (!provider && path && pkcs11_open(&how, path, (struct bytes){0}, &provider) != ERR_NONE)
        say(CONF_LOG_ERROR, "PKCS#11 provider %s: %s", path, pkcs11_why());
    return provider ? pkcs11_count(provider) : 0;
}

const struct pubkey *pkcs11_public(size_t i, const char **label)
{
    const struct pkcs11_key *k = pkcs11_key(provider, i);
    *label = k->label;
    return k->pub;
}

enum err pkcs11_identity_sign(const struct identity *id, const struct sig_alg *alg, struct bytes msg, struct wr *out)
{
    const struct pkcs11_key *k = pkcs11_find(provider, pubkey_plain(id->pub));
    enum err e = k ? pkcs11_sign(provider, k, alg, msg, out) : ERR_NOT_FOUND;
    if (e)
        say(CONF_LOG_ERROR, "PKCS#11 provider %s: %s", ui.conf->pkcs11_provider, k ? pkcs11_why() : err_text(e));
    return e;
}
