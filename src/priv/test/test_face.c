/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

#include "os/message.h"
#include "priv/face.h"
#include "priv/face_conf.h"

/* The turns as ARCHITECTURE 3 wants them, by hand: not made from the table. */
static const struct {
    uint32_t type;
    const char *stages;         /* h(ello) k(ex) a(uth) s(ession) */
} expected[] = {
    {ASK_HELLO, "h"}, {ASK_IDENT, "ka"}, {ASK_SIGN, "ks"}, {ASK_AUTH_OTHER, "a"}, {ASK_AUTH_SECRET, "a"}, {ASK_AUTH_KEY, "a"},
    {ASK_AUTH_KEY_BIG, "a"}, {ASK_PTY, "s"}, {ASK_ENV, "s"}, {ASK_START, "s"}, {ASK_START_BIG, "s"}, {ASK_SIGNAL, "s"}, {ASK_CLOSE, "s"},
    {ASK_CONNECT, "s"}, {ASK_LISTEN, "s"}, {ASK_CANCEL, "s"}, {ASK_PROVE, "s"}, {ASK_AGENT, "s"}, {ASK_GROUP, "ks"}, {ASK_LINE, "kas"}, {ASK_BYE, "kas"},
};

static size_t size_of(uint32_t type)
{
    static const size_t sizes[] = {
#define X(name, st, stages, once, fds) sizeof(struct st),
        ASK_TABLE(X)
#undef X
    };
    return sizes[type];
}

static void every_message_has_its_stages_and_no_others(void **state)
{
    (void)state;
    static const char letters[] = "hkas";
    assert_int_equal(COUNT_OF(expected), ASK_COUNT);
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        for (unsigned s = 0; s < 4; s++) {
            struct ask_turns t = {.stage = 1u << s};
            uint32_t type = expected[i].type;
            bool may = strchr(expected[i].stages, letters[s]) != NULL;
            assert_int_equal(ask_check(&t, type, size_of(type), type == ASK_HELLO), may ? ERR_NONE : ERR_STATE);
        }
}

static void a_length_off_by_one_or_an_unknown_type_is_refused(void **state)
{
    (void)state;
    for (uint32_t type = 0; type < ASK_COUNT; type++)
        for (unsigned s = 0; s < 4; s++) {
            struct ask_turns t = {.stage = 1u << s};
            assert_int_equal(ask_check(&t, type, size_of(type) - 1, type == ASK_HELLO), ERR_FORMAT);
            assert_int_equal(ask_check(&t, type, size_of(type) + 1, type == ASK_HELLO), ERR_FORMAT);
            assert_int_equal(ask_check(&t, type, size_of(type), type != ASK_HELLO), ERR_FORMAT);
        }
    struct ask_turns t = {.stage = AT_ANY};
    assert_int_equal(ask_check(&t, ASK_COUNT, 4, 0), ERR_FORMAT);
    assert_int_equal(ask_check(&t, UINT32_MAX, 4, 0), ERR_FORMAT);
}

static void what_may_come_once_comes_once(void **state)
{
    (void)state;
    int pair[2], fd;
    static union ask in;
    assert_int_equal(message_pair(pair), ERR_NONE);
    struct ask_turns t = {.stage = AT_HELLO};
    struct ask_hello hello = {ASK_HELLO};
    assert_int_equal(ask_send(pair[0], &hello, 0), ERR_NONE);
    assert_int_equal(ask_send(pair[0], &hello, 0), ERR_NONE);
    assert_int_equal(ask_recv(pair[1], &t, &in, true, &fd), ERR_NONE);
    close(fd);
    assert_int_equal(ask_recv(pair[1], &t, &in, true, &fd), ERR_STATE);
    close(pair[0]), close(pair[1]);
}

static void a_length_beyond_its_field_is_no_view(void **state)
{
    (void)state;
    struct ask_close dummy;
    uint8_t field[4];
    (void)dummy;
    assert_int_equal(bounded(field, 4, sizeof field).err, ERR_NONE);
    assert_int_equal(bounded(field, 5, sizeof field).err, ERR_FORMAT);
    assert_int_equal(bounded(field, UINT32_MAX, sizeof field).err, ERR_FORMAT);
    assert_null(bounded(field, 5, sizeof field).b.p);
}

static void settings_survive_the_trip(void **state)
{
    (void)state;
    struct face_conf c = {.jail_uid = 7, .software = BYTES_LIT("x"), .kex = BYTES_LIT("a,b"), .rekey_bytes = 1ULL << 40, .hostkey_count = 2}, d;
    c.hostkey[1].algs = BYTES_LIT("ssh-ed25519");
    struct wr w CLEANUP(wr_clear) = wr_heap(FACE_CONF_MAX);
    face_conf_write(&w, &c);
    assert_int_equal(wr_done(&w), ERR_NONE);
    assert_int_equal(face_conf_parse(wr_bytes(&w), &d), ERR_NONE);
    assert_int_equal(d.jail_uid, 7);
    assert_true(bytes_is(d.hostkey[1].algs, "ssh-ed25519"));
    assert_true(d.rekey_bytes == c.rekey_bytes);
    for (size_t n = 0; n < w.n; n++) assert_int_not_equal(face_conf_parse(bytes_of(w.p, n), &d), ERR_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_has_its_stages_and_no_others), cmocka_unit_test(a_length_off_by_one_or_an_unknown_type_is_refused),
        cmocka_unit_test(what_may_come_once_comes_once), cmocka_unit_test(a_length_beyond_its_field_is_no_view),
        cmocka_unit_test(settings_survive_the_trip),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
