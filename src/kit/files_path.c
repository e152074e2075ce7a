/* SPDX-License-Identifier: ISC */
/* Paths and what lies below them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "files_impl.h"

#define LINKS_MAX 40

/* ---- REALPATH ---- */

/* Split at the last slash: folder gets "." or "/" or what stands before it. False: the last part is no name. */
static bool path_split(const char *path, char folder[PATH_MAX + 1], char last[PATH_MAX + 1])
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    size_t slash = n;
    while (slash > 0 && path[slash - 1] != '/') slash--;
    snprintf(last, PATH_MAX + 1, "%.*s", (int)(n - slash), path + slash);
    size_t before = slash;
    while (before > 1 && path[before - 1] == '/') before--;
    if (slash == 0) snprintf(folder, PATH_MAX + 1, ".");
    else snprintf(folder, PATH_MAX + 1, "%.*s", (int)before, path);
    return last[0] != 0 && strcmp(last, ".") != 0 && strcmp(last, "..") != 0;
}

static int path_join(const char *folder, const char *last, char out[PATH_MAX + 1])
{
    const char *slash = strcmp(folder, "/") == 0 ? "" : "/";
    return snprintf(out, PATH_MAX + 1, "%s%s%s", folder, slash, last) >= PATH_MAX ? ENAMETOOLONG : 0;
}

int path_resolve(const char *path, char out[PATH_MAX + 1])
{
    char now[PATH_MAX + 1], folder[PATH_MAX + 1], last[PATH_MAX + 1], at[PATH_MAX + 1];
    size_t n = strlen(path), bare = n;
    while (bare > 1 && path[bare - 1] == '/') bare--;   /* a last slash asks for no folder, but for something that is there */
    if (n >= sizeof now) return ENAMETOOLONG;
    snprintf(now, sizeof now, "%.*s", (int)bare, path);
    for (int links = 0; links < LINKS_MAX; links++) {
        if (realpath(now, out)) return 0;
        if (errno != ENOENT) return errno;
        if (!path_split(now, folder, last)) return ENOENT;
        if (!realpath(folder, at)) return errno;
        int error = path_join(at, last, out);
        if (error) return error;
        ssize_t k = readlink(out, last, PATH_MAX);      /* a link that points at nothing: what it points at */
        if (k < 0) return errno == ENOENT && bare == n ? 0 : errno == EINVAL ? ENOENT : errno;
        last[k] = 0;
        if (last[0] == '/') memcpy(now, last, (size_t)k + 1);
        else if ((error = path_join(at, last, now)) != 0) return error;
    }
    return ELOOP;
}

static void resolve(struct files_call *c, const char *path)
{
    int error = path_resolve(path, c->f->text);
    if (error) call_errno(c, error);
    else call_name(c, c->f->text);
}

void do_realpath(struct files_call *c)
{
    char room[SHOWN_MAX];
    const char *path = c->path[0] ? c->path : ".";
    log_line(LOG_LEVEL_VERBOSE, "realpath \"%s\"", shown(path, room));
    resolve(c, path);
}

void do_readlink(struct files_call *c)
{
    char room[SHOWN_MAX];
    log_line(LOG_LEVEL_VERBOSE, "readlink \"%s\"", shown(c->path, room));
    ssize_t n = readlink(c->path, c->f->text, sizeof c->f->text - 1);
    if (n < 0) {
        call_errno(c, errno);
        return;
    }
    c->f->text[n] = 0;
    call_name(c, c->f->text);
}

/* ---- ~ ---- */

/* "~" and "~/x" are below where the session began, "~user/x" below that user's home. 0 or errno. */
static int tilde_expand(struct files *f, const char *path, char *out, size_t cap)
{
    char name[256], home[PATH_MAX + 1];
    size_t n = strcspn(path + 1, "/");
    const char *rest = path + 1 + n;
    if (n == 0) {
        if (!getcwd(home, sizeof home)) return errno;
    } else if (n >= sizeof name || (size_t)snprintf(name, sizeof name, "%.*s", (int)n, path + 1) != n || !user_home(f, name, home, sizeof home)) {
        return ENOENT;
    }
    return (size_t)snprintf(out, cap, "%s%s", home, rest) < cap ? 0 : ENAMETOOLONG;
}

void do_expand(struct files_call *c)
{
    char room[SHOWN_MAX], path[PATH_MAX + 1];
    log_line(LOG_LEVEL_VERBOSE, "expand \"%s\"", shown(c->path, room));
    if (c->path[0] != '~') {
        resolve(c, c->path[0] ? c->path : ".");
        return;
    }
    int error = tilde_expand(c->f, c->path, path, sizeof path);
    if (error) call_errno(c, error);
    else resolve(c, path);
}

void do_home(struct files_call *c)
{
    char name[256], room[SHOWN_MAX];
    if (bytes_to_str(c->op->text, name, sizeof name) != ERR_NONE || !user_home(c->f, name[0] ? name : c->f->user.name, c->f->text, sizeof c->f->text)) {
        call_status(c, SSH_FX_FAILURE);
        return;
    }
    log_line(LOG_LEVEL_VERBOSE, "home-directory \"%s\"", shown(c->f->text, room));
    call_name(c, c->f->text);
}

static bool text_add(char *out, size_t cap, size_t *n, const char *s)
{
    int added = snprintf(out + *n, cap - *n, "%s", s);
    if (added < 0 || (size_t)added >= cap - *n) return false;
    *n += (size_t)added;
    return true;
}

bool start_expand(const struct files *f, const char *text, char *out, size_t cap)
{
    char uid[16];
    size_t n = 0;
    snprintf(uid, sizeof uid, "%u", (unsigned)getuid());
    out[0] = 0;
    if (text[0] == '~' && (text[1] == 0 || text[1] == '/')) {
        if (!text_add(out, cap, &n, f->user.home)) return false;
        text++;
    }
    for (; *text; text++) {
        const char one[2] = {*text, 0};
        const char *put = one;
        if (*text == '%') {
            text++;
            put = *text == 'd' ? f->user.home : *text == 'u' ? f->user.name : *text == 'U' ? uid : *text == '%' ? "%" : NULL;
        }
        if (!put || !text_add(out, cap, &n, put)) return false;
    }
    return true;
}

/* ---- users-groups-by-id ---- */

static void names_write(struct files *f, struct wr *w, struct bytes ids, const char *(*name)(struct files *f, uint32_t id, const char *unknown))
{
    for (size_t at = 0; at + 4 <= ids.n; at += 4) wr_cstring(w, name(f, get_u32(ids.p + at), ""));
}

void do_ids(struct files_call *c)
{
    struct files *f = c->f;
    names_write(f, out_begin(&f->out), c->op->uids, user_name);
    names_write(f, out_begin(&f->out2), c->op->gids, group_name);
    if (wr_done(&f->out) != ERR_NONE || wr_done(&f->out2) != ERR_NONE || f->out.n + f->out2.n > FILES_NAMES_MAX) {
        call_status(c, SSH_FX_FAILURE);
        return;
    }
    log_line(LOG_LEVEL_VERBOSE, "users-groups-by-id: %zu users, %zu groups", c->op->uids.n / 4, c->op->gids.n / 4);
    *c->out = (struct sftp_result){.kind = SFTP_NAMES_OF_IDS, .id = c->op->id, .data = wr_bytes(&f->out), .data2 = wr_bytes(&f->out2)};
}

/* ---- file systems ---- */

static void call_vfs(struct files_call *c, int returned, const struct statvfs *v)
{
    enum { VFS_READ_ONLY = 1, VFS_NO_SUID = 2 };        /* PROTOCOL 4.4 */
    if (returned != 0) {
        call_errno(c, errno);
        return;
    }
    uint64_t flag = (v->f_flag & ST_RDONLY ? VFS_READ_ONLY : 0) | (v->f_flag & ST_NOSUID ? VFS_NO_SUID : 0);
    *c->out = (struct sftp_result){
        .kind = SFTP_VFS, .id = c->op->id,
        .vfs = {.bsize = v->f_bsize, .frsize = v->f_frsize, .blocks = v->f_blocks, .bfree = v->f_bfree, .bavail = v->f_bavail, .files = v->f_files,
                .ffree = v->f_ffree, .favail = v->f_favail, .fsid = v->f_fsid, .flag = flag, .namemax = v->f_namemax}};
}

void do_statvfs(struct files_call *c)
{
    struct statvfs v;
    char room[SHOWN_MAX];
    log_line(LOG_LEVEL_INFO, "statvfs \"%s\"", shown(c->path, room));
    call_vfs(c, statvfs(c->path, &v), &v);
}

void do_fstatvfs(struct files_call *c)
{
    struct statvfs v;
    char room[SHOWN_MAX];
    log_line(LOG_LEVEL_INFO, "fstatvfs \"%s\"", entry_shown(c->f, c->op->handle, room, sizeof room));
    call_vfs(c, fstatvfs(c->fd, &v), &v);
}

static uint64_t blocks_bytes(uint64_t blocks, uint64_t size)
{
    uint64_t bytes;
    return __builtin_mul_overflow(blocks, size, &bytes) ? UINT64_MAX : bytes;
}

/* draft-ietf-secsh-filexfer-extensions-00 5; quotas are not known here: the user's share is all that a user may fill. */
void do_space(struct files_call *c)
{
    struct statvfs v;
    char room[SHOWN_MAX];
    log_line(LOG_LEVEL_INFO, "space-available \"%s\"", shown(c->path, room));
    if (statvfs(c->path, &v) != 0) {
        call_errno(c, errno);
        return;
    }
    uint64_t kept = v.f_bfree - v.f_bavail;
    *c->out = (struct sftp_result){
        .kind = SFTP_SPACE, .id = c->op->id,
        .space = {.total = blocks_bytes(v.f_blocks, v.f_frsize), .unused = blocks_bytes(v.f_bfree, v.f_frsize),
                  .user_total = blocks_bytes(v.f_blocks - kept, v.f_frsize), .user_unused = blocks_bytes(v.f_bavail, v.f_frsize),
                  .unit = (uint32_t)v.f_bsize}};
}
