/* SPDX-License-Identifier: ISC */
/* The real world of configurations, on files of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/ssh.h"
#include "kit/conf_world.h"

static char dir[] = "/tmp/conf_world.XXXXXX";
static char said[4096];
static struct conf_world *w;

static void keep(void *ctx, enum conf_say what, const char *text)
{
    (void)ctx;
    if (what != CONF_SAY_DEBUG) snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", text);
}

static const char *at(const char *name)
{
    static char path[4][200];
    static unsigned turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void put(const char *name, const char *text, mode_t mode)
{
    int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static int begin(void **state)
{
    (void)state;
    w = conf_world_new(keep, NULL);
    return w && mkdtemp(dir) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    static const char *const names[] = {"open", "mine", "b.conf", "a.conf", "main", "fifo"};
    for (size_t i = 0; i < COUNT_OF(names); i++) unlink(at(names[i]));
    rmdir(dir);
    conf_world_free(w);
    return 0;
}

static enum err read_it(const char *path, unsigned flags, struct wr *out)
{
    return w->read_file(w->ctx, path, flags, out);
}

static void files_are_read_and_checked(void **state)
{
    (void)state;
    struct wr out CLEANUP(wr_clear) = wr_heap(1 << 20);
    put("mine", "Port 9\n", 0644), put("open", "Port 9\n", 0666);
    assert_int_equal(read_it(at("mine"), CONF_READ_CHECK_OWNER, &out), ERR_NONE);
    assert_true(bytes_is(wr_bytes(&out), "Port 9\n"));
    assert_int_equal(read_it(at("open"), CONF_READ_CHECK_OWNER, &out), ERR_DENIED);
    assert_int_equal(read_it(at("open"), 0, &out), ERR_NONE);
    assert_int_equal(read_it(at("missing"), 0, &out), ERR_NOT_FOUND);
    assert_int_equal(read_it(dir, 0, &out), ERR_UNSUPPORTED);
    assert_int_equal(read_it("/dev/null", 0, &out), ERR_NONE);
    /* a FIFO where ownership counts would hang us until somebody writes */
    assert_int_equal(mkfifo(at("fifo"), 0600), 0);
    assert_int_equal(read_it(at("fifo"), CONF_READ_CHECK_OWNER, &out), ERR_UNSUPPORTED);
    assert_int_equal(read_it(at("fifo"), CONF_READ_INCLUDED, &out), ERR_UNSUPPORTED);
}

static void endless_files_end(void **state)
{
    (void)state;
    struct wr out CLEANUP(wr_clear) = wr_heap(64 << 20);
    assert_int_equal(read_it("/dev/zero", 0, &out), ERR_TOO_LONG);
}

static void globs_are_sorted(void **state)
{
    (void)state;
    struct wr out CLEANUP(wr_clear) = wr_heap(1 << 20);
    put("b.conf", "", 0600), put("a.conf", "", 0600);
    assert_int_equal(w->glob(w->ctx, at("*.conf"), &out), ERR_NONE);
    const char *first = (const char *)out.p, *second = first + strlen(first) + 1;
    assert_string_equal(first, at("a.conf"));
    assert_string_equal(second, at("b.conf"));
    out.n = 0;
    assert_int_equal(w->glob(w->ctx, at("*.none"), &out), ERR_NONE);
    assert_int_equal(out.n, 0);
}

static void commands_give_their_status(void **state)
{
    (void)state;
    int status = -1;
    setenv("SHELL", "/bin/sh", 1);
    assert_int_equal(w->exec(w->ctx, "exit 7", &status), ERR_NONE);
    assert_int_equal(status, 7);
    assert_int_equal(w->exec(w->ctx, "cat | grep -q . || exit 0; exit 1", &status), ERR_NONE); /* its input is empty */
    assert_int_equal(status, 0);
    assert_int_equal(w->exec(w->ctx, "kill -9 $$", &status), ERR_SYSTEM);
}

static void users_come_from_the_database(void **state)
{
    (void)state;
    struct wr out CLEANUP(wr_clear) = wr_heap(1 << 20);
    assert_int_equal(w->user_home(w->ctx, "root", &out), ERR_NONE);
    assert_true(bytes_is(wr_bytes(&out), getpwuid(0)->pw_dir));
    assert_int_equal(w->user_home(w->ctx, "no such user", &out), ERR_NOT_FOUND);
    out.n = 0;
    assert_int_equal(w->user_groups(w->ctx, "root", &out), ERR_NONE);
    assert_true(out.n > 0 && out.p[out.n - 1] == 0);
    assert_int_equal(w->user_groups(w->ctx, "no such user", &out), ERR_NOT_FOUND);
    assert_string_equal(w->local_user, getpwuid(getuid())->pw_name);
    assert_int_equal(w->local_uid, getuid());
}

static void addresses_of_this_machine(void **state)
{
    (void)state;
    struct wr out CLEANUP(wr_clear) = wr_heap(1 << 20);
    assert_int_equal(w->local_addresses(w->ctx, &out), ERR_NONE);
    assert_non_null(memmem(out.p, out.n, "127.0.0.1", 10));
}

static void a_configuration_is_read_through_it(void **state)
{
    (void)state;
    char text[600];
    const struct ssh_conf_ask ask = {.host = "foo", .config_file = at("main")};
    put("a.conf", "Port 77\n", 0600);
    snprintf(text, sizeof text, "Match exec \"test %%h = foo\" localnetwork 127.0.0.0/8\nUser bob\nInclude %s/a.*\n", dir);
    put("main", text, 0600);
    struct ssh_conf *c = ssh_conf_new();
    assert_int_equal(ssh_conf_load(c, w, &ask), ERR_NONE);
    assert_int_equal(ssh_conf_finish(c, w), ERR_NONE);
    assert_int_equal(c->port, 77);
    assert_string_equal(c->user, "bob");
    assert_string_equal(said, "");
    ssh_conf_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read_and_checked), cmocka_unit_test(endless_files_end), cmocka_unit_test(globs_are_sorted),
        cmocka_unit_test(commands_give_their_status), cmocka_unit_test(users_come_from_the_database),
        cmocka_unit_test(addresses_of_this_machine), cmocka_unit_test(a_configuration_is_read_through_it),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, begin, end);
}
