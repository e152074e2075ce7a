/* SPDX-License-Identifier: ISC */
/* What the parts of ssh-keygen share: the command line, messages, loading and saving keys. */
#ifndef SSH_KEYGEN_H
#define SSH_KEYGEN_H

#include <limits.h>

#include "key/key.h"
#include "os/atomic_file.h"
#include "os/prompt.h"
#include "os/say.h"

#define OPTION_EXTRA_MAX 256

struct options {
    bool quiet, fingerprint, print_public, change_passphrase, change_comment, host_keys;
    bool audit;                             /* --audit */
    bool find_host, remove_host, hash_hosts;
    const char *host;                       /* -F, -R */
    char file[PATH_MAX];                    /* -f, or what was typed */
    bool have_file;
    const char *passphrase, *new_passphrase;    /* -P, -N; NULL: ask */
    const char *comment;                    /* -C */
    const char *type;                       /* -t */
    const char *cipher;                     /* -Z */
    enum privkey_format format;             /* -m, for private keys */
    size_t bits;                            /* -b; 0: the type's default */
    uint32_t rounds;                        /* -a; 0: default */
    unsigned verbose;
    enum fingerprint hash;                  /* -E */
    /* certificates: -s, -I, -h, -n, -V, -z, -U, -L */
    const char *ca_key, *key_id, *principals, *validity, *serial;
    bool host_cert, agent_ca, show_cert;
    /* revocation lists: -k, -u, -Q */
    bool krl_make, krl_update, krl_query;
    /* other formats and tokens: -i (and -X), -e, -m as written, -B, -D, -K, -w */
    bool import, export, bubblebabble, download;
    const char *format_name, *pkcs11, *sk_provider;
    /* -M, -Y, -r (with -g) */
    const char *moduli, *signature, *dns_host;
    bool dns_generic;
    const char *extra[OPTION_EXTRA_MAX];    /* -O, in order */
    size_t extra_n;
    char **rest;                            /* the arguments after the options; only some jobs take any */
    int rest_n;
    char user[256], home[PATH_MAX], machine[256];
};

/* ---- messages (say.c) ---- */
/* Why an operation failed, in OpenSSH's words; for ERR_SYSTEM by errno. */
const char *reason(enum err e);
/* The same of what an agent was asked. */
const char *agent_reason(enum err e);
/* Stops at an error that is ours and not the input's (no memory, no libcrypto): whatever were told after it would be wrong. */
void need_sound(enum err e, const char *what);
/* Stops where not all was written that should have been. */
void need_written(const struct wr *w);
/* One line from stdin without its newline; false at the end of file. */
bool read_answer(char *buf, size_t cap);

/* " (y/n)? " and whether the answer was yes. */
bool confirm(void);

/* ---- keys (files.c) ---- */
/* "prompt (default): " on stdout and the answer to o->file, unless -f was given. */
void need_file(struct options *o, const char *prompt);
/* Stops with "FILE: error" when there is no such file. */
void need_existing(const struct options *o);

struct identity {
    struct privkey *key;
    struct wr comment;
    struct secret passphrase;               /* the one that opened it; empty: none */
    enum privkey_format format;
};
void identity_drop(struct identity *id);
/* Read o->file, ask for the passphrase where needed (given: -P or the like, else prompt). */
MUST_USE enum err identity_load(const struct options *o, const char *given, const char *prompt, struct identity *out);
/* The same of a file that others may read, as it comes from elsewhere. */
MUST_USE enum err identity_load_loose(const struct options *o, const char *prompt, struct identity *out);
MUST_USE enum err identity_load_from(const char *path, const char *given, const char *prompt, struct identity *out);
/* The text of a file of keys, o->file or what is answered ("-": stdin), and the name to show for it; stops where it cannot be read. */
const char *keys_read(struct options *o, struct secret *out);
/* The first key, plain or certificate, of a public key file, else of FILE.pub, else the clear half of a private key file. comment: the
 * line's, else the file's name. */
MUST_USE enum err public_load(const char *path, struct pubkey **out, struct wr *comment);
/* "~/x" and "~user/x" as a shell would have them; everything else as it is. */
void path_expand(const struct options *o, const char *name, char out[PATH_MAX]);
/* Text of a private key file: the permission rule first (a warning block when it fails: ERR_DENIED). */
MUST_USE enum err private_read(const char *path, struct secret *out);
/* A new passphrase, typed twice (each prompt once; `again`: until both are equal, else exit 1). */
void passphrase_new(const char *prompt, const char *mismatch, bool again, struct secret *out);

/* -m: one of RFC4716, PKCS8, PEM, PPK, Dropbear; stops at others (convert.c). */
void format_take(struct options *o, const char *name);
/* Stops when a key of this type, or with a passphrase, cannot be written in the format that -m asked for. */
void need_format(const struct options *o, const char *type, struct bytes passphrase);
MUST_USE enum err private_save(const struct options *o, const struct privkey *k, struct bytes passphrase, struct bytes comment,
                               const char *path);
MUST_USE enum err public_save(const struct pubkey *k, struct bytes comment, const char *path);
/* The fingerprint as -E and -B ask for it. */
void show_fingerprint(const struct options *o, const struct pubkey *k, struct wr *out);
/* A file that is no secret: whole or not at all. A new one gets what the umask leaves of `mode`, an old one keeps its own; what is no regular
 * file is written to as it is. */
MUST_USE enum err output_save(const char *path, struct bytes content, mode_t mode);
/* "size hash comment (type)", and the picture with -v. */
void print_fingerprint(const struct options *o, const struct pubkey *k, struct bytes comment);
void print_randomart(const struct options *o, const struct pubkey *k);

/* ---- making (make.c) ---- */
/* False: there is such a file, and it is to stay. */
bool confirm_overwrite(const char *path);
/* That of a new key: -N, else typed. */
void passphrase_get(const struct options *o, struct secret *out);

/* ---- keys on authenticators (token.c) ---- */
/* Enrolls one as -O asks for; stops when that fails. */
void token_make(const struct options *o, const char *type, struct privkey **out, struct wr *attestation);
/* privkey_sign(), or by the authenticator where the key is on one; then it says itself why that failed. */
MUST_USE enum err key_sign(const struct options *o, const struct privkey *k, const struct sig_alg *alg, struct bytes msg, struct wr *out);
/* -O write-attestation. */
void token_attestation_save(const struct options *o, struct bytes attestation);
/* -p with -O: what the file asks of its authenticator from now on. Stops at other options, and for other keys. */
void token_options_change(const struct options *o, struct privkey *k);

/* ---- tokens (pkcs11.c) ---- */
struct pkcs11;
struct pkcs11_key;
/* The provider of -D; stops when it cannot be used. It is the caller's to close. */
struct pkcs11 *token_open(const struct options *o);
/* Its key of this public half; stops when it has none. */
const struct pkcs11_key *token_find(const struct pkcs11 *p, const struct pubkey *pub, const char *path);

/* ---- the jobs; each ends the process or returns the exit status ---- */
int job_make(struct options *o);
int job_host_keys(struct options *o);
int job_fingerprint(struct options *o);
int job_print_public(struct options *o);
int job_change_passphrase(struct options *o);
int job_change_comment(struct options *o);
int job_known_hosts(struct options *o);
int job_export(struct options *o);
int job_import(struct options *o);
int job_moduli(struct options *o);
int job_audit(struct options *o);
int job_certify(struct options *o);
int job_show_cert(struct options *o);
int job_krl_make(struct options *o);
int job_krl_query(struct options *o);
int job_dns(struct options *o);
int job_signature(struct options *o);
int job_download(struct options *o);
int job_token(struct options *o);

/* Shows how to call the program, exit 1. */
NORETURN void usage(void);

#endif
