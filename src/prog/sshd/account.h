/* SPDX-License-Identifier: ISC */
/* Inside of accounts: reading shadow, for account.c and password.c. */
#ifndef SSHD_ACCOUNT_H
#define SSHD_ACCOUNT_H

#include <shadow.h>

#include "sshd-auth/question.h"
#include "sshd/login.h"

/* Calls use(entry, arg) if there is one; then wipes what libc kept of it, also the file's text in memory that libc freed: the
 * warden's children are the user's. */
void shadow_read(const char *name, void (*use)(const struct spwd *entry, void *arg), void *arg);

/* Around a walk through all of it by getspent(), whose hashes the caller wipes. */
void shadow_begin(void);
void shadow_end(void);

/* password.c: look what kind of hash the accounts here have, so that the work for an unknown one is like theirs. Part of login_init(). */
void password_init(void);
/* The setting (crypt(5)) of the kind that most of n hashes have; empty: none has one. */
void password_setting_choose(const char *const *hashes, size_t n, char out[AUTH_SETTING_MAX]);

#endif
