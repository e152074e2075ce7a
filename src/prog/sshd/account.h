/* SPDX-License-Identifier: ISC */
/* Inside of accounts: reading shadow, for account.c and password.c. */
#ifndef SSHD_ACCOUNT_H
#define SSHD_ACCOUNT_H

#include <shadow.h>

#include "sshd/login.h"

/* Calls use(entry, arg) if there is one; then wipes what libc kept of it, also the file's text in memory that libc freed: the
 * warden's children are the user's. */
void shadow_read(const char *name, void (*use)(const struct spwd *entry, void *arg), void *arg);

#endif
