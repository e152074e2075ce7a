/* SPDX-License-Identifier: ISC */
/* Every state x message 0..255 x role x {valid body, empty, trailing byte}, against expect.txt. `gate EXPECT`: TAP, a line a
 * state. `gate --fault NAME EXPECT`: this binary's gate has a planted fault; passes when the table shows it. */
#include <string.h>

#include "states.h"
#include "tap.h"

struct row {
    char kind[8], state[16];        /* kind "chan": state is a sub-state */
    bool number[256], other;
    char want[3];
};

static struct row rows[512];
static size_t row_count;

static bool parse_numbers(char *text, struct row *r)
{
    if (strcmp(text, "other") == 0) return r->other = true;
    for (char *save = NULL, *one = strtok_r(text, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
        unsigned lo = 0, hi = 0;
        int n = sscanf(one, "%u-%u", &lo, &hi);
        if (n < 1) return false;
        if (n == 1) hi = lo;
        for (unsigned i = lo; i <= hi && i < 256; i++) r->number[i] = true;
    }
    return true;
}

static bool parse_line(char *line)
{
    char numbers[64], a = 0, b = 0, c = 0;
    struct row *r = &rows[row_count];
    if (*line == '#' || *line == '\n') return true;
    *r = (struct row){0};
    if (sscanf(line, "chan %15s %63s %c", r->state, numbers, &a) == 3) strcpy(r->kind, "chan");
    else if (sscanf(line, "%15s %63s %c %c %c", r->state, numbers, &a, &b, &c) != 5) return false;
    r->want[0] = a, r->want[1] = b, r->want[2] = c;
    row_count++;
    return parse_numbers(numbers, r);
}

static bool load(const char *path)
{
    char line[256];
    FILE *f = fopen(path, "r");
    bool good = f != NULL;
    while (good && fgets(line, sizeof(line), f)) good = row_count < COUNT_OF(rows) && parse_line(line);
    if (f) fclose(f);
    return good && row_count;
}

/* The row for a message in a state; NULL: the table does not speak of it. */
static const struct row *find(const char *kind, const char *state, unsigned number)
{
    const struct row *other = NULL;
    for (size_t i = 0; i < row_count; i++) {
        const struct row *r = &rows[i];
        if (strcmp(r->kind, kind) != 0 || strcmp(r->state, state) != 0) continue;
        if (r->number[number]) return r;
        if (r->other) other = r;
    }
    return other;
}

static unsigned deviations, cells;

static void deviate(const char *state, unsigned number, const char *body, char want, char got, const char *why)
{
    if (deviations++ < 40) printf("# %s, message %u, %s body: expected %c, got %c (%s)\n", state, number, body, want, got, why);
}

static void one_cell(const char *state, unsigned number, int body, char want)
{
    static const char *const names[] = {"valid", "empty", "trailing"};
    struct probe p;
    const char *why = "not reached";
    char got = '?';
    uint8_t room[4096];
    struct wr w = wr_span((struct span){room, sizeof(room)});
    if (probe_open(&p, state, state[0] == 'c' && number == 31 && want == 'P' && body != 1)) {
        if (body == 1) wr_u8(&w, (uint8_t)number);
        else probe_body(&p, (uint8_t)number, 0, &w);
        if (number == 91 || number == 92) put_u32(room + 1, 1);     /* the channel that we asked for */
        if (body == 1) w.n = 1;
        if (body == 2) wr_u8(&w, 0);
        got = probe_say(&p, wr_bytes(&w), &why);
    }
    cells++;
    if (got != want) deviate(state, number, names[body], want, got, why);
    probe_close(&p);
}

static bool quick, fault;

/* A part for the time between two edits, and for a planted fault, which are all in rows of the table. */
static bool skipped(unsigned number, int body)
{
    bool assigned = (number >= 1 && number <= 7) || number == 20 || number == 21 || (number >= 30 && number <= 34) ||
                    (number >= 50 && number <= 61) || (number >= 80 && number <= 100) || number == 192 || number == 193;
    if (fault) return !assigned || body != 0;
    return quick && (assigned ? body == 2 && number % 2 : number % 8 != 0);
}

static void one_state(const char *state)
{
    for (unsigned number = 0; number < 256; number++) {
        const struct row *r = find("", state, number);
        for (int body = 0; r && body < 3; body++)
            if (!skipped(number, body)) one_cell(state, number, body, r->want[body]);
    }
}

static void one_substate(const char *sub, enum role dut)
{
    for (unsigned number = 91; number <= 100; number++) {
        const struct row *r = find("chan", sub, number);
        struct probe p;
        const char *why = "not reached";
        uint32_t chan = 0;
        char got = '?';
        uint8_t room[4096];
        struct wr w = wr_span((struct span){room, sizeof(room)});
        if (!r) continue;
        if (probe_open_channel(&p, sub, dut, &chan)) {
            probe_body(&p, (uint8_t)number, chan, &w);
            got = probe_say(&p, wr_bytes(&w), &why);
            if (r->want[0] == 'P' && got == 'I') got = 'P';         /* accepted, with nothing to show for it */
        }
        cells++;
        if (got != r->want[0]) deviate(sub, number, dut == ROLE_CLIENT ? "client's" : "server's", r->want[0], got, why);
        probe_close(&p);
    }
}

static void all(bool lines)
{
    for (size_t i = 0; i < row_count; i++) {
        bool chan = rows[i].kind[0], seen = false;
        for (size_t k = 0; k < i; k++) seen |= strcmp(rows[k].kind, rows[i].kind) == 0 && strcmp(rows[k].state, rows[i].state) == 0;
        if (seen) continue;
        unsigned before = deviations, from = cells;
        if (chan) one_substate(rows[i].state, ROLE_CLIENT), one_substate(rows[i].state, ROLE_SERVER);
        else one_state(rows[i].state);
        if (lines) tap_ok(before == deviations, "%s %s: %u cells as the rules say", chan ? "channel" : "state", rows[i].state, cells - from);
    }
}

int main(int argc, char **argv)
{
    fault = argc == 4 && strcmp(argv[1], "--fault") == 0;
    if (argc < 2 || !load(argv[argc - 1])) return tap_ok(false, "the table of expectations is read"), tap_end();
    quick = tap_quick();
    all(!fault);
    if (fault) tap_ok(deviations != 0, "a planted fault is caught: %s (%u deviations)", argv[2], deviations);
    else tap_ok(cells > (quick ? 3000 : 20000), "%u cells in all", cells);
    return tap_end();
}
