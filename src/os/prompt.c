/* SPDX-License-Identifier: ISC */
#include "os/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define ASKPASS_DEFAULT "/usr/bin/ssh-askpass"

/* ---- who is to ask ---- */

struct manner {
    bool askpass_allowed, askpass_wanted;
};

static bool env_set(const char *name)
{
    const char *s = getenv(name);
    return s && *s;
}

/* The rules of ssh(1): a display allows askpass; SSH_ASKPASS_REQUIRE bends them. */
static struct manner manner_from_env(void)
{
    struct manner m = {.askpass_allowed = env_set("DISPLAY") || env_set("WAYLAND_DISPLAY")};
    const char *require = getenv("SSH_ASKPASS_REQUIRE");
    if (!require) return m;
    if (strcasecmp(require, "force") == 0) m.askpass_allowed = m.askpass_wanted = true;
    if (strcasecmp(require, "prefer") == 0) m.askpass_wanted = m.askpass_allowed;
    if (strcasecmp(require, "never") == 0) m.askpass_allowed = false;
    return m;
}

/* ---- the terminal ---- */

/* A signal that comes while echo is off is noted, and raised again when the terminal is as it was. All but the two that
   the terminal calls themselves cause are held back except while we wait: one that came between a look at `arrived` and
   the wait would be noted, and the wait go on for ever. */
static const int caught[] = {SIGALRM, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU};
static volatile sig_atomic_t arrived[NSIG];

static void note_signal(int sig)
{
    arrived[sig] = 1;
}

struct quiet {                      /* the state to go back to */
    int in;
    bool changed;
    struct termios mode;
    struct sigaction actions[COUNT_OF(caught)];
    sigset_t mask;
};

static void quiet_begin(struct quiet *q, int in, bool echo)
{
    *q = (struct quiet){.in = in};
    struct sigaction note = {.sa_handler = note_signal};
    sigset_t held;
    sigemptyset(&held);
    for (size_t i = 0; i < COUNT_OF(caught); i++) {
        arrived[caught[i]] = 0;
        sigaction(caught[i], &note, &q->actions[i]);
        if (caught[i] != SIGTTIN && caught[i] != SIGTTOU) sigaddset(&held, caught[i]);
    }
    sigprocmask(SIG_BLOCK, &held, &q->mask);
    if (echo || tcgetattr(in, &q->mode) != 0) return;
    struct termios off = q->mode;
    off.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    q->changed = true;
    while (tcsetattr(in, TCSAFLUSH, &off) != 0 && errno == EINTR && !arrived[SIGTTOU]) {}
}

/* True: only stopping signals came, and we are back in the foreground: ask again. */
static bool quiet_end(struct quiet *q)
{
    bool again = false;
    bool raise_any = false;
    if (q->changed)
        while (tcsetattr(q->in, TCSAFLUSH, &q->mode) != 0 && errno == EINTR && !arrived[SIGTTOU]) {}
    sigprocmask(SIG_SETMASK, &q->mask, NULL); /* what was held back is noted now */
    for (size_t i = 0; i < COUNT_OF(caught); i++) sigaction(caught[i], &q->actions[i], NULL);
    for (size_t i = 0; i < COUNT_OF(caught); i++) {
        int sig = caught[i];
        if (!arrived[sig]) continue;
        kill(getpid(), sig);
        if (sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU) again = true;
        else raise_any = true;
    }
    return again && !raise_any;
}

static bool any_arrived(void)
{
    for (size_t i = 0; i < COUNT_OF(caught); i++)
        if (arrived[caught[i]]) return true;
    return false;
}

/* A terminal is read first (a background process is stopped by that), another descriptor only when it is readable. */
static ssize_t byte_read(const struct quiet *q, char *c)
{
    struct pollfd poll = {.fd = q->in, .events = POLLIN};
    bool look = !isatty(q->in);
    for (;;) {
        ssize_t got = -1;
        if (look && ppoll(&poll, 1, NULL, &q->mask) < 0) {
            if (errno == EINTR && !any_arrived()) continue;
            return -1;
        }
        got = read(q->in, c, 1);
        if (got >= 0 || any_arrived() || (errno != EAGAIN && errno != EINTR)) return got;
        look = true;
    }
}

/* One line, a byte at a time: what follows it on a pipe belongs to the next question. */
static enum err line_read(const struct quiet *q, struct secret *room, size_t *n)
{
    *n = 0;
    for (;;) {
        char c;
        ssize_t got = byte_read(q, &c);
        if (got < 0) return ERR_DENIED;
        if (got == 0 || c == '\n' || c == '\r') return ERR_NONE;
        if (*n < room->n) room->p[(*n)++] = (uint8_t)c;
    }
}

static void show(int out, const char *text)
{
    size_t n = strlen(text);
    while (n) {
        ssize_t k = write(out, text, n);
        if (k < 0 && errno == EAGAIN && poll(&(struct pollfd){.fd = out, .events = POLLOUT}, 1, -1) > 0) continue;
        if (k < 0 && errno == EINTR && !any_arrived()) continue;
        if (k <= 0) return;
        text += k, n -= (size_t)k;
    }
}

static enum err ask_on(int in, int out, const struct prompt *p, struct secret *answer)
{
    struct secret room CLEANUP(secret_clear) = {0};
    enum err e;
    size_t n;
    TRY(secret_new(&room, PROMPT_ANSWER_MAX));
    for (bool again = true; again;) {
        struct quiet q;
        quiet_begin(&q, in, p->echo);
        show(out, p->text);
        e = line_read(&q, &room, &n);
        if (q.changed) show(out, "\n");
        again = quiet_end(&q);
    }
    TRY(e);
    return secret_copy(answer, bytes_of(room.p, n));
}

static enum err ask_terminal(const struct prompt *p, struct secret *out)
{
    int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK); /* our own: nobody else's descriptor changes */
    if (tty < 0) return p->stdin_too ? ask_on(STDIN_FILENO, STDERR_FILENO, p, out) : ERR_NOT_FOUND;
    if (!p->stdin_too) show(tty, "\r"); /* begin at the left edge, whatever a raw terminal showed before */
    enum err e = ask_on(tty, tty, p, out);
    close(tty);
    return e;
}

/* ---- the askpass program ---- */

static NORETURN void askpass_exec(const char *text, enum prompt_hint which, int to)
{
    static const char *const hints[] = {[PROMPT_HINT_CONFIRM] = "confirm", [PROMPT_HINT_NOTIFY] = "none"};
    const char *program = env_set("SSH_ASKPASS") ? getenv("SSH_ASKPASS") : ASKPASS_DEFAULT;
    const char *hint = hints[which];
    signal(SIGPIPE, SIG_DFL);
    if (dup2(to, STDOUT_FILENO) < 0) _exit(255);
    close_range(3, ~0U, 0);
    if (hint ? setenv("SSH_ASKPASS_PROMPT", hint, 1) : unsetenv("SSH_ASKPASS_PROMPT")) _exit(255);
    execlp(program, program, text, (char *)NULL);
    dprintf(STDERR_FILENO, "ssh_askpass: exec(%s): %s\r\n", program, strerror(errno));
    _exit(255);
}

static enum err askpass_status(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return ERR_SYSTEM;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? ERR_NONE : ERR_DENIED;
}

static enum err ask_program(const struct prompt *p, struct secret *out)
{
    struct secret room CLEANUP(secret_clear) = {0};
    int pipes[2];
    TRY(secret_new(&room, PROMPT_ANSWER_MAX));
    if (fflush(stdout) != 0 || pipe2(pipes, O_CLOEXEC) != 0) return ERR_SYSTEM;
    pid_t pid = fork();
    if (pid == 0) askpass_exec(p->text, p->hint, pipes[1]);
    close(pipes[1]);
    size_t n = 0;
    for (ssize_t got = 1; pid > 0 && got != 0 && n < room.n;) {
        got = read(pipes[0], room.p + n, room.n - n);
        if (got < 0 && errno != EINTR) break;
        if (got > 0) n += (size_t)got;
    }
    close(pipes[0]);
    if (pid < 0) return ERR_SYSTEM;
    TRY(askpass_status(pid));
    size_t end = 0;
    while (end < n && room.p[end] != '\n' && room.p[end] != '\r' && room.p[end] != 0) end++;
    return secret_copy(out, bytes_of(room.p, end));
}

/* ---- notices ---- */

pid_t notice_start(const char *text)
{
    if (!manner_from_env().askpass_allowed || fflush(stdout) != 0) return 0;
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        if (null < 0 || dup2(null, STDIN_FILENO) < 0) _exit(255);
        askpass_exec(text, PROMPT_HINT_NOTIFY, null);
    }
    return pid > 0 ? pid : 0;
}

void notice_stop(pid_t *who)
{
    int status;
    if (*who <= 0) return;
    kill(*who, SIGKILL);        /* our own, not yet waited for */
    while (waitpid(*who, &status, 0) < 0 && errno == EINTR) {}
    *who = 0;
}

/* ---- the choice ---- */

static bool terminal_there(void)
{
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

enum err prompt_ask(const struct prompt *p, struct secret *out)
{
    struct manner m = manner_from_env();
    if (p->askpass_only) return m.askpass_allowed ? ask_program(p, out) : ERR_NOT_FOUND;
    if (!m.askpass_wanted) m.askpass_wanted = p->stdin_too ? !isatty(STDIN_FILENO) : !terminal_there();
    return m.askpass_wanted && m.askpass_allowed ? ask_program(p, out) : ask_terminal(p, out);
}

enum err prompt_secret(const char *text, bool echo, struct secret *out)
{
    struct prompt p = {.text = text, .echo = echo};
    return prompt_ask(&p, out);
}

bool prompt_confirm(const char *text)
{
    struct secret answer CLEANUP(secret_clear) = {0};
    struct prompt p = {.text = text, .echo = true, .hint = PROMPT_HINT_CONFIRM};
    struct manner m = manner_from_env();
    bool program = m.askpass_allowed && (m.askpass_wanted || !terminal_there());
    if ((program ? ask_program(&p, &answer) : ask_terminal(&p, &answer)) != ERR_NONE) return false;
    if (program && answer.n == 0) return true;
    return answer.n == 3 && strncasecmp((const char *)answer.p, "yes", 3) == 0;
}
