/* SPDX-License-Identifier: ISC */
#include "agent/agent.h"

#include "key/cert.h"

enum {
    FAILURE = 5, SUCCESS = 6, REQUEST_IDENTITIES = 11, IDENTITIES_ANSWER = 12, SIGN_REQUEST = 13, SIGN_RESPONSE = 14, ADD_IDENTITY = 17,
    REMOVE_IDENTITY = 18, REMOVE_ALL_IDENTITIES = 19, ADD_SMARTCARD_KEY = 20, REMOVE_SMARTCARD_KEY = 21, LOCK = 22, UNLOCK = 23,
    ADD_ID_CONSTRAINED = 25, ADD_SMARTCARD_KEY_CONSTRAINED = 26, EXTENSION = 27, EXTENSION_FAILURE = 28, EXTENSION_RESPONSE = 29
};
enum { CONSTRAIN_LIFETIME = 1, CONSTRAIN_CONFIRM = 2, CONSTRAIN_EXTENSION = 255 };

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

enum err agent_success_parse(struct bytes answer)
{
    struct rd r;
    TRY(answer_begin(answer, SUCCESS, &r));
    return rd_done(&r);
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

/* ---- adding ---- */

static void hop_write(struct wr *w, const struct agent_hop_spec *h)
{
    size_t mark = wr_begin(w);
    wr_string(w, h->user);
    wr_string(w, h->host);
    wr_string(w, bytes_str(NULL));      /* reserved */
    for (size_t i = 0; i < h->keys_n; i++) {
        wr_string(w, h->keys[i].blob);
        wr_bool(w, h->keys[i].ca);
    }
    wr_end(w, mark);
}

static void destinations_write(struct wr *w, const struct agent_limits *l)
{
    wr_u8(w, CONSTRAIN_EXTENSION);
    wr_cstring(w, "restrict-destination-v00@openssh.com");
    size_t all = wr_begin(w);
    for (size_t i = 0; i < l->destinations_n; i++) {
        size_t one = wr_begin(w);
        hop_write(w, &l->destinations[i].from);
        hop_write(w, &l->destinations[i].to);
        wr_string(w, bytes_str(NULL));  /* reserved */
        wr_end(w, one);
    }
    wr_end(w, all);
}

static bool limits_any(const struct agent_limits *l)
{
    return l && (l->lifetime_s || l->confirm || l->sk_provider || l->destinations_n);
}

static void limits_write(struct wr *w, const struct agent_limits *l)
{
    if (!limits_any(l)) return;
    if (l->lifetime_s) {
        wr_u8(w, CONSTRAIN_LIFETIME);
        wr_u32(w, l->lifetime_s);
    }
    if (l->confirm) wr_u8(w, CONSTRAIN_CONFIRM);
    if (l->sk_provider) {
        wr_u8(w, CONSTRAIN_EXTENSION);
        wr_cstring(w, "sk-provider@openssh.com");
        wr_cstring(w, l->sk_provider);
    }
    if (l->destinations_n) destinations_write(w, l);
}

void agent_add_write(struct wr *w, const struct pubkey *cert, const struct privkey *k, struct bytes comment, const struct agent_limits *limits)
{
    size_t mark = wr_begin(w);
    wr_u8(w, limits_any(limits) ? ADD_ID_CONSTRAINED : ADD_IDENTITY);
    privkey_write_any(cert, k, w);
    wr_string(w, comment);
    limits_write(w, limits);
    wr_end(w, mark);
}

void agent_token_add_write(struct wr *w, struct bytes provider, struct bytes pin, const struct agent_limits *limits, struct bytes certs,
                           bool certs_only)
{
    size_t mark = wr_begin(w);
    wr_u8(w, limits_any(limits) || certs.n ? ADD_SMARTCARD_KEY_CONSTRAINED : ADD_SMARTCARD_KEY);
    wr_string(w, provider);
    wr_string(w, pin);
    limits_write(w, limits);
    if (certs.n) {
        wr_u8(w, CONSTRAIN_EXTENSION);
        wr_cstring(w, "associated-certs-v00@openssh.com");
        wr_bool(w, certs_only);
        wr_string(w, certs);
    }
    wr_end(w, mark);
}

static void two_strings_write(struct wr *w, uint8_t type, struct bytes a, const struct bytes *b)
{
    size_t mark = wr_begin(w);
    wr_u8(w, type);
    wr_string(w, a);
    if (b) wr_string(w, *b);
    wr_end(w, mark);
}

void agent_token_remove_write(struct wr *w, struct bytes provider, struct bytes pin)
{
    two_strings_write(w, REMOVE_SMARTCARD_KEY, provider, &pin);
}

void agent_remove_write(struct wr *w, struct bytes key_blob)
{
    two_strings_write(w, REMOVE_IDENTITY, key_blob, NULL);
}

void agent_remove_all_write(struct wr *w)
{
    size_t mark = wr_begin(w);
    wr_u8(w, REMOVE_ALL_IDENTITIES);
    wr_end(w, mark);
}

void agent_lock_write(struct wr *w, bool lock, struct bytes passphrase)
{
    two_strings_write(w, lock ? LOCK : UNLOCK, passphrase, NULL);
}

/* ---- extensions ---- */

void agent_query_write(struct wr *w)
{
    two_strings_write(w, EXTENSION, BYTES_LIT("query"), NULL);
}

/* Agents older than the RFC answer with SUCCESS and the names. */
enum err agent_query_begin(struct bytes answer, struct rd *r)
{
    if (answer.n && answer.p[0] == SUCCESS) return answer_begin(answer, SUCCESS, r);
    TRY(answer_begin(answer, EXTENSION_RESPONSE, r));
    struct bytes name = rd_string(r);
    TRY(r->err);
    return bytes_is(name, "query") ? ERR_NONE : ERR_FORMAT;
}

void agent_facts_write(struct wr *w)
{
    two_strings_write(w, EXTENSION, BYTES_LIT(AGENT_FACTS_NAME), NULL);
}

enum err agent_facts_begin(struct bytes answer, struct rd *r)
{
    TRY(answer_begin(answer, EXTENSION_RESPONSE, r));
    struct bytes name = rd_string(r);
    TRY(r->err);
    return bytes_is(name, AGENT_FACTS_NAME) ? ERR_NONE : ERR_FORMAT;
}

enum err agent_facts_next(struct rd *r, struct agent_facts *out)
{
    struct rd one = rd_init(rd_string(r));
    TRY(r->err);
    struct agent_facts f;
    f.blob = rd_string(&one);
    f.comment = rd_string(&one);
    f.life_s = rd_u32(&one);
    f.confirm = rd_bool(&one);
    f.uses = rd_u32(&one);
    f.idle_s = rd_u32(&one);
    f.used_for = rd_string(&one);
    f.provider = rd_string(&one);
    f.destinations = rd_string(&one);
    TRY(rd_done(&one));
    *out = f;
    return ERR_NONE;
}
