/* SPDX-License-Identifier: ISC */
/* Two conns in one process: the whole street, without a wire between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/text.h"
#include "core/conn.h"
#include "crypto/algs.h"
#include "crypto/sign.h"
#include "key/key.h"

#define BULK (24u << 20)

struct end {
    struct conn *c;
    struct wr got;              /* data received, hashed by sum */
    uint64_t received, sent, sum, expect_sum;
    uint32_t chan;
    bool opened, eof, closed, peer_closed, done_auth;
    uint32_t exit_status, kex_count, replies;
    enum err error;
};

struct pair {
    struct end client, server;
    struct privkey *hostkey, *userkey;
    struct conn_hostkey hk;
    uint64_t now;
    bool silent;                /* the client wants no reply to its exec, the server keeps the answer back: */
    uint32_t held;              /* its question */
};

static struct conn *make(struct pair *p, enum role role, const struct conn_setup *how)
{
    struct conn_setup s = *how;
    s.role = role;
    s.random = random_libcrypto;
    s.software = role == ROLE_CLIENT ? "OpenSSH_10.5 Client" : "OpenSSH_10.5 Server";
    if (!s.kex) s.kex = kex_all;
    if (!s.ciphers) s.ciphers = cipher_all;
    if (!s.macs) s.macs = mac_all;
    s.hostkey_algs = BYTES_LIT("ssh-ed25519");
    p->hk = (struct conn_hostkey){pubkey_blob(privkey_public(p->hostkey)), BYTES_LIT("ssh-ed25519")};
    s.hostkeys = &p->hk, s.hostkey_count = 1;
    s.sig_algs = BYTES_LIT("ssh-ed25519,rsa-sha2-512");
    s.trace = true;
    return conn_new(&s);
}

static void pair_start(struct pair *p, const struct conn_setup *how)
{
    *p = (struct pair){.now = 1000};
    assert_int_equal(privkey_generate("ssh-ed25519", 0, &random_libcrypto, &p->hostkey), ERR_NONE);
    assert_int_equal(privkey_generate("ssh-ed25519", 0, &random_libcrypto, &p->userkey), ERR_NONE);
    p->client.c = make(p, ROLE_CLIENT, how), p->server.c = make(p, ROLE_SERVER, how);
    assert_non_null(p->client.c);
    assert_non_null(p->server.c);
}

static void pair_stop(struct pair *p)
{
    conn_free(p->client.c), conn_free(p->server.c);
    privkey_free(p->hostkey), privkey_free(p->userkey);
}

static void sign(struct pair *p, struct end *e, const struct event *ev, struct privkey *key)
{
    (void)p;
    struct wr sig CLEANUP(wr_clear) = wr_heap(4096);
    assert_int_equal(privkey_sign(key, sig_alg_find(BYTES_LIT("ssh-ed25519")), ev->sign.msg, &sig), ERR_NONE);
    struct answer a = {.type = ANSWER_YES, .data = wr_bytes(&sig)};
    assert_int_equal(conn_answer(e->c, ev->question, &a), ERR_NONE);
}

static void yes(struct end *e, const struct event *ev)
{
    struct answer a = {.type = ANSWER_YES};
    if (ev->question) assert_int_equal(conn_answer(e->c, ev->question, &a), ERR_NONE);
}

static void client_event(struct pair *p, const struct event *ev)
{
    struct end *e = &p->client;
    struct bytes key = pubkey_blob(privkey_public(p->userkey));
    struct auth_attempt a = {.user = BYTES_LIT("bob"), .method = AUTH_PUBLICKEY, .alg = BYTES_LIT("ssh-ed25519"), .key = key};
    switch (ev->type) {
    case EV_HOSTKEY_CHECK: yes(e, ev); break;
    case EV_KEX_DONE:
        if (e->kex_count++ == 0) assert_int_equal(conn_auth_try(e->c, &a), ERR_NONE);
        break;
    case EV_PK_OK:
        a.sign = true;
        assert_int_equal(conn_auth_try(e->c, &a), ERR_NONE);
        break;
    case EV_SIGN: sign(p, e, ev, p->userkey); break;
    case EV_AUTH_DONE: {
        struct channel_open o = {.type = OPEN_SESSION};
        e->done_auth = true;
        assert_int_equal(chan_open(e->c, &o, &e->chan), ERR_NONE);
        assert_int_equal(conn_global(e->c, &(struct global_request){.type = GLOBAL_NO_MORE_SESSIONS}, 0), ERR_NONE);
        break;
    }
    case EV_CHANNEL_OPENED: {
        struct channel_request env = {.type = REQ_ENV, .text = BYTES_LIT("LANG"), .value = BYTES_LIT("C")};
        struct channel_request exec = {.type = REQ_EXEC, .want_reply = !p->silent, .text = BYTES_LIT("cat")};
        e->opened = true;
        assert_int_equal(chan_request(e->c, ev->chan, &env, 0), ERR_NONE);
        assert_int_equal(chan_request(e->c, ev->chan, &exec, 77), ERR_NONE);
        break;
    }
    case EV_REQUEST_DONE: assert_true(ev->done.ok); assert_int_equal(ev->done.tag, 77); e->replies++; break;
    case EV_CHANNEL_REQUEST: if (ev->request.type == REQ_EXIT_STATUS) e->exit_status = ev->request.number; break;
    default: break;
    }
}

static void server_event(struct pair *p, const struct event *ev)
{
    struct end *e = &p->server;
    struct answer a = {.type = ANSWER_YES};
    switch (ev->type) {
    case EV_SIGN: sign(p, e, ev, p->hostkey); break;
    case EV_KEX_DONE: e->kex_count++; break;
    case EV_AUTH_TRY:
        if (ev->auth.has_sig) {
            struct pubkey *k CLEANUP(pubkey_drop) = NULL;
            assert_int_equal(pubkey_parse(ev->auth.key, &k), ERR_NONE);
            assert_true(ev->auth.hostbound);
            assert_int_equal(pubkey_verify(k, sig_alg_find(ev->auth.alg), ev->auth.signed_text, ev->auth.sig), VERDICT_GOOD);
        } else {
            a.type = ANSWER_PK_OK;
        }
        assert_int_equal(conn_answer(e->c, ev->question, &a), ERR_NONE);
        break;
    case EV_CHANNEL_OPEN: e->chan = ev->chan; yes(e, ev); break;
    case EV_CHANNEL_REQUEST:
        if (p->silent && ev->request.type == REQ_EXEC) {
            assert_false(ev->request.want_reply);
            p->held = ev->question;
            break;
        }
        if (ev->request.type == REQ_EXEC) assert_true(bytes_is(ev->request.text, "cat")), e->opened = true;
        yes(e, ev);
        break;
    default: break;
    }
}

static void common_event(struct end *e, const struct event *ev)
{
    if (ev->type == EV_CHANNEL_DATA) {
        for (size_t i = 0; i < ev->data.bytes.n; i += 509) e->sum = e->sum * 31 + ev->data.bytes.p[i];
        e->received += ev->data.bytes.n;
        chan_consumed(e->c, ev->chan, ev->data.bytes.n);
    }
    if (ev->type == EV_CHANNEL_EOF) e->eof = true;
    if (ev->type == EV_CHANNEL_CLOSED) e->closed = true;
    if (ev->type == EV_CHANNEL_PEER_CLOSED) e->peer_closed = true;
}

static bool crank(struct pair *p, struct end *e)
{
    bool moved = false;
    for (;;) {
        struct event ev;
        e->error = conn_next(e->c, p->now += 10, &ev);
        if (e->error != ERR_NONE || ev.type == EV_NONE) return moved;
        moved = true;
        common_event(e, &ev);
        if (e == &p->client) client_event(p, &ev);
        else server_event(p, &ev);
    }
}

static bool carry(struct end *from, struct end *to, size_t most)
{
    struct bytes b = conn_output_peek(from->c);
    struct span s = conn_input_reserve(to->c);
    size_t n = b.n < s.n ? b.n : s.n;
    n = n < most ? n : most;
    if (n == 0) return false;
    memcpy(s.p, b.p, n);
    conn_input_commit(to->c, n);
    conn_output_consume(from->c, n);
    return true;
}

/* Send pattern bytes while there is room and more to send. */
static bool feed(struct end *e, uint64_t total)
{
    struct span v[8];
    if (!e->opened || e->sent >= total) return false;
    size_t n = chan_reserve_v(e->c, e->chan, STREAM_DATA, 0, v, 8), put = 0;
    for (size_t i = 0; i < n && e->sent + put < total; i++) {
        size_t k = v[i].n < total - e->sent - put ? v[i].n : (size_t)(total - e->sent - put);
        for (size_t j = 0; j < k; j++) v[i].p[j] = (uint8_t)((e->sent + put + j) * 7 >> 3);
        put += k;
    }
    if (put) chan_commit(e->c, e->chan, STREAM_DATA, put);
    e->sent += put;
    return put > 0;
}

static void run(struct pair *p, uint64_t total, size_t cut)
{
    bool ended = false;
    for (int idle = 0; idle < 3;) {
        bool moved = crank(p, &p->client);
        moved |= crank(p, &p->server);
        moved |= feed(&p->client, total);
        moved |= feed(&p->server, total);
        moved |= carry(&p->client, &p->server, cut);
        moved |= carry(&p->server, &p->client, cut);
        if (!ended && p->server.opened && p->server.sent == total && p->server.received == total) {
            chan_exit_status(p->server.c, p->server.chan, 7), chan_eof(p->server.c, p->server.chan), chan_close(p->server.c, p->server.chan);
            ended = true, moved = true;
        }
        idle = moved ? 0 : idle + 1;
        if (p->client.error || p->server.error) break;
    }
}

/* What both ends did, when it went wrong: a failing case should say where it stopped. */
static void show(const char *who, struct end *e)
{
    struct trace t;
    const struct conn_facts *f = conn_facts(e->c);
    print_message("# %s: error %s in %s, wants %u\n", who, err_name(f->failure), f->failure_where ? f->failure_where : "-", conn_wants(e->c));
    while (conn_trace(e->c, &t)) print_message("#   %d %u %s %u %s\n", t.type, t.a, t.type <= TRACE_RECEIVED ? message_name((uint8_t)t.a) : "", t.b, t.text);
}

static void check(struct pair *p, uint64_t total)
{
    if (!p->client.closed) show("client", &p->client), show("server", &p->server);
    assert_int_equal(p->client.error, ERR_NONE);
    assert_int_equal(p->server.error, ERR_NONE);
    assert_true(p->client.done_auth && p->client.closed && p->server.closed && p->client.eof);
    assert_int_equal(p->client.exit_status, 7);
    assert_int_equal(p->client.replies, 1);
    assert_int_equal(p->client.received, total);
    assert_int_equal(p->server.received, total);
    assert_true(conn_facts(p->client.c)->strict_kex && conn_facts(p->server.c)->strict_kex);
    assert_true(bytes_is(conn_facts(p->client.c)->server_sig_algs, "ssh-ed25519,rsa-sha2-512"));
    assert_int_equal(conn_facts(p->server.c)->channels, 0);
}

static void logs_in_and_runs_a_command_with_each_cipher(void **state)
{
    (void)state;
    for (size_t i = 0; cipher_all[i]; i++)
        for (size_t j = 0; mac_all[j]; j++) {
            const struct cipher_alg *ciphers[] = {cipher_all[i], NULL};
            const struct mac_alg *macs[] = {mac_all[j], NULL};
            if (cipher_all[i]->cls != CIPHER_STREAM && j) break;
            struct pair p;
            pair_start(&p, &(struct conn_setup){.ciphers = ciphers, .macs = macs});
            run(&p, 100000, SIZE_MAX);
            check(&p, 100000);
            pair_stop(&p);
        }
}

static void logs_in_with_each_key_exchange(void **state)
{
    (void)state;
    for (size_t i = 0; kex_all[i]; i++)
        for (int guess = 0; guess < 2; guess++) {
            const struct kex_alg *kex[] = {kex_all[i], NULL};
            if (kex_all[i]->shape == KEX_SHAPE_GEX) continue;
            struct pair p;
            pair_start(&p, &(struct conn_setup){.kex = kex, .guess_kex = guess});
            run(&p, 1000, SIZE_MAX);
            check(&p, 1000);
            assert_ptr_equal(conn_facts(p.client.c)->kex, kex_all[i]);
            pair_stop(&p);
        }
}

static bool traced(struct conn *c, enum trace_type type, struct trace *out)
{
    while (conn_trace(c, out))
        if (out->type == type) return true;
    return false;
}

/* OpenSSH's table: up to 112, 128, 192 bits of strength, and what is above; a long MAC key counts like a long cipher key. */
static void the_group_asked_for_fits_cipher_and_mac(void **state)
{
    (void)state;
    static const struct { const struct cipher_alg *cipher; const struct mac_alg *mac; uint32_t want; } cases[] = {
        {&cipher_3des_cbc, &mac_umac_64_etm, 3072}, {&cipher_3des_cbc, &mac_hmac_sha1, 7680}, {&cipher_aes128_cbc, &mac_umac_64_etm, 3072},
        {&cipher_aes128_ctr, &mac_umac_128, 3072}, {&cipher_aes128_ctr, &mac_hmac_sha1, 7680}, {&cipher_aes128_ctr, &mac_hmac_sha2_256, 8192},
        {&cipher_aes128_gcm, &mac_hmac_sha2_512, 3072}, {&cipher_aes192_ctr, &mac_umac_64, 7680}, {&cipher_aes256_gcm, &mac_umac_64, 8192},
        {&cipher_chacha20_poly1305, &mac_umac_64, 8192}};
    static const struct kex_alg *const kex[] = {&kex_dh_gex_sha256, NULL};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct cipher_alg *ciphers[] = {cases[i].cipher, NULL};
        const struct mac_alg *macs[] = {cases[i].mac, NULL};
        struct pair p;
        struct event ev = {.type = EV_NONE};
        struct trace t = {0};
        char sizes[64];
        pair_start(&p, &(struct conn_setup){.kex = kex, .ciphers = ciphers, .macs = macs});
        for (int k = 0; k < 8 && ev.type == EV_NONE; k++) {
            crank(&p, &p.client);
            carry(&p.client, &p.server, SIZE_MAX);
            assert_int_equal(conn_next(p.server.c, p.now, &ev), ERR_NONE);
            carry(&p.server, &p.client, SIZE_MAX);
        }
        assert_int_equal(ev.type, EV_GEX_GROUP);
        assert_int_equal(ev.gex.min, 2048);
        assert_int_equal(ev.gex.want, cases[i].want);
        assert_int_equal(ev.gex.max, 8192);
        snprintf(sizes, sizeof sizes, "2048<%u<8192", cases[i].want);
        assert_true(traced(p.client.c, TRACE_GEX_REQUEST, &t));
        assert_string_equal(t.text, sizes);
        /* a prime's place is taken by a number of an odd size */
        static uint8_t prime[385], g[1] = {2};
        memset(prime, 0xa5, sizeof prime);
        prime[0] = 0x0f;
        struct answer a = {.type = ANSWER_YES, .group = {bytes_of(prime, sizeof prime), bytes_of(g, 1)}};
        assert_int_equal(conn_answer(p.server.c, ev.question, &a), ERR_NONE);
        carry(&p.server, &p.client, SIZE_MAX);
        crank(&p, &p.client);
        assert_true(traced(p.client.c, TRACE_DH_BITS, &t));
        assert_int_equal(t.b, 384 * 8 + 4);
        assert_in_range(t.a, 384 * 8 / 3, 384 * 8 * 2 / 3);
        pair_stop(&p);
    }
}

/* Up to where one side asks `type`; its question stays open. */
static struct event stop_at(struct pair *p, struct end *e, enum event_type type)
{
    struct end *other = e == &p->client ? &p->server : &p->client;
    for (int i = 0; i < 100; i++) {
        struct event ev;
        crank(p, other);
        carry(other, e, SIZE_MAX);
        while ((e->error = conn_next(e->c, p->now += 10, &ev)) == ERR_NONE && ev.type != EV_NONE) {
            if (ev.type == type) return ev;
            if (e == &p->client) client_event(p, &ev);
            else server_event(p, &ev);
        }
        carry(e, other, SIZE_MAX);
    }
    fail_msg("the question was not asked");
    return (struct event){.type = EV_NONE};
}

/* What the server's program never answers must not keep a connection whose peer is gone. */
static void a_vanished_peer_is_noticed_while_a_question_is_open(void **state)
{
    (void)state;
    struct pair p;
    struct event ev;
    pair_start(&p, &(struct conn_setup){0});
    (void)stop_at(&p, &p.server, EV_AUTH_TRY);
    assert_true(conn_deadline(p.server.c) == UINT64_MAX);
    conn_input_commit(p.server.c, 0);
    uint64_t end = p.now + PEER_GONE_GRACE_US;
    assert_int_equal(conn_next(p.server.c, p.now, &ev), ERR_NONE);
    assert_int_equal(ev.type, EV_NONE);
    assert_true(conn_deadline(p.server.c) == end);
    assert_int_equal(conn_next(p.server.c, end - 1, &ev), ERR_NONE);
    assert_int_equal(conn_next(p.server.c, end, &ev), ERR_PEER_GONE);
    assert_true(conn_facts(p.server.c)->failure_by_peer);
    pair_stop(&p);
}

/* The answer may come late: what the peer said before it left is heard, and only then it is gone. */
static void what_a_vanished_peer_said_is_heard_after_the_answer(void **state)
{
    (void)state;
    struct pair p;
    pair_start(&p, &(struct conn_setup){0});
    struct event ev = stop_at(&p, &p.server, EV_CHANNEL_REQUEST), next;
    conn_disconnect(p.client.c, 11, BYTES_LIT("bye"));
    carry(&p.client, &p.server, SIZE_MAX);
    conn_input_commit(p.server.c, 0);
    bool asked = ev.question != 0;
    if (!asked) {       /* "env" wants no reply: the exec behind it does */
        assert_int_equal(conn_next(p.server.c, p.now, &ev), ERR_NONE);
        assert_int_equal(ev.type, EV_CHANNEL_REQUEST);
    }
    assert_true(ev.question);
    assert_int_equal(conn_next(p.server.c, p.now += PEER_GONE_GRACE_US / 2, &next), ERR_NONE);
    assert_int_equal(conn_next(p.server.c, p.now += PEER_GONE_GRACE_US / 2, &next), ERR_NONE);
    yes(&p.server, &ev);
    assert_true(conn_deadline(p.server.c) == UINT64_MAX);
    for (int i = 0; i < 10 && next.type != EV_DISCONNECTED; i++) {
        assert_int_equal(conn_next(p.server.c, p.now += 10, &next), ERR_NONE);
        if (next.type != EV_DISCONNECTED) yes(&p.server, &next);
    }
    assert_int_equal(next.type, EV_DISCONNECTED);
    pair_stop(&p);
}

/* A client's questions are for a person, who may take a while; what he finds then is told him then. */
static void a_client_waits_for_its_person(void **state)
{
    (void)state;
    struct pair p;
    struct event ev;
    pair_start(&p, &(struct conn_setup){0});
    struct event ask = stop_at(&p, &p.client, EV_HOSTKEY_CHECK);
    conn_input_commit(p.client.c, 0);
    assert_int_equal(conn_next(p.client.c, p.now += 100 * PEER_GONE_GRACE_US, &ev), ERR_NONE);
    assert_true(conn_deadline(p.client.c) == UINT64_MAX);
    yes(&p.client, &ask);
    assert_int_equal(crank(&p, &p.client), true);
    assert_int_equal(p.client.error, ERR_PEER_GONE);
    pair_stop(&p);
}

static void bulk_both_ways_survives_rekeys(void **state)
{
    (void)state;
    struct pair p;
    pair_start(&p, &(struct conn_setup){.rekey_bytes = 1 << 20});
    run(&p, BULK, SIZE_MAX);
    check(&p, BULK);
    assert_true(conn_facts(p.client.c)->rekeys > 10);
    assert_int_equal(p.client.sum, p.server.sum);
    pair_stop(&p);
}

static void single_bytes_are_enough(void **state)
{
    (void)state;
    struct pair p;
    pair_start(&p, &(struct conn_setup){0});
    run(&p, 3000, 1);
    check(&p, 3000);
    pair_stop(&p);
}

/* Turn both ends until they stand still. */
static void settle(struct pair *p)
{
    for (bool moved = true; moved;) {
        moved = crank(p, &p->client);
        moved |= crank(p, &p->server);
        moved |= carry(&p->client, &p->server, SIZE_MAX);
        moved |= carry(&p->server, &p->client, SIZE_MAX);
    }
}

/* A client without input closes as soon as it saw EOF, which may be a moment before the program is reaped. */
static void the_exit_status_arrives_after_the_peers_close(void **state)
{
    (void)state;
    for (int hold = 0; hold < 2; hold++) {
        struct pair p;
        pair_start(&p, &(struct conn_setup){0});
        settle(&p);
        assert_true(p.server.opened);
        if (hold) chan_close_hold(p.server.c, p.server.chan);
        chan_eof(p.server.c, p.server.chan);
        settle(&p);
        assert_true(p.client.eof);
        chan_close(p.client.c, p.client.chan);
        settle(&p);
        assert_int_equal(p.server.peer_closed, hold);
        assert_int_equal(p.client.closed, !hold);
        assert_int_equal(chan_room(p.server.c, p.server.chan), 0);
        chan_exit_status(p.server.c, p.server.chan, 7);
        settle(&p);
        assert_int_equal(p.client.exit_status, hold ? 7 : 0);
        assert_true(p.client.closed && p.server.closed);
        assert_int_equal(p.client.error, ERR_NONE);
        assert_int_equal(p.server.error, ERR_NONE);
        pair_stop(&p);
    }
}

static void a_wrong_guess_is_skipped_once(void **state)
{
    (void)state;
    static const struct kex_alg *const client[] = {&kex_mlkem768x25519_sha256, &kex_curve25519_sha256, NULL};
    static const struct kex_alg *const server[] = {&kex_curve25519_sha256, NULL};
    struct pair p;
    pair_start(&p, &(struct conn_setup){.kex = client, .guess_kex = true});
    conn_free(p.server.c);
    p.server.c = make(&p, ROLE_SERVER, &(struct conn_setup){.kex = server});
    run(&p, 1000, SIZE_MAX);
    check(&p, 1000);
    pair_stop(&p);
}

/* dbclient asks for its command without wanting a reply and sends its data at once: none may come out before the command runs. */
static void data_waits_for_a_command_that_wants_no_reply(void **state)
{
    (void)state;
    struct pair p;
    pair_start(&p, &(struct conn_setup){0});
    p.silent = true;
    run(&p, 1000, SIZE_MAX);
    assert_true(p.held);
    assert_int_equal(p.client.sent, 1000);
    assert_int_equal(p.server.received, 0);
    assert_int_equal(conn_answer(p.server.c, p.held, &(struct answer){.type = ANSWER_YES}), ERR_NONE);
    p.server.opened = true;
    run(&p, 1000, SIZE_MAX);
    assert_int_equal(p.server.received, 1000);
    assert_int_equal(p.client.replies, 0);
    assert_int_equal(p.client.exit_status, 7);
    pair_stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logs_in_and_runs_a_command_with_each_cipher), cmocka_unit_test(logs_in_with_each_key_exchange),
        cmocka_unit_test(a_vanished_peer_is_noticed_while_a_question_is_open),
        cmocka_unit_test(what_a_vanished_peer_said_is_heard_after_the_answer), cmocka_unit_test(a_client_waits_for_its_person),
        cmocka_unit_test(the_group_asked_for_fits_cipher_and_mac), cmocka_unit_test(bulk_both_ways_survives_rekeys), cmocka_unit_test(single_bytes_are_enough),
        cmocka_unit_test(a_wrong_guess_is_skipped_once), cmocka_unit_test(data_waits_for_a_command_that_wants_no_reply),
        cmocka_unit_test(the_exit_status_arrives_after_the_peers_close),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
