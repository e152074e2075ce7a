/* SPDX-License-Identifier: ISC */
/* The desk beside an executor that answers when the test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kit/file_desk.h"
#include "kit/files.h"

/* ---- an executor ---- */

struct question {
    uint32_t id;
    enum sftp_verb verb;
};

struct place {
    struct desk *desk;
    struct question asked[4096];
    size_t first, end;                  /* without answer */
    size_t most;                        /* at once */
    unsigned of_verb[SFTP_VERB_COUNT];
    bool deaf;                          /* the line is broken */
};

static bool ask(void *ctx, const struct sftp_op *op, const int fds[2])
{
    struct place *p = ctx;
    (void)fds;
    assert_true(p->end < COUNT_OF(p->asked));
    p->asked[p->end++] = (struct question){op->id, op->verb};
    p->of_verb[op->verb]++;
    if (p->end - p->first > p->most) p->most = p->end - p->first;
    return !p->deaf;
}

/* The oldest question: a file (with a handle for the log) where one is opened, else OK. */
static void answer(struct place *p, int source)
{
    const struct question q = p->asked[p->first++];
    struct sftp_result r = {.kind = SFTP_STATUS, .id = q.id};
    int fd = -1;
    if (files_answers_fd(q.verb)) {
        r.kind = SFTP_HANDLE, r.handle = BYTES_LIT("1234");
        fd = dup(source);
        assert_true(fd >= 0);
    }
    assert_int_equal(desk_answer(p->desk, &r, fd), ERR_NONE);
}

static void begin(struct place *p, unsigned *fds_left)
{
    static const uint8_t init[] = {0, 0, 0, 5, SSH_FXP_INIT, 0, 0, 0, 3};
    const struct desk_setup setup = {.fds_left = fds_left, .ask = ask, .ctx = p};
    memset(p, 0, sizeof *p);
    p->desk = desk_new(&setup);
    assert_non_null(p->desk);
    assert_int_equal(desk_input(p->desk, bytes_of(init, sizeof init)), ERR_NONE);
}

static void say(struct place *p, const struct sftp_op *op)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(65536);
    sftp_op_write(&w, op);
    assert_int_equal(wr_done(&w), ERR_NONE);
    assert_int_equal(desk_input(p->desk, wr_bytes(&w)), ERR_NONE);
}

/* All replies that wait; nothing is read from files. */
static size_t listen_to(struct place *p)
{
    static uint8_t room[1024 * 1024];
    const struct span s = {room, sizeof room};
    return desk_fill(p->desk, &s, 1, true);
}

static struct bytes handle(uint32_t slot, uint8_t room[8])
{
    put_u32(room, slot), put_u32(room + 4, 1);
    return bytes_of(room, 8);
}

static int file_of(size_t size)
{
    int fd = memfd_create("desk", 0);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    return fd;
}

static void open_files(struct place *p, unsigned n, int source)
{
    for (uint32_t i = 0; i < n; i++) {
        say(p, &(struct sftp_op){.verb = SFTP_VERB_OPEN, .id = i, .path = BYTES_LIT("x"), .flags = SSH_FXF_READ});
        answer(p, source);
    }
}

/* ---- */

/* Each file whose hash ends after its CLOSE has its end told to the executor, however slow that one is. */
static void hashes_wait_while_the_executor_is_full(void **state)
{
    enum { FILES = 100 };
    (void)state;
    static struct place p;
    unsigned left = 1000;
    uint8_t room[8];
    int file = file_of(4096);
    begin(&p, &left);
    open_files(&p, FILES, file);
    for (uint32_t i = 0; i < FILES; i++) {
        say(&p, &(struct sftp_op){.verb = SFTP_VERB_CHECK_FILE_HANDLE, .id = 1000 + i, .handle = handle(i, room), .text = BYTES_LIT("sha256")});
        say(&p, &(struct sftp_op){.verb = SFTP_VERB_CLOSE, .id = 2000 + i, .handle = handle(i, room)});
    }
    for (uint32_t i = 0; i < 2 * DESK_ASKED_MAX; i++) say(&p, &(struct sftp_op){.verb = SFTP_VERB_STAT, .id = 3000 + i, .path = BYTES_LIT("x")});
    for (int i = 0; i < 2 * FILES && desk_working(p.desk); i++) desk_work(p.desk);
    for (int i = 0; p.first < p.end || desk_working(p.desk); i++) {
        if (p.first < p.end) answer(&p, file);
        if (desk_working(p.desk)) desk_work(p.desk);
        (void)listen_to(&p);
    }
    assert_true(p.most <= DESK_ASKED_MAX);
    assert_int_equal(p.of_verb[SFTP_VERB_CLOSE], FILES);
    assert_int_equal(p.of_verb[SFTP_VERB_STAT], 2 * DESK_ASKED_MAX);
    assert_int_equal(desk_error(p.desk), ERR_NONE);
    assert_true(desk_idle(p.desk));
    assert_int_equal(left, 1000);
    desk_free(p.desk, NULL);
    close(file);
}

/* Two channels ask for files at once: each one that may still come is set aside when it is asked for. */
static void desks_share_what_descriptors_are_left(void **state)
{
    (void)state;
    static struct place p[2];
    unsigned left = 70;
    int file = file_of(0);
    for (size_t i = 0; i < 2; i++) {
        begin(&p[i], &left);
        for (uint32_t k = 0; k < DESK_OPENS_MAX; k++)
            say(&p[i], &(struct sftp_op){.verb = SFTP_VERB_OPEN, .id = k, .path = BYTES_LIT("x"), .flags = SSH_FXF_READ});
    }
    assert_int_equal(p[0].end + p[1].end, 70);
    answer(&p[0], file);
    answer(&p[1], file);
    assert_int_equal(left, 0);
    const struct sftp_result no = {.kind = SFTP_STATUS, .id = p[1].asked[p[1].first++].id, .status = SSH_FX_FAILURE};
    assert_int_equal(desk_answer(p[1].desk, &no, -1), ERR_NONE);
    assert_int_equal(left, 1);
    desk_free(p[0].desk, NULL);
    desk_free(p[1].desk, NULL);
    assert_int_equal(left, 70);
    close(file);
}

/* A device never ends, and its bytes need not be those that were seen. */
static void only_regular_files_are_hashed(void **state)
{
    (void)state;
    static struct place p;
    unsigned left = 10;
    uint8_t room[8];
    int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    assert_true(zero >= 0);
    begin(&p, &left);
    open_files(&p, 1, zero);
    say(&p, &(struct sftp_op){.verb = SFTP_VERB_CHECK_FILE_HANDLE, .id = 7, .handle = handle(0, room), .text = BYTES_LIT("sha256")});
    say(&p, &(struct sftp_op){.verb = SFTP_VERB_CHECK_FILE_NAME, .id = 8, .path = BYTES_LIT("x"), .text = BYTES_LIT("sha256")});
    answer(&p, zero);
    (void)listen_to(&p);
    for (int i = 0; i < 2; i++) desk_work(p.desk);
    assert_false(desk_working(p.desk));
    assert_int_equal(left, 9);
    assert_true(listen_to(&p) > 0);
    assert_true(desk_idle(p.desk));
    desk_free(p.desk, NULL);
    close(zero);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hashes_wait_while_the_executor_is_full),
                                       cmocka_unit_test(desks_share_what_descriptors_are_left), cmocka_unit_test(only_regular_files_are_hashed)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
