/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "priv/client.h"

static uint8_t buf[CM_MESSAGE_MAX], in[CM_MESSAGE_MAX];

static void test_a_message_comes_back_as_it_was(void **state)
{
    struct cm_session s = {.kind = CM_EXEC, .command = BYTES_LIT("true"), .term = BYTES_LIT("xterm"), .port = 7,
                           .env = {2, {BYTES_LIT("A=b"), BYTES_LIT("C=")}}, .escape = CM_NO_ESCAPE, .alive_s = 9};
    struct cm_message m;
    size_t n;
    (void)state;
    assert_int_equal(cm_write(CM_SESSION, &s, buf, sizeof buf, &n), ERR_NONE);
    assert_int_equal(cm_parse(bytes_of(buf, n), false, 0, &m), ERR_NONE);
    assert_int_equal(m.type, CM_SESSION);
    assert_true(bytes_is(m.u.session.command, "true") && bytes_is(m.u.session.term, "xterm"));
    assert_int_equal(m.u.session.env.n, 2);
    assert_true(bytes_is(m.u.session.env.v[1], "C="));
    assert_int_equal(m.u.session.escape, CM_NO_ESCAPE);
    assert_int_equal(m.u.session.alive_s, 9);
}

static void test_every_shorter_and_longer_form_is_refused(void **state)
{
    struct cm_pk_ok p = {BYTES_LIT("key"), BYTES_LIT("ssh-ed25519"), BYTES_LIT(""), 1};
    struct cm_message m;
    size_t n;
    (void)state;
    assert_int_equal(cm_write(CM_PK_OK, &p, buf, sizeof buf, &n), ERR_NONE);
    for (size_t i = 0; i < n; i++)
        assert_int_not_equal(cm_parse(bytes_of(buf, i), true, CM_AT_AUTH, &m), ERR_NONE);
    assert_int_equal(cm_parse(bytes_of(buf, n), true, CM_AT_AUTH, &m), ERR_NONE);
    assert_int_equal(cm_parse(bytes_of(buf, n + 1), true, CM_AT_AUTH, &m), ERR_TRAILING);
}

/* Which message the transport may send when; written by hand, not from the table. */
static void test_the_transport_may_speak_only_in_its_turn(void **state)
{
    static const struct { enum cm_type type; unsigned at; } may[] = {
        {CM_READY, CM_AT_BOOT}, {CM_LINE, 14}, {CM_KEX, 14}, {CM_HOSTKEY, 10}, {CM_AUTH_NEXT, 4}, {CM_PK_OK, 4}, {CM_PROMPTS, 4},
        {CM_PASSWD_CHANGE, 4}, {CM_BANNER, 4}, {CM_AUTH_DONE, 4}, {CM_SESSION_OPEN, 8}, {CM_REFUSED, 8}, {CM_EXIT, 8},
        {CM_SUSPEND, 8}, {CM_LISTENING, 8}, {CM_FORWARD_OPEN, 8}, {CM_AGENT_OPEN, 8}, {CM_HOSTKEYS, 8}, {CM_PROVED, 8}, {CM_FAILED, 15}, {CM_END, 8}};
    static union cm_body zero;
    struct cm_message m;
    size_t n;
    (void)state;
    assert_int_equal(COUNT_OF(may), CM_COUNT - CM_READY);
    for (size_t i = 0; i < COUNT_OF(may); i++)
        for (unsigned at = 1; at <= 8; at *= 2) {
            assert_int_equal(cm_write(may[i].type, &zero, buf, sizeof buf, &n), ERR_NONE);
            assert_int_equal(cm_parse(bytes_of(buf, n), true, at, &m), (may[i].at & at) ? ERR_NONE : ERR_STATE);
        }
    for (unsigned type = 0; type < CM_READY; type++) {      /* the UI's own messages never come from the transport */
        assert_int_equal(cm_write((enum cm_type)type, &zero, buf, sizeof buf, &n), ERR_NONE);
        assert_int_equal(cm_parse(bytes_of(buf, n), true, 15, &m), ERR_PROTOCOL);
    }
}

static void test_lists_and_strings_are_bounded(void **state)
{
    struct cm_prompts p = {.texts = {.n = PROMPTS_MAX + 1}};
    struct cm_line l = {0, bytes_of(buf, 5000)};
    size_t n;
    (void)state;
    assert_int_equal(cm_write(CM_PROMPTS, &p, in, sizeof in, &n), ERR_TOO_LONG);
    assert_int_equal(cm_write(CM_LINE, &l, in, sizeof in, &n), ERR_TOO_LONG);
    static const uint8_t many[] = {0, 0, 0, CM_ANSWERS, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff};
    struct cm_message m;
    assert_int_equal(cm_parse(bytes_of(many, sizeof many), false, 0, &m), ERR_TOO_LONG);
}

static void test_descriptors_are_counted_and_never_leaked(void **state)
{
    int sv[2], null = open("/dev/null", O_RDWR), fds[3] = {null, null, null};
    struct cm_message m;
    struct cm_exit e = {0};
    struct cm_direct d = {.port = 1};
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
    assert_int_equal(cm_recv(sv[1], true, 15, false, in, &m), ERR_AGAIN);
    assert_int_equal(cm_send(sv[0], CM_DIRECT, &d, fds, 1), ERR_NONE);
    assert_int_equal(cm_recv(sv[1], false, 0, true, in, &m), ERR_NONE);
    assert_int_equal(m.fd_count, 1);
    int first = m.fds[0];
    close(first);
    assert_int_equal(cm_send(sv[0], CM_EXIT, &e, fds, 3), ERR_NONE);     /* a message that may carry none */
    assert_int_equal(cm_recv(sv[1], true, CM_AT_SESSION, true, in, &m), ERR_FORMAT);
    assert_int_equal(cm_send(sv[0], CM_DIRECT, &d, NULL, 0), ERR_NONE);  /* and one that lacks its own */
    assert_int_equal(cm_recv(sv[1], false, 0, true, in, &m), ERR_FORMAT);
    int next = dup(null);
    assert_int_equal(next, first);
    close(next), close(null), close(sv[0]);
    assert_int_equal(cm_recv(sv[1], true, 15, true, in, &m), ERR_PEER_GONE);
    close(sv[1]);
}

static void test_the_last_words_are_heard_though_ours_were_never_read(void **state)
{
    int sv[2];
    struct cm_message m;
    struct cm_direct d = {.port = 1};
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
    assert_int_equal(cm_send(sv[1], CM_DIRECT, &d, NULL, 0), ERR_NONE);
    assert_int_equal(cm_send(sv[0], CM_FAILED, &(struct cm_failed){0}, NULL, 0), ERR_NONE);
    close(sv[0]);
    assert_int_equal(cm_recv(sv[1], true, CM_AT_SESSION, true, in, &m), ERR_NONE);
    assert_int_equal(m.type, CM_FAILED);
    assert_int_equal(cm_recv(sv[1], true, CM_AT_SESSION, true, in, &m), ERR_PEER_GONE);
    close(sv[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_message_comes_back_as_it_was),
        cmocka_unit_test(test_every_shorter_and_longer_form_is_refused),
        cmocka_unit_test(test_the_transport_may_speak_only_in_its_turn),
        cmocka_unit_test(test_lists_and_strings_are_bounded),
        cmocka_unit_test(test_the_last_words_are_heard_though_ours_were_never_read),
        cmocka_unit_test(test_descriptors_are_counted_and_never_leaked),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("priv-client", tests, NULL, NULL);
}
