/* SPDX-License-Identifier: ISC */
/* The agent against any requests over several connections, with true bindings in between that no bytes could forge; and a client against
 * any answers. A key restricted to one host, whose secret is in no input, tells when a path was gone that must not be. */
#include <stdlib.h>

#include "agent/server.h"
#include "crypto/sign.h"
#include "targets.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)
#define CONNS   3
#define HOSTS   2
#define SECOND  1000000ull

enum { OP_RAW, OP_BIND, OP_LOGIN, OP_ANSWER, OP_TIME, OP_AGAIN, OPS };

static struct privkey *restricted, *hosts[HOSTS];

struct walk {
    struct agent *a;
    struct agent_conn *c[CONNS];
    bool bound[CONNS];              /* to something true */
    bool asking[CONNS];
    struct wr reply[CONNS];
    uint64_t now;
};

static void keys_make(void)
{
    if (restricted) return;
    MUST(privkey_generate("ssh-ed25519", 0, &random_libcrypto, &restricted) == ERR_NONE);
    for (size_t i = 0; i < HOSTS; i++) MUST(privkey_generate("ssh-ed25519", 0, &random_libcrypto, &hosts[i]) == ERR_NONE);
}

static struct bytes blob_of(const struct privkey *k)
{
    return pubkey_blob(privkey_public(k));
}

/* Whole, of a type that an agent sends, and nothing signed by who may not. */
static void reply_check(struct walk *w, size_t i, bool sign_of_restricted)
{
    struct wr *r = &w->reply[i];
    MUST(r->err != ERR_NONE || (r->n >= 5 && get_u32(r->p) == r->n - 4));
    if (r->err == ERR_NONE) {
        uint8_t type = r->p[4];
        MUST(type == 5 || type == 6 || type == 12 || type == 14 || type == 28 || type == 29);
        MUST(!(type == 14 && sign_of_restricted && !w->bound[i]));
    }
    MUST(!agent_question(w->c[i]));
    wr_clear(r);
}

static void send(struct walk *w, size_t i, struct bytes message)
{
    struct rd r = rd_init(message);
    bool restricted_signs = rd_u8(&r) == 13 && bytes_equal(rd_string(&r), blob_of(restricted));
    if (w->asking[i]) return;
    w->reply[i] = wr_heap(1 << 20);
    w->asking[i] = agent_take(w->a, w->c[i], message, w->now, &w->reply[i]) == AGENT_ASKS;
    if (w->asking[i]) MUST(agent_question(w->c[i]));
    else reply_check(w, i, restricted_signs);
}

static void send_framed(struct walk *w, size_t i, struct wr *message)
{
    if (wr_done(message) == ERR_NONE) send(w, i, bytes_of(message->p + 4, message->n - 4));
    wr_clear(message);
}

static void bind_truly(struct walk *w, size_t i, struct rd *in)
{
    struct wr m = wr_heap(4096), sig CLEANUP(wr_clear) = wr_heap(4096);
    const struct privkey *host = hosts[rd_u8(in) % HOSTS];
    bool forwarding = rd_bool(in);
    struct bytes id = rd_raw(in, 4);
    if (in->err != ERR_NONE) return;
    MUST(privkey_sign(host, sig_alg_find(BYTES_LIT("ssh-ed25519")), id, &sig) == ERR_NONE);
    agent_bind_write(&m, blob_of(host), id, wr_bytes(&sig), forwarding);
    w->bound[i] = true;
    send_framed(w, i, &m);
}

static void login(struct walk *w, size_t i, struct rd *in)
{
    struct wr m = wr_heap(4096), text CLEANUP(wr_clear) = wr_heap(4096);
    uint8_t how = rd_u8(in);
    wr_string(&text, rd_raw(in, 4));
    wr_u8(&text, 50);
    wr_cstring(&text, how & 1 ? "root" : "bob");
    wr_cstring(&text, "ssh-connection");
    wr_cstring(&text, how & 2 ? "publickey-hostbound-v00@openssh.com" : "publickey");
    wr_bool(&text, true);
    wr_cstring(&text, "ssh-ed25519");
    wr_string(&text, blob_of(restricted));
    if (how & 2) wr_string(&text, blob_of(hosts[how >> 2 & 1]));
    agent_sign_write(&m, blob_of(restricted), wr_bytes(&text), 0);
    if (in->err == ERR_NONE) send_framed(w, i, &m);
    else wr_clear(&m);
}

static void answer(struct walk *w, size_t i, struct rd *in)
{
    bool yes = rd_bool(in);
    struct bytes said = rd_raw(in, rd_u8(in));
    if (!w->asking[i] || in->err != ERR_NONE) return;
    const struct agent_question *q = agent_question(w->c[i]);
    MUST(q && q->hops_n <= AGENT_BINDINGS_MAX);
    if (q->kind == AGENT_WAIT && q->until_us > w->now) w->now = q->until_us;
    w->asking[i] = agent_answer(w->a, w->c[i], yes, said, w->now, &w->reply[i]) == AGENT_ASKS;
    if (!w->asking[i]) reply_check(w, i, false);
}

static void again(struct walk *w, size_t i)
{
    agent_conn_free(w->c[i]);
    MUST((w->c[i] = agent_conn_new()));
    wr_clear(&w->reply[i]);
    w->bound[i] = w->asking[i] = false;
}

static void begin(struct walk *w)
{
    static const struct agent_setup setup = {.random = &random_libcrypto, .restrict_websafe = true, .provider_allow = "/usr/lib/*"};
    const struct agent_hop_key key = {blob_of(hosts[0]), false};
    const struct agent_destination dest = {.to = {.host = BYTES_LIT("host"), .keys = &key, .keys_n = 1}};
    struct wr m = wr_heap(8192);
    *w = (struct walk){.a = agent_new(&setup), .now = SECOND};
    MUST(w->a);
    for (size_t i = 0; i < CONNS; i++) MUST((w->c[i] = agent_conn_new()));
    agent_add_write(&m, NULL, restricted, BYTES_LIT("c"), &(struct agent_limits){.destinations = &dest, .destinations_n = 1});
    send_framed(w, 0, &m);
    MUST(agent_key_count(w->a) == 1);
}

void fuzz_agent_server(struct bytes input)
{
    struct walk w;
    struct rd in = rd_init(input);
    keys_make();
    begin(&w);
    while (in.n > 0 && in.err == ERR_NONE) {
        uint8_t what = rd_u8(&in);
        size_t i = what / OPS % CONNS;
        switch (what % OPS) {
        case OP_RAW: send(&w, i, rd_string(&in)); break;
        case OP_BIND: bind_truly(&w, i, &in); break;
        case OP_LOGIN: login(&w, i, &in); break;
        case OP_ANSWER: answer(&w, i, &in); break;
        case OP_TIME: w.now += rd_u8(&in) * SECOND; break;
        default: again(&w, i); break;
        }
        MUST(agent_key_count(w.a) <= AGENT_KEYS_MAX && agent_deadline(w.a) > 0);
    }
    for (size_t i = 0; i < CONNS; i++) {
        agent_conn_free(w.c[i]);
        wr_clear(&w.reply[i]);
    }
    agent_free(w.a);
}

void fuzz_agent_client(struct bytes in)
{
    struct agent_facts f;
    struct agent_key k;
    struct bytes sig;
    struct rd r;
    uint32_t n;
    if (agent_list_begin(in, &r, &n) == ERR_NONE)
        for (; n > 0 && agent_list_next(&r, &k) == ERR_NONE; n--) MUST(k.blob.n + k.comment.n <= in.n);
    if (agent_sign_parse(in, &sig) == ERR_NONE) MUST(sig.n + 5 == in.n);
    if (agent_facts_begin(in, &r) == ERR_NONE)
        while (r.n > 0 && agent_facts_next(&r, &f) == ERR_NONE) MUST(f.blob.n + f.used_for.n + f.destinations.n <= in.n);
    if (agent_query_begin(in, &r) == ERR_NONE)
        while (r.n > 0 && r.err == ERR_NONE) rd_string(&r);
    MUST(agent_success_parse(in) != ERR_NONE || in.n == 1);
}

/* ---- seeds ---- */

static void op(struct wr *w, unsigned what, unsigned conn)
{
    wr_u8(w, (uint8_t)(conn * OPS + what));
}

static void raw(struct wr *w, unsigned conn, struct wr *message)
{
    op(w, OP_RAW, conn);
    if (message->n >= 4) wr_string(w, bytes_of(message->p + 4, message->n - 4));
    wr_clear(message);
}

static void seed_add(struct wr *w, const char *type, const struct agent_limits *limits)
{
    struct privkey *k = NULL;
    struct wr m = wr_heap(1 << 16);
    MUST(privkey_generate(type, 2048, &random_libcrypto, &k) == ERR_NONE);
    agent_add_write(&m, NULL, k, BYTES_LIT("comment"), limits);
    raw(w, 0, &m);
    m = wr_heap(1 << 16);
    agent_sign_write(&m, blob_of(k), BYTES_LIT("SSHSIG"), AGENT_RSA_SHA2_512);
    raw(w, 1, &m);
    op(w, OP_ANSWER, 1), wr_u8(w, 1), wr_u8(w, 0);
    m = wr_heap(1 << 16);
    agent_remove_write(&m, blob_of(k));
    raw(w, 0, &m);
    privkey_free(k);
}

static void seed_path(struct wr *w)
{
    op(w, OP_BIND, 0), wr_u8(w, 0), wr_u8(w, 1), wr_text(w, "1234");
    op(w, OP_BIND, 0), wr_u8(w, 0), wr_u8(w, 0), wr_text(w, "5678");
    op(w, OP_LOGIN, 0), wr_u8(w, 3), wr_text(w, "5678");
    op(w, OP_AGAIN, 0);
    op(w, OP_BIND, 0), wr_u8(w, 0), wr_u8(w, 0), wr_text(w, "1234");
    op(w, OP_LOGIN, 0), wr_u8(w, 1), wr_text(w, "1234");
}

static void seed_lock(struct wr *w)
{
    struct wr m = wr_heap(100);
    for (int round = 0; round < 3; round++) {
        agent_lock_write(&m, round == 0, round == 1 ? BYTES_LIT("no") : BYTES_LIT("pw"));
        raw(w, 0, &m);
        m = wr_heap(100);
    }
    op(w, OP_ANSWER, 0), wr_u8(w, 1), wr_u8(w, 0);
    wr_clear(&m);
}

static void seed_token(struct wr *w)
{
    struct wr m = wr_heap(10000);
    agent_token_add_write(&m, BYTES_LIT("p11.so"), BYTES_LIT("1234"), &(struct agent_limits){.lifetime_s = 9}, BYTES_LIT("\0\0\0\1x"), true);
    raw(w, 0, &m);
    op(w, OP_ANSWER, 0), wr_u8(w, 1), wr_u8(w, 15), wr_text(w, "/usr/lib/p11.so");
    op(w, OP_ANSWER, 0), wr_u8(w, 1), wr_u8(w, 10), wr_raw(w, BYTES_LIT("\0\0\0\1k\0\0\0\1c"));
    m = wr_heap(10000);
    agent_token_remove_write(&m, BYTES_LIT("p11.so"), BYTES_LIT(""));
    raw(w, 0, &m);
    op(w, OP_ANSWER, 0), wr_u8(w, 1), wr_u8(w, 15), wr_text(w, "/usr/lib/p11.so");
}

bool seed_agent_server(unsigned i, struct wr *out)
{
    keys_make();
    const struct agent_hop_key key = {blob_of(hosts[0]), false};
    const struct agent_destination dest = {.to = {.user = BYTES_LIT("r*"), .host = BYTES_LIT("host"), .keys = &key, .keys_n = 1}};
    const struct agent_limits limits[] = {{0}, {.lifetime_s = 60, .confirm = true}, {.destinations = &dest, .destinations_n = 1},
                                          {.sk_provider = "/usr/lib/sk.so"}};
    static const char *const types[] = {"ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa", "ssh-ed25519"};
    struct wr m = wr_heap(1000);
    switch (i) {
    case 0: case 1: case 2: case 3: seed_add(out, types[i], &limits[i]); break;
    case 4: seed_path(out); break;
    case 5: seed_lock(out); break;
    case 6: seed_token(out); break;
    case 7: agent_query_write(&m); raw(out, 0, &m); break;
    case 8: agent_facts_write(&m); raw(out, 1, &m); break;
    case 9: agent_list_write(&m); raw(out, 2, &m); break;
    case 10: agent_remove_all_write(&m); raw(out, 0, &m); break;
    default: wr_clear(&m); return false;
    }
    wr_clear(&m);
    return true;
}

bool seed_agent_client(unsigned i, struct wr *out)
{
    static const struct bytes answers[] = {
        BYTES_LIT("\x05"), BYTES_LIT("\x06"), BYTES_LIT("\x1c"), BYTES_LIT("\x0c\0\0\0\1\0\0\0\1k\0\0\0\1c"), BYTES_LIT("\x0e\0\0\0\3sig"),
        BYTES_LIT("\x1d\0\0\0\5query\0\0\0\1x"),
        BYTES_LIT("\x1d\0\0\0\x0fkey-facts@nacre\0\0\0\x25\0\0\0\1k\0\0\0\1c\0\0\0\1\1\0\0\0\2\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0\0"),
    };
    if (i >= COUNT_OF(answers)) return false;
    wr_raw(out, answers[i]);
    return true;
}
