/* SPDX-License-Identifier: ISC */
#include "key/known_hosts.h"

#include "base/limits.h"
#include "base/text.h"
#include "crypto/sign.h"
#include "line.h"

#define HASH_PREFIX "|1|"
#define HASH_LEN    20

/* ---- one line ---- */

static enum err marker_parse(struct bytes word, enum known_marker *out)
{
    static const struct {
        const char *name;
        enum known_marker marker;
    } rows[] = {{"@cert-authority", KNOWN_CA}, {"@revoked", KNOWN_REVOKED}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (bytes_is(word, rows[i].name)) {
            *out = rows[i].marker;
            return ERR_NONE;
        }
    return ERR_FORMAT;
}

/* Some word of a key type's shape: lines with types of later versions are lines all the same. */
static bool is_type_name(struct bytes b)
{
    bool dash = false;
    for (size_t i = 0; i < b.n; i++) {
        uint8_t c = b.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '@' || c == '.')) return false;
        dash |= c == '-' && i > 0;
    }
    return dash && b.n < 128;
}

enum err known_line_parse(struct bytes line, struct known_line *out)
{
    struct known_line l = {0};
    struct bytes rest;
    TRY(line_begin(line, KNOWN_LINE_MAX, &rest));
    struct bytes word = line_word(&rest);
    if (word.p[0] == '@') {
        TRY(marker_parse(word, &l.marker));
        word = line_word(&rest);
        if (bytes_starts(word, "@")) return ERR_FORMAT; /* one marker a line */
    }
    l.hosts = word;
    l.hashed = bytes_starts(word, "|");
    l.type = line_word(&rest);
    l.base64 = line_word(&rest);
    l.comment = line_skip(rest);
    if (l.base64.n == 0 || l.base64.p[0] == '#' || !is_type_name(l.type)) return ERR_FORMAT;
    *out = l;
    return ERR_NONE;
}

enum err known_line_key(const struct known_line *l, struct pubkey **out)
{
    return line_key(l->type, l->base64, out);
}

bool known_line_has_blob(const struct known_line *l, struct bytes blob)
{
    return line_has_blob(l->type, l->base64, blob);
}

/* ---- hosts ---- */

static enum err hash_host(struct bytes salt, struct bytes host, uint8_t out[HASH_LEN])
{
    uint8_t low[KNOWN_HOST_MAX];
    if (host.n > sizeof low) return ERR_TOO_LONG;
    for (size_t i = 0; i < host.n; i++) low[i] = (uint8_t)ascii_lower((char)host.p[i]);
    return hmac_sha1(salt, bytes_of(low, host.n), out);
}

/* One part of "|1|salt|hash": exactly 20 bytes. */
static bool hash_part(struct bytes text, uint8_t out[HASH_LEN])
{
    uint8_t room[HASH_LEN + 1];
    struct wr w = wr_span((struct span){room, sizeof room});
    if (base64_parse(text, &w) != ERR_NONE || w.n != HASH_LEN) return false;
    memcpy(out, room, HASH_LEN);
    return true;
}

static bool hashed_match(struct bytes hosts, struct bytes host)
{
    uint8_t salt[HASH_LEN], want[HASH_LEN], got[HASH_LEN];
    if (!bytes_starts(hosts, HASH_PREFIX)) return false;
    struct bytes rest = bytes_of(hosts.p + 3, hosts.n - 3);
    const uint8_t *bar = memchr(rest.p, '|', rest.n);
    if (!bar) return false;
    size_t n = (size_t)(bar - rest.p);
    if (!hash_part(bytes_of(rest.p, n), salt) || !hash_part(bytes_of(bar + 1, rest.n - n - 1), want)) return false;
    return hash_host(bytes_of(salt, HASH_LEN), host, got) == ERR_NONE && bytes_verify(want, got, HASH_LEN) == VERDICT_GOOD;
}

enum match known_line_match(const struct known_line *l, struct bytes host)
{
    if (host.n == 0 || host.n > KNOWN_HOST_MAX) return MATCH_NO;
    if (l->hashed) return hashed_match(l->hosts, host) ? MATCH_YES : MATCH_NO;
    return pattern_list_match(host, l->hosts, true);
}

static void write_lower(struct wr *w, struct bytes name)
{
    for (size_t i = 0; i < name.n; i++) wr_u8(w, (uint8_t)ascii_lower((char)name.p[i]));
}

void known_host_write(struct wr *w, struct bytes name, unsigned port)
{
    bool plain = port == 0 || port == 22;
    if (!plain) wr_u8(w, '[');
    write_lower(w, name);
    if (!plain) wr_textf(w, "]:%u", port);
}

enum err known_hash_write(struct wr *w, struct bytes host, const struct random *random)
{
    uint8_t salt[HASH_LEN], hash[HASH_LEN];
    TRY(random_fill(random, salt, sizeof salt));
    TRY(hash_host(bytes_of(salt, sizeof salt), host, hash));
    wr_text(w, HASH_PREFIX);
    base64_write(w, bytes_of(salt, sizeof salt));
    wr_u8(w, '|');
    base64_write(w, bytes_of(hash, sizeof hash));
    return wr_done(w);
}

static bool has_control(struct bytes b, bool blanks_too)
{
    for (size_t i = 0; i < b.n; i++)
        if ((b.p[i] < 0x20 && (blanks_too || b.p[i] != '\t')) || b.p[i] == 0x7f || (blanks_too && b.p[i] == ' ')) return true;
    return false;
}

enum err known_line_write(struct wr *w, enum known_marker marker, struct bytes hosts, const struct pubkey *key,
                          struct bytes comment)
{
    static const char *const markers[] = {[KNOWN_PLAIN] = "", [KNOWN_CA] = "@cert-authority ", [KNOWN_REVOKED] = "@revoked "};
    if (hosts.n == 0 || has_control(hosts, true) || has_control(comment, false)) return ERR_FORMAT;
    if (hosts.p[0] == '@' || hosts.p[0] == '#') return ERR_FORMAT;
    wr_text(w, markers[marker]);
    wr_raw(w, hosts);
    wr_u8(w, ' ');
    pubkey_line_write(w, key, comment);
    wr_u8(w, '\n');
    return wr_done(w);
}

/* ---- whole files ---- */

bool line_next(struct line_walk *w, struct bytes *out)
{
    if (w->rest.n == 0) return false;
    const uint8_t *nl = memchr(w->rest.p, '\n', w->rest.n);
    size_t n = nl ? (size_t)(nl - w->rest.p) : w->rest.n;
    *out = bytes_of(w->rest.p, n);
    n += nl != NULL;
    w->rest.p += n, w->rest.n -= n;
    w->number++;
    return true;
}

/* A key that cannot be one says nothing of its host; types unknown to us are left as they are. */
static enum err key_plausible(const struct known_line *l)
{
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    enum err e = known_line_key(l, &k);
    return e == ERR_KEY_TYPE ? ERR_NONE : e;
}

bool known_next(struct line_walk *w, const struct known_query *q, struct known_hit *out)
{
    struct known_hit h = {0};
    struct bytes line;
    if (!line_next(w, &line)) return false;
    h.text = line;
    h.number = w->number;
    h.err = known_line_parse(line, &h.line);
    if (h.err == ERR_NONE) {
        h.host = known_line_match(&h.line, q->host) == MATCH_YES;
        h.address = known_line_match(&h.line, q->address) == MATCH_YES;
        bool same = q->blob.n && known_line_has_blob(&h.line, q->blob);
        bool type = bytes_equal(h.line.type, key_blob_type(q->blob));
        h.key = same ? KNOWN_SAME_KEY : type ? KNOWN_SAME_TYPE : KNOWN_OTHER_TYPE;
        if ((h.host || h.address) && !same) h.err = key_plausible(&h.line);
        if (h.err != ERR_NONE) h = (struct known_hit){.number = h.number, .err = h.err, .text = line};
    }
    *out = h;
    return true;
}

static void add_ref(struct known_ref *refs, size_t room, size_t *n, unsigned file, const struct known_hit *h)
{
    if (*n < room)
        refs[*n] = (struct known_ref){
            .file = file, .line = h->number, .hosts = h->line.hosts, .type = h->line.type, .hashed = h->line.hashed};
    ++*n;
}

#define ADD(field) add_ref(out->field, COUNT_OF(out->field), &out->field##_n, file, &h)

void known_search(struct bytes text, unsigned file, const struct known_query *q, struct known_found *out)
{
    struct line_walk w = {.rest = text};
    struct known_hit h;
    while (known_next(&w, q, &h)) {
        bool mine = h.host || h.address, same = h.key == KNOWN_SAME_KEY;
        if (h.err != ERR_NONE) {
            out->bad_n += h.err != ERR_NOT_FOUND;
        } else if (h.line.marker == KNOWN_REVOKED) {
            if (mine && same) ADD(revoked);
        } else if (h.line.marker == KNOWN_CA) {
            out->ca_n += mine;
        } else {
            if (h.address && same) out->address_same = true;
            if (h.address && !same) out->address_other = true;
            if (h.host && same) ADD(same);
            else if (h.host && h.key == KNOWN_SAME_TYPE) ADD(changed);
            else if (h.host) ADD(other_type);
            else if (same) ADD(elsewhere);
        }
    }
}
