/* SPDX-License-Identifier: ISC */
#include "face.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/jail.h"
#include "os/spawn.h"

#define PAGE 4096

static struct face face;        /* .bss: untouched pages cost nothing */
static union say say_in ALIGNED(PAGE);
union ask face_ask_out ALIGNED(PAGE);

#define MICROSECONDS 1000000u

/* ---- the end ---- */

/* The only way out is _exit: the frames below this one carry the nursery's canary. */
NORETURN static void bye_send(struct face *f, struct ask_bye *bye)
{
    (void)!ask_send(f->chan, bye, -1);
    _exit(0);
}

NORETURN void face_bye(struct face *f, enum bye_why why, enum err e)
{
    const struct conn_facts *facts = conn_facts(f->conn);
    struct ask_bye bye = {.type = ASK_BYE, .why = why, .err = (uint32_t)e};
    bye.by_peer = facts->failure_by_peer, bye.msg = facts->failure_msg;
    bye.ident_done = facts->ident_peer.n > 0;
    FIELD_SET(&bye, text, facts->peer_offer);
    FIELD_SET(&bye, where, bytes_str(facts->failure_where));
    bye_send(f, &bye);
}

static void failed(struct face *f, enum err e)
{
    int why = pump_socket_errno(f->pump);
    if (e == ERR_BY_APPLICATION) face_bye(f, BYE_TOLD, e);
    if (e == ERR_PEER_GONE) face_bye(f, why == ECONNRESET ? BYE_RESET : BYE_CLOSED, e);
    /* The DISCONNECT went out before the socket closes; unread input would turn that into a reset. */
    face_bye(f, BYE_ERROR, e);
}

static void disconnected(struct face *f, const struct event *ev)
{
    struct ask_bye bye = {.type = ASK_BYE, .why = BYE_DISCONNECT, .reason = ev->disconnect.reason, .ident_done = 1};
    FIELD_SET(&bye, text, ev->disconnect.text);
    bye_send(f, &bye);
}

void face_ask(struct face *f, const void *msg)
{
    if (ask_send(f->chan, msg, -1) != ERR_NONE) _exit(0);      /* no warden, no connection */
}

void face_flush(struct face *f)
{
    struct pollfd p = {.fd = f->out, .events = POLLOUT};
    pump_flush(f->pump);
    if (conn_output_peek(f->conn).n > 0) (void)ppoll(&p, 1, NULL, NULL);
    if (p.revents & (POLLERR | POLLNVAL)) _exit(0);
}

void face_answer(struct face *f, uint32_t question, bool yes)
{
    const struct answer a = {.type = yes ? ANSWER_YES : ANSWER_NO};
    if (question == QUESTION_START) f->start_pending = false;
    else if (question != 0) (void)!conn_answer(f->conn, question, &a);
}

/* A session stands, from now on little is said: what login and key exchange needed goes back. */
void face_trim(void)
{
    (void)madvise(&face_ask_out, sizeof face_ask_out & ~(size_t)(PAGE - 1), MADV_DONTNEED);
    (void)madvise(&say_in, sizeof say_in & ~(size_t)(PAGE - 1), MADV_DONTNEED);
    (void)malloc_trim(0);
}

/* ---- what the conn asks ---- */

static void ident_tell(struct face *f)
{
    struct bytes ident = conn_facts(f->conn)->ident_peer;
    struct ask_ident ask = {.type = ASK_IDENT};
    if (f->ident_sent || ident.n == 0) return;
    FIELD_SET(&ask, text, ident);
    face_ask(f, &ask);
    f->ident_sent = true;
}

static void event_take(struct face *f, const struct event *ev)
{
    switch (ev->type) {
    case EV_SIGN: face_sign(f, ev); return;
    case EV_AUTH_TRY: face_auth_try(f, ev); return;
    case EV_GEX_GROUP: face_gex(f, ev); return;
    case EV_DISCONNECTED: disconnected(f, ev); return;
    default: face_channel_event(f, ev); return;
    }
}

/* ---- what the warden says ---- */

static void banner_add(struct face *f, const struct say_banner *say)
{
    struct bounded text = FIELD(say, text);
    if (!f->banner.p) f->banner = wr_heap(BANNER_MAX);
    if (text.err == ERR_NONE) wr_raw(&f->banner, text.b);
}

static void say_take(struct face *f, const union say *s, const int fds[3])
{
    switch ((enum say_type)s->type) {
    case SAY_SIGNED: face_signed(f, &s->SIGNED); return;
    case SAY_BANNER: banner_add(f, &s->BANNER); return;
    case SAY_EXT: face_ext(f, &s->EXT); return;
    case SAY_AUTH: face_auth_say(f, &s->AUTH); return;
    case SAY_REPLY: face_reply(f, &s->REPLY); return;
    case SAY_STARTED: face_started(f, &s->STARTED, fds); return;
    case SAY_EXIT: face_exit(f, &s->EXIT); return;
    case SAY_CONNECTED: face_connected(f, &s->CONNECTED, fds[0]); return;
    case SAY_LISTENING: face_listening(f, &s->LISTENING); return;
    case SAY_ACCEPTED: face_accepted(f, &s->ACCEPTED, fds[0]); return;
    case SAY_PROVED: face_proved(f, &s->PROVED); return;
    case SAY_GROUP: face_group(f, &s->GROUP); return;
    case SAY_END: conn_disconnect(f->conn, s->END.reason, bytes_str(s->END.text)); return;
    case SAY_COUNT: return;
    }
}

void face_hear(struct face *f)
{
    int fds[3];
    for (;;) {
        enum err e = say_recv(f->chan, &say_in, false, fds);
        if (e == ERR_AGAIN) return;
        if (e != ERR_NONE) _exit(0);        /* the warden is gone: so are we */
        bool stands = say_in.type == SAY_STARTED;
        say_take(f, &say_in, fds);
        if (stands) face_trim();
    }
}

/* ---- what is due at some time ---- */

void face_alarm(struct face *f)
{
    uint64_t at = face_eof_due(f, 0), limit = face_limits_due(f, 0);
    if (limit < at) at = limit;
    if (f->alive_at_us && f->alive_at_us < at) at = f->alive_at_us;
    if (f->work_at_us && f->work_at_us < at) at = f->work_at_us;
    pump_alarm(f->pump, at);
}

/* ---- client alive (ClientAliveInterval, ClientAliveCountMax) ---- */

static void alive_plan(struct face *f, uint64_t now_us)
{
    if (f->policy.client_alive_s == 0) return;
    f->alive_at_us = now_us + (uint64_t)f->policy.client_alive_s * MICROSECONDS;
    face_alarm(f);
}

static void alive_check(struct face *f, uint64_t now_us)
{
    static const struct global_request keepalive = {.type = GLOBAL_OTHER, .want_reply = true, .name = {(const uint8_t *)"keepalive@openssh.com", 21}};
    if (!f->authenticated || f->policy.client_alive_s == 0) return;
    uint64_t packets = conn_facts(f->conn)->packets_in;
    if (packets != f->packets_seen) f->packets_seen = packets, f->alive_missed = 0;
    else if (f->alive_missed >= f->policy.client_alive_max) face_bye(f, BYE_ALIVE, ERR_TIMEOUT);
    if (now_us >= f->alive_at_us) {
        if (conn_global(f->conn, &keepalive, 0) == ERR_NONE) f->alive_missed++;
        alive_plan(f, now_us);
    }
}

static void time_passed(struct face *f, uint64_t now_us)
{
    (void)face_eof_due(f, now_us);
    (void)face_limits_due(f, now_us);
    if (f->work_at_us && now_us >= f->work_at_us) face_files_work(f);
    alive_check(f, now_us);
    face_alarm(f);
}

/* ---- the loop ---- */

NORETURN static void loop(struct face *f)
{
    bool planned = false;
    for (;;) {
        struct pump_ready r;
        enum err e = pump_next(f->pump, NULL, &r);
        ident_tell(f);
        face_trace(f);
        if (e != ERR_NONE) failed(f, e);
        switch (r.what) {
        case PUMP_EVENT: event_take(f, &r.event); break;
        case PUMP_FD:
            if (r.fd == f->chan) face_hear(f);
            else face_files_line(f, r.fd);
            break;
        case PUMP_ROOM: face_files_room(f, r.event.chan); break;
        case PUMP_TIME: time_passed(f, clock_us()); break;
        case PUMP_SOURCES_ENDED: face_sources_ended(f, r.event.chan); break;
        case PUMP_SIGNAL: case PUMP_FILTERED: case PUMP_DRAINED: break;
        }
        if (f->authenticated && !planned) planned = true, alive_plan(f, clock_us());
        if (f->limits) face_alarm(f);
    }
}

/* Its own pidfd first: by it the warden can end this process, whatever happens to process numbers meanwhile. */
static void hello(struct face *f)
{
    struct ask_hello ask = {.type = ASK_HELLO};
    int self;
    if (pidfd_of(getpid(), &self) != ERR_NONE) _exit(2);
    if (ask_send(f->chan, &ask, self) != ERR_NONE) _exit(0);
    close(self);
}

NORETURN void face_run(const struct net_setup *s, int in, int out, int chan)
{
    struct face *f = &face;
    f->setup = s, f->chan = chan, f->out = out, f->fds_left = s->fds_max / 2;
    hello(f);
    if (jail_filter(JAIL_FILTER_FACE) != ERR_NONE) _exit(2);
    f->conn = conn_new(&s->conn);
    if (!f->conn) _exit(2);
    f->pump = pump_new(f->conn, in, out, in == out ? PUMP_FD_SOCKET : PUMP_FD_BLOCKING);
    if (!f->pump || pump_watch(f->pump, chan, POLLIN) != ERR_NONE) _exit(2);
    loop(f);
}
