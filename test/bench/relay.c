/* SPDX-License-Identifier: ISC */
/* A TCP relay that delays each byte, so that a long line can be had on loopback without touching the network's set-up.
 *
 *     relay PORT TARGET_PORT DELAY_MS
 *
 * listens on 127.0.0.1:PORT, connects each connection on to 127.0.0.1:TARGET_PORT, and hands each direction's bytes on DELAY_MS
 * after they came. What is under way is bounded by a ring of 128 MiB a direction, far more than any window. When a connection
 * ends, two lines tell how many bytes came, and the most that were under way: `bytes: <to the target> <from the target>`,
 * `in flight: <to the target> <from the target>`. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { RING = 128 << 20, MARKS = 1 << 20, READ_MAX = 1 << 20 };

struct mark {
    uint64_t due_ns;
    uint64_t end;    /* bytes up to here (counted from the start) may leave at due_ns */
};

struct way {
    int from, to;
    uint8_t *ring;
    struct mark *marks;
    uint64_t in, out;               /* bytes ever taken in and handed on */
    uint64_t mark_in, mark_out;
    uint64_t in_flight_max;
    bool ended, closed;             /* from: no more comes; to: told so */
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *pages(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) _exit(1);
    return p;
}

static struct way way_init(int from, int to)
{
    return (struct way){.from = from, .to = to, .ring = pages(RING), .marks = pages(MARKS * sizeof(struct mark))};
}

static bool way_wants_read(const struct way *w)
{
    return !w->ended && w->in - w->out < RING && w->mark_in - w->mark_out < MARKS;
}

/* Bytes that may leave now. */
static uint64_t way_due(struct way *w, uint64_t now)
{
    uint64_t end = w->out;
    for (uint64_t i = w->mark_out; i < w->mark_in && w->marks[i % MARKS].due_ns <= now; i++) end = w->marks[i % MARKS].end;
    return end - w->out;
}

static void way_read(struct way *w, uint64_t delay_ns)
{
    size_t at = w->in % RING, room = RING - (size_t)(w->in - w->out);
    if (room > RING - at) room = RING - at;
    if (room > READ_MAX) room = READ_MAX;
    ssize_t n = recv(w->from, w->ring + at, room, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        w->ended = true;
        return;
    }
    w->in += (uint64_t)n;
    w->marks[w->mark_in++ % MARKS] = (struct mark){now_ns() + delay_ns, w->in};
    if (w->in - w->out > w->in_flight_max) w->in_flight_max = w->in - w->out;
}

static void way_write(struct way *w, uint64_t due)
{
    size_t at = w->out % RING, n = due > RING - at ? RING - at : (size_t)due;
    ssize_t sent = send(w->to, w->ring + at, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR) w->ended = w->closed = true;
        return;
    }
    w->out += (uint64_t)sent;
    while (w->mark_out < w->mark_in && w->marks[w->mark_out % MARKS].end <= w->out) w->mark_out++;
}

/* How long until something of this way becomes due; -1: nothing waits. */
static int64_t way_wait_ns(const struct way *w, uint64_t now)
{
    if (w->mark_out == w->mark_in) return -1;
    uint64_t due = w->marks[w->mark_out % MARKS].due_ns;
    return due > now ? (int64_t)(due - now) : 0;
}

static void relay(int client, int target, uint64_t delay_ns)
{
    struct way ways[2] = {way_init(client, target), way_init(target, client)};
    while (!(ways[0].closed && ways[1].closed)) {
        struct pollfd fds[4];
        uint64_t now = now_ns();
        int64_t wait = -1;
        for (int i = 0; i < 2; i++) {
            struct way *w = &ways[i];
            bool due = way_due(w, now) > 0;
            fds[2 * i] = (struct pollfd){way_wants_read(w) ? w->from : -1, POLLIN, 0};
            fds[2 * i + 1] = (struct pollfd){due ? w->to : -1, POLLOUT, 0};
            int64_t mine = due ? -1 : way_wait_ns(w, now);
            if (mine >= 0 && (wait < 0 || mine < wait)) wait = mine;
        }
        struct timespec t = {wait / 1000000000, wait % 1000000000};
        if (ppoll(fds, 4, wait < 0 ? NULL : &t, NULL) < 0 && errno != EINTR) _exit(1);
        for (int i = 0; i < 2; i++) {
            struct way *w = &ways[i];
            if (fds[2 * i].revents) way_read(w, delay_ns);
            uint64_t due = way_due(w, now_ns());
            if (due && !w->closed) way_write(w, due);
            if (w->ended && w->in == w->out && !w->closed) shutdown(w->to, SHUT_WR), w->closed = true;
        }
    }
    printf("bytes: %llu %llu\n", (unsigned long long)ways[0].in, (unsigned long long)ways[1].in);
    printf("in flight: %llu %llu\n", (unsigned long long)ways[0].in_flight_max, (unsigned long long)ways[1].in_flight_max);
}

static struct sockaddr_in loopback(const char *port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void serve(int client, struct sockaddr_in to, uint64_t delay_ns)
{
    int one = 1, target = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (target < 0 || connect(target, (struct sockaddr *)&to, sizeof to)) _exit(1);
    setsockopt(target, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    relay(client, target, delay_ns);
    fflush(stdout);
    _exit(0);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fputs("usage: relay PORT TARGET_PORT DELAY_MS\n", stderr);
        return 2;
    }
    struct sockaddr_in at = loopback(argv[1]), to = loopback(argv[2]);
    uint64_t delay_ns = strtoull(argv[3], NULL, 10) * 1000000u;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0) return 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 64)) {
        perror("relay");
        return 1;
    }
    signal(SIGCHLD, SIG_IGN);   /* children are not waited for */
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client < 0) continue;
        pid_t child = fork();
        if (child == 0) {
            close(listener);
            serve(client, to, delay_ns);
        }
        close(client);
    }
}
