/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/fd.h"
#include "os/message.h"
#include "os/socket.h"
#include "os/spawn.h"

static int count_fds(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++) n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void messages_keep_their_edges_and_descriptors(void **state)
{
    (void)state;
    int pair[2], before = count_fds();
    char buf[8];
    struct message m;
    assert_int_equal(message_pair(pair), ERR_NONE);
    assert_int_equal(message_recv(pair[1], buf, sizeof buf, false, &m), ERR_AGAIN);
    assert_int_equal(message_send(pair[0], "abc", 3, &pair[0], 1, true), ERR_NONE);
    assert_int_equal(message_send(pair[0], "de", 2, NULL, 0, true), ERR_NONE);
    assert_int_equal(message_recv(pair[1], buf, sizeof buf, true, &m), ERR_NONE);
    assert_int_equal(m.n, 3);
    assert_int_equal(m.fd_count, 1);
    assert_true(fcntl(m.fd[0], F_GETFD) & FD_CLOEXEC);
    message_close_fds(&m);
    assert_int_equal(message_recv(pair[1], buf, sizeof buf, true, &m), ERR_NONE);
    assert_int_equal(m.n, 2);
    close(pair[0]);
    assert_int_equal(message_recv(pair[1], buf, sizeof buf, true, &m), ERR_PEER_GONE);
    close(pair[1]);
    assert_int_equal(count_fds(), before);
}

static void a_datagram_too_long_or_with_too_many_descriptors_is_an_error_and_leaks_none(void **state)
{
    (void)state;
    int pair[2], many[MESSAGE_FDS_MAX + 1], before = count_fds();
    char buf[4];
    struct message m;
    assert_int_equal(message_pair(pair), ERR_NONE);
    assert_int_equal(message_send(pair[0], "abcde", 5, &pair[0], 1, true), ERR_NONE);
    assert_int_equal(message_recv(pair[1], buf, sizeof buf, true, &m), ERR_TOO_LONG);
    for (size_t i = 0; i < COUNT_OF(many); i++) many[i] = pair[0];
    assert_int_equal(message_send(pair[0], "a", 1, many, COUNT_OF(many), true), ERR_USAGE);
    close(pair[0]), close(pair[1]);
    assert_int_equal(count_fds(), before);
}

static int child_answers(void *arg)
{
    *(int *)arg = 41;
    spawn_signals_default();
    return 7;
}

static void spawn_call_runs_in_our_memory_and_gives_its_status(void **state)
{
    (void)state;
    int seen = 0, status = 0;
    pid_t pid;
    signal(SIGUSR1, SIG_IGN);
    assert_int_equal(spawn_call(child_answers, &seen, &pid), ERR_NONE);
    assert_int_equal(child_wait(pid, &status), ERR_NONE);
    assert_int_equal(seen, 41);
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_ptr_equal(signal(SIGUSR1, SIG_DFL), SIG_IGN);    /* the child's handlers were its own */
}

/* Children that end within frames of different shapes, one after the other on the same memory: in a sanitizer's build nothing of the first
 * may be held against the second. */
static __attribute__((noinline)) int ends_shallow(volatile char *out)
{
    volatile char small[8] = {1}, other[24] = {2};
    *out = (char)(small[0] + other[0]);
    _exit(*out);
}
static int child_shallow(void *arg)
{
    volatile char c[3] = {0};
    (void)arg;
    return ends_shallow(c);
}
static int child_deep(void *arg)
{
    volatile char large[4096];
    (void)arg;
    for (size_t i = 0; i < sizeof large; i++) large[i] = 3;
    return large[17];
}

static void one_child_leaves_no_frames_to_the_next(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        int status = 0;
        pid_t pid;
        assert_int_equal(spawn_call(i % 2 ? child_deep : child_shallow, NULL, &pid), ERR_NONE);
        assert_int_equal(child_wait(pid, &status), ERR_NONE);
        assert_int_equal(status, 3 << 8);
    }
}

static void a_spawned_program_has_only_the_descriptors_it_was_given(void **state)
{
    (void)state;
    int out[2], exe = open("/bin/sh", O_PATH | O_CLOEXEC), status;
    char script[] = "for f in /proc/self/fd/*; do [ -e $f ] && echo ${f##*/}; done | sort -n | tr '\\n' ' '; trap", text[128] = {0};
    char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, script, NULL}, *envp[] = {NULL};
    pid_t pid;
    assert_int_equal(pipe(out), 0);
    int given[] = {-1, out[1], 2, -1};
    struct spawn s = {.exe = exe, .argv = argv, .envp = envp, .fds = given, .fd_count = 4};
    assert_int_equal(spawn_exec(&s, &pid), ERR_NONE);
    close(out[1]);
    assert_true(read(out[0], text, sizeof text - 1) > 0);
    assert_int_equal(child_wait(pid, &status), ERR_NONE);
    assert_string_equal(text, "0 1 2 3 ");
    close(out[0]), close(exe);
}

static void a_program_that_cannot_run_is_an_error_here(void **state)
{
    (void)state;
    char *argv[] = {(char[]){"x"}, NULL}, *envp[] = {NULL};
    pid_t pid;
    int exe = open("/etc/passwd", O_PATH | O_CLOEXEC);
    struct spawn s = {.exe = exe, .argv = argv, .envp = envp};
    assert_int_equal(spawn_exec(&s, &pid), ERR_SYSTEM);
    assert_int_equal(errno, EACCES);
    close(exe);
}

/* The kernel tells us first that what we sent was never read (ECONNRESET); what was sent to us still lies there. */
static void last_words_are_heard_though_the_peer_went_without_reading_ours(void **state)
{
    (void)state;
    struct message m;
    char buf[16];
    int pair[2];
    assert_int_equal(message_pair(pair), ERR_NONE);
    assert_int_equal(message_send(pair[1], "unread", 6, NULL, 0, true), ERR_NONE);
    assert_int_equal(message_send(pair[0], "last", 4, NULL, 0, true), ERR_NONE);
    close(pair[0]);
    assert_int_equal(message_recv(pair[1], buf, sizeof buf, false, &m), ERR_NONE);
    assert_memory_equal(buf, "last", 4);
    assert_int_equal(message_recv(pair[1], buf, sizeof buf, false, &m), ERR_PEER_GONE);
    close(pair[1]);
}

static int pass_numbers(void *arg)
{
    int *pipe_end = arg, keep[6] = {5, 4, -1, 3, *pipe_end, 2};
    if (spawn_keep_fds(keep, 6) != ERR_NONE) return 1;
    return write(4, "x", 1) == 1 && fcntl(6, F_GETFD) < 0 ? 0 : 2;
}

static void descriptors_may_swap_places(void **state)
{
    (void)state;
    int p[2], status, dup5;
    pid_t pid;
    char c;
    assert_int_equal(pipe(p), 0);
    dup5 = dup(0);
    while (dup5 < 8) dup5 = dup(0);
    assert_int_equal(spawn_call(pass_numbers, &p[1], &pid), ERR_NONE);
    assert_int_equal(child_wait(pid, &status), ERR_NONE);
    assert_int_equal(status, 0);
    assert_int_equal(read(p[0], &c, 1), 1);
    for (int fd = 3; fd <= dup5; fd++) close(fd);
}

static void addresses_have_their_text(void **state)
{
    (void)state;
    int pair[2];
    struct address a;
    assert_int_equal(message_pair(pair), ERR_NONE);
    address_peer(pair[0], &a);
    assert_string_equal(a.text, "UNKNOWN");
    assert_int_equal(a.port, 65535);
    close(pair[0]), close(pair[1]);
}

/* A pipe's writer gets rid of a part at a time, and its reader has a part at a time. */
static void all_of_a_text_goes_through_a_pipe_or_as_much_as_was_asked_for(void **state)
{
    (void)state;
    static uint8_t text[300000], room[sizeof text + 1];
    struct wr all CLEANUP(wr_clear) = wr_heap(sizeof text), some CLEANUP(wr_clear) = wr_heap(sizeof text);
    int p[2], status;
    for (size_t i = 0; i < sizeof text; i++) text[i] = (uint8_t)(i % 251);
    for (int turn = 0; turn < 4; turn++) {
        assert_int_equal(pipe2(p, O_CLOEXEC), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            close(p[0]);
            signal(SIGPIPE, SIG_IGN);
            _exit(fd_write(p[1], bytes_of(text, sizeof text)) == ERR_NONE ? 0 : 1);
        }
        close(p[1]);
        if (turn == 0) assert_int_equal(fd_fill(p[0], room, sizeof room), sizeof text);
        if (turn == 1) assert_int_equal(fd_fill(p[0], room, 70000), 70000);
        if (turn == 2) assert_int_equal(fd_read(p[0], sizeof text, &all), ERR_NONE);
        if (turn == 3) assert_int_equal(fd_read(p[0], sizeof text - 1, &some), ERR_TOO_LONG);
        close(p[0]);
        assert_int_equal(child_wait(pid, &status), ERR_NONE);
        if (turn != 3) assert_int_equal(status, turn == 1 ? 1 << 8 : 0);
    }
    assert_memory_equal(room, text, sizeof text);
    assert_true(bytes_equal(wr_bytes(&all), bytes_of(text, sizeof text)));
}

static void a_span_of_a_second_or_more_is_one_that_the_kernel_takes(void **state)
{
    (void)state;
    const uint64_t us[] = {0, 999999, 1000000, 2300001, UINT64_MAX};
    for (size_t i = 0; i < sizeof us / sizeof *us; i++) {
        struct timespec t = clock_span(us[i]);
        assert_in_range(t.tv_nsec, 0, 999999999);
        assert_int_equal((uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000, us[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_keep_their_edges_and_descriptors),
        cmocka_unit_test(a_datagram_too_long_or_with_too_many_descriptors_is_an_error_and_leaks_none),
        cmocka_unit_test(last_words_are_heard_though_the_peer_went_without_reading_ours),
        cmocka_unit_test(spawn_call_runs_in_our_memory_and_gives_its_status),
        cmocka_unit_test(one_child_leaves_no_frames_to_the_next),
        cmocka_unit_test(a_spawned_program_has_only_the_descriptors_it_was_given),
        cmocka_unit_test(a_program_that_cannot_run_is_an_error_here), cmocka_unit_test(descriptors_may_swap_places),
        cmocka_unit_test(addresses_have_their_text), cmocka_unit_test(a_span_of_a_second_or_more_is_one_that_the_kernel_takes),
        cmocka_unit_test(all_of_a_text_goes_through_a_pipe_or_as_much_as_was_asked_for),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
