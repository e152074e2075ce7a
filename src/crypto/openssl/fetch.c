/* SPDX-License-Identifier: ISC */
#include "fetch.h"


#include "crypto/kex.h"
#include "crypto/sign.h"

static const char *const cipher_names[CIPHER_ID_COUNT] = {
    [ID_AES_128_GCM] = "AES-128-GCM", [ID_AES_256_GCM] = "AES-256-GCM", [ID_AES_128_CTR] = "AES-128-CTR",
    [ID_AES_192_CTR] = "AES-192-CTR", [ID_AES_256_CTR] = "AES-256-CTR", [ID_AES_128_CBC] = "AES-128-CBC",
    [ID_AES_192_CBC] = "AES-192-CBC", [ID_AES_256_CBC] = "AES-256-CBC", [ID_AES_128_ECB] = "AES-128-ECB", [ID_CHACHA20] = "ChaCha20",
    [ID_3DES_CBC] = "DES-EDE3-CBC",
};
static const char *const mac_names[MAC_ID_COUNT] = {[ID_POLY1305] = "POLY1305"};
static const struct hash_alg *const hashes[] = {&hash_sha1, &hash_sha256, &hash_sha384, &hash_sha512, &hash_md5};

static EVP_CIPHER *ciphers[CIPHER_ID_COUNT];
static EVP_MAC *macs[MAC_ID_COUNT];
static EVP_MD *mds[COUNT_OF(hashes)];

EVP_CIPHER *evp_cipher(enum cipher_id id)
{
    if (!ciphers[id]) ciphers[id] = EVP_CIPHER_fetch(NULL, cipher_names[id], NULL);
    return ciphers[id];
}

EVP_MAC *evp_mac(enum mac_id id)
{
    if (!macs[id]) macs[id] = EVP_MAC_fetch(NULL, mac_names[id], NULL);
    return macs[id];
}

EVP_MD *evp_md(const struct hash_alg *alg)
{
    for (size_t i = 0; i < COUNT_OF(hashes); i++) {
        if (hashes[i] != alg) continue;
        if (!mds[i]) mds[i] = EVP_MD_fetch(NULL, alg->name, NULL);
        return mds[i];
    }
    return NULL;
}

void evp_pkey_clear(EVP_PKEY **p)
{
    EVP_PKEY_free(*p);
}

void evp_pkey_ctx_clear(EVP_PKEY_CTX **p)
{
    EVP_PKEY_CTX_free(*p);
}

void evp_md_ctx_clear(EVP_MD_CTX **p)
{
    EVP_MD_CTX_free(*p);
}

void evp_cipher_ctx_clear(EVP_CIPHER_CTX **p)
{
    EVP_CIPHER_CTX_free(*p);
}

static enum err libcrypto_fill(void *ctx, struct span out)
{
    (void)ctx;
    /* RAND_priv_bytes: what we draw is mostly keys; it takes at most INT_MAX bytes */
    if (out.n > INT32_MAX || RAND_priv_bytes(out.p, (int)out.n) != 1) return ERR_RANDOM;
    return ERR_NONE;
}

const struct random random_libcrypto = {NULL, libcrypto_fill};

/* All three generators by hand: libcrypto notices a fork only by getpid(), which in a pid namespace may repeat. */
enum err random_reseed(void)
{
    EVP_RAND_CTX *const all[] = {RAND_get0_primary(NULL), RAND_get0_public(NULL), RAND_get0_private(NULL)};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (!all[i] || EVP_RAND_reseed(all[i], 1, NULL, 0, NULL, 0) != 1) return ERR_RANDOM;
    return ERR_NONE;
}

/* ---- warming up: besides the fetches above, libcrypto looks up key types, curves and methods when it first meets them ---- */

static enum err rehearse_kex(const struct kex_alg *alg)
{
    uint8_t room[2][KEX_PUBLIC_MAX];
    struct wr client = wr_span((struct span){room[0], sizeof room[0]}), server = wr_span((struct span){room[1], sizeof room[1]});
    struct secret a CLEANUP(secret_clear) = {0}, b CLEANUP(secret_clear) = {0};
    struct kex_state *s;
    TRY(alg->start(alg, &random_libcrypto, NULL, &client, &s));
    enum err e = alg->reply(alg, &random_libcrypto, NULL, wr_bytes(&client), &server, &b);
    if (e == ERR_NONE) e = alg->finish(s, wr_bytes(&server), &a);
    alg->free(s);
    return e;
}

static enum err rehearse_ed25519(void)
{
    uint8_t public_key[ED25519_PUBLIC], seed[ED25519_SEED] = {1}, sig[ED25519_SIG];
    struct bytes text = bytes_of(seed, sizeof seed);
    TRY(ed25519_public(seed, public_key));
    TRY(ed25519_sign(seed, text, sig));
    return ed25519_verify(public_key, text, bytes_of(sig, sizeof sig)) == VERDICT_GOOD ? ERR_NONE : ERR_CRYPTO;
}

static enum err rehearse_ecdsa(void)
{
    uint8_t room[3][133];
    struct wr point = wr_span((struct span){room[0], 133}), r = wr_span((struct span){room[1], 133}), s = wr_span((struct span){room[2], 133});
    struct secret scalar CLEANUP(secret_clear) = {0};
    TRY(ecdsa_generate(&ec_nistp256, &point, &scalar));
    return ecdsa_sign(&ec_nistp256, wr_bytes(&point), secret_bytes(&scalar), BYTES_LIT("text"), &r, &s);    /* verifies too */
}

/* No key is made for this, as it would take too long: a signature that is not one is looked at as well. */
static enum err rehearse_rsa(void)
{
    uint8_t n[256];
    memset(n, 0xff, sizeof n);
    struct rsa_public key = {bytes_of(n, sizeof n), BYTES_LIT("\1\0\1")};
    return rsa_verify(&key, &hash_sha512, BYTES_LIT("text"), BYTES_LIT("\1")) == VERDICT_BAD ? ERR_NONE : ERR_CRYPTO;
}

enum err crypto_load(void)
{
    /* the first fetch loads the default provider */
    if (OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) != 1 || !evp_md(&hash_sha256)) return ERR_CRYPTO;
    return random_reseed();
}

enum err crypto_warm(void)
{
    TRY(crypto_load());
    for (int i = 0; i < CIPHER_ID_COUNT; i++)
        if (!evp_cipher((enum cipher_id)i) && i != ID_3DES_CBC) return ERR_CRYPTO;      /* some systems' libcrypto is without DES */
    for (int i = 0; i < MAC_ID_COUNT; i++)
        if (!evp_mac((enum mac_id)i)) return ERR_CRYPTO;
    for (size_t i = 0; i < COUNT_OF(hashes); i++)
        if (hashes[i] != &hash_md5 && !evp_md(hashes[i])) return ERR_CRYPTO;     /* MD5 may be switched off: fingerprints only */
    TRY(rehearse_kex(&kex_mlkem768x25519_sha256));
    TRY(rehearse_kex(&kex_ecdh_nistp256));
    TRY(rehearse_ed25519());
    TRY(rehearse_ecdsa());
    return rehearse_rsa();
}

const char *crypto_version(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}
