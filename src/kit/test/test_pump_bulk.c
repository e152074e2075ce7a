/* SPDX-License-Identifier: ISC */
/* The pump under load, over a conn that only frames: each end in a thread of its own. */
#include "pair.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A generator that both sides of a test can run. */
static void fill_pattern(uint8_t *p, size_t n, uint64_t *x)
{
    for (size_t i = 0; i < n; i++) {
        *x = *x * 6364136223846793005u + 1442695040888963407u;
        p[i] = (uint8_t)(*x >> 56);
    }
}

static uint64_t hash_more(uint64_t h, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 1099511628211u;
    return h;
}

struct job {
    int fd;
    uint64_t seed, total, hash;
    pthread_t thread;
};

static void wait_for(int fd, short events)
{
    struct pollfd one = {.fd = fd, .events = events};
    (void)poll(&one, 1, -1);
}

static void *writer_run(void *arg)
{
    struct job *j = arg;
    uint8_t *buf = malloc(100000);
    uint64_t x = j->seed, left = j->total;
    while (left) {
        size_t n = left < 100000 ? (size_t)left : 100000;
        fill_pattern(buf, n, &x);
        j->hash = hash_more(j->hash, buf, n);
        for (size_t at = 0; at < n;) {
            ssize_t w = write(j->fd, buf + at, n - at);
            if (w > 0) at += (size_t)w;
            else wait_for(j->fd, POLLOUT);
        }
        left -= n;
    }
    free(buf);
    close(j->fd);
    return NULL;
}

static void *reader_run(void *arg)
{
    struct job *j = arg;
    uint8_t *buf = malloc(100000);
    for (;;) {
        ssize_t n = read(j->fd, buf, 100000);
        if (n == 0) break;
        if (n < 0) {
            wait_for(j->fd, POLLIN);
            continue;
        }
        j->hash = hash_more(j->hash, buf, (size_t)n), j->total += (size_t)n;
    }
    free(buf);
    close(j->fd);
    return NULL;
}

/* Turn one end until its channels are closed, answering EOF with EOF and CLOSE as a plain program does. */
static void *end_run(void *arg)
{
    struct end *e = arg;
    unsigned channels = conn_facts(e->c)->channels;
    struct pump_ready r;
    while (e->closed < channels && pump_next(e->p, NULL, &r) == ERR_NONE) {
        bool eof = r.what == PUMP_EVENT && r.event.type == EV_CHANNEL_EOF;
        if (eof) e->eof_mask |= 1u << r.event.chan;
        if ((eof || r.what == PUMP_SOURCES_ENDED) && (e->eof_mask >> r.event.chan & 1) && pump_sources_ended(e->p, r.event.chan))
            chan_close(e->c, r.event.chan);
        if (r.what == PUMP_EVENT && r.event.type == EV_CHANNEL_CLOSED) e->closed++;
    }
    (void)pump_linger(e->p, UINT64_MAX, NULL);
    pump_flush(e->p);
    return NULL;
}

static void set_channels(struct end *e, unsigned n)
{
    union { const struct conn_facts *in; struct conn_facts *out; } unconst = {.in = conn_facts(e->c)};
    unconst.out->channels = n;
}

/* `total` bytes each way over one channel between pipes; the same bytes must come out. */
static void bulk_both_ways(uint32_t window, enum pump_fd_kind kind, uint64_t total)
{
    struct end e[2];
    struct job w[2], r[2];
    pair_open(e, window, 1, kind);
    for (int i = 0; i < 2; i++) {
        int src[2], dst[2];
        pipe_open(src), pipe_open(dst);
        w[i] = (struct job){.fd = src[1], .seed = (uint64_t)i + 7, .total = total, .hash = 1};
        r[i] = (struct job){.fd = dst[0], .hash = 1};
        const struct pump_ends ends = {.sink = dst[1], .sink_err = -1, .source = src[0], .source_err = -1};
        assert_int_equal(pump_attach(e[i].p, 0, &ends), ERR_NONE);
        set_channels(&e[i], 1);
    }
    for (int i = 0; i < 2; i++) {
        pthread_create(&w[i].thread, NULL, writer_run, &w[i]);
        pthread_create(&r[i].thread, NULL, reader_run, &r[i]);
        pthread_create(&e[i].thread, NULL, end_run, &e[i]);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(w[i].thread, NULL), pthread_join(r[i].thread, NULL), pthread_join(e[i].thread, NULL);
    for (int i = 0; i < 2; i++) {
        assert_true(r[i].total == total);
        assert_true(r[i].hash == w[1 - i].hash);
        assert_true(fake_idled(e[i].c) <= 2);           /* no wake-up was missed and made good by the idle timer */
    }
    pair_close(e);
}

static void bulk_arrives_whole_both_ways(void **state)
{
    (void)state;
    bulk_both_ways(WINDOW, PUMP_FD_SOCKET, 120u << 20);
}

static void bulk_arrives_whole_over_nonblocking_descriptors(void **state)
{
    (void)state;
    bulk_both_ways(WINDOW, PUMP_FD_NONBLOCK, 20u << 20);
}

static void bulk_arrives_whole_through_a_tiny_window(void **state)
{
    (void)state;
    bulk_both_ways(1000, PUMP_FD_SOCKET, 1u << 20);
}

static void *keys_run(void *arg)
{
    struct job *j = arg;
    char c = 0;
    for (unsigned i = 0; i < 200; i++) {
        if (write(j->fd, "k", 1) != 1) break;
        do wait_for(j[1].fd, POLLIN);
        while (read(j[1].fd, &c, 1) != 1);
        j->total++;
    }
    close(j->fd);
    return NULL;
}

/* 200 keystrokes go to and fro, each after the last one's echo, beside a transfer that never lets the pipes run empty. */
static void keystrokes_are_not_starved_by_bulk(void **state)
{
    (void)state;
    struct end e[2];
    int bsrc[2], bdst[2], ksrc[2], kdst[2], echo[2];
    pair_open(e, WINDOW, 2, PUMP_FD_SOCKET);
    pipe_open(bsrc), pipe_open(bdst), pipe_open(ksrc), pipe_open(kdst);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, echo), 0);
    const struct pump_ends bulk0 = {.sink = -1, .sink_err = -1, .source = bsrc[0], .source_err = -1};
    const struct pump_ends bulk1 = {.sink = bdst[1], .sink_err = -1, .source = -1, .source_err = -1};
    const struct pump_ends key0 = {.sink = kdst[1], .sink_err = -1, .source = ksrc[0], .source_err = -1};
    int loop[2];
    pipe_open(loop);                                                /* what arrives goes straight back */
    const struct pump_ends key1 = {.sink = loop[1], .sink_err = -1, .source = loop[0], .source_err = -1};
    assert_int_equal(pump_attach(e[0].p, 0, &bulk0), ERR_NONE);
    assert_int_equal(pump_attach(e[1].p, 0, &bulk1), ERR_NONE);
    assert_int_equal(pump_attach(e[0].p, 1, &key0), ERR_NONE);
    assert_int_equal(pump_attach(e[1].p, 1, &key1), ERR_NONE);
    set_channels(&e[0], 2), set_channels(&e[1], 2);
    struct job w = {.fd = bsrc[1], .seed = 3, .total = 64u << 20, .hash = 1}, r = {.fd = bdst[0], .hash = 1};
    struct job keys[2] = {{.fd = ksrc[1]}, {.fd = kdst[0]}};
    pthread_create(&w.thread, NULL, writer_run, &w);
    pthread_create(&r.thread, NULL, reader_run, &r);
    for (int i = 0; i < 2; i++) pthread_create(&e[i].thread, NULL, end_run, &e[i]);
    pthread_create(&keys[0].thread, NULL, keys_run, keys);
    pthread_join(keys[0].thread, NULL);
    pthread_join(w.thread, NULL), pthread_join(r.thread, NULL);
    for (int i = 0; i < 2; i++) pthread_join(e[i].thread, NULL);
    assert_int_equal(keys[0].total, 200);
    assert_true(r.hash == w.hash);
    close(kdst[0]);
    pair_close(e);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keystrokes_are_not_starved_by_bulk),
        cmocka_unit_test(bulk_arrives_whole_both_ways),
        cmocka_unit_test(bulk_arrives_whole_over_nonblocking_descriptors),
        cmocka_unit_test(bulk_arrives_whole_through_a_tiny_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
