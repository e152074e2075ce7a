/* SPDX-License-Identifier: ISC */
#include "kit/lane.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sftp/lane.h"

#define PUTS_MAX 32             /* views that one call writes */

struct lane {
    int sock;
    bool ended;                 /* nothing comes from it any more */
    struct sftp_lane *stream;
    int fds[SFTP_LANE_FILES];
    int error;                  /* of the reply that is being written, */
    size_t written;             /* and how much of it is */
    struct iovec puts[PUTS_MAX];    /* its bytes that are not written yet, */
    size_t put_count;
    uint32_t slot;              /* and where they belong */
    uint64_t offset;
    uint64_t placed;            /* bytes written in all */
};

static void file_close(struct lane *l, uint32_t slot, int *error)
{
    int fd = l->fds[slot];
    l->fds[slot] = -1;
    if (fd >= 0 && close(fd) != 0 && errno != EINTR) *error = errno;    /* a quota may only tell now */
}

static void files_close(struct lane *l)
{
    int none;
    for (uint32_t i = 0; i < SFTP_LANE_FILES; i++) file_close(l, i, &none);
}

void lane_free(struct lane *l)
{
    if (!l) return;
    files_close(l);
    close(l->sock);
    sftp_lane_free(l->stream);
    free(l);
}

int lane_fd(const struct lane *l)
{
    return l->sock;
}

uint64_t lane_placed(const struct lane *l)
{
    return l->placed;
}

/* ---- messages ---- */

static bool hello(int sock)
{
    uint8_t out[SFTP_LANE_MESSAGE];
    sftp_lane_write(&(struct sftp_lane_message){.verb = SFTP_LANE_HELLO}, out);
    struct iovec iov = {.iov_base = out, .iov_len = sizeof out};
    const struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    return sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof out;
}

struct lane *lane_open(int sock)
{
    struct lane *l = calloc(1, sizeof *l);
    if (l) {
        l->sock = sock;
        for (size_t i = 0; i < SFTP_LANE_FILES; i++) l->fds[i] = -1;
        l->stream = sftp_lane_new();
        if (l->stream && hello(sock)) return l;
    }
    lane_free(l);
    if (!l) close(sock);
    return NULL;
}

/* One datagram; *fd: what came with it, or -1. False: none there, or the end. */
static bool datagram_take(struct lane *l, uint8_t *buf, size_t cap, size_t *n, int *fd)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = buf, .iov_len = cap};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    ssize_t got = recvmsg(l->sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    *fd = -1;
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    l->ended = got <= 0;
    if (l->ended) return false;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int))) memcpy(fd, CMSG_DATA(c), sizeof(int));
    *n = (size_t)got;
    return true;
}

/* A file whose descriptor did not come (there were too many) is none: what belongs to it passes. */
static void message_take(struct lane *l, struct bytes datagram, int fd)
{
    struct sftp_lane_message m;
    int none;
    bool known = sftp_lane_parse(datagram, &m) == ERR_NONE && m.verb != SFTP_LANE_HELLO;
    if (known && m.verb == SFTP_LANE_FILE && fd < 0) m.verb = SFTP_LANE_END;
    if (!known || sftp_lane_take(l->stream, &m) != ERR_NONE) {      /* whoever says that is not our sftp: nothing is written for it */
        if (fd >= 0) close(fd);
        files_close(l);
        return;
    }
    if (m.verb != SFTP_LANE_READ) file_close(l, m.slot, &none);
    if (m.verb == SFTP_LANE_FILE) l->fds[m.slot] = fd;
    else if (fd >= 0) close(fd);
}

bool lane_listen(struct lane *l)
{
    uint8_t buf[SFTP_LANE_MESSAGE + 1];
    size_t n;
    int fd;
    while (datagram_take(l, buf, sizeof buf, &n, &fd)) message_take(l, bytes_of(buf, n), fd);
    if (l->ended) files_close(l);       /* who asked is gone: what is under way is for nobody, and another may write that file now */
    return !l->ended;
}

/* ---- writing ---- */

/* All of it, or the reason why not. */
static void puts_write(struct lane *l, struct pump_sorted *out)
{
    struct iovec *v = l->puts;
    size_t count = l->put_count;
    l->put_count = 0;
    for (size_t i = 0; i < count; i++) out->gone += v[i].iov_len;
    while (count && !l->error) {
        ssize_t n = pwritev(l->fds[l->slot], v, (int)count, (off_t)l->offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            l->error = n < 0 ? errno : EIO;
            break;
        }
        l->offset += (uint64_t)n, l->placed += (uint64_t)n, l->written += (size_t)n;
        for (; count && (size_t)n >= v->iov_len; v++, count--) n -= (ssize_t)v->iov_len;
        if (count) v->iov_base = (uint8_t *)v->iov_base + n, v->iov_len -= (size_t)n;
    }
}

static struct iovec iov_of(struct bytes b)
{
    union { const uint8_t *in; void *out; } unconst = {.in = b.p};     /* written from, never to */
    return (struct iovec){.iov_base = unconst.out, .iov_len = b.n};
}

static void put_add(struct lane *l, const struct sftp_lane_step *step, struct pump_sorted *out)
{
    if (l->put_count == PUTS_MAX) puts_write(l, out);
    if (l->put_count == 0) l->slot = step->slot, l->offset = step->offset;
    l->puts[l->put_count++] = iov_of(step->bytes);
}

/* ---- to the sink ---- */

static void out_pass(struct pump_sorted *out, struct bytes b)
{
    struct iovec *last = out->n ? &out->out[out->n - 1] : NULL;
    if (last && (uint8_t *)last->iov_base + last->iov_len == b.p) last->iov_len += b.n;
    else out->out[out->n++] = iov_of(b);
}

static void out_copy(struct pump_sorted *out, struct bytes b)
{
    memcpy(out->room[out->n], b.p, b.n);
    out->out[out->n] = (struct iovec){.iov_base = out->room[out->n], .iov_len = b.n};
    out->n++;
}

/* The descriptor is closed before it is told: who hears of it may run or unmount what was written. */
static void out_note(struct lane *l, const struct sftp_lane_step *step, struct pump_sorted *out)
{
    uint8_t note[SFTP_DATA_HEAD];
    puts_write(l, out);
    if (step->closes || l->error) file_close(l, step->slot, &l->error);
    sftp_lane_note(l->stream, (uint32_t)l->error, l->written, note);
    l->error = 0, l->written = 0;
    out_copy(out, bytes_of(note, sizeof note));
}

bool lane_sort(void *ctx, struct bytes *in, struct pump_sorted *out)
{
    struct lane *l = ctx;
    struct bytes none = {0};
    if (!in) in = &none;
    while (out->n < PUMP_SORTED_MAX) {
        struct sftp_lane_step step = {0};
        switch (sftp_lane_next(l->stream, in, &step)) {
        case SFTP_LANE_PASS: out_pass(out, step.bytes); break;
        case SFTP_LANE_COPY: out_copy(out, step.bytes); break;
        case SFTP_LANE_LOOK: (void)lane_listen(l); break;
        case SFTP_LANE_PLACE: put_add(l, &step, out); break;
        case SFTP_LANE_NOTE: out_note(l, &step, out); break;
        case SFTP_LANE_MORE:
            if (in == &none) puts_write(l, out);
            return true;
        }
    }
    return false;
}
