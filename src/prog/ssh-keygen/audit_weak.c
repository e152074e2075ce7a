/* SPDX-License-Identifier: ISC */
/* Keys that were made badly: what a public key itself gives away. */
#include <stdio.h>
#include <stdlib.h>

#include "audit.h"
#include "base/limits.h"
#include "base/rd.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "key/known_hosts.h"

/* Odd primes that Infineon's library multiplied for its moduli of any length. */
static const uint8_t primes[] = {3,  5,  7,  11, 13, 17, 19,  23,  29,  31,  37,  41,  43,  47,  53,  59,  61,  67,  71,
                                 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167};

static unsigned remainder_of(struct bytes n, unsigned p)
{
    unsigned r = 0;
    for (size_t i = 0; i < n.n; i++) r = (r << 8 | n.p[i]) % p;
    return r;
}

static bool power_of_65537(unsigned r, unsigned p)
{
    unsigned power = 1;
    do {
        if (power == r) return true;
        power = power * (65537 % p) % p;
    } while (power != 1);
    return false;
}

/* Nemec and others, "The Return of Coppersmith's Attack" (CCS 2017), 2.3: both primes, and so the modulus, are powers of 65537 modulo each of these; of
 * other moduli one in 2^150 is. */
static bool is_roca(struct bytes n)
{
    for (size_t i = 0; i < COUNT_OF(primes); i++)
        if (!power_of_65537(remainder_of(n, primes[i]), primes[i])) return false;
    return true;
}

static struct bytes rsa_modulus(const struct pubkey *k)
{
    struct rd r = rd_init(pubkey_blob(pubkey_plain(k)));
    (void)rd_string(&r);
    (void)rd_mpint(&r, PUBKEY_BLOB_MAX);
    struct bytes n = rd_mpint(&r, PUBKEY_BLOB_MAX);
    return rd_done(&r) == ERR_NONE ? n : (struct bytes){0};
}

/* ---- lists of keys that Debian's generator of 2006 to 2008 could make ---- */

/* As openssh-blacklist writes them: the last 20 hexadecimal digits of the MD5 fingerprint, a line each. */
static bool list_has(struct bytes text, struct bytes digits)
{
    struct line_walk walk = {.rest = text};
    struct bytes line;
    while (line_next(&walk, &line))
        if (bytes_equal(line, digits)) return true;
    return false;
}

static bool file_has(const char *path, struct bytes digits)
{
    struct secret text CLEANUP(secret_clear) = {0};
    return file_read(path, KRL_FILE_MAX, false, &text, NULL) == ERR_NONE && list_has(secret_bytes(&text), digits);
}

static bool is_listed(const struct audit *a, const struct pubkey *k)
{
    static const char *const folders[] = {"/usr/share/ssh", "/etc/ssh"};
    uint8_t md5[HASH_MAX];
    char path[64];
    struct wr hex CLEANUP(wr_clear) = wr_heap(64);
    if (hash_digest(&hash_md5, pubkey_blob(pubkey_plain(k)), md5) != ERR_NONE) return false;
    hex_write(&hex, bytes_of(md5 + 6, 10));
    if (a->bad_keys.n && list_has(secret_bytes(&a->bad_keys), wr_bytes(&hex))) return true;
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        snprintf(path, sizeof path, "%s/blacklist.RSA-%zu", folders[i], pubkey_bits(k));
        if (file_has(path, wr_bytes(&hex))) return true;
    }
    return false;
}

const char *audit_weakness(const struct audit *a, const struct pubkey *k)
{
    if (strcmp(pubkey_type(pubkey_plain(k)), "ssh-rsa") != 0) return NULL;
    struct bytes n = rsa_modulus(k);
    if (n.n == 0) return "its modulus is none";
    for (size_t i = 0; i < COUNT_OF(primes); i++)
        if (remainder_of(n, primes[i]) == 0) return "its modulus has a small factor: anybody can compute the private key";
    if (is_roca(n)) return "made by a library whose keys can be factored (ROCA, CVE-2017-15361)";
    return is_listed(a, k) ? "one of the few that Debian's OpenSSL made from 2006 to 2008 (CVE-2008-0166)" : NULL;
}
