/* SPDX-License-Identifier: ISC */
/* What an open descriptor is enough for: bytes in, bytes out, hashes. */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/text.h"
#include "desk_impl.h"
#include "kit/files.h"

#define ROOMS_MAX  128                  /* that one READ fills: more and smaller ones go through the scratch room */
#define PIECE      262144               /* one read for a hash */
#define WORK_BYTES (2 * 1024 * 1024)    /* hashed before others have their turn: about two milliseconds */
#define HASHES_MAX 196608               /* bytes of hashes in one reply */

/* ---- WRITE ---- */

static int write_all(int fd, struct bytes data, uint64_t offset)
{
    if (offset > (uint64_t)INT64_MAX - data.n) return EINVAL;
    while (data.n > 0) {
        ssize_t n = pwrite(fd, data.p, data.n, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        if (n == 0) return EIO;
        data = bytes_of(data.p + n, data.n - (size_t)n);
        offset += (uint64_t)n;
    }
    return 0;
}

/* The parts of one WRITE: after the first that fails the others are dropped, and the failure is told. */
void desk_write(struct desk *d, const struct sftp_event *ev)
{
    struct desk_slot *s = &d->slots[ev->slot];
    if (!d->write_running) d->write_error = 0;
    d->write_running = !ev->last;
    if (d->write_error == 0) {
        d->write_error = write_all(s->fd, ev->data, ev->op.offset);
        if (d->write_error == 0) s->bytes_written += ev->data.n;
    }
    if (ev->last) sftp_server_status(d->engine, ev->op.id, files_status(d->write_error));
}

void desk_fstat(struct desk *d, const struct sftp_event *ev)
{
    struct stat st;
    /* libc's fstat() may ask by name, with an empty one: a call that a jail must not have */
    if (syscall(SYS_fstat, d->slots[ev->slot].fd, &st) != 0) {
        sftp_server_status(d->engine, ev->op.id, files_status(errno));
        return;
    }
    const struct sftp_result r = {.kind = SFTP_ATTRS, .id = ev->op.id, .attrs = files_attrs(&st)};
    sftp_server_answer(d->engine, &r);
}

/* ---- rooms ---- */

/* Rooms as one stream. */
struct cursor {
    const struct span *rooms;
    size_t n, at, in, left, used;       /* room, byte in it; all that is left; all that was filled */
};

static struct cursor cursor_of(const struct span *rooms, size_t n)
{
    struct cursor c = {.rooms = rooms, .n = n};
    for (size_t i = 0; i < n; i++) c.left += rooms[i].n;
    return c;
}

static void cursor_move(struct cursor *c, size_t n)
{
    c->left -= n, c->used += n;
    while (n > 0) {
        size_t here = c->rooms[c->at].n - c->in;
        if (n < here) {
            c->in += n;
            return;
        }
        n -= here;
        c->at++, c->in = 0;
    }
}

static size_t cursor_copy(struct cursor *c, struct bytes b)
{
    size_t done = b.n < c->left ? b.n : c->left;
    for (size_t put = 0; put < done;) {
        size_t here = c->rooms[c->at].n - c->in, n = done - put < here ? done - put : here;
        memcpy(c->rooms[c->at].p + c->in, b.p + put, n);
        put += n;
        cursor_move(c, n);
    }
    return done;
}

/* The next `size` bytes after `skip` as pieces; 0: too many of them. */
static size_t cursor_pieces(const struct cursor *c, size_t skip, size_t size, struct iovec *out)
{
    size_t k = 0;
    for (size_t at = c->at, in = c->in; size > 0; at++, in = 0) {
        size_t here = c->rooms[at].n - in;
        if (skip >= here) {
            skip -= here;
            continue;
        }
        if (k == ROOMS_MAX) return 0;
        size_t n = here - skip < size ? here - skip : size;
        out[k++] = (struct iovec){.iov_base = c->rooms[at].p + in + skip, .iov_len = n};
        size -= n, skip = 0;
    }
    return k;
}

/* ---- READ ---- */

static ssize_t read_v(int fd, const struct iovec *v, size_t n, uint64_t offset)
{
    ssize_t got;
    if (offset > INT64_MAX) {
        errno = EINVAL;
        return -1;
    }
    do got = preadv(fd, v, (int)n, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got;
}

/* A READ that got nothing is a STATUS. */
static bool read_failed(struct desk *d, ssize_t got)
{
    if (got > 0) return false;
    sftp_server_status(d->engine, d->now.op.id, got == 0 ? SSH_FX_EOF : files_status(errno));
    d->stalled = false;
    return true;
}

static void read_done(struct desk *d, size_t got)
{
    d->slots[d->now.slot].bytes_read += got;
    sftp_server_answered(d->engine, d->now.op.id);
    d->stalled = false;
}

static void read_direct(struct desk *d, struct cursor *c, const struct iovec *v, size_t n)
{
    uint8_t head[SFTP_DATA_HEAD];
    ssize_t got = read_v(d->slots[d->now.slot].fd, v, n, d->now.op.offset);
    if (read_failed(d, got)) return;
    sftp_data_head(head, d->now.op.id, (uint32_t)got);
    (void)cursor_copy(c, bytes_of(head, sizeof head));
    cursor_move(c, (size_t)got);
    read_done(d, (size_t)got);
}

/* Through a room of our own, because the peer's window is smaller than the reply. */
static void read_scratch(struct desk *d)
{
    if (!d->scratch) d->scratch = malloc(SFTP_DATA_HEAD + SFTP_DATA_MAX);
    if (!d->scratch) {
        sftp_server_status(d->engine, d->now.op.id, SSH_FX_FAILURE);
        d->stalled = false;
        return;
    }
    const struct iovec v = {.iov_base = d->scratch + SFTP_DATA_HEAD, .iov_len = (size_t)d->now.op.length};
    ssize_t got = read_v(d->slots[d->now.slot].fd, &v, 1, d->now.op.offset);
    if (read_failed(d, got)) return;
    sftp_data_head(d->scratch, d->now.op.id, (uint32_t)got);
    d->scratch_at = 0, d->scratch_n = SFTP_DATA_HEAD + (size_t)got;
    read_done(d, (size_t)got);
}

static bool read_waits(const struct desk *d)
{
    return d->stalled && d->now.op.verb == SFTP_VERB_READ && d->slots[d->now.slot].busy == 0 && d->setstats_out == 0;
}

size_t desk_wants(const struct desk *d)
{
    size_t waiting = sftp_server_peek(d->engine).n + d->scratch_n - d->scratch_at;
    return waiting + (read_waits(d) ? SFTP_DATA_HEAD + (size_t)d->now.op.length : 0);
}

static void scratch_pour(struct desk *d, struct cursor *c)
{
    d->scratch_at += cursor_copy(c, bytes_of(d->scratch + d->scratch_at, d->scratch_n - d->scratch_at));
    if (d->scratch_at < d->scratch_n) return;
    d->scratch_at = d->scratch_n = 0;
    free(d->scratch);
    d->scratch = NULL;
}

size_t desk_fill(struct desk *d, const struct span *rooms, size_t n, bool all)
{
    struct cursor c = cursor_of(rooms, n);
    struct iovec v[ROOMS_MAX];
    for (;;) {
        if (d->scratch_n > 0) scratch_pour(d, &c);
        struct bytes replies = d->scratch_n > 0 ? (struct bytes){0} : sftp_server_peek(d->engine);
        if (replies.n > 0) sftp_server_consume(d->engine, cursor_copy(&c, replies));
        if (c.left == 0 || d->scratch_n > 0) break;
        if (sftp_server_peek(d->engine).n > 0) continue;
        if (!read_waits(d)) {
            /* replies that left may let requests in, which may have replies */
            desk_hold(d, d->hold);
            if (d->err != ERR_NONE || desk_wants(d) == 0) break;
            continue;
        }
        size_t length = (size_t)d->now.op.length;
        size_t pieces = c.left >= SFTP_DATA_HEAD + length ? cursor_pieces(&c, SFTP_DATA_HEAD, length, v) : 0;
        if (pieces > 0) read_direct(d, &c, v, pieces);
        else if (c.used == 0 && all) read_scratch(d);
        else break;
    }
    desk_hold(d, d->hold);      /* what was kept may go on, so that desk_wants() knows of it */
    return c.used;
}

/* ---- CHECK_FILE (draft-ietf-secsh-filexfer-extensions-00 3) ---- */

static const struct {
    const char *name;
    const struct hash_alg *alg;
} hashes[] = {{"sha256", &hash_sha256}, {"sha512", &hash_sha512}, {"sha384", &hash_sha384}, {"sha1", &hash_sha1}, {"md5", &hash_md5}};

void desk_check_free(struct desk_check *c)
{
    if (!c) return;
    hash_drop(c->run);
    wr_clear(&c->hashes);
    free(c);
}

/* The first of the peer's names that is known here. */
struct desk_check *desk_check_new(struct desk *d, const struct sftp_op *op)
{
    struct bytes name;
    struct desk_check *c = calloc(1, sizeof *c);
    for (size_t pos = 0; c && !c->alg && names_next(op->text, &pos, &name);)
        for (size_t i = 0; i < COUNT_OF(hashes); i++)
            if (bytes_is(name, hashes[i].name)) c->name = hashes[i].name, c->alg = hashes[i].alg;
    if (!c || !c->alg || op->offset > INT64_MAX) {
        sftp_server_status(d->engine, op->id, SSH_FX_FAILURE);
        free(c);
        return NULL;
    }
    c->id = op->id, c->slot = NO_SLOT, c->fd = -1;
    c->at = op->offset, c->left = op->length, c->to_end = op->length == 0, c->block = op->block;
    c->hashes = wr_heap(HASHES_MAX);
    return c;
}

void desk_check_begin(struct desk *d, struct desk_check *c, int fd)
{
    c->fd = fd;
    c->next = NULL;
    *d->checks_end = c;
    d->checks_end = &c->next;
}

void desk_check_handle(struct desk *d, const struct sftp_event *ev)
{
    struct desk_slot *s = &d->slots[ev->slot];
    struct desk_check *c = desk_check_new(d, &ev->op);
    if (!c) return;
    c->slot = ev->slot;
    s->busy++;
    desk_check_begin(d, c, s->fd);
}

bool desk_working(const struct desk *d)
{
    return d->checks && desk_may_tell(d);
}

static void check_end(struct desk *d, struct desk_check *c, uint32_t status)
{
    const struct sftp_result r = {.kind = SFTP_HASHES, .id = c->id, .text = bytes_str(c->name), .data = wr_bytes(&c->hashes)};
    d->checks = c->next;
    if (!d->checks) d->checks_end = &d->checks;
    if (status == SSH_FX_OK) sftp_server_answer(d->engine, &r);
    else sftp_server_status(d->engine, c->id, status);
    if (c->slot == NO_SLOT) {
        close(c->fd);
        ++*d->setup.fds_left;
    } else {
        d->slots[c->slot].busy--;
        desk_slot_settle(d, c->slot);
    }
    desk_check_free(c);
}

/* A block is full, or the file has ended within one. */
static enum err block_end(struct desk_check *c)
{
    struct hash_run *run = c->run;
    uint8_t *out = wr_room(&c->hashes, c->alg->len);
    c->run = NULL;
    if (!out) hash_drop(run);
    return out ? hash_end(run, out) : ERR_NOSPACE;
}

static enum err piece_add(struct desk_check *c, struct bytes piece)
{
    while (piece.n > 0) {
        if (!c->run) {
            c->run = hash_start(c->alg);
            if (!c->run) return ERR_NOMEM;
            c->block_left = c->block;
        }
        size_t n = c->block && c->block_left < piece.n ? (size_t)c->block_left : piece.n;
        TRY(hash_add(c->run, bytes_of(piece.p, n)));
        piece = bytes_of(piece.p + n, piece.n - n);
        c->block_left -= n;
        if (c->block && c->block_left == 0) TRY(block_end(c));
    }
    return ERR_NONE;
}

/* The end was reached. An empty range has a hash, too, if one for all is wanted. */
static uint32_t check_finish(struct desk_check *c)
{
    if (!c->run && !c->block) c->run = hash_start(c->alg);
    if (!c->run) return c->block ? SSH_FX_OK : SSH_FX_FAILURE;
    return block_end(c) == ERR_NONE ? SSH_FX_OK : SSH_FX_FAILURE;
}

/* A device never ends. */
static bool can_hash(int fd)
{
    struct stat st;
    return syscall(SYS_fstat, fd, &st) == 0 && S_ISREG(st.st_mode);
}

void desk_work(struct desk *d)
{
    static uint8_t room[PIECE];
    struct desk_check *c = desk_working(d) ? d->checks : NULL;
    if (c && !can_hash(c->fd)) {
        check_end(d, c, SSH_FX_FAILURE);
        c = NULL;
    }
    for (size_t done = 0; c && done < WORK_BYTES;) {
        size_t want = c->to_end || c->left > PIECE ? PIECE : (size_t)c->left;
        const struct iovec v = {.iov_base = room, .iov_len = want};
        ssize_t got = want > 0 ? read_v(c->fd, &v, 1, c->at) : 0;
        if (got <= 0) {
            check_end(d, c, got < 0 ? files_status(errno) : check_finish(c));
            break;
        }
        if (piece_add(c, bytes_of(room, (size_t)got)) != ERR_NONE) {
            check_end(d, c, SSH_FX_FAILURE);
            break;
        }
        c->at += (uint64_t)got, c->left -= c->to_end ? 0 : (uint64_t)got;
        done += (size_t)got;
    }
    desk_hold(d, d->hold);
}
