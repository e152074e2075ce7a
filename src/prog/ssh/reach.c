/* SPDX-License-Identifier: ISC */
/* Getting a connected descriptor: TCP, what a ProxyCommand makes, or another ssh that jumps over the hosts of ProxyJump. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/destination.h"
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
    const char *file;           /* what to execute */
    const char *const *argv;
    int in, out;                /* its standard input and output */
};

static int proxy_run(void *arg)
{
    const struct proxy *p = arg;
    int keep[] = {p->in, p->out, STDERR_FILENO};
    spawn_signals_default();
    if (spawn_keep_fds(keep, 3) != ERR_NONE)
        return 127;
    union { const char *const *words; char *const *exec; } argv = {.words = p->argv};     /* execv() changes none */
    execv(p->file, argv.exec);
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
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
        fatal("Could not create pipes to communicate with the proxy: %m");
    p->in = to[0], p->out = from[1];
    if (spawn_call(proxy_run, p, &ui.proxy) != ERR_NONE)
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
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        fatal("Could not create socketpair to communicate with proxy dialer: %m");
    p->in = p->out = pair[1];
    if (spawn_call(proxy_run, p, &ui.proxy) != ERR_NONE)
        fatal("fork failed: %m");
    close(pair[1]);
    ends[0] = passed_socket(pair[0]);
    close(pair[0]);
    return 1;
}

/* Run it, and its ends are the transport's connection. */
static void proxy_start(struct proxy *p, bool passes)
{
    int ends[2], n = passes ? run_passing(p, ends) : run_piped(p, ends);
    struct cm_socket s = {passes};
    link_send(CM_SOCKET, &s, ends, (size_t)n);
    for (int i = 0; i < n; i++)
        close(ends[i]);
    ui.proxied = true;
}

static void reach_proxy(const char *template)
{
    struct wr command CLEANUP(wr_clear) = wr_heap(65536);
    const char *bad = NULL, *shell = getenv("SHELL");
    wr_text(&command, "exec ");
    if (token_expand(template, token_set_proxy, &ui.tokens, 0, ui.world, &command, &bad) != ERR_NONE)
        fatal("ProxyCommand: %s", bad ? bad : "cannot be expanded");
    wr_u8(&command, 0);
    if (command.err)
        fatal("ProxyCommand too long");
    debug1("Executing proxy command: %s", (const char *)command.p);
    if (!shell || !*shell)
        shell = "/bin/sh";
    const char *argv[] = {shell, "-c", (const char *)command.p, NULL};
    struct proxy p = {.file = shell, .argv = argv};
    proxy_start(&p, ui.conf->proxy_use_fdpass);
}

/* ---- ProxyJump ---- */

#define JUMP_WORDS 16

struct words {
    const char *v[JUMP_WORDS + 1];
    size_t n;
};

static void words_add(struct words *w, const char *option, const char *value)
{
    if (w->n + 2 > JUMP_WORDS)
        fatal("ProxyJump: too many words");
    w->v[w->n++] = option;
    if (value)
        w->v[w->n++] = value;
}

/* hops: all of them; the last is who connects to our host, those before it are its own affair. */
static struct bytes hop_last(struct bytes hops, struct bytes *before)
{
    size_t at = hops.n;
    while (at > 0 && hops.p[at - 1] != ',')
        at--;
    *before = bytes_of(hops.p, at ? at - 1 : 0);
    return bytes_of(hops.p + at, hops.n - at);
}

static void loop_check(const struct destination *hop)
{
    const struct ssh_conf *c = ui.conf;
    uint32_t port = hop->port ? hop->port : 22;
    if (strcmp(hop->host, c->hostname) == 0 && port == c->port && (!hop->user[0] || strcmp(hop->user, c->user) == 0))
        fatal("jumphost loop via %s", hop->host);
}

static void jump_show(const struct words *w)
{
    struct wr line CLEANUP(wr_clear) = wr_heap(65536);
    for (size_t i = 0; i < w->n; i++)
        wr_textf(&line, "%s%s", i ? " " : "", w->v[i]);
    debug1("Setting implicit ProxyCommand from ProxyJump: %.*s", (int)line.n, (const char *)line.p);
}

/* Our own program once more, with -W to the host, on the last hop. It is started by its words, not through a shell. */
static void reach_jump(const char *hops)
{
    static struct destination hop;
    static char port[16], target[DESTINATION_HOST_MAX + 16], dashes[] = "-vvv";
    struct words w = {{"ssh"}, 1};
    struct bytes before, last = hop_last(bytes_str(hops), &before);
    CLEANUP(wr_clear) struct wr extra = wr_heap(65536);
    if (destination_parse_hop(last, &hop) != ERR_NONE)
        fatal("Invalid ProxyJump \"%s\"", hops);
    loop_check(&hop);
    snprintf(port, sizeof port, "%u", hop.port);
    snprintf(target, sizeof target, "[%s]:%u", ui.conf->hostname, ui.conf->port);
    wr_raw(&extra, before);
    wr_u8(&extra, 0);
    if (extra.err)
        fatal("ProxyJump too long");
    if (hop.user[0]) words_add(&w, "-l", hop.user);
    if (hop.port) words_add(&w, "-p", port);
    if (before.n) words_add(&w, "-J", (const char *)extra.p);
    if (ui.config_file) words_add(&w, "-F", ui.config_file);
    if (ui.verbosity) {
        dashes[1 + (ui.verbosity < 3 ? ui.verbosity : 3)] = '\0';
        words_add(&w, dashes, NULL);
    }
    words_add(&w, "-W", target);
    words_add(&w, "--", hop.host);
    jump_show(&w);
    struct proxy p = {.file = "/proc/self/exe", .argv = w.v};
    proxy_start(&p, false);
}

void reach(void)
{
    ui.port = (uint16_t)ui.conf->port;
    link_deadline(ui.conf->connect_timeout_s > 0 ? (unsigned)ui.conf->connect_timeout_s : 0);
    if (ui.conf->proxy_command)
        reach_proxy(ui.conf->proxy_command);
    else if (ui.conf->proxy_jump)
        reach_jump(ui.conf->proxy_jump);
    else
        reach_tcp();
}
