/* SPDX-License-Identifier: ISC */
/* The user's side of a session: from the fork in the warden to the exec of the shell. Nothing here has a privilege after
 * account_become(); what fails is told to the user on the session's own stderr. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <paths.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/sshd.h"
#include "key/authorized_keys.h"
#include "os/fd.h"
#include "os/message.h"
#include "os/pty.h"
#include "os/user.h"
#include "sshd/session.h"

#define WARDEN_FD 3
#define TEXT_FILE_MAX 65536
#define STATUS_NOLOGIN 254      /* what OpenSSH ends such a session with */

static void say(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void say(const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n > (int)sizeof text - 1) n = (int)sizeof text - 1;
    ssize_t done = n > 0 ? write(2, text, (size_t)n) : 0;
    (void)done;
}

static void text_out(const char *text)
{
    (void)!fd_write(1, bytes_str(text));
}

/* A text file of the administrator's, copied out. False: there is none. */
static bool file_out(const char *path, int to)
{
    char buf[4096];
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) return false;
    size_t left = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? TEXT_FILE_MAX : 0;
    while (left > 0) {
        size_t n = fd_fill(fd, buf, left < sizeof buf ? left : sizeof buf);
        if (n == 0 || fd_write(to, bytes_of(buf, n)) != ERR_NONE) break;
        left -= n;
    }
    close(fd);
    return true;
}

/* ---- the terminal ---- */

/* The terminal is the user's from birth; the master goes to the warden, and only the face will keep it. A chroot has no /dev/ptmx: there it
 * was opened before, with the user's ids for files. */
static enum err terminal_stand(const struct session_pty *want, struct pty p, struct session_report *report, struct session_go *go)
{
    struct message got;
    if (p.master < 0) TRY(pty_open(&p));
    TRY(pty_control(p.slave));
    TRY(tty_modes_apply(p.slave, bytes_of(want->modes, want->modes_n)));
    pty_resize(p.slave, want->cols, want->rows, want->width_px, want->height_px);
    const int fds[2] = {p.master, p.slave};
    memcpy(report->tty, p.name, sizeof report->tty);
    TRY(message_send(WARDEN_FD, report, sizeof *report, fds, 2, true));
    for (int i = 0; i < 3; i++)
        if (dup2(p.slave, i) < 0) return ERR_SYSTEM;
    pty_close(&p);
    TRY(message_recv(WARDEN_FD, go, sizeof *go, true, &got));
    message_close_fds(&got);
    close(WARDEN_FD);
    return got.n == sizeof *go ? ERR_NONE : ERR_FORMAT;
}

static enum err pty_open_early(const struct account *a, struct pty *out)
{
    (void)setfsgid(a->gid);
    (void)setfsuid(a->uid);
    enum err e = pty_open(out);
    (void)setfsuid(geteuid());
    (void)setfsgid(getegid());
    return e;
}

/* ---- what a login says ---- */

static bool login_is_quiet(const struct session_spec *spec, const struct session_plan *plan)
{
    char path[sizeof spec->account->home + 16];
    struct stat st;
    if (plan->command) return true;
    snprintf(path, sizeof path, "%s/.hushlogin", spec->account->home);
    return stat(path, &st) == 0;
}

static void days_out(const char *what, int32_t days)
{
    char text[128];
    if (days < 0) return;
    snprintf(text, sizeof text, "Your %s will expire in %d day%s.\n", what, days, days == 1 ? "" : "s");
    text_out(text);
}

static void last_login_out(const struct session_go *go)
{
    char when[64], host[300], text[400];
    time_t t = (time_t)go->last_login;
    if (go->last_login == 0 || !ctime_r(&t, when)) return;
    when[strcspn(when, "\n")] = 0;
    escape_str(bytes_str(go->last_host), host, sizeof host);
    snprintf(text, sizeof text, "Last login: %s%s%s\r\n", when, host[0] ? " from " : "", host);
    text_out(text);
}

static void login_greet(const struct session_spec *spec, const struct session_plan *plan, const struct session_go *go)
{
    if (login_is_quiet(spec, plan)) return;
    if (spec->notices) text_out(spec->notices);
    days_out("account", spec->account->expires_days);
    days_out("password", spec->account->password_days);
    if (spec->conf->print_last_log) last_login_out(go);
    if (spec->conf->print_motd) file_out("/etc/motd", 1);
}

static void nologin_obey(const struct session_spec *spec)
{
    if (spec->account->uid != 0 && file_out(_PATH_NOLOGIN, 2)) _exit(STATUS_NOLOGIN);
}

/* The password has expired: passwd(1) and nothing else, and only where it can ask. */
static NORETURN void password_change(const struct session_spec *spec, char **env)
{
    char name[] = "passwd";
    char *const argv[] = {name, NULL};
    say("WARNING: Your password has expired.\n");
    if (!spec->pty) {
        say("Password change required but no TTY available.\n");
        _exit(1);
    }
    say("You must change your password now and login again!\n");
    execve("/usr/bin/passwd", argv, env);
    say("passwd: %s\n", strerror(errno));
    _exit(1);
}

/* ---- rc files ---- */

/* Runs a program to its end, with nothing to read. */
static void run(const char *path, char *const argv[], char **env)
{
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (null >= 0 && dup2(null, 0) == 0) execve(path, argv, env);
        _exit(127);
    }
    if (pid < 0) {
        say("Could not run %s\n", argv[0]);
        return;
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
}

/* sshd(8), LOGIN PROCESS step 8: ~/.ssh/rc by /bin/sh through the user's shell, else /etc/ssh/sshrc. Not the user's where the user may only
 * move files: who can put a file there could run anything by it. */
static void rc_run(const struct session_spec *spec, const struct session_plan *plan, char *shell, char *shell_name, char **env)
{
    struct stat st;
    bool user_rc = spec->conf->permit_user_rc && (!spec->options || spec->options->permit_user_rc) && !plan->is_subsystem && !plan->files_only;
    if (user_rc && stat(".ssh/rc", &st) == 0) {
        char minus_c[] = "-c", command[] = "/bin/sh .ssh/rc";
        char *const argv[] = {shell_name, minus_c, command, NULL};
        run(shell, argv, env);
    } else if (stat("/etc/ssh/sshrc", &st) == 0) {
        char sh[] = "sh", file[] = "/etc/ssh/sshrc";
        char *const argv[] = {sh, file, NULL};
        run("/bin/sh", argv, env);
    }
}

/* ---- the shell ---- */

static NORETURN void shell_exec(const struct session_plan *plan, char *shell, char *shell_name, char **env)
{
    char dashed[sizeof((struct account *)0)->shell + 1], minus_c[] = "-c";
    char *command = plan->command ? strdup(plan->command) : NULL;
    snprintf(dashed, sizeof dashed, "-%s", shell_name);
    char *const login[] = {dashed, NULL}, *const with_command[] = {shell_name, minus_c, command, NULL};
    if (plan->command && !command) _exit(1);
    execve(shell, plan->command ? with_command : login, env);
    say("%s: %s\n", shell, strerror(errno));
    _exit(1);
}

static NORETURN void user_begin(const struct session_spec *spec, const struct session_plan *plan, const char *tty, bool in_chroot)
{
    struct environ_list env = {0};
    char shell[sizeof spec->account->shell];
    memcpy(shell, spec->account->shell, sizeof shell);
    char *slash = strrchr(shell, '/'), *name = slash ? slash + 1 : shell;
    environ_build(&env, spec, plan, tty);
    if (spec->change_password) password_change(spec, env.v);
    if (chdir(spec->account->home) != 0 && !in_chroot)
        say("Could not chdir to home directory %s: %s\n", spec->account->home, strerror(errno));
    rc_run(spec, plan, shell, name, env.v);
    if (plan->files) session_files_run(spec, plan, in_chroot);
    if (plan->files_only) {
        text_out("This service allows sftp connections only.\n");
        _exit(1);
    }
    shell_exec(plan, shell, name, env.v);
}

/* The account's groups, before a chroot hides who else is in them. NULL: as many as fit are in the account. */
static gid_t *groups_all(const struct account *a, size_t *n)
{
    int count = NGROUPS_MAX;
    if (a->groups_n <= ACCOUNT_GROUPS_MAX) return NULL;
    gid_t *all = calloc((size_t)count, sizeof *all);
    if (!all || getgrouplist(a->name, a->gid, all, &count) < 0) _exit(1);
    *n = (size_t)count;
    return all;
}

static enum err become(const struct session_spec *spec, const char *chroot)
{
    const struct account *a = spec->account;
    size_t n = 0;
    if (!chroot[0]) return account_become(a);
    gid_t *all = groups_all(a, &n);
    TRY(session_chroot_enter(chroot));
    return all ? user_become(a->name, a->uid, a->gid, all, n) : account_become(a);
}

/* Limits, root folder and identity; the last steps that need root. */
static void rights_take(const struct session_spec *spec, const char *chroot)
{
    mode_t mask = umask(022);
    umask(mask | 022);
    if (limits_restore() != ERR_NONE) {
        say("sshd: cannot set resource limits: %s\n", strerror(errno));
        _exit(1);
    }
    if (become(spec, chroot) != ERR_NONE) {
        say("sshd: cannot become user %s\n", spec->account->name);
        _exit(1);
    }
}

void session_child(const struct session_spec *spec, const struct session_plan *plan)
{
    struct session_report report = {0};
    struct session_go go = {0};
    struct pty early = {.master = -1, .slave = -1};
    char chroot[PATH_MAX], why[512];
    bool pty = spec->pty && !plan->files;
    if (session_chroot_path(spec, chroot, sizeof chroot, why, sizeof why) != ERR_NONE) _exit(1);
    if (plan->files) session_files_log(plan);
    if (chroot[0] && pty && pty_open_early(spec->account, &early) != ERR_NONE) _exit(1);
    if (chroot[0] && !pty) nologin_obey(spec);      /* the file that counts is the system's, not one in there */
    rights_take(spec, chroot);
    if (pty) {
        if (terminal_stand(spec->pty, early, &report, &go) != ERR_NONE) {
            say("sshd: cannot set up the terminal\n");
            _exit(1);
        }
    } else if (setsid() < 0) {
        say("sshd: cannot start a session: %s\n", strerror(errno));
        _exit(1);
    }
    if (!chroot[0] || pty) nologin_obey(spec);
    if (pty && !spec->change_password) login_greet(spec, plan, &go);
    user_begin(spec, plan, pty ? report.tty : NULL, chroot[0] != 0);
}
