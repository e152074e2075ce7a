/* SPDX-License-Identifier: ISC */
/* Copying by SFTP. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/text.h"
#include "kit/copy.h"
#include "scp.h"

/* ---- connections: each login once ---- */

struct session {
    struct place place;
    struct remote remote;
    struct link *link;
};
static struct session sessions[REMOTES_MAX];

static void session_end(struct session *s)
{
    if (!s->link) return;
    link_free(s->link);
    s->link = NULL;
    if (remote_end(&s->remote) != 0 && !opt.status) opt.status = 1;
}

void files_end(void)
{
    for (size_t i = 0; i < REMOTES_MAX; i++) session_end(&sessions[i]);
}

/* The link to that login in this slot, made if need be. An old one there is closed. NULL: a line was told. */
static struct link *session_link(const struct place *p, size_t slot)
{
    struct session *s = &sessions[slot];
    if (s->link && place_same_login(&s->place, p)) return s->link;
    session_end(s);
    if (!scp_connect(p, "sftp", true, &s->remote)) return NULL;
    enum err e = link_open(s->remote.fd_in, s->remote.fd_out, &s->link);
    if (e == ERR_NONE) link_set_lane(s->link, s->remote.fd_lane);
    if (e != ERR_NONE) {
        (void)remote_kill(&s->remote);
        if (e == ERR_PEER_GONE) scp_error("Connection closed");
        else scp_error("Couldn't talk to the server: %s", err_text(e));
        opt.status = 255;
        return NULL;
    }
    s->place = *p;
    return s->link;
}

/* ---- names ---- */

static const char *base_name(char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') path[--n] = 0;
    const char *slash = strrchr(path, '/');
    const char *name = slash && slash[1] ? slash + 1 : path;
    return strcmp(name, "..") == 0 ? "." : name;    /* what ".." holds goes into the target, not beside it */
}

static char *path_join(const char *dir, const char *name)
{
    size_t n = strlen(dir);
    char *p = malloc(n + strlen(name) + 2);
    if (!p) scp_fatal("out of memory");
    memcpy(p, dir, n);
    if (n && dir[n - 1] != '/') p[n++] = '/';
    memcpy(p + n, name, strlen(name) + 1);
    return p;
}

static char *text_copy(const char *text)
{
    char *p = strdup(text);
    if (!p) scp_fatal("out of memory");
    return p;
}

NORETURN static void link_lost(enum err e)
{
    if (e == ERR_PEER_GONE) scp_error("Connection closed");
    else scp_error("Connection lost: %s", err_text(e));
    exit(255);
}

/* ~user is the server's to know. */
static char *remote_path(struct link *l, const char *path)
{
    uint32_t status;
    char *out;
    if (!*path || strcmp(path, "~") == 0) return text_copy(".");
    if (path[0] != '~') return text_copy(path);
    if (path[1] == '/') {               /* where we are anyway */
        path += 1 + strspn(path + 1, "/");
        return text_copy(*path ? path : ".");
    }
    if (!sftp_client_has(link_client(l), SFTP_VERB_EXPAND_PATH)) {
        scp_error("server expand-path extension is required for ~user paths in SFTP mode");
        return NULL;
    }
    enum err e = link_realpath(l, path, &status, &out);
    if (e != ERR_NONE) link_lost(e);
    if (!out) scp_error("expand \"%s\": %s", path, link_status_text(status));
    return out;
}

static bool remote_is_folder(struct link *l, const char *path)
{
    uint32_t status;
    struct sftp_attrs a = {0};
    enum err e = link_attrs(l, SFTP_VERB_STAT, path, &status, &a);
    if (e != ERR_NONE) link_lost(e);
    return status == SSH_FX_OK && a.flags & SSH_FILEXFER_ATTR_PERMISSIONS && S_ISDIR(a.mode);
}

/* ---- the copier ---- */

static struct copy *copy_begin(struct link *from, struct link *to)
{
    static char prefix[1100];
    snprintf(prefix, sizeof prefix, "%s: ", opt.name);
    struct copy_setup s = {.from = from, .to = to, .prefix = prefix, .recursive = opt.recursive, .follow = true, .preserve = opt.preserve,
        .resume = opt.resume, .verify = opt.verify, .atomic = opt.atomic, .in_place = true, .tell_uploads = true, .requests = opt.requests,
        .buffer = opt.buffer, .limit_kbit = opt.limit_kbit, .progress = opt.progress};
    struct copy *c = copy_new(&s);
    if (!c) scp_fatal("out of memory");
    return c;
}

static void job_add(struct copy *c, const struct copy_job *job)
{
    if (copy_add(c, job) != ERR_NONE) scp_fatal("out of memory");
}

static void copy_end(struct copy *c)
{
    struct copy_outcome out;
    enum err e = copy_run(c, &out);
    if (out.failed && !opt.status) opt.status = 1;
    copy_free(c);
    if (e != ERR_NONE) link_lost(e);
}

/* ---- to a server ---- */

/* Several sources need a folder: it is made if it is not there. */
static bool target_folder_make(struct link *l, const char *path, const struct stat *st)
{
    struct sftp_result r;
    struct sftp_op op = {.verb = SFTP_VERB_MKDIR, .path = bytes_str(path),
        .attrs = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .mode = (st->st_mode & 01777) | 0700}};
    enum err e = link_call(l, &op, (struct bytes){0}, &r);
    if (e != ERR_NONE) link_lost(e);
    if (r.status == SSH_FX_OK) return true;
    scp_error("remote mkdir \"%s\": %s", path, link_status_text(r.status));
    opt.status = 255;
    return false;
}

void files_upload(const struct place *sources, size_t n, const struct place *target)
{
    struct link *l = session_link(target, 0);
    struct stat st;
    if (!l) return;
    char *to = remote_path(l, target->path);
    if (!to) return;
    bool folder = remote_is_folder(l, to);
    struct copy *c = copy_begin(NULL, l);
    for (size_t i = 0; i < n; i++) {
        if (stat(sources[i].path, &st) != 0) {
            scp_error("stat local \"%s\": %s", sources[i].path, strerror(errno));
            opt.status = 255;
            continue;
        }
        if (opt.to_folder && !folder && !(folder = target_folder_make(l, to, &st))) break;
        char *name = text_copy(sources[i].path), *full = folder ? path_join(to, base_name(name)) : text_copy(to);
        job_add(c, &(struct copy_job){.from = sources[i].path, .to = full, .to_shown = target->path});
        free(name);
        free(full);
    }
    copy_end(c);
    free(to);
}

/* ---- what a source's pattern matches ---- */

static bool has_pattern(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strpbrk(slash ? slash + 1 : path, "*?[") != NULL;
}

static bool source_match(struct link *l, const struct place *source, struct link_glob *out)
{
    char *path = remote_path(l, source->path);
    uint32_t status = SSH_FX_OK;
    struct sftp_attrs a = {0};
    if (!path) return false;
    enum err e = link_glob(l, path, true, out);
    free(path);
    if (e == ERR_BUDGET || e == ERR_NOMEM) {
        scp_error("%s: too many glob matches", source->path);
        return false;
    }
    if (e == ERR_NONE && out->count == 1 && !out->attrs[0].flags) {     /* perhaps nobody knows it */
        e = link_attrs(l, SFTP_VERB_STAT, out->paths[0], &status, &a);
        if (e == ERR_NONE && status == SSH_FX_OK) out->attrs[0] = a;
    }
    if (e != ERR_NONE) link_lost(e);
    if (out->count && status == SSH_FX_OK) return true;
    scp_error("%s: %s", source->path, status == SSH_FX_OK ? "No such file or directory" : link_status_text(status));
    link_glob_done(out);
    return false;
}

static bool is_folder(const struct sftp_attrs *a)
{
    return a->flags & SSH_FILEXFER_ATTR_PERMISSIONS && S_ISDIR(a->mode);
}

/* One job for each match. The last part of `to` is the server's word when it came out of a pattern. */
static void matches_add(struct copy *c, const struct place *source, const struct link_glob *g, const char *to, bool folder)
{
    for (size_t i = 0; i < g->count; i++) {
        char *name = text_copy(g->paths[i]), *full = folder ? path_join(to, base_name(name)) : text_copy(to);
        char *from = is_folder(&g->attrs[i]) ? path_join(g->paths[i], "") : text_copy(g->paths[i]);
        job_add(c, &(struct copy_job){.from = from, .to = full, .attrs = &g->attrs[i], .to_chosen = folder && has_pattern(source->path)});
        free(name);
        free(full);
        free(from);
    }
}

/* ---- from a server ---- */

static void source_download(struct copy *c, struct link *l, const struct place *source, const char *target)
{
    struct link_glob g = {0};
    struct stat st;
    if (!source_match(l, source, &g)) return;
    bool there = stat(target, &st) == 0, folder = there && S_ISDIR(st.st_mode);
    if (g.count > 1 && !folder) {
        if (there) scp_error("Multiple files match pattern, but destination \"%s\" is not a directory", target);
        else if (mkdir(target, 0777) != 0) scp_error("local mkdir \"%s\": %s", target, strerror(errno));
        else folder = true;
    }
    if (g.count <= 1 || folder) matches_add(c, source, &g, target, folder);
    link_glob_done(&g);
}

void files_download(const struct place *sources, size_t n, const char *target)
{
    struct link *l = session_link(&sources[0], 0);
    if (!l) return;
    struct copy *c = copy_begin(l, NULL);
    for (size_t i = 0; i < n; i++) source_download(c, l, &sources[i], target);
    copy_end(c);
}

/* ---- from server to server ---- */

void files_cross(const struct place *sources, size_t n, const struct place *target)
{
    struct link *to = session_link(target, 1);
    char *path = to ? remote_path(to, target->path) : NULL;
    if (!path) return;
    bool folder = remote_is_folder(to, path);
    for (size_t i = 0; i < n; i++) {
        struct link_glob g = {0};
        struct link *from = session_link(&sources[i], 0);
        if (!from || !source_match(from, &sources[i], &g)) continue;
        if ((opt.to_folder || g.count > 1) && !folder) {
            scp_error("%s: destination is not a directory", target->path);
            link_glob_done(&g);
            continue;
        }
        struct copy *c = copy_begin(from, to);
        matches_add(c, &sources[i], &g, path, folder);
        copy_end(c);
        link_glob_done(&g);
    }
    free(path);
}
