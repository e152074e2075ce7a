/* SPDX-License-Identifier: ISC */
/* The legacy protocol's sender. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "legacy.h"
#include "line.h"
#include "scp.h"

#define DEPTH_MAX 64

static void source_one(struct wire *w, const char *name, unsigned depth);

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* A line; the name's newlines would end it: they go as \012. */
static bool line_send(struct wire *w, const char *head, const char *name)
{
    char text[3 * SCP_LINE_MAX];
    struct wr out = wr_span((struct span){(uint8_t *)text, sizeof text});
    wr_text(&out, head);
    for (const char *p = name; *p; p++) {
        if (*p == '\n') wr_text(&out, "\\012");
        else wr_u8(&out, (uint8_t)*p);
    }
    wr_u8(&out, '\n');
    if (wr_done(&out) != ERR_NONE) return false;
    wire_write(w, text, out.n);
    return wire_answer(w);
}

static bool times_send(struct wire *w, const struct stat *st)
{
    char head[128];
    if (!opt.preserve) return true;
    snprintf(head, sizeof head, "T%llu 0 %llu 0", (unsigned long long)(st->st_mtime < 0 ? 0 : st->st_mtime),
             (unsigned long long)(st->st_atime < 0 ? 0 : st->st_atime));
    return line_send(w, head, "");
}

/* As many bytes as were promised, whatever becomes of the file; then what became of it. */
static void data_send(struct wire *w, int fd, uint64_t size, const char *name)
{
    int error = 0;
    while (size) {
        size_t want = size < LEGACY_BUFFER ? (size_t)size : LEGACY_BUFFER;
        if (opt.limit_kbit && want > 16384) want = 16384;
        ssize_t n = error ? 0 : read(fd, w->buffer, want);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            if (!error) error = n < 0 ? errno : EIO;
            memset(w->buffer, 0, want);
            n = (ssize_t)want;
        }
        wire_write(w, w->buffer, (size_t)n);
        wire_limit(w, (size_t)n);
        size -= (size_t)n;
    }
    if (error) wire_error(w, "%s: %s", name, strerror(error));
    else wire_ok(w);
    (void)wire_answer(w);
}

static void folder_send(struct wire *w, const char *name, const struct stat *st, unsigned depth)
{
    char head[64], path[4096];
    DIR *d = opendir(name);
    if (!d) {
        wire_error(w, "%s: %s", name, strerror(errno));
        return;
    }
    snprintf(head, sizeof head, "D%04o 0 ", st->st_mode & 07777u);
    if (times_send(w, st) && line_send(w, head, last_part(name))) {
        for (const struct dirent *e; (e = readdir(d));) {
            if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
            int n = snprintf(path, sizeof path, "%s/%s", name, e->d_name);
            if (n < 0 || (size_t)n >= sizeof path) wire_error(w, "%s/%s: name too long", name, e->d_name);
            else source_one(w, path, depth + 1);
        }
        wire_write(w, "E\n", 2);
        (void)wire_answer(w);
    }
    closedir(d);
}

static void source_one(struct wire *w, const char *name, unsigned depth)
{
    char head[64];
    struct stat st;
    int fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        wire_error(w, "%s: %s", name, strerror(errno));
    } else if (S_ISDIR(st.st_mode) && opt.recursive) {
        if (depth < DEPTH_MAX) folder_send(w, name, &st, depth);
        else wire_error(w, "%s: maximum directory depth exceeded", name);
    } else if (!S_ISREG(st.st_mode)) {
        wire_error(w, "%s: not a regular file", name);
    } else {
        snprintf(head, sizeof head, "C%04o %llu ", st.st_mode & 07777u, (unsigned long long)st.st_size);
        if (times_send(w, &st) && line_send(w, head, last_part(name))) data_send(w, fd, (uint64_t)st.st_size, name);
    }
    if (fd >= 0) close(fd);
}

void source_send(struct wire *w, char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *name = strdup(names[i]);
        if (!name) scp_fatal("out of memory");
        for (size_t len = strlen(name); len > 1 && name[len - 1] == '/'; len--) name[len - 1] = 0;
        source_one(w, name, 0);
        free(name);
    }
}
