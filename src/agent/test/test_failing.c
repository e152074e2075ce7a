/* SPDX-License-Identifier: ISC */
/* Each allocation of our own fails in turn while a restricted key is added, asked about and used. Whatever fails: an answer or a broken
 * writer, and never a key with less to hold it back than was asked for. (Leaks are the sanitizer's to find.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/server.h"
#include "crypto/sign.h"

static unsigned long calls, fail_at;

static bool fails(void)
{
    return ++calls == fail_at;
}

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

static struct privkey *key, *host;
static struct wr add, bind, data_sign, login_sign;     /* requests, made once */
static const struct agent_setup setup = {.random = &random_libcrypto};

static struct bytes blob_of(const struct privkey *k)
{
    return pubkey_blob(privkey_public(k));
}

static int make(void **state)
{
    (void)state;
    struct wr sig CLEANUP(wr_clear) = wr_heap(1000), text CLEANUP(wr_clear) = wr_heap(1000);
    add = wr_heap(10000), bind = wr_heap(10000), data_sign = wr_heap(10000), login_sign = wr_heap(10000);
    assert_int_equal(privkey_generate("ssh-ed25519", 0, &random_libcrypto, &key), ERR_NONE);
    assert_int_equal(privkey_generate("ssh-ed25519", 0, &random_libcrypto, &host), ERR_NONE);
    const struct agent_hop_key known = {blob_of(host), false};
    const struct agent_destination dest = {.to = {.user = BYTES_LIT("root"), .host = BYTES_LIT("h"), .keys = &known, .keys_n = 1}};
    const struct agent_limits limits = {.lifetime_s = 60, .confirm = true, .destinations = &dest, .destinations_n = 1};
    agent_add_write(&add, NULL, key, BYTES_LIT("comment"), &limits);
    assert_int_equal(privkey_sign(host, sig_alg_find(BYTES_LIT("ssh-ed25519")), BYTES_LIT("session"), &sig), ERR_NONE);
    agent_bind_write(&bind, blob_of(host), BYTES_LIT("session"), wr_bytes(&sig), false);
    agent_sign_write(&data_sign, blob_of(key), BYTES_LIT("data"), 0);
    wr_cstring(&text, "session"), wr_u8(&text, 50), wr_cstring(&text, "root"), wr_cstring(&text, "ssh-connection");
    wr_cstring(&text, "publickey"), wr_bool(&text, true), wr_cstring(&text, "ssh-ed25519"), wr_string(&text, blob_of(key));
    agent_sign_write(&login_sign, blob_of(key), wr_bytes(&text), 0);
    return wr_done(&add) || wr_done(&bind) || wr_done(&data_sign) || wr_done(&login_sign);
}

static int unmake(void **state)
{
    (void)state;
    wr_clear(&add), wr_clear(&bind), wr_clear(&data_sign), wr_clear(&login_sign);
    privkey_free(key), privkey_free(host);
    return 0;
}

/* The first byte of the answer; 0: the writer broke; -1: a question, left open. */
static int ask(struct agent *a, struct agent_conn *c, const struct wr *request)
{
    struct wr reply CLEANUP(wr_clear) = wr_heap(100000);
    if (agent_take(a, c, bytes_of(request->p + 4, request->n - 4), 1, &reply) == AGENT_ASKS) return -1;
    return wr_done(&reply) == ERR_NONE ? reply.p[4] : 0;
}

static int yes(struct agent *a, struct agent_conn *c)
{
    struct wr reply CLEANUP(wr_clear) = wr_heap(100000);
    if (agent_answer(a, c, true, bytes_str(NULL), 1, &reply) == AGENT_ASKS) return -1;
    return wr_done(&reply) == ERR_NONE ? reply.p[4] : 0;
}

/* Returns how far it came. */
static int story(struct agent *a, struct agent_conn *c)
{
    int added = ask(a, c, &add);
    assert_true(added == 6 || added == 5 || added == 0);
    if (agent_key_count(a)) assert_int_equal(agent_deadline(a), 60000001);
    int bound = ask(a, c, &bind);
    int other = ask(a, c, &data_sign);
    assert_true(other == 5 || other == 0);
    int asked = ask(a, c, &login_sign);
    assert_true(asked == -1 || asked == 5 || asked == 0);
    int signed_ = asked == -1 ? yes(a, c) : 0;
    return (added == 6) + (bound == 6) + (asked == -1) + (signed_ == 14);
}

static void test_no_failing_allocation_loosens_a_key(void **state)
{
    (void)state;
    int whole = 0;
    for (fail_at = 1; whole < 4 && fail_at < 10000; fail_at++) {
        calls = 0;
        struct agent *a = agent_new(&setup);
        struct agent_conn *c = a ? agent_conn_new() : NULL;
        if (c) {
            int got = story(a, c);
            if (calls < fail_at) whole = got;       /* nothing failed this time */
        }
        agent_conn_free(c);
        agent_free(a);
    }
    assert_int_equal(whole, 4);
    assert_true(fail_at > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_failing_allocation_loosens_a_key)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("agent-failing", tests, make, unmake);
}
