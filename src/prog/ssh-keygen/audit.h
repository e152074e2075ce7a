/* SPDX-License-Identifier: ISC */
/* ssh-keygen --audit FILE|DIR...: what keys there are and what is wrong with them. audit.c walks and collects, audit_keys.c judges and shows, audit_weak.c
 * knows keys that were made badly. */
#ifndef SSH_KEYGEN_AUDIT_H
#define SSH_KEYGEN_AUDIT_H

#include "key/krl.h"
#include "keygen.h"

/* What was found beforehand and may touch a key that is shown later. */
struct audit_krl {
    char *path;
    struct krl *krl;
};
struct audit_cert {
    char *path;
    struct pubkey *key;
};

struct audit {
    const struct options *o;
    uint64_t now_s, age_s_max;          /* age_s_max: 0: any age is fine */
    int32_t utc_offset;
    struct audit_krl *krls;
    struct audit_cert *certs;
    size_t krls_n, certs_n;
    struct secret bad_keys;             /* -O blacklist=FILE */
    size_t shown, flawed;               /* keys, and those with something wrong */
    char **refused;                     /* files and folders that could not be read, each told once */
    size_t refused_n;
    bool unread;                        /* something could not be read or understood */
};

/* What could not be read is told, and counts against the whole. */
void audit_unreadable(struct audit *a, const char *path, enum err e);

/* One file that was read whole: shows each key in it. False: none of what it holds is about keys. */
bool audit_file(struct audit *a, const char *path, struct bytes text, const struct stat *st);

/* What is wrong with how a key was made, as far as it shows; NULL: nothing. */
const char *audit_weakness(const struct audit *a, const struct pubkey *k);

#endif
