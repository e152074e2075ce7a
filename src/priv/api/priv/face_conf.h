/* SPDX-License-Identifier: ISC */
/* What every face starts from: the global settings, written once by the listener and read by the nursery before its jail. */
#ifndef PRIV_FACE_CONF_H
#define PRIV_FACE_CONF_H

#include "base/wr.h"

#define FACE_HOSTKEYS_MAX 32
#define FACE_CONF_MAX (1024 * 1024)

struct face_hostkey {
    struct bytes blob;          /* public */
    struct bytes algs;          /* signature algorithms, comma separated, in HostKeyAlgorithms' order */
};

struct face_conf {
    uint32_t jail_uid, jail_gid;
    uint32_t rung_first;        /* struct jail_how */
    struct bytes software;      /* after "SSH-2.0-" */
    struct bytes kex, ciphers, macs, sig_algs;
    uint32_t agent_told;        /* agent forwarding is allowed, whoever comes */
    uint32_t compression;
    uint64_t rekey_bytes, rekey_s;
    uint32_t debug;             /* send debug lines up to this level */
    uint32_t hostkey_count;
    struct face_hostkey hostkey[FACE_HOSTKEYS_MAX];
};

void face_conf_write(struct wr *w, const struct face_conf *c);
/* Views point into text. ERR_TRUNCATED, ERR_TRAILING, ERR_FORMAT. */
MUST_USE enum err face_conf_parse(struct bytes text, struct face_conf *out);

#endif
