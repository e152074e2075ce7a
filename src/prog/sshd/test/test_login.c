/* SPDX-License-Identifier: ISC */
/* The parts of a login that need no root: rows of tables, one function each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "base/wr.h"
#include "conf/sshd.h"
#include "key/authorized_keys.h"
#include "home.h"
#include "sshd/account.h"
#include "sshd/keyfile.h"
#include "sshd/session.h"
#include "sshd/sha256.h"

/* ---- texts ---- */

static void sha256_gives_the_digests_of_fips_180(void **state)
{
    (void)state;
    static uint8_t million[1000000];
    memset(million, 'a', sizeof million);
    const struct { struct bytes in; const char *hex; } rows[] = {
        {BYTES_LIT(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {BYTES_LIT("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {BYTES_LIT("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {bytes_of(million, sizeof million), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint8_t sum[32], text[65] = {0};
        struct wr w = wr_span((struct span){text, 64});
        sha256_sum(rows[i].in, sum);
        hex_write(&w, bytes_of(sum, 32));
        assert_string_equal((char *)text, rows[i].hex);
    }
}

static void a_fingerprint_is_base64_without_padding(void **state)
{
    (void)state;
    char out[64];
    blob_fingerprint(BYTES_LIT("abc"), CONF_FP_SHA256, out);
    assert_string_equal(out, "SHA256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0");
}

/* RFC 1321 A.5 */
static void an_md5_fingerprint_is_hex_with_colons(void **state)
{
    static const struct { struct bytes in; const char *out; } rows[] = {
        {BYTES_LIT(""), "MD5:d4:1d:8c:d9:8f:00:b2:04:e9:80:09:98:ec:f8:42:7e"},
        {BYTES_LIT("message digest"), "MD5:f9:6b:69:7d:7c:b7:93:8d:52:5a:2f:31:aa:f1:61:d0"},
        {BYTES_LIT("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"), "MD5:d1:74:ab:98:d2:77:d9:f5:a5:61:1c:2c:9f:41:9d:9f"},
        {BYTES_LIT("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
         "MD5:57:ed:f4:a2:2b:e3:c9:55:ac:49:da:2e:21:07:b6:7a"},
    };
    char out[64];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        blob_fingerprint(rows[i].in, CONF_FP_MD5, out);
        assert_string_equal(out, rows[i].out);
    }
}

static void auth_lines_read_as_openssh_writes_them(void **state)
{
    (void)state;
    char out[256];
    struct account bob = {.name = "bob", .valid = true}, nobody = {.name = "b\\012ob"};
    auth_line("Accepted", "publickey", &bob, &here, "ED25519 SHA256:x", out, sizeof out);
    assert_string_equal(out, "Accepted publickey for bob from 192.0.2.7 port 5022 ssh2: ED25519 SHA256:x");
    auth_line("Failed", "password", &nobody, &here, "", out, sizeof out);
    assert_string_equal(out, "Failed password for invalid user b\\012ob from 192.0.2.7 port 5022 ssh2");
}

static void a_title_names_the_terminals(void **state)
{
    (void)state;
    char out[64];
    struct account bob = {.name = "bob"};
    struct session s[3] = {{.pid = 4, .tty = "/dev/pts/3"}, {.pid = 5}, {.pid = 6, .tty = "/dev/pts/11"}};
    session_title(&bob, s, 3, out, sizeof out);
    assert_string_equal(out, "bob@pts/3,pts/11");
    session_title(&bob, s + 1, 1, out, sizeof out);
    assert_string_equal(out, "bob@notty");
    session_title(&bob, s, 3, out, 6);
    assert_true(strlen(out) <= 5);
}

/* ---- accounts ---- */

static void names_that_cannot_be_are_invalid_accounts(void **state)
{
    (void)state;
    struct account a;
    char big[2000];
    memset(big, 'a', sizeof big - 1);
    big[sizeof big - 1] = 0;
    const char *names[] = {"", "no-such-user-here", "ro\not", big, "root\x1b[31m"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        account_find(names[i], &a);
        assert_false(a.valid);
        assert_int_equal(a.uid, (uid_t)-1);
        assert_true(text_printable(bytes_str(a.name)));
        assert_int_equal(account_become(&a), ERR_DENIED);
    }
    account_find("root", &a);
    assert_true(a.valid);
    assert_int_equal(a.uid, 0);
}

static void unknown_users_get_the_work_that_most_accounts_get(void **state)
{
    (void)state;
    const struct { const char *hashes[4]; size_t n; const char *setting; } rows[] = {
        {{"$6$salt$digest"}, 1, "$6$salt$"},
        {{"$y$j9T$salt$digest", "$6$a$b", "$y$j9T$other$x"}, 3, "$y$j9T$salt$"},
        {{"$6$rounds=9000$s$d", "$y$j9T$s$d", "$6$s$d"}, 3, "$6$rounds=9000$s$"},
        {{"$2b$12$abcdefghijklmnopqrstuvDIGESTDIGEST"}, 1, "$2b$12$abcdefghijklmnopqrstuv"},
        {{"*", "", "x", "$"}, 4, ""},
        {{NULL}, 0, ""}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char out[AUTH_SETTING_MAX];
        password_setting_choose(rows[i].hashes, rows[i].n, out);
        assert_string_equal(out, rows[i].setting);
    }
}

/* ---- what to run ---- */

static void forced_commands_rows(void **state)
{
    (void)state;
    struct sshd_subsystem subs[] = {{"sftp", "/usr/lib/sftp-server -l INFO"}, {"in", "internal-sftp"}};
    static const struct account account = {.shell = "/bin/sh"};
    struct key_options *o = calloc(1, sizeof *o);
    key_options_init(o);
    o->has_command = 1;
    strcpy(o->command, "from-key");
    const struct { const char *config; bool key; enum session_kind kind; const char *command, *run, *original; bool forced; enum err err; } rows[] = {
        {NULL, false, SESSION_SHELL, NULL, NULL, NULL, false, ERR_NONE},
        {NULL, false, SESSION_EXEC, "ls", "ls", NULL, false, ERR_NONE},
        {NULL, true, SESSION_EXEC, "ls", "from-key", "ls", true, ERR_NONE},
        {"cfg", true, SESSION_EXEC, "ls", "cfg", "ls", true, ERR_NONE},
        {"cfg", false, SESSION_SHELL, NULL, "cfg", NULL, true, ERR_NONE},
        {NULL, false, SESSION_SUBSYSTEM, "sftp", "/usr/lib/sftp-server -l INFO", NULL, false, ERR_NONE},
        {NULL, true, SESSION_SUBSYSTEM, "sftp", "from-key", "/usr/lib/sftp-server -l INFO", true, ERR_NONE},
        {NULL, false, SESSION_SUBSYSTEM, "in", "internal-sftp", NULL, false, ERR_NONE},
        {NULL, false, SESSION_SUBSYSTEM, "none", NULL, NULL, false, ERR_DENIED},
        {"internal-sftp", false, SESSION_EXEC, "ls", "internal-sftp", "ls", true, ERR_NONE},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sshd_conf conf = {.force_command = rows[i].config, .subsystem = {subs, 2}};
        struct session_spec spec = {.account = &account, .conf = &conf, .options = rows[i].key ? o : NULL, .kind = rows[i].kind, .command = rows[i].command};
        struct session_plan plan;
        assert_int_equal(session_plan_make(&spec, &plan), rows[i].err);
        if (rows[i].err != ERR_NONE) continue;
        assert_int_equal(plan.forced, rows[i].forced);
        assert_int_equal(plan.is_subsystem, rows[i].kind == SESSION_SUBSYSTEM);
        assert_true((plan.command == NULL) == (rows[i].run == NULL) && (plan.original == NULL) == (rows[i].original == NULL));
        if (plan.command) assert_string_equal(plan.command, rows[i].run);
        if (plan.original) assert_string_equal(plan.original, rows[i].original);
    }
    free(o);
}

/* ---- a server of one's own ---- */

static void read_all(int fd, char *out, size_t size)
{
    size_t n = 0;
    for (;;) {
        struct pollfd p = {fd, POLLIN, 0};
        if (poll(&p, 1, 20000) <= 0) break;
        ssize_t got = read(fd, out + n, size - 1 - n);
        if (got <= 0) break;
        n += (size_t)got;
    }
    out[n] = 0;
}

/* Without root, too: a session of the very user that runs the server, with pipes and with a terminal. */
static void serve_myself(void **state)
{
    (void)state;
    struct account me = {.name = "me", .home = "/", .shell = "/bin/sh", .uid = getuid(), .gid = getgid(), .groups_n = 0, .valid = true};
    const struct sshd_conf conf = {.permit_tty = true};
    const struct session_pty pty = {.term = "x"};
    for (int tty = 0; tty < 2; tty++) {
        const struct session_spec spec = {.account = &me, .conf = &conf, .link = &here, .kind = SESSION_EXEC,
                                          .command = "id -u; echo $SSH_TTY; exit 9", .timeout_ms = 20000, .pty = tty ? &pty : NULL};
        struct session s;
        struct session_exit x;
        char out[256], want[256];
        assert_int_equal(session_start(&spec, &s), ERR_NONE);
        assert_false(s.recorded);
        read_all(tty ? s.master : s.source, out, sizeof out);
        const char *end = tty ? "\r\n" : "\n";
        snprintf(want, sizeof want, "%u%s%s%s", getuid(), end, s.tty, end);
        assert_string_equal(out, want);
        struct pollfd p = {s.pidfd, POLLIN, 0};
        assert_int_equal(poll(&p, 1, 20000), 1);
        assert_int_equal(session_reap(&s, &me, &x), ERR_NONE);
        assert_int_equal(x.status, 9);
        session_ends_close(&s);
    }
    me.uid++;
    struct session s;
    const struct session_spec other = {.account = &me, .conf = &conf, .link = &here, .kind = SESSION_EXEC, .command = "echo never"};
    char out[256], reason[256];
    assert_int_equal(access_check(&me, &conf, &here, reason, sizeof reason), VERDICT_BAD);
    assert_int_equal(session_start(&other, &s), ERR_NONE);
    read_all(s.source, out, sizeof out);
    assert_string_equal(out, "");
    session_close(&s, &me);
}

/* Root becomes somebody for it (and runs itself anew, as a check that fails in a child is seen nowhere). */
static void everybody_can_serve_himself(void **state)
{
    char name[] = "test", only[] = "serve_myself";
    char *const argv[] = {name, only, NULL};
    int status, self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    if (geteuid() != 0) {
        close(self);
        serve_myself(state);
        return;
    }
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        if (dup2(null, 1) != 1 || setgroups(0, NULL) != 0 || setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0) _exit(1);
        fexecve(self, argv, environ);
        _exit(1);
    }
    close(self);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* ---- fork fails ---- */

/* The linker puts these in the place of fork and kill (meson.build). */
static bool fork_fails;
static pid_t killed;
pid_t __real_fork(void);
int __real_kill(pid_t pid, int sig);
pid_t __wrap_fork(void);
int __wrap_kill(pid_t pid, int sig);

pid_t __wrap_fork(void)
{
    if (!fork_fails) return __real_fork();
    errno = EAGAIN;
    return -1;
}

int __wrap_kill(pid_t pid, int sig)
{
    killed = pid;
    return pid > 0 ? __real_kill(pid, sig) : 0;
}

static size_t descriptors_open(void)
{
    size_t n = 0;
    for (int fd = 0; fd < 1000; fd++) n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* A failed fork is an error, never a pid: kill(-1) would end every process of a user. No descriptor is lost either. */
static void a_failed_fork_is_never_a_pid(void **state)
{
    (void)state;
    struct account me = {.name = "me", .home = "/", .shell = "/bin/sh", .uid = getuid(), .gid = getgid(), .valid = true};
    const char *file = "/nonexistent";
    const struct sshd_conf conf = {.permit_tty = true, .authorized_keys_file = {&file, 1}};
    const struct session_pty pty = {.term = "x"};
    struct session s = {.pid = 1234567, .pidfd = -1}, fresh = {0};
    struct session_spec spec = {.account = &me, .conf = &conf, .link = &here, .kind = SESSION_EXEC, .command = "true", .timeout_ms = 1000};
    const struct keys_question q = {.account = &me, .allowed = true, .conf = &conf, .link = &here, .blob = BYTES_LIT(BLOB), .timeout_ms = 1000};
    struct key_options *o = calloc(1, sizeof *o);
    struct keys_answer a = {0};
    struct hand h;
    hand_init(&h);
    size_t before = descriptors_open();
    fork_fails = true;
    killed = 0;
    enum err keys = keys_ask(&q, o, &a), plain = session_start(&spec, &fresh), sig = session_signal(&s, &me, "TERM");
    spec.pty = &pty;
    enum err tty = session_start(&spec, &fresh), hand = hand_connect(&h, &me, &conf, 1, "x", 1);
    hand_close(&h, &(const struct account){0});
    fork_fails = false;
    assert_int_equal(keys, ERR_SYSTEM);
    assert_int_equal(a.found, VERDICT_BAD);
    assert_int_equal(plain, ERR_SYSTEM);
    assert_int_equal(sig, ERR_SYSTEM);
    assert_int_equal(tty, ERR_SYSTEM);
    assert_int_equal(hand, ERR_SYSTEM);
    assert_int_equal(fresh.pid, 0);
    assert_int_equal(h.pid, 0);
    assert_int_equal(killed, 0);
    assert_int_equal(descriptors_open(), before);
    free(o);
}

/* ---- forwards ---- */

static void forward_rules_rows(void **state)
{
    (void)state;
    struct key_options *all = calloc(1, sizeof *all), *none = calloc(1, sizeof *none), *some = calloc(1, sizeof *some);
    const char *why;
    const struct account bob = {.uid = 1001}, root = {.uid = 0};
    key_options_init(all);
    assert_int_equal(key_options_parse(BYTES_LIT("restrict"), none, &why), ERR_NONE);
    assert_int_equal(key_options_parse(BYTES_LIT("permitopen=\"db:5432\",permitopen=\"[::1]:*\",permitlisten=\"localhost:8080\""), some,
        &why), ERR_NONE);
    const struct { int allow; bool disable; const struct key_options *o; const char *host; uint32_t port; bool open; } opens[] = {
        {CONF_FORWARDING_YES, false, NULL, "x", 80, true},     {CONF_FORWARDING_LOCAL, false, all, "x", 80, true},
        {CONF_FORWARDING_REMOTE, false, all, "x", 80, false},  {CONF_FORWARDING_NO, false, NULL, "x", 80, false},
        {CONF_FORWARDING_YES, true, NULL, "x", 80, false},     {CONF_FORWARDING_YES, false, none, "x", 80, false},
        {CONF_FORWARDING_YES, false, some, "db", 5432, true},  {CONF_FORWARDING_YES, false, some, "db", 5433, false},
        {CONF_FORWARDING_YES, false, some, "::1", 22, true},   {CONF_FORWARDING_YES, false, some, "db2", 5432, false},
        {CONF_FORWARDING_YES, false, NULL, "x", 0, false},     {CONF_FORWARDING_YES, false, NULL, "x", 65536, false}};
    for (size_t i = 0; i < COUNT_OF(opens); i++) {
        struct sshd_conf conf = {.allow_tcp_forwarding = opens[i].allow, .disable_forwarding = opens[i].disable};
        assert_int_equal(forward_open_check(&conf, opens[i].o, opens[i].host, opens[i].port) == VERDICT_GOOD, opens[i].open);
    }
    const struct { int gateway; const struct key_options *o; const struct account *a; const char *host; uint32_t port; bool ok; } listens[] = {
        {SSHD_GATEWAY_NO, NULL, &bob, "", 8080, true},          {SSHD_GATEWAY_NO, NULL, &bob, "", 80, false},
        {SSHD_GATEWAY_NO, NULL, &root, "", 80, true},           {SSHD_GATEWAY_NO, some, &bob, "localhost", 8080, true},
        {SSHD_GATEWAY_NO, some, &bob, "", 8080, true},          {SSHD_GATEWAY_NO, some, &bob, "", 8081, false},
        {SSHD_GATEWAY_YES, some, &bob, "localhost", 8080, false}, {SSHD_GATEWAY_CLIENT, some, &bob, "", 8080, false},
        {SSHD_GATEWAY_CLIENT, some, &bob, "localhost", 8080, true}, {SSHD_GATEWAY_CLIENT, some, &bob, "10.0.0.1", 8080, false},
        {SSHD_GATEWAY_NO, none, &bob, "", 8080, false},         {SSHD_GATEWAY_NO, NULL, &bob, "", 0, true}};
    for (size_t i = 0; i < COUNT_OF(listens); i++) {
        struct sshd_conf conf = {.allow_tcp_forwarding = CONF_FORWARDING_YES, .gateway_ports = listens[i].gateway};
        assert_int_equal(forward_listen_check(&conf, listens[i].o, listens[i].a, listens[i].host, listens[i].port) == VERDICT_GOOD, listens[i].ok);
    }
    free(all), free(none), free(some);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest one[] = {cmocka_unit_test(serve_myself)};
    (void)argv;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_digests_of_fips_180),
        cmocka_unit_test(a_fingerprint_is_base64_without_padding), cmocka_unit_test(an_md5_fingerprint_is_hex_with_colons),
        cmocka_unit_test(auth_lines_read_as_openssh_writes_them),
        cmocka_unit_test(a_title_names_the_terminals),
        cmocka_unit_test(names_that_cannot_be_are_invalid_accounts),
        cmocka_unit_test(unknown_users_get_the_work_that_most_accounts_get),
        cmocka_unit_test(forced_commands_rows),
        cmocka_unit_test(everybody_can_serve_himself),
        cmocka_unit_test(a_failed_fork_is_never_a_pid),
        cmocka_unit_test(forward_rules_rows),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    if (argc > 1) return cmocka_run_group_tests(one, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
