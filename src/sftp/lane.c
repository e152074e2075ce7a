/* SPDX-License-Identifier: ISC */
#include "sftp/lane.h"

#include <stdlib.h>

#include "base/rd.h"
#include "base/wr.h"

#define LENGTH_MIN 5                /* of a reply: its type and an id, or VERSION's number */

struct lane_file {
    bool open;                      /* false: what comes for it passes */
    uint64_t next, end;             /* whole before next */
};

struct lane_read {
    bool told;
    uint32_t id, slot, length;
    uint64_t offset;
};

struct sftp_lane {
    bool lost;                      /* this is no SFTP: all passes from here on */
    uint8_t head[SFTP_DATA_HEAD];   /* of a reply whose head came in parts */
    size_t have;
    bool looked;                    /* the program was asked to look for messages about this reply */
    uint64_t pass;                  /* bytes of the reply that are still to pass, */
    size_t place;                   /* or to be written */
    bool placing;                   /* a reply that is written, or whose note is due */
    uint32_t id, length, slot;      /* that reply */
    uint64_t at;
    struct lane_file files[SFTP_LANE_FILES];
    struct lane_read reads[SFTP_LANE_READS];
};

/* ---- messages ---- */

void sftp_lane_write(const struct sftp_lane_message *m, uint8_t out[SFTP_LANE_MESSAGE])
{
    struct wr w = wr_span((struct span){out, SFTP_LANE_MESSAGE});
    wr_u8(&w, (uint8_t)m->verb);
    wr_u32(&w, m->slot);
    wr_u32(&w, m->id);
    wr_u32(&w, m->length);
    wr_u64(&w, m->offset);
    wr_u64(&w, m->end);
}

enum err sftp_lane_parse(struct bytes datagram, struct sftp_lane_message *out)
{
    struct rd r = rd_init(datagram);
    uint8_t verb = rd_u8(&r);
    struct sftp_lane_message m = {.slot = rd_u32(&r)};
    m.id = rd_u32(&r);
    m.length = rd_u32(&r);
    m.offset = rd_u64(&r);
    m.end = rd_u64(&r);
    TRY(rd_done(&r));
    if (verb < SFTP_LANE_FILE || verb > SFTP_LANE_HELLO) return ERR_FORMAT;
    if (m.slot >= SFTP_LANE_FILES || m.offset > INT64_MAX || m.end > INT64_MAX || m.length > SFTP_MESSAGE_MAX) return ERR_RANGE;
    m.verb = (enum sftp_lane_verb)verb;
    *out = m;
    return ERR_NONE;
}

struct sftp_lane *sftp_lane_new(void)
{
    return calloc(1, sizeof(struct sftp_lane));
}

void sftp_lane_free(struct sftp_lane *l)
{
    free(l);
}

enum err sftp_lane_take(struct sftp_lane *l, const struct sftp_lane_message *m)
{
    if (m->slot >= SFTP_LANE_FILES) return ERR_RANGE;
    struct lane_file *f = &l->files[m->slot];
    if (m->verb != SFTP_LANE_READ && l->placing && l->slot == m->slot) return ERR_STATE;
    if (m->verb == SFTP_LANE_FILE) *f = (struct lane_file){.open = true, .next = m->offset, .end = m->end};
    if (m->verb == SFTP_LANE_END) f->open = false;
    if (m->verb == SFTP_LANE_READ)
        l->reads[m->id % SFTP_LANE_READS] = (struct lane_read){.told = true, .id = m->id, .slot = m->slot, .length = m->length, .offset = m->offset};
    return ERR_NONE;
}

/* ---- the stream ---- */

/* How much of a reply must be seen before it is known what it is: DATA's whole head, of others the id. */
static size_t head_need(const uint8_t *head, size_t have)
{
    if (have < 5) return 5;
    return head[4] == SSH_FXP_DATA ? SFTP_DATA_HEAD : 4 + LENGTH_MIN;
}

/* As soon as its length is there: words that a shell says must not wait for more. */
static bool head_wrong(const uint8_t *head, size_t have)
{
    if (have < 4) return false;
    uint32_t length = get_u32(head);
    return length < (have > 4 && head[4] == SSH_FXP_DATA ? SFTP_DATA_HEAD - 4 : LENGTH_MIN) || length > SFTP_MESSAGE_MAX;
}

static struct lane_read *read_find(struct sftp_lane *l, uint32_t id)
{
    struct lane_read *r = &l->reads[id % SFTP_LANE_READS];
    return r->told && r->id == id ? r : NULL;
}

/* DATA as it was asked for, and nothing before it in its file is missing. */
static bool read_fits(const struct sftp_lane *l, const struct lane_read *r, const uint8_t *head)
{
    const struct lane_file *f = &l->files[r->slot];
    uint32_t n = get_u32(head + 9);
    if (!f->open || r->offset != f->next || n == 0 || n > r->length || n != get_u32(head) - (SFTP_DATA_HEAD - 4)) return false;
    return n <= f->end - f->next;       /* next never passes end */
}

static enum sftp_lane_what pass(struct bytes *in, size_t n, struct sftp_lane_step *out)
{
    out->bytes = bytes_of(in->p, n);
    in->p += n, in->n -= n;
    return SFTP_LANE_PASS;
}

/* The head is whole: in the lane if it came in parts, else still in *in. */
static enum sftp_lane_what head_judge(struct sftp_lane *l, const uint8_t *head, struct bytes *in, struct sftp_lane_step *out)
{
    size_t need = head_need(head, 5), have = l->have;
    struct lane_read *r = read_find(l, get_u32(head + 5));
    bool data = head[4] == SSH_FXP_DATA;
    if (data && !r && !l->looked) {
        l->looked = true;
        return SFTP_LANE_LOOK;
    }
    l->looked = false;
    l->have = 0;
    if (r) r->told = false;             /* whatever this is, it is the one reply to that READ */
    if (data && r && read_fits(l, r, head)) {
        l->placing = true;
        l->id = r->id, l->length = get_u32(head + 9), l->slot = r->slot, l->at = r->offset;
        l->place = l->length;
        if (!have) in->p += need, in->n -= need;
        return sftp_lane_next(l, in, out);
    }
    l->pass = (uint64_t)get_u32(head) + 4 - need;
    bool forged = head[4] == SFTP_LANE_PLACED || head[4] == SFTP_LANE_UNPLACED;
    if (!have && !forged) {
        size_t n = l->pass + need < in->n ? (size_t)l->pass + need : in->n;
        l->pass -= n - need;
        return pass(in, n, out);
    }
    if (!have) {
        memcpy(l->head, in->p, need);
        in->p += need, in->n -= need;
    }
    if (forged) l->head[4] = 0;         /* a note of the peer's own: a type that nobody has */
    out->bytes = bytes_of(l->head, need);
    return SFTP_LANE_COPY;
}

static enum sftp_lane_what head_next(struct sftp_lane *l, struct bytes *in, struct sftp_lane_step *out)
{
    if (l->have == 0 && in->n >= SFTP_DATA_HEAD && !head_wrong(in->p, SFTP_DATA_HEAD)) return head_judge(l, in->p, in, out);
    while (!head_wrong(l->head, l->have) && l->have < head_need(l->head, l->have)) {
        if (in->n == 0) return SFTP_LANE_MORE;
        l->head[l->have++] = *in->p;
        in->p++, in->n--;
    }
    if (!head_wrong(l->head, l->have)) return head_judge(l, l->head, in, out);
    l->lost = true;
    out->bytes = bytes_of(l->head, l->have);
    return SFTP_LANE_COPY;
}

enum sftp_lane_what sftp_lane_next(struct sftp_lane *l, struct bytes *in, struct sftp_lane_step *out)
{
    if (l->placing && l->place == 0) {
        const struct lane_file *f = &l->files[l->slot];
        out->slot = l->slot;
        out->closes = f->open && f->next + l->length == f->end;
        return SFTP_LANE_NOTE;
    }
    if (in->n == 0 && !l->looked) return SFTP_LANE_MORE;
    if (l->lost) return pass(in, in->n, out);
    if (l->pass) {
        size_t n = l->pass < in->n ? (size_t)l->pass : in->n;
        l->pass -= n;
        return pass(in, n, out);
    }
    if (!l->placing) return head_next(l, in, out);
    size_t n = l->place < in->n ? l->place : in->n;
    out->slot = l->slot, out->offset = l->at;
    l->place -= n, l->at += n;
    (void)pass(in, n, out);
    return SFTP_LANE_PLACE;
}

void sftp_lane_note(struct sftp_lane *l, uint32_t error, size_t written, uint8_t out[SFTP_DATA_HEAD])
{
    struct lane_file *f = &l->files[l->slot];
    if (f->open) f->next += l->length;
    if (error || f->next == f->end) f->open = false;
    put_u32(out, SFTP_DATA_HEAD - 4);
    out[4] = error ? SFTP_LANE_UNPLACED : SFTP_LANE_PLACED;
    put_u32(out + 5, l->id);
    put_u32(out + 9, error ? (uint32_t)(written < l->length ? written : l->length) * SFTP_LANE_ERROR + error % SFTP_LANE_ERROR : l->length);
    l->placing = false;
}
