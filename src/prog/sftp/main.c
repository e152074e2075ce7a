/* SPDX-License-Identifier: ISC */
/* sftp: a drop-in for OpenSSH's. It starts ssh, speaks SFTP over its pipes, and takes commands from a person or a file. */
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "shell.h"

volatile sig_atomic_t interrupted;
static struct shell shell;

static void on_interrupt(int sig)
{
    static const char text[] = "\rInterrupt  \n";
    int saved = errno;
    (void)sig;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    interrupted = 1;
    errno = saved;
}

/* ^C at the prompt: the line is forgotten. The editor notices a signal only while it waits for a key: in case it was just about to, it is
 * woken again and again until it gives up the line. */
static void on_interrupt_prompt(int sig)
{
    static const struct itimerval soon = {{0, 20000}, {0, 20000}};
    int saved = errno;
    (void)sig;
    (void)!write(STDOUT_FILENO, "\n", 1);
    interrupted = 1;
    (void)setitimer(ITIMER_REAL, &soon, NULL);
    errno = saved;
}

static void on_alarm(int sig)
{
    (void)sig;
}

static void alarm_ready(void)
{
    struct sigaction a = {.sa_handler = on_alarm};
    sigemptyset(&a.sa_mask);
    sigaction(SIGALRM, &a, NULL);
}

static void alarm_off(void)
{
    static const struct itimerval off;
    (void)setitimer(ITIMER_REAL, &off, NULL);
}

/* ^C where no command runs and nobody types ends us, and ssh with us. */
static void on_interrupt_idle(int sig)
{
    if (shell.remote.pid > 0) (void)kill(shell.remote.pid, SIGTERM);
    _exit(128 + sig > 255 ? 255 : 1);
}

static void interrupts_go_to(void (*handler)(int), bool restart)
{
    struct sigaction a = {.sa_handler = handler, .sa_flags = restart ? SA_RESTART : 0};
    sigemptyset(&a.sa_mask);
    sigaction(SIGINT, &a, NULL);
}

/* ---- beginning ---- */

static void connect_to_server(struct shell *s, const struct options *o)
{
    bool path = o->subsystem && strchr(o->subsystem, '/');
    struct remote_setup setup = {
        .program = o->ssh, .args = (char *const *)o->ssh_args, .user = o->user, .host = o->host, .port = o->port,
        .command = o->subsystem ? o->subsystem : "sftp", .subsystem = !path, .server = o->server, .lane = true, .ignore_interrupt = true,
    };
    if (remote_start(&setup, &s->remote) != ERR_NONE) die("%s: %s", o->server ? o->server : o->ssh ? o->ssh : "ssh", strerror(errno));
    enum err e = link_open(s->remote.fd_in, s->remote.fd_out, &s->link);
    if (e == ERR_NONE) link_set_lane(s->link, s->remote.fd_lane);
    if (e == ERR_NONE) return;
    if (e == ERR_PEER_GONE || e == ERR_SYSTEM) fail("Connection closed");
    else if (e == ERR_TOO_LONG) fail("Received message too long"), fail("Ensure the remote shell produces no output for non-interactive sessions.");
    else fail("Couldn't initialise connection to server");
    (void)remote_kill(&s->remote);
    exit(255);
}

static FILE *input_open(const struct options *o)
{
    if (!o->batch || strcmp(o->batch, "-") == 0) return stdin;
    FILE *f = fopen(o->batch, "re");
    if (!f) die("%s (%s).", strerror(errno), o->batch);
    return f;
}

static void folder_begin(struct shell *s)
{
    uint32_t status = SSH_FX_OK;
    enum err e = link_realpath(s->link, ".", &status, &s->cwd);
    if (e != ERR_NONE) line_broke(s, e);
    if (!s->cwd) die("Need cwd");
    s->start = must(strdup(s->cwd));
}

/* The path on the command line: a folder to begin in, or a file to fetch. */
static enum turn path_begin(struct shell *s, const struct options *o)
{
    char *path = path_absolute(s, o->path);
    if (remote_is_dir(s, path) && !o->path2) {
        if (!s->quiet) tell("Changing to: %s", path);
        struct command cd = {.verb = VERB_CD, .path = path};
        int status = remote_cd(s, &cd);
        free(path);
        return status == 0 ? TURN_ON : TURN_FAILED;
    }
    /* a pattern may stand here, as ever; blanks in it divide no words */
    struct command get = {.verb = VERB_GET, .path = path, .path2 = (char *)(uintptr_t)o->path2};
    interrupts_go_to(on_interrupt, true);
    int status = transfer_get(s, &get);
    free(path);
    return status == 0 ? TURN_QUIT : TURN_FAILED;
}

/* ---- lines ---- */

struct source {
    struct prompt_editor *editor;
    char *line;
    size_t cap;
};

/* The next line; NULL: the end. */
static const char *line_next(struct shell *s, struct source *from)
{
    if (from->editor) {
        const char *line = editor_line(from->editor);
        if (!line && !interrupted) fputc('\n', stdout);
        return line;
    }
    if (s->interactive) fputs("sftp> ", stdout), fflush(stdout);
    ssize_t n = getline(&from->line, &from->cap, s->input);
    if (n < 0) {
        if (s->interactive && !interrupted) fputc('\n', stdout);
        return NULL;
    }
    from->line[strcspn(from->line, "\n")] = 0;
    return from->line;
}

static enum turn lines_run(struct shell *s)
{
    struct source from = {0};
    enum turn turn = TURN_ON;
    alarm_ready();
    if (s->interactive) from.editor = editor_new(s);
    while (turn == TURN_ON) {
        interrupted = 0;
        interrupts_go_to(s->interactive ? on_interrupt_prompt : on_interrupt_idle, false);
        const char *line = line_next(s, &from);
        alarm_off();
        if (interrupted && s->interactive) {        /* also when it came just after the line's end */
            clearerr(s->input);
            continue;
        }
        if (!line) break;
        interrupts_go_to(on_interrupt, true);
        turn = line_run(s, line, s->batch, !s->interactive);
    }
    interrupts_go_to(on_interrupt_idle, false);
    editor_free(from.editor);
    free(from.line);
    return turn;
}

static void options_free(struct options *o)
{
    for (size_t i = 0; i < o->ssh_arg_count; i++) free(o->ssh_args[i]);
    free(o->user);
    free(o->host);
    free(o->path);
}

int main(int argc, char **argv)
{
    struct options o;
    (void)setlocale(LC_CTYPE, "");
    options_parse(argc, argv, &o);
    struct shell *s = &shell;
    s->options = &o;
    s->batch = o.batch != NULL;
    s->quiet = (s->batch || o.quiet_asked) && !o.noisy;
    s->progress = !s->batch && !o.quiet_asked && isatty(STDERR_FILENO);
    s->interactive = !s->batch && isatty(STDIN_FILENO);
    s->input = input_open(&o);
    connect_to_server(s, &o);
    if (!s->quiet) fprintf(stderr, o.server ? "Attached to %s.\n" : "Connected to %s.\n", o.server ? o.server : o.host);
    folder_begin(s);
    setvbuf(stdout, NULL, _IOLBF, 0);
    enum turn turn = o.path ? path_begin(s, &o) : TURN_ON;
    if (turn == TURN_ON) turn = lines_run(s);
    link_free(s->link);
    (void)remote_end(&s->remote);
    ids_free(s);
    free(s->cwd);
    free(s->start);
    if (s->input != stdin) fclose(s->input);
    options_free(&o);
    return turn == TURN_FAILED;
}
