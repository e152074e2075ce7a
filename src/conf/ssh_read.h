/* SPDX-License-Identifier: ISC */
/* State of reading the client's files for one host. */
#ifndef CONF_SSH_READ_H
#define CONF_SSH_READ_H

#include "conf/ssh.h"
#include "conf/token.h"
#include "option.h"

struct ssh_reader {
    struct ssh_conf *c;
    const struct conf_world *w;
    const struct ssh_conf_ask *ask;
    const char *host;           /* what Host compares: the argument; in the second pass the resolved name */
    bool second_pass, canonical_pass;
    bool wants_second;          /* a Match final was seen */
    bool user_files;            /* below ~/.ssh/config: where Include starts, and files are checked for their owner */
    bool check_owner;
    unsigned depth;
};

/* Whether a Match line applies. Runs nothing when `dry` (it stands in a block that does not count). ERR_USAGE: bad line, said. */
enum err ssh_match(struct ssh_reader *r, struct line *l, bool dry, bool *out);

/* Expand the tokens of Include and Match exec as far as they are known now. */
enum err ssh_early_expand(struct ssh_reader *r, struct line *l, const char *text, const char **out);

#endif
