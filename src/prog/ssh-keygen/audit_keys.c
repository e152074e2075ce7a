/* SPDX-License-Identifier: ISC */
/* One key after the other: a line that names it, then a line for each thing to know about it. A line with "!" is a flaw. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit.h"
#include "base/limits.h"
#include "base/text.h"
#include "certify.h"
#include "key/authorized_keys.h"
#include "key/cert.h"
#include "key/known_hosts.h"

enum { RSA_BITS_FINE = 2048, RSA_BITS_LASTING = 3072, DAY_S = 86400 };

/* A key while its lines are gathered. */
struct entry {
    const char *path;
    size_t line;                        /* 0: the whole file */
    const char *kind;
    const struct stat *st;
    const struct pubkey *key;           /* NULL: not known, as for an encrypted file without a clear half */
    const char *type;                   /* instead of it */
    struct bytes comment;
    struct wr notes;
    bool flawed;
};

static void note(struct entry *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void flaw(struct entry *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

PRINTF_LIKE(3, 0) static void add(struct entry *e, const char *mark, const char *fmt, va_list ap)
{
    char text[4096];
    vsnprintf(text, sizeof text, fmt, ap);
    wr_text(&e->notes, mark);
    escape_write(&e->notes, bytes_str(text), "");
    wr_u8(&e->notes, '\n');
}

static void note(struct entry *e, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(e, "    ", fmt, ap);
    va_end(ap);
}

static void flaw(struct entry *e, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(e, "  ! ", fmt, ap);
    va_end(ap);
    e->flawed = true;
}

/* ---- what is true of any key ---- */

static void judge_key(const struct audit *a, struct entry *e)
{
    const char *type = e->key ? pubkey_type(pubkey_plain(e->key)) : "", *weak = e->key ? audit_weakness(a, e->key) : NULL;
    size_t bits = strcmp(type, "ssh-rsa") == 0 ? pubkey_bits(e->key) : RSA_BITS_LASTING;
    if (bits < RSA_BITS_FINE) flaw(e, "RSA of fewer than %d bits", RSA_BITS_FINE);
    else if (bits < RSA_BITS_LASTING) note(e, "RSA of fewer than %d bits: not for long", RSA_BITS_LASTING);
    if (weak) flaw(e, "%s", weak);
}

static void judge_age(const struct audit *a, struct entry *e)
{
    uint64_t made = e->st->st_mtime > 0 ? (uint64_t)e->st->st_mtime : 0, age = a->now_s > made ? a->now_s - made : 0;
    if (a->age_s_max && age > a->age_s_max) flaw(e, "not changed for %llu days", (unsigned long long)(age / DAY_S));
}

static void judge_revoked(const struct audit *a, struct entry *e)
{
    for (size_t i = 0; e->key && i < a->krls_n; i++)
        if (krl_check(a->krls[i].krl, e->key) != VERDICT_GOOD) flaw(e, "revoked by %s", a->krls[i].path);
}

/* The certificates of this key, where it is not one itself. */
static void tell_certs(const struct audit *a, struct entry *e)
{
    for (size_t i = 0; e->key && !pubkey_cert(e->key) && i < a->certs_n; i++) {
        const struct pubkey *k = a->certs[i].key;
        if (!bytes_equal(pubkey_blob(pubkey_plain(k)), pubkey_blob(e->key))) continue;
        const struct cert *c = pubkey_cert(k);
        bool over = a->now_s >= c->valid_before;
        note(e, "certificate %s: \"%.*s\" serial %llu%s", a->certs[i].path, (int)c->key_id.n, (const char *)c->key_id.p, (unsigned long long)c->serial,
             over ? ", expired" : a->now_s < c->valid_after ? ", not valid yet" : "");
    }
}

static void judge_cert(const struct audit *a, struct entry *e)
{
    const struct cert *c = e->key ? pubkey_cert(e->key) : NULL;
    char time[64];
    if (!c) return;
    struct wr ca CLEANUP(wr_clear) = wr_heap(200);
    pubkey_fingerprint_write(&ca, c->ca, a->o->hash);
    need_written(&ca);
    note(e, "%s certificate \"%.*s\" serial %llu, by %.*s", c->kind == CERT_HOST ? "host" : "user", (int)c->key_id.n, (const char *)c->key_id.p,
         (unsigned long long)c->serial, (int)ca.n, (const char *)ca.p);
    if (c->valid_before == CERT_FOREVER) flaw(e, "never expires");
    else if (a->now_s >= c->valid_before) flaw(e, "expired %s", time_text(c->valid_before, time));
    else note(e, "expires %s", time_text(c->valid_before, time));
    if (a->now_s < c->valid_after) note(e, "valid from %s", time_text(c->valid_after, time));
    if (c->principals_n == 0) flaw(e, "names no principal: nobody accepts it");
    if (strcmp(c->ca_alg, "ssh-rsa") == 0) flaw(e, "signed with SHA-1");
    if (strcmp(pubkey_type(c->ca), "ssh-rsa") == 0 && pubkey_bits(c->ca) < RSA_BITS_FINE) flaw(e, "its CA is RSA of fewer than %d bits", RSA_BITS_FINE);
}

static void show_entry(struct audit *a, struct entry *e)
{
    struct wr print CLEANUP(wr_clear) = wr_heap(300), head CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    char date[64];
    judge_key(a, e), judge_cert(a, e), judge_age(a, e), judge_revoked(a, e), tell_certs(a, e);
    a->shown++;
    a->flawed += e->flawed;
    if (a->o->quiet && !e->flawed) return;
    wr_textf(&head, "%s", e->path);
    if (e->line) wr_textf(&head, ":%zu", e->line);
    wr_textf(&head, ": %s, ", e->kind);
    if (e->key) show_fingerprint(a->o, e->key, &print);
    if (e->key) wr_textf(&head, "%zu bits %s %.*s", pubkey_bits(e->key), pubkey_short_name(e->key), (int)print.n, (const char *)print.p);
    else wr_text(&head, e->type);
    wr_textf(&head, ", of %.10s", time_text(e->st->st_mtime > 0 ? (uint64_t)e->st->st_mtime : 0, date));
    if (e->comment.n) wr_u8(&head, ' '), wr_raw(&head, e->comment);
    if (wr_done(&head) != ERR_NONE || wr_done(&e->notes) != ERR_NONE) fatal("memory allocation failed");
    text_print(wr_bytes(&head));
    printf("\n%.*s", (int)e->notes.n, (const char *)e->notes.p);
}

/* ---- private keys ---- */

/* OpenSSH's old form, and openssl's: the passphrase becomes a key by one MD5. */
static bool guessed_fast(struct bytes text)
{
    return privkey_file_format(text) == PRIVKEY_PEM;
}

static bool is_host_key(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strncmp(slash ? slash + 1 : path, "ssh_host_", 9) == 0;
}

static bool on_token(const struct pubkey *k)
{
    return k && strncmp(pubkey_type(k), "sk-", 3) == 0;
}

/* The key of an encrypted file without a clear half, from FILE.pub. */
static enum err beside_load(struct audit *a, const char *path, struct pubkey **out, struct wr *comment)
{
    char name[PATH_MAX + 4];
    struct secret text CLEANUP(secret_clear) = {0};
    snprintf(name, sizeof name, "%s.pub", path);
    enum err e = file_read(name, KEY_FILE_MAX, false, &text, NULL);
    if (e == ERR_NOMEM || (e == ERR_SYSTEM && errno != ENOENT)) audit_unreadable(a, name, e);
    if (e == ERR_NONE) e = pubkey_file_parse(secret_bytes(&text), out, comment);
    need_sound(e, name);
    return e;
}

static void private_key(struct audit *a, const char *path, struct bytes text, const struct stat *st)
{
    struct wr comment CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX), other_comment CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    struct privkey *priv CLEANUP(privkey_drop) = NULL;
    struct pubkey *pub CLEANUP(pubkey_drop) = NULL, *beside CLEANUP(pubkey_drop) = NULL;
    struct entry e = {.path = path, .kind = "private key", .st = st, .notes = wr_heap(KEY_FILE_MAX), .type = "its type unknown until it is opened"};
    bool encrypted = privkey_file_encrypted(text);
    enum err err = privkey_file_parse(text, (struct bytes){0}, &priv, &comment);
    need_sound(err, path);
    if (err == ERR_NONE) {
        e.key = privkey_public(priv);
    } else {
        enum err clear = privkey_file_public(text, &pub);
        need_sound(clear, path);
        if (clear == ERR_NONE) e.key = pub;
    }
    if (beside_load(a, path, &beside, &other_comment) == ERR_NONE) {
        if (e.key && !bytes_equal(pubkey_blob(pubkey_plain(beside)), pubkey_blob(e.key))) flaw(&e, "%s.pub is another key", path);
        if (!e.key) e.key = beside;
    }
    need_written(&comment);
    need_written(&other_comment);
    e.comment = comment.n ? wr_bytes(&comment) : wr_bytes(&other_comment);
    if (err != ERR_NONE && err != ERR_PASSPHRASE) flaw(&e, "cannot be used: %s", reason(err));
    else if (!encrypted && !is_host_key(path) && !on_token(e.key)) flaw(&e, "no passphrase");
    if (encrypted && guessed_fast(text)) flaw(&e, "its passphrase is quickly guessed: old form, one round of MD5 (change it with -p)");
    if (st->st_mode & 077) flaw(&e, "others may %s it (mode %04o)", st->st_mode & 022 ? "write" : "read", (unsigned)st->st_mode & 07777);
    show_entry(a, &e);
    wr_clear(&e.notes);
}

/* ---- lines ---- */

static void judge_line_options(const struct audit *a, struct entry *e, struct bytes options, bool sure)
{
    struct key_options *o = malloc(sizeof *o);
    const char *why = NULL;
    char time[64];
    if (!o) fatal("memory allocation failed");
    if (key_options_parse(options, o, &why) != ERR_NONE) {
        if (sure) flaw(e, "sshd passes over this line: %s", why);
    } else {
        if (o->expiry_utc || o->expiry_local) {
            bool over = key_options_expired(o, (int64_t)a->now_s, a->utc_offset);
            uint64_t at = (uint64_t)(o->expiry_utc ? o->expiry_utc : o->expiry_local - a->utc_offset);
            if (over) flaw(e, "expired %s", time_text(at, time));
            else note(e, "expires %s", time_text(at, time));
        }
        if (o->cert_authority) e->kind = "certificate authority";
        if (o->has_command) note(e, "for one command only");
        if (o->has_from) note(e, "from certain addresses only");
        if (o->restricted) note(e, "restricted");
    }
    free(o);
}

static bool name_has(const char *path, const char *part)
{
    const char *slash = strrchr(path, '/');
    return strstr(slash ? slash + 1 : path, part) != NULL;
}

/* A line of authorized_keys or of a .pub file; lines of known_hosts and allowed_signers begin with what is no option there. */
static bool key_line(struct audit *a, const char *path, size_t number, struct bytes line, const struct stat *st)
{
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    struct authorized_line l;
    struct pubkey_line view;
    bool authorized = name_has(path, "authorized_keys");
    struct entry e = {.path = path, .line = number, .kind = authorized ? "authorized key" : "public key", .st = st};
    if (authorized_line_parse(line, &l) != ERR_NONE) return false;
    struct bytes bare = bytes_of(l.type.p, line.n - (size_t)(l.type.p - line.p));
    bool dsa = bytes_is(l.type, "ssh-dss");
    enum err err = pubkey_line_parse_any(bare, &view, &k);
    need_sound(err, path);
    if (err == ERR_FORMAT || (err == ERR_KEY_TYPE && !dsa)) return false;
    if (l.options.n && !authorized) {
        struct key_options *o = malloc(sizeof *o);
        const char *why;
        if (!o) fatal("memory allocation failed");
        bool fits = key_options_parse(l.options, o, &why) == ERR_NONE;
        free(o);
        if (!fits) return false;
        e.kind = "authorized key";
    }
    e.notes = wr_heap(KEY_FILE_MAX);
    e.key = k, e.comment = l.comment;
    e.type = dsa ? "DSA" : err == ERR_KEY_TOO_SMALL ? "RSA" : "unusable";
    if (k && pubkey_cert(k)) e.kind = "certificate";
    if (l.options.n) judge_line_options(a, &e, l.options, authorized);
    if (!k) flaw(&e, "%s", dsa ? "DSA: nobody accepts it any more" : reason(err));
    if (authorized && st->st_mode & 022) flaw(&e, "others may write the file (mode %04o)", (unsigned)st->st_mode & 07777);
    show_entry(a, &e);
    wr_clear(&e.notes);
    return true;
}

/* ---- known_hosts ---- */

static void known_flaws(struct entry *e, const struct known_line *l, enum err err, const struct stat *st)
{
    static const char *const kinds[] = {[KNOWN_PLAIN] = "known host", [KNOWN_CA] = "hosts' authority", [KNOWN_REVOKED] = "revoked host key"};
    bool dsa = bytes_is(l->type, "ssh-dss");
    e->kind = kinds[l->marker];
    e->comment = l->hashed ? bytes_str("(a hashed name)") : l->hosts;
    e->type = dsa ? "DSA" : err == ERR_KEY_TOO_SMALL ? "RSA" : "unusable";
    if (err) flaw(e, "ssh passes over this line: %s", dsa ? "DSA" : reason(err));
    if (l->marker == KNOWN_CA && bytes_is(l->hosts, "*")) note(e, "for every host");
    if (st->st_mode & 022) flaw(e, "others may write the file (mode %04o)", (unsigned)st->st_mode & 07777);
}

/* A line of known_hosts, where the file's name says that it is one. */
static bool known_line(struct audit *a, const char *path, size_t number, struct bytes line, const struct stat *st)
{
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    struct entry e = {.path = path, .line = number, .st = st, .kind = "known host", .type = "unusable"};
    struct known_line l = {0};
    enum err err = known_line_parse(line, &l);
    if (err == ERR_NOT_FOUND) return false;
    e.notes = wr_heap(KEY_FILE_MAX);
    if (err == ERR_NONE) err = known_line_key(&l, &k);
    need_sound(err, path);
    e.key = k;
    known_flaws(&e, &l, err, st);
    show_entry(a, &e);
    wr_clear(&e.notes);
    return true;
}

static bool framed_public(struct audit *a, const char *path, struct bytes text, const struct stat *st)
{
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    struct wr comment CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    if (pubkey_file_format(text) == PUBKEY_LINE) return false;
    enum err err = pubkey_file_parse(text, &k, &comment);
    need_sound(err, path);
    if (err != ERR_NONE) return false;
    need_written(&comment);
    struct entry e = {.path = path, .kind = "public key", .st = st, .key = k, .comment = wr_bytes(&comment), .notes = wr_heap(KEY_FILE_MAX)};
    show_entry(a, &e);
    wr_clear(&e.notes);
    return true;
}

static bool old_private(struct audit *a, const char *path, struct bytes text, const struct stat *st)
{
    if (!bytes_starts(text, "-----BEGIN DSA PRIVATE KEY-----")) return false;
    struct entry e = {.path = path, .kind = "private key", .st = st, .type = "DSA", .notes = wr_heap(KEY_FILE_MAX)};
    flaw(&e, "DSA: nobody accepts it any more");
    show_entry(a, &e);
    wr_clear(&e.notes);
    return true;
}

bool audit_file(struct audit *a, const char *path, struct bytes text, const struct stat *st)
{
    struct line_walk walk = {.rest = text};
    struct bytes line;
    bool any = false;
    if (privkey_file_is(text)) {
        private_key(a, path, text, st);
        return true;
    }
    if (old_private(a, path, text, st) || framed_public(a, path, text, st)) return true;
    bool hosts = name_has(path, "known_hosts");
    while (line_next(&walk, &line)) any |= (hosts ? known_line : key_line)(a, path, walk.number, line, st);
    return any;
}
