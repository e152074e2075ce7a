/* SPDX-License-Identifier: ISC */
/* What a client wants signed: a login (RFC 4252 7, publickey-hostbound-v00@openssh.com), a file signature (PROTOCOL.sshsig), or anything. */
#include "impl.h"

enum { USERAUTH_REQUEST = 50 };

/* The method and what only one of them has; false: no login by key. */
static bool method_known(struct bytes method, struct rd *r, struct bytes *hostkey)
{
    if (bytes_is(method, "publickey")) return true;
    if (!bytes_is(method, "publickey-hostbound-v00@openssh.com")) return false;
    *hostkey = rd_string_max(r, PUBKEY_BLOB_MAX);
    return hostkey->n > 0;
}

static bool alg_fits(struct bytes alg, struct bytes key_blob)
{
    const struct sig_alg *row = sig_alg_find(alg);
    return row && bytes_is(key_blob_type(key_blob), row->key_type);
}

static bool login_parse(struct bytes data, struct bytes key_blob, struct purpose *out)
{
    struct purpose p = {.kind = AGENT_FOR_LOGIN};
    struct rd r = rd_init(data);
    p.session_id = rd_string_max(&r, AGENT_SESSION_ID_MAX);
    uint8_t type = rd_u8(&r);
    p.user = rd_string_max(&r, USER_NAME_MAX);
    struct bytes service = rd_string(&r);
    struct bytes method = rd_string(&r);
    bool has_signature = rd_bool(&r);
    struct bytes alg = rd_string(&r);
    struct bytes key = rd_string(&r);
    if (r.err != ERR_NONE || type != USERAUTH_REQUEST || p.session_id.n == 0 || !bytes_is(service, "ssh-connection") || !has_signature)
        return false;
    if (!method_known(method, &r, &p.hostkey) || rd_done(&r) != ERR_NONE) return false;
    if (!bytes_equal(key, key_blob) || !alg_fits(alg, key_blob) || (p.user.n && memchr(p.user.p, 0, p.user.n))) return false;
    *out = p;
    return true;
}

/* MAGIC, string namespace, string reserved, string hash algorithm, string hash. */
static bool sshsig_parse(struct bytes data, struct purpose *out)
{
    struct rd r = rd_init(data);
    struct bytes magic = rd_raw(&r, 6);
    struct bytes space = rd_string(&r);
    rd_string(&r);
    struct bytes alg = rd_string(&r);
    struct bytes hash = rd_string(&r);
    if (rd_done(&r) != ERR_NONE || !bytes_is(magic, "SSHSIG") || space.n == 0) return false;
    if (!(bytes_is(alg, "sha256") && hash.n == 32) && !(bytes_is(alg, "sha512") && hash.n == 64)) return false;
    *out = (struct purpose){.kind = AGENT_FOR_SSHSIG, .space = space};
    return true;
}

struct purpose purpose_find(struct bytes data, struct bytes key_blob)
{
    struct purpose p = {.kind = AGENT_FOR_OTHER};
    if (!login_parse(data, key_blob, &p)) (void)sshsig_parse(data, &p);
    return p;
}
