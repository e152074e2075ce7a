/* SPDX-License-Identifier: ISC */
/* Logging in: the methods in the user's order, each as long as it can go on. The first request leaves before the server was asked what it
 * takes: a query for the first key where there is one, else "none". */
#include <stdio.h>
#include <stdlib.h>

#include "key/cert.h"
#include "os/prompt.h"
#include "ui.h"

enum method { NONE, PASSWORD, PUBLICKEY, KBDINT };     /* as they travel in cm_auth.method */

static struct {
    enum method running;
    struct identity *identity;          /* of the running publickey try */
    const struct sig_alg *alg;
    bool signing, none_tried, passwords_off;
    unsigned password_tries, kbdint_tries;
    char methods[NAME_LIST_MAX + 1];    /* what the server would take */
    char sig_algs[NAME_LIST_MAX + 1];
    bool sig_algs_known, hostbound;
} auth;

static struct bytes preferred(void)
{
    const char *set = ui.conf->preferred_authentications;
    return bytes_str(set ? set : "publickey,keyboard-interactive,password");
}

static const char *host_shown(void)
{
    return ui.conf->host_key_alias ? ui.conf->host_key_alias : ui.conf->hostname;
}

static void send_try(const struct cm_auth *a)
{
    struct cm_auth m = *a;
    m.user = bytes_str(ui.conf->user);
    auth.running = (enum method)a->method;
    link_send(CM_AUTH, &m, NULL, 0);
}

/* ---- publickey ---- */

static const char *identity_text(const struct identity *id)
{
    static char text[4600];
    char fp[256];
    struct wr w = wr_span((struct span){(uint8_t *)fp, sizeof fp - 1});
    memset(fp, 0, sizeof fp);
    if (id->pub)
        fingerprint_write(&w, pubkey_blob(pubkey_plain(id->pub)), ui.conf->fingerprint_hash == CONF_FP_MD5 ? FINGERPRINT_MD5 : FINGERPRINT_SHA256);
    snprintf(text, sizeof text, "%s %s%s%s%s%s", id->path, id->pub ? pubkey_short_name(id->pub) : "", id->pub ? " " : "", fp,
             id->explicit_file ? " explicit" : "", id->signer == SIGNER_AGENT ? " agent" : "");
    return text;
}

/* RFC 4252 7: what a login signature covers, or its host-bound form (PROTOCOL 3.1). Every field is our own. */
static void signed_text(struct wr *w, const struct identity *id, const struct sig_alg *alg)
{
    wr_string(w, bytes_of(ui.session_id, ui.session_id_n));
    wr_u8(w, 50);
    wr_cstring(w, ui.conf->user);
    wr_cstring(w, "ssh-connection");
    wr_cstring(w, auth.hostbound ? "publickey-hostbound-v00@openssh.com" : "publickey");
    wr_bool(w, true);
    wr_cstring(w, alg->name);
    wr_string(w, pubkey_blob(id->pub));
    if (auth.hostbound)
        wr_string(w, secret_bytes(&ui.hostkey));
}

static bool publickey_sign(struct identity *id, const struct sig_alg *alg)
{
    CLEANUP(wr_clear) struct wr text = wr_heap(65536);
    CLEANUP(wr_clear) struct wr sig = wr_heap(SIGNATURE_MAX);
    struct cm_auth a = {.method = PUBLICKEY, .alg = bytes_str(alg->name), .key = pubkey_blob(id->pub), .sign = 1, .pipeline = 1};
    signed_text(&text, id, alg);
    if (!identity_open(id) || wr_done(&text) != ERR_NONE)
        return false;
    enum err e = identity_sign(id, alg, wr_bytes(&text), &sig);
    bool agent = id->signer == SIGNER_AGENT;
    if (e != ERR_NONE) {
        say(CONF_LOG_ERROR, "sign_and_send_pubkey: signing failed for %s \"%s\"%s: %s", pubkey_short_name(id->pub), id->path,
            agent ? " from agent" : "", identity_why(id, e));
        return false;
    }
    a.sig = wr_bytes(&sig);
    auth.signing = true;
    send_try(&a);
    return true;
}

/* Offer the next key that was not yet. False: no more. */
static bool publickey_next(bool early)
{
    for (struct identity *id = identities_load(); id; id = id->next) {
        if (id->tried || id->unusable)
            continue;
        if (early && (!id->pub || strcmp(pubkey_type(pubkey_plain(id->pub)), "ssh-rsa") == 0))
            return false;               /* a passphrase to ask for, or an algorithm to choose by what the server takes */
        id->tried = true;
        if (!id->pub) {
            debug1("Trying private key: %s", id->path);
            if (!identity_open(id))
                continue;
        }
        auth.alg = identity_alg(id, bytes_str(auth.sig_algs));
        if (!auth.alg) {
            debug1("send_pubkey_test: no mutual signature algorithm");
            continue;
        }
        auth.identity = id;
        auth.signing = false;
        if (id->priv && publickey_sign(id, auth.alg))
            return true;
        debug1("Offering public key: %s", identity_text(id));
        struct cm_auth a = {.method = PUBLICKEY, .alg = bytes_str(auth.alg->name), .key = pubkey_blob(id->pub)};
        send_try(&a);
        return true;
    }
    return false;
}

static void server_facts(struct bytes algs, uint32_t hostbound)
{
    if (bytes_to_str(algs, auth.sig_algs, sizeof auth.sig_algs) != ERR_NONE)
        auth.sig_algs[0] = '\0';
    auth.hostbound = hostbound != 0;
}

static void try_next(void);

static void on_pk_ok(const struct cm_pk_ok *p)
{
    server_facts(p->sig_algs, p->hostbound);
    struct identity *id = auth.identity;
    if (auth.running != PUBLICKEY || auth.signing || !id || !bytes_equal(p->key, pubkey_blob(id->pub)))
        fatal("ssh-transport: PK_OK for a key that was not offered");
    debug1("Server accepts key: %s", identity_text(id));
    if (!publickey_sign(id, auth.alg))
        try_next();
}

/* ---- passwords ---- */

static bool password_ask(const char *text, struct secret *out)
{
    if (prompt_secret(text, false, out) != ERR_NONE)
        return false;
    if (out->n > PASSWORD_MAX)
        out->n = PASSWORD_MAX;
    return true;
}

static bool password_next(void)
{
    CLEANUP(secret_clear) struct secret pass = {0};
    char ask[1400];
    if (auth.password_tries++ >= ui.conf->number_of_password_prompts)
        return false;
    if (auth.password_tries > 1)
        say(CONF_LOG_ERROR, "Permission denied, please try again.");
    snprintf(ask, sizeof ask, "%.500s@%.500s's password: ", ui.conf->user, host_shown());
    if (!password_ask(ask, &pass))
        return false;
    struct cm_auth a = {.method = PASSWORD, .password = secret_bytes(&pass)};
    send_try(&a);
    return true;
}

static void on_passwd_change(const struct cm_text *t)
{
    CLEANUP(secret_clear) struct secret old = {0};
    CLEANUP(secret_clear) struct secret fresh = {0};
    CLEANUP(secret_clear) struct secret again = {0};
    char who[1200], ask[1400];
    snprintf(who, sizeof who, "%.500s@%.500s's", ui.conf->user, host_shown());
    if (t->text.n)
        say(CONF_LOG_INFO, "%s", show(t->text));
    snprintf(ask, sizeof ask, "Enter %s old password: ", who);
    if (!password_ask(ask, &old)) {
        try_next();
        return;
    }
    for (;;) {
        snprintf(ask, sizeof ask, "Enter %s new password: ", who);
        if (!password_ask(ask, &fresh)) {
            try_next();
            return;
        }
        snprintf(ask, sizeof ask, "Retype %s new password: ", who);
        if (!password_ask(ask, &again)) {
            try_next();
            return;
        }
        if (fresh.n == again.n && bytes_verify(fresh.p, again.p, fresh.n) == VERDICT_GOOD)
            break;
        say(CONF_LOG_INFO, "Mismatch; try again, EOF to quit.");
    }
    struct cm_auth a = {.method = PASSWORD, .password = secret_bytes(&old), .new_password = secret_bytes(&fresh), .change = 1};
    send_try(&a);
}

/* ---- keyboard-interactive ---- */

static bool kbdint_next(void)
{
    if (auth.kbdint_tries++ >= ui.conf->number_of_password_prompts)
        return false;
    if (auth.kbdint_tries > 1)
        debug2("userauth_kbdint: try %u", auth.kbdint_tries);
    struct cm_auth a = {.method = KBDINT, .devices = bytes_str(ui.conf->kbd_interactive_devices)};
    send_try(&a);
    return true;
}

static void on_prompts(const struct cm_prompts *p)
{
    struct cm_answers answers = {.ok = 1};
    struct secret got[PROMPTS_MAX] = {0};
    if (auth.running != KBDINT || p->echo.n != p->texts.n)
        fatal("ssh-transport: PROMPTS out of turn");
    if (p->name.n)
        say(CONF_LOG_INFO, "%s", show(p->name));
    if (p->instruction.n)
        say(CONF_LOG_INFO, "%s", show(p->instruction));
    for (size_t i = 0; i < p->texts.n; i++) {
        char ask[4096];
        /* The prefix marks it as the server's: no prompt of ours begins so. */
        snprintf(ask, sizeof ask, "(%.500s@%.500s) %s", ui.conf->user, host_shown(), show(p->texts.v[i]));
        if (prompt_secret(ask, p->echo.p[i] != 0, &got[i]) != ERR_NONE)
            answers.ok = 0;
        answers.answers.v[i] = secret_bytes(&got[i]);
    }
    answers.answers.n = p->texts.n;
    link_send(CM_ANSWERS, &answers, NULL, 0);
    for (size_t i = 0; i < p->texts.n; i++)
        secret_clear(&got[i]);
}

/* ---- choosing ---- */

static bool none_next(void)
{
    struct cm_auth a = {.method = NONE};
    if (auth.none_tried)
        return false;
    auth.none_tried = true;
    send_try(&a);
    return true;
}

static bool publickey_more(void)
{
    return publickey_next(false);
}

static const struct method_row {
    const char *name;
    bool (*next)(void);
    bool asks;                  /* a person must be there */
} methods[] = {{"publickey", publickey_more, false}, {"keyboard-interactive", kbdint_next, true}, {"password", password_next, true}};

static bool enabled(const struct method_row *m)
{
    const struct ssh_conf *c = ui.conf;
    if (m->asks && c->batch_mode)
        return false;
    if (m->next == publickey_more)
        return c->pubkey_authentication != SSH_PUBKEY_NO;
    return m->next == kbdint_next ? c->kbd_interactive_authentication : c->password_authentication;
}

/* Does the server name any method that we know, enabled or not? */
static bool methods_known(void)
{
    for (size_t i = 0; i < COUNT_OF(methods); i++)
        if (names_has(bytes_str(auth.methods), bytes_str(methods[i].name)))
            return true;
    return false;
}

static void try_next(void)
{
    static const struct method_row *told;
    size_t at = 0;
    struct bytes name;
    while (names_next(preferred(), &at, &name))
        for (size_t i = 0; i < COUNT_OF(methods); i++) {
            const struct method_row *m = &methods[i];
            if (!bytes_is(name, m->name) || !enabled(m) || !names_has(bytes_str(auth.methods), name))
                continue;
            if (told != m)
                debug1("Next authentication method: %s", m->name);
            told = m;
            if (m->next())
                return;
        }
    /* Behind another try "none" counts as a failure against MaxAuthTries: only where there is nothing else to try. */
    if (!methods_known() && none_next())
        return;
    debug1("No more authentication methods to try.");
    fatal("%s@%s: Permission denied (%s).", ui.conf->user, ui.conf->hostname, auth.methods);
}

static void on_next(const struct cm_auth_next *n)
{
    char partial[NAME_LIST_MAX];
    static const char *const names[] = {[NONE] = "none", [PASSWORD] = "password", [PUBLICKEY] = "publickey",
                                        [KBDINT] = "keyboard-interactive"};
    server_facts(n->sig_algs, n->hostbound);
    escape_str(n->methods, partial, sizeof partial);
    if (n->partial) {
        say(CONF_LOG_VERBOSE, "Authenticated using \"%s\" with partial success.", names[auth.running]);
        auth.password_tries = auth.kbdint_tries = 0;
        for (struct identity *id = identities_load(); id && auth.running == PUBLICKEY; id = id->next)
            if (id != auth.identity)        /* another key may be wanted; not the same one again */
                id->tried = false;
    }
    snprintf(auth.methods, sizeof auth.methods, "%s", partial);
    debug1("Authentications that can continue: %s", auth.methods);
    try_next();
}

void auth_prepare(void)
{
    bool first = false;
    size_t at = 0;
    struct bytes name;
    /* Is publickey what would come first anyway? */
    while (!first && names_next(preferred(), &at, &name)) {
        if (bytes_is(name, "publickey"))
            first = ui.conf->pubkey_authentication != SSH_PUBKEY_NO;
        else if ((bytes_is(name, "password") && ui.conf->password_authentication)
                 || (bytes_is(name, "keyboard-interactive") && ui.conf->kbd_interactive_authentication))
            break;
    }
    debug1("Authenticating to %s:%u as '%s'", ui.conf->hostname, ui.conf->port, ui.conf->user);
    if (!first || !publickey_next(true))
        (void)none_next();
}

static void on_kex(const struct cm_kex *k)
{
    char peer[256];
    escape_str(k->ident_peer, peer, sizeof peer);
    if (k->first && strncmp(peer, "SSH-", 4) == 0 && strchr(peer + 4, '-')) {
        char *software = strchr(peer + 4, '-');
        debug1("Remote protocol version %.*s, remote software version %s", (int)(software - peer - 4), peer + 4, software + 1);
    }
    debug1("kex: algorithm: %s", show(k->kex));
    debug1("kex: host key algorithm: %s", show(k->hostkey_alg));
    debug1("kex: server->client cipher: %s MAC: %s compression: %s", show(k->cipher_in), show(k->mac_in), show(k->compress_in));
    debug1("kex: client->server cipher: %s MAC: %s compression: %s", show(k->cipher_out), show(k->mac_out), show(k->compress_out));
    if (k->first && k->strict)
        debug2("kex: strict key exchange");
    if (k->first && !k->post_quantum && ui.conf->warn_weak_crypto) {
        say(CONF_LOG_INFO, "** WARNING: connection is not using a post-quantum key exchange algorithm.");
        say(CONF_LOG_INFO, "** This session may be vulnerable to \"store now, decrypt later\" attacks.");
        say(CONF_LOG_INFO, "** The server may need to be upgraded. See https://openssh.com/pq.html");
    }
}

/* RFC 4252 5.4: shown to the user; nothing of it may move the cursor or change the terminal. */
static void on_banner(const struct cm_text *t)
{
    CLEANUP(wr_clear) struct wr w = wr_heap(4 * CM_TEXT_MAX + 2);
    if (ui.conf->log_level < CONF_LOG_INFO)
        return;
    escape_write(&w, t->text, "\r\n\t");
    wr_u8(&w, 0);
    if (w.err == ERR_NONE)
        say_raw((const char *)w.p);
}

void auth_event(const struct cm_message *m)
{
    switch (m->type) {
    case CM_KEX: on_kex(&m->u.kex); break;
    case CM_HOSTKEY: hostkey_check(&m->u.hostkey); break;
    case CM_AUTH_NEXT: on_next(&m->u.auth_next); break;
    case CM_PK_OK: on_pk_ok(&m->u.pk_ok); break;
    case CM_PROMPTS: on_prompts(&m->u.prompts); break;
    case CM_PASSWD_CHANGE: on_passwd_change(&m->u.text); break;
    case CM_BANNER: on_banner(&m->u.text); break;
    default: fatal("ssh-transport: %s message: refused", cm_name(m->type));
    }
}

void auth_run(void)
{
    static const char *const names[] = {[NONE] = "none", [PASSWORD] = "password", [PUBLICKEY] = "publickey",
                                        [KBDINT] = "keyboard-interactive"};
    const struct cm_message *m;
    while ((m = link_recv())->type != CM_AUTH_DONE)
        auth_event(m);
    ui.state = CM_AT_SESSION;
    if (ui.proxied)
        say(CONF_LOG_VERBOSE, "Authenticated to %s (via proxy) using \"%s\".", ui.conf->hostname, names[auth.running]);
    else
        say(CONF_LOG_VERBOSE, "Authenticated to %s ([%s]:%u) using \"%s\".", ui.conf->hostname, ui.address, ui.conf->port,
            names[auth.running]);
}
