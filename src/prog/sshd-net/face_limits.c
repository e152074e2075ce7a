/* SPDX-License-Identifier: ISC */
/* What the settings of this user say about time and the line, once it is known who it is: ChannelTimeout, UnusedConnectionTimeout,
 * RekeyLimit, IPQoS. */
#include "face.h"
#include "os/clock.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define MICROSECONDS 1000000u

void face_limits_begin(struct face *f)
{
    const struct policy *p = &f->policy;
    const struct conn_setup *s = &f->setup->conn;
    f->unused_since_us = clock_us();
    f->limits = p->unused_timeout_s || p->global_timeout_s;
    if (p->rekey_bytes != s->rekey_bytes || p->rekey_s * MICROSECONDS != s->rekey_us)
        conn_rekey_limits(f->conn, p->rekey_bytes, p->rekey_s * MICROSECONDS);
    face_qos(f);
}

void face_limits_opened(struct face *f, uint32_t chan, uint32_t timeout_s)
{
    f->chans[chan].timeout_s = timeout_s;
    f->chans[chan].since_us = clock_us();
    f->limits = f->limits || timeout_s;
}

/* ---- silence ---- */

static uint64_t silent_since(const struct face *f, uint32_t chan)
{
    uint64_t opened = f->chans[chan].since_us, active = pump_active_us(f->pump, chan);
    return opened > active ? opened : active;
}

/* Of a session what runs is hung up, as if the client had closed; it ends in its own time. */
static void expire(struct face *f, uint32_t chan)
{
    struct face_chan *c = &f->chans[chan];
    c->expired = c->exited = c->ended = c->peer_ended = true;
    c->master = -1, c->eof_at_us = 0;
    face_files_end(f, chan);
    pump_drop(f->pump, chan);
    chan_close(f->conn, chan);
}

/* Open, and not only asked for. */
static bool is_open(const struct face_chan *c)
{
    return c->kind != CHAN_FREE && c->question == 0 && c->pending < 0 && !c->expired;
}

static uint64_t global_due(struct face *f, uint64_t now_us)
{
    uint64_t newest = 0;
    for (uint32_t i = 0; i < CHANS_MAX; i++)
        if (is_open(&f->chans[i]) && silent_since(f, i) > newest) newest = silent_since(f, i);
    if (newest == 0 || f->policy.global_timeout_s == 0) return UINT64_MAX;
    uint64_t at = newest + (uint64_t)f->policy.global_timeout_s * MICROSECONDS;
    for (uint32_t i = 0; at <= now_us && i < CHANS_MAX; i++)
        if (is_open(&f->chans[i])) expire(f, i);
    return at <= now_us ? UINT64_MAX : at;
}

static uint64_t unused_due(struct face *f, uint64_t now_us)
{
    bool used = false;
    for (uint32_t i = 0; i < CHANS_MAX; i++) used = used || f->chans[i].kind != CHAN_FREE;
    if (used || f->policy.unused_timeout_s == 0) return UINT64_MAX;
    uint64_t at = f->unused_since_us + (uint64_t)f->policy.unused_timeout_s * MICROSECONDS;
    if (at <= now_us) face_bye(f, BYE_UNUSED, ERR_TIMEOUT);
    return at;
}

uint64_t face_limits_due(struct face *f, uint64_t now_us)
{
    uint64_t next = UINT64_MAX;
    if (!f->limits) return next;
    for (uint32_t i = 0; i < CHANS_MAX; i++) {
        if (f->chans[i].timeout_s == 0 || !is_open(&f->chans[i])) continue;
        uint64_t at = silent_since(f, i) + (uint64_t)f->chans[i].timeout_s * MICROSECONDS;
        if (at <= now_us) expire(f, i);
        else if (at < next) next = at;
    }
    uint64_t global = global_due(f, now_us), unused = unused_due(f, now_us);
    if (global < next) next = global;
    return unused < next ? unused : next;
}

/* ---- the line ---- */

/* Interactive while a terminal is open; which of the two options the socket knows depends on its family. */
void face_qos(struct face *f)
{
    uint32_t tos = f->policy.tos_bulk;
    for (uint32_t i = 0; i < CHANS_MAX; i++)
        if (f->chans[i].kind == CHAN_SESSION && f->chans[i].has_pty) tos = f->policy.tos_interactive;
    int value = tos > 255 ? 0 : (int)tos;       /* "none": as the system has it */
    if ((uint32_t)value == f->tos) return;
    f->tos = (uint32_t)value;
    (void)setsockopt(f->out, IPPROTO_IP, IP_TOS, &value, sizeof value);
    (void)setsockopt(f->out, IPPROTO_IPV6, IPV6_TCLASS, &value, sizeof value);
}
