/* SPDX-License-Identifier: ISC */
/* Becoming a user, and the resource limits that a user's processes start with. */
#ifndef OS_USER_H
#define OS_USER_H

#include <sys/types.h>

#include "base/bytes.h"

/* For good: supplementary groups (n of `groups`; NULL: asked of the system by `name`), then gid, then uid, real, effective and saved; then
 * checked, also that root cannot be had back. Where the process is not root: only checks that it is that user already. ERR_SYSTEM
 * with errno, ERR_DENIED: another user, or the change did not hold. The caller must _exit on any error. */
MUST_USE enum err user_become(const char *name, uid_t uid, gid_t gid, const gid_t *groups, size_t n);

/* Remember the resource limits of this process, as the administrator gave them (once, at start); put them back (in a child,
 * while it is still root). Restoring without saving does nothing. A hard limit that was lowered comes back only
 * where the kernel lets us: whoever lowers limits lowers the soft ones. */
void limits_save(void);
MUST_USE enum err limits_restore(void);

#endif
