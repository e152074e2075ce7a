/* SPDX-License-Identifier: ISC */
/* %-tokens, ${ENV} and ~ in option values: ssh_config(5) TOKENS, sshd_config(5) TOKENS. */
#ifndef CONF_TOKEN_H
#define CONF_TOKEN_H

#include "base/wr.h"
#include "conf/ssh.h"

/* What tokens stand for: t['h'] is %h's text; NULL: not available here. %% is always there. */
struct tokens {
    const char *t[128];
};

/* Which tokens an option may use (INVENTORY of ssh_config(5)): pass to token_expand. */
extern const char token_set_common[];       /* C d h i j k L l n p r u: CertificateFile, ControlPath, IdentityAgent, IdentityFile, Include,
                                               KnownHostsFile options, LocalForward, Match exec, RemoteCommand, RemoteForward, ... */
extern const char token_set_known_hosts_command[];  /* common and f H I K t */
extern const char token_set_hostname[];     /* h */
extern const char token_set_local_command[];/* common, f H I K t and T */
extern const char token_set_proxy[];        /* h n p r */
extern const char token_set_keys_command[];         /* server: C D f h k t U u */
extern const char token_set_user_file[];            /* server: h U u */
extern const char token_set_principals_command[];   /* server: all */
extern const char token_set_rdomain[];              /* server: D */

#define TOKEN_ENV   1U      /* ${NAME} is replaced too */
#define TOKEN_TILDE 2U      /* a leading ~ or ~user is replaced (files) */

/* Expand text; `set` lists the letters allowed. world is needed for ENV and TILDE. ERR_USAGE: an unknown or unavailable token, a
 * stray % at the end, an unset variable; `bad` (may be NULL) then gets "unknown key %x" or "env var ${X} has no value". */
MUST_USE enum err token_expand(const char *text, const char *set, const struct tokens *t, unsigned flags, const struct conf_world *w,
                               struct wr *out, const char **bad);

/* The client's tokens, filled after ssh_conf_finish(): keeps its texts in the configuration. jump: %j (or NULL); conn_hash: %C,
 * hex of SHA-1(%l%h%p%r%j), made by the program (conf has no hashes), may be NULL. f H I K t T are set by the caller where known. */
MUST_USE enum err ssh_conf_tokens(struct ssh_conf *c, const struct conf_world *w, const char *conn_hash, struct tokens *out);
/* The text to hash for %C: local host, remote host, port, user, jump host, one after the other. */
void ssh_conf_hash_text(const struct ssh_conf *c, const struct conf_world *w, struct wr *out);

/* A file option's value ready to open: tokens of the common set, ${ENV}, ~. */
MUST_USE enum err ssh_conf_path(const struct ssh_conf *c, const struct conf_world *w, const struct tokens *t, const char *value, struct wr *out);

#endif
