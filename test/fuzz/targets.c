/* SPDX-License-Identifier: ISC */
#include "targets.h"

const struct fuzz_target fuzz_targets[] = {
    {"ident", fuzz_ident, NULL},
    {"packets", fuzz_packets, seed_packets},
    {"kexinit", fuzz_kexinit, seed_kexinit},
    {"kex", fuzz_kex, seed_kex},
    {"kex_shares", fuzz_kex_shares, NULL},
    {"service", fuzz_service, seed_service},
    {"auth_server", fuzz_auth_server, seed_auth_server},
    {"auth_client", fuzz_auth_client, seed_auth_client},
    {"channels", fuzz_channels, seed_channels},
    {"key_file", fuzz_key_file, NULL},
    {"pubkey", fuzz_pubkey, NULL},
    {"ppk", fuzz_ppk, NULL},
    {"pem", fuzz_pem, NULL},
    {"dropbear", fuzz_dropbear, NULL},
    {"rfc4716", fuzz_rfc4716, NULL},
    {"cert", fuzz_cert, seed_cert},
    {"sk", fuzz_sk, seed_sk},
    {"known_hosts", fuzz_known_hosts, NULL},
    {"authorized_keys", fuzz_authorized_keys, NULL},
    {"ssh_config", fuzz_ssh_config, NULL},
    {"sshd_config", fuzz_sshd_config, NULL},
    {"text", fuzz_text, NULL},
    {"krl", fuzz_krl, seed_krl},
    {"sshsig", fuzz_sshsig, NULL},
    {"allowed_signers", fuzz_allowed_signers, NULL},
    {"priv_warden", fuzz_priv_warden, NULL},
    {"priv_client", fuzz_priv_client, NULL},
    {"face_conf", fuzz_face_conf, NULL},
    {"sftp_server", fuzz_sftp_server, seed_sftp_server},
    {"sftp_client", fuzz_sftp_client, seed_sftp_client},
    {"sftp_lane", fuzz_sftp_lane, seed_sftp_lane},
    {"sftp_batch", fuzz_sftp_batch, seed_sftp_batch},
    {"scp_line", fuzz_scp_line, seed_scp_line},
    {"glob", fuzz_glob, seed_glob},
    {"agent_server", fuzz_agent_server, seed_agent_server},
    {"agent_client", fuzz_agent_client, seed_agent_client},
    {"judge", fuzz_judge, seed_judge},
    {"verifier", fuzz_verifier, seed_verifier},
    {"key_lists", fuzz_key_lists, seed_key_lists},
    {"moduli", fuzz_moduli, seed_moduli},
    {"files_line", fuzz_files_line, seed_files_line},
    {"desk", fuzz_desk, seed_desk},
    {"dns", fuzz_dns, seed_dns},
    {"keyscan", fuzz_keyscan, seed_keyscan},
    {"pkcs11_client", fuzz_pkcs11_client, seed_pkcs11_client},
    {"pkcs11_helper", fuzz_pkcs11_helper, seed_pkcs11_helper},
    {"x509", fuzz_x509, NULL},
    {"sk_client", fuzz_sk_client, seed_sk_client},
    {"sk_helper", fuzz_sk_helper, seed_sk_helper},
    {NULL, NULL, NULL},
};

const struct fuzz_target *fuzz_find(const char *name)
{
    for (const struct fuzz_target *t = fuzz_targets; t->name; t++)
        if (name && strcmp(t->name, name) == 0) return t;
    return NULL;
}
