/* SPDX-License-Identifier: ISC */
/* ObscureKeystrokeTiming (ssh_config(5)): while somebody types at a terminal, packets leave at fixed intervals, each with the keys since the
 * last, or with a PING of the size of one key. They go on for a random time after the last key, so that neither the rhythm of typing nor its
 * end can be seen. Only where the server has ping@openssh.com, and not for bulk. */
#include "crypto/sign.h"
#include "os/clock.h"
#include "transport.h"

#define BULK_FROM   256             /* so much at once is no typing */
#define CHAFF_LEAST_US 1024000      /* after the last key: that long, and at most twice that again */
#define CHAFF_MORE_MS  2048

static const struct bytes chaff = BYTES_LIT("PING!");    /* a string in a PING: as long as one byte of channel data */

void obscure_begin(struct transport *t)
{
    const struct cm_session *s = &t->session.m.u.session;
    if (s->pty && conn_facts(t->conn)->peer_ping)
        t->obscure.interval_us = (uint64_t)s->obscure_ms * 1000;
}

static uint64_t chaff_end(uint64_t now_us)
{
    uint8_t r[4] = {0};
    if (random_fill(&random_libcrypto, r, sizeof r) != ERR_NONE)
        return now_us + CHAFF_LEAST_US;     /* how long it lasts is no secret that a key hangs on */
    return now_us + CHAFF_LEAST_US + (uint64_t)(get_u32(r) % CHAFF_MORE_MS) * 1000;
}

static void stop(struct transport *t)
{
    t->obscure.next_us = 0;
    pump_hold(t->pump, t->chan, false);
}

/* Called from the filter: the first key leaves at once and begins the rhythm. */
void obscure_typed(struct transport *t, size_t n)
{
    uint64_t now_us = clock_us();
    t->obscure.sent = n;
    if (t->obscure.interval_us == 0 || t->obscure.next_us != 0 || n == 0 || n >= BULK_FROM)
        return;
    t->obscure.next_us = now_us + t->obscure.interval_us;
    t->obscure.until_us = chaff_end(now_us);
    pump_hold(t->pump, t->chan, true);
    wake_at(t, t->obscure.next_us);
    pump_alarm(t->pump, t->wake_us);
}

enum err obscure_tick(struct transport *t, uint64_t now_us)
{
    bool cut = false;
    if (t->obscure.next_us == 0)
        return ERR_NONE;
    if (t->over || t->chan == NO_CHAN) {
        stop(t);
        return ERR_NONE;
    }
    if (now_us >= t->obscure.next_us) {
        uint64_t late = (now_us - t->obscure.next_us) / t->obscure.interval_us;
        t->obscure.next_us += (late + 1) * t->obscure.interval_us;      /* on the same grid, whatever kept us */
        t->obscure.sent = 0;
        pump_pull(t->pump, t->chan, &cut);
        if (t->obscure.sent >= BULK_FROM || (t->obscure.sent == 0 && now_us >= t->obscure.until_us))
            stop(t);
        else if (t->obscure.sent > 0)
            t->obscure.until_us = chaff_end(now_us);
        else if (conn_ping(t->conn, chaff) != ERR_NONE)
            report_line(t, 3, "obscure_tick: no chaff now");
    }
    if (t->obscure.next_us != 0)
        wake_at(t, t->obscure.next_us);
    return cut ? session_escape(t) : ERR_NONE;
}
