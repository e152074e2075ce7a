/* SPDX-License-Identifier: ISC */
/* The simulator: whole sessions between two conns on a bad wire, with a virtual clock, from one seed. The outcome is always
 * equal streams or a clean error, and never a standstill. */
#include "crypto/algs.h"
#include "duo.h"
#include "tap.h"

static unsigned long long seed;
static bool whole, quick;                       /* NACRE_LONG, NACRE_QUICK */

static struct duo_plan base_plan(const struct cipher_alg *cipher, const struct mac_alg *mac)
{
    return (struct duo_plan){.seed = seed, .algs = duo_algs(NULL, cipher, mac), .login = "nqs", .channels = 1, .up = 700, .down = 900};
}

/* What a run may end with. */
static const char *judge(struct duo *d, bool ran, bool must_complete)
{
    const char *w = duo_wrong(d);
    if (w) return w;
    if (must_complete && !ran) return "standstill";
    if (!ran) duo_hang_up(d);
    if (!d->side[0].over || !d->side[1].over) return "no end after hang-up";
    if (must_complete && !duo_complete(d)) return "did not complete";
    return duo_wrong(d);
}

static void report(const struct duo *d, const char *what)
{
    for (int i = 0; i < 2; i++) {
        const struct duo_side *s = &d->side[i];
        const struct conn_facts *f = conn_facts(s->c);
        printf("#   %s: %s over %d finished %d, %s at %s msg %u, in %llu out %llu packets, wire %zu, rekeys %u\n", i ? "server" : "client",
               what, s->over, s->finished, err_name(f->failure), f->failure_where ? f->failure_where : "-", f->failure_msg,
               (unsigned long long)f->packets_in, (unsigned long long)f->packets_out, s->out.n, f->rekeys);
    }
}

static bool run_one(const struct duo_plan *plan, bool chance)
{
    struct duo *d = duo_new(plan);
    const char *w = d ? judge(d, chance ? duo_run(d) : duo_run_plain(d), true) : "no memory";
    if (w) printf("# seed %llu: %s\n", (unsigned long long)plan->seed, w);
    if (w && d) report(d, w);
    duo_free(d);
    return w == NULL;
}

/* ---- every algorithm ---- */

static void each_cipher_and_mac(void)
{
    for (size_t i = 0; cipher_all[i]; i++) {
        bool stream = cipher_all[i]->cls == CIPHER_STREAM;
        for (size_t k = 0; mac_all[k] && (stream || k == 0); k++) {
            struct duo_plan plan = base_plan(cipher_all[i], mac_all[k]);
            plan.rekey_every[ROLE_CLIENT] = 20;
            tap_ok(run_one(&plan, true), "session with %s %s", cipher_all[i]->name, stream ? mac_all[k]->name : "");
        }
    }
}

static void each_kex(void)
{
    for (size_t i = 0; kex_all[i]; i++) {
        struct duo_plan plan = base_plan(&cipher_aes128_gcm, NULL);
        plan.algs.kex[0] = kex_all[i];
        if (kex_all[i]->shape == KEX_SHAPE_GEX) continue;
        tap_ok(run_one(&plan, true), "session with %s", kex_all[i]->name);
    }
}

static void each_login(void)
{
    static const char *const logins[] = {"p", "np", "k", "nk", "nqs", "s", "nsp", "nqspk", "kps"};
    for (size_t i = 0; i < COUNT_OF(logins); i++) {
        struct duo_plan plan = base_plan(&cipher_chacha20_poly1305, NULL);
        plan.login = logins[i];
        tap_ok(run_one(&plan, true), "login by %s", logins[i]);
    }
}

static void guesses(void)
{
    for (int wrong = 0; wrong < 2; wrong++) {
        struct duo_plan plan = base_plan(&cipher_aes256_gcm, NULL);
        plan.guess_kex = true, plan.guess_wrong = wrong;
        bool good = true;
        for (int i = 0; i < 50; i++, plan.seed++) good &= run_one(&plan, i & 1);
        tap_ok(good, "the client's first kex packet is guessed %s", wrong ? "wrongly" : "rightly");
    }
}

/* ---- schedules ---- */

static const struct cipher_alg *const classes[] = {&cipher_chacha20_poly1305, &cipher_aes128_gcm, &cipher_aes128_ctr, &cipher_aes256_ctr,
                                                   &cipher_aes128_cbc, &cipher_3des_cbc};
static const struct mac_alg *const class_macs[] = {NULL, NULL, &mac_hmac_sha2_256_etm, &mac_hmac_sha2_512, &mac_hmac_sha2_256_etm,
                                                   &mac_hmac_sha1};

static void random_plan(struct rng *r, struct duo_plan *plan)
{
    static const char *const logins[] = {"nqs", "p", "nk", "nsp"};
    size_t cls = (size_t)rng_below(r, COUNT_OF(classes));
    *plan = base_plan(classes[cls], class_macs[cls]);
    plan->seed = rng_next(r);
    plan->login = logins[rng_below(r, COUNT_OF(logins))];
    plan->channels = 1 + (unsigned)rng_below(r, 5);
    plan->up = rng_below(r, 3) ? rng_below(r, 200000) : 0, plan->down = rng_below(r, 3) ? rng_below(r, 200000) : 0;
    plan->window = rng_below(r, 2) ? 0 : 100 + (uint32_t)rng_below(r, 100000);
    plan->wire_max = rng_below(r, 2) ? 0 : 100 + (size_t)rng_below(r, 100000);
    plan->slow = rng_below(r, 2), plan->chatty = rng_below(r, 2);
    plan->open_delay = (unsigned)rng_below(r, 10);
    plan->guess_kex = rng_below(r, 2);
    if (rng_below(r, 2)) plan->rekey_every[rng_below(r, 2)] = 5 + (unsigned)rng_below(r, 60);
    if (rng_below(r, 4) == 0) plan->rekey_every[0] = plan->rekey_every[1] = 10 + (unsigned)rng_below(r, 5);
    if (rng_below(r, 4) == 0) plan->rekey_bytes = 2000 + rng_below(r, 50000);
}

static void random_schedules(void)
{
    struct rng r = {seed};
    unsigned runs = whole ? 20000 : quick ? 100 : 1000, bad = 0;
    for (unsigned i = 0; i < runs; i++) {
        struct duo_plan plan;
        random_plan(&r, &plan);
        if (!run_one(&plan, true)) bad++;
    }
    tap_ok(bad == 0, "%u sessions of random shape on wires that split, merge and delay end with equal streams", runs);
}

static void byte_by_byte(void)
{
    for (size_t cls = 0; cls < COUNT_OF(classes); cls++) {
        struct duo_plan plan = base_plan(classes[cls], class_macs[cls]);
        struct duo *d = duo_new(&plan);
        duo_step(d, ROLE_CLIENT), duo_step(d, ROLE_SERVER);
        for (bool moved = true; moved;) {
            moved = false;
            for (int i = 0; i < 2; i++) {
                moved |= duo_deliver(d, (enum role)i, 1) != 0;
                moved |= duo_step(d, (enum role)(1 - i));
            }
        }
        tap_ok(duo_complete(d) && !duo_wrong(d), "a session whose bytes come one by one, %s", classes[cls]->name);
        duo_free(d);
    }
}

static void bulk(void)
{
    for (size_t cls = 0; cls < COUNT_OF(classes); cls++) {
        struct duo_plan plan = base_plan(classes[cls], class_macs[cls]);
        plan.up = plan.down = whole ? 200u << 20 : quick ? 3u << 20 : 12u << 20;
        plan.channels = 2, plan.slow = true, plan.chatty = true, plan.wire_max = 65536;
        plan.rekey_bytes = 1u << 20;
        tap_ok(run_one(&plan, true), "two-way bulk on full windows and short wires with rekeys, %s", classes[cls]->name);
    }
    struct duo_plan plan = base_plan(&cipher_aes128_gcm, NULL);
    plan.up = plan.down = 3u << 20, plan.window = 32768, plan.slow = true, plan.wire_max = 5000, plan.channels = 8;
    plan.rekey_every[0] = plan.rekey_every[1] = 40;
    tap_ok(run_one(&plan, true), "eight channels both ways, small windows, a wire of 5000 bytes, rekeys all the time");
}

static void compressed(void)
{
    static const struct compress_alg *const zlib[] = {&compress_zlib_openssh, NULL};
    struct duo_plan plan = base_plan(&cipher_aes128_gcm, NULL);
    plan.compress = zlib, plan.up = plan.down = 2u << 20, plan.channels = 2;
    plan.rekey_bytes = 300000;
    bool good = true;
    for (int i = 0; i < 5; i++, plan.seed++) good &= run_one(&plan, true);
    tap_ok(good, "sessions with zlib@openssh.com, rekeyed");
}

/* ---- key exchanges at every packet ---- */

static void rekey_everywhere(void)
{
    for (int who = 0; who < 3; who++) {
        unsigned bad = 0, at = 1, done = 0;
        for (; at < (whole ? 400u : 120u); at++) {
            struct duo_plan plan = base_plan(classes[at % COUNT_OF(classes)], class_macs[at % COUNT_OF(classes)]);
            plan.seed += at, plan.up = 3000, plan.down = 3000, plan.channels = 3, plan.window = 1000, plan.open_delay = at % 7;
            plan.chatty = true;
            if (who != 1) plan.rekey_once[ROLE_CLIENT] = at;
            if (who != 0) plan.rekey_once[ROLE_SERVER] = at;
            struct duo *d = duo_new(&plan);
            const char *w = judge(d, duo_run(d), true);
            if (w) printf("# rekey at %u: %s\n", at, w), report(d, w), bad++;
            done += conn_facts(d->side[0].c)->rekeys != 0;
            duo_free(d);
        }
        static const char *const whose[] = {"the client", "the server", "both"};
        tap_ok(bad == 0 && done > 20, "a rekey by %s at every packet, %u of %u took place", whose[who], done, at - 1);
    }
}

static void rekey_with_open_questions(void)
{
    unsigned bad = 0, runs = whole ? 3000 : 100;
    for (unsigned i = 0; i < runs; i++) {
        struct duo_plan plan = base_plan(classes[i % COUNT_OF(classes)], class_macs[i % COUNT_OF(classes)]);
        plan.seed += i, plan.channels = 40, plan.up = plan.down = 100, plan.open_delay = 5 + i % 40;
        plan.rekey_every[i & 1] = 6;
        if (!run_one(&plan, true)) bad++;
    }
    tap_ok(bad == 0, "%u sessions with 40 channel opens outstanding through key exchanges", runs);
}

/* ---- a wire that ends anywhere, a bit that turns ---- */

static uint64_t dialogue_bytes(const struct duo_plan *plan, enum role from)
{
    struct duo *d = duo_new(plan);
    (void)duo_run_plain(d);
    uint64_t n = d->side[from].out.written;
    duo_free(d);
    return n;
}

static void truncated(void)
{
    for (size_t cls = 0; cls < COUNT_OF(classes); cls++) {
        struct duo_plan plan = base_plan(classes[cls], class_macs[cls]);
        for (int from = 0; from < 2; from++) {
            uint64_t all = dialogue_bytes(&plan, (enum role)from);
            unsigned bad = 0, runs = 0;
            for (uint64_t at = 0; at < all; at += whole ? 1 : quick ? 41 : 5, runs++) {
                struct duo *d = duo_new(&plan);
                d->side[from].out.cut_at = at;
                const char *w = judge(d, duo_run_plain(d), false);
                if (!w && conn_facts(d->side[1 - from].c)->failure == ERR_NONE) w = "the end was not noticed";
                if (w) printf("# cut at %llu: %s\n", (unsigned long long)at, w), report(d, w), bad++;
                duo_free(d);
            }
            tap_ok(bad == 0, "%s's bytes cut off at %u of %llu places, %s", from ? "server" : "client", runs, (unsigned long long)all,
                   classes[cls]->name);
        }
    }
}

/* Each dialogue arrives in two pieces: the reader's state at that byte is left and entered again. */
static void split(void)
{
    for (size_t cls = 0; cls < COUNT_OF(classes); cls++) {
        struct duo_plan plan = base_plan(classes[cls], class_macs[cls]);
        for (int from = 0; from < 2; from++) {
            uint64_t all = dialogue_bytes(&plan, (enum role)from);
            unsigned bad = 0, runs = 0;
            for (uint64_t at = 1; at < all; at += whole ? 1 : quick ? 97 : 29, runs++) {
                struct duo *d = duo_new(&plan);
                d->side[from].out.split_at = at;
                const char *w = judge(d, duo_run_plain(d), true);
                if (w) printf("# split at %llu: %s\n", (unsigned long long)at, w), report(d, w), bad++;
                duo_free(d);
            }
            tap_ok(bad == 0, "%s's bytes split at %u of %llu places, %s", from ? "server" : "client", runs, (unsigned long long)all,
                   classes[cls]->name);
        }
    }
}

static const struct note *packet_at(const struct duo *clean, enum role from, uint64_t at)
{
    const struct notes *l = &clean->side[from].sent;
    for (size_t i = 0; i < l->n; i++)
        if (at >= l->p[i].at && at < l->p[i].at + l->p[i].size) return &l->p[i];
    return NULL;
}

/* Padding of clear packets is the only thing that nothing protects (RFC 4253 8 hashes payloads). */
static bool unprotected(const struct note *n, uint64_t at)
{
    return n && n->clear && at >= n->at + 5 + n->len;
}

/* A sealed packet that was touched has one way to fail, or makes the receiver wait for bytes that never come. */
static bool uniform(const struct note *n, enum err e)
{
    return !n || n->clear || e == ERR_MAC || e == ERR_LENGTH || e == ERR_PEER_GONE;
}

static const char *flip_once(const struct duo_plan *plan, const struct duo *clean, enum role from, uint64_t at, uint8_t mask)
{
    struct duo *d = duo_new(plan);
    d->side[from].out.flip_at = at, d->side[from].out.flip_mask = mask;
    const char *w = judge(d, duo_run_plain(d), false);
    const struct note *n = packet_at(clean, from, at);
    enum err e = conn_facts(d->side[1 - from].c)->failure;
    if (!w && duo_complete(d) && d->side[ROLE_SERVER].err == ERR_DISCONNECTED && !unprotected(n, at)) w = "nobody noticed";
    if (!w && e == ERR_NONE) w = "no failure";
    if (!w && !uniform(n, e)) w = "a touched packet failed in a way of its own";
    if (w) report(d, w);
    duo_free(d);
    return w;
}

static void flipped(void)
{
    for (size_t cls = 0; cls < COUNT_OF(classes); cls++) {
        struct duo_plan plan = base_plan(classes[cls], class_macs[cls]);
        struct duo *clean = duo_new(&plan);
        (void)duo_run_plain(clean);
        for (int from = 0; from < 2; from++) {
            uint64_t bits = clean->side[from].out.written * 8;
            unsigned bad = 0, runs = 0;
            for (uint64_t bit = whole ? 0 : seed % 7; bit < bits; bit += whole ? 1 : quick ? 97 : 9, runs++) {
                const char *w = flip_once(&plan, clean, (enum role)from, bit / 8, (uint8_t)(1 << bit % 8));
                if (w) printf("# bit %llu: %s\n", (unsigned long long)bit, w), bad++;
            }
            tap_ok(bad == 0, "%s's bits turned at %u of %llu places, %s", from ? "server" : "client", runs, (unsigned long long)bits,
                   classes[cls]->name);
        }
        duo_free(clean);
    }
}

/* What there is; an argument names the one to run. */
static const struct {
    const char *name;
    void (*run)(void);
} parts[] = {
    {"ciphers", each_cipher_and_mac}, {"kex", each_kex}, {"logins", each_login}, {"guesses", guesses}, {"bytes", byte_by_byte},
    {"splits", split}, {"rekeys", rekey_everywhere}, {"opens", rekey_with_open_questions}, {"schedules", random_schedules},
    {"zlib", compressed}, {"bulk", bulk}, {"cuts", truncated}, {"flips", flipped},
};

int main(int argc, char **argv)
{
    seed = tap_seed(20250711);
    whole = tap_long(), quick = tap_quick();
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (argc < 2 || strcmp(argv[1], parts[i].name) == 0) parts[i].run();
    return tap_count ? tap_end() : 2;
}
