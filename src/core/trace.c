/* SPDX-License-Identifier: ISC */
/* The ring that debug lines are made from: nothing is formatted here, nothing is lost silently. */
#include <stdlib.h>

#include "impl.h"
#include "base/text.h"

void trace_add(struct conn *c, enum trace_type t, uint32_t a, uint32_t b, struct bytes text)
{
    if (!c->trace) return;
    if (c->trace_n == TRACE_RING) {
        c->trace_head = (c->trace_head + 1) % TRACE_RING;
        c->trace_n--, c->trace_lost++;
    }
    struct trace *e = &c->trace[(c->trace_head + c->trace_n++) % TRACE_RING];
    e->type = t, e->a = a, e->b = b;
    escape_str(text, e->text, sizeof e->text);
}

bool conn_trace(struct conn *c, struct trace *out)
{
    if (c->trace_lost) {
        *out = (struct trace){.type = TRACE_LOST, .a = c->trace_lost};
        c->trace_lost = 0;
        return true;
    }
    if (c->trace_n == 0) return false;
    *out = c->trace[c->trace_head];
    c->trace_head = (c->trace_head + 1) % TRACE_RING;
    c->trace_n--;
    return true;
}

enum err conn_trace_start(struct conn *c)
{
    if (!c->trace) c->trace = calloc(TRACE_RING, sizeof *c->trace);
    return c->trace ? ERR_NONE : ERR_NOMEM;
}
