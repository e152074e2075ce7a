/* SPDX-License-Identifier: ISC */
/* Texts that come from files, command lines and people. */
#include <stdlib.h>

#include "base/limits.h"
#include "base/random.h"
#include "base/text.h"
#include "conf/destination.h"
#include "conf/ssh.h"
#include "conf/sshd.h"
#include "conf/world.h"
#include "crypto/sign.h"
#include "key/authorized_keys.h"
#include "key/key.h"
#include "key/known_hosts.h"
#include "targets.h"

/* A private key that parses must survive being written and read again. No passphrase: the KDF's cost is the file's to choose. */
void fuzz_key_file(struct bytes in)
{
    struct privkey *k CLEANUP(privkey_drop) = NULL, *again CLEANUP(privkey_drop) = NULL;
    struct pubkey *pub CLEANUP(pubkey_drop) = NULL;
    struct wr comment CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX), text CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    struct wr dropped CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    const struct privkey_file_how how = {.rounds = 1};
    (void)privkey_file_encrypted(in);
    (void)!privkey_file_public(in, &pub);
    if (privkey_file_parse(in, (struct bytes){0}, &k, &comment) != ERR_NONE) return;
    if (privkey_file_write(k, wr_bytes(&comment), &how, &random_libcrypto, &text) != ERR_NONE) abort();
    if (privkey_file_parse(wr_bytes(&text), (struct bytes){0}, &again, &dropped) != ERR_NONE) abort();
    if (!bytes_equal(pubkey_blob(privkey_public(k)), pubkey_blob(privkey_public(again)))) abort();
}

/* first byte: 0 a blob, 1 a line, 2 a signature under a fixed key */
void fuzz_pubkey(struct bytes in)
{
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    struct pubkey_line line;
    if (in.n < 1) return;
    struct bytes rest = {in.p + 1, in.n - 1};
    struct wr w CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    if (in.p[0] % 3 == 0 && pubkey_parse(rest, &k) == ERR_NONE) {
        fingerprint_write(&w, pubkey_blob(k), FINGERPRINT_SHA256);
        randomart_write(&w, pubkey_blob(k), FINGERPRINT_MD5, k);
    } else if (in.p[0] % 3 == 1 && pubkey_line_parse(rest, &line, &k) == ERR_NONE) {
        pubkey_line_write(&w, k, line.comment);
    } else if (in.p[0] % 3 == 2) {
        static const uint8_t seed[ED25519_SEED] = {1};
        uint8_t pub[ED25519_PUBLIC];
        struct wr blob CLEANUP(wr_clear) = wr_heap(100);
        if (ed25519_public(seed, pub) != ERR_NONE) return;
        wr_cstring(&blob, "ssh-ed25519"), wr_string(&blob, (struct bytes){pub, sizeof(pub)});
        if (pubkey_parse(wr_bytes(&blob), &k) == ERR_NONE && pubkey_verify(k, sig_alg_find(BYTES_LIT("ssh-ed25519")), rest, rest) == VERDICT_GOOD)
            abort();
    }
}

void fuzz_known_hosts(struct bytes in)
{
    const struct known_query q = {.host = BYTES_LIT("host.example"), .address = BYTES_LIT("192.0.2.1"), .blob = BYTES_LIT("xyz")};
    struct known_found found = {0};
    struct line_walk walk = {.rest = in};
    struct known_hit hit;
    size_t lines = 0;
    known_search(in, 0, &q, &found);
    while (known_next(&walk, &q, &hit)) {
        struct pubkey *k CLEANUP(pubkey_drop) = NULL;
        if (hit.err == ERR_NONE) (void)!known_line_key(&hit.line, &k);
        if (++lines > in.n + 1) abort();
    }
}

void fuzz_authorized_keys(struct bytes in)
{
    struct line_walk walk = {.rest = in};
    struct bytes line;
    while (line_next(&walk, &line)) {
        struct authorized_line l;
        struct key_options *o = malloc(sizeof(*o));
        const char *why = NULL;
        if (o && authorized_line_parse(line, &l) == ERR_NONE) {
            struct pubkey *k CLEANUP(pubkey_drop) = NULL;
            (void)!authorized_line_key(&l, &k);
            (void)!key_options_parse(l.options, o, &why);
        }
        free(o);
    }
}

/* ---- configurations, in a world of one file ---- */

static enum err no_file(void *ctx, const char *path, unsigned flags, struct wr *out)
{
    (void)flags;
    if (strcmp(path, "/fuzz") != 0) return ERR_NOT_FOUND;
    wr_raw(out, *(const struct bytes *)ctx);
    return wr_done(out);
}
static enum err no_glob(void *ctx, const char *pattern, struct wr *out)
{
    (void)ctx;
    if (strcmp(pattern, "/fuzz") == 0) wr_raw(out, BYTES_LIT("/fuzz\0"));
    return wr_done(out);
}
static enum err no_exec(void *ctx, const char *command, int *status)
{
    (void)ctx;
    *status = command[0] & 1;
    return ERR_NONE;
}
static const char *no_env(void *ctx, const char *name)
{
    (void)ctx;
    return name[0] == 'H' ? "/home/me" : NULL;
}
static enum err one_group(void *ctx, const char *user, struct wr *out)
{
    (void)ctx, (void)user;
    wr_raw(out, BYTES_LIT("staff\0"));
    return wr_done(out);
}
static enum err one_home(void *ctx, const char *user, struct wr *out)
{
    (void)ctx, (void)user;
    wr_text(out, "/home/me");
    return wr_done(out);
}
static enum err one_address(void *ctx, struct wr *out)
{
    (void)ctx;
    wr_raw(out, BYTES_LIT("192.0.2.1\0"));
    return wr_done(out);
}
static enum err one_hash(void *ctx, struct bytes text, char hex[41])
{
    (void)ctx, (void)text;
    memset(hex, 'a', 40);
    hex[40] = 0;
    return ERR_NONE;
}

static struct conf_world world(struct bytes *file)
{
    return (struct conf_world){.ctx = file, .read_file = no_file, .glob = no_glob, .exec = no_exec, .env = no_env, .user_groups = one_group,
                               .user_home = one_home, .local_addresses = one_address, .hash = one_hash, .local_user = "me",
                               .local_uid = 1000, .local_host = "here.example", .home = "/home/me", .version = "OpenSSH_10.5"};
}

void fuzz_ssh_config(struct bytes in)
{
    const struct conf_world w = world(&in);
    const struct ssh_conf_ask ask = {.host = "host.example", .config_file = "/fuzz"};
    struct ssh_conf *c = ssh_conf_new();
    struct wr out CLEANUP(wr_clear) = wr_heap(CONF_FILE_MAX);
    if (c && ssh_conf_load(c, &w, &ask) == ERR_NONE && ssh_conf_finish(c, &w) == ERR_NONE) ssh_conf_dump(c, &out);
    ssh_conf_free(c);
}

void fuzz_sshd_config(struct bytes in)
{
    const struct conf_world w = world(&in);
    const struct sshd_peer peer = {.user = "me", .host = "peer.example", .address = "192.0.2.7", .local_address = "192.0.2.1", .local_port = 22};
    struct sshd_rows *r = sshd_rows_new(), *back = NULL;
    struct sshd_conf *c = NULL;
    struct wr out CLEANUP(wr_clear) = wr_heap(CONF_FILE_MAX), blob CLEANUP(wr_clear) = wr_heap(CONF_FILE_MAX);
    if (r && sshd_rows_parse(r, &w, "fuzz", in) == ERR_NONE) {
        if (sshd_conf_for(r, &w, &peer, &c) == ERR_NONE) sshd_conf_dump(c, &out);
        sshd_rows_write(r, &blob);
        if (wr_done(&blob) == ERR_NONE && sshd_rows_restore(wr_bytes(&blob), &w, &back) != ERR_NONE) abort();
    }
    sshd_rows_free(back);
    back = NULL;
    (void)!sshd_rows_restore(in, &w, &back);
    sshd_rows_free(back);
    sshd_conf_free(c), sshd_rows_free(r);
}

/* Small texts: base64, hex, the escaper, patterns, addresses, destinations, times. */
void fuzz_text(struct bytes in)
{
    uint8_t room[4096];
    if (in.n < 2 || in.n > 2000) return;
    struct bytes rest = {in.p + 1, in.n - 1};
    struct wr w = wr_span((struct span){room, sizeof(room)}), e = wr_heap(16384);
    struct destination d;
    char *text = bytes_dup_str(rest);
    size_t half = rest.n / 2;
    struct bytes a = {rest.p, half}, b = {rest.p + half, rest.n - half}, host, port;
    enum match m;
    if (base64_parse(rest, &w) == ERR_NONE) {
        struct wr again CLEANUP(wr_clear) = wr_heap(16384);
        base64_write(&again, wr_bytes(&w));
        if (!bytes_equal(wr_bytes(&again), rest)) abort();      /* one text for one value */
    }
    escape_write(&e, rest, "\n\t");
    for (size_t i = 0; i < e.n; i++)
        if (e.p[i] < 0x20 && e.p[i] != '\n' && e.p[i] != '\t') abort();
    wr_clear(&e);
    (void)pattern_match(a, b), (void)pattern_list_match(a, b, true);
    (void)!host_port_parse(rest, &host, &port);
    (void)!destination_parse_hop(rest, &d);
    if (text) {
        (void)!destination_parse(text, &d);
        (void)!address_list_match("192.0.2.1", rest, &m), (void)!address_list_match(text, BYTES_LIT("10.0.0.0/8,!fe80::/10"), &m);
        (void)user_valid(text), (void)host_valid(text);
    }
    free(text);
}
