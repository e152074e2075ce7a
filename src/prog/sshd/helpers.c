/* SPDX-License-Identifier: ISC */
/* The listener's companions: the keys process and the nurseries. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/message.h"
#include "os/spawn.h"
#include "sshd/server.h"

#define START_PATIENCE_US 20000000u     /* a companion that says nothing for that long has failed */
#define FAST_DEATHS       16            /* nurseries that may end before they are ready until we take our time */
#define RETRY_US          1000000u
#define RETRY_SELDOM_US   60000000u

/* ---- keys ---- */

static struct {
    pid_t pid;
    int file[FACE_HOSTKEYS_MAX];        /* kept open, so that a new one can be started without asking the file system */
    char path[FACE_HOSTKEYS_MAX][256];
    size_t count, plain;                /* all files; the first of them are keys, the others certificates */
    const char *agent;                  /* HostKeyAgent's socket; NULL: none */
    uint64_t tried_us;                  /* when one was last started, or should have been */
} keys = {.pid = 0};

static void file_keep(const char *path, int fd)
{
    snprintf(keys.path[keys.count], sizeof keys.path[0], "%s", path);
    keys.file[keys.count++] = fd;
}

static int file_open(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

/* A key that only an agent has: its public half may lie beside where the private one would. */
static int key_file_open(const char *path)
{
    char public[PATH_MAX];
    int fd = file_open(path), n;
    if (fd >= 0 || errno != ENOENT || !keys.agent) return fd;
    n = snprintf(public, sizeof public, "%s.pub", path);
    fd = n > 0 && (size_t)n < sizeof public ? file_open(public) : -1;
    if (fd < 0) errno = ENOENT;
    return fd;
}

static void cert_files_open(const struct sshd_conf *conf)
{
    for (size_t i = 0; i < conf->host_certificate.n && keys.count < FACE_HOSTKEYS_MAX; i++) {
        int fd = file_open(conf->host_certificate.v[i]);
        if (fd >= 0) file_keep(conf->host_certificate.v[i], fd);
        else log_line(LOG_LEVEL_ERROR, "Could not load host certificate \"%s\": %s", conf->host_certificate.v[i], strerror(errno));
    }
}

static void key_files_open(const struct sshd_conf *conf)
{
    const char *agent = conf->host_key_agent;
    keys.agent = agent && strcmp(agent, "SSH_AUTH_SOCK") == 0 ? getenv("SSH_AUTH_SOCK") : agent;
    for (size_t i = 0; i < conf->host_key.n && keys.count < FACE_HOSTKEYS_MAX; i++) {
        int fd = key_file_open(conf->host_key.v[i]);
        if (fd < 0) {
            if (conf->host_key_set || errno != ENOENT)
                log_line(LOG_LEVEL_ERROR, "Unable to load host key \"%s\": %s", conf->host_key.v[i], strerror(errno));
            log_line(conf->host_key_set ? LOG_LEVEL_ERROR : LOG_LEVEL_DEBUG1, "Unable to load host key: %s", conf->host_key.v[i]);
            continue;
        }
        file_keep(conf->host_key.v[i], fd);
    }
    keys.plain = keys.count;
    cert_files_open(conf);
}

/* An agent that says nothing must not hold up more than a few logins: the process that asks it gives up and is started anew. */
static int agent_open(void)
{
    const struct timeval patience = {.tv_sec = 10};
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (!keys.agent) return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && bytes_to_str(bytes_str(keys.agent), a.sun_path, sizeof a.sun_path) == ERR_NONE &&
                setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
                setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    if (good) return fd;
    log_line(LOG_LEVEL_ERROR, "Could not connect to agent \"%s\": %s", keys.agent, strerror(errno));
    if (fd >= 0) close(fd);
    return -1;
}

static enum err keys_spawn(struct server *s, int start)
{
    char uid[16], gid[16], count[16], plain[16], rung[] = "0";
    char *argv[] = {(char[]){"sshd-keys"}, uid, gid, rung, strdup(s->conf->host_key_algorithms), plain, count, NULL, NULL},
         *envp[] = {NULL};
    int agent = agent_open();
    int fds[KEYS_FD_FIRST_FILE + FACE_HOSTKEYS_MAX] = {-1, -1, -1, s->keys_line[1], start, agent};
    snprintf(uid, sizeof uid, "%u", (unsigned)s->jail_uid), snprintf(gid, sizeof gid, "%u", (unsigned)s->jail_gid);
    snprintf(count, sizeof count, "%zu", keys.count), snprintf(plain, sizeof plain, "%zu", keys.plain);
    for (size_t i = 0; i < keys.count; i++) fds[KEYS_FD_FIRST_FILE + i] = keys.file[i];
    const struct spawn spawn = {.exe = s->exe_keys, .argv = argv, .envp = envp, .fds = fds, .fd_count = KEYS_FD_FIRST_FILE + keys.count};
    argv[7] = strdup(s->conf->security_key_provider ? s->conf->security_key_provider : "internal");
    enum err e = argv[4] && argv[7] ? spawn_exec(&spawn, &keys.pid) : ERR_NOMEM;
    free(argv[4]), free(argv[7]);
    if (agent >= 0) close(agent);
    return e;
}

static bool hostkey_take(struct server *s, const struct keys_public *p)
{
    struct hostkey *h = &s->hostkeys[s->hostkey_count];
    const char *path = p->index < keys.count ? keys.path[p->index] : "?";
    if (p->index >= keys.plain && p->blob_n == 0) {
        log_line(LOG_LEVEL_ERROR, "Could not load host certificate \"%s\": %.190s", path, p->text);
        return false;
    }
    if (p->blob_n == 0 || p->blob_n > sizeof p->blob || p->algs_n > sizeof p->algs) {
        log_line(LOG_LEVEL_ERROR, "Unable to load host key \"%s\": %.190s", path, p->text);
        log_line(LOG_LEVEL_ERROR, "Unable to load host key: %s", path);
        return false;
    }
    if (p->algs_n == 0) {
        log_line(LOG_LEVEL_DEBUG1, "host key %s: HostKeyAlgorithms has no algorithm for it", path);
        return false;
    }
    h->blob = malloc(p->blob_n), h->blob_n = p->blob_n, h->index = p->index;
    h->algs = strndup((const char *)p->algs, p->algs_n);
    if (!h->blob || !h->algs) return false;
    memcpy(h->blob, p->blob, p->blob_n);
    snprintf(h->path, sizeof h->path, "%s", path);
    log_line(LOG_LEVEL_DEBUG1, "%s #%u: %.190s", p->index < keys.plain ? "private host key" : "host certificate", p->index, p->text);
    s->hostkey_count++;
    return true;
}

/* keep: take the public halves (at first); a restarted process says the same again. */
static enum err keys_hear(struct server *s, int from, bool keep)
{
    static struct keys_public p;
    uint64_t deadline = clock_us() + START_PATIENCE_US;
    struct message m;
    for (;;) {
        TRY(message_wait(from, deadline));
        TRY(message_recv(from, &p, sizeof p, true, &m));
        message_close_fds(&m);
        if (m.n != sizeof p) return ERR_FORMAT;
        p.text[sizeof p.text - 1] = 0;
        if (p.index == UINT32_MAX) break;
        if (keep) (void)hostkey_take(s, &p);
    }
    if (p.blob_n == 1) {
        log_line(LOG_LEVEL_DEBUG1, "host keys jailed (%s)", p.text);
        return ERR_NONE;
    }
    log_line(LOG_LEVEL_FATAL, "no working jail for the host keys: %s", p.text);
    return ERR_DENIED;
}

static enum err keys_run(struct server *s, bool keep)
{
    int pair[2];
    keys.pid = 0, keys.tried_us = clock_us();
    TRY(message_pair(pair));
    enum err e = keys_spawn(s, pair[1]);
    close(pair[1]);
    if (e == ERR_NONE) e = keys_hear(s, pair[0], keep);
    close(pair[0]);
    return e;
}

enum err keys_start(struct server *s)
{
    key_files_open(s->conf);
    if (keys.count == 0) return ERR_NOT_FOUND;
    TRY(keys_run(s, true));
    return s->hostkey_count > 0 ? ERR_NONE : ERR_NOT_FOUND;
}

void keys_restart(struct server *s)
{
    log_line(LOG_LEVEL_ERROR, "host key process ended; starting another");
    enum err e = keys_run(s, false);
    if (e != ERR_NONE) log_line(LOG_LEVEL_ERROR, "host key process: %s", err_text(e));
}

pid_t keys_pid(void)
{
    return keys.pid;
}

/* ---- nurseries ---- */

struct nursery {
    pid_t pid;                          /* 0: none */
    int line;
    bool ready;
    unsigned forks;
};
static struct nursery current = {.line = -1}, spare = {.line = -1};
static int conf_fd = -1;                /* the settings, sealed */
static unsigned fast_deaths;            /* nurseries started since the last one that became ready */
static uint64_t last_start_us;

/* How much a face is to tell: 0 to 3. */
static uint32_t debug_level(void)
{
    return log_level() > LOG_LEVEL_VERBOSE ? (uint32_t)(log_level() - LOG_LEVEL_VERBOSE) : 0;
}

/* For server-sig-algs, which is first sent before we know who comes: where a Match block could allow more than the global values, all that we
 * know. */
static const char *algs_told(const struct server *s)
{
    return sshd_rows_match(s->rows) ? conf_algs_openssh.key_known : s->conf->pubkey_accepted_algorithms;
}

static enum err conf_fd_make(struct server *s)
{
    char software[IDENT_MAX];
    const struct sshd_conf *c = s->conf;
    struct wr w CLEANUP(wr_clear) = wr_heap(FACE_CONF_MAX);
    snprintf(software, sizeof software, "OpenSSH_10.5 Nacre_" NACRE_VERSION "%s%s", c->version_addendum ? " " : "",
             c->version_addendum ? c->version_addendum : "");
    struct face_conf f = {
        .jail_uid = s->jail_uid, .jail_gid = s->jail_gid, .software = bytes_str(software), .kex = bytes_str(c->kex_algorithms),
        .ciphers = bytes_str(c->ciphers), .macs = bytes_str(c->macs), .sig_algs = bytes_str(algs_told(s)),
        .agent_told = c->allow_agent_forwarding && !c->disable_forwarding && !sshd_rows_match(s->rows),
        .compression = c->compression, .rekey_bytes = c->rekey_limit.bytes, .rekey_s = (uint64_t)c->rekey_limit.time_s,
        .debug = debug_level(), .hostkey_count = (uint32_t)s->hostkey_count};
    for (size_t i = 0; i < s->hostkey_count; i++)
        f.hostkey[i] = (struct face_hostkey){bytes_of(s->hostkeys[i].blob, s->hostkeys[i].blob_n), bytes_str(s->hostkeys[i].algs)};
    face_conf_write(&w, &f);
    TRY(wr_done(&w));
    conf_fd = memfd_create("sshd-net", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (conf_fd < 0 || write(conf_fd, w.p, w.n) != (ssize_t)w.n) return ERR_SYSTEM;
    if (fcntl(conf_fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) return ERR_SYSTEM;
    return ERR_NONE;
}

static enum err nursery_spawn(struct server *s, struct nursery *out)
{
    char *argv[] = {(char[]){"sshd-net"}, NULL}, *envp[] = {NULL};
    int pair[2];
    TRY(message_pair(pair));
    int fds[NET_FD_COUNT] = {-1, -1, -1, pair[1], s->verify_line[1], conf_fd};
    const struct spawn spawn = {.exe = s->exe_net, .argv = argv, .envp = envp, .fds = fds, .fd_count = NET_FD_COUNT};
    struct nursery n = {.line = pair[0]};
    enum err e = spawn_exec(&spawn, &n.pid);
    close(pair[1]);
    if (e != ERR_NONE) {
        close(pair[0]);
        return e;
    }
    *out = n;
    return ERR_NONE;
}

/* READY or FAILED. ERR_AGAIN: nothing yet. */
static enum err nursery_hear(struct nursery *n)
{
    struct nursery_message in;
    struct message m;
    TRY(message_recv(n->line, &in, sizeof in, false, &m));
    message_close_fds(&m);
    if (m.n != sizeof in) return ERR_FORMAT;
    in.text[sizeof in.text - 1] = 0;
    if (in.type != NURSERY_READY) {
        log_line(LOG_LEVEL_FATAL, "no working jail: %s", in.text);
        return ERR_DENIED;
    }
    n->ready = true;
    fast_deaths = 0;
    log_line(LOG_LEVEL_DEBUG1, "nursery %ld ready (%s)", (long)n->pid, in.text);
    return ERR_NONE;
}

static void nursery_drop(struct nursery *n)
{
    if (n->line >= 0) close(n->line);       /* it forks no more, and ends when it sees that */
    *n = (struct nursery){.line = -1};
}

static void serve(struct nursery *n)
{
    const struct nursery_message m = {.type = NURSERY_SERVE};
    (void)!message_send(n->line, &m, sizeof m, NULL, 0, true);
}

static void spare_start(struct server *s)
{
    if (spare.pid != 0 || (fast_deaths > FAST_DEATHS && clock_us() - last_start_us < RETRY_US)) return;
    fast_deaths++;
    last_start_us = clock_us();
    enum err e = nursery_spawn(s, &spare);
    if (e != ERR_NONE) log_line(LOG_LEVEL_ERROR, "cannot start %s: %s", "sshd-net", strerror(errno));
}

/* ---- what could not be started ---- */

/* No child's end will remind us of those: they are tried again until they stand, less often when that does not help. */
static uint64_t missing_due_us(const struct server *s)
{
    uint64_t due = keys.pid == 0 ? keys.tried_us + RETRY_US : UINT64_MAX;
    uint64_t spare_due = last_start_us + (fast_deaths > FAST_DEATHS ? RETRY_SELDOM_US : RETRY_US);
    bool spare_wanted = !s->options.inetd && !s->options.debug;
    return spare_wanted && spare.pid == 0 && spare_due < due ? spare_due : due;
}

uint64_t helpers_patience_us(const struct server *s)
{
    uint64_t due = missing_due_us(s), now = clock_us();
    return due == UINT64_MAX ? UINT64_MAX : due > now ? due - now : 0;
}

void helpers_tend(struct server *s)
{
    if (helpers_patience_us(s) != 0) return;
    if (keys.pid == 0) keys_restart(s);
    if (spare.pid == 0) spare_start(s);
}

/* ---- one after the other ---- */

/* The spare moves up, even if it is still warming up: what it is given waits on its line. */
static void nursery_replace(struct server *s)
{
    nursery_drop(&current);
    if (spare.pid == 0) spare_start(s);
    current = spare;
    spare = (struct nursery){.line = -1};
    if (current.pid == 0) return;
    serve(&current);
    spare_start(s);
}

enum err nursery_start(struct server *s)
{
    TRY(conf_fd_make(s));
    TRY(nursery_spawn(s, &current));
    TRY(message_wait(current.line, clock_us() + START_PATIENCE_US));
    enum err e = nursery_hear(&current);
    if (e != ERR_NONE) {
        if (e != ERR_DENIED) log_line(LOG_LEVEL_FATAL, "the process that would face the network did not start");
        return ERR_DENIED;
    }
    serve(&current);
    if (!s->options.inetd && !s->options.debug) spare_start(s);
    return ERR_NONE;
}

enum err nursery_give(struct server *s, int chan, int in, int out)
{
    const struct nursery_message m = {.type = NURSERY_FORK};
    const int fds[3] = {chan, in, out};
    size_t n = in == out ? 2 : 3;
    if (current.pid == 0 || current.forks >= NURSERY_FORKS) nursery_replace(s);
    enum err e = message_send(current.line, &m, sizeof m, fds, n, true);
    if (e == ERR_PEER_GONE) {
        nursery_replace(s);
        e = message_send(current.line, &m, sizeof m, fds, n, true);
    }
    if (e == ERR_NONE) current.forks++;
    return e;
}

void nursery_renew(struct server *s, int signal)
{
    log_line(LOG_LEVEL_ERROR, "a process facing the network was ended by signal %d; new memory layout from now on", signal);
    nursery_replace(s);
}

bool nursery_reap(struct server *s, pid_t pid, int status)
{
    if (pid == 0 || (pid != current.pid && pid != spare.pid)) return false;
    if (pid == spare.pid) {
        if (!spare.ready) (void)!nursery_hear(&spare);
        log_line(LOG_LEVEL_ERROR, "spare nursery %ld ended, status 0x%x", (long)pid, (unsigned)status);
        nursery_drop(&spare);
        spare_start(s);
    } else {
        log_line(LOG_LEVEL_ERROR, "nursery %ld ended, status 0x%x; the spare takes over", (long)pid, (unsigned)status);
        nursery_replace(s);
    }
    return true;
}

int nursery_spare_fd(void)
{
    return spare.ready ? -1 : spare.line;
}

void nursery_read(struct server *s)
{
    enum err e = nursery_hear(&spare);
    if (e == ERR_NONE || e == ERR_AGAIN) return;
    nursery_drop(&spare);       /* its end will be reaped as that of a stranger; helpers_tend() starts another */
    (void)s;
}

void helpers_stop(void)
{
    nursery_drop(&current), nursery_drop(&spare);
}

void helpers_forget(void)
{
    keys.count = 0, keys.pid = 0;
    current = spare = (struct nursery){.line = -1};
}
