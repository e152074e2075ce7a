/* SPDX-License-Identifier: ISC */
/* Keys on FIDO authenticators: enrolling (-t *-sk), downloading resident ones (-K), what a key's file asks for (-p -O). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/text.h"
#include "crypto/sign.h"
#include "keygen.h"
#include "kit/sk.h"

#define PIN_PROMPT    "Enter PIN for authenticator: "
#define CHALLENGE_MAX 16384
#define PURPOSE_MAKE  "enrollment"
#define PURPOSE_LOAD  "download"

/* ---- -O ---- */

struct wishes {
    const char *application, *user, *device, *challenge_path, *attestation_path;
    uint8_t flags;
};

/* The value of NAME=value, letter case of the name aside. */
static const char *value_of(const char *option, const char *name)
{
    size_t n = strlen(name);
    return strncasecmp(option, name, n) == 0 && option[n] == '=' ? option + n + 1 : NULL;
}

static bool take_value(struct wishes *w, const char *option)
{
    const struct {
        const char *name, **to;
    } rows[] = {{"application", &w->application}, {"user", &w->user}, {"device", &w->device}, {"challenge", &w->challenge_path},
                {"write-attestation", &w->attestation_path}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *value = value_of(option, rows[i].name);
        if (value) *rows[i].to = value;
        if (value) return true;
    }
    return false;
}

static bool take_flag(struct wishes *w, const char *option)
{
    if (strcasecmp(option, "no-touch-required") == 0) w->flags &= (uint8_t)~SK_PRESENCE;
    else if (strcasecmp(option, "verify-required") == 0) w->flags |= SK_VERIFY;
    else if (strcasecmp(option, "resident") == 0) w->flags |= SK_RESIDENT;
    else return false;
    return true;
}

static struct wishes wishes_of(const struct options *o, const char *purpose)
{
    struct wishes w = {.flags = SK_PRESENCE};
    bool make = strcmp(purpose, PURPOSE_MAKE) == 0;
    for (size_t i = 0; i < o->extra_n; i++) {
        bool known = make ? take_flag(&w, o->extra[i]) || take_value(&w, o->extra[i]) : value_of(o->extra[i], "device") && take_value(&w, o->extra[i]);
        if (!known) fatal("Option \"%s\" is unsupported for FIDO authenticator %s", o->extra[i], purpose);
    }
    if (w.application && strncmp(w.application, "ssh:", 4) != 0) fatal("FIDO application string must begin with \"ssh:\"");
    return w;
}

static const char *provider_of(const struct options *o)
{
    const char *given = o->sk_provider ? o->sk_provider : getenv("SSH_SK_PROVIDER");
    return given && *given ? given : NULL;
}

/* ---- PINs ---- */

struct pins {
    const struct options *o;
    unsigned asked;
};

/* The helper wants one, or another: the touch that comes then is the second. */
static enum err pin_ask(void *ctx, struct secret *out)
{
    struct pins *p = ctx;
    const struct prompt prompt = {.text = PIN_PROMPT, .stdin_too = true};
    if (p->asked++ > 0) say("PIN incorrect");
    fflush(stdout);
    TRY(prompt_ask(&prompt, out));
    if (!p->o->quiet && !p->o->download) printf("You may need to touch your authenticator again to authorize key generation.\n");
    fflush(stdout);
    return ERR_NONE;
}

static struct sk_how how_of(const struct options *o, const struct wishes *w, struct pins *pins)
{
    *pins = (struct pins){.o = o};
    return (struct sk_how){.libexec_dir = LIBEXEC_DIR, .verbose = o->verbose, .provider = provider_of(o), .device = w->device, .ask_pin = pin_ask,
                           .ctx = pins};
}

/* ---- enrolling ---- */

static void challenge_read(const char *path, struct secret *out)
{
    enum err e = file_read(path, CHALLENGE_MAX, false, out, NULL);
    if (e != ERR_NONE) fatal("Unable to load FIDO enrollment challenge \"%s\": %s", path, reason(e));
    if (out->n == 0) fatal("Missing enrollment challenge");
}

static bool resident_overwrite(const struct wishes *w)
{
    printf("A resident key scoped to '%s' with user id '%s' already exists.\nOverwrite key in token", w->application ? w->application : "ssh:",
           w->user ? w->user : "null");
    return confirm();
}

void token_make(const struct options *o, const char *type, struct privkey **out, struct wr *attestation)
{
    struct secret challenge CLEANUP(secret_clear) = {0};
    struct pins pins;
    struct wishes w = wishes_of(o, PURPOSE_MAKE);
    const struct sk_how how = how_of(o, &w, &pins);
    if (w.challenge_path) challenge_read(w.challenge_path, &challenge);
    for (;;) {
        const struct sk_plan plan = {type, w.application ? w.application : "ssh:", w.user, w.flags, secret_bytes(&challenge)};
        if (!o->quiet) printf("You may need to touch your authenticator to authorize key generation.\n");
        fflush(stdout);
        enum err e = sk_enroll(&how, &plan, &random_libcrypto, out, w.attestation_path ? attestation : NULL);
        if (e == ERR_NONE) return;
        bool exists = e == ERR_STATE && (w.flags & SK_RESIDENT) && !(w.flags & SK_FORCE);
        if (!exists) fatal("Key enrollment failed: %s", sk_why());
        if (!resident_overwrite(&w)) exit(1);
        w.flags |= SK_FORCE;
    }
}

void token_attestation_save(const struct options *o, struct bytes attestation)
{
    struct wishes w = wishes_of(o, PURPOSE_MAKE);
    if (!w.attestation_path) return;
    enum err e = output_save(w.attestation_path, attestation, 0644);
    if (e != ERR_NONE) fatal("Unable to write attestation certificate to \"%s\": %s", w.attestation_path, reason(e));
    if (!o->quiet) printf("Your FIDO attestation certificate has been saved in %s\n", w.attestation_path);
}

/* ---- signing ---- */

struct signing {
    const struct pubkey *key;
    char text[256];             /* what a person should do; empty: nothing */
    bool terminal;              /* stderr is read by a person; else askpass shows it, too, for as long as it takes */
    pid_t notice;
};

static void touch_tell(struct signing *s)
{
    if (s->text[0] && !s->terminal) s->notice = notice_start(s->text);
}

/* One window at a time; the touch comes after the PIN. */
static enum err sign_pin_ask(void *ctx, struct secret *out)
{
    struct signing *s = ctx;
    char text[64];
    struct prompt prompt = {.text = text, .stdin_too = true};
    notice_stop(&s->notice);
    snprintf(text, sizeof text, "Enter PIN for %s key: ", pubkey_short_name(s->key));
    enum err e = prompt_ask(&prompt, out);
    if (e == ERR_NONE) touch_tell(s);
    return e;
}

enum err key_sign(const struct options *o, const struct privkey *k, const struct sig_alg *alg, struct bytes msg, struct wr *out)
{
    struct signing s = {.key = privkey_public(k), .terminal = isatty(STDERR_FILENO)};
    const struct sk_how how = {.libexec_dir = LIBEXEC_DIR, .verbose = o->verbose, .provider = provider_of(o), .ask_pin = sign_pin_ask, .ctx = &s};
    struct sk_private half;
    if (!privkey_sk(k, &half)) return privkey_sign(k, alg, msg, out);
    if (half.flags & SK_PRESENCE) {
        struct wr print CLEANUP(wr_clear) = wr_heap(256);
        fingerprint_write(&print, pubkey_blob(s.key), FINGERPRINT_SHA256);
        snprintf(s.text, sizeof s.text, "Confirm user presence for key %s %.*s", pubkey_short_name(s.key), (int)print.n, (const char *)print.p);
    }
    if (s.text[0]) say("%s", s.text);
    touch_tell(&s);
    enum err e = sk_sign(&how, k, alg, msg, out);
    notice_stop(&s.notice);
    if (e) say("%s", sk_why());
    else if (s.text[0] && s.terminal) say("User presence confirmed");
    return e;
}

/* ---- -p ---- */

void token_options_change(const struct options *o, struct privkey *k)
{
    static const struct {
        const char *name;
        uint8_t flag;
        bool on;
    } rows[] = {{"touch-required", SK_PRESENCE, true}, {"no-touch-required", SK_PRESENCE, false},
                {"verify-required", SK_VERIFY, true}, {"no-verify-required", SK_VERIFY, false}};
    struct sk_private half;
    if (o->extra_n == 0) return;
    if (!privkey_sk(k, &half)) fatal("-O with -p is for keys of FIDO authenticators");
    for (size_t i = 0; i < o->extra_n; i++) {
        size_t r = 0;
        while (r < COUNT_OF(rows) && strcasecmp(o->extra[i], rows[r].name) != 0) r++;
        if (r == COUNT_OF(rows)) fatal("Option \"%s\" is unsupported for FIDO authenticator keys", o->extra[i]);
        half.flags = (uint8_t)(rows[r].on ? half.flags | rows[r].flag : half.flags & ~rows[r].flag);
    }
    if (privkey_sk_set_flags(k, half.flags) != ERR_NONE) fatal("%s: not a key of an authenticator", o->file);
}

/* ---- resident keys ---- */

/* What tells files of one type apart: the application's rest, and the user as far as one was given (OpenSSH pads it with zeros). */
static void suffix_write(const struct sk_resident *r, struct wr *w)
{
    struct bytes app = pubkey_application(privkey_public(r->key)), user = secret_bytes(&r->user);
    size_t skip = bytes_starts(app, "ssh://") ? 6 : 4;
    while (user.n && user.p[user.n - 1] == 0) user.n--;
    wr_raw(w, bytes_of(app.p + skip, app.n - skip));
    if (user.n == 0) return;
    if (app.n > skip) wr_u8(w, '_');
    bool plain = text_printable(user) && !memchr(user.p, '/', user.n) && !memchr(user.p, '\\', user.n) && !memmem(user.p, user.n, "..", 2);
    if (plain) wr_raw(w, user);
    else hex_write(w, user);
}

/* The file's name, in the folder we are in; an application that could lead elsewhere does not. */
static bool resident_path(const struct sk_resident *r, char out[PATH_MAX], bool *suffix)
{
    uint8_t room[PATH_MAX];
    struct wr w = wr_span((struct span){room, sizeof room});
    bool ec = strstr(pubkey_type(privkey_public(r->key)), "ecdsa") != NULL;
    wr_textf(&w, "id_%s_sk_rk", ec ? "ecdsa" : "ed25519");
    size_t mark = w.n;
    wr_u8(&w, '_');
    suffix_write(r, &w);
    *suffix = w.n > mark + 1;
    if (!*suffix) w.n = mark;
    if (wr_done(&w) != ERR_NONE || !text_printable(wr_bytes(&w)) || memchr(w.p, '/', w.n)) return false;
    return bytes_to_str(wr_bytes(&w), out, PATH_MAX) == ERR_NONE;
}

static bool resident_save(const struct options *o, const struct sk_resident *r, struct secret *passphrase, bool *have_passphrase)
{
    char path[PATH_MAX], public_path[PATH_MAX + 4];
    struct bytes app = pubkey_application(privkey_public(r->key));
    bool suffix;
    if (!resident_path(r, path, &suffix)) {
        say("A resident key's application does not make a file name: it was left out");
        return true;
    }
    if (!confirm_overwrite(path)) return false;
    if (!*have_passphrase) passphrase_get(o, passphrase);
    *have_passphrase = true;
    enum err e = private_save(o, r->key, secret_bytes(passphrase), app, path);
    if (e != ERR_NONE) {
        say("Saving key \"%s\" failed: %s", path, reason(e));
        return false;
    }
    if (!o->quiet) printf("Saved %s key%s%.*s to %s\n", pubkey_short_name(privkey_public(r->key)), suffix ? " " : "", suffix ? (int)app.n : 0,
                          (const char *)app.p, path);
    snprintf(public_path, sizeof public_path, "%s.pub", path);
    e = public_save(privkey_public(r->key), app, public_path);
    if (e != ERR_NONE) say("Saving public key \"%s\" failed: %s", public_path, reason(e));
    return e == ERR_NONE;
}

int job_download(struct options *o)
{
    struct secret pin CLEANUP(secret_clear) = {0}, passphrase CLEANUP(secret_clear) = {0};
    struct pins pins;
    struct wishes w = wishes_of(o, PURPOSE_LOAD);
    struct sk_how how = how_of(o, &w, &pins);
    struct sk_resident *list;
    const struct prompt prompt = {.text = PIN_PROMPT, .stdin_too = true};
    size_t n;
    /* every authenticator wants one for this */
    if (prompt_ask(&prompt, &pin) != ERR_NONE) fatal("No PIN given");
    how.pin = secret_bytes(&pin);
    pins.asked = 1;
    if (!o->quiet) printf("You may need to touch your authenticator to authorize key download.\n");
    fflush(stdout);
    if (sk_residents(&how, &list, &n) != ERR_NONE) {
        say("Unable to load resident keys: %s", sk_why());
        return 1;
    }
    if (n == 0) say("No keys to download");
    bool good = true, have_passphrase = false;
    for (size_t i = 0; good && i < n; i++) good = resident_save(o, &list[i], &passphrase, &have_passphrase);
    sk_residents_free(list, n);
    return good ? 0 : 1;
}
