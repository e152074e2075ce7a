/* SPDX-License-Identifier: ISC */
/* Revoked serial numbers, in order, in as few bytes as lists, ranges and bitmaps give: for each run of numbers the cheapest way to have it written
 * with all before it, ending in an open list, an open bitmap or a range of its own; then back from the cheapest end. */
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
    bool list_goes_on, begins;
    uint16_t bitmap_runs;           /* before this one in the best bitmap that ends with it */
};

/* A bitmap that began at a run: what all before it cost, and its first serial. */
struct start {
    uint64_t base, from;
    size_t run;
};

/* A bitmap costs its base and an eighth of a byte for each bit, rounded. Of two that have the same size now, one may have bits left where the other
 * takes its next byte; eight times the base and the bits say which is the cheaper for all serials to come. Kept are those that no later one beats:
 * the cheapest first, which is also the first to reach BITS_MOST. Each is dearer than the one before by an eighth or more, none dearer than the
 * first by a bitmap's cost, since that one could have gone on instead. */
#define STARTS_MOST (8 * (PART_HEAD + SERIAL + 4 + 1))

struct state {
    uint64_t cost[WAYS];
    struct start starts[STARTS_MOST];
    size_t starts_n;
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

/* Those that cannot reach this serial. */
static void starts_drop(struct state *s, uint64_t serial)
{
    size_t gone = 0;
    while (gone < s->starts_n && serial - s->starts[gone].from >= BITS_MOST) gone++;
    s->starts_n -= gone;
    if (gone) memmove(s->starts, s->starts + gone, s->starts_n * sizeof *s->starts);
}

static void starts_add(struct state *s, struct start new)
{
    while (s->starts_n) {
        const struct start *last = &s->starts[s->starts_n - 1];
        if (8 * last->base + (new.from - last->from) < 8 * new.base) break;
        s->starts_n--;
    }
    if (s->starts_n < STARTS_MOST) s->starts[s->starts_n++] = new;
}

static void advance(struct state *s, const struct run *r, size_t i, struct step *step)
{
    enum way before = cheapest(s);
    uint64_t base = s->cost[before], count = r->hi - r->lo;
    uint64_t cost[WAYS] = {NEVER, NEVER, base + RANGE_COST};
    *step = (struct step){.before = (uint8_t)before};
    if (count < LIST_MOST) {
        uint64_t fresh = base + PART_HEAD;
        step->list_goes_on = s->cost[LIST] <= fresh;
        cost[LIST] = (step->list_goes_on ? s->cost[LIST] : fresh) + SERIAL * (count + 1);
    }
    starts_drop(s, r->hi);
    if (count < BITS_MOST) {
        starts_add(s, (struct start){base, r->lo, i});
        step->bitmap_runs = (uint16_t)(i - s->starts[0].run);
        cost[BITMAP] = s->starts[0].base + bitmap_cost(r->hi - s->starts[0].from + 1);
    }
    memcpy(s->cost, cost, sizeof cost);
}

/* The first run of the part that ends with run i in this way. */
static size_t part_first(const struct step *steps, size_t i, enum way way)
{
    if (way == BITMAP) return i - steps[i].bitmap_runs;
    while (way == LIST && steps[i].list_goes_on) i--;
    return i;
}

static void plan(const struct run *v, size_t n, struct step *steps)
{
    struct state s = {.cost = {NEVER, NEVER, 0}};
    for (size_t i = 0; i < n; i++) advance(&s, &v[i], i, &steps[i]);
    enum way way = cheapest(&s);
    for (size_t end = n; end > 0;) {
        end = part_first(steps, end - 1, way);
        steps[end].begins = true;
        steps[end].way = (uint8_t)way;
        way = steps[end].before;
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
