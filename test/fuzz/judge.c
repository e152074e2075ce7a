/* SPDX-License-Identifier: ISC */
/* The two processes of sshd that look at a stranger's key, certificate and signature. First byte of a judge's input: bit 0 what comes is a
 * certificate up to its authority's key, which is then signed truly; bit 1 a list of authorities; bit 2 a list of revoked keys. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/sign.h"
#include "key/cert.h"
#include "net.h"
#include "targets.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)

static int file_of(struct bytes b)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    MUST(fd >= 0);
    if (b.n) MUST(write(fd, b.p, b.n) == (ssize_t)b.n && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static bool ended(const char *text, size_t size)
{
    const char *end = memchr(text, 0, size);
    for (const char *c = text; end && c < end; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) return false;
    return end != NULL;
}

/* What goes to the warden, which believes its form. */
static void say_check(const struct judge_say *s, const struct judge_ask *ask)
{
    MUST(s->verdict == VERIFY_GOOD || s->verdict == VERIFY_BAD);
    MUST(s->is_cert <= 1 && s->believed <= 1 && s->ca_trusted <= 1 && s->names_user <= 1);
    MUST(s->ca_n <= sizeof s->ca && s->principals_n <= sizeof s->principals && s->key_id_n <= sizeof s->key_id);
    MUST(ended(s->why, sizeof s->why) && ended(s->detail, sizeof s->detail) && ended(s->fingerprint, sizeof s->fingerprint) &&
         ended(s->ca_fingerprint, sizeof s->ca_fingerprint) && ended(s->ca_name, sizeof s->ca_name));
    MUST(memchr(s->limits.command, 0, sizeof s->limits.command));
    MUST(!s->ca_trusted || ask->has_cas);
    MUST(!(s->is_cert && !s->believed) || s->why[0]);
    MUST(!s->believed || s->is_cert);
}

void fuzz_judge(struct bytes in)
{
    static struct judge_ask ask;
    struct wr whole CLEANUP(wr_clear) = wr_heap(2 * PUBKEY_BLOB_MAX);
    struct rd r = rd_init(in);
    uint8_t flags = rd_u8(&r);
    uint64_t now_s = rd_u64(&r);
    struct bytes key = rd_string(&r), algs = rd_string_max(&r, sizeof ask.ca_algs), user = rd_string_max(&r, sizeof ask.user);
    struct bytes address = rd_string_max(&r, sizeof ask.address - 1), cas = rd_string(&r), revoked = rd_string(&r);
    if (flags & 1) {
        fuzz_cert_sign(key, &whole);
        key = wr_bytes(&whole);
    }
    if (r.err != ERR_NONE || key.n > sizeof ask.key) return;
    memset(&ask, 0, sizeof ask);
    ask.now_s = now_s, ask.rsa_bits_min = 1024, ask.md5 = flags >> 3 & 1, ask.has_cas = flags >> 1 & 1, ask.revoked_n = flags >> 2 & 1;
    FIELD_SET(&ask, key, key);
    FIELD_SET(&ask, ca_algs, algs);
    FIELD_SET(&ask, user, user);
    if (address.n) memcpy(ask.address, address.p, address.n);
    int fds[2] = {file_of(cas), file_of(revoked)};
    say_check(judge_answer(&ask, fds + !ask.has_cas, ask.has_cas + ask.revoked_n), &ask);
    close(fds[0]), close(fds[1]);
}

/* A question as it comes over the socket, whose lengths may lie. A signature is only good where one was made (the seeds'). */
void fuzz_verifier(struct bytes in)
{
    static union { struct verify_head head; struct verify_ask small; struct verify_ask_big big; } ask;
    struct rd r = rd_init(in);
    bool big = rd_bool(&r);
    memset(&ask, 0, sizeof ask);
    ask.head = (struct verify_head){.text_n = rd_u32(&r), .key_n = rd_u32(&r), .sig_n = rd_u32(&r), .alg_n = rd_u32(&r), .rsa_bits_min = 1024,
                                    .sk_flags = rd_u8(&r)};
    struct bytes alg = rd_string_max(&r, sizeof ask.head.alg), text = rd_string(&r), key = rd_string(&r), sig = rd_string(&r);
    if (r.err != ERR_NONE) return;
    if (alg.n) memcpy(ask.head.alg, alg.p, alg.n);
#define PUT(field, from) do { if ((from).n && (from).n <= sizeof field) memcpy(field, (from).p, (from).n); } while (0)
    if (big) {
        PUT(ask.big.text, text);
        PUT(ask.big.key, key);
        PUT(ask.big.sig, sig);
    } else {
        PUT(ask.small.text, text);
        PUT(ask.small.key, key);
        PUT(ask.small.sig, sig);
    }
    (void)verifier_answer(&ask.head, big ? sizeof ask.big : sizeof ask.small);
}

/* ---- seeds ---- */

static void judge_write(struct wr *out, uint8_t flags, struct bytes key, struct bytes cas, struct bytes revoked)
{
    wr_u8(out, flags), wr_u64(out, 1000), wr_string(out, key), wr_cstring(out, "ssh-ed25519,ecdsa-sha2-nistp256"), wr_cstring(out, "alice");
    wr_cstring(out, "fe80::1"), wr_string(out, cas), wr_string(out, revoked);
}

bool seed_judge(unsigned i, struct wr *out)
{
    struct wr cert CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX), krl CLEANUP(wr_clear) = wr_heap(1 << 20), line CLEANUP(wr_clear) = wr_heap(1000);
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    if (i > 5 || !seed_cert(i, &cert) || !seed_krl(i % 4, &krl)) return false;
    struct wr c2 CLEANUP(wr_clear) = wr_heap(PUBKEY_BLOB_MAX);
    MUST(seed_cert(0, &c2) && pubkey_parse_any(bytes_of(c2.p + 1, c2.n - 1), &k) == ERR_NONE);
    pubkey_line_write(&line, pubkey_cert(k)->ca, BYTES_LIT("ca"));
    judge_write(out, (uint8_t)(i % 2 | 6), bytes_of(cert.p + 1, cert.n - 1), wr_bytes(&line), i < 4 ? wr_bytes(&krl) : BYTES_LIT("# none\n"));
    return true;
}

bool seed_verifier(unsigned i, struct wr *out)
{
    static const char *const types[] = {"ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-mldsa44-ed25519@openssh.com", "ssh-rsa"};
    struct privkey *k CLEANUP(privkey_drop) = NULL;
    struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
    struct bytes text = BYTES_LIT("text");
    if (i >= COUNT_OF(types)) return false;
    const char *alg = i == 3 ? "rsa-sha2-512" : types[i];
    MUST(privkey_generate(types[i], 2048, &random_libcrypto, &k) == ERR_NONE && privkey_sign(k, sig_alg_find(bytes_str(alg)), text, &sig) == ERR_NONE);
    struct bytes blob = pubkey_blob(privkey_public(k));
    bool big = blob.n > ASK_KEY_SMALL || sig.n > ASK_SIG_SMALL;
    wr_bool(out, big), wr_u32(out, (uint32_t)text.n), wr_u32(out, (uint32_t)blob.n), wr_u32(out, (uint32_t)sig.n), wr_u32(out, (uint32_t)strlen(alg));
    wr_u8(out, 0), wr_cstring(out, alg), wr_string(out, text), wr_string(out, blob), wr_string(out, wr_bytes(&sig));
    return true;
}
