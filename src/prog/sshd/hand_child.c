/* SPDX-License-Identifier: ISC */
/* The hand itself, a process of the user: connects and listens with the user's rights and hands the sockets over. A connection that takes time is
 * made by a process of its own, so that a slow name server or a silent host holds up nothing else. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/sha512.h"
#include "conf/sshd.h"
#include "os/message.h"
#include "os/socket.h"
#include "sshd/hand.h"


#define WARDEN_FD 3

struct listener {
    int fd;
    bool agent;                 /* the forwarded agent's socket; nothing below means anything then */
    uint16_t asked_port, port;  /* as the client asked; as bound */
    char host[HAND_HOST_MAX];   /* as the client asked */
};

static struct listener listeners[HAND_LISTENERS_MAX];
static size_t listeners_n;
static unsigned children;
static char agent_path[sizeof((struct hand *)0)->agent];       /* the socket to remove at the end; empty: none */

static NORETURN void end(void)
{
    if (agent_path[0]) unlink(agent_path);
    _exit(0);
}

/* ---- answers ---- */

static void answer(const struct hand_answer *x, int fd)
{
    if (message_send(WARDEN_FD, x, sizeof *x, fd >= 0 ? &fd : NULL, fd >= 0 ? 1 : 0, true) != ERR_NONE) end();
}

static void refuse(uint32_t tag, const char *why)
{
    struct hand_answer x = {.what = HAND_REFUSED, .tag = tag};
    snprintf(x.text, sizeof x.text, "%s", why);
    answer(&x, -1);
}

/* ---- connecting ---- */

static int family_of(uint8_t family)
{
    return family == CONF_AF_INET ? AF_INET : family == CONF_AF_INET6 ? AF_INET6 : AF_UNSPEC;
}

static const char *resolve(const struct hand_question *q, const char *host, int flags, struct addrinfo **out)
{
    char port[8];
    const struct addrinfo hints = {.ai_family = family_of(q->family), .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    snprintf(port, sizeof port, "%u", q->port);
    int e = getaddrinfo(host, port, &hints, out);
    return e == 0 ? NULL : gai_strerror(e);
}

/* In a process of its own: every address in turn, until one answers. */
static NORETURN void connect_run(const struct hand_question *q)
{
    struct addrinfo *all = NULL;
    const char *why = resolve(q, q->host, 0, &all);
    int last = 0;
    for (struct addrinfo *a = all; !why && a; a = a->ai_next) {
        int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd < 0) {
            last = errno;
            continue;
        }
        socket_nodelay(fd);
        if (connect(fd, a->ai_addr, a->ai_addrlen) == 0 && fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) == 0) {
            struct hand_answer x = {.what = HAND_CONNECTED, .tag = q->tag};
            answer(&x, fd);
            _exit(0);
        }
        last = errno;
        close(fd);
    }
    refuse(q->tag, why ? why : strerror(last));
    _exit(0);
}

static void ask_connect(const struct hand_question *q)
{
    pid_t pid = children < HAND_CONNECTS_MAX ? fork() : -1;
    if (pid == 0) {
        agent_path[0] = 0;
        for (size_t i = 0; i < listeners_n; i++) close(listeners[i].fd);     /* a cancelled port must be free at once */
        connect_run(q);
    }
    if (pid > 0)
        children++;
    else
        refuse(q->tag, "too many connections at once");
}

/* ---- listening ---- */

/* GatewayPorts (sshd_config(5)): no: loopback whatever was asked; yes: everywhere; clientspecified: as asked, where "" and "*" are
 * everywhere and "localhost" is loopback (RFC 4254 7.1). NULL: everywhere. */
static const char *listen_host(const struct hand_question *q)
{
    if (q->gateway == SSHD_GATEWAY_YES) return NULL;
    bool loopback = strcmp(q->host, "127.0.0.1") == 0 || strcmp(q->host, "::1") == 0;
    if (q->gateway == SSHD_GATEWAY_NO && !loopback) return "localhost";
    return q->host[0] == 0 || strcmp(q->host, "*") == 0 ? NULL : q->host;
}

static int listen_one(const struct addrinfo *a, int *error)
{
    int on = 1, fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (a->ai_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
        bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, 128) == 0)
        return fd;
    *error = errno;
    if (fd >= 0) close(fd);
    return -1;
}

static void port_set(struct sockaddr *sa, uint16_t port)
{
    if (sa->sa_family == AF_INET) ((struct sockaddr_in *)(void *)sa)->sin_port = htons(port);
    if (sa->sa_family == AF_INET6) ((struct sockaddr_in6 *)(void *)sa)->sin6_port = htons(port);
}

static uint16_t port_of(int fd)
{
    struct address at;
    address_local(fd, &at);
    return at.port;
}

static void ask_listen(const struct hand_question *q)
{
    struct addrinfo *all = NULL;
    struct hand_answer x = {.what = HAND_LISTENING, .tag = q->tag, .port = q->port};
    int last = 0;
    size_t before = listeners_n;
    const char *why = resolve(q, listen_host(q), AI_PASSIVE, &all);
    for (struct addrinfo *a = all; !why && a && listeners_n < HAND_LISTENERS_MAX; a = a->ai_next) {
        port_set(a->ai_addr, x.port);       /* port 0: the other families get what the first one got */
        int fd = listen_one(a, &last);
        if (fd < 0) continue;
        if (x.port == 0) x.port = port_of(fd);
        struct listener *l = &listeners[listeners_n++];
        *l = (struct listener){.fd = fd, .asked_port = q->port, .port = x.port};
        memcpy(l->host, q->host, sizeof l->host);
    }
    if (all) freeaddrinfo(all);
    if (listeners_n > before)
        answer(&x, -1);
    else
        refuse(q->tag, why ? why : last ? strerror(last) : "too many listeners");
}

static void ask_cancel(const struct hand_question *q)
{
    bool any = false;
    for (size_t i = listeners_n; i-- > 0;) {
        if (listeners[i].agent || listeners[i].port != q->port || strcmp(listeners[i].host, q->host) != 0) continue;
        close(listeners[i].fd);
        listeners[i] = listeners[--listeners_n];
        any = true;
    }
    struct hand_answer x = {.what = HAND_CLOSED, .tag = q->tag, .port = q->port};
    if (any)
        answer(&x, -1);
    else
        refuse(q->tag, "no such listener");
}

/* ---- the forwarded agent ---- */

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
#define LETTERS 10

static void letters_from(const uint8_t *p, char out[LETTERS + 1])
{
    for (size_t i = 0; i < LETTERS; i++) out[i] = letters[p[i] % (sizeof letters - 1)];
    out[LETTERS] = 0;
}

/* A folder that nobody else looks into; one that is there must be the user's own, and no link. */
static bool folder_make(const char *path, bool private)
{
    struct stat st;
    if (mkdir(path, 0700) != 0 && errno != EEXIST) return false;
    if (!private) return true;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool good = fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() && ((st.st_mode & 077) == 0 || fchmod(fd, 0700) == 0);
    if (fd >= 0) close(fd);
    return good;
}

/* HOME/.ssh/agent/s.HOST.sshd.RANDOM: HOST by a hash of the machine's name, as a home folder may be on several. Just as ssh-agent and OpenSSH 10.1 have
 * it, as `ssh-agent -u` looks for sockets of this machine that a crash left. */
static bool agent_name(const char *home, char *out, size_t cap)
{
    char host[256] = "", at[LETTERS + 1], tail[LETTERS + 1];
    uint8_t hash[64], random[LETTERS];
    int n = snprintf(out, cap, "%s/.ssh", home);
    if (n < 0 || (size_t)n >= cap || !folder_make(out, false)) return false;
    n = snprintf(out, cap, "%s/.ssh/agent", home);
    if (n < 0 || (size_t)n >= cap || !folder_make(out, true)) return false;
    if (gethostname(host, sizeof host - 1) != 0 || getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) return false;
    sha512(bytes_str(host), (struct bytes){0}, (struct bytes){0}, hash);
    letters_from(hash, at), letters_from(random, tail);
    n = snprintf(out, cap, "%s/.ssh/agent/s.%s.sshd.%s", home, at, tail);
    return n > 0 && (size_t)n < cap;
}

static int agent_listen(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (bytes_to_str(bytes_str(path), a.sun_path, sizeof a.sun_path) != ERR_NONE) return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old = umask(0177);
    bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0;
    umask(old);
    if (bound && listen(fd, 128) == 0) return fd;
    if (bound) unlink(path);
    if (fd >= 0) close(fd);
    return -1;
}

static void ask_agent(const struct hand_question *q)
{
    struct hand_answer x = {.what = HAND_AGENT_STANDS, .tag = q->tag};
    char path[sizeof agent_path];
    errno = 0;
    int fd = agent_path[0] == 0 && listeners_n < HAND_LISTENERS_MAX && agent_name(q->host, path, sizeof path) ? agent_listen(path) : -1;
    if (fd < 0) {
        refuse(q->tag, errno ? strerror(errno) : "no room for a socket below the home folder");
        return;
    }
    memcpy(agent_path, path, sizeof agent_path);
    listeners[listeners_n++] = (struct listener){.fd = fd, .agent = true};
    snprintf(x.host, sizeof x.host, "%s", path);
    answer(&x, -1);
}

/* Modes keep all others out; this says so once more (TRUST 40). */
static bool agent_peer_good(int fd)
{
    struct ucred who;
    socklen_t n = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && (who.uid == geteuid() || who.uid == 0);
}

static void agent_accept(const struct listener *l)
{
    const struct hand_answer x = {.what = HAND_AGENT_ACCEPTED};
    int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    if (agent_peer_good(fd)) answer(&x, fd);
    close(fd);
}

/* ---- accepting ---- */

static void listener_accept(const struct listener *l)
{
    if (l->agent) {
        agent_accept(l);
        return;
    }
    struct sockaddr_storage from;
    socklen_t n = sizeof from;
    struct address at;
    struct hand_answer x = {.what = HAND_ACCEPTED, .port = l->port};
    int fd = accept4(l->fd, (struct sockaddr *)&from, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    socket_nodelay(fd);
    address_from((struct sockaddr *)&from, n, &at);
    memcpy(x.host, l->host, sizeof x.host);
    snprintf(x.origin_host, sizeof x.origin_host, "%s", at.text);
    x.origin_port = at.port;
    answer(&x, fd);
    close(fd);
}

/* ---- the loop ---- */

static void question_take(void)
{
    static void (*const takers[])(const struct hand_question *q) = {
        [HAND_ASK_CONNECT] = ask_connect, [HAND_ASK_LISTEN] = ask_listen, [HAND_ASK_CANCEL] = ask_cancel,
        [HAND_ASK_AGENT] = ask_agent};
    struct hand_question q;
    struct message got;
    enum err e = message_recv(WARDEN_FD, &q, sizeof q, false, &got);
    if (e == ERR_AGAIN) return;
    if (e != ERR_NONE || got.n != sizeof q || q.ask >= COUNT_OF(takers) || !takers[q.ask]) end();
    takers[q.ask](&q);
}

static void children_reap(void)
{
    while (children > 0 && waitpid(-1, NULL, WNOHANG) > 0) children--;
}

/* SIGCHLD must interrupt the wait; its handler has nothing to do. */
static void on_child(int sig)
{
    (void)sig;
}

void hand_run(void)
{
    struct sigaction act = {.sa_handler = on_child};
    sigset_t open_mask, closed_mask;
    sigemptyset(&open_mask);
    sigemptyset(&closed_mask);
    sigaddset(&closed_mask, SIGCHLD);
    sigprocmask(SIG_BLOCK, &closed_mask, NULL);
    sigaction(SIGCHLD, &act, NULL);
    const struct timespec idle = {.tv_sec = HAND_IDLE_MS / 1000};
    for (;;) {
        struct pollfd fds[HAND_LISTENERS_MAX + 1] = {{.fd = WARDEN_FD, .events = POLLIN}};
        size_t n = listeners_n;
        for (size_t i = 0; i < n; i++) fds[i + 1] = (struct pollfd){.fd = listeners[i].fd, .events = POLLIN};
        bool busy = n > 0 || children > 0;
        int ready = ppoll(fds, n + 1, busy ? NULL : &idle, &open_mask);
        children_reap();
        if (ready == 0) {
            const struct hand_answer nothing = {.what = HAND_NOTHING};
            answer(&nothing, -1);
        }
        for (size_t i = 0; ready > 0 && i < n; i++)
            if (fds[i + 1].revents) listener_accept(&listeners[i]);
        if (ready > 0 && fds[0].revents) question_take();
    }
}
