/* SPDX-License-Identifier: ISC */
/* Making keys: one for a user, or the machine's (-A). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/limits.h"
#include "crypto/sign.h"
#include "keygen.h"

#define RSA_BITS_DEFAULT 3072

/* ---- -t and -b ---- */

static const char *ecdsa_type(size_t bits)
{
    static const struct {
        size_t bits;
        const char *type;
    } rows[] = {{256, "ecdsa-sha2-nistp256"}, {384, "ecdsa-sha2-nistp384"}, {521, "ecdsa-sha2-nistp521"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].bits == bits) return rows[i].type;
    fatal("Invalid ECDSA key length: valid lengths are 256, 384 or 521 bits");
}

static const char *rsa_type(size_t *bits)
{
    if (*bits == 0) *bits = RSA_BITS_DEFAULT;
    if (*bits < RSA_BITS_MIN) fatal("Invalid RSA key length: minimum is %d bits", RSA_BITS_MIN);
    if (*bits > RSA_BITS_MAX) fatal("Invalid RSA key length: maximum is %d bits", RSA_BITS_MAX);
    return "ssh-rsa";
}

/* A word of -t, or the name of a signature algorithm, which stands for the type of its keys. */
static const char *type_find(const char *name)
{
    static const struct {
        const char *word, *type;
    } words[] = {{"ed25519", "ssh-ed25519"},
                 {"rsa", "ssh-rsa"},
                 {"ecdsa", "ecdsa-sha2-nistp256"},
                 {"mldsa44-ed25519", "ssh-mldsa44-ed25519@openssh.com"},
                 {"ed25519-sk", "sk-ssh-ed25519@openssh.com"},
                 {"ecdsa-sk", "sk-ecdsa-sha2-nistp256@openssh.com"}};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcasecmp(name, words[i].word) == 0) return words[i].type;
    const struct sig_alg *alg = sig_alg_find(bytes_str(name));
    return alg && !sig_alg_is_cert(alg) ? alg->key_type : NULL;
}

/* The full type name; checks -b. */
static const char *type_resolve(const char *name, size_t *bits)
{
    const char *type = type_find(name);
    if (!type) fatal("unknown key type %s", name);
    if (strcmp(type, "ssh-rsa") == 0) return rsa_type(bits);
    return *bits && strncmp(type, "ecdsa-", 6) == 0 ? ecdsa_type(*bits) : type;
}

/* ---- a user's key ---- */

static void folder_make(const struct options *o)
{
    char folder[PATH_MAX];
    struct stat st;
    const char *slash = strrchr(o->file, '/');
    int n = snprintf(folder, sizeof folder, "%s/.ssh", o->home);
    if (!slash || n < 0 || (size_t)n >= sizeof folder) return;
    if (strncmp(o->file, folder, (size_t)n) != 0 || o->file[n] != '/' || stat(folder, &st) == 0) return;
    if (errno != ENOENT) say("Could not stat %s: %s", folder, strerror(errno));
    else if (mkdir(folder, 0700) != 0) say("Could not create directory '%s' (%s).", folder, strerror(errno));
    else if (!o->quiet) say("Created directory '%s'.", folder);
}

bool confirm_overwrite(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) return true;
    printf("%s already exists.\nOverwrite", path);
    return confirm();
}

void passphrase_get(const struct options *o, struct secret *out)
{
    const char *given = o->passphrase ? o->passphrase : o->new_passphrase;
    if (!given)
        passphrase_new("Enter passphrase (empty for no passphrase): ", "Passphrases do not match.  Try again.", true, out);
    else if (secret_copy(out, bytes_str(given)) != ERR_NONE)
        fatal("memory allocation failed");
}

static void comment_get(const struct options *o, char out[KEY_COMMENT_MAX])
{
    if (o->comment) snprintf(out, KEY_COMMENT_MAX, "%s", o->comment);
    else snprintf(out, KEY_COMMENT_MAX, "%s@%s", o->user, o->machine);
}

static void made_show(const struct options *o, const struct pubkey *k, const char *public_path, const char *comment)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(4096);
    fingerprint_write(&w, pubkey_blob(k), o->hash);
    if (wr_done(&w) != ERR_NONE) fatal("fingerprint: %s", reason(wr_done(&w)));
    printf("Your public key has been saved in %s\n", public_path);
    printf("The key fingerprint is:\n%.*s ", (int)w.n, (const char *)w.p);
    printf("%s\nThe key's randomart image is:\n", comment);
    print_randomart(o, k);
}

int job_make(struct options *o)
{
    struct privkey *key CLEANUP(privkey_drop) = NULL;
    struct secret passphrase CLEANUP(secret_clear) = {0};
    char comment[KEY_COMMENT_MAX], public_path[PATH_MAX + 4];
    const char *name = o->type ? o->type : "ed25519";
    const char *type = type_resolve(name, &o->bits);
    if (!o->quiet) printf("Generating public/private %s key pair.\n", name);
    fflush(stdout);
    struct wr attestation CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    enum err e = privkey_generate(type, o->bits, &random_libcrypto, &key);
    bool sk = e == ERR_TOKEN;
    if (sk) token_make(o, type, &key, &attestation);
    else if (e != ERR_NONE) fatal("key generation failed: %s", reason(e));

    need_file(o, "Enter file in which to save the key");
    folder_make(o);
    if (!confirm_overwrite(o->file)) exit(1);
    passphrase_get(o, &passphrase);
    need_format(o, type, secret_bytes(&passphrase));
    comment_get(o, comment);
    e = private_save(o, key, secret_bytes(&passphrase), bytes_str(comment), o->file);
    if (e != ERR_NONE) {
        say("Saving key \"%s\" failed: %s", o->file, reason(e));
        return 1;
    }
    if (!o->quiet) printf("Your identification has been saved in %s\n", o->file);
    snprintf(public_path, sizeof public_path, "%s.pub", o->file);
    e = public_save(privkey_public(key), bytes_str(comment), public_path);
    if (e != ERR_NONE) fatal("Unable to save public key to %s: %s", public_path, reason(e));
    if (!o->quiet) made_show(o, privkey_public(key), public_path, comment);
    if (sk) token_attestation_save(o, wr_bytes(&attestation));
    return 0;
}

/* ---- the machine's keys ---- */

static const struct host_key {
    const char *shown, *type;
    size_t bits;
    const char *path;
} host_keys[] = {
    {"RSA", "ssh-rsa", RSA_BITS_DEFAULT, NACRE_SYSCONFDIR "/ssh/ssh_host_rsa_key"},
    {"ECDSA", "ecdsa-sha2-nistp256", 0, NACRE_SYSCONFDIR "/ssh/ssh_host_ecdsa_key"},
    {"ED25519", "ssh-ed25519", 0, NACRE_SYSCONFDIR "/ssh/ssh_host_ed25519_key"},
};

/* True: there is a key already, or nothing can be made there, which is not *good. */
static bool host_key_there(const char *path, bool *good)
{
    struct stat st;
    if (stat(path, &st) == 0) return st.st_size != 0;
    if (errno == ENOENT) return false;
    say("Could not stat %s: %s", path, strerror(errno));
    *good = false;
    return true;
}

static bool host_key_make(const struct options *o, const struct host_key *row, const char *path)
{
    struct privkey *key CLEANUP(privkey_drop) = NULL;
    char comment[KEY_COMMENT_MAX], public_path[PATH_MAX + 4];
    struct options own = *o;
    own.comment = NULL;
    comment_get(&own, comment);
    snprintf(public_path, sizeof public_path, "%s.pub", path);
    enum err e = privkey_generate(row->type, row->bits, &random_libcrypto, &key);
    if (e != ERR_NONE) {
        say("key generation failed: %s", reason(e));
        return false;
    }
    /* The public half first: the private file is what says that the key is there. */
    e = public_save(privkey_public(key), bytes_str(comment), public_path);
    if (e != ERR_NONE) {
        say("Could not save your public key in %s: %s", public_path, reason(e));
        return false;
    }
    e = private_save(o, key, bytes_of(NULL, 0), bytes_str(comment), path);
    if (e != ERR_NONE) say("Could not save your private key in %s: %s", path, reason(e));
    return e == ERR_NONE;
}

int job_host_keys(struct options *o)
{
    bool begun = false, good = true;
    for (size_t i = 0; i < COUNT_OF(host_keys); i++) {
        char path[2 * PATH_MAX];
        snprintf(path, sizeof path, "%s%s", o->have_file ? o->file : "", host_keys[i].path);
        if (strlen(path) >= PATH_MAX) fatal("Identity filename too long");
        if (host_key_there(path, &good)) continue;
        if (!begun) printf("ssh-keygen: generating new host keys: ");
        begun = true;
        printf("%s ", host_keys[i].shown);
        fflush(stdout);
        if (host_key_make(o, &host_keys[i], path)) continue;
        begun = good = false;
        printf("\n");
    }
    if (begun) printf("\n");
    return good ? 0 : 1;
}
