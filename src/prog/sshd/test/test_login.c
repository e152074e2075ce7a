/* SPDX-License-Identifier: ISC */
/* The parts of a login that need no root: rows of tables, one function each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/text.h"
#include "base/wr.h"
#include "conf/sshd.h"
#include "key/authorized_keys.h"
#include "sshd/keyfile.h"
#include "sshd/session.h"
#include "sshd/sha256.h"

static const struct link_ends here = {.client_addr = "192.0.2.7", .client_host = "pc.example.org", .server_addr = "192.0.2.1", .client_port = 5022, .server_port = 22};

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
    blob_fingerprint(BYTES_LIT("abc"), out);
    assert_string_equal(out, "SHA256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0");
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

/* ---- authorized_keys: paths and modes ---- */

static void key_file_paths_expand_and_start_at_home(void **state)
{
    (void)state;
    const struct account bob = {.name = "bob", .home = "/home/bob", .uid = 1001};
    const struct { const char *text, *path; } rows[] = {
        {".ssh/authorized_keys", "/home/bob/.ssh/authorized_keys"}, {"/etc/keys/%u", "/etc/keys/bob"}, {"%h/k", "/home/bob/k"},
        {"/x/%U/%%", "/x/1001/%"}, {"%u.keys", "/home/bob/bob.keys"}, {"/x/%q", NULL}, {"/x/%", NULL}};
    char out[PATH_MAX];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum err e = keyfile_path(&bob, rows[i].text, (struct span){(uint8_t *)out, sizeof out});
        assert_int_equal(e, rows[i].path ? ERR_NONE : ERR_USAGE);
        if (rows[i].path) assert_string_equal(out, rows[i].path);
    }
    assert_int_equal(keyfile_path(&bob, "/x/%u", (struct span){(uint8_t *)out, 4}), ERR_TOO_LONG);
}

struct place {
    char home[64], file[128], link[128], fifo[128], folder[128];
    struct account who;
};

static void place_write(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, 0600), 0);
}

static void place_make(struct place *p)
{
    *p = (struct place){.home = "/tmp/nacre-login-XXXXXX"};
    assert_non_null(mkdtemp(p->home));
    p->who = (struct account){.name = "me", .uid = getuid(), .gid = getgid(), .valid = true};
    strcpy(p->who.home, p->home);
    snprintf(p->folder, sizeof p->folder, "%s/.ssh", p->home);
    snprintf(p->file, sizeof p->file, "%s/.ssh/authorized_keys", p->home);
    snprintf(p->link, sizeof p->link, "%s/.ssh/link", p->home);
    snprintf(p->fifo, sizeof p->fifo, "%s/.ssh/fifo", p->home);
    assert_int_equal(mkdir(p->folder, 0700), 0);
    place_write(p->file, "");
    assert_int_equal(symlink("authorized_keys", p->link), 0);
    assert_int_equal(mkfifo(p->fifo, 0600), 0);
}

static void place_end(struct place *p)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", p->home);
    assert_int_equal(system(command), 0);
}

static enum err try_open(const struct place *p, const char *path, bool strict, char *note)
{
    int fd = -1;
    note[0] = 0;
    enum err e = keyfile_open(&p->who, path, strict, note, 512, &fd);
    if (e == ERR_NONE) {
        assert_true(fd >= 0);
        close(fd);
    }
    return e;
}

static void strict_modes_rows(void **state)
{
    (void)state;
    struct place p;
    char note[512];
    place_make(&p);
    const struct { mode_t home, folder, file; const char *what; } rows[] = {
        {0755, 0700, 0600, NULL},        {0700, 0755, 0644, NULL},        {0775, 0700, 0600, "directory"}, {0757, 0700, 0600, "directory"},
        {0755, 0770, 0600, "directory"}, {0755, 0702, 0600, "directory"}, {0755, 0700, 0620, "file"},      {0755, 0700, 0602, "file"},
        {0755, 0755, 0400, NULL},        {01777, 0700, 0600, "directory"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(chmod(p.home, rows[i].home) | chmod(p.folder, rows[i].folder) | chmod(p.file, rows[i].file), 0);
        enum err e = try_open(&p, p.file, true, note);
        assert_int_equal(e, rows[i].what ? ERR_DENIED : ERR_NONE);
        if (rows[i].what) {
            assert_non_null(strstr(note, "Authentication refused: bad ownership or modes for "));
            assert_non_null(strstr(note, rows[i].what));
        }
        assert_int_equal(try_open(&p, p.file, false, note), ERR_NONE);
    }
    place_end(&p);
}

/* The home folder ends the walk upwards: what is above it (/tmp, writable by all) does not count, unless the file is elsewhere. */
static void the_walk_ends_at_home(void **state)
{
    (void)state;
    struct place p;
    char note[512];
    place_make(&p);
    assert_int_equal(try_open(&p, p.file, true, note), ERR_NONE);
    assert_int_equal(try_open(&p, p.link, true, note), ERR_NONE);
    strcpy(p.who.home, "/nonexistent");
    assert_int_equal(try_open(&p, p.file, true, note), ERR_DENIED);
    assert_non_null(strstr(note, "directory /tmp"));
    place_end(&p);
}

/* A link is judged by where it leads. */
static void a_link_into_a_loose_folder_is_refused(void **state)
{
    (void)state;
    struct place p;
    char note[512], loose[160], inside[200];
    place_make(&p);
    snprintf(loose, sizeof loose, "%s/loose", p.home);
    snprintf(inside, sizeof inside, "%s/keys", loose);
    assert_int_equal(mkdir(loose, 0700), 0);
    assert_int_equal(chmod(loose, 0777), 0);
    place_write(inside, "");
    assert_int_equal(unlink(p.link), 0);
    assert_int_equal(symlink(inside, p.link), 0);
    assert_int_equal(try_open(&p, p.link, true, note), ERR_DENIED);
    assert_non_null(strstr(note, "/loose"));
    place_end(&p);
}

static void special_files_are_neither_read_nor_waited_for(void **state)
{
    (void)state;
    struct place p;
    char note[512];
    place_make(&p);
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    snprintf(sa.sun_path, sizeof sa.sun_path, "%s/sock", p.home);
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(s, (struct sockaddr *)&sa, sizeof sa), 0);
    const char *paths[] = {p.fifo, p.folder, "/dev/zero", "/dev/tty", sa.sun_path};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        assert_int_equal(try_open(&p, paths[i], false, note), ERR_DENIED);
        assert_non_null(strstr(note, "not a regular file"));
    }
    assert_int_equal(try_open(&p, "/nonexistent/x", true, note), ERR_NOT_FOUND);
    assert_string_equal(note, "");
    close(s);
    place_end(&p);
}

/* ---- authorized_keys: lines ---- */

#define BLOB "\0\0\0\x0bssh-ed25519\0\0\0\x20" "abcdefghijklmnopqrstuvwxyz012345"
#define KEY  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6MDEyMzQ1"
#define OTHER "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6MDEyMzQ2"

static enum verdict search(const char *text, size_t n, struct key_options *options, struct keys_answer *answer)
{
    static const struct account me = {.name = "me", .valid = true};
    static const struct sshd_conf conf;
    const struct keys_question q = {.account = &me, .allowed = true, .conf = &conf, .link = &here, .blob = BYTES_LIT(BLOB)};
    char path[] = "/tmp/nacre-keys-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_true(write(fd, text, n) == (ssize_t)n);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    *answer = (struct keys_answer){0};
    keyfile_search(fd, &q, options, answer);
    close(fd);
    return answer->found;
}

static void key_lines_rows(void **state)
{
    (void)state;
    const struct { const char *text; uint32_t line; const char *note; } rows[] = {
        {KEY " me\n", 1, ""},
        {"# comment\n\n" KEY, 3, ""},
        {OTHER "\n" KEY "\n", 2, ""},
        {OTHER "\n", 0, ""},
        {"", 0, ""},
        {"#" KEY "\n", 0, ""},
        {"no-pty " KEY "\n", 1, ""},
        {"nonsense " KEY "\n", 0, "bad key options"},
        {"cert-authority " KEY "\n", 0, ""},
        {"from=\"192.0.2.0/24\" " KEY "\n", 1, ""},
        {"from=\"*.example.org\" " KEY "\n", 1, ""},
        {"from=\"!192.0.2.7,*\" " KEY "\n", 0, "not from a permitted host"},
        {"from=\"!pc.example.org,*\" " KEY "\n", 0, "not from a permitted host"},
        {"from=\"10.0.0.0/8\" " KEY "\n", 0, "not from a permitted host"},
        {"from=\"10.0.0.0/8\" " KEY "\n" KEY "\n", 2, "not from a permitted host"},
        {"expiry-time=\"20010101\" " KEY "\n", 0, "expired"},
        {"expiry-time=\"29990101\" " KEY "\n", 1, ""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct key_options *o = calloc(1, sizeof *o);
        struct keys_answer a;
        assert_non_null(o);
        search(rows[i].text, strlen(rows[i].text), o, &a);
        assert_int_equal(a.found == VERDICT_GOOD, rows[i].line != 0);
        assert_int_equal(a.line, rows[i].line);
        if (rows[i].note[0])
            assert_non_null(strstr(a.note, rows[i].note));
        else
            assert_string_equal(a.note, "");
        free(o);
    }
}

/* The rest of a line that is too long is never a line of its own (its options would be lost). */
static void a_long_line_is_refused_whole(void **state)
{
    (void)state;
    const size_t lengths[] = {AUTHORIZED_LINE_MAX - 100, AUTHORIZED_LINE_MAX + 1, 2 * AUTHORIZED_LINE_MAX, 5 * AUTHORIZED_LINE_MAX + 17};
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        size_t n = lengths[i] + sizeof(KEY "\n" KEY "\n");
        char *text = malloc(n + 1);
        struct key_options *o = calloc(1, sizeof *o);
        struct keys_answer a;
        assert_non_null(text);
        memset(text, ' ', lengths[i]);
        text[0] = '#';
        strcpy(text + lengths[i], KEY "\n");
        assert_int_equal(search(text, strlen(text), o, &a), VERDICT_BAD);
        strcat(text, KEY "\n");
        assert_int_equal(search(text, strlen(text), o, &a), VERDICT_GOOD);
        assert_int_equal(a.line, 2);
        free(text);
        free(o);
    }
}

static void keys_spread_over_reads_are_found(void **state)
{
    (void)state;
    const size_t lines = 5000;
    char *text = malloc(lines * sizeof(OTHER) + 1000), *at = text;
    struct key_options *o = calloc(1, sizeof *o);
    struct keys_answer a;
    assert_non_null(text);
    for (size_t i = 0; i < lines; i++) at += sprintf(at, OTHER "\n");
    strcpy(at, "command=\"echo \\\"hi\\\"\" " KEY);
    assert_int_equal(search(text, strlen(text), o, &a), VERDICT_GOOD);
    assert_int_equal(a.line, lines + 1);
    assert_true(o->has_command);
    assert_string_equal(o->command, "echo \"hi\"");
    free(text);
    free(o);
}

/* The reader as a process: the answer crosses as one message, and ends in time. */
static void the_reader_answers_or_is_ended(void **state)
{
    (void)state;
    struct place p;
    place_make(&p);
    place_write(p.file, "no-pty " KEY "\n");
    const char *files[] = {".ssh/none", ".ssh/fifo", ".ssh/authorized_keys"};
    struct sshd_conf conf = {.strict_modes = true, .authorized_keys_file = {files, 3}};
    struct keys_question q = {.account = &p.who, .allowed = true, .conf = &conf, .link = &here, .blob = BYTES_LIT(BLOB), .timeout_ms = 20000};
    struct key_options *o = calloc(1, sizeof *o);
    struct keys_answer a = {0};
    assert_int_equal(keys_ask(&q, o, &a), ERR_NONE);
    assert_int_equal(a.found, VERDICT_GOOD);
    assert_false(o->permit_pty);
    assert_string_equal(a.file, p.file);
    assert_int_equal(a.line, 1);
    assert_non_null(strstr(a.note, "not a regular file"));

    q.allowed = false;
    assert_int_equal(keys_ask(&q, o, &a), ERR_NONE);
    assert_int_equal(a.found, VERDICT_BAD);
    assert_string_equal(a.file, "");
    q.allowed = true;
    q.timeout_ms = 0;
    enum err e = keys_ask(&q, o, &a);
    assert_true(e == ERR_TIMEOUT || e == ERR_NONE);
    q.blob.n = 0;
    assert_int_equal(keys_ask(&q, o, &a), ERR_TOO_LONG);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);       /* no child is left */
    free(o);
    place_end(&p);
}

/* ---- what to run ---- */

static void forced_commands_rows(void **state)
{
    (void)state;
    struct sshd_subsystem subs[] = {{"sftp", "/usr/lib/sftp-server -l INFO"}, {"in", "internal-sftp"}};
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
        {NULL, false, SESSION_SUBSYSTEM, "in", NULL, NULL, false, ERR_DENIED},
        {NULL, false, SESSION_SUBSYSTEM, "none", NULL, NULL, false, ERR_DENIED},
        {"internal-sftp", false, SESSION_EXEC, "ls", NULL, NULL, false, ERR_DENIED},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sshd_conf conf = {.force_command = rows[i].config, .subsystem = {subs, 2}};
        struct session_spec spec = {.conf = &conf, .options = rows[i].key ? o : NULL, .kind = rows[i].kind, .command = rows[i].command};
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
    struct place p;
    struct environ_list l = {0};
    place_make(&p);
    place_write(p.file, "# no\n\n  A=1\nB=two words \nbad line\nLD_X=3\nA=4\n=5\nC=");
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
    place_end(&p);
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
    hand_close(&h);
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
    assert_int_equal(key_options_parse(BYTES_LIT("permitopen=\"db:5432\",permitopen=\"[::1]:*\",permitlisten=\"localhost:8080\""), some, &why), ERR_NONE);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_digests_of_fips_180),
        cmocka_unit_test(a_fingerprint_is_base64_without_padding),
        cmocka_unit_test(auth_lines_read_as_openssh_writes_them),
        cmocka_unit_test(a_title_names_the_terminals),
        cmocka_unit_test(names_that_cannot_be_are_invalid_accounts),
        cmocka_unit_test(key_file_paths_expand_and_start_at_home),
        cmocka_unit_test(strict_modes_rows),
        cmocka_unit_test(the_walk_ends_at_home),
        cmocka_unit_test(a_link_into_a_loose_folder_is_refused),
        cmocka_unit_test(special_files_are_neither_read_nor_waited_for),
        cmocka_unit_test(key_lines_rows),
        cmocka_unit_test(a_long_line_is_refused_whole),
        cmocka_unit_test(keys_spread_over_reads_are_found),
        cmocka_unit_test(the_reader_answers_or_is_ended),
        cmocka_unit_test(forced_commands_rows),
        cmocka_unit_test(accepted_variables_rows),
        cmocka_unit_test(variables_are_bounded),
        cmocka_unit_test(a_session_has_these_variables),
        cmocka_unit_test(environment_files_are_read_by_their_rules),
        cmocka_unit_test(modes_set_what_they_name),
        cmocka_unit_test(a_failed_fork_is_never_a_pid),
        cmocka_unit_test(forward_rules_rows),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
