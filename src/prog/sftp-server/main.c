/* SPDX-License-Identifier: ISC */
/* sftp-server(8): desk and executor in one process, over standard input and output. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "kit/file_desk.h"
#include "kit/files.h"
#include "os/log.h"

enum { EXIT_BAD_MESSAGE = 11, EXIT_FATAL = 255 };

#define IN_ROOM  (512 * 1024)
#define OUT_ROOM (512 * 1024)
#define FDS_KEPT 32                     /* descriptors that are not the peer's files */

struct server {
    struct files *files;
    struct desk *desk;
    unsigned fds_left;
};

/* ---- the executor is here: the answer comes with the question ---- */

static bool ask(void *ctx, const struct sftp_op *op, const int fds[2])
{
    struct server *s = ctx;
    struct sftp_result result;
    int fd;
    files_do(s->files, op, fds, &result, &fd);
    return desk_answer(s->desk, &result, fd) == ERR_NONE;
}

static void close_log(void *ctx, struct bytes handle)
{
    struct server *s = ctx;
    static const int none[2] = {-1, -1};
    const struct sftp_op op = {.verb = SFTP_VERB_CLOSE, .handle = handle};
    struct sftp_result result;
    int fd;
    files_do(s->files, &op, none, &result, &fd);
}

/* ---- the two pipes ---- */

static uint8_t out[OUT_ROOM];
static size_t out_at, out_n;

static void fill(struct server *s)
{
    if (out_at == out_n) out_at = out_n = 0;
    if (out_n == 0 && desk_wants(s->desk) > 0) {
        const struct span room = {out, sizeof out};
        out_n = desk_fill(s->desk, &room, 1, true);
    }
}

/* How standard output takes what it has room for, and no more: its flags are not ours to change. */
static enum { OUT_ANY, OUT_SOCKET, OUT_PIPE } out_kind;
static int out_fd = STDOUT_FILENO;

static void out_begin(void)
{
    struct stat st;
    if (fstat(STDOUT_FILENO, &st) != 0) return;
    out_kind = S_ISSOCK(st.st_mode) ? OUT_SOCKET : S_ISFIFO(st.st_mode) ? OUT_PIPE : OUT_ANY;
    int own = out_kind == OUT_PIPE ? open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC) : -1;
    if (own >= 0) out_fd = own, out_kind = OUT_ANY;     /* a description of our own */
}

/* False: nobody reads any more. */
static bool pour(void)
{
    size_t left = out_n - out_at;
    if (out_kind == OUT_PIPE && left > PIPE_BUF) left = PIPE_BUF;     /* as much as ppoll promises */
    ssize_t n = out_kind == OUT_SOCKET ? send(out_fd, out + out_at, left, MSG_DONTWAIT | MSG_NOSIGNAL) : write(out_fd, out + out_at, left);
    if (n > 0) out_at += (size_t)n;
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* False: no more will come. */
static bool take(struct server *s)
{
    static uint8_t in[IN_ROOM];
    ssize_t n = read(STDIN_FILENO, in, sizeof in);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (n <= 0) return false;
    (void)!desk_input(s->desk, bytes_of(in, (size_t)n));        /* what is wrong shows in desk_error() */
    (void)desk_consumed(s->desk);
    return true;
}

/* Until the peer has gone (0), or broke the protocol. */
static int serve(struct server *s)
{
    bool ended = false;
    for (;;) {
        fill(s);
        bool busy = desk_working(s->desk), full = out_n > out_at, failed = desk_error(s->desk) != ERR_NONE;
        if (!full && failed) return EXIT_BAD_MESSAGE;
        if (!full && !busy && ended) return 0;
        bool reads = !ended && !failed && desk_backlog(s->desk) == 0;
        /* while it works without a word it only looks whether anybody still waits for one */
        struct pollfd p[2] = {{.fd = reads ? STDIN_FILENO : -1, .events = POLLIN},
                              {.fd = full || busy ? out_fd : -1, .events = full ? POLLOUT : 0}};
        if (ppoll(p, 2, busy ? &(struct timespec){0} : NULL, NULL) < 0 && errno != EINTR) return EXIT_FATAL;
        if (p[1].revents && !(full && pour())) return 0;
        if (p[0].revents && !take(s)) ended = true;
        if (busy) desk_work(s->desk);
    }
}

/* ---- the start ---- */

/* SSH_CONNECTION's first word; NULL: none. */
static const char *client(char *room, size_t cap)
{
    const char *text = getenv("SSH_CONNECTION");
    if (!text) return NULL;
    size_t n = strcspn(text, " ");
    if (text[n] != ' ' || n >= cap) {
        char said[128];
        log_line(LOG_LEVEL_ERROR, "Malformed SSH_CONNECTION variable: \"%s\"", escape_str(bytes_str(text), said, sizeof said));
        return NULL;
    }
    return escape_str(bytes_of(text, n), room, cap);
}

static unsigned fds_may(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0) return 256;
    r.rlim_cur = r.rlim_max < 65536 ? r.rlim_max : 65536;
    (void)setrlimit(RLIMIT_NOFILE, &r);
    return r.rlim_cur > 2 * FDS_KEPT ? (unsigned)r.rlim_cur - FDS_KEPT : FDS_KEPT;
}

static int run(const struct files_options *o)
{
    char room[64];
    const struct passwd *pw = getpwuid(getuid());
    if (!pw) {
        fprintf(stderr, "No user found for uid %lu\n", (unsigned long)getuid());
        return EXIT_FATAL;
    }
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);      /* by /proc, a peer could write to our memory */
    log_open("sftp-server", o->facility, o->to_stderr ? STDERR_FILENO : -1);
    log_set_level((enum log_level)o->level);
    static char name[256], home[PATH_MAX];      /* pw is overwritten by the next look-up */
    snprintf(name, sizeof name, "%s", pw->pw_name);
    snprintf(home, sizeof home, "%s", pw->pw_dir);
    const struct files_user u = {.name = name, .home = home, .client = client(room, sizeof room)};
    struct server s = {.fds_left = fds_may()};
    out_begin();
    s.files = files_new(o, &u);
    if (s.files) files_watch(s.files, out_fd);
    const struct desk_setup setup = {.refused = o->refused, .read_only = o->read_only, .fds_left = &s.fds_left, .ask = ask, .ctx = &s};
    s.desk = s.files ? desk_new(&setup) : NULL;
    if (!s.desk) {
        fputs("sftp-server: out of memory\n", stderr);
        return EXIT_FATAL;
    }
    int status = serve(&s);
    if (status == EXIT_BAD_MESSAGE) log_line(LOG_LEVEL_ERROR, "bad message from %s local user %s", u.client ? u.client : "UNKNOWN", u.name);
    desk_free(s.desk, close_log);
    files_free(s.files);
    return status;
}

static int print(void (*write_it)(struct wr *w), FILE *to)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(65536);
    write_it(&w);
    if (wr_done(&w) != ERR_NONE) return EXIT_FATAL;
    return fwrite(w.p, 1, w.n, to) == w.n && fflush(to) == 0 ? 0 : EXIT_FATAL;
}

static void usage_write(struct wr *w)
{
    files_usage_write(w, "sftp-server");
}

int main(int argc, char **argv)
{
    struct files_options o;
    char why[256];
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    enum err e = files_options_parse(argc, argv, &o, why, sizeof why);
    if (e != ERR_NONE && strncmp(why, "unknown", 7) != 0) fprintf(stderr, "%s\n", why);
    if (e != ERR_NONE || o.help) {
        (void)!print(usage_write, stderr);
        return 1;
    }
    if (!o.query) return run(&o);
    if (strcmp(o.query, "requests") == 0) return print(files_requests_write, stdout);
    fputs("Invalid query type\n", stderr);
    return EXIT_FATAL;
}
