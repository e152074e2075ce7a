/* SPDX-License-Identifier: ISC */
/* Agent forwarding: the server may open connections to our agent. Each is made here, in a child of its own, and tells the agent whom it
 * serves (session-bind) before the descriptor goes to the transport, so that keys restricted to destinations hold at every hop. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/parse.h"
#include "kit/agent_client.h"
#include "ui.h"

/* What a value of IdentityAgent or ForwardAgent leads to: a path, $NAME or "SSH_AUTH_SOCK". NULL: nothing. */
static const char *expand(const char *value)
{
    struct wr w = wr_heap(8192);
    if (value[0] == '$' && value[1] != '{')
        return getenv(value + 1);
    enum err e = ssh_conf_path(ui.conf, ui.world, &ui.tokens, value, &w);
    wr_u8(&w, 0);
    if (e != ERR_NONE || w.err != ERR_NONE)
        fatal("agent socket %s: cannot be expanded", value);
    return (const char *)w.p;
}

const char *agent_path(void)
{
    static const char *path;
    static bool known;
    const char *how = ui.conf->identity_agent;
    if (known)
        return path;
    known = true;
    if (!how || strcmp(how, "SSH_AUTH_SOCK") == 0)
        path = getenv("SSH_AUTH_SOCK");
    else if (strcmp(how, "none") != 0)
        path = expand(how);
    if (path && !*path)
        path = NULL;
    return path;
}

static const char *forward_path(void)
{
    static const char *other;
    if (!other && ui.conf->forward_agent_socket)
        other = expand(ui.conf->forward_agent_socket);
    return ui.conf->forward_agent_socket ? other : agent_path();
}

bool agent_forward_wanted(void)
{
    return ui.conf->forward_agent;
}

void agent_forward_plan(void)
{
    struct cm_agent a = {conf_channel_timeout_s(&ui.conf->channel_timeout, "agent-connection", NULL)};
    struct stat st;
    if (!ui.conf->forward_agent)
        return;
    const char *path = forward_path();
    if (!path || stat(path, &st) != 0) {
        if (ui.conf->forward_agent_socket)
            say(CONF_LOG_ERROR, "Cannot forward agent socket path \"%s\": %s", path ? path : ui.conf->forward_agent_socket, strerror(path ? errno : ENOENT));
        if (ui.conf->forward_agent_socket && ui.conf->exit_on_forward_failure)
            leave(EXIT_OWN_ERROR);
        ui.conf->forward_agent = false;
        return;
    }
    link_send(CM_AGENT, &a, NULL, 0);
}

void agent_bind(int fd, bool forwarding)
{
    CLEANUP(wr_clear) struct wr w = wr_heap(65536);
    agent_bind_write(&w, secret_bytes(&ui.hostkey), bytes_of(ui.session_id, ui.session_id_n), secret_bytes(&ui.hostkey_sig), forwarding);
    if (w.err != ERR_NONE || agent_command(fd, wr_bytes(&w)) != ERR_NONE)
        debug1("session-bind: the agent does not take part");
}

enum err agent_forward_connect(int *out)
{
    int fd;
    TRY(agent_connect(forward_path(), &fd));
    agent_bind(fd, true);
    *out = fd;
    return ERR_NONE;
}
