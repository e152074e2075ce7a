/* SPDX-License-Identifier: ISC */
/* Copying files and whole trees between this machine and an SFTP server, or between two servers: many files and many blocks under way at
 * once, memory bounded, errors told file by file. The local side alone decides which names are written; entries of a tree never lead
 * out of it. */
#ifndef KIT_COPY_H
#define KIT_COPY_H

#include <signal.h>

#include "kit/link.h"

struct copy;

struct copy_setup {
    struct link *from, *to;             /* NULL: this machine. At least one is a link; both, and different ones: from server to server */
    const char *prefix;                 /* before each line on stderr: "scp: ", or "" */
    bool recursive;                     /* folders are copied whole; otherwise they are an error of that job */
    bool follow;                        /* symbolic links inside a tree count as what they lead to (scp); else they are left out, with a line (sftp) */
    bool preserve;                      /* -p: times and modes; otherwise modes of new files only, less the umask */
    bool resume;                        /* go on behind what the target already has (checked by hashes where the server can) */
    bool resume_trust;                  /* where it cannot be checked, trust it, as sftp -a does; otherwise such a file is copied anew */
    bool verify;                        /* compare hashes after copying; needs a server with check-file */
    bool atomic;                        /* write to a temporary name in the same folder, flush, then rename */
    bool fsync;                         /* -f: flush each file */
    bool new_only;                      /* refuse (per file) what exists */
    bool in_place;                      /* write over what is there and cut it at the end, so that a file copied onto itself survives (scp);
                                         * otherwise it is emptied at once (sftp) */
    bool tell_folders;                  /* "Retrieving A", "Entering B" on stdout (sftp get -r, put -r) */
    bool tell_uploads;                  /* "failed to upload file A to B" after a failed job (scp) */
    unsigned requests;                  /* -R, nrequests: outstanding blocks; 0: grows with the link */
    uint32_t buffer;                    /* -B, buffer: bytes a block; 0: the server's limit, at most 256 KiB */
    uint64_t limit_kbit;                /* -l; 0: none */
    bool progress;                      /* the meter, on stdout if that is a terminal */
    const volatile sig_atomic_t *stop;  /* may be NULL: set by a signal handler to end the run (what was copied so far stays, and can be resumed) */
};

/* Keeps a copy of the setup (not of what it points to). NULL: out of memory. */
struct copy *copy_new(const struct copy_setup *setup);
void copy_free(struct copy *c);

struct copy_job {
    const char *from;                   /* a file or a folder */
    const char *to;                     /* the name it shall have: not the folder it is put into. A folder that is there is merged into */
    const char *to_shown;               /* in tell_uploads' line; NULL: `to` */
    const struct sftp_attrs *attrs;     /* a remote `from`'s, when the caller has asked STAT already; NULL */
    bool to_chosen;                     /* the server had a say in `to`'s last part (a glob): a symbolic link there is not followed */
};
/* Queue it; texts are copied. ERR_NOMEM. */
MUST_USE enum err copy_add(struct copy *c, const struct copy_job *job);

struct copy_outcome {
    uint64_t files, bytes;              /* copied */
    uint64_t resent;                    /* of resumed files: bytes that were there already */
    uint64_t failed;                    /* files and folders of which a line was told */
    bool stopped;
};
/* Carry out all jobs. ERR_NONE: *out tells; else the link broke (ERR_PEER_GONE, ERR_PROTOCOL, ...), *out tells what was done before. Files that were
 * under way then keep what is whole from their beginning. After it, jobs may be added and run anew. */
MUST_USE enum err copy_run(struct copy *c, struct copy_outcome *out);

#endif
