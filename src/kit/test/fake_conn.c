/* SPDX-License-Identifier: ISC */
#include "fake_conn.h"

#include <assert.h>
#include <stdlib.h>

#define IN_CAP    524288
#define OUT_CAP   393216
#define CONTROL   65536             /* of it bulk never takes that */
#define HEAD      12                /* type, stream, two spare; channel; length */
#define ROOM_MAX  32768

enum packet { P_DATA, P_ADJUST, P_EOF, P_CLOSE, P_EOW };

struct fake_channel {
    bool open, eof_due, close_due, eof_sent, close_sent, close_got, eow, eow_sent;
    uint32_t window_out, window_in, window, unconsumed, adjust;
};

struct conn {
    struct conn_facts facts;
    uint8_t in[IN_CAP], out[OUT_CAP], inflated[ROOM_MAX];
    size_t in_at, in_n, out_at, out_n;
    struct fake_channel chan[FAKE_CHANNELS];
    size_t reserved;                /* rooms handed out and not committed */
    struct span room[64];
    bool peer_closed, hold, mute_eow;
    unsigned idled;
    enum err failed;
};

struct conn *fake_conn_new(uint32_t window, bool compressed)
{
    static const struct compress_alg any = {.name = "fake"};
    struct conn *c = calloc(1, sizeof(*c));
    for (size_t i = 0; c && i < FAKE_CHANNELS; i++) c->chan[i].window = window;
    if (c && compressed) c->facts.compress_in = &any;
    return c;
}

void conn_free(struct conn *c)
{
    free(c);
}

void fake_channel(struct conn *c, uint32_t chan)
{
    struct fake_channel *ch = &c->chan[chan];
    *ch = (struct fake_channel){.open = true, .window = ch->window, .window_in = ch->window, .window_out = ch->window};
}

void fake_hold(struct conn *c, bool hold)
{
    c->hold = hold;
}

size_t fake_unconsumed(const struct conn *c, uint32_t chan)
{
    return c->chan[chan].unconsumed;
}

void fake_mute_eow(struct conn *c)
{
    c->mute_eow = true;
}

bool fake_eow_sent(const struct conn *c, uint32_t chan)
{
    return c->chan[chan].eow;
}

unsigned fake_idled(const struct conn *c)
{
    return c->idled;
}

struct span conn_input_reserve(struct conn *c)
{
    assert(!c->reserved);
    if (c->in_at) memmove(c->in, c->in + c->in_at, c->in_n);
    c->in_at = 0;
    return (struct span){c->in + c->in_n, IN_CAP - c->in_n};
}

void conn_input_commit(struct conn *c, size_t n)
{
    if (n == 0) c->peer_closed = true;
    c->in_n += n;
}

struct bytes conn_output_peek(const struct conn *c)
{
    return (struct bytes){c->out + c->out_at, c->out_n};
}

void conn_output_consume(struct conn *c, size_t n)
{
    assert(n <= c->out_n && !c->reserved);
    c->out_at += n, c->out_n -= n;
    if (c->out_n == 0) c->out_at = 0;
}

static size_t out_left(struct conn *c, size_t keep)
{
    if (c->out_at && !c->reserved) {
        memmove(c->out, c->out + c->out_at, c->out_n);
        c->out_at = 0;
    }
    size_t used = c->out_n + keep;
    return used < OUT_CAP ? OUT_CAP - used : 0;
}

static void put(struct conn *c, enum packet type, uint32_t chan, uint32_t n)
{
    assert(out_left(c, 0) >= HEAD);
    uint8_t *p = c->out + c->out_at + c->out_n;
    p[0] = (uint8_t)type, p[1] = p[2] = p[3] = 0;
    put_u32(p + 4, chan), put_u32(p + 8, n);
    c->out_n += HEAD;
}

static void flush_channels(struct conn *c)
{
    for (uint32_t i = 0; i < FAKE_CHANNELS; i++) {
        struct fake_channel *ch = &c->chan[i];
        if (!ch->open || out_left(c, 0) < 4 * HEAD) continue;
        if (ch->adjust >= ch->window / 2) {
            put(c, P_ADJUST, i, ch->adjust);
            ch->window_in += ch->adjust, ch->adjust = 0;
        }
        if (ch->eow && !ch->eow_sent && !c->mute_eow) put(c, P_EOW, i, 0), ch->eow_sent = true;
        if (ch->eof_due && !ch->eof_sent) put(c, P_EOF, i, 0), ch->eof_sent = true;
        if (ch->close_due && !ch->close_sent) put(c, P_CLOSE, i, 0), ch->close_sent = true;
    }
}

static bool take_data(struct conn *c, struct fake_channel *ch, const uint8_t *p, uint32_t n, struct event *out)
{
    assert(n <= ch->window_in);
    ch->window_in -= n, ch->unconsumed += n;
    out->type = EV_CHANNEL_DATA;
    out->data.stream = (enum stream)p[1];
    out->data.bytes = (struct bytes){p + HEAD, n};
    if (!c->facts.compress_in) return true;
    memcpy(c->inflated, p + HEAD, n);
    out->data.bytes.p = c->inflated;
    return true;
}

/* One packet; true if it made an event. */
static bool take(struct conn *c, const uint8_t *p, struct event *out)
{
    uint32_t chan = get_u32(p + 4), n = get_u32(p + 8);
    struct fake_channel *ch = &c->chan[chan];
    out->chan = chan;
    if (p[0] == P_DATA) return take_data(c, ch, p, n, out);
    if (p[0] == P_ADJUST) ch->window_out += n;
    if (p[0] == P_EOF) out->type = EV_CHANNEL_EOF;
    if (p[0] == P_EOW) out->type = EV_CHANNEL_REQUEST, out->request = (struct channel_request){.type = REQ_EOW};
    if (p[0] == P_CLOSE) ch->close_got = ch->close_due = true;
    return p[0] == P_EOF || p[0] == P_EOW;
}

enum err conn_next(struct conn *c, uint64_t now_us, struct event *out)
{
    (void)now_us;
    assert(!c->reserved);
    *out = (struct event){.type = EV_NONE};
    for (;;) {
        flush_channels(c);
        for (uint32_t i = 0; i < FAKE_CHANNELS; i++) {
            if (!c->chan[i].open || !c->chan[i].close_sent || !c->chan[i].close_got) continue;
            c->chan[i].open = false;
            *out = (struct event){.type = EV_CHANNEL_CLOSED, .chan = i};
            return ERR_NONE;
        }
        size_t n = c->in_n >= HEAD ? HEAD + (c->in[c->in_at] == P_DATA ? get_u32(c->in + c->in_at + 8) : 0) : SIZE_MAX;
        if (n > c->in_n) {
            if (c->peer_closed) c->failed = ERR_PEER_GONE;
            return c->failed;
        }
        const uint8_t *p = c->in + c->in_at;
        c->in_at += n, c->in_n -= n;
        if (take(c, p, out)) return ERR_NONE;
    }
}

unsigned conn_wants(const struct conn *c)
{
    return (c->in_n < IN_CAP ? WANT_READ : 0) | (c->out_n ? WANT_WRITE : 0);
}

uint64_t conn_deadline(const struct conn *c)
{
    (void)c;
    return UINT64_MAX;
}

const struct conn_facts *conn_facts(const struct conn *c)
{
    return &c->facts;
}

size_t chan_reserve_v(struct conn *c, uint32_t chan, enum stream s, size_t head, struct span *out, size_t n)
{
    (void)s;
    assert(!c->reserved);
    struct fake_channel *ch = &c->chan[chan];
    size_t left = out_left(c, CONTROL), window = ch->window_out, made = 0;
    uint8_t *p = c->out + c->out_at + c->out_n;
    if (!ch->open || ch->eof_sent || ch->close_sent || c->hold) return 0;
    while (made < n && made < 64 && left > HEAD + head && window > head) {
        size_t room = left - HEAD < ROOM_MAX ? left - HEAD : ROOM_MAX;
        if (room > window) room = window;
        out[made] = c->room[made] = (struct span){p + HEAD, room};
        made++, p += HEAD + room, left -= HEAD + room, window -= room;
    }
    c->reserved = made;
    return made;
}

void chan_commit(struct conn *c, uint32_t chan, enum stream s, size_t n)
{
    struct fake_channel *ch = &c->chan[chan];
    for (size_t i = 0; i < c->reserved && n; i++) {
        size_t part = n < c->room[i].n ? n : c->room[i].n;
        uint8_t *p = c->room[i].p - HEAD;
        p[0] = P_DATA, p[1] = (uint8_t)s, p[2] = p[3] = 0;
        put_u32(p + 4, chan), put_u32(p + 8, (uint32_t)part);
        c->out_n += HEAD + part, ch->window_out -= (uint32_t)part, n -= part;
    }
    assert(n == 0);
    c->reserved = 0;
}

size_t chan_room(const struct conn *c, uint32_t chan)
{
    const struct fake_channel *ch = &c->chan[chan];
    if (!ch->open || ch->eof_sent || ch->close_sent || c->hold) return 0;
    size_t used = c->out_n + CONTROL + HEAD, left = used < OUT_CAP ? OUT_CAP - used : 0;
    return left < ch->window_out ? left : ch->window_out;
}

void chan_consumed(struct conn *c, uint32_t chan, size_t n)
{
    struct fake_channel *ch = &c->chan[chan];
    assert(n <= ch->unconsumed);
    ch->unconsumed -= (uint32_t)n, ch->adjust += (uint32_t)n;
}

void chan_eof(struct conn *c, uint32_t chan)
{
    c->chan[chan].eof_due = true;
}

void chan_close(struct conn *c, uint32_t chan)
{
    c->chan[chan].close_due = true;
}

void chan_eow(struct conn *c, uint32_t chan)
{
    c->chan[chan].eow = true;
}

bool conn_idle_buffers(struct conn *c, struct span *in, struct span *out)
{
    c->idled++;
    if (c->in_n || c->out_n) return false;
    *in = (struct span){c->in, IN_CAP}, *out = (struct span){c->out, OUT_CAP};
    return true;
}
