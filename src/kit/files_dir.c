/* SPDX-License-Identifier: ISC */
/* Folders: their entries in batches, each with the line that ls -l would show. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "files_impl.h"

/* ---- names of numbers ---- */

/* Where the root is somebody's chroot, a name service could load code from there: only the two text files are read. */
static bool user_in_file(uint32_t uid, char *out, size_t cap)
{
    FILE *file = fopen("/etc/passwd", "re");
    const struct passwd *p = NULL;
    while (file && (p = fgetpwent(file)) != NULL && p->pw_uid != uid) continue;
    if (p) snprintf(out, cap, "%s", p->pw_name);
    if (file) fclose(file);
    return p != NULL;
}

static bool group_in_file(uint32_t gid, char *out, size_t cap)
{
    FILE *file = fopen("/etc/group", "re");
    const struct group *g = NULL;
    while (file && (g = fgetgrent(file)) != NULL && g->gr_gid != gid) continue;
    if (g) snprintf(out, cap, "%s", g->gr_name);
    if (file) fclose(file);
    return g != NULL;
}

static bool user_find(const struct files *f, uint32_t uid, char *out, size_t cap)
{
    if (f->user.in_chroot) return user_in_file(uid, out, cap);
    const struct passwd *p = getpwuid(uid);
    if (p) snprintf(out, cap, "%s", p->pw_name);
    return p != NULL;
}

static bool group_find(const struct files *f, uint32_t gid, char *out, size_t cap)
{
    if (f->user.in_chroot) return group_in_file(gid, out, cap);
    const struct group *g = getgrgid(gid);
    if (g) snprintf(out, cap, "%s", g->gr_name);
    return g != NULL;
}

static const char *id_name(struct files *f, struct files_ids *ids, uint32_t id, const char *unknown,
                           bool (*find)(const struct files *f, uint32_t id, char *out, size_t cap))
{
    typeof(&ids->slot[0]) s = &ids->slot[id % FILES_IDS];
    if (s->name[0] == 0 || s->id != id) {
        s->id = id;
        s->known = find(f, id, s->name, sizeof s->name) && s->name[0] != 0;
        if (!s->known) snprintf(s->name, sizeof s->name, "%u", id);
    }
    return s->known || !unknown ? s->name : unknown;
}

const char *user_name(struct files *f, uint32_t uid, const char *unknown)
{
    return id_name(f, &f->users, uid, unknown, user_find);
}

const char *group_name(struct files *f, uint32_t gid, const char *unknown)
{
    return id_name(f, &f->groups, gid, unknown, group_find);
}

bool user_home(struct files *f, const char *name, char *out, size_t cap)
{
    const struct passwd *p = NULL;
    FILE *file = f->user.in_chroot ? fopen("/etc/passwd", "re") : NULL;
    if (!f->user.in_chroot) p = getpwnam(name);
    while (file && (p = fgetpwent(file)) != NULL && strcmp(p->pw_name, name) != 0) continue;
    bool found = p && (size_t)snprintf(out, cap, "%s", p->pw_dir) < cap;
    if (file) fclose(file);
    return found;
}

/* ---- ls -l ---- */

static void mode_text(mode_t mode, char out[12])
{
    static const char letters[] = "rwxrwxrwx";
    static const struct {
        mode_t type;
        char letter;
    } types[] = {{S_IFDIR, 'd'}, {S_IFREG, '-'}, {S_IFLNK, 'l'}, {S_IFCHR, 'c'}, {S_IFBLK, 'b'}, {S_IFIFO, 'p'}, {S_IFSOCK, 's'}};
    out[0] = '?';
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if ((mode & S_IFMT) == types[i].type) out[0] = types[i].letter;
    for (unsigned i = 0; i < 9; i++) out[1 + i] = mode & (0400u >> i) ? letters[i] : '-';
    if (mode & S_ISUID) out[3] = mode & S_IXUSR ? 's' : 'S';
    if (mode & S_ISGID) out[6] = mode & S_IXGRP ? 's' : 'S';
    if (mode & S_ISVTX) out[9] = mode & S_IXOTH ? 't' : 'T';
    out[10] = ' ', out[11] = 0;
}

/* Times within the last half year with the hour, all others with the year. */
static void time_text(time_t when, char *out, size_t cap)
{
    struct tm tm;
    time_t now = time(NULL);
    bool recent = when > now - 365 * 24 * 60 * 60 / 2 && when <= now;
    if (!localtime_r(&when, &tm) || strftime(out, cap, recent ? "%b %e %H:%M" : "%b %e  %Y", &tm) == 0) out[0] = 0;
}

static void long_name(struct files *f, const char *name, const struct stat *st, char *out, size_t cap)
{
    char mode[12], when[64];
    mode_text(st->st_mode, mode);
    time_text(st->st_mtime, when, sizeof when);
    snprintf(out, cap, "%s %3u %-8s %-8s %8llu %s %s", mode, (unsigned)st->st_nlink, user_name(f, st->st_uid, NULL), group_name(f, st->st_gid, NULL),
             (unsigned long long)st->st_size, when, name);
}

void do_readdir(struct files_call *c)
{
    struct files *f = c->f;
    struct files_entry *e = entry_find(f, c->op->handle);
    struct wr *w = out_begin(&f->out);
    const struct dirent *d;
    uint32_t count = 0;
    if (!e || !e->dir) {
        call_status(c, SSH_FX_FAILURE);
        return;
    }
    while (w->n < FILES_NAMES_MAX && (d = readdir(e->dir)) != NULL) {
        char line[2048];
        struct stat st;
        if (fstatat(dirfd(e->dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) continue;   /* gone meanwhile */
        long_name(f, d->d_name, &st, line, sizeof line);
        const struct sftp_name n = {.name = bytes_str(d->d_name), .longname = bytes_str(line), .attrs = files_attrs(&st)};
        sftp_name_write(w, &n);
        count++;
    }
    if (wr_done(w) != ERR_NONE) call_status(c, SSH_FX_FAILURE);
    else if (count == 0) call_status(c, SSH_FX_EOF);
    else *c->out = (struct sftp_result){.kind = SFTP_NAME, .id = c->op->id, .count = count, .names = wr_bytes(w)};
}
