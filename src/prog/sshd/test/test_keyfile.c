/* SPDX-License-Identifier: ISC */
/* authorized_keys: paths, modes, lines, and the reader as a process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "conf/sshd.h"
#include "home.h"
#include "key/authorized_keys.h"
#include "sshd/keyfile.h"

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

static enum err try_open(const struct home *p, const char *path, bool strict, char *note)
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
    struct home p;
    char note[512];
    home_make(&p);
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
    home_end(&p);
}

/* The home folder ends the walk upwards: what is above it (/tmp, writable by all) does not count, unless the file is elsewhere. */
static void the_walk_ends_at_home(void **state)
{
    (void)state;
    struct home p;
    char note[512];
    home_make(&p);
    assert_int_equal(try_open(&p, p.file, true, note), ERR_NONE);
    assert_int_equal(try_open(&p, p.link, true, note), ERR_NONE);
    strcpy(p.who.home, "/nonexistent");
    assert_int_equal(try_open(&p, p.file, true, note), ERR_DENIED);
    assert_non_null(strstr(note, "directory /tmp"));
    home_end(&p);
}

/* A link is judged by where it leads. */
static void a_link_into_a_loose_folder_is_refused(void **state)
{
    (void)state;
    struct home p;
    char note[512], loose[160], inside[200];
    home_make(&p);
    snprintf(loose, sizeof loose, "%s/loose", p.home);
    snprintf(inside, sizeof inside, "%s/keys", loose);
    assert_int_equal(mkdir(loose, 0700), 0);
    assert_int_equal(chmod(loose, 0777), 0);
    home_write(inside, "");
    assert_int_equal(unlink(p.link), 0);
    assert_int_equal(symlink(inside, p.link), 0);
    assert_int_equal(try_open(&p, p.link, true, note), ERR_DENIED);
    assert_non_null(strstr(note, "/loose"));
    home_end(&p);
}

static void special_files_are_neither_read_nor_waited_for(void **state)
{
    (void)state;
    struct home p;
    char note[512];
    home_make(&p);
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
    home_end(&p);
}

/* ---- authorized_keys: lines ---- */

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
        {"principals=\"me\" " KEY "\n", 0, "principals="},
        {"principals=\"me\" " KEY "\n" KEY "\n", 2, "principals="},
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
        const char *line = rows[i].text;
        for (uint32_t k = 1; k < rows[i].line; k++) line = strchr(line, '\n') + 1;
        if (rows[i].line) assert_int_equal(a.plain, strncmp(line, "ssh-ed25519", 11) == 0);
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
    struct home p;
    home_make(&p);
    home_write(p.file, "no-pty " KEY "\n");
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
    home_end(&p);
}

/* sshd_config(5), AuthorizedKeysFile: "none" is no file, though a user may have one of that name. */
static void none_is_no_file_of_keys(void **state)
{
    (void)state;
    struct home p;
    char path[sizeof p.who.home + 16];
    home_make(&p);
    snprintf(path, sizeof path, "%s/none", p.who.home);
    home_write(path, KEY "\n");
    const char *files[] = {"none", "NONE"};
    struct sshd_conf conf = {.authorized_keys_file = {files, 2}};
    struct keys_question q = {.account = &p.who, .allowed = true, .conf = &conf, .link = &here, .blob = BYTES_LIT(BLOB), .timeout_ms = 20000};
    struct key_options *o = calloc(1, sizeof *o);
    struct keys_answer a = {0};
    assert_int_equal(keys_ask(&q, o, &a), ERR_NONE);
    assert_int_equal(a.found, VERDICT_BAD);
    files[1] = "./none";
    assert_int_equal(keys_ask(&q, o, &a), ERR_NONE);
    assert_int_equal(a.found, VERDICT_GOOD);
    unlink(path);
    free(o);
    home_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_file_paths_expand_and_start_at_home),
        cmocka_unit_test(strict_modes_rows),
        cmocka_unit_test(the_walk_ends_at_home),
        cmocka_unit_test(a_link_into_a_loose_folder_is_refused),
        cmocka_unit_test(special_files_are_neither_read_nor_waited_for),
        cmocka_unit_test(key_lines_rows),
        cmocka_unit_test(a_long_line_is_refused_whole),
        cmocka_unit_test(keys_spread_over_reads_are_found),
        cmocka_unit_test(none_is_no_file_of_keys),
        cmocka_unit_test(the_reader_answers_or_is_ended),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
