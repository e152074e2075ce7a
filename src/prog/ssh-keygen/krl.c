/* SPDX-License-Identifier: ISC */
/* Key revocation lists: making (-k, -u) and asking (-Q). */
#include "key/krl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "base/limits.h"
#include "base/text.h"
#include "key/known_hosts.h"
#include "keygen.h"

/* One specification while it is read. */
struct spec {
    struct krl *krl;
    const struct pubkey *ca;            /* NULL: any, or none was named */
    bool ca_named;
    const char *shown, *path;
    size_t line;
};

static const char *krl_reason(enum err e)
{
    return e == ERR_VERSION ? "KRL file has invalid magic number" : reason(e);
}

static struct krl *krl_load(const char *path)
{
    struct secret text CLEANUP(secret_clear) = {0};
    struct krl *k = NULL;
    enum err e = file_read(path, KRL_FILE_MAX, false, &text, NULL);
    if (e != ERR_NONE) fatal("Unable to load KRL %s: %s", path, reason(e));
    e = krl_parse(secret_bytes(&text), &k);
    if (e != ERR_NONE) fatal("Invalid KRL file %s: %s", path, krl_reason(e));
    return k;
}

/* ---- the lines of a specification ---- */

/* A number in decimal, 0x hexadecimal or 0 octal at the beginning of *text, which moves behind it. */
static enum err number_take(struct bytes *text, uint64_t *out)
{
    uint64_t v = 0;
    size_t i = 0, digits = 0;
    unsigned base = 10;
    while (text->n && (text->p[0] == ' ' || text->p[0] == '\t')) text->p++, text->n--;
    if (text->n > 2 && text->p[0] == '0' && (text->p[1] | 0x20) == 'x') base = 16, i = 2;
    else if (text->n && text->p[0] == '0') base = 8;
    for (; i < text->n; i++, digits++) {
        int c = ascii_lower((char)text->p[i]);
        unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 99;
        if (digit >= base) break;
        if (v > (UINT64_MAX - digit) / base) return ERR_RANGE;
        v = v * base + digit;
    }
    if (digits == 0) return ERR_FORMAT;
    *text = bytes_of(text->p + i, text->n - i);
    *out = v;
    return ERR_NONE;
}

static NORETURN void serial_bad(const struct spec *s, struct bytes text, enum err e)
{
    if (e == ERR_RANGE) fatal("%s:%zu: serial out of range", s->shown, s->line);
    fatal("%s:%zu: invalid serial \"%.*s\"", s->shown, s->line, (int)(text.n < 1024 ? text.n : 1024), (const char *)text.p);
}

static void need_ca(const struct spec *s, const char *by)
{
    if (!s->ca && !s->ca_named) fatal("revoking certificates by %s requires specification of a CA key", by);
}

static void take_serial(struct spec *s, struct bytes text)
{
    struct bytes rest = text;
    uint64_t lo, hi;
    need_ca(s, "serial number");
    enum err e = number_take(&rest, &lo);
    if (e != ERR_NONE || (rest.n && rest.p[0] != '-')) serial_bad(s, text, e);
    hi = lo;
    if (rest.n) {
        rest.p++, rest.n--;
        text = rest;
        e = number_take(&rest, &hi);
        if (e != ERR_NONE || rest.n) serial_bad(s, text, e);
        if (hi <= lo) fatal("%s:%zu: invalid serial range %llu:%llu", s->shown, s->line, (unsigned long long)lo, (unsigned long long)hi);
    }
    if (lo == 0) fatal("%s:%zu: serial 0 stands for no number and cannot be revoked", s->shown, s->line);
    e = krl_revoke_serials(s->krl, s->ca, lo, hi);
    if (e != ERR_NONE) fatal("revoke serial failed: %s", reason(e));
}

static void take_id(struct spec *s, struct bytes text)
{
    need_ca(s, "key ID");
    enum err e = krl_revoke_key_id(s->krl, s->ca, text);
    if (e != ERR_NONE) fatal("revoke key ID failed: %s", reason(e));
}

/* "SHA256:" and base64 without its padding, or the hexadecimal that -Q -l shows. */
static void take_hash(struct spec *s, struct bytes text)
{
    struct wr digest CLEANUP(wr_clear) = wr_heap(256), padded CLEANUP(wr_clear) = wr_heap(256);
    struct bytes value = {0};
    if (!bytes_starts(text, "SHA256:")) fatal("%s:%zu: unsupported hash algorithm", s->path, s->line);
    value = bytes_of(text.p + 7, text.n - 7);
    wr_raw(&padded, value);
    for (size_t i = value.n; i % 4; i++) wr_u8(&padded, '=');
    enum err e = wr_done(&padded);
    if (e == ERR_NONE && value.n == 2 * hash_sha256.len) e = hex_parse(value, &digest);
    else if (e == ERR_NONE) e = base64_parse(wr_bytes(&padded), &digest);
    if (e != ERR_NONE) fatal("%s:%zu: decode hash failed: %s", s->path, s->line, reason(ERR_FORMAT));
    e = krl_revoke_hash(s->krl, KRL_SHA256, wr_bytes(&digest));
    if (e != ERR_NONE) fatal("revoke key failed: %s", reason(e));
}

static struct pubkey *key_of(const struct spec *s, struct bytes text)
{
    struct pubkey *key = NULL;
    struct pubkey_line view;
    enum err e = pubkey_line_parse_any(text, &view, &key);
    if (e != ERR_NONE) fatal("%s:%zu: invalid key: %s", s->shown, s->line, reason(e == ERR_KEY_TYPE ? ERR_FORMAT : e));
    return key;
}

static void revoked_or_stop(enum err e)
{
    if (e != ERR_NONE) fatal("revoke key failed: %s", reason(e));
}

static void take_key(struct spec *s, struct bytes text)
{
    struct pubkey *key CLEANUP(pubkey_drop) = key_of(s, text);
    revoked_or_stop(krl_revoke_key(s->krl, key));
}

static void take_digest(struct spec *s, struct bytes text, enum krl_hash which, const struct hash_alg *hash)
{
    struct pubkey *key CLEANUP(pubkey_drop) = key_of(s, text);
    uint8_t digest[HASH_MAX];
    enum err e = hash_digest(hash, pubkey_blob(pubkey_plain(key)), digest);
    revoked_or_stop(e == ERR_NONE ? krl_revoke_hash(s->krl, which, bytes_of(digest, hash->len)) : e);
}

static void take_sha1(struct spec *s, struct bytes text)
{
    take_digest(s, text, KRL_SHA1, &hash_sha1);
}

static void take_sha256(struct spec *s, struct bytes text)
{
    take_digest(s, text, KRL_SHA256, &hash_sha256);
}

static const struct {
    const char *word;
    void (*take)(struct spec *s, struct bytes text);
} rows[] = {{"serial:", take_serial}, {"id:", take_id}, {"hash:", take_hash}, {"key:", take_key}, {"sha1:", take_sha1}, {"sha256:", take_sha256}};

static void take_line(struct spec *s, struct bytes line)
{
    const uint8_t *hash = line.n ? memchr(line.p, '#', line.n) : NULL;
    if (hash) line.n = (size_t)(hash - line.p);
    while (line.n && (line.p[0] == ' ' || line.p[0] == '\t')) line.p++, line.n--;
    while (line.n && memchr(" \t\r", line.p[line.n - 1], 3)) line.n--;
    if (line.n == 0) return;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t n = strlen(rows[i].word);
        if (line.n < n || !text_equal_fold(bytes_of(line.p, n), bytes_str(rows[i].word))) continue;
        for (line.p += n, line.n -= n; line.n && (line.p[0] == ' ' || line.p[0] == '\t'); line.n--) line.p++;
        rows[i].take(s, line);
        return;
    }
    struct pubkey *key CLEANUP(pubkey_drop) = key_of(s, line); /* no word: a certificate by its number, a key as it is */
    revoked_or_stop(krl_revoke_cert(s->krl, key));
}

static void take_spec(const struct options *o, struct spec *s, const char *name)
{
    char path[PATH_MAX];
    struct secret text CLEANUP(secret_clear) = {0};
    struct line_walk walk = {0};
    struct bytes line;
    path_expand(o, name, path);
    s->path = path;
    s->shown = strcmp(name, "-") == 0 ? "(standard input)" : path;
    enum err e = file_read(path, KRL_FILE_MAX, true, &text, NULL);
    if (e != ERR_NONE) fatal("fopen %s: %s", s->shown, reason(e));
    if (!o->quiet) printf("Revoking from %s\n", s->shown);
    for (walk.rest = secret_bytes(&text); line_next(&walk, &line);) {
        s->line = walk.number;
        take_line(s, line);
    }
}

/* ---- -k ---- */

static struct krl *krl_begin(const struct options *o)
{
    struct stat st;
    uint64_t version = 0;
    const char *number = o->serial && o->serial[0] == '+' ? o->serial + 1 : o->serial;
    if (number && text_to_u64(bytes_str(number), UINT64_MAX, &version) != ERR_NONE) fatal("Invalid serial number \"%s\"", number);
    if (stat(o->file, &st) != 0) {
        if (errno != ENOENT) fatal("Cannot access KRL \"%s\": %s", o->file, strerror(errno));
        if (o->krl_update) fatal("KRL \"%s\" does not exist", o->file);
    }
    struct krl *k = o->krl_update ? krl_load(o->file) : krl_new();
    if (!k) fatal("memory allocation failed");
    if (version) krl_set_version(k, version);
    if (o->comment && krl_set_comment(k, bytes_str(o->comment)) != ERR_NONE) fatal("memory allocation failed");
    return k;
}

static struct pubkey *ca_load(const struct options *o)
{
    char path[PATH_MAX];
    struct pubkey *ca = NULL;
    struct wr comment CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    if (!o->ca_key || strcasecmp(o->ca_key, "none") == 0) return NULL;
    path_expand(o, o->ca_key, path);
    enum err e = public_load(path, &ca, &comment);
    if (e != ERR_NONE) fatal("Cannot load CA public key %s: %s", path, reason(e));
    return ca;
}

int job_krl_make(struct options *o)
{
    struct wr blob CLEANUP(wr_clear) = wr_heap(2 * (size_t)KRL_FILE_MAX);
    if (!o->have_file) fatal("KRL generation requires an output file");
    struct krl *k CLEANUP(krl_drop) = krl_begin(o);
    struct pubkey *ca CLEANUP(pubkey_drop) = ca_load(o);
    struct spec s = {.krl = k, .ca = ca, .ca_named = o->ca_key != NULL};
    for (int i = 0; i < o->rest_n; i++) take_spec(o, &s, o->rest[i]);
    enum err e = krl_write(k, (uint64_t)time(NULL), &blob);
    if (e != ERR_NONE) fatal("Couldn't generate KRL: %s", reason(e));
    if (blob.n > KRL_FILE_MAX) fatal("Couldn't generate KRL: it would have %zu bytes, more than can be read again", blob.n);
    e = output_save(o->file, wr_bytes(&blob), 0666);
    if (e != ERR_NONE) fatal("write %s: %s", o->file, reason(e));
    return 0;
}

/* ---- -Q ---- */

static void krl_show(struct krl *k)
{
    struct wr text CLEANUP(wr_clear) = wr_heap((size_t)1 << 32);
    struct krl_facts facts = krl_facts(k);
    char made[64] = "";
    struct tm tm;
    size_t unread = 0;
    time_t at = facts.made_s > INT64_MAX ? INT64_MAX : (time_t)facts.made_s;
    if (!localtime_r(&at, &tm) || strftime(made, sizeof made, "%Y%m%dT%H%M%S", &tm) == 0) snprintf(made, sizeof made, "UNKNOWN-TIME");
    printf("# KRL version %llu\n# Generated at %s\n", (unsigned long long)facts.version, made);
    if (facts.comment.n) {
        printf("# Comment: ");
        text_print(facts.comment);
        printf("\n");
    }
    printf("\n");
    enum err e = krl_spec_write(k, &unread, &text);
    if (e != ERR_NONE) fatal("%s", reason(e));
    for (size_t i = 0; i < unread; i++) say("parse KRL key: %s", reason(ERR_FORMAT));
    fwrite(text.p, 1, text.n, stdout);
}

static bool is_revoked(const struct krl *k, const char *path)
{
    struct pubkey *key CLEANUP(pubkey_drop) = NULL;
    struct wr comment CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    enum err e = public_load(path, &key, &comment);
    if (e != ERR_NONE) fatal("Cannot load public key %s: %s", path, reason(e));
    bool good = krl_check(k, key) == VERDICT_GOOD;
    printf("%s", path);
    if (comment.n) {
        printf(" (");
        text_print(wr_bytes(&comment));
        printf(")");
    }
    printf(": %s\n", good ? "ok" : "REVOKED");
    return !good;
}

int job_krl_query(struct options *o)
{
    int revoked = 0;
    if (!o->have_file) fatal("KRL checking requires an input file");
    struct krl *k CLEANUP(krl_drop) = krl_load(o->file);
    if (o->fingerprint) krl_show(k);
    for (int i = 0; i < o->rest_n; i++) revoked |= is_revoked(k, o->rest[i]);
    return revoked;
}
