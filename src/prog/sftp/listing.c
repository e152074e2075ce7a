/* SPDX-License-Identifier: ISC */
#include "listing.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/text.h"

#define ENTRIES_MAX 4000000     /* of one listing, so that an endless one ends */

/* ---- the list ---- */

enum err entries_add(struct entries *e, struct bytes name, struct bytes longname, const struct sftp_attrs *attrs)
{
    if (e->count == ENTRIES_MAX) return ERR_BUDGET;
    if ((e->count & (e->count - 1)) == 0) {     /* a power of two is full */
        struct entry *v = realloc(e->v, (e->count ? 2 * e->count : 1) * sizeof *v);
        if (!v) return ERR_NOMEM;
        e->v = v;
    }
    struct entry n = {.name = strndup(name.n ? (const char *)name.p : "", name.n), .attrs = *attrs};
    if (longname.n) n.longname = strndup((const char *)longname.p, longname.n);
    if (!n.name || (longname.n && !n.longname)) {
        free(n.name);
        free(n.longname);
        return ERR_NOMEM;
    }
    e->v[e->count++] = n;
    return ERR_NONE;
}

void entries_clear(struct entries *e)
{
    for (size_t i = 0; i < e->count; i++) {
        free(e->v[i].name);
        free(e->v[i].longname);
    }
    free(e->v);
    *e = (struct entries){0};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* Largest first, newest first; the name decides between equals. */
static int by_number(uint64_t a, uint64_t b, const void *x, const void *y)
{
    return a == b ? by_name(x, y) : a < b ? 1 : -1;
}

static int by_size(const void *a, const void *b)
{
    return by_number(((const struct entry *)a)->attrs.size, ((const struct entry *)b)->attrs.size, a, b);
}

static int by_time(const void *a, const void *b)
{
    return by_number(((const struct entry *)a)->attrs.mtime_s, ((const struct entry *)b)->attrs.mtime_s, a, b);
}

void entries_sort(struct entries *e, enum order order, bool reverse)
{
    static int (*const orders[])(const void *, const void *) = {[ORDER_NAME] = by_name, [ORDER_SIZE] = by_size, [ORDER_TIME] = by_time};
    if (e->count == 0) return;
    if (order != ORDER_NONE) qsort(e->v, e->count, sizeof *e->v, orders[order]);
    for (size_t i = 0, j = e->count - 1; reverse && order != ORDER_NONE && i < j; i++, j--) {
        struct entry t = e->v[i];
        e->v[i] = e->v[j], e->v[j] = t;
    }
}

/* ---- its forms ---- */

size_t name_write(struct wr *w, struct bytes name)
{
    size_t from = w->n, cells = 0;
    escape_write(w, name, "\\");
    for (size_t i = from; i < w->n; i++) cells += (w->p[i] & 0xc0) != 0x80;
    return cells;
}

static void pad_write(struct wr *w, size_t n)
{
    while (n--) wr_u8(w, ' ');
}

/* Right-aligned in `width`. */
static void number_write(struct wr *w, uint64_t v, int width)
{
    wr_textf(w, "%*llu", width, (unsigned long long)v);
}

void size_write(struct wr *w, uint64_t bytes)
{
    static const char letters[] = "BKMGTPE";
    uint64_t whole = bytes, rest = 0;
    unsigned unit = 0;
    while (whole >= 1024) rest = whole % 1024, whole /= 1024, unit++;
    uint64_t tenth = (rest * 10 + 512) / 1024;
    if (tenth == 10) whole++, tenth = 0;
    if (unit == 0 || whole >= 100) wr_textf(w, "%llu%c", (unsigned long long)(whole + (tenth >= 5)), letters[unit]);
    else wr_textf(w, "%llu.%u%c", (unsigned long long)whole, (unsigned)tenth, letters[unit]);
}

/* The ten letters of `ls -l`. */
static void mode_write(struct wr *w, uint32_t mode)
{
    static const struct { uint32_t type; char letter; } types[] = {
        {S_IFDIR, 'd'}, {S_IFCHR, 'c'}, {S_IFBLK, 'b'}, {S_IFREG, '-'}, {S_IFLNK, 'l'}, {S_IFSOCK, 's'}, {S_IFIFO, 'p'},
    };
    char s[12] = "?---------";
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if ((mode & S_IFMT) == types[i].type) s[0] = types[i].letter;
    for (unsigned i = 0; i < 9; i++)
        if (mode >> (8 - i) & 1) s[1 + i] = "rwx"[i % 3];
    if (mode & S_ISUID) s[3] = mode & S_IXUSR ? 's' : 'S';
    if (mode & S_ISGID) s[6] = mode & S_IXGRP ? 's' : 'S';
    if (mode & S_ISVTX) s[9] = mode & S_IXOTH ? 't' : 'T';
    wr_text(w, s);
}

static void owner_write(struct wr *w, const char *name, uint32_t id)
{
    char number[16];
    struct wr n = wr_span((struct span){(uint8_t *)number, sizeof number});
    if (!name) {
        wr_textf(&n, "%u", id);
        size_t cells = name_write(w, wr_bytes(&n));
        pad_write(w, cells < 8 ? 8 - cells : 0);
        return;
    }
    size_t cells = name_write(w, bytes_str(name));
    pad_write(w, cells < 8 ? 8 - cells : 0);
}

static void time_write(struct wr *w, int64_t t_s, int64_t now_s)
{
    time_t t = (time_t)t_s;
    char text[64] = "";
    struct tm tm;
    bool recent = now_s - 365 * 24 * 60 * 60 / 2 < t_s;
    if (localtime_r(&t, &tm)) {
        if (recent) (void)strftime(text, sizeof text, "%b %e %H:%M", &tm);
        else (void)strftime(text, sizeof text, "%b %e  %Y", &tm);
    }
    wr_text(w, text);
}

void long_line_write(struct wr *w, const struct entry *e, bool human, const char *user, const char *group, int64_t now_s)
{
    const struct sftp_attrs *a = &e->attrs;
    struct wr size CLEANUP(wr_clear) = wr_heap(100);
    mode_write(w, a->flags & SSH_FILEXFER_ATTR_PERMISSIONS ? a->mode : 0);
    wr_text(w, "    ? ");
    owner_write(w, user, a->uid);
    wr_u8(w, ' ');
    owner_write(w, group, a->gid);
    wr_u8(w, ' ');
    if (human) size_write(&size, a->size);
    else wr_textf(&size, "%llu", (unsigned long long)a->size);
    pad_write(w, size.n < 8 ? 8 - size.n : 0);
    wr_raw(w, wr_bytes(&size));
    wr_u8(w, ' ');
    time_write(w, a->mtime_s, now_s);
    wr_u8(w, ' ');
    (void)name_write(w, bytes_str(e->name));
}

static size_t cells_of(const char *name)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(1 << 20);
    return name_write(&w, bytes_str(name));
}

void columns_write(struct wr *w, const struct entries *e, size_t width, size_t extra)
{
    size_t widest = 0, columns, space, at = 0;
    for (size_t i = 0; i < e->count; i++) {
        size_t n = cells_of(e->v[i].name);
        if (n > widest) widest = n;
    }
    columns = width / (widest + extra + 2);
    if (columns == 0) columns = 1;
    space = width / columns;
    for (size_t i = 0; i < e->count; i++) {
        size_t cells = name_write(w, bytes_str(e->v[i].name));
        pad_write(w, width && cells < space ? space - cells : 0);
        if (++at == columns) wr_u8(w, '\n'), at = 0;
    }
    if (at) wr_u8(w, '\n');
}

/* ---- df ---- */

static void human_write(struct wr *w, uint64_t bytes)
{
    struct wr s CLEANUP(wr_clear) = wr_heap(100);
    size_write(&s, bytes);
    pad_write(w, s.n < 7 ? 7 - s.n : 0);
    wr_raw(w, wr_bytes(&s));
    wr_u8(w, 'B');
}

static void share_write(struct wr *w, uint64_t used, uint64_t all)
{
    if (all == 0) wr_text(w, "         ERR\n");
    else wr_textf(w, "         %3llu%%\n", (unsigned long long)(100.0L * (long double)used / (long double)all));
}

void df_write(struct wr *w, const struct sftp_vfs *v, enum df_form form)
{
    uint64_t rows[3][4] = {
        [DF_KB] = {v->frsize * v->blocks / 1024, v->frsize * (v->blocks - v->bfree) / 1024, v->frsize * v->bavail / 1024,
                   v->frsize * v->bfree / 1024},
        [DF_HUMAN] = {v->frsize * v->blocks, v->frsize * (v->blocks - v->bfree), v->frsize * v->bavail, v->frsize * v->bfree},
        [DF_INODES] = {v->files, v->files - v->ffree, v->favail, v->ffree},
    };
    static const char *const heads[] = {
        [DF_KB] = "        Size         Used        Avail       (root)    %Capacity\n",
        [DF_HUMAN] = "    Size     Used    Avail   (root)    %Capacity\n",
        [DF_INODES] = "     Inodes        Used       Avail      (root)    %Capacity\n",
    };
    wr_text(w, heads[form]);
    for (unsigned i = 0; i < 4; i++) {
        if (i) wr_u8(w, ' ');
        if (form == DF_HUMAN) human_write(w, rows[form][i]);
        else number_write(w, rows[form][i], form == DF_KB ? 12 : 11);
    }
    if (form == DF_INODES) share_write(w, v->files - v->ffree, v->files);
    else share_write(w, v->blocks - v->bfree, v->blocks);
}
