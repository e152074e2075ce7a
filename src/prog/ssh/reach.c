/* SPDX-License-Identifier: ISC */
/* Getting a connected descriptor: TCP, or what a ProxyCommand makes. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/connect.h"
#include "os/message.h"
#include "os/spawn.h"
#include "ui.h"

static void connect_note(const char *line)
{
    debug1("%s", line);
}

static void connect_complain(const char *line)
{
    say(CONF_LOG_ERROR, "%s", line);
}

static void reach_tcp(void)
{
    static const int families[] = {[CONF_AF_ANY] = AF_UNSPEC, [CONF_AF_INET] = AF_INET, [CONF_AF_INET6] = AF_INET6};
    const struct ssh_conf *c = ui.conf;
    int tos = ui.pty ? c->ipqos.interactive : c->ipqos.bulk;
    struct connect_plan plan = {
        .host = c->hostname, .port = (uint16_t)c->port, .family = families[c->address_family], .bind_address = c->bind_address,
        .bind_interface = c->bind_interface, .timeout_s = c->connect_timeout_s > 0 ? (unsigned)c->connect_timeout_s : 0,
        .attempts = c->connection_attempts, .keepalive = c->tcp_keep_alive, .tos = tos == CONF_TOS_NONE ? -1 : tos, .note = connect_note,
        .complain = connect_complain};
    struct connected to;
    enum connect_stage stage;
    char why[256];
    if (connect_tcp(&plan, &stage, why, sizeof why, &to) != ERR_NONE) {
        if (stage == CONNECT_RESOLVE)
            fatal("ssh: Could not resolve hostname %.100s: %s", c->hostname, why);
        say(CONF_LOG_ERROR, "ssh: connect to host %s port %u: %s", c->hostname, c->port, why);
        leave(EXIT_OWN_ERROR);
    }
    snprintf(ui.address, sizeof ui.address, "%s", to.address);
    struct cm_socket s = {1};
    link_send(CM_SOCKET, &s, &to.fd, 1);
    close(to.fd);           /* the transport's alone: its end is the connection's end */
}

/* ---- ProxyCommand ---- */

struct proxy {
    const char *shell, *command;
    int in, out;                /* its standard input and output */
};

static int proxy_run(void *arg)
{
    const struct proxy *p = arg;
    int keep[] = {p->in, p->out, STDERR_FILENO};
    spawn_signals_default();
    if (spawn_keep_fds(keep, 3) != ERR_NONE)
        return 127;
    execl(p->shell, p->shell, "-c", p->command, (char *)NULL);
    return 127;
}

/* A connected socket comes from the command itself (ProxyUseFdpass). */
static int passed_socket(int fd)
{
    char byte[16];
    struct message m;
    while (1) {
        enum err e = message_recv(fd, byte, sizeof byte, true, &m);
        if (e == ERR_AGAIN)
            continue;
        if (e != ERR_NONE || m.fd_count != 1)
            fatal("proxy dialer did not pass back a connection");
        return m.fd[0];
    }
}

/* Two pipes, as OpenSSH makes them: a server run as the command tells its address by them. Our ends do not block. */
static int run_piped(struct proxy *p, int ends[2])
{
    int to[2], from[2];
    pid_t pid;
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
        fatal("Could not create pipes to communicate with the proxy: %m");
    p->in = to[0], p->out = from[1];
    if (spawn_call(proxy_run, p, &pid) != ERR_NONE)
        fatal("fork failed: %m");
    close(to[0]), close(from[1]);
    ends[0] = from[0], ends[1] = to[1];
    for (int i = 0; i < 2; i++)
        if (fcntl(ends[i], F_SETFL, O_NONBLOCK) != 0)
            fatal("fcntl: %m");
    return 2;
}

static int run_passing(struct proxy *p, int ends[2])
{
    int pair[2];
    pid_t pid;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        fatal("Could not create socketpair to communicate with proxy dialer: %m");
    p->in = p->out = pair[1];
    if (spawn_call(proxy_run, p, &pid) != ERR_NONE)
        fatal("fork failed: %m");
    close(pair[1]);
    ends[0] = passed_socket(pair[0]);
    close(pair[0]);
    return 1;
}

static void reach_proxy(const char *template)
{
    struct wr command = wr_heap(65536);
    const char *bad = NULL, *shell = getenv("SHELL");
    bool passes = ui.conf->proxy_use_fdpass;
    int ends[2];
    wr_text(&command, "exec ");
    if (token_expand(template, token_set_proxy, &ui.tokens, 0, ui.world, &command, &bad) != ERR_NONE)
        fatal("ProxyCommand: %s", bad ? bad : "cannot be expanded");
    wr_u8(&command, 0);
    if (command.err)
        fatal("ProxyCommand too long");
    debug1("Executing proxy command: %s", (const char *)command.p);
    struct proxy p = {.shell = shell && *shell ? shell : "/bin/sh", .command = (const char *)command.p};
    int n = passes ? run_passing(&p, ends) : run_piped(&p, ends);
    struct cm_socket s = {passes};
    link_send(CM_SOCKET, &s, ends, (size_t)n);
    for (int i = 0; i < n; i++)
        close(ends[i]);
    ui.proxied = true;
    wr_clear(&command);
}

void reach(void)
{
    ui.port = (uint16_t)ui.conf->port;
    if (ui.conf->proxy_command)
        reach_proxy(ui.conf->proxy_command);
    else
        reach_tcp();
}
