/* SPDX-License-Identifier: ISC */
/* SFTP in the face: a desk (kit/file_desk.h) between a channel and the file hand, a process of the user's that opens what is asked for. Bytes of
 * files pass here and nowhere else; names are opened there and nowhere else. */
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "face.h"
#include "kit/file_desk.h"
#include "kit/files.h"
#include "os/clock.h"
#include "os/message.h"

#define ROOMS        100                /* packets that one turn may fill */
#define SEND_FROM    24576              /* a datagram of that size leaves at once; a request more always fits */
#define REPLIES_MANY 262144             /* so much waits for the peer: the hand's answers wait too */
#define HEARD_MAX    8                  /* datagrams of the hand before others have their turn */
#define WORK_PAUSE_US 100

struct face_files {
    struct face *f;
    uint32_t chan;
    int line;
    short watched;
    struct desk *desk;                  /* NULL: the hand's greeting has not come */
    struct wr early;                    /* what the peer said before it */
    bool blocked;                       /* the line takes no more for now */
    bool broken;                        /* the hand is gone, or lies */
    bool peer_ended;
    struct wr out;                      /* the datagram for the hand, its descriptors; those stay the desk's */
    int fds[FILES_DATAGRAM_FDS];
    size_t fd_count;
    uint8_t out_room[FILES_DATAGRAM_MAX];
};

static struct face_files *files_of(struct face *f, uint32_t chan)
{
    return chan < CHANS_MAX ? f->chans[chan].files : NULL;
}

/* ---- to the hand ---- */

static void send_out(struct face_files *x)
{
    if (x->out.n == 0 || x->broken) return;
    enum err e = message_send(x->line, x->out.p, x->out.n, x->fds, x->fd_count, false);
    x->blocked = e == ERR_AGAIN;
    if (x->blocked) return;
    x->broken = e != ERR_NONE;
    x->out.n = 0, x->fd_count = 0;
}

static bool ask_hand(void *ctx, const struct sftp_op *op, const int fds[2])
{
    struct face_files *x = ctx;
    unsigned need = files_fds_needed(op->verb);
    if (x->fd_count + need > FILES_DATAGRAM_FDS) send_out(x);
    if (x->fd_count + need > FILES_DATAGRAM_FDS) return false;
    sftp_op_write(&x->out, op);
    for (unsigned i = 0; i < need; i++) x->fds[x->fd_count++] = fds[i];
    if (x->out.n >= SEND_FROM && !x->blocked) send_out(x);
    return wr_done(&x->out) == ERR_NONE && !x->broken;
}

static void close_log(void *ctx, struct bytes handle)
{
    static const int none[2] = {-1, -1};
    struct face_files *x = ctx;
    const struct sftp_op op = {.verb = SFTP_VERB_CLOSE, .handle = handle};
    if (x->blocked) return;     /* it logs by itself what is open at its end */
    (void)ask_hand(x, &op, none);
}

/* ---- the end ---- */

void face_files_end(struct face *f, uint32_t chan)
{
    struct face_files *x = files_of(f, chan);
    if (!x) return;
    desk_free(x->desk, x->blocked ? NULL : close_log);
    send_out(x);
    (void)!pump_watch(f->pump, x->line, 0);
    (void)!pump_want_room(f->pump, chan, 0);
    close(x->line);
    wr_clear(&x->early);
    free(x);
    f->chans[chan].files = NULL;
}

/* As OpenSSH's sftp-server ends: told by an empty word, which the hand takes for what it is, and says so in its exit status. */
static void tell_broken(struct face_files *x)
{
    static const uint8_t nothing[1];
    send_out(x);
    if (!x->blocked && !x->broken) (void)!message_send(x->line, nothing, sizeof nothing, NULL, 0, false);
}

/* Is there nothing left to do? */
static bool over(struct face_files *x)
{
    if (x->broken) return true;
    if (!x->desk) return false;
    if (desk_error(x->desk) != ERR_NONE) {
        if (desk_wants(x->desk) > 0) return false;
        tell_broken(x);
        return true;
    }
    return x->peer_ended && desk_idle(x->desk);
}

/* After every turn: requests leave, the window reopens, what is waited for is said. x may be gone afterwards. */
static void settle(struct face_files *x)
{
    struct face *f = x->f;
    uint32_t chan = x->chan;
    if (!x->blocked) send_out(x);
    if (x->desk) {
        desk_hold(x->desk, x->blocked);
        if (!x->blocked) send_out(x);
        chan_consumed(f->conn, chan, desk_consumed(x->desk));
    }
    if (over(x)) {
        face_files_end(f, chan);
        face_sources_ended(f, chan);
        return;
    }
    if (f->limits) f->chans[chan].since_us = clock_us();     /* not silent */
    size_t wants = x->desk ? desk_wants(x->desk) : 0;
    if (pump_want_room(f->pump, chan, wants ? wants + wants / 16 + 4096 : 0) != ERR_NONE) _exit(2);
    short events = (short)((wants < REPLIES_MANY ? POLLIN : 0) | (x->blocked ? POLLOUT : 0));
    if (events != x->watched && pump_watch(f->pump, x->line, events) != ERR_NONE) _exit(2);
    x->watched = events;
    if (x->desk && desk_working(x->desk) && f->work_at_us == 0) {
        f->work_at_us = clock_us() + WORK_PAUSE_US;
        face_alarm(f);
    }
}

/* ---- from the hand ---- */

static bool greeting_take(struct face_files *x, struct bytes in)
{
    struct files_hello hello;
    if (files_hello_parse(in, &hello) != ERR_NONE) return false;
    const struct desk_setup setup = {.read_only = hello.read_only, .refused = hello.refused, .fds_left = &x->f->fds_left, .ask = ask_hand, .ctx = x};
    x->desk = desk_new(&setup);
    if (!x->desk) return false;
    (void)!desk_input(x->desk, wr_bytes(&x->early));        /* what is wrong with it shows in desk_error() */
    wr_clear(&x->early);
    return true;
}

/* The hand is a user's process: what it says is held to what was asked. */
static bool answers_take(struct face_files *x, struct bytes in, struct message *m)
{
    size_t at = 0;
    bool good = true;
    struct rd r = rd_init(in);
    while (good && r.n > 0) {
        struct sftp_result result;
        enum sftp_verb verb = SFTP_VERB_OPEN;
        struct bytes one = rd_string(&r);
        good = r.err == ERR_NONE && desk_verb_due(x->desk, &verb) == ERR_NONE;
        /* what is done with a descriptor here, as hashing, begins with an opened file */
        if (good) good = sftp_result_parse(one, files_answers_fd(verb) ? SFTP_VERB_OPEN : verb, &result) == ERR_NONE;
        if (!good) break;
        int fd = result.kind == SFTP_HANDLE && files_answers_fd(verb) && at < m->fd_count ? m->fd[at++] : -1;
        good = desk_answer(x->desk, &result, fd) == ERR_NONE;
    }
    for (; at < m->fd_count; at++) {
        close(m->fd[at]);
        good = false;
    }
    return good;
}

static bool line_take(struct face_files *x)
{
    static uint8_t in[FILES_DATAGRAM_MAX];
    struct message m;
    enum err e = message_recv(x->line, in, sizeof in, false, &m);
    if (e == ERR_AGAIN) return false;
    if (e != ERR_NONE) {
        x->broken = true;
        return false;
    }
    const struct bytes got = bytes_of(in, m.n);
    if (x->desk) {
        x->broken = !answers_take(x, got, &m) || x->broken;
    } else {
        x->broken = m.fd_count > 0 || !greeting_take(x, got);
        message_close_fds(&m);
    }
    return !x->broken;
}

void face_files_line(struct face *f, int fd)
{
    uint32_t chan = 0;
    while (chan < CHANS_MAX && !(f->chans[chan].files && f->chans[chan].files->line == fd)) chan++;
    struct face_files *x = files_of(f, chan);
    if (!x) return;
    if (x->blocked) send_out(x);
    for (int n = 0; n < HEARD_MAX && line_take(x); n++) continue;
    settle(x);
}

/* ---- from and to the peer ---- */

bool face_files_begin(struct face *f, uint32_t chan, int line)
{
    struct face_files *x = calloc(1, sizeof *x);
    if (!x) {
        close(line);
        return false;
    }
    x->f = f, x->chan = chan, x->line = line;
    x->early = wr_heap(WINDOW_TOTAL_MAX);
    x->out = wr_span((struct span){x->out_room, sizeof x->out_room});
    f->chans[chan].files = x;
    settle(x);
    return true;
}

void face_files_data(struct face *f, uint32_t chan, struct bytes data)
{
    struct face_files *x = files_of(f, chan);
    if (x->desk) {
        (void)!desk_input(x->desk, data);
    } else {
        wr_raw(&x->early, data);
        x->broken = wr_done(&x->early) != ERR_NONE;
    }
    settle(x);
}

void face_files_peer_eof(struct face *f, uint32_t chan)
{
    struct face_files *x = files_of(f, chan);
    x->peer_ended = true;
    settle(x);
}

void face_files_room(struct face *f, uint32_t chan)
{
    struct face_files *x = files_of(f, chan);
    struct span room[ROOMS];
    if (!x || !x->desk) return;
    bool all = conn_output_peek(f->conn).n == 0;
    size_t k = chan_reserve_v(f->conn, chan, STREAM_DATA, 0, room, ROOMS);
    size_t n = desk_fill(x->desk, room, k, all);
    chan_commit(f->conn, chan, STREAM_DATA, n);
    settle(x);
    /* It wants more in one piece than these packets hold: again when nothing waits for the socket. */
    if (n == 0 && files_of(f, chan) && desk_wants(x->desk) > 0 && pump_want_room(f->pump, chan, SIZE_MAX) != ERR_NONE) _exit(2);
}

void face_files_work(struct face *f)
{
    f->work_at_us = 0;
    for (uint32_t chan = 0; chan < CHANS_MAX; chan++) {
        struct face_files *x = f->chans[chan].files;
        if (!x || !x->desk || !desk_working(x->desk)) continue;
        desk_work(x->desk);
        settle(x);
    }
}
