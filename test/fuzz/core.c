/* SPDX-License-Identifier: ISC */
/* The connection: its bytes, its packets, its messages in each state. Message targets read
 *   state u8, then any number of { length u16, payload }
 * and say each payload, sealed as the peer would, to a conn in that state. */
#include <stdlib.h>

#include "base/rd.h"
#include "crypto/algs.h"
#include "states.h"
#include "targets.h"

/* ---- answers to whatever the conn asks ---- */

static const uint8_t group_p[256] = {[0 ... 254] = 0xff, [255] = 0xfb};

static void answer(struct conn *c, const struct event *ev, unsigned choice)
{
    static const struct prompt prompt = {.text = BYTES_LIT("?")};
    struct answer a = {.type = choice & 1 ? ANSWER_YES : ANSWER_NO, .data = BYTES_LIT("password")};
    if (!ev->question) return;
    if (ev->type == EV_GEX_GROUP) a.type = ANSWER_YES, a.group = (struct kex_group){{group_p, sizeof(group_p)}, BYTES_LIT("\2")};
    if (ev->type == EV_AUTH_TRY && choice % 5 == 2) a.type = ANSWER_PARTIAL;
    if (ev->type == EV_AUTH_TRY && choice % 5 == 3) a = (struct answer){.type = ANSWER_PROMPTS, .prompts = &prompt, .count = 1};
    if (ev->type == EV_AUTH_TRY && choice % 5 == 4) a.type = ANSWER_PK_OK;
    if (conn_answer(c, ev->question, &a) != ERR_NONE) (void)!conn_answer(c, ev->question, &(struct answer){.type = ANSWER_NO});
}

static void crank(struct conn *c, unsigned choice)
{
    for (int i = 0; i < 1000; i++) {
        struct event ev;
        if (conn_next(c, 2000000000u, &ev) != ERR_NONE || ev.type == EV_NONE) break;
        answer(c, &ev, choice++);
        if (ev.type == EV_CHANNEL_DATA) chan_consumed(c, ev.chan, ev.data.bytes.n);
    }
    conn_output_consume(c, SIZE_MAX);
}

/* ---- messages in states ---- */

static void say_all(const char *const *states, size_t count, struct bytes in)
{
    struct rd r = rd_init(in);
    size_t which = rd_u8(&r);
    static const struct kex_alg *const shapes[] = {NULL, &kex_dh_group14_sha256, &kex_dh_gex_sha256};
    struct probe p;
    probe_kex = which / count < 8 ? NULL : shapes[which % COUNT_OF(shapes)];    /* mostly the cheap one */
    if (in.n && probe_open(&p, states[which % count], false)) {
        for (unsigned i = 0; r.n > 2 && i < 64; i++) {
            size_t n = (size_t)rd_u8(&r) << 8;
            n |= rd_u8(&r);
            struct bytes payload = rd_raw(&r, n < r.n ? n : r.n);
            if (payload.n == 0 || payload.n > 4000) continue;
            probe_inject(&p, payload);
            crank(p.c, i + (unsigned)which);
        }
    }
    if (in.n) probe_close(&p);
    probe_kex = NULL;
}

/* Seed i: state i with a valid body of each message from lo to hi. */
static bool seed_all(const char *const *states, size_t count, unsigned i, unsigned lo, unsigned hi, struct wr *out)
{
    struct probe p;
    if (i >= count || !probe_open(&p, states[i], states[i][0] == 'c' && lo == 30)) return false;
    wr_u8(out, (uint8_t)i);
    for (unsigned number = lo; number <= hi; number++) {
        uint8_t room[4096];
        struct wr w = wr_span((struct span){room, sizeof(room)});
        probe_body(&p, (uint8_t)number, number == 91 || number == 92, &w);
        wr_u8(out, (uint8_t)(w.n >> 8)), wr_u8(out, (uint8_t)w.n);
        wr_raw(out, wr_bytes(&w));
    }
    probe_close(&p);
    return true;
}

#define MESSAGES(name, lo, hi, ...) \
    static const char *const name##_states[] = {__VA_ARGS__}; \
    void fuzz_##name(struct bytes in) { say_all(name##_states, COUNT_OF(name##_states), in); } \
    bool seed_##name(unsigned i, struct wr *out) { return seed_all(name##_states, COUNT_OF(name##_states), i, lo, hi, out); }

MESSAGES(kexinit, 20, 20, "s1", "c1", "sc1", "cc1", "sr1", "cr1")
MESSAGES(kex, 30, 34, "s2", "c2", "s2n", "c2n", "s3", "c3", "sr2", "cr2", "sr3", "cr3")
MESSAGES(service, 1, 7, "s4", "c4", "s4b", "c4b")
MESSAGES(auth_server, 50, 61, "a1", "a2")
MESSAGES(auth_client, 51, 60, "ca0", "can", "caq", "cap", "cak")
MESSAGES(channels, 80, 100, "sc1", "cc1", "sc1o", "cc1o", "sr1", "cr1")

/* ---- key exchange records: what a peer's public value can do ---- */

void fuzz_kex_shares(struct bytes in)
{
    size_t count = 0;
    while (kex_all[count]) count++;
    if (in.n < 2) return;
    const struct kex_alg *alg = kex_all[in.p[0] % count];
    struct bytes theirs = {in.p + 1, in.n - 1};
    struct rng rng = {1};
    struct random random = rng_random(&rng);
    const struct kex_group group = {{group_p, sizeof(group_p)}, BYTES_LIT("\2")}, given = {theirs, BYTES_LIT("\5")};
    bool gex = alg->shape == KEX_SHAPE_GEX;
    struct wr pub CLEANUP(wr_clear) = wr_heap(KEX_PUBLIC_MAX);
    struct secret secret CLEANUP(secret_clear) = {0};
    struct kex_state *state = NULL;
    if (in.p[0] & 0x80) {
        (void)!alg->reply(alg, &random, gex ? &group : NULL, theirs, &pub, &secret);
    } else if (alg->start(alg, &random, gex ? (theirs.n > 600 ? &given : &group) : NULL, &pub, &state) == ERR_NONE) {
        (void)!alg->finish(state, theirs, &secret);
        alg->free(state);
    }
}

/* ---- raw bytes ---- */

static void feed_raw(struct conn *c, struct bytes in, size_t piece)
{
    for (size_t at = 0; at < in.n;) {
        struct span room = conn_input_reserve(c);
        size_t n = in.n - at < piece ? in.n - at : piece;
        if (n > room.n) n = room.n;
        if (n == 0) break;
        memcpy(room.p, in.p + at, n);
        conn_input_commit(c, n);
        at += n;
        crank(c, (unsigned)at);
    }
}

static void feed_end(struct conn *c)
{
    conn_input_commit(c, 0);
    crank(c, 0);
}

/* first byte: role and piece size; the rest comes from the peer from the first byte on */
void fuzz_ident(struct bytes in)
{
    const struct duo_plan plan = {.seed = 3, .algs = duo_algs(NULL, &cipher_aes128_gcm, NULL), .login = "p", .channels = 1};
    if (in.n < 1) return;
    struct duo *d = duo_new(&plan);
    if (d) {
        feed_raw(d->side[in.p[0] & 1].c, (struct bytes){in.p + 1, in.n - 1}, 1 + (size_t)(in.p[0] >> 1) * 8);
        feed_end(d->side[in.p[0] & 1].c);
    }
    duo_free(d);
}

/* Ciphers and a MAC that hide nothing: the fuzzer writes packets, not noise. */
struct cipher {
    int unused;
};
struct mac {
    int unused;
};

static struct cipher *null_cipher(const struct cipher_alg *alg, enum cipher_dir dir, const uint8_t *key, const uint8_t *iv)
{
    (void)alg, (void)dir, (void)key, (void)iv;
    return calloc(1, sizeof(struct cipher));
}
static void null_cipher_free(struct cipher *c) { free(c); }
static enum err null_crypt(struct cipher *c, uint8_t *p, size_t n) { return (void)c, (void)p, (void)n, ERR_NONE; }
static enum err null_length(struct cipher *c, uint32_t seq, const uint8_t *head, uint32_t *out)
{
    (void)c, (void)seq;
    *out = get_u32(head);
    return ERR_NONE;
}
static enum err null_seal(struct cipher *c, uint32_t seq, uint8_t *p, size_t n)
{
    (void)c, (void)seq;
    memset(p + n, 0, 16);
    return ERR_NONE;
}
static enum verdict null_open(struct cipher *c, uint32_t seq, uint8_t *p, size_t n)
{
    return (void)c, (void)seq, (void)p, (void)n, VERDICT_GOOD;
}
static struct mac *null_mac(const struct mac_alg *alg, const uint8_t *key) { return (void)alg, (void)key, calloc(1, sizeof(struct mac)); }
static void null_mac_free(struct mac *m) { free(m); }
static enum err null_tag(struct mac *m, uint32_t seq, const uint8_t *p, size_t n, uint8_t *tag)
{
    (void)m, (void)seq, (void)p, (void)n;
    memset(tag, 0, 4);
    return ERR_NONE;
}

#define NULL_CIPHER(id, cls_, block, tag, chain) \
    static const struct cipher_alg id = {.name = #id, .cls = cls_, .block_len = block, .key_len = 16, .iv_len = 12, .tag_len = tag, .chained = chain, \
        .new = null_cipher, .free = null_cipher_free, .crypt = null_crypt, .length = null_length, .seal = null_seal, .open = null_open};
NULL_CIPHER(null_chacha, CIPHER_AEAD_CRYPT_LEN, 8, 16, false)
NULL_CIPHER(null_gcm, CIPHER_AEAD_CLEAR_LEN, 16, 16, false)
NULL_CIPHER(null_ctr, CIPHER_STREAM, 16, 0, false)
NULL_CIPHER(null_cbc, CIPHER_STREAM, 8, 0, true)
#define NULL_MAC(id, etm_) \
    static const struct mac_alg id = {.name = #id, .key_len = 16, .tag_len = 4, .etm = etm_, .new = null_mac, .free = null_mac_free, \
        .tag = null_tag};
NULL_MAC(mac_etm, true)
NULL_MAC(mac_plain, false)

static const struct {
    const struct cipher_alg *cipher;
    const struct mac_alg *mac;
} classes[] = {{&null_chacha, &mac_etm}, {&null_gcm, &mac_etm}, {&null_ctr, &mac_etm}, {&null_ctr, &mac_plain}, {&null_cbc, &mac_plain}};

/* Bits 0 and 1, and 3 for CBC in the place of CTR with a plain MAC. */
static unsigned class_of(unsigned how)
{
    return (how & 3) == 3 && how & 8 ? 4 : how & 3;
}

/* first byte: class, role, whether logged in, piece size; the rest is the encrypted stream */
void fuzz_packets(struct bytes in)
{
    if (in.n < 2) return;
    unsigned how = in.p[0], cls = class_of(how);
    struct duo_plan plan = {.seed = 3, .login = "p", .channels = 1, .up = 1, .down = 1, .hold = true};
    plan.algs = duo_algs(NULL, classes[cls].cipher, classes[cls].mac);
    struct duo *d = duo_new(&plan);
    if (d) {
        (void)duo_run_plain(d);                     /* stands still with the command running */
        static const uint8_t more[PACKET_MAX + 8];
        struct conn *c = d->side[how >> 2 & 1].c;
        feed_raw(c, (struct bytes){in.p + 1, in.n - 1}, how & 0x80 ? 7 : 65536);
        if (cls == 4) feed_raw(c, (struct bytes){more, sizeof(more)}, 65536);     /* a bad packet in CBC has its end that far away */
        feed_end(c);
    }
    duo_free(d);
}

static size_t padding(unsigned cls, size_t payload)
{
    size_t block = cls == 0 || cls == 4 ? 8 : 16, head = cls >= 3 ? 5 : 1, pad = block - (head + payload) % block;
    return pad < 4 ? pad + block : pad;
}

bool seed_packets(unsigned i, struct wr *out)
{
    static const uint8_t zero[64];
    struct probe p;
    if (i == 8 || i == 9) i = i == 8 ? 11 : 15;     /* CBC, both roles */
    else if (i > 9) return false;
    if (!probe_open(&p, i & 4 ? "sc1" : "cc1", false)) return false;
    wr_u8(out, (uint8_t)i);
    for (unsigned number = 80; number <= 98; number++) {
        uint8_t room[512];
        struct wr w = wr_span((struct span){room, sizeof(room)});
        if (number >= 81 && number <= 92 && number != 90) continue;
        probe_body(&p, (uint8_t)number, 0, &w);
        size_t pad = padding(class_of(i), w.n);
        wr_u32(out, (uint32_t)(1 + w.n + pad)), wr_u8(out, (uint8_t)pad);
        wr_raw(out, wr_bytes(&w));
        wr_raw(out, (struct bytes){zero, pad + ((i & 3) < 2 ? 16 : 4)});
    }
    probe_close(&p);
    return true;
}
