/* SPDX-License-Identifier: ISC */
/* Blocks. Files are only ever written from their beginning on: data that comes out of turn is thrown away and asked for again, so that whenever a
 * copy ends, by whatever cause, the target is a whole beginning of its source and can be resumed. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/types.h>
#include <unistd.h>

#include "copier.h"
#include "os/clock.h"

#define SPLICE_MIN (16 * 1024)      /* shorter rests come cheaper through memory, with the replies behind them */
#define LANE_MIN   (1024 * 1024)    /* less is not worth passing a descriptor on */
#define REWINDS_MAX 3               /* then this file's blocks are asked for one by one */

/* ---- the window: how much is under way ---- */

/* A round is a window's worth of bytes. While rounds that filled the window get faster, it doubles; now and then one doubling is tried. */
static void window_done(struct copy *c, uint64_t n)
{
    struct window *w = &c->window;
    w->out -= n;
    w->requests--;
    w->round_bytes += n;
    if (w->round_bytes < w->bytes) return;
    uint64_t now = clock_us(), took = now - w->round_us + 1;
    double rate = (double)w->round_bytes / (double)took;
    w->round_bytes = 0;
    w->round_us = now;
    if (!w->full) return;
    w->full = false;
    if (rate > w->best * 1.15) {
        w->best = rate;
        w->trial = false, w->quiet = 0;
        if (w->bytes < WINDOW_MAX) w->bytes *= 2;
    } else if (w->trial) {
        w->trial = false;
        w->bytes /= 2;
    } else if (++w->quiet >= 8 && w->bytes < WINDOW_MAX) {
        w->trial = true, w->quiet = 0;
        w->bytes *= 2;
    }
}

static bool window_open(struct copy *c)
{
    struct window *w = &c->window;
    if (w->out == 0 && w->requests == 0) w->round_bytes = 0, w->round_us = clock_us();
    bool open = c->s.requests ? w->requests < c->s.requests : w->out < w->bytes;
    if (!open) w->full = true;
    return open;
}

static void window_take(struct copy *c, uint64_t n)
{
    c->window.out += n;
    c->window.requests++;
}

/* ---- the list of files that move data ---- */

static void data_remove(struct copy *c, struct file *f)
{
    struct file **p = &c->data;
    while (*p && *p != f) p = &(*p)->data_next;
    if (!*p) return;
    *p = f->data_next;
    if (c->data_tail == &f->data_next) c->data_tail = p;
    f->data_next = NULL;
    f->in_data = false;
    if (f->lane) link_lane_end(c->link[FROM], f->lane - 1);
    f->lane = 0, f->lane_told = false;
}

/* Data of a long file from a server to this machine is written where it is decrypted, if it may be written anywhere at any time. */
static void lane_begin(struct copy *c, struct file *f)
{
    struct stat st;
    struct link *l = c->link[FROM];
    if (!l || l->lane < 0 || c->link[TO] || c->s.limit_kbit || f->size < f->start || f->size - f->start < LANE_MIN) return;
    if (fstat(f->fd[TO], &st) != 0 || !S_ISREG(st.st_mode)) return;
    f->lane = link_lane_begin(l, f->fd[TO], f->start, f->size) + 1;
    f->lane_told = f->lane != 0;
}

void data_begin(struct copy *c, struct file *f)
{
    lane_begin(c, f);
    f->have = f->ask_at = f->start;
    f->bytes = f->start;
    f->in_data = true;
    f->data_next = NULL;
    *c->data_tail = f;
    c->data_tail = &f->data_next;
    data_settle(c, f);
}

void data_settle(struct copy *c, struct file *f)
{
    if (!f->in_data || f->reads || f->writes || c->mover.file == f) return;
    if (stop_asked(c) && !f->eof) f->stopped = true;
    if (f->rewind) f->rewind = false, f->ask_at = f->have;
    if (!f->eof && !f->failed && !f->stopped) return;
    data_remove(c, f);
    f->state = FILE_SET;
    node_ready(c, &f->node);
}

/* ---- asking for data ---- */

/* False: no more of this file now. */
static bool read_ask(struct copy *c, struct file *f)
{
    const char *why;
    /* Up to where the source ends and, when that was at the end of a block, once more; beyond what it told, one by one. */
    if (f->eof || f->failed || f->stopped || f->rewind) return false;
    if (f->reads && (f->ask_at > f->size || f->in_turn)) return false;
    if (f->reads && f->ask_at == f->size && f->size == f->start) return false;
    struct sftp_op op = {.verb = SFTP_VERB_READ, .handle = bytes_of(f->handle[FROM], f->handle_n[FROM]), .offset = f->ask_at, .length = c->block};
    if (!copy_ask(c, FROM, &op, ASK_READ, f, &why)) return false;
    if (f->lane_told) f->lane_told = f->laned = link_lane_read(c->link[FROM], f->lane - 1, f->ask_at, c->block);
    window_take(c, c->block);
    f->reads++;
    f->ask_at += c->block;
    return true;
}

static enum err write_ask(struct copy *c, struct file *f, size_t n, bool from_file)
{
    struct link *l = c->link[TO];
    struct ask *a = ask_new(c, ASK_WRITE, f, f->ask_at, (uint32_t)n);
    struct sftp_op op = {.verb = SFTP_VERB_WRITE, .handle = bytes_of(f->handle[TO], f->handle_n[TO]), .offset = f->ask_at, .length = n};
    if (!a) return ERR_NOMEM;
    uint64_t tag = (uint64_t)(uintptr_t)a;
    TRY(from_file ? link_ask_file(l, &op, f->fd[FROM], f->ask_at, &f->fault, tag) : link_ask_data(l, &op, bytes_of(c->scratch, n), tag));
    window_take(c, n);
    f->writes++;
    f->ask_at += n;
    f->have = f->ask_at;
    return ERR_NONE;
}

/* The end of a file goes through memory, so that a file which grows or shrinks meanwhile is copied as it is found. */
static bool write_more(struct copy *c, struct file *f)
{
    if (f->eof || f->failed || f->stopped || !link_can_ask(c->link[TO])) return false;
    if (f->fault.lost) {
        if (f->fault.error) file_fail(c, f, "read local \"%s\": %s", file_path(f, FROM), strerror(f->fault.error));
        f->eof = true;
        return false;
    }
    uint64_t left = f->size > f->ask_at ? f->size - f->ask_at : 0;
    if (left > LINK_SMALL && c->block > LINK_SMALL) {
        c->err = write_ask(c, f, left < c->block ? (size_t)left : c->block, true);
        return c->err == ERR_NONE;
    }
    size_t want = c->block < LINK_SMALL ? c->block : LINK_SMALL;
    ssize_t n = pread(f->fd[FROM], c->scratch, want, (off_t)f->ask_at);
    if (n < 0 && errno == EINTR) return true;
    if (n < 0) file_fail(c, f, "read local \"%s\": %s", file_path(f, FROM), strerror(errno));
    if (n == 0) f->eof = true;
    if (n <= 0) return false;
    c->err = write_ask(c, f, (size_t)n, false);
    if ((size_t)n < want && f->ask_at == f->size) f->eof = true;    /* it ends where it said */
    return c->err == ERR_NONE;
}

/* Files in their order, each as far as it goes, until the window is full or the link takes no more. */
void data_fill(struct copy *c, bool *moved)
{
    for (struct file *f = c->data, *next; f && c->err == ERR_NONE; f = next) {
        bool open = true;
        next = f->data_next;
        while (!stop_asked(c) && (open = window_open(c)) && (c->link[FROM] ? read_ask(c, f) : write_more(c, f))) *moved = true;
        data_settle(c, f);
        if (!f->in_data) *moved = true;
        struct link *l = c->link[c->link[FROM] ? FROM : TO];
        if (!open || !link_can_ask(l)) return;
    }
}

/* ---- DATA replies ---- */

/* The bytes that came are where the next block begins; if not, those that follow are thrown away and asked for again. */
static void reads_rewind(struct file *f)
{
    if (f->rewind) return;
    f->rewind = true;
    if (++f->rewinds > REWINDS_MAX) f->in_turn = true;
}

static void read_ended(struct copy *c, struct file *f, const struct ask *a, uint32_t status)
{
    window_done(c, a->length);
    f->reads--;
    if (status != SSH_FX_EOF) {
        file_fail(c, f, c->link[TO] ? "read origin \"%s\": %s" : "read remote \"%s\" : %s", file_path(f, FROM),
                  link_status_text(status == SSH_FX_OK ? SSH_FX_FAILURE : status));
    } else if (a->offset == f->have) {
        f->eof = true;
    } else if (a->offset < f->size) {
        reads_rewind(f);
    }
    data_settle(c, f);
}

/* Fewer bytes than asked for came up to `end`: at the source's end, or else what is asked for beyond them leaves a gap. */
static void read_short(struct copy *c, struct file *f, uint64_t end, size_t n)
{
    if (end == f->size) {       /* asked for more than that: this is its end */
        f->eof = true;
        return;
    }
    if (end < f->size && n < c->block) c->block = n < BLOCK_MIN ? BLOCK_MIN : (uint32_t)n;
    f->rewind = true;
}

void data_read_reply(struct copy *c, struct file *f, const struct ask *a, const struct sftp_result *r)
{
    if (r->kind != SFTP_DATA) {
        read_ended(c, f, a, r->status);
        return;
    }
    window_done(c, a->length);
    f->reads--;
    bool fits = a->offset == f->have && !f->failed && !f->eof && !stop_asked(c);
    if (!fits && !f->failed && !f->eof) reads_rewind(f);
    c->mover.file = f;
    c->mover.at = a->offset;
    c->mover.n = r->data.n;
    c->mover.discard = !fits;
    c->mover.asked = false;
    if (!fits || r->data.n == a->length) return;
    read_short(c, f, a->offset + r->data.n, r->data.n);
}

/* ---- moving it ---- */

static void mover_took(struct copy *c, size_t n)
{
    struct file *f = c->mover.file;
    sftp_client_data_taken(c->link[FROM]->client, n);
    c->mover.at += n;
    if (!c->mover.discard) f->have += n, f->bytes += n;
}

static void write_failed(struct copy *c, struct file *f, int error)
{
    file_fail(c, f, "write local \"%s\": %s", file_path(f, TO), strerror(error));
    c->mover.discard = true;
}

static void move_to_file(struct copy *c, struct bytes b)
{
    struct file *f = c->mover.file;
    ssize_t n = pwrite(f->fd[TO], b.p, b.n, (off_t)c->mover.at);
    if (n < 0 && errno == ESPIPE) n = write(f->fd[TO], b.p, b.n);      /* /dev/stdout */
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n < 0) write_failed(c, f, errno);
    else mover_took(c, (size_t)n);
}

/* ERR_AGAIN: nothing has come. */
static enum err splice_to_file(struct copy *c, size_t left)
{
    struct link *l = c->link[FROM];
    struct file *f = c->mover.file;
    loff_t at = (loff_t)c->mover.at;
    if (l->chunk_max && left > l->chunk_max) left = l->chunk_max;
    ssize_t n = splice(l->in, NULL, f->fd[TO], &at, left, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n == 0) return l->err = ERR_PEER_GONE;
    if (n < 0 && errno == EAGAIN) return ERR_AGAIN;
    if (n < 0 && errno == EINTR) return ERR_NONE;
    if (n < 0 && (errno == EINVAL || errno == ENOSYS || errno == ESPIPE)) l->no_splice = true;
    else if (n < 0) write_failed(c, f, errno);
    if (n <= 0) return ERR_NONE;
    l->moved += (uint64_t)n;
    mover_took(c, (size_t)n);
    return ERR_NONE;
}

static enum err move_local(struct copy *c, size_t left)
{
    struct link *l = c->link[FROM];
    struct bytes b = sftp_client_data_peek(l->client);
    bool got = false;
    if (b.n && c->mover.discard) {
        mover_took(c, b.n);
        return ERR_NONE;
    }
    if (b.n) {
        move_to_file(c, b);
        return ERR_NONE;
    }
    if (!c->mover.discard && left >= SPLICE_MIN && !l->no_splice) return splice_to_file(c, left);
    TRY(link_read(l, &got));
    return got ? ERR_NONE : ERR_AGAIN;
}

/* Between two servers: a WRITE of the same bytes. Small ones are gathered once they are whole; long ones go from pipe to pipe. */
static enum err move_across(struct copy *c, size_t left)
{
    struct link *from = c->link[FROM], *to = c->link[TO];
    struct file *f = c->mover.file;
    struct bytes b = sftp_client_data_peek(from->client);
    bool got = false;
    if (c->mover.discard) return move_local(c, left);
    if (!c->mover.asked) {
        bool small = c->mover.n <= LINK_SMALL;
        if (small && b.n < c->mover.n) {
            TRY(link_read(from, &got));
            return got ? ERR_NONE : ERR_AGAIN;
        }
        c->mover.waits_out = !link_can_ask(to);
        if (c->mover.waits_out) return ERR_AGAIN;
        struct ask *a = ask_new(c, ASK_WRITE, f, c->mover.at, (uint32_t)c->mover.n);
        if (!a) return ERR_NOMEM;
        struct sftp_op op = {.verb = SFTP_VERB_WRITE, .handle = bytes_of(f->handle[TO], f->handle_n[TO]), .offset = c->mover.at, .length = c->mover.n};
        uint64_t tag = (uint64_t)(uintptr_t)a;
        TRY(small ? link_ask_data(to, &op, b, tag) : link_ask_file(to, &op, -1, 0, NULL, tag));
        f->writes++;
        c->mover.asked = true;
        if (small) mover_took(c, b.n);
        return ERR_NONE;
    }
    TRY(link_flush(to, &got));
    c->mover.waits_out = !link_drained(to);
    if (c->mover.waits_out) return ERR_AGAIN;
    ssize_t n = b.n ? write(to->out, b.p, b.n) : splice(from->in, NULL, to->out, NULL, left, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n < 0 && errno == EINTR) return ERR_NONE;
    if (n < 0 && errno == EAGAIN) {
        struct pollfd p = {.fd = from->in, .events = POLLIN};
        c->mover.waits_out = b.n || poll(&p, 1, 0) > 0;
        return ERR_AGAIN;
    }
    if (n < 0 && errno == EPIPE) return to->err = ERR_PEER_GONE;
    if (n < 0) return to->err = ERR_SYSTEM;
    if (n == 0) return from->err = ERR_PEER_GONE;
    from->moved += (uint64_t)n;
    sftp_client_data_sent(to->client, (size_t)n);
    to->bulk.left -= (size_t)n;
    mover_took(c, (size_t)n);
    return ERR_NONE;
}

enum err data_move(struct copy *c, bool *moved)
{
    struct link *l = c->link[FROM];
    struct file *f = c->mover.file;
    for (size_t left; (left = sftp_client_data_left(l->client)) > 0;) {
        enum err e = c->link[TO] ? move_across(c, left) : move_local(c, left);
        if (e == ERR_AGAIN) return ERR_NONE;
        TRY(e);
        *moved = true;
        if (l->chunk_max) break;
    }
    if (sftp_client_data_left(l->client)) return ERR_NONE;
    c->mover.file = NULL;
    l->data_comes = c->mover.n > SPLICE_MIN && !l->no_splice && !c->mover.discard && !f->lane_told;
    data_settle(c, f);
    return ERR_NONE;
}

/* Only what comes next is ever placed, so that the target is a whole beginning of its source this way, too. */
void data_placed_reply(struct copy *c, struct file *f, const struct ask *a, const struct sftp_answer *answer)
{
    size_t n = answer->result.data.n;
    window_done(c, a->length);
    f->reads--;
    if (!f->lane || a->offset != f->have) {
        c->err = ERR_PROTOCOL;
        return;
    }
    f->have += n, f->bytes += n;
    if (answer->place_error) file_fail(c, f, "write local \"%s\": %s", file_path(f, TO), strerror(answer->place_error));
    else if (n < a->length) read_short(c, f, f->have, n);
    data_settle(c, f);
}

/* ---- WRITE's replies ---- */

/* One that failed is never outdone by a later one that succeeds: the file is as long as what is whole before it. */
void data_write_reply(struct copy *c, struct file *f, const struct ask *a, const struct sftp_result *r)
{
    f->writes--;
    if (!c->link[FROM]) window_done(c, a->length), f->bytes += a->length;
    if (r->kind != SFTP_STATUS || r->status != SSH_FX_OK) {
        if (a->offset < f->bad_at) f->bad_at = a->offset;
        file_fail(c, f, c->link[FROM] ? "write dest \"%s\": %s" : "write remote \"%s\": %s", file_path(f, TO),
                  link_status_text(r->kind == SFTP_STATUS ? r->status : SSH_FX_FAILURE));
    }
    data_settle(c, f);
}
