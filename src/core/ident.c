/* SPDX-License-Identifier: ISC */
/* Identification strings (RFC 4253 4.2). */
#include "impl.h"
#include "base/text.h"

enum err ident_send(struct conn *c)
{
    size_t n = c->ident_local.n;
    if (c->setup.ident_sent) return ERR_NONE;
    if (out_room(c) < n + 2) return ERR_NOSPACE;
    memcpy(c->out + c->out_tail, c->ident_local.p, n);
    memcpy(c->out + c->out_tail + n, "\r\n", 2);
    c->out_tail += n + 2;
    return ERR_NONE;
}

/* "SSH-protoversion-softwareversion[ comments]" */
static enum err ident_accept(struct conn *c, struct bytes line)
{
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] < 0x20 || line.p[i] == 0x7f) return ERR_FORMAT;
    wr_raw(&c->ident_peer, line);
    TRY(wr_done(&c->ident_peer));
    c->facts.ident_peer = wr_bytes(&c->ident_peer);     /* also of a version we do not speak: it is told to a person */
    if (!bytes_starts(line, "SSH-2.0-") && !bytes_starts(line, "SSH-1.99-")) return ERR_VERSION;
    const uint8_t *dash = memchr(line.p + 4, '-', line.n - 4);
    struct bytes software = {dash + 1, (size_t)(line.p + line.n - dash - 1)};
    c->facts.peer_is_openssh = bytes_starts(software, "OpenSSH");
    trace_add(c, TRACE_IDENT, 0, 0, line);
    return ERR_NONE;
}

/* A client skips lines before the ident line; a server does not get any (TRUST 4.4, S0). */
enum err ident_receive(struct conn *c, bool *done)
{
    size_t max = is_server(c) ? IDENT_MAX : NAME_LIST_MAX;
    for (;;) {
        const uint8_t *p = c->in + c->in_head;
        size_t avail = c->in_tail - c->in_head;
        const uint8_t *nl = memchr(p, '\n', avail < max ? avail : max);
        if (!nl) {
            /* A server tells at once from the first bytes that this is no SSH client. */
            bool no_ssh = is_server(c) && avail && memcmp(p, "SSH-", avail < 4 ? avail : 4) != 0;
            c->in_need = avail + 1;
            return avail >= max || no_ssh ? ERR_VERSION : ERR_NONE;
        }
        struct bytes line = {p, (size_t)(nl - p)};
        c->in_head += line.n + 1;
        if (line.n && line.p[line.n - 1] == '\r') line.n--;
        if (bytes_starts(line, "SSH-")) {
            *done = true;
            c->in_need = 0;
            return line.n > IDENT_MAX - 2 ? ERR_VERSION : ident_accept(c, line);
        }
        if (is_server(c) || ++c->pre_lines > IDENT_PRE_LINES_MAX) return ERR_VERSION;
        if (memchr(line.p, 0, line.n)) return ERR_FORMAT;
    }
}
