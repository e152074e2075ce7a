/* SPDX-License-Identifier: ISC */
/* A place for tests as root: a mount namespace with an /etc, /run and /var/log of its own, and throw-away users in it. */
#ifndef SSHD_TEST_PLACE_H
#define SSHD_TEST_PLACE_H

#include "sshd/login.h"

enum { BOB, EVE, OLD, LAPSED, FORCED, BLANK, STAR, HOMELESS, BADSHELL, NOSHELL, WARNED, USERS };
#define UID_FIRST 43010         /* BOB's uid and gid; the others' follow */

extern char root_dir[64];       /* a folder of this place; homes are below its home/ */
extern const struct link_ends here;

/* False: this machine does not let us; the skip is printed. */
bool place_make(void);
int place_end(void **state);

struct account find(int user);

/* A shell command that must succeed. */
void sh(const char *fmt, ...) PRINTF_LIKE(1, 2);

#define has(text, part) do { \
        if (!strstr(text, part)) print_error("# not in: %s\n", text); \
        assert_non_null(strstr(text, part)); \
    } while (0)
#define has_not(text, part) assert_null(strstr(text, part))

#endif
