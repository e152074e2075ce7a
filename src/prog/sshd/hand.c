/* SPDX-License-Identifier: ISC */
/* The hand, seen from the warden: started when first needed, asked and answered in messages of one size, let go when idle. */
#include "sshd/hand.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/sshd.h"
#include "key/authorized_keys.h"
#include "os/message.h"
#include "os/spawn.h"

/* ---- what a login may forward ---- */

static bool forwarding_on(const struct sshd_conf *conf, const struct key_options *options, int direction)
{
    if (conf->disable_forwarding || (conf->allow_tcp_forwarding & direction) == 0) return false;
    return !options || options->permit_port_forwarding;
}

static bool permit_listed(const struct key_permit *list, uint32_t n, const char *host, uint32_t port)
{
    for (uint32_t i = 0; i < n; i++) {
        bool host_fits = strcmp(list[i].host, "*") == 0 || text_equal_fold(bytes_str(list[i].host), bytes_str(host));
        if (host_fits && (list[i].port == KEY_PORT_ANY || list[i].port == port)) return true;
    }
    return n == 0;
}

enum verdict forward_open_check(const struct sshd_conf *conf, const struct key_options *options, const char *host, uint32_t port)
{
    if (port == 0 || port > 65535 || !forwarding_on(conf, options, CONF_FORWARDING_LOCAL)) return VERDICT_BAD;
    if (options && !permit_listed(options->permit_open, options->permit_open_n, host, port)) return VERDICT_BAD;
    return VERDICT_GOOD;
}

/* The host that permitlisten="" is held against: what will be bound, not what was asked for. */
static const char *listen_host(const struct sshd_conf *conf, const char *host)
{
    if (conf->gateway_ports == SSHD_GATEWAY_NO) return strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0 ? host : "localhost";
    if (conf->gateway_ports == SSHD_GATEWAY_YES || host[0] == 0) return "*";
    return host;
}

enum verdict forward_agent_check(const struct sshd_conf *conf, const struct key_options *options)
{
    bool may = conf->allow_agent_forwarding && !conf->disable_forwarding && (!options || options->permit_agent_forwarding);
    return may ? VERDICT_GOOD : VERDICT_BAD;
}

enum verdict forward_listen_check(const struct sshd_conf *conf, const struct key_options *options, const struct account *a, const char *host,
                                  uint32_t port)
{
    if (port > 65535 || !forwarding_on(conf, options, CONF_FORWARDING_REMOTE)) return VERDICT_BAD;
    if (port != 0 && port < 1024 && a->uid != 0) return VERDICT_BAD;
    if (options && !permit_listed(options->permit_listen, options->permit_listen_n, listen_host(conf, host), port)) return VERDICT_BAD;
    return VERDICT_GOOD;
}

/* ---- its process ---- */

void hand_init(struct hand *h)
{
    *h = (struct hand){.fd = -1};
}

static enum err hand_start(struct hand *h, const struct account *a)
{
    int pair[2];
    if (h->pid > 0) return ERR_NONE;
    TRY(message_pair(pair));
    pid_t pid = fork();
    if (pid == 0) {
        const int keep[4] = {-1, -1, -1, pair[1]};
        if (spawn_keep_fds(keep, 4) != ERR_NONE) _exit(1);
        spawn_signals_default();
        if (account_become(a) != ERR_NONE || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) _exit(1);
        hand_run();
    }
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return ERR_SYSTEM;
    }
    *h = (struct hand){.pid = pid, .fd = pair[0]};
    return ERR_NONE;
}

/* The hand ends by a signal and removes nothing. The name lies in a folder of the user's: so it is the user who removes it. */
static void agent_remove(const struct hand *h, const struct account *a)
{
    int status;
    if (h->agent[0] == 0) return;
    pid_t pid = fork();
    if (pid == 0) {
        if (account_become(a) != ERR_NONE) _exit(1);
        _exit(unlink(h->agent) == 0 ? 0 : 1);
    }
    if (pid > 0 && child_wait(pid, &status) != ERR_NONE) return;
}

void hand_close(struct hand *h, const struct account *a)
{
    int status;
    if (h->pid > 0) {
        kill(h->pid, SIGKILL);
        if (child_wait(h->pid, &status) != ERR_NONE) status = 0;
    }
    if (h->fd >= 0) close(h->fd);
    agent_remove(h, a);
    hand_init(h);
}

static enum err hand_send(struct hand *h, const struct account *a, struct hand_question *q, const char *host)
{
    if (h->sent >= HAND_CONNECTS_MAX) return ERR_BUDGET;
    TRY(bytes_to_str(bytes_str(host), q->host, sizeof q->host));
    if (a) TRY(hand_start(h, a));
    if (h->pid <= 0) return ERR_NOT_FOUND;
    TRY(message_send(h->fd, q, sizeof *q, NULL, 0, false));
    h->sent++;
    return ERR_NONE;
}

enum err hand_connect(struct hand *h, const struct account *a, const struct sshd_conf *conf, uint32_t tag, const char *host, uint16_t port)
{
    struct hand_question q = {.ask = HAND_ASK_CONNECT, .tag = tag, .port = port, .family = (uint8_t)conf->address_family};
    return hand_send(h, a, &q, host);
}

enum err hand_listen(struct hand *h, const struct account *a, const struct sshd_conf *conf, uint32_t tag, const char *host, uint16_t port)
{
    struct hand_question q = {.ask = HAND_ASK_LISTEN, .tag = tag, .port = port, .gateway = (uint8_t)conf->gateway_ports,
                              .family = (uint8_t)conf->address_family};
    return hand_send(h, a, &q, host);
}

enum err hand_agent(struct hand *h, const struct account *a, uint32_t tag)
{
    struct hand_question q = {.ask = HAND_ASK_AGENT, .tag = tag};
    return hand_send(h, a, &q, a->home);
}

enum err hand_cancel(struct hand *h, uint32_t tag, const char *host, uint16_t port)
{
    struct hand_question q = {.ask = HAND_ASK_CANCEL, .tag = tag, .port = port};
    return hand_send(h, NULL, &q, host);
}

/* ---- its news ---- */

static bool ended(const char *text, size_t size)
{
    return memchr(text, 0, size) != NULL;
}

/* The hand is a user's process: what it says is held to its form, and a descriptor only comes where one belongs. */
static bool answer_fits(const struct hand_answer *x, const struct message *got)
{
    bool with_fd = x->what == HAND_CONNECTED || x->what == HAND_ACCEPTED || x->what == HAND_AGENT_ACCEPTED;
    return got->n == sizeof *x && got->fd_count == (with_fd ? 1 : 0) && x->what < HAND_GONE && ended(x->host, sizeof x->host) &&
           ended(x->origin_host, sizeof x->origin_host) && ended(x->text, sizeof x->text);
}

static void counters_turn(struct hand *h, const struct hand_answer *x)
{
    bool stands = x->what == HAND_LISTENING || x->what == HAND_AGENT_STANDS;
    if (stands) h->listeners++;
    if (x->what == HAND_CLOSED && h->listeners > 0) h->listeners--;
    if (x->what != HAND_NOTHING && x->what != HAND_ACCEPTED && x->what != HAND_AGENT_ACCEPTED && h->sent > 0) h->sent--;
}

/* Where the agent's socket stands: it will be in the environment of programs, so it is a plain path or nothing. */
static bool agent_take(struct hand *h, const struct hand_answer *x)
{
    if (x->what != HAND_AGENT_STANDS) return true;
    if (h->agent[0] || x->host[0] != '/' || !text_printable(bytes_str(x->host))) return false;
    return bytes_to_str(bytes_str(x->host), h->agent, sizeof h->agent) == ERR_NONE;
}

enum err hand_receive(struct hand *h, const struct account *a, struct hand_news *out)
{
    struct hand_answer x;
    struct message got;
    struct hand_news news = {.what = HAND_GONE, .fd = -1};
    if (h->fd < 0) return ERR_AGAIN;
    enum err e = message_recv(h->fd, &x, sizeof x, false, &got);
    if (e == ERR_AGAIN) return e;
    if (e == ERR_NONE && (!answer_fits(&x, &got) || !agent_take(h, &x))) {
        message_close_fds(&got);
        e = ERR_FORMAT;
    }
    if (e != ERR_NONE) {
        hand_close(h, a);
        *out = news;
        return ERR_NONE;
    }
    counters_turn(h, &x);
    news = (struct hand_news){.what = (enum hand_what)x.what, .tag = x.tag, .fd = got.fd_count ? got.fd[0] : -1, .port = x.port,
                              .origin_port = x.origin_port};
    memcpy(news.host, x.host, sizeof news.host);
    escape_str(bytes_str(x.origin_host), news.origin_host, sizeof news.origin_host);
    escape_str(bytes_str(x.text), news.text, sizeof news.text);
    /* "nothing": the hand has been idle for a while. If nothing is under way to it, it is let go; no race, as only we ask. */
    if (x.what == HAND_NOTHING && h->sent == 0 && h->listeners == 0) hand_close(h, a);
    *out = news;
    return ERR_NONE;
}
