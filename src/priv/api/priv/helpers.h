/* SPDX-License-Identifier: ISC */
/* Messages of the server's other lines: listener and nursery, warden and verifier, warden and keys. Fixed lengths, one datagram each.
 *
 * Verifier and keys are asked over sockets that all wardens share with whichever nursery or keys process is there now: a
 * question brings the descriptor that its answer goes to, so that answers cannot be mixed up, and a restarted helper finds the
 * questions that wait. */
#ifndef PRIV_HELPERS_H
#define PRIV_HELPERS_H

#include "base/bytes.h"
#include "base/limits.h"
#include "priv/face.h"

/* ---- descriptors at exec ---- */

/* sshd-net: 0-2 /dev/null or the log, and */
enum { NET_FD_CONTROL = 3, NET_FD_VERIFY = 4, NET_FD_CONF = 5, NET_FD_COUNT = 6 };
/* sshd-keys: then host key files, then host certificates */
enum { KEYS_FD_ASK = 3, KEYS_FD_START = 4, KEYS_FD_AGENT = 5, KEYS_FD_FIRST_FILE = 6 };

/* ---- listener and nursery ---- */

enum nursery_type { NURSERY_READY, NURSERY_FAILED, NURSERY_FORK, NURSERY_SERVE };
/* nursery: READY or FAILED with a text about the jail; listener: FORK with {chan, in} or {chan, in, out}; SERVE: from now on verifier
 * questions are this nursery's to take. */
struct nursery_message { uint32_t type, serial; char text[192]; };
#define NURSERY_FORKS 64        /* then a new one takes over: no memory layout lives long (ARCHITECTURE 3) */

/* Jail ids and the like for the companions; in front of the face's settings. */
struct jail_ids { uint32_t uid, gid; };

/* ---- warden and verifier ---- */

#define VERIFY_TEXT_SMALL 4096
#define VERIFY_TEXT_BIG   (3 * PUBKEY_BLOB_MAX)
/* sk_flags: what a FIDO signature must state (key/sk.h SK_PRESENCE, SK_VERIFY). */
struct verify_head { uint32_t type, text_n, key_n, sig_n, alg_n, rsa_bits_min, sk_flags; uint8_t alg[ASK_NAME_MAX]; };
struct verify_ask { struct verify_head head; uint8_t text[VERIFY_TEXT_SMALL], key[ASK_KEY_SMALL], sig[ASK_SIG_SMALL]; };
struct verify_ask_big { struct verify_head head; uint8_t text[VERIFY_TEXT_BIG], key[PUBKEY_BLOB_MAX], sig[SIGNATURE_MAX]; };
/* The only two answers; anything else, and silence, is no. */
#define VERIFY_GOOD 0x9d3c7a51e6b8420fULL
#define VERIFY_BAD  0x41f2b86d0795ca3eULL
struct verify_say { uint64_t verdict; };

/* Before anybody looks whether a key is listed: is it revoked, and if it is a certificate, what does it say and is it to be believed here and
 * now? Descriptors: where the answer goes, then the file of trusted authorities (if has_cas), then those of revoked keys, all opened by the
 * warden, who reads none of them. */
#define JUDGE_REVOKED_MAX 14
struct judge_ask {
    uint32_t key_n, ca_algs_n, user_n, rsa_bits_min, md5, has_cas, revoked_n;       /* md5: fingerprints by MD5, else SHA256 */
    uint64_t now_s;
    char address[64];                   /* the client's */
    uint8_t user[256], ca_algs[2048], key[PUBKEY_BLOB_MAX];
};
/* A certificate's options that outlive its judgement. */
struct judge_limits {
    uint8_t permit_port_forwarding, permit_agent_forwarding, permit_x11_forwarding, permit_pty, permit_user_rc, no_touch_required, verify_required,
        has_command;
    char command[8192];
};
/* A well-formed certificate has its facts told even where it is not to be believed: one that is out of its time is looked for like any other. */
struct judge_say {
    uint64_t verdict;                   /* VERIFY_GOOD: a key that is not revoked; else nothing below counts but `why` */
    uint64_t serial;
    uint32_t is_cert;
    uint32_t believed;                  /* kind, time, options, address, the CA's algorithm; else `why` */
    uint32_t ca_trusted, names_user;    /* the CA is in the file; the user is among the principals */
    uint32_t ca_n, principals_n, key_id_n;
    struct judge_limits limits;
    char why[512], detail[1024];        /* detail: "ED25519-CERT SHA256:... ID ... (serial 1) CA ..." for the log, escaped */
    char fingerprint[64], ca_fingerprint[64], ca_name[32];      /* ca_name: "ED25519" */
    uint8_t plain_sha256[32];           /* of the certified key's own blob: that key, whatever certificate it comes in */
    uint8_t key_id[4096], ca[PUBKEY_BLOB_MAX], principals[PUBKEY_BLOB_MAX];    /* principals: packed strings */
};

/* ---- warden and keys ---- */

enum keys_type { KEYS_SIGN_KEX, KEYS_SIGN_PROVE };
/* SIGN_KEX: data is an exchange hash of 32, 48 or 64 bytes. SIGN_PROVE: data is the session id; keys builds the text around it. */
struct keys_ask { uint32_t type, hostkey, alg_n, data_n; uint8_t alg[ASK_NAME_MAX], data[64]; };
struct keys_say { uint32_t ok, sig_n; uint8_t sig[SIGNATURE_OUT]; };

/* SIGN_KEX with a certificate's index signs with its key. */
/* At start, for each file in order: the public half or certificate, or why not (blob_n 0); then one with index UINT32_MAX when the jail is on
 * (blob_n 1) or failed (0). */
struct keys_public {
    uint32_t index, blob_n, algs_n, bits;
    uint8_t algs[256], blob[PUBKEY_BLOB_MAX];
    char text[192];             /* why not; about the jail; else "ED25519 SHA256:..." */
};

#endif
