/* SPDX-License-Identifier: ISC */
/* A helper of ours: a program that is started for its answers and not believed. Shared by pkcs11.c and sk.c. */
#ifndef KIT_HELPER_H
#define KIT_HELPER_H

#include <sys/types.h>

#include "base/rd.h"

struct helper {
    int fd;                         /* messages to and from it; -1: there is none */
    int pidfd;
    pid_t pid;
    uint64_t deadline_us;           /* of its answer */
};
#define HELPER_NONE {.fd = -1, .pidfd = -1}

struct helper_how {
    const char *name, *variable;    /* the program; what in the environment may name another file */
    const char *libexec_dir;        /* where it is when it is not beside our program */
    unsigned verbose;               /* -v's for it; its lines go to our stderr */
};

/* ERR_NOT_FOUND, ERR_SYSTEM; each with words in why[0..cap), as below. */
MUST_USE enum err helper_start(const struct helper_how *how, char *why, size_t cap, struct helper *out);
/* Whatever it is doing. It holds nothing that would have to be put away. Nothing to do where there is none. */
void helper_end(struct helper *h);

/* A message, whose answer may take timeout_s (0: 120). ERR_PEER_GONE. */
MUST_USE enum err helper_send(struct helper *h, struct bytes message, unsigned timeout_s);
/* The next message into room; wait: until the deadline. ERR_AGAIN: not yet; ERR_TIMEOUT, ERR_PEER_GONE; ERR_PROTOCOL: it is no message. */
MUST_USE enum err helper_recv(struct helper *h, bool wait, struct span room, struct bytes *out);
/* The rest of a message that says a failure: the code, and its words escaped. ERR_PROTOCOL: it is none. */
MUST_USE enum err helper_failure(struct rd *r, char *why, size_t cap, enum err *out);

#endif
