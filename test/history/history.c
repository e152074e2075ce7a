/* SPDX-License-Identifier: ISC */
/* What went wrong in other implementations, one named test each: the input that broke them, said to our conn. Classes that need
 * a whole program, a user or a file have their tests with those. */
#include "history.h"

#include "crypto/algs.h"

/* ---- saying things ---- */

static uint8_t room[300000];

struct wr message(uint8_t number)
{
    struct wr w = wr_span((struct span){room, sizeof(room)});
    wr_u8(&w, number);
    return w;
}

static char say(struct probe *p, const struct wr *w)
{
    const char *why;
    return probe_say(p, wr_bytes(w), &why);
}

static char say_valid(const char *state, uint8_t number)
{
    struct probe p;
    struct wr w = wr_span((struct span){room, sizeof(room)});
    if (!probe_open(&p, state, false)) return '?';
    probe_body(&p, number, 0, &w);
    char got = say(&p, &w);
    if (p.dut == ROLE_SERVER && state[0] != 's' && conn_facts(p.c)->authenticated) got = '!';
    probe_close(&p);
    return got;
}

void forget(struct duo *d)
{
    for (int i = 0; i < 2; i++) d->side[i].sent.n = d->side[i].clear_seen = d->side[i].received.n = d->side[i].sealed = 0;
}

bool say_on(struct probe *p, const struct wr *w)
{
    struct event ev;
    probe_inject(p, wr_bytes(w));
    for (int i = 0; i < 4 && conn_next(p->c, p->d->now_us, &ev) == ERR_NONE && ev.type != EV_NONE; i++) {
        if (ev.question) (void)!conn_answer(p->c, ev.question, &(struct answer){.type = ANSWER_NO});
        if (ev.type == EV_CHANNEL_DATA) chan_consumed(p->c, ev.chan, ev.data.bytes.n);
    }
    p->sent += conn_output_peek(p->c).n;
    conn_output_consume(p->c, SIZE_MAX);
    forget(p->d);
    return conn_facts(p->c)->failure == ERR_NONE;
}

static bool sent_message(struct probe *p, uint8_t number)
{
    struct trace t;
    bool seen = false;
    while (conn_trace(p->c, &t)) seen |= t.type == TRACE_SENT && t.a == number;
    return seen;
}

/* ---- messages in the wrong state ---- */

static bool libssh_2018_10933(void) { return say_valid("a1", 52) == 'D' && say_valid("s4", 52) == 'D'; }
static bool erlang_2025_32433(void) { return say_valid("a1", 90) == 'D' && say_valid("a1", 98) == 'D' && say_valid("s4", 98) == 'D'; }
static bool paramiko_2018_7750(void) { return say_valid("a1", 80) == 'D' && say_valid("a1", 94) == 'D' && say_valid("a2", 90) == 'D'; }
static bool asyncssh_2023_46446(void) { return say_valid("s2", 50) == 'D' && say_valid("s3", 50) == 'D'; }
static bool asyncssh_2023_46445(void) { return say_valid("c2", 7) == 'D' && say_valid("c3", 7) == 'D'; }
static bool terrapin_2023_48795(void) { return say_valid("s2", 2) == 'D' && say_valid("c2", 2) == 'D' && say_valid("c3", 4) == 'D'; }
static bool erlang_2025_46712(void) { return say_valid("s3", 2) == 'D' && say_valid("s2", 192) == 'D'; }
static bool openssh_2021_36368(void) { return say_valid("ca0", 52) == 'D' && say_valid("c4", 52) == 'D' && say_valid("cc1", 52) == 'D'; }
static bool go_2026_39830(void)
{
    return say_valid("sc1", 81) == 'D' && say_valid("cc1", 82) == 'D' && say_valid("sc1", 99) == 'D' && say_valid("cc1", 100) == 'D';
}
static bool openssh_2016_8858(void) { return say_valid("s2", 20) == 'D' && say_valid("sr2", 20) == 'D' && say_valid("s3", 20) == 'D'; }
static bool openssh_72b05ecd1(void) { return say_valid("sr2", 80) == 'D' && say_valid("sr2", 94) == 'D' && say_valid("cr2", 98) == 'D'; }

static bool wolfssh_2025_14942(void)
{
    struct probe p;
    const struct auth_attempt a = {.user = BYTES_LIT("bob"), .method = AUTH_PASSWORD, .password = BYTES_LIT("secret")};
    bool good = probe_open(&p, "c2", false) && conn_auth_try(p.c, &a) == ERR_STATE && conn_output_peek(p.c).n == 0;
    probe_close(&p);
    return good;
}

static bool libssh_2026_59850(void)
{
    struct probe p;
    uint32_t chan;
    struct wr w = wr_span((struct span){room, sizeof(room)});
    bool good = probe_open_channel(&p, "freed", ROLE_SERVER, &chan);
    if (good) probe_body(&p, 94, chan, &w);
    good = good && say(&p, &w) == 'D';
    probe_close(&p);
    return good;
}

/* ---- numbers that a peer makes up ---- */

static bool ends(const char *state, const struct wr *w)
{
    struct probe p;
    bool good = probe_open(&p, state, false) && say(&p, w) == 'D';
    probe_close(&p);
    return good;
}

static bool libssh2_2026_55199(void)
{
    struct wr w = message(7);
    wr_u32(&w, UINT32_MAX);
    return ends("c4", &w) && ends("s4", &w);
}

static bool openssh_2002_0639(void)
{
    bool good = true;
    static const uint32_t counts[] = {0, 2, 17, 0x40000000, UINT32_MAX};
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        struct wr w = message(61);
        wr_u32(&w, counts[i]);
        for (uint32_t k = 0; k < counts[i] && k < 20; k++) wr_cstring(&w, "x");
        good &= ends("a2", &w);
    }
    return good;
}

static bool russh_2026_42189(void)
{
    struct wr w = message(60);
    wr_cstring(&w, ""), wr_cstring(&w, ""), wr_cstring(&w, ""), wr_u32(&w, UINT32_MAX);
    return ends("cak", &w);
}

static bool openssh_2016_6515(void)
{
    struct wr w = message(50);
    wr_cstring(&w, "bob"), wr_cstring(&w, "ssh-connection"), wr_cstring(&w, "password"), wr_bool(&w, false);
    wr_u32(&w, 1025);
    memset(wr_room(&w, 1025), 'a', 1025);
    return ends("a1", &w);
}

static bool russh_54804(void)
{
    struct wr w = message(93);
    wr_u32(&w, 0), wr_u32(&w, UINT32_MAX);
    return ends("sc1", &w) && ends("cc1", &w);
}

static bool libssh_2026_59843(void)
{
    static const uint32_t bad[] = {0, 1, 31};
    bool good = true;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct probe p;
        struct wr w = message(90);
        wr_cstring(&w, "session"), wr_u32(&w, 7), wr_u32(&w, 1000), wr_u32(&w, bad[i]);
        good &= probe_open(&p, "sc1", false) && say_on(&p, &w) && sent_message(&p, 92) && conn_facts(p.c)->channels == 1;
        probe_close(&p);
    }
    struct wr w = message(91);
    wr_u32(&w, 1), wr_u32(&w, 5), wr_u32(&w, 1000), wr_u32(&w, 0);
    return good && ends("cc1o", &w);
}

static bool data_beyond(uint32_t window_bytes)
{
    struct wr w = message(94);
    wr_u32(&w, 0), wr_u32(&w, window_bytes);
    memset(wr_room(&w, window_bytes), 0, window_bytes);
    return ends("sc1", &w);
}
static bool data_beyond_max_packet(void) { return data_beyond(CHANNEL_PACKET_MAX + 1) && !data_beyond(CHANNEL_PACKET_MAX); }

static bool data_beyond_window(void)
{
    struct probe p;
    struct event ev;
    bool good = probe_open(&p, "sc1", false), ended = false;
    for (size_t sent = 0; good && !ended && sent <= WINDOW_START + CHANNEL_PACKET_MAX; sent += CHANNEL_PACKET_MAX) {
        struct wr w = message(94);
        wr_u32(&w, 0), wr_u32(&w, CHANNEL_PACKET_MAX);
        memset(wr_room(&w, CHANNEL_PACKET_MAX), 0, CHANNEL_PACKET_MAX);
        probe_inject(&p, wr_bytes(&w));
        while (conn_next(p.c, p.d->now_us, &ev) == ERR_NONE && ev.type != EV_NONE) continue;    /* nothing is consumed */
        ended = conn_facts(p.c)->failure != ERR_NONE;
        if (ended) good = sent >= WINDOW_START;
    }
    probe_close(&p);
    return good && ended;
}

/* Every length in a clear packet, and in each cipher class whose length can be seen. */
static bool libssh2_packet_lengths(void)
{
    static const uint32_t lengths[] = {0, 1, 2, 3, 4, 5, 35001, 0x7fff, 0x8000, 0xffff, 0x10000, 262145, 0x7fffffff, 0x80000000, 0xfffffff0,
                                       0xfffffffb, 0xfffffffc, 0xffffffff};
    static const char *const states[] = {"s1", "c1", "s2", "c2"};
    bool good = true;
    for (size_t s = 0; s < COUNT_OF(states); s++)
        for (size_t i = 0; i < COUNT_OF(lengths); i++) {
            struct probe p;
            struct event ev;
            if (!probe_open(&p, states[s], false)) return false;
            struct span in = conn_input_reserve(p.c);
            memset(in.p, 4, 64);
            put_u32(in.p, lengths[i]);
            conn_input_commit(p.c, 64);
            enum err e = conn_next(p.c, p.d->now_us, &ev);
            bool waits = e == ERR_NONE && lengths[i] <= PACKET_PREAUTH_MAX && lengths[i] > 64;
            if (e != ERR_LENGTH && !waits) good = false, printf("# length %u in %s: %s\n", lengths[i], states[s], err_name(e));
            probe_close(&p);
        }
    return good;
}

static bool zero_and_low_order_shares(void)
{
    bool good = true;
    struct rng rng = {1};
    struct random random = rng_random(&rng);
    for (size_t i = 0; kex_all[i]; i++) {
        static const uint8_t zero[2048];
        static const size_t lengths[] = {0, 1, 31, 32, 33, 65, 97, 133, 256, 512, 1190, 1216, 1249, 1665};
        if (kex_all[i]->shape == KEX_SHAPE_GEX) continue;
        for (size_t k = 0; k < COUNT_OF(lengths); k++) {
            struct wr pub CLEANUP(wr_clear) = wr_heap(KEX_PUBLIC_MAX);
            struct secret secret CLEANUP(secret_clear) = {0};
            enum err e = kex_all[i]->reply(kex_all[i], &random, NULL, (struct bytes){zero, lengths[k]}, &pub, &secret);
            if (e == ERR_NONE) good = false, printf("# %s takes %zu zero bytes\n", kex_all[i]->name, lengths[k]);
        }
    }
    return good;
}

/* ---- lines before the ident line ---- */

static enum err ident_says(enum role role, const char *line, unsigned times)
{
    const struct duo_plan plan = {.seed = 1, .algs = duo_algs(NULL, &cipher_aes128_gcm, NULL), .login = "p", .channels = 1};
    struct duo *d = duo_new(&plan);
    struct conn *c = d->side[role].c;
    enum err e = ERR_NONE;
    for (unsigned i = 0; i < times && e == ERR_NONE; i++) {
        struct event ev;
        struct span in = conn_input_reserve(c);
        if (in.n < strlen(line)) break;
        memcpy(in.p, line, strlen(line));
        conn_input_commit(c, strlen(line));
        e = conn_next(c, 1, &ev);
    }
    duo_free(d);
    return e;
}

static bool russh_2026_48108(void)
{
    static char endless[20000];
    memset(endless, 'a', sizeof(endless) - 1);
    return ident_says(ROLE_CLIENT, "still not an ident line\r\n", 2000) == ERR_VERSION &&
           ident_says(ROLE_SERVER, "GET / HTTP/1.0\r\n", 1) == ERR_VERSION &&
           ident_says(ROLE_CLIENT, endless, 1) == ERR_VERSION && ident_says(ROLE_SERVER, endless, 1) == ERR_VERSION &&
           ident_says(ROLE_CLIENT, "one\r\n", 100) == ERR_NONE;
}

/* ---- order of requests, policy that the core holds ---- */

static bool tinyssh_request_order(void)
{
    struct probe p;
    bool good = probe_open(&p, "sc1", false);       /* its command runs */
    struct wr w = message(98);
    wr_u32(&w, 0), wr_cstring(&w, "exec"), wr_bool(&w, true), wr_cstring(&w, "again");
    good = good && say_on(&p, &w) && sent_message(&p, 100);
    w = message(98);
    wr_u32(&w, 0), wr_cstring(&w, "pty-req"), wr_bool(&w, true), wr_cstring(&w, "xterm");
    for (int i = 0; i < 4; i++) wr_u32(&w, 10);
    wr_string(&w, BYTES_LIT("\0"));
    good = good && say_on(&p, &w) && sent_message(&p, 100);
    probe_close(&p);
    return good;
}

static bool no_more_sessions_is_kept(void)
{
    struct probe p;
    bool good = probe_open(&p, "sc1", false);
    struct wr w = message(80);
    wr_cstring(&w, "no-more-sessions@openssh.com"), wr_bool(&w, false);
    good = good && say_on(&p, &w);
    w = message(90);
    wr_cstring(&w, "session"), wr_u32(&w, 9), wr_u32(&w, 1000), wr_u32(&w, 1000);
    good = good && say_on(&p, &w) && sent_message(&p, 92) && conn_facts(p.c)->channels == 1;
    probe_close(&p);
    return good;
}

static bool hostbound_to_another_key(void)
{
    struct wr w = message(50);
    wr_cstring(&w, "bob"), wr_cstring(&w, "ssh-connection"), wr_cstring(&w, "publickey-hostbound-v00@openssh.com");
    wr_bool(&w, false), wr_cstring(&w, "ssh-ed25519"), wr_cstring(&w, "key"), wr_cstring(&w, "not this server's key");
    return ends("a1", &w);
}

/* One packet that inflates beyond any packet. */
static bool russh_2026_46702(void)
{
    static const struct compress_alg *const zlib[] = {&compress_zlib_openssh, NULL};
    static uint8_t zeros[1 << 20], packed[65536];
    const struct duo_plan plan = {.seed = 5, .algs = duo_algs(NULL, &cipher_chacha20_poly1305, NULL), .login = "p", .channels = 1, .up = 1, .down = 1,
                                  .hold = true, .compress = zlib};
    struct duo *d = duo_new(&plan);
    (void)duo_run_plain(d);
    struct conn *from = d->side[ROLE_CLIENT].c, *to = d->side[ROLE_SERVER].c;
    size_t n = 0;
    struct event ev;
    zeros[0] = 2;
    bool good = conn_facts(from)->compress_out && from->tx.compress &&
        from->tx.compress_alg->run(from->tx.compress, (struct bytes){zeros, sizeof(zeros)}, (struct span){packed, sizeof(packed)}, &n) == ERR_NONE;
    if (good) {
        memcpy(from->out + 5, packed, n);
        good = packet_seal_at(from, from->out, n) == ERR_NONE;
        size_t size = packet_size(&from->tx, n);
        struct span in = conn_input_reserve(to);
        memcpy(in.p, from->out, size);
        conn_input_commit(to, size);
        enum err e = conn_next(to, d->now_us, &ev);
        good &= e == ERR_TOO_LONG || e == ERR_COMPRESS;
    }
    duo_free(d);
    return good;
}

/* ---- all ---- */

static const struct {
    const char *name;
    bool (*run)(void);
} tests[] = {
    {"libssh CVE-2018-10933: a client that says USERAUTH_SUCCESS", libssh_2018_10933},
    {"Erlang CVE-2025-32433, wolfSSH CVE-2024-2873: channels before login", erlang_2025_32433},
    {"paramiko CVE-2018-7750: global requests and data before login", paramiko_2018_7750},
    {"asyncssh CVE-2023-46446: a login request slipped into the key exchange", asyncssh_2023_46446},
    {"asyncssh CVE-2023-46445: EXT_INFO slipped into the key exchange", asyncssh_2023_46445},
    {"Terrapin CVE-2023-48795: stuffing in a strict key exchange", terrapin_2023_48795},
    {"Erlang CVE-2025-46712: strict means no other packet until NEWKEYS", erlang_2025_46712},
    {"OpenSSH CVE-2021-36368: success that nobody asked for", openssh_2021_36368},
    {"wolfSSH CVE-2025-14942: no password before the keys are in use", wolfssh_2025_14942},
    {"Go CVE-2026-39830: replies to nothing", go_2026_39830},
    {"libssh CVE-2026-59850: data after close", libssh_2026_59850},
    {"OpenSSH CVE-2016-8858: KEXINIT again and again", openssh_2016_8858},
    {"OpenSSH 10.4 72b05ecd1: other messages after the peer's KEXINIT", openssh_72b05ecd1},
    {"Dropbear 2026.92: replies that wait for a rekey are bounded", dropbear_2026_rekey_queue},
    {"Go CVE-2025-22869: no data is queued behind a key exchange", go_2025_22869},
    {"OpenSSH CVE-2025-26466: a flood of pings", openssh_2025_26466},
    {"floods of IGNORE, DEBUG, UNIMPLEMENTED", ignored_floods},
    {"floods of requests that want an answer", request_floods},
    {"floods of empty data", empty_data_flood},
    {"Erlang CVE-2026-54886: stderr sent to a server", erlang_2026_54886},
    {"unknown messages before login have an end", unknown_messages_have_an_end},
    {"libssh2 CVE-2026-55199: EXT_INFO with 2^32-1 entries", libssh2_2026_55199},
    {"OpenSSH CVE-2002-0639: a wrong number of responses", openssh_2002_0639},
    {"russh CVE-2026-42189: 2^32-1 prompts", russh_2026_42189},
    {"OpenSSH CVE-2016-6515: a password of 1025 bytes", openssh_2016_6515},
    {"russh CVE-2025-54804: a window beyond 2^32", russh_54804},
    {"libssh CVE-2026-59843: channels whose packets have no room", libssh_2026_59843},
    {"data beyond the largest packet", data_beyond_max_packet},
    {"data beyond the window", data_beyond_window},
    {"libssh2 CVE-2019-3855 and kin: lengths of packets", libssh2_packet_lengths},
    {"libssh CVE-2026-59842, RFC 8731: zero and short shares in every method", zero_and_low_order_shares},
    {"russh CVE-2026-48108: lines without end before the ident line", russh_2026_48108},
    {"Go CVE-2026-3982: refused channels leave nothing", go_2026_3982},
    {"channels opened and closed leave nothing", open_close_no_growth},
    {"opens without an answer have a limit", opens_without_answer_have_a_limit},
    {"TinySSH 20260601: requests out of order", tinyssh_request_order},
    {"no-more-sessions is kept", no_more_sessions_is_kept},
    {"a login bound to another host's key", hostbound_to_another_key},
    {"libssh CVE-2025-8277: key exchanges leave nothing", key_exchange_leaves_nothing},
    {"OpenSSH CVE-2008-5161: bad packets in CBC look alike, whatever is bad", openssh_2008_5161},
    {"CBC with an -etm MAC: nothing is decrypted before the MAC is right", cbc_etm_ends_at_once},
    {"OpenSSH CVE-2026-35414: a principal with a comma is not several", openssh_2026_35414},
    {"Vault CVE-2024-7594: a certificate for nobody is not one for everybody", vault_2024_7594},
    {"OpenSSH 10.3: a user's principal is no pattern", user_principals_are_no_patterns},
    {"Teleport CVE-2025-49825: a certificate signed by a certified key", teleport_2025_49825},
    {"russh CVE-2026-46702: a packet that inflates to a megabyte", russh_2026_46702},
};

int main(void)
{
    for (size_t i = 0; i < COUNT_OF(tests); i++) tap_ok(tests[i].run(), "%s", tests[i].name);
    return tap_end();
}
