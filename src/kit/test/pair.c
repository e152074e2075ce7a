/* SPDX-License-Identifier: ISC */
#include "pair.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

void pair_open(struct end e[2], uint32_t window, uint32_t channels, enum pump_fd_kind kind)
{
    int fd[2];
    int flags = kind == PUMP_FD_NONBLOCK ? SOCK_NONBLOCK : 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | flags, 0, fd), 0);
    for (int i = 0; i < 2; i++) {
        e[i] = (struct end){.c = fake_conn_new(window, false)};
        assert_non_null(e[i].c);
        for (uint32_t ch = 0; ch < channels; ch++) fake_channel(e[i].c, ch);
        e[i].p = pump_new(e[i].c, fd[i], fd[i], kind);
        assert_non_null(e[i].p);
    }
}

void pair_close(struct end e[2])
{
    for (int i = 0; i < 2; i++) {
        pump_free(e[i].p);
        conn_free(e[i].c);
    }
}

void pipe_open(int fd[2])
{
    assert_int_equal(pipe2(fd, O_NONBLOCK | O_CLOEXEC), 0);
}
