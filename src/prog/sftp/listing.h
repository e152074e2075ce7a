/* SPDX-License-Identifier: ISC */
/* How `ls` and `df` show things: lines, columns, orders, sizes. What a server sent is made safe for a terminal here. */
#ifndef PROG_SFTP_LISTING_H
#define PROG_SFTP_LISTING_H

#include "base/wr.h"
#include "sftp/message.h"

struct entry {
    char *name;                 /* as it is to be shown, raw */
    char *longname;             /* the server's own line, raw; NULL: none */
    struct sftp_attrs attrs;
};
struct entries {
    struct entry *v;
    size_t count;
};
/* Copies. ERR_NOMEM; ERR_BUDGET beyond a million. */
MUST_USE enum err entries_add(struct entries *e, struct bytes name, struct bytes longname, const struct sftp_attrs *attrs);
void entries_clear(struct entries *e);

enum order { ORDER_NONE, ORDER_NAME, ORDER_SIZE, ORDER_TIME };
void entries_sort(struct entries *e, enum order order, bool reverse);

/* Like `ls -l`; links are not known: "?". user, group NULL: numbers. human: 1.5K for 1536. now_s tells whether the year is shown. */
void long_line_write(struct wr *w, const struct entry *e, bool human, const char *user, const char *group, int64_t now_s);
/* Columns as wide as the widest name and `extra` cells, on a line of `width`; width 0: one a line. */
void columns_write(struct wr *w, const struct entries *e, size_t width, size_t extra);
/* Four figures at most and a letter for powers of 1024; "1.5K", "  3" and so on without blanks: "3B". */
void size_write(struct wr *w, uint64_t bytes);
/* Safe for a terminal; backslashes stay single, as scripts expect. Cells it takes. */
size_t name_write(struct wr *w, struct bytes name);

/* `df`: its two lines. */
enum df_form { DF_KB, DF_HUMAN, DF_INODES };
void df_write(struct wr *w, const struct sftp_vfs *v, enum df_form form);

#endif
