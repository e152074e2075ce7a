/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/text.h"
#include "cert_form.h"
#include "key/sk.h"
#include "key_type.h"
#include "line.h"

enum err pubkey_parse(struct bytes blob, struct pubkey **out)
{
    if (blob.n > PUBKEY_BLOB_MAX) return ERR_TOO_LONG;
    const struct key_type *type = key_type_find(key_blob_type(blob));
    if (!type) return ERR_KEY_TYPE;
    struct pubkey *k CLEANUP(pubkey_drop) = calloc(1, sizeof *k);
    if (!k) return ERR_NOMEM;
    k->type = type;
    k->blob = malloc(blob.n);
    if (!k->blob) return ERR_NOMEM;
    memcpy(k->blob, blob.p, blob.n);
    k->blob_n = blob.n;

    struct rd r = rd_init(bytes_of(k->blob, k->blob_n));
    rd_string(&r);
    type->read_public(k, &r);
    if (rd_done(&r) != ERR_NONE) return ERR_KEY_INVALID;
    TRY(type->check_public(k));
    *out = k;
    k = NULL;
    return ERR_NONE;
}

void pubkey_free(struct pubkey *k)
{
    if (!k) return;
    pubkey_free(k->plain);
    pubkey_free(k->ca);
    free(k->blob);
    free(k);
}

void pubkey_drop(struct pubkey **k)
{
    pubkey_free(*k);
    *k = NULL;
}

struct bytes pubkey_blob(const struct pubkey *k)
{
    return bytes_of(k->blob, k->blob_n);
}

const char *pubkey_type(const struct pubkey *k)
{
    return k->plain ? k->cert.type : k->type->name;
}

const char *pubkey_short_name(const struct pubkey *k)
{
    return k->plain ? cert_form_find(bytes_str(k->cert.type))->short_name : k->type->short_name;
}

size_t pubkey_bits(const struct pubkey *k)
{
    return k->bits;
}

bool pubkey_is_sk(const struct pubkey *k)
{
    return k->type->verify_sk != NULL;
}

struct bytes pubkey_application(const struct pubkey *k)
{
    return pubkey_plain(k)->application;
}

/* RFC 4253 6.6: string algorithm, string signature. PROTOCOL.u2f: more behind it. */
/* What the signature was made with. "ssh-rsa-cert-v01@openssh.com" is older than RSA with SHA-2, and means any: as in OpenSSH, and asyncssh counts on
 * it. All other names mean exactly theirs. */
static const struct sig_alg *alg_made_with(const struct sig_alg *alg, struct bytes name)
{
    if (bytes_is(name, alg->sig_name)) return alg;
    const struct sig_alg *other = strcmp(alg->name, "ssh-rsa-cert-v01@openssh.com") == 0 ? sig_alg_find(name) : NULL;
    return other && strcmp(other->key_type, "ssh-rsa") == 0 ? other : NULL;
}

enum verdict pubkey_verify_facts(const struct pubkey *k, const struct sig_alg *alg, struct bytes msg, struct bytes sig,
                                 struct sig_facts *out)
{
    struct sig_facts facts = {.sk = pubkey_is_sk(k)};
    if (!alg || strcmp(alg->key_type, pubkey_type(k)) != 0 || sig.n > SIGNATURE_MAX) return VERDICT_BAD;
    struct rd r = rd_init(sig);
    struct bytes name = rd_string(&r);
    struct bytes inner = rd_string(&r);
    if (r.err != ERR_NONE || !(alg = alg_made_with(alg, name))) return VERDICT_BAD;
    enum verdict v = VERDICT_BAD;
    const struct pubkey *plain = pubkey_plain(k);
    if (facts.sk) v = plain->type->verify_sk(plain, alg, msg, inner, &r, &facts);
    else if (rd_done(&r) == ERR_NONE) v = plain->type->verify(plain, alg, msg, inner);
    if (v == VERDICT_GOOD && out) *out = facts;
    return v;
}

enum verdict pubkey_verify(const struct pubkey *k, const struct sig_alg *alg, struct bytes msg, struct bytes sig)
{
    struct sig_facts facts = {0};
    enum verdict v = pubkey_verify_facts(k, alg, msg, sig, &facts);
    return facts.sk && !(facts.flags & SK_PRESENCE) ? VERDICT_BAD : v;
}

/* ---- "type base64 comment" ---- */

enum err pubkey_line_split(struct bytes line, struct pubkey_line *out)
{
    while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r')) line.n--;
    struct pubkey_line v = {.type = line_word(&line)};
    v.base64 = line_word(&line);
    v.comment = line_skip(line);
    if (v.base64.n == 0) return ERR_FORMAT;
    *out = v;
    return ERR_NONE;
}

enum err pubkey_line_parse(struct bytes line, struct pubkey_line *view, struct pubkey **out)
{
    struct pubkey_line v;
    TRY(pubkey_line_split(line, &v));
    TRY(line_key(v.type, v.base64, out));
    *view = v;
    return ERR_NONE;
}

void pubkey_line_write(struct wr *w, const struct pubkey *k, struct bytes comment)
{
    wr_text(w, pubkey_type(k));
    wr_u8(w, ' ');
    base64_write(w, pubkey_blob(k));
    if (comment.n == 0) return;
    wr_u8(w, ' ');
    wr_raw(w, comment);
}
