/* SPDX-License-Identifier: ISC */
/* Who may log in: shadow, the rules, passwords, keys read by the user's rights. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "conf/sshd.h"
#include "key/authorized_keys.h"
#include "place.h"

static int auth_exe = -1;

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
    struct account unknown, locked = find(EVE);
    char reason[512];
    const struct sshd_conf conf = {0}, with_pam = {.use_pam = true};
    assert_int_equal(access_check(&locked, &with_pam, &here, reason, sizeof reason), VERDICT_GOOD);
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
    assert_true(auth_exe >= 0);
    const struct { int user; bool allowed, empty; const char *text; bool ok; } rows[] = {
        {BOB, true, false, "secret", true},    {BOB, true, false, "Secret", false},  {BOB, true, false, "secret ", false}, {BOB, true,
            false, "", false},
        {BOB, true, true, "", false},          {BOB, false, false, "secret", false}, {EVE, true, false, "secret", false},  {STAR, true,
            false, "*", false},
        {STAR, true, true, "", false},         {BLANK, true, false, "", false},      {BLANK, true, true, "", true},        {BLANK, false,
            true, "", false},
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

/* In a process of its own, which has seen no hash but by the functions under test: is one left on its heap? */
static int heap_scan(void)
{
    char line[256], name[64], want[] = "$7$tbmutbmu$";      /* no hash in this program's own constants */
    unsigned long from = 0, to = 0;
    login_init();
    struct account a = find(BOB);
    FILE *maps = fopen("/proc/self/maps", "r");
    if (!a.valid || !a.shadow || !maps) return 2;
    for (char *p = want; *p; p++)
        if (*p != '$') --*p;
    while (fgets(line, sizeof line, maps)) {
        name[0] = 0;
        if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %63s", &from, &to, name) < 2 || strcmp(name, "[heap]") != 0) continue;
        if (memmem((void *)from, to - from, want, strlen(want))) return 1;
    }
    fclose(maps);
    return 0;
}

static void no_hash_stays_in_memory(void **state)
{
    (void)state;
    char name[] = "test", scan[] = "scan";
    char *const argv[] = {name, scan, NULL};
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execv("/proc/self/exe", argv);
        _exit(3);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_password_check_can_be_given_up(void **state)
{
    (void)state;
    assert_true(auth_exe >= 0);
    struct account bob = find(BOB);
    const struct sshd_conf conf = {0};
    struct password_ask ask;
    enum verdict v = VERDICT_GOOD;
    assert_int_equal(password_start(&bob, true, &conf, BYTES_LIT("secret"), auth_exe, &ask), ERR_NONE);
    password_drop(&ask);
    int mute = open("/bin/cat", O_PATH | O_CLOEXEC);         /* one that cannot have answered before it is killed */
    assert_true(mute >= 0);
    assert_int_equal(password_start(&bob, true, &conf, BYTES_LIT("secret"), mute, &ask), ERR_NONE);
    close(mute);
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
    sh("mkdir -p %s/.ssh %s/keys && echo '%s' > %s/.ssh/authorized_keys && chown -R lt-bob: %s/.ssh && chmod 700 %s/.ssh", bob.home,
        root_dir, KEY, bob.home, bob.home, bob.home);
    sh("echo '%s' > %s/keys/lt-bob && chmod 600 %s/keys/lt-bob; echo '%s' > %s/keys/open; ln -sf /etc/shadow %s/.ssh/shadow", KEY,
        root_dir, root_dir, KEY, root_dir, bob.home);
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
    sh("mkdir -m 777 %s/home/loose && echo '%s' > %s/home/loose/keys && mkdir -m 700 %s/.ssh", root_dir, KEY, root_dir, bob.home);
    sh("touch %s/.ssh/mine && chown -R lt-bob: %s/.ssh", bob.home, bob.home);
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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shadow_rows),
        cmocka_unit_test(access_rows),
        cmocka_unit_test(root_login_rows),
        cmocka_unit_test(password_rows),
        cmocka_unit_test(no_hash_stays_in_memory),
        cmocka_unit_test(a_password_check_can_be_given_up),
        cmocka_unit_test(keys_are_read_with_the_users_rights_only),
        cmocka_unit_test(a_swapped_link_gains_nothing),
    };
    if (argc > 1 && strcmp(argv[1], "scan") == 0) return heap_scan();
    if (argc > 1) auth_exe = open(argv[1], O_PATH | O_CLOEXEC);
    if (!place_make()) return 0;
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, place_end);
}
