/* SPDX-License-Identifier: ISC */
/* A client and a server conn in one process, joined by hand, with the simplest programs at both ends: log in by key, run a command,
 * send a pattern both ways. A failed expectation ends the test. */
#ifndef CORE_TEST_PAIR_H
#define CORE_TEST_PAIR_H

#include "core/conn.h"
#include "key/key.h"

struct end {
    struct conn *c;
    struct wr got;              /* data received, hashed by sum */
    uint64_t received, sent, sum, expect_sum;
    uint32_t chan;
    bool opened, eof, closed, peer_closed, done_auth;
    uint32_t exit_status, kex_count, replies;
    enum err error;
};

struct pair {
    struct end client, server;
    struct privkey *hostkey, *userkey;
    struct conn_hostkey hk;
    uint64_t now;
    bool silent;                /* the client wants no reply to its exec, the server keeps the answer back: */
    uint32_t held;              /* its question */
};

/* One end; unset lists are all that is built. */
struct conn *pair_conn(struct pair *p, enum role role, const struct conn_setup *how);
void pair_start(struct pair *p, const struct conn_setup *how);
void pair_stop(struct pair *p);

/* Both ends until nothing moves, `total` bytes each way, at most `cut` a delivery; the command then ends with 7. */
void pair_run(struct pair *p, uint64_t total, size_t cut);
/* All of that came to pass. */
void pair_check(struct pair *p, uint64_t total);
/* Turn both ends until they stand still. */
void pair_settle(struct pair *p);
/* Up to where one side asks `type`; its question stays open. */
struct event pair_stop_at(struct pair *p, struct end *e, enum event_type type);

/* Turn one end until it stands still; something happened. */
bool end_crank(struct pair *p, struct end *e);
bool end_carry(struct end *from, struct end *to, size_t most);
void end_yes(struct end *e, const struct event *ev);
/* The next trace of that type, the others before it dropped. */
bool end_traced(struct conn *c, enum trace_type type, struct trace *out);

#endif
