/* SPDX-License-Identifier: ISC */
/* The table of signature algorithms. */
#include "key/sk.h"

#define WEBAUTHN_CERT "webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com"

const struct sig_alg sig_algs[] = {
    {"ssh-ed25519", "ssh-ed25519", "ssh-ed25519"},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"},
    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"},
    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521"},
    {"sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519@openssh.com"},
    {"sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"},
    {SIG_WEBAUTHN, "sk-ecdsa-sha2-nistp256@openssh.com", SIG_WEBAUTHN},
    {"rsa-sha2-512", "ssh-rsa", "rsa-sha2-512"},
    {"rsa-sha2-256", "ssh-rsa", "rsa-sha2-256"},
    {"ssh-mldsa44-ed25519@openssh.com", "ssh-mldsa44-ed25519@openssh.com", "ssh-mldsa44-ed25519@openssh.com"}, /* by name only, as 10.5 */
    {"ssh-rsa", "ssh-rsa", "ssh-rsa"}, /* SHA-1: only where a user asks for it by name */
    {"ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519"},
    {"ecdsa-sha2-nistp256-cert-v01@openssh.com", "ecdsa-sha2-nistp256-cert-v01@openssh.com", "ecdsa-sha2-nistp256"},
    {"ecdsa-sha2-nistp384-cert-v01@openssh.com", "ecdsa-sha2-nistp384-cert-v01@openssh.com", "ecdsa-sha2-nistp384"},
    {"ecdsa-sha2-nistp521-cert-v01@openssh.com", "ecdsa-sha2-nistp521-cert-v01@openssh.com", "ecdsa-sha2-nistp521"},
    {"sk-ssh-ed25519-cert-v01@openssh.com", "sk-ssh-ed25519-cert-v01@openssh.com", "sk-ssh-ed25519@openssh.com"},
    {"sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"},
    {WEBAUTHN_CERT, "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", SIG_WEBAUTHN},
    {"rsa-sha2-512-cert-v01@openssh.com", "ssh-rsa-cert-v01@openssh.com", "rsa-sha2-512"},
    {"rsa-sha2-256-cert-v01@openssh.com", "ssh-rsa-cert-v01@openssh.com", "rsa-sha2-256"},
    {"ssh-mldsa44-ed25519-cert-v01@openssh.com", "ssh-mldsa44-ed25519-cert-v01@openssh.com", "ssh-mldsa44-ed25519@openssh.com"},
    {"ssh-rsa-cert-v01@openssh.com", "ssh-rsa-cert-v01@openssh.com", "ssh-rsa"},
    {NULL, NULL, NULL},
};

#define PLAIN "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,sk-ssh-ed25519@openssh.com," \
              "sk-ecdsa-sha2-nistp256@openssh.com," SIG_WEBAUTHN ",rsa-sha2-512,rsa-sha2-256"
const char sig_algs_default[] = PLAIN;
const char sig_algs_sound[] = PLAIN ",ssh-mldsa44-ed25519@openssh.com";
const char sig_algs_default_any[] =
    "ssh-ed25519-cert-v01@openssh.com,ecdsa-sha2-nistp256-cert-v01@openssh.com,ecdsa-sha2-nistp384-cert-v01@openssh.com,"
    "ecdsa-sha2-nistp521-cert-v01@openssh.com,sk-ssh-ed25519-cert-v01@openssh.com,sk-ecdsa-sha2-nistp256-cert-v01@openssh.com,"
    WEBAUTHN_CERT ",rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-256-cert-v01@openssh.com," PLAIN;

const struct sig_alg *sig_alg_find(struct bytes name)
{
    for (const struct sig_alg *a = sig_algs; a->name; a++)
        if (bytes_is(name, a->name)) return a;
    return NULL;
}

bool sig_alg_is_cert(const struct sig_alg *alg)
{
    static const char end[] = "-cert-v01@openssh.com";
    size_t n = strlen(alg->key_type);
    return n > sizeof end - 1 && strcmp(alg->key_type + n - (sizeof end - 1), end) == 0;
}

const struct sig_alg *sig_alg_plain(const struct sig_alg *alg)
{
    return sig_alg_find(bytes_str(alg->sig_name));
}
