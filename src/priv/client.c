/* SPDX-License-Identifier: ISC */
#include "priv/client.h"

#include <errno.h>
#include <stdlib.h>

#include "base/rd.h"
#include "base/wr.h"
#include "os/message.h"

enum kind { END, U32, U64, STR, LIST };

struct field {
    enum kind kind;
    size_t offset;
    uint32_t max;       /* STR: bytes; LIST: strings */
};

struct row {
    const char *name;
    unsigned states;    /* 0: from the UI, at any time */
    uint8_t fds_min, fds_max;
    struct field fields[28];
};

#define N(s, m)      {U32, offsetof(struct s, m), 0}
#define N64(s, m)    {U64, offsetof(struct s, m), 0}
#define T(s, m, cap) {STR, offsetof(struct s, m), cap}
#define L(s, m, cap) {LIST, offsetof(struct s, m), cap}

enum {
    BOOT = CM_AT_BOOT, KEX = CM_AT_KEX, AUTH = CM_AT_AUTH, SESSION = CM_AT_SESSION,
    JAILED = KEX | AUTH | SESSION, ALL = BOOT | JAILED
};

static const struct row rows[CM_COUNT] = {
    [CM_START] = {"START", 0, 0, 0, {T(cm_start, software, 255), T(cm_start, kex, NAME_LIST_MAX), T(cm_start, ciphers, NAME_LIST_MAX),
        T(cm_start, macs, NAME_LIST_MAX), T(cm_start, hostkey_algs, NAME_LIST_MAX), N(cm_start, compress), N(cm_start, trace_level),
        N(cm_start, guess), N(cm_start, unbound), N64(cm_start, rekey_bytes), N64(cm_start, rekey_us)}},
    [CM_SOCKET] = {"SOCKET", 0, 1, 2, {N(cm_socket, is_socket)}},
    [CM_HOSTKEY_OK] = {"HOSTKEY_OK", 0, 0, 0, {N(cm_hostkey_ok, ok)}},
    [CM_AUTH] = {"AUTH", 0, 0, 0, {N(cm_auth, method), T(cm_auth, user, USER_NAME_MAX), T(cm_auth, alg, 128),
        T(cm_auth, key, PUBKEY_BLOB_MAX), T(cm_auth, sig, SIGNATURE_MAX), T(cm_auth, password, 4096), T(cm_auth, new_password, 4096),
        T(cm_auth, devices, CM_NAME_MAX), N(cm_auth, change), N(cm_auth, sign), N(cm_auth, pipeline)}},
    [CM_ANSWERS] = {"ANSWERS", 0, 0, 0, {N(cm_answers, ok), L(cm_answers, answers, PROMPTS_MAX)}},
    [CM_SESSION] = {"SESSION", 0, 3, SESSION_LANE + 1, {N(cm_session, kind), N(cm_session, pty), N(cm_session, cols), N(cm_session, rows),
        N(cm_session, xpixels), N(cm_session, ypixels), T(cm_session, command, 131072), T(cm_session, term, CM_NAME_MAX),
        T(cm_session, modes, TERM_MODES_MAX), T(cm_session, host, CM_NAME_MAX), N(cm_session, port), L(cm_session, env, CM_LIST_MAX),
        N(cm_session, escape), N(cm_session, fd_kind), N(cm_session, alive_s), N(cm_session, alive_max),
        N(cm_session, session_timeout_s), N(cm_session, direct_timeout_s), N(cm_session, forwarded_timeout_s), N(cm_session, global_timeout_s),
        N(cm_session, obscure_ms), N(cm_session, no_more_sessions), N(cm_session, extras)}},
    [CM_WINCH] = {"WINCH", 0, 0, 0, {N(cm_winch, cols), N(cm_winch, rows), N(cm_winch, xpixels), N(cm_winch, ypixels)}},
    [CM_RESUME] = {"RESUME", 0, 0, 0, {{END}}},
    [CM_QUIT] = {"QUIT", 0, 0, 0, {{END}}},
    [CM_DIRECT] = {"DIRECT", 0, 1, 1, {T(cm_direct, host, CM_NAME_MAX), T(cm_direct, origin, CM_NAME_MAX), N(cm_direct, port),
        N(cm_direct, origin_port)}},
    [CM_LISTEN] = {"LISTEN", 0, 0, 0, {N(cm_listen, tag), N(cm_listen, port), T(cm_listen, host, CM_NAME_MAX)}},
    [CM_FORWARD_TO] = {"FORWARD_TO", 0, 0, 1, {N(cm_forward_to, id), N(cm_forward_to, ok), N(cm_forward_to, reason),
        T(cm_forward_to, text, CM_NAME_MAX)}},
    [CM_AGENT] = {"AGENT", 0, 0, 0, {N(cm_agent, timeout_s)}},
    [CM_PROVE] = {"PROVE", 0, 0, 0, {N(cm_prove, wait), T(cm_prove, keys, CM_TEXT_MAX)}},

    [CM_READY] = {"READY", BOOT, 0, 0, {N(cm_ready, jail)}},
    [CM_LINE] = {"LINE", JAILED, 0, 0, {N(cm_line, level), T(cm_line, text, 4096)}},
    [CM_KEX] = {"KEX", JAILED, 0, 0, {N(cm_kex, first), N(cm_kex, strict), N(cm_kex, post_quantum), N(cm_kex, peer_is_openssh),
        T(cm_kex, ident_local, 255), T(cm_kex, ident_peer, 255), T(cm_kex, kex, 128), T(cm_kex, hostkey_alg, 128),
        T(cm_kex, cipher_in, 128), T(cm_kex, mac_in, 128), T(cm_kex, compress_in, 128), T(cm_kex, cipher_out, 128),
        T(cm_kex, mac_out, 128), T(cm_kex, compress_out, 128)}},
    [CM_HOSTKEY] = {"HOSTKEY", KEX | SESSION, 0, 0, {T(cm_hostkey, blob, PUBKEY_BLOB_MAX), T(cm_hostkey, alg, 128),
        T(cm_hostkey, sig, SIGNATURE_MAX), T(cm_hostkey, hash, 64)}},
    [CM_AUTH_NEXT] = {"AUTH_NEXT", AUTH, 0, 0, {T(cm_auth_next, methods, NAME_LIST_MAX), T(cm_auth_next, sig_algs, NAME_LIST_MAX),
        N(cm_auth_next, partial), N(cm_auth_next, hostbound)}},
    [CM_PK_OK] = {"PK_OK", AUTH, 0, 0, {T(cm_pk_ok, key, PUBKEY_BLOB_MAX), T(cm_pk_ok, alg, 128), T(cm_pk_ok, sig_algs, NAME_LIST_MAX),
        N(cm_pk_ok, hostbound)}},
    [CM_PROMPTS] = {"PROMPTS", AUTH, 0, 0, {T(cm_prompts, name, CM_BLOB_MAX), T(cm_prompts, instruction, CM_TEXT_MAX),
        T(cm_prompts, echo, PROMPTS_MAX), L(cm_prompts, texts, PROMPTS_MAX)}},
    [CM_PASSWD_CHANGE] = {"PASSWD_CHANGE", AUTH, 0, 0, {T(cm_text, text, CM_TEXT_MAX)}},
    [CM_BANNER] = {"BANNER", AUTH, 0, 0, {T(cm_text, text, CM_TEXT_MAX)}},
    [CM_AUTH_DONE] = {"AUTH_DONE", AUTH, 0, 0, {{END}}},
    [CM_SESSION_OPEN] = {"SESSION_OPEN", SESSION, 0, 0, {{END}}},
    [CM_REFUSED] = {"REFUSED", SESSION, 0, 0, {N(cm_refused, what), N(cm_refused, chan), N(cm_refused, reason),
        T(cm_refused, text, 4096)}},
    [CM_EXIT] = {"EXIT", SESSION, 0, 0, {N(cm_exit, signalled), N(cm_exit, status), N(cm_exit, core), T(cm_exit, signal, 64),
        T(cm_exit, text, 4096)}},
    [CM_SUSPEND] = {"SUSPEND", SESSION, 0, 0, {{END}}},
    [CM_LISTENING] = {"LISTENING", SESSION, 0, 0, {N(cm_listening, tag), N(cm_listening, ok), N(cm_listening, port)}},
    [CM_FORWARD_OPEN] = {"FORWARD_OPEN", SESSION, 0, 0, {N(cm_forward_open, id), N(cm_forward_open, port),
        N(cm_forward_open, origin_port), T(cm_forward_open, host, CM_NAME_MAX), T(cm_forward_open, origin, CM_NAME_MAX)}},
    [CM_AGENT_OPEN] = {"AGENT_OPEN", SESSION, 0, 0, {N(cm_agent_open, id)}},
    [CM_HOSTKEYS] = {"HOSTKEYS", SESSION, 0, 0, {T(cm_hostkeys, keys, CM_TEXT_MAX)}},
    [CM_PROVED] = {"PROVED", SESSION, 0, 0, {N(cm_proved, ok), T(cm_proved, sigs, CM_TEXT_MAX)}},
    [CM_FAILED] = {"FAILED", ALL, 0, 0, {N(cm_failed, err), N(cm_failed, by_peer), N(cm_failed, msg), N(cm_failed, reason),
        N(cm_failed, disconnected), N(cm_failed, system_error), N(cm_failed, kex_done), T(cm_failed, where, 128), T(cm_failed, text, 4096),
        T(cm_failed, offer, NAME_LIST_MAX), T(cm_failed, ident_peer, 255)}},
    [CM_END] = {"END", SESSION, 0, 0, {N64(cm_end, bytes_in), N64(cm_end, bytes_out)}},
};

const char *cm_name(enum cm_type type)
{
    return (unsigned)type < CM_COUNT ? rows[type].name : "?";
}

static void field_write(struct wr *w, const struct field *f, const void *body)
{
    const uint8_t *at = (const uint8_t *)body + f->offset;
    const struct cm_list *list;
    switch (f->kind) {
    case U32: wr_u32(w, *(const uint32_t *)at); break;
    case U64: wr_u64(w, *(const uint64_t *)at); break;
    case STR:
        if (((const struct bytes *)at)->n > f->max)
            wr_fail(w, ERR_TOO_LONG);
        wr_string(w, *(const struct bytes *)at);
        break;
    case LIST:
        list = (const struct cm_list *)at;
        if (list->n > f->max)
            wr_fail(w, ERR_TOO_LONG);
        wr_u32(w, (uint32_t)list->n);
        for (size_t i = 0; i < list->n && !w->err; i++)
            wr_string(w, list->v[i]);
        break;
    case END: break;
    }
}

enum err cm_write(enum cm_type type, const void *body, uint8_t *buf, size_t cap, size_t *n)
{
    struct wr w = wr_span((struct span){buf, cap});
    wr_u32(&w, (uint32_t)type);
    for (const struct field *f = rows[type].fields; f->kind != END; f++)
        field_write(&w, f, body);
    TRY(wr_done(&w));
    *n = w.n;
    return ERR_NONE;
}

static void field_parse(struct rd *r, const struct field *f, void *body)
{
    uint8_t *at = (uint8_t *)body + f->offset;
    struct cm_list *list;
    uint32_t count;
    switch (f->kind) {
    case U32: *(uint32_t *)at = rd_u32(r); break;
    case U64: *(uint64_t *)at = rd_u64(r); break;
    case STR: *(struct bytes *)at = rd_string_max(r, f->max); break;
    case LIST:
        list = (struct cm_list *)at;
        count = rd_u32(r);
        if (count > f->max || count > CM_LIST_MAX) {
            rd_fail(r, ERR_TOO_LONG);
            count = 0;
        }
        for (list->n = 0; list->n < count; list->n++)
            list->v[list->n] = rd_string(r);
        break;
    case END: break;
    }
}

enum err cm_parse(struct bytes datagram, bool from_transport, unsigned state, struct cm_message *out)
{
    struct cm_message m = {0};
    struct rd r = rd_init(datagram);
    uint32_t type = rd_u32(&r);
    TRY(r.err);
    if (type >= CM_COUNT || (type >= CM_READY) != from_transport)
        return ERR_PROTOCOL;
    if (from_transport && !(rows[type].states & state))
        return ERR_STATE;
    m.type = (enum cm_type)type;
    m.datagram = datagram;
    for (const struct field *f = rows[type].fields; f->kind != END; f++)
        field_parse(&r, f, &m.u);
    TRY(rd_done(&r));
    *out = m;
    return ERR_NONE;
}

enum err cm_send(int fd, enum cm_type type, const void *body, const int *fds, size_t fd_count)
{
    static uint8_t buf[CM_MESSAGE_MAX];
    size_t n;
    if (fd_count > CM_FDS_MAX)
        return ERR_USAGE;
    TRY(cm_write(type, body, buf, sizeof buf, &n));
    enum err e = message_send(fd, buf, n, fds, fd_count, true);
    int keep = errno;
    wipe(buf, n);       /* passwords and signatures pass here */
    errno = keep;
    return e;
}

enum err cm_recv(int fd, bool from_transport, unsigned state, bool wait, uint8_t *buf, struct cm_message *out)
{
    struct message got;
    struct cm_message m;
    TRY(message_recv(fd, buf, CM_MESSAGE_MAX, wait, &got));
    enum err e = cm_parse(bytes_of(buf, got.n), from_transport, state, &m);
    if (!e && (got.fd_count < rows[m.type].fds_min || got.fd_count > rows[m.type].fds_max))
        e = ERR_FORMAT;
    if (e) {
        message_close_fds(&got);
        return e;
    }
    memcpy(m.fds, got.fd, got.fd_count * sizeof(int));
    m.fd_count = got.fd_count;
    *out = m;
    return ERR_NONE;
}
