/* SPDX-License-Identifier: ISC */
/* Signatures over files (-Y): the command line, and verifying. */
#include "signature.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/text.h"
#include "key/krl.h"

#define STEP 262144

enum err hash_fd(int fd, const struct hash_alg *hash, uint8_t *out)
{
    static uint8_t buffer[STEP];
    struct hash_run *run = hash_start(hash);
    enum err e = run ? ERR_NONE : ERR_CRYPTO;
    while (e == ERR_NONE) {
        ssize_t n = read(fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) return hash_end(run, out);
        e = n < 0 ? ERR_SYSTEM : hash_add(run, bytes_of(buffer, (size_t)n));
    }
    int saved = errno;
    hash_drop(run);
    errno = saved;
    return e;
}

uint64_t wall_here(int64_t wall_s)
{
    time_t clock = (time_t)wall_s;
    struct tm tm;
    if (!gmtime_r(&clock, &tm)) return 0;
    tm.tm_isdst = -1; /* the zone knows whether summer time held then */
    time_t at = mktime(&tm);
    return at > 0 ? (uint64_t)at : 0;
}

/* ---- a signature file ---- */

bool signature_load(const char *path, struct wr *blob, struct sshsig *out)
{
    struct secret text CLEANUP(secret_clear) = {0};
    enum err e = file_read(path, SSHSIG_FILE_MAX, false, &text, NULL);
    if (e != ERR_NONE) {
        say("Couldn't read signature file: %s", reason(e));
        return false;
    }
    e = sshsig_armour_parse(secret_bytes(&text), blob);
    if (e != ERR_NONE) {
        say("Couldn't parse signature: %s", reason(e));
        return false;
    }
    e = sshsig_parse(wr_bytes(blob), out);
    if (e == ERR_VERSION) say("Couldn't verify signature: its version is larger than supported");
    else if (e != ERR_NONE) say("Couldn't verify signature: %s", reason(e));
    return e == ERR_NONE;
}

/* ---- -O ---- */

static void take_hash(const char *value, struct sig_options *s)
{
    s->hash = sshsig_hash_find(bytes_str(value));
    if (!s->hash) fatal("unsupported hash algorithm \"%s\"", value);
}

static void take_time(const char *value, struct sig_options *s)
{
    if (signer_time_parse(bytes_str(value), wall_here, &s->verify_time_s) != ERR_NONE) fatal("Invalid \"verify-time\" option");
}

static void take_print(const char *value, struct sig_options *s)
{
    (void)value;
    s->print_key = true;
}

enum { MAY_HASH = 1, MAY_TIME = 2, MAY_PRINT = 4 };

static const struct row {
    const char *name;           /* with its "=", where it has a value */
    unsigned may;
    void (*take)(const char *value, struct sig_options *s);
} rows[] = {{"hashalg=", MAY_HASH, take_hash}, {"verify-time=", MAY_TIME, take_time}, {"print-pubkey", MAY_PRINT, take_print}};

static void take_one(const char *text, unsigned may, struct sig_options *s)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t n = strlen(rows[i].name);
        bool has_value = rows[i].name[n - 1] == '=';
        if (!(rows[i].may & may) || (has_value ? strncasecmp(text, rows[i].name, n) : strcasecmp(text, rows[i].name)) != 0) continue;
        rows[i].take(text + n, s);
        return;
    }
    fatal("Invalid option \"%s\"", text);
}

/* ---- verifying ---- */

static bool signature_good(const struct sshsig *sig, const struct pubkey *key, const char *name_space)
{
    uint8_t digest[HASH_MAX];
    const struct hash_alg *hash = sshsig_hash_find(sig->hash_name);
    enum err e = hash ? hash_fd(STDIN_FILENO, hash, digest) : ERR_NONE;
    if (!hash) say("Couldn't verify signature: its hash algorithm is not supported");
    else if (e != ERR_NONE) say("Couldn't read what is signed: %s", reason(e));
    else if (!bytes_is(sig->name_space, name_space)) say("Couldn't verify signature: namespace does not match");
    else if (!sshsig_alg_allowed(sig, key)) say("Couldn't verify signature: its algorithm is not allowed for a key of type %s", pubkey_short_name(key));
    else if (sshsig_verify(sig, key, digest) != VERDICT_GOOD) say("Signature verification failed: incorrect signature");
    else return true;
    return false;
}

/* A list that cannot be read or parsed revokes everything. */
static bool key_revoked(const char *path, const struct pubkey *key)
{
    struct secret text CLEANUP(secret_clear) = {0};
    struct krl *k CLEANUP(krl_drop) = NULL;
    enum err e = file_read(path, KRL_FILE_MAX, false, &text, NULL);
    if (e == ERR_NONE) e = revoked_parse(secret_bytes(&text), &k);
    if (e != ERR_NONE) say("Couldn't use the list of revoked keys %s: %s", path, reason(e));
    else if (krl_check(k, key) != VERDICT_GOOD) say("The signing key is revoked by %s", path);
    else return false;
    return true;
}

static void good_say(const struct options *o, const struct pubkey *key, bool named)
{
    struct wr print CLEANUP(wr_clear) = wr_heap(4096);
    show_fingerprint(o, key, &print);
    printf("Good \"%s\" signature%s%s with %s key %.*s\n", o->principals, named ? " for " : "", named ? o->key_id : "", pubkey_short_name(key),
           (int)print.n, (const char *)print.p);
}

static bool key_load(const struct sshsig *sig, struct pubkey **out)
{
    enum err e = pubkey_parse_any(sig->key_blob, out);
    if (e != ERR_NONE) say("Couldn't verify signature: its key: %s", reason(e));
    return e == ERR_NONE;
}

/* allowed: verify; else check-novalidate */
static int verify(const struct options *o, const struct sig_options *s, bool allowed)
{
    struct wr blob CLEANUP(wr_clear) = wr_heap(SSHSIG_FILE_MAX), line CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    struct pubkey *key CLEANUP(pubkey_drop) = NULL;
    struct sshsig sig;
    bool good = signature_load(o->ca_key, &blob, &sig) && key_load(&sig, &key) && signature_good(&sig, key, o->principals);
    if (allowed && o->dns_host) good = good && !key_revoked(o->dns_host, key);
    if (allowed) good = good && signer_allowed(o->file, key, o->key_id, o->principals, s->verify_time_s);
    if (!o->quiet && good) good_say(o, key, allowed);
    if (!o->quiet && !good) printf("Could not verify signature.\n");
    if (good && s->print_key) {
        pubkey_line_write(&line, key, bytes_of(NULL, 0));
        need_written(&line);
        printf("%.*s\n", (int)line.n, (const char *)line.p);
    }
    return good ? 0 : 255;
}

static int run_verify(const struct options *o, const struct sig_options *s)
{
    return verify(o, s, true);
}

static int run_check(const struct options *o, const struct sig_options *s)
{
    return verify(o, s, false);
}

/* ---- the operation ---- */

enum { NEED_SPACE = 1, NEED_SIGNATURE = 2, NEED_FILE = 4, NEED_ID = 8 };

/* A longer word that begins so counts as well, as in OpenSSH. */
static const struct operation {
    const char *name;
    unsigned need, may;
    const char *file_words;
    int (*run)(const struct options *o, const struct sig_options *s);
} operations[] = {
    {"find-principals", NEED_SIGNATURE | NEED_FILE, MAY_TIME, "missing allowed keys file", principals_find},
    {"match-principals", NEED_FILE | NEED_ID, 0, "missing allowed keys file", principals_match},
    {"sign", NEED_SPACE | NEED_FILE, MAY_HASH, "missing key", files_sign},
    {"check-novalidate", NEED_SPACE | NEED_SIGNATURE, MAY_TIME | MAY_PRINT, NULL, run_check},
    {"verify", NEED_SPACE | NEED_SIGNATURE | NEED_FILE | NEED_ID, MAY_TIME | MAY_PRINT, "missing allowed keys file", run_verify},
};

static void need(const struct options *o, const struct operation *op)
{
    const struct {
        unsigned what;
        bool there;
        const char *words;
    } needs[] = {{NEED_SPACE, o->principals && o->principals[0], "missing namespace"},
                 {NEED_SIGNATURE, o->ca_key != NULL, "missing signature file"},
                 {NEED_FILE, o->have_file, op->file_words},
                 {NEED_ID, o->key_id != NULL, "missing principal identity"}};
    for (size_t i = 0; i < COUNT_OF(needs); i++)
        if ((op->need & needs[i].what) && !needs[i].there) {
            say("Too few arguments for %s: %s", op->name, needs[i].words);
            exit(1);
        }
}

int job_signature(struct options *o)
{
    struct sig_options s = {.hash = &hash_sha512, .verify_time_s = (uint64_t)time(NULL)};
    for (size_t i = 0; i < COUNT_OF(operations); i++) {
        const struct operation *op = &operations[i];
        if (strncmp(o->signature, op->name, strlen(op->name)) != 0) continue;
        need(o, op);
        for (size_t k = 0; k < o->extra_n; k++) take_one(o->extra[k], op->may, &s);
        return op->run(o, &s);
    }
    say("Unsupported operation for -Y: \"%s\"", o->signature);
    usage();
}
