/* SPDX-License-Identifier: ISC */
#include "agent/agent.h"

enum { FAILURE = 5, REQUEST_IDENTITIES = 11, IDENTITIES_ANSWER = 12, SIGN_REQUEST = 13, SIGN_RESPONSE = 14, EXTENSION = 27,
       EXTENSION_FAILURE = 28 };

void agent_list_write(struct wr *w)
{
    size_t mark = wr_begin(w);
    wr_u8(w, REQUEST_IDENTITIES);
    wr_end(w, mark);
}

static enum err answer_begin(struct bytes answer, uint8_t want, struct rd *r)
{
    *r = rd_init(answer);
    uint8_t type = rd_u8(r);
    TRY(r->err);
    if (type == FAILURE || type == EXTENSION_FAILURE)
        return ERR_DENIED;
    return type == want ? ERR_NONE : ERR_FORMAT;
}

enum err agent_list_begin(struct bytes answer, struct rd *r, uint32_t *count)
{
    TRY(answer_begin(answer, IDENTITIES_ANSWER, r));
    uint32_t n = rd_u32(r);
    TRY(r->err);
    if (n > AGENT_KEYS_MAX)
        return ERR_BUDGET;
    *count = n;
    return ERR_NONE;
}

enum err agent_list_next(struct rd *r, struct agent_key *out)
{
    struct agent_key k = {.blob = rd_string(r), .comment = rd_string(r)};
    TRY(r->err);
    *out = k;
    return ERR_NONE;
}

void agent_sign_write(struct wr *w, struct bytes key_blob, struct bytes data, uint32_t flags)
{
    size_t mark = wr_begin(w);
    wr_u8(w, SIGN_REQUEST);
    wr_string(w, key_blob);
    wr_string(w, data);
    wr_u32(w, flags);
    wr_end(w, mark);
}

enum err agent_sign_parse(struct bytes answer, struct bytes *out)
{
    struct rd r;
    TRY(answer_begin(answer, SIGN_RESPONSE, &r));
    struct bytes sig = rd_string(&r);
    TRY(rd_done(&r));
    *out = sig;
    return ERR_NONE;
}

void agent_bind_write(struct wr *w, struct bytes hostkey, struct bytes session_id, struct bytes signature, bool forwarding)
{
    size_t mark = wr_begin(w);
    wr_u8(w, EXTENSION);
    wr_cstring(w, "session-bind@openssh.com");
    wr_string(w, hostkey);
    wr_string(w, session_id);
    wr_string(w, signature);
    wr_bool(w, forwarding);
    wr_end(w, mark);
}
