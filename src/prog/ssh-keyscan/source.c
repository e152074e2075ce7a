/* SPDX-License-Identifier: ISC */
/* Hosts to scan. A line of a file is `names [output names]`, both comma separated; an argument is names only. A name may be a range of
 * addresses, which is counted through without being written down. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "keyscan.h"
#include "os/atomic_file.h"

#define FILE_MAX (256u << 20)

struct range {
    int family;
    uint8_t now[16], last[16];
    size_t n;                   /* bytes of an address; 0: no range is under way */
};

static struct entry {
    char *names, *output;
} *entries;
static size_t entry_n, entry_cap, entry_at;
static struct range range;

static void add(struct bytes names, struct bytes output)
{
    if (entry_n == entry_cap) {
        entry_cap = entry_cap ? 2 * entry_cap : 64;
        entries = realloc(entries, entry_cap * sizeof *entries);
        if (!entries) fatal("out of memory");
    }
    struct entry e = {.names = bytes_dup_str(names), .output = output.n ? bytes_dup_str(output) : NULL};
    if (!e.names || (output.n && !e.output)) return;        /* a NUL: no name */
    entries[entry_n++] = e;
}

void source_argument(const char *host)
{
    add(bytes_str(host), (struct bytes){0});
}

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct bytes word(struct bytes *rest)
{
    size_t from = 0, to;
    while (from < rest->n && blank(rest->p[from])) from++;
    for (to = from; to < rest->n && !blank(rest->p[to]); to++) {}
    struct bytes w = bytes_of(rest->p + from, to - from);
    *rest = bytes_of(rest->p + to, rest->n - to);
    return w;
}

static void file_line(struct bytes text)
{
    const uint8_t *hash = text.n ? memchr(text.p, '#', text.n) : NULL;
    if (hash) text.n = (size_t)(hash - text.p);
    struct bytes names = word(&text), output = word(&text);
    if (names.n) add(names, output);
}

void source_file(const char *path)
{
    struct secret text = {0};
    enum err e = file_read(path, FILE_MAX, true, &text, NULL);
    if (e != ERR_NONE) fatal("ssh-keyscan: %s: %s", path, file_read_why(e));
    struct bytes rest = secret_bytes(&text);
    while (rest.n) {
        const uint8_t *end = memchr(rest.p, '\n', rest.n);
        size_t n = end ? (size_t)(end - rest.p) : rest.n;
        file_line(bytes_of(rest.p, n));
        n += end != NULL;
        rest = bytes_of(rest.p + n, rest.n - n);
    }
    secret_clear(&text);
}

/* ---- ranges ---- */

/* "192.168.16" is 192.168.16.0, as networks are written. */
static bool address_parse(const char *text, struct range *r)
{
    char padded[80];
    size_t dots = 0;
    for (const char *c = text; *c; c++) dots += *c == '.';
    snprintf(padded, sizeof padded, "%.64s%s", text, dots == 1 ? ".0.0" : dots == 2 ? ".0" : "");
    r->family = inet_pton(AF_INET, padded, r->now) == 1 ? AF_INET : inet_pton(AF_INET6, text, r->now) == 1 ? AF_INET6 : 0;
    r->n = r->family == AF_INET ? 4 : 16;
    return r->family != 0;
}

/* "address/bits" without bits of the host, as OpenSSH wants it; everything else is a name. */
static bool range_parse(const char *text, struct range *out)
{
    char address[64];
    struct range r = {0};
    uint64_t bits = 0;
    const char *slash = strchr(text, '/');
    if (!slash || bytes_to_str(bytes_of(text, (size_t)(slash - text)), address, sizeof address) != ERR_NONE || !address_parse(address, &r) ||
        text_to_u64(bytes_str(slash + 1), 8 * r.n, &bits) != ERR_NONE)
        return false;
    for (size_t i = 0; i < r.n; i++) {
        size_t fixed = bits >= 8 * (i + 1) ? 8 : bits > 8 * i ? bits - 8 * i : 0;
        uint8_t host = (uint8_t)(0xff >> fixed);
        if (r.now[i] & host) return false;
        r.last[i] = r.now[i] | host;
    }
    *out = r;
    return true;
}

static char *range_step(void)
{
    char text[INET6_ADDRSTRLEN];
    inet_ntop(range.family, range.now, text, sizeof text);
    bool end = memcmp(range.now, range.last, range.n) == 0;
    for (size_t i = range.n; i > 0 && ++range.now[i - 1] == 0; i--) {}
    if (end) range.n = 0, entry_at++;
    return strdup(text);
}

bool source_next(char **names, char **output)
{
    if (entry_at == entry_n) return false;
    struct entry *e = &entries[entry_at];
    if (range.n == 0 && range_parse(e->names, &range)) debug("CIDR range %s", e->names);
    *names = range.n ? range_step() : strdup(e->names);
    *output = e->output ? strdup(e->output) : NULL;
    if (range.n == 0 && entry_at < entry_n && e == &entries[entry_at]) entry_at++;
    if (!*names || (e->output && !*output)) fatal("out of memory");
    return true;
}
