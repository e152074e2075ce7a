/* SPDX-License-Identifier: ISC */
/* HMAC (RFC 2104) as a packet MAC (RFC 4253 6.4, RFC 6668); key length = hash length. Over libcrypto's plain SHA functions: their state
 * is a struct that can be copied, so that the keyed state is made once and a packet asks for no memory. The EVP form
 * allocates twice a packet. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <stdlib.h>

#include "crypto/mac.h"
#include "crypto/sign.h"

#include "libcrypto.h"
#include <openssl/sha.h>

enum { BLOCK_MAX = 128 };

union state {
    SHA_CTX sha1;
    SHA256_CTX sha256;
    SHA512_CTX sha512;
};

struct sha {
    size_t len, block_len, state_len;
    int (*init)(void *state);
    int (*update)(void *state, const void *p, size_t n);
    int (*final)(uint8_t *out, void *state);
};

static int sha1_init(void *s) { return SHA1_Init(s); }
static int sha1_update(void *s, const void *p, size_t n) { return SHA1_Update(s, p, n); }
static int sha1_final(uint8_t *out, void *s) { return SHA1_Final(out, s); }
static int sha256_init(void *s) { return SHA256_Init(s); }
static int sha256_update(void *s, const void *p, size_t n) { return SHA256_Update(s, p, n); }
static int sha256_final(uint8_t *out, void *s) { return SHA256_Final(out, s); }
static int sha512_init(void *s) { return SHA512_Init(s); }
static int sha512_update(void *s, const void *p, size_t n) { return SHA512_Update(s, p, n); }
static int sha512_final(uint8_t *out, void *s) { return SHA512_Final(out, s); }

static const struct sha shas[] = {
    {20, 64, sizeof(SHA_CTX), sha1_init, sha1_update, sha1_final},
    {32, 64, sizeof(SHA256_CTX), sha256_init, sha256_update, sha256_final},
    {64, 128, sizeof(SHA512_CTX), sha512_init, sha512_update, sha512_final},
};

struct mac {
    const struct sha *sha;
    union state inner, outer;       /* the key's block is in them already */
};

static bool keyed(const struct sha *sha, union state *state, const uint8_t *key, uint8_t pad)
{
    uint8_t block[BLOCK_MAX];
    for (size_t i = 0; i < sha->block_len; i++) block[i] = key[i] ^ pad;
    bool ok = sha->init(state) == 1 && sha->update(state, block, sha->block_len) == 1;
    wipe(block, sizeof block);
    return ok;
}

static bool mac_init(struct mac *m, const struct sha *sha, struct bytes key)
{
    uint8_t full[BLOCK_MAX] = {0};
    bool ok = true;
    m->sha = sha;
    if (key.n <= sha->block_len && key.n) memcpy(full, key.p, key.n);
    else if (key.n) ok = sha->init(&m->inner) == 1 && sha->update(&m->inner, key.p, key.n) == 1 && sha->final(full, &m->inner) == 1;
    ok = ok && keyed(sha, &m->inner, full, 0x36) && keyed(sha, &m->outer, full, 0x5c);
    wipe(full, sizeof full);
    return ok;
}

static enum err mac_run(const struct mac *m, struct bytes head, struct bytes body, uint8_t *tag)
{
    const struct sha *sha = m->sha;
    union state s;
    uint8_t digest[HASH_MAX];
    memcpy(&s, &m->inner, sha->state_len);
    bool ok = sha->update(&s, head.p, head.n) == 1 && (!body.n || sha->update(&s, body.p, body.n) == 1) && sha->final(digest, &s) == 1;
    memcpy(&s, &m->outer, sha->state_len);
    ok = ok && sha->update(&s, digest, sha->len) == 1 && sha->final(tag, &s) == 1;
    wipe(&s, sizeof s);
    return ok ? ERR_NONE : ERR_CRYPTO;
}

static void hmac_free(struct mac *m)
{
    if (!m) return;
    wipe(m, sizeof *m);
    free(m);
}

static struct mac *hmac_new(const struct mac_alg *alg, const uint8_t *key)
{
    const struct sha *sha = shas;
    while (sha->len != alg->key_len) sha++;
    struct mac *m = calloc(1, sizeof *m);
    if (m && mac_init(m, sha, bytes_of(key, alg->key_len))) return m;
    hmac_free(m);
    return NULL;
}

static enum err hmac_tag(struct mac *m, uint32_t seq, const uint8_t *p, size_t n, uint8_t *tag)
{
    uint8_t head[4];
    put_u32(head, seq);
    return mac_run(m, bytes_of(head, sizeof head), bytes_of(p, n), tag);
}

enum err hmac_sha1(struct bytes key, struct bytes msg, uint8_t out[20])
{
    struct mac m;
    enum err e = mac_init(&m, &shas[0], key) ? mac_run(&m, BYTES_LIT(""), msg, out) : ERR_CRYPTO;
    wipe(&m, sizeof m);
    return e;
}

#define HMAC(wire, len, etm_) {.name = wire, .key_len = len, .tag_len = len, .etm = etm_, .new = hmac_new, .free = hmac_free, .tag = hmac_tag}

const struct mac_alg mac_hmac_sha2_256 = HMAC("hmac-sha2-256", 32, false);
const struct mac_alg mac_hmac_sha2_512 = HMAC("hmac-sha2-512", 64, false);
const struct mac_alg mac_hmac_sha1 = HMAC("hmac-sha1", 20, false);
const struct mac_alg mac_hmac_sha2_256_etm = HMAC("hmac-sha2-256-etm@openssh.com", 32, true);
const struct mac_alg mac_hmac_sha2_512_etm = HMAC("hmac-sha2-512-etm@openssh.com", 64, true);
const struct mac_alg mac_hmac_sha1_etm = HMAC("hmac-sha1-etm@openssh.com", 20, true);
