/* SPDX-License-Identifier: ISC */
/* Signing with keys whose file only names an authenticator: ssh-sk-helper asks it, we ask the person. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kit/sk.h"
#include "os/prompt.h"
#include "ui.h"

static enum err pin_ask(void *ctx, struct secret *out)
{
    const struct identity *id = ctx;
    char text[4400];
    snprintf(text, sizeof text, "Enter PIN for %s key %s: ", pubkey_short_name(id->pub), id->path);
    return prompt_secret(text, false, out);
}

/* The library: SecurityKeyProvider, where $NAME is what the environment says. NULL: the built-in one. */
static const char *provider(void)
{
    const char *p = ui.conf->security_key_provider;
    return p && *p == '$' && p[1] ? getenv(p + 1) : p;
}

enum err token_sign(struct identity *id, const struct sig_alg *alg, struct bytes msg, struct wr *out)
{
    const struct sk_how how = {.libexec_dir = LIBEXEC_DIR, .provider = provider(), .ask_pin = ui.conf->batch_mode ? NULL : pin_ask, .ctx = id,
                               .verbose = ui.conf->log_level > CONF_LOG_VERBOSE ? (unsigned)(ui.conf->log_level - CONF_LOG_VERBOSE) : 0};
    struct sk_private half;
    bool tell = privkey_sk(id->priv, &half) && (half.flags & SK_PRESENCE) && !ui.conf->batch_mode && isatty(STDERR_FILENO);
    if (tell) {
        char line[4400];
        struct wr print CLEANUP(wr_clear) = wr_heap(256);
        fingerprint_write(&print, pubkey_blob(id->pub), FINGERPRINT_SHA256);
        snprintf(line, sizeof line, "Confirm user presence for key %s %.*s\r\n", pubkey_short_name(id->pub), (int)print.n, (const char *)print.p);
        say_raw(line);
    }
    enum err e = sk_sign(&how, id->priv, alg, msg, out);
    if (!e && tell) say_raw("User presence confirmed\r\n");
    return e;
}

const char *token_why(void)
{
    return sk_why();
}
