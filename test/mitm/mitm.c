/* SPDX-License-Identifier: ISC */
/* A man in the middle who sees packets and drops, repeats, swaps and injects them (Terrapin, CVE-2023-48795, and its kin): at
 * each position, in both directions, for each cipher class. A session that then completes has equal transcripts on both sides. */
#include "crypto/algs.h"
#include "duo.h"
#include "tap.h"

enum deed { DEED_NONE, DEED_DROP, DEED_REPEAT, DEED_SWAP, DEED_INJECT };
static const char *const deed_names[] = {"none", "drop", "repeat", "swap", "inject"};

struct attack {
    enum deed deed;
    enum role from;         /* whose packets */
    unsigned at;            /* position; 0 is the ident line */
    uint8_t number;         /* INJECT: in front of it */
};

static unsigned schedules, completed, bad;
static const char *failure;

/* A clear packet: what the man can make. Before NEWKEYS it is a packet, after it noise. */
static size_t forge(uint8_t number, uint8_t *p)
{
    uint8_t payload[300];
    struct wr w = wr_span((struct span){payload, sizeof(payload)});
    wr_u8(&w, number);
    switch (number) {
    case 1: wr_u32(&w, 2), wr_cstring(&w, "x"), wr_cstring(&w, ""); break;
    case 2: case 192: case 193: wr_cstring(&w, "stuffing"); break;
    case 3: wr_u32(&w, 0); break;
    case 4: wr_bool(&w, false), wr_cstring(&w, ""), wr_cstring(&w, ""); break;
    case 5: case 6: wr_cstring(&w, "ssh-userauth"); break;
    case 7: wr_u32(&w, 1), wr_cstring(&w, "server-sig-algs"), wr_cstring(&w, "ssh-rsa"); break;
    case 30: wr_string(&w, BYTES_LIT("0123456789abcdef0123456789abcdef")); break;
    case 20:
        wr_raw(&w, BYTES_LIT("0123456789abcdef"));
        wr_cstring(&w, "cheap@test"), wr_cstring(&w, "ssh-ed25519");
        for (int i = 0; i < 2; i++) wr_cstring(&w, "aes128-gcm@openssh.com");
        for (int i = 0; i < 2; i++) wr_cstring(&w, "hmac-sha2-256");
        for (int i = 0; i < 2; i++) wr_cstring(&w, "none");
        wr_cstring(&w, ""), wr_cstring(&w, ""), wr_bool(&w, false), wr_u32(&w, 0);
        break;
    default: break;
    }
    size_t pad = 8 - (5 + w.n) % 8;
    pad += pad < 4 ? 8 : 0;
    put_u32(p, (uint32_t)(1 + w.n + pad));
    p[4] = (uint8_t)pad;
    memcpy(p + 5, payload, w.n);
    memset(p + 5 + w.n, 0, pad);
    return 5 + w.n + pad;
}

static void feed(struct duo *d, enum role to, const uint8_t *p, size_t n)
{
    struct duo_side *s = &d->side[to];
    if (s->over) return;
    struct span room = conn_input_reserve(s->c);
    if (room.n < n) return;
    memcpy(room.p, p, n);
    conn_input_commit(s->c, n);
}

/* The next packet (or ident line) on a wire; 0: none. */
static size_t unit(const struct duo_side *s)
{
    uint64_t at = s->out.delivered;
    if (s->out.n == 0) return 0;
    for (size_t i = 0; i < s->sent.n; i++) {
        if (s->sent.p[i].at == at) return s->sent.p[i].size;
        if (s->sent.p[i].at > at) return (size_t)(s->sent.p[i].at - at);
    }
    return s->out.n;
}

struct held {
    uint8_t p[40000];
    size_t n;
};

/* Take one unit off the wire and treat it. False: the wire is empty. */
static bool relay(struct duo *d, enum role from, unsigned *position, const struct attack *attacks, size_t n, struct held *held)
{
    struct wire *w = &d->side[from].out;
    size_t size = unit(&d->side[from]);
    if (size == 0) return false;
    const uint8_t *p = w->p + w->head;
    enum deed deed = DEED_NONE;
    uint8_t forged[400];
    for (size_t i = 0; i < n; i++) {
        if (attacks[i].from != from || attacks[i].at != *position) continue;
        if (attacks[i].deed == DEED_INJECT) feed(d, (enum role)(1 - from), forged, forge(attacks[i].number, forged));
        else deed = attacks[i].deed;
    }
    if (deed == DEED_SWAP && size <= sizeof(held->p)) {
        memcpy(held->p, p, size);
        held->n = size;
    } else {
        if (deed != DEED_DROP) feed(d, (enum role)(1 - from), p, size);
        if (deed == DEED_REPEAT) feed(d, (enum role)(1 - from), p, size);
        if (held->n) feed(d, (enum role)(1 - from), held->p, held->n);
        held->n = 0;
    }
    w->head += size, w->n -= size, w->delivered += size;
    if (w->n == 0) w->head = 0;
    ++*position;
    return true;
}

static bool transcripts_equal(const struct duo *d)
{
    for (int from = 0; from < 2; from++) {
        const struct notes *sent = &d->side[from].sent, *got = &d->side[1 - from].received;
        if (!duo_prefix(d, (enum role)from)) return false;
        if (sent->n != got->n) return false;
    }
    return true;
}

static void run(const struct duo_plan *plan, const struct attack *attacks, size_t n)
{
    struct duo *d = duo_new(plan);
    struct held held[2] = {{.n = 0}, {.n = 0}};
    unsigned position[2] = {0, 0};
    bool moved = true;
    duo_step(d, ROLE_CLIENT), duo_step(d, ROLE_SERVER);
    while (moved) {
        moved = false;
        for (int from = 0; from < 2; from++) {
            while (relay(d, (enum role)from, &position[from], attacks, n, &held[from])) moved = true;
            moved |= duo_step(d, (enum role)(1 - from));
        }
    }
    const char *w = duo_wrong(d);
    /* Without the client's DISCONNECT the server sees a lost connection: an error, and a clean one. */
    bool whole = duo_complete(d) && d->side[ROLE_SERVER].err == ERR_DISCONNECTED;
    if (!w && whole && !transcripts_equal(d)) w = "completed with unlike transcripts";
    if (!w && !whole) duo_hang_up(d), w = duo_wrong(d);
    schedules++, completed += whole;
    if (w) {
        failure = w;
        if (bad++ < 10)
            for (size_t i = 0; i < n; i++)
                printf("# %s: %s packet %u of the %s, %u\n", w, deed_names[attacks[i].deed], attacks[i].at,
                       attacks[i].from ? "server" : "client", attacks[i].number);
    }
    duo_free(d);
}

/* ---- schedules ---- */

static const uint8_t numbers[] = {1, 2, 3, 4, 5, 6, 7, 20, 21, 30, 192, 193};

static unsigned packets_of(const struct duo_plan *plan, enum role from)
{
    struct duo *d = duo_new(plan);
    (void)duo_run_plain(d);
    unsigned n = (unsigned)d->side[from].sent.n + 1;
    duo_free(d);
    return n;
}

static void single_deeds(const struct duo_plan *plan)
{
    for (int from = 0; from < 2; from++) {
        unsigned last = packets_of(plan, (enum role)from);
        for (unsigned at = 0; at < last; at++) {
            for (int deed = DEED_DROP; deed <= DEED_SWAP; deed++)
                run(plan, &(struct attack){.deed = (enum deed)deed, .from = (enum role)from, .at = at}, 1);
            for (size_t i = 0; i < COUNT_OF(numbers); i++)
                run(plan, &(struct attack){.deed = DEED_INJECT, .from = (enum role)from, .at = at, .number = numbers[i]}, 1);
        }
    }
}

/* Terrapin's shape: something goes in before NEWKEYS, something is missing after. */
static void pairs(const struct duo_plan *plan, unsigned step)
{
    unsigned count = 0;
    for (int from = 0; from < 2; from++) {
        unsigned last = packets_of(plan, (enum role)from);
        for (unsigned in = 1; in < 5; in++)
            for (size_t i = 0; i < COUNT_OF(numbers); i++)
                for (unsigned out = in; out < last; out++) {
                    if (count++ % step) continue;
                    const struct attack both[] = {{.deed = DEED_INJECT, .from = (enum role)from, .at = in, .number = numbers[i]},
                                                  {.deed = DEED_DROP, .from = (enum role)from, .at = out}};
                    run(plan, both, 2);
                }
    }
}

static void random_deeds(const struct duo_plan *plan, struct rng *rng, unsigned runs)
{
    for (unsigned i = 0; i < runs; i++) {
        struct attack a[4];
        size_t n = 1 + (size_t)rng_below(rng, COUNT_OF(a));
        for (size_t k = 0; k < n; k++)
            a[k] = (struct attack){.deed = (enum deed)(1 + rng_below(rng, 4)), .from = (enum role)rng_below(rng, 2),
                                   .at = (unsigned)rng_below(rng, 24), .number = numbers[rng_below(rng, COUNT_OF(numbers))]};
        run(plan, a, n);
    }
}

/* ---- offers changed on the way (T31): any edit of a KEXINIT must end the connection ---- */

static bool edit_offer(const struct duo_plan *plan, enum role from, const char *name)
{
    struct duo *d = duo_new(plan);
    duo_step(d, ROLE_CLIENT), duo_step(d, ROLE_SERVER);
    duo_deliver(d, (enum role)(1 - from), SIZE_MAX), duo_step(d, from);
    struct wire *w = &d->side[from].out;
    uint8_t *at = memmem(w->p + w->head, w->n, name, strlen(name));
    if (at) *at ^= 1;
    (void)duo_run_plain(d);
    duo_hang_up(d);
    bool good = at && !conn_facts(d->side[0].c)->kex_done && !conn_facts(d->side[1].c)->authenticated && !duo_wrong(d);
    duo_free(d);
    return good;
}

static void report(const char *what, const char *cipher)
{
    tap_ok(bad == 0, "%s, %s: %u schedules, %u completed%s%s", what, cipher, schedules, completed, bad ? ", " : "", bad ? failure : "");
    schedules = completed = bad = 0;
}

/* This binary's core has no strict key exchange: the oldest trick must be seen to work on it. */
static int fault_run(void)
{
    const struct duo_plan plan = {.seed = 1, .algs = duo_algs(NULL, &cipher_chacha20_poly1305, NULL), .login = "p", .channels = 1};
    pairs(&plan, 1);
    tap_ok(bad != 0, "without strict kex %u of %u schedules end with unlike transcripts", bad, schedules);
    return tap_end();
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--fault") == 0) return fault_run();
    static const struct {
        const char *name;
        const struct cipher_alg *cipher;
        const struct mac_alg *mac;
    } classes[] = {{"chacha20-poly1305", &cipher_chacha20_poly1305, NULL}, {"aes128-gcm", &cipher_aes128_gcm, NULL},
                   {"aes128-ctr etm", &cipher_aes128_ctr, &mac_hmac_sha2_256_etm}, {"aes128-ctr mac", &cipher_aes128_ctr, &mac_hmac_sha2_256},
                   {"aes128-cbc etm", &cipher_aes128_cbc, &mac_hmac_sha2_256_etm}, {"3des-cbc mac", &cipher_3des_cbc, &mac_hmac_sha2_256}};
    struct rng rng = {tap_seed(48795)};
    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        struct duo_plan plan = {.seed = rng.s, .algs = duo_algs(NULL, classes[i].cipher, classes[i].mac), .login = "nqs", .channels = 1,
                                .up = 100, .down = 100};
        run(&plan, NULL, 0);
        tap_ok(completed == 1, "left alone it completes, %s", classes[i].name);
        schedules = completed = 0;
        single_deeds(&plan);
        report("each packet dropped, repeated, swapped, led by each message", classes[i].name);
        pairs(&plan, tap_long() ? 1 : tap_quick() ? 13 : 3);
        report("one message in before NEWKEYS, one packet out after", classes[i].name);
        plan.rekey_once[ROLE_CLIENT] = 9;
        single_deeds(&plan);
        report("the same around a rekey", classes[i].name);
        plan.guess_kex = plan.guess_wrong = true;
        random_deeds(&plan, &rng, tap_long() ? 30000 : tap_quick() ? 200 : 2000);
        report("up to four deeds at random, the kex guessed wrongly", classes[i].name);
    }
    struct duo_plan plan = {.seed = 1, .algs = duo_algs(NULL, &cipher_chacha20_poly1305, NULL), .login = "p", .channels = 1};
    static const char *const offers[] = {"kex-strict-c", "ext-info-c", "cheap@test", "ssh-ed25519", "chacha20", "hmac-sha2", "none"};
    static const char *const answers[] = {"kex-strict-s", "ext-info-s", "cheap@test", "ssh-ed25519", "chacha20", "hmac-sha2", "none"};
    for (size_t i = 0; i < COUNT_OF(offers); i++) {
        tap_ok(edit_offer(&plan, ROLE_CLIENT, offers[i]), "the client's offer of %s changed on the way ends the connection", offers[i]);
        tap_ok(edit_offer(&plan, ROLE_SERVER, answers[i]), "the server's offer of %s changed on the way ends the connection", answers[i]);
    }
    return tap_end();
}
