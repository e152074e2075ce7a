/* SPDX-License-Identifier: ISC */
/* What is done to each name that a pattern matches. */
#include <stdlib.h>

#include "shell.h"

/* false: one could not be done. */
typedef bool each_fn(struct shell *s, const struct command *c, const char *path);

/* All of them, whatever the earlier ones said; in a batch that ends at failures, until the first. */
static int for_each(struct shell *s, const struct command *c, each_fn *fn)
{
    struct link_glob g = {0};
    char *pattern = pattern_absolute(s, c->path);
    int status = 0;
    enum err e = link_glob(s->link, pattern, true, &g);
    if (e == ERR_BUDGET) fail("Too many matches for \"%s\".", pattern);
    else if (e != ERR_NONE) line_broke(s, e);
    if (e != ERR_NONE) status = -1;
    free(pattern);
    for (size_t i = 0; i < g.count && !interrupted; i++) {
        if (fn(s, c, g.paths[i])) continue;
        status = -1;
        if (s->batch && !c->ignore_failure) break;
    }
    link_glob_done(&g);
    return status;
}

static bool rm_one(struct shell *s, const struct command *c, const char *path)
{
    (void)c;
    if (!s->quiet) tell("Removing %s", path);
    return remote_status(s, &(struct sftp_op){.verb = SFTP_VERB_REMOVE, .path = bytes_str(path)}, false, "remote delete %s", path);
}

int remote_rm(struct shell *s, const struct command *c)
{
    return for_each(s, c, rm_one);
}

static bool set_attrs(struct shell *s, const struct command *c, const char *path, const struct sftp_attrs *a)
{
    struct sftp_op op = {.verb = c->flags['h'] ? SFTP_VERB_LSETSTAT : SFTP_VERB_SETSTAT, .path = bytes_str(path), .attrs = *a};
    if (!sftp_client_has(link_client(s->link), op.verb)) {
        fail("Server does not support lsetstat@openssh.com extension");
        return false;
    }
    return remote_status(s, &op, false, c->flags['h'] ? "remote lsetstat \"%s\"" : "remote setstat \"%s\"", path);
}

static bool chmod_one(struct shell *s, const struct command *c, const char *path)
{
    struct sftp_attrs a = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .mode = (uint32_t)c->number};
    if (!s->quiet) tell("Changing mode on %s", path);
    return set_attrs(s, c, path, &a);
}

int remote_chmod(struct shell *s, const struct command *c)
{
    return for_each(s, c, chmod_one);
}

static bool chown_one(struct shell *s, const struct command *c, const char *path)
{
    struct sftp_attrs a;
    bool group = c->verb == VERB_CHGRP;
    if (!remote_attrs(s, c->flags['h'] ? SFTP_VERB_LSTAT : SFTP_VERB_STAT, path, false, &a)) return false;
    if (!(a.flags & SSH_FILEXFER_ATTR_UIDGID)) {
        fail("Can't get current ownership of remote file \"%s\"", path);
        return false;
    }
    a.flags = SSH_FILEXFER_ATTR_UIDGID;
    if (group) a.gid = (uint32_t)c->number;
    else a.uid = (uint32_t)c->number;
    if (!s->quiet) tell("Changing %s on %s", group ? "group" : "owner", path);
    return set_attrs(s, c, path, &a);
}

int remote_chown(struct shell *s, const struct command *c)
{
    return for_each(s, c, chown_one);
}
