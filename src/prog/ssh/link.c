/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/message.h"
#include "os/spawn.h"
#include "ui.h"

static uint8_t buffer[CM_MESSAGE_MAX];

/* Started as early as can be, so that it is warm and jailed while we read files and connect. */
void link_start(void)
{
    static char name[] = "ssh-transport";
    char *argv[] = {name, NULL}, *envp[] = {NULL};
    int pair[2], exe;
    if (message_pair(pair) != ERR_NONE)
        fatal("socketpair: %m");
    if (companion_open(name, LIBEXEC_DIR, &exe) != ERR_NONE)
        fatal("%s: not found beside ssh nor in %s", name, LIBEXEC_DIR);
    int fds[] = {-1, -1, SANITIZED ? STDERR_FILENO : -1, pair[1]};
    struct spawn s = {.exe = exe, .argv = argv, .envp = envp, .fds = fds, .fd_count = 4};
    if (spawn_exec(&s, &ui.transport) != ERR_NONE)
        fatal("%s: %m", name);
    close(exe);
    close(pair[1]);
    ui.ctl = pair[0];
    ui.state = CM_AT_BOOT;
}

/* The transport ended without a word: what killed it? */
static NORETURN void transport_gone(void)
{
    int status = 0;
    pid_t pid = ui.transport;
    ui.transport = 0;
    if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
        fatal("ssh-transport: killed by signal %d", WTERMSIG(status));
    fatal("ssh-transport: ended unexpectedly");
}

void link_send(enum cm_type type, const void *body, const int *fds, size_t fd_count)
{
    enum err e = cm_send(ui.ctl, type, body, fds, fd_count);
    if (e == ERR_SYSTEM)
        fatal("ssh-transport: %s: %m", cm_name(type));
    if (e != ERR_NONE && e != ERR_PEER_GONE)
        fatal("%s: %s", cm_name(type), err_text(e));
    /* If it is gone, what it said last is still to be read. */
}

static bool handled(const struct cm_message *m)
{
    switch (m->type) {
    case CM_LINE:
        if (m->u.line.level == CM_LINE_MORE || m->u.line.level == CM_LINE_LESS) {
            say_change(m->u.line.level == CM_LINE_MORE);
            return true;
        }
        if (m->u.line.level == 0) {
            char text[8192];
            struct wr w = wr_span((struct span){(uint8_t *)text, sizeof text - 1});
            escape_write(&w, m->u.line.text, "\r\n");
            text[w.n] = '\0';
            say_raw(text);
        } else {
            say(CONF_LOG_VERBOSE + (int)(m->u.line.level < 3 ? m->u.line.level : 3), "%s", show(m->u.line.text));
        }
        return true;
    case CM_READY:
        ui.jail = m->u.ready.jail;
        ui.state = CM_AT_KEX;
        debug2("transport: jailed (%s%s%s%s)", ui.jail & CM_JAIL_SECCOMP ? "seccomp" : "", ui.jail & CM_JAIL_NNP ? " no_new_privs" : "",
               ui.jail & CM_JAIL_NAMESPACES ? " namespaces" : "", ui.jail & CM_JAIL_LANDLOCK ? " landlock" : "");
        return true;
    case CM_FAILED:
        failed(&m->u.failed);
    default:
        return false;
    }
}

static uint64_t deadline_us;        /* until then the host shows its key; 0: whenever it likes */

void link_deadline(unsigned seconds)
{
    deadline_us = seconds ? clock_us() + seconds * 1000000ULL : 0;
}

static const struct cm_message *take(bool wait)
{
    static struct cm_message m;
    for (;;) {
        if (deadline_us && wait && message_wait(ui.ctl, deadline_us) == ERR_TIMEOUT)
            failed_to_begin();
        enum err e = cm_recv(ui.ctl, true, ui.state, wait, buffer, &m);
        if (e == ERR_AGAIN)
            return NULL;
        if (e == ERR_PEER_GONE)
            transport_gone();
        if (e != ERR_NONE)
            fatal("ssh-transport: %s message: refused", err_name(e));
        if (handled(&m))
            continue;
        deadline_us = 0;
        return &m;
    }
}

const struct cm_message *link_recv(void)
{
    return take(true);
}

const struct cm_message *link_poll(void)
{
    return take(false);
}

void link_setup(void)
{
    const struct ssh_conf *c = ui.conf;
    static char software[256];
    struct wr algs = wr_heap(NAME_LIST_MAX);
    struct wr addendum = wr_heap(200);
    const char *bad = NULL;
    if (c->version_addendum && *c->version_addendum && strcmp(c->version_addendum, "none") != 0
        && token_expand(c->version_addendum, token_set_common, &ui.tokens, TOKEN_ENV, ui.world, &addendum, &bad) != ERR_NONE)
        fatal("VersionAddendum: %s", bad ? bad : "cannot be expanded");
    snprintf(software, sizeof software, "OpenSSH_10.5 Nacre_%s%s%.*s", NACRE_VERSION, addendum.n ? " " : "", (int)addendum.n,
             (const char *)addendum.p);
    hosts_order_algs(&algs);
    struct cm_start s = {
        .software = bytes_str(software), .kex = bytes_str(c->kex_algorithms), .ciphers = bytes_str(c->ciphers),
        .macs = bytes_str(c->macs), .hostkey_algs = wr_bytes(&algs), .compress = c->compression,
        .unbound = c->pubkey_authentication == SSH_PUBKEY_UNBOUND,
        .trace_level = c->log_level > CONF_LOG_VERBOSE ? (uint32_t)(c->log_level - CONF_LOG_VERBOSE) : 0,
        .rekey_bytes = c->rekey_limit.bytes, .rekey_us = (uint64_t)c->rekey_limit.time_s * 1000000};
    link_send(CM_START, &s, NULL, 0);
    debug1("Local version string SSH-2.0-%s", software);
    wr_clear(&algs);
    wr_clear(&addendum);
}
