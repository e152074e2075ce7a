/* SPDX-License-Identifier: ISC */
/* Two conns in one process: the whole street, without a wire between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "crypto/algs.h"
#include "pair.h"

#define BULK (24u << 20)

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
            pair_run(&p, 100000, SIZE_MAX);
            pair_check(&p, 100000);
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
            pair_run(&p, 1000, SIZE_MAX);
            pair_check(&p, 1000);
            assert_ptr_equal(conn_facts(p.client.c)->kex, kex_all[i]);
            pair_stop(&p);
        }
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
            end_crank(&p, &p.client);
            end_carry(&p.client, &p.server, SIZE_MAX);
            assert_int_equal(conn_next(p.server.c, p.now, &ev), ERR_NONE);
            end_carry(&p.server, &p.client, SIZE_MAX);
        }
        assert_int_equal(ev.type, EV_GEX_GROUP);
        assert_int_equal(ev.gex.min, 2048);
        assert_int_equal(ev.gex.want, cases[i].want);
        assert_int_equal(ev.gex.max, 8192);
        snprintf(sizes, sizeof sizes, "2048<%u<8192", cases[i].want);
        assert_true(end_traced(p.client.c, TRACE_GEX_REQUEST, &t));
        assert_string_equal(t.text, sizes);
        /* a prime's place is taken by a number of an odd size */
        static uint8_t prime[385], g[1] = {2};
        memset(prime, 0xa5, sizeof prime);
        prime[0] = 0x0f;
        struct answer a = {.type = ANSWER_YES, .group = {bytes_of(prime, sizeof prime), bytes_of(g, 1)}};
        assert_int_equal(conn_answer(p.server.c, ev.question, &a), ERR_NONE);
        end_carry(&p.server, &p.client, SIZE_MAX);
        end_crank(&p, &p.client);
        assert_true(end_traced(p.client.c, TRACE_DH_BITS, &t));
        assert_int_equal(t.b, 384 * 8 + 4);
        assert_in_range(t.a, 384 * 8 / 3, 384 * 8 * 2 / 3);
        pair_stop(&p);
    }
}

/* What the server's program never answers must not keep a connection whose peer is gone. */
static void a_vanished_peer_is_noticed_while_a_question_is_open(void **state)
{
    (void)state;
    struct pair p;
    struct event ev;
    pair_start(&p, &(struct conn_setup){0});
    (void)pair_stop_at(&p, &p.server, EV_AUTH_TRY);
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
    struct event ev = pair_stop_at(&p, &p.server, EV_CHANNEL_REQUEST), next;
    conn_disconnect(p.client.c, 11, BYTES_LIT("bye"));
    end_carry(&p.client, &p.server, SIZE_MAX);
    conn_input_commit(p.server.c, 0);
    bool asked = ev.question != 0;
    if (!asked) {       /* "env" wants no reply: the exec behind it does */
        assert_int_equal(conn_next(p.server.c, p.now, &ev), ERR_NONE);
        assert_int_equal(ev.type, EV_CHANNEL_REQUEST);
    }
    assert_true(ev.question);
    assert_int_equal(conn_next(p.server.c, p.now += PEER_GONE_GRACE_US / 2, &next), ERR_NONE);
    assert_int_equal(conn_next(p.server.c, p.now += PEER_GONE_GRACE_US / 2, &next), ERR_NONE);
    end_yes(&p.server, &ev);
    assert_true(conn_deadline(p.server.c) == UINT64_MAX);
    for (int i = 0; i < 10 && next.type != EV_DISCONNECTED; i++) {
        assert_int_equal(conn_next(p.server.c, p.now += 10, &next), ERR_NONE);
        if (next.type != EV_DISCONNECTED) end_yes(&p.server, &next);
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
    struct event ask = pair_stop_at(&p, &p.client, EV_HOSTKEY_CHECK);
    conn_input_commit(p.client.c, 0);
    assert_int_equal(conn_next(p.client.c, p.now += 100 * PEER_GONE_GRACE_US, &ev), ERR_NONE);
    assert_true(conn_deadline(p.client.c) == UINT64_MAX);
    end_yes(&p.client, &ask);
    assert_int_equal(end_crank(&p, &p.client), true);
    assert_int_equal(p.client.error, ERR_PEER_GONE);
    pair_stop(&p);
}

static void bulk_both_ways_survives_rekeys(void **state)
{
    (void)state;
    struct pair p;
    pair_start(&p, &(struct conn_setup){.rekey_bytes = 1 << 20});
    pair_run(&p, BULK, SIZE_MAX);
    pair_check(&p, BULK);
    assert_true(conn_facts(p.client.c)->rekeys > 10);
    assert_int_equal(p.client.sum, p.server.sum);
    pair_stop(&p);
}

static void single_bytes_are_enough(void **state)
{
    (void)state;
    struct pair p;
    pair_start(&p, &(struct conn_setup){0});
    pair_run(&p, 3000, 1);
    pair_check(&p, 3000);
    pair_stop(&p);
}

/* A client without input closes as soon as it saw EOF, which may be a moment before the program is reaped. */
static void the_exit_status_arrives_after_the_peers_close(void **state)
{
    (void)state;
    for (int hold = 0; hold < 2; hold++) {
        struct pair p;
        pair_start(&p, &(struct conn_setup){0});
        pair_settle(&p);
        assert_true(p.server.opened);
        if (hold) chan_close_hold(p.server.c, p.server.chan);
        chan_eof(p.server.c, p.server.chan);
        pair_settle(&p);
        assert_true(p.client.eof);
        chan_close(p.client.c, p.client.chan);
        pair_settle(&p);
        assert_int_equal(p.server.peer_closed, hold);
        assert_int_equal(p.client.closed, !hold);
        assert_int_equal(chan_room(p.server.c, p.server.chan), 0);
        chan_exit_status(p.server.c, p.server.chan, 7);
        pair_settle(&p);
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
    p.server.c = pair_conn(&p, ROLE_SERVER, &(struct conn_setup){.kex = server});
    pair_run(&p, 1000, SIZE_MAX);
    pair_check(&p, 1000);
    pair_stop(&p);
}

/* dbclient asks for its command without wanting a reply and sends its data at once: none may come out before the command runs. */
static void data_waits_for_a_command_that_wants_no_reply(void **state)
{
    (void)state;
    struct pair p;
    pair_start(&p, &(struct conn_setup){0});
    p.silent = true;
    pair_run(&p, 1000, SIZE_MAX);
    assert_true(p.held);
    assert_int_equal(p.client.sent, 1000);
    assert_int_equal(p.server.received, 0);
    assert_int_equal(conn_answer(p.server.c, p.held, &(struct answer){.type = ANSWER_YES}), ERR_NONE);
    p.server.opened = true;
    pair_run(&p, 1000, SIZE_MAX);
    assert_int_equal(p.server.received, 1000);
    assert_int_equal(p.client.replies, 0);
    assert_int_equal(p.client.exit_status, 7);
    pair_stop(&p);
}

/* RFC 9987's names of agent forwarding and OpenSSH's older ones mean the same; a channel keeps the name it was asked for by. */
static void agent_forwarding_has_two_names(void **state)
{
    static const struct { struct bytes request, open, travels; } names[] = {
        {{0}, {0}, BYTES_LIT("auth-agent@openssh.com")}, {BYTES_LIT("agent-req"), BYTES_LIT("agent-connect"), BYTES_LIT("agent-connect")}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct pair p;
        uint32_t chan;
        struct channel_open session = {.type = OPEN_SESSION}, agent = {.type = OPEN_AUTH_AGENT, .name = names[i].open};
        pair_start(&p, &(struct conn_setup){0});
        struct event ev = pair_stop_at(&p, &p.client, EV_AUTH_DONE);
        (void)ev;
        assert_int_equal(chan_open(p.client.c, &session, &chan), ERR_NONE);
        pair_stop_at(&p, &p.client, EV_CHANNEL_OPENED);
        struct channel_request q = {.type = REQ_AUTH_AGENT, .name = names[i].request};
        assert_int_equal(chan_request(p.client.c, chan, &q, 0), ERR_NONE);
        ev = pair_stop_at(&p, &p.server, EV_CHANNEL_REQUEST);
        assert_int_equal(ev.request.type, REQ_AUTH_AGENT);
        end_yes(&p.server, &ev);
        assert_int_equal(chan_open(p.server.c, &agent, &chan), ERR_NONE);
        ev = pair_stop_at(&p, &p.client, EV_CHANNEL_OPEN);
        assert_int_equal(ev.open.type, OPEN_AUTH_AGENT);
        assert_true(bytes_equal(ev.open.name, names[i].travels));
        pair_stop(&p);
    }
}

/* Once the user is known the server says anew what counts for that one; once only, and not to who did not ask for it. */
static void a_second_ext_info_counts(void **state)
{
    (void)state;
    for (int agent = 0; agent < 2; agent++) {
        struct pair p;
        pair_start(&p, &(struct conn_setup){.agent_untold = true});
        struct event ev = pair_stop_at(&p, &p.server, EV_AUTH_TRY);
        assert_true(conn_facts(p.server.c)->peer_ext_info_late);
        assert_true(bytes_is(conn_facts(p.client.c)->server_sig_algs, "ssh-ed25519,rsa-sha2-512"));
        assert_false(conn_facts(p.client.c)->peer_agent_forward);
        assert_int_equal(conn_ext_info(p.client.c, BYTES_LIT("x"), true), ERR_STATE);
        assert_int_equal(conn_ext_info(p.server.c, BYTES_LIT("rsa-sha2-256"), agent), ERR_NONE);
        assert_int_equal(conn_ext_info(p.server.c, BYTES_LIT("rsa-sha2-256"), agent), ERR_STATE);
        const struct answer pk_ok = {.type = ANSWER_PK_OK};
        assert_int_equal(conn_answer(p.server.c, ev.question, &pk_ok), ERR_NONE);
        pair_stop_at(&p, &p.client, EV_AUTH_DONE);
        assert_true(bytes_is(conn_facts(p.client.c)->server_sig_algs, "rsa-sha2-256"));
        assert_int_equal(conn_facts(p.client.c)->peer_agent_forward, agent);
        assert_int_equal(conn_ext_info(p.server.c, BYTES_LIT("x"), true), ERR_STATE);
        pair_stop(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logs_in_and_runs_a_command_with_each_cipher), cmocka_unit_test(logs_in_with_each_key_exchange),
        cmocka_unit_test(a_vanished_peer_is_noticed_while_a_question_is_open),
        cmocka_unit_test(what_a_vanished_peer_said_is_heard_after_the_answer), cmocka_unit_test(a_client_waits_for_its_person),
        cmocka_unit_test(the_group_asked_for_fits_cipher_and_mac), cmocka_unit_test(bulk_both_ways_survives_rekeys), cmocka_unit_test(single_bytes_are_enough),
        cmocka_unit_test(a_wrong_guess_is_skipped_once), cmocka_unit_test(data_waits_for_a_command_that_wants_no_reply),
        cmocka_unit_test(the_exit_status_arrives_after_the_peers_close), cmocka_unit_test(agent_forwarding_has_two_names),
        cmocka_unit_test(a_second_ext_info_counts),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
