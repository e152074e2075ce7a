/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/text.h"
#include "conf/destination.h"
#include "scp.h"

/* The colon that ends a host, as OpenSSH finds it: not the first letter, not behind a slash, not inside brackets. */
static const char *colon_find(const char *s)
{
    bool brackets = *s == '[';
    if (*s == ':') return NULL;
    for (; *s; s++) {
        if (*s == '@' && s[1] == '[') brackets = true;
        if (*s == ']' && s[1] == ':' && brackets) return s + 1;
        if (*s == ':' && !brackets) return s;
        if (*s == '/') return NULL;
    }
    return NULL;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f' ? ascii_lower(c) - 'a' + 10 : -1;
}

/* %XX in place; a NUL or half an escape is refused. */
static bool percent_decode(char *s)
{
    char *to = s;
    for (; *s; s++) {
        if (*s != '%') {
            *to++ = *s;
            continue;
        }
        int high = hex_digit(s[1]), low = high < 0 ? -1 : hex_digit(s[2]);
        if (low < 0 || (high == 0 && low == 0)) return false;
        *to++ = (char)(high << 4 | low);
        s += 2;
    }
    *to = 0;
    return true;
}

static enum err keep(const struct destination *d, const char *path, struct place *out)
{
    struct place p = {.remote = true, .port = d->port};
    p.user = d->user[0] ? strdup(d->user) : NULL;
    p.host = strdup(d->host);
    p.path = strdup(*path ? path : ".");
    if (!p.host || !p.path || (d->user[0] && !p.user)) {
        place_done(&p);
        return ERR_NOMEM;
    }
    *out = p;
    return ERR_NONE;
}

/* scp://authority/path: the authority as ssh's own URIs; the path begins behind the slash and is relative to the home folder. */
static enum err uri_parse(const char *text, struct place *out)
{
    struct destination d;
    char ssh[DESTINATION_HOST_MAX + 2048], path[4096] = "";
    const char *at = text + strlen("scp://"), *slash = strchr(at, '/');
    size_t n = slash ? (size_t)(slash - at) : strlen(at);
    if (n + 7 > sizeof ssh || (slash && strlen(slash) > sizeof path)) return ERR_USAGE;
    memcpy(ssh, "ssh://", 6);
    memcpy(ssh + 6, at, n);
    ssh[6 + n] = 0;
    TRY(destination_parse(ssh, &d));
    if (slash) memcpy(path, slash + 1, strlen(slash));
    if (!percent_decode(path)) return ERR_USAGE;
    return keep(&d, path, out);
}

static enum err host_path_parse(const char *text, const char *colon, struct place *out)
{
    struct destination d = {0};
    const char *host = text, *at = NULL;
    for (const char *p = text; p < colon; p++)
        if (*p == '@') at = p;
    if (at) host = at + 1;
    struct bytes user = bytes_of(text, at ? (size_t)(at - text) : 0), name = bytes_of(host, (size_t)(colon - host));
    if (name.n > 1 && name.p[0] == '[' && name.p[name.n - 1] == ']') name.p++, name.n -= 2;
    if (bytes_to_str(user, d.user, sizeof d.user) != ERR_NONE || bytes_to_str(name, d.host, sizeof d.host) != ERR_NONE) return ERR_USAGE;
    if (at && !user_valid(d.user)) {
        scp_error("%s: invalid user name", d.user);
        return ERR_USAGE;
    }
    if (!host_valid(d.host)) {
        scp_error("%s: invalid host name", d.host);
        return ERR_USAGE;
    }
    return keep(&d, colon + 1, out);
}

enum err place_parse(const char *text, struct place *out)
{
    if (strncmp(text, "scp://", 6) == 0) {
        enum err e = uri_parse(text, out);
        if (e == ERR_NONE || e == ERR_NOMEM) return e;
        scp_say("%s: invalid uri", text);
        return ERR_USAGE;
    }
    const char *colon = colon_find(text);
    if (colon) return host_path_parse(text, colon, out);
    struct place p = {.path = strdup(text)};
    if (!p.path) return ERR_NOMEM;
    *out = p;
    return ERR_NONE;
}

void place_done(struct place *p)
{
    free(p->user);
    free(p->host);
    free(p->path);
    *p = (struct place){0};
}

bool place_same_login(const struct place *a, const struct place *b)
{
    if (!a->remote || !b->remote || strcmp(a->host, b->host) != 0 || a->port != b->port) return false;
    return a->user && b->user ? strcmp(a->user, b->user) == 0 : a->user == b->user;
}
