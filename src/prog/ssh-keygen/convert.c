/* SPDX-License-Identifier: ISC */
/* Keys from and to other suites' files: -i and -e. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <strings.h>

#include "base/limits.h"
#include "crypto/sign.h"
#include "key/cert.h"
#include "keygen.h"

/* The words of -m. RFC4716 is the default of -i and -e; a private key is never written that way. */
static const struct format {
    const char *name;
    enum privkey_format private;
    enum pubkey_format public;
    bool writes_private;                /* -e of a private key file gives a private key */
    const char *importer, *exporter;    /* OpenSSH's error lines begin with these */
} formats[] = {
    {"RFC4716", PRIVKEY_OPENSSH, PUBKEY_RFC4716, false, "do_convert_from_ssh2", "do_convert_to_ssh2"},
    {"ssh2", PRIVKEY_OPENSSH, PUBKEY_RFC4716, false, "do_convert_from_ssh2", "do_convert_to_ssh2"},
    {"PKCS8", PRIVKEY_PKCS8, PUBKEY_SPKI, false, "do_convert_from_pkcs8", "do_convert_to_pkcs8"},
    {"PEM", PRIVKEY_PEM, PUBKEY_PKCS1, false, "do_convert_from_pem", "do_convert_to_pem"},
    {"PPK", PRIVKEY_PPK, PUBKEY_RFC4716, true, "PPK", "PPK"},
    {"Dropbear", PRIVKEY_DROPBEAR, PUBKEY_LINE, true, "Dropbear", "Dropbear"},
};

static const struct format *format_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(formats); i++)
        if (name && strcasecmp(formats[i].name, name) == 0) return &formats[i];
    return NULL;
}

void format_take(struct options *o, const char *name)
{
    const struct format *f = format_find(name);
    if (!f) fatal("Unsupported conversion format \"%s\"", name);
    o->format_name = name;
    o->format = f->private;
}

static const struct format *format_asked(const struct options *o)
{
    return o->format_name ? format_find(o->format_name) : &formats[0];
}

static void need_stat(struct options *o)
{
    struct stat st;
    need_file(o, "Enter file in which the key is");
    if (stat(o->file, &st) != 0) fatal("ssh-keygen: %s: %s", o->file, strerror(errno));
}

static void text_read(const struct options *o, struct secret *out)
{
    enum err e = file_read(o->file, KEY_FILE_MAX, false, out, NULL);
    if (e != ERR_NONE) fatal("ssh-keygen: %s: %s", o->file, reason(e));
}

static int put_out(const struct wr *w)
{
    if (wr_done(w) != ERR_NONE || fwrite(w->p, 1, w->n, stdout) != w->n) fatal("key write failed");
    return 0;
}

static void private_put(const struct privkey *k, struct bytes comment, const struct privkey_file_how *how)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    enum err e = privkey_file_write(k, comment, how, &random_libcrypto, &w);
    if (e == ERR_UNSUPPORTED)
        fatal("key type %s%s cannot be written in this format", pubkey_type(privkey_public(k)), how->passphrase.n ? " with a passphrase" : "");
    if (e != ERR_NONE) fatal("key write failed: %s", reason(e));
    put_out(&w);
}

/* ---- -e ---- */

static int export_private(const struct options *o, const struct format *f)
{
    struct identity id CLEANUP(identity_drop) = {0};
    struct secret fresh CLEANUP(secret_clear) = {0};
    enum err e = identity_load(o, o->passphrase, "Enter passphrase: ", &id);
    if (e != ERR_NONE) fatal("Load key \"%s\": %s", o->file, reason(e));
    if (o->new_passphrase) e = secret_copy(&fresh, bytes_str(o->new_passphrase));
    else if (f->private == PRIVKEY_DROPBEAR && id.passphrase.n == 0) e = ERR_NONE;      /* it was not protected before, and cannot be now */
    else passphrase_new("Enter new passphrase (empty for no passphrase): ", "Pass phrases do not match.  Try again.", false, &fresh);
    if (e != ERR_NONE) fatal("memory allocation failed");
    private_put(id.key, wr_bytes(&id.comment), &(struct privkey_file_how){.format = f->private, .passphrase = secret_bytes(&fresh)});
    return 0;
}

/* The key of a file of any kind: the clear half of a private key, any form of a public one, FILE.pub, or with the passphrase. */
static void any_public(const struct options *o, struct bytes text, struct pubkey **out, struct wr *comment)
{
    struct identity id CLEANUP(identity_drop) = {0};
    enum err e = privkey_file_public(text, out);
    need_sound(e, o->file);
    if (e == ERR_NONE) return;
    e = pubkey_file_parse(text, out, comment);
    need_sound(e, o->file);
    if (e == ERR_NONE || public_load(o->file, out, comment) == ERR_NONE) return;
    if (pubkey_file_format(text) == PUBKEY_LINE) e = identity_load(o, o->passphrase, "Enter passphrase: ", &id);
    if (e == ERR_NONE) e = pubkey_parse(pubkey_blob(privkey_public(id.key)), out);
    if (e != ERR_NONE) fatal("Load key \"%s\": %s", o->file, reason(e));
}

int job_export(struct options *o)
{
    struct secret text CLEANUP(secret_clear) = {0};
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    struct wr w CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX), said CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    const struct format *f = format_asked(o);
    char comment[61];       /* with what surrounds it a line of 72 bytes (RFC 4716 3.3) */
    need_stat(o);
    text_read(o, &text);
    if (f->writes_private && privkey_file_is(secret_bytes(&text))) return export_private(o, f);
    any_public(o, secret_bytes(&text), &k, &said);
    int n = snprintf(comment, sizeof comment, "%zu-bit %s, converted by %s@%s from OpenSSH", pubkey_bits(k), pubkey_short_name(k), o->user, o->machine);
    if (n < 0) fatal("key write failed");
    enum err e = pubkey_file_write(k, f->public, f->public == PUBKEY_RFC4716 ? bytes_str(comment) : wr_bytes(&said), &w);
    if (e == ERR_UNSUPPORTED) fatal("%s: unsupported key type %s", f->exporter, pubkey_short_name(k));
    if (e != ERR_NONE) fatal("key write failed: %s", reason(e));
    if (f->public == PUBKEY_LINE) wr_u8(&w, '\n');
    return put_out(&w);
}

/* ---- -i ---- */

/* ssh.com's keys become PEM, as OpenSSH has always made of them; the others a file of OpenSSH's own, protected as they were, or by -N. */
static int import_private(const struct options *o, enum privkey_format from)
{
    struct identity id CLEANUP(identity_drop) = {0};
    enum err e = identity_load_loose(o, "Enter passphrase: ", &id);
    if (e != ERR_NONE && from == PRIVKEY_SSHCOM) fatal("do_convert_from_ssh2: private key conversion failed");
    if (e != ERR_NONE) fatal("Load key \"%s\": %s", o->file, reason(e));
    struct bytes passphrase = o->new_passphrase ? bytes_str(o->new_passphrase) : secret_bytes(&id.passphrase);
    private_put(id.key, wr_bytes(&id.comment), &(struct privkey_file_how){.format = from == PRIVKEY_SSHCOM ? PRIVKEY_PEM : PRIVKEY_OPENSSH,
                .passphrase = passphrase, .cipher = o->cipher, .rounds = o->rounds});
    return 0;
}

int job_import(struct options *o)
{
    struct secret text CLEANUP(secret_clear) = {0};
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    struct wr w CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    const struct format *f = format_asked(o);
    need_stat(o);
    text_read(o, &text);
    if (privkey_file_is(secret_bytes(&text))) return import_private(o, privkey_file_format(secret_bytes(&text)));
    enum err e = pubkey_file_parse(secret_bytes(&text), &k, NULL);
    need_sound(e, o->file);
    if (e == ERR_NONE) {
        pubkey_line_write(&w, k, bytes_of(NULL, 0));
        wr_u8(&w, '\n');
        return put_out(&w);
    }
    if (f->private == PRIVKEY_PEM) fatal("%s: unrecognised raw private key format", f->importer);
    if (f->private == PRIVKEY_PKCS8) fatal("%s: %s is not a recognised public key format", f->importer, o->file);
    fatal("%s: parse key: %s", f->importer, reason(e));
}
