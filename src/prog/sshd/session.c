/* SPDX-License-Identifier: ISC */
/* Sessions: the warden's side. It forks, records and reaps; all else happens in the child, as the user. */
#include "sshd/session.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/sshd.h"
#include "key/authorized_keys.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/log.h"
#include "os/message.h"
#include "os/pty.h"
#include "os/record.h"
#include "os/spawn.h"
#include "os/user.h"
#include "sshd/account.h"

void login_init(void)
{
    limits_save();
    /* What a login loads and looks up on its first use is shared by all children when it is done here once. */
    gid_t groups[ACCOUNT_GROUPS_MAX];
    int n = ACCOUNT_GROUPS_MAX;
    (void)getpwnam("root");
    (void)getgrouplist("root", 0, groups, &n);
    (void)getgrgid(0);
    password_init();
    tzset();
}

/* ---- what to run ---- */

static enum err subsystem_find(const struct sshd_conf *conf, const char *name, const char **out)
{
    for (size_t i = 0; i < conf->subsystem.n; i++) {
        const struct sshd_subsystem *s = &conf->subsystem.v[i];
        if (strcmp(s->name, name) != 0) continue;
        *out = s->command;
        return ERR_NONE;
    }
    return ERR_DENIED;
}

enum err session_plan_make(const struct session_spec *spec, struct session_plan *out)
{
    struct session_plan p = {.is_subsystem = spec->kind == SESSION_SUBSYSTEM};
    if (p.is_subsystem)
        TRY(subsystem_find(spec->conf, spec->command, &p.command));
    else if (spec->kind == SESSION_EXEC)
        p.command = spec->command;
    /* the administrator's command wins over the key's */
    const char *force = spec->conf->force_command ? spec->conf->force_command
                        : spec->options && spec->options->has_command ? spec->options->command : NULL;
    if (force) {
        p.original = p.command;
        p.command = force;
        p.forced = true;
    }
    if (p.command && !spec->change_password && (p.forced || p.is_subsystem)) {
        bool internal = session_is_internal_sftp(p.command);
        p.files = p.is_subsystem && (internal || session_is_sftp_server(p.command, spec->account));
        p.files_only = internal && !p.is_subsystem;
    }
    *out = p;
    return ERR_NONE;
}

enum verdict session_pty_check(const struct sshd_conf *conf, const struct key_options *options)
{
    return conf->permit_tty && (!options || options->permit_pty) ? VERDICT_GOOD : VERDICT_BAD;
}

/* ---- starting ---- */

void session_ends_close(struct session *s)
{
    fd_close(&s->master);
    fd_close(&s->sink);
    fd_close(&s->source);
    fd_close(&s->source_err);
    fd_close(&s->files);
}

/* The child's descriptors become 0, 1, 2, (line >= 0) 3, and the log's for a file hand. */
static enum err child_start(const struct session_spec *spec, const struct session_plan *plan, const int std[3], int line, struct session *s)
{
    const int keep[5] = {std[0], std[1], std[2], line, spec->log_fd};
    pid_t pid = fork();
    if (pid < 0) return ERR_SYSTEM;
    if (pid == 0) {
        if (spawn_keep_fds(keep, line < 0 ? 3 : plan->files && spec->log_fd > 0 ? 5 : 4) != ERR_NONE) {
            if (std[2] >= 0) dprintf(std[2], "sshd: cannot set up the session: %s\n", strerror(errno));
            _exit(1);
        }
        spawn_signals_default();
        session_child(spec, plan);
    }
    s->pid = pid;
    return pidfd_of(pid, &s->pidfd);
}

static void child_abandon(struct session *s)
{
    int status;
    if (s->pid > 0) {
        kill(s->pid, SIGKILL);
        if (child_wait(s->pid, &status) != ERR_NONE) status = 0;
    }
    fd_close(&s->pidfd);
    session_ends_close(s);
    s->pid = 0;
}

/* A pipe end for us, one for the child; both the user's, so that /dev/stdin and /dev/stderr can be opened anew. */
static enum err pipe_make(const struct account *a, int *ours, int *theirs, bool we_read)
{
    int p[2];
    if (pipe2(p, O_CLOEXEC) != 0) return ERR_SYSTEM;
    *ours = p[we_read ? 0 : 1];
    *theirs = p[we_read ? 1 : 0];
    if (geteuid() == 0 && fchown(p[0], a->uid, a->gid) != 0) return ERR_SYSTEM;
    return fcntl(*ours, F_SETFL, O_NONBLOCK) == 0 ? ERR_NONE : ERR_SYSTEM;
}

static enum err pipes_start(const struct session_spec *spec, const struct session_plan *plan, struct session *s)
{
    int std[3] = {-1, -1, -1};
    enum err e = pipe_make(spec->account, &s->sink, &std[0], false);
    if (e == ERR_NONE) e = pipe_make(spec->account, &s->source, &std[1], true);
    if (e == ERR_NONE) e = pipe_make(spec->account, &s->source_err, &std[2], true);
    if (e == ERR_NONE) e = child_start(spec, plan, std, -1, s);
    for (int i = 0; i < 3; i++) fd_close(&std[i]);
    return e;
}

static struct record record_of(const struct account *a, const struct session *s, const struct link_ends *link)
{
    return (struct record){.line = s->tty, .user = a->name, .host = link ? link->client_host : "", .address = link ? link->client_addr : NULL,
                           .pid = s->pid, .uid = a->uid};
}

/* The child's report, then the books, then its go: programs it runs find themselves in utmp. */
static enum err terminal_take(const struct session_spec *spec, int sock, struct session *s)
{
    struct session_report report;
    struct session_go go = {0};
    struct message got;
    TRY(message_wait(sock, clock_us() + (uint64_t)spec->timeout_ms * 1000));
    TRY(message_recv(sock, &report, sizeof report, false, &got));
    if (got.n != sizeof report || got.fd_count != 2 || !memchr(report.tty, 0, sizeof report.tty) || !text_printable(bytes_str(report.tty))) {
        message_close_fds(&got);
        return ERR_FORMAT;
    }
    s->master = got.fd[0];
    memcpy(s->tty, report.tty, sizeof s->tty);
    enum err e = geteuid() == 0 ? pty_own(got.fd[1], spec->account->uid, spec->account->gid) : ERR_NONE;
    close(got.fd[1]);
    if (e != ERR_NONE) return e;
    if (spec->conf->print_last_log) go.last_login = record_last(spec->account->uid, go.last_host, sizeof go.last_host);
    struct record r = record_of(spec->account, s, spec->link);
    s->recorded = record_login(&r);
    if (fcntl(s->master, F_SETFL, O_RDWR | O_NONBLOCK) != 0) return ERR_SYSTEM;
    return message_send(sock, &go, sizeof go, NULL, 0, false);
}

static enum err terminal_start(const struct session_spec *spec, const struct session_plan *plan, struct session *s)
{
    static const int none[3] = {-1, -1, -1};
    int pair[2];
    TRY(message_pair(pair));
    enum err e = child_start(spec, plan, none, pair[1], s);
    close(pair[1]);
    if (e == ERR_NONE) e = terminal_take(spec, pair[0], s);
    close(pair[0]);
    return e;
}

/* One line from the child to the face; the warden keeps neither end. */
static enum err files_start(const struct session_spec *spec, const struct session_plan *plan, struct session *s)
{
    static const int none[3] = {-1, -1, -1};
    int pair[2];
    TRY(message_pair(pair));
    enum err e = child_start(spec, plan, none, pair[1], s);
    close(pair[1]);
    s->files = pair[0];
    return e;
}

static void record_end(struct session *s, const struct account *a)
{
    if (!s->recorded) return;
    struct record r = record_of(a, s, NULL);
    record_logout(&r);
    s->recorded = false;
}

enum err session_start(const struct session_spec *spec, struct session *out)
{
    struct session_plan plan;
    struct session s = {.pidfd = -1, .master = -1, .sink = -1, .source = -1, .source_err = -1, .files = -1};
    char chroot[PATH_MAX], why[512];
    if (!spec->account->valid) return ERR_DENIED;
    enum err e = session_chroot_path(spec, chroot, sizeof chroot, why, sizeof why);
    if (e != ERR_NONE) log_line(LOG_LEVEL_ERROR, "%s", why);
    TRY(e);
    if (spec->pty && session_pty_check(spec->conf, spec->options) != VERDICT_GOOD) return ERR_DENIED;
    if (spec->pty && spec->pty->modes_n > sizeof spec->pty->modes) return ERR_TOO_LONG;
    TRY(session_plan_make(spec, &plan));
    s.forced = plan.forced;
    s.is_subsystem = plan.is_subsystem;
    e = plan.files ? files_start(spec, &plan, &s) : spec->pty ? terminal_start(spec, &plan, &s) : pipes_start(spec, &plan, &s);
    if (e != ERR_NONE) {
        record_end(&s, spec->account);
        child_abandon(&s);
        return e;
    }
    *out = s;
    return ERR_NONE;
}

/* ---- ending ---- */

/* RFC 4254 6.10 and 6.9 */
static const struct {
    const char *name;
    int number;
} signals[] = {{"ABRT", SIGABRT}, {"ALRM", SIGALRM}, {"FPE", SIGFPE},   {"HUP", SIGHUP},   {"ILL", SIGILL},   {"INT", SIGINT},   {"KILL", SIGKILL},
               {"PIPE", SIGPIPE}, {"QUIT", SIGQUIT}, {"SEGV", SIGSEGV}, {"TERM", SIGTERM}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2}};

static void exit_fill(int status, struct session_exit *x)
{
    x->by_signal = WIFSIGNALED(status);
    if (!x->by_signal) {
        x->status = WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status) : 255;
        return;
    }
    x->core = WCOREDUMP(status);
    snprintf(x->signal, sizeof x->signal, "SIG@openssh.com");       /* RFC 4250 4.6.1: a name of our own for all others */
    for (size_t i = 0; i < COUNT_OF(signals); i++)
        if (signals[i].number == WTERMSIG(status)) snprintf(x->signal, sizeof x->signal, "%s", signals[i].name);
}

enum err session_reap(struct session *s, const struct account *a, struct session_exit *out)
{
    int status = 0;
    struct session_exit x = {0};
    if (s->pid <= 0) return ERR_USAGE;
    pid_t got = waitpid(s->pid, &status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR)) return ERR_AGAIN;
    if (got < 0) status = 255 << 8;     /* lost: someone else waited for it */
    record_end(s, a);
    fd_close(&s->pidfd);
    s->pid = 0;
    exit_fill(status, &x);
    *out = x;
    return ERR_NONE;
}

enum err session_signal(const struct session *s, const struct account *a, const char *name)
{
    int number = 0, status;
    for (size_t i = 0; i < COUNT_OF(signals); i++)
        if (strcmp(signals[i].name, name) == 0) number = signals[i].number;
    if (s->pid <= 0) return ERR_STATE;
    if (s->forced || s->is_subsystem) return ERR_DENIED;
    if (number == 0) return ERR_UNSUPPORTED;
    pid_t pid = fork();
    if (pid < 0) return ERR_SYSTEM;
    if (pid == 0) {     /* with the user's rights only: what the user may not signal, the peer may not */
        if (account_become(a) != ERR_NONE) _exit(1);
        _exit(kill(-s->pid, number) == 0 ? 0 : 1);
    }
    TRY(child_wait(pid, &status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? ERR_NONE : ERR_SYSTEM;
}

void session_close(struct session *s, const struct account *a)
{
    record_end(s, a);
    session_ends_close(s);
    fd_close(&s->pidfd);
    if (s->pid > 0) waitpid(s->pid, NULL, WNOHANG);
    s->pid = 0;
}

void session_title(const struct account *a, const struct session *sessions, size_t n, char *out, size_t size)
{
    struct wr w = wr_span((struct span){(uint8_t *)out, size > 0 ? size - 1 : 0});
    bool any = false;
    wr_text(&w, a->name);
    for (size_t i = 0; i < n; i++) {
        if (sessions[i].pid <= 0 || !sessions[i].tty[0]) continue;
        wr_u8(&w, any ? ',' : '@');
        wr_text(&w, strncmp(sessions[i].tty, "/dev/", 5) == 0 ? sessions[i].tty + 5 : sessions[i].tty);
        any = true;
    }
    if (!any) wr_text(&w, "@notty");
    out[w.n] = 0;
}
