/* SPDX-License-Identifier: ISC */
/* ssh-transport: started by ssh, never by hand. Descriptor 3 is the socket to the UI; everything else comes through it. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "crypto/sign.h"
#include "os/clock.h"
#include "os/jail.h"
#include "transport.h"

#define CTL 3
#define LINGER_US 10000000     /* for a slow reader of our stdout after the connection broke */

static struct transport transport = {.ctl = CTL, .chan = NO_CHAN};

/* Nothing but the jail stands between a hostile server and the user, so no jail, no transport. */
static bool jail(struct cm_ready *out)
{
    char why[200] = "";
    struct jail_report report;
    const struct jail_how how = jail_who();
    if (jail_enter(&how, &report, why, sizeof why) != ERR_NONE || jail_check(&report, why, sizeof why) != ERR_NONE
        || jail_filter(JAIL_FILTER_TRANSPORT) != ERR_NONE) {
        struct cm_failed f = {.err = ERR_DENIED, .where = BYTES_LIT("jail"), .text = bytes_str(why)};
        (void)!cm_send(CTL, CM_FAILED, &f, NULL, 0);
        return false;
    }
    out->jail = CM_JAIL_SECCOMP | CM_JAIL_NNP | (report.rung == JAIL_NAMESPACES || report.rung == JAIL_USERNS ? CM_JAIL_NAMESPACES : 0)
                | (report.landlock > 0 ? CM_JAIL_LANDLOCK : 0);
    return true;
}

static void signals(void)
{
    static const int ignored[] = {SIGPIPE, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGXFSZ};  /* the UI decides what they mean */
    for (size_t i = 0; i < COUNT_OF(ignored); i++)
        signal(ignored[i], SIG_IGN);
}

/* Is there anything left to do? A session that is over ends with its last byte written; a connection with its last channel. */
static bool finished(struct transport *t)
{
    return t->over && t->channels == 0 && pump_drained(t->pump, t->chan) && !hostkeys_pending(t, clock_us());
}

void wake_at(struct transport *t, uint64_t us)
{
    if (us < t->wake_us)
        t->wake_us = us;
}

static enum err turn(struct transport *t)
{
    struct pump_ready r;
    struct cm_message m;
    t->wake_us = UINT64_MAX;
    TRY(pump_next(t->pump, NULL, &r));
    if (r.what == PUMP_EVENT)
        TRY(event_handle(t, &r.event));
    else if (r.what == PUMP_FD && t->lane && r.fd == lane_fd(t->lane))
        TRY(session_lane(t));
    else if (r.what == PUMP_FD)
        TRY(ask_take(t, CM_COUNT, &m));
    else if (r.what == PUMP_FILTERED)
        TRY(session_escape(t));
    else if (r.what == PUMP_SOURCES_ENDED)
        forward_half(t, r.event.chan, HALF_OURS);
    TRY(session_step(t));
    TRY(session_alive(t, clock_us()));
    silence_check(t, clock_us());
    TRY(obscure_tick(t, clock_us()));
    pump_alarm(t->pump, t->wake_us);
    return ERR_NONE;
}

static enum err run(struct transport *t)
{
    struct cm_message m;
    struct cm_ready ready;
    if (!jail(&ready))
        return ERR_DENIED;
    TRY(random_reseed());
    TRY(cm_send(CTL, CM_READY, &ready, NULL, 0));
    while (!t->pump) {
        struct pollfd p = {.fd = CTL, .events = POLLIN};
        if (ppoll(&p, 1, NULL, NULL) > 0)
            TRY(ask_take(t, CM_COUNT, &m));
    }
    while (!finished(t)) {
        enum err e = turn(t);
        report_trace(t);
        TRY(e);
    }
    return ERR_NONE;
}

int main(void)
{
    struct transport *t = &transport;
    signals();
    enum err e = crypto_load();
    if (!e)
        e = run(t);
    bool lost = t->conn && conn_facts(t->conn)->failure != ERR_NONE;    /* the connection's error, not the UI's end */
    if (e == ERR_DENIED && !t->conn)
        _exit(1);
    if (lost || (e && e != ERR_PEER_GONE && e != ERR_BY_APPLICATION)) {
        if (t->pump)
            (void)pump_linger(t->pump, clock_us() + LINGER_US, NULL);
        report_failure(t, e);
        _exit(0);
    }
    if (t->lane)
        report_line(t, 2, "lane: %llu bytes went straight into their files", (unsigned long long)lane_placed(t->lane));
    if (t->authenticated) {
        struct cm_end end = {conn_facts(t->conn)->bytes_in, conn_facts(t->conn)->bytes_out};
        conn_disconnect(t->conn, 11, BYTES_LIT("disconnected by user"));
        pump_flush(t->pump);
        (void)!cm_send(CTL, CM_END, &end, NULL, 0);
    }
    _exit(0);
}
