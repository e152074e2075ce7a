/* SPDX-License-Identifier: ISC */
/* The jail of processes that read peer bytes or hold host keys (ARCHITECTURE 3, PROCESSES 4). It holds or it fails: every step is
 * checked, the whole is tested from inside before it is called a success, and there is no way to go on without it. */
#ifndef OS_JAIL_H
#define OS_JAIL_H

#include <sys/types.h>

#include "base/bytes.h"

enum jail_rung {
    JAIL_NONE,              /* never a success */
    JAIL_NAMESPACES,        /* root: new net, mount, ipc and uts namespaces, empty root by pivot_root, uid of its own */
    JAIL_USERNS,            /* an ordinary user: the same inside a user namespace */
    JAIL_CHROOT,            /* root without CAP_SYS_ADMIN: chroot into an empty folder, uid of its own */
    JAIL_LANDLOCK           /* an ordinary user without namespaces: Landlock that permits nothing */
};

struct jail_how {
    uid_t uid;              /* root becomes this; must not be 0 */
    gid_t gid;
    int rung_first;         /* for tests: skip the rungs before this one; 0: none */
};

/* Who a jailed process is: a user that nothing else uses (`sshd`), or nobody where there is none (ARCHITECTURE 3). An ordinary user stays
 * who it is. Asks the user database, so not from inside. */
struct jail_how jail_who(void);

struct jail_report {
    enum jail_rung rung;
    int landlock;           /* ABI in force; 0: none */
    char note[96];          /* why a higher rung was not taken; empty: the first one was */
};

/* Take the calling, single-threaded process into the jail: namespaces or the next best, empty root, no capabilities (also not in the
 * bounding set), no_new_privs, not dumpable, core size 0. For good. It does not install a system call filter: jail_filter() must follow.
 * ERR_DENIED: no rung holds; `why` (at least 160 bytes) says so. */
MUST_USE enum err jail_enter(const struct jail_how *how, struct jail_report *out, char *why, size_t why_cap);

enum jail_filter {
    JAIL_FILTER_NURSERY,    /* a face's calls, and what it takes to fork one */
    JAIL_FILTER_FACE,       /* one connection */
    JAIL_FILTER_VERIFIER,   /* one signature or key: take a message, read open files, compute, send a message */
    JAIL_FILTER_KEYS,       /* messages in and out */
    JAIL_FILTER_KEYS_AGENT, /* the same, and a stream socket to an agent */
    JAIL_FILTER_TRANSPORT,  /* the client's half that reads peer bytes: as FACE; of files it only writes, by offset, those that it is given */
    JAIL_FILTER_RESOLVER,   /* internet sockets of its own, and what was open before; no file, no process */
    JAIL_FILTER_FILES,      /* the only ones that list what is forbidden: a file hand starts no program and no process, looks into none */
    JAIL_FILTER_FILES_CHROOT    /* the same, and no socket and no new code, for which it has no use there */
};

/* Install a system call filter: whatever it does not list (FILES: whatever it lists) kills the process. Filters add up; none can be taken off.
 * ERR_SYSTEM with errno. */
MUST_USE enum err jail_filter(enum jail_filter which);

/* Prove from inside: no capability, no_new_privs, uid not 0, nothing reachable by a path. Call before jail_filter(), which takes
 * the calls away that this needs. ERR_DENIED. */
MUST_USE enum err jail_check(const struct jail_report *r, char *why, size_t why_cap);

/* Does the kernel have seccomp filters with KILL_PROCESS? */
bool jail_seccomp_works(void);

const char *jail_rung_name(enum jail_rung r);

#endif
