/* SPDX-License-Identifier: ISC */
/* Logins as root sees them: throw-away users in a mount namespace with an /etc, /run and /var/log of its own; real sessions, terminals,
 * passwords, forwards. Skipped where that cannot be had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <lastlog.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utmpx.h>

#include "base/limits.h"
#include "conf/sshd.h"
#include "key/authorized_keys.h"
#include "os/message.h"
#include "os/pty.h"
#include "sshd/hand.h"
#include "sshd/keyfile.h"
#include "sshd/session.h"

#define UID_FIRST 43010
#define TODAY (time(NULL) / 86400)

static char root_dir[64] = "/tmp/nacre-login-root-XXXXXX";
static const struct link_ends here = {.client_addr = "192.0.2.7", .client_host = "pc.example.org", .server_addr = "192.0.2.1", .client_port = 5022, .server_port = 22};
static int auth_exe = -1;

/* ---- the place ---- */

static void sh(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void sh(const char *fmt, ...)
{
    char command[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    if (system(command) != 0) {
        fprintf(stderr, "# failed: %s\n", command);
        abort();
    }
}

static void add_line(const char *file, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void add_line(const char *file, const char *fmt, ...)
{
    FILE *f = fopen(file, "a");
    va_list ap;
    if (!f) abort();
    va_start(ap, fmt);
    vfprintf(f, fmt, ap);
    va_end(ap);
    fclose(f);
}

enum { BOB, EVE, OLD, LAPSED, FORCED, BLANK, STAR, HOMELESS, BADSHELL, NOSHELL, WARNED, USERS };
static const struct {
    const char *name, *hash;    /* "=": crypt("secret") */
    const char *shell;
    int expire_days, changed_days_ago, max_days;        /* expire: from today; 9999: never */
} users[USERS] = {
    [BOB] = {"lt-bob", "=", "/bin/sh", 9999, 1, 99999},      [EVE] = {"lt-eve", "!=", "/bin/sh", 9999, 1, 99999},
    [OLD] = {"lt-old", "=", "/bin/sh", -1, 1, 99999},        [LAPSED] = {"lt-lapsed", "=", "/bin/sh", 9999, 100, 90},
    [FORCED] = {"lt-forced", "=", "/bin/sh", 9999, -1, 99999}, [BLANK] = {"lt-empty", "", "/bin/sh", 9999, 1, 99999},
    [STAR] = {"lt-star", "*", "/bin/sh", 9999, 1, 99999},    [HOMELESS] = {"lt-homeless", "=", "/bin/sh", 9999, 1, 99999},
    [BADSHELL] = {"lt-badshell", "=", "/etc/passwd", 9999, 1, 99999}, [NOSHELL] = {"lt-noshell", "=", "/nonexistent/sh", 9999, 1, 99999},
    [WARNED] = {"lt-warned", "=", "/bin/sh", 3, 85, 90},
};

static void user_add(int i)
{
    char hash[CRYPT_OUTPUT_SIZE + 2], *eq = strchr(users[i].hash, '=');
    snprintf(hash, sizeof hash, "%s", users[i].hash);
    if (eq) snprintf(hash + (eq - users[i].hash), sizeof hash - 2, "%s", crypt("secret", "$6$saltsalt$"));
    int uid = UID_FIRST + i;
    add_line("/etc/passwd", "%s:x:%d:%d::%s/home/%s:%s\n", users[i].name, uid, uid, root_dir, users[i].name, users[i].shell);
    add_line("/etc/group", "%s:x:%d:\n", users[i].name, uid);
    long changed = users[i].changed_days_ago < 0 ? 0 : (long)TODAY - users[i].changed_days_ago;
    char expire[24] = "";
    if (users[i].expire_days != 9999) snprintf(expire, sizeof expire, "%ld", (long)TODAY + users[i].expire_days);
    add_line("/etc/shadow", "%s:%s:%ld:0:%d:7::%s:\n", users[i].name, hash, changed, users[i].max_days, expire);
    if (i == HOMELESS) return;
    sh("mkdir -p -m 755 %s/home/%s && chown %d:%d %s/home/%s", root_dir, users[i].name, uid, uid, root_dir, users[i].name);
}

/* False: this machine does not let us. */
static bool place_make(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return false;
    if (!mkdtemp(root_dir)) return false;
    if (mount("tmpfs", root_dir, "tmpfs", 0, "mode=755") != 0) return false;
    sh("cp -a /etc %s/etc && mount --bind %s/etc /etc", root_dir, root_dir);
    sh("mount -t tmpfs -o mode=755 tmpfs /run && mount -t tmpfs -o mode=755 tmpfs /var/log");
    sh("touch /run/utmp /var/log/wtmp /var/log/lastlog && install -m 600 /dev/null /var/log/btmp && rm -f /etc/nologin /run/nologin /etc/ssh/sshrc");
    sh("echo 'motd of the day' > /etc/motd; mkdir %s/home", root_dir);
    for (int i = 0; i < USERS; i++) user_add(i);
    add_line("/etc/passwd", "lt-root:x:0:0::/:/bin/sh\n");
    add_line("/etc/group", "lt-crew:x:43099:lt-bob\n");
    return true;
}

static struct account find(int i)
{
    struct account a;
    account_find(users[i].name, &a);
    return a;
}

/* ---- a session from start to end ---- */

struct outcome {
    enum err err;
    struct session_exit exit;
    char out[65536], err_text[4096], tty[64];
};

static void drain(int *fd, char *to, size_t size)
{
    size_t n = strlen(to);
    ssize_t got = read(*fd, to + n, size - 1 - n);
    if (got > 0) {
        to[n + (size_t)got] = 0;
        return;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    close(*fd);
    *fd = -1;
}

static void collect(struct session *s, const struct account *a, struct outcome *o)
{
    while (s->master >= 0 || s->source >= 0 || s->source_err >= 0) {
        struct pollfd p[3] = {{s->master, POLLIN, 0}, {s->source, POLLIN, 0}, {s->source_err, POLLIN, 0}};
        if (poll(p, 3, 20000) <= 0) break;
        if (p[0].revents) drain(&s->master, o->out, sizeof o->out);
        if (p[1].revents) drain(&s->source, o->out, sizeof o->out);
        if (p[2].revents) drain(&s->source_err, o->err_text, sizeof o->err_text);
    }
    struct pollfd p = {s->pidfd, POLLIN, 0};
    assert_int_equal(poll(&p, 1, 20000), 1);
    assert_int_equal(session_reap(s, a, &o->exit), ERR_NONE);
    session_ends_close(s);
}

static struct outcome run(struct session_spec spec, const char *input)
{
    static const struct sshd_conf plain = {.permit_tty = true, .permit_user_rc = true, .print_motd = true, .print_last_log = true};
    struct outcome o = {0};
    struct session s;
    if (!spec.conf) spec.conf = &plain;
    if (!spec.link) spec.link = &here;
    spec.timeout_ms = 20000;
    o.err = session_start(&spec, &s);
    if (o.err != ERR_NONE) return o;
    memcpy(o.tty, s.tty, sizeof o.tty);
    if (input) assert_true(write(s.master >= 0 ? s.master : s.sink, input, strlen(input)) == (ssize_t)strlen(input));
    if (s.sink >= 0) close(s.sink);
    s.sink = -1;
    collect(&s, spec.account, &o);
    return o;
}

static struct outcome run_command(int user, const char *command)
{
    struct account a = find(user);
    return run((struct session_spec){.account = &a, .kind = SESSION_EXEC, .command = command}, NULL);
}

#define has(text, part) do { \
        if (!strstr(text, part)) print_error("# not in: %s\n", text); \
        assert_non_null(strstr(text, part)); \
    } while (0)
#define has_not(text, part) assert_null(strstr(text, part))

static void ends_are_reported_as_they_were(void **state)
{
    (void)state;
    const struct { const char *command; bool by_signal; uint32_t status; const char *signal; } rows[] = {
        {"exit 0", false, 0, ""}, {"exit 7", false, 7, ""}, {"exit 255", false, 255, ""}, {"/nonexistent/x", false, 127, ""},
        {"kill -TERM $$", true, 0, "TERM"}, {"kill -KILL $$", true, 0, "KILL"}, {"kill -USR2 $$", true, 0, "USR2"},
        {"kill -PIPE $$", true, 0, "PIPE"}, {"kill -XCPU $$", true, 0, "SIG@openssh.com"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct outcome o = run_command(BOB, rows[i].command);
        assert_int_equal(o.err, ERR_NONE);
        assert_int_equal(o.exit.by_signal, rows[i].by_signal);
        assert_int_equal(o.exit.status, rows[i].status);
        assert_string_equal(o.exit.signal, rows[i].signal);
    }
}

static void streams_stay_apart_and_input_arrives(void **state)
{
    (void)state;
    struct account a = find(BOB);
    struct outcome o = run((struct session_spec){.account = &a, .kind = SESSION_EXEC, .command = "cat; echo err >&2; echo err2 >/dev/stderr; echo o2 >/dev/stdout"}, "in\n");
    assert_string_equal(o.out, "in\no2\n");
    assert_string_equal(o.err_text, "err\nerr2\n");
}

/* What Debian's sshd gives to a command (UsePAM no), and dash's own PWD. */
static void a_command_sees_the_environment_of_a_login(void **state)
{
    (void)state;
    struct outcome o = run_command(BOB, "env | sort");
    char want[1024];
    snprintf(want, sizeof want,
             "HOME=%s/home/lt-bob\nLOGNAME=lt-bob\nMAIL=/var/mail/lt-bob\nPATH=/usr/local/bin:/usr/bin:/bin:/usr/games\nPWD=%s/home/lt-bob\nSHELL=/bin/sh\n"
             "SSH_CLIENT=192.0.2.7 5022 22\nSSH_CONNECTION=192.0.2.7 5022 192.0.2.1 22\nUSER=lt-bob\n", root_dir, root_dir);
    assert_string_equal(o.out, want);
}

static void a_command_has_the_users_identity_and_nothing_else(void **state)
{
    (void)state;
    sigset_t all, old;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    signal(SIGPIPE, SIG_IGN);
    int leak = open("/etc/shadow", O_RDONLY);       /* not even close-on-exec */
    assert_true(leak >= 0);
    mode_t mask = umask(0077);
    umask(022);
    struct outcome o = run_command(BOB, "id -u; id -g; id -G; grep -E '^(Sig(Blk|Ign)|NoNewPrivs|Seccomp|Cap(Prm|Eff|Inh|Amb)):' /proc/self/status; ls /proc/self/fd; umask");
    umask(mask);
    close(leak);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &old, NULL);
    assert_string_equal(o.out, "43010\n43010\n43010 43099\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nCapInh:\t0000000000000000\n"
                               "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t0\n0\n1\n2\n3\n0022\n");
}

static void limits_are_those_of_the_start(void **state)
{
    (void)state;
    struct rlimit before, low;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = (struct rlimit){64, before.rlim_max};
    login_init();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    struct outcome o = run_command(BOB, "ulimit -n; ulimit -Hn");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    char want[64];
    snprintf(want, sizeof want, "%lu\n%lu\n", (unsigned long)before.rlim_cur, (unsigned long)before.rlim_max);
    assert_string_equal(o.out, want);
}

/* ---- terminals ---- */

static const struct session_pty term = {.term = "xterm-256color", .cols = 101, .rows = 33, .width_px = 700000, .height_px = 5,
                                        .modes = {53, 0, 0, 0, 0, 0}, .modes_n = 6};

static void a_terminal_is_the_users_own(void **state)
{
    (void)state;
    struct account a = find(BOB);
    struct outcome o = run((struct session_spec){.account = &a, .kind = SESSION_EXEC, .pty = &term,
                           .command = "tty; echo $SSH_TTY $TERM; stat -c '%U %G %a' $(tty); stty size; stty -a | grep -o -e '-echo '; : </dev/tty && echo controlled; "
                                      "ps -o tpgid=,pgid=,sid= -p $$ | awk '$1==$2 && $2==$3 {print \"leads\"}'; ls -1 /proc/self/fd"}, NULL);
    char want[256];
    assert_int_equal(o.err, ERR_NONE);
    snprintf(want, sizeof want, "%s\r\n%s xterm-256color\r\nlt-bob tty 620\r\n33 101\r\n-echo \r\ncontrolled\r\nleads\r\n0\r\n1\r\n2\r\n3\r\n", o.tty, o.tty);
    assert_string_equal(o.out, want);
    assert_int_equal(o.exit.status, 0);
}

static void a_login_shell_greets_and_ends_with_its_status(void **state)
{
    (void)state;
    struct account a = find(BOB);
    struct session_spec spec = {.account = &a, .kind = SESSION_SHELL, .pty = &term, .notices = "a notice\n"};
    sh("rm -f /var/log/lastlog; touch /var/log/lastlog");
    struct outcome first = run(spec, "echo $0 $-; exit 3\n"), second = run(spec, "exit 4\n");
    assert_int_equal(first.exit.status, 3);
    has(first.out, "a notice\r\n");
    has(first.out, "motd of the day\r\n");
    has(first.out, "-sh ");
    has_not(first.out, "Last login");
    assert_int_equal(second.exit.status, 4);
    has(second.out, "Last login: ");
    has(second.out, " from pc.example.org\r");
    sh("touch %s/.hushlogin", a.home);
    struct outcome quiet = run(spec, "exit 5\n");
    sh("rm %s/.hushlogin", a.home);
    assert_int_equal(quiet.exit.status, 5);
    has_not(quiet.out, "motd");
    has_not(quiet.out, "Last login");
    struct outcome command = run((struct session_spec){.account = &a, .kind = SESSION_EXEC, .command = "true", .pty = &term}, NULL);
    assert_string_equal(command.out, "");
}

static bool utmp_has(const char *line, short type)
{
    bool found = false;
    setutxent();
    for (struct utmpx *u; (u = getutxent()) != NULL;)
        if (strncmp(u->ut_line, line, sizeof u->ut_line) == 0 && u->ut_type == type) found = true;
    endutxent();
    return found;
}

static void terminals_are_in_the_books(void **state)
{
    (void)state;
    struct account a = find(BOB);
    struct outcome o = run((struct session_spec){.account = &a, .kind = SESSION_EXEC, .pty = &term, .command = "who"}, NULL);
    has(o.out, "lt-bob ");
    has(o.out, o.tty + 5);
    has(o.out, "(pc.example.org)");
    assert_true(utmp_has(o.tty + 5, DEAD_PROCESS));
    assert_false(utmp_has(o.tty + 5, USER_PROCESS));
    struct stat st;
    assert_int_equal(stat("/var/log/wtmp", &st), 0);
    assert_true(st.st_size >= 2 * (off_t)sizeof(struct utmpx));
    assert_int_equal(stat("/var/log/btmp", &st), 0);
    off_t before = st.st_size;
    record_failure("somebody", &here);
    assert_int_equal(stat("/var/log/btmp", &st), 0);
    assert_int_equal(st.st_size - before, sizeof(struct utmpx));
}

static void the_masters_end_hangs_up(void **state)
{
    (void)state;
    struct account a = find(BOB);
    static const struct sshd_conf conf = {.permit_tty = true};
    struct session s;
    struct outcome o = {0};
    const struct session_spec spec = {.account = &a, .conf = &conf, .link = &here, .kind = SESSION_EXEC, .command = "echo up; exec sleep 1000", .pty = &term, .timeout_ms = 20000};
    assert_int_equal(session_start(&spec, &s), ERR_NONE);
    struct pollfd p = {s.master, POLLIN, 0};
    assert_int_equal(poll(&p, 1, 20000), 1);
    assert_int_equal(session_reap(&s, &a, &o.exit), ERR_AGAIN);
    session_ends_close(&s);
    collect(&s, &a, &o);
    assert_true(o.exit.by_signal);
    assert_string_equal(o.exit.signal, "HUP");
    assert_int_equal(session_reap(&s, &a, &o.exit), ERR_USAGE);
}

static void terminals_can_be_forbidden(void **state)
{
    (void)state;
    struct account a = find(BOB);
    static const struct sshd_conf no = {.permit_tty = false}, yes = {.permit_tty = true};
    struct key_options *restricted = calloc(1, sizeof *restricted);
    const char *why;
    assert_int_equal(key_options_parse(BYTES_LIT("restrict"), restricted, &why), ERR_NONE);
    assert_int_equal(run((struct session_spec){.account = &a, .conf = &no, .pty = &term}, NULL).err, ERR_DENIED);
    assert_int_equal(run((struct session_spec){.account = &a, .conf = &yes, .options = restricted, .pty = &term}, NULL).err, ERR_DENIED);
    free(restricted);
}

static void signals_go_to_the_group_as_the_user(void **state)
{
    (void)state;
    struct account a = find(BOB);
    const char *names[] = {"TERM", "HUP", "INT", "USR1", "KILL"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        static const struct sshd_conf conf;
        struct session s;
        struct outcome o = {0};
        const struct session_spec spec = {.account = &a, .conf = &conf, .link = &here, .kind = SESSION_EXEC, .command = "echo up; exec sleep 1000"};
        assert_int_equal(session_start(&spec, &s), ERR_NONE);
        struct pollfd p = {s.source, POLLIN, 0};
        assert_int_equal(poll(&p, 1, 20000), 1);
        assert_int_equal(session_signal(&s, &a, "NONSENSE"), ERR_UNSUPPORTED);
        s.forced = true;
        assert_int_equal(session_signal(&s, &a, names[i]), ERR_DENIED);
        s.forced = false;
        struct account other = find(EVE);
        assert_int_equal(session_signal(&s, &other, names[i]), ERR_SYSTEM);      /* another user may not */
        assert_int_equal(session_signal(&s, &a, names[i]), ERR_NONE);
        close(s.sink), s.sink = -1;
        collect(&s, &a, &o);
        assert_true(o.exit.by_signal);
        assert_string_equal(o.exit.signal, names[i]);
    }
}

/* ---- what stands in the way of a session ---- */

static void nologin_keeps_all_but_root_out(void **state)
{
    (void)state;
    sh("echo 'back at noon' > /etc/nologin");
    struct outcome bob = run_command(BOB, "echo in");
    struct account root;
    account_find("lt-root", &root);
    struct outcome as_root = run((struct session_spec){.account = &root, .kind = SESSION_EXEC, .command = "id -u; echo $PATH"}, NULL);
    sh("rm /etc/nologin");
    assert_int_equal(bob.exit.status, 254);
    assert_string_equal(bob.err_text, "back at noon\n");
    assert_string_equal(bob.out, "");
    assert_string_equal(as_root.out, "0\n/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
}

static void a_missing_home_is_told(void **state)
{
    (void)state;
    struct outcome o = run_command(HOMELESS, "pwd");
    char want[256];
    snprintf(want, sizeof want, "Could not chdir to home directory %s/home/lt-homeless: No such file or directory\n", root_dir);
    assert_string_equal(o.err_text, want);
    assert_int_equal(o.exit.status, 0);
}

static void an_expired_password_gives_passwd_only(void **state)
{
    (void)state;
    struct account a = find(LAPSED);
    assert_true(a.must_change);
    struct outcome none = run((struct session_spec){.account = &a, .kind = SESSION_EXEC, .command = "echo in", .change_password = true}, NULL);
    assert_string_equal(none.out, "");
    assert_string_equal(none.err_text, "WARNING: Your password has expired.\nPassword change required but no TTY available.\n");
    assert_int_equal(none.exit.status, 1);
    static const struct sshd_conf conf = {.permit_tty = true};
    struct outcome tty = {0};
    struct session s;
    assert_int_equal(session_start(&(struct session_spec){.account = &a, .conf = &conf, .link = &here, .kind = SESSION_EXEC, .command = "echo in", .pty = &term,
                     .change_password = true, .timeout_ms = 20000}, &s), ERR_NONE);
    while (s.master >= 0 && !strstr(tty.out, "assword:")) {
        struct pollfd p = {s.master, POLLIN, 0};
        assert_int_equal(poll(&p, 1, 20000), 1);
        drain(&s.master, tty.out, sizeof tty.out);
    }
    session_ends_close(&s);
    collect(&s, &a, &tty);
    has(tty.out, "You must change your password now and login again!");
    has_not(tty.out, "in\r\n");
}

static void rc_files_run_first(void **state)
{
    (void)state;
    struct account a = find(BOB);
    static const struct sshd_conf no = {.permit_user_rc = false};
    sh("mkdir %s/.ssh && echo 'echo user rc $0; cat' > %s/.ssh/rc && echo 'echo system rc' > /etc/ssh/sshrc", a.home, a.home);
    struct outcome user = run((struct session_spec){.account = &a, .kind = SESSION_EXEC, .command = "cat"}, "in\n");
    struct outcome system_rc = run((struct session_spec){.account = &a, .conf = &no, .kind = SESSION_EXEC, .command = "echo in"}, NULL);
    sh("rm -r %s/.ssh /etc/ssh/sshrc", a.home);
    assert_string_equal(user.out, "user rc .ssh/rc\nin\n");
    assert_string_equal(system_rc.out, "system rc\nin\n");
}

static void forced_commands_replace_what_was_asked(void **state)
{
    (void)state;
    struct account a = find(BOB);
    static const struct sshd_conf conf = {.force_command = "echo \"forced: $SSH_ORIGINAL_COMMAND\""};
    struct outcome o = run((struct session_spec){.account = &a, .conf = &conf, .kind = SESSION_EXEC, .command = "rm -rf 'x y'"}, NULL);
    assert_string_equal(o.out, "forced: rm -rf 'x y'\n");
    o = run((struct session_spec){.account = &a, .conf = &conf, .kind = SESSION_SHELL}, NULL);
    assert_string_equal(o.out, "forced: \n");
}

/* ---- accounts and rules ---- */

static void shadow_rows(void **state)
{
    (void)state;
    const struct { int user; bool locked, expired, must_change, no_password; int expires_days, password_days; } rows[] = {
        {BOB, false, false, false, false, -1, -1},  {EVE, true, false, false, false, -1, -1},  {OLD, false, true, false, false, -1, -1},
        {LAPSED, false, false, true, false, -1, -1}, {FORCED, false, false, true, false, -1, -1}, {BLANK, false, false, false, true, -1, -1},
        {STAR, false, false, false, false, -1, -1}, {WARNED, false, false, false, false, 3, 5}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct account a = find(rows[i].user);
        assert_true(a.valid && a.shadow);
        assert_int_equal(a.uid, UID_FIRST + rows[i].user);
        assert_int_equal(a.locked, rows[i].locked);
        assert_int_equal(a.expired, rows[i].expired);
        assert_int_equal(a.must_change, rows[i].must_change);
        assert_int_equal(a.no_password, rows[i].no_password);
        assert_int_equal(a.expires_days, rows[i].expires_days);
        assert_int_equal(a.password_days, rows[i].password_days);
    }
}

static void access_rows(void **state)
{
    (void)state;
#define LIST(...) {(const char *[]){__VA_ARGS__}, COUNT_OF(((const char *[]){__VA_ARGS__}))}
    const struct { int user; struct conf_texts allow_users, deny_users, allow_groups, deny_groups; const char *reason; } rows[] = {
        {BOB, {0}, {0}, {0}, {0}, NULL},
        {BOB, LIST("lt-bob"), {0}, {0}, {0}, NULL},
        {BOB, LIST("lt-*"), {0}, {0}, {0}, NULL},
        {BOB, LIST("other", "lt-bob"), {0}, {0}, {0}, NULL},
        {BOB, LIST("other"), {0}, {0}, {0}, "User lt-bob from pc.example.org not allowed because not listed in AllowUsers"},
        {BOB, LIST("lt-bob@192.0.2.0/24"), {0}, {0}, {0}, NULL},
        {BOB, LIST("lt-bob@10.0.0.0/8"), {0}, {0}, {0}, "not listed in AllowUsers"},
        {BOB, LIST("lt-bob@*.example.org"), {0}, {0}, {0}, NULL},
        {BOB, {0}, LIST("lt-bob"), {0}, {0}, "User lt-bob from pc.example.org not allowed because listed in DenyUsers"},
        {BOB, LIST("lt-bob"), LIST("lt-b*"), {0}, {0}, "because listed in DenyUsers"},
        {BOB, {0}, LIST("lt-bob@10.*"), {0}, {0}, NULL},
        {BOB, {0}, LIST("lt-eve"), {0}, {0}, NULL},
        {BOB, {0}, {0}, LIST("lt-crew"), {0}, NULL},
        {BOB, {0}, {0}, LIST("lt-bob"), {0}, NULL},
        {BOB, {0}, {0}, LIST("wheel"), {0}, "User lt-bob from pc.example.org not allowed because none of user's groups are listed in AllowGroups"},
        {BOB, {0}, {0}, {0}, LIST("lt-c*"), "User lt-bob from pc.example.org not allowed because a group is listed in DenyGroups"},
        {BOB, {0}, {0}, LIST("lt-bob"), LIST("lt-crew"), "because a group is listed in DenyGroups"},
        {EVE, {0}, {0}, {0}, {0}, "User lt-eve not allowed because account is locked"},
        {OLD, {0}, {0}, {0}, {0}, "Account lt-old has expired"},
        {BADSHELL, {0}, {0}, {0}, {0}, "User lt-badshell not allowed because shell /etc/passwd is not executable"},
        {NOSHELL, {0}, {0}, {0}, {0}, "User lt-noshell not allowed because shell /nonexistent/sh does not exist"},
        {STAR, {0}, {0}, {0}, {0}, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct account a = find(rows[i].user);
        const struct sshd_conf conf = {.allow_users = rows[i].allow_users, .deny_users = rows[i].deny_users, .allow_groups = rows[i].allow_groups,
                                       .deny_groups = rows[i].deny_groups};
        char reason[512];
        enum verdict v = access_check(&a, &conf, &here, reason, sizeof reason);
        assert_int_equal(v == VERDICT_GOOD, rows[i].reason == NULL);
        if (rows[i].reason)
            has(reason, rows[i].reason);
        else
            assert_string_equal(reason, "");
    }
    struct account unknown;
    char reason[512];
    const struct sshd_conf conf = {0};
    account_find("lt-nobody", &unknown);
    assert_int_equal(access_check(&unknown, &conf, &here, reason, sizeof reason), VERDICT_BAD);
    assert_string_equal(reason, "Invalid user lt-nobody from 192.0.2.7 port 5022");
}

static void root_login_rows(void **state)
{
    (void)state;
    struct account root, bob = find(BOB), unknown;
    account_find("root", &root);
    account_find("lt-nobody", &unknown);
    const struct { int permit; const struct account *a; bool password, forced, ok; const char *reason; } rows[] = {
        {SSHD_ROOT_YES, &root, true, false, true, ""}, {SSHD_ROOT_YES, &root, false, false, true, ""},
        {SSHD_ROOT_PROHIBIT_PASSWORD, &root, true, false, false, "ROOT LOGIN REFUSED FROM 192.0.2.7 port 5022"},
        {SSHD_ROOT_PROHIBIT_PASSWORD, &root, false, false, true, ""},
        {SSHD_ROOT_FORCED_ONLY, &root, false, false, false, "ROOT LOGIN REFUSED"},
        {SSHD_ROOT_FORCED_ONLY, &root, false, true, true, "Root login accepted for forced command."},
        {SSHD_ROOT_NO, &root, false, true, false, "ROOT LOGIN REFUSED"}, {SSHD_ROOT_NO, &root, true, false, false, "ROOT LOGIN REFUSED"},
        {SSHD_ROOT_NO, &bob, true, false, true, ""}, {SSHD_ROOT_YES, &unknown, true, false, false, ""}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct sshd_conf conf = {.permit_root_login = rows[i].permit};
        char reason[256];
        enum verdict v = access_root_check(rows[i].a, &conf, &here, rows[i].password, rows[i].forced, reason, sizeof reason);
        assert_int_equal(v == VERDICT_GOOD, rows[i].ok);
        assert_non_null(strstr(reason, rows[i].reason));
    }
}

/* ---- passwords ---- */

static enum verdict password(const struct account *a, bool allowed, bool permit_empty, struct bytes text)
{
    const struct sshd_conf conf = {.permit_empty_passwords = permit_empty};
    struct password_ask ask;
    enum verdict v = VERDICT_GOOD;
    assert_int_equal(password_start(a, allowed, &conf, text, auth_exe, &ask), ERR_NONE);
    assert_int_equal(password_finish(&ask, 30000, &v), ERR_NONE);
    password_drop(&ask);
    return v;
}

static void password_rows(void **state)
{
    (void)state;
    if (auth_exe < 0) skip();
    const struct { int user; bool allowed, empty; const char *text; bool ok; } rows[] = {
        {BOB, true, false, "secret", true},    {BOB, true, false, "Secret", false},  {BOB, true, false, "secret ", false}, {BOB, true, false, "", false},
        {BOB, true, true, "", false},          {BOB, false, false, "secret", false}, {EVE, true, false, "secret", false},  {STAR, true, false, "*", false},
        {STAR, true, true, "", false},         {BLANK, true, false, "", false},      {BLANK, true, true, "", true},        {BLANK, false, true, "", false},
        {BLANK, true, true, "x", false},       {LAPSED, true, false, "secret", true}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct account a = find(rows[i].user);
        assert_int_equal(password(&a, rows[i].allowed, rows[i].empty, bytes_str(rows[i].text)) == VERDICT_GOOD, rows[i].ok);
    }
    struct account unknown, bob = find(BOB);
    account_find("lt-nobody", &unknown);
    assert_int_equal(password(&unknown, true, true, BYTES_LIT("secret")), VERDICT_BAD);
    assert_int_equal(password(&unknown, true, true, BYTES_LIT("")), VERDICT_BAD);
    assert_int_equal(password(&bob, true, true, BYTES_LIT("secret\0x")), VERDICT_BAD);
    assert_int_equal(password(&bob, true, true, BYTES_LIT("\0secret")), VERDICT_BAD);
    static uint8_t big[PASSWORD_MAX + 1];
    memset(big, 'a', sizeof big);
    assert_int_equal(password(&bob, true, true, bytes_of(big, sizeof big)), VERDICT_BAD);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void a_password_check_can_be_given_up(void **state)
{
    (void)state;
    if (auth_exe < 0) skip();
    struct account bob = find(BOB);
    const struct sshd_conf conf = {0};
    struct password_ask ask;
    enum verdict v = VERDICT_GOOD;
    assert_int_equal(password_start(&bob, true, &conf, BYTES_LIT("secret"), auth_exe, &ask), ERR_NONE);
    password_drop(&ask);
    assert_int_equal(password_start(&bob, true, &conf, BYTES_LIT("secret"), auth_exe, &ask), ERR_NONE);
    assert_int_equal(kill(ask.pid, SIGKILL), 0);
    assert_true(password_finish(&ask, 30000, &v) != ERR_NONE);
    assert_int_equal(v, VERDICT_BAD);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* ---- keys, read by the user's rights ---- */

#define BLOB "\0\0\0\x0bssh-ed25519\0\0\0\x20" "abcdefghijklmnopqrstuvwxyz012345"
#define KEY  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6MDEyMzQ1"

static struct keys_answer ask_key(const struct account *a, const char *file, bool strict, enum err *err)
{
    static struct key_options options;
    struct keys_answer answer = {0};
    const struct sshd_conf conf = {.strict_modes = strict, .authorized_keys_file = {&file, 1}};
    const struct keys_question q = {.account = a, .allowed = true, .conf = &conf, .link = &here, .blob = BYTES_LIT(BLOB), .timeout_ms = 20000};
    *err = keys_ask(&q, &options, &answer);
    return answer;
}

static void keys_are_read_with_the_users_rights_only(void **state)
{
    (void)state;
    struct account bob = find(BOB), eve = find(EVE), unknown;
    enum err err;
    account_find("lt-nobody", &unknown);
    sh("mkdir -p %s/.ssh %s/keys && echo '%s' > %s/.ssh/authorized_keys && chown -R lt-bob: %s/.ssh && chmod 700 %s/.ssh", bob.home, root_dir, KEY, bob.home, bob.home, bob.home);
    sh("echo '%s' > %s/keys/lt-bob && chmod 600 %s/keys/lt-bob; echo '%s' > %s/keys/open; ln -sf /etc/shadow %s/.ssh/shadow", KEY, root_dir, root_dir, KEY, root_dir, bob.home);
    char by_root[128], open_file[128], bobs[1200];
    snprintf(by_root, sizeof by_root, "%s/keys/%%u", root_dir);
    snprintf(open_file, sizeof open_file, "%s/keys/open", root_dir);
    snprintf(bobs, sizeof bobs, "%s/.ssh/authorized_keys", bob.home);
    assert_int_equal(ask_key(&bob, ".ssh/authorized_keys", false, &err).found, VERDICT_GOOD);
    assert_int_equal(ask_key(&bob, by_root, false, &err).found, VERDICT_BAD);      /* root's own file, closed to bob */
    assert_int_equal(err, ERR_NONE);
    assert_int_equal(ask_key(&bob, ".ssh/shadow", false, &err).found, VERDICT_BAD);
    assert_int_equal(ask_key(&bob, open_file, false, &err).found, VERDICT_GOOD);
    assert_int_equal(ask_key(&eve, bobs, false, &err).found, VERDICT_BAD);         /* bob's folder is closed to eve */
    assert_int_equal(ask_key(&unknown, open_file, false, &err).found, VERDICT_BAD);
    assert_int_equal(err, ERR_NONE);
    sh("rm -r %s/.ssh %s/keys", bob.home, root_dir);
}

/* While one process swaps the file for a link into a folder open to all, no answer may come out of that folder. */
static void a_swapped_link_gains_nothing(void **state)
{
    (void)state;
    struct account bob = find(BOB);
    sh("mkdir -m 777 %s/home/loose && echo '%s' > %s/home/loose/keys && mkdir -m 700 %s/.ssh && touch %s/.ssh/mine && chown -R lt-bob: %s/.ssh", root_dir, KEY,
       root_dir, bob.home, bob.home, bob.home);
    sh("chmod 777 %s/home/loose", root_dir);
    pid_t swapper = fork();
    assert_true(swapper >= 0);
    if (swapper == 0) {
        char loose[128], a[1200], b[1200];
        snprintf(loose, sizeof loose, "%s/home/loose/keys", root_dir);
        snprintf(a, sizeof a, "%s/.ssh/next", bob.home);
        snprintf(b, sizeof b, "%s/.ssh/authorized_keys", bob.home);
        for (unsigned i = 0;; i++)
            if (symlink(i % 2 ? loose : "mine", a) != 0 || rename(a, b) != 0) _exit(1);
    }
    unsigned refused = 0;
    for (int i = 0; i < 300; i++) {
        enum err err;
        struct keys_answer x = ask_key(&bob, ".ssh/authorized_keys", true, &err);
        assert_int_equal(x.found, VERDICT_BAD);
        refused += x.note[0] != 0;
    }
    kill(swapper, SIGKILL);
    waitpid(swapper, NULL, 0);
    assert_true(refused > 0);       /* the race was there */
    sh("rm -r %s/.ssh %s/home/loose", bob.home, root_dir);
}

/* ---- the hand ---- */

static struct hand_news next_news(struct hand *h)
{
    struct hand_news n = {.what = HAND_NOTHING, .fd = -1};
    struct pollfd p = {h->fd, POLLIN, 0};
    assert_int_equal(poll(&p, 1, 20000), 1);
    assert_int_equal(hand_receive(h, &n), ERR_NONE);
    return n;
}

static int listen_here(uint16_t *port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof sa;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
    *port = ntohs(sa.sin_port);
    return fd;
}

/* Every process of the hand is the user's. The socket's owner says who connected. */
static void the_hand_connects_as_the_user(void **state)
{
    (void)state;
    struct account bob = find(BOB);
    const struct sshd_conf conf = {0};
    struct hand h;
    uint16_t port;
    int server = listen_here(&port);
    hand_init(&h);
    assert_int_equal(hand_connect(&h, &bob, &conf, 71, "127.0.0.1", port), ERR_NONE);
    struct hand_news n = next_news(&h);
    assert_int_equal(n.what, HAND_CONNECTED);
    assert_int_equal(n.tag, 71);
    struct stat st;
    assert_int_equal(fstat(n.fd, &st), 0);
    assert_int_equal(st.st_uid, bob.uid);
    int peer = accept(server, NULL, NULL);
    char text[8] = "";
    assert_true(write(n.fd, "hello", 5) == 5 && read(peer, text, 5) == 5);
    assert_string_equal(text, "hello");
    close(n.fd), close(peer), close(server);
    assert_int_equal(hand_connect(&h, &bob, &conf, 72, "127.0.0.1", port), ERR_NONE);
    n = next_news(&h);
    assert_int_equal(n.what, HAND_REFUSED);
    assert_string_equal(n.text, "Connection refused");
    assert_int_equal(hand_connect(&h, &bob, &conf, 73, "no-such-name.invalid", 80), ERR_NONE);
    n = next_news(&h);
    assert_int_equal(n.what, HAND_REFUSED);
    assert_int_equal(n.tag, 73);
    assert_true(n.text[0] != 0);
    assert_int_equal(h.sent, 0);
    hand_close(&h);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0) return fd;
    close(fd);
    return -1;
}

static void the_hand_listens_and_stops(void **state)
{
    (void)state;
    struct account bob = find(BOB);
    const struct sshd_conf conf = {.address_family = CONF_AF_INET};
    struct hand h;
    hand_init(&h);
    assert_int_equal(hand_listen(&h, &bob, &conf, 1, "localhost", 0), ERR_NONE);
    struct hand_news n = next_news(&h);
    assert_int_equal(n.what, HAND_LISTENING);
    assert_true(n.port != 0);
    uint16_t port = n.port;
    int client = connect_to(port);
    assert_true(client >= 0);
    n = next_news(&h);
    assert_int_equal(n.what, HAND_ACCEPTED);
    assert_string_equal(n.host, "localhost");
    assert_int_equal(n.port, port);
    assert_string_equal(n.origin_host, "127.0.0.1");
    assert_true(n.origin_port != 0 && n.fd >= 0);
    close(n.fd), close(client);
    assert_int_equal(hand_listen(&h, &bob, &conf, 2, "localhost", port), ERR_NONE);        /* taken */
    n = next_news(&h);
    assert_int_equal(n.what, HAND_REFUSED);
    assert_int_equal(hand_cancel(&h, 3, "localhost", (uint16_t)(port ^ 1)), ERR_NONE);
    assert_int_equal(next_news(&h).what, HAND_REFUSED);
    assert_int_equal(hand_cancel(&h, 4, "localhost", port), ERR_NONE);
    assert_int_equal(next_news(&h).what, HAND_CLOSED);
    assert_int_equal(connect_to(port), -1);
    assert_int_equal(h.listeners, 0);
    assert_int_equal(hand_listen(&h, &bob, &conf, 5, "", 79), ERR_NONE);     /* below 1024: the user has no right to it */
    n = next_news(&h);
    assert_true(n.what == HAND_REFUSED || n.what == HAND_LISTENING);         /* some kernels give low ports to all */
    hand_close(&h);
}

static void a_killed_hand_is_news(void **state)
{
    (void)state;
    struct account bob = find(BOB);
    const struct sshd_conf conf = {0};
    struct hand h;
    hand_init(&h);
    assert_int_equal(hand_cancel(&h, 1, "x", 1), ERR_NOT_FOUND);
    assert_int_equal(hand_listen(&h, &bob, &conf, 1, "localhost", 0), ERR_NONE);
    assert_int_equal(next_news(&h).what, HAND_LISTENING);
    assert_int_equal(kill(h.pid, SIGKILL), 0);
    assert_int_equal(next_news(&h).what, HAND_GONE);
    assert_int_equal(h.fd, -1);
    struct hand_news n;
    assert_int_equal(hand_receive(&h, &n), ERR_AGAIN);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static int place_end(void **state)
{
    (void)state;
    umount2(root_dir, MNT_DETACH);
    rmdir(root_dir);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_are_reported_as_they_were),
        cmocka_unit_test(streams_stay_apart_and_input_arrives),
        cmocka_unit_test(a_command_sees_the_environment_of_a_login),
        cmocka_unit_test(a_command_has_the_users_identity_and_nothing_else),
        cmocka_unit_test(limits_are_those_of_the_start),
        cmocka_unit_test(a_terminal_is_the_users_own),
        cmocka_unit_test(a_login_shell_greets_and_ends_with_its_status),
        cmocka_unit_test(terminals_are_in_the_books),
        cmocka_unit_test(the_masters_end_hangs_up),
        cmocka_unit_test(terminals_can_be_forbidden),
        cmocka_unit_test(signals_go_to_the_group_as_the_user),
        cmocka_unit_test(nologin_keeps_all_but_root_out),
        cmocka_unit_test(a_missing_home_is_told),
        cmocka_unit_test(an_expired_password_gives_passwd_only),
        cmocka_unit_test(rc_files_run_first),
        cmocka_unit_test(forced_commands_replace_what_was_asked),
        cmocka_unit_test(shadow_rows),
        cmocka_unit_test(access_rows),
        cmocka_unit_test(root_login_rows),
        cmocka_unit_test(password_rows),
        cmocka_unit_test(a_password_check_can_be_given_up),
        cmocka_unit_test(keys_are_read_with_the_users_rights_only),
        cmocka_unit_test(a_swapped_link_gains_nothing),
        cmocka_unit_test(the_hand_connects_as_the_user),
        cmocka_unit_test(the_hand_listens_and_stops),
        cmocka_unit_test(a_killed_hand_is_news),
    };
    unsetenv("TZ");
    if (argc > 1) auth_exe = open(argv[1], O_PATH | O_CLOEXEC);
    if (!place_make()) {
        printf("TAP version 13\n1..0 # SKIP needs root and mount namespaces\n");
        return 0;
    }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, place_end);
}
