/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/server.h"
#include "crypto/sign.h"

#define SECOND 1000000ull

static const struct agent_setup plain_setup = {.random = &random_libcrypto, .restrict_websafe = true, .provider_allow = "/usr/lib/*"};
static struct privkey *mine, *other, *host_a, *host_b;

/* ---- the other end ---- */

static struct bytes blob_of(const struct privkey *k)
{
    return pubkey_blob(privkey_public(k));
}

static void key_make(const char *type, size_t bits, struct privkey **out)
{
    assert_int_equal(privkey_generate(type, bits, &random_libcrypto, out), ERR_NONE);
}

static int keys_make(void **state)
{
    (void)state;
    key_make("ssh-ed25519", 0, &mine);
    key_make("ecdsa-sha2-nistp256", 0, &other);
    key_make("ssh-ed25519", 0, &host_a);
    key_make("ssh-rsa", 2048, &host_b);
    return 0;
}

static int keys_free(void **state)
{
    (void)state;
    privkey_free(mine), privkey_free(other), privkey_free(host_a), privkey_free(host_b);
    return 0;
}

/* The first byte of the answer; the request is consumed. */
static int send_at(struct agent *a, struct agent_conn *c, struct wr *request, uint64_t now, struct wr *reply)
{
    wr_clear(reply);
    *reply = wr_heap(1 << 20);
    assert_int_equal(wr_done(request), ERR_NONE);
    enum agent_step step = agent_take(a, c, bytes_of(request->p + 4, request->n - 4), now, reply);
    wr_clear(request);
    if (step == AGENT_ASKS) return -1;
    assert_int_equal(wr_done(reply), ERR_NONE);
    assert_int_equal(get_u32(reply->p), reply->n - 4);
    return reply->p[4];
}

static int send_now(struct agent *a, struct agent_conn *c, struct wr *request)
{
    struct wr reply CLEANUP(wr_clear) = {0};
    return send_at(a, c, request, SECOND, &reply);
}

static int add(struct agent *a, struct agent_conn *c, const struct privkey *k, const struct agent_limits *limits)
{
    struct wr w = wr_heap(1 << 20);
    agent_add_write(&w, NULL, k, BYTES_LIT("a comment"), limits);
    return send_now(a, c, &w);
}

static uint32_t listed_at(struct agent *a, struct agent_conn *c, uint64_t now)
{
    struct wr w = wr_heap(100), reply CLEANUP(wr_clear) = {0};
    struct rd r;
    uint32_t n;
    agent_list_write(&w);
    assert_int_equal(send_at(a, c, &w, now, &reply), 12);
    assert_int_equal(agent_list_begin(bytes_of(reply.p + 4, reply.n - 4), &r, &n), ERR_NONE);
    return n;
}

static int sign_at(struct agent *a, struct agent_conn *c, const struct privkey *k, struct bytes data, uint32_t flags, uint64_t now, struct wr *reply)
{
    struct wr w = wr_heap(1 << 20);
    agent_sign_write(&w, blob_of(k), data, flags);
    return send_at(a, c, &w, now, reply);
}

static int sign(struct agent *a, struct agent_conn *c, const struct privkey *k, struct bytes data)
{
    struct wr reply CLEANUP(wr_clear) = {0};
    return sign_at(a, c, k, data, 0, SECOND, &reply);
}

static const struct sig_alg *alg_of(const struct privkey *k)
{
    const char *type = pubkey_type(privkey_public(k));
    return sig_alg_find(bytes_str(strcmp(type, "ssh-rsa") == 0 ? "rsa-sha2-512" : type));
}

static int bind(struct agent *a, struct agent_conn *c, const struct privkey *host, const struct privkey *signer, const char *id, bool forwarding)
{
    struct wr w = wr_heap(100000), sig CLEANUP(wr_clear) = wr_heap(10000);
    assert_int_equal(privkey_sign(signer, alg_of(signer), bytes_str(id), &sig), ERR_NONE);
    agent_bind_write(&w, blob_of(host), bytes_str(id), wr_bytes(&sig), forwarding);
    return send_now(a, c, &w);
}

/* RFC 4252 7 */
static void login_write(struct wr *w, const char *id, const char *user, const struct privkey *k, const struct privkey *host)
{
    *w = wr_heap(100000);
    wr_cstring(w, id);
    wr_u8(w, 50);
    wr_cstring(w, user);
    wr_cstring(w, "ssh-connection");
    wr_cstring(w, host ? "publickey-hostbound-v00@openssh.com" : "publickey");
    wr_bool(w, true);
    wr_cstring(w, alg_of(k)->name);
    wr_string(w, blob_of(k));
    if (host) wr_string(w, blob_of(host));
}

static int sign_login(struct agent *a, struct agent_conn *c, const struct privkey *k, const char *id, const char *user, const struct privkey *host)
{
    struct wr text CLEANUP(wr_clear);
    login_write(&text, id, user, k, host);
    return sign(a, c, k, wr_bytes(&text));
}

static struct agent *agent_make(struct agent_conn **c)
{
    struct agent *a = agent_new(&plain_setup);
    *c = agent_conn_new();
    assert_non_null(a);
    assert_non_null(*c);
    return a;
}

/* ---- keys ---- */

static void test_a_key_is_added_listed_used_and_removed(void **state)
{
    struct agent_conn *c;
    struct agent *a = agent_make(&c);
    struct wr w, reply = {0};
    struct bytes sig;
    (void)state;
    assert_int_equal(listed_at(a, c, SECOND), 0);
    assert_int_equal(add(a, c, mine, NULL), 6);
    assert_int_equal(add(a, c, host_b, NULL), 6);
    assert_int_equal(add(a, c, mine, NULL), 6);
    assert_int_equal(listed_at(a, c, SECOND), 2);
    assert_int_equal(sign_at(a, c, mine, BYTES_LIT("text"), 0, SECOND, &reply), 14);
    assert_int_equal(agent_sign_parse(bytes_of(reply.p + 4, reply.n - 4), &sig), ERR_NONE);
    assert_int_equal(pubkey_verify(privkey_public(mine), alg_of(mine), BYTES_LIT("text"), sig), VERDICT_GOOD);
    static const char *const names[] = {[0] = "ssh-rsa", [2] = "rsa-sha2-256", [4] = "rsa-sha2-512", [6] = "rsa-sha2-256"};
    for (uint32_t flags = 0; flags <= 6; flags += 2) {
        assert_int_equal(sign_at(a, c, host_b, BYTES_LIT("text"), flags, SECOND, &reply), 14);
        assert_int_equal(agent_sign_parse(bytes_of(reply.p + 4, reply.n - 4), &sig), ERR_NONE);
        assert_int_equal(pubkey_verify(privkey_public(host_b), sig_alg_find(bytes_str(names[flags])), BYTES_LIT("text"), sig), VERDICT_GOOD);
    }
    assert_int_equal(sign(a, c, other, BYTES_LIT("text")), 5);
    for (int round = 0; round < 2; round++) {
        w = wr_heap(10000);
        agent_remove_write(&w, blob_of(mine));
        assert_int_equal(send_now(a, c, &w), round ? 5 : 6);
    }
    assert_int_equal(listed_at(a, c, SECOND), 1);
    w = wr_heap(100);
    agent_remove_all_write(&w);
    assert_int_equal(send_now(a, c, &w), 6);
    assert_int_equal(listed_at(a, c, SECOND), 0);
    wr_clear(&reply);
    agent_conn_free(c), agent_free(a);
}

static void test_a_life_ends_when_its_time_has_come(void **state)
{
    struct agent_conn *c;
    struct agent *a = agent_make(&c);
    (void)state;
    assert_int_equal(agent_deadline(a), UINT64_MAX);
    assert_int_equal(add(a, c, mine, &(struct agent_limits){.lifetime_s = 10}), 6);
    assert_int_equal(agent_deadline(a), 11 * SECOND);
    assert_int_equal(listed_at(a, c, 11 * SECOND - 1), 1);
    assert_int_equal(listed_at(a, c, 11 * SECOND), 0);
    assert_int_equal(agent_deadline(a), UINT64_MAX);
    assert_int_equal(add(a, c, mine, &(struct agent_limits){.lifetime_s = 10}), 6);
    assert_int_equal(add(a, c, mine, NULL), 6);         /* added anew, for ever */
    assert_int_equal(agent_deadline(a), UINT64_MAX);
    agent_free(a);
    struct agent_setup s = plain_setup;
    s.lifetime_us = 5 * SECOND;
    a = agent_new(&s);
    assert_int_equal(add(a, c, mine, NULL), 6);
    assert_int_equal(agent_deadline(a), 6 * SECOND);
    assert_int_equal(add(a, c, mine, &(struct agent_limits){.lifetime_s = 60}), 6);
    assert_int_equal(agent_deadline(a), 61 * SECOND);
    agent_conn_free(c), agent_free(a);
}

/* Each of these, behind a key that would be fine, must add nothing. */
static void test_a_constraint_that_is_not_understood_adds_no_key(void **state)
{
    static const struct bytes bad[] = {
        BYTES_LIT("\0"), BYTES_LIT("\3\0\0\0\1"), BYTES_LIT("\1\0\0\0"), BYTES_LIT("\1\0\0\0\1\1\0\0\0\1"), BYTES_LIT("\2\2"),
        BYTES_LIT("\xff"), BYTES_LIT("\xff\0\0\0\1x"), BYTES_LIT("\xff\0\0\0\7unknown\0\0\0\0"), BYTES_LIT("\2\xff\0\0\0\7unknown"),
        BYTES_LIT("\xff\0\0\0\x24restrict-destination-v00@openssh.com"),
        BYTES_LIT("\xff\0\0\0\x24restrict-destination-v00@openssh.com\0\0\0\0"),
        BYTES_LIT("\xff\0\0\0\x24restrict-destination-v00@openssh.com\0\0\0\4\0\0\0\0"),
        BYTES_LIT("\xff\0\0\0\x17sk-provider@openssh.com\0\0\0\1x"),
        BYTES_LIT("\xff\0\0\0\x20" "associated-certs-v00@openssh.com\0\0\0\0\0"),
    };
    struct agent_conn *c;
    struct agent *a = agent_make(&c);
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        for (uint8_t type = 17; type <= 25; type += 8) {
            struct wr w = wr_heap(100000);
            size_t mark = wr_begin(&w);
            wr_u8(&w, type);
            privkey_write(mine, &w);
            wr_cstring(&w, "comment");
            wr_raw(&w, bad[i]);
            wr_end(&w, mark);
            assert_int_equal(send_now(a, c, &w), 5);
            assert_int_equal(agent_key_count(a), 0);
        }
    agent_conn_free(c), agent_free(a);
}

/* ---- questions ---- */

static void test_a_key_with_confirm_waits_for_a_yes(void **state)
{
    struct agent_conn *c, *d = agent_conn_new();
    struct agent *a = agent_make(&c);
    struct wr reply = {0}, text CLEANUP(wr_clear);
    (void)state;
    assert_int_equal(add(a, c, mine, &(struct agent_limits){.confirm = true}), 6);
    assert_int_equal(bind(a, c, host_a, host_a, "session 1", false), 6);
    login_write(&text, "session 1", "root", mine, NULL);
    for (int yes = 0; yes < 2; yes++) {
        assert_int_equal(sign_at(a, c, mine, wr_bytes(&text), 0, SECOND, &reply), -1);
        const struct agent_question *q = agent_question(c);
        assert_int_equal(q->kind, AGENT_CONFIRM);
        assert_int_equal(q->hops_n, 1);
        assert_true(bytes_equal(q->hops[0].hostkey, blob_of(host_a)));
        assert_true(q->purpose == AGENT_FOR_LOGIN && q->login_proved && bytes_is(q->user, "root") && bytes_is(q->comment, "a comment"));
        assert_int_equal(agent_answer(a, c, yes, bytes_str(NULL), SECOND, &reply), AGENT_REPLIED);
        assert_int_equal(reply.p[4], yes ? 14 : 5);
        assert_null(agent_question(c));
    }
    /* another session's login, or none: not proved */
    assert_int_equal(sign_at(a, d, mine, wr_bytes(&text), 0, SECOND, &reply), -1);
    assert_true(!agent_question(d)->login_proved && agent_question(d)->hops_n == 0);
    assert_int_equal(agent_answer(a, d, true, bytes_str(NULL), SECOND, &reply), AGENT_REPLIED);
    /* gone while the person thought about it; or locked meanwhile */
    assert_int_equal(sign_at(a, c, mine, wr_bytes(&text), 0, SECOND, &reply), -1);
    struct wr lock = wr_heap(100);
    agent_lock_write(&lock, true, BYTES_LIT("pw"));
    assert_int_equal(send_now(a, d, &lock), 6);
    assert_int_equal(agent_answer(a, c, true, bytes_str(NULL), SECOND, &reply), AGENT_REPLIED);
    assert_int_equal(reply.p[4], 5);
    wr_clear(&reply);
    agent_conn_free(c), agent_conn_free(d), agent_free(a);
}

static void test_a_locked_agent_shows_and_does_nothing(void **state)
{
    struct agent_conn *c, *d = agent_conn_new();
    struct agent *a = agent_make(&c);
    struct wr w, reply = {0};
    (void)state;
    assert_int_equal(add(a, c, mine, NULL), 6);
    for (int round = 0; round < 2; round++) {
        w = wr_heap(100);
        agent_lock_write(&w, true, BYTES_LIT("secret"));
        assert_int_equal(send_now(a, c, &w), round ? 5 : 6);
    }
    assert_int_equal(listed_at(a, c, SECOND), 0);
    assert_int_equal(sign(a, c, mine, BYTES_LIT("x")), 5);
    assert_int_equal(add(a, c, other, NULL), 5);
    w = wr_heap(100);
    agent_remove_all_write(&w);
    assert_int_equal(send_now(a, c, &w), 5);
    w = wr_heap(100);
    agent_facts_write(&w);
    assert_int_equal(send_now(a, c, &w), 5);
    /* what it is told of sessions counts, so that they are no local ones afterwards */
    assert_int_equal(bind(a, d, host_a, host_a, "session", true), 6);
    uint64_t now = SECOND;
    for (int wrong = 0; wrong < 3; wrong++) {
        w = wr_heap(100);
        agent_lock_write(&w, false, BYTES_LIT("Secret"));
        int got = send_at(a, c, &w, now, &reply);
        if (wrong) {
            assert_int_equal(got, -1);
            assert_int_equal(agent_question(c)->kind, AGENT_WAIT);
            now = agent_question(c)->until_us;
            assert_true(now >= SECOND + 100000);
            assert_int_equal(agent_answer(a, c, true, bytes_str(NULL), now, &reply), AGENT_REPLIED);
            got = reply.p[4];
        }
        assert_int_equal(got, 5);
    }
    w = wr_heap(100);
    agent_lock_write(&w, false, BYTES_LIT("secret"));
    assert_int_equal(send_at(a, c, &w, now + SECOND, &reply), 6);
    assert_int_equal(listed_at(a, c, SECOND), 1);
    w = wr_heap(100);
    agent_facts_write(&w);
    assert_int_equal(send_at(a, d, &w, SECOND, &reply), 28);
    wr_clear(&reply);
    agent_conn_free(c), agent_conn_free(d), agent_free(a);
}

/* ---- destinations ---- */

static void test_a_restricted_key_goes_only_where_it_may(void **state)
{
    struct agent_conn *c, *d = agent_conn_new(), *e = agent_conn_new();
    struct agent *a = agent_make(&c);
    (void)state;
    const struct agent_hop_key a_key = {blob_of(host_a), false}, b_key = {blob_of(host_b), false};
    const struct agent_destination dests[] = {
        {.to = {.host = BYTES_LIT("a"), .keys = &a_key, .keys_n = 1}},
        {.from = {.host = BYTES_LIT("a"), .keys = &a_key, .keys_n = 1}, .to = {.user = BYTES_LIT("r*"), .host = BYTES_LIT("b"), .keys = &b_key, .keys_n = 1}},
    };
    assert_int_equal(add(a, c, mine, &(struct agent_limits){.destinations = dests, .destinations_n = 2}), 6);
    assert_int_equal(listed_at(a, c, SECOND), 1);
    assert_int_equal(sign_login(a, c, mine, "s1", "root", NULL), 5);            /* no session */
    assert_int_equal(bind(a, c, host_a, host_b, "s1", false), 28);              /* a false proof */
    assert_int_equal(listed_at(a, c, SECOND), 0);
    assert_int_equal(bind(a, c, host_a, host_a, "s1", false), 6);
    assert_int_equal(sign_login(a, c, mine, "s2", "root", NULL), 5);
    assert_int_equal(sign_login(a, c, mine, "s1", "anyone", NULL), 14);
    assert_int_equal(sign(a, c, mine, BYTES_LIT("anything")), 5);
    assert_int_equal(bind(a, c, host_b, host_b, "s3", false), 28);              /* bound for a login */
    /* two hops */
    assert_int_equal(bind(a, d, host_a, host_a, "s4", true), 6);
    assert_int_equal(listed_at(a, d, SECOND), 1);
    assert_int_equal(sign_login(a, d, mine, "s4", "root", host_a), 5);          /* on the forwarding hop itself */
    assert_int_equal(bind(a, d, host_b, host_b, "s5", false), 6);
    assert_int_equal(sign_login(a, d, mine, "s5", "root", NULL), 5);            /* not bound to the host */
    assert_int_equal(sign_login(a, d, mine, "s5", "root", host_a), 5);
    assert_int_equal(sign_login(a, d, mine, "s5", "bob", host_b), 5);
    assert_int_equal(sign_login(a, d, mine, "s5", "root", host_b), 14);
    /* b directly, and forwarded from b: not allowed, not shown */
    assert_int_equal(bind(a, e, host_b, host_b, "s6", true), 6);
    assert_int_equal(listed_at(a, e, SECOND), 0);
    struct wr w = wr_heap(10000);
    agent_remove_write(&w, blob_of(mine));
    assert_int_equal(send_now(a, e, &w), 5);
    assert_int_equal(add(a, e, mine, NULL), 5);         /* nor loosened by adding it anew */
    assert_int_equal(add(a, e, other, NULL), 6);
    agent_conn_free(c), agent_conn_free(d), agent_conn_free(e), agent_free(a);
}

static void test_tokens_are_asked_for_by_their_canonical_path(void **state)
{
    struct agent_conn *c, *d = agent_conn_new();
    struct agent *a = agent_make(&c);
    struct wr w = wr_heap(10000), reply = {0}, keys CLEANUP(wr_clear) = wr_heap(10000);
    (void)state;
    wr_string(&keys, blob_of(other));
    wr_cstring(&keys, "token key");
    agent_token_add_write(&w, BYTES_LIT("/usr/lib/../../tmp/evil.so"), BYTES_LIT("1234"), NULL, bytes_str(NULL), false);
    assert_int_equal(send_at(a, c, &w, SECOND, &reply), -1);
    assert_int_equal(agent_question(c)->kind, AGENT_PATH);
    assert_int_equal(agent_answer(a, c, true, BYTES_LIT("/tmp/evil.so"), SECOND, &reply), AGENT_REPLIED);
    assert_int_equal(reply.p[4], 5);
    w = wr_heap(10000);
    agent_token_add_write(&w, BYTES_LIT("/usr/lib/p11.so"), BYTES_LIT("1234"), &(struct agent_limits){.lifetime_s = 9}, bytes_str(NULL), false);
    assert_int_equal(send_at(a, c, &w, SECOND, &reply), -1);
    assert_int_equal(agent_answer(a, c, true, BYTES_LIT("/usr/lib/real/p11.so"), SECOND, &reply), AGENT_ASKS);
    assert_int_equal(agent_question(c)->kind, AGENT_TOKEN_KEYS);
    assert_true(bytes_is(agent_question(c)->provider, "/usr/lib/real/p11.so") && bytes_is(agent_question(c)->pin, "1234"));
    assert_int_equal(agent_answer(a, c, true, wr_bytes(&keys), SECOND, &reply), AGENT_REPLIED);
    assert_int_equal(reply.p[4], 6);
    assert_int_equal(agent_deadline(a), 10 * SECOND);
    assert_int_equal(sign_at(a, c, other, BYTES_LIT("x"), 0, SECOND, &reply), -1);
    assert_int_equal(agent_question(c)->kind, AGENT_TOKEN_SIGN);
    struct wr sig CLEANUP(wr_clear) = wr_heap(1000);
    assert_int_equal(privkey_sign(other, alg_of(other), BYTES_LIT("x"), &sig), ERR_NONE);
    assert_int_equal(agent_answer(a, c, true, wr_bytes(&sig), SECOND, &reply), AGENT_REPLIED);
    assert_int_equal(reply.p[4], 14);
    assert_int_equal(sign_at(a, c, other, BYTES_LIT("y"), 0, SECOND, &reply), -1);
    assert_int_equal(agent_answer(a, c, true, wr_bytes(&sig), SECOND, &reply), AGENT_REPLIED);      /* of another text */
    assert_int_equal(reply.p[4], 5);
    /* from far away nobody names libraries */
    assert_int_equal(bind(a, d, host_a, host_a, "s", true), 6);
    w = wr_heap(10000);
    agent_token_add_write(&w, BYTES_LIT("/usr/lib/p11.so"), bytes_str(NULL), NULL, bytes_str(NULL), false);
    assert_int_equal(send_at(a, d, &w, SECOND, &reply), 5);
    w = wr_heap(10000);
    agent_token_remove_write(&w, BYTES_LIT("p11.so"), bytes_str(NULL));
    assert_int_equal(send_at(a, c, &w, SECOND, &reply), -1);
    assert_true(agent_uses_provider(a, "/usr/lib/real/p11.so"));
    assert_int_equal(agent_answer(a, c, true, BYTES_LIT("/usr/lib/real/p11.so"), SECOND, &reply), AGENT_REPLIED);
    assert_int_equal(reply.p[4], 6);
    assert_false(agent_uses_provider(a, "/usr/lib/real/p11.so"));
    wr_clear(&reply);
    agent_conn_free(c), agent_conn_free(d), agent_free(a);
}

static void test_extensions_are_named_and_unknown_ones_refused(void **state)
{
    struct agent_conn *c;
    struct agent *a = agent_make(&c);
    struct wr w = wr_heap(1000), reply = {0};
    struct agent_facts f;
    struct rd r;
    (void)state;
    size_t mark = wr_begin(&w);
    wr_u8(&w, 27), wr_cstring(&w, "query"), wr_end(&w, mark);
    assert_int_equal(send_at(a, c, &w, SECOND, &reply), 29);
    r = rd_init(bytes_of(reply.p + 5, reply.n - 5));
    assert_true(bytes_is(rd_string(&r), "query") && bytes_is(rd_string(&r), "session-bind@openssh.com"));
    w = wr_heap(1000);
    mark = wr_begin(&w);
    wr_u8(&w, 27), wr_cstring(&w, "unknown@x"), wr_end(&w, mark);
    assert_int_equal(send_at(a, c, &w, SECOND, &reply), 5);
    assert_int_equal(add(a, c, mine, &(struct agent_limits){.lifetime_s = 100}), 6);
    assert_int_equal(sign(a, c, mine, BYTES_LIT("x")), 14);
    w = wr_heap(1000);
    agent_facts_write(&w);
    assert_int_equal(send_at(a, c, &w, 31 * SECOND, &reply), 29);
    assert_int_equal(agent_facts_begin(bytes_of(reply.p + 4, reply.n - 4), &r), ERR_NONE);
    assert_int_equal(agent_facts_next(&r, &f), ERR_NONE);
    assert_true(f.life_s == 70 && f.uses == 1 && f.idle_s == 30 && !f.confirm && bytes_is(f.used_for, "other data"));
    assert_int_equal(r.n, 0);
    wr_clear(&reply);
    agent_conn_free(c), agent_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_is_added_listed_used_and_removed),
        cmocka_unit_test(test_a_life_ends_when_its_time_has_come),
        cmocka_unit_test(test_a_constraint_that_is_not_understood_adds_no_key),
        cmocka_unit_test(test_a_key_with_confirm_waits_for_a_yes),
        cmocka_unit_test(test_a_locked_agent_shows_and_does_nothing),
        cmocka_unit_test(test_a_restricted_key_goes_only_where_it_may),
        cmocka_unit_test(test_tokens_are_asked_for_by_their_canonical_path),
        cmocka_unit_test(test_extensions_are_named_and_unknown_ones_refused),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("agent-server", tests, keys_make, keys_free);
}
