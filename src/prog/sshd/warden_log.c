/* SPDX-License-Identifier: ISC */
/* The lines that others read (fail2ban, Ansible, people): OpenSSH's words. All of a connection's lines come from this process. */
#include <stdio.h>

#include "base/text.h"
#include "sshd/warden.h"

const char *warden_phase(const struct warden *w)
{
    return w->turns.stage == AT_SESSION ? "" : " [preauth]";
}

const char *warden_peer(const struct warden *w, char *out, size_t cap)
{
    const char *what = w->turns.stage == AT_SESSION ? "user " : w->account.valid ? "authenticating user " : "invalid user ";
    if (!w->user_known) snprintf(out, cap, "%s port %u", w->link.client_addr, w->link.client_port);
    else snprintf(out, cap, "%s%.256s %s port %u", what, w->user, w->link.client_addr, w->link.client_port);
    return out;
}

/* What of the peer's behaviour counts for PerSourcePenalties. */
static enum warden_exit exit_status(const struct warden *w)
{
    if (w->turns.stage == AT_SESSION) return WARDEN_OK;
    if (w->user_known && !w->account.valid) return WARDEN_INVALID_USER;
    if (w->failures > 0) return WARDEN_AUTHFAIL;
    return w->tried ? WARDEN_OK : WARDEN_NOAUTH;
}

static const char *offer_kind(uint32_t err)
{
    switch (err) {
    case ERR_NO_KEX: return "key exchange method";
    case ERR_NO_HOSTKEY: return "host key type";
    case ERR_NO_CIPHER: return "cipher";
    case ERR_NO_MAC: return "MAC";
    case ERR_NO_COMPRESSION: return "compression method";
    default: return NULL;
    }
}

static void bye_error(struct warden *w, const struct ask_bye *bye, const char *text)
{
    char peer[512], where[sizeof bye->where * 4 + 1];
    const char *kind = offer_kind(bye->err);
    struct bounded at = FIELD(bye, where);
    if (kind) {
        log_line(LOG_LEVEL_INFO, "Unable to negotiate with %s port %u: no matching %s found. Their offer: %s%s", w->link.client_addr,
                 w->link.client_port, kind, text, warden_phase(w));
    } else if (!bye->ident_done || bye->err == ERR_VERSION) {
        log_line(LOG_LEVEL_ERROR, "kex_exchange_identification: %s",
            bye->err == ERR_VERSION ? "unsupported protocol version" : "client sent invalid protocol identifier");
        log_line(LOG_LEVEL_INFO, "banner exchange: Connection from %s port %u: invalid format", w->link.client_addr, w->link.client_port);
    } else {
        escape_str(at.err == ERR_NONE ? at.b : (struct bytes){0}, where, sizeof where);
        log_line(LOG_LEVEL_INFO, "%s from %s: %s%s%s%s", bye->err == ERR_MAC || bye->err == ERR_LENGTH ? "Corrupted packet" : "Connection failure",
                 warden_peer(w, peer, sizeof peer), err_text((enum err)bye->err), where[0] ? " in " : "", where, warden_phase(w));
    }
}

void warden_bye(struct warden *w, const struct ask_bye *bye)
{
    char peer[512], text[4096];
    struct bounded raw = FIELD(bye, text);
    if (raw.err != ERR_NONE || bye->where_n > sizeof bye->where) warden_guilt(w, "BYE", ERR_FORMAT);
    escape_str(raw.b, text, sizeof text);
    warden_peer(w, peer, sizeof peer);
    switch ((enum bye_why)bye->why) {
    case BYE_DISCONNECT:
        log_line(LOG_LEVEL_INFO, "Received disconnect from %s port %u:%u: %.400s%s", w->link.client_addr, w->link.client_port, bye->reason, text,
                 warden_phase(w));
        log_line(LOG_LEVEL_INFO, "Disconnected from %s%s", peer, warden_phase(w));
        break;
    case BYE_CLOSED: log_line(LOG_LEVEL_INFO, "Connection closed by %s%s", peer, warden_phase(w)); break;
    case BYE_RESET: log_line(LOG_LEVEL_INFO, "Connection reset by %s%s", peer, warden_phase(w)); break;
    case BYE_ALIVE: log_line(LOG_LEVEL_INFO, "Timeout, client not responding from %s", peer); break;
    case BYE_ERROR: bye_error(w, bye, text); break;
    case BYE_UNUSED: log_line(LOG_LEVEL_INFO, "Timeout, client uses no channel: terminating inactive connection from %s", peer); break;
    case BYE_TOLD: break;
    default: warden_guilt(w, "BYE", ERR_FORMAT);
    }
    enum warden_exit status = exit_status(w);
    warden_exit(w, status);
}
