/* SPDX-License-Identifier: ISC */
/* One request after another: what most commands are. */
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "listing.h"
#include "shell.h"

/* ssh has said why, or it is no SFTP server that answers. */
void line_broke(struct shell *s, enum err e)
{
    if (e == ERR_PEER_GONE || e == ERR_SYSTEM) fail("Connection closed");
    else fail("The server broke the protocol: %s", err_text(e));
    (void)remote_kill(&s->remote);
    exit(255);
}

static void call(struct shell *s, const struct sftp_op *op, struct sftp_result *out)
{
    enum err e = link_call(s->link, op, (struct bytes){0}, out);
    if (e == ERR_UNSUPPORTED) *out = (struct sftp_result){.kind = SFTP_STATUS, .status = SSH_FX_OP_UNSUPPORTED};
    else if (e == ERR_TOO_LONG || e == ERR_FORMAT || e == ERR_RANGE) *out = (struct sftp_result){.kind = SFTP_STATUS, .status = SSH_FX_BAD_MESSAGE};
    else if (e != ERR_NONE) line_broke(s, e);
}

bool remote_status(struct shell *s, const struct sftp_op *op, bool silent, const char *fmt, ...)
{
    struct sftp_result r;
    call(s, op, &r);
    if (r.kind == SFTP_STATUS && r.status == SSH_FX_OK) return true;
    if (silent) return false;
    char *what = NULL;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&what, fmt, ap) < 0) what = NULL;
    va_end(ap);
    fail("%s: %s", what ? what : "", link_status_text(r.kind == SFTP_STATUS ? r.status : SSH_FX_BAD_MESSAGE));
    free(what);
    return false;
}

bool remote_attrs(struct shell *s, enum sftp_verb verb, const char *path, bool silent, struct sftp_attrs *out)
{
    struct sftp_result r;
    call(s, &(struct sftp_op){.verb = verb, .path = bytes_str(path)}, &r);
    if (r.kind == SFTP_ATTRS) {
        *out = r.attrs;
        return true;
    }
    if (!silent) fail("stat remote: %s", link_status_text(r.status));
    return false;
}

bool attrs_dir(const struct sftp_attrs *a)
{
    return (a->flags & SSH_FILEXFER_ATTR_PERMISSIONS) && S_ISDIR(a->mode);
}

bool remote_is_dir(struct shell *s, const char *path)
{
    struct sftp_attrs a;
    return remote_attrs(s, SFTP_VERB_STAT, path, true, &a) && attrs_dir(&a);
}

bool remote_match_attrs(struct shell *s, const char *path, const struct sftp_attrs *known, struct sftp_attrs *out)
{
    struct sftp_attrs own = *known, target;
    if (!(own.flags & SSH_FILEXFER_ATTR_PERMISSIONS) && !remote_attrs(s, SFTP_VERB_LSTAT, path, true, &own)) return false;
    bool follow = !(own.flags & SSH_FILEXFER_ATTR_PERMISSIONS) || S_ISLNK(own.mode);
    *out = follow && remote_attrs(s, SFTP_VERB_STAT, path, true, &target) ? target : own;
    return true;
}

/* ---- the commands ---- */

static char *real_path(struct shell *s, const char *path)
{
    uint32_t status = SSH_FX_OK;
    char *real = NULL;
    enum err e = link_realpath(s->link, path, &status, &real);
    if (e != ERR_NONE && e != ERR_TOO_LONG) line_broke(s, e);
    if (!real) fail("realpath %s: %s", path, link_status_text(e == ERR_NONE ? status : SSH_FX_BAD_MESSAGE));
    return real;
}

int remote_cd(struct shell *s, const struct command *c)
{
    struct sftp_attrs a;
    char *path = path_absolute(s, c->path && *c->path ? c->path : s->start), *real = real_path(s, path);
    free(path);
    if (!real) return -1;
    bool good = remote_attrs(s, SFTP_VERB_STAT, real, false, &a);
    if (good && !(a.flags & SSH_FILEXFER_ATTR_PERMISSIONS)) {
        fail("Can't change directory: Can't check target");
        good = false;
    } else if (good && !attrs_dir(&a)) {
        fail("Can't change directory: \"%s\" is not a directory", real);
        good = false;
    }
    if (!good) {
        free(real);
        return -1;
    }
    free(s->cwd);
    s->cwd = real;
    return 0;
}

int remote_mkdir(struct shell *s, const struct command *c)
{
    char *path = path_absolute(s, c->path);
    struct sftp_op op = {.verb = SFTP_VERB_MKDIR, .path = bytes_str(path),
                         .attrs = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .mode = 0777}};
    bool good = remote_status(s, &op, false, "remote mkdir \"%s\"", path);
    free(path);
    return good ? 0 : -1;
}

int remote_rmdir(struct shell *s, const struct command *c)
{
    char *path = path_absolute(s, c->path);
    bool good = remote_status(s, &(struct sftp_op){.verb = SFTP_VERB_RMDIR, .path = bytes_str(path)}, false, "remote rmdir \"%s\"", path);
    free(path);
    return good ? 0 : -1;
}

int remote_rename(struct shell *s, const struct command *c)
{
    char *from = path_absolute(s, c->path), *to = path_absolute(s, c->path2);
    bool posix = !c->flags['l'] && sftp_client_has(link_client(s->link), SFTP_VERB_POSIX_RENAME);
    struct sftp_op op = {.verb = posix ? SFTP_VERB_POSIX_RENAME : SFTP_VERB_RENAME, .path = bytes_str(from), .path2 = bytes_str(to)};
    bool good = remote_status(s, &op, false, "remote rename \"%s\" to \"%s\"", from, to);
    free(from);
    free(to);
    return good ? 0 : -1;
}

int remote_link(struct shell *s, const struct command *c)
{
    bool symbolic = c->verb == VERB_SYMLINK || c->flags['s'], good = false;
    char *from = symbolic ? must(strdup(c->path)) : path_absolute(s, c->path), *to = path_absolute(s, c->path2);
    struct sftp_op op = {.verb = symbolic ? SFTP_VERB_SYMLINK : SFTP_VERB_HARDLINK, .path = bytes_str(from), .path2 = bytes_str(to)};
    if (!sftp_client_has(link_client(s->link), op.verb)) fail("Server does not support hardlink@openssh.com extension");
    else if (symbolic) good = remote_status(s, &op, false, "remote symlink file \"%s\" to \"%s\"", from, to);
    else good = remote_status(s, &op, false, "remote link \"%s\" to \"%s\"", from, to);
    free(from);
    free(to);
    return good ? 0 : -1;
}

int remote_df(struct shell *s, const struct command *c)
{
    char *path = path_absolute(s, c->path ? c->path : s->cwd);
    struct sftp_result r;
    bool good = false;
    if (!sftp_client_has(link_client(s->link), SFTP_VERB_STATVFS)) {
        fail("Server does not support statvfs@openssh.com extension");
    } else {
        call(s, &(struct sftp_op){.verb = SFTP_VERB_STATVFS, .path = bytes_str(path)}, &r);
        good = r.kind == SFTP_VFS;
        if (!good) fail("remote statvfs: %s", link_status_text(r.status));
    }
    free(path);
    if (!good) return -1;
    struct wr w CLEANUP(wr_clear) = wr_heap(10000);
    df_write(&w, &r.vfs, c->flags['i'] ? DF_INODES : c->flags['h'] ? DF_HUMAN : DF_KB);
    (void)!fwrite(w.p, 1, w.n, stdout);
    return 0;
}

/* ---- copy: from one handle to another on the server ---- */

static bool open_handle(struct shell *s, const char *path, uint32_t flags, const struct sftp_attrs *a, struct wr *handle)
{
    struct sftp_result r;
    call(s, &(struct sftp_op){.verb = SFTP_VERB_OPEN, .path = bytes_str(path), .flags = flags, .attrs = *a}, &r);
    if (r.kind != SFTP_HANDLE) {
        fail("remote open(\"%s\"): %s", path, link_status_text(r.status));
        return false;
    }
    wr_raw(handle, r.handle);
    return true;
}

static bool close_handle(struct shell *s, struct bytes handle)
{
    return remote_status(s, &(struct sftp_op){.verb = SFTP_VERB_CLOSE, .handle = handle}, false, "close remote");
}

static bool copy_data(struct shell *s, const char *from, const char *to, const struct sftp_attrs *a)
{
    uint8_t room[2][SFTP_HANDLE_MAX];
    struct wr source = wr_span((struct span){room[0], SFTP_HANDLE_MAX}), target = wr_span((struct span){room[1], SFTP_HANDLE_MAX});
    struct sftp_attrs mode = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .mode = a->flags & SSH_FILEXFER_ATTR_PERMISSIONS ? a->mode & 0777 : 0666};
    if (!open_handle(s, from, SSH_FXF_READ, &(struct sftp_attrs){0}, &source)) return false;
    if (!open_handle(s, to, SSH_FXF_WRITE | SSH_FXF_CREAT | SSH_FXF_TRUNC, &mode, &target)) {
        (void)close_handle(s, wr_bytes(&source));
        return false;
    }
    struct sftp_op op = {.verb = SFTP_VERB_COPY_DATA, .handle = wr_bytes(&source), .handle2 = wr_bytes(&target)};
    bool good = remote_status(s, &op, false, "Couldn't copy file \"%s\" to \"%s\"", from, to);
    good &= close_handle(s, wr_bytes(&source));
    return close_handle(s, wr_bytes(&target)) && good;
}

/* Opening the target of a copy onto itself would empty it first. */
static bool same_file(struct shell *s, const char *from, const char *to)
{
    uint32_t status[2] = {0};
    char *real[2] = {NULL, NULL};
    bool same = link_realpath(s->link, from, &status[0], &real[0]) == ERR_NONE && link_realpath(s->link, to, &status[1], &real[1]) == ERR_NONE &&
                real[0] && real[1] && strcmp(real[0], real[1]) == 0;
    free(real[0]);
    free(real[1]);
    return same;
}

int remote_copy(struct shell *s, const struct command *c)
{
    char *from = path_absolute(s, c->path), *to = path_absolute(s, c->path2);
    struct sftp_attrs a = {0};
    bool good = false;
    if (!sftp_client_has(link_client(s->link), SFTP_VERB_COPY_DATA)) fail("Server does not support copy-data extension");
    else if (!remote_attrs(s, SFTP_VERB_STAT, from, false, &a)) good = false;
    else if ((a.flags & SSH_FILEXFER_ATTR_PERMISSIONS) && !S_ISREG(a.mode)) fail("Cannot copy non-regular file: %s", from);
    else if (same_file(s, from, to)) fail("Couldn't copy file \"%s\" to \"%s\": they are the same file", from, to);
    else good = copy_data(s, from, to, &a);
    free(from);
    free(to);
    return good ? 0 : -1;
}
