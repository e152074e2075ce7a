/* SPDX-License-Identifier: ISC */
/* The lane's framing against any messages and any replies in any cuts. Each byte of the peer's is handed on or written, once; what is written follows what
 * was written before, in a file that was given, and no further than it may grow. */
#include <stdlib.h>

#include "sftp/lane.h"
#include "targets.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)
#define TOLD 8          /* bytes of the input that make a message */

struct model {
    struct sftp_lane *lane;
    uint32_t seed;
    struct bytes told;  /* messages that have not come yet */
    struct { bool open; uint64_t next, end; } files[SFTP_LANE_FILES];
    uint32_t slot;      /* of the reply that is being written, */
    size_t part;        /* so much of it so far */
    uint64_t used, out, placed;
};

static uint32_t dice(struct model *m, uint32_t sides)
{
    m->seed ^= m->seed << 13, m->seed ^= m->seed >> 17, m->seed ^= m->seed << 5;
    return m->seed % sides;
}

static void tell(struct model *m)
{
    if (m->told.n < TOLD) return;
    const uint8_t *p = m->told.p;
    m->told.p += TOLD, m->told.n -= TOLD;
    struct sftp_lane_message t = {.verb = (enum sftp_lane_verb)(p[0] % 3 + 1), .slot = p[1] % 4, .id = p[2], .offset = p[3] * 4U, .length = p[4] * 8U}, again;
    uint8_t b[SFTP_LANE_MESSAGE];
    t.end = t.offset + p[5] * 16U;
    sftp_lane_write(&t, b);
    MUST(sftp_lane_parse(bytes_of(b, sizeof b), &again) == ERR_NONE && again.id == t.id && again.end == t.end);
    if (sftp_lane_take(m->lane, &again) != ERR_NONE) {
        MUST(t.verb != SFTP_LANE_READ && (!m->part || m->slot == t.slot));     /* none of it need be written yet */
        return;
    }
    if (t.verb == SFTP_LANE_FILE) m->files[t.slot].open = true, m->files[t.slot].next = t.offset, m->files[t.slot].end = t.end;
    if (t.verb == SFTP_LANE_END) m->files[t.slot].open = false;
}

static void note(struct model *m, const struct sftp_lane_step *s)
{
    uint8_t out[SFTP_DATA_HEAD];
    uint32_t error = dice(m, 8) ? 0 : 28;
    MUST(m->part && s->slot == m->slot);
    m->files[s->slot].next += m->part;
    MUST(s->closes == (m->files[s->slot].next == m->files[s->slot].end));
    sftp_lane_note(m->lane, error, m->part / 2, out);
    MUST(get_u32(out) == 9 && out[4] == (error ? SFTP_LANE_UNPLACED : SFTP_LANE_PLACED));
    MUST(get_u32(out + 9) == (error ? m->part / 2 * SFTP_LANE_ERROR + error : m->part));
    if (error || s->closes) m->files[s->slot].open = false;
    m->out += sizeof out;
    m->part = 0;
}

static void step(struct model *m, enum sftp_lane_what what, const struct sftp_lane_step *s)
{
    static volatile uint8_t seen;
    if (what == SFTP_LANE_PASS || what == SFTP_LANE_COPY) {
        MUST(s->bytes.n && !m->part);
        for (size_t i = 0; i < s->bytes.n; i++) seen = s->bytes.p[i];
        m->out += s->bytes.n;
    } else if (what == SFTP_LANE_PLACE) {
        MUST(s->slot < SFTP_LANE_FILES && s->bytes.n && m->files[s->slot].open);
        MUST(s->offset == m->files[s->slot].next + m->part && s->offset + s->bytes.n <= m->files[s->slot].end);
        for (size_t i = 0; i < s->bytes.n; i++) seen = s->bytes.p[i];
        m->slot = s->slot, m->part += s->bytes.n, m->placed += s->bytes.n;
    } else if (what == SFTP_LANE_NOTE) {
        note(m, s);
    } else if (what == SFTP_LANE_LOOK) {
        for (uint32_t n = dice(m, 4); n; n--) tell(m);
    }
    (void)seen;
}

void fuzz_sftp_lane(struct bytes in)
{
    if (in.n < 2 || in.n < 2 + in.p[1] * (size_t)TOLD) return;
    struct model m = {.lane = sftp_lane_new(), .seed = 1U + in.p[0], .told = {in.p + 2, in.p[1] * (size_t)TOLD}};
    if (!m.lane) return;
    for (size_t at = 2 + in.p[1] * (size_t)TOLD, n; at < in.n; at += n) {
        n = dice(&m, in.n - at < 300 ? (uint32_t)(in.n - at) : 300) + 1;
        if (n > in.n - at) n = in.n - at;
        uint8_t *exact = malloc(n);     /* an overread shows at the edge */
        if (!exact) break;
        memcpy(exact, in.p + at, n);
        struct bytes piece = bytes_of(exact, n);
        for (enum sftp_lane_what what = SFTP_LANE_PASS; what != SFTP_LANE_MORE;) {
            struct sftp_lane_step s = {0};
            what = sftp_lane_next(m.lane, &piece, &s);
            step(&m, what, &s);
        }
        MUST(piece.n == 0);
        free(exact);
        m.used += n;
        MUST(m.out + m.placed <= m.used && m.used - m.out - m.placed <= SFTP_DATA_HEAD);    /* only a head is ever held back */
        if (dice(&m, 2)) tell(&m);
    }
    sftp_lane_free(m.lane);
}

bool seed_sftp_lane(unsigned i, struct wr *out)
{
    if (i >= 8) return false;
    static const uint8_t told[5][TOLD] = {{0, 1, 0, 0, 0, 20}, {1, 1, 5, 0, 10}, {1, 1, 6, 20, 10}, {1, 1, 7, 40, 10}, {2, 1}};
    wr_u8(out, (uint8_t)i);
    wr_u8(out, (uint8_t)COUNT_OF(told));
    wr_raw(out, bytes_of(told[0], sizeof told));
    wr_raw(out, BYTES_LIT("\0\0\0\5\2\0\0\0\3"));
    for (uint32_t id = 4; id < 9; id++) {
        static const uint8_t zeros[100];
        uint8_t head[SFTP_DATA_HEAD];
        uint32_t n = i == 3 ? 60 : 80;
        sftp_data_head(head, i & 1 && id < 7 ? 6 + 5 - id : id, n);
        if (i == 5) head[4] = SFTP_LANE_PLACED;
        wr_raw(out, bytes_of(head, sizeof head));
        wr_raw(out, bytes_of(zeros, n));
        if (i == 7) sftp_result_write(out, &(struct sftp_result){.kind = SFTP_STATUS, .id = id, .status = SSH_FX_EOF});
    }
    return true;
}
