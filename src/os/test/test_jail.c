/* SPDX-License-Identifier: ISC */
/* The jail from inside, on every rung, and what happens where no rung holds. Each case runs in a child. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>

#include "os/clock.h"
#include "os/jail.h"
#include "os/message.h"

static const struct jail_how how = {.uid = 65534, .gid = 65534};

/* Run fn in a child: its exit status, or 1000 + the signal that ended it. */
static int in_child(int (*fn)(void))
{
    pid_t pid = fork();
    int status;
    if (pid == 0) _exit(fn());
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int enter(int rung_first)
{
    struct jail_how h = how;
    struct jail_report r;
    char why[160];
    h.rung_first = rung_first;
    if (jail_enter(&h, &r, why, sizeof why) != ERR_NONE) return 100;
    return (int)r.rung;
}

static bool drop_cap(int cap)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct d[2];
    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    if (syscall(SYS_capget, &head, d) != 0) return false;
    d[CAP_TO_INDEX(cap)].effective &= ~CAP_TO_MASK(cap), d[CAP_TO_INDEX(cap)].permitted &= ~CAP_TO_MASK(cap);
    return syscall(SYS_capset, &head, d) == 0;
}

static bool become_nobody(void)
{
    return setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0;
}

static int as_root(void) { return enter(0); }
static int as_root_without_sys_admin(void) { return drop_cap(CAP_SYS_ADMIN) ? enter(0) : 99; }
static int as_root_with_uid_0(void)
{
    struct jail_how h = {0};
    struct jail_report r;
    char why[160];
    return jail_enter(&h, &r, why, sizeof why) == ERR_DENIED && strstr(why, "user id") ? 0 : 1;
}
static int as_root_without_any_capability_it_needs(void)
{
    return drop_cap(CAP_SYS_ADMIN) && drop_cap(CAP_SYS_CHROOT) ? enter(0) : 99;
}
static int as_user(void) { return become_nobody() ? enter(0) : 99; }
static int as_user_without_namespaces(void) { return become_nobody() ? enter(JAIL_LANDLOCK) : 99; }

static void root_gets_namespaces(void **state)
{
    (void)state;
    assert_int_equal(in_child(as_root), JAIL_NAMESPACES);
}

static void root_without_sys_admin_gets_a_chroot(void **state)
{
    (void)state;
    assert_int_equal(in_child(as_root_without_sys_admin), JAIL_CHROOT);
}

static void uid_0_is_no_jail(void **state)
{
    (void)state;
    assert_int_equal(in_child(as_root_with_uid_0), 0);
}

static void no_rung_means_no_service(void **state)
{
    (void)state;
    assert_int_equal(in_child(as_root_without_any_capability_it_needs), 100);
}

static void an_ordinary_user_gets_a_jail_too(void **state)
{
    (void)state;
    int rung = in_child(as_user);
    assert_true(rung == JAIL_USERNS || rung == JAIL_LANDLOCK);
    int landlock = in_child(as_user_without_namespaces);
    assert_true(landlock == JAIL_LANDLOCK || landlock == 100);      /* 100: a kernel without Landlock */
}

/* What a filtered process may not do. Each of these must die by SIGSYS. */
static int try_open(void) { return open("/", O_RDONLY) < 0; }
static int try_socket(void) { return socket(AF_INET, SOCK_STREAM, 0) < 0; }
static int try_kill(void) { return kill(getppid(), 0); }
static int try_exec(void) { return execl("/bin/true", "true", NULL); }
static int try_ptrace(void) { return (int)syscall(SYS_ptrace, 0, 0, 0, 0); }
static int try_code(void) { return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED; }
static int try_mprotect(void)
{
    void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}
static int try_tiocsti(void) { return ioctl(0, TIOCSTI, "x"); }
static int try_fork(void) { return (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }
static int try_thread(void) { return (int)syscall(SYS_clone, CLONE_VM | CLONE_PARENT | SIGCHLD, 0, 0, 0, 0); }
static int try_prctl(void) { return prctl(PR_SET_DUMPABLE, 1); }
static int try_pwrite(void) { return pwrite(0, "x", 1, 0) < 0; }
static int try_preadv(void) { return preadv(0, NULL, 0, 0) < 0; }
static int try_fstat(void)
{
    struct stat st;
    return (int)syscall(SYS_fstat, 0, &st);
}
/* What could make more of a file that it was given to write to. */
static int try_ftruncate(void) { return ftruncate(0, 1); }
static int try_fchmod(void) { return fchmod(0, 0777); }
static int try_setfl(void) { return fcntl(0, F_SETFL, O_APPEND); }
static int try_splice(void) { return splice(0, NULL, 1, NULL, 1, 0) < 0; }
static int try_lock(void) { return (int)syscall(SYS_flock, 0, 2 /* LOCK_EX */); }
static int (*forbidden)(void);

static int filtered(void)
{
    if (enter(0) == 100 || jail_filter(JAIL_FILTER_NURSERY) != ERR_NONE || jail_filter(JAIL_FILTER_FACE) != ERR_NONE) _exit(99);
    _exit(forbidden());
}

static int filtered_nursery(void)
{
    if (enter(0) == 100 || jail_filter(JAIL_FILTER_NURSERY) != ERR_NONE) _exit(99);
    _exit(forbidden());
}

static int filtered_transport(void)
{
    if (enter(0) == 100 || jail_filter(JAIL_FILTER_TRANSPORT) != ERR_NONE) _exit(99);
    _exit(forbidden());
}

static int filtered_resolver(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || jail_filter(JAIL_FILTER_RESOLVER) != ERR_NONE) _exit(99);
    _exit(forbidden());
}

static int try_unix(void) { return socket(AF_UNIX, SOCK_STREAM, 0) < 0; }
static int try_unlink(void) { return (int)syscall(SYS_unlinkat, AT_FDCWD, "nothing", 0); }
static int try_listen(void) { return listen(0, 1); }
static int works_as_resolver(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd < 0 || open("/etc/passwd", O_RDONLY) >= 0 || errno != EACCES;
}

static void a_resolver_asks_the_net_and_opens_nothing(void **state)
{
    (void)state;
    int (*const tries[])(void) = {try_kill, try_exec, try_ptrace, try_code, try_mprotect, try_tiocsti, try_fork, try_thread, try_prctl, try_unix,
                                  try_unlink, try_listen};
    for (size_t i = 0; i < COUNT_OF(tries); i++) {
        forbidden = tries[i];
        assert_int_equal(in_child(filtered_resolver), 1000 + SIGSYS);
    }
    forbidden = works_as_resolver;
    assert_int_equal(in_child(filtered_resolver), 0);
}

static enum jail_filter files_filter;
static int filtered_files(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || jail_filter(files_filter) != ERR_NONE) _exit(99);
    _exit(forbidden());
}

static int try_x32(void) { return (int)syscall(0x40000000 + SYS_getpid); }
static int works_on_files(void)
{
    int fd = open("/etc/passwd", O_RDONLY), sock = socket(AF_UNIX, SOCK_STREAM, 0);
    return fd < 0 || (sock >= 0) != (files_filter == JAIL_FILTER_FILES) || try_code() != (files_filter == JAIL_FILTER_FILES_CHROOT);
}

static void a_file_hand_works_on_files_and_starts_nothing(void **state)
{
    (void)state;
    int (*const tries[])(void) = {try_exec, try_ptrace, try_fork, try_thread, try_x32};
    for (files_filter = JAIL_FILTER_FILES; files_filter <= JAIL_FILTER_FILES_CHROOT; files_filter++) {
        for (size_t i = 0; i < COUNT_OF(tries); i++) {
            forbidden = tries[i];
            assert_int_equal(in_child(filtered_files), 1000 + SIGSYS);
        }
        forbidden = works_on_files;
        assert_int_equal(in_child(filtered_files), 0);
    }
}

static void a_face_dies_when_it_leaves_its_list(void **state)
{
    (void)state;
    int (*const tries[])(void) = {try_open, try_socket, try_kill, try_exec, try_ptrace, try_code, try_mprotect, try_tiocsti, try_fork,
                                  try_thread, try_prctl};
    for (size_t i = 0; i < COUNT_OF(tries); i++) {
        forbidden = tries[i];
        assert_int_equal(in_child(filtered), 1000 + SIGSYS);
    }
}

static void the_nursery_may_fork_faces_and_nothing_else(void **state)
{
    (void)state;
    int (*const tries[])(void) = {try_open, try_socket, try_exec, try_code, try_fork, try_thread, try_prctl};
    for (size_t i = 0; i < COUNT_OF(tries); i++) {
        forbidden = tries[i];
        assert_int_equal(in_child(filtered_nursery), 1000 + SIGSYS);
    }
}

/* Files are served by a face only; those that sftp passes are written by offset, and that is all. */
static void a_clients_transport_reads_no_files(void **state)
{
    (void)state;
    int (*const tries[])(void) = {try_open, try_socket, try_exec, try_code, try_fork, try_pwrite, try_preadv, try_fstat,
                                  try_ftruncate, try_fchmod, try_setfl, try_splice, try_lock};
    for (size_t i = 0; i < COUNT_OF(tries); i++) {
        forbidden = tries[i];
        assert_int_equal(in_child(filtered_transport), 1000 + SIGSYS);
    }
}

static int works_inside(void)
{
    int pair[2];
    char c;
    struct message m;
    if (message_pair(pair) != ERR_NONE || enter(0) == 100) _exit(99);
    if (jail_filter(JAIL_FILTER_NURSERY) != ERR_NONE || jail_filter(JAIL_FILTER_FACE) != ERR_NONE) _exit(98);
    if (message_send(pair[0], "x", 1, &pair[0], 1, true) != ERR_NONE) _exit(1);
    if (message_recv(pair[1], &c, 1, true, &m) != ERR_NONE || m.fd_count != 1) _exit(2);
    void *p = malloc(1 << 20);
    memset(p, 1, 1 << 20);
    free(p);
    (void)clock_us();
    _exit(0);
}

static void a_face_can_do_its_work(void **state)
{
    (void)state;
    assert_int_equal(in_child(works_inside), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_gets_namespaces), cmocka_unit_test(root_without_sys_admin_gets_a_chroot), cmocka_unit_test(uid_0_is_no_jail),
        cmocka_unit_test(no_rung_means_no_service), cmocka_unit_test(an_ordinary_user_gets_a_jail_too),
        cmocka_unit_test(a_face_dies_when_it_leaves_its_list), cmocka_unit_test(the_nursery_may_fork_faces_and_nothing_else),
        cmocka_unit_test(a_resolver_asks_the_net_and_opens_nothing), cmocka_unit_test(a_file_hand_works_on_files_and_starts_nothing),
        cmocka_unit_test(a_clients_transport_reads_no_files), cmocka_unit_test(a_face_can_do_its_work),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    if (geteuid() != 0) {
        puts("1..0 # SKIP the ladder is climbed from root");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
