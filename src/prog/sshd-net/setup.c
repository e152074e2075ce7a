/* SPDX-License-Identifier: ISC */
/* Settings become records, once, before the jail. */
#include <stdlib.h>

#include "base/text.h"
#include "crypto/algs.h"
#include "crypto/sign.h"
#include "key/cert.h"
#include "net.h"

#define LIST_MAX 64

static const struct kex_alg *kex_list[LIST_MAX + 1];
static const struct cipher_alg *cipher_list[LIST_MAX + 1];
static const struct mac_alg *mac_list[LIST_MAX + 1];
static const struct compress_alg *compress_list[2];
static struct conn_hostkey hostkeys[FACE_HOSTKEYS_MAX];
static char software[IDENT_MAX];

/* Names that are known to the configuration but not built are passed over; the order is the list's. */
static size_t kex_fill(struct bytes names)
{
    struct bytes name;
    size_t n = 0;
    for (size_t pos = 0; names_next(names, &pos, &name) && n < LIST_MAX;)
        if (kex_find(name)) kex_list[n++] = kex_find(name);
    return n;
}

static size_t cipher_fill(struct bytes names)
{
    struct bytes name;
    size_t n = 0;
    for (size_t pos = 0; names_next(names, &pos, &name) && n < LIST_MAX;)
        if (cipher_find(name)) cipher_list[n++] = cipher_find(name);
    return n;
}

static size_t mac_fill(struct bytes names)
{
    struct bytes name;
    size_t n = 0;
    for (size_t pos = 0; names_next(names, &pos, &name) && n < LIST_MAX;)
        if (mac_find(name)) mac_list[n++] = mac_find(name);
    return n;
}

struct bytes net_sig_algs(struct bytes names, struct span room)
{
    struct bytes name;
    struct wr w = wr_span(room);
    for (size_t pos = 0; names_next(names, &pos, &name);) {
        const struct sig_alg *alg = sig_alg_find(name);
        if (!alg || sig_alg_is_cert(alg)) continue; /* as OpenSSH: certificates are taken under the plain names listed here */
        if (w.n > 0) wr_u8(&w, ',');
        wr_raw(&w, name);
    }
    return wr_bytes(&w);
}

enum err net_setup_make(struct bytes text, struct net_setup *out)
{
    static uint8_t algs[NAME_LIST_MAX];
    struct face_conf c;
    TRY(face_conf_parse(text, &c));
    if (kex_fill(c.kex) == 0) return ERR_NO_KEX;
    if (cipher_fill(c.ciphers) == 0) return ERR_NO_CIPHER;
    (void)mac_fill(c.macs);             /* none: an AEAD cipher may do without */
    if (c.compression) compress_list[0] = &compress_zlib_openssh;
    for (size_t i = 0; i < c.hostkey_count; i++) hostkeys[i] = (struct conn_hostkey){c.hostkey[i].blob, c.hostkey[i].algs};
    TRY(bytes_to_str(c.software, software, sizeof software));
    out->conf = c;
    out->conn = (struct conn_setup){
        .role = ROLE_SERVER, .random = random_libcrypto, .software = software, .kex = kex_list, .ciphers = cipher_list, .macs = mac_list,
        .compress = compress_list, .hostkeys = hostkeys, .hostkey_count = c.hostkey_count, .trace = c.debug > 0,
        .sig_algs = net_sig_algs(c.sig_algs, (struct span){algs, sizeof algs}), .agent_untold = !c.agent_told,
        .rekey_bytes = c.rekey_bytes, .rekey_us = c.rekey_s * 1000000};
    return ERR_NONE;
}

/* ---- rehearsal ---- */

MUST_USE static enum err rehearse_kex(const struct kex_alg *alg)
{
    struct kex_state *s = NULL;
    struct wr client CLEANUP(wr_clear) = wr_heap(KEX_PUBLIC_MAX), server CLEANUP(wr_clear) = wr_heap(KEX_PUBLIC_MAX);
    struct secret k CLEANUP(secret_clear) = {0};
    if (alg->shape != KEX_SHAPE_ECDH) return ERR_NONE;      /* groups are slow, and need nothing that ECDH did not touch */
    TRY(alg->start(alg, &random_libcrypto, NULL, &client, &s));
    enum err e = alg->reply(alg, &random_libcrypto, NULL, wr_bytes(&client), &server, &k);
    alg->free(s);
    return e;
}

MUST_USE static enum err rehearse_cipher(const struct cipher_alg *alg)
{
    static const uint8_t zero[64];
    uint8_t packet[64 + MAC_TAG_MAX] = {0};
    struct cipher *c = alg->new(alg, CIPHER_SEAL, zero, zero);
    if (!c) return ERR_NOMEM;
    enum err e = alg->cls == CIPHER_STREAM ? alg->crypt(c, packet, 32) : alg->seal(c, 0, packet, 36);
    alg->free(c);
    return e;
}

MUST_USE static enum err rehearse_mac(const struct mac_alg *alg)
{
    static const uint8_t zero[64];
    uint8_t tag[MAC_TAG_MAX];
    struct mac *m = alg->new(alg, zero);
    if (!m) return ERR_NOMEM;
    enum err e = alg->tag(m, 0, zero, sizeof zero, tag);
    alg->free(m);
    return e;
}

enum err net_rehearse(const struct net_setup *s)
{
    uint8_t digest[HASH_MAX];
    TRY(crypto_warm());
    for (size_t i = 0; s->conn.kex[i]; i++) {
        TRY(rehearse_kex(s->conn.kex[i]));
        TRY(hash_digest(s->conn.kex[i]->hash, BYTES_LIT("rehearsal"), digest));
    }
    for (size_t i = 0; s->conn.ciphers[i]; i++) TRY(rehearse_cipher(s->conn.ciphers[i]));
    for (size_t i = 0; s->conn.macs[i]; i++) TRY(rehearse_mac(s->conn.macs[i]));
    /* Verifiers: parsing a key of each kind is rehearsed with the host's own. */
    for (size_t i = 0; i < s->conn.hostkey_count; i++) {
        struct pubkey *k = NULL;
        TRY(pubkey_parse_any(s->conn.hostkeys[i].blob, &k));
        (void)!pubkey_verify(k, sig_alg_find(bytes_str(sig_algs[0].name)), BYTES_LIT("x"), BYTES_LIT("x"));
        pubkey_free(k);
    }
    struct conn *c = conn_new(&s->conn);
    if (!c) return ERR_NOMEM;
    conn_free(c);
    return ERR_NONE;
}
