/* SPDX-License-Identifier: ISC */
#include "sftp/server.h"

#include <stdlib.h>

#include "stream.h"

#define WIRE_HANDLE  8                          /* slot, generation */
#define REPLIES_HARD (16 * SFTP_REPLIES_MAX)    /* the answers to what was out when `full` began; a program that goes on beyond fails */

struct slot {
    uint32_t generation;
    bool used, directory;
    bool closing;           /* CLOSE came: no request finds it any more, its number is not free yet */
};

struct sftp_server {
    struct sftp_server_setup setup;
    bool greeted;
    enum err err;           /* sticky */
    struct stream out;
    uint8_t *buf;           /* a request that came in pieces */
    size_t have;
    /* the WRITE whose data is coming */
    struct sftp_op write;
    unsigned write_slot;
    uint64_t write_left;
    bool writing, skipping; /* skipping: it was answered already */
    /* operations without answer, oldest first, from `first` on */
    struct { uint32_t id; enum sftp_verb verb; } asked[2 * SFTP_UNANSWERED_MAX];
    unsigned first, end;
    unsigned opening, open; /* OPENs out at the program's; slots in use */
    struct slot slots[SFTP_HANDLES_MAX];
};

struct sftp_server *sftp_server_new(const struct sftp_server_setup *setup)
{
    struct sftp_server *s = calloc(1, sizeof *s);
    uint8_t *buf = malloc(SFTP_SMALL_MAX + 4);
    if (!s || !buf) {
        free(s);
        free(buf);
        return NULL;
    }
    s->buf = buf;
    s->setup = *setup;
    if (s->setup.handles_max == 0 || s->setup.handles_max > SFTP_HANDLES_MAX) s->setup.handles_max = SFTP_HANDLES_MAX;
    s->out = stream_new(REPLIES_HARD);
    return s;
}

void sftp_server_free(struct sftp_server *s)
{
    if (!s) return;
    wr_clear(&s->out.w);
    free(s->buf);
    free(s);
}

/* ---- what is out at the program's ---- */

static void asked_push(struct sftp_server *s, const struct sftp_op *op)
{
    if (s->end == COUNT_OF(s->asked)) {
        memmove(s->asked, s->asked + s->first, (s->end - s->first) * sizeof s->asked[0]);
        s->end -= s->first, s->first = 0;
    }
    s->asked[s->end].id = op->id;
    s->asked[s->end++].verb = op->verb;
    s->opening += sftp_rows[op->verb].reply == SFTP_HANDLE;
}

/* Forgets the oldest operation of that id; answers come nearly in order, so it is found near the front. A client that uses
 * an id twice at once mixes up its own replies only. */
static bool asked_pop(struct sftp_server *s, uint32_t id, bool opened)
{
    unsigned i = s->first;
    while (i < s->end && !(s->asked[i].id == id && (!opened || sftp_rows[s->asked[i].verb].reply == SFTP_HANDLE))) i++;
    if (i == s->end) {
        s->err = ERR_USAGE;
        return false;
    }
    s->opening -= sftp_rows[s->asked[i].verb].reply == SFTP_HANDLE;
    memmove(s->asked + s->first + 1, s->asked + s->first, (i - s->first) * sizeof s->asked[0]);
    s->first++;
    return true;
}

bool sftp_server_full(const struct sftp_server *s)
{
    return s->end - s->first >= SFTP_UNANSWERED_MAX || stream_waiting(&s->out) >= SFTP_REPLIES_MAX;
}

/* ---- replies ---- */

static void reply(struct sftp_server *s, const struct sftp_result *r)
{
    struct wr *w = stream_begin(&s->out);
    size_t before = w->n;
    sftp_result_write(w, r);
    if (w->err == ERR_NONE && w->n - before > SFTP_MESSAGE_MAX + 4) w->err = ERR_TOO_LONG;
    if (w->err != ERR_NONE) s->err = w->err, w->n = before;
}

static void reply_status(struct sftp_server *s, uint32_t id, uint32_t status)
{
    reply(s, &(struct sftp_result){.kind = SFTP_STATUS, .id = id, .status = status});
}

void sftp_server_answer(struct sftp_server *s, const struct sftp_result *r)
{
    if (asked_pop(s, r->id, false)) reply(s, r);
}

void sftp_server_status(struct sftp_server *s, uint32_t id, uint32_t status)
{
    if (asked_pop(s, id, false)) reply_status(s, id, status);
}

void sftp_server_answered(struct sftp_server *s, uint32_t id)
{
    (void)asked_pop(s, id, false);
}

void sftp_server_open(struct sftp_server *s, uint32_t id, unsigned slot, bool directory)
{
    if (slot >= s->setup.handles_max || s->slots[slot].used) {
        s->err = ERR_USAGE;
        return;
    }
    if (!asked_pop(s, id, true)) return;
    struct slot *h = &s->slots[slot];
    *h = (struct slot){.generation = h->generation + 1, .used = true, .directory = directory};
    s->open++;
    uint8_t wire[WIRE_HANDLE];
    put_u32(wire, slot), put_u32(wire + 4, h->generation);
    reply(s, &(struct sftp_result){.kind = SFTP_HANDLE, .id = id, .handle = bytes_of(wire, sizeof wire)});
}

void sftp_server_close(struct sftp_server *s, unsigned slot)
{
    if (slot >= SFTP_HANDLES_MAX || !s->slots[slot].used) return;
    s->slots[slot].used = s->slots[slot].closing = false;
    s->open--;
}

struct bytes sftp_server_peek(const struct sftp_server *s)
{
    return stream_peek(&s->out);
}

void sftp_server_consume(struct sftp_server *s, size_t n)
{
    stream_consume(&s->out, n);
}

/* ---- INIT and VERSION (draft 4) ---- */

static bool refused(const struct sftp_server *s, const struct sftp_op *op)
{
    if (s->setup.refused >> op->verb & 1) return true;
    if (!s->setup.read_only) return false;
    return sftp_rows[op->verb].changes || (op->verb == SFTP_VERB_OPEN && (op->flags & ~(uint32_t)SSH_FXF_READ));
}

static void version_write(struct sftp_server *s)
{
    struct wr *w = stream_begin(&s->out);
    size_t mark = wr_begin(w);
    wr_u8(w, SSH_FXP_VERSION);
    wr_u32(w, SFTP_VERSION);
    for (unsigned v = 0; v < SFTP_VERB_COUNT; v++) {
        if (!sftp_rows[v].extension || refused(s, &(struct sftp_op){.verb = (enum sftp_verb)v})) continue;
        wr_cstring(w, sftp_rows[v].extension);
        wr_cstring(w, sftp_rows[v].version);
    }
    wr_end(w, mark);
    if (w->err != ERR_NONE) s->err = w->err;
}

static enum err init_parse(struct sftp_server *s, struct bytes message, struct sftp_event *out)
{
    struct rd r = rd_init(message);
    if (rd_u8(&r) != SSH_FXP_INIT) return ERR_STATE;
    out->version = rd_u32(&r);
    (void)rd_rest(&r);      /* a client may tell extensions; none is known */
    TRY(rd_done(&r));
    s->greeted = true;
    version_write(s);
    out->type = SFTP_EV_INIT;
    return s->err;
}

/* ---- requests ---- */

static bool slot_find(const struct sftp_server *s, struct bytes handle, bool directory, bool either, unsigned *out)
{
    if (handle.n != WIRE_HANDLE) return false;
    uint32_t n = get_u32(handle.p);
    if (n >= s->setup.handles_max) return false;
    const struct slot *h = &s->slots[n];
    if (!h->used || h->closing || h->generation != get_u32(handle.p + 4)) return false;
    if (!either && h->directory != directory) return false;
    *out = n;
    return true;
}

/* The handles of a request as slots; false: there is no such handle, or it is of the other kind. */
static bool slots_find(const struct sftp_server *s, const struct sftp_op *op, struct sftp_event *out)
{
    const char *letters = sftp_rows[op->verb].letters;
    bool directory = op->verb == SFTP_VERB_READDIR, either = op->verb == SFTP_VERB_CLOSE;
    if (strchr(letters, 'h') && !slot_find(s, op->handle, directory, either, &out->slot)) return false;
    return !strchr(letters, 'j') || slot_find(s, op->handle2, false, false, &out->slot2);
}

static void limits_reply(struct sftp_server *s, uint32_t id)
{
    reply(s, &(struct sftp_result){.kind = SFTP_LIMITS, .id = id, .limits = {
        .packet_max = SFTP_MESSAGE_MAX, .read_max = SFTP_DATA_MAX, .write_max = SFTP_DATA_MAX, .handles_max = s->setup.handles_max}});
}

/* Requests that need no file; true: answered. */
static bool answered_inside(struct sftp_server *s, const struct sftp_op *op, struct sftp_event *out)
{
    bool hashes = sftp_rows[op->verb].reply == SFTP_HASHES;
    if (refused(s, op)) reply_status(s, op->id, SSH_FX_PERMISSION_DENIED);
    else if (op->verb == SFTP_VERB_LIMITS) limits_reply(s, op->id);
    else if (op->path.n >= SFTP_PATH_MAX || op->path2.n >= SFTP_PATH_MAX) reply_status(s, op->id, SSH_FX_BAD_MESSAGE);
    else if (hashes && op->block && op->block < 256) reply_status(s, op->id, SSH_FX_BAD_MESSAGE);
    else if (!slots_find(s, op, out)) reply_status(s, op->id, op->verb == SFTP_VERB_CLOSE ? SSH_FX_NO_SUCH_FILE : SSH_FX_FAILURE);
    else if (op->verb == SFTP_VERB_READ && op->length == 0) reply(s, &(struct sftp_result){.kind = SFTP_DATA, .id = op->id});
    else if (sftp_rows[op->verb].reply == SFTP_HANDLE && s->open + s->opening >= s->setup.handles_max)
        reply_status(s, op->id, SSH_FX_FAILURE);
    else return false;
    return true;
}

static enum err write_begin(struct sftp_server *s, const struct sftp_op *op, size_t head, size_t message, bool skip, unsigned slot)
{
    if (op->length > message || head + op->length != message) return ERR_FORMAT;
    s->write = *op;
    s->write.handle = (struct bytes){0};
    s->write_slot = slot;
    s->write_left = op->length;
    s->writing = true, s->skipping = skip;
    if (!skip) asked_push(s, op);
    return ERR_NONE;
}

/* One message (a WRITE's head). Leaves out->type NONE when it was answered inside. */
static enum err handle(struct sftp_server *s, struct bytes framed, struct sftp_event *out)
{
    size_t length = get_u32(framed.p);
    struct bytes message = bytes_of(framed.p + 4, framed.n - 4);
    if (!s->greeted) return init_parse(s, message, out);
    struct sftp_op op = {0};
    enum err e = sftp_op_parse(message, &op);
    if (e == ERR_UNSUPPORTED) {
        reply_status(s, op.id, SSH_FX_OP_UNSUPPORTED);
        return s->err;
    }
    TRY(e);
    bool inside = answered_inside(s, &op, out);
    TRY(s->err);
    if (op.verb == SFTP_VERB_WRITE) return write_begin(s, &op, message.n, length, inside, out->slot);
    if (inside) return ERR_NONE;
    if (op.verb == SFTP_VERB_READ && op.length > SFTP_DATA_MAX) op.length = SFTP_DATA_MAX;
    if (op.verb == SFTP_VERB_CLOSE) s->slots[out->slot].closing = true;
    asked_push(s, &op);
    out->type = SFTP_EV_OP;
    out->op = op;
    return ERR_NONE;
}

/* ---- framing ---- */

static struct bytes rest_of(struct bytes in, size_t used)
{
    return used < in.n ? bytes_of(in.p + used, in.n - used) : (struct bytes){0};
}

/* How many bytes of the stream, from b on, are needed to go on; more than b.n while that is not known. A WRITE only needs its head. */
static enum err need(const struct sftp_server *s, struct bytes b, size_t *out)
{
    if (b.n < 5) {
        *out = 5;
        return ERR_NONE;
    }
    size_t total = (size_t)get_u32(b.p) + 4, head;
    bool write = s->greeted && b.p[4] == SSH_FXP_WRITE;
    if (total < 5) return ERR_FORMAT;
    if (total > 4 + (write ? SFTP_MESSAGE_MAX : SFTP_SMALL_MAX)) return ERR_TOO_LONG;
    if (!write) {
        *out = total;
        return ERR_NONE;
    }
    if (total < 25) return ERR_TRUNCATED;
    if (b.n < 13) {
        *out = 13;
        return ERR_NONE;
    }
    if (get_u32(b.p + 9) > SFTP_HANDLE_MAX) return ERR_TOO_LONG;
    head = 25 + get_u32(b.p + 9);
    if (total < head) return ERR_TRUNCATED;
    *out = head;
    return ERR_NONE;
}

/* The next message, whole: in place where it lies in one piece, else gathered in buf. out->n 0: more is needed. */
static enum err gather(struct sftp_server *s, struct bytes in, size_t *used, struct bytes *out)
{
    struct bytes rest = rest_of(in, *used);
    size_t want;
    if (s->have == 0) {
        TRY(need(s, rest, &want));
        if (want <= rest.n) {
            *used += want;
            *out = bytes_of(rest.p, want);
            return ERR_NONE;
        }
    }
    for (;;) {
        TRY(need(s, bytes_of(s->buf, s->have), &want));
        if (want <= s->have) break;
        size_t k = want - s->have < rest.n ? want - s->have : rest.n;
        if (k == 0) return ERR_NONE;
        memcpy(s->buf + s->have, rest.p, k);
        s->have += k, *used += k;
        rest = bytes_of(rest.p + k, rest.n - k);
    }
    *out = bytes_of(s->buf, s->have);
    s->have = 0;
    return ERR_NONE;
}

/* A part of the WRITE under way; false: none has come. */
static bool write_part(struct sftp_server *s, struct bytes in, size_t *used, struct sftp_event *out)
{
    struct bytes data = rest_of(in, *used);
    if (data.n > s->write_left) data.n = (size_t)s->write_left;
    if (data.n == 0 && s->write_left) return false;
    *used += data.n;
    s->write_left -= data.n;
    if (s->write_left == 0) s->writing = false;
    if (s->skipping) return true;
    *out = (struct sftp_event){.type = SFTP_EV_WRITE, .op = s->write, .slot = s->write_slot, .data = data, .last = s->write_left == 0};
    s->write.offset += data.n;
    return true;
}

enum err sftp_server_next(struct sftp_server *s, struct bytes in, size_t *used, struct sftp_event *out)
{
    struct sftp_event ev = {0};
    *used = 0;
    *out = ev;
    TRY(s->err);
    while (ev.type == SFTP_EV_NONE) {
        if (s->writing) {
            if (!write_part(s, in, used, &ev)) return ERR_NONE;
            continue;
        }
        struct bytes framed = {0};
        if (sftp_server_full(s)) return ERR_NONE;
        s->err = gather(s, in, used, &framed);
        TRY(s->err);
        if (framed.n == 0) return ERR_NONE;
        ev = (struct sftp_event){0};
        s->err = handle(s, framed, &ev);
        TRY(s->err);
    }
    *out = ev;
    return ERR_NONE;
}
