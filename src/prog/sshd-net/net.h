/* SPDX-License-Identifier: ISC */
/* The parts of sshd-net: nursery (main.c), face, verifier. */
#ifndef SSHD_NET_H
#define SSHD_NET_H

#include "base/attr.h"
#include "core/conn.h"
#include "priv/face_conf.h"
#include "priv/helpers.h"

/* The settings as records, made once by the nursery; every face starts from a copy of this. */
struct net_setup {
    struct face_conf conf;
    struct conn_setup conn;
    unsigned fds_max;           /* descriptors that a face may hold */
};
/* ERR_NO_KEX and the like: a list without a name that we have. */
MUST_USE enum err net_setup_make(struct bytes text, struct net_setup *out);

/* For server-sig-algs: what a verifier here can verify of those names, nothing that the configuration only knows of. Written to room. */
struct bytes net_sig_algs(struct bytes names, struct span room);

/* Everything a first handshake would otherwise do first: fetching algorithms, allocating, reading openssl.cnf. */
MUST_USE enum err net_rehearse(const struct net_setup *s);

/* One connection, from its first byte to its last. In the child, with the nursery's filter on. Never returns. */
NORETURN void face_run(const struct net_setup *s, int in, int out, int chan);

struct pubkey;
/* Is it an RSA key, or a certificate for one, that RequiredRSASize keeps out? */
bool pubkey_rsa_small(const struct pubkey *k, uint32_t bits_min);

/* One signature; answers on `to`. In the child. Never returns. ask is n bytes long. */
NORETURN void verifier_run(const struct verify_head *ask, size_t n, int to);

/* The same without the process: VERDICT_GOOD only for a signature that holds. */
enum verdict verifier_answer(const struct verify_head *ask, size_t n);

/* What is to be thought of one key; answers on fds[0]. In the child. Never returns. */
NORETURN void judge_run(const struct judge_ask *ask, const int *fds, size_t fd_count);
/* The same without the process; files are those of the question. The answer stands until the next question. */
const struct judge_say *judge_answer(const struct judge_ask *ask, const int *files, size_t file_count);

#endif
