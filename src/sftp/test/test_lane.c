/* SPDX-License-Identifier: ISC */
/* The lane's framing: which bytes of a stream of replies go where, however the stream is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sftp/client.h"
#include "sftp/lane.h"

#define FILE_MAX 4096

/* Whoever decrypts, with files in memory. */
struct hand {
    struct sftp_lane *lane;
    uint8_t files[SFTP_LANE_FILES][FILE_MAX];
    struct wr out;
    uint32_t error;             /* what writing says */
    unsigned looks, closes;
    const struct sftp_lane_message *late;   /* comes when the lane looks */
    uint64_t next;              /* where the rest of a reply must lie */
    bool writing;
};

static void hand_init(struct hand *h)
{
    *h = (struct hand){.lane = sftp_lane_new(), .out = wr_heap(1 << 20)};
    assert_non_null(h->lane);
}

static void hand_done(struct hand *h)
{
    sftp_lane_free(h->lane);
    wr_clear(&h->out);
}

static void hand_step(struct hand *h, enum sftp_lane_what what, const struct sftp_lane_step *s)
{
    uint8_t note[SFTP_DATA_HEAD];
    switch (what) {
    case SFTP_LANE_PASS:
    case SFTP_LANE_COPY: wr_raw(&h->out, s->bytes); break;
    case SFTP_LANE_LOOK:
        h->looks++;
        if (h->late) assert_int_equal(sftp_lane_take(h->lane, h->late), ERR_NONE);
        h->late = NULL;
        break;
    case SFTP_LANE_PLACE:
        assert_true(s->slot < SFTP_LANE_FILES && s->offset + s->bytes.n <= FILE_MAX && s->bytes.n);
        if (h->writing) assert_int_equal(s->offset, h->next);
        memcpy(h->files[s->slot] + s->offset, s->bytes.p, s->bytes.n);
        h->writing = true, h->next = s->offset + s->bytes.n;
        break;
    case SFTP_LANE_NOTE:
        h->writing = false;
        if (s->closes) h->closes++;
        sftp_lane_note(h->lane, h->error, 42, note);
        wr_raw(&h->out, bytes_of(note, sizeof note));
        break;
    case SFTP_LANE_MORE: break;
    }
}

/* The stream in pieces of `cut` bytes, each in memory of its own. */
static void hand_feed(struct hand *h, struct bytes stream, size_t cut)
{
    while (stream.n) {
        struct sftp_lane_step s;
        enum sftp_lane_what what;
        size_t n = stream.n < cut ? stream.n : cut;
        uint8_t *piece = malloc(n);
        assert_non_null(piece);
        memcpy(piece, stream.p, n);
        struct bytes in = bytes_of(piece, n);
        do {
            what = sftp_lane_next(h->lane, &in, &s);
            hand_step(h, what, &s);
        } while (what != SFTP_LANE_MORE);
        assert_int_equal(in.n, 0);
        free(piece);
        stream.p += n, stream.n -= n;
    }
}

static void tell_file(struct hand *h, uint32_t slot, uint64_t at, uint64_t end)
{
    struct sftp_lane_message m = {.verb = SFTP_LANE_FILE, .slot = slot, .offset = at, .end = end};
    assert_int_equal(sftp_lane_take(h->lane, &m), ERR_NONE);
}

static void tell_read(struct hand *h, uint32_t slot, uint32_t id, uint64_t offset, uint32_t length)
{
    struct sftp_lane_message m = {.verb = SFTP_LANE_READ, .slot = slot, .id = id, .offset = offset, .length = length};
    assert_int_equal(sftp_lane_take(h->lane, &m), ERR_NONE);
}

/* ---- replies ---- */

static void put_data(struct wr *w, uint32_t id, char fill, uint32_t n)
{
    uint8_t head[SFTP_DATA_HEAD];
    sftp_data_head(head, id, n);
    wr_raw(w, bytes_of(head, sizeof head));
    for (uint32_t i = 0; i < n; i++) wr_u8(w, (uint8_t)fill);
}

static void put_status(struct wr *w, uint32_t id, uint32_t status)
{
    sftp_result_write(w, &(struct sftp_result){.kind = SFTP_STATUS, .id = id, .status = status, .text = BYTES_LIT("text")});
}

static void put_note(struct wr *w, uint8_t type, uint32_t id, uint32_t value)
{
    wr_u32(w, 9);
    wr_u8(w, type);
    wr_u32(w, id);
    wr_u32(w, value);
}

static void expect(struct hand *h, const struct wr *want)
{
    assert_int_equal(h->out.n, want->n);
    assert_memory_equal(h->out.p, want->p, want->n);
}

static void expect_file(const struct hand *h, uint32_t slot, size_t at, char fill, size_t n)
{
    for (size_t i = 0; i < n; i++) assert_int_equal(h->files[slot][at + i], fill);
    assert_int_equal(h->files[slot][at + n], 0);
}

static const size_t cuts[] = {1, 2, 3, 4, 5, 8, 9, 12, 13, 14, 17, 31, 100, 113, 114, 1000, 100000};

/* ---- tests ---- */

static void test_data_in_turn_goes_into_its_file_wherever_the_stream_is_cut(void **state)
{
    (void)state;
    struct wr in = wr_heap(1 << 20), want = wr_heap(1 << 20);
    wr_raw(&in, BYTES_LIT("\0\0\0\5\2\0\0\0\3"));
    wr_raw(&want, BYTES_LIT("\0\0\0\5\2\0\0\0\3"));
    put_status(&in, 7, SSH_FX_OK), put_status(&want, 7, SSH_FX_OK);
    put_data(&in, 11, 'a', 100), put_note(&want, SFTP_LANE_PLACED, 11, 100);
    put_data(&in, 12, 'b', 100), put_note(&want, SFTP_LANE_PLACED, 12, 100);
    put_data(&in, 9, 'x', 50), put_data(&want, 9, 'x', 50);
    put_data(&in, 13, 'c', 101), put_note(&want, SFTP_LANE_PLACED, 13, 101);
    put_status(&in, 8, SSH_FX_EOF), put_status(&want, 8, SSH_FX_EOF);
    for (size_t i = 0; i < COUNT_OF(cuts); i++) {
        struct hand h;
        hand_init(&h);
        tell_file(&h, 5, 10, 311);
        for (uint32_t k = 0; k < 3; k++) tell_read(&h, 5, 11 + k, 10 + k * 100, 200);
        hand_feed(&h, wr_bytes(&in), cuts[i]);
        expect(&h, &want);
        expect_file(&h, 5, 10 + 200, 'c', 101);
        assert_int_equal(h.files[5][9], 0);
        assert_int_equal(h.closes, 1);
        assert_int_equal(h.looks, 1);       /* for id 9 */
        hand_done(&h);
    }
    wr_clear(&in), wr_clear(&want);
}

/* Of each case: what was told of a file of 1000 bytes from 100 on, DATA's id and length, whether it is placed. */
static void test_only_data_as_it_was_asked_for_is_placed(void **state)
{
    static const struct { uint64_t offset; uint32_t asked, id, n; bool placed; } rows[] = {
        {100, 200, 4, 200, true}, {100, 200, 4, 1, true}, {100, 2000, 4, 900, true},
        {100, 200, 4, 201, false},          /* longer than asked */
        {100, 2000, 4, 901, false},         /* beyond the file's end */
        {101, 200, 4, 200, false}, {99, 200, 4, 200, false}, {300, 200, 4, 200, false},     /* out of turn */
        {100, 200, 5, 200, false}, {100, 200, 4 + SFTP_LANE_READS, 200, false},             /* nobody's */
        {100, 200, 4, 0, false}};
    (void)state;
    for (size_t r = 0; r < COUNT_OF(rows); r++) {
        for (size_t i = 0; i < COUNT_OF(cuts); i++) {
            struct wr in = wr_heap(1 << 20), want = wr_heap(1 << 20);
            struct hand h;
            hand_init(&h);
            tell_file(&h, 0, 100, 1000);
            tell_read(&h, 0, 4, rows[r].offset, rows[r].asked);
            put_data(&in, rows[r].id, 'a', rows[r].n);
            if (rows[r].placed) put_note(&want, SFTP_LANE_PLACED, 4, rows[r].n);
            else put_data(&want, rows[r].id, 'a', rows[r].n);
            hand_feed(&h, wr_bytes(&in), cuts[i]);
            expect(&h, &want);
            expect_file(&h, 0, 100, 'a', rows[r].placed ? rows[r].n : 0);
            hand_done(&h);
            wr_clear(&in), wr_clear(&want);
        }
    }
}

static void test_one_read_has_one_reply(void **state)
{
    (void)state;
    struct wr in = wr_heap(1 << 20), want = wr_heap(1 << 20);
    struct hand h;
    hand_init(&h);
    tell_file(&h, 1, 0, 1000);
    tell_read(&h, 1, 1, 0, 100), tell_read(&h, 1, 2, 100, 100), tell_read(&h, 1, 3, 100, 100);
    put_data(&in, 1, 'a', 100), put_note(&want, SFTP_LANE_PLACED, 1, 100);
    put_data(&in, 1, 'b', 100), put_data(&want, 1, 'b', 100);                   /* twice */
    put_status(&in, 2, SSH_FX_FAILURE), put_status(&want, 2, SSH_FX_FAILURE);
    put_data(&in, 2, 'c', 100), put_data(&want, 2, 'c', 100);                   /* after another answer */
    put_data(&in, 3, 'd', 100), put_note(&want, SFTP_LANE_PLACED, 3, 100);
    hand_feed(&h, wr_bytes(&in), 7);
    expect(&h, &want);
    expect_file(&h, 1, 100, 'd', 100);
    hand_done(&h);
    wr_clear(&in), wr_clear(&want);
}

static void test_what_follows_a_gap_or_a_failed_write_passes(void **state)
{
    (void)state;
    struct wr in = wr_heap(1 << 20), want = wr_heap(1 << 20);
    struct hand h;
    hand_init(&h);
    tell_file(&h, 0, 0, 1000), tell_file(&h, 1, 0, 1000);
    tell_read(&h, 0, 1, 0, 100), tell_read(&h, 0, 2, 100, 100);
    tell_read(&h, 1, 3, 0, 100), tell_read(&h, 1, 4, 100, 100);
    put_data(&in, 1, 'a', 60), put_note(&want, SFTP_LANE_PLACED, 1, 60);        /* short */
    put_data(&in, 2, 'b', 100), put_data(&want, 2, 'b', 100);
    hand_feed(&h, wr_bytes(&in), 11);
    in.n = 0, h.error = 28;
    put_data(&in, 3, 'c', 100), put_note(&want, SFTP_LANE_UNPLACED, 3, 42 * 4096 + 28);
    hand_feed(&h, wr_bytes(&in), 11);
    in.n = 0, h.error = 0;
    put_data(&in, 4, 'd', 100), put_data(&want, 4, 'd', 100);
    hand_feed(&h, wr_bytes(&in), 11);
    expect(&h, &want);
    expect_file(&h, 0, 0, 'a', 60);
    hand_done(&h);
    wr_clear(&in), wr_clear(&want);
}

static void test_a_message_that_is_still_on_its_way_is_looked_for_once(void **state)
{
    (void)state;
    const struct sftp_lane_message late = {.verb = SFTP_LANE_READ, .slot = 2, .id = 6, .offset = 0, .length = 100};
    for (size_t i = 0; i < COUNT_OF(cuts); i++) {
        struct wr in = wr_heap(1 << 20), want = wr_heap(1 << 20);
        struct hand h;
        hand_init(&h);
        tell_file(&h, 2, 0, 1000);
        h.late = &late;
        put_data(&in, 6, 'a', 100), put_note(&want, SFTP_LANE_PLACED, 6, 100);
        put_data(&in, 7, 'b', 0), put_data(&want, 7, 'b', 0);                   /* ends with its head */
        hand_feed(&h, wr_bytes(&in), cuts[i]);
        expect(&h, &want);
        assert_int_equal(h.looks, 2);
        hand_done(&h);
        wr_clear(&in), wr_clear(&want);
    }
}

static void test_the_peer_cannot_write_notes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cuts); i++) {
        struct wr in = wr_heap(1 << 20), want = wr_heap(1 << 20);
        struct hand h;
        hand_init(&h);
        tell_file(&h, 0, 0, 1000);
        tell_read(&h, 0, 1, 0, 100);
        put_note(&in, SFTP_LANE_PLACED, 1, 100), put_note(&want, 0, 1, 100);
        put_note(&in, SFTP_LANE_UNPLACED, 1, 28), put_note(&want, 0, 1, 28);
        put_data(&in, 1, 'a', 100), put_data(&want, 1, 'a', 100);               /* that was its answer */
        hand_feed(&h, wr_bytes(&in), cuts[i]);
        expect(&h, &want);
        hand_done(&h);
        wr_clear(&in), wr_clear(&want);
    }
}

/* DATA whose two lengths differ; lengths that no message has; a server that speaks something else: byte for byte the same comes out. */
static void test_what_is_no_sftp_passes_as_it_came(void **state)
{
    static const struct bytes streams[] = {
        BYTES_LIT("\0\0\0\20" "\147" "\0\0\0\1" "\0\0\0\6" "1234567" "\0\0\0\5\145\0\0\0\1"),
        BYTES_LIT("\0\0\0\10" "\147" "\0\0\0\1" "\0\0\0\1" "abcdefghijkl"),
        BYTES_LIT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        BYTES_LIT("\0\0\0\4\145\0\0\0\1\0\0\0\20\147\0\0\0\1\0\0\0\7" "1234567"),
        BYTES_LIT("\377\377\377\377\147\0\0\0\1\0\0\0\7" "1234567"),
        BYTES_LIT("\0\4\0\1\147\0\0\0\1\0\0\0\7" "1234567"),
        BYTES_LIT("none\n"), BYTES_LIT("none"),
        BYTES_LIT("Welcome to this host\r\n\0\0\0\20\147\0\0\0\1\0\0\0\7" "1234567")};
    (void)state;
    for (size_t s = 0; s < COUNT_OF(streams); s++) {
        for (size_t i = 0; i < COUNT_OF(cuts); i++) {
            struct hand h;
            hand_init(&h);
            tell_file(&h, 0, 0, 1000);
            tell_read(&h, 0, 1, 0, 100);
            hand_feed(&h, streams[s], cuts[i]);
            assert_true(bytes_equal(wr_bytes(&h.out), streams[s]));
            assert_int_equal(h.files[0][0], 0);
            hand_done(&h);
        }
    }
}

static void test_a_file_that_ended_takes_nothing_more(void **state)
{
    (void)state;
    struct wr in = wr_heap(1 << 20);
    struct hand h;
    const struct sftp_lane_message end = {.verb = SFTP_LANE_END, .slot = 3};
    hand_init(&h);
    tell_file(&h, 3, 0, 1000);
    tell_read(&h, 3, 1, 0, 100), tell_read(&h, 3, 2, 100, 100);
    assert_int_equal(sftp_lane_take(h.lane, &end), ERR_NONE);
    put_data(&in, 1, 'a', 100), put_data(&in, 2, 'a', 100);
    hand_feed(&h, wr_bytes(&in), 50);
    expect(&h, &in);
    hand_done(&h);

    hand_init(&h);      /* amid a reply nobody may say so */
    tell_file(&h, 3, 0, 1000);
    tell_read(&h, 3, 1, 0, 100);
    hand_feed(&h, bytes_of(in.p, 60), 60);
    assert_int_equal(sftp_lane_take(h.lane, &end), ERR_STATE);
    assert_int_equal(sftp_lane_take(h.lane, &(struct sftp_lane_message){.verb = SFTP_LANE_FILE, .slot = 3, .end = 5}), ERR_STATE);
    assert_int_equal(sftp_lane_take(h.lane, &(struct sftp_lane_message){.verb = SFTP_LANE_FILE, .slot = SFTP_LANE_FILES}), ERR_RANGE);
    hand_done(&h);
    wr_clear(&in);
}

static void test_messages_come_back_as_they_were_and_nothing_else_is_one(void **state)
{
    (void)state;
    uint8_t b[SFTP_LANE_MESSAGE + 1] = {0};
    struct sftp_lane_message m = {.verb = SFTP_LANE_READ, .slot = 15, .id = 0xfedcba98, .length = 262144, .offset = INT64_MAX, .end = 5}, got;
    sftp_lane_write(&m, b);
    assert_int_equal(sftp_lane_parse(bytes_of(b, SFTP_LANE_MESSAGE), &got), ERR_NONE);
    assert_true(got.verb == m.verb && got.slot == m.slot && got.id == m.id && got.length == m.length && got.offset == m.offset && got.end == m.end);
    for (size_t n = 0; n <= sizeof b; n++)
        if (n != SFTP_LANE_MESSAGE) assert_int_not_equal(sftp_lane_parse(bytes_of(b, n), &got), ERR_NONE);
    b[0] = 0;
    assert_int_equal(sftp_lane_parse(bytes_of(b, SFTP_LANE_MESSAGE), &got), ERR_FORMAT);
    b[0] = SFTP_LANE_HELLO + 1;
    assert_int_equal(sftp_lane_parse(bytes_of(b, SFTP_LANE_MESSAGE), &got), ERR_FORMAT);
    const struct sftp_lane_message bad[] = {{.verb = SFTP_LANE_FILE, .slot = SFTP_LANE_FILES}, {.verb = SFTP_LANE_FILE, .offset = 1ULL << 63},
                                            {.verb = SFTP_LANE_FILE, .end = UINT64_MAX}, {.verb = SFTP_LANE_READ, .length = SFTP_MESSAGE_MAX + 1}};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        sftp_lane_write(&bad[i], b);
        assert_int_equal(sftp_lane_parse(bytes_of(b, SFTP_LANE_MESSAGE), &got), ERR_RANGE);
    }
}

/* ---- the client's side of notes ---- */

static void client_feed(struct sftp_client *c, struct bytes b)
{
    struct span room = sftp_client_reserve(c);
    assert_true(room.n >= b.n);
    memcpy(room.p, b.p, b.n);
    sftp_client_commit(c, b.n);
}

static struct sftp_client *client_ready(void)
{
    struct sftp_client *c = sftp_client_new();
    struct sftp_answer a;
    assert_non_null(c);
    client_feed(c, BYTES_LIT("\0\0\0\5\2\0\0\0\3"));
    assert_int_equal(sftp_client_next(c, &a), ERR_NONE);
    return c;
}

/* What the client says to one note about a READ of 100 bytes that was told of, or not. */
static enum err client_note(bool told, uint8_t type, uint32_t id_off, uint32_t value, struct sftp_answer *a)
{
    struct sftp_client *c = client_ready();
    struct wr w = wr_heap(64);
    assert_int_equal(sftp_client_ask(c, &(struct sftp_op){.verb = SFTP_VERB_READ, .handle = BYTES_LIT("h"), .length = 100}, 77), ERR_NONE);
    uint32_t id = get_u32(sftp_client_peek(c).p + 9 + 5);       /* behind INIT */
    if (told) assert_int_equal(sftp_client_lane(c), id);
    put_note(&w, type, id + id_off, value);
    client_feed(c, bytes_of(w.p, 6));
    assert_int_equal(sftp_client_next(c, a), ERR_NONE);
    assert_false(a->ready);
    client_feed(c, bytes_of(w.p + 6, 7));
    enum err e = sftp_client_next(c, a);
    if (e == ERR_NONE) assert_int_equal(sftp_client_asked(c), 0);
    sftp_client_free(c);
    wr_clear(&w);
    return e;
}

static void test_the_client_takes_a_note_only_for_a_read_that_was_told_of(void **state)
{
    (void)state;
    struct sftp_answer a;
    assert_int_equal(client_note(true, SFTP_LANE_PLACED, 0, 100, &a), ERR_NONE);
    assert_true(a.ready && a.placed && !a.place_error && a.tag == 77 && a.result.data.n == 100);
    assert_int_equal(client_note(true, SFTP_LANE_UNPLACED, 0, 28, &a), ERR_NONE);
    assert_true(a.ready && a.placed && a.place_error == 28 && a.result.data.n == 0);
    assert_int_equal(client_note(true, SFTP_LANE_UNPLACED, 0, 100 * 4096 + 28, &a), ERR_NONE);
    assert_true(a.placed && a.place_error == 28 && a.result.data.n == 100);
    assert_int_equal(client_note(true, SFTP_LANE_UNPLACED, 0, 101 * 4096 + 28, &a), ERR_PROTOCOL);
    assert_int_equal(client_note(true, SFTP_LANE_UNPLACED, 0, 4096, &a), ERR_PROTOCOL);
    assert_int_equal(client_note(true, SFTP_LANE_PLACED, 0, 101, &a), ERR_PROTOCOL);
    assert_int_equal(client_note(true, SFTP_LANE_PLACED, 0, 0, &a), ERR_PROTOCOL);
    assert_int_equal(client_note(true, SFTP_LANE_UNPLACED, 0, 0, &a), ERR_PROTOCOL);
    assert_int_equal(client_note(true, SFTP_LANE_PLACED, 1, 100, &a), ERR_PROTOCOL);
    assert_int_equal(client_note(false, SFTP_LANE_PLACED, 0, 100, &a), ERR_PROTOCOL);
    assert_int_equal(client_note(false, SFTP_LANE_UNPLACED, 0, 28, &a), ERR_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_in_turn_goes_into_its_file_wherever_the_stream_is_cut),
        cmocka_unit_test(test_only_data_as_it_was_asked_for_is_placed),
        cmocka_unit_test(test_one_read_has_one_reply),
        cmocka_unit_test(test_what_follows_a_gap_or_a_failed_write_passes),
        cmocka_unit_test(test_a_message_that_is_still_on_its_way_is_looked_for_once),
        cmocka_unit_test(test_the_peer_cannot_write_notes),
        cmocka_unit_test(test_what_is_no_sftp_passes_as_it_came),
        cmocka_unit_test(test_a_file_that_ended_takes_nothing_more),
        cmocka_unit_test(test_messages_come_back_as_they_were_and_nothing_else_is_one),
        cmocka_unit_test(test_the_client_takes_a_note_only_for_a_read_that_was_told_of),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("sftp-lane", tests, NULL, NULL);
}
