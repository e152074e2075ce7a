/* SPDX-License-Identifier: ISC */
/* CVE-2008-5161, plaintext recovery against CBC: whoever is in the middle sends a block he saw earlier in place of the next packet's
 * first. Were the receiver to end the connection as soon as the length in it makes no sense, or when that many bytes have come, it
 * would tell him some bits of what the block says. So bad packets of every kind must look the same: same bytes read, same answer. */
#include "history.h"

#include "crypto/algs.h"

enum bad { BAD_BLOCK, BAD_REPLAYED, BAD_TAG, BAD_BODY, BAD_COUNT };
enum { FILL = 300000 };

struct outcome {
    size_t read;            /* bytes of the packet and what follows, when the end came */
    enum err err;
    uint32_t msg;
    size_t said;            /* bytes that went out */
    bool odd;               /* a length that no packet has */
};

/* hmac-sha2-256 with a memory of how much it ran over. */
static size_t ran[8], ran_n;

static enum err counting_tag(struct mac *m, uint32_t seq, const uint8_t *p, size_t n, uint8_t *tag)
{
    if (ran_n < COUNT_OF(ran)) ran[ran_n++] = n;
    return mac_hmac_sha2_256.tag(m, seq, p, n, tag);
}

/* Bytes in, pieces at first and at last so small that no point is missed. False: it ended. */
static bool take(struct conn *c, uint64_t now_us, const uint8_t *p, size_t n, size_t piece)
{
    for (size_t at = 0; at < n; at += piece) {
        struct event ev;
        struct span in = conn_input_reserve(c);
        size_t k = n - at < piece ? n - at : piece;
        memcpy(in.p, p + at, k);
        conn_input_commit(c, k);
        enum err e = conn_next(c, now_us, &ev);
        if (e != ERR_NONE || ev.type != EV_NONE) return false;
    }
    return true;
}

/* A packet of the peer's, sealed but not sent: pong, which no one asked for, but which nobody looks into here either. */
static size_t seal_one(struct conn *peer, uint8_t *p, size_t payload)
{
    uint8_t *room = packet_begin(peer, payload);
    size_t before = peer->out_tail;
    memset(room, 2, payload);
    if (packet_end(peer, payload) != ERR_NONE) return 0;
    size_t n = peer->out_tail - before;
    memcpy(p, peer->out + before, n);
    peer->out_tail = before;
    return n;
}

static struct outcome bad_packet(const struct duo_plan *plan, enum role dut, enum bad how, size_t payload)
{
    static uint8_t bytes[FILL];
    struct outcome o = {0};
    struct duo *d = duo_new(plan);
    struct rng rng = {plan->seed + how};
    (void)duo_run_plain(d);         /* stands still with the command running */
    struct conn *c = d->side[dut].c, *peer = d->side[1 - dut].c;
    for (size_t i = 0; i < FILL; i++) bytes[i] = (uint8_t)rng_next(&rng);
    size_t block = c->rx.cipher_alg->block_len, tag = c->rx.mac_alg->tag_len;
    if (how != BAD_BLOCK) {
        size_t n = seal_one(peer, bytes, payload);
        if (how == BAD_REPLAYED) memcpy(bytes, bytes + n - tag - block, block);
        if (how == BAD_TAG) bytes[n - 1] ^= 1;
        if (how == BAD_BODY) bytes[n - tag - 1] ^= 1;
    }
    ran_n = 0;
    conn_output_consume(c, SIZE_MAX);
    size_t fast = 4 + PACKET_MAX + tag - 50;
    bool on = take(c, d->now_us, bytes, 100, 1) && take(c, d->now_us, bytes + 100, fast - 100, 4096);
    for (o.read = on ? fast : 0; on && o.read < FILL && conn_output_peek(c).n == 0; o.read++) on = take(c, d->now_us, bytes + o.read, 1, 1);
    o.odd = c->in_made_up != 0;
    o.err = conn_facts(c)->failure, o.msg = conn_facts(c)->failure_msg;
    o.said = conn_output_peek(c).n;
    duo_free(d);
    return o;
}

/* First over what the packet claimed to be, or might have been; then over all that was read; at last for our DISCONNECT. */
static bool same_work(size_t whole)
{
    return ran_n == 3 && ran[0] >= 16 && ran[0] <= 4 + PACKET_MAX && ran[1] == whole;
}

static bool look_alike(const struct cipher_alg *cipher, enum role dut, unsigned seeds)
{
    static struct mac_alg counting;
    counting = mac_hmac_sha2_256, counting.tag = counting_tag;
    unsigned odd = 0, runs = 0;
    struct outcome first = {0};
    for (unsigned seed = 1; seed <= seeds; seed++)
        for (enum bad how = 0; how < BAD_COUNT; how++, runs++) {
            const struct duo_plan plan = {.seed = seed, .algs = duo_algs(NULL, cipher, &counting), .login = "p", .channels = 1, .up = 1,
                                          .down = 1, .hold = true};
            struct outcome o = bad_packet(&plan, dut, how, 40 + 1000 * seed);
            odd += o.odd;
            if (!runs) first = o;
            bool same = o.said && o.said == first.said && o.msg == first.msg;
            if (same && o.err == ERR_MAC && o.read == 4 + PACKET_MAX + 32 && same_work(4 + PACKET_MAX)) continue;
            printf("# %s, bad packet %u, seed %u: %s after %zu bytes, said %zu, message %u, %zu MACs (%zu, %zu)\n", cipher->name, how, seed,
                   err_name(o.err), o.read, o.said, o.msg, ran_n, ran[0], ran[1]);
            return false;
        }
    return odd >= seeds && odd <= runs / 2 + 1;    /* both kinds were among them */
}

bool openssh_2008_5161(void)
{
    bool good = true;
    for (int dut = 0; dut < 2; dut++)
        for (size_t i = 0; cipher_all[i]; i++)
            if (cipher_all[i]->chained) good &= look_alike(cipher_all[i], (enum role)dut, tap_quick() ? 2 : 6);
    return good;
}

/* With the MAC over the ciphertext nothing is decrypted before it is known to be the peer's: the end may come at once. */
bool cbc_etm_ends_at_once(void)
{
    const struct duo_plan plan = {.seed = 3, .algs = duo_algs(NULL, &cipher_aes256_cbc, &mac_hmac_sha2_256_etm), .login = "p", .channels = 1,
                                  .up = 1, .down = 1, .hold = true};
    uint8_t bytes[2000];
    struct duo *d = duo_new(&plan);
    (void)duo_run_plain(d);
    struct conn *c = d->side[ROLE_SERVER].c;
    size_t n = seal_one(d->side[ROLE_CLIENT].c, bytes, 500);
    bytes[40] ^= 1;
    bool good = take(c, d->now_us, bytes, n - 1, 1) && !take(c, d->now_us, bytes + n - 1, 1, 1) && conn_facts(c)->failure == ERR_MAC;
    good = good && memcmp(c->in + 4, bytes + 4, n - 4) == 0;
    duo_free(d);
    return good;
}
