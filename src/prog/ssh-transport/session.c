/* SPDX-License-Identifier: ISC */
/* The session channel, forwards in both directions, escapes and the watch over a silent server. */
#include <stdio.h>
#include <unistd.h>

#include "base/text.h"
#include "os/clock.h"
#include "transport.h"

static const struct cm_session *wish(const struct transport *t)
{
    return &t->session.m.u.session;
}

static enum err refused(struct transport *t, uint32_t what, uint32_t chan, uint32_t reason, struct bytes text)
{
    struct cm_refused r = {.what = what, .chan = chan, .reason = reason, .text = {text.p, text.n < 4096 ? text.n : 4096}};
    return cm_send(t->ctl, CM_REFUSED, &r, NULL, 0);
}

static enum err channel_open(struct transport *t)
{
    const struct cm_session *s = wish(t);
    struct channel_open o = {.type = OPEN_SESSION};
    if (s->kind == CM_STDIO_FORWARD)
        o = (struct channel_open){.type = OPEN_DIRECT_TCPIP, .host = s->host, .port = s->port, .origin = BYTES_LIT("127.0.0.1"),
                                  .origin_port = 65535};
    TRY(chan_open(t->conn, &o, &t->chan));
    t->channels++;
    return ERR_NONE;
}

/* RFC 4252 5.3: requests may follow the one that logs us in without waiting for its answer, and the channel's open does, after
 * PK_OK and where the server is known to cope if it says no after all. */
enum err session_open_early(struct transport *t)
{
    if (!t->session.p || wish(t)->kind == CM_NO_SESSION || t->chan != NO_CHAN || !conn_facts(t->conn)->peer_is_openssh)
        return ERR_NONE;
    enum err e = channel_open(t);
    return e == ERR_AGAIN || e == ERR_STATE ? ERR_NONE : e;
}

/* It said no: that open is answered by nobody. */
void session_forget_early(struct transport *t)
{
    if (t->chan == NO_CHAN)
        return;
    t->chan = NO_CHAN;
    t->channels--;
}

enum err session_open(struct transport *t)
{
    const struct cm_session *s = wish(t);
    struct cm_none none = {0};
    t->alive_us = (uint64_t)s->alive_s * 1000000;
    if (t->alive_us)
        t->alive_at = clock_us() + t->alive_us;
    if (s->kind != CM_NO_SESSION && t->chan == NO_CHAN)
        TRY(channel_open(t));
    if (s->no_more_sessions && conn_facts(t->conn)->peer_is_openssh) {
        struct global_request g = {.type = GLOBAL_NO_MORE_SESSIONS};
        TRY(conn_global(t->conn, &g, 0));
    }
    return s->kind == CM_NO_SESSION ? cm_send(t->ctl, CM_SESSION_OPEN, &none, NULL, 0) : ERR_NONE;
}

static size_t filter(void *ctx, uint32_t chan, uint8_t *data, size_t n)
{
    struct transport *t = ctx;
    (void)chan;
    if (t->escapes_on)
        n = escape_filter(&t->escape, data, n);
    obscure_typed(t, n);
    return n;
}

/* What sftp or scp gave ssh besides the pipes: data of files need not go through them. */
static enum err lane_attach(struct transport *t)
{
    if (t->session.m.fd_count <= SESSION_LANE || !(t->lane = lane_open(t->session.m.fds[SESSION_LANE]))) return ERR_NONE;
    pump_set_sorter(t->pump, t->chan, lane_sort, t->lane);
    return pump_watch(t->pump, lane_fd(t->lane), 1 /* POLLIN */);
}

enum err session_lane(struct transport *t)
{
    return lane_listen(t->lane) ? ERR_NONE : pump_watch(t->pump, lane_fd(t->lane), 0);
}

static enum err attach(struct transport *t)
{
    const struct cm_session *s = wish(t);
    const int *fds = t->session.m.fds;
    struct pump_ends ends = {.sink = fds[1], .sink_err = fds[2], .source = fds[0], .source_err = -1,
                             .kind = (enum pump_fd_kind)s->fd_kind};
    if (s->kind == CM_STDIO_FORWARD) {
        close(fds[2]);
        ends.sink_err = -1;
    }
    t->attached = true;
    TRY(pump_attach(t->pump, t->chan, &ends));
    TRY(lane_attach(t));
    obscure_begin(t);
    if (t->escapes_on || t->obscure.interval_us)
        pump_set_filter(t->pump, t->chan, filter, t);
    return ERR_NONE;
}

/* Once, for as long as the connection lives; nothing is said where the server does not want it (as OpenSSH: no reply is asked for). */
static enum err agent_send(struct transport *t)
{
    struct channel_request r = {.type = REQ_AUTH_AGENT};
    if (!t->agent_wanted)
        return ERR_NONE;
    if (conn_facts(t->conn)->peer_agent_forward)
        r.name = BYTES_LIT("agent-req");
    TRY(chan_request(t->conn, t->chan, &r, 0));
    report_line(t, 1, "Requesting authentication agent forwarding.");
    t->agent_asked = true;
    return ERR_NONE;
}

/* Step 0 is the agent, 1 the pty, then a step an environment variable, then the command. */
#define STEPS_BEFORE_ENV 2
static enum err step_send(struct transport *t)
{
    const struct cm_session *s = wish(t);
    struct channel_request r = {0};
    if (t->step == 0)
        return agent_send(t);
    if (t->step == 1) {
        if (!s->pty)
            return ERR_NONE;
        r = (struct channel_request){.type = REQ_PTY, .want_reply = true, .text = s->term, .value = s->modes, .cols = s->cols,
                                     .rows = s->rows, .xpixels = s->xpixels, .ypixels = s->ypixels};
        return chan_request(t->conn, t->chan, &r, TAG_PTY);
    }
    if (t->step - STEPS_BEFORE_ENV < s->env.n) {
        struct bytes v = s->env.v[t->step - STEPS_BEFORE_ENV];
        const uint8_t *eq = memchr(v.p, '=', v.n);
        if (!eq)
            return ERR_NONE;
        size_t name = (size_t)(eq - v.p);
        r = (struct channel_request){.type = REQ_ENV, .text = bytes_of(v.p, name), .value = bytes_of(eq + 1, v.n - name - 1)};
        return chan_request(t->conn, t->chan, &r, 0);
    }
    r = (struct channel_request){.type = s->kind == CM_EXEC ? REQ_EXEC : s->kind == CM_SUBSYSTEM ? REQ_SUBSYSTEM : REQ_SHELL,
                                 .want_reply = true, .text = s->command};
    return chan_request(t->conn, t->chan, &r, TAG_COMMAND);
}

enum err session_step(struct transport *t)
{
    const struct cm_session *s = wish(t);
    if (!t->opened || t->attached || t->over)
        return ERR_NONE;
    while (s->kind != CM_STDIO_FORWARD && t->step <= s->env.n + STEPS_BEFORE_ENV) {
        enum err e = step_send(t);
        if (e == ERR_AGAIN) {           /* a rekey or a full buffer: soon again */
            wake_at(t, clock_us() + 10000);
            return ERR_NONE;
        }
        TRY(e);
        t->step++;
    }
    return attach(t);
}

enum err session_opened(struct transport *t, uint32_t chan)
{
    struct cm_none none = {0};
    if (chan == t->chan && !t->opened) {
        t->opened = true;
        silence_begin(t, chan, wish(t)->kind == CM_STDIO_FORWARD ? wish(t)->direct_timeout_s : wish(t)->session_timeout_s);
        report_line(t, 2, "channel %u: open confirm", chan);
        TRY(cm_send(t->ctl, CM_SESSION_OPEN, &none, NULL, 0));
        return session_step(t);
    }
    int fd = (int)(intptr_t)chan_user(t->conn, chan) - 1;
    silence_begin(t, chan, wish(t)->direct_timeout_s);
    struct pump_ends ends = {.sink = fd, .source = fd, .sink_err = -1, .source_err = -1, .kind = PUMP_FD_SOCKET};
    return fd >= 0 ? pump_attach(t->pump, chan, &ends) : ERR_NONE;
}

enum err session_refused(struct transport *t, const struct event *ev)
{
    bool main_one = ev->chan == t->chan && !t->opened;
    t->channels--;
    if (main_one) {
        t->over = true;
    } else {
        int fd = (int)(intptr_t)chan_user(t->conn, ev->chan) - 1;
        if (fd >= 0)
            close(fd);
    }
    return refused(t, main_one ? CM_REFUSED_OPEN : CM_REFUSED_DIRECT, ev->chan, ev->refused.reason, ev->refused.text);
}

enum err session_request(struct transport *t, const struct event *ev)
{
    const struct channel_request *r = &ev->request;
    struct cm_exit x = {0};
    struct answer a = {.type = ANSWER_NO};
    char name[128];
    report_line(t, 1, "client_input_channel_req: channel %u rtype %s reply %d", ev->chan, escape_str(r->name, name, sizeof name),
                r->want_reply);
    if (ev->chan == t->chan && r->type == REQ_EXIT_STATUS) {
        x.status = r->number;
        a.type = ANSWER_YES;
        TRY(cm_send(t->ctl, CM_EXIT, &x, NULL, 0));
    } else if (ev->chan == t->chan && r->type == REQ_EXIT_SIGNAL) {
        x = (struct cm_exit){.signalled = 1, .core = r->flag, .signal = {r->text.p, r->text.n < 64 ? r->text.n : 64},
                             .text = {r->value.p, r->value.n < 4096 ? r->value.n : 4096}};
        a.type = ANSWER_YES;
        TRY(cm_send(t->ctl, CM_EXIT, &x, NULL, 0));
    }
    return ev->question ? conn_answer(t->conn, ev->question, &a) : ERR_NONE;
}

enum err session_request_done(struct transport *t, const struct event *ev)
{
    struct bytes none = {0};
    if (ev->done.ok || ev->chan != t->chan)
        return ERR_NONE;
    if (ev->done.tag == TAG_PTY)
        return refused(t, CM_REFUSED_PTY, ev->chan, 0, none);
    if (ev->done.tag == TAG_COMMAND)
        return refused(t, CM_REFUSED_COMMAND, ev->chan, 0, none);
    return ERR_NONE;
}

/* ---- forwards ---- */

enum err direct_open(struct transport *t, const struct cm_message *m)
{
    const struct cm_direct *d = &m->u.direct;
    struct channel_open o = {.type = OPEN_DIRECT_TCPIP, .host = d->host, .port = d->port, .origin = d->origin,
                             .origin_port = d->origin_port};
    uint32_t chan;
    enum err e = t->authenticated ? chan_open(t->conn, &o, &chan) : ERR_STATE;
    if (e) {
        close(m->fds[0]);
        return e == ERR_AGAIN || e == ERR_BUDGET ? ERR_NONE : e;
    }
    t->channels++;
    chan_set_user(t->conn, chan, (void *)(intptr_t)(m->fds[0] + 1));
    return ERR_NONE;
}

static enum err open_refuse(struct transport *t, uint32_t question, uint32_t reason, struct bytes text)
{
    struct answer a = {.type = ANSWER_NO, .reason = reason, .data = text};
    return conn_answer(t->conn, question, &a);
}

/* A server that opens what nobody asked for: worth a line. */
static enum err unasked(struct transport *t, const struct event *ev)
{
    const struct channel_open *o = &ev->open;
    if (o->type == OPEN_AUTH_AGENT) {
        report_line(t, 0, "Warning: ssh server tried agent forwarding.\r\n");
        report_line(t, 0, "Warning: this is probably a break-in attempt by a malicious server.\r\n");
    }
    return open_refuse(t, ev->question, o->type == OPEN_OTHER ? OPEN_UNKNOWN_TYPE : OPEN_PROHIBITED, BYTES_LIT("not requested"));
}

enum err forward_ask(struct transport *t, const struct event *ev)
{
    const struct channel_open *o = &ev->open;
    size_t i = 0;
    bool agent = o->type == OPEN_AUTH_AGENT;
    char name[64];
    report_line(t, 1, "client_input_channel_open: ctype %s", escape_str(o->name, name, sizeof name));
    if (agent ? !t->agent_asked : o->type != OPEN_FORWARDED_TCPIP || t->listens == 0)
        return unasked(t, ev);
    while (i < ASKED_MAX && t->asked[i].question)
        i++;
    if (i == ASKED_MAX || o->host.n > CM_NAME_MAX || o->origin.n > CM_NAME_MAX)
        return open_refuse(t, ev->question, OPEN_RESOURCE, BYTES_LIT("too many"));
    t->asked[i].question = ev->question;
    t->asked[i].chan = ev->chan;
    t->asked[i].timeout_s = agent ? t->agent_timeout_s : wish(t)->forwarded_timeout_s;
    struct cm_agent_open a = {(uint32_t)i};
    if (agent)
        return cm_send(t->ctl, CM_AGENT_OPEN, &a, NULL, 0);
    struct cm_forward_open f = {(uint32_t)i, o->port, o->origin_port, o->host, o->origin};
    return cm_send(t->ctl, CM_FORWARD_OPEN, &f, NULL, 0);
}

enum err forward_answer(struct transport *t, const struct cm_message *m)
{
    const struct cm_forward_to *f = &m->u.forward_to;
    if (f->id >= ASKED_MAX || !t->asked[f->id].question || (f->ok != 0) != (m->fd_count == 1))
        return ERR_STATE;
    uint32_t question = t->asked[f->id].question, chan = t->asked[f->id].chan;
    t->asked[f->id].question = 0;
    if (!f->ok)
        return open_refuse(t, question, f->reason, f->text);
    struct answer yes = {.type = ANSWER_YES};
    struct pump_ends ends = {.sink = m->fds[0], .source = m->fds[0], .sink_err = -1, .source_err = -1, .kind = PUMP_FD_SOCKET};
    TRY(conn_answer(t->conn, question, &yes));
    t->channels++;
    silence_begin(t, chan, t->asked[f->id].timeout_s);
    return pump_attach(t->pump, chan, &ends);
}

void forward_half(struct transport *t, uint32_t chan, uint8_t which)
{
    bool session = chan == t->chan && wish(t)->kind != CM_STDIO_FORWARD;
    if (chan >= CHANNELS_MAX || session)
        return;
    t->half[chan] |= which;
    if (t->half[chan] == (HALF_OURS | HALF_PEER))
        chan_close(t->conn, chan);
}

/* ---- escapes ---- */

static void list_channels(struct transport *t)
{
    report_line(t, 0, "The following connections are open:\r\n  #%u client-session\r\n  %u channels in all\r\n", t->chan,
                t->channels);
}

static enum err suspend(struct transport *t)
{
    struct cm_none none = {0};
    struct cm_message m;
    TRY(cm_send(t->ctl, CM_SUSPEND, &none, NULL, 0));
    return ask_take(t, CM_RESUME, &m);
}

static enum err escape_do(struct transport *t, enum escape_act act)
{
    struct channel_request brk = {.type = REQ_BREAK, .number = 1000};
    unsigned char mark = t->escape.mark;
    switch (act) {
    case ESCAPE_QUIT: report_line(t, 0, "%c.\r\n", mark); return ERR_BY_APPLICATION;
    case ESCAPE_SUSPEND: report_line(t, 0, "%c^Z [suspend ssh]\r\n", mark); return suspend(t);
    case ESCAPE_HELP: report_line(t, 0, "%c?\r\n%s", mark, escape_help()); break;
    case ESCAPE_LIST: report_line(t, 0, "%c#\r\n", mark); list_channels(t); break;
    case ESCAPE_BREAK: report_line(t, 0, "%cB\r\n", mark); return chan_request(t->conn, t->chan, &brk, 0);
    case ESCAPE_REKEY: return conn_rekey(t->conn);
    case ESCAPE_MORE:
    case ESCAPE_LESS:
        return report_verbosity(t, act == ESCAPE_MORE);
    case ESCAPE_UNKNOWN: report_line(t, 0, "%c%c: not supported\r\n", mark, t->escape.unknown); break;
    case ESCAPE_NONE: break;
    }
    return ERR_NONE;
}

enum err session_escape(struct transport *t)
{
    enum escape_act act;
    struct escape *e = &t->escape;
    if (e->carry_n > 0) {
        struct span room = chan_reserve(t->conn, t->chan, STREAM_DATA);
        if (room.n >= e->carry_n) {
            memcpy(room.p, e->carry, e->carry_n);
            chan_commit(t->conn, t->chan, STREAM_DATA, e->carry_n);
            e->carry_n = 0;
        } else if (room.n > 0) {
            chan_commit(t->conn, t->chan, STREAM_DATA, 0);
        }
    }
    while ((act = escape_next(e)) != ESCAPE_NONE) {
        enum err err = escape_do(t, act);
        if (err != ERR_AGAIN)
            TRY(err);
    }
    return ERR_NONE;
}

/* ServerAliveInterval: a question into every silence; too many in a row without a sign of life end it. */
enum err session_alive(struct transport *t, uint64_t now_us)
{
    struct global_request g = {.type = GLOBAL_KEEPALIVE, .want_reply = true};
    uint64_t seen = conn_facts(t->conn)->packets_in;
    if (t->alive_us == 0 || !t->authenticated)
        return ERR_NONE;
    if (seen != t->packets_seen) {
        t->packets_seen = seen;
        t->unanswered = 0;
        t->alive_at = now_us + t->alive_us;
    } else if (now_us >= t->alive_at) {
        if (t->unanswered++ >= wish(t)->alive_max)
            return ERR_TIMEOUT;
        enum err e = conn_global(t->conn, &g, TAG_ALIVE);
        if (e != ERR_AGAIN && e != ERR_BUDGET)
            TRY(e);
        t->alive_at = now_us + t->alive_us;
    }
    wake_at(t, t->alive_at);
    return ERR_NONE;
}
