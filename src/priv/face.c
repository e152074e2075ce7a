/* SPDX-License-Identifier: ISC */
#include "priv/face.h"

#include <unistd.h>

#include "os/message.h"

static const struct {
    const char *name;
    size_t size;
    unsigned stages;
    bool once;
    size_t fds;
} asks[ASK_COUNT] = {
#define X(name, st, stages, once, fds) {#name, sizeof(struct st), stages, once, fds},
    ASK_TABLE(X)
#undef X
};

static const struct {
    const char *name;
    size_t size, fds;
} says[SAY_COUNT] = {
#define X(name, st, fds) {#name, sizeof(struct st), fds},
    SAY_TABLE(X)
#undef X
};

const char *ask_name(uint32_t type)
{
    return type < ASK_COUNT ? asks[type].name : "?";
}

const char *say_name(uint32_t type)
{
    return type < SAY_COUNT ? says[type].name : "?";
}

enum err ask_check(const struct ask_turns *turns, uint32_t type, size_t n, size_t fds)
{
    if (type >= ASK_COUNT || n != asks[type].size || fds != asks[type].fds) return ERR_FORMAT;
    if (!(asks[type].stages & turns->stage)) return ERR_STATE;
    if (asks[type].once && turns->seen & 1u << type) return ERR_STATE;
    return ERR_NONE;
}

enum err ask_recv(int chan, struct ask_turns *turns, union ask *buf, bool wait, int *fd)
{
    struct message m;
    TRY(message_recv(chan, buf, sizeof *buf, wait, &m));
    enum err e = m.n < sizeof buf->type ? ERR_FORMAT : ask_check(turns, buf->type, m.n, m.fd_count);
    if (e != ERR_NONE) {
        message_close_fds(&m);
        return e;
    }
    turns->seen |= 1u << buf->type;
    *fd = m.fd_count > 0 ? m.fd[0] : -1;
    return ERR_NONE;
}

enum err ask_send(int chan, const void *msg, int fd)
{
    uint32_t type;
    memcpy(&type, msg, sizeof type);
    if (type >= ASK_COUNT || (fd >= 0) != (asks[type].fds == 1)) return ERR_USAGE;
    return message_send(chan, msg, asks[type].size, &fd, fd >= 0, true);
}

enum err say_send(int chan, const void *msg, const int *fds, size_t fd_count)
{
    uint32_t type;
    memcpy(&type, msg, sizeof type);
    if (type >= SAY_COUNT || fd_count > says[type].fds) return ERR_USAGE;
    return message_send(chan, msg, says[type].size, fds, fd_count, true);
}

enum err say_recv(int chan, union say *buf, bool wait, int fds[3])
{
    struct message m;
    TRY(message_recv(chan, buf, sizeof *buf, wait, &m));
    if (m.n < sizeof buf->type || buf->type >= SAY_COUNT || m.n != says[buf->type].size || m.fd_count > says[buf->type].fds) {
        message_close_fds(&m);
        return ERR_FORMAT;
    }
    for (size_t i = 0; i < 3; i++) fds[i] = i < m.fd_count ? m.fd[i] : -1;
    return ERR_NONE;
}

uint32_t field_set(void *field, size_t cap, struct bytes from)
{
    size_t n = from.n < cap ? from.n : cap;
    if (n > 0) memcpy(field, from.p, n);
    return (uint32_t)n;
}
