/* SPDX-License-Identifier: ISC */
/* -L and -R. Sockets are made here, where the user's rights are; the transport gets them connected. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/connect.h"
#include "ui.h"

#define LISTENERS_MAX 64

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

size_t forward_fds(int *fds, size_t cap)
{
    size_t n = listener_count < cap ? listener_count : cap;
    for (size_t i = 0; i < n; i++)
        fds[i] = listeners[i].fd;
    return n;
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

void forward_accept(int fd)
{
    size_t i = 0;
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    char address[64] = "127.0.0.1", port[16] = "0";
    while (i < listener_count && listeners[i].fd != fd)
        i++;
    int got = i < listener_count ? accept4(fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC) : -1;
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

/* Only what we asked for, and only to where the user said. */
void forward_connect(const struct cm_forward_open *o)
{
    const struct conf_forwards *r = &ui.conf->remote_forward;
    struct cm_forward_to a = {.id = o->id, .reason = 1, .text = BYTES_LIT("unknown listening port")};
    const struct conf_forward *f = NULL;
    struct connected to;
    enum connect_stage stage;
    char why[256];
    for (size_t i = 0; i < r->n && remote_ports; i++)
        if (remote_ports[i] && remote_ports[i] == o->port)
            f = &r->v[i];
    if (!f) {
        say(CONF_LOG_ERROR, "WARNING: Server requests forwarding for unknown listen_port %u", o->port);
        link_send(CM_FORWARD_TO, &a, NULL, 0);
        return;
    }
    struct connect_plan plan = {.host = f->connect_host, .port = f->connect_port, .attempts = 1, .tos = -1};
    if (connect_tcp(&plan, &stage, why, sizeof why, &to) != ERR_NONE) {
        say(CONF_LOG_INFO, "connect_to %.100s port %u: failed.", f->connect_host, f->connect_port);
        a.reason = 2;
        a.text = bytes_str(why);
        link_send(CM_FORWARD_TO, &a, NULL, 0);
        return;
    }
    a.ok = 1;
    link_send(CM_FORWARD_TO, &a, &to.fd, 1);
    close(to.fd);
}

/* ---- both ---- */

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
