/* SPDX-License-Identifier: ISC */
/* Why a connection ended, in OpenSSH's words: scripts look for them. */
#include <errno.h>
#include <stdio.h>

#include "ui.h"

/* "127.0.0.1 port 22", as most lines end. */
static const char *peer(void)
{
    static char text[128];
    if (ui.proxied)
        return "UNKNOWN port 65535";
    snprintf(text, sizeof text, "%s port %u", ui.address, ui.conf->port);
    return text;
}

static const char *no_match(enum err e)
{
    switch (e) {
    case ERR_NO_KEX: return "no matching key exchange method found";
    case ERR_NO_HOSTKEY: return "no matching host key type found";
    case ERR_NO_CIPHER: return "no matching cipher found";
    case ERR_NO_MAC: return "no matching MAC found";
    case ERR_NO_COMPRESSION: return "no matching compression method found";
    default: return NULL;
    }
}

/* The last line, which LogLevel ERROR leaves out as OpenSSH's does: what is wrong was said before, or is for a caller to know by the status. */
#define END(...) do { say(CONF_LOG_INFO, __VA_ARGS__); leave(EXIT_OWN_ERROR); } while (0)

static NORETURN void gone(const struct cm_failed *f)
{
    bool reset = f->system_error == ECONNRESET;
    if (ui.state == CM_AT_SESSION) {
        if (reset)
            say(CONF_LOG_ERROR, "Read from remote host %s: Connection reset by peer", ui.conf->hostname);
        else if (f->system_error)
            say(CONF_LOG_ERROR, "client_loop: send disconnect: %s", strerror((int)f->system_error));
        if (ui.exit_known)
            leave(ui.exit_status);
        say(CONF_LOG_ERROR, reset ? "Connection to %.64s closed." : "Connection to %.64s closed by remote host.", ui.conf->hostname);
        if (!reset && ui.pty)
            say(CONF_LOG_INFO, "Connection to %.64s closed.", ui.conf->hostname);
        leave(EXIT_OWN_ERROR);
    }
    if (f->ident_peer.n == 0)
        say(CONF_LOG_ERROR, reset ? "kex_exchange_identification: read: Connection reset by peer"
                                  : "kex_exchange_identification: Connection closed by remote host");
    END(reset ? "Connection reset by %s" : "Connection closed by %s", peer());
}

static NORETURN void disconnected(const struct cm_failed *f)
{
    say(CONF_LOG_ERROR, "Received disconnect from %s:%u: %s", peer(), f->reason, show(f->text));
    END("Disconnected from %s", peer());
}

static NORETURN void ident(const struct cm_failed *f)
{
    if (f->err == ERR_VERSION) {
        const uint8_t *p = f->ident_peer.p;
        say(CONF_LOG_ERROR, "Protocol major versions differ: 2 vs. %c", f->ident_peer.n > 4 && p[4] >= '0' && p[4] <= '9' ? p[4] : '1');
        END("banner exchange: Connection to %s: could not read protocol version", peer());
    }
    say(CONF_LOG_ERROR, "kex_exchange_identification: %s", show(f->where));
    END("banner exchange: Connection to %s: invalid format", peer());
}

void failed_to_begin(void)
{
    say(CONF_LOG_ERROR, "Connection timed out during banner exchange");
    END("Connection to %s timed out", peer());
}

void failed(const struct cm_failed *f)
{
    enum err e = (enum err)f->err;
    const char *match = no_match(e);
    if (ui.state == CM_AT_BOOT || e == ERR_DENIED)
        fatal("ssh-transport: no jail: %s", show(f->text));
    if (f->disconnected)
        disconnected(f);
    if (e == ERR_PEER_GONE)
        gone(f);
    if (match)
        fatal("Unable to negotiate with %s: %s. Their offer: %s", peer(), match, show(f->offer));
    if (e == ERR_TIMEOUT && ui.state == CM_AT_SESSION)
        fatal("Timeout, server %s not responding.", ui.conf->hostname);
    if (e == ERR_SYSTEM && ui.state == CM_AT_SESSION)
        fatal("client_loop: data: %s", strerror((int)f->system_error));
    if (e == ERR_VERSION || f->ident_peer.n == 0)
        ident(f);
    if (e == ERR_MAC)
        say(CONF_LOG_ERROR, "Corrupted MAC on input.");
    debug1("failed in %s, message %u (%s)", show(f->where), f->msg, err_name(e));
    fatal("ssh_dispatch_run_fatal: Connection to %s: %s", peer(), e == ERR_MAC ? "message authentication code incorrect" : err_text(e));
}
