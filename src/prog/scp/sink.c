/* SPDX-License-Identifier: ISC */
/* The legacy protocol's receiver. The peer names files and folders; here it is decided which of those names are made, and where. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "legacy.h"
#include "line.h"
#include "os/fd.h"
#include "scp.h"

#define DEPTH_MAX 128

struct sink {
    struct wire *wire;
    const char *request;                /* NULL: not ours to judge */
    bool first;                         /* no line has come */
    bool follow;                        /* links in a tree: the far end's peer is its user */
    mode_t umask;
};

/* Where entries go: into a folder by name, or (top, target is no folder) to one path. */
struct level {
    int dir;                            /* AT_FDCWD: names are paths */
    const char *path;                   /* for messages; the target itself when !into */
    bool into;
    unsigned depth;
};

NORETURN static void screwed_up(struct sink *s, const char *why)
{
    wire_error(s->wire, "protocol error: %s", why);
    exit(1);
}

/* The next line, without its newline. False: end of file where one is allowed. */
static bool line_read(struct sink *s, char *out, size_t *n)
{
    uint8_t c;
    *n = 0;
    if (!wire_byte(s->wire, &c)) return false;
    while (c != '\n') {
        if (*n + 1 >= SCP_LINE_MAX) screwed_up(s, "line too long");
        out[(*n)++] = (char)c;
        if (!wire_byte(s->wire, &c)) screwed_up(s, "lost connection");
    }
    out[*n] = 0;
    return true;
}

/* ---- which names ---- */

/* Is the last part of a request one that only the far shell can work out? */
static bool request_opaque(const char *request)
{
    const char *slash = strrchr(request, '/');
    const char *last = slash && slash[1] ? slash + 1 : request;
    return !*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0 || strpbrk(last, "$`~'\"\\;|&<> \t/") != NULL;
}

static void name_judge(struct sink *s, const struct level *at, struct bytes name)
{
    bool asked = true;
    char shown[1024];
    if (!scp_name_valid(name)) {
        wire_error(s->wire, "error: unexpected filename: %s", escape_str(name, shown, sizeof shown));
        exit(1);
    }
    if (!s->request || opt.lax || at->depth || (opt.recursive && request_opaque(s->request))) return;
    if (scp_name_asked((const char *)name.p, s->request, &asked) != ERR_NONE) asked = false;
    if (!asked) screwed_up(s, "filename does not match request");
}

static char *entry_path(const struct level *at, const char *name)
{
    size_t n = strlen(at->path);
    char *p = malloc(n + strlen(name) + 2);
    if (!p) scp_fatal("out of memory");
    if (at->into) snprintf(p, n + strlen(name) + 2, "%s/%s", at->path, name);
    else memcpy(p, at->path, n + 1);
    return p;
}

/* What openat and the like take for an entry of this level. */
static const char *entry_name(const struct level *at, const char *path, const char *name)
{
    return at->dir == AT_FDCWD ? path : name;
}

/* ---- files ---- */

struct times {
    bool set;
    struct timespec t[2];
};

/* A file's bytes come whatever happens to them here. The first trouble in error[]. */
static void data_receive(struct sink *s, int fd, uint64_t size, const char *path, char *error, size_t cap)
{
    struct wire *w = s->wire;
    while (size) {
        size_t want = size < LEGACY_BUFFER ? (size_t)size : LEGACY_BUFFER;
        if (opt.limit_kbit && want > 16384) want = 16384;
        size_t n = wire_read(w, w->buffer, want);
        if (n == 0) {
            wire_error(w, "dropped connection");
            exit(1);
        }
        wire_limit(w, n);
        size -= n;
        if (!*error && fd_write(fd, bytes_of(w->buffer, n)) != ERR_NONE) snprintf(error, cap, "%s: %s", path, strerror(errno));
    }
}

/* Mode, length and times. Set-id bits are the sender's business on its own machine only: they are never taken over. */
static void file_finish(struct sink *s, int fd, const struct scp_line *l, bool existed, const char *path, char *error, size_t cap)
{
    struct stat st;
    bool regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if (*error) return;
    if (regular && ftruncate(fd, (off_t)l->size) != 0) snprintf(error, cap, "%s: truncate: %s", path, strerror(errno));
    mode_t mode = l->mode & 0777;
    bool narrow = !(mode & S_IWUSR);
    if (opt.preserve && regular && fchmod(fd, mode) != 0 && !*error) snprintf(error, cap, "%s: set mode: %s", path, strerror(errno));
    if (!opt.preserve && !existed && narrow && regular && fchmod(fd, mode & ~s->umask) != 0 && !*error)
        snprintf(error, cap, "%s: set mode: %s", path, strerror(errno));
}

static void file_receive(struct sink *s, const struct level *at, const struct scp_line *l, const char *name, const struct times *times)
{
    char error[4352] = "", *path = entry_path(at, name);
    bool inside = at->depth > 0 || (at->into && s->request);
    int flags = O_WRONLY | O_CREAT | O_NOCTTY | O_CLOEXEC | (inside && !s->follow ? O_NOFOLLOW | O_NONBLOCK : 0);
    const char *entry = entry_name(at, path, name);
    bool existed = faccessat(at->dir, entry, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    int fd = openat(at->dir, entry, flags, (l->mode & 0777) | S_IWUSR);
    if (fd < 0) {
        wire_error(s->wire, "%s: %s", path, strerror(errno));
        free(path);
        return;
    }
    wire_ok(s->wire);
    data_receive(s, fd, l->size, path, error, sizeof error);
    file_finish(s, fd, l, existed, path, error, sizeof error);
    bool good = wire_answer(s->wire);
    if (times->set && !*error && futimens(fd, times->t) != 0) snprintf(error, sizeof error, "%s: set times: %s", path, strerror(errno));
    if (close(fd) != 0 && !*error) snprintf(error, sizeof error, "%s: close: %s", path, strerror(errno));
    if (*error) wire_error(s->wire, "%s", error);
    else if (good || s->wire->out >= 0) wire_ok(s->wire);
    free(path);
}

/* ---- folders ---- */

static void level_receive(struct sink *s, const struct level *at);

static void folder_receive(struct sink *s, const struct level *at, const struct scp_line *l, const char *name, const struct times *times)
{
    if (!opt.recursive) screwed_up(s, "received directory without -r");
    if (at->depth >= DEPTH_MAX) screwed_up(s, "maximum directory depth exceeded");
    char *path = entry_path(at, name);
    const char *entry = entry_name(at, path, name);
    mode_t mode = l->mode & 0777;
    bool inside = at->depth > 0 || (at->into && s->request);
    bool made = mkdirat(at->dir, entry, mode | S_IRWXU) == 0;
    int dir = made || errno == EEXIST
        ? openat(at->dir, entry, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (inside && !s->follow ? O_NOFOLLOW : 0)) : -1;
    if (dir < 0) {
        wire_error(s->wire, "%s: %s", path, strerror(errno == ELOOP ? ENOTDIR : errno));
        free(path);
        return;
    }
    level_receive(s, &(struct level){.dir = dir, .path = path, .into = true, .depth = at->depth + 1});
    if (times->set && futimens(dir, times->t) != 0) wire_error(s->wire, "%s: set times: %s", path, strerror(errno));
    /* One that was there keeps its mode, unless the user asked for modes and it is not the target itself. */
    if (made || (opt.preserve && at->depth)) (void)!fchmod(dir, opt.preserve ? mode : mode & ~s->umask);
    close(dir);
    free(path);
}

/* ---- lines ---- */

/* False: the level has ended. */
static bool line_take(struct sink *s, const struct level *at, struct times *times)
{
    char text[SCP_LINE_MAX], name[256];
    const char *why;
    struct scp_line l;
    size_t n;
    if (!line_read(s, text, &n)) {
        if (at->depth) screwed_up(s, "lost connection");
        return false;
    }
    if (scp_line_parse(bytes_of(text, n), &l, &why) != ERR_NONE) screwed_up(s, why);
    bool first = s->first;
    s->first = false;
    switch (l.kind) {
    case SCP_LINE_WARNING:
    case SCP_LINE_FATAL:
        wire_show(s->wire, l.name);
        if (!opt.status) opt.status = 1;
        if (l.kind == SCP_LINE_FATAL) exit(1);
        return true;
    case SCP_LINE_END: wire_ok(s->wire); return false;
    case SCP_LINE_TIMES:
        *times = (struct times){.set = opt.preserve, .t = {{.tv_sec = (time_t)l.atime_s}, {.tv_sec = (time_t)l.mtime_s}}};
        wire_ok(s->wire);
        return true;
    case SCP_LINE_OTHER:
        if (!first) screwed_up(s, "expected control record");
        wire_error(s->wire, "%s", text);        /* what the far shell says before scp starts */
        exit(1);
    case SCP_LINE_FILE:
    case SCP_LINE_FOLDER: break;
    }
    name_judge(s, at, l.name);
    if (bytes_to_str(l.name, name, sizeof name) != ERR_NONE) screwed_up(s, "unexpected filename");
    if (l.kind == SCP_LINE_FILE) file_receive(s, at, &l, name, times);
    else folder_receive(s, at, &l, name, times);
    times->set = false;
    return true;
}

static void level_receive(struct sink *s, const struct level *at)
{
    struct times times = {0};
    wire_ok(s->wire);
    while (line_take(s, at, &times)) {}
}

void sink_receive(struct wire *w, const char *target, const char *request)
{
    struct stat st;
    struct sink s = {.wire = w, .request = request, .first = true, .follow = w->far};
    s.umask = umask(0);
    umask(s.umask);
    bool folder = stat(target, &st) == 0 && S_ISDIR(st.st_mode);
    if (opt.to_folder && !folder) {
        wire_error(w, "%s: %s", target, strerror(stat(target, &st) == 0 ? ENOTDIR : errno));
        exit(1);
    }
    level_receive(&s, &(struct level){.dir = AT_FDCWD, .path = target, .into = folder});
}
