/* SPDX-License-Identifier: ISC */
/* sshd-keys: holds the host private keys and signs with them. It gets the key files as descriptors, reads them, goes to jail, and from
 * then on knows two questions: SIGN_KEX, a hash of exactly 32, 48 or 64 bytes, and SIGN_PROVE, whose text it builds itself. It ends
 * when nobody is left who could ask.
 *
 * Usage: sshd-keys UID GID RUNG HOSTKEYALGORITHMS FILES (started by sshd, with the descriptors of priv/helpers.h) */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/sign.h"
#include "key/key.h"
#include "os/jail.h"
#include "os/message.h"
#include "priv/face_conf.h"
#include "priv/helpers.h"

static struct privkey *keys[FACE_HOSTKEYS_MAX];
static size_t key_count;
static struct keys_public public_out;

static void report(uint32_t index)
{
    public_out.index = index;
    if (message_send(KEYS_FD_START, &public_out, sizeof public_out, NULL, 0, true) != ERR_NONE) exit(1);
}

/* ---- reading the files ---- */

static const char *file_check(const struct stat *st)
{
    if (!S_ISREG(st->st_mode)) return "not a regular file";
    if (st->st_uid == getuid() && (st->st_mode & 077) != 0) return "bad permissions";
    if (st->st_size <= 0 || st->st_size > KEY_FILE_MAX) return "not a private key file";
    return NULL;
}

static const char *file_read_key(int fd, struct privkey **out)
{
    struct stat st;
    struct secret text CLEANUP(secret_clear) = {0};
    struct wr comment CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    size_t n = 0;
    if (fstat(fd, &st) != 0) return strerror(errno);
    const char *bad = file_check(&st);
    if (bad) return bad;
    if (secret_new(&text, (size_t)st.st_size) != ERR_NONE) return "out of memory";
    while (n < text.n) {
        ssize_t got = pread(fd, text.p + n, text.n - n, (off_t)n);
        if (got <= 0) return "read failed";
        n += (size_t)got;
    }
    struct bytes all = secret_bytes(&text);
    if (privkey_file_encrypted(all)) return "it is encrypted with a passphrase";
    struct privkey *k CLEANUP(privkey_drop) = NULL;
    enum err e = privkey_file_parse(all, (struct bytes){0}, &k, &comment);
    if (e != ERR_NONE) return err_text(e);
    if (pubkey_is_sk(privkey_public(k))) return "it is on an authenticator, which this process cannot ask";
    *out = k;
    k = NULL;
    return NULL;
}

/* The signature algorithms of HostKeyAlgorithms that this key can make, in that order. */
static void algs_of_key(struct bytes list, const struct pubkey *k)
{
    struct bytes name;
    struct wr w = wr_span((struct span){public_out.algs, sizeof public_out.algs});
    for (size_t pos = 0; names_next(list, &pos, &name);) {
        const struct sig_alg *alg = sig_alg_find(name);
        if (!alg || strcmp(alg->key_type, pubkey_type(k)) != 0) continue;
        if (w.n > 0) wr_u8(&w, ',');
        wr_raw(&w, name);
    }
    public_out.algs_n = wr_done(&w) == ERR_NONE ? (uint32_t)w.n : 0;
}

/* One report a file, in order; the keys that will be used are numbered anew, as the server counts them. */
static void key_load(uint32_t file, int fd, struct bytes algs)
{
    struct privkey *k CLEANUP(privkey_drop) = NULL;
    const char *bad = file_read_key(fd, &k);
    close(fd);
    memset(&public_out, 0, sizeof public_out);
    if (bad) {
        snprintf(public_out.text, sizeof public_out.text, "%s", bad);
    } else {
        const struct pubkey *pub = privkey_public(k);
        struct wr w = wr_span((struct span){(uint8_t *)public_out.text, sizeof public_out.text - 1});
        wr_text(&w, pubkey_short_name(pub)), wr_u8(&w, ' ');
        fingerprint_write(&w, pubkey_blob(pub), FINGERPRINT_SHA256);
        public_out.bits = (uint32_t)pubkey_bits(pub);
        public_out.blob_n = field_set(public_out.blob, sizeof public_out.blob, pubkey_blob(pub));
        algs_of_key(algs, pub);
        if (public_out.algs_n > 0) {    /* else HostKeyAlgorithms leaves it out */
            keys[key_count++] = k;
            k = NULL;
        }
    }
    report(file);
}

/* ---- signing ---- */

/* Each algorithm once, so that nothing is fetched, opened or allocated for the first time inside the jail. */
static enum err rehearse(void)
{
    uint8_t hash[32] = {0};
    for (size_t i = 0; i < key_count; i++) {
        for (const struct sig_alg *a = sig_algs; keys[i] && a->name; a++) {
            if (strcmp(a->key_type, pubkey_type(privkey_public(keys[i]))) != 0) continue;
            struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_OUT);
            TRY(privkey_sign(keys[i], a, bytes_of(hash, sizeof hash), &sig));
        }
    }
    return ERR_NONE;
}

/* draft-miller-sshm-hostkey-update: string "hostkeys-prove-00@openssh.com", string session id, string key blob. */
static void prove_text(struct wr *w, struct bytes session_id, const struct privkey *k)
{
    wr_cstring(w, "hostkeys-prove-00@openssh.com");
    wr_string(w, session_id);
    wr_string(w, pubkey_blob(privkey_public(k)));
}

MUST_USE static enum err sign(const struct keys_ask *ask, struct wr *sig)
{
    struct bounded alg_name = FIELD(ask, alg), data = FIELD(ask, data);
    TRY(alg_name.err);
    TRY(data.err);
    if (ask->hostkey >= key_count || !keys[ask->hostkey]) return ERR_RANGE;
    if (data.b.n != 32 && data.b.n != 48 && data.b.n != 64) return ERR_FORMAT;
    const struct privkey *k = keys[ask->hostkey];
    const struct sig_alg *alg = sig_alg_find(alg_name.b);
    if (!alg || strcmp(alg->key_type, pubkey_type(privkey_public(k))) != 0) return ERR_KEY_TYPE;
    if (ask->type == KEYS_SIGN_KEX) return privkey_sign(k, alg, data.b, sig);
    if (ask->type != KEYS_SIGN_PROVE) return ERR_FORMAT;
    struct wr text CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX + 256);
    prove_text(&text, data.b, k);
    TRY(wr_done(&text));
    return privkey_sign(k, alg, wr_bytes(&text), sig);
}

static void answer(const struct keys_ask *ask, int to)
{
    static struct keys_say say;
    struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_OUT);
    memset(&say, 0, sizeof say);
    if (sign(ask, &sig) == ERR_NONE) {
        say.ok = 1;
        say.sig_n = field_set(say.sig, sizeof say.sig, wr_bytes(&sig));
    }
    (void)!message_send(to, &say, sizeof say, NULL, 0, false);    /* nobody may hold us up; who is gone needs no answer */
}

static int serve(void)
{
    for (;;) {
        static union { struct keys_ask ask; uint8_t room[sizeof(struct keys_ask) + 1]; } in;
        struct message m;
        enum err e = message_recv(KEYS_FD_ASK, &in, sizeof in, true, &m);
        if (e == ERR_PEER_GONE) return 0;
        if (e == ERR_AGAIN || e == ERR_TOO_LONG) continue;
        if (e != ERR_NONE) return 1;
        if (m.n == sizeof in.ask && m.fd_count == 1) answer(&in.ask, m.fd[0]);
        message_close_fds(&m);
    }
}

static void jail(const char *uid, const char *gid, const char *rung)
{
    struct jail_how how = {.uid = (uid_t)strtoul(uid, NULL, 10), .gid = (gid_t)strtoul(gid, NULL, 10), .rung_first = (int)strtol(rung, NULL, 10)};
    struct jail_report r = {0};
    memset(&public_out, 0, sizeof public_out);
    enum err e = jail_enter(&how, &r, public_out.text, sizeof public_out.text);
    if (e == ERR_NONE && (e = jail_filter(JAIL_FILTER_KEYS)) != ERR_NONE)
        snprintf(public_out.text, sizeof public_out.text, "no system call filter");
    public_out.blob_n = e == ERR_NONE;
    if (e == ERR_NONE) snprintf(public_out.text, sizeof public_out.text, "%s", jail_rung_name(r.rung));
    report(UINT32_MAX);
    if (e != ERR_NONE) _exit(1);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "-V") == 0) {     /* for sshd -V, which links no cryptographic library */
        fprintf(stderr, "Nacre_" NACRE_VERSION " (OpenSSH_10.5p1), %s\n", crypto_version());
        return 0;
    }
    if (argc != 6) {
        fputs("sshd-keys is started by sshd\n", stderr);
        return 1;
    }
    size_t files = strtoul(argv[5], NULL, 10);
    char *algs = strdup(argv[4]);
    if (!algs) return 1;
    memset(argv[4], 0, strlen(argv[4]));        /* a list of names, too long for what ps shows */
    if (files > FACE_HOSTKEYS_MAX || crypto_warm() != ERR_NONE) return 1;
    for (size_t i = 0; i < files; i++) key_load((uint32_t)i, KEYS_FD_FIRST_FILE + (int)i, bytes_str(algs));
    if (rehearse() != ERR_NONE || random_reseed() != ERR_NONE) return 1;
    jail(argv[1], argv[2], argv[3]);
    close(KEYS_FD_START);       /* the listener has all it waits for */
    return serve();
}
