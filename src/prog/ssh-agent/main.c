/* SPDX-License-Identifier: ISC */
/* ssh-agent: keeps private keys and signs with them (ssh-agent(1)). This file: the command line, the lines for the shell, the start. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "agentd.h"
#include "base/text.h"
#include "conf/parse.h"
#include "crypto/sign.h"
#include "os/hide.h"
#include "os/log.h"
#include "os/process.h"
#include "os/spawn.h"

#define EXIT_UNSAID 2
#define PROVIDERS_DEFAULT "/usr/lib*/*,/usr/local/lib*/*"

static struct options {
    bool csh, sh, debug, foreground, kill, tmp, keep_stale, reuse;
    unsigned clean;                 /* -u: 1, -uu: 2 */
    const char *path;               /* -a */
    struct serve serve;
} o = {.serve = {.listener = -1, .parent = -1, .setup = {.restrict_websafe = true}}};

static NORETURN void usage(void)
{
    fputs("usage: ssh-agent [-c | -s] [-DdTU] [-a bind_address] [-E fingerprint_hash]\n"
          "                 [-O option] [-P allowed_providers] [-t life] [--reuse]\n"
          "       ssh-agent [-TU] [-a bind_address] [-E fingerprint_hash] [-O option]\n"
          "                 [-P allowed_providers] [-t life] [--reuse] command [arg ...]\n"
          "       ssh-agent [-c | -s] -k\n"
          "       ssh-agent -u\n"
          "       ssh-agent -V\n", stderr);
    exit(1);
}

static NORETURN void die(const char *text, const char *about)
{
    fprintf(stderr, "ssh-agent: %s%s\n", text, about);
    exit(1);
}

/* ---- the lines for the shell ---- */

/* A value that a shell reads back as it is: bare where it is harmless, else in quotes. */
static void value_write(struct wr *w, const char *s)
{
    static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./:,@%";
    if (s[strspn(s, harmless)] == 0) {
        wr_text(w, s);
        return;
    }
    wr_u8(w, '\'');
    for (; *s; s++) {
        if (*s == '\'') wr_text(w, "'\\''");
        else if (o.csh && *s == '!') wr_text(w, "\\!");
        else wr_u8(w, (uint8_t)*s);
    }
    wr_u8(w, '\'');
}

static void set_write(struct wr *w, const char *name, const char *value)
{
    wr_textf(w, o.csh ? "setenv %s " : "%s=", name);
    value_write(w, value);
    if (!o.csh) wr_textf(w, "; export %s", name);
    wr_text(w, ";\n");
}

static void lines_print(const char *path, pid_t pid, bool tell_pid, const char *tail)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(4096);
    char number[24];
    snprintf(number, sizeof number, "%ld", (long)pid);
    set_write(&w, "SSH_AUTH_SOCK", path);
    if (tell_pid) set_write(&w, "SSH_AGENT_PID", number);
    wr_textf(&w, "echo Agent pid %s%s;\n", number, tail);
    if (wr_done(&w) != ERR_NONE || fwrite(w.p, 1, w.n, stdout) != w.n || fflush(stdout) != 0) die("cannot write: ", strerror(errno));
}

static NORETURN void kill_agent(void)
{
    const char *text = getenv("SSH_AGENT_PID");
    uint64_t pid;
    if (!text) {
        fprintf(stderr, "SSH_AGENT_PID not set, cannot kill agent\n");
        exit(1);
    }
    if (text_to_u64(bytes_str(text), INT32_MAX, &pid) != ERR_NONE || pid < 2) {
        char shown[64];
        fprintf(stderr, "SSH_AGENT_PID=\"%s\", which is not a good PID: invalid\n", escape_str(bytes_str(text), shown, sizeof shown));
        exit(1);
    }
    if (kill((pid_t)pid, SIGTERM) != 0) {
        perror("kill");
        exit(1);
    }
    const char *unset = o.csh ? "unsetenv" : "unset";
    printf("%s SSH_AUTH_SOCK;\n%s SSH_AGENT_PID;\necho Agent pid %ld killed;\n", unset, unset, (long)pid);
    exit(fflush(stdout) == 0 ? 0 : 1);
}

/* ---- options ---- */

/* With OpenSSH's status for a value that is wrong. */
static NORETURN void refuse(const char *fmt, ...) PRINTF_LIKE(1, 2);
static NORETURN void refuse(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputs("\n", stderr);
    exit(255);
}

static void option_o(const char *text)
{
    struct agent_setup *s = &o.serve.setup;
    if (strcmp(text, "no-restrict-websafe") == 0) s->restrict_websafe = false;
    else if (strcmp(text, "allow-remote-pkcs11") == 0) s->remote_providers = true;
    else if (strncmp(text, "websafe-allow=", 14) != 0) refuse("Unknown -O option");
    else if (s->websafe_allow) refuse("websafe-allow already set");
    else s->websafe_allow = text + 14;
}

static void option_take(int c)
{
    int64_t life;
    switch (c) {
    case 'E':
        if (!fingerprint_find(bytes_str(optarg), &o.serve.hash)) refuse("Invalid hash algorithm \"%s\"", optarg);
        break;
    case 'c': if (o.sh) usage(); o.csh = true; break;
    case 's': if (o.csh) usage(); o.sh = true; break;
    case 'k': o.kill = true; break;
    case 'O': option_o(optarg); break;
    case 'P':
        if (o.serve.setup.provider_allow) refuse("-P option already specified");
        o.serve.setup.provider_allow = optarg;
        break;
    case 'd': if (o.debug || o.foreground) usage(); o.debug = true; break;
    case 'D': if (o.debug || o.foreground) usage(); o.foreground = true; break;
    case 'a': o.path = optarg; break;
    case 't':
        if (conf_time_s(bytes_str(optarg), &life) != ERR_NONE) {
            fprintf(stderr, "Invalid lifetime\n");
            usage();
        }
        o.serve.setup.lifetime_us = (uint64_t)life * 1000000;
        break;
    case 'T': o.tmp = true; break;
    case 'u': o.clean++; break;
    case 'U': o.keep_stale = true; break;
    case 'r': o.reuse = true; break;
    case 'V':
        fprintf(stderr, "Nacre_%s (OpenSSH_10.5p1), %s\n", NACRE_VERSION, crypto_version());
        exit(0);
    default:
        fprintf(stderr, c == ':' ? "option requires an argument -- %c\n" : "unknown option -- %c\n", optopt ? optopt : '-');
        usage();
    }
}

static void options_read(int argc, char **argv)
{
    static const struct option longs[] = {{"reuse", no_argument, NULL, 'r'}, {0}};
    for (int c; (c = getopt_long(argc, argv, "+:cDdksTuUVE:a:O:P:t:", longs, NULL)) != -1;) option_take(c);
    if (argc > optind && (o.csh || o.kill || o.sh || o.debug || o.foreground || o.clean)) usage();
    if ((o.tmp && o.path) || (o.reuse && (o.tmp || o.path || o.kill))) usage();
    if (argc == optind && !o.csh && !o.sh) {
        const char *shell = getenv("SHELL");
        size_t n = shell ? strlen(shell) : 0;
        o.csh = n > 2 && strcmp(shell + n - 3, "csh") == 0;
    }
    if (!o.serve.setup.provider_allow) o.serve.setup.provider_allow = PROVIDERS_DEFAULT;
    o.serve.setup.random = &random_libcrypto;
}

/* ---- the start ---- */

/* A listening socket that a service manager has made for us. */
static bool listener_inherited(void)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    char own[24];
    int listening = 0;
    socklen_t n = sizeof listening;
    snprintf(own, sizeof own, "%ld", (long)getpid());
    if (!(o.debug || o.foreground) || o.path || o.tmp || !pid || !fds || strcmp(pid, own) != 0 || strcmp(fds, "1") != 0) return false;
    if (getsockopt(3, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) != 0 || !listening) return false;
    o.serve.listener = 3;
    unsetenv("LISTEN_PID"), unsetenv("LISTEN_FDS");
    return true;
}

static NORETURN void become_command(char **argv, const char *path, pid_t pid)
{
    char number[24];
    snprintf(number, sizeof number, "%ld", (long)pid);
    if (setenv("SSH_AUTH_SOCK", path, 1) != 0 || setenv("SSH_AGENT_PID", number, 1) != 0) die("setenv: ", strerror(errno));
    execvp(argv[0], argv);
    perror(argv[0]);
    exit(1);
}

static bool unready(const char *what, const char *why)
{
    fprintf(stderr, "ssh-agent: %s: %s\n", what, why);
    return false;
}

/* All that may fail, before anybody is told that the agent is there. */
static bool agent_ready(struct place *place)
{
    o.serve.place = place;
    if (process_hide() != ERR_NONE) return unready("cannot hide the process", strerror(errno));
    return serve_ring(&o.serve) || unready("cannot start", err_text(ERR_NOMEM));
}

static int agent_run(void)
{
    log_open("ssh-agent", LOG_AUTH, o.debug || o.foreground ? STDERR_FILENO : -1);
    return serve(&o.serve);
}

/* The agent's own process: of what we had open it keeps nothing; `ready` tells the parent that the socket listens. */
static NORETURN void child_run(struct place *place, int ready)
{
    const int keep[] = {ready, o.serve.parent};
    bool good = fds_close_except(keep, COUNT_OF(keep)) == ERR_NONE || unready("cannot close descriptors", strerror(errno));
    good = good && serve_signals(false) && agent_ready(place);
    if (good) good = (o.serve.listener = place_listen(place)) >= 0;
    if (good) good = setsid() >= 0 || unready("setsid", strerror(errno));
    if (good && daemon_done(ready, false) == ERR_NONE) exit(agent_run());
    place_remove(place);
    _exit(good ? EXIT_UNSAID : 1);
}

/* It ended before it was ready, and has said why, unless its stderr was gone by then. */
static void start_failed(pid_t pid)
{
    int status;
    if (child_wait(pid, &status) == ERR_NONE && !(WIFEXITED(status) && WEXITSTATUS(status) == 1)) (void)unready("cannot start", "the agent ended");
}

/* Starts the agent beside us; returns once it listens. */
static pid_t agent_start(struct place *place, bool for_command)
{
    int line[2], self = -1;
    char byte;
    if (for_command && pidfd_of(getpid(), &self) != ERR_NONE) die("pidfd_open: ", strerror(errno));
    if (pipe2(line, O_CLOEXEC) != 0) die("pipe: ", strerror(errno));
    pid_t pid = fork();
    if (pid < 0) die("fork: ", strerror(errno));
    if (pid == 0) {
        close(line[0]);
        o.serve.parent = self;
        child_run(place, line[1]);
    }
    close(line[1]);
    ssize_t n;
    do n = read(line[0], &byte, 1); while (n < 0 && errno == EINTR);
    if (n < 0) {                    /* an agent that nobody learns of must not stay */
        (void)unready("cannot hear of the agent", strerror(errno));
        kill(pid, SIGTERM);
    }
    close(line[0]);
    if (self >= 0) close(self);
    if (n == 1) return pid;
    if (n == 0) start_failed(pid);
    place_remove(place);
    exit(1);
}

static int foreground(struct place *place)
{
    if (!serve_signals(true) || !agent_ready(place)) {
        place_remove(place);
        return 1;
    }
    if (o.serve.listener < 0) {
        o.serve.listener = place_listen(place);
        if (o.serve.listener < 0) {
            place_remove(place);
            return 1;
        }
        lines_print(place->path, getpid(), false, "");
    }
    return agent_run();
}

/* The one agent of this login, whoever started it: found, or started under a lock so that two who come at once get the same. */
static pid_t login_agent(struct place *place, const char **tail)
{
    int lock = place_lock();
    if (lock < 0) exit(1);
    pid_t pid = place_listener(place->path);
    if (pid < 0) die("cannot tell whether an agent listens there: ", strerror(errno));
    *tail = pid ? " found" : "";
    if (!pid) {
        unlink(place->path);
        pid = agent_start(place, false);
    }
    close(lock);
    return pid;
}

int main(int argc, char **argv)
{
    static struct place place;
    const char *tail = "";
    if (fds_sanitise() != ERR_NONE || setgid(getgid()) != 0) return 1;     /* set-group-id, as some install it, is not needed */
    options_read(argc, argv);
    argv += optind, argc -= optind;
    if (o.kill) kill_agent();
    if (o.clean) {
        place_clean(o.clean > 1);
        return 0;
    }
    if (crypto_load() != ERR_NONE) die("cannot load libcrypto", "");
    if (listener_inherited()) return foreground(&place);
    enum place_kind kind = o.reuse ? PLACE_LOGIN : o.path ? PLACE_GIVEN : o.tmp ? PLACE_TMP : PLACE_HOME;
    if (kind == PLACE_HOME && !o.keep_stale) place_clean(false);
    if (!place_choose(kind, o.path, &place)) return 1;
    if (o.debug || o.foreground) return foreground(&place);
    pid_t pid = o.reuse ? login_agent(&place, &tail) : agent_start(&place, argc > 0);
    if (argc > 0) become_command(argv, place.path, pid);
    lines_print(place.path, pid, true, tail);
    return 0;
}
