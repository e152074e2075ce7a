/* SPDX-License-Identifier: ISC */
/* The listener: accepts, admits, pairs a warden with a face. It reads nothing that a peer sent. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/log.h"
#include "os/message.h"
#include "os/process.h"
#include "os/spawn.h"
#include "sshd/report.h"
#include "sshd/server.h"

#define LISTEN_MAX 64

static int socks[LISTEN_MAX];
static size_t sock_count;
static uint32_t serial;
static unsigned long dropped;
static bool throttled;

/* ---- sockets ---- */

static void listen_said(const struct address *where, int sock, const char *failed)
{
    if (sock >= 0) log_line(LOG_LEVEL_INFO, "Server listening on %s port %u.", where->text, where->port);
    else log_line(LOG_LEVEL_ERROR, "%s to port %u on %s failed: %s.", failed, where->port, where->text, strerror(errno));
}

static void listen_all(const struct sshd_conf *conf)
{
    static const int families[] = {[CONF_AF_ANY] = AF_UNSPEC, [CONF_AF_INET] = AF_INET, [CONF_AF_INET6] = AF_INET6};
    for (size_t i = 0; i < conf->listen.n && sock_count < LISTEN_MAX; i++) {
        char port[8];
        snprintf(port, sizeof port, "%u", conf->listen.v[i].port);
        sock_count += listen_open(conf->listen.v[i].address, port, families[conf->address_family], socks + sock_count, LISTEN_MAX - sock_count,
                                  listen_said);
    }
}

static void title(const struct server *s)
{
    char args[160] = "";
    size_t n = 0;
    for (char **a = s->options.argv; *a && n < sizeof args; a++) n += (size_t)snprintf(args + n, sizeof args - n, "%s%s", a == s->options.argv ? "" : " ", *a);
    title_set("%s [listener] %zu of %u-%u startups", args, admit_count(), s->conf->max_startups.begin, s->conf->max_startups.full);
}

/* ---- a connection ---- */

/* Face first, so that it starts while the warden is forked. */
static pid_t connection_start(struct server *s, int in, int out, const struct address *from)
{
    int pair[2];
    if (message_pair(pair) != ERR_NONE) return -1;
    pid_t pid = -1;
    enum err e = nursery_give(s, pair[1], in, out);
    close(pair[1]);
    if (e == ERR_NONE) pid = fork();
    if (pid == 0) {
        for (size_t i = 0; i < sock_count; i++) close(socks[i]);
        const struct warden_start start = {.chan = pair[0], .in = in, .from = *from, .serial = serial};
        warden_run(s, &start);
    }
    close(pair[0]);
    if (pid < 0) log_line(LOG_LEVEL_ERROR, "cannot serve a connection: %s", e == ERR_NONE ? strerror(errno) : err_text(e));
    return pid;
}

static void drop(int sock, const struct address *from, const char *why, bool penalty)
{
    static const char penalised[] = "Not allowed at this time\r\n", full[] = "Exceeded MaxStartups\r\n";
    struct address at;
    address_local(sock, &at);
    const char *text = penalty ? penalised : full;
    (void)!send(sock, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (!throttled && !penalty) log_line(LOG_LEVEL_INFO, "beginning MaxStartups throttling");
    throttled = throttled || !penalty;
    log_line(penalty ? LOG_LEVEL_INFO : LOG_LEVEL_VERBOSE, "drop connection #%zu from [%s]:%u on [%s]:%u %s", admit_count(), from->text, from->port, at.text,
             at.port, why);
    dropped++;
}

static void accept_one(struct server *s, int listening)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    struct address from;
    bool penalty;
    int sock = accept4(listening, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC);
    if (sock < 0) {
        if (errno == EMFILE || errno == ENFILE) log_line(LOG_LEVEL_ERROR, "accept: %s", strerror(errno));
        return;
    }
    address_from((struct sockaddr *)&ss, len, &from);
    const char *why = admit_check(s->conf, &from, &penalty);
    if (why) {
        drop(sock, &from, why, penalty);
        close(sock);
        return;
    }
    if (throttled && admit_count() == 0) {
        log_line(LOG_LEVEL_INFO, "exited MaxStartups throttling, %lu connections dropped", dropped);
        throttled = false, dropped = 0;
    }
    socket_nodelay(sock);
    if (s->conf->tcp_keep_alive) socket_keepalive(sock);
    serial++;
    pid_t pid = connection_start(s, sock, sock, &from);
    if (pid > 0) admit_begin(pid, serial, &from, s->conf);
    close(sock);
}

/* ---- children ---- */

static void reap(struct server *s)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (admit_end(pid, status, s->conf)) continue;
        if (pid == keys_pid()) keys_restart(s);
        else if (!nursery_reap(s, pid, status) && WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGTERM)
            nursery_renew(s, WTERMSIG(status));
    }
}

static void report_read(struct server *s)
{
    struct report r;
    struct message m;
    if (message_recv(s->report_line[0], &r, sizeof r, false, &m) != ERR_NONE) return;
    message_close_fds(&m);
    if (m.n == sizeof r) admit_authenticated(r.serial);
}

/* ---- signals ---- */

/* The same program by name, with the same arguments: a new file or configuration takes over; sessions live on. */
NORETURN static void restart(struct server *s)
{
    char path[4096];
    log_line(LOG_LEVEL_INFO, "Received SIGHUP; restarting.");
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n > 0) {
        static const char gone[] = " (deleted)";        /* replaced: the name stands for the new file */
        path[n] = 0;
        size_t cut = (size_t)n - (sizeof gone - 1);
        if ((size_t)n > sizeof gone && strcmp(path + cut, gone) == 0) path[cut] = 0;
        setenv("NACRE_SSHD_RESTARTED", "1", 1);
        spawn_signals_default();
        execv(path, s->options.argv);
    }
    log_fatal("RESTART FAILED: av[0]='%.100s', error: %.100s.", s->options.argv[0], strerror(errno));
}

/* 0: go on; else the exit status + 1. */
static int signal_take(struct server *s, int signal)
{
    switch (signal) {
    case SIGCHLD: reap(s); return 0;
    case SIGHUP: restart(s);
    case SIGTERM: case SIGINT: case SIGQUIT:
        log_line(LOG_LEVEL_INFO, "Received signal %d; terminating.", signal);
        if (s->conf->pid_file && !s->options.inetd) unlink(s->conf->pid_file);
        helpers_stop();
        return signal == SIGTERM ? 1 : 256;
    default: return 0;
    }
}

static int signals_begin(void)
{
    static const int wanted[] = {SIGCHLD, SIGHUP, SIGTERM, SIGINT, SIGQUIT};
    int fd;
    if (signals_open(wanted, COUNT_OF(wanted), &fd) != ERR_NONE) log_fatal("signalfd: %s", strerror(errno));
    return fd;
}

/* ---- the loops ---- */

int listener_run(struct server *s, void (*ready)(void))
{
    struct pollfd p[LISTEN_MAX + 3];
    int signals = signals_begin();
    listen_all(s->conf);
    if (sock_count == 0) log_fatal("Cannot bind any address.");
    ready();
    for (;;) {
        title(s);
        p[0] = (struct pollfd){.fd = signals, .events = POLLIN};
        p[1] = (struct pollfd){.fd = s->report_line[0], .events = POLLIN};
        p[2] = (struct pollfd){.fd = nursery_spare_fd(), .events = POLLIN};
        for (size_t i = 0; i < sock_count; i++) p[3 + i] = (struct pollfd){.fd = socks[i], .events = POLLIN};
        uint64_t us = helpers_patience_us(s);
        const struct timespec t = clock_span(us);
        if (ppoll(p, 3 + sock_count, us == UINT64_MAX ? NULL : &t, NULL) < 0) continue;
        helpers_tend(s);
        if (p[1].revents) report_read(s);
        if (p[2].revents) nursery_read(s);
        if (p[0].revents) {
            int status = signal_take(s, signals_next(signals));
            if (status) return status - 1;
        }
        for (size_t i = 0; i < sock_count; i++)
            if (p[3 + i].revents) accept_one(s, socks[i]);
    }
}

int listener_single(struct server *s, int in, int out)
{
    struct address from;
    int signals = signals_begin(), status;
    address_peer(in, &from);
    pid_t warden = connection_start(s, in, out, &from);
    if (warden < 0) return 255;
    close(in);
    if (out != in) close(out);
    for (;;) {
        struct pollfd p = {.fd = signals, .events = POLLIN};
        if (ppoll(&p, 1, NULL, NULL) < 0) continue;
        int sig = signals_next(signals);
        if (sig == SIGTERM || sig == SIGINT || sig == SIGQUIT || sig == SIGHUP) kill(warden, SIGTERM);
        for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
            if (pid != warden) continue;
            helpers_stop();
            return WIFEXITED(status) && WEXITSTATUS(status) == WARDEN_OK ? 0 : 255;
        }
    }
}

int listener_accept_one(struct server *s)
{
    listen_all(s->conf);
    if (sock_count == 0) log_fatal("Cannot bind any address.");
    for (;;) {
        struct pollfd p[LISTEN_MAX];
        for (size_t i = 0; i < sock_count; i++) p[i] = (struct pollfd){.fd = socks[i], .events = POLLIN};
        if (ppoll(p, sock_count, NULL, NULL) < 0) continue;
        for (size_t i = 0; i < sock_count; i++) {
            int sock = p[i].revents ? accept4(socks[i], NULL, NULL, SOCK_CLOEXEC) : -1;
            if (sock < 0) continue;
            socket_nodelay(sock);
            for (size_t k = 0; k < sock_count; k++) close(socks[k]);
            sock_count = 0;
            return sock;
        }
    }
}
