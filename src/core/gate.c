/* SPDX-License-Identifier: ISC */
/* The gate: one row a message says who may send it, in which state it is processed, in which ignored; everything else ends
 * the connection (TRUST 1 and 4.4). Handlers run behind the gate and nowhere else. */
#include "impl.h"

/* What a connection's position means for a packet that arrives. */
enum {
    G_KEXINIT = 1,          /* S1: the first KEXINIT is due */
    G_KEX = 2,              /* S2n: first key exchange, peer not strict */
    G_KEX_STRICT = 4,       /* S2 */
    G_NEWKEYS = 8,          /* S3, peer not strict */
    G_NEWKEYS_STRICT = 16,  /* S3 */
    G_SERVICE = 32,         /* S4: encrypted, no service yet */
    G_AUTH = 64,            /* A1 */
    G_KBDINT = 128,         /* A2 */
    G_OPEN = 256,           /* C1 and R1 */
    G_REKEY = 512,          /* R2 */
    G_REKEY_NEWKEYS = 1024, /* R3 */
    G_ALL = 2047,
    G_LAX = G_KEXINIT | G_KEX | G_NEWKEYS | G_SERVICE | G_AUTH | G_KBDINT | G_OPEN | G_REKEY | G_REKEY_NEWKEYS,
    G_LOGIN = G_AUTH | G_KBDINT,
    G_KEX_ANY = G_KEX | G_KEX_STRICT | G_REKEY,
    G_NEWKEYS_ANY = G_NEWKEYS | G_NEWKEYS_STRICT | G_REKEY_NEWKEYS,
    G_CALM = G_SERVICE | G_AUTH | G_KBDINT | G_OPEN
};

enum { FROM_CLIENT = 1, FROM_SERVER = 2, FROM_BOTH = 3 };

struct gate_row {
    const char *name;
    uint16_t from, process, ignore;
    handler *handle;
};

#define UNIMPLEMENTED_MAX 8     /* unknown messages before login, then the peer has had its say */

static const struct gate_row gate[256] = {
    [MSG_DISCONNECT]     = {"DISCONNECT",     FROM_BOTH, G_ALL, 0, on_disconnect},
    [MSG_IGNORE]         = {"IGNORE",         FROM_BOTH, G_LAX, 0, on_ignore},
    [MSG_UNIMPLEMENTED]  = {"UNIMPLEMENTED",  FROM_BOTH, G_LAX, 0, on_unimplemented},
    [MSG_DEBUG]          = {"DEBUG",          FROM_BOTH, G_LAX, 0, on_debug},
    [MSG_SERVICE_REQUEST] = {"SERVICE_REQUEST", FROM_CLIENT, G_SERVICE | G_AUTH, 0, on_service_request},
    [MSG_SERVICE_ACCEPT] = {"SERVICE_ACCEPT", FROM_SERVER, G_SERVICE, 0, on_service_accept},
    [MSG_EXT_INFO]       = {"EXT_INFO",       FROM_BOTH, G_SERVICE | G_LOGIN, 0, on_ext_info},
    [MSG_KEXINIT]        = {"KEXINIT",        FROM_BOTH, G_KEXINIT | G_OPEN, 0, on_kexinit},
    [MSG_NEWKEYS]        = {"NEWKEYS",        FROM_BOTH, G_NEWKEYS_ANY, 0, on_newkeys},
    [30]                 = {"KEX_ECDH_INIT",  FROM_CLIENT, G_KEX_ANY, 0, on_kex_message},
    [31]                 = {"KEX_ECDH_REPLY", FROM_SERVER, G_KEX_ANY, 0, on_kex_message},
    [32]                 = {"KEX_DH_GEX_INIT", FROM_CLIENT, G_KEX_ANY, 0, on_kex_message},
    [33]                 = {"KEX_DH_GEX_REPLY", FROM_SERVER, G_KEX_ANY, 0, on_kex_message},
    [34]                 = {"KEX_DH_GEX_REQUEST", FROM_CLIENT, G_KEX_ANY, 0, on_kex_message},
    [35 ... 49]          = {"KEX",            0, 0, 0, NULL},
    [MSG_USERAUTH_REQUEST] = {"USERAUTH_REQUEST", FROM_CLIENT, G_LOGIN, G_OPEN, on_userauth_request},
    [MSG_USERAUTH_FAILURE] = {"USERAUTH_FAILURE", FROM_SERVER, G_LOGIN, 0, on_userauth_failure},
    [MSG_USERAUTH_SUCCESS] = {"USERAUTH_SUCCESS", FROM_SERVER, G_LOGIN, 0, on_userauth_success},
    [MSG_USERAUTH_BANNER]  = {"USERAUTH_BANNER", FROM_SERVER, G_LOGIN, 0, on_userauth_banner},
    [MSG_USERAUTH_60]    = {"USERAUTH_INFO_REQUEST", FROM_SERVER, G_LOGIN, 0, on_userauth_60},
    [MSG_USERAUTH_INFO_RESPONSE] = {"USERAUTH_INFO_RESPONSE", FROM_CLIENT, G_KBDINT, 0, on_userauth_info_response},
    [62 ... 66]          = {"USERAUTH_GSSAPI", 0, 0, 0, NULL},
    [MSG_GLOBAL_REQUEST] = {"GLOBAL_REQUEST", FROM_BOTH, G_OPEN, 0, on_global_request},
    [MSG_REQUEST_SUCCESS] = {"REQUEST_SUCCESS", FROM_BOTH, G_OPEN, 0, on_global_reply},
    [MSG_REQUEST_FAILURE] = {"REQUEST_FAILURE", FROM_BOTH, G_OPEN, 0, on_global_reply_failure},
    [MSG_CHANNEL_OPEN]   = {"CHANNEL_OPEN",   FROM_BOTH, G_OPEN, 0, on_channel_open},
    [MSG_CHANNEL_OPEN_CONFIRMATION] = {"CHANNEL_OPEN_CONFIRMATION", FROM_BOTH, G_OPEN, 0, on_channel_open_confirmation},
    [MSG_CHANNEL_OPEN_FAILURE] = {"CHANNEL_OPEN_FAILURE", FROM_BOTH, G_OPEN, 0, on_channel_open_failure},
    [MSG_CHANNEL_WINDOW_ADJUST] = {"CHANNEL_WINDOW_ADJUST", FROM_BOTH, G_OPEN, 0, on_window_adjust},
    [MSG_CHANNEL_DATA]   = {"CHANNEL_DATA",   FROM_BOTH, G_OPEN, 0, on_channel_data},
    [MSG_CHANNEL_EXTENDED_DATA] = {"CHANNEL_EXTENDED_DATA", FROM_BOTH, G_OPEN, 0, on_channel_data},
    [MSG_CHANNEL_EOF]    = {"CHANNEL_EOF",    FROM_BOTH, G_OPEN, 0, on_channel_eof},
    [MSG_CHANNEL_CLOSE]  = {"CHANNEL_CLOSE",  FROM_BOTH, G_OPEN, 0, on_channel_close},
    [MSG_CHANNEL_REQUEST] = {"CHANNEL_REQUEST", FROM_BOTH, G_OPEN, 0, on_channel_request},
    [MSG_CHANNEL_SUCCESS] = {"CHANNEL_SUCCESS", FROM_BOTH, G_OPEN, 0, on_channel_reply},
    [MSG_CHANNEL_FAILURE] = {"CHANNEL_FAILURE", FROM_BOTH, G_OPEN, 0, on_channel_reply_failure},
    [MSG_PING]           = {"PING",           FROM_BOTH, G_OPEN, G_SERVICE | G_LOGIN | G_REKEY, on_ping},
    [MSG_PONG]           = {"PONG",           FROM_BOTH, G_OPEN, G_SERVICE | G_LOGIN | G_REKEY, on_pong},
};

const char *message_name(uint8_t number)
{
    return gate[number].name ? gate[number].name : "?";
}

static uint16_t gate_state(const struct conn *c)
{
    if (c->stage == STAGE_FIRST_KEX) {
        if (c->kex_phase == KEX_NONE) return G_KEXINIT;
        if (c->kex_phase == KEX_NEWKEYS) return c->strict ? G_NEWKEYS_STRICT : G_NEWKEYS;
        return c->strict ? G_KEX_STRICT : G_KEX;
    }
    if (c->kex_phase == KEX_EXCHANGE) return G_REKEY;
    if (c->kex_phase == KEX_NEWKEYS) return G_REKEY_NEWKEYS;
    if (c->stage == STAGE_SERVICE) return G_SERVICE;
    if (c->stage == STAGE_AUTH) return c->kbdint_running && is_server(c) ? G_KBDINT : G_AUTH;
    return G_OPEN;
}

static enum err unimplemented(struct conn *c, uint16_t state)
{
    if (!(state & G_CALM)) return ERR_STATE;
    if (state != G_OPEN && ++c->unimplemented > UNIMPLEMENTED_MAX) return ERR_BUDGET;
    struct wr w = msg_begin(c, MSG_UNIMPLEMENTED);
    wr_u32(&w, c->rx.seq - 1);
    return msg_end(c, &w);
}

enum err gate_pass(struct conn *c, struct payload p, struct event *ev)
{
    const struct gate_row *row = &gate[p.p[0]];
    uint16_t state = gate_state(c), from = is_server(c) ? FROM_CLIENT : FROM_SERVER;
    c->facts.failure_msg = p.p[0];
    c->facts.failure_where = message_name(p.p[0]);
    if (state == G_KEXINIT && p.p[0] != MSG_KEXINIT) c->packets_before_kexinit++;
    if (!row->name) return unimplemented(c, state);
    if (!(row->from & from)) return ERR_STATE;
    if (row->ignore & state) return ERR_NONE;
    if (!(row->process & state)) return ERR_STATE;
    struct rd r = rd_init(bytes_of(p.p, p.n));
    rd_u8(&r);
    TRY(row->handle(c, &r, ev));
    c->facts.failure_where = NULL;
    return ERR_NONE;
}
