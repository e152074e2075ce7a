/* SPDX-License-Identifier: ISC */
/* sshd-keys: holds the host private keys and signs with them. It gets the key files as descriptors, reads them, goes to jail, and from
 * then on knows two questions: SIGN_KEX, a hash of exactly 32, 48 or 64 bytes, and SIGN_PROVE, whose text it builds itself. A key
 * whose private half is HostKeyAgent's is signed with by that agent, one on an authenticator by that (keeper.c). It ends when nobody is
 * left who could ask.
 *
 * Usage: sshd-keys UID GID RUNG HOSTKEYALGORITHMS KEYS FILES PROVIDER (started by sshd, with the descriptors of priv/helpers.h) */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/sign.h"
#include "key/cert.h"
#include "key/sk.h"
#include "keys.h"
#include "kit/agent_client.h"
#include "os/jail.h"
#include "os/message.h"

struct slot slots[FACE_HOSTKEYS_MAX];
size_t slot_count;
static bool has_agent;
static struct keys_public public_out;

static void report(uint32_t index)
{
    public_out.index = index;
    if (message_send(KEYS_FD_START, &public_out, sizeof public_out, NULL, 0, true) != ERR_NONE) exit(1);
}

static const struct pubkey *slot_public(const struct slot *s)
{
    return s->priv ? privkey_public(s->priv) : s->pub;
}

/* ---- reading the files ---- */

static const char *file_take(int fd, struct stat *st, struct secret *text)
{
    size_t n = 0;
    if (fstat(fd, st) != 0) return strerror(errno);
    if (!S_ISREG(st->st_mode)) return "not a regular file";
    if (st->st_size <= 0 || st->st_size > KEY_FILE_MAX) return "not a private key file";
    if (secret_new(text, (size_t)st->st_size) != ERR_NONE) return "out of memory";
    while (n < text->n) {
        ssize_t got = pread(fd, text->p + n, text->n - n, (off_t)n);
        if (got <= 0) return "read failed";
        n += (size_t)got;
    }
    return NULL;
}

static const char *file_read_key(int fd, struct slot *s)
{
    struct stat st;
    struct secret text CLEANUP(secret_clear) = {0};
    struct wr comment CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    const char *bad = file_take(fd, &st, &text);
    if (bad) return bad;
    struct bytes all = secret_bytes(&text);
    /* The private half is an agent's: a public key, or the clear half of an encrypted one, is enough. */
    if (has_agent && pubkey_file_parse(all, &s->pub, NULL) == ERR_NONE) return NULL;
    if (st.st_uid == getuid() && (st.st_mode & 077) != 0) return "bad permissions";
    if (has_agent && privkey_file_encrypted(all) && privkey_file_public(all, &s->pub) == ERR_NONE) return NULL;
    if (privkey_file_encrypted(all)) return "it is encrypted with a passphrase";
    struct privkey *k CLEANUP(privkey_drop) = NULL;
    enum err e = privkey_file_parse(all, (struct bytes){0}, &k, &comment);
    if (e != ERR_NONE) return err_text(e);
    struct sk_private half;
    s->is_sk = privkey_sk(k, &half);
    /* nobody is there to touch it for each login, whatever the file says (OpenSSH's sshd does so, too) */
    if (s->is_sk && privkey_sk_set_flags(k, (uint8_t)(half.flags & ~SK_PRESENCE)) != ERR_NONE) return "out of memory";
    s->priv = k;
    k = NULL;
    return NULL;
}

/* The signature algorithms of HostKeyAlgorithms that a key of this type can make, in that order. */
static void algs_of_type(struct bytes list, const char *type)
{
    struct bytes name;
    struct wr w = wr_span((struct span){public_out.algs, sizeof public_out.algs});
    for (size_t pos = 0; names_next(list, &pos, &name);) {
        const struct sig_alg *alg = sig_alg_find(name);
        if (!alg || strcmp(alg->key_type, type) != 0 || strncmp(alg->name, "webauthn-", 9) == 0) continue;     /* browsers only sign so */
        if (w.n > 0) wr_u8(&w, ',');
        wr_raw(&w, name);
    }
    public_out.algs_n = wr_done(&w) == ERR_NONE ? (uint32_t)w.n : 0;
}

static void slot_report(const char *bad, const struct pubkey *pub, struct bytes algs)
{
    if (bad) {
        snprintf(public_out.text, sizeof public_out.text, "%s", bad);
    } else {
        struct wr w = wr_span((struct span){(uint8_t *)public_out.text, sizeof public_out.text - 1});
        wr_text(&w, pubkey_short_name(pub)), wr_u8(&w, ' ');
        fingerprint_write(&w, pubkey_blob(pubkey_plain(pub)), FINGERPRINT_SHA256);
        public_out.bits = (uint32_t)pubkey_bits(pub);
        public_out.blob_n = field_set(public_out.blob, sizeof public_out.blob, pubkey_blob(pub));
        algs_of_type(algs, pubkey_type(pub));
    }
    report((uint32_t)slot_count++);
}

static void key_load(int fd, struct bytes algs)
{
    struct slot *s = &slots[slot_count];
    memset(&public_out, 0, sizeof public_out);
    const char *bad = file_read_key(fd, s);
    close(fd);
    if (!bad) s->type = pubkey_type(slot_public(s));
    slot_report(bad, slot_public(s), algs);
}

/* ---- certificates ---- */

static const char *cert_read(int fd, struct pubkey **out)
{
    struct stat st;
    struct secret text CLEANUP(secret_clear) = {0};
    struct wr blob CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX);
    struct line_walk walk = {0};
    struct authorized_line l;
    struct bytes line;
    const char *bad = file_take(fd, &st, &text);
    if (bad) return bad;
    walk.rest = secret_bytes(&text);
    while (line_next(&walk, &line)) {
        if (authorized_line_parse(line, &l) != ERR_NONE || l.options.n > 0) continue;
        enum err e = base64_parse(l.base64, &blob);
        if (e == ERR_NONE) e = pubkey_parse_any(wr_bytes(&blob), out);
        return e == ERR_NONE ? NULL : err_text(e);
    }
    return "no certificate in it";
}

/* A certificate goes with the key that it certifies. */
static const char *cert_match(const struct pubkey *cert, struct slot *s)
{
    const struct cert *c = pubkey_cert(cert);
    if (!c) return "Certificate file is not a certificate";
    if (c->kind != CERT_HOST) return "not a host certificate";
    for (size_t i = 0; i < slot_count; i++) {
        if (!slots[i].type || slots[i].is_cert || !bytes_equal(pubkey_blob(slot_public(&slots[i])), pubkey_blob(pubkey_plain(cert)))) continue;
        *s = slots[i];
        s->type = pubkey_type(cert), s->is_cert = true;
        return NULL;
    }
    return "No matching private key for certificate";
}

static void cert_load(int fd, struct bytes algs)
{
    struct pubkey *cert = NULL;         /* lives as long as we do */
    struct slot s = {0};
    memset(&public_out, 0, sizeof public_out);
    const char *bad = cert_read(fd, &cert);
    close(fd);
    if (!bad) bad = cert_match(cert, &s);
    slots[slot_count] = s;
    slot_report(bad, cert, algs);
}

/* ---- signing ---- */

/* Each algorithm once, so that nothing is fetched, opened or allocated for the first time inside the jail. */
static enum err rehearse(void)
{
    uint8_t hash[32] = {0};
    for (size_t i = 0; i < slot_count; i++) {
        for (const struct sig_alg *a = sig_algs; slots[i].priv && !slots[i].is_sk && a->name; a++) {
            if (strcmp(a->key_type, pubkey_type(privkey_public(slots[i].priv))) != 0) continue;
            struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_OUT);
            TRY(privkey_sign(slots[i].priv, a, bytes_of(hash, sizeof hash), &sig));
        }
    }
    return ERR_NONE;
}

/* draft-miller-sshm-hostkey-update: string "hostkeys-prove-00@openssh.com", string session id, string key blob. */
static void prove_text(struct wr *w, struct bytes session_id, const struct pubkey *k)
{
    wr_cstring(w, "hostkeys-prove-00@openssh.com");
    wr_string(w, session_id);
    wr_string(w, pubkey_blob(k));
}

/* An agent that is gone, or says nothing in time, may be back: our successor connects anew. Whoever asked asks again then. */
MUST_USE static enum err slot_sign(const struct slot *s, const struct sig_alg *alg, struct bytes msg, struct wr *sig)
{
    if (s->is_sk) return keeper_sign(s->priv, alg, msg, sig);
    if (s->priv) return privkey_sign(s->priv, alg, msg, sig);
    enum err e = agent_sign(KEYS_FD_AGENT, s->pub, alg, msg, sig);
    if (e == ERR_PEER_GONE || e == ERR_LENGTH) _exit(1);
    return e;
}

MUST_USE static enum err sign(const struct keys_ask *ask, struct wr *sig)
{
    struct bounded alg_name = FIELD(ask, alg), data = FIELD(ask, data);
    TRY(alg_name.err);
    TRY(data.err);
    if (ask->hostkey >= slot_count || !slots[ask->hostkey].type) return ERR_RANGE;
    if (data.b.n != 32 && data.b.n != 48 && data.b.n != 64) return ERR_FORMAT;
    const struct slot *s = &slots[ask->hostkey];
    const struct sig_alg *alg = sig_alg_find(alg_name.b);
    if (!alg || strcmp(alg->key_type, s->type) != 0) return ERR_KEY_TYPE;
    if (s->is_sk && keeper_is_asked()) return keeper_ask(ask, sig);
    if (ask->type == KEYS_SIGN_KEX) return slot_sign(s, sig_alg_plain(alg), data.b, sig);
    if (ask->type != KEYS_SIGN_PROVE || s->is_cert) return ERR_FORMAT;
    struct wr text CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX + 256);
    prove_text(&text, data.b, slot_public(s));
    TRY(wr_done(&text));
    return slot_sign(s, alg, wr_bytes(&text), sig);
}

void answer(const struct keys_ask *ask, int to)
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
    if (e == ERR_NONE && (e = jail_filter(has_agent ? JAIL_FILTER_KEYS_AGENT : JAIL_FILTER_KEYS)) != ERR_NONE)
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
    if (argc != 8) {
        fputs("sshd-keys is started by sshd\n", stderr);
        return 1;
    }
    size_t plain = strtoul(argv[5], NULL, 10), files = strtoul(argv[6], NULL, 10);
    struct stat st;
    char *algs = strdup(argv[4]);
    if (!algs) return 1;
    memset(argv[4], 0, strlen(argv[4]));        /* a list of names, too long for what ps shows */
    if (files > FACE_HOSTKEYS_MAX || plain > files || crypto_warm() != ERR_NONE) return 1;
    has_agent = fstat(KEYS_FD_AGENT, &st) == 0 && S_ISSOCK(st.st_mode);
    if (!has_agent) close(KEYS_FD_AGENT);
    for (size_t i = 0; i < files; i++) (i < plain ? key_load : cert_load)(KEYS_FD_FIRST_FILE + (int)i, bytes_str(algs));
    if (keeper_start(argv[7]) != ERR_NONE || rehearse() != ERR_NONE || random_reseed() != ERR_NONE) return 1;
    jail(argv[1], argv[2], argv[3]);
    close(KEYS_FD_START);       /* the listener has all it waits for */
    return serve();
}
