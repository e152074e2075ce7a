/* SPDX-License-Identifier: ISC */
/* sshd-net: the only program of the server that handles peer bytes. Started by sshd as the nursery: it warms up, goes to jail once,
 * and forks what must face a peer's bytes (face, verifier) as the listener's children, so that the listener sees their true end. It
 * holds no secret and reads no peer byte itself. It ends when the listener closes its line. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "crypto/sign.h"
#include "net.h"
#include "os/canary.h"
#include "os/jail.h"
#include "os/message.h"

static struct net_setup setup;

static enum err say(enum nursery_type type, const char *text)
{
    struct nursery_message m = {.type = type};
    snprintf(m.text, sizeof m.text, "%s", text);
    return message_send(NET_FD_CONTROL, &m, sizeof m, NULL, 0, true);
}

NORETURN static void fail(const char *text)
{
    (void)!say(NURSERY_FAILED, text);
    _exit(1);
}

/* ---- children ---- */

struct child {
    int chan, in, out;              /* face; chan -1: a verifier */
    const void *ask;                /* verifier: the question as it came */
    size_t n;
    const struct message *with;     /* its descriptors */
};

/* Own randomness before anything else: three generators of libcrypto's, the stack canary. Then no more processes. */
NO_STACK_PROTECTOR NORETURN static void child_run(const struct child *c)
{
    const struct rlimit none = {0, 0};
    uint64_t canary;
    close(NET_FD_CONTROL), close(NET_FD_VERIFY);
    if (random_reseed() != ERR_NONE || random_libcrypto.fill(random_libcrypto.ctx, (struct span){(uint8_t *)&canary, sizeof canary}) != ERR_NONE)
        _exit(2);
    canary_set(canary);
    if (setrlimit(RLIMIT_NPROC, &none) != 0) _exit(2);
    if (c->chan >= 0) face_run(&setup, c->in, c->out, c->chan);
    if (c->n == sizeof(struct judge_ask)) judge_run(c->ask, c->with->fd, c->with->fd_count);
    verifier_run(c->ask, c->n, c->with->fd[0]);
}

static void child_fork(const struct child *c)
{
    long pid = syscall(SYS_clone, (long)(CLONE_PARENT | SIGCHLD), 0L, 0L, 0L, 0L);
    if (pid == 0) child_run(c);
    /* No room for a process: closing what it was to hold tells those who wait. */
}

/* ---- orders ---- */

static bool serving;

/* False: the listener has let us go. */
static bool control_take(void)
{
    struct nursery_message in;
    struct message m;
    enum err e = message_recv(NET_FD_CONTROL, &in, sizeof in, false, &m);
    if (e == ERR_AGAIN) return true;
    if (e != ERR_NONE) return false;
    if (m.n == sizeof in && in.type == NURSERY_FORK && m.fd_count >= 2)
        child_fork(&(struct child){.chan = m.fd[0], .in = m.fd[1], .out = m.fd[m.fd_count - 1]});
    if (m.n == sizeof in && in.type == NURSERY_SERVE) serving = true;
    message_close_fds(&m);
    return true;
}

/* A question is passed on unread: only its length and its descriptor count here. */
static void verify_take(void)
{
    static union { struct verify_ask small; struct verify_ask_big big; struct judge_ask judge; uint8_t room[sizeof(struct verify_ask_big) + 1]; } in;
    struct message m;
    if (message_recv(NET_FD_VERIFY, &in, sizeof in, false, &m) != ERR_NONE) return;
    bool verify = (m.n == sizeof in.small || m.n == sizeof in.big) && m.fd_count == 1, judge = m.n == sizeof in.judge && m.fd_count >= 1;
    if (verify || judge) child_fork(&(struct child){.chan = -1, .ask = &in, .n = m.n, .with = &m});
    message_close_fds(&m);
}

NORETURN static void serve(void)
{
    for (;;) {
        struct pollfd p[] = {{.fd = NET_FD_CONTROL, .events = POLLIN}, {.fd = serving ? NET_FD_VERIFY : -1, .events = POLLIN}};
        if (ppoll(p, COUNT_OF(p), NULL, NULL) < 0) continue;
        if (p[1].revents & POLLIN) verify_take();
        if (p[0].revents && !control_take()) _exit(0);
    }
}

/* ---- start ---- */

static struct bytes conf_map(void)
{
    struct stat st;
    if (fstat(NET_FD_CONF, &st) != 0 || st.st_size <= 0 || st.st_size > FACE_CONF_MAX) fail("no settings");
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, NET_FD_CONF, 0);
    if (p == MAP_FAILED) fail("no settings");
    close(NET_FD_CONF);
    return bytes_of(p, (size_t)st.st_size);
}

/* A face holds what its peer has open; the kernel's customary 1,024 are few for that. */
static unsigned fds_raise(void)
{
    enum { FDS_WANTED = 16384 };
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0) return 256;
    rlim_t want = r.rlim_max < FDS_WANTED ? r.rlim_max : FDS_WANTED;
    if (r.rlim_cur < want) {
        rlim_t had = r.rlim_cur;
        r.rlim_cur = want;
        if (setrlimit(RLIMIT_NOFILE, &r) != 0) r.rlim_cur = had;
    }
    return (unsigned)(r.rlim_cur < FDS_WANTED ? r.rlim_cur : FDS_WANTED);
}

int main(void)
{
    struct jail_report report;
    char text[192];
    struct stat st;
    if (fstat(NET_FD_CONTROL, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        fputs("sshd-net is started by sshd\n", stderr);
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);   /* a file that gets too large is its own failure, not the session's */
    tzset();
    enum err e = net_setup_make(conf_map(), &setup);
    if (e != ERR_NONE) fail(err_text(e));
    if ((e = net_rehearse(&setup)) != ERR_NONE) {
        snprintf(text, sizeof text, "rehearsal of a handshake: %s", err_text(e));
        fail(text);
    }
    setup.fds_max = fds_raise();
    const struct jail_how how = {.uid = setup.conf.jail_uid, .gid = setup.conf.jail_gid, .rung_first = (int)setup.conf.rung_first};
    if (jail_enter(&how, &report, text, sizeof text) != ERR_NONE) fail(text);
    if (jail_filter(JAIL_FILTER_NURSERY) != ERR_NONE) fail("no system call filter");
    snprintf(text, sizeof text, "%s%s%s%s", jail_rung_name(report.rung), report.landlock ? ", landlock" : "", report.note[0] ? "; " : "", report.note);
    e = say(NURSERY_READY, text);
    if (e != ERR_NONE && e != ERR_PEER_GONE) _exit(1);  /* let go already: what we were told before is still to be done */
    serve();
}
