/* SPDX-License-Identifier: ISC */
/* Lines of allowed_signers files: principals, options, a key. */
#include "base/text.h"
#include "key/sshsig.h"
#include "line.h"

#define BAD "bad options: "

void signer_clear(struct signer *s)
{
    pubkey_drop(&s->key);
    wr_clear(&s->text);
}

/* ---- times ---- */

enum err signer_time_parse(struct bytes text, wall_to_utc *zone, uint64_t *out)
{
    static const char *const ends[] = {"Z", "UTC"};
    bool utc = false, ignored;
    int64_t wall;
    for (size_t i = 0; i < COUNT_OF(ends) && !utc; i++) {
        size_t n = strlen(ends[i]);
        utc = text.n > n && text_equal_fold(bytes_of(text.p + text.n - n, n), bytes_str(ends[i]));
        if (utc) text.n -= n;
    }
    if (text.n == 0 || text.p[text.n - 1] < '0' || text.p[text.n - 1] > '9') return ERR_FORMAT;
    TRY(key_time_parse(text, &ignored, &wall));
    uint64_t at = utc ? (uint64_t)wall : zone(wall);
    if (at == 0) return ERR_FORMAT;
    *out = at;
    return ERR_NONE;
}

/* ---- options ---- */

struct option {
    struct signer *s;
    wall_to_utc *zone;
    struct bytes value;         /* unquoted, in s->text */
    bool seen[8];               /* by row */
    const char *why;
};

static enum err refuse(struct option *p, const char *why)
{
    p->why = why;
    return ERR_FORMAT;
}

static enum err set_namespaces(struct option *p)
{
    p->s->has_namespaces = true;
    p->s->namespaces = p->value;
    return ERR_NONE;
}

static enum err set_after(struct option *p)
{
    if (signer_time_parse(p->value, p->zone, &p->s->valid_after) != ERR_NONE) return refuse(p, BAD "invalid \"valid-after\" time");
    return ERR_NONE;
}

static enum err set_before(struct option *p)
{
    if (signer_time_parse(p->value, p->zone, &p->s->valid_before) != ERR_NONE) return refuse(p, BAD "invalid \"valid-before\" time");
    return ERR_NONE;
}

static enum err set_ca(struct option *p)
{
    p->s->cert_authority = true;
    return ERR_NONE;
}

static const struct row {
    const char *name, *twice;   /* twice: what to say of the second one; NULL: a flag, which has no value */
    enum err (*set)(struct option *p);
} rows[] = {{"cert-authority", NULL, set_ca},
            {"namespaces", BAD "multiple \"namespaces\" clauses", set_namespaces},
            {"valid-after", BAD "multiple \"valid-after\" clauses", set_after},
            {"valid-before", BAD "multiple \"valid-before\" clauses", set_before}};

static const struct row *row_find(struct bytes name, bool has_value)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if ((rows[i].twice != NULL) == has_value && text_equal_fold(name, bytes_str(rows[i].name))) return &rows[i];
    return NULL;
}

/* "value" at the beginning of *text, \" made "; s->text has room for all of a line, so that earlier views stay where they are. */
static enum err value_take(struct option *p, struct bytes *text)
{
    size_t i = 1, from = p->s->text.n;
    if (text->n == 0 || text->p[0] != '"') return refuse(p, BAD "missing start quote");
    for (; i < text->n && text->p[i] != '"'; i++) {
        if (text->p[i] == '\\' && i + 1 < text->n && text->p[i + 1] == '"') i++;
        wr_u8(&p->s->text, text->p[i]);
    }
    if (i >= text->n) return refuse(p, BAD "missing end quote");
    *text = bytes_of(text->p + i + 1, text->n - i - 1);
    p->value = bytes_of(p->s->text.p + from, p->s->text.n - from);
    return wr_done(&p->s->text);
}

static enum err option_take(struct option *p, struct bytes *text)
{
    size_t n = 0;
    while (n < text->n && text->p[n] != '=' && text->p[n] != ',' && text->p[n] != '"') n++;
    bool has_value = n < text->n && text->p[n] == '=';
    const struct row *row = row_find(bytes_of(text->p, n), has_value);
    if (!row) return refuse(p, BAD "unknown key option");
    bool *seen = &p->seen[row - rows];
    if (*seen && row->twice) return refuse(p, row->twice);
    *seen = true;
    n += has_value;
    *text = bytes_of(text->p + n, text->n - n);
    if (has_value) TRY(value_take(p, text));
    return row->set(p);
}

static enum err options_take(struct option *p, struct bytes text)
{
    while (text.n) {
        TRY(option_take(p, &text));
        if (text.n == 0) break;
        if (text.p[0] != ',') return refuse(p, BAD "unknown key option");
        text.p++, text.n--;
        if (text.n == 0) return refuse(p, BAD "unexpected end-of-options");
    }
    if (p->s->valid_after && p->s->valid_before && p->s->valid_before <= p->s->valid_after)
        return refuse(p, BAD "\"valid-before\" time is before \"valid-after\"");
    return ERR_NONE;
}

/* ---- the line ---- */

/* The first word, or what stands in quotes. */
static bool principals_take(struct bytes *rest, struct bytes *out)
{
    const uint8_t *end = rest->p[0] == '"' ? memchr(rest->p + 1, '"', rest->n - 1) : NULL;
    if (end) {
        *out = bytes_of(rest->p + 1, (size_t)(end - rest->p) - 1);
        *rest = line_skip(bytes_of(end + 1, rest->n - out->n - 2));
        return true;
    }
    *out = line_word(rest);
    *rest = line_skip(*rest);
    return !memchr(out->p, '"', out->n);
}

/* The end of the options: the first blank outside quotes. False: a quote stays open. */
static bool options_cut(struct bytes *rest, struct bytes *out)
{
    bool quoted = false;
    size_t n = 0;
    for (; n < rest->n && (quoted || (rest->p[n] != ' ' && rest->p[n] != '\t')); n++) {
        if (rest->p[n] == '\\' && n + 1 < rest->n && rest->p[n + 1] == '"') n++;
        else if (rest->p[n] == '"') quoted = !quoted;
    }
    if (n > rest->n) n = rest->n;
    *out = bytes_of(rest->p, n);
    *rest = line_skip(bytes_of(rest->p + n, rest->n - n));
    return !quoted;
}

static enum err why_not(const char **why, const char *text)
{
    *why = text;
    return ERR_FORMAT;
}

static enum err fill(struct signer *s, struct bytes rest, wall_to_utc *zone, const char **why)
{
    struct option p = {.s = s, .zone = zone, .why = BAD "memory allocation failed"};
    struct pubkey_line view;
    struct bytes options = {0};
    enum err e = pubkey_line_parse_any(rest, &view, &s->key);
    if (e == ERR_NOMEM) return e;
    if (e != ERR_NONE) {
        if (!options_cut(&rest, &options)) return why_not(why, "invalid options");
        if (rest.n == 0) return why_not(why, "missing key");
        e = pubkey_line_parse_any(rest, &view, &s->key);
        if (e == ERR_NOMEM) return e;
        if (e != ERR_NONE) return why_not(why, "invalid key");
    }
    e = options_take(&p, options);
    if (e != ERR_NONE) *why = p.why;
    return e;
}

enum err signer_parse(struct bytes line, struct bytes only, wall_to_utc *zone, struct signer *out, const char **why)
{
    struct signer s CLEANUP(signer_clear) = {.text = wr_heap(SIGNER_LINE_MAX)};
    struct bytes rest;
    *why = "invalid line";
    TRY(line_begin(line, SIGNER_LINE_MAX, &rest));
    if (!principals_take(&rest, &s.principals)) return ERR_FORMAT;
    if (only.n && pattern_list_match(only, s.principals, false) != MATCH_YES) return ERR_NOT_FOUND;
    if (rest.n == 0) return why_not(why, "missing key");
    if (!wr_room(&s.text, rest.n)) return ERR_NOMEM;
    s.text.n = 0;
    TRY(fill(&s, rest, zone, why));
    *out = s;
    s = (struct signer){0};
    return ERR_NONE;
}

/* ---- what it says ---- */

enum signer_hit signer_match(const struct signer *s, const struct pubkey *key)
{
    const struct cert *c = pubkey_cert(key);
    if (!s->cert_authority) return bytes_equal(pubkey_blob(s->key), pubkey_blob(key)) ? SIGNER_KEY : SIGNER_OTHER_KEY;
    if (c && bytes_equal(pubkey_blob(pubkey_plain(s->key)), pubkey_blob(c->ca))) return SIGNER_CA;
    return SIGNER_OTHER_KEY;
}

bool signer_has_namespace(const struct signer *s, struct bytes name_space)
{
    return !s->has_namespaces || pattern_list_match(name_space, s->namespaces, false) == MATCH_YES;
}
