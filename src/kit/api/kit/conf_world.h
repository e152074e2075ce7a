/* SPDX-License-Identifier: ISC */
/* The real world for conf (conf/world.h): files, glob, the user database, the shell, interfaces. A library of its own
 * (conf_world_dep: base, conf and libc), so that processes which must not know the protocol may read configurations. */
#ifndef KIT_CONF_WORLD_H
#define KIT_CONF_WORLD_H

#include "conf/world.h"

/* A world with its facts about this machine and the user that runs us (HOME is taken from the user database, as OpenSSH does).
 * `say` gets every message; NULL: errors and warnings go to stderr. Fields may be changed by the caller afterwards (hash, algs,
 * etc_dir, say). NULL: out of memory, or our uid has no user (then errno is ENOENT). Free with conf_world_free(). */
struct conf_world *conf_world_new(void (*say)(void *ctx, enum conf_say what, const char *text), void *say_ctx);
void conf_world_free(struct conf_world *w);     /* NULL is fine */

#endif
