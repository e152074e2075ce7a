/* SPDX-License-Identifier: ISC */
/* Revoked serial numbers in as few bytes as lists, ranges and bitmaps give: for each run of numbers the cheapest way to have it written with all
 * before it, ending in an open list, an open bitmap or a range of its own; then back from the cheapest end. */
#include <stdlib.h>

#include "krl_list.h"

#define PART_HEAD  5                /* byte type, u32 length */
#define SERIAL     8
#define RANGE_COST (PART_HEAD + 2 * SERIAL)
#define LIST_MOST  8                /* a longer run is cheaper as a range whatever stands around it */
#define BITS_MOST  16384            /* OpenSSH reads no longer bitmaps, though it writes them */
#define NEVER      (UINT64_MAX / 2)

enum way { LIST, BITMAP, RANGE, WAYS };

/* How to reach each way at a run; packed, since there may be millions. */
struct step {
    uint8_t before, way;
    bool list_goes_on, bitmap_goes_on, begins;
};

struct state {
    uint64_t cost[WAYS];
    uint64_t bitmap_base, bitmap_from;  /* of the best open bitmap: the cost of all before it, its first serial */
};

static enum way cheapest(const struct state *s)
{
    enum way best = LIST;
    for (enum way w = BITMAP; w < WAYS; w++)
        if (s->cost[w] < s->cost[best]) best = w;
    return best;
}

/* An mpint with its highest bit at span - 1 has span / 8 + 1 bytes, with the one that keeps it positive. */
static uint64_t bitmap_cost(uint64_t span)
{
    return PART_HEAD + SERIAL + 4 + span / 8 + 1;
}

static void advance(struct state *s, const struct run *r, struct step *step)
{
    enum way before = cheapest(s);
    uint64_t base = s->cost[before], count = r->hi - r->lo, span = r->hi - s->bitmap_from;
    struct state next = {.cost = {NEVER, NEVER, base + RANGE_COST}};
    *step = (struct step){.before = (uint8_t)before};
    if (count < LIST_MOST) {
        uint64_t fresh = base + PART_HEAD;
        step->list_goes_on = s->cost[LIST] <= fresh;
        next.cost[LIST] = (step->list_goes_on ? s->cost[LIST] : fresh) + SERIAL * (count + 1);
    }
    if (count < BITS_MOST) {
        uint64_t fresh = base + bitmap_cost(count + 1);
        uint64_t longer = s->cost[BITMAP] < NEVER && span < BITS_MOST ? s->bitmap_base + bitmap_cost(span + 1) : NEVER;
        step->bitmap_goes_on = longer <= fresh;
        next.cost[BITMAP] = step->bitmap_goes_on ? longer : fresh;
        next.bitmap_base = step->bitmap_goes_on ? s->bitmap_base : base;
        next.bitmap_from = step->bitmap_goes_on ? s->bitmap_from : r->lo;
    }
    *s = next;
}

static void plan(const struct run *v, size_t n, struct step *steps)
{
    struct state s = {.cost = {NEVER, NEVER, 0}};
    for (size_t i = 0; i < n; i++) advance(&s, &v[i], &steps[i]);
    enum way way = cheapest(&s);
    for (size_t i = n; i-- > 0;) {
        struct step *step = &steps[i];
        bool goes_on = (way == LIST && step->list_goes_on) || (way == BITMAP && step->bitmap_goes_on);
        step->way = (uint8_t)way;
        step->begins = !goes_on;
        if (!goes_on) way = step->before;
    }
}

/* ---- writing the parts; each takes the runs of one part ---- */

static void put_list(const struct run *v, size_t n, struct wr *w)
{
    for (size_t i = 0; i < n; i++)
        for (uint64_t k = 0; k <= v[i].hi - v[i].lo; k++) wr_u64(w, v[i].lo + k);
}

static void put_range(const struct run *v, size_t n, struct wr *w)
{
    (void)n;
    wr_u64(w, v->lo);
    wr_u64(w, v->hi);
}

static void put_bitmap(const struct run *v, size_t n, struct wr *w)
{
    uint8_t bits[BITS_MOST / 8 + 1] = {0};
    for (size_t i = 0; i < n; i++)
        for (uint64_t k = v[i].lo - v->lo; k <= v[i].hi - v->lo; k++) bits[sizeof bits - 1 - k / 8] |= (uint8_t)(1U << k % 8);
    wr_u64(w, v->lo);
    wr_mpint(w, bytes_of(bits, sizeof bits));
}

static void put_part(enum way way, const struct run *v, size_t n, struct wr *out)
{
    static const struct {
        enum krl_cert_section type;
        void (*put)(const struct run *v, size_t n, struct wr *w);
    } rows[WAYS] = {[LIST] = {KRL_SERIAL_LIST, put_list}, [BITMAP] = {KRL_SERIAL_BITMAP, put_bitmap}, [RANGE] = {KRL_SERIAL_RANGE, put_range}};
    wr_u8(out, (uint8_t)rows[way].type);
    size_t mark = wr_begin(out);
    rows[way].put(v, n, out);
    wr_end(out, mark);
}

enum err serials_write(const struct run *v, size_t n, struct wr *out)
{
    if (n == 0) return ERR_NONE;
    struct step *steps = calloc(n, sizeof *steps);
    if (!steps) return ERR_NOMEM;
    plan(v, n, steps);
    for (size_t i = 0; i < n;) {
        size_t end = i + 1;
        while (end < n && !steps[end].begins) end++;
        put_part((enum way)steps[i].way, v + i, end - i, out);
        i = end;
    }
    free(steps);
    return wr_done(out);
}
