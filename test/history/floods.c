/* SPDX-License-Identifier: ISC */
/* The same thing again and again: nothing grows, nothing stands still. */
#include "history.h"

#include <malloc.h>

static unsigned rounds(unsigned normal)
{
    return tap_long() ? 1000000 : tap_quick() ? normal / 20 : normal;
}

static size_t heap(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/* The same message again and again: no growth, no end. */
static bool flood(const char *state, const struct wr *w, unsigned n, size_t reply_max)
{
    struct probe p;
    bool good = probe_open(&p, state, false);
    for (int i = 0; good && i < 100; i++) good = say_on(&p, w);
    size_t before = heap();
    p.sent = 0;
    for (unsigned i = 0; good && i < n; i++) good = say_on(&p, w);
    size_t grown = heap() > before ? heap() - before : 0;
    if (!good) printf("# %s: %s\n", state, err_name(conn_facts(p.c)->failure));
    if (grown > 65536) printf("# grew by %zu\n", grown);
    if (p.sent > reply_max * (size_t)n) printf("# said %zu bytes\n", p.sent), good = false;
    probe_close(&p);
    return good && grown <= 65536;
}

bool openssh_2025_26466(void)
{
    struct wr w = message(192);
    wr_u32(&w, 1000);
    memset(wr_room(&w, 1000), 'x', 1000);
    return flood("a1", &w, rounds(20000), 0) && flood("sr2", &w, rounds(20000), 0) && flood("sc1", &w, rounds(20000), 1100);
}

/* While our KEXINIT is unanswered replies wait in a list that has an end: the connection ends, it does not grow or stand still. */
static bool replies_in_rekey(const struct wr *w)
{
    struct probe p;
    size_t before = heap(), most = 0;
    bool alive = probe_open(&p, "sr1", false);
    unsigned said = 0;
    while (alive && said < 100000) {
        alive = say_on(&p, w), said++;
        if (heap() > before && heap() - before > most) most = heap() - before;
    }
    enum err e = conn_facts(p.c)->failure;
    bool read_all = p.c->in_head == p.c->in_tail;
    probe_close(&p);
    if (alive || e != ERR_BUDGET || !read_all) printf("# %u said, %s, read %d\n", said, err_name(e), read_all);
    return !alive && e == ERR_BUDGET && most < 4u << 20;
}

bool dropbear_2026_rekey_queue(void)
{
    struct wr w = message(98);
    wr_u32(&w, 0), wr_cstring(&w, "keepalive@openssh.com"), wr_bool(&w, true);
    bool good = replies_in_rekey(&w);
    w = message(192);
    wr_u32(&w, 30000);
    memset(wr_room(&w, 30000), 'x', 30000);
    good &= replies_in_rekey(&w);
    w = message(80);
    wr_cstring(&w, "keepalive@openssh.com"), wr_bool(&w, true);
    return good & replies_in_rekey(&w);
}

bool go_2025_22869(void)
{
    struct probe p;
    bool good = probe_open(&p, "sr1", false) && chan_reserve(p.c, 0, STREAM_DATA).n == 0 && chan_room(p.c, 0) == 0;
    probe_close(&p);
    good &= probe_open(&p, "sc1", false) && chan_reserve(p.c, 0, STREAM_DATA).n > 0;
    probe_close(&p);
    return good;
}

bool ignored_floods(void)
{
    struct wr ignore = message(2), debug = message(4), unimplemented = message(3);
    bool good = true;
    wr_cstring(&ignore, "");
    good &= flood("sc1", &ignore, rounds(20000), 0) && flood("a1", &ignore, rounds(20000), 0);
    debug = message(4);
    wr_bool(&debug, true), wr_cstring(&debug, "x"), wr_cstring(&debug, "");
    good &= flood("cc1", &debug, rounds(20000), 0);
    unimplemented = message(3);
    wr_u32(&unimplemented, 7);
    return good && flood("sc1", &unimplemented, rounds(20000), 0);
}

bool empty_data_flood(void)
{
    struct wr w = message(94);
    wr_u32(&w, 0), wr_u32(&w, 0);
    return flood("sc1", &w, rounds(20000), 0) && flood("cc1", &w, rounds(20000), 0);
}

bool erlang_2026_54886(void)
{
    struct wr w = message(95);
    wr_u32(&w, 0), wr_u32(&w, 1), wr_u32(&w, 20000);
    memset(wr_room(&w, 20000), 'e', 20000);
    return flood("sc1", &w, 1000, 60);      /* ten windows' worth: what is dropped is given back */
}

bool request_floods(void)
{
    struct wr w = message(98);
    wr_u32(&w, 0), wr_cstring(&w, "no-such@test"), wr_bool(&w, true);
    bool good = flood("sc1", &w, rounds(20000), 64);
    w = message(80);
    wr_cstring(&w, "no-such@test"), wr_bool(&w, true);
    return good && flood("sc1", &w, rounds(20000), 64);
}

/* T05: channels opened and closed, opened and refused, a million times in the long run. */
static bool channels_leave_nothing(bool refuse)
{
    struct probe p;
    unsigned n = rounds(40000), last = 0;
    bool good = probe_open(&p, "sc1", false);
    size_t before = heap();
    for (unsigned i = 0; good && i < n; i++) {
        struct event ev = {.type = EV_NONE};
        struct wr w = message(90);
        wr_cstring(&w, "session"), wr_u32(&w, i), wr_u32(&w, 1000), wr_u32(&w, 1000);
        probe_inject(&p, wr_bytes(&w));
        good = conn_next(p.c, p.d->now_us, &ev) == ERR_NONE && ev.type == EV_CHANNEL_OPEN;
        last = ev.chan;
        if (!good || last > 2) break;
        good = conn_answer(p.c, ev.question, &(struct answer){.type = refuse ? ANSWER_NO : ANSWER_YES, .reason = OPEN_PROHIBITED}) == ERR_NONE;
        w = message(97);
        wr_u32(&w, last);
        if (!refuse) good &= say_on(&p, &w);
        while (conn_next(p.c, p.d->now_us, &ev) == ERR_NONE && ev.type != EV_NONE) continue;
        conn_output_consume(p.c, SIZE_MAX);
        forget(p.d);
        if (i == 100) before = heap();
    }
    good &= conn_facts(p.c)->failure == ERR_NONE && conn_facts(p.c)->channels <= 2;
    size_t grown = heap() > before ? heap() - before : 0;
    const struct conn_facts *f = conn_facts(p.c);
    if (!good || grown > 65536) printf("# channel %u, %s, %u in use, grew by %zu\n", last, err_name(f->failure), f->channels, grown);
    probe_close(&p);
    return good && grown <= 65536;
}
bool go_2026_3982(void) { return channels_leave_nothing(true); }
bool open_close_no_growth(void) { return channels_leave_nothing(false); }

bool unknown_messages_have_an_end(void)
{
    struct probe p;
    struct wr w = message(200);
    unsigned said = 0;
    if (!probe_open(&p, "a1", false)) return false;
    while (said < 100 && say_on(&p, &w)) said++;
    probe_close(&p);
    return said == 8;
}

bool opens_without_answer_have_a_limit(void)
{
    struct probe p;
    struct event ev;
    bool good = probe_open(&p, "sc1", false);
    for (unsigned i = 0; good && i < 5000; i++) {
        struct wr w = message(90);
        wr_cstring(&w, "session"), wr_u32(&w, i), wr_u32(&w, 1000), wr_u32(&w, 1000);
        probe_inject(&p, wr_bytes(&w));
        good = conn_next(p.c, p.d->now_us, &ev) == ERR_NONE;
        conn_output_consume(p.c, SIZE_MAX);
    }
    good &= conn_facts(p.c)->channels <= OPENS_PENDING_MAX + 1;
    probe_close(&p);
    return good;
}

bool key_exchange_leaves_nothing(void)
{
    const struct duo_plan plan = {.seed = 5, .algs = duo_algs(NULL, &cipher_aes128_gcm, NULL), .login = "p", .channels = 1, .up = 1, .down = 1,
                                  .hold = true};
    struct duo *d = duo_new(&plan);
    const struct conn_facts *f = conn_facts(d->side[ROLE_CLIENT].c);
    size_t before = 0;
    (void)duo_run_plain(d);
    for (unsigned i = 0; i < 300; i++) {
        (void)!conn_rekey(d->side[i & 1].c);
        duo_step(d, (enum role)(i & 1));
        (void)duo_run_plain(d);
        forget(d);
        if (i == 20) before = heap();
    }
    size_t grown = heap() > before ? heap() - before : 0;
    bool good = f->rekeys >= 300 && grown <= 65536;
    if (!good) printf("# %u rekeys, grew by %zu\n", f->rekeys, grown);
    duo_free(d);
    return good;
}
