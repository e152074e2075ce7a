/* SPDX-License-Identifier: ISC */
/* The inside of a revocation list: sorted arrays of texts and of runs of numbers. */
#ifndef KEY_KRL_LIST_H
#define KEY_KRL_LIST_H

#include "key/krl.h"

#define KRL_CAS_MAX 16384           /* each is looked at for each certificate */

struct blobs {
    struct bytes *v;
    size_t n, cap;
    bool sorted;                    /* in order, none twice; an empty one is not marked */
};

struct run {
    uint64_t lo, hi;
};
struct runs {
    struct run *v;
    size_t n, cap;
    bool sorted;                    /* in order, with gaps */
};

struct krl_ca {
    struct pubkey *key;             /* NULL: any CA */
    struct runs serials;
    struct blobs key_ids;
};

struct chunk;                       /* what the views point into */

struct krl {
    uint64_t version, made_s;
    struct bytes comment;
    struct chunk *chunks;
    struct blobs keys, hashes[2];   /* hashes by enum krl_hash */
    struct krl_ca *cas;
    size_t cas_n, cas_cap, runs_n;
};

/* The numbers of PROTOCOL.krl */
#define KRL_MAGIC    0x5353484b524c0a00ULL      /* "SSHKRL\n\0" */
#define KRL_FORMAT   1
enum krl_section { KRL_CERTIFICATES = 1, KRL_EXPLICIT_KEY = 2, KRL_FP_SHA1 = 3, KRL_SIGNATURE = 4, KRL_FP_SHA256 = 5, KRL_EXTENSION = 255 };
enum krl_cert_section { KRL_SERIAL_LIST = 0x20, KRL_SERIAL_RANGE = 0x21, KRL_SERIAL_BITMAP = 0x22, KRL_KEY_ID = 0x23, KRL_CERT_EXTENSION = 0x39 };

/* A copy that lives as long as the list. */
MUST_USE enum err krl_keep(struct krl *k, struct bytes b, struct bytes *out);
/* The view must live as long as the list. */
MUST_USE enum err blobs_add(struct blobs *s, struct bytes b);
MUST_USE enum err krl_add_serials(struct krl *k, struct krl_ca *ca, uint64_t lo, uint64_t hi);
MUST_USE enum err krl_add_key_id(struct krl_ca *ca, struct bytes id);
/* The entry of a CA (empty: any), made where it is missing; valid until the next one is made. */
MUST_USE enum err krl_ca_entry(struct krl *k, struct bytes blob, struct krl_ca **out);
/* Sorts all that is not sorted. */
void krl_settle(struct krl *k);

/* Runs, sorted and with gaps, as sections of a CA's part. */
MUST_USE enum err serials_write(const struct run *v, size_t n, struct wr *out);

#endif
