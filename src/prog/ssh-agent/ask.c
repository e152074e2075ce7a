/* SPDX-License-Identifier: ISC */
/* Asking a person whether a key may be used: the words, which say who asks and for where, and the askpass program that shows them. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agentd.h"
#include "base/limits.h"
#include "base/text.h"
#include "key/cert.h"
#include "key/known_hosts.h"
#include "os/atomic_file.h"
#include "os/spawn.h"

#define ASKPASS_DEFAULT "/usr/bin/ssh-askpass"
#define NAME_SHOWN_MAX  128

/* ---- the words ---- */

/* The first name under which a known_hosts file has the key. */
static bool name_in(const char *path, struct bytes blob, struct wr *w)
{
    struct secret text CLEANUP(secret_clear) = {0};
    if (file_read(path, CONF_FILE_MAX, false, &text, NULL) != ERR_NONE) return false;
    struct line_walk walk = {.rest = secret_bytes(&text)};
    for (struct bytes line; line_next(&walk, &line);) {
        struct known_line l;
        if (known_line_parse(line, &l) != ERR_NONE || l.hashed || l.marker != KNOWN_PLAIN || !known_line_has_blob(&l, blob)) continue;
        const uint8_t *comma = memchr(l.hosts.p, ',', l.hosts.n);
        if (comma) l.hosts.n = (size_t)(comma - l.hosts.p);
        escape_write(w, l.hosts, "");
        return true;
    }
    return false;
}

static bool known_name_write(struct wr *w, struct bytes blob)
{
    char path[1200];
    const char *home = getenv("HOME");
    const struct passwd *pw = home && *home ? NULL : getpwuid(getuid());
    if (pw) home = pw->pw_dir;
    for (int i = 0; home && i < 2; i++) {
        int n = snprintf(path, sizeof path, "%s/.ssh/known_hosts%s", home, i ? "2" : "");
        if (n > 0 && (size_t)n < sizeof path && name_in(path, blob, w)) return true;
    }
    return name_in(NACRE_SYSCONFDIR "/ssh/ssh_known_hosts", blob, w);
}

static void hop_write(struct wr *w, const struct agent_hop *h, enum fingerprint hash)
{
    struct pubkey *key CLEANUP(pubkey_drop) = NULL;
    if (h->name.n) {
        escape_write(w, h->name, "");
        return;
    }
    if (known_name_write(w, h->hostkey) || pubkey_parse_any(h->hostkey, &key) != ERR_NONE) return;
    wr_text(w, "a host not in known_hosts, key ");
    pubkey_fingerprint_write(w, key, hash);
}

static void way_write(struct wr *w, const struct agent_question *q, enum fingerprint hash)
{
    if (q->hops_n == 0) {
        wr_text(w, q->bind_failed ? "Asked by a program that claimed to act for a host and could not prove it.\n"
                                  : "Asked by a program on this machine that named no host.\n");
        return;
    }
    wr_text(w, "Way: this machine");
    for (size_t i = 0; i < q->hops_n; i++) {
        wr_text(w, " > ");
        hop_write(w, &q->hops[i], hash);
    }
    wr_text(w, q->hops[q->hops_n - 1].forwarding ? " (and whoever can use the agent there)\n" : "\n");
}

static void purpose_write(struct wr *w, const struct agent_question *q)
{
    char text[4 * NAME_SHOWN_MAX];
    bool login = q->purpose == AGENT_FOR_LOGIN;
    struct bytes what = login ? q->user : q->sshsig_namespace;
    if (what.n > NAME_SHOWN_MAX) what.n = NAME_SHOWN_MAX;
    escape_str(what, text, sizeof text);
    if (login) wr_textf(w, "For: login as \"%s\"%s\n", text, q->login_proved ? "" : "; the host is NOT PROVED");
    else if (q->purpose == AGENT_FOR_SSHSIG) wr_textf(w, "For: signing in the namespace \"%s\"\n", text);
    else wr_text(w, "For: data of an unknown kind\n");
}

void ask_text_write(struct wr *w, const struct agent_question *q, enum fingerprint hash)
{
    struct bytes comment = q->comment;
    if (comment.n > NAME_SHOWN_MAX) comment.n = NAME_SHOWN_MAX;
    wr_text(w, "Allow use of key ");
    escape_write(w, comment, "");
    wr_text(w, "?\nKey fingerprint ");
    pubkey_fingerprint_write(w, q->key, hash);
    wr_text(w, ".\n");
    way_write(w, q, hash);
    purpose_write(w, q);
    wr_u8(w, 0);
}

void ask_key_write(struct wr *w, const char *what, const struct agent_question *q, enum fingerprint hash)
{
    struct bytes comment = q->comment;
    if (comment.n > NAME_SHOWN_MAX) comment.n = NAME_SHOWN_MAX;
    wr_text(w, what);
    wr_u8(w, ' ');
    escape_write(w, comment, "");
    wr_u8(w, ' ');
    pubkey_fingerprint_write(w, q->key, hash);
    if (strstr(what, "PIN")) wr_text(w, ": ");
    wr_u8(w, 0);
}

/* ---- the program ---- */

static bool env_set(const char *name)
{
    const char *s = getenv(name);
    return s && *s;
}

/* The rules of ssh(1); an agent has no terminal to fall back on. */
static bool askpass_there(void)
{
    const char *require = getenv("SSH_ASKPASS_REQUIRE");
    if (require && strcasecmp(require, "never") == 0) return false;
    return env_set("DISPLAY") || env_set("WAYLAND_DISPLAY") || (require && strcasecmp(require, "force") == 0);
}

struct exec {
    const char *program, *text;
    char **env;
    int to;
};

static int exec_run(void *p)
{
    const struct exec *e = p;
    const int fds[] = {-1, e->to, STDERR_FILENO};
    spawn_signals_default();
    if (spawn_keep_fds(fds, COUNT_OF(fds)) != ERR_NONE) return 255;
    char *argv[] = {(char *)(uintptr_t)e->program, (char *)(uintptr_t)e->text, NULL};
    execvpe(e->program, argv, e->env);
    return 255;
}

enum err ask_start(enum ask_kind kind, const char *text, struct ask *out)
{
    struct ask a = {.kind = kind, .pidfd = -1};
    int pipes[2];
    if (!askpass_there()) return ERR_NOT_FOUND;
    bool hinted = kind == ASK_TEXT ? unsetenv("SSH_ASKPASS_PROMPT") == 0
                                   : setenv("SSH_ASKPASS_PROMPT", kind == ASK_CONFIRM ? "confirm" : "none", 1) == 0;
    if (!hinted || pipe2(pipes, O_CLOEXEC) != 0) return ERR_SYSTEM;
    (void)fcntl(pipes[0], F_SETFL, O_NONBLOCK);
    struct exec e = {env_set("SSH_ASKPASS") ? getenv("SSH_ASKPASS") : ASKPASS_DEFAULT, text, environ, pipes[1]};
    enum err err = spawn_call(exec_run, &e, &a.pid);
    close(pipes[1]);
    a.pipe = pipes[0];
    if (err == ERR_NONE && (err = pidfd_of(a.pid, &a.pidfd)) != ERR_NONE) {
        int status;
        kill(a.pid, SIGKILL);
        (void)!child_wait(a.pid, &status);
    }
    if (err != ERR_NONE) {
        close(a.pipe);
        return err;
    }
    *out = a;
    return ERR_NONE;
}

static void ask_close(struct ask *a)
{
    close(a->pidfd);
    if (a->pipe >= 0) close(a->pipe);
    a->pid = 0, a->pidfd = -1, a->pipe = -1;
}

/* Status 0; to be confirmed: and nothing said or "yes". */
static bool said_yes(struct ask *a, int status)
{
    size_t n = 0;
    while (n < a->said_n && a->said[n] != '\n' && a->said[n] != '\r') n++;
    a->said_n = n;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return false;
    return a->kind != ASK_CONFIRM || n == 0 || (n == 3 && strncasecmp(a->said, "yes", 3) == 0);
}

/* What is beyond the room is lost, and with it the answer's sense: it only counts as something. */
static void words_read(struct ask *a)
{
    char lost[256];
    for (ssize_t n = 1; n > 0 && a->pipe >= 0;) {
        bool room = a->said_n < sizeof a->said;
        n = read(a->pipe, room ? a->said + a->said_n : lost, room ? sizeof a->said - a->said_n : sizeof lost);
        if (n > 0 && room) a->said_n += (size_t)n;
        if (n != 0) continue;
        close(a->pipe);
        a->pipe = -1;
    }
    wipe(lost, sizeof lost);
}

bool ask_turn(struct ask *a, bool *yes)
{
    int status;
    pid_t done = waitpid(a->pid, &status, WNOHANG);
    words_read(a);
    if (done == 0) return false;
    *yes = done == a->pid && said_yes(a, status);
    ask_close(a);
    return true;
}

void ask_stop(struct ask *a)
{
    int status;
    wipe(a->said, sizeof a->said);
    a->said_n = 0;
    if (a->pid == 0) return;
    kill(a->pid, SIGKILL);
    (void)!child_wait(a->pid, &status);
    ask_close(a);
}
