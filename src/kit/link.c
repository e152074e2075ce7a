/* SPDX-License-Identifier: ISC */
#include "kit/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "link_io.h"
#include "os/clock.h"

const char *link_status_text(uint32_t status)
{
    return status == SSH_FX_NO_SUCH_FILE ? "No such file or directory" : sftp_status_text(status);
}

struct sftp_client *link_client(struct link *l)
{
    return l->client;
}

/* ---- bytes out ---- */

bool link_can_ask(const struct link *l)
{
    return l->err == ERR_NONE && l->bulk.left == 0 && l->tail - l->head < LINK_GATHER && sftp_client_can_ask(l->client);
}

static void gather_append(struct link *l, struct bytes b)
{
    if (l->head == l->tail) l->head = l->tail = 0;
    memcpy(l->gather + l->tail, b.p, b.n);
    l->tail += b.n;
}

/* Room for n more bytes in the gather buffer, moving what waits to its front. */
static bool gather_room(struct link *l, size_t n)
{
    size_t cap = LINK_GATHER + 2 * LINK_SMALL;
    if (!l->gather && !(l->gather = malloc(cap))) return false;
    if (l->tail + n > cap && l->head) {
        memmove(l->gather, l->gather + l->head, l->tail - l->head);
        l->tail -= l->head, l->head = 0;
    }
    return l->tail + n <= cap;
}

enum err link_ask_data(struct link *l, const struct sftp_op *op, struct bytes data, uint64_t tag)
{
    TRY(sftp_client_ask(l->client, op, tag));
    struct bytes before = sftp_client_peek(l->client);
    if (before.n + data.n <= 2 * LINK_SMALL && gather_room(l, before.n + data.n)) {
        gather_append(l, before);
        sftp_client_consume(l->client, before.n);
        gather_append(l, data);
        sftp_client_data_sent(l->client, data.n);
        return ERR_NONE;
    }
    while (!link_drained(l)) {          /* a burst of other requests waits before it: they must leave first */
        bool moved = false;
        TRY(link_flush(l, &moved));
        struct pollfd p = {.fd = l->out, .events = POLLOUT};
        if (!moved) (void)poll(&p, 1, -1);
    }
    if (!gather_room(l, data.n)) return l->err = ERR_NOMEM;
    gather_append(l, data);
    sftp_client_data_sent(l->client, data.n);
    return ERR_NONE;
}

enum err link_ask_file(struct link *l, const struct sftp_op *op, int fd, uint64_t at, struct link_fault *fault, uint64_t tag)
{
    TRY(sftp_client_ask(l->client, op, tag));
    l->bulk.fd = fd, l->bulk.at = at, l->bulk.left = (size_t)op->length, l->bulk.fault = fault;
    return ERR_NONE;
}

bool link_drained(const struct link *l)
{
    return l->head == l->tail && sftp_client_peek(l->client).n == 0;
}

short link_events_out(const struct link *l)
{
    return !link_drained(l) || (l->bulk.left && l->bulk.fd >= 0) ? POLLOUT : 0;
}

/* Bytes written, 0: it would block; an error is the link's end. */
static enum err out_write(struct link *l, struct bytes b, size_t *out)
{
    if (l->chunk_max && b.n > l->chunk_max) b.n = l->chunk_max;
    ssize_t n = write(l->out, b.p, b.n);
    if (n < 0 && errno != EAGAIN && errno != EINTR) return l->err = errno == EPIPE ? ERR_PEER_GONE : ERR_SYSTEM;
    *out = n > 0 ? (size_t)n : 0;
    l->moved += *out;
    return ERR_NONE;
}

/* The file ended or failed under a WRITE whose length has been told: zeros take its place, and the fault is remembered. */
static size_t bulk_pad(struct link *l, size_t n, int error)
{
    if (!l->bulk.fault->lost) *l->bulk.fault = (struct link_fault){.lost = true, .error = error, .at = l->bulk.at};
    memset(l->gather, 0, n);
    return n;
}

/* Through memory: what a file system without splice needs. */
static enum err bulk_copy(struct link *l)
{
    size_t want = l->bulk.left < LINK_SMALL ? l->bulk.left : LINK_SMALL;
    if (!gather_room(l, want)) return l->err = ERR_NOMEM;
    l->head = l->tail = 0;
    ssize_t n = l->bulk.fault->lost ? 0 : pread(l->bulk.fd, l->gather, want, (off_t)l->bulk.at);
    if (n < 0 && errno == EINTR) return ERR_NONE;
    if (n <= 0) n = (ssize_t)bulk_pad(l, want, n < 0 ? errno : 0);
    l->tail = (size_t)n;
    l->bulk.at += (size_t)n, l->bulk.left -= (size_t)n;
    sftp_client_data_sent(l->client, (size_t)n);
    return ERR_NONE;
}

static enum err bulk_splice(struct link *l, bool *blocked)
{
    loff_t at = (loff_t)l->bulk.at;
    size_t want = l->chunk_max && l->bulk.left > l->chunk_max ? l->chunk_max : l->bulk.left;
    ssize_t n = splice(l->bulk.fd, &at, l->out, NULL, want, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n < 0 && errno == EINTR) return ERR_NONE;
    if (n < 0 && errno == EPIPE) return l->err = ERR_PEER_GONE;
    if (n < 0 && errno == EAGAIN) {
        *blocked = true;
        return ERR_NONE;
    }
    if (n < 0 && (errno == EINVAL || errno == ENOSYS)) l->no_splice = true;
    if (n <= 0) return bulk_copy(l);    /* it finds out what is wrong */
    l->moved += (size_t)n;
    l->bulk.at += (size_t)n, l->bulk.left -= (size_t)n;
    sftp_client_data_sent(l->client, (size_t)n);
    return ERR_NONE;
}

static enum err flush_waiting(struct link *l, bool *blocked)
{
    size_t n = 0;
    if (l->head < l->tail) {
        TRY(out_write(l, bytes_of(l->gather + l->head, l->tail - l->head), &n));
        l->head += n;
    } else {
        TRY(out_write(l, sftp_client_peek(l->client), &n));
        sftp_client_consume(l->client, n);
    }
    *blocked = n == 0;
    return ERR_NONE;
}

enum err link_flush(struct link *l, bool *moved)
{
    TRY(l->err);
    for (uint64_t before = l->moved;;) {
        bool blocked = false;
        if (!link_drained(l)) TRY(flush_waiting(l, &blocked));
        else if (l->bulk.left && l->bulk.fd >= 0) TRY(l->no_splice ? bulk_copy(l) : bulk_splice(l, &blocked));
        else break;
        if (l->moved != before) *moved = true;
        if (blocked || (l->chunk_max && *moved)) break;
    }
    return ERR_NONE;
}

/* ---- bytes in ---- */

enum err link_read(struct link *l, bool *moved)
{
    TRY(l->err);
    struct span room = sftp_client_reserve(l->client);
    if (l->data_comes && room.n > SFTP_DATA_HEAD) room.n = SFTP_DATA_HEAD;
    if (l->chunk_max && room.n > l->chunk_max) room.n = l->chunk_max;
    if (room.n == 0) return ERR_NONE;
    ssize_t n = read(l->in, room.p, room.n);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return ERR_NONE;
    if (n < 0) return l->err = ERR_SYSTEM;
    if (n == 0) {
        l->in_ended = true;
        return l->err = ERR_PEER_GONE;
    }
    l->data_comes = false;
    sftp_client_commit(l->client, (size_t)n);
    l->moved += (size_t)n;
    *moved = true;
    return ERR_NONE;
}

/* Wait until either pipe may move. A signal is no error: its handler has run. */
static void link_wait(struct link *l)
{
    struct pollfd p[2] = {{.fd = l->in, .events = POLLIN}, {.fd = l->out, .events = link_events_out(l)}};
    (void)poll(p, p[1].events ? 2 : 1, -1);
}

/* ---- one request after another ---- */

static enum err answer_wait(struct link *l, struct sftp_answer *out)
{
    for (;;) {
        bool moved = false;
        struct sftp_answer a = {0};
        TRY(link_flush(l, &moved));
        enum err e = sftp_client_next(l->client, &a);
        if (e != ERR_NONE) return l->err = e;
        if (a.ready) {
            *out = a;
            return ERR_NONE;
        }
        TRY(link_read(l, &moved));
        if (!moved) link_wait(l);
    }
}

#define LIMITS_TAG 1        /* of the one request that nobody waits for at once; all others have 0 */

/* The answer to the one call under way. That to the request for limits comes before it. */
static enum err call_wait(struct link *l, struct sftp_answer *out)
{
    for (;;) {
        TRY(answer_wait(l, out));
        if (out->tag != LIMITS_TAG || !l->limits_asked_us) return ERR_NONE;
        l->rtt_us = clock_us() - l->limits_asked_us;
        l->limits_asked_us = 0;
        if (out->result.kind == SFTP_LIMITS) l->limits = out->result.limits;
        if (sftp_client_asked(l->client) == 0) return ERR_NONE;
    }
}

const struct sftp_limits *link_limits(struct link *l)
{
    struct sftp_answer a;
    if (l->limits_asked_us && call_wait(l, &a) != ERR_NONE) { /* the next call tells */ }
    return &l->limits;
}

/* A DATA reply's bytes, into memory that the link keeps. */
static enum err data_collect(struct link *l, struct bytes *data)
{
    size_t n = data->n, have = 0;
    if (n > l->data_cap) {
        uint8_t *p = realloc(l->data, n);
        if (!p) return l->err = ERR_NOMEM;
        l->data = p, l->data_cap = n;
    }
    while (have < n) {
        bool moved = false;
        struct bytes part = sftp_client_data_peek(l->client);
        if (part.n) memcpy(l->data + have, part.p, part.n);
        have += part.n;
        sftp_client_data_taken(l->client, part.n);
        if (have < n && part.n == 0) TRY(link_read(l, &moved));
        if (have < n && part.n == 0 && !moved) link_wait(l);
    }
    *data = bytes_of(l->data, n);
    return ERR_NONE;
}

/* WRITE's data, in as many parts as it takes. */
static enum err data_send(struct link *l, struct bytes data)
{
    while (data.n) {
        bool moved = false;
        size_t n = 0;
        TRY(link_flush(l, &moved));
        if (link_drained(l)) TRY(out_write(l, data, &n));
        sftp_client_data_sent(l->client, n);
        data.p += n, data.n -= n;
        if (!moved && n == 0) {
            struct pollfd p = {.fd = l->out, .events = POLLOUT};
            (void)poll(&p, 1, -1);
        }
    }
    return ERR_NONE;
}

enum err link_call(struct link *l, const struct sftp_op *op, struct bytes data, struct sftp_result *out)
{
    struct sftp_answer a;
    TRY(l->err);
    struct sftp_op asked = *op;
    if (op->verb == SFTP_VERB_WRITE) asked.length = data.n;
    TRY(sftp_client_ask(l->client, &asked, 0));
    if (op->verb == SFTP_VERB_WRITE) TRY(data_send(l, data));
    TRY(call_wait(l, &a));
    if (a.result.kind == SFTP_DATA) TRY(data_collect(l, &a.result.data));
    *out = a.result;
    return ERR_NONE;
}

enum err link_attrs(struct link *l, enum sftp_verb verb, const char *path, uint32_t *status, struct sftp_attrs *out)
{
    struct sftp_result r;
    TRY(link_call(l, &(struct sftp_op){.verb = verb, .path = bytes_str(path)}, (struct bytes){0}, &r));
    *status = r.kind == SFTP_STATUS ? (r.status == SSH_FX_OK ? SSH_FX_FAILURE : r.status) : SSH_FX_OK;
    if (r.kind != SFTP_STATUS) *out = r.attrs;
    return ERR_NONE;
}

enum err link_realpath(struct link *l, const char *path, uint32_t *status, char **out)
{
    struct sftp_result r;
    struct sftp_name name;
    bool tilde = path[0] == '~' && sftp_client_has(l->client, SFTP_VERB_EXPAND_PATH);
    struct sftp_op op = {.verb = tilde ? SFTP_VERB_EXPAND_PATH : SFTP_VERB_REALPATH, .path = bytes_str(path)};
    *out = NULL;
    TRY(link_call(l, &op, (struct bytes){0}, &r));
    if (r.kind == SFTP_STATUS) {
        *status = r.status == SSH_FX_OK ? SSH_FX_FAILURE : r.status;
        return ERR_NONE;
    }
    *status = SSH_FX_BAD_MESSAGE;
    if (!sftp_name_next(&r.names, &name) || name.name.n == 0 || name.name.n >= SFTP_PATH_MAX) return ERR_NONE;
    *out = bytes_dup_str(name.name);    /* NULL: a NUL inside */
    if (*out) *status = SSH_FX_OK;
    return ERR_NONE;
}

/* ---- its beginning and end ---- */

static enum err link_begin(struct link *l)
{
    struct sftp_answer a;
    if (!(l->client = sftp_client_new())) return ERR_NOMEM;
    TRY(answer_wait(l, &a));
    if (!a.version) return ERR_PROTOCOL;
    if (!sftp_client_has(l->client, SFTP_VERB_LIMITS)) return ERR_NONE;
    TRY(sftp_client_ask(l->client, &(struct sftp_op){.verb = SFTP_VERB_LIMITS}, LIMITS_TAG));
    l->limits_asked_us = clock_us();
    return ERR_NONE;
}

enum err link_open(int fd_in, int fd_out, struct link **out)
{
    struct link *l = calloc(1, sizeof *l);
    if (!l) return ERR_NOMEM;
    l->in = fd_in, l->out = fd_out;
    l->bulk.fd = l->lane = -1;
    enum err e = link_begin(l);
    if (e != ERR_NONE) {
        link_free(l);
        return e;
    }
    *out = l;
    return ERR_NONE;
}

void link_free(struct link *l)
{
    if (!l) return;
    sftp_client_free(l->client);
    free(l->gather);
    free(l->data);
    free(l);
}
