/* SPDX-License-Identifier: ISC */
/* Real sessions, with and without terminals, as the warden starts them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utmpx.h>

#include "conf/sshd.h"
#include "key/authorized_keys.h"
#include "place.h"
#include "sshd/session.h"

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
    struct outcome o = run((struct session_spec){.account = &a, .kind = SESSION_EXEC, .command =
        "cat; echo err >&2; echo err2 >/dev/stderr; echo o2 >/dev/stdout"}, "in\n");
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
             "HOME=%s/home/lt-bob\nLOGNAME=lt-bob\nMAIL=/var/mail/lt-bob\nPATH=/usr/local/bin:/usr/bin:/bin:/usr/games\n"
             "PWD=%s/home/lt-bob\nSHELL=/bin/sh\n"
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
    struct outcome o = run_command(BOB,
        "id -u; id -g; id -G; grep -E '^(Sig(Blk|Ign)|NoNewPrivs|Seccomp|Cap(Prm|Eff|Inh|Amb)):' /proc/self/status; ls /proc/self/fd; umask");
    umask(mask);
    close(leak);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &old, NULL);
    assert_string_equal(o.out, "43010\n43010\n43010 43099\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nCapInh:\t0000000000000000\n"
                               "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapAmb:\t0000000000000000\n"
                               "NoNewPrivs:\t0\nSeccomp:\t0\n0\n1\n2\n3\n0022\n");
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
                           .command = "tty; echo $SSH_TTY $TERM; stat -c '%U %G %a' $(tty); stty size; "
                                      "stty -a | grep -o -e '-echo '; : </dev/tty && echo controlled; "
                                      "ps -o tpgid=,pgid=,sid= -p $$ | awk '$1==$2 && $2==$3 {print \"leads\"}'; ls -1 /proc/self/fd"}, NULL);
    char want[256];
    assert_int_equal(o.err, ERR_NONE);
    snprintf(want, sizeof want,
        "%s\r\n%s xterm-256color\r\nlt-bob tty 620\r\n33 101\r\n-echo \r\ncontrolled\r\nleads\r\n0\r\n1\r\n2\r\n3\r\n", o.tty, o.tty);
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
    const struct session_spec spec = {.account = &a, .conf = &conf, .link = &here, .kind = SESSION_EXEC, .command =
        "echo up; exec sleep 1000", .pty = &term, .timeout_ms = 20000};
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
    assert_int_equal(session_start(&(struct session_spec){.account = &a, .conf = &conf, .link = &here, .kind = SESSION_EXEC, .command =
        "echo in", .pty = &term,
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

/* Who may only move files may put a file at ~/.ssh/rc, too. */
static void only_files_means_no_rc_file_of_the_users(void **state)
{
    (void)state;
    struct account a = find(BOB);
    static const struct sshd_conf conf = {.force_command = "internal-sftp", .permit_user_rc = true, .permit_tty = true};
    static const struct session_pty pty = {.term = "vt100", .cols = 80, .rows = 24};
    sh("mkdir %s/.ssh && echo 'echo user rc' > %s/.ssh/rc && echo 'echo system rc' > /etc/ssh/sshrc", a.home, a.home);
    struct outcome shell = run((struct session_spec){.account = &a, .conf = &conf, .kind = SESSION_SHELL}, NULL);
    struct outcome command = run((struct session_spec){.account = &a, .conf = &conf, .kind = SESSION_EXEC, .command = "id"}, NULL);
    struct outcome tty = run((struct session_spec){.account = &a, .conf = &conf, .kind = SESSION_SHELL, .pty = &pty}, NULL);
    sh("rm -r %s/.ssh /etc/ssh/sshrc", a.home);
    assert_string_equal(shell.out, "system rc\nThis service allows sftp connections only.\n");
    assert_string_equal(command.out, "system rc\nThis service allows sftp connections only.\n");
    assert_int_equal(command.exit.status, 1);
    assert_null(strstr(tty.out, "user rc"));
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

int main(void)
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
        cmocka_unit_test(only_files_means_no_rc_file_of_the_users),
        cmocka_unit_test(forced_commands_replace_what_was_asked),
    };
    if (!place_make()) return 0;
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, place_end);
}
