/* SPDX-License-Identifier: ISC */
/* An SFTP client over two pipes. Requests that are made one by one and waited for (`link_call`); copying many files at once is copy.h. */
#ifndef KIT_LINK_H
#define KIT_LINK_H

#include "sftp/client.h"

struct link;

/* Takes over neither descriptor; both must be non-blocking. Says INIT, waits for VERSION and asks for the limits, whose answer comes
 * before that to the first call. ERR_PEER_GONE: the other end closed
 * first (ssh has said why); ERR_PROTOCOL and the like: that is no SFTP server; ERR_NOMEM; ERR_SYSTEM. */
MUST_USE enum err link_open(int fd_in, int fd_out, struct link **out);
void link_free(struct link *l);
/* The lane's end that remote_start() made, or -1; stays the caller's. Used if ssh says that it follows the stream (sftp/lane.h). */
void link_set_lane(struct link *l, int sock);

/* One request and its reply. A STATUS reply, whatever it says, is ERR_NONE: look at out->kind and out->status. Views live until the next call on this
 * link. ERR_UNSUPPORTED: an extension that this server lacks. Any other error ends the link: every later call fails alike. DATA comes
 * whole: out->data.p is set. WRITE's data is `data`. */
MUST_USE enum err link_call(struct link *l, const struct sftp_op *op, struct bytes data, struct sftp_result *out);

/* Small helpers over link_call. They return ERR_NONE with *status SSH_FX_OK or what the server said. */
MUST_USE enum err link_attrs(struct link *l, enum sftp_verb stat_or_lstat, const char *path, uint32_t *status, struct sftp_attrs *out);
/* REALPATH, or EXPAND_PATH for a leading ~ where the server has it: a path for the caller to free, NULL unless *status is SSH_FX_OK. */
MUST_USE enum err link_realpath(struct link *l, const char *path, uint32_t *status, char **out);

/* An open listing, in the server's own order; names that no file can have (empty, with a slash or a NUL, too long) are left out, "." and ".." are not.
 * next: false at its end, with *status SSH_FX_EOF, or what went wrong. Views live until the next call. */
struct link_list;
MUST_USE enum err link_list_open(struct link *l, const char *path, uint32_t *status, struct link_list **out);
MUST_USE enum err link_list_next(struct link_list *list, uint32_t *status, struct sftp_name *out, bool *more);
void link_list_close(struct link_list *list);

/* Remote names that match a shell pattern (* ? [...] and \ in any part of the path; a part without them is not looked at; a leading dot only matches a
 * dot), sorted. A pattern without special characters, or (nomatch_is_name) one that nothing matches, is a name: its backslashes go. Every result
 * really matches the pattern, whatever the server says. ERR_BUDGET: too many. */
struct link_glob {
    char **paths;
    struct sftp_attrs *attrs;           /* flags 0: not known */
    size_t count;
};
MUST_USE enum err link_glob(struct link *l, const char *pattern, bool nomatch_is_name, struct link_glob *out);
void link_glob_done(struct link_glob *g);

struct sftp_client *link_client(struct link *l);
/* Waits for them where they have not come yet. Zeros where unknown, or where the link has failed. */
const struct sftp_limits *link_limits(struct link *l);

/* A status in OpenSSH's words ("No such file or directory"). */
const char *link_status_text(uint32_t status);

#endif
