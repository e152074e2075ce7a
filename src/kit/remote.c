/* SPDX-License-Identifier: ISC */
#include "kit/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/message.h"
#include "os/spawn.h"

#define PIPE_BYTES (1024 * 1024)
#define ARGS_MAX 512
#define LANE_ENV "NACRE_LANE"   /* as ssh's lane.c reads it */
#define LANE_TEXT "3"           /* where start_run() puts it */
#define WORDS_MAX 100           /* of a -D command */

extern char **environ;

static volatile pid_t children[REMOTES_MAX];

/* ---- signals ---- */

static void signal_all(int sig)
{
    for (size_t i = 0; i < REMOTES_MAX; i++)
        if (children[i] > 0) kill(children[i], sig);
}

/* ssh restores the terminal and we go after it. The children that ignore ^C are told as well: they keep SIGTERM. */
static void on_end(int sig)
{
    (void)sig;
    signal_all(SIGTERM);
    for (size_t i = 0; i < REMOTES_MAX; i++)
        while (children[i] > 0 && waitpid(children[i], NULL, 0) < 0 && errno == EINTR) {}
    _exit(1);
}

/* The children stop first, so that the terminal is theirs no more; then we do. */
static void on_stop(int sig)
{
    int saved = errno;
    signal_all(sig);
    for (size_t i = 0; i < REMOTES_MAX; i++) {
        int status;
        while (children[i] > 0 && waitpid(children[i], &status, WUNTRACED) < 0 && errno == EINTR) {}
    }
    kill(getpid(), SIGSTOP);
    signal_all(SIGCONT);
    errno = saved;
}

/* A file beyond the limit for its size fails by itself; the others are copied on. A handler, as what we start shall not inherit it. */
static void on_too_large(int sig)
{
    (void)sig;
}

static void signals_take(bool ignore_interrupt)
{
    struct sigaction end = {.sa_handler = on_end, .sa_flags = SA_RESTART}, stop = {.sa_handler = on_stop, .sa_flags = SA_RESTART}, old;
    int ends[] = {SIGTERM, SIGHUP, SIGINT}, stops[] = {SIGTSTP, SIGTTIN, SIGTTOU};
    for (size_t i = 0; i < (ignore_interrupt ? 2 : 3); i++) {
        if (sigaction(ends[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN) continue;    /* nohup stays nohup */
        (void)sigaction(ends[i], &end, NULL);
    }
    for (size_t i = 0; i < COUNT_OF(stops); i++) (void)sigaction(stops[i], &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, on_too_large);
}

/* ---- starting ---- */

static bool args_add(char **argv, size_t *n, const char *a)
{
    if (*n + 1 >= ARGS_MAX) return false;
    argv[(*n)++] = (char *)(uintptr_t)a;
    argv[*n] = NULL;
    return true;
}

static enum err ssh_args(const struct remote_setup *s, char port[12], char **argv)
{
    size_t n = 0;
    bool ok = args_add(argv, &n, s->program ? s->program : "ssh");
    for (char *const *a = s->args; a && *a; a++) ok = ok && args_add(argv, &n, *a);
    if (s->port) {
        snprintf(port, 12, "%u", s->port);
        ok = ok && args_add(argv, &n, "-p") && args_add(argv, &n, port);
    }
    if (s->user) ok = ok && args_add(argv, &n, "-l") && args_add(argv, &n, s->user);
    if (s->subsystem) ok = ok && args_add(argv, &n, "-s");
    ok = ok && args_add(argv, &n, "--") && args_add(argv, &n, s->host) && args_add(argv, &n, s->command);
    return ok ? ERR_NONE : ERR_TOO_LONG;
}

/* -D: words between blanks, quotes as the shell's. `text` is cut up. */
static enum err words_split(char *text, char **argv)
{
    size_t n = 0;
    for (char *p = text;;) {
        while (*p == ' ' || *p == '\t') p++;
        if (!*p) break;
        char *to = p, quote = 0;
        if (n == WORDS_MAX) return ERR_TOO_LONG;
        argv[n++] = p;
        for (; *p && (quote || (*p != ' ' && *p != '\t')); p++) {
            if (quote ? *p == quote : (*p == '"' || *p == '\'')) quote = quote ? 0 : *p;
            else if (*p == '\\' && p[1] && quote != '\'') *to++ = *++p;
            else *to++ = *p;
        }
        bool last = !*p;
        *to = 0;
        if (last) break;
        p++;
    }
    argv[n] = NULL;
    return n ? ERR_NONE : ERR_USAGE;
}

static enum err pipes_make(int in[2], int out[2])
{
    if (pipe2(in, O_CLOEXEC) != 0) return ERR_SYSTEM;
    if (pipe2(out, O_CLOEXEC) != 0) return ERR_SYSTEM;
    (void)!fcntl(in[0], F_SETPIPE_SZ, PIPE_BYTES);     /* a user whose pipe memory is used up keeps what there is */
    (void)!fcntl(out[1], F_SETPIPE_SZ, PIPE_BYTES);
    /* Our ends are open file descriptions of their own: the child's stay blocking. */
    if (fcntl(in[0], F_SETFL, O_NONBLOCK) != 0 || fcntl(out[1], F_SETFL, O_NONBLOCK) != 0) return ERR_SYSTEM;
    return ERR_NONE;
}

struct start {
    char **argv;
    int exe, in, out, lane;     /* exe -1: argv[0], looked up in PATH */
    bool ignore_interrupt;
    int error;
};

static int start_run(void *p)
{
    struct start *s = p;
    spawn_signals_default();
    if (s->ignore_interrupt) signal(SIGINT, SIG_IGN);
    int keep[5] = {s->in, s->out, 2};
    size_t n = 3;
    if (s->lane >= 0) keep[n++] = s->lane;      /* LANE_FD */
    if (s->exe >= 0) keep[n++] = s->exe;
    if (spawn_keep_fds(keep, n) == ERR_NONE) {
        if (s->exe >= 0) {
            fcntl((int)n - 1, F_SETFD, FD_CLOEXEC);
            fexecve((int)n - 1, s->argv, environ);
        } else {
            execvp(s->argv[0], s->argv);
        }
    }
    s->error = errno;
    return 127;
}

static enum err start(const struct remote_setup *setup, char **argv, int in[2], int out[2], struct remote *r)
{
    struct start s = {.argv = argv, .exe = -1, .lane = -1, .ignore_interrupt = setup->ignore_interrupt};
    size_t slot = 0;
    int status, lane[2] = {-1, -1};
    while (slot < REMOTES_MAX && children[slot]) slot++;
    if (slot == REMOTES_MAX) return ERR_USAGE;
    TRY(pipes_make(in, out));
    s.in = out[0], s.out = in[1];
    if (!setup->server && !setup->program && companion_open("ssh", NULL, &s.exe) != ERR_NONE) s.exe = -1;
    signals_take(setup->ignore_interrupt);
    /* Without one all goes through the pipe. The variable is for this child alone. */
    if (setup->lane && !setup->server && message_pair(lane) == ERR_NONE && setenv(LANE_ENV, LANE_TEXT, 1) == 0) s.lane = lane[1];
    pid_t pid;
    enum err e = spawn_call(start_run, &s, &pid);
    (void)unsetenv(LANE_ENV);
    fd_close(&s.exe);
    fd_close(&lane[1]);
    if (s.lane < 0 || e != ERR_NONE || s.error) fd_close(&lane[0]);
    if (e != ERR_NONE) return e;
    if (s.error) {
        (void)!child_wait(pid, &status);
        errno = s.error;
        return ERR_SYSTEM;
    }
    children[slot] = pid;
    *r = (struct remote){.fd_in = in[0], .fd_out = out[1], .fd_lane = lane[0], .pid = pid};
    in[0] = out[1] = -1;
    return ERR_NONE;
}

enum err remote_start(const struct remote_setup *setup, struct remote *out)
{
    char *argv[ARGS_MAX], port[12], words[4096];
    int in[2] = {-1, -1}, to[2] = {-1, -1};
    if (setup->server) {
        TRY(bytes_to_str(bytes_str(setup->server), words, sizeof words));
        TRY(words_split(words, argv));
    } else {
        TRY(ssh_args(setup, port, argv));
    }
    enum err e = start(setup, argv, in, to, out);
    for (size_t i = 0; i < 2; i++) fd_close(&in[i]), fd_close(&to[i]);
    return e;
}

/* ---- ending ---- */

int remote_end(struct remote *r)
{
    int status = 0;
    fd_close(&r->fd_in);
    fd_close(&r->fd_out);
    fd_close(&r->fd_lane);
    if (r->pid <= 0) return 255;
    enum err e = child_wait(r->pid, &status);
    for (size_t i = 0; i < REMOTES_MAX; i++)
        if (children[i] == r->pid) children[i] = 0;
    r->pid = 0;
    return e == ERR_NONE && WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

int remote_kill(struct remote *r)
{
    if (r->pid > 0) kill(r->pid, SIGTERM);
    return remote_end(r);
}
