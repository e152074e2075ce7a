/* SPDX-License-Identifier: ISC */
#include "face.h"

#include "base/text.h"

#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/message.h"

static struct face_chan *chan_of(struct face *f, uint32_t chan)
{
    return chan < CHANS_MAX ? &f->chans[chan] : NULL;
}

/* ---- opening ---- */

static void open_refuse(struct face *f, uint32_t question, uint32_t reason, const char *text)
{
    const struct answer a = {.type = ANSWER_NO, .reason = reason, .data = bytes_str(text)};
    (void)!conn_answer(f->conn, question, &a);
}

static bool chan_take(struct face *f, uint32_t chan, enum chan_kind kind, uint32_t timeout_s)
{
    struct face_chan *c = chan_of(f, chan);
    if (!c) return false;
    *c = (struct face_chan){.kind = (uint8_t)kind, .master = -1, .pending = -1};
    face_limits_opened(f, chan, timeout_s);
    return true;
}

static void open_session(struct face *f, const struct event *ev)
{
    if (f->sessions >= f->policy.max_sessions || !chan_take(f, ev->chan, CHAN_SESSION, f->policy.session_timeout_s)) {
        open_refuse(f, ev->question, OPEN_PROHIBITED, "open failed");
        return;
    }
    f->sessions++;
    face_answer(f, ev->question, true);
}

static void open_direct(struct face *f, const struct event *ev)
{
    struct ask_connect *a = &face_ask_out.CONNECT;
    if (ev->open.host.n >= sizeof a->host || !chan_take(f, ev->chan, CHAN_FORWARD, f->policy.direct_timeout_s)) {
        open_refuse(f, ev->question, OPEN_CONNECT_FAILED, "bad target");
        return;
    }
    memset(a, 0, sizeof *a);
    a->type = ASK_CONNECT, a->question = ev->question, a->port = ev->open.port, a->origin_port = ev->open.origin_port;
    FIELD_SET(a, host, ev->open.host);
    FIELD_SET(a, origin, ev->open.origin);
    f->chans[ev->chan].question = ev->question;     /* so that the socket finds its channel */
    face_ask(f, a);
}

static void open_ask(struct face *f, const struct event *ev)
{
    if (ev->open.type == OPEN_SESSION) open_session(f, ev);
    else if (ev->open.type == OPEN_DIRECT_TCPIP) open_direct(f, ev);
    else open_refuse(f, ev->question, OPEN_UNKNOWN_TYPE, "unknown channel type");
}

static bool attach_socket(struct face *f, uint32_t chan, int fd)
{
    const struct pump_ends ends = {.sink = fd, .sink_err = -1, .source = fd, .source_err = -1, .kind = PUMP_FD_SOCKET};
    if (pump_attach(f->pump, chan, &ends) == ERR_NONE) return true;
    close(fd);
    chan_close(f->conn, chan);
    return false;
}

void face_connected(struct face *f, const struct say_connected *say, int fd)
{
    uint32_t chan = 0;
    while (chan < CHANS_MAX && (f->chans[chan].kind != CHAN_FORWARD || f->chans[chan].question != say->question)) chan++;
    if (chan == CHANS_MAX || !say->ok || fd < 0) {
        if (fd >= 0) close(fd);
        open_refuse(f, say->question, say->reason ? say->reason : OPEN_CONNECT_FAILED, say->text);
        if (chan < CHANS_MAX) f->chans[chan] = (struct face_chan){.master = -1, .pending = -1};
        return;
    }
    const struct answer a = {.type = ANSWER_YES};
    f->chans[chan].question = 0;
    if (conn_answer(f->conn, say->question, &a) == ERR_NONE) (void)attach_socket(f, chan, fd);
    else close(fd);
}

/* ---- remote forwards ---- */

static void listen_ask(struct face *f, const struct event *ev)
{
    struct ask_listen a = {.type = ev->global.type == GLOBAL_TCPIP_FORWARD ? ASK_LISTEN : ASK_CANCEL, .question = ev->question, .port = ev->global.port};
    if (ev->global.host.n >= sizeof a.host) {
        face_answer(f, ev->question, false);
        return;
    }
    f->listen_port_asked = a.type == ASK_LISTEN ? ev->global.port : 1;
    FIELD_SET(&a, host, ev->global.host);
    face_ask(f, &a);
}

/* RFC 4254 7.1: the port is told only when it was left to us. */
void face_listening(struct face *f, const struct say_listening *say)
{
    uint8_t port[4];
    put_u32(port, say->port);
    struct answer a = {.type = say->ok ? ANSWER_YES : ANSWER_NO};
    if (say->ok && f->listen_port_asked == 0) a.data = bytes_of(port, sizeof port);
    if (say->question != 0) (void)!conn_answer(f->conn, say->question, &a);
}

void face_accepted(struct face *f, const struct say_accepted *say, int fd)
{
    const struct channel_open open = {.type = OPEN_FORWARDED_TCPIP, .host = bytes_str(say->host), .port = say->port,
                                      .origin = bytes_str(say->origin), .origin_port = say->origin_port};
    const struct channel_open agent = {.type = OPEN_AUTH_AGENT, .name = f->agent_by_rfc ? BYTES_LIT("agent-connect") : (struct bytes){0}};
    uint32_t chan, timeout_s = say->agent ? f->policy.agent_timeout_s : f->policy.forwarded_timeout_s;
    if (fd < 0) return;
    if (chan_open(f->conn, say->agent ? &agent : &open, &chan) != ERR_NONE || !chan_take(f, chan, CHAN_FORWARD, timeout_s)) {
        close(fd);
        return;
    }
    f->chans[chan].pending = fd;
}

static void open_confirmed(struct face *f, const struct event *ev)
{
    struct face_chan *c = chan_of(f, ev->chan);
    if (!c || c->pending < 0) return;
    int fd = c->pending;
    c->pending = -1;
    (void)attach_socket(f, ev->chan, fd);
}

static void chan_gone(struct face *f, uint32_t chan)
{
    struct face_chan *c = chan_of(f, chan);
    if (!c || c->kind == CHAN_FREE) return;
    if (c->pending >= 0) close(c->pending);
    face_files_end(f, chan);
    if (c->kind == CHAN_SESSION) {
        const struct ask_close a = {.type = ASK_CLOSE, .chan = chan};
        f->sessions--;
        face_ask(f, &a);
    }
    *c = (struct face_chan){.master = -1, .pending = -1};
    f->unused_since_us = clock_us();
    face_qos(f);
}

/* ---- requests on a session ---- */

static void request_pty(struct face *f, const struct event *ev)
{
    const struct channel_request *r = &ev->request;
    struct ask_pty *a = &face_ask_out.PTY;
    memset(a, 0, sizeof *a);
    a->type = ASK_PTY, a->question = ev->question, a->chan = ev->chan;
    a->cols = r->cols, a->rows = r->rows, a->xpixels = r->xpixels, a->ypixels = r->ypixels;
    FIELD_SET(a, term, r->text);
    FIELD_SET(a, modes, r->value);
    face_ask(f, a);
}

static void request_env(struct face *f, const struct event *ev)
{
    struct ask_env *a = &face_ask_out.ENV;
    if (ev->request.text.n > sizeof a->name || ev->request.value.n > sizeof a->value) {
        face_answer(f, ev->question, false);
        return;
    }
    memset(a, 0, sizeof *a);
    a->type = ASK_ENV, a->question = ev->question, a->chan = ev->chan;
    FIELD_SET(a, name, ev->request.text);
    FIELD_SET(a, value, ev->request.value);
    face_ask(f, a);
}

static void request_start(struct face *f, const struct event *ev)
{
    static const uint32_t kinds[] = {[REQ_SHELL] = ASK_SHELL, [REQ_EXEC] = ASK_EXEC, [REQ_SUBSYSTEM] = ASK_SUBSYSTEM};
    struct bytes command = ev->request.type == REQ_SHELL ? (struct bytes){0} : ev->request.text;
    if (command.n > ASK_COMMAND_BIG) {
        face_answer(f, ev->question, false);
        return;
    }
    struct ask_start *a = &face_ask_out.START;       /* both forms begin alike */
    bool small = command.n <= ASK_COMMAND;
    memset(a, 0, sizeof *a);
    a->type = small ? ASK_START : ASK_START_BIG, a->chan = ev->chan, a->kind = kinds[ev->request.type];
    a->question = ev->question ? ev->question : QUESTION_START;
    a->command_n = (uint32_t)command.n;
    if (command.n > 0) memcpy(face_ask_out.START_BIG.command, command.p, command.n);
    face_ask(f, a);
    /* Some (dbclient) want no answer and send their input right behind: it must find the program's descriptors. With an answer
     * owed, the conn opens no further packet by itself. */
    f->start_pending = ev->question == 0;
    while (f->start_pending) {
        if (message_wait(f->chan, UINT64_MAX) != ERR_NONE) _exit(0);
        face_hear(f);
    }
}

static void request_signal(struct face *f, const struct event *ev)
{
    struct ask_signal a = {.type = ASK_SIGNAL, .question = ev->question, .chan = ev->chan};
    if (ev->request.text.n > sizeof a.name) {
        face_answer(f, ev->question, false);
        return;
    }
    FIELD_SET(&a, name, ev->request.text);
    face_ask(f, &a);
}

static void request_agent(struct face *f, const struct event *ev)
{
    const struct ask_agent a = {.type = ASK_AGENT, .question = ev->question, .chan = ev->chan};
    f->agent_by_rfc = bytes_is(ev->request.name, "agent-req");
    face_ask(f, &a);
}

/* The terminal is in our hands: its size and a break need nobody's leave. */
static void request_terminal(struct face *f, const struct event *ev)
{
    const struct face_chan *c = &f->chans[ev->chan];
    const struct channel_request *r = &ev->request;
    const struct winsize size = {.ws_row = (unsigned short)r->rows, .ws_col = (unsigned short)r->cols, .ws_xpixel = (unsigned short)r->xpixels,
                                 .ws_ypixel = (unsigned short)r->ypixels};
    bool there = c->master >= 0 && !c->ended, done = false;
    if (there && r->type == REQ_WINDOW_CHANGE) done = ioctl(c->master, TIOCSWINSZ, &size) == 0;
    if (there && r->type == REQ_BREAK) done = ioctl(c->master, TCSBRK, 0) == 0;
    face_answer(f, ev->question, done);
}

static void request_take(struct face *f, const struct event *ev)
{
    struct face_chan *c = chan_of(f, ev->chan);
    char name[64];
    face_line(f, 1, "server_input_channel_req: channel %u request %s reply %d", ev->chan, escape_str(ev->request.name, name, sizeof name),
              ev->request.want_reply);
    if (!c || c->kind != CHAN_SESSION) {
        face_answer(f, ev->question, false);
        return;
    }
    switch (ev->request.type) {
    case REQ_PTY: request_pty(f, ev); return;
    case REQ_ENV: request_env(f, ev); return;
    case REQ_SHELL: case REQ_EXEC: case REQ_SUBSYSTEM: request_start(f, ev); return;
    case REQ_SIGNAL: request_signal(f, ev); return;
    case REQ_AUTH_AGENT: request_agent(f, ev); return;
    case REQ_WINDOW_CHANGE: case REQ_BREAK: request_terminal(f, ev); return;
    default: face_answer(f, ev->question, false); return;
    }
}

void face_reply(struct face *f, const struct say_reply *say)
{
    face_answer(f, say->question, say->ok != 0);
}

/* ---- what runs ---- */

static void fds_close(const int fds[3])
{
    for (size_t i = 0; i < 3; i++)
        if (fds[i] >= 0) close(fds[i]);
}

static void started_files(struct face *f, const struct say_started *say, int line)
{
    struct face_chan *c = chan_of(f, say->chan);
    bool good = c && c->kind == CHAN_SESSION && !c->started && line >= 0;
    if (!good && line >= 0) close(line);
    good = good && face_files_begin(f, say->chan, line);
    if (good) {
        c->started = true;
        face_limits_opened(f, say->chan, say->timeout_s);
        chan_close_hold(f->conn, say->chan);
    }
    face_answer(f, say->question, good);
}

void face_started(struct face *f, const struct say_started *say, const int fds[3])
{
    struct face_chan *c = chan_of(f, say->chan);
    if (say->files) {
        started_files(f, say, fds[0]);
        return;
    }
    struct pump_ends ends = {.sink = fds[0], .sink_err = -1, .source = fds[1], .source_err = fds[2], .kind = PUMP_FD_NONBLOCK,
                             .hold_eof = true};
    if (say->pty) ends.source = fds[0], ends.source_err = -1, ends.is_pty = true;
    if (!c || c->kind != CHAN_SESSION || c->started || fds[0] < 0 || pump_attach(f->pump, say->chan, &ends) != ERR_NONE) {
        fds_close(fds);
        face_answer(f, say->question, false);
        return;
    }
    c->started = true, c->has_pty = say->pty != 0;
    face_limits_opened(f, say->chan, say->timeout_s);
    face_qos(f);
    chan_close_hold(f->conn, say->chan);        /* until face_exit() */
    if (say->pty) c->master = fds[0];
    face_answer(f, say->question, true);
}

/* RFC 4254 6.10 and the order of ARCHITECTURE 2, law 8: the status when the child was reaped, EOF when its last writer closed, CLOSE
 * after both. A forward is over when both directions are. */
static void close_when_over(struct face *f, uint32_t chan)
{
    const struct face_chan *c = &f->chans[chan];
    bool over = c->kind == CHAN_SESSION ? c->exited && c->ended : c->kind == CHAN_FORWARD && c->ended && c->peer_ended;
    if (over) chan_close(f->conn, chan);
}

static void peer_eof(struct face *f, uint32_t chan)
{
    struct face_chan *c = chan_of(f, chan);
    if (!c) return;
    c->peer_ended = true;
    if (c->files) face_files_peer_eof(f, chan);
    close_when_over(f, chan);
}

static void eof_leave(struct face *f, uint32_t chan)
{
    f->chans[chan].eof_at_us = 0;
    chan_eof(f->conn, chan);
}

/* A command's end shows here first, by its pipes, and a moment later by the warden's word. Peers like plink and dbclient close the
 * channel at EOF and so would miss the status: EOF waits for it, but not for long, as a command may close its output and live on. */
enum { EOF_GRACE_US = 100000 };

void face_sources_ended(struct face *f, uint32_t chan)
{
    struct face_chan *c = chan_of(f, chan);
    if (!c) return;
    c->ended = true, c->master = -1;
    if (c->kind == CHAN_SESSION && !c->exited) {
        c->eof_at_us = clock_us() + EOF_GRACE_US;
        face_alarm(f);
        return;
    }
    if (c->kind == CHAN_SESSION) eof_leave(f, chan);
    close_when_over(f, chan);
}

uint64_t face_eof_due(struct face *f, uint64_t now_us)
{
    uint64_t next = UINT64_MAX;
    for (uint32_t i = 0; i < CHANS_MAX; i++) {
        const struct face_chan *c = &f->chans[i];
        if (c->eof_at_us && c->eof_at_us <= now_us) eof_leave(f, i);
        if (c->eof_at_us && c->eof_at_us < next) next = c->eof_at_us;
    }
    return next;
}

void face_exit(struct face *f, const struct say_exit *say)
{
    static char names[8][sizeof say->signal];       /* must outlive the call; sessions that end by a signal at once are few */
    static unsigned turn;
    struct face_chan *c = chan_of(f, say->chan);
    if (!c || c->kind != CHAN_SESSION || c->exited) return;
    c->exited = true;
    if (say->by_signal) {
        char *name = names[turn++ % COUNT_OF(names)];
        memcpy(name, say->signal, sizeof say->signal);
        name[sizeof say->signal - 1] = 0;
        chan_exit_signal(f->conn, say->chan, name, say->core != 0);
    } else {
        chan_exit_status(f->conn, say->chan, say->status);
    }
    /* A terminal ends with its shell, as OpenSSH has it; pipes end when the last program that writes to them does. */
    if (c->master >= 0) pump_finish(f->pump, say->chan);
    if (c->eof_at_us) eof_leave(f, say->chan);
    close_when_over(f, say->chan);
}

/* The peer has enough: the pump let go of all ends, which hangs up a terminal. What runs may end in its own time, as OpenSSH lets it. */
static void peer_closed(struct face *f, uint32_t chan)
{
    struct face_chan *c = chan_of(f, chan);
    if (!c) return;
    face_files_end(f, chan);
    c->ended = true, c->master = -1;
    close_when_over(f, chan);
}

/* ---- events ---- */

static void global_take(struct face *f, const struct event *ev)
{
    switch (ev->global.type) {
    case GLOBAL_TCPIP_FORWARD: case GLOBAL_CANCEL_TCPIP_FORWARD: listen_ask(f, ev); return;
    case GLOBAL_HOSTKEYS_PROVE: face_prove(f, ev); return;
    default: face_answer(f, ev->question, ev->global.type == GLOBAL_NO_MORE_SESSIONS); return;
    }
}

/* Data for a session in which nothing runs: nobody will ever take it, but its window must not stay shut. */
static void data_take(struct face *f, const struct event *ev)
{
    const struct face_chan *c = chan_of(f, ev->chan);
    if (c && c->files) face_files_data(f, ev->chan, ev->data.bytes);
    else chan_consumed(f->conn, ev->chan, ev->data.bytes.n);
}

void face_channel_event(struct face *f, const struct event *ev)
{
    switch (ev->type) {
    case EV_CHANNEL_OPEN: open_ask(f, ev); return;
    case EV_CHANNEL_OPENED: open_confirmed(f, ev); return;
    case EV_CHANNEL_REFUSED: case EV_CHANNEL_CLOSED: chan_gone(f, ev->chan); return;
    case EV_CHANNEL_EOF: peer_eof(f, ev->chan); return;
    case EV_CHANNEL_PEER_CLOSED: peer_closed(f, ev->chan); return;
    case EV_CHANNEL_REQUEST: request_take(f, ev); return;
    case EV_GLOBAL_REQUEST: global_take(f, ev); return;
    case EV_CHANNEL_DATA: data_take(f, ev); return;
    default: return;
    }
}
