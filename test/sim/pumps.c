/* SPDX-License-Identifier: ISC */
/* Two pumps with two real conns over a socket pair: what goes in at one end comes out at the other, both ways at once.
 * `pumps CIPHER MEGABYTES down|up|both` moves that much and prints the rate, for strace and perf. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypto/algs.h"
#include "duo.h"
#include "kit/pump.h"
#include "os/clock.h"
#include "tap.h"

struct side {
    enum role role;
    struct conn *c;
    struct pump *p;
    struct rng rng;
    struct privkey *key;
    struct conn_hostkey hostkey;
    int sink, source, sock;
    bool eof_in, sources_ended, complete;
    enum err err;
    pthread_t thread;
};

struct flood {
    int fd;
    uint64_t total, hash;
    uint32_t salt;
    pthread_t thread;
};

static uint64_t hash_more(uint64_t h, const uint8_t *p, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) h = (h ^ get_u64(p + i)) * 1099511628211u, h ^= h >> 29;
    for (; i < n; i++) h = (h ^ p[i]) * 1099511628211u;
    return h;
}

#define BLOCK 131072

static void *write_run(void *arg)
{
    struct flood *s = arg;
    uint8_t *buf = malloc(BLOCK);
    struct rng rng = {s->salt};
    uint64_t left = s->total;
    for (size_t i = 0; i < BLOCK; i += 8) put_u64(buf + i, rng_next(&rng));
    while (left) {
        size_t n = left < BLOCK ? (size_t)left : BLOCK;
        put_u64(buf + (size_t)rng_below(&rng, BLOCK / 8) * 8, left);        /* no two blocks alike */
        s->hash = hash_more(s->hash, buf, n);
        for (size_t at = 0; at < n;) {
            ssize_t w = write(s->fd, buf + at, n - at);
            if (w <= 0) break;
            at += (size_t)w;
        }
        left -= n;
    }
    free(buf);
    close(s->fd);
    return NULL;
}

static void *read_run(void *arg)
{
    struct flood *s = arg;
    uint8_t *buf = malloc(BLOCK);
    for (size_t have = 0;;) {
        ssize_t n = read(s->fd, buf + have, BLOCK - have);
        if (n > 0) have += (size_t)n;
        if (have && (n <= 0 || have == BLOCK)) {        /* hashed in the writer's blocks */
            s->hash = hash_more(s->hash, buf, have), s->total += have;
            have = 0;
        }
        if (n <= 0) break;
    }
    free(buf);
    close(s->fd);
    return NULL;
}

/* ---- the programs ---- */

static void yes(struct side *s, const struct event *ev)
{
    if (ev->question && conn_answer(s->c, ev->question, &(struct answer){.type = ANSWER_YES}) != ERR_NONE) s->err = ERR_USAGE;
}

static void attach(struct side *s, uint32_t chan)
{
    const struct pump_ends ends = {.sink = s->sink, .sink_err = -1, .source = s->source, .source_err = -1};
    if (pump_attach(s->p, chan, &ends) != ERR_NONE) s->err = ERR_NOMEM;
}

static void on_event(struct side *s, const struct event *ev)
{
    const struct auth_attempt password = {.user = BYTES_LIT("bob"), .method = AUTH_PASSWORD, .password = BYTES_LIT("x")};
    const struct channel_open open = {.type = OPEN_SESSION};
    const struct channel_request exec = {.type = REQ_EXEC, .want_reply = true, .text = BYTES_LIT("cat")};
    struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
    uint32_t n;
    switch (ev->type) {
    case EV_KEX_DONE:
        if (s->role == ROLE_CLIENT && !conn_facts(s->c)->authenticated) s->err = conn_auth_try(s->c, &password);
        break;
    case EV_SIGN:
        (void)!privkey_sign(s->key, sig_alg_find(ev->sign.alg), ev->sign.msg, &sig);
        (void)!conn_answer(s->c, ev->question, &(struct answer){.type = ANSWER_YES, .data = wr_bytes(&sig)});
        break;
    case EV_AUTH_DONE: s->err = chan_open(s->c, &open, &n); break;
    case EV_CHANNEL_OPENED: s->err = chan_request(s->c, ev->chan, &exec, 0); break;
    case EV_REQUEST_DONE: attach(s, ev->chan); break;
    case EV_CHANNEL_REQUEST:
        yes(s, ev);
        if (ev->request.type == REQ_EXEC) attach(s, ev->chan);
        break;
    case EV_CHANNEL_EOF: s->eof_in = true; break;
    case EV_CHANNEL_CLOSED:
        s->complete = true;
        if (s->role == ROLE_CLIENT) conn_disconnect(s->c, 11, BYTES_LIT("bye"));
        break;
    default: yes(s, ev);
    }
}

static void *side_run(void *arg)
{
    struct side *s = arg;
    struct pump_ready r;
    while (s->err == ERR_NONE) {
        enum err e = pump_next(s->p, NULL, &r);
        if (e != ERR_NONE) break;
        if (r.what == PUMP_EVENT) on_event(s, &r.event);
        if (r.what == PUMP_SOURCES_ENDED) s->sources_ended = true;
        if (s->role == ROLE_SERVER && s->eof_in && s->sources_ended) chan_close(s->c, r.event.chan);
    }
    (void)pump_linger(s->p, UINT64_MAX, NULL);
    shutdown(s->sock, SHUT_RDWR);
    return NULL;
}

static void side_make(struct side *s, enum role role, const struct duo_algs *algs, int sock, uint64_t rekey_bytes)
{
    *s = (struct side){.role = role, .rng = {role + 5}, .sock = sock};
    struct random random = rng_random(&s->rng);
    if (privkey_generate("ssh-ed25519", 0, &random, &s->key) != ERR_NONE) abort();
    s->hostkey = (struct conn_hostkey){.blob = pubkey_blob(privkey_public(s->key)), .algs = BYTES_LIT("ssh-ed25519")};
    const struct conn_setup setup = {.role = role, .random = random, .software = "pumps", .kex = algs->kex, .ciphers = algs->cipher,
                                     .macs = algs->mac, .hostkey_algs = BYTES_LIT("ssh-ed25519"), .hostkeys = &s->hostkey,
                                     .hostkey_count = 1, .rekey_bytes = rekey_bytes};
    s->c = conn_new(&setup);
    s->p = pump_new(s->c, sock, sock, PUMP_FD_SOCKET);
    if (!s->c || !s->p) abort();
}

static void pipe_make(int *blocking_read, int *blocking_write, int *near, bool near_reads)
{
    int fd[2];
    if (pipe2(fd, O_CLOEXEC) != 0) abort();
    (void)fcntl(fd[0], F_SETPIPE_SZ, 1 << 20);
    *near = near_reads ? fd[0] : fd[1];
    if (near_reads) *blocking_write = fd[1];
    else *blocking_read = fd[0];
    (void)fcntl(*near, F_SETFL, O_NONBLOCK);
}

static bool transfer(const struct duo_algs *algs, uint64_t up, uint64_t down, uint64_t rekey_bytes)
{
    int sock[2];
    struct side side[2];
    struct flood w[2], r[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, sock) != 0) abort();
    for (int i = 0; i < 2; i++) {
        side_make(&side[i], (enum role)i, algs, sock[i], rekey_bytes);
        w[i] = (struct flood){.total = i == ROLE_CLIENT ? up : down, .salt = (uint32_t)i + 9, .hash = 1};
        r[i] = (struct flood){.hash = 1};
        pipe_make(NULL, &w[i].fd, &side[i].source, true);
        pipe_make(&r[i].fd, NULL, &side[i].sink, false);
    }
    for (int i = 0; i < 2; i++) {
        pthread_create(&w[i].thread, NULL, write_run, &w[i]);
        pthread_create(&r[i].thread, NULL, read_run, &r[i]);
        pthread_create(&side[i].thread, NULL, side_run, &side[i]);
    }
    bool good = true;
    for (int i = 0; i < 2; i++) {
        pthread_join(w[i].thread, NULL), pthread_join(r[i].thread, NULL), pthread_join(side[i].thread, NULL);
        good &= side[i].complete && side[i].err == ERR_NONE;
    }
    for (int i = 0; i < 2; i++) {
        good &= r[i].total == w[1 - i].total && r[i].hash == w[1 - i].hash;
        if (!good) printf("# side %d: %s at %s\n", i, err_name(conn_facts(side[i].c)->failure), conn_facts(side[i].c)->failure_where ?: "-");
        if (rekey_bytes && conn_facts(side[i].c)->rekeys == 0) good = false;
        pump_free(side[i].p), conn_free(side[i].c), privkey_free(side[i].key), close(sock[i]);
    }
    return good;
}

static int bench(char **argv)
{
    const struct cipher_alg *cipher = cipher_find(bytes_str(argv[1]));
    uint64_t n = strtoull(argv[2], NULL, 10) << 20, begin = clock_us();
    struct duo_algs algs = duo_algs(NULL, cipher ? cipher : &cipher_aes128_gcm, NULL);
    bool good = transfer(&algs, strcmp(argv[3], "down") ? n : 0, strcmp(argv[3], "up") ? n : 0, 0);
    double s = (double)(clock_us() - begin) / 1e6;
    printf("%s: %s %.0f MB/s\n", argv[1], good ? "good" : "BAD", (double)n / 1e6 / s);
    return !good;
}

int main(int argc, char **argv)
{
    static const struct cipher_alg *const ciphers[] = {&cipher_chacha20_poly1305, &cipher_aes128_gcm, &cipher_aes128_ctr};
    signal(SIGPIPE, SIG_IGN);
    if (argc == 4) return bench(argv);
    for (size_t i = 0; i < COUNT_OF(ciphers); i++) {
        struct duo_algs algs = duo_algs(NULL, ciphers[i], NULL);
        tap_ok(transfer(&algs, 100u << 20, 100u << 20, 0), "100 MiB each way at once, %s", ciphers[i]->name);
    }
    struct duo_algs algs = duo_algs(&kex_curve25519_sha256, &cipher_aes256_gcm, NULL);
    tap_ok(transfer(&algs, 64u << 20, 64u << 20, 5u << 20), "64 MiB each way, rekeyed every 5");
    tap_ok(transfer(&algs, 0, 1, 0), "one byte down, none up");
    return tap_end();
}
