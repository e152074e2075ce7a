/* SPDX-License-Identifier: ISC */
/* The executor at the end of its line, with an asker that keeps to nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit/files.h"
#include "os/log.h"
#include "os/message.h"

static const struct files_user user = {.name = "bob", .home = "/nowhere"};

struct hand {
    pid_t pid;
    int line;
};

static struct hand hand_begin(const char *command)
{
    static char words[256], why[256];
    struct files_options o;
    struct message m;
    uint8_t hello[64];
    int pair[2];
    assert_int_equal(files_options_split(command, words, sizeof words, &o, why, sizeof why), ERR_NONE);
    assert_int_equal(message_pair(pair), ERR_NONE);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(pair[0]);
        log_set_level(LOG_LEVEL_QUIET);
        struct files *f = files_new(&o, &user);
        if (!f) _exit(99);
        int status = files_serve(f, pair[1]);
        files_free(f);
        _exit(status);
    }
    close(pair[1]);
    assert_int_equal(message_recv(pair[0], hello, sizeof hello, true, &m), ERR_NONE);
    assert_int_equal(m.n, FILES_HELLO);
    return (struct hand){pid, pair[0]};
}

/* Its exit status, once it ends by itself. */
static int hand_status(struct hand *h)
{
    int status = 0;
    assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
    assert_true(WIFEXITED(status));
    if (h->line >= 0) close(h->line);
    return WEXITSTATUS(status);
}

/* The same when its asker leaves. */
static int hand_end(struct hand *h)
{
    close(h->line);
    h->line = -1;
    return hand_status(h);
}

static void ask(const struct hand *h, const struct sftp_op *op, const int *fds, size_t fd_count)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(FILES_DATAGRAM_MAX);
    sftp_op_write(&w, op);
    assert_int_equal(wr_done(&w), ERR_NONE);
    assert_int_equal(message_send(h->line, w.p, w.n, fds, fd_count, true), ERR_NONE);
}

/* The status of the answer, SSH_FX_OK for another kind; descriptors that came with it are closed. */
static uint32_t heard(const struct hand *h, enum sftp_verb verb)
{
    static uint8_t in[FILES_DATAGRAM_MAX];
    struct message m;
    struct sftp_result r;
    assert_int_equal(message_recv(h->line, in, sizeof in, true, &m), ERR_NONE);
    message_close_fds(&m);
    if (verb == SFTP_VERB_CHECK_FILE_NAME) verb = SFTP_VERB_OPEN;
    assert_int_equal(sftp_result_parse(bytes_of(in + 4, m.n - 4), verb, &r), ERR_NONE);
    return r.kind == SFTP_STATUS ? r.status : SSH_FX_OK;
}

static uint32_t done(const struct hand *h, const struct sftp_op *op, const int *fds, size_t fd_count)
{
    ask(h, op, fds, fd_count);
    return heard(h, op->verb);
}

static unsigned fds_of(pid_t pid)
{
    char path[64];
    unsigned n = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *d = opendir(path);
    assert_non_null(d);
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

static int memory(void)
{
    int fd = memfd_create("files", 0);
    assert_true(fd >= 0);
    return fd;
}

/* ---- */

/* What a policy takes from the asker, the extensions do not give back. */
static void no_extension_does_what_was_refused(void **state)
{
    (void)state;
    static const struct { const char *command; enum sftp_verb verb; bool refused; } rows[] = {
        {"internal-sftp -P open", SFTP_VERB_CHECK_FILE_NAME, true},
        {"internal-sftp -P read", SFTP_VERB_CHECK_FILE_NAME, true},
        {"internal-sftp -P read", SFTP_VERB_CHECK_FILE_HANDLE, true},
        {"internal-sftp -P open", SFTP_VERB_CHECK_FILE_HANDLE, false},
        {"internal-sftp -P statvfs", SFTP_VERB_SPACE, true},
        {"internal-sftp -P write", SFTP_VERB_CHECK_FILE_NAME, false},
        {"internal-sftp -P write", SFTP_VERB_COPY_DATA, true},
        {"internal-sftp -P read", SFTP_VERB_COPY_DATA, true},
        {"internal-sftp -p open,read", SFTP_VERB_CHECK_FILE_NAME, true},
        {"internal-sftp -p open,read,check-file-name", SFTP_VERB_CHECK_FILE_NAME, false},
        {"internal-sftp -p read,check-file-name", SFTP_VERB_CHECK_FILE_NAME, true},
        {"internal-sftp -R", SFTP_VERB_CHECK_FILE_NAME, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char words[256], why[256];
        struct files_options o;
        assert_int_equal(files_options_split(rows[i].command, words, sizeof words, &o, why, sizeof why), ERR_NONE);
        if ((o.refused >> rows[i].verb & 1) != rows[i].refused) fail_msg("row %zu", i);
    }
}

/* Descriptors that the asker made up: its own rights to them are all that it can use. */
static void made_up_descriptors_open_nothing(void **state)
{
    (void)state;
    struct hand h = hand_begin("internal-sftp -R");
    int pair[2], files[2] = {memory(), memory()}, folder = open("/", O_RDONLY | O_DIRECTORY), path = open("/proc/self", O_PATH);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_true(folder >= 0 && path >= 0);
    const struct sftp_attrs attrs = {.flags = 15, .size = 7, .uid = 1, .gid = 1, .mode = 0777};
    const struct sftp_op set = {.verb = SFTP_VERB_FSETSTAT, .attrs = attrs, .handle = BYTES_LIT("????")};
    const struct sftp_op copy = {.verb = SFTP_VERB_COPY_DATA, .length = 10};
    assert_int_equal(done(&h, &set, files, 1), SSH_FX_PERMISSION_DENIED);
    assert_int_equal(done(&h, &copy, files, 2), SSH_FX_PERMISSION_DENIED);
    (void)hand_end(&h);
    h = hand_begin("internal-sftp");
    unsigned before = fds_of(h.pid);
    const int odd[4] = {pair[0], folder, path, files[0]};
    for (size_t i = 0; i < 3; i++) {
        const int to[2] = {odd[3], odd[i]}, from[2] = {odd[i], odd[3]};
        assert_int_not_equal(done(&h, &(struct sftp_op){.verb = SFTP_VERB_FSETSTAT, .attrs = {.flags = 1, .size = 7}}, &odd[i], 1), SSH_FX_OK);
        assert_int_not_equal(done(&h, &copy, from, 2), SSH_FX_OK);
        assert_int_equal(pwrite(files[0], "x", 1, 0), 1);
        assert_int_not_equal(done(&h, &copy, to, 2), SSH_FX_OK);
        (void)done(&h, &(struct sftp_op){.verb = SFTP_VERB_FSYNC}, &odd[i], 1);
    }
    assert_int_equal(fds_of(h.pid), before);
    assert_int_equal(hand_end(&h), 0);
    close(pair[0]), close(pair[1]), close(folder), close(path), close(files[0]), close(files[1]);
}

/* Too few descriptors, too many, none that was asked for: the end, with the status of a broken peer. */
static void descriptors_are_counted(void **state)
{
    (void)state;
    static const struct { enum sftp_verb verb; size_t sent; } rows[] = {
        {SFTP_VERB_FSETSTAT, 0}, {SFTP_VERB_FSETSTAT, 2}, {SFTP_VERB_COPY_DATA, 1}, {SFTP_VERB_COPY_DATA, 3}, {SFTP_VERB_OPEN, 1}, {SFTP_VERB_CLOSE, 1}};
    int fds[3] = {memory(), memory(), memory()};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct hand h = hand_begin("internal-sftp");
        ask(&h, &(struct sftp_op){.verb = rows[i].verb, .path = BYTES_LIT("/nowhere/at/all")}, fds, rows[i].sent);
        assert_int_equal(hand_status(&h), 11);
    }
    for (size_t i = 0; i < 3; i++) close(fds[i]);
}

/* Nobody waits for the end of this one: it stops when its asker has gone. */
static void a_copy_without_end_ends_with_its_asker(void **state)
{
    (void)state;
    struct hand h = hand_begin("internal-sftp");
    const int fds[2] = {open("/dev/zero", O_RDONLY | O_CLOEXEC), open("/dev/null", O_WRONLY | O_CLOEXEC)};
    assert_true(fds[0] >= 0 && fds[1] >= 0);
    ask(&h, &(struct sftp_op){.verb = SFTP_VERB_COPY_DATA}, fds, 2);
    assert_int_equal(hand_end(&h), 0);
    close(fds[0]), close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_extension_does_what_was_refused), cmocka_unit_test(made_up_descriptors_open_nothing),
                                       cmocka_unit_test(descriptors_are_counted), cmocka_unit_test(a_copy_without_end_ends_with_its_asker)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
