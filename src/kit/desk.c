/* SPDX-License-Identifier: ISC */
/* The desk: takes requests from the engine, asks the executor, gives its answers back. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "desk_impl.h"
#include "kit/files.h"

#define QUEUE_MAX (80u * 1024 * 1024)   /* more than any window */

/* ---- slots ---- */

static unsigned slot_take(struct desk *d)
{
    unsigned max = d->setup.handles_max;
    unsigned i = d->slot_hint;
    while (i < d->slot_count && d->slots[i].kind != SLOT_FREE) i++;
    if (i == d->slot_count) {
        unsigned n = d->slot_count ? d->slot_count * 2 : 16;
        if (n > max) n = max;
        struct desk_slot *grown = i < n ? realloc(d->slots, n * sizeof *grown) : NULL;
        if (!grown) return NO_SLOT;
        memset(grown + d->slot_count, 0, (n - d->slot_count) * sizeof *grown);
        d->slots = grown, d->slot_count = n;
    }
    d->slots[i] = (struct desk_slot){.kind = SLOT_OPENING, .fd = -1};
    d->slot_hint = i + 1;
    return i;
}

static void slot_drop(struct desk *d, unsigned i)
{
    d->slots[i] = (struct desk_slot){.kind = SLOT_FREE, .fd = -1};
    if (i < d->slot_hint) d->slot_hint = i;
}

static void fd_return(struct desk *d, int fd)
{
    if (fd < 0) return;
    close(fd);
    ++*d->setup.fds_left;
}

/* ---- asking ---- */

/* Files that were closed while a question about them was out (two at most a question) add theirs later: room is kept for these. Those
 * closed while they were hashed do, too: hashing waits when there is no more room than that. */
bool desk_may_tell(const struct desk *d)
{
    return !d->hold && d->asked_n < DESK_ASKED_MAX - 2 * DESK_FDS_MAX;
}

/* May the next request be taken, whatever it is? Asked before it is, as its views do not outlive a wait. */
static bool may_ask(const struct desk *d)
{
    return desk_may_tell(d) && d->opens_out < DESK_OPENS_MAX;
}

static void ask(struct desk *d, const struct desk_asked *a, struct sftp_op op, const int fds[2])
{
    unsigned at = (d->asked_at + d->asked_n++) % DESK_ASKED_MAX;
    d->asked[at] = *a;
    if (files_answers_fd(op.verb)) d->opens_out++, --*d->setup.fds_left;    /* set aside: other desks ask, too */
    d->setstats_out += op.verb == SFTP_VERB_SETSTAT;
    d->fds_out += files_fds_needed(op.verb);
    op.id = at;
    if (!d->setup.ask(d->setup.ctx, &op, fds)) d->err = ERR_PEER_GONE;
}

static struct bytes slot_handle(const struct desk_slot *s)
{
    return bytes_of(s->handle, s->handle_n);
}

/* A request by name. */
static void ask_name(struct desk *d, const struct sftp_event *ev)
{
    static const int none[2] = {-1, -1};
    struct desk_asked a = {.id = ev->op.id, .verb = (uint8_t)ev->op.verb, .slot = NO_SLOT, .slot2 = NO_SLOT};
    bool opens = sftp_rows[ev->op.verb].reply == SFTP_HANDLE, brings = files_answers_fd(ev->op.verb);
    if (ev->op.verb == SFTP_VERB_CHECK_FILE_NAME && !(a.check = desk_check_new(d, &ev->op))) return;
    if (opens) a.slot = slot_take(d);
    if ((opens && a.slot == NO_SLOT) || (brings && *d->setup.fds_left == 0)) {
        if (a.slot != NO_SLOT) slot_drop(d, a.slot);
        desk_check_free(a.check);
        sftp_server_status(d->engine, ev->op.id, SSH_FX_FAILURE);
        return;
    }
    ask(d, &a, ev->op, none);
}

/* A request about something open; the executor gets its own handle back, and the descriptor. */
static void ask_open(struct desk *d, const struct sftp_event *ev)
{
    struct desk_asked a = {.id = ev->op.id, .verb = (uint8_t)ev->op.verb, .slot = ev->slot, .slot2 = NO_SLOT};
    struct desk_slot *s = &d->slots[ev->slot];
    struct sftp_op op = ev->op;
    int fds[2] = {files_fds_needed(op.verb) ? s->fd : -1, -1};
    op.handle = slot_handle(s);
    s->busy++;
    if (op.verb == SFTP_VERB_COPY_DATA) {
        struct desk_slot *s2 = &d->slots[ev->slot2];
        a.slot2 = ev->slot2, op.handle2 = slot_handle(s2), fds[1] = s2->fd;
        s2->busy++;
    }
    ask(d, &a, op, fds);
}

/* ---- closing ---- */

static void close_tell(struct desk *d, const struct desk_slot *s)
{
    static const int none[2] = {-1, -1};
    uint8_t room[FILES_CLOSE_HANDLE];
    const struct desk_asked a = {.verb = SFTP_VERB_CLOSE, .silent = true, .slot = NO_SLOT, .slot2 = NO_SLOT};
    if (s->handle_n == 0) return;
    const struct sftp_op op = {.verb = SFTP_VERB_CLOSE,
                               .handle = files_close_handle(room, slot_handle(s), s->bytes_read, s->bytes_written, false)};
    ask(d, &a, op, none);
}

/* A file that is to be closed is, once nothing is out about it: then nobody else holds it open either. */
void desk_slot_settle(struct desk *d, unsigned slot)
{
    struct desk_slot *s = &d->slots[slot];
    if (s->kind != SLOT_FILE || !s->closing || s->busy > 0) return;
    uint32_t id = s->close_id;
    int error = close(s->fd) == 0 ? 0 : errno;
    ++*d->setup.fds_left;
    sftp_server_close(d->engine, slot);
    sftp_server_status(d->engine, id, files_status(error));
    close_tell(d, s);
    slot_drop(d, slot);
}

static void close_take(struct desk *d, const struct sftp_event *ev)
{
    struct desk_slot *s = &d->slots[ev->slot];
    if (s->kind == SLOT_FOLDER) {
        ask_open(d, ev);
        return;
    }
    s->closing = true, s->close_id = ev->op.id;
    desk_slot_settle(d, ev->slot);
}

/* ---- one request ---- */

/* Must this one wait? Requests about a file are done in the order in which they came, and a SETSTAT by name may be about any. */
static bool must_wait(const struct desk *d, const struct sftp_event *ev)
{
    const char *letters = sftp_rows[ev->op.verb].letters;
    if (!strchr(letters, 'h')) return false;
    const struct desk_slot *s = &d->slots[ev->slot];
    if (files_fds_needed(ev->op.verb)) return d->fds_out + 2 > DESK_FDS_MAX;    /* the executor keeps the order */
    if (s->kind == SLOT_FOLDER || ev->op.verb == SFTP_VERB_CLOSE) return false;
    return s->busy > 0 || d->setstats_out > 0;
}

static void op_take(struct desk *d, const struct sftp_event *ev)
{
    switch (ev->op.verb) {
    case SFTP_VERB_CLOSE: close_take(d, ev); return;
    case SFTP_VERB_FSTAT: desk_fstat(d, ev); return;
    case SFTP_VERB_WRITE: desk_write(d, ev); return;
    case SFTP_VERB_CHECK_FILE_HANDLE: desk_check_handle(d, ev); return;
    default: break;
    }
    if (strchr(sftp_rows[ev->op.verb].letters, 'h')) ask_open(d, ev);
    else ask_name(d, ev);
}

/* It is kept with what its views show. Only a WRITE has any that still matters: what names a file is never kept. */
static void stall(struct desk *d, const struct sftp_event *ev)
{
    d->stalled = true;
    d->now = *ev;
    if (ev->type != SFTP_EV_WRITE) return;
    wr_clear(&d->now_data);
    d->now_data = wr_heap(QUEUE_MAX);
    wr_raw(&d->now_data, ev->data);
    d->err = wr_done(&d->now_data);
    d->now.data = wr_bytes(&d->now_data);
}

static void event_take(struct desk *d, const struct sftp_event *ev)
{
    if (ev->type == SFTP_EV_INIT) return;
    /* hashes are named in the request: what it wants is found out while the name is there */
    bool check = ev->op.verb == SFTP_VERB_CHECK_FILE_HANDLE;
    if (ev->op.verb == SFTP_VERB_READ || (!check && must_wait(d, ev))) stall(d, ev);
    else op_take(d, ev);
}

/* What waited and need not any more. A READ waits for desk_fill(). */
static void unstall(struct desk *d)
{
    if (!d->stalled || d->now.op.verb == SFTP_VERB_READ || must_wait(d, &d->now)) return;
    const struct sftp_event ev = d->now;
    d->stalled = false;
    op_take(d, &ev);
}

/* What is left; where nothing is there may be no pointer either, to which nothing may be added. */
static struct bytes rest_of(struct bytes b, size_t from)
{
    return from < b.n ? bytes_of(b.p + from, b.n - from) : (struct bytes){0};
}

static enum err step(struct desk *d, struct bytes in, size_t *used)
{
    size_t done = 0;
    struct sftp_event ev;
    d->stepping = true;
    for (;;) {
        size_t n = 0;
        unstall(d);
        if (d->err != ERR_NONE || d->stalled || !may_ask(d)) break;
        enum err e = sftp_server_next(d->engine, rest_of(in, done), &n, &ev);
        done += n;
        if (e != ERR_NONE) d->err = e;
        if (e != ERR_NONE || ev.type == SFTP_EV_NONE) break;
        event_take(d, &ev);
    }
    d->stepping = false;
    d->consumed += done;
    *used = done;
    return d->err;
}

/* An executor in the same process answers while the question is asked: the loop that asked goes on by itself then. */
static void go_on(struct desk *d)
{
    size_t used;
    if (d->stepping) return;
    (void)step(d, rest_of(wr_bytes(&d->queue), d->queue_at), &used);
    d->queue_at += used;
    if (d->queue_at == d->queue.n) d->queue.n = d->queue_at = 0;
}

static void queue_add(struct desk *d, struct bytes in)
{
    if (d->queue_at > 0 && d->queue_at >= d->queue.n / 2) {
        memmove(d->queue.p, d->queue.p + d->queue_at, d->queue.n - d->queue_at);
        d->queue.n -= d->queue_at, d->queue_at = 0;
    }
    if (d->queue.max == 0) d->queue = wr_heap(QUEUE_MAX);
    wr_raw(&d->queue, in);
    if (d->err == ERR_NONE) d->err = wr_done(&d->queue);
}

enum err desk_input(struct desk *d, struct bytes in)
{
    size_t used = 0;
    if (d->queue.n == 0) TRY(step(d, in, &used));
    if (used < in.n) queue_add(d, bytes_of(in.p + used, in.n - used));
    return d->err;
}

size_t desk_backlog(const struct desk *d)
{
    return d->queue.n - d->queue_at;
}

size_t desk_consumed(struct desk *d)
{
    size_t n = d->consumed;
    d->consumed = 0;
    return n;
}

void desk_hold(struct desk *d, bool hold)
{
    d->hold = hold;
    if (!hold) go_on(d);
}

enum err desk_error(const struct desk *d)
{
    return d->err;
}

/* ---- answers ---- */

enum err desk_verb_due(const struct desk *d, enum sftp_verb *out)
{
    if (d->asked_n == 0) return ERR_STATE;
    enum sftp_verb verb = (enum sftp_verb)d->asked[d->asked_at].verb;
    *out = files_answers_fd(verb) ? SFTP_VERB_OPEN : verb;      /* a file to hash is opened, that is all the executor does */
    return ERR_NONE;
}

static void answer_pass(struct desk *d, const struct desk_asked *a, const struct sftp_result *r)
{
    struct sftp_result mine = *r;
    mine.id = a->id;
    if (!a->silent) sftp_server_answer(d->engine, &mine);
}

static void opened(struct desk *d, const struct desk_asked *a, const struct sftp_result *r, int fd)
{
    struct desk_slot *s = &d->slots[a->slot];
    bool folder = a->verb == SFTP_VERB_OPENDIR;
    if (r->kind != SFTP_HANDLE) {
        slot_drop(d, a->slot);
        answer_pass(d, a, r);
        return;
    }
    *s = (struct desk_slot){.kind = folder ? SLOT_FOLDER : SLOT_FILE, .fd = fd, .handle_n = (uint8_t)r->handle.n};
    if (r->handle.n) memcpy(s->handle, r->handle.p, r->handle.n);
    sftp_server_open(d->engine, a->id, a->slot, folder);
}

static void slot_free_of(struct desk *d, unsigned slot)
{
    if (slot == NO_SLOT) return;
    d->slots[slot].busy--;
    desk_slot_settle(d, slot);
}

static void answered(struct desk *d, const struct desk_asked *a, const struct sftp_result *r, int fd)
{
    bool handle = r->kind == SFTP_HANDLE;
    if (fd < 0 && files_answers_fd((enum sftp_verb)a->verb)) ++*d->setup.fds_left;
    if (a->verb == SFTP_VERB_OPEN || a->verb == SFTP_VERB_OPENDIR) {
        opened(d, a, r, fd);
    } else if (a->check && handle) {
        desk_check_begin(d, a->check, fd);
    } else if (a->verb == SFTP_VERB_CLOSE && a->slot != NO_SLOT) {
        sftp_server_close(d->engine, a->slot);
        slot_drop(d, a->slot);
        answer_pass(d, a, r);
    } else {
        desk_check_free(a->check);
        answer_pass(d, a, r);
        slot_free_of(d, a->slot);
        slot_free_of(d, a->slot2);
    }
}

enum err desk_answer(struct desk *d, const struct sftp_result *r, int fd)
{
    bool handle = r->kind == SFTP_HANDLE;
    const struct desk_asked a = d->asked[d->asked_at];
    bool fits = d->asked_n > 0 && r->id == d->asked_at && r->handle.n <= sizeof d->slots->handle &&
                (fd >= 0) == (handle && files_answers_fd((enum sftp_verb)a.verb));
    if (!fits) {
        if (fd >= 0) close(fd);
        return ERR_PROTOCOL;
    }
    d->asked_at = (d->asked_at + 1) % DESK_ASKED_MAX, d->asked_n--;
    d->opens_out -= files_answers_fd((enum sftp_verb)a.verb);
    d->setstats_out -= a.verb == SFTP_VERB_SETSTAT;
    d->fds_out -= files_fds_needed((enum sftp_verb)a.verb);
    answered(d, &a, r, fd);
    if (d->queue.n > 0 || d->stalled) go_on(d);
    return ERR_NONE;
}

/* ---- a desk ---- */

struct desk *desk_new(const struct desk_setup *setup)
{
    struct desk *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    d->setup = *setup;
    if (d->setup.handles_max == 0 || d->setup.handles_max > SFTP_HANDLES_MAX) d->setup.handles_max = SFTP_HANDLES_MAX;
    const struct sftp_server_setup engine = {.read_only = setup->read_only, .refused = setup->refused, .handles_max = d->setup.handles_max};
    d->engine = sftp_server_new(&engine);
    d->checks_end = &d->checks;
    if (d->engine) return d;
    free(d);
    return NULL;
}

static void checks_free(struct desk *d)
{
    while (d->checks) {
        struct desk_check *c = d->checks;
        d->checks = c->next;
        if (c->slot == NO_SLOT) fd_return(d, c->fd);
        desk_check_free(c);
    }
    for (unsigned i = 0; i < d->asked_n; i++) desk_check_free(d->asked[(d->asked_at + i) % DESK_ASKED_MAX].check);
}

void desk_free(struct desk *d, void (*close_log)(void *ctx, struct bytes handle))
{
    uint8_t room[FILES_CLOSE_HANDLE];
    if (!d) return;
    checks_free(d);
    *d->setup.fds_left += d->opens_out;
    for (unsigned i = 0; i < d->slot_count; i++) {
        const struct desk_slot *s = &d->slots[i];
        if (s->kind != SLOT_FILE) continue;
        if (close_log && s->handle_n) close_log(d->setup.ctx, files_close_handle(room, slot_handle(s), s->bytes_read, s->bytes_written, true));
        fd_return(d, s->fd);
    }
    sftp_server_free(d->engine);
    wr_clear(&d->queue), wr_clear(&d->now_data);
    free(d->slots), free(d->scratch);
    free(d);
}

bool desk_idle(const struct desk *d)
{
    return d->asked_n == 0 && d->queue.n == 0 && !d->stalled && !d->checks && desk_wants(d) == 0;
}
