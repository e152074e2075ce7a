/* SPDX-License-Identifier: ISC */
/* A parsed sshd_config. */
#ifndef CONF_SSHD_READ_H
#define CONF_SSHD_READ_H

#include "conf/sshd.h"
#include "option.h"

enum sshd_row_kind {
    ROW_OPTION = 'o',
    ROW_MATCH = 'm',
    ROW_ENTER = '(',        /* an included file begins */
    ROW_LEAVE = ')'
};

struct sshd_row {
    enum sshd_row_kind kind;
    unsigned number;
    const struct option *option;
    const char *file, *keyword, *rest;
};

/* Where a row stands: inside Match or not, and whether that applies. */
struct sshd_scope {
    bool in_match, applies;
};

struct sshd_rows {
    struct pool *pool;
    struct sshd_row *row;
    size_t n, cap;
    const char *cwd;
    struct sshd_conf global;        /* values outside Match; completed by `complete` */
    struct conf_priv *priv;         /* of global: its pool is `pool` */
    bool complete;
    bool has_match;
    /* reading */
    struct sshd_scope scope[64];    /* where each enclosing file was included; its depth is below CONF_INCLUDE_DEPTH + 2 */
    size_t depth;
    struct sshd_scope now;
};

/* Does a Match line apply to the peer? peer NULL: only its form is checked. ERR_USAGE: said. */
enum err sshd_match(struct line *l, const struct sshd_peer *peer, bool *out);

/* Ports and addresses into what is to be bound. */
enum err sshd_listen_finish(struct sshd_conf *c, struct pool *pool);

#endif
