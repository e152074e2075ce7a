/* SPDX-License-Identifier: ISC */
/* Fuzz targets: each takes any bytes and must come back without a crash, a leak or an endless loop. */
#ifndef FUZZ_TARGETS_H
#define FUZZ_TARGETS_H

#include "base/bytes.h"
#include "base/wr.h"

struct fuzz_target {
    const char *name;
    void (*run)(struct bytes in);
    /* Writes the i-th seed of its own making; false: no more. NULL: its seeds are files only. */
    bool (*seed)(unsigned i, struct wr *out);
};

extern const struct fuzz_target fuzz_targets[];     /* ended by a NULL name */
const struct fuzz_target *fuzz_find(const char *name);

/* core.c */
void fuzz_ident(struct bytes in);
void fuzz_packets(struct bytes in);
void fuzz_kexinit(struct bytes in);
void fuzz_kex(struct bytes in);
void fuzz_kex_shares(struct bytes in);
void fuzz_service(struct bytes in);
void fuzz_auth_server(struct bytes in);
void fuzz_auth_client(struct bytes in);
void fuzz_channels(struct bytes in);
bool seed_kexinit(unsigned i, struct wr *out);
bool seed_kex(unsigned i, struct wr *out);
bool seed_service(unsigned i, struct wr *out);
bool seed_auth_server(unsigned i, struct wr *out);
bool seed_auth_client(unsigned i, struct wr *out);
bool seed_channels(unsigned i, struct wr *out);
bool seed_packets(unsigned i, struct wr *out);
/* files.c */
void fuzz_key_file(struct bytes in);
void fuzz_pubkey(struct bytes in);
void fuzz_known_hosts(struct bytes in);
void fuzz_authorized_keys(struct bytes in);
void fuzz_ssh_config(struct bytes in);
void fuzz_sshd_config(struct bytes in);
void fuzz_text(struct bytes in);
/* cert.c */
void fuzz_cert(struct bytes in);
/* Appends a certificate that is truly signed; start: all of it before the authority's key. */
void fuzz_cert_sign(struct bytes start, struct wr *out);
bool seed_cert(unsigned i, struct wr *out);
/* sk.c */
void fuzz_sk(struct bytes in);
bool seed_sk(unsigned i, struct wr *out);
/* lists.c */
void fuzz_krl(struct bytes in);
void fuzz_sshsig(struct bytes in);
void fuzz_allowed_signers(struct bytes in);
bool seed_krl(unsigned i, struct wr *out);
/* priv.c */
void fuzz_priv_warden(struct bytes in);
void fuzz_priv_client(struct bytes in);
void fuzz_face_conf(struct bytes in);
/* sftp.c */
void fuzz_sftp_server(struct bytes in);
void fuzz_sftp_client(struct bytes in);
bool seed_sftp_server(unsigned i, struct wr *out);
bool seed_sftp_client(unsigned i, struct wr *out);
/* lane.c */
void fuzz_sftp_lane(struct bytes in);
bool seed_sftp_lane(unsigned i, struct wr *out);
/* formats.c */
void fuzz_ppk(struct bytes in);
void fuzz_pem(struct bytes in);
void fuzz_dropbear(struct bytes in);
void fuzz_rfc4716(struct bytes in);
/* batch.c */
void fuzz_sftp_batch(struct bytes in);
bool seed_sftp_batch(unsigned i, struct wr *out);
/* scp.c */
void fuzz_scp_line(struct bytes in);
void fuzz_glob(struct bytes in);
bool seed_scp_line(unsigned i, struct wr *out);
bool seed_glob(unsigned i, struct wr *out);
/* agent.c */
void fuzz_agent_server(struct bytes in);
void fuzz_agent_client(struct bytes in);
bool seed_agent_server(unsigned i, struct wr *out);
bool seed_agent_client(unsigned i, struct wr *out);
/* judge.c */
void fuzz_judge(struct bytes in);
void fuzz_verifier(struct bytes in);
bool seed_judge(unsigned i, struct wr *out);
bool seed_verifier(unsigned i, struct wr *out);
/* server_files.c */
void fuzz_moduli(struct bytes in);
void fuzz_key_lists(struct bytes in);
bool seed_moduli(unsigned i, struct wr *out);
bool seed_key_lists(unsigned i, struct wr *out);
/* file_hand.c */
void fuzz_files_line(struct bytes in);
void fuzz_desk(struct bytes in);
bool seed_files_line(unsigned i, struct wr *out);
bool seed_desk(unsigned i, struct wr *out);
/* tokens.c */
void fuzz_pkcs11_client(struct bytes in);
void fuzz_sk_client(struct bytes in);
bool seed_pkcs11_client(unsigned i, struct wr *out);
bool seed_sk_client(unsigned i, struct wr *out);
/* p11_helper.c */
void fuzz_pkcs11_helper(struct bytes in);
void fuzz_x509(struct bytes in);
bool seed_pkcs11_helper(unsigned i, struct wr *out);
/* sk_helper.c */
void fuzz_sk_helper(struct bytes in);
bool seed_sk_helper(unsigned i, struct wr *out);
/* dns.c */
void fuzz_dns(struct bytes in);
bool seed_dns(unsigned i, struct wr *out);
/* keyscan.c */
void fuzz_keyscan(struct bytes in);
bool seed_keyscan(unsigned i, struct wr *out);

#endif
