/* SPDX-License-Identifier: ISC */
/* The inside of the executor, shared by files*.c. */
#ifndef KIT_FILES_IMPL_H
#define KIT_FILES_IMPL_H

#include <dirent.h>
#include <limits.h>

#include "kit/files.h"
#include "os/log.h"

#define FILES_OPEN_MAX 8192             /* folders, and with a log files too, that one session may hold open here */
#define FILES_NAMES_MAX 49152           /* bytes of names in one answer: with its head it fits a datagram, and any client's packet */
#define FILES_NAME_ROOM 8192            /* the longest entry: two names of 255 bytes, escapes not counted, and what ls says */

/* What an own handle stands for: a folder, or (for the log) a file that is open elsewhere. */
struct files_entry {
    DIR *dir;
    char *path;                         /* NULL: free */
    bool is_file;
};

/* Names of uids or gids seen lately. */
#define FILES_IDS 64
struct files_ids {
    struct { uint32_t id; bool known; char name[64]; } slot[FILES_IDS];
};

struct files {
    struct files_options options;
    struct files_user user;
    int line;                           /* to the asker, who is looked for during what takes long; -1: none */
    bool log_files;                     /* transactions are logged: files get handles */
    struct files_entry *entries;
    size_t entry_count, free_hint;
    struct files_ids users, groups;
    struct wr out, out2;                /* what results point into */
    uint8_t handle[4];
    char text[PATH_MAX + 1];
    char path[SFTP_PATH_MAX + 1], path2[SFTP_PATH_MAX + 1];     /* the request's, NUL-terminated */
};

/* A request under way. */
struct files_call {
    struct files *f;
    const struct sftp_op *op;
    const char *path, *path2;           /* as C strings; "" where there is none */
    int fd, fd2;                        /* brought along, or -1 */
    struct sftp_result *out;
    int fd_out;
};

/* STATUS of errno (0: OK), and of what a call returned. */
void call_errno(struct files_call *c, int error);
void call_done(struct files_call *c, int returned);
void call_status(struct files_call *c, uint32_t status);
/* NAME of one path. */
void call_name(struct files_call *c, const char *path);

/* Own handles. entry_new: NULL: too many or no memory; then path is not taken. */
struct files_entry *entry_new(struct files *f, const char *path, struct bytes *handle);
struct files_entry *entry_find(struct files *f, struct bytes handle);
void entry_free(struct files *f, struct files_entry *e);
/* The path that a handle stands for in the log, escaped into room. */
const char *entry_shown(struct files *f, struct bytes handle, char *room, size_t cap);
void files_close_log(struct files *f, const struct files_entry *e, struct bytes handle);

/* A path for the log, escaped; empty where transactions are not logged. */
#define SHOWN_MAX 1024
const char *shown(const char *path, char *room);

/* One of the two writers, empty again; what it grew to stays. */
struct wr *out_begin(struct wr *w);

/* The numbers' names; never NULL. `unknown`: what stands for one without a name (NULL: the number). */
const char *user_name(struct files *f, uint32_t uid, const char *unknown);
const char *group_name(struct files *f, uint32_t gid, const char *unknown);
/* A user's home folder; false: no such user. */
bool user_home(struct files *f, const char *name, char *out, size_t cap);

/* files_path.c: the path without links, "." and ".."; its last part need not be there. 0 or errno. */
int path_resolve(const char *path, char out[PATH_MAX + 1]);
/* -d's %d %u %U %% and ~. False: an unknown letter, or too long. */
bool start_expand(const struct files *f, const char *text, char *out, size_t cap);

/* What carries a verb out. */
typedef void files_doer(struct files_call *c);
files_doer do_open, do_close, do_check_name, do_stat, do_lstat, do_opendir, do_readdir;                       /* files.c, files_dir.c */
files_doer do_setstat, do_fsetstat, do_lsetstat, do_remove, do_mkdir, do_rmdir, do_rename, do_posix_rename,   /* files_change.c */
    do_symlink, do_hardlink, do_fsync, do_copy;
files_doer do_realpath, do_readlink, do_expand, do_home, do_ids, do_statvfs, do_fstatvfs, do_space;           /* files_path.c */

#endif
