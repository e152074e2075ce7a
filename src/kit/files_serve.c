/* SPDX-License-Identifier: ISC */
/* The executor at the end of a socket: datagrams of requests in, datagrams of results out. Whoever is at the other end reads what peers
 * send: nothing of it is believed. */
#include <errno.h>
#include <unistd.h>

#include "files_impl.h"
#include "os/message.h"

enum { EXIT_BAD_MESSAGE = 11 };         /* as OpenSSH's sftp-server */

struct answers {
    int sock;
    struct wr w;
    int fds[FILES_DATAGRAM_FDS];
    size_t fd_count;
};

static bool answers_send(struct answers *a)
{
    bool sent = a->w.n == 0 || message_send(a->sock, a->w.p, a->w.n, a->fds, a->fd_count, true) == ERR_NONE;
    for (size_t i = 0; i < a->fd_count; i++) close(a->fds[i]);
    a->fd_count = 0, a->w.n = 0, a->w.err = ERR_NONE;
    return sent;
}

/* One more result; what does not fit starts a new datagram. */
static bool answer_add(struct answers *a, const struct sftp_result *r, int fd)
{
    for (int round = 0; round < 2; round++) {
        size_t before = a->w.n;
        sftp_result_write(&a->w, r);
        bool fits = wr_done(&a->w) == ERR_NONE && (fd < 0 || a->fd_count < FILES_DATAGRAM_FDS);
        if (fits) {
            if (fd >= 0) a->fds[a->fd_count++] = fd;
            return true;
        }
        a->w.n = before, a->w.err = ERR_NONE;
        if (!answers_send(a)) break;
    }
    if (fd >= 0) close(fd);
    return false;
}

/* The requests of one datagram; false: it is none, or nobody reads the answers. */
static bool datagram_take(struct files *f, struct bytes in, const struct message *m, struct answers *a)
{
    size_t fd_at = 0;
    struct rd r = rd_init(in);
    while (r.n > 0) {
        struct sftp_op op;
        struct sftp_result result;
        int fds[2] = {-1, -1}, fd;
        struct bytes one = rd_string(&r);
        if (r.err != ERR_NONE || sftp_op_parse(one, &op) != ERR_NONE) return false;
        unsigned need = files_fds_needed(op.verb);
        if (need > m->fd_count - fd_at) return false;
        for (unsigned i = 0; i < need; i++) fds[i] = m->fd[fd_at++];
        files_do(f, &op, fds, &result, &fd);
        if (!answer_add(a, &result, fd)) return false;
    }
    return fd_at == m->fd_count;
}

static bool hello_send(const struct files *f, int sock)
{
    uint8_t hello[FILES_HELLO] = {f->options.read_only};
    put_u64(hello + 1, f->options.refused);
    return message_send(sock, hello, sizeof hello, NULL, 0, true) == ERR_NONE;
}

int files_serve(struct files *f, int sock)
{
    static uint8_t in[FILES_DATAGRAM_MAX], out[FILES_DATAGRAM_MAX];
    struct answers a = {.sock = sock, .w = wr_span((struct span){out, sizeof out})};
    if (!hello_send(f, sock)) return 0;
    files_watch(f, sock);
    for (;;) {
        struct message m;
        enum err e = message_recv(sock, in, sizeof in, true, &m);
        if (e == ERR_AGAIN) continue;
        if (e == ERR_PEER_GONE) return 0;
        if (e != ERR_NONE) break;
        bool good = datagram_take(f, bytes_of(in, m.n), &m, &a);
        message_close_fds(&m);
        if (!answers_send(&a)) return 0;
        if (!good) break;
    }
    log_line(LOG_LEVEL_ERROR, "bad message from %s local user %s", f->user.client ? f->user.client : "UNKNOWN", f->user.name);
    return EXIT_BAD_MESSAGE;
}
