/* SPDX-License-Identifier: ISC */
/* The system's books of who logged in: utmp, wtmp, lastlog, btmp. Kept by root only; where a file is missing or cannot be
 * written nothing happens, a login never fails for it. */
#ifndef OS_RECORD_H
#define OS_RECORD_H

#include <sys/types.h>

#include "base/bytes.h"

struct record {
    const char *line;           /* "/dev/pts/3" or "pts/3" */
    const char *user, *host;    /* host: name or address, as `who` shows it */
    const char *address;        /* numeric, for ut_addr_v6 */
    pid_t pid;
    uid_t uid;                  /* lastlog */
};
/* utmp and wtmp; lastlog too. True: utmp holds it now, record_logout() is due. */
bool record_login(const struct record *r);
void record_logout(const struct record *r);

/* The last login of a uid: seconds since 1970 (0: never, or unknown) and from where. */
int64_t record_last(uid_t uid, char *host, size_t host_size);

/* A failed login, into btmp if that file is root's and nobody else may write it. */
void record_failed(const char *user, const char *host, const char *address, pid_t pid);

#endif
