/* SPDX-License-Identifier: ISC */
#include "sftp/client.h"

#include <stdlib.h>

#include "sftp/lane.h"
#include "stream.h"

#define OUTPUT_MAX   (256 * 1024)                   /* requests that wait to leave; then no more are taken */
#define INPUT        (SFTP_MESSAGE_MAX + 4 + 65536) /* the longest reply and a read beside it */
#define INPUT_ROOM   65536                          /* what reserve() gives at least while no reply waits */
#define SLOT_BITS    12
_Static_assert(SFTP_ASKED_MAX == 1 << SLOT_BITS, "an id's low bits are a slot");

struct asked {
    uint64_t tag;
    uint32_t id, length;        /* length: READ's */
    enum sftp_verb verb;
    bool used, laned;
};

struct sftp_client {
    enum err err;               /* sticky: the server is not to be trusted any more */
    uint32_t version;
    uint64_t extensions;        /* a bit a verb */
    struct stream out;
    size_t data_due;
    uint8_t *in;
    size_t head, tail;          /* of what has come and is not used */
    size_t data_left;
    unsigned count;
    unsigned free_count;
    unsigned latest;            /* slot of the last request */
    uint16_t free_slots[SFTP_ASKED_MAX];
    struct asked asked[SFTP_ASKED_MAX];
};

struct sftp_client *sftp_client_new(void)
{
    struct sftp_client *c = calloc(1, sizeof *c);
    uint8_t *in = malloc(INPUT);
    if (!c || !in) {
        free(c);
        free(in);
        return NULL;
    }
    c->in = in;
    c->out = stream_new(OUTPUT_MAX + SFTP_MESSAGE_MAX);
    for (unsigned i = 0; i < SFTP_ASKED_MAX; i++) c->free_slots[i] = (uint16_t)(SFTP_ASKED_MAX - 1 - i);
    c->free_count = SFTP_ASKED_MAX;
    struct wr *w = stream_begin(&c->out);
    size_t mark = wr_begin(w);
    wr_u8(w, SSH_FXP_INIT);
    wr_u32(w, SFTP_VERSION);
    wr_end(w, mark);
    c->err = w->err;
    return c;
}

void sftp_client_free(struct sftp_client *c)
{
    if (!c) return;
    wr_clear(&c->out.w);
    free(c->in);
    free(c);
}

bool sftp_client_has(const struct sftp_client *c, enum sftp_verb verb)
{
    return verb < SFTP_VERB_COUNT && (!sftp_rows[verb].extension || (c->extensions >> verb & 1));
}

uint32_t sftp_client_version(const struct sftp_client *c)
{
    return c->version;
}

/* ---- asking ---- */

bool sftp_client_can_ask(const struct sftp_client *c)
{
    return c->err == ERR_NONE && c->version && c->free_count && c->data_due == 0 && stream_waiting(&c->out) < OUTPUT_MAX;
}

unsigned sftp_client_asked(const struct sftp_client *c)
{
    return c->count;
}

/* What a caller may not ask: the server would end the session over it. */
static enum err op_check(const struct sftp_client *c, const struct sftp_op *op)
{
    if (!sftp_client_has(c, op->verb)) return ERR_UNSUPPORTED;
    if ((op->path.n && memchr(op->path.p, 0, op->path.n)) || (op->path2.n && memchr(op->path2.p, 0, op->path2.n))) return ERR_FORMAT;
    if (op->path.n + op->path2.n + op->text.n + op->uids.n + op->gids.n + op->handle.n + op->handle2.n > SFTP_SMALL_MAX - 256)
        return ERR_TOO_LONG;
    if (op->verb == SFTP_VERB_READ && (op->length == 0 || op->length > UINT32_MAX)) return ERR_RANGE;
    if (op->verb == SFTP_VERB_WRITE && op->length > SFTP_DATA_MAX) return ERR_RANGE;
    return ERR_NONE;
}

enum err sftp_client_ask(struct sftp_client *c, const struct sftp_op *op, uint64_t tag)
{
    TRY(c->err);
    if (!sftp_client_can_ask(c)) return ERR_AGAIN;
    TRY(op_check(c, op));
    unsigned slot = c->free_slots[c->free_count - 1];
    struct asked *a = &c->asked[slot];
    struct sftp_op sent = *op;
    sent.id = ((a->id >> SLOT_BITS) + 1) << SLOT_BITS | slot;   /* the upper bits change each time: a second reply is not taken for another's */
    struct wr *w = stream_begin(&c->out);
    sftp_op_write(w, &sent);
    if (w->err != ERR_NONE) return c->err = w->err;
    c->free_count--;
    c->count++;
    *a = (struct asked){.tag = tag, .id = sent.id, .length = (uint32_t)op->length, .verb = op->verb, .used = true};
    c->latest = slot;
    if (op->verb == SFTP_VERB_WRITE) c->data_due = (size_t)op->length;
    return ERR_NONE;
}

uint32_t sftp_client_lane(struct sftp_client *c)
{
    struct asked *a = &c->asked[c->latest];
    a->laned = a->verb == SFTP_VERB_READ;
    return a->id;
}

size_t sftp_client_data_due(const struct sftp_client *c)
{
    return c->data_due;
}

void sftp_client_data_sent(struct sftp_client *c, size_t n)
{
    c->data_due -= n < c->data_due ? n : c->data_due;
}

struct bytes sftp_client_peek(const struct sftp_client *c)
{
    return stream_peek(&c->out);
}

void sftp_client_consume(struct sftp_client *c, size_t n)
{
    stream_consume(&c->out, n);
}

/* ---- input ---- */

struct span sftp_client_reserve(struct sftp_client *c)
{
    if (c->head == c->tail) {
        c->head = c->tail = 0;
    } else if (INPUT - c->tail < INPUT_ROOM && c->head) {
        memmove(c->in, c->in + c->head, c->tail - c->head);
        c->tail -= c->head, c->head = 0;
    }
    return (struct span){c->in + c->tail, INPUT - c->tail};
}

void sftp_client_commit(struct sftp_client *c, size_t n)
{
    c->tail += n < INPUT - c->tail ? n : INPUT - c->tail;
}

size_t sftp_client_data_left(const struct sftp_client *c)
{
    return c->data_left;
}

struct bytes sftp_client_data_peek(const struct sftp_client *c)
{
    size_t n = c->tail - c->head;
    if (n > c->data_left) n = c->data_left;
    return n ? bytes_of(c->in + c->head, n) : (struct bytes){0};
}

void sftp_client_data_taken(struct sftp_client *c, size_t n)
{
    size_t buffered = sftp_client_data_peek(c).n;
    if (n > c->data_left) n = c->data_left;
    c->head += n < buffered ? n : buffered;     /* the rest was taken from the stream */
    c->data_left -= n;
}

/* ---- replies ---- */

/* filexfer-extensions-00 3: some servers announce both forms under one name. */
static void extension_note(struct sftp_client *c, struct bytes name, struct bytes version)
{
    if (bytes_is(name, "check-file")) c->extensions |= 1ULL << SFTP_VERB_CHECK_FILE_HANDLE | 1ULL << SFTP_VERB_CHECK_FILE_NAME;
    enum sftp_verb verb = sftp_extension_find(name);
    if (verb != SFTP_VERB_COUNT && bytes_is(version, sftp_rows[verb].version)) c->extensions |= 1ULL << verb;
}

static enum err version_parse(struct sftp_client *c, struct bytes message, struct sftp_answer *out)
{
    struct rd r = rd_init(message);
    if (rd_u8(&r) != SSH_FXP_VERSION) return ERR_STATE;
    uint32_t version = rd_u32(&r);
    while (r.n && r.err == ERR_NONE) {
        struct bytes name = rd_string(&r), data = rd_string(&r);
        if (r.err == ERR_NONE) extension_note(c, name, data);
    }
    TRY(rd_done(&r));
    if (version != SFTP_VERSION) return ERR_VERSION;
    c->version = version;
    out->ready = out->version = true;
    return ERR_NONE;
}

static struct asked *asked_find(struct sftp_client *c, uint32_t id)
{
    struct asked *a = &c->asked[id & (SFTP_ASKED_MAX - 1)];
    return a->used && a->id == id ? a : NULL;
}

static void asked_end(struct sftp_client *c, struct asked *a)
{
    a->used = false;
    c->free_slots[c->free_count++] = (uint16_t)(a - c->asked);
    c->count--;
}

/* What would make a caller loop for ever becomes the end: no data where some was asked for, a listing's reply without entries. */
static void result_settle(struct sftp_result *r)
{
    bool empty = (r->kind == SFTP_DATA && r->data.n == 0) || (r->kind == SFTP_NAME && r->count == 0);
    if (empty) *r = (struct sftp_result){.kind = SFTP_STATUS, .id = r->id, .status = SSH_FX_EOF};
}

/* A reply of `total` bytes with its length field, of which `have` have come: all, or of DATA the head. */
static enum err reply_parse(struct sftp_client *c, size_t total, bool data, struct sftp_answer *out)
{
    struct bytes message = bytes_of(c->in + c->head + 4, (data ? SFTP_DATA_HEAD : total) - 4);
    struct asked *a = asked_find(c, get_u32(message.p + 1));
    if (!a) return ERR_PROTOCOL;
    TRY(sftp_result_parse(message, a->verb, &out->result));
    if (data && (out->result.data.n != total - SFTP_DATA_HEAD || out->result.data.n > a->length)) return ERR_PROTOCOL;
    if (data) c->data_left = out->result.data.n;
    result_settle(&out->result);
    out->verb = a->verb, out->tag = a->tag, out->ready = true;
    asked_end(c, a);
    c->head += message.n + 4;
    return ERR_NONE;
}

/* What stands in the stream where DATA went into its file: nothing but what that READ could have brought. */
static enum err note_parse(struct sftp_client *c, const uint8_t *note, struct sftp_answer *out)
{
    struct asked *a = asked_find(c, get_u32(note + 5));
    uint32_t value = get_u32(note + 9);
    bool placed = note[4] == SFTP_LANE_PLACED;
    int error = placed ? 0 : (int)(value % SFTP_LANE_ERROR);
    size_t n = placed ? value : value / SFTP_LANE_ERROR;
    if (!a || !a->laned || get_u32(note) != SFTP_DATA_HEAD - 4 || n > a->length || (placed ? n == 0 : error == 0)) return ERR_PROTOCOL;
    out->placed = true, out->place_error = error;
    out->result = (struct sftp_result){.kind = SFTP_DATA, .id = a->id, .data = {.n = n}};
    out->verb = a->verb, out->tag = a->tag, out->ready = true;
    asked_end(c, a);
    c->head += SFTP_DATA_HEAD;
    return ERR_NONE;
}

static enum err reply_next(struct sftp_client *c, struct sftp_answer *out)
{
    size_t have = c->tail - c->head;
    if (c->data_left || have < 5) return ERR_NONE;
    size_t total = (size_t)get_u32(c->in + c->head) + 4;
    uint8_t type = c->in[c->head + 4];
    if (total < 9) return ERR_TRUNCATED;
    if (total > SFTP_MESSAGE_MAX + 4) return ERR_TOO_LONG;
    if (!c->version && type != SSH_FXP_VERSION) return ERR_STATE;
    bool data = c->version && type == SSH_FXP_DATA;
    if (type == SFTP_LANE_PLACED || type == SFTP_LANE_UNPLACED)
        return have < SFTP_DATA_HEAD ? ERR_NONE : note_parse(c, c->in + c->head, out);
    if (data && total < SFTP_DATA_HEAD) return ERR_TRUNCATED;
    if (have < (data ? SFTP_DATA_HEAD : total)) return ERR_NONE;
    if (c->version) return reply_parse(c, total, data, out);
    TRY(version_parse(c, bytes_of(c->in + c->head + 4, total - 4), out));
    c->head += total;
    return ERR_NONE;
}

enum err sftp_client_next(struct sftp_client *c, struct sftp_answer *out)
{
    struct sftp_answer got = {0};
    TRY(c->err);
    c->err = reply_next(c, &got);
    TRY(c->err);
    *out = got;
    return ERR_NONE;
}
