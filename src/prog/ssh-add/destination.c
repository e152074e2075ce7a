/* SPDX-License-Identifier: ISC */
/* -h [user@]host and -h src>[user@]dst: host names become host keys by known_hosts files. */
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "add.h"
#include "base/limits.h"
#include "base/text.h"
#include "key/known_hosts.h"
#include "os/atomic_file.h"

/* What was found lives as long as the program. */
static void key_take(struct agent_hop_spec *h, struct bytes blob, bool ca)
{
    for (size_t i = 0; i < h->keys_n; i++)
        if (h->keys[i].ca == ca && bytes_equal(h->keys[i].blob, blob)) return;
    struct agent_hop_key *more = realloc((void *)(uintptr_t)h->keys, (h->keys_n + 1) * sizeof *more);
    uint8_t *copy = malloc(blob.n);
    if (!more || !copy) fatal("out of memory");
    memcpy(copy, blob.p, blob.n);
    more[h->keys_n++] = (struct agent_hop_key){bytes_of(copy, blob.n), ca};
    h->keys = more;
}

static void file_search(const char *path, struct agent_hop_spec *h)
{
    struct secret text CLEANUP(secret_clear) = {0};
    const struct known_query q = {.host = h->host};
    struct known_hit hit;
    if (file_read(path, CONF_FILE_MAX, false, &text, NULL) != ERR_NONE) return;
    struct line_walk walk = {.rest = secret_bytes(&text)};
    while (known_next(&walk, &q, &hit)) {
        struct pubkey *key CLEANUP(pubkey_drop) = NULL;
        if (hit.err != ERR_NONE || !hit.host || hit.line.marker == KNOWN_REVOKED) continue;
        if (known_line_key(&hit.line, &key) != ERR_NONE) continue;
        key_take(h, pubkey_blob(key), hit.line.marker == KNOWN_CA);
    }
}

static void home_search(const char *name, struct agent_hop_spec *h)
{
    char path[PATH_MAX];
    const char *home = getenv("HOME");
    const struct passwd *pw = home && *home ? NULL : getpwuid(getuid());
    if (pw) home = pw->pw_dir;
    int n = snprintf(path, sizeof path, "%s/%s", home ? home : "", name);
    if (n > 0 && (size_t)n < sizeof path) file_search(path, h);
}

static void hop_search(struct agent_hop_spec *h)
{
    for (size_t i = 0; i < o.host_files_n; i++) {
        if (strncmp(o.host_files[i], "~/", 2) == 0) home_search(o.host_files[i] + 2, h);
        else file_search(o.host_files[i], h);
    }
    if (o.host_files_n == 0) {
        home_search(".ssh/known_hosts", h);
        home_search(".ssh/known_hosts2", h);
        file_search(NACRE_SYSCONFDIR "/ssh/ssh_known_hosts", h);
        file_search(NACRE_SYSCONFDIR "/ssh/ssh_known_hosts2", h);
    }
    if (h->keys_n == 0) fatal("No host keys found for destination \"%s\"", shown(h->host));
}

/* [user@]host; "[host]" without a port is the host. */
static struct agent_hop_spec hop_parse(const char *text, const char *end, const char *whole)
{
    struct bytes b = bytes_of(text, (size_t)(end - text));
    struct agent_hop_spec h = {0};
    const uint8_t *at = memrchr(b.p, '@', b.n);
    if (at) {
        h.user = bytes_of(b.p, (size_t)(at - b.p));
        b = bytes_of(at + 1, b.n - h.user.n - 1);
    }
    if (b.n > 2 && b.p[0] == '[' && b.p[b.n - 1] == ']') b = bytes_of(b.p + 1, b.n - 2);
    if (b.n == 0 || (at && h.user.n == 0)) fatal("Unable to parse key destination \"%s\"", whole);
    h.host = b;
    hop_search(&h);
    return h;
}

void destinations_find(void)
{
    o.limits = calloc(o.destinations_n ? o.destinations_n : 1, sizeof *o.limits);
    if (!o.limits) fatal("out of memory");
    for (size_t i = 0; i < o.destinations_n; i++) {
        const char *text = o.destinations[i], *to = strchr(text, '>');
        if (to == text) fatal("Invalid key destination constraint \"%s\": does not specify user or host", "");
        if (to) o.limits[i].from = hop_parse(text, to, text);
        if (o.limits[i].from.user.n) fatal("Invalid key constraint \"%s\": cannot specify user on 'from' host", text);
        to = to ? to + 1 : text;
        o.limits[i].to = hop_parse(to, to + strlen(to), text);
    }
}
