/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "transport.h"

void report_line(struct transport *t, unsigned level, const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    if (level > t->trace_level)
        return;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    struct cm_line line = {level, bytes_of(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1)};
    (void)!cm_send(t->ctl, CM_LINE, &line, NULL, 0);    /* a lost UI is noticed elsewhere */
}

/* From then on the UI hears all there is, and shows of it what its level is for. */
enum err report_verbosity(struct transport *t, bool more)
{
    struct cm_line line = {more ? CM_LINE_MORE : CM_LINE_LESS, {0}};
    t->trace_level = 3;
    TRY(conn_trace_start(t->conn));
    return cm_send(t->ctl, CM_LINE, &line, NULL, 0);
}

/* Messages whose coming and going OpenSSH tells at debug1. */
static bool told_at_1(uint32_t msg)
{
    return msg == 20 || msg == 21 || (msg >= 30 && msg <= 34) || msg == 6 || msg == 7;
}

static void trace_message(struct transport *t, bool sent, uint32_t msg)
{
    const char *name = message_name((uint8_t)msg), *how = sent ? "sent" : "received";
    if (told_at_1(msg) && !(sent && msg == 34))     /* that one has sizes to tell */
        report_line(t, 1, "SSH2_MSG_%s %s", name, how);
    report_line(t, 3, "%s packet: type %u (%s)", sent ? "send" : "receive", msg, name);
}

void report_trace(struct transport *t)
{
    struct trace tr;
    if (t->trace_level == 0 || !t->conn)
        return;
    while (conn_trace(t->conn, &tr)) {
        if (tr.type == TRACE_SENT || tr.type == TRACE_RECEIVED)
            trace_message(t, tr.type == TRACE_SENT, tr.a);
        else if (tr.type == TRACE_WINDOW)
            report_line(t, 2, "channel %u: window %u", tr.a, tr.b);
        else if (tr.type == TRACE_GEX_REQUEST)
            report_line(t, 1, "SSH2_MSG_KEX_DH_GEX_REQUEST(%s) sent", tr.text);
        else if (tr.type == TRACE_DH_BITS)
            report_line(t, 2, "bits set: %u/%u", tr.a, tr.b);
        else if (tr.type == TRACE_LOST)
            report_line(t, 2, "%u trace lines lost", tr.a);
        else
            report_line(t, 2, "%.*s", (int)sizeof tr.text, tr.text);
    }
}

static struct bytes name_or(const char *name, const char *other)
{
    return bytes_str(name ? name : other);
}

enum err report_kex(struct transport *t)
{
    const struct conn_facts *f = conn_facts(t->conn);
    struct cm_kex k = {
        .first = !t->kex_done, .strict = f->strict_kex, .post_quantum = f->kex->post_quantum, .peer_is_openssh = f->peer_is_openssh,
        .ident_local = f->ident_local, .ident_peer = f->ident_peer, .kex = bytes_str(f->kex->name), .hostkey_alg = f->hostkey_alg,
        .cipher_in = name_or(f->cipher_in ? f->cipher_in->name : NULL, "none"),
        .cipher_out = name_or(f->cipher_out ? f->cipher_out->name : NULL, "none"),
        .mac_in = name_or(f->mac_in ? f->mac_in->name : NULL, "<implicit>"),
        .mac_out = name_or(f->mac_out ? f->mac_out->name : NULL, "<implicit>"),
        .compress_in = name_or(f->compress_in ? f->compress_in->name : NULL, "none"),
        .compress_out = name_or(f->compress_out ? f->compress_out->name : NULL, "none")};
    t->kex_told = true;
    return cm_send(t->ctl, CM_KEX, &k, NULL, 0);
}

void report_failure(struct transport *t, enum err e)
{
    int system_error = errno;
    struct cm_failed m = {.err = (uint32_t)e, .disconnected = t->disconnected, .reason = t->reason,
                          .text = bytes_str(t->reason_text), .kex_done = t->kex_done};
    if (e == ERR_SYSTEM)
        m.system_error = (uint32_t)system_error;
    if (t->pump && pump_socket_errno(t->pump))
        m.system_error = (uint32_t)pump_socket_errno(t->pump);
    if (e == ERR_SYSTEM && t->pump && pump_data_errno(t->pump))
        m.system_error = (uint32_t)pump_data_errno(t->pump);
    if (t->conn) {
        const struct conn_facts *f = conn_facts(t->conn);
        m.by_peer = f->failure_by_peer;
        m.msg = f->failure_msg;
        m.where = bytes_str(f->failure_where);
        m.ident_peer = f->ident_peer;
        m.offer = f->peer_offer;
        if (m.ident_peer.n > 255)
            m.ident_peer.n = 255;
        if (m.offer.n > NAME_LIST_MAX)
            m.offer.n = NAME_LIST_MAX;
    }
    (void)!cm_send(t->ctl, CM_FAILED, &m, NULL, 0);
}
