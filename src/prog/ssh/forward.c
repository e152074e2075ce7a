/* SPDX-License-Identifier: ISC */
/* -L, -R and the agent. Sockets are made here, where the user's rights are; the transport gets them connected. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/connect.h"
#include "os/message.h"
#include "os/process.h"
#include "os/spawn.h"
#include "ui.h"

#define LISTENERS_MAX 64
#define DIALS_MAX (FORWARD_FDS_MAX - LISTENERS_MAX)

static struct {
    int fd;
    const struct conf_forward *forward;
} listeners[LISTENERS_MAX];
static size_t listener_count;
static uint32_t *remote_ports;      /* what the server listens on, one a RemoteForward; 0: refused or not yet answered */

bool forward_wanted(void)
{
    return ui.conf->local_forward.n + ui.conf->remote_forward.n > 0;
}

/* ---- -L ---- */

static const char *bind_host(const struct conf_forward *f)
{
    if (!f->listen_host)
        return ui.conf->gateway_ports ? "*" : NULL;
    return f->listen_host;
}

static bool listen_one(const struct conf_forward *f)
{
    static const int families[] = {[CONF_AF_ANY] = AF_UNSPEC, [CONF_AF_INET] = AF_INET, [CONF_AF_INET6] = AF_INET6};
    int fds[8];
    size_t n = COUNT_OF(fds);
    char why[256];
    if (f->listen_path || f->connect_path) {
        say(CONF_LOG_ERROR, "socket file forwarding is not supported");
        return false;
    }
    if (n > LISTENERS_MAX - listener_count)
        n = LISTENERS_MAX - listener_count;
    debug1("Local connections to %s:%u forwarded to remote address %s:%u", bind_host(f) ? bind_host(f) : "LOCALHOST", f->listen_port,
           f->connect_host, f->connect_port);
    if (n == 0 || listen_tcp(bind_host(f), f->listen_port, families[ui.conf->address_family], why, sizeof why, fds, &n) != ERR_NONE) {
        say(CONF_LOG_ERROR, "bind [%s]:%u: %s", bind_host(f) ? bind_host(f) : "127.0.0.1", f->listen_port, why);
        say(CONF_LOG_ERROR, "channel_setup_fwd_listener_tcpip: cannot listen to port: %u", f->listen_port);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        listeners[listener_count].fd = fds[i];
        listeners[listener_count++].forward = f;
        debug1("Local forwarding listening on port %u.", f->listen_port);
    }
    return true;
}

static void accept_one(size_t i)
{
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    char address[64] = "127.0.0.1", port[16] = "0";
    int got = accept4(listeners[i].fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);
    if (got < 0)
        return;
    const struct conf_forward *f = listeners[i].forward;
    getnameinfo((struct sockaddr *)&from, len, address, sizeof address, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    debug1("Connection to port %u forwarding to %s port %u requested.", f->listen_port, f->connect_host, f->connect_port);
    struct cm_direct d = {bytes_str(f->connect_host), bytes_str(address), f->connect_port, (uint32_t)strtoul(port, NULL, 10)};
    link_send(CM_DIRECT, &d, &got, 1);
    close(got);
}

/* ---- -R ---- */

/* RFC 4254 7.1: what to bind at the other end. */
static const char *remote_host(const struct conf_forward *f)
{
    if (!f->listen_host)
        return "localhost";
    return strcmp(f->listen_host, "*") == 0 ? "" : f->listen_host;
}

static void listen_remote(void)
{
    const struct conf_forwards *r = &ui.conf->remote_forward;
    remote_ports = calloc(r->n + 1, sizeof *remote_ports);
    if (!remote_ports)
        fatal("out of memory");
    for (size_t i = 0; i < r->n; i++) {
        const struct conf_forward *f = &r->v[i];
        if (f->listen_path || f->connect_path || !f->connect_host) {
            say(CONF_LOG_ERROR, "remote forwarding of this kind is not supported");
            if (ui.conf->exit_on_forward_failure)
                leave(EXIT_OWN_ERROR);
            continue;
        }
        debug1("Remote connections from %s:%u forwarded to local address %s:%u", f->listen_host ? f->listen_host : "LOCALHOST",
               f->listen_port, f->connect_host, f->connect_port);
        struct cm_listen l = {(uint32_t)i, f->listen_port, bytes_str(remote_host(f))};
        link_send(CM_LISTEN, &l, NULL, 0);
    }
}

void forward_listening(const struct cm_listening *l)
{
    const struct conf_forwards *r = &ui.conf->remote_forward;
    if (l->tag >= r->n || remote_ports[l->tag])
        fatal("ssh-transport: LISTENING that was not asked for");
    const struct conf_forward *f = &r->v[l->tag];
    debug1("remote forward %s for: listen %s:%u, connect %s:%u", l->ok ? "success" : "failure",
           f->listen_host ? f->listen_host : "", f->listen_port, f->connect_host, f->connect_port);
    if (l->ok && f->listen_port == 0)
        say(CONF_LOG_INFO, "Allocated port %u for remote forward to %s:%u", l->port, f->connect_host, f->connect_port);
    if (l->ok) {
        remote_ports[l->tag] = f->listen_port ? f->listen_port : l->port;
        return;
    }
    if (ui.conf->exit_on_forward_failure)
        fatal("Error: remote port forwarding failed for listen port %u", f->listen_port);
    say(CONF_LOG_INFO, "Warning: remote port forwarding failed for listen port %u", f->listen_port);
}

/* A connection on its way: a child of ours resolves and connects, so that neither a slow name service nor a slow host keeps the session
 * waiting. It answers with one datagram, and the socket if there is one. */
struct arrival {
    char ok, why[255];
};

static struct dial {
    int fd;                     /* where the child answers; 0: free */
    pid_t pid;
    uint32_t id;                /* the transport's question */
    const struct conf_forward *forward;     /* NULL: to the agent */
} dials[DIALS_MAX];

static void forward_refuse(uint32_t id, uint32_t reason, const char *text)
{
    const struct cm_forward_to a = {.id = id, .reason = reason, .text = bytes_str(text)};
    link_send(CM_FORWARD_TO, &a, NULL, 0);
}

static NORETURN void dial_child(const struct conf_forward *f, int answer)
{
    struct arrival a = {0};
    struct connected to = {.fd = -1};
    enum connect_stage stage;
    /* It ends with us, and holds nothing of ours: who reads our output waits for its end. */
    int null = open("/dev/null", O_RDWR);
    spawn_signals_default();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || null < 0)
        _exit(1);
    for (int i = 0; i <= STDERR_FILENO; i++)
        (void)dup2(null, i);
    if (fds_close_except(&answer, 1) != ERR_NONE)
        _exit(1);
    if (f) {
        const struct connect_plan plan = {.host = f->connect_host, .port = f->connect_port, .attempts = 1, .tos = -1};
        a.ok = connect_tcp(&plan, &stage, a.why, sizeof a.why, &to) == ERR_NONE;
    } else {
        a.ok = agent_forward_connect(&to.fd) == ERR_NONE;
    }
    _exit(message_send(answer, &a, sizeof a, &to.fd, (size_t)a.ok, true) != ERR_NONE);
}

static bool dial_start(struct dial *d, uint32_t id, const struct conf_forward *f)
{
    int pair[2];
    if (message_pair(pair) != ERR_NONE)
        return false;
    pid_t pid = fork();
    if (pid == 0)
        dial_child(f, pair[1]);
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return false;
    }
    *d = (struct dial){.fd = pair[0], .pid = pid, .id = id, .forward = f};
    return true;
}

static void dial_done(struct dial *d)
{
    struct arrival a;
    struct message m = {0};
    int status;
    struct cm_forward_to yes = {.id = d->id, .ok = 1};
    enum err e = message_recv(d->fd, &a, sizeof a, false, &m);
    if (e == ERR_AGAIN)
        return;
    bool whole = e == ERR_NONE && m.n == sizeof a;
    if (whole && a.ok && m.fd_count == 1) {
        link_send(CM_FORWARD_TO, &yes, m.fd, 1);
    } else {
        if (d->forward)
            say(CONF_LOG_INFO, "connect_to %.100s port %u: failed.", d->forward->connect_host, d->forward->connect_port);
        else
            debug1("client_request_agent: no connection to the agent");
        a.why[sizeof a.why - 1] = '\0';
        forward_refuse(d->id, 2, whole ? a.why : "failure");
    }
    message_close_fds(&m);
    close(d->fd);
    (void)!child_wait(d->pid, &status);
    *d = (struct dial){0};
}

static void dial(uint32_t id, const struct conf_forward *f)
{
    size_t free_one = 0;
    while (free_one < DIALS_MAX && dials[free_one].fd)
        free_one++;
    if (free_one == DIALS_MAX || !dial_start(&dials[free_one], id, f))
        forward_refuse(id, 4, "too many connections on their way");
}

void forward_agent(const struct cm_agent_open *o)
{
    if (ui.conf->forward_agent)
        dial(o->id, NULL);
    else
        forward_refuse(o->id, 1, "not requested");
}

/* Only what we asked for, and only to where the user said. */
void forward_connect(const struct cm_forward_open *o)
{
    const struct conf_forwards *r = &ui.conf->remote_forward;
    const struct conf_forward *f = NULL;
    for (size_t i = 0; i < r->n && remote_ports; i++)
        if (remote_ports[i] && remote_ports[i] == o->port)
            f = &r->v[i];
    if (!f) {
        say(CONF_LOG_ERROR, "WARNING: Server requests forwarding for unknown listen_port %u", o->port);
        forward_refuse(o->id, 1, "unknown listening port");
        return;
    }
    dial(o->id, f);
}

/* ---- both ---- */

size_t forward_fds(int fds[FORWARD_FDS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < listener_count; i++)
        fds[n++] = listeners[i].fd;
    for (size_t i = 0; i < DIALS_MAX; i++)
        if (dials[i].fd)
            fds[n++] = dials[i].fd;
    return n;
}

void forward_ready(int fd)
{
    for (size_t i = 0; i < listener_count; i++)
        if (listeners[i].fd == fd)
            accept_one(i);
    for (size_t i = 0; i < DIALS_MAX; i++)
        if (dials[i].fd == fd)
            dial_done(&dials[i]);
}

void forward_listen(void)
{
    const struct conf_forwards *l = &ui.conf->local_forward;
    bool any = false, all = true;
    for (size_t i = 0; i < l->n; i++) {
        bool ok = listen_one(&l->v[i]);
        any |= ok;
        all &= ok;
    }
    if (!all && ui.conf->exit_on_forward_failure)
        fatal("Could not request local forwarding.");
    if (l->n > 0 && !any)
        say(CONF_LOG_ERROR, "Could not request local forwarding.");
    listen_remote();
}
