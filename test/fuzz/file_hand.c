/* SPDX-License-Identifier: ISC */
/* The line between sshd's face and the file hand, both ways: each end holds the other for taken over. And the desk, which stands between a peer
 * and that hand, against anything from both. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kit/file_desk.h"
#include "kit/files.h"
#include "targets.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)

/* What was read can be written, and is then read the same. */
static void op_check(struct bytes message)
{
    struct sftp_op op, again;
    struct wr w CLEANUP(wr_clear) = wr_heap(SFTP_MESSAGE_MAX), twice CLEANUP(wr_clear) = wr_heap(SFTP_MESSAGE_MAX);
    if (sftp_op_parse(message, &op) != ERR_NONE || op.verb == SFTP_VERB_WRITE) return;
    MUST(op.path.n + op.path2.n + op.handle.n + op.handle2.n + op.text.n + op.uids.n + op.gids.n <= message.n);
    sftp_op_write(&w, &op);
    MUST(wr_done(&w) == ERR_NONE && sftp_op_parse(bytes_of(w.p + 4, w.n - 4), &again) == ERR_NONE);
    sftp_op_write(&twice, &again);
    MUST(again.verb == op.verb && bytes_equal(wr_bytes(&w), wr_bytes(&twice)) && files_fds_needed(op.verb) <= 2);
}

static void result_check(struct bytes message, enum sftp_verb verb)
{
    struct sftp_result r, again;
    struct wr w CLEANUP(wr_clear) = wr_heap(2 * SFTP_MESSAGE_MAX);
    if (sftp_result_parse(message, verb, &r) != ERR_NONE) return;
    MUST(r.kind == SFTP_STATUS || r.kind == sftp_rows[verb].reply);
    if (r.kind == SFTP_DATA) return;
    sftp_result_write(&w, &r);
    MUST(wr_done(&w) == ERR_NONE && sftp_result_parse(bytes_of(w.p + 4, w.n - 4), verb, &again) == ERR_NONE && again.id == r.id);
}

/* First byte: 0 a greeting, 1 requests as strings, else answers as strings, to the verb that the second byte names. */
void fuzz_files_line(struct bytes in)
{
    struct files_hello hello;
    if (in.n < 2) return;
    struct rd r = rd_init(bytes_of(in.p + 2, in.n - 2));
    unsigned which = in.p[0] % 3;
    if (which == 0 && files_hello_parse(bytes_of(in.p + 1, in.n - 1), &hello) == ERR_NONE) MUST(in.n - 1 == FILES_HELLO);
    while (which > 0 && r.n > 0 && r.err == ERR_NONE) {
        struct bytes one = rd_string(&r);
        if (which == 1) op_check(one);
        else result_check(one, in.p[1] % SFTP_VERB_COUNT);
    }
}

bool seed_files_line(unsigned i, struct wr *out)
{
    static const uint8_t rest[] = {1, 0, 0, 0, 0, 0, 0, 0, 3};
    if (i > 2 * SFTP_VERB_COUNT) return false;
    if (i == 0) {
        wr_u8(out, 0), wr_raw(out, bytes_of(rest, sizeof rest));
        return true;
    }
    enum sftp_verb verb = (enum sftp_verb)((i - 1) / 2);
    wr_u8(out, (uint8_t)(1 + i % 2)), wr_u8(out, (uint8_t)verb);
    const struct sftp_op op = {.verb = verb, .id = 9, .path = BYTES_LIT("/a"), .path2 = BYTES_LIT("b"), .handle = BYTES_LIT("1234"), .length = 1,
                               .handle2 = BYTES_LIT("5678"), .text = BYTES_LIT("sha256"), .uids = BYTES_LIT("\0\0\0\1")};
    const struct sftp_result result = {.kind = sftp_rows[verb].reply, .id = 9, .handle = BYTES_LIT("h"), .data = BYTES_LIT("\0\0\0\1x"),
                                       .text = BYTES_LIT("sha256")};
    if (i % 2 == 0) sftp_op_write(out, &op);
    else sftp_result_write(out, &result);
    return true;
}

/* ---- the desk ---- */

enum { DO_PEER, DO_ANSWER, DO_FILE, DO_FILL, DO_HOLD, DO_WORK, DOS };

struct hand {
    unsigned asked;
    bool gone;
};

static bool ask(void *ctx, const struct sftp_op *op, const int fds[2])
{
    struct hand *h = ctx;
    MUST(op->verb < SFTP_VERB_COUNT && h->asked < DESK_ASKED_MAX + DESK_OPENS_MAX);
    for (unsigned i = 0; i < files_fds_needed(op->verb); i++) MUST(fds[i] >= 0);
    h->asked++;
    return !h->gone;
}

/* As the face takes it: a file where one was asked for, if the hand brought one. */
static bool answer(struct desk *d, struct hand *h, struct bytes one, int file)
{
    struct sftp_result result;
    enum sftp_verb verb;
    if (desk_verb_due(d, &verb) != ERR_NONE) {
        MUST(h->asked == 0);
        return false;
    }
    if (sftp_result_parse(one, files_answers_fd(verb) ? SFTP_VERB_OPEN : verb, &result) != ERR_NONE) return false;
    int fd = result.kind == SFTP_HANDLE && files_answers_fd(verb) && file >= 0 ? dup(file) : -1;
    h->asked--;
    return desk_answer(d, &result, fd) == ERR_NONE;
}

static void fill(struct desk *d, size_t n, bool all)
{
    uint8_t *room = malloc(n ? n : 1);
    const struct span rooms[2] = {{room, n / 2}, {room + n / 2, n - n / 2}};
    MUST(room && desk_fill(d, rooms, 2, all) <= n);
    free(room);
}

static void desk_walk(struct desk *d, struct hand *h, struct rd *in, int file)
{
    bool good = true;
    while (good && in->n > 0 && in->err == ERR_NONE) {
        switch (rd_u8(in) % DOS) {
        case DO_PEER: good = desk_input(d, rd_string(in)) == ERR_NONE; break;
        case DO_ANSWER: good = answer(d, h, rd_string(in), -1); break;
        case DO_FILE: good = answer(d, h, rd_string(in), file); break;
        case DO_FILL: fill(d, (size_t)rd_u8(in) * 64, rd_bool(in)); break;
        case DO_HOLD: desk_hold(d, rd_bool(in)); break;
        default: if (desk_working(d)) desk_work(d); break;
        }
    }
    for (int i = 0; i < 100 && desk_wants(d) > 0; i++) fill(d, 70000, true);
}

void fuzz_desk(struct bytes in)
{
    unsigned left = 8;
    struct hand h = {0};
    struct rd r = rd_init(in);
    const struct desk_setup setup = {.read_only = rd_bool(&r), .fds_left = &left, .ask = ask, .ctx = &h};
    int file = memfd_create("fuzz", MFD_CLOEXEC);
    struct desk *d = desk_new(&setup);
    MUST(d && file >= 0 && ftruncate(file, 100000) == 0);
    desk_walk(d, &h, &r, file);
    desk_free(d, NULL);
    MUST(left == 8);
    close(file);
}

static void say(struct wr *w, const struct sftp_op *op)
{
    struct wr m CLEANUP(wr_clear) = wr_heap(5000);
    sftp_op_write(&m, op);
    wr_u8(w, DO_PEER), wr_string(w, wr_bytes(&m));
}

static void reply(struct wr *w, unsigned how, const struct sftp_result *r)
{
    struct wr m CLEANUP(wr_clear) = wr_heap(5000);
    sftp_result_write(&m, r);
    wr_u8(w, (uint8_t)how), wr_string(w, bytes_of(m.p + 4, m.n - 4));
}

bool seed_desk(unsigned i, struct wr *out)
{
    static const enum sftp_verb verbs[] = {SFTP_VERB_READ, SFTP_VERB_FSTAT, SFTP_VERB_CHECK_FILE_HANDLE, SFTP_VERB_FSETSTAT, SFTP_VERB_CLOSE};
    static const uint8_t handle[] = {0, 0, 0, 0, 0, 0, 0, 1};
    if (i >= COUNT_OF(verbs)) return false;
    wr_bool(out, false);
    wr_u8(out, DO_PEER), wr_string(out, BYTES_LIT("\0\0\0\5\1\0\0\0\3"));
    say(out, &(struct sftp_op){.verb = SFTP_VERB_OPEN, .path = BYTES_LIT("x"), .flags = SSH_FXF_READ});
    say(out, &(struct sftp_op){.verb = SFTP_VERB_OPENDIR, .id = 1, .path = BYTES_LIT("d")});
    reply(out, DO_FILE, &(struct sftp_result){.kind = SFTP_HANDLE, .handle = BYTES_LIT("1234")});
    reply(out, DO_ANSWER, &(struct sftp_result){.kind = SFTP_STATUS, .id = 1, .status = SSH_FX_NO_SUCH_FILE});
    say(out, &(struct sftp_op){.verb = verbs[i], .id = 2, .handle = bytes_of(handle, sizeof handle), .length = 5000, .text = BYTES_LIT("sha256"),
                               .block = 256});
    wr_u8(out, DO_WORK), wr_u8(out, DO_FILL), wr_u8(out, 200), wr_bool(out, true);
    return true;
}
