/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/agent.h"

static void test_requests_are_framed(void **state)
{
    static const uint8_t list[] = {0, 0, 0, 1, 11};
    static const uint8_t sign[] = {0, 0, 0, 15, 13, 0, 0, 0, 1, 'k', 0, 0, 0, 1, 'd', 0, 0, 0, 4};
    struct wr w = wr_heap(1000);
    (void)state;
    agent_list_write(&w);
    assert_true(bytes_equal(wr_bytes(&w), bytes_of(list, sizeof list)));
    wr_clear(&w);
    w = wr_heap(1000);
    agent_sign_write(&w, BYTES_LIT("k"), BYTES_LIT("d"), AGENT_RSA_SHA2_512);
    assert_true(bytes_equal(wr_bytes(&w), bytes_of(sign, sizeof sign)));
    wr_clear(&w);
}

static void test_keys_are_listed_and_a_short_answer_is_an_error(void **state)
{
    static const uint8_t answer[] = {12, 0, 0, 0, 2, 0, 0, 0, 1, 'a', 0, 0, 0, 1, 'b', 0, 0, 0, 1, 'c', 0, 0, 0, 0};
    struct agent_key k;
    struct rd r;
    uint32_t n;
    (void)state;
    assert_int_equal(agent_list_begin(bytes_of(answer, sizeof answer), &r, &n), ERR_NONE);
    assert_int_equal(n, 2);
    assert_int_equal(agent_list_next(&r, &k), ERR_NONE);
    assert_true(bytes_is(k.blob, "a") && bytes_is(k.comment, "b"));
    assert_int_equal(agent_list_next(&r, &k), ERR_NONE);
    assert_int_not_equal(agent_list_next(&r, &k), ERR_NONE);
}

static void test_refusals_and_other_answers_are_told_apart(void **state)
{
    static const uint8_t failure[] = {5}, many[] = {12, 0xff, 0xff, 0xff, 0xff}, sig[] = {14, 0, 0, 0, 1, 's'}, more[] = {14, 0, 0, 0, 0, 1};
    struct bytes out;
    struct rd r;
    uint32_t n;
    (void)state;
    assert_int_equal(agent_list_begin(bytes_of(failure, 1), &r, &n), ERR_DENIED);
    assert_int_equal(agent_list_begin(bytes_of(many, sizeof many), &r, &n), ERR_BUDGET);
    assert_int_equal(agent_list_begin(bytes_of(sig, sizeof sig), &r, &n), ERR_FORMAT);
    assert_int_not_equal(agent_list_begin(bytes_of(NULL, 0), &r, &n), ERR_NONE);
    assert_int_equal(agent_sign_parse(bytes_of(sig, sizeof sig), &out), ERR_NONE);
    assert_true(bytes_is(out, "s"));
    assert_int_equal(agent_sign_parse(bytes_of(more, sizeof more), &out), ERR_TRAILING);
    assert_int_equal(agent_sign_parse(bytes_of(failure, 1), &out), ERR_DENIED);
    assert_int_equal(agent_success_parse(bytes_of("\6", 1)), ERR_NONE);
    assert_int_equal(agent_success_parse(bytes_of(failure, 1)), ERR_DENIED);
    assert_int_equal(agent_success_parse(bytes_of("\34", 1)), ERR_DENIED);
    assert_int_equal(agent_success_parse(bytes_of("\6x", 2)), ERR_TRAILING);
    assert_int_equal(agent_success_parse(bytes_of(sig, sizeof sig)), ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_are_framed),
        cmocka_unit_test(test_keys_are_listed_and_a_short_answer_is_an_error),
        cmocka_unit_test(test_refusals_and_other_answers_are_told_apart),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}
