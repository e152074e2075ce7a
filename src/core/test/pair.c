/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "pair.h"

#include "base/text.h"
#include "crypto/algs.h"
#include "crypto/sign.h"

struct conn *pair_conn(struct pair *p, enum role role, const struct conn_setup *how)
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

void pair_start(struct pair *p, const struct conn_setup *how)
{
    *p = (struct pair){.now = 1000};
    assert_int_equal(privkey_generate("ssh-ed25519", 0, &random_libcrypto, &p->hostkey), ERR_NONE);
    assert_int_equal(privkey_generate("ssh-ed25519", 0, &random_libcrypto, &p->userkey), ERR_NONE);
    p->client.c = pair_conn(p, ROLE_CLIENT, how), p->server.c = pair_conn(p, ROLE_SERVER, how);
    assert_non_null(p->client.c);
    assert_non_null(p->server.c);
}

void pair_stop(struct pair *p)
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

void end_yes(struct end *e, const struct event *ev)
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
    case EV_HOSTKEY_CHECK: end_yes(e, ev); break;
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
    case EV_CHANNEL_OPEN: e->chan = ev->chan; end_yes(e, ev); break;
    case EV_CHANNEL_REQUEST:
        if (p->silent && ev->request.type == REQ_EXEC) {
            assert_false(ev->request.want_reply);
            p->held = ev->question;
            break;
        }
        if (ev->request.type == REQ_EXEC) assert_true(bytes_is(ev->request.text, "cat")), e->opened = true;
        end_yes(e, ev);
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

bool end_crank(struct pair *p, struct end *e)
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

bool end_carry(struct end *from, struct end *to, size_t most)
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

void pair_run(struct pair *p, uint64_t total, size_t cut)
{
    bool ended = false;
    for (int idle = 0; idle < 3;) {
        bool moved = end_crank(p, &p->client);
        moved |= end_crank(p, &p->server);
        moved |= feed(&p->client, total);
        moved |= feed(&p->server, total);
        moved |= end_carry(&p->client, &p->server, cut);
        moved |= end_carry(&p->server, &p->client, cut);
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

void pair_check(struct pair *p, uint64_t total)
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

void pair_settle(struct pair *p)
{
    for (bool moved = true; moved;) {
        moved = end_crank(p, &p->client);
        moved |= end_crank(p, &p->server);
        moved |= end_carry(&p->client, &p->server, SIZE_MAX);
        moved |= end_carry(&p->server, &p->client, SIZE_MAX);
    }
}

struct event pair_stop_at(struct pair *p, struct end *e, enum event_type type)
{
    struct end *other = e == &p->client ? &p->server : &p->client;
    for (int i = 0; i < 100; i++) {
        struct event ev;
        end_crank(p, other);
        end_carry(other, e, SIZE_MAX);
        while ((e->error = conn_next(e->c, p->now += 10, &ev)) == ERR_NONE && ev.type != EV_NONE) {
            if (ev.type == type) return ev;
            if (e == &p->client) client_event(p, &ev);
            else server_event(p, &ev);
        }
        end_carry(e, other, SIZE_MAX);
    }
    fail_msg("the question was not asked");
    return (struct event){.type = EV_NONE};
}

bool end_traced(struct conn *c, enum trace_type type, struct trace *out)
{
    while (conn_trace(c, out))
        if (out->type == type) return true;
    return false;
}
