/* SPDX-License-Identifier: ISC */
/* Public keys and certificates from files. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "add.h"
#include "base/limits.h"
#include "key/known_hosts.h"
#include "os/atomic_file.h"

/* The first line that is a key. */
static enum err lines_parse(struct bytes text, struct pubkey **out, struct wr *comment)
{
    struct line_walk walk = {.rest = text};
    for (struct bytes line; line_next(&walk, &line);) {
        struct pubkey_line view;
        if (pubkey_line_parse_any(line, &view, out) != ERR_NONE) continue;
        wr_raw(comment, view.comment);
        return ERR_NONE;
    }
    return ERR_FORMAT;
}

static enum err public_read(const char *path, struct pubkey **out, struct wr *comment)
{
    struct secret text CLEANUP(secret_clear) = {0};
    TRY(file_read(path, KEY_FILE_MAX, false, &text, NULL));
    return lines_parse(secret_bytes(&text), out, comment);
}

static enum err beside_read(const char *path, const char *tail, struct pubkey **out, struct wr *comment)
{
    char name[PATH_MAX];
    int n = snprintf(name, sizeof name, "%s%s", path, tail);
    if (n < 0 || (size_t)n >= sizeof name) return ERR_TOO_LONG;
    return public_read(name, out, comment);
}

enum err public_load(const char *path, struct pubkey **out, struct wr *comment)
{
    struct secret text CLEANUP(secret_clear) = {0};
    enum err e = public_read(path, out, comment);
    int saved = errno;
    if (e == ERR_NONE || beside_read(path, ".pub", out, comment) == ERR_NONE) return ERR_NONE;
    if (file_read(path, KEY_FILE_MAX, false, &text, NULL) == ERR_NONE && privkey_file_public(secret_bytes(&text), out) == ERR_NONE)
        return ERR_NONE;
    errno = saved;
    return e;
}

enum err cert_load(const char *path, struct pubkey **out, struct wr *comment)
{
    return beside_read(path, "-cert.pub", out, comment);
}
