/* SPDX-License-Identifier: ISC */
/* Files and programs' output that sshd reads line by line: moduli, AuthorizedPrincipalsFile, AuthorizedKeysCommand and the like. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/sshd.h"
#include "crypto/moduli.h"
#include "key/authorized_keys.h"
#include "moduli_line.h"
#include "priv/helpers.h"
#include "sshd/keyfile.h"
#include "sshd/moduli_file.h"
#include "targets.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)

/* ssh-keygen's reader of one line, and sshd's of all. */
void fuzz_moduli(struct bytes in)
{
    static struct say_group say;
    const struct ask_group ask = {.min = 2048, .want = 3072, .max = 8192};
    struct line_walk walk = {.rest = in};
    struct bytes line;
    memset(&say, 0, sizeof say);
    if (moduli_choose(in, &ask, &say)) MUST(say.p_n > 0 && say.p_n <= sizeof say.p && say.g_n == 1);
    else MUST(say.g_n == 0);
    while (line_next(&walk, &line)) {
        uint8_t room[MODULI_BITS_MAX / 8 + 16];
        struct wr p = wr_span((struct span){room, sizeof room});
        uint64_t field[5];
        if (moduli_line_parse(line, field, &p)) MUST(p.n > 0 && moduli_bits(wr_bytes(&p)) <= MODULI_BITS_MAX + 65);
    }
}

bool seed_moduli(unsigned i, struct wr *out)
{
    static const char *const heads[] = {"20260101000000 2 6 100 2047 2 ", "20260101000000 4 2 100 2046 0 ", "# Time Type\n20260101000000 2 4 0 3071 5 "};
    if (i >= COUNT_OF(heads)) return false;
    wr_text(out, heads[i]);
    for (int k = 0; k < (i == 2 ? 768 : 512); k++) wr_u8(out, k == 0 ? 'F' : (uint8_t)("0123456789ABCDEF"[k * 7 % 16]));
    wr_u8(out, '\n');
    return true;
}

#define KEY "AAAAC3NzaC1lZDI1NTE5AAAAIJR4HctOqWx1bjC0jhhmcFwN2crLRFtrjYkH9pxynZlF"

static void list_search(int fd, unsigned how, struct key_options *options)
{
    static const struct account account = {.name = "alice", .home = "/home/alice", .valid = true};
    static const struct link_ends link = {.client_addr = "192.0.2.7", .client_host = "peer.example", .server_addr = "192.0.2.1", .client_port = 1};
    static struct judge_say cert;
    static struct keys_answer answer;
    struct wr blob CLEANUP(wr_clear) = wr_heap(200), names = wr_span((struct span){cert.principals, sizeof cert.principals});
    MUST(base64_parse(BYTES_LIT(KEY), &blob) == ERR_NONE);
    wr_cstring(&names, "alice"), wr_cstring(&names, "");
    cert.principals_n = (uint32_t)names.n, cert.ca_n = (uint32_t)blob.n;
    memcpy(cert.ca, blob.p, blob.n);
    answer = (struct keys_answer){.found = VERDICT_BAD};
    struct keys_question q = {.account = &account, .allowed = true, .link = &link, .blob = wr_bytes(&blob), .cert = how > 0 ? &cert : NULL};
    if (how == 2) keyfile_principals(fd, &q, options, &answer);
    else keyfile_search(fd, &q, options, &answer);
    MUST((answer.found == VERDICT_GOOD) == (answer.line > 0));
    MUST(!answer.refuses || (how == 2 && answer.found != VERDICT_GOOD));
    MUST(memchr(answer.note, 0, sizeof answer.note));
    for (const char *c = answer.note; *c; c++) MUST((unsigned char)*c >= 0x20);
    if (answer.found == VERDICT_GOOD && !answer.plain) MUST(key_options_check(options) == VERDICT_GOOD && (how == 2 || options->cert_authority == (how == 1)));
}

/* The first byte: 0 keys for a plain key, 1 for a certificate, 2 principals. */
void fuzz_key_lists(struct bytes in)
{
    if (in.n < 1) return;
    struct key_options *options = calloc(1, sizeof *options);
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    MUST(options && fd >= 0 && write(fd, in.p + 1, in.n - 1) == (ssize_t)(in.n - 1) && lseek(fd, 0, SEEK_SET) == 0);
    list_search(fd, in.p[0] % 3, options);
    close(fd);
    free(options);
}

bool seed_key_lists(unsigned i, struct wr *out)
{
    static const struct { uint8_t how; const char *text; } rows[] = {
        {0, "# c\nfrom=\"192.0.2.0/24,!*.evil\",command=\"a b\",expiry-time=\"20990101\",restrict,pty ssh-ed25519 " KEY " me\n"},
        {0, "ssh-ed25519 " KEY "\n"},
        {1, "cert-authority,principals=\"bob,alice\" ssh-ed25519 " KEY "\ncert-authority ssh-ed25519 " KEY},
        {2, "bob\nfrom=\"192.0.2.7\",no-pty alice # her\n"},
        {2, "alice\r\n"},
        {2, "  \t# nothing\nenvironment=\"A=b\" alice"}};
    if (i >= COUNT_OF(rows)) return false;
    wr_u8(out, rows[i].how), wr_text(out, rows[i].text);
    return true;
}
