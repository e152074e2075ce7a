/* SPDX-License-Identifier: ISC */
/* Signing files (-Y sign), with a key of our own or one that an agent holds. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "kit/agent_client.h"
#include "signature.h"

struct signer_key {
    const struct options *o;
    struct pubkey *shown;               /* what -f names: a plain key or a certificate */
    struct identity id;
    int agent;                          /* the connection, or -1 */
    struct pubkey *held;                /* in the agent: shown, or the key that it certifies */
    const struct sig_alg *alg;          /* to sign with */
};

static void signer_drop(struct signer_key *k)
{
    pubkey_drop(&k->shown);
    pubkey_drop(&k->held);
    identity_drop(&k->id);
    if (k->agent >= 0) close(k->agent);
}

/* ---- the key ---- */

/* The algorithm under the name by which a key of exactly this type is asked to sign. */
static const struct sig_alg *alg_of(const struct pubkey *key)
{
    const struct sig_alg *plain = sshsig_alg(key);
    for (const struct sig_alg *a = sig_algs; plain && a->name; a++)
        if (strcmp(a->key_type, pubkey_type(key)) == 0 && strcmp(a->sig_name, plain->sig_name) == 0) return a;
    return NULL;
}

static bool agent_has(int fd, const struct pubkey *key)
{
    struct secret answer CLEANUP(secret_clear) = {0};
    struct rd r;
    struct agent_key one;
    uint32_t count = 0;
    if (agent_list(fd, &answer, &r, &count) != ERR_NONE) return false;
    for (uint32_t i = 0; i < count && agent_list_next(&r, &one) == ERR_NONE; i++)
        if (bytes_equal(one.blob, pubkey_blob(key))) return true;
    return false;
}

/* False: no agent, or it does not hold the key; the private key file then, unless -U asks for the agent. */
static bool agent_find(const struct options *o, struct signer_key *k)
{
    int fd = -1;
    if (agent_connect(getenv("SSH_AUTH_SOCK"), &fd) != ERR_NONE) {
        if (o->agent_ca) fatal("Couldn't get agent socket");
        return false;
    }
    const struct pubkey *plain = pubkey_plain(k->shown), *held = agent_has(fd, k->shown) ? k->shown : agent_has(fd, plain) ? plain : NULL;
    if (held && pubkey_parse_any(pubkey_blob(held), &k->held) == ERR_NONE) {
        k->agent = fd;
        k->alg = alg_of(k->held);
        return true;
    }
    close(fd);
    if (o->agent_ca) fatal("Couldn't find key in agent");
    return false;
}

/* KEY-cert.pub and KEY.pub are names for KEY. */
static void private_path(const char *path, char out[PATH_MAX])
{
    static const char *const ends[] = {"-cert.pub", ".pub"};
    snprintf(out, PATH_MAX, "%s", path);
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        size_t n = strlen(out), k = strlen(ends[i]);
        if (n > k && strcmp(out + n - k, ends[i]) == 0) out[n - k] = 0;
    }
}

static bool file_find(const struct options *o, struct signer_key *k)
{
    char path[PATH_MAX];
    private_path(o->file, path);
    if (strcmp(path, o->file) != 0 && access(path, F_OK) != 0 && errno == ENOENT) {
        say("No private key found for public key \"%s\"", o->file);
        return false;
    }
    enum err e = identity_load_from(path, o->passphrase, "Enter passphrase: ", &k->id);
    if (e != ERR_NONE) {
        say("Couldn't load identity %s: %s", o->file, reason(e));
        return false;
    }
    if (!bytes_equal(pubkey_blob(privkey_public(k->id.key)), pubkey_blob(pubkey_plain(k->shown)))) {
        say("Public key %s doesn't match private %s", o->file, path);
        return false;
    }
    k->alg = sshsig_alg(k->shown);
    return true;
}

static bool key_find(const struct options *o, struct signer_key *k)
{
    k->o = o;
    struct wr comment CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    enum err e = public_load(o->file, &k->shown, &comment);
    if (e != ERR_NONE) {
        say("Couldn't load public key %s: %s", o->file, reason(e));
        return false;
    }
    return agent_find(o, k) || file_find(o, k);
}

/* ---- each file ---- */

static enum err sign_text(const struct signer_key *k, struct bytes text, struct wr *out)
{
    if (!k->alg) return ERR_KEY_TYPE;
    return k->agent >= 0 ? agent_sign(k->agent, k->held, k->alg, text, out) : key_sign(k->o, k->id.key, k->alg, text, out);
}

static enum err signature_make(const struct signer_key *k, int fd, const char *name_space, const struct hash_alg *hash, struct wr *out)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(SSHSIG_FILE_MAX), sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
    struct wr blob CLEANUP(wr_clear) = wr_heap(SSHSIG_FILE_MAX);
    uint8_t digest[HASH_MAX];
    TRY(hash_fd(fd, hash, digest));
    TRY(sshsig_text_write(bytes_str(name_space), hash, digest, &text));
    TRY(sign_text(k, wr_bytes(&text), &sig));
    TRY(sshsig_write(k->shown, bytes_str(name_space), hash, wr_bytes(&sig), &blob));
    sshsig_armour_write(out, wr_bytes(&blob));
    return wr_done(out);
}

static bool overwrite_allowed(const char *path)
{
    char answer[16];
    struct stat st;
    if (stat(path, &st) != 0) return true;
    printf("%s already exists.\nOverwrite (y/n)? ", path);
    return read_answer(answer, sizeof answer) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* FILE.sig; an answer of no is no failure. */
static bool signature_save(const struct options *o, const char *name, struct bytes armour)
{
    char path[PATH_MAX + 8];
    snprintf(path, sizeof path, "%s.sig", name);
    if (!overwrite_allowed(path)) return true;
    enum err e = output_save(path, armour, 0666);
    if (e != ERR_NONE) say("Cannot write to %s: %s", path, reason(e));
    else if (!o->quiet) fprintf(stderr, "Write signature to %s\n", path);
    return e == ERR_NONE;
}

static bool sign_fd(const struct options *o, const struct sig_options *s, const struct signer_key *k, int fd, const char *name)
{
    struct wr armour CLEANUP(wr_clear) = wr_heap(2 * SSHSIG_FILE_MAX);
    bool input = fd == STDIN_FILENO;
    if (!o->quiet && input) fprintf(stderr, "Signing data on standard input\n");
    else if (!o->quiet) fprintf(stderr, "Signing file %s\n", name);
    enum err e = signature_make(k, fd, o->principals, s->hash, &armour);
    if (e != ERR_NONE) {
        say("Signing %s failed: %s", name, k->agent >= 0 ? agent_reason(e) : reason(e));
        return false;
    }
    if (!input) return signature_save(o, name, wr_bytes(&armour));
    return fwrite(armour.p, 1, armour.n, stdout) == armour.n;
}

static bool sign_name(const struct options *o, const struct sig_options *s, const struct signer_key *k, const char *name)
{
    if (strcmp(name, "-") == 0) return sign_fd(o, s, k, STDIN_FILENO, name);
    int fd = open(name, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        say("Cannot open %s for signing: %s", name, strerror(errno));
        return false;
    }
    bool good = sign_fd(o, s, k, fd, name);
    close(fd);
    return good;
}

int files_sign(const struct options *o, const struct sig_options *s)
{
    struct signer_key k CLEANUP(signer_drop) = {.agent = -1};
    bool good = key_find(o, &k);
    if (o->rest_n == 0) good = good && sign_fd(o, s, &k, STDIN_FILENO, "(stdin)");
    for (int i = 0; i < o->rest_n; i++) good = good && sign_name(o, s, &k, o->rest[i]);
    return good ? 0 : 255;
}
