/* SPDX-License-Identifier: ISC */
/* What a session is given: its variables, and the modes of its terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "conf/sshd.h"
#include "home.h"
#include "sshd/account.h"
#include "sshd/session.h"

/* ---- environment ---- */

static void accepted_variables_rows(void **state)
{
    (void)state;
    const char *patterns[] = {"LANG", "LC_*"};
    const struct sshd_conf conf = {.accept_env = {patterns, 2}};
    const struct { const char *name, *value; enum err err; } rows[] = {
        {"LANG", "C", ERR_NONE}, {"LC_ALL", "x=y", ERR_NONE}, {"LANG", "de", ERR_NONE}, {"LD_PRELOAD", "/x", ERR_DENIED},
        {"", "x", ERR_DENIED}, {"LC_=", "x", ERR_DENIED}, {"lang", "x", ERR_DENIED}, {"LANGX", "x", ERR_DENIED}, {"LC_", "", ERR_NONE}};
    struct session_env e = {0};
    for (size_t i = 0; i < COUNT_OF(rows); i++) assert_int_equal(session_env_add(&e, &conf, rows[i].name, rows[i].value), rows[i].err);
    assert_memory_equal(e.text, "LC_ALL=x=y\0LANG=de\0LC_=\0", 24);
    assert_int_equal(e.n, 24);
    session_env_done(&e);
}

static void variables_are_bounded(void **state)
{
    (void)state;
    const char *patterns[] = {"*"};
    const struct sshd_conf conf = {.accept_env = {patterns, 1}};
    struct session_env e = {0};
    char name[16], value[1000];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = 0;
    enum err last = ERR_NONE;
    for (int i = 0; i < 1000 && last == ERR_NONE; i++) {
        snprintf(name, sizeof name, "V%d", i);
        last = session_env_add(&e, &conf, name, value);
    }
    assert_int_equal(last, ERR_NOSPACE);
    assert_true(e.n <= SESSION_ENV_BYTES_MAX);
    for (int i = 0; i < 100000; i++) assert_int_equal(session_env_add(&e, &conf, "V1", value), ERR_NONE);   /* replacing takes no room */
    session_env_done(&e);
}

static void a_session_has_these_variables(void **state)
{
    (void)state;
    const char *patterns[] = {"*"}, *set[] = {"FROM_CONF=yes", "USER=forged"};
    struct sshd_conf conf = {.accept_env = {patterns, 1}, .set_env = {set, 2}};
    const struct account bob = {.name = "bob", .home = "/home/bob", .shell = "/bin/sh", .uid = 1001, .valid = true};
    struct session_env env = {0};
    struct session_pty pty = {.term = "xterm"};
    struct session_plan plan = {.original = "what was asked"};
    struct environ_list l = {0};
    assert_int_equal(session_env_add(&env, &conf, "SSH_CLIENT", "forged"), ERR_NONE);
    assert_int_equal(session_env_add(&env, &conf, "HOME", "/forged"), ERR_NONE);
    assert_int_equal(session_env_add(&env, &conf, "LANG", "C"), ERR_NONE);
    const struct session_spec spec = {.account = &bob, .conf = &conf, .link = &here, .env = &env, .pty = &pty};
    assert_int_equal(setenv("TZ", "UTC", 1), 0);
    environ_build(&l, &spec, &plan, "/dev/pts/3");
    const struct { const char *name, *value; } want[] = {
        {"TZ", "UTC"}, {"SSH_CLIENT", "192.0.2.7 5022 22"}, {"HOME", "/home/bob"}, {"LANG", "C"}, {"USER", "forged"}, {"LOGNAME", "bob"},
        {"PATH", "/usr/local/bin:/usr/bin:/bin:/usr/games"}, {"MAIL", "/var/mail/bob"}, {"SHELL", "/bin/sh"}, {"TERM", "xterm"},
        {"FROM_CONF", "yes"}, {"SSH_CONNECTION", "192.0.2.7 5022 192.0.2.1 22"}, {"SSH_TTY", "/dev/pts/3"},
        {"SSH_ORIGINAL_COMMAND", "what was asked"}};
    assert_int_equal(l.n, COUNT_OF(want));
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        const char *got = environ_get(&l, want[i].name);
        assert_non_null(got);
        assert_string_equal(got, want[i].value);
    }
    session_env_done(&env);
    for (size_t i = 0; i < l.n; i++) free(l.v[i]);
    free(l.v);
}

static void environment_files_are_read_by_their_rules(void **state)
{
    (void)state;
    struct home p;
    struct environ_list l = {0};
    home_make(&p);
    home_write(p.file, "# no\n\n  A=1\nB=two words \nbad line\nLD_X=3\nA=4\n=5\nC=");
    int null = open("/dev/null", O_WRONLY), err = dup(2);
    assert_true(dup2(null, 2) == 2);
    environ_file(&l, p.file, &p.who, "!LD_*,*");
    environ_file(&l, p.fifo, &p.who, NULL);
    assert_true(dup2(err, 2) == 2);
    close(null), close(err);
    assert_int_equal(l.n, 3);
    assert_string_equal(environ_get(&l, "A"), "4");
    assert_string_equal(environ_get(&l, "B"), "two words ");
    assert_string_equal(environ_get(&l, "C"), "");
    assert_null(environ_get(&l, "LD_X"));
    for (size_t i = 0; i < l.n; i++) free(l.v[i]);
    free(l.v);
    home_end(&p);
}

static void system_environment_is_read_as_pam_reads_it(void **state)
{
    (void)state;
    struct home p;
    struct environ_list l = {0};
    home_make(&p);
    home_write(p.file, "# no=1\nLANG=de_DE.UTF-8\n export A=\"x y\" \r\nB='q'\nC=\"open\nnothing\n=x\nPATH=/a:/b");
    environ_system(&l, p.file, &p.who);
    assert_int_equal(l.n, 5);
    const struct { const char *name, *value; } want[] = {{"LANG", "de_DE.UTF-8"}, {"A", "x y"}, {"B", "q"}, {"C", "\"open"}, {"PATH", "/a:/b"}};
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        assert_non_null(environ_get(&l, want[i].name));
        assert_string_equal(environ_get(&l, want[i].name), want[i].value);
    }
    for (size_t i = 0; i < l.n; i++) free(l.v[i]);
    free(l.v);
    home_end(&p);
}

/* ---- terminal modes ---- */

static void modes_set_what_they_name(void **state)
{
    (void)state;
    int master, slave;
    struct termios t;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    static const uint8_t modes[] = {1, 0, 0, 0, 7,          /* VINTR = ^G */
                                    2, 0, 0, 0, 255,        /* VQUIT off */
                                    36, 0, 0, 0, 0,         /* ICRNL off */
                                    42, 0, 0, 0, 1,         /* IUTF8 */
                                    53, 0, 0, 0, 0,         /* ECHO off */
                                    72, 0, 0, 0, 0,         /* ONLCR off */
                                    90, 0, 0, 0, 1, 92, 0, 0, 0, 1,     /* CS7, PARENB */
                                    91, 0, 0, 0, 0,         /* "not CS8" changes nothing */
                                    99, 1, 2, 3, 4,         /* unknown: skipped */
                                    128, 0, 0, 0x25, 0x80, 129, 0, 0, 0x25, 0x80,       /* 9600 */
                                    0, 30, 0, 0, 0, 1};     /* behind the end */
    assert_int_equal(tty_modes_apply(slave, bytes_of(modes, sizeof modes)), ERR_NONE);
    assert_int_equal(tcgetattr(slave, &t), 0);
    assert_int_equal(t.c_cc[VINTR], 7);
    assert_int_equal(t.c_cc[VQUIT], _POSIX_VDISABLE);
    assert_false(t.c_iflag & ICRNL);
    assert_true(t.c_iflag & IUTF8);
    assert_false(t.c_lflag & ECHO);
    assert_true(t.c_lflag & ICANON);
    assert_false(t.c_oflag & ONLCR);
    assert_false(t.c_iflag & IGNPAR);
    assert_int_equal(cfgetospeed(&t), B9600);
    static const uint8_t cut[] = {53, 0, 0, 0, 1, 50, 0, 0}, strange[] = {160, 1, 53, 0, 0, 0, 0};
    assert_int_equal(tty_modes_apply(slave, bytes_of(cut, sizeof cut)), ERR_NONE);
    assert_int_equal(tty_modes_apply(slave, bytes_of(strange, sizeof strange)), ERR_NONE);
    assert_int_equal(tcgetattr(slave, &t), 0);
    assert_true(t.c_lflag & ECHO);
    assert_true(t.c_lflag & ISIG);
    assert_int_equal(tty_modes_apply(slave, (struct bytes){0}), ERR_NONE);
    close(slave), close(master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted_variables_rows),
        cmocka_unit_test(variables_are_bounded),
        cmocka_unit_test(a_session_has_these_variables),
        cmocka_unit_test(environment_files_are_read_by_their_rules),
        cmocka_unit_test(system_environment_is_read_as_pam_reads_it),
        cmocka_unit_test(modes_set_what_they_name),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
