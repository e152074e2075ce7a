/* SPDX-License-Identifier: ISC */
/* What the operations of `-Y` share. */
#ifndef SSH_KEYGEN_SIGNATURE_H
#define SSH_KEYGEN_SIGNATURE_H

#include "key/sshsig.h"
#include "keygen.h"

struct sig_options {                        /* -O */
    const struct hash_alg *hash;            /* for signing */
    uint64_t verify_time_s;                 /* when the signature is judged: now where nothing was said */
    bool print_key;
};

/* All that the descriptor still holds. */
MUST_USE enum err hash_fd(int fd, const struct hash_alg *hash, uint8_t *out);
/* Wall clock seconds to seconds since 1970; 0: there is no such time. */
uint64_t wall_here(int64_t wall_s);

/* The parts of a signature file; `blob` owns what the views show. False: what is wrong was said. */
bool signature_load(const char *path, struct wr *blob, struct sshsig *out);

/* signers.c. The file of allowed signers: is the key one of principal's, for this namespace, at that time? What is wrong is said. */
bool signer_allowed(const char *path, const struct pubkey *key, const char *principal, const char *name_space, uint64_t at_s);
int principals_find(const struct options *o, const struct sig_options *s);
int principals_match(const struct options *o, const struct sig_options *s);

/* sign.c */
int files_sign(const struct options *o, const struct sig_options *s);

#endif
