/* SPDX-License-Identifier: ISC */
/* The desk between a peer and an executor that the test plays: order, rooms of any size, and answers that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kit/file_desk.h"

static struct desk *d;
static struct sftp_op asked[DESK_ASKED_MAX];
static unsigned asked_n, fds_left;
static struct wr out;

static bool ask(void *ctx, const struct sftp_op *op, const int fds[2])
{
    (void)ctx, (void)fds;
    asked[asked_n++ % DESK_ASKED_MAX] = *op;
    return true;
}

/* All bytes for the peer, through rooms of these sizes. */
static void take(size_t room_size, size_t rooms)
{
    static uint8_t room[600000];
    struct span spans[64];
    for (int turn = 0; desk_wants(d) > 0 && turn < 1000000; turn++) {
        for (size_t i = 0; i < rooms; i++) spans[i] = (struct span){room + i * room_size, room_size};
        size_t n = desk_fill(d, spans, rooms, true);
        if (n == 0) break;
        wr_raw(&out, bytes_of(room, n));
    }
}

static void feed(const struct sftp_op *op)
{
    struct wr w = wr_heap(65536);
    sftp_op_write(&w, op);
    assert_int_equal(desk_input(d, wr_bytes(&w)), ERR_NONE);
    wr_clear(&w);
}

static void begin(void)
{
    const struct desk_setup setup = {.fds_left = &fds_left, .ask = ask};
    fds_left = 100, asked_n = 0;
    d = desk_new(&setup);
    assert_non_null(d);
    out = wr_heap(16 * 1024 * 1024);
    assert_int_equal(desk_input(d, BYTES_LIT("\0\0\0\5\1\0\0\0\3")), ERR_NONE);
    take(4096, 1);
    out.n = 0;
}

static void end(void)
{
    desk_free(d, NULL);
    assert_int_equal(fds_left, 100);
    wr_clear(&out);
}

/* A file of n bytes, opened by the peer; its wire handle into handle. */
static struct bytes open_file(size_t n, uint8_t handle[16])
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    uint8_t *content = malloc(n + 1);
    for (size_t i = 0; i < n; i++) content[i] = (uint8_t)(i * 7 + i / 251);
    assert_int_equal(write(fd, content, n), (ssize_t)n);
    free(content);
    feed(&(struct sftp_op){.verb = SFTP_VERB_OPEN, .id = 1, .path = BYTES_LIT("x"), .flags = SSH_FXF_READ});
    const struct sftp_result r = {.kind = SFTP_HANDLE, .id = asked[(asked_n - 1) % DESK_ASKED_MAX].id};
    assert_int_equal(desk_answer(d, &r, fd), ERR_NONE);
    take(4096, 1);
    struct rd rd = rd_init(wr_bytes(&out));
    struct sftp_result got;
    assert_int_equal(sftp_result_parse(rd_string(&rd), SFTP_VERB_OPEN, &got), ERR_NONE);
    memcpy(handle, got.handle.p, got.handle.n);
    out.n = 0;
    return bytes_of(handle, got.handle.n);
}

static void a_read_is_the_same_through_rooms_of_any_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 12, 13, 14, 100, 4096, 32768, 300000};
    uint8_t handle[16];
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (size_t rooms = 1; rooms <= 2; rooms++) {
            begin();
            struct bytes h = open_file(260000, handle);
            feed(&(struct sftp_op){.verb = SFTP_VERB_READ, .id = 5, .handle = h, .offset = 3, .length = 100000});
            feed(&(struct sftp_op){.verb = SFTP_VERB_READ, .id = 6, .handle = h, .offset = 259990, .length = 100000});
            feed(&(struct sftp_op){.verb = SFTP_VERB_READ, .id = 7, .handle = h, .offset = 260000, .length = 10});
            take(sizes[i], rooms);
            struct rd rd = rd_init(wr_bytes(&out));
            static const struct { uint32_t id; size_t n, from; } want[] = {{5, 100000, 3}, {6, 10, 259990}};
            for (size_t k = 0; k < COUNT_OF(want); k++) {
                struct sftp_result r;
                assert_int_equal(sftp_result_parse(rd_string(&rd), SFTP_VERB_READ, &r), ERR_NONE);
                assert_int_equal(r.id, want[k].id);
                assert_int_equal(r.data.n, want[k].n);
                for (size_t b = 0; b < r.data.n; b++)
                    if (r.data.p[b] != (uint8_t)((b + want[k].from) * 7 + (b + want[k].from) / 251)) fail_msg("byte %zu", b);
            }
            struct sftp_result r;
            assert_int_equal(sftp_result_parse(rd_string(&rd), SFTP_VERB_READ, &r), ERR_NONE);
            assert_int_equal(r.kind == SFTP_STATUS ? r.status : 99, SSH_FX_EOF);
            assert_int_equal(rd_done(&rd), ERR_NONE);
            assert_true(desk_idle(d));
            end();
        }
    }
}

static void a_reply_that_does_not_fit_waits_unless_there_will_be_no_more_room(void **state)
{
    (void)state;
    uint8_t handle[16], room[1000];
    const struct span one = {room, sizeof room};
    begin();
    struct bytes h = open_file(5000, handle);
    feed(&(struct sftp_op){.verb = SFTP_VERB_READ, .id = 5, .handle = h, .length = 5000});
    assert_int_equal(desk_wants(d), SFTP_DATA_HEAD + 5000);
    assert_int_equal(desk_fill(d, &one, 1, false), 0);
    assert_int_equal(desk_fill(d, &one, 1, true), sizeof room);
    assert_int_equal(desk_wants(d), SFTP_DATA_HEAD + 5000 - sizeof room);
    end();
}

static void a_file_closes_when_nothing_is_out_about_it(void **state)
{
    (void)state;
    uint8_t handle[16];
    begin();
    struct bytes h = open_file(10, handle);
    assert_int_equal(fds_left, 99);
    feed(&(struct sftp_op){.verb = SFTP_VERB_FSETSTAT, .id = 8, .handle = h});
    uint32_t question = asked[(asked_n - 1) % DESK_ASKED_MAX].id;
    feed(&(struct sftp_op){.verb = SFTP_VERB_CLOSE, .id = 9, .handle = h});
    assert_int_equal(desk_wants(d), 0);
    assert_int_equal(fds_left, 99);
    const struct sftp_result r = {.kind = SFTP_STATUS, .id = question, .status = SSH_FX_OK};
    assert_int_equal(desk_answer(d, &r, -1), ERR_NONE);
    assert_int_equal(fds_left, 100);
    take(4096, 1);
    assert_true(desk_idle(d));
    end();
}

/* An executor is a user's process: what it answers is held to what was asked. */
static void answers_that_are_none_are_refused_and_their_descriptors_closed(void **state)
{
    (void)state;
    static const struct { enum sftp_verb verb; struct sftp_result r; bool fd, id_wrong; } rows[] = {
        {SFTP_VERB_OPEN, {.kind = SFTP_HANDLE}, false, false},
        {SFTP_VERB_OPEN, {.kind = SFTP_STATUS, .status = SSH_FX_FAILURE}, true, false},
        {SFTP_VERB_OPEN, {.kind = SFTP_HANDLE}, true, true},
        {SFTP_VERB_OPEN, {.kind = SFTP_HANDLE, .handle = {(const uint8_t *)"123456789", 9}}, true, false},
        {SFTP_VERB_OPENDIR, {.kind = SFTP_HANDLE}, true, false},
        {SFTP_VERB_STAT, {.kind = SFTP_ATTRS}, true, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin();
        feed(&(struct sftp_op){.verb = rows[i].verb, .id = 1, .path = BYTES_LIT("x")});
        struct sftp_result r = rows[i].r;
        r.id = asked[0].id + rows[i].id_wrong;
        int fd = rows[i].fd ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
        if (desk_answer(d, &r, fd) != ERR_PROTOCOL) fail_msg("row %zu", i);
        if (fd >= 0) assert_int_equal(fcntl(fd, F_GETFD), -1);
        end();
    }
    begin();
    const struct sftp_result r = {.kind = SFTP_STATUS};
    assert_int_equal(desk_answer(d, &r, -1), ERR_PROTOCOL);     /* nothing was asked */
    end();
}

static void what_is_out_stays_within_its_bounds(void **state)
{
    (void)state;
    begin();
    for (uint32_t i = 0; i < 5000; i++) feed(&(struct sftp_op){.verb = i % 2 ? SFTP_VERB_STAT : SFTP_VERB_OPEN, .id = i, .path = BYTES_LIT("x"), .flags = 1});
    assert_int_equal(asked_n, 2 * DESK_OPENS_MAX - 1);
    for (unsigned done = 0; done < asked_n; done++) {
        const struct sftp_result r = {.kind = SFTP_STATUS, .id = asked[done % DESK_ASKED_MAX].id, .status = SSH_FX_NO_SUCH_FILE};
        assert_int_equal(desk_answer(d, &r, -1), ERR_NONE);
        assert_true(asked_n - done <= DESK_ASKED_MAX);
    }
    assert_int_equal(asked_n, 5000);
    end();
    /* no descriptors left */
    begin();
    fds_left = 0;
    feed(&(struct sftp_op){.verb = SFTP_VERB_OPEN, .id = 1, .path = BYTES_LIT("x")});
    assert_int_equal(asked_n, 0);
    fds_left = 100;
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_is_the_same_through_rooms_of_any_size),
        cmocka_unit_test(a_reply_that_does_not_fit_waits_unless_there_will_be_no_more_room), cmocka_unit_test(a_file_closes_when_nothing_is_out_about_it),
        cmocka_unit_test(answers_that_are_none_are_refused_and_their_descriptors_closed), cmocka_unit_test(what_is_out_stays_within_its_bounds)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
