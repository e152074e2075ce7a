/* SPDX-License-Identifier: ISC */
/* Forward specifications: up to four parts divided by colons; a part in brackets may hold colons, a part with a slash is a
 * socket path. */
#include "conf/destination.h"
#include "conf/parse.h"

#define PARTS_MAX 4

struct part {
    const char *text;
    bool path;
};

/* Take one part from *at, writing its text to *store. false: bad form. */
static bool take_part(const char **at, char **store, struct part *out)
{
    const char *p = *at;
    out->text = *store, out->path = false;
    bool bracket = *p == '[';
    if (bracket) p++;
    for (; *p && (bracket ? *p != ']' : *p != ':'); p++) {
        if (*p == '/' && !bracket) out->path = true;
        if (*p == '\\' && p[1]) p++;
        *(*store)++ = *p;
    }
    if (bracket && *p++ != ']') return false;
    if (*p != ':' && *p != 0) return false;
    *(*store)++ = 0;
    *at = *p ? p + 1 : p;
    return true;
}

static bool to_port(const struct part *p, uint16_t *out)
{
    uint64_t v;
    if (p->path || text_to_u64(bytes_str(p->text), 65535, &v) != ERR_NONE) return false;
    *out = (uint16_t)v;
    return true;
}

static bool one_or_two(const struct part *p, size_t n, struct conf_forward *f)
{
    if (p[0].path) {
        f->listen_path = p[0].text;
        if (n == 2) f->connect_path = p[1].text;
        return n == 1 || p[1].path;
    }
    if (n == 1) return to_port(&p[0], &f->listen_port);
    if (p[1].path) {
        f->connect_path = p[1].text;
        return to_port(&p[0], &f->listen_port);
    }
    f->listen_host = p[0].text;
    return to_port(&p[1], &f->listen_port);
}

static bool three_or_four(const struct part *p, size_t n, struct conf_forward *f)
{
    if (n == 3 && p[2].path) {
        f->listen_host = p[0].text, f->connect_path = p[2].text;
        return !p[0].path && to_port(&p[1], &f->listen_port);
    }
    const struct part *target = p + n - 2;
    f->connect_host = target[0].text;
    if (target[0].path || !*f->connect_host || !to_port(&target[1], &f->connect_port) || f->connect_port == 0) return false;
    if (n == 3 && p[0].path) {
        f->listen_path = p[0].text;
        return true;
    }
    if (n == 4) f->listen_host = p[0].text;
    return !(n == 4 && p[0].path) && to_port(&p[n - 3], &f->listen_port);
}

enum err conf_forward_parse(const char *text, bool dynamic, bool remote, char *storage, struct conf_forward *out)
{
    struct part part[PARTS_MAX];
    struct conf_forward f = {0};
    size_t n = 0;
    bool more = true;
    while (*text == ' ' || *text == '\t') text++;
    for (; more && n < PARTS_MAX; n++) {
        const char *start = text;
        if (!take_part(&text, &storage, &part[n])) return ERR_FORMAT;
        more = text != start && text[-1] == ':';
    }
    if (more) return ERR_FORMAT;
    if (n <= 2 ? !one_or_two(part, n, &f) : !three_or_four(part, n, &f)) return ERR_FORMAT;
    bool has_target = f.connect_host || f.connect_path;
    if (dynamic == has_target) return ERR_FORMAT;
    if (!f.listen_path && f.listen_port == 0 && !remote) return ERR_FORMAT;
    *out = f;
    return ERR_NONE;
}

/* Two colons and no brackets: an IPv6 address alone. */
static const uint8_t *lone_colon(struct bytes t)
{
    const uint8_t *first = memchr(t.p, ':', t.n);
    return first && !memchr(first + 1, ':', t.n - (size_t)(first - t.p) - 1) ? first : NULL;
}

enum err host_port_parse(struct bytes t, struct bytes *host, struct bytes *port)
{
    struct bytes h = t, p = {0};
    if (t.n && t.p[0] == '[') {
        const uint8_t *end = memchr(t.p, ']', t.n);
        if (!end) return ERR_FORMAT;
        h = bytes_of(t.p + 1, (size_t)(end - t.p - 1));
        size_t left = t.n - h.n - 2;
        if (left) {
            if ((end[1] != ':' && end[1] != '/') || left == 1) return ERR_FORMAT;
            p = bytes_of(end + 2, left - 1);
        }
    } else {
        const uint8_t *sep = t.n ? memchr(t.p, '/', t.n) : NULL;
        if (!sep && t.n) sep = lone_colon(t);
        if (sep) {
            h.n = (size_t)(sep - t.p);
            p = bytes_of(sep + 1, t.n - h.n - 1);
            if (p.n == 0) return ERR_FORMAT;
        }
    }
    *host = h, *port = p;
    return ERR_NONE;
}
