/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "full_op.h"
#include "sftp/server.h"

struct talk {
    struct sftp_server *s;
    struct wr in;
    size_t at;
};

static struct talk talk_begin(const struct sftp_server_setup *setup)
{
    struct talk t = {.s = sftp_server_new(setup ? setup : &(struct sftp_server_setup){0}), .in = wr_heap(8 << 20)};
    struct sftp_event ev;
    size_t used;
    static const uint8_t init[] = {0, 0, 0, 5, 1, 0, 0, 0, 3};
    assert_non_null(t.s);
    assert_int_equal(sftp_server_next(t.s, bytes_of(init, sizeof init), &used, &ev), ERR_NONE);
    assert_int_equal(ev.type, SFTP_EV_INIT);
    assert_int_equal(ev.version, 3);
    return t;
}

static void talk_end(struct talk *t)
{
    sftp_server_free(t->s);
    wr_clear(&t->in);
}

/* The next event of what was written to t->in, at most `piece` bytes shown at once. */
static struct sftp_event talk_next(struct talk *t, size_t piece)
{
    struct sftp_event ev;
    for (;;) {
        size_t used, n = t->in.n - t->at < piece ? t->in.n - t->at : piece;
        assert_int_equal(sftp_server_next(t->s, bytes_of(t->in.p + t->at, n), &used, &ev), ERR_NONE);
        assert_true(used <= n);
        t->at += used;
        if (ev.type != SFTP_EV_NONE || t->at == t->in.n || sftp_server_full(t->s)) return ev;
    }
}

/* The next reply; what it says of a status. */
static uint32_t talk_status(struct talk *t, uint32_t *id)
{
    struct bytes out = sftp_server_peek(t->s);
    struct sftp_result r;
    assert_true(out.n >= 4 && out.n >= get_u32(out.p) + 4);
    size_t n = get_u32(out.p) + 4;
    assert_int_equal(sftp_result_parse(bytes_of(out.p + 4, n - 4), SFTP_VERB_CLOSE, &r), ERR_NONE);
    if (id) *id = r.id;
    sftp_server_consume(t->s, n);
    return r.status;
}

static void drop_replies(struct talk *t)
{
    sftp_server_consume(t->s, sftp_server_peek(t->s).n);
}

/* Opens a file in `slot`; its wire handle in out[8]. */
static void talk_open(struct talk *t, unsigned slot, bool directory, uint8_t out[8])
{
    drop_replies(t);
    sftp_op_write(&t->in, &(struct sftp_op){.verb = directory ? SFTP_VERB_OPENDIR : SFTP_VERB_OPEN, .id = 1000 + slot, .path = BYTES_LIT("f"),
                                            .flags = SSH_FXF_READ});
    struct sftp_event ev = talk_next(t, SIZE_MAX);
    assert_int_equal(ev.type, SFTP_EV_OP);
    sftp_server_open(t->s, ev.op.id, slot, directory);
    struct bytes reply = sftp_server_peek(t->s);
    assert_int_equal(reply.n, 4 + 1 + 4 + 4 + 8);
    memcpy(out, reply.p + 13, 8);
    drop_replies(t);
}

static void test_version_announces_every_extension_that_is_not_refused(void **state)
{
    struct sftp_server_setup setup = {.refused = 1ULL << SFTP_VERB_HARDLINK};
    (void)state;
    for (unsigned pass = 0; pass < 2; pass++) {
        struct talk t = talk_begin(pass ? &setup : NULL);
        struct bytes out = sftp_server_peek(t.s);
        struct rd r = rd_init(bytes_of(out.p + 4, out.n - 4));
        uint64_t seen = 0;
        assert_int_equal(rd_u8(&r), SSH_FXP_VERSION);
        assert_int_equal(rd_u32(&r), 3);
        while (r.n) {
            enum sftp_verb v = sftp_extension_find(rd_string(&r));
            assert_true(v != SFTP_VERB_COUNT && bytes_is(rd_string(&r), sftp_rows[v].version));
            seen |= 1ULL << v;
        }
        for (unsigned v = 0; v < SFTP_VERB_COUNT; v++)
            assert_int_equal(seen >> v & 1, sftp_rows[v].extension && !(pass && v == SFTP_VERB_HARDLINK));
        talk_end(&t);
    }
}

static void test_the_first_message_is_init(void **state)
{
    struct sftp_server *s = sftp_server_new(&(struct sftp_server_setup){0});
    struct wr w = wr_heap(100);
    struct sftp_event ev;
    size_t used;
    (void)state;
    sftp_op_write(&w, &(struct sftp_op){.verb = SFTP_VERB_STAT, .path = BYTES_LIT("/")});
    assert_int_equal(sftp_server_next(s, wr_bytes(&w), &used, &ev), ERR_STATE);
    assert_int_equal(sftp_server_next(s, (struct bytes){0}, &used, &ev), ERR_STATE);   /* it stays broken */
    wr_clear(&w);
    sftp_server_free(s);
}

static void test_requests_in_any_pieces_are_the_same(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 40; piece++) {
        struct talk t = talk_begin(NULL);
        uint8_t h[8];
        talk_open(&t, 4, false, h);
        uint8_t data[300], got[300];
        for (unsigned i = 0; i < 300; i++) data[i] = (uint8_t)i;
        struct sftp_op op = {.verb = SFTP_VERB_WRITE, .id = 5, .handle = bytes_of(h, 8), .offset = 1000, .length = 300};
        sftp_op_write(&t.in, &op);
        wr_raw(&t.in, bytes_of(data, 300));
        op = full_op(SFTP_VERB_RENAME);
        sftp_op_write(&t.in, &op);
        size_t n = 0;
        struct sftp_event ev;
        do {
            ev = talk_next(&t, piece);
            assert_int_equal(ev.type, SFTP_EV_WRITE);
            assert_int_equal(ev.slot, 4);
            assert_int_equal(ev.op.offset, 1000 + n);
            memcpy(got + n, ev.data.p, ev.data.n);
            n += ev.data.n;
        } while (!ev.last);
        assert_int_equal(n, 300);
        assert_memory_equal(got, data, 300);
        sftp_server_status(t.s, 5, SSH_FX_OK);
        ev = talk_next(&t, piece);
        assert_int_equal(ev.type, SFTP_EV_OP);
        assert_true(bytes_is(ev.op.path, "/a b") && bytes_is(ev.op.path2, "c"));
        talk_end(&t);
    }
}

static void test_a_write_of_nothing_is_told_once(void **state)
{
    struct talk t = talk_begin(NULL);
    uint8_t h[8];
    (void)state;
    talk_open(&t, 0, false, h);
    sftp_op_write(&t.in, &(struct sftp_op){.verb = SFTP_VERB_WRITE, .id = 5, .handle = bytes_of(h, 8)});
    struct sftp_event ev = talk_next(&t, SIZE_MAX);
    assert_true(ev.type == SFTP_EV_WRITE && ev.last && ev.data.n == 0);
    assert_int_equal(talk_next(&t, SIZE_MAX).type, SFTP_EV_NONE);
    talk_end(&t);
}

static void test_a_write_that_is_not_as_long_as_its_message_ends_the_session(void **state)
{
    (void)state;
    for (int add = -1; add <= 1; add += 2) {
        struct talk t = talk_begin(NULL);
        struct sftp_event ev;
        uint8_t h[8];
        size_t used;
        talk_open(&t, 0, false, h);
        sftp_op_write(&t.in, &(struct sftp_op){.verb = SFTP_VERB_WRITE, .id = 5, .handle = bytes_of(h, 8), .length = 100});
        put_u32(t.in.p + t.at, get_u32(t.in.p + t.at) + (uint32_t)add);
        assert_int_not_equal(sftp_server_next(t.s, bytes_of(t.in.p + t.at, t.in.n - t.at), &used, &ev), ERR_NONE);
        talk_end(&t);
    }
}

static void ask(struct talk *t, enum sftp_verb verb, struct bytes handle)
{
    sftp_op_write(&t->in, &(struct sftp_op){.verb = verb, .id = 9, .handle = handle, .handle2 = handle, .length = 10, .path = BYTES_LIT("p")});
    if (verb == SFTP_VERB_WRITE) wr_text(&t->in, "0123456789");
}

static void test_a_closed_handle_never_means_another_file(void **state)
{
    struct talk t = talk_begin(NULL);
    uint8_t old[8], now[8];
    (void)state;
    talk_open(&t, 3, false, old);
    ask(&t, SFTP_VERB_CLOSE, bytes_of(old, 8));
    assert_int_equal(talk_next(&t, SIZE_MAX).slot, 3);
    ask(&t, SFTP_VERB_READ, bytes_of(old, 8));      /* while the CLOSE is being carried out */
    assert_int_equal(talk_next(&t, SIZE_MAX).type, SFTP_EV_NONE);
    assert_int_equal(talk_status(&t, NULL), SSH_FX_FAILURE);
    sftp_server_close(t.s, 3);
    sftp_server_status(t.s, 9, SSH_FX_OK);
    talk_open(&t, 3, false, now);
    assert_memory_not_equal(old, now, 8);
    static const enum sftp_verb verbs[] = {SFTP_VERB_READ, SFTP_VERB_WRITE, SFTP_VERB_FSTAT, SFTP_VERB_FSETSTAT, SFTP_VERB_CLOSE, SFTP_VERB_COPY_DATA};
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        ask(&t, verbs[i], bytes_of(old, 8));
        assert_int_equal(talk_next(&t, SIZE_MAX).type, SFTP_EV_NONE);
        assert_int_not_equal(talk_status(&t, NULL), SSH_FX_OK);
    }
    ask(&t, SFTP_VERB_READ, bytes_of(now, 8));
    assert_int_equal(talk_next(&t, SIZE_MAX).type, SFTP_EV_OP);
    talk_end(&t);
}

static void test_handles_of_wrong_kind_or_length_are_refused(void **state)
{
    struct talk t = talk_begin(NULL);
    uint8_t file[8], dir[8], far[8] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1};
    (void)state;
    talk_open(&t, 0, false, file);
    talk_open(&t, 1, true, dir);
    struct { enum sftp_verb verb; struct bytes handle; } rows[] = {
        {SFTP_VERB_READDIR, bytes_of(file, 8)}, {SFTP_VERB_READ, bytes_of(dir, 8)}, {SFTP_VERB_READ, bytes_of(file, 7)},
        {SFTP_VERB_READ, {0}}, {SFTP_VERB_CLOSE, bytes_of(far, 8)}, {SFTP_VERB_FSTATVFS, bytes_of(dir, 8)},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ask(&t, rows[i].verb, rows[i].handle);
        assert_int_equal(talk_next(&t, SIZE_MAX).type, SFTP_EV_NONE);
        assert_int_not_equal(talk_status(&t, NULL), SSH_FX_OK);
    }
    ask(&t, SFTP_VERB_READDIR, bytes_of(dir, 8));
    assert_int_equal(talk_next(&t, SIZE_MAX).slot, 1);
    talk_end(&t);
}

static void test_read_only_lets_nothing_change(void **state)
{
    struct talk t = talk_begin(&(struct sftp_server_setup){.read_only = true});
    uint8_t h[8];
    (void)state;
    talk_open(&t, 0, false, h);
    for (unsigned v = 0; v < SFTP_VERB_COUNT; v++) {
        if (!sftp_rows[v].changes) continue;
        struct sftp_op op = full_op((enum sftp_verb)v);
        op.handle = op.handle2 = bytes_of(h, 8);
        sftp_op_write(&t.in, &op);
        if (v == SFTP_VERB_WRITE) wr_raw(&t.in, bytes_of((uint8_t[300]){0}, 300));
        assert_int_equal(talk_next(&t, 11).type, SFTP_EV_NONE);
        assert_int_equal(talk_status(&t, NULL), SSH_FX_PERMISSION_DENIED);
    }
    static const uint32_t flags[] = {SSH_FXF_WRITE, SSH_FXF_READ | SSH_FXF_CREAT, SSH_FXF_TRUNC | SSH_FXF_READ, SSH_FXF_APPEND, SSH_FXF_CREAT};
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        sftp_op_write(&t.in, &(struct sftp_op){.verb = SFTP_VERB_OPEN, .path = BYTES_LIT("x"), .flags = flags[i]});
        assert_int_equal(talk_next(&t, SIZE_MAX).type, SFTP_EV_NONE);
        assert_int_equal(talk_status(&t, NULL), SSH_FX_PERMISSION_DENIED);
    }
    talk_end(&t);
}

static void test_opens_beyond_the_limit_fail_and_closing_makes_room(void **state)
{
    struct talk t = talk_begin(&(struct sftp_server_setup){.handles_max = 3});
    uint8_t h[8];
    (void)state;
    for (unsigned i = 0; i < 3; i++) talk_open(&t, i, i == 1, h);
    for (unsigned i = 0; i < 100000; i++) {
        t.in.n = t.at = 0;
        sftp_op_write(&t.in, &(struct sftp_op){.verb = SFTP_VERB_OPEN, .id = i, .path = BYTES_LIT("x"), .flags = SSH_FXF_READ});
        assert_int_equal(talk_next(&t, SIZE_MAX).type, SFTP_EV_NONE);
        assert_int_equal(talk_status(&t, NULL), SSH_FX_FAILURE);
    }
    sftp_server_close(t.s, 0);
    talk_open(&t, 0, false, h);
    talk_end(&t);
}

static void test_opens_under_way_count_too(void **state)
{
    struct talk t = talk_begin(&(struct sftp_server_setup){.handles_max = 2});
    (void)state;
    drop_replies(&t);
    for (unsigned i = 0; i < 3; i++)
        sftp_op_write(&t.in, &(struct sftp_op){.verb = SFTP_VERB_OPEN, .id = i, .path = BYTES_LIT("x"), .flags = SSH_FXF_READ});
    assert_int_equal(talk_next(&t, SIZE_MAX).op.id, 0);
    assert_int_equal(talk_next(&t, SIZE_MAX).op.id, 1);
    assert_int_equal(talk_next(&t, SIZE_MAX).type, SFTP_EV_NONE);
    assert_int_equal(talk_status(&t, NULL), SSH_FX_FAILURE);
    sftp_server_status(t.s, 0, SSH_FX_NO_SUCH_FILE);    /* a failed one gives its place back */
    sftp_op_write(&t.in, &(struct sftp_op){.verb = SFTP_VERB_OPENDIR, .id = 7, .path = BYTES_LIT("x")});
    assert_int_equal(talk_next(&t, SIZE_MAX).op.id, 7);
    talk_end(&t);
}

static void test_input_stops_at_the_limits_and_goes_on(void **state)
{
    struct talk t = talk_begin(NULL);
    unsigned n = 0;
    (void)state;
    for (unsigned i = 0; i < 3000; i++) sftp_op_write(&t.in, &(struct sftp_op){.verb = SFTP_VERB_STAT, .id = i, .path = BYTES_LIT("x")});
    while (talk_next(&t, SIZE_MAX).type == SFTP_EV_OP) n++;
    assert_int_equal(n, SFTP_UNANSWERED_MAX);
    assert_true(sftp_server_full(t.s));
    for (unsigned i = n; i-- > 0;) sftp_server_status(t.s, i, SSH_FX_OK);    /* in the reverse order */
    while (talk_next(&t, SIZE_MAX).type == SFTP_EV_OP) n++;
    assert_int_equal(n, 2 * SFTP_UNANSWERED_MAX);
    talk_end(&t);

    t = talk_begin(NULL);       /* requests that are answered inside, by a peer that reads nothing */
    for (unsigned i = 0; i < 30000; i++) sftp_op_write(&t.in, &(struct sftp_op){.verb = SFTP_VERB_LIMITS, .id = i});
    assert_int_equal(talk_next(&t, SIZE_MAX).type, SFTP_EV_NONE);
    assert_true(sftp_server_full(t.s) && t.at < t.in.n);
    assert_true(sftp_server_peek(t.s).n < SFTP_REPLIES_MAX + 100);
    drop_replies(&t);
    assert_int_equal(talk_next(&t, SIZE_MAX).type, SFTP_EV_NONE);
    assert_true(t.at == t.in.n);
    talk_end(&t);
}

static void test_lengths_a_peer_cannot_have_are_errors(void **state)
{
    static const uint8_t zero[] = {0, 0, 0, 0, 3}, huge[] = {0xff, 0xff, 0xff, 0xff, 3}, handle[] = {0, 0, 2, 0, 6, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff};
    static const struct { struct bytes b; enum err e; } rows[] = {
        {{zero, sizeof zero}, ERR_FORMAT}, {{huge, sizeof huge}, ERR_TOO_LONG}, {{handle, sizeof handle}, ERR_TOO_LONG},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct talk t = talk_begin(NULL);
        struct sftp_event ev;
        size_t used;
        assert_int_equal(sftp_server_next(t.s, rows[i].b, &used, &ev), rows[i].e);
        talk_end(&t);
    }
}

static void test_long_reads_and_long_paths_are_cut_or_refused(void **state)
{
    struct talk t = talk_begin(NULL);
    uint8_t h[8], path[SFTP_PATH_MAX];
    (void)state;
    memset(path, 'p', sizeof path);
    talk_open(&t, 0, false, h);
    sftp_op_write(&t.in, &(struct sftp_op){.verb = SFTP_VERB_READ, .id = 1, .handle = bytes_of(h, 8), .length = UINT32_MAX});
    assert_int_equal(talk_next(&t, SIZE_MAX).op.length, SFTP_DATA_MAX);
    sftp_op_write(&t.in, &(struct sftp_op){.verb = SFTP_VERB_STAT, .id = 2, .path = bytes_of(path, SFTP_PATH_MAX)});
    assert_int_equal(talk_next(&t, 7).type, SFTP_EV_NONE);
    assert_int_equal(talk_status(&t, NULL), SSH_FX_BAD_MESSAGE);
    sftp_op_write(&t.in, &(struct sftp_op){.verb = SFTP_VERB_STAT, .id = 2, .path = bytes_of(path, SFTP_PATH_MAX - 1)});
    assert_int_equal(talk_next(&t, 7).type, SFTP_EV_OP);
    talk_end(&t);
}

static void test_an_answer_to_nothing_is_a_fault_of_the_programs(void **state)
{
    struct talk t = talk_begin(NULL);
    struct sftp_event ev;
    size_t used;
    (void)state;
    sftp_server_status(t.s, 77, SSH_FX_OK);
    assert_int_equal(sftp_server_next(t.s, (struct bytes){0}, &used, &ev), ERR_USAGE);
    talk_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_announces_every_extension_that_is_not_refused),
        cmocka_unit_test(test_the_first_message_is_init),
        cmocka_unit_test(test_requests_in_any_pieces_are_the_same),
        cmocka_unit_test(test_a_write_of_nothing_is_told_once),
        cmocka_unit_test(test_a_write_that_is_not_as_long_as_its_message_ends_the_session),
        cmocka_unit_test(test_a_closed_handle_never_means_another_file),
        cmocka_unit_test(test_handles_of_wrong_kind_or_length_are_refused),
        cmocka_unit_test(test_read_only_lets_nothing_change),
        cmocka_unit_test(test_opens_beyond_the_limit_fail_and_closing_makes_room),
        cmocka_unit_test(test_opens_under_way_count_too),
        cmocka_unit_test(test_input_stops_at_the_limits_and_goes_on),
        cmocka_unit_test(test_lengths_a_peer_cannot_have_are_errors),
        cmocka_unit_test(test_long_reads_and_long_paths_are_cut_or_refused),
        cmocka_unit_test(test_an_answer_to_nothing_is_a_fault_of_the_programs),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("sftp-server", tests, NULL, NULL);
}
