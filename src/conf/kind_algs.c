/* SPDX-License-Identifier: ISC */
/* Algorithm lists: "a,b", "+a" (behind the default), "-a" (out of it), "^a" (before it); wildcards in the last three. */
#include "option.h"

#define KEYS_10_5 \
    "ssh-ed25519-cert-v01@openssh.com,ecdsa-sha2-nistp256-cert-v01@openssh.com,ecdsa-sha2-nistp384-cert-v01@openssh.com," \
    "ecdsa-sha2-nistp521-cert-v01@openssh.com,sk-ssh-ed25519-cert-v01@openssh.com,sk-ecdsa-sha2-nistp256-cert-v01@openssh.com," \
    "webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com,rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-256-cert-v01@openssh.com," \
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,sk-ssh-ed25519@openssh.com," \
    "sk-ecdsa-sha2-nistp256@openssh.com,webauthn-sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256"
#define KEX_SERVER_10_5 \
    "mlkem768x25519-sha256,sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,curve25519-sha256,curve25519-sha256@libssh.org," \
    "ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521"

#define LISTS_10_5(first) { \
    .ciphers_known = "3des-cbc,aes128-cbc,aes192-cbc,aes256-cbc,aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com," \
                     "aes256-gcm@openssh.com,chacha20-poly1305@openssh.com", \
    .ciphers_default = first, \
    .macs_known = "hmac-sha1,hmac-sha1-96,hmac-sha2-256,hmac-sha2-512,hmac-md5,hmac-md5-96,umac-64@openssh.com,umac-128@openssh.com," \
                  "hmac-sha1-etm@openssh.com,hmac-sha1-96-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com," \
                  "hmac-md5-etm@openssh.com,hmac-md5-96-etm@openssh.com,umac-64-etm@openssh.com,umac-128-etm@openssh.com", \
    .macs_default = "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com," \
                    "hmac-sha1-etm@openssh.com,umac-64@openssh.com,umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1", \
    .kex_known = "diffie-hellman-group1-sha1,diffie-hellman-group14-sha1,diffie-hellman-group14-sha256,diffie-hellman-group16-sha512," \
                 "diffie-hellman-group18-sha512,diffie-hellman-group-exchange-sha1,diffie-hellman-group-exchange-sha256,ecdh-sha2-nistp256," \
                 "ecdh-sha2-nistp384,ecdh-sha2-nistp521,curve25519-sha256,curve25519-sha256@libssh.org,sntrup761x25519-sha512," \
                 "sntrup761x25519-sha512@openssh.com,mlkem768x25519-sha256,mlkem768nistp256-sha256,mlkem1024nistp384-sha384", \
    .kex_default_client = KEX_SERVER_10_5 ",diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512," \
                          "diffie-hellman-group18-sha512,diffie-hellman-group14-sha256", \
    .kex_default_server = KEX_SERVER_10_5, \
    .key_known = KEYS_10_5 ",ssh-mldsa44-ed25519@openssh.com,ssh-mldsa44-ed25519-cert-v01@openssh.com,ssh-rsa,ssh-rsa-cert-v01@openssh.com", \
    .key_default = KEYS_10_5, \
    .ca_default = "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,sk-ssh-ed25519@openssh.com," \
                  "sk-ecdsa-sha2-nistp256@openssh.com,webauthn-sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256", \
}

const struct conf_algs conf_algs_openssh =
    LISTS_10_5("chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr");
const struct conf_algs conf_algs_aes =
    LISTS_10_5("aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr");

const struct conf_algs *conf_world_algs(const struct conf_world *w)
{
    return w->algs ? w->algs : &conf_algs_openssh;
}

struct lists {
    struct bytes known, preset;
    bool wildcards;             /* allowed in a plain list too */
};

static struct lists lists_of(const struct line *l, const struct algs_arg *a)
{
    const struct conf_algs *g = conf_world_algs(l->world);
    const struct lists all[] = {
        [ALGS_CIPHERS] = {bytes_str(g->ciphers_known), bytes_str(g->ciphers_default), false},
        [ALGS_MACS] = {bytes_str(g->macs_known), bytes_str(g->macs_default), false},
        [ALGS_KEX] = {bytes_str(g->kex_known), bytes_str(a->server ? g->kex_default_server : g->kex_default_client), false},
        [ALGS_KEYS] = {bytes_str(g->key_known), bytes_str(g->key_default), true},
        [ALGS_CA] = {bytes_str(g->key_known), bytes_str(g->ca_default), true},
    };
    return all[a->which];
}

/* Does the pattern mean at least one known name? */
static bool means_something(struct bytes pattern, const struct lists *ls, bool wildcards)
{
    struct bytes name;
    for (size_t pos = 0; names_next(ls->known, &pos, &name);)
        if (wildcards ? pattern_match(name, pattern) : bytes_equal(name, pattern)) return true;
    return false;
}

static void add_once(struct wr *out, struct bytes name)
{
    if (names_has(wr_bytes(out), name)) return;
    if (out->n) wr_u8(out, ',');
    wr_raw(out, name);
}

/* Known names that the pattern means, appended. */
static void add_matching(struct wr *out, const struct lists *ls, struct bytes pattern)
{
    struct bytes name;
    for (size_t pos = 0; names_next(ls->known, &pos, &name);)
        if (pattern_match(name, pattern)) add_once(out, name);
}

static void add_list(struct wr *out, const struct lists *ls, struct bytes list)
{
    struct bytes one;
    for (size_t pos = 0; names_next(list, &pos, &one);) add_matching(out, ls, one);
}

static void add_preset_without(struct wr *out, const struct lists *ls, struct bytes denied)
{
    struct bytes name;
    for (size_t pos = 0; names_next(ls->preset, &pos, &name);)
        if (pattern_list_match(name, denied, false) != MATCH_YES) add_once(out, name);
}

static enum err resolve(struct line *l, const struct lists *ls, const char *spec, const char **out)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(16384);
    char sign = spec[0];
    struct bytes list = bytes_str(sign == '+' || sign == '-' || sign == '^' ? spec + 1 : spec);
    if (sign == '+') add_list(&w, ls, ls->preset);
    if (sign == '-') add_preset_without(&w, ls, list);
    else add_list(&w, ls, list);
    if (sign == '^') add_list(&w, ls, ls->preset);
    TRY(wr_done(&w));
    const char *text = conf_pool_text(l->pool, wr_bytes(&w));
    if (!text) return ERR_NOMEM;
    *out = text;
    return ERR_NONE;
}

static enum err bad_list(const struct line *l, const struct algs_arg *a, const char *word)
{
    switch (a->which) {
    case ALGS_CIPHERS: return option_bad(l, "Bad SSH2 cipher spec '%s'.", word);
    case ALGS_MACS: return option_bad(l, "Bad SSH2 %s spec '%s'.", l->server ? "mac" : "MAC", word);
    case ALGS_KEX: return option_bad(l, "Bad SSH2 KexAlgorithms '%s'.", word);
    case ALGS_KEYS:
    case ALGS_CA: break;
    }
    return option_bad(l, "Bad key types '%s'.", word);
}

/* Unknown names are refused, except in what is to be taken away. */
static enum err check_names(const struct line *l, const struct algs_arg *a, const struct lists *ls, const char *word)
{
    if (word[0] == '-') return ERR_NONE;
    struct bytes list = bytes_str(word[0] == '+' || word[0] == '^' ? word + 1 : word), one;
    size_t count = 0;
    for (size_t pos = 0; names_next(list, &pos, &one); count++) {
        if (means_something(one, ls, ls->wildcards)) continue;
        if (a->which == ALGS_KEX)
            conf_tell(l->world, CONF_SAY_ERROR, "Unsupported KEX algorithm \"%.*s\"", (int)(one.n > 200 ? 200 : one.n), (const char *)one.p);
        return bad_list(l, a, word);
    }
    return count ? ERR_NONE : bad_list(l, a, word);
}

static enum err algs_parse(struct line *l, const struct option *o, void *conf)
{
    const struct algs_arg *a = o->arg;
    const struct lists ls = lists_of(l, a);
    const char *word;
    TRY(option_need(l, &word));
    TRY(check_names(l, a, &ls, word));
    TRY(resolve(l, &ls, word, FIELD(conf, const char *, o->at)));
    /* What only adds or takes away is not an order of the user's own. */
    if (o->at2) *FIELD(conf, bool, o->at2) = word[0] != '+' && word[0] != '-';
    return ERR_NONE;
}

static enum err algs_fill(struct line *l, const struct option *o, void *conf)
{
    const struct lists ls = lists_of(l, o->arg);
    const char *text = conf_pool_text(l->pool, ls.preset);
    if (!text) return ERR_NOMEM;
    *FIELD(conf, const char *, o->at) = text;
    return ERR_NONE;
}

const struct kind kind_algs = {.size = sizeof(const char *), .size2 = sizeof(bool), .parse = algs_parse, .dump = option_dump_text_field, .fill = algs_fill};
