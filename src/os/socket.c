/* SPDX-License-Identifier: ISC */
#include "os/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LISTEN_BACKLOG 128      /* as OpenSSH; the kernel bounds it by somaxconn */

static const struct address address_unknown = {.text = "UNKNOWN", .port = 65535, .family = AF_UNSPEC};

static void address_in6(const struct sockaddr_in6 *in6, struct address *a)
{
    a->port = ntohs(in6->sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        a->family = AF_INET;
        inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], a->text, sizeof a->text);
        return;
    }
    a->family = AF_INET6;
    inet_ntop(AF_INET6, &in6->sin6_addr, a->text, sizeof a->text);
    char name[IF_NAMESIZE];
    if (in6->sin6_scope_id != 0 && if_indextoname(in6->sin6_scope_id, name)) {
        size_t n = strlen(a->text);
        snprintf(a->text + n, sizeof a->text - n, "%%%s", name);
    }
}

void address_from(const struct sockaddr *sa, socklen_t len, struct address *out)
{
    struct address a = address_unknown;
    if (len >= sizeof(struct sockaddr_in) && sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof in);
        a.family = AF_INET, a.port = ntohs(in.sin_port);
        inet_ntop(AF_INET, &in.sin_addr, a.text, sizeof a.text);
    } else if (len >= sizeof(struct sockaddr_in6) && sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof in6);
        address_in6(&in6, &a);
    }
    *out = a;
}

void address_peer(int sock, struct address *out)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    *out = address_unknown;
    if (getpeername(sock, (struct sockaddr *)&ss, &len) == 0) address_from((struct sockaddr *)&ss, len, out);
}

void address_local(int sock, struct address *out)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    *out = address_unknown;
    if (getsockname(sock, (struct sockaddr *)&ss, &len) == 0) address_from((struct sockaddr *)&ss, len, out);
}

static int listen_one(const struct addrinfo *ai, const char **failed)
{
    int on = 1, sock = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    *failed = "socket";
    if (sock < 0) return -1;
    setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (ai->ai_family == AF_INET6) setsockopt(sock, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    *failed = "Bind";
    if (bind(sock, ai->ai_addr, ai->ai_addrlen) == 0) {
        *failed = "listen";
        if (listen(sock, LISTEN_BACKLOG) == 0) return sock;
    }
    int saved = errno;
    close(sock);
    errno = saved;
    return -1;
}

size_t listen_open(const char *host, const char *port, int family, int *socks, size_t cap,
                   void (*each)(const struct address *where, int sock, const char *failed))
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list = NULL;
    size_t n = 0;
    int gai = getaddrinfo(host, port, &hints, &list);
    if (gai != 0) {
        each(&address_unknown, -1, gai_strerror(gai));
        return 0;
    }
    for (struct addrinfo *ai = list; ai && n < cap; ai = ai->ai_next) {
        struct address where;
        const char *failed = NULL;
        address_from(ai->ai_addr, ai->ai_addrlen, &where);
        if (where.family == AF_UNSPEC) continue;
        int sock = listen_one(ai, &failed);
        each(&where, sock, failed);
        if (sock >= 0) socks[n++] = sock;
    }
    freeaddrinfo(list);
    return n;
}

void socket_nodelay(int sock)
{
    int on = 1;
    (void)setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void socket_keepalive(int sock)
{
    int on = 1;
    (void)setsockopt(sock, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}
