/* SPDX-License-Identifier: ISC */
/* Asking whether a key is authorized: the warden's side of the one-shot reader. The warden sees one message of exactly one size, and
 * believes nothing in it before it was checked. */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/text.h"
#include "conf/sshd.h"
#include "os/clock.h"
#include "os/message.h"
#include "os/spawn.h"
#include "os/user.h"
#include "sshd/keyfile.h"
#include "sshd/md5.h"
#include "sshd/sha256.h"

#define READER_MAGIC 0x6b657973616e7377ULL

struct reader_message {
    uint64_t magic;
    struct keys_answer answer;
    struct key_options options;         /* not sent when the answer needs none: they are large, and most lines have none */
};
#define MESSAGE_SHORT offsetof(struct reader_message, options)

static size_t message_size(const struct keys_answer *a)
{
    return a->found == VERDICT_GOOD && !a->plain ? sizeof(struct reader_message) : MESSAGE_SHORT;
}

/* ---- the reader ---- */

/* An invalid account has no user to become: nobody then, who finds nothing. */
static const struct account nobody_account = {.name = "nobody", .home = "/nonexistent", .shell = "/bin/false", .uid = 65534, .gid = 65534};

/* A program that it starts gets the limits of a login instead: those soft ones can be raised again. */
static void reader_limits(void)
{
    static const struct { int which; rlim_t most; } rows[] = {{RLIMIT_CORE, 0}, {RLIMIT_FSIZE, 0}, {RLIMIT_CPU, 30}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct rlimit r;
        if (getrlimit((__rlimit_resource_t)rows[i].which, &r) != 0) continue;
        if (r.rlim_cur > rows[i].most) r.rlim_cur = rows[i].most;
        setrlimit((__rlimit_resource_t)rows[i].which, &r);
    }
}

static bool is_command(const struct keys_question *q)
{
    return q->source == KEYS_COMMAND || q->source == KEYS_PRINCIPALS_COMMAND;
}

/* Whoever the question is about, a command runs as its own user. */
static enum err reader_become(const struct keys_question *q, bool real)
{
    const struct account *nobody = &nobody_account;
    if (is_command(q)) return account_become(q->runner);
    if (real) return account_become(q->account);
    return geteuid() == 0 ? user_become("nobody", nobody->uid, nobody->gid, &nobody->gid, 1) : ERR_NONE;
}

static NORETURN void reader_run(const struct keys_question *q, int sock)
{
    struct keys_question as = *q;
    bool real = q->account->valid && q->allowed;
    struct reader_message *m = calloc(1, sizeof *m);
    const int keep[4] = {-1, -1, -1, sock};
    if (!m || spawn_keep_fds(keep, 4) != ERR_NONE) _exit(1);
    spawn_signals_default();
    reader_limits();
    if (!real) as.account = &nobody_account;
    (void)setsid();                 /* so that what it starts can be ended with it */
    if (reader_become(q, real) != ERR_NONE || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) _exit(1);
    m->magic = READER_MAGIC;
    if (is_command(q)) keycommand_answer(&as, &m->options, &m->answer);
    else keyfile_answer(&as, &m->options, &m->answer);
    if (!real) m->answer = (struct keys_answer){0};
    _exit(message_send(3, m, message_size(&m->answer), NULL, 0, true) == ERR_NONE ? 0 : 1);
}

/* ---- the warden ---- */

static bool text_ended(const char *text, size_t size)
{
    return memchr(text, 0, size) != NULL;
}

static enum err message_check(const struct reader_message *m, size_t n)
{
    if (n < MESSAGE_SHORT || m->magic != READER_MAGIC || n != message_size(&m->answer)) return ERR_FORMAT;
    if (!text_ended(m->answer.file, sizeof m->answer.file) || !text_ended(m->answer.note, sizeof m->answer.note)) return ERR_FORMAT;
    if (n == MESSAGE_SHORT) return ERR_NONE;
    return key_options_check(&m->options) == VERDICT_GOOD ? ERR_NONE : ERR_FORMAT;
}

static enum err answer_read(int sock, unsigned timeout_ms, struct reader_message *m)
{
    struct message got;
    TRY(message_wait(sock, clock_us() + (uint64_t)timeout_ms * 1000));
    TRY(message_recv(sock, m, sizeof *m, false, &got));
    message_close_fds(&got);
    return message_check(m, got.n);
}

/* group: with whatever it has started. */
static void child_end(pid_t pid, bool group)
{
    int status;
    if (group) kill(-pid, SIGKILL);
    kill(pid, SIGKILL);         /* our own, not yet waited for: the number cannot be another's */
    if (child_wait(pid, &status) != ERR_NONE) return;
}

enum err keys_ask(const struct keys_question *q, struct key_options *options, struct keys_answer *out)
{
    int pair[2];
    if (q->blob.n == 0 || q->blob.n > PUBKEY_BLOB_MAX) return ERR_TOO_LONG;
    struct reader_message *m = calloc(1, sizeof *m);
    if (!m) return ERR_NOMEM;
    enum err e = message_pair(pair);
    if (e != ERR_NONE) {
        free(m);
        return e;
    }
    pid_t pid = fork();
    if (pid == 0) reader_run(q, pair[1]);
    close(pair[1]);
    e = pid > 0 ? answer_read(pair[0], q->timeout_ms, m) : ERR_SYSTEM;
    close(pair[0]);
    if (pid > 0) child_end(pid, e != ERR_NONE);
    if (e == ERR_NONE) {
        bool good = m->answer.found == VERDICT_GOOD && q->account->valid && q->allowed;
        m->answer.found = good ? VERDICT_GOOD : VERDICT_BAD;
        if (good && m->answer.plain) key_options_init(options);
        if (good && !m->answer.plain) *options = m->options;
        *out = m->answer;
    }
    free(m);
    return e;
}

static void md5_fingerprint(struct bytes blob, char out[64])
{
    uint8_t digest[16];
    size_t n = (size_t)snprintf(out, 64, "MD5");
    md5_sum(blob, digest);
    for (size_t i = 0; i < sizeof digest; i++) n += (size_t)snprintf(out + n, 64 - n, ":%02x", digest[i]);
}

void blob_fingerprint(struct bytes blob, int how, char out[64])
{
    uint8_t digest[32];
    struct wr w = wr_span((struct span){(uint8_t *)out, 64});
    if (how == CONF_FP_MD5) {
        md5_fingerprint(blob, out);
        return;
    }
    sha256_sum(blob, digest);
    wr_text(&w, "SHA256:");
    base64_write(&w, bytes_of(digest, sizeof digest));
    out[w.n < 64 ? w.n : 63] = 0;
    char *pad = strchr(out, '=');
    if (pad) *pad = 0;
}
