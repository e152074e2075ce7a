/* SPDX-License-Identifier: ISC */
/* What ssh-keyscan's jailed process says to the one that prints. The first byte: settings and the kind of key asked for. */
#include <stdlib.h>

#include "crypto/sign.h"
#include "keyscan.h"
#include "targets.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)

struct settings settings;

NORETURN void fatal(const char *fmt, ...)
{
    (void)fmt;
    abort();
}

/* What is printed is read by other programs: lines of printable text. */
void fuzz_keyscan(struct bytes in)
{
    static char names[] = "host.example,192.0.2.1";
    const struct host h = {.names = names, .name = names};
    struct wr lines CLEANUP(wr_clear) = wr_heap(1 << 20);
    struct scan_result got;
    if (in.n < 1) return;
    uint8_t how = in.p[0];
    settings = (struct settings){.port = how & 1 ? 22 : 2222, .certs = how & 2, .hashed = how & 4, .dns = how & 8, .dns_hashes = 6, .quiet = true};
    if (scan_result_parse(bytes_of(in.p + 1, in.n - 1), &got) != ERR_NONE) return;
    MUST(got.ident.n + got.blob.n < in.n);
    show_ident(&h, got.ident);
    if (!key_write(&h, (how >> 4) % (unsigned)kind_count, got.blob, &lines)) MUST(lines.n == 0);
    MUST(lines.err == ERR_NONE && (lines.n == 0 || lines.p[lines.n - 1] == '\n'));
    for (size_t i = 0; i < lines.n; i++) MUST(lines.p[i] == '\n' || (lines.p[i] >= 0x20 && lines.p[i] < 0x7f));
}

bool seed_keyscan(unsigned i, struct wr *out)
{
    static const struct { uint8_t how; const char *type; } rows[] = {
        {0x01, "ssh-rsa"}, {0x10, "ecdsa-sha2-nistp384"}, {0x25, "ssh-ed25519"}, {0x28, "ssh-ed25519"}, {0x50, "ssh-mldsa44-ed25519@openssh.com"},
        {0x22, NULL}};
    struct privkey *k CLEANUP(privkey_drop) = NULL;
    struct wr cert CLEANUP(wr_clear) = wr_heap(100000);
    if (i >= COUNT_OF(rows)) return false;
    if (rows[i].type) MUST(privkey_generate(rows[i].type, rows[i].type[4] == 'r' ? 2048 : 0, &random_libcrypto, &k) == ERR_NONE);
    else MUST(seed_cert(2, &cert));
    wr_u8(out, rows[i].how), wr_u8(out, SCAN_RESULT), wr_u32(out, 1), wr_u32(out, END_KEY), wr_u32(out, 0), wr_bool(out, true);
    wr_cstring(out, "SSH-2.0-x"), wr_string(out, k ? pubkey_blob(privkey_public(k)) : bytes_of(cert.p + 1, cert.n - 1));
    return true;
}
