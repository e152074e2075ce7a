/* SPDX-License-Identifier: ISC */
#include "escape.h"

#define CTRL(c) ((c) & 0x1f)

static const struct { uint8_t key; enum escape_act act; } keys[] = {
    {'.', ESCAPE_QUIT}, {CTRL('Z'), ESCAPE_SUSPEND}, {'?', ESCAPE_HELP}, {'B', ESCAPE_BREAK}, {'R', ESCAPE_REKEY},
    {'#', ESCAPE_LIST}, {'v', ESCAPE_MORE}, {'V', ESCAPE_LESS}};

/* Keys of ssh(1) that are not built: said so rather than sent. */
static const char unbuilt[] = "C&sI";

void escape_init(struct escape *e, uint8_t mark)
{
    *e = (struct escape){.mark = mark};
}

static void act_add(struct escape *e, enum escape_act act)
{
    if (e->act_count < COUNT_OF(e->acts))
        e->acts[e->act_count++] = act;
}

/* What follows a kept-back escape character. True: it was a command and nothing is sent. */
static bool command(struct escape *e, uint8_t c)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (keys[i].key == c) {
            act_add(e, keys[i].act);
            return true;
        }
    if (c == 0 || !strchr(unbuilt, c))
        return false;
    e->unknown = c;
    act_add(e, ESCAPE_UNKNOWN);
    return true;
}

size_t escape_filter(struct escape *e, uint8_t *data, size_t n)
{
    static uint8_t made[PACKET_MAX + ESCAPE_CARRY + 8];
    size_t m = e->carry_n, before = e->act_count;
    memcpy(made, e->carry, m);
    for (size_t i = 0; i < n && i < PACKET_MAX; i++) {
        uint8_t c = data[i];
        if (e->held) {
            e->held = false;
            if (command(e, c)) {
                e->inside = false;      /* another may follow at once */
                continue;
            }
            if (c != e->mark)           /* twice: sent once */
                made[m++] = e->mark;
        } else if (!e->inside && c == e->mark) {
            e->held = true;
            continue;
        }
        e->inside = c != '\r' && c != '\n';
        made[m++] = c;
    }
    bool turn = m > n || e->act_count > before;     /* the caller must act: return less than was read */
    size_t give = !turn || m < n ? m : n - 1;
    if (m - give > ESCAPE_CARRY)
        give = n;                       /* cannot be: carry grows by one a line; but never lose a byte */
    e->carry_n = m - give;
    memcpy(e->carry, made + give, e->carry_n);
    memcpy(data, made, give);
    return give;
}

enum escape_act escape_next(struct escape *e)
{
    if (e->act_count == 0)
        return ESCAPE_NONE;
    enum escape_act act = e->acts[0];
    memmove(e->acts, e->acts + 1, --e->act_count * sizeof e->acts[0]);
    return act;
}

const char *escape_help(void)
{
    return "Supported escape sequences:\r\n"
           " ~.   - terminate connection\r\n"
           " ~B   - send a BREAK to the remote system\r\n"
           " ~R   - request rekey\r\n"
           " ~V/v - decrease/increase verbosity (LogLevel)\r\n"
           " ~^Z  - suspend ssh\r\n"
           " ~#   - list forwarded connections\r\n"
           " ~?   - this message\r\n"
           " ~~   - send the escape character by typing it twice\r\n"
           "(Note that escapes are only recognized immediately after newline.)\r\n";
}
