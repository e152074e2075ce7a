/* SPDX-License-Identifier: ISC */
/* ssh: the order of things. */
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/destination.h"
#include "crypto/hash.h"
#include "crypto/sign.h"
#include "kit/conf_world.h"
#include "os/cpu.h"
#include "os/fd.h"
#include "ui.h"

struct ui ui = {.ctl = -1, .lane = -1};

/* Warnings from the command line wait until all of it was read: -q, -E or -v may stand behind what they are about. */
static struct wr warnings;
static bool warnings_wait;

static void conf_say(void *ctx, enum conf_say what, const char *text)
{
    static const int levels[] = {[CONF_SAY_ERROR] = CONF_LOG_ERROR, [CONF_SAY_WARNING] = CONF_LOG_ERROR, [CONF_SAY_DEBUG] = CONF_LOG_DEBUG1};
    (void)ctx;
    if (what != CONF_SAY_WARNING || !warnings_wait)
        say(levels[what], "%s", text);
    else
        wr_raw(&warnings, bytes_of(text, strlen(text) + 1));
}

static void warnings_say(void)
{
    warnings_wait = false;
    for (size_t at = 0; at < warnings.n; at += strlen((const char *)warnings.p + at) + 1)
        say(CONF_LOG_ERROR, "%s", (const char *)warnings.p + at);
    wr_clear(&warnings);
}

/* Descriptors 0 to 2 exist, so that nothing else ever takes their numbers. */
static void stdio_sanitise(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

static void world_fill(void)
{
    ui.world = conf_world_new(conf_say, NULL);
    if (!ui.world)
        fatal("No user exists for uid %lu", (unsigned long)getuid());
    ui.world->version = "OpenSSH_10.5";
    if (cpu_has_aes())
        ui.world->algs = &conf_algs_aes;
}

/* Both are checked before any of it reaches a command line (TRUST 18). */
static void names_check(void)
{
    if (!user_valid(ui.conf->user))
        fatal("remote username contains invalid characters");
    if (!host_valid(ui.conf->hostname))
        fatal("hostname contains invalid characters");
}

static void conf_read(void)
{
    struct ssh_conf_ask ask = {.host = ui.host_arg, .command = ui.command, .config_file = ui.config_file};
    if (ui.conf->user && !user_valid(ui.conf->user))
        fatal("remote username contains invalid characters");
    if (ssh_conf_load(ui.conf, ui.world, &ask) != ERR_NONE)
        leave(EXIT_OWN_ERROR);
    if (ssh_conf_finish(ui.conf, ui.world) != ERR_NONE)
        leave(EXIT_OWN_ERROR);
    say_level(ui.conf->log_level);
}

/* One text as the session would use it; the program ends after the dump, so nothing is given back. */
static const char *dump_expanded(const char *value, unsigned flags)
{
    struct wr w = wr_heap(131072);
    const char *bad = NULL;
    if (!value || strcmp(value, "none") == 0)
        return value;
    if (token_expand(value, token_set_common, &ui.tokens, flags, ui.world, &w, &bad) != ERR_NONE)
        fatal("%.500s: %s", value, bad ? bad : "cannot be expanded");
    wr_u8(&w, 0);
    return w.err ? value : (const char *)w.p;
}

/* What OpenSSH's -G shows expanded: these and no others. */
static void dump_expand(void)
{
    struct ssh_conf *c = ui.conf;
    const unsigned path = TOKEN_ENV | TOKEN_TILDE;
    for (size_t i = 0; i < c->user_known_hosts_file.n; i++)
        c->user_known_hosts_file.v[i] = dump_expanded(c->user_known_hosts_file.v[i], path);
    c->control_path = dump_expanded(c->control_path, path);
    if (c->identity_agent && strcmp(c->identity_agent, "SSH_AUTH_SOCK") != 0 && c->identity_agent[0] != '$')
        c->identity_agent = dump_expanded(c->identity_agent, path);
    if (c->forward_agent_socket && c->forward_agent_socket[0] != '$')
        c->forward_agent_socket = dump_expanded(c->forward_agent_socket, path);
    c->remote_command = dump_expanded(c->remote_command, TOKEN_ENV);
}

static void dump(void)
{
    struct wr w = wr_heap(1 << 20);
    ssh_conf_dump(ui.conf, &w);
    leave(fd_write(STDOUT_FILENO, wr_bytes(&w)) == ERR_NONE ? 0 : 1);
}

static void tokens_make(void)
{
    CLEANUP(wr_clear) struct wr text = wr_heap(8192);
    CLEANUP(wr_clear) struct wr hex = wr_heap(100);
    uint8_t digest[HASH_MAX];
    ssh_conf_hash_text(ui.conf, ui.world, &text);
    if (wr_done(&text) != ERR_NONE || hash_digest(&hash_sha1, wr_bytes(&text), digest) != ERR_NONE)
        fatal("%%C: cannot be computed");
    hex_write(&hex, bytes_of(digest, hash_sha1.len));
    wr_u8(&hex, 0);
    if (ssh_conf_tokens(ui.conf, ui.world, (const char *)hex.p, &ui.tokens) != ERR_NONE)
        fatal("tokens: out of memory");
}

int main(int argc, char **argv)
{
    stdio_sanitise();
    lane_take();
    signal(SIGPIPE, SIG_IGN);
    ui.conf = ssh_conf_new();
    if (!ui.conf)
        fatal("out of memory");
    world_fill();
    warnings = wr_heap(1 << 16);
    warnings_wait = true;
    options_parse(argc, argv);
    if (ui.log_file)
        say_file(ui.log_file);
    if (ssh_conf_is_set(ui.conf, "loglevel"))
        say_level(ui.conf->log_level);
    warnings_say();
    if (!ui.dump)
        link_start();           /* it warms up while we read and connect */
    conf_read();
    if (ui.conf->log_level >= CONF_LOG_DEBUG1)
        say(CONF_LOG_INFO, "Nacre_%s (OpenSSH_10.5p1), %s", NACRE_VERSION, crypto_version());
    names_check();
    tokens_make();
    if (ui.dump) {
        dump_expand();
        dump();
    }
    if (ui.conf->refuse_connection)
        fatal("RefuseConnection: %s", ui.conf->refuse_connection);
    link_setup();
    session_plan();
    dns_begin(ui.conf->hostname);
    reach();
    identities_prepare();
    auth_run();
    session_run();
}
