/* SPDX-License-Identifier: ISC */
/* One file's way: a step a state. A step goes on at once, asks and waits for the reply, or cannot ask now. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "copier.h"
#include "os/clock.h"

enum step { STEP_ON, STEP_ASKED, STEP_AGAIN };

struct file *file_new(struct folder *folder, struct bytes name)
{
    struct file *f = calloc(1, sizeof *f);
    if (!f) return NULL;
    f->fd[FROM] = f->fd[TO] = -1;
    f->bad_at = UINT64_MAX;
    f->folder = folder;
    if (folder && !(f->name = bytes_dup_str(name))) {
        free(f);
        return NULL;
    }
    return f;
}

void file_free(struct file *f)
{
    for (int end = FROM; end <= TO; end++) {
        if (f->fd[end] >= 0) close(f->fd[end]);
        free(f->handle[end]);
        free(f->path[end]);
    }
    free(f->name);
    free(f->shown);
    free(f->part);
    free(f);
}

/* ---- names ---- */

const char *file_path(const struct file *f, int end)
{
    const char *p = f->folder ? tree_path(f->folder, end, f->name) : f->path[end];
    return p ? p : "(too long)";
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The name that is written to: the temporary one while there is one. NULL: too long. */
static const char *target_path(const struct file *f)
{
    if (!f->part) return f->folder ? tree_path(f->folder, TO, f->name) : f->path[TO];
    if (f->folder) return tree_path(f->folder, TO, f->part);
    static char path[SFTP_PATH_MAX + 256];
    int dir = (int)(last_part(f->path[TO]) - f->path[TO]);
    int n = snprintf(path, sizeof path, "%.*s%s", dir, f->path[TO], f->part);
    return n > 0 && n < SFTP_PATH_MAX ? path : NULL;
}

/* For calls relative to the folder's descriptor: an entry of a tree is one name, a job a path. */
static int target_dir(const struct file *f)
{
    return f->folder ? f->folder->fd[TO] : AT_FDCWD;
}

static const char *target_name(const struct file *f)
{
    if (!f->folder) return target_path(f);
    return f->part ? f->part : f->name;
}

/* The same name each time, so that an interrupted copy is found again. */
static bool part_make(struct file *f)
{
    const char *name = f->folder ? f->name : last_part(f->path[TO]);
    char part[256];
    snprintf(part, sizeof part, ".%.*s.part", 248, name);
    return (f->part = strdup(part)) != NULL;
}

/* ---- failing ---- */

void file_fail(struct copy *c, struct file *f, const char *fmt, ...)
{
    char line[3 * SFTP_PATH_MAX];
    if (f->failed) return;              /* one line a file */
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    copy_say(c, "%s", line);
    f->failed = true;
}

static enum step fail_to(struct file *f, enum file_state state)
{
    f->state = state;
    return STEP_ON;
}

/* OpenSSH's words for each direction: get, put, between servers. A macro, so that formats stay literals. */
#define WORDS(c, get, put, cross) ((c)->link[FROM] ? ((c)->link[TO] ? (cross) : (get)) : (put))

/* Ask for this file; trouble of our own making fails it. */
static enum step ask(struct copy *c, struct file *f, int end, const struct sftp_op *op)
{
    const char *why;
    if (copy_ask(c, end, op, ASK_FILE, f, &why)) return STEP_ASKED;
    if (!why) return STEP_AGAIN;
    file_fail(c, f, "\"%s\": %s", file_path(f, end), why);
    return fail_to(f, FILE_CLOSE);
}

static struct bytes handle_of(const struct file *f, int end)
{
    return bytes_of(f->handle[end], f->handle_n[end]);
}

/* ---- what the source is ---- */

/* It is a folder after all: it goes on as one. */
static enum step become_folder(struct copy *c, struct file *f)
{
    struct folder *d = folder_new(c, f->folder, bytes_str(f->name));
    if (!d) {
        c->err = ERR_NOMEM;
        return STEP_AGAIN;
    }
    d->attrs = f->attrs;
    d->chosen = f->chosen;
    d->shown = f->shown, f->shown = NULL;
    for (int end = FROM; end <= TO; end++) d->path[end] = f->path[end], f->path[end] = NULL;
    d->node.next = c->stack;
    c->stack = &d->node;
    if (f->folder) folder_child_done(c, f->folder);
    c->seen--;
    c->files_open--;
    file_free(f);
    return STEP_ASKED;
}

static enum step attrs_judge(struct copy *c, struct file *f)
{
    uint32_t type = f->attrs.flags & SSH_FILEXFER_ATTR_PERMISSIONS ? f->attrs.mode & S_IFMT : 0;
    if (type == S_IFDIR && c->s.recursive && (!f->folder || c->s.follow)) return become_folder(c, f);
    if (type && type != S_IFREG) {
        file_fail(c, f, WORDS(c, "download %s: not a regular file", "local \"%s\" is not a regular file", "download \"%s\": not a regular file"),
                  file_path(f, FROM));
        return fail_to(f, FILE_CLOSE);
    }
    f->size = f->attrs.flags & SSH_FILEXFER_ATTR_SIZE ? f->attrs.size : 0;
    f->state = FILE_SOURCE;
    return STEP_ON;
}

static void attrs_of_stat(struct file *f, const struct stat *st)
{
    f->attrs = (struct sftp_attrs){.flags = SSH_FILEXFER_ATTR_SIZE | SSH_FILEXFER_ATTR_PERMISSIONS | SSH_FILEXFER_ATTR_ACMODTIME,
        .size = (uint64_t)st->st_size, .mode = st->st_mode, .atime_s = (uint32_t)st->st_atime, .mtime_s = (uint32_t)st->st_mtime};
    f->attrs_known = true;
}

static enum step step_attrs(struct copy *c, struct file *f)
{
    struct stat st;
    if ((f->stopped = stop_asked(c))) return fail_to(f, FILE_END);
    if (!c->link[FROM] && f->folder) return fail_to(f, FILE_SOURCE);   /* the listing told its kind */
    if (!c->link[FROM]) {
        if (stat(f->path[FROM], &st) != 0) {
            file_fail(c, f, "stat local \"%s\": %s", f->path[FROM], strerror(errno));
            return fail_to(f, FILE_CLOSE);
        }
        attrs_of_stat(f, &st);
    }
    if (f->attrs_known && (f->attrs.mode & S_IFMT) != S_IFLNK) return attrs_judge(c, f);
    return ask(c, f, FROM, &(struct sftp_op){.verb = SFTP_VERB_STAT, .path = bytes_str(file_path(f, FROM))});
}

static void reply_attrs(struct copy *c, struct file *f, const struct sftp_result *r)
{
    if (r->kind != SFTP_ATTRS) {
        file_fail(c, f, "stat remote: %s", link_status_text(r->status));
        f->state = FILE_CLOSE;
        return;
    }
    f->attrs = r->attrs;
    f->attrs_known = true;
    if ((f->attrs.mode & S_IFMT) == S_IFLNK) f->attrs.mode = S_IFIFO;   /* a STAT that says so would be asked for ever */
}

/* ---- opening ---- */

static enum step step_source(struct copy *c, struct file *f)
{
    struct stat st;
    f->begun_us = c->meter.on ? clock_us() : 0;
    if (c->link[FROM])
        return ask(c, f, FROM, &(struct sftp_op){.verb = SFTP_VERB_OPEN, .path = bytes_str(file_path(f, FROM)), .flags = SSH_FXF_READ});
    int flags = O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC | (f->folder && !c->s.follow ? O_NOFOLLOW : 0);
    f->fd[FROM] = openat(f->folder ? f->folder->fd[FROM] : AT_FDCWD, f->folder ? f->name : f->path[FROM], flags);
    if (f->fd[FROM] < 0 || fstat(f->fd[FROM], &st) != 0) {
        file_fail(c, f, "open local \"%s\": %s", file_path(f, FROM), strerror(errno));
        return fail_to(f, FILE_CLOSE);
    }
    attrs_of_stat(f, &st);
    if (!S_ISREG(st.st_mode)) {
        file_fail(c, f, "local \"%s\" is not a regular file", file_path(f, FROM));
        return fail_to(f, FILE_CLOSE);
    }
    f->size = (uint64_t)st.st_size;
    f->state = FILE_TARGET;
    return STEP_ON;
}

static bool handle_keep(struct copy *c, struct file *f, int end, const struct sftp_result *r)
{
    if (r->kind != SFTP_HANDLE) {
        const char *label = end == FROM ? WORDS(c, "remote", "", "origin") : "dest";
        file_fail(c, f, "%s open \"%s\": %s", label, end == FROM ? file_path(f, FROM) : target_path(f),
                  link_status_text(r->status == SSH_FX_OK ? SSH_FX_FAILURE : r->status));
        f->state = FILE_CLOSE;
        return false;
    }
    f->handle_n[end] = r->handle.n;
    if (!(f->handle[end] = malloc(r->handle.n ? r->handle.n : 1))) {
        c->err = ERR_NOMEM;
        return false;
    }
    if (r->handle.n) memcpy(f->handle[end], r->handle.p, r->handle.n);
    return true;
}

static void reply_source(struct copy *c, struct file *f, const struct sftp_result *r)
{
    if (handle_keep(c, f, FROM, r)) f->state = FILE_TARGET;
}

static uint32_t mode_of(const struct file *f)
{
    return f->attrs.flags & SSH_FILEXFER_ATTR_PERMISSIONS ? f->attrs.mode & 0777 : 0666;
}

static enum step target_remote(struct copy *c, struct file *f)
{
    uint32_t flags = SSH_FXF_WRITE | SSH_FXF_CREAT | (c->s.new_only ? SSH_FXF_EXCL : 0);
    bool keep = c->s.resume || (c->s.in_place && !f->part && !(f->folder && f->folder->created));
    if (!keep) flags |= SSH_FXF_TRUNC, f->fresh = true;
    return ask(c, f, TO, &(struct sftp_op){.verb = SFTP_VERB_OPEN, .path = bytes_str(target_path(f)), .flags = flags,
        .attrs = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .mode = mode_of(f)}});
}

static enum step target_local(struct copy *c, struct file *f)
{
    struct stat st;
    /* What the server had a say in never leads elsewhere, nor waits for a FIFO's other end. */
    int flags = O_WRONLY | O_CREAT | O_NOCTTY | O_CLOEXEC | (f->folder || f->chosen || f->part ? O_NOFOLLOW | O_NONBLOCK : 0);
    if (!c->s.resume && !c->s.in_place) flags |= O_TRUNC;
    if (c->s.new_only) flags |= O_EXCL;
    if (f->part && !c->s.resume) {
        (void)unlinkat(target_dir(f), target_name(f), 0);
        flags |= O_EXCL;
    }
    f->fd[TO] = openat(target_dir(f), target_name(f), flags, mode_of(f) | S_IWUSR);
    if (f->fd[TO] < 0 || fstat(f->fd[TO], &st) != 0) {
        file_fail(c, f, "open local \"%s\": %s", target_path(f), strerror(errno));
        return fail_to(f, FILE_CLOSE);
    }
    bool regular = S_ISREG(st.st_mode);
    if (!regular && flags & O_NOFOLLOW) {
        file_fail(c, f, "local \"%s\" is not a regular file", target_path(f));
        return fail_to(f, FILE_CLOSE);
    }
    f->fresh = !regular || st.st_size == 0;
    f->target_size = regular ? (uint64_t)st.st_size : 0;
    f->state = c->s.resume && regular ? FILE_SIZE : FILE_DATA;
    return STEP_ON;
}

static enum step step_target(struct copy *c, struct file *f)
{
    if ((f->stopped = stop_asked(c))) return fail_to(f, FILE_CLOSE);
    if (c->s.atomic && !f->part && !part_make(f)) {
        c->err = ERR_NOMEM;
        return STEP_AGAIN;
    }
    if (!target_path(f)) {
        file_fail(c, f, "%s: name too long", f->name ? f->name : f->path[TO]);
        return fail_to(f, FILE_CLOSE);
    }
    return c->link[TO] ? target_remote(c, f) : target_local(c, f);
}

static void reply_target(struct copy *c, struct file *f, const struct sftp_result *r)
{
    if (handle_keep(c, f, TO, r)) f->state = c->s.resume ? FILE_SIZE : FILE_DATA;
}

/* ---- resuming ---- */

static enum step step_size(struct copy *c, struct file *f)
{
    if (c->link[TO]) return ask(c, f, TO, &(struct sftp_op){.verb = SFTP_VERB_FSTAT, .handle = handle_of(f, TO)});
    f->state = FILE_CHECK;
    return STEP_ON;
}

static void reply_size(struct copy *c, struct file *f, const struct sftp_result *r)
{
    (void)c;
    f->target_size = r->kind == SFTP_ATTRS && r->attrs.flags & SSH_FILEXFER_ATTR_SIZE ? r->attrs.size : 0;
    f->state = FILE_CHECK;
}

static enum step step_check(struct copy *c, struct file *f)
{
    if (f->target_size && !check_possible(c) && c->s.resume_trust && f->target_size > f->size) {
        file_fail(c, f, WORDS(c, "Unable to resume download of \"%s\": local file is larger than remote",
            "resume \"%s\": destination file same size or larger", "resume \"%s\": destination file same size or larger"),
            file_path(f, c->link[TO] ? FROM : TO));
        return fail_to(f, FILE_CLOSE);
    }
    if (f->target_size) {
        enum check r = check_resume(c, f);
        if (r != CHECK_DONE) return r == CHECK_ASKED ? STEP_ASKED : STEP_AGAIN;
    }
    f->state = f->target_size > f->start ? FILE_CUT : FILE_DATA;
    if (f->target_size == f->start) f->fresh = true;
    c->out.resent += f->start;
    return STEP_ON;
}

static enum step step_cut(struct copy *c, struct file *f)
{
    struct sftp_attrs size = {.flags = SSH_FILEXFER_ATTR_SIZE, .size = f->start};
    if (c->link[TO]) return ask(c, f, TO, &(struct sftp_op){.verb = SFTP_VERB_FSETSTAT, .handle = handle_of(f, TO), .attrs = size});
    if (ftruncate(f->fd[TO], (off_t)f->start) != 0) {
        file_fail(c, f, "local ftruncate \"%s\": %s", file_path(f, TO), strerror(errno));
        return fail_to(f, FILE_CLOSE);
    }
    f->fresh = true;
    f->state = FILE_DATA;
    return STEP_ON;
}

static void reply_cut(struct copy *c, struct file *f, const struct sftp_result *r)
{
    bool ok = r->kind == SFTP_STATUS && r->status == SSH_FX_OK;
    if (!ok) file_fail(c, f, "remote fsetstat: %s", link_status_text(r->status));
    f->fresh = ok;
    f->state = ok ? FILE_DATA : FILE_CLOSE;
}

static enum step step_data(struct copy *c, struct file *f)
{
    data_begin(c, f);
    return STEP_ASKED;
}

/* ---- the end of the data: length, mode, times, disk ---- */

/* How long the target is to be, when it may be longer than what was copied. */
static bool length_wrong(const struct file *f, uint64_t *out)
{
    uint64_t whole = f->have;
    if (f->bad_at < whole) whole = f->bad_at;
    if (f->fault.lost && f->fault.at < whole) whole = f->fault.at;
    *out = whole;
    return !f->fresh || f->laned || whole < f->have;
}

static void set_local(struct copy *c, struct file *f)
{
    uint64_t length;
    struct stat st;
    int fd = f->fd[TO];
    if (length_wrong(f, &length) && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size != length &&
        ftruncate(fd, (off_t)length) != 0)
        file_fail(c, f, "local ftruncate \"%s\": %s", file_path(f, TO), strerror(errno));
    if (f->failed || f->stopped || !c->s.preserve) return;
    if (f->attrs.flags & SSH_FILEXFER_ATTR_PERMISSIONS && fchmod(fd, f->attrs.mode & 0777) != 0)
        copy_say(c, "local chmod \"%s\": %s", file_path(f, TO), strerror(errno));
    struct timespec t[2] = {{.tv_sec = (time_t)f->attrs.atime_s}, {.tv_sec = (time_t)f->attrs.mtime_s}};
    if (f->attrs.flags & SSH_FILEXFER_ATTR_ACMODTIME && futimens(fd, t) != 0)
        copy_say(c, "local set times \"%s\": %s", file_path(f, TO), strerror(errno));
}

static enum step step_set(struct copy *c, struct file *f)
{
    struct sftp_attrs a = {0};
    if (!c->link[TO]) {
        if (f->fd[TO] >= 0) set_local(c, f);
        return fail_to(f, FILE_SYNC);
    }
    if (length_wrong(f, &a.size)) a.flags = SSH_FILEXFER_ATTR_SIZE;
    if (c->s.preserve && !f->failed && !f->stopped) {
        a.flags |= f->attrs.flags & (SSH_FILEXFER_ATTR_PERMISSIONS | SSH_FILEXFER_ATTR_ACMODTIME);
        a.mode = f->attrs.mode & 0777;
        a.atime_s = f->attrs.atime_s, a.mtime_s = f->attrs.mtime_s;
    }
    if (!a.flags) return fail_to(f, FILE_SYNC);
    return ask(c, f, TO, &(struct sftp_op){.verb = SFTP_VERB_FSETSTAT, .handle = handle_of(f, TO), .attrs = a});
}

static void reply_set(struct copy *c, struct file *f, const struct sftp_result *r)
{
    uint64_t length;
    f->state = FILE_SYNC;
    if (r->kind == SFTP_STATUS && r->status == SSH_FX_OK) return;
    if (length_wrong(f, &length)) file_fail(c, f, "remote fsetstat: %s", link_status_text(r->status));
    else copy_say(c, "remote fsetstat: %s", link_status_text(r->status));
}

static enum step step_sync(struct copy *c, struct file *f)
{
    f->state = FILE_CLOSE;
    if (!(c->s.fsync || c->s.atomic) || f->failed || f->stopped) return STEP_ON;
    if (!c->link[TO]) {
        if (fsync(f->fd[TO]) != 0 && errno != EINVAL && errno != EROFS)
            file_fail(c, f, "local sync \"%s\": %s", file_path(f, TO), strerror(errno));
        return STEP_ON;
    }
    if (!sftp_client_has(c->link[TO]->client, SFTP_VERB_FSYNC)) return STEP_ON;
    f->state = FILE_SYNC;
    return ask(c, f, TO, &(struct sftp_op){.verb = SFTP_VERB_FSYNC, .handle = handle_of(f, TO)});
}

static void reply_sync(struct copy *c, struct file *f, const struct sftp_result *r)
{
    if (r->kind != SFTP_STATUS || r->status != SSH_FX_OK) file_fail(c, f, "remote fsync: %s", link_status_text(r->status));
    f->state = FILE_CLOSE;
}

/* ---- closing ---- */

static enum step step_close(struct copy *c, struct file *f)
{
    if (f->handle[TO]) return ask(c, f, TO, &(struct sftp_op){.verb = SFTP_VERB_CLOSE, .handle = handle_of(f, TO)});
    if (f->fd[TO] >= 0 && close(f->fd[TO]) != 0 && errno != EINTR)     /* a quota may only tell now */
        file_fail(c, f, "close local \"%s\": %s", file_path(f, TO), strerror(errno));
    f->fd[TO] = -1;
    f->state = FILE_CLOSE_SOURCE;
    return STEP_ON;
}

static void reply_close(struct copy *c, struct file *f, const struct sftp_result *r)
{
    if (r->kind != SFTP_STATUS || r->status != SSH_FX_OK) file_fail(c, f, "close remote: %s", link_status_text(r->status));
    free(f->handle[TO]);
    f->handle[TO] = NULL;
    f->state = FILE_CLOSE_SOURCE;
}

static enum step step_close_source(struct copy *c, struct file *f)
{
    if (f->handle[FROM] && !handle_forget(c, FROM, handle_of(f, FROM))) return STEP_AGAIN;
    free(f->handle[FROM]);
    f->handle[FROM] = NULL;
    if (!c->s.verify && f->fd[FROM] >= 0) close(f->fd[FROM]), f->fd[FROM] = -1;
    bool good = !f->failed && !f->stopped;
    f->check_at = 0;
    f->state = good ? (c->s.verify ? FILE_VERIFY : FILE_RENAME) : FILE_REMOVE;
    return STEP_ON;
}

static enum step step_verify(struct copy *c, struct file *f)
{
    enum check r = check_verify(c, f);
    if (r != CHECK_DONE) return r == CHECK_ASKED ? STEP_ASKED : STEP_AGAIN;
    f->state = f->failed ? FILE_REMOVE : FILE_RENAME;
    return STEP_ON;
}

/* ---- the name ---- */

static enum step rename_ask(struct copy *c, struct file *f, enum sftp_verb verb)
{
    struct sftp_op op = {.verb = verb, .path = bytes_str(target_path(f)), .path2 = bytes_str(file_path(f, TO))};
    return ask(c, f, TO, &op);
}

static enum step step_rename(struct copy *c, struct file *f)
{
    if (!f->part) return fail_to(f, FILE_END);
    if (c->link[TO])
        return rename_ask(c, f, sftp_client_has(c->link[TO]->client, SFTP_VERB_POSIX_RENAME) ? SFTP_VERB_POSIX_RENAME : SFTP_VERB_RENAME);
    if (renameat(target_dir(f), target_name(f), target_dir(f), f->folder ? f->name : f->path[TO]) == 0) return fail_to(f, FILE_END);
    file_fail(c, f, "rename local \"%s\": %s", file_path(f, TO), strerror(errno));
    return fail_to(f, FILE_REMOVE);
}

static void reply_rename(struct copy *c, struct file *f, const struct sftp_result *r)
{
    if (r->kind == SFTP_STATUS && r->status == SSH_FX_OK) f->state = FILE_END;
    else if (!sftp_client_has(c->link[TO]->client, SFTP_VERB_POSIX_RENAME)) f->state = FILE_RENAME_OVER;
    else {
        file_fail(c, f, "remote rename \"%s\": %s", file_path(f, TO), link_status_text(r->status));
        f->state = FILE_REMOVE;
    }
}

/* A plain RENAME takes no name that is in use (draft 6.5): make it free first. */
static enum step step_rename_over(struct copy *c, struct file *f)
{
    return ask(c, f, TO, &(struct sftp_op){.verb = SFTP_VERB_REMOVE, .path = bytes_str(file_path(f, TO))});
}

static void reply_rename_over(struct copy *c, struct file *f, const struct sftp_result *r)
{
    (void)c, (void)r;
    f->state = FILE_RENAME_AGAIN;
}

static enum step step_rename_again(struct copy *c, struct file *f)
{
    return rename_ask(c, f, SFTP_VERB_RENAME);
}

static void reply_rename_again(struct copy *c, struct file *f, const struct sftp_result *r)
{
    f->state = FILE_END;
    if (r->kind == SFTP_STATUS && r->status == SSH_FX_OK) return;
    file_fail(c, f, "remote rename \"%s\": %s", file_path(f, TO), link_status_text(r->status));
    f->state = FILE_REMOVE;
}

/* A temporary name that came to nothing; one that can be resumed stays. */
static enum step step_remove(struct copy *c, struct file *f)
{
    f->state = FILE_END;
    if (!f->part || c->s.resume || f->stopped || !target_path(f)) return STEP_ON;
    if (!c->link[TO]) {
        (void)unlinkat(target_dir(f), target_name(f), 0);
        return STEP_ON;
    }
    f->state = FILE_REMOVE;
    return ask(c, f, TO, &(struct sftp_op){.verb = SFTP_VERB_REMOVE, .path = bytes_str(target_path(f))});
}

static void reply_remove(struct copy *c, struct file *f, const struct sftp_result *r)
{
    (void)c, (void)r;
    f->state = FILE_END;
}

/* ---- the end ---- */

static void tell_end(struct copy *c, const struct file *f)
{
    char from[SFTP_PATH_MAX];
    if (!f->failed) {
        uint64_t now = clock_us();
        if (c->meter.on)
            meter_draw(&c->meter, &(struct meter_facts){.of = f, .name = f->name ? f->name : f->path[FROM], .size = f->bytes, .bytes = f->bytes,
                .start = f->start, .begun_us = f->begun_us ? f->begun_us : now, .now_us = now, .done = true});
        return;
    }
    snprintf(from, sizeof from, "%s", file_path(f, FROM));
    if (f->folder) {
        copy_say(c, WORDS(c, "Download of file %s to %s failed", "upload \"%s\" to \"%s\" failed", "crossload \"%s\" to \"%s\" failed"), from,
                 file_path(f, TO));
        f->folder->failed = true;
    } else if (c->s.tell_uploads && !c->link[FROM]) {
        copy_say(c, "failed to upload file %s to %s", from, f->shown);
    }
}

static enum step step_end(struct copy *c, struct file *f)
{
    struct folder *folder = f->folder;
    if (f->failed) c->out.failed++;
    else if (!f->stopped && !stop_asked(c)) c->out.files++, c->out.bytes += f->have - f->start;
    if (!f->stopped) tell_end(c, f);
    c->files_open--;
    file_free(f);
    if (folder) folder_child_done(c, folder);
    return STEP_ASKED;
}

/* ---- the tables ---- */

static enum step (*const steps[FILE_STATES])(struct copy *, struct file *) = {
    [FILE_ATTRS] = step_attrs, [FILE_SOURCE] = step_source, [FILE_TARGET] = step_target, [FILE_SIZE] = step_size, [FILE_CHECK] = step_check,
    [FILE_CUT] = step_cut, [FILE_DATA] = step_data, [FILE_SET] = step_set, [FILE_SYNC] = step_sync, [FILE_CLOSE] = step_close,
    [FILE_CLOSE_SOURCE] = step_close_source, [FILE_VERIFY] = step_verify, [FILE_RENAME] = step_rename, [FILE_RENAME_OVER] = step_rename_over,
    [FILE_RENAME_AGAIN] = step_rename_again, [FILE_REMOVE] = step_remove, [FILE_END] = step_end,
};

static void (*const replies[FILE_STATES])(struct copy *, struct file *, const struct sftp_result *) = {
    [FILE_ATTRS] = reply_attrs, [FILE_SOURCE] = reply_source, [FILE_TARGET] = reply_target, [FILE_SIZE] = reply_size,
    [FILE_CHECK] = check_resume_reply, [FILE_CUT] = reply_cut, [FILE_SET] = reply_set, [FILE_SYNC] = reply_sync, [FILE_CLOSE] = reply_close,
    [FILE_VERIFY] = check_verify_reply, [FILE_RENAME] = reply_rename, [FILE_RENAME_OVER] = reply_rename_over,
    [FILE_RENAME_AGAIN] = reply_rename_again, [FILE_REMOVE] = reply_remove,
};

bool file_step(struct copy *c, struct file *f)
{
    for (;;) {
        enum step r = steps[f->state](c, f);
        if (r != STEP_ON) return r == STEP_ASKED;
        if (c->err != ERR_NONE) return true;
    }
}

void file_reply(struct copy *c, struct file *f, const struct sftp_result *r)
{
    replies[f->state](c, f, r);
    node_ready(c, &f->node);
}
