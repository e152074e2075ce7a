/* SPDX-License-Identifier: ISC */
/* After login: sessions and forwards. The warden starts what runs as the user and hands its descriptors to the face. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/parse.h"
#include "os/process.h"
#include "sshd/warden.h"

#define START_MS 20000

static void reply(struct warden *w, uint32_t question, bool ok)
{
    const struct say_reply say = {.type = SAY_REPLY, .question = question, .ok = ok};
    if (question != 0) warden_say(w, &say, NULL, 0);
}

/* ---- the table ---- */

static struct warden_session *session_find(struct warden *w, uint32_t chan)
{
    for (size_t i = 0; i < w->session_count; i++)
        if (w->sessions[i]->chan == chan && !w->sessions[i]->closed) return w->sessions[i];
    return NULL;
}

/* Also makes one; NULL: MaxSessions, or no memory. */
static struct warden_session *session_get(struct warden *w, uint32_t chan)
{
    struct warden_session *s = session_find(w, chan);
    size_t open = 0;
    if (s) return s;
    for (size_t i = 0; i < w->session_count; i++) open += !w->sessions[i]->closed;
    if (open >= w->conf->max_sessions || w->session_count >= CHANNELS_MAX) return NULL;
    if (w->session_count == w->session_cap) {
        size_t cap = w->session_cap ? w->session_cap * 2 : 4;
        struct warden_session **grown = realloc(w->sessions, cap * sizeof(struct warden_session *));
        if (!grown) return NULL;
        w->sessions = grown, w->session_cap = cap;
    }
    s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->chan = chan;
    s->session = (struct session){.pidfd = -1, .master = -1, .sink = -1, .source = -1, .source_err = -1, .files = -1};
    return w->sessions[w->session_count++] = s;
}

static void session_forget(struct warden *w, struct warden_session *s)
{
    size_t i = 0;
    auth_info_remove(&w->account, s->auth_info);
    while (i < w->session_count && w->sessions[i] != s) i++;
    if (i == w->session_count) return;
    w->sessions[i] = w->sessions[--w->session_count];
    session_env_done(&s->env);
    free(s);
}

void warden_title(struct warden *w)
{
    struct session running[16];
    char text[256];
    size_t n = 0;
    for (size_t i = 0; i < w->session_count && n < COUNT_OF(running); i++)
        if (w->sessions[i]->started && w->sessions[i]->session.pid > 0) running[n++] = w->sessions[i]->session;
    session_title(&w->account, running, n, text, sizeof text);
    title_set("%s", text);
}

/* ---- before the start ---- */

void warden_pty(struct warden *w, const struct ask_pty *ask)
{
    struct bounded term = FIELD(ask, term), modes = FIELD(ask, modes);
    if (term.err != ERR_NONE || modes.err != ERR_NONE) warden_guilt(w, "PTY", ERR_FORMAT);
    struct warden_session *s = session_get(w, ask->chan);
    bool ok = s && !s->started && !s->has_pty && session_pty_check(w->conf, w->options) == VERDICT_GOOD;
    if (ok) ok = bytes_to_str(term.b, s->pty.term, sizeof s->pty.term) == ERR_NONE;
    if (ok) {
        s->has_pty = true;
        s->pty.cols = ask->cols, s->pty.rows = ask->rows, s->pty.width_px = ask->xpixels, s->pty.height_px = ask->ypixels;
        s->pty.modes_n = field_set(s->pty.modes, sizeof s->pty.modes, modes.b);
    }
    reply(w, ask->question, ok);
}

void warden_env(struct warden *w, const struct ask_env *ask)
{
    char name[sizeof ask->name + 1], value[sizeof ask->value + 1];
    struct bounded n = FIELD(ask, name), v = FIELD(ask, value);
    if (n.err != ERR_NONE || v.err != ERR_NONE) warden_guilt(w, "ENV", ERR_FORMAT);
    struct warden_session *s = session_get(w, ask->chan);
    bool ok = s && !s->started && bytes_to_str(n.b, name, sizeof name) == ERR_NONE && bytes_to_str(v.b, value, sizeof value) == ERR_NONE;
    if (ok) ok = session_env_add(&s->env, w->conf, name, value) == ERR_NONE;
    reply(w, ask->question, ok);
}

/* ---- the start ---- */

static void start_log(const struct warden *w, const struct warden_session *s, uint32_t kind, const char *command)
{
    char text[256];
    static const char *const kinds[] = {[ASK_SHELL] = "shell", [ASK_EXEC] = "command", [ASK_SUBSYSTEM] = "subsystem"};
    escape_str(bytes_str(command), text, sizeof text);
    log_line(LOG_LEVEL_VERBOSE, "Starting session: %s%s%s%s%s for %s from %s port %u id %u", s->session.forced ? "forced-command" : kinds[kind],
             kind == ASK_SUBSYSTEM ? " '" : "", kind == ASK_SUBSYSTEM ? text : "", kind == ASK_SUBSYSTEM ? "'" : "",
             s->session.tty[0] ? " on pty" : "", w->user, w->link.client_addr, w->link.client_port, s->chan);
    log_line(LOG_LEVEL_VERBOSE, "User child is on pid %ld", (long)s->session.pid);
}

/* The face reads and writes without waiting. These ends are descriptions of their own, nobody else's view of them changes. */
static void nonblock(int fd)
{
    int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
    if (flags >= 0) (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* ChannelTimeout names a session by what the client asked for, whatever was forced in its place. */
static uint32_t timeout_of(const struct warden *w, uint32_t kind, const char *command)
{
    static const char *const names[] = {[ASK_SHELL] = "session:shell", [ASK_EXEC] = "session:command", [ASK_SUBSYSTEM] = "session:subsystem:"};
    char type[300];
    snprintf(type, sizeof type, "%s%s", names[kind], kind == ASK_SUBSYSTEM ? command : "");
    return conf_channel_timeout_s(&w->conf->channel_timeout, type, "session");
}

static void started(struct warden *w, struct warden_session *s, uint32_t question, uint32_t timeout_s)
{
    const struct say_started say = {.type = SAY_STARTED, .question = question, .chan = s->chan, .pty = s->session.master >= 0,
                                    .files = s->session.files >= 0, .timeout_s = timeout_s};
    const int pipes[3] = {s->session.sink, s->session.source, s->session.source_err};
    const int *fds = say.files ? &s->session.files : say.pty ? &s->session.master : pipes;
    size_t n = say.files || say.pty ? 1 : 3;
    for (size_t i = 0; i < n && !say.files; i++) nonblock(fds[i]);
    s->started = true;
    warden_say(w, &say, fds, n);
    session_ends_close(&s->session);
}

void warden_start_session(struct warden *w, uint32_t question, uint32_t chan, uint32_t kind, struct bytes command)
{
    static const enum session_kind kinds[] = {[ASK_SHELL] = SESSION_SHELL, [ASK_EXEC] = SESSION_EXEC, [ASK_SUBSYSTEM] = SESSION_SUBSYSTEM};
    struct warden_session *s = session_get(w, chan);
    if (kind >= COUNT_OF(kinds)) warden_guilt(w, "START", ERR_FORMAT);
    char *text = s && !s->started ? bytes_dup_str(command) : NULL;
    if (!text) {
        reply(w, question, false);
        return;
    }
    if (w->conf->expose_auth_info && auth_info_write(&w->account, wr_bytes(&w->auth_info), s->auth_info) != ERR_NONE)
        log_line(LOG_LEVEL_ERROR, "cannot write the file of ExposeAuthInfo for %s", w->user);
    const struct session_spec spec = {
        .account = &w->account, .conf = w->conf, .options = w->options, .link = &w->link, .env = &s->env, .kind = kinds[kind], .command = text,
        .pty = s->has_pty ? &s->pty : NULL, .timeout_ms = START_MS, .change_password = w->change_password, .log_fd = log_fd(),
        .auth_info = s->auth_info[0] ? s->auth_info : NULL, .agent_path = w->hand.agent[0] ? w->hand.agent : NULL};
    enum err e = session_start(&spec, &s->session);
    session_env_done(&s->env);
    s->env = (struct session_env){0};
    if (e == ERR_NONE) {
        started(w, s, question, timeout_of(w, kind, text));
        start_log(w, s, kind, text);
        warden_title(w);
    } else {
        log_line(LOG_LEVEL_INFO, "session for %s could not be started: %s", w->user, e == ERR_SYSTEM ? strerror(errno) : err_text(e));
        reply(w, question, false);
    }
    free(text);
}

void warden_signal(struct warden *w, const struct ask_signal *ask)
{
    char name[sizeof ask->name + 1];
    struct bounded n = FIELD(ask, name);
    if (n.err != ERR_NONE) warden_guilt(w, "SIGNAL", n.err);
    const struct warden_session *s = session_find(w, ask->chan);
    bool ok = s && s->started && s->session.pid > 0 && bytes_to_str(n.b, name, sizeof name) == ERR_NONE;
    reply(w, ask->question, ok && session_signal(&s->session, &w->account, name) == ERR_NONE);
}

/* ---- the end ---- */

void warden_reap(struct warden *w, struct warden_session *s)
{
    struct session_exit end = {0};
    if (session_reap(&s->session, &w->account, &end) != ERR_NONE) return;
    struct say_exit say = {.type = SAY_EXIT, .chan = s->chan, .by_signal = end.by_signal, .status = end.status, .core = end.core};
    memcpy(say.signal, end.signal, sizeof end.signal);
    if (s->closed) session_forget(w, s);
    else warden_say(w, &say, NULL, 0);
    warden_title(w);
}

/* The channel is gone; with it the face's end of terminal or pipes, which tells whatever still runs. It is kept until it ends. */
void warden_close(struct warden *w, const struct ask_close *ask)
{
    struct warden_session *s = session_find(w, ask->chan);
    if (!s) return;
    log_line(LOG_LEVEL_VERBOSE, "Close session: user %s from %s port %u id %u", w->user, w->link.client_addr, w->link.client_port, s->chan);
    s->closed = true;
    if (!s->started || s->session.pid == 0) session_forget(w, s);
}

void warden_sessions_end(struct warden *w)
{
    for (size_t i = 0; i < w->session_count; i++) auth_info_remove(&w->account, w->sessions[i]->auth_info);
    for (size_t i = 0; i < w->session_count; i++)
        if (w->sessions[i]->started && w->sessions[i]->session.pid > 0) session_close(&w->sessions[i]->session, &w->account);
    if (w->hand_used) hand_close(&w->hand, &w->account);
}

/* ---- forwards: the hand opens them as the user ---- */

static void connect_refuse(struct warden *w, uint32_t question, uint32_t reason, const char *text)
{
    struct say_connected say = {.type = SAY_CONNECTED, .question = question, .reason = reason};
    snprintf(say.text, sizeof say.text, "%s", text);
    warden_say(w, &say, NULL, 0);
}

void warden_connect(struct warden *w, const struct ask_connect *ask)
{
    enum { PROHIBITED = 1, CONNECT_FAILED = 2 };        /* RFC 4254 5.1 */
    char host[HAND_HOST_MAX], shown[HAND_HOST_MAX];
    struct bounded h = FIELD(ask, host);
    if (h.err != ERR_NONE || ask->origin_n > sizeof ask->origin) warden_guilt(w, "CONNECT", ERR_FORMAT);
    if (ask->port == 0 || ask->port > 65535 || bytes_to_str(h.b, host, sizeof host) != ERR_NONE) {
        connect_refuse(w, ask->question, CONNECT_FAILED, "bad target");
        return;
    }
    if (w->change_password || forward_open_check(w->conf, w->options, host, ask->port) != VERDICT_GOOD) {
        log_line(LOG_LEVEL_INFO, "Received request from %s port %u to connect to host %s port %u, but the request was denied.", w->link.client_addr,
                 w->link.client_port, escape_str(h.b, shown, sizeof shown), ask->port);
        connect_refuse(w, ask->question, PROHIBITED, "open failed");
        return;
    }
    w->hand_used = true;
    enum err e = hand_connect(&w->hand, &w->account, w->conf, ask->question, host, (uint16_t)ask->port);
    if (e != ERR_NONE) connect_refuse(w, ask->question, CONNECT_FAILED, err_text(e));
}

static void listening(struct warden *w, uint32_t question, bool ok, uint32_t port)
{
    const struct say_listening say = {.type = SAY_LISTENING, .question = question, .ok = ok, .port = port};
    warden_say(w, &say, NULL, 0);
}

void warden_listen(struct warden *w, const struct ask_listen *ask)
{
    char host[HAND_HOST_MAX];
    struct bounded h = FIELD(ask, host);
    if (h.err != ERR_NONE) warden_guilt(w, "LISTEN", h.err);
    bool ok = ask->port <= 65535 && !w->change_password && bytes_to_str(h.b, host, sizeof host) == ERR_NONE &&
              forward_listen_check(w->conf, w->options, &w->account, host, ask->port) == VERDICT_GOOD;
    if (ok) {
        w->hand_used = true;
        enum err e = ask->type == ASK_LISTEN ? hand_listen(&w->hand, &w->account, w->conf, ask->question, host, (uint16_t)ask->port)
                                             : hand_cancel(&w->hand, ask->question, host, (uint16_t)ask->port);
        ok = e == ERR_NONE;
    }
    if (!ok) listening(w, ask->question, false, 0);
}

/* One socket serves all sessions of the connection, whichever of them asked for it. */
void warden_agent(struct warden *w, const struct ask_agent *ask)
{
    const struct warden_session *s = session_get(w, ask->chan);
    bool ok = s && !s->started && !w->change_password && forward_agent_check(w->conf, w->options) == VERDICT_GOOD;
    if (!ok) log_line(LOG_LEVEL_VERBOSE, "agent forwarding for %s refused", w->user);
    if (!ok || w->hand.agent[0]) {
        reply(w, ask->question, ok);
        return;
    }
    w->hand_used = true;
    enum err e = w->agent_question ? ERR_STATE : hand_agent(&w->hand, &w->account, ask->question);
    if (e == ERR_NONE) w->agent_question = ask->question ? ask->question : UINT32_MAX;
    else reply(w, ask->question, false);
}

/* True: the news were about the agent's socket, and the face has its answer. */
static bool agent_answered(struct warden *w, const struct hand_news *n)
{
    bool stands = n->what == HAND_AGENT_STANDS;
    if (!stands && (n->what != HAND_REFUSED || w->agent_question == 0 || (n->tag != w->agent_question && n->tag != 0))) return false;
    if (!stands) log_line(LOG_LEVEL_INFO, "no socket for the forwarded agent of %s: %s", w->user, n->text);
    else log_line(LOG_LEVEL_DEBUG1, "agent forwarding for %s at %s", w->user, w->hand.agent);
    uint32_t question = w->agent_question == UINT32_MAX ? 0 : w->agent_question;
    w->agent_question = 0;
    reply(w, question, stands);
    return true;
}

static void agent_accepted(struct warden *w, const struct hand_news *n)
{
    const struct say_accepted say = {.type = SAY_ACCEPTED, .agent = 1};
    warden_say(w, &say, &n->fd, 1);
}

static void accepted(struct warden *w, const struct hand_news *n)
{
    struct say_accepted say = {.type = SAY_ACCEPTED, .port = n->port, .origin_port = n->origin_port};
    snprintf(say.host, sizeof say.host, "%s", n->host);
    snprintf(say.origin, sizeof say.origin, "%s", n->origin_host);
    warden_say(w, &say, &n->fd, 1);
}

static void news(struct warden *w, const struct hand_news *n)
{
    struct say_connected connected = {.type = SAY_CONNECTED, .question = n->tag, .ok = 1};
    char peer[512];
    if (agent_answered(w, n)) return;
    switch (n->what) {
    case HAND_NOTHING: case HAND_AGENT_STANDS: return;
    case HAND_AGENT_ACCEPTED: agent_accepted(w, n); return;
    case HAND_CONNECTED: warden_say(w, &connected, &n->fd, 1); return;
    case HAND_LISTENING: listening(w, n->tag, true, n->port); return;
    case HAND_CLOSED: listening(w, n->tag, true, 0); return;
    case HAND_REFUSED: connect_refuse(w, n->tag, 2, n->text); return;
    case HAND_ACCEPTED: accepted(w, n); return;
    case HAND_GONE:
        log_line(LOG_LEVEL_ERROR, "the process that opens forwards for %s ended", warden_peer(w, peer, sizeof peer));
        warden_exit(w, WARDEN_FAILED);
    }
}

void warden_hand_read(struct warden *w)
{
    struct hand_news n = {.fd = -1};
    if (hand_receive(&w->hand, &w->account, &n) != ERR_NONE) return;
    news(w, &n);
    if (n.fd >= 0) close(n.fd);
}
