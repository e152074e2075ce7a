/* SPDX-License-Identifier: ISC */
/* Which commands are served without a program, and which folders a session may be shut into. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/sshd.h"
#include "key/authorized_keys.h"
#include "sshd/session.h"

static void internal_sftp_is_a_word_of_its_own(void **state)
{
    (void)state;
    assert_true(session_is_internal_sftp("internal-sftp"));
    assert_true(session_is_internal_sftp("internal-sftp -R"));
    assert_true(session_is_internal_sftp("internal-sftp\t-R"));
    assert_false(session_is_internal_sftp("internal-sftpd"));
    assert_false(session_is_internal_sftp(" internal-sftp"));
    assert_false(session_is_internal_sftp("/usr/bin/internal-sftp"));
}

static void only_a_plain_shell_lets_us_take_sftp_servers_place(void **state)
{
    (void)state;
    static const struct { const char *command, *shell; bool ours; } rows[] = {
        {"/usr/lib/openssh/sftp-server", "/bin/bash", true},
        {"/usr/lib/openssh/sftp-server -l INFO -u 0022", "/bin/sh", true},
        {NACRE_LIBEXEC "/sftp-server -R", "/usr/bin/zsh", true},
        {"/usr/lib/openssh/sftp-server", "/usr/sbin/nologin", false},
        {"/usr/lib/openssh/sftp-server", "/bin/false", false},
        {"/usr/lib/openssh/sftp-server", "/bin/rbash", false},
        {"/usr/lib/openssh/sftp-server", "/usr/bin/git-shell", false},
        {"/usr/lib/openssh/sftp-server", "/home/bob/bin/sh", false},
        {"/usr/lib/openssh/sftp-server", "sh", false},
        {"/opt/own/sftp-server", "/bin/bash", false},
        {"/usr/lib/openssh/sftp-server2", "/bin/bash", false},
        {"/usr/lib/openssh/sftp-server; id", "/bin/bash", false},
        {"/usr/lib/openssh/sftp-server -d $HOME", "/bin/bash", false},
        {"/usr/lib/openssh/sftp-server 2>/tmp/log", "/bin/bash", false},
        {"sftp-server", "/bin/bash", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct account a = {0};
        strcpy(a.shell, rows[i].shell);
        if (session_is_sftp_server(rows[i].command, &a) != rows[i].ours) fail_msg("%s with %s", rows[i].command, rows[i].shell);
    }
}

/* A forced internal-sftp lets nothing else run, and an expired password lets nothing run but its change. */
static void who_may_only_move_files(void **state)
{
    (void)state;
    struct sshd_subsystem subs[] = {{"sftp", "/usr/lib/openssh/sftp-server"}, {"other", "/bin/other"}};
    static const struct { const char *force; enum session_kind kind; const char *command; bool expired, files, only; } rows[] = {
        {NULL, SESSION_SUBSYSTEM, "sftp", false, true, false},
        {NULL, SESSION_SUBSYSTEM, "sftp", true, false, false},
        {NULL, SESSION_SUBSYSTEM, "other", false, false, false},
        {NULL, SESSION_EXEC, "internal-sftp", false, false, false},
        {NULL, SESSION_EXEC, "/usr/lib/openssh/sftp-server", false, false, false},
        {"internal-sftp -R", SESSION_SUBSYSTEM, "sftp", false, true, false},
        {"internal-sftp -R", SESSION_SUBSYSTEM, "other", false, true, false},
        {"internal-sftp", SESSION_EXEC, "id", false, false, true},
        {"internal-sftp", SESSION_SHELL, NULL, false, false, true},
        {"/bin/echo", SESSION_SUBSYSTEM, "sftp", false, false, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sshd_conf conf = {.force_command = rows[i].force, .subsystem = {subs, 2}};
        static const struct account account = {.shell = "/bin/sh"};
        const struct session_spec spec = {.account = &account, .conf = &conf, .kind = rows[i].kind, .command = rows[i].command,
                                          .change_password = rows[i].expired};
        struct session_plan plan;
        assert_int_equal(session_plan_make(&spec, &plan), ERR_NONE);
        if (plan.files != rows[i].files || plan.files_only != rows[i].only) fail_msg("row %zu", i);
    }
}

/* ---- ChrootDirectory ---- */

static enum err chroot_path(const char *text, char out[4096], char why[512])
{
    static const struct account a = {.name = "bob", .home = "/home/bob", .uid = 1234};
    const struct sshd_conf conf = {.chroot_directory = text};
    const struct session_spec spec = {.account = &a, .conf = &conf};
    return session_chroot_path(&spec, out, 4096, why, 512);
}

static void a_chroot_is_roots_alone_from_the_first_folder_on(void **state)
{
    (void)state;
    char out[4096], why[512], text[256];
    char top[] = "/root/nacre-chroot-XXXXXX";       /* all above is root's, unlike /tmp */
    assert_int_equal(chroot_path(NULL, out, why), ERR_NONE);
    assert_string_equal(out, "");
    if (geteuid() != 0) {
        assert_int_equal(chroot_path("/", out, why), ERR_DENIED);
        assert_string_equal(why, "server lacks privileges to chroot to ChrootDirectory");
        return;
    }
    assert_int_equal(chroot_path("relative", out, why), ERR_DENIED);
    assert_int_equal(chroot_path("/%q", out, why), ERR_DENIED);
    assert_int_equal(chroot_path("/nowhere/at/all", out, why), ERR_DENIED);
    if (!mkdtemp(top)) skip();
    chmod(top, 0755);
    snprintf(text, sizeof text, "%s/bob-1234", top);
    mkdir(text, 0755);
    snprintf(text, sizeof text, "%s/%%u-%%U", top);
    assert_int_equal(chroot_path(text, out, why), ERR_NONE);
    assert_string_equal(out + strlen(top), "/bob-1234");
    static const struct { mode_t top, inner; uid_t owner; bool good; } rows[] = {
        {0755, 0755, 0, true}, {0775, 0755, 0, false}, {0757, 0755, 0, false}, {0755, 0775, 0, false}, {0755, 0755, 1234, false}, {0755, 0700, 0, true}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char inner[256];
        snprintf(inner, sizeof inner, "%s/bob-1234", top);
        assert_int_equal(chmod(top, rows[i].top), 0);
        assert_int_equal(chmod(inner, rows[i].inner), 0);
        assert_int_equal(chown(inner, rows[i].owner, 0), 0);
        if ((chroot_path(text, out, why) == ERR_NONE) != rows[i].good) fail_msg("row %zu", i);
    }
    snprintf(out, sizeof out, "%s/bob-1234", top);
    rmdir(out);
    rmdir(top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(internal_sftp_is_a_word_of_its_own), cmocka_unit_test(only_a_plain_shell_lets_us_take_sftp_servers_place),
        cmocka_unit_test(who_may_only_move_files), cmocka_unit_test(a_chroot_is_roots_alone_from_the_first_folder_on)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
