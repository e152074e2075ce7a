/* SPDX-License-Identifier: ISC */
/* Shared by warden_auth.c and warden_key.c: a request begins, has an outcome, and is finished in one place. */
#ifndef SSHD_WARDEN_AUTH_H
#define SSHD_WARDEN_AUTH_H

#include "sshd/warden.h"

#define HELPER_MS 20000

struct outcome {
    const char *method;
    bool yes;
    enum say_auth_result go_on;         /* when not yes: NO, PK_OK or PROMPT */
    struct bytes key, key_type;         /* publickey */
    char detail[1024];                  /* for the log: key type and fingerprint */
};

/* Every request begins here. A new name or service starts from nothing: no proof of one user ever counts for another. */
void warden_attempt_begin(struct warden *w, const struct ask_who *who);
/* The answer to the face; the only way to a login. */
void warden_auth_finish(struct warden *w, const struct outcome *o, uint64_t began_us);
/* PermitRootLogin. */
bool warden_root_may(struct warden *w, bool by_password, bool forced);
/* What was asked about a key goes. */
void warden_key_forget(struct warden *w);

#endif
