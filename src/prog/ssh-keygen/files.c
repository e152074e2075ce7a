/* SPDX-License-Identifier: ISC */
/* Key files: which one, loading, saving, showing. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "crypto/sign.h"
#include "key/cert.h"
#include "key/known_hosts.h"
#include "keygen.h"

#define BANNER "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"

/* ---- which file ---- */

static const char *default_name(const char *type)
{
    static const struct {
        const char *word, *name;
    } rows[] = {{"mldsa44-ed25519", "id_mldsa44_ed25519"}, {"ed25519-sk", "id_ed25519_sk"}, {"sk-ssh-ed25519", "id_ed25519_sk"},
               {"ecdsa-sk", "id_ecdsa_sk"}, {"sk-ecdsa", "id_ecdsa_sk"}, {"ed25519", "id_ed25519"}, {"ecdsa", "id_ecdsa"}, {"rsa", "id_rsa"}};
    for (size_t i = 0; type && i < COUNT_OF(rows); i++)
        if (strcasestr(type, rows[i].word)) return rows[i].name;
    return "id_ed25519";
}

void need_file(struct options *o, const char *prompt)
{
    char answer[1024];
    if (o->have_file) return;
    int n = snprintf(o->file, sizeof o->file, "%s/.ssh/%s", o->home, default_name(o->type));
    if (n < 0 || (size_t)n >= sizeof o->file) fatal("Identity filename too long");
    printf("%s (%s): ", prompt, o->file);
    if (!read_answer(answer, sizeof answer)) exit(1);
    if (answer[0]) snprintf(o->file, sizeof o->file, "%s", answer);
    o->have_file = true;
}

void need_existing(const struct options *o)
{
    struct stat st;
    if (stat(o->file, &st) != 0) fatal("%s: %s", o->file, strerror(errno));
}

/* ---- loading ---- */

/* A private key that others can read is no longer private: only its owner's files are judged, as OpenSSH does. */
static enum err permissions_check(const char *path, const struct stat *st)
{
    if (st->st_uid != getuid() || (st->st_mode & 077) == 0) return ERR_NONE;
    say(BANNER);
    say("@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @");
    say(BANNER);
    say("Permissions 0%3.3o for '%s' are too open.", (unsigned)st->st_mode & 0777, path);
    say("It is required that your private key files are NOT accessible by others.");
    say("This private key will be ignored.");
    errno = EACCES;
    return ERR_DENIED;
}

enum err private_read(const char *path, struct secret *out)
{
    struct secret text CLEANUP(secret_clear) = {0};
    struct stat st;
    TRY(file_read(path, KEY_FILE_MAX, false, &text, &st));
    TRY(permissions_check(path, &st));
    secret_clear(out);
    *out = text;
    text = (struct secret){0};
    return ERR_NONE;
}

void identity_drop(struct identity *id)
{
    privkey_drop(&id->key);
    wr_clear(&id->comment);
    secret_clear(&id->passphrase);
}

static enum err identity_of(struct bytes text, const char *given, const char *prompt, struct identity *out)
{
    struct identity id CLEANUP(identity_drop) = {.comment = wr_heap(KEY_FILE_MAX)};
    enum err e = privkey_file_parse(text, bytes_of(NULL, 0), &id.key, &id.comment);
    if (e == ERR_PASSPHRASE) {
        struct prompt p = {.text = prompt, .stdin_too = true};
        if (given) TRY(secret_copy(&id.passphrase, bytes_str(given)));
        else if (prompt_ask(&p, &id.passphrase) != ERR_NONE) TRY(secret_new(&id.passphrase, 0));
        e = privkey_file_parse(text, secret_bytes(&id.passphrase), &id.key, &id.comment);
    }
    TRY(e);
    id.format = privkey_file_format(text);
    *out = id;
    id = (struct identity){0};
    return ERR_NONE;
}

enum err identity_load_from(const char *path, const char *given, const char *prompt, struct identity *out)
{
    struct secret text CLEANUP(secret_clear) = {0};
    TRY(private_read(path, &text));
    return identity_of(secret_bytes(&text), given, prompt, out);
}

enum err identity_load_loose(const struct options *o, const char *prompt, struct identity *out)
{
    struct secret text CLEANUP(secret_clear) = {0};
    TRY(file_read(o->file, KEY_FILE_MAX, false, &text, NULL));
    return identity_of(secret_bytes(&text), o->passphrase, prompt, out);
}

enum err identity_load(const struct options *o, const char *given, const char *prompt, struct identity *out)
{
    return identity_load_from(o->file, given, prompt, out);
}

const char *keys_read(struct options *o, struct secret *out)
{
    need_file(o, "Enter file in which the key is");
    const char *shown = strcmp(o->file, "-") == 0 ? "(stdin)" : o->file;
    enum err e = file_read(o->file, CONF_FILE_MAX, true, out, NULL);
    if (e == ERR_SYSTEM) fatal("ssh-keygen: %s: %s", shown, reason(e));
    if (e != ERR_NONE) fatal("%s: %s", shown, reason(e));
    return shown;
}

static enum err public_load_one(const char *path, struct pubkey **out, struct wr *comment)
{
    struct secret text CLEANUP(secret_clear) = {0};
    struct line_walk walk = {0};
    struct bytes line;
    struct pubkey_line view;
    enum err e = ERR_FORMAT, first = ERR_FORMAT;
    TRY(file_read(path, KEY_FILE_MAX, false, &text, NULL));
    for (walk.rest = secret_bytes(&text); line_next(&walk, &line);) {
        if (line.n == 0 || line.p[0] == '#') continue;
        e = pubkey_line_parse_any(line, &view, out);
        need_sound(e, path);
        if (e == ERR_NONE) {
            wr_raw(comment, view.comment.n ? view.comment : bytes_str(path));
            return wr_done(comment);
        }
        if (first == ERR_FORMAT) first = e;
    }
    return first;
}

enum err public_load(const char *path, struct pubkey **out, struct wr *comment)
{
    char beside[PATH_MAX + 8];
    struct secret text CLEANUP(secret_clear) = {0};
    enum err e = public_load_one(path, out, comment);
    int saved = errno;
    if (e == ERR_NONE) return e;
    snprintf(beside, sizeof beside, "%s.pub", path);
    if (public_load_one(beside, out, comment) == ERR_NONE) return ERR_NONE;
    /* who may read it: no secret is taken from it */
    if (file_read(path, KEY_FILE_MAX, false, &text, NULL) == ERR_NONE) {
        enum err inside = privkey_file_public(secret_bytes(&text), out);
        need_sound(inside, path);
        if (inside == ERR_NONE) wr_text(comment, path);
        if (inside == ERR_NONE) return wr_done(comment);
    }
    errno = saved;
    return e;
}

void path_expand(const struct options *o, const char *name, char out[PATH_MAX])
{
    const char *home = o->home, *rest = name;
    if (name[0] == '~') {
        size_t n = strcspn(name, "/");
        char user[256];
        rest = name + n;
        snprintf(user, sizeof user, "%.*s", (int)(n - 1), name + 1);
        const struct passwd *pw = n > 1 ? getpwnam(user) : NULL;
        if (n > 1 && !pw) fatal("tilde_expand: No such user %s", user);
        if (pw) home = pw->pw_dir;
    }
    int n = snprintf(out, PATH_MAX, "%s%s", rest == name ? "" : home, rest);
    if (n < 0 || n >= PATH_MAX) fatal("%s: %s", name, strerror(ENAMETOOLONG));
}

/* ---- passphrases ---- */

static void ask_or_stop(const char *prompt, struct secret *out)
{
    struct prompt p = {.text = prompt, .stdin_too = true};
    fflush(stdout);
    /* A dialogue that was closed is not the wish for an unprotected key. */
    if (prompt_ask(&p, out) != ERR_NONE) fatal("No passphrase given");
}

void passphrase_new(const char *prompt, const char *mismatch, bool again, struct secret *out)
{
    for (;;) {
        struct secret second CLEANUP(secret_clear) = {0};
        ask_or_stop(prompt, out);
        ask_or_stop("Enter same passphrase again: ", &second);
        if (out->n == second.n && bytes_verify(out->p, second.p, out->n) == VERDICT_GOOD) return;
        printf("%s\n", mismatch);
        if (!again) exit(1);
    }
}

/* ---- saving ---- */

void need_format(const struct options *o, const char *type, struct bytes passphrase)
{
    bool plain = strncmp(type, "ssh-ed25519", 11) == 0 || strncmp(type, "ecdsa-sha2-", 11) == 0 || strcmp(type, "ssh-rsa") == 0;
    if ((o->format == PRIVKEY_PPK || o->format == PRIVKEY_DROPBEAR) && !plain) fatal("keys of type %s have no form as %s", type, o->format_name);
    if (o->format == PRIVKEY_DROPBEAR && passphrase.n) fatal("Dropbear's key files cannot have a passphrase");
    bool openssh = o->format == PRIVKEY_OPENSSH || o->format == PRIVKEY_PPK || !plain || (o->format == PRIVKEY_PEM && strcmp(type, "ssh-ed25519") == 0);
    if (!openssh && passphrase.n && passphrase.n < 5) {     /* libcrypto's own rule for these forms, which OpenSSH keeps */
        say("Saving key \"%s\" failed: passphrase is too short (minimum five characters)", o->file);
        exit(1);
    }
}

enum err private_save(const struct options *o, const struct privkey *k, struct bytes passphrase, struct bytes comment,
                      const char *path)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    struct privkey_file_how how = {.format = o->format, .passphrase = passphrase, .cipher = o->cipher, .rounds = o->rounds};
    struct stat old;
    TRY(privkey_file_write(k, comment, &how, &random_libcrypto, &text));
    /* An old file keeps what its mode gives its owner, who may not want to write to it by mistake; never what it gives to others. */
    mode_t mode = stat(path, &old) == 0 ? (old.st_mode & 0300) | 0400 : 0600;
    return atomic_file_write(path, wr_bytes(&text), mode);
}

enum err public_save(const struct pubkey *k, struct bytes comment, const char *path)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    pubkey_line_write(&text, k, comment);
    if (comment.n == 0) wr_u8(&text, ' '); /* byte for byte what OpenSSH leaves there */
    wr_u8(&text, '\n');
    TRY(wr_done(&text));
    return output_save(path, wr_bytes(&text), 0644);
}

/* ---- showing ---- */

void print_randomart(const struct options *o, const struct pubkey *k)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(4096);
    randomart_write(&w, pubkey_blob(pubkey_plain(k)), o->hash, k);
    if (wr_done(&w) != ERR_NONE) fatal("randomart: %s", reason(wr_done(&w)));
    printf("%.*s\n", (int)w.n, (const char *)w.p);
}

void show_fingerprint(const struct options *o, const struct pubkey *k, struct wr *out)
{
    if (o->bubblebabble) bubblebabble_write(out, pubkey_blob(pubkey_plain(k)));
    else pubkey_fingerprint_write(out, k, o->hash);
    if (wr_done(out) != ERR_NONE) fatal("fingerprint: %s", reason(wr_done(out)));
}

void print_fingerprint(const struct options *o, const struct pubkey *k, struct bytes comment)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(4096);
    show_fingerprint(o, k, &w);
    printf("%zu %.*s ", pubkey_bits(k), (int)w.n, (const char *)w.p);
    text_print(comment);
    printf(" (%s)\n", pubkey_short_name(k));
    if (o->verbose) print_randomart(o, k);
}
