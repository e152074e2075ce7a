/* SPDX-License-Identifier: ISC */
/* The executor: one SFTP request in, system calls as the user this process runs as, one result out. It stands below every SFTP server of
 * ours: in sshd a process of the user's asked over a socket by the face (files_serve), in sftp-server the same process. Whoever asks is
 * not trusted: read only, refused requests, start folder and umask are enforced here. A library of its own (kit_files_dep: base,
 * sftp, os, libc), so that a process of the user's links neither core nor libcrypto. */
#ifndef KIT_FILES_H
#define KIT_FILES_H

#include <sys/stat.h>

#include "sftp/message.h"

struct files;

/* ---- sftp-server(8)'s flags ---- */

struct files_options {
    bool read_only;                     /* -R */
    uint64_t refused;                   /* -P and -p as a bit a verb: those answered PERMISSION_DENIED */
    uint64_t denied;                    /* -P alone, for the log's words */
    bool has_umask, to_stderr, help;    /* -u, -e, -h */
    mode_t umask;
    const char *start;                  /* -d, not expanded; NULL: where the process is */
    const char *query;                  /* -Q's argument; NULL: none */
    int level, facility;                /* -l as enum log_level, -f as syslog's LOG_*; ERROR and LOG_AUTH */
};
/* argv[0] is the program's name and argv[argc] NULL, as in main(); views stay in argv. ERR_USAGE: `why` gets a line for people. A name in -P or -p
 * that no request has is refused, too: a rule that means nothing protects nothing. */
MUST_USE enum err files_options_parse(int argc, char **argv, struct files_options *out, char *why, size_t why_cap);
/* Splits a command line at blanks, as sshd does for internal-sftp, and parses it. `room` gets the words; options point into it. */
MUST_USE enum err files_options_split(const char *command, char *room, size_t room_cap, struct files_options *out, char *why, size_t why_cap);
/* usage: of sftp-server(8) and the names that -Q requests prints, one a line, into w. */
void files_usage_write(struct wr *w, const char *program);
void files_requests_write(struct wr *w);

/* ---- one session ---- */

struct files_user {
    const char *name, *home;            /* the account's */
    const char *client;                 /* address, for the log; NULL: "UNKNOWN" */
    bool in_chroot;                     /* no name service is asked: only /etc/passwd and /etc/group as they are there */
};
/* Sets umask and start folder of this process and logs the session's begin (log_open() was called). A start folder that is not there is an
 * error line and no more, as OpenSSH has it. NULL: out of memory. Texts must outlive it. */
struct files *files_new(const struct files_options *o, const struct files_user *u);
/* Who asks is at the other end of fd: what takes long ends when nobody is there any more. Without it, it goes on to its end. */
void files_watch(struct files *f, int fd);
/* Logs what is still open, and the end. */
void files_free(struct files *f);

/* Carry out one request; never fails: a bad one gets a STATUS. Views in *out live until the next call.
 * - OPEN, CHECK_FILE_NAME: HANDLE, and *fd is the descriptor, the caller's to use and close (never a folder). out->handle names the file in
 *   the log and is to be given back with it; empty: nobody wants it back.
 * - FSETSTAT, FSTATVFS, FSYNC: op->handle as OPEN gave it, fds[0] the descriptor. COPY_DATA: fds[0] read, fds[1] written; handle, handle2.
 * - CLOSE of a file, only if OPEN's handle was not empty: files_close_handle(); it is for the log.
 * - OPENDIR: HANDLE, READDIR and CLOSE take it back; no descriptor.
 * - READ, WRITE, FSTAT, LIMITS, CHECK_FILE_HANDLE: not asked here (OP_UNSUPPORTED); see kit/file_ops.h. */
void files_do(struct files *f, const struct sftp_op *op, const int fds[2], struct sftp_result *out, int *fd);
/* How many descriptors a request brings: 0, 1 or 2; and whether a successful one answers with one. */
unsigned files_fds_needed(enum sftp_verb verb);
bool files_answers_fd(enum sftp_verb verb);

/* What CLOSE of a file brings: its handle and what was moved, as the asker counted. */
#define FILES_CLOSE_HANDLE 21
struct bytes files_close_handle(uint8_t room[FILES_CLOSE_HANDLE], struct bytes handle, uint64_t read, uint64_t written, bool forced);

/* ---- over a SOCK_SEQPACKET pair ---- */

/* A datagram: one or more requests as sftp_op_write() makes them, ids in the asker's hands, with their descriptors in order. Answers come
 * in the order of the requests, as sftp_result_write() makes them, also several in a datagram; each with its descriptors in order. */
#define FILES_DATAGRAM_MAX 65536
#define FILES_DATAGRAM_FDS 16
/* The first datagram comes from this side: what the flags refuse, so that the other one can tell its peer (which decides nothing). */
#define FILES_HELLO 9
struct files_hello {
    bool read_only;
    uint64_t refused;
};
MUST_USE enum err files_hello_parse(struct bytes datagram, struct files_hello *out);
/* Until the other end closes (0) or sends what is no request (11, as OpenSSH's sftp-server exits). */
int files_serve(struct files *f, int sock);

/* ---- for both sides ---- */

/* errno as SSH_FX_*, as OpenSSH maps it; 0 is SSH_FX_OK. */
uint32_t files_status(int error);
struct sftp_attrs files_attrs(const struct stat *st);

#endif
