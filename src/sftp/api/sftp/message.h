/* SPDX-License-Identifier: ISC */
/* SFTP version 3 (draft-ietf-secsh-filexfer-02) and its extensions (OpenSSH PROTOCOL 4, draft-ietf-secsh-filexfer-extensions-00):
 * one table of requests; a request and a reply as plain structs, and their bytes. Both ends, and the line between a server's two
 * processes, use these. Views live as long as the bytes they were parsed from. */
#ifndef SFTP_MESSAGE_H
#define SFTP_MESSAGE_H

#include "base/rd.h"
#include "base/wr.h"

/* ---- numbers ---- */

enum sftp_wire {            /* draft 3 */
    SSH_FXP_INIT = 1, SSH_FXP_VERSION, SSH_FXP_OPEN, SSH_FXP_CLOSE, SSH_FXP_READ, SSH_FXP_WRITE, SSH_FXP_LSTAT, SSH_FXP_FSTAT,
    SSH_FXP_SETSTAT, SSH_FXP_FSETSTAT, SSH_FXP_OPENDIR, SSH_FXP_READDIR, SSH_FXP_REMOVE, SSH_FXP_MKDIR, SSH_FXP_RMDIR,
    SSH_FXP_REALPATH, SSH_FXP_STAT, SSH_FXP_RENAME, SSH_FXP_READLINK, SSH_FXP_SYMLINK,
    SSH_FXP_STATUS = 101, SSH_FXP_HANDLE, SSH_FXP_DATA, SSH_FXP_NAME, SSH_FXP_ATTRS,
    SSH_FXP_EXTENDED = 200, SSH_FXP_EXTENDED_REPLY
};

enum sftp_status {          /* draft 7; version 3 knows 0 to 8 */
    SSH_FX_OK, SSH_FX_EOF, SSH_FX_NO_SUCH_FILE, SSH_FX_PERMISSION_DENIED, SSH_FX_FAILURE, SSH_FX_BAD_MESSAGE, SSH_FX_NO_CONNECTION,
    SSH_FX_CONNECTION_LOST, SSH_FX_OP_UNSUPPORTED
};
/* English, as the server sends it: "No such file"; any value is safe. */
const char *sftp_status_text(uint32_t status);

enum {                      /* draft 6.3: OPEN's pflags */
    SSH_FXF_READ = 1, SSH_FXF_WRITE = 2, SSH_FXF_APPEND = 4, SSH_FXF_CREAT = 8, SSH_FXF_TRUNC = 16, SSH_FXF_EXCL = 32
};

enum {                      /* draft 5 */
    SSH_FILEXFER_ATTR_SIZE = 1, SSH_FILEXFER_ATTR_UIDGID = 2, SSH_FILEXFER_ATTR_PERMISSIONS = 4, SSH_FILEXFER_ATTR_ACMODTIME = 8
};

#define SFTP_VERSION        3
#define SFTP_MESSAGE_MAX    (256 * 1024)            /* as OpenSSH: everything after the length field */
#define SFTP_DATA_MAX       (SFTP_MESSAGE_MAX - 1024)   /* of one READ or WRITE; what limits@openssh.com says */
#define SFTP_SMALL_MAX      (34 * 1024)             /* requests other than WRITE: two of the longest paths and some */
#define SFTP_PATH_MAX       4096                    /* PATH_MAX with its NUL: longer ones no kernel takes */
#define SFTP_HANDLE_MAX     256                     /* draft 6.2 */
#define SFTP_DATA_HEAD      13                      /* length, type, id, data length: what lies before a DATA reply's bytes */

/* ---- requests ---- */

/* X(name, wire type, extension name and version, letters of its arguments in order, reply, changes the file system, name in -P, -p, -Q)
 * letters: p path, q second path, h handle, j second handle, f flags, a attributes, o offset, O second offset, n length (u64),
 * m length (u32), d data (the length only: WRITE), u list of uids, g list of gids, x text (hash names), k block size (u32)
 * SYMLINK's wire order is OpenSSH's (INVENTORY 2.9): path is what the link says, path2 where it is made. */
#define SFTP_TABLE(X) \
    X(OPEN,        SSH_FXP_OPEN,     NULL, NULL, "pfa", SFTP_HANDLE, false, "open") \
    X(CLOSE,       SSH_FXP_CLOSE,    NULL, NULL, "h",   SFTP_STATUS, false, "close") \
    X(READ,        SSH_FXP_READ,     NULL, NULL, "hom", SFTP_DATA,   false, "read") \
    X(WRITE,       SSH_FXP_WRITE,    NULL, NULL, "hod", SFTP_STATUS, true,  "write") \
    X(LSTAT,       SSH_FXP_LSTAT,    NULL, NULL, "p",   SFTP_ATTRS,  false, "lstat") \
    X(FSTAT,       SSH_FXP_FSTAT,    NULL, NULL, "h",   SFTP_ATTRS,  false, "fstat") \
    X(SETSTAT,     SSH_FXP_SETSTAT,  NULL, NULL, "pa",  SFTP_STATUS, true,  "setstat") \
    X(FSETSTAT,    SSH_FXP_FSETSTAT, NULL, NULL, "ha",  SFTP_STATUS, true,  "fsetstat") \
    X(OPENDIR,     SSH_FXP_OPENDIR,  NULL, NULL, "p",   SFTP_HANDLE, false, "opendir") \
    X(READDIR,     SSH_FXP_READDIR,  NULL, NULL, "h",   SFTP_NAME,   false, "readdir") \
    X(REMOVE,      SSH_FXP_REMOVE,   NULL, NULL, "p",   SFTP_STATUS, true,  "remove") \
    X(MKDIR,       SSH_FXP_MKDIR,    NULL, NULL, "pa",  SFTP_STATUS, true,  "mkdir") \
    X(RMDIR,       SSH_FXP_RMDIR,    NULL, NULL, "p",   SFTP_STATUS, true,  "rmdir") \
    X(REALPATH,    SSH_FXP_REALPATH, NULL, NULL, "p",   SFTP_NAME,   false, "realpath") \
    X(STAT,        SSH_FXP_STAT,     NULL, NULL, "p",   SFTP_ATTRS,  false, "stat") \
    X(RENAME,      SSH_FXP_RENAME,   NULL, NULL, "pq",  SFTP_STATUS, true,  "rename") \
    X(READLINK,    SSH_FXP_READLINK, NULL, NULL, "p",   SFTP_NAME,   false, "readlink") \
    X(SYMLINK,     SSH_FXP_SYMLINK,  NULL, NULL, "pq",  SFTP_STATUS, true,  "symlink") \
    X(POSIX_RENAME, SSH_FXP_EXTENDED, "posix-rename@openssh.com", "1", "pq", SFTP_STATUS, true, "posix-rename") \
    X(STATVFS,     SSH_FXP_EXTENDED, "statvfs@openssh.com", "2", "p", SFTP_VFS, false, "statvfs") \
    X(FSTATVFS,    SSH_FXP_EXTENDED, "fstatvfs@openssh.com", "2", "h", SFTP_VFS, false, "fstatvfs") \
    X(HARDLINK,    SSH_FXP_EXTENDED, "hardlink@openssh.com", "1", "pq", SFTP_STATUS, true, "hardlink") \
    X(FSYNC,       SSH_FXP_EXTENDED, "fsync@openssh.com", "1", "h", SFTP_STATUS, true, "fsync") \
    X(LSETSTAT,    SSH_FXP_EXTENDED, "lsetstat@openssh.com", "1", "pa", SFTP_STATUS, true, "lsetstat") \
    X(LIMITS,      SSH_FXP_EXTENDED, "limits@openssh.com", "1", "", SFTP_LIMITS, false, "limits") \
    X(EXPAND_PATH, SSH_FXP_EXTENDED, "expand-path@openssh.com", "1", "p", SFTP_NAME, false, "expand-path") \
    X(COPY_DATA,   SSH_FXP_EXTENDED, "copy-data", "1", "honjO", SFTP_STATUS, true, "copy-data") \
    X(HOME,        SSH_FXP_EXTENDED, "home-directory", "1", "x", SFTP_NAME, false, "home-directory") \
    X(USERS_GROUPS, SSH_FXP_EXTENDED, "users-groups-by-id@openssh.com", "1", "ug", SFTP_NAMES_OF_IDS, false, "users-groups-by-id") \
    X(CHECK_FILE_HANDLE, SSH_FXP_EXTENDED, "check-file-handle", "1", "hxonk", SFTP_HASHES, false, "check-file-handle") \
    X(CHECK_FILE_NAME, SSH_FXP_EXTENDED, "check-file-name", "1", "pxonk", SFTP_HASHES, false, "check-file-name") \
    X(SPACE,       SSH_FXP_EXTENDED, "space-available", "1", "p", SFTP_SPACE, false, "space-available")

enum sftp_verb {
#define X(name, wire, ext, version, letters, reply, changes, policy) SFTP_VERB_##name,
    SFTP_TABLE(X)
#undef X
    SFTP_VERB_COUNT
};

enum sftp_reply {           /* what a reply was parsed into, or is to be written from */
    SFTP_STATUS, SFTP_HANDLE, SFTP_DATA, SFTP_NAME, SFTP_ATTRS, SFTP_VFS, SFTP_LIMITS, SFTP_NAMES_OF_IDS, SFTP_HASHES, SFTP_SPACE
};

struct sftp_row {
    uint8_t wire;
    const char *extension, *version;    /* NULL: one of the 18 */
    const char *letters;
    enum sftp_reply reply;              /* when it succeeds; STATUS may always come */
    bool changes;                       /* refused by a server that is read only; OPEN is judged by its flags */
    const char *policy;
};
extern const struct sftp_row sftp_rows[SFTP_VERB_COUNT];

struct sftp_attrs {
    uint32_t flags;                     /* SSH_FILEXFER_ATTR_*; a field counts only with its bit */
    uint64_t size;
    uint32_t uid, gid, mode;            /* mode: with the type bits of POSIX, as everybody sends it */
    uint32_t atime_s, mtime_s;
};

struct sftp_op {
    enum sftp_verb verb;
    uint32_t id;
    struct bytes path, path2, handle, handle2;  /* no path holds a NUL (ERR_FORMAT) */
    uint32_t flags;                     /* OPEN: SSH_FXF_* */
    uint64_t offset, offset2, length;   /* length: READ, WRITE, COPY_DATA (0: to the end), CHECK_FILE (0: to the end) */
    uint32_t block;                     /* CHECK_FILE: bytes a hash; 0: one for all; else at least 256 */
    struct bytes text;                  /* HOME: user name; CHECK_FILE: hash names, comma separated */
    struct bytes uids, gids;            /* USERS_GROUPS: u32 each */
    struct sftp_attrs attrs;
};

struct sftp_vfs {                       /* PROTOCOL 4.4 */
    uint64_t bsize, frsize, blocks, bfree, bavail, files, ffree, favail, fsid, flag, namemax;
};
struct sftp_limits {                    /* PROTOCOL 4.8; 0: none known */
    uint64_t packet_max, read_max, write_max, handles_max;
};
struct sftp_space {                     /* filexfer-extensions-00 5: bytes */
    uint64_t total, unused, user_total, user_unused;
    uint32_t unit;
};
struct sftp_name {
    struct bytes name, longname;
    struct sftp_attrs attrs;
};

struct sftp_result {
    enum sftp_reply kind;
    uint32_t id;
    uint32_t status;                    /* STATUS */
    struct bytes text;                  /* STATUS: raw peer text; HASHES: the algorithm's name */
    struct bytes handle;
    struct bytes data;                  /* DATA; NAMES_OF_IDS: user names as strings; HASHES: hash after hash */
    struct bytes data2;                 /* NAMES_OF_IDS: group names as strings */
    uint32_t count;                     /* NAME: entries, in `names` */
    struct bytes names;                 /* NAME: walk with sftp_name_next() */
    struct sftp_attrs attrs;
    union { struct sftp_vfs vfs; struct sftp_limits limits; struct sftp_space space; };
};

/* ---- bytes ---- */

/* One request, everything after the length field: type, id, arguments. INIT and VERSION are not requests (see server.h, client.h).
 * parse: ERR_UNSUPPORTED with out->id set: an unknown type or extension, to be answered OP_UNSUPPORTED; any other error: a broken peer.
 * WRITE is parsed as far as its data's length, which the caller holds against what there is; others must end exactly.
 * write: with the length field before it; WRITE's counts the data that the caller sends itself. */
MUST_USE enum err sftp_op_parse(struct bytes message, struct sftp_op *out);
void sftp_op_write(struct wr *w, const struct sftp_op *op);

/* One reply. parse: `verb` is what was asked; a kind that cannot answer it is ERR_PROTOCOL. DATA is parsed as far as its length (data.n set, data.p
 * NULL when the bytes are not part of `message`). Counts are held against the bytes there are; every entry was parsed once. write: with the
 * length field; DATA's bytes included. */
MUST_USE enum err sftp_result_parse(struct bytes message, enum sftp_verb verb, struct sftp_result *out);
void sftp_result_write(struct wr *w, const struct sftp_result *r);
/* What lies before the n bytes of a DATA reply that are sent from elsewhere. */
void sftp_data_head(uint8_t out[SFTP_DATA_HEAD], uint32_t id, uint32_t n);

/* The next entry of a NAME reply; false: no more. *names moves on. */
bool sftp_name_next(struct bytes *names, struct sftp_name *out);
void sftp_name_write(struct wr *w, const struct sftp_name *n);
void sftp_attrs_write(struct wr *w, const struct sftp_attrs *a);
struct sftp_attrs sftp_attrs_read(struct rd *r);        /* extended attributes are skipped */

/* "posix-rename" as -P, -p and -Q know it; SFTP_VERB_COUNT: no such request. */
enum sftp_verb sftp_verb_find(struct bytes policy_name);
/* "posix-rename@openssh.com" as the wire knows it; SFTP_VERB_COUNT: no such extension. */
enum sftp_verb sftp_extension_find(struct bytes name);

/* May a name that a peer sent become the name of something in a folder: not empty, not "." or "..", without '/' and NUL? */
bool sftp_name_plain(struct bytes name);

#endif
