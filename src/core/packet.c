/* SPDX-License-Identifier: ISC */
/* The binary packet protocol (RFC 4253 6): packets are opened where they arrived and sealed where they leave from. */
#include "impl.h"

static size_t block_of(const struct direction *d)
{
    return d->cipher_alg && d->cipher_alg->block_len > 8 ? d->cipher_alg->block_len : 8;
}

/* Is the length field outside what padding has to fill up (RFC 5647, -etm MACs, chacha20-poly1305)? */
static bool length_apart(const struct direction *d)
{
    return d->cipher_alg && (d->cipher_alg->cls != CIPHER_STREAM || d->mac_alg->etm);
}

static size_t tag_of(const struct direction *d)
{
    if (!d->cipher_alg) return 0;
    return d->cipher_alg->cls == CIPHER_STREAM ? d->mac_alg->tag_len : d->cipher_alg->tag_len;
}

static size_t padding_of(const struct direction *d, size_t payload)
{
    size_t block = block_of(d), head = length_apart(d) ? 1 : 5;
    size_t pad = block - (head + payload) % block;
    return pad < 4 ? pad + block : pad;
}

size_t packet_size(const struct direction *d, size_t payload)
{
    return 5 + payload + padding_of(d, payload) + tag_of(d);
}

size_t packet_overhead(const struct conn *c)
{
    return 5 + 4 + block_of(&c->tx) + tag_of(&c->tx);
}

void direction_clear(struct direction *d)
{
    if (d->cipher) d->cipher_alg->free(d->cipher);
    if (d->mac) d->mac_alg->free(d->mac);
    d->cipher = NULL, d->mac = NULL;
    d->cipher_alg = NULL, d->mac_alg = NULL;
}

/* Random bytes from a small store. */
static enum err pad_fill(struct conn *c, uint8_t *p, size_t n)
{
    if (n > c->pad_left) {
        TRY(random_fill(&c->setup.random, c->pad, sizeof c->pad));
        c->pad_left = sizeof c->pad;
    }
    c->pad_left -= n;
    memcpy(p, c->pad + c->pad_left, n);
    return ERR_NONE;
}

/* ---- opening ---- */

static size_t packet_max(const struct conn *c)
{
    /* A client takes banners of any size that OpenSSH sends, from a server whose host key it has accepted. */
    bool banner = c->setup.role == ROLE_CLIENT && (c->stage == STAGE_SERVICE || c->stage == STAGE_AUTH);
    return c->stage == STAGE_OPEN || banner ? PACKET_MAX : PACKET_PREAUTH_MAX;
}

/* Must what is wrong with a packet stay hidden? In CBC without an -etm MAC (CVE-2008-5161): a block of an earlier packet, sent in
 * place of the next one, is decrypted as a length field, and its first bytes show by how the receiver reacts. */
static bool hides(const struct direction *d)
{
    return d->cipher_alg && d->cipher_alg->chained && !d->mac_alg->etm;
}

/* So long is every bad packet, whatever made it bad: read whole before anything is said. No good one is longer. */
static size_t refused_size(const struct direction *d)
{
    return 4 + PACKET_MAX + d->mac_alg->tag_len;
}

/* 1: a < b. Without a branch; both below 2^63. */
static uint64_t below(uint64_t a, uint64_t b)
{
    return (a - b) >> 63;
}

/* Puts a length that no packet can have out of sight: a random one that a packet can have takes its place, and the packet goes on to
 * fail as its MAC would. Chosen without a branch. */
static enum err length_hide(struct conn *c, uint32_t len)
{
    uint8_t raw[4];
    uint64_t block = block_of(&c->rx), least = 16, most = (packet_max(c) + 4) / block * block;   /* with the length field */
    TRY(pad_fill(c, raw, sizeof raw));
    uint64_t whole = (uint64_t)len + 4, other = least + get_u32(raw) % ((most - least) / block + 1) * block;
    uint64_t bad = below(whole, least) | below(most, whole) | below(0, whole & (block - 1));
    c->in_made_up = 0 - (uint32_t)bad;
    c->in_len = (len & ~c->in_made_up) | ((uint32_t)(other - 4) & c->in_made_up);
    return ERR_NONE;
}

/* Reads the packet length at in_head. A STREAM cipher's first block is decrypted for it, once. */
static enum err open_length(struct conn *c, uint32_t *out)
{
    struct direction *d = &c->rx;
    uint8_t *p = c->in + c->in_head;
    if (!d->cipher_alg || length_apart(d)) {
        if (d->cipher_alg && d->cipher_alg->cls == CIPHER_AEAD_CRYPT_LEN) return d->cipher_alg->length(d->cipher, d->seq, p, out);
        *out = get_u32(p);
        return ERR_NONE;
    }
    if (!c->in_block_open) {
        TRY(d->cipher_alg->crypt(d->cipher, p, block_of(d)));
        c->in_block_open = true;
        if (hides(d)) TRY(length_hide(c, get_u32(p)));
    }
    *out = hides(d) ? c->in_len : get_u32(p);
    return ERR_NONE;
}

/* Checks and decrypts the whole packet p[0..4+len) with its tag behind it. One failure for everything: MAC. */
static enum err open_body(struct conn *c, uint8_t *p, size_t len)
{
    struct direction *d = &c->rx;
    if (!d->cipher_alg) return ERR_NONE;
    if (d->cipher_alg->cls != CIPHER_STREAM)
        return d->cipher_alg->open(d->cipher, d->seq, p, 4 + len) == VERDICT_GOOD ? ERR_NONE : ERR_MAC;
    uint8_t tag[MAC_TAG_MAX];
    size_t done = d->mac_alg->etm ? 4 : block_of(d);
    if (!d->mac_alg->etm) TRY(d->cipher_alg->crypt(d->cipher, p + done, 4 + len - done));
    TRY(d->mac_alg->tag(d->mac, d->seq, p, 4 + len, tag));
    enum verdict v = bytes_verify(tag, p + 4 + len, d->mac_alg->tag_len);
    wipe(tag, sizeof tag);
    if (v != VERDICT_GOOD || c->in_made_up) return ERR_MAC;
    return d->mac_alg->etm ? d->cipher_alg->crypt(d->cipher, p + 4, len) : ERR_NONE;
}

/* The one end of every bad packet that hides: its fixed size has come, a MAC runs over all of it. */
static enum err refused_end(struct conn *c, const uint8_t *p, size_t avail)
{
    struct direction *d = &c->rx;
    uint8_t tag[MAC_TAG_MAX];
    c->in_need = refused_size(d);
    if (avail < c->in_need) return ERR_NONE;
    TRY(d->mac_alg->tag(d->mac, d->seq, p, 4 + PACKET_MAX, tag));
    wipe(tag, sizeof tag);
    return ERR_MAC;
}

static enum err inflate(struct conn *c, struct payload *io)
{
    struct span room = {c->scratch_in, PACKET_MAX};
    size_t n;
    TRY(c->rx.compress_alg->run(c->rx.compress, bytes_of(io->p, io->n), room, &n));
    if (n == 0) return ERR_LENGTH;
    *io = (struct payload){c->scratch_in, n};
    return ERR_NONE;
}

enum err packet_open(struct conn *c, struct payload *out, bool *have)
{
    struct direction *d = &c->rx;
    size_t avail = c->in_tail - c->in_head, block = block_of(d), tag = tag_of(d);
    size_t first = d->cipher_alg && !length_apart(d) ? block : 4;
    *have = false;
    c->in_need = first;
    if (avail < first) return ERR_NONE;
    uint8_t *p = c->in + c->in_head;
    if (c->in_refused) return refused_end(c, p, avail);
    uint32_t len = 0;
    TRY(open_length(c, &len));
    /* RFC 4253 6: room for the padding length, 4 bytes of padding and 1 of payload; a multiple of the block. */
    size_t padded = length_apart(d) ? len : (size_t)len + 4;
    if (len < 6 || len > packet_max(c) || padded % block || padded < block) {
        c->facts.failure_msg = len;
        return ERR_LENGTH;
    }
    size_t whole = 4 + (size_t)len + tag;
    c->in_need = whole;
    if (avail < whole) return ERR_NONE;
    enum err e = open_body(c, p, len);
    if (e == ERR_MAC && hides(d)) {
        c->in_refused = true;
        return refused_end(c, p, avail);
    }
    TRY(e);
    size_t pad = p[4];
    if (pad < 4 || pad + 2 > len) return ERR_PADDING;
    c->in_block_open = false;
    c->in_head += whole, c->in_view = whole;
    c->in_need = 0;
    struct payload got = {p + 5, len - pad - 1};
    if (d->compress) TRY(inflate(c, &got));
    d->seq++, d->packets++, d->bytes += whole;
    c->facts.packets_in++, c->facts.bytes_in += whole;
    c->packets_since_newkeys++;
    *out = got, *have = true;
    return ERR_NONE;
}

/* ---- sealing ---- */

size_t out_room(struct conn *c)
{
    if (c->out_head == c->out_tail) {
        c->out_head = c->out_tail = 0;
    } else if (c->out_head > OUT_BUFFER / 2 && c->out_tail - c->out_head < OUT_BUFFER / 8) {
        memmove(c->out, c->out + c->out_head, c->out_tail - c->out_head);
        c->out_tail -= c->out_head, c->out_head = 0;
    }
    return OUT_BUFFER - c->out_tail;
}

/* packet[5..5+payload) holds the payload: adds length, padding and tag. */
enum err packet_seal_at(struct conn *c, uint8_t *packet, size_t payload)
{
    struct direction *d = &c->tx;
    size_t pad = padding_of(d, payload), n = 5 + payload + pad;
    put_u32(packet, (uint32_t)(n - 4));
    packet[4] = (uint8_t)pad;
    TRY(pad_fill(c, packet + 5 + payload, pad));
    if (d->cipher_alg && d->cipher_alg->cls != CIPHER_STREAM) {
        TRY(d->cipher_alg->seal(d->cipher, d->seq, packet, n));
    } else if (d->cipher_alg) {
        bool etm = d->mac_alg->etm;
        if (!etm) TRY(d->mac_alg->tag(d->mac, d->seq, packet, n, packet + n));
        TRY(d->cipher_alg->crypt(d->cipher, packet + (etm ? 4 : 0), n - (etm ? 4 : 0)));
        if (etm) TRY(d->mac_alg->tag(d->mac, d->seq, packet, n, packet + n));
    }
    size_t whole = n + tag_of(d);
    d->seq++, d->packets++, d->bytes += whole;
    c->facts.packets_out++, c->facts.bytes_out += whole;
    return ERR_NONE;
}

uint8_t *packet_begin(struct conn *c, size_t max)
{
    size_t need = max + packet_overhead(c) + (c->tx.compress ? max / 100 + 64 : 0);
    if (out_room(c) < need) return NULL;
    return c->tx.compress ? c->scratch_out : c->out + c->out_tail + 5;
}

enum err packet_end(struct conn *c, size_t n)
{
    uint8_t *packet = c->out + c->out_tail;
    if (c->tx.compress) {
        struct span room = {packet + 5, OUT_BUFFER - c->out_tail - packet_overhead(c)};
        size_t made;
        TRY(c->tx.compress_alg->run(c->tx.compress, bytes_of(c->scratch_out, n), room, &made));
        n = made;
    }
    TRY(packet_seal_at(c, packet, n));
    c->out_tail += packet_size(&c->tx, n);
    return ERR_NONE;
}

/* ---- messages ---- */

/* RFC 4253 7.1: between our KEXINIT and our NEWKEYS only transport and key exchange messages leave. */
static bool must_wait(const struct conn *c, uint8_t number)
{
    bool transport = number < MSG_SERVICE_REQUEST || (number >= MSG_KEXINIT && number < MSG_USERAUTH_REQUEST);
    return !transport && (c->kex_out || !pend_empty(c));
}

struct wr msg_begin(struct conn *c, uint8_t number)
{
    struct wr w;
    c->msg_queued = must_wait(c, number);
    if (c->msg_queued) {
        w = c->pend;
        c->msg_mark = wr_begin(&w);
    } else {
        size_t max = out_room(c), over = packet_overhead(c) + (c->tx.compress ? OUT_BUFFER / 64 : 0);
        max = max > over ? max - over : 0;
        uint8_t *p = packet_begin(c, max);
        if (c->tx.compress && max > PACKET_MAX) max = PACKET_MAX;
        w = wr_span((struct span){p, p ? max : 0});
    }
    wr_u8(&w, number);
    return w;
}

enum err msg_end(struct conn *c, struct wr *w)
{
    if (c->msg_queued) {
        wr_end(w, c->msg_mark);
        enum err e = wr_done(w);
        c->pend = *w;
        c->pend.err = ERR_NONE;
        if (e == ERR_NONE) trace_add(c, TRACE_SENT, c->pend.p[c->msg_mark + 4], (uint32_t)(w->n - c->msg_mark - 4), (struct bytes){0});
        else c->pend.n = c->msg_mark;
        return e == ERR_NOSPACE ? ERR_BUDGET : e;
    }
    TRY(wr_done(w));
    uint8_t number = w->p[0];
    size_t n = w->n;
    TRY(packet_end(c, n));
    trace_add(c, TRACE_SENT, number, (uint32_t)n, (struct bytes){0});
    return ERR_NONE;
}

enum err msg_simple(struct conn *c, uint8_t number)
{
    struct wr w = msg_begin(c, number);
    return msg_end(c, &w);
}

enum err pend_flush(struct conn *c)
{
    while (!c->kex_out && !pend_empty(c)) {
        size_t n = get_u32(c->pend.p + c->pend_head);
        uint8_t *p = packet_begin(c, n);
        if (!p) return ERR_NONE;
        memcpy(p, c->pend.p + c->pend_head + 4, n);
        TRY(packet_end(c, n));
        c->pend_head += 4 + n;
    }
    if (pend_empty(c)) wipe(c->pend.p, c->pend.n), c->pend.n = c->pend_head = 0;
    return ERR_NONE;
}
