/* SPDX-License-Identifier: ISC */
/* The inside of the copier. copy.c: the loop, jobs, requests; copy_file.c: one file's way from its opening to its closing; copy_data.c: blocks;
 * copy_tree.c: folders; copy_check.c: resuming and verifying by hashes; meter.c: what a person sees. */
#ifndef KIT_COPIER_H
#define KIT_COPIER_H

#include <dirent.h>
#include <sys/stat.h>

#include "kit/copy.h"
#include "link_io.h"
#include "meter.h"

#define FILES_MIN       64              /* at work at once on a near server, */
#define FILES_MAX       512             /* and on a far one */
#define FOLDERS_MAX     48              /* listed at once */
#define FOLDERS_ALIVE   300             /* beyond it, one folder at a time, the deepest first: descriptors are few */
#define QUEUE_MAX       2048            /* files that wait: then listings wait */
#define DEPTH_MAX       64              /* as OpenSSH */
#define WINDOW_MIN      (2 * 1024 * 1024)
#define WINDOW_MAX      (64 * 1024 * 1024)
#define WINDOW_PER_MS   (1024 * 1024)   /* of round trip: a gigabyte a second */
#define BLOCK_UNKNOWN   32768           /* where the server does not tell its limits */
#define BLOCK_MIN       512
#define HASH_BLOCK      (1024 * 1024)
#define HASH_SPAN       (64 * 1024 * 1024)  /* a question's worth of blocks */
#define SHA256_LEN      32
#define EMPTY_LISTS_MAX 1000            /* replies in a row of a listing that name nothing new */

enum { FROM, TO };

struct node {
    struct node *next;
    bool is_folder;
};

struct folder {
    struct node node;
    struct folder *parent;
    char *name;                         /* NULL: a root, with paths of its own */
    char *path[2], *shown;
    unsigned depth, refs;               /* refs: itself while at work, and each child */
    int fd[2];                          /* of the local ends */
    DIR *dir;
    uint8_t handle[SFTP_HANDLE_MAX];
    size_t handle_n;
    struct sftp_attrs attrs;
    enum { FOLDER_ATTRS, FOLDER_MAKE, FOLDER_LOOK, FOLDER_OPEN, FOLDER_LIST, FOLDER_CHILDREN, FOLDER_SET, FOLDER_END } state;
    unsigned empty_lists;
    bool created, failed, chosen, finishing, asked, at_work;
};

enum file_state {
    FILE_ATTRS, FILE_SOURCE, FILE_TARGET, FILE_SIZE, FILE_CHECK, FILE_CUT, FILE_DATA,
    FILE_SET, FILE_SYNC, FILE_CLOSE, FILE_CLOSE_SOURCE, FILE_VERIFY, FILE_RENAME, FILE_RENAME_OVER, FILE_RENAME_AGAIN, FILE_REMOVE, FILE_END,
    FILE_STATES
};

struct file {
    struct node node;
    struct file *data_next;             /* in the list of those that move data */
    struct folder *folder;              /* NULL: a job, with paths of its own */
    char *name;
    char *path[2];
    char *shown;                        /* a job's to_shown */
    char *part;                         /* the temporary name's last part */
    enum file_state state;
    struct sftp_attrs attrs;
    bool attrs_known, chosen, fresh;    /* fresh: the target did not exist, or is empty by now */
    bool failed, stopped, eof, rewind, in_turn, in_data;
    int fd[2];
    uint8_t *handle[2];
    size_t handle_n[2];
    uint64_t size;                      /* the source's, as it was told */
    uint64_t target_size, check_at, start;
    uint64_t ask_at, have;              /* of the source: asked for; whole from the beginning */
    uint64_t bad_at;                    /* the first byte that was not written */
    uint64_t bytes;                     /* moved, for the meter */
    uint64_t begun_us;
    unsigned reads, writes, rewinds;    /* under way */
    struct link_fault fault;
    int lane;                           /* slot + 1 of the lane; 0: not that way */
    bool lane_told, laned;              /* its READs are told of; some were */
};

/* What a reply is for. */
enum ask_kind {
    ASK_FOLDER, ASK_LIST, ASK_FILE, ASK_READ, ASK_WRITE, ASK_NOTHING
};

struct ask {
    struct ask *next;
    enum ask_kind kind;
    void *owner;
    uint64_t offset;
    uint32_t length;
};

struct window {
    uint64_t bytes, out;                /* may be under way; are */
    uint64_t round_bytes, round_us;
    double best;                        /* bytes a microsecond, of the fastest round */
    unsigned quiet, requests;
    bool full, trial;
};

struct node_list {
    struct node *head, **tail;
    size_t count;
};

struct copy {
    struct copy_setup s;
    struct link *link[2];
    uint32_t block;
    unsigned files_max;
    struct window window;
    struct ask *spare;
    struct node_list queue, ready;      /* files that have not begun; nodes with something to do */
    struct node *stack;                 /* folders that have not begun, the deepest first */
    size_t folders_alive, folders_busy;
    unsigned files_open;
    struct file *data, **data_tail;
    struct {                            /* a DATA reply on its way to its target */
        struct file *file;
        uint64_t at;
        size_t n;
        bool discard, asked;
        bool waits_out;                 /* for the other link's pipe, not for more from this one */
    } mover;
    uint8_t *scratch;                   /* LINK_SMALL */
    uint64_t limit_begun_us, limit_moved;
    struct copy_outcome out;
    uint64_t seen;                      /* files of which we know */
    bool stopping;
    enum err err;
    struct meter meter;
    mode_t umask;
};

/* ---- copy.c ---- */
void copy_say(struct copy *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
void node_ready(struct copy *c, struct node *n);
void node_push(struct node_list *l, struct node *n);
struct node *node_pop(struct node_list *l);
/* Ask; the reply comes back as `kind` for `owner`. False: not now. Errors that are ours (a path too long) come as *why; others end the run. */
MUST_USE bool copy_ask(struct copy *c, int end, const struct sftp_op *op, enum ask_kind kind, void *owner, const char **why);
struct ask *ask_new(struct copy *c, enum ask_kind kind, void *owner, uint64_t offset, uint32_t length);
void ask_free(struct copy *c, struct ask *a);
/* A path below `folder` (NULL: name is whole) at that end; NULL: too long. One of a few buffers in turn. */
const char *tree_path(const struct folder *f, int end, const char *name);
bool name_valid(struct bytes name);
/* A handle is given up; nobody waits for the reply. False: not now. */
bool handle_forget(struct copy *c, int end, struct bytes handle);
bool stop_asked(const struct copy *c);

/* ---- copy_file.c ---- */
struct file *file_new(struct folder *folder, struct bytes name);
void file_free(struct file *f);
/* Go on as far as it goes. False: the link takes nothing now, come again. */
bool file_step(struct copy *c, struct file *f);
void file_reply(struct copy *c, struct file *f, const struct sftp_result *r);
const char *file_path(const struct file *f, int end);
/* Tell the line and let the file end. */
void file_fail(struct copy *c, struct file *f, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* ---- copy_data.c ---- */
void data_begin(struct copy *c, struct file *f);
/* If nothing of it is under way any more and nothing more will be asked, it goes on to its end. */
void data_settle(struct copy *c, struct file *f);
void data_fill(struct copy *c, bool *moved);
void data_read_reply(struct copy *c, struct file *f, const struct ask *a, const struct sftp_result *r);
/* What stands in the stream where DATA went into its file by itself. */
void data_placed_reply(struct copy *c, struct file *f, const struct ask *a, const struct sftp_answer *answer);
void data_write_reply(struct copy *c, struct file *f, const struct ask *a, const struct sftp_result *r);
/* Move what the current DATA reply has. */
MUST_USE enum err data_move(struct copy *c, bool *moved);

/* ---- copy_tree.c ---- */
struct folder *folder_new(struct copy *c, struct folder *parent, struct bytes name);
bool folder_step(struct copy *c, struct folder *f);
void folder_reply(struct copy *c, struct folder *f, const struct sftp_result *r);
void folder_list_reply(struct copy *c, struct folder *f, const struct sftp_result *r);
void folder_child_done(struct copy *c, struct folder *f);

/* ---- copy_check.c ---- */
/* The next question about what the target has. DONE: f->start says where to go on. */
enum check { CHECK_ASKED, CHECK_AGAIN, CHECK_DONE };
enum check check_resume(struct copy *c, struct file *f);
void check_resume_reply(struct copy *c, struct file *f, const struct sftp_result *r);
enum check check_verify(struct copy *c, struct file *f);
void check_verify_reply(struct copy *c, struct file *f, const struct sftp_result *r);
/* Can what was copied be compared? */
bool check_possible(const struct copy *c);

#endif
