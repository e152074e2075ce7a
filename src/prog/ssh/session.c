/* SPDX-License-Identifier: ISC */
/* After login: what to run, the terminal, signals, and how it ends. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/parse.h"
#include "modes.h"
#include "os/clock.h"
#include "os/tty.h"
#include "ui.h"

extern char **environ;

enum { KIND_NONBLOCK, KIND_SOCKET, KIND_BLOCKING };     /* enum pump_fd_kind */

static volatile sig_atomic_t signalled, resized;
static int tty_fd = -1;
static uint64_t begun_us;

/* ---- the plan ---- */

static bool wants_tty(bool has_command)
{
    int want = ui.conf->request_tty;
    bool tty = !has_command && want != SSH_TTY_NO;
    if (want == SSH_TTY_YES || want == SSH_TTY_FORCE)
        tty = true;
    if (want == SSH_TTY_NO || ui.conf->session_type == SSH_SESSION_NONE)
        return false;
    if ((!isatty(STDIN_FILENO) || ui.conf->stdin_null) && want != SSH_TTY_FORCE) {
        if (tty)
            say(CONF_LOG_INFO, "Pseudo-terminal will not be allocated because stdin is not a terminal.");
        return false;
    }
    return tty;
}

static bool env_sent(const char *entry)
{
    const char *eq = strchr(entry, '=');
    struct bytes name = bytes_of(entry, eq ? (size_t)(eq - entry) : 0);
    bool yes = false;
    for (size_t i = 0; eq && i < ui.conf->send_env.n; i++) {
        const char *pattern = ui.conf->send_env.v[i];
        if (*pattern == '-') {
            if (pattern_match(name, bytes_str(pattern + 1)))
                yes = false;
        } else if (pattern_match(name, bytes_str(pattern))) {
            yes = true;
        }
    }
    return yes;
}

static void env_plan(struct cm_list *env)
{
    for (char **e = environ; *e && env->n < CM_LIST_MAX; e++)
        if (env_sent(*e)) {
            debug1("channel 0: setting env %s", *e);
            env->v[env->n++] = bytes_str(*e);
        }
    for (size_t i = 0; i < ui.conf->set_env.n && env->n < CM_LIST_MAX; i++) {
        debug1("channel 0: setting env %s", ui.conf->set_env.v[i]);
        env->v[env->n++] = bytes_str(ui.conf->set_env.v[i]);
    }
}

/* A description of our own, so that nobody else's gets O_NONBLOCK; or the same one where that cannot be. *kind: how it may be used. */
static int stdio_open(int fd, int *kind)
{
    struct stat st;
    char path[32];
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 && errno == EBADF) {          /* closed: as if empty */
        *kind = KIND_NONBLOCK;
        return open("/dev/null", O_RDWR | O_CLOEXEC);
    }
    if (flags < 0 || fstat(fd, &st) != 0)
        return -1;
    *kind = S_ISSOCK(st.st_mode) ? KIND_SOCKET : S_ISREG(st.st_mode) ? KIND_NONBLOCK : KIND_BLOCKING;
    if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        int own = open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (own >= 0) {
            *kind = KIND_NONBLOCK;
            return own;
        }
    }
    return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* The three descriptors for the transport, and the one kind that is right for all. */
static uint32_t stdio_plan(int fds[3])
{
    int kinds[3];
    if (ui.conf->stdin_null) {
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (null < 0 || dup2(null, STDIN_FILENO) < 0)
            fatal("/dev/null: %m");
        close(null);
    }
    for (int i = 0; i < 3; i++)
        if ((fds[i] = stdio_open(i, &kinds[i])) < 0)
            fatal("dup failed: %m");
    return (uint32_t)(kinds[0] == kinds[1] && kinds[1] == kinds[2] ? kinds[0] : KIND_BLOCKING);
}

static const char *expand_command(void)
{
    static struct wr w;
    const char *bad = NULL;
    if (!ui.conf->remote_command || strcmp(ui.conf->remote_command, "none") == 0)
        return ui.command;
    if (ui.command)
        fatal("Cannot execute command-line and remote command.");
    w = wr_heap(131072);
    if (token_expand(ui.conf->remote_command, token_set_common, &ui.tokens, TOKEN_ENV, ui.world, &w, &bad) != ERR_NONE)
        fatal("RemoteCommand: %s", bad ? bad : "cannot be expanded");
    wr_u8(&w, 0);
    return w.err ? NULL : (const char *)w.p;
}

static void pty_plan(struct cm_session *s, struct wr *modes)
{
    struct termios t;
    struct tty_size size = {0};
    const char *term = getenv("TERM");
    s->pty = 1;
    ui.pty = true;
    s->term = bytes_str(term ? term : "");
    if (tty_size_get(STDIN_FILENO, &size) == ERR_NONE)
        s->cols = size.cols, s->rows = size.rows, s->xpixels = size.xpixels, s->ypixels = size.ypixels;
    if (tty_settings(STDIN_FILENO, &t) == ERR_NONE)
        modes_write(modes, &t);
    else
        wr_u8(modes, 0);
    s->modes = wr_bytes(modes);
    if (ui.conf->escape_char != SSH_ESCAPE_NONE)
        s->escape = (uint32_t)ui.conf->escape_char;
}

static uint32_t kind_plan(const char *command)
{
    if (ui.use_stdio_forward)
        return CM_STDIO_FORWARD;
    if (ui.conf->session_type == SSH_SESSION_NONE)
        return CM_NO_SESSION;
    if (ui.conf->session_type == SSH_SESSION_SUBSYSTEM)
        return CM_SUBSYSTEM;
    return command ? CM_EXEC : CM_SHELL;
}

void session_plan(void)
{
    static struct cm_session s;
    CLEANUP(wr_clear) struct wr modes = wr_heap(TERM_MODES_MAX);
    int fds[SESSION_LANE + 1];
    size_t fd_count = 3;
    const char *command = expand_command();
    if (ui.conf->session_type == SSH_SESSION_SUBSYSTEM && !command) {
        fputs("You must specify a subsystem to invoke.\n", stderr);
        usage();
    }
    if (ui.conf->fork_after_authentication && !command && ui.conf->session_type != SSH_SESSION_NONE)
        fatal("Cannot fork into background without a command to execute.");
    s = (struct cm_session){.kind = kind_plan(command), .command = bytes_str(command), .escape = CM_NO_ESCAPE,
                            .host = bytes_str(ui.stdio_host), .port = ui.stdio_port,
                            .alive_s = (uint32_t)ui.conf->server_alive_interval_s, .alive_max = ui.conf->server_alive_count_max,
                            .session_timeout_s = conf_channel_timeout_s(&ui.conf->channel_timeout, "session", NULL),
                            .direct_timeout_s = conf_channel_timeout_s(&ui.conf->channel_timeout, "direct-tcpip", NULL),
                            .forwarded_timeout_s = conf_channel_timeout_s(&ui.conf->channel_timeout, "forwarded-tcpip", NULL),
                            .global_timeout_s = conf_channel_timeout_s(&ui.conf->channel_timeout, "global", NULL),
                            .obscure_ms = ui.conf->obscure_keystroke_timing_ms, .no_more_sessions = 1, .extras = forward_wanted()};
    if (wants_tty(command != NULL))
        pty_plan(&s, &modes);
    env_plan(&s.env);
    s.fd_kind = stdio_plan(fds);
    if (ui.lane >= 0 && !s.pty && (s.kind == CM_SUBSYSTEM || s.kind == CM_EXEC))
        fds[fd_count++] = ui.lane;
    link_send(CM_SESSION, &s, fds, fd_count);
    for (size_t i = 0; i < fd_count; i++)
        close(fds[i]);
}

/* ---- signals ---- */

static void on_signal(int sig)
{
    if (sig == SIGWINCH)
        resized = 1;
    else
        signalled = sig;
}

static void signals_take(void)
{
    static const int quits[] = {SIGHUP, SIGINT, SIGTERM};
    struct sigaction a = {.sa_handler = on_signal}, old;
    sigset_t block;
    sigemptyset(&block);
    for (size_t i = 0; i < COUNT_OF(quits); i++) {
        sigaction(quits[i], NULL, &old);
        if (old.sa_handler == SIG_IGN)      /* nohup */
            continue;
        sigaction(quits[i], &a, NULL);
        sigaddset(&block, quits[i]);
    }
    sigaction(SIGWINCH, &a, NULL);
    sigaddset(&block, SIGWINCH);
    sigprocmask(SIG_BLOCK, &block, NULL);
}

static void send_size(void)
{
    struct tty_size t;
    if (tty_fd < 0 || tty_size_get(tty_fd, &t) != ERR_NONE)
        return;
    struct cm_winch w = {t.cols, t.rows, t.xpixels, t.ypixels};
    link_send(CM_WINCH, &w, NULL, 0);
}

void session_terminal(bool raw)
{
    static bool was;
    if (!raw)
        was = tty_is_raw();
    if (!raw)
        tty_restore();
    else if (was && tty_raw(tty_fd) != ERR_NONE)
        debug1("tcsetattr: %m");
}

static void suspend(void)
{
    struct cm_none none = {0};
    bool was = tty_is_raw();
    tty_restore();
    kill(getpid(), SIGTSTP);
    if (was && tty_raw(tty_fd) != ERR_NONE)
        debug1("tcsetattr: %m");
    send_size();
    link_send(CM_RESUME, &none, NULL, 0);
}

/* ---- the end ---- */

static NORETURN void finish(const struct cm_end *e)
{
    double s = (double)(clock_us() - begun_us) / 1e6;
    tty_restore();
    if (ui.pty)
        say(CONF_LOG_INFO, "Connection to %.64s closed.", ui.conf->hostname);
    say(CONF_LOG_VERBOSE, "Transferred: sent %llu, received %llu bytes, in %.1f seconds", (unsigned long long)e->bytes_out,
        (unsigned long long)e->bytes_in, s);
    if (s > 0)
        say(CONF_LOG_VERBOSE, "Bytes per second: sent %.1f, received %.1f", (double)e->bytes_out / s, (double)e->bytes_in / s);
    if (ui.use_stdio_forward && !ui.exit_known && !ui.killed) {
        ui.exit_known = true;
        ui.exit_status = 0;
    }
    debug1("Exit status %d", ui.exit_known ? ui.exit_status : -1);
    leave(ui.exit_known ? ui.exit_status : EXIT_OWN_ERROR);
}

static const char *open_reason(uint32_t reason)
{
    static const char *const names[] = {"unknown reason", "administratively prohibited", "connect failed", "unknown channel type",
                                        "resource shortage"};
    return names[reason < COUNT_OF(names) ? reason : 0];
}

static void refused(const struct cm_refused *r)
{
    static const char *const kinds[] = {[CM_SHELL] = "shell", [CM_EXEC] = "exec", [CM_SUBSYSTEM] = "subsystem"};
    switch (r->what) {
    case CM_REFUSED_OPEN:
    case CM_REFUSED_DIRECT:
        say(CONF_LOG_INFO, "channel %u: open failed: %s%s%s", r->chan, open_reason(r->reason), r->text.n ? ": " : "", show(r->text));
        if (r->what == CM_REFUSED_OPEN && ui.use_stdio_forward)
            fatal("stdio forwarding failed");
        break;
    case CM_REFUSED_PTY:
        say(CONF_LOG_INFO, "PTY allocation request failed on channel %u", r->chan);
        tty_restore();
        ui.pty = false;
        break;
    case CM_REFUSED_COMMAND:
        fatal("%s request failed on channel %u", kinds[kind_plan(expand_command())], r->chan);
    default: fatal("ssh-transport: REFUSED out of turn");
    }
}

static void event(const struct cm_message *m)
{
    switch (m->type) {
    case CM_SESSION_OPEN: debug1("Entering interactive session."); break;
    case CM_REFUSED: refused(&m->u.refused); break;
    case CM_EXIT:
        ui.exit_known = !m->u.exit.signalled;
        ui.exit_status = (int)(m->u.exit.status & 0xff);
        break;
    case CM_SUSPEND: suspend(); break;
    case CM_LISTENING: forward_listening(&m->u.listening); break;
    case CM_FORWARD_OPEN: forward_connect(&m->u.forward_open); break;
    case CM_AGENT_OPEN: forward_agent(&m->u.agent_open); break;
    case CM_HOSTKEYS: update_told(&m->u.hostkeys); break;
    case CM_PROVED: update_proved(&m->u.proved); break;
    case CM_END: finish(&m->u.end);
    default: auth_event(m); break;      /* a rekey */
    }
}

/* ---- the loop ---- */

static void background(void)
{
    debug1("forking to background");
    pid_t pid = fork();
    if (pid < 0)
        fatal("daemon() failed: %.200s", strerror(errno));
    if (pid > 0)
        _exit(0);
    setsid();
    int null = open("/dev/null", O_RDWR);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        if (ui.conf->log_level < CONF_LOG_DEBUG1)
            dup2(null, STDERR_FILENO);
        close(null);
    }
}

/* What the transport has now is the transport's: a pipe's other end must see it end. The terminal stays for its settings. */
static void stdio_drop(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (ui.pty && isatty(STDIN_FILENO))
        tty_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        close(null);
    }
}

static void quit(void)
{
    struct cm_none none = {0};
    say(CONF_LOG_VERBOSE, "Killed by signal %d.", (int)signalled);
    ui.exit_known = false;
    ui.killed = true;
    link_send(CM_QUIT, &none, NULL, 0);
    signalled = 0;
}

static void wait_once(void)
{
    struct pollfd p[1 + FORWARD_FDS_MAX] = {{.fd = ui.ctl, .events = POLLIN}};
    int fds[FORWARD_FDS_MAX];
    sigset_t none;
    size_t n = forward_fds(fds);
    sigemptyset(&none);
    for (size_t i = 0; i < n; i++)
        p[i + 1] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    if (ppoll(p, n + 1, NULL, &none) < 0)
        return;
    for (size_t i = 0; i < n; i++)
        if (p[i + 1].revents)
            forward_ready(fds[i]);
    const struct cm_message *m;
    while (p[0].revents && (m = link_poll()) != NULL)
        event(m);
}

void session_run(void)
{
    begun_us = clock_us();
    forward_listen();
    if (ui.conf->fork_after_authentication)
        background();
    signals_take();
    stdio_drop();
    if (ui.pty && tty_fd >= 0 && tty_raw(tty_fd) != ERR_NONE)
        debug1("tcsetattr: %m");
    for (;;) {
        wait_once();
        if (resized) {
            resized = 0;
            send_size();
        }
        if (signalled)
            quit();
    }
}
