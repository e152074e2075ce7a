/* SPDX-License-Identifier: ISC */
/* sshd: reads its configuration, starts its helpers and listens. This file is the way from the command line to a standing service. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <shadow.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/jail.h"
#include "os/log.h"
#include "os/message.h"
#include "os/process.h"
#include "os/spawn.h"
#include "sshd/login.h"
#include "sshd/server.h"
#include "sshd/world.h"

static struct server server;
static int daemon_line = -1;

/* ---- configuration ---- */

static void conf_read(struct server *s)
{
    const struct options *o = &s->options;
    world_init(&s->world);
    s->rows = sshd_rows_new();
    if (!s->rows) log_fatal("out of memory");
    for (size_t i = 0; i < o->row_count; i++)
        if (sshd_rows_option(s->rows, &s->world, o->rows[i]) != ERR_NONE) exit(1);
    enum err e = strcmp(o->conf_file, "none") == 0 ? ERR_NONE : sshd_rows_read(s->rows, &s->world, o->conf_file);
    if (e == ERR_NOT_FOUND || e == ERR_SYSTEM) {
        fprintf(stderr, "%s: %s\r\n", o->conf_file, strerror(errno));
        exit(1);
    }
    if (e != ERR_NONE) exit(255);
    if (sshd_conf_for(s->rows, &s->world, NULL, &s->conf) != ERR_NONE) log_fatal("the configuration cannot be evaluated");
}

NORETURN static void conf_dump(struct server *s)
{
    const struct options *o = &s->options;
    struct sshd_peer peer = {0};
    struct sshd_conf *conf = s->conf;
    struct wr w CLEANUP(wr_clear) = wr_heap(16 * 1024 * 1024);
    for (size_t i = 0; i < o->dump_peer_count; i++) {
        char *text = strdup(o->dump_peers[i]);
        if (!text || sshd_peer_parse(text, &peer) != ERR_NONE) {
            fprintf(stderr, "Invalid test mode specification %s\n", o->dump_peers[i]);
            exit(1);
        }
    }
    if (o->dump_peer_count > 0 && sshd_conf_for(s->rows, &s->world, &peer, &conf) != ERR_NONE) log_fatal("the configuration cannot be evaluated");
    sshd_conf_dump(conf, &w);
    if (wr_done(&w) != ERR_NONE || fwrite(w.p, 1, w.n, stdout) != w.n || fflush(stdout) != 0) exit(1);
    exit(0);
}

/* Before the configuration is read: where a person looks; inetd's stderr is the peer's. */
static int log_early(const struct options *o)
{
    int fd = o->inetd && !o->log_stderr ? -1 : STDERR_FILENO;
    if (o->log_file) {
        fd = open(o->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0) {
            fprintf(stderr, "Couldn't open logfile %s: %s\n", o->log_file, strerror(errno));
            exit(1);
        }
    }
    log_open("sshd", LOG_AUTH, fd);
    if (o->debug) log_set_level(o->debug == 1 ? LOG_LEVEL_DEBUG1 : o->debug == 2 ? LOG_LEVEL_DEBUG2 : LOG_LEVEL_DEBUG3);
    return fd;
}

static void log_begin(const struct server *s, int early)
{
    const struct options *o = &s->options;
    bool person = o->log_file || o->log_stderr || (o->debug && !o->inetd);
    log_open("sshd", s->conf->syslog_facility, person ? early : -1);
    if (!o->debug) log_set_level(o->quiet ? LOG_LEVEL_QUIET : (enum log_level)s->conf->log_level);
}

/* ---- start ---- */

/* The name service's modules are loaded here, once, not again in every warden: a question that only the last of them can deny. */
static void names_warm(void)
{
    gid_t groups[2];
    int n = COUNT_OF(groups);
    (void)getpwnam("no-such-user"), (void)getgrgid((gid_t)-2), (void)getspnam("no-such-user");
    (void)getgrouplist("no-such-user", (gid_t)-2, groups, &n);
}

static void programs_open(struct server *s)
{
    static const char *const names[] = {"sshd-net", "sshd-keys", "sshd-auth"};
    int *const to[] = {&s->exe_net, &s->exe_keys, &s->exe_auth};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (companion_open(names[i], NACRE_LIBEXEC, to[i]) != ERR_NONE)
            log_fatal("%s not found, neither beside sshd nor in %s", names[i], NACRE_LIBEXEC);
}

/* A question to a helper never waits for ever on a line that nobody empties. */
static void line_open(int line[2])
{
    const struct timeval patience = {.tv_sec = 20};
    if (message_pair(line) != ERR_NONE || setsockopt(line[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)
        log_fatal("socketpair: %s", strerror(errno));
}

static void helpers_start(struct server *s)
{
    names_warm();
    line_open(s->keys_line), line_open(s->verify_line), line_open(s->report_line);
    if (getrandom(&s->delay_secret, sizeof s->delay_secret, 0) != (ssize_t)sizeof s->delay_secret) log_fatal("no random bytes");
    enum err e = keys_start(s);
    if (e == ERR_NOT_FOUND) {
        log_line(LOG_LEVEL_INFO, "sshd: no hostkeys available -- exiting.");
        exit(1);
    }
    if (e != ERR_NONE) log_fatal("cannot start the host key process: %s", err_text(e));
    if (nursery_start(s) != ERR_NONE) log_fatal("no service without a working jail");
}

/* The service stands: say so in the PidFile, then let go of the terminal, and of who started us. */
static void ready(void)
{
    const struct options *o = &server.options;
    if (server.conf->pid_file && !o->debug && pidfile_write(server.conf->pid_file) != ERR_NONE)
        log_line(LOG_LEVEL_ERROR, "Couldn't create pid file \"%s\": %s", server.conf->pid_file, strerror(errno));
    if (daemon_line >= 0 && daemon_done(daemon_line, o->log_stderr) != ERR_NONE) log_fatal("daemon() failed: %.200s", strerror(errno));
}

/* inetd's connection: descriptors 0 and 1, moved away so that nothing reads or writes it as its own input and output. */
static int inetd_run(struct server *s)
{
    struct stat in_st, out_st;
    int in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), out, null = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool same = fstat(STDIN_FILENO, &in_st) == 0 && fstat(STDOUT_FILENO, &out_st) == 0 && S_ISSOCK(in_st.st_mode) && in_st.st_ino == out_st.st_ino;
    out = same ? in : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (S_ISSOCK(in_st.st_mode) && !same && !S_ISSOCK(out_st.st_mode) && !S_ISFIFO(out_st.st_mode)) out = in;     /* only 0 was set up */
    if (in < 0 || out < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0) log_fatal("descriptors: %s", strerror(errno));
    socket_nodelay(in);
    return listener_single(s, in, out);
}

int main(int argc, char **argv)
{
    struct server *s = &server;
    if (fds_sanitise() != ERR_NONE) return 1;
    options_parse(argc, argv, &s->options);
    const struct options *o = &s->options;
    char **again = calloc((size_t)argc + 1, sizeof *again);     /* for a restart: the title is written over the old texts */
    for (int i = 0; again && i < argc; i++) again[i] = strdup(argv[i]);
    if (!again || title_init(argc, argv) != ERR_NONE) return 1;
    s->options.argv = again;
    signal(SIGPIPE, SIG_IGN);
    int early = log_early(o);
    conf_read(s);
    if (o->dump_only) conf_dump(s);
    if (sshd_conf_check(s->conf, &s->world) != ERR_NONE) exit(255);
    programs_open(s);
    const struct jail_how who = jail_who();
    s->jail_uid = who.uid, s->jail_gid = who.gid;
    umask(umask(077) | 022);
    if (o->test || o->dump) {
        line_open(s->keys_line);
        if (keys_start(s) != ERR_NONE) {
            fputs("sshd: no hostkeys available -- exiting.\n", stderr);
            return 1;
        }
        if (o->dump) conf_dump(s);
        return 0;
    }
    bool background = !o->foreground && !o->debug && !o->inetd && !o->restarted;
    if (background && daemon_begin(&daemon_line) != ERR_NONE) log_fatal("daemon() failed: %.200s", strerror(errno));
    if (!o->debug && !o->quiet) log_set_level((enum log_level)s->conf->log_level);
    helpers_start(s);
    log_begin(s, early);
    login_init();
    if (o->inetd) return inetd_run(s);
    if (o->debug) {
        int sock = listener_accept_one(s);
        return listener_single(s, sock, sock);
    }
    return listener_run(s, ready);
}
