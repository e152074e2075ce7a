/* SPDX-License-Identifier: ISC */
/* What the parts of ssh-add share: the command line, messages, files. */
#ifndef SSH_ADD_ADD_H
#define SSH_ADD_ADD_H

#include "kit/agent_client.h"
#include "key/cert.h"
#include "os/prompt.h"
#include "os/say.h"

#define REQUEST_MAX (2 * AGENT_MESSAGE_MAX)

#define PATHS_MAX 64                    /* of -H, -h */

struct options {
    bool confirm, keys_only, certs_only, keep_expired, quiet, remove;
    unsigned verbose;
    uint32_t lifetime_s;
    enum fingerprint hash;
    const char *sk_provider;            /* -S, SSH_SK_PROVIDER; NULL: the built-in one */
    const char *destinations[PATHS_MAX], *host_files[PATHS_MAX];    /* -h, -H */
    size_t destinations_n, host_files_n;
    struct agent_destination *limits;   /* -h, looked up */
    int agent;                          /* the connection */
};
extern struct options o;

/* ---- messages (say.c) ---- */
/* A line on stderr that ends with a plain newline. */
void tell(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Shown by -v, -vv, ... */
void debug(unsigned level, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Why an operation failed, in OpenSSH's words; for ERR_SYSTEM by errno. */
const char *reason(enum err e);
/* The same of what an agent was asked. */
const char *agent_reason(enum err e);
/* Escaped, into a buffer that lives until the fourth next call. */
const char *shown(struct bytes text);

/* ---- files (files.c) ---- */
/* A public key or certificate: the file itself or, when that holds none, FILE.pub. comment gets what it says. */
MUST_USE enum err public_load(const char *path, struct pubkey **out, struct wr *comment);
/* The certificate of a private key: FILE-cert.pub. */
MUST_USE enum err cert_load(const char *path, struct pubkey **out, struct wr *comment);

/* Jobs: 0 or the exit status. */
int job_add(const char *path);          /* add.c */
void passphrases_forget(void);
/* Add one, with the constraints that were asked for; cert may be NULL. */
MUST_USE enum err key_send(const struct pubkey *cert, const struct privkey *k, struct bytes comment, const struct agent_limits *limits);
void limits_say(uint32_t lifetime_s);
int job_list(bool whole);               /* list.c: -L, -l */
int job_query(void);                    /* -Q */
int job_test(const char *path);         /* -T */
int job_remove(const char *path);       /* remove.c */
int job_remove_stdin(void);
int job_remove_all(void);
int job_lock(bool lock);
int job_token_add(const char *provider, int certs_n, char **certs);   /* token.c: -s */
int job_token_remove(const char *provider);                             /* -e */
int job_residents(void);                                                /* -K */
/* Look up the hosts of all -h; stops when one has no known key (destination.c). */
void destinations_find(void);
/* The constraints for a key: lifetime_s as given. */
struct agent_limits limits_of(uint32_t lifetime_s, const char *sk_provider);

#endif
