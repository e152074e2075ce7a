/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "full_op.h"

/* ---- requests ---- */

static void test_every_request_survives_its_bytes_and_no_shorter_form_is_taken(void **state)
{
    (void)state;
    for (unsigned v = 0; v < SFTP_VERB_COUNT; v++) {
        struct wr w = wr_heap(4096), again = wr_heap(4096);
        struct sftp_op op = full_op((enum sftp_verb)v), got;
        sftp_op_write(&w, &op);
        struct bytes m = bytes_of(w.p + 4, w.n - 4);
        size_t data = v == SFTP_VERB_WRITE ? 300 : 0;
        assert_int_equal(get_u32(w.p), m.n + data);
        assert_int_equal(sftp_op_parse(m, &got), ERR_NONE);
        assert_int_equal(got.verb, v);
        sftp_op_write(&again, &got);
        assert_true(bytes_equal(wr_bytes(&w), wr_bytes(&again)));
        for (size_t n = 0; n < m.n; n++) assert_int_not_equal(sftp_op_parse(bytes_of(m.p, n), &got), ERR_NONE);
        wr_u8(&w, 0);
        enum err longer = sftp_op_parse(bytes_of(w.p + 4, w.n - 4), &got);
        assert_int_equal(longer, v == SFTP_VERB_WRITE ? ERR_NONE : ERR_TRAILING);
        wr_clear(&w), wr_clear(&again);
    }
}

static void test_bytes_of_an_open_are_the_drafts(void **state)
{
    static const uint8_t want[] = {0, 0, 0, 22, 3, 0, 0, 0, 7, 0, 0, 0, 1, 'f', 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 1, 0xa4};
    struct wr w = wr_heap(100);
    (void)state;
    sftp_op_write(&w, &(struct sftp_op){.verb = SFTP_VERB_OPEN, .id = 7, .path = BYTES_LIT("f"), .flags = SSH_FXF_READ,
                                        .attrs = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .mode = 0644}});
    assert_true(bytes_equal(wr_bytes(&w), bytes_of(want, sizeof want)));
    wr_clear(&w);
}

static void test_a_nul_in_a_path_is_an_error(void **state)
{
    struct wr w = wr_heap(1000);
    struct sftp_op op = full_op(SFTP_VERB_RENAME), got;
    (void)state;
    op.path2 = BYTES_LIT("a\0b");
    sftp_op_write(&w, &op);
    assert_int_equal(sftp_op_parse(bytes_of(w.p + 4, w.n - 4), &got), ERR_FORMAT);
    wr_clear(&w);
}

static void test_unknown_requests_keep_their_id(void **state)
{
    static const uint8_t type[] = {99, 0, 0, 0, 5, 1, 2, 3}, ext[] = {200, 0, 0, 0, 6, 0, 0, 0, 1, 'x', 9};
    struct sftp_op got = {0};
    (void)state;
    assert_int_equal(sftp_op_parse(bytes_of(type, sizeof type), &got), ERR_UNSUPPORTED);
    assert_int_equal(got.id, 5);
    assert_int_equal(sftp_op_parse(bytes_of(ext, sizeof ext), &got), ERR_UNSUPPORTED);
    assert_int_equal(got.id, 6);
}

static void test_extended_attributes_are_skipped_and_their_count_is_bounded_by_bytes(void **state)
{
    static const uint8_t one[] = {0x80, 0, 0, 4, 0, 0, 1, 0xed, 0, 0, 0, 1, 0, 0, 0, 1, 'a', 0, 0, 0, 1, 'b'};
    static const uint8_t many[] = {0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0};
    struct rd r = rd_init(bytes_of(one, sizeof one));
    (void)state;
    struct sftp_attrs a = sftp_attrs_read(&r);
    assert_int_equal(rd_done(&r), ERR_NONE);
    assert_int_equal(a.flags, SSH_FILEXFER_ATTR_PERMISSIONS);
    assert_int_equal(a.mode, 0755);
    r = rd_init(bytes_of(many, sizeof many));
    (void)sftp_attrs_read(&r);
    assert_int_equal(rd_done(&r), ERR_TRUNCATED);
}

static void test_policy_and_extension_names_are_found(void **state)
{
    (void)state;
    assert_int_equal(sftp_verb_find(BYTES_LIT("posix-rename")), SFTP_VERB_POSIX_RENAME);
    assert_int_equal(sftp_verb_find(BYTES_LIT("posix-rename@openssh.com")), SFTP_VERB_COUNT);
    assert_int_equal(sftp_extension_find(BYTES_LIT("copy-data")), SFTP_VERB_COPY_DATA);
    assert_int_equal(sftp_extension_find(BYTES_LIT("")), SFTP_VERB_COUNT);
}

static void test_only_plain_names_may_be_written_under(void **state)
{
    static const struct bytes bad[] = {BYTES_LIT(""), BYTES_LIT("."), BYTES_LIT(".."), BYTES_LIT("a/b"), BYTES_LIT("/"), BYTES_LIT("a\0"),
                                       BYTES_LIT("../x"), BYTES_LIT("x/")};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) assert_false(sftp_name_plain(bad[i]));
    assert_true(sftp_name_plain(BYTES_LIT("...")));
    assert_true(sftp_name_plain(BYTES_LIT(".a\xff\n")));
}

/* ---- replies ---- */

static struct sftp_result full_result(enum sftp_reply kind, struct wr *names)
{
    struct sftp_result r = {.kind = kind, .id = 3, .status = SSH_FX_FAILURE, .text = BYTES_LIT("sha256"), .handle = BYTES_LIT("h"),
                            .data = BYTES_LIT("\0\0\0\1u\0\0\0\0"), .data2 = BYTES_LIT("\0\0\0\2gg"), .count = 1,
                            .attrs = {.flags = SSH_FILEXFER_ATTR_SIZE, .size = 5}};
    if (kind == SFTP_VFS) r.vfs = (struct sftp_vfs){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    if (kind == SFTP_LIMITS) r.limits = (struct sftp_limits){1, 2, 3, 4};
    if (kind == SFTP_SPACE) r.space = (struct sftp_space){1, 2, 3, 4, 5};
    sftp_name_write(names, &(struct sftp_name){.name = BYTES_LIT("n"), .longname = BYTES_LIT("-rw n"), .attrs = r.attrs});
    r.names = wr_bytes(names);
    return r;
}

static void test_every_reply_survives_its_bytes_and_no_shorter_form_is_taken(void **state)
{
    (void)state;
    for (unsigned v = 0; v < SFTP_VERB_COUNT; v++) {
        struct wr w = wr_heap(4096), again = wr_heap(4096), names = wr_heap(4096);
        struct sftp_result r = full_result(sftp_rows[v].reply, &names), got;
        sftp_result_write(&w, &r);
        struct bytes m = bytes_of(w.p + 4, w.n - 4);
        assert_int_equal(sftp_result_parse(m, (enum sftp_verb)v, &got), ERR_NONE);
        assert_int_equal(got.kind, r.kind);
        sftp_result_write(&again, &got);
        assert_true(bytes_equal(wr_bytes(&w), wr_bytes(&again)));
        for (size_t n = 0; n < m.n; n++) {
            bool open_end = r.kind == SFTP_HASHES || (r.kind == SFTP_STATUS && (n == 9 || n == m.n - 4)) || (r.kind == SFTP_DATA && n == 9);
            if (!open_end) assert_int_not_equal(sftp_result_parse(bytes_of(m.p, n), (enum sftp_verb)v, &got), ERR_NONE);
        }
        wr_clear(&w), wr_clear(&again), wr_clear(&names);
    }
}

static void test_a_reply_of_another_kind_is_an_error(void **state)
{
    static const uint8_t handle[] = {102, 0, 0, 0, 3, 0, 0, 0, 1, 'h'}, status[] = {101, 0, 0, 0, 3, 0, 0, 0, 2};
    struct sftp_result got;
    (void)state;
    assert_int_equal(sftp_result_parse(bytes_of(handle, sizeof handle), SFTP_VERB_STAT, &got), ERR_PROTOCOL);
    assert_int_equal(sftp_result_parse(bytes_of(handle, sizeof handle), SFTP_VERB_OPENDIR, &got), ERR_NONE);
    assert_int_equal(sftp_result_parse(bytes_of(status, sizeof status), SFTP_VERB_STAT, &got), ERR_NONE);
    assert_int_equal(got.status, SSH_FX_NO_SUCH_FILE);
}

static void test_a_path_reply_has_one_name(void **state)
{
    static const uint8_t none[] = {104, 0, 0, 0, 3, 0, 0, 0, 0}, lies[] = {104, 0, 0, 0, 3, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0};
    struct sftp_result got;
    (void)state;
    assert_int_equal(sftp_result_parse(bytes_of(none, sizeof none), SFTP_VERB_REALPATH, &got), ERR_PROTOCOL);
    assert_int_equal(sftp_result_parse(bytes_of(none, sizeof none), SFTP_VERB_READDIR, &got), ERR_NONE);
    assert_int_equal(sftp_result_parse(bytes_of(lies, sizeof lies), SFTP_VERB_READDIR, &got), ERR_TRUNCATED);
}

static void test_hashes_come_with_and_without_the_drafts_word(void **state)
{
    static const uint8_t with[] = {201, 0, 0, 0, 1, 0, 0, 0, 10, 'c', 'h', 'e', 'c', 'k', '-', 'f', 'i', 'l', 'e', 0, 0, 0, 3, 'm', 'd', '5', 1, 2};
    static const uint8_t without[] = {201, 0, 0, 0, 1, 0, 0, 0, 3, 'm', 'd', '5', 1, 2};
    struct sftp_result a, b;
    (void)state;
    assert_int_equal(sftp_result_parse(bytes_of(with, sizeof with), SFTP_VERB_CHECK_FILE_NAME, &a), ERR_NONE);
    assert_int_equal(sftp_result_parse(bytes_of(without, sizeof without), SFTP_VERB_CHECK_FILE_NAME, &b), ERR_NONE);
    assert_true(bytes_is(a.text, "md5") && bytes_is(b.text, "md5") && bytes_equal(a.data, b.data) && a.data.n == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_request_survives_its_bytes_and_no_shorter_form_is_taken),
        cmocka_unit_test(test_bytes_of_an_open_are_the_drafts),
        cmocka_unit_test(test_a_nul_in_a_path_is_an_error),
        cmocka_unit_test(test_unknown_requests_keep_their_id),
        cmocka_unit_test(test_extended_attributes_are_skipped_and_their_count_is_bounded_by_bytes),
        cmocka_unit_test(test_policy_and_extension_names_are_found),
        cmocka_unit_test(test_only_plain_names_may_be_written_under),
        cmocka_unit_test(test_every_reply_survives_its_bytes_and_no_shorter_form_is_taken),
        cmocka_unit_test(test_a_reply_of_another_kind_is_an_error),
        cmocka_unit_test(test_a_path_reply_has_one_name),
        cmocka_unit_test(test_hashes_come_with_and_without_the_drafts_word),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("sftp-message", tests, NULL, NULL);
}
