/* SPDX-License-Identifier: ISC */
/* HMAC as a packet MAC (RFC 4253 6.4, RFC 6668); key length = hash length. */
#include <stdlib.h>

#include "crypto/mac.h"
#include "crypto/sign.h"

#include "fetch.h"

struct mac {
    EVP_MAC_CTX *ctx;
    size_t tag_len;
};

static void hmac_free(struct mac *m)
{
    if (!m) return;
    EVP_MAC_CTX_free(m->ctx);
    free(m);
}

static EVP_MAC_CTX *keyed(const char *hash_name, struct bytes key)
{
    char name[16];
    EVP_MAC *evp = evp_mac(ID_HMAC);
    if (!evp || bytes_to_str(bytes_str(hash_name), name, sizeof name) != ERR_NONE) return NULL;
    OSSL_PARAM params[2] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0), OSSL_PARAM_construct_end()};
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(evp);
    if (ctx && EVP_MAC_init(ctx, key.p, key.n, params) == 1) return ctx;
    EVP_MAC_CTX_free(ctx);
    return NULL;
}

static struct mac *hmac_new(const struct mac_alg *alg, const uint8_t *key)
{
    const char *name = alg->key_len == 20 ? hash_sha1.name : alg->key_len == 32 ? hash_sha256.name : hash_sha512.name;
    struct mac *m = calloc(1, sizeof *m);
    if (!m || !(m->ctx = keyed(name, bytes_of(key, alg->key_len)))) {
        hmac_free(m);
        return NULL;
    }
    m->tag_len = alg->tag_len;
    return m;
}

static enum err hmac_tag(struct mac *m, uint32_t seq, const uint8_t *p, size_t n, uint8_t *tag)
{
    uint8_t head[4];
    size_t len;
    put_u32(head, seq);
    /* init without a key starts anew under the old one */
    if (EVP_MAC_init(m->ctx, NULL, 0, NULL) != 1 || EVP_MAC_update(m->ctx, head, sizeof head) != 1) return ERR_CRYPTO;
    if (EVP_MAC_update(m->ctx, p, n) != 1 || EVP_MAC_final(m->ctx, tag, &len, m->tag_len) != 1) return ERR_CRYPTO;
    return len == m->tag_len ? ERR_NONE : ERR_CRYPTO;
}

enum err hmac_sha1(struct bytes key, struct bytes msg, uint8_t out[20])
{
    size_t len;
    EVP_MAC_CTX *ctx = keyed(hash_sha1.name, key);
    bool ok = ctx && (!msg.n || EVP_MAC_update(ctx, msg.p, msg.n) == 1) && EVP_MAC_final(ctx, out, &len, 20) == 1;
    EVP_MAC_CTX_free(ctx);
    return ok ? ERR_NONE : ERR_CRYPTO;
}

#define HMAC(wire, len, etm_) {.name = wire, .key_len = len, .tag_len = len, .etm = etm_, .new = hmac_new, .free = hmac_free, .tag = hmac_tag}

const struct mac_alg mac_hmac_sha2_256 = HMAC("hmac-sha2-256", 32, false);
const struct mac_alg mac_hmac_sha2_512 = HMAC("hmac-sha2-512", 64, false);
const struct mac_alg mac_hmac_sha1 = HMAC("hmac-sha1", 20, false);
const struct mac_alg mac_hmac_sha2_256_etm = HMAC("hmac-sha2-256-etm@openssh.com", 32, true);
const struct mac_alg mac_hmac_sha2_512_etm = HMAC("hmac-sha2-512-etm@openssh.com", 64, true);
const struct mac_alg mac_hmac_sha1_etm = HMAC("hmac-sha1-etm@openssh.com", 20, true);
