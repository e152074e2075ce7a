/* SPDX-License-Identifier: ISC */
/* ssh's half of VerifyHostKeyDNS against any answer of the helper. The input: what ssh-dns writes. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/sign.h"
#include "dns_answer.h"
#include "fake.h"
#include "key/sshfp.h"
#include "targets.h"
#include "ui.h"

struct ui ui;

void say(int level, const char *fmt, ...)
{
    char text[8192];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    MUST(level >= 0 && n >= 0);
    for (const char *c = text; *c; c++) MUST((unsigned char)*c >= 0x20);
}

NORETURN void fatal(const char *fmt, ...)
{
    (void)fmt;
    abort();
}

const char *show(struct bytes text)
{
    static char room[32768];
    return escape_str(text, room, sizeof room);
}

static struct pubkey *key_of_ours(void)
{
    static const uint8_t seed[ED25519_SEED] = {3};
    struct wr blob CLEANUP(wr_clear) = wr_heap(200);
    uint8_t pub[ED25519_PUBLIC];
    struct pubkey *k = NULL;
    MUST(ed25519_public(seed, pub) == ERR_NONE);
    wr_cstring(&blob, "ssh-ed25519"), wr_string(&blob, bytes_of(pub, sizeof pub));
    MUST(pubkey_parse(wr_bytes(&blob), &k) == ERR_NONE);
    return k;
}

static void record_write(struct wr *w, bool right)
{
    struct pubkey *k CLEANUP(pubkey_drop) = key_of_ours();
    uint8_t hash[32];
    MUST(hash_digest(&hash_sha256, pubkey_blob(k), hash) == ERR_NONE);
    hash[31] ^= !right;
    wr_u32(w, 34), wr_u8(w, 4), wr_u8(w, SSHFP_SHA256), wr_raw(w, bytes_of(hash, 32));
}

void fuzz_dns(struct bytes in)
{
    static struct ssh_conf *conf;
    struct pubkey *k CLEANUP(pubkey_drop) = key_of_ours();
    struct wr record CLEANUP(wr_clear) = wr_heap(100);
    if (!conf) MUST((conf = ssh_conf_new()));
    ui.conf = conf;
    conf->verify_host_key_dns = CONF_YES;
    fake_output = in;
    dns_begin("host.example");
    enum dns_verdict v = dns_verify(k);
    record_write(&record, true);
    bool secure = in.n >= 4 && get_u32(in.p) == DNS_SECURE;
    MUST(v != DNS_MATCHES_SECURELY || secure);
    if (v == DNS_MATCHES || v == DNS_MATCHES_SECURELY) MUST(memmem(in.p, in.n, "\4", 1));
    MUST(dns_verify(k) == DNS_NOTHING);         /* an answer is good once */
}

bool seed_dns(unsigned i, struct wr *out)
{
    if (i > 5) return false;
    wr_u32(out, i < 4 ? DNS_SECURE - i % 2 : i == 4 ? DNS_BOGUS : DNS_FAILED);
    wr_cstring(out, i < 4 ? "" : "no signatures\n");
    wr_u32(out, i < 4 ? 2 : 0);
    if (i < 4) wr_cstring(out, "\1\1short"), record_write(out, i < 2);
    return true;
}
