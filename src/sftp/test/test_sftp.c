/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sftp/client.h"
#include "sftp/server.h"

/* ---- requests ---- */

static struct sftp_op full_op(enum sftp_verb verb)
{
    return (struct sftp_op){
        .verb = verb, .id = 7, .path = BYTES_LIT("/a b"), .path2 = BYTES_LIT("c"), .handle = BYTES_LIT("hhhh"), .handle2 = BYTES_LIT("jj"),
        .flags = SSH_FXF_READ, .offset = 1ULL << 40, .offset2 = 9, .length = 300, .block = 512, .text = BYTES_LIT("sha256"),
        .uids = BYTES_LIT("\0\0\0\1"), .gids = BYTES_LIT("\0\0\0\1\0\0\0\2"),
        .attrs = {.flags = 15, .size = 1ULL << 33, .uid = 1, .gid = 2, .mode = 0100644, .atime_s = 3, .mtime_s = 4},
    };
}

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

/* ---- the server ---- */

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

/* ---- the client ---- */

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
    return cmocka_run_group_tests_name("sftp", tests, NULL, NULL);
}
