/* SPDX-License-Identifier: ISC */
/* Inside of the reader: what runs as the user and reads authorized_keys. Apart from keyfile.c only tests use it. */
#ifndef SSHD_KEYFILE_H
#define SSHD_KEYFILE_H

#include "key/authorized_keys.h"
#include "sshd/login.h"

/* All that one file or command may give. */
#define KEYS_FILE_MAX (64U << 20)

/* AuthorizedKeysFile as written to a path: %h %u %U %% replaced, a relative one below home. ERR_USAGE: a bad token; ERR_TOO_LONG. */
MUST_USE enum err keyfile_path(const struct account *a, const char *text, struct span out);

/* Opens a file whose content the user's login may hang on: a regular file, never blocking and never opening a device. strict: it and
 * every folder above it, up to home or /, belong to the user or root and are not writable by others. ERR_NOT_FOUND;
 * ERR_DENIED with a line for the log in note; ERR_SYSTEM. */
MUST_USE enum err keyfile_open(const struct account *a, const char *path, bool strict, char *note, size_t note_size, int *out);

/* Reads lines from fd until one lists the key and its own conditions hold. Fills found, plain, line and note of *out, and
 * options unless plain. */
void keyfile_search(int fd, const struct keys_question *q, struct key_options *options, struct keys_answer *out);

/* The same with lines of an AuthorizedPrincipalsFile: "[options] principal", where the principal is one of the certificate's. */
void keyfile_principals(int fd, const struct keys_question *q, struct key_options *options, struct keys_answer *out);

/* The whole of the reader: every file in turn. */
void keyfile_answer(const struct keys_question *q, struct key_options *options, struct keys_answer *out);

/* Is that path a regular file that only root can change, folders above it included? ERR_DENIED with a reason. */
MUST_USE enum err program_check(const char *path, char *why, size_t why_cap);
/* The reader for commands (keycommand.c): runs the program in this process's rights and searches its output. What was found counts only when the
 * program ends with 0 and said no more than KEYS_FILE_MAX bytes. */
void keycommand_answer(const struct keys_question *q, struct key_options *options, struct keys_answer *out);

#endif
