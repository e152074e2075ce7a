/* SPDX-License-Identifier: ISC */
/* What is printed. Answers go to standard output, comments about hosts to standard error, as OpenSSH's do. */
#include <stdio.h>
#include <stdlib.h>

#include "base/rd.h"
#include "crypto/sign.h"
#include "key/cert.h"
#include "key/known_hosts.h"
#include "keyscan.h"

const struct kind kinds[] = {
    {"rsa", true, "rsa-sha2-512,rsa-sha2-256,ssh-rsa"},
    {"ecdsa", true, "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521"},
    {"ed25519", true, "ssh-ed25519"},
    {"ecdsa-sk", true, "sk-ecdsa-sha2-nistp256@openssh.com"},
    {"ed25519-sk", true, "sk-ssh-ed25519@openssh.com"},
    {"mldsa44-ed25519", false, "ssh-mldsa44-ed25519@openssh.com"},
};
const size_t kind_count = COUNT_OF(kinds);

void show_ident(const struct host *h, struct bytes ident)
{
    char text[4 * IDENT_SHOWN];
    if (!settings.quiet)
        fprintf(stderr, "%c %s:%u %s\n", settings.dns ? ';' : '#', h->name, settings.port, escape_str(ident, text, sizeof text));
}

static void dns_write(const char *name, const struct pubkey *key, struct wr *out)
{
    for (enum sshfp_hash hash = SSHFP_SHA1; hash <= SSHFP_SHA256; hash++) {
        CLEANUP(wr_clear) struct wr w = wr_heap(4096);
        if (settings.dns_hashes & 1u << hash && sshfp_write(key, name, hash, false, &w) == ERR_NONE) wr_raw(out, wr_bytes(&w));
    }
}

/* `names` is one name, or a list where the line may hold one. */
static void line_write(struct bytes names, const struct pubkey *key, struct wr *out)
{
    CLEANUP(wr_clear) struct wr host = wr_heap(65536), w = wr_heap(131072);
    known_host_write(&host, names, settings.port);
    if (!settings.certs && settings.hashed) {
        if (known_hash_write(&w, wr_bytes(&host), &random_libcrypto) != ERR_NONE) fatal("no random bytes");
        wr_u8(&w, ' ');
    } else if (!settings.certs) {
        wr_raw(&w, wr_bytes(&host));
        wr_u8(&w, ' ');
    }
    pubkey_line_write(&w, key, (struct bytes){0});
    wr_u8(&w, '\n');
    if (host.err == ERR_NONE && w.err == ERR_NONE) wr_raw(out, wr_bytes(&w));
}

static void each_write(const char *list, const struct pubkey *key, struct wr *out)
{
    size_t pos = 0;
    struct bytes name;
    while (names_next(bytes_str(list), &pos, &name)) {
        char *one = settings.dns ? bytes_dup_str(name) : NULL;
        if (one) dns_write(one, key, out);
        else if (!settings.dns) line_write(name, key, out);
        free(one);
    }
}

/* Does one of the kind's algorithms have this type of key? */
static bool of_kind(const struct pubkey *key, unsigned kind)
{
    struct bytes name;
    for (size_t pos = 0; names_next(bytes_str(kinds[kind].algs), &pos, &name);) {
        const struct sig_alg *alg = sig_alg_find(name);
        if (alg && strcmp(alg->key_type, pubkey_type(pubkey_plain(key))) == 0) return true;
    }
    return false;
}

bool key_write(const struct host *h, unsigned kind, struct bytes blob, struct wr *out)
{
    CLEANUP(pubkey_drop) struct pubkey *key = NULL;
    const char *names = h->output ? h->output : h->names;
    if (pubkey_parse_any(blob, &key) != ERR_NONE || (pubkey_cert(key) != NULL) != settings.certs || !of_kind(key, kind)) return false;
    if (settings.dns || (!settings.certs && (settings.hashed || settings.port != 22))) each_write(names, key, out);
    else line_write(bytes_str(names), key, out);
    return true;
}

bool show_key(const struct host *h, unsigned kind, struct bytes blob)
{
    CLEANUP(wr_clear) struct wr w = wr_heap(SHOWN_MAX);
    bool is_key = key_write(h, kind, blob, &w);
    if (w.err != ERR_NONE) fatal("%.100s...: too many names in one list", h->name);
    fwrite(w.p, 1, w.n, stdout);
    return is_key;
}

enum err scan_result_parse(struct bytes message, struct scan_result *out)
{
    struct rd r = rd_init(message);
    uint8_t type = rd_u8(&r);
    struct scan_result got = {.tag = rd_u32(&r), .end = rd_u32(&r), .code = rd_u32(&r), .greeted = rd_bool(&r)};
    got.ident = rd_string(&r), got.blob = rd_string(&r);
    TRY(rd_done(&r));
    if (type != SCAN_RESULT) return ERR_FORMAT;
    *out = got;
    return ERR_NONE;
}
