/* SPDX-License-Identifier: ISC */
/* AuthorizedKeysCommand and AuthorizedPrincipalsCommand (sshd_config(5)). This is a reader: it has become the user whom the administrator named
 * for the program, with that user's groups and no others (CVE-2021-41617), and gives an answer of one fixed size. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <paths.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/parse.h"
#include "conf/sshd.h"
#include "conf/token.h"
#include "os/spawn.h"
#include "os/user.h"
#include "priv/helpers.h"
#include "sshd/keyfile.h"

#define ARGS_MAX 64
#define ARGS_BYTES_MAX (1U << 18)       /* all arguments together; keys in base64 are long */

struct command {
    const char *what, *text;            /* "AuthorizedKeysCommand", its value */
    const char *set;                    /* tokens it knows */
    char *argv[ARGS_MAX + 2];
    size_t n;
};

static void complain(struct keys_answer *out, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void complain(struct keys_answer *out, const char *fmt, ...)
{
    char text[sizeof out->note];
    va_list ap;
    if (out->note[0]) return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    escape_str(bytes_str(text), out->note, sizeof out->note);
    out->is_error = true;
}

/* ---- arguments ---- */

static const char *base64(struct bytes b)
{
    struct wr w = wr_heap(2 * b.n + 16);
    base64_write(&w, b);
    wr_u8(&w, 0);
    return wr_done(&w) == ERR_NONE ? (const char *)w.p : NULL;
}

/* The first string of a blob that was parsed elsewhere; a name of an algorithm, or it is not given to a program. */
static const char *type_name(struct bytes blob)
{
    if (blob.n < 4 || get_u32(blob.p) > blob.n - 4 || get_u32(blob.p) > ASK_NAME_MAX) return NULL;
    struct bytes name = bytes_of(blob.p + 4, get_u32(blob.p));
    return text_printable(name) ? bytes_dup_str(name) : NULL;
}

static const char *number(const char *fmt, ...) PRINTF_LIKE(1, 2);
static const char *number(const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    return n < 0 ? NULL : text;
}

/* Nothing is freed: this process lives for one answer. A token without a value, as a key id with a NUL in it, refuses the command. */
static void tokens_fill(const struct keys_question *q, struct tokens *t)
{
    static char print[64];
    const struct link_ends *l = q->link;
    const struct judge_say *c = q->cert;
    blob_fingerprint(q->blob, q->conf->fingerprint_hash, print);
    t->t['C'] = number("%s %u %s %u", l->client_addr, l->client_port, l->server_addr, l->server_port);
    t->t['D'] = "";
    t->t['U'] = number("%lu", (unsigned long)q->account->uid);
    t->t['u'] = q->account->name;
    t->t['h'] = q->account->home;
    t->t['t'] = type_name(q->blob);
    t->t['k'] = base64(q->blob);
    t->t['f'] = c ? c->fingerprint : print;
    if (!c) return;
    t->t['F'] = c->ca_fingerprint;
    t->t['T'] = type_name(bytes_of(c->ca, c->ca_n));
    t->t['K'] = base64(bytes_of(c->ca, c->ca_n));
    t->t['i'] = bytes_dup_str(bytes_of(c->key_id, c->key_id_n));
    t->t['s'] = number("%llu", (unsigned long long)c->serial);
}

static bool argument_add(struct command *c, const char *word, const struct tokens *t, struct keys_answer *out)
{
    struct wr w = wr_heap(ARGS_BYTES_MAX);
    const char *bad = "too long";
    enum err e = ERR_NONE;
    if (c->n == 0 || !t) wr_text(&w, word);     /* the program's own name is no place for what a peer sent */
    else e = token_expand(word, c->set, t, 0, NULL, &w, &bad);
    wr_u8(&w, 0);
    if (e != ERR_NONE || wr_done(&w) != ERR_NONE || c->n == ARGS_MAX) {
        complain(out, "%s \"%s\": bad argument \"%s\": %s", c->what, c->text, word, bad ? bad : "too many");
        return false;
    }
    c->argv[c->n++] = (char *)w.p;
    return true;
}

/* sshd_config(5): without arguments, the name of the user is the one. */
static bool arguments_make(struct command *c, const struct keys_question *q, struct keys_answer *out)
{
    struct wr words = wr_heap(ARGS_BYTES_MAX);
    struct tokens t = {{0}};
    size_t count = 0;
    tokens_fill(q, &t);
    if (conf_split(bytes_str(c->text), false, &words, &count) != ERR_NONE || count == 0) {
        complain(out, "%s \"%s\" contains invalid quotes or no program", c->what, c->text);
        return false;
    }
    const char *word = (const char *)words.p;
    for (size_t i = 0; i < count; i++, word += strlen(word) + 1)
        if (!argument_add(c, word, &t, out)) return false;
    return count > 1 || argument_add(c, q->account->name, NULL, out);
}

/* ---- the program ---- */

static NORETURN void program_run(const struct command *c, const struct account *as, int to)
{
    const int keep[3] = {-1, to, -1};
    const char *lang = getenv("LANG");
    char *const env[] = {(char *)(uintptr_t)number("PATH=%s", _PATH_STDPATH), (char *)(uintptr_t)number("USER=%s", as->name),
                         (char *)(uintptr_t)number("LOGNAME=%s", as->name), (char *)(uintptr_t)number("HOME=%s", as->home),
                         lang ? (char *)(uintptr_t)number("LANG=%s", lang) : NULL, NULL};
    if (spawn_keep_fds(keep, 3) != ERR_NONE || limits_restore() != ERR_NONE) _exit(127);
    spawn_signals_default();
    execve(c->argv[0], c->argv, env);
    _exit(127);
}

/* All that is still said, so that a program is not ended by a pipe that closes. False: too much. */
static bool drain(int fd)
{
    static char buf[65536];
    for (size_t total = 0; total <= KEYS_FILE_MAX;) {
        ssize_t n = read(fd, buf, sizeof buf);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return true;
        total += (size_t)n;
    }
    return false;
}

static bool ended_well(const struct command *c, pid_t pid, struct keys_answer *out)
{
    int status = 0;
    if (child_wait(pid, &status) != ERR_NONE) return false;
    if (WIFSIGNALED(status)) complain(out, "%s %s exited on signal %d", c->what, c->argv[0], WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0) complain(out, "%s %s failed, status %d", c->what, c->argv[0], WEXITSTATUS(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void program_ask(const struct command *c, const struct keys_question *q, struct key_options *options, struct keys_answer *out)
{
    int p[2];
    if (pipe2(p, O_CLOEXEC) != 0) return;
    pid_t pid = fork();
    if (pid == 0) program_run(c, q->runner, p[1]);
    close(p[1]);
    if (pid < 0) {
        complain(out, "%s: fork: %s", c->what, strerror(errno));
        return;
    }
    if (q->source == KEYS_COMMAND) keyfile_search(p[0], q, options, out);
    else keyfile_principals(p[0], q, options, out);
    bool whole = drain(p[0]);
    close(p[0]);
    if (!whole) complain(out, "%s %s says too much", c->what, c->argv[0]);
    if (!whole) kill(pid, SIGKILL);
    if (!ended_well(c, pid, out) || !whole) out->found = VERDICT_BAD;
}

void keycommand_answer(const struct keys_question *q, struct key_options *options, struct keys_answer *out)
{
    bool keys = q->source == KEYS_COMMAND;
    char why[PATH_MAX + 128];
    struct command c = {
        .what = keys ? "AuthorizedKeysCommand" : "AuthorizedPrincipalsCommand",
        .text = keys ? q->conf->authorized_keys_command : q->conf->authorized_principals_command,
        .set = keys ? token_set_keys_command : token_set_principals_command};
    if (!keys && !q->cert) return;
    if (!arguments_make(&c, q, out)) return;
    snprintf(out->file, sizeof out->file, "%s", c.what);
    if (c.argv[0][0] != '/') complain(out, "%s path is not absolute", c.what);
    else if (program_check(c.argv[0], why, sizeof why) != ERR_NONE) complain(out, "Unsafe %s \"%s\": %s", c.what, c.argv[0], why);
    else program_ask(&c, q, options, out);
}
