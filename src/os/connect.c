/* SPDX-License-Identifier: ISC */
#include "os/connect.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.h"

static void tell(void (*to)(const char *line), const char *fmt, ...) PRINTF_LIKE(2, 3);
static void tell(void (*to)(const char *line), const char *fmt, ...)
{
    char line[1400];
    va_list ap;
    if (!to)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    to(line);
}

static const char *resolve_text(int code)
{
    return code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code);
}

void socket_set_tos(int fd, int tos)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    if (tos < 0 || getsockname(fd, (struct sockaddr *)&a, &n) != 0)
        return;
    if (a.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
    else if (a.ss_family == AF_INET)
        setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
}

/* Give the socket the source address or interface that was asked for. */
static bool bind_source(int fd, const struct connect_plan *plan, int family)
{
    if (plan->bind_interface
        && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, plan->bind_interface, (socklen_t)strlen(plan->bind_interface) + 1) != 0) {
        tell(plan->complain, "bind to interface %s: %s", plan->bind_interface, strerror(errno));
        return false;
    }
    if (!plan->bind_address)
        return true;
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list;
    int code = getaddrinfo(plan->bind_address, NULL, &hints, &list);
    if (code != 0) {
        tell(plan->complain, "getaddrinfo: %s: %s", plan->bind_address, resolve_text(code));
        return false;
    }
    bool ok = bind(fd, list->ai_addr, list->ai_addrlen) == 0;
    if (!ok)
        tell(plan->complain, "bind %s: %s", plan->bind_address, strerror(errno));
    freeaddrinfo(list);
    return ok;
}

/* connect(2) with a limit in time (0: the kernel's); the descriptor is left blocking. 0 or an errno. Interrupted, it goes on by itself,
 * and its outcome is waited for. */
static int connect_within(int fd, const struct sockaddr *addr, socklen_t n, uint64_t deadline_us)
{
    int flags = deadline_us == 0 ? 0 : fcntl(fd, F_GETFL);
    if (flags < 0 || (deadline_us != 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0))
        return errno;
    int code = connect(fd, addr, n) == 0 ? 0 : errno;
    while (code == EINPROGRESS || code == EINTR) {
        uint64_t now = clock_us();
        struct timespec t = clock_span(deadline_us > now ? deadline_us - now : 0);
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        int got = ppoll(&p, 1, deadline_us == 0 ? NULL : &t, NULL);
        socklen_t len = sizeof code;
        if (got == 0)
            code = ETIMEDOUT;
        else if (got > 0)
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len);
        else if (errno != EINTR)
            code = errno;
    }
    if (deadline_us != 0)
        (void)fcntl(fd, F_SETFL, flags);
    return code;
}

static int connect_one(const struct connect_plan *plan, const struct addrinfo *a, uint64_t deadline_us, char *why, size_t cap)
{
    char address[64], service[16];
    if (getnameinfo(a->ai_addr, a->ai_addrlen, address, sizeof address, service, sizeof service,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return -1;
    tell(plan->note, "Connecting to %.200s [%.100s] port %s.", plan->host, address, service);
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        snprintf(why, cap, "%s", strerror(errno));
        return -1;
    }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);     /* before the first byte: no write may wait for an ACK */
    socket_set_tos(fd, plan->tos);
    if (bind_source(fd, plan, a->ai_family)) {
        int code = connect_within(fd, a->ai_addr, a->ai_addrlen, deadline_us);
        if (code == 0) {
            if (plan->keepalive)
                setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
            return fd;
        }
        tell(plan->note, "connect to address %s port %s: %s", address, service, strerror(code));
        snprintf(why, cap, "%s", strerror(code));
    }
    close(fd);
    return -1;
}

enum err connect_tcp(const struct connect_plan *plan, enum connect_stage *stage, char *why, size_t cap, struct connected *out)
{
    char port[8];
    struct addrinfo hints = {.ai_family = plan->family, .ai_socktype = SOCK_STREAM}, *list;
    snprintf(port, sizeof port, "%u", plan->port);
    snprintf(why, cap, "failure");
    int code = getaddrinfo(plan->host, port, &hints, &list);
    if (code != 0) {
        *stage = CONNECT_RESOLVE;
        snprintf(why, cap, "%s", resolve_text(code));
        return ERR_SYSTEM;
    }
    *stage = CONNECT_SOCKET;
    uint64_t deadline = plan->timeout_s ? clock_us() + plan->timeout_s * 1000000ULL : 0;
    int fd = -1;
    for (unsigned i = 0; fd < 0 && (i == 0 || i < plan->attempts); i++) {
        if (i > 0) {
            sleep(1);
            tell(plan->note, "Trying again...");
        }
        for (const struct addrinfo *a = list; fd < 0 && a; a = a->ai_next)
            if (a->ai_family == AF_INET || a->ai_family == AF_INET6)
                fd = connect_one(plan, a, deadline, why, cap);
    }
    freeaddrinfo(list);
    if (fd < 0)
        return ERR_SYSTEM;
    tell(plan->note, "Connection established.");
    struct connected c = {.fd = fd, .peer_len = sizeof c.peer};
    getpeername(fd, (struct sockaddr *)&c.peer, &c.peer_len);
    getnameinfo((struct sockaddr *)&c.peer, c.peer_len, c.address, sizeof c.address, NULL, 0, NI_NUMERICHOST);
    *stage = CONNECT_OK;
    *out = c;
    return ERR_NONE;
}

static int listen_one(const struct addrinfo *a, uint16_t port, char *why, size_t cap)
{
    struct sockaddr_storage addr;
    int one = 1, fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    memcpy(&addr, a->ai_addr, a->ai_addrlen);
    if (a->ai_family == AF_INET6)
        ((struct sockaddr_in6 *)&addr)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)&addr)->sin_port = htons(port);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (a->ai_family == AF_INET6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
        if (bind(fd, (struct sockaddr *)&addr, a->ai_addrlen) == 0 && listen(fd, 128) == 0)
            return fd;
    }
    snprintf(why, cap, "%s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &n) != 0)
        return 0;
    return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port : ((struct sockaddr_in *)&a)->sin_port);
}

enum err listen_tcp(const char *bind_host, uint16_t port, int family, char *why, size_t cap, int *fds, size_t *count)
{
    bool every = bind_host && (*bind_host == '\0' || strcmp(bind_host, "*") == 0);
    const char *host = every ? NULL : bind_host ? bind_host : "localhost";
    char service[8];
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list;
    snprintf(service, sizeof service, "%u", port);
    int code = getaddrinfo(host, service, &hints, &list);
    if (code != 0) {
        snprintf(why, cap, "%s", resolve_text(code));
        return ERR_SYSTEM;
    }
    size_t n = 0;
    for (const struct addrinfo *a = list; a && n < *count; a = a->ai_next) {
        int fd = listen_one(a, port, why, cap);
        if (fd < 0)
            continue;
        if (port == 0)
            port = bound_port(fd);
        fds[n++] = fd;
    }
    freeaddrinfo(list);
    if (n == 0)
        return ERR_SYSTEM;
    *count = n;
    return ERR_NONE;
}

enum err connect_unix(const char *path, int *out)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path) {
        errno = ENAMETOOLONG;
        return ERR_SYSTEM;
    }
    memcpy(a.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ERR_SYSTEM;
    if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
        int keep = errno;
        close(fd);
        errno = keep;
        return ERR_SYSTEM;
    }
    *out = fd;
    return ERR_NONE;
}
