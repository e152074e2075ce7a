/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "conf/destination.h"
#include "scp.h"

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

static enum err uri_parse(const char *text, struct place *out)
{
    struct destination d;
    char path[DESTINATION_PATH_MAX];
    TRY(destination_parse_path(text + strlen("scp://"), &d, path));
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
    const char *colon = destination_colon(text);
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
