/* SPDX-License-Identifier: ISC */
/* ChannelTimeout (ssh_config(5)): a channel over which nothing went for too long is closed; "global": all of them together. */
#include "os/clock.h"
#include "transport.h"

static uint64_t due(uint64_t since_us, uint32_t timeout_s)
{
    return since_us + (uint64_t)timeout_s * 1000000;
}

static uint64_t silent_since(const struct transport *t, uint32_t chan)
{
    uint64_t active = pump_active_us(t->pump, chan);
    return active > t->since_us[chan] ? active : t->since_us[chan];
}

void silence_begin(struct transport *t, uint32_t chan, uint32_t timeout_s)
{
    if (chan >= CHANNELS_MAX)
        return;
    t->since_us[chan] = clock_us();
    t->timeout_s[chan] = timeout_s;
    t->silence = t->silence || timeout_s || t->session.m.u.session.global_timeout_s;
}

void silence_end(struct transport *t, uint32_t chan)
{
    if (chan < CHANNELS_MAX)
        t->since_us[chan] = t->timeout_s[chan] = 0;
}

static void expire(struct transport *t, uint32_t chan)
{
    report_line(t, 2, "channel %u: closing after %u seconds of inactivity", chan, t->timeout_s[chan]);
    silence_end(t, chan);
    t->abandoned[chan] = true;
    t->channels--;
    t->over = t->over || chan == t->chan;
    pump_drop(t->pump, chan);
    chan_close(t->conn, chan);
}

void silence_check(struct transport *t, uint64_t now_us)
{
    uint64_t newest = 0;
    uint32_t global = t->session.m.u.session.global_timeout_s;
    if (!t->silence)
        return;
    for (uint32_t i = 0; i < CHANNELS_MAX; i++) {
        if (t->since_us[i] == 0)
            continue;
        uint64_t since = silent_since(t, i);
        if (since > newest)
            newest = since;
        if (t->timeout_s[i] && due(since, t->timeout_s[i]) <= now_us)
            expire(t, i);
        else if (t->timeout_s[i])
            wake_at(t, due(since, t->timeout_s[i]));
    }
    if (!global || !newest)
        return;
    if (due(newest, global) > now_us)
        wake_at(t, due(newest, global));
    for (uint32_t i = 0; due(newest, global) <= now_us && i < CHANNELS_MAX; i++)
        if (t->since_us[i])
            expire(t, i);
}
