/* SPDX-License-Identifier: ISC */
/* The executor's middle: what may be asked, who carries it out, own handles, opening. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "files_impl.h"

const char *shown(const char *path, char *room)
{
    return log_level() < LOG_LEVEL_INFO ? "" : escape_str(bytes_str(path), room, SHOWN_MAX);
}

struct wr *out_begin(struct wr *w)
{
    if (w->max == 0) *w = wr_heap(FILES_DATAGRAM_MAX);
    w->n = 0, w->err = ERR_NONE;
    return w;
}

/* ---- results ---- */

void call_status(struct files_call *c, uint32_t status)
{
    *c->out = (struct sftp_result){.kind = SFTP_STATUS, .id = c->op->id, .status = status, .text = bytes_str(sftp_status_text(status))};
}

void call_errno(struct files_call *c, int error)
{
    call_status(c, files_status(error));
}

void call_done(struct files_call *c, int returned)
{
    call_errno(c, returned == 0 ? 0 : errno);
}

void call_name(struct files_call *c, const char *path)
{
    const struct sftp_name n = {.name = bytes_str(path), .longname = bytes_str(path)};
    sftp_name_write(out_begin(&c->f->out), &n);
    if (wr_done(&c->f->out) != ERR_NONE) call_status(c, SSH_FX_FAILURE);
    else *c->out = (struct sftp_result){.kind = SFTP_NAME, .id = c->op->id, .count = 1, .names = wr_bytes(&c->f->out)};
}

static void call_handle(struct files_call *c, struct bytes handle)
{
    *c->out = (struct sftp_result){.kind = SFTP_HANDLE, .id = c->op->id, .handle = handle};
}

/* ---- own handles ---- */

static size_t entry_free_index(struct files *f)
{
    for (size_t i = f->free_hint; i < f->entry_count; i++)
        if (!f->entries[i].path) return i;
    if (f->entry_count >= FILES_OPEN_MAX) return SIZE_MAX;
    size_t n = f->entry_count ? f->entry_count * 2 : 16;
    struct files_entry *grown = realloc(f->entries, n * sizeof *grown);
    if (!grown) return SIZE_MAX;
    memset(grown + f->entry_count, 0, (n - f->entry_count) * sizeof *grown);
    f->entries = grown;
    size_t first = f->entry_count;
    f->entry_count = n;
    return first;
}

struct files_entry *entry_new(struct files *f, const char *path, struct bytes *handle)
{
    size_t i = entry_free_index(f);
    if (i == SIZE_MAX) return NULL;
    struct files_entry *e = &f->entries[i];
    *e = (struct files_entry){.path = strdup(path)};
    if (!e->path) return NULL;
    f->free_hint = i + 1;
    put_u32(f->handle, (uint32_t)i);
    *handle = bytes_of(f->handle, sizeof f->handle);
    return e;
}

struct files_entry *entry_find(struct files *f, struct bytes handle)
{
    if (handle.n < sizeof f->handle) return NULL;
    uint32_t i = get_u32(handle.p);
    return i < f->entry_count && f->entries[i].path ? &f->entries[i] : NULL;
}

void entry_free(struct files *f, struct files_entry *e)
{
    size_t i = (size_t)(e - f->entries);
    if (e->dir) closedir(e->dir);
    free(e->path);
    *e = (struct files_entry){0};
    if (i < f->free_hint) f->free_hint = i;
}

const char *entry_shown(struct files *f, struct bytes handle, char *room, size_t cap)
{
    const struct files_entry *e = entry_find(f, handle);
    return escape_str(bytes_str(e ? e->path : ""), room, cap);
}

struct bytes files_close_handle(uint8_t room[FILES_CLOSE_HANDLE], struct bytes handle, uint64_t read, uint64_t written, bool forced)
{
    memset(room, 0xff, 4);
    if (handle.n >= 4) memcpy(room, handle.p, 4);
    put_u64(room + 4, read), put_u64(room + 12, written);
    room[20] = forced;
    return bytes_of(room, FILES_CLOSE_HANDLE);
}

/* The counts are the asker's claim: the bytes never came by here. */
void files_close_log(struct files *f, const struct files_entry *e, struct bytes handle)
{
    char room[SHOWN_MAX];
    if (!f->log_files) return;
    if (!e->is_file) {
        log_line(LOG_LEVEL_INFO, "%sclosedir \"%s\"", handle.n ? "" : "forced ", shown(e->path, room));
        return;
    }
    bool counted = handle.n == FILES_CLOSE_HANDLE;
    log_line(LOG_LEVEL_INFO, "%sclose \"%s\" bytes read %llu written %llu", !counted || handle.p[20] ? "forced " : "", shown(e->path, room),
             counted ? (unsigned long long)get_u64(handle.p + 4) : 0, counted ? (unsigned long long)get_u64(handle.p + 12) : 0);
}

/* ---- opening, closing, looking ---- */

static int open_flags(uint32_t wanted)
{
    int flags = (wanted & (SSH_FXF_READ | SSH_FXF_WRITE)) == (SSH_FXF_READ | SSH_FXF_WRITE) ? O_RDWR : wanted & SSH_FXF_WRITE ? O_WRONLY : O_RDONLY;
    if (wanted & SSH_FXF_APPEND) flags |= O_APPEND;
    if (wanted & SSH_FXF_CREAT) flags |= O_CREAT;
    if (wanted & SSH_FXF_TRUNC) flags |= O_TRUNC;
    if (wanted & SSH_FXF_EXCL) flags |= O_EXCL;
    return flags;
}

static const char *open_flags_text(uint32_t wanted, char *room, size_t cap)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } rows[] = {{SSH_FXF_READ, "READ"}, {SSH_FXF_WRITE, "WRITE"}, {SSH_FXF_APPEND, "APPEND"},
                {SSH_FXF_CREAT, "CREATE"}, {SSH_FXF_TRUNC, "TRUNCATE"}, {SSH_FXF_EXCL, "EXCL"}};
    size_t n = 0;
    room[0] = 0;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (wanted & rows[i].bit && n < cap) n += (size_t)snprintf(room + n, cap - n, "%s%s", n ? "," : "", rows[i].name);
    return room;
}

/* Where READ or WRITE are refused, whoever gets the descriptor must not be able to do it either. */
static int open_narrow(const struct files *f, int flags)
{
    bool read = (flags & O_ACCMODE) != O_WRONLY && !(f->options.refused & 1ULL << SFTP_VERB_READ);
    bool write = (flags & O_ACCMODE) != O_RDONLY && !(f->options.refused & 1ULL << SFTP_VERB_WRITE);
    return read && write ? O_RDWR : write ? O_WRONLY : read ? O_RDONLY : O_PATH;
}

/* Never waits for a FIFO's other end or a device; a folder is no file. The descriptor leaves for a process that is jailed. */
static int open_file(struct files *f, const char *path, int flags, mode_t mode)
{
    struct stat st;
    int narrow = open_narrow(f, flags), more = O_NOCTTY | O_CLOEXEC | O_NONBLOCK;
    int fd = open(path, flags | more, mode);
    if (fd < 0 && errno == EWOULDBLOCK) fd = open(path, flags | (more & ~O_NONBLOCK), mode);   /* someone's lease: wait for it, as others do */
    if (fd < 0) return -1;
    int error = fstat(fd, &st) != 0 ? errno : S_ISDIR(st.st_mode) ? EISDIR : 0;
    if (error == 0 && narrow != (flags & O_ACCMODE)) {
        int less = open(path, narrow | (flags & O_APPEND) | more);
        if (less < 0) error = errno;
        close(fd);
        fd = less;
    }
    if (error == 0) return fd;
    if (fd >= 0) close(fd);
    errno = error;
    return -1;
}

void do_open(struct files_call *c)
{
    struct files *f = c->f;
    char room[SHOWN_MAX], flags_room[64];
    int flags = open_flags(c->op->flags);
    mode_t mode = c->op->attrs.flags & SSH_FILEXFER_ATTR_PERMISSIONS ? c->op->attrs.mode & 07777 : 0666;
    if (f->options.read_only && ((flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC | O_APPEND))) {
        log_line(LOG_LEVEL_VERBOSE, "Refusing open request in read-only mode");
        call_status(c, SSH_FX_PERMISSION_DENIED);
        return;
    }
    log_line(LOG_LEVEL_INFO, "open \"%s\" flags %s mode 0%o", shown(c->path, room), open_flags_text(c->op->flags, flags_room, sizeof flags_room),
             (unsigned)mode);
    struct bytes handle = {0};
    int fd = open_file(f, c->path, flags, mode);
    if (fd < 0) {
        call_errno(c, errno);
        return;
    }
    if (f->log_files) {
        struct files_entry *e = entry_new(f, c->path, &handle);
        if (e) e->is_file = true;
    }
    c->fd_out = fd;
    call_handle(c, handle);
}

/* The asker hashes: it gets what it reads from. */
void do_check_name(struct files_call *c)
{
    char room[SHOWN_MAX];
    log_line(LOG_LEVEL_INFO, "check-file \"%s\"", shown(c->path, room));
    c->fd_out = open_file(c->f, c->path, O_RDONLY, 0);
    if (c->fd_out < 0) call_errno(c, errno);
    else call_handle(c, (struct bytes){0});
}

void do_close(struct files_call *c)
{
    struct files_entry *e = entry_find(c->f, c->op->handle);
    if (!e) {
        call_status(c, SSH_FX_FAILURE);
        return;
    }
    files_close_log(c->f, e, c->op->handle);
    entry_free(c->f, e);
    call_status(c, SSH_FX_OK);
}

static void stat_with(struct files_call *c, const char *letter, int flags)
{
    struct stat st;
    char room[SHOWN_MAX];
    log_line(LOG_LEVEL_VERBOSE, "%sstat name \"%s\"", letter, shown(c->path, room));
    if (fstatat(AT_FDCWD, c->path, &st, flags) != 0) call_errno(c, errno);
    else *c->out = (struct sftp_result){.kind = SFTP_ATTRS, .id = c->op->id, .attrs = files_attrs(&st)};
}

void do_stat(struct files_call *c)
{
    stat_with(c, "", 0);
}

void do_lstat(struct files_call *c)
{
    stat_with(c, "l", AT_SYMLINK_NOFOLLOW);
}

void do_opendir(struct files_call *c)
{
    char room[SHOWN_MAX];
    struct bytes handle;
    log_line(LOG_LEVEL_INFO, "opendir \"%s\"", shown(c->path, room));
    DIR *dir = opendir(c->path);
    if (!dir) {
        call_errno(c, errno);
        return;
    }
    struct files_entry *e = entry_new(c->f, c->path, &handle);
    if (!e) {
        closedir(dir);
        call_status(c, SSH_FX_FAILURE);
        return;
    }
    e->dir = dir;
    call_handle(c, handle);
}

/* ---- the table ---- */

static files_doer *const doers[SFTP_VERB_COUNT] = {
    [SFTP_VERB_OPEN] = do_open, [SFTP_VERB_CLOSE] = do_close, [SFTP_VERB_LSTAT] = do_lstat, [SFTP_VERB_SETSTAT] = do_setstat,
    [SFTP_VERB_FSETSTAT] = do_fsetstat, [SFTP_VERB_OPENDIR] = do_opendir, [SFTP_VERB_READDIR] = do_readdir, [SFTP_VERB_REMOVE] = do_remove,
    [SFTP_VERB_MKDIR] = do_mkdir, [SFTP_VERB_RMDIR] = do_rmdir, [SFTP_VERB_REALPATH] = do_realpath, [SFTP_VERB_STAT] = do_stat,
    [SFTP_VERB_RENAME] = do_rename, [SFTP_VERB_READLINK] = do_readlink, [SFTP_VERB_SYMLINK] = do_symlink,
    [SFTP_VERB_POSIX_RENAME] = do_posix_rename, [SFTP_VERB_STATVFS] = do_statvfs, [SFTP_VERB_FSTATVFS] = do_fstatvfs,
    [SFTP_VERB_HARDLINK] = do_hardlink, [SFTP_VERB_FSYNC] = do_fsync, [SFTP_VERB_LSETSTAT] = do_lsetstat, [SFTP_VERB_EXPAND_PATH] = do_expand,
    [SFTP_VERB_COPY_DATA] = do_copy, [SFTP_VERB_HOME] = do_home, [SFTP_VERB_USERS_GROUPS] = do_ids, [SFTP_VERB_CHECK_FILE_NAME] = do_check_name,
    [SFTP_VERB_SPACE] = do_space,
};

unsigned files_fds_needed(enum sftp_verb verb)
{
    if (verb == SFTP_VERB_COPY_DATA) return 2;
    return verb == SFTP_VERB_FSETSTAT || verb == SFTP_VERB_FSTATVFS || verb == SFTP_VERB_FSYNC;
}

bool files_answers_fd(enum sftp_verb verb)
{
    return verb == SFTP_VERB_OPEN || verb == SFTP_VERB_CHECK_FILE_NAME;
}

/* What the settings refuse, in the log's words. */
static bool refused(const struct files *f, enum sftp_verb verb)
{
    const char *name = sftp_rows[verb].policy;
    if (f->options.read_only && sftp_rows[verb].changes) {
        log_line(LOG_LEVEL_VERBOSE, "Refusing %s request in read-only mode", name);
        return true;
    }
    if (!(f->options.refused & 1ULL << verb)) return false;
    log_line(LOG_LEVEL_VERBOSE, "Refusing %s %s request", f->options.denied & 1ULL << verb ? "denylisted" : "non-allowlisted", name);
    return true;
}

static void sent_log(const struct sftp_result *r)
{
    if (r->kind != SFTP_STATUS) return;
    bool good = r->status == SSH_FX_OK || r->status == SSH_FX_EOF;
    if (!good || log_level() > LOG_LEVEL_VERBOSE) log_line(LOG_LEVEL_INFO, "sent status %s", sftp_status_text(r->status));
}

void files_do(struct files *f, const struct sftp_op *op, const int fds[2], struct sftp_result *out, int *fd)
{
    struct files_call c = {.f = f, .op = op, .path = f->path, .path2 = f->path2, .fd = fds[0], .fd2 = fds[1], .out = out, .fd_out = -1};
    f->path[0] = f->path2[0] = 0;
    *fd = -1;
    bool known = op->verb < SFTP_VERB_COUNT && doers[op->verb];
    if (!known) {
        call_status(&c, SSH_FX_OP_UNSUPPORTED);
    } else if (bytes_to_str(op->path, f->path, sizeof f->path) != ERR_NONE || bytes_to_str(op->path2, f->path2, sizeof f->path2) != ERR_NONE) {
        call_status(&c, SSH_FX_BAD_MESSAGE);
    } else if (op->verb != SFTP_VERB_CLOSE && refused(f, op->verb)) {
        call_status(&c, SSH_FX_PERMISSION_DENIED);
    } else {
        doers[op->verb](&c);
    }
    sent_log(out);
    *fd = c.fd_out;
}

/* ---- a session ---- */

struct files *files_new(const struct files_options *o, const struct files_user *u)
{
    struct files *f = calloc(1, sizeof *f);
    if (!f) return NULL;
    f->options = *o, f->user = *u, f->line = -1;
    f->log_files = o->level >= LOG_LEVEL_INFO;
    log_line(LOG_LEVEL_INFO, "session opened for local user %s from [%s]", u->name, u->client ? u->client : "UNKNOWN");
    if (o->has_umask) umask(o->umask);
    if (o->start) {
        char room[SHOWN_MAX];
        bool fits = start_expand(f, o->start, f->text, sizeof f->text);
        if (!fits) log_line(LOG_LEVEL_ERROR, "start folder \"%s\" cannot be expanded", escape_str(bytes_str(o->start), room, sizeof room));
        else if (chdir(f->text) != 0) log_line(LOG_LEVEL_ERROR, "chdir to \"%s\" failed: %s", escape_str(bytes_str(f->text), room, sizeof room),
                                               strerror(errno));
    }
    return f;
}

void files_watch(struct files *f, int fd)
{
    f->line = fd;
}

void files_free(struct files *f)
{
    if (!f) return;
    for (size_t i = 0; i < f->entry_count; i++) {
        if (!f->entries[i].path) continue;
        files_close_log(f, &f->entries[i], (struct bytes){0});
        entry_free(f, &f->entries[i]);
    }
    log_line(LOG_LEVEL_INFO, "session closed for local user %s from [%s]", f->user.name, f->user.client ? f->user.client : "UNKNOWN");
    wr_clear(&f->out), wr_clear(&f->out2);
    free(f->entries);
    free(f);
}
