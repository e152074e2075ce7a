/* SPDX-License-Identifier: ISC */
#include "conf/destination.h"

#include "base/text.h"

/* What a shell would act on; such names never reach a %-expansion (CVE-2023-51385, CVE-2025-61984, CVE-2026-35386). */
static const char shell_chars[] = "'`\"$\\;&<>|(){},";

static bool plain_text(const char *s, const char *refused)
{
    for (const uint8_t *p = (const uint8_t *)s; *p; p++)
        if (*p < 0x20 || *p == 0x7f || strchr(refused, *p)) return false;
    return true;
}

bool user_valid(const char *user)
{
    if (user[0] == '-' || !plain_text(user, "'`\";&<>|(){}")) return false;
    for (const char *p = user; *p; p++) {
        /* DOMAIN\user is in use; a backslash at the end would take the next character of a command line with it */
        if (*p == '\\' && (p[1] == 0 || p[1] == ' ')) return false;
        if (*p == '$' && p[1] != 0) return false;       /* machine accounts end in $; elsewhere it names a variable */
        if (*p == ' ' && p[1] == '-') return false;     /* would become an option where a command splits words */
    }
    return true;
}

bool host_valid(const char *host)
{
    return host[0] != '-' && host[0] != 0 && plain_text(host, shell_chars) && plain_text(host, " \t");
}

/* ---- parts ---- */

static enum err take_text(struct bytes t, bool percent, char *dst, size_t cap)
{
    struct wr w = wr_span((struct span){(uint8_t *)dst, cap - 1});
    for (size_t i = 0; i < t.n; i++) {
        uint8_t c = t.p[i];
        if (percent && c == '%') {
            uint8_t byte = 0;
            struct wr one = wr_span((struct span){&byte, 1});
            if (t.n - i < 3 || hex_parse(bytes_of(t.p + i + 1, 2), &one) != ERR_NONE || byte == 0) return ERR_USAGE;
            c = byte;
            i += 2;
        }
        wr_u8(&w, c);
    }
    if (wr_done(&w) != ERR_NONE) return ERR_USAGE;
    dst[w.n] = 0;
    return ERR_NONE;
}

static enum err take_user(struct bytes t, bool percent, struct destination *d)
{
    if (t.n == 0) return ERR_USAGE;
    TRY(take_text(t, percent, d->user, sizeof d->user));
    return user_valid(d->user) ? ERR_NONE : ERR_USAGE;
}

static enum err take_host(struct bytes t, bool percent, struct destination *d)
{
    TRY(take_text(t, percent, d->host, sizeof d->host));
    return host_valid(d->host) ? ERR_NONE : ERR_USAGE;
}

static enum err take_port(struct bytes t, struct destination *d)
{
    uint64_t v;
    if (text_to_u64(t, 65535, &v) != ERR_NONE || v == 0) return ERR_USAGE;
    d->port = (uint32_t)v;
    return ERR_NONE;
}

/* "user@rest": the last @ divides. */
static enum err split_user(struct bytes *t, bool percent, struct destination *d)
{
    const uint8_t *at = t->n ? memrchr(t->p, '@', t->n) : NULL;
    if (!at) return ERR_NONE;
    struct bytes user = {t->p, (size_t)(at - t->p)};
    *t = bytes_of(at + 1, t->n - user.n - 1);
    return take_user(user, percent, d);
}

/* "host[:port]", "[v6][:port]" */
static enum err take_host_port(struct bytes t, bool percent, struct destination *d)
{
    struct bytes host = t, rest = {0};
    if (t.n && t.p[0] == '[') {
        const uint8_t *end = memchr(t.p, ']', t.n);
        if (!end) return ERR_USAGE;
        host = bytes_of(t.p + 1, (size_t)(end - t.p - 1));
        rest = bytes_of(end + 1, t.n - host.n - 2);
    } else if (t.n) {
        const uint8_t *colon = memchr(t.p, ':', t.n);
        bool several = colon && memchr(colon + 1, ':', t.n - (size_t)(colon - t.p) - 1);
        if (several && percent) return ERR_USAGE; /* RFC 3986 3.2.2: an IPv6 address stands in brackets */
        if (colon && !several) {
            host.n = (size_t)(colon - t.p);
            rest = bytes_of(colon, t.n - host.n);
        }
    }
    TRY(take_host(host, percent, d));
    if (rest.n == 0) return ERR_NONE;
    if (rest.p[0] != ':') return ERR_USAGE;
    return take_port(bytes_of(rest.p + 1, rest.n - 1), d);
}

/* RFC 3986 form of draft-ietf-secsh-scp-sftp-ssh-uri: "ssh://[user[;fingerprint]@]host[:port][/]" */
static enum err uri_parse(struct bytes t, struct destination *d)
{
    d->is_uri = true;
    const uint8_t *slash = t.n ? memchr(t.p, '/', t.n) : NULL;
    if (slash) {
        if (slash != t.p + t.n - 1) return ERR_USAGE;
        t.n--;
    }
    const uint8_t *at = t.n ? memrchr(t.p, '@', t.n) : NULL;
    if (at) {
        struct bytes user = {t.p, (size_t)(at - t.p)};
        const uint8_t *end = memchr(user.p, ';', user.n);
        t = bytes_of(at + 1, t.n - user.n - 1);
        if (end) user.n = (size_t)(end - user.p);
        if (user.n && memchr(user.p, ':', user.n)) return ERR_USAGE; /* a password in the URI */
        TRY(take_user(user, true, d));
    }
    return take_host_port(t, true, d);
}

static const char scheme[] = "ssh://";

enum err destination_parse(const char *text, struct destination *out)
{
    struct bytes t = bytes_str(text);
    struct destination d = {0};
    if (bytes_starts(t, scheme)) {
        TRY(uri_parse(bytes_of(t.p + sizeof scheme - 1, t.n - (sizeof scheme - 1)), &d));
    } else {
        TRY(split_user(&t, false, &d));
        TRY(take_host(t, false, &d));
    }
    *out = d;
    return ERR_NONE;
}

enum err destination_parse_hop(struct bytes t, struct destination *out)
{
    struct destination d = {0};
    if (t.n && memchr(t.p, 0, t.n)) return ERR_USAGE;
    if (bytes_starts(t, scheme)) {
        TRY(uri_parse(bytes_of(t.p + sizeof scheme - 1, t.n - (sizeof scheme - 1)), &d));
    } else {
        TRY(split_user(&t, false, &d));
        TRY(take_host_port(t, false, &d));
    }
    *out = d;
    return ERR_NONE;
}

enum err destination_parse_path(const char *text, struct destination *out, char path[DESTINATION_PATH_MAX])
{
    struct destination d = {0};
    size_t n = strcspn(text, "/");
    TRY(uri_parse(bytes_of(text, n), &d));
    TRY(take_text(bytes_str(text[n] ? text + n + 1 : ""), true, path, DESTINATION_PATH_MAX));
    *out = d;
    return ERR_NONE;
}

const char *destination_colon(const char *text)
{
    bool brackets = *text == '[';
    if (*text == ':') return NULL;
    for (const char *s = text; *s; s++) {
        if (*s == '@' && s[1] == '[') brackets = true;
        if (*s == ']' && s[1] == ':' && brackets) return s + 1;
        if (*s == ':' && !brackets) return s;
        if (*s == '/') return NULL;
    }
    return NULL;
}
