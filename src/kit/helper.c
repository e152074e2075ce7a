/* SPDX-License-Identifier: ISC */
#include "helper.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "os/clock.h"
#include "os/message.h"
#include "os/spawn.h"

#define TIMEOUT_S 120

static enum err program_open(const struct helper_how *how, char *why, size_t cap, int *out)
{
    const char *named = secure_getenv(how->variable);
    if (named && *named) {
        *out = open(named, O_PATH | O_CLOEXEC);
        if (*out >= 0) return ERR_NONE;
    } else if (companion_open(how->name, how->libexec_dir, out) == ERR_NONE) {
        return ERR_NONE;
    }
    snprintf(why, cap, "cannot start %s: no such program", named && *named ? named : how->name);
    return ERR_NOT_FOUND;
}

enum err helper_start(const struct helper_how *how, char *why, size_t cap, struct helper *out)
{
    static char v1[] = "-v", v2[] = "-vv", v3[] = "-vvv";
    char *const level[] = {NULL, v1, v2, v3};
    char *argv[] = {(char *)(uintptr_t)how->name, level[how->verbose < 3 ? how->verbose : 3], NULL};
    int pair[2], exe;
    pid_t pid;
    TRY(program_open(how, why, cap, &exe));
    enum err e = message_pair(pair);
    if (!e) {
        int fds[] = {pair[1], -1, STDERR_FILENO};
        struct spawn s = {.exe = exe, .argv = argv, .envp = environ, .fds = fds, .fd_count = COUNT_OF(fds)};
        e = spawn_exec(&s, &pid);
        close(pair[1]);
        if (e) close(pair[0]);
    }
    close(exe);
    if (e) {
        snprintf(why, cap, "cannot start %s", how->name);
        return e;
    }
    *out = (struct helper){.fd = pair[0], .pid = pid};
    if (pidfd_of(pid, &out->pidfd) != ERR_NONE) out->pidfd = -1;
    return ERR_NONE;
}

void helper_end(struct helper *h)
{
    int status;
    if (h->fd < 0) return;
    close(h->fd);
    h->fd = -1;
    if (h->pidfd >= 0) {
        (void)!pidfd_kill(h->pidfd, SIGKILL);
        close(h->pidfd);
    } else {
        kill(h->pid, SIGKILL);
    }
    (void)!child_wait(h->pid, &status);
}

enum err helper_send(struct helper *h, struct bytes message, unsigned timeout_s)
{
    h->deadline_us = clock_us() + 1000000ULL * (timeout_s ? timeout_s : TIMEOUT_S);
    return message_send(h->fd, message.p, message.n, NULL, 0, true) == ERR_NONE ? ERR_NONE : ERR_PEER_GONE;
}

enum err helper_recv(struct helper *h, bool wait, struct span room, struct bytes *out)
{
    for (;;) {
        struct message m;
        if (wait && message_wait(h->fd, h->deadline_us) == ERR_TIMEOUT) return ERR_TIMEOUT;
        enum err e = message_recv(h->fd, room.p, room.n, false, &m);
        if (e == ERR_AGAIN && clock_us() >= h->deadline_us) return ERR_TIMEOUT;
        if (e == ERR_AGAIN && wait) continue;
        if (e) return e == ERR_AGAIN || e == ERR_PEER_GONE ? e : ERR_PROTOCOL;
        message_close_fds(&m);
        *out = bytes_of(room.p, m.n);
        return ERR_NONE;
    }
}

enum err helper_failure(struct rd *r, char *why, size_t cap, enum err *out)
{
    uint32_t code = rd_u32(r);
    struct bytes text = rd_string(r);
    if (rd_done(r) != ERR_NONE || code == ERR_NONE || code >= ERR_COUNT || code == ERR_AGAIN) return ERR_PROTOCOL;
    escape_str(text, why, cap);
    *out = (enum err)code;
    return ERR_NONE;
}
