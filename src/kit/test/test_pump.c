/* SPDX-License-Identifier: ISC */
/* The pump's turns one by one, over a conn that only frames, with real descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "os/clock.h"
#include "pair.h"

/* Steps one end until it would wait: a watched pipe with a byte in it makes pump_next come back. */
static void turn(struct end *e, unsigned rounds)
{
    int nudge[2];
    pipe_open(nudge);
    assert_int_equal(write(nudge[1], "x", 1), 1);
    assert_int_equal(pump_watch(e->p, nudge[0], POLLIN), ERR_NONE);
    while (rounds) {
        struct pump_ready r;
        if (pump_next(e->p, NULL, &r) != ERR_NONE) break;
        if (r.what == PUMP_FD && r.fd == nudge[0]) rounds--;
        if (r.what == PUMP_EVENT && r.event.type == EV_CHANNEL_EOF) e->eofs++;
        if (r.what == PUMP_EVENT && r.event.type == EV_CHANNEL_CLOSED) e->closed++;
    }
    assert_int_equal(pump_watch(e->p, nudge[0], 0), ERR_NONE);
    close(nudge[0]), close(nudge[1]);
}

static void turn_both(struct end e[2], unsigned rounds)
{
    while (rounds--) turn(&e[0], 2), turn(&e[1], 2);
}

static bool fd_closed(int fd)
{
    return fcntl(fd, F_GETFD) < 0 && errno == EBADF;
}

/* What comes out of `source` at the first end goes into `sink` at the second. */
static void attach(struct end e[2], uint32_t channel, int source, int sink)
{
    const struct pump_ends from = {.sink = -1, .sink_err = -1, .source = source, .source_err = -1};
    const struct pump_ends to = {.sink = sink, .sink_err = -1, .source = -1, .source_err = -1};
    assert_int_equal(pump_attach(e[0].p, channel, &from), ERR_NONE);
    assert_int_equal(pump_attach(e[1].p, channel, &to), ERR_NONE);
}

static void source_end_becomes_eof_and_peer_eof_closes_the_sink(void **state)
{
    (void)state;
    struct end e[2];
    int src[2], dst[2];
    pair_open(e, WINDOW, 1, PUMP_FD_SOCKET);
    pipe_open(src), pipe_open(dst);
    attach(e, 0, src[0], dst[1]);
    assert_int_equal(write(src[1], "last words", 10), 10);
    close(src[1]);
    turn_both(e, 3);
    char buf[20];
    assert_int_equal(read(dst[0], buf, sizeof(buf)), 10);
    assert_int_equal(read(dst[0], buf, sizeof(buf)), 0);
    assert_int_equal(e[1].eofs, 1);
    assert_true(fd_closed(src[0]) && fd_closed(dst[1]));
    assert_true(pump_sources_ended(e[0].p, 0));
    close(dst[0]);
    pair_close(e);
}

static void held_eof_is_the_programs_to_send(void **state)
{
    (void)state;
    struct end e[2];
    int src[2];
    pair_open(e, WINDOW, 1, PUMP_FD_SOCKET);
    pipe_open(src);
    const struct pump_ends from = {.sink = -1, .sink_err = -1, .source = src[0], .source_err = -1, .hold_eof = true};
    assert_int_equal(pump_attach(e[0].p, 0, &from), ERR_NONE);
    close(src[1]);
    turn_both(e, 3);
    assert_int_equal(e[1].eofs, 0);
    assert_true(pump_sources_ended(e[0].p, 0));
    chan_eof(e[0].c, 0);
    turn_both(e, 3);
    assert_int_equal(e[1].eofs, 1);
    pair_close(e);
}

/* A TCP connection as channel: its number stands as sink and source; each half ends by itself. */
static void socket_ends_close_by_halves(void **state)
{
    (void)state;
    struct end e[2];
    int far[2], near[2];
    pair_open(e, WINDOW, 1, PUMP_FD_SOCKET);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, far), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, near), 0);
    const struct pump_ends a = {.sink = far[0], .sink_err = -1, .source = far[0], .source_err = -1, .kind = PUMP_FD_SOCKET};
    const struct pump_ends b = {.sink = near[0], .sink_err = -1, .source = near[0], .source_err = -1, .kind = PUMP_FD_SOCKET};
    assert_int_equal(pump_attach(e[0].p, 0, &a), ERR_NONE);
    assert_int_equal(pump_attach(e[1].p, 0, &b), ERR_NONE);
    char buf[20];
    assert_int_equal(write(far[1], "question", 8), 8);
    assert_int_equal(shutdown(far[1], SHUT_WR), 0);
    turn_both(e, 3);
    assert_int_equal(read(near[1], buf, sizeof(buf)), 8);
    assert_int_equal(read(near[1], buf, sizeof(buf)), 0);
    assert_int_equal(write(near[1], "answer", 6), 6);
    turn_both(e, 3);
    assert_int_equal(recv(far[1], buf, sizeof(buf), MSG_DONTWAIT), 6);
    assert_int_equal(recv(far[1], buf, sizeof(buf), MSG_DONTWAIT), -1);
    close(near[1]);
    turn_both(e, 3);
    assert_int_equal(read(far[1], buf, sizeof(buf)), 0);
    assert_true(fd_closed(far[0]) && fd_closed(near[0]));
    close(far[1]);
    pair_close(e);
}

/* A terminal whose shell has ended, while a background job keeps it open (the slave, here): what was written comes, then the end. */
static void a_finished_source_ends_when_it_is_empty(void **state)
{
    (void)state;
    struct end e[2];
    int src[2], dst[2];
    static uint8_t big[200000], back[sizeof big];
    memset(big, 'x', sizeof big);
    pair_open(e, WINDOW, 1, PUMP_FD_SOCKET);
    pipe_open(src), pipe_open(dst);
    (void)fcntl(src[1], F_SETPIPE_SZ, 1 << 20), (void)fcntl(dst[1], F_SETPIPE_SZ, 1 << 20);
    attach(e, 0, src[0], dst[1]);
    turn_both(e, 3);
    assert_int_equal(write(src[1], big, sizeof big), sizeof big);
    assert_false(pump_sources_ended(e[0].p, 0));
    pump_finish(e[0].p, 0);
    turn_both(e, 5);
    assert_true(pump_sources_ended(e[0].p, 0));
    assert_int_equal(e[1].eofs, 1);
    assert_int_equal(read(dst[0], back, sizeof back), sizeof back);
    assert_memory_equal(back, big, sizeof big);
    pump_finish(e[0].p, 77);        /* no such channel: nothing */
    close(src[1]), close(dst[0]);
    pair_close(e);
}

static void pty_end_is_eof_and_pty_is_not_closed_by_the_peers_eof(void **state)
{
    (void)state;
    struct end e[2];
    int master, slave, dst[2];
    pair_open(e, WINDOW, 1, PUMP_FD_SOCKET);
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    struct termios t;
    assert_int_equal(tcgetattr(slave, &t), 0);
    cfmakeraw(&t);
    assert_int_equal(tcsetattr(slave, TCSANOW, &t), 0);
    assert_int_equal(fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK), 0);
    pipe_open(dst);
    const struct pump_ends tty = {.sink = master, .sink_err = -1, .source = master, .source_err = -1, .is_pty = true};
    const struct pump_ends far = {.sink = dst[1], .sink_err = -1, .source = -1, .source_err = -1};
    assert_int_equal(pump_attach(e[0].p, 0, &tty), ERR_NONE);
    assert_int_equal(pump_attach(e[1].p, 0, &far), ERR_NONE);
    chan_eof(e[1].c, 0);
    turn_both(e, 3);
    assert_int_equal(e[0].eofs, 1);
    assert_false(fd_closed(master));
    assert_int_equal(write(slave, "still here", 10), 10);
    turn_both(e, 3);
    char buf[20];
    assert_int_equal(read(dst[0], buf, sizeof(buf)), 10);
    close(slave);
    turn_both(e, 3);
    assert_true(pump_sources_ended(e[0].p, 0));
    assert_int_equal(e[1].eofs, 1);
    close(dst[0]);
    pair_close(e);
    assert_true(fd_closed(master));
}

static void broken_sink_sends_eow_and_swallows_the_rest(void **state)
{
    (void)state;
    struct end e[2];
    int src[2], dst[2];
    pair_open(e, 65536, 1, PUMP_FD_SOCKET);
    pipe_open(src), pipe_open(dst);
    attach(e, 0, src[0], dst[1]);
    fake_mute_eow(e[1].c);      /* a peer that goes on all the same */
    close(dst[0]);
    uint8_t block[4096] = {0};
    for (int i = 0; i < 100; i++) {     /* many windows' worth: it must go on opening */
        assert_int_equal(write(src[1], block, sizeof(block)), sizeof(block));
        turn_both(e, 1);
    }
    assert_true(fake_eow_sent(e[1].c, 0));
    assert_true(fd_closed(dst[1]));
    assert_int_equal(fake_unconsumed(e[1].c, 0), 0);
    close(src[1]);
    pair_close(e);
}

/* ssh host cat >/full/disk: what is missing must not end in the status of the whole. */
static void sink_without_room_fails_the_connection(void **state)
{
    (void)state;
    struct end e[2];
    struct pump_ready r;
    int src[2], full = open("/dev/full", O_WRONLY);
    pair_open(e, WINDOW, 1, PUMP_FD_SOCKET);
    pipe_open(src);
    attach(e, 0, src[0], full);
    assert_int_equal(write(src[1], "data", 4), 4);
    turn(&e[0], 2);
    assert_int_equal(pump_next(e[1].p, NULL, &r), ERR_SYSTEM);
    assert_int_equal(pump_data_errno(e[1].p), ENOSPC);
    close(src[1]);
    pair_close(e);
}

/* `ssh host yes | head` ends only if the far side stops its program: the pipe is closed, the program gets SIGPIPE. */
static void peers_eow_closes_the_source(void **state)
{
    (void)state;
    struct end e[2];
    int src[2], dst[2];
    pair_open(e, 65536, 1, PUMP_FD_SOCKET);
    pipe_open(src), pipe_open(dst);
    attach(e, 0, src[0], dst[1]);
    close(dst[0]);
    assert_int_equal(write(src[1], "y", 1), 1);
    turn_both(e, 3);
    assert_true(fd_closed(src[0]));
    assert_true(pump_sources_ended(e[0].p, 0));
    assert_int_equal(e[1].eofs, 1);
    close(src[1]);
    pair_close(e);
}

static void stalled_sink_keeps_no_more_than_the_window(void **state)
{
    (void)state;
    struct end e[2];
    int src[2], dst[2], src1[2], dst1[2];
    pair_open(e, 300000, 2, PUMP_FD_SOCKET);
    pipe_open(src), pipe_open(dst), pipe_open(src1), pipe_open(dst1);
    attach(e, 0, src[0], dst[1]);
    attach(e, 1, src1[0], dst1[1]);
    uint8_t block[4096] = {0};
    size_t sent = 0;
    for (int i = 0; i < 300; i++) {
        ssize_t n = write(src[1], block, sizeof(block));
        if (n > 0) sent += (size_t)n;
        turn_both(e, 1);
    }
    assert_int_equal(write(src[1], block, sizeof(block)), -1);     /* full back to the writer */
    assert_true(fake_unconsumed(e[1].c, 0) <= 300000);
    assert_false(pump_drained(e[1].p, 0));
    char buf[20];
    assert_int_equal(write(src1[1], "key", 3), 3);                  /* the neighbour does not notice */
    turn_both(e, 2);
    assert_int_equal(read(dst1[0], buf, sizeof(buf)), 3);
    close(src[1]);
    size_t got = 0;
    for (int i = 0; i < 3000 && got < sent; i++) {
        uint8_t more[65536];
        ssize_t n = read(dst[0], more, sizeof(more));
        if (n > 0) got += (size_t)n;
        else turn_both(e, 1);
    }
    assert_int_equal(got, sent);
    assert_true(pump_drained(e[1].p, 0));
    close(dst[0]), close(src1[1]), close(dst1[0]);
    pair_close(e);
}

static void closed_channel_still_writes_what_it_got(void **state)
{
    (void)state;
    struct end e[2];
    int src[2], dst[2];
    pair_open(e, WINDOW, 1, PUMP_FD_SOCKET);
    pipe_open(src), pipe_open(dst);
    attach(e, 0, src[0], dst[1]);
    uint8_t block[4096] = {0};
    size_t sent = 0, got = 0;
    for (int i = 0; i < 60; i++) {
        ssize_t n = write(src[1], block, sizeof(block));
        if (n > 0) sent += (size_t)n;
        turn_both(e, 1);
    }
    close(src[1]);
    turn_both(e, 2);
    chan_close(e[0].c, 0), chan_close(e[1].c, 0);
    while (!e[1].closed) turn_both(e, 1);                           /* although nobody reads */
    assert_false(pump_drained(e[1].p, 0));
    fake_channel(e[1].c, 0);                                        /* the number is given away again */
    for (int i = 0; i < 100 && got < sent; i++) {
        uint8_t more[65536];
        ssize_t n = read(dst[0], more, sizeof(more));
        if (n > 0) got += (size_t)n;
        turn(&e[1], 1);
    }
    assert_int_equal(got, sent);
    turn(&e[1], 1);
    assert_true(fd_closed(dst[1]));
    close(dst[0]);
    pair_close(e);
}

static size_t drop_tilde(void *ctx, uint32_t chan, uint8_t *data, size_t n)
{
    size_t kept = 0;
    (void)chan;
    for (size_t i = 0; i < n; i++) {
        if (data[i] == '~') ++*(unsigned *)ctx;
        else data[kept++] = data[i];
    }
    return kept;
}

static void filter_takes_bytes_out_and_wakes_the_program(void **state)
{
    (void)state;
    struct end e[2];
    int src[2], dst[2];
    unsigned seen = 0;
    pair_open(e, WINDOW, 1, PUMP_FD_SOCKET);
    pipe_open(src), pipe_open(dst);
    attach(e, 0, src[0], dst[1]);
    pump_set_filter(e[0].p, 0, drop_tilde, &seen);
    assert_int_equal(write(src[1], "a~b", 3), 3);
    struct pump_ready r;
    assert_int_equal(pump_next(e[0].p, NULL, &r), ERR_NONE);
    assert_int_equal(r.what, PUMP_FILTERED);
    assert_int_equal(seen, 1);
    turn_both(e, 2);
    char buf[20];
    assert_int_equal(read(dst[0], buf, sizeof(buf)), 2);
    assert_int_equal(write(src[1], "~", 1), 1);                     /* nothing left of it: no packet */
    assert_int_equal(pump_next(e[0].p, NULL, &r), ERR_NONE);
    assert_int_equal(r.what, PUMP_FILTERED);
    assert_int_equal(conn_output_peek(e[0].c).n, 0);
    close(src[1]), close(dst[0]);
    pair_close(e);
}

static void inherited_descriptor_is_never_written_beyond_its_room(void **state)
{
    (void)state;
    struct end e[2];
    int src[2], dst[2];
    pair_open(e, WINDOW, 1, PUMP_FD_SOCKET);
    pipe_open(src);
    assert_int_equal(pipe(dst), 0);                                 /* a write too many would block this test for ever */
    const struct pump_ends from = {.sink = -1, .sink_err = -1, .source = src[0], .source_err = -1};
    const struct pump_ends to = {.sink = dst[1], .sink_err = -1, .source = -1, .source_err = -1,
                                 .kind = PUMP_FD_BLOCKING, .keep_open = true};
    assert_int_equal(pump_attach(e[0].p, 0, &from), ERR_NONE);
    assert_int_equal(pump_attach(e[1].p, 0, &to), ERR_NONE);
    uint8_t block[4096] = {0};
    for (int i = 0; i < 60; i++) {
        (void)!write(src[1], block, sizeof(block));
        turn_both(e, 1);
    }
    close(src[1]);
    while (!e[1].eofs) turn_both(e, 1);
    assert_int_equal(fcntl(dst[1], F_GETFL) & O_NONBLOCK, 0);
    assert_false(fd_closed(dst[1]));
    close(dst[0]), close(dst[1]);
    pair_close(e);
}

static void detached_channel_gives_its_data_to_the_program(void **state)
{
    (void)state;
    struct end e[2];
    int src[2];
    pair_open(e, WINDOW, 1, PUMP_FD_SOCKET);
    pipe_open(src);
    const struct pump_ends from = {.sink = -1, .sink_err = -1, .source = src[0], .source_err = -1};
    assert_int_equal(pump_attach(e[0].p, 0, &from), ERR_NONE);
    assert_int_equal(write(src[1], "mine", 4), 4);
    turn(&e[0], 3);
    struct pump_ready r;
    assert_int_equal(pump_next(e[1].p, NULL, &r), ERR_NONE);
    assert_true(r.what == PUMP_EVENT && r.event.type == EV_CHANNEL_DATA && bytes_is(r.event.data.bytes, "mine"));
    pump_detach(e[0].p, 0);
    assert_false(fd_closed(src[0]));
    close(src[0]), close(src[1]);
    pair_close(e);
}

/* While a key exchange holds bulk back, data waits in the pipe, and nobody spins or loses it. */
static void held_channel_leaves_the_bytes_in_the_pipe(void **state)
{
    (void)state;
    struct end e[2];
    int src[2], waiting = 0;
    pair_open(e, WINDOW, 1, PUMP_FD_SOCKET);
    pipe_open(src);
    const struct pump_ends from = {.sink = -1, .sink_err = -1, .source = src[0], .source_err = -1};
    assert_int_equal(pump_attach(e[0].p, 0, &from), ERR_NONE);
    fake_hold(e[0].c, true);
    assert_int_equal(write(src[1], "wait", 4), 4);
    turn(&e[0], 3);
    char buf[20];
    waiting = (int)read(src[0], buf, sizeof(buf));
    assert_int_equal(waiting, 4);
    close(src[1]);
    pair_close(e);
}

static void lost_connection_ends_with_the_data_that_came_before(void **state)
{
    (void)state;
    struct end e[2];
    int src[2], dst[2], sock[2];
    (void)src;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0);
    e[0].c = fake_conn_new(WINDOW, true);
    fake_channel(e[0].c, 0);
    e[0].p = pump_new(e[0].c, sock[0], sock[0], PUMP_FD_SOCKET);
    pipe_open(dst);
    const struct pump_ends to = {.sink = dst[1], .sink_err = -1, .source = -1, .source_err = -1};
    assert_int_equal(pump_attach(e[0].p, 0, &to), ERR_NONE);
    static const uint8_t packets[] = "\0\0\0\0\0\0\0\0\0\0\0\3abc\0\0\0\0\0\0\0\0\0\0\0\2de";
    assert_int_equal(write(sock[1], packets, sizeof(packets) - 1), sizeof(packets) - 1);
    close(sock[1]);
    struct pump_ready r;
    assert_int_equal(pump_next(e[0].p, NULL, &r), ERR_PEER_GONE);
    char buf[20];
    assert_int_equal(read(dst[0], buf, sizeof(buf)), 5);
    assert_memory_equal(buf, "abcde", 5);
    assert_int_equal(pump_socket_errno(e[0].p), 0);
    close(dst[0]);
    pump_free(e[0].p), conn_free(e[0].c), close(sock[0]);
}

static void alarm_and_idle_trim_come_without_traffic(void **state)
{
    (void)state;
    struct end e[2];
    pair_open(e, WINDOW, 1, PUMP_FD_SOCKET);
    pump_alarm(e[0].p, clock_us() + 1200000);
    struct pump_ready r;
    assert_int_equal(pump_next(e[0].p, NULL, &r), ERR_NONE);
    assert_int_equal(r.what, PUMP_TIME);
    assert_int_equal(fake_idled(e[0].c), 1);
    pair_close(e);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(source_end_becomes_eof_and_peer_eof_closes_the_sink),
        cmocka_unit_test(held_eof_is_the_programs_to_send),
        cmocka_unit_test(socket_ends_close_by_halves),
        cmocka_unit_test(a_finished_source_ends_when_it_is_empty),
        cmocka_unit_test(pty_end_is_eof_and_pty_is_not_closed_by_the_peers_eof),
        cmocka_unit_test(broken_sink_sends_eow_and_swallows_the_rest),
        cmocka_unit_test(sink_without_room_fails_the_connection),
        cmocka_unit_test(peers_eow_closes_the_source),
        cmocka_unit_test(stalled_sink_keeps_no_more_than_the_window),
        cmocka_unit_test(closed_channel_still_writes_what_it_got),
        cmocka_unit_test(filter_takes_bytes_out_and_wakes_the_program),
        cmocka_unit_test(inherited_descriptor_is_never_written_beyond_its_room),
        cmocka_unit_test(detached_channel_gives_its_data_to_the_program),
        cmocka_unit_test(held_channel_leaves_the_bytes_in_the_pipe),
        cmocka_unit_test(lost_connection_ends_with_the_data_that_came_before),
        cmocka_unit_test(alarm_and_idle_trim_come_without_traffic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
