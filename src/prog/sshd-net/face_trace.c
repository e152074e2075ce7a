/* SPDX-License-Identifier: ISC */
/* Debug lines: the conn's trace as lines for the warden's log, only where somebody wants them (LogLevel DEBUG, -d). */
#include "face.h"

#include <stdarg.h>
#include <stdio.h>

void face_line(struct face *f, uint32_t level, const char *fmt, ...)
{
    struct ask_line ask = {.type = ASK_LINE, .level = level};
    char text[sizeof ask.text];
    va_list ap;
    if (level > f->setup->conf.debug) return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    FIELD_SET(&ask, text, bytes_str(text));
    face_ask(f, &ask);
}

/* Messages whose coming and going OpenSSH tells at debug1: EXT_INFO, KEXINIT, NEWKEYS. */
static bool told_at_1(uint32_t msg)
{
    return msg == 7 || msg == 20 || msg == 21;
}

static void packet(struct face *f, const struct trace *t)
{
    bool sent = t->type == TRACE_SENT;
    if (told_at_1(t->a)) face_line(f, 1, "SSH2_MSG_%s %s", message_name((uint8_t)t->a), sent ? "sent" : "received");
    face_line(f, 3, "%s packet: type %u", sent ? "send" : "receive", t->a);
}

void face_trace(struct face *f)
{
    static const char *const chosen[] = {"kex: algorithm", "kex: host key algorithm", "kex: client->server cipher", "kex: server->client cipher"};
    struct trace t;
    while (f->setup->conf.debug > 0 && conn_trace(f->conn, &t)) {
        switch (t.type) {
        case TRACE_SENT: case TRACE_RECEIVED: packet(f, &t); break;
        case TRACE_KEX_CHOSEN: face_line(f, 1, "%s: %s", t.a < COUNT_OF(chosen) ? chosen[t.a] : "kex", t.text); break;
        case TRACE_REKEY: face_line(f, 1, "rekey begins"); break;
        case TRACE_WINDOW: face_line(f, 2, "channel %u: window %u", t.a, t.b); break;
        case TRACE_DH_BITS: face_line(f, 2, "bits set: %u/%u", t.a, t.b); break;
        case TRACE_LOST: face_line(f, 2, "%u trace lines lost", t.a); break;
        case TRACE_KEX_LOCAL: case TRACE_KEX_PEER: face_line(f, 2, "kex: %s: %s", t.type == TRACE_KEX_PEER ? "peer" : "local", t.text); break;
        default: break;
        }
    }
}
