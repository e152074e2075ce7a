/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sftp/client.h"

static void feed(struct sftp_client *c, struct bytes b)
{
    while (b.n) {
        struct span room = sftp_client_reserve(c);
        assert_true(room.n > 0);
        size_t k = b.n < room.n ? b.n : room.n;
        memcpy(room.p, b.p, k);
        sftp_client_commit(c, k);
        b.p += k, b.n -= k;
    }
}

static void feed_result(struct sftp_client *c, const struct sftp_result *r)
{
    struct wr w = wr_heap(1 << 20);
    sftp_result_write(&w, r);
    feed(c, wr_bytes(&w));
    wr_clear(&w);
}

static struct sftp_client *client_ready(void)
{
    static const uint8_t version[] = {0, 0, 0, 31, 2, 0, 0, 0, 3, 0, 0, 0, 17, 'f', 's', 'y', 'n', 'c', '@', 'o', 'p', 'e', 'n', 's', 's', 'h', '.',
                                      'c', 'o', 'm', 0, 0, 0, 1, '1'};
    struct sftp_client *c = sftp_client_new();
    struct sftp_answer a;
    assert_non_null(c);
    assert_true(bytes_equal(sftp_client_peek(c), BYTES_LIT("\0\0\0\5\1\0\0\0\3")));
    sftp_client_consume(c, 9);
    assert_int_equal(sftp_client_ask(c, &(struct sftp_op){.verb = SFTP_VERB_STAT, .path = BYTES_LIT("/")}, 0), ERR_AGAIN);
    struct bytes v = bytes_of(version, sizeof version);
    feed(c, v);
    assert_int_equal(sftp_client_next(c, &a), ERR_NONE);
    assert_true(a.ready && a.version);
    return c;
}

/* Asks and takes the id out of the output. */
static uint32_t ask_id(struct sftp_client *c, enum sftp_verb verb, uint64_t length, uint64_t tag)
{
    struct sftp_op op = {.verb = verb, .path = BYTES_LIT("p"), .handle = BYTES_LIT("h"), .length = length};
    assert_int_equal(sftp_client_ask(c, &op, tag), ERR_NONE);
    uint32_t id = get_u32(sftp_client_peek(c).p + 5);
    sftp_client_consume(c, sftp_client_peek(c).n);
    return id;
}

static void test_the_client_knows_what_the_server_announced(void **state)
{
    struct sftp_client *c = client_ready();
    (void)state;
    assert_true(sftp_client_has(c, SFTP_VERB_FSYNC) && sftp_client_has(c, SFTP_VERB_OPEN));
    assert_false(sftp_client_has(c, SFTP_VERB_HARDLINK));
    assert_int_equal(sftp_client_ask(c, &(struct sftp_op){.verb = SFTP_VERB_HARDLINK}, 0), ERR_UNSUPPORTED);
    assert_int_equal(sftp_client_version(c), 3);
    sftp_client_free(c);
}

static void test_replies_find_their_requests_in_any_order(void **state)
{
    struct sftp_client *c = client_ready();
    struct sftp_answer a;
    uint32_t ids[SFTP_ASKED_MAX];
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < SFTP_ASKED_MAX; i++) ids[i] = ask_id(c, SFTP_VERB_STAT, 0, i);
        assert_false(sftp_client_can_ask(c));
        assert_int_equal(sftp_client_asked(c), SFTP_ASKED_MAX);
        for (unsigned i = SFTP_ASKED_MAX; i-- > 0;) {
            unsigned k = i * 37 % SFTP_ASKED_MAX;
            feed_result(c, &(struct sftp_result){.kind = SFTP_ATTRS, .id = ids[k], .attrs = {.flags = 1, .size = k}});
            assert_int_equal(sftp_client_next(c, &a), ERR_NONE);
            assert_true(a.ready && a.tag == k && a.result.attrs.size == k && a.verb == SFTP_VERB_STAT);
        }
    }
    sftp_client_free(c);
}

static enum err after(struct sftp_client *c, const struct sftp_result *r)
{
    struct sftp_answer a;
    feed_result(c, r);
    enum err e = sftp_client_next(c, &a);
    sftp_client_free(c);
    return e;
}

static void test_replies_to_nothing_twice_or_of_another_kind_end_it(void **state)
{
    struct sftp_answer a;
    (void)state;
    struct sftp_client *c = client_ready();
    assert_int_equal(after(c, &(struct sftp_result){.kind = SFTP_STATUS, .id = 4096}), ERR_PROTOCOL);
    c = client_ready();
    uint32_t id = ask_id(c, SFTP_VERB_STAT, 0, 0);
    assert_int_equal(after(c, &(struct sftp_result){.kind = SFTP_HANDLE, .id = id, .handle = BYTES_LIT("h")}), ERR_PROTOCOL);
    c = client_ready();
    id = ask_id(c, SFTP_VERB_STAT, 0, 0);
    feed_result(c, &(struct sftp_result){.kind = SFTP_STATUS, .id = id});
    assert_int_equal(sftp_client_next(c, &a), ERR_NONE);
    (void)ask_id(c, SFTP_VERB_STAT, 0, 0);      /* takes the same place, under another number */
    assert_int_equal(after(c, &(struct sftp_result){.kind = SFTP_STATUS, .id = id}), ERR_PROTOCOL);
    c = client_ready();
    id = ask_id(c, SFTP_VERB_REALPATH, 0, 0);
    assert_int_equal(after(c, &(struct sftp_result){.kind = SFTP_NAME, .id = id}), ERR_PROTOCOL);
    c = client_ready();
    id = ask_id(c, SFTP_VERB_READ, 4, 0);
    assert_int_equal(after(c, &(struct sftp_result){.kind = SFTP_DATA, .id = id, .data = BYTES_LIT("12345")}), ERR_PROTOCOL);
    c = client_ready();
    uint8_t handle[257] = {0};
    struct sftp_op op = {.verb = SFTP_VERB_OPEN, .path = BYTES_LIT("p")};
    assert_int_equal(sftp_client_ask(c, &op, 0), ERR_NONE);
    id = get_u32(sftp_client_peek(c).p + 5);
    assert_int_equal(after(c, &(struct sftp_result){.kind = SFTP_HANDLE, .id = id, .handle = bytes_of(handle, 257)}), ERR_TOO_LONG);
}

static void test_lengths_a_server_cannot_have_are_errors(void **state)
{
    static const uint8_t huge[] = {0, 4, 0, 1, 101}, small[] = {0, 0, 0, 4, 101};
    struct sftp_client *c = client_ready();
    struct sftp_answer a;
    (void)state;
    feed(c, bytes_of(huge, sizeof huge));
    assert_int_equal(sftp_client_next(c, &a), ERR_TOO_LONG);
    assert_int_equal(sftp_client_next(c, &a), ERR_TOO_LONG);
    sftp_client_free(c);
    c = client_ready();
    feed(c, bytes_of(small, sizeof small));
    assert_int_equal(sftp_client_next(c, &a), ERR_TRUNCATED);
    sftp_client_free(c);
}

static void test_data_is_taken_in_parts_from_here_or_from_the_stream(void **state)
{
    struct sftp_client *c = client_ready();
    struct sftp_answer a;
    uint8_t head[SFTP_DATA_HEAD];
    (void)state;
    uint32_t id = ask_id(c, SFTP_VERB_READ, 1000, 5), other = ask_id(c, SFTP_VERB_CLOSE, 0, 6);
    sftp_data_head(head, id, 10);
    feed(c, bytes_of(head, 12));
    assert_int_equal(sftp_client_next(c, &a), ERR_NONE);
    assert_false(a.ready);
    feed(c, bytes_of(head + 12, 1));
    feed(c, BYTES_LIT("abc"));
    assert_int_equal(sftp_client_next(c, &a), ERR_NONE);
    assert_true(a.ready && a.tag == 5 && a.result.kind == SFTP_DATA && a.result.data.n == 10 && !a.result.data.p);
    assert_true(bytes_is(sftp_client_data_peek(c), "abc"));
    sftp_client_data_taken(c, 3);
    assert_int_equal(sftp_client_data_left(c), 7);
    assert_int_equal(sftp_client_data_peek(c).n, 0);
    sftp_client_data_taken(c, 5);       /* these never came here */
    feed(c, BYTES_LIT("ij"));
    feed_result(c, &(struct sftp_result){.kind = SFTP_STATUS, .id = other});
    assert_int_equal(sftp_client_next(c, &a), ERR_NONE);
    assert_false(a.ready);
    assert_true(bytes_is(sftp_client_data_peek(c), "ij"));
    sftp_client_data_taken(c, 2);
    assert_int_equal(sftp_client_next(c, &a), ERR_NONE);
    assert_true(a.ready && a.tag == 6);
    sftp_client_free(c);
}

static void test_no_data_and_no_names_are_the_end_not_a_loop(void **state)
{
    struct sftp_client *c = client_ready();
    struct sftp_answer a;
    (void)state;
    uint32_t read = ask_id(c, SFTP_VERB_READ, 10, 0), list = ask_id(c, SFTP_VERB_READDIR, 0, 0);
    feed_result(c, &(struct sftp_result){.kind = SFTP_DATA, .id = read});
    feed_result(c, &(struct sftp_result){.kind = SFTP_NAME, .id = list});
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(sftp_client_next(c, &a), ERR_NONE);
        assert_true(a.ready && a.result.kind == SFTP_STATUS && a.result.status == SSH_FX_EOF);
    }
    sftp_client_free(c);
}

static void test_a_writes_data_goes_before_the_next_request(void **state)
{
    struct sftp_client *c = client_ready();
    struct sftp_op op = {.verb = SFTP_VERB_WRITE, .handle = BYTES_LIT("h"), .length = 8};
    (void)state;
    assert_int_equal(sftp_client_ask(c, &op, 1), ERR_NONE);
    assert_int_equal(get_u32(sftp_client_peek(c).p), sftp_client_peek(c).n - 4 + 8);
    assert_int_equal(sftp_client_data_due(c), 8);
    assert_int_equal(sftp_client_ask(c, &op, 2), ERR_AGAIN);
    sftp_client_data_sent(c, 5), sftp_client_data_sent(c, 3);
    assert_int_equal(sftp_client_ask(c, &op, 2), ERR_NONE);
    op.length = SFTP_DATA_MAX + 1;
    sftp_client_data_sent(c, 8);
    assert_int_equal(sftp_client_ask(c, &op, 3), ERR_RANGE);
    sftp_client_free(c);
}

static void test_requests_that_cannot_be_sent_are_told(void **state)
{
    struct sftp_client *c = client_ready();
    uint8_t *path = calloc(1, SFTP_SMALL_MAX);
    (void)state;
    assert_non_null(path);
    assert_int_equal(sftp_client_ask(c, &(struct sftp_op){.verb = SFTP_VERB_STAT, .path = bytes_of(path, 1)}, 0), ERR_FORMAT);
    memset(path, 'a', SFTP_SMALL_MAX);
    assert_int_equal(sftp_client_ask(c, &(struct sftp_op){.verb = SFTP_VERB_STAT, .path = bytes_of(path, SFTP_SMALL_MAX)}, 0), ERR_TOO_LONG);
    assert_int_equal(sftp_client_ask(c, &(struct sftp_op){.verb = SFTP_VERB_READ}, 0), ERR_RANGE);
    assert_int_equal(sftp_client_asked(c), 0);
    free(path);
    sftp_client_free(c);
}

static void test_a_server_of_another_version_is_refused(void **state)
{
    struct sftp_client *c = sftp_client_new();
    struct sftp_answer a;
    (void)state;
    feed(c, BYTES_LIT("\0\0\0\5\2\0\0\0\2"));
    assert_int_equal(sftp_client_next(c, &a), ERR_VERSION);
    sftp_client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_client_knows_what_the_server_announced),
        cmocka_unit_test(test_replies_find_their_requests_in_any_order),
        cmocka_unit_test(test_replies_to_nothing_twice_or_of_another_kind_end_it),
        cmocka_unit_test(test_lengths_a_server_cannot_have_are_errors),
        cmocka_unit_test(test_data_is_taken_in_parts_from_here_or_from_the_stream),
        cmocka_unit_test(test_no_data_and_no_names_are_the_end_not_a_loop),
        cmocka_unit_test(test_a_writes_data_goes_before_the_next_request),
        cmocka_unit_test(test_requests_that_cannot_be_sent_are_told),
        cmocka_unit_test(test_a_server_of_another_version_is_refused),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("sftp-client", tests, NULL, NULL);
}
