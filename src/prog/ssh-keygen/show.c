/* SPDX-License-Identifier: ISC */
/* Showing keys: -y and -l. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/text.h"
#include "key/cert.h"
#include "key/known_hosts.h"
#include "keygen.h"

#define NO_COMMENT BYTES_LIT("no comment")

int job_print_public(struct options *o)
{
    struct identity id CLEANUP(identity_drop) = {0};
    struct wr line CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    need_file(o, "Enter file in which the key is");
    need_existing(o);
    enum err e = identity_load(o, o->passphrase, "Enter passphrase: ", &id);
    if (e != ERR_NONE) fatal("Load key \"%s\": %s", o->file, reason(e));
    pubkey_line_write(&line, privkey_public(id.key), bytes_of(NULL, 0));
    need_written(&line);
    need_written(&id.comment);
    printf("%.*s", (int)line.n, (const char *)line.p);
    if (id.comment.n) {
        printf(" ");
        text_print(wr_bytes(&id.comment));
    }
    printf("\n");
    return 0;
}

/* ---- -l on a private key file ---- */

/* FILE.pub beside it: the comment of an encrypted key is only there. */
static struct pubkey *public_beside(const char *path, struct wr *comment)
{
    char name[PATH_MAX + 4];
    struct secret text CLEANUP(secret_clear) = {0};
    struct pubkey *k = NULL;
    struct line_walk walk = {0};
    struct bytes line;
    struct pubkey_line view;
    snprintf(name, sizeof name, "%s.pub", path);
    if (file_read(name, KEY_FILE_MAX, false, &text, NULL) != ERR_NONE) return NULL;
    walk.rest = secret_bytes(&text);
    while (!k && line_next(&walk, &line)) {
        enum err e = pubkey_line_parse_any(line, &view, &k);
        need_sound(e, name);
        if (e == ERR_NONE) wr_raw(comment, view.comment.n ? view.comment : bytes_str(name));
    }
    need_written(comment);
    return k;
}

/* The comment of a key that is not encrypted: that needs the private half, so the file must be private. */
static bool comment_inside(const char *path, struct privkey **priv, struct wr *comment)
{
    struct secret text CLEANUP(secret_clear) = {0};
    if (private_read(path, &text) != ERR_NONE) return false;
    enum privkey_format f = privkey_file_format(secret_bytes(&text));
    if (f != PRIVKEY_OPENSSH && f != PRIVKEY_PPK) return false;
    enum err e = privkey_file_parse(secret_bytes(&text), bytes_of(NULL, 0), priv, comment);
    need_sound(e, path);
    return e == ERR_NONE;
}

static int fingerprint_private(const struct options *o, struct bytes text)
{
    struct wr comment CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    struct privkey *priv CLEANUP(privkey_drop) = NULL;
    struct pubkey *pub CLEANUP(pubkey_drop) = public_beside(o->file, &comment);
    bool has_comment = comment.n > 0;
    if (!pub && privkey_file_public(text, &pub) != ERR_NONE) pub = NULL;
    if (!has_comment) has_comment = comment_inside(o->file, &priv, &comment);
    const struct pubkey *k = pub ? pub : priv ? privkey_public(priv) : NULL;
    if (!k) fatal("%s is not a key file.", o->file);
    print_fingerprint(o, k, has_comment ? wr_bytes(&comment) : NO_COMMENT);
    return 0;
}

/* ---- -l on lines ---- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* Skip options or host names, with quotes as in authorized_keys; they stand for a comment where there is none. */
static bool lead_skip(struct bytes *line, struct bytes *lead)
{
    bool quoted = false;
    size_t n = 0;
    for (; n < line->n && (quoted || !is_blank(line->p[n])); n++) {
        if (line->p[n] == '\\' && n + 1 < line->n && line->p[n + 1] == '"') n++;
        else if (line->p[n] == '"') quoted = !quoted;
    }
    if (n >= line->n) return false;
    *lead = bytes_of(line->p, n);
    *line = bytes_of(line->p + n, line->n - n);
    return true;
}

static bool fingerprint_line(const struct options *o, struct bytes line)
{
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    struct pubkey_line view = {0};
    struct bytes comment = NO_COMMENT, lead;
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    while (line.n && is_blank(line.p[0])) line.p++, line.n--;
    if (line.n == 0 || line.p[0] == '#') return false;
    enum err e = pubkey_line_parse_any(line, &view, &k);
    need_sound(e, o->file);
    if (e != ERR_NONE) {
        if (!lead_skip(&line, &lead)) return false;
        e = pubkey_line_parse_any(line, &view, &k);
        need_sound(e, o->file);
        if (e != ERR_NONE) return false;
        comment = lead;
    }
    if (view.comment.n && view.comment.p[0] != '#') comment = view.comment;
    print_fingerprint(o, k, comment);
    return true;
}

/* A public key in a frame of its own (RFC 4716, PEM). */
static bool fingerprint_framed(const struct options *o, struct bytes text)
{
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    struct wr comment CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    if (pubkey_file_format(text) == PUBKEY_LINE) return false;
    enum err e = pubkey_file_parse(text, &k, &comment);
    need_sound(e, o->file);
    if (e != ERR_NONE) return false;
    need_written(&comment);
    print_fingerprint(o, k, comment.n ? wr_bytes(&comment) : NO_COMMENT);
    return true;
}

static bool is_private_text(struct bytes text)
{
    struct line_walk walk = {.rest = text};
    struct bytes first;
    return privkey_file_is(text) || (line_next(&walk, &first) && first.n && memmem(first.p, first.n, "PRIVATE KEY", 11));
}

int job_fingerprint(struct options *o)
{
    struct secret text CLEANUP(secret_clear) = {0};
    struct line_walk walk = {0};
    struct bytes line;
    bool any = false;
    const char *shown = keys_read(o, &text);
    if (is_private_text(secret_bytes(&text))) return fingerprint_private(o, secret_bytes(&text));
    if (fingerprint_framed(o, secret_bytes(&text))) return 0;
    walk.rest = secret_bytes(&text);
    while (line_next(&walk, &line)) any |= fingerprint_line(o, line);
    if (!any) fatal("%s is not a public key file.", shown);
    return 0;
}
