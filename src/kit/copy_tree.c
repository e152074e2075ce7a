/* SPDX-License-Identifier: ISC */
/* Folders: made before what is in them, listed while that is copied, and given their modes and times when all of it is done. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "copier.h"

#define LOCAL_BATCH 256             /* entries of a local folder a step */

struct folder *folder_new(struct copy *c, struct folder *parent, struct bytes name)
{
    struct folder *f = calloc(1, sizeof *f);
    if (!f) return NULL;
    if (parent && !(f->name = bytes_dup_str(name))) {
        free(f);
        return NULL;
    }
    f->node.is_folder = true;
    f->fd[FROM] = f->fd[TO] = -1;
    f->parent = parent;
    f->depth = parent ? parent->depth + 1 : 0;
    f->refs = 1;
    if (parent) parent->refs++;
    c->folders_alive++;
    return f;
}

static void folder_free(struct copy *c, struct folder *f)
{
    if (f->dir) closedir(f->dir);
    for (int end = FROM; end <= TO; end++) {
        if (f->fd[end] >= 0) close(f->fd[end]);
        free(f->path[end]);
    }
    free(f->name);
    free(f->shown);
    free(f);
    c->folders_alive--;
}

static const char *folder_path(const struct folder *f, int end)
{
    const char *p = tree_path(f, end, NULL);
    return p ? p : "(too long)";
}

/* ---- failing and ending ---- */

static void folder_idle(struct copy *c, struct folder *f)
{
    if (f->at_work) c->folders_busy--;
    f->at_work = false;
}

/* Its own share of the work is over; children may still be at work. */
static bool folder_listed(struct copy *c, struct folder *f)
{
    f->state = FOLDER_CHILDREN;
    folder_idle(c, f);
    folder_child_done(c, f);
    return true;
}

static void folder_fail(struct folder *f)
{
    f->failed = true;
    f->state = FOLDER_CHILDREN;
}

/* The last one that needed it is done: f goes on to its end. Called for each child and once for itself. */
void folder_child_done(struct copy *c, struct folder *f)
{
    if (--f->refs) return;
    f->state = FOLDER_SET;
    f->finishing = true;
    node_ready(c, &f->node);
}

static bool ask(struct copy *c, struct folder *f, int end, const struct sftp_op *op, enum ask_kind kind)
{
    const char *why;
    if (copy_ask(c, end, op, kind, f, &why)) return true;
    if (!why) return false;
    copy_say(c, "\"%s\": %s", folder_path(f, end), why);
    folder_fail(f);
    return folder_listed(c, f);
}

/* ---- making it ---- */

static uint32_t mode_of(const struct folder *f)
{
    return f->attrs.flags & SSH_FILEXFER_ATTR_PERMISSIONS ? f->attrs.mode & 01777 : 0777;
}

static void tell(const struct copy *c, struct folder *f)
{
    char line[4 * SFTP_PATH_MAX + 64];
    if (!c->s.tell_folders) return;
    struct wr w = wr_span((struct span){(uint8_t *)line, sizeof line});
    wr_text(&w, c->link[FROM] ? "Retrieving " : "Entering ");
    escape_write(&w, bytes_str(folder_path(f, FROM)), "");
    if (!c->link[FROM] && !f->parent) wr_text(&w, f->path[FROM][strlen(f->path[FROM]) - 1] == '/' ? "" : "/");
    wr_text(&w, "\n");
    if (wr_done(&w) == ERR_NONE) (void)!fwrite(line, 1, w.n, stdout);
    fflush(stdout);
}

/* Made with what its owner needs to fill it; what it shall have comes at the end. */
static bool make_local(struct copy *c, struct folder *f)
{
    bool inside = f->parent != NULL;
    int dir = inside ? f->parent->fd[TO] : AT_FDCWD;
    const char *name = inside ? f->name : f->path[TO];
    f->created = mkdirat(dir, name, mode_of(f) | S_IWUSR | S_IXUSR) == 0;
    if (!f->created && errno != EEXIST) {
        copy_say(c, "mkdir %s: %s", folder_path(f, TO), strerror(errno));
        folder_fail(f);
        return folder_listed(c, f);
    }
    /* A name that the server had a say in is never a way elsewhere. */
    f->fd[TO] = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (inside || f->chosen ? O_NOFOLLOW : 0));
    if (f->fd[TO] < 0 && (errno == ENOTDIR || errno == ELOOP)) copy_say(c, "\"%s\" is not a directory", folder_path(f, TO));
    else if (f->fd[TO] < 0) copy_say(c, "open local \"%s\": %s", folder_path(f, TO), strerror(errno));
    if (f->fd[TO] < 0) {
        folder_fail(f);
        return folder_listed(c, f);
    }
    f->state = FOLDER_OPEN;
    return folder_step(c, f);
}

static bool step_make(struct copy *c, struct folder *f)
{
    if (f->depth >= DEPTH_MAX) {
        copy_say(c, "Maximum directory depth exceeded: %d levels", (int)f->depth);
        folder_fail(f);
        return folder_listed(c, f);
    }
    tell(c, f);
    if (!c->link[TO]) return make_local(c, f);
    struct sftp_op op = {.verb = SFTP_VERB_MKDIR, .path = bytes_str(folder_path(f, TO)),
        .attrs = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .mode = mode_of(f) | S_IWUSR | S_IXUSR}};
    return ask(c, f, TO, &op, ASK_FOLDER);
}

/* Version 3 has no status for "is there already". */
static void reply_make(struct copy *c, struct folder *f, const struct sftp_result *r)
{
    (void)c;
    f->created = r->kind == SFTP_STATUS && r->status == SSH_FX_OK;
    f->empty_lists = r->status;         /* kept for the words, if it is not there */
    f->state = f->created ? FOLDER_OPEN : FOLDER_LOOK;
}

static bool step_look(struct copy *c, struct folder *f)
{
    return ask(c, f, TO, &(struct sftp_op){.verb = SFTP_VERB_STAT, .path = bytes_str(folder_path(f, TO))}, ASK_FOLDER);
}

static void reply_look(struct copy *c, struct folder *f, const struct sftp_result *r)
{
    f->state = FOLDER_OPEN;
    if (r->kind == SFTP_ATTRS && S_ISDIR(r->attrs.mode)) {
        f->empty_lists = 0;
        return;
    }
    if (r->kind == SFTP_ATTRS) copy_say(c, "\"%s\" exists but is not a directory", folder_path(f, TO));
    else copy_say(c, "remote mkdir \"%s\": %s", folder_path(f, TO), link_status_text(f->empty_lists));
    folder_fail(f);
}

/* ---- its listing ---- */

static bool step_open(struct copy *c, struct folder *f)
{
    struct stat st;
    f->empty_lists = 0;
    if (c->link[FROM]) return ask(c, f, FROM, &(struct sftp_op){.verb = SFTP_VERB_OPENDIR, .path = bytes_str(folder_path(f, FROM))}, ASK_FOLDER);
    int dir = f->parent ? f->parent->fd[FROM] : AT_FDCWD;
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (f->parent && !c->s.follow ? O_NOFOLLOW : 0);
    f->fd[FROM] = openat(dir, f->parent ? f->name : f->path[FROM], flags);
    int own = f->fd[FROM] >= 0 ? openat(f->fd[FROM], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (own >= 0 && !(f->dir = fdopendir(own))) close(own);
    if (!f->dir || fstat(f->fd[FROM], &st) != 0) {
        copy_say(c, "local opendir \"%s\": %s", folder_path(f, FROM), strerror(errno));
        folder_fail(f);
        return folder_listed(c, f);
    }
    f->attrs = (struct sftp_attrs){.flags = SSH_FILEXFER_ATTR_PERMISSIONS | SSH_FILEXFER_ATTR_ACMODTIME, .mode = st.st_mode,
        .atime_s = (uint32_t)st.st_atime, .mtime_s = (uint32_t)st.st_mtime};
    f->state = FOLDER_LIST;
    return folder_step(c, f);
}

static void reply_open(struct copy *c, struct folder *f, const struct sftp_result *r)
{
    if (r->kind != SFTP_HANDLE) {
        copy_say(c, "remote readdir(\"%s\"): %s", folder_path(f, FROM), link_status_text(r->status));
        folder_fail(f);
        return;
    }
    memcpy(f->handle, r->handle.p, r->handle.n);
    f->handle_n = r->handle.n;
    f->state = FOLDER_LIST;
}

static void tell_irregular(struct copy *c, struct folder *f, struct bytes name)
{
    char n[256], path[SFTP_PATH_MAX];
    if (bytes_to_str(name, n, sizeof n) != ERR_NONE) return;
    const char *full = tree_path(f, FROM, n);
    snprintf(path, sizeof path, "%s", full ? full : n);
    if (!c->link[FROM]) copy_say(c, "%s: not a regular file", n);
    else if (c->link[TO]) copy_say(c, "origin \"%s\": not a regular file", path);
    else copy_say(c, "download \"%s\": not a regular file", path);
}

static void entry_file(struct copy *c, struct folder *f, struct bytes name, const struct sftp_attrs *attrs)
{
    struct file *child = file_new(f, name);
    if (!child) {
        c->err = ERR_NOMEM;
        return;
    }
    if (attrs) child->attrs = *attrs, child->attrs_known = attrs->flags & SSH_FILEXFER_ATTR_PERMISSIONS;
    f->refs++;
    c->seen++;
    node_push(&c->queue, &child->node);
}

static void entry_folder(struct copy *c, struct folder *f, struct bytes name, const struct sftp_attrs *attrs)
{
    struct folder *child = folder_new(c, f, name);
    if (!child) {
        c->err = ERR_NOMEM;
        return;
    }
    if (attrs) child->attrs = *attrs;
    child->node.next = c->stack;
    c->stack = &child->node;
}

/* One entry by its kind; 0: not known, which only the source itself can tell. */
static void entry_add(struct copy *c, struct folder *f, struct bytes name, uint32_t type, const struct sftp_attrs *attrs)
{
    if (type == S_IFDIR) entry_folder(c, f, name, attrs);
    else if (type == S_IFREG || type == 0 || (type == S_IFLNK && c->s.follow)) entry_file(c, f, name, attrs);
    else tell_irregular(c, f, name);
}

static uint32_t local_type(struct copy *c, struct folder *f, const struct dirent *d)
{
    struct stat st;
    if (d->d_type == DT_REG) return S_IFREG;
    if (d->d_type == DT_DIR) return S_IFDIR;
    if (fstatat(f->fd[FROM], d->d_name, &st, c->s.follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0) return S_IFREG;     /* opening it tells why */
    return st.st_mode & S_IFMT;
}

static bool step_list_local(struct copy *c, struct folder *f)
{
    for (int i = 0; i < LOCAL_BATCH; i++) {
        errno = 0;
        const struct dirent *d = readdir(f->dir);
        if (!d) {
            if (errno) copy_say(c, "local readdir \"%s\": %s", folder_path(f, FROM), strerror(errno)), f->failed = true;
            closedir(f->dir);
            f->dir = NULL;
            return folder_listed(c, f);
        }
        struct bytes name = bytes_str(d->d_name);
        if (name_valid(name)) entry_add(c, f, name, local_type(c, f, d), NULL);
    }
    node_ready(c, &f->node);
    return true;
}

static bool step_list(struct copy *c, struct folder *f)
{
    if (stop_asked(c)) {
        f->failed = true;
        if (f->handle_n) return handle_forget(c, FROM, bytes_of(f->handle, f->handle_n)) && folder_listed(c, f);
        return folder_listed(c, f);
    }
    if (c->queue.count >= QUEUE_MAX) return false;      /* its entries have nowhere to go now */
    if (!c->link[FROM]) return step_list_local(c, f);
    return ask(c, f, FROM, &(struct sftp_op){.verb = SFTP_VERB_READDIR, .handle = bytes_of(f->handle, f->handle_n)}, ASK_LIST);
}

/* The names are the server's: those that are no plain names are left out, with a line. */
static bool entries_take(struct copy *c, struct folder *f, struct bytes names)
{
    struct sftp_name n;
    bool some = false;
    while (sftp_name_next(&names, &n) && c->err == ERR_NONE) {
        if (bytes_is(n.name, ".") || bytes_is(n.name, "..")) continue;
        if (!name_valid(n.name)) {
            char shown[1024];
            copy_say(c, "Server sent suspect path \"%s\" during readdir of \"%s\"", escape_str(n.name, shown, sizeof shown), folder_path(f, FROM));
            f->failed = true;
            continue;
        }
        some = true;
        entry_add(c, f, n.name, n.attrs.flags & SSH_FILEXFER_ATTR_PERMISSIONS ? n.attrs.mode & S_IFMT : 0, &n.attrs);
    }
    return some;
}

void folder_list_reply(struct copy *c, struct folder *f, const struct sftp_result *r)
{
    node_ready(c, &f->node);
    if (r->kind == SFTP_NAME) {
        f->empty_lists = entries_take(c, f, r->names) ? 0 : f->empty_lists + 1;
        if (f->empty_lists < EMPTY_LISTS_MAX) return;
        copy_say(c, "remote readdir \"%s\" failed", folder_path(f, FROM));
        f->failed = true;
    } else if (r->status != SSH_FX_EOF) {
        copy_say(c, "Couldn't read directory: %s", link_status_text(r->status));
        copy_say(c, "remote readdir \"%s\" failed", folder_path(f, FROM));
        f->failed = true;
    }
    f->state = FOLDER_CHILDREN;
}

/* ---- its end ---- */

static void set_local(struct copy *c, struct folder *f)
{
    struct timespec t[2] = {{.tv_sec = (time_t)f->attrs.atime_s}, {.tv_sec = (time_t)f->attrs.mtime_s}};
    if (c->s.preserve && f->attrs.flags & SSH_FILEXFER_ATTR_ACMODTIME && futimens(f->fd[TO], t) != 0)
        copy_say(c, "local set times on \"%s\": %s", folder_path(f, TO), strerror(errno));
    bool narrow = (mode_of(f) & (S_IWUSR | S_IXUSR)) != (S_IWUSR | S_IXUSR);
    if (f->created && (narrow || c->s.preserve) && fchmod(f->fd[TO], mode_of(f)) != 0)
        copy_say(c, "local chmod directory \"%s\": %s", folder_path(f, TO), strerror(errno));
}

static bool step_set(struct copy *c, struct folder *f)
{
    struct sftp_attrs a = {0};
    bool there = c->link[TO] ? f->handle_n || f->fd[FROM] >= 0 : f->fd[TO] >= 0;
    f->state = FOLDER_END;
    if (!there) return folder_step(c, f);
    if (!c->link[TO]) {
        set_local(c, f);
        return folder_step(c, f);
    }
    if (f->created) a.flags |= SSH_FILEXFER_ATTR_PERMISSIONS, a.mode = mode_of(f);
    if (c->s.preserve) a.flags |= f->attrs.flags & SSH_FILEXFER_ATTR_ACMODTIME, a.atime_s = f->attrs.atime_s, a.mtime_s = f->attrs.mtime_s;
    if (!a.flags) return folder_step(c, f);
    f->state = FOLDER_SET;
    const char *why;
    struct sftp_op op = {.verb = SFTP_VERB_SETSTAT, .path = bytes_str(folder_path(f, TO)), .attrs = a};
    if (copy_ask(c, TO, &op, ASK_FOLDER, f, &why)) return true;
    if (!why) return false;
    f->state = FOLDER_END;
    return folder_step(c, f);
}

static void reply_set(struct copy *c, struct folder *f, const struct sftp_result *r)
{
    f->state = FOLDER_END;
    if (r->status != SSH_FX_OK) copy_say(c, "remote setstat \"%s\": %s", folder_path(f, TO), link_status_text(r->status));
}

static bool step_end(struct copy *c, struct folder *f)
{
    struct folder *parent = f->parent;
    if (f->failed) {
        c->out.failed++;
        if (parent) parent->failed = true;
        else if (c->s.tell_uploads && !c->link[FROM] && !stop_asked(c))
            copy_say(c, "failed to upload directory %s to %s", f->path[FROM], f->shown);
    }
    folder_free(c, f);
    if (parent) folder_child_done(c, parent);
    return true;
}

/* ---- the tables ---- */

static bool step_attrs(struct copy *c, struct folder *f)
{
    if (stop_asked(c)) {
        f->failed = true;
        return folder_listed(c, f);
    }
    f->state = FOLDER_MAKE;
    return step_make(c, f);
}

/* Its listing has ended, or there is none. */
static bool step_children(struct copy *c, struct folder *f)
{
    if (f->handle_n && !handle_forget(c, FROM, bytes_of(f->handle, f->handle_n))) return false;
    return folder_listed(c, f);
}

bool folder_step(struct copy *c, struct folder *f)
{
    static bool (*const steps[])(struct copy *, struct folder *) = {
        [FOLDER_ATTRS] = step_attrs, [FOLDER_MAKE] = step_make, [FOLDER_LOOK] = step_look, [FOLDER_OPEN] = step_open,
        [FOLDER_LIST] = step_list, [FOLDER_CHILDREN] = step_children, [FOLDER_SET] = step_set, [FOLDER_END] = step_end,
    };
    return steps[f->state](c, f);
}

void folder_reply(struct copy *c, struct folder *f, const struct sftp_result *r)
{
    static void (*const replies[])(struct copy *, struct folder *, const struct sftp_result *) = {
        [FOLDER_MAKE] = reply_make, [FOLDER_LOOK] = reply_look, [FOLDER_OPEN] = reply_open, [FOLDER_SET] = reply_set,
    };
    replies[f->state](c, f, r);
    node_ready(c, &f->node);
}
