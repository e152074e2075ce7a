/* SPDX-License-Identifier: ISC */
/* Signing with keys whose file only names an authenticator: ssh-sk-helper asks it, we ask the person. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kit/sk.h"
#include "os/prompt.h"
#include "ui.h"

struct touch {
    const struct identity *id;
    char text[4400];            /* what a person should do; empty: nothing */
    bool terminal;              /* it is said on stderr; else askpass shows it for as long as it takes */
    pid_t notice;
};

static void touch_tell(struct touch *t)
{
    if (t->text[0] && !t->terminal) t->notice = notice_start(t->text);
}

/* One window at a time; the touch comes after the PIN. */
static enum err pin_ask(void *ctx, struct secret *out)
{
    struct touch *t = ctx;
    char text[4400];
    notice_stop(&t->notice);
    snprintf(text, sizeof text, "Enter PIN for %s key %s: ", pubkey_short_name(t->id->pub), t->id->path);
    enum err e = prompt_secret(text, false, out);
    if (e == ERR_NONE) touch_tell(t);
    return e;
}

/* The library: SecurityKeyProvider, where $NAME is what the environment says. NULL: the built-in one. */
static const char *provider(void)
{
    const char *p = ui.conf->security_key_provider;
    return p && *p == '$' && p[1] ? getenv(p + 1) : p;
}

enum err token_sign(struct identity *id, const struct sig_alg *alg, struct bytes msg, struct wr *out)
{
    struct touch t = {.id = id, .terminal = !ui.conf->batch_mode && isatty(STDERR_FILENO)};
    const struct sk_how how = {.libexec_dir = LIBEXEC_DIR, .provider = provider(), .ask_pin = ui.conf->batch_mode ? NULL : pin_ask, .ctx = &t,
                               .verbose = ui.conf->log_level > CONF_LOG_VERBOSE ? (unsigned)(ui.conf->log_level - CONF_LOG_VERBOSE) : 0};
    struct sk_private half;
    if (privkey_sk(id->priv, &half) && (half.flags & SK_PRESENCE)) {
        struct wr print CLEANUP(wr_clear) = wr_heap(256);
        fingerprint_write(&print, pubkey_blob(id->pub), FINGERPRINT_SHA256);
        snprintf(t.text, sizeof t.text, "Confirm user presence for key %s %.*s", pubkey_short_name(id->pub), (int)print.n, (const char *)print.p);
    }
    bool tell = t.text[0] && t.terminal;
    if (tell) say_raw(t.text), say_raw("\r\n");
    touch_tell(&t);
    enum err e = sk_sign(&how, id->priv, alg, msg, out);
    notice_stop(&t.notice);
    if (!e && tell) say_raw("User presence confirmed\r\n");
    return e;
}

const char *token_why(void)
{
    return sk_why();
}
