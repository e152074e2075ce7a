/* SPDX-License-Identifier: ISC */
/* The copier's loop: replies in, new work out, and one poll when nothing moved. */
#include "kit/copy.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "copier.h"
#include "os/clock.h"
#include "os/say.h"

/* ---- small ones ---- */

void copy_say(struct copy *c, const char *fmt, ...)
{
    va_list ap;
    meter_clear(&c->meter);
    va_start(ap, fmt);
    say_line(stderr, c->s.prefix ? c->s.prefix : "", "", "\r\n", fmt, ap);
    va_end(ap);
}

void node_push(struct node_list *l, struct node *n)
{
    n->next = NULL;
    *l->tail = n;
    l->tail = &n->next;
    l->count++;
}

struct node *node_pop(struct node_list *l)
{
    struct node *n = l->head;
    if (!n) return NULL;
    l->head = n->next;
    if (!l->head) l->tail = &l->head;
    l->count--;
    n->next = NULL;
    return n;
}

void node_ready(struct copy *c, struct node *n)
{
    node_push(&c->ready, n);
}

bool name_valid(struct bytes n)
{
    return n.n && n.n <= 255 && !memchr(n.p, '/', n.n) && !memchr(n.p, 0, n.n) && !bytes_is(n, ".") && !bytes_is(n, "..");
}

static size_t path_walk(const struct folder *f, int end, char *out, size_t cap)
{
    if (f->path[end]) {
        size_t n = strlen(f->path[end]);
        if (n >= cap) return 0;
        memcpy(out, f->path[end], n + 1);
        return n;
    }
    size_t n = path_walk(f->parent, end, out, cap), len = strlen(f->name);
    if (n == 0 || n + len + 2 > cap) return 0;
    if (out[n - 1] != '/') out[n++] = '/';
    memcpy(out + n, f->name, len + 1);
    return n + len;
}

const char *tree_path(const struct folder *f, int end, const char *name)
{
    static char ring[4][SFTP_PATH_MAX + 256];
    static unsigned turn;
    char *out = ring[turn++ % COUNT_OF(ring)];
    if (!f) return name;
    size_t n = path_walk(f, end, out, SFTP_PATH_MAX);
    if (n == 0) return NULL;
    if (!name) return out;
    if (n + strlen(name) + 2 > SFTP_PATH_MAX) return NULL;
    if (out[n - 1] != '/') out[n++] = '/';
    memcpy(out + n, name, strlen(name) + 1);
    return out;
}

bool stop_asked(const struct copy *c)
{
    return c->stopping || (c->s.stop && *c->s.stop);
}

/* ---- asking ---- */

struct ask *ask_new(struct copy *c, enum ask_kind kind, void *owner, uint64_t offset, uint32_t length)
{
    struct ask *a = c->spare;
    if (a) c->spare = a->next;
    else if (!(a = malloc(sizeof *a))) return NULL;
    *a = (struct ask){.kind = kind, .owner = owner, .offset = offset, .length = length};
    return a;
}

void ask_free(struct copy *c, struct ask *a)
{
    a->next = c->spare;
    c->spare = a;
}

bool copy_ask(struct copy *c, int end, const struct sftp_op *op, enum ask_kind kind, void *owner, const char **why)
{
    struct link *l = c->link[end];
    *why = NULL;
    if (!link_can_ask(l)) return false;
    struct ask *a = ask_new(c, kind, owner, op->offset, (uint32_t)op->length);
    enum err e = a ? sftp_client_ask(l->client, op, (uint64_t)(uintptr_t)a) : ERR_NOMEM;
    if (e == ERR_NONE) return true;
    if (a) ask_free(c, a);
    if (e == ERR_AGAIN) return false;
    if (e == ERR_TOO_LONG || e == ERR_FORMAT || e == ERR_UNSUPPORTED || e == ERR_RANGE) *why = err_text(e);
    else c->err = e;
    return false;
}

bool handle_forget(struct copy *c, int end, struct bytes handle)
{
    const char *why;
    return copy_ask(c, end, &(struct sftp_op){.verb = SFTP_VERB_CLOSE, .handle = handle}, ASK_NOTHING, NULL, &why) || why;
}

/* ---- replies ---- */

static void reply_dispatch(struct copy *c, const struct sftp_answer *answer)
{
    struct ask *a = (struct ask *)(uintptr_t)answer->tag;
    switch (a->kind) {
    case ASK_FOLDER: folder_reply(c, a->owner, &answer->result); break;
    case ASK_LIST: folder_list_reply(c, a->owner, &answer->result); break;
    case ASK_FILE: file_reply(c, a->owner, &answer->result); break;
    case ASK_READ:
        if (answer->placed) data_placed_reply(c, a->owner, a, answer);
        else data_read_reply(c, a->owner, a, &answer->result);
        break;
    case ASK_WRITE: data_write_reply(c, a->owner, a, &answer->result); break;
    case ASK_NOTHING: break;
    }
    ask_free(c, a);
}

/* All replies that have come, then one read. */
static enum err replies_take(struct copy *c, int end, bool *moved)
{
    struct link *l = c->link[end];
    for (;;) {
        struct sftp_answer a = {0};
        if (end == FROM && c->mover.file) {
            TRY(data_move(c, moved));
            if (c->mover.file) return ERR_NONE;
        }
        enum err e = sftp_client_next(l->client, &a);
        if (e != ERR_NONE) return l->err = e;
        if (!a.ready) {
            bool got = false;
            TRY(link_read(l, &got));
            if (!got) return ERR_NONE;
            *moved = true;
            if (l->chunk_max) return ERR_NONE;
            continue;
        }
        *moved = true;
        reply_dispatch(c, &a);
        TRY(c->err);
    }
}

/* ---- starting work ---- */

static bool folders_may_begin(const struct copy *c)
{
    if (!c->stack || c->queue.count >= QUEUE_MAX) return false;
    return c->folders_alive > FOLDERS_ALIVE ? c->folders_busy == 0 : c->folders_busy < FOLDERS_MAX;
}

static void work_begin(struct copy *c)
{
    while (folders_may_begin(c)) {
        struct node *n = c->stack;
        struct folder *f = (struct folder *)n;
        c->stack = n->next;
        n->next = NULL;
        f->at_work = true;
        c->folders_busy++;
        node_ready(c, n);
    }
    while (c->queue.head && c->files_open < c->files_max) {
        c->files_open++;
        node_ready(c, node_pop(&c->queue));
    }
}

static void work_step(struct copy *c, bool *moved)
{
    for (size_t n = c->ready.count; n && c->err == ERR_NONE; n--) {
        struct node *node = node_pop(&c->ready);
        bool went = node->is_folder ? folder_step(c, (struct folder *)node) : file_step(c, (struct file *)node);
        if (went) *moved = true;
        else node_push(&c->ready, node);
    }
}

static bool work_left(const struct copy *c)
{
    return c->queue.head || c->ready.head || c->stack || c->files_open || c->folders_alive;
}

/* ---- stopping ---- */

/* What has not begun never does; what is under way ends with what it has. */
static void stop_begin(struct copy *c)
{
    struct node *n;
    if (c->stopping) return;
    c->stopping = c->out.stopped = true;
    while ((n = node_pop(&c->queue))) {
        struct file *f = (struct file *)n;
        struct folder *parent = f->folder;
        file_free(f);
        if (parent) folder_child_done(c, parent);
    }
    while ((n = c->stack)) {
        c->stack = n->next;
        n->next = NULL;
        ((struct folder *)n)->failed = true;
        node_ready(c, n);
    }
    for (struct file *f = c->data, *next; f; f = next) {
        next = f->data_next;
        data_settle(c, f);
    }
}

/* ---- the bandwidth limit ---- */

/* Microseconds until more may move. */
static uint64_t limit_wait(struct copy *c, uint64_t now)
{
    if (!c->s.limit_kbit) return 0;
    uint64_t moved = 0;
    for (int end = FROM; end <= TO; end++)
        if (c->link[end]) moved += c->link[end]->moved;
    uint64_t due = c->limit_begun_us + (moved - c->limit_moved) * 8000 / c->s.limit_kbit;
    if (now > due + 1000000) c->limit_begun_us = now, c->limit_moved = moved;   /* time not used is not saved up */
    return due > now ? due - now : 0;
}

/* ---- the loop ---- */

static void meter_show(struct copy *c, uint64_t now)
{
    struct file *f = c->data;
    if (!c->meter.on || now < c->meter.tick_us || !f) return;
    meter_draw(&c->meter, &(struct meter_facts){.of = f, .name = f->name ? f->name : f->path[FROM], .size = f->size, .start = f->start,
        .bytes = f->bytes, .begun_us = f->begun_us, .now_us = now, .index = c->s.recursive ? c->out.files + c->out.failed + 1 : 0, .count = c->seen,
        .more = c->folders_busy > 0 || c->stack});
}

static void loop_wait(struct copy *c, uint64_t limit_us)
{
    struct pollfd p[4];
    nfds_t n = 0;
    int timeout = c->meter.on ? 500 : -1;
    for (int end = FROM; end <= TO && limit_us == 0; end++) {
        struct link *l = c->link[end];
        if (!l) continue;
        short out = link_events_out(l);
        bool full = end == FROM && c->mover.file && c->mover.waits_out;     /* its bytes wait for the other link */
        if (full) p[n++] = (struct pollfd){.fd = c->link[TO]->out, .events = POLLOUT};
        else p[n++] = (struct pollfd){.fd = l->in, .events = POLLIN};
        if (out) p[n++] = (struct pollfd){.fd = l->out, .events = out};
    }
    if (limit_us) timeout = (int)(limit_us / 1000) + 1;
    (void)poll(p, n, timeout);
}

static enum err loop_turn(struct copy *c, bool *moved)
{
    for (int end = FROM; end <= TO; end++)
        if (c->link[end]) TRY(replies_take(c, end, moved));
    work_begin(c);
    work_step(c, moved);
    data_fill(c, moved);
    TRY(c->err);
    for (int end = FROM; end <= TO; end++)
        if (c->link[end]) TRY(link_flush(c->link[end], moved));
    return ERR_NONE;
}

static enum err loop_run(struct copy *c)
{
    while (work_left(c)) {
        bool moved = false;
        uint64_t now = c->meter.on || c->s.limit_kbit ? clock_us() : 0, limit = limit_wait(c, now);
        if (stop_asked(c)) stop_begin(c);
        if (limit == 0) TRY(loop_turn(c, &moved));
        meter_show(c, now);
        if (!moved && work_left(c)) loop_wait(c, limit);
    }
    for (int end = FROM; end <= TO; end++) {    /* the last CLOSEs, whose replies must not meet the next caller */
        while (c->link[end] && sftp_client_asked(c->link[end]->client)) {
            bool moved = false;
            TRY(link_flush(c->link[end], &moved));
            TRY(replies_take(c, end, &moved));
            if (!moved) loop_wait(c, 0);
        }
    }
    return ERR_NONE;
}

/* ---- the outside ---- */

static uint32_t block_of(const struct copy *c)
{
    uint64_t max = c->s.buffer ? c->s.buffer : SFTP_DATA_MAX;
    for (int end = FROM; end <= TO; end++) {
        if (!c->link[end]) continue;
        const struct sftp_limits *limits = link_limits(c->link[end]);
        uint64_t known = end == FROM ? limits->read_max : limits->write_max;
        if (!known) known = c->s.buffer ? max : BLOCK_UNKNOWN;
        if (known < max) max = known;
    }
    if (max > SFTP_DATA_MAX) max = SFTP_DATA_MAX;
    if (max > 65536) max &= ~(uint64_t)4095;    /* whole pages go through pipes as they are */
    return max < BLOCK_MIN && !c->s.buffer ? BLOCK_MIN : max ? (uint32_t)max : 1;
}

/* More files at once where a round trip is long; never more than half of the handles or descriptors there are. */
static unsigned files_max_of(struct copy *c)
{
    uint64_t n = FILES_MIN;
    struct rlimit r;
    for (int end = FROM; end <= TO; end++)
        if (c->link[end] && c->link[end]->rtt_us / 1000 * 8 > n) n = c->link[end]->rtt_us / 1000 * 8;
    if (n > FILES_MAX) n = FILES_MAX;
    for (int end = FROM; end <= TO; end++) {
        if (!c->link[end]) continue;
        uint64_t handles = link_limits(c->link[end])->handles_max;
        if (handles && n > handles / 2) n = handles / 2;
        else if (!handles && n > FILES_MIN) n = FILES_MIN;
    }
    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max < 4096 ? r.rlim_max : 4096;
        (void)setrlimit(RLIMIT_NOFILE, &r);
        if (getrlimit(RLIMIT_NOFILE, &r) == 0 && n > r.rlim_cur / 4) n = r.rlim_cur / 4;
    }
    return n ? (unsigned)n : 1;
}

/* A far server's line is long: what is asked for but cannot be sent yet costs nobody memory, and each doubling a round trip. */
static uint64_t window_start(const struct copy *c)
{
    uint64_t most = WINDOW_MIN;
    for (int end = FROM; end <= TO; end++) {
        uint64_t n = c->link[end] ? c->link[end]->rtt_us / 1000 * WINDOW_PER_MS : 0;
        if (n > most) most = n;
    }
    return most < WINDOW_MAX ? most : WINDOW_MAX;
}

struct copy *copy_new(const struct copy_setup *setup)
{
    struct copy *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->s = *setup;
    c->link[FROM] = setup->from, c->link[TO] = setup->to;
    c->queue.tail = &c->queue.head;
    c->ready.tail = &c->ready.head;
    c->data_tail = &c->data;
    c->block = block_of(c);
    c->files_max = files_max_of(c);
    c->window.bytes = window_start(c);
    c->umask = umask(022);
    umask(c->umask);
    if (!(c->scratch = malloc(HASH_BLOCK))) {
        free(c);
        return NULL;
    }
    return c;
}

void copy_free(struct copy *c)
{
    if (!c) return;
    while (c->spare) {
        struct ask *a = c->spare;
        c->spare = a->next;
        free(a);
    }
    free(c->scratch);
    free(c);
}

enum err copy_add(struct copy *c, const struct copy_job *job)
{
    struct file *f = file_new(NULL, (struct bytes){0});
    if (!f) return ERR_NOMEM;
    f->path[FROM] = strdup(job->from), f->path[TO] = strdup(job->to);
    f->shown = strdup(job->to_shown ? job->to_shown : job->to);
    f->chosen = job->to_chosen;
    if (job->attrs && job->attrs->flags & SSH_FILEXFER_ATTR_PERMISSIONS) f->attrs = *job->attrs, f->attrs_known = true;
    if (!f->path[FROM] || !f->path[TO] || !f->shown) {
        file_free(f);
        return ERR_NOMEM;
    }
    node_push(&c->queue, &f->node);
    c->seen++;
    return ERR_NONE;
}

enum err copy_run(struct copy *c, struct copy_outcome *out)
{
    c->out = (struct copy_outcome){0};
    c->stopping = false;
    c->limit_begun_us = clock_us();
    c->limit_moved = 0;
    for (int end = FROM; end <= TO; end++) {
        struct link *l = c->link[end];
        if (!l) continue;
        l->chunk_max = c->s.limit_kbit ? (size_t)(c->s.limit_kbit * 125 / 10 < 1024 ? 1024 : c->s.limit_kbit * 125 / 10) : 0;
        c->limit_moved += l->moved;
    }
    meter_init(&c->meter, c->s.progress);
    enum err e = loop_run(c);
    if (e != ERR_NONE) {        /* what was under way keeps what it has: files are only ever written from their beginning on */
        for (int end = FROM; end <= TO; end++)
            if (c->link[end] && c->link[end]->err == ERR_NONE) c->link[end]->err = e;
    }
    meter_clear(&c->meter);
    *out = c->out;
    return e;
}
