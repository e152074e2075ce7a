/* SPDX-License-Identifier: ISC */
/* Both ends of SFTP against any bytes in any cuts. A model of handles and of what was asked tells what must never happen. */
#include <stdlib.h>

#include "sftp/client.h"
#include "sftp/server.h"
#include "targets.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)

static uint32_t dice(uint32_t *seed, uint32_t sides)
{
    *seed ^= *seed << 13, *seed ^= *seed >> 17, *seed ^= *seed << 5;
    return *seed % sides;
}

/* ---- F-SFTPS ---- */

#define SLOTS 5
#define LATER 64

struct model {
    struct sftp_server *s;
    uint32_t seed;
    struct { bool used, directory, closing; } slots[SLOTS];
    struct { uint32_t id; enum sftp_verb verb; unsigned slot; } later[LATER];
    unsigned waiting;
    uint64_t write_next;    /* where the next part of a WRITE must lie */
    bool writing;
};

/* What leaves is whole messages of known types. */
static void replies_check(struct model *m)
{
    struct bytes out = sftp_server_peek(m->s);
    size_t n = out.n;
    while (out.n) {
        MUST(out.n >= 9 && get_u32(out.p) + 4 <= out.n && get_u32(out.p) <= SFTP_MESSAGE_MAX);
        uint8_t type = out.p[4];
        MUST(type == SSH_FXP_VERSION || (type >= SSH_FXP_STATUS && type <= SSH_FXP_ATTRS) || type == SSH_FXP_EXTENDED_REPLY);
        size_t k = get_u32(out.p) + 4;
        out.p += k, out.n -= k;
    }
    sftp_server_consume(m->s, n);
}

static void answer(struct model *m, unsigned i)
{
    uint32_t id = m->later[i].id;
    enum sftp_verb verb = m->later[i].verb;
    unsigned slot = m->later[i].slot, n = 0;
    m->later[i] = m->later[--m->waiting];
    if (verb == SFTP_VERB_CLOSE) {
        m->slots[slot].used = m->slots[slot].closing = false;
        sftp_server_close(m->s, slot);
    } else if (sftp_rows[verb].reply == SFTP_HANDLE && dice(&m->seed, 4)) {
        while (n < SLOTS && m->slots[n].used) n++;
        MUST(n < SLOTS);    /* the engine lets no more through than there is room for */
        m->slots[n].used = true, m->slots[n].directory = verb == SFTP_VERB_OPENDIR;
        sftp_server_open(m->s, id, n, verb == SFTP_VERB_OPENDIR);
        return;
    } else if (verb == SFTP_VERB_READ && dice(&m->seed, 2)) {
        replies_check(m);
        sftp_server_answered(m->s, id);
        return;
    }
    sftp_server_status(m->s, id, dice(&m->seed, 9));
}

static void slot_check(const struct model *m, unsigned slot, enum sftp_verb verb)
{
    MUST(slot < SLOTS && m->slots[slot].used && !m->slots[slot].closing);
    if (verb != SFTP_VERB_CLOSE) MUST(m->slots[slot].directory == (verb == SFTP_VERB_READDIR));
}

static void op_take(struct model *m, const struct sftp_event *ev)
{
    const char *letters = sftp_rows[ev->op.verb].letters;
    bool write = ev->type == SFTP_EV_WRITE;
    MUST(write == (ev->op.verb == SFTP_VERB_WRITE));
    if (strchr(letters, 'h') && !(write && m->writing)) slot_check(m, ev->slot, ev->op.verb);
    if (strchr(letters, 'j')) slot_check(m, ev->slot2, ev->op.verb);
    MUST(ev->op.path.n < SFTP_PATH_MAX && (ev->op.path.n == 0 || !memchr(ev->op.path.p, 0, ev->op.path.n)));
    if (write) {
        MUST(!m->writing || ev->op.offset == m->write_next);
        m->write_next = ev->op.offset + ev->data.n;
        m->writing = !ev->last;
        if (!ev->last) return;
    }
    MUST(m->waiting < LATER);
    m->later[m->waiting].id = ev->op.id, m->later[m->waiting].verb = ev->op.verb, m->later[m->waiting++].slot = ev->slot;
    if (ev->op.verb == SFTP_VERB_CLOSE) m->slots[ev->slot].closing = true;
}

void fuzz_sftp_server(struct bytes in)
{
    if (in.n < 2) return;
    struct sftp_server_setup setup = {.read_only = in.p[0] & 1, .refused = in.p[0] & 2 ? 1ULL << SFTP_VERB_STAT : 0, .handles_max = SLOTS};
    struct model m = {.s = sftp_server_new(&setup), .seed = 1U + in.p[1]};
    struct sftp_event ev;
    if (!m.s) return;
    for (size_t at = 2;;) {
        size_t left = in.n - at, n = left ? dice(&m.seed, (uint32_t)(left < 400 ? left : 400)) + 1 : 0, used;
        uint8_t *exact = malloc(n ? n : 1);     /* an overread shows at the edge */
        if (!exact) break;
        if (n) memcpy(exact, in.p + at, n);
        enum err e = sftp_server_next(m.s, bytes_of(exact, n), &used, &ev);
        MUST(used <= n);
        if (e == ERR_NONE && (ev.type == SFTP_EV_OP || ev.type == SFTP_EV_WRITE)) op_take(&m, &ev);
        free(exact);
        at += used;
        while (m.waiting && (m.waiting == LATER || dice(&m.seed, 3))) answer(&m, dice(&m.seed, m.waiting));
        replies_check(&m);
        if (e != ERR_NONE || (at == in.n && ev.type == SFTP_EV_NONE)) break;
    }
    while (m.waiting) answer(&m, 0);
    replies_check(&m);
    sftp_server_free(m.s);
}

static void init_write(struct wr *w, uint8_t type)
{
    wr_u32(w, 5), wr_u8(w, type), wr_u32(w, 3);
}

bool seed_sftp_server(unsigned i, struct wr *out)
{
    static const uint8_t handle[] = {0, 0, 0, 0, 0, 0, 0, 1};
    if (i >= SFTP_VERB_COUNT) return false;
    struct sftp_op op = {.verb = SFTP_VERB_OPEN, .path = BYTES_LIT("/tmp/x"), .flags = SSH_FXF_READ};
    wr_raw(out, bytes_of((uint8_t[]){0, (uint8_t)i}, 2));
    init_write(out, SSH_FXP_INIT);
    if (i == SFTP_VERB_READDIR) op.verb = SFTP_VERB_OPENDIR;
    sftp_op_write(out, &op);
    op = (struct sftp_op){.verb = (enum sftp_verb)i, .id = i, .path = BYTES_LIT("/a"), .path2 = BYTES_LIT("b"), .handle = bytes_of(handle, 8),
                          .handle2 = bytes_of(handle, 8), .flags = SSH_FXF_READ, .length = 20, .block = 256, .text = BYTES_LIT("sha256"),
                          .uids = BYTES_LIT("\0\0\0\0"), .attrs = {.flags = 15}};
    for (unsigned k = 0; k < 2; k++) {
        sftp_op_write(out, &op);
        if (i == SFTP_VERB_WRITE) wr_text(out, "01234567890123456789");
    }
    sftp_op_write(out, &(struct sftp_op){.verb = SFTP_VERB_CLOSE, .handle = bytes_of(handle, 8)});
    return true;
}

/* ---- F-SFTPC ---- */

#define ASKED 48

struct asker {
    struct sftp_client *c;
    bool open[ASKED];
    uint32_t seed;
};

static void asks(struct asker *a)
{
    for (unsigned i = 0; i < ASKED; i++) {
        enum sftp_verb verb = (enum sftp_verb)(i % SFTP_VERB_COUNT);
        struct sftp_op op = {.verb = verb, .path = BYTES_LIT("p"), .handle = BYTES_LIT("h"), .handle2 = BYTES_LIT("j"), .length = 100};
        if (a->open[i] || !sftp_client_can_ask(a->c)) continue;
        enum err e = sftp_client_ask(a->c, &op, i);
        MUST(e == ERR_NONE || (e == ERR_UNSUPPORTED && !sftp_client_has(a->c, verb)));
        a->open[i] = e == ERR_NONE;
        sftp_client_data_sent(a->c, sftp_client_data_due(a->c));
    }
    sftp_client_consume(a->c, sftp_client_peek(a->c).n);
}

static void answer_check(struct asker *a, const struct sftp_answer *got)
{
    struct bytes names = got->result.names;
    struct sftp_name n;
    uint32_t count = 0;
    if (got->version) return;
    MUST(got->tag < ASKED && a->open[got->tag] && got->verb == got->tag % SFTP_VERB_COUNT);
    a->open[got->tag] = false;
    MUST(got->result.kind == SFTP_STATUS || got->result.kind == sftp_rows[got->verb].reply);
    if (got->result.kind == SFTP_NAME) {
        while (sftp_name_next(&names, &n)) (void)sftp_name_plain(n.name), count++;
        MUST(count == got->result.count && count && (got->verb == SFTP_VERB_READDIR || count == 1));
    }
    MUST(got->result.kind != SFTP_DATA || (got->result.data.n && got->result.data.n <= 100 && sftp_client_data_left(a->c) == got->result.data.n));
}

/* Takes replies until more bytes are needed; false: the server is not to be trusted. */
static bool answers(struct asker *a)
{
    for (;;) {
        struct sftp_answer got;
        while (sftp_client_data_left(a->c)) {
            size_t n = sftp_client_data_peek(a->c).n;
            if (n == 0) return true;
            sftp_client_data_taken(a->c, dice(&a->seed, (uint32_t)n) + 1);
        }
        if (sftp_client_next(a->c, &got) != ERR_NONE) return false;
        if (!got.ready) return true;
        answer_check(a, &got);
        asks(a);
    }
}

void fuzz_sftp_client(struct bytes in)
{
    if (in.n < 1) return;
    struct asker a = {.c = sftp_client_new(), .seed = 1U + in.p[0]};
    if (!a.c) return;
    sftp_client_consume(a.c, sftp_client_peek(a.c).n);
    for (size_t at = 1; at < in.n;) {
        struct span room = sftp_client_reserve(a.c);
        size_t n = dice(&a.seed, 300) + 1;
        if (n > in.n - at) n = in.n - at;
        MUST(room.n >= n);
        memcpy(room.p, in.p + at, n);
        sftp_client_commit(a.c, n);
        at += n;
        if (!answers(&a)) break;
    }
    MUST(sftp_client_asked(a.c) <= ASKED);
    sftp_client_free(a.c);
}

bool seed_sftp_client(unsigned i, struct wr *out)
{
    if (i >= 18) return false;
    struct wr names CLEANUP(wr_clear) = wr_heap(1000);
    sftp_name_write(&names, &(struct sftp_name){.name = BYTES_LIT("n"), .longname = BYTES_LIT("-rw- n"), .attrs = {.flags = 15}});
    struct sftp_result r = {.kind = sftp_rows[i].reply, .id = 4096 | i, .handle = BYTES_LIT("h"), .data = BYTES_LIT("data"), .count = 1,
                            .names = wr_bytes(&names)};
    wr_u8(out, (uint8_t)i);
    init_write(out, SSH_FXP_VERSION);
    sftp_result_write(out, &r);
    r.id += ASKED;
    sftp_result_write(out, &r);
    return true;
}
